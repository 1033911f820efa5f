/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every file and register of an APLIC with its IMSICs.
 *
 * A file's write, a write through `regs` and a guest's store do the same; restoring a state stores
 * the saved bits and delivers nothing.
 */
#include <byteswap.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "config.h"
#include "idc.h"
#include "imsic.h"
#include "kvm_rows.h"
#include "rows.h"
#include "source.h"

/* --- structures with fields of rows, conditions, numbers --------------------------------------- */

static void *hart_at(const struct vdf_at *at)
{
    const struct vdf_aplic *aplic = at->priv;

    return &aplic->harts[at->i];
}

/* The place from which the first word of a field of the hart is the word j of the field. */
static void *hart_word_at(const struct vdf_at *at)
{
    return (char *)hart_at(at) + at->j * sizeof(uint64_t);
}

static void *source_at(const struct vdf_at *at)
{
    struct vdf_aplic *aplic = at->priv;

    return &aplic->sources[at->i];
}

static bool has_registers(const void *priv)
{
    return vdf_aplic_has_registers(priv);
}

static bool has_imsics(const void *priv)
{
    return vdf_aplic_has_imsics(priv);
}

/* The host's interrupt files have no such attribute. */
static bool has_topei(const void *priv)
{
    return vdf_aplic_has_imsics(priv) && !((const struct vdf_priv *)priv)->backend;
}

static bool has_idcs(const void *priv)
{
    return vdf_aplic_has_registers(priv) && vdf_aplic_direct(priv);
}

static bool has_msis(const void *priv)
{
    return !vdf_aplic_direct(priv);
}

static uint32_t count_harts(const void *priv)
{
    return ((const struct vdf_aplic *)priv)->n_harts;
}

static uint32_t count_sources(const void *priv)
{
    return ((const struct vdf_aplic *)priv)->n_sources;
}

static uint32_t count_words(const void *priv)
{
    return vdf_aplic_words(priv);
}

static uint32_t count_eix(const void *priv)
{
    return vdf_aplic_eix(priv);
}

/* --- before init ------------------------------------------------------------------------------ */

enum { SOFT, KVM }; /* choices of the row `backend` */

/* As in KVM this comes before any check of the value. */
static int check_open(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_aplic *aplic = at->priv;

    if (aplic->initialised)
        return vdf_fail(err, EBUSY, "the device is initialised; write this file before `init`");
    return 0;
}

static int get_backend(const struct vdf_at *at, uint64_t *value)
{
    const struct vdf_aplic *aplic = at->priv;

    *value = aplic->priv.backend ? KVM : SOFT;
    return 0;
}

static int set_backend(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_aplic *aplic = at->priv;

    if (value == (aplic->priv.backend ? KVM : SOFT))
        return 0;
    if (value == KVM && vdf_aplic_direct(aplic))
        return vdf_fail(err, EOPNOTSUPP, "kvm: KVM's device has the delivery msi, not direct");
    if (value == KVM && aplic->routes)
        return vdf_fail(err, EBUSY, "kvm: the model is attached to a VM; detach it first");
    int ret = value == SOFT ? vdf_aplic_kvm_leave(aplic, err)
                            : vdf_aplic_kvm_rebuild(aplic, aplic->n_harts, err);
    if (ret == 0)
        vdf_obj_set_live(at->obj, value == KVM);
    return ret;
}

static int check_delivery(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_aplic *aplic = at->priv;
    int ret = check_open(at, value, err);

    if (ret == 0 && value == VDF_APLIC_MSI && aplic->n_sources >= VDF_APLIC_HOST_IDS)
        return vdf_fail(err, EINVAL, "msi: aia/srcs is %" PRIu32 "; with MSIs it is 0 to %u",
                        aplic->n_sources, VDF_APLIC_HOST_IDS - 1);
    return ret;
}

static int set_harts(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    return vdf_aplic_set_harts(at->priv, (uint32_t)value, err);
}

static int check_ids(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    int ret = check_open(at, value, err);

    if (ret == 0 && (value % 64 != 63 || value >= VDF_APLIC_HOST_IDS))
        return vdf_fail(err, EINVAL, "%" PRIu64 ": ids is 63, 127, 191 or 255", value);
    return ret;
}

static int check_sources(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    uint64_t max = vdf_aplic_direct(at->priv) ? VDF_APLIC_WIRES : VDF_APLIC_HOST_IDS - 1;
    int ret = check_open(at, value, err);

    if (ret == 0 && value > max)
        return vdf_fail(err, EINVAL, "%" PRIu64 ": it is 0 to %" PRIu64, value, max);
    return ret;
}

