#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A PC of QEMU with a Debian kernel drives the console through PCI and QEMU's generic vhost-user front end. The
# processor is emulated, so the test needs no /dev/kvm.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/scenario.sh"

get_guest qemu
say_size
mount_fs
vm_prepare

boot() {
    qemu_start "$guest_mib"
    guest_dial
    guest_login
}

boot
scenario_login
scenario_named_port
scenario_hotplug
scenario_resize
scenario_large_file
scenario_back_pressure
scenario_counters
guest_stop
[ -z "$(value errors)" ] || fail "errors has lines: $(value errors)"
