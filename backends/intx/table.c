/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tables of the bus and of the device, and the life of both. */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <virtdevfs/iommufd.h>

#include "intx.h"
#include "vfio.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* --- device: rules of its values -------------------------------------------------------------- */

static uint64_t field_of(const struct vdf_at *at)
{
    const void *p = (const char *)at->priv + at->attr->field;

    return at->attr->width == 4 ? *(const uint32_t *)p : *(const uint8_t *)p;
}

/* What the handler was requested with stays as it is while the handler is there. */
static int check_disabled(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_intx_dev *dev = at->priv;

    if (dev->enabled && value != field_of(at))
        return vdf_fail(err, EBUSY, "the device is enabled: write 0 to enabled first");
    return 0;
}

static int check_guest_type(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_intx_dev *dev = at->priv;

    if (value == VDF_INTX_PIN && dev->line_is_message)
        return vdf_fail(err, EBUSY, "intx: it is attached to a slot whose irq is msi");
    return check_disabled(at, value, err);
}

/* What the host's own device is and how it is wired is not for us to choose. */
static int check_model(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_intx_dev *dev = at->priv;

    if (dev->backend == VDF_INTX_VFIO && dev->linked && value != field_of(at))
        return vdf_fail(err, EOPNOTSUPP, "%" PRIu64 ": %s of a device of the host is as it is",
                        value, at->attr->path);
    return check_disabled(at, value, err);
}

static int check_line(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    if (value >= VDF_INTX_LINES)
        return vdf_fail(err, EINVAL, "%" PRIu64 ": lines are 0 to %u", value, VDF_INTX_LINES - 1);
    return check_model(at, value, err);
}

static int set_line(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    vdf_intx_rewire(at->priv, (uint32_t)value);
    return 0;
}

static int restore_line(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_intx_dev *dev = at->priv;
    int ret = check_line(at, value, err);

    if (ret == 0)
        dev->line = (uint32_t)value;
    return ret;
}

/* A number of the state goes where it came from, without the consequences of a write. */
static int restore_bool(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    *(bool *)((char *)at->priv + at->attr->field) = value;
    return 0;
}

static const char *const backends[] = { "soft", "vfio", NULL };
static const char *const kinds[] = { "intx", "msi", NULL };

static void choose(struct vdf_intx_dev *dev, enum vdf_intx_backend backend)
{
    dev->backend = (uint8_t)backend;
    vdf_obj_set_live(dev->priv.obj, backend == VDF_INTX_VFIO);
    dev->ops = backend == VDF_INTX_VFIO ? &vdf_intx_vfio_ops : &vdf_intx_soft_ops;
}

static int check_backend(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_intx_dev *dev = at->priv;

    if (value == VDF_INTX_VFIO && dev->linked && !dev->host[0])
        return vdf_fail(err, ENODEV,
                        "vfio: write the PCI address of a device that is bound to vfio-pci to host "
                        "first");
    if (value != dev->backend && dev->attached)
        return vdf_fail(err, EBUSY, "the device is attached to a VM: detach it first");
    return check_disabled(at, value, err);
}

/* An unlinked device only notes what it is to be: it takes over what the one before it has open. */
static int set_backend(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_intx_dev *dev = at->priv;

    if (!dev->linked || (value == dev->backend && (value == VDF_INTX_SOFT || dev->vfio))) {
        choose(dev, value);
        return 0;
    }
    if (value == VDF_INTX_SOFT) {
        vdf_intx_vfio_end(dev);
        dev->asserted = false;
        choose(dev, VDF_INTX_SOFT);
        vdf_intx_join(dev, dev->line);
        return 0;
    }
    int ret = vdf_intx_vfio_begin(dev, err);
    if (ret < 0)
        return ret;
    if (dev->prev)
        vdf_intx_leave(dev);
    choose(dev, VDF_INTX_VFIO);
    return 0;
}

