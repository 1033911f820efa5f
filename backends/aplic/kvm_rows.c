/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hooks of the rows that the kernel's device answers.
 *
 * The kernel does not show three things. They are found out without a second model. The
 * intermediate values are not observable: no vCPU runs, and the device's lock is held.
 *
 *   MSIs that sources send   domaincfg.IE is 0 during every write. The sources that are pending and
 *                            enabled afterwards are those whose MSIs the kernel sends, in the order of
 *                            the sources, when IE is 1 again
 *   level of an inactive     in_clrip shows it while the source is detached for the read; a write of
 *   source's wire            sourcecfg changes nothing else
 *   destination of an MSI    the model's interrupt files take the MSI as well, by the kernel's
 *                            addresses. They give the line of the log, and the identities 32 to 63 of
 *                            each 64, which the kernel's attributes leave out (get_half() in rows.c)
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "config.h"
#include "imsic.h"
#include "kvm.h"
#include "kvm_rows.h"
#include "rows.h"

#define LOW_IDENTITIES UINT64_C(0x00000000ffffffff) /* of 64, that attributes reach */

static const struct vdf_backend kvm_backend;

static const struct vdf_kvm *kvm_of(const struct vdf_at *at)
{
    return ((const struct vdf_aplic *)at->priv)->kvm;
}

static int answers(struct vdf_err *err, uint64_t value, int ret)
{
    return vdf_fail(err, -ret, "0x%" PRIx64 ": KVM answers %s", value, vdf_errno_name(-ret));
}

/* --- attributes ------------------------------------------------------------------------------- */

struct attribute {
    enum vdf_kvm_group group;
    uint64_t number;
};

/* The first register of an interrupt file that the row shows. */
static uint32_t iselect_of(const struct vdf_at *at)
{
    switch (vdf_aplic_row(at)) {
    case ROW_EIDELIVERY:
        return VDF_IMSIC_EIDELIVERY;
    case ROW_EITHRESHOLD:
        return VDF_IMSIC_EITHRESHOLD;
    case ROW_EIP:
    case ROW_HELD_EIP:
    case ROW_IMSIC_PENDING:
        return VDF_IMSIC_EIP0;
    default:
        return VDF_IMSIC_EIE0;
    }
}

static struct attribute attribute_of(const struct vdf_at *at)
{
    const struct vdf_attr *attr = at->attr;
    enum vdf_aplic_row row = vdf_aplic_row(at);

    if (row >= ROW_MODE && row <= ROW_GUEST_BITS)
        return (struct attribute){ VDF_KVM_CONFIG, row - ROW_MODE };
    if (row == ROW_APLIC_ADDRESS)
        return (struct attribute){ VDF_KVM_ADDR, 0 };
    if (row == ROW_IMSIC_ADDRESS)
        return (struct attribute){ VDF_KVM_ADDR, 1 + at->i };
    if (row == ROW_HELD_TARGET)
        return (struct attribute){ VDF_KVM_APLIC, VDF_APLIC_TARGET + 4 * at->i };
    if (attr->window == VDF_REGS)
        return (struct attribute){ VDF_KVM_APLIC,
                                   attr->offset + attr->stride * (at->i - attr->range[0].first) };
    return (struct attribute){ VDF_KVM_IMSIC, vdf_kvm_imsic(at->i, iselect_of(at) + at->j) };
}

static int get_attribute(const struct vdf_at *at, uint64_t *value)
{
    struct attribute attribute = attribute_of(at);

    return vdf_kvm_get(kvm_of(at), attribute.group, attribute.number, value);
}

static int put_attribute(const struct vdf_at *at, uint64_t value)
{
    struct attribute attribute = attribute_of(at);

    return vdf_kvm_set(kvm_of(at), attribute.group, attribute.number, value);
}

/* With the model's sentence, where the model refuses the value for the same reason. */
static int set_attribute(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    int ret = put_attribute(at, value);

    return ret == 0 || vdf_row_check(at, value, err) == ret ? ret : answers(err, value, ret);
}

/* --- before init ------------------------------------------------------------------------------ */

typedef int (*attribute_fn)(const struct vdf_at *at, struct vdf_err *err);