static int check_address(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    int ret = check_open(at, value, err);

    if (ret == 0 && value % VDF_IMSIC_PAGE_SIZE != 0)
        return vdf_fail(err, EINVAL, "0x%" PRIx64 ": addresses are multiples of 0x%" PRIx64, value,
                        VDF_IMSIC_PAGE_SIZE);
    return ret;
}

/* A state has an address that is not set yet, which no write can store. */
static int restore_address(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    int ret =
        value == VDF_APLIC_NO_ADDRESS ? check_open(at, value, err) : check_address(at, value, err);

    if (ret == 0)
        vdf_row_store_field(at, value);
    return ret;
}

static int set_init(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    return vdf_aplic_init(at->priv, err);
}

static int restore_initialised(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    return value ? vdf_aplic_init(at->priv, err) : 0;
}

/* --- the control region ----------------------------------------------------------------------- */

/* After every write KVM looks at all sources again. */
static void after_write(const struct vdf_at *at, uint64_t value)
{
    vdf_aplic_update(at->priv);
}

/* The bits of word @w that belong to sources. */
static uint32_t word_mask(const struct vdf_aplic *aplic, uint32_t w)
{
    uint32_t mask = UINT32_MAX;

    if (w == aplic->n_sources / 32)
        mask >>= 31 - aplic->n_sources % 32;
    return w == 0 ? mask & ~UINT32_C(1) : mask;
}

static int check_saved_bits(uint64_t value, uint32_t bits, struct vdf_err *err)
{
    if (value & ~(uint64_t)bits)
        return vdf_fail(err, EINVAL, "0x%08" PRIx64 ": only the bits 0x%08" PRIx32 " can be set",
                        value, bits);
    return 0;
}

static int check_saved_domaincfg(uint64_t value, uint32_t base, struct vdf_err *err)
{
    if (value != base && value != (base | VDF_DOMAINCFG_IE))
        return vdf_fail(err, EINVAL, "0x%08" PRIx64 ": it is 0x%08" PRIx32 " or 0x%08" PRIx32,
                        value, base, base | VDF_DOMAINCFG_IE);
    return 0;
}

static int check_saved_target(uint64_t value, bool direct, struct vdf_err *err)
{
    if (direct && value != 0 && (value & VDF_TARGET_IPRIO) == 0)
        return vdf_fail(err, EINVAL, "0x%08" PRIx64 ": priorities are 1 to 255", value);
    return check_saved_bits(value, direct ? VDF_TARGET_DIRECT_BITS : VDF_TARGET_MSI_BITS, err);
}

int vdf_aplic_check_saved(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_aplic *aplic = at->priv;
    bool direct = vdf_aplic_direct(aplic);

    switch (vdf_aplic_row(at)) {
    case ROW_DOMAINCFG:
        return check_saved_domaincfg(value, aplic->domaincfg & ~VDF_DOMAINCFG_IE, err);
    case ROW_SOURCECFG:
        return check_saved_bits(value, VDF_SOURCECFG_SM, err);
    case ROW_HELD_TARGET:
        return check_saved_target(value, direct, err);
    case ROW_WIRE:
        if (value == 0 || (aplic->initialised && vdf_aplic_is_source(aplic, at->i)))
            return 0;
        return vdf_fail(err, EINVAL, "%" PRIu32 " is no source of an initialised device", at->i);
    case ROW_GENMSI:
        return check_saved_bits(value, direct ? 0 : VDF_GENMSI_BITS, err);
    default: /* setip, setie */
        return check_saved_bits(value, word_mask(aplic, at->i), err);
    }
}

static int restore_saved(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    int ret = vdf_aplic_check_saved(at, value, err);

    if (ret == 0)
        vdf_row_store_field(at, value);
    return ret;
}

static int set_sourcecfg(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    vdf_aplic_write_sourcecfg(at->priv, at->i, (uint32_t)value);
    return 0;
}

/*
 * AIA 4.5.16: the target of an inactive source reads as zero, and is unspecified when the source
 * becomes active. Here it is then the value last written, or priority 1 at hart 0 before a write.
 */
static int get_target(const struct vdf_at *at, uint64_t *value)
{
    const struct vdf_aplic *aplic = at->priv;

    if (!vdf_aplic_direct(aplic))
        *value = aplic->sources[at->i].target;
    else if (aplic->sources[at->i].sourcecfg == VDF_SM_INACTIVE)
        *value = 0;
    else
        *value = vdf_aplic_active_target(aplic, at->i);
    return 0;
}

static int set_target(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    vdf_aplic_write_target(at->priv, at->i, (uint32_t)value);
    return 0;
}

static int set_wire(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    return vdf_aplic_wire(at->priv, at->i, value != 0, err);
}

