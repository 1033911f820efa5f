/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sink of a device's interrupts. A component embeds one struct vdf_irq for each interrupt output,
 * counts and logs on its own, and then calls the sink. A machine sets the hooks when it attaches the
 * device (a KVM irqfd, an MSI). Without hooks the interrupt ends in the component's counters.
 */
#ifndef VIRTDEVFS_IRQ_H
#define VIRTDEVFS_IRQ_H

#include <stdbool.h>
#include <stdint.h>

struct vdf_irq {
    void (*set_level)(void *ctx, bool level);                    /* a line */
    void (*message)(void *ctx, uint64_t address, uint32_t data); /* an MSI */
    void *ctx;
};

/** vdf_irq_set() - drive a line; called on every change, with the device's lock held. */
static inline void vdf_irq_set(const struct vdf_irq *irq, bool level)
{
    if (irq->set_level)
        irq->set_level(irq->ctx, level);
}

/** vdf_irq_message() - send an MSI: @data to guest address @address. */
static inline void vdf_irq_message(const struct vdf_irq *irq, uint64_t address, uint32_t data)
{
    if (irq->message)
        irq->message(irq->ctx, address, data);
}

#endif
