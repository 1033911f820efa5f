/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The vEVENTQ: records in iommufd's format, each a header {u32 flags, u32 sequence} and a payload:
 * two little-endian u64, the VINTF's LVCMDQ_ERR_MAP, or for a selftest the u32 number of a virtual
 * device. At most `depth` events wait; further events are lost. A lone header with the flag LOST_EVENTS
 * then ends the queue, until the next event replaces the header: the gap in the sequence numbers says
 * the same.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <virtdevfs/iommufd.h>

#include "hwqueue.h"

#define HEADER VDF_VEVENT_HEADER
#define SEQUENCE_MASK VDF_VEVENT_SEQUENCE_MASK

void vdf_veventq_free(struct vdf_veventq *queue)
{
    free(queue->events);
    queue->events = NULL;
    queue->cap = queue->n = queue->first = 0;
}

static bool grow(struct vdf_veventq *queue)
{
    uint32_t cap = queue->cap ? queue->cap * 2 : 8;
    struct vdf_vevent *events = malloc(cap * sizeof(*events));

    if (!events)
        return false;
    for (uint32_t k = 0; k < queue->n; k++)
        events[k] = queue->events[(queue->first + k) % queue->cap];
    free(queue->events);
    queue->events = events;
    queue->first = 0;
    queue->cap = cap;
    return true;
}

bool vdf_veventq_append(struct vdf_veventq *queue, const struct vdf_vevent *event, uint32_t max)
{
    if (queue->n >= max || (queue->n == queue->cap && !grow(queue)))
        return false;
    queue->events[(queue->first + queue->n++) % queue->cap] = *event;
    return true;
}

void vdf_veventq_add(struct vdf_veventq *queue, const uint64_t map[2])
{
    struct vdf_vevent event = { .sequence = queue->sequence, .map = { map[0], map[1] } };

    queue->sequence = (queue->sequence + 1) & SEQUENCE_MASK;
    queue->lost = !vdf_veventq_append(queue, &event, queue->depth);
    queue->lost_sequence = queue->lost ? event.sequence : 0;
}

unsigned vdf_veventq_payload(const struct vdf_hwqueue *dev)
{
    return dev->kind->event_payload;
}

ssize_t vdf_veventq_read(struct vdf_hwqueue *dev, void *bytes, size_t n, struct vdf_err *err)
{
    struct vdf_veventq *queue = &dev->veventq;
    size_t record = HEADER + vdf_veventq_payload(dev), done = 0;
    uint8_t *to = bytes;

    if (queue->n == 0 && !queue->lost)
        return 0;
    while (queue->n > 0 && n - done >= record) {
        const struct vdf_vevent *event = &queue->events[queue->first];
        const uint32_t header[2] = { htole32(0), htole32(event->sequence) };
        const uint64_t payload[2] = { htole64(event->map[0]), htole64(event->map[1]) };
        memcpy(to + done, header, HEADER);
        memcpy(to + done + HEADER, payload, record - HEADER);
        done += record;
        queue->first = (queue->first + 1) % queue->cap;
        queue->n--;
    }
    if (queue->n == 0 && queue->lost && n - done >= HEADER) {
        const uint32_t header[2] = { htole32(VDF_IOMMU_VEVENT_LOST_EVENTS),
                                     htole32(queue->lost_sequence) };
        memcpy(to + done, header, HEADER);
        done += HEADER;
        queue->lost = false;
        queue->lost_sequence = 0;
    }
    if (done == 0)
        return vdf_fail(err, EINVAL, "%zu bytes: a read takes whole events of %zu bytes", n,
                        record);
    return (ssize_t)done;
}

bool vdf_veventq_waits(struct vdf_hwqueue *dev)
{
    return dev->veventq.n > 0 || dev->veventq.lost;
}

int vdf_veventq_store_depth(struct vdf_hwqueue *dev, uint32_t depth, struct vdf_err *err)
{
    if (depth < dev->veventq.n)
        return vdf_fail(err, EBUSY, "%u: %u events wait to be read", depth, dev->veventq.n);
    dev->veventq.depth = depth;
    return 0;
}

/* --- the files -------------------------------------------------------------------------------- */