static void show_host(const struct vdf_at *at, struct vdf_buf *out)
{
    const struct vdf_intx_dev *dev = at->priv;

    vdf_buf_printf(out, "%s", dev->host);
}

static int store_host(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err)
{
    struct vdf_intx_dev *dev = at->priv;

    if (len && !vdf_vfio_is_address(text))
        return vdf_fail(err, EINVAL, "\"%.40s\": a PCI address is written 0000:00:03.0", text);
    if (dev->backend == VDF_INTX_VFIO && strcmp(text, dev->host) != 0)
        return vdf_fail(err, EBUSY, "%s is in use: write soft to backend first", dev->host);
    memcpy(dev->host, text, len + 1);
    return 0;
}

static int set_sticks(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    vdf_intx_set_sticks(at->priv, value);
    return 0;
}

static int set_quirk(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    vdf_intx_set_quirk(at->priv, (bool *)((char *)at->priv + at->attr->field), value);
    return 0;
}

static int set_enabled(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_intx_dev *dev = at->priv;

    if (value == dev->enabled)
        return 0;
    if (value)
        return dev->ops->enable(dev, err);
    dev->ops->disable(dev);
    return 0;
}

/* A device that the host has lost is in a state as it was seen last. */
static int get_asserted(const struct vdf_at *at, uint64_t *value)
{
    struct vdf_intx_dev *dev = at->priv;
    uint16_t status;

    if (dev->backend == VDF_INTX_VFIO && dev->ops->get_status(dev, &status, NULL) == 0)
        dev->asserted = status & VDF_PCI_STATUS_INTERRUPT;
    *value = dev->asserted;
    return 0;
}

static int set_asserted(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_intx_dev *dev = at->priv;

    return dev->ops->set_asserted(dev, value, err);
}

static int get_command(const struct vdf_at *at, uint64_t *value)
{
    struct vdf_intx_dev *dev = at->priv;
    uint16_t command;

    *value = dev->ops->get_command(dev, &command, NULL) == 0 ? command : dev->command;
    return 0;
}

static int set_command(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_intx_dev *dev = at->priv;

    return dev->ops->write_command(dev, (uint16_t)value, err);
}

static int restore_command(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_intx_dev *dev = at->priv;

    if (value & ~(uint64_t)VDF_PCI_COMMAND_WRITABLE)
        return vdf_fail(err, EINVAL, "0x%04" PRIx64 ": bits outside 0x%04x are always 0", value,
                        VDF_PCI_COMMAND_WRITABLE);
    dev->command = (uint16_t)value;
    return 0;
}

static int get_status(const struct vdf_at *at, uint64_t *value)
{
    struct vdf_intx_dev *dev = at->priv;
    uint16_t status = 0;
    int ret = dev->ops->get_status(dev, &status, NULL);

    *value = status;
    return ret;
}

static int get_intx_disable(const struct vdf_at *at, uint64_t *value)
{
    const struct vdf_intx_dev *dev = at->priv;

    *value = !!(dev->command & VDF_PCI_COMMAND_INTX_DISABLE);
    return 0;
}

static int set_intx_disable(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_intx_dev *dev = at->priv;

    return dev->ops->write_disable(dev, value, err);
}

static int set_guest_mask(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_intx_dev *dev = at->priv;

    return dev->ops->set_guest_mask(dev, value, err);
}

/* Bytes of the header that are the guest's own; a row's `offset` is the byte's. */
static int get_header(const struct vdf_at *at, uint64_t *value)
{
    struct vdf_intx_dev *dev = at->priv;
    uint8_t *field = (uint8_t *)at->priv + at->attr->field, byte;

    if (dev->ops->config_read(dev, &byte, 1, at->attr->offset, NULL) == 0)
        *field = byte;
    *value = *field;
    return 0;
}

