/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * INTx of assigned PCI 2.3 devices on interrupt lines that they share: private declarations.
 *
 *     bus (intx/NAME)
 *       line 0..254      OR of what is wired to it: devices, and a device of the host's own
 *       device D         an assigned PCI function: its registers, the host's interrupt handler for
 *                        it, and the interrupt line of the guest that has it
 *
 * Locks. The bus is the device in the tree's sense, and its one lock is held whenever anything here
 * runs: every file operation, every guest access, every restore. It stands for the two locks that
 * the job needs where handlers, ioctls and EOI notifiers run in parallel:
 *
 *   - the one taken by the host's interrupt handler protects the read-modify-write of the command
 *     register, `masked` and `host_irq_disabled`; it is held over check-and-mask and over
 *     check-and-unmask, so that a device is masked exactly as long as the flag says so;
 *   - the one around the guest's side protects `guest_mask` and `guest_level`; it is held from
 *     looking at the mask to driving the line, so that the guest's line never rises after the
 *     guest's mask. Whoever needs both, as disabling the device does, takes this one first.
 *
 * Order of SET_INTX_MASK and the configuration write. The mask is announced first and bit 10 of the
 * command register is written after it, in both directions:
 *
 *   - masking: between the two an EOI may arrive. It sees `guest_mask` and leaves bit 10 alone. In
 *     the other order its check-and-unmask would clear the bit that the guest has just set.
 *   - unmasking: the device may interrupt as soon as bit 10 is clear. `guest_mask` is 0 by then, so
 *     the interrupt is delivered. In the other order it would be masked and not delivered, with no
 *     EOI to come that could unmask it.
 *
 * A write of `guest_mask`, or of bit 10 through `config`, does both in this order. A write of
 * `command` or `intx_disable` is the second half alone: the register itself, behind the handler's
 * back.
 *
 * Bit 10 has two owners, so the guest is shown its own view of it: `config` leaves out what the
 * host's handler has set. A guest that changes another bit of the command register therefore writes
 * its own bit 10 back and neither takes nor loses a mask.
 *
 * After disabling. The handler is gone, so bit 10 is set in a device that is handled as PCI 2.3:
 * one that nobody serves cannot hold a line that others share. The guest's line is low, and
 * `masked`, `host_irq_disabled` and what waited for the guest's unmask are forgotten. Enabling
 * clears bit 10 again, whatever `guest_mask` says: masking of the device is on demand, when an
 * interrupt arrives. Another device keeps driving its line; nobody is interrupted by it.
 *
 * Storms. A level-triggered line that stays high interrupts for ever. Here a line interrupts once
 * each time one of its inputs rises, and once when it is enabled again while it is high; all
 * handlers run once for it. Handlers only ever lower inputs, so the work of one write is bounded by
 * the devices on the line. An interrupt that no handler claims counts as spurious, and the line
 * stays high without further interrupts until an input rises again. A line without a handler is
 * off: it interrupts nobody, and the first handler that is requested enables it.
 *
 * Devices that break the rules. Bit 10 of the command register may hold and mask nothing
 * (`intx_masks` 0), and status bit 3 may be dead (`intx_status` 0). Linux has such devices in its
 * quirk list and does not mask them at the device, which is `pci_2_3` 0. A handler that believes
 * them all the same masks in vain, or never finds an interrupt. Where bit 10 masks nothing the line
 * interrupts as well when the handler would claim the device again, which is what a line that stays
 * high comes to.
 */
#ifndef VDF_INTX_H
#define VDF_INTX_H

#include <virtdevfs/component.h>
#include <virtdevfs/guest.h>
#include <virtdevfs/irq.h>

/* 255 in the Interrupt Line register says that nothing is connected (PCI 2.3, 6.2.4). */
#define VDF_INTX_LINES 255u

/* PCI 2.3, 6.2.2 and 6.2.3. */
#define VDF_PCI_COMMAND_INTX_DISABLE 0x0400u
#define VDF_PCI_COMMAND_WRITABLE 0x0557u
#define VDF_PCI_STATUS_INTERRUPT 0x0008u
#define VDF_PCI_CONFIG_SIZE 256u

#define VDF_INTX_HOST 31u /* characters of a PCI address, with room for a wrong one */

enum vdf_intx_backend {
    VDF_INTX_SOFT,
    VDF_INTX_VFIO,
};

enum vdf_intx_kind {
    VDF_INTX_PIN,
    VDF_INTX_MSI,
};

struct vdf_intx_line {
    struct vdf_intx_dev *first; /* what is wired to it, whether enabled or not */
    uint64_t raised, handled, spurious;
    bool host; /* a device of the host's own asserts it */
};

