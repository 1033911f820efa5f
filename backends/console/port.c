/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Data of a port between the host's end and the queues.
 *
 * To the guest: data of the host goes into receive buffers while the guest has the port open.
 * Before that up to 64 KiB wait here.
 *
 * From the guest: with `overflow` hold there is no buffer. The host's reader empties the driver's
 * transmit chains. The port holds the chain in which the reader has stopped (its head, and the
 * number of bytes that were read), so that a slow reader throttles the guest. With drop every chain
 * is taken as it comes, and up to 64 KiB wait here: a kernel that prints on a console stands still
 * until its buffer comes back.
 */
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "port.h"
#include "queue.h"

/* Chains handled at once: twice the size of a queue. So a driver that refills its queue meanwhile
 * does not keep the device busy for ever. */
#define CHAINS_AT_ONCE (2 * VDF_VQ_SIZE_MAX)

/* --- ports ------------------------------------------------------------------------------------ */

struct vdf_console_port *vdf_console_port(const struct vdf_console *con, uint32_t id)
{
    return id < con->n_ports ? con->ports[id] : NULL;
}

uint32_t vdf_console_ports_from(const struct vdf_console *con, uint32_t id)
{
    uint32_t n = 0;

    for (uint32_t i = id; i < con->n_ports; i++)
        n += con->ports[i] != NULL;
    return n;
}

int vdf_console_need_one_port(const struct vdf_console *con, struct vdf_err *err)
{
    if (vdf_console_ports_from(con, 1) || !vdf_console_port(con, 0))
        return vdf_fail(err, EBUSY,
                        "without VIRTIO_CONSOLE_F_MULTIPORT there is port 0 and no other: remove "
                        "the others, make port 0");
    return 0;
}

void vdf_console_port_size(const struct vdf_console_port *port, uint16_t *cols, uint16_t *rows)
{
    *cols = port->id ? port->cols : port->con->cols;
    *rows = port->id ? port->rows : port->con->rows;
}

/* The held chain is no longer the device's. */
static void drop_held(struct vdf_console_port *port)
{
    port->held = false;
    port->offset = 0;
    port->mark = 0;
    port->throttled = false;
}

/* FNV-1a. */
static uint64_t hash(uint64_t from, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;

    for (size_t i = 0; i < n; i++)
        from = (from ^ p[i]) * UINT64_C(0x100000001b3);
    return from;
}

static uint64_t mark_of(const struct vdf_vq_chain *chain)
{
    uint64_t len =
        htole64(chain->out_len); /* the state may be from a machine of the other byte order */

    return hash(UINT64_C(0xcbf29ce484222325), &len, sizeof(len));
}

/* Whether the chain begins with the bytes that were read of the held chain. */
static bool has_mark(const struct vdf_console_port *port, const struct vdf_vq_chain *chain)
{
    uint64_t mark = mark_of(chain), at = 0;
    uint8_t bytes[4096];

    if (chain->out_len <= port->offset)
        return false;
    while (at < port->offset) {
        size_t n = port->offset - at < sizeof(bytes) ? (size_t)(port->offset - at) : sizeof(bytes);

        if (vdf_vq_copy_in(&port->con->space, chain, at, bytes, n) != n)
            return false;
        mark = hash(mark, bytes, n);
        at += n;
    }
    return !port->mark || mark == port->mark;
}

void vdf_console_port_resume(struct vdf_console_port *port, struct vdf_vq *vq)
{
    struct vdf_vq_chain chain;

    if (!port->held)
        return;
    if (vdf_vq_next_is(&port->con->space, vq, port->head) &&
        !vdf_vq_walk(&port->con->space, vq, port->head, &chain, NULL) && has_mark(port, &chain))
        vdf_vq_skip(vq, &chain);
    else
        drop_held(port);
}

/* Unread bytes of the held chain. */
static uint64_t held_rest(const struct vdf_console_port *port)
{
    struct vdf_console *con = port->con;
    const struct vdf_vq *vq = vdf_console_live(con, vdf_console_txq(port->id));
    struct vdf_vq_chain chain;

    if (!vq || !port->held || vdf_vq_walk(&con->space, vq, port->head, &chain, NULL))
        return 0;
    return chain.out_len > port->offset ? chain.out_len - port->offset : 0;
}

/* Unread bytes of the held chain and of the chains in the queue, which are taken. */
static uint64_t take_rest(struct vdf_console_port *port, struct vdf_vq *vq)
{
    uint64_t bytes = held_rest(port);
    struct vdf_vq_chain chain;

    for (unsigned i = 0; vq && i < vq->num; i++) {
        if (vdf_vq_pop(&port->con->space, vq, &chain, NULL))
            break;
        bytes += chain.out_len;
    }
    return bytes;
}

uint64_t vdf_console_port_left(struct vdf_console_port *port)
{
    const struct vdf_vq *vq = vdf_console_live(port->con, vdf_console_txq(port->id));
    struct vdf_vq copy;

    if (!vq)
        return 0;
    copy = *vq;
    return take_rest(port, &copy);
}

