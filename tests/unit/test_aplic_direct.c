/* SPDX-License-Identifier: GPL-2.0-or-later */
/* APLIC with direct delivery: the rules of the AIA specification, sections 4.5 to 4.8. */
#include "test_aplic.h"

#include "backends/aplic/guest.h"

#define IDELIVERY(hart) (0x4000 + 32 * (hart))
#define IFORCE(hart) (0x4004 + 32 * (hart))
#define ITHRESHOLD(hart) (0x4008 + 32 * (hart))
#define TOPI(hart) (0x4018 + 32 * (hart))
#define CLAIMI(hart) (0x401c + 32 * (hart))

TestSuite(aplic_direct, .fini = vdf_test_tree_free);

/* An active, enabled source with a target. */
static void add_source(unsigned n, unsigned mode, unsigned hart, unsigned priority)
{
    put(at("sourcecfg/%u", n), mode);
    put(at("target/%u", n), hart << 18 | priority);
    put(at("setienum"), n);
}

Test(aplic_direct, files)
{
    uint64_t value;

    make_direct(3, 40);
    expect(at("domaincfg"), "0x80000000");
    put(at("domaincfg"), UINT32_MAX);
    expect(at("domaincfg"), "0x80000100");
    expect(at("idc/2/idelivery"), "0x00000000");
    cr_assert_not(vdf_test_exists(at("idc/3")));
    cr_assert_not(vdf_test_exists(at("imsic")));
    cr_assert_not(vdf_test_exists(at("signal_msi")));
    cr_assert_eq(vdf_test_reg_read(at("regs"), IDELIVERY(2), 4, &value), 0);
    cr_assert_eq(vdf_test_reg_read(at("regs"), IDELIVERY(3), 4, &value), -ENODEV);
    static const char *const absent[] = { "msi",           "addr/imsic",     "aia/mode",
                                          "aia/ids",       "aia/group_bits", "aia/group_shift",
                                          "aia/hart_bits", "aia/guest_bits" };
    for (unsigned k = 0; k < sizeof(absent) / sizeof(absent[0]); k++)
        cr_assert_not(vdf_test_exists(at("%s", absent[k])), "%s", absent[k]);
    refuse(EBUSY, at("init"), "0");
    refuse(EBUSY, at("delivery"), "msi");
}

Test(aplic_direct, no_addresses_are_needed)
{
    make_direct(0, 1);
    cr_assert_not(vdf_test_exists(at("idc")));
    put(at("sourcecfg/1"), HIGH);
    put(at("wire/1"), 1);
    expect(at("pending"), "1");
}

Test(aplic_direct, before_init_there_are_no_idcs)
{
    uint64_t value;

    vdf_test_tree(true);
    cr_assert_eq(vdf_test_mkdir(DEV), 0);
    put_text(at("delivery"), "direct");
    put(at("aia/srcs"), 8);
    cr_assert_not(vdf_test_exists(at("idc")));
    cr_assert_eq(vdf_test_reg_read(at("regs"), IDELIVERY(0), 4, &value), -ENODEV);
    refuse(EBUSY, at("wire/1"), "1");
}

Test(aplic_direct, target_has_a_priority)
{
    make_direct(2, 8);
    /* Read-only zero while the source is inactive. */
    put(at("target/1"), 1 << 18 | 5);
    expect_number(at("target/1"), 0);
    put(at("sourcecfg/1"), 1);
    expect_number(at("target/1"), 1 << 18 | 5);
    put(at("target/1"), UINT32_MAX);
    expect_number(at("target/1"), 0xfffc00ff);
    put(at("target/1"), 1 << 18);
    expect_number(at("target/1"), 1 << 18 | 1);
    put(at("target/1"), 0x100);
    expect_number(at("target/1"), 1);
    put(at("sourcecfg/2"), 1);
    expect_number(at("target/2"), 1);
}

Test(aplic_direct, genmsi_is_read_only_zero)
{
    make_direct(1, 8);
    put(at("genmsi"), 5);
    expect_number(at("genmsi"), 0);
}