struct vdf_intx_bus {
    struct vdf_priv priv;
    struct vdf_intx_line *lines; /* VDF_INTX_LINES of them, made for the first device */
};

struct vdf_intx_dev {
    struct vdf_priv priv;
    struct vdf_intx_bus *bus;
    struct vdf_intx_dev *next, **prev; /* on its line */

    const struct vdf_intx_ops *ops;
    uint8_t backend; /* enum vdf_intx_backend */
    char host[VDF_INTX_HOST + 1];
    struct vdf_intx_vfio *vfio; /* NULL: not that backend, or the host has lost the device */
    bool linked;                /* it is in the tree and may wait for things */
    bool attached;              /* it has a guest */
    bool line_is_message;       /* and there its line is a message without an end */
    bool refires; /* vfio: the kernel will tell of an interrupt that was never ended */

    uint32_t line;
    uint8_t host_type, guest_type; /* enum vdf_intx_kind */
    bool pci_2_3;                  /* what the user asked for */
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
    struct vdf_irq irq; /* the guest's line */
};

/*
 * Who is behind the files of a device. `enabled`, `masked` and the like are fields of struct
 * vdf_intx_dev with either; registers are the backend's. All but disable and ended return 0 or
 * -errno and leave everything as it was then.
 */
struct vdf_intx_ops {
    int (*enable)(struct vdf_intx_dev *dev, struct vdf_err *err);
    void (*disable)(struct vdf_intx_dev *dev);
    int (*set_asserted)(struct vdf_intx_dev *dev, bool asserted, struct vdf_err *err);
    /* The registers as the device has them. */
    int (*get_command)(struct vdf_intx_dev *dev, uint16_t *value, struct vdf_err *err);
    int (*get_status)(struct vdf_intx_dev *dev, uint16_t *value, struct vdf_err *err);
    int (*write_command)(struct vdf_intx_dev *dev, uint16_t value, struct vdf_err *err);
    int (*write_disable)(struct vdf_intx_dev *dev, bool disable, struct vdf_err *err);
    int (*set_guest_mask)(struct vdf_intx_dev *dev, bool mask, struct vdf_err *err);
    /* The guest's EOI, written to a file; and of a guest that is attached. */
    int (*eoi)(struct vdf_intx_dev *dev, struct vdf_err *err);
    void (*ended)(struct vdf_intx_dev *dev);
    /* As the guest has it; the range lies within VDF_PCI_CONFIG_SIZE. */
    int (*config_read)(struct vdf_intx_dev *dev, void *bytes, size_t n, uint64_t offset,
                       struct vdf_err *err);
    int (*config_write)(struct vdf_intx_dev *dev, const void *bytes, size_t n, uint64_t offset,
                        struct vdf_err *err);
};

extern const struct vdf_intx_ops vdf_intx_soft_ops;
extern const struct vdf_intx_ops vdf_intx_vfio_ops;
extern const struct vdf_class vdf_intx_device_class;
extern const struct vdf_probe_part vdf_vfio_probe;
extern const struct vdf_guest_ops vdf_intx_guest_ops;

/* --- line.c ----------------------------------------------------------------------------------- */

/** vdf_intx_make_lines() - the lines of a bus, if it has none yet. -ENOMEM. */
int vdf_intx_make_lines(struct vdf_intx_bus *bus, struct vdf_err *err);
/** vdf_intx_free_lines() - take off what is still wired, and free them. */
void vdf_intx_free_lines(struct vdf_intx_bus *bus);
/** vdf_intx_join() - wire a device to line @number of its bus; takes no interrupt. */
void vdf_intx_join(struct vdf_intx_dev *dev, uint32_t number);
/** vdf_intx_leave() - take it off. */
void vdf_intx_leave(struct vdf_intx_dev *dev);
struct vdf_intx_line *vdf_intx_line_of(const struct vdf_intx_dev *dev);
/** vdf_intx_line_forget_if_unused() - the counts of a line end with what was on it. */
void vdf_intx_line_forget_if_unused(struct vdf_intx_line *line);
/** vdf_intx_line_used() - is anything on it? */
bool vdf_intx_line_used(const struct vdf_intx_bus *bus, uint32_t number);
bool vdf_intx_line_level(const struct vdf_intx_line *line);
/** vdf_intx_line_sharers() - handlers on the line: enabled devices, and the host's own while it
 * asserts. */
