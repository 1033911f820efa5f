/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The AMD IOMMU's command buffer, event log and PPR log. */
#include "test_hwqueue.h"

TestSuite(hwqueue_amd, .fini = vdf_test_tree_free);

#define CMD DEV "queues/cmd/"
#define EVENT DEV "queues/event/"
#define PPR DEV "queues/ppr/"
#define INSERT DEV "iotlb/insert"
#define ENTRIES DEV "iotlb/entries"
#define ATC_INSERT DEV "iotlb/atc_insert"
#define ATC_ENTRIES DEV "iotlb/atc_entries"

/* Memory at IOVA 0x100000: command buffer, then event log, then PPR log, 256 entries each. */
static void begin(void)
{
    vdf_test_tree(false);
    put(DEV "type", "amd");
    put(DEV "ioas/map", "0x100000 0x10000");
    put(CMD "base", "0x100000");
    put(EVENT "base", "0x101000");
    put(PPR "base", "0x102000");
    put(CMD "length", "8");
    put(EVENT "length", "8");
    put(PPR "length", "8");
    put(CMD "enable", "1");
    put(EVENT "enable", "1");
    put(PPR "enable", "1");
}

static void amd_command(uint32_t d0, uint32_t d1, uint32_t d2, uint32_t d3)
{
    const uint32_t data[4] = { htole32(d0), htole32(d1), htole32(d2), htole32(d3) };
    uint64_t tail = number(CMD "tail");

    cr_assert_eq(vdf_test_pwrite(DEV "memory", data, 16, tail), 16);
    cr_assert_eq(vdf_test_write_u64(CMD "tail", (tail + 16) & 0xfff), 0, "%s",
                 vdf_test_last_error());
}

static uint64_t memory_word(uint64_t offset)
{
    uint64_t word;
    cr_assert_eq(vdf_test_pread(DEV "memory", &word, 8, offset), 8);
    return le64toh(word);
}

Test(hwqueue_amd, defaults)
{
    vdf_test_tree(false);
    put(DEV "type", "amd");
    is(DEV "hw_info", "type = 4\nefr = 0x0000000000000052\nefr2 = 0x0000000000000000");
    is(CMD "length", "9");
    is(CMD "run", "0");
    is(EVENT "overflow", "0");
    is(PPR "head", "0x0000000000000000");
    is(DEV "control", "0x0000000000000001");
    is(DEV "status", "0x0000000000000000");
    cr_assert(!vdf_test_exists(DEV "vintf"));
    cr_assert(!vdf_test_exists(DEV "queues/0"));
    refused(CMD "length", "7", EINVAL, "8 to 15");
    refused(CMD "length", "16", EINVAL, "8 to 15");
    refused(CMD "run", "1", EINVAL, "enable");
    refused(CMD "overflow", "1", EINVAL, "only the logs");
    put(CMD "run", "0");
}

Test(hwqueue_amd, allocation)
{
    vdf_test_tree(false);
    put(DEV "type", "amd");
    refused(CMD "enable", "1", ENOENT, "nothing is mapped");
    put(CMD "base", "0xfffffffffffff000");
    refused(CMD "enable", "1", EOVERFLOW, "64 bits");
    put(DEV "ioas/map", "0x100000 0x1000 0 ro");
    put(CMD "base", "0x100000");
    refused(CMD "enable", "1", ENOENT, "0x101000");
    put(DEV "ioas/map", "0x101000 0x1000 0x4000 ro");
    refused(CMD "enable", "1", EFAULT, "contiguous");
    put(CMD "length", "8");
    put(CMD "base", "0x100010");
    put(DEV "ioas/unmap", "0x101000 0x1000");
    put(DEV "ioas/map", "0x101000 0x1000 0x1000 ro");
    refused(CMD "enable", "1", EINVAL, "multiple of 0x1000");
    put(CMD "base", "0x100000");
    put(CMD "enable", "1");
    is(CMD "run", "1");
    is(DEV "status", "0x0000000000000010");
    is(DEV "control", "0x0000000000001001");
    refused(CMD "base", "0x101000", EBUSY, "enabled");
    refused(CMD "length", "9", EBUSY, "enabled");
    refused(DEV "type", "tegra241-cmdqv", EBUSY, "before the first queue");
    cr_assert_eq(vdf_test_write(DEV "ioas/unmap", "0x100000 0x1000"), -EBUSY);
    /* The device writes to its logs. */
    put(EVENT "base", "0x101000");
    put(EVENT "length", "8");
    refused(EVENT "enable", "1", EPERM, "read-only");
    refused(CMD "tail", "0x1000", EINVAL, "below");
    refused(CMD "tail", "0x8", EINVAL, "multiple of 0x10");
    put(CMD "enable", "0");
    put(DEV "ioas/unmap", "0x100000 0x1000");
    is(DEV "status", "0x0000000000000000");
}

