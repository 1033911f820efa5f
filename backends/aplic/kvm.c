/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's objects of an APLIC: a VM, a vCPU a hart, and the AIA device.
 *
 * The used part of KVM's interface is declared here; its layout is the same on all processors. The
 * headers of Debian 12 lack the device, and some of Debian's processors have no KVM.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/ioctl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "kvm.h"

#define KVM_NODE "/dev/kvm"

struct device_request {
    uint32_t type;
    uint32_t fd; /* out */
    uint32_t flags;
};

struct device_attr {
    uint32_t flags;
    uint32_t group;
    uint64_t attr;
    uint64_t addr; /* of the value */
};

struct irq_level {
    uint32_t irq;
    uint32_t level;
};

struct msi {
    uint32_t address_lo, address_hi;
    uint32_t data;
    uint32_t flags;
    uint32_t devid;
    uint8_t pad[12];
};

struct mp_state {
    uint32_t state;
};

struct enable_cap {
    uint32_t cap;
    uint32_t flags;
    uint64_t args[4];
    uint8_t pad[64];
};

#define KVMIO 0xae
#define CREATE_VM _IO(KVMIO, 0x01)
#define CREATE_VCPU _IO(KVMIO, 0x41)
#define IRQ_LINE _IOW(KVMIO, 0x61, struct irq_level)
#define SET_MP_STATE _IOW(KVMIO, 0x99, struct mp_state)
#define ENABLE_CAP _IOW(KVMIO, 0xa3, struct enable_cap)
#define SIGNAL_MSI _IOW(KVMIO, 0xa5, struct msi)
#define CREATE_DEVICE _IOWR(KVMIO, 0xe0, struct device_request)
#define SET_DEVICE_ATTR _IOW(KVMIO, 0xe1, struct device_attr)
#define GET_DEVICE_ATTR _IOW(KVMIO, 0xe2, struct device_attr)

#define DEVICE_RISCV_AIA 11u
#define MP_STATE_INIT_RECEIVED 2u
#define CAP_RISCV_MP_STATE_RESET 242u

struct vdf_kvm {
    int vm;
    int device;
    bool resets; /* an MP state may be set that resets the vCPU */
    uint32_t n_vcpus;
    int vcpus[];
};

/* --- making ----------------------------------------------------------------------------------- */

static bool is_absence(int code)
{
    return code == ENOENT || code == ENXIO || code == ENODEV || code == EACCES || code == EPERM;
}

/* A refused call while a device is made. Too few descriptors are the usual reason. */
static int refused(struct vdf_err *err, const char *call, int code)
{
    return vdf_fail(err, code, "kvm: %s answers %s%s", call, vdf_errno_name(code),
                    code == EMFILE ? ": a device takes 2 descriptors and one a hart; ulimit -n"
                                   : "");
}

static int make_vm(struct vdf_kvm *kvm, struct vdf_err *err)
{
    int node = open(KVM_NODE, O_RDWR | O_CLOEXEC);
    int code = errno;

    if (node < 0)
        return is_absence(code)
                   ? vdf_fail(err, ENODEV,
                              "kvm: " KVM_NODE " cannot be used: %s; a riscv64 host with KVM and "
                              "AIA has the device, every host has `soft`",
                              vdf_errno_name(code))
                   : refused(err, "open of " KVM_NODE, code);
    kvm->vm = ioctl(node, CREATE_VM, 0);
    code = errno;
    close(node);
    return kvm->vm < 0 ? refused(err, "KVM_CREATE_VM", code) : 0;
}

static int make_device(struct vdf_kvm *kvm, struct vdf_err *err)
{
    struct device_request request = { .type = DEVICE_RISCV_AIA };

    if (ioctl(kvm->vm, CREATE_DEVICE, &request) == 0) {
        kvm->device = (int)request.fd;
        return 0;
    }
    /* A riscv64 host without AIA knows the type, other hosts do not. */
    if (is_absence(errno) || errno == EINVAL || errno == ENOTTY)
        return vdf_fail(
            err, ENODEV,
            "kvm: this host's KVM has no RISC-V AIA device (%s); a riscv64 host with the "
            "H, Smaia and Ssaia extensions has the device, every host has `soft`",
            vdf_errno_name(errno));
    return refused(err, "KVM_CREATE_DEVICE", errno);
}

