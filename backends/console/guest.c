/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A console whose driver is in a guest. The guest accesses a window of registers (virtio-mmio, or the
 * base address register of virtio-pci), notifies by doorbells, and has the memory of the queues.
 *
 * The guest's memory may change at any time. A queue whose parts are not there stands still until they
 * are.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "device.h"
#include "driver.h"
#include "pci.h"
#include "queue.h"

/* Queues with a doorbell; notifications of others exit. A console with 31 ports has 64 queues. */
#define DOORBELLS_MOST 64u

static int part(struct vdf_obj *obj, const char *rest, uint32_t *number, struct vdf_err *err)
{
    *number = strcmp(rest, "pci") == 0 ? VDF_CONSOLE_PART_PCI : VDF_CONSOLE_PART_MMIO;
    if (*rest && *number == VDF_CONSOLE_PART_MMIO)
        return vdf_fail(err, ENODEV, "\"%.40s\": a console has pci besides its registers", rest);
    return 0;
}

static uint64_t size(struct vdf_obj *obj, uint32_t number)
{
    return vdf_window_size(obj, number == VDF_CONSOLE_PART_PCI ? VDF_CONSOLE_PCI_REGS : VDF_REGS);
}

static int function(struct vdf_obj *obj, uint32_t number, struct vdf_guest_function *fn,
                    struct vdf_err *err)
{
    if (number != VDF_CONSOLE_PART_MMIO)
        return vdf_fail(err, EINVAL, "pci is the window of a function: write the console's path");
    return vdf_console_pci_function(vdf_obj_priv(obj), fn, err);
}

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
    bool pci = number == VDF_CONSOLE_PART_PCI;
    int ret = pci ? vdf_console_pci_possible(con, err) : 0;

    if (con->guest_space || vdf_console_driver(con)->remote)
        return vdf_fail(err, EBUSY,
                        "the console has a guest already, by %s: detach the console from its slot "
                        "(attached), its function (vfio_user) or its socket (vhost_user) first",
                        vdf_console_driver(con)->backend.name);
    if (ret < 0)
        return ret;
    /* A guest without memory may get some that has room for the pool. */
    if (guest->space->n && !vdf_console_pool_fits(con, guest->space) &&
        (con->device == VDF_CONSOLE_RPROC || con->dma_mem))
        return vdf_fail(err, EINVAL,
                        "the DMA pool of %" PRIu64 " bytes does not fit into the last region of "
                        "the guest's memory",
                        con->dma_size);
    vdf_console_set_driver(con, pci ? &vdf_console_pci_driver : &vdf_console_vm_driver);
    if (fresh)
        vdf_console_reset(con);
    con->guest_space = guest->space;
    con->guest_vector = guest->vector;
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

/* --- accesses --------------------------------------------------------------------------------- */

static int guest_read(struct vdf_obj *obj, uint32_t number, uint64_t offset, unsigned width,
                      uint64_t *value, struct vdf_err *err)
{
    if (number == VDF_CONSOLE_PART_PCI)
        return vdf_console_pci_guest_read(vdf_obj_priv(obj), offset, width, value, err);
    return vdf_window_read(obj, VDF_REGS, offset, width, false, value, err);
}

static int guest_write(struct vdf_obj *obj, uint32_t number, uint64_t offset, unsigned width,
                       uint64_t value, struct vdf_err *err)
{
    if (number == VDF_CONSOLE_PART_PCI)
        return vdf_console_pci_guest_write(vdf_obj_priv(obj), offset, width, value, err);
    return vdf_window_write(obj, VDF_REGS, offset, width, value, err);
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
    for (uint32_t k = 0; k < n; k++) {
        if (number == VDF_CONSOLE_PART_PCI)
            door[k] = (struct vdf_guest_doorbell){
                .offset = VDF_CONSOLE_PCI_NOTIFY + k * VDF_CONSOLE_PCI_NOTIFY_STEP,
                .width = sizeof(uint16_t),
                .data = k,
            };
        else
            door[k] = (struct vdf_guest_doorbell){
                .offset = VDF_CONSOLE_REG_QUEUE_NOTIFY,
                .width = sizeof(uint32_t),
                .data = k,
            };
    }
    return n;
}

static void ring(struct vdf_obj *obj, uint32_t number, unsigned door)
{
    struct vdf_console *con = vdf_obj_priv(obj);

    vdf_console_notify(con, door);
    vdf_console_settle(con);
}

/* --- the drivers ------------------------------------------------------------------------------ */

const struct vdf_console_driver vdf_console_vm_driver = {
    .backend = { .name = "vm" },
    .side = VDF_CONSOLE_VM,
    .guest = "VM",
    .space = use_guest,
    .live = found,
};

const struct vdf_console_driver vdf_console_pci_driver = {
    .backend = { .name = "pci" },
    .side = VDF_CONSOLE_PCI,
    .guest = "PCI function",
    .space = use_guest,
    .live = found,
    .used = vdf_console_pci_used,
    .config = vdf_console_pci_configured,
    .work = vdf_console_pci_call,
};

/* Messages are those of MSI-X, which only a PCI function has. */
const struct vdf_guest_ops vdf_console_guest_ops = {
    .interrupts = VDF_GUEST_LINE,
    .part = part,
    .size = size,
    .attach = attach,
    .detach = detach,
    .memory = memory,
    .reset = reset,
    .function = function,
    .read = guest_read,
    .write = guest_write,
    .doorbells = doorbells,
    .ring = ring,
};
