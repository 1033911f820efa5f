/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rows of the table that the kernel's device answers for.
 *
 * Three things the kernel does not tell, and how they are found out without a second model. All of
 * it is unseen by anybody: no vCPU runs, and the device's lock is held.
 *
 *   MSIs that sources send   domaincfg.IE is 0 during every write: what is pending and enabled
 *                            afterwards is what the kernel sends, in order of the sources, when IE
 *                            is 1 again
 *   level of an inactive     in_clrip has it while the source is detached for a moment: a write of
 *   source's wire            sourcecfg touches nothing else
 *   where an MSI goes        the model's interrupt files take it as well, by the kernel's
 *                            addresses: from there come the line in the log and the identities 32
 *                            to 63 of each 64, which the kernel's attributes leave out (imsic.c)
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>

#include "kvm.h"

#define LOW_IDENTITIES UINT64_C(0x00000000ffffffff) /* of 64, that attributes reach */
#define N_CONFIG 7u

struct row {
    const char *path;
    uint64_t attr; /* the number in its group, where that is not worked out */
    struct vdf_hooks hooks;
};

static const struct row *find_row(const struct vdf_attr *attr);

static const struct vdf_kvm *kvm_of(const struct vdf_at *at)
{
    return ((const struct vdf_aplic *)at->priv)->kvm;
}

static int answers(struct vdf_err *err, uint64_t value, int ret)
{
    return vdf_fail(err, -ret, "0x%" PRIx64 ": KVM answers %s", value, vdf_errno_name(-ret));
}

/* --- what is set before init ------------------------------------------------------------------ */

static uint32_t *config_field(struct vdf_aplic *aplic, unsigned n)
{
    uint32_t *const fields[N_CONFIG] = {
        &aplic->mode,        &aplic->n_ids,     &aplic->n_sources,  &aplic->group_bits,
        &aplic->group_shift, &aplic->hart_bits, &aplic->guest_bits,
    };

    return fields[n];
}

/* Copies the attributes to the model, before the model or another device takes them over. */
static int pull(struct vdf_aplic *aplic, struct vdf_err *err)
{
    uint64_t value;
    int ret = 0;

    for (unsigned n = 0; ret == 0 && n < N_CONFIG; n++) {
        ret = vdf_kvm_get(aplic->kvm, VDF_KVM_CONFIG, n, &value);
        if (ret == 0)
            *config_field(aplic, n) = (uint32_t)value;
    }
    if (ret == 0)
        ret = vdf_kvm_get(aplic->kvm, VDF_KVM_ADDR, 0, &aplic->address);
    for (uint32_t h = 0; ret == 0 && h < aplic->n_harts; h++)
        ret = vdf_kvm_get(aplic->kvm, VDF_KVM_ADDR, 1 + h, &aplic->harts[h].address);
    return ret < 0 ? vdf_fail(err, -ret, "an attribute cannot be read: KVM answers %s",
                              vdf_errno_name(-ret))
                   : 0;
}

static int push_one(const struct vdf_kvm *kvm, enum vdf_kvm_group group, uint64_t attr,
                    uint64_t value, struct vdf_err *err)
{
    uint64_t now;
    int ret = vdf_kvm_get(kvm, group, attr, &now);

    if (ret == 0 && now != value)
        ret = vdf_kvm_set(kvm, group, attr, value);
    if (ret < 0)
        return vdf_fail(err, -ret,
                        "the host's device does not take 0x%" PRIx64 " as attribute %" PRIu64
                        " of %s: KVM answers %s",
                        value, attr, group == VDF_KVM_CONFIG ? "aia/ (CONFIG)" : "addr/ (ADDR)",
                        vdf_errno_name(-ret));
    return 0;
}

/* Gives a new device what was set. The mode that nobody has set is the host's. */
static int push(struct vdf_aplic *aplic, const struct vdf_kvm *kvm, uint32_t harts,
                struct vdf_err *err)
{
    const struct vdf_attr *mode = vdf_obj_row(aplic->priv.obj, "aia/mode");
    int ret = 0;

    for (unsigned n = 0; ret == 0 && n < N_CONFIG; n++)
        if (n != 0 || aplic->mode != mode->reset)
            ret = push_one(kvm, VDF_KVM_CONFIG, n, *config_field(aplic, n), err);
    if (ret == 0)
        ret = push_one(kvm, VDF_KVM_ADDR, 0, aplic->address, err);
    for (uint32_t h = 0; ret == 0 && h < harts && h < aplic->n_harts; h++)
        ret = push_one(kvm, VDF_KVM_ADDR, 1 + h, aplic->harts[h].address, err);
    return ret;
}

