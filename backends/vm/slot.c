/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A slot: a device, or a part of one, at an address of the guest. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "boot.h"
#include "irq.h"
#include "probe.h"
#include "slot.h"
#include "vm.h"

#define ADDRESSES (UINT64_C(1) << 36) /* every processor that KVM runs on can address these */

/* Where KVM's own controllers are. */
static const struct {
    uint64_t addr, bytes;
    const char *name;
} reserved[] = {
    { UINT64_C(0xfec00000), VDF_PAGE_SIZE, "the I/O APIC" },
    { UINT64_C(0xfee00000), VDF_PAGE_SIZE, "the local APICs" },
    { UINT64_C(0xfffbc000), 4 * VDF_PAGE_SIZE, "memory of KVM's own" },
};

struct vdf_slot *vdf_slot_at(struct vdf_vm *vm, uint64_t addr, unsigned width)
{
    for (unsigned k = 0; k < VDF_VM_SLOTS; k++) {
        struct vdf_slot *slot = vm->slots[k];
        if (slot && !slot->mapped && addr >= slot->addr && addr - slot->addr < slot->size &&
            width <= slot->size - (addr - slot->addr))
            return slot;
    }
    return NULL;
}

/* --- the place -------------------------------------------------------------------------------- */

static bool overlaps(uint64_t a, uint64_t a_bytes, uint64_t b, uint64_t b_bytes)
{
    return a < b + b_bytes && b < a + a_bytes;
}

static int check_place(const struct vdf_slot *slot, uint64_t bytes, bool page, struct vdf_err *err)
{
    const struct vdf_vm *vm = slot->vm;
    uint64_t addr = slot->addr;

    if (bytes == 0)
        return 0;
    if (addr % 8 || (page && addr % VDF_PAGE_SIZE))
        return vdf_fail(err, EINVAL, "addr 0x%" PRIx64 ": a multiple of %u", addr,
                        page ? VDF_PAGE_SIZE : 8);
    if (addr >= ADDRESSES || bytes > ADDRESSES - addr)
        return vdf_fail(err, EINVAL, "addr 0x%" PRIx64 ": addresses have 36 bits", addr);
    if (overlaps(addr, bytes, 0, vm->memory_size))
        return vdf_fail(err, EINVAL,
                        "addr 0x%" PRIx64 " is in the memory, which ends at 0x%" PRIx64, addr,
                        vm->memory_size);
    if (overlaps(addr, bytes, VDF_VM_TABLES, vdf_vm_tables_size()))
        return vdf_fail(err, EINVAL, "addr 0x%" PRIx64 ": the page tables are there", addr);
    for (size_t k = 0; k < sizeof(reserved) / sizeof(reserved[0]); k++)
        if (overlaps(addr, bytes, reserved[k].addr, reserved[k].bytes))
            return vdf_fail(err, EINVAL, "addr 0x%" PRIx64 ": there is %s", addr, reserved[k].name);
    for (unsigned k = 0; k < VDF_VM_SLOTS; k++)
        if (vm->slots[k] && vm->slots[k]->size &&
            overlaps(addr, bytes, vm->slots[k]->addr, vm->slots[k]->size))
            return vdf_fail(err, EEXIST, "addr 0x%" PRIx64 ": slot %u is there", addr, k);
    return 0;
}

/* --- doorbells -------------------------------------------------------------------------------- */

static int set_ioeventfd(const struct vdf_slot *slot, const struct vdf_guest_bell *bell,
                         uint32_t flags)
{
    struct kvm_ioeventfd request = {
        .datamatch = bell->doorbell.data,
        .addr = slot->addr + bell->doorbell.offset,
        .len = bell->doorbell.width,
        .fd = bell->fd,
        .flags = KVM_IOEVENTFD_FLAG_DATAMATCH | flags,
    };
    int vm = slot->vm->fd;
    int ret = flags & KVM_IOEVENTFD_FLAG_DEASSIGN ? vdf_kvm_undo(vm, KVM_IOEVENTFD, &request)
                                                  : vdf_kvm_ioctl(vm, KVM_IOEVENTFD, &request);
    return ret < 0 ? -errno : 0;
}

