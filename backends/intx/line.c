/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interrupt lines: their inputs, their level, and the handlers that an interrupt runs. */
#include <assert.h>

#include "device.h"
#include "line.h"

struct vdf_intx_line *vdf_intx_line_of(const struct vdf_intx_dev *dev)
{
    assert(dev->line < VDF_INTX_LINES);
    return &dev->bus->lines[dev->line];
}

bool vdf_intx_line_used(const struct vdf_intx_line *line)
{
    return line->first || line->host;
}

void vdf_intx_line_forget_if_unused(struct vdf_intx_line *line)
{
    if (!vdf_intx_line_used(line))
        *line = (struct vdf_intx_line){ 0 };
}

void vdf_intx_join(struct vdf_intx_dev *dev, uint32_t number)
{
    dev->line = number;
    struct vdf_intx_line *line = vdf_intx_line_of(dev);

    dev->next = line->first;
    dev->prev = &line->first;
    if (dev->next)
        dev->next->prev = &dev->next;
    line->first = dev;
}

void vdf_intx_leave(struct vdf_intx_dev *dev)
{
    if (!dev->prev)
        return;
    *dev->prev = dev->next;
    if (dev->next)
        dev->next->prev = dev->prev;
    dev->next = NULL;
    dev->prev = NULL;
    vdf_intx_line_forget_if_unused(vdf_intx_line_of(dev));
}

bool vdf_intx_line_level(const struct vdf_intx_line *line)
{
    if (line->host)
        return true;
    for (const struct vdf_intx_dev *dev = line->first; dev; dev = dev->next)
        if (vdf_intx_drives(dev))
            return true;
    return false;
}

unsigned vdf_intx_line_sharers(const struct vdf_intx_line *line)
{
    unsigned n = line->host;

    for (const struct vdf_intx_dev *dev = line->first; dev; dev = dev->next)
        n += vdf_intx_listens(dev);
    return n;
}

const struct vdf_intx_dev *vdf_intx_line_owner(const struct vdf_intx_line *line)
{
    for (const struct vdf_intx_dev *dev = line->first; dev; dev = dev->next)
        if (vdf_intx_listens(dev) && !vdf_intx_shares(dev))
            return dev;
    return NULL;
}

void vdf_intx_line_interrupt(struct vdf_intx_line *line)
{
    const struct vdf_intx_dev *owner = vdf_intx_line_owner(line);
    bool handled = line->host;

    /* The line is off: the handler of a device that cannot be masked has switched it off, or there is
     * no handler. */
    if ((owner && owner->host_irq_disabled) || !vdf_intx_line_sharers(line))
        return;
    line->raised++;
    for (struct vdf_intx_dev *dev = line->first; dev; dev = dev->next)
        if (vdf_intx_listens(dev) && vdf_intx_handle(dev))
            handled = true;
    if (handled)
        line->handled++;
    else
        line->spurious++;
}

void vdf_intx_line_host(struct vdf_intx_line *line, bool level)
{
    bool rises = level && !line->host;

    line->host = level;
    if (rises)
        vdf_intx_line_interrupt(line);
    vdf_intx_line_forget_if_unused(line);
}
