/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The model of the mock IOMMU that a kernel built with IOMMUFD_TEST has for its own selftests, and of
 * the part of iommufd's core around it: addresses, errnos and their order, the page that can be mapped,
 * events. A test behaves the same on the model and on the mock.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <virtdevfs/iommufd.h>

#include "vcmdq.h"

#define MOCK_FIRST UINT64_C(0x1000000) /* of its addresses */
#define MOCK_LAST UINT64_C(0x7fffffff)
#define MOCK_ALIGN 2048u
#define MOCK_QUEUES 2u
#define MOCK_REG 0xdeadbeefu /* of its hw_info */
#define POINTER_BYTES 8u

static bool has_enabled(const struct vdf_hwqueue *dev)
{
    for (unsigned k = 0; k < VDF_QUEUES; k++)
        if (dev->vcmdqs[k] && dev->vcmdqs[k]->enabled)
            return true;
    return false;
}

/* --- mappings --------------------------------------------------------------------------------- */

/* A queue is pinned in pages of the processor, which are larger than the pages of the mock. */
static int mock_map(struct vdf_hwqueue *dev, const struct vdf_ioas_map *map, struct vdf_err *err)
{
    const struct vdf_ioas_limits limits = {
        .first = MOCK_FIRST,
        .last = MOCK_LAST,
        .align = has_enabled(dev) ? VDF_PAGE_SIZE : MOCK_ALIGN,
    };

    return vdf_ioas_check_map(dev, map, &limits, err);
}

static bool has_unaligned(const struct vdf_ioas *ioas)
{
    for (unsigned k = 0; k < ioas->n; k++) {
        const struct vdf_ioas_map *map = &ioas->maps[k];
        if ((map->iova | map->len | map->offset) & (VDF_PAGE_SIZE - 1))
            return true;
    }
    return false;
}

/* --- queues ----------------------------------------------------------------------------------- */

/* The core pins all pages before it calls the mock. */
static int pin(struct vdf_vcmdq *queue, struct vdf_err *err)
{
    uint64_t page_offset = queue->base & (VDF_PAGE_SIZE - 1), bytes, rounded;

    if (__builtin_add_overflow(page_offset, queue->length, &bytes) ||
        __builtin_add_overflow(bytes, VDF_PAGE_SIZE - 1, &rounded))
        return vdf_fail(err, ERANGE, "0x%" PRIx64 ": whole pages of it exceed 64 bits",
                        queue->length);
    if (rounded / VDF_PAGE_SIZE > INT_MAX / POINTER_BYTES)
        return vdf_fail(err, ENOMEM, "0x%" PRIx64 ": the kernel has no table for so many pages",
                        queue->length);
    if (has_unaligned(&queue->dev->ioas))
        return vdf_fail(err, EADDRINUSE,
                        "a mapping is not of whole pages of 0x%x bytes, as they have to be while "
                        "there is a queue",
                        VDF_PAGE_SIZE);
    return vdf_ioas_pin(queue->dev, queue->base, queue->length, false, &queue->ring, err);
}

static int mock_alloc(struct vdf_vcmdq *queue, struct vdf_err *err)
{
    const struct vdf_hwqueue *dev = queue->dev;
    uint64_t last;

    if (queue->queue_type == 0)
        return vdf_fail(err, EOPNOTSUPP, "0: there is no default type of queues");
    if (queue->length == 0)
        return vdf_fail(err, EINVAL, "0: a queue has a length");
    if (__builtin_add_overflow(queue->base, queue->length - 1, &last))
        return vdf_fail(err, EOVERFLOW,
                        "0x%" PRIx64 ": the queue's 0x%" PRIx64 " bytes exceed 64 bits",
                        queue->base, queue->length);
    if (queue->queue_type != VDF_IOMMU_HW_QUEUE_SELFTEST)
        return vdf_fail(err, EOPNOTSUPP, "0x%x: the mock's type of queues is 0x%x",
                        queue->queue_type, VDF_IOMMU_HW_QUEUE_SELFTEST);
    int ret = pin(queue, err);
    if (ret < 0)
        return ret;
    if (queue->index >= MOCK_QUEUES)
        return vdf_fail(err, EINVAL, "%u: the mock's queues are 0 to %u", queue->index,
                        MOCK_QUEUES - 1);
    if (queue->index > 0 &&
        !(dev->vcmdqs[queue->index - 1] && dev->vcmdqs[queue->index - 1]->enabled))
        return vdf_fail(err, EIO, "queue %u is enabled before queue %u", queue->index - 1,
                        queue->index);
    return 0;
}

