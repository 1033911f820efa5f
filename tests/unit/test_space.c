/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Address spaces: addresses as hostile guests give them, many regions, regions of other processes,
 * dirty pages. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <virtdevfs/memory.h>

#include "tests/random.h"

#define PAGE VDF_PAGE_SIZE

static struct vdf_memory low, high;
static struct vdf_region regions[4];
static struct vdf_space space;

static void make_space(void)
{
    vdf_memory_init(&low, "low", 4 * PAGE);
    vdf_memory_init(&high, "high", 2 * PAGE);
    regions[0] =
        (struct vdf_region){ .addr = 0x10000, .len = 2 * PAGE, .mem = &low, .offset = PAGE };
    regions[1] = (struct vdf_region){
        .addr = 0x10000 + 2 * PAGE, .len = PAGE, .mem = &high, .read_only = true
    };
    /* More than its memory has. */
    regions[2] = (struct vdf_region){
        .addr = 0x40000, .len = UINT64_MAX - PAGE + 1 - 0x40000, .mem = &high, .offset = PAGE
    };
    regions[3] = (struct vdf_region){
        .addr = UINT64_MAX - PAGE + 1, .len = PAGE, .mem = &high, .offset = PAGE
    };
    space = (struct vdf_space){ .n = 4, .regions = regions };
}

static void free_space(void)
{
    vdf_memory_free(&low);
    vdf_memory_free(&high);
}

TestSuite(space, .init = make_space, .fini = free_space);

Test(space, finds_the_place)
{
    uint8_t *at = vdf_space_at(&space, 0x10000, 1, true);
    cr_assert_eq(at, low.base + PAGE);
    at = vdf_space_at(&space, 0x10000, 2 * PAGE, true);
    cr_assert_eq(at, low.base + PAGE);
    at = vdf_space_at(&space, 0x10000 + 2 * PAGE - 1, 1, true);
    cr_assert_eq(at, low.base + 3 * PAGE - 1);
    at = vdf_space_at(&space, 0x10000 + 2 * PAGE, PAGE, false);
    cr_assert_eq(at, high.base);
    at = vdf_space_at(&space, UINT64_MAX, 1, false);
    cr_assert_eq(at, high.base + 2 * PAGE - 1);
    at = vdf_space_at(&space, UINT64_MAX - PAGE + 1, PAGE, true);
    cr_assert_eq(at, high.base + PAGE);
}

Test(space, refuses_what_lies_outside)
{
    cr_assert_null(vdf_space_at(&space, 0x10000, 0, false), "no length");
    cr_assert_null(vdf_space_at(&space, 0xffff, 1, false), "before");
    cr_assert_null(vdf_space_at(&space, 0xffff, 2, false), "into");
    cr_assert_null(vdf_space_at(&space, 0x10000 + 3 * PAGE, 1, false), "after");
    cr_assert_null(vdf_space_at(&space, 0x10000 + 2 * PAGE - 1, 2, false), "across two regions");
    cr_assert_null(vdf_space_at(&space, 0x10000, UINT64_MAX, false));
    cr_assert_null(vdf_space_at(&space, 0x10000, UINT64_MAX - 0x10000 + 1, false));
    cr_assert_null(vdf_space_at(&space, UINT64_MAX, 2, false), "around the end");
    cr_assert_null(vdf_space_at(&space, UINT64_MAX, UINT64_MAX, false));
    cr_assert_null(vdf_space_at(&space, 0x10000 + 2 * PAGE, 1, true), "read-only");
    cr_assert_null(vdf_space_at(&space, 0x40000 + PAGE, 1, false), "not in the memory");
    cr_assert_null(vdf_space_at(&space, 0x40000, PAGE + 1, false), "out of the memory");
    cr_assert_not_null(vdf_space_at(&space, 0x40000, PAGE, false));
    space.n = 0;
    cr_assert_null(vdf_space_at(&space, 0x10000, 1, false), "no regions");
}

Test(space, offset_does_not_overflow)
{
    regions[0].offset = UINT64_MAX - 1;
    cr_assert_null(vdf_space_at(&space, 0x10000, 1, false));
    cr_assert_null(vdf_space_at(&space, 0x10002, 1, false), "would be offset 0");
}

