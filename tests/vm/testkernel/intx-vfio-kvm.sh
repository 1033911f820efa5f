#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A KVM guest owns a device of the host: the device's interrupt reaches the guest, and the guest's EOI unmasks the
# interrupt in the kernel, through KVM's resamplefd.
VDF_LIMIT=150
. "$(dirname "$0")/common"
. "$vdf_root/tests/mount/vm-common"
. "$vdf_root/tests/mount/intx-rules"

host=0000:00:05.0
sys=/sys/bus/pci/devices/$host
d=intx/bus0/devices/d0

# word OFFSET: of the real configuration space.
word() {
    od -An -tx2 -j "$1" -N 2 "$sys/config" | tr -d ' \n'
}

# machines: how many KVM has.
machines() {
    find /sys/kernel/debug/kvm -mindepth 1 -maxdepth 1 -type d | wc -l
}

raise() {
    same "raising" "$("$IO" pwrite $d/bar/0 0x60 01000000)" ok
}

lower() {
    same "lowering" "$("$IO" pwrite $d/bar/0 0x64 ffffffff)" ok
}

echo vfio-pci >"$sys/driver_override"
echo "$host" >/sys/bus/pci/drivers_probe
clean=$(word 4)
mount_fs
need_kvm
mkdir "$M/$d" || fail "mkdir"
put $d/host "$host"
put $d/backend vfio
interrupts=0
reasserts=0

for order in before after; do
    machine pci long intx
    [ $order = after ] || put $d/enabled 1
    slot pci 0 $d 0x10000000 9
    [ $order = before ] || put $d/enabled 1
    eq vm/pci/irqfds 2
    refuse EBUSY $d/backend soft

    # An interrupt that is over when the guest looks. KVM asks again when the guest opens the pin (since Linux
    # 6.4), or when it ends the interrupt: the device is unmasked, and nobody here has done it.
    raise
    wait_eq $d/guest_level 1
    eq $d/masked 1
    lower
    eq $d/guest_level 1
    put vm/pci/run 1
    says pci ready
    wait_eq $d/guest_level 0
    eq $d/masked 0
    eq $d/host_irq_disabled 0
    same "bit 10 in the real register" "$((0x$(word 4) & 0x400))" 0

    # One that stays: each EOI finds it again, until the guest masks the device.
    raise
    ends pci 0
    case $(said pci | tr '\n' ' ') in
    "ready ++++"*"+ masked " | "ready -++++"*"+ masked ") ;;
    *) fail "the guest said: $(said pci)" ;;
    esac
    wait_eq $d/guest_mask 1
    eq $d/guest_level 0
    eq $d/intx_disable 1
    [ "$(cat "$M/$d/reasserts")" -ge 3 ] || fail "it was not raised again: $(cat "$M/$d/reasserts")"

    # The guest goes, and its EOIs with it. It has switched the memory off, too.
    rmdir "$M/vm/pci" || fail "rmdir vm/pci"
    same "memory on" "$("$IO" pwrite $d/config 4 0600)" ok
    eq $d/guest_mask 0
    wait_eq $d/guest_level 1
    lower
    put $d/ack 1
    quiet
    put $d/enabled 0
done

# A machine that is removed with the device in it, and a device that is.
machine pci long intx
put $d/enabled 1
slot pci 0 $d 0x10000000 9
put vm/pci/run 1
says pci ready
same "rmdir of an attached device" "$(rmdir "$M/$d" 2>&1 | sed 's/.*: //')" "Device or resource busy"

# A restore of everything keeps the device, and the guest gets its interrupts as before.
cp "$M/state" "$T/root.state" || fail "cp state"
cp "$T/root.state" "$M/state" || fail "the state is refused: $(tail -n 1 "$M/errors")"
eq $d/backend vfio
eq vm/pci/slots/0/attached 1
cmp "$T/root.state" "$M/state" || fail "saved, restored and saved again differs"
lower
before=$(cat "$M/$d/interrupts")
put vm/pci/run 1
eq vm/pci/irqfds 2
raise
wait_for 20 has_ended pci || fail "the guest does not end"
eq vm/pci/exit_code 0
[ "$(cat "$M/$d/interrupts")" -gt "$before" ] || fail "no interrupt after the restore"
rmdir "$M/vm/pci"
same "memory on" "$("$IO" pwrite $d/config 4 0600)" ok
lower
put $d/ack 1
quiet
machine pci long intx
slot pci 0 $d 0x10000000 9
put vm/pci/run 1
says pci ready

# The daemon is killed while the guest runs and has an interrupt: the kernel takes all back, and gives it
# again.
raise
wait_eq $d/masked 1
same "machines before the kill" "$(machines)" 1
kill -KILL "$(daemon_pids)"
wait_for 10 daemon_gone || fail "the daemon lives"
umount -l "$M"
same "machines after the kill" "$(machines)" 0
same "the command register after the kill" "$(word 4)" "$clean"
grep -q "vfio-intx.$host" /proc/interrupts && fail "the interrupt is still there after the kill"
mount_fs
mkdir "$M/$d" || fail "mkdir"
put $d/host "$host"
put $d/backend vfio
put $d/enabled 1
lower
put $d/ack 1
quiet
machine pci long intx
slot pci 0 $d 0x10000000 9
eq vm/pci/irqfds 2
put vm/pci/run 1
says pci ready

# Unplugged while the guest has it: what it reads there is nothing, and it goes on.
timeout 20 sh -c "echo 1 >$sys/remove" || fail "the device cannot be removed"
wait_eq $d/enabled 0
eq $d/guest_level 0
eq vm/pci/status halted
eq vm/pci/slots/0/attached 1
rmdir "$M/vm/pci" || fail "rmdir vm/pci"
rmdir "$M/$d" || fail "rmdir of the device"
echo 1 >/sys/bus/pci/rescan
wait_for 5 test -e "$sys" || fail "the device does not come back"
