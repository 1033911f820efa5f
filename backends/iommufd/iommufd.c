/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands of /dev/iommu, one function each. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <virtdevfs/iommufd.h>

#include "uapi.h"

#define DEVICE "/dev/iommu"
#define BYTES_AT "0x%" PRIx64 " bytes at 0x%" PRIx64

/* A command, repeated after a signal. A failure is "FMT: the kernel's answer". */
static int __attribute__((format(printf, 5, 6)))
command(int iommu, unsigned long request, void *arg, struct vdf_err *err, const char *fmt, ...)
{
    char name[VDF_ERR_TEXT];
    va_list ap;
    int ret;

    do {
        ret = ioctl(iommu, request, arg);
    } while (ret < 0 && errno == EINTR);
    if (ret >= 0)
        return 0;
    ret = errno;
    va_start(ap, fmt);
    vsnprintf(name, sizeof(name), fmt, ap);
    va_end(ap);
    return vdf_fail(err, ret, "%.200s: %s", name, strerror(ret));
}

int vdf_iommufd_open(int *fd, struct vdf_err *err)
{
    *fd = open(DEVICE, O_RDWR | O_CLOEXEC);
    if (*fd >= 0)
        return 0;
    if (errno == ENOENT || errno == ENXIO || errno == ENODEV)
        return vdf_fail(err, ENODEV,
                        DEVICE ": there is none: a kernel with CONFIG_IOMMUFD makes it, when its "
                               "module iommufd is loaded");
    return vdf_fail(err, errno, DEVICE ": %s", strerror(errno));
}

int vdf_iommufd_destroy(int iommu, uint32_t id, struct vdf_err *err)
{
    struct uapi_destroy arg = { .size = sizeof(arg), .id = id };

    return command(iommu, UAPI_DESTROY, &arg, err, "IOMMU_DESTROY of object %u", id);
}

int vdf_iommufd_ioas_alloc(int iommu, uint32_t *ioas, struct vdf_err *err)
{
    struct uapi_ioas_alloc arg = { .size = sizeof(arg) };
    int ret = command(iommu, UAPI_IOAS_ALLOC, &arg, err, "IOMMU_IOAS_ALLOC");

    if (ret == 0)
        *ioas = arg.out_ioas_id;
    return ret;
}

int vdf_iommufd_map(int iommu, uint32_t ioas, void *from, uint64_t iova, uint64_t length,
                    bool writable, struct vdf_err *err)
{
    struct uapi_ioas_map arg = {
        .size = sizeof(arg),
        .flags = UAPI_MAP_FIXED_IOVA | UAPI_MAP_READABLE | (writable ? UAPI_MAP_WRITEABLE : 0),
        .ioas_id = ioas,
        .user_va = (uintptr_t)from,
        .length = length,
        .iova = iova,
    };

    return command(iommu, UAPI_IOAS_MAP, &arg, err, "IOMMU_IOAS_MAP of " BYTES_AT, length, iova);
}

int vdf_iommufd_unmap(int iommu, uint32_t ioas, uint64_t iova, uint64_t length, uint64_t *unmapped,
                      struct vdf_err *err)
{
    struct uapi_ioas_unmap arg = {
        .size = sizeof(arg),
        .ioas_id = ioas,
        .iova = iova,
        .length = length,
    };
    int ret =
        command(iommu, UAPI_IOAS_UNMAP, &arg, err, "IOMMU_IOAS_UNMAP of " BYTES_AT, length, iova);

    if (unmapped)
        *unmapped = ret < 0 ? 0 : arg.length;
    return ret;
}

static int hwpt_alloc(int iommu, struct uapi_hwpt_alloc *arg, uint32_t *hwpt, struct vdf_err *err)
{
    int ret = command(iommu, UAPI_HWPT_ALLOC, arg, err,
                      "IOMMU_HWPT_ALLOC of type 0x%x on object %u", arg->data_type, arg->pt_id);

    if (ret == 0)
        *hwpt = arg->out_hwpt_id;
    return ret;
}

int vdf_iommufd_hwpt_parent(int iommu, uint32_t dev_id, uint32_t ioas, uint32_t *hwpt,
                            struct vdf_err *err)
{
    struct uapi_hwpt_alloc arg = {
        .size = sizeof(arg),
        .flags = UAPI_HWPT_NEST_PARENT,
        .dev_id = dev_id,
        .pt_id = ioas,
    };

    return hwpt_alloc(iommu, &arg, hwpt, err);
}

int vdf_iommufd_hwpt_nested(int iommu, uint32_t dev_id, uint32_t parent, uint32_t type,
                            const void *data, uint32_t len, uint32_t *hwpt, struct vdf_err *err)
{
    struct uapi_hwpt_alloc arg = {
        .size = sizeof(arg),
        .dev_id = dev_id,
        .pt_id = parent,
        .data_type = type,
        .data_len = len,
        .data_uptr = (uintptr_t)data,
    };

    return hwpt_alloc(iommu, &arg, hwpt, err);
}

