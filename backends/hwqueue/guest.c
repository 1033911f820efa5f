/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A vIOMMU in a guest: the device's register window, and the register page of a queue. As `doorbell`
 * says, the page is mapped into the guest, which shares it with the engine, or accesses to it trap.
 * While the device or a queue is attached, mappings of the I/O address space are of the guest's memory.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>

#include "vcmdq.h"

struct vdf_memory *vdf_hwqueue_memory(struct vdf_hwqueue *dev)
{
    static struct vdf_memory absent; /* memory of 0 bytes */

    if (dev->guest_memory)
        return dev->guest_memory;
    return dev->vm_memory ? &absent : &dev->memory;
}

bool vdf_hwqueue_memory_absent(const struct vdf_hwqueue *dev)
{
    return dev->vm_memory && !dev->guest_memory;
}

uint64_t vdf_hwqueue_memory_end(const struct vdf_hwqueue *dev)
{
    return dev->vm_memory ? dev->vm_memory : dev->memory_size;
}

/* The device or one of its queues has been attached to a machine. */
static int take_memory(struct vdf_hwqueue *dev, const struct vdf_guest *guest, struct vdf_err *err)
{
    const struct vdf_ioas *ioas = &dev->ioas;
    struct vdf_memory *memory = vdf_space_single(guest->space);

    if (dev->guest_memory && dev->guest_memory != memory)
        return vdf_fail(err, EBUSY, "a part of it is attached to another VM");
    for (unsigned k = 0; k < ioas->n; k++)
        if (ioas->maps[k].offset + ioas->maps[k].len > memory->size)
            return vdf_fail(err, EINVAL,
                            "0x%" PRIx64 " is mapped beyond the VM's memory of 0x%" PRIx64
                            " bytes; unmap it",
                            ioas->maps[k].iova, memory->size);
    if (dev->attached == 0) {
        uint64_t before = dev->vm_memory;
        dev->guest_memory = memory;
        dev->vm_memory = memory->size;
        int ret = dev->backend == VDF_HWQUEUE_IOMMUFD ? vdf_kernel_reopen(dev, err) : 0;
        if (ret < 0) {
            dev->guest_memory = NULL;
            dev->vm_memory = before;
            if (!vdf_hwqueue_memory_absent(dev))
                vdf_kernel_reopen(dev, NULL);
            return ret;
        }
    }
    dev->attached++;
    return 0;
}

/* Mappings are of the device's own memory again. A mapping beyond the end of that memory is removed,
 * and its queues are released. */
static void leave_memory(struct vdf_hwqueue *dev)
{
    if (--dev->attached > 0)
        return;
    dev->guest_memory = NULL;
    dev->vm_memory = 0;
    vdf_ioas_cut(dev);
    if (dev->backend == VDF_HWQUEUE_IOMMUFD)
        vdf_kernel_reopen(dev, NULL);
}

/* --- the device ------------------------------------------------------------------------------- */

static int regs_attach(struct vdf_obj *obj, uint32_t part, const struct vdf_guest *guest,
                       bool fresh, struct vdf_err *err)
{
    struct vdf_hwqueue *dev = vdf_obj_priv(obj);

    if (dev->irq.ctx)
        return vdf_fail(err, EBUSY, "it is attached to another slot");
    int ret = take_memory(dev, guest, err);
    if (ret < 0)
        return ret;
    dev->irq = guest->irq;
    vdf_irq_set(&dev->irq, dev->irq_level);
    return 0;
}

static void regs_detach(struct vdf_obj *obj, uint32_t part)
{
    struct vdf_hwqueue *dev = vdf_obj_priv(obj);

    dev->irq = (struct vdf_irq){ 0 };
    leave_memory(dev);
}

const struct vdf_guest_ops vdf_hwqueue_guest_ops = {
    .interrupts = VDF_GUEST_LINE | VDF_GUEST_MESSAGE,
    .attach = regs_attach,
    .detach = regs_detach,
};

/* --- a queue ---------------------------------------------------------------------------------- */

static uint64_t page_size(struct vdf_obj *obj, uint32_t part)
{
    const struct vdf_vcmdq *queue = vdf_obj_priv(obj);

    return queue->page.size;
}

/* The engine polls the page in every round while a running guest has it mapped. */
static void follow_doorbell(struct vdf_vcmdq *queue)
{
    queue->page_mapped = queue->guest.machine && queue->dev->doorbell == VDF_DOORBELL_MAPPED;
    queue->page_stored_to = queue->page_mapped && queue->guest_runs;
    vdf_vcmdq_watch(queue);
}

