/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The register accesses of Linux's driver irq-riscv-aplic, in the driver's order: set-up, types,
 * masks, affinity, its handlers, suspend and resume, with direct delivery and with MSIs. The device
 * gives the interrupts that the driver relies on.
 */
#include "test_aplic.h"

#define SOURCES 40
#define DOMAINCFG 0x0
#define IE 0x100
#define DM 0x4
#define SOURCECFG(n) (4u * (n))
#define CLRIE(w) (0x1f00 + 4u * (w))
#define SETIENUM 0x1edc
#define CLRIENUM 0x1fdc
#define SETIPNUM_LE 0x2000
#define TARGET(n) (0x3000 + 4u * (n))
#define IDC(hart, reg) (0x4000 + 32u * (hart) + (reg))
#define IDELIVERY 0x00
#define ITHRESHOLD 0x08
#define CLAIMI 0x1c

TestSuite(aplic_driver, .fini = vdf_test_tree_free);

/* --- both modes ------------------------------------------------------------------------------- */

static void init_sources(void)
{
    for (unsigned n = 0; n <= SOURCES; n += 32)
        put_reg(CLRIE(n / 32), UINT32_MAX);
    for (unsigned n = 1; n <= SOURCES; n++) {
        put_reg(SOURCECFG(n), 0);
        put_reg(TARGET(n), 1);
    }
    put_reg(DOMAINCFG, 0);
}

/* The driver warns when a read of the register does not give the written value. */
static void init_domain(bool msi)
{
    uint64_t value = reg(DOMAINCFG) | IE | (msi ? DM : 0);

    put_reg(DOMAINCFG, value);
    cr_assert_eq(reg(DOMAINCFG), value);
}

static void mask(unsigned n)
{
    put_reg(CLRIENUM, n);
}

static void unmask(unsigned n)
{
    put_reg(SETIENUM, n);
}

/* --- direct delivery -------------------------------------------------------------------------- */

static char handled[64];

/* The handler of a hart. The device behind the wire of source @quiet, if not 0, deasserts it. */
static const char *handle(unsigned hart, unsigned quiet)
{
    uint64_t claimed;
    unsigned turns = 0;

    handled[0] = '\0';
    while ((claimed = reg(IDC(hart, CLAIMI)))) {
        unsigned n = (unsigned)(claimed >> 16);
        size_t used = strlen(handled);

        cr_assert_lt(++turns, 10, "the handler never ends: %s", handled);
        snprintf(handled + used, sizeof(handled) - used, "%s%u", used ? " " : "", n);
        if (n == quiet)
            put(at("wire/%u", n), 0);
    }
    return handled;
}

static void set_up_direct(void)
{
    make_direct(2, SOURCES);
    init_sources();
    for (unsigned hart = 0; hart < 2; hart++) {
        put_reg(IDC(hart, ITHRESHOLD), 0);
        put_reg(IDC(hart, IDELIVERY), 1);
    }
    init_domain(false);
}

/* A type is set while the source is masked; an affinity is its target. */
static void request_direct(unsigned n, unsigned type, unsigned hart)
{
    put_reg(SOURCECFG(n), type);
    put_reg(TARGET(n), hart << 18 | 1);
    unmask(n);
}

Test(aplic_driver, direct_levels_and_edges)
{
    set_up_direct();
    cr_assert_str_eq(handle(0, 0), "");
    request_direct(5, HIGH, 0);
    request_direct(33, RISING, 0);
    put(at("wire/5"), 1);
    put(at("wire/33"), 1);
    /* Each is handled once, although one is a level. */
    cr_assert_str_eq(handle(0, 5), "5 33");
    cr_assert_str_eq(handle(0, 5), "");
    /* A level that goes before the claim is no interrupt. */
    put(at("wire/5"), 1);
    put(at("wire/5"), 0);
    cr_assert_str_eq(handle(0, 5), "");
    /* An edge during the handling is handled again. */
    put(at("wire/33"), 0);
    put(at("wire/33"), 1);
    cr_assert_str_eq(handle(0, 0), "33");
}

Test(aplic_driver, direct_masks_and_types)
{
    set_up_direct();
    request_direct(7, RISING, 0);
    mask(7);
    put(at("wire/7"), 1);
    cr_assert_str_eq(handle(0, 0), "");
    unmask(7);
    cr_assert_str_eq(handle(0, 0), "7");
    /* Level-low: the falling wire asserts the input. */
    mask(7);
    put_reg(SOURCECFG(7), LOW);
    unmask(7);
    cr_assert_str_eq(handle(0, 0), "");
    mask(7);
    put(at("wire/7"), 0);
    cr_assert_str_eq(handle(0, 0), "");
    put_reg(SOURCECFG(7), 0);
    put_reg(SOURCECFG(7), FALLING);
    unmask(7);
    handle(0, 0);
    put(at("wire/7"), 1);
    cr_assert_str_eq(handle(0, 0), "");
    put(at("wire/7"), 0);
    cr_assert_str_eq(handle(0, 0), "7");
}

