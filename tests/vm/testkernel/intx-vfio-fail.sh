#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Each command to the kernel for a device of the host fails once: everything made before the failure is released,
# and the next try works.
VDF_LIMIT=300
. "$(dirname "$0")/common"
. "$vdf_root/tests/mount/vm-common"
. "$vdf_root/tests/mount/intx-rules"
. "$vdf_root/tests/mount/fail-lib.sh"

host=0000:00:04.0
sys=/sys/bus/pci/devices/$host
d=intx/bus0/devices/d0
echo vfio-pci >"$sys/driver_override"
echo "$host" >/sys/bus/pci/drivers_probe
mount_fs
mkdir "$M/$d" || fail "mkdir"
put $d/host "$host"
pid=$(daemon_pids)

descriptors() {
    ls -l "/proc/$pid/fd" | sed 's/.*-> //' | sort
}

raise() {
    same "raising" "$("$IO" pwrite $d/bar/0 0x60 01000000)" ok
}

lower() {
    same "lowering" "$("$IO" pwrite $d/bar/0 0x64 ffffffff)" ok
}

# each CALL FILE TEXT LEAST: let each fail until there is no such many; at least LEAST have to.
each() {
    before=$(descriptors)
    was=$(cat "$M/$2")
    k=1
    while [ "$(failing "$1" $k "$IO" write "$2" "$3" | head -n 1)" != ok ]; do
        tail -n 1 "$M/errors" | grep -q ENOMEM || fail "$1 $k: $(tail -n 1 "$M/errors")"
        same "descriptors after $1 $k" "$(descriptors)" "$before"
        same "$2 after $1 $k" "$(cat "$M/$2")" "$was"
        k=$((k + 1))
    done
    [ $k -gt "$4" ] || fail "only $((k - 1)) of at least $4 times $1 was called for $2"
    eq "$2" "$3"
}

each ioctl $d/backend vfio 12
put $d/backend soft
each eventfd2 $d/backend vfio 2
put $d/backend soft
each openat $d/backend vfio 3
each ioctl $d/enabled 1 2
grep -q "vfio-intx.$host" /proc/interrupts || fail "there is no handler"
each ioctl $d/guest_mask 1 1
eq $d/intx_disable 1
put $d/guest_mask 0

# One that fails leaves the mask as it is, for the next.
raise
wait_eq $d/guest_level 1
[ "$(failing ioctl 1 "$IO" write $d/ack 1 | head -n 1)" = ENOMEM ] || fail "the EOI did not fail"
eq $d/masked 1
eq $d/guest_level 1
lower
put $d/ack 1
quiet

# --- a machine, and the device in it

# machines: how many KVM has.
machines() {
    find /sys/kernel/debug/kvm -mindepth 1 -maxdepth 1 -type d | wc -l
}

make_machine() {
    mkdir "$M/vm/g" 2>/dev/null && echo ok
}

# each_of_machine CALL LEAST: as above, for mkdir; a KVM that lacks something answers ENODEV.
each_of_machine() {
    before=$(descriptors)
    k=1
    while [ "$(failing "$1" $k make_machine | head -n 1)" != ok ]; do
        tail -n 1 "$M/errors" | grep -q 'ENOMEM\|ENODEV: /dev/kvm: ' || fail "$1 $k: $(tail -n 1 "$M/errors")"
        same "descriptors after $1 $k" "$(descriptors)" "$before"
        same "machines after $1 $k" "$(machines)" 0
        k=$((k + 1))
    done
    [ $k -gt "$2" ] || fail "only $((k - 1)) of at least $2 times $1 was called for a machine"
    rmdir "$M/vm/g" || fail "rmdir vm/g"
}

each_of_machine openat 1
each_of_machine ioctl 8
machine g long intx
mkdir "$M/vm/g/slots/0" || fail "mkdir slots/0"
put vm/g/slots/0/device $d
put vm/g/slots/0/addr 0x10000000
put vm/g/slots/0/irq 9
same "machines" "$(machines)" 1
# The machine keeps the memory that the first round gives it.
for call in "ioctl 3" "ioctl 3" "eventfd2 4" "fcntl 1"; do
    each "${call% *}" vm/g/slots/0/attached 1 "${call#* }"
    eq vm/g/irqfds 2
    put vm/g/slots/0/attached 0
    eq vm/g/irqfds 0
done
# After all failures the device works.
put vm/g/slots/0/attached 1
put vm/g/run 1
says g ready
raise
ends g 0
rmdir "$M/vm/g" || fail "rmdir vm/g"
same "machines at the end" "$(machines)" 0
# The guest has switched the memory off, and no reset ends the condition.
same "memory on" "$("$IO" pwrite $d/config 4 0600)" ok
lower
rmdir "$M/$d" || fail "rmdir"
grep -q "vfio-intx.$host" /proc/interrupts && fail "the handler is still there"
echo >"$sys/driver_override"
echo "$host" >"$sys/driver/unbind"
