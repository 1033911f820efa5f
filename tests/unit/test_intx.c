/* SPDX-License-Identifier: GPL-2.0-or-later */
/* INTx: masking at the device, shared lines, EOIs, the guest's mask, and disabled devices. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/intx/device.h"
#include "harness.h"

#define BUS "intx/bus0/"
#define D0 BUS "devices/d0/"
#define D1 BUS "devices/d1/"
#define L5 BUS "lines/5/"

#define is(path, text) \
    cr_assert_str_eq(vdf_test_read(path), text, "%s: %s", path, vdf_test_read(path))
#define put(path, text) cr_assert_eq(vdf_test_write(path, text), 0, "%s", vdf_test_last_error())

/* A refusal: its errno, and a line in errors with the path, the errno and @says. */
static void refused(const char *path, const char *text, int code, const char *says)
{
    int ret = vdf_test_write(path, text);
    const char *line = vdf_test_last_error();

    cr_assert_eq(ret, -code, "%s <- %s: %d", path, text, ret);
    cr_assert(strstr(line, path) && strstr(line, vdf_errno_name(code)) && strstr(line, says), "%s",
              line);
}

static void add(const char *name, const char *line)
{
    char path[128];

    snprintf(path, sizeof(path), BUS "devices/%s", name);
    cr_assert_eq(vdf_test_mkdir(path), 0);
    snprintf(path, sizeof(path), BUS "devices/%s/line", name);
    put(path, line);
}

/* d0 and d1 on line 5, enabled. */
static void two_on_a_line(void)
{
    vdf_test_tree(false);
    add("d0", "5");
    add("d1", "5");
    put(D0 "enabled", "1");
    put(D1 "enabled", "1");
}

/* d0 on line 5 without PCI 2.3, enabled. */
static void one_of_old(void)
{
    vdf_test_tree(false);
    add("d0", "5");
    put(D0 "pci_2_3", "0");
    put(D0 "enabled", "1");
}

TestSuite(intx, .fini = vdf_test_tree_free);

Test(intx, lines_are_there_while_something_is_on_them)
{
    vdf_test_tree(false);
    cr_assert_not(vdf_test_exists(BUS "lines/5"));
    add("d0", "5");
    cr_assert(vdf_test_exists(L5 "level"));
    cr_assert_not(vdf_test_exists(BUS "lines/0"));
    put(D0 "line", "6");
    cr_assert_not(vdf_test_exists(BUS "lines/5"));
    put(BUS "lines/6/host", "1");
    cr_assert_eq(vdf_test_rmdir(BUS "devices/d0"), 0);
    is(BUS "lines/6/level", "1");
    put(BUS "lines/6/host", "0");
    cr_assert_not(vdf_test_exists(BUS "lines/6"));
    /* A line that comes back begins at nothing. */
    add("d0", "6");
    is(BUS "lines/6/raised", "0");
    put(D0 "enabled", "1");
    put(D0 "assert", "1");
    is(BUS "lines/6/raised", "1");
    put(D0 "enabled", "0");
    put(D0 "line", "7");
    put(D0 "assert", "0");
    put(D0 "line", "6");
    is(BUS "lines/6/raised", "0");
}

Test(intx, the_last_line_is_254)
{
    vdf_test_tree(false);
    add("d0", "254");
    is(BUS "lines/254/level", "0");
    refused(D0 "line", "255", EINVAL, "0 to 254");
    refused(D0 "line", "4294967296", ERANGE, "");
    is(D0 "line", "254");
}

Test(intx, interrupt_is_masked_at_the_device_and_raised_in_the_guest)
{
    two_on_a_line();
    put(D0 "assert", "1");
    is(D0 "masked", "1");
    is(D0 "host_irq_disabled", "1");
    is(D0 "intx_disable", "1");
    is(D0 "command", "0x0400");
    is(D0 "status", "0x0008");
    is(D0 "guest_level", "1");
    is(D0 "interrupts", "1");
    is(D1 "interrupts", "0");
    is(D1 "guest_level", "0");
    is(L5 "level", "0");
    is(L5 "raised", "1");
    is(L5 "handled", "1");
    is(L5 "spurious", "0");
}

