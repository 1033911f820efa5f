/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An assigned PCI function: its registers, the host's interrupt handler for it, and the interrupt
 * line of the guest that has it.
 *
 * Locks. The bus is the device in the tree's sense, and its one lock is held whenever anything here
 * runs: every file operation, every guest access, every restore. It stands for the two locks that
 * the job needs where handlers, ioctls and EOI notifiers run in parallel:
 *
 *   - The host's interrupt handler takes the first. It protects the read-modify-write of the
 *     command register, `masked` and `host_irq_disabled`. It is held over check-and-mask and over
 *     check-and-unmask, so that a device is masked exactly as long as the flag says so.
 *   - The second protects the guest's side, `guest_mask` and `guest_level`. It is held from looking
 *     at the mask to driving the line, so that the guest's line never rises after the guest's mask.
 *     Code that needs both locks, such as disabling the device, takes the second one first.
 *
 * Order of SET_INTX_MASK and the configuration write. The mask is announced first and bit 10 of the
 * command register is written after it, in both directions:
 *
 *   - masking: between the two an EOI may arrive. It sees `guest_mask` and does not change bit 10.
 *     In the other order its check-and-unmask would clear the bit that the guest has just set.
 *   - unmasking: the device may interrupt as soon as bit 10 is clear. `guest_mask` is 0 by then, so
 *     the interrupt is delivered. In the other order it would be masked and not delivered, with no
 *     EOI to come that could unmask it.
 *
 * A write of `guest_mask`, or of bit 10 through `config`, does both in this order. A write of
 * `command` or `intx_disable` does the second half only: it writes the register without telling the
 * handler.
 *
 * Bit 10 has two owners, so the guest has its own view of it: `config` does not show a mask of the
 * host's handler. A guest that changes another bit of the command register therefore writes
 * its own bit 10 back and neither takes nor loses a mask.
 *
 * After disabling. The handler is gone, so bit 10 is set in a device that is handled as PCI 2.3:
 * a device without a handler cannot hold a line that others share. The guest's line is low, and
 * `masked`, `host_irq_disabled` and `pending` are cleared. Enabling clears bit 10 again, even if
 * `guest_mask` is set: masking of the device is on demand, when an
 * interrupt arrives. Another device keeps driving its line; nobody is interrupted by it.
 *
 * Devices that break the rules. Bit 10 of the command register may hold and mask nothing
 * (`intx_masks` 0), and status bit 3 may be dead (`intx_status` 0). Linux has such devices in its
 * quirk list and does not mask them at the device, which is `pci_2_3` 0. A handler that believes
 * them all the same masks in vain, or never finds an interrupt. Where bit 10 masks nothing, the
 * line also interrupts when the handler would claim the device again, which is what a line that
 * stays high amounts to.
 */
#ifndef VDF_INTX_DEVICE_H
#define VDF_INTX_DEVICE_H

#include <virtdevfs/guest.h>

#define VDF_INTX_HOST 31u /* characters of a PCI address, with room for a wrong one */

enum vdf_intx_kind {
    VDF_INTX_PIN,
    VDF_INTX_MSI,
};

struct vdf_intx_dev {
    struct vdf_priv priv; /* with the backend of a struct vdf_intx_ops */
    struct vdf_intx_bus *bus;
    struct vdf_intx_dev *next, **prev; /* on its line; prev is NULL while it is not wired */

    char host[VDF_INTX_HOST + 1];
    struct vdf_intx_vfio *vfio; /* NULL: not that backend, or the host has lost the device */
    bool linked;                /* it is in the tree, and its backend may wait for events */
    bool refires;               /* vfio: the kernel signals an interrupt that was never ended */
    struct vdf_guest guest;     /* of a machine, while it is attached */

    uint32_t line;
    uint8_t host_type, guest_type; /* enum vdf_intx_kind */
    bool pci_2_3;                  /* as the user wants it */
    bool intx_sticks;              /* command bit 10 can be set */
    bool intx_masks;               /* and masks the pin then */
    bool intx_status;              /* status bit 3 shows the interrupt condition */
    bool enabled;

    bool asserted; /* the device's interrupt condition: status bit 3 */
    uint16_t command;
    uint8_t cache_line_size, latency_timer, interrupt_line;

