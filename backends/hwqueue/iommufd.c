/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's objects behind the files of a vIOMMU. Writing `backend` makes them, each from the one
 * above it; they are destroyed in reverse order:
 *
 *     /dev/iommu, the host's device (host.c)
 *       IOAS                       ioas/map, ioas/unmap: pages of `memory`, or of a guest
 *         nesting parent
 *           vIOMMU                 a region that is mapped here: `page` of the queues
 *             nested page table    the device is attached to it while it has a vDEVICE
 *             vEVENTQ              `veventq`
 *             vDEVICE              vdevices/N
 *             HW_QUEUE             queues/N/enable
 *
 * A value that the kernel can report is read from the kernel: events stay in its queue until they are
 * read. The kernel does not report the mappings and the values that its objects were made with, so that
 * the device has them.
 *
 * The engine watches the vEVENTQ through an epoll instance, for two reasons. An event that is not read
 * wakes the engine only once. And closing the descriptor here destroys the vEVENTQ, which the engine's
 * duplicate of the descriptor would prevent.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>
#include <virtdevfs/iommufd.h>

#include "vcmdq.h"

#define VCMDQ_STRIDE 0x80u       /* from one queue's registers to the next in the VINTF's page 0 */
#define STE_BYPASS UINT64_C(0x9) /* valid, stage 1 and stage 2 bypassed by this guest's table */
#define EVENTS_AT_ONCE 64u

struct vdf_kernel {
    struct vdf_host *host;
    bool taken; /* by this device */
    struct vdf_async *on_request;
    /* Numbers of objects; 0: not made. */
    uint32_t ioas, stdev, dev_id, parent, viommu, nested, veventq;
    bool attached; /* VFIO: to the parent or to the nested page table */
    uint32_t queues[VDF_QUEUES];
    uint32_t vdevices[VDF_VDEVICES];
    uint8_t *map; /* the vIOMMU's region; NULL: it has none */
    size_t map_len;
    struct vdf_memory pages; /* selftest: the pages of the model, while the region replaces them */
    int event_fd, epoll;     /* -1: none */
    struct vdf_async *watch;
    uint32_t sequence; /* of this device, for the kernel's sequence number 0 */
};

union hw_info {
    struct vdf_iommu_hw_info_smmuv3 smmu;
    struct vdf_iommu_hw_info_tegra241 tegra;
    struct vdf_iommu_hw_info_selftest selftest;
};

/* A kind's numbers and steps in the kernel. */
struct vdf_kernel_kind {
    uint32_t viommu, veventq;
    uint32_t hw_queue; /* 0: each queue says its type */
    uint32_t hw_info;  /* 0: the device says which */
    /* Make the vIOMMU and the objects that it needs. */
    int (*make)(struct vdf_hwqueue *dev, struct vdf_kernel *k, struct vdf_err *err);
    /* The vIOMMU is complete; NULL: nothing is to be done. */
    int (*made)(struct vdf_hwqueue *dev, struct vdf_err *err);
    int (*make_page)(struct vdf_vcmdq *queue);
    /* A queue loses its object: the model makes its page again. */
    void (*leave_page)(struct vdf_vcmdq *queue);
    void (*show_hw_info)(uint32_t type, const union hw_info *data, struct vdf_buf *out);
};

static const struct vdf_hwqueue_ops kernel_ops;

static const struct vdf_kernel_kind *numbers(const struct vdf_hwqueue *dev)
{
    return dev->kind->kernel;
}

/* --- events ----------------------------------------------------------------------------------- */

/* An event of the hardware is an error of a queue, which raises the interrupt output. */
static bool event_came(struct vdf_obj *obj, void *ctx, uint64_t value)
{
    struct vdf_hwqueue *dev = ctx;
    struct epoll_event event;

    if (!dev->kernel || epoll_wait(dev->kernel->epoll, &event, 1, 0) != 1)
        return false;
    for (unsigned k = 0; k < VDF_QUEUES; k++)
        if (dev->vcmdqs[k] && dev->vcmdqs[k]->hardware)
            vdf_vcmdq_load_hardware(dev->vcmdqs[k]);
    vdf_hwqueue_update_irq(dev);
    return true;
}

