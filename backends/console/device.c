/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The virtio device: its driver, status, reset, notifications, and the work that follows them. */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "control.h"
#include "device.h"
#include "driver.h"
#include "port.h"
#include "queue.h"

/* Rounds of device and driver within one hook. In each round one answers the other. A handshake
 * takes few rounds; many rounds mean that a third party changes the memory of the rings. */
#define SETTLE_ROUNDS 1024u

/* --- queues ----------------------------------------------------------------------------------- */

/* The device loses the buffers that the driver has put into the queue of a port. */
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

    if (!vq || vq->ready == ready)
        return;
    if (!ready) {
        forget_sent(con, index);
        vq->ready = false;
        return;
    }
    vq->modes = vdf_console_modes(con);
    int ret = vdf_vq_check(&con->space, vq, &err);
    if (ret) {
        if (ret == -EFAULT && vdf_console_pool(con))
            con->violations++;
        vdf_console_needs_reset(con, index, ret, &err);
        return;
    }
    vq->ready = true;
    vq->lost = false;
}

void vdf_console_queue_reset(struct vdf_console *con, uint32_t index)
{
    struct vdf_vq *vq = vdf_console_queue_make(con, index);

    if (!vq || !(con->driver_features & VDF_CONSOLE_F_RING_RESET))
        return;
    forget_sent(con, index);
    *vq = (struct vdf_vq){ 0 };
}

/* The selected queue, to change its layout. Sections 4.1.4.3 and 4.2.2: a ready queue does not change
 * it. NULL: nothing changes. */
static struct vdf_vq *selected(struct vdf_console *con, unsigned reg)
{
    struct vdf_vq *vq = vdf_console_queue_make(con, con->queue_sel);

    if (!vq || !vq->ready)
        return vq;
    vdf_report(con->priv.obj, EBUSY, "queue %u: register 0x%03x written while ready: ignored",
               con->queue_sel, reg);
    return NULL;
}

void vdf_console_queue_set_num(struct vdf_console *con, unsigned reg, uint32_t num)
{
    struct vdf_vq *vq = selected(con, reg);

    if (!vq)
        return;
    if (num && vdf_vq_size_possible(num, con->queue_size, vdf_console_modes(con)))
        vq->num = (uint16_t)num;
    else
        vdf_report(con->priv.obj, EINVAL,
                   "queue %u: size %u ignored: a power of two up to %u is needed, or any size "
                   "up to that with RING_PACKED",
                   con->queue_sel, num, con->queue_size);
}

void vdf_console_queue_set_addr(struct vdf_console *con, unsigned reg, enum vdf_console_area area,
                                uint64_t addr, uint64_t mask)
{
    struct vdf_vq *vq = selected(con, reg);

    if (!vq)
        return;
    uint64_t *to = area == VDF_CONSOLE_DESC     ? &vq->desc
                   : area == VDF_CONSOLE_DRIVER ? &vq->driver
                                                : &vq->device;
    *to = (*to & ~mask) | addr;
}

/* --- features and configuration --------------------------------------------------------------- */

uint16_t vdf_console_id(const struct vdf_console *con)
{
    return con->device == VDF_CONSOLE_RPROC ? VDF_CONSOLE_ID_RPROC : VDF_CONSOLE_ID;
}

uint32_t vdf_console_half(uint64_t features, uint32_t sel)
{
    return sel == 0 ? (uint32_t)features : sel == 1 ? (uint32_t)(features >> 32) : 0;
}

void vdf_console_accept(struct vdf_console *con, uint32_t half)
{
    unsigned shift = 32 * con->driver_features_sel;

    if (con->driver_features_sel > 1)
        return;
    if (con->status & VDF_CONSOLE_S_FEATURES_OK) {
        vdf_report(con->priv.obj, EBUSY, "DriverFeatures is written after FEATURES_OK: ignored");
        return;
    }
    con->driver_features &= ~((uint64_t)UINT32_MAX << shift);
    con->driver_features |= (uint64_t)half << shift;
}

void vdf_console_config(const struct vdf_console *con, uint8_t bytes[VDF_CONSOLE_CONFIG_SIZE])
{
    const struct {
        uint16_t cols, rows;
        uint32_t max_ports;
        uint32_t emergency;
    } config = { htole16(con->cols), htole16(con->rows), htole32(con->max_ports), 0 };

    _Static_assert(sizeof(config) == VDF_CONSOLE_CONFIG_SIZE, "section 5.3.4");
    memcpy(bytes, &config, sizeof(config));
}

void vdf_console_emergency(struct vdf_console *con, uint32_t value)
{
    struct vdf_console_port *port = vdf_console_port(con, 0);

    if (con->device != VDF_CONSOLE_CONSOLE || con->dma_mem ||
        !(con->features & VDF_CONSOLE_F_EMERG_WRITE))
        return;
    if (port)
        vdf_console_port_emergency(port, (uint8_t)value);
    else
        con->discarded++;
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
    con->config_vector = VDF_CONSOLE_NO_VECTOR;
    con->device_ready = false;
    con->resumed = false;
    con->n_removed = 0;
    free(con->queues);
    con->queues = NULL;
    con->n_queues = 0;
    vdf_console_set_interrupt(con, 0);
    if (vdf_console_driver(con)->reset)
        vdf_console_driver(con)->reset(con);
    vdf_console_update_space(con);
}

void vdf_console_set_status(struct vdf_console *con, uint8_t status)
{
    bool was_ok = con->status & VDF_CONSOLE_S_DRIVER_OK;

    if (!status) {
        vdf_console_reset(con);
        return;
    }
    /* Section 2.1.1: the driver clears no bit, and does not set DEVICE_NEEDS_RESET. */
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
        vdf_console_open_only_port(con);
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
            return; /* vdf_console_settle() sends the messages that wait for buffers */
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

#define LOOK_AGAIN_NS 1000u

void vdf_console_look(struct vdf_console *con)
{
    for (uint32_t i = 0; i < con->n_queues; i++)
        vdf_console_notify(con, i);
    vdf_console_settle(con);
}

static bool look_again(struct vdf_obj *obj, void *ctx, uint64_t value)
{
    vdf_console_look(ctx);
    return true;
}

static void look_later(struct vdf_console *con)
{
    con->look_again = false;
    if (!con->timer)
        con->timer = vdf_async_timer(con->priv.obj, look_again, con);
    if (con->timer)
        vdf_async_set(con->timer, LOOK_AGAIN_NS);
}

void vdf_console_settle(struct vdf_console *con)
{
    const struct vdf_console_driver *driver = vdf_console_driver(con);
    unsigned rounds = 0;

    do
        vdf_console_control_flush(con);
    while (driver->work && driver->work(con) && ++rounds < SETTLE_ROUNDS);
    if (rounds == SETTLE_ROUNDS)
        vdf_report(con->priv.obj, ELOOP,
                   "device and driver do not come to an end; stopped after %u rounds",
                   SETTLE_ROUNDS);
    if (con->look_again)
        look_later(con);
}

/* --- the driver ------------------------------------------------------------------------------- */

const struct vdf_console_driver vdf_console_no_driver = {
    .backend = { .name = "none" },
    .side = VDF_CONSOLE_NONE,
};

void vdf_console_leave(struct vdf_console *con)
{
    if (vdf_console_driver(con)->leave)
        vdf_console_driver(con)->leave(con);
}

void vdf_console_set_driver(struct vdf_console *con, const struct vdf_console_driver *driver)
{
    vdf_console_leave(con);
    con->priv.backend = &driver->backend;
}
