/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The messages of vfio-user, by QEMU's docs/interop/vfio-user.rst, for the clients of the tests. Those
 * that <linux/vfio.h> describes are left out.
 */
#ifndef VFU_H
#define VFU_H

#include <stdint.h>

/* Flags. */
#define TYPE 0xfu
#define REPLY 1u
#define NO_REPLY 0x10u
#define ERROR 0x20u

enum {
    VERSION = 1,
    DMA_MAP = 2,
    DMA_UNMAP = 3,
    GET_INFO = 4,
    GET_REGION_INFO = 5,
    GET_REGION_IO_FDS = 6,
    GET_IRQ_INFO = 7,
    SET_IRQS = 8,
    REGION_READ = 9,
    REGION_WRITE = 10,
    DMA_READ = 11,
    DMA_WRITE = 12,
    RESET = 13,
    REGION_WRITE_MULTI = 15,
    FEATURE = 16,
    MIG_DATA_READ = 17,
    MIG_DATA_WRITE = 18,
};

struct header {
    uint16_t id, command;
    uint32_t size, flags, error;
};

/* REGION_READ, REGION_WRITE. */
struct rw {
    uint64_t offset;
    uint32_t region, count;
    uint8_t data[];
};

struct dma_map {
    uint32_t argsz, flags;
    uint64_t offset, iova, size;
};

#define DMA_READABLE 1u
#define DMA_WRITABLE 2u

/* DEVICE_GET_REGION_IO_FDS: the list is in the reply. */
struct io_fds {
    uint32_t argsz, flags, index, count;
};

struct io_fd {
    uint64_t offset, size;
    uint32_t fd_index, type, flags, padding;
    uint64_t data;
};

#endif
