#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# --probe on a host that has nearly everything: a mock IOMMU with vIOMMUs and queues, FUSE's fast paths, KVM,
# and a PCI device before and after it is bound to vfio-pci.
. "$(dirname "$0")/common"
. "$vdf_root/tests/mount/probe-lib.sh"

device=0000:00:04.0
sysfs=/sys/bus/pci/devices/$device
restore() {
    echo >$sysfs/driver_override
    [ -e $sysfs/driver ] && echo $device >$sysfs/driver/unbind
    echo N >/sys/module/fuse/parameters/enable_uring
    [ "$enable_uring" = N ] || echo Y >/sys/module/fuse/parameters/enable_uring
}
enable_uring=$(cat /sys/module/fuse/parameters/enable_uring)

probe plain
has plain engine io_uring yes
has plain engine libaio yes
has plain fuse device yes
has plain fuse protocol yes version=7.
has plain fuse passthrough yes
has plain fuse direct_io_mmap yes
has plain kvm device yes api=12
has plain kvm vm yes
has plain aia irqchip no "answers ENODEV on this x86_64 host"
has plain iommufd device yes
has plain iommufd mock yes hw_info=0xfeedbeef
has plain iommufd mock yes "nesting=yes  viommu=selftest  hw_queue=selftest"
has plain vfio vfio-pci yes
has plain vfio cdev yes
has plain vfio $device no "no driver has it  id=1234:11e8"
has plain vfio $device no "cdev=none  intx=yes"

trap 'vdf_status=$?; restore; vdf_cleanup $vdf_status' EXIT

# The parameter decides whether there is FUSE over io_uring.
echo Y >/sys/module/fuse/parameters/enable_uring
probe uring
if line uring fuse io_uring | grep -q libfuse=yes; then
    has uring fuse io_uring yes enable_uring=Y
else
    has uring fuse io_uring no "this libfuse"
fi
echo N >/sys/module/fuse/parameters/enable_uring
probe nouring
has nouring fuse io_uring no "fuse.enable_uring is N"

# A device of VFIO.
echo vfio-pci >$sysfs/driver_override
echo $device >/sys/bus/pci/drivers_probe
cdev=$(ls $sysfs/vfio-dev)
probe bound
has bound vfio $device yes "id=1234:11e8  driver=vfio-pci  cdev=$cdev  intx=yes"
has bound iommufd $device yes "Intel VT-d  hw_info=0x1"

# Nothing was left that would keep it from being used.
probe again
has again iommufd $device yes "hw_info=0x1"
same "mock devices that are left" \
    "$(find /sys/bus/iommufd_mock/devices -mindepth 1 2>/dev/null)" ""
