/* SPDX-License-Identifier: GPL-2.0-or-later */
/* INTx: configuration space as the guest sees it, and the state file. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/intx/config.h"
#include "backends/intx/device.h"
#include "harness.h"

#define BUS "intx/bus0/"
#define D0 BUS "devices/d0/"
#define D1 BUS "devices/d1/"
#define L5 BUS "lines/5/"
#define CONFIG D0 "config"

#define is(path, text) \
    cr_assert_str_eq(vdf_test_read(path), text, "%s: %s", path, vdf_test_read(path))
#define put(path, text) cr_assert_eq(vdf_test_write(path, text), 0, "%s", vdf_test_last_error())

static void one_device(void)
{
    vdf_test_tree(false);
    cr_assert_eq(vdf_test_mkdir(BUS "devices/d0"), 0);
    put(D0 "line", "5");
    put(D0 "enabled", "1");
}

static unsigned get(uint64_t offset, size_t n)
{
    uint8_t bytes[4] = { 0 };

    cr_assert_eq(vdf_test_pread(CONFIG, bytes, n, offset), (ssize_t)n);
    return bytes[0] | (unsigned)bytes[1] << 8 | (unsigned)bytes[2] << 16 | (unsigned)bytes[3] << 24;
}

static void set(uint64_t offset, size_t n, unsigned value)
{
    const uint8_t bytes[4] = { (uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16),
                               (uint8_t)(value >> 24) };

    cr_assert_eq(vdf_test_pwrite(CONFIG, bytes, n, offset), (ssize_t)n);
}

TestSuite(intx_config, .init = one_device, .fini = vdf_test_tree_free);

Test(intx_config, header)
{
    uint8_t all[300];

    cr_assert_eq(vdf_test_pread(CONFIG, all, sizeof(all), 0), VDF_PCI_CONFIG_SIZE);
    cr_assert_eq(get(0x04, 4), 0);
    cr_assert_eq(get(0x0b, 1), 0xff, "base class");
    cr_assert_eq(get(0x0e, 1), 0, "header type");
    cr_assert_eq(get(0x34, 1), 0, "capabilities");
    cr_assert_eq(get(0x3c, 2), 0x0105, "INTA# on line 5");
    cr_assert_eq(vdf_test_pread(CONFIG, all, 1, VDF_PCI_CONFIG_SIZE), 0);
}

Test(intx_config, only_writable_bits_change)
{
    uint8_t ones[VDF_PCI_CONFIG_SIZE], before[VDF_PCI_CONFIG_SIZE], after[VDF_PCI_CONFIG_SIZE];

    memset(ones, 0xff, sizeof(ones));
    cr_assert_eq(vdf_test_pread(CONFIG, before, sizeof(before), 0), sizeof(before));
    cr_assert_eq(vdf_test_pwrite(CONFIG, ones, sizeof(ones), 0), sizeof(ones));
    cr_assert_eq(vdf_test_pread(CONFIG, after, sizeof(after), 0), sizeof(after));
    before[0x04] = 0x57;
    before[0x05] = 0x05;
    before[0x0c] = before[0x0d] = before[0x3c] = 0xff;
    cr_assert_arr_eq(after, before, sizeof(after));
    is(D0 "line", "5");
    is(D0 "guest_mask", "1");
}

Test(intx_config, bytes_of_the_command_register)
{
    set(0x04, 1, 0x07);
    is(D0 "command", "0x0007");
    is(D0 "guest_mask", "0");
    set(0x05, 1, 0x04);
    is(D0 "command", "0x0407");
    is(D0 "guest_mask", "1");
    set(0x04, 1, 0x06);
    is(D0 "command", "0x0406");
    is(D0 "guest_mask", "1");
    set(0x03, 4, 0x00010300);
    is(D0 "command", "0x0103");
    is(D0 "guest_mask", "0");
}

Test(intx_config, status_follows_the_condition)
{
    set(0x06, 2, 0xffff);
    cr_assert_eq(get(0x06, 2), 0);
    put(D0 "assert", "1");
    cr_assert_eq(get(0x06, 2), 0x0008);
}

Test(intx_config, guests_bit_10_is_its_mask)
{
    set(0x04, 2, 0x0406);
    is(D0 "guest_mask", "1");
    is(D0 "intx_disable", "1");
    put(D0 "assert", "1");
    is(D0 "guest_level", "0");
    set(0x04, 2, 0x0006);
    is(D0 "guest_mask", "0");
    is(D0 "guest_level", "1");
    is(D0 "interrupts", "1");
}

Test(intx_config, other_bits_neither_mask_nor_unmask)
{
    put(D0 "assert", "1");
    is(D0 "command", "0x0400");
    /* The handler's mask is not the guest's business. */
    cr_assert_eq(get(0x04, 2), 0);
    set(0x04, 2, get(0x04, 2) | 0x0004);
    is(D0 "command", "0x0404");
    is(D0 "masked", "1");
    is(D0 "guest_mask", "0");
    is(D0 "interrupts", "1");
    put(D0 "guest_mask", "1");
    cr_assert_eq(get(0x04, 2), 0x0404);
    set(0x04, 2, get(0x04, 2) & ~0x0004u);
    is(D0 "guest_mask", "1");
    is(D0 "command", "0x0400");
}

