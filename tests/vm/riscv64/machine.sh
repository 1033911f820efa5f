#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The machine has what its other scenarios need, and the daemon that was built for it works.
. "$(dirname "$0")/common"

same "the processor" "$(uname -m)" riscv64
for device in fuse kvm; do
    [ -c "/dev/$device" ] || fail "there is no /dev/$device"
done
dmesg | grep -q 'kvm.*AIA available' || fail "KVM has no AIA: $(dmesg | grep kvm)"

# One device of each kind, with both engines, as in the manual.
for VDF_ENGINE in io_uring libaio; do
    mount_fs
    eq engine/kind $VDF_ENGINE
    for device in aplic/aplic0 console/con0 gait/gait0 hwqueue/smmu0 intx/bus0; do
        [ -d "$M/$device" ] || fail "there is no $device"
    done
    D=aplic/aplic0
    put $D/domaincfg 0x100
    put $D/sourcecfg/5 6
    put $D/target/5 7
    put $D/setienum 5
    put $D/wire/5 1
    same "the message" "$("$IO" read $D/msi)" "hart=0 guest=0 eiid=7 delivered"
    eq $D/imsic/0/pending 7
    cp "$M/state" "$T/state"
    umount_fs
done
mount_fs -o "state=$T/state"
eq aplic/aplic0/imsic/0/pending 7
umount_fs