static int write_ack(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_intx_dev *dev = at->priv;

    if (!value)
        return vdf_fail(err, EINVAL, "0: an EOI is written as 1");
    if (!dev->enabled)
        return vdf_fail(err, EBUSY, "the device is not enabled: write 1 to enabled first");
    if (dev->guest_type == VDF_INTX_MSI)
        return vdf_fail(err, EINVAL, "guest_type is msi: only a line (intx) has an EOI");
    return dev->ops->eoi(dev, err);
}

static int write_reset(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_intx_dev *dev = at->priv;

    if (!value)
        return vdf_fail(err, EINVAL, "0: a reset is written as 1");
    if (dev->backend == VDF_INTX_VFIO)
        return vdf_fail(err, EOPNOTSUPP,
                        "1: a device of the host is reset when it is given back: write soft to "
                        "backend");
    vdf_intx_reset(dev);
    return 0;
}

static uint64_t config_size(const struct vdf_at *at)
{
    return VDF_PCI_CONFIG_SIZE;
}

static int config_read(const struct vdf_at *at, void *bytes, size_t n, uint64_t offset,
                       struct vdf_err *err)
{
    struct vdf_intx_dev *dev = at->priv;

    return dev->ops->config_read(dev, bytes, n, offset, err);
}

static int config_write(const struct vdf_at *at, const void *bytes, size_t n, uint64_t offset,
                        struct vdf_err *err)
{
    struct vdf_intx_dev *dev = at->priv;

    return dev->ops->config_write(dev, bytes, n, offset, err);
}

static const struct vdf_raw_ops config_ops = {
    .size = config_size,
    .read = config_read,
    .write = config_write,
};

static bool has_bar(const void *priv, uint32_t number)
{
    return vdf_intx_vfio_has_bar(priv, number);
}

#define DEV(member) VDF_FIELD(struct vdf_intx_dev, member)

