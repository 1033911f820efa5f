/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The directory of virtual machines on processors that vm.c does not support. */
#include <errno.h>
#include <virtdevfs/component.h>

#include "probe.h"

int vdf_vm_try(struct vdf_err *err)
{
    return vdf_fail(err, ENODEV, VDF_KVM_DEVICE ": virtual machines need an x86-64 processor");
}

static int create(struct vdf_obj *obj, struct vdf_err *err)
{
    return vdf_vm_try(err);
}

static const struct vdf_class vm_class = {
    .name = "vm",
    .title = "KVM virtual machine",
    .create = create,
    .no_state = true,
};

const struct vdf_component vdf_vm_component = {
    .cls = &vm_class,
    .probe = &vdf_kvm_probe,
};
