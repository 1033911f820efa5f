/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A device of the host behind the files: `backend` vfio.
 *
 *     device ---INTx---> vfio-pci, masks it ---trigger---> take_interrupts() ---> the guest's line
 *        ^                                                                              |
 *        +----- unmask <--- VFIO_IRQ_SET_ACTION_UNMASK <--- `ack` <---------------------+
 *                     <--- the unmask eventfd <--- KVM, at the EOI of an attached guest -+
 *
 * An interrupt that the kernel finds at unmasking comes through the trigger as any other. It is one
 * of `reasserts` when an EOI has unmasked. Where KVM's eventfd does it, the trigger may arrive
 * before the EOI does: an interrupt of a masked device always means that the device was unmasked.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>

#include "config.h"
#include "device.h"
#include "line.h"
#include "vfio.h"
#include "vfio_device.h"

static int fail_gone(const struct vdf_intx_dev *dev, struct vdf_err *err)
{
    return vdf_fail(err, ENODEV,
                    "%s was taken away from vfio-pci; write vfio to backend when it is back, or "
                    "soft",
                    dev->host);
}

/* --- registers -------------------------------------------------------------------------------- */

static int read_word(const struct vdf_intx_dev *dev, uint64_t offset, uint16_t *value,
                     struct vdf_err *err)
{
    uint8_t bytes[2];

    *value = 0; /* compilers do not see that callers ignore it after an error */
    if (!dev->vfio)
        return fail_gone(dev, err);
    int ret = vdf_intx_vfio_config_read(dev->vfio, bytes, sizeof(bytes), offset, err);
    if (ret == 0)
        *value = (uint16_t)(bytes[0] | bytes[1] << 8);
    return ret;
}

static int get_status(struct vdf_intx_dev *dev, uint16_t *value, struct vdf_err *err)
{
    int ret = read_word(dev, VDF_PCI_STATUS, value, err);

    if (ret == 0)
        dev->asserted = *value & VDF_PCI_STATUS_INTERRUPT;
    return ret;
}

static bool is_asserted(struct vdf_intx_dev *dev)
{
    uint16_t status;

    return get_status(dev, &status, NULL) == 0 && dev->asserted;
}

/* VFIO shows the guest's bit 10, which does not include a mask of the handler. */
static void refresh(struct vdf_intx_dev *dev)
{
    uint8_t header[VDF_PCI_HEADER_SIZE];
    bool bit10 = dev->command & VDF_PCI_COMMAND_INTX_DISABLE;

    if (!dev->vfio || vdf_intx_vfio_config_read(dev->vfio, header, sizeof(header), 0, NULL) < 0)
        return;
    dev->command =
        VDF_PCI_COMMAND_WRITABLE & (header[VDF_PCI_COMMAND] | header[VDF_PCI_COMMAND + 1] << 8);
    vdf_intx_set_bit10(dev, bit10);
    dev->asserted = header[VDF_PCI_STATUS] & VDF_PCI_STATUS_INTERRUPT;
    dev->cache_line_size = header[VDF_PCI_CACHE_LINE_SIZE];
    dev->latency_timer = header[VDF_PCI_LATENCY_TIMER];
    dev->interrupt_line = header[VDF_PCI_INTERRUPT_LINE];
}

static int write_command_word(struct vdf_intx_dev *dev, uint16_t value, bool bit10,
                              struct vdf_err *err)
{
    value &= VDF_PCI_COMMAND_WRITABLE & ~VDF_PCI_COMMAND_INTX_DISABLE;
    value |= bit10 ? VDF_PCI_COMMAND_INTX_DISABLE : 0;
    uint8_t bytes[2] = { (uint8_t)value, (uint8_t)(value >> 8) };
    return vdf_intx_vfio_config_write(dev->vfio, bytes, sizeof(bytes), VDF_PCI_COMMAND, err);
}

static int set_bit10(struct vdf_intx_dev *dev, bool bit10, struct vdf_err *err)
{
    uint16_t command;
    int ret = read_word(dev, VDF_PCI_COMMAND, &command, err);

    return ret < 0 ? ret : write_command_word(dev, command, bit10, err);
}

/* --- interrupts ------------------------------------------------------------------------------- */

/* Does KVM unmask at the guest's EOI? */
static bool is_unmasked_by_kvm(const struct vdf_intx_dev *dev)
{
    return dev->vfio->unmasks && dev->vfio->unmask >= 0;
}

