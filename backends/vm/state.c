/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Processors and interrupt controllers in a state: KVM's own structures in hex, and the MSRs that a
 * guest may have set. They are read from KVM while the machine stands still; a restored machine has
 * them given to KVM before it takes its place in the tree, so that KVM refuses what cannot be.
 *
 * Time stands still for a stopped machine. The time stamp counters, the count that is left on each
 * APIC's timer, TSC deadlines and kvmclock are noted when the machine stops, no timer of KVM's runs
 * meanwhile, and all go on from there.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <virtdevfs/text.h>

#include "probe.h"
#include "vm.h"

#define APIC_TMICT 0x380u
#define APIC_TMCCT 0x390u
#define APIC_LVTT 0x320u
#define LVTT_MODE 0x60000u
#define LVTT_PERIODIC 0x20000u
#define MSR_TSC 0x10u
#define MSR_TSC_DEADLINE 0x6e0u

/* These are in every state, where KVM has them. */
static const uint32_t always[] = {
    MSR_TSC, /* IA32_TIME_STAMP_COUNTER: the first */
    0x3b,    /* IA32_TSC_ADJUST */
    0x174,   /* IA32_SYSENTER_CS */
    0x175,   /* IA32_SYSENTER_ESP */
    0x176,   /* IA32_SYSENTER_EIP */
    0x1a0,   /* IA32_MISC_ENABLE */
    0x277,   /* IA32_PAT */
    MSR_TSC_DEADLINE,
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
               "it is what KVM_GET_MSRS takes");

/* --- MSRs, one at a time: a KVM may lack some ------------------------------------------------- */

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

static uint32_t load_apic(const struct kvm_lapic_state *lapic, unsigned reg)
{
    uint32_t value;

    memcpy(&value, lapic->regs + reg, sizeof(value));
    return le32toh(value);
}

static void store_apic(struct kvm_lapic_state *lapic, unsigned reg, uint32_t value)
{
    value = htole32(value);
    memcpy(lapic->regs + reg, &value, sizeof(value));
}

/* --- time ------------------------------------------------------------------------------------- */

/* KVM takes a write of the TSC near to the value that it expects for an attempt to synchronise the
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
        return get_msr(cpu, MSR_TSC, &cpu->tsc);
    cpu->tsc = first->tsc + own - base;
    return true;
}

static void set_tsc(struct vdf_vcpu *cpu)
{
    const struct vdf_vcpu *first = &cpu->vm->vcpus[0];
    uint64_t now = first->tsc, offset;

    if (access_offset(first, KVM_GET_DEVICE_ATTR, &offset) &&
        (cpu != first || get_msr(cpu, MSR_TSC, &now))) {
        offset += cpu->tsc - now;
        if (access_offset(cpu, KVM_SET_DEVICE_ATTR, &offset))
            return;
    }
    set_msr(cpu, MSR_TSC, cpu->tsc);
}

void vdf_vcpu_freeze(struct vdf_vcpu *cpu)
{
    struct kvm_lapic_state lapic;

    if (!cpu->vm->made || cpu->frozen)
        return;
    cpu->frozen = get_tsc(cpu) && vdf_kvm_ioctl(cpu->fd, KVM_GET_LAPIC, &lapic) == 0;
    if (!cpu->frozen)
        return;
    cpu->timer = load_apic(&lapic, APIC_TMCCT);
    if (!cpu->vm->stopped_by)
        cpu->vm->stopped_by = cpu;
}

void vdf_vcpu_disarm(struct vdf_vcpu *cpu)
{
    struct kvm_lapic_state lapic;

    if (!cpu->frozen || cpu->disarmed || vdf_kvm_ioctl(cpu->fd, KVM_GET_LAPIC, &lapic) < 0)
        return;
    cpu->initial = load_apic(&lapic, APIC_TMICT);
    if (!get_msr(cpu, MSR_TSC_DEADLINE, &cpu->deadline))
        cpu->deadline = 0;
    store_apic(&lapic, APIC_TMICT, 0);
    store_apic(&lapic, APIC_TMCCT, 0);
    cpu->disarmed = vdf_kvm_ioctl(cpu->fd, KVM_SET_LAPIC, &lapic) == 0;
    if (cpu->disarmed && cpu->deadline)
        set_msr(cpu, MSR_TSC_DEADLINE, 0);
}

/* Interrupts may have come since; a one-shot timer that has fired does so no more. */
static void arm(struct vdf_vcpu *cpu)
{
    struct kvm_lapic_state lapic;

    if (vdf_kvm_ioctl(cpu->fd, KVM_GET_LAPIC, &lapic) < 0)
        return;
    bool periodic = (load_apic(&lapic, APIC_LVTT) & LVTT_MODE) == LVTT_PERIODIC;
    if (cpu->initial && (cpu->timer || periodic)) {
        store_apic(&lapic, APIC_TMICT, cpu->initial);
        store_apic(&lapic, APIC_TMCCT, cpu->timer);
        vdf_kvm_ioctl(cpu->fd, KVM_SET_LAPIC, &lapic);
    }
    if (cpu->deadline)
        set_msr(cpu, MSR_TSC_DEADLINE, cpu->deadline);
}

