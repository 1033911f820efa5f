/* SPDX-License-Identifier: GPL-2.0-or-later */
/* APLIC: saved and restored states, and states that no device can have. */
#include "test_aplic.h"
#include "tests/random.h"

TestSuite(aplic_state, .fini = vdf_test_tree_free);

static char *save(void)
{
    char *state = strdup(vdf_test_read(at("state")));

    cr_assert_not_null(state);
    return state;
}

/* @state with @line in place of the line that begins with "NAME = ", edited as by hand. @line NULL: the
 * line is removed. */
static char *edited(const char *state, const char *name, const char *line)
{
    char *text = malloc(strlen(state) + 256), *to = text;
    char prefix[64];
    bool found = false;

    snprintf(prefix, sizeof(prefix), "%s = ", name);
    for (const char *from = state; *from;) {
        size_t len = strcspn(from, "\n") + 1;

        if (!strncmp(from, "checksum = ", strlen("checksum = "))) {
            to += sprintf(to, "checksum = none\n");
        } else if (!strncmp(from, prefix, strlen(prefix))) {
            to += line ? sprintf(to, "%s\n", line) : 0;
            found = true;
        } else {
            memcpy(to, from, len);
            to += len;
        }
        from += len;
    }
    *to = '\0';
    cr_assert(found, "no %sin %s", prefix, state);
    return text;
}

/* The edited state is refused, with @why in the sentence. */
static void refuse_edited(const char *state, const char *name, const char *line, const char *why)
{
    char *text = edited(state, name, line);
    int ret = vdf_test_write(at("state"), text);

    cr_assert_lt(ret, 0, "%s was taken", line);
    cr_assert_not_null(strstr(vdf_test_last_error(), why), "%s: %s", line, vdf_test_last_error());
    cr_assert_str_eq(vdf_test_read(at("state")), state, "%s has changed something", line);
    free(text);
}

static void make_used_msi(void)
{
    make_msi(3, 70, 127);
    for (unsigned n = 1; n <= 70; n += 3) {
        put(at("sourcecfg/%u", n), n % 8);
        put(at("target/%u", n), (n % 3) << 18 | n);
        if (n % 2)
            put(at("setienum"), n);
        put(at("wire/%u", n), n % 4 == 1);
    }
    put(at("genmsi"), 1 << 18 | 40);
    put(at("imsic/2/eidelivery"), 1);
    put(at("imsic/2/eithreshold"), 0x55);
    put(at("imsic/1/eie/2"), 0xf0f0);
    put_text(at("signal_msi"), "0x28002000 127");
}

Test(aplic_state, round_trip_and_the_same_from_there)
{
    make_used_msi();
    char *state = save();

    /* The device continues. */
    put(at("domaincfg"), 0x100);
    put(at("wire/6"), 1);
    char *later = save();

    put_text(at("state"), state);
    char *again = save();
    cr_assert_str_eq(again, state);
    put(at("domaincfg"), 0x100);
    put(at("wire/6"), 1);
    char *later_again = save();
    cr_assert_str_eq(later_again, later);
    cr_assert(strcmp(later, state) != 0);
    free(later_again);
    free(again);
    free(later);
    free(state);
}

Test(aplic_state, restoring_delivers_nothing)
{
    make_used_msi();
    put(at("sourcecfg/2"), HIGH);
    put(at("setienum"), 2);
    put(at("wire/2"), 1);
    char *state = save();

    cr_assert_eq(vdf_test_mkdir("aplic/other"), 0);
    cr_assert_eq(vdf_test_rmdir(DEV), 0);
    cr_assert_eq(vdf_test_mkdir(DEV), 0);
    cr_assert_str_eq(msis(), "");
    put_text(at("state"), state);
    cr_assert_str_eq(msis(), "");
    char *again = save();
    cr_assert_str_eq(again, state);
    expect(at("imsic/2/pending"), "127");
    expect(at("imsic/1/pending"), "40");
    put(at("domaincfg"), 0x100);
    cr_assert_str_neq(msis(), "");
    free(again);
    free(state);
}

