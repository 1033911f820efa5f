/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A slot: a device, or a part of one, at an address of the guest. */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <virtdevfs/text.h>

#include "probe.h"
#include "vm.h"

#define PATH_MOST 512u
#define ADDRESSES (UINT64_C(1) << 36) /* what every processor that KVM runs on can address */
#define VECTOR_RESET 32u              /* x86 has exceptions below */

/* Where KVM's own controllers are. */
static const struct {
    uint64_t addr, bytes;
    const char *what;
} reserved[] = {
    { UINT64_C(0xfec00000), VDF_PAGE_SIZE, "the I/O APIC" },
    { UINT64_C(0xfee00000), VDF_PAGE_SIZE, "the local APICs" },
    { UINT64_C(0xfffbc000), 4 * VDF_PAGE_SIZE, "what KVM keeps for itself" },
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

void vdf_slot_report(struct vdf_slot *slot, int code, const char *fmt, ...)
{
    char text[VDF_ERR_TEXT];
    unsigned n = atomic_fetch_add(&slot->reports, 1);
    va_list ap;

    if (n >= VDF_VM_REPORTS)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    vdf_report(slot->priv.obj, code, "%.200s%s", text,
               n + 1 == VDF_VM_REPORTS ? "; more are only counted, in refused" : "");
}

/* --- what it is to be ------------------------------------------------------------------------- */

static int find_target(const struct vdf_slot *slot, const char *path, struct vdf_obj **target,
                       uint32_t *part, struct vdf_err *err)
{
    const char *rest;
    struct vdf_obj *obj = vdf_obj_walk(slot->priv.obj, path, &rest);
    const struct vdf_guest_ops *ops = obj ? vdf_obj_class(obj)->guest : NULL;

    *target = obj;
    *part = 0;
    if (!ops)
        return vdf_fail(err, ENODEV,
                        "\"%.80s\": no device that can be attached; write its path from the root, "
                        "as console/con0",
                        path);
    if (ops->part)
        return ops->part(obj, rest, part, err);
    if (*rest)
        return vdf_fail(err, ENODEV, "\"%.80s\": \"%.40s\" cannot be attached by itself", path,
                        rest);
    return 0;
}

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
            return vdf_fail(err, EINVAL, "addr 0x%" PRIx64 ": there is %s", addr, reserved[k].what);
    for (unsigned k = 0; k < VDF_VM_SLOTS; k++)
        if (vm->slots[k] && vm->slots[k]->size &&
            overlaps(addr, bytes, vm->slots[k]->addr, vm->slots[k]->size))
            return vdf_fail(err, EEXIST, "addr 0x%" PRIx64 ": slot %u is there", addr, k);
    return 0;
}

/* --- doorbells -------------------------------------------------------------------------------- */

static bool ring(struct vdf_obj *obj, void *ctx, uint64_t value)
{
    struct vdf_slot_doorbell *doorbell = ctx;
    struct vdf_slot *slot = doorbell->slot;

    slot->ops->ring(obj, slot->part, (unsigned)(doorbell - slot->doorbells));
    return true;
}

static int set_ioeventfd(const struct vdf_slot_doorbell *doorbell, uint32_t flags)
{
    struct kvm_ioeventfd request = {
        .datamatch = doorbell->doorbell.data,
        .addr = doorbell->slot->addr + doorbell->doorbell.offset,
        .len = doorbell->doorbell.width,
        .fd = doorbell->fd,
        .flags = KVM_IOEVENTFD_FLAG_DATAMATCH | flags,
    };
    int vm = doorbell->slot->vm->fd;
    int ret = flags & KVM_IOEVENTFD_FLAG_DEASSIGN ? vdf_kvm_undo(vm, KVM_IOEVENTFD, &request)
                                                  : vdf_kvm_ioctl(vm, KVM_IOEVENTFD, &request);
    return ret < 0 ? -errno : 0;
}

static void close_doors(struct vdf_slot *slot)
{
    for (unsigned k = 0; k < slot->n_doors; k++) {
        set_ioeventfd(&slot->doorbells[k], KVM_IOEVENTFD_FLAG_DEASSIGN);
        vdf_async_free(slot->doorbells[k].bell);
        close(slot->doorbells[k].fd);
    }
    free(slot->doorbells);
    slot->doorbells = NULL;
    slot->n_doors = 0;
}

