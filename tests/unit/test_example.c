/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The worked example of HACKING.md: an RTC, its guest and its state. */
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <virtdevfs/guest.h>

#include "harness.h"

#define RTC "rtc/rtc0"

static unsigned rises, falls;

static void set_level(void *ctx, bool level)
{
    rises += level;
    falls += !level;
}

static const struct vdf_guest guest = { .machine = &rises, .irq = { .set_level = set_level } };

static void attach(void)
{
    struct vdf_err err = { 0 };

    cr_assert_eq(vdf_guest_attach(vdf_test_obj(RTC), 0, &guest, true, &err), 0, "%s", err.text);
}

static uint64_t load(uint64_t offset)
{
    uint64_t value;

    cr_assert_eq(vdf_guest_read(vdf_test_obj(RTC), 0, offset, 4, &value, NULL), 0);
    return value;
}

static void setup(void)
{
    vdf_test_tree_with_engine(VDF_ENGINE_AUTO, false);
}

TestSuite(example, .init = setup, .fini = vdf_test_tree_free);

Test(example, registers)
{
    cr_assert_eq(vdf_test_write(RTC "/time", "1000"), 0);
    cr_assert_geq(load(0), 1000);
    cr_assert_leq(load(0), 1060);
    cr_assert_eq(vdf_test_write(RTC "/control", "4"), -EINVAL, "reserved");
    cr_assert_eq(vdf_guest_write(vdf_test_obj(RTC), 0, 4, 4, 0x12345678, NULL), 0);
    cr_assert_str_eq(vdf_test_read(RTC "/alarm"), "0x12345678");
    cr_assert_eq(vdf_guest_size(vdf_test_obj(RTC), 0), 4096);
    cr_assert_eq(load(12), 0);
}

/* The device sets the flag in its own time: the test waits for the flag. */
Test(example, alarm_raises_the_line_until_the_flag_is_cleared)
{
    attach();
    cr_assert_eq(vdf_guest_attach(vdf_test_obj(RTC), 0, &guest, true, NULL), -EBUSY);
    cr_assert_eq(vdf_test_write(RTC "/time", "1000"), 0);
    cr_assert_eq(vdf_test_write(RTC "/alarm", "1001"), 0);
    cr_assert_eq(vdf_test_write(RTC "/control", "2"), 0);
    cr_assert_eq(rises, 0);
    while (strcmp(vdf_test_read(RTC "/control"), "0x00000001") != 0)
        poll(NULL, 0, 10);
    cr_assert_eq(rises, 1);
    cr_assert_eq(vdf_test_write(RTC "/control", "0"), 0);
    cr_assert_str_eq(vdf_test_read(RTC "/control"), "0x00000001", "0 clears nothing");
    cr_assert_eq(falls, 0);
    cr_assert_eq(vdf_test_write(RTC "/control", "1"), 0);
    cr_assert_eq(falls, 1);
    vdf_guest_detach(vdf_test_obj(RTC), 0);
}

Test(example, state_keeps_time_alarm_and_line)
{
    attach();
    cr_assert_eq(vdf_test_write(RTC "/time", "5000"), 0);
    cr_assert_eq(vdf_test_write(RTC "/alarm", "1"), 0);
    cr_assert_eq(vdf_test_write(RTC "/control", "2"), 0);
    while (strcmp(vdf_test_read(RTC "/control"), "0x00000001") != 0)
        poll(NULL, 0, 10);
    char *state = strdup(vdf_test_read(RTC "/state"));
    cr_assert_eq(vdf_test_write(RTC "/control", "1"), 0);
    cr_assert_eq(falls, 1);
    cr_assert_eq(vdf_test_write(RTC "/state", state), 0);
    free(state);
    cr_assert_eq(rises, 2, "the guest stays attached and meets the line");
    cr_assert_geq(load(0), 5000);
    cr_assert_leq(load(0), 5060);
}
