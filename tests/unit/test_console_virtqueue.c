/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The descriptor walker and the rings against drivers that break the rules of virtio 1.3, 2.7. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/console/virtqueue.h"
#include "tests/queue_walk.h"
#include "tests/random.h"

#define NUM 8u
#define DESC 0x1000u
#define AVAIL 0x2000u
#define USED 0x3000u
#define DATA 0x8000u
#define SIZE 0x10000u

static struct vdf_memory mem;
static struct vdf_region regions[2];
static struct vdf_space space;
static struct vdf_vq vq;
static struct vdf_vq_chain chain;
static struct vdf_err err;

static void setup(void)
{
    vdf_memory_init(&mem, "test", SIZE);
    regions[0] = (struct vdf_region){ .len = SIZE, .mem = &mem };
    space = (struct vdf_space){ .n = 1, .regions = regions };
    vq = (struct vdf_vq){ .desc = DESC,
                          .driver = AVAIL,
                          .device = USED,
                          .num = NUM,
                          .ready = true,
                          .modes = VDF_VQ_INDIRECT };
    err = (struct vdf_err){ 0 };
}

static void teardown(void)
{
    vdf_memory_free(&mem);
}

TestSuite(virtqueue, .init = setup, .fini = teardown);

static void desc_at(uint64_t table, unsigned n, uint64_t addr, uint32_t len, uint16_t flags,
                    uint16_t next)
{
    uint8_t *d = vdf_memory_at(&mem, table + n * 16, 16);

    cr_assert(d);
    vdf_store_le64(d, addr);
    vdf_store_le32(d + 8, len);
    vdf_store_le16(d + 12, flags);
    vdf_store_le16(d + 14, next);
}

static void desc(unsigned n, uint64_t addr, uint32_t len, uint16_t flags, uint16_t next)
{
    desc_at(DESC, n, addr, len, flags, next);
}

static void avail(uint16_t idx, uint16_t head)
{
    vdf_store_le16(vdf_memory_at(&mem, AVAIL + 4 + (idx - 1u) % NUM * 2, 2), head);
    vdf_store_le16(vdf_memory_at(&mem, AVAIL + 2, 2), idx);
}

static void walk_says(int ret, const char *says)
{
    cr_assert_eq(vdf_vq_walk(&space, &vq, 0, &chain, &err), ret, "%d", err.code);
    cr_assert(strstr(err.text, says), "%s", err.text);
}

#define NEXT VDF_VQ_DESC_NEXT
#define WRITE VDF_VQ_DESC_WRITE
#define INDIRECT VDF_VQ_DESC_INDIRECT

Test(virtqueue, a_chain_of_both_kinds)
{
    desc(0, DATA, 10, NEXT, 5);
    desc(5, DATA + 0x100, 20, NEXT, 2);
    desc(2, DATA + 0x200, 30, NEXT | WRITE, 7);
    desc(7, DATA + 0x300, 40, WRITE, 0);
    cr_assert_eq(vdf_vq_walk(&space, &vq, 0, &chain, &err), 0, "%s", err.text);
    cr_assert_eq(chain.n, 4);
    cr_assert_eq(chain.n_out, 2);
    cr_assert_eq(chain.out_len, 30);
    cr_assert_eq(chain.in_len, 70);
    cr_assert_eq(chain.seg[2].addr, DATA + 0x200);
}

Test(virtqueue, copies_cross_segments)
{
    char text[32] = { 0 };

    desc(0, DATA, 3, NEXT, 1);
    desc(1, DATA + 0x100, 5, NEXT, 2);
    desc(2, DATA + 0x200, 2, NEXT | WRITE, 3);
    desc(3, DATA + 0x300, 9, WRITE, 0);
    memcpy(vdf_memory_at(&mem, DATA, 3), "abc", 3);
    memcpy(vdf_memory_at(&mem, DATA + 0x100, 5), "defgh", 5);
    cr_assert_eq(vdf_vq_walk(&space, &vq, 0, &chain, &err), 0);
    cr_assert_eq(vdf_vq_copy_in(&space, &chain, 0, text, sizeof(text)), 8);
    cr_assert_str_eq(text, "abcdefgh");
    memset(text, 0, sizeof(text));
    cr_assert_eq(vdf_vq_copy_in(&space, &chain, 2, text, 3), 3);
    cr_assert_str_eq(text, "cde");
    cr_assert_eq(vdf_vq_copy_in(&space, &chain, 8, text, 3), 0);
    cr_assert_eq(vdf_vq_copy_out(&space, &chain, "0123456789abcdef", 16), 11);
    cr_assert_arr_eq(vdf_memory_at(&mem, DATA + 0x200, 2), "01", 2);
    cr_assert_arr_eq(vdf_memory_at(&mem, DATA + 0x300, 9), "23456789a", 9);
}

