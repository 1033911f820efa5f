#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A PC of QEMU with a Debian kernel drives the console as a virtio device on PCI: the function is served over
# vfio-user, and the driver is Linux's own. The scenarios are those of the guests over vhost-user. Then interrupts
# move between two processors while they come.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/scenario.sh"
console_driver=pci

get_guest qemu
say_size
mount_fs
vm_prepare

boot() {
    pc_start "$guest_mib" "$@" -device "$(vfu_device "$T/con0.sock")"
    guest_dial
    guest_login
}

# Change the affinity of all vectors of the console again and again, in the background.
move_interrupts() {
    guest 'grep -c virtio /proc/interrupts'
    [ "$out" -ge 2 ] || fail "the guest has $out vectors for the console"
    guest '(n=0; while :; do
        for irq in $(sed -n "s/^ *\([0-9]*\): .*virtio.*/\1/p" /proc/interrupts); do
            echo $((n % 2 + 1)) >/proc/irq/$irq/smp_affinity
        done
        n=$((n + 1)); echo $n >/tmp/moves
    done) >/dev/null 2>/tmp/refused & echo $! >/tmp/mover'
}

boot
guest 'cat /sys/bus/virtio/devices/virtio0/device /sys/bus/virtio/devices/virtio0/vendor'
same "the device in the guest" "$out" "0x0003
0x1af4"
eq pci/con0/msix/enabled 1
scenario_login
scenario_named_port
scenario_hotplug
scenario_resize
scenario_large_file
scenario_back_pressure
scenario_counters
[ "$(cat "$M/pci/con0/msix/1/sent")" -gt 0 ] || fail "no interrupt of vector 1 was sent"
guest_stop
wait_for 10 is_value pci/con0/client "" || fail "QEMU has ended and is still the client"

# Linux masks a vector while it moves it to another processor.
boot -smp 2
move_interrupts
scenario_large_file
guest 'kill $(cat /tmp/mover); cat /tmp/moves /tmp/refused'
[ "${out%%[!0-9]*}" -ge 10 ] || fail "interrupts have been moved $out times"
say "interrupts were moved ${out%%[!0-9]*} times"
guest_stop

# Without MSI-X the driver shares one line for all.
pc_cmdline=pci=nomsi
boot
eq pci/con0/msix/enabled 0
guest 'grep -c "IO-APIC.*virtio" /proc/interrupts'
same "lines of the console" "$out" 1
scenario_named_port
scenario_back_pressure
[ "$(cat "$M/pci/con0/intx/sent")" -gt 0 ] || fail "no INTx was sent"
guest_stop
[ -z "$(value errors)" ] || fail "errors has lines: $(value errors)"
