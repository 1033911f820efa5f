/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The device as a whole: kind, interrupt output, and the files that every kind has. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "vcmdq.h"

const struct vdf_hwqueue_kind *vdf_hwqueue_kind(unsigned type)
{
    static const struct vdf_hwqueue_kind *const kinds[] = {
        [VDF_HWQUEUE_TEGRA241] = &vdf_tegra_kind,
        [VDF_HWQUEUE_AMD] = &vdf_amdvi_kind,
        [VDF_HWQUEUE_SELFTEST] = &vdf_selftest_kind,
    };

    return kinds[type];
}

void vdf_hwqueue_choose(struct vdf_hwqueue *dev, uint8_t type)
{
    dev->type = type;
    dev->kind = vdf_hwqueue_kind(type);
    dev->priv.backend = &dev->kind->model.backend;
}

/* --- interrupt -------------------------------------------------------------------------------- */

bool vdf_hwqueue_irq_level(const struct vdf_hwqueue *dev)
{
    return dev->kind->irq_level && dev->kind->irq_level(dev);
}

void vdf_hwqueue_update_irq(struct vdf_hwqueue *dev)
{
    bool level = vdf_hwqueue_irq_level(dev);

    if (level != dev->irq_level) {
        dev->irq_level = level;
        vdf_irq_set(&dev->irq, level);
    }
}

int vdf_hwqueue_get_interrupt(const struct vdf_at *at, uint64_t *value)
{
    *value = vdf_hwqueue_irq_level(at->priv);
    return 0;
}

/* --- type, backend, memory -------------------------------------------------------------------- */

static bool has_queue(const struct vdf_hwqueue *dev)
{
    for (unsigned k = 0; k < VDF_QUEUES; k++)
        if (dev->vcmdqs[k])
            return true;
    for (unsigned k = 0; k < VDF_AMDVI_QUEUES; k++)
        if (dev->amdvi.queues[k].enabled)
            return true;
    return false;
}

int vdf_hwqueue_check_type(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_hwqueue *dev = at->priv;

    if (value != dev->type && has_queue(dev))
        return vdf_fail(err, EBUSY, "%s: the type is chosen before the first queue",
                        at->attr->choices[value]);
    return 0;
}

static bool has_vdevice(const struct vdf_hwqueue *dev)
{
    for (unsigned k = 0; k < VDF_VDEVICES; k++)
        if (dev->vdevices[k])
            return true;
    return false;
}

/* Another kind of IOMMU begins with fresh registers, and with another vIOMMU in the kernel. */
int vdf_hwqueue_set_type(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_hwqueue *dev = at->priv;
    const struct vdf_hwqueue_kind *now = vdf_hwqueue_kind((unsigned)value);
    uint8_t before = dev->type;

    if (value == dev->type)
        return 0;
    if (now->vsid_max != dev->kind->vsid_max && (has_vdevice(dev) || dev->ioas.n > 0))
        return vdf_fail(err, EBUSY, "%s: the type is chosen before vdevices and ioas/map",
                        at->attr->choices[value]);
    bool kernel = dev->kernel;
    vdf_kernel_close(dev);
    struct vdf_veventq events = dev->veventq;
    dev->veventq = (struct vdf_veventq){ .depth = events.depth };
    vdf_hwqueue_choose(dev, (uint8_t)value);
    int ret = now == &vdf_selftest_kind ? vdf_selftest_reset(dev, err) : 0;
    if (ret == 0 && kernel)
        ret = vdf_kernel_open(dev, err);
    if (ret < 0) {
        if (now == &vdf_selftest_kind)
            vdf_memory_free(&dev->selftest.region);
        dev->veventq = events;
        vdf_hwqueue_choose(dev, before);
        if (kernel)
            vdf_kernel_reopen(dev, NULL);
        return ret;
    }
    vdf_cmdqv_reset(dev);
    vdf_amdvi_reset(dev);
    vdf_veventq_free(&events);
    if (now != &vdf_selftest_kind)
        vdf_memory_free(&dev->selftest.region);
    vdf_hwqueue_update_irq(dev);
    return 0;
}

