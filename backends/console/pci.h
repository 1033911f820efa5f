/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A modern virtio device on PCI (section 4.1). */
#ifndef VDF_CONSOLE_PCI_H
#define VDF_CONSOLE_PCI_H

#include "console.h"

#define VDF_CONSOLE_PCI_REGS 2u /* the window of the file `pci/regs` */

uint64_t vdf_console_pci_read(struct vdf_console *con, unsigned reg);
/** vdf_console_pci_write() - @queue: the number of the queue, of a notification. */
void vdf_console_pci_write(struct vdf_console *con, unsigned reg, uint32_t queue, uint64_t value);
/** vdf_console_pci_isr() - read the ISR status as a driver does: it becomes 0, and the line falls. */
uint8_t vdf_console_pci_isr(struct vdf_console *con);
/** vdf_console_pci_size() - bytes of the window, a power of two. */
uint64_t vdf_console_pci_size(const struct vdf_console *con);
/** vdf_console_pci_vectors() - vectors of MSI-X: one for each queue and one for the configuration, as
 *  far as there can be so many. */
uint32_t vdf_console_pci_vectors(const struct vdf_console *con);

/** vdf_console_pci_possible() - refuse a device with more queues than the registers can number. */
int vdf_console_pci_possible(const struct vdf_console *con, struct vdf_err *err);
/** vdf_console_pci_restored() - check the vectors of a state. */
int vdf_console_pci_restored(const struct vdf_console *con, struct vdf_err *err);
int vdf_console_pci_function(const struct vdf_console *con, struct vdf_guest_function *function,
                             struct vdf_err *err);

/* Accesses of a guest. Those of the configuration space have any width and place (4.1.3.1). */
int vdf_console_pci_guest_read(struct vdf_console *con, uint64_t offset, unsigned width,
                               uint64_t *value, struct vdf_err *err);
int vdf_console_pci_guest_write(struct vdf_console *con, uint64_t offset, unsigned width,
                                uint64_t value, struct vdf_err *err);

/* Of struct vdf_console_driver. */
void vdf_console_pci_used(struct vdf_console *con, uint32_t queue);
void vdf_console_pci_configured(struct vdf_console *con);
bool vdf_console_pci_call(struct vdf_console *con);

#endif
