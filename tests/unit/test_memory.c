/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared memory: sizes, seals, sparseness, memory of other processes, tripwires. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <virtdevfs/memory.h>
#include <virtdevfs/tripwire.h>

#include "skip.h"

#define PAGE VDF_PAGE_SIZE

/* Bytes that the memory's pages really take. */
static uint64_t used(const struct vdf_memory *mem)
{
    struct stat st;
    cr_assert_eq(fstat(mem->fd, &st), 0);
    return (uint64_t)st.st_blocks * 512;
}

Test(memory, size_is_rounded_up_and_nothing_is_made)
{
    struct vdf_memory mem;
    vdf_memory_init(&mem, "test", 1);
    cr_assert_eq(mem.size, PAGE);
    cr_assert_null(mem.base);
    vdf_memory_init(&mem, "test", 2 * PAGE);
    cr_assert_eq(mem.size, 2 * PAGE);
    vdf_memory_free(&mem);
}

Test(memory, touch_makes_it_once_and_free_ends_it)
{
    struct vdf_memory mem;
    vdf_memory_init(&mem, "test", 3 * PAGE);
    cr_assert_eq(vdf_memory_touch(&mem), 0);
    uint8_t *base = mem.base;
    int fd = mem.fd;
    cr_assert_eq(vdf_memory_touch(&mem), 0);
    cr_assert_eq(mem.base, base);
    for (unsigned i = 0; i < 3 * PAGE; i++)
        cr_assert_eq(base[i], 0);
    cr_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    vdf_memory_free(&mem);
    cr_assert_null(mem.base);
    cr_assert_eq(fcntl(fd, F_GETFD), -1);
    vdf_memory_free(&mem);
}

Test(memory, kinds)
{
    uint8_t bytes[PAGE] = { 0 };
    struct vdf_memory own, larger, view;

    vdf_memory_init(&own, "test", PAGE);
    vdf_memory_init(&larger, "test", 2 * PAGE);
    vdf_memory_view(&view, "test", bytes, sizeof(bytes));
    cr_assert(vdf_memory_same_kind(&own, &own));
    cr_assert(vdf_memory_same_kind(&view, &view));
    cr_assert(!vdf_memory_same_kind(&own, &larger));
    cr_assert(!vdf_memory_same_kind(&own, &view));
    /* Nothing to see is not memory that could be made. */
    vdf_memory_view(&view, "test", NULL, PAGE);
    cr_assert_eq(vdf_memory_touch(&view), -ENOMEM);
}

Test(memory, a_view_stays_somebody_elses)
{
    uint8_t bytes[PAGE] = { [7] = 0x5a }, read[4];
    struct vdf_memory mem;
    uint64_t end;

    vdf_memory_view(&mem, "test", bytes, sizeof(bytes));
    cr_assert_eq(vdf_memory_touch(&mem), 0);
    cr_assert_eq(mem.base, bytes);
    cr_assert_eq(vdf_memory_read(&mem, 5, read, 4), 0);
    cr_assert_arr_eq(read, ((uint8_t[]){ 0, 0, 0x5a, 0 }), 4);
    cr_assert_eq(vdf_memory_data(&mem, 0, &end), 0);
    cr_assert_eq(end, PAGE);

    struct vdf_memory other;
    vdf_memory_init(&other, "test", PAGE);
    cr_assert_eq(vdf_memory_touch(&other), 0);
    other.base[1] = 1;
    cr_assert_eq(vdf_memory_swap_in(&mem, &other), 0);
    cr_assert_eq(bytes[1], 1);
    cr_assert_eq(bytes[7], 0);
    vdf_memory_free(&other);
    vdf_memory_free(&mem);
    cr_assert_null(mem.base);
    cr_assert_eq(bytes[1], 1);
}