Test(hwqueue_amd, base_resets_head_and_tail)
{
    begin();
    amd_command(0, 8u << 28, 0, 0);
    put(CMD "enable", "0");
    /* The values that they have are no other ring. */
    put(CMD "base", "0x100000");
    put(CMD "length", "8");
    is(CMD "tail", "0x0000000000000010");
    is(CMD "head", "0x0000000000000010");
    put(CMD "base", "0x108000");
    is(CMD "tail", "0x0000000000000000");
    is(CMD "head", "0x0000000000000000");
    put(CMD "head", "0x20");
    put(CMD "length", "9");
    is(CMD "head", "0x0000000000000000");
    put(CMD "head", "0x20");
    cr_assert_eq(vdf_test_reg_write(DEV "regs", 0x8, 8, UINT64_C(9) << 56 | 0x108000), 0);
    is(CMD "head", "0x0000000000000000");
}

Test(hwqueue_amd, completion_wait)
{
    begin();
    amd_command(0x104000 | 1, 1u << 28, 0x89abcdef, 0x01234567);
    cr_assert_eq(memory_word(0x4000), UINT64_C(0x0123456789abcdef));
    is(DEV "sync", "1");
    is(DEV "interrupt", "0");
    put(DEV "control", "0x301d");
    amd_command(2, 1u << 28, 0, 0);
    is(DEV "status", "0x000000000000009c");
    is(DEV "interrupt", "1");
    uint64_t value;
    cr_assert_eq(vdf_test_reg_write(DEV "regs", 0x2020, 8, 4), 0);
    cr_assert_eq(vdf_test_reg_read(DEV "regs", 0x2020, 8, &value), 0);
    cr_assert_eq(value, 0x98);
    is(DEV "interrupt", "0");
    is(CMD "head", "0x0000000000000020");
}

Test(hwqueue_amd, completion_wait_to_nowhere)
{
    begin();
    amd_command(0x900000 | 1, 1u << 28, 1, 2);
    is(CMD "run", "0");
    is(CMD "head", "0x0000000000000000");
    is(EVENT "tail", "0x0000000000000010");
    cr_assert_eq(memory_word(0x1000), UINT64_C(6) << 60);
    cr_assert_eq(memory_word(0x1008), 0x900000);
    put(DEV "ioas/map", "0x900000 0x1000 0x8000");
    put(CMD "enable", "0");
    put(CMD "enable", "1");
    is(CMD "run", "1");
    is(CMD "head", "0x0000000000000010");
    cr_assert_eq(memory_word(0x8000), UINT64_C(2) << 32 | 1);
}

Test(hwqueue_amd, illegal_commands)
{
    static const uint32_t opcodes[] = { 0, 6, 9, 10, 11, 12, 13, 14, 15 };

    begin();
    for (unsigned k = 0; k < sizeof(opcodes) / sizeof(opcodes[0]); k++) {
        uint64_t head = number(CMD "head");
        amd_command(0, opcodes[k] << 28, 0, 0);
        is(CMD "run", "0");
        cr_assert_eq(number(CMD "head"), head);
        cr_assert_eq(number(EVENT "tail"), 16 * (k + 1));
        cr_assert_eq(memory_word(0x1000 + 16 * k), UINT64_C(5) << 60);
        cr_assert_eq(memory_word(0x1008 + 16 * k), 0x100000 + head);
        cr_assert(strstr(vdf_test_last_error(), "hwqueue/smmu0: EINVAL"), "%s",
                  vdf_test_last_error());
        /* The driver steps over it. */
        put(CMD "enable", "0");
        vdf_test_write_u64(CMD "head", head + 16);
        put(CMD "enable", "1");
        is(CMD "run", "1");
    }
    is(DEV "illegal", "9");
    is(DEV "commands", "0");
}

Test(hwqueue_amd, ring_goes_round)
{
    begin();
    for (unsigned k = 0; k < 600; k++)
        amd_command(0, 8u << 28, 0, 0);
    is(DEV "commands", "600");
    is(CMD "head", "0x0000000000000580");
}

