/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An assigned device: its interrupt pin, the host's handler for it and the guest's line. */
#include <errno.h>

#include "config.h"
#include "device.h"
#include "line.h"

bool vdf_intx_shares(const struct vdf_intx_dev *dev)
{
    /* The probe writes bit 10 of the command register and checks that it holds. */
    return dev->pci_2_3 && dev->intx_sticks;
}

bool vdf_intx_listens(const struct vdf_intx_dev *dev)
{
    return dev->enabled && dev->host_type == VDF_INTX_PIN;
}

bool vdf_intx_drives(const struct vdf_intx_dev *dev)
{
    /* A function with MSI enabled may not use its pin (PCI 3.0, 6.8.1.3). */
    if (dev->enabled && dev->host_type == VDF_INTX_MSI)
        return false;
    return dev->asserted && !(dev->intx_masks && dev->command & VDF_PCI_COMMAND_INTX_DISABLE);
}

uint16_t vdf_intx_status(const struct vdf_intx_dev *dev)
{
    return dev->asserted && dev->intx_status ? VDF_PCI_STATUS_INTERRUPT : 0;
}

bool vdf_intx_claims(const struct vdf_intx_dev *dev)
{
    return vdf_intx_drives(dev) && vdf_intx_status(dev) &&
           !(dev->command & VDF_PCI_COMMAND_INTX_DISABLE);
}

/* The effects of a device on its line that make the line interrupt when they begin. */
struct pull {
    bool drives, claims;
};

static struct pull pull_of(const struct vdf_intx_dev *dev)
{
    return (struct pull){ .drives = vdf_intx_drives(dev), .claims = vdf_intx_claims(dev) };
}

/* After a change of the device's effects on its line: an input that rises interrupts. */
static void driven(struct vdf_intx_dev *dev, struct pull before)
{
    struct pull now = pull_of(dev);

    if ((now.drives && !before.drives) || (now.claims && !before.claims))
        vdf_intx_line_interrupt(vdf_intx_line_of(dev));
}

/* --- the guest's line ------------------------------------------------------------------------- */

void vdf_intx_set_guest_level(struct vdf_intx_dev *dev, bool level)
{
    if (dev->guest_level == level)
        return;
    dev->guest_level = level;
    vdf_irq_set(&dev->guest.irq, level);
}

void vdf_intx_raise_guest(struct vdf_intx_dev *dev)
{
    if (dev->guest_type == VDF_INTX_MSI) {
        /* The guest's interrupt is routed to a message: the edge sends it. */
        vdf_irq_set(&dev->guest.irq, true);
        vdf_irq_set(&dev->guest.irq, false);
    } else if (!dev->guest_mask) {
        vdf_intx_set_guest_level(dev, true);
    } else if (dev->host_type == VDF_INTX_MSI) {
        /* A pin still asserts when the guest unmasks, but a message is gone. */
        dev->pending = true;
    }
}

/* --- check and mask, check and unmask --------------------------------------------------------- */

void vdf_intx_set_bit10(struct vdf_intx_dev *dev, bool set)
{
    dev->command &= (uint16_t)~VDF_PCI_COMMAND_INTX_DISABLE;
    dev->command |= set ? VDF_PCI_COMMAND_INTX_DISABLE : 0;
}

/*
 * Command and status are one dword and are read at once, so that the answer and the bit belong
 * together. Masking succeeds only if the device asserts, unmasking only if it does not.
 */
static bool check_and_set_mask(struct vdf_intx_dev *dev, bool mask)
{
    if ((vdf_intx_status(dev) != 0) != mask)
        return false;
    vdf_intx_set_bit10(dev, mask);
    dev->masked = mask;
    return true;
}

bool vdf_intx_handle(struct vdf_intx_dev *dev)
{
    /*
     * A device whose bit 10 is set already, by this handler or by the guest, asserts without
     * driving the line: the interrupt belongs to another device.
     */
    if (vdf_intx_shares(dev) && !(vdf_intx_claims(dev) && check_and_set_mask(dev, true)))
        return false;
    /* A device that cannot be asked has the line to itself, so the interrupt is its own. */
    dev->host_irq_disabled = true;
    dev->interrupts++;
    vdf_intx_raise_guest(dev);
    return true;
}

static int eoi(struct vdf_intx_dev *dev, struct vdf_err *err)
{
    bool asserted = dev->asserted;

    vdf_intx_set_guest_level(dev, false);
    /* The EOI may belong to another device of the guest's line, or the guest masks. */
    if (dev->guest_mask || !dev->host_irq_disabled)
        return 0;
    if (vdf_intx_shares(dev)) {
        dev->host_irq_disabled = !check_and_set_mask(dev, false);
        if (dev->host_irq_disabled) {
            dev->reasserts++;
            vdf_intx_raise_guest(dev);
        }
        return 0;
    }
    dev->host_irq_disabled = false;
    if (vdf_intx_line_level(vdf_intx_line_of(dev))) {
        dev->reasserts += asserted;
        vdf_intx_line_interrupt(vdf_intx_line_of(dev));
    }
    return 0;
}

/* --- registers -------------------------------------------------------------------------------- */

static int write_command(struct vdf_intx_dev *dev, uint16_t value, struct vdf_err *err)
{
    struct pull before = pull_of(dev);

    dev->command = value & VDF_PCI_COMMAND_WRITABLE;
    if (!dev->intx_sticks)
        vdf_intx_set_bit10(dev, false);
    if (!(dev->command & VDF_PCI_COMMAND_INTX_DISABLE))
        dev->masked = false;
    driven(dev, before);
    return 0;
}

