/* SPDX-License-Identifier: GPL-2.0-or-later */
/* VCMDQs: allocation, the ring, errors and their acknowledgement, the page, the register window. */
#include <fcntl.h>
#include <poll.h>

#include "test_hwqueue.h"

TestSuite(hwqueue, .fini = vdf_test_tree_free);

Test(hwqueue, defaults)
{
    vdf_test_tree(false);
    is(DEV "type", "tegra241-cmdqv");
    is(DEV "backend", "soft");
    is(DEV "memory_size", "2097152");
    is(DEV "doorbell", "mapped");
    is(DEV "global/config", "0x00000001");
    is(DEV "global/status", "0x00000001");
    is(DEV "global/param", "0x00004011");
    is(DEV "vintf/config", "0x00000001");
    is(DEV "vintf/status", "0x00020001");
    is(DEV "vintf/err_map", "0x0000000000000000");
    is(DEV "hw_info", "type = 3\nflags = 0x00000000\nversion = 1\nlog2vcmdqs = 1\nlog2vsids = 4");
    is(DEV "iotlb/entries", "");
    is(DEV "ioas/mappings", "");
    cr_assert(!vdf_test_exists(DEV "queues/cmd"));
    cr_assert(!vdf_test_exists(DEV "queues/0"));
    cr_assert(!vdf_test_exists(DEV "control"));
    refused(DEV "backend", "iommufd", ENODEV, "host is empty");
    refused(DEV "global/param", "0", EINVAL, "0x4011");
    put(DEV "global/param", "0x4011");
}

Test(hwqueue, queues_are_made_in_order)
{
    vdf_test_tree(false);
    cr_assert_eq(vdf_test_mkdir(DEV "queues/1"), -EIO);
    cr_assert(strstr(vdf_test_last_error(), "queue 0 is made before it"));
    cr_assert_eq(vdf_test_mkdir(DEV "queues/2"), -EINVAL);
    cr_assert_eq(vdf_test_mkdir(DEV "queues/cmd"), -EINVAL);
    cr_assert_eq(vdf_test_mkdir(DEV "queues/00"), -EINVAL);
    cr_assert_eq(vdf_test_mkdir(DEV "queues/0"), 0);
    cr_assert_eq(vdf_test_mkdir(DEV "queues/0"), -EEXIST);
    cr_assert_eq(vdf_test_mkdir(DEV "queues/1"), 0);
    cr_assert_eq(vdf_test_rmdir(DEV "queues/0"), -EBUSY);
    refused(DEV "type", "amd", EBUSY, "before the first queue");
    cr_assert_eq(vdf_test_rmdir(DEV "queues/1"), 0);
    cr_assert_eq(vdf_test_rmdir(DEV "queues/0"), 0);
    put(DEV "type", "amd");
    cr_assert_neq(vdf_test_mkdir(DEV "queues/0"), 0);
}

Test(hwqueue, allocation_errnos)
{
    vdf_test_tree(false);
    cr_assert_eq(vdf_test_mkdir(DEV "queues/0"), 0);
    cr_assert_eq(vdf_test_mkdir(DEV "queues/1"), 0);
    put(Q0 "log2size", "8");

    put(Q0 "base", "0x100000");
    refused(Q0 "enable", "1", ENOENT, "nothing is mapped at 0x100000");
    put(Q0 "base", "0xfffffffffffff800");
    refused(Q0 "enable", "1", EOVERFLOW, "exceed 64 bits");
    /* Two neighbours in I/O addresses that are none in memory. */
    put(DEV "ioas/map", "0x100000 0x1000 0x3000");
    put(Q0 "base", "0x100000");
    put(Q0 "log2size", "9");
    refused(Q0 "enable", "1", ENOENT, "nothing is mapped at 0x101000");
    put(DEV "ioas/map", "0x101000 0x1000 0x8000");
    refused(Q0 "enable", "1", EFAULT, "not contiguous");
    put(DEV "ioas/unmap", "0x101000 0x1000");
    put(DEV "ioas/map", "0x101000 0x1000 0x4000");
    put(Q0 "base", "0x100800");
    put(Q0 "log2size", "8");
    refused(Q0 "enable", "1", EINVAL, "multiple of the ring's length");
    refused(Q0 "log2size", "0", EINVAL, "2^1 to 2^19");
    refused(Q0 "log2size", "20", EINVAL, "2^1 to 2^19");
    refused(Q0 "log2size", "256", ERANGE, "");

    put(Q0 "base", "0x100000");
    put(Q1 "base", "0x101000");
    refused(Q1 "enable", "1", EIO, "queue 0 is enabled before queue 1");
    put(Q0 "enable", "1");
    put(Q0 "enable", "1");
    put(Q1 "enable", "1");
    refused(Q0 "enable", "0", EBUSY, "queue 1");
    refused(Q0 "base", "0x101000", EBUSY, "enabled");
    refused(Q0 "log2size", "7", EBUSY, "enabled");
    put(Q0 "base", "0x100000");

    cr_assert_eq(vdf_test_write(DEV "ioas/unmap", "0x100000 0x1000"), -EBUSY);
    cr_assert(strstr(vdf_test_last_error(), "a queue uses the mapping"));
    cr_assert_eq(vdf_test_write(DEV "ioas/unmap", "0 0xffffffffffffffff"), -EBUSY);
    put(Q1 "enable", "0");
    put(DEV "ioas/unmap", "0x101000 0x1000");
    put(Q0 "enable", "0");
    put(DEV "ioas/unmap", "0 0xffffffffffffffff");
    is(DEV "ioas/mappings", "");
}

