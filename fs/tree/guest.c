/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guest's side of an object: the operations of its class, or their defaults. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <virtdevfs/guest.h>

#include "object.h"

#define PATH_MOST 512u
#define DOORBELLS_MOST 128u /* of an object */

static struct vdf_guest *kept_guest(const struct vdf_obj *obj)
{
    return (struct vdf_guest *)((char *)obj->priv + obj->cls->guest->guest);
}

int vdf_guest_find(struct vdf_obj *from, const char *path, struct vdf_obj **target, uint32_t *part,
                   struct vdf_err *err)
{
    const char *rest;
    struct vdf_obj *obj = vdf_obj_walk(from, path, &rest);
    const struct vdf_guest_ops *ops = obj ? obj->cls->guest : NULL;

    *target = obj;
    *part = 0;
    if (!ops)
        return vdf_fail(err, ENODEV,
                        "\"%.80s\": no device that can be attached; write its path from the root, "
                        "without a slash before it, as console/con0",
                        path);
    if (ops->part)
        return ops->part(obj, rest, part, err);
    if (*rest)
        return vdf_fail(err, ENODEV,
                        "\"%.80s\": \"%.40s\" does not exist, or cannot be attached by itself",
                        path, rest);
    return 0;
}

int vdf_guest_keep_path(char **path, const char *text, size_t len, struct vdf_err *err)
{
    char *copy = NULL;

    if (len > PATH_MOST)
        return vdf_fail(err, ENODEV, "\"%.40s...\": no device has a path of more than %u bytes",
                        text, PATH_MOST);
    if (len) {
        copy = strdup(text);
        if (!copy)
            return vdf_fail(err, ENOMEM, "no memory");
    }
    free(*path);
    *path = copy;
    return 0;
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
        return vdf_fail(err, EBUSY, "the device is attached to another slot or function");
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

/* --- doorbells -------------------------------------------------------------------------------- */

static bool ring(struct vdf_obj *obj, void *ctx, uint64_t value)
{
    const struct vdf_guest_bell *bell = ctx;
    const struct vdf_guest_bells *bells = bell->bells;

    obj->cls->guest->ring(obj, bells->part, (unsigned)(bell - bells->list));
    return true;
}

void vdf_guest_bells_close(struct vdf_guest_bells *bells)
{
    for (unsigned k = 0; k < bells->n; k++) {
        vdf_async_free(bells->list[k].async);
        close(bells->list[k].fd);
    }
    free(bells->list);
    bells->list = NULL;
    bells->n = 0;
}

static int open_bell(struct vdf_guest_bells *bells, const struct vdf_guest_doorbell *doorbell,
                     struct vdf_err *err)
{
    struct vdf_guest_bell *bell = &bells->list[bells->n];

    *bell = (struct vdf_guest_bell){ .bells = bells, .doorbell = *doorbell };
    bell->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (bell->fd < 0)
        return vdf_fail(err, errno, "a doorbell cannot be made: %s", vdf_errno_name(errno));
    bells->n++;
    bell->async = vdf_async_eventfd(bells->obj, ring, bell, bell->fd);
    if (!bell->async)
        return vdf_fail(err, errno, "a doorbell cannot be watched: %s", vdf_errno_name(errno));
    return 0;
}

int vdf_guest_bells_open(struct vdf_guest_bells *bells, struct vdf_obj *obj, uint32_t part,
                         struct vdf_err *err)
{
    struct vdf_guest_doorbell doorbells[DOORBELLS_MOST];
    const struct vdf_guest_ops *ops = obj->cls->guest;
    unsigned n = ops->doorbells ? ops->doorbells(obj, part, doorbells, DOORBELLS_MOST) : 0;
    int ret = 0;

    *bells = (struct vdf_guest_bells){ .obj = obj, .part = part };
    bells->list = n ? calloc(n, sizeof(*bells->list)) : NULL;
    if (n && !bells->list)
        return vdf_fail(err, ENOMEM, "no memory for %u doorbells", n);
    for (unsigned k = 0; ret == 0 && k < n; k++)
        ret = open_bell(bells, &doorbells[k], err);
    if (ret < 0)
        vdf_guest_bells_close(bells);
    return ret;
}

void vdf_guest_bells_ring(const struct vdf_guest_bells *bells)
{
    for (unsigned k = 0; k < bells->n; k++)
        bells->obj->cls->guest->ring(bells->obj, bells->part, k);
}

/* --- accesses --------------------------------------------------------------------------------- */

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
