#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# On a host whose KVM has no AIA the backend is refused with the reason, and the device does not change.
. "$(dirname "$0")/common"
. "$vdf_root/tests/mount/probe-lib.sh"

same "the processor" "$(uname -m)" riscv64
[ -c /dev/kvm ] || fail "there is no /dev/kvm"

probe plain
has plain kvm device yes
has plain aia irqchip no

mount_fs
mkdir "$M/aplic/a" || fail "mkdir aplic/a"
put aplic/a/aia/srcs 5
refuse ENODEV aplic/a/backend kvm
tail -n 1 "$M/errors" | grep -q 'has no RISC-V AIA' || fail "the reason is $(tail -n 1 "$M/errors")"
eq aplic/a/backend soft
eq aplic/a/aia/srcs 5
put aplic/a/addr/aplic 0xd000000
put aplic/a/addr/imsic/0 0x28000000
put aplic/a/init 1
eq aplic/a/domaincfg 0x80000004
rmdir "$M/aplic/a" || fail "rmdir aplic/a"
umount_fs
