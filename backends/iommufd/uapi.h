/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The commands of iommufd, its selftest and VFIO's character devices, which headers of
 * older systems lack. uapi.c compares them with the system's headers.
 *
 * Each structure begins with its size, so that kernels of another version know which fields it has.
 */
#ifndef VDF_IOMMUFD_UAPI_H
#define VDF_IOMMUFD_UAPI_H

#include <stdint.h>
#include <sys/ioctl.h>

#define UAPI_IOMMU(nr) _IO(';', 0x80 + (nr))
#define UAPI_VFIO(nr) _IO(';', 100 + (nr))

#define UAPI_DESTROY UAPI_IOMMU(0x00)
#define UAPI_IOAS_ALLOC UAPI_IOMMU(0x01)
#define UAPI_IOAS_MAP UAPI_IOMMU(0x05)
#define UAPI_IOAS_UNMAP UAPI_IOMMU(0x06)
#define UAPI_HWPT_ALLOC UAPI_IOMMU(0x09)
#define UAPI_GET_HW_INFO UAPI_IOMMU(0x0a)
#define UAPI_VIOMMU_ALLOC UAPI_IOMMU(0x10)
#define UAPI_VDEVICE_ALLOC UAPI_IOMMU(0x11)
#define UAPI_VEVENTQ_ALLOC UAPI_IOMMU(0x13)
#define UAPI_HW_QUEUE_ALLOC UAPI_IOMMU(0x14)
#define UAPI_TEST UAPI_IOMMU(0x20)

#define UAPI_BIND_IOMMUFD UAPI_VFIO(18)
#define UAPI_ATTACH_IOMMUFD_PT UAPI_VFIO(19)
#define UAPI_DETACH_IOMMUFD_PT UAPI_VFIO(20)

/* flags */
#define UAPI_MAP_FIXED_IOVA 1u
#define UAPI_MAP_WRITEABLE 2u
#define UAPI_MAP_READABLE 4u
#define UAPI_HWPT_NEST_PARENT 1u
#define UAPI_HW_INFO_INPUT_TYPE 1u

struct uapi_destroy {
    uint32_t size;
    uint32_t id;
};

struct uapi_ioas_alloc {
    uint32_t size;
    uint32_t flags;
    uint32_t out_ioas_id;
};

struct uapi_ioas_map {
    uint32_t size;
    uint32_t flags;
    uint32_t ioas_id;
    uint32_t reserved;
    uint64_t user_va;
    uint64_t length;
    uint64_t iova;
};

struct uapi_ioas_unmap {
    uint32_t size;
    uint32_t ioas_id;
    uint64_t iova;
    uint64_t length;
};

struct uapi_hwpt_alloc {
    uint32_t size;
    uint32_t flags;
    uint32_t dev_id;
    uint32_t pt_id;
    uint32_t out_hwpt_id;
    uint32_t reserved;
    uint32_t data_type;
    uint32_t data_len;
    uint64_t data_uptr;
    uint32_t fault_id;
    uint32_t reserved2;
};

struct uapi_hw_info {
    uint32_t size;
    uint32_t flags;
    uint32_t dev_id;
    uint32_t data_len;
    uint64_t data_uptr;
    uint32_t data_type; /* in and out */
    uint8_t out_max_pasid_log2;
    uint8_t reserved[3];
    uint64_t out_capabilities;
};

struct uapi_viommu_alloc {
    uint32_t size;
    uint32_t flags;
    uint32_t type;
    uint32_t dev_id;
    uint32_t hwpt_id;
    uint32_t out_viommu_id;
    uint32_t data_len;
    uint32_t reserved;
    uint64_t data_uptr;
};

struct uapi_vdevice_alloc {
    uint32_t size;
    uint32_t viommu_id;
    uint32_t dev_id;
    uint32_t out_vdevice_id;
    uint64_t virt_id;
};

struct uapi_veventq_alloc {
    uint32_t size;
    uint32_t flags;
    uint32_t viommu_id;
    uint32_t type;
    uint32_t veventq_depth;
    uint32_t out_veventq_id;
    uint32_t out_veventq_fd;
    uint32_t reserved;
};

struct uapi_hw_queue_alloc {
    uint32_t size;
    uint32_t flags;
    uint32_t viommu_id;
    uint32_t type;
    uint32_t index;
    uint32_t out_hw_queue_id;
    uint64_t nesting_parent_iova;
    uint64_t length;
};

/* The selftest has one command with many operations, whose arguments overlap. */
#define UAPI_TEST_MOCK_DOMAIN 2u
#define UAPI_TEST_MOCK_DOMAIN_REPLACE 10u
#define UAPI_TEST_TRIGGER_VEVENT 17u

struct uapi_test {
    uint32_t size;
    uint32_t op;
    uint32_t id;
    uint32_t reserved;
    union {
        struct {
            uint32_t out_stdev_id;
            uint32_t out_hwpt_id;
            uint32_t out_idev_id;
        } mock_domain;
        struct {
            uint32_t pt_id;
        } replace;
        struct {
            uint32_t dev_id;
        } vevent;
        uint64_t longest[6];
    };
    uint32_t last;
};

struct uapi_bind_iommufd {
    uint32_t argsz;
    uint32_t flags;
    int32_t iommufd;
    uint32_t out_devid;
};

struct uapi_attach_pt {
    uint32_t argsz;
    uint32_t flags;
    uint32_t pt_id;
};

struct uapi_detach_pt {
    uint32_t argsz;
    uint32_t flags;
};

#endif
