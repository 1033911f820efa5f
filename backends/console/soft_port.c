/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ports of the soft driver. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "port.h"
#include "soft_driver.h"

struct vdf_soft_port *vdf_soft_port(const struct vdf_soft *soft, uint32_t id)
{
    return soft && id < soft->n_ports ? soft->ports[id] : NULL;
}

/* --- receive buffers -------------------------------------------------------------------------- */

/* The buffer to read from; the next used one if there is none. */
static bool get_inbuf(struct vdf_console *con, struct vdf_soft_port *port)
{
    uint32_t written;

    if (port->inbuf.len)
        return true;
    if (!vdf_soft_get(con, vdf_console_rxq(port->id), &port->inbuf, &written))
        return false;
    port->in_len = written < port->inbuf.len ? written : port->inbuf.len;
    port->in_offset = 0;
    port->counts.received += port->in_len;
    return true;
}

/* Post the buffer again. */
static void put_inbuf(struct vdf_console *con, struct vdf_soft_port *port)
{
    struct vdf_soft_buf buf = port->inbuf;

    port->inbuf.len = 0;
    port->in_len = 0;
    port->in_offset = 0;
    if (vdf_soft_add(con, vdf_console_rxq(port->id), buf, true))
        vdf_soft_release(con->soft, buf);
    else
        vdf_soft_kick(con, vdf_console_rxq(port->id));
}

/* The number of rounds is limited, because the device may fill the buffers again at once. */
static void discard_data(struct vdf_console *con, struct vdf_soft_port *port)
{
    for (unsigned i = 0; i <= VDF_SOFT_QUEUE_MAX && get_inbuf(con, port); i++) {
        port->bytes_discarded += port->in_len - port->in_offset;
        put_inbuf(con, port);
    }
}

uint64_t vdf_soft_port_unread(struct vdf_console *con, struct vdf_soft_port *port)
{
    uint64_t n = 0;

    for (unsigned i = 0; i <= VDF_SOFT_QUEUE_MAX && get_inbuf(con, port); i++) {
        n += port->in_len - port->in_offset;
        port->inbuf.len = 0;
    }
    return n;
}

void vdf_soft_port_input(struct vdf_console *con, uint32_t id)
{
    struct vdf_soft_port *port = vdf_soft_port(con->soft, id);
    struct vdf_soft_buf buf;
    uint32_t written;

    if (!port) {
        /* The queue of an unplugged port still had data. */
        while (vdf_soft_get(con, vdf_console_rxq(id), &buf, &written))
            vdf_soft_release(con->soft, buf);
        return;
    }
    get_inbuf(con, port);
    if (!port->guest_connected && !con->soft->rproc)
        discard_data(con, port);
}

/* --- life ------------------------------------------------------------------------------------- */

void vdf_soft_port_add(struct vdf_console *con, uint32_t id)
{
    struct vdf_soft *soft = con->soft;
    struct vdf_soft_port *port = calloc(1, sizeof(*port));
    const struct vdf_console_port *outside = vdf_console_port(con, id);
    uint32_t rxq = vdf_console_rxq(id);

    if (!port) {
        vdf_soft_send_control(con, id, VDF_CONSOLE_PORT_READY, 0);
        return;
    }
    port->id = id;
    /* Buffers of an earlier port with this number may fill the queue. */
    if (!vdf_soft_fill(con, rxq) && !soft->queues[rxq].busy) {
        vdf_report(con->priv.obj, ENOMEM, "driver: no memory for the receive buffers of port %u",
                   id);
        free(port);
        vdf_soft_send_control(con, id, VDF_CONSOLE_PORT_READY, 0);
        return;
    }
    soft->ports[id] = port;
    if (soft->rproc)
        port->host_connected = true;
    else if (!soft->multiport)
        vdf_soft_port_console(con, port);
    vdf_soft_send_control(con, id, VDF_CONSOLE_PORT_READY, 1);
    /* The guest's end may have been open since before the driver probed the device. */
    if (outside && outside->guest_opens)
        vdf_soft_port_open(con, port);
}

void vdf_soft_port_remove(struct vdf_console *con, struct vdf_soft_port *port)
{
    con->soft->ports[port->id] = NULL;
    port->guest_connected = false;
    discard_data(con, port);
    vdf_soft_port_reclaim(con, port);
    free(port);
}

void vdf_soft_port_read_size(struct vdf_console *con, struct vdf_soft_port *port)
{
    if (!(con->driver_features & VDF_CONSOLE_F_SIZE))
        return;
    port->cols = (uint16_t)vdf_console_reg_read(con, VDF_CONSOLE_REG_COLS);
    port->rows = (uint16_t)vdf_console_reg_read(con, VDF_CONSOLE_REG_ROWS);
}

