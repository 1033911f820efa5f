/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The cached translations that each SMMUv3 invalidation removes and leaves. */
#include "test_hwqueue.h"

TestSuite(hwqueue_smmu, .fini = vdf_test_tree_free);

#define INSERT DEV "iotlb/insert"
#define ENTRIES DEV "iotlb/entries"
#define ATC_INSERT DEV "iotlb/atc_insert"
#define ATC_ENTRIES DEV "iotlb/atc_entries"

#define NUM(n) ((uint64_t)(n) << 12)
#define SCALE(n) ((uint64_t)(n) << 20)
#define TTL(n) ((uint64_t)(n) << 8)
#define TG(n) ((uint64_t)(n) << 10)
#define SSID(n) (1u << 11 | (uint64_t)(n) << 12)
#define GLOBAL (1u << 9)

Test(hwqueue_smmu, insert)
{
    vdf_test_tree(false);
    put(INSERT, "1 2 0x3000 0x1000 4");
    put(INSERT, "0x10 0 8192 0x200000");
    put(INSERT, "1 2 0x3000 0x1000 4");
    is(ENTRIES, "1 2 0x3000 0x1000 4\n16 0 0x2000 0x200000 0");
    cr_assert_eq(vdf_test_write(INSERT, "1 2 0x3000"), -EINVAL);
    cr_assert_eq(vdf_test_write(INSERT, "1 2 0x3000 0"), -EINVAL);
    cr_assert_eq(vdf_test_write(INSERT, "1 2 0x3000 0x800"), -EINVAL);
    cr_assert_eq(vdf_test_write(INSERT, "1 2 0x3100 0x1000"), -EINVAL);
    cr_assert_eq(vdf_test_write(INSERT, "1 2 0xfffffffffffff000 0x2000"), -EINVAL);
    cr_assert_eq(vdf_test_write(INSERT, "1 2 0x3000 0x1000 65536"), -EINVAL);
    cr_assert_eq(vdf_test_write(INSERT, "1 0x100000 0x3000 0x1000"), -EINVAL);
    cr_assert_eq(vdf_test_write(INSERT, "0x100000000 0 0x3000 0x1000"), -EINVAL);
    cr_assert_eq(vdf_test_write(INSERT, "1 2 0x3000 0x1000 4 5"), -EINVAL);
    is(ENTRIES, "1 2 0x3000 0x1000 4\n16 0 0x2000 0x200000 0");
    put(INSERT, "1 2 0xfffffffffffff000 0x1000");
}

Test(hwqueue_smmu, insert_global)
{
    vdf_test_tree(false);
    put(INSERT, "1 0 0x3000 0x1000 4 global");
    put(INSERT, "1 0 0x3000 0x1000 4");
    put(INSERT, "1 0 0x3000 0x1000 4 global ");
    put(INSERT, "2 0 0x3000 0x1000 0 global");
    is(ENTRIES, "1 0 0x3000 0x1000 4 global\n1 0 0x3000 0x1000 4\n2 0 0x3000 0x1000 0 global");
    cr_assert_eq(vdf_test_write(INSERT, "1 0 0x3000 0x1000 global"), -EINVAL);
    cr_assert_eq(vdf_test_write(INSERT, "1 0 0x3000 0x1000 4 globally"), -EINVAL);
    cr_assert_eq(vdf_test_write(INSERT, "1 0 0x3000 0x1000 4 global global"), -EINVAL);
    cr_assert(strstr(vdf_test_last_error(), "[global]"), "%s", vdf_test_last_error());
    put(ATC_INSERT, "1 0 0x3000 0x1000 global");
    put(ATC_INSERT, "1 5 0x3000 0x1000");
    is(ATC_ENTRIES, "1 0 0x3000 0x1000 global\n1 5 0x3000 0x1000");
    /* A device does not know the ASID. */
    cr_assert_eq(vdf_test_write(ATC_INSERT, "1 5 0x3000 0x1000 4"), -EINVAL);
    cr_assert_eq(vdf_test_write(ATC_INSERT, "1 5 0x3000"), -EINVAL);
    cr_assert_eq(vdf_test_write(ATC_INSERT, "1 5 0x3800 0x1000"), -EINVAL);
}