Test(hwqueue, ring_wraps)
{
    start_queue("2");
    cr_assert_eq(vdf_test_pwrite(Q0 "entries", "x", 1, 64), -EFBIG);
    for (unsigned k = 0; k < 4; k++)
        command(k, k % 2 ? SYNC : TLBI_NH_ASID(1), 0);
    put(Q0 "prod", "4");
    is(Q0 "cons", "0x00000004");
    is(DEV "commands", "4");
    is(DEV "tlbi", "2");
    is(DEV "sync", "2");
    /* Position 6 is slot 2 of the second time around, 1 the next time around. */
    put(Q0 "prod", "6");
    is(Q0 "cons", "0x00000006");
    put(Q0 "prod", "1");
    is(Q0 "cons", "0x00000001");
    is(DEV "commands", "9");
    put(Q0 "prod", "1");
    is(DEV "commands", "9");
    refused(Q0 "prod", "6", EINVAL, "5 commands ahead");
    refused(Q0 "prod", "0x100000", EINVAL, "reserved");
    refused(Q0 "cons", "0", EBUSY, "the device's");
    is(DEV "commands", "9");
}

Test(hwqueue, illegal_commands_stop_the_queue)
{
    static const uint64_t illegal[] = {
        0x00, 0x01, 0x03, 0x04, 0x05, 0x06, 0x10, 0x13,           0x20,           0x21,
        0x22, 0x28, 0x2a, 0x30, 0x41, 0x44, 0xff, 0x46 | 1 << 12, 0x46 | 2 << 12,
    };
    uint64_t gerror = 0;

    start_queue("8");
    for (unsigned k = 0; k < sizeof(illegal) / sizeof(illegal[0]); k++) {
        char cons[24];
        run(SYNC, 0);
        run(illegal[k], 0);
        snprintf(cons, sizeof(cons), "0x%08x", 2 * k + 1 + (1u << 24));
        is(Q0 "cons", cons);
        is(Q0 "error", "ILL");
        gerror ^= 1;
        cr_assert_eq(number(Q0 "gerror"), gerror);
        cr_assert_neq(number(Q0 "gerrorn"), gerror);
        is(DEV "vintf/err_map", "0x0000000000000001");
        is(DEV "vintf/status", "0x00020003");
        is(DEV "interrupt", "1");
        cr_assert(strstr(vdf_test_last_error(), "queues/0"), "%s", vdf_test_last_error());
        /* As Linux recovers: the entry becomes a CMD_SYNC, the error is acknowledged. */
        command(2 * k + 1, SYNC, 0);
        vdf_test_write_u64(Q0 "gerrorn", gerror);
        cr_assert_eq(number(Q0 "cons"), 2 * k + 2);
        is(Q0 "error", "none");
        is(DEV "vintf/err_map", "0x0000000000000000");
        is(DEV "interrupt", "0");
    }
    cr_assert_eq(number(DEV "illegal"), sizeof(illegal) / sizeof(illegal[0]));
    cr_assert_eq(number(DEV "sync"), 2 * sizeof(illegal) / sizeof(illegal[0]));
}

Test(hwqueue, nothing_runs_before_the_acknowledgement)
{
    start_queue("8");
    run(0x30, 0);
    run(SYNC, 0);
    is(Q0 "cons", "0x01000000");
    is(DEV "sync", "0");
    /* Acknowledged without a repair, it stops there again. */
    put(Q0 "gerrorn", "1");
    is(Q0 "cons", "0x01000000");
    is(Q0 "gerror", "0x00000000");
    is(DEV "illegal", "2");
    refused(Q0 "gerrorn", "8", EINVAL, "reserved");
    command(0, SYNC, 0);
    put(Q0 "gerrorn", "0");
    is(Q0 "cons", "0x00000002");
    is(DEV "sync", "2");
}