static int make_vcpus(struct vdf_kvm *kvm, uint32_t harts, struct vdf_err *err)
{
    while (kvm->n_vcpus < harts) {
        int fd = ioctl(kvm->vm, CREATE_VCPU, (unsigned long)kvm->n_vcpus);

        if (fd < 0 && errno == EINVAL)
            return vdf_fail(err, EINVAL,
                            "%" PRIu32 ": this KVM makes no more than %" PRIu32 " harts", harts,
                            kvm->n_vcpus);
        if (fd < 0)
            return refused(err, "KVM_CREATE_VCPU", errno);
        kvm->vcpus[kvm->n_vcpus++] = fd;
    }
    return 0;
}

int vdf_kvm_make(uint32_t harts, struct vdf_kvm **made, struct vdf_err *err)
{
    struct enable_cap cap = { .cap = CAP_RISCV_MP_STATE_RESET };
    struct vdf_kvm *kvm = calloc(1, sizeof(*kvm) + harts * sizeof(kvm->vcpus[0]));

    if (!kvm)
        return vdf_fail(err, ENOMEM, "no memory for %" PRIu32 " harts", harts);
    kvm->vm = kvm->device = -1;
    int ret = make_vm(kvm, err);
    if (ret == 0)
        ret = make_device(kvm, err);
    if (ret == 0)
        ret = make_vcpus(kvm, harts, err);
    if (ret < 0) {
        vdf_kvm_free(kvm);
        return ret;
    }
    kvm->resets = ioctl(kvm->vm, ENABLE_CAP, &cap) == 0;
    *made = kvm;
    return 0;
}

void vdf_kvm_free(struct vdf_kvm *kvm)
{
    if (!kvm)
        return;
    while (kvm->n_vcpus)
        close(kvm->vcpus[--kvm->n_vcpus]);
    if (kvm->device >= 0)
        close(kvm->device);
    if (kvm->vm >= 0)
        close(kvm->vm);
    free(kvm);
}

/* --- calls ------------------------------------------------------------------------------------ */

static bool is_narrow(enum vdf_kvm_group group)
{
    return group == VDF_KVM_CONFIG || group == VDF_KVM_APLIC;
}

int vdf_kvm_get(const struct vdf_kvm *kvm, enum vdf_kvm_group group, uint64_t attr, uint64_t *value)
{
    uint64_t wide = 0;
    uint32_t narrow = 0;
    struct device_attr request = {
        .group = group,
        .attr = attr,
        .addr = is_narrow(group) ? (uintptr_t)&narrow : (uintptr_t)&wide,
    };

    if (ioctl(kvm->device, GET_DEVICE_ATTR, &request) < 0)
        return -errno;
    *value = is_narrow(group) ? narrow : wide;
    return 0;
}

int vdf_kvm_set(const struct vdf_kvm *kvm, enum vdf_kvm_group group, uint64_t attr, uint64_t value)
{
    uint32_t narrow = (uint32_t)value;
    const struct device_attr request = {
        .group = group,
        .attr = attr,
        .addr = is_narrow(group) ? (uintptr_t)&narrow : (uintptr_t)&value,
    };

    return ioctl(kvm->device, SET_DEVICE_ATTR, &request) < 0 ? -errno : 0;
}

int vdf_kvm_line(const struct vdf_kvm *kvm, uint32_t source, bool level)
{
    const struct irq_level request = { .irq = source, .level = level };

    return ioctl(kvm->vm, IRQ_LINE, &request) < 0 ? -errno : 0;
}

int vdf_kvm_msi(const struct vdf_kvm *kvm, uint64_t address, uint32_t data)
{
    const struct msi request = {
        .address_lo = (uint32_t)address,
        .address_hi = (uint32_t)(address >> 32),
        .data = data,
    };

    return ioctl(kvm->vm, SIGNAL_MSI, &request) < 0 ? -errno : 0;
}

int vdf_kvm_reset_imsic(const struct vdf_kvm *kvm, uint32_t hart)
{
    const struct mp_state init = { .state = MP_STATE_INIT_RECEIVED };

    if (!kvm->resets)
        return -EOPNOTSUPP;
    return ioctl(kvm->vcpus[hart], SET_MP_STATE, &init) < 0 ? -errno : 0;
}
