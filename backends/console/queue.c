/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The device's features, memory, queues and interrupts. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "driver.h"
#include "queue.h"

#define DIRTY_WORD_BYTES (64ull * VDF_DIRTY_PAGE) /* of memory, in a word of the bitmap */

uint64_t vdf_console_default_features(unsigned device)
{
    uint64_t common = VDF_CONSOLE_F_INDIRECT | VDF_CONSOLE_F_EVENT_IDX | VDF_CONSOLE_F_VERSION_1 |
                      VDF_CONSOLE_F_IN_ORDER | VDF_CONSOLE_F_RING_RESET;

    if (device == VDF_CONSOLE_RPROC)
        return common;
    return common | VDF_CONSOLE_F_SIZE | VDF_CONSOLE_F_MULTIPORT | VDF_CONSOLE_F_EMERG_WRITE;
}

/* With ACCESS_PLATFORM addresses are those of the platform, which here are those of the memory. */
uint64_t vdf_console_possible_features(unsigned device)
{
    return vdf_console_default_features(device) | VDF_CONSOLE_F_ACCESS_PLATFORM |
           VDF_CONSOLE_F_RING_PACKED;
}

bool vdf_console_multiport(const struct vdf_console *con)
{
    return con->device == VDF_CONSOLE_CONSOLE && con->driver_features & VDF_CONSOLE_F_MULTIPORT;
}

bool vdf_console_pool(const struct vdf_console *con)
{
    /* The pool is in the device's own memory, which a front end does not see. */
    if (vdf_console_driver(con)->remote)
        return false;
    if (con->device == VDF_CONSOLE_RPROC)
        return true;
    return con->dma_mem && con->driver_features & VDF_CONSOLE_F_DMA_MEM;
}

/* The pool in a space: the end of its last region. False: it does not fit. */
static bool pool_region(const struct vdf_console *con, const struct vdf_space *space,
                        struct vdf_region *pool)
{
    const struct vdf_region *last = space->n ? &vdf_space_regions(space)[space->n - 1] : NULL;

    if (!last || last->len < con->dma_size)
        return false;
    *pool = *last;
    uint64_t cut = last->len - con->dma_size;
    if (pool->dirty) {
        /* The bitmap begins with a whole word, so that the region may be larger than the pool. */
        cut -= cut % DIRTY_WORD_BYTES;
        pool->dirty += cut / DIRTY_WORD_BYTES;
    }
    pool->addr += cut;
    pool->offset += cut;
    pool->len -= cut;
    return true;
}

bool vdf_console_pool_fits(const struct vdf_console *con, const struct vdf_space *space)
{
    struct vdf_region pool;

    return pool_region(con, space, &pool);
}

uint64_t vdf_console_pool_addr(const struct vdf_console *con)
{
    struct vdf_space own = vdf_space_of((struct vdf_memory *)&con->memory);
    struct vdf_region pool;

    if (!pool_region(con, con->guest_space ? con->guest_space : &own, &pool))
        return 0;
    return pool.addr + pool.len - con->dma_size;
}

void vdf_console_use_space(struct vdf_console *con, const struct vdf_space *space)
{
    struct vdf_region pool;

    if (!vdf_console_pool(con))
        con->space = *space;
    else if (pool_region(con, space, &pool))
        con->space = (struct vdf_space){ .n = 1, .one = pool };
    else
        con->space = (struct vdf_space){ 0 };
}

void vdf_console_update_space(struct vdf_console *con)
{
    if (vdf_console_driver(con)->space) {
        vdf_console_driver(con)->space(con);
    } else {
        const struct vdf_space own = vdf_space_of(&con->memory);
        vdf_console_use_space(con, &own);
    }
}

/* --- queues ----------------------------------------------------------------------------------- */

uint32_t vdf_console_queues(const struct vdf_console *con)
{
    return con->features & VDF_CONSOLE_F_MULTIPORT ? 2 * (con->max_ports + 1) : 2;
}

const struct vdf_vq *vdf_console_queue(const struct vdf_console *con, uint32_t index)
{
    static const struct vdf_vq unset;

    if (index >= vdf_console_queues(con))
        return NULL;
    return index < con->n_queues ? &con->queues[index] : &unset;
}

struct vdf_vq *vdf_console_queue_make(struct vdf_console *con, uint32_t index)
{
    uint32_t n = vdf_console_queues(con);

    if (index >= n)
        return NULL;
    if (con->n_queues < n) {
        struct vdf_vq *queues = realloc(con->queues, n * sizeof(*queues));
        if (!queues)
            return NULL;
        memset(queues + con->n_queues, 0, (n - con->n_queues) * sizeof(*queues));
        con->queues = queues;
        con->n_queues = n;
    }
    return &con->queues[index];
}