Test(aplic_state, before_init)
{
    vdf_test_tree(true);
    cr_assert_eq(vdf_test_mkdir(DEV), 0);
    put(at("harts"), 3);
    put(at("addr/imsic/1"), 0x28001000);
    char *state = save();
    put(at("harts"), 0);
    put_text(at("delivery"), "direct");
    put(at("aia/srcs"), 9);
    put(at("init"), 0);
    put_text(at("state"), state);
    char *again = save();
    cr_assert_str_eq(again, state);
    expect_number(at("addr/imsic/0"), UINT64_MAX);
    expect_number(at("addr/imsic/1"), 0x28001000);
    cr_assert_not(vdf_test_exists(at("domaincfg")));
    refuse(EBUSY, at("wire/1"), "1");
    free(again);
    free(state);
}

Test(aplic_state, direct_delivery)
{
    make_direct(2, 40);
    for (unsigned n = 1; n <= 40; n++) {
        put(at("sourcecfg/%u", n), n % 8);
        if (n % 3)
            put(at("target/%u", n), n % 2 << 18 | n);
        put(at("setienum"), n);
        put(at("wire/%u", n), n % 5 == 0);
    }
    put(at("idc/1/idelivery"), 1);
    put(at("idc/1/ithreshold"), 30);
    put(at("idc/0/iforce"), 1);
    put(at("target/8"), 1 << 18 | 77); /* inactive: shown when the source is active */
    char *state = save();
    char *pending = strdup(vdf_test_read(at("pending")));

    cr_assert_eq(vdf_test_rmdir(DEV), 0);
    cr_assert_eq(vdf_test_mkdir(DEV), 0);
    put_text(at("state"), state);
    char *again = save();
    cr_assert_str_eq(again, state);
    expect(at("pending"), pending);
    put(at("sourcecfg/8"), 1);
    expect_number(at("target/8"), 1 << 18 | 77);
    put(at("sourcecfg/24"), 1);
    expect_number(at("target/24"), 1);
    free(again);
    free(pending);
    free(state);
}

Test(aplic_state, values_that_no_device_has)
{
    make_used_msi();
    put(at("domaincfg"), 0x100);
    char *state = save();

    refuse_edited(state, "harts", "harts = 2", "addr/imsic/2");
    refuse_edited(state, "harts", "harts = 16385", "16385: the value has to be 0 to 16384");
    refuse_edited(state, "harts", "harts = 4", "addr/imsic/3 has to be set");
    refuse_edited(state, "aia/ids", "aia/ids = 63", "less than aia/srcs 70");
    refuse_edited(state, "aia/ids", "aia/ids = 100", "63, 127, 191 or 255");
    refuse_edited(state, "aia/srcs", "aia/srcs = 69", "sourcecfg/70");
    refuse_edited(state, "aia/srcs", "aia/srcs = 256", "256: it is 0 to 255");
    refuse_edited(state, "aia/hart_bits", "aia/hart_bits = 0", "outside of the hart");
    refuse_edited(state, "addr/imsic/1", NULL, "addr/imsic/1 has to be set");
    refuse_edited(state, "addr/imsic/1", "addr/imsic/1 = 0x28001001", "multiples of 0x1000");
    refuse_edited(state, "addr/aplic", "addr/aplic = 0xffffffffffffffff",
                  "addr/aplic has to be set");
    refuse_edited(state, "initialised", "initialised = 0", "domaincfg");
    refuse_edited(state, "initialised", "initialised = 2", "boolean");
    refuse_edited(state, "domaincfg", "domaincfg = 0x80000000", "0x80000004 or 0x80000104");
    refuse_edited(state, "domaincfg", "domaincfg = 0x80000106", "0x80000004 or 0x80000104");
    refuse_edited(state, "sourcecfg/1", "sourcecfg/1 = 0x00000008", "0x00000007");
    refuse_edited(state, "sourcecfg/70", "sourcecfg/71 = 0x00000001", "sourcecfg/71");
    refuse_edited(state, "held_target/70", "held_target/70 = 0x00000800", "0xfffff7ff");
    refuse_edited(state, "wire/61", "wire/71 = 1", "71 is no source");
    refuse_edited(state, "wire/61", "wire/61 = 2", "boolean");
    refuse_edited(state, "setie/0", "setie/0 = 0x00000001", "0xfffffffe");
    refuse_edited(state, "setie/2", "setie/2 = 0x00000080", "0x0000007f");
    refuse_edited(state, "setie/2", "setie/3 = 0x00000001", "setie/3");
    refuse_edited(state, "genmsi", "genmsi = 0x00001000", "0xfffc0fff");
    refuse_edited(state, "imsic/2/held_eip/1", "imsic/2/held_eip/2 = 0x0000000000000001",
                  "imsic/2/held_eip/2");
    refuse_edited(state, "imsic/2/held_eip/1", "imsic/3/held_eip/1 = 0x0000000000000001",
                  "imsic/3/held_eip/1");
    refuse_edited(state, "imsic/1/held_eip/0", "imsic/1/held_eip/0 = 0x0000000000000001",
                  "no interrupt identity 0");
    refuse_edited(state, "delivery", "delivery = direct", "0x80000000 or 0x80000100");
    free(state);
}