int vdf_hwqueue_restore_type(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    vdf_hwqueue_choose(at->priv, (uint8_t)value);
    return 0;
}

int vdf_hwqueue_set_viommu_data(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_hwqueue *dev = at->priv;
    uint32_t before = dev->selftest.viommu_data;

    if (value == before)
        return 0;
    if (has_queue(dev))
        return vdf_fail(err, EBUSY, "0x%" PRIx64 ": the word is chosen before the first queue",
                        value);
    /* Pages that the kernel has are given up with its objects. */
    bool kernel = dev->kernel;
    vdf_kernel_close(dev);
    struct vdf_memory pages = dev->selftest.region;
    vdf_memory_init(&dev->selftest.region, pages.label, pages.size);
    dev->selftest.viommu_data = (uint32_t)value;
    int ret = vdf_selftest_reset(dev, err);
    if (ret == 0 && kernel)
        ret = vdf_kernel_open(dev, err);
    if (ret == 0) {
        vdf_memory_free(&pages);
        return 0;
    }
    vdf_memory_free(&dev->selftest.region);
    dev->selftest.region = pages;
    dev->selftest.viommu_data = before;
    if (kernel)
        vdf_kernel_reopen(dev, NULL);
    return ret;
}

/* --- backend ---------------------------------------------------------------------------------- */

int vdf_hwqueue_check_backend(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_hwqueue *dev = at->priv;

    if (value != dev->backend && has_queue(dev))
        return vdf_fail(err, EBUSY, "%s: the backend is chosen before the first queue",
                        at->attr->choices[value]);
    return 0;
}

/* Of a state that is loaded the kernel has objects when all of it is known. */
int vdf_hwqueue_set_backend(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_hwqueue *dev = at->priv;

    if (value == dev->backend)
        return 0;
    if (dev->linked && value == VDF_HWQUEUE_IOMMUFD) {
        int ret = vdf_kernel_open(dev, err);
        if (ret < 0)
            return ret;
    } else if (dev->linked) {
        vdf_kernel_close(dev);
        vdf_hwqueue_move_memory(dev, false);
    }
    dev->backend = (uint8_t)value;
    vdf_obj_set_live(at->obj, value != VDF_HWQUEUE_SOFT);
    return 0;
}

void vdf_hwqueue_show_host(const struct vdf_at *at, struct vdf_buf *out)
{
    const struct vdf_hwqueue *dev = at->priv;
    vdf_buf_printf(out, "%s", dev->host);
}

int vdf_hwqueue_store_host(const struct vdf_at *at, const char *text, size_t len,
                           struct vdf_err *err)
{
    struct vdf_hwqueue *dev = at->priv;

    if (strcmp(text, dev->host) == 0)
        return 0;
    if (len > 0 && strcmp(text, "mock") != 0 && !vdf_vfio_is_address(text))
        return vdf_fail(err, EINVAL, "%.40s: a PCI address as 0000:00:03.0, or mock", text);
    if (dev->backend != VDF_HWQUEUE_SOFT)
        return vdf_fail(err, EBUSY, "%s: the host's device is chosen while backend is soft", text);
    memcpy(dev->host, text, len + 1);
    return 0;
}

void vdf_hwqueue_show_hw_info(const struct vdf_at *at, struct vdf_buf *out)
{
    struct vdf_hwqueue *dev = at->priv;
    vdf_hwqueue_ops(dev)->show_hw_info(dev, out);
}

int vdf_hwqueue_check_hw_info_type(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    if (value != VDF_IOMMU_HW_INFO_DEFAULT && value != VDF_IOMMU_HW_INFO_ARM_SMMUV3 &&
        value != VDF_IOMMU_HW_INFO_TEGRA241)
        return vdf_fail(err, EOPNOTSUPP, "%" PRIu64 ": 0 and 2 are the SMMUv3, 3 is its CMDQV",
                        value);
    return 0;
}

