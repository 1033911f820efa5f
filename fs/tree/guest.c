/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guest's side of an object: the operations of its class, or their defaults. */
#include <errno.h>
#include <virtdevfs/guest.h>

#include "object.h"

static struct vdf_guest *kept_guest(const struct vdf_obj *obj)
{
    return (struct vdf_guest *)((char *)obj->priv + obj->cls->guest->guest);
}

uint64_t vdf_guest_size(struct vdf_obj *obj, uint32_t part)
{
    const struct vdf_guest_ops *ops = obj->cls->guest;

    return ops->size ? ops->size(obj, part) : vdf_window_size(obj, VDF_REGS);
}

int vdf_guest_attach(struct vdf_obj *obj, uint32_t part, const struct vdf_guest *guest, bool fresh,
                     struct vdf_err *err)
{
    const struct vdf_guest_ops *ops = obj->cls->guest;

    if (ops->attach)
        return ops->attach(obj, part, guest, fresh, err);
    if (kept_guest(obj)->machine)
        return vdf_fail(err, EBUSY, "the device is attached to another slot");
    *kept_guest(obj) = *guest;
    vdf_guest_drive(obj);
    return 0;
}

void vdf_guest_detach(struct vdf_obj *obj, uint32_t part)
{
    const struct vdf_guest_ops *ops = obj->cls->guest;

    if (ops->detach)
        ops->detach(obj, part);
    else
        *kept_guest(obj) = (struct vdf_guest){ 0 };
}

void vdf_guest_adopt(struct vdf_obj *obj, void *old)
{
    const struct vdf_guest_ops *ops = obj->cls->guest;

    if (!ops || ops->attach)
        return;
    *kept_guest(obj) = *(struct vdf_guest *)((char *)old + ops->guest);
}

void vdf_guest_drive(struct vdf_obj *obj)
{
    const struct vdf_guest_ops *ops = obj->cls->guest;

    if (!ops || !ops->line)
        return;
    struct vdf_guest *guest = kept_guest(obj);
    bool level = ops->line(obj->priv);
    if (level != guest->level)
        vdf_irq_set(&guest->irq, level);
    guest->level = level;
}

int vdf_guest_read(struct vdf_obj *obj, uint32_t part, uint64_t offset, unsigned width,
                   uint64_t *value, struct vdf_err *err)
{
    const struct vdf_guest_ops *ops = obj->cls->guest;

    if (ops->read)
        return ops->read(obj, part, offset, width, value, err);
    return vdf_window_read(obj, VDF_REGS, offset, width, false, value, err);
}

int vdf_guest_write(struct vdf_obj *obj, uint32_t part, uint64_t offset, unsigned width,
                    uint64_t value, struct vdf_err *err)
{
    const struct vdf_guest_ops *ops = obj->cls->guest;

    if (ops->write)
        return ops->write(obj, part, offset, width, value, err);
    return vdf_window_write(obj, VDF_REGS, offset, width, value, err);
}