static void close_doorbells(struct vdf_slot *slot)
{
    for (unsigned k = 0; k < slot->bells.n; k++)
        set_ioeventfd(slot, &slot->bells.list[k], KVM_IOEVENTFD_FLAG_DEASSIGN);
    vdf_guest_bells_close(&slot->bells);
}

static int open_doorbells(struct vdf_slot *slot, struct vdf_err *err)
{
    int ret = vdf_guest_bells_open(&slot->bells, slot->target, slot->part, err);

    if (ret < 0)
        return ret;
    for (unsigned k = 0; ret == 0 && k < slot->bells.n; k++)
        ret = set_ioeventfd(slot, &slot->bells.list[k], 0);
    if (ret < 0) {
        close_doorbells(slot);
        return vdf_fail(err, -ret, "KVM refuses a doorbell: %s", vdf_errno_name(-ret));
    }
    return 0;
}

/* --- a page instead of a window --------------------------------------------------------------- */

static int map_page(struct vdf_slot *slot, struct vdf_err *err)
{
    struct vdf_memory *page = slot->ops->page ? slot->ops->page(slot->target, slot->part) : NULL;
    int ret = page ? vdf_memory_touch(page) : 0;

    if (!page)
        return 0;
    if (ret == 0)
        ret = vdf_vm_memslot(slot->vm, VDF_VM_MEMSLOT_FIRST + slot->number, slot->addr, page->base,
                             page->size);
    if (ret < 0)
        return vdf_fail(err, -ret, "the page cannot be mapped into the guest: %s",
                        vdf_errno_name(-ret));
    slot->mapped = true;
    return 0;
}

static void unmap_page(struct vdf_slot *slot)
{
    if (slot->mapped)
        vdf_vm_memslot(slot->vm, VDF_VM_MEMSLOT_FIRST + slot->number, slot->addr, NULL, 0);
    slot->mapped = false;
}

/* The device has another page or none. Exclusive. */
static void remap(void *ctx)
{
    struct vdf_slot *slot = ctx;
    struct vdf_err err = { 0 };

    if (slot->asleep)
        return;
    vdf_vm_park(slot->vm);
    unmap_page(slot);
    int ret = map_page(slot, &err);
    if (ret < 0)
        vdf_report(slot->priv.obj, -ret, "%s; its stores trap", err.text);
    vdf_vm_unpark(slot->vm);
}

/* --- attaching -------------------------------------------------------------------------------- */

/* The guest has ended by itself, on a thread that cannot enter this device. */
static bool guest_ended(struct vdf_obj *obj, void *ctx, uint64_t value)
{
    struct vdf_slot *slot = ctx;

    /* The guest may have been started again. */
    if (atomic_load(&slot->vm->stop))
        slot->ops->runs(obj, slot->part, false);
    return true;
}

static int listen_for_end(struct vdf_slot *slot, struct vdf_err *err)
{
    if (!slot->ops->runs)
        return 0;
    slot->end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (slot->end_fd >= 0)
        slot->end = vdf_async_eventfd(slot->target, guest_ended, slot, slot->end_fd);
    return slot->end ? 0
                     : vdf_fail(err, errno, "the guest's end cannot be watched: %s",
                                vdf_errno_name(errno));
}

static void detach_target(struct vdf_slot *slot)
{
    unmap_page(slot);
    close_doorbells(slot);
    vdf_async_free(slot->end);
    slot->end = NULL;
    if (slot->end_fd >= 0)
        close(slot->end_fd);
    slot->end_fd = -1;
    vdf_slot_irq_disconnect(slot);
    vdf_guest_detach(slot->target, slot->part);
}

static int attach_target(struct vdf_slot *slot, bool fresh, struct vdf_err *err)
{
    struct vdf_guest guest = {
        .machine = slot->vm,
        .space = &slot->vm->space,
        .vector = slot->vector,
        .line_is_message = slot->irq == VDF_SLOT_MSI,
        .remap = remap,
        .ctx = slot,
    };
    int ret = vdf_vm_map(slot->vm, err);

    slot->vm->space = vdf_space_of(&slot->vm->memory);
    if (ret == 0)
        ret = vdf_slot_irq_connect(slot, &guest.irq, err);
    if (ret < 0)
        return ret;
    ret = vdf_guest_attach(slot->target, slot->part, &guest, fresh, err);
    if (ret < 0) {
        vdf_slot_irq_disconnect(slot);
        return ret;
    }
    ret = vdf_slot_irq_listen(slot, err);
    if (ret == 0)
        ret = open_doorbells(slot, err);
    if (ret == 0)
        ret = listen_for_end(slot, err);
    if (ret == 0)
        ret = map_page(slot, err);
    if (ret < 0)
        detach_target(slot);
    return ret;
}

