/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The soft driver's memory: pages for buffers and rings, and its side of the rings. */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "queue.h"
#include "soft_driver.h"

/* Parts of a ring in its page. */
#define RING_AVAIL 2048u
#define RING_USED 3072u
_Static_assert(VDF_SOFT_QUEUE_MAX *VDF_VQ_DESC_SIZE <= RING_AVAIL, "descriptors overlap");
_Static_assert(RING_AVAIL + 6 + VDF_SOFT_QUEUE_MAX * 2 <= RING_USED, "available ring overlaps");
_Static_assert(RING_USED + 6 + VDF_SOFT_QUEUE_MAX * 8 <= VDF_PAGE_SIZE, "used ring overlaps");
_Static_assert(VDF_SOFT_QUEUE_MAX == 64, "a bit of `busy` for each descriptor");

/* --- pages ------------------------------------------------------------------------------------ */

int vdf_soft_pages_init(struct vdf_console *con, struct vdf_soft *soft)
{
    uint64_t pool = vdf_console_pool_addr(con) / VDF_PAGE_SIZE;

    /* Page 0 stays free: an address of 0 is no buffer. */
    soft->first_page = soft->pool ? pool : 1;
    soft->n_pages = soft->pool ? con->dma_size / VDF_PAGE_SIZE : pool > 1 ? pool - 1 : 0;
    soft->used_pages = 0;
    free(soft->pages);
    soft->pages = calloc(soft->n_pages + 1, 1);
    return soft->pages ? 0 : -ENOMEM;
}

static uint64_t pages_of(uint64_t len)
{
    return (len + VDF_PAGE_SIZE - 1) / VDF_PAGE_SIZE;
}

int vdf_soft_pages_claim(struct vdf_soft *soft, uint64_t addr, uint64_t len)
{
    uint64_t page = addr / VDF_PAGE_SIZE;
    uint64_t n = pages_of(len);

    if (addr % VDF_PAGE_SIZE || !len || page < soft->first_page)
        return -EINVAL;
    page -= soft->first_page;
    if (page >= soft->n_pages || n > soft->n_pages - page)
        return -EINVAL;
    if (memchr(soft->pages + page, 1, n))
        return -EINVAL;
    memset(soft->pages + page, 1, n);
    soft->used_pages += n;
    return 0;
}

static void give_back(struct vdf_soft *soft, struct vdf_soft_buf buf)
{
    uint64_t n = pages_of(buf.len);

    memset(soft->pages + buf.addr / VDF_PAGE_SIZE - soft->first_page, 0, n);
    soft->used_pages -= n;
}

void vdf_soft_reclaim_pending(struct vdf_soft *soft)
{
    for (uint32_t i = 0; i < soft->n_pending; i++)
        give_back(soft, soft->pending[i]);
    soft->n_pending = 0;
}

int vdf_soft_alloc(struct vdf_soft *soft, uint32_t len, uint64_t *addr)
{
    uint64_t n = pages_of(len);
    uint64_t page = 0;

    vdf_soft_reclaim_pending(soft);
    while (page + n <= soft->n_pages) {
        const uint8_t *hole = memchr(soft->pages + page, 0, soft->n_pages - page);
        const uint8_t *taken;

        if (!hole)
            break;
        page = (uint64_t)(hole - soft->pages);
        if (n > soft->n_pages - page)
            break;
        taken = memchr(hole, 1, n);
        if (!taken) {
            memset(soft->pages + page, 1, n);
            soft->used_pages += n;
            *addr = (soft->first_page + page) * VDF_PAGE_SIZE;
            return 0;
        }
        page = (uint64_t)(taken - soft->pages);
    }
    return -ENOMEM;
}

int vdf_soft_add_pending(struct vdf_soft *soft, struct vdf_soft_buf buf)
{
    struct vdf_soft_buf *pending = realloc(soft->pending, (soft->n_pending + 1) * sizeof(buf));

    if (!pending)
        return -ENOMEM;
    soft->pending = pending;
    soft->pending[soft->n_pending++] = buf;
    return 0;
}