static const struct vdf_attr device_attrs[] = {
    { .path = "host",
      .type = VDF_TEXT,
      .flags = VDF_RW | VDF_LOCAL,
      .show = show_host,
      .store = store_host,
      .doc =
          "PCI address of a device of this host, bound to vfio-pci, as 0000:00:03.0; for backend "
          "vfio" },
    { .path = "backend",
      .type = VDF_CHOICE,
      .flags = VDF_RW | VDF_LOCAL,
      DEV(backend),
      .choices = backends,
      .check = check_backend,
      .set = set_backend,
      .doc = "who is behind the files: soft (this program), or vfio (the device that host names; "
             "ENODEV, EBUSY: errors says why it cannot be had); before enabled" },
    { .path = "line",
      .type = VDF_UINT,
      .flags = VDF_RW | VDF_SAVE,
      DEV(line),
      .check = check_line,
      .set = set_line,
      .restore = restore_line,
      .doc = "host interrupt line that the device's pin is wired to, 0..254; before enabled" },
    { .path = "pci_2_3",
      .type = VDF_BOOL,
      .flags = VDF_RW | VDF_SAVE,
      DEV(pci_2_3),
      .reset = 1,
      .check = check_model,
      .doc = "1: mask at the device (command bit 10), so that the line can be shared; 0: switch "
             "the line off, which then has to be the device's own; before enabled" },
    { .path = "intx_sticks",
      .type = VDF_BOOL,
      .flags = VDF_RW | VDF_SAVE,
      DEV(intx_sticks),
      .reset = 1,
      .check = check_model,
      .set = set_sticks,
      .restore = restore_bool,
      .doc = "0: command bit 10 reads 0 whatever is written, the probe for it fails and pci_2_3 is "
             "treated as 0; before enabled" },
    { .path = "intx_masks",
      .type = VDF_BOOL,
      .flags = VDF_RW | VDF_SAVE,
      DEV(intx_masks),
      .reset = 1,
      .check = check_model,
      .set = set_quirk,
      .restore = restore_bool,
      .doc = "0: command bit 10 holds and masks nothing, as in devices of Linux's quirk list; such "
             "a device is safe with pci_2_3 0 only; before enabled" },
    { .path = "intx_status",
      .type = VDF_BOOL,
      .flags = VDF_RW | VDF_SAVE,
      DEV(intx_status),
      .reset = 1,
      .check = check_model,
      .set = set_quirk,
      .restore = restore_bool,
      .doc = "0: status bit 3 reads 0 while the device asserts, and a handler that asks it finds "
             "nothing; before enabled" },
    { .path = "host_type",
      .type = VDF_CHOICE,
      .flags = VDF_RW | VDF_SAVE,
      DEV(host_type),
      .choices = kinds,
      .check = check_disabled,
      .doc =
          "how the host is interrupted: intx or msi, which leaves the line alone; before enabled" },
    { .path = "guest_type",
      .type = VDF_CHOICE,
      .flags = VDF_RW | VDF_SAVE,
      DEV(guest_type),
      .choices = kinds,
      .check = check_guest_type,
      .doc = "how the guest is interrupted: intx or msi, which has neither mask nor EOI; before "
             "enabled" },
    { .path = "assert",
      .type = VDF_BOOL,
      .flags = VDF_RW | VDF_SAVE,
      DEV(asserted),
      .get = get_asserted,
      .set = set_asserted,
      .restore = restore_bool,
      .doc = "the device's own interrupt condition; with vfio it is read from status, and made "
             "through bar" },
    { .path = "command",
      .type = VDF_REG,
      .flags = VDF_RW | VDF_SAVE,
      DEV(command),
      .get = get_command,
      .set = set_command,
      .restore = restore_command,
      .doc = "the device's PCI command register; a write does not announce bit 10 to the handler" },
    { .path = "status",
      .type = VDF_REG,
      .flags = VDF_R,
      .width = 2,
      .get = get_status,
      .doc = "the device's PCI status register: bit 3 is the interrupt condition, masked or not" },
    { .path = "intx_disable",
      .type = VDF_BOOL,
      .flags = VDF_RW,
      .width = 1,
      .get = get_intx_disable,
      .set = set_intx_disable,
      .doc = "bit 10 of command alone, set by whoever masked last" },
    { .path = "guest_mask",
      .type = VDF_BOOL,
      .flags = VDF_RW | VDF_SAVE,
      DEV(guest_mask),
      .set = set_guest_mask,
      .restore = restore_bool,
      .doc = "the guest's view of the mask; a write is SET_INTX_MASK and then command bit 10, and "
             "what arrived while masked is delivered on 0" },
    { .path = "masked",
      .type = VDF_BOOL,
      .flags = VDF_R | VDF_SAVE,
      DEV(masked),
      .doc = "1: command bit 10 was set by the host's handler, until the EOI" },
    { .path = "host_irq_disabled",
      .type = VDF_BOOL,
      .flags = VDF_R | VDF_SAVE,
      DEV(host_irq_disabled),
      .doc = "1: the host's handler has masked the device, or switched its line off, and waits for "
             "the EOI" },
    { .path = "guest_level",
      .type = VDF_BOOL,
      .flags = VDF_R | VDF_SAVE,
      DEV(guest_level),
      .doc = "level of the guest's interrupt line" },
    { .path = "ack",
      .type = VDF_BOOL,
      .flags = VDF_W,
      .width = 1,
      .set = write_ack,
      .doc = "1 is the guest's EOI: its line falls, the device is unmasked, and raised again if it "
             "still asserts" },
    { .path = "reset",
      .type = VDF_BOOL,
      .flags = VDF_W,
      .width = 1,
      .set = write_reset,
      .doc = "1 is a function reset, around which the interrupt is disabled and enabled again: the "
             "device asserts no more, its registers and the guest's mask are as after mkdir, and "
             "nothing is masked or pending; EOPNOTSUPP with vfio" },
    { .path = "interrupts",
      .type = VDF_UINT,
      .flags = VDF_R | VDF_SAVE,
      DEV(interrupts),
      .doc = "interrupts of the device that the host's handler took" },
    { .path = "reasserts",
      .type = VDF_UINT,
      .flags = VDF_R | VDF_SAVE,
      DEV(reasserts),
      .doc = "EOIs after which the interrupt was raised again, as the device still asserted" },
    { .path = "config",
      .type = VDF_RAW,
      .flags = VDF_RW,
      .raw = &config_ops,
      .doc = "configuration space as the guest has it, 256 bytes: command bit 10 is the guest's "
             "own, and changing it is a write of guest_mask" },
    { .path = "bar/#",
      .type = VDF_RAW,
      .flags = VDF_RW | VDF_ACCESS,
      .range = { { .count = 6, .has = has_bar, .text = "0..5" } },
      .raw = &vdf_intx_vfio_bar_ops,
      .doc = "vfio: a base address region of the device; a read or write of 1, 2, 4 or 8 bytes, "
             "aligned, is one access of the device's registers, others are EOPNOTSUPP" },
    { .path = "pending",
      .type = VDF_BOOL,
      .flags = VDF_NO_FILE | VDF_SAVE,
      DEV(pending),
      .doc = "a message came while the guest's INTx was masked" },
    { .path = "cache_line_size",
      .type = VDF_REG,
      .flags = VDF_NO_FILE | VDF_SAVE,
      DEV(cache_line_size),
      .get = get_header,
      .offset = 0x0c,
      .doc = "configuration space byte 0x0c" },
    { .path = "latency_timer",
      .type = VDF_REG,
      .flags = VDF_NO_FILE | VDF_SAVE,
      DEV(latency_timer),
      .get = get_header,
      .offset = 0x0d,
      .doc = "configuration space byte 0x0d" },
    { .path = "interrupt_line",
      .type = VDF_REG,
      .flags = VDF_NO_FILE | VDF_SAVE,
      DEV(interrupt_line),
      .get = get_header,
      .offset = 0x3c,
      .doc = "configuration space byte 0x3c; the number of the line until the guest writes it" },
    { .path = "enabled",
      .type = VDF_BOOL,
      .flags = VDF_RW | VDF_SAVE,
      DEV(enabled),
      .set = set_enabled,
      .restore = restore_bool,
      .doc = "1 requests the host's interrupt (EBUSY: a line that cannot be shared) and connects "
             "the guest's; 0 leaves command bit 10 set in a device that can share its line" },
};

