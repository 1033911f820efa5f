/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The capabilities of KVM that virtual machines need. */
#ifndef VDF_KVM_PROBE_H
#define VDF_KVM_PROBE_H

#include <virtdevfs/error.h>
#include <virtdevfs/probe.h>

#define VDF_KVM_DEVICE "/dev/kvm"

/** vdf_kvm_missing() - the first capability that a machine needs and @kvm, a descriptor of
 *  /dev/kvm, lacks: "IRQFD"; NULL: it has them all. Return: 0 or -errno of the command. */
int vdf_kvm_missing(int kvm, const char **name);

/** vdf_vm_try() - make a machine as mkdir does, and remove it. 0 or -errno with a sentence. */
int vdf_vm_try(struct vdf_err *err);

extern const struct vdf_probe_part vdf_kvm_probe;

/** vdf_kvm_ioctl() - ioctl(2), repeated where a signal has interrupted it; not for KVM_RUN. */
#define vdf_kvm_ioctl(fd, request, arg) vdf_kvm_ioctl_arg(fd, request, (unsigned long)(arg))
int vdf_kvm_ioctl_arg(int fd, unsigned long request, unsigned long arg);

/** vdf_kvm_undo() - the same for a command that undoes another one and so must not fail: it is also
 *  repeated where memory is short. */
#define vdf_kvm_undo(fd, request, arg) vdf_kvm_undo_arg(fd, request, (unsigned long)(arg))
int vdf_kvm_undo_arg(int fd, unsigned long request, unsigned long arg);

#endif
