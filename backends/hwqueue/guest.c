/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A vIOMMU in a guest: the device's register window, and the register page of a queue. As `doorbell`
 * says, the page is mapped into the guest, which shares it with the engine, or accesses to it trap.
 * While the device or a queue is attached, mappings of the I/O address space are of the guest's memory:
 * an OFFSET is an address of the guest.
 *
 * The memory of a guest in another process changes. A mapping may be of memory that is not there, or not
 * any more. A fetch from such memory aborts, a store to it fails as one to an address that is not mapped,
 * and no queue is made there. The kernel's objects need pages that this process has mapped: the whole of
 * each mapping in one region. Where a change of the memory takes that away, the model takes over.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>

#include "vcmdq.h"

const struct vdf_space *vdf_hwqueue_space(struct vdf_hwqueue *dev, struct vdf_space *own)
{
    *own = (struct vdf_space){ 0 };
    if (dev->space)
        return dev->space;
    if (!dev->vm_memory)
        *own = vdf_space_of(&dev->memory);
    return own;
}

bool vdf_hwqueue_memory_absent(const struct vdf_hwqueue *dev)
{
    return dev->vm_memory && !(dev->space && dev->space->n);
}

uint64_t vdf_hwqueue_memory_end(const struct vdf_hwqueue *dev)
{
    return dev->vm_memory ? dev->vm_memory : dev->memory_size;
}

static uint64_t end_of(const struct vdf_guest *guest)
{
    const struct vdf_space *space = guest->space;
    const struct vdf_region *last = vdf_space_regions(space) + (space->n - 1);
    uint64_t end;

    if (guest->remote || !space->n || __builtin_add_overflow(last->addr, last->len, &end))
        return VDF_MEMORY_CHANGES;
    return end;
}

static int check_mappings(const struct vdf_hwqueue *dev, const struct vdf_guest *guest,
                          struct vdf_err *err)
{
    const struct vdf_ioas *ioas = &dev->ioas;

    for (unsigned k = 0; k < ioas->n && !guest->remote; k++)
        if (!vdf_space_has(guest->space, ioas->maps[k].offset, ioas->maps[k].len,
                           !ioas->maps[k].read_only))
            return vdf_fail(err, EINVAL,
                            "0x%" PRIx64 " is mapped beyond the VM's memory of 0x%" PRIx64
                            " bytes; unmap it",
                            ioas->maps[k].iova, end_of(guest));
    return 0;
}

/* The device or one of its queues has been attached to a machine. */
static int take_memory(struct vdf_hwqueue *dev, const struct vdf_guest *guest, struct vdf_err *err)
{
    if (dev->space && dev->space != guest->space)
        return vdf_fail(err, EBUSY, "a part of it is attached to another VM or function");
    int ret = check_mappings(dev, guest, err);
    if (ret < 0)
        return ret;
    if (dev->attached == 0) {
        uint64_t before = dev->vm_memory;
        dev->space = guest->space;
        dev->vm_memory = end_of(guest);
        ret = dev->backend == VDF_HWQUEUE_IOMMUFD ? vdf_kernel_reopen(dev, err) : 0;
        if (ret < 0) {
            dev->space = NULL;
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
    dev->space = NULL;
    dev->vm_memory = 0;
    vdf_ioas_cut(dev);
    if (dev->backend == VDF_HWQUEUE_IOMMUFD)
        vdf_kernel_reopen(dev, NULL);
}

/* Is any mapping in @space of another part of this process's memory than before? */
static bool moves(const struct vdf_hwqueue *dev, const struct vdf_space *space)
{
    for (unsigned k = 0; k < dev->ioas.n; k++) {
        const struct vdf_ioas_map *map = &dev->ioas.maps[k];
        if (vdf_space_at(dev->space, map->offset, map->len, false) !=
            vdf_space_at(space, map->offset, map->len, false))
            return true;
    }
    return false;
}

/* Queues keep addresses of the guest, which the next fetch or store looks up in the new memory. The
 * kernel keeps pages. */
static void change_memory(struct vdf_hwqueue *dev, const struct vdf_space *space)
{
    bool absent = vdf_hwqueue_memory_absent(dev);
    bool moved = dev->kernel && moves(dev, space);

    dev->space = space;
    if (moved)
        vdf_kernel_reopen(dev, NULL);
    if (!absent || vdf_hwqueue_memory_absent(dev))
        return;
    for (unsigned k = 0; k < VDF_QUEUES; k++)
        if (dev->vcmdqs[k])
            vdf_vcmdq_round(dev->vcmdqs[k]);
    vdf_amdvi_start(dev);
}

/* --- the device ------------------------------------------------------------------------------- */

static int regs_attach(struct vdf_obj *obj, uint32_t part, const struct vdf_guest *guest,
                       bool fresh, struct vdf_err *err)
{
    struct vdf_hwqueue *dev = vdf_obj_priv(obj);

    if (dev->irq.ctx)
        return vdf_fail(err, EBUSY, "it is attached to another slot or function");
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

static void regs_memory(struct vdf_obj *obj, uint32_t part, const struct vdf_space *space)
{
    change_memory(vdf_obj_priv(obj), space);
}

const struct vdf_guest_ops vdf_hwqueue_guest_ops = {
    .interrupts = VDF_GUEST_LINE | VDF_GUEST_MESSAGE,
    .attach = regs_attach,
    .detach = regs_detach,
    .memory = regs_memory,
};

/* --- a queue ---------------------------------------------------------------------------------- */

static uint64_t page_size(struct vdf_obj *obj, uint32_t part)
{
    const struct vdf_vcmdq *queue = vdf_obj_priv(obj);

    return queue->page.size;
}

/* A guest in another process maps the page by its descriptor, which hardware's pages do not have. */
static bool can_map(const struct vdf_vcmdq *queue)
{
    uint64_t offset;

    return !queue->guest.remote || vdf_memory_file(&queue->page, &offset) >= 0;
}

/* The engine polls the page in every round while a running guest has it mapped. */
static void follow_doorbell(struct vdf_vcmdq *queue)
{
    queue->page_mapped =
        queue->guest.machine && queue->dev->doorbell == VDF_DOORBELL_MAPPED && can_map(queue);
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

/* Without a tripwire, polling by the engine suffices. Another process maps the page itself, around any
 * tripwire. */
static void lay_wire(struct vdf_vcmdq *queue)
{
    if (queue->guest.remote || vdf_tripwire_open(&queue->wire, &queue->page) < 0)
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
        return vdf_fail(err, EBUSY, "it is attached to another slot or function");
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

static void queue_memory(struct vdf_obj *obj, uint32_t part, const struct vdf_space *space)
{
    const struct vdf_vcmdq *queue = vdf_obj_priv(obj);

    change_memory(queue->dev, space);
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
    .memory = queue_memory,
    .read = queue_read,
    .write = queue_write,
    .page = queue_page,
    .runs = queue_runs,
    .release = queue_release,
};
