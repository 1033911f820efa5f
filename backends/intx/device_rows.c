/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rows of an assigned device, and its life. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <virtdevfs/iommufd.h>

#include "config.h"
#include "device.h"
#include "line.h"
#include "vfio_device.h"

enum { SOFT, VFIO }; /* choices of the row `backend` */

static int fail_enabled(struct vdf_err *err)
{
    return vdf_fail(err, EBUSY, "the device is enabled: write 0 to enabled first");
}

/* The handler was requested with these values, so they stay while the handler is there. */
static int check_disabled(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_intx_dev *dev = at->priv;

    return dev->enabled && value != vdf_row_load_field(at) ? fail_enabled(err) : 0;
}

static int check_guest_type(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_intx_dev *dev = at->priv;

    if (value == VDF_INTX_PIN && dev->guest.line_is_message)
        return vdf_fail(err, EBUSY, "intx: it is attached to a slot whose irq is msi");
    return check_disabled(at, value, err);
}

/* Hardware decides what a device of the host is and how it is wired. */
static int check_model(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_intx_dev *dev = at->priv;

    if (vdf_intx_is_vfio(dev) && dev->linked && value != vdf_row_load_field(at))
        return vdf_fail(err, EOPNOTSUPP,
                        "%" PRIu64 ": %s of a device of the host cannot be changed", value,
                        at->attr->path);
    return check_disabled(at, value, err);
}

/* A value out of range is EINVAL at any time. */
static int check_line(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    return value <= at->attr->max ? check_model(at, value, err) : 0;
}

static int set_line(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    vdf_intx_rewire(at->priv, (uint32_t)value);
    return 0;
}

static const char *const backends[] = { "soft", "vfio", NULL };
static const char *const kinds[] = { "intx", "msi", NULL };

static void choose(struct vdf_intx_dev *dev, bool vfio)
{
    vdf_obj_set_live(dev->priv.obj, vfio);
    dev->priv.backend = vfio ? &vdf_intx_vfio_ops.backend : &vdf_intx_soft_ops.backend;
}

static int get_backend(const struct vdf_at *at, uint64_t *value)
{
    *value = vdf_intx_is_vfio(at->priv) ? VFIO : SOFT;
    return 0;
}

static int check_backend(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_intx_dev *dev = at->priv;

    if (value == VFIO && dev->linked && !dev->host[0])
        return vdf_fail(err, ENODEV,
                        "vfio: write the PCI address of a device that is bound to vfio-pci to host "
                        "first");
    if (value == vdf_intx_is_vfio(dev))
        return 0;
    if (dev->guest.machine)
        return vdf_fail(err, EBUSY, "the device is attached to a VM: detach it first");
    return dev->enabled ? fail_enabled(err) : 0;
}

/* An unlinked device takes over what the device before it has open, in adopt(). */
static int set_backend(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_intx_dev *dev = at->priv;

    if (!dev->linked || (value == vdf_intx_is_vfio(dev) && (value == SOFT || dev->vfio))) {
        choose(dev, value);
        return 0;
    }
    if (value == SOFT) {
        vdf_intx_vfio_end(dev);
        dev->asserted = false;
        choose(dev, false);
        vdf_intx_join(dev, dev->line);
        return 0;
    }
    int ret = vdf_intx_vfio_begin(dev, err);
    if (ret < 0)
        return ret;
    vdf_intx_leave(dev);
    choose(dev, true);
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
    if (vdf_intx_is_vfio(dev) && strcmp(text, dev->host) != 0)
        return vdf_fail(err, EBUSY, "%s is in use: write soft to backend first", dev->host);
    memcpy(dev->host, text, len + 1);
    return 0;
}

/* A bit 10 that cannot be set reads 0. */
static void after_sticks(const struct vdf_at *at, uint64_t value)
{
    struct vdf_intx_dev *dev = at->priv;

    vdf_intx_ops(dev)->write_command(dev, dev->command, NULL);
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
        return vdf_intx_ops(dev)->enable(dev, err);
    vdf_intx_ops(dev)->disable(dev);
    return 0;
}

/* A register. A device that the host has lost has the values that were read last. */
static int get_register(const struct vdf_at *at, uint64_t *value)
{
    struct vdf_intx_dev *dev = at->priv;

    if (vdf_intx_ops(dev)->refresh)
        vdf_intx_ops(dev)->refresh(dev);
    *value = vdf_row_load_field(at);
    return 0;
}

static int set_asserted(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_intx_dev *dev = at->priv;

    return vdf_intx_ops(dev)->set_asserted(dev, value, err);
}

static int set_command(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_intx_dev *dev = at->priv;

    return vdf_intx_ops(dev)->write_command(dev, (uint16_t)value, err);
}

