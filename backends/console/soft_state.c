/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The soft driver as one line of text, for state files: records of hexadecimal words.
 *
 *     d RPROC MULTIPORT POOL MESSAGE N_QUEUES N_PORTS          the driver, first
 *     q INDEX RING AVAIL LAST_USED BROKEN N (HEAD ADDR LEN)*N  a queue and its posted buffers
 *     p ID CONSOLE GUEST HOST FULL COLS ROWS SENT RECEIVED DISCARDED ADDR SIZE LEN OFFSET   a port
 *     f ADDR LEN                                               a released buffer
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <virtdevfs/text.h>

#include "driver.h"
#include "queue.h"
#include "soft_driver.h"

/* Queues and ports of a driver that has seen the largest device. */
#define QUEUES_MAX (2 * (VDF_CONSOLE_PORTS_MAX + 1))

/* --- out -------------------------------------------------------------------------------------- */

static void show_queue(const struct vdf_soft_queue *q, uint32_t index, struct vdf_buf *out)
{
    vdf_buf_printf(out, " q %x %" PRIx64 " %x %x %x %x", index, q->ring, q->avail, q->last_used,
                   q->broken, (unsigned)__builtin_popcountll(q->busy));
    for (unsigned head = 0; head < VDF_SOFT_QUEUE_MAX; head++)
        if (q->busy >> head & 1)
            vdf_buf_printf(out, " %x %" PRIx64 " %x", head, q->buf[head].addr, q->buf[head].len);
}

void vdf_soft_show(const struct vdf_soft *soft, struct vdf_buf *out)
{
    if (!soft)
        return;
    vdf_buf_printf(out, "d %x %x %x %" PRIx64 " %x %x", soft->rproc, soft->multiport, soft->pool,
                   soft->message, soft->n_queues, soft->n_ports);
    for (uint32_t i = 0; i < soft->n_queues; i++)
        show_queue(&soft->queues[i], i, out);
    for (uint32_t i = 0; i < soft->n_ports; i++) {
        const struct vdf_soft_port *p = soft->ports[i];

        if (!p)
            continue;
        vdf_buf_printf(
            out, " p %x %x %x %x %x %x %x %" PRIx64 " %" PRIx64 " %" PRIx64 " %" PRIx64 " %x %x %x",
            p->id, p->console, p->guest_connected, p->host_connected, p->outvq_full, p->cols,
            p->rows, p->counts.sent, p->counts.received, p->bytes_discarded, p->inbuf.addr,
            p->inbuf.len, p->in_len, p->in_offset);
    }
    for (uint32_t i = 0; i < soft->n_pending; i++)
        vdf_buf_printf(out, " f %" PRIx64 " %x", soft->pending[i].addr, soft->pending[i].len);
}

static void show_buffer(struct vdf_buf *out, uint64_t addr, uint32_t len, const char *what)
{
    vdf_buf_printf(out, "%s0x%08" PRIx64 " %u %s", out->len ? "\n" : "", addr, len, what);
}

uint64_t vdf_soft_pool_used(const struct vdf_soft *soft)
{
    return soft && soft->pool ? soft->used_pages * VDF_PAGE_SIZE : 0;
}

void vdf_soft_show_buffers(const struct vdf_soft *soft, struct vdf_buf *out)
{
    if (!soft || !soft->pool)
        return;
    for (uint32_t i = 0; i < soft->n_queues; i++)
        if (soft->queues[i].ring)
            show_buffer(out, soft->queues[i].ring, VDF_PAGE_SIZE, "ring");
    if (soft->message)
        show_buffer(out, soft->message, sizeof(struct vdf_console_control), "control");
    for (uint32_t i = 0; i < soft->n_queues; i++) {
        const struct vdf_soft_queue *q = &soft->queues[i];
        bool control = soft->multiport && i == VDF_CONSOLE_CONTROL_TXQ;

        for (unsigned head = 0; head < VDF_SOFT_QUEUE_MAX; head++)
            if (q->busy >> head & 1 && !control)
                show_buffer(out, q->buf[head].addr, q->buf[head].len,
                            i & 1 ? "transmit" : "receive");
    }
    for (uint32_t i = 0; i < soft->n_ports; i++)
        if (soft->ports[i] && soft->ports[i]->inbuf.len)
            show_buffer(out, soft->ports[i]->inbuf.addr, soft->ports[i]->inbuf.len, "receive");
    for (uint32_t i = 0; i < soft->n_pending; i++)
        show_buffer(out, soft->pending[i].addr, soft->pending[i].len, "pending");
}

