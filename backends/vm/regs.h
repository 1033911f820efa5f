/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The registers of a stopped processor as text: a line "NAME = VALUE" each. */
#ifndef VDF_VM_REGS_H
#define VDF_VM_REGS_H

#include <virtdevfs/buf.h>

#include "vcpu.h"

void vdf_vcpu_show_regs(struct vdf_vcpu *cpu, struct vdf_buf *out);
/** vdf_vcpu_store_regs() - set the registers that the lines of @text name. The processors have begun. */
int vdf_vcpu_store_regs(struct vdf_vcpu *cpu, const char *text, size_t len, struct vdf_err *err);

#endif