/* Each cache has its own invalidations. */
Test(hwqueue_smmu, two_caches)
{
    start_queue("8");
    cr_assert_eq(vdf_test_mkdir(DEV "vdevices/1"), 0);
    put(INSERT, "1 0 0x1000 0x1000 5");
    put(INSERT, "1 0 0x2000 0x1000 6");
    put(ATC_INSERT, "1 0 0x1000 0x1000");
    run(ATC_INV(1), 52);
    is(ATC_ENTRIES, "");
    is(ENTRIES, "1 0 0x1000 0x1000 5\n1 0 0x2000 0x1000 6");
    put(ATC_INSERT, "1 0 0x1000 0x1000");
    run(TLBI_NH_VA(5), 0x1000);
    run(TLBI_NH_ASID(6), 0);
    is(ENTRIES, "");
    put(INSERT, "1 0 0x1000 0x1000 5");
    put(DEV "vintf/config", "0x20001");
    run(0x30, 0);
    is(ENTRIES, "");
    is(ATC_ENTRIES, "1 0 0x1000 0x1000");
}

Test(hwqueue_smmu, global_entries)
{
    start_queue("8");
    put(INSERT, "1 0 0x1000 0x1000 5 global");
    put(INSERT, "1 0 0x2000 0x1000 5 global");
    put(INSERT, "1 0 0x3000 0x1000 5 global");
    put(INSERT, "1 0 0x1000 0x1000 5");
    put(INSERT, "1 0 0x2000 0x1000 5");
    run(TLBI_NH_ASID(5), 0);
    is(ENTRIES, "1 0 0x1000 0x1000 5 global\n1 0 0x2000 0x1000 5 global\n"
                "1 0 0x3000 0x1000 5 global");
    run(TLBI_NH_VA(5), 0x1000);
    run(TLBI_NH_VA(77), 0x2000);
    is(ENTRIES, "1 0 0x3000 0x1000 5 global");
    put(DEV "vintf/config", "0x20001");
    run(0x13, 0x3000);
    is(ENTRIES, "");
    put(INSERT, "1 0 0x3000 0x1000 5 global");
    run(0x10, 0);
    is(ENTRIES, "");
}

/* In a device a global translation goes as others do. */
Test(hwqueue_smmu, global_in_devices)
{
    start_queue("8");
    cr_assert_eq(vdf_test_mkdir(DEV "vdevices/1"), 0);
    put(ATC_INSERT, "1 7 0x1000 0x1000 global");
    run(ATC_INV(1) | SSID(8), 52);
    is(ATC_ENTRIES, "1 7 0x1000 0x1000 global");
    run(ATC_INV(1) | SSID(7), 52);
    is(ATC_ENTRIES, "");
    put(ATC_INSERT, "1 7 0x1000 0x1000 global");
    run(ATC_INV(1) | SSID(8) | GLOBAL, 52);
    is(ATC_ENTRIES, "");
    put(ATC_INSERT, "1 7 0x1000 0x1000 global");
    run(ATC_INV(1), 52);
    is(ATC_ENTRIES, "");
}

/* A device that does not answer keeps what it has; it is meant by its id in the machine as well. */
Test(hwqueue_smmu, unanswered)
{
    start_queue("8");
    cr_assert_eq(vdf_test_mkdir(DEV "vdevices/1"), 0);
    put(DEV "vdevices/1/psid", "100");
    put(DEV "vdevices/1/atc_timeout", "1");
    put(ATC_INSERT, "100 0 0x1000 0x1000");
    run(ATC_INV(1), 52);
    is(ATC_ENTRIES, "100 0 0x1000 0x1000");
    run(SYNC, 0);
    is(Q0 "error", "ATC_INV_SYNC");
    put(DEV "vdevices/1/atc_timeout", "0");
    vdf_test_write_u64(Q0 "gerrorn", number(Q0 "gerror"));
    is(Q0 "error", "none");
    put(DEV "vintf/config", "0x20001");
    put(DEV "vdevices/1/atc_timeout", "1");
    run(ATC_INV(1), 52);
    run(SYNC, 0);
    is(Q0 "error", "none");
    run(ATC_INV(100), 52);
    is(ATC_ENTRIES, "100 0 0x1000 0x1000");
    run(SYNC, 0);
    is(Q0 "error", "ATC_INV_SYNC");
}

Test(hwqueue_smmu, asid)
{
    start_queue("8");
    put(INSERT, "1 0 0x1000 0x1000 5");
    put(INSERT, "2 0 0x1000 0x1000 6");
    put(INSERT, "3 9 0x9000 0x1000 5");
    run(TLBI_NH_ASID(5), 0);
    is(ENTRIES, "2 0 0x1000 0x1000 6");
    /* The VMID of a command is ignored: the VINTF's is used. */
    run(TLBI_NH_ASID(6) | UINT64_C(77) << 32, 0);
    is(ENTRIES, "");
    is(DEV "tlbi", "2");
}

