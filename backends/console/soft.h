/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The soft driver as the rows use it. See soft_driver.h. */
#ifndef VDF_CONSOLE_SOFT_H
#define VDF_CONSOLE_SOFT_H

#include "console.h"

struct vdf_soft_buf {
    uint64_t addr;
    uint32_t len; /* bytes; 0: none */
};

struct vdf_soft_port {
    uint32_t id;
    bool console;
    bool guest_connected;
    bool host_connected;
    bool outvq_full;
    uint16_t cols, rows;
    struct vdf_console_counts counts;
    uint64_t bytes_discarded;
    struct vdf_soft_buf inbuf; /* the buffer that is being read; len 0: none */
    uint32_t in_len;           /* bytes that the device wrote there */
    uint32_t in_offset;        /* of them, read */
};

/* --- soft.c ----------------------------------------------------------------------------------- */

/** vdf_soft_probe() - let the soft driver probe its device, if it has not done that yet. */
void vdf_soft_probe(struct vdf_console *con);
/** vdf_soft_free() - free the driver's own memory. NULL is allowed. */
void vdf_soft_free(struct vdf_soft *soft);

/* --- soft_port.c ------------------------------------------------------------------------------ */

struct vdf_soft_port *vdf_soft_port(const struct vdf_soft *soft, uint32_t id);
void vdf_soft_port_open(struct vdf_console *con, struct vdf_soft_port *port);
void vdf_soft_port_close(struct vdf_console *con, struct vdf_soft_port *port);
ssize_t vdf_soft_port_read(struct vdf_console *con, struct vdf_soft_port *port, void *bytes,
                           size_t n);
ssize_t vdf_soft_port_write(struct vdf_console *con, struct vdf_soft_port *port, const void *bytes,
                            size_t n, struct vdf_err *err);
unsigned vdf_soft_port_poll(const struct vdf_console *con, const struct vdf_soft_port *port);

/* --- soft_state.c ----------------------------------------------------------------------------- */

void vdf_soft_show(const struct vdf_soft *soft, struct vdf_buf *out);
int vdf_soft_parse(const char *text, struct vdf_soft **soft, struct vdf_err *err);
/** vdf_soft_restored() - check a parsed driver against its device, and rebuild its pages. */
int vdf_soft_restored(struct vdf_console *con, struct vdf_err *err);
/** vdf_soft_pool_used() - bytes of the DMA pool that are in use, in whole pages. */
uint64_t vdf_soft_pool_used(const struct vdf_soft *soft);
/** vdf_soft_show_buffers() - the buffers in the DMA pool, one a line. */
void vdf_soft_show_buffers(const struct vdf_soft *soft, struct vdf_buf *out);

#endif