Test(memory, read_makes_nothing)
{
    struct vdf_memory mem;
    uint8_t bytes[16];

    vdf_memory_init(&mem, "test", 2 * PAGE);
    memset(bytes, 0xff, sizeof(bytes));
    cr_assert_eq(vdf_memory_read(&mem, PAGE, bytes, sizeof(bytes)), 0);
    cr_assert_null(mem.base);
    cr_assert_eq(bytes[0] | bytes[15], 0);
    cr_assert_eq(vdf_memory_touch(&mem), 0);
    mem.base[PAGE] = 3;
    cr_assert_eq(vdf_memory_read(&mem, PAGE, bytes, sizeof(bytes)), 0);
    cr_assert_eq(bytes[0], 3);
    cr_assert_eq(vdf_memory_read(&mem, 0, bytes, sizeof(bytes)), 0);
    cr_assert_eq(used(&mem), PAGE);
    vdf_memory_free(&mem);
}

/* Where there are no huge pages it is of ordinary ones, and otherwise all is the same. */
Test(memory, huge_pages_are_a_preference)
{
    struct vdf_memory mem;
    uint8_t byte;
    uint64_t end;

    vdf_memory_init(&mem, "test", 3 * PAGE);
    mem.prefer_huge = true;
    cr_assert_eq(vdf_memory_touch(&mem), 0);
    cr_assert(mem.huge == 0 || (mem.huge >= 2 * PAGE && (uintptr_t)mem.base % mem.huge == 0));
    mem.base[3 * PAGE - 1] = 9;
    cr_assert_eq(vdf_memory_read(&mem, 3 * PAGE - 1, &byte, 1), 0);
    cr_assert_eq(byte, 9);
    cr_assert_lt(vdf_memory_data(&mem, 0, &end), 3 * PAGE);
    cr_assert_leq(end, 3 * PAGE);
    cr_assert_null(vdf_memory_at(&mem, 3 * PAGE, 1));
    vdf_memory_free(&mem);
    cr_assert_eq(mem.huge, 0);
}