/* A store of the guest waits, and continues when the tripwire is cleared. */
static bool tripped(struct vdf_obj *obj, void *ctx, uint64_t events)
{
    struct vdf_vcmdq *queue = ctx;

    queue->tripped = queue->store_awaited = queue->wire.set;
    vdf_tripwire_clear(&queue->wire);
    return false;
}

/* Without a tripwire, polling by the engine suffices. */
static void lay_wire(struct vdf_vcmdq *queue)
{
    if (vdf_tripwire_open(&queue->wire, &queue->page) < 0)
        return;
    queue->trip = vdf_async_fd(queue->priv.obj, tripped, queue, queue->wire.fd, POLLIN);
    if (!queue->trip)
        vdf_tripwire_close(&queue->wire);
}

static void queue_release(struct vdf_obj *obj, uint32_t part)
{
    struct vdf_vcmdq *queue = vdf_obj_priv(obj);

    vdf_tripwire_clear(&queue->wire);
}

static void queue_runs(struct vdf_obj *obj, uint32_t part, bool running)
{
    struct vdf_vcmdq *queue = vdf_obj_priv(obj);

    queue->guest_runs = running;
    queue->store_awaited = false;
    follow_doorbell(queue);
    if (!running)
        vdf_vcmdq_round(queue);
}

static int queue_attach(struct vdf_obj *obj, uint32_t part, const struct vdf_guest *guest,
                        bool fresh, struct vdf_err *err)
{
    struct vdf_vcmdq *queue = vdf_obj_priv(obj);

    if (queue->guest.machine)
        return vdf_fail(err, EBUSY, "it is attached to another slot");
    int ret = vdf_vcmdq_make_page(queue);
    if (ret < 0)
        return vdf_fail(err, -ret, "no memory for the queue's page: %s", strerror(-ret));
    ret = take_memory(queue->dev, guest, err);
    if (ret < 0)
        return ret;
    queue->guest = *guest;
    lay_wire(queue);
    follow_doorbell(queue);
    return 0;
}

static void queue_detach(struct vdf_obj *obj, uint32_t part)
{
    struct vdf_vcmdq *queue = vdf_obj_priv(obj);

    queue->guest = (struct vdf_guest){ 0 };
    queue->guest_runs = false;
    follow_doorbell(queue);
    vdf_async_free(queue->trip);
    queue->trip = NULL;
    vdf_tripwire_close(&queue->wire);
    leave_memory(queue->dev);
}

static int queue_read(struct vdf_obj *obj, uint32_t part, uint64_t offset, unsigned width,
                      uint64_t *value, struct vdf_err *err)
{
    struct vdf_at at = { .obj = obj, .priv = vdf_obj_priv(obj) };
    uint64_t bytes = 0;
    int ret = vdf_vcmdq_page_ops.read(&at, &bytes, width, offset, err);

    *value = le64toh(bytes);
    return ret;
}

static int queue_write(struct vdf_obj *obj, uint32_t part, uint64_t offset, unsigned width,
                       uint64_t value, struct vdf_err *err)
{
    struct vdf_at at = { .obj = obj, .priv = vdf_obj_priv(obj) };
    uint64_t bytes = htole64(value);

    return vdf_vcmdq_page_ops.write(&at, &bytes, width, offset, err);
}

static struct vdf_memory *queue_page(struct vdf_obj *obj, uint32_t part)
{
    struct vdf_vcmdq *queue = vdf_obj_priv(obj);

    /* Registers of the hardware in the middle of a page cannot be mapped: accesses trap. */
    if ((uintptr_t)queue->page.base % VDF_PAGE_SIZE != 0)
        return NULL;
    if (!queue->page_mapped)
        return NULL;
    return queue->wire.mem.base ? &queue->wire.mem : &queue->page;
}

void vdf_hwqueue_after_doorbell(const struct vdf_at *at, uint64_t value)
{
    struct vdf_hwqueue *dev = at->priv;

    for (unsigned k = 0; k < VDF_QUEUES; k++) {
        struct vdf_vcmdq *queue = dev->vcmdqs[k];
        if (!queue || !queue->guest.machine)
            continue;
        follow_doorbell(queue);
        queue->guest.remap(queue->guest.ctx);
    }
}

const struct vdf_guest_ops vdf_vcmdq_guest_ops = {
    .size = page_size,
    .attach = queue_attach,
    .detach = queue_detach,
    .read = queue_read,
    .write = queue_write,
    .page = queue_page,
    .runs = queue_runs,
    .release = queue_release,
};