Test(aplic_direct, inactive_sources_have_no_bits)
{
    make_direct(1, 8);
    put(at("setienum"), 3);
    put(at("setie/0"), 0x1fe);
    put(at("setipnum"), 3);
    expect(at("enabled"), "");
    expect(at("pending"), "");
    add_source(3, RISING, 0, 1);
    put(at("setipnum"), 3);
    expect(at("pending"), "3");
    expect(at("enabled"), "3");
    /* There is no child domain to delegate to: D makes the source inactive. */
    put(at("sourcecfg/3"), 0x400);
    expect_number(at("sourcecfg/3"), 0);
    expect(at("pending"), "");
    expect(at("enabled"), "");
    put(at("sourcecfg/3"), RISING);
    expect(at("pending"), "");
    expect(at("enabled"), "");
}

Test(aplic_direct, becoming_active_with_a_high_input)
{
    make_direct(1, 8);
    put(at("wire/1"), 1);
    put(at("wire/2"), 1);
    put(at("sourcecfg/1"), HIGH);
    put(at("sourcecfg/2"), LOW);
    put(at("sourcecfg/3"), LOW);
    expect(at("pending"), "1\n3");
    expect_number(at("in_clrip/0"), 1 << 1 | 1 << 3);
    /* A detached source has no input. */
    put(at("wire/4"), 1);
    put(at("sourcecfg/4"), 1);
    expect(at("pending"), "1\n3");
    expect_number(at("in_clrip/0"), 1 << 1 | 1 << 3);
}

Test(aplic_direct, levels_follow_the_wire_only)
{
    make_direct(1, 8);
    add_source(1, HIGH, 0, 1);
    put(at("setipnum"), 1);
    expect(at("pending"), "");
    put(at("wire/1"), 1);
    expect(at("pending"), "1");
    put(at("clripnum"), 1);
    put(at("in_clrip/0"), 2);
    expect(at("pending"), "1");
    /* A claim does not clear a level that is still asserted. */
    cr_assert_eq(reg(CLAIMI(0)), 0x10001);
    cr_assert_eq(reg(CLAIMI(0)), 0x10001);
    put(at("wire/1"), 0);
    expect(at("pending"), "");
    cr_assert_eq(reg(CLAIMI(0)), 0);
}

Test(aplic_direct, a_level_is_a_copy_of_its_input)
{
    make_direct(1, 8);
    for (unsigned mode = HIGH; mode <= LOW; mode++) {
        bool asserted = mode == HIGH;

        add_source(5, mode, 0, 3);
        put(at("wire/5"), asserted);
        expect(at("pending"), "5");
        cr_assert_eq(reg(TOPI(0)), 5 << 16 | 3);
        put(at("wire/5"), !asserted);
        expect(at("pending"), "");
        cr_assert_eq(reg(TOPI(0)), 0);
        /* A source that becomes a level loses the pending bit of an earlier edge. */
        put(at("sourcecfg/5"), RISING);
        put(at("setipnum"), 5);
        expect(at("pending"), "5");
        put(at("sourcecfg/5"), mode);
        expect(at("pending"), "");
        put(at("sourcecfg/5"), mode ^ HIGH ^ LOW);
        expect(at("pending"), "5");
        put(at("sourcecfg/5"), 0);
    }
    /* A pending level that becomes an edge stays pending. */
    put(at("sourcecfg/5"), LOW);
    put(at("wire/5"), 0);
    put(at("sourcecfg/5"), RISING);
    expect(at("pending"), "5");
    put(at("clripnum"), 5);
    expect(at("pending"), "");
}

Test(aplic_direct, reserved_modes_are_inactive)
{
    make_direct(1, 8);
    for (unsigned mode = 2; mode <= 3; mode++) {
        add_source(1, 1, 0, 1);
        put(at("setipnum"), 1);
        put(at("sourcecfg/1"), mode);
        expect_number(at("sourcecfg/1"), 0);
        expect(at("pending"), "");
        expect(at("enabled"), "");
        put_reg(0x4, 0xfffffbf8 | mode);
        cr_assert_eq(reg(0x4), 0);
    }
    put_reg(0x4, 0xfffffbf8 | 1);
    cr_assert_eq(reg(0x4), 1);
}

