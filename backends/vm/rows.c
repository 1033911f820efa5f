/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vm/NAME: its rows and their hooks.
 *
 *     mkdir vm/vm0; cp guest.bin vm/vm0/memory; echo 1 > vm/vm0/run; cat vm/vm0/debug
 */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <virtdevfs/text.h>

#include "irq.h"
#include "probe.h"
#include "regs.h"
#include "slot.h"
#include "state.h"
#include "vm.h"

/* --- shape ------------------------------------------------------------------------------------ */

static int check_shape(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_vm *vm = at->priv;

    if (vm->made && value != vdf_row_load_field(at))
        return vdf_fail(err, EBUSY, "the first run fixes it");
    return 0;
}

/* A restored slot has its place before its device gets the guest. */
static bool has_slots(const struct vdf_vm *vm)
{
    for (unsigned k = 0; k < VDF_VM_SLOTS; k++)
        if (vm->slots[k])
            return true;
    return false;
}

static int check_memory_size(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_vm *vm = at->priv;

    if (value < VDF_PAGE_SIZE || value > VDF_MEMORY_MAX || value % VDF_PAGE_SIZE)
        return vdf_fail(err, EINVAL, "%" PRIu64 ": a multiple of %u, up to %" PRIu64, value,
                        VDF_PAGE_SIZE, VDF_MEMORY_MAX);
    if (value == vm->memory_size)
        return 0;
    if (vm->memory_open || has_slots(vm))
        return vdf_fail(err, EBUSY,
                        "%" PRIu64 ": the memory is open, or a device is attached to it", value);
    return check_shape(at, value, err);
}

static int set_memory_size(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_vm *vm = at->priv;
    int ret = value == vm->memory_size ? 0 : vdf_vm_unmap(vm, err);

    if (ret < 0 || value == vm->memory_size)
        return ret;
    vm->memory_size = value;
    vdf_memory_free(&vm->memory);
    vdf_memory_init(&vm->memory, "vm-memory", value);
    return 0;
}

/* A value out of range is EINVAL at any time. */
static int check_cpus(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    bool in_range = value >= at->attr->min && value <= at->attr->max;

    return in_range ? check_shape(at, value, err) : 0;
}

static void memory_opened(const struct vdf_at *at, bool open)
{
    ((struct vdf_vm *)at->priv)->memory_open = open;
}

static const struct vdf_raw_ops memory_ops = { .opened = memory_opened };

/* --- running ---------------------------------------------------------------------------------- */

static int check_stopped(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_vm *vm = at->priv;

    if (vm->status == VDF_VM_RUNNING)
        return vdf_fail(err, EBUSY, "the VM runs: write 0 to run first");
    return 0;
}

/* The next run begins there. */
static void after_begin(const struct vdf_at *at, uint64_t value)
{
    struct vdf_vm *vm = at->priv;

    vm->booted = false;
    vm->status = VDF_VM_CREATED;
}

static int get_run(const struct vdf_at *at, uint64_t *value)
{
    *value = ((const struct vdf_vm *)at->priv)->status == VDF_VM_RUNNING;
    return 0;
}

static int set_run(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    if (value)
        return vdf_vm_run(at->priv, err);
    vdf_vm_halt(at->priv);
    return 0;
}

static int get_status(const struct vdf_at *at, uint64_t *value)
{
    const struct vdf_vm *vm = at->priv;

    *value = vm->status;
    if (vm->status != VDF_VM_RUNNING)
        return 0;
    for (unsigned k = 0; k < vm->cpus; k++)
        if (!vdf_vcpu_stat(&vm->vcpus[k], VDF_VCPU_BLOCKING))
            return 0;
    *value = VDF_VM_HALTED;
    return 0;
}

static int get_saved_status(const struct vdf_at *at, uint64_t *value)
{
    const struct vdf_vm *vm = at->priv;

    *value = vm->status == VDF_VM_RUNNING ? VDF_VM_STOPPED : vm->status;
    return 0;
}

static bool stands_still(const void *priv)
{
    return ((const struct vdf_vm *)priv)->status != VDF_VM_RUNNING;
}

static uint32_t count_cpus(const void *priv)
{
    return ((const struct vdf_vm *)priv)->cpus;
}