Test(hwqueue, made_errors)
{
    start_queue("8");
    put(Q0 "gerror", "1");
    run(SYNC, 0);
    is(Q0 "cons", "0x00000000");
    is(DEV "interrupt", "1");
    put(Q0 "gerror", "0");
    is(Q0 "cons", "0x00000001");
    is(DEV "interrupt", "0");
    /* Taken back, an error is as acknowledged. */
    run(0x30, 0);
    command(1, SYNC, 0);
    put(Q0 "gerror", "0");
    is(Q0 "cons", "0x00000002");
    is(Q0 "error", "none");
    refused(Q0 "gerror", "8", EINVAL, "reserved");
}

Test(hwqueue, aborted_fetches)
{
    start_queue("8");
    put(Q0 "fetch_abort", "1");
    run(SYNC, 0);
    is(Q0 "cons", "0x02000000");
    is(Q0 "error", "ABT");
    put(Q0 "fetch_abort", "0");
    is(Q0 "cons", "0x02000000");
    put(Q0 "gerrorn", "1");
    is(Q0 "cons", "0x00000001");
    is(DEV "illegal", "0");
}

Test(hwqueue, streams_are_translated)
{
    start_queue("8");
    run(ATC_INV(7), 52);
    is(Q0 "error", "ILL_ACCESS");
    is(Q0 "cons", "0x04000000");
    is(DEV "illegal", "1");
    cr_assert(strstr(vdf_test_last_error(), "stream 7"));

    cr_assert_eq(vdf_test_mkdir(DEV "vdevices/7"), 0);
    is(DEV "vdevices/7/psid", "7");
    put(DEV "vdevices/7/psid", "0x21");
    cr_assert_eq(vdf_test_mkdir(DEV "vdevices/7"), -EEXIST);
    cr_assert_eq(vdf_test_mkdir(DEV "vdevices/0x7"), -EEXIST);
    cr_assert_eq(vdf_test_mkdir(DEV "vdevices/dev7"), -EINVAL);
    cr_assert_eq(vdf_test_mkdir(DEV "vdevices/1048576"), -EINVAL);
    refused(DEV "vdevices/7/psid", "0x100000", EINVAL, "1048575");
    put(DEV "iotlb/atc_insert", "0x21 0 0x1000 0x1000");
    put(DEV "iotlb/atc_insert", "7 0 0x1000 0x1000");
    put(Q0 "gerrorn", "1");
    is(Q0 "cons", "0x00000001");
    is(DEV "iotlb/atc_entries", "7 0 0x1000 0x1000");
    is(DEV "atc_inv", "1");

    cr_assert_eq(vdf_test_rmdir(DEV "vdevices/7"), 0);
    run(ATC_INV(7), 52);
    is(Q0 "error", "ILL_ACCESS");
}

Test(hwqueue, unanswered_atc_invalidation)
{
    start_queue("8");
    cr_assert_eq(vdf_test_mkdir(DEV "vdevices/7"), 0);
    put(DEV "vdevices/7/atc_timeout", "1");
    run(ATC_INV(7), 52);
    is(Q0 "error", "none");
    run(SYNC, 0);
    is(Q0 "error", "ATC_INV_SYNC");
    is(Q0 "cons", "0x03000001");
    is(DEV "sync", "0");
    put(Q0 "gerrorn", "1");
    is(Q0 "cons", "0x00000002");
    is(DEV "sync", "1");
    is(DEV "illegal", "0");
}

Test(hwqueue, stream_registers_run_out)
{
    char path[64];

    vdf_test_tree(false);
    for (unsigned k = 0; k < 16; k++) {
        snprintf(path, sizeof(path), DEV "vdevices/%u", 100 + k);
        cr_assert_eq(vdf_test_mkdir(path), 0);
    }
    cr_assert_eq(vdf_test_mkdir(DEV "vdevices/99"), -ENOSPC);
    cr_assert_eq(vdf_test_rmdir(DEV "vdevices/103"), 0);
    cr_assert_eq(vdf_test_mkdir(DEV "vdevices/99"), 0);
    is(DEV "vdevices/99/slot", "3");

    uint64_t value;
    cr_assert_eq(vdf_test_reg_read(DEV "regs", 0x1040 + 4 * 3, 4, &value), 0);
    cr_assert_eq(value, 1 | 99 << 1);
    put(DEV "vdevices/99/psid", "0xabcde");
    cr_assert_eq(vdf_test_reg_read(DEV "regs", 0x1080 + 4 * 3, 4, &value), 0);
    cr_assert_eq(value, 0xabcde);
}

