/* SPDX-License-Identifier: GPL-2.0-or-later */
/* APLIC: the files before init, and sources and interrupt files with MSI delivery. */
#include "test_aplic.h"

#include "backends/aplic/guest.h"

TestSuite(aplic, .fini = vdf_test_tree_free);

/* --- before init ------------------------------------------------------------------------------ */

Test(aplic, defaults_of_mkdir)
{
    vdf_test_tree(true);
    cr_assert_eq(vdf_test_mkdir(DEV), 0);
    expect(at("backend"), "soft");
    expect(at("delivery"), "msi");
    expect(at("harts"), "1");
    expect(at("aia/mode"), "2");
    expect(at("aia/ids"), "255");
    expect(at("aia/srcs"), "0");
    expect(at("aia/group_bits"), "0");
    expect(at("aia/group_shift"), "24");
    expect(at("aia/hart_bits"), "0");
    expect(at("aia/guest_bits"), "0");
    expect(at("addr/aplic"), "0xffffffffffffffff");
    expect(at("addr/imsic/0"), "0xffffffffffffffff");
    cr_assert_not(vdf_test_exists(at("addr/imsic/1")));
    cr_assert_not(vdf_test_exists(at("domaincfg")));
    cr_assert_not(vdf_test_exists(at("sourcecfg")));
    cr_assert_not(vdf_test_exists(at("imsic")));
    cr_assert_not(vdf_test_exists(at("idc")));
    expect(at("wire/1"), "0");
    expect(at("wire/1023"), "0");
    cr_assert_not(vdf_test_exists(at("wire/0")));
    cr_assert_not(vdf_test_exists(at("wire/1024")));
    uint64_t value;
    cr_assert_eq(vdf_test_reg_read(at("regs"), 0, 4, &value), -ENODEV);
    cr_assert_eq(vdf_test_reg_read(at("regs"), 1, 4, &value), -ENODEV);
    cr_assert_eq(vdf_test_reg_read(at("regs"), 0x4000, 4, &value), -ENODEV);
    cr_assert_eq(vdf_test_reg_write(at("regs"), 0, 4, 0x100), -ENODEV);
}

Test(aplic, default_device_works)
{
    vdf_test_tree(false);
    expect("aplic/aplic0/harts", "2");
    expect("aplic/aplic0/aia/srcs", "96");
    expect("aplic/aplic0/aia/ids", "255");
    expect("aplic/aplic0/delivery", "msi");
    put("aplic/aplic0/sourcecfg/96", RISING);
    put("aplic/aplic0/target/96", 1u << 18 | 7);
    put("aplic/aplic0/setienum", 96);
    put("aplic/aplic0/domaincfg", 0x100);
    put("aplic/aplic0/wire/96", 1);
    expect("aplic/aplic0/imsic/1/pending", "7");
    expect("aplic/aplic0/imsic/0/pending", "");
    cr_assert_not(vdf_test_exists("aplic/aplic0/sourcecfg/97"));
}

Test(aplic, numbers_that_do_not_fit_are_erange)
{
    vdf_test_tree(true);
    cr_assert_eq(vdf_test_mkdir(DEV), 0);
    refuse(ERANGE, at("aia/mode"), "0x100000000");
    refuse(ERANGE, at("aia/srcs"), "4294967296");
    refuse(ERANGE, at("addr/aplic"), "0x10000000000000000");
    refuse(EINVAL, at("aia/mode"), "3");
    refuse(EINVAL, at("aia/mode"), "4294967295");
    refuse(EINVAL, at("aia/mode"), "two");
    refuse(EINVAL, at("delivery"), "MSI");
    put_text(at("backend"), "soft");
}

