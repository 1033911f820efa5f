/* SPDX-License-Identifier: GPL-2.0-or-later */
/* KVM of this host, on any processor: its capabilities, and whether vm/ is usable. */
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "probe.h"

#define UNDO_TRIES 3

int vdf_kvm_ioctl_arg(int fd, unsigned long request, unsigned long arg)
{
    int ret;

    do
        ret = ioctl(fd, request, arg);
    while (ret < 0 && errno == EINTR);
    return ret;
}

int vdf_kvm_undo_arg(int fd, unsigned long request, unsigned long arg)
{
    int ret = vdf_kvm_ioctl_arg(fd, request, arg);

    for (unsigned tries = 1; ret < 0 && errno == ENOMEM && tries < UNDO_TRIES; tries++)
        ret = vdf_kvm_ioctl_arg(fd, request, arg);
    return ret;
}

static const struct {
    long number;
    const char *name;
    bool needed;       /* by vm/ */
    const char *since; /* Linux that has it */
} capabilities[] = {
    { KVM_CAP_IRQCHIP, "IRQCHIP", true, "2.6.21" },
    { KVM_CAP_USER_MEMORY, "USER_MEMORY", true, "2.6.24" },
    { KVM_CAP_IRQFD, "IRQFD", true, "2.6.32" },
    { KVM_CAP_IRQFD_RESAMPLE, "IRQFD_RESAMPLE", true, "3.7" },
    { KVM_CAP_IOEVENTFD, "IOEVENTFD", true, "2.6.32" },
    { KVM_CAP_IRQ_ROUTING, "IRQ_ROUTING", true, "2.6.30" },
    { KVM_CAP_SIGNAL_MSI, "SIGNAL_MSI", true, "3.5" },
    { KVM_CAP_IMMEDIATE_EXIT, "IMMEDIATE_EXIT", true, "4.11" },
    { KVM_CAP_SPLIT_IRQCHIP, "SPLIT_IRQCHIP", false, "4.4" },
    { KVM_CAP_DEVICE_CTRL, "DEVICE_CTRL", false, "3.10" },
    { KVM_CAP_DIRTY_LOG_RING, "DIRTY_LOG_RING", false, "5.11" },
    { KVM_CAP_BINARY_STATS_FD, "BINARY_STATS_FD", false, "5.14" },
};

#define N_CAPABILITIES (sizeof(capabilities) / sizeof(capabilities[0]))

int vdf_kvm_missing(int kvm, const char **name)
{
    *name = NULL;
    for (size_t k = 0; k < N_CAPABILITIES && !*name; k++) {
        int value = 1;
        if (capabilities[k].needed)
            value = vdf_kvm_ioctl(kvm, KVM_CHECK_EXTENSION, capabilities[k].number);
        if (value < 0)
            return -errno;
        if (value == 0)
            *name = capabilities[k].name;
    }
    return 0;
}

static void report_vm(struct vdf_probe *probe)
{
    struct vdf_err err = { 0 };

    if (vdf_vm_try(&err) == 0) {
        vdf_probe_have(probe, "vm", "mkdir in vm/ makes a machine");
        return;
    }
    vdf_probe_lack(probe, "vm", "%s", err.text);
    vdf_probe_remedy(
        probe,
        "an x86-64 host whose KVM has all capabilities with needed=yes, and free descriptors");
}

static void run(struct vdf_probe *probe)
{
    int kvm = vdf_probe_open(probe, "device", VDF_KVM_DEVICE, "kvm",
                             "a kernel with CONFIG_KVM, its module (kvm_intel, kvm_amd, kvm), and "
                             "virtualization switched on in the firmware or, in a guest, nested");
    if (kvm < 0) {
        /* A try would open the device again, and might load the module. */
        vdf_probe_lack(probe, "vm", "the device cannot be used");
        vdf_probe_remedy(probe, "the remedy for the device");
        return;
    }
    int version = vdf_kvm_ioctl(kvm, KVM_GET_API_VERSION, 0);
    if (version < 0) {
        vdf_probe_refused(probe, "device", "KVM_GET_API_VERSION", errno,
                          "a " VDF_KVM_DEVICE " that is KVM's");
    } else {
        vdf_probe_have(probe, "device", VDF_KVM_DEVICE);
        vdf_probe_value(probe, "api", "%d", version);
        vdf_probe_value(probe, "max_vcpus", "%d",
                        vdf_kvm_ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPUS));
    }
    report_vm(probe);
    for (size_t k = 0; version >= 0 && k < N_CAPABILITIES; k++) {
        int value = vdf_kvm_ioctl(kvm, KVM_CHECK_EXTENSION, capabilities[k].number);
        if (value > 0) {
            vdf_probe_have(probe, capabilities[k].name, "%s", "");
        } else {
            vdf_probe_lack(probe, capabilities[k].name, "KVM_CHECK_EXTENSION answers %s",
                           value < 0 ? vdf_errno_name(errno) : "0");
            vdf_probe_remedy(probe, "Linux %s, on a processor where KVM supports it",
                             capabilities[k].since);
        }
        vdf_probe_value(probe, "value", "%d", value < 0 ? 0 : value);
        vdf_probe_value(probe, "needed", "%s", capabilities[k].needed ? "yes" : "no");
    }
    close(kvm);
}

const struct vdf_probe_part vdf_kvm_probe = {
    .name = "kvm",
    .title = "virtual machines, vm/",
    .run = run,
};