int vdf_aplic_kvm_rebuild(struct vdf_aplic *aplic, uint32_t harts, struct vdf_err *err)
{
    struct vdf_kvm *kvm;
    int ret = aplic->kvm ? pull(aplic, err) : 0;

    if (ret == 0)
        ret = vdf_kvm_make(harts, &kvm, err);
    if (ret < 0)
        return ret;
    ret = push(aplic, kvm, harts, err);
    if (ret == 0)
        ret = vdf_aplic_set_harts(aplic, harts, err);
    if (ret < 0) {
        vdf_kvm_free(kvm);
        return ret;
    }
    vdf_kvm_free(aplic->kvm);
    aplic->kvm = kvm;
    aplic->priv.backend = vdf_aplic_kvm_backend();
    return 0;
}

int vdf_aplic_kvm_leave(struct vdf_aplic *aplic, struct vdf_err *err)
{
    int ret = pull(aplic, err);

    if (ret < 0)
        return ret;
    vdf_kvm_free(aplic->kvm);
    aplic->kvm = NULL;
    aplic->priv.backend = NULL;
    return 0;
}

/* The model's sentence, where it refuses the value for the same reason. */
static int written(const struct vdf_at *at, uint64_t value, int ret, struct vdf_err *err)
{
    if (ret == 0 || at->attr->check(at, value, err) == ret)
        return ret;
    return answers(err, value, ret);
}

static int get_config(const struct vdf_at *at, uint64_t *value)
{
    return vdf_kvm_get(kvm_of(at), VDF_KVM_CONFIG, find_row(at->attr)->attr, value);
}

static int set_config(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    int ret = vdf_kvm_set(kvm_of(at), VDF_KVM_CONFIG, find_row(at->attr)->attr, value);

    return written(at, value, ret, err);
}

static uint64_t address_number(const struct vdf_at *at)
{
    return find_row(at->attr)->attr + at->i;
}

static int get_address(const struct vdf_at *at, uint64_t *value)
{
    return vdf_kvm_get(kvm_of(at), VDF_KVM_ADDR, address_number(at), value);
}

static int set_address(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    int ret = vdf_kvm_set(kvm_of(at), VDF_KVM_ADDR, address_number(at), value);

    return written(at, value, ret, err);
}

static int restore_address(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    /* Not set, as in a new device; no write can say so. */
    return value == VDF_APLIC_NO_ADDRESS ? 0 : set_address(at, value, err);
}

static int set_harts(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    int ret = vdf_aplic_check_harts(at, value, err);

    /* A VM does not lose vCPUs again: it is another one then. */
    return ret < 0 ? ret : vdf_aplic_kvm_rebuild(at->priv, (uint32_t)value, err);
}

static int set_delivery(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    int ret = vdf_aplic_check_open(at, value, err);

    if (ret == 0 && value == VDF_APLIC_DIRECT)
        return vdf_fail(err, EOPNOTSUPP,
                        "direct: KVM's device has MSIs only; backend `soft` has direct delivery");
    return ret;
}

static int set_init(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_aplic *aplic = at->priv;
    int ret = pull(aplic, err);

    if (ret < 0)
        return ret;
    ret = vdf_kvm_set(aplic->kvm, VDF_KVM_CTRL, 0, 0);
    if (ret == 0) {
        vdf_aplic_initialise(aplic);
        return 0;
    }
    return vdf_aplic_check_init(aplic, err) == ret ? ret : answers(err, value, ret);
}

static int restore_initialised(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    return value ? set_init(at, value, err) : 0;
}

/* --- registers -------------------------------------------------------------------------------- */

static int get_word(const struct vdf_aplic *aplic, uint64_t offset, uint32_t *word)
{
    uint64_t value = 0;
    int ret = vdf_kvm_get(aplic->kvm, VDF_KVM_APLIC, offset, &value);

    *word = (uint32_t)value;
    return ret;
}

static int set_word(const struct vdf_aplic *aplic, uint64_t offset, uint64_t value)
{
    return vdf_kvm_set(aplic->kvm, VDF_KVM_APLIC, offset, value);
}

/* Sources that are pending and enabled: with interrupts let through the kernel sends them. Those
 * that were found before an error stand in @due. */