int vdf_iommufd_viommu_alloc(int iommu, uint32_t type, uint32_t dev_id, uint32_t hwpt, void *data,
                             uint32_t len, uint32_t *viommu, struct vdf_err *err)
{
    struct uapi_viommu_alloc arg = {
        .size = sizeof(arg),
        .type = type,
        .dev_id = dev_id,
        .hwpt_id = hwpt,
        .data_len = len,
        .data_uptr = (uintptr_t)data,
    };
    int ret = command(iommu, UAPI_VIOMMU_ALLOC, &arg, err, "IOMMU_VIOMMU_ALLOC of type 0x%x", type);

    if (ret == 0)
        *viommu = arg.out_viommu_id;
    return ret;
}

int vdf_iommufd_vdevice_alloc(int iommu, uint32_t viommu, uint32_t dev_id, uint64_t virt_id,
                              uint32_t *vdevice, struct vdf_err *err)
{
    struct uapi_vdevice_alloc arg = {
        .size = sizeof(arg),
        .viommu_id = viommu,
        .dev_id = dev_id,
        .virt_id = virt_id,
    };
    int ret =
        command(iommu, UAPI_VDEVICE_ALLOC, &arg, err, "IOMMU_VDEVICE_ALLOC of 0x%" PRIx64, virt_id);

    if (ret == 0)
        *vdevice = arg.out_vdevice_id;
    return ret;
}

int vdf_iommufd_veventq_alloc(int iommu, uint32_t viommu, uint32_t type, uint32_t depth,
                              uint32_t *veventq, int *fd, struct vdf_err *err)
{
    struct uapi_veventq_alloc arg = {
        .size = sizeof(arg),
        .viommu_id = viommu,
        .type = type,
        .veventq_depth = depth,
    };
    int ret = command(iommu, UAPI_VEVENTQ_ALLOC, &arg, err,
                      "IOMMU_VEVENTQ_ALLOC of type 0x%x, depth %u", type, depth);

    if (ret < 0)
        return ret;
    *veventq = arg.out_veventq_id;
    *fd = (int)arg.out_veventq_fd;
    return 0;
}

int vdf_iommufd_hw_queue_alloc(int iommu, uint32_t viommu, uint32_t type, uint32_t index,
                               uint64_t iova, uint64_t length, uint32_t *hw_queue,
                               struct vdf_err *err)
{
    struct uapi_hw_queue_alloc arg = {
        .size = sizeof(arg),
        .viommu_id = viommu,
        .type = type,
        .index = index,
        .nesting_parent_iova = iova,
        .length = length,
    };
    int ret = command(iommu, UAPI_HW_QUEUE_ALLOC, &arg, err,
                      "IOMMU_HW_QUEUE_ALLOC of queue %u, " BYTES_AT, index, length, iova);

    if (ret == 0)
        *hw_queue = arg.out_hw_queue_id;
    return ret;
}

int vdf_iommufd_hw_info(int iommu, uint32_t dev_id, uint32_t *type, void *data, uint32_t len,
                        uint64_t *capabilities, struct vdf_err *err)
{
    struct uapi_hw_info arg = {
        .size = sizeof(arg),
        .flags = *type == VDF_IOMMU_HW_INFO_DEFAULT ? 0 : UAPI_HW_INFO_INPUT_TYPE,
        .dev_id = dev_id,
        .data_len = len,
        .data_uptr = (uintptr_t)data,
        .data_type = *type,
    };
    int ret = command(iommu, UAPI_GET_HW_INFO, &arg, err, "IOMMU_GET_HW_INFO of type 0x%x", *type);

    if (ret < 0)
        return ret;
    *type = arg.data_type;
    if (capabilities)
        *capabilities = arg.out_capabilities;
    return 0;
}

/* --- the mock device -------------------------------------------------------------------------- */

static int test(int iommu, struct uapi_test *arg, const char *name, struct vdf_err *err)
{
    arg->size = sizeof(*arg);
    int ret = command(iommu, UAPI_TEST, arg, err, "IOMMU_TEST_OP_%s", name);

    if (ret == -ENOTTY)
        return vdf_fail(err, ENOTTY,
                        "IOMMU_TEST_OP_%s: the kernel has no mock IOMMU; CONFIG_IOMMUFD_TEST "
                        "builds it",
                        name);
    return ret;
}

int vdf_iommufd_mock_device(int iommu, uint32_t pt, uint32_t *stdev, uint32_t *dev_id,
                            struct vdf_err *err)
{
    struct uapi_test arg = { .op = UAPI_TEST_MOCK_DOMAIN, .id = pt };
    int ret = test(iommu, &arg, "MOCK_DOMAIN", err);

    if (ret < 0)
        return ret;
    *stdev = arg.mock_domain.out_stdev_id;
    *dev_id = arg.mock_domain.out_idev_id;
    return 0;
}

int vdf_iommufd_mock_replace(int iommu, uint32_t stdev, uint32_t pt, struct vdf_err *err)
{
    struct uapi_test arg = {
        .op = UAPI_TEST_MOCK_DOMAIN_REPLACE,
        .id = stdev,
        .replace.pt_id = pt,
    };

    return test(iommu, &arg, "MOCK_DOMAIN_REPLACE", err);
}

int vdf_iommufd_mock_vevent(int iommu, uint32_t dev_id, struct vdf_err *err)
{
    struct uapi_test arg = { .op = UAPI_TEST_TRIGGER_VEVENT, .vevent.dev_id = dev_id };

    return test(iommu, &arg, "TRIGGER_VEVENT", err);
}