static int watch(struct vdf_hwqueue *dev, struct vdf_kernel *k, struct vdf_err *err)
{
    struct epoll_event event = { .events = EPOLLIN | EPOLLET };

    if (k->epoll < 0)
        k->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (k->epoll < 0 || epoll_ctl(k->epoll, EPOLL_CTL_ADD, k->event_fd, &event) < 0)
        return vdf_fail(err, errno, "the vEVENTQ cannot be watched: %s", strerror(errno));
    if (!k->watch)
        k->watch = vdf_async_fd(dev->priv.obj, event_came, dev, k->epoll, EPOLLIN);
    if (!k->watch)
        return vdf_fail(err, errno, "the vEVENTQ cannot be watched: %s", strerror(errno));
    return 0;
}

static int drop_veventq(struct vdf_kernel *k, struct vdf_err *err)
{
    int ret = 0;

    if (k->event_fd >= 0)
        close(k->event_fd);
    k->event_fd = -1;
    if (k->veventq)
        ret = vdf_iommufd_destroy(k->host->iommu, k->veventq, err);
    if (ret == 0)
        k->veventq = 0;
    return ret;
}

static int make_veventq(struct vdf_hwqueue *dev, struct vdf_kernel *k, uint32_t depth,
                        struct vdf_err *err)
{
    int ret = vdf_iommufd_veventq_alloc(k->host->iommu, k->viommu, numbers(dev)->veventq, depth,
                                        &k->veventq, &k->event_fd, err);
    if (ret < 0)
        return ret;
    k->sequence = dev->veventq.sequence;
    if (dev->linked)
        ret = watch(dev, k, err);
    if (ret < 0)
        drop_veventq(k, NULL);
    return ret;
}

/* Read whole records from the kernel, with the sequence numbers of this device. */
static ssize_t fetch(struct vdf_hwqueue *dev, uint8_t *bytes, size_t n)
{
    struct vdf_kernel *k = dev->kernel;
    size_t record = VDF_VEVENT_HEADER + vdf_veventq_payload(dev);
    ssize_t got = read(k->event_fd, bytes, n);

    if (got < 0)
        return -errno;
    for (ssize_t at = 0; at + (ssize_t)VDF_VEVENT_HEADER <= got;) {
        struct vdf_iommu_vevent_header header;
        memcpy(&header, bytes + at, sizeof(header));
        header.sequence = (header.sequence + k->sequence) & VDF_VEVENT_SEQUENCE_MASK;
        dev->veventq.sequence = (header.sequence + 1) & VDF_VEVENT_SEQUENCE_MASK;
        memcpy(bytes + at, &header, sizeof(header));
        at += (ssize_t)(header.flags & VDF_IOMMU_VEVENT_LOST_EVENTS ? VDF_VEVENT_HEADER : record);
    }
    return got;
}

static bool kernel_waits(const struct vdf_kernel *k)
{
    struct pollfd fd = { .fd = k->event_fd, .events = POLLIN };
    return poll(&fd, 1, 0) == 1;
}

static bool has_events(struct vdf_hwqueue *dev)
{
    return vdf_veventq_waits(dev) || kernel_waits(dev->kernel);
}

static ssize_t read_events(struct vdf_hwqueue *dev, void *bytes, size_t n, struct vdf_err *err)
{
    /* Events that a save has fetched come first. An event replaces a lone header. */
    if (dev->veventq.lost && kernel_waits(dev->kernel)) {
        dev->veventq.lost = false;
        dev->veventq.lost_sequence = 0;
    }
    ssize_t got = vdf_veventq_read(dev, bytes, n, err);
    if (got)
        return got;
    got = fetch(dev, bytes, n);
    if (got < 0)
        return vdf_fail(err, (int)-got, "%zu bytes from the vEVENTQ: %s", n, strerror((int)-got));
    return got;
}

static void keep_record(struct vdf_hwqueue *dev, const struct vdf_iommu_vevent_header *header,
                        const uint8_t *payload)
{
    struct vdf_veventq *queue = &dev->veventq;
    struct vdf_vevent event = { .sequence = header->sequence };
    uint64_t words[2] = { 0 };

    queue->lost = header->flags & VDF_IOMMU_VEVENT_LOST_EVENTS;
    if (!queue->lost) {
        memcpy(words, payload, vdf_veventq_payload(dev));
        event.map[0] = le64toh(words[0]);
        event.map[1] = le64toh(words[1]);
        queue->lost = !vdf_veventq_append(queue, &event, 2 * queue->depth);
    }
    queue->lost_sequence = queue->lost ? header->sequence : 0;
}

