/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A console whose driver is in a guest of the component vm. The guest accesses the virtio-mmio
 * window, notifies by doorbells, and has the memory of the queues.
 */
#include <errno.h>
#include <inttypes.h>

#include "device.h"
#include "driver.h"
#include "queue.h"

/* Queues with a doorbell; notifications of others exit. A console with 31 ports has 64 queues. */
#define DOORBELLS_MOST 64u

/* The queues of a restored state may lie where this guest has no memory. */
static void check_queues(struct vdf_console *con)
{
    for (uint32_t k = 0; k < con->n_queues; k++) {
        struct vdf_err err = { 0 };
        int ret = con->queues[k].ready ? vdf_vq_check(&con->space, &con->queues[k], &err) : 0;
        if (ret)
            vdf_console_needs_reset(con, k, ret, &err);
    }
}

static int attach(struct vdf_obj *obj, uint32_t part, const struct vdf_guest *guest, bool fresh,
                  struct vdf_err *err)
{
    struct vdf_console *con = vdf_obj_priv(obj);
    struct vdf_memory *memory = vdf_space_single(guest->space);

    if (con->guest_memory || vdf_console_driver(con)->remote)
        return vdf_fail(err, EBUSY, "the console has a guest already");
    if (con->dma_size >= memory->size && (con->device == VDF_CONSOLE_RPROC || con->dma_mem))
        return vdf_fail(err, EINVAL,
                        "the DMA pool of %" PRIu64 " bytes does not fit into the VM's memory",
                        con->dma_size);
    vdf_console_set_driver(con, &vdf_console_vm_driver);
    if (fresh)
        vdf_console_reset(con);
    con->guest_memory = memory;
    con->irq = guest->irq;
    vdf_console_update_space(con);
    if (!fresh) {
        check_queues(con);
        vdf_irq_set(&con->irq, con->irq_level);
    }
    return 0;
}

/* The machine is gone, and with it everything that its guest has set up. */
static void detach(struct vdf_obj *obj, uint32_t part)
{
    struct vdf_console *con = vdf_obj_priv(obj);

    con->irq = (struct vdf_irq){ 0 };
    con->guest_memory = NULL;
    vdf_console_set_driver(con, &vdf_console_no_driver);
    vdf_console_reset(con);
}

static unsigned doorbells(struct vdf_obj *obj, uint32_t part, struct vdf_guest_doorbell *door,
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

static void ring(struct vdf_obj *obj, uint32_t part, unsigned door)
{
    struct vdf_console *con = vdf_obj_priv(obj);

    vdf_console_notify(con, door);
    vdf_console_settle(con);
}

/* A guest whose machine is not attached has no memory that the device can reach. */
static void use_guest(struct vdf_console *con)
{
    vdf_console_use_memory(con, con->guest_memory);
}

const struct vdf_console_driver vdf_console_vm_driver = {
    .backend = { .name = "vm" },
    .side = VDF_CONSOLE_VM,
    .space = use_guest,
};

const struct vdf_guest_ops vdf_console_guest_ops = {
    .interrupts = VDF_GUEST_LINE,
    .attach = attach,
    .detach = detach,
    .doorbells = doorbells,
    .ring = ring,
};
