/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rows of console/NAME/ports/N. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <virtdevfs/text.h>

#include "control.h"
#include "device.h"
#include "driver.h"
#include "port.h"
#include "queue.h"
#include "soft.h"

int vdf_console_port_number(const char *name, uint32_t *id)
{
    return vdf_number_name(name, VDF_CONSOLE_PORTS_MAX - 1, id);
}

/* --- streams ---------------------------------------------------------------------------------- */

static int data_open(const struct vdf_at *at, int flags, struct vdf_err *err)
{
    struct vdf_console_port *port = at->priv;

    vdf_soft_probe(port->con);
    port->data_opens++;
    if (flags != O_WRONLY)
        port->data_readers++;
    port->data_kept = false;
    vdf_console_port_set_host(port, true);
    vdf_console_settle(port->con);
    return 0;
}

/* A restored state may have the open file closed. Reading and writing opens it again. */
static void data_reconnect(struct vdf_console_port *port)
{
    if (!port->data_kept)
        return;
    port->data_kept = false;
    vdf_console_port_set_host(port, true);
}

static void data_close(const struct vdf_at *at, int flags)
{
    struct vdf_console_port *port = at->priv;

    if (flags != O_WRONLY && !--port->data_readers)
        vdf_console_port_unread(port);
    if (--port->data_opens)
        return;
    vdf_console_port_set_host(port, false);
    vdf_console_settle(port->con);
}

static ssize_t data_read(const struct vdf_at *at, void *bytes, size_t n, struct vdf_err *err)
{
    struct vdf_console_port *port = at->priv;
    ssize_t ret;

    data_reconnect(port);
    ret = vdf_console_port_read(port, bytes, n);
    vdf_console_settle(port->con);
    return ret;
}

static ssize_t data_write(const struct vdf_at *at, const void *bytes, size_t n, struct vdf_err *err)
{
    struct vdf_console_port *port = at->priv;
    ssize_t ret;

    data_reconnect(port);
    ret = vdf_console_port_write(port, bytes, n);
    vdf_console_settle(port->con);
    return ret;
}

static unsigned data_poll(const struct vdf_at *at)
{
    return vdf_console_port_poll(at->priv);
}

static const struct vdf_stream_ops data_ops = {
    .open = data_open,
    .close = data_close,
    .read = data_read,
    .write = data_write,
    .poll = data_poll,
};

static struct vdf_soft_port *inside(const struct vdf_console_port *port)
{
    return vdf_soft_port(port->con->soft, port->id);
}

static int guest_open(const struct vdf_at *at, int flags, struct vdf_err *err)
{
    struct vdf_console_port *port = at->priv;

    vdf_soft_probe(port->con);
    if (!inside(port))
        return vdf_fail(err, ENODEV,
                        "the driver does not have this port: status is 0x%02x, write 1 to reset",
                        port->con->status);
    port->guest_opens++;
    vdf_soft_port_open(port->con, inside(port));
    vdf_console_settle(port->con);
    return 0;
}

static void guest_close(const struct vdf_at *at, int flags)
{
    struct vdf_console_port *port = at->priv;

    if (--port->guest_opens || !inside(port))
        return;
    vdf_soft_port_close(port->con, inside(port));
    vdf_console_settle(port->con);
}

/* After a reset the guest has no port until the driver has probed the device again. */
static ssize_t guest_read(const struct vdf_at *at, void *bytes, size_t n, struct vdf_err *err)
{
    struct vdf_console_port *port = at->priv;
    ssize_t ret;

    if (!inside(port))
        return -EAGAIN;
    /* As with `data`, a restored state may have the open file closed. */
    vdf_soft_port_open(port->con, inside(port));
    ret = vdf_soft_port_read(port->con, inside(port), bytes, n);
    vdf_console_settle(port->con);
    return ret;
}

static ssize_t guest_write(const struct vdf_at *at, const void *bytes, size_t n,
                           struct vdf_err *err)
{
    struct vdf_console_port *port = at->priv;
    ssize_t ret;

    if (!inside(port))
        return -EAGAIN;
    vdf_soft_port_open(port->con, inside(port));
    ret = vdf_soft_port_write(port->con, inside(port), bytes, n, err);
    vdf_console_settle(port->con);
    return ret;
}