/*
 * A state has the events that wait. The kernel shows events only by removing them, so that from then on
 * the device keeps them. The events here and in the kernel together can be twice the queue's depth;
 * further events are lost.
 */
static void settle_events(struct vdf_hwqueue *dev)
{
    size_t record = VDF_VEVENT_HEADER + vdf_veventq_payload(dev);
    uint8_t bytes[EVENTS_AT_ONCE * (VDF_VEVENT_HEADER + 16u)];
    ssize_t got;

    while ((got = fetch(dev, bytes, EVENTS_AT_ONCE * record)) > 0) {
        for (ssize_t at = 0; at < got;) {
            struct vdf_iommu_vevent_header header;
            memcpy(&header, bytes + at, sizeof(header));
            keep_record(dev, &header, bytes + at + sizeof(header));
            at +=
                (ssize_t)(header.flags & VDF_IOMMU_VEVENT_LOST_EVENTS ? VDF_VEVENT_HEADER : record);
        }
    }
}

/* Fetch the events first: they go with the queue. */
static int end_veventq(struct vdf_hwqueue *dev, struct vdf_err *err)
{
    if (dev->kernel->event_fd >= 0)
        settle_events(dev);
    return drop_veventq(dev->kernel, err);
}

/* The kernel checks the depth before it refuses a second queue: this asks for its opinion of
 * @depth. */
static int set_depth(struct vdf_hwqueue *dev, uint32_t depth, struct vdf_err *err)
{
    struct vdf_kernel *k = dev->kernel;
    uint32_t other;
    int fd;
    int ret = vdf_iommufd_veventq_alloc(k->host->iommu, k->viommu, numbers(dev)->veventq, depth,
                                        &other, &fd, err);

    if (ret == 0) {
        close(fd);
        vdf_iommufd_destroy(k->host->iommu, other, NULL);
    } else if (ret != -EEXIST) {
        return ret;
    }
    settle_events(dev);
    uint32_t before = dev->veventq.depth;
    ret = vdf_veventq_store_depth(dev, depth, err);
    if (ret < 0)
        return ret;
    ret = end_veventq(dev, err);
    if (ret == 0)
        ret = make_veventq(dev, k, depth, err);
    if (ret < 0) {
        dev->veventq.depth = before;
        if (make_veventq(dev, k, before, NULL) < 0)
            vdf_kernel_reopen(dev, NULL);
    }
    return ret;
}

static int trigger(struct vdf_hwqueue *dev, struct vdf_err *err)
{
    return vdf_iommufd_mock_vevent(dev->kernel->host->iommu, dev->kernel->dev_id, err);
}

/* --- mappings --------------------------------------------------------------------------------- */

static int map(struct vdf_hwqueue *dev, const struct vdf_ioas_map *map, struct vdf_err *err)
{
    struct vdf_space own;
    const struct vdf_space *space = vdf_hwqueue_space(dev, &own);
    uint64_t end;
    int ret = dev->vm_memory ? 0 : vdf_memory_touch(&dev->memory);

    if (ret < 0)
        return vdf_fail(err, -ret, "no memory to be mapped: %s", strerror(-ret));
    if (__builtin_add_overflow(map->offset, map->len, &end))
        return vdf_fail(err, EOVERFLOW, "0x%" PRIx64 ": offset and length exceed 64 bits",
                        map->offset);
    void *from = vdf_space_at(space, map->offset, map->len, !map->read_only);
    if (!from && vdf_space_has(space, map->offset, map->len, !map->read_only))
        return vdf_fail(err, EFAULT,
                        "0x%" PRIx64 ": the guest's 0x%" PRIx64
                        " bytes are not in one region that is mapped here, as the kernel needs it",
                        map->offset, map->len);
    /* Nothing is mapped at the first page of a process: where there is no memory, this address makes
     * the kernel answer as for unmapped memory. */
    if (!from)
        from = (void *)(uintptr_t)(map->offset % VDF_PAGE_SIZE);
    return vdf_iommufd_map(dev->kernel->host->iommu, dev->kernel->ioas, from, map->iova, map->len,
                           !map->read_only, err);
}