Test(intx, eoi_unmasks_a_quiet_device)
{
    two_on_a_line();
    put(D0 "assert", "1");
    put(D0 "assert", "0");
    put(D0 "ack", "1");
    is(D0 "masked", "0");
    is(D0 "host_irq_disabled", "0");
    is(D0 "command", "0x0000");
    is(D0 "guest_level", "0");
    is(D0 "reasserts", "0");
    put(D0 "assert", "1");
    is(D0 "interrupts", "2");
}

Test(intx, eoi_raises_again_while_asserted)
{
    two_on_a_line();
    put(D0 "assert", "1");
    put(D0 "ack", "1");
    is(D0 "masked", "1");
    is(D0 "host_irq_disabled", "1");
    is(D0 "guest_level", "1");
    is(D0 "reasserts", "1");
    put(D0 "ack", "1");
    is(D0 "reasserts", "2");
    /* It never left the mask, so the line stayed low. */
    is(D0 "interrupts", "1");
    is(L5 "raised", "1");
}

Test(intx, eoi_of_another_device_changes_nothing)
{
    two_on_a_line();
    put(D1 "ack", "1");
    is(D1 "reasserts", "0");
    is(D1 "command", "0x0000");
    is(D1 "guest_level", "0");
}

Test(intx, masked_device_does_not_claim_the_interrupt_of_another)
{
    two_on_a_line();
    put(D0 "assert", "1");
    put(D1 "assert", "1");
    is(D0 "interrupts", "1");
    is(D1 "interrupts", "1");
    is(L5 "raised", "2");
    is(L5 "handled", "2");
    /* Masked by its guest it does not either. */
    put(D1 "assert", "0");
    put(D1 "ack", "1");
    put(D0 "guest_mask", "1");
    put(D1 "assert", "1");
    is(D0 "interrupts", "1");
    is(D1 "interrupts", "2");
}

Test(intx, host_device_of_the_same_line_is_served)
{
    two_on_a_line();
    put(D0 "assert", "1");
    put(L5 "host", "1");
    is(L5 "level", "1");
    is(L5 "handled", "2");
    is(L5 "spurious", "0");
    is(L5 "sharers", "3");
    is(D0 "interrupts", "1");
    is(D1 "interrupts", "0");
    put(L5 "host", "0");
    is(L5 "level", "0");
    is(L5 "sharers", "2");
}

Test(intx, interrupt_that_nobody_claims_is_spurious_once)
{
    two_on_a_line();
    add("d2", "5");
    put(BUS "devices/d2/assert", "1");
    is(L5 "level", "1");
    is(L5 "raised", "1");
    is(L5 "spurious", "1");
    is(L5 "handled", "0");
    /* The line is stuck; others are served all the same. */
    put(BUS "devices/d2/assert", "1");
    is(L5 "raised", "1");
    put(D0 "assert", "1");
    is(D0 "guest_level", "1");
    is(L5 "raised", "2");
    is(L5 "handled", "1");
    is(L5 "level", "1");
    /* Its own handler takes the waiting interrupt. */
    put(BUS "devices/d2/enabled", "1");
    is(BUS "devices/d2/interrupts", "1");
    is(L5 "level", "0");
}

Test(intx, line_interrupts_when_an_input_rises_only)
{
    vdf_test_tree(false);
    add("d0", "5");
    put(L5 "host", "1");
    put(L5 "host", "1");
    is(L5 "raised", "1");
    put(D0 "enabled", "1");
    is(L5 "raised", "1");
    put(D0 "assert", "1");
    put(D0 "assert", "1");
    is(L5 "raised", "2");
    /* A device that asserts brings its interrupt along to another line. */
    put(D0 "enabled", "0");
    put(D0 "intx_disable", "0");
    is(L5 "raised", "3");
    add("d1", "6");
    put(D1 "enabled", "1");
    put(D0 "line", "6");
    is(BUS "lines/6/raised", "1");
    is(BUS "lines/6/spurious", "1");
    is(L5 "raised", "3");
}

