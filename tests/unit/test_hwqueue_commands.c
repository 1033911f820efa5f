/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every command of an SMMUv3 and of an AMD IOMMU with every field, legal and illegal. */
#include "test_hwqueue.h"

TestSuite(hwqueue_commands, .fini = vdf_test_tree_free);

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define BIT(n) (UINT64_C(1) << (n))

/* --- SMMUv3 ----------------------------------------------------------------------------------- */

#define SSEC BIT(10)
#define SSV BIT(11)
#define TG(n) ((uint64_t)(n) << 10)
#define TTL(n) ((uint64_t)(n) << 8)
#define NUM(n) ((uint64_t)(n) << 12)
#define SCALE(n) ((uint64_t)(n) << 20)
#define CS(n) ((uint64_t)(n) << 12)
#define RESP(n) ((uint64_t)(n) << 12)

static void smmu(bool hyp_own)
{
    start_queue("8");
    if (hyp_own)
        put(DEV "vintf/config", "0x20001");
    cr_assert_eq(vdf_test_mkdir(DEV "vdevices/0"), 0);
}

/* Behind a CMD_SYNC, which is always taken. */
static void smmu_ends_in(uint64_t w0, uint64_t w1, const char *error)
{
    command(0, SYNC, 0);
    command(1, w0, w1);
    put(Q0 "prod", "2");
    cr_assert_str_eq(vdf_test_read(Q0 "error"), error, "0x%016llx 0x%016llx: %s, not %s",
                     (unsigned long long)w0, (unsigned long long)w1, vdf_test_read(Q0 "error"),
                     error);
    cr_assert_eq(number(Q0 "cons") & 0xfffff, strcmp(error, "none") == 0 ? 2 : 1);
    put(Q0 "enable", "0");
    put(Q0 "enable", "1");
    put(Q0 "config", "1");
    put(Q0 "cons", "0");
}

/* The commands of a Non-secure queue; the others are reserved, of Secure state, or of MPAM and
 * device permission tables. */
static const uint8_t taken[] = { 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x10, 0x11, 0x12, 0x13, 0x20,
                                 0x21, 0x22, 0x23, 0x28, 0x2a, 0x30, 0x40, 0x41, 0x44, 0x45, 0x46 };
static const uint8_t guests[] = { 0x11, 0x12, 0x40, 0x46 };

static bool is_among(const uint8_t *opcodes, size_t n, unsigned opcode)
{
    return memchr(opcodes, (int)opcode, n) != NULL;
}

Test(hwqueue_commands, smmu_opcodes)
{
    smmu(true);
    for (unsigned opcode = 0; opcode < 256; opcode++)
        smmu_ends_in(opcode, 0, is_among(taken, COUNT(taken), opcode) ? "none" : "ILL");
    vdf_test_tree_free();
    smmu(false);
    for (unsigned opcode = 0; opcode < 256; opcode++)
        smmu_ends_in(opcode, 0, is_among(guests, COUNT(guests), opcode) ? "none" : "ILL");
}

struct fields {
    uint64_t w0, w1;
    const char *error;
};

/* Each command with each of its fields, all ones and, where they decide, each value. */
static const struct fields smmu_hyp[] = {
    /* PREFETCH_CONFIG: SSV, SubstreamID, StreamID; PREFETCH_ADDR: NS, Size, Stride, Address too */
    { 0x01 | UINT64_C(0xffffffff) << 32 | UINT64_C(0xfffff) << 12 | SSV, 0, "none" },
    { 0x01 | SSEC, 0, "ILL" },
    { 0x02 | UINT64_C(0xffffffff) << 32 | UINT64_C(0xfffff) << 12 | SSV, UINT64_MAX, "none" },
    { 0x02 | SSEC, 0, "ILL" },
    /* CFGI_STE, CFGI_STE_RANGE and CFGI_ALL, CFGI_CD, CFGI_CD_ALL: Leaf, Range */
    { 0x03 | UINT64_C(0xffffffff) << 32, 1, "none" },
    { 0x03 | SSEC, 0, "ILL" },
    { 0x04 | UINT64_C(0xffffffff) << 32, 0, "none" },
    { 0x04, 31, "none" },
    { 0x04 | SSEC, 31, "ILL" },
    { 0x05 | UINT64_C(0xffffffff) << 32 | UINT64_C(0xfffff) << 12, 1, "none" },
    { 0x05 | SSEC, 1, "ILL" },
    { 0x06 | UINT64_C(0xffffffff) << 32, 0, "none" },
    { 0x06 | SSEC, 0, "ILL" },
    /* ALL, ASID: VMID, ASID */
    { 0x10 | UINT64_C(0xffff) << 32, 0, "none" },
    { 0x11 | UINT64_C(0xffffffff) << 32, 0, "none" },
    { 0x20, 0, "none" },
    { 0x21 | UINT64_C(0xffff) << 48, 0, "none" },
    { 0x28 | UINT64_C(0xffff) << 32, 0, "none" },
    { 0x30, 0, "none" },
    /* ATC_INV: Global, SSV, SubstreamID, StreamID, Size */
    { 0x40 | BIT(9) | SSV | UINT64_C(0xfffff) << 12 | UINT64_C(0xffffffff) << 32,
      UINT64_C(0xfffffffffffff000), "none" },
    { 0x40, 51, "none" },
    { 0x40, 52, "none" },
    { 0x40, 53, "ILL" },
    { 0x40, 63, "ILL" },
    { 0x40 | SSEC, 52, "ILL" },
    /* PRI_RESP: PRGIndex, Resp */
    { 0x41 | SSV | UINT64_C(0xfffff) << 12 | UINT64_C(0xffffffff) << 32, 0x1ff | RESP(0), "none" },
    { 0x41, RESP(1), "none" },
    { 0x41, RESP(2), "none" },
    { 0x41, RESP(3), "ILL" },
    { 0x41 | SSEC, RESP(2), "ILL" },
    /* RESUME: Action, Abort, STAG; STALL_TERM */
    { 0x44 | BIT(12) | BIT(13) | UINT64_C(0xffffffff) << 32, 0xffff, "none" },
    { 0x44 | SSEC, 0, "ILL" },
    { 0x45 | UINT64_C(0xffffffff) << 32, 0, "none" },
    { 0x45 | SSEC, 0, "ILL" },
    /* CMD_SYNC: CS, MSH, MSIAttr, MSIData, MSIAddress */
    { 0x46 | CS(0) | UINT64_C(0xffffffff) << 32, UINT64_MAX, "none" },
    { 0x46 | CS(1) | UINT64_C(3) << 22 | UINT64_C(15) << 24, 0, "none" },
    { 0x46 | CS(1) | UINT64_C(1) << 32, 0x108000, "none" },
    { 0x46 | CS(2), 0, "none" },
    { 0x46 | CS(3), 0, "ILL" },
};

