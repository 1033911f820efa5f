/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The virtio device as its driver and its rows use it. */
#ifndef VDF_CONSOLE_DEVICE_H
#define VDF_CONSOLE_DEVICE_H

#include "console.h"

/* The parts of a queue, by the names that struct vdf_vq gives their addresses. */
enum vdf_console_area {
    VDF_CONSOLE_DESC,
    VDF_CONSOLE_DRIVER,
    VDF_CONSOLE_DEVICE,
};

void vdf_console_queue_set_ready(struct vdf_console *con, uint32_t index, bool ready);
/** vdf_console_queue_reset() - nothing without VIRTIO_F_RING_RESET. */
void vdf_console_queue_reset(struct vdf_console *con, uint32_t index);
/** vdf_console_queue_set_num() - the size of the selected queue. @reg: the offset that the driver has
 *  written to, for the report. */
void vdf_console_queue_set_num(struct vdf_console *con, unsigned reg, uint32_t num);
/** vdf_console_queue_set_addr() - those bits of the address of an area that are in @mask. */
void vdf_console_queue_set_addr(struct vdf_console *con, unsigned reg, enum vdf_console_area area,
                                uint64_t addr, uint64_t mask);

/** vdf_console_id() - the virtio id of this kind of device. */
uint16_t vdf_console_id(const struct vdf_console *con);
/** vdf_console_half() - the half of 64 feature bits that a driver has selected. */
uint32_t vdf_console_half(uint64_t features, uint32_t sel);
/** vdf_console_accept() - the selected half of the driver's features. */
void vdf_console_accept(struct vdf_console *con, uint32_t half);
/** vdf_console_config() - the configuration space (section 5.3.4). */
void vdf_console_config(const struct vdf_console *con, uint8_t bytes[VDF_CONSOLE_CONFIG_SIZE]);
/** vdf_console_emergency() - emerg_wr, which works at any time, also before features are
 *  negotiated. */
void vdf_console_emergency(struct vdf_console *con, uint32_t value);

void vdf_console_reset(struct vdf_console *con);
void vdf_console_set_status(struct vdf_console *con, uint8_t status);
/** vdf_console_notify() - the driver's notification of a queue. */
void vdf_console_notify(struct vdf_console *con, uint32_t index);
/** vdf_console_look() - notify of all queues, and settle. */
void vdf_console_look(struct vdf_console *con);
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