Test(intx, device_without_mask_needs_a_line_of_its_own)
{
    two_on_a_line();
    add("d2", "5");
    put(BUS "devices/d2/pci_2_3", "0");
    refused(BUS "devices/d2/enabled", "1", EBUSY, "line 5");
    is(BUS "devices/d2/enabled", "0");
    is(L5 "sharers", "2");
    put(BUS "devices/d2/line", "6");
    put(BUS "devices/d2/enabled", "1");
    put(D0 "enabled", "0");
    put(D0 "line", "6");
    refused(D0 "enabled", "1", EBUSY, "d2");
    refused(BUS "lines/6/host", "1", EBUSY, "d2");
    is(BUS "lines/6/host", "0");
    /* The host's device excludes one that cannot share, too. */
    put(BUS "devices/d2/enabled", "0");
    put(BUS "lines/6/host", "1");
    refused(BUS "devices/d2/enabled", "1", EBUSY, "line 6");
    /* A device with messages does not use the line. */
    put(BUS "devices/d2/host_type", "msi");
    put(BUS "devices/d2/enabled", "1");
    is(BUS "lines/6/sharers", "1");
}

Test(intx, probe_that_fails_makes_an_old_device)
{
    vdf_test_tree(false);
    add("d0", "5");
    add("d1", "5");
    put(D0 "intx_sticks", "0");
    put(D0 "command", "0x0407");
    is(D0 "command", "0x0007");
    put(D0 "intx_disable", "1");
    is(D0 "intx_disable", "0");
    put(D0 "enabled", "1");
    is(D0 "pci_2_3", "1");
    refused(D1 "enabled", "1", EBUSY, "d0");
    put(D0 "assert", "1");
    is(D0 "host_irq_disabled", "1");
    is(D0 "masked", "0");
    is(D0 "command", "0x0007");
}

Test(intx, losing_bit_10_lets_go_of_the_pin)
{
    vdf_test_tree(false);
    add("d0", "5");
    put(D0 "intx_disable", "1");
    put(D0 "assert", "1");
    is(L5 "level", "0");
    put(D0 "intx_sticks", "0");
    is(D0 "command", "0x0000");
    is(L5 "level", "1");
}

Test(intx, line_without_a_handler_is_off)
{
    vdf_test_tree(false);
    add("d0", "5");
    add("d1", "5");
    add("d2", "5");
    put(D0 "assert", "1");
    put(D0 "assert", "0");
    put(D0 "assert", "1");
    is(L5 "level", "1");
    is(L5 "raised", "0");
    is(L5 "spurious", "0");
    /* The first handler switches it on, and a second one changes nothing. */
    put(D1 "enabled", "1");
    is(L5 "raised", "1");
    is(L5 "spurious", "1");
    put(BUS "devices/d2/enabled", "1");
    is(L5 "raised", "1");
    put(D0 "enabled", "1");
    is(D0 "interrupts", "1");
    is(L5 "handled", "1");
}

/* Bit 10 holds, and the pin is driven all the same. */
Test(intx, bit_10_that_masks_nothing)
{
    vdf_test_tree(false);
    add("d0", "5");
    add("d1", "5");
    put(D0 "intx_masks", "0");
    put(D0 "intx_disable", "1");
    is(D0 "command", "0x0400");
    put(D0 "assert", "1");
    is(D0 "status", "0x0008");
    is(L5 "level", "1");
    put(D1 "enabled", "1");
    is(L5 "spurious", "1");
    /* A handler that believes in it masks, and the line stays up. */
    put(D0 "enabled", "1");
    refused(D0 "intx_masks", "1", EBUSY, "enabled");
    is(D0 "interrupts", "1");
    is(D0 "masked", "1");
    is(L5 "level", "1");
    put(D0 "assert", "0");
    put(D0 "assert", "1");
    is(D0 "interrupts", "1");
    is(L5 "spurious", "2");
    put(D0 "ack", "1");
    is(D0 "reasserts", "1");
    put(D0 "guest_mask", "1");
    put(D0 "guest_mask", "0");
    is(D0 "interrupts", "2");
    is(D0 "masked", "1");
    char *state = strdup(vdf_test_read("intx/bus0/state"));
    put("intx/bus0/state", state);
    cr_assert_str_eq(vdf_test_read("intx/bus0/state"), state);
    free(state);
    /* As in Linux's quirk list it has a line of its own. */
    put(D0 "enabled", "0");
    put(D0 "pci_2_3", "0");
    refused(D0 "enabled", "1", EBUSY, "line 5");
    put(D1 "enabled", "0");
    put(D0 "enabled", "1");
    is(D0 "host_irq_disabled", "1");
    is(D0 "masked", "0");
}

