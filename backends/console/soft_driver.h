/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The soft driver: the other side of a console without a guest. It does what Linux's virtio_console
 * does, at the same places and with the same counters, through the device's registers and rings in
 * guest memory. Its own state (which buffers it has posted, what it has read of them) is what a
 * kernel would keep outside of the rings. For rproc-serial, and with the DMA_MEM feature, rings and
 * buffers come from the DMA pool; a buffer given up where one may not sleep goes onto a list and
 * returns to the pool with the next allocation or close.
 */
#ifndef VDF_CONSOLE_SOFT_DRIVER_H
#define VDF_CONSOLE_SOFT_DRIVER_H

#include "device.h"
#include "soft.h"

#define VDF_SOFT_QUEUE_MAX 64u          /* descriptors of a queue that the driver uses */
#define VDF_SOFT_WRITE_MAX (32u * 1024) /* bytes of one write to a port */

/* One queue: a page with the three parts of the ring, and a buffer of one descriptor each. */
struct vdf_soft_queue {
    uint64_t ring;            /* 0: not set up */
    struct vdf_soft_buf *buf; /* VDF_SOFT_QUEUE_MAX, by descriptor; made with the first buffer */
    uint64_t busy;            /* bit n: descriptor n is with the device */
    uint16_t num;             /* descriptors */
    uint16_t avail;           /* next entry of the available ring to fill */
    uint16_t last_used;       /* next entry of the used ring to look at */
    bool broken;              /* the used ring was nonsense: never touched again */
};

struct vdf_soft {
    bool line; /* the device's interrupt line */
    bool rproc;
    bool multiport;
    bool pool;
    uint64_t message; /* buffer for control messages to the device */
    struct vdf_soft_queue *queues;
    uint32_t n_queues;
    struct vdf_soft_port **ports; /* by id */
    uint32_t n_ports;

    uint8_t *pages; /* a byte for each page of its range: taken or not */
    uint64_t first_page, n_pages;
    uint64_t used_pages;
    struct vdf_soft_buf *pending; /* given up, but not yet returned to the pool */
    uint32_t n_pending;
};

/* --- soft.c ----------------------------------------------------------------------------------- */

/** vdf_soft_set_counts() - make the arrays of queues and ports. 0 or -ENOMEM. */
int vdf_soft_set_counts(struct vdf_soft *soft, uint32_t n_queues, uint32_t n_ports);
/** vdf_soft_attach() - connect the driver to the device's interrupt. */
void vdf_soft_attach(struct vdf_console *con);

/* --- soft_port.c ------------------------------------------------------------------------------ */

void vdf_soft_port_add(struct vdf_console *con, uint32_t id);
/** vdf_soft_port_unread() - take out of the receive queue what nobody has read: how many bytes. */
uint64_t vdf_soft_port_unread(struct vdf_console *con, struct vdf_soft_port *port);
void vdf_soft_port_remove(struct vdf_console *con, struct vdf_soft_port *port);
/** vdf_soft_port_read_size() - from the configuration space, where there is no MULTIPORT. */
void vdf_soft_port_read_size(struct vdf_console *con, struct vdf_soft_port *port);
void vdf_soft_port_console(struct vdf_console *con, struct vdf_soft_port *port);
/** vdf_soft_port_input() - the receive queue has something. */
void vdf_soft_port_input(struct vdf_console *con, uint32_t id);
/** vdf_soft_port_reclaim() - take back transmit buffers that the device is done with. */
void vdf_soft_port_reclaim(struct vdf_console *con, struct vdf_soft_port *port);
/* --- soft_memory.c ---------------------------------------------------------------------------- */

/** vdf_soft_pages_init() - decide on the range that pages come from. 0 or -ENOMEM. */
int vdf_soft_pages_init(struct vdf_console *con, struct vdf_soft *soft);
/** vdf_soft_pages_claim() - mark a given range taken. -EINVAL: not there, or taken already. */
int vdf_soft_pages_claim(struct vdf_soft *soft, uint64_t addr, uint64_t len);
/** vdf_soft_alloc() - whole pages for @len bytes, the lowest that are free. -ENOMEM. */
int vdf_soft_alloc(struct vdf_soft *soft, uint32_t len, uint64_t *addr);
/** vdf_soft_add_pending() - a buffer that is given up, but not yet returned to the pool. 0 or -ENOMEM. */
int vdf_soft_add_pending(struct vdf_soft *soft, struct vdf_soft_buf buf);
/** vdf_soft_release() - give a buffer up from where one may not sleep. */
void vdf_soft_release(struct vdf_soft *soft, struct vdf_soft_buf buf);
/** vdf_soft_reclaim_pending() - return what was given up to the pool. */
void vdf_soft_reclaim_pending(struct vdf_soft *soft);

/** vdf_soft_queue_setup() - a ring for queue @index, and tell the device. */
int vdf_soft_queue_setup(struct vdf_console *con, uint32_t index, struct vdf_err *err);
/** vdf_soft_add() - post a buffer. -ENOSPC: the queue is full; -EIO: it is broken; -ENOMEM. */
int vdf_soft_add(struct vdf_console *con, uint32_t index, struct vdf_soft_buf buf,
                 bool device_writes);
/** vdf_soft_queue_full() - every descriptor is with the device. */
bool vdf_soft_queue_full(const struct vdf_soft_queue *q);
void vdf_soft_kick(struct vdf_console *con, uint32_t index);
/** vdf_soft_get() - a buffer that the device has used, and the bytes it wrote; false: none. */
bool vdf_soft_get(struct vdf_console *con, uint32_t index, struct vdf_soft_buf *buf,
                  uint32_t *written);
/** vdf_soft_more_used() - whether vdf_soft_get() would find one. */
bool vdf_soft_more_used(const struct vdf_console *con, uint32_t index);
/** vdf_soft_fill() - post receive buffers of a page until the queue is full; how many. */
unsigned vdf_soft_fill(struct vdf_console *con, uint32_t index);

/** vdf_soft_send_control() - a message to the device; nothing without MULTIPORT. */
void vdf_soft_send_control(struct vdf_console *con, uint32_t id, enum vdf_console_event event,
                           uint16_t value);

#endif
