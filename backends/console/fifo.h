/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes that wait in order. */
#ifndef VDF_CONSOLE_FIFO_H
#define VDF_CONSOLE_FIFO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define VDF_CONSOLE_WAITING 65536u /* bytes that wait for the guest, or for a reader of the host */

/* Up to VDF_CONSOLE_WAITING bytes; without memory while empty. */
struct vdf_console_fifo {
    uint8_t *bytes;
    uint32_t start, len;
};

/** vdf_console_fifo_add() - bytes taken, fewer when full; -ENOMEM. */
ssize_t vdf_console_fifo_add(struct vdf_console_fifo *fifo, const void *bytes, size_t n);
/** vdf_console_fifo_take() - move up to @n bytes out; returns how many there were. */
size_t vdf_console_fifo_take(struct vdf_console_fifo *fifo, void *bytes, size_t n);
void vdf_console_fifo_drop(struct vdf_console_fifo *fifo, size_t n);

#endif
