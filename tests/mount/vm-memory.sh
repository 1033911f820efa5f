#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The memory of a virtual machine is the same for files, mappings and the guest.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/vm-common"

mount_fs
need_kvm

machine d user ring
[ "$("$IO" mmap-load vm/d/memory 0 4)" != ENODEV ] || skip "files cannot be mapped here"
put vm/d/run 1
first=$("$IO" mmap-load vm/d/memory 0x100 8)
mapped_moves() { [ "$("$IO" mmap-load vm/d/memory 0x100 8)" != "$first" ]; }
wait_for 10 mapped_moves || fail "a mapping does not show the guest's stores"
same "a store through a mapping" "$("$IO" mmap-store vm/d/memory 0x108 01)" ok
ends d 3
rmdir "$M/vm/d" || fail "rmdir vm/d"
