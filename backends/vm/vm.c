/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The machine: making it, starting, stopping, its end. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "boot.h"
#include "clock.h"
#include "irq.h"
#include "probe.h"
#include "slot.h"
#include "state.h"
#include "vm.h"

#define REPORTS 16u /* lines in /errors for a slot, or the machine, from one start on */

int vdf_vm_open_kvm(void)
{
    int fd = open(VDF_KVM_DEVICE, O_RDWR | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* --- making ----------------------------------------------------------------------------------- */

/* A host that has run out of a resource still has a KVM. */
static int refused(struct vdf_err *err, const char *call, int code)
{
    bool scarce = code == EMFILE || code == ENFILE || code == ENOMEM;

    return vdf_fail(err, scarce ? code : ENODEV, VDF_KVM_DEVICE ": %s answers %s", call,
                    vdf_errno_name(code));
}

#define TSS_ADDRESS 0xfffbd000ul /* three pages that some processors need */

/* Until a driver initialises them the PICs are masked, as firmware leaves them for the APICs. */
static int mask_pics(struct vdf_vm *vm)
{
    for (uint32_t id = KVM_IRQCHIP_PIC_MASTER; id <= KVM_IRQCHIP_PIC_SLAVE; id++) {
        struct kvm_irqchip chip = { .chip_id = id };
        if (vdf_kvm_ioctl(vm->fd, KVM_GET_IRQCHIP, &chip) < 0)
            return -errno;
        chip.chip.pic.imr = 0xff;
        if (vdf_kvm_ioctl(vm->fd, KVM_SET_IRQCHIP, &chip) < 0)
            return -errno;
    }
    return 0;
}

/* Only with these does a state contain exceptions that wait to be injected, and triple faults. */
static const uint32_t event_caps[] = {
    KVM_CAP_EXCEPTION_PAYLOAD,
#ifdef KVM_CAP_X86_TRIPLE_FAULT_EVENT
    KVM_CAP_X86_TRIPLE_FAULT_EVENT,
#endif
};

static int enable_events(struct vdf_vm *vm, int kvm)
{
    for (size_t k = 0; k < sizeof(event_caps) / sizeof(event_caps[0]); k++) {
        struct kvm_enable_cap request = { .cap = event_caps[k], .args = { 1 } };
        if (vdf_kvm_ioctl(kvm, KVM_CHECK_EXTENSION, request.cap) > 0 &&
            vdf_kvm_ioctl(vm->fd, KVM_ENABLE_CAP, &request) < 0)
            return -errno;
    }
    return 0;
}

static int make_machine(struct vdf_vm *vm, int kvm, struct vdf_err *err)
{
    const char *missing;
    int version = vdf_kvm_ioctl(kvm, KVM_GET_API_VERSION, 0);

    if (version < 0)
        return refused(err, "KVM_GET_API_VERSION", errno);
    if (version != KVM_API_VERSION)
        return vdf_fail(err, ENODEV, VDF_KVM_DEVICE ": not version %d of KVM's interface",
                        KVM_API_VERSION);
    int ret = vdf_kvm_missing(kvm, &missing);
    if (ret < 0)
        return refused(err, "KVM_CHECK_EXTENSION", -ret);
    if (missing)
        return vdf_fail(err, ENODEV, VDF_KVM_DEVICE ": this KVM has no KVM_CAP_%s", missing);
    int run_size = vdf_kvm_ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
    if (run_size < 0)
        return refused(err, "KVM_GET_VCPU_MMAP_SIZE", errno);
    vm->run_size = (size_t)run_size;
    vm->fd = vdf_kvm_ioctl(kvm, KVM_CREATE_VM, 0);
    if (vm->fd < 0)
        return refused(err, "KVM_CREATE_VM", errno);
    if (vdf_kvm_ioctl(vm->fd, KVM_SET_TSS_ADDR, TSS_ADDRESS) < 0 ||
        vdf_kvm_ioctl(vm->fd, KVM_CREATE_IRQCHIP, 0) < 0 || mask_pics(vm) < 0 ||
        vdf_vm_keep_chips(vm) < 0)
        return refused(err, "KVM_CREATE_IRQCHIP", errno);
    ret = enable_events(vm, kvm);
    return ret < 0 ? refused(err, "KVM_ENABLE_CAP", -ret) : 0;
}

/* All objects of KVM for a machine; a failure leaves none. */
static int open_machine(struct vdf_vm *vm, struct vdf_err *err)
{
    int kvm = vdf_vm_open_kvm();

    vm->fd = -1;
    if (kvm < 0)
        return refused(err, "open", -kvm);
    int ret = make_machine(vm, kvm, err);
    close(kvm);
    if (ret < 0 && vm->fd >= 0)
        close(vm->fd);
    return ret;
}

int vdf_vm_try(struct vdf_err *err)
{
    struct vdf_vm vm = { 0 };
    int ret = open_machine(&vm, err);

    if (ret == 0)
        close(vm.fd);
    return ret;
}

int vdf_vm_create(struct vdf_obj *obj, struct vdf_err *err)
{
    struct vdf_vm *vm = vdf_obj_priv(obj);

    for (unsigned k = 0; k < VDF_VM_CPUS; k++)
        vm->vcpus[k] = (struct vdf_vcpu){ .vm = vm, .index = k, .fd = -1, .stats_fd = -1 };
    int ret = open_machine(vm, err);
    if (ret == 0)
        vdf_memory_init(&vm->memory, "vm-memory", vm->memory_size);
    return ret;
}

void vdf_vm_destroy(struct vdf_obj *obj)
{
    struct vdf_vm *vm = vdf_obj_priv(obj);

    for (unsigned k = 0; k < VDF_VM_CPUS; k++) {
        vdf_vcpu_close(&vm->vcpus[k]);
        free(vm->vcpus[k].held);
        free(vm->vcpus[k].fresh);
    }
    close(vm->fd);
    vdf_vm_free_tables(vm);
    vdf_memory_free(&vm->memory);
}

/* --- memory ----------------------------------------------------------------------------------- */

int vdf_vm_memslot(struct vdf_vm *vm, unsigned id, uint64_t addr, void *host, uint64_t bytes)
{
    struct kvm_userspace_memory_region region = {
        .slot = id,
        .guest_phys_addr = addr,
        .memory_size = bytes,
        .userspace_addr = (uintptr_t)host,
    };
    int ret = bytes ? vdf_kvm_ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region)
                    : vdf_kvm_undo(vm->fd, KVM_SET_USER_MEMORY_REGION, &region);
    return ret < 0 ? -errno : 0;
}

static int set_memslots(struct vdf_vm *vm)
{
    int ret = vdf_vm_memslot(vm, VDF_VM_MEMSLOT_RAM, 0, vm->memory.base, vm->memory.size);

    if (ret < 0)
        return ret;
    ret =
        vdf_vm_memslot(vm, VDF_VM_MEMSLOT_TABLES, VDF_VM_TABLES, vm->tables, vdf_vm_tables_size());
    if (ret < 0)
        vdf_vm_memslot(vm, VDF_VM_MEMSLOT_RAM, 0, NULL, 0);
    return ret;
}

int vdf_vm_map(struct vdf_vm *vm, struct vdf_err *err)
{
    bool had_memory = vm->memory.base, had_tables = vm->tables;

    if (vm->mapped)
        return 0;
    int ret = vdf_memory_touch(&vm->memory);
    if (ret == 0)
        ret = vdf_vm_make_tables(vm);
    if (ret == 0)
        ret = set_memslots(vm);
    if (ret == 0) {
        vm->mapped = true;
        return 0;
    }
    if (!had_tables)
        vdf_vm_free_tables(vm);
    if (!had_memory)
        vdf_memory_free(&vm->memory);
    return vdf_fail(err, -ret, "the guest's memory cannot be mapped: %s", vdf_errno_name(-ret));
}

/* The tables stay: they do not depend on the memory. */
int vdf_vm_unmap(struct vdf_vm *vm, struct vdf_err *err)
{
    int ret = vm->mapped ? vdf_vm_memslot(vm, VDF_VM_MEMSLOT_RAM, 0, NULL, 0) : 0;

    if (ret < 0)
        return vdf_fail(err, -ret, "the guest's memory cannot be unmapped: %s",
                        vdf_errno_name(-ret));
    vm->mapped = false;
    return 0;
}

/* Time stands still. The timers are switched off only now: that reads and writes the whole local APIC,
 * and an interrupt between the two would be lost while devices work. */
static void stand_still(struct vdf_vm *vm)
{
    for (unsigned k = 0; k < vm->cpus; k++)
        vdf_vcpu_freeze(&vm->vcpus[k]);
    for (unsigned k = 0; k < vm->cpus; k++)
        vdf_vcpu_disarm(&vm->vcpus[k]);
    vdf_vm_stop_clock(vm);
}

void vdf_vm_park(struct vdf_vm *vm)
{
    atomic_store(&vm->stop, true);
    for (unsigned k = 0; k < VDF_VM_SLOTS; k++)
        if (vm->slots[k] && !vm->slots[k]->asleep)
            vdf_slot_release(vm->slots[k]);
    for (unsigned k = 0; k < vm->cpus; k++)
        vdf_vcpu_kick(&vm->vcpus[k]);
    for (unsigned k = 0; k < vm->cpus; k++)
        vdf_vcpu_join(&vm->vcpus[k]);
    for (unsigned k = 0; k < vm->cpus; k++)
        vdf_vcpu_settle(&vm->vcpus[k]);
    if (vm->status != VDF_VM_RUNNING)
        stand_still(vm);
}

void vdf_vm_unpark(struct vdf_vm *vm)
{
    int ret = 0;

    if (vm->status != VDF_VM_RUNNING)
        return;
    atomic_store(&vm->stop, false);
    atomic_store(&vm->ended, false);
    for (unsigned k = 0; ret == 0 && k < vm->cpus; k++)
        ret = vdf_vcpu_start(&vm->vcpus[k]);
    if (ret == 0)
        return;
    vdf_report(vm->priv.obj, -ret, "no thread for a vCPU: the VM is stopped");
    vdf_vm_halt(vm);
}

/* Notify the devices that the guest has been started, or stands still. */
static void notify_slots(struct vdf_vm *vm, bool running)
{
    for (unsigned k = 0; k < VDF_VM_SLOTS; k++)
        if (vm->slots[k] && !vm->slots[k]->asleep)
            vdf_slot_runs(vm->slots[k], running);
}

void vdf_vm_halt(struct vdf_vm *vm)
{
    vdf_vm_park(vm);
    notify_slots(vm, false);
    if (vm->status == VDF_VM_RUNNING)
        vm->status = VDF_VM_STOPPED;
    stand_still(vm);
}

static int check_begin(const struct vdf_vm *vm, struct vdf_err *err)
{
    if (vm->mode == VDF_VM_REAL && vm->entry > 0xfffff)
        return vdf_fail(err, EINVAL, "entry 0x%" PRIx64 ": real mode reaches 0xfffff", vm->entry);
    if (vm->entry >= vm->memory_size)
        return vdf_fail(err, EINVAL, "entry 0x%" PRIx64 " is outside of the memory, 0x%" PRIx64,
                        vm->entry, vm->memory_size);
    return 0;
}

int vdf_vm_boot(struct vdf_vm *vm, struct vdf_err *err)
{
    int ret = vm->booted ? 0 : check_begin(vm, err);

    if (vm->booted || ret < 0)
        return ret;
    bool made = vm->made;
    ret = vdf_vcpus_make(vm, err);
    if (ret == 0 && made)
        ret = vdf_vm_reset_chips(vm, err);
    for (unsigned k = 0; ret == 0 && k < vm->cpus; k++)
        ret = vdf_vcpu_boot(&vm->vcpus[k], err);
    vm->booted = ret == 0;
    /* Processors that have never begun are not part of the machine yet. */
    if (ret < 0)
        vm->made = made;
    return ret;
}

int vdf_vm_run(struct vdf_vm *vm, struct vdf_err *err)
{
    /* A machine that has ended by itself still has its threads. */
    vdf_vm_park(vm);
    if (vm->status == VDF_VM_RUNNING) {
        vdf_vm_unpark(vm);
        return 0;
    }
    int ret = vm->booted ? 0 : check_begin(vm, err);
    if (ret == 0)
        ret = vdf_vm_map(vm, err);
    if (ret == 0)
        ret = vdf_vm_boot(vm, err);
    for (unsigned k = 0; ret == 0 && k < VDF_VM_SLOTS; k++)
        if (vm->slots[k] && vm->slots[k]->asleep)
            ret = vdf_slot_wake(vm->slots[k], false, err);
    if (ret < 0)
        return ret;
    atomic_store(&vm->reports, 0);
    for (unsigned k = 0; k < VDF_VM_SLOTS; k++)
        if (vm->slots[k])
            atomic_store(&vm->slots[k]->reports, 0);
    for (unsigned k = 0; k < vm->cpus; k++)
        vdf_vcpu_thaw(&vm->vcpus[k]);
    vm->stopped_by = NULL;
    vdf_vm_start_clock(vm);
    for (unsigned k = 0; k < VDF_VM_SLOTS; k++)
        if (vm->slots[k])
            vdf_slot_irq_begin(vm->slots[k]);
    vm->status = VDF_VM_RUNNING;
    notify_slots(vm, true);
    vdf_vm_unpark(vm);
    return 0;
}

/* --- its place in the tree -------------------------------------------------------------------- */

void vdf_vm_disconnect(struct vdf_obj *obj)
{
    struct vdf_vm *vm = vdf_obj_priv(obj);

    vdf_vm_halt(vm);
    for (unsigned k = 0; k < VDF_VM_SLOTS; k++)
        if (vm->slots[k])
            vdf_slot_disconnect(vm->slots[k]);
}

/* Slots that were attached in the state are attached again. Their devices get the guest at its start,
 * because its memory is restored after the state. */
void vdf_vm_connect(struct vdf_obj *obj)
{
    struct vdf_slot *slot;

    for (struct vdf_obj *child = vdf_obj_next(obj, "slots", NULL); child;
         child = vdf_obj_next(obj, "slots", child)) {
        struct vdf_err err = { 0 };
        slot = vdf_obj_priv(child);
        if (!slot->attached)
            continue;
        slot->attached = false;
        int ret = vdf_slot_reserve(slot, &err);
        if (ret < 0)
            vdf_report(child, -ret, "not attached after the restore: %s", err.text);
    }
}

/* A running machine is saved as one that has just been stopped, and then goes on. */
void vdf_vm_saving(struct vdf_obj *obj, bool begin)
{
    struct vdf_vm *vm = vdf_obj_priv(obj);

    if (begin)
        vdf_vm_park(vm);
    if (vm->status == VDF_VM_RUNNING)
        notify_slots(vm, !begin);
    for (unsigned k = 0; k < vm->cpus && vm->made; k++) {
        struct vdf_vcpu *cpu = &vm->vcpus[k];
        if (begin) {
            vdf_vcpu_freeze(cpu);
            vdf_vcpu_show_begin(cpu);
        } else {
            vdf_vcpu_show_end(cpu);
            cpu->frozen = cpu->frozen && vm->status != VDF_VM_RUNNING;
        }
    }
    if (begin) {
        vdf_vm_stop_clock(vm);
        return;
    }
    if (vm->status == VDF_VM_RUNNING) {
        vm->clock = 0;
        vm->stopped_by = NULL;
    }
    vdf_vm_unpark(vm);
}

void vdf_vm_adopt(struct vdf_obj *obj, void *old, void *now)
{
    ((struct vdf_vm *)now)->memory_open = ((struct vdf_vm *)old)->memory_open;
}

void vdf_vm_report(struct vdf_obj *obj, atomic_uint *count, const char *last, int code,
                   const char *fmt, ...)
{
    char text[VDF_ERR_TEXT];
    unsigned n = atomic_fetch_add(count, 1);
    va_list ap;

    if (n >= REPORTS)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    vdf_report(obj, code, "%.200s%s", text, n + 1 == REPORTS ? last : "");
}

const struct vdf_component vdf_vm_component = {
    .cls = &vdf_vm_class,
    .probe = &vdf_kvm_probe,
};
