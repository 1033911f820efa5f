#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A PCI function by hand, as a client meets it: identity, configuration space, windows of devices and memory.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/vfu-lib.sh"

mount_fs
f=pci/nic
mkdir "$M/$f" "$M/$f/bars/0" "$M/$f/bars/2" "$M/$f/bars/4" || fail "mkdir"
put $f/vendor 0x1234
put $f/device 0x11e8
put $f/class 0x020000
put $f/revision 3
put $f/bars/0/device console/con0
put $f/bars/2/kind mem64
put $f/bars/2/size 8192
put $f/bars/2/device memory
put $f/bars/4/device aplic/aplic0
same "a mark" "$("$IO" pwrite $f/bars/2/memory 0x1ff8 0123456789abcdef)" ok

# Paths where no socket can be.
refuse EINVAL $f/vfio_user relative
refuse ENOENT $f/vfio_user "$T/none/socket"
touch "$T/file"
refuse EEXIST $f/vfio_user "$T/file"
eq $f/vfio_user ""
put $f/vfio_user "$S"
served "$S" || fail "there is no socket of mode 600"
eq $f/client ""
eq $f/dma ""

# While it is served, the shape stays.
for row in vendor device class express msix/vectors bars/0/kind bars/2/size; do
    case $row in
    */kind) refuse EBUSY $f/$row mem64 ;;
    */size) refuse EBUSY $f/$row 4096 ;;
    express) refuse EBUSY $f/$row 1 ;;
    *) refuse EBUSY $f/$row 5 ;;
    esac
done
refuse EBUSY $f/function console/con0
refuse EBUSY $f/bars/4/device memory
same "rmdir of a register" "$(rmdir "$M/$f/bars/4" 2>&1 | grep -c busy)" 1
refuse EBUSY $f/vfio_user "$S2"

client
vfe ok connect "$S"
# Before VERSION there is nothing.
vfe EINVAL info
vfe '0 * {*"max_data_xfer_size":*}' version "$vfu_version"
vfe EINVAL version "$vfu_version"
case $(cat "$M/$f/client") in
"pid=$client_pid uid=$(id -u) "*vfuio) ;;
*) fail "the client is $(cat "$M/$f/client"), not process $client_pid" ;;
esac

vfe "0x3 9 5" info
vfe "0x1000 rw" region 0
vfe "0x0 -" region 1
vfe "0x2000 rwm" region 2
vfe "0x0 -" region 3
vfe "0x4000 rw" region 4
vfe "0x0 -" region 6
vfe "0x100 rw" region 7
vfe "0x0 -" region 8
vfe EINVAL region 9
vfe "1 *e*m*a*" irq 0
for n in 1 2 4; do
    vfe "0 -" irq $n
done
vfe "1 e" irq 3
vfe EINVAL irq 5

# The configuration space, as an operating system finds its way through it.
vfe 0x11e81234 read 7 0 4
vfe 0x02000003 read 7 8 4
vfe 0x00 read 7 0x0e 1
vfe 0x00 read 7 0x34 1
vfe 0x0100 read 7 0x3c 2
for bar in "0x10 0xfffff000 0x00000000" "0x14 0x00000000 0x00000000" "0x18 0xffffe004 0x00000004" \
    "0x1c 0xffffffff 0x00000000" "0x20 0xffffc000 0x00000000" "0x24 0x00000000 0x00000000" \
    "0x30 0x00000000 0x00000000"; do
    # shellcheck disable=SC2086
    set -- $bar
    vfe ok write 7 "$1" 4 0xffffffff
    vfe "$2" read 7 "$1" 4
    vfe ok write 7 "$1" 4 0
    vfe "$3" read 7 "$1" 4
done
vfe ok write 7 4 2 0x0007
vfe 0x0007 read 7 4 2
same "the command in the file" "$("$IO" pread $f/config 4 2)" 0700
vfe ok write 7 0 4 0
vfe 0x11e81234 read 7 0 4
vfe EINVAL read 7 0xfe 4
vfe EINVAL read 7 0xffffffffffffffff 4
same "bytes of the whole space" "$(vf read 7 0 256 | wc -c)" 513

# Windows that trap: the console's registers, of which only words exist, and those of an APLIC.
vfe 0x74726976 read 0 0 4
vfe 0x00000002 read 0 4 4
vfe EOPNOTSUPP read 0 0 12
vfe ok write 4 4 4 6
eq aplic/aplic0/sourcecfg/1 0x00000006
vfe ENODEV write 4 0x1bdc 4 3
vfe ok write 0 0x70 4 1
eq console/con0/status 0x01
vfe EINVAL read 1 0 4
vfe EINVAL read 3 0 1
vfe EINVAL write 0 0x1000 4 0
vfe EINVAL write 9 0 4 0
vfe "no descriptor" mmap 0

# Memory: the same bytes by message, in the mapping and in the file.
eq $f/bars/2/mapped 1
eq $f/bars/0/mapped 0
vfe 0xefcdab8967452301 read 2 0x1ff8 8
vfe ok mmap 2
vfe 0xefcdab8967452301 load 2 0x1ff8 8
vfe ok store 2 0x1000 4 0xcafe
same "a store" "$("$IO" pread $f/bars/2/memory 0x1000 4)" feca0000
vfe 0x0000cafe read 2 0x1000 4
vfe ok write 2 3 4 0x11223344
vfe 0x11 load 2 6 1
vfe ok put 2 0 "$(printf %08192d 0)"
vfe 0x00 load 2 6 1
vfe 2 multi 2 0x20 4 0x01020304 0x05060708
vfe 0x0506070801020304 load 2 0x20 8
vfe ok post 2 0x20 4 0xffffffff
vfe 0xffffffff read 2 0x20 4

# A reset clears the registers of the header; memory and identity stay.
vfe ok reset
vfe 0x0000 read 7 4 2
vfe 0x11e81234 read 7 0 4
vfe 0xffffffff read 2 0x20 4
eq console/con0/status 0x00

# The end of service.
put $f/vfio_user ""
vfe closed info
[ ! -e "$S" ] || fail "the socket is still there"
put $f/device 1
put $f/express 1
put $f/vfio_user "$S"
attach
vfe "0x1000 rw" region 7
vfe 0x00011234 read 7 0 4
rmdir "$M/$f" || fail "rmdir of a function that is served"
vfe closed info
[ ! -e "$S" ] || fail "the socket is still there after rmdir"
