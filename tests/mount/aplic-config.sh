#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# APLIC: the device that mkdir makes, its attributes and their limits before init, and init itself.
#
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

mount_fs

# The device of a plain mount is ready.
eq aplic/aplic0/backend soft
eq aplic/aplic0/delivery msi
eq aplic/aplic0/harts 2
eq aplic/aplic0/aia/srcs 96
eq aplic/aplic0/aia/ids 255
eq aplic/aplic0/domaincfg 0x80000004
eq aplic/aplic0/imsic/1/eidelivery 0x0000000000000000
refuse EBUSY aplic/aplic0/init 1

# A new device is as KVM_CREATE_DEVICE makes it.
D=aplic/a
mkdir "$M/$D" || fail "mkdir $D"
same "mkdir again" "$(mkdir "$M/$D" 2>&1 | grep -c 'File exists')" 1
eq $D/backend soft
eq $D/delivery msi
eq $D/harts 1
eq $D/aia/mode 2
eq $D/aia/ids 255
eq $D/aia/srcs 0
eq $D/aia/group_bits 0
eq $D/aia/group_shift 24
eq $D/aia/hart_bits 0
eq $D/aia/guest_bits 0
eq $D/addr/aplic 0xffffffffffffffff
eq $D/addr/imsic/0 0xffffffffffffffff
for file in domaincfg sourcecfg target setip setie pending enabled genmsi imsic idc addr/imsic/1; do
    absent $D/$file
done
same "wires" "$(find "$M/$D/wire" -type f | wc -l)" 1023
same "a read of init" "$("$IO" pread $D/init 0 1)" EACCES
same "regs before init" "$("$IO" pread $D/regs 0 4)" ENODEV
same "regs before init" "$("$IO" pwrite $D/regs 0 00010000)" ENODEV
same "size of regs before init" "$(stat -c %s "$M/$D/regs")" 0
# The only files that tar cannot read are write-only.
tar -C "$M/aplic" -cf "$T/a.tar" a 2>"$T/tar"
same "refusals of tar" "$(sed -n 's/: Cannot open: Permission denied$//p' "$T/tar" | sort)" "tar: a/init
tar: a/signal_msi"
same "other messages of tar" "$(grep -cv -e 'Permission denied' -e 'Exiting' "$T/tar")" 0
refuse EBUSY $D/wire/1 1
refuse EBUSY $D/signal_msi '0x28000000 5'

# Limits.
# tests/vm/riscv64 tests the backend kvm on hosts that have it.
[ "$(uname -m)" = riscv64 ] || refuse ENODEV $D/backend kvm
refuse EINVAL $D/backend other
put $D/backend soft
refuse EINVAL $D/delivery both
put $D/delivery direct
put $D/delivery msi
refuse EINVAL $D/aia/mode 3
refuse ERANGE $D/aia/mode 0x100000000
refuse EINVAL $D/aia/mode auto
for mode in 0 1 2; do
    put $D/aia/mode $mode
    eq $D/aia/mode $mode
done
for ids in 0 62 64 100 256 319 2047 2048; do
    refuse EINVAL $D/aia/ids $ids
done
for ids in 63 127 191 255; do
    put $D/aia/ids $ids
    eq $D/aia/ids $ids
done
refuse EINVAL $D/aia/srcs 256
refuse EINVAL $D/aia/srcs 1023
put $D/aia/srcs 255
refuse EINVAL $D/aia/group_bits 8
put $D/aia/group_bits 7
refuse EINVAL $D/aia/group_shift 23
refuse EINVAL $D/aia/group_shift 56
put $D/aia/group_shift 55
refuse EINVAL $D/aia/hart_bits 16
put $D/aia/hart_bits 15
refuse EINVAL $D/aia/guest_bits 8
put $D/aia/guest_bits 7
refuse EINVAL $D/addr/aplic 0xd000800
refuse ERANGE $D/addr/aplic 0x10000000000000000
put $D/addr/aplic 0xd000000
eq $D/addr/aplic 0x000000000d000000
refuse EINVAL $D/addr/imsic/0 0x28000001
put $D/addr/imsic/0 671088640
eq $D/addr/imsic/0 0x0000000028000000
refuse EINVAL $D/harts 16385
put $D/harts 3
eq $D/addr/imsic/0 0x0000000028000000
eq $D/addr/imsic/2 0xffffffffffffffff
put $D/harts 0
absent $D/addr/imsic

# Refusals of init, which succeeds when the mistake is corrected.
D=aplic/b
mkdir "$M/$D" || fail "mkdir $D"
put $D/harts 2
put $D/aia/srcs 64
put $D/aia/ids 63
put $D/addr/aplic 0xd000000
put $D/addr/imsic/0 0x28000000
put $D/addr/imsic/1 0x28001000
refuse EINVAL $D/init 0
put $D/aia/ids 127
refuse EINVAL $D/init 0
put $D/aia/hart_bits 1
put $D/init 0
for file in domaincfg sourcecfg/64 target/1 setip/2 in_clrip/2 setie/2 clrie/2 imsic/1/eip/2; do
    [ -e "$M/$D/$file" ] || fail "$file is missing after init"
done
for file in sourcecfg/0 sourcecfg/65 target/65 setip/3 imsic/2 imsic/0/eip/1 imsic/0/eip/4 idc; do
    absent $D/$file
done
refuse EBUSY $D/init 0
refuse EBUSY $D/aia/mode 0
refuse EBUSY $D/aia/ids 1
refuse EBUSY $D/addr/aplic 0x1
refuse EBUSY $D/addr/imsic/1 0x28001000
refuse EBUSY $D/harts 2
refuse EBUSY $D/delivery msi
refuse EBUSY $D/backend kvm
eq $D/addr/imsic/1 0x0000000028001000

# A missing address.
D=aplic/c
mkdir "$M/$D" || fail "mkdir $D"
refuse EINVAL $D/init 1
put $D/addr/imsic/0 0x28000000
put $D/aia/srcs 1
refuse EINVAL $D/init 1
put $D/aia/srcs 0
put $D/init 1

# Without sources there is no APLIC, only the interrupt files.
same "regs without sources" "$("$IO" pread $D/regs 0 4)" ENODEV
refuse ENODEV $D/wire/1 1
eq $D/imsic/0/pending ""
put $D/signal_msi '0x28000000 3'
eq $D/imsic/0/pending 3

for name in a b c; do
    rmdir "$M/aplic/$name" || fail "rmdir aplic/$name"
done