/* Only a riscv64 host with an AIA has this backend; tests/vm tests it there. */
Test(aplic, a_backend_that_is_not_there)
{
    make_msi(2, 8, 63);
    refuse(EBUSY, at("backend"), "kvm");
    refuse(EINVAL, at("backend"), "qemu");
    vdf_test_tree(true);
    cr_assert_eq(vdf_test_mkdir(DEV), 0);
#ifndef __riscv
    refuse(ENODEV, at("backend"), "kvm");
    cr_assert_not_null(strstr(vdf_test_last_error(), "riscv64 host"), "%s", vdf_test_last_error());
    cr_assert_not_null(strstr(vdf_test_last_error(), "`soft`"), "%s", vdf_test_last_error());
#endif
    put_text(at("delivery"), "direct");
    refuse(EOPNOTSUPP, at("backend"), "kvm");
    expect(at("backend"), "soft");
    cr_assert_null(strstr(vdf_test_read(DEV "/state"), "backend"));
}

Test(aplic, harts_keep_their_addresses)
{
    vdf_test_tree(true);
    cr_assert_eq(vdf_test_mkdir(DEV), 0);
    put(at("addr/imsic/0"), 0x28000000);
    put(at("harts"), 3);
    expect_number(at("addr/imsic/0"), 0x28000000);
    expect_number(at("addr/imsic/2"), UINT64_MAX);
    put(at("harts"), 0);
    cr_assert_not(vdf_test_exists(at("addr/imsic/0")));
    put(at("harts"), 16384);
    expect_number(at("addr/imsic/0"), UINT64_MAX);
    refuse(EINVAL, at("harts"), "16385");
}

Test(aplic, init_without_harts)
{
    make_msi(0, 8, 63);
    put(at("genmsi"), 5);
    cr_assert_str_eq(msis(), "hart=0 guest=0 eiid=5 dropped\n");
    put_text(at("signal_msi"), "0x28000000 5");
    cr_assert_not(vdf_test_exists(at("imsic")));
}

Test(aplic, nothing_is_set_after_init)
{
    static const char *const files[][2] = {
        { "backend", "soft" },     { "backend", "kvm" },
        { "delivery", "direct" },  { "harts", "1" },
        { "harts", "99999" },      { "aia/mode", "7" },
        { "aia/ids", "1" },        { "aia/srcs", "4096" },
        { "aia/group_bits", "8" }, { "aia/group_shift", "24" },
        { "aia/hart_bits", "1" },  { "aia/guest_bits", "1" },
        { "addr/aplic", "0x1" },   { "addr/imsic/0", "0x801" },
        { "init", "1" },
    };

    make_msi(2, 8, 63);
    for (size_t k = 0; k < sizeof(files) / sizeof(files[0]); k++)
        refuse(EBUSY, at("%s", files[k][0]), files[k][1]);
}

Test(aplic, without_sources_there_is_no_aplic)
{
    uint64_t value;

    make_msi(1, 0, 63);
    cr_assert_eq(vdf_test_reg_read(at("regs"), 0, 4, &value), -ENODEV);
    cr_assert_eq(vdf_test_reg_write(at("regs"), 0, 4, 0), -ENODEV);
    cr_assert_not(vdf_test_exists(at("domaincfg")));
    refuse(ENODEV, at("wire/1"), "1");
    put_text(at("signal_msi"), "0x28000000 9");
    expect(at("imsic/0/pending"), "9");
}

Test(aplic, wires_before_init_are_busy)
{
    vdf_test_tree(true);
    cr_assert_eq(vdf_test_mkdir(DEV), 0);
    refuse(EBUSY, at("wire/1"), "1");
    refuse(EBUSY, at("wire/1023"), "0");
    refuse(EBUSY, at("signal_msi"), "0x28000000 0");
    expect(at("wire/1"), "0");
}

