/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A device's work on a queue in guest memory of any content, for random tests and the fuzzer. */
#ifndef VDF_TEST_QUEUE_WALK_H
#define VDF_TEST_QUEUE_WALK_H

#include <string.h>

#include "backends/console/virtqueue.h"

static _Alignas(VDF_PAGE_SIZE) uint8_t queue_walk_memory[2 * VDF_PAGE_SIZE];

/* The memory as another process has it: see the regions below. */
static inline uint8_t *queue_walk_at(uint64_t addr)
{
    return queue_walk_memory +
           (addr < VDF_PAGE_SIZE ? addr : VDF_PAGE_SIZE + (addr - (UINT64_MAX - 0x7ff)));
}

static inline int queue_walk_read(void *ctx, uint64_t addr, void *to, size_t n)
{
    memcpy(to, queue_walk_at(addr), n);
    return 0;
}

static inline int queue_walk_write(void *ctx, uint64_t addr, const void *from, size_t n)
{
    memcpy(queue_walk_at(addr), from, n);
    return 0;
}

/**
 * queue_walk() - take, copy and give back the chains of a queue.
 * @bytes, @n: the first eight bytes choose addresses and indices, the rest is the memory
 * @messages: the memory is in another process, which is asked by messages
 *
 * Return: bytes that the chains described.
 */
static inline uint64_t queue_walk(const uint8_t *bytes, size_t n, bool messages)
{
    static const struct vdf_remote_memory remote = {
        .read = queue_walk_read,
        .write = queue_walk_write,
        .most = 100,
    };
    uint8_t *content = queue_walk_memory;
    const size_t size = sizeof(queue_walk_memory);
    struct vdf_memory memory = { .label = "fuzz", .size = size, .fd = -1, .base = content };
    struct vdf_memory *mem = messages ? NULL : &memory;
    /* Two regions with a gap: the second begins in mid-page of the memory and is read-only. */
    const struct vdf_region regions[] = {
        { .addr = 0, .len = VDF_PAGE_SIZE, .mem = mem, .remote = &remote },
        { .addr = UINT64_MAX - 0x7ff,
          .len = 0x800,
          .mem = mem,
          .remote = &remote,
          .offset = VDF_PAGE_SIZE,
          .read_only = true },
    };
    struct vdf_space space = { .n = 2, .regions = regions };
    struct vdf_vq vq = { .num = 1 };
    uint64_t total = 0;
    uint8_t copy[256] = { 0 };

    if (n < 8)
        return 0;
    vq.num = (uint16_t)(1u << (bytes[0] % 7));
    vq.desc = bytes[1] * UINT64_C(16);
    vq.driver = bytes[2] * UINT64_C(16);
    vq.device = bytes[3] * UINT64_C(16);
    vq.last_avail = (uint16_t)(bytes[4] | bytes[5] << 8);
    vq.used_idx = bytes[6];
    vq.modes = bytes[7] & (VDF_VQ_INDIRECT | VDF_VQ_EVENT_IDX | VDF_VQ_PACKED);
    if (vq.modes & VDF_VQ_PACKED) {
        vq.last_avail &= VDF_VQ_ROUND | (vq.num - 1u);
        vq.used_idx = vq.last_avail;
    }
    memset(content, 0, size);
    memcpy(content, bytes + 8, n - 8 < size ? n - 8 : size);

    if (vdf_vq_check(&space, &vq, NULL))
        return 0;
    vdf_vq_start(&space, &vq, vq.modes);
    for (unsigned i = 0; i < 128; i++) {
        struct vdf_vq_chain chain;
        bool interrupt;
        size_t written = 0;

        if (vdf_vq_pop(&space, &vq, &chain, NULL) < 0)
            break;
        total += chain.out_len + chain.in_len;
        total += vdf_vq_copy_in(&space, &chain, bytes[7], copy, sizeof(copy));
        written = vdf_vq_copy_out(&space, &chain, copy, sizeof(copy));
        if (vdf_vq_push(&space, &vq, chain.head, (uint32_t)written, &interrupt))
            break;
    }
    return total;
}

#endif
