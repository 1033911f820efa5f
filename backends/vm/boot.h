/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state in which processors begin. */
#ifndef VDF_VM_BOOT_H
#define VDF_VM_BOOT_H

#include "vcpu.h"

/* The processors' tables, for both long modes, above the memory that is mapped 1:1. */
#define VDF_VM_TABLES (UINT64_C(1) << 32)

/** vdf_vm_make_tables() - page tables and descriptors of the long modes. 0 or -ENOMEM. */
int vdf_vm_make_tables(struct vdf_vm *vm);
void vdf_vm_free_tables(struct vdf_vm *vm);
uint64_t vdf_vm_tables_size(void);
/** vdf_vm_boot_registers() - as processor @index begins; @sregs has KVM's, or zeros. */
void vdf_vm_boot_registers(const struct vdf_vm *vm, unsigned index, struct kvm_regs *regs,
                           struct kvm_sregs *sregs);
/** vdf_vcpu_boot() - give a processor that state. */
int vdf_vcpu_boot(struct vdf_vcpu *cpu, struct vdf_err *err);

#endif