/* S and the run of ones from bit 12 up give the span. */
Test(hwqueue_amd, invalidate_pages)
{
    static const struct {
        uint32_t low, high;
        uint64_t first, last;
    } cases[] = {
        { 0x00100000, 0, 0x100000, 0x100fff }, { 0x00100001, 0, 0x100000, 0x101fff },
        { 0x00101001, 0, 0x100000, 0x103fff }, { 0x00107001, 0, 0x100000, 0x10ffff },
        { 0x0010f001, 0, 0x100000, 0x11ffff }, { 0x7ffff001, 1, 0x100000000, 0x1ffffffff },
    };

    for (unsigned k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
        char line[64], left[160];
        const uint64_t pages[] = {
            cases[k].first - 0x1000,
            cases[k].first,
            cases[k].last - 0xfff,
            cases[k].last + 1,
        };
        begin();
        for (unsigned p = 0; p < 4; p++) {
            snprintf(line, sizeof(line), "1 0 0x%llx 0x1000 5", (unsigned long long)pages[p]);
            put(INSERT, line);
        }
        put(INSERT, "1 0 0x100000 0x1000 6");
        amd_command(0, 3u << 28 | 5, cases[k].low, cases[k].high);
        snprintf(left, sizeof(left),
                 "1 0 0x%llx 0x1000 5\n1 0 0x%llx 0x1000 5\n1 0 0x100000 0x1000 6",
                 (unsigned long long)pages[0], (unsigned long long)pages[3]);
        is(ENTRIES, left);
    }
}

Test(hwqueue_amd, invalidate_by_pasid_and_domain)
{
    begin();
    put(INSERT, "1 0 0x1000 0x1000 5");
    put(INSERT, "1 3 0x1000 0x1000 5");
    put(INSERT, "1 4 0x1000 0x1000 5");
    put(INSERT, "1 3 0x1000 0x1000 6");
    amd_command(3, 3u << 28 | 5, 0x1004, 0);
    is(ENTRIES, "1 0 0x1000 0x1000 5\n1 4 0x1000 0x1000 5\n1 3 0x1000 0x1000 6");
    amd_command(0, 3u << 28 | 5, 0x1000, 0);
    is(ENTRIES, "1 4 0x1000 0x1000 5\n1 3 0x1000 0x1000 6");
    /* All of a domain. */
    amd_command(0, 3u << 28 | 5, 0xfffff003, 0x7fffffff);
    is(ENTRIES, "1 3 0x1000 0x1000 6");
    amd_command(0, 2u << 28, 0, 0);
    amd_command(0, 5u << 28, 0, 0);
    is(ENTRIES, "1 3 0x1000 0x1000 6");
    amd_command(0, 8u << 28, 0, 0);
    is(ENTRIES, "");
    is(DEV "tlbi", "4");
    is(DEV "commands", "6");
}

/* All addresses, as the drivers say it: the run of ones ends at bit 51 or above. */
Test(hwqueue_amd, all_addresses)
{
    static const uint64_t addresses[] = {
        UINT64_C(0x7fffffffffffffff), UINT64_C(0x3fffffffffffffff), UINT64_C(0x7ffffffffffff),
        UINT64_C(0xffffffffffffffff), UINT64_C(0xfff7ffffffffffff),
    };

    for (unsigned k = 0; k < sizeof(addresses) / sizeof(addresses[0]); k++) {
        begin();
        put(INSERT, "1 0 0xfffffffffffff000 0x1000 5");
        put(INSERT, "1 3 0x1000 0x1000 5");
        put(INSERT, "1 3 0x1000 0x1000 6");
        put(ATC_INSERT, "1 3 0xfffffffffffff000 0x1000");
        put(ATC_INSERT, "2 0 0x1000 0x1000");
        uint32_t low = (uint32_t)addresses[k] & 0xfffff000, high = (uint32_t)(addresses[k] >> 32);
        amd_command(0, 3u << 28 | 5, low | 1, high);
        is(ENTRIES, "1 3 0x1000 0x1000 6");
        amd_command(1, 4u << 28, low | 1, high);
        is(ATC_ENTRIES, "2 0 0x1000 0x1000");
    }
    begin();
    put(INSERT, "1 0 0x3fffffffff000 0x1000 5");
    put(INSERT, "1 0 0x8000000000000 0x1000 5");
    amd_command(0, 3u << 28 | 5, 0xfffff001, 0x3ffff);
    is(ENTRIES, "1 0 0x8000000000000 0x1000 5");
}