void vdf_console_port_lose(struct vdf_console_port *port)
{
    port->discarded += take_rest(port, vdf_console_live(port->con, vdf_console_txq(port->id)));
    drop_held(port);
}

void vdf_console_port_forget(struct vdf_console_port *port)
{
    vdf_console_port_lose(port);
    port->guest_connected = false;
    port->ready = false;
    port->added = false;
    port->sent_console = false;
    port->sent_name = false;
    port->sent_open = false;
    port->sent_cols = 0;
    port->sent_rows = 0;
}

/* A driver without MULTIPORT sends no PORT_READY and no PORT_OPEN. DRIVER_OK stands for both. */
void vdf_console_open_only_port(struct vdf_console *con)
{
    struct vdf_console_port *port = vdf_console_port(con, 0);

    if (!port || !(con->status & VDF_CONSOLE_S_DRIVER_OK) || vdf_console_multiport(con))
        return;
    port->ready = true;
    port->guest_connected = true;
    vdf_console_port_deliver(port);
}

void vdf_console_port_unplug(struct vdf_console_port *port)
{
    struct vdf_console *con = port->con;

    con->discarded += port->unread.len + port->emergency.len + port->waiting.len + held_rest(port);
    if (port->held)
        vdf_console_complete(con, vdf_console_txq(port->id), port->head, 0);
    con->ports[port->id] = NULL;
    /* Other data of the guest must not come out of a port that is plugged in afterwards. */
    vdf_console_port_transmit_kick(con, port->id);
}

void vdf_console_port_set_console(struct vdf_console_port *port, bool console)
{
    port->console = console;
    port->overflow = console ? VDF_CONSOLE_DROP : VDF_CONSOLE_HOLD;
}

void vdf_console_port_unread(struct vdf_console_port *port)
{
    if (port->overflow != VDF_CONSOLE_DROP)
        return;
    port->discarded += port->unread.len;
    vdf_console_fifo_drop(&port->unread, port->unread.len);
}

void vdf_console_port_set_host(struct vdf_console_port *port, bool connected)
{
    port->host_connected = connected;
    /* Data that the guest has sent to the closed port may be read now. */
    if (connected)
        vdf_console_port_transmit_kick(port->con, port->id);
}

/* --- to the guest ----------------------------------------------------------------------------- */

/* Fill receive buffers. Return: bytes that found room. */
static size_t push(struct vdf_console_port *port, const uint8_t *bytes, size_t n)
{
    struct vdf_console *con = port->con;
    uint32_t queue = vdf_console_rxq(port->id);
    struct vdf_vq_chain chain;
    size_t done = 0;

    for (unsigned i = 0; i < CHAINS_AT_ONCE && done < n; i++) {
        size_t part;

        if (vdf_console_take(con, queue, true, &chain))
            break;
        part = vdf_vq_copy_out(&con->space, &chain, bytes + done, n - done);
        if (!vdf_console_complete(con, queue, chain.head, (uint32_t)part))
            break;
        done += part;
    }
    port->counts.received += done;
    return done;
}

void vdf_console_port_deliver(struct vdf_console_port *port)
{
    struct vdf_console_fifo *fifo = &port->waiting;

    if (port->guest_connected && fifo->len)
        vdf_console_fifo_drop(fifo, push(port, fifo->bytes + fifo->start, fifo->len));
}

ssize_t vdf_console_port_write(struct vdf_console_port *port, const void *bytes, size_t n)
{
    ssize_t done;

    if (port->guest_connected) {
        vdf_console_port_deliver(port);
        done = port->waiting.len ? 0 : (ssize_t)push(port, bytes, n);
    } else {
        done = vdf_console_fifo_add(&port->waiting, bytes, n);
    }
    return done ? done : -EAGAIN;
}

/* --- from the guest --------------------------------------------------------------------------- */

/* Whether data is dropped because the host has closed the port. Without MULTIPORT the driver does
 * not know that, and its data waits for a reader. */
static bool discards(const struct vdf_console_port *port)
{
    return vdf_console_multiport(port->con) && !port->host_connected && !port->throttled;
}

/* Whether a port that drops stores data for a reader. A file that is open for writing only is no
 * reader. host_connected 1 without an open file announces a reader. */
static bool has_reader(const struct vdf_console_port *port)
{
    if (!vdf_console_multiport(port->con))
        return true;
    return port->host_connected && (port->data_readers || !port->data_opens);
}

/* Store the unread part of the chain, as far as there is room. */
static void keep(struct vdf_console_port *port, const struct vdf_vq_chain *chain)
{
    uint8_t bytes[4096];

    while (has_reader(port) && port->offset < chain->out_len) {
        size_t n = VDF_CONSOLE_WAITING - port->unread.len;
        ssize_t kept;

        n = vdf_vq_copy_in(&port->con->space, chain, port->offset, bytes,
                           n < sizeof(bytes) ? n : sizeof(bytes));
        kept = n ? vdf_console_fifo_add(&port->unread, bytes, n) : 0;
        if (kept <= 0)
            break;
        port->offset += (size_t)kept;
    }
    port->discarded += chain->out_len - port->offset;
}