static void take_interrupt(struct vdf_intx_dev *dev, bool again)
{
    dev->vfio->masked = true;
    dev->masked = vdf_intx_shares(dev);
    dev->host_irq_disabled = true;
    if (dev->masked)
        vdf_intx_set_bit10(dev, true);
    if (again)
        dev->reasserts++;
    else
        dev->interrupts++;
    /* An EOI of another device on the guest's line must not unmask a device that the guest masks. */
    if (dev->guest_mask && !dev->vfio->bit10)
        set_bit10(dev, true, NULL);
    vdf_intx_raise_guest(dev);
}

/* Handle the interrupts since the last call. Return: whether there were any. */
static bool take_interrupts(struct vdf_intx_dev *dev)
{
    uint64_t n = vdf_intx_vfio_take(dev->vfio);

    if (!n)
        return false;
    if (dev->vfio->irq == VDF_VFIO_MSI) {
        dev->interrupts += n;
        vdf_intx_raise_guest(dev);
    } else if (dev->vfio->irq == VDF_VFIO_INTX) {
        bool unmasked = dev->host_irq_disabled && is_unmasked_by_kvm(dev);
        if (unmasked)
            vdf_intx_set_guest_level(dev, false);
        take_interrupt(dev, unmasked || dev->refires);
        dev->refires = false;
    }
    return true;
}

/* Nothing waits for an EOI any more: bit 10 is VFIO's mask, or the guest's. */
static void forget_mask(struct vdf_intx_dev *dev)
{
    const struct vdf_intx_vfio *vfio = dev->vfio;

    dev->masked = false;
    dev->refires = false;
    vdf_intx_set_bit10(dev, vfio && (vdf_intx_shares(dev) ? vfio->masked : vfio->bit10));
}

static int eoi(struct vdf_intx_dev *dev, struct vdf_err *err)
{
    if (!dev->vfio)
        return fail_gone(dev, err);
    take_interrupts(dev);
    if (!dev->guest_mask && dev->host_irq_disabled) {
        int ret =
            dev->vfio->bit10 ? set_bit10(dev, false, err) : vdf_intx_vfio_unmask(dev->vfio, err);
        if (ret < 0)
            return ret;
        dev->host_irq_disabled = false;
        forget_mask(dev);
        /* The kernel writes the trigger for an interrupt that it finds here before the command
         * returns. A device that cannot be asked raises its line again by itself. */
        dev->refires = true;
    }
    vdf_intx_set_guest_level(dev, false);
    take_interrupts(dev);
    dev->refires = !vdf_intx_shares(dev) && dev->refires && is_asserted(dev);
    return 0;
}

/* KVM has lowered the line and written the unmask eventfd. */
static int guest_eoi(struct vdf_intx_dev *dev, struct vdf_err *err)
{
    if (!dev->vfio)
        return 0;
    /* It was opened again while the guest had it, or KVM's eventfd has nothing to unmask. */
    if (!is_unmasked_by_kvm(dev))
        return eoi(dev, err);
    /* The kernel has masked a device that asserts again, unless bit 10 is set, and writes the trigger
     * now or has written it. The number of EOIs that this call stands for does not matter then. */
    take_interrupts(dev);
    if (dev->host_irq_disabled && !dev->guest_mask && !dev->vfio->bit10 && is_asserted(dev))
        return 0;
    vdf_intx_set_guest_level(dev, false);
    if (dev->guest_mask || !dev->host_irq_disabled)
        return 0;
    dev->host_irq_disabled = false;
    dev->vfio->masked = false;
    if (dev->vfio->bit10)
        set_bit10(dev, false, NULL);
    forget_mask(dev);
    dev->refires = is_asserted(dev);
    take_interrupts(dev);
    return 0;
}

/* In the order of the model: first the announcement, then the register (see device.h). */
static int set_guest_mask(struct vdf_intx_dev *dev, bool mask, struct vdf_err *err)
{
    struct vdf_intx_vfio *vfio = dev->vfio;
    int ret = 0;

    if (!vfio)
        return fail_gone(dev, err);
    take_interrupts(dev);
    bool intx = vfio->irq == VDF_VFIO_INTX, was_masked = vfio->masked;
    if (intx)
        ret = mask ? vdf_intx_vfio_mask(vfio, err) : vdf_intx_vfio_unmask(vfio, err);
    if (ret < 0)
        return ret;
    ret = set_bit10(dev, mask, err);
    if (ret < 0) {
        if (intx && mask && !was_masked)
            vdf_intx_vfio_unmask(vfio, NULL);
        return ret;
    }
    dev->guest_mask = mask;
    if (mask) {
        vdf_intx_set_bit10(dev, true);
        if (dev->enabled && dev->guest_type == VDF_INTX_PIN)
            vdf_intx_set_guest_level(dev, false);
        return 0;
    }
    if (dev->enabled && dev->guest_type == VDF_INTX_PIN)
        dev->host_irq_disabled = false;
    forget_mask(dev);
    take_interrupts(dev);
    if (dev->pending) {
        dev->pending = false;
        vdf_intx_raise_guest(dev);
    }
    return 0;
}

