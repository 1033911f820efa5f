/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The thread of a processor: it runs the guest and carries out the guest's exits. */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "clock.h"
#include "probe.h"
#include "slot.h"
#include "state.h"
#include "vm.h"

/* Takes a processor out of KVM_RUN. Nothing else in the daemon uses real-time signals. */
#define KICK_SIGNAL SIGRTMIN

/* Exits that a stopped processor may still make. */
#define SETTLE_MOST 64u

#define PORT_DEBUG 0xe9u
#define PORT_EXIT 0xf4u

/* --- entering a device ------------------------------------------------------------------------ */

/* An exclusive caller is inside every device already. */
static bool enter(struct vdf_vcpu *cpu, struct vdf_obj *obj, bool exclusive)
{
    return exclusive || vdf_obj_enter(obj, &cpu->vm->stop);
}

static void leave(struct vdf_vcpu *cpu, struct vdf_obj *obj, bool exclusive)
{
    if (exclusive)
        vdf_obj_touched(obj);
    else
        vdf_obj_leave(obj, true, &cpu->vm->stop);
}

static struct vdf_obj *machine(const struct vdf_vcpu *cpu)
{
    return cpu->vm->priv.obj;
}

/* --- exits; false: the thread was asked to stop before it could be carried out ---------------- */

/* The machine ends, and with it its time. The machine's lock is held. */
static void end_machine(struct vdf_vcpu *cpu, uint8_t status)
{
    struct vdf_vm *vm = cpu->vm;

    if (vm->status == VDF_VM_RUNNING) {
        vm->status = status;
        vdf_vcpu_freeze(cpu);
        vdf_vm_stop_clock(vm);
        atomic_store(&vm->ended, true);
    }
    atomic_store(&vm->stop, true);
    for (unsigned k = 0; k < vm->cpus; k++)
        vdf_vcpu_kick(&vm->vcpus[k]);
    for (unsigned k = 0; k < VDF_VM_SLOTS; k++)
        if (vm->slots[k] && vm->slots[k]->end_fd >= 0)
            eventfd_write(vm->slots[k]->end_fd, 1);
}

static bool fail_machine(struct vdf_vcpu *cpu, bool exclusive, int code, const char *text,
                         uint64_t detail)
{
    if (!enter(cpu, machine(cpu), exclusive))
        return false;
    vdf_report(machine(cpu), code, "vCPU %u: %s (0x%" PRIx64 ")", cpu->index, text, detail);
    end_machine(cpu, VDF_VM_FAILED);
    leave(cpu, machine(cpu), exclusive);
    return true;
}

static uint64_t load_le(const uint8_t *bytes, unsigned n)
{
    uint64_t value = 0;

    memcpy(&value, bytes, n);
    return le64toh(value);
}

static void store_le(uint8_t *bytes, unsigned n, uint64_t value)
{
    value = htole64(value);
    memcpy(bytes, &value, n);
}

static void mmio_at_slot(struct vdf_slot *slot, struct kvm_run *run)
{
    unsigned width = run->mmio.len;
    uint64_t offset = run->mmio.phys_addr - slot->addr, value = 0;
    struct vdf_err err = { 0 };
    int ret;

    if (run->mmio.is_write)
        ret = vdf_guest_write(slot->target, slot->part, offset, width,
                              load_le(run->mmio.data, width), &err);
    else
        ret = vdf_guest_read(slot->target, slot->part, offset, width, &value, &err);
    if (!run->mmio.is_write)
        store_le(run->mmio.data, width, ret < 0 ? 0 : value);
    if (ret < 0) {
        atomic_fetch_add(&slot->refused, 1);
        vdf_vm_report(slot->priv.obj, &slot->reports, VDF_SLOT_LAST, -ret,
                      "%s of %u bytes at offset 0x%" PRIx64 " of %s: %s",
                      run->mmio.is_write ? "store" : "load", width, offset, slot->device,
                      err.text[0] ? err.text : strerrordesc_np(-ret));
    }
}

