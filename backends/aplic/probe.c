/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Does this host's KVM have the APLIC and the IMSICs in the kernel? (RISC-V AIA, KVM's device 11)
 */
#include <errno.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <virtdevfs/probe.h>

#include "aplic.h"

/* As KVM numbers them; headers of other processors and of older systems lack them. */
#define DEVICE_TYPE_AIA 11u
#define GROUP_CONFIG 0u
#define CONFIG_MODE 0u
#define CONFIG_IDS 1u

static void tell_config(struct vdf_probe *probe, int aia)
{
    static const char *const modes[] = { "emul", "hwaccel", "auto" };
    uint32_t mode = 0, ids = 0;
    struct kvm_device_attr attr = {
        .group = GROUP_CONFIG,
        .attr = CONFIG_MODE,
        .addr = (uintptr_t)&mode,
    };

    /* The default mode tells whether the processor has guest interrupt files. */
    if (ioctl(aia, KVM_GET_DEVICE_ATTR, &attr) == 0 && mode < sizeof(modes) / sizeof(modes[0]))
        vdf_probe_value(probe, "mode", "%s", modes[mode]);
    attr.attr = CONFIG_IDS;
    attr.addr = (uintptr_t)&ids;
    if (ioctl(aia, KVM_GET_DEVICE_ATTR, &attr) == 0)
        vdf_probe_value(probe, "ids", "%u", ids);
}

static void try_machine(struct vdf_probe *probe, int vm)
{
    struct kvm_create_device device = { .type = DEVICE_TYPE_AIA, .flags = KVM_CREATE_DEVICE_TEST };
    struct utsname host = { 0 };

    if (ioctl(vm, KVM_CREATE_DEVICE, &device) < 0) {
        int code = errno;
        uname(&host);
        vdf_probe_lack(probe, "irqchip", "KVM_CREATE_DEVICE of type %u answers %s on this %s host",
                       DEVICE_TYPE_AIA, vdf_errno_name(code), host.machine);
        vdf_probe_remedy(probe,
                         "a riscv64 host with Ssaia and the H extension, Linux 6.5 and CONFIG_KVM; "
                         "qemu-system-riscv64 -M virt,aia=aplic-imsic emulates one");
        return;
    }
    vdf_probe_have(probe, "irqchip", "KVM_CREATE_DEVICE of type %u", DEVICE_TYPE_AIA);
    device = (struct kvm_create_device){ .type = DEVICE_TYPE_AIA };
    if (ioctl(vm, KVM_CREATE_DEVICE, &device) == 0) {
        tell_config(probe, (int)device.fd);
        close((int)device.fd);
    }
}

static void run(struct vdf_probe *probe)
{
    int kvm = vdf_probe_open(probe, "irqchip", "/dev/kvm", "kvm",
                             "a riscv64 host with the AIA and a kernel with CONFIG_KVM");

    if (kvm < 0)
        return;
    int vm = ioctl(kvm, KVM_CREATE_VM, 0);
    if (vm < 0) {
        vdf_probe_refused(probe, "irqchip", "KVM_CREATE_VM", errno,
                          "a processor with virtualization, switched on");
    } else {
        try_machine(probe, vm);
        close(vm);
    }
    close(kvm);
}

const struct vdf_probe_part vdf_aplic_probe = {
    .name = "aia",
    .title = "RISC-V AIA in the kernel, aplic/NAME/backend = kvm",
    .run = run,
};