Test(space, ranges_may_cross_into_the_next_region)
{
    const uint64_t border = 0x10000 + 2 * PAGE;

    cr_assert(vdf_space_has(&space, border - 1, 2, false));
    cr_assert(vdf_space_has(&space, 0x10000, 3 * PAGE, false));
    cr_assert(vdf_space_has(&space, UINT64_MAX, 1, false));
    cr_assert(!vdf_space_has(&space, border - 1, 2, true), "read-only");
    cr_assert(!vdf_space_has(&space, 0x10000, 3 * PAGE + 1, false), "past the last");
    cr_assert(!vdf_space_has(&space, border - 1, 0, false), "no length");
    cr_assert(!vdf_space_has(&space, UINT64_MAX, 2, false), "around the end");
    cr_assert(!vdf_space_has(&space, border - 1, UINT64_MAX, false));
}

Test(space, copies_or_does_nothing)
{
    char bytes[4] = "abc", back[4] = "xyz";
    cr_assert(vdf_space_copy_out(&space, 0x10ffe, bytes, 4));
    cr_assert(vdf_space_copy_in(&space, 0x10ffe, back, 4));
    cr_assert_str_eq(back, "abc");
    cr_assert_eq(memcmp(low.base + PAGE + 0xffe, "abc", 4), 0);

    strcpy(back, "xyz");
    cr_assert(!vdf_space_copy_in(&space, 0x10000 + 3 * PAGE - 2, back, 4));
    cr_assert_str_eq(back, "xyz");
    cr_assert(!vdf_space_copy_out(&space, 0x10000 + 2 * PAGE, bytes, 4), "read-only");
    cr_assert(!vdf_space_copy_out(&space, 0x10000 + 2 * PAGE - 2, bytes, 4));
    cr_assert_eq(low.base[3 * PAGE - 1], 0, "nothing of a refused copy is written");
    cr_assert(!vdf_space_copy_in(&space, 0x10000, back, 0));
}

Test(space, shared_words_have_their_byte_order)
{
    uint8_t *at = vdf_space_at(&space, 0x10000, 8, true);
    vdf_store_le16(at, 0x0102);
    cr_assert_eq(memcmp(at, "\x02\x01", 2), 0);
    vdf_store_be16(at, 0x0102);
    cr_assert_eq(memcmp(at, "\x01\x02", 2), 0);
    vdf_store_le32(at, 0x01020304);
    cr_assert_eq(memcmp(at, "\x04\x03\x02\x01", 4), 0);
    vdf_store_be32(at, 0x01020304);
    cr_assert_eq(memcmp(at, "\x01\x02\x03\x04", 4), 0);
    cr_assert_eq(vdf_load_be32(at), 0x01020304);
    cr_assert_eq(vdf_load_le32(at), 0x04030201);
    vdf_store_be64(at, 0x0102030405060708);
    cr_assert_eq(memcmp(at, "\x01\x02\x03\x04\x05\x06\x07\x08", 8), 0);
    cr_assert_eq(vdf_load_le64(at), 0x0807060504030201);
    cr_assert_eq(vdf_load_be64(at), 0x0102030405060708);
    cr_assert_eq(vdf_load_le16(at), 0x0201);
    cr_assert_eq(vdf_load_be16(at), 0x0102);
}

Test(space, a_space_of_one_memory)
{
    struct vdf_space one = vdf_space_of(&low), copied = one;

    cr_assert(vdf_space_has(&copied, 0, 4 * PAGE, true));
    cr_assert(!vdf_space_has(&copied, 0, 4 * PAGE + 1, true));
}

