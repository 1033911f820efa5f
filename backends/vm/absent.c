/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The directory of virtual machines where the processor is none that vm.c knows. */
#include <errno.h>
#include <virtdevfs/component.h>

#include "probe.h"

int vdf_vm_try(struct vdf_err *err)
{
    return vdf_fail(err, ENODEV, VDF_KVM_DEVICE ": only machines of x86-64 processors can be made");
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