static int find_due(const struct vdf_aplic *aplic, uint32_t due[VDF_APLIC_WORDS])
{
    int ret = 0;

    for (uint32_t w = 0; ret == 0 && w < vdf_aplic_words(aplic); w++) {
        uint32_t pending, enabled;

        ret = get_word(aplic, VDF_APLIC_SETIP + 4 * w, &pending);
        if (ret == 0)
            ret = get_word(aplic, VDF_APLIC_SETIE + 4 * w, &enabled);
        if (ret == 0)
            due[w] = pending & enabled;
    }
    return ret;
}

/* The kernel has sent them. One whose target cannot be read is no reason to leave out the others.
 */
static int take_sent(struct vdf_aplic *aplic, const uint32_t due[VDF_APLIC_WORDS])
{
    int first = 0;

    for (uint32_t w = 0; w < vdf_aplic_words(aplic); w++)
        for (uint32_t bits = due[w]; bits != 0; bits &= bits - 1) {
            uint32_t n = 32 * w + (uint32_t)__builtin_ctz(bits), target;
            int ret = get_word(aplic, VDF_APLIC_TARGET + 4 * n, &target);

            if (ret == 0)
                vdf_aplic_send_msi(aplic, target >> VDF_TARGET_HART_SHIFT,
                                   target >> VDF_TARGET_GUEST_SHIFT & VDF_TARGET_GUEST_MASK,
                                   target & VDF_TARGET_EIID);
            else if (first == 0)
                first = ret;
        }
    return first;
}

/*
 * domaincfg takes its place again, or a new value, whatever else fails: interrupts that are held
 * back would be so for ever. The first error is returned: what the kernel has sent then may not all
 * be in `msi`.
 */
static int let_through(struct vdf_aplic *aplic, uint32_t domaincfg)
{
    uint32_t due[VDF_APLIC_WORDS] = { 0 };
    int found = domaincfg & VDF_DOMAINCFG_IE ? find_due(aplic, due) : 0;
    int ret = set_word(aplic, VDF_APLIC_DOMAINCFG, domaincfg);

    if (ret == 0)
        ret = take_sent(aplic, due);
    return found < 0 ? found : ret;
}

/* The first half of an operation that may make sources pending or enabled. */
static int hold_back(struct vdf_aplic *aplic, uint32_t *domaincfg)
{
    int ret = get_word(aplic, VDF_APLIC_DOMAINCFG, domaincfg);

    if (ret < 0 || !(*domaincfg & VDF_DOMAINCFG_IE))
        return ret;
    return set_word(aplic, VDF_APLIC_DOMAINCFG, 0);
}

static int write_register(struct vdf_aplic *aplic, uint64_t offset, uint64_t value)
{
    uint32_t domaincfg;
    int done = 0, ret = hold_back(aplic, &domaincfg);

    if (ret < 0)
        return ret;
    if (offset == VDF_APLIC_DOMAINCFG)
        return let_through(aplic, (uint32_t)value);

    done = set_word(aplic, offset, value);
    /* At once, whatever domaincfg.IE is (AIA 4.5.15). */
    if (done == 0 && offset == VDF_APLIC_GENMSI)
        vdf_aplic_send_msi(aplic, (uint32_t)value >> VDF_TARGET_HART_SHIFT, 0,
                           (uint32_t)value & VDF_TARGET_EIID);
    if (domaincfg & VDF_DOMAINCFG_IE)
        ret = let_through(aplic, domaincfg);
    return done < 0 ? done : ret;
}

static uint64_t register_offset(const struct vdf_at *at)
{
    return at->attr->offset + at->attr->stride * (at->i - at->attr->range[0].first);
}

static int get_register(const struct vdf_at *at, uint64_t *value)
{
    return vdf_kvm_get(kvm_of(at), VDF_KVM_APLIC, register_offset(at), value);
}

static int set_register(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    int ret = write_register(at->priv, register_offset(at), value);

    return ret < 0 ? answers(err, value, ret) : 0;
}

/* An access through `regs`, at an offset that the caller has chosen. */
static int accessed(const struct vdf_at *at, uint64_t offset, int ret, struct vdf_err *err)
{
    if (ret == 0 || at->attr->window_ops->ready(at, err) == ret)
        return ret;
    return vdf_fail(err, -ret, "offset 0x%" PRIx64 ": KVM answers %s", offset,
                    vdf_errno_name(-ret));
}