Test(hwqueue_amd, invalidate_devices)
{
    begin();
    cr_assert_eq(vdf_test_mkdir(DEV "vdevices/16"), 0);
    put(DEV "vdevices/16/psid", "32");
    put(ATC_INSERT, "32 0 0x1000 0x1000");
    put(ATC_INSERT, "32 0x51234 0x1000 0x1000");
    put(ATC_INSERT, "32 0x1234 0x1000 0x1000");
    put(ATC_INSERT, "16 0 0x1000 0x1000");
    put(ATC_INSERT, "40 0 0x1000 0x1000");
    amd_command(16 | 0x12 << 16, 4u << 28 | 0x534 << 16, 0x1004, 0);
    is(ATC_ENTRIES,
       "32 0 0x1000 0x1000\n32 4660 0x1000 0x1000\n16 0 0x1000 0x1000\n40 0 0x1000 0x1000");
    amd_command(16 | 0x12 << 16, 4u << 28 | 0x34 << 16, 0x1004, 0);
    is(ATC_ENTRIES, "32 0 0x1000 0x1000\n16 0 0x1000 0x1000\n40 0 0x1000 0x1000");
    amd_command(16, 4u << 28, 0x1000, 0);
    is(ATC_ENTRIES, "16 0 0x1000 0x1000\n40 0 0x1000 0x1000");
    amd_command(40, 4u << 28, 0xfffff001, 0x7fffffff);
    is(ATC_ENTRIES, "16 0 0x1000 0x1000");
    is(DEV "atc_inv", "4");
}

/* Each cache has its own invalidations. */
Test(hwqueue_amd, two_caches)
{
    begin();
    put(INSERT, "1 0 0x1000 0x1000 5");
    put(ATC_INSERT, "1 0 0x1000 0x1000");
    amd_command(1, 4u << 28, 0xfffff001, 0x7fffffff);
    is(ATC_ENTRIES, "");
    is(ENTRIES, "1 0 0x1000 0x1000 5");
    put(ATC_INSERT, "1 0 0x1000 0x1000");
    amd_command(0, 3u << 28 | 5, 0xfffff003, 0x7fffffff);
    amd_command(0, 8u << 28, 0, 0);
    is(ENTRIES, "");
    is(ATC_ENTRIES, "1 0 0x1000 0x1000");
}

/* A global translation is of every PASID, in its domain. */
Test(hwqueue_amd, global_entries)
{
    begin();
    put(INSERT, "1 3 0x1000 0x1000 5 global");
    put(INSERT, "1 3 0x1000 0x1000 6 global");
    put(INSERT, "1 3 0x1000 0x1000 5");
    amd_command(4, 3u << 28 | 5, 0x1004, 0);
    is(ENTRIES, "1 3 0x1000 0x1000 6 global\n1 3 0x1000 0x1000 5");
}

Test(hwqueue_amd, unanswered)
{
    begin();
    cr_assert_eq(vdf_test_mkdir(DEV "vdevices/16"), 0);
    put(DEV "vdevices/16/psid", "32");
    put(DEV "vdevices/16/atc_timeout", "1");
    put(ATC_INSERT, "32 0 0x1000 0x1000");
    amd_command(0, 8u << 28, 0, 0);
    amd_command(16, 4u << 28, 0x1000, 0);
    is(ATC_ENTRIES, "32 0 0x1000 0x1000");
    cr_assert_eq(memory_word(0x1000), UINT64_C(7) << 60 | 16);
    cr_assert_eq(memory_word(0x1008), 0x100010);
    is(CMD "run", "1");
    put(DEV "vdevices/16/atc_timeout", "0");
    amd_command(16, 4u << 28, 0x1000, 0);
    is(ATC_ENTRIES, "");
    is(EVENT "tail", "0x0000000000000010");
}