/* Calls @fn for the attributes of before init: CONFIG, then the addresses of @harts harts. */
static int each_attribute(struct vdf_aplic *aplic, uint32_t harts, attribute_fn fn,
                          struct vdf_err *err)
{
    struct vdf_at at = { .obj = aplic->priv.obj, .priv = aplic };
    int ret = 0;

    for (unsigned row = ROW_MODE; ret == 0 && row < ROW_IMSIC_ADDRESS; row++) {
        at.attr = &vdf_aplic_rows[row];
        ret = fn(&at, err);
    }
    at.attr = &vdf_aplic_rows[ROW_IMSIC_ADDRESS];
    for (at.i = 0; ret == 0 && at.i < harts; at.i++)
        ret = fn(&at, err);
    return ret;
}

static int pull_one(const struct vdf_at *at, struct vdf_err *err)
{
    uint64_t value;
    int ret = get_attribute(at, &value);

    if (ret < 0)
        return vdf_fail(err, -ret, "%s: KVM answers %s", at->attr->path, vdf_errno_name(-ret));
    vdf_row_store_field(at, value);
    return 0;
}

/* Copies the attributes to the model, before the model or another device takes them over. */
static int pull(struct vdf_aplic *aplic, struct vdf_err *err)
{
    return each_attribute(aplic, aplic->n_harts, pull_one, err);
}

/* Gives a new device the model's value. A mode that was never set is the host's. */
static int push_one(const struct vdf_at *at, struct vdf_err *err)
{
    uint64_t now, value = vdf_row_load_field(at);

    if (vdf_aplic_row(at) == ROW_MODE && value == at->attr->reset)
        return 0;
    int ret = get_attribute(at, &now);
    if (ret == 0 && now != value)
        ret = put_attribute(at, value);
    if (ret < 0)
        return vdf_fail(err, -ret,
                        "%s (attribute %" PRIu64 "): the host's device does not take 0x%" PRIx64
                        ": KVM answers %s",
                        at->attr->path, attribute_of(at).number, value, vdf_errno_name(-ret));
    return 0;
}

