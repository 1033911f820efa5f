/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An assigned device in a guest: its configuration space, its INTx, the end of its interrupt. */
#include <string.h>

#include "intx.h"

static uint64_t config_size(struct vdf_obj *obj, uint32_t part)
{
    (void)obj;
    (void)part;
    return VDF_PCI_CONFIG_SIZE;
}

static int attach(struct vdf_obj *obj, uint32_t part, const struct vdf_guest *guest, bool fresh,
                  struct vdf_err *err)
{
    struct vdf_intx_dev *dev = vdf_obj_priv(obj);

    (void)part;
    (void)fresh;
    (void)err;
    dev->irq = guest->irq;
    vdf_irq_set(&dev->irq, dev->guest_level);
    return 0;
}

static void detach(struct vdf_obj *obj, uint32_t part)
{
    struct vdf_intx_dev *dev = vdf_obj_priv(obj);

    (void)part;
    dev->irq = (struct vdf_irq){ 0 };
}

/* Bytes are little-endian, in whatever width the guest takes them. */
static int guest_read(struct vdf_obj *obj, uint32_t part, uint64_t offset, unsigned width,
                      uint64_t *value, struct vdf_err *err)
{
    uint64_t bytes = 0;

    (void)part;
    (void)err;
    vdf_intx_config_read(vdf_obj_priv(obj), &bytes, width, offset);
    *value = le64toh(bytes);
    return 0;
}

static int guest_write(struct vdf_obj *obj, uint32_t part, uint64_t offset, unsigned width,
                       uint64_t value, struct vdf_err *err)
{
    uint64_t bytes = htole64(value);

    (void)part;
    (void)err;
    vdf_intx_config_write(vdf_obj_priv(obj), &bytes, width, offset);
    return 0;
}

/* A device whose guest has MSI, or that is not enabled, has no interrupt that an EOI could end. */
static void eoi(struct vdf_obj *obj, uint32_t part)
{
    struct vdf_intx_dev *dev = vdf_obj_priv(obj);

    (void)part;
    if (dev->enabled && dev->guest_type == VDF_INTX_PIN)
        vdf_intx_eoi(dev);
}

const struct vdf_guest_ops vdf_intx_guest_ops = {
    .interrupts = VDF_GUEST_LINE,
    .size = config_size,
    .attach = attach,
    .detach = detach,
    .read = guest_read,
    .write = guest_write,
    .eoi = eoi,
};
