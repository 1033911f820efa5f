/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Time stands still for a stopped machine. When the machine stops, the time stamp counters, the
 * remaining count of each APIC's timer, the TSC deadlines and kvmclock are noted; all go on from
 * there. Until then no timer of KVM's runs.
 */
#ifndef VDF_VM_CLOCK_H
#define VDF_VM_CLOCK_H

#include "vcpu.h"

#define VDF_APIC_TMICT 0x380u
#define VDF_APIC_TMCCT 0x390u
#define VDF_MSR_TSC 0x10u
#define VDF_MSR_TSC_DEADLINE 0x6e0u

/** vdf_vm_stop_clock(), vdf_vm_start_clock() - kvmclock stands still while the machine does. */
void vdf_vm_stop_clock(struct vdf_vm *vm);
void vdf_vm_start_clock(struct vdf_vm *vm);
/** vdf_vcpu_freeze() - note the time of a processor when the machine stops. The first processor that
 *  is frozen decides for all of them when that was. */
void vdf_vcpu_freeze(struct vdf_vcpu *cpu);
/** vdf_vcpu_disarm() - switch off the timers of a frozen processor. */
void vdf_vcpu_disarm(struct vdf_vcpu *cpu);
/** vdf_vcpu_thaw() - its time goes on. */
void vdf_vcpu_thaw(struct vdf_vcpu *cpu);

/* A register of a local APIC's page. */
uint32_t vdf_apic_load(const struct kvm_lapic_state *lapic, unsigned reg);
void vdf_apic_store(struct kvm_lapic_state *lapic, unsigned reg, uint32_t value);

#endif