/* --- device: life ----------------------------------------------------------------------------- */

static int device_create(struct vdf_obj *obj, struct vdf_err *err)
{
    struct vdf_intx_dev *dev = vdf_obj_priv(obj);

    dev->bus = vdf_obj_priv(vdf_obj_parent(obj));
    choose(dev, VDF_INTX_SOFT);
    return vdf_intx_make_lines(dev->bus, err);
}

/* A restored device has been wired when its line was known. */
static int device_start(struct vdf_obj *obj, bool fresh, struct vdf_err *err)
{
    struct vdf_intx_dev *dev = vdf_obj_priv(obj);

    if (fresh)
        vdf_intx_join(dev, dev->line);
    dev->linked = true;
    if (dev->backend == VDF_INTX_VFIO)
        vdf_intx_vfio_apply(dev);
    return 0;
}

static void device_stop(struct vdf_obj *obj)
{
    struct vdf_intx_dev *dev = vdf_obj_priv(obj);

    dev->linked = false;
}

static void device_destroy(struct vdf_obj *obj)
{
    struct vdf_intx_dev *dev = vdf_obj_priv(obj);

    vdf_intx_vfio_end(dev);
    if (dev->prev)
        vdf_intx_leave(dev);
}

static int device_remove(struct vdf_obj *obj, struct vdf_err *err)
{
    struct vdf_intx_dev *dev = vdf_obj_priv(obj);

    if (dev->enabled)
        dev->ops->disable(dev);
    return 0;
}

