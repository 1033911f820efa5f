/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hooks of the control region's registers. A file's write, a write through `regs` and a guest's
 * store are one and the same; restoring a state puts the stored bits back and delivers nothing.
 */
#include <byteswap.h>
#include <errno.h>
#include <inttypes.h>

#include "aplic.h"

/* After every write KVM looks at all sources again. */
static int written(struct vdf_aplic *aplic)
{
    vdf_aplic_update(aplic);
    return 0;
}

int vdf_aplic_get_zero(const struct vdf_at *at, uint64_t *value)
{
    *value = 0;
    return 0;
}

int vdf_aplic_set_nothing(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    return 0;
}

/* A saved register has no bits but those that a write can leave in it. */
int vdf_aplic_check_bits(uint64_t value, uint64_t bits, struct vdf_err *err)
{
    if (value & ~bits)
        return vdf_fail(err, EINVAL, "0x%08" PRIx64 ": only the bits 0x%08" PRIx64 " can be set",
                        value, bits);
    return 0;
}

/* --- domaincfg -------------------------------------------------------------------------------- */

static uint32_t domaincfg_base(const struct vdf_aplic *aplic)
{
    return VDF_DOMAINCFG_BASE | (vdf_aplic_direct(aplic) ? 0 : VDF_DOMAINCFG_DM);
}

int vdf_aplic_get_domaincfg(const struct vdf_at *at, uint64_t *value)
{
    const struct vdf_aplic *aplic = at->priv;

    *value = domaincfg_base(aplic) | aplic->interrupt_enable;
    return 0;
}

int vdf_aplic_set_domaincfg(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_aplic *aplic = at->priv;

    aplic->interrupt_enable = value & VDF_DOMAINCFG_IE;
    return written(aplic);
}

int vdf_aplic_restore_domaincfg(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_aplic *aplic = at->priv;
    uint32_t base = domaincfg_base(aplic);

    if ((value & ~(uint64_t)VDF_DOMAINCFG_IE) != base)
        return vdf_fail(err, EINVAL, "0x%08" PRIx64 ": it is 0x%08" PRIx32 " or 0x%08" PRIx32,
                        value, base, base | VDF_DOMAINCFG_IE);
    aplic->interrupt_enable = value & VDF_DOMAINCFG_IE;
    return 0;
}

/* --- sourcecfg, target ------------------------------------------------------------------------ */

int vdf_aplic_get_sourcecfg(const struct vdf_at *at, uint64_t *value)
{
    const struct vdf_aplic *aplic = at->priv;

    *value = aplic->sourcecfg[at->i];
    return 0;
}

int vdf_aplic_set_sourcecfg(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_aplic *aplic = at->priv;

    vdf_aplic_write_sourcecfg(aplic, at->i, (uint32_t)value);
    return written(aplic);
}

int vdf_aplic_restore_sourcecfg(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_aplic *aplic = at->priv;
    int ret = vdf_aplic_check_bits(value, VDF_SOURCECFG_SM, err);

    if (ret == 0)
        aplic->sourcecfg[at->i] = (uint8_t)value;
    return ret;
}

/*
 * AIA 4.5.16: the target of an inactive source reads as zero, and is unspecified when the source
 * becomes active. Here it is then what was last written, or priority 1 at hart 0 if nothing was.
 */
int vdf_aplic_get_target(const struct vdf_at *at, uint64_t *value)
{
    const struct vdf_aplic *aplic = at->priv;

    if (!vdf_aplic_direct(aplic))
        *value = aplic->target[at->i];
    else if (aplic->sourcecfg[at->i] == VDF_SM_INACTIVE)
        *value = 0;
    else
        *value = aplic->target[at->i] ? aplic->target[at->i] : 1;
    return 0;
}

int vdf_aplic_set_target(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_aplic *aplic = at->priv;

    vdf_aplic_write_target(aplic, at->i, (uint32_t)value);
    return written(aplic);
}

int vdf_aplic_get_held_target(const struct vdf_at *at, uint64_t *value)
{
    const struct vdf_aplic *aplic = at->priv;

    *value = aplic->target[at->i];
    return 0;
}

