/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Control messages (section 5.3.6.2).
 *
 * The device has no queue of messages. It compares the present values with those that it has sent
 * to the driver, and sends the differences while the driver has buffers for them. So a driver that
 * posts no buffers costs nothing, however often the host opens and closes a port, and the messages
 * that arrive in the end are true.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control.h"
#include "driver.h"
#include "port.h"
#include "queue.h"

#define TAIL_MAX VDF_CONSOLE_NAME_MAX

static const char *const event_names[] = {
    "DEVICE_READY", "PORT_ADD", "PORT_REMOVE", "PORT_READY",
    "CONSOLE_PORT", "RESIZE",   "PORT_OPEN",   "PORT_NAME",
};

/* False: there is no buffer for it now. */
static bool send(struct vdf_console *con, uint32_t id, enum vdf_console_event event, uint16_t value,
                 const void *tail, size_t tail_len)
{
    uint8_t message[sizeof(struct vdf_console_control) + TAIL_MAX];
    struct vdf_console_control head = {
        .id = htole32(id),
        .event = htole16(event),
        .value = htole16(value),
    };
    struct vdf_vq_chain chain;
    size_t len = sizeof(head) + tail_len;

    if (vdf_console_take(con, VDF_CONSOLE_CONTROL_RXQ, true, &chain))
        return false;
    if (chain.in_len < len && (chain.in_len < sizeof(head) || event == VDF_CONSOLE_RESIZE)) {
        struct vdf_err err;

        vdf_fail(&err, EPROTO, "buffer of %u bytes for a control message of %zu",
                 (unsigned)chain.in_len, len);
        vdf_console_needs_reset(con, VDF_CONSOLE_CONTROL_RXQ, -EPROTO, &err);
        return false;
    }
    memcpy(message, &head, sizeof(head));
    if (tail_len)
        memcpy(message + sizeof(head), tail, tail_len);
    /* A name that is longer than the buffer is cut. */
    len = vdf_vq_copy_out(&con->space, &chain, message, len);
    return vdf_console_complete(con, VDF_CONSOLE_CONTROL_RXQ, chain.head, (uint32_t)len);
}

static bool send_plain(struct vdf_console *con, uint32_t id, enum vdf_console_event event,
                       uint16_t value)
{
    if (!send(con, id, event, value, NULL, 0))
        return false;
    vdf_log_printf(&con->control, "> %s id=%u value=%u", event_names[event], id, value);
    return true;
}

/* Against 5.3.6.2 Linux up to 6.14, and again from 6.17, reads the rows first. `resize_order` is
 * for such guests. */
static bool send_size(struct vdf_console *con, uint32_t id, uint16_t cols, uint16_t rows)
{
    bool swapped = con->resize_order == VDF_CONSOLE_ROWS_COLS;
    uint16_t tail[2] = { htole16(swapped ? rows : cols), htole16(swapped ? cols : rows) };

    if (!send(con, id, VDF_CONSOLE_RESIZE, 0, tail, sizeof(tail)))
        return false;
    if (swapped)
        vdf_log_printf(&con->control, "> RESIZE id=%u value=0 rows=%u cols=%u", id, rows, cols);
    else
        vdf_log_printf(&con->control, "> RESIZE id=%u value=0 cols=%u rows=%u", id, cols, rows);
    return true;
}

/* False: the driver has no more buffers. */
static bool tell_port(struct vdf_console *con, struct vdf_console_port *port)
{
    uint16_t cols, rows;

    if (!port->added) {
        if (!send_plain(con, port->id, VDF_CONSOLE_PORT_ADD, 1))
            return false;
        port->added = true;
    }
    if (!port->ready)
        return true;
    if (port->console && !port->sent_console) {
        if (!send_plain(con, port->id, VDF_CONSOLE_CONSOLE_PORT, 1))
            return false;
        port->sent_console = true;
    }
    vdf_console_port_size(port, &cols, &rows);
    if (port->sent_console && con->driver_features & VDF_CONSOLE_F_SIZE &&
        (cols != port->sent_cols || rows != port->sent_rows)) {
        if (!send_size(con, port->id, cols, rows))
            return false;
        port->sent_cols = cols;
        port->sent_rows = rows;
    }
    if (port->name[0] && !port->sent_name) {
        if (!send(con, port->id, VDF_CONSOLE_PORT_NAME, 1, port->name, strlen(port->name)))
            return false;
        vdf_log_printf(&con->control, "> PORT_NAME id=%u value=1 name=%s", port->id, port->name);
        port->sent_name = true;
    }
    if (port->host_connected != port->sent_open) {
        if (!send_plain(con, port->id, VDF_CONSOLE_PORT_OPEN, port->host_connected))
            return false;
        port->sent_open = port->host_connected;
    }
    return true;
}

void vdf_console_control_flush(struct vdf_console *con)
{
    if (!con->device_ready || !vdf_console_multiport(con) ||
        !vdf_console_live(con, VDF_CONSOLE_CONTROL_RXQ))
        return;
    while (con->n_removed) {
        if (!send_plain(con, con->removed[0], VDF_CONSOLE_PORT_REMOVE, 1))
            return;
        con->n_removed--;
        memmove(con->removed, con->removed + 1, con->n_removed * sizeof(*con->removed));
    }
    for (uint32_t id = 0; id < con->n_ports; id++)
        if (con->ports[id] && !tell_port(con, con->ports[id]))
            return;
}

