/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A zPCI function in a VM: it has no window, its interrupts go to the VM, and the memory of its guest
 * is the VM's. Several functions of one guest may be attached, to one VM.
 */
#include <errno.h>

#include "function.h"
#include "guest.h"

struct vdf_memory *vdf_gait_memory(struct gait_guest *guest)
{
    static struct vdf_memory absent; /* no byte of it can be reached */

    if (guest->ram)
        return guest->ram;
    return guest->vm_memory ? &absent : &guest->memory;
}

uint64_t vdf_gait_memory_size(const struct gait_guest *guest)
{
    return guest->vm_memory ? guest->vm_memory : guest->memory.size;
}

bool vdf_gait_vm_missing(const struct gait_guest *guest)
{
    return guest->vm_memory && !guest->ram;
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
    struct vdf_memory *memory = vdf_space_single(vm->space);

    if (function->vm.machine)
        return vdf_fail(err, EBUSY, "the function is attached to another slot");
    if (!guest)
        return vdf_fail(err, ENODEV, "the function has no guest yet: write its name to guest");
    if (guest->ram && guest->ram != memory)
        return vdf_fail(err, EBUSY, "guest \"%s\" is another VM", function->guest_name);
    if (fresh && !guest->ram && guest->registered)
        return vdf_fail(err, EBUSY, "functions of guest \"%s\" are registered in its own memory",
                        function->guest_name);
    if (!fresh && guest->registered && guest->vm_memory != memory->size)
        return vdf_fail(err, EINVAL, "guest \"%s\" was a VM with another size of memory",
                        function->guest_name);
    function->vm = *vm;
    function->vm_guest = guest;
    function->irq = (struct vdf_irq){ .message = send_message, .ctx = function };
    guest->ram = memory;
    guest->vm_memory = memory->size;
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
    guest->ram = NULL;
    guest->vm_memory = 0;
}

const struct vdf_guest_ops vdf_gait_guest_ops = {
    .interrupts = VDF_GUEST_MESSAGE,
    .attach = attach,
    .detach = detach,
};