/* Restore the mappings that were removed before one was refused. */
static void map_again(struct vdf_hwqueue *dev, unsigned first, unsigned end)
{
    struct vdf_err err = { 0 };

    while (end-- > first) {
        if (map(dev, &dev->ioas.maps[end], &err) == 0)
            continue;
        vdf_report(dev->priv.obj, err.code, "0x%" PRIx64 " is no longer mapped: %s",
                   dev->ioas.maps[end].iova, err.text);
        memmove(&dev->ioas.maps[end], &dev->ioas.maps[end + 1],
                (dev->ioas.n - end - 1) * sizeof(*dev->ioas.maps));
        dev->ioas.n--;
    }
}

/* The kernel stops at the first mapping that it refuses, and does not report which ones it has removed.
 * Each mapping is therefore removed by a call of its own. */
static int unmap(struct vdf_hwqueue *dev, uint64_t iova, uint64_t len, struct vdf_err *err)
{
    const struct vdf_kernel *k = dev->kernel;
    bool all = iova == 0 && len == UINT64_MAX;
    uint64_t last = UINT64_MAX;
    unsigned first, n = vdf_ioas_covered(&dev->ioas, iova, len, &first);

    if (!all && (iova == UINT64_MAX || len == UINT64_MAX || len == 0 ||
                 __builtin_add_overflow(iova, len - 1, &last)))
        n = 0;
    if (n == 0)
        return vdf_iommufd_unmap(k->host->iommu, k->ioas, iova, len, NULL, err);
    for (unsigned at = first; at < first + n; at++) {
        const struct vdf_ioas_map *map = &dev->ioas.maps[at];
        bool whole = map->iova >= iova && map->iova + (map->len - 1) <= last;
        int ret = vdf_iommufd_unmap(k->host->iommu, k->ioas, whole ? map->iova : iova,
                                    whole ? map->len : len, NULL, err);
        if (ret < 0) {
            map_again(dev, first, at);
            return ret;
        }
    }
    return 0;
}

/* --- queues ----------------------------------------------------------------------------------- */

static int alloc(struct vdf_vcmdq *queue, struct vdf_err *err)
{
    const struct vdf_hwqueue *dev = queue->dev;
    struct vdf_kernel *k = dev->kernel;
    uint32_t type = numbers(dev)->hw_queue ? numbers(dev)->hw_queue : queue->queue_type;

    return vdf_iommufd_hw_queue_alloc(k->host->iommu, k->viommu, type, queue->index, queue->base,
                                      vdf_vcmdq_length(queue), &k->queues[queue->index], err);
}

static int release(struct vdf_vcmdq *queue, struct vdf_err *err)
{
    struct vdf_kernel *k = queue->dev->kernel;
    int ret = vdf_iommufd_destroy(k->host->iommu, k->queues[queue->index], err);

    if (ret == 0)
        k->queues[queue->index] = 0;
    return ret;
}

static int make_page(struct vdf_vcmdq *queue)
{
    return numbers(queue->dev)->make_page(queue);
}

static int make_tegra_page(struct vdf_vcmdq *queue)
{
    struct vdf_kernel *k = queue->dev->kernel;

    if (queue->hardware)
        return 0;
    vdf_memory_free(&queue->page);
    vdf_memory_view(&queue->page, "vcmdq-page", k->map + queue->index * VCMDQ_STRIDE,
                    VDF_PAGE_SIZE);
    queue->hardware = queue->published = true;
    return 0;
}

/* Store the driver's words again. */
static void store_registers(struct vdf_vcmdq *queue)
{
    uint8_t *page = queue->page.base;

    vdf_store_le32(page + REG_CONS, queue->cons);
    vdf_store_le32(page + REG_PROD, queue->prod);
    vdf_store_le32(page + REG_GERRORN, queue->gerrorn);
    vdf_store_le32(page + REG_CONFIG, queue->config);
}

/* The model has the registers again, with the last values of the hardware. */
static void leave_page(struct vdf_vcmdq *queue)
{
    if (queue->hardware)
        vdf_vcmdq_load_hardware(queue);
    queue->hardware = queue->published = false;
    vdf_vcmdq_show_in_vintf(queue);
    vdf_memory_free(&queue->page);
    vdf_memory_init(&queue->page, "vcmdq-page", VDF_PAGE_SIZE);
}

