/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The backend kvm: an APLIC with its IMSICs that is the device of Linux's KVM on RISC-V hosts.
 *
 * The VM has no memory and its vCPUs never run: its only purpose is the device. The kernel owns the
 * registers, and they are read from there each time. Three things are stored in the model's fields
 * beside the kernel: the success of init, which no attribute shows; the values that cannot change
 * from then on and that rows are counted by (sources, identities, addresses); and the pending bits of
 * identities 32 to 63 of each 64, of which KVM lets none be read (get_half() in rows.c).
 */
#ifndef VDF_APLIC_KVM_ROWS_H
#define VDF_APLIC_KVM_ROWS_H

#include "aplic.h"

/** vdf_aplic_kvm_rebuild() - put a new device of the kernel with @harts harts behind the files, with
 *  the values of before init that were set. A failure changes nothing. */
int vdf_aplic_kvm_rebuild(struct vdf_aplic *aplic, uint32_t harts, struct vdf_err *err);
/** vdf_aplic_kvm_leave() - return to the model, with the values of before init. */
int vdf_aplic_kvm_leave(struct vdf_aplic *aplic, struct vdf_err *err);
/** vdf_aplic_kvm_restored() - a whole state has been loaded: enable interrupts as domaincfg says. */
int vdf_aplic_kvm_restored(struct vdf_aplic *aplic, struct vdf_err *err);

#endif