static bool exit_mmio(struct vdf_vcpu *cpu, bool exclusive)
{
    struct kvm_run *run = cpu->run;
    struct vdf_slot *slot = vdf_slot_at(cpu->vm, run->mmio.phys_addr, run->mmio.len);

    if (!slot) {
        /* As on a bus where no device answers. */
        memset(run->mmio.data, 0xff, sizeof(run->mmio.data));
        vdf_vm_report(machine(cpu), &cpu->vm->reports, "; more of it is not reported", ENXIO,
                      "vCPU %u: nothing is at 0x%" PRIx64, cpu->index,
                      (uint64_t)run->mmio.phys_addr);
        return true;
    }
    if (!enter(cpu, slot->target, exclusive))
        return false;
    mmio_at_slot(slot, run);
    leave(cpu, slot->target, exclusive);
    return true;
}

static bool exit_io(struct vdf_vcpu *cpu, bool exclusive)
{
    struct vdf_vm *vm = cpu->vm;
    struct kvm_run *run = cpu->run;
    uint8_t *data = (uint8_t *)run + run->io.data_offset;
    size_t n = (size_t)run->io.size * run->io.count;

    if (run->io.direction == KVM_EXIT_IO_IN) {
        /* The debug port reads as its number, as that of Bochs does. */
        memset(data, run->io.port == PORT_DEBUG ? (int)PORT_DEBUG : 0xff, n);
        return true;
    }
    if (run->io.port != PORT_DEBUG && run->io.port != PORT_EXIT)
        return true;
    if (!enter(cpu, machine(cpu), exclusive))
        return false;
    if (run->io.port == PORT_DEBUG) {
        vdf_log_add(&vm->debug, data, n);
    } else {
        vm->exit_code = data[0];
        end_machine(cpu, VDF_VM_STOPPED);
    }
    leave(cpu, machine(cpu), exclusive);
    return true;
}

static bool handle_exit(struct vdf_vcpu *cpu, bool exclusive)
{
    struct vdf_vm_exits *exits = &cpu->vm->exits;

    switch (cpu->run->exit_reason) {
    case KVM_EXIT_MMIO:
        atomic_fetch_add(&exits->mmio, !exclusive);
        return exit_mmio(cpu, exclusive);
    case KVM_EXIT_IO:
        atomic_fetch_add(&exits->pio, !exclusive);
        return exit_io(cpu, exclusive);
    case KVM_EXIT_HLT:
        atomic_fetch_add(&exits->hlt, 1);
        return true;
    case KVM_EXIT_IRQ_WINDOW_OPEN:
        atomic_fetch_add(&exits->irq_window, 1);
        return true;
    case KVM_EXIT_SHUTDOWN:
        atomic_fetch_add(&exits->other, !exclusive);
        return fail_machine(cpu, exclusive, EFAULT,
                            "a triple fault: an exception without a handler", 0);
    case KVM_EXIT_FAIL_ENTRY:
        atomic_fetch_add(&exits->other, !exclusive);
        return fail_machine(cpu, exclusive, EINVAL, "KVM cannot enter the guest",
                            cpu->run->fail_entry.hardware_entry_failure_reason);
    case KVM_EXIT_INTERNAL_ERROR:
        atomic_fetch_add(&exits->other, !exclusive);
        return fail_machine(cpu, exclusive, EOPNOTSUPP, "KVM cannot go on, suberror",
                            cpu->run->internal.suberror);
    default:
        atomic_fetch_add(&exits->other, !exclusive);
        return fail_machine(cpu, exclusive, EOPNOTSUPP, "an unknown exit, reason",
                            cpu->run->exit_reason);
    }
}

/* --- the thread ------------------------------------------------------------------------------- */

static void *run_guest(void *arg)
{
    struct vdf_vcpu *cpu = arg;
    struct vdf_vm *vm = cpu->vm;
    sigset_t mask;

    sigemptyset(&mask);
    sigaddset(&mask, KICK_SIGNAL);
    pthread_sigmask(SIG_UNBLOCK, &mask, NULL);
    if (cpu->pending)
        cpu->pending = !handle_exit(cpu, false);
    while (!cpu->pending && !atomic_load(&vm->stop)) {
        if (ioctl(cpu->fd, KVM_RUN, 0) < 0) {
            if (errno == EINTR || errno == EAGAIN)
                continue;
            fail_machine(cpu, false, errno, "KVM_RUN is refused, errno", (uint64_t)errno);
            break;
        }
        if (!handle_exit(cpu, false)) {
            cpu->pending = true;
            break;
        }
    }
    if (atomic_load(&vm->ended) && vm->stopped_by)
        vdf_vcpu_freeze(cpu);
    return NULL;
}

static void nothing(int number)
{
}

