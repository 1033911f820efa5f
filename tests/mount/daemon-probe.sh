#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# --probe reports what this machine has, as people and scripts can read it, leaves nothing behind, and agrees with
# a mount.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/probe-lib.sh"

# lasting: modules and mounts, which must be the same afterwards.
lasting() {
    grep -E '^(fuse|kvm|iommufd|vfio)' /proc/modules 2>/dev/null | cut -d' ' -f1
    grep virtdevfs-probe /proc/self/mounts
}

before=$(lasting)
probe plain
same "modules and mounts afterwards" "$(lasting)" "$before"
has plain fuse device "$(can /dev/fuse fuse)"
has plain kvm device "$(can /dev/kvm kvm)"
has plain iommufd device "$(can /dev/iommu iommu)"
for engine in io_uring libaio; do
    answer=$("$IO" has "$([ $engine = libaio ] && echo aio || echo $engine)")
    if [ "$answer" = ok ]; then
        has plain engine $engine yes
    else
        has plain engine $engine no "$answer"
    fi
done
same "engines that are chosen" "$(grep -c 'chosen=yes' "$T/plain")" 1
version=$("$VDF_BIN" --version | sed -n 's/^libfuse //p')
has plain fuse libfuse yes "version=$version"
for device in /sys/bus/pci/devices/*; do
    case $(cat "$device/class" 2>/dev/null) in
    '' | 0x06*) continue ;;
    esac
    id=$(cut -c3- "$device/vendor"):$(cut -c3- "$device/device")
    line plain vfio "${device##*/}" | grep -q "id=$id " || fail "vfio: ${device##*/} is not $id"
done

# The facts about FUSE hold for a mount.
mount_fs
mapped=$("$IO" mmap-load gait/gait0/table 0 4)
if [ "$mapped" = 00000000 ]; then
    has plain fuse passthrough yes
else
    has plain fuse passthrough no
fi
same "the daemon's engine" "$(line plain engine io_uring | grep -o 'chosen=[a-z]*')" \
    "chosen=$([ "$("$IO" has io_uring)" = ok ] && echo yes || echo no)"
if [ "$(can /dev/kvm kvm)" = yes ] && mkdir "$M/vm/probe" 2>/dev/null; then
    has plain kvm vm yes
    rmdir "$M/vm/probe"
else
    has plain kvm vm no
fi
umount_fs