static int get_status(const struct vdf_at *at, uint64_t *value)
{
    struct vdf_intx_dev *dev = at->priv;
    uint16_t status = 0;
    int ret = vdf_intx_ops(dev)->get_status(dev, &status, NULL);

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

    if (vdf_intx_ops(dev)->refresh)
        vdf_intx_ops(dev)->refresh(dev);
    unsigned rest = dev->command & ~VDF_PCI_COMMAND_INTX_DISABLE;
    return vdf_intx_ops(dev)->write_command(
        dev, (uint16_t)(rest | (value ? VDF_PCI_COMMAND_INTX_DISABLE : 0)), err);
}

static int set_guest_mask(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_intx_dev *dev = at->priv;

    return vdf_intx_ops(dev)->set_guest_mask(dev, value, err);
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
    return vdf_intx_ops(dev)->eoi(dev, err);
}

static int write_reset(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_intx_dev *dev = at->priv;

    if (!value)
        return vdf_fail(err, EINVAL, "0: a reset is written as 1");
    return vdf_intx_ops(dev)->reset(dev, err);
}

static uint64_t config_size(const struct vdf_at *at)
{
    return VDF_PCI_CONFIG_SIZE;
}

static int config_read(const struct vdf_at *at, void *bytes, size_t n, uint64_t offset,
                       struct vdf_err *err)
{
    struct vdf_intx_dev *dev = at->priv;

    return vdf_intx_ops(dev)->config_read(dev, bytes, n, offset, err);
}

static int config_write(const struct vdf_at *at, const void *bytes, size_t n, uint64_t offset,
                        struct vdf_err *err)
{
    struct vdf_intx_dev *dev = at->priv;