static int read_window(const struct vdf_at *at, uint64_t offset, uint64_t *value,
                       struct vdf_err *err)
{
    return accessed(at, offset, vdf_kvm_get(kvm_of(at), VDF_KVM_APLIC, offset, value), err);
}

static int write_window(const struct vdf_at *at, uint64_t offset, uint64_t value,
                        struct vdf_err *err)
{
    return accessed(at, offset, write_register(at->priv, offset, value), err);
}

/* --- restoring registers ---------------------------------------------------------------------- */

/*
 * Rows come in the table's order, with domaincfg.IE still 0 in the new device, so that nothing is
 * sent. The mode of a source decides what a write to its pending bit or wire does; it is another
 * one for the moment of that.
 */

int vdf_aplic_kvm_restored(struct vdf_aplic *aplic, struct vdf_err *err)
{
    uint32_t enable = aplic->interrupt_enable;

    aplic->interrupt_enable = 0;
    int ret = enable ? write_register(aplic, VDF_APLIC_DOMAINCFG, enable) : 0;
    return ret < 0 ? answers(err, enable, ret) : 0;
}

static int change_mode(const struct vdf_aplic *aplic, uint32_t n, uint32_t mode, uint32_t *before)
{
    int ret = get_word(aplic, VDF_APLIC_SOURCECFG + 4 * n, before);

    return ret < 0 ? ret : set_word(aplic, VDF_APLIC_SOURCECFG + 4 * n, mode);
}

static int restore_register(const struct vdf_at *at, uint64_t value, uint64_t bits,
                            struct vdf_err *err)
{
    int ret = vdf_aplic_check_bits(value, bits, err);

    if (ret < 0)
        return ret;
    ret = set_word(at->priv, register_offset(at), value);
    return ret < 0 ? answers(err, value, ret) : 0;
}

static int restore_sourcecfg(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    return restore_register(at, value, VDF_SOURCECFG_SM, err);
}

static int get_held_target(const struct vdf_at *at, uint64_t *value)
{
    return vdf_kvm_get(kvm_of(at), VDF_KVM_APLIC, VDF_APLIC_TARGET + 4 * at->i, value);
}

static int restore_held_target(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    int ret = vdf_aplic_check_bits(value, VDF_TARGET_MSI_BITS, err);

    if (ret < 0)
        return ret;
    ret = set_word(at->priv, VDF_APLIC_TARGET + 4 * at->i, value);
    return ret < 0 ? answers(err, value, ret) : 0;
}

static int pend(const struct vdf_aplic *aplic, uint32_t n)
{
    uint32_t mode, unused;
    int ret = change_mode(aplic, n, VDF_SM_DETACHED, &mode);

    if (ret == 0)
        ret = set_word(aplic, VDF_APLIC_SETIPNUM, n);
    return ret < 0 ? ret : change_mode(aplic, n, mode, &unused);
}

static int restore_setip(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    int ret = vdf_aplic_check_bits(value, vdf_aplic_word_mask(at->priv, at->i), err);

    if (ret < 0)
        return ret;
    for (uint32_t bits = (uint32_t)value; ret == 0 && bits != 0; bits &= bits - 1)
        ret = pend(at->priv, 32 * at->i + (uint32_t)__builtin_ctz(bits));
    return ret < 0 ? answers(err, value, ret) : 0;
}

static int restore_setie(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    return restore_register(at, value, vdf_aplic_word_mask(at->priv, at->i), err);
}

/* A write of genmsi sends an MSI; the interrupt files are restored after this. */
static int restore_genmsi(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_aplic *aplic = at->priv;
    uint32_t eiid = value & VDF_TARGET_EIID;
    int ret = value ? restore_register(at, value, VDF_GENMSI_BITS, err) : 0;
    const struct vdf_aplic_hart *hart =
        vdf_aplic_find_by_index(aplic, (uint32_t)value >> VDF_TARGET_HART_SHIFT);

    if (ret < 0 || !hart || eiid == 0 || eiid > aplic->n_ids)
        return ret;
    uint32_t h = (uint32_t)(hart - aplic->harts);
    if (eiid % 64 < 32)
        ret = vdf_kvm_set(aplic->kvm, VDF_KVM_IMSIC,
                          vdf_kvm_imsic(h, VDF_IMSIC_EIP0 + eiid / 64 * 2), 0);
    else
        ret = vdf_kvm_reset_imsic(aplic->kvm, h);
    return ret < 0 ? answers(err, value, ret) : 0;
}