Test(virtqueue, loop)
{
    desc(0, DATA, 1, NEXT, 1);
    desc(1, DATA, 1, NEXT, 0);
    walk_says(-EPROTO, "loop");
}

Test(virtqueue, next_outside_the_table)
{
    desc(0, DATA, 1, NEXT, NUM);
    walk_says(-EPROTO, "next is 8");
}

Test(virtqueue, no_bytes)
{
    desc(0, DATA, 0, 0, 0);
    walk_says(-EPROTO, "no bytes");
}

Test(virtqueue, readable_after_writable)
{
    desc(0, DATA, 1, NEXT | WRITE, 1);
    desc(1, DATA, 1, 0, 0);
    walk_says(-EPROTO, "before");
}

Test(virtqueue, addresses)
{
    static const struct {
        uint64_t addr;
        uint32_t len;
    } bad[] = {
        { SIZE, 1 },
        { SIZE - 1, 2 },
        { UINT64_MAX, 1 },
        { UINT64_MAX, 2 },
        { 0, SIZE + 1 },
        { DATA, UINT32_MAX },
        { UINT64_MAX - 15, 16 },
        { UINT64_C(1) << 63, UINT32_MAX },
    };

    for (size_t k = 0; k < sizeof(bad) / sizeof(bad[0]); k++) {
        desc(0, bad[k].addr, bad[k].len, k % 2 ? WRITE : 0, 0);
        walk_says(-EFAULT, "not in memory");
    }
    desc(0, SIZE - 1, 1, 0, 0);
    cr_assert_eq(vdf_vq_walk(&space, &vq, 0, &chain, &err), 0);
}

Test(virtqueue, read_only_memory)
{
    regions[0].read_only = true;
    desc(0, DATA, 1, 0, 0);
    cr_assert_eq(vdf_vq_walk(&space, &vq, 0, &chain, &err), 0);
    desc(0, DATA, 1, WRITE, 0);
    walk_says(-EFAULT, "write");
}

Test(virtqueue, indirect)
{
    desc(0, DATA, 3 * 16, INDIRECT, 0);
    desc_at(DATA, 0, DATA + 0x100, 4, NEXT, 2);
    desc_at(DATA, 2, DATA + 0x200, 6, WRITE, 0);
    cr_assert_eq(vdf_vq_walk(&space, &vq, 0, &chain, &err), 0, "%s", err.text);
    cr_assert_eq(chain.out_len, 4);
    cr_assert_eq(chain.in_len, 6);
    vq.modes = 0;
    cr_assert_eq(vdf_vq_walk(&space, &vq, 0, &chain, &err), -EPROTO);
    cr_assert(strstr(err.text, "not negotiated"), "%s", err.text);
}

Test(virtqueue, indirect_after_a_direct_one)
{
    desc(0, DATA + 0x500, 7, NEXT, 1);
    desc(1, DATA, 16, INDIRECT, 0);
    desc_at(DATA, 0, DATA + 0x100, 4, 0, 0);
    cr_assert_eq(vdf_vq_walk(&space, &vq, 0, &chain, &err), 0, "%s", err.text);
    cr_assert_eq(chain.out_len, 11);
}