static int open_doors(struct vdf_slot *slot, struct vdf_err *err)
{
    struct vdf_guest_doorbell list[VDF_VM_DOORBELLS];
    unsigned n = slot->ops->doorbells
                     ? slot->ops->doorbells(slot->target, slot->part, list, VDF_VM_DOORBELLS)
                     : 0;
    int ret = 0;

    slot->doorbells = n ? calloc(n, sizeof(*slot->doorbells)) : NULL;
    if (n && !slot->doorbells)
        return vdf_fail(err, ENOMEM, "no memory for %u doorbells", n);
    for (unsigned k = 0; ret == 0 && k < n; k++) {
        struct vdf_slot_doorbell *doorbell = &slot->doorbells[k];
        *doorbell = (struct vdf_slot_doorbell){ .slot = slot, .doorbell = list[k] };
        doorbell->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (doorbell->fd < 0) {
            ret = -errno;
            break;
        }
        slot->n_doors++;
        doorbell->bell = vdf_async_eventfd(slot->target, ring, doorbell, doorbell->fd);
        ret = doorbell->bell ? set_ioeventfd(doorbell, 0) : -errno;
    }
    if (ret < 0) {
        close_doors(slot);
        return vdf_fail(err, -ret, "a doorbell cannot be made: %s", vdf_errno_name(-ret));
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

/* The device has another page or none: its file was written, so that nobody is inside any device.
 */
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

/* The guest has ended by itself, on a thread that may not enter this device. */
static bool guest_ended(struct vdf_obj *obj, void *ctx, uint64_t value)
{
    struct vdf_slot *slot = ctx;

    /* Unless it has been started again. */
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
                     : vdf_fail(err, errno, "the guest's end cannot be heard of: %s",
                                vdf_errno_name(errno));
}

static void detach_target(struct vdf_slot *slot)
{
    unmap_page(slot);
    close_doors(slot);
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
        .memory = &slot->vm->memory,
        .vector = slot->vector,
        .line_is_message = slot->irq == VDF_SLOT_MSI,
        .remap = remap,
        .ctx = slot,
    };
    int ret = vdf_vm_map(slot->vm, err);

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
        ret = open_doors(slot, err);
    if (ret == 0)
        ret = listen_for_end(slot, err);
    if (ret == 0)
        ret = map_page(slot, err);
    if (ret < 0)
        detach_target(slot);
    return ret;
}

/* A device has one guest, also while restored slots wait for the first run. */
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
    int ret = find_target(slot, slot->device, &target, &part, err);
    if (ret < 0)
        return ret;
    const struct vdf_guest_ops *ops = vdf_obj_class(target)->guest;
    uint64_t size = vdf_guest_size(target, part);
    if (ops->eoi && slot->irq == VDF_SLOT_MSI)
        return vdf_fail(err, EINVAL,
                        "irq msi: this device waits for the ends of its interrupts, which an MSI "
                        "does not tell; write a GSI, 0 to %u, or nothing to irq",
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

static int wake(struct vdf_slot *slot, bool fresh, struct vdf_err *err)
{
    int ret = attach_target(slot, fresh, err);

    if (ret < 0)
        return ret;
    slot->asleep = false;
    atomic_store(&slot->reports, 0);
    vdf_obj_touched(slot->target);
    return 0;
}

int vdf_slot_wake(struct vdf_slot *slot, struct vdf_err *err)
{
    return wake(slot, false, err);
}

int vdf_slot_connect(struct vdf_slot *slot, struct vdf_err *err)
{
    int ret = vdf_slot_reserve(slot, err);

    if (ret < 0)
        return ret;
    ret = wake(slot, true, err);
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
    /* The engine may have heard a bell and still be on its way: a ring too many does no harm. */
    for (unsigned k = 0; k < slot->n_doors && !running; k++)
        slot->ops->ring(slot->target, slot->part, k);
    if (slot->ops->runs)
        slot->ops->runs(slot->target, slot->part, running);
    vdf_obj_touched(slot->target);
}

/* --- rows ------------------------------------------------------------------------------------- */

static int check_detached(const struct vdf_slot *slot, struct vdf_err *err)
{
    if (slot->attached)
        return vdf_fail(err, EBUSY, "the slot is attached: write 0 to attached first");
    return 0;
}

static int check_addr(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_slot *slot = at->priv;
    return value == slot->addr ? 0 : check_detached(slot, err);
}

static int check_vector(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    if (value > 255)
        return vdf_fail(err, EINVAL, "%" PRIu64 ": vectors are 0 to 255", value);
    const struct vdf_slot *slot = at->priv;
    return value == slot->vector ? 0 : check_detached(slot, err);
}

static void show_device(const struct vdf_at *at, struct vdf_buf *out)
{
    const struct vdf_slot *slot = at->priv;

    if (slot->device)
        vdf_buf_printf(out, "%s", slot->device);
}

static int keep_device(struct vdf_slot *slot, const char *text, size_t len, struct vdf_err *err)
{
    char *copy = NULL;

    if (len > PATH_MOST)
        return vdf_fail(err, ENODEV, "\"%.40s...\": no device has so long a path", text);
    if (len) {
        copy = strdup(text);
        if (!copy)
            return vdf_fail(err, ENOMEM, "no memory");
    }
    free(slot->device);
    slot->device = copy;
    slot->size = 0;
    return 0;
}

static int store_device(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err)
{
    struct vdf_slot *slot = at->priv;
    struct vdf_obj *target;
    uint32_t part;

    if (slot->device && strcmp(slot->device, text) == 0)
        return 0;
    int ret = check_detached(slot, err);
    if (ret == 0 && len)
        ret = find_target(slot, text, &target, &part, err);
    if (ret == 0)
        ret = keep_device(slot, text, len, err);
    if (ret == 0 && len)
        slot->size = vdf_guest_size(target, part);
    return ret;
}

/* All devices of the state are there when its slots are checked. */
static int restore_device(const struct vdf_at *at, const char *text, size_t len,
                          struct vdf_err *err)
{
    return keep_device(at->priv, text, len, err);
}

static void show_irq(const struct vdf_at *at, struct vdf_buf *out)
{
    const struct vdf_slot *slot = at->priv;

    if (slot->irq == VDF_SLOT_MSI)
        vdf_buf_printf(out, "msi");
    else if (slot->irq == VDF_SLOT_GSI)
        vdf_buf_printf(out, "%u", slot->gsi);
}

static int store_irq(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err)
{
    struct vdf_slot *slot = at->priv;
    uint8_t irq = len ? VDF_SLOT_MSI : VDF_SLOT_NO_IRQ;
    uint64_t gsi = 0;

    if (len && strcmp(text, "msi") != 0) {
        if (vdf_number_parse(text, len, &gsi) < 0 || gsi >= VDF_VM_PINS)
            return vdf_fail(err, EINVAL, "\"%.40s\": a GSI, 0 to %u, or msi, or nothing", text,
                            VDF_VM_PINS - 1);
        irq = VDF_SLOT_GSI;
    }
    int ret = irq == slot->irq && gsi == slot->gsi ? 0 : check_detached(slot, err);
    if (ret == 0) {
        slot->irq = irq;
        slot->gsi = (uint32_t)gsi;
    }
    return ret;
}

static int set_attached(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_slot *slot = at->priv;
    int ret = 0;

    if (value == slot->attached)
        return 0;
    vdf_vm_park(slot->vm);
    if (value)
        ret = vdf_slot_connect(slot, err);
    else
        vdf_slot_disconnect(slot);
    vdf_vm_unpark(slot->vm);
    return ret;
}

static int restore_attached(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    ((struct vdf_slot *)at->priv)->attached = value;
    return 0;
}

static int get_refused(const struct vdf_at *at, uint64_t *value)
{
    *value = atomic_load(&((struct vdf_slot *)at->priv)->refused);
    return 0;
}

static int restore_refused(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    atomic_store(&((struct vdf_slot *)at->priv)->refused, value);
    return 0;
}

#define SLOT(member) VDF_FIELD(struct vdf_slot, member)

static const struct vdf_attr attrs[] = {
    { .path = "device",
      .type = VDF_TEXT,
      .flags = VDF_RW | VDF_SAVE | VDF_EXCLUSIVE,
      .show = show_device,
      .store = store_device,
      .restore_text = restore_device,
      .doc = "path of what is attached, from the root: console/C, aplic/A, aplic/A/imsic/H, "
             "hwqueue/Q, hwqueue/Q/queues/N, gait/G/functions/F or intx/B/devices/D; this and what "
             "follows is EBUSY while attached" },
    { .path = "addr",
      .type = VDF_REG,
      .flags = VDF_RW | VDF_SAVE,
      SLOT(addr),
      .check = check_addr,
      .doc = "guest address of the window, outside of the memory; pages of queues at a multiple of "
             "4096" },
    { .path = "irq",
      .type = VDF_TEXT,
      .flags = VDF_RW | VDF_SAVE,
      .show = show_irq,
      .store = store_irq,
      .doc = "where interrupts go: a GSI, 0 to 23, of the I/O APIC and the PICs; msi; empty: "
             "nowhere. A line that is still high at the end of its interrupt is raised again; a "
             "message for a GSI is an edge. With msi a line that rises is vector of vCPU 0; a "
             "message goes to the vCPU that bits 19:12 of its address name. EINVAL at attached: "
             "msi for "
             "a device of intx/, which has to hear the ends of its interrupts" },
    { .path = "vector",
      .type = VDF_UINT,
      .flags = VDF_RW | VDF_SAVE,
      SLOT(vector),
      .reset = VECTOR_RESET,
      .check = check_vector,
      .doc = "with msi: vector of a line, and what is added to the identity of an APLIC's MSI and "
             "to the ISC of an alert; other messages have their own" },
    { .path = "attached",
      .type = VDF_BOOL,
      .flags = VDF_RW | VDF_SAVE | VDF_EXCLUSIVE,
      SLOT(attached),
      .set = set_attached,
      .restore = restore_attached,
      .doc = "1 plugs the device in, which may be done while the guest runs: EINVAL or EEXIST for "
             "an address that is taken, EBUSY for a device that has a guest, ENODEV for one that "
             "is not there; 0 pulls it out" },
    { .path = "early",
      .type = VDF_TEXT,
      .flags = VDF_NO_FILE | VDF_SAVE,
      .show = vdf_slot_show_early,
      .restore_text = vdf_slot_restore_early,
      .doc = "vectors that have come before the first run" },
    { .path = "size",
      .type = VDF_UINT,
      .flags = VDF_R,
      SLOT(size),
      .doc = "bytes of the window; 0: nothing is to be mapped" },
    { .path = "refused",
      .type = VDF_UINT,
      .flags = VDF_R | VDF_SAVE,
      .width = 8,
      .get = get_refused,
      .restore = restore_refused,
      .doc = "accesses of the guest that the device does not take: loads gave 0, stores were "
             "dropped" },
};

/* --- life ------------------------------------------------------------------------------------- */

static int create(struct vdf_obj *obj, struct vdf_err *err)
{
    struct vdf_slot *slot = vdf_obj_priv(obj);

    if (vdf_number_name(vdf_obj_name(obj), VDF_VM_SLOTS - 1, &slot->number) < 0)
        return vdf_fail(err, EINVAL, "\"%.40s\": slots are 0 to %u", vdf_obj_name(obj),
                        VDF_VM_SLOTS - 1);
    slot->vm = vdf_obj_priv(vdf_obj_parent(obj));
    slot->line_fd = slot->pulse_fd = slot->resample_fd = slot->eoi_fd = slot->end_fd = -1;
    return 0;
}

static void destroy(struct vdf_obj *obj)
{
    struct vdf_slot *slot = vdf_obj_priv(obj);

    assert(!slot->target);
    free(slot->device);
}

/* The machine is stopped before its slots are. */
static int removed(struct vdf_obj *obj, struct vdf_err *err)
{
    struct vdf_slot *slot = vdf_obj_priv(obj);

    if (slot->attached) {
        vdf_vm_park(slot->vm);
        vdf_slot_disconnect(slot);
        vdf_vm_unpark(slot->vm);
    }
    return 0;
}

static int restored(struct vdf_obj *obj, struct vdf_err *err)
{
    struct vdf_slot *slot = vdf_obj_priv(obj);
    struct vdf_obj *target;
    uint32_t part;

    if (slot->attached && !slot->device)
        return vdf_fail(err, EINVAL, "attached is 1 and there is no device");
    return slot->attached ? find_target(slot, slot->device, &target, &part, err) : 0;
}

const struct vdf_class vdf_slot_class = {
    .name = "slot",
    .title = "slot of a VM",
    .attrs = attrs,
    .n_attrs = sizeof(attrs) / sizeof(attrs[0]),
    .priv_size = sizeof(struct vdf_slot),
    .create = create,
    .destroy = destroy,
    .remove = removed,
    .restored = restored,
    .exclusive = true,
};
