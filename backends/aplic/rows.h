/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rows of an APLIC, in the order in which a state is read back: first the values of before init,
 * then init itself, which makes the registers exist, then the registers. */
#ifndef VDF_APLIC_ROWS_H
#define VDF_APLIC_ROWS_H

#include "aplic.h"

enum vdf_aplic_row {
    /* before init */
    ROW_BACKEND,
    ROW_DELIVERY,
    ROW_HARTS,
    ROW_MODE, /* to ROW_GUEST_BITS: as KVM numbers the attributes of the group CONFIG */
    ROW_IDS,
    ROW_SRCS,
    ROW_GROUP_BITS,
    ROW_GROUP_SHIFT,
    ROW_HART_BITS,
    ROW_GUEST_BITS,
    ROW_APLIC_ADDRESS,
    ROW_IMSIC_ADDRESS,
    ROW_INIT,
    ROW_INITIALISED,
    /* the control region */
    ROW_DOMAINCFG,
    ROW_SOURCECFG,
    ROW_TARGET,
    ROW_HELD_TARGET,
    ROW_WIRE,
    ROW_SETIP,
    ROW_SETIPNUM,
    ROW_IN_CLRIP,
    ROW_CLRIPNUM,
    ROW_SETIE,
    ROW_SETIENUM,
    ROW_CLRIE,
    ROW_CLRIENUM,
    ROW_SETIPNUM_LE,
    ROW_SETIPNUM_BE,
    ROW_GENMSI,
    ROW_PENDING,
    ROW_ENABLED,
    /* interrupt files */
    ROW_EIDELIVERY,
    ROW_EITHRESHOLD,
    ROW_TOPEI,
    ROW_IMSIC_PENDING,
    ROW_IMSIC_ENABLED,
    ROW_EIP,
    ROW_EIE,
    ROW_HELD_EIP,
    ROW_HELD_EIE,
    ROW_SIGNAL_MSI,
    ROW_MSI,
    /* direct delivery */
    ROW_IDELIVERY,
    ROW_IFORCE,
    ROW_ITHRESHOLD,
    ROW_TOPI,
    ROW_CLAIMI,
    ROW_REGS,
    N_ROWS
};

extern const struct vdf_attr vdf_aplic_rows[N_ROWS];

/** vdf_aplic_row() - the row of a hook. */
static inline enum vdf_aplic_row vdf_aplic_row(const struct vdf_at *at)
{
    return (enum vdf_aplic_row)(at->attr - vdf_aplic_rows);
}

/** vdf_aplic_check_saved() - refuse (EINVAL) a saved register with bits that no write can leave in
 *  it. */
int vdf_aplic_check_saved(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
/** vdf_aplic_show_sources() - the numbers of the bits that are set, one a line. */
void vdf_aplic_show_sources(const uint32_t *words, uint32_t n_words, struct vdf_buf *out);

#endif