Test(hwqueue_amd, event_log)
{
    begin();
    put(EVENT "inject", "IO_PAGE_FAULT 0x10 5 0x7000 0x21");
    is(EVENT "tail", "0x0000000000000010");
    cr_assert_eq(memory_word(0x1000), UINT64_C(0x2021000500000010));
    cr_assert_eq(memory_word(0x1008), 0x7000);
    is(DEV "status", "0x000000000000009a");
    put(EVENT "inject", "13 1 0 0");
    cr_assert_eq(memory_word(0x1010), UINT64_C(0xd000000000000001));
    cr_assert_eq(vdf_test_write(EVENT "inject", "0 1 0 0"), -EINVAL);
    cr_assert_eq(vdf_test_write(EVENT "inject", "16 1 0 0"), -EINVAL);
    cr_assert_eq(vdf_test_write(EVENT "inject", "NO_SUCH 1 0 0"), -EINVAL);
    cr_assert_eq(vdf_test_write(EVENT "inject", "IO_PAGE_FAULT 65536 0 0"), -EINVAL);
    cr_assert_eq(vdf_test_write(EVENT "inject", "IO_PAGE_FAULT 1 0"), -EINVAL);
    put(EVENT "enable", "0");
    cr_assert_eq(vdf_test_write(EVENT "inject", "IO_PAGE_FAULT 1 0 0"), -EBUSY);
}

/* Full when the next entry would make tail equal to head; the device waits for software then. */
Test(hwqueue_amd, event_overflow)
{
    begin();
    for (unsigned k = 0; k < 255; k++)
        put(EVENT "inject", "IO_PAGE_FAULT 1 2 0x3000");
    is(EVENT "overflow", "0");
    is(EVENT "tail", "0x0000000000000ff0");
    put(EVENT "inject", "IO_PAGE_FAULT 1 2 0x3000");
    is(EVENT "overflow", "1");
    is(EVENT "run", "0");
    is(EVENT "tail", "0x0000000000000ff0");
    cr_assert_eq(memory_word(0x1ff0), 0);
    cr_assert_eq(number(DEV "status") & 0x9, 1);
    put(EVENT "head", "0xff0");
    put(EVENT "inject", "IO_PAGE_FAULT 1 2 0x3000");
    is(EVENT "tail", "0x0000000000000ff0");
    /* Enabling alone does not start it, nor does clearing alone. */
    put(EVENT "enable", "0");
    put(EVENT "enable", "1");
    is(EVENT "run", "0");
    put(EVENT "overflow", "0");
    is(EVENT "run", "0");
    put(EVENT "enable", "0");
    put(EVENT "enable", "1");
    is(EVENT "run", "1");
    put(EVENT "inject", "IO_PAGE_FAULT 1 2 0x3000");
    is(EVENT "tail", "0x0000000000000000");
}

Test(hwqueue_amd, page_requests)
{
    begin();
    put(PPR "inject", "0x10 0x51234 0x7fff 0x1ff 0x803");
    cr_assert_eq(memory_word(0x2000), UINT64_C(0x180315ff12340010));
    cr_assert_eq(memory_word(0x2008), 0x7000);
    is(PPR "tail", "0x0000000000000010");
    amd_command(0x10, 7u << 28 | 0x51234, 4, 0x1ff | 1 << 12);
    is(DEV "commands", "1");
    cr_assert_eq(vdf_test_write(PPR "inject", "0x10 1 0x7000 512"), -EINVAL);
    cr_assert_eq(vdf_test_write(PPR "inject", "0x10 0x100000 0x7000 1"), -EINVAL);
    put(PPR "head", "0x10");
    for (unsigned k = 0; k < 255; k++)
        put(PPR "inject", "1 2 0x3000 4");
    is(PPR "overflow", "0");
    put(PPR "inject", "1 2 0x3000 4");
    is(PPR "overflow", "1");
    is(PPR "run", "0");
    put(PPR "enable", "0");
    cr_assert_eq(vdf_test_write(PPR "inject", "1 2 0x3000 4"), -EBUSY);
}

Test(hwqueue_amd, events_of_a_stopped_log_are_lost)
{
    begin();
    put(EVENT "enable", "0");
    amd_command(0, 15u << 28, 0, 0);
    is(CMD "run", "0");
    is(DEV "illegal", "1");
    is(EVENT "tail", "0x0000000000000000");
}