/* --- wires, lists ----------------------------------------------------------------------------- */

static int get_wire(const struct vdf_at *at, uint64_t *value)
{
    const struct vdf_aplic *aplic = at->priv;
    uint32_t mode, word, n = at->i;

    *value = 0;
    if (!aplic->initialised || !vdf_aplic_is_source(aplic, n))
        return 0;
    int back = 0, ret = get_word(aplic, VDF_APLIC_SOURCECFG + 4 * n, &mode);
    if (ret < 0)
        return ret;
    if (mode == VDF_SM_INACTIVE)
        ret = set_word(aplic, VDF_APLIC_SOURCECFG + 4 * n, VDF_SM_DETACHED);
    if (ret < 0)
        return ret;
    ret = get_word(aplic, VDF_APLIC_IN_CLRIP + n / 32 * 4, &word);
    if (mode == VDF_SM_INACTIVE)
        back = set_word(aplic, VDF_APLIC_SOURCECFG + 4 * n, mode);
    if (ret == 0)
        ret = back;
    if (ret == 0)
        *value = (word >> n % 32 & 1) ^ (mode == VDF_SM_EDGE_FALL || mode == VDF_SM_LEVEL_LOW);
    return ret;
}

static int set_wire(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_aplic *aplic = at->priv;
    uint32_t domaincfg = 0;
    int ret = 0;

    if (aplic->initialised && vdf_aplic_is_source(aplic, at->i))
        ret = hold_back(aplic, &domaincfg);
    int done = ret == 0 ? vdf_kvm_line(aplic->kvm, at->i, value != 0) : ret;
    if (ret == 0 && domaincfg & VDF_DOMAINCFG_IE)
        ret = let_through(aplic, domaincfg);
    if (done < 0)
        return vdf_fail(err, -done, "%" PRIu32 ": KVM answers %s; there are %" PRIu32 " sources%s",
                        at->i, vdf_errno_name(-done), aplic->initialised ? aplic->n_sources : 0,
                        aplic->initialised ? "" : " before `init`");
    return ret < 0 ? answers(err, value, ret) : 0;
}

static int restore_wire(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_aplic *aplic = at->priv;
    uint32_t mode, unused;
    int ret = vdf_aplic_check_wire(at, value, err);

    if (ret < 0 || value == 0)
        return ret;
    ret = change_mode(aplic, at->i, VDF_SM_INACTIVE, &mode);
    if (ret == 0)
        ret = vdf_kvm_line(aplic->kvm, at->i, true);
    if (ret == 0)
        ret = change_mode(aplic, at->i, mode, &unused);
    return ret < 0 ? answers(err, value, ret) : 0;
}

static void show_words(const struct vdf_at *at, struct vdf_buf *out)
{
    const struct vdf_aplic *aplic = at->priv;
    uint32_t words[VDF_APLIC_WORDS] = { 0 };

    for (uint32_t w = 0; w < vdf_aplic_words(aplic); w++)
        if (get_word(aplic, find_row(at->attr)->attr + 4 * w, &words[w]) < 0)
            return;
    vdf_aplic_show_sources(words, vdf_aplic_words(aplic), out);
}

/* --- interrupt files -------------------------------------------------------------------------- */

static int get_imsic(const struct vdf_at *at, uint64_t *value)
{
    uint32_t iselect = (uint32_t)find_row(at->attr)->attr + at->j;

    return vdf_kvm_get(kvm_of(at), VDF_KVM_IMSIC, vdf_kvm_imsic(at->i, iselect), value);
}

static int set_imsic(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    uint32_t iselect = (uint32_t)find_row(at->attr)->attr + at->j;
    int ret = vdf_kvm_set(kvm_of(at), VDF_KVM_IMSIC, vdf_kvm_imsic(at->i, iselect), value);

    return ret < 0 ? answers(err, value, ret) : 0;
}

/* Word @w of the pending (VDF_IMSIC_EIP0) or enable bits: identities 64w and up. */
static int get_bits(const struct vdf_aplic *aplic, uint32_t hart, uint32_t iselect, uint32_t w,
                    uint64_t *bits)
{
    int ret = vdf_kvm_get(aplic->kvm, VDF_KVM_IMSIC, vdf_kvm_imsic(hart, iselect + 2 * w), bits);

    *bits &= LOW_IDENTITIES;
    if (iselect == VDF_IMSIC_EIP0)
        *bits |= aplic->harts[hart].eip[w] & ~LOW_IDENTITIES;
    return ret;
}

