#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A kernel with what the hosts of these tests lack, in a PC of QEMU whose processor is emulated: iommufd with
# the mock IOMMU of the kernel's selftests, VFIO, KVM, FUSE over io_uring and passthrough.
#
#   tests/vm/testkernel.sh              all scenarios, testkernel/*.sh, one after the other in one machine
#   tests/vm/testkernel.sh NAME...      these, by name or path; any script will do, tests/mount/rules-raw.sh too
#   tests/vm/testkernel.sh --mount      all scripts of tests/mount, three at a time
#   tests/vm/testkernel.sh --shell      a shell for a person, in a mounted tree; `exit` ends the machine
#
# To add a scenario put an executable script into testkernel/. It begins with
#
#     . "$(dirname "$0")/common"
#
# has the helpers of tests/mount/lib.sh then (mount_fs, put, eq, refuse, ...), runs as root, and passes when
# it exits 0, is skipped with 77 (skip REASON) and fails otherwise. VDF_LIMIT, set before `common` is read,
# is its limit in seconds, 80 by default, times VDF_SLOW. What it prints is shown when it fails, and lines
# that begin with "# " always. It has to leave mock devices, bindings and mounts as it has found them: the
# next one runs in the same machine.
#
# The machine offers:
#   - the host's file system as its root, which can be written: that is kept in memory and gone at the end;
#     the checkout and the build are at the same place as on the host. $TMPDIR and /run are in memory.
#   - VDF_BIN, VDF_IO (in lib.sh $IO), VDF_NORING, VDF_GUESTS: the programs that were built on the host
#   - VDF_ENGINE io_uring or libaio; VDF_SLOW, at least 4, by the measured speed of the machine
#   - 2 processors, 2 GiB, of which 200 huge pages of 2 MiB
#   - an Intel IOMMU that remaps interrupts, and two `edu` devices (1234:11e8) with no driver, at
#     0000:00:04.0 and 0000:00:05.0; /dev/vfio, /dev/iommu
#   - iommufd's mock IOMMU, IOMMU_TEST_OP_* on /dev/iommu; debugfs is mounted
#   - /dev/kvm with AMD's SVM, emulated
#   - fuse.enable_uring=1, so that requests come through rings
#
# Lines of the result are TAP. What the scripts and the kernel have said is in build/*/tests/logs/testkernel
# when one has failed.
#
#   VDF_BIN      the daemon; build/release/virtdevfs by default; without sanitizers, which are too slow here
#   VDF_KERNEL   another kernel to boot
#   VDF_QEMU     more options for QEMU
#   VDF_VM_FULL  is handed on to the scripts
vdf_root=$(cd "$(dirname "$0")/../.." && pwd)
VDF_BIN=${VDF_BIN:-$vdf_root/build/release/virtdevfs}
VDF_LIMIT=2400
VDF_SLOW=1
vdf_mounts_nothing=1
# A person may take longer.
[ "${1:-}" != --shell ] || vdf_limited=1
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/machine.sh"

case $(uname -m) in
x86_64) ;;
*) skip "the test kernel is for x86_64" ;;
esac
rings=io_uring
machine_begin "$vdf_root/tests/vm/testkernel" "$@"

find_guest qemu
Q=$found
if [ -z "${VDF_KERNEL:-}" ]; then
    find_guest testkernel
    VDF_KERNEL=$found/linux
fi
for folder in bin sbin usr/bin usr/sbin; do
    mkdir -p "$T/initrd/$folder"
done
cp "$Q/busybox" "$T/initrd/bin/"
machine_initrd "$Q/busybox" && gzip -1 "$T/cpio" || fail "the initrd cannot be made"
# A ring for requests of FUSE is allowed by a parameter only; what comes through 9p is the host's.
# shellcheck disable=SC2086
machine_run "$Q/qemu" -accel tcg,thread=multi,tb-size=512 -cpu max,la57=off -smp 2 -m 2048 \
    -machine q35 -nodefaults -no-user-config -display none -no-reboot -serial mon:stdio \
    -device intel-iommu,intremap=on \
    -device edu,addr=4 -device edu,addr=5 \
    -virtfs local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap \
    -virtfs "local,path=$out_folder,mount_tag=out,security_model=none" \
    -kernel "$VDF_KERNEL" -initrd "$T/cpio.gz" ${VDF_QEMU:-} \
    -append "console=ttyS0 quiet panic=-1 oops=panic fuse.enable_uring=1 hugepages=200 tsc=reliable \
vdf.testkernel"
