/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The vEVENTQ: records in iommufd's format, each a header {u32 flags, u32 sequence} and a payload
 * of two little-endian u64, the VINTF's LVCMDQ_ERR_MAP. At most `depth` events wait; what comes
 * then is lost, and a header alone with flag LOST_EVENTS ends the queue until the next event is
 * queued behind it (which takes the header's place: the gap in the sequence tells the same).
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "hwqueue.h"

#define FLAG_LOST_EVENTS 1u
#define HEADER 8u
#define RECORD (HEADER + 16u)
#define SEQUENCE_MASK 0x7fffffffu

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

static bool append(struct vdf_veventq *queue, const struct vdf_vevent *event)
{
    if (queue->n >= queue->depth || (queue->n == queue->cap && !grow(queue)))
        return false;
    queue->events[(queue->first + queue->n++) % queue->cap] = *event;
    return true;
}

void vdf_veventq_add(struct vdf_veventq *queue, const uint64_t map[2])
{
    struct vdf_vevent event = { .sequence = queue->sequence, .map = { map[0], map[1] } };

    queue->sequence = (queue->sequence + 1) & SEQUENCE_MASK;
    queue->lost = !append(queue, &event);
    if (queue->lost)
        queue->lost_sequence = event.sequence;
}

static ssize_t stream_read(const struct vdf_at *at, void *bytes, size_t n, struct vdf_err *err)
{
    struct vdf_hwqueue *dev = at->priv;
    struct vdf_veventq *queue = &dev->veventq;
    uint8_t *to = bytes;
    size_t done = 0;

    if (queue->n == 0 && !queue->lost)
        return -EAGAIN;
    while (queue->n > 0 && n - done >= RECORD) {
        const struct vdf_vevent *event = &queue->events[queue->first];
        const uint32_t header[2] = { htole32(0), htole32(event->sequence) };
        const uint64_t payload[2] = { htole64(event->map[0]), htole64(event->map[1]) };
        memcpy(to + done, header, HEADER);
        memcpy(to + done + HEADER, payload, RECORD - HEADER);
        done += RECORD;
        queue->first = (queue->first + 1) % queue->cap;
        queue->n--;
    }
    if (queue->n == 0 && queue->lost && n - done >= HEADER) {
        const uint32_t header[2] = { htole32(FLAG_LOST_EVENTS), htole32(queue->lost_sequence) };
        memcpy(to + done, header, HEADER);
        done += HEADER;
        queue->lost = false;
    }
    if (done == 0)
        return vdf_fail(err, EINVAL, "%zu bytes: a read takes whole events of %u bytes", n, RECORD);
    return (ssize_t)done;
}

static unsigned stream_poll(const struct vdf_at *at)
{
    const struct vdf_hwqueue *dev = at->priv;
    return dev->veventq.n > 0 || dev->veventq.lost ? POLLIN : 0;
}

const struct vdf_stream_ops vdf_veventq_stream = {
    .read = stream_read,
    .poll = stream_poll,
};

int vdf_veventq_check_depth(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_hwqueue *dev = at->priv;

    if (value < 1 || value > VDF_VEVENTQ_DEPTH_MAX)
        return vdf_fail(err, EINVAL, "%llu: a depth is 1 to %u", (unsigned long long)value,
                        VDF_VEVENTQ_DEPTH_MAX);
    if (value < dev->veventq.n)
        return vdf_fail(err, EBUSY, "%llu: %u events wait to be read", (unsigned long long)value,
                        dev->veventq.n);
    return 0;
}

void vdf_veventq_save(const struct vdf_at *at, struct vdf_buf *out)
{
    const struct vdf_hwqueue *dev = at->priv;
    const struct vdf_veventq *queue = &dev->veventq;

    for (uint32_t k = 0; k < queue->n; k++) {
        const struct vdf_vevent *event = &queue->events[(queue->first + k) % queue->cap];
        vdf_buf_printf(out, "%s%u 0x%llx 0x%llx", k ? ", " : "", event->sequence,
                       (unsigned long long)event->map[0], (unsigned long long)event->map[1]);
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
    if (!append(&dev->veventq, &event))
        return vdf_fail(err, EINVAL, "%u: at most veventq_depth events wait", event.sequence);
    return 0;
}

int vdf_veventq_restore(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err)
{
    struct vdf_hwqueue *dev = at->priv;

    (void)len;
    vdf_veventq_free(&dev->veventq);
    return vdf_hwqueue_split(text, parse_event, dev, err);
}

int vdf_veventq_restored(const struct vdf_veventq *queue, struct vdf_err *err)
{
    if (queue->depth < 1 || queue->depth > VDF_VEVENTQ_DEPTH_MAX || queue->n > queue->depth)
        return vdf_fail(err, EINVAL, "veventq_depth %u: 1 to %u, and not below the %u events",
                        queue->depth, VDF_VEVENTQ_DEPTH_MAX, queue->n);
    if ((queue->sequence | queue->lost_sequence) & ~SEQUENCE_MASK)
        return vdf_fail(err, EINVAL, "veventq_sequence %u: sequences have 31 bits",
                        queue->sequence);
    return 0;
}