/* Writes a bit of each source whose bit of @value is 1. */
static int write_word(const struct vdf_at *at, uint64_t value,
                      void (*write)(struct vdf_aplic *aplic, uint32_t n, bool bit), bool bit)
{
    for (uint32_t bits = (uint32_t)value; bits != 0; bits &= bits - 1)
        write(at->priv, 32 * at->i + (uint32_t)__builtin_ctz(bits), bit);
    return 0;
}

static int set_setip(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    return write_word(at, value, vdf_aplic_write_pending, true);
}

static int get_in_clrip(const struct vdf_at *at, uint64_t *value)
{
    const struct vdf_aplic *aplic = at->priv;
    uint32_t word = 0;

    for (uint32_t bits = word_mask(aplic, at->i); bits != 0; bits &= bits - 1) {
        uint32_t b = (uint32_t)__builtin_ctz(bits);

        if (vdf_aplic_rectified(aplic, 32 * at->i + b))
            word |= UINT32_C(1) << b;
    }
    *value = word;
    return 0;
}

static int set_in_clrip(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    return write_word(at, value, vdf_aplic_write_pending, false);
}

static int set_setie(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    return write_word(at, value, vdf_aplic_write_enabled, true);
}

static int set_clrie(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    return write_word(at, value, vdf_aplic_write_enabled, false);
}

static int set_setipnum(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    vdf_aplic_write_pending(at->priv, (uint32_t)value, true);
    return 0;
}

static int set_setipnum_be(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    return set_setipnum(at, bswap_32((uint32_t)value), err);
}

static int set_clripnum(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    vdf_aplic_write_pending(at->priv, (uint32_t)value, false);
    return 0;
}

static int set_setienum(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    vdf_aplic_write_enabled(at->priv, (uint32_t)value, true);
    return 0;
}

static int set_clrienum(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    vdf_aplic_write_enabled(at->priv, (uint32_t)value, false);
    return 0;
}

void vdf_aplic_show_sources(const uint32_t *words, uint32_t n_words, struct vdf_buf *out)
{
    const char *separator = "";

    for (uint32_t w = 0; w < n_words; w++)
        vdf_aplic_show_bits(words[w], 32 * w, &separator, out);
}

static void show_pending(const struct vdf_at *at, struct vdf_buf *out)
{
    const struct vdf_aplic *aplic = at->priv;

    vdf_aplic_show_sources(aplic->pending, vdf_aplic_words(aplic), out);
}

static void show_enabled(const struct vdf_at *at, struct vdf_buf *out)
{
    const struct vdf_aplic *aplic = at->priv;

    vdf_aplic_show_sources(aplic->enabled, vdf_aplic_words(aplic), out);
}

/* AIA 4.5.15: without MSIs the register is read-only zero; with them domaincfg.IE has no effect. */
static int set_genmsi(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_aplic *aplic = at->priv;

    if (vdf_aplic_direct(aplic))
        return 0;
    aplic->genmsi = (uint32_t)value & VDF_GENMSI_BITS;
    vdf_aplic_send_genmsi(aplic, aplic->genmsi);
    return 0;
}

/* Nothing before init, so that a copy of the device (tar, rsync) does not run into ENODEV. */
static uint64_t window_size(const struct vdf_at *at)
{
    return vdf_aplic_has_registers(at->priv) ? vdf_aplic_region_size(at->priv) : 0;
}

static int window_ready(const struct vdf_at *at, struct vdf_err *err)
{
    const struct vdf_aplic *aplic = at->priv;

    if (!aplic->initialised)
        return vdf_fail(err, ENODEV, "the device is not initialised; write `init` first");
    if (!vdf_aplic_has_registers(aplic))
        return vdf_fail(err, ENODEV, "with aia/srcs 0 there is no APLIC");
    return 0;
}

/* AIA 4.5: where no register is, reads give zero. KVM's attribute calls have an errno for that. */
static bool reads_zero(const struct vdf_at *at, uint64_t offset)
{
    return vdf_aplic_direct(at->priv) && offset < window_size(at);
}

static const struct vdf_window_ops window_ops = {
    .size = window_size,
    .align = 4,
    .miss = ENODEV,
    .reserved = reads_zero,
    .ready = window_ready,
};

/* --- interrupt files -------------------------------------------------------------------------- */

/* The row's field in the hart: a register, or the first word of eip or eie. */
static uint64_t *imsic_words(const struct vdf_at *at)
{
    return (void *)((char *)hart_at(at) + at->attr->field);
}

static int set_bits(const struct vdf_at *at, uint64_t *word, uint64_t mask, uint64_t value)
{
    const struct vdf_aplic_identities before = vdf_aplic_signalled(hart_at(at));

    *word = (*word & ~mask) | (value & mask);
    vdf_aplic_signal(at->priv, hart_at(at), &before);
    return 0;
}

