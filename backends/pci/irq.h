/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupts of a PCI function: INTx and MSI-X (PCI 3.0, sections 6.2.4 and 6.8.2).
 *
 * Devices call the sinks with their own locks held, so the state has a lock of its own, of rank
 * VDF_RANK_HOST. An interrupt that cannot be signalled, because the guest, the client or nobody takes
 * interrupts, waits: INTx in its level, MSI-X in the vector's pending bit.
 *
 * INTx is a level. The client is signalled once, and INTx is masked until the client unmasks, which is
 * the end of the guest's interrupt. A level that is still high is signalled again.
 */
#ifndef VDF_PCI_IRQ_H
#define VDF_PCI_IRQ_H

#include <virtdevfs/foreign.h>
#include <virtdevfs/irq.h>
#include <virtdevfs/lock.h>

#define VDF_PCI_VECTORS 2048u /* section 6.8.2.3 */
#define VDF_PCI_VECTOR_BYTES 16u

struct vdf_pci_vector {
    uint64_t address;
    uint32_t data;
    bool masked, pending;
    uint64_t sent;
    struct vdf_signal *signal; /* NULL: nobody listens */
};

struct vdf_pci_irqs {
    struct vdf_lock lock;
    bool running; /* a client runs the function */

    uint32_t levels;    /* a bit for each part whose line is high */
    bool intx_disabled; /* bit 10 of the command register */
    bool intx_masked;
    uint64_t intx_sent;
    struct vdf_signal *intx;

    bool msix_enabled, msix_masked;
    unsigned n;
    struct vdf_pci_vector *vectors; /* n of them */
    uint64_t dropped;               /* messages of vectors that do not exist */
};

void vdf_pci_irqs_init(struct vdf_pci_irqs *irqs);
/** vdf_pci_irqs_free() - close the signals too. */
void vdf_pci_irqs_free(struct vdf_pci_irqs *irqs);
/** vdf_pci_irqs_resize() - have @n vectors in their reset state. 0 or -ENOMEM. */
int vdf_pci_irqs_resize(struct vdf_pci_irqs *irqs, unsigned n);
/** vdf_pci_irqs_reset() - as after a reset of the function; signals stay connected. */
void vdf_pci_irqs_reset(struct vdf_pci_irqs *irqs);
/** vdf_pci_irqs_move() - hand the signals and the levels over to the state that replaces @from. */
void vdf_pci_irqs_move(struct vdf_pci_irqs *from, struct vdf_pci_irqs *to);

/* Sinks. */
void vdf_pci_intx_set(struct vdf_pci_irqs *irqs, unsigned part, bool level);
void vdf_pci_msix_send(struct vdf_pci_irqs *irqs, uint32_t vector);

/* These signal what has been waiting and may be signalled now. */
void vdf_pci_irqs_run(struct vdf_pci_irqs *irqs, bool running);
void vdf_pci_intx_disable(struct vdf_pci_irqs *irqs, bool disabled);
void vdf_pci_intx_mask(struct vdf_pci_irqs *irqs, bool masked);
void vdf_pci_msix_enable(struct vdf_pci_irqs *irqs, bool enabled);
void vdf_pci_msix_mask_all(struct vdf_pci_irqs *irqs, bool masked);
void vdf_pci_msix_mask(struct vdf_pci_irqs *irqs, unsigned n, bool masked);
/** vdf_pci_intx_connect(), vdf_pci_msix_connect() - the signal from now on; closes the one before. */
void vdf_pci_intx_connect(struct vdf_pci_irqs *irqs, struct vdf_signal *signal);
void vdf_pci_msix_connect(struct vdf_pci_irqs *irqs, unsigned n, struct vdf_signal *signal);
/** vdf_pci_intx_trigger() - signal once, whatever the level is. */
void vdf_pci_intx_trigger(struct vdf_pci_irqs *irqs);

/** vdf_pci_msix_table() - bytes of the table's half of its base address register; the pending bits
 *  have the other half. */
uint64_t vdf_pci_msix_half(const struct vdf_pci_irqs *irqs);
uint64_t vdf_pci_msix_read(struct vdf_pci_irqs *irqs, uint64_t offset, unsigned width);
void vdf_pci_msix_write(struct vdf_pci_irqs *irqs, uint64_t offset, unsigned width, uint64_t value);

#endif