Test(aplic, signal_msi_takes_two_numbers)
{
    make_msi(1, 8, 63);
    put_text(at("signal_msi"), "  0x28000000 \t 0b101 ");
    put_text(at("signal_msi"), "671088640 6");
    expect(at("imsic/0/pending"), "5\n6");
    refuse(EINVAL, at("signal_msi"), "\n");
    refuse(EINVAL, at("signal_msi"), "0x28000000");
    refuse(EINVAL, at("signal_msi"), "0x28000000 5 6");
    refuse(EINVAL, at("signal_msi"), "0x28000000 0x");
    refuse(EINVAL, at("signal_msi"), "0x2800000g 5");
    refuse(EINVAL, at("signal_msi"), "0x28000000 0b12");
    refuse(EINVAL, at("signal_msi"), "-1 5");
    refuse(ERANGE, at("signal_msi"), "0x28000000 0x100000000");
    refuse(ERANGE, at("signal_msi"), "0x10000000000000000 5");
    refuse(EINVAL, at("signal_msi"), "0x28000000 0xffffffff");
    refuse(ENODEV, at("signal_msi"), "0x28000008 5");
    refuse(ENODEV, at("signal_msi"), "0x28000000 0");
    put_text(at("signal_msi"), "0xffffffffffffffff 0");
    expect(at("imsic/0/pending"), "5\n6");
}

/* --- sources ---------------------------------------------------------------------------------- */

Test(aplic, wire_by_source_mode)
{
    /* Pending after the calls 0, 1, 1, 0, 0 of KVM_IRQ_LINE, cleared before each. */
    static const struct {
        unsigned mode;
        const char *pends;
    } cases[] = {
        { 0, "00000" }, { 1, "00000" }, { 2, "00000" }, { 3, "00000" },
        { 4, "01000" }, { 5, "00010" }, { 6, "01100" }, { 7, "10011" },
    };
    static const unsigned levels[] = { 0, 1, 1, 0, 0 };

    make_msi(1, 40, 63);
    for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
        put(at("sourcecfg/33"), cases[k].mode);
        for (size_t n = 0; n < 5; n++) {
            put(at("wire/33"), levels[n]);
            expect_number(at("wire/33"), levels[n]);
            cr_assert_eq(vdf_test_read_u64(at("setip/1")), cases[k].pends[n] == '1' ? 2 : 0,
                         "mode %u, call %zu", cases[k].mode, n);
            put(at("clripnum"), 33);
        }
    }
}

Test(aplic, set_and_clear_pending_by_source_mode)
{
    /* Is the source pending after setipnum with the input 0, and with the input 1? Clearing works for
     * all sources but inactive ones. */
    static const struct {
        unsigned mode;
        bool low, high;
    } cases[] = {
        { 0, false, false }, { 1, true, true }, { 2, true, true },  { 3, true, true },
        { 4, true, true },   { 5, true, true }, { 6, false, true }, { 7, true, false },
    };

    make_msi(1, 40, 63);
    for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++)
        for (unsigned input = 0; input <= 1; input++) {
            bool pends = input ? cases[k].high : cases[k].low;

            put(at("sourcecfg/5"), 1);
            put(at("wire/5"), input);
            put(at("sourcecfg/5"), cases[k].mode);
            put(at("setipnum"), 5);
            cr_assert_eq(vdf_test_read_u64(at("setip/0")), pends ? 0x20 : 0, "mode %u, input %u",
                         cases[k].mode, input);
            put(at("in_clrip/0"), 0x20);
            expect_number(at("setip/0"), 0);
        }
}

Test(aplic, rectified_input)
{
    static const unsigned rectified_low[] = { 0, 0, 0, 0, 0, 1, 0, 1 };

    make_msi(1, 40, 63);
    for (unsigned mode = 0; mode < 8; mode++)
        for (unsigned input = 0; input <= 1; input++) {
            put(at("sourcecfg/40"), mode);
            put(at("wire/40"), input);
            cr_assert_eq(vdf_test_read_u64(at("in_clrip/1")),
                         mode != 0 && (input ^ rectified_low[mode]) ? 0x100 : 0,
                         "mode %u, input %u", mode, input);
        }
}