    bool masked;            /* bit 10 was set by the host's handler */
    bool host_irq_disabled; /* the handler has run and waits for the EOI */
    bool guest_mask;
    bool guest_level;
    bool pending; /* a message came while the guest's INTx was masked */
    uint64_t interrupts, reasserts;
};

/*
 * The backend of a device: this program's model (soft), or a device of the host (vfio). `enabled`,
 * `masked` and the like are fields of struct vdf_intx_dev with either; the registers belong to the
 * backend. Functions that return an int return 0 or -errno; a failure changes nothing.
 */
struct vdf_intx_ops {
    struct vdf_backend backend;
    int (*enable)(struct vdf_intx_dev *dev, struct vdf_err *err);
    void (*disable)(struct vdf_intx_dev *dev);
    int (*reset)(struct vdf_intx_dev *dev, struct vdf_err *err);
    int (*set_asserted)(struct vdf_intx_dev *dev, bool asserted, struct vdf_err *err);
    /* Copy the registers to the fields; they stay as they are where the device is lost. NULL: the
     * fields are the registers. */
    void (*refresh)(struct vdf_intx_dev *dev);
    int (*get_status)(struct vdf_intx_dev *dev, uint16_t *value, struct vdf_err *err);
    int (*write_command)(struct vdf_intx_dev *dev, uint16_t value, struct vdf_err *err);
    int (*set_guest_mask)(struct vdf_intx_dev *dev, bool mask, struct vdf_err *err);
    /* The guest's EOI: written to a file, and of a guest that is attached. */
    int (*eoi)(struct vdf_intx_dev *dev, struct vdf_err *err);
    int (*guest_eoi)(struct vdf_intx_dev *dev, struct vdf_err *err);
    /* As the guest has it; the range lies within VDF_PCI_CONFIG_SIZE. */
    int (*config_read)(struct vdf_intx_dev *dev, void *bytes, size_t n, uint64_t offset,
                       struct vdf_err *err);
    int (*config_write)(struct vdf_intx_dev *dev, const void *bytes, size_t n, uint64_t offset,
                        struct vdf_err *err);
};

extern const struct vdf_intx_ops vdf_intx_soft_ops;
extern const struct vdf_intx_ops vdf_intx_vfio_ops;
extern const struct vdf_class vdf_intx_device_class;
extern const struct vdf_guest_ops vdf_intx_guest_ops;

static inline const struct vdf_intx_ops *vdf_intx_ops(const struct vdf_intx_dev *dev)
{
    return (const struct vdf_intx_ops *)dev->priv.backend;
}

static inline bool vdf_intx_is_vfio(const struct vdf_intx_dev *dev)
{
    return vdf_intx_ops(dev) == &vdf_intx_vfio_ops;
}

/** vdf_intx_shares() - is it handled as a PCI 2.3 device, which can be masked by itself? */
bool vdf_intx_shares(const struct vdf_intx_dev *dev);
/** vdf_intx_listens() - is its handler on the line? */
bool vdf_intx_listens(const struct vdf_intx_dev *dev);
/** vdf_intx_drives() - does it pull its line now? */
bool vdf_intx_drives(const struct vdf_intx_dev *dev);
/** vdf_intx_status() - the model's status register. */
uint16_t vdf_intx_status(const struct vdf_intx_dev *dev);
/** vdf_intx_claims() - would a handler that asks the device find its interrupt, not masked yet? */
bool vdf_intx_claims(const struct vdf_intx_dev *dev);
/** vdf_intx_handle() - the host's interrupt handler. Return: whether the interrupt was its
 *  device's. */
bool vdf_intx_handle(struct vdf_intx_dev *dev);
/** vdf_intx_rewire() - move a device that is not enabled to another line. */
void vdf_intx_rewire(struct vdf_intx_dev *dev, uint32_t number);
/** vdf_intx_set_bit10() - the INTx disable bit of the field `command`, without consequences. */
void vdf_intx_set_bit10(struct vdf_intx_dev *dev, bool set);
/** vdf_intx_set_guest_level() - drive the guest's line. */
void vdf_intx_set_guest_level(struct vdf_intx_dev *dev, bool level);
/** vdf_intx_raise_guest() - interrupt the guest, unless it masks. */
void vdf_intx_raise_guest(struct vdf_intx_dev *dev);
/** vdf_intx_set_quirk() - set `intx_masks` or `intx_status`. */
void vdf_intx_set_quirk(struct vdf_intx_dev *dev, bool *quirk, bool value);

#endif
