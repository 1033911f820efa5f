/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The messages of vfio-user, by the names and sections of QEMU's docs/interop/vfio-user.rst. All
 * numbers are in the host's byte order. Indexes and flags of regions and interrupts are those of
 * <linux/vfio.h>.
 */
#ifndef VDF_PCI_VFU_PROTOCOL_H
#define VDF_PCI_VFU_PROTOCOL_H

#include <stdint.h>

/* Limits of this server, which the reply to VERSION names. */
#define VDF_VFU_MAJOR 0u
#define VDF_VFU_FDS_MAX 8u              /* descriptors in a message */
#define VDF_VFU_DATA_MAX (1024u * 1024) /* bytes that a message transfers */
#define VDF_VFU_MAPS_MAX 1024u          /* regions of DMA */
#define VDF_VFU_PAGE 4096u
#define VDF_VFU_MESSAGE_MAX (VDF_VFU_DATA_MAX + 64) /* bytes with the header */

enum vdf_vfu_command {
    VDF_VFU_VERSION = 1,
    VDF_VFU_DMA_MAP = 2,
    VDF_VFU_DMA_UNMAP = 3,
    VDF_VFU_DEVICE_GET_INFO = 4,
    VDF_VFU_DEVICE_GET_REGION_INFO = 5,
    VDF_VFU_DEVICE_GET_REGION_IO_FDS = 6,
    VDF_VFU_DEVICE_GET_IRQ_INFO = 7,
    VDF_VFU_DEVICE_SET_IRQS = 8,
    VDF_VFU_REGION_READ = 9,
    VDF_VFU_REGION_WRITE = 10,
    VDF_VFU_DMA_READ = 11,
    VDF_VFU_DMA_WRITE = 12,
    VDF_VFU_DEVICE_RESET = 13,
    VDF_VFU_DIRTY_PAGES = 14, /* of drafts */
    VDF_VFU_REGION_WRITE_MULTI = 15,
    VDF_VFU_DEVICE_FEATURE = 16,
    VDF_VFU_MIG_DATA_READ = 17,
    VDF_VFU_MIG_DATA_WRITE = 18,
};

#define VDF_VFU_TYPE 0xfu
#define VDF_VFU_TYPE_COMMAND 0u
#define VDF_VFU_TYPE_REPLY 1u
#define VDF_VFU_NO_REPLY 0x10u
#define VDF_VFU_ERROR 0x20u

struct vdf_vfu_header {
    uint16_t id;
    uint16_t command;
    uint32_t size; /* bytes of the message, with the header */
    uint32_t flags;
    uint32_t error; /* positive errno */
};

struct vdf_vfu_version {
    uint16_t major;
    uint16_t minor;
};

struct vdf_vfu_dma_map {
    uint32_t argsz;
    uint32_t flags;
    uint64_t offset; /* in the file */
    uint64_t address;
    uint64_t size;
};
#define VDF_VFU_DMA_READABLE 1u
#define VDF_VFU_DMA_WRITABLE 2u

struct vdf_vfu_dma_unmap {
    uint32_t argsz;
    uint32_t flags;
    uint64_t address;
    uint64_t size;
};
#define VDF_VFU_UNMAP_ALL 2u /* VFIO_DMA_UNMAP_FLAG_ALL, which QEMU sends */

struct vdf_vfu_device_info {
    uint32_t argsz;
    uint32_t flags;
    uint32_t regions;
    uint32_t irqs;
};

struct vdf_vfu_region_info {
    uint32_t argsz;
    uint32_t flags;
    uint32_t index;
    uint32_t cap_offset;
    uint64_t size;
    uint64_t offset;
};

/* VFIO_REGION_INFO_CAP_SPARSE_MMAP with one area. */
struct vdf_vfu_sparse {
    uint16_t id;
    uint16_t version;
    uint32_t next;
    uint32_t areas;
    uint32_t reserved;
    uint64_t offset;
    uint64_t size;
};

struct vdf_vfu_io_fds {
    uint32_t argsz;
    uint32_t flags;
    uint32_t index;
    uint32_t count;
};

struct vdf_vfu_ioeventfd {
    uint64_t offset;
    uint64_t size;
    uint32_t fd_index;
    uint32_t type;
    uint32_t flags;
    uint32_t padding;
    uint64_t datamatch;
};
#define VDF_VFU_IOEVENTFD 0u

struct vdf_vfu_irq_info {
    uint32_t argsz;
    uint32_t flags;
    uint32_t index;
    uint32_t count;
};

struct vdf_vfu_irq_set {
    uint32_t argsz;
    uint32_t flags;
    uint32_t index;
    uint32_t start;
    uint32_t count;
};

struct vdf_vfu_region_access {
    uint64_t offset;
    uint32_t region;
    uint32_t count;
};

struct vdf_vfu_write_one {
    uint64_t offset;
    uint32_t region;
    uint32_t count;
    uint8_t data[8];
};

struct vdf_vfu_dma_access {
    uint64_t address;
    uint64_t count;
};

struct vdf_vfu_feature {
    uint32_t argsz;
    uint32_t flags;
};

/* VFIO_MIGRATION_PRE_COPY, which the headers of older kernels do not have. */
#define VDF_VFU_PRE_COPY 4u

struct vdf_vfu_mig_state {
    uint32_t state;
    uint32_t data_fd; /* unused */
};

struct vdf_vfu_logging {
    uint64_t page_size;
    uint32_t ranges;
    uint32_t reserved;
};

struct vdf_vfu_logging_range {
    uint64_t address;
    uint64_t size;
};

struct vdf_vfu_logging_report {
    uint64_t address;
    uint64_t size;
    uint64_t page_size;
};

struct vdf_vfu_mig_data {
    uint32_t argsz;
    uint32_t size;
};

_Static_assert(sizeof(struct vdf_vfu_header) == 16, "as section Header");
_Static_assert(sizeof(struct vdf_vfu_dma_map) == 32, "as section DMA_MAP");
_Static_assert(sizeof(struct vdf_vfu_dma_unmap) == 24, "as section DMA_UNMAP");
_Static_assert(sizeof(struct vdf_vfu_region_info) == 32, "as section GET_REGION_INFO");
_Static_assert(sizeof(struct vdf_vfu_sparse) == 32, "as section GET_REGION_INFO");
_Static_assert(sizeof(struct vdf_vfu_ioeventfd) == 40, "as section GET_REGION_IO_FDS");
_Static_assert(sizeof(struct vdf_vfu_irq_set) == 20, "as section SET_IRQS");
_Static_assert(sizeof(struct vdf_vfu_write_one) == 24, "as section REGION_WRITE_MULTI");

#endif