Test(hwqueue_smmu, one_address)
{
    start_queue("8");
    put(INSERT, "1 0 0x1000 0x1000 5");
    put(INSERT, "1 0 0x2000 0x1000 5");
    put(INSERT, "1 0 0x3000 0x1000 5");
    put(INSERT, "1 0 0x0 0x200000 5");
    put(INSERT, "1 0 0x2000 0x1000 6");
    run(TLBI_NH_VA(5), 0x2000 | 1);
    is(ENTRIES, "1 0 0x1000 0x1000 5\n1 0 0x3000 0x1000 5\n1 0 0x2000 0x1000 6");
    /* Without TG the fields of a range mean nothing. */
    run(TLBI_NH_VA(5) | NUM(31) | SCALE(4), 0x1000 | TTL(1));
    is(ENTRIES, "1 0 0x3000 0x1000 5\n1 0 0x2000 0x1000 6");
}

/* (NUM + 1) << SCALE granules from VA. */
Test(hwqueue_smmu, ranges)
{
    static const struct {
        uint64_t w0, w1, first, last; /* inclusive */
    } cases[] = {
        { NUM(0), TG(1) | TTL(3), 0x100000, 0x100fff },
        { NUM(1), TG(1), 0x100000, 0x101fff },
        { NUM(15), TG(1), 0x100000, 0x10ffff },
        { NUM(2) | SCALE(3), TG(1), 0x100000, 0x100000 + 0x18000 - 1 },
        { NUM(1), TG(2), 0x100000, 0x107fff },
        { NUM(0) | SCALE(1), TG(2), 0x100000, 0x107fff },
        { NUM(2), TG(3), 0x100000, 0x12ffff },
        { NUM(0) | SCALE(4), TG(3), 0x100000, 0x1fffff },
    };

    for (unsigned k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
        const uint64_t pages[] = {
            cases[k].first - 0x1000,
            cases[k].first,
            cases[k].last - 0xfff,
            cases[k].last + 1,
        };
        char line[64], left[128];
        start_queue("8");
        for (unsigned p = 0; p < 4; p++) {
            snprintf(line, sizeof(line), "1 0 0x%llx 0x1000 5", (unsigned long long)pages[p]);
            put(INSERT, line);
        }
        run(TLBI_NH_VA(5) | cases[k].w0, 0x100000 | cases[k].w1);
        snprintf(left, sizeof(left), "1 0 0x%llx 0x1000 5\n1 0 0x%llx 0x1000 5",
                 (unsigned long long)pages[0], (unsigned long long)pages[3]);
        is(ENTRIES, left);
    }
}

Test(hwqueue_smmu, range_at_the_end)
{
    start_queue("8");
    put(INSERT, "1 0 0xfffffffffffff000 0x1000 5");
    put(INSERT, "1 0 0x0 0x1000 5");
    run(TLBI_NH_VA(5) | NUM(31) | SCALE(31), UINT64_C(0xffffffffffff0000) | TG(3));
    is(ENTRIES, "1 0 0x0 0x1000 5");
}

/* TTL is the level of the leaf entries: only translations of that size are removed. */
Test(hwqueue_smmu, levels)
{
    static const struct {
        unsigned tg, ttl;
        const char *size;
    } cases[] = {
        { 1, 3, "0x1000" },     { 1, 2, "0x200000" },      { 1, 1, "0x40000000" },
        { 2, 3, "0x4000" },     { 2, 2, "0x2000000" },     { 3, 3, "0x10000" },
        { 3, 2, "0x20000000" }, { 3, 1, "0x40000000000" },
    };
    const unsigned n = sizeof(cases) / sizeof(cases[0]);
    char line[64];

    for (unsigned k = 0; k < n; k++) {
        start_queue("8");
        for (unsigned entry = 0; entry < n; entry++) {
            snprintf(line, sizeof(line), "%u 0 0x0 %s 5", entry, cases[entry].size);
            put(INSERT, line);
        }
        run(TLBI_NH_VA(5) | NUM(3), TG(cases[k].tg) | TTL(cases[k].ttl));
        snprintf(line, sizeof(line), "%u 0 0x0 %s 5", k, cases[k].size);
        cr_assert(!strstr(vdf_test_read(ENTRIES), line), "%s", vdf_test_read(ENTRIES));
        unsigned lines = 1;
        for (const char *p = vdf_test_read(ENTRIES); *p; p++)
            lines += *p == '\n';
        cr_assert_eq(lines, n - 1);
    }
}