void vdf_vcpu_thaw(struct vdf_vcpu *cpu)
{
    if (cpu->frozen)
        set_tsc(cpu);
    if (cpu->disarmed)
        arm(cpu);
    cpu->frozen = cpu->disarmed = false;
}

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
        store_apic(&state->lapic, APIC_TMCCT, cpu->timer);
    if (cpu->disarmed)
        store_apic(&state->lapic, APIC_TMICT, cpu->initial);
    for (unsigned k = 0; k < state->msrs.n; k++) {
        if (cpu->frozen && state->msrs.entries[k].index == MSR_TSC)
            state->msrs.entries[k].data = cpu->tsc;
        if (cpu->disarmed && state->msrs.entries[k].index == MSR_TSC_DEADLINE)
            state->msrs.entries[k].data = cpu->deadline;
    }
    return 0;
}

/* The timers begin to run when the machine does: @state without them, which @cpu notes. */
static void take_timers(struct vdf_vcpu *cpu, struct vdf_vcpu_state *state)
{
    cpu->timer = load_apic(&state->lapic, APIC_TMCCT);
    cpu->initial = load_apic(&state->lapic, APIC_TMICT);
    cpu->deadline = 0;
    cpu->disarmed = true;
    store_apic(&state->lapic, APIC_TMICT, 0);
    store_apic(&state->lapic, APIC_TMCCT, 0);
    for (uint32_t k = 0; k < state->msrs.n; k++) {
        struct kvm_msr_entry *msr = &state->msrs.entries[k];
        if (msr->index == MSR_TSC) {
            cpu->tsc = msr->data;
            cpu->frozen = true;
        } else if (msr->index == MSR_TSC_DEADLINE) {
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
        return vdf_fail(err, EINVAL, "cpu/%u/msrs: KVM does not take 0x%" PRIx64 " for 0x%x",
                        cpu->index, (uint64_t)msrs->entries[done].data, msrs->entries[done].index);
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
            return vdf_fail(err, EINVAL, "cpu/%u/%s: KVM does not take it (%s)", cpu->index,
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

/* All that may be worth saving; a KVM need not have each. */
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

/* KVM ends at the first register that it does not take, which is left out then. */
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

/* A register that KVM gives and takes back can be in a state. */
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

/* --- hex -------------------------------------------------------------------------------------- */

static int get_hex(const char *text, size_t len, void *bytes, size_t n, struct vdf_err *err)
{
    if (len != 2 * n)
        return vdf_fail(err, EINVAL, "%zu hex digits: it has %zu", len, 2 * n);
    return vdf_hex_bytes(text, len, bytes, err);
}

/* --- rows ------------------------------------------------------------------------------------- */

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

/* The reading for this state, or one of its own in @scratch. A machine that nothing has been run in
 * has no processors yet: NULL. */
static const struct vdf_vcpu_state *get_processor(const struct vdf_at *at,
                                                  struct vdf_vcpu_state *scratch)
{
    struct vdf_vm *vm = at->priv;
    struct vdf_vcpu *cpu = &vm->vcpus[at->i];

    if (cpu->shown || !vm->made)
        return cpu->shown;
    return vdf_vcpu_get(cpu, scratch) == 0 ? scratch : NULL;
}

void vdf_vm_show_part(const struct vdf_at *at, struct vdf_buf *out)
{
    struct vdf_vcpu_state scratch;
    const struct vdf_vcpu_state *state = get_processor(at, &scratch);

    if (state)
        vdf_buf_add_bytes(out, (const char *)state + at->attr->offset, at->attr->stride);
}

/* What a state has not set is as it is in a new processor. */
static struct vdf_vcpu_state *hold(const struct vdf_at *at, struct vdf_err *err)
{
    struct vdf_vm *vm = at->priv;
    struct vdf_vcpu *cpu = &vm->vcpus[at->i];

    if (!cpu->held)
        cpu->held = calloc(1, sizeof(*cpu->held));
    if (!cpu->held)
        vdf_fail(err, ENOMEM, "no memory for the processor's state");
    return cpu->held;
}

int vdf_vm_restore_part(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err)
{
    struct vdf_vcpu_state *state = hold(at, err);

    if (!state)
        return -ENOMEM;
    return get_hex(text, len, (char *)state + at->attr->offset, at->attr->stride, err);
}

void vdf_vm_show_msrs(const struct vdf_at *at, struct vdf_buf *out)
{
    const struct vdf_vm *vm = at->priv;
    struct vdf_vcpu_state scratch;
    const struct vdf_vcpu_state *state = get_processor(at, &scratch);

    for (uint32_t k = 0; state && k < state->msrs.n; k++) {
        const struct kvm_msr_entry *msr = &state->msrs.entries[k];
        if (k < vm->always_msrs || msr->data != vm->vcpus[at->i].fresh->msrs.entries[k].data)
            vdf_buf_printf(out, "%s0x%x=0x%" PRIx64, k ? " " : "", msr->index, (uint64_t)msr->data);
    }
}

int vdf_vm_restore_msrs(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err)
{
    struct vdf_vcpu_state *state = hold(at, err);

    if (!state)
        return -ENOMEM;
    while (*text) {
        const char *equals = strchrnul(text, '='), *end = strchrnul(equals, ' ');
        uint64_t index, value;
        if (!*equals || vdf_number_parse(text, (size_t)(equals - text), &index) < 0 ||
            vdf_number_parse(equals + 1, (size_t)(end - equals - 1), &value) < 0 ||
            index > UINT32_MAX || state->msrs.n >= VDF_VM_MSRS)
            return vdf_fail(err, EINVAL, "\"%.40s\" is no list of MSRs, 0xINDEX=0xVALUE", text);
        state->msrs.entries[state->msrs.n++] =
            (struct kvm_msr_entry){ .index = (uint32_t)index, .data = value };
        text = end + (*end == ' ');
    }
    return 0;
}

/* Of the union of all controllers, what each of them has. */
static size_t chip_size(uint32_t id)
{
    return id == KVM_IRQCHIP_IOAPIC ? sizeof(struct kvm_ioapic_state)
                                    : sizeof(struct kvm_pic_state);
}

void vdf_vm_show_chip(const struct vdf_at *at, struct vdf_buf *out)
{
    struct vdf_vm *vm = at->priv;
    struct kvm_irqchip chip = { .chip_id = at->i };

    if (vdf_vm_started(vm) && vdf_kvm_ioctl(vm->fd, KVM_GET_IRQCHIP, &chip) == 0)
        vdf_buf_add_bytes(out, &chip.chip, chip_size(at->i));
}

int vdf_vm_restore_chip(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err)
{
    struct vdf_vm *vm = at->priv;
    struct kvm_irqchip chip = { .chip_id = at->i };
    int ret = get_hex(text, len, &chip.chip, chip_size(at->i), err);

    if (ret == 0 && vdf_kvm_ioctl(vm->fd, KVM_SET_IRQCHIP, &chip) < 0)
        ret = vdf_fail(err, EINVAL, "KVM does not take this interrupt controller (%s)",
                       vdf_errno_name(errno));
    return ret;
}

/* --- restoring -------------------------------------------------------------------------------- */

int vdf_vm_restored(struct vdf_obj *obj, struct vdf_err *err)
{
    struct vdf_vm *vm = vdf_obj_priv(obj);
    unsigned held = 0;

    for (unsigned k = 0; k < VDF_VM_CPUS; k++)
        held += vm->vcpus[k].held != NULL;
    if (vm->status == VDF_VM_RUNNING || vm->status == VDF_VM_HALTED)
        return vdf_fail(err, EINVAL, "status: a machine in a state does not run");
    if (held == 0 && (vm->booted || vm->status != VDF_VM_CREATED))
        return vdf_fail(err, EINVAL, "a machine that has run has processors");
    if (held == 0)
        return 0;
    if (held != vm->cpus)
        return vdf_fail(err, EINVAL, "there are %u of %u processors", held, vm->cpus);
    return vdf_vcpus_make(vm, err);
}