Test(intx, dead_status_bit)
{
    vdf_test_tree(false);
    add("d0", "5");
    put(D0 "intx_status", "0");
    put(D0 "enabled", "1");
    put(D0 "assert", "1");
    is(D0 "assert", "1");
    is(D0 "status", "0x0000");
    is(L5 "level", "1");
    is(L5 "spurious", "1");
    is(D0 "interrupts", "0");
    char *state = strdup(vdf_test_read("intx/bus0/state"));
    put(D0 "assert", "0");
    put("intx/bus0/state", state);
    cr_assert_str_eq(vdf_test_read("intx/bus0/state"), state);
    free(state);
    /* One that is not asked is served. */
    put(D0 "enabled", "0");
    put(D0 "pci_2_3", "0");
    put(D0 "intx_disable", "0");
    put(D0 "enabled", "1");
    is(D0 "interrupts", "1");
    put(D0 "ack", "1");
    is(D0 "interrupts", "2");
    is(D0 "reasserts", "1");
}

Test(intx, function_reset)
{
    two_on_a_line();
    put(D0 "command", "0x0007");
    refused(D0 "reset", "0", EINVAL, "written as 1");
    put(D0 "assert", "1");
    put(D1 "assert", "1");
    is(D0 "masked", "1");
    is(D0 "guest_level", "1");
    put(D0 "reset", "1");
    static const char *const zero[] = { "assert",      "masked",     "host_irq_disabled",
                                        "guest_level", "guest_mask", "intx_disable" };
    for (size_t k = 0; k < sizeof(zero) / sizeof(zero[0]); k++) {
        char path[64];
        snprintf(path, sizeof(path), D0 "%s", zero[k]);
        is(path, "0");
    }
    is(D0 "command", "0x0000");
    is(D0 "status", "0x0000");
    is(D0 "enabled", "1");
    is(D0 "interrupts", "1");
    is(D1 "masked", "1");
    is(L5 "raised", "2");
    put(D0 "assert", "1");
    is(D0 "interrupts", "2");
    is(D0 "guest_level", "1");
    /* An interrupt that waits for the guest's unmask is forgotten. */
    put(D0 "enabled", "0");
    put(D0 "assert", "0");
    put(D0 "host_type", "msi");
    put(D0 "enabled", "1");
    put(D0 "guest_mask", "1");
    put(D0 "assert", "1");
    put(D0 "reset", "1");
    is(D0 "guest_mask", "0");
    is(D0 "guest_level", "0");
    /* Nothing of it needs a handler. */
    put(D1 "enabled", "0");
    put(D1 "reset", "1");
    is(D1 "assert", "0");
    is(D1 "enabled", "0");
    is(L5 "level", "0");
}

Test(intx, old_device_switches_the_line_off_until_the_eoi)
{
    one_of_old();
    put(D0 "assert", "1");
    is(D0 "host_irq_disabled", "1");
    is(D0 "masked", "0");
    is(D0 "intx_disable", "0");
    is(D0 "guest_level", "1");
    is(L5 "level", "1");
    is(L5 "raised", "1");
    /* Switched off it interrupts no more. */
    put(D0 "assert", "0");
    put(D0 "assert", "1");
    is(L5 "raised", "1");
    put(D0 "ack", "1");
    is(D0 "reasserts", "1");
    is(D0 "interrupts", "2");
    is(L5 "raised", "2");
    is(D0 "guest_level", "1");
    put(D0 "assert", "0");
    put(D0 "ack", "1");
    is(D0 "host_irq_disabled", "0");
    is(D0 "guest_level", "0");
    is(D0 "reasserts", "1");
}

