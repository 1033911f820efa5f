/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The virtio device as its driver and its rows use it. */
#ifndef VDF_CONSOLE_DEVICE_H
#define VDF_CONSOLE_DEVICE_H

#include "console.h"

void vdf_console_queue_set_ready(struct vdf_console *con, uint32_t index, bool ready);
void vdf_console_queue_reset(struct vdf_console *con, uint32_t index);

void vdf_console_reset(struct vdf_console *con);
void vdf_console_set_status(struct vdf_console *con, uint8_t status);
/** vdf_console_notify() - the driver's notification of a queue. */
void vdf_console_notify(struct vdf_console *con, uint32_t index);
/** vdf_console_settle() - at the end of every hook: let device and driver work until both
 *  are done. */
void vdf_console_settle(struct vdf_console *con);

/* --- mmio.c ----------------------------------------------------------------------------------- */

uint32_t vdf_console_reg_read(struct vdf_console *con, unsigned reg);
void vdf_console_reg_write(struct vdf_console *con, unsigned reg, uint32_t value);

/* --- size.c ----------------------------------------------------------------------------------- */

/** vdf_console_parse_size() - "COLS ROWS". -EINVAL, -ERANGE. */
int vdf_console_parse_size(const char *text, uint16_t *cols, uint16_t *rows, struct vdf_err *err);
void vdf_console_set_size(struct vdf_console *con, uint16_t cols, uint16_t rows);

#endif