/* --- devices ---------------------------------------------------------------------------------- */

static int attach(struct vdf_kernel *k, bool nested, struct vdf_err *err)
{
    if (k->stdev)
        return vdf_iommufd_mock_replace(k->host->iommu, k->stdev, nested ? k->nested : k->ioas,
                                        err);
    return vdf_vfio_attach(k->host->device, nested ? k->nested : k->parent, err);
}

static int destroy_vdevice(struct vdf_kernel *k, unsigned slot, struct vdf_err *err)
{
    int ret = k->vdevices[slot] ? vdf_iommufd_destroy(k->host->iommu, k->vdevices[slot], err) : 0;

    if (ret == 0)
        k->vdevices[slot] = 0;
    return ret;
}

/* A vDEVICE that remained would still raise events. */
static int drop_vdevice(struct vdf_vdevice *vdevice, struct vdf_err *err)
{
    struct vdf_hwqueue *dev = vdevice->dev;
    struct vdf_err said = { 0 };
    int ret = attach(dev->kernel, false, err);

    if (ret < 0)
        return ret;
    ret = destroy_vdevice(dev->kernel, vdevice->slot, err);
    if (ret < 0 && attach(dev->kernel, true, &said) < 0)
        vdf_report(dev->priv.obj, said.code, "virtual device 0x%x raises no events any more: %s",
                   vdevice->vsid, said.text);
    return ret;
}

/* The vDEVICE comes first: the nested page table finds the device by its number. */
static int add_vdevice(struct vdf_vdevice *vdevice, struct vdf_err *err)
{
    struct vdf_kernel *k = vdevice->dev->kernel;
    /* An earlier failure may have left this object. */
    int ret = destroy_vdevice(k, vdevice->slot, err);

    if (ret == 0)
        ret = vdf_iommufd_vdevice_alloc(k->host->iommu, k->viommu, k->dev_id, vdevice->vsid,
                                        &k->vdevices[vdevice->slot], err);
    if (ret < 0)
        return ret;
    ret = attach(k, true, err);
    if (ret < 0)
        destroy_vdevice(k, vdevice->slot, NULL);
    return ret;
}

static void show_hw_info(struct vdf_hwqueue *dev, struct vdf_buf *out)
{
    const struct vdf_kernel *k = dev->kernel;
    union hw_info data = { 0 };
    uint32_t type = numbers(dev)->hw_info ? numbers(dev)->hw_info : dev->tegra.hw_info_type;

    if (vdf_iommufd_hw_info(k->host->iommu, k->dev_id, &type, &data, sizeof(data), NULL, NULL) < 0)
        vdf_buf_printf(out, "type = 0");
    else
        numbers(dev)->show_hw_info(type, &data, out);
}

static void show_selftest_info(uint32_t type, const union hw_info *data, struct vdf_buf *out)
{
    vdf_buf_printf(out, "type = 0x%08x\nflags = 0x%08x\ntest_reg = 0x%08x", type,
                   data->selftest.flags, data->selftest.test_reg);
}

static void show_tegra_info(uint32_t type, const union hw_info *data, struct vdf_buf *out)
{
    if (type == VDF_IOMMU_HW_INFO_ARM_SMMUV3)
        vdf_smmu_show_hw_info(&data->smmu, out);
    else
        vdf_buf_printf(
            out, "type = %u\nflags = 0x%08x\nversion = %u\nlog2vcmdqs = %u\nlog2vsids = %u", type,
            data->tegra.flags, data->tegra.version, data->tegra.log2vcmdqs, data->tegra.log2vsids);
}

/* --- without the kernel ----------------------------------------------------------------------- */

/* The model takes over the queues of the kernel. Memory need not be contiguous any longer. */
static void go_on_without(struct vdf_hwqueue *dev)
{
    dev->backend = VDF_HWQUEUE_SOFT;
    vdf_hwqueue_move_memory(dev, false);
    for (unsigned k = 0; k < VDF_QUEUES; k++)
        if (dev->vcmdqs[k] && dev->vcmdqs[k]->enabled &&
            vdf_hwqueue_ops(dev)->alloc(dev->vcmdqs[k], NULL) < 0)
            vdf_vcmdq_release(dev->vcmdqs[k]);
}