Test(hwqueue_amd, registers)
{
    uint64_t value;

    vdf_test_tree(false);
    put(DEV "type", "amd");
    put(DEV "ioas/map", "0x100000 0x10000");
    cr_assert_eq(vdf_test_reg_read(DEV "regs", 0x30, 8, &value), 0);
    cr_assert_eq(value, 0x52);
    cr_assert_eq(vdf_test_reg_write(DEV "regs", 0x8, 8, UINT64_C(8) << 56 | 0x100000), 0);
    cr_assert_eq(vdf_test_reg_write(DEV "regs", 0x10, 8, UINT64_C(9) << 56 | 0x102000), 0);
    cr_assert_eq(vdf_test_reg_write(DEV "regs", 0x38, 8, UINT64_C(8) << 56 | 0x900000), 0);
    cr_assert_eq(vdf_test_reg_write(DEV "regs", 0x38, 8, UINT64_C(7) << 56 | 0x104000), -EINVAL);
    is(EVENT "length", "9");
    is(EVENT "base", "0x0000000000102000");
    /* One queue that cannot be had refuses the write for all. */
    cr_assert_eq(vdf_test_reg_write(DEV "regs", 0x18, 8, 0x3005), -ENOENT);
    is(CMD "enable", "0");
    is(EVENT "enable", "0");
    cr_assert_eq(vdf_test_reg_write(DEV "regs", 0x18, 8, 0x1005), 0);
    is(CMD "run", "1");
    is(EVENT "run", "1");
    const uint32_t data[4] = { 0, htole32(15u << 28), 0, 0 };
    cr_assert_eq(vdf_test_pwrite(DEV "memory", data, 16, 0), 16);
    cr_assert_eq(vdf_test_reg_write(DEV "regs", 0x2008, 8, 16), 0);
    cr_assert_eq(vdf_test_reg_read(DEV "regs", 0x2000, 8, &value), 0);
    cr_assert_eq(value, 0);
    cr_assert_eq(vdf_test_reg_read(DEV "regs", 0x2018, 8, &value), 0);
    cr_assert_eq(value, 16);
    cr_assert_eq(vdf_test_reg_read(DEV "regs", 0x2020, 8, &value), 0);
    cr_assert_eq(value, 0xa);
    cr_assert_eq(vdf_test_reg_write(DEV "regs", 0x18, 8, 0x1004), 0);
    is(EVENT "run", "0");
    cr_assert_eq(vdf_test_reg_write(DEV "regs", 0x18, 8, 0), 0);
    is(CMD "enable", "0");
}

/* A store to one half of Status acknowledges what lies in that half, and no more. */
Test(hwqueue_amd, halves_of_wide_registers)
{
    uint64_t value;

    begin();
    put(EVENT "inject", "IO_PAGE_FAULT 1 2 0x3000");
    cr_assert_eq(vdf_test_reg_write(DEV "regs", 0x2024, 4, 0xffffffff), 0);
    cr_assert_eq(vdf_test_reg_read(DEV "regs", 0x2020, 4, &value), 0);
    cr_assert_eq(value, 0x9a);
    cr_assert_eq(vdf_test_reg_write(DEV "regs", 0x2020, 4, 2), 0);
    cr_assert_eq(vdf_test_reg_read(DEV "regs", 0x2020, 8, &value), 0);
    cr_assert_eq(value, 0x98);
    amd_command(0, UINT32_C(8) << 28, 0, 0);
    cr_assert_eq(vdf_test_reg_read(DEV "regs", 0x2000, 4, &value), 0);
    cr_assert_eq(value, 16);
    cr_assert_eq(vdf_test_reg_read(DEV "regs", 0xc, 4, &value), 0);
    cr_assert_eq(value, UINT32_C(8) << 24);
}

/* With GN the event names a PASID, of which bits 19:16 are beside the device. */
Test(hwqueue_amd, events_with_a_pasid)
{
    begin();
    refused(EVENT "inject", "IO_PAGE_FAULT 1 0x12345 0x3000", EINVAL, "GN");
    refused(EVENT "inject", "IO_PAGE_FAULT 1 0x100000 0x3000 1", EINVAL, "0xfffff");
    put(EVENT "inject", "IO_PAGE_FAULT 1 0xabcde 0x3000 1");
    cr_assert_eq(memory_word(0x1000), UINT64_C(0x2001bcde000a0001));
    cr_assert_eq(memory_word(0x1008), 0x3000);
    put(EVENT "inject", "IO_PAGE_FAULT 1 0xffff 0x4000");
    cr_assert_eq(memory_word(0x1010), UINT64_C(0x2000ffff00000001));
}

Test(hwqueue_amd, another_type_begins_afresh)
{
    vdf_test_tree(false);
    put(DEV "vintf/config", "0");
    put(DEV "type", "amd");
    put(CMD "base", "0x100000");
    put(DEV "control", "0x18");
    put(DEV "type", "tegra241-cmdqv");
    is(DEV "vintf/config", "0x00000001");
    put(DEV "type", "amd");
    is(CMD "base", "0x0000000000000000");
    is(CMD "length", "9");
    is(DEV "control", "0x0000000000000001");
}