static int write_command(struct vdf_intx_dev *dev, uint16_t value, struct vdf_err *err)
{
    bool disable = value & VDF_PCI_COMMAND_INTX_DISABLE;

    if (!dev->vfio)
        return fail_gone(dev, err);
    take_interrupts(dev);
    bool was = dev->command & VDF_PCI_COMMAND_INTX_DISABLE;
    if (was && !disable && dev->vfio->irq == VDF_VFIO_NO_IRQ)
        return vdf_fail(err, EBUSY,
                        "bit 10 stays set: the device is not enabled, and the host's line would "
                        "have no handler");
    if (disable == was)
        return write_command_word(dev, value, dev->vfio->bit10, err);
    /* Where the handler has set bit 10, VFIO's bit is clear: only setting it first makes a clear
     * change anything. */
    int ret = write_command_word(dev, value, true, err);
    if (ret == 0 && !disable)
        ret = write_command_word(dev, value, false, err);
    if (ret < 0)
        return ret;
    if (disable)
        vdf_intx_set_bit10(dev, true);
    else
        forget_mask(dev);
    take_interrupts(dev);
    return 0;
}

static int set_asserted(struct vdf_intx_dev *dev, bool asserted, struct vdf_err *err)
{
    if (!dev->vfio)
        return fail_gone(dev, err);
    if (asserted == is_asserted(dev))
        return 0;
    return vdf_fail(err, EOPNOTSUPP,
                    "the device decides its condition: use its registers, in bar/");
}

/* --- configuration space ---------------------------------------------------------------------- */

/* Bit 10 is the guest's own, also where VFIO's was cleared without the guest. */
static int config_read(struct vdf_intx_dev *dev, void *bytes, size_t n, uint64_t offset,
                       struct vdf_err *err)
{
    uint8_t *byte = bytes;

    if (!dev->vfio)
        return fail_gone(dev, err);
    int ret = vdf_intx_vfio_config_read(dev->vfio, bytes, n, offset, err);
    if (ret == 0 && dev->guest_mask && offset <= VDF_PCI_COMMAND + 1 &&
        offset + n > VDF_PCI_COMMAND + 1)
        byte[VDF_PCI_COMMAND + 1 - offset] |= VDF_PCI_COMMAND_INTX_DISABLE >> 8;
    return ret;
}

static int config_write(struct vdf_intx_dev *dev, const void *bytes, size_t n, uint64_t offset,
                        struct vdf_err *err)
{
    const uint8_t bit10 = VDF_PCI_COMMAND_INTX_DISABLE >> 8;
    uint8_t copy[VDF_PCI_CONFIG_SIZE];

    if (!dev->vfio)
        return fail_gone(dev, err);
    memcpy(copy, bytes, n);
    /* Bit 10 is a mask of its own and changes through set_guest_mask(); the rest is written as it is. */
    if (offset <= VDF_PCI_COMMAND + 1 && offset + n > VDF_PCI_COMMAND + 1) {
        uint8_t *high = &copy[VDF_PCI_COMMAND + 1 - offset];
        bool mask = *high & bit10;
        int ret = mask != dev->guest_mask ? set_guest_mask(dev, mask, err) : 0;
        if (ret < 0)
            return ret;
        *high = (uint8_t)((*high & ~bit10) | (dev->vfio->bit10 ? bit10 : 0));
    }
    return vdf_intx_vfio_config_write(dev->vfio, copy, n, offset, err);
}

/* --- assignment ------------------------------------------------------------------------------- */

static int irq_on(struct vdf_intx_dev *dev, struct vdf_err *err)
{
    int ret = 0;

    /* Masking is on demand, when an interrupt arrives, even if the guest masks. */
    if (dev->host_type == VDF_INTX_PIN && dev->vfio->bit10)
        ret = set_bit10(dev, false, err);
    if (ret == 0)
        ret = vdf_intx_vfio_irq_on(dev->vfio,
                                   dev->host_type == VDF_INTX_MSI ? VDF_VFIO_MSI : VDF_VFIO_INTX,
                                   dev->guest_type == VDF_INTX_PIN, err);
    if (ret == 0)
        forget_mask(dev);
    return ret;
}

