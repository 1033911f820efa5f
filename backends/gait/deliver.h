/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Delivery of adapter events. */
#ifndef VDF_GAIT_DELIVER_H
#define VDF_GAIT_DELIVER_H

#include "function.h"

/** vdf_gait_deliver() - a registered function raises @vector. -ENOMEM, with nothing done. */
int vdf_gait_deliver(struct gait_function *function, uint32_t vector, struct vdf_err *err);

#endif
