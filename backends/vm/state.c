/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Processors and interrupt controllers in a state: KVM's own structures in hex, and the MSRs that a
 * guest may have set. They are read from KVM while the machine stands still. A restored machine gives
 * them to KVM before it takes its place in the tree, so that KVM refuses impossible values.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "irq.h"
#include "probe.h"
#include "state.h"
#include "vm.h"

/* Every state has these, as far as KVM has them. */
static const uint32_t always[] = {
    VDF_MSR_TSC, /* IA32_TIME_STAMP_COUNTER: the first */
    0x3b,        /* IA32_TSC_ADJUST */
    0x174,       /* IA32_SYSENTER_CS */
    0x175,       /* IA32_SYSENTER_ESP */
    0x176,       /* IA32_SYSENTER_EIP */
    0x1a0,       /* IA32_MISC_ENABLE */
    0x277,       /* IA32_PAT */
    VDF_MSR_TSC_DEADLINE,
    0xc0000081, /* STAR */
    0xc0000082, /* LSTAR */
    0xc0000083, /* CSTAR */
    0xc0000084, /* SFMASK */
    0xc0000102, /* KERNEL_GS_BASE */
    0xc0000103, /* TSC_AUX */
};

#define N_ALWAYS (sizeof(always) / sizeof(always[0]))

/* MTRRs, which are in no list of KVM's: default type, fixed and variable ranges. */
static const struct {
    uint32_t first, count;
} mtrrs[] = { { 0x2ff, 1 }, { 0x250, 1 }, { 0x258, 2 }, { 0x268, 8 }, { 0x200, 16 } };

/* Hyper-V's registers: no CPUID offers them, and some are clocks. */
#define HYPERV_FIRST 0x40000000u
#define HYPERV_LAST 0x4000ffffu

_Static_assert(offsetof(struct vdf_vm_msrs, entries) == offsetof(struct kvm_msrs, entries),
               "vdf_vm_msrs has the layout of kvm_msrs");

/* --- all of a processor ----------------------------------------------------------------------- */

int vdf_vcpu_get(struct vdf_vcpu *cpu, struct vdf_vcpu_state *state)
{
    memset(state, 0, sizeof(*state));
    if (vdf_kvm_ioctl(cpu->fd, KVM_GET_REGS, &state->regs) < 0 ||
        vdf_kvm_ioctl(cpu->fd, KVM_GET_SREGS, &state->sregs) < 0 ||
        vdf_kvm_ioctl(cpu->fd, KVM_GET_FPU, &state->fpu) < 0 ||
        vdf_kvm_ioctl(cpu->fd, KVM_GET_LAPIC, &state->lapic) < 0 ||
        vdf_kvm_ioctl(cpu->fd, KVM_GET_VCPU_EVENTS, &state->events) < 0 ||
        vdf_kvm_ioctl(cpu->fd, KVM_GET_DEBUGREGS, &state->debugregs) < 0 ||
        vdf_kvm_ioctl(cpu->fd, KVM_GET_MP_STATE, &state->mp_state) < 0)
        return -errno;
    state->msrs.n = cpu->vm->n_msrs;
    for (unsigned k = 0; k < state->msrs.n; k++)
        state->msrs.entries[k].index = cpu->vm->msrs[k];
    int got = vdf_kvm_ioctl(cpu->fd, KVM_GET_MSRS, &state->msrs);
    if (got != (int)state->msrs.n)
        return got < 0 ? -errno : -EIO;
    if (cpu->frozen)
        vdf_apic_store(&state->lapic, VDF_APIC_TMCCT, cpu->timer);
    if (cpu->disarmed)
        vdf_apic_store(&state->lapic, VDF_APIC_TMICT, cpu->initial);
    for (unsigned k = 0; k < state->msrs.n; k++) {
        if (cpu->frozen && state->msrs.entries[k].index == VDF_MSR_TSC)
            state->msrs.entries[k].data = cpu->tsc;
        if (cpu->disarmed && state->msrs.entries[k].index == VDF_MSR_TSC_DEADLINE)
            state->msrs.entries[k].data = cpu->deadline;
    }
    return 0;
}

/* Move the timers from @state to @cpu, so that they begin to run when the machine does. */
static void take_timers(struct vdf_vcpu *cpu, struct vdf_vcpu_state *state)
{
    cpu->timer = vdf_apic_load(&state->lapic, VDF_APIC_TMCCT);
    cpu->initial = vdf_apic_load(&state->lapic, VDF_APIC_TMICT);
    cpu->deadline = 0;
    cpu->disarmed = true;
    vdf_apic_store(&state->lapic, VDF_APIC_TMICT, 0);
    vdf_apic_store(&state->lapic, VDF_APIC_TMCCT, 0);
    for (uint32_t k = 0; k < state->msrs.n; k++) {
        struct kvm_msr_entry *msr = &state->msrs.entries[k];
        if (msr->index == VDF_MSR_TSC) {
            cpu->tsc = msr->data;
            cpu->frozen = true;
        } else if (msr->index == VDF_MSR_TSC_DEADLINE) {
            cpu->deadline = msr->data;
            msr->data = 0;
        }
    }
}