Test(aplic, sourcecfg_write_keeps_the_rest)
{
    make_msi(1, 40, 63);
    put(at("sourcecfg/3"), HIGH);
    put(at("wire/3"), 1);
    put(at("setienum"), 3);
    put(at("sourcecfg/3"), 0x406);
    expect_number(at("sourcecfg/3"), 0);
    expect(at("pending"), "3");
    expect(at("enabled"), "3");
    put(at("wire/3"), 0);
    put(at("clripnum"), 3);
    expect(at("pending"), "3");
    expect(at("wire/3"), "0");
}

Test(aplic, a_level_that_goes_stays_pending)
{
    make_msi(1, 8, 63);
    put(at("sourcecfg/2"), HIGH);
    put(at("wire/2"), 1);
    put(at("wire/2"), 0);
    expect(at("pending"), "2");
}

Test(aplic, forwarding_in_order_uses_pending_up)
{
    make_msi(2, 70, 127);
    for (unsigned n = 1; n <= 70; n += 23) {
        put(at("sourcecfg/%u", n), RISING);
        put(at("target/%u", n), (n / 23 % 3) << 18 | n % 64);
        put(at("setienum"), n);
        put(at("wire/%u", n), 1);
    }
    expect(at("pending"), "1\n24\n47\n70");
    cr_assert_str_eq(msis(), "");
    put(at("domaincfg"), 0x100);
    expect(at("pending"), "");
    expect(at("enabled"), "1\n24\n47\n70");
    cr_assert_str_eq(msis(), "hart=0 guest=0 eiid=1 delivered\n"
                             "hart=1 guest=0 eiid=24 delivered\n"
                             "hart=2 guest=0 eiid=47 dropped\n"
                             "hart=0 guest=0 eiid=6 delivered\n");
    expect(at("imsic/0/pending"), "1\n6");
    expect(at("imsic/1/pending"), "24");
}

Test(aplic, msis_that_no_interrupt_file_takes)
{
    make_msi(1, 8, 63);
    put(at("sourcecfg/1"), 1);
    put(at("setienum"), 1);
    put(at("domaincfg"), 0x100);
    put(at("target/1"), 0);
    put(at("setipnum"), 1);
    put(at("target/1"), 64);
    put(at("setipnum"), 1);
    put(at("target/1"), 3 << 12 | 5);
    put(at("setipnum_le"), 1);
    put(at("target/1"), 0x3fffu << 18 | 5);
    put(at("setipnum_be"), 0x01000000);
    expect(at("pending"), "");
    expect(at("imsic/0/pending"), "");
    cr_assert_str_eq(msis(), "hart=0 guest=0 eiid=0 dropped\n"
                             "hart=0 guest=0 eiid=64 dropped\n"
                             "hart=0 guest=3 eiid=5 dropped\n"
                             "hart=16383 guest=0 eiid=5 dropped\n");
}

Test(aplic, a_wire_looks_at_its_own_source_only)
{
    make_msi(1, 8, 63);
    put(at("sourcecfg/1"), HIGH);
    put(at("target/1"), 9);
    put(at("setienum"), 1);
    put(at("domaincfg"), 0x100);
    put(at("wire/1"), 1);
    put(at("wire/1"), 1);
    put(at("wire/1"), 0);
    cr_assert_str_eq(msis(), "hart=0 guest=0 eiid=9 delivered\n"
                             "hart=0 guest=0 eiid=9 delivered\n");
}

Test(aplic, numbers_that_are_no_source)
{
    make_msi(1, 8, 63);
    put(at("sourcecfg/8"), 1);
    for (unsigned k = 0; k < 3; k++) {
        static const uint64_t bad[] = { 0, 9, UINT32_MAX };

        put(at("setipnum"), bad[k]);
        put(at("setienum"), bad[k]);
        put(at("clripnum"), bad[k]);
        put(at("clrienum"), bad[k]);
        put(at("setipnum_be"), bad[k]);
    }
    put(at("setip/0"), UINT32_MAX);
    put(at("setie/0"), UINT32_MAX);
    expect(at("pending"), "8");
    expect_number(at("setie/0"), 0x1fe);
    expect_number(at("clrie/0"), 0);
    put(at("clrie/0"), 0xf);
    expect(at("enabled"), "4\n5\n6\n7\n8");
}