Test(aplic_direct, has_1023_sources)
{
    vdf_test_tree(true);
    cr_assert_eq(vdf_test_mkdir(DEV), 0);
    refuse(EINVAL, at("aia/srcs"), "256");
    put_text(at("delivery"), "direct");
    refuse(EINVAL, at("aia/srcs"), "1024");
    put(at("aia/srcs"), 1023);
    refuse(EINVAL, at("delivery"), "msi");
    put(at("init"), 1);
    cr_assert_not(vdf_test_exists(at("setip/32")));
    add_source(1023, HIGH, 0, 1);
    add_source(256, RISING, 0, 2);
    put(at("wire/1023"), 1);
    put(at("wire/256"), 1);
    expect_number(at("setip/31"), 0x80000000);
    expect_number(at("in_clrip/31"), 0x80000000);
    cr_assert_eq(reg(0xffc), HIGH);
    cr_assert_eq(reg(0x3ffc), 1);
    cr_assert_eq(reg(CLAIMI(0)), 1023 << 16 | 1);
    char *state = strdup(vdf_test_read(at("state")));
    put(at("wire/1023"), 0);
    cr_assert_eq(reg(CLAIMI(0)), 256 << 16 | 2);
    expect(at("pending"), "");
    put_text(at("state"), state);
    cr_assert_str_eq(vdf_test_read(at("state")), state);
    expect(at("pending"), "256\n1023");
    free(state);
}

static bool is_register(uint64_t offset, unsigned sources, unsigned harts)
{
    static const uint64_t single[] = { 0, 0x1cdc, 0x1ddc, 0x1edc, 0x1fdc, 0x2000, 0x2004, 0x3000 };
    unsigned in_idc = offset % 32;

    for (unsigned k = 0; k < sizeof(single) / sizeof(single[0]); k++)
        if (offset == single[k])
            return true;
    if (offset >= 0x4000)
        return offset < 0x4000 + 32 * harts && (in_idc <= 8 || in_idc >= 0x18);
    if (offset >= 0x1c00 && offset < 0x2000)
        return offset % 0x100 / 4 <= sources / 32;
    return offset % 0x3000 / 4 <= sources && (offset < 0x1000 || offset >= 0x3000);
}

/* Aligned words are registers or read-only zeros; all other accesses are bus errors. */
Test(aplic_direct, every_offset_at_every_width)
{
    static const unsigned widths[] = { 1, 2, 4, 8 };
    uint64_t value;

    make_direct(2, 70);
    char *before = strdup(vdf_test_read(at("state")));
    for (uint64_t offset = 0; offset < 0x4040; offset++)
        for (unsigned w = 0; w < 4; w++) {
            unsigned width = widths[w];
            bool fits = width == 4 && offset % 4 == 0;
            int ret = vdf_guest_read(vdf_test_obj(DEV), 0, offset, width, &value, NULL);

            cr_assert_eq(ret, fits ? 0 : -EOPNOTSUPP, "%u at 0x%" PRIx64 ": %d", width, offset,
                         ret);
            if (fits && is_register(offset, 70, 2))
                continue;
            ret = vdf_guest_write(vdf_test_obj(DEV), 0, offset, width, UINT64_MAX, NULL);
            cr_assert_eq(ret, fits ? 0 : -EOPNOTSUPP, "%u at 0x%" PRIx64 ": %d", width, offset,
                         ret);
            if (!fits)
                continue;
            cr_assert_eq(reg(offset), 0, "0x%" PRIx64, offset);
        }
    cr_assert_eq(vdf_guest_read(vdf_test_obj(DEV), 0, 0x4040, 4, &value, NULL), -ENODEV);
    cr_assert_str_eq(vdf_test_read(at("state")), before);
    free(before);
}

Test(aplic_direct, edges_are_claimed_once)
{
    make_direct(1, 8);
    add_source(2, RISING, 0, 7);
    put(at("wire/2"), 1);
    put(at("wire/2"), 1);
    cr_assert_eq(reg(CLAIMI(0)), 0x20007);
    cr_assert_eq(reg(CLAIMI(0)), 0);
    put(at("wire/2"), 0);
    expect(at("pending"), "");
    put(at("setipnum"), 2);
    put(at("clripnum"), 2);
    expect(at("pending"), "");
}

Test(aplic_direct, reading_the_file_claims_nothing)
{
    uint8_t copy[32];

    make_direct(1, 8);
    add_source(2, RISING, 0, 7);
    put(at("setipnum"), 2);
    put(at("idc/0/iforce"), 1);
    expect(at("idc/0/claimi"), "0x00020007");
    expect(at("idc/0/topi"), "0x00020007");
    cr_assert_eq(reg(TOPI(0)), 0x20007);
    cr_assert_eq(vdf_test_pread(at("regs"), copy, sizeof(copy), 0x4000), sizeof(copy));
    cr_assert_arr_eq(copy + 0x1c, "\7\0\2\0", 4);
    expect(at("pending"), "2");
    put(at("idc/0/claimi"), 5);
    put(at("idc/0/topi"), 5);
    expect(at("pending"), "2");
    cr_assert_eq(reg(CLAIMI(0)), 0x20007);
    expect(at("idc/0/iforce"), "0x00000001");
    cr_assert_eq(reg(CLAIMI(0)), 0);
    expect(at("idc/0/iforce"), "0x00000000");
}