static const struct fields smmu_guest[] = {
    { 0x11 | UINT64_C(0xffffffff) << 32, 0, "none" },
    { 0x40 | BIT(9) | SSV | UINT64_C(0xfffff) << 12, UINT64_C(0xfffffffffffff000), "none" },
    { 0x40 | UINT64_C(1) << 32, 52, "ILL_ACCESS" },
    { 0x40, 53, "ILL" },
    { 0x40 | SSEC, 52, "ILL" },
    { 0x46 | CS(0) | UINT64_C(0xffffffff) << 32, UINT64_MAX, "none" },
    { 0x46 | CS(1), 0, "ILL" },
    { 0x46 | CS(2), 0, "ILL" },
    { 0x46 | CS(3), 0, "ILL" },
};

Test(hwqueue_commands, smmu_fields)
{
    smmu(true);
    for (unsigned k = 0; k < COUNT(smmu_hyp); k++)
        smmu_ends_in(smmu_hyp[k].w0, smmu_hyp[k].w1, smmu_hyp[k].error);
    vdf_test_tree_free();
    smmu(false);
    for (unsigned k = 0; k < COUNT(smmu_guest); k++)
        smmu_ends_in(smmu_guest[k].w0, smmu_guest[k].w1, smmu_guest[k].error);
}

static void tlbi_by_address(uint64_t opcode)
{
    for (unsigned tg = 0; tg < 4; tg++)
        for (unsigned ttl = 0; ttl < 4; ttl++)
            for (unsigned range = 0; range < 4; range++) {
                uint64_t w0 = opcode | UINT64_C(0xffff) << 48;
                w0 |= (range & 1 ? NUM(31) : 0) | (range & 2 ? SCALE(31) : 0);
                /* A level that the granule does not have is no level. */
                bool level = ttl != 0 && !(tg == 2 && ttl == 1);
                smmu_ends_in(w0, UINT64_C(0xfffffffffffff001) | TG(tg) | TTL(ttl),
                             tg && !range && !level ? "ILL" : "none");
            }
}

Test(hwqueue_commands, smmu_tlbi_by_address)
{
    static const uint8_t opcodes[] = { 0x12, 0x13, 0x22, 0x23, 0x2a };

    smmu(true);
    for (unsigned k = 0; k < COUNT(opcodes); k++)
        tlbi_by_address(opcodes[k]);
    vdf_test_tree_free();
    smmu(false);
    tlbi_by_address(0x12);
}

/* RES0 fields do not matter: 4.1.5 leaves that to the implementation. */
Test(hwqueue_commands, smmu_reserved_bits)
{
    smmu(true);
    for (unsigned k = 0; k < COUNT(taken); k++)
        for (unsigned bit = 8; bit < 128; bit++) {
            uint64_t w0 = taken[k] | (bit < 64 ? BIT(bit) : 0), w1 = bit < 64 ? 0 : BIT(bit - 64);
            bool stream = taken[k] <= 0x06 || (taken[k] >= 0x40 && taken[k] != 0x46);
            bool by_address = taken[k] == 0x12 || taken[k] == 0x13 || taken[k] == 0x22 ||
                              taken[k] == 0x23 || taken[k] == 0x2a;
            bool reserved = (stream && w0 & SSEC) || (by_address && w1 & TG(3));
            smmu_ends_in(w0, w1, reserved ? "ILL" : "none");
        }
}