int vdf_aplic_restore_held_target(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_aplic *aplic = at->priv;
    bool direct = vdf_aplic_direct(aplic);
    int ret =
        vdf_aplic_check_bits(value, direct ? VDF_TARGET_DIRECT_BITS : VDF_TARGET_MSI_BITS, err);

    if (ret < 0)
        return ret;
    if (direct && value != 0 && (value & VDF_TARGET_IPRIO) == 0)
        return vdf_fail(err, EINVAL, "0x%08" PRIx64 ": priorities are 1 to 255", value);
    aplic->target[at->i] = (uint32_t)value;
    return 0;
}

/* --- pending and enable bits ------------------------------------------------------------------ */

static int restore_word(const struct vdf_at *at, uint32_t *words, uint64_t value,
                        struct vdf_err *err)
{
    int ret = vdf_aplic_check_bits(value, vdf_aplic_word_mask(at->priv, at->i), err);

    if (ret == 0)
        words[at->i] = (uint32_t)value;
    return ret;
}

int vdf_aplic_get_setip(const struct vdf_at *at, uint64_t *value)
{
    const struct vdf_aplic *aplic = at->priv;

    *value = aplic->pending[at->i];
    return 0;
}

static void write_pending_word(const struct vdf_at *at, uint64_t value, bool pending)
{
    for (uint32_t bits = (uint32_t)value; bits != 0; bits &= bits - 1)
        vdf_aplic_write_pending(at->priv, 32 * at->i + (uint32_t)__builtin_ctz(bits), pending);
}

static void write_enabled_word(const struct vdf_at *at, uint64_t value, bool enabled)
{
    for (uint32_t bits = (uint32_t)value; bits != 0; bits &= bits - 1)
        vdf_aplic_write_enabled(at->priv, 32 * at->i + (uint32_t)__builtin_ctz(bits), enabled);
}

int vdf_aplic_set_setip(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    write_pending_word(at, value, true);
    return written(at->priv);
}

int vdf_aplic_restore_setip(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_aplic *aplic = at->priv;

    return restore_word(at, aplic->pending, value, err);
}

int vdf_aplic_get_in_clrip(const struct vdf_at *at, uint64_t *value)
{
    const struct vdf_aplic *aplic = at->priv;
    uint32_t word = 0;

    for (uint32_t bits = vdf_aplic_word_mask(aplic, at->i); bits != 0; bits &= bits - 1) {
        uint32_t b = (uint32_t)__builtin_ctz(bits);

        if (vdf_aplic_rectified(aplic, 32 * at->i + b))
            word |= UINT32_C(1) << b;
    }
    *value = word;
    return 0;
}

int vdf_aplic_set_in_clrip(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    write_pending_word(at, value, false);
    return written(at->priv);
}

int vdf_aplic_get_setie(const struct vdf_at *at, uint64_t *value)
{
    const struct vdf_aplic *aplic = at->priv;

    *value = aplic->enabled[at->i];
    return 0;
}

int vdf_aplic_set_setie(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    write_enabled_word(at, value, true);
    return written(at->priv);
}

int vdf_aplic_restore_setie(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_aplic *aplic = at->priv;

    return restore_word(at, aplic->enabled, value, err);
}

int vdf_aplic_set_clrie(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    write_enabled_word(at, value, false);
    return written(at->priv);
}

int vdf_aplic_set_setipnum(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    vdf_aplic_write_pending(at->priv, (uint32_t)value, true);
    return written(at->priv);
}

int vdf_aplic_set_setipnum_be(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    return vdf_aplic_set_setipnum(at, bswap_32((uint32_t)value), err);
}

int vdf_aplic_set_clripnum(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    vdf_aplic_write_pending(at->priv, (uint32_t)value, false);
    return written(at->priv);
}

int vdf_aplic_set_setienum(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    vdf_aplic_write_enabled(at->priv, (uint32_t)value, true);
    return written(at->priv);
}

int vdf_aplic_set_clrienum(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    vdf_aplic_write_enabled(at->priv, (uint32_t)value, false);
    return written(at->priv);
}

void vdf_aplic_show_sources(const uint32_t *words, uint32_t n_words, struct vdf_buf *out)
{
    const char *separator = "";

    for (uint32_t w = 0; w < n_words; w++)
        for (uint32_t bits = words[w]; bits != 0; bits &= bits - 1) {
            vdf_buf_printf(out, "%s%d", separator, 32 * (int)w + __builtin_ctz(bits));
            separator = "\n";
        }
}