/* The host's device is unplugged or its driver unbound, which waits until the device is
 * released. */
static bool on_request(struct vdf_obj *obj, void *ctx, uint64_t count)
{
    struct vdf_hwqueue *dev = ctx;

    vdf_report(obj, ENODEV, "%s is taken away from vfio-pci: it is released, backend is soft",
               dev->host);
    vdf_kernel_close(dev);
    go_on_without(dev);
    return true;
}

/* --- making all objects ----------------------------------------------------------------------- */

/* Only one object at a time owns the host's device, and its owner releases it. */
static int take_host(struct vdf_hwqueue *dev, struct vdf_kernel *k, struct vdf_err *err)
{
    int ret = vdf_host_take(k->host, err);

    if (ret < 0)
        return ret;
    k->taken = true;
    k->on_request = vdf_async_eventfd(dev->priv.obj, on_request, dev, k->host->request);
    if (!k->on_request)
        return vdf_fail(err, errno, "the kernel's request for %s cannot be watched: %s", dev->host,
                        strerror(errno));
    ret = attach(k, false, err);
    k->attached = ret == 0;
    return ret;
}

/* Make the mock's device in the address space, or attach the host's device, which its owner
 * does. */
static int make_parent(struct vdf_hwqueue *dev, struct vdf_kernel *k, struct vdf_err *err)
{
    int iommu = k->host->iommu;
    int ret = vdf_iommufd_ioas_alloc(iommu, &k->ioas, err);

    if (ret < 0)
        return ret;
    k->dev_id = k->host->dev_id;
    if (k->host->device < 0)
        ret = vdf_iommufd_mock_device(iommu, k->ioas, &k->stdev, &k->dev_id, err);
    if (ret == 0)
        ret = vdf_iommufd_hwpt_parent(iommu, k->dev_id, k->ioas, &k->parent, err);
    if (ret < 0 || k->stdev || !dev->linked)
        return ret;
    return take_host(dev, k, err);
}

static int map_region(struct vdf_kernel *k, uint64_t offset, uint64_t length, struct vdf_err *err)
{
    void *map =
        mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, k->host->iommu, (off_t)offset);
    if (map == MAP_FAILED)
        return vdf_fail(err, errno,
                        "mmap of 0x%" PRIx64 " bytes at 0x%" PRIx64 " of the vIOMMU: %s", length,
                        offset, strerror(errno));
    k->map = map;
    k->map_len = length;
    return 0;
}

static int make_selftest(struct vdf_hwqueue *dev, struct vdf_kernel *k, struct vdf_err *err)
{
    struct vdf_iommu_viommu_selftest data = { .in_data = dev->selftest.viommu_data };
    struct vdf_iommu_hwpt_selftest table = { 0 };
    int ret = vdf_iommufd_viommu_alloc(k->host->iommu, numbers(dev)->viommu, k->dev_id, k->parent,
                                       &data, sizeof(data), &k->viommu, err);
    if (ret == 0 && data.mmap_length < VDF_REGION_SIZE)
        ret = vdf_fail(err, EINVAL, "0x%" PRIx64 ": the mock's region has at least 0x%x bytes",
                       data.mmap_length, VDF_REGION_SIZE);
    if (ret == 0)
        ret = map_region(k, data.mmap_offset, data.mmap_length, err);
    if (ret == 0)
        ret = vdf_iommufd_hwpt_nested(k->host->iommu, k->dev_id, k->viommu, VDF_IOMMU_HWPT_SELFTEST,
                                      &table, sizeof(table), &k->nested, err);
    return ret;
}

static int make_tegra(struct vdf_hwqueue *dev, struct vdf_kernel *k, struct vdf_err *err)
{
    struct vdf_iommu_viommu_tegra241 data = { 0 };
    struct vdf_iommu_hwpt_arm_smmuv3 table = { .ste = { htole64(STE_BYPASS) } };
    int ret = vdf_iommufd_viommu_alloc(k->host->iommu, numbers(dev)->viommu, k->dev_id, k->parent,
                                       &data, sizeof(data), &k->viommu, err);
    if (ret == 0 && data.mmap_length < VDF_PAGE_SIZE + VDF_VCMDQS * VCMDQ_STRIDE)
        ret = vdf_fail(err, EINVAL, "0x%" PRIx64 ": a VINTF's page 0 is longer than a page",
                       data.mmap_length);
    if (ret == 0)
        ret = map_region(k, data.mmap_offset, data.mmap_length, err);
    if (ret == 0)
        ret =
            vdf_iommufd_hwpt_nested(k->host->iommu, k->dev_id, k->viommu, VDF_IOMMU_HWPT_ARM_SMMUV3,
                                    &table, sizeof(table), &k->nested, err);
    return ret;
}