Test(intx_config, guest_masks_while_the_host_does)
{
    put(D0 "assert", "1");
    set(0x04, 2, 0x0400);
    is(D0 "guest_mask", "1");
    is(D0 "guest_level", "0");
    put(D0 "ack", "1");
    is(D0 "guest_level", "0");
    is(D0 "intx_disable", "1");
    set(0x04, 2, 0);
    is(D0 "guest_level", "1");
}

Test(intx_config, bit_10_is_emulated_where_the_device_has_none)
{
    put(D0 "enabled", "0");
    put(D0 "intx_sticks", "0");
    put(D0 "enabled", "1");
    set(0x04, 2, 0x0400);
    cr_assert_eq(get(0x04, 2), 0x0400);
    is(D0 "command", "0x0000");
    put(D0 "assert", "1");
    is(D0 "guest_level", "0");
    is(D0 "host_irq_disabled", "1");
    set(0x04, 2, 0);
    is(D0 "guest_level", "1");
}

Test(intx_config, someone_elses_bit_10_is_shown)
{
    put(D0 "intx_disable", "1");
    cr_assert_eq(get(0x04, 2), 0x0400);
    set(0x04, 2, 0x0401);
    is(D0 "guest_mask", "0");
    is(D0 "command", "0x0401");
    set(0x04, 2, 0x0001);
    is(D0 "command", "0x0001");
}

/* --- state ------------------------------------------------------------------------------------ */

static char *saved(void)
{
    char *text = strdup(vdf_test_read("intx/bus0/state"));

    cr_assert_not_null(text);
    cr_assert_neq(text[0], '-', "%s", text);
    return text;
}

/* The state with the first @from replaced by @to, and no checksum. */
static char *edited(const char *from, const char *to)
{
    char *text = saved();
    char *at = strstr(text, from);
    char *sum = strstr(text, "\nchecksum = ");

    cr_assert(at && sum && at < sum, "no %s in:\n%s", from, text);
    char *result = malloc(strlen(text) + strlen(to) + 32);
    sprintf(result, "%.*s%s%.*s\nchecksum = none\n", (int)(at - text), text, to,
            (int)(sum - at - (ptrdiff_t)strlen(from)), at + strlen(from));
    free(text);
    return result;
}

static void refuse_edited(const char *from, const char *to, const char *says)
{
    char *before = saved(), *text = edited(from, to);

    cr_assert_eq(vdf_test_write("intx/bus0/state", text), -EINVAL, "%s -> %s was taken", from, to);
    cr_assert(strstr(vdf_test_last_error(), says), "%s", vdf_test_last_error());
    char *after = saved();
    cr_assert_str_eq(after, before);
    free(before);
    free(text);
    free(after);
}

/* A busy bus: masked by the host, by the guest, a message that waits, an old device, a stuck line.
 */
static void busy_bus(void)
{
    static const char *const steps[][2] = {
        { "d1/line", "5" },        { "d1/enabled", "1" },      { "d1/guest_mask", "1" },
        { "d1/assert", "1" },      { "d2/line", "6" },         { "d2/pci_2_3", "0" },
        { "d2/enabled", "1" },     { "d2/assert", "1" },       { "d3/host_type", "msi" },
        { "d3/enabled", "1" },     { "d3/guest_mask", "1" },   { "d3/assert", "1" },
        { "d3/assert", "0" },      { "d4/line", "254" },       { "d4/assert", "1" },
        { "d5/intx_sticks", "0" }, { "d5/guest_type", "msi" }, { "d5/command", "0x0107" },
        { "d0/assert", "1" },      { "d0/ack", "1" },
    };

    for (char n = '1'; n <= '5'; n++) {
        char path[] = BUS "devices/d0";
        path[sizeof(path) - 2] = n;
        cr_assert_eq(vdf_test_mkdir(path), 0);
    }
    for (size_t k = 0; k < sizeof(steps) / sizeof(steps[0]); k++) {
        char path[64];
        snprintf(path, sizeof(path), BUS "devices/%s", steps[k][0]);
        put(path, steps[k][1]);
    }
    set(0x0c, 2, 0x2010);
    set(0x3c, 1, 0x0b);
    put(L5 "host", "1");
}

