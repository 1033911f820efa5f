#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Attaching a device that is gone or does not fit is refused, and leaves nothing in the slot, the machine or the
# device.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/vm-common"

mount_fs
need_kvm

# make PATH: a device of its own, that can be attached; its path is in $device.
make() {
    case $1 in
    console | aplic | hwqueue) mkdir "$M/$1/own" && device=$1/own ;;
    imsic)
        mkdir "$M/aplic/own" && device=aplic/own/imsic/0 && put aplic/own/addr/imsic/0 0x28000000 &&
            put aplic/own/addr/aplic 0xd000000 && put aplic/own/init 1
        ;;
    queue)
        mkdir "$M/hwqueue/own" && put hwqueue/own/ioas/map "0 0x200000" &&
            mkdir "$M/hwqueue/own/queues/0" && device=hwqueue/own/queues/0
        ;;
    gait) mkdir "$M/gait/gait0/functions/own" && device=gait/gait0/functions/own ;;
    intx) mkdir "$M/intx/bus0/devices/own" && device=intx/bus0/devices/own ;;
    esac || fail "no $1 can be made"
}

remove() {
    case $1 in
    console | aplic | hwqueue) rmdir "$M/$1/own" ;;
    imsic) rmdir "$M/aplic/own" ;;
    queue) rmdir "$M/hwqueue/own/queues/0" && rmdir "$M/hwqueue/own" ;;
    *) rmdir "$M/$device" ;;
    esac || fail "the $1 cannot be removed"
}

cp "$M/state" "$T/empty"
for kind in console aplic hwqueue imsic queue gait intx; do
    for end in slot machine restore mount; do
        make $kind
        mkdir "$M/vm/v" "$M/vm/v/slots/0" || fail "mkdir"
        put vm/v/slots/0/device "$device"
        put vm/v/slots/0/addr 0x10000000
        remove $kind
        refuse ENODEV vm/v/slots/0/attached 1
        eq vm/v/slots/0/attached 0
        # A place that is refused leaves as little.
        put vm/v/slots/0/device console/con0
        put vm/v/slots/0/addr 0
        refuse EINVAL vm/v/slots/0/attached 1
        case $end in
        slot) rmdir "$M/vm/v/slots/0" || fail "rmdir of the slot" ;;
        restore) cp "$T/empty" "$M/state" || fail "the state is refused" ;;
        mount) remount_fs ;;
        esac
        [ ! -d "$M/vm/v" ] || rmdir "$M/vm/v" || fail "rmdir of the machine"
    done
done
eq console/con0/driver soft

# A device that waits for the ends of its interrupts cannot have them as messages.
mkdir "$M/intx/bus0/devices/d" "$M/vm/v" "$M/vm/v/slots/0" || fail "mkdir"
put vm/v/slots/0/device intx/bus0/devices/d
put vm/v/slots/0/addr 0x10000000
put vm/v/slots/0/irq msi
refuse EINVAL vm/v/slots/0/attached 1
put vm/v/slots/0/irq ""

# A run that is refused fixes nothing; a slot fixes the size of the memory, before and after a restore.
put vm/v/entry 0x300000
refuse EINVAL vm/v/run 1
put vm/v/memory_size 0x400000
put vm/v/slots/0/attached 1
refuse EBUSY vm/v/memory_size 0x20000000
cp "$M/state" "$T/attached"
remount_fs
cp "$T/attached" "$M/state" || fail "the state is refused"
eq vm/v/slots/0/attached 1
refuse EBUSY vm/v/memory_size 0x20000000
put vm/v/slots/0/attached 0
put vm/v/memory_size 8192

# The stack lies in a small memory, in both modes: push, and say 7.
for mode in real long; do
    put vm/v/mode $mode
    same "the memory" "$("$IO" pwrite vm/v/memory 0 b0075058e6f4ebfe)" ok
    put vm/v/entry 0
    put vm/v/run 1
    ends v 7
done
rmdir "$M/vm/v" || fail "rmdir"

# A device whose restored slot waits for the first run has a guest already.
mkdir "$M/intx/bus0/devices/shared" "$M/vm/a" "$M/vm/b" "$M/vm/a/slots/1" "$M/vm/b/slots/1" || fail "mkdir"
for vm in a b; do
    put vm/$vm/slots/1/device intx/bus0/devices/shared
    put vm/$vm/slots/1/addr 0x10000000
    put vm/$vm/slots/1/irq 9
done
put vm/a/slots/1/attached 1
refuse EBUSY vm/b/slots/1/attached 1
cp "$M/state" "$T/state"
cp "$T/state" "$M/state" || fail "the state is refused"
eq vm/a/slots/1/attached 1
refuse EBUSY vm/b/slots/1/attached 1
put vm/a/slots/1/attached 0
put vm/b/slots/1/attached 1
