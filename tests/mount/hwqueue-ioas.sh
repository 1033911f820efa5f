#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Memory of a hwqueue device and its mappings, with iommufd's errnos.
. "$(dirname "$0")/lib.sh"

mount_fs
d=hwqueue/smmu0

# An open memory file keeps the device and its size.
exec 3<"$M/$d/memory"
refuse EBUSY $d/memory_size 1048576
rmdir "$M/$d" 2>/dev/null && fail "a device with open memory went"
exec 3<&-
size_taken() {
    [ "$("$IO" write $d/memory_size 1048576)" = ok ]
}
wait_for 10 size_taken || fail "the size cannot be changed after the close"
same "the new size" "$("$IO" pread $d/memory 1048575 2)" 00
put $d/memory_size 2097152

eq $d/ioas/mappings ""
put $d/ioas/map "0x100000 0x10000"
put $d/ioas/map "0x10000 4096 0x1000 ro"
eq $d/ioas/mappings "0x10000 0x1000 0x1000 ro
0x100000 0x10000 0x0"
refuse EEXIST $d/ioas/map "0x10f000 0x1000"
refuse EINVAL $d/ioas/map "0x200100 0x1000"
refuse EINVAL $d/ioas/map "0x200000 0x1100"
refuse EINVAL $d/ioas/map "0x200000 0"
refuse EINVAL $d/ioas/map "0x200000"
refuse EINVAL $d/ioas/map "0x200000 0x1000 0 rw"
refuse EFAULT $d/ioas/map "0x200000 0x1000 0x200000"
refuse EOVERFLOW $d/ioas/map "0xfffffffffffff000 0x2000"
refuse ENOENT $d/ioas/unmap "0x300000 0x1000"
refuse ENOENT $d/ioas/unmap "0x100000 0x1000"
refuse EINVAL $d/ioas/unmap "0x100000 0"
put $d/ioas/unmap "0x10000 0x1000"
eq $d/ioas/mappings "0x100000 0x10000 0x0"
eq $d/memory_size 2097152
refuse EBUSY $d/memory_size 4096
same "reading the file for writing" "$("$IO" read $d/ioas/map)" EACCES