Test(intx, old_device_cannot_tell_who_interrupts)
{
    one_of_old();
    add("d1", "5");
    put(D1 "assert", "1");
    is(D0 "guest_level", "1");
    put(D0 "ack", "1");
    is(D0 "guest_level", "1");
    is(D0 "interrupts", "2");
    /* It was not this device that still asserted. */
    is(D0 "reasserts", "0");
    is(L5 "spurious", "0");
}

Test(intx, what_comes_while_the_guest_masks_is_delivered_after)
{
    two_on_a_line();
    put(D0 "guest_mask", "1");
    is(D0 "command", "0x0400");
    is(D0 "masked", "0");
    put(D0 "assert", "1");
    is(D0 "guest_level", "0");
    is(D0 "interrupts", "0");
    is(L5 "raised", "0");
    put(D0 "guest_mask", "0");
    is(D0 "guest_level", "1");
    is(D0 "interrupts", "1");
    is(D0 "masked", "1");
}

Test(intx, guest_that_masks_lowers_its_line_and_keeps_the_device_masked)
{
    two_on_a_line();
    put(D0 "assert", "1");
    put(D0 "guest_mask", "1");
    is(D0 "guest_level", "0");
    /* An EOI between the announcement and the configuration write must not take the mask away. */
    put(D0 "assert", "0");
    put(D0 "ack", "1");
    is(D0 "command", "0x0400");
    is(D0 "host_irq_disabled", "1");
    put(D0 "guest_mask", "0");
    is(D0 "command", "0x0000");
    is(D0 "masked", "0");
    is(D0 "host_irq_disabled", "0");
    is(D0 "guest_level", "0");
}

Test(intx, masking_is_on_demand_after_enabling)
{
    vdf_test_tree(false);
    add("d0", "5");
    put(D0 "guest_mask", "1");
    put(D0 "enabled", "1");
    is(D0 "intx_disable", "0");
    put(D0 "assert", "1");
    is(D0 "intx_disable", "1");
    is(D0 "masked", "1");
    is(D0 "guest_level", "0");
    is(L5 "handled", "1");
    put(D0 "guest_mask", "0");
    is(D0 "guest_level", "1");
}

Test(intx, old_device_is_unmasked_by_the_guests_unmask)
{
    one_of_old();
    put(D0 "intx_sticks", "1");
    put(D0 "guest_mask", "1");
    put(D0 "intx_disable", "0");
    put(D0 "assert", "1");
    is(D0 "host_irq_disabled", "1");
    is(D0 "guest_level", "0");
    put(D0 "guest_mask", "0");
    is(D0 "guest_level", "1");
    is(D0 "host_irq_disabled", "1");
    is(L5 "raised", "2");
    /* Quiet when it unmasks: the line is switched on again. */
    put(D0 "guest_mask", "1");
    put(D0 "assert", "0");
    put(D0 "guest_mask", "0");
    is(D0 "host_irq_disabled", "0");
    is(D0 "guest_level", "0");
}

Test(intx, write_behind_the_handler_interrupts_again)
{
    two_on_a_line();
    put(D0 "assert", "1");
    put(D0 "intx_disable", "0");
    is(D0 "masked", "1");
    is(D0 "interrupts", "2");
    is(L5 "raised", "2");
    put(D0 "assert", "0");
    put(D0 "command", "0x0007");
    is(D0 "masked", "0");
    /* The flag of the handler waits for the EOI. */
    is(D0 "host_irq_disabled", "1");
    put(D0 "ack", "1");
    is(D0 "host_irq_disabled", "0");
    is(D0 "command", "0x0007");
}

Test(intx, disabled_device_is_quiet_and_masked)
{
    two_on_a_line();
    put(D0 "assert", "1");
    put(D0 "enabled", "0");
    is(D0 "guest_level", "0");
    is(D0 "masked", "0");
    is(D0 "host_irq_disabled", "0");
    is(D0 "intx_disable", "1");
    is(L5 "level", "0");
    is(L5 "sharers", "1");
    refused(D0 "ack", "1", EBUSY, "enabled");
    /* A condition that remains interrupts when the device is enabled again. */
    put(D0 "enabled", "1");
    is(D0 "guest_level", "1");
    is(D0 "interrupts", "2");
    put(D0 "assert", "0");
    put(D0 "ack", "1");
    is(D0 "command", "0x0000");
    put(D0 "enabled", "0");
    is(D0 "command", "0x0400");
    put(D0 "enabled", "1");
    is(D0 "command", "0x0000");
}

