/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * iommufd and VFIO's character devices, for backends whose objects are the kernel's. Each function is
 * one command, with its errno and a sentence for `/errors`. The callers decide which object has which
 * owner, and the order in which objects are destroyed.
 *
 *     int iommu, dev;
 *     vdf_iommufd_open(&iommu, err);
 *     vdf_vfio_open("0000:00:03.0", &dev, err);
 *     vdf_vfio_bind(dev, iommu, &dev_id, err);
 *     vdf_iommufd_ioas_alloc(iommu, &ioas, err);
 *     vdf_vfio_attach(dev, ioas, err);
 *
 * Closing the device's descriptor undoes attach and bind; closing the iommufd destroys the rest of
 * its objects, unless something holds them: a vEVENTQ's descriptor, a mapping.
 *
 * Errors that every command can have, beside its own: ENOTTY (the kernel does not know it), E2BIG
 * (it does not know a field), EOPNOTSUPP (a flag or type), EINVAL, ENOENT (no object of this number
 * and kind), ENOMEM. See Documentation/userspace-api/iommufd.rst of Linux.
 */
#ifndef VIRTDEVFS_IOMMUFD_H
#define VIRTDEVFS_IOMMUFD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <virtdevfs/error.h>
#include <virtdevfs/probe.h>

/* Numbers of iommufd's interface. Each kind of object has its own. */
#define VDF_IOMMU_VIOMMU_ARM_SMMUV3 1u
#define VDF_IOMMU_VIOMMU_TEGRA241 2u
#define VDF_IOMMU_HW_QUEUE_TEGRA241 1u
#define VDF_IOMMU_VEVENTQ_ARM_SMMUV3 1u
#define VDF_IOMMU_VEVENTQ_TEGRA241 2u
#define VDF_IOMMU_HW_INFO_DEFAULT 0u
#define VDF_IOMMU_HW_INFO_INTEL_VTD 1u
#define VDF_IOMMU_HW_INFO_ARM_SMMUV3 2u
#define VDF_IOMMU_HW_INFO_TEGRA241 3u
#define VDF_IOMMU_HW_INFO_AMD 4u
#define VDF_IOMMU_HWPT_NONE 0u
#define VDF_IOMMU_HWPT_INTEL_VTD_S1 1u
#define VDF_IOMMU_HWPT_ARM_SMMUV3 2u
#define VDF_IOMMU_HWPT_AMD_GUEST 3u

/* The mock IOMMU of a kernel built with IOMMUFD_TEST. */
#define VDF_IOMMU_VIOMMU_SELFTEST 0xdeadbeefu
#define VDF_IOMMU_HW_QUEUE_SELFTEST 0xdeadbeefu
#define VDF_IOMMU_VEVENTQ_SELFTEST 0xbeefbeefu
#define VDF_IOMMU_HW_INFO_SELFTEST 0xfeedbeefu
#define VDF_IOMMU_HWPT_SELFTEST 0xdeadu

/* Driver data of VDF_IOMMU_VIOMMU_TEGRA241: the arguments of mmap(2) for the VINTF's page 0. */
struct vdf_iommu_viommu_tegra241 {
    uint64_t mmap_offset;
    uint64_t mmap_length;
};

/* Driver data of VDF_IOMMU_VIOMMU_SELFTEST: word 0 of the page, the same again, the page. */
struct vdf_iommu_viommu_selftest {
    uint32_t in_data;
    uint32_t out_data;
    uint64_t mmap_offset;
    uint64_t mmap_length;
};

/* Data of VDF_IOMMU_HWPT_SELFTEST. */
struct vdf_iommu_hwpt_selftest {
    uint32_t iotlb;
    uint32_t pagetable_type;
};

/* Data of VDF_IOMMU_HWPT_ARM_SMMUV3: the first two words of a stream table entry, little-endian. */
struct vdf_iommu_hwpt_arm_smmuv3 {
    uint64_t ste[2];
};

/* Data of VDF_IOMMU_HW_INFO_ARM_SMMUV3: the SMMU's identification registers. */
struct vdf_iommu_hw_info_smmuv3 {
    uint32_t flags;
    uint32_t reserved;
    uint32_t idr[6];
    uint32_t iidr;
    uint32_t aidr;
};

/* Data of VDF_IOMMU_HW_INFO_TEGRA241. */
struct vdf_iommu_hw_info_tegra241 {
    uint32_t flags;
    uint8_t version;
    uint8_t log2vcmdqs;
    uint8_t log2vsids;
    uint8_t reserved;
};

/* Data of VDF_IOMMU_HW_INFO_SELFTEST. */
struct vdf_iommu_hw_info_selftest {
    uint32_t flags;
    uint32_t test_reg;
};

/* Before each event of a vEVENTQ; with the flag no event follows. */
struct vdf_iommu_vevent_header {
    uint32_t flags;
    uint32_t sequence;
};
#define VDF_IOMMU_VEVENT_LOST_EVENTS 1u