Test(hwqueue, what_enables_a_queue)
{
    start_queue("8");
    put(DEV "vintf/config", "0");
    is(Q0 "status", "0x00000000");
    run(SYNC, 0);
    is(Q0 "cons", "0x00000000");
    put(DEV "vintf/config", "1");
    is(Q0 "status", "0x00000001");
    is(Q0 "cons", "0x00000001");
    put(DEV "global/config", "0");
    is(Q0 "status", "0x00000000");
    is(DEV "global/status", "0x00000000");
    put(DEV "global/config", "1");
    put(Q0 "config", "0");
    is(Q0 "status", "0x00000000");
    is(Q0 "enable", "1");
    put(Q0 "cons", "0");
    put(Q0 "prod", "0");
    put(Q0 "config", "1");
    is(Q0 "status", "0x00000001");
    is(DEV "commands", "1");
    refused(Q0 "status", "0", EINVAL, "STATUS");
    put(Q0 "enable", "0");
    is(Q0 "config", "0x00000000");
    is(Q0 "status", "0x00000000");
    is(Q0 "base", "0x0000000000100000");
    refused(DEV "vintf/config", "0x40000", EINVAL, "reserved");
    refused(DEV "global/config", "0x200000", EINVAL, "reserved");
}

Test(hwqueue, guest_allocates_by_enabling)
{
    vdf_test_tree(false);
    cr_assert_eq(vdf_test_mkdir(DEV "queues/0"), 0);
    put(Q0 "base", "0x5000");
    put(Q0 "config", "1");
    is(Q0 "enable", "0");
    is(Q0 "status", "0x00000000");
    is(Q0 "gerror", "0x00000004");
    put(Q0 "config", "0");
    put(Q0 "gerrorn", "4");
    put(DEV "ioas/map", "0x5000 0x1000");
    put(Q0 "config", "1");
    is(Q0 "enable", "1");
    is(Q0 "status", "0x00000001");
    is(Q0 "gerror", "0x00000004");
}

Test(hwqueue, cons_is_stored_in_memory)
{
    uint8_t bytes[4];

    start_queue("8");
    put(Q0 "cons_base", "0x104000");
    run(SYNC, 0);
    cr_assert_eq(vdf_test_pread(DEV "memory", bytes, 4, 0x4000), 4);
    cr_assert_eq(bytes[0], 0);
    put(DEV "global/config", "0x100001");
    run(SYNC, 0);
    cr_assert_eq(vdf_test_pread(DEV "memory", bytes, 4, 0x4000), 4);
    cr_assert_eq(bytes[0], 2);
    put(Q0 "cons_base", "0x900000");
    run(SYNC, 0);
    is(Q0 "cons", "0x00000003");
    is(Q0 "gerror", "0x00000002");
    put(Q0 "gerrorn", "2");
    run(SYNC, 0);
    is(Q0 "gerror", "0x00000000");
    is(DEV "sync", "4");
}

static uint32_t page_word(unsigned offset)
{
    uint32_t word;
    cr_assert_eq(vdf_test_pread(Q0 "page", &word, 4, offset), 4);
    return le32toh(word);
}

static void page_store(unsigned offset, uint32_t value)
{
    uint32_t word = htole32(value);
    cr_assert_eq(vdf_test_pwrite(Q0 "page", &word, 4, offset), 4);
}

Test(hwqueue, page_has_the_registers)
{
    start_queue("8");
    command(0, SYNC, 0);
    command(1, 0x30, 0);
    page_store(0x4, 1);
    is(Q0 "prod", "0x00000001");
    is(Q0 "cons", "0x00000001");
    cr_assert_eq(page_word(0x0), 1);
    cr_assert_eq(page_word(0xc), 1);
    page_store(0x4, 2);
    cr_assert_eq(page_word(0x0), 1 | 1 << 24);
    cr_assert_eq(page_word(0x10), 1);
    /* Of the device's words nothing changes. */
    page_store(0x0, 0x77);
    page_store(0xc, 0);
    page_store(0x10, 0);
    page_store(0x800, 5);
    cr_assert_eq(page_word(0x0), 1 | 1 << 24);
    cr_assert_eq(page_word(0xc), 1);
    cr_assert_eq(page_word(0x10), 1);
    cr_assert_eq(page_word(0x800), 0);
    command(1, SYNC, 0);
    page_store(0x14, 1);
    cr_assert_eq(page_word(0x0), 2);
    put(Q0 "prod", "2");
    cr_assert_eq(page_word(0x4), 2);
    /* A disabled queue is set up by its driver, CONS too. */
    page_store(0x8, 0);
    cr_assert_eq(page_word(0xc), 0);
    page_store(0x0, 0);
    page_store(0x4, 0);
    page_store(0x8, 1);
    is(Q0 "cons", "0x00000000");
    is(Q0 "status", "0x00000001");
    is(DEV "commands", "2");
    /* One write over two registers, and one that begins in the middle of one. */
    const uint8_t half[3] = { 0, 1, 0 };
    cr_assert_eq(vdf_test_pwrite(Q0 "page", half, 3, 0x3), 3);
    cr_assert_eq(number(Q0 "prod"), 1);
    cr_assert_eq(number(Q0 "cons"), 1);
}