int vdf_aplic_kvm_rebuild(struct vdf_aplic *aplic, uint32_t harts, struct vdf_err *err)
{
    struct vdf_kvm *kvm, *before = aplic->kvm;
    int ret = before ? pull(aplic, err) : 0;

    if (ret == 0)
        ret = vdf_kvm_make(harts, &kvm, err);
    if (ret)
        return ret;
    aplic->kvm = kvm;
    ret = each_attribute(aplic, harts < aplic->n_harts ? harts : aplic->n_harts, push_one, err);
    if (ret == 0)
        ret = vdf_aplic_set_harts(aplic, harts, err);
    if (ret < 0) {
        aplic->kvm = before;
        vdf_kvm_free(kvm);
        return ret;
    }
    vdf_kvm_free(before);
    aplic->priv.backend = &kvm_backend;
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

static int restore_address(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    /* Not set, as in a new device; no write can store that. */
    return value == VDF_APLIC_NO_ADDRESS ? 0 : set_attribute(at, value, err);
}

static int set_harts(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    int ret = vdf_row_check(at, value, err);

    /* A VM keeps its vCPUs, so that another number of them takes another VM. */
    return ret < 0 ? ret : vdf_aplic_kvm_rebuild(at->priv, (uint32_t)value, err);
}

static int set_delivery(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    int ret = vdf_row_check(at, value, err);

    if (ret == 0 && value == VDF_APLIC_DIRECT)
        return vdf_fail(err, EOPNOTSUPP,
                        "direct: KVM's device has MSIs only; the backend soft has direct delivery");
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

/* The sources that are pending and enabled, whose MSIs the kernel sends when IE is 1. On an error @due
 * has those that were found before. */
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

/* The kernel has sent the MSIs of @due. A target that cannot be read does not keep the model from
 * taking the others. */
static int take_sent(struct vdf_aplic *aplic, const uint32_t due[VDF_APLIC_WORDS])
{
    int first = 0;

    for (uint32_t w = 0; w < vdf_aplic_words(aplic); w++)
        for (uint32_t bits = due[w]; bits != 0; bits &= bits - 1) {
            uint32_t n = 32 * w + (uint32_t)__builtin_ctz(bits), target;
            int ret = get_word(aplic, VDF_APLIC_TARGET + 4 * n, &target);

            if (ret == 0)
                vdf_aplic_send_to_target(aplic, target);
            else if (first == 0)
                first = ret;
        }
    return first;
}

/*
 * Writes domaincfg again, or its new value, even if something else fails: otherwise interrupts would
 * stay disabled for ever. Returns the first error, after which MSIs that the kernel has sent may be
 * missing in `msi`.
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
        vdf_aplic_send_genmsi(aplic, (uint32_t)value);
    if (domaincfg & VDF_DOMAINCFG_IE)
        ret = let_through(aplic, domaincfg);
    return done < 0 ? done : ret;
}

static int set_register(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    int ret = write_register(at->priv, attribute_of(at).number, value);

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
 * sent. The mode of a source decides the effect of a write to its pending bit or wire, so the mode is
 * changed for the duration of such a write.
 */

int vdf_aplic_kvm_restored(struct vdf_aplic *aplic, struct vdf_err *err)
{
    uint32_t enable = aplic->domaincfg & VDF_DOMAINCFG_IE;

    aplic->domaincfg &= ~VDF_DOMAINCFG_IE;
    int ret = enable ? write_register(aplic, VDF_APLIC_DOMAINCFG, enable) : 0;
    return ret < 0 ? answers(err, enable, ret) : 0;
}

static int change_mode(const struct vdf_aplic *aplic, uint32_t n, uint32_t mode, uint32_t *before)
{
    int ret = get_word(aplic, VDF_APLIC_SOURCECFG + 4 * n, before);

    return ret < 0 ? ret : set_word(aplic, VDF_APLIC_SOURCECFG + 4 * n, mode);
}

/* The model checks the value, and keeps it until the whole state has been loaded. */
static int restore_domaincfg(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    return at->attr->restore(at, value, err);
}

static int restore_register(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    int ret = vdf_aplic_check_saved(at, value, err);

    if (ret < 0)
        return ret;
    ret = put_attribute(at, value);
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
    int ret = vdf_aplic_check_saved(at, value, err);

    if (ret < 0)
        return ret;
    for (uint32_t bits = (uint32_t)value; ret == 0 && bits != 0; bits &= bits - 1)
        ret = pend(at->priv, 32 * at->i + (uint32_t)__builtin_ctz(bits));
    return ret < 0 ? answers(err, value, ret) : 0;
}

/* A write of genmsi sends an MSI; the interrupt files are restored after this. */
static int restore_genmsi(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_aplic *aplic = at->priv;
    uint32_t eiid = value & VDF_TARGET_EIID;
    int ret = value ? restore_register(at, value, err) : 0;
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
    int ret = vdf_aplic_check_saved(at, value, err);

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
    uint32_t base = vdf_aplic_row(at) == ROW_PENDING ? VDF_APLIC_SETIP : VDF_APLIC_SETIE;
    uint32_t words[VDF_APLIC_WORDS] = { 0 };

    for (uint32_t w = 0; w < vdf_aplic_words(aplic); w++)
        if (get_word(aplic, base + 4 * w, &words[w]) < 0)
            return;
    vdf_aplic_show_sources(words, vdf_aplic_words(aplic), out);
}

/* --- interrupt files -------------------------------------------------------------------------- */

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
                            "%d: in KVM only the guest can enable the identities 32 to 63 of each "
                            "64",
                            64 * (int)(first + w) + __builtin_ctzll(words[w] & ~LOW_IDENTITIES));
    return 0;
}

/* MSIs to the page make those identities pending that no attribute reaches; the page has to be that of
 * this hart. */