int vdf_hwqueue_check_cmdqs(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_hwqueue *dev = at->priv;

    if (value < VDF_VCMDQ_LOG2_MIN || value > VDF_VCMDQ_LOG2_MAX)
        return vdf_fail(err, EINVAL, "%" PRIu64 ": IDR1.CMDQS is %u to %u here", value,
                        VDF_VCMDQ_LOG2_MIN, VDF_VCMDQ_LOG2_MAX);
    if (value != dev->tegra.cmdqs && has_queue(dev))
        return vdf_fail(err, EBUSY, "%" PRIu64 ": CMDQS is chosen before the first queue", value);
    return 0;
}

int vdf_hwqueue_soft_map(struct vdf_hwqueue *dev, const struct vdf_ioas_map *map,
                         struct vdf_err *err)
{
    static const struct vdf_ioas_limits all = { .last = UINT64_MAX, .align = VDF_PAGE_SIZE };
    return vdf_ioas_check_map(dev, map, &all, err);
}

/* --- memory ----------------------------------------------------------------------------------- */

int vdf_hwqueue_move_memory(struct vdf_hwqueue *dev, bool huge)
{
    struct vdf_memory *old = &dev->memory, now;
    uint64_t end;

    if (huge == old->prefer_huge || dev->memory_open || dev->attached)
        return 0;
    if (old->base) {
        vdf_memory_init(&now, old->label, old->size);
        now.prefer_huge = huge;
        int ret = vdf_memory_touch(&now);
        if (ret < 0)
            return ret;
        for (uint64_t at = 0; (at = vdf_memory_data(old, at, &end)) < old->size; at = end)
            memcpy(now.base + at, old->base + at, end - at);
        vdf_memory_free(old);
        *old = now;
    }
    old->prefer_huge = huge;
    return 0;
}

static bool memory_size_is_right(uint64_t size)
{
    return size > 0 && size % VDF_PAGE_SIZE == 0 && size <= VDF_MEMORY_MAX;
}

int vdf_hwqueue_check_memory_size(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_hwqueue *dev = at->priv;

    if (!memory_size_is_right(value))
        return vdf_fail(err, EINVAL, "%" PRIu64 ": a multiple of %u, up to %" PRIu64, value,
                        VDF_PAGE_SIZE, VDF_MEMORY_MAX);
    if (value == dev->memory_size)
        return 0;
    if (dev->ioas.n > 0)
        return vdf_fail(err, EBUSY, "%" PRIu64 ": the size is chosen before the first mapping",
                        value);
    /* Whoever has it open or mapped would go on with the old one. */
    if (dev->memory_open)
        return vdf_fail(err, EBUSY, "%" PRIu64 ": memory is open: close it first", value);
    return 0;
}

/* Memory of another size is new and empty. */
int vdf_hwqueue_set_memory_size(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_hwqueue *dev = at->priv;

    if (value == dev->memory_size)
        return 0;
    bool huge = dev->memory.prefer_huge;
    dev->memory_size = value;
    vdf_memory_free(&dev->memory);
    vdf_memory_init(&dev->memory, "hwqueue-memory", value);
    dev->memory.prefer_huge = huge;
    return 0;
}

static void memory_opened(const struct vdf_at *at, bool open)
{
    struct vdf_hwqueue *dev = at->priv;

    dev->memory_open = open;
}

const struct vdf_raw_ops vdf_hwqueue_memory_ops = {
    .opened = memory_opened,
};

static uint64_t window_size(const struct vdf_at *at)
{
    return ((const struct vdf_hwqueue *)at->priv)->kind->window;
}

const struct vdf_window_ops vdf_hwqueue_regs_ops = {
    .size = window_size,
    .align = 4,
    .halves = true,
};
