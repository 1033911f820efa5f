/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Does this host's KVM have the RISC-V AIA device: APLIC and IMSICs in the kernel? */
#include <errno.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "kvm.h"
#include "probe.h"

#define DEVICE_TYPE_AIA 11u /* headers of older systems lack it */

/* Attributes of VDF_KVM_CONFIG. */
#define CONFIG_MODE 0u
#define CONFIG_IDS 1u

#define HOST                                                                                      \
    "a riscv64 host with the H, Smaia and Ssaia extensions, Linux 6.5 or newer with CONFIG_KVM; " \
    "qemu-system-riscv64 -M virt,aia=aplic-imsic -cpu rv64,h=true,smaia=true,ssaia=true is one"

/* Makes a device of one hart, as a write of `backend` does. */
static void try_device(struct vdf_probe *probe)
{
    static const char *const modes[] = { "emul", "hwaccel", "auto" };
    struct vdf_err err = { 0 };
    struct vdf_kvm *kvm;
    uint64_t mode, ids;
    int ret = vdf_kvm_make(1, &kvm, &err);

    if (ret < 0) {
        vdf_probe_lack(probe, "irqchip", "%s", err.text);
        vdf_probe_remedy(probe, "%s", vdf_probe_cure(-ret, HOST));
        return;
    }
    vdf_probe_have(probe, "irqchip", "KVM_CREATE_DEVICE of type %u", DEVICE_TYPE_AIA);
    /* The default mode shows whether the processor has guest interrupt files. */
    if (vdf_kvm_get(kvm, VDF_KVM_CONFIG, CONFIG_MODE, &mode) == 0 &&
        mode < sizeof(modes) / sizeof(modes[0]))
        vdf_probe_value(probe, "mode", "%s", modes[mode]);
    if (vdf_kvm_get(kvm, VDF_KVM_CONFIG, CONFIG_IDS, &ids) == 0)
        vdf_probe_value(probe, "ids", "%" PRIu64, ids);
    vdf_kvm_free(kvm);
}

/* A test, which makes no device: its answer is the reason on a host that has none. */
static bool knows_device(struct vdf_probe *probe, int vm)
{
    struct kvm_create_device device = { .type = DEVICE_TYPE_AIA, .flags = KVM_CREATE_DEVICE_TEST };
    struct utsname host = { 0 };

    if (ioctl(vm, KVM_CREATE_DEVICE, &device) == 0)
        return true;
    int code = errno;
    uname(&host);
    vdf_probe_lack(probe, "irqchip", "KVM_CREATE_DEVICE of type %u answers %s on this %s host",
                   DEVICE_TYPE_AIA, vdf_errno_name(code), host.machine);
    vdf_probe_remedy(probe, "%s", vdf_probe_cure(code, HOST));
    return false;
}

static void run(struct vdf_probe *probe)
{
    int kvm = vdf_probe_open(probe, "irqchip", "/dev/kvm", "kvm", HOST);

    if (kvm < 0)
        return;
    int vm = ioctl(kvm, KVM_CREATE_VM, 0), code = errno;
    close(kvm);
    if (vm < 0) {
        vdf_probe_refused(probe, "irqchip", "KVM_CREATE_VM", code, HOST);
        return;
    }
    bool known = knows_device(probe, vm);
    close(vm);
    if (known)
        try_device(probe);
}

const struct vdf_probe_part vdf_aplic_probe = {
    .name = "aia",
    .title = "RISC-V AIA in the kernel, aplic/NAME/backend = kvm",
    .run = run,
};