/* The region of the mock replaces the pages of the model, and receives their content. The pages are
 * kept, because going back must not fail. */
static int move_region(struct vdf_hwqueue *dev, struct vdf_err *err)
{
    struct vdf_kernel *k = dev->kernel;
    struct vdf_memory *region = &dev->selftest.region;
    int ret = vdf_memory_touch(region);

    if (ret < 0)
        return vdf_fail(err, -ret, "no memory for the pages of the mock: %s", strerror(-ret));
    for (size_t at = 0; at < VDF_REGION_SIZE; at += 4) {
        uint32_t word = vdf_load_le32(region->base + at);
        if (vdf_load_le32(k->map + at) != word)
            vdf_store_le32(k->map + at, word);
    }
    k->pages = *region;
    vdf_memory_view(region, "hwqueue-region", k->map, VDF_REGION_SIZE);
    return 0;
}

static void leave_region(struct vdf_hwqueue *dev)
{
    const struct vdf_kernel *k = dev->kernel;

    if (!k->pages.base)
        return;
    memcpy(k->pages.base, k->map, VDF_REGION_SIZE);
    dev->selftest.region = k->pages;
}

/* Make the objects of the existing mappings, devices and queues. */
static int make_contents(struct vdf_hwqueue *dev, struct vdf_err *err)
{
    int ret = 0;

    for (unsigned k = 0; ret == 0 && k < dev->ioas.n; k++)
        ret = map(dev, &dev->ioas.maps[k], err);
    for (unsigned k = 0; ret == 0 && k < VDF_VDEVICES; k++)
        if (dev->vdevices[k] && (dev->kernel->stdev || dev->kernel->taken))
            ret = add_vdevice(dev->vdevices[k], err);
    for (unsigned k = 0; ret == 0 && k < VDF_QUEUES; k++) {
        struct vdf_vcmdq *queue = dev->vcmdqs[k];
        if (!queue)
            continue;
        if (queue->enabled)
            ret = alloc(queue, err);
        if (ret == 0)
            ret = make_page(queue);
        if (ret == 0 && queue->enabled && queue->hardware)
            store_registers(queue);
    }
    return ret;
}

static int make_objects(struct vdf_hwqueue *dev, struct vdf_err *err)
{
    struct vdf_kernel *k = dev->kernel;
    int ret = vdf_host_open(dev->host, &k->host, err);

    if (ret == 0)
        ret = make_parent(dev, k, err);
    if (ret == 0)
        ret = numbers(dev)->make(dev, k, err);
    if (ret == 0)
        ret = make_veventq(dev, k, dev->veventq.depth, err);
    if (ret == 0 && numbers(dev)->made)
        ret = numbers(dev)->made(dev, err);
    return ret < 0 ? ret : make_contents(dev, err);
}

/* An older kernel does not have the commands, or was built without the mock. */
static int as_absent(int ret, struct vdf_err *err)
{
    if (ret == -ENOTTY && err)
        err->code = ENODEV;
    return ret == -ENOTTY ? -ENODEV : ret;
}

int vdf_kernel_open(struct vdf_hwqueue *dev, struct vdf_err *err)
{
    if (!numbers(dev))
        return vdf_fail(err, EOPNOTSUPP, "amd: no kernel has hardware queues of an AMD IOMMU");
    if (!dev->host[0])
        return vdf_fail(err, ENODEV,
                        "host is empty: write the PCI address of a device that is bound to "
                        "vfio-pci there, or mock");
    struct vdf_kernel *k = calloc(1, sizeof(*k));
    if (!k)
        return vdf_fail(err, ENOMEM, "no memory for the kernel's objects");
    k->event_fd = k->epoll = -1;
    dev->kernel = k;
    dev->priv.backend = &kernel_ops.backend;
    int ret = vdf_hwqueue_move_memory(dev, true);
    ret = ret < 0 ? vdf_fail(err, -ret, "no memory for memory: %s", strerror(-ret))
                  : make_objects(dev, err);
    if (ret < 0) {
        vdf_kernel_close(dev);
        vdf_hwqueue_move_memory(dev, false);
    }
    return as_absent(ret, err);
}