static int check_reach(const struct vdf_aplic *aplic, uint32_t hart, struct vdf_err *err)
{
    uint64_t page = aplic->harts[hart].address >> VDF_IMSIC_PAGE_SHIFT;
    uint64_t guest = page & ((UINT64_C(1) << aplic->guest_bits) - 1);

    if (guest == 0 && vdf_aplic_find_by_page(aplic, page) == &aplic->harts[hart])
        return 0;
    return vdf_fail(err, EOPNOTSUPP,
                    "the identities 32 to 63 of each 64 become pending by MSIs only, and MSIs to "
                    "0x%" PRIx64 " do not reach hart %" PRIu32,
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

/* Only a reset of the file clears the pending bits of these identities; the other registers are
 * written again after the reset. */
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
        if (get_bits(aplic, at->i, iselect_of(at), w, &words[w]) < 0)
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
    /* Removing an identity takes a reset and new MSIs for those that stay, if any. */
    if (wanted && (added | removed))
        ret = check_reach(aplic, at->i, err);
    if (ret < 0)
        return ret;
    ret = removed ? clear_high_bits(aplic, at->i) : 0;
    if (ret == -EOPNOTSUPP)
        return vdf_fail(err, EOPNOTSUPP,
                        "KVM before Linux 6.16 cannot clear the identities 32 to 63 of each 64");
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
    return get_bits(at->priv, at->i, iselect_of(at), at->j, value);
}

static int restore_held_eip(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_aplic *aplic = at->priv;
    int ret = vdf_row_check(at, value, err);

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
    int ret = vdf_row_check(at, value, err);

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

#define ATTRIBUTE .get = get_attribute, .set = set_attribute
#define REGISTER .get = get_attribute, .set = set_register

static const struct vdf_hooks hooks[N_ROWS] = {
    [ROW_DELIVERY] = { .set = set_delivery },
    [ROW_HARTS] = { .set = set_harts },
    [ROW_MODE] = { ATTRIBUTE },
    [ROW_IDS] = { ATTRIBUTE },
    [ROW_SRCS] = { ATTRIBUTE },
    [ROW_GROUP_BITS] = { ATTRIBUTE },
    [ROW_GROUP_SHIFT] = { ATTRIBUTE },
    [ROW_HART_BITS] = { ATTRIBUTE },
    [ROW_GUEST_BITS] = { ATTRIBUTE },
    [ROW_APLIC_ADDRESS] = { ATTRIBUTE, .restore = restore_address },
    [ROW_IMSIC_ADDRESS] = { ATTRIBUTE, .restore = restore_address },
    [ROW_INIT] = { .set = set_init },
    [ROW_INITIALISED] = { .restore = restore_initialised },
    [ROW_DOMAINCFG] = { REGISTER, .restore = restore_domaincfg },
    [ROW_SOURCECFG] = { REGISTER, .restore = restore_register },
    [ROW_TARGET] = { REGISTER },
    [ROW_HELD_TARGET] = { .get = get_attribute, .restore = restore_register },
    [ROW_WIRE] = { .get = get_wire, .set = set_wire, .restore = restore_wire },
    [ROW_SETIP] = { REGISTER, .restore = restore_setip },
    [ROW_SETIPNUM] = { REGISTER },
    [ROW_IN_CLRIP] = { REGISTER },
    [ROW_CLRIPNUM] = { REGISTER },
    [ROW_SETIE] = { REGISTER, .restore = restore_register },
    [ROW_SETIENUM] = { REGISTER },
    [ROW_CLRIE] = { REGISTER },
    [ROW_CLRIENUM] = { REGISTER },
    [ROW_SETIPNUM_LE] = { REGISTER },
    [ROW_SETIPNUM_BE] = { REGISTER },
    [ROW_GENMSI] = { REGISTER, .restore = restore_genmsi },
    [ROW_PENDING] = { .show = show_words },
    [ROW_ENABLED] = { .show = show_words },
    [ROW_EIDELIVERY] = { ATTRIBUTE },
    [ROW_EITHRESHOLD] = { ATTRIBUTE },
    [ROW_IMSIC_PENDING] = { .show = show_bits, .store = store_eip },
    [ROW_IMSIC_ENABLED] = { .show = show_bits, .store = store_eie },
    [ROW_EIP] = { ATTRIBUTE },
    [ROW_EIE] = { ATTRIBUTE },
    [ROW_HELD_EIP] = { .get = get_held, .restore = restore_held_eip },
    [ROW_HELD_EIE] = { .get = get_held, .restore = restore_held_eie },
    [ROW_SIGNAL_MSI] = { .store = store_signal_msi },
    [ROW_REGS] = { .read = read_window, .write = write_window },
};

static const struct vdf_backend kvm_backend = { .name = "kvm", .hooks = hooks };