/* --- counters --------------------------------------------------------------------------------- */

static int get_counter(const struct vdf_at *at, uint64_t *value)
{
    *value = atomic_load((atomic_ullong *)((char *)at->priv + at->attr->field));
    return 0;
}

/* With its own interrupt controllers KVM handles and counts these exits. */
static int add_kvm_count(const struct vdf_at *at, enum vdf_vcpu_stat stat, uint64_t *value)
{
    const struct vdf_vm *vm = at->priv;

    for (unsigned k = 0; k < vm->cpus; k++)
        *value += vdf_vcpu_stat(&vm->vcpus[k], stat);
    return 0;
}

static int get_hlt(const struct vdf_at *at, uint64_t *value)
{
    get_counter(at, value);
    return add_kvm_count(at, VDF_VCPU_HALTS, value);
}

static int get_irq_window(const struct vdf_at *at, uint64_t *value)
{
    get_counter(at, value);
    return add_kvm_count(at, VDF_VCPU_IRQ_WINDOWS, value);
}

static int get_ioeventfds(const struct vdf_at *at, uint64_t *value)
{
    const struct vdf_vm *vm = at->priv;

    *value = 0;
    for (unsigned k = 0; k < VDF_VM_SLOTS; k++)
        *value += vm->slots[k] ? vm->slots[k]->bells.n : 0;
    return 0;
}

static int get_irqfds(const struct vdf_at *at, uint64_t *value)
{
    const struct vdf_vm *vm = at->priv;

    *value = 0;
    for (unsigned k = 0; k < VDF_VM_SLOTS; k++)
        *value += vm->slots[k] ? vdf_slot_irqfds(vm->slots[k]) : 0;
    return 0;
}

/* --- processors ------------------------------------------------------------------------------- */

static void show_regs(const struct vdf_at *at, struct vdf_buf *out)
{
    vdf_vcpu_show_regs(&((struct vdf_vm *)at->priv)->vcpus[at->i], out);
}

/* The processors begin as they are shown, but for the registers that are written now. */
static int store_regs(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err)
{
    struct vdf_vm *vm = at->priv;
    int ret = vdf_vm_boot(vm, err);

    return ret < 0 ? ret : vdf_vcpu_store_regs(&vm->vcpus[at->i], text, len, err);
}

/* --- in a state only -------------------------------------------------------------------------- */

static int get_hex(const char *text, size_t len, void *bytes, size_t n, struct vdf_err *err)
{
    if (len != 2 * n)
        return vdf_fail(err, EINVAL, "%zu hex digits: %zu are right", len, 2 * n);
    return vdf_hex_bytes(text, len, bytes, err);
}

/* The reading for this state, or a new one in @scratch. NULL: the machine has not run yet and has no
 * processors. */
static const struct vdf_vcpu_state *get_processor(const struct vdf_at *at,
                                                  struct vdf_vcpu_state *scratch)
{
    struct vdf_vm *vm = at->priv;
    struct vdf_vcpu *cpu = &vm->vcpus[at->i];

    if (cpu->shown || !vm->made)
        return cpu->shown;
    return vdf_vcpu_get(cpu, scratch) == 0 ? scratch : NULL;
}

static void show_part(const struct vdf_at *at, struct vdf_buf *out)
{
    struct vdf_vcpu_state scratch;
    const struct vdf_vcpu_state *state = get_processor(at, &scratch);

    if (state)
        vdf_buf_add_bytes(out, (const char *)state + at->attr->offset, at->attr->stride);
}

/* Parts that a state does not set are as in a new processor. */
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

static int restore_part(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err)
{
    struct vdf_vcpu_state *state = hold(at, err);

    if (!state)
        return -ENOMEM;
    return get_hex(text, len, (char *)state + at->attr->offset, at->attr->stride, err);
}

static void show_msrs(const struct vdf_at *at, struct vdf_buf *out)
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

static int restore_msrs(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err)
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
            return vdf_fail(err, EINVAL, "\"%.40s\" is not a list of MSRs, 0xINDEX=0xVALUE", text);
        state->msrs.entries[state->msrs.n++] =
            (struct kvm_msr_entry){ .index = (uint32_t)index, .data = value };
        text = end + (*end == ' ');
    }
    return 0;
}