static int set_imsic(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    return set_bits(at, imsic_words(at), ~at->attr->ro, value);
}

static int get_topei(const struct vdf_at *at, uint64_t *value)
{
    uint32_t top = vdf_aplic_top_identity(hart_at(at));

    *value = top << 16 | top;
    return 0;
}

/* AIA 3.9: a write claims the interrupt that a read reports; the value has no meaning. */
static int set_topei(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_aplic_hart *hart = hart_at(at);
    uint32_t top = vdf_aplic_top_identity(hart);

    if (top)
        hart->eip[top / 64] &= ~(UINT64_C(1) << (top % 64));
    return 0;
}

/*
 * KVM reaches eip and eie of a file in memory with 32-bit atomics: a read is the sign-extended low
 * half, a write replaces the low half. An MSI for an identity of the high half is pending all the
 * same, and `pending` shows it. The register's number is two for each 64 identities; bit 0 of number
 * 0 is no identity.
 */
static int get_half(const struct vdf_at *at, uint64_t *value)
{
    *value = (uint64_t)(int64_t)(int32_t)(uint32_t)imsic_words(at)[at->j / 2];
    return 0;
}

static int set_half(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    uint64_t mask = at->j == 0 ? UINT64_C(0xfffffffe) : UINT64_C(0xffffffff);

    return set_bits(at, imsic_words(at) + at->j / 2, mask, value);
}

static void show_identities(const struct vdf_at *at, struct vdf_buf *out)
{
    vdf_aplic_show_identities(imsic_words(at), vdf_aplic_eix(at->priv), out);
}

static int check_identity(const struct vdf_at *at, const char *line, size_t len,
                          struct vdf_err *err)
{
    uint64_t words[VDF_APLIC_EIX];

    return vdf_aplic_parse_identities(at->priv, line, words, err);
}

/* The identities of the list and no others. */
static int store_identities(const struct vdf_at *at, const char *text, size_t len,
                            struct vdf_err *err)
{
    const struct vdf_aplic_identities before = vdf_aplic_signalled(hart_at(at));
    uint64_t listed[VDF_APLIC_EIX];
    int ret = vdf_aplic_parse_identities(at->priv, text, listed, err);

    if (ret < 0)
        return ret;
    memcpy(imsic_words(at), listed, sizeof(listed));
    vdf_aplic_signal(at->priv, hart_at(at), &before);
    return 0;
}

static int check_identity_0(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    if (at->j == 0 && value & 1)
        return vdf_fail(err, EINVAL, "0x%016" PRIx64 ": there is no interrupt identity 0", value);
    return 0;
}

static int store_signal_msi(const struct vdf_at *at, const char *text, size_t len,
                            struct vdf_err *err)
{
    uint64_t address;
    uint32_t data;
    int ret = vdf_aplic_parse_msi(text, &address, &data, err);

    return ret < 0 ? ret : vdf_aplic_signal_msi(at->priv, address, data, err);
}

/* --- direct delivery -------------------------------------------------------------------------- */

static int get_topi(const struct vdf_at *at, uint64_t *value)
{
    *value = vdf_aplic_topi(at->priv, at->i);
    return 0;
}

static int read_claimi(const struct vdf_at *at, uint64_t *value)
{
    *value = vdf_aplic_claim(at->priv, at->i);
    return 0;
}

/* --- the rows --------------------------------------------------------------------------------- */

/* A member of the device's structure, of a hart's, of a source's. */
#define APLIC(member) VDF_FIELD(struct vdf_aplic, member)
#define HART(member) VDF_FIELD(struct vdf_aplic_hart, member), .locate = hart_at
#define SOURCE(member) VDF_FIELD(struct vdf_aplic_source, member), .locate = source_at

#define HARTS                                        \
    {                                                \
        .counted = count_harts, .text = "0..harts-1" \
    }
#define SOURCES                                                 \
    {                                                           \
        .first = 1, .counted = count_sources, .text = "1..srcs" \
    }
#define WORDS                                        \
    {                                                \
        .counted = count_words, .text = "0..srcs/32" \
    }
#define EIX                                                     \
    {                                                           \
        .step = 2, .counted = count_eix, .text = "0, 2, 4, ..." \
    }
#define EIX_WORDS                                 \
    {                                             \
        .counted = count_eix, .text = "0..ids/64" \
    }

#define CONFIG(name, field, text) \
    VDF_ROW(name, VDF_UINT, VDF_RW | VDF_SAVE, "CONFIG attribute: " text), APLIC(field)
#define WITH_MSIS .shown = has_msis, .needs = "delivery msi"
#define WITH_SOURCES .when = has_registers, .needs = "1 written to init, and sources"
#define WITH_IMSICS .when = has_imsics, .needs = "1 written to init, and delivery msi"

