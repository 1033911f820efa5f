/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A zPCI function in a VM: it has no window, its interrupts go to the VM, and the memory of its guest
 * is the VM's. Several functions of one guest may be attached, to one VM.
 *
 * Bits are set by atomic operations, so a vector or a summary word has to lie in one region that this
 * process has mapped. The memory of a guest in another process changes: an event whose bit is no longer
 * in memory is refused or dropped, as one whose entry designates no memory.
 */
#include <errno.h>

#include "function.h"
#include "guest.h"

void *vdf_gait_at(struct gait_guest *guest, uint64_t address, uint64_t len, bool write)
{
    void *at = NULL;

    if (!guest->vm_memory)
        return vdf_memory_at(&guest->memory, address, len);
    if (guest->space && len <= GAIT_GUEST_END && address <= GAIT_GUEST_END - len)
        at = vdf_space_at(guest->space, address, len, write);
    if (!at)
        errno = EFAULT;
    return at;
}

bool vdf_gait_may_have(struct gait_guest *guest, uint64_t address, uint64_t len)
{
    uint64_t size = guest->vm_memory ? guest->vm_memory : guest->memory.size;

    if (guest->space)
        return vdf_gait_at(guest, address, len, true);
    return len <= size && address <= size - len;
}

bool vdf_gait_vm_missing(const struct gait_guest *guest)
{
    return guest->vm_memory && !guest->space;
}

/* The end of the machine's memory, as far as addresses in the table reach. */
static uint64_t end_of(const struct vdf_guest *vm)
{
    const struct vdf_region *last = vdf_space_regions(vm->space) + (vm->space->n - 1);
    uint64_t end;

    if (vm->remote || !vm->space->n || __builtin_add_overflow(last->addr, last->len, &end) ||
        end > GAIT_GUEST_END)
        return GAIT_GUEST_END;
    return end;
}

/* An event has reached the guest: the ISC is the number of the interrupt. */
static void send_message(void *ctx, uint64_t address, uint32_t isc)
{
    const struct gait_function *function = ctx;

    vdf_irq_message(&function->vm.irq, address, function->vm.vector + isc);
}

static int attach(struct vdf_obj *obj, uint32_t part, const struct vdf_guest *vm, bool fresh,
                  struct vdf_err *err)
{
    struct gait_function *function = vdf_obj_priv(obj);
    struct gait_guest *guest = vdf_gait_find_guest(vdf_gait_of(obj), function->guest_name);

    if (function->vm.machine)
        return vdf_fail(err, EBUSY, "the function is attached to another slot or function");
    if (!guest)
        return vdf_fail(err, ENODEV, "the function has no guest yet: write its name to guest");
    if (guest->space && guest->space != vm->space)
        return vdf_fail(err, EBUSY, "guest \"%s\" is another VM", function->guest_name);
    if (fresh && !guest->space && guest->registered)
        return vdf_fail(err, EBUSY, "functions of guest \"%s\" are registered in its own memory",
                        function->guest_name);
    if (!fresh && guest->registered && guest->vm_memory != end_of(vm))
        return vdf_fail(err, EINVAL, "guest \"%s\" was a VM with another size of memory",
                        function->guest_name);
    function->vm = *vm;
    function->vm_guest = guest;
    function->irq = (struct vdf_irq){ .message = send_message, .ctx = function };
    guest->space = vm->space;
    guest->vm_memory = end_of(vm);
    guest->attached++;
    return 0;
}

/* The memory goes with the VM: registrations in it end, as with a VM of KVM. */
static void detach(struct vdf_obj *obj, uint32_t part)
{
    struct gait *gait = vdf_gait_of(obj);
    struct gait_function *function = vdf_obj_priv(obj);
    struct gait_guest *guest = function->vm_guest;

    function->vm = (struct vdf_guest){ 0 };
    function->vm_guest = NULL;
    function->irq = (struct vdf_irq){ 0 };
    if (--guest->attached > 0)
        return;
    vdf_gait_deregister_guest(gait, guest);
    guest->space = NULL;
    guest->vm_memory = 0;
}

static void memory(struct vdf_obj *obj, uint32_t part, const struct vdf_space *space)
{
    const struct gait_function *function = vdf_obj_priv(obj);

    function->vm_guest->space = space;
}

const struct vdf_guest_ops vdf_gait_guest_ops = {
    .interrupts = VDF_GUEST_MESSAGE,
    .attach = attach,
    .detach = detach,
    .memory = memory,
};
