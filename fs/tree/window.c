/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Registers by offset: from a window's accesses to the rows of the table. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "value.h"
#include "window.h"

/* The row whose register begins at @offset. */
static const struct vdf_attr *row_at(const struct vdf_obj *obj, unsigned window, uint64_t offset,
                                     uint32_t *number)
{
    return vdf_index_find(&obj->table->indexes[window], obj->priv, offset, number);
}

const struct vdf_window_ops *vdf_window_ops(const struct vdf_attr *row)
{
    static const struct vdf_window_ops plain = { .bytes = VDF_PAGE_SIZE, .align = 4 };

    return row->window_ops ? row->window_ops : &plain;
}

int vdf_window_ready(const struct vdf_at *at, struct vdf_err *err)
{
    const struct vdf_window_ops *ops = vdf_window_ops(at->attr);

    return ops->ready ? ops->ready(at, err) : 0;
}

/* The window of an object as the arguments of its hooks; its row is NULL where the class has none. */
static struct vdf_at window_at(struct vdf_obj *obj, unsigned window)
{
    return (struct vdf_at){ .obj = obj, .priv = obj->priv, .attr = obj->table->windows[window] };
}

uint64_t vdf_window_size(struct vdf_obj *obj, unsigned window)
{
    struct vdf_at self = window_at(obj, window);

    if (!self.attr)
        return 0;
    const struct vdf_window_ops *ops = vdf_window_ops(self.attr);
    return ops->size ? ops->size(&self) : ops->bytes;
}

unsigned vdf_window_width(const struct vdf_obj *obj, const struct vdf_attr *row, uint64_t offset)
{
    uint32_t number;
    const struct vdf_attr *attr = row_at(obj, row->window, offset, &number);

    return attr ? attr->width : 0;
}

unsigned vdf_window_into(const struct vdf_obj *obj, const struct vdf_attr *row, uint64_t offset)
{
    unsigned align = vdf_window_ops(row)->align;
    uint32_t number;

    for (unsigned into = align; into < sizeof(uint64_t) && into <= offset; into += align) {
        const struct vdf_attr *attr = row_at(obj, row->window, offset - into, &number);
        if (attr && attr->width > into)
            return into;
    }
    return 0;
}

/* The target of an access: a register, or one half of a register of 8 bytes in a window with `halves`.
 * `at.attr` is NULL at an offset without a register that reads 0. */
struct access {
    struct vdf_at at;
    bool half;
    unsigned shift; /* bits of the register below the half */
};

#define HALF_BYTES 4u
#define HALF_MASK UINT64_C(0xffffffff)

/* Is the target one half of a register of 8 bytes? */
static bool find_half(const struct vdf_attr *row, uint64_t offset, unsigned width,
                      struct access *to)
{
    unsigned into = 0;

    if (!vdf_window_ops(row)->halves || width != HALF_BYTES || offset % HALF_BYTES)
        return false;
    if (!to->at.attr && offset >= HALF_BYTES) {
        into = HALF_BYTES;
        to->at.attr = row_at(to->at.obj, row->window, offset - into, &to->at.i);
    }
    if (to->at.attr && to->at.attr->width == 2 * HALF_BYTES) {
        to->half = true;
        to->shift = 8 * into;
        return true;
    }
    if (into)
        to->at.attr = NULL;
    return false;
}

/* The checks that reads and writes share. */
static int find(const struct vdf_at *self, uint64_t offset, unsigned width, struct access *to,
                struct vdf_err *err)
{
    struct vdf_obj *obj = self->obj;
    const struct vdf_attr *row = self->attr;
    const struct vdf_window_ops *ops = vdf_window_ops(row);
    int ret = vdf_window_ready(self, err);

    if (ret < 0)
        return ret;
    *to = (struct access){ .at = *self };
    struct vdf_at *at = &to->at;
    at->attr = row_at(obj, row->window, offset, &at->i);
    if ((at->attr && at->attr->width == width) || find_half(row, offset, width, to))
        return 0;
    if (offset % ops->align || width < ops->align)
        return vdf_fail(err, EOPNOTSUPP,
                        "%u bytes at offset 0x%" PRIx64
                        ": registers take aligned accesses of their "
                        "width, %u bytes or more",
                        width, offset, ops->align);
    if (!at->attr && vdf_window_into(obj, row, offset))
        return vdf_fail(err, EOPNOTSUPP,
                        "%u bytes at offset 0x%" PRIx64 ": a register that begins before it is "
                        "accessed as a whole",
                        width, offset);
    if (!at->attr && ops->miss && !(ops->reserved && ops->reserved(self, offset)))
        return vdf_fail(err, ops->miss, "there is no register at offset 0x%" PRIx64, offset);
    if (at->attr && at->attr->width != width)
        return vdf_fail(err, EOPNOTSUPP, "%u bytes at offset 0x%" PRIx64 ": %s has %u", width,
                        offset, at->attr->path, at->attr->width);
    return 0;
}

static int no_window(struct vdf_err *err)
{
    return vdf_fail(err, ENODEV, "there are no registers");
}

int vdf_window_read(struct vdf_obj *obj, unsigned window, uint64_t offset, unsigned width,
                    bool peek, uint64_t *value, struct vdf_err *err)
{
    struct vdf_at self = window_at(obj, window);
    struct access to;

    *value = 0;
    if (!self.attr)
        return no_window(err);
    const struct vdf_hooks *hooks = vdf_row_hooks(&self);
    if (hooks->read && width == vdf_window_ops(self.attr)->align) {
        if (!peek)
            vdf_obj_touched(obj);
        return hooks->read(&self, offset, value, err);
    }
    int ret = find(&self, offset, width, &to, err);
    if (ret < 0 || !to.at.attr)
        return ret;
    if (!peek && to.at.attr->read_side) {
        ret = to.at.attr->read_side(&to.at, value);
        vdf_obj_touched(to.at.obj);
    } else {
        ret = vdf_row_get(&to.at, value);
    }
    if (to.half)
        *value = (*value >> to.shift) & HALF_MASK;
    return ret;
}

/* The value of the whole register for a store to one half. The other half stays as it is: its w1c bits
 * are written as 0. */
static int merge_half(const struct access *to, uint64_t *value)
{
    uint64_t now;
    int ret = vdf_row_get(&to->at, &now);

    if (ret < 0)
        return ret;
    now &= ~(to->at.attr->w1c | HALF_MASK << to->shift);
    *value = now | (*value & HALF_MASK) << to->shift;
    return 0;
}

int vdf_window_write(struct vdf_obj *obj, unsigned window, uint64_t offset, unsigned width,
                     uint64_t value, struct vdf_err *err)
{
    struct vdf_at self = window_at(obj, window);
    struct access to;

    if (!self.attr)
        return no_window(err);
    const struct vdf_hooks *hooks = vdf_row_hooks(&self);
    if (hooks->write && width == vdf_window_ops(self.attr)->align)
        return hooks->write(&self, offset, value, err);
    int ret = find(&self, offset, width, &to, err);
    if (ret < 0 || !to.at.attr)
        return ret;
    /* A read-only register ignores the store, as hardware does. */
    if (!(to.at.attr->flags & VDF_W))
        return 0;
    if (to.half)
        ret = merge_half(&to, &value);
    return ret < 0 ? ret : vdf_row_set(&to.at, value, err);
}