/* --- interrupt files -------------------------------------------------------------------------- */

Test(aplic, hart_index_comes_from_the_address)
{
    vdf_test_tree(true);
    cr_assert_eq(vdf_test_mkdir(DEV), 0);
    put(at("harts"), 4);
    put(at("aia/srcs"), 1);
    put(at("addr/aplic"), 0xd000000);
    put(at("aia/hart_bits"), 2);
    put(at("aia/guest_bits"), 1);
    put(at("aia/group_bits"), 1);
    put(at("aia/group_shift"), 25);
    put(at("addr/imsic/0"), 0x2a006000); /* group 1, hart 3 */
    put(at("addr/imsic/1"), 0x28002000); /* group 0, hart 1 */
    put(at("addr/imsic/2"), 0x28002000); /* the same */
    put(at("addr/imsic/3"), 0x2c000000); /* another base */
    refuse(EINVAL, at("init"), "0");
    put(at("addr/imsic/3"), 0x28000000);
    put(at("init"), 0);

    put(at("genmsi"), 7u << 18 | 11);
    put(at("genmsi"), 1u << 18 | 12);
    put(at("genmsi"), 0u << 18 | 13);
    put(at("genmsi"), 2u << 18 | 14);
    expect(at("imsic/0/pending"), "11");
    expect(at("imsic/1/pending"), "12");
    expect(at("imsic/2/pending"), "");
    expect(at("imsic/3/pending"), "13");
    /* By address: the first hart that matches, and no guest's page. */
    put_text(at("signal_msi"), "0x28002004 0x0f000000");
    expect(at("imsic/1/pending"), "12\n15");
    refuse(ENODEV, at("signal_msi"), "0x28003000 15");
    put_text(at("signal_msi"), "0x2a004000 16");
    cr_assert_str_eq(strstr(msis(), "eiid=15"), "eiid=15 delivered\n"
                                                "hart=6 guest=0 eiid=16 dropped\n");
}

Test(aplic, many_harts_are_found)
{
    vdf_test_tree(true);
    cr_assert_eq(vdf_test_mkdir(DEV), 0);
    put(at("harts"), 300);
    put(at("aia/srcs"), 1);
    put(at("addr/aplic"), 0xd000000);
    put(at("aia/hart_bits"), 9);
    /* The addresses are not in order and have gaps. */
    for (unsigned h = 0; h < 300; h++)
        put(at("addr/imsic/%u", h), 0x28000000 + UINT64_C(0x1000) * (h * 7 % 307));
    put(at("init"), 0);
    for (unsigned h = 0; h < 300; h++) {
        put(at("genmsi"), (h * 7 % 307) << 18 | 21);
        expect(at("imsic/%u/pending", h), "21");
    }
    put(at("genmsi"), 300u * 7 % 307 << 18 | 22);
    cr_assert_str_eq(strstr(msis(), "eiid=22"), "eiid=22 dropped\n");
}

Test(aplic, high_half_of_eip_is_not_seen_by_number)
{
    make_msi(1, 8, 127);
    put(at("genmsi"), 40);
    put(at("genmsi"), 101);
    expect(at("imsic/0/pending"), "40\n101");
    expect_number(at("imsic/0/eip/0"), 0);
    put(at("imsic/0/eip/0"), 0xffffffff00000006);
    expect(at("imsic/0/pending"), "1\n2\n40\n101");
    put(at("imsic/0/eip/2"), 0x80000001);
    expect_number(at("imsic/0/eip/2"), 0xffffffff80000001);
    expect(at("imsic/0/pending"), "1\n2\n40\n64\n95\n101");
    put(at("imsic/0/eie/0"), UINT64_MAX);
    expect_number(at("imsic/0/eie/0"), 0xfffffffffffffffe);
    cr_assert_not(vdf_test_exists(at("imsic/0/eip/1")));
    cr_assert_not(vdf_test_exists(at("imsic/0/eie/4")));
    cr_assert_not(vdf_test_exists(at("imsic/1")));
    put(at("imsic/0/eie/0"), 0x10);
    expect(at("imsic/0/enabled"), "4");
}