/*
 * The chain to read from, from port->offset on. Its descriptors are read again each time, because
 * the driver may change its memory.
 */
static int current_chain(struct vdf_console_port *port, struct vdf_vq_chain *chain)
{
    struct vdf_console *con = port->con;
    uint32_t queue = vdf_console_txq(port->id);

    if (port->held) {
        const struct vdf_vq *vq = vdf_console_live(con, queue);
        struct vdf_err err = { 0 };
        int ret;

        if (!vq)
            return -EAGAIN;
        ret = vdf_vq_walk(&con->space, vq, port->head, chain, &err);
        if (!ret && chain->out_len > port->offset)
            return 0;
        if (!ret)
            ret = vdf_fail(&err, EPROTO, "chain of descriptor %u changed while it was being read",
                           port->head);
        port->held = false;
        vdf_console_needs_reset(con, queue, ret, &err);
        return -EAGAIN;
    }
    if (vdf_console_take(con, queue, false, chain))
        return -EAGAIN;
    port->held = true;
    port->head = chain->head;
    port->offset = 0;
    port->mark = mark_of(chain);
    return 0;
}

static void absorb(struct vdf_console_port *port)
{
    struct vdf_console *con = port->con;
    struct vdf_vq_chain chain;

    port->throttled = false;
    for (unsigned i = 0; i < CHAINS_AT_ONCE; i++) {
        if (current_chain(port, &chain))
            return;
        keep(port, &chain);
        port->held = false;
        if (!vdf_console_complete(con, vdf_console_txq(port->id), chain.head, 0))
            return;
    }
    con->look_again = true;
}

void vdf_console_port_transmit_kick(struct vdf_console *con, uint32_t id)
{
    struct vdf_console_port *port = vdf_console_port(con, id);
    struct vdf_vq_chain chain;

    if (port && port->overflow == VDF_CONSOLE_DROP) {
        absorb(port);
        return;
    }
    if (port && !discards(port)) {
        port->throttled = current_chain(port, &chain) == 0;
        return;
    }
    for (unsigned i = 0; i < CHAINS_AT_ONCE; i++) {
        if (vdf_console_take(con, vdf_console_txq(id), false, &chain))
            return;
        *(port ? &port->discarded : &con->discarded) += chain.out_len;
        if (!vdf_console_complete(con, vdf_console_txq(id), chain.head, 0))
            return;
    }
    con->look_again = true;
}

ssize_t vdf_console_port_read(struct vdf_console_port *port, void *bytes, size_t n)
{
    struct vdf_console *con = port->con;
    struct vdf_vq_chain chain;
    size_t done = vdf_console_fifo_take(&port->emergency, bytes, n);
    size_t kept = vdf_console_fifo_take(&port->unread, (uint8_t *)bytes + done, n - done);

    port->counts.sent += kept;
    done += kept;
    if (port->overflow == VDF_CONSOLE_DROP)
        return done ? (ssize_t)done : -EAGAIN;
    for (unsigned i = 0; i < CHAINS_AT_ONCE && done < n; i++) {
        size_t part;

        port->throttled = current_chain(port, &chain) == 0;
        if (!port->throttled)
            break;
        part = vdf_vq_copy_in(&con->space, &chain, port->offset, (uint8_t *)bytes + done, n - done);
        port->offset += part;
        port->counts.sent += part;
        if (port->offset < chain.out_len)
            port->mark = hash(port->mark, (uint8_t *)bytes + done, part);
        done += part;
        if (port->offset < chain.out_len)
            continue;
        port->held = false;
        if (!vdf_console_complete(con, vdf_console_txq(port->id), chain.head, 0))
            break;
        /* Only a look at the queue shows whether more data waits. */
        port->throttled = current_chain(port, &chain) == 0;
    }
    return done ? (ssize_t)done : -EAGAIN;
}

unsigned vdf_console_port_poll(const struct vdf_console_port *port)
{
    struct vdf_console *con = port->con;
    const struct vdf_vq *vq = vdf_console_live(con, vdf_console_rxq(port->id));
    unsigned events = 0;

    if (port->emergency.len || port->unread.len ||
        (port->throttled && vdf_console_live(con, vdf_console_txq(port->id))))
        events |= POLLIN;
    if (port->guest_connected) {
        if (!port->waiting.len && vq && vdf_vq_pending(&con->space, vq, NULL) > 0)
            events |= POLLOUT;
    } else if (port->waiting.len < VDF_CONSOLE_WAITING) {
        events |= POLLOUT;
    }
    return events;
}

void vdf_console_port_emergency(struct vdf_console_port *port, uint8_t byte)
{
    /* Nothing holds this writer back: bytes that find no room are counted. */
    if (vdf_console_fifo_add(&port->emergency, &byte, 1) != 1)
        port->discarded++;
}
