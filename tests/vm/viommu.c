/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A Tegra241 vIOMMU for a PCI device whose IOMMU has none: preloaded into the daemon, this answers
 * the commands for the objects that the kernel refuses. The device, VFIO and the address space are
 * the kernel's, so that what happens to the device there happens to the daemon.
 *
 *     VDF_WRAP="env LD_PRELOAD=libviommu.so"
 */
#include <stdarg.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <virtdevfs/iommufd.h>

#include "backends/iommufd/uapi.h"

#define FIRST 0x70000000u /* of the objects' numbers; the kernel's begin with 1 */
#define REGION_OFFSET 0x7000000000
#define REGION_SIZE 0x20000u

static int alloc_hwpt(int fd, struct uapi_hwpt_alloc *arg)
{
    if (arg->pt_id >= FIRST) {
        arg->out_hwpt_id = FIRST + 1;
        return 0;
    }
    /* One that can be attached, though nothing can be nested in it. */
    arg->flags &= ~UAPI_HWPT_NEST_PARENT;
    return (int)syscall(SYS_ioctl, fd, UAPI_HWPT_ALLOC, arg);
}

static int alloc_viommu(struct uapi_viommu_alloc *arg)
{
    struct vdf_iommu_viommu_tegra241 *data = (void *)(uintptr_t)arg->data_uptr;

    data->mmap_offset = REGION_OFFSET;
    data->mmap_length = REGION_SIZE;
    arg->out_viommu_id = FIRST;
    return 0;
}

static int alloc_veventq(struct uapi_veventq_alloc *arg)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    if (fd < 0)
        return -1;
    arg->out_veventq_id = FIRST + 2;
    arg->out_veventq_fd = (uint32_t)fd;
    return 0;
}

int ioctl(int fd, unsigned long request, ...)
{
    va_list args;

    va_start(args, request);
    void *arg = va_arg(args, void *);
    va_end(args);
    switch (request) {
    case UAPI_HWPT_ALLOC:
        return alloc_hwpt(fd, arg);
    case UAPI_VIOMMU_ALLOC:
        return alloc_viommu(arg);
    case UAPI_VEVENTQ_ALLOC:
        return alloc_veventq(arg);
    case UAPI_HW_QUEUE_ALLOC: {
        struct uapi_hw_queue_alloc *queue = arg;
        queue->out_hw_queue_id = FIRST + 3 + queue->index;
        return 0;
    }
    case UAPI_DESTROY: {
        const struct uapi_destroy *object = arg;
        if (object->id >= FIRST)
            return 0;
        break;
    }
    }
    return (int)syscall(SYS_ioctl, fd, request, arg);
}

void *mmap(void *addr, size_t len, int prot, int flags, int fd, off_t offset)
{
    if (offset == REGION_OFFSET)
        return mmap64(addr, len, prot, flags | MAP_ANONYMOUS, -1, 0);
    return mmap64(addr, len, prot, flags, fd, offset);
}