static int put_msrs(const struct vdf_vcpu *cpu, struct vdf_vm_msrs *msrs, struct vdf_err *err)
{
    int done = vdf_kvm_ioctl(cpu->fd, KVM_SET_MSRS, msrs);

    if (done < 0)
        return vdf_fail(err, errno, "cpu/%u/msrs: KVM_SET_MSRS answers %s", cpu->index,
                        vdf_errno_name(errno));
    if ((uint32_t)done < msrs->n)
        return vdf_fail(err, EINVAL, "cpu/%u/msrs: KVM refuses 0x%" PRIx64 " for 0x%x", cpu->index,
                        (uint64_t)msrs->entries[done].data, msrs->entries[done].index);
    return 0;
}

int vdf_vcpu_put(struct vdf_vcpu *cpu, const struct vdf_vcpu_state *state, struct vdf_err *err)
{
    static const struct {
        unsigned long request;
        size_t offset;
        const char *name;
    } parts[] = {
        { KVM_SET_SREGS, offsetof(struct vdf_vcpu_state, sregs), "sregs" },
        { KVM_SET_REGS, offsetof(struct vdf_vcpu_state, regs), "registers" },
        { KVM_SET_FPU, offsetof(struct vdf_vcpu_state, fpu), "fpu" },
        { KVM_SET_LAPIC, offsetof(struct vdf_vcpu_state, lapic), "lapic" },
        { KVM_SET_DEBUGREGS, offsetof(struct vdf_vcpu_state, debugregs), "debugregs" },
        { KVM_SET_VCPU_EVENTS, offsetof(struct vdf_vcpu_state, events), "events" },
        { KVM_SET_MP_STATE, offsetof(struct vdf_vcpu_state, mp_state), "mp_state" },
    };
    struct vdf_vcpu_state now = *state;

    take_timers(cpu, &now);
    for (size_t k = 0; k < sizeof(parts) / sizeof(parts[0]); k++)
        if (vdf_kvm_ioctl(cpu->fd, parts[k].request, (const char *)&now + parts[k].offset) < 0)
            return vdf_fail(err, EINVAL, "cpu/%u/%s: KVM refuses it (%s)", cpu->index,
                            parts[k].name, vdf_errno_name(errno));
    return put_msrs(cpu, &now.msrs, err);
}

/* --- a new processor -------------------------------------------------------------------------- */

static void add_msr(struct vdf_vm_msrs *msrs, uint32_t index)
{
    bool hyperv = index >= HYPERV_FIRST && index <= HYPERV_LAST;

    for (uint32_t k = 0; k < msrs->n; k++)
        if (msrs->entries[k].index == index)
            return;
    if (!hyperv && msrs->n < VDF_VM_MSRS)
        msrs->entries[msrs->n++].index = index;
}

/* All registers that may be worth saving; a KVM may lack some. */
static int add_candidates(struct vdf_vm_msrs *msrs)
{
    struct kvm_msr_list *list = calloc(1, sizeof(*list) + VDF_VM_MSRS * sizeof(list->indices[0]));
    int kvm = vdf_vm_open_kvm(), ret = 0;

    if (!list || kvm < 0) {
        ret = kvm < 0 ? kvm : -ENOMEM;
    } else {
        list->nmsrs = VDF_VM_MSRS;
        ret = vdf_kvm_ioctl(kvm, KVM_GET_MSR_INDEX_LIST, list) < 0 ? -errno : 0;
    }
    for (size_t k = 0; k < N_ALWAYS; k++)
        add_msr(msrs, always[k]);
    for (size_t k = 0; k < sizeof(mtrrs) / sizeof(mtrrs[0]); k++)
        for (uint32_t n = 0; n < mtrrs[k].count; n++)
            add_msr(msrs, mtrrs[k].first + n);
    for (uint32_t k = 0; ret == 0 && k < list->nmsrs; k++)
        add_msr(msrs, list->indices[k]);
    if (kvm >= 0)
        close(kvm);
    free(list);
    return ret;
}