/* The bytes of a controller in the union of all. */
static size_t chip_size(uint32_t id)
{
    return id == KVM_IRQCHIP_IOAPIC ? sizeof(struct kvm_ioapic_state)
                                    : sizeof(struct kvm_pic_state);
}

static void show_chip(const struct vdf_at *at, struct vdf_buf *out)
{
    struct vdf_vm *vm = at->priv;
    struct kvm_irqchip chip = { .chip_id = at->i };

    if (vm->made && vdf_kvm_ioctl(vm->fd, KVM_GET_IRQCHIP, &chip) == 0)
        vdf_buf_add_bytes(out, &chip.chip, chip_size(at->i));
}

static int restore_chip(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err)
{
    struct vdf_vm *vm = at->priv;
    struct kvm_irqchip chip = { .chip_id = at->i };
    int ret = get_hex(text, len, &chip.chip, chip_size(at->i), err);

    if (ret == 0 && vdf_kvm_ioctl(vm->fd, KVM_SET_IRQCHIP, &chip) < 0)
        ret = vdf_fail(err, EINVAL, "KVM refuses this interrupt controller (%s)",
                       vdf_errno_name(errno));
    return ret;
}

/* --- the table -------------------------------------------------------------------------------- */

static const char *const modes[] = { "real", "long", "user", NULL };
static const char *const statuses[] = { "created", "running", "halted", "stopped", "failed", NULL };

static const struct vdf_objects slots = { .cls = &vdf_slot_class, .text = "0..63" };

#define VM(member) VDF_FIELD(struct vdf_vm, member)
#define CPUS .range = { { .counted = count_cpus, .text = "0..cpus-1" } }
/* A part of a processor's state: `offset` and `stride` are its place and its bytes. */
#define PART(name, member, text)                                                        \
    {                                                                                   \
        .path = "cpu/#/" name, .type = VDF_TEXT, .flags = VDF_NO_FILE | VDF_SAVE, CPUS, \
        .offset = offsetof(struct vdf_vcpu_state, member),                              \
        .stride = sizeof(((struct vdf_vcpu_state *)0)->member), .show = show_part,      \
        .restore_text = restore_part, .doc = text                                       \
    }
#define COUNTER(member, getter, text)                                                            \
    {                                                                                            \
        .path = "exits/" #member, .type = VDF_UINT, .flags = VDF_R | VDF_SAVE, VM(exits.member), \
        .get = getter, .doc = text                                                               \
    }

