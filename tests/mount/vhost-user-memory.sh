#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A vhost-user front end with wrong descriptors, memory regions and places of rings, and with memory that it takes
# away while rings run.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/vhost-lib.sh"
. "$(dirname "$0")/vhost-hostile-lib.sh"

given=negotiate
# Descriptors that are not what they should be: to read or write them could make the daemon wait.
for kind in pipe file memfd; do
    bad EINVAL "kick descriptor is no eventfd" raw 12 1 0000000000000000 1 $kind
    bad EINVAL "call descriptor is no eventfd" raw 13 1 0000000000000000 1 $kind
    bad EINVAL "error descriptor is no eventfd" raw 14 1 0000000000000000 1 $kind
    bad EINVAL "is no socket" raw 21 1 - 1 $kind
done
bad EPROTO "0 descriptors came along, 1" raw 12 1 0000000000000000
bad EPROTO "1 descriptors came along, 0" raw 13 1 0001000000000000 1
bad EINVAL "bit 8" raw 12 1 0002000000000000 1
bad EPROTO "0 descriptors: one socket" raw 21 1 -

# Memory: size GUEST SIZE USER OFFSET, little-endian.
region() {
    printf '%016x%016x%016x%016x' "$@" | sed 's/\(..\)\(..\)\(..\)\(..\)\(..\)\(..\)\(..\)\(..\)/\8\7\6\5\4\3\2\1/g'
}
one=0100000000000000
two=0200000000000000
bad EACCES "cannot be mapped" memory 1 readonly
bad EINVAL "must lie within the file" memory 1 short
bad EPROTO "1 regions with 0 descriptors" raw 5 1 "$one$(region 0 4096 0 0)"
bad EPROTO "9 regions" raw 5 1 0900000000000000 8 memfd
bad EPROTO "1 regions in a message of 8" raw 5 1 $one 1 memfd
bad EINVAL "empty, or beyond" raw 5 1 "$one$(region 0 0 0 0)" 1 memfd
bad EINVAL "empty, or beyond" raw 5 1 "$one$(region -4096 8192 0 0)" 1 memfd
bad EINVAL "empty, or beyond" raw 5 1 "$one$(region 0 8192 -4096 0)" 1 memfd
bad EINVAL "must lie within the file" raw 5 1 "$one$(region 0 4096 0 -4096)" 1 memfd
bad EINVAL "must lie within the file" raw 5 1 "$one$(region 0 8192 0 1044480)" 1 memfd
bad EINVAL "not a file that can be mapped" raw 5 1 "$one$(region 0 4096 0 0)" 1 file
bad EINVAL "overlaps" raw 5 1 "$two$(region 0 8192 0 0)$(region 4096 4096 65536 0)" 2 memfd
bad EINVAL "overlaps" raw 5 1 "$two$(region 0 8192 0 0)$(region 65536 4096 4096 0)" 2 memfd
bad ENOENT "no region" raw 38 1 "0000000000000000$(region 0 4096 0 0)"
bad EPROTO "one is needed" raw 37 1 "0000000000000000$(region 0 4096 0 0)"

# Rings: places, and changes while they run.
given="negotiate memory"
bad EFAULT "not all are in the front end's memory" start_at 0 0
bad EFAULT "not wholly in one region" start_at 0 0x7000ffffc0
bad EINVAL "misaligned" start_at 0 0x7000000008
given="negotiate memory rings"
bad EBUSY "ring 0 is running" raw 8 1 0000000040000000
bad EBUSY "ring 0 is running" raw 10 1 0000000000000000
bad EBUSY "while ring 0 is running" raw 2 1 0000004001000000
bad EFAULT "not all are in the front end's memory" raw 5 1 "$one$(region 0 4096 0 0)" 1 memfd
bad EFAULT "not all are in the front end's memory" raw 5 1 0000000000000000

# Memory that is taken away under the rings.
attach
vhe ok cut
vhe closed tell DEVICE_READY 0xffffffff 1
reported EFAULT "has cut a file"
vhe ok close

no_descriptor_is_left
