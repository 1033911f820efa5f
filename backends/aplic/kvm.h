/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An APLIC with its IMSICs that is the device of Linux's KVM on RISC-V hosts.
 *
 *   kvm.c         the kernel's objects: a VM, its vCPUs and the device, and the calls to them
 *   kvm_rows.c    what a row of table.c is in the kernel's device
 *
 * The VM has no memory and its vCPUs never run: it is there for the device only. The registers are
 * the kernel's and are read from there each time. Beside it are kept, in the model's fields: that
 * init has succeeded, which no attribute tells; what nothing can change from then on and the rows
 * are counted by (sources, identities, addresses); and the pending bits of identities 32 to 63 of
 * each 64, of which KVM lets none be read (imsic.c).
 */
#ifndef VDF_APLIC_KVM_H
#define VDF_APLIC_KVM_H

#include "aplic.h"

/* Groups of the device's attributes. */
enum vdf_kvm_group {
    VDF_KVM_CONFIG, /* u32 */
    VDF_KVM_ADDR,   /* u64: of the APLIC, and of the IMSIC of hart n at 1 + n */
    VDF_KVM_CTRL,   /* init */
    VDF_KVM_APLIC,  /* u32 by byte offset */
    VDF_KVM_IMSIC,  /* u64 by hart and register: vdf_kvm_imsic() */
};

/* Registers of an interrupt file (AIA 3.8). */
#define VDF_IMSIC_EIDELIVERY 0x70u
#define VDF_IMSIC_EITHRESHOLD 0x72u
#define VDF_IMSIC_EIP0 0x80u
#define VDF_IMSIC_EIE0 0xc0u

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
/** vdf_kvm_free() - close it all. NULL is allowed. */
void vdf_kvm_free(struct vdf_kvm *kvm);

/* 0 or the kernel's -errno. */
int vdf_kvm_get(const struct vdf_kvm *kvm, enum vdf_kvm_group group, uint64_t attr,
                uint64_t *value);
int vdf_kvm_set(const struct vdf_kvm *kvm, enum vdf_kvm_group group, uint64_t attr, uint64_t value);
int vdf_kvm_line(const struct vdf_kvm *kvm, uint32_t source, bool level);
int vdf_kvm_msi(const struct vdf_kvm *kvm, uint64_t address, uint32_t data);
/** vdf_kvm_reset_imsic() - all registers of a hart's interrupt file are 0 then; -EOPNOTSUPP for a
 *  kernel that cannot (before 6.16). */
int vdf_kvm_reset_imsic(const struct vdf_kvm *kvm, uint32_t hart);

/* --- kvm_rows.c ------------------------------------------------------------------------------- */

/** vdf_aplic_kvm_rebuild() - a new kernel's device for @harts harts instead of what is behind the
 *  files now, with the values of before init that were set. On failure nothing has changed. */
int vdf_aplic_kvm_rebuild(struct vdf_aplic *aplic, uint32_t harts, struct vdf_err *err);
/** vdf_aplic_kvm_leave() - back to the model, with the values of before init. */
int vdf_aplic_kvm_leave(struct vdf_aplic *aplic, struct vdf_err *err);
/** vdf_aplic_kvm_restored() - a whole state has been loaded: let interrupts through if it does. */
int vdf_aplic_kvm_restored(struct vdf_aplic *aplic, struct vdf_err *err);

#endif