int vdf_vcpu_start(struct vdf_vcpu *cpu)
{
    struct sigaction action = { .sa_handler = nothing };
    sigset_t all, old;

    sigaction(KICK_SIGNAL, &action, NULL);
    cpu->run->immediate_exit = 0;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int ret = -pthread_create(&cpu->thread, NULL, run_guest, cpu);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    cpu->threaded = ret == 0;
    if (ret == 0)
        pthread_setname_np(cpu->thread, "vdf-vcpu");
    return ret;
}

/* The flag stops a thread that is about to enter KVM_RUN, the signal a thread inside. */
void vdf_vcpu_kick(struct vdf_vcpu *cpu)
{
    if (!cpu->threaded)
        return;
    __atomic_store_n(&cpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
    pthread_kill(cpu->thread, KICK_SIGNAL);
}

void vdf_vcpu_join(struct vdf_vcpu *cpu)
{
    if (cpu->threaded)
        pthread_join(cpu->thread, NULL);
    cpu->threaded = false;
}

void vdf_vcpu_settle(struct vdf_vcpu *cpu)
{
    if (!cpu->vm->made)
        return;
    cpu->run->immediate_exit = 1;
    /* KVM finishes the instruction of the last exit. That may exit again, and for a repeated string
     * instruction very often. */
    for (unsigned k = 0; k < SETTLE_MOST; k++) {
        if (cpu->pending)
            handle_exit(cpu, true);
        cpu->pending = ioctl(cpu->fd, KVM_RUN, 0) == 0;
        if (!cpu->pending)
            break;
    }
}

/* --- making ----------------------------------------------------------------------------------- */

#define LEAF7_EBX_TSC_ADJUST (1u << 1)
#define LEAF1_EDX_HTT (1u << 28)
#define LEAF1_EBX_KEPT 0xff00u /* CLFLUSH; else the APIC id, and how many share the package */
#define LEAF4_SHARING 0xffffc000u
#define AMD_ECX_CMP_LEGACY (1u << 1)

/* A level of the topology: each processor is a package of its own. Level types are 1, threads, and
 * 2, cores. */
static void fill_level(struct kvm_cpuid_entry2 *e, uint32_t id)
{
    e->eax = 0;
    e->ebx = e->index < 2;
    e->ecx = e->index | (e->index < 2 ? (e->index + 1) << 8 : 0);
    e->edx = id;
}

/*
 * A guest may use SSE, but nothing that needs XSAVE. So a state fits every machine, and kvm_fpu
 * contains all of the vector registers. KVM fills in the topology from the host's processor that this
 * thread happens to run on; the guest's processor replaces it here.
 */
static void fit_cpuid(struct kvm_cpuid_entry2 *e, uint32_t id)
{
    switch (e->function) {
    case 1:
        e->ecx &= ~(1u << 12 | 1u << 26 | 1u << 27 | 1u << 28 | 1u << 29);
        e->ebx = (e->ebx & LEAF1_EBX_KEPT) | 1u << 16 | id << 24;
        e->edx &= ~LEAF1_EDX_HTT;
        break;
    case 4:
    case 0x8000001d:
        e->eax &= ~LEAF4_SHARING;
        break;
    case 7:
        e->ebx = e->index == 0 ? e->ebx & LEAF7_EBX_TSC_ADJUST : 0;
        e->ecx = e->edx = e->eax = 0;
        break;
    case 0xb:
    case 0x1f:
    case 0x80000026:
        fill_level(e, id);
        break;
    case 0xd:
        e->eax = e->ebx = e->ecx = e->edx = 0;
        break;
    case 0x80000001:
        e->ecx &= ~AMD_ECX_CMP_LEGACY;
        break;
    case 0x80000008:
        e->ecx = 0;
        break;
    case 0x8000001e:
        e->eax = e->ebx = id;
        e->ecx = 0;
        break;
    default:
        break;
    }
}

#define CPUID_ENTRIES 256u

static int set_cpuid(struct vdf_vcpu *cpu)
{
    int ret = 0, system = vdf_vm_open_kvm();
    struct kvm_cpuid2 *cpuid =
        calloc(1, sizeof(*cpuid) + CPUID_ENTRIES * sizeof(struct kvm_cpuid_entry2));

    if (!cpuid || system < 0) {
        ret = system < 0 ? system : -ENOMEM;
    } else {
        cpuid->nent = CPUID_ENTRIES;
        if (vdf_kvm_ioctl(system, KVM_GET_SUPPORTED_CPUID, cpuid) < 0)
            ret = -errno;
        for (unsigned k = 0; ret == 0 && k < cpuid->nent; k++)
            fit_cpuid(&cpuid->entries[k], cpu->index);
        if (ret == 0 && vdf_kvm_ioctl(cpu->fd, KVM_SET_CPUID2, cpuid) < 0)
            ret = -errno;
    }
    if (system >= 0)
        close(system);
    free(cpuid);
    return ret;
}

void vdf_vcpu_close(struct vdf_vcpu *cpu)
{
    if (cpu->run)
        munmap(cpu->run, cpu->vm->run_size);
    if (cpu->stats_fd >= 0)
        close(cpu->stats_fd);
    if (cpu->fd >= 0)
        close(cpu->fd);
    cpu->run = NULL;
    cpu->fd = cpu->stats_fd = -1;
}

/* KVM removes no vCPU before its machine. So a failure leaves the vCPU for the next try, which goes on
 * with the step that failed. */
static int make(struct vdf_vcpu *cpu, struct vdf_err *err)
{
    struct vdf_vm *vm = cpu->vm;

    if (cpu->fd < 0)
        cpu->fd = vdf_kvm_ioctl(vm->fd, KVM_CREATE_VCPU, (unsigned long)cpu->index);
    if (cpu->fd < 0)
        return vdf_fail(err, errno, "KVM refuses vCPU %u: %s", cpu->index, vdf_errno_name(errno));
    if (!cpu->run) {
        void *run = mmap(NULL, vm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, cpu->fd, 0);
        if (run == MAP_FAILED)
            return vdf_fail(err, errno, "vCPU %u cannot be mapped: %s", cpu->index,
                            vdf_errno_name(errno));
        cpu->run = run;
    }
    if (cpu->stats_fd < 0)
        cpu->stats_fd = vdf_kvm_ioctl(cpu->fd, KVM_GET_STATS_FD, NULL);
    int ret = set_cpuid(cpu);
    if (ret < 0)
        return vdf_fail(err, -ret, "vCPU %u: KVM_SET_CPUID2 answers %s", cpu->index,
                        vdf_errno_name(-ret));
    ret = vdf_vcpu_keep_fresh(cpu, err);
    return ret == 0 && cpu->held ? vdf_vcpu_put(cpu, cpu->held, err) : ret;
}

int vdf_vcpus_make(struct vdf_vm *vm, struct vdf_err *err)
{
    int ret = 0;

    if (vm->made)
        return 0;
    for (unsigned k = 0; ret == 0 && k < vm->cpus; k++)
        ret = make(&vm->vcpus[k], err);
    if (ret < 0)
        return ret;
    for (unsigned k = 0; k < vm->cpus; k++) {
        free(vm->vcpus[k].held);
        vm->vcpus[k].held = NULL;
    }
    vm->made = true;
    return 0;
}

/* --- KVM's counters --------------------------------------------------------------------------- */

static const char *const stat_names[VDF_VCPU_STATS] = {
    [VDF_VCPU_BLOCKING] = "blocking",
    [VDF_VCPU_HALTS] = "halt_exits",
    [VDF_VCPU_IRQ_WINDOWS] = "irq_window_exits",
};

/* The file describes itself (Documentation/virt/kvm/api.rst, 4.133). */
uint64_t vdf_vcpu_stat(const struct vdf_vcpu *cpu, enum vdf_vcpu_stat stat)
{
    struct kvm_stats_header header;
    uint64_t value = 0;

    if (cpu->stats_fd < 0 || pread(cpu->stats_fd, &header, sizeof(header), 0) != sizeof(header))
        return 0;
    size_t size = sizeof(struct kvm_stats_desc) + header.name_size;
    struct kvm_stats_desc *desc = malloc(size);
    for (uint32_t k = 0; desc && k < header.num_desc; k++) {
        off_t at = (off_t)(header.desc_offset + k * size);
        if (pread(cpu->stats_fd, desc, size, at) != (ssize_t)size)
            break;
        if (strncmp(desc->name, stat_names[stat], header.name_size) != 0)
            continue;
        if (pread(cpu->stats_fd, &value, sizeof(value), header.data_offset + desc->offset) !=
            sizeof(value))
            value = 0;
        break;
    }
    free(desc);
    return value;
}