Test(hwqueue, wild_prod_through_the_page)
{
    start_queue("4");
    page_store(0x4, 0x1f);
    is(Q0 "cons", "0x00000000");
    cr_assert(strstr(vdf_test_last_error(), "commands ahead of CONS"));
    command(0, SYNC, 0);
    page_store(0x4, 0xfff00001);
    is(Q0 "cons", "0x00000001");
}

Test(hwqueue, open_page_holds_the_queue)
{
    int error;

    start_queue("4");
    struct vdf_test_file *file = vdf_test_open(Q0 "page", O_RDWR, &error);
    cr_assert_not_null(file);
    cr_assert_eq(vdf_test_rmdir(DEV "queues/0"), -EBUSY);
    vdf_test_close(file);
    cr_assert_eq(vdf_test_rmdir(DEV "queues/0"), 0);
}

static uint32_t vintf_word(unsigned offset)
{
    uint32_t word;
    cr_assert_eq(vdf_test_pread(DEV "vintf/page0", &word, 4, offset), 4);
    return le32toh(word);
}

static void vintf_store(unsigned offset, uint32_t value)
{
    uint32_t word = htole32(value);
    cr_assert_eq(vdf_test_pwrite(DEV "vintf/page0", &word, 4, offset), 4);
}

/* The VINTF's page and each queue's own have the same registers, whichever is stored to. */
Test(hwqueue, page_of_the_vintf)
{
    start_queue("4");
    cr_assert_eq(vintf_word(0xc), 1);
    cr_assert_eq(vintf_word(0x8c), 0);
    command(0, SYNC, 0);
    command(1, 0x30, 0);
    vintf_store(0x4, 1);
    is(Q0 "cons", "0x00000001");
    cr_assert_eq(page_word(0x4), 1);
    page_store(0x4, 2);
    cr_assert_eq(vintf_word(0x0), 1 | 1 << 24);
    cr_assert_eq(vintf_word(0x4), 2);
    cr_assert_eq(vintf_word(0x10), 1);
    command(1, SYNC, 0);
    vintf_store(0x14, 1);
    is(Q0 "cons", "0x00000002");
    cr_assert_eq(page_word(0x14), 1);
    put(Q0 "prod", "3");
    cr_assert_eq(vintf_word(0x4), 3);

    /* The other queue at 0x80, once it is there, and the device's words are its own. */
    vintf_store(0x84, 7);
    cr_assert_eq(vintf_word(0x84), 0);
    cr_assert_eq(vdf_test_mkdir(DEV "queues/1"), 0);
    put(Q1 "base", "0x102000");
    put(Q1 "log2size", "4");
    vintf_store(0x88, 1);
    is(Q1 "status", "0x00000001");
    vintf_store(0x8c, 0);
    cr_assert_eq(vintf_word(0x8c), 1);
    const uint32_t both[2] = { htole32(9), htole32(5) };
    cr_assert_eq(vdf_test_pwrite(DEV "vintf/page0", both, 8, 0x80), 8);
    is(Q1 "prod", "0x00000005");

    /* A state has what was stored there, and a restore puts it back. */
    char *state = strdup(vdf_test_read(DEV "state"));
    cr_assert_eq(vdf_test_rmdir(DEV "queues/1"), 0);
    cr_assert_eq(vintf_word(0x84), 0);
    vintf_store(0x8, 0);
    cr_assert_eq(vdf_test_write(DEV "state", state), 0, "%s", vdf_test_last_error());
    free(state);
    cr_assert_eq(vintf_word(0x84), 5);
    cr_assert_eq(vintf_word(0xc), 1);
    /* A queue that is not allocated to the VINTF is not visible there. */
    cr_assert_eq(vdf_test_reg_write(DEV "regs", 0x204, 4, 0), 0);
    cr_assert_eq(vintf_word(0x84), 0);
    vintf_store(0x84, 1);
    is(Q1 "prod", "0x00000005");
    cr_assert_eq(vdf_test_reg_write(DEV "regs", 0x204, 4, 3), 0);
    cr_assert_eq(vintf_word(0x84), 5);
    cr_assert_eq(vintf_word(0xfffc), 0);
}

/* The error that is taken away while the queue is stopped is gone, whether the page was read or
 * not. */