/* Every number of regions up to the largest that clients ask for, with gaps of one page. */
Test(space, finds_each_of_many_regions)
{
    enum { MOST = 1024 };
    struct vdf_region *many = calloc(MOST, sizeof(*many));

    for (unsigned i = 0; i < MOST; i++)
        many[i] = (struct vdf_region){
            .addr = (2 * i + 1) * PAGE, .len = PAGE, .mem = &low, .offset = i % 4 * PAGE
        };
    space.regions = many;
    for (space.n = 0; space.n <= MOST; space.n += space.n < 40 ? 1 : 123) {
        for (unsigned i = 0; i < space.n; i++) {
            uint64_t addr = many[i].addr;
            uint8_t *at = vdf_space_at(&space, addr, PAGE, true);

            cr_assert_eq(at, low.base + i % 4 * PAGE, "region %u of %u", i, space.n);
            cr_assert_null(vdf_space_at(&space, addr - 1, 1, false));
            cr_assert_null(vdf_space_at(&space, addr + PAGE, 1, false));
        }
        cr_assert_null(vdf_space_at(&space, (2 * space.n + 1) * PAGE, 1, false));
    }
    free(many);
}

Test(space, words)
{
    uint8_t *at = vdf_space_at(&space, 0x10000, 8, true);
    uint16_t half = 7;
    uint32_t word = 7;
    uint64_t two = 7;

    cr_assert(vdf_space_store_le64(&space, 0x10000, 0x0102030405060708));
    cr_assert_eq(memcmp(at, "\x08\x07\x06\x05\x04\x03\x02\x01", 8), 0);
    cr_assert(vdf_space_store_le32(&space, 0x10004, 0x0a0b0c0d));
    cr_assert(vdf_space_store_le16(&space, 0x10002, 0x0e0f));
    cr_assert_eq(memcmp(at, "\x08\x07\x0f\x0e\x0d\x0c\x0b\x0a", 8), 0);
    cr_assert(vdf_space_load_le16(&space, 0x10006, &half));
    cr_assert_eq(half, 0x0a0b);
    cr_assert(vdf_space_load_le32(&space, 0x10000, &word));
    cr_assert_eq(word, 0x0e0f0708);
    cr_assert(vdf_space_load_le64(&space, 0x10000, &two));
    cr_assert_eq(two, 0x0a0b0c0d0e0f0708);

    half = 7;
    cr_assert(!vdf_space_load_le16(&space, 0x10001, &half), "not aligned");
    cr_assert(!vdf_space_load_le16(&space, 0x10000 + 3 * PAGE, &half), "not there");
    cr_assert(!vdf_space_load_le64(&space, UINT64_MAX - 3, &two), "around the end");
    cr_assert(!vdf_space_store_le16(&space, 0x10000 + 2 * PAGE, 1), "read-only");
    cr_assert(vdf_space_load_le16(&space, 0x10000 + 2 * PAGE, &half), "but can be read");
    cr_assert_eq(half, 0);
}

/* --- regions of another process --------------------------------------------------------------- */

static uint8_t elsewhere[2 * PAGE];
static unsigned calls, calls_left;
static size_t largest;

static int remote_copy(uint64_t addr, void *to, const void *from, size_t n)
{
    calls++;
    if (n > largest)
        largest = n;
    if (!calls_left)
        return -ETIMEDOUT;
    calls_left--;
    cr_assert_geq(addr, 0x20000);
    cr_assert_leq(addr + n, 0x20000 + sizeof(elsewhere));
    memcpy(to ? to : elsewhere + addr - 0x20000, from ? from : elsewhere + addr - 0x20000, n);
    return 0;
}

static int remote_read(void *ctx, uint64_t addr, void *to, size_t n)
{
    cr_assert_eq(ctx, elsewhere);
    return remote_copy(addr, to, NULL, n);
}

static int remote_write(void *ctx, uint64_t addr, const void *from, size_t n)
{
    cr_assert_eq(ctx, elsewhere);
    return remote_copy(addr, NULL, from, n);
}

static const struct vdf_remote_memory remote = {
    .read = remote_read, .write = remote_write, .ctx = elsewhere, .most = 1000
};

/* Local memory, then that of another process. */
static void make_remote(void)
{
    make_space();
    memset(elsewhere, 0, sizeof(elsewhere));
    calls = 0;
    largest = 0;
    calls_left = 1000;
    regions[0] = (struct vdf_region){ .addr = 0x20000 - 2 * PAGE, .len = 2 * PAGE, .mem = &low };
    regions[1] =
        (struct vdf_region){ .addr = 0x20000, .len = sizeof(elsewhere), .remote = &remote };
    space.n = 2;
}

