#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Devices of intx/ as PCI functions of a Linux guest: drivers in user space handle their interrupts, through
# uio_pci_generic and through vfio-pci. The kernel's handlers mask the device at each interrupt. None is lost and
# none comes twice, while another device of the same line asserts too. A device that is never quiesced storms, until
# it no longer asserts.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/scenario.sh"

rounds=1000

get_guest qemu
guest_program "$(dirname "$VDF_BIN")/tests/pciguest"
mount_fs
vm_prepare

# function NAME: pci/NAME is intx/bus0/devices/NAME, with a base address register of memory. Both devices are on
# line 5 of the host.
function_of() {
    mkdir "$M/intx/bus0/devices/$1" "$M/pci/$1" "$M/pci/$1/bars/0" || fail "mkdir pci/$1"
    put "intx/bus0/devices/$1/line" 5
    put "intx/bus0/devices/$1/enabled" 1
    put "pci/$1/bars/0/device" memory
    put "pci/$1/function" "intx/bus0/devices/$1"
    put "pci/$1/vfio_user" "$T/$1.sock"
}
function_of nic
function_of disk
d=intx/bus0/devices

# bind DRIVER ADDRESS
bind() {
    guest "echo $1 >/sys/bus/pci/devices/$2/driver_override && echo $2 >/sys/bus/pci/drivers_probe &&
        test -e /sys/bus/pci/drivers/$1/$2"
}

# drive HOW WHAT: start the program for nic in the guest.
drive() {
    guest "rm -f /tmp/said; (pciguest $1 0000:00:02.0 $2 >/tmp/said 2>&1 &)"
    guest_wait 'grep -q . /tmp/said'
    guest 'cat /tmp/said'
    same "the driver" "$out" ready
}

# reads_as PATH VALUE: no process is started, as this is done thousands of times.
reads_as() {
    read -r now <"$M/$1" && [ "$now" = "$2" ]
}

becomes() {
    tries=0
    until reads_as "$1" "$2"; do
        tries=$((tries + 1))
        [ $tries -lt 1000 ] || sleep 0.01
        [ $tries -lt 4000 ] || fail "$1 is $now and not $2, in round ${round:-0}"
    done
}

# interrupt HOW: $rounds interrupts, each after the guest has handled the one before.
interrupt() {
    sent=$(cat "$M/pci/nic/intx/sent")
    raised=$(cat "$M/$d/nic/interrupts")
    drive "$1" $rounds
    round=0
    while [ $round -lt $rounds ]; do
        round=$((round + 1))
        echo 1 >"$M/$d/nic/assert"
        # The handler masks, then the device is quiesced, then the program unmasks.
        becomes $d/nic/guest_mask 1
        echo 0 >"$M/$d/nic/assert"
        becomes $d/nic/guest_mask 0
    done
    guest_wait 'test $(wc -l </tmp/said) = 2'
    guest 'tail -n 1 /tmp/said'
    same "interrupts that $1 has handled" "$out" $rounds
    same "interrupts that the device has raised" $(($(cat "$M/$d/nic/interrupts") - raised)) $rounds
    same "interrupts that the client was signalled" $(($(cat "$M/pci/nic/intx/sent") - sent)) $rounds
    eq $d/nic/masked 0
    eq pci/nic/intx/level 0
}

# storm HOW: interrupts until the device no longer asserts. vfio-pci repeats the interrupt by itself where the
# device still asserts at the unmask, so only uio_pci_generic lets the device interrupt each time.
storm() {
    drive "$1" storm
    sent=$(cat "$M/pci/nic/intx/sent")
    put $d/nic/assert 1
    guest_wait 'grep -q storm /tmp/said'
    put $d/nic/assert 0
    guest_wait 'test $(wc -l </tmp/said) = 3'
    guest 'tail -n 1 /tmp/said'
    sent=$(($(cat "$M/pci/nic/intx/sent") - sent))
    say "a storm of $sent interrupts, $out in the guest of $1"
    [ "$out" -ge 100 ] || fail "the guest has counted $out interrupts of the storm"
    [ "$1" = vfio ] || [ $sent -ge 100 ] || fail "the client was signalled $sent times"
    # It has stopped.
    sent=$(cat "$M/pci/nic/intx/sent")
    guest true
    eq pci/nic/intx/sent "$sent"
    eq pci/nic/intx/level 0
}

# Slots 2 and 6 share an interrupt of the guest.
boot() {
    qemu_start "$guest_mib" "$@" -device "$(vfu_device "$T/nic.sock" 2)" \
        -device "$(vfu_device "$T/disk.sock" 6)"
    guest_dial
    guest_login
}

boot
guest 'for m in uio uio_pci_generic; do insmod /modules/$m.ko || exit 1; done'
bind uio_pci_generic 0000:00:02.0
interrupt uio
storm uio

# Another device of the line, here and in the guest.
bind uio_pci_generic 0000:00:06.0
guest 'cat /sys/bus/pci/devices/0000:00:02.0/irq /sys/bus/pci/devices/0000:00:06.0/irq | uniq | wc -l'
same "lines of both devices in the guest" "$out" 1
put $d/disk/assert 1
becomes $d/disk/guest_mask 1
interrupt uio
eq $d/disk/assert 1
eq $d/disk/guest_mask 1
put $d/disk/assert 0
guest_stop
same "what the kernel says" "$(grep -c 'nobody cared' "$kernel_log")" 0

# vfio-pci needs an IOMMU: Debian's kernel has no mode without one.
pc_machine=,kernel-irqchip=split
pc_cmdline=intel_iommu=on
boot -device intel-iommu,caching-mode=on,intremap=on
guest 'for m in irqbypass vfio vfio_iommu_type1 vfio-pci-core vfio-pci; do
    insmod /modules/$m.ko || exit 1
done'
bind vfio-pci 0000:00:02.0
interrupt vfio
storm vfio
guest_stop
[ -z "$(value errors)" ] || fail "errors has lines: $(value errors)"