static unsigned guest_poll(const struct vdf_at *at)
{
    const struct vdf_console_port *port = at->priv;

    return inside(port) ? vdf_soft_port_poll(port->con, inside(port)) : 0;
}

static const struct vdf_stream_ops guest_ops = {
    .open = guest_open,
    .close = guest_close,
    .read = guest_read,
    .write = guest_write,
    .poll = guest_poll,
};

static bool has_guest(const void *priv)
{
    const struct vdf_console_port *port = priv;

    return vdf_console_driver(port->con) == &vdf_console_soft_driver;
}

/* --- values ----------------------------------------------------------------------------------- */

static void name_show(const struct vdf_at *at, struct vdf_buf *out)
{
    const struct vdf_console_port *port = at->priv;

    vdf_buf_printf(out, "%s", port->name);
}

/* Bytes of the first character; 0: it is not UTF-8 (RFC 3629). */
static size_t utf8_char(const unsigned char *text)
{
    /* The second byte shows overlong forms, surrogates and numbers that are too large. */
    unsigned char low = 0x80, high = 0xbf;
    size_t n;

    if (text[0] < 0x80)
        return 1;
    if (text[0] < 0xc2 || text[0] > 0xf4)
        return 0;
    n = text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : 4;
    if (text[0] == 0xe0)
        low = 0xa0;
    else if (text[0] == 0xed)
        high = 0x9f;
    else if (text[0] == 0xf0)
        low = 0x90;
    else if (text[0] == 0xf4)
        high = 0x8f;
    if (text[1] < low || text[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

static int name_restore(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err)
{
    struct vdf_console_port *port = at->priv;

    if (len > VDF_CONSOLE_NAME_MAX)
        return vdf_fail(err, EINVAL, "%zu bytes: a name has at most %u", len, VDF_CONSOLE_NAME_MAX);
    for (size_t i = 0, n; i < len; i += n) {
        const unsigned char *c = (const unsigned char *)text + i;

        n = utf8_char(c);
        if (!n || *c < ' ' || *c == 0x7f)
            return vdf_fail(err, EINVAL, "byte 0x%02x: a name is one line of text in UTF-8", *c);
    }
    memcpy(port->name, text, len);
    port->name[len] = '\0';
    return 0;
}

static int name_store(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err)
{
    struct vdf_console_port *port = at->priv;
    int ret = name_restore(at, text, len, err);

    if (ret)
        return ret;
    port->sent_name = false;
    vdf_console_settle(port->con);
    return 0;
}

static int console_check(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_console_port *port = at->priv;

    if (value && port->con->device == VDF_CONSOLE_RPROC)
        return vdf_fail(err, EINVAL, "the port of rproc-serial is never a console");
    if (!value && port->sent_console)
        return vdf_fail(err, EBUSY, "the driver already has it as a console: unplug the port");
    return 0;
}

static int console_set(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_console_port *port = at->priv;

    if (port->console == (bool)value)
        return 0;
    vdf_console_port_set_console(port, value);
    vdf_console_port_transmit_kick(port->con, port->id);
    vdf_console_settle(port->con);
    return 0;
}

/* The row `overflow` follows, except in an older state. */
static int console_restore(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    vdf_console_port_set_console(at->priv, value);
    return 0;
}

static void overflow_after(const struct vdf_at *at, uint64_t value)
{
    const struct vdf_console_port *port = at->priv;

    vdf_console_port_transmit_kick(port->con, port->id);
    vdf_console_settle(port->con);
}

static const char *const overflow_names[] = { "hold", "drop", NULL };

static void size_show(const struct vdf_at *at, struct vdf_buf *out)
{
    uint16_t cols, rows;

    vdf_console_port_size(at->priv, &cols, &rows);
    vdf_buf_printf(out, "%u %u", cols, rows);
}

static int size_store(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err)
{
    struct vdf_console_port *port = at->priv;
    uint16_t cols, rows;
    int ret = vdf_console_parse_size(text, &cols, &rows, err);

    if (ret)
        return ret;
    if (port->id == 0) {
        vdf_console_set_size(port->con, cols, rows);
    } else {
        port->cols = cols;
        port->rows = rows;
        vdf_console_settle(port->con);
    }
    return 0;
}

static int size_restore(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err)
{
    struct vdf_console_port *port = at->priv;

    if (port->id == 0)
        return vdf_console_parse_size(text, &port->con->cols, &port->con->rows, err);
    return vdf_console_parse_size(text, &port->cols, &port->rows, err);
}

static void guest_size_show(const struct vdf_at *at, struct vdf_buf *out)
{
    const struct vdf_soft_port *soft = inside(at->priv);

    vdf_buf_printf(out, "%u %u", soft ? soft->cols : 0, soft ? soft->rows : 0);
}

static void host_connected_after(const struct vdf_at *at, uint64_t value)
{
    struct vdf_console_port *port = at->priv;

    port->data_kept = false;
    vdf_console_port_set_host(port, value);
    vdf_console_settle(port->con);
}

/* The soft driver counts as Linux does. For other drivers the device counts. */
static void *counts(const struct vdf_at *at)
{
    static struct vdf_console_counts none;
    struct vdf_console_port *port = at->priv;

    if (!has_guest(port))
        return &port->counts;
    return inside(port) ? &inside(port)->counts : &none;
}

static int discarded_get(const struct vdf_at *at, uint64_t *value)
{
    const struct vdf_console_port *port = at->priv;

    *value = port->discarded;
    if (has_guest(port) && inside(port))
        *value += inside(port)->bytes_discarded;
    return 0;
}

/* --- hidden state ----------------------------------------------------------------------------- */

static struct vdf_console_fifo *fifo_of(const struct vdf_at *at)
{
    return (struct vdf_console_fifo *)((char *)at->priv + at->attr->field);
}

static void fifo_show(const struct vdf_at *at, struct vdf_buf *out)
{
    const struct vdf_console_fifo *fifo = fifo_of(at);

    /* An empty FIFO may have no memory. */
    if (fifo->len)
        vdf_buf_add_bytes(out, fifo->bytes + fifo->start, fifo->len);
}

static int fifo_restore(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err)
{
    if (len % 2 || len / 2 > VDF_CONSOLE_WAITING)
        return vdf_fail(err, EINVAL, "%zu hex digits: two a byte, at most %u bytes", len,
                        VDF_CONSOLE_WAITING);
    for (size_t i = 0; i < len; i += 2) {
        uint8_t byte;
        int ret = vdf_hex_bytes(text + i, 2, &byte, err);

        if (ret < 0)
            return ret;
        if (vdf_console_fifo_add(fifo_of(at), &byte, 1) != 1)
            return vdf_fail(err, ENOMEM, "no memory for waiting bytes");
    }
    return 0;
}

/* --- the table -------------------------------------------------------------------------------- */

#define VALUE(name, kind, access, member, text, ...)                         \
    {                                                                        \
        .path = name, .type = kind, .flags = (access) | VDF_SAVE,            \
        VDF_FIELD(struct vdf_console_port, member), .doc = text, __VA_ARGS__ \
    }
#define FIFO(name, text)                                                               \
    {                                                                                  \
        .path = #name, .type = VDF_TEXT, .flags = VDF_NO_FILE | VDF_SAVE, .doc = text, \
        .field = offsetof(struct vdf_console_port, name), .show = fifo_show,           \
        .restore_text = fifo_restore                                                   \
    }
#define COUNTER(name, text)                                                       \
    {                                                                             \
        .path = "bytes_" #name, .type = VDF_UINT, .flags = VDF_R,                 \
        VDF_FIELD(struct vdf_console_counts, name), .doc = text, .locate = counts \
    }

static const struct vdf_attr port_attrs[] = {
    { .path = "data",
      .type = VDF_STREAM,
      .flags = VDF_RW,
      .doc =
          "the host's end; 64 KiB written before the guest has opened the port wait for it, more "
          "blocks; a reader waits, also while the guest has the port closed",
      .stream = &data_ops },
    { .path = "guest",
      .type = VDF_STREAM,
      .flags = VDF_RW,
      .doc =
          "the guest's end: its first read, write or poll, or an open for both, opens the port in "
          "the guest; a write of at most 32 KiB goes "
          "into one buffer, and waits while host_connected is 0 or the transmit queue is full",
      .when = has_guest,
      .needs = "driver soft",
      .stream = &guest_ops },
    { .path = "name",
      .type = VDF_TEXT,
      .flags = VDF_RW | VDF_SAVE,
      .doc = "name of the port, up to 127 bytes of UTF-8, which is sent to the driver",
      .show = name_show,
      .store = name_store,
      .restore_text = name_restore },
    VALUE("console", VDF_BOOL, VDF_RW, console,
          "1: the port is a console, which the guest opens itself; back to 0 only before the "
          "driver knows",
          .check = console_check, .set = console_set, .restore = console_restore),
    VALUE("overflow", VDF_CHOICE, VDF_RW, overflow,
          "treatment of the guest's data that the host does not read: hold makes the guest "
          "wait; drop takes it at once, keeps 64 KiB for a reader, and counts the rest in "
          "bytes_discarded; a change of console sets it, to drop for a console",
          .choices = overflow_names, .after = overflow_after),
    { .path = "size",
      .type = VDF_TEXT,
      .flags = VDF_RW | VDF_SAVE,
      .doc = "COLS ROWS of the console; port 0 has the device's",
      .show = size_show,
      .store = size_store,
      .restore_text = size_restore },
    { .path = "guest_size",
      .type = VDF_TEXT,
      .flags = VDF_R,
      .doc = "COLS ROWS as a guest sees them that reads RESIZE in the specified order",
      .when = has_guest,
      .needs = "driver soft",
      .show = guest_size_show },
    VALUE("host_connected", VDF_BOOL, VDF_RW, host_connected,
          "1 while data is open and in use, or as written until the next open or last close",
          .after = host_connected_after),
    VALUE("guest_connected", VDF_BOOL, VDF_R, guest_connected,
          "1 while the guest has the port open"),
    VALUE("ready", VDF_BOOL, VDF_R, ready,
          "1 from the driver's PORT_READY on; without MULTIPORT from its DRIVER_OK on"),
    VALUE("throttled", VDF_BOOL, VDF_R, throttled,
          "1 while data of the guest waits in its transmit queue for the host's reader"),
    COUNTER(sent, "bytes that the guest has written"),
    COUNTER(received, "bytes in receive buffers that the guest has taken from its queue"),
    { .path = "bytes_discarded",
      .type = VDF_UINT,
      .flags = VDF_R,
      .width = 8,
      .doc =
          "bytes dropped: unread at the guest's close, sent to a host that was closed, not read by "
          "one that drops, in the transmit queue at a reset, or emergency output that nobody read",
      .get = discarded_get },
    VALUE("added", VDF_BOOL, VDF_NO_FILE, added, "PORT_ADD has been sent"),
    VALUE("told_console", VDF_BOOL, VDF_NO_FILE, sent_console, "CONSOLE_PORT has been sent"),
    VALUE("told_name", VDF_BOOL, VDF_NO_FILE, sent_name, "PORT_NAME has been sent"),
    VALUE("told_open", VDF_BOOL, VDF_NO_FILE, sent_open,
          "value of the last PORT_OPEN that was sent"),
    VALUE("told_cols", VDF_UINT, VDF_NO_FILE, sent_cols, "columns of the last RESIZE"),
    VALUE("told_rows", VDF_UINT, VDF_NO_FILE, sent_rows, "rows of the last RESIZE"),
    VALUE("held", VDF_BOOL, VDF_NO_FILE, held, "a transmit chain is half read"),
    VALUE("held_head", VDF_UINT, VDF_NO_FILE, head, "its first descriptor"),
    VALUE("held_offset", VDF_UINT, VDF_NO_FILE, offset, "bytes of it that were read"),
    VALUE("held_mark", VDF_UINT, VDF_NO_FILE, mark, "its length and those bytes, hashed"),
    VALUE("device_sent", VDF_UINT, VDF_NO_FILE, counts.sent, "bytes that the host has read"),
    VALUE("device_received", VDF_UINT, VDF_NO_FILE, counts.received,
          "bytes put into receive buffers"),
    VALUE("device_discarded", VDF_UINT, VDF_NO_FILE, discarded, "bytes that the device dropped"),
    FIFO(waiting, "bytes that wait for the guest, in hex"),
    FIFO(emergency, "emergency output that waits for the host, in hex"),
    FIFO(unread, "bytes of a guest that may not be held, which wait for the host, in hex"),
};

/* --- life ------------------------------------------------------------------------------------- */

static int port_create(struct vdf_obj *obj, struct vdf_err *err)
{
    struct vdf_console_port *port = vdf_obj_priv(obj);
    struct vdf_console *con = vdf_obj_priv(vdf_obj_parent(obj));
    uint32_t id;

    if (vdf_console_port_number(vdf_obj_name(obj), &id))
        return vdf_fail(err, EINVAL, "\"%.40s\" is no number of a port", vdf_obj_name(obj));
    if (id >= con->n_ports) {
        struct vdf_console_port **ports = realloc(con->ports, (id + 1) * sizeof(port));
        if (!ports)
            return vdf_fail(err, ENOMEM, "no memory for port %u", id);
        memset(ports + con->n_ports, 0, (id + 1 - con->n_ports) * sizeof(port));
        con->ports = ports;
        con->n_ports = id + 1;
    }
    port->con = con;
    port->id = id;
    vdf_console_port_set_console(port, id == 0 && con->device == VDF_CONSOLE_CONSOLE);
    con->ports[id] = port;
    return 0;
}

static void port_destroy(struct vdf_obj *obj)
{
    struct vdf_console_port *port = vdf_obj_priv(obj);

    if (vdf_console_port(port->con, port->id) == port)
        port->con->ports[port->id] = NULL;
    free(port->waiting.bytes);
    free(port->emergency.bytes);
    free(port->unread.bytes);
}

static int port_start(struct vdf_obj *obj, bool fresh, struct vdf_err *err)
{
    const struct vdf_console_port *port = vdf_obj_priv(obj);

    if (!fresh)
        return 0;
    if (port->id == 0)
        vdf_console_open_only_port(port->con);
    vdf_console_settle(port->con);
    return 0;
}

static int port_remove(struct vdf_obj *obj, struct vdf_err *err)
{
    struct vdf_console_port *port = vdf_obj_priv(obj);
    struct vdf_console *con = port->con;

    /* Without MULTIPORT there is no message about a port that goes or comes back. */
    if (!(con->features & VDF_CONSOLE_F_MULTIPORT) ||
        (port->id == 0 && con->status & VDF_CONSOLE_S_DRIVER_OK && !vdf_console_multiport(con)))
        return vdf_fail(err, EBUSY,
                        "without VIRTIO_CONSOLE_F_MULTIPORT the device always has this port");
    if (port->added && vdf_console_control_removed(con, port->id))
        return vdf_fail(err, ENOMEM, "no memory to remember that the port was removed");
    vdf_console_port_unplug(port);
    vdf_console_settle(con);
    return 0;
}

static int port_restored(struct vdf_obj *obj, struct vdf_err *err)
{
    const struct vdf_console_port *port = vdf_obj_priv(obj);

    if (port->console && port->con->device == VDF_CONSOLE_RPROC)
        return vdf_fail(err, EINVAL, "the port of rproc-serial is never a console");
    if (port->held && port->head >= VDF_VQ_SIZE_MAX)
        return vdf_fail(err, EINVAL, "held_head %u: descriptors are 0 to %u", port->head,
                        VDF_VQ_SIZE_MAX - 1);
    return 0;
}

static void port_adopt(struct vdf_obj *obj, void *old, void *now)
{
    const struct vdf_console_port *from = old;
    struct vdf_console_port *to = now;

    to->data_opens = from->data_opens;
    to->data_readers = from->data_readers;
    to->data_kept = to->data_opens && !to->host_connected;
    to->guest_opens = from->guest_opens;
}

const struct vdf_class vdf_console_port_class = {
    .name = "port",
    .title = "port of a virtio-console",
    .attrs = port_attrs,
    .n_attrs = sizeof(port_attrs) / sizeof(port_attrs[0]),
    .priv_size = sizeof(struct vdf_console_port),
    .create = port_create,
    .destroy = port_destroy,
    .restored = port_restored,
    .start = port_start,
    .remove = port_remove,
    .adopt = port_adopt,
};