/* --- in --------------------------------------------------------------------------------------- */

struct words {
    const char *at;
    bool bad;
};

/* The next word, at most @max; 0, with `bad` set: it is not valid. */
static uint64_t word(struct words *w, uint64_t max)
{
    uint64_t value;

    while (*w->at == ' ')
        w->at++;
    const char *begin = w->at;
    w->at = strchrnul(begin, ' ');
    if (vdf_hex_parse(begin, (size_t)(w->at - begin), &value) < 0 || value > max) {
        w->bad = true;
        return 0;
    }
    return value;
}

static char record(struct words *w)
{
    while (*w->at == ' ')
        w->at++;
    if (!*w->at)
        return '\0';
    return *w->at++;
}

static int parse_driver(struct words *w, struct vdf_soft *soft)
{
    soft->rproc = word(w, 1);
    soft->multiport = word(w, 1);
    soft->pool = word(w, 1);
    soft->message = word(w, UINT64_MAX);
    uint32_t n_queues = (uint32_t)word(w, QUEUES_MAX);
    uint32_t n_ports = (uint32_t)word(w, VDF_CONSOLE_PORTS_MAX);
    if (w->bad || n_queues != (soft->multiport ? 2 * (n_ports + 1) : 2) || !n_ports ||
        (!soft->multiport && n_ports != 1))
        return -EINVAL;
    return vdf_soft_set_counts(soft, n_queues, n_ports);
}

static int parse_queue(struct words *w, struct vdf_soft *soft)
{
    uint64_t index = word(w, UINT32_MAX);
    struct vdf_soft_queue *q;
    unsigned n;

    if (w->bad || index >= soft->n_queues || soft->queues[index].ring)
        return -EINVAL;
    q = &soft->queues[index];
    q->ring = word(w, UINT64_MAX);
    q->avail = (uint16_t)word(w, UINT16_MAX);
    q->last_used = (uint16_t)word(w, UINT16_MAX);
    q->broken = word(w, 1);
    n = (unsigned)word(w, VDF_SOFT_QUEUE_MAX);
    if (w->bad || !q->ring)
        return -EINVAL;
    if (!n)
        return 0;
    q->buf = calloc(VDF_SOFT_QUEUE_MAX, sizeof(*q->buf));
    if (!q->buf)
        return -ENOMEM;
    while (n--) {
        unsigned head = (unsigned)word(w, VDF_SOFT_QUEUE_MAX - 1);

        if (w->bad || q->busy >> head & 1)
            return -EINVAL;
        q->busy |= UINT64_C(1) << head;
        q->buf[head].addr = word(w, UINT64_MAX);
        q->buf[head].len = (uint32_t)word(w, VDF_SOFT_WRITE_MAX);
        if (w->bad || !q->buf[head].len)
            return -EINVAL;
    }
    return 0;
}

static int parse_port(struct words *w, struct vdf_soft *soft)
{
    uint64_t id = word(w, UINT32_MAX);
    struct vdf_soft_port *p;

    if (w->bad || id >= soft->n_ports || soft->ports[id])
        return -EINVAL;
    p = calloc(1, sizeof(*p));
    if (!p)
        return -ENOMEM;
    soft->ports[id] = p;
    p->id = (uint32_t)id;
    p->console = word(w, 1);
    p->guest_connected = word(w, 1);
    p->host_connected = word(w, 1);
    p->outvq_full = word(w, 1);
    p->cols = (uint16_t)word(w, UINT16_MAX);
    p->rows = (uint16_t)word(w, UINT16_MAX);
    p->counts.sent = word(w, UINT64_MAX);
    p->counts.received = word(w, UINT64_MAX);
    p->bytes_discarded = word(w, UINT64_MAX);
    p->inbuf.addr = word(w, UINT64_MAX);
    p->inbuf.len = (uint32_t)word(w, VDF_SOFT_WRITE_MAX);
    p->in_len = (uint32_t)word(w, p->inbuf.len);
    p->in_offset = (uint32_t)word(w, p->in_len);
    return w->bad ? -EINVAL : 0;
}

static int parse_pending(struct words *w, struct vdf_soft *soft)
{
    struct vdf_soft_buf buf = { .addr = word(w, UINT64_MAX) };

    buf.len = (uint32_t)word(w, VDF_SOFT_WRITE_MAX);
    if (w->bad || !buf.len || !soft->pool)
        return -EINVAL;
    return vdf_soft_add_pending(soft, buf);
}