/* A register of the control region (AIA 4.5). */
#define REGION(name, at, more, text)                                                   \
    VDF_ROW(name, VDF_REG, VDF_RW | (more), text), .window = VDF_REGS, .offset = (at), \
                                                   .after = after_write, WITH_SOURCES
/* One of an IDC structure (AIA 4.8.1). */
#define IDC(name, at, more, text)                                                          \
    VDF_ROW("idc/#/" name, VDF_REG, VDF_RW | (more), text),                                \
        .window = VDF_REGS, .offset = VDF_APLIC_SIZE + (at), .stride = VDF_APLIC_IDC_SIZE, \
        .range = { HARTS }, .when = has_idcs, .needs = "1 written to init, and delivery direct"
/* One of an interrupt file (AIA 3.8). */
#define IMSIC(name, type, more, text) VDF_ROW("imsic/#/" name, type, more, text), WITH_IMSICS

static const char *const backends[] = { "soft", "kvm", NULL };
static const char *const deliveries[] = { "msi", "direct", NULL };

/* AIA 4.5.1 */
static const struct vdf_bits domaincfg_bits[] = {
    { "BE", 0, 1, "big-endian registers: always 0" },
    { "DM", 2, 1, "delivery mode: 1 by MSIs" },
    { "IE", 8, 1, "interrupts of the domain are enabled" },
    { 0 },
};

/* AIA 4.5.2 */
static const struct vdf_bits sourcecfg_bits[] = {
    { "SM", 0, 3, "source mode" },
    { "D", 10, 1, "delegated to a child domain: written 1, the register becomes 0" },
    { 0 },
};

/* AIA 4.5.16 */
static const struct vdf_bits target_bits[] = {
    { "EIID", 0, 11, "interrupt identity; with direct delivery bits 0 to 7 are IPRIO" },
    { "Guest_Index", 12, 6, "guest of the hart; with direct delivery 0" },
    { "Hart_Index", 18, 14, "hart" },
    { 0 },
};

/* AIA 4.5.15 */
static const struct vdf_bits genmsi_bits[] = {
    { "EIID", 0, 11, "interrupt identity" },
    { "Busy", 12, 1, "always 0: the MSI is sent at once" },
    { "Hart_Index", 18, 14, "hart" },
    { 0 },
};

/* AIA 3.8.1, 3.8.2, 3.9 */
static const struct vdf_bits eidelivery_bits[] = {
    { "ENABLE", 0, 1, "interrupts are delivered to the hart" },
    { 0 },
};

static const struct vdf_bits eithreshold_bits[] = {
    { "IID", 0, 11, "the lowest identity that is masked; 0: none is" },
    { 0 },
};

static const struct vdf_bits topei_bits[] = {
    { "IPRIO", 0, 11, "priority, which is the identity" },
    { "IID", 16, 11, "interrupt identity" },
    { 0 },
};

/* AIA 4.8.1 */
static const struct vdf_bits idelivery_bits[] = {
    { "ENABLE", 0, 1, "interrupts are delivered to the hart" },
    { 0 },
};

static const struct vdf_bits iforce_bits[] = {
    { "FORCE", 0, 1, "an interrupt is asserted" },
    { 0 },
};

static const struct vdf_bits ithreshold_bits[] = {
    { "IPRIO", 0, 8, "the lowest priority number that is masked; 0: none is" },
    { 0 },
};

static const struct vdf_bits topi_bits[] = {
    { "IPRIO", 0, 8, "priority" },
    { "IID", 16, 10, "source" },
    { 0 },
};