int vdf_console_control_removed(struct vdf_console *con, uint32_t id)
{
    uint32_t *removed;

    for (uint32_t i = 0; i < con->n_removed; i++)
        if (con->removed[i] == id)
            return 0;
    removed = realloc(con->removed, (con->n_removed + 1) * sizeof(*removed));
    if (!removed)
        return -ENOMEM;
    con->removed = removed;
    con->removed[con->n_removed++] = id;
    return 0;
}

/* The driver begins with the port: everything about it has to be sent again. */
static void port_ready(struct vdf_console_port *port, bool ready)
{
    port->added = true;
    port->ready = ready;
    port->sent_console = false;
    port->sent_name = false;
    port->sent_open = false;
    port->sent_cols = 0;
    port->sent_rows = 0;
}

void vdf_console_control_resume(struct vdf_console *con)
{
    con->device_ready = true;
    con->resumed = true;
    /* The driver opens consoles itself, and sends PORT_OPEN for them only once. */
    for (uint32_t id = 0; id < con->n_ports; id++)
        if (con->ports[id] && con->ports[id]->console)
            con->ports[id]->guest_connected = true;
}

/* A driver that begins again has forgotten which ends are open. With a remote one there may have
 * been no reset between it and the one before, so that it knows of no port at all. */
static void begin_again(struct vdf_console *con)
{
    bool remote = vdf_console_driver(con)->remote;

    if (remote)
        con->n_removed = 0;
    for (uint32_t i = 0; i < con->n_ports; i++) {
        struct vdf_console_port *port = con->ports[i];

        if (port && remote) {
            port_ready(port, false);
            port->added = false;
            port->guest_connected = false;
        } else if (port) {
            port->sent_open = false;
        }
    }
}

/* A driver that goes on after a suspension resets the device, and sends only which of its ports are
 * ready and open. It has added each port that it opens. */
static void resume(struct vdf_console *con, struct vdf_console_port *port, uint16_t event)
{
    if (!con->device_ready) {
        con->device_ready = true;
        con->resumed = true;
    }
    if (con->resumed && port && !port->ready && event == VDF_CONSOLE_PORT_OPEN)
        port_ready(port, true);
}

/* Whether the driver cannot know that the port is not there. */
static bool unknown_port(struct vdf_console *con, uint32_t id, uint16_t event, uint16_t value)
{
    /* A user of the driver closes the port before PORT_REMOVE has arrived. */
    if (event == VDF_CONSOLE_PORT_OPEN && !value)
        return true;
    /* The port was unplugged while the driver was suspended. */
    return con->resumed && id < con->max_ports && !vdf_console_control_removed(con, id);
}

static void receive(struct vdf_console *con, uint32_t id, uint16_t event, uint16_t value)
{
    struct vdf_console_port *port = vdf_console_port(con, id);

    if (event == VDF_CONSOLE_DEVICE_READY) {
        con->device_ready = value;
        con->resumed = false;
        if (!value)
            vdf_report(con->priv.obj, EIO, "DEVICE_READY 0: the driver could not set itself up");
        begin_again(con);
        return;
    }
    if (event != VDF_CONSOLE_PORT_READY && event != VDF_CONSOLE_PORT_OPEN) {
        vdf_report(con->priv.obj, EPROTO,
                   "control message %u from the driver: only DEVICE_READY, "
                   "PORT_READY and PORT_OPEN are the driver's",
                   event);
        return;
    }
    if (value)
        resume(con, port, event);
    if (!port) {
        if (!unknown_port(con, id, event, value))
            vdf_report(con->priv.obj, ENODEV, "%s for port %u, which is not there",
                       event_names[event], id);
        return;
    }
    if (event == VDF_CONSOLE_PORT_READY) {
        if (!value)
            vdf_report(port->priv.obj, EIO, "PORT_READY 0: the driver could not add the port");
        port_ready(port, value);
        return;
    }
    port->guest_connected = value;
    vdf_console_port_deliver(port);
}

void vdf_console_control_kick(struct vdf_console *con)
{
    struct vdf_vq_chain chain;

    for (unsigned i = 0; i < VDF_VQ_SIZE_MAX; i++) {
        struct vdf_console_control head;
        bool whole;

        if (vdf_console_take(con, VDF_CONSOLE_CONTROL_TXQ, false, &chain))
            return;
        whole = vdf_vq_copy_in(&con->space, &chain, 0, &head, sizeof(head)) == sizeof(head);
        if (!vdf_console_complete(con, VDF_CONSOLE_CONTROL_TXQ, chain.head, 0))
            return;
        if (!whole) {
            vdf_report(con->priv.obj, EPROTO, "control message of %u bytes: it has at least %zu",
                       (unsigned)chain.out_len, sizeof(head));
            continue;
        }
        head.id = le32toh(head.id);
        head.event = le16toh(head.event);
        head.value = le16toh(head.value);
        if (head.event <= VDF_CONSOLE_PORT_NAME)
            vdf_log_printf(&con->control, "< %s id=%u value=%u", event_names[head.event], head.id,
                           head.value);
        else
            vdf_log_printf(&con->control, "< %u id=%u value=%u", head.event, head.id, head.value);
        receive(con, head.id, head.event, head.value);
    }
    con->look_again = true;
}