Test(hwqueue_commands, smmu_says_what_is_wrong)
{
    static const struct {
        uint64_t w0, w1;
        const char *says;
    } cases[] = {
        { 0x30, 0, "a guest's queue takes" },
        { 0x12 | BIT(48), 0x10000 | TG(1), "neither range nor level" },
        { 0x40, 53, "Size is at most 52" },
        { 0x40 | SSEC, 0, "SSec is 0" },
        { 0x46 | CS(1), 0, "CS is 0" },
        { 0x46 | CS(3), 0, "CS 3 is reserved" },
    };

    smmu(false);
    for (unsigned k = 0; k < COUNT(cases); k++) {
        smmu_ends_in(cases[k].w0, cases[k].w1, "ILL");
        cr_assert(strstr(vdf_test_last_error(), cases[k].says), "%s", vdf_test_last_error());
    }
    is(DEV "illegal", "6");
}

/* --- AMD -------------------------------------------------------------------------------------- */

#define CMD DEV "queues/cmd/"
#define EVENT DEV "queues/event/"

static void amd(void)
{
    vdf_test_tree(false);
    put(DEV "type", "amd");
    put(DEV "ioas/map", "0x100000 0x10000");
    put(CMD "base", "0x100000");
    put(CMD "length", "8");
    put(EVENT "base", "0x101000");
    put(EVENT "length", "8");
    put(EVENT "enable", "1");
}

/* The only command of a fresh ring. */
static void amd_ends_in(uint64_t low, uint64_t high, bool illegal)
{
    const uint64_t words[2] = { htole64(low), htole64(high) };
    uint64_t event, logged = number(EVENT "tail");

    put(CMD "enable", "0");
    put(CMD "head", "0");
    put(CMD "tail", "0");
    put(CMD "enable", "1");
    cr_assert_eq(vdf_test_pwrite(DEV "memory", words, 16, 0), 16);
    put(CMD "tail", "0x10");
    cr_assert_eq(number(CMD "run"), !illegal, "0x%016llx 0x%016llx", (unsigned long long)low,
                 (unsigned long long)high);
    cr_assert_eq(number(CMD "head"), illegal ? 0 : 16);
    cr_assert_eq(number(EVENT "tail"), illegal ? (logged + 16) & 0xfff : logged);
    if (!illegal)
        return;
    cr_assert_eq(vdf_test_pread(DEV "memory", &event, 8, 0x1000 + logged), 8);
    cr_assert_eq(le64toh(event), UINT64_C(5) << 60);
    cr_assert_eq(vdf_test_pread(DEV "memory", &event, 8, 0x1008 + logged), 8);
    cr_assert_eq(le64toh(event), 0x100000);
    vdf_test_write_u64(EVENT "head", number(EVENT "tail"));
}

/* The bits that each command uses. */
static const struct {
    unsigned opcode;
    uint64_t low, high;
} amd_fields[] = {
    { 1, 0x000fffffffffffff, UINT64_MAX },
    { 2, 0x000000000000ffff, 0 },
    { 3, 0x0000ffff000fffff, UINT64_C(0xfffffffffffff007) },
    { 4, 0x0fffffffffffffff, UINT64_C(0xfffffffffffff035) },
    { 5, 0x000000000000ffff, 0 },
    { 7, 0x000fffff0000ffff, UINT64_C(0x0000ffff00000004) },
    { 8, 0, 0 },
};

Test(hwqueue_commands, amd_reserved_bits)
{
    amd();
    for (unsigned k = 0; k < COUNT(amd_fields); k++) {
        uint64_t opcode = (uint64_t)amd_fields[k].opcode << 60;
        amd_ends_in(opcode, 0, false);
        for (unsigned bit = 0; bit < 128; bit++) {
            uint64_t low = bit < 64 ? BIT(bit) : 0, high = bit < 64 ? 0 : BIT(bit - 64);
            bool used = (low & amd_fields[k].low) || (high & amd_fields[k].high);
            /* The opcode, and a store, which goes to address 0 here. */
            if ((bit >= 60 && bit < 64) || (amd_fields[k].opcode == 1 && bit == 0))
                continue;
            amd_ends_in(opcode | low, high, !used);
        }
    }
}

Test(hwqueue_commands, amd_all_fields_at_once)
{
    amd();
    /* A COMPLETION_WAIT that stores, interrupts and flushes */
    amd_ends_in(BIT(60) | 0x104000 | 7, UINT64_MAX, false);
    for (unsigned k = 1; k < COUNT(amd_fields); k++)
        amd_ends_in((uint64_t)amd_fields[k].opcode << 60 | amd_fields[k].low, amd_fields[k].high,
                    false);
    amd_ends_in(UINT64_C(3) << 60 | BIT(20), 0, true);
    cr_assert(strstr(vdf_test_last_error(), "INVALIDATE_IOMMU_PAGES at 0x100000: reserved bits "
                                            "0x0000000000100000"),
              "%s", vdf_test_last_error());
}
