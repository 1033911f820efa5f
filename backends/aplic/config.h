/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Harts, and `init`, which makes the registers exist. */
#ifndef VDF_APLIC_CONFIG_H
#define VDF_APLIC_CONFIG_H

#include "aplic.h"

/** vdf_aplic_set_harts() - make @n harts; those that stay keep their addresses. 0 or -ENOMEM. */
int vdf_aplic_set_harts(struct vdf_aplic *aplic, uint32_t n, struct vdf_err *err);

/** vdf_aplic_hart_index() - the number by which the APLIC's MSIs find an IMSIC address (AIA 3.6). */
uint32_t vdf_aplic_hart_index(const struct vdf_aplic *aplic, uint64_t address);

/** vdf_aplic_check_init() - what init would answer: 0, -EBUSY, -EINVAL or -ENOSPC. */
int vdf_aplic_check_init(const struct vdf_aplic *aplic, struct vdf_err *err);
/** vdf_aplic_initialise() - init has succeeded: the registers exist. */
void vdf_aplic_initialise(struct vdf_aplic *aplic);
/** vdf_aplic_init() - KVM_DEV_RISCV_AIA_CTRL_INIT: as vdf_aplic_check_init(); a failure changes
 *  nothing. */
int vdf_aplic_init(struct vdf_aplic *aplic, struct vdf_err *err);

#endif