Test(aplic, lists_of_identities_replace_all)
{
    make_msi(1, 8, 127);
    put(at("genmsi"), 40);
    put_text(at("imsic/0/pending"), "101\n1\n0x40\n1\n");
    expect(at("imsic/0/pending"), "1\n64\n101");
    put_text(at("imsic/0/pending"), "1\n64\n101\n");
    expect(at("imsic/0/pending"), "1\n64\n101");
    expect_number(at("imsic/0/eip/2"), 1);
    refuse(EINVAL, at("imsic/0/pending"), "5\n0");
    refuse(EINVAL, at("imsic/0/pending"), "5 128");
    refuse(EINVAL, at("imsic/0/pending"), "5,6");
    refuse(ERANGE, at("imsic/0/pending"), "5 0x100000000");
    expect(at("imsic/0/pending"), "1\n64\n101");
    put_text(at("imsic/0/pending"), "\n");
    expect(at("imsic/0/pending"), "");

    put_text(at("imsic/0/enabled"), "33 127");
    expect(at("imsic/0/enabled"), "33\n127");
    refuse(EINVAL, at("imsic/0/enabled"), "255");
    expect(at("imsic/0/enabled"), "33\n127");
}

/* --- the window ------------------------------------------------------------------------------- */

Test(aplic, accesses_of_the_window)
{
    uint8_t bytes[16];
    uint64_t value;

    make_msi(1, 3, 63);
    put(at("sourcecfg/1"), RISING);
    cr_assert_eq(vdf_test_reg_read(at("regs"), 0, 2, &value), -EOPNOTSUPP);
    cr_assert_eq(vdf_test_reg_read(at("regs"), 0, 1, &value), -EOPNOTSUPP);
    cr_assert_eq(vdf_test_reg_read(at("regs"), 0x4000, 4, &value), -ENODEV);
    cr_assert_eq(vdf_test_reg_read(at("regs"), 0x4001, 4, &value), -EOPNOTSUPP);
    cr_assert_eq(vdf_test_reg_write(at("regs"), 0x10, 4, 1), -ENODEV);
    /* A long read gives zeros where no register is. */
    cr_assert_eq(vdf_test_pread(at("regs"), bytes, 16, 4), 16);
    cr_assert_arr_eq(bytes, "\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
}

/* --- a guest ---------------------------------------------------------------------------------- */

static uint64_t last_address;
static uint32_t last_data;
static unsigned messages;

static void take_message(void *ctx, uint64_t address, uint32_t data)
{
    cr_assert_eq(ctx, &messages);
    last_address = address;
    last_data = data;
    messages++;
}

Test(aplic, guest_accesses)
{
    uint64_t value;

    make_msi(2, 8, 63);
    struct vdf_obj *obj = vdf_test_obj(DEV);
    vdf_aplic_connect(obj, &(struct vdf_irq){ .message = take_message, .ctx = &messages });
    put(at("imsic/1/eidelivery"), 1);
    put_text(at("imsic/1/enabled"), "3 9 10");

    cr_assert_eq(vdf_guest_read(obj, 0, 0, 4, &value, NULL), 0);
    cr_assert_eq(value, 0x80000004);
    cr_assert_eq(vdf_guest_read(obj, 0, 0, 8, &value, NULL), -EOPNOTSUPP);
    cr_assert_eq(vdf_guest_write(obj, 0, 2, 4, 0, NULL), -EOPNOTSUPP);
    cr_assert_eq(vdf_guest_write(obj, 0, 0x1bc8, 4, 0, NULL), -ENODEV);
    cr_assert_eq(vdf_guest_write(obj, 0, 0x3000, 4, 1 << 18 | 3, NULL), 0);
    cr_assert_eq(messages, 1);
    cr_assert_eq(last_address, 0x28001000);
    cr_assert_eq(last_data, 3);

    cr_assert_eq(vdf_guest_read(obj, 2, 0xffc, 4, &value, NULL), 0);
    cr_assert_eq(value, 0);
    cr_assert_eq(vdf_guest_read(obj, 2, 0, 8, &value, NULL), -EOPNOTSUPP);
    cr_assert_eq(vdf_guest_read(obj, 3, 0, 4, &value, NULL), -ENODEV);
    cr_assert_eq(vdf_guest_write(obj, 2, 0x1000, 4, 9, NULL), -ENODEV);
    cr_assert_eq(vdf_guest_write(obj, 2, 2, 4, 9, NULL), -EOPNOTSUPP);
    cr_assert_eq(vdf_guest_write(obj, 2, 0, 4, 9, NULL), 0);
    cr_assert_eq(vdf_guest_write(obj, 2, 4, 4, 0x0a000000, NULL), 0);
    cr_assert_eq(messages, 3);
    /* Ignored: neither a register nor an identity. */
    cr_assert_eq(vdf_guest_write(obj, 2, 8, 4, 11, NULL), 0);
    cr_assert_eq(vdf_guest_write(obj, 1, 0, 4, 64, NULL), 0);
    cr_assert_eq(messages, 3);
    expect(at("imsic/1/pending"), "3\n9\n10");
    cr_assert_str_eq(strstr(msis(), "hart=0"), "hart=0 guest=0 eiid=64 dropped\n");

    vdf_aplic_connect(obj, NULL);
    put(at("genmsi"), 1);
    cr_assert_eq(messages, 3);
}

static bool is_register(uint64_t offset, unsigned sources)
{
    static const uint64_t single[] = { 0, 0x1cdc, 0x1ddc, 0x1edc, 0x1fdc, 0x2000, 0x2004, 0x3000 };

    for (unsigned k = 0; k < sizeof(single) / sizeof(single[0]); k++)
        if (offset == single[k])
            return true;
    if (offset >= 0x1c00 && offset < 0x2000)
        return offset % 0x100 / 4 <= sources / 32;
    return offset % 0x3000 / 4 <= sources && (offset < 0x1000 || offset >= 0x3000);
}

/* As in KVM an aligned word is a register or is not the device's; an IMSIC page has all its words. */
Test(aplic, every_offset_at_every_width)
{
    static const unsigned widths[] = { 1, 2, 4, 8 };
    uint64_t value;

    make_msi(1, 70, 127);
    struct vdf_obj *obj = vdf_test_obj(DEV);
    char *before = strdup(vdf_test_read(at("state")));
    for (uint64_t offset = 0; offset < 0x4100; offset++)
        for (unsigned w = 0; w < 4; w++) {
            bool fits = widths[w] == 4 && offset % 4 == 0;
            bool there = fits && offset < 0x4000 && is_register(offset, 70);
            int want = there ? 0 : fits ? -ENODEV : -EOPNOTSUPP;
            int ret = vdf_guest_read(obj, 0, offset, widths[w], &value, NULL);

            cr_assert_eq(ret, want, "%u at 0x%" PRIx64 ": %d", widths[w], offset, ret);
            if (there)
                continue;
            ret = vdf_guest_write(obj, 0, offset, widths[w], UINT64_MAX, NULL);
            cr_assert_eq(ret, want, "%u at 0x%" PRIx64 ": %d", widths[w], offset, ret);
        }
    for (uint64_t offset = 0; offset < 0x1010; offset++)
        for (unsigned w = 0; w < 4; w++) {
            bool fits = widths[w] == 4 && offset % 4 == 0;
            int want = offset >= 0x1000 ? -ENODEV : fits ? 0 : -EOPNOTSUPP;

            value = 1;
            cr_assert_eq(vdf_guest_read(obj, 1, offset, widths[w], &value, NULL), want);
            cr_assert(want != 0 || value == 0);
            cr_assert_eq(vdf_guest_write(obj, 1, offset, widths[w], 0, NULL), want);
        }
    cr_assert_str_eq(vdf_test_read(at("state")), before);
    free(before);
}

Test(aplic, an_interrupt_file_sends_a_message_for_each_identity)
{
    make_msi(1, 8, 255);
    vdf_aplic_connect(vdf_test_obj(DEV),
                      &(struct vdf_irq){ .message = take_message, .ctx = &messages });
    expect(at("imsic/0/topei"), "0x0000000000000000");
    put_text(at("signal_msi"), "0x28000000 70");
    put_text(at("imsic/0/enabled"), "70 200");
    expect_number(at("imsic/0/topei"), 70 << 16 | 70);
    cr_assert_eq(messages, 0);
    put(at("imsic/0/eidelivery"), 1);
    cr_assert_eq(messages, 1);
    cr_assert_eq(last_data, 70);
    /* One message, unless another MSI comes for the identity. */
    put(at("imsic/0/eidelivery"), 1);
    put_text(at("imsic/0/pending"), "70 80");
    cr_assert_eq(messages, 1);
    put_text(at("signal_msi"), "0x28000000 70");
    cr_assert_eq(messages, 2);
    put_text(at("imsic/0/enabled"), "70 80 200");
    cr_assert_eq(messages, 3);
    cr_assert_eq(last_data, 80);
    /* The threshold masks itself and all identities above. */
    put(at("imsic/0/eithreshold"), 200);
    put_text(at("signal_msi"), "0x28000000 200");
    cr_assert_eq(messages, 3);
    put(at("imsic/0/eithreshold"), 201);
    cr_assert_eq(messages, 4);
    cr_assert_eq(last_data, 200);
    put(at("imsic/0/eithreshold"), 70);
    expect_number(at("imsic/0/topei"), 0);
    put(at("imsic/0/eithreshold"), 0);
    cr_assert_eq(messages, 7);
    /* A read claims nothing; a write of any value claims. */
    expect_number(at("imsic/0/topei"), 70 << 16 | 70);
    expect(at("imsic/0/pending"), "70\n80\n200");
    put(at("imsic/0/topei"), 0);
    expect(at("imsic/0/pending"), "80\n200");
    put(at("imsic/0/topei"), UINT64_MAX);
    put(at("imsic/0/topei"), 0);
    expect(at("imsic/0/pending"), "");
    put(at("imsic/0/topei"), 0);
    cr_assert_eq(messages, 7);
    /* Identities that eie and eip make pending are signalled as well. */
    put(at("imsic/0/eie/2"), 4);
    put(at("imsic/0/eip/2"), 4);
    cr_assert_eq(messages, 8);
    cr_assert_eq(last_data, 66);
}

Test(aplic, more_harts_than_places_on_the_mmio_bus)
{
    static const struct {
        unsigned harts, sources;
        int code;
    } cases[] = { { 999, 8, 0 }, { 1000, 8, ENOSPC }, { 1000, 0, 0 }, { 1001, 0, ENOSPC } };

    vdf_test_tree(true);
    for (unsigned k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
        cr_assert_eq(vdf_test_mkdir(DEV), 0);
        put(at("aia/hart_bits"), 10);
        put(at("aia/srcs"), cases[k].sources);
        put(at("addr/aplic"), 0xd000000);
        put(at("harts"), cases[k].harts);
        for (unsigned h = 0; h < cases[k].harts; h++)
            put(at("addr/imsic/%u", h), 0x28000000 + UINT64_C(0x1000) * h);
        if (cases[k].code) {
            refuse(cases[k].code, at("init"), "1");
            put(at("harts"), 999);
        }
        put(at("init"), 1);
        cr_assert_eq(vdf_test_rmdir(DEV), 0);
    }
}