static int set_low_bits(const struct vdf_aplic *aplic, uint32_t hart, uint32_t iselect, uint32_t w,
                        uint64_t bits)
{
    return vdf_kvm_set(aplic->kvm, VDF_KVM_IMSIC, vdf_kvm_imsic(hart, iselect + 2 * w),
                       bits & LOW_IDENTITIES);
}

static int check_enable_bits(const uint64_t *words, uint32_t first, uint32_t n, struct vdf_err *err)
{
    for (uint32_t w = 0; w < n; w++)
        if (words[w] & ~LOW_IDENTITIES)
            return vdf_fail(err, EOPNOTSUPP,
                            "%d: KVM lets the identities 32 to 63 of each 64 not be enabled from "
                            "outside of the guest",
                            64 * (int)(first + w) + __builtin_ctzll(words[w] & ~LOW_IDENTITIES));
    return 0;
}

/* Those that no attribute reaches are made pending by MSIs to the page, which has to be this
 * hart's. */
static int check_reach(const struct vdf_aplic *aplic, uint32_t hart, struct vdf_err *err)
{
    uint64_t page = aplic->harts[hart].address >> VDF_IMSIC_PAGE_SHIFT;
    uint64_t guest = page & ((UINT64_C(1) << aplic->guest_bits) - 1);

    if (guest == 0 && vdf_aplic_find_by_page(aplic, page) == &aplic->harts[hart])
        return 0;
    return vdf_fail(err, EOPNOTSUPP,
                    "the identities 32 to 63 of each 64 become pending by MSIs only, and none to "
                    "0x%" PRIx64 " comes to hart %" PRIu32,
                    aplic->harts[hart].address, hart);
}

static int pend_high_bits(struct vdf_aplic *aplic, uint32_t hart, uint32_t w, uint64_t bits)
{
    int ret = 0;

    for (bits &= ~LOW_IDENTITIES; ret == 0 && bits != 0; bits &= bits - 1) {
        ret = vdf_kvm_msi(aplic->kvm, aplic->harts[hart].address,
                          64 * w + (uint32_t)__builtin_ctzll(bits));
        if (ret == 0)
            aplic->harts[hart].eip[w] |= bits & -bits;
    }
    return ret;
}

/* Only a reset clears the pending bits of these identities; the rest is put back after it. */
static int clear_high_bits(struct vdf_aplic *aplic, uint32_t hart)
{
    uint64_t delivery, threshold, enabled[VDF_APLIC_EIX];
    int ret = vdf_kvm_get(aplic->kvm, VDF_KVM_IMSIC, vdf_kvm_imsic(hart, VDF_IMSIC_EIDELIVERY),
                          &delivery);

    if (ret == 0)
        ret = vdf_kvm_get(aplic->kvm, VDF_KVM_IMSIC, vdf_kvm_imsic(hart, VDF_IMSIC_EITHRESHOLD),
                          &threshold);
    for (uint32_t w = 0; ret == 0 && w < vdf_aplic_eix(aplic); w++)
        ret = get_bits(aplic, hart, VDF_IMSIC_EIE0, w, &enabled[w]);
    if (ret == 0)
        ret = vdf_kvm_reset_imsic(aplic->kvm, hart);
    if (ret < 0)
        return ret;
    memset(aplic->harts[hart].eip, 0, sizeof(aplic->harts[hart].eip));
    for (uint32_t w = 0; ret == 0 && w < vdf_aplic_eix(aplic); w++)
        ret = set_low_bits(aplic, hart, VDF_IMSIC_EIE0, w, enabled[w]);
    if (ret == 0)
        ret = vdf_kvm_set(aplic->kvm, VDF_KVM_IMSIC, vdf_kvm_imsic(hart, VDF_IMSIC_EITHRESHOLD),
                          threshold);
    if (ret == 0)
        ret = vdf_kvm_set(aplic->kvm, VDF_KVM_IMSIC, vdf_kvm_imsic(hart, VDF_IMSIC_EIDELIVERY),
                          delivery);
    return ret;
}

static void show_bits(const struct vdf_at *at, struct vdf_buf *out)
{
    const struct vdf_aplic *aplic = at->priv;
    uint64_t words[VDF_APLIC_EIX];

    for (uint32_t w = 0; w < vdf_aplic_eix(aplic); w++)
        if (get_bits(aplic, at->i, (uint32_t)find_row(at->attr)->attr, w, &words[w]) < 0)
            return;
    vdf_aplic_show_identities(words, vdf_aplic_eix(aplic), out);
}