Test(memory, its_size_is_sealed)
{
    struct vdf_memory mem;
    vdf_memory_init(&mem, "test", PAGE);
    cr_assert_eq(vdf_memory_touch(&mem), 0);
    cr_assert_eq(ftruncate(mem.fd, 0), -1);
    cr_assert_eq(errno, EPERM);
    cr_assert_eq(ftruncate(mem.fd, 2 * PAGE), -1);
    cr_assert_eq(errno, EPERM);
    cr_assert_eq(fcntl(mem.fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
    cr_assert_eq(errno, EPERM);
    vdf_memory_free(&mem);
}

Test(memory, sizes_that_cannot_be_are_refused)
{
    static const uint64_t sizes[] = { 0, VDF_MEMORY_MAX + 1, UINT64_MAX, UINT64_MAX - PAGE };
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        struct vdf_memory mem;
        vdf_memory_init(&mem, "test", sizes[i]);
        cr_assert_eq(vdf_memory_touch(&mem), -ENOMEM, "%#lx", (unsigned long)sizes[i]);
        cr_assert_null(vdf_memory_at(&mem, 0, 1));
        cr_assert_null(mem.base);
        vdf_memory_free(&mem);
    }
    struct vdf_memory largest;
    vdf_memory_init(&largest, "test", VDF_MEMORY_MAX);
    cr_assert_eq(vdf_memory_touch(&largest), 0);
    cr_assert_eq(used(&largest), 0);
    vdf_memory_free(&largest);
}

Test(memory, without_descriptors_nothing_is_left)
{
    struct rlimit limit, none;
    getrlimit(RLIMIT_NOFILE, &limit);
    none = limit;
    none.rlim_cur = 0;
    struct vdf_memory mem;
    vdf_memory_init(&mem, "test", PAGE);
    setrlimit(RLIMIT_NOFILE, &none);
    int rc = vdf_memory_touch(&mem);
    setrlimit(RLIMIT_NOFILE, &limit);
    cr_assert_eq(rc, -EMFILE);
    cr_assert_null(mem.base);
    cr_assert_eq(vdf_memory_touch(&mem), 0, "and it can be tried again");
    vdf_memory_free(&mem);
}

Test(memory, at_is_checked)
{
    struct vdf_memory mem;
    vdf_memory_init(&mem, "test", 2 * PAGE);
    cr_assert_null(vdf_memory_at(&mem, 2 * PAGE, 1));
    cr_assert_null(vdf_memory_at(&mem, 2 * PAGE - 1, 2));
    cr_assert_null(vdf_memory_at(&mem, 0, 2 * PAGE + 1));
    cr_assert_null(vdf_memory_at(&mem, 1, UINT64_MAX));
    cr_assert_null(vdf_memory_at(&mem, UINT64_MAX, 1));
    cr_assert_null(vdf_memory_at(&mem, UINT64_MAX, UINT64_MAX));
    cr_assert_null(mem.base, "a refusal touches nothing");
    cr_assert_not_null(vdf_memory_at(&mem, 0, 2 * PAGE));
    cr_assert_eq(vdf_memory_at(&mem, 2 * PAGE - 1, 1), mem.base + 2 * PAGE - 1);
    vdf_memory_free(&mem);
}

Test(memory, data_finds_what_was_written)
{
    struct vdf_memory mem;
    uint64_t end;
    vdf_memory_init(&mem, "test", 8 * PAGE);
    cr_assert_eq(vdf_memory_data(&mem, 0, &end), 8 * PAGE);
    cr_assert_eq(vdf_memory_touch(&mem), 0);
    cr_assert_eq(vdf_memory_data(&mem, 0, &end), 8 * PAGE);
    mem.base[2 * PAGE] = 1;
    mem.base[4 * PAGE - 1] = 1;
    mem.base[7 * PAGE] = 1;
    cr_assert_eq(vdf_memory_data(&mem, 0, &end), 2 * PAGE);
    cr_assert_eq(end, 4 * PAGE);
    cr_assert_eq(vdf_memory_data(&mem, end, &end), 7 * PAGE);
    cr_assert_eq(end, 8 * PAGE);
    cr_assert_eq(vdf_memory_data(&mem, end, &end), 8 * PAGE);
    cr_assert_eq(vdf_memory_data(&mem, UINT64_MAX, &end), 8 * PAGE);
    cr_assert_eq(used(&mem), 3 * PAGE);
    vdf_memory_free(&mem);
}

/* --- swapping in ------------------------------------------------------------------------------ */

/* Which of eight pages are touched, and with what: '.' not, '0' with zeros, 'a' with letters. */
static void fill(struct vdf_memory *mem, const char *pages)
{
    vdf_memory_init(mem, "test", strlen(pages) * PAGE);
    for (unsigned i = 0; pages[i]; i++)
        if (pages[i] != '.')
            memset(vdf_memory_at(mem, i * PAGE, PAGE), pages[i] == '0' ? 0 : pages[i], PAGE);
}

static void is_now(struct vdf_memory *mem, const char *pages)
{
    cr_assert_eq(mem->size, strlen(pages) * PAGE);
    for (unsigned i = 0; pages[i]; i++) {
        const char *page = vdf_memory_at(mem, i * PAGE, PAGE);
        char wanted = pages[i] == '.' || pages[i] == '0' ? 0 : pages[i];
        for (unsigned b = 0; b < PAGE; b++)
            cr_assert_eq(page[b], wanted, "page %u", i);
    }
}

struct swap {
    const char mem[16], other[16];
    unsigned pages; /* that the result may take */
};

static struct swap swaps[] = {
    { "aaaa", "bbbb", 4 }, { "aaaa", "....", 0 }, { "....", "....", 0 }, { "....", "b..b", 2 },
    { "a0.a", "0000", 0 }, { "....", "0000", 0 }, { "aa..", "..bb", 2 }, { "a.a.", ".b.b", 2 },
    { "abcd", "a0c.", 2 }, { "..a.", "0b0.", 1 }, { "aaaa", "b..0", 1 }, { "aaaa", "0..b", 1 },
};

ParameterizedTestParameters(memory, swap_in_keeps_descriptor_and_mapping)
{
    return cr_make_param_array(struct swap, swaps, sizeof(swaps) / sizeof(*swaps));
}

ParameterizedTest(struct swap *swap, memory, swap_in_keeps_descriptor_and_mapping)
{
    struct vdf_memory mem, other;
    fill(&mem, swap->mem);
    fill(&other, swap->other);
    cr_assert_eq(vdf_memory_touch(&mem), 0);
    int fd = mem.fd;
    uint8_t *base = mem.base;
    const char *theirs = mmap(NULL, mem.size, PROT_READ, MAP_SHARED, fd, 0);
    cr_assert_neq(theirs, MAP_FAILED);

    cr_assert_eq(vdf_memory_swap_in(&mem, &other), 0);
    cr_assert_eq(mem.fd, fd);
    cr_assert_eq(mem.base, base);
    cr_assert_leq(used(&mem), swap->pages * PAGE);
    is_now(&mem, swap->other);
    cr_assert_eq(memcmp(theirs, mem.base, mem.size), 0);
    vdf_memory_free(&other);
    is_now(&mem, swap->other);
    munmap((void *)theirs, mem.size);
    vdf_memory_free(&mem);
}

Test(memory, swap_in_of_untouched_memory)
{
    struct vdf_memory mem, other;
    fill(&mem, "..");
    fill(&other, "..");
    cr_assert_eq(vdf_memory_swap_in(&mem, &other), 0);
    cr_assert_null(mem.base, "nothing is made for nothing");
    vdf_memory_free(&other);

    fill(&other, ".b");
    cr_assert_eq(vdf_memory_swap_in(&mem, &other), 0);
    vdf_memory_free(&other);
    is_now(&mem, ".b");
    vdf_memory_free(&mem);
}

Test(memory, swap_in_of_another_size)
{
    struct vdf_memory mem, other;
    fill(&mem, "aa");
    fill(&other, "b.c");
    cr_assert_eq(vdf_memory_swap_in(&mem, &other), 0);
    vdf_memory_free(&other);
    is_now(&mem, "b.c");
    vdf_memory_init(&other, "test", PAGE);
    cr_assert_eq(vdf_memory_swap_in(&mem, &other), 0);
    vdf_memory_free(&other);
    is_now(&mem, ".");
    vdf_memory_free(&mem);
}

Test(memory, swap_in_of_large_sparse_memory_fills_no_pages)
{
    struct vdf_memory mem, other;
    vdf_memory_init(&mem, "test", VDF_MEMORY_MAX);
    vdf_memory_init(&other, "test", VDF_MEMORY_MAX);
    memset(vdf_memory_at(&mem, VDF_MEMORY_MAX / 2, PAGE), 'a', PAGE);
    memset(vdf_memory_at(&other, VDF_MEMORY_MAX - PAGE, PAGE), 'b', PAGE);
    cr_assert_eq(vdf_memory_swap_in(&mem, &other), 0);
    cr_assert_eq(used(&mem), PAGE);
    cr_assert_eq(used(&other), PAGE);
    cr_assert_eq(mem.base[VDF_MEMORY_MAX - 1], 'b');
    vdf_memory_free(&mem);
    vdf_memory_free(&other);
}

/* --- files ------------------------------------------------------------------------------------ */

Test(memory, file_of_a_memory_and_of_its_parts)
{
    struct vdf_memory mem, part;
    uint64_t offset = 1;

    vdf_memory_init(&mem, "test", 4 * PAGE);
    cr_assert_eq(vdf_memory_file(&mem, &offset), -1, "not made");
    memcpy(vdf_memory_at(&mem, 2 * PAGE, 4), "abc", 4);
    cr_assert_eq(vdf_memory_file(&mem, &offset), mem.fd);
    cr_assert_eq(offset, 0);
    vdf_memory_part(&part, "part", &mem, 2 * PAGE, PAGE);
    cr_assert_str_eq(vdf_memory_at(&part, 0, 4), "abc");
    cr_assert_null(vdf_memory_at(&part, PAGE, 1));
    cr_assert_eq(vdf_memory_file(&part, &offset), mem.fd);
    cr_assert_eq(offset, 2 * PAGE);
    vdf_memory_free(&part);
    cr_assert_eq(vdf_memory_file(&part, &offset), -1);
    vdf_memory_view(&part, "view", mem.base, PAGE);
    cr_assert_eq(vdf_memory_file(&part, &offset), -1, "a view of memory that is not known");
    vdf_memory_free(&mem);
}

/* --- tripwires -------------------------------------------------------------------------------- */

static bool is_tripped(const struct vdf_tripwire *wire, int ms)
{
    struct pollfd p = { .fd = wire->fd, .events = POLLIN };
    return poll(&p, 1, ms) == 1 && p.revents == POLLIN;
}

static void *store(void *arg)
{
    vdf_store_le32((uint8_t *)arg + 4, 7);
    return NULL;
}

Test(tripwire, tells_of_the_first_store_of_others_and_holds_it_up)
{
    struct vdf_memory mem;
    struct vdf_tripwire wire = { 0 };
    vdf_memory_init(&mem, "test", PAGE);
    cr_assert_eq(vdf_tripwire_open(&wire, &mem), -EINVAL, "there is no memory yet");
    cr_assert_eq(vdf_memory_touch(&mem), 0);
    int ret = vdf_tripwire_open(&wire, &mem);
    if (ret)
        skip_test("userfaultfd: %s", strerror(-ret));

    /* Twice: with an untouched page, and with one that is present. */
    for (unsigned round = 0; round < 2; round++) {
        vdf_store_le32(mem.base + 4, 0);
        vdf_tripwire_set(&wire);
        vdf_tripwire_set(&wire);
        cr_assert(wire.set);
        cr_assert(!is_tripped(&wire, 0));
        vdf_store_le32(mem.base, 5 + round);
        cr_assert_eq(vdf_load_le32(wire.mem.base), 5 + round, "the device's own stores go on");
        cr_assert(!is_tripped(&wire, 0));

        pthread_t thread;
        cr_assert_eq(pthread_create(&thread, NULL, store, wire.mem.base), 0);
        cr_assert(is_tripped(&wire, 10000));
        cr_assert_eq(vdf_load_le32(mem.base + 4), 0, "the store waits");
        vdf_tripwire_clear(&wire);
        cr_assert_eq(pthread_join(thread, NULL), 0);
        cr_assert_eq(vdf_load_le32(mem.base + 4), 7);
        cr_assert(!is_tripped(&wire, 0));
    }

    vdf_tripwire_set(&wire);
    vdf_tripwire_close(&wire);
    cr_assert_null(wire.mem.base);
    vdf_tripwire_close(&wire);
    cr_assert_eq(vdf_load_le32(mem.base + 4), 7);
    vdf_memory_free(&mem);
}

Test(memory, its_file_ends_where_it_was_asked_to)
{
    struct vdf_memory mem;
    uint8_t bytes[8] = { 0 };
    vdf_memory_init(&mem, "test", 64);
    cr_assert_eq(mem.length, 64);
    cr_assert_eq(vdf_memory_touch(&mem), 0);
    mem.base[60] = 1;
    mem.base[PAGE - 1] = 2;
    struct stat st;
    cr_assert_eq(fstat(mem.fd, &st), 0);
    cr_assert_eq(st.st_size, 64);
    cr_assert_eq(pread(mem.fd, bytes, sizeof(bytes), 60), 4);
    cr_assert_eq(bytes[0], 1);
    cr_assert_lt(pwrite(mem.fd, bytes, sizeof(bytes), 64), 0);
    vdf_memory_free(&mem);
}

Test(memory, its_file_has_the_time_of_the_last_write)
{
    struct vdf_memory mem;
    struct stat st;
    vdf_memory_init(&mem, "test", PAGE);
    cr_assert_eq(vdf_memory_touch(&mem), 0);
    cr_assert_eq(fstat(mem.fd, &st), 0);
    cr_assert_eq(st.st_mtim.tv_sec, 0);
    cr_assert_eq(pwrite(mem.fd, "x", 1, 0), 1);
    cr_assert_eq(fstat(mem.fd, &st), 0);
    cr_assert_gt(st.st_mtim.tv_sec, 0);
    vdf_memory_free(&mem);
}