Test(virtqueue, indirect_tables_that_are_none)
{
    desc(0, DATA, 17, INDIRECT, 0);
    walk_says(-EPROTO, "multiple of 16");
    desc(0, DATA, 0, INDIRECT, 0);
    walk_says(-EPROTO, "multiple of 16");
    desc(0, DATA, 16, INDIRECT | NEXT, 1);
    walk_says(-EPROTO, "no next");
    desc(0, SIZE - 16, 32, INDIRECT, 0);
    walk_says(-EFAULT, "indirect table");
    desc(0, UINT64_MAX - 15, 16, INDIRECT, 0);
    walk_says(-EFAULT, "indirect table");
    desc(0, DATA, 16, INDIRECT, 0);
    desc_at(DATA, 0, DATA + 0x100, 16, INDIRECT, 0);
    walk_says(-EPROTO, "nested");
    desc_at(DATA, 0, DATA + 0x100, 1, NEXT, 1);
    walk_says(-EPROTO, "has 1 entries");
    desc(0, DATA, 2 * 16, INDIRECT, 0);
    desc_at(DATA, 1, DATA + 0x100, 1, NEXT, 0);
    walk_says(-EPROTO, "loop");
}

Test(virtqueue, index_that_ran_away)
{
    desc(0, DATA, 1, 0, 0);
    vdf_store_le16(vdf_memory_at(&mem, AVAIL + 2, 2), NUM + 1);
    cr_assert_eq(vdf_vq_pop(&space, &vq, &chain, &err), -EPROTO);
    cr_assert_eq(chain.head, VDF_VQ_SIZE_MAX);
    cr_assert_eq(vq.last_avail, 0);
    vdf_store_le16(vdf_memory_at(&mem, AVAIL + 2, 2), UINT16_MAX);
    cr_assert_eq(vdf_vq_pop(&space, &vq, &chain, &err), -EPROTO);
}

Test(virtqueue, head_outside_the_table)
{
    avail(1, NUM);
    cr_assert_eq(vdf_vq_pop(&space, &vq, &chain, &err), -EPROTO);
    cr_assert_eq(chain.head, VDF_VQ_SIZE_MAX);
}

Test(virtqueue, a_bad_chain_keeps_its_head)
{
    desc(3, SIZE, 1, 0, 0);
    avail(1, 3);
    cr_assert_eq(vdf_vq_pop(&space, &vq, &chain, &err), -EFAULT);
    cr_assert_eq(chain.head, 3);
    cr_assert_eq(vq.last_avail, 1);
}

Test(virtqueue, indices_wrap)
{
    bool interrupt;

    vq.last_avail = UINT16_MAX;
    vq.used_idx = UINT16_MAX;
    desc(4, DATA, 1, 0, 0);
    vdf_store_le16(vdf_memory_at(&mem, AVAIL + 4 + 7 * 2, 2), 4);
    vdf_store_le16(vdf_memory_at(&mem, AVAIL + 2, 2), 0);
    cr_assert_eq(vdf_vq_pop(&space, &vq, &chain, &err), 0, "%s", err.text);
    cr_assert_eq(chain.head, 4);
    cr_assert_eq(vq.last_avail, 0);
    cr_assert_eq(vdf_vq_push(&space, &vq, 4, 77, &interrupt), 0);
    cr_assert(interrupt);
    cr_assert_eq(vq.used_idx, 0);
    cr_assert_eq(vdf_load_le32(vdf_memory_at(&mem, USED + 4 + 7 * 8, 4)), 4);
    cr_assert_eq(vdf_load_le32(vdf_memory_at(&mem, USED + 4 + 7 * 8 + 4, 4)), 77);
    cr_assert_eq(vdf_load_le16(vdf_memory_at(&mem, USED + 2, 2)), 0);
    cr_assert_eq(vdf_vq_pop(&space, &vq, &chain, &err), -EAGAIN);
}

Test(virtqueue, no_interrupt_flag)
{
    bool interrupt = true;

    vdf_store_le16(vdf_memory_at(&mem, AVAIL, 2), VDF_VQ_AVAIL_NO_INTERRUPT);
    cr_assert_eq(vdf_vq_push(&space, &vq, 0, 0, &interrupt), 0);
    cr_assert_not(interrupt);
}