void vdf_intx_set_quirk(struct vdf_intx_dev *dev, bool *quirk, bool value)
{
    struct pull before = pull_of(dev);

    *quirk = value;
    driven(dev, before);
}

static int set_guest_mask(struct vdf_intx_dev *dev, bool mask, struct vdf_err *err)
{
    dev->guest_mask = mask;
    if (dev->enabled && dev->guest_type == VDF_INTX_PIN) {
        if (mask) {
            vdf_intx_set_guest_level(dev, false);
        } else if (dev->host_irq_disabled) {
            dev->host_irq_disabled = false;
            /* A device that shares is masked by bit 10, another one has its line switched off. */
            if (!vdf_intx_shares(dev) && vdf_intx_line_level(vdf_intx_line_of(dev)))
                vdf_intx_line_interrupt(vdf_intx_line_of(dev));
        }
    }
    write_command(dev,
                  (uint16_t)((dev->command & ~VDF_PCI_COMMAND_INTX_DISABLE) |
                             (mask ? VDF_PCI_COMMAND_INTX_DISABLE : 0)),
                  err);
    if (!mask && dev->pending) {
        dev->pending = false;
        vdf_intx_raise_guest(dev);
    }
    return 0;
}

/* --- the interrupt condition ------------------------------------------------------------------ */

static void send_message(struct vdf_intx_dev *dev)
{
    dev->interrupts++;
    vdf_intx_raise_guest(dev);
}

static int set_asserted(struct vdf_intx_dev *dev, bool asserted, struct vdf_err *err)
{
    struct pull before = pull_of(dev);
    bool rises = asserted && !dev->asserted;

    dev->asserted = asserted;
    if (rises && dev->enabled && dev->host_type == VDF_INTX_MSI)
        send_message(dev);
    else
        driven(dev, before);
    return 0;
}

void vdf_intx_rewire(struct vdf_intx_dev *dev, uint32_t number)
{
    if (number == dev->line)
        return;
    vdf_intx_leave(dev);
    vdf_intx_join(dev, number);
    /* Firmware leaves the routing in the Interrupt Line register for the driver to read. */
    dev->interrupt_line = (uint8_t)number;
    driven(dev, (struct pull){ 0 });
}

/* --- assignment ------------------------------------------------------------------------------- */

static int request_line(struct vdf_intx_dev *dev, struct vdf_err *err)
{
    const struct vdf_intx_line *line = vdf_intx_line_of(dev);
    const struct vdf_intx_dev *owner = vdf_intx_line_owner(line);

    if (owner)
        return vdf_fail(err, EBUSY, "line %u belongs to device %s, which cannot share it",
                        dev->line, vdf_obj_name(owner->priv.obj));
    if (!vdf_intx_shares(dev) && vdf_intx_line_sharers(line))
        return vdf_fail(
            err, EBUSY,
            "line %u is in use and a device without PCI 2.3 masking needs one of its own",
            dev->line);
    return 0;
}

static int enable(struct vdf_intx_dev *dev, struct vdf_err *err)
{
    if (dev->host_type == VDF_INTX_MSI) {
        dev->enabled = true;
        /* A condition that began earlier would never send its message otherwise. */
        if (dev->asserted)
            send_message(dev);
        return 0;
    }

    struct vdf_intx_line *line = vdf_intx_line_of(dev);
    bool was_on = vdf_intx_line_sharers(line);
    int ret = request_line(dev, err);
    if (ret < 0)
        return ret;
    dev->enabled = true;
    if (vdf_intx_shares(dev))
        vdf_intx_set_bit10(dev, false);
    if (was_on ? vdf_intx_drives(dev) : vdf_intx_line_level(line))
        vdf_intx_line_interrupt(line);
    return 0;
}

static void disable(struct vdf_intx_dev *dev)
{
    struct pull before = pull_of(dev);

    if (vdf_intx_shares(dev))
        vdf_intx_set_bit10(dev, true);
    dev->enabled = false;
    dev->masked = false;
    dev->host_irq_disabled = false;
    dev->pending = false;
    vdf_intx_set_guest_level(dev, false);
    driven(dev, before);
}

static int reset(struct vdf_intx_dev *dev, struct vdf_err *err)
{
    bool enabled = dev->enabled;

    if (enabled)
        disable(dev);
    dev->asserted = false;
    dev->command = 0;
    dev->cache_line_size = 0;
    dev->latency_timer = 0;
    dev->interrupt_line = (uint8_t)dev->line;
    dev->guest_mask = false;
    /* The line, its own or shared, is free for it as before. */
    return enabled ? enable(dev, err) : 0;
}

static int get_status(struct vdf_intx_dev *dev, uint16_t *value, struct vdf_err *err)
{
    *value = vdf_intx_status(dev);
    return 0;
}

const struct vdf_intx_ops vdf_intx_soft_ops = {
    .backend.name = "soft",
    .enable = enable,
    .disable = disable,
    .reset = reset,
    .set_asserted = set_asserted,
    .get_status = get_status,
    .write_command = write_command,
    .set_guest_mask = set_guest_mask,
    .eoi = eoi,
    .guest_eoi = eoi,
    .config_read = vdf_intx_config_read,
    .config_write = vdf_intx_config_write,
};
