/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A console whose driver is in a guest. The guest accesses the virtio-mmio window, notifies by
 * doorbells, and has the memory of the queues.
 *
 * The guest's memory may change at any time. A queue whose parts are not there stands still until they
 * are.
 */
#include <errno.h>
#include <inttypes.h>

#include "device.h"
#include "driver.h"
#include "queue.h"

/* Queues with a doorbell; notifications of others exit. A console with 31 ports has 64 queues. */
#define DOORBELLS_MOST 64u

/* --- attaching -------------------------------------------------------------------------------- */

/* The queues of a restored state may lie where this guest has no memory. */
static void check_queues(struct vdf_console *con)
{
    for (uint32_t k = 0; con->space.n && k < con->n_queues; k++) {
        struct vdf_err err = { 0 };
        int ret = con->queues[k].ready ? vdf_vq_check(&con->space, &con->queues[k], &err) : 0;
        if (ret)
            vdf_console_needs_reset(con, k, ret, &err);
    }
}

static int attach(struct vdf_obj *obj, uint32_t number, const struct vdf_guest *guest, bool fresh,
                  struct vdf_err *err)
{
    struct vdf_console *con = vdf_obj_priv(obj);

    if (con->guest_space || vdf_console_driver(con)->remote)
        return vdf_fail(err, EBUSY, "the console has a guest already");
    /* A guest without memory may get some that has room for the pool. */
    if (guest->space->n && !vdf_console_pool_fits(con, guest->space) &&
        (con->device == VDF_CONSOLE_RPROC || con->dma_mem))
        return vdf_fail(err, EINVAL,
                        "the DMA pool of %" PRIu64 " bytes does not fit into the last region of "
                        "the guest's memory",
                        con->dma_size);
    vdf_console_set_driver(con, &vdf_console_vm_driver);
    if (fresh)
        vdf_console_reset(con);
    con->guest_space = guest->space;
    con->irq = guest->irq;
    vdf_console_update_space(con);
    if (!fresh) {
        check_queues(con);
        vdf_irq_set(&con->irq, con->irq_level);
    }
    return 0;
}

/* The machine is gone, and with it everything that its guest has set up. */
static void detach(struct vdf_obj *obj, uint32_t number)
{
    struct vdf_console *con = vdf_obj_priv(obj);

    con->irq = (struct vdf_irq){ 0 };
    vdf_console_set_driver(con, &vdf_console_no_driver);
    vdf_console_reset(con);
    con->guest_space = NULL;
}

/* --- memory ----------------------------------------------------------------------------------- */

static void find_queue(struct vdf_console *con, uint32_t index)
{
    struct vdf_vq *vq = &con->queues[index];
    struct vdf_err err = { 0 };
    bool before = vq->lost;

    vq->lost = vq->ready && vdf_vq_check(&con->space, vq, &err) != 0;
    if (vq->lost && !before)
        vdf_report(con->priv.obj, EFAULT,
                   "queue %u: %s; the queue stands still until the guest's memory has its parts",
                   index, err.text);
}

/* A guest without memory is stopped, and no queue is used. */
static void memory(struct vdf_obj *obj, uint32_t number, const struct vdf_space *space)
{
    struct vdf_console *con = vdf_obj_priv(obj);

    con->guest_space = space;
    vdf_console_update_space(con);
    if (space->n && vdf_console_pool(con) && !con->space.n)
        vdf_report(con->priv.obj, EFAULT,
                   "the DMA pool of %" PRIu64 " bytes does not fit into the last region of the "
                   "guest's memory; the device stands still",
                   con->dma_size);
    for (uint32_t k = 0; con->space.n && k < con->n_queues; k++)
        find_queue(con, k);
    vdf_console_look(con);
}

/* A guest whose machine is not attached has no memory that the device can reach. */
static void use_guest(struct vdf_console *con)
{
    static const struct vdf_space none;

    vdf_console_use_space(con, con->guest_space ? con->guest_space : &none);
}

static bool found(const struct vdf_console *con, uint32_t index)
{
    return !con->queues[index].lost;
}

static void reset(struct vdf_obj *obj, uint32_t number)
{
    vdf_console_reset(vdf_obj_priv(obj));
}

static unsigned doorbells(struct vdf_obj *obj, uint32_t number, struct vdf_guest_doorbell *door,
                          unsigned max)
{
    uint32_t n = vdf_console_queues(vdf_obj_priv(obj));

    if (n > max)
        n = max;
    if (n > DOORBELLS_MOST)
        n = DOORBELLS_MOST;
    for (uint32_t k = 0; k < n; k++)
        door[k] = (struct vdf_guest_doorbell){
            .offset = VDF_CONSOLE_REG_QUEUE_NOTIFY,
            .width = sizeof(uint32_t),
            .data = k,
        };
    return n;
}

static void ring(struct vdf_obj *obj, uint32_t number, unsigned door)
{
    struct vdf_console *con = vdf_obj_priv(obj);

    vdf_console_notify(con, door);
    vdf_console_settle(con);
}

/* --- the driver ------------------------------------------------------------------------------- */

const struct vdf_console_driver vdf_console_vm_driver = {
    .backend = { .name = "vm" },
    .side = VDF_CONSOLE_VM,
    .space = use_guest,
    .live = found,
};

const struct vdf_guest_ops vdf_console_guest_ops = {
    .interrupts = VDF_GUEST_LINE,
    .attach = attach,
    .detach = detach,
    .memory = memory,
    .reset = reset,
    .doorbells = doorbells,
    .ring = ring,
};