Test(intx, requested_settings_stay_while_enabled)
{
    static const struct {
        const char *file, *other, *same;
    } rows[] = {
        { D0 "line", "6", "5" },
        { D0 "pci_2_3", "0", "1" },
        { D0 "intx_sticks", "0", "1" },
        { D0 "host_type", "msi", "intx" },
        { D0 "guest_type", "msi", "intx" },
    };

    two_on_a_line();
    for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
        refused(rows[k].file, rows[k].other, EBUSY, "enabled");
        is(rows[k].file, rows[k].same);
        put(rows[k].file, rows[k].same);
    }
    put(D0 "enabled", "1");
    put(D0 "backend", "soft");
    refused(D0 "backend", "vfio", ENODEV, "vfio");
    refused(D0 "backend", "kvm", EINVAL, "vfio");
    is(D0 "backend", "soft");
}

Test(intx, host_names_a_device_of_this_machine)
{
    static const char *const wrong[] = {
        "0",           "00:03.0", "0000:00:3.0", "0000:00:03.8", "0000:0g:03.0", "0000:00:03.00",
        "0000-00:03.0"
    };

    two_on_a_line();
    put(D0 "enabled", "0");
    is(D0 "host", "");
    for (size_t k = 0; k < sizeof(wrong) / sizeof(wrong[0]); k++)
        refused(D0 "host", wrong[k], EINVAL, "0000:00:03.0");
    is(D0 "host", "");
    refused(D0 "backend", "vfio", ENODEV, "host");
    /* No machine has this device; without iommufd the error names iommufd. */
    put(D0 "host", "ffff:ff:1f.7");
    is(D0 "host", "ffff:ff:1f.7");
    int ret = vdf_test_write(D0 "backend", "vfio");
    cr_assert(ret == -ENODEV || ret == -EACCES || ret == -EPERM, "%d", ret);
    is(D0 "backend", "soft");
    is(L5 "sharers", "1");
    cr_assert_not(vdf_test_exists(D0 "bar/0"));
    put(D0 "enabled", "1");
    refused(D0 "backend", "vfio", EBUSY, "enabled");
    put(D0 "host", "\n");
    is(D0 "host", "");
}

Test(intx, host_is_a_choice_of_the_mount)
{
    static char saved[65536];

    two_on_a_line();
    put(D0 "host", "0000:00:03.0");
    snprintf(saved, sizeof(saved), "%s", vdf_test_read(BUS "state"));
    cr_assert_not(strstr(saved, "0000:00:03.0"));
    put(D0 "host", "0000:00:04.0");
    put(BUS "state", saved);
    is(D0 "host", "0000:00:04.0");
    is(D1 "host", "");
    cr_assert_eq(vdf_test_rmdir(BUS "devices/d0"), 0);
    put(BUS "state", saved);
    is(D0 "host", "");
}

Test(intx, message_to_the_host_is_a_line_for_the_guest)
{
    vdf_test_tree(false);
    add("d0", "5");
    put(D0 "host_type", "msi");
    put(D0 "enabled", "1");
    put(D0 "assert", "1");
    is(L5 "level", "0");
    is(L5 "raised", "0");
    is(L5 "sharers", "0");
    is(D0 "guest_level", "1");
    is(D0 "host_irq_disabled", "0");
    is(D0 "interrupts", "1");
    put(D0 "ack", "1");
    is(D0 "guest_level", "0");
    is(D0 "reasserts", "0");
    /* A message that comes while the guest masks waits for it. */
    put(D0 "guest_mask", "1");
    put(D0 "assert", "0");
    put(D0 "assert", "1");
    put(D0 "assert", "0");
    is(D0 "guest_level", "0");
    put(D0 "guest_mask", "0");
    is(D0 "guest_level", "1");
    is(D0 "interrupts", "2");
    /* A condition that goes on sends no second message, and disabling forgets the one that waits.
     */
    put(D0 "guest_mask", "1");
    put(D0 "assert", "1");
    put(D0 "assert", "1");
    is(D0 "interrupts", "3");
    put(D0 "enabled", "0");
    put(D0 "assert", "0");
    put(D0 "guest_mask", "0");
    put(D0 "enabled", "1");
    is(D0 "guest_level", "0");
}

