#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The memory of a console is a file of bytes, which keeps the device while it is open.
. "$(dirname "$0")/lib.sh"

mount_fs
c=console/con0

put $c/driver none
put $c/memory_size 4194304

# Memory is a file of bytes.
same "a store" "$("$IO" pwrite $c/memory 0x1234 c0ffee)" ok
same "a load" "$("$IO" pread $c/memory 0x1233 5)" 00c0ffee00
case $("$IO" pwrite $c/memory 4194304 00) in
EFBIG | EPERM) ;; # the latter where the kernel writes to the memory by itself
*) fail "a store past the end was taken" ;;
esac
stored=$("$IO" mmap-store $c/memory 0x2000 0011223344556677)
case $stored in
ok) same "a store through a mapping" "$("$IO" pread $c/memory 0x2000 8)" 0011223344556677 ;;
ENODEV) ;;
*) fail "a mapping answered $stored" ;;
esac
# An open memory file keeps the device and its size.
exec 7<"$M/$c/memory"
refuse EBUSY $c/memory_size 8388608
rmdir "$M/$c" 2>/dev/null && fail "a device with open memory went"
exec 7<&-
size_taken() {
    [ "$("$IO" write "$c/memory_size" 8388608)" = ok ]
}
wait_for 10 size_taken || fail "the size cannot be changed after the close"
eq $c/memory_size 8388608
same "memory of another size is empty" "$("$IO" pread $c/memory 0x1234 3)" 000000