Test(aplic_driver, direct_affinity)
{
    set_up_direct();
    request_direct(9, HIGH, 0);
    put(at("wire/9"), 1);
    put_reg(TARGET(9), 1 << 18 | 1);
    cr_assert_str_eq(handle(0, 9), "");
    cr_assert_str_eq(handle(1, 9), "9");
    /* A hart that goes offline takes no more interrupts. */
    put_reg(IDC(1, ITHRESHOLD), 1);
    put_reg(IDC(1, IDELIVERY), 0);
    put(at("wire/9"), 1);
    cr_assert_str_eq(handle(1, 9), "");
    put_reg(TARGET(9), 1);
    cr_assert_str_eq(handle(0, 9), "9");
}

/* Sources are masked on suspend; newer drivers save the registers and write them back. */
Test(aplic_driver, direct_suspend_and_resume)
{
    uint64_t saved[SOURCES + 1][2], enabled[2];

    set_up_direct();
    request_direct(3, HIGH, 1);
    request_direct(34, RISING, 0);
    for (unsigned n = 1; n <= SOURCES; n++) {
        saved[n][0] = reg(SOURCECFG(n));
        saved[n][1] = reg(TARGET(n));
    }
    for (unsigned w = 0; w < 2; w++)
        enabled[w] = reg(0x1e00 + 4 * w);
    char *state = strdup(vdf_test_read(at("state")));
    init_sources();
    put(at("wire/3"), 1);
    cr_assert_str_eq(handle(1, 3), "");
    for (unsigned n = 1; n <= SOURCES; n++) {
        put_reg(SOURCECFG(n), saved[n][0]);
        put_reg(TARGET(n), saved[n][1]);
    }
    for (unsigned w = 0; w < 2; w++)
        put_reg(0x1e00 + 4 * w, enabled[w]);
    init_domain(false);
    cr_assert_str_eq(handle(1, 3), "3");
    cr_assert_str_eq(vdf_test_read(at("state")), state);
    free(state);
}

/* --- MSIs ------------------------------------------------------------------------------------- */

static void set_up_msi(void)
{
    make_msi(2, SOURCES, 63);
    init_sources();
    init_domain(true);
    for (unsigned hart = 0; hart < 2; hart++)
        put(at("imsic/%u/eidelivery", hart), 1);
}

/* The IMSIC driver assigns the identities and has enable bits of its own. */
static void request_msi(unsigned n, unsigned type, unsigned hart, unsigned eiid)
{
    put_reg(SOURCECFG(n), type);
    if (type >= HIGH)
        put_reg(SETIPNUM_LE, n);
    put_reg(TARGET(n), hart << 18 | eiid);
    put(at("imsic/%u/enabled", hart), eiid);
    unmask(n);
}

/* The IMSIC's handler claims through topei until no interrupt is left. */
static unsigned claim(unsigned hart)
{
    unsigned top = (unsigned)(vdf_test_read_u64(at("imsic/%u/topei", hart)) >> 16);

    if (top)
        put(at("imsic/%u/topei", hart), 0);
    return top;
}

/* At the end of the handling of a level the driver sets its pending bit again. */
static void end_msi(unsigned n, bool level)
{
    if (level)
        put_reg(SETIPNUM_LE, n);
}

Test(aplic_driver, msi_levels_are_retriggered)
{
    set_up_msi();
    request_msi(5, HIGH, 0, 20);
    cr_assert_eq(claim(0), 0);
    put(at("wire/5"), 1);
    cr_assert_eq(claim(0), 20);
    cr_assert_eq(claim(0), 0);
    /* Still asserted at the end: another MSI. */
    end_msi(5, true);
    cr_assert_eq(claim(0), 20);
    put(at("wire/5"), 0);
    end_msi(5, true);
    cr_assert_eq(claim(0), 0);
    /* The driver does not set the pending bit of an edge. */
    request_msi(6, RISING, 0, 21);
    put(at("wire/6"), 1);
    cr_assert_eq(claim(0), 21);
    end_msi(6, false);
    cr_assert_eq(claim(0), 0);
}

Test(aplic_driver, msi_set_type_finds_an_asserted_level)
{
    set_up_msi();
    put(at("wire/8"), 1);
    request_msi(8, HIGH, 1, 30);
    cr_assert_eq(claim(1), 30);
    mask(8);
    put(at("wire/8"), 0);
    request_msi(8, LOW, 1, 30);
    cr_assert_eq(claim(1), 30);
}

Test(aplic_driver, msi_masks_and_affinity)
{
    set_up_msi();
    request_msi(5, RISING, 0, 20);
    mask(5);
    put(at("wire/5"), 1);
    cr_assert_eq(claim(0), 0);
    unmask(5);
    cr_assert_eq(claim(0), 20);
    put_reg(TARGET(5), 1 << 18 | 25);
    put(at("imsic/1/enabled"), 25);
    put(at("wire/5"), 0);
    put(at("wire/5"), 1);
    cr_assert_eq(claim(0), 0);
    cr_assert_eq(claim(1), 25);
    /* A message of zeros reaches no interrupt file. */
    put_reg(TARGET(5), 0);
    put(at("wire/5"), 0);
    put(at("wire/5"), 1);
    cr_assert_eq(claim(0), 0);
    cr_assert_eq(claim(1), 0);
    cr_assert_not_null(strstr(msis(), "hart=0 guest=0 eiid=0 dropped"));
}