static int store_eip(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err)
{
    struct vdf_aplic *aplic = at->priv;
    uint64_t words[VDF_APLIC_EIX], wanted = 0, added = 0, removed = 0;
    int ret = vdf_aplic_parse_identities(aplic, text, words, err);

    if (ret < 0)
        return ret;
    for (uint32_t w = 0; w < vdf_aplic_eix(aplic); w++) {
        wanted |= words[w] & ~LOW_IDENTITIES;
        added |= words[w] & ~aplic->harts[at->i].eip[w] & ~LOW_IDENTITIES;
        removed |= aplic->harts[at->i].eip[w] & ~words[w] & ~LOW_IDENTITIES;
    }
    /* Who removes one makes those that stay pending once more; none may be left. */
    if (wanted && (added | removed))
        ret = check_reach(aplic, at->i, err);
    if (ret < 0)
        return ret;
    ret = removed ? clear_high_bits(aplic, at->i) : 0;
    if (ret == -EOPNOTSUPP)
        return vdf_fail(err, EOPNOTSUPP,
                        "KVM before Linux 6.16 clears none of the identities 32 to 63 of each 64");
    for (uint32_t w = 0; ret == 0 && w < vdf_aplic_eix(aplic); w++) {
        ret = set_low_bits(aplic, at->i, VDF_IMSIC_EIP0, w, words[w]);
        if (ret == 0)
            ret = pend_high_bits(aplic, at->i, w, words[w]);
    }
    return ret < 0 ? vdf_fail(err, -ret, "KVM answers %s", vdf_errno_name(-ret)) : 0;
}

static int store_eie(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err)
{
    const struct vdf_aplic *aplic = at->priv;
    uint64_t words[VDF_APLIC_EIX];
    int ret = vdf_aplic_parse_identities(aplic, text, words, err);

    if (ret == 0)
        ret = check_enable_bits(words, 0, vdf_aplic_eix(aplic), err);
    if (ret < 0)
        return ret;
    for (uint32_t w = 0; ret == 0 && w < vdf_aplic_eix(aplic); w++)
        ret = set_low_bits(aplic, at->i, VDF_IMSIC_EIE0, w, words[w]);
    return ret < 0 ? vdf_fail(err, -ret, "KVM answers %s", vdf_errno_name(-ret)) : 0;
}

static int get_held(const struct vdf_at *at, uint64_t *value)
{
    return get_bits(at->priv, at->i, (uint32_t)find_row(at->attr)->attr, at->j, value);
}

static int check_identity_0(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    return at->j == 0 ? vdf_aplic_check_bits(value, ~UINT64_C(1), err) : 0;
}

static int restore_held_eip(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_aplic *aplic = at->priv;
    int ret = check_identity_0(at, value, err);

    if (ret == 0 && value & ~LOW_IDENTITIES)
        ret = check_reach(aplic, at->i, err);
    if (ret < 0)
        return ret;
    ret = set_low_bits(aplic, at->i, VDF_IMSIC_EIP0, at->j, value);
    if (ret == 0)
        ret = pend_high_bits(aplic, at->i, at->j, value);
    return ret < 0 ? answers(err, value, ret) : 0;
}

static int restore_held_eie(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    int ret = check_identity_0(at, value, err);

    if (ret == 0)
        ret = check_enable_bits(&value, at->j, 1, err);
    if (ret < 0)
        return ret;
    ret = set_low_bits(at->priv, at->i, VDF_IMSIC_EIE0, at->j, value);
    return ret < 0 ? answers(err, value, ret) : 0;
}

static int store_signal_msi(const struct vdf_at *at, const char *text, size_t len,
                            struct vdf_err *err)
{
    struct vdf_aplic *aplic = at->priv;
    uint64_t address;
    uint32_t data;
    int ret = vdf_aplic_parse_msi(text, &address, &data, err);

    if (ret < 0)
        return ret;
    ret = vdf_kvm_msi(aplic->kvm, address, data);
    if (ret == 0) {
        vdf_aplic_signal_msi(aplic, address, data, NULL);
        return 0;
    }
    return vdf_fail(err, -ret,
                    "0x%" PRIx64 " %" PRIu32 ": KVM answers %s; after `init`, offsets 0 and 4 of a "
                    "hart's page take the identities 1 to aia/ids",
                    address, data, vdf_errno_name(-ret));
}