unsigned vdf_intx_line_sharers(const struct vdf_intx_line *line);
/** vdf_intx_line_owner() - the enabled device that cannot share the line, or NULL. */
const struct vdf_intx_dev *vdf_intx_line_owner(const struct vdf_intx_line *line);
/** vdf_intx_line_interrupt() - the line is high: run every handler once and count. */
void vdf_intx_line_interrupt(struct vdf_intx_line *line);
/** vdf_intx_line_host() - the host's own device asserts or stops asserting. */
void vdf_intx_line_host(struct vdf_intx_bus *bus, uint32_t number, bool level);

/* --- device.c --------------------------------------------------------------------------------- */

/** vdf_intx_shares() - is it handled as a PCI 2.3 device, which can be masked by itself? */
bool vdf_intx_shares(const struct vdf_intx_dev *dev);
/** vdf_intx_listens() - is its handler on the line? */
bool vdf_intx_listens(const struct vdf_intx_dev *dev);
/** vdf_intx_drives() - does it pull its line now? */
bool vdf_intx_drives(const struct vdf_intx_dev *dev);
/** vdf_intx_status() - the status register. */
uint16_t vdf_intx_status(const struct vdf_intx_dev *dev);
/** vdf_intx_claims() - would a handler that asks the device find its interrupt, not masked yet? */
bool vdf_intx_claims(const struct vdf_intx_dev *dev);
/** vdf_intx_handle() - the host's interrupt handler. Return: whether the interrupt was its
 * device's. */
bool vdf_intx_handle(struct vdf_intx_dev *dev);
int vdf_intx_enable(struct vdf_intx_dev *dev, struct vdf_err *err);
void vdf_intx_disable(struct vdf_intx_dev *dev);
void vdf_intx_assert(struct vdf_intx_dev *dev, bool asserted);
/** vdf_intx_rewire() - move a device that is not enabled to another line. */
void vdf_intx_rewire(struct vdf_intx_dev *dev, uint32_t number);
/** vdf_intx_write_command() - write the command register itself, behind the handler's back. */
void vdf_intx_write_command(struct vdf_intx_dev *dev, uint16_t value);
/** vdf_intx_write_disable() - the same for bit 10 alone. */
void vdf_intx_write_disable(struct vdf_intx_dev *dev, bool disable);
/** vdf_intx_set_guest_mask() - SET_INTX_MASK, and then bit 10 of the command register. */
void vdf_intx_set_guest_mask(struct vdf_intx_dev *dev, bool mask);
/** vdf_intx_eoi() - the guest's EOI on its line. */
void vdf_intx_eoi(struct vdf_intx_dev *dev);
/** vdf_intx_set_guest_level() - drive the guest's line. */
void vdf_intx_set_guest_level(struct vdf_intx_dev *dev, bool level);
/** vdf_intx_raise_guest() - tell the guest of an interrupt, unless it masks. */
void vdf_intx_raise_guest(struct vdf_intx_dev *dev);
/** vdf_intx_set_sticks() - @sticks false: bit 10 becomes one that reads 0. */
void vdf_intx_set_sticks(struct vdf_intx_dev *dev, bool sticks);

/** vdf_intx_set_quirk() - set `intx_masks` or `intx_status`. */
void vdf_intx_set_quirk(struct vdf_intx_dev *dev, bool *quirk, bool value);
/** vdf_intx_reset() - a function reset, between disabling and enabling if it is enabled. */
void vdf_intx_reset(struct vdf_intx_dev *dev);

/* --- vfio_device.c --------------------------------------------------------------------------- */

/** vdf_intx_vfio_begin() - take the device `host` into use, with `guest_mask` as it is. */
int vdf_intx_vfio_begin(struct vdf_intx_dev *dev, struct vdf_err *err);
/** vdf_intx_vfio_end() - give it back. */
void vdf_intx_vfio_end(struct vdf_intx_dev *dev);
/** vdf_intx_vfio_apply() - after a restore: have the kernel's device as the fields say, and report
 * what cannot be. */
void vdf_intx_vfio_apply(struct vdf_intx_dev *dev);
/** vdf_intx_vfio_has_bar() - are there files for this BAR? */
bool vdf_intx_vfio_has_bar(const struct vdf_intx_dev *dev, uint32_t bar);
extern const struct vdf_raw_ops vdf_intx_vfio_bar_ops;

/* --- config.c --------------------------------------------------------------------------------- */

/** vdf_intx_config_read() - configuration space as the guest sees it; the range lies within it. */
void vdf_intx_config_read(const struct vdf_intx_dev *dev, void *bytes, size_t n, uint64_t offset);
/** vdf_intx_config_write() - as the guest writes it; read-only bits are dropped. */
void vdf_intx_config_write(struct vdf_intx_dev *dev, const void *bytes, size_t n, uint64_t offset);

#endif
