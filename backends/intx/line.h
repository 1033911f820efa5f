/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bus (intx/NAME) and its interrupt lines.
 *
 * The level of a line is the OR of its inputs: the devices that are wired to it, and a device of
 * the host that is not assigned to a guest.
 *
 * Interrupts are edges here. A level-triggered line that stays high interrupts for ever; a line of
 * the bus interrupts once each time one of its inputs rises, and once when it is enabled while it
 * is high. All handlers run once for an interrupt. Handlers only lower inputs, so the number of
 * devices on the line bounds the work of one write. An interrupt that no handler claims counts as
 * spurious, and the line stays high without further interrupts until an input rises again. A line
 * without a handler is off: it interrupts nobody, and the first handler that is requested enables
 * it.
 */
#ifndef VDF_INTX_LINE_H
#define VDF_INTX_LINE_H

#include <virtdevfs/component.h>

/* 255 in the Interrupt Line register says that nothing is connected (PCI 2.3, 6.2.4). */
#define VDF_INTX_LINES 255u

struct vdf_intx_dev;

struct vdf_intx_line {
    struct vdf_intx_dev *first; /* the devices that are wired to it, enabled or not */
    uint64_t raised, handled, spurious;
    bool host; /* the host's own device asserts the line */
};

struct vdf_intx_bus {
    struct vdf_priv priv;
    struct vdf_intx_line lines[VDF_INTX_LINES];
};

/** vdf_intx_join() - wire a device to line @number of its bus; takes no interrupt. */
void vdf_intx_join(struct vdf_intx_dev *dev, uint32_t number);
/** vdf_intx_leave() - unwire a device; one that is not wired stays so. */
void vdf_intx_leave(struct vdf_intx_dev *dev);
struct vdf_intx_line *vdf_intx_line_of(const struct vdf_intx_dev *dev);
/** vdf_intx_line_used() - is anything on the line? */
bool vdf_intx_line_used(const struct vdf_intx_line *line);
/** vdf_intx_line_forget_if_unused() - the counts of a line end with the last input. */
void vdf_intx_line_forget_if_unused(struct vdf_intx_line *line);
bool vdf_intx_line_level(const struct vdf_intx_line *line);
/** vdf_intx_line_sharers() - handlers on the line: enabled devices, and the host's own while it
 *  asserts. */
unsigned vdf_intx_line_sharers(const struct vdf_intx_line *line);
/** vdf_intx_line_owner() - the enabled device that cannot share the line, or NULL. */
const struct vdf_intx_dev *vdf_intx_line_owner(const struct vdf_intx_line *line);
/** vdf_intx_line_interrupt() - the line is high: run every handler once and count. */
void vdf_intx_line_interrupt(struct vdf_intx_line *line);
/** vdf_intx_line_host() - the host's own device asserts or stops asserting. */
void vdf_intx_line_host(struct vdf_intx_line *line, bool level);

#endif
