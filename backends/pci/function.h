/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A PCI function as a client uses it.
 *
 * The functions below are for the client's thread, which holds no lock. They enter one device at a
 * time and give up with -ESHUTDOWN when @stop is set. Regions and interrupts have the numbers of
 * <linux/vfio.h>.
 */
#ifndef VDF_PCI_FUNCTION_H
#define VDF_PCI_FUNCTION_H

#include <virtdevfs/foreign.h>
#include <virtdevfs/guest.h>

struct vdf_pci;

enum {
    VDF_PCI_BARS = 6,
    VDF_PCI_ROM = 6,
    VDF_PCI_CONFIG = 7,
    VDF_PCI_VGA = 8,
    VDF_PCI_REGIONS = 9,
};

enum {
    VDF_PCI_INTX,
    VDF_PCI_MSI,
    VDF_PCI_MSIX,
    VDF_PCI_ERR,
    VDF_PCI_REQ,
    VDF_PCI_IRQS,
};

struct vdf_pci_region {
    uint64_t size; /* bytes; 0: the region does not exist */
    bool writable;
    int fd;          /* the caller's; maps memory from the region's start; -1: accesses trap */
    uint64_t offset; /* bytes, of that memory in its file */
    uint64_t maps;   /* bytes of that memory, at most `size` */
};

/** vdf_pci_region_size() - bytes of a region, below VDF_PCI_REGIONS. */
uint64_t vdf_pci_region_size(const struct vdf_pci *pci, unsigned index);
/** vdf_pci_region() - describe a region, below VDF_PCI_REGIONS. Return: 0, -ESHUTDOWN, or -errno of
 *  fcntl(2) for the descriptor. */
int vdf_pci_region(const struct vdf_pci *pci, unsigned index, struct vdf_pci_region *region,
                   const atomic_bool *stop);

/**
 * vdf_pci_read() - read @n bytes at @offset of a region, in aligned accesses of up to 8 bytes.
 * Return: 0, -EINVAL where the range is not in the region, -ESHUTDOWN, or the device's refusal.
 */
int vdf_pci_read(struct vdf_pci *pci, unsigned region, uint64_t offset, void *bytes, size_t n,
                 const atomic_bool *stop, struct vdf_err *err);
/** vdf_pci_write() - as vdf_pci_read(). Accesses before a refused one have been carried out. */
int vdf_pci_write(struct vdf_pci *pci, unsigned region, uint64_t offset, const void *bytes,
                  size_t n, const atomic_bool *stop, struct vdf_err *err);

/** vdf_pci_doorbells() - the stores to a region that eventfds announce, up to @max of them. The
 *  descriptors in @fds stay open until the function is detached. Return: their number. */
unsigned vdf_pci_doorbells(const struct vdf_pci *pci, unsigned region,
                           struct vdf_guest_doorbell *list, int *fds, unsigned max);

/** vdf_pci_irqs() - the number of interrupts of an index. */
unsigned vdf_pci_irqs(const struct vdf_pci *pci, unsigned index);
/**
 * vdf_pci_irq_connect() - signal interrupt @n of @index, below vdf_pci_irqs(), there from now on.
 * @signal: is the function's when 0 is returned; NULL: no longer. What waits is sent. A vector of
 *          MSI-X is enabled and unmasked, as a host's kernel does for its users.
 */
int vdf_pci_irq_connect(struct vdf_pci *pci, unsigned index, unsigned n, struct vdf_signal *signal,
                        const atomic_bool *stop);
/** vdf_pci_irq_disable() - disconnect all interrupts of an index, and disable MSI-X. */
int vdf_pci_irq_disable(struct vdf_pci *pci, unsigned index, const atomic_bool *stop);
/** vdf_pci_irq_mask() - mask or unmask. To unmask INTx is the end of the guest's interrupt. */
int vdf_pci_irq_mask(struct vdf_pci *pci, unsigned index, unsigned n, bool mask,
                     const atomic_bool *stop);
/** vdf_pci_irq_trigger() - signal as if the device had interrupted. */
int vdf_pci_irq_trigger(struct vdf_pci *pci, unsigned index, unsigned n, const atomic_bool *stop);
/** vdf_pci_irq_disconnect_all() - close all signals; masks and what is pending stay. */
void vdf_pci_irq_disconnect_all(struct vdf_pci *pci);

/** vdf_pci_set_space() - the memory of the client; NULL: none. No device touches the memory before
 *  once 0 has been returned. @space stays valid until the next call. */
int vdf_pci_set_space(struct vdf_pci *pci, const struct vdf_space *space, const atomic_bool *stop);
/** vdf_pci_set_running() - a client runs the function, or has stopped it: no access of memory and no
 *  interrupt while it is stopped. A function begins stopped. */
int vdf_pci_set_running(struct vdf_pci *pci, bool running, const atomic_bool *stop);
/** vdf_pci_reset() - reset the function and its devices. */
int vdf_pci_reset(struct vdf_pci *pci, const atomic_bool *stop);

/** vdf_pci_save() - append the state of the function and of its devices, as text. */
int vdf_pci_save(struct vdf_pci *pci, struct vdf_buf *out, const atomic_bool *stop);
/** vdf_pci_load() - the opposite, all or nothing. The function has moved to vfu->pci afterwards. */
int vdf_pci_load(struct vdf_pci *pci, const char *text, size_t len, const atomic_bool *stop,
                 struct vdf_err *err);

#endif