static int mock_release(struct vdf_vcmdq *queue, struct vdf_err *err)
{
    const struct vdf_hwqueue *dev = queue->dev;
    unsigned next = queue->index + 1;

    if (next < VDF_QUEUES && dev->vcmdqs[next] && dev->vcmdqs[next]->enabled)
        return vdf_fail(err, EBUSY, "queue %u is enabled; disable it first", next);
    return 0;
}

/* --- devices and events ----------------------------------------------------------------------- */

static int mock_add_vdevice(struct vdf_vdevice *vdevice, struct vdf_err *err)
{
    const struct vdf_hwqueue *dev = vdevice->dev;

    for (unsigned k = 0; k < VDF_VDEVICES; k++)
        if (dev->vdevices[k] && dev->vdevices[k] != vdevice)
            return vdf_fail(err, EEXIST, "0x%x: there is one device, and it is virtual device 0x%x",
                            vdevice->vsid, dev->vdevices[k]->vsid);
    return 0;
}

static void mock_show_hw_info(struct vdf_hwqueue *dev, struct vdf_buf *out)
{
    vdf_buf_printf(out, "type = 0x%08x\nflags = 0x00000000\ntest_reg = 0x%08x",
                   VDF_IOMMU_HW_INFO_SELFTEST, MOCK_REG);
}

/* To the mock, number 0 means that there is no virtual device. */
static int mock_trigger(struct vdf_hwqueue *dev, struct vdf_err *err)
{
    const struct vdf_vdevice *vdevice = NULL;

    for (unsigned k = 0; k < VDF_VDEVICES && !vdevice; k++)
        vdevice = dev->vdevices[k];
    if (!vdevice || vdevice->vsid == 0)
        return vdf_fail(err, ENOENT, "the device has no virtual device but 0: see vdevices");
    const uint64_t payload[2] = { vdevice->vsid, 0 };
    vdf_veventq_add(&dev->veventq, payload);
    return 0;
}

/* --- the page --------------------------------------------------------------------------------- */

int vdf_selftest_reset(struct vdf_hwqueue *dev, struct vdf_err *err)
{
    int ret = vdf_memory_touch(&dev->selftest.region);

    if (ret < 0)
        return vdf_fail(err, -ret, "no memory for the pages of the mock: %s", strerror(-ret));
    vdf_store_le32(dev->selftest.region.base, dev->selftest.viommu_data);
    return 0;
}

int vdf_selftest_page(struct vdf_vcmdq *queue)
{
    struct vdf_memory *region = &queue->dev->selftest.region;

    if (queue->index >= VDF_REGION_PAGES) {
        vdf_memory_view(&queue->page, "vcmdq-page", NULL, 0);
        return 0;
    }
    /* The page has its size even when the region has no memory. */
    vdf_memory_view(&queue->page, "vcmdq-page", NULL, VDF_PAGE_SIZE);
    int ret = vdf_memory_touch(region);
    if (ret < 0)
        return ret;
    vdf_memory_part(&queue->page, "vcmdq-page", region, (uint64_t)queue->index * VDF_PAGE_SIZE,
                    VDF_PAGE_SIZE);
    return 0;
}

/* --- the kind --------------------------------------------------------------------------------- */

static uint64_t length(const struct vdf_vcmdq *queue)
{
    return queue->length;
}

/* The page is memory that the mock does not look at. */
static void store(struct vdf_vcmdq *queue, const void *bytes, size_t n, uint64_t offset)
{
    memcpy(queue->page.base + offset, bytes, n);
}

static void end(struct vdf_hwqueue *dev)
{
    vdf_memory_free(&dev->selftest.region);
}

static const struct vdf_queue_ops queue_ops = {
    .length = length,
    .page_is_view = true,
    .store = store,
    .restored = vdf_vcmdq_allocate,
};

const struct vdf_hwqueue_kind vdf_selftest_kind = {
    .model = {
        .backend = { .name = "soft" },
        .map = mock_map,
        .unmap = vdf_ioas_check_unmap,
        .alloc = mock_alloc,
        .release = mock_release,
        .add_vdevice = mock_add_vdevice,
        .show_hw_info = mock_show_hw_info,
        .read_events = vdf_veventq_read,
        .has_events = vdf_veventq_waits,
        .set_depth = vdf_veventq_store_depth,
        .trigger = mock_trigger,
        .make_page = vdf_selftest_page,
    },
    .kernel = &vdf_kernel_selftest,
    .queue = &queue_ops,
    .queues = VDF_QUEUES,
    .window = 0x50000,
    .event_payload = 4,
    .begin = vdf_selftest_reset,
    .end = end,
    .vsid = "the number",
    .vsid_max = VDF_VIRT_ID_MAX,
};
