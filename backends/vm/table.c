/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vm/NAME: its rows, and what reading and writing them does.
 *
 *     mkdir vm/vm0; cp guest.bin vm/vm0/memory; echo 1 > vm/vm0/run; cat vm/vm0/debug
 */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>

#include "vm.h"

/* --- shape ------------------------------------------------------------------------------------ */

static int check_shape(const struct vdf_vm *vm, struct vdf_err *err)
{
    if (vdf_vm_started(vm))
        return vdf_fail(err, EBUSY, "it is fixed by the first run");
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
    return check_shape(vm, err);
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

static int check_cpus(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_vm *vm = at->priv;

    if (value < 1 || value > VDF_VM_CPUS)
        return vdf_fail(err, EINVAL, "%" PRIu64 ": 1 to %u processors", value, VDF_VM_CPUS);
    return value == vm->cpus ? 0 : check_shape(vm, err);
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

static int restore_entry(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    ((struct vdf_vm *)at->priv)->entry = value;
    return 0;
}

static int restore_mode(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    ((struct vdf_vm *)at->priv)->mode = (uint8_t)value;
    return 0;
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

static int restore_status(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    ((struct vdf_vm *)at->priv)->status = (uint8_t)value;
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

/* `offset` of these rows, which lie in no window, is that of the counter. */
static atomic_ullong *counter(const struct vdf_at *at)
{
    return (atomic_ullong *)((char *)at->priv + at->attr->offset);
}

static int get_counter(const struct vdf_at *at, uint64_t *value)
{
    *value = atomic_load(counter(at));
    return 0;
}

static int restore_counter(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    atomic_store(counter(at), value);
    return 0;
}

/* With its own interrupt controllers KVM handles these exits itself, and counts them itself. */
static uint64_t kvm_count(const struct vdf_vm *vm, enum vdf_vcpu_stat stat)
{
    uint64_t sum = 0;

    for (unsigned k = 0; k < vm->cpus; k++)
        sum += vdf_vcpu_stat(&vm->vcpus[k], stat);
    return sum;
}

static int get_hlt(const struct vdf_at *at, uint64_t *value)
{
    *value = atomic_load(counter(at)) + kvm_count(at->priv, VDF_VCPU_HALTS);
    return 0;
}

static int get_irq_window(const struct vdf_at *at, uint64_t *value)
{
    *value = atomic_load(counter(at)) + kvm_count(at->priv, VDF_VCPU_IRQ_WINDOWS);
    return 0;
}

static int get_ioeventfds(const struct vdf_at *at, uint64_t *value)
{
    const struct vdf_vm *vm = at->priv;

    *value = 0;
    for (unsigned k = 0; k < VDF_VM_SLOTS; k++)
        *value += vm->slots[k] ? vm->slots[k]->n_doors : 0;
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

/* --- the table -------------------------------------------------------------------------------- */

static const char *const modes[] = { "real", "long", "user", NULL };
static const char *const statuses[] = { "created", "running", "halted", "stopped", "failed", NULL };

static const struct vdf_objects slots = { .cls = &vdf_slot_class, .text = "0..63" };

#define VM(member) VDF_FIELD(struct vdf_vm, member)
#define CPUS .range = { { .counted = count_cpus, .text = "0..cpus-1" } }
/* A part of a processor's state: `offset` and `stride` are its place and its bytes. */
#define PART(name, member, what)                                                          \
    {                                                                                     \
        .path = "cpu/#/" name, .type = VDF_TEXT, .flags = VDF_NO_FILE | VDF_SAVE, CPUS,   \
        .offset = offsetof(struct vdf_vcpu_state, member),                                \
        .stride = sizeof(((struct vdf_vcpu_state *)0)->member), .show = vdf_vm_show_part, \
        .restore_text = vdf_vm_restore_part, .doc = what                                  \
    }
#define COUNTER(name, member, getter, what)                                             \
    {                                                                                   \
        .path = "exits/" name, .type = VDF_UINT, .flags = VDF_R | VDF_SAVE, .width = 8, \
        .offset = offsetof(struct vdf_vm, exits.member), .get = getter,                 \
        .restore = restore_counter, .doc = what                                         \
    }

static const struct vdf_attr attrs[] = {
    { .path = "memory_size",
      .type = VDF_UINT,
      .flags = VDF_RW | VDF_SAVE,
      VM(memory_size),
      .reset = VDF_VM_MEMORY_RESET,
      .check = check_memory_size,
      .set = set_memory_size,
      .restore = vdf_restore_by_write,
      .doc = "bytes of guest memory, a multiple of 4096, up to 1 GiB; before the first run and "
             "before anything is attached; a new size empties it" },
    { .path = "cpus",
      .type = VDF_UINT,
      .flags = VDF_RW | VDF_SAVE,
      VM(cpus),
      .reset = 1,
      .check = check_cpus,
      .doc = "processors, 1 to 16; before the first run" },
    { .path = "memory",
      .type = VDF_RAW,
      .flags = VDF_RW | VDF_MAP | VDF_HOLDS | VDF_UNSAVED,
      .has_field = true,
      .field = offsetof(struct vdf_vm, memory),
      .raw = &memory_ops,
      .doc =
          "guest memory from guest physical address 0; not in the root's state: copy it beside" },
    { .path = "mode",
      .type = VDF_CHOICE,
      .flags = VDF_RW | VDF_SAVE,
      VM(mode),
      .choices = modes,
      .check = check_stopped,
      .after = after_begin,
      .restore = restore_mode,
      .doc = "how processors begin: real mode; long mode in ring 0; user, which is long mode in "
             "ring 3 with IOPL 3; both with the first 4 GiB mapped to themselves. A write lets the "
             "next run begin at entry" },
    { .path = "entry",
      .type = VDF_REG,
      .flags = VDF_RW | VDF_SAVE,
      VM(entry),
      .check = check_stopped,
      .after = after_begin,
      .restore = restore_entry,
      .doc = "guest address where the processors begin; a write lets the next run begin there" },
    { .path = "run",
      .type = VDF_BOOL,
      .flags = VDF_RW | VDF_EXCLUSIVE,
      .width = 1,
      .get = get_run,
      .set = set_run,
      .doc = "1 starts the guest, or lets it go on where it was stopped; 0 stops it, between two "
             "instructions" },
    { .path = "status",
      .type = VDF_CHOICE,
      .flags = VDF_R,
      .width = 1,
      .choices = statuses,
      .get = get_status,
      .doc = "created, running, halted (all processors wait for an interrupt), stopped, or failed, "
             "of which errors tells" },
    { .path = "saved_status",
      .type = VDF_CHOICE,
      .flags = VDF_NO_FILE | VDF_SAVE,
      .width = 1,
      .choices = statuses,
      .get = get_saved_status,
      .restore = restore_status,
      .doc = "status; a running machine is saved as a stopped one" },
    { .path = "booted",
      .type = VDF_BOOL,
      .flags = VDF_NO_FILE | VDF_SAVE,
      VM(booted),
      .doc = "the processors have begun" },
    { .path = "cpu/#/regs",
      .type = VDF_TEXT,
      .flags = VDF_RW | VDF_EXCLUSIVE | VDF_LINES,
      .when = stands_still,
      .needs = "run 0",
      CPUS,
      .show = vdf_vm_show_regs,
      .store = vdf_vm_store_regs,
      .doc =
          "registers of a processor, a line NAME = VALUE each, while the VM does not run; a write "
          "has the lines that are to change. Processor N begins with N in rdi and its stack "
          "16 KiB times N (in real mode 4 KiB) below the end of memory, in real mode below 0xfff0 "
          "at most; where the memory is too small for that, processors share stacks" },
    PART("registers", regs, "KVM's struct kvm_regs"),
    PART("sregs", sregs, "struct kvm_sregs"),
    PART("fpu", fpu, "struct kvm_fpu"),
    PART("lapic", lapic, "struct kvm_lapic_state"),
    PART("events", events, "struct kvm_vcpu_events"),
    PART("debugregs", debugregs, "struct kvm_debugregs"),
    PART("mp_state", mp_state, "struct kvm_mp_state"),
    { .path = "cpu/#/msrs",
      .type = VDF_TEXT,
      .flags = VDF_NO_FILE | VDF_SAVE,
      CPUS,
      .show = vdf_vm_show_msrs,
      .restore_text = vdf_vm_restore_msrs,
      .doc = "model-specific registers" },
    { .path = "clock",
      .type = VDF_UINT,
      .flags = VDF_NO_FILE | VDF_SAVE,
      VM(clock),
      .doc = "kvmclock in nanoseconds" },
    { .path = "irqchip/#",
      .type = VDF_TEXT,
      .flags = VDF_NO_FILE | VDF_SAVE,
      .range = { { .count = VDF_VM_CHIPS } },
      .show = vdf_vm_show_chip,
      .restore_text = vdf_vm_restore_chip,
      .doc = "master PIC, slave PIC and I/O APIC" },
    { .path = "debug",
      .type = VDF_LOG,
      .flags = VDF_R,
      .has_field = true,
      .field = offsetof(struct vdf_vm, debug),
      .doc = "bytes that the guest has written to I/O port 0xe9" },
    { .path = "exit_code",
      .type = VDF_UINT,
      .flags = VDF_R | VDF_SAVE,
      VM(exit_code),
      .doc = "byte that the guest has written to I/O port 0xf4, which stops the machine" },
    COUNTER("mmio", mmio, get_counter, "accesses that trapped"),
    COUNTER("pio", pio, get_counter, "accesses to I/O ports"),
    COUNTER("hlt", hlt, get_hlt, "HLT instructions, as KVM counts them"),
    COUNTER("irq_window", irq_window, get_irq_window,
            "waits until the guest could take an interrupt, as KVM counts them"),
    COUNTER("other", other, get_counter, "exits of other kinds"),
    { .path = "ioeventfds",
      .type = VDF_UINT,
      .flags = VDF_R,
      .width = 8,
      .get = get_ioeventfds,
      .doc = "doorbells that KVM turns into eventfds" },
    { .path = "irqfds",
      .type = VDF_UINT,
      .flags = VDF_R,
      .width = 8,
      .get = get_irqfds,
      .doc = "eventfds that KVM turns into interrupts" },
    { .path = "slots",
      .type = VDF_OBJECTS,
      .objects = &slots,
      .doc = "devices at addresses of the guest" },
};

const struct vdf_class vdf_vm_class = {
    .name = "vm",
    .title = "KVM virtual machine",
    .attrs = attrs,
    .n_attrs = sizeof(attrs) / sizeof(attrs[0]),
    .priv_size = sizeof(struct vdf_vm),
    .create = vdf_vm_create,
    .destroy = vdf_vm_destroy,
    .restored = vdf_vm_restored,
    .stop = vdf_vm_stop,
    .adopt = vdf_vm_adopt,
    .disconnect = vdf_vm_disconnect,
    .connect = vdf_vm_connect,
    .saving = vdf_vm_saving,
    .exclusive = true,
    .no_state = true,
};
