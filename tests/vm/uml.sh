#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# User-Mode Linux, a kernel that runs as an ordinary process, drives the console by the vhost-user protocol.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/scenario.sh"

get_guest uml
say_size
mount_fs
vm_prepare

boot() {
    guest_start env TMPDIR="$T" "$G/linux" "mem=${guest_mib}M" "initrd=$initrd" \
        "virtio_uml.device=$T/con0.sock:3" con=null con0=null,fd:1 "uml_dir=$T/" umid=guest
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

# It loses its power in the middle of a transfer. Another one finds a device that works, with its ports closed.
guest "dd if=/dev/zero of=$port bs=32k >/dev/null 2>&1 &"
guest_kill
guest_hangup
boot
scenario_named_port
guest_stop
[ -z "$(value errors)" ] || fail "errors has lines: $(value errors)"
