/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interrupts of a PCI function. See irq.h. */
#include "irq.h"

#include <errno.h>
#include <stdlib.h>
#include <virtdevfs/memory.h>

#define CONTROL_MASK 1u /* of a vector's control word */

/* Offsets in an entry of the table. */
enum { ADDRESS_LOW = 0, ADDRESS_HIGH = 4, DATA = 8, CONTROL = 12 };

/* --- signalling, with the lock held ----------------------------------------------------------- */

static void update_intx(struct vdf_pci_irqs *irqs)
{
    bool active = irqs->levels && !irqs->intx_disabled && !irqs->msix_enabled && irqs->running;

    if (!active || irqs->intx_masked || !irqs->intx || vdf_signal_raise(irqs->intx) < 0)
        return;
    irqs->intx_masked = true;
    irqs->intx_sent++;
}

static void update_vector(const struct vdf_pci_irqs *irqs, struct vdf_pci_vector *vector)
{
    bool open = irqs->running && irqs->msix_enabled && !irqs->msix_masked && !vector->masked;

    if (!vector->pending || !open || !vector->signal || vdf_signal_raise(vector->signal) < 0)
        return;
    vector->pending = false;
    vector->sent++;
}

static void update_vectors(struct vdf_pci_irqs *irqs)
{
    for (unsigned n = 0; n < irqs->n; n++)
        update_vector(irqs, &irqs->vectors[n]);
}

/* --- life ------------------------------------------------------------------------------------- */

void vdf_pci_irqs_init(struct vdf_pci_irqs *irqs)
{
    vdf_lock_init(&irqs->lock, VDF_RANK_HOST);
}

static void free_vectors(struct vdf_pci_irqs *irqs)
{
    for (unsigned n = 0; n < irqs->n; n++)
        vdf_signal_close(irqs->vectors[n].signal);
    free(irqs->vectors);
    irqs->vectors = NULL;
    irqs->n = 0;
}

void vdf_pci_irqs_free(struct vdf_pci_irqs *irqs)
{
    free_vectors(irqs);
    vdf_signal_close(irqs->intx);
    vdf_lock_destroy(&irqs->lock);
}

int vdf_pci_irqs_resize(struct vdf_pci_irqs *irqs, unsigned n)
{
    struct vdf_pci_vector *vectors = n ? calloc(n, sizeof(*vectors)) : NULL;

    if (n && !vectors)
        return -ENOMEM;
    for (unsigned k = 0; k < n; k++)
        vectors[k].masked = true;
    vdf_lock(&irqs->lock);
    free_vectors(irqs);
    irqs->vectors = vectors;
    irqs->n = n;
    vdf_unlock(&irqs->lock);
    return 0;
}

void vdf_pci_irqs_reset(struct vdf_pci_irqs *irqs)
{
    vdf_lock(&irqs->lock);
    irqs->intx_disabled = false;
    irqs->intx_masked = false;
    irqs->msix_enabled = false;
    irqs->msix_masked = false;
    for (unsigned n = 0; n < irqs->n; n++) {
        struct vdf_pci_vector *vector = &irqs->vectors[n];

        vector->address = 0;
        vector->data = 0;
        vector->masked = true;
        vector->pending = false;
    }
    update_intx(irqs);
    vdf_unlock(&irqs->lock);
}

void vdf_pci_irqs_move(struct vdf_pci_irqs *from, struct vdf_pci_irqs *to)
{
    to->running = from->running;
    to->levels = from->levels;
    to->intx = from->intx;
    from->intx = NULL;
    for (unsigned n = 0; n < from->n && n < to->n; n++) {
        to->vectors[n].signal = from->vectors[n].signal;
        from->vectors[n].signal = NULL;
    }
}

/* --- changes ---------------------------------------------------------------------------------- */

void vdf_pci_intx_set(struct vdf_pci_irqs *irqs, unsigned part, bool level)
{
    vdf_lock(&irqs->lock);
    if (level)
        irqs->levels |= 1u << part;
    else
        irqs->levels &= ~(1u << part);
    update_intx(irqs);
    vdf_unlock(&irqs->lock);
}

void vdf_pci_msix_send(struct vdf_pci_irqs *irqs, uint32_t vector)
{
    vdf_lock(&irqs->lock);
    if (vector < irqs->n) {
        irqs->vectors[vector].pending = true;
        update_vector(irqs, &irqs->vectors[vector]);
    } else {
        irqs->dropped++;
    }
    vdf_unlock(&irqs->lock);
}

void vdf_pci_irqs_run(struct vdf_pci_irqs *irqs, bool running)
{
    vdf_lock(&irqs->lock);
    irqs->running = running;
    update_intx(irqs);
    update_vectors(irqs);
    vdf_unlock(&irqs->lock);
}

void vdf_pci_intx_disable(struct vdf_pci_irqs *irqs, bool disabled)
{
    vdf_lock(&irqs->lock);
    irqs->intx_disabled = disabled;
    update_intx(irqs);
    vdf_unlock(&irqs->lock);
}

void vdf_pci_intx_mask(struct vdf_pci_irqs *irqs, bool masked)
{
    vdf_lock(&irqs->lock);
    irqs->intx_masked = masked;
    update_intx(irqs);
    vdf_unlock(&irqs->lock);
}

void vdf_pci_msix_enable(struct vdf_pci_irqs *irqs, bool enabled)
{
    vdf_lock(&irqs->lock);
    irqs->msix_enabled = enabled;
    update_intx(irqs);
    update_vectors(irqs);
    vdf_unlock(&irqs->lock);
}