void vdf_soft_release(struct vdf_soft *soft, struct vdf_soft_buf buf)
{
    /* Coherent memory cannot be freed where one may not sleep; ordinary memory can. */
    if (!soft->pool || vdf_soft_add_pending(soft, buf) < 0)
        give_back(soft, buf);
}

/* --- rings ------------------------------------------------------------------------------------ */

/* A word of a ring page. The driver, like a guest's processor, reaches all memory. */
static void *ring_at(const struct vdf_console *con, const struct vdf_soft_queue *q, uint32_t offset,
                     unsigned len)
{
    return vdf_memory_at((struct vdf_memory *)&con->memory, q->ring + offset, len);
}

static void write_addr(struct vdf_console *con, unsigned low, uint64_t addr)
{
    vdf_console_reg_write(con, low, (uint32_t)addr);
    vdf_console_reg_write(con, low + 4, (uint32_t)(addr >> 32));
}

/* The lowest descriptor that is free; -1: none. */
static int free_head(const struct vdf_soft_queue *q)
{
    uint64_t none = q->num < 64 ? UINT64_MAX << q->num : 0;

    return ~(q->busy | none) ? __builtin_ctzll(~(q->busy | none)) : -1;
}

bool vdf_soft_queue_full(const struct vdf_soft_queue *q)
{
    return free_head(q) < 0;
}

int vdf_soft_queue_setup(struct vdf_console *con, uint32_t index, struct vdf_err *err)
{
    struct vdf_soft_queue *q = &con->soft->queues[index];
    uint64_t addr;
    uint32_t most;
    void *page;

    vdf_console_reg_write(con, VDF_CONSOLE_REG_QUEUE_SEL, index);
    most = vdf_console_reg_read(con, VDF_CONSOLE_REG_QUEUE_NUM_MAX);
    if (vdf_console_reg_read(con, VDF_CONSOLE_REG_QUEUE_READY) || !most)
        return vdf_fail(err, ENOENT, "queue %u is not there", index);
    if (vdf_soft_alloc(con->soft, VDF_PAGE_SIZE, &addr))
        return vdf_fail(
            err, ENOMEM,
            "no memory for the ring of queue %u of %u: make the memory larger, or max_ports "
            "smaller",
            index, con->soft->n_queues);
    page = vdf_memory_at(&con->memory, addr, VDF_PAGE_SIZE);
    if (!page)
        return vdf_fail(err, errno, "guest memory: %s", strerror(errno));
    memset(page, 0, VDF_PAGE_SIZE);
    q->ring = addr;
    q->num = (uint16_t)(most < VDF_SOFT_QUEUE_MAX ? most : VDF_SOFT_QUEUE_MAX);
    vdf_console_reg_write(con, VDF_CONSOLE_REG_QUEUE_NUM, q->num);
    write_addr(con, VDF_CONSOLE_REG_QUEUE_DESC_LOW, addr);
    write_addr(con, VDF_CONSOLE_REG_QUEUE_DRIVER_LOW, addr + RING_AVAIL);
    write_addr(con, VDF_CONSOLE_REG_QUEUE_DEVICE_LOW, addr + RING_USED);
    vdf_console_reg_write(con, VDF_CONSOLE_REG_QUEUE_READY, 1);
    return 0;
}

int vdf_soft_add(struct vdf_console *con, uint32_t index, struct vdf_soft_buf buf,
                 bool device_writes)
{
    struct vdf_soft_queue *q = &con->soft->queues[index];
    uint8_t *desc, *slot, *idx;
    int head = free_head(q);

    if (q->broken)
        return -EIO;
    if (head < 0)
        return -ENOSPC;
    if (!q->buf) {
        q->buf = calloc(VDF_SOFT_QUEUE_MAX, sizeof(*q->buf));
        if (!q->buf)
            return -ENOMEM;
    }
    desc = ring_at(con, q, (unsigned)head * VDF_VQ_DESC_SIZE, VDF_VQ_DESC_SIZE);
    slot = ring_at(con, q, RING_AVAIL + 4 + q->avail % q->num * 2u, 2);
    idx = ring_at(con, q, RING_AVAIL + 2, 2);
    if (!desc || !slot || !idx)
        return -ENOMEM;
    vdf_store_le64(desc, buf.addr);
    vdf_store_le32(desc + 8, buf.len);
    vdf_store_le16(desc + 12, device_writes ? VDF_VQ_DESC_WRITE : 0);
    vdf_store_le16(desc + 14, 0);
    vdf_store_le16(slot, (uint16_t)head);
    q->avail++;
    vdf_store_le16(idx, q->avail);
    q->busy |= UINT64_C(1) << head;
    q->buf[head] = buf;
    return 0;
}

