/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The virtio device: its driver, status, reset, notifications, and the work that follows them. */
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

static bool look_again(struct vdf_obj *obj, void *ctx, uint64_t value)
{
    struct vdf_console *con = ctx;

    for (uint32_t i = 0; i < con->n_queues; i++)
        vdf_console_notify(con, i);
    vdf_console_settle(con);
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