/* With EVENT_IDX each side names the entry that it wants to hear of (2.7.7.2, 2.7.10.1). */
Test(virtqueue, event_indices)
{
    uint8_t *used_event = vdf_memory_at(&mem, AVAIL + 4 + NUM * 2, 2);
    uint8_t *avail_event = vdf_memory_at(&mem, USED + 4 + NUM * 8, 2);
    bool interrupt;

    vq.last_avail = vq.used_idx = UINT16_MAX - 1;
    vdf_store_le16(vdf_memory_at(&mem, AVAIL + 2, 2), UINT16_MAX - 1);
    vdf_vq_start(&space, &vq, VDF_VQ_EVENT_IDX);
    cr_assert_eq(vdf_load_le16(avail_event), UINT16_MAX - 1);
    /* The flags are the driver's and the device's no longer. */
    vdf_store_le16(vdf_memory_at(&mem, AVAIL, 2), VDF_VQ_AVAIL_NO_INTERRUPT);
    vdf_store_le16(used_event, 0);
    for (unsigned n = 0; n < 4; n++) {
        uint16_t idx = (uint16_t)(UINT16_MAX + n);

        desc(n, DATA, 1, 0, 0);
        vdf_store_le16(vdf_memory_at(&mem, AVAIL + 4 + (idx - 1u) % NUM * 2, 2), (uint16_t)n);
        vdf_store_le16(vdf_memory_at(&mem, AVAIL + 2, 2), idx);
        cr_assert_eq(vdf_vq_pop(&space, &vq, &chain, &err), 0, "%s", err.text);
        cr_assert_eq(vdf_load_le16(avail_event), idx);
        cr_assert_eq(vdf_vq_push(&space, &vq, chain.head, 0, &interrupt), 0);
        /* Entries 65534, 65535, 0, 1: the third is the one that the driver has named. */
        cr_assert_eq(interrupt, n == 2, "%u", n);
    }
    cr_assert_eq(vdf_load_le16(vdf_memory_at(&mem, USED, 2)), 0);

    /* A device that polls leaves the index behind. */
    vdf_vq_want_kicks(&space, &vq, false);
    avail(3, 0);
    cr_assert_eq(vdf_vq_pop(&space, &vq, &chain, &err), 0, "%s", err.text);
    cr_assert_eq(vdf_load_le16(avail_event), 2);
    vdf_vq_want_kicks(&space, &vq, true);
    cr_assert_eq(vdf_load_le16(avail_event), 3);
    cr_assert_eq(vdf_load_le16(vdf_memory_at(&mem, USED, 2)), 0);
}

/* The two words belong to the rings. */
Test(virtqueue, event_indices_in_memory)
{
    vq.driver = SIZE - 4 - NUM * 2;
    cr_assert_eq(vdf_vq_check(&space, &vq, &err), 0, "%s", err.text);
    vq.modes = VDF_VQ_EVENT_IDX;
    cr_assert_eq(vdf_vq_check(&space, &vq, &err), -EFAULT);
    vq.driver = AVAIL;
    vq.device = SIZE - 4 - NUM * 8;
    cr_assert_eq(vdf_vq_check(&space, &vq, &err), -EFAULT);
}

Test(virtqueue, where_rings_may_lie)
{
    cr_assert_eq(vdf_vq_check(&space, &vq, &err), 0, "%s", err.text);
    vq.desc = DESC + 8;
    cr_assert_eq(vdf_vq_check(&space, &vq, &err), -EINVAL);
    vq.desc = DESC;
    vq.driver = AVAIL + 1;
    cr_assert_eq(vdf_vq_check(&space, &vq, &err), -EINVAL);
    vq.driver = AVAIL;
    vq.device = USED + 2;
    cr_assert_eq(vdf_vq_check(&space, &vq, &err), -EINVAL);
    vq.device = SIZE - 4;
    cr_assert_eq(vdf_vq_check(&space, &vq, &err), -EFAULT);
    vq.device = USED;
    vq.desc = UINT64_MAX - 15;
    cr_assert_eq(vdf_vq_check(&space, &vq, &err), -EFAULT);
    vq.desc = DESC;
    vq.num = 0;
    cr_assert_eq(vdf_vq_check(&space, &vq, &err), -EINVAL);
    vq.num = 6;
    cr_assert_eq(vdf_vq_check(&space, &vq, &err), -EINVAL);
    vq.num = 2 * VDF_VQ_SIZE_MAX;
    cr_assert_eq(vdf_vq_check(&space, &vq, &err), -EINVAL);
}

/* Rings that go away after they were checked: refused again, each time. */
Test(virtqueue, memory_that_shrinks)
{
    bool interrupt;

    regions[0].len = AVAIL;
    cr_assert_eq(vdf_vq_pop(&space, &vq, &chain, &err), -EFAULT);
    cr_assert_eq(vdf_vq_push(&space, &vq, 0, 0, &interrupt), -EFAULT);
    cr_assert_eq(vdf_vq_avail_idx(&space, &vq), 0);
}