/* The host's iommufd and its types of vIOMMU, for `--probe`. */
extern const struct vdf_probe_part vdf_iommufd_probe;

/* --- /dev/iommu ------------------------------------------------------------------------------- */

/**
 * vdf_iommufd_open() - open /dev/iommu.
 * @fd: result, close-on-exec
 *
 * Return: 0, ENODEV where the kernel has no iommufd, or -errno of open(2).
 */
int vdf_iommufd_open(int *fd, struct vdf_err *err);

/** vdf_iommufd_destroy() - IOMMU_DESTROY. EBUSY while another object or a mapping needs it. */
int vdf_iommufd_destroy(int iommu, uint32_t id, struct vdf_err *err);

/** vdf_iommufd_ioas_alloc() - IOMMU_IOAS_ALLOC: an empty address space. */
int vdf_iommufd_ioas_alloc(int iommu, uint32_t *ioas, struct vdf_err *err);

/**
 * vdf_iommufd_map() - IOMMU_IOAS_MAP at a fixed address.
 * @from:     memory of this process, page-aligned; it stays pinned until it is unmapped
 * @iova:     I/O virtual address, aligned as the devices' IOMMUs ask
 * @length:   bytes
 * @writable: devices may write too
 *
 * Return: 0, EEXIST (something is mapped there), EINVAL (alignment, or outside of the attached
 * devices' addresses), EOVERFLOW, EFAULT, ENOMEM (also: RLIMIT_MEMLOCK), negative.
 */
int vdf_iommufd_map(int iommu, uint32_t ioas, void *from, uint64_t iova, uint64_t length,
                    bool writable, struct vdf_err *err);

/**
 * vdf_iommufd_unmap() - IOMMU_IOAS_UNMAP. 0 with UINT64_MAX unmaps everything.
 * @unmapped: result: bytes; NULL: not asked for
 *
 * Return: 0, ENOENT (nothing there, or a part of a mapping), EBUSY (a queue lies in it), EOVERFLOW.
 */
int vdf_iommufd_unmap(int iommu, uint32_t ioas, uint64_t iova, uint64_t length, uint64_t *unmapped,
                      struct vdf_err *err);

/**
 * vdf_iommufd_hwpt_parent() - IOMMU_HWPT_ALLOC of a page table that can be the parent of a nested
 * one.
 * @dev_id: a bound device
 * @ioas:   its mappings are those of the page table
 *
 * Return: 0, EOPNOTSUPP where the IOMMU cannot nest.
 */
int vdf_iommufd_hwpt_parent(int iommu, uint32_t dev_id, uint32_t ioas, uint32_t *hwpt,
                            struct vdf_err *err);

/**
 * vdf_iommufd_hwpt_nested() - IOMMU_HWPT_ALLOC of a guest's page table.
 * @parent: a vIOMMU, or a parent page table
 * @type:   VDF_IOMMU_HWPT_...
 * @data:   @len bytes, as the type has them
 */
int vdf_iommufd_hwpt_nested(int iommu, uint32_t dev_id, uint32_t parent, uint32_t type,
                            const void *data, uint32_t len, uint32_t *hwpt, struct vdf_err *err);

/**
 * vdf_iommufd_viommu_alloc() - IOMMU_VIOMMU_ALLOC.
 * @type: VDF_IOMMU_VIOMMU_...
 * @hwpt: a nesting parent, else EINVAL
 * @data: @len bytes of the type, which the kernel fills in; NULL and 0: none
 */
int vdf_iommufd_viommu_alloc(int iommu, uint32_t type, uint32_t dev_id, uint32_t hwpt, void *data,
                             uint32_t len, uint32_t *viommu, struct vdf_err *err);

/** vdf_iommufd_vdevice_alloc() - IOMMU_VDEVICE_ALLOC: the guest's number of a device. EEXIST when
 *  the number, or the device, has a vDEVICE. */
int vdf_iommufd_vdevice_alloc(int iommu, uint32_t viommu, uint32_t dev_id, uint64_t virt_id,
                              uint32_t *vdevice, struct vdf_err *err);

/**
 * vdf_iommufd_veventq_alloc() - IOMMU_VEVENTQ_ALLOC.
 * @type:  VDF_IOMMU_VEVENTQ_...; one of each type a vIOMMU, else EEXIST
 * @depth: capacity in events, 1 to 2^19
 * @fd:    result: for read(2) and poll(2); close it before the queue is destroyed
 */
int vdf_iommufd_veventq_alloc(int iommu, uint32_t viommu, uint32_t type, uint32_t depth,
                              uint32_t *veventq, int *fd, struct vdf_err *err);