/* --- the rows --------------------------------------------------------------------------------- */

#define CONFIG(n) .attr = (n), .hooks = { .get = get_config, .set = set_config }
#define ADDRESS(n) \
    .attr = (n), .hooks = { .get = get_address, .set = set_address, .restore = restore_address }
#define REGISTER .get = get_register, .set = set_register
#define IMSIC(n) .attr = (n), .hooks = { .get = get_imsic, .set = set_imsic }

static const struct row rows[] = {
    { .path = "delivery", .hooks = { .set = set_delivery } },
    { .path = "harts", .hooks = { .set = set_harts } },
    { .path = "aia/mode", CONFIG(0) },
    { .path = "aia/ids", CONFIG(1) },
    { .path = "aia/srcs", CONFIG(2) },
    { .path = "aia/group_bits", CONFIG(3) },
    { .path = "aia/group_shift", CONFIG(4) },
    { .path = "aia/hart_bits", CONFIG(5) },
    { .path = "aia/guest_bits", CONFIG(6) },
    { .path = "addr/aplic", ADDRESS(0) },
    { .path = "addr/imsic/#", ADDRESS(1) },
    { .path = "init", .hooks = { .set = set_init } },
    { .path = "initialised", .hooks = { .restore = restore_initialised } },
    /* The model checks the value and keeps it until all is loaded. */
    { .path = "domaincfg", .hooks = { REGISTER, .restore = vdf_aplic_restore_domaincfg } },
    { .path = "sourcecfg/#", .hooks = { REGISTER, .restore = restore_sourcecfg } },
    { .path = "held_target/#",
      .hooks = { .get = get_held_target, .restore = restore_held_target } },
    { .path = "wire/#", .hooks = { .get = get_wire, .set = set_wire, .restore = restore_wire } },
    { .path = "setip/#", .hooks = { REGISTER, .restore = restore_setip } },
    { .path = "setie/#", .hooks = { REGISTER, .restore = restore_setie } },
    { .path = "genmsi", .hooks = { REGISTER, .restore = restore_genmsi } },
    { .path = "pending", .attr = VDF_APLIC_SETIP, .hooks = { .show = show_words } },
    { .path = "enabled", .attr = VDF_APLIC_SETIE, .hooks = { .show = show_words } },
    { .path = "imsic/#/eidelivery", IMSIC(VDF_IMSIC_EIDELIVERY) },
    { .path = "imsic/#/eithreshold", IMSIC(VDF_IMSIC_EITHRESHOLD) },
    { .path = "imsic/#/pending",
      .attr = VDF_IMSIC_EIP0,
      .hooks = { .show = show_bits, .store = store_eip } },
    { .path = "imsic/#/enabled",
      .attr = VDF_IMSIC_EIE0,
      .hooks = { .show = show_bits, .store = store_eie } },
    { .path = "imsic/#/eip/#", IMSIC(VDF_IMSIC_EIP0) },
    { .path = "imsic/#/eie/#", IMSIC(VDF_IMSIC_EIE0) },
    { .path = "imsic/#/held_eip/#",
      .attr = VDF_IMSIC_EIP0,
      .hooks = { .get = get_held, .restore = restore_held_eip } },
    { .path = "imsic/#/held_eie/#",
      .attr = VDF_IMSIC_EIE0,
      .hooks = { .get = get_held, .restore = restore_held_eie } },
    { .path = "signal_msi", .hooks = { .store = store_signal_msi } },
    { .path = "regs", .hooks = { .read = read_window, .write = write_window } },
};

static const struct row *find_row(const struct vdf_attr *attr)
{
    for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++)
        if (strcmp(rows[k].path, attr->path) == 0)
            return &rows[k];
    return NULL;
}

static struct vdf_hooks hooks[VDF_APLIC_ROWS_MAX];
static const struct vdf_backend backend = { .name = "kvm", .hooks = hooks };

static void fill_hooks(void)
{
    for (size_t k = 0; k < vdf_aplic_class.n_attrs; k++) {
        const struct row *row = find_row(&vdf_aplic_class.attrs[k]);
        if (row)
            hooks[k] = row->hooks;
        else if (vdf_aplic_class.attrs[k].window)
            hooks[k] = (struct vdf_hooks){ REGISTER };
    }
}

const struct vdf_backend *vdf_aplic_kvm_backend(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, fill_hooks);
    return &backend;
}
