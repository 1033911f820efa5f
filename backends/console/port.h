/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A port: data between the host's end and its two queues. */
#ifndef VDF_CONSOLE_PORT_H
#define VDF_CONSOLE_PORT_H

#include "console.h"
#include "fifo.h"

/* The fate of a guest's data that nobody reads. */
enum vdf_console_overflow {
    VDF_CONSOLE_HOLD, /* it stays in the transmit queue, and the guest waits */
    VDF_CONSOLE_DROP, /* it is taken at once, kept up to VDF_CONSOLE_WAITING, and dropped then */
};

struct vdf_console_port {
    struct vdf_priv priv;
    struct vdf_console *con;
    uint32_t id;

    bool console;
    uint8_t overflow; /* enum vdf_console_overflow */
    bool host_connected;
    bool guest_connected;
    bool ready;        /* the driver has answered PORT_READY 1 */
    bool added;        /* PORT_ADD has been sent */
    bool throttled;    /* the guest's data waits for the host's reader */
    bool told_console; /* what the driver has been told since PORT_READY */
    bool told_name;
    bool told_open;
    uint16_t cols, rows; /* port 0 uses the device's */
    uint16_t told_cols, told_rows;
    char name[VDF_CONSOLE_NAME_MAX + 1];

    bool held;       /* a transmit chain is being read: */
    uint16_t head;   /* its first descriptor */
    uint64_t offset; /* bytes of it that have been read */
    uint64_t mark;   /* its length and those bytes, hashed: to know it again; 0: not known */

    struct vdf_console_fifo waiting;   /* from the host, until the guest opens the port */
    struct vdf_console_fifo emergency; /* from emerg_wr, until the host reads */
    struct vdf_console_fifo unread;    /* from the guest, where nothing may hold it */

    /* The device's own counts, in the guest's sense. */
    struct vdf_console_counts counts;
    uint64_t discarded;

    /* Open files: not state. */
    unsigned data_opens, guest_opens;
    unsigned data_readers; /* of data_opens, those that can read */
    bool data_kept;        /* `data` is open, and a restored state says that it is not */
};

extern const struct vdf_class vdf_console_port_class;

/** vdf_console_port_number() - a port's directory name to its number. 0 or -EINVAL. */
int vdf_console_port_number(const char *name, uint32_t *id);
struct vdf_console_port *vdf_console_port(const struct vdf_console *con, uint32_t id);
/** vdf_console_ports_from() - how many ports have this number or a higher one. */
uint32_t vdf_console_ports_from(const struct vdf_console *con, uint32_t id);
/** vdf_console_need_one_port() - -EBUSY unless port 0 is the only one. */
int vdf_console_need_one_port(const struct vdf_console *con, struct vdf_err *err);
void vdf_console_port_size(const struct vdf_console_port *port, uint16_t *cols, uint16_t *rows);
/** vdf_console_port_forget() - the device was reset: what the driver did and knew is gone. */
void vdf_console_port_forget(struct vdf_console_port *port);
/** vdf_console_port_alone() - open the only port of a driver that knows of no others. */
void vdf_console_port_alone(struct vdf_console *con);
/** vdf_console_port_drop_held() - the chain that is being read is no longer the device's. */
void vdf_console_port_drop_held(struct vdf_console_port *port);
/** vdf_console_port_left() - bytes in the transmit queue that the host has not read. */
uint64_t vdf_console_port_left(struct vdf_console_port *port);
/** vdf_console_port_lose() - nor is the rest of the transmit queue: count what nobody will read. */
void vdf_console_port_lose(struct vdf_console_port *port);
/** vdf_console_port_resume() - the queue begins again: go on in the chain that was being read if it
 *  is the next one there, forget it otherwise. */
void vdf_console_port_resume(struct vdf_console_port *port, struct vdf_vq *vq);
/** vdf_console_port_unplug() - take it out of the device; what it has not read is given back. */
void vdf_console_port_unplug(struct vdf_console_port *port);
void vdf_console_port_set_host(struct vdf_console_port *port, bool connected);
/** vdf_console_port_set_console() - console or not; either has its own `overflow`. */
void vdf_console_port_set_console(struct vdf_console_port *port, bool console);
/** vdf_console_port_unread() - the last reader has gone: what it left of a port that drops. */
void vdf_console_port_unread(struct vdf_console_port *port);
/** vdf_console_port_deliver() - what waits into the receive queue, as buffers allow. */
void vdf_console_port_deliver(struct vdf_console_port *port);
void vdf_console_port_transmit_kick(struct vdf_console *con, uint32_t id);
ssize_t vdf_console_port_read(struct vdf_console_port *port, void *bytes, size_t n);
ssize_t vdf_console_port_write(struct vdf_console_port *port, const void *bytes, size_t n);
unsigned vdf_console_port_poll(const struct vdf_console_port *port);
void vdf_console_port_emergency(struct vdf_console_port *port, uint8_t byte);

#endif