/* What the handler, the EOI and the masks can leave behind, and nothing else. */
static int device_restored(struct vdf_obj *obj, struct vdf_err *err)
{
    struct vdf_intx_dev *dev = vdf_obj_priv(obj);
    bool disabled = dev->command & VDF_PCI_COMMAND_INTX_DISABLE;
    bool pin = dev->host_type == VDF_INTX_PIN;
    bool guest_pin = dev->guest_type == VDF_INTX_PIN;

    if (disabled && !dev->intx_sticks)
        return vdf_fail(err, EINVAL, "command has bit 10 set and intx_sticks is 0: it cannot hold");
    if (!dev->enabled &&
        (dev->masked || dev->host_irq_disabled || dev->guest_level || dev->pending))
        return vdf_fail(err, EINVAL,
                        "masked, host_irq_disabled, guest_level and pending are 0 in a "
                        "device that is not enabled");
    if (dev->masked && !(pin && disabled && dev->host_irq_disabled && vdf_intx_shares(dev)))
        return vdf_fail(err, EINVAL,
                        "masked is 1: that needs host_type intx, pci_2_3, command bit 10 "
                        "and host_irq_disabled");
    if (dev->host_irq_disabled && !pin)
        return vdf_fail(err, EINVAL, "host_irq_disabled is 1: that needs host_type intx");
    if (dev->guest_level && (!guest_pin || dev->guest_mask))
        return vdf_fail(err, EINVAL,
                        "guest_level is 1: that needs guest_type intx and guest_mask 0");
    if (dev->pending && (pin || !guest_pin || !dev->guest_mask))
        return vdf_fail(err, EINVAL,
                        "pending is 1: that needs host_type msi, guest_type intx and "
                        "guest_mask 1");
    if (dev->backend == VDF_INTX_SOFT)
        vdf_intx_join(dev, dev->line);
    return 0;
}

/* The choice may have been changed since the state was begun to be read. What waits for the host's
 * device goes on waiting, so that a restore needs no descriptor. */
static void adopt_backend(struct vdf_intx_dev *from, struct vdf_intx_dev *to)
{
    to->vfio = from->vfio;
    from->vfio = NULL;
    memcpy(to->host, from->host, sizeof(to->host));
    if (from->backend == to->backend)
        return;
    if (to->prev)
        vdf_intx_leave(to);
    else
        vdf_intx_join(to, to->line);
    choose(to, from->backend);
}

/* The guest stays connected, and its line goes to the level that was saved. */
static void device_adopt(struct vdf_obj *obj, void *old, void *now)
{
    struct vdf_intx_dev *from = old;
    struct vdf_intx_dev *to = now;

    adopt_backend(from, to);
    to->irq = from->irq;
    to->attached = from->attached;
    to->line_is_message = from->line_is_message;
    if (to->guest_level != from->guest_level)
        vdf_irq_set(&to->irq, to->guest_level);
}

const struct vdf_class vdf_intx_device_class = {
    .name = "intx-device",
    .title = "assigned PCI device",
    .attrs = device_attrs,
    .n_attrs = COUNT(device_attrs),
    .priv_size = sizeof(struct vdf_intx_dev),
    .create = device_create,
    .start = device_start,
    .stop = device_stop,
    .destroy = device_destroy,
    .restored = device_restored,
    .remove = device_remove,
    .adopt = device_adopt,
    .guest = &vdf_intx_guest_ops,
};

/* --- bus -------------------------------------------------------------------------------------- */

static bool has_line(const void *priv, uint32_t number)
{
    return vdf_intx_line_used(priv, number);
}

static struct vdf_intx_line *line_at(const struct vdf_at *at)
{
    const struct vdf_intx_bus *bus = at->priv;

    assert(bus->lines && at->i < VDF_INTX_LINES);
    return &bus->lines[at->i];
}

static int get_level(const struct vdf_at *at, uint64_t *value)
{
    *value = vdf_intx_line_level(line_at(at));
    return 0;
}

