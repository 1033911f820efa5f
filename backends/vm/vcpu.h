/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A processor: its thread, its exits, and all of its state. */
#ifndef VDF_VM_VCPU_H
#define VDF_VM_VCPU_H

#include <linux/kvm.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <virtdevfs/error.h>

#define VDF_VM_CPUS 16u
#define VDF_VM_MSRS 512u

struct vdf_vm;

/* The part of a state that belongs to a processor. */
struct vdf_vcpu_state {
    struct kvm_regs regs;
    struct kvm_sregs sregs;
    struct kvm_fpu fpu;
    struct kvm_lapic_state lapic;
    struct kvm_vcpu_events events;
    struct kvm_debugregs debugregs;
    struct kvm_mp_state mp_state;
    /* As struct kvm_msrs, whose entries have no number of their own. */
    struct vdf_vm_msrs {
        uint32_t n;
        uint32_t pad;
        struct kvm_msr_entry entries[VDF_VM_MSRS];
    } msrs;
};

struct vdf_vcpu {
    struct vdf_vm *vm;
    unsigned index;
    int fd;       /* -1: KVM has not made it yet */
    int stats_fd; /* KVM's own counters; -1: not to be had */
    struct kvm_run *run;
    pthread_t thread;
    bool threaded; /* `thread` is to be joined */
    bool pending;  /* an exit is left to the thread that stops this one */
    /* Time stands still for a stopped guest: its counter, and the remaining count of the APIC's timer. */
    uint64_t tsc;
    uint32_t timer;
    bool frozen;
    /* KVM's own timer is off, with these to go on with: initial count, TSC deadline. */
    bool disarmed;
    uint32_t initial;
    uint64_t deadline;
    struct vdf_vcpu_state *held;  /* while a state is loaded: the part that was read so far */
    struct vdf_vcpu_state *fresh; /* as KVM has made it */
    struct vdf_vcpu_state *shown; /* while a state is saved: read once for all rows */
};

/** vdf_vcpus_make() - have KVM make all processors, in the state that is held for them or as they
 *  begin. After a failure the machine has none, and the next try makes the missing ones. */
int vdf_vcpus_make(struct vdf_vm *vm, struct vdf_err *err);
void vdf_vcpu_close(struct vdf_vcpu *cpu);
int vdf_vcpu_start(struct vdf_vcpu *cpu);
void vdf_vcpu_kick(struct vdf_vcpu *cpu);
void vdf_vcpu_join(struct vdf_vcpu *cpu);
/** vdf_vcpu_settle() - after the join, exclusive: carry out a pending exit, so that the registers are
 *  those between two instructions. */
void vdf_vcpu_settle(struct vdf_vcpu *cpu);
enum vdf_vcpu_stat { VDF_VCPU_BLOCKING, VDF_VCPU_HALTS, VDF_VCPU_IRQ_WINDOWS, VDF_VCPU_STATS };
/** vdf_vcpu_stat() - one of KVM's own counters of a processor; 0 where KVM has none. */
uint64_t vdf_vcpu_stat(const struct vdf_vcpu *cpu, enum vdf_vcpu_stat stat);

#endif