/**
 * vdf_iommufd_hw_queue_alloc() - IOMMU_HW_QUEUE_ALLOC.
 * @type:   VDF_IOMMU_HW_QUEUE_...
 * @index:  number of the queue in its vIOMMU
 * @iova:   its address in the address space of the nesting parent
 * @length: bytes
 *
 * Return: 0, EINVAL (length 0, or an index or geometry that the hardware lacks), EOVERFLOW,
 * ENOENT (not mapped), EFAULT (not contiguous), EIO (an earlier index is missing), EEXIST.
 */
int vdf_iommufd_hw_queue_alloc(int iommu, uint32_t viommu, uint32_t type, uint32_t index,
                               uint64_t iova, uint64_t length, uint32_t *hw_queue,
                               struct vdf_err *err);

/**
 * vdf_iommufd_hw_info() - IOMMU_GET_HW_INFO of a bound device.
 * @type: in: VDF_IOMMU_HW_INFO_DEFAULT, or a type; out: the type of @data
 * @data: @len bytes; bytes behind the kernel's data are zeroed
 * @capabilities: result: bits, 0 dirty tracking; NULL: not asked for
 */
int vdf_iommufd_hw_info(int iommu, uint32_t dev_id, uint32_t *type, void *data, uint32_t len,
                        uint64_t *capabilities, struct vdf_err *err);

/* --- the mock device of the selftests --------------------------------------------------------- */

/**
 * vdf_iommufd_mock_device() - make a device behind the mock IOMMU, attached to @pt.
 * @stdev:  result: the attachment; destroying it destroys the device
 * @dev_id: result: as of a bound device
 *
 * Return: 0, ENOTTY where the kernel was built without IOMMUFD_TEST.
 */
int vdf_iommufd_mock_device(int iommu, uint32_t pt, uint32_t *stdev, uint32_t *dev_id,
                            struct vdf_err *err);

/** vdf_iommufd_mock_replace() - attach the device to another address space or page table. */
int vdf_iommufd_mock_replace(int iommu, uint32_t stdev, uint32_t pt, struct vdf_err *err);

/** vdf_iommufd_mock_vevent() - make the device raise an event. ENOENT while it is attached to no
 *  nested page table of a vIOMMU, or has no vDEVICE. */
int vdf_iommufd_mock_vevent(int iommu, uint32_t dev_id, struct vdf_err *err);

/* --- VFIO devices ----------------------------------------------------------------------------- */

/** vdf_vfio_command() - ioctl(2), repeated after a signal. @name: begins the sentence of a refusal */
int vdf_vfio_command(int device, unsigned long request, void *arg, const char *name,
                     struct vdf_err *err);

/** vdf_vfio_is_address() - is it a PCI address as sysfs writes it, "0000:00:03.0"? */
bool vdf_vfio_is_address(const char *text);

/**
 * vdf_vfio_open() - open the character device of a PCI device that is bound to vfio-pci, with the
 *   rights of the requesting user.
 * @address: "0000:00:03.0"
 * @fd:      result, close-on-exec
 *
 * Return: 0, EINVAL (no address), ENODEV (no such device, another driver has it, or the kernel has
 * no such character devices), or -errno of open(2).
 */
int vdf_vfio_open(const char *address, int *fd, struct vdf_err *err);

/** vdf_vfio_allowed() - may the requesting user open it? 0, or as vdf_vfio_open(). */
int vdf_vfio_allowed(const char *address, struct vdf_err *err);

/** vdf_vfio_bind() - VFIO_DEVICE_BIND_IOMMUFD: before anything else can be done with the device.
 *  EBUSY: the device is open elsewhere.
 * @dev_id: result: its number in the iommufd */
int vdf_vfio_bind(int device, int iommu, uint32_t *dev_id, struct vdf_err *err);

/** vdf_vfio_attach() - VFIO_DEVICE_ATTACH_IOMMUFD_PT: its DMA goes through @pt, an IOAS or a page
 *  table, instead of any before. */
int vdf_vfio_attach(int device, uint32_t pt, struct vdf_err *err);

/** vdf_vfio_detach() - VFIO_DEVICE_DETACH_IOMMUFD_PT: its DMA is blocked. */
int vdf_vfio_detach(int device, struct vdf_err *err);

/**
 * vdf_vfio_set_eventfd() - VFIO_DEVICE_SET_IRQS with one eventfd.
 * @index:  VFIO_PCI_..._IRQ_INDEX
 * @action: VFIO_IRQ_SET_ACTION_...
 * @fd:     -1: no longer one
 * @name:   begins the sentence of a refusal
 */
int vdf_vfio_set_eventfd(int device, uint32_t index, uint32_t action, int fd, const char *name,
                         struct vdf_err *err);

/** vdf_vfio_watch_request() - the kernel writes the eventfd @fd when the device is being unplugged or
 *  its driver unbound; both wait until @device has been closed. */
int vdf_vfio_watch_request(int device, int fd, struct vdf_err *err);

#endif
