/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The virtio device under the console: status, features, queues, interrupts, faults of the driver.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "console.h"
#include "soft.h"

/* Rounds of device and driver within one hook. Each answers what the other has done, and a
 * handshake takes a handful; more means that somebody changes the rings' memory under their hands.
 */
#define SETTLE_ROUNDS 1024u

uint64_t vdf_console_default_features(unsigned device)
{
    uint64_t common = VDF_CONSOLE_F_INDIRECT | VDF_CONSOLE_F_EVENT_IDX | VDF_CONSOLE_F_VERSION_1 |
                      VDF_CONSOLE_F_IN_ORDER | VDF_CONSOLE_F_RING_RESET;

    if (device == VDF_CONSOLE_RPROC)
        return common;
    return common | VDF_CONSOLE_F_SIZE | VDF_CONSOLE_F_MULTIPORT | VDF_CONSOLE_F_EMERG_WRITE;
}

/* ACCESS_PLATFORM says that addresses are the platform's, which here are those of the memory. With
 * RING_PACKED a vhost-user front end is not offered the record of buffers in flight. */
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
    if (con->driver == VDF_CONSOLE_VHOST_USER)
        return false;
    if (con->device == VDF_CONSOLE_RPROC)
        return true;
    return con->dma_mem && con->driver_features & VDF_CONSOLE_F_DMA_MEM;
}

struct vdf_memory *vdf_console_memory(struct vdf_console *con)
{
    return con->guest_memory ? con->guest_memory : &con->memory;
}

uint64_t vdf_console_pool_addr(const struct vdf_console *con)
{
    uint64_t size = vdf_console_memory((struct vdf_console *)con)->size;

    return size > con->dma_size ? size - con->dma_size : 0;
}

void vdf_console_update_space(struct vdf_console *con)
{
    uint64_t start = vdf_console_pool(con) ? vdf_console_pool_addr(con) : 0;

    if (con->driver == VDF_CONSOLE_VHOST_USER) {
        vdf_vhost_user_space(con);
        return;
    }
    /* A guest that is not there has no memory that could be reached. */
    con->space.n = con->driver != VDF_CONSOLE_VM || con->guest_memory;
    con->space.regions[0] = (struct vdf_region){
        .addr = start,
        .len = vdf_console_memory(con)->size - start,
        .mem = vdf_console_memory(con),
        .offset = start,
    };
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
    if (!(con->status & VDF_CONSOLE_S_DRIVER_OK))
        return NULL;
    /* A restored guest, which has not been started yet, has no memory yet. */
    if (con->driver == VDF_CONSOLE_VM && !con->guest_memory)
        return NULL;
    if (index >= con->n_queues || !con->queues[index].ready || con->queues[index].broken)
        return NULL;
    /* Saved with a front end, restored without one. */
    if (con->driver == VDF_CONSOLE_VHOST_USER && !vdf_vhost_user_live(con, index))
        return NULL;
    return &con->queues[index];
}

/* The device gives up the buffers that the driver had put into the queue of a port. */
static void forget_sent(struct vdf_console *con, uint32_t index)
{
    struct vdf_console_port *port = vdf_console_port(con, vdf_console_queue_port(index));

    if (port && index == vdf_console_txq(port->id))
        vdf_console_port_lose(port);
}

void vdf_console_queue_set_ready(struct vdf_console *con, uint32_t index, bool ready)
{
    struct vdf_vq *vq = vdf_console_queue_make(con, index);
    struct vdf_err err = { 0 };
    int r;

    if (!vq || vq->ready == ready)
        return;
    if (!ready) {
        forget_sent(con, index);
        vq->ready = false;
        return;
    }
    vq->modes = vdf_console_modes(con);
    r = vdf_vq_check(&con->space, vq, &err);
    if (r) {
        if (r == -EFAULT && vdf_console_pool(con))
            con->violations++;
        vdf_console_needs_reset(con, index, r, &err);
        return;
    }
    vq->ready = true;
}

void vdf_console_queue_reset(struct vdf_console *con, uint32_t index)
{
    struct vdf_vq *vq = vdf_console_queue_make(con, index);

    if (!vq)
        return;
    forget_sent(con, index);
    *vq = (struct vdf_vq){ 0 };
}

/* --- status ----------------------------------------------------------------------------------- */

void vdf_console_reset(struct vdf_console *con)
{
    for (uint32_t id = 0; id < con->n_ports; id++)
        if (con->ports[id])
            vdf_console_port_forget(con->ports[id]);
    con->status = 0;
    con->driver_features = 0;
    con->device_features_sel = 0;
    con->driver_features_sel = 0;
    con->queue_sel = 0;
    con->shm_sel = 0;
    con->device_ready = false;
    con->resumed = false;
    con->n_removed = 0;
    free(con->queues);
    con->queues = NULL;
    con->n_queues = 0;
    vdf_console_set_interrupt(con, 0);
    vdf_vhost_user_reset(con);
    vdf_console_update_space(con);
}