Test(hwqueue, error_taken_away_while_stopped)
{
    for (unsigned page = 0; page < 2; page++) {
        start_queue("4");
        run(0x30, 0);
        put(Q0 "config", "0");
        if (page)
            cr_assert_eq(page_word(0x0), 1 << 24);
        is(Q0 "error", "ILL");
        put(Q0 "gerror", "0");
        is(Q0 "error", "none");
        is(Q0 "cons", "0x00000000");
        cr_assert_eq(page_word(0x0), 0);
        vdf_test_tree_free();
    }
}

/* CONS has an index and a wrap bit, and HW_QUEUE_DESTROY leaves no address behind. */
Test(hwqueue, cons_of_a_stopped_queue)
{
    start_queue("4");
    put(Q0 "cons_base", "0x108000");
    put(Q0 "config", "0");
    put(Q0 "cons", "0xfffff");
    is(Q0 "cons", "0x0000001f");
    cr_assert_eq(vdf_test_reg_write(DEV "regs", 0x10000, 4, 0x01000ff3), 0);
    is(Q0 "cons", "0x01000013");
    page_store(0x0, 0xfffe0);
    is(Q0 "cons", "0x00000000");
    put(Q0 "enable", "0");
    is(Q0 "cons_base", "0x0000000000000000");
    is(Q0 "base", "0x0000000000100000");
}

/* A guest stores what it likes, and files take what they print. */
Test(hwqueue, values_of_a_guest_can_be_written_back)
{
    start_queue("4");
    put(Q0 "config", "0");
    put(Q0 "prod", "25");
    put(Q0 "config", "1");
    is(Q0 "prod", "0x00000019");
    is(Q0 "cons", "0x00000000");
    put(Q0 "prod", "0x00000019");
    refused(Q0 "prod", "26", EINVAL, "26 commands ahead");
    put(Q0 "prod", "0");

    put(Q0 "config", "0");
    cr_assert_eq(vdf_test_reg_write(DEV "regs", 0x40000, 8, 31), 0);
    is(Q0 "log2size", "31");
    put(Q0 "log2size", "31");
    refused(Q0 "log2size", "30", EINVAL, "2^1 to 2^19");
    put(Q0 "base", "0x100000");
    refused(Q0 "enable", "1", ENOENT, "nothing is mapped");
}

Test(hwqueue, window)
{
    uint64_t value;

    vdf_test_tree(false);
    put(DEV "ioas/map", "0x100000 0x10000");
    /* As a guest's driver finds, allocates and starts a queue. */
    cr_assert_eq(vdf_test_reg_read(DEV "regs", 0x4, 4, &value), 0);
    cr_assert_eq(value, 0x4011);
    cr_assert_eq(vdf_test_reg_write(DEV "regs", 0x1000, 4, 0x20003), 0);
    is(DEV "vintf/config", "0x00000003");
    cr_assert_eq(vdf_test_reg_write(DEV "regs", 0x204, 4, 1 | 1 << 1), -EIO);
    cr_assert_eq(vdf_test_reg_write(DEV "regs", 0x200, 4, 1 | 1 << 1), -EINVAL);
    cr_assert_eq(vdf_test_reg_write(DEV "regs", 0x200, 4, 1), 0);
    cr_assert(vdf_test_exists(DEV "queues/0"));
    cr_assert_eq(vdf_test_reg_read(DEV "regs", 0x200, 4, &value), 0);
    cr_assert_eq(value, 1);
    cr_assert_eq(vdf_test_reg_write(DEV "regs", 0x40000, 8, 0x100000 | 4), 0);
    is(Q0 "base", "0x0000000000100000");
    is(Q0 "log2size", "4");
    cr_assert_eq(vdf_test_reg_write(DEV "regs", 0x30008, 4, 1), 0);
    cr_assert_eq(vdf_test_reg_read(DEV "regs", 0x1000c, 4, &value), 0);
    cr_assert_eq(value, 1);
    command(0, SYNC, 0);
    command(1, 0x30, 0);
    cr_assert_eq(vdf_test_reg_write(DEV "regs", 0x30004, 4, 2), 0);
    cr_assert_eq(vdf_test_reg_read(DEV "regs", 0x10000, 4, &value), 0);
    cr_assert_eq(value, 1 | 1 << 24);
    cr_assert_eq(vdf_test_reg_read(DEV "regs", 0x24, 4, &value), 0);
    cr_assert_eq(value, 1);
    cr_assert_eq(vdf_test_reg_read(DEV "regs", 0x14, 4, &value), 0);
    cr_assert_eq(value, 1);
    cr_assert_eq(vdf_test_reg_read(DEV "regs", 0x10c0, 8, &value), 0);
    cr_assert_eq(value, 1);
    is(DEV "interrupt", "1");
    cr_assert_eq(vdf_test_reg_write(DEV "regs", 0x1c, 4, 1), 0);
    is(DEV "interrupt", "0");
    cr_assert_eq(vdf_test_reg_write(DEV "regs", 0x1c, 4, 0), 0);
    is(DEV "interrupt", "1");
    /* STATUS, GERROR are the device's; BASE of a running queue is refused. */
    cr_assert_eq(vdf_test_reg_write(DEV "regs", 0x30010, 4, 0), 0);
    is(Q0 "gerror", "0x00000001");
    cr_assert_eq(vdf_test_reg_write(DEV "regs", 0x40000, 8, 0), -EBUSY);
    /* The driver's way out. */
    cr_assert_eq(vdf_test_reg_write(DEV "regs", 0x30008, 4, 0), 0);
    cr_assert_eq(vdf_test_reg_write(DEV "regs", 0x30014, 4, 1), 0);
    cr_assert_eq(vdf_test_reg_write(DEV "regs", 0x40000, 8, 0), 0);
    is(Q0 "enable", "0");
    cr_assert_eq(vdf_test_reg_write(DEV "regs", 0x200, 4, 0), 0);
    cr_assert_eq(vdf_test_reg_read(DEV "regs", 0x200, 4, &value), 0);
    cr_assert_eq(value, 0);
    /* A queue that is not there reads 0 and takes nothing; widths are those of the registers. */
    cr_assert_eq(vdf_test_reg_write(DEV "regs", 0x30084, 4, 1), 0);
    cr_assert_eq(vdf_test_reg_read(DEV "regs", 0x30084, 4, &value), 0);
    cr_assert_eq(value, 0);
    cr_assert_eq(vdf_test_reg_read(DEV "regs", 0x30002, 2, &value), -EOPNOTSUPP);
}

