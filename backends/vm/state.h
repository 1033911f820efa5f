/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Processors and interrupt controllers in a state. */
#ifndef VDF_VM_STATE_H
#define VDF_VM_STATE_H

#include <virtdevfs/component.h>

#include "vcpu.h"

/** vdf_vcpu_get(), vdf_vcpu_put() - all of a processor that KVM has made. */
int vdf_vcpu_get(struct vdf_vcpu *cpu, struct vdf_vcpu_state *state);
int vdf_vcpu_put(struct vdf_vcpu *cpu, const struct vdf_vcpu_state *state, struct vdf_err *err);
/** vdf_vcpu_keep_fresh() - note a new processor's state, and for the first one the list of MSRs. */
int vdf_vcpu_keep_fresh(struct vdf_vcpu *cpu, struct vdf_err *err);
/** vdf_vcpu_show_begin(), vdf_vcpu_show_end() - all rows of a state show one reading. */
void vdf_vcpu_show_begin(struct vdf_vcpu *cpu);
void vdf_vcpu_show_end(struct vdf_vcpu *cpu);
/** vdf_vm_keep_chips(), vdf_vm_reset_chips() - the interrupt controllers as in a new machine. */
int vdf_vm_keep_chips(struct vdf_vm *vm);
int vdf_vm_reset_chips(struct vdf_vm *vm, struct vdf_err *err);
int vdf_vm_restored(struct vdf_obj *obj, struct vdf_err *err);

#endif