TestSuite(space_remote, .init = make_remote, .fini = free_space);

Test(space_remote, has_no_address)
{
    cr_assert(vdf_space_has(&space, 0x20000, 2 * PAGE, true));
    cr_assert(!vdf_space_has(&space, 0x20000, 2 * PAGE + 1, true));
    cr_assert_null(vdf_space_at(&space, 0x20000, 1, false));
    cr_assert_eq(calls, 0);
    regions[1].read_only = true;
    cr_assert(!vdf_space_has(&space, 0x20000, 1, true));
    cr_assert(!vdf_space_copy_out(&space, 0x20000, "a", 1));
    cr_assert_eq(calls, 0);
}

Test(space_remote, copies_in_pieces_and_across)
{
    static uint8_t bytes[3 * PAGE], back[3 * PAGE];

    for (unsigned i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 7 + i / 256);
    cr_assert(vdf_space_copy_out(&space, 0x20000 - PAGE, bytes, sizeof(bytes)));
    cr_assert_eq(calls, (2 * PAGE + 999) / 1000);
    cr_assert_eq(largest, 1000);
    cr_assert_arr_eq(low.base + PAGE, bytes, PAGE);
    cr_assert_arr_eq(elsewhere, bytes + PAGE, 2 * PAGE);
    cr_assert(vdf_space_copy_in(&space, 0x20000 - PAGE, back, sizeof(back)));
    cr_assert_arr_eq(back, bytes, sizeof(back));
    calls = 0;
    cr_assert(!vdf_space_copy_in(&space, 0x20000 - PAGE, back, sizeof(back) + 1));
    cr_assert_eq(calls, 0, "nothing is asked for a range that is not there");
}

Test(space_remote, a_failure_ends_the_copy)
{
    uint8_t bytes[3000] = { 1 };

    calls_left = 2;
    cr_assert(!vdf_space_copy_in(&space, 0x20000, bytes, sizeof(bytes)));
    cr_assert_eq(calls, 3);
    calls_left = 1;
    cr_assert(!vdf_space_copy_out(&space, 0x20000, bytes, sizeof(bytes)));
    cr_assert(!vdf_space_copy_out(&space, 0x20000 - 1, bytes, 2));
}

Test(space_remote, a_word_is_one_message)
{
    uint16_t half;
    uint32_t word = 7;
    uint64_t two;

    cr_assert(vdf_space_store_le64(&space, 0x20008, 0x0102030405060708));
    cr_assert(vdf_space_store_le16(&space, 0x2000e, 0x0a0b));
    cr_assert_eq(memcmp(elsewhere + 8, "\x08\x07\x06\x05\x04\x03\x0b\x0a", 8), 0);
    cr_assert(vdf_space_load_le16(&space, 0x20008, &half));
    cr_assert_eq(half, 0x0708);
    cr_assert(vdf_space_load_le64(&space, 0x20008, &two));
    cr_assert_eq(two, 0x0a0b030405060708);
    cr_assert_eq(calls, 4);
    cr_assert(!vdf_space_load_le32(&space, 0x20002, &word), "not aligned");
    cr_assert_eq(calls, 4);
    calls_left = 0;
    cr_assert(!vdf_space_load_le32(&space, 0x20000, &word));
    cr_assert(!vdf_space_store_le32(&space, 0x20000, word));
}

/* --- dirty pages ------------------------------------------------------------------------------ */

#define MANY 200u /* pages */
static struct vdf_memory large;
static _Atomic uint64_t dirty[VDF_DIRTY_WORDS(MANY * PAGE)];

static void make_dirty(void)
{
    vdf_memory_init(&large, "large", MANY * PAGE);
    memset(dirty, 0, sizeof(dirty));
    space = (struct vdf_space){
        .n = 1,
        .one = { .addr = 0x100000, .len = MANY * PAGE, .mem = &large, .dirty = dirty },
    };
}

static void free_dirty(void)
{
    vdf_memory_free(&large);
}

TestSuite(space_dirty, .init = make_dirty, .fini = free_dirty);