static const struct vdf_attr rows[] = {
    { VDF_ROW("memory_size", VDF_UINT, VDF_RW | VDF_SAVE,
              "bytes of guest memory, a multiple of 4096, up to 1 GiB; before the first run and "
              "before anything is attached; a new size empties it"),
      VM(memory_size), .reset = VDF_VM_MEMORY_RESET, .check = check_memory_size,
      .set = set_memory_size, .restore = vdf_restore_by_write },
    { VDF_ROW("cpus", VDF_UINT, VDF_RW | VDF_SAVE, "processors, 1 to 16; before the first run"),
      VM(cpus), .reset = 1, .min = 1, .max = VDF_VM_CPUS, .check = check_cpus },
    { VDF_ROW(
          "memory", VDF_RAW, VDF_RW | VDF_MAP | VDF_HOLDS | VDF_UNSAVED,
          "guest memory from guest physical address 0; not in the root's state: copy it beside"),
      .has_field = true, .field = offsetof(struct vdf_vm, memory), .raw = &memory_ops },
    { VDF_ROW(
          "mode", VDF_CHOICE, VDF_RW | VDF_SAVE,
          "how processors begin: real mode; long mode in ring 0; user, which is long mode in "
          "ring 3 with IOPL 3; both with the first 4 GiB mapped to themselves. A write lets the "
          "next run begin at entry"),
      VM(mode), .choices = modes, .check = check_stopped, .after = after_begin },
    { VDF_ROW("entry", VDF_REG, VDF_RW | VDF_SAVE,
              "guest address where the processors begin; a write lets the next run begin there"),
      VM(entry), .check = check_stopped, .after = after_begin },
    { VDF_ROW("run", VDF_BOOL, VDF_RW | VDF_EXCLUSIVE,
              "1 starts the guest, or lets it go on where it was stopped; 0 stops it, between two "
              "instructions"),
      .width = 1, .get = get_run, .set = set_run },
    { VDF_ROW("status", VDF_CHOICE, VDF_R,
              "created, running, halted (all processors wait for an interrupt), stopped, or failed "
              "(errors has the reason)"),
      .width = 1, .choices = statuses, .get = get_status },
    { VDF_ROW("saved_status", VDF_CHOICE, VDF_NO_FILE | VDF_SAVE,
              "status; a running machine is saved as a stopped one"),
      VM(status), .choices = statuses, .get = get_saved_status },
    { VDF_ROW("booted", VDF_BOOL, VDF_NO_FILE | VDF_SAVE, "the processors have begun"),
      VM(booted) },
    { VDF_ROW(
          "cpu/#/regs", VDF_TEXT, VDF_RW | VDF_EXCLUSIVE | VDF_LINES,
          "registers of a processor, a line NAME = VALUE each, while the VM does not run; a write "
          "contains the lines that are to change. Processor N begins with N in rdi and its stack "
          "16 KiB times N (in real mode 4 KiB) below the end of memory, in real mode below 0xfff0 "
          "at most; where the memory is too small for that, processors share stacks"),
      .when = stands_still, .needs = "run 0", CPUS, .show = show_regs, .store = store_regs },
    PART("registers", regs, "KVM's struct kvm_regs"),
    PART("sregs", sregs, "struct kvm_sregs"),
    PART("fpu", fpu, "struct kvm_fpu"),
    PART("lapic", lapic, "struct kvm_lapic_state"),
    PART("events", events, "struct kvm_vcpu_events"),
    PART("debugregs", debugregs, "struct kvm_debugregs"),
    PART("mp_state", mp_state, "struct kvm_mp_state"),
    { VDF_ROW("cpu/#/msrs", VDF_TEXT, VDF_NO_FILE | VDF_SAVE, "model-specific registers"), CPUS,
      .show = show_msrs, .restore_text = restore_msrs },
    { VDF_ROW("clock", VDF_UINT, VDF_NO_FILE | VDF_SAVE, "kvmclock in nanoseconds"), VM(clock) },
    { VDF_ROW("irqchip/#", VDF_TEXT, VDF_NO_FILE | VDF_SAVE, "master PIC, slave PIC and I/O APIC"),
      .range = { { .count = VDF_VM_CHIPS } }, .show = show_chip, .restore_text = restore_chip },
    { VDF_ROW("debug", VDF_LOG, VDF_R, "bytes that the guest has written to I/O port 0xe9"),
      .has_field = true, .field = offsetof(struct vdf_vm, debug) },
    { VDF_ROW("exit_code", VDF_UINT, VDF_R | VDF_SAVE,
              "byte that the guest has written to I/O port 0xf4, which stops the machine"),
      VM(exit_code) },
    COUNTER(mmio, get_counter, "accesses that trapped"),
    COUNTER(pio, get_counter, "accesses to I/O ports"),
    COUNTER(hlt, get_hlt, "HLT instructions, as KVM counts them"),
    COUNTER(irq_window, get_irq_window,
            "waits until the guest could take an interrupt, as KVM counts them"),
    COUNTER(other, get_counter, "exits of other kinds"),
    { VDF_ROW("ioeventfds", VDF_UINT, VDF_R, "doorbells that KVM turns into eventfds"), .width = 8,
      .get = get_ioeventfds },
    { VDF_ROW("irqfds", VDF_UINT, VDF_R, "eventfds that KVM turns into interrupts"), .width = 8,
      .get = get_irqfds },
    { VDF_ROW("slots", VDF_OBJECTS, 0, "devices at addresses of the guest"), .objects = &slots },
};

const struct vdf_class vdf_vm_class = {
    VDF_CLASS("vm", "KVM virtual machine", struct vdf_vm, rows),
    .create = vdf_vm_create,
    .destroy = vdf_vm_destroy,
    .restored = vdf_vm_restored,
    .stop = vdf_vm_disconnect,
    .adopt = vdf_vm_adopt,
    .disconnect = vdf_vm_disconnect,
    .connect = vdf_vm_connect,
    .saving = vdf_vm_saving,
    .exclusive = true,
    .no_state = true,
};