/* Two regions that touch are one memory to a guest, as after more of it was plugged in: buffers,
 * tables and rings go from one into the other. */
Test(virtqueue, adjacent_regions)
{
    const uint64_t border = DATA;
    char text[9] = { 0 };
    uint8_t *first, *second;

    /* The second region is not behind the first in the memory that both are of. */
    space.n = 2;
    regions[0].len = border;
    regions[1] = (struct vdf_region){
        .addr = border, .len = SIZE - DATA - 0x1000, .mem = &mem, .offset = DATA + 0x1000
    };
    first = vdf_memory_at(&mem, border - 4, 4);
    second = vdf_memory_at(&mem, DATA + 0x1000, 4);
    memcpy(first, "half", 4);
    memcpy(second, "rest", 4);
    desc(0, border - 4, 8, NEXT, 1);
    desc(1, border - 2, 5, WRITE, 0);
    cr_assert_eq(vdf_vq_walk(&space, &vq, 0, &chain, &err), 0, "%s", err.text);
    cr_assert_eq(vdf_vq_copy_in(&space, &chain, 0, text, 8), 8);
    cr_assert_str_eq(text, "halfrest");
    cr_assert_eq(vdf_vq_copy_in(&space, &chain, 3, text, 8), 5);
    cr_assert_arr_eq(text, "frest", 5);
    cr_assert_eq(vdf_vq_copy_out(&space, &chain, "12345", 5), 5);
    cr_assert_arr_eq(first, "ha12", 4);
    cr_assert_arr_eq(second, "345t", 4);

    /* A table whose second descriptor is cut in two. */
    desc(0, border - 24, 2 * 16, INDIRECT, 0);
    desc_at(border - 24, 0, 0x100, 4, NEXT, 1);
    uint8_t whole[16] = { 0 };
    vdf_store_le32(whole + 8, 6);
    memcpy(vdf_memory_at(&mem, border - 8, 8), whole, 8);
    memcpy(second, whole + 8, 8);
    cr_assert_eq(vdf_vq_walk(&space, &vq, 0, &chain, &err), 0, "%s", err.text);
    cr_assert_eq(chain.out_len, 10);

    /* Not past the end, nor over a gap, nor into memory that cannot be written to. */
    desc(0, border - 4, SIZE - DATA - 0x1000 + 5, 0, 0);
    walk_says(-EFAULT, "not in memory");
    regions[1].read_only = true;
    desc(0, border - 4, 8, WRITE, 0);
    walk_says(-EFAULT, "write");
    regions[1].addr++;
    desc(0, border - 4, 8, 0, 0);
    walk_says(-EFAULT, "not in memory");
}

/* Regions with a gap between them. */
Test(virtqueue, regions)
{
    space.n = 2;
    regions[0].len = DATA;
    regions[1] = (struct vdf_region){
        .addr = UINT64_C(1) << 40, .len = SIZE - DATA, .mem = &mem, .offset = DATA
    };
    memcpy(vdf_memory_at(&mem, DATA + 4, 3), "xyz", 3);
    desc(0, (UINT64_C(1) << 40) + 4, 3, 0, 0);
    cr_assert_eq(vdf_vq_walk(&space, &vq, 0, &chain, &err), 0, "%s", err.text);
    char text[4] = { 0 };
    cr_assert_eq(vdf_vq_copy_in(&space, &chain, 0, text, 3), 3);
    cr_assert_str_eq(text, "xyz");
    desc(0, DATA, 1, 0, 0);
    walk_says(-EFAULT, "not in memory");
}

/* Descriptors that are nearly right, in their thousands: neither the walker nor the rings may
 * crash, hang or read outside. Memory of another process makes no difference. */
