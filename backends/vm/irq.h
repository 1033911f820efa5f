/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interrupts of a slot. */
#ifndef VDF_VM_IRQ_H
#define VDF_VM_IRQ_H

#include "slot.h"

#define VDF_VM_PINS 24u /* GSIs of the interrupt controllers; those above are MSIs of slots */

int vdf_slot_irq_connect(struct vdf_slot *slot, struct vdf_irq *irq, struct vdf_err *err);
/** vdf_slot_irq_listen() - after the device has been attached: watch the ends of interrupts. */
int vdf_slot_irq_listen(struct vdf_slot *slot, struct vdf_err *err);
void vdf_slot_irq_disconnect(struct vdf_slot *slot);
/** vdf_slot_irq_again() - the interrupt controllers are new: raise a line that is high. Exclusive. */
void vdf_slot_irq_again(struct vdf_slot *slot);
/** vdf_slot_irq_begin() - the processors exist: send the vectors that came before. Exclusive. */
void vdf_slot_irq_begin(struct vdf_slot *slot);
/** vdf_slot_irqfds() - the number of irqfds. */
unsigned vdf_slot_irqfds(const struct vdf_slot *slot);

#endif