/* Without 52-bit addresses a granule of 16 KiB has no blocks at level 1: the hint counts as none.
 */
Test(hwqueue_smmu, level_1_of_16_kib)
{
    start_queue("8");
    put(INSERT, "1 0 0x0 0x4000 5");
    put(INSERT, "2 0 0x0 0x2000000 5");
    put(INSERT, "3 0 0x0 0x1000000000 5");
    put(INSERT, "4 0 0x8000 0x4000 5");
    run(TLBI_NH_VA(5) | NUM(1), TG(2) | TTL(1));
    is(ENTRIES, "4 0 0x8000 0x4000 5");
    run(TLBI_NH_VA(5), 0x8000 | TG(2) | TTL(1));
    is(Q0 "error", "ILL");
    is(ENTRIES, "4 0 0x8000 0x4000 5");
}

static void fill_atc(void)
{
    start_queue("8");
    cr_assert_eq(vdf_test_mkdir(DEV "vdevices/1"), 0);
    put(DEV "vdevices/1/psid", "100");
    put(ATC_INSERT, "100 0 0x4000 0x1000");
    put(ATC_INSERT, "100 7 0x4000 0x1000");
    put(ATC_INSERT, "100 8 0x6000 0x1000");
    put(ATC_INSERT, "101 7 0x4000 0x1000");
    put(ATC_INSERT, "100 7 0x8000 0x1000");
}

Test(hwqueue_smmu, atc_sizes)
{
    fill_atc();
    run(ATC_INV(1), 0x4000);
    is(ATC_ENTRIES, "100 8 0x6000 0x1000\n101 7 0x4000 0x1000\n100 7 0x8000 0x1000");
    fill_atc();
    /* 2^1 pages; the address is aligned down to them. */
    run(ATC_INV(1), 0x7000 | 1);
    is(ATC_ENTRIES, "100 0 0x4000 0x1000\n100 7 0x4000 0x1000\n101 7 0x4000 0x1000\n"
                    "100 7 0x8000 0x1000");
    fill_atc();
    run(ATC_INV(1), 0x5000 | 2);
    is(ATC_ENTRIES, "101 7 0x4000 0x1000\n100 7 0x8000 0x1000");
    fill_atc();
    run(ATC_INV(1), UINT64_C(0x8000000000000000) | 51);
    is(ATC_ENTRIES, "100 0 0x4000 0x1000\n100 7 0x4000 0x1000\n100 8 0x6000 0x1000\n"
                    "101 7 0x4000 0x1000\n100 7 0x8000 0x1000");
    run(ATC_INV(1), UINT64_C(0x8000000000000000) | 52);
    is(ATC_ENTRIES, "101 7 0x4000 0x1000");
    is(DEV "atc_inv", "2");
}

Test(hwqueue_smmu, atc_substreams)
{
    fill_atc();
    run(ATC_INV(1) | SSID(7), 52);
    is(ATC_ENTRIES, "100 0 0x4000 0x1000\n100 8 0x6000 0x1000\n101 7 0x4000 0x1000");
    fill_atc();
    run(ATC_INV(1) | SSID(7) | GLOBAL, 0x4000);
    is(ATC_ENTRIES, "100 8 0x6000 0x1000\n101 7 0x4000 0x1000\n100 7 0x8000 0x1000");
    fill_atc();
    run(ATC_INV(1) | SSID(0), 52);
    is(ATC_ENTRIES, "100 7 0x4000 0x1000\n100 8 0x6000 0x1000\n101 7 0x4000 0x1000\n"
                    "100 7 0x8000 0x1000");
}

Test(hwqueue_smmu, cache_is_bounded)
{
    char line[64];

    vdf_test_tree(false);
    for (unsigned k = 0; k < 4096; k++) {
        snprintf(line, sizeof(line), "%u 0 0x1000 0x1000", k);
        cr_assert_eq(vdf_test_write(INSERT, line), 0);
    }
    cr_assert_eq(vdf_test_write(INSERT, "4096 0 0x1000 0x1000"), -ENOSPC);
    cr_assert_eq(vdf_test_write(INSERT, "4095 0 0x1000 0x1000"), 0);
}