void vdf_soft_port_console(struct vdf_console *con, struct vdf_soft_port *port)
{
    if (port->console)
        return;
    port->console = true;
    port->guest_connected = true;
    if (!con->soft->multiport)
        vdf_soft_port_read_size(con, port);
    vdf_soft_send_control(con, port->id, VDF_CONSOLE_PORT_OPEN, 1);
}

void vdf_soft_port_open(struct vdf_console *con, struct vdf_soft_port *port)
{
    if (port->guest_connected)
        return;
    port->guest_connected = true;
    vdf_soft_port_reclaim(con, port);
    vdf_soft_send_control(con, port->id, VDF_CONSOLE_PORT_OPEN, 1);
}

void vdf_soft_port_close(struct vdf_console *con, struct vdf_soft_port *port)
{
    /* The terminal has a console open, and keeps it open. */
    if (port->console || !port->guest_connected)
        return;
    vdf_soft_send_control(con, port->id, VDF_CONSOLE_PORT_OPEN, 0);
    port->guest_connected = false;
    discard_data(con, port);
    vdf_soft_port_reclaim(con, port);
    vdf_soft_reclaim_pending(con->soft);
}

/* --- data ------------------------------------------------------------------------------------- */

void vdf_soft_port_reclaim(struct vdf_console *con, struct vdf_soft_port *port)
{
    struct vdf_soft_buf buf;
    uint32_t written;

    while (vdf_soft_get(con, vdf_console_txq(port->id), &buf, &written)) {
        vdf_soft_release(con->soft, buf);
        port->outvq_full = false;
    }
}

ssize_t vdf_soft_port_read(struct vdf_console *con, struct vdf_soft_port *port, void *bytes,
                           size_t n)
{
    size_t done = 0;
    bool more = true;

    /* As in Linux a read returns the data of one buffer. It goes on after a full buffer, because
     * each call costs a reader of large blocks. The number of buffers is limited, because a buffer
     * that was read is posted again. A used buffer may be empty. */
    for (unsigned i = 0; i <= VDF_SOFT_QUEUE_MAX && more && get_inbuf(con, port); i++) {
        size_t part = port->in_len - port->in_offset;
        const void *p;

        if (part > n - done)
            part = n - done;
        p = part ? vdf_memory_at(&con->memory, port->inbuf.addr + port->in_offset, part) : NULL;
        if (p) {
            memcpy((uint8_t *)bytes + done, p, part);
            done += part;
        }
        port->in_offset += (uint32_t)part;
        more = !done || (port->in_offset == port->inbuf.len && done < n);
        if (port->in_offset == port->in_len)
            put_inbuf(con, port);
    }
    return done ? (ssize_t)done : -EAGAIN;
}

/* With MULTIPORT the driver waits until the host has opened its end. */
static bool host_hears(const struct vdf_console *con, const struct vdf_soft_port *port)
{
    return port->host_connected || !con->soft->multiport;
}

ssize_t vdf_soft_port_write(struct vdf_console *con, struct vdf_soft_port *port, const void *bytes,
                            size_t n, struct vdf_err *err)
{
    struct vdf_soft *soft = con->soft;
    uint32_t txq = vdf_console_txq(port->id);
    struct vdf_soft_buf buf = { .len = n < VDF_SOFT_WRITE_MAX ? (uint32_t)n : VDF_SOFT_WRITE_MAX };
    void *p;

    if (!host_hears(con, port))
        return -EAGAIN;
    vdf_soft_port_reclaim(con, port);
    if (port->outvq_full)
        return -EAGAIN;
    if (vdf_soft_alloc(soft, buf.len, &buf.addr)) {
        /* Buffers of the device come back and make room. */
        if (soft->queues[txq].busy)
            return -EAGAIN;
        return vdf_fail(err, ENOMEM, "no guest memory for a buffer of %u bytes", buf.len);
    }
    p = vdf_memory_at(&con->memory, buf.addr, buf.len);
    if (p)
        memcpy(p, bytes, buf.len);
    int ret = p ? vdf_soft_add(con, txq, buf, false) : -ENOMEM;
    if (ret) {
        vdf_soft_release(soft, buf);
        return vdf_fail(err, -ret, "the transmit queue takes no more buffers: reset the device");
    }
    vdf_soft_kick(con, txq);
    if (vdf_soft_queue_full(&soft->queues[txq]))
        port->outvq_full = true;
    port->counts.sent += buf.len;
    return (ssize_t)buf.len;
}

unsigned vdf_soft_port_poll(const struct vdf_console *con, const struct vdf_soft_port *port)
{
    unsigned events = 0;

    if (port->inbuf.len || vdf_soft_more_used(con, vdf_console_rxq(port->id)))
        events |= POLLIN;
    if (host_hears(con, port) &&
        (!port->outvq_full || vdf_soft_more_used(con, vdf_console_txq(port->id))))
        events |= POLLOUT;
    return events;
}
