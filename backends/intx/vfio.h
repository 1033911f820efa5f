/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A PCI device of this host that is bound to vfio-pci, and its kernel objects. Each function is one
 * command of the kernel; vfio_device.c decides how a command appears in the files.
 *
 *     device    VFIO's character device, bound to `iommu` and attached to an address space of that
 *               iommufd in which nothing is mapped: the device can interrupt and cannot reach
 *               memory
 *     trigger   eventfd that the kernel writes for an interrupt of the device
 *     unmask    eventfd that unmasks INTx when another party, such as KVM, writes it; -1: none
 *     request   eventfd that the kernel writes when it wants the device back
 *
 * The kernel owns the registers and the mask. VFIO has no command that reads the mask, so `masked`
 * follows it here: an interrupt and VFIO_IRQ_SET_ACTION_MASK set `masked`, unmasking clears it.
 */
#ifndef VDF_INTX_VFIO_H
#define VDF_INTX_VFIO_H

#include <virtdevfs/component.h>

#define VDF_VFIO_BARS 6u

enum vdf_vfio_irq { VDF_VFIO_NO_IRQ, VDF_VFIO_INTX, VDF_VFIO_MSI };

struct vdf_intx_vfio {
    int iommu, device, trigger, unmask, request;
    uint64_t config_offset;
    struct {
        uint64_t offset, size; /* size 0: the device has no such BAR */
    } bars[VDF_VFIO_BARS];
    enum vdf_vfio_irq irq; /* the kind of interrupt that writes the trigger */
    bool masked;           /* INTx is masked at the device, or at the controller if it must be */
    bool bit10;            /* of the command register as VFIO shows it: the user's mask */
    bool unmasks;          /* INTx is enabled with `unmask` */

    struct vdf_async *on_trigger, *on_request;
};

/**
 * vdf_intx_vfio_open() - open the device @host; a failure leaves nothing open.
 *
 * Return: 0 or -errno of the step that failed: ENODEV, EBUSY, EMFILE, ...
 */
int vdf_intx_vfio_open(const char *host, struct vdf_intx_vfio **vfio, struct vdf_err *err);

/** vdf_intx_vfio_close() - release the device: interrupts off, and then the kernel restores its
 * configuration and resets it if it can. NULL is allowed. */
void vdf_intx_vfio_close(struct vdf_intx_vfio *vfio);

/** vdf_intx_vfio_irq_on() - enable interrupts of a kind. EOPNOTSUPP: the device has none. */
int vdf_intx_vfio_irq_on(struct vdf_intx_vfio *vfio, enum vdf_vfio_irq irq, bool unmasks,
                         struct vdf_err *err);

/** vdf_intx_vfio_irq_off() - disable interrupts; a device that can be masked stays masked. */
void vdf_intx_vfio_irq_off(struct vdf_intx_vfio *vfio);

/** vdf_intx_vfio_mask(), vdf_intx_vfio_unmask() - mask or unmask INTx at the device. Unmasking a
 *  device that still asserts masks it again and writes the trigger. Unmasking has no effect while
 *  bit 10 is set. */
int vdf_intx_vfio_mask(struct vdf_intx_vfio *vfio, struct vdf_err *err);
int vdf_intx_vfio_unmask(struct vdf_intx_vfio *vfio, struct vdf_err *err);

/** vdf_intx_vfio_unmask_fd() - @on: make an eventfd that unmasks; it works at once if INTx is on, else
 *  from the next vdf_intx_vfio_irq_on(). Otherwise close the eventfd. */
int vdf_intx_vfio_unmask_fd(struct vdf_intx_vfio *vfio, bool on, struct vdf_err *err);

/** vdf_intx_vfio_take() - how often the trigger was written since the last call. */
uint64_t vdf_intx_vfio_take(struct vdf_intx_vfio *vfio);

/** vdf_intx_vfio_config() - read or write configuration space; the range lies within 256 bytes. */
int vdf_intx_vfio_config_read(const struct vdf_intx_vfio *vfio, void *bytes, size_t n,
                              uint64_t offset, struct vdf_err *err);
int vdf_intx_vfio_config_write(struct vdf_intx_vfio *vfio, const void *bytes, size_t n,
                               uint64_t offset, struct vdf_err *err);

/** vdf_intx_vfio_bar() - one access of 1, 2, 4 or 8 bytes, else EOPNOTSUPP. @write: from @bytes. */
int vdf_intx_vfio_bar(const struct vdf_intx_vfio *vfio, uint32_t bar, bool write, void *bytes,
                      size_t n, uint64_t offset, struct vdf_err *err);

#endif