/*
 * A line that was high before it had a handler interrupts, but not with every emulated interrupt
 * controller: QEMU's loses the interrupt. The kernel finds the condition when it unmasks.
 */
static void take_early(struct vdf_intx_dev *dev)
{
    if (take_interrupts(dev) || dev->vfio->irq != VDF_VFIO_INTX || dev->vfio->masked ||
        !is_asserted(dev) || vdf_intx_vfio_mask(dev->vfio, NULL) < 0)
        return;
    vdf_intx_vfio_unmask(dev->vfio, NULL);
    take_interrupts(dev);
}

static int enable(struct vdf_intx_dev *dev, struct vdf_err *err)
{
    if (!dev->vfio)
        return fail_gone(dev, err);
    int ret = irq_on(dev, err);
    if (ret < 0)
        return ret;
    dev->enabled = true;
    take_early(dev);
    return 0;
}

static void disabled(struct vdf_intx_dev *dev)
{
    dev->enabled = false;
    dev->host_irq_disabled = false;
    dev->pending = false;
    forget_mask(dev);
    vdf_intx_set_guest_level(dev, false);
}

static void disable(struct vdf_intx_dev *dev)
{
    if (dev->vfio)
        vdf_intx_vfio_irq_off(dev->vfio);
    disabled(dev);
}

static int reset(struct vdf_intx_dev *dev, struct vdf_err *err)
{
    return vdf_fail(err, EOPNOTSUPP,
                    "1: a device of the host is reset when it is released: write soft to backend");
}

const struct vdf_intx_ops vdf_intx_vfio_ops = {
    .backend.name = "vfio",
    .enable = enable,
    .disable = disable,
    .reset = reset,
    .set_asserted = set_asserted,
    .refresh = refresh,
    .get_status = get_status,
    .write_command = write_command,
    .set_guest_mask = set_guest_mask,
    .eoi = eoi,
    .guest_eoi = guest_eoi,
    .config_read = config_read,
    .config_write = config_write,
};

/* --- BARs ------------------------------------------------------------------------------------- */

bool vdf_intx_vfio_has_bar(const struct vdf_intx_dev *dev, uint32_t bar)
{
    return dev->vfio && dev->vfio->bars[bar].size;
}

static uint64_t bar_size(const struct vdf_at *at)
{
    const struct vdf_intx_dev *dev = at->priv;

    return dev->vfio ? dev->vfio->bars[at->i].size : 0;
}

static int bar_read(const struct vdf_at *at, void *bytes, size_t n, uint64_t offset,
                    struct vdf_err *err)
{
    const struct vdf_intx_dev *dev = at->priv;

    if (!dev->vfio)
        return fail_gone(dev, err);
    return vdf_intx_vfio_bar(dev->vfio, at->i, false, bytes, n, offset, err);
}

static int bar_write(const struct vdf_at *at, const void *bytes, size_t n, uint64_t offset,
                     struct vdf_err *err)
{
    struct vdf_intx_dev *dev = at->priv;

    if (!dev->vfio)
        return fail_gone(dev, err);
    int ret = vdf_intx_vfio_bar(dev->vfio, at->i, true, (void *)bytes, n, offset, err);
    /* The interrupt that a write causes has usually been handled by now. */
    if (ret == 0)
        take_interrupts(dev);
    return ret;
}

const struct vdf_raw_ops vdf_intx_vfio_bar_ops = {
    .size = bar_size,
    .read = bar_read,
    .write = bar_write,
};

/* --- life ------------------------------------------------------------------------------------- */

/* These callbacks outlive a restore, which gives the object another private structure. */

static bool on_trigger(struct vdf_obj *obj, void *ctx, uint64_t events)
{
    return take_interrupts(vdf_obj_priv(obj));
}

/* The device is being unplugged or its driver unbound, which waits until it is released. */
static bool on_request(struct vdf_obj *obj, void *ctx, uint64_t count)
{
    struct vdf_intx_dev *dev = vdf_obj_priv(obj);

    vdf_report(obj, ENODEV, "%s is taken away from vfio-pci: it is released", dev->host);
    vdf_intx_vfio_end(dev);
    disabled(dev);
    return true;
}