Test(intx_config, saved_and_restored)
{
    busy_bus();
    char *first = saved();

    vdf_test_tree(false);
    put("intx/bus0/state", first);
    char *second = saved();
    cr_assert_str_eq(second, first);

    /* It goes on where it was. */
    is(L5 "raised", "2");
    is(L5 "level", "1");
    is(L5 "sharers", "3");
    is(D0 "guest_level", "1");
    is(D0 "reasserts", "1");
    put(D0 "ack", "1");
    is(D0 "reasserts", "2");
    put(D1 "guest_mask", "0");
    is(D1 "guest_level", "1");
    put(BUS "devices/d3/guest_mask", "0");
    is(BUS "devices/d3/guest_level", "1");
    put(BUS "devices/d2/ack", "1");
    is(BUS "devices/d2/reasserts", "1");
    is(BUS "lines/6/raised", "2");
    is(BUS "lines/254/level", "1");
    is(BUS "lines/254/spurious", "0");
    cr_assert_eq(get(0x0c, 2), 0x2010);
    cr_assert_eq(get(0x3c, 1), 0x0b);
    cr_assert_not(vdf_test_exists(BUS "lines/1"));

    /* And back over later changes. */
    cr_assert_eq(vdf_test_mkdir(BUS "devices/d9"), 0);
    cr_assert_eq(vdf_test_rmdir(BUS "devices/d4"), 0);
    put("intx/bus0/state", first);
    char *third = saved();
    cr_assert_str_eq(third, first);
    cr_assert_not(vdf_test_exists(BUS "devices/d9"));
    free(first);
    free(second);
    free(third);
}

Test(intx_config, host_device_alone_is_saved)
{
    put(L5 "host", "1");
    cr_assert_eq(vdf_test_rmdir(BUS "devices/d0"), 0);
    char *text = saved();
    vdf_test_tree(false);
    put("intx/bus0/state", text);
    is(L5 "level", "1");
    is(L5 "handled", "1");
    char *again = saved();
    cr_assert_str_eq(again, text);
    free(text);
    free(again);
}

Test(intx_config, states_that_cannot_be_are_refused)
{
    put(D0 "assert", "1");
    refuse_edited("line = 5", "line = 255", "0 to 254");
    refuse_edited("command = 0x0400", "command = 0x8400", "0x0557");
    refuse_edited("command = 0x0400", "command = 0x0000", "masked");
    refuse_edited("enabled = 1", "enabled = 0", "not enabled");
    refuse_edited("intx_sticks = 1", "intx_sticks = 0", "intx_sticks");
    refuse_edited("guest_mask = 0", "guest_mask = 1", "guest_level");
    refuse_edited("guest_type = intx", "guest_type = msi", "guest_level");
    refuse_edited("host_type = intx", "host_type = msi", "masked");
    refuse_edited("host_irq_disabled = 1", "host_irq_disabled = 0", "masked");
    refuse_edited("pending = 0", "pending = 1", "pending");
    refuse_edited("pci_2_3 = 1", "pci_2_3 = 0", "masked");
    refuse_edited("line/5/raised = 1", "line/5/raised = 2", "line 5");
    refuse_edited("line/5/raised = 1", "line/7/raised = 1", "line 5");
    put(D0 "assert", "0");
    put(D0 "ack", "1");
    cr_assert_eq(vdf_test_mkdir(BUS "devices/d1"), 0);
    put(D1 "line", "5");
    put(D1 "enabled", "1");
    refuse_edited("pci_2_3 = 1", "pci_2_3 = 0", "cannot share");
}

Test(intx_config, edited_condition_interrupts)
{
    char *text = edited("assert = 0", "assert = 1");

    put("intx/bus0/state", text);
    is(D0 "guest_level", "1");
    is(D0 "masked", "1");
    is(L5 "raised", "1");
    is(L5 "level", "0");
    free(text);
}

static int lowered;

static void count_lowered(void *ctx, bool level)
{
    lowered += !level;
}

Test(intx_config, edited_line_begins_at_nothing)
{
    put(D0 "assert", "1");
    char *text = edited("line = 5", "line = 6");

    put("intx/bus0/state", text);
    cr_assert_not(vdf_test_exists(BUS "lines/5"));
    is(BUS "lines/6/raised", "0");
    put(D0 "line", "6");
    put(D0 "assert", "0");
    put(D0 "ack", "1");
    put(D0 "assert", "1");
    is(BUS "lines/6/raised", "1");
    put(D0 "enabled", "0");
    put(D0 "line", "5");
    is(L5 "raised", "0");
    free(text);
}

Test(intx_config, guests_line_follows_a_restore)
{
    char *quiet = saved();
    struct vdf_intx_dev *dev = vdf_obj_priv(vdf_test_obj(BUS "devices/d0"));

    put(D0 "assert", "1");
    dev->guest.irq.set_level = count_lowered;
    put("intx/bus0/state", quiet);
    is(D0 "guest_level", "0");
    cr_assert_eq(lowered, 1);
    /* The guest is still connected to the device that was restored. */
    put(D0 "assert", "1");
    put(D0 "guest_mask", "1");
    cr_assert_eq(lowered, 2);
    free(quiet);
}