/* A driver may store a wide register in two halves, in either order. */
Test(hwqueue, halves_of_wide_registers)
{
    uint64_t value;

    vdf_test_tree(false);
    put(DEV "ioas/map", "0x100000000 0x10000");
    cr_assert_eq(vdf_test_mkdir(DEV "queues/0"), 0);
    cr_assert_eq(vdf_test_reg_write(DEV "regs", 0x20000, 4, 0x8004), 0);
    cr_assert_eq(vdf_test_reg_write(DEV "regs", 0x20004, 4, 1), 0);
    is(Q0 "base", "0x0000000100008000");
    is(Q0 "log2size", "4");
    cr_assert_eq(vdf_test_reg_read(DEV "regs", 0x40004, 4, &value), 0);
    cr_assert_eq(value, 1);
    cr_assert_eq(vdf_test_reg_read(DEV "regs", 0x40000, 4, &value), 0);
    cr_assert_eq(value, 0x8004);
    cr_assert_eq(vdf_test_reg_write(DEV "regs", 0x2000c, 4, 2), 0);
    cr_assert_eq(vdf_test_reg_write(DEV "regs", 0x40008, 4, 0x9000), 0);
    cr_assert_eq(vdf_test_reg_read(DEV "regs", 0x20008, 8, &value), 0);
    cr_assert_eq(value, UINT64_C(0x200009000));
    /* The device's own registers ignore a store to a half too. */
    cr_assert_eq(vdf_test_reg_write(DEV "regs", 0x10c4, 4, 1), 0);
    cr_assert_eq(vdf_test_reg_read(DEV "regs", 0x10c4, 4, &value), 0);
    cr_assert_eq(value, 0);
    cr_assert_eq(vdf_test_reg_read(DEV "regs", 0x20002, 4, &value), -EOPNOTSUPP);
    cr_assert_eq(vdf_test_reg_read(DEV "regs", 0x20004, 2, &value), -EOPNOTSUPP);
    cr_assert_eq(vdf_test_reg_write(DEV "regs", 0x20004, 1, 1), -EOPNOTSUPP);
}

/* IDR1.CMDQS is the limit of a ring, for files and for a driver's BASE. */
Test(hwqueue, hw_info_of_the_smmu)
{
    vdf_test_tree(false);
    is(DEV "hw_info_type", "3");
    put(DEV "hw_info_type", "0");
    cr_assert(strstr(vdf_test_read(DEV "hw_info"), "idr1 = 0x02739d14\n"));
    refused(DEV "cmdqs", "0", EINVAL, "1 to 19");
    refused(DEV "cmdqs", "20", EINVAL, "1 to 19");
    put(DEV "cmdqs", "4");
    put(DEV "hw_info_type", "2");
    const char *info = vdf_test_read(DEV "hw_info");
    cr_assert(strstr(info, "type = 2\nflags = 0x00000000\nidr0 = 0x084d761b\n"), "%s", info);
    cr_assert(strstr(info, "idr1 = 0x00939d14\n"), "%s", info);
    refused(DEV "hw_info_type", "4", EOPNOTSUPP, "SMMUv3");
    put(DEV "ioas/map", "0x100000 0x10000");
    cr_assert_eq(vdf_test_mkdir(DEV "queues/0"), 0);
    is(Q0 "log2size", "4");
    refused(DEV "cmdqs", "5", EBUSY, "before the first queue");
    refused(Q0 "log2size", "5", EINVAL, "2^1 to 2^4");
    cr_assert_eq(vdf_test_reg_write(DEV "regs", 0x20000, 8, 0x100000 | 5), 0);
    cr_assert_eq(vdf_test_reg_write(DEV "regs", 0x10008, 4, 1), 0);
    is(Q0 "gerror", "0x00000004");
    is(Q0 "status", "0x00000000");
}

