/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Set-up and end of adapter event notification. */
#ifndef VDF_GAIT_AEN_H
#define VDF_GAIT_AEN_H

#include "gait.h"

int vdf_gait_enable(struct gait *gait, struct vdf_err *err);
int vdf_gait_disable(struct gait *gait, struct vdf_err *err);
/** vdf_gait_rearm() - SIC: single-interruption mode for the ISC of the AIPB. -EIO. */
int vdf_gait_rearm(struct gait *gait);
/** vdf_gait_restored_aen() - refuse a state that no set-up leaves; allocate what a set-up does. */
int vdf_gait_restored_aen(struct gait *gait, struct vdf_err *err);

#endif