Test(virtqueue, random_descriptors)
{
    static uint8_t after[sizeof(queue_walk_memory)];
    uint8_t bytes[8 + 4096];
    uint64_t total = 0;
    struct vdf_random random = vdf_random_begin("random_descriptors", 1);

    for (unsigned round = 0; round < 20000; round++) {
        memset(bytes, 0, sizeof(bytes));
        /* 1 to 64 descriptors at 0, the rings at 0x500 and 0x600. */
        memcpy(bytes, (uint8_t[8]){ (uint8_t)round, 0, 0x50, 0x60, 0, 0, 0, (uint8_t)(round >> 3) },
               8);
        for (unsigned n = 0; n < 64; n++) {
            uint8_t *d = bytes + 8 + n * 16;

            vdf_store_le64(d, vdf_random_below(&random, 20)
                                  ? vdf_random_below(&random, 0x1010)
                                  : UINT64_MAX - vdf_random_below(&random, 64));
            vdf_store_le32(d + 8, vdf_random_below(&random, 40) ? vdf_random_below(&random, 64) * 16
                                                                : UINT32_MAX);
            vdf_store_le16(d + 12, (uint16_t)vdf_random_below(&random, 8));
            vdf_store_le16(d + 14, (uint16_t)vdf_random_below(&random, 66));
            vdf_store_le16(bytes + 8 + 0x504 + n * 2, (uint16_t)vdf_random_below(&random, 65));
        }
        vdf_store_le16(bytes + 8 + 0x502, (uint16_t)vdf_random_below(&random, 66));
        uint64_t walked = queue_walk(bytes, sizeof(bytes), false);
        memcpy(after, queue_walk_memory, sizeof(after));
        cr_assert_eq(queue_walk(bytes, sizeof(bytes), true), walked, "round %u", round);
        cr_assert_arr_eq(after, queue_walk_memory, sizeof(after), "round %u", round);
        total += walked;
    }
    cr_assert_gt(total, 0);
    cr_assert_eq(queue_walk(bytes, 7, false), 0);
}

/* --- rings of another process ----------------------------------------------------------------- */

static unsigned messages_left;

static int message_read(void *ctx, uint64_t addr, void *to, size_t n)
{
    if (!messages_left)
        return -ETIMEDOUT;
    messages_left--;
    memcpy(to, vdf_memory_at(&mem, addr, n), n);
    return 0;
}

static int message_write(void *ctx, uint64_t addr, const void *from, size_t n)
{
    if (!messages_left)
        return -ETIMEDOUT;
    messages_left--;
    memcpy(vdf_memory_at(&mem, addr, n), from, n);
    return 0;
}

/* The process may fail to answer at any time. A chain is given back whole or not at all. */
static void fail_after(unsigned messages, uint8_t modes)
{
    static const struct vdf_remote_memory remote = { .read = message_read,
                                                     .write = message_write,
                                                     .most = 64 };
    bool interrupt = false;

    regions[0].mem = NULL;
    regions[0].remote = &remote;
    vq.modes = modes;
    vq.last_avail = vq.used_idx = 0;
    vq.device = modes & VDF_VQ_PACKED ? USED + 0x800 : USED;
    vdf_store_le16(vdf_memory_at(&mem, USED + 2, 2), 0);
    vdf_store_le32(vdf_memory_at(&mem, USED + 4, 4), 0xffff);
    desc(0, DATA, 4, WRITE, modes & VDF_VQ_PACKED ? 1u << 7 | WRITE : 0);
    avail(1, 0);
    messages_left = messages;
    int ret = vdf_vq_pop(&space, &vq, &chain, &err);
    bool popped = !ret;
    if (popped)
        ret = vdf_vq_push(&space, &vq, chain.head, 4, &interrupt);
    cr_assert(!ret || ret == -EFAULT, "%d after %u messages", ret, messages);
    cr_assert_eq(!ret, vq.used_idx == 1, "after %u messages", messages);
    if (modes & VDF_VQ_PACKED)
        cr_assert_eq(vdf_load_le16(vdf_memory_at(&mem, DESC + 14, 2)) >> 15, !ret);
    else
        cr_assert_eq(vdf_load_le16(vdf_memory_at(&mem, USED + 2, 2)), !ret);
    cr_assert(!ret || messages < 12, "enough messages");
}

Test(virtqueue, another_process_fails)
{
    for (unsigned messages = 0; messages < 15; messages++) {
        fail_after(messages, 0);
        fail_after(messages, VDF_VQ_EVENT_IDX);
        fail_after(messages, VDF_VQ_PACKED);
    }
}