void vdf_pci_msix_mask_all(struct vdf_pci_irqs *irqs, bool masked)
{
    vdf_lock(&irqs->lock);
    irqs->msix_masked = masked;
    update_vectors(irqs);
    vdf_unlock(&irqs->lock);
}

void vdf_pci_msix_mask(struct vdf_pci_irqs *irqs, unsigned n, bool masked)
{
    vdf_lock(&irqs->lock);
    irqs->vectors[n].masked = masked;
    update_vector(irqs, &irqs->vectors[n]);
    vdf_unlock(&irqs->lock);
}

void vdf_pci_intx_connect(struct vdf_pci_irqs *irqs, struct vdf_signal *signal)
{
    vdf_lock(&irqs->lock);
    struct vdf_signal *before = irqs->intx;
    irqs->intx = signal;
    /* A new listener has heard of no interrupt. */
    if (signal && !before)
        irqs->intx_masked = false;
    update_intx(irqs);
    vdf_unlock(&irqs->lock);
    vdf_signal_close(before);
}

void vdf_pci_msix_connect(struct vdf_pci_irqs *irqs, unsigned n, struct vdf_signal *signal)
{
    vdf_lock(&irqs->lock);
    struct vdf_signal *before = irqs->vectors[n].signal;
    irqs->vectors[n].signal = signal;
    if (signal) {
        irqs->msix_enabled = true;
        irqs->vectors[n].masked = false;
    }
    update_vector(irqs, &irqs->vectors[n]);
    vdf_unlock(&irqs->lock);
    vdf_signal_close(before);
}

void vdf_pci_intx_trigger(struct vdf_pci_irqs *irqs)
{
    vdf_lock(&irqs->lock);
    if (irqs->intx && vdf_signal_raise(irqs->intx) == 0)
        irqs->intx_sent++;
    vdf_unlock(&irqs->lock);
}

/* --- the table and the pending bits ----------------------------------------------------------- */

uint64_t vdf_pci_msix_half(const struct vdf_pci_irqs *irqs)
{
    uint64_t half = VDF_PAGE_SIZE;

    while (half < (uint64_t)irqs->n * VDF_PCI_VECTOR_BYTES)
        half *= 2;
    return half;
}

static uint32_t table_word(const struct vdf_pci_irqs *irqs, uint64_t offset)
{
    uint64_t n = offset / VDF_PCI_VECTOR_BYTES;

    if (n >= irqs->n)
        return 0;
    switch (offset % VDF_PCI_VECTOR_BYTES) {
    case ADDRESS_LOW:
        return (uint32_t)irqs->vectors[n].address;
    case ADDRESS_HIGH:
        return (uint32_t)(irqs->vectors[n].address >> 32);
    case DATA:
        return irqs->vectors[n].data;
    default:
        return irqs->vectors[n].masked ? CONTROL_MASK : 0;
    }
}

static uint32_t pending_word(const struct vdf_pci_irqs *irqs, uint64_t offset)
{
    uint32_t word = 0;

    for (unsigned bit = 0; bit < 32; bit++) {
        uint64_t n = offset * 8 + bit;
        if (n < irqs->n && irqs->vectors[n].pending)
            word |= 1u << bit;
    }
    return word;
}

static uint32_t word_at(const struct vdf_pci_irqs *irqs, uint64_t offset)
{
    uint64_t half = vdf_pci_msix_half(irqs);

    return offset < half ? table_word(irqs, offset) : pending_word(irqs, offset - half);
}

static void set_table_word(struct vdf_pci_irqs *irqs, uint64_t offset, uint32_t value)
{
    uint64_t n = offset / VDF_PCI_VECTOR_BYTES;
    struct vdf_pci_vector *vector = n < irqs->n ? &irqs->vectors[n] : NULL;

    if (!vector)
        return;
    switch (offset % VDF_PCI_VECTOR_BYTES) {
    case ADDRESS_LOW:
        vector->address = (vector->address & ~(uint64_t)UINT32_MAX) | (value & ~3u);
        break;
    case ADDRESS_HIGH:
        vector->address = (uint64_t)value << 32 | (uint32_t)vector->address;
        break;
    case DATA:
        vector->data = value;
        break;
    default:
        vector->masked = value & CONTROL_MASK;
        update_vector(irqs, vector);
        break;
    }
}

/* Software reads and writes whole words (section 6.8.2); narrower reads give a part of the word. */
uint64_t vdf_pci_msix_read(struct vdf_pci_irqs *irqs, uint64_t offset, unsigned width)
{
    uint64_t word = offset & ~(uint64_t)3;

    vdf_lock(&irqs->lock);
    uint64_t value = word_at(irqs, word);
    if (width == 8)
        value |= (uint64_t)word_at(irqs, word + 4) << 32;
    vdf_unlock(&irqs->lock);
    return width < 4 ? value >> 8 * (offset & 3) & ((UINT64_C(1) << 8 * width) - 1) : value;
}

void vdf_pci_msix_write(struct vdf_pci_irqs *irqs, uint64_t offset, unsigned width, uint64_t value)
{
    if (width < 4 || offset >= vdf_pci_msix_half(irqs))
        return;
    vdf_lock(&irqs->lock);
    set_table_word(irqs, offset, (uint32_t)value);
    if (width == 8)
        set_table_word(irqs, offset + 4, (uint32_t)(value >> 32));
    vdf_unlock(&irqs->lock);
}
