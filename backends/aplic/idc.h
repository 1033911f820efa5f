/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Direct delivery: the interrupt delivery control (IDC) structures of the harts (AIA 4.8). */
#ifndef VDF_APLIC_IDC_H
#define VDF_APLIC_IDC_H

#include "aplic.h"

/** vdf_aplic_topi() - the highest-priority interrupt for a hart, or 0. */
uint32_t vdf_aplic_topi(const struct vdf_aplic *aplic, uint32_t hart);
/** vdf_aplic_claim() - a hardware read of claimi. */
uint32_t vdf_aplic_claim(struct vdf_aplic *aplic, uint32_t hart);
/** vdf_aplic_active_target() - the target register of a source that is active. */
uint32_t vdf_aplic_active_target(const struct vdf_aplic *aplic, uint32_t n);
/** vdf_aplic_update_line() - derive the signals to the harts and drive the line of `irq`. */
void vdf_aplic_update_line(struct vdf_aplic *aplic);

#endif
