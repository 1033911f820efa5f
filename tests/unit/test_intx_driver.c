/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Linux's accesses to the registers of a function with INTx: the probe of command bit 10 and the
 * handler of uio_pci_generic, and the handler, mask, unmask and resampling of vfio-pci. The device
 * is not enabled: the test is the host's driver, behind the registers as they are.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "harness.h"

#define DEV "intx/bus0/devices/d/"
#define DISABLE 0x0400u
#define INTERRUPT 0x0008u

static void set_up(void)
{
    vdf_test_tree(false);
    cr_assert_eq(vdf_test_mkdir("intx/bus0/devices/d"), 0);
}

TestSuite(intx_driver, .init = set_up, .fini = vdf_test_tree_free);

static void put(const char *path, const char *text)
{
    cr_assert_eq(vdf_test_write(path, text), 0, "%s", vdf_test_last_error());
}

static unsigned command(void)
{
    return (unsigned)vdf_test_read_u64(DEV "command");
}

static void set_command(unsigned value)
{
    cr_assert_eq(vdf_test_write_u64(DEV "command", value), 0, "%s", vdf_test_last_error());
}

static bool level(void)
{
    return vdf_test_read_u64("intx/bus0/lines/0/level");
}

/* Flip bit 10, check that no other bit has changed, and flip it back. */
static bool probe(void)
{
    unsigned before = command();

    set_command(before ^ DISABLE);
    unsigned changed = command() ^ before;
    cr_assert_eq(changed & ~DISABLE, 0);
    set_command(before);
    cr_assert_eq(command(), before);
    return changed & DISABLE;
}

/* One check of status bit 3; the bit is changed when the device asserts as wanted. */
static bool check_and_set(bool mask)
{
    unsigned now = command();
    bool pending = vdf_test_read_u64(DEV "status") & INTERRUPT;

    if (pending != mask)
        return false;
    set_command(mask ? now | DISABLE : now & ~DISABLE);
    return true;
}

Test(intx_driver, probe_of_bit_10)
{
    set_command(0x0007);
    cr_assert(probe());
    set_command(0x0407);
    cr_assert(probe());
    put(DEV "intx_sticks", "0");
    cr_assert_not(probe());
    /* Linux cannot find this one by its probe: therefore it has a list. */
    put(DEV "intx_sticks", "1");
    put(DEV "intx_masks", "0");
    cr_assert(probe());
}

Test(intx_driver, uio_handler)
{
    cr_assert_not(check_and_set(true));
    put(DEV "assert", "1");
    cr_assert(level());
    cr_assert(check_and_set(true));
    cr_assert_not(level());
    /* User space clears bit 10 when it is done: the device may have more. */
    set_command(command() & ~DISABLE);
    cr_assert(level());
    cr_assert(check_and_set(true));
    put(DEV "assert", "0");
    set_command(command() & ~DISABLE);
    cr_assert_not(level());
    cr_assert_not(check_and_set(true));
}

Test(intx_driver, devices_of_the_quirk_list)
{
    put(DEV "intx_masks", "0");
    put(DEV "assert", "1");
    cr_assert(check_and_set(true));
    cr_assert(level());
    put(DEV "intx_masks", "1");
    set_command(0);
    put(DEV "intx_status", "0");
    cr_assert_not(check_and_set(true));
    cr_assert(level());
}

/* vfio-pci: masked by the handler, unmasked by the resample eventfd, which finds it asserted. */
Test(intx_driver, vfio_resampling)
{
    unsigned triggers = 0;

    put(DEV "assert", "1");
    cr_assert(check_and_set(true));
    triggers++;
    /* The end of the interrupt: still asserted, so it stays masked and triggers again. */
    cr_assert_not(check_and_set(false));
    triggers++;
    cr_assert_not(level());
    put(DEV "assert", "0");
    cr_assert(check_and_set(false));
    cr_assert_eq(command() & DISABLE, 0);
    cr_assert_eq(triggers, 2);
    /* An interrupt that arrives while user space masks is delivered after the unmask. */
    set_command(command() | DISABLE);
    put(DEV "assert", "1");
    cr_assert_not(level());
    cr_assert_not(check_and_set(false));
    set_command(command() & ~DISABLE);
    cr_assert(level());
}

/* The same from the guest's side, with the model as the host's driver. */
Test(intx_driver, a_guest_behind_the_handler)
{
    uint32_t dword;

    put(DEV "enabled", "1");
    put(DEV "assert", "1");
    cr_assert_eq(vdf_test_pread(DEV "config", &dword, 4, 4), 4);
    cr_assert_eq(dword, INTERRUPT << 16);
    /* A guest's driver probes and masks in its own view. */
    uint16_t word = DISABLE;
    cr_assert_eq(vdf_test_pwrite(DEV "config", &word, 2, 4), 2);
    cr_assert_eq(vdf_test_pread(DEV "config", &dword, 4, 4), 4);
    cr_assert_eq(dword, INTERRUPT << 16 | DISABLE);
    cr_assert_str_eq(vdf_test_read(DEV "guest_level"), "0");
    word = 0;
    cr_assert_eq(vdf_test_pwrite(DEV "config", &word, 2, 4), 2);
    cr_assert_str_eq(vdf_test_read(DEV "guest_level"), "1");
    put(DEV "ack", "1");
    cr_assert_str_eq(vdf_test_read(DEV "reasserts"), "1");
    put(DEV "assert", "0");
    put(DEV "ack", "1");
    cr_assert_str_eq(vdf_test_read(DEV "masked"), "0");
}

/* Every byte of the configuration space at all widths: only the header's writable bits change. */
Test(intx_driver, every_byte_at_every_width)
{
    static const unsigned widths[] = { 1, 2, 4 };
    uint8_t writable[256] = { [4] = 0x57, [5] = 0x05, [0x0c] = 0xff, [0x0d] = 0xff, [0x3c] = 0xff };
    uint8_t before[256], after[256], ones[4];

    memset(ones, 0xff, sizeof(ones));
    for (unsigned w = 0; w < 3; w++)
        for (unsigned offset = 0; offset + widths[w] <= 256; offset++) {
            cr_assert_eq(vdf_test_pread(DEV "config", before, 256, 0), 256);
            cr_assert_eq(vdf_test_pwrite(DEV "config", ones, widths[w], offset), widths[w]);
            cr_assert_eq(vdf_test_pread(DEV "config", after, 256, 0), 256);
            for (unsigned k = 0; k < 256; k++) {
                bool written = k >= offset && k < offset + widths[w];
                cr_assert_eq(after[k], written ? before[k] | writable[k] : before[k],
                             "byte 0x%02x after %u bytes at 0x%02x", k, widths[w], offset);
            }
            put(DEV "reset", "1");
        }
}
