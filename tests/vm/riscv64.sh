#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A riscv64 machine of QEMU whose processor has the H extension and the AIA, with a kernel of Debian that has
# KVM: the daemon, built for it, runs inside.
#
#   tests/vm/riscv64.sh              all scenarios, riscv64/*.sh, one after the other in one machine
#   tests/vm/riscv64.sh NAME...      these, by name or path; any script will do, tests/mount/aplic-msi.sh too
#   tests/vm/riscv64.sh --mount      all scripts of tests/mount
#   tests/vm/riscv64.sh --shell      a shell for a person, in a mounted tree; `exit` ends the machine
#   tests/vm/riscv64-noaia.sh        the same with a processor that has H but no AIA, and riscv64-noaia/*.sh
#
# To add a scenario put an executable script into riscv64/. It begins with
#
#     . "$(dirname "$0")/common"
#
# and goes on as those of testkernel/ do, see testkernel.sh. The machine offers:
#   - the host's checkout, read-only, at the same place; build/riscv64 lies in it and is up to date
#   - VDF_BIN, VDF_IO, VDF_NORING, VDF_ENGINE, VDF_SLOW
#   - bash, dash, GNU coreutils and what tools/setup-guests lists; busybox for all else; $TMPDIR in memory
#   - /dev/kvm with the AIA, /dev/fuse; one processor, 512 MiB
#
#   VDF_QEMU     more options for QEMU
#   VDF_VM_FULL  is handed on to the scripts
vdf_root=$(cd "$(dirname "$0")/../.." && pwd)
VDF_BIN=$vdf_root/build/riscv64/virtdevfs
VDF_IO=$vdf_root/build/riscv64/tests/vdfio
VDF_LIMIT=${VDF_LIMIT:-2400}
VDF_SLOW=1
vdf_mounts_nothing=1
# A person may take longer.
[ "${1:-}" != --shell ] || vdf_limited=1
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/machine.sh"

find_guest riscv64
for tool in cmake clang riscv64-linux-gnu-ld; do
    command -v $tool >/dev/null || skip "$tool is missing: tools/setup --packages-only tests installs it"
done
(cd "$vdf_root" && cmake --preset riscv64 && cmake --build --preset riscv64 -j "$(nproc)") >"$T/build" 2>&1 || {
    tail -n 40 "$T/build" >&2
    fail "it does not build for riscv64"
}

# Page tables of three levels: each access that QEMU emulates walks them.
processor=rv64,h=true,sv48=false,sv57=false
case $vdf_script in
*-noaia.sh) machine=virt ;;
*)
    machine=virt,aia=aplic-imsic,aia-guests=1
    processor=$processor,smaia=true,ssaia=true
    ;;
esac
machine_begin "$vdf_root/tests/vm/${vdf_script%.sh}" "$@"
jobs=1
machine_initrd "$found/busybox" && cat "$found/base.cpio" "$T/cpio" >"$T/root.cpio" ||
    fail "the initrd cannot be made"
# shellcheck disable=SC2086
machine_run "$found/qemu" -accel tcg -M "$machine" -cpu "$processor" -smp 1 -m 512 -bios default \
    -nodefaults -no-user-config -display none -no-reboot -serial mon:stdio \
    -virtfs "local,path=$vdf_root,mount_tag=checkout,security_model=none,readonly=on,multidevs=remap" \
    -virtfs "local,path=$out_folder,mount_tag=out,security_model=none" \
    -kernel "$found/linux" -initrd "$T/root.cpio" ${VDF_QEMU:-} \
    -append "console=ttyS0 quiet panic=-1 oops=panic vdf.riscv64 vdf.checkout=$vdf_root"
