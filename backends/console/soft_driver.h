/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The soft driver drives a console that has no guest. It works as Linux's virtio_console does, with
 * the same counters, through the device's registers and through rings in guest memory. Its own
 * state (the buffers that it has posted, the bytes that it has read of them) is that which a kernel
 * has outside of the rings. For rproc-serial, and with the feature DMA_MEM, rings and buffers are
 * in the DMA pool. A buffer that is released where a kernel may not sleep is put on a list, and
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
    bool broken;              /* the used ring was invalid: the queue is not used again */
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
    struct vdf_soft_buf *pending; /* released, but not yet returned to the pool */
    uint32_t n_pending;
};

/* --- soft.c ----------------------------------------------------------------------------------- */

/** vdf_soft_set_counts() - make the arrays of queues and ports. 0 or -ENOMEM. */
int vdf_soft_set_counts(struct vdf_soft *soft, uint32_t n_queues, uint32_t n_ports);
/** vdf_soft_attach() - connect the driver to the device's interrupt. */
void vdf_soft_attach(struct vdf_console *con);

/* --- soft_port.c ------------------------------------------------------------------------------ */

void vdf_soft_port_add(struct vdf_console *con, uint32_t id);
/** vdf_soft_port_unread() - take the unread data out of the receive queue. Return: bytes. */
uint64_t vdf_soft_port_unread(struct vdf_console *con, struct vdf_soft_port *port);
void vdf_soft_port_remove(struct vdf_console *con, struct vdf_soft_port *port);
/** vdf_soft_port_read_size() - from the configuration space, without MULTIPORT. */
void vdf_soft_port_read_size(struct vdf_console *con, struct vdf_soft_port *port);
void vdf_soft_port_console(struct vdf_console *con, struct vdf_soft_port *port);
/** vdf_soft_port_input() - the receive queue has used buffers. */
void vdf_soft_port_input(struct vdf_console *con, uint32_t id);
/** vdf_soft_port_reclaim() - take back the used transmit buffers. */
void vdf_soft_port_reclaim(struct vdf_console *con, struct vdf_soft_port *port);
/* --- soft_memory.c ---------------------------------------------------------------------------- */

/** vdf_soft_pages_init() - choose the range of pages. 0 or -ENOMEM. */
int vdf_soft_pages_init(struct vdf_console *con, struct vdf_soft *soft);
/** vdf_soft_pages_claim() - mark a range as taken. -EINVAL: it is not there, or taken already. */
int vdf_soft_pages_claim(struct vdf_soft *soft, uint64_t addr, uint64_t len);
/** vdf_soft_alloc() - whole pages for @len bytes, the lowest that are free. -ENOMEM. */
int vdf_soft_alloc(struct vdf_soft *soft, uint32_t len, uint64_t *addr);
/** vdf_soft_add_pending() - put a buffer on the list of released ones. 0 or -ENOMEM. */
int vdf_soft_add_pending(struct vdf_soft *soft, struct vdf_soft_buf buf);
/** vdf_soft_release() - release a buffer where a kernel may not sleep. */
void vdf_soft_release(struct vdf_soft *soft, struct vdf_soft_buf buf);
/** vdf_soft_reclaim_pending() - return the released buffers to the pool. */
void vdf_soft_reclaim_pending(struct vdf_soft *soft);

/** vdf_soft_queue_setup() - make a ring for queue @index, and set it up in the device. */
int vdf_soft_queue_setup(struct vdf_console *con, uint32_t index, struct vdf_err *err);
/** vdf_soft_add() - post a buffer. -ENOSPC: the queue is full; -EIO: it is broken; -ENOMEM. */
int vdf_soft_add(struct vdf_console *con, uint32_t index, struct vdf_soft_buf buf,
                 bool device_writes);
/** vdf_soft_queue_full() - whether the device has every descriptor. */
bool vdf_soft_queue_full(const struct vdf_soft_queue *q);
void vdf_soft_kick(struct vdf_console *con, uint32_t index);
/** vdf_soft_get() - a used buffer, and the bytes that the device has written; false: none. */
bool vdf_soft_get(struct vdf_console *con, uint32_t index, struct vdf_soft_buf *buf,
                  uint32_t *written);
/** vdf_soft_more_used() - whether vdf_soft_get() would find one. */
bool vdf_soft_more_used(const struct vdf_console *con, uint32_t index);
/** vdf_soft_fill() - post receive buffers of a page until the queue is full. Return: their
 *  number. */
unsigned vdf_soft_fill(struct vdf_console *con, uint32_t index);

/** vdf_soft_send_control() - a message to the device; nothing without MULTIPORT. */
void vdf_soft_send_control(struct vdf_console *con, uint32_t id, enum vdf_console_event event,
                           uint16_t value);

#endif
