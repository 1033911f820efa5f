/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An assigned device in a guest: its configuration space, its INTx, the end of its interrupt. */
#include <errno.h>
#include <string.h>

#include "config.h"
#include "device.h"
#include "vfio.h"

static uint64_t config_size(struct vdf_obj *obj, uint32_t part)
{
    return VDF_PCI_CONFIG_SIZE;
}

static int attach(struct vdf_obj *obj, uint32_t part, const struct vdf_guest *guest, bool fresh,
                  struct vdf_err *err)
{
    struct vdf_intx_dev *dev = vdf_obj_priv(obj);

    if (dev->guest.machine)
        return vdf_fail(err, EBUSY, "it is attached to another slot or function");
    if (guest->line_is_message && dev->guest_type == VDF_INTX_PIN)
        return vdf_fail(err, EINVAL,
                        "the slot's irq is msi and guest_type is intx: a message has no end that "
                        "could unmask the device; irq takes a GSI, or guest_type msi");
    dev->guest = *guest;
    vdf_irq_set(&dev->guest.irq, dev->guest_level);
    return 0;
}

static void detach(struct vdf_obj *obj, uint32_t part)
{
    struct vdf_intx_dev *dev = vdf_obj_priv(obj);

    dev->guest = (struct vdf_guest){ 0 };
    if (dev->vfio)
        vdf_intx_vfio_unmask_fd(dev->vfio, false, NULL);
}

/* Accesses of every width are little-endian. */
static int guest_read(struct vdf_obj *obj, uint32_t part, uint64_t offset, unsigned width,
                      uint64_t *value, struct vdf_err *err)
{
    uint64_t bytes = 0;
    struct vdf_intx_dev *dev = vdf_obj_priv(obj);

    int ret = vdf_intx_ops(dev)->config_read(dev, &bytes, width, offset, err);
    *value = le64toh(bytes);
    return ret;
}

static int guest_write(struct vdf_obj *obj, uint32_t part, uint64_t offset, unsigned width,
                       uint64_t value, struct vdf_err *err)
{
    struct vdf_intx_dev *dev = vdf_obj_priv(obj);
    uint64_t bytes = htole64(value);

    return vdf_intx_ops(dev)->config_write(dev, &bytes, width, offset, err);
}

/* A device that is not enabled, or whose guest has MSI, has no interrupt that an EOI could end. */
static void eoi(struct vdf_obj *obj, uint32_t part)
{
    struct vdf_intx_dev *dev = vdf_obj_priv(obj);

    if (dev->enabled && dev->guest_type == VDF_INTX_PIN)
        vdf_intx_ops(dev)->guest_eoi(dev, NULL);
}

/* A reset by the guest. A device of the host refuses, and stays as it is. */
static void reset(struct vdf_obj *obj, uint32_t part)
{
    struct vdf_intx_dev *dev = vdf_obj_priv(obj);

    vdf_intx_ops(dev)->reset(dev, NULL);
}

static uint16_t config_word(struct vdf_intx_dev *dev, uint64_t offset)
{
    uint16_t word = 0;

    vdf_intx_ops(dev)->config_read(dev, &word, sizeof(word), offset, NULL);
    return le16toh(word);
}

/* The guest of a function has the device's own header, with its registers and their rules. */
static int function(struct vdf_obj *obj, uint32_t part, struct vdf_guest_function *function,
                    struct vdf_err *err)
{
    struct vdf_intx_dev *dev = vdf_obj_priv(obj);
    uint16_t revision = config_word(dev, VDF_PCI_REVISION_ID);
    uint32_t class_code = config_word(dev, VDF_PCI_SUB_CLASS);

    *function = (struct vdf_guest_function){
        .vendor = config_word(dev, VDF_PCI_VENDOR_ID),
        .device = config_word(dev, VDF_PCI_DEVICE_ID),
        .subsystem_vendor = config_word(dev, VDF_PCI_SUBSYSTEM_VENDOR_ID),
        .subsystem = config_word(dev, VDF_PCI_SUBSYSTEM_ID),
        .class_code = class_code << 8 | revision >> 8,
        .revision = (uint8_t)revision,
        .header = true,
    };
    return 0;
}

/* KVM unmasks the host's device at the guest's EOI, without this program in between. */
static int eoi_fd(struct vdf_obj *obj, uint32_t part, int *fd, struct vdf_err *err)
{
    const struct vdf_intx_dev *dev = vdf_obj_priv(obj);

    if (!dev->vfio)
        return 0;
    int ret = vdf_intx_vfio_unmask_fd(dev->vfio, true, err);
    *fd = dev->vfio->unmask;
    return ret;
}

const struct vdf_guest_ops vdf_intx_guest_ops = {
    .interrupts = VDF_GUEST_LINE,
    .size = config_size,
    .attach = attach,
    .detach = detach,
    .reset = reset,
    .function = function,
    .read = guest_read,
    .write = guest_write,
    .eoi = eoi,
    .eoi_fd = eoi_fd,
};
