/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guest's side of an APLIC. */
#ifndef VDF_APLIC_GUEST_H
#define VDF_APLIC_GUEST_H

#include <virtdevfs/guest.h>

extern const struct vdf_guest_ops vdf_aplic_guest_ops;

/** vdf_aplic_connect() - send interrupts to @irq as well; NULL: no longer. */
void vdf_aplic_connect(struct vdf_obj *obj, const struct vdf_irq *irq);

#endif
