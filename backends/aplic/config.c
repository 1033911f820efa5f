/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Harts, and `init`. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "config.h"

#define MMIO_DEVICES 1000u /* places of a VM's MMIO bus: one for the APLIC, one for each IMSIC */

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

/* --- init ------------------------------------------------------------------------------------- */

static uint64_t low_bits(uint32_t n)
{
    return (UINT64_C(1) << n) - 1;
}

/* An IMSIC address without the numbers of hart, guest and group (AIA 3.6). */
static uint64_t base_of(const struct vdf_aplic *aplic, uint64_t address)
{
    return address & ~low_bits(aplic->hart_bits + aplic->guest_bits + VDF_IMSIC_PAGE_SHIFT) &
           ~(low_bits(aplic->group_bits) << aplic->group_shift);
}

/* In KVM's order: a mistake at hart @h is found when the harts before it have their places. */
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
    /* KVM's conditions concern MSIs; direct delivery needs neither identities nor addresses. */
    return vdf_aplic_direct(aplic) ? 0 : check_msi_delivery(aplic, err);
}

void vdf_aplic_initialise(struct vdf_aplic *aplic)
{
    if (!vdf_aplic_direct(aplic))
        index_harts(aplic);
    aplic->domaincfg = VDF_DOMAINCFG_BASE | (vdf_aplic_direct(aplic) ? 0 : VDF_DOMAINCFG_DM);
    aplic->initialised = 1;
}

int vdf_aplic_init(struct vdf_aplic *aplic, struct vdf_err *err)
{
    int ret = vdf_aplic_check_init(aplic, err);

    if (ret == 0)
        vdf_aplic_initialise(aplic);
    return ret;
}