static int get_sharers(const struct vdf_at *at, uint64_t *value)
{
    *value = vdf_intx_line_sharers(line_at(at));
    return 0;
}

static int get_host(const struct vdf_at *at, uint64_t *value)
{
    *value = line_at(at)->host;
    return 0;
}

static int set_host(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_intx_dev *owner = vdf_intx_line_owner(line_at(at));

    if (value && owner)
        return vdf_fail(err, EBUSY, "line %u belongs to device %s, which cannot share it", at->i,
                        vdf_obj_name(owner->priv.obj));
    vdf_intx_line_host(at->priv, at->i, value);
    return 0;
}

#define LINE_COUNT(name)                                            \
    static int get_##name(const struct vdf_at *at, uint64_t *value) \
    {                                                               \
        *value = line_at(at)->name;                                 \
        return 0;                                                   \
    }
LINE_COUNT(raised)
LINE_COUNT(handled)
LINE_COUNT(spurious)
#undef LINE_COUNT

/*
 * The state has rows of its own for the lines: theirs are there before anything is on a line, so
 * that the order in which lines and devices are restored does not matter.
 */
#define LINE_SAVED(name, type)                                                              \
    static int save_##name(const struct vdf_at *at, uint64_t *value)                        \
    {                                                                                       \
        const struct vdf_intx_bus *bus = at->priv;                                          \
        *value = bus->lines ? bus->lines[at->i].name : 0;                                   \
        return 0;                                                                           \
    }                                                                                       \
    static int restore_##name(const struct vdf_at *at, uint64_t value, struct vdf_err *err) \
    {                                                                                       \
        struct vdf_intx_bus *bus = at->priv;                                                \
        int ret = vdf_intx_make_lines(bus, err);                                            \
        if (ret == 0)                                                                       \
            bus->lines[at->i].name = (type)value;                                           \
        return ret;                                                                         \
    }
static uint32_t used_lines(const void *priv)
{
    return ((const struct vdf_intx_bus *)priv)->lines ? VDF_INTX_LINES : 0;
}

LINE_SAVED(host, bool)
LINE_SAVED(raised, uint64_t)
LINE_SAVED(handled, uint64_t)
LINE_SAVED(spurious, uint64_t)
#undef LINE_SAVED

static const struct vdf_objects devices = {
    .cls = &vdf_intx_device_class,
    .text = "NAME",
};

#define LINES .range = { { .count = VDF_INTX_LINES, .has = has_line, .text = "0..254" } }

#define SAVED_LINES .range = { { .count = VDF_INTX_LINES, .used = used_lines } }