Test(aplic_direct, priorities_and_thresholds)
{
    make_direct(2, 200);
    add_source(5, 1, 0, 9);
    add_source(6, 1, 0, 3);
    add_source(199, 1, 0, 3);
    add_source(7, 1, 1, 255);
    add_source(8, 1, 2, 1); /* no such hart */
    for (unsigned n = 5; n <= 8; n++)
        put(at("setipnum"), n);
    put(at("setipnum"), 199);

    cr_assert_eq(reg(TOPI(0)), 6 << 16 | 3);
    cr_assert_eq(reg(TOPI(1)), 7 << 16 | 255);
    put(at("idc/1/ithreshold"), 255);
    cr_assert_eq(reg(TOPI(1)), 0);
    put(at("idc/1/ithreshold"), 256);
    cr_assert_eq(reg(TOPI(1)), 7 << 16 | 255);
    put_reg(ITHRESHOLD(0), 3);
    cr_assert_eq(reg(TOPI(0)), 0);
    put_reg(ITHRESHOLD(0), 4);
    cr_assert_eq(reg(CLAIMI(0)), 6 << 16 | 3);
    cr_assert_eq(reg(CLAIMI(0)), 199 << 16 | 3);
    cr_assert_eq(reg(CLAIMI(0)), 0);
    put_reg(ITHRESHOLD(0), 0);
    cr_assert_eq(reg(CLAIMI(0)), 5 << 16 | 9);
    expect(at("pending"), "7\n8");
}

Test(aplic_direct, registers_have_one_bit)
{
    make_direct(1, 8);
    put_reg(IDELIVERY(0), UINT32_MAX);
    put_reg(IFORCE(0), 0xfffffffe);
    put_reg(ITHRESHOLD(0), UINT32_MAX);
    cr_assert_eq(reg(IDELIVERY(0)), 1);
    cr_assert_eq(reg(IFORCE(0)), 0);
    cr_assert_eq(reg(ITHRESHOLD(0)), 0xff);
}

static char levels[64];

static void take_level(void *ctx, bool level)
{
    cr_assert_lt(strlen(levels), sizeof(levels) - 1);
    strcat(levels, level ? "1" : "0");
}

Test(aplic_direct, the_line_to_the_harts)
{
    make_direct(2, 8);
    vdf_aplic_connect(vdf_test_obj(DEV), &(struct vdf_irq){ .set_level = take_level });
    add_source(1, HIGH, 1, 5);
    put(at("wire/1"), 1);
    put(at("domaincfg"), 0x100);
    cr_assert_str_eq(levels, "");
    put(at("idc/0/idelivery"), 1);
    cr_assert_str_eq(levels, "");
    put(at("idc/1/idelivery"), 1);
    cr_assert_str_eq(levels, "1");
    put(at("idc/1/ithreshold"), 5);
    cr_assert_str_eq(levels, "10");
    put(at("idc/1/iforce"), 1);
    cr_assert_str_eq(levels, "101");
    put(at("domaincfg"), 0);
    put(at("domaincfg"), 0x100);
    cr_assert_str_eq(levels, "10101");
    cr_assert_eq(reg(CLAIMI(1)), 0);
    cr_assert_str_eq(levels, "101010");
    put(at("idc/1/ithreshold"), 0);
    put(at("wire/1"), 0);
    cr_assert_eq(reg(CLAIMI(1)), 0);
    cr_assert_str_eq(levels, "10101010");

    /* A restored state may have another level. */
    put(at("wire/1"), 1);
    char *state = strdup(vdf_test_read(at("state")));
    put(at("wire/1"), 0);
    reg(CLAIMI(1));
    cr_assert_str_eq(levels, "1010101010");
    put_text(at("state"), state);
    free(state);
    cr_assert_str_eq(levels, "10101010101");
    put(at("idc/1/idelivery"), 0);
    cr_assert_str_eq(levels, "101010101010");
}