    return vdf_intx_ops(dev)->config_write(dev, bytes, n, offset, err);
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

/* PCI 2.3, 6.2.2 and 6.2.3. */
static const struct vdf_bits command_bits[] = {
    { "IO", 0, 1, "accesses of I/O space are answered" },
    { "MEMORY", 1, 1, "accesses of memory space are answered" },
    { "MASTER", 2, 1, "the device may be a bus master" },
    { "INVALIDATE", 4, 1, "Memory Write and Invalidate may be used" },
    { "PARITY", 6, 1, "parity errors are answered" },
    { "SERR", 8, 1, "SERR# may be driven" },
    { "FAST_BACK", 9, 1, "fast back-to-back transfers may be used" },
    { "INTX_DISABLE", 10, 1, "INTx is masked" },
    { 0 },
};

static const struct vdf_bits status_bits[] = {
    { "INTERRUPT", 3, 1, "the interrupt condition, masked or not" },
    { "CAP_LIST", 4, 1, "there is a list of capabilities" },
    { "66MHZ", 5, 1, "66 MHz capable" },
    { "FAST_BACK", 7, 1, "fast back-to-back transfers are accepted" },
    { "PARITY", 8, 1, "parity error of the device as a master" },
    { "DEVSEL", 9, 2, "timing of DEVSEL#" },
    { "SIG_TARGET_ABORT", 11, 1, "target abort signaled" },
    { "REC_TARGET_ABORT", 12, 1, "target abort received" },
    { "REC_MASTER_ABORT", 13, 1, "master abort received" },
    { "SIG_SYSTEM_ERROR", 14, 1, "SERR# driven" },
    { "DETECTED_PARITY", 15, 1, "parity error detected" },
    { 0 },
};

#define DEV(member) VDF_FIELD(struct vdf_intx_dev, member)

static const struct vdf_attr rows[] = {
    { VDF_ROW(
          "host", VDF_TEXT, VDF_RW | VDF_LOCAL,
          "PCI address of a device of this host, bound to vfio-pci, as 0000:00:03.0; for backend "
          "vfio"),
      .show = show_host, .store = store_host },
    { VDF_ROW("backend", VDF_CHOICE, VDF_RW | VDF_LOCAL,
              "backend of the device: soft (this program), or vfio (the device that host names; "
              "ENODEV, EBUSY: errors says why it is not available); before enabled"),
      .width = 1, .choices = backends, .get = get_backend, .check = check_backend,
      .set = set_backend },
    { VDF_ROW("line", VDF_UINT, VDF_RW | VDF_SAVE,
              "host interrupt line that the device's pin is wired to, 0..254; before enabled"),
      DEV(line), .max = VDF_INTX_LINES - 1, .check = check_line, .set = set_line },
    { VDF_ROW("pci_2_3", VDF_BOOL, VDF_RW | VDF_SAVE,
              "1: mask at the device (command bit 10), so that the line can be shared; 0: switch "
              "the line off, which then has to be the device's own; before enabled"),
      DEV(pci_2_3), .reset = 1, .check = check_model },
    { VDF_ROW(
          "intx_sticks", VDF_BOOL, VDF_RW | VDF_SAVE,
          "0: command bit 10 always reads 0, the probe for it fails and pci_2_3 is treated as 0; "
          "before enabled"),
      DEV(intx_sticks), .reset = 1, .check = check_model, .after = after_sticks },
    { VDF_ROW(
          "intx_masks", VDF_BOOL, VDF_RW | VDF_SAVE,
          "0: command bit 10 holds and masks nothing, as in devices of Linux's quirk list; such "
          "a device is safe with pci_2_3 0 only; before enabled"),
      DEV(intx_masks), .reset = 1, .check = check_model, .set = set_quirk },
    { VDF_ROW("intx_status", VDF_BOOL, VDF_RW | VDF_SAVE,
              "0: status bit 3 reads 0 while the device asserts, and a handler that asks it finds "
              "nothing; before enabled"),
      DEV(intx_status), .reset = 1, .check = check_model, .set = set_quirk },
    { VDF_ROW("host_type", VDF_CHOICE, VDF_RW | VDF_SAVE,
              "how the host is interrupted: intx, or msi, which does not use the line; before "
              "enabled"),
      DEV(host_type), .choices = kinds, .check = check_disabled },
    { VDF_ROW("guest_type", VDF_CHOICE, VDF_RW | VDF_SAVE,
              "how the guest is interrupted: intx or msi, which has neither mask nor EOI; before "
              "enabled"),
      DEV(guest_type), .choices = kinds, .check = check_guest_type },
    { VDF_ROW("assert", VDF_BOOL, VDF_RW | VDF_SAVE,
              "the device's own interrupt condition; with vfio it is read from status, and made "
              "through bar"),
      DEV(asserted), .get = get_register, .set = set_asserted },
    { VDF_ROW("command", VDF_REG, VDF_RW | VDF_SAVE,
              "the device's PCI command register; a write does not announce bit 10 to the handler"),
      DEV(command), .bits = command_bits, .ro = (uint16_t)~VDF_PCI_COMMAND_WRITABLE,
      .get = get_register, .set = set_command },
    { VDF_ROW("status", VDF_REG, VDF_R,
              "the device's PCI status register: bit 3 is the interrupt condition, masked or not"),
      .width = 2, .bits = status_bits, .get = get_status },
    { VDF_ROW("intx_disable", VDF_BOOL, VDF_RW,
              "bit 10 of command, as the last to mask or unmask set it"),
      .width = 1, .get = get_intx_disable, .set = set_intx_disable },
    { VDF_ROW("guest_mask", VDF_BOOL, VDF_RW | VDF_SAVE,
              "the guest's view of the mask; a write is SET_INTX_MASK and then command bit 10, and "
              "interrupts that arrived while masked are delivered on 0"),
      DEV(guest_mask), .set = set_guest_mask },
    { VDF_ROW("masked", VDF_BOOL, VDF_R | VDF_SAVE,
              "1: command bit 10 was set by the host's handler, until the EOI"),
      DEV(masked) },
    { VDF_ROW(
          "host_irq_disabled", VDF_BOOL, VDF_R | VDF_SAVE,
          "1: the host's handler has masked the device, or switched its line off, and waits for "
          "the EOI"),
      DEV(host_irq_disabled) },
    { VDF_ROW("guest_level", VDF_BOOL, VDF_R | VDF_SAVE, "level of the guest's interrupt line"),
      DEV(guest_level) },
    { VDF_ROW(
          "ack", VDF_BOOL, VDF_W,
          "1 is the guest's EOI: its line falls, the device is unmasked, and raised again if it "
          "still asserts"),
      .width = 1, .set = write_ack },
    { VDF_ROW(
          "reset", VDF_BOOL, VDF_W,
          "1 is a function reset, around which the interrupt is disabled and enabled again: the "
          "device asserts no more, its registers and the guest's mask are as after mkdir, and "
          "nothing is masked or pending; EOPNOTSUPP with vfio"),
      .width = 1, .set = write_reset },
    { VDF_ROW("interrupts", VDF_UINT, VDF_R | VDF_SAVE,
              "interrupts of the device that the host's handler took"),
      DEV(interrupts) },
    { VDF_ROW("reasserts", VDF_UINT, VDF_R | VDF_SAVE,
              "EOIs after which the interrupt was raised again, as the device still asserted"),
      DEV(reasserts) },
    { VDF_ROW("config", VDF_RAW, VDF_RW,
              "configuration space as the guest has it, 256 bytes: command bit 10 is the guest's "
              "own, and changing it is a write of guest_mask"),
      .raw = &config_ops },
    { VDF_ROW("bar/#", VDF_RAW, VDF_RW | VDF_ACCESS,
              "vfio: a base address region of the device; a read or write of 1, 2, 4 or 8 bytes, "
              "aligned, is one access of the device's registers, others are EOPNOTSUPP"),
      .range = { { .count = 6, .has = has_bar, .text = "0..5" } }, .raw = &vdf_intx_vfio_bar_ops },
    { VDF_ROW("pending", VDF_BOOL, VDF_NO_FILE | VDF_SAVE,
              "a message came while the guest's INTx was masked"),
      DEV(pending) },
    { VDF_ROW("cache_line_size", VDF_REG, VDF_NO_FILE | VDF_SAVE, "configuration space byte 0x0c"),
      DEV(cache_line_size), .get = get_register },
    { VDF_ROW("latency_timer", VDF_REG, VDF_NO_FILE | VDF_SAVE, "configuration space byte 0x0d"),
      DEV(latency_timer), .get = get_register },
    { VDF_ROW("interrupt_line", VDF_REG, VDF_NO_FILE | VDF_SAVE,
              "configuration space byte 0x3c; the number of the line until the guest writes it"),
      DEV(interrupt_line), .get = get_register },
    { VDF_ROW("enabled", VDF_BOOL, VDF_RW | VDF_SAVE,
              "1 requests the host's interrupt (EBUSY: a line that cannot be shared) and connects "
              "the guest's; 0 leaves command bit 10 set in a device that can share its line"),
      DEV(enabled), .set = set_enabled },
};

/* --- life ------------------------------------------------------------------------------------- */

static int create(struct vdf_obj *obj, struct vdf_err *err)
{
    struct vdf_intx_dev *dev = vdf_obj_priv(obj);

    dev->bus = vdf_obj_priv(vdf_obj_parent(obj));
    choose(dev, false);
    return 0;
}

/* A restored device has been wired in restored(). */
static int start(struct vdf_obj *obj, bool fresh, struct vdf_err *err)
{
    struct vdf_intx_dev *dev = vdf_obj_priv(obj);

    if (fresh)
        vdf_intx_join(dev, dev->line);
    dev->linked = true;
    if (vdf_intx_is_vfio(dev))
        vdf_intx_vfio_apply(dev);
    return 0;
}

static void stop(struct vdf_obj *obj)
{
    struct vdf_intx_dev *dev = vdf_obj_priv(obj);

    dev->linked = false;
}

static void destroy(struct vdf_obj *obj)
{
    struct vdf_intx_dev *dev = vdf_obj_priv(obj);

    vdf_intx_vfio_end(dev);
    vdf_intx_leave(dev);
}

static int remove_device(struct vdf_obj *obj, struct vdf_err *err)
{
    struct vdf_intx_dev *dev = vdf_obj_priv(obj);

    if (dev->enabled)
        vdf_intx_ops(dev)->disable(dev);
    return 0;
}

/* Only combinations that the handler, the EOI and the masks can leave behind are accepted. */
static int restored(struct vdf_obj *obj, struct vdf_err *err)
{
    struct vdf_intx_dev *dev = vdf_obj_priv(obj);
    bool disabled = dev->command & VDF_PCI_COMMAND_INTX_DISABLE;
    bool pin = dev->host_type == VDF_INTX_PIN;
    bool guest_pin = dev->guest_type == VDF_INTX_PIN;

    if (dev->command & ~VDF_PCI_COMMAND_WRITABLE)
        return vdf_fail(err, EINVAL, "command is 0x%04x: bits outside 0x%04x are always 0",
                        dev->command, VDF_PCI_COMMAND_WRITABLE);
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
    if (!vdf_intx_is_vfio(dev))
        vdf_intx_join(dev, dev->line);
    return 0;
}

/* The choice may have changed while the state was written. The host's device stays open and watched,
 * so that a restore needs no descriptor. */
static void adopt_backend(struct vdf_intx_dev *from, struct vdf_intx_dev *to)
{
    to->vfio = from->vfio;
    from->vfio = NULL;
    memcpy(to->host, from->host, sizeof(to->host));
    if (vdf_intx_ops(from) == vdf_intx_ops(to))
        return;
    if (to->prev)
        vdf_intx_leave(to);
    else
        vdf_intx_join(to, to->line);
    choose(to, vdf_intx_is_vfio(from));
}

/* The guest stays connected, and its line goes to the level that was saved. */
static void adopt(struct vdf_obj *obj, void *old, void *now)
{
    struct vdf_intx_dev *from = old;
    struct vdf_intx_dev *to = now;

    adopt_backend(from, to);
    to->guest = from->guest;
    if (to->guest_level != from->guest_level)
        vdf_irq_set(&to->guest.irq, to->guest_level);
}

const struct vdf_class vdf_intx_device_class = {
    VDF_CLASS("intx-device", "assigned PCI device", struct vdf_intx_dev, rows),
    .create = create,
    .start = start,
    .stop = stop,
    .destroy = destroy,
    .restored = restored,
    .remove = remove_device,
    .adopt = adopt,
    .guest = &vdf_intx_guest_ops,
};