void vdf_console_set_status(struct vdf_console *con, uint8_t status)
{
    bool was_ok = con->status & VDF_CONSOLE_S_DRIVER_OK;

    if (!status) {
        vdf_console_reset(con);
        return;
    }
    /* Section 2.1.1: the driver never clears a bit, and does not set this one. */
    status = (status & ~VDF_CONSOLE_S_NEEDS_RESET) | con->status;

    if (status & ~con->status & VDF_CONSOLE_S_FEATURES_OK) {
        uint64_t wrong = con->driver_features & ~con->features;

        if (wrong || !(con->driver_features & VDF_CONSOLE_F_VERSION_1)) {
            status &= ~VDF_CONSOLE_S_FEATURES_OK;
            vdf_report(con->priv.obj, EOPNOTSUPP,
                       "driver features 0x%016" PRIx64 ": only offered ones (0x%016" PRIx64
                       "), and VERSION_1 (bit 32)",
                       con->driver_features, con->features);
        }
    }
    if (status & VDF_CONSOLE_S_DRIVER_OK && !(status & VDF_CONSOLE_S_FEATURES_OK)) {
        status &= ~VDF_CONSOLE_S_DRIVER_OK;
        vdf_report(con->priv.obj, EINVAL,
                   "status 0x%02x: DRIVER_OK needs FEATURES_OK before it (3.1.1)", status);
    }
    con->status = status;
    vdf_console_update_space(con);

    if (!was_ok)
        vdf_console_port_alone(con);
}

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
    if (con->driver == VDF_CONSOLE_VHOST_USER)
        vdf_vhost_user_config(con);
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
    vdf_vhost_user_broken(con, queue);
    /* Section 2.1.2: tell the driver, once it runs. */
    vdf_console_config_changed(con);
}

/* --- chains ----------------------------------------------------------------------------------- */

bool vdf_console_complete(struct vdf_console *con, uint32_t index, uint16_t head, uint32_t len)
{
    struct vdf_vq *vq = vdf_console_live(con, index);
    bool interrupt = false;
    struct vdf_err err;
    int r;

    if (!vq)
        return false;
    r = vdf_vq_push(&con->space, vq, head, len, &interrupt);
    if (r) {
        vdf_fail(&err, EFAULT, "used ring at 0x%" PRIx64 " is not in memory", vq->device);
        vdf_console_needs_reset(con, index, r, &err);
        return false;
    }
    if (interrupt && con->driver == VDF_CONSOLE_VHOST_USER)
        vdf_vhost_user_used(con, index);
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
        int r = vdf_vq_pop(&con->space, vq, chain, &err);

        if (r == -EAGAIN)
            return r;
        if (!r && (device_writes ? chain->n_out : chain->n - chain->n_out))
            r = vdf_fail(&err, EPROTO, "chain of descriptor %u: device-%s buffers in a %s queue",
                         chain->head, device_writes ? "readable" : "writable",
                         device_writes ? "receive" : "transmit");
        if (!r)
            return 0;
        if (r != -EFAULT || !vdf_console_pool(con) || chain->head >= VDF_VQ_SIZE_MAX) {
            vdf_console_needs_reset(con, index, r, &err);
            return -EAGAIN;
        }
        con->violations++;
        vdf_report(con->priv.obj, EIO, "queue %u: %s; it was given back unused", index, err.text);
        if (!vdf_console_complete(con, index, chain->head, 0))
            return -EAGAIN;
    }
    return -EAGAIN;
}

void vdf_console_notify(struct vdf_console *con, uint32_t index)
{
    if (index >= vdf_console_queues(con)) {
        vdf_report(con->priv.obj, ENXIO, "notification of queue %u: there are %u", index,
                   vdf_console_queues(con));
        return;
    }
    if (!vdf_console_live(con, index))
        return;
    if (vdf_console_multiport(con)) {
        if (index == VDF_CONSOLE_CONTROL_TXQ) {
            vdf_console_control_kick(con);
            return;
        }
        if (index == VDF_CONSOLE_CONTROL_RXQ)
            return; /* new buffers: vdf_console_settle() sends what waits for them */
    } else if (index > VDF_CONSOLE_TXQ0) {
        return;
    }
    if (index & 1) {
        vdf_console_port_transmit_kick(con, vdf_console_queue_port(index));
    } else {
        struct vdf_console_port *port = vdf_console_port(con, vdf_console_queue_port(index));
        if (port)
            vdf_console_port_deliver(port);
    }
}

#define LATER_NS 1000u

static bool on_later(struct vdf_obj *obj, void *ctx, uint64_t value)
{
    struct vdf_console *con = ctx;

    for (uint32_t i = 0; i < con->n_queues; i++)
        vdf_console_notify(con, i);
    vdf_console_settle(con);
    return true;
}

void vdf_console_later(struct vdf_console *con)
{
    if (!con->later)
        con->later = vdf_async_timer(con->priv.obj, on_later, con);
    if (con->later)
        vdf_async_set(con->later, LATER_NS);
}

void vdf_console_settle(struct vdf_console *con)
{
    for (unsigned round = 0; round < SETTLE_ROUNDS; round++) {
        vdf_console_control_flush(con);
        if (!vdf_soft_interrupt(con)) {
            vdf_vhost_user_flush(con);
            return;
        }
    }
    vdf_report(con->priv.obj, ELOOP, "device and driver went on for %u rounds; left alone",
               SETTLE_ROUNDS);
}