Test(hwqueue, hypervisor_owned)
{
    start_queue("8");
    put(DEV "vintf/config", "0x20007");
    put(DEV "iotlb/insert", "1 0 0x1000 0x1000 1");
    put(DEV "iotlb/insert", "1 0 0x2000 0x1000 2");
    run(0x10 | UINT64_C(4) << 32, 0);
    is(DEV "iotlb/entries", "1 0 0x1000 0x1000 1\n1 0 0x2000 0x1000 2");
    run(0x13 | UINT64_C(3) << 32, 0x2000);
    is(DEV "iotlb/entries", "1 0 0x1000 0x1000 1");
    run(0x04, 0);
    run(0x46 | 1 << 12 | UINT64_C(0xcafe) << 32, 0x108000);
    uint32_t word;
    cr_assert_eq(vdf_test_pread(DEV "memory", &word, 4, 0x8000), 4);
    cr_assert_eq(le32toh(word), 0xcafe);
    run(ATC_INV(9), 52);
    run(0x30, 0);
    is(DEV "iotlb/entries", "");
    is(Q0 "error", "none");
    run(0x07, 0);
    is(Q0 "error", "ILL");
}

Test(hwqueue, veventq)
{
    uint8_t bytes[256];
    uint32_t words[2];
    int error;

    start_queue("8");
    put(DEV "veventq_depth", "2");
    refused(DEV "veventq_depth", "0", EINVAL, "1 to 524288");
    refused(DEV "veventq_depth", "524289", EINVAL, "1 to 524288");
    struct vdf_test_file *file = vdf_test_open(DEV "veventq", O_RDONLY | O_NONBLOCK, &error);
    cr_assert_not_null(file);
    cr_assert_eq(vdf_test_file_read(file, bytes, sizeof(bytes)), -EAGAIN);
    cr_assert_eq(vdf_test_file_poll(file) & POLLIN, 0);

    run(0x30, 0);
    cr_assert(vdf_test_file_poll(file) & POLLIN);
    cr_assert_eq(vdf_test_file_read(file, bytes, 23), -EINVAL);
    cr_assert_eq(vdf_test_file_read(file, bytes, sizeof(bytes)), 24);
    cr_assert_eq(memcmp(bytes, "\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 24), 0);

    /* As the mock device of the kernel's selftests: depth 2, four more events. */
    for (unsigned k = 0; k < 4; k++)
        vdf_test_write_u64(Q0 "gerrorn", number(Q0 "gerror"));
    refused(DEV "veventq_depth", "1", EBUSY, "2 events wait");
    cr_assert_eq(vdf_test_file_read(file, bytes, 30), 24);
    memcpy(words, bytes, 8);
    cr_assert_eq(le32toh(words[1]), 1);
    cr_assert_eq(vdf_test_file_read(file, bytes, sizeof(bytes)), 32);
    memcpy(words, bytes, 8);
    cr_assert_eq(le32toh(words[0]), 0);
    cr_assert_eq(le32toh(words[1]), 2);
    memcpy(words, bytes + 24, 8);
    cr_assert_eq(le32toh(words[0]), 1);
    cr_assert_eq(le32toh(words[1]), 4);
    cr_assert_eq(vdf_test_file_read(file, bytes, sizeof(bytes)), -EAGAIN);
    vdf_test_close(file);
}

Test(hwqueue, removed_tree_in_the_middle)
{
    int error;

    start_queue("8");
    cr_assert_eq(vdf_test_mkdir(DEV "vdevices/1"), 0);
    run(0x30, 0);
    struct vdf_test_file *file = vdf_test_open(DEV "veventq", O_RDONLY | O_NONBLOCK, &error);
    cr_assert_not_null(file);
    cr_assert_eq(vdf_test_rmdir("hwqueue/smmu0"), 0);
    char byte;
    cr_assert_eq(vdf_test_file_read(file, &byte, 1), -ENODEV);
    vdf_test_close(file);
}