/* KVM stops at the first register that it does not take; that register is left out. */
static int keep_those(const struct vdf_vcpu *cpu, unsigned long request, struct vdf_vm_msrs *msrs)
{
    for (;;) {
        int done = vdf_kvm_ioctl(cpu->fd, request, msrs);
        if (done < 0)
            return -errno;
        if ((uint32_t)done >= msrs->n)
            return 0;
        msrs->n--;
        memmove(&msrs->entries[done], &msrs->entries[done + 1],
                (msrs->n - (uint32_t)done) * sizeof(msrs->entries[0]));
    }
}

/* A register that KVM both gives and takes can be in a state. */
static int list_msrs(const struct vdf_vcpu *cpu)
{
    struct vdf_vm *vm = cpu->vm;
    struct vdf_vm_msrs *msrs = calloc(1, sizeof(*msrs));
    int ret = msrs ? add_candidates(msrs) : -ENOMEM;

    if (ret == 0)
        ret = keep_those(cpu, KVM_GET_MSRS, msrs);
    if (ret == 0)
        ret = keep_those(cpu, KVM_SET_MSRS, msrs);
    if (ret == 0) {
        vm->n_msrs = msrs->n;
        vm->always_msrs = 0;
        for (uint32_t k = 0; k < msrs->n; k++) {
            vm->msrs[k] = msrs->entries[k].index;
            for (size_t n = 0; n < N_ALWAYS; n++)
                vm->always_msrs += always[n] == vm->msrs[k];
        }
    }
    free(msrs);
    return ret;
}

int vdf_vcpu_keep_fresh(struct vdf_vcpu *cpu, struct vdf_err *err)
{
    int ret = cpu->index == 0 ? list_msrs(cpu) : 0;

    if (ret < 0)
        return vdf_fail(err, -ret, "the MSRs cannot be listed: %s", vdf_errno_name(-ret));
    if (!cpu->fresh)
        cpu->fresh = malloc(sizeof(*cpu->fresh));
    ret = cpu->fresh ? vdf_vcpu_get(cpu, cpu->fresh) : -ENOMEM;
    return ret < 0
               ? vdf_fail(err, -ret, "vCPU %u cannot be read: %s", cpu->index, vdf_errno_name(-ret))
               : 0;
}

/* --- interrupt controllers and clock of a machine --------------------------------------------- */

int vdf_vm_keep_chips(struct vdf_vm *vm)
{
    for (uint32_t k = 0; k < VDF_VM_CHIPS; k++) {
        vm->chips[k].chip_id = k;
        if (vdf_kvm_ioctl(vm->fd, KVM_GET_IRQCHIP, &vm->chips[k]) < 0)
            return -errno;
    }
    return 0;
}

int vdf_vm_reset_chips(struct vdf_vm *vm, struct vdf_err *err)
{
    for (uint32_t k = 0; k < VDF_VM_CHIPS; k++)
        if (vdf_kvm_ioctl(vm->fd, KVM_SET_IRQCHIP, &vm->chips[k]) < 0)
            return vdf_fail(err, errno, "the interrupt controllers cannot be reset: %s",
                            vdf_errno_name(errno));
    for (unsigned k = 0; k < VDF_VM_SLOTS; k++)
        if (vm->slots[k])
            vdf_slot_irq_again(vm->slots[k]);
    return 0;
}

/* --- one reading for all rows ----------------------------------------------------------------- */

void vdf_vcpu_show_begin(struct vdf_vcpu *cpu)
{
    vdf_vcpu_show_end(cpu);
    cpu->shown = malloc(sizeof(*cpu->shown));
    if (cpu->shown && vdf_vcpu_get(cpu, cpu->shown) < 0)
        vdf_vcpu_show_end(cpu);
}

void vdf_vcpu_show_end(struct vdf_vcpu *cpu)
{
    free(cpu->shown);
    cpu->shown = NULL;
}

/* --- restoring -------------------------------------------------------------------------------- */

int vdf_vm_restored(struct vdf_obj *obj, struct vdf_err *err)
{
    struct vdf_vm *vm = vdf_obj_priv(obj);
    unsigned held = 0;

    for (unsigned k = 0; k < VDF_VM_CPUS; k++)
        held += vm->vcpus[k].held != NULL;
    if (vm->status == VDF_VM_RUNNING || vm->status == VDF_VM_HALTED)
        return vdf_fail(err, EINVAL, "status: a machine in a state cannot be running");
    if (held == 0 && (vm->booted || vm->status != VDF_VM_CREATED))
        return vdf_fail(err, EINVAL, "the machine has run, so its processors must be in the state");
    if (held == 0)
        return 0;
    if (held != vm->cpus)
        return vdf_fail(err, EINVAL, "there are %u of %u processors", held, vm->cpus);
    return vdf_vcpus_make(vm, err);
}