/* Take the whole bitmap, and see that exactly pages @first to @last were dirty. */
static void dirty_are(unsigned first, unsigned last)
{
    uint8_t bitmap[(MANY + 7) / 8];

    vdf_dirty_take(&space.one, 0, MANY, bitmap);
    for (unsigned i = 0; i < MANY; i++)
        cr_assert_eq(bitmap[i / 8] >> i % 8 & 1, i >= first && i <= last, "page %u of %u to %u", i,
                     first, last);
    vdf_dirty_take(&space.one, 0, MANY, bitmap);
    for (unsigned i = 0; i < sizeof(bitmap); i++)
        cr_assert_eq(bitmap[i], 0, "taken twice");
}

Test(space_dirty, marks_all_that_may_be_written)
{
    uint8_t bytes[2 * PAGE] = { 0 };
    uint64_t word;

    cr_assert_eq(VDF_DIRTY_WORDS(1), 1);
    cr_assert_eq(VDF_DIRTY_WORDS(64 * PAGE), 1);
    cr_assert_eq(VDF_DIRTY_WORDS(64 * PAGE + 1), 2);
    vdf_space_at(&space, 0x100000 + 3 * PAGE - 1, 2, true);
    dirty_are(2, 3);
    vdf_space_at(&space, 0x100000, MANY * PAGE, true);
    dirty_are(0, MANY - 1);
    vdf_space_copy_out(&space, 0x100000 + 62 * PAGE + 1, bytes, sizeof(bytes));
    dirty_are(62, 64);
    vdf_space_store_le16(&space, 0x100000 + 199 * PAGE, 1);
    dirty_are(199, 199);
    vdf_space_store_le32(&space, 0x100000 + 64 * PAGE - 4, 1);
    dirty_are(63, 63);
    vdf_space_store_le64(&space, 0x100000 + 64 * PAGE, 1);
    dirty_are(64, 64);

    vdf_space_at(&space, 0x100000, PAGE, false);
    vdf_space_has(&space, 0x100000, PAGE, true);
    vdf_space_copy_in(&space, 0x100000, bytes, sizeof(bytes));
    vdf_space_load_le64(&space, 0x100000, &word);
    vdf_space_store_le64(&space, 0x100001, 1);
    vdf_space_copy_out(&space, 0x100000 + MANY * PAGE - 1, bytes, 2);
    dirty_are(MANY, MANY);
}

Test(space_dirty, another_process_marks_nothing_of_its_own)
{
    space.one.mem = NULL;
    space.one.remote = &remote;
    space.one.addr = 0x20000;
    space.one.len = 2 * PAGE;
    calls_left = 2;
    cr_assert(vdf_space_copy_out(&space, 0x20000 + PAGE, "a", 1));
    dirty_are(1, 1);
    cr_assert(vdf_space_store_le16(&space, 0x20000, 1));
    dirty_are(0, 0);
}

/* Any part of the bitmap, and nothing beside it. */
Test(space_dirty, takes_a_part)
{
    struct vdf_random random = vdf_random_begin("takes_a_part", 1);

    for (unsigned round = 0; round < 2000; round++) {
        unsigned first = (unsigned)vdf_random_below(&random, MANY);
        unsigned n = 1 + (unsigned)vdf_random_below(&random, MANY - first);
        bool set[MANY] = { 0 };
        uint8_t bitmap[(MANY + 7) / 8 + 1];

        for (unsigned i = 0; i < MANY; i++) {
            set[i] = vdf_random_below(&random, 2);
            if (set[i])
                vdf_space_at(&space, 0x100000 + i * PAGE, 1, true);
        }
        memset(bitmap, 0xff, sizeof(bitmap));
        vdf_dirty_take(&space.one, first, n, bitmap);
        for (unsigned i = 0; i < (n + 7) / 8 * 8; i++)
            cr_assert_eq(bitmap[i / 8] >> i % 8 & 1, i < n && set[first + i]);
        cr_assert_eq(bitmap[(n + 7) / 8], 0xff, "past the result");
        vdf_dirty_take(&space.one, 0, MANY, bitmap);
        for (unsigned i = 0; i < MANY; i++)
            cr_assert_eq(bitmap[i / 8] >> i % 8 & 1, set[i] && (i < first || i >= first + n));
    }
}