static ssize_t stream_read(const struct vdf_at *at, void *bytes, size_t n, struct vdf_err *err)
{
    struct vdf_hwqueue *dev = at->priv;

    if (n < HEADER)
        return vdf_fail(err, EINVAL, "%zu bytes: a read takes at least a header of %u bytes", n,
                        HEADER);
    ssize_t got = vdf_hwqueue_ops(dev)->read_events(dev, bytes, n, err);
    return got ? got : -EAGAIN;
}

static unsigned stream_poll(const struct vdf_at *at)
{
    struct vdf_hwqueue *dev = at->priv;
    return vdf_hwqueue_ops(dev)->has_events(dev) ? POLLIN : 0;
}

const struct vdf_stream_ops vdf_veventq_stream = {
    .read = stream_read,
    .poll = stream_poll,
};

int vdf_veventq_set_depth(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_hwqueue *dev = at->priv;

    if (value == dev->veventq.depth)
        return 0;
    return vdf_hwqueue_ops(dev)->set_depth(dev, (uint32_t)value, err);
}

int vdf_veventq_trigger(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_hwqueue *dev = at->priv;
    int ret = 0;

    for (; ret == 0 && value > 0; value--)
        ret = vdf_hwqueue_ops(dev)->trigger(dev, err);
    return ret;
}

/* --- in a state ------------------------------------------------------------------------------- */

/* Of the rows of the queue, a state saves this one first. */
int vdf_veventq_get_sequence(const struct vdf_at *at, uint64_t *value)
{
    struct vdf_hwqueue *dev = at->priv;
    const struct vdf_hwqueue_ops *ops = vdf_hwqueue_ops(dev);

    if (ops->settle_events)
        ops->settle_events(dev);
    *value = dev->veventq.sequence;
    return 0;
}

/* The events of the kernel and the events here together may exceed `depth`; a state has the first
 * `depth` of them. */
int vdf_veventq_get_lost(const struct vdf_at *at, uint64_t *value)
{
    const struct vdf_hwqueue *dev = at->priv;
    *value = dev->veventq.lost || dev->veventq.n > dev->veventq.depth;
    return 0;
}

int vdf_veventq_get_lost_sequence(const struct vdf_at *at, uint64_t *value)
{
    const struct vdf_hwqueue *dev = at->priv;
    const struct vdf_veventq *queue = &dev->veventq;

    *value = queue->lost_sequence;
    if (!queue->lost && queue->n > queue->depth)
        *value = queue->events[(queue->first + queue->n - 1) % queue->cap].sequence;
    return 0;
}

void vdf_veventq_save(const struct vdf_at *at, struct vdf_buf *out)
{
    const struct vdf_hwqueue *dev = at->priv;
    const struct vdf_veventq *queue = &dev->veventq;

    for (uint32_t k = 0; k < queue->n && k < queue->depth; k++) {
        const struct vdf_vevent *event = &queue->events[(queue->first + k) % queue->cap];
        vdf_buf_printf(out, "%s%u 0x%" PRIx64 " 0x%" PRIx64, k ? ", " : "", event->sequence,
                       event->map[0], event->map[1]);
    }
}

static int parse_event(struct vdf_hwqueue *dev, const char *text, struct vdf_err *err)
{
    struct vdf_vevent event;
    uint64_t sequence;
    int ret = vdf_hwqueue_number(&text, "sequence", SEQUENCE_MASK, &sequence, err);

    if (ret == 0)
        ret = vdf_hwqueue_number(&text, "first map", UINT64_MAX, &event.map[0], err);
    if (ret == 0)
        ret = vdf_hwqueue_number(&text, "second map", UINT64_MAX, &event.map[1], err);
    if (ret == 0)
        ret = vdf_hwqueue_end(&text, "SEQUENCE MAP MAP", err);
    if (ret < 0)
        return ret;
    event.sequence = (uint32_t)sequence;
    if (!vdf_veventq_append(&dev->veventq, &event, dev->veventq.depth))
        return vdf_fail(err, EINVAL, "%u: at most veventq_depth events wait", event.sequence);
    return 0;
}

int vdf_veventq_restore(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err)
{
    struct vdf_hwqueue *dev = at->priv;

    vdf_veventq_free(&dev->veventq);
    return vdf_hwqueue_split(text, parse_event, dev, err);
}
