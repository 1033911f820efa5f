/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A port: data between the host's end and its two queues. */
#ifndef VDF_CONSOLE_PORT_H
#define VDF_CONSOLE_PORT_H

#include "console.h"
#include "fifo.h"

/* Unread data of the guest. */
enum vdf_console_overflow {
    VDF_CONSOLE_HOLD, /* stays in the transmit queue, and the guest waits */
    VDF_CONSOLE_DROP, /* is taken at once, stored up to VDF_CONSOLE_WAITING bytes, else dropped */
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
    bool sent_console; /* the messages that the driver has received since PORT_READY */
    bool sent_name;
    bool sent_open;
    uint16_t cols, rows; /* port 0 uses the device's */
    uint16_t sent_cols, sent_rows;
    char name[VDF_CONSOLE_NAME_MAX + 1];

    bool held;       /* a transmit chain is being read: */
    uint16_t head;   /* its first descriptor */
    uint64_t offset; /* bytes of it that have been read */
    uint64_t mark;   /* hash of its length and those bytes, to recognize it; 0: none */

    struct vdf_console_fifo waiting;   /* from the host, until the guest opens the port */
    struct vdf_console_fifo emergency; /* of emerg_wr, until the host reads */
    struct vdf_console_fifo unread;    /* of a guest that may not be held */

    /* The device's own counters. */
    struct vdf_console_counts counts;
    uint64_t discarded;

    /* Open files: not state. */
    unsigned data_opens, guest_opens;
    unsigned data_readers; /* of data_opens, those that can read */
    bool data_kept;        /* `data` is open, but the restored state has it closed */
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
/** vdf_console_port_forget() - the device was reset: the driver has to begin anew. */
void vdf_console_port_forget(struct vdf_console_port *port);
/** vdf_console_open_only_port() - open port 0 for a running driver without MULTIPORT. */
void vdf_console_open_only_port(struct vdf_console *con);
/** vdf_console_port_left() - bytes in the transmit queue that the host has not read. */
uint64_t vdf_console_port_left(struct vdf_console_port *port);
/** vdf_console_port_lose() - the transmit queue is no longer the device's: count its unread
 *  bytes. */
void vdf_console_port_lose(struct vdf_console_port *port);
/** vdf_console_port_resume() - the queue begins again: go on with the held chain if it is the next
 *  one there, else forget it. */
void vdf_console_port_resume(struct vdf_console_port *port, struct vdf_vq *vq);
/** vdf_console_port_unplug() - take it out of the device, and give the held chain back. */
void vdf_console_port_unplug(struct vdf_console_port *port);
void vdf_console_port_set_host(struct vdf_console_port *port, bool connected);
/** vdf_console_port_set_console() - console or not; `overflow` follows. */
void vdf_console_port_set_console(struct vdf_console_port *port, bool console);
/** vdf_console_port_unread() - the last reader has closed a port that drops: drop its data. */
void vdf_console_port_unread(struct vdf_console_port *port);
/** vdf_console_port_deliver() - move waiting data into the receive queue, as far as there are
 *  buffers. */
void vdf_console_port_deliver(struct vdf_console_port *port);
void vdf_console_port_transmit_kick(struct vdf_console *con, uint32_t id);
ssize_t vdf_console_port_read(struct vdf_console_port *port, void *bytes, size_t n);
ssize_t vdf_console_port_write(struct vdf_console_port *port, const void *bytes, size_t n);
unsigned vdf_console_port_poll(const struct vdf_console_port *port);
void vdf_console_port_emergency(struct vdf_console_port *port, uint8_t byte);

#endif