const struct vdf_attr vdf_aplic_rows[N_ROWS] = {
    /* --- before init ------------------------------------------------------------------------ */
    [ROW_BACKEND] = { VDF_ROW("backend", VDF_CHOICE, VDF_RW | VDF_LOCAL,
                              "soft: the model in virtdevfs; kvm: the device of the host's KVM; "
                              "before init"),
                      .width = 1, .choices = backends, .get = get_backend, .check = check_open,
                      .set = set_backend },
    [ROW_DELIVERY] = { VDF_ROW("delivery", VDF_CHOICE, VDF_RW | VDF_SAVE,
                               "msi: MSIs to the IMSICs, as KVM's irqchip; direct: IDC structures; "
                               "before init"),
                       APLIC(delivery), .choices = deliveries, .check = check_delivery },
    [ROW_HARTS] = { VDF_ROW("harts", VDF_UINT, VDF_RW | VDF_SAVE,
                            "number of harts, 0 to 16384, whose ids are 0 and up; before init"),
                    APLIC(n_harts), .max = VDF_APLIC_HARTS, .check = check_open, .set = set_harts,
                    .restore = vdf_restore_by_write },
    [ROW_MODE] = { CONFIG("aia/mode", mode, "0 EMUL, 1 HWACCEL, 2 AUTO"), WITH_MSIS, .reset = 2,
                   .max = 2, .check = check_open },
    [ROW_IDS] = { CONFIG("aia/ids", n_ids, "interrupt identities, 63, 127, 191 or 255"), WITH_MSIS,
                  .reset = 255, .check = check_ids },
    [ROW_SRCS] = { CONFIG("aia/srcs", n_sources,
                          "interrupt sources, 0 to 255; with direct delivery 0 to 1023"),
                   .check = check_sources },
    [ROW_GROUP_BITS] = { CONFIG("aia/group_bits", group_bits,
                                "bits of the group number in IMSIC addresses, 0 to 7"),
                         WITH_MSIS, .max = 7, .check = check_open },
    [ROW_GROUP_SHIFT] = { CONFIG("aia/group_shift", group_shift,
                                 "lowest bit of the group number in IMSIC addresses, 24 to 55"),
                          WITH_MSIS, .reset = 24, .min = 24, .max = 55, .check = check_open },
    [ROW_HART_BITS] = { CONFIG("aia/hart_bits", hart_bits,
                               "bits of the hart number in IMSIC addresses, 0 to 15"),
                        WITH_MSIS, .max = 15, .check = check_open },
    [ROW_GUEST_BITS] = { CONFIG("aia/guest_bits", guest_bits,
                                "bits of the guest number in IMSIC addresses, 0 to 7"),
                         WITH_MSIS, .max = 7, .check = check_open },
    [ROW_APLIC_ADDRESS] = { VDF_ROW(
                                "addr/aplic", VDF_REG, VDF_RW | VDF_SAVE,
                                "ADDR attribute: guest address of the control region; all ones: "
                                "not set"),
                            APLIC(address), .reset = VDF_APLIC_NO_ADDRESS, .check = check_address,
                            .restore = restore_address },
    [ROW_IMSIC_ADDRESS] = { VDF_ROW("addr/imsic/#", VDF_REG, VDF_RW | VDF_SAVE,
                                    "ADDR attribute: guest address of the hart's IMSIC page; all "
                                    "ones: not set"),
                            WITH_MSIS, HART(address), .range = { HARTS },
                            .reset = VDF_APLIC_NO_ADDRESS, .check = check_address,
                            .restore = restore_address },
    [ROW_INIT] = { VDF_ROW("init", VDF_UINT, VDF_W,
                           "CTRL attribute: any number initialises the device, once"),
                   .width = 8, .set = set_init },
    [ROW_INITIALISED] = { VDF_ROW("initialised", VDF_BOOL, VDF_NO_FILE | VDF_SAVE,
                                  "1 from init on"),
                          APLIC(initialised), .restore = restore_initialised },

    /* --- the control region ----------------------------------------------------------------- */
    [ROW_DOMAINCFG] = { REGION("domaincfg", VDF_APLIC_DOMAINCFG, VDF_SAVE, "domain configuration"),
                        APLIC(domaincfg), .bits = domaincfg_bits,
                        .ro = UINT32_MAX & ~VDF_DOMAINCFG_IE, .restore = restore_saved },
    [ROW_SOURCECFG] = { REGION("sourcecfg/#", VDF_APLIC_SOURCECFG + 4, VDF_SAVE,
                               "source mode: 0 inactive, 1 detached, 4 and 5 rising and falling "
                               "edge, 6 and 7 high and low level"),
                        .stride = 4, SOURCE(sourcecfg), .range = { SOURCES },
                        .bits = sourcecfg_bits, .set = set_sourcecfg, .restore = restore_saved },
    [ROW_TARGET] = { REGION("target/#", VDF_APLIC_TARGET + 4, 0,
                            "destination of a source's interrupts"),
                     .width = 4, .stride = 4, .range = { SOURCES }, .bits = target_bits,
                     .get = get_target, .set = set_target },
    [ROW_HELD_TARGET] = { VDF_ROW("held_target/#", VDF_REG, VDF_NO_FILE | VDF_SAVE,
                                  "target register, also of a source that is inactive in direct "
                                  "delivery"),
                          WITH_SOURCES, SOURCE(target), .range = { SOURCES },
                          .check = vdf_aplic_check_saved },
    [ROW_WIRE] = { VDF_ROW("wire/#", VDF_BOOL, VDF_RW | VDF_SAVE,
                           "input line of a source: a write is KVM_IRQ_LINE, a read gives the last "
                           "level"),
                   SOURCE(input),
                   .range = { { .first = 1,
                                .count = VDF_APLIC_WIRES,
                                .used = count_sources,
                                .text = "1..1023" } },
                   .set = set_wire, .restore = restore_saved },
    [ROW_SETIP] = { REGION("setip/#", VDF_APLIC_SETIP, VDF_SAVE,
                           "pending bits of 32 sources; 1 bits set them"),
                    .stride = 4, VDF_ARRAY(struct vdf_aplic, pending), .range = { WORDS },
                    .set = set_setip, .restore = restore_saved },
    [ROW_SETIPNUM] = { REGION("setipnum", VDF_APLIC_SETIPNUM, 0,
                              "set the pending bit of a source by its number; reads 0"),
                       .width = 4, .set = set_setipnum },
    [ROW_IN_CLRIP] = { REGION("in_clrip/#", VDF_APLIC_IN_CLRIP, 0,
                              "rectified inputs of 32 sources; 1 bits clear pending bits"),
                       .width = 4, .stride = 4, .range = { WORDS }, .get = get_in_clrip,
                       .set = set_in_clrip },
    [ROW_CLRIPNUM] = { REGION("clripnum", 0x1ddc, 0,
                              "clear the pending bit of a source by its number; reads 0"),
                       .width = 4, .set = set_clripnum },
    [ROW_SETIE] = { REGION("setie/#", VDF_APLIC_SETIE, VDF_SAVE,
                           "enable bits of 32 sources; 1 bits set them"),
                    .stride = 4, VDF_ARRAY(struct vdf_aplic, enabled), .range = { WORDS },
                    .set = set_setie, .restore = restore_saved },
    [ROW_SETIENUM] = { REGION("setienum", 0x1edc, 0,
                              "set the enable bit of a source by its number; reads 0"),
                       .width = 4, .set = set_setienum },
    [ROW_CLRIE] = { REGION("clrie/#", 0x1f00, 0, "1 bits clear enable bits of 32 sources; reads 0"),
                    .width = 4, .stride = 4, .range = { WORDS }, .set = set_clrie },
    [ROW_CLRIENUM] = { REGION("clrienum", 0x1fdc, 0,
                              "clear the enable bit of a source by its number; reads 0"),
                       .width = 4, .set = set_clrienum },
    [ROW_SETIPNUM_LE] = { REGION("setipnum_le", 0x2000, 0, "as setipnum, always little-endian"),
                          .width = 4, .set = set_setipnum },
    [ROW_SETIPNUM_BE] = { REGION("setipnum_be", 0x2004, 0,
                                 "as setipnum, with the bytes of the number reversed"),
                          .width = 4, .set = set_setipnum_be },
    [ROW_GENMSI] = { REGION("genmsi", VDF_APLIC_GENMSI, VDF_SAVE,
                            "send an MSI at once; reads the value last written"),
                     APLIC(genmsi), .bits = genmsi_bits, .set = set_genmsi,
                     .restore = restore_saved },
    [ROW_PENDING] = { VDF_ROW("pending", VDF_TEXT, VDF_R, "numbers of the pending sources"),
                      WITH_SOURCES, .show = show_pending },
    [ROW_ENABLED] = { VDF_ROW("enabled", VDF_TEXT, VDF_R, "numbers of the enabled sources"),
                      WITH_SOURCES, .show = show_enabled },

    /* --- interrupt files -------------------------------------------------------------------- */
    [ROW_EIDELIVERY] = { IMSIC("eidelivery", VDF_REG, VDF_RW | VDF_SAVE,
                               "interrupt delivery of the hart's interrupt file: with "
                               "bit 0 clear no interrupt is signalled to the hart"),
                         HART(eidelivery), .range = { HARTS }, .bits = eidelivery_bits,
                         .ro = ~UINT64_C(1), .set = set_imsic, .restore = vdf_restore_by_write },
    [ROW_EITHRESHOLD] = { IMSIC("eithreshold", VDF_REG, VDF_RW | VDF_SAVE,
                                "identities from this one up are not signalled to "
                                "the hart; 0: all are"),
                          HART(eithreshold), .range = { HARTS }, .bits = eithreshold_bits,
                          .ro = ~UINT64_C(0x7ff), .set = set_imsic,
                          .restore = vdf_restore_by_write },
    [ROW_TOPEI] = { VDF_ROW("imsic/#/topei", VDF_REG, VDF_RW,
                            "soft: the lowest identity that is pending, enabled and below the "
                            "threshold; 0: none; a write of any number claims the identity, as a "
                            "write of the CSR does"),
                    .width = 8, .when = has_topei,
                    .needs = "1 written to init, delivery msi and backend soft", .range = { HARTS },
                    .bits = topei_bits, .get = get_topei, .set = set_topei },
    [ROW_IMSIC_PENDING] = { VDF_ROW("imsic/#/pending", VDF_TEXT, VDF_RW | VDF_LIST,
                                    "pending interrupt identities, one a line; a write replaces "
                                    "them all"),
                            WITH_IMSICS, .range = { HARTS },
                            .field = offsetof(struct vdf_aplic_hart, eip), .show = show_identities,
                            .store = store_identities, .check_line = check_identity },
    [ROW_IMSIC_ENABLED] = { VDF_ROW("imsic/#/enabled", VDF_TEXT, VDF_RW | VDF_LIST,
                                    "enabled interrupt identities, one a line; a write replaces "
                                    "them all"),
                            WITH_IMSICS, .range = { HARTS },
                            .field = offsetof(struct vdf_aplic_hart, eie), .show = show_identities,
                            .store = store_identities, .check_line = check_identity },
    [ROW_EIP] = { IMSIC("eip/#", VDF_REG, VDF_RW,
                        "pending bits as KVM's attribute has them: the low 32 of 64 "
                        "identities, sign-extended"),
                  .width = 8, .field = offsetof(struct vdf_aplic_hart, eip),
                  .range = { HARTS, EIX }, .get = get_half, .set = set_half },
    [ROW_EIE] = { IMSIC("eie/#", VDF_REG, VDF_RW,
                        "enable bits as KVM's attribute has them: the low 32 of 64 "
                        "identities, sign-extended"),
                  .width = 8, .field = offsetof(struct vdf_aplic_hart, eie),
                  .range = { HARTS, EIX }, .get = get_half, .set = set_half },
    [ROW_HELD_EIP] = { IMSIC("held_eip/#", VDF_REG, VDF_NO_FILE | VDF_SAVE,
                             "pending bits of 64 interrupt identities"),
                       VDF_FIELD(struct vdf_aplic_hart, eip[0]), .locate = hart_word_at,
                       .range = { HARTS, EIX_WORDS }, .check = check_identity_0 },
    [ROW_HELD_EIE] = { IMSIC("held_eie/#", VDF_REG, VDF_NO_FILE | VDF_SAVE,
                             "enable bits of 64 interrupt identities"),
                       VDF_FIELD(struct vdf_aplic_hart, eie[0]), .locate = hart_word_at,
                       .range = { HARTS, EIX_WORDS }, .check = check_identity_0 },
    [ROW_SIGNAL_MSI] = { VDF_ROW("signal_msi", VDF_TEXT, VDF_W,
                                 "ADDRESS DATA: KVM_SIGNAL_MSI, an MSI as from a device"),
                         .when = has_msis, .needs = "delivery msi", .store = store_signal_msi },
    [ROW_MSI] = { VDF_ROW("msi", VDF_LOG, VDF_R,
                          "one line an MSI: hart index, guest, identity, delivered or dropped"),
                  WITH_MSIS, APLIC(msi_log) },

    /* --- direct delivery -------------------------------------------------------------------- */
    [ROW_IDELIVERY] = { IDC("idelivery", 0x00, VDF_SAVE, "1 delivers interrupts to the hart"),
                        HART(idelivery), .bits = idelivery_bits, .ro = UINT32_MAX & ~1u,
                        .after = after_write, .restore = vdf_restore_by_write },
    [ROW_IFORCE] = { IDC("iforce", 0x04, VDF_SAVE,
                         "1 asserts the hart's interrupt; a claim that finds none clears it"),
                     HART(iforce), .bits = iforce_bits, .ro = UINT32_MAX & ~1u,
                     .after = after_write, .restore = vdf_restore_by_write },
    [ROW_ITHRESHOLD] = { IDC("ithreshold", 0x08, VDF_SAVE,
                             "priority numbers from this one up do not interrupt the hart; 0: all "
                             "do"),
                         HART(ithreshold), .bits = ithreshold_bits,
                         .ro = UINT32_MAX & ~VDF_TARGET_IPRIO, .after = after_write,
                         .restore = vdf_restore_by_write },
    [ROW_TOPI] = { IDC("topi", 0x18, 0, "the hart's top interrupt; writes are ignored"), .width = 4,
                   .bits = topi_bits, .get = get_topi },
    [ROW_CLAIMI] = { IDC("claimi", VDF_APLIC_CLAIMI, 0,
                         "as topi; a read through regs claims the interrupt; writes are ignored"),
                     .width = 4, .bits = topi_bits, .get = get_topi, .read_side = read_claimi },

    [ROW_REGS] = { VDF_ROW("regs", VDF_WINDOW, VDF_RW,
                           "the control region, from offset 0x4000 on the IDC structures"),
                   .window = VDF_REGS, .window_ops = &window_ops },
};
