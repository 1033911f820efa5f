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
        return vdf_fail(err, EBUSY, "it is attached to another slot");
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
    .read = guest_read,
    .write = guest_write,
    .eoi = eoi,
    .eoi_fd = eoi_fd,
};
