/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interrupt sources. */
#ifndef VDF_APLIC_SOURCE_H
#define VDF_APLIC_SOURCE_H

#include "aplic.h"

/* Modes 2 and 3 are reserved (AIA 4.5.2). */
static inline bool vdf_aplic_is_mode(uint32_t mode)
{
    return mode <= VDF_SM_DETACHED || mode >= VDF_SM_EDGE_RISE;
}

/** vdf_aplic_rectified() - the rectified input value of a source. */
bool vdf_aplic_rectified(const struct vdf_aplic *aplic, uint32_t n);
/** vdf_aplic_copies_input() - is the pending bit of the source a copy of its rectified input? */
bool vdf_aplic_copies_input(const struct vdf_aplic *aplic, uint32_t n);

/* Writes by number, with the rules of the register. A number that is no source is ignored. */
void vdf_aplic_write_pending(struct vdf_aplic *aplic, uint32_t n, bool pending);
void vdf_aplic_write_enabled(struct vdf_aplic *aplic, uint32_t n, bool enabled);
void vdf_aplic_write_sourcecfg(struct vdf_aplic *aplic, uint32_t n, uint32_t value);
void vdf_aplic_write_target(struct vdf_aplic *aplic, uint32_t n, uint32_t value);

/** vdf_aplic_settle() - direct delivery: give the bits of a source the values that AIA 4.5.2 and 4.7
 *  prescribe for its mode and input. */
void vdf_aplic_settle(struct vdf_aplic *aplic, uint32_t n);

/** vdf_aplic_wire() - KVM_IRQ_LINE: -EBUSY before init, -ENODEV where @n is no source. */
int vdf_aplic_wire(struct vdf_aplic *aplic, uint32_t n, bool level, struct vdf_err *err);

/** vdf_aplic_update() - after a register write: forward or signal all sources that are due. */
void vdf_aplic_update(struct vdf_aplic *aplic);

#endif
