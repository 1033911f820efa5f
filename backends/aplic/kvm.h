/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's objects of an APLIC: a VM, a vCPU a hart, and the AIA device. */
#ifndef VDF_APLIC_KVM_H
#define VDF_APLIC_KVM_H

#include <stdbool.h>
#include <stdint.h>
#include <virtdevfs/error.h>

#include "registers.h"

/* Groups of the device's attributes. */
enum vdf_kvm_group {
    VDF_KVM_CONFIG, /* u32 */
    VDF_KVM_ADDR,   /* u64: of the APLIC, and of the IMSIC of hart n at 1 + n */
    VDF_KVM_CTRL,   /* init */
    VDF_KVM_APLIC,  /* u32 by byte offset */
    VDF_KVM_IMSIC,  /* u64 by hart and register: vdf_kvm_imsic() */
};

static inline uint64_t vdf_kvm_imsic(uint32_t hart, uint32_t iselect)
{
    return (uint64_t)hart << 12 | iselect;
}

struct vdf_kvm;

/**
 * vdf_kvm_make() - a VM with @harts vCPUs, whose ids are 0 and up, and an AIA device.
 *
 * Return: 0; -ENODEV where the host has none; -EMFILE, -ENOMEM and the like with nothing left.
 */
int vdf_kvm_make(uint32_t harts, struct vdf_kvm **kvm, struct vdf_err *err);
/** vdf_kvm_free() - close all descriptors. NULL is allowed. */
void vdf_kvm_free(struct vdf_kvm *kvm);

/* 0 or the kernel's -errno. */
int vdf_kvm_get(const struct vdf_kvm *kvm, enum vdf_kvm_group group, uint64_t attr,
                uint64_t *value);
int vdf_kvm_set(const struct vdf_kvm *kvm, enum vdf_kvm_group group, uint64_t attr, uint64_t value);
int vdf_kvm_line(const struct vdf_kvm *kvm, uint32_t source, bool level);
int vdf_kvm_msi(const struct vdf_kvm *kvm, uint64_t address, uint32_t data);
/** vdf_kvm_reset_imsic() - make all registers of a hart's interrupt file 0; -EOPNOTSUPP for a kernel
 *  before 6.16, which cannot. */
int vdf_kvm_reset_imsic(const struct vdf_kvm *kvm, uint32_t hart);

#endif