static const struct vdf_attr bus_attrs[] = {
    { .path = "devices",
      .type = VDF_OBJECTS,
      .objects = &devices,
      .doc = "devices assigned to guests; mkdir gives a PCI 2.3 device on line 0, not enabled" },
    { .path = "lines/#/host",
      .type = VDF_BOOL,
      .flags = VDF_RW,
      .width = 1,
      LINES,
      .get = get_host,
      .set = set_host,
      .doc = "a host device of the same line, not assigned: 1 while it asserts, and it is on the "
             "line so long" },
    { .path = "lines/#/level",
      .type = VDF_BOOL,
      .flags = VDF_R,
      .width = 1,
      LINES,
      .get = get_level,
      .doc = "OR of what is on the line; its files are there while something is" },
    { .path = "lines/#/raised",
      .type = VDF_UINT,
      .flags = VDF_R,
      .width = 8,
      LINES,
      .get = get_raised,
      .doc = "interrupts: one each time an input rises, or the line is enabled again while high" },
    { .path = "lines/#/handled",
      .type = VDF_UINT,
      .flags = VDF_R,
      .width = 8,
      LINES,
      .get = get_handled,
      .doc = "interrupts that at least one handler claimed, the host device's own included" },
    { .path = "lines/#/spurious",
      .type = VDF_UINT,
      .flags = VDF_R,
      .width = 8,
      LINES,
      .get = get_spurious,
      .doc = "interrupts that nobody claimed" },
    { .path = "lines/#/sharers",
      .type = VDF_UINT,
      .flags = VDF_R,
      .width = 4,
      LINES,
      .get = get_sharers,
      .doc = "handlers on the line: enabled devices with host_type intx, and the host device while "
             "it asserts" },
    { .path = "line/#/host",
      .type = VDF_BOOL,
      .flags = VDF_NO_FILE | VDF_SAVE,
      .width = 1,
      SAVED_LINES,
      .get = save_host,
      .restore = restore_host,
      .doc = "the host's own device asserts the line" },
    { .path = "line/#/raised",
      .type = VDF_UINT,
      .flags = VDF_NO_FILE | VDF_SAVE,
      .width = 8,
      SAVED_LINES,
      .get = save_raised,
      .restore = restore_raised,
      .doc = "interrupts of the line" },
    { .path = "line/#/handled",
      .type = VDF_UINT,
      .flags = VDF_NO_FILE | VDF_SAVE,
      .width = 8,
      SAVED_LINES,
      .get = save_handled,
      .restore = restore_handled,
      .doc = "interrupts that were claimed" },
    { .path = "line/#/spurious",
      .type = VDF_UINT,
      .flags = VDF_NO_FILE | VDF_SAVE,
      .width = 8,
      SAVED_LINES,
      .get = save_spurious,
      .restore = restore_spurious,
      .doc = "interrupts that were not" },
};

static void bus_destroy(struct vdf_obj *obj)
{
    struct vdf_intx_bus *bus = vdf_obj_priv(obj);

    vdf_intx_free_lines(bus);
}

static int check_restored_line(const struct vdf_intx_bus *bus, uint32_t number, struct vdf_err *err)
{
    const struct vdf_intx_line *line = &bus->lines[number];
    const struct vdf_intx_dev *owner = vdf_intx_line_owner(line);

    if (owner && vdf_intx_line_sharers(line) > 1)
        return vdf_fail(err, EINVAL, "line %u has device %s, which cannot share it, and others",
                        number, vdf_obj_name(owner->priv.obj));
    if (line->raised != line->handled + line->spurious)
        return vdf_fail(err, EINVAL, "line %u: raised is not handled and spurious together",
                        number);
    return 0;
}

/* A file edited by hand may have an interrupt that no handler has seen: it comes now. */
static void take_unseen(struct vdf_intx_line *line)
{
    for (const struct vdf_intx_dev *dev = line->first; dev; dev = dev->next) {
        if (!vdf_intx_listens(dev))
            continue;
        if (vdf_intx_shares(dev) ? vdf_intx_claims(dev) : vdf_intx_line_level(line)) {
            vdf_intx_line_interrupt(line);
            return;
        }
    }
}

static int bus_restored(struct vdf_obj *obj, struct vdf_err *err)
{
    const struct vdf_intx_bus *bus = vdf_obj_priv(obj);

    if (!bus->lines)
        return 0;
    for (uint32_t n = 0; n < VDF_INTX_LINES; n++) {
        int ret = check_restored_line(bus, n, err);
        if (ret < 0)
            return ret;
    }
    for (uint32_t n = 0; n < VDF_INTX_LINES; n++) {
        vdf_intx_line_forget_if_unused(&bus->lines[n]);
        take_unseen(&bus->lines[n]);
    }
    return 0;
}

static const struct vdf_class bus_class = {
    .name = "intx",
    .title = "INTx of assigned PCI 2.3 devices on shared lines",
    .attrs = bus_attrs,
    .n_attrs = COUNT(bus_attrs),
    .priv_size = sizeof(struct vdf_intx_bus),
    .destroy = bus_destroy,
    .restored = bus_restored,
};

const struct vdf_component vdf_intx_component = {
    .cls = &bus_class,
    .default_name = "bus0",
    .probe = &vdf_vfio_probe,
};