static int listen_to(struct vdf_intx_dev *dev, struct vdf_err *err)
{
    struct vdf_intx_vfio *vfio = dev->vfio;

    vfio->on_trigger = vdf_async_fd(dev->priv.obj, on_trigger, NULL, vfio->trigger, POLLIN);
    if (vfio->on_trigger)
        vfio->on_request = vdf_async_eventfd(dev->priv.obj, on_request, NULL, vfio->request);
    if (!vfio->on_request)
        return vdf_fail(err, errno, "the device cannot be watched: %s", vdf_errno_name(errno));
    return 0;
}

int vdf_intx_vfio_begin(struct vdf_intx_dev *dev, struct vdf_err *err)
{
    int ret = vdf_intx_vfio_open(dev->host, &dev->vfio, err);

    if (ret == 0)
        ret = listen_to(dev, err);
    if (ret == 0 && dev->guest_mask)
        ret = set_guest_mask(dev, true, err);
    if (ret < 0) {
        vdf_intx_vfio_end(dev);
        return ret;
    }
    forget_mask(dev);
    is_asserted(dev);
    return 0;
}

void vdf_intx_vfio_end(struct vdf_intx_dev *dev)
{
    if (!dev->vfio)
        return;
    vdf_async_free(dev->vfio->on_request);
    vdf_async_free(dev->vfio->on_trigger);
    vdf_intx_vfio_close(dev->vfio);
    dev->vfio = NULL;
}

/* --- after a restore -------------------------------------------------------------------------- */

static int apply_config(struct vdf_intx_dev *dev, struct vdf_err *err)
{
    const uint8_t header[2] = { dev->cache_line_size, dev->latency_timer };
    /* A bit 10 that is set by the handler, or because there is none, is not VFIO's. */
    bool bit10 = dev->enabled && dev->command & VDF_PCI_COMMAND_INTX_DISABLE &&
                 (dev->guest_mask || !dev->masked);
    int ret =
        vdf_intx_vfio_config_write(dev->vfio, header, sizeof(header), VDF_PCI_CACHE_LINE_SIZE, err);

    if (ret == 0)
        ret = vdf_intx_vfio_config_write(dev->vfio, &dev->interrupt_line, 1, VDF_PCI_INTERRUPT_LINE,
                                         err);
    if (ret == 0)
        ret = write_command_word(dev, dev->command, bit10, err);
    return ret;
}

static int apply_irq(struct vdf_intx_dev *dev, enum vdf_vfio_irq wanted, bool masked,
                     struct vdf_err *err)
{
    struct vdf_intx_vfio *vfio = dev->vfio;
    bool unmasks = dev->guest_type == VDF_INTX_PIN;

    if (vfio->irq != wanted || (wanted == VDF_VFIO_INTX && vfio->unmasks != unmasks)) {
        vdf_intx_vfio_irq_off(vfio);
        int ret = wanted ? vdf_intx_vfio_irq_on(vfio, wanted, unmasks, err) : 0;
        if (ret < 0)
            return ret;
    }
    if (wanted != VDF_VFIO_INTX || masked == vfio->masked)
        return 0;
    if (!masked)
        return vdf_intx_vfio_unmask(vfio, err);
    int ret = vdf_intx_vfio_mask(vfio, err);
    /* Interrupts from before are in the state, or come again at unmasking. */
    vdf_intx_vfio_take(vfio);
    return ret;
}

void vdf_intx_vfio_apply(struct vdf_intx_dev *dev)
{
    bool asserted = dev->asserted;
    bool masked =
        vdf_intx_shares(dev) ? dev->command & VDF_PCI_COMMAND_INTX_DISABLE : dev->host_irq_disabled;
    enum vdf_vfio_irq wanted = VDF_VFIO_NO_IRQ;
    struct vdf_err err = { 0 };

    if (dev->enabled)
        wanted = dev->host_type == VDF_INTX_MSI ? VDF_VFIO_MSI : VDF_VFIO_INTX;
    int ret = dev->vfio ? apply_config(dev, &err) : fail_gone(dev, &err);
    if (ret == 0)
        ret = apply_irq(dev, wanted, masked, &err);
    if (ret < 0) {
        vdf_report(dev->priv.obj, -ret, "not as the state has it: %.200s", err.text);
        disable(dev);
        return;
    }
    if (is_asserted(dev) != asserted)
        vdf_report(dev->priv.obj, EOPNOTSUPP,
                   "assert is %d in the state and %d in %s, whose condition is its own", asserted,
                   !asserted, dev->host);
    take_early(dev);
}