static void destroy(const struct vdf_kernel *k, uint32_t id)
{
    if (id)
        vdf_iommufd_destroy(k->host->iommu, id, NULL);
}

static void leave_contents(struct vdf_hwqueue *dev)
{
    struct vdf_kernel *k = dev->kernel;

    for (unsigned n = VDF_QUEUES; n-- > 0;) {
        struct vdf_vcmdq *queue = dev->vcmdqs[n];
        if (queue && numbers(dev)->leave_page)
            numbers(dev)->leave_page(queue);
        destroy(k, k->queues[n]);
    }
    for (unsigned n = VDF_VDEVICES; n-- > 0;) {
        if (!k->vdevices[n])
            continue;
        attach(k, false, NULL);
        destroy_vdevice(k, n, NULL);
    }
}

void vdf_kernel_close(struct vdf_hwqueue *dev)
{
    struct vdf_kernel *k = dev->kernel;

    if (!k)
        return;
    if (k->host) {
        vdf_async_free(k->watch);
        if (k->epoll >= 0)
            close(k->epoll);
        leave_contents(dev);
        leave_region(dev);
        end_veventq(dev, NULL);
        destroy(k, k->nested);
        if (k->map)
            munmap(k->map, k->map_len);
        destroy(k, k->viommu);
        if (k->attached)
            vdf_vfio_detach(k->host->device, NULL);
        vdf_async_free(k->on_request);
        if (k->taken)
            vdf_host_leave(k->host);
        destroy(k, k->parent);
        destroy(k, k->stdev);
        destroy(k, k->ioas);
        vdf_host_close(k->host);
    }
    free(k);
    dev->kernel = NULL;
    dev->priv.backend = &dev->kind->model.backend;
    for (unsigned n = 0; n < VDF_QUEUES; n++)
        if (dev->vcmdqs[n] && dev->vcmdqs[n]->ops->page_is_view)
            vdf_vcmdq_make_page(dev->vcmdqs[n]);
}

int vdf_kernel_reopen(struct vdf_hwqueue *dev, struct vdf_err *err)
{
    struct vdf_err said = { 0 };

    vdf_kernel_close(dev);
    int ret = vdf_kernel_open(dev, err ? err : &said);
    if (ret == 0 || err)
        return ret;
    vdf_report(dev->priv.obj, said.code, "the kernel's objects are gone, backend is soft: %s",
               said.text);
    go_on_without(dev);
    return ret;
}

const struct vdf_kernel_kind vdf_kernel_tegra = {
    .viommu = VDF_IOMMU_VIOMMU_TEGRA241,
    .veventq = VDF_IOMMU_VEVENTQ_TEGRA241,
    .hw_queue = VDF_IOMMU_HW_QUEUE_TEGRA241,
    .make = make_tegra,
    .make_page = make_tegra_page,
    .leave_page = leave_page,
    .show_hw_info = show_tegra_info,
};

const struct vdf_kernel_kind vdf_kernel_selftest = {
    .viommu = VDF_IOMMU_VIOMMU_SELFTEST,
    .veventq = VDF_IOMMU_VEVENTQ_SELFTEST,
    .hw_info = VDF_IOMMU_HW_INFO_SELFTEST,
    .make = make_selftest,
    .made = move_region,
    .make_page = vdf_selftest_page,
    .show_hw_info = show_selftest_info,
};

static const struct vdf_hwqueue_ops kernel_ops = {
    .backend = { .name = "iommufd" },
    .map = map,
    .unmap = unmap,
    .alloc = alloc,
    .release = release,
    .add_vdevice = add_vdevice,
    .drop_vdevice = drop_vdevice,
    .show_hw_info = show_hw_info,
    .read_events = read_events,
    .has_events = has_events,
    .settle_events = settle_events,
    .set_depth = set_depth,
    .trigger = trigger,
    .make_page = make_page,
};