int vdf_soft_parse(const char *text, struct vdf_soft **result, struct vdf_err *err)
{
    struct words w = { .at = text };
    struct vdf_soft *soft = NULL;
    bool first = true;
    int ret = 0;
    char kind;

    *result = NULL;
    while (!ret && (kind = record(&w))) {
        if (first != (kind == 'd')) {
            ret = -EINVAL;
            break;
        }
        first = false;
        switch (kind) {
        case 'd':
            soft = calloc(1, sizeof(*soft));
            ret = soft ? parse_driver(&w, soft) : -ENOMEM;
            break;
        case 'q':
            ret = parse_queue(&w, soft);
            break;
        case 'p':
            ret = parse_port(&w, soft);
            break;
        case 'f':
            ret = parse_pending(&w, soft);
            break;
        default:
            ret = -EINVAL;
            break;
        }
    }
    if (ret) {
        vdf_soft_free(soft);
        return vdf_fail(err, -ret, "the records of the soft driver are not valid at \"%.40s\"",
                        w.at);
    }
    *result = soft;
    return 0;
}

/* --- against the device ----------------------------------------------------------------------- */

static int claim(struct vdf_soft *soft, const char *what, uint64_t addr, uint64_t len,
                 struct vdf_err *err)
{
    int ret = vdf_soft_pages_claim(soft, addr, len);

    if (ret)
        return vdf_fail(err, -ret,
                        "the driver's %s at 0x%" PRIx64 ", %" PRIu64
                        " bytes, is no free page of its memory",
                        what, addr, len);
    return 0;
}

/* The queue of the driver has the device's size. */
static int claim_queue(const struct vdf_console *con, uint32_t index, struct vdf_err *err)
{
    struct vdf_soft *soft = con->soft;
    struct vdf_soft_queue *q = &soft->queues[index];
    const struct vdf_vq *vq = vdf_console_queue(con, index);
    bool control = soft->multiport && index == VDF_CONSOLE_CONTROL_TXQ;

    if (!q->ring)
        return vdf_fail(err, EINVAL, "the driver has no ring for queue %u", index);
    q->num = vq && vq->num ? vq->num : VDF_SOFT_QUEUE_MAX;
    if (q->num > VDF_SOFT_QUEUE_MAX || (q->num < 64 && q->busy >> q->num))
        return vdf_fail(err, EINVAL, "the driver's queue %u has not %u descriptors", index, q->num);
    int ret = claim(soft, "ring", q->ring, VDF_PAGE_SIZE, err);
    for (unsigned head = 0; !ret && head < VDF_SOFT_QUEUE_MAX; head++) {
        if (!(q->busy >> head & 1))
            continue;
        /* The control queue sends only the driver's buffer for messages. */
        if (control)
            ret = q->buf[head].addr == soft->message
                      ? 0
                      : vdf_fail(err, EINVAL, "a control message that is not the driver's");
        else
            ret = claim(soft, "buffer", q->buf[head].addr, q->buf[head].len, err);
    }
    return ret;
}

int vdf_soft_restored(struct vdf_console *con, struct vdf_err *err)
{
    struct vdf_soft *soft = con->soft;
    int ret = 0;

    if (!soft)
        return 0;
    if (vdf_console_driver(con) != &vdf_console_soft_driver ||
        soft->rproc != (con->device == VDF_CONSOLE_RPROC) ||
        vdf_console_modes(con) & VDF_VQ_PACKED || soft->multiport != vdf_console_multiport(con) ||
        soft->pool != vdf_console_pool(con) || (soft->multiport && soft->n_ports != con->max_ports))
        return vdf_fail(err, EINVAL, "the driver's records belong to another kind of device");
    if (vdf_soft_pages_init(con, soft))
        return vdf_fail(err, ENOMEM, "no memory for the driver");
    if (soft->multiport)
        ret = claim(soft, "message", soft->message, sizeof(struct vdf_console_control), err);
    for (uint32_t i = 0; !ret && i < soft->n_queues; i++)
        ret = claim_queue(con, i, err);
    for (uint32_t i = 0; !ret && i < soft->n_ports; i++)
        if (soft->ports[i] && soft->ports[i]->inbuf.len)
            ret = claim(soft, "buffer", soft->ports[i]->inbuf.addr, soft->ports[i]->inbuf.len, err);
    for (uint32_t i = 0; !ret && i < soft->n_pending; i++)
        ret = claim(soft, "buffer", soft->pending[i].addr, soft->pending[i].len, err);
    if (!ret)
        vdf_soft_attach(con);
    return ret;
}