/* A device has one guest, even while restored slots wait for the first run. */
static int check_free(const struct vdf_slot *slot, const struct vdf_obj *target, uint32_t part,
                      struct vdf_err *err)
{
    struct vdf_obj *root = vdf_obj_parent(slot->vm->priv.obj);

    for (struct vdf_obj *obj = vdf_obj_next(root, "vm", NULL); obj;
         obj = vdf_obj_next(root, "vm", obj)) {
        const struct vdf_vm *vm = vdf_obj_priv(obj);
        for (unsigned k = 0; k < VDF_VM_SLOTS; k++)
            if (vm->slots[k] && vm->slots[k]->target == target && vm->slots[k]->part == part)
                return vdf_fail(err, EBUSY, "%s is attached: write 0 to vm/%s/slots/%u/attached",
                                slot->device, vdf_obj_name(obj), k);
    }
    return 0;
}

int vdf_slot_reserve(struct vdf_slot *slot, struct vdf_err *err)
{
    struct vdf_vm *vm = slot->vm;
    struct vdf_obj *target;
    uint32_t part;

    if (!slot->device)
        return vdf_fail(err, EINVAL, "1: write the path of a device to device first");
    int ret = vdf_guest_find(slot->priv.obj, slot->device, &target, &part, err);
    if (ret < 0)
        return ret;
    const struct vdf_guest_ops *ops = vdf_obj_class(target)->guest;
    uint64_t size = vdf_guest_size(target, part);
    if (ops->eoi && slot->irq == VDF_SLOT_MSI)
        return vdf_fail(err, EINVAL,
                        "irq msi: this device waits for the ends of its interrupts, and an MSI has "
                        "none; write a GSI, 0 to %u, or nothing to irq",
                        VDF_VM_PINS - 1);
    ret = check_place(slot, size, ops->page != NULL, err);
    if (ret == 0)
        ret = check_free(slot, target, part, err);
    if (ret < 0)
        return ret;
    vdf_obj_use(target);
    slot->target = target;
    slot->part = part;
    slot->ops = ops;
    slot->size = size;
    slot->attached = true;
    slot->asleep = true;
    vm->slots[slot->number] = slot;
    return 0;
}

static void release(struct vdf_slot *slot)
{
    slot->vm->slots[slot->number] = NULL;
    vdf_obj_unuse(slot->target);
    slot->target = NULL;
    slot->attached = false;
    slot->asleep = false;
    memset(slot->early, 0, sizeof(slot->early));
}

int vdf_slot_wake(struct vdf_slot *slot, bool fresh, struct vdf_err *err)
{
    int ret = attach_target(slot, fresh, err);

    if (ret < 0)
        return ret;
    slot->asleep = false;
    atomic_store(&slot->reports, 0);
    vdf_obj_touched(slot->target);
    return 0;
}

int vdf_slot_connect(struct vdf_slot *slot, struct vdf_err *err)
{
    int ret = vdf_slot_reserve(slot, err);

    if (ret < 0)
        return ret;
    ret = vdf_slot_wake(slot, true, err);
    if (ret < 0)
        release(slot);
    if (ret == 0 && slot->vm->status == VDF_VM_RUNNING)
        vdf_slot_runs(slot, true);
    return ret;
}

void vdf_slot_disconnect(struct vdf_slot *slot)
{
    if (!slot->asleep)
        detach_target(slot);
    vdf_obj_touched(slot->target);
    release(slot);
}

void vdf_slot_release(struct vdf_slot *slot)
{
    if (slot->ops->release)
        slot->ops->release(slot->target, slot->part);
}

void vdf_slot_runs(struct vdf_slot *slot, bool running)
{
    if (!running)
        vdf_guest_bells_ring(&slot->bells);
    if (slot->ops->runs)
        slot->ops->runs(slot->target, slot->part, running);
    vdf_obj_touched(slot->target);
}
