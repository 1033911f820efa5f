/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes that wait in order. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fifo.h"

ssize_t vdf_console_fifo_add(struct vdf_console_fifo *fifo, const void *bytes, size_t n)
{
    if (n > VDF_CONSOLE_WAITING - fifo->len)
        n = VDF_CONSOLE_WAITING - fifo->len;
    if (!n)
        return 0;
    if (!fifo->bytes) {
        fifo->bytes = malloc(VDF_CONSOLE_WAITING);
        if (!fifo->bytes)
            return -ENOMEM;
    }
    if (fifo->start + fifo->len + n > VDF_CONSOLE_WAITING) {
        memmove(fifo->bytes, fifo->bytes + fifo->start, fifo->len);
        fifo->start = 0;
    }
    memcpy(fifo->bytes + fifo->start + fifo->len, bytes, n);
    fifo->len += (uint32_t)n;
    return (ssize_t)n;
}

void vdf_console_fifo_drop(struct vdf_console_fifo *fifo, size_t n)
{
    fifo->start += (uint32_t)n;
    fifo->len -= (uint32_t)n;
    if (!fifo->len) {
        free(fifo->bytes);
        fifo->bytes = NULL;
        fifo->start = 0;
    }
}

size_t vdf_console_fifo_take(struct vdf_console_fifo *fifo, void *bytes, size_t n)
{
    if (n > fifo->len)
        n = fifo->len;
    if (!n)
        return 0;
    memcpy(bytes, fifo->bytes + fifo->start, n);
    vdf_console_fifo_drop(fifo, n);
    return n;
}
