#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The machine has what its other scenarios need, which would be skipped or blame the daemon without it.
. "$(dirname "$0")/common"

for device in fuse kvm iommu vfio/vfio; do
    [ -c "/dev/$device" ] || fail "there is no /dev/$device"
done
for slot in 4 5; do
    same "the device in slot $slot" "$(cat /sys/bus/pci/devices/0000:00:0$slot.0/device)" 0x11e8
    [ -e "/sys/bus/pci/devices/0000:00:0$slot.0/iommu_group" ] || fail "slot $slot has no IOMMU"
done
[ -d /sys/bus/pci/drivers/vfio-pci ] || fail "there is no vfio-pci"
[ -d /sys/kernel/debug/iommufd ] || [ -d /sys/bus/iommufd_mock ] || fail "there is no mock IOMMU"
same "huge pages" "$(sed -n 's/^HugePages_Free: *//p' /proc/meminfo)" 200

# A tree whose requests come through rings, and one through /dev/fuse.
for transport in io_uring dev; do
    mount_fs -o "transport=$transport"
    eq engine/transport $transport
    put aplic/aplic0/domaincfg 0x100
    eq aplic/aplic0/domaincfg 0x80000104
    umount_fs
done