Test(intx, old_device_without_messages_pulls_its_pin)
{
    vdf_test_tree(false);
    add("d0", "5");
    put(D0 "pci_2_3", "0");
    put(D0 "host_type", "msi");
    put(D0 "enabled", "1");
    put(D0 "assert", "1");
    is(L5 "level", "0");
    put(D0 "enabled", "0");
    is(L5 "level", "1");
    is(L5 "spurious", "0");
}

Test(intx, condition_before_enabling_sends_its_message)
{
    vdf_test_tree(false);
    add("d0", "5");
    put(D0 "host_type", "msi");
    put(D0 "intx_disable", "1");
    put(D0 "assert", "1");
    put(D0 "enabled", "1");
    is(D0 "interrupts", "1");
    is(D0 "guest_level", "1");
}

Test(intx, message_to_the_guest_has_no_line)
{
    vdf_test_tree(false);
    add("d0", "5");
    put(D0 "host_type", "msi");
    put(D0 "guest_type", "msi");
    put(D0 "guest_mask", "1");
    put(D0 "enabled", "1");
    put(D0 "assert", "1");
    is(D0 "guest_level", "0");
    is(D0 "interrupts", "1");
    refused(D0 "ack", "1", EINVAL, "msi");
}

Test(intx, ack_is_a_one)
{
    two_on_a_line();
    put(D0 "assert", "1");
    refused(D0 "ack", "0", EINVAL, "1");
    refused(D0 "ack", "2", EINVAL, "");
    is(D0 "guest_level", "1");
}

Test(intx, removed_device_lets_go_of_the_line)
{
    two_on_a_line();
    put(D1 "enabled", "0");
    put(D1 "intx_disable", "0");
    put(D1 "assert", "1");
    is(L5 "level", "1");
    cr_assert_eq(vdf_test_rmdir(BUS "devices/d1"), 0);
    is(L5 "level", "0");
    put(D0 "assert", "1");
    cr_assert_eq(vdf_test_rmdir(BUS "devices/d0"), 0);
    cr_assert_not(vdf_test_exists(BUS "lines/5"));
}

/* --- the guest's line ------------------------------------------------------------------------- */

static char levels[32];

static void note_level(void *ctx, bool level)
{
    cr_assert_lt(strlen(levels), sizeof(levels) - 1);
    strcat(levels, level ? "1" : "0");
}

static void listen_to(const char *path)
{
    struct vdf_intx_dev *dev = vdf_obj_priv(vdf_test_obj(path));

    levels[0] = '\0';
    dev->guest.irq.set_level = note_level;
}

Test(intx, guests_line_falls_at_the_eoi_and_rises_again)
{
    two_on_a_line();
    listen_to(BUS "devices/d0");
    put(D0 "assert", "1");
    put(D0 "ack", "1");
    put(D0 "assert", "0");
    put(D0 "ack", "1");
    put(D0 "assert", "1");
    /* It interrupts once more while the line is high. */
    put(D0 "intx_disable", "0");
    is(D0 "interrupts", "3");
    cr_assert_eq(vdf_test_rmdir(BUS "devices/d0"), 0);
    cr_assert_str_eq(levels, "101010");
}

Test(intx, guests_message_is_an_edge)
{
    vdf_test_tree(false);
    add("d0", "5");
    put(D0 "host_type", "msi");
    put(D0 "guest_type", "msi");
    put(D0 "enabled", "1");
    listen_to(BUS "devices/d0");
    put(D0 "assert", "1");
    put(D0 "assert", "0");
    put(D0 "assert", "1");
    cr_assert_str_eq(levels, "1010");
}