void vdf_aplic_show_pending(const struct vdf_at *at, struct vdf_buf *out)
{
    const struct vdf_aplic *aplic = at->priv;

    vdf_aplic_show_sources(aplic->pending, vdf_aplic_words(aplic), out);
}

void vdf_aplic_show_enabled(const struct vdf_at *at, struct vdf_buf *out)
{
    const struct vdf_aplic *aplic = at->priv;

    vdf_aplic_show_sources(aplic->enabled, vdf_aplic_words(aplic), out);
}

/* --- genmsi ----------------------------------------------------------------------------------- */

int vdf_aplic_get_genmsi(const struct vdf_at *at, uint64_t *value)
{
    const struct vdf_aplic *aplic = at->priv;

    *value = aplic->genmsi;
    return 0;
}

int vdf_aplic_set_genmsi(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_aplic *aplic = at->priv;

    /* AIA 4.5.15: read-only zero without MSIs, and whatever domaincfg.IE is with them. */
    if (vdf_aplic_direct(aplic))
        return 0;
    aplic->genmsi = (uint32_t)value & VDF_GENMSI_BITS;
    vdf_aplic_send_msi(aplic, aplic->genmsi >> VDF_TARGET_HART_SHIFT, 0,
                       aplic->genmsi & VDF_TARGET_EIID);
    return written(aplic);
}

int vdf_aplic_restore_genmsi(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_aplic *aplic = at->priv;
    int ret = vdf_aplic_check_bits(value, vdf_aplic_direct(aplic) ? 0 : VDF_GENMSI_BITS, err);

    if (ret == 0)
        aplic->genmsi = (uint32_t)value;
    return ret;
}

/* --- wires ------------------------------------------------------------------------------------ */

int vdf_aplic_get_wire(const struct vdf_at *at, uint64_t *value)
{
    const struct vdf_aplic *aplic = at->priv;

    *value = vdf_aplic_is_source(aplic, at->i) && vdf_aplic_bit(aplic->input, at->i);
    return 0;
}

int vdf_aplic_set_wire(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    return vdf_aplic_wire(at->priv, at->i, value != 0, err);
}

int vdf_aplic_check_wire(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_aplic *aplic = at->priv;

    if (value == 0 || (aplic->initialised && vdf_aplic_is_source(aplic, at->i)))
        return 0;
    return vdf_fail(err, EINVAL, "%" PRIu32 " is no source of an initialised device", at->i);
}

int vdf_aplic_restore_wire(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_aplic *aplic = at->priv;
    int ret = vdf_aplic_check_wire(at, value, err);

    if (ret == 0 && value)
        vdf_aplic_put_bit(aplic->input, at->i, true);
    return ret;
}

/* --- the window ------------------------------------------------------------------------------- */

/* Nothing before init, so that a copy of the device (tar, rsync) does not run into ENODEV. */
static uint64_t window_size(const struct vdf_at *at)
{
    const struct vdf_aplic *aplic = at->priv;

    if (!vdf_aplic_has_registers(aplic))
        return 0;
    return VDF_APLIC_SIZE +
           (vdf_aplic_direct(aplic) ? (uint64_t)aplic->n_harts * VDF_APLIC_IDC_SIZE : 0);
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

/* AIA 4.5: what is no register is read-only zero. KVM's attribute calls have an errno for it. */
static bool reads_zero(const struct vdf_at *at, uint64_t offset)
{
    return vdf_aplic_direct(at->priv) && offset < window_size(at);
}

const struct vdf_window_ops vdf_aplic_window_ops = {
    .size = window_size,
    .align = 4,
    .miss = ENODEV,
    .reserved = reads_zero,
    .ready = window_ready,
};

int vdf_aplic_mmio_read(struct vdf_obj *obj, uint64_t offset, unsigned width, uint64_t *value)
{
    if (width != 4)
        return -EOPNOTSUPP;
    return vdf_window_read(obj, VDF_REGS, offset, width, false, value, NULL);
}

int vdf_aplic_mmio_write(struct vdf_obj *obj, uint64_t offset, unsigned width, uint64_t value)
{
    if (width != 4)
        return -EOPNOTSUPP;
    return vdf_window_write(obj, VDF_REGS, offset, width, value, NULL);
}
