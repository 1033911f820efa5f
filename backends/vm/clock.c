/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Time of a machine, which stands still while the machine does. */
#include <endian.h>
#include <string.h>

#include "clock.h"
#include "probe.h"
#include "vm.h"

#define APIC_LVTT 0x320u
#define LVTT_MODE 0x60000u
#define LVTT_PERIODIC 0x20000u

/* --- registers, one at a time: a KVM may lack some -------------------------------------------- */

static bool get_msr(const struct vdf_vcpu *cpu, uint32_t index, uint64_t *value)
{
    struct vdf_vm_msrs one = { .n = 1, .entries[0].index = index };

    if (vdf_kvm_ioctl(cpu->fd, KVM_GET_MSRS, &one) != 1)
        return false;
    *value = one.entries[0].data;
    return true;
}

static bool set_msr(const struct vdf_vcpu *cpu, uint32_t index, uint64_t value)
{
    struct vdf_vm_msrs one = { .n = 1, .entries[0] = { .index = index, .data = value } };

    return vdf_kvm_ioctl(cpu->fd, KVM_SET_MSRS, &one) == 1;
}

uint32_t vdf_apic_load(const struct kvm_lapic_state *lapic, unsigned reg)
{
    uint32_t value;

    memcpy(&value, lapic->regs + reg, sizeof(value));
    return le32toh(value);
}

void vdf_apic_store(struct kvm_lapic_state *lapic, unsigned reg, uint32_t value)
{
    value = htole32(value);
    memcpy(lapic->regs + reg, &value, sizeof(value));
}

/* --- time ------------------------------------------------------------------------------------- */

/* KVM treats a write of the TSC near the value that it expects as an attempt to synchronise the
 * processors. The offset to the host's TSC has no such rule (api.rst, KVM_VCPU_TSC_CTRL). */
static bool access_offset(const struct vdf_vcpu *cpu, unsigned long request, uint64_t *offset)
{
    struct kvm_device_attr attr = {
        .group = KVM_VCPU_TSC_CTRL,
        .attr = KVM_VCPU_TSC_OFFSET,
        .addr = (uintptr_t)offset,
    };

    return vdf_kvm_ioctl(cpu->fd, request, &attr) == 0;
}

/* One reading serves all processors, whose TSCs differ by their offsets. */
static bool get_tsc(struct vdf_vcpu *cpu)
{
    const struct vdf_vcpu *first = cpu->vm->stopped_by;
    uint64_t own, base;

    if (!first || !access_offset(cpu, KVM_GET_DEVICE_ATTR, &own) ||
        !access_offset(first, KVM_GET_DEVICE_ATTR, &base))
        return get_msr(cpu, VDF_MSR_TSC, &cpu->tsc);
    cpu->tsc = first->tsc + own - base;
    return true;
}

static void set_tsc(struct vdf_vcpu *cpu)
{
    const struct vdf_vcpu *first = &cpu->vm->vcpus[0];
    uint64_t now = first->tsc, offset;

    if (access_offset(first, KVM_GET_DEVICE_ATTR, &offset) &&
        (cpu != first || get_msr(cpu, VDF_MSR_TSC, &now))) {
        offset += cpu->tsc - now;
        if (access_offset(cpu, KVM_SET_DEVICE_ATTR, &offset))
            return;
    }
    set_msr(cpu, VDF_MSR_TSC, cpu->tsc);
}

void vdf_vcpu_freeze(struct vdf_vcpu *cpu)
{
    struct kvm_lapic_state lapic;

    if (!cpu->vm->made || cpu->frozen)
        return;
    cpu->frozen = get_tsc(cpu) && vdf_kvm_ioctl(cpu->fd, KVM_GET_LAPIC, &lapic) == 0;
    if (!cpu->frozen)
        return;
    cpu->timer = vdf_apic_load(&lapic, VDF_APIC_TMCCT);
    if (!cpu->vm->stopped_by)
        cpu->vm->stopped_by = cpu;
}

void vdf_vcpu_disarm(struct vdf_vcpu *cpu)
{
    struct kvm_lapic_state lapic;

    if (!cpu->frozen || cpu->disarmed || vdf_kvm_ioctl(cpu->fd, KVM_GET_LAPIC, &lapic) < 0)
        return;
    cpu->initial = vdf_apic_load(&lapic, VDF_APIC_TMICT);
    if (!get_msr(cpu, VDF_MSR_TSC_DEADLINE, &cpu->deadline))
        cpu->deadline = 0;
    vdf_apic_store(&lapic, VDF_APIC_TMICT, 0);
    vdf_apic_store(&lapic, VDF_APIC_TMCCT, 0);
    cpu->disarmed = vdf_kvm_ioctl(cpu->fd, KVM_SET_LAPIC, &lapic) == 0;
    if (cpu->disarmed && cpu->deadline)
        set_msr(cpu, VDF_MSR_TSC_DEADLINE, 0);
}

/* Interrupts may have arrived meanwhile. A one-shot timer that has fired stays off. */
static void arm(struct vdf_vcpu *cpu)
{
    struct kvm_lapic_state lapic;

    if (vdf_kvm_ioctl(cpu->fd, KVM_GET_LAPIC, &lapic) < 0)
        return;
    bool periodic = (vdf_apic_load(&lapic, APIC_LVTT) & LVTT_MODE) == LVTT_PERIODIC;
    if (cpu->initial && (cpu->timer || periodic)) {
        vdf_apic_store(&lapic, VDF_APIC_TMICT, cpu->initial);
        vdf_apic_store(&lapic, VDF_APIC_TMCCT, cpu->timer);
        vdf_kvm_ioctl(cpu->fd, KVM_SET_LAPIC, &lapic);
    }
    if (cpu->deadline)
        set_msr(cpu, VDF_MSR_TSC_DEADLINE, cpu->deadline);
}

void vdf_vcpu_thaw(struct vdf_vcpu *cpu)
{
    if (cpu->frozen)
        set_tsc(cpu);
    if (cpu->disarmed)
        arm(cpu);
    cpu->frozen = cpu->disarmed = false;
}

/* --- kvmclock --------------------------------------------------------------------------------- */

void vdf_vm_stop_clock(struct vdf_vm *vm)
{
    struct kvm_clock_data data = { 0 };

    if (vm->made && !vm->clock && vdf_kvm_ioctl(vm->fd, KVM_GET_CLOCK, &data) == 0)
        vm->clock = data.clock;
}

void vdf_vm_start_clock(struct vdf_vm *vm)
{
    struct kvm_clock_data data = { .clock = vm->clock };

    if (vm->clock)
        vdf_kvm_ioctl(vm->fd, KVM_SET_CLOCK, &data);
    vm->clock = 0;
}