void vdf_soft_kick(struct vdf_console *con, uint32_t index)
{
    const struct vdf_soft_queue *q = &con->soft->queues[index];
    const void *flags = ring_at(con, q, RING_USED, 2);

    if (flags && !(vdf_load_le16(flags) & VDF_VQ_USED_NO_NOTIFY))
        vdf_console_reg_write(con, VDF_CONSOLE_REG_QUEUE_NOTIFY, index);
}

bool vdf_soft_more_used(const struct vdf_console *con, uint32_t index)
{
    const struct vdf_soft_queue *q = &con->soft->queues[index];
    const void *idx;

    if (!q->ring || q->broken)
        return false;
    idx = ring_at(con, q, RING_USED + 2, 2);
    return idx && vdf_load_le16(idx) != q->last_used;
}

bool vdf_soft_get(struct vdf_console *con, uint32_t index, struct vdf_soft_buf *buf,
                  uint32_t *written)
{
    struct vdf_soft_queue *q = &con->soft->queues[index];
    const uint8_t *elem;
    uint32_t id;

    if (!vdf_soft_more_used(con, index))
        return false;
    elem = ring_at(con, q, RING_USED + 4 + q->last_used % q->num * 8u, 8);
    if (!elem)
        return false;
    id = vdf_load_le32(elem);
    *written = vdf_load_le32(elem + 4);
    if (id >= q->num || !(q->busy >> id & 1)) {
        vdf_report(
            con->priv.obj, EPROTO,
            "driver: used entry of queue %u names descriptor %u, which is not in use; the driver "
            "stops using the queue",
            index, id);
        q->broken = true;
        return false;
    }
    *buf = q->buf[id];
    q->busy &= ~(UINT64_C(1) << id);
    q->last_used++;
    return true;
}

unsigned vdf_soft_fill(struct vdf_console *con, uint32_t index)
{
    unsigned n = 0;

    for (;;) {
        struct vdf_soft_buf buf = { .len = VDF_PAGE_SIZE };

        if (vdf_soft_queue_full(&con->soft->queues[index]) || con->soft->queues[index].broken)
            return n;
        if (vdf_soft_alloc(con->soft, buf.len, &buf.addr))
            return n;
        if (vdf_soft_add(con, index, buf, true)) {
            vdf_soft_release(con->soft, buf);
            return n;
        }
        vdf_soft_kick(con, index);
        n++;
    }
}

void vdf_soft_send_control(struct vdf_console *con, uint32_t id, enum vdf_console_event event,
                           uint16_t value)
{
    struct vdf_console_control message = {
        .id = htole32(id),
        .event = htole16(event),
        .value = htole16(value),
    };
    struct vdf_soft *soft = con->soft;
    struct vdf_soft_buf buf = { .addr = soft->message, .len = sizeof(message) };
    uint32_t written;
    void *p;

    if (!soft->multiport)
        return;
    p = vdf_memory_at(&con->memory, soft->message, sizeof(message));
    if (!p)
        return;
    memcpy(p, &message, sizeof(message));
    if (vdf_soft_add(con, VDF_CONSOLE_CONTROL_TXQ, buf, false))
        return;
    vdf_soft_kick(con, VDF_CONSOLE_CONTROL_TXQ);
    /* Linux waits here until the buffer is back. The device has used it during the notification, or
     * it has stopped. */
    vdf_soft_get(con, VDF_CONSOLE_CONTROL_TXQ, &buf, &written);
}