/* In states of earlier versions levels stay pending without their input, and modes are reserved. */
Test(aplic_state, an_older_one_with_idcs)
{
    make_direct(1, 8);
    for (unsigned n = 1; n <= 3; n++) {
        put(at("sourcecfg/%u", n), n == 3 ? 1 : HIGH);
        put(at("setienum"), n);
    }
    put(at("wire/1"), 1);
    put(at("setipnum"), 3);
    char *state = save();
    char *pending = edited(state, "setip/0", "setip/0 = 0x0000000e");
    char *reserved = edited(pending, "sourcecfg/3", "sourcecfg/3 = 0x00000003");

    put_text(at("state"), pending);
    cr_assert_str_eq(vdf_test_read(at("state")), state);
    put_text(at("state"), reserved);
    expect_number(at("sourcecfg/3"), 0);
    expect(at("pending"), "1");
    expect(at("enabled"), "1\n2");
    free(reserved);
    free(pending);
    free(state);
}

Test(aplic_state, values_that_no_device_with_idcs_has)
{
    make_direct(1, 8);
    put(at("sourcecfg/1"), HIGH);
    put(at("target/1"), 7);
    put(at("setienum"), 1);
    put(at("wire/1"), 1);
    char *state = save();

    refuse_edited(state, "sourcecfg/1", NULL, "source 1 is inactive");
    refuse_edited(state, "setip/0", "setip/0 = 0x00000004", "source 2 is inactive");
    refuse_edited(state, "setie/0", "setie/0 = 0x00000006", "source 2 is inactive");
    refuse_edited(state, "held_target/1", "held_target/1 = 0x00001007", "0xfffc00ff");
    refuse_edited(state, "held_target/1", "held_target/1 = 0x00040000", "priorities are 1 to 255");
    refuse_edited(state, "genmsi", "genmsi = 0x00000005", "0x00000000");
    refuse_edited(state, "domaincfg", "domaincfg = 0x80000004", "0x80000000 or 0x80000100");
    free(state);
}

/* A thousand writes of registers and wires, which follow from @random. */
static void random_steps(struct vdf_random random, bool restore_after_each)
{
    static const uint64_t offsets[] = { 0x1c00, 0x1c04, 0x1cdc, 0x1d00, 0x1ddc, 0x1e00, 0x1e04,
                                        0x1edc, 0x1f04, 0x1fdc, 0x2000, 0x2004, 0x3000, 0 };

    for (unsigned step = 0; step < 1000; step++) {
        uint32_t value = (uint32_t)vdf_random_next(&random), n = 1 + value % 40;
        uint64_t offset = offsets[vdf_random_below(&random, 14)];

        switch (vdf_random_below(&random, 5)) {
        case 0:
            put_reg(4 * n, value >> 8 & 7);
            break;
        case 1:
            put_reg(0x3000 + 4 * n, (value >> 8 & 3) << 18 | (value >> 16 & 0x7f));
            break;
        case 2:
            put(at("wire/%u", n), value >> 8 & 1);
            break;
        case 3:
            put_reg(offset, n);
            break;
        default:
            put_reg(offset, value);
            break;
        }
        if (restore_after_each) {
            char *state = save();

            put_text(at("state"), state);
            free(state);
        }
    }
}

static void same_with_restores(void (*make)(void))
{
    struct vdf_random random = vdf_random_begin("restores_in_between_change_nothing", 1);

    make();
    random_steps(random, false);
    char *straight = save();
    make();
    random_steps(random, true);
    char *restored = save();
    cr_assert_str_eq(restored, straight);
    free(restored);
    free(straight);
}

static void make_msi_40(void)
{
    make_msi(3, 40, 63);
}

static void make_direct_40(void)
{
    make_direct(3, 40);
}

Test(aplic_state, restores_in_between_change_nothing)
{
    same_with_restores(make_msi_40);
    same_with_restores(make_direct_40);
}