uint8_t vdf_console_modes(const struct vdf_console *con)
{
    return (con->driver_features & VDF_CONSOLE_F_INDIRECT ? VDF_VQ_INDIRECT : 0) |
           (con->driver_features & VDF_CONSOLE_F_EVENT_IDX ? VDF_VQ_EVENT_IDX : 0) |
           (con->driver_features & VDF_CONSOLE_F_RING_PACKED ? VDF_VQ_PACKED : 0);
}

struct vdf_vq *vdf_console_live(struct vdf_console *con, uint32_t index)
{
    const struct vdf_console_driver *driver = vdf_console_driver(con);

    if (!(con->status & VDF_CONSOLE_S_DRIVER_OK))
        return NULL;
    /* A restored guest has no memory before its machine is attached. */
    if (!con->space.n)
        return NULL;
    if (index >= con->n_queues || !con->queues[index].ready || con->queues[index].broken)
        return NULL;
    if (driver->live && !driver->live(con, index))
        return NULL;
    return &con->queues[index];
}

/* --- interrupts ------------------------------------------------------------------------------- */

void vdf_console_set_interrupt(struct vdf_console *con, uint32_t int_status)
{
    con->int_status = int_status;
    if (con->irq_level == (int_status != 0))
        return;
    con->irq_level = int_status != 0;
    vdf_irq_set(&con->irq, con->irq_level);
}

void vdf_console_config_changed(struct vdf_console *con)
{
    con->generation++;
    if (vdf_console_driver(con)->config)
        vdf_console_driver(con)->config(con);
    else if (con->status & VDF_CONSOLE_S_DRIVER_OK)
        vdf_console_set_interrupt(con, con->int_status | VDF_CONSOLE_INT_CONFIG);
}

void vdf_console_needs_reset(struct vdf_console *con, uint32_t queue, int result,
                             const struct vdf_err *err)
{
    struct vdf_vq *vq = vdf_console_queue_make(con, queue);

    vdf_report(con->priv.obj, -result, "queue %u: %s; the queue is stopped and needs a reset",
               queue, err->text);
    if (vq)
        vq->broken = true;
    if (con->status & VDF_CONSOLE_S_NEEDS_RESET)
        return;
    con->status |= VDF_CONSOLE_S_NEEDS_RESET;
    if (vdf_console_driver(con)->broken)
        vdf_console_driver(con)->broken(con, queue);
    /* Section 2.1.2: a running driver gets a configuration change notification. */
    vdf_console_config_changed(con);
}

/* --- chains ----------------------------------------------------------------------------------- */

bool vdf_console_complete(struct vdf_console *con, uint32_t index, uint16_t head, uint32_t len)
{
    struct vdf_vq *vq = vdf_console_live(con, index);
    bool interrupt = false;
    struct vdf_err err;

    if (!vq)
        return false;
    int ret = vdf_vq_push(&con->space, vq, head, len, &interrupt);
    if (ret) {
        vdf_fail(&err, EFAULT, "used ring at 0x%" PRIx64 " is not in memory", vq->device);
        vdf_console_needs_reset(con, index, ret, &err);
        return false;
    }
    if (interrupt && vdf_console_driver(con)->used)
        vdf_console_driver(con)->used(con, index);
    else if (interrupt)
        vdf_console_set_interrupt(con, con->int_status | VDF_CONSOLE_INT_USED);
    return true;
}

int vdf_console_take(struct vdf_console *con, uint32_t index, bool device_writes,
                     struct vdf_vq_chain *chain)
{
    struct vdf_vq *vq = vdf_console_live(con, index);
    struct vdf_err err = { 0 };

    if (!vq)
        return -EAGAIN;
    for (unsigned i = 0; i < VDF_VQ_SIZE_MAX; i++) {
        int ret = vdf_vq_pop(&con->space, vq, chain, &err);

        if (ret == -EAGAIN)
            return ret;
        if (!ret && (device_writes ? chain->n_out : chain->n - chain->n_out))
            ret = vdf_fail(&err, EPROTO, "chain of descriptor %u: device-%s buffers in a %s queue",
                           chain->head, device_writes ? "readable" : "writable",
                           device_writes ? "receive" : "transmit");
        if (!ret)
            return 0;
        if (ret != -EFAULT || !vdf_console_pool(con) || chain->head >= VDF_VQ_SIZE_MAX) {
            vdf_console_needs_reset(con, index, ret, &err);
            return -EAGAIN;
        }
        con->violations++;
        vdf_report(con->priv.obj, EIO, "queue %u: %s; it was given back unused", index, err.text);
        if (!vdf_console_complete(con, index, chain->head, 0))
            return -EAGAIN;
    }
    return -EAGAIN;
}
