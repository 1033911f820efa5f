/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is set before `init` (KVM's attribute groups CONFIG and ADDR), and `init` itself. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "kvm.h"

/* KVM's limits of the attributes (struct kvm_device_attr, type KVM_DEV_TYPE_RISCV_AIA). */
#define MODE_AUTO 2u
#define IDS_MIN 63u
#define GROUP_BITS_END 8u
#define GROUP_SHIFT_MIN 24u
#define GROUP_SHIFT_END 56u
#define HART_BITS_END 16u
#define GUEST_BITS_END 8u
#define MMIO_DEVICES 1000u /* places of a VM's MMIO bus: one for the APLIC, one for each IMSIC */

uint32_t vdf_aplic_word_mask(const struct vdf_aplic *aplic, uint32_t w)
{
    uint32_t mask = UINT32_MAX;

    if (w == aplic->n_sources / 32)
        mask >>= 31 - aplic->n_sources % 32;
    return w == 0 ? mask & ~UINT32_C(1) : mask;
}

/* --- when rows exist -------------------------------------------------------------------------- */

/* KVM makes no APLIC for a device without sources. */
bool vdf_aplic_has_registers(const void *priv)
{
    const struct vdf_aplic *aplic = priv;

    return aplic->initialised && aplic->n_sources != 0;
}

bool vdf_aplic_has_imsics(const void *priv)
{
    const struct vdf_aplic *aplic = priv;

    return aplic->initialised && !vdf_aplic_direct(aplic);
}

/* The host's interrupt files have no such attribute. */
bool vdf_aplic_has_topei(const void *priv)
{
    return vdf_aplic_has_imsics(priv) && !((const struct vdf_aplic *)priv)->kvm;
}

bool vdf_aplic_has_idcs(const void *priv)
{
    return vdf_aplic_has_registers(priv) && vdf_aplic_direct(priv);
}

bool vdf_aplic_has_msis(const void *priv)
{
    return !vdf_aplic_direct(priv);
}

uint32_t vdf_aplic_count_harts(const void *priv)
{
    return ((const struct vdf_aplic *)priv)->n_harts;
}

uint32_t vdf_aplic_count_sources(const void *priv)
{
    return ((const struct vdf_aplic *)priv)->n_sources;
}

uint32_t vdf_aplic_count_words(const void *priv)
{
    return vdf_aplic_words(priv);
}

uint32_t vdf_aplic_count_eix(const void *priv)
{
    return vdf_aplic_eix(priv);
}

/* --- harts ------------------------------------------------------------------------------------ */

int vdf_aplic_set_harts(struct vdf_aplic *aplic, uint32_t n, struct vdf_err *err)
{
    struct vdf_aplic_hart *harts = NULL;
    struct vdf_aplic_index *by_index = NULL;

    if (n > 0) {
        harts = calloc(n, sizeof(*harts));
        by_index = calloc(n, sizeof(*by_index));
        if (!harts || !by_index) {
            free(harts);
            free(by_index);
            return vdf_fail(err, ENOMEM, "no memory for %" PRIu32 " harts", n);
        }
    }
    for (uint32_t h = 0; h < n; h++)
        harts[h].address = h < aplic->n_harts ? aplic->harts[h].address : VDF_APLIC_NO_ADDRESS;

    free(aplic->harts);
    free(aplic->by_index);
    aplic->harts = harts;
    aplic->by_index = by_index;
    aplic->n_harts = n;
    return 0;
}

/* --- checks ----------------------------------------------------------------------------------- */

/* KVM looks at the moment before it looks at the value. */
int vdf_aplic_check_open(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_aplic *aplic = at->priv;

    if (aplic->initialised)
        return vdf_fail(err, EBUSY, "the device is initialised; this is set before `init`");
    return 0;
}

static int check_range(const struct vdf_at *at, uint64_t value, uint64_t first, uint64_t end,
                       struct vdf_err *err)
{
    int ret = vdf_aplic_check_open(at, value, err);

    if (ret < 0)
        return ret;
    if (value < first || value >= end)
        return vdf_fail(err, EINVAL, "%" PRIu64 ": it is %" PRIu64 " to %" PRIu64, value, first,
                        end - 1);
    return 0;
}

int vdf_aplic_get_backend(const struct vdf_at *at, uint64_t *value)
{
    const struct vdf_aplic *aplic = at->priv;

    *value = aplic->kvm ? VDF_APLIC_KVM : VDF_APLIC_SOFT;
    return 0;
}

int vdf_aplic_set_backend(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_aplic *aplic = at->priv;
    int ret = vdf_aplic_check_open(at, value, err);

    if (ret < 0 || value == (aplic->kvm ? VDF_APLIC_KVM : VDF_APLIC_SOFT))
        return ret;
    if (value == VDF_APLIC_SOFT)
        return vdf_aplic_kvm_leave(aplic, err);
    if (vdf_aplic_direct(aplic))
        return vdf_fail(err, EOPNOTSUPP, "kvm: KVM's device has no direct delivery; `msi` it has");
    if (aplic->ways)
        return vdf_fail(err, EBUSY, "kvm: the model is attached to a VM; detach it first");
    ret = vdf_aplic_kvm_rebuild(aplic, aplic->n_harts, err);
    if (ret == 0)
        vdf_obj_set_live(at->obj, true);
    return ret;
}

int vdf_aplic_check_delivery(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_aplic *aplic = at->priv;
    int ret = vdf_aplic_check_open(at, value, err);

    if (ret == 0 && value == VDF_APLIC_MSI && aplic->n_sources >= VDF_APLIC_HOST_IDS)
        return vdf_fail(err, EINVAL, "msi: aia/srcs is %" PRIu32 "; with MSIs it is 0 to %u",
                        aplic->n_sources, VDF_APLIC_HOST_IDS - 1);
    return ret;
}

int vdf_aplic_get_harts(const struct vdf_at *at, uint64_t *value)
{
    const struct vdf_aplic *aplic = at->priv;

    *value = aplic->n_harts;
    return 0;
}

int vdf_aplic_check_harts(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    return check_range(at, value, 0, VDF_APLIC_HARTS + 1, err);
}

int vdf_aplic_put_harts(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    return vdf_aplic_set_harts(at->priv, (uint32_t)value, err);
}

int vdf_aplic_check_mode(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    int ret = vdf_aplic_check_open(at, value, err);

    if (ret < 0)
        return ret;
    if (value > MODE_AUTO)
        return vdf_fail(err, EINVAL, "%" PRIu64 ": modes are 0 (EMUL), 1 (HWACCEL) and 2 (AUTO)",
                        value);
    return 0;
}

int vdf_aplic_check_ids(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    int ret = vdf_aplic_check_open(at, value, err);

    if (ret < 0)
        return ret;
    if (value < IDS_MIN || (value & IDS_MIN) != IDS_MIN || value >= VDF_APLIC_HOST_IDS)
        return vdf_fail(err, EINVAL, "%" PRIu64 ": ids is 63, 127, 191 or 255", value);
    return 0;
}

int vdf_aplic_check_sources(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    bool direct = vdf_aplic_direct(at->priv);

    return check_range(at, value, 0, direct ? VDF_APLIC_WIRES + 1 : VDF_APLIC_HOST_IDS, err);
}

int vdf_aplic_check_group_bits(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    return check_range(at, value, 0, GROUP_BITS_END, err);
}

int vdf_aplic_check_group_shift(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    return check_range(at, value, GROUP_SHIFT_MIN, GROUP_SHIFT_END, err);
}

int vdf_aplic_check_hart_bits(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    return check_range(at, value, 0, HART_BITS_END, err);
}

int vdf_aplic_check_guest_bits(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    return check_range(at, value, 0, GUEST_BITS_END, err);
}

/* --- addresses -------------------------------------------------------------------------------- */

int vdf_aplic_check_address(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    int ret = vdf_aplic_check_open(at, value, err);

    if (ret < 0)
        return ret;
    if (value % VDF_IMSIC_PAGE_SIZE != 0)
        return vdf_fail(err, EINVAL, "0x%" PRIx64 ": addresses are multiples of 0x%" PRIx64, value,
                        VDF_IMSIC_PAGE_SIZE);
    return 0;
}

/* An address that is not set yet is no multiple of the page, and is in a state all the same. */
static int check_saved_address(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    if (value == VDF_APLIC_NO_ADDRESS)
        return vdf_aplic_check_open(at, value, err);
    return vdf_aplic_check_address(at, value, err);
}

int vdf_aplic_restore_address(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_aplic *aplic = at->priv;
    int ret = check_saved_address(at, value, err);

    if (ret == 0)
        aplic->address = value;
    return ret;
}

int vdf_aplic_get_imsic_address(const struct vdf_at *at, uint64_t *value)
{
    const struct vdf_aplic *aplic = at->priv;

    *value = aplic->harts[at->i].address;
    return 0;
}

int vdf_aplic_set_imsic_address(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_aplic *aplic = at->priv;

    aplic->harts[at->i].address = value;
    return 0;
}

int vdf_aplic_restore_imsic_address(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_aplic *aplic = at->priv;
    int ret = check_saved_address(at, value, err);

    if (ret == 0)
        aplic->harts[at->i].address = value;
    return ret;
}

/* --- init ------------------------------------------------------------------------------------- */

static uint64_t low_bits(uint32_t n)
{
    return (UINT64_C(1) << n) - 1;
}

/* An IMSIC address without what tells harts, guests and groups apart (AIA 3.6). */
static uint64_t base_of(const struct vdf_aplic *aplic, uint64_t address)
{
    return address & ~low_bits(aplic->hart_bits + aplic->guest_bits + VDF_IMSIC_PAGE_SHIFT) &
           ~(low_bits(aplic->group_bits) << aplic->group_shift);
}

/* KVM's order: what is wrong with hart @h is found when the harts before it have their places. */
static int check_hart(const struct vdf_aplic *aplic, uint32_t h, struct vdf_err *err)
{
    uint64_t address = aplic->harts[h].address;
    uint32_t before = h + (aplic->n_sources != 0);

    if (address == VDF_APLIC_NO_ADDRESS)
        return vdf_fail(err, EINVAL, "addr/imsic/%" PRIu32 " has to be set", h);
    if (base_of(aplic, address) != base_of(aplic, aplic->harts[0].address))
        return vdf_fail(err, EINVAL,
                        "addr/imsic/%" PRIu32 " 0x%" PRIx64 " differs from addr/imsic/0 "
                        "0x%" PRIx64 " outside of the hart, guest and group bits",
                        h, address, aplic->harts[0].address);
    if (before >= MMIO_DEVICES)
        return vdf_fail(err, ENOSPC,
                        "harts is %" PRIu32
                        ": KVM has places for %u IMSICs, one less with an APLIC",
                        aplic->n_harts, MMIO_DEVICES);
    return 0;
}

static int check_msi_delivery(const struct vdf_aplic *aplic, struct vdf_err *err)
{
    if (aplic->n_ids < aplic->n_sources)
        return vdf_fail(err, EINVAL, "aia/ids %" PRIu32 " is less than aia/srcs %" PRIu32,
                        aplic->n_ids, aplic->n_sources);
    if (aplic->n_sources != 0 && aplic->address == VDF_APLIC_NO_ADDRESS)
        return vdf_fail(err, EINVAL, "addr/aplic has to be set where there are sources");

    for (uint32_t h = 0; h < aplic->n_harts; h++) {
        int ret = check_hart(aplic, h, err);
        if (ret < 0)
            return ret;
    }
    return 0;
}

static int compare_index(const void *a, const void *b)
{
    const struct vdf_aplic_index *x = a, *y = b;

    if (x->hart_index != y->hart_index)
        return x->hart_index < y->hart_index ? -1 : 1;
    return x->hart < y->hart ? -1 : x->hart > y->hart;
}

uint32_t vdf_aplic_hart_index(const struct vdf_aplic *aplic, uint64_t address)
{
    uint64_t group = address >> aplic->group_shift & low_bits(aplic->group_bits);
    uint64_t number =
        address >> (aplic->guest_bits + VDF_IMSIC_PAGE_SHIFT) & low_bits(aplic->hart_bits);

    return (uint32_t)(group << aplic->hart_bits | number);
}

static void index_harts(struct vdf_aplic *aplic)
{
    for (uint32_t h = 0; h < aplic->n_harts; h++) {
        struct vdf_aplic_hart *hart = &aplic->harts[h];

        hart->hart_index = vdf_aplic_hart_index(aplic, hart->address);
        aplic->by_index[h] = (struct vdf_aplic_index){ .hart_index = hart->hart_index, .hart = h };
    }
    if (aplic->n_harts > 1)
        qsort(aplic->by_index, aplic->n_harts, sizeof(*aplic->by_index), compare_index);
}

int vdf_aplic_check_init(const struct vdf_aplic *aplic, struct vdf_err *err)
{
    if (aplic->initialised)
        return vdf_fail(err, EBUSY, "the device is initialised");
    /* KVM's conditions are about MSIs; direct delivery needs neither identities nor addresses. */
    return vdf_aplic_direct(aplic) ? 0 : check_msi_delivery(aplic, err);
}

void vdf_aplic_initialise(struct vdf_aplic *aplic)
{
    if (!vdf_aplic_direct(aplic))
        index_harts(aplic);
    aplic->initialised = 1;
}

int vdf_aplic_init(struct vdf_aplic *aplic, struct vdf_err *err)
{
    int ret = vdf_aplic_check_init(aplic, err);

    if (ret == 0)
        vdf_aplic_initialise(aplic);
    return ret;
}

int vdf_aplic_put_init(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    return vdf_aplic_init(at->priv, err);
}

int vdf_aplic_restore_initialised(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    return value ? vdf_aplic_init(at->priv, err) : 0;
}
