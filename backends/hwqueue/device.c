/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The device as a whole: kind, interrupt output, and the files that every kind has. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "hwqueue.h"

#define TEGRA_WINDOW_SIZE 0x50000u
#define AMD_WINDOW_SIZE 0x4000u

bool vdf_hwqueue_is_amd(const void *priv)
{
    const struct vdf_hwqueue *dev = priv;
    return dev->type == VDF_HWQUEUE_AMD;
}

bool vdf_hwqueue_is_tegra(const void *priv)
{
    const struct vdf_hwqueue *dev = priv;
    return dev->type == VDF_HWQUEUE_TEGRA241;
}

bool vdf_hwqueue_is_selftest(const void *priv)
{
    const struct vdf_hwqueue *dev = priv;
    return dev->type == VDF_HWQUEUE_SELFTEST;
}

bool vdf_hwqueue_has_vintf_page(const void *priv)
{
    const struct vdf_hwqueue *dev = priv;
    return vdf_hwqueue_is_tegra(dev) && !dev->kernel;
}

bool vdf_hwqueue_has_queues(const void *priv)
{
    return !vdf_hwqueue_is_amd(priv);
}

bool vdf_hwqueue_has_registers(const void *priv)
{
    return !vdf_hwqueue_is_selftest(priv);
}

const struct vdf_hwqueue_ops *vdf_hwqueue_ops(const struct vdf_hwqueue *dev)
{
    if (dev->kernel)
        return &vdf_hwqueue_kernel_ops;
    return vdf_hwqueue_is_selftest(dev) ? &vdf_hwqueue_selftest_ops : &vdf_hwqueue_soft_ops;
}

int vdf_hwqueue_restore_field(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    void *field = (char *)at->priv + at->attr->field;

    switch (at->attr->width) {
    case 1:
        *(uint8_t *)field = (uint8_t)value;
        break;
    case 4:
        *(uint32_t *)field = (uint32_t)value;
        break;
    default:
        *(uint64_t *)field = value;
        break;
    }
    return 0;
}

/* --- interrupt -------------------------------------------------------------------------------- */

bool vdf_hwqueue_irq_level(const struct vdf_hwqueue *dev)
{
    if (vdf_hwqueue_is_amd(dev))
        return vdf_amdvi_interrupt(dev);
    if (vdf_hwqueue_is_selftest(dev) || dev->vintf_int_mask & 1)
        return false;
    for (unsigned k = 0; k < VDF_VCMDQS; k++)
        if (dev->vcmdqs[k] && vdf_vcmdq_error(dev->vcmdqs[k]))
            return true;
    return false;
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
        if (dev->amd[k].enabled)
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
    uint8_t before = dev->type;

    if (value == dev->type)
        return 0;
    /* What virtual devices and mappings can be depends on it. */
    if ((value == VDF_HWQUEUE_SELFTEST || before == VDF_HWQUEUE_SELFTEST) &&
        (has_vdevice(dev) || dev->ioas.n > 0))
        return vdf_fail(err, EBUSY, "%s: the type is chosen before vdevices and ioas/map",
                        at->attr->choices[value]);
    bool kernel = dev->kernel;
    vdf_kernel_close(dev);
    struct vdf_veventq events = dev->veventq;
    dev->veventq = (struct vdf_veventq){ .depth = events.depth };
    dev->type = (uint8_t)value;
    int ret = value == VDF_HWQUEUE_SELFTEST ? vdf_selftest_reset(dev, err) : 0;
    if (ret == 0 && kernel)
        ret = vdf_kernel_open(dev, err);
    if (ret < 0) {
        if (value == VDF_HWQUEUE_SELFTEST)
            vdf_memory_free(&dev->region);
        dev->veventq = events;
        dev->type = before;
        if (kernel)
            vdf_kernel_reopen(dev, NULL);
        return ret;
    }
    vdf_cmdqv_reset(dev);
    vdf_amdvi_reset(dev);
    vdf_veventq_free(&events);
    if (value != VDF_HWQUEUE_SELFTEST)
        vdf_memory_free(&dev->region);
    vdf_hwqueue_update_irq(dev);
    return 0;
}

int vdf_hwqueue_set_viommu_data(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_hwqueue *dev = at->priv;
    uint32_t before = dev->viommu_data;

    if (value == before)
        return 0;
    if (has_queue(dev))
        return vdf_fail(err, EBUSY, "0x%llx: the word is chosen before the first queue",
                        (unsigned long long)value);
    /* Pages that the kernel has are given up with its objects. */
    bool kernel = dev->kernel;
    vdf_kernel_close(dev);
    struct vdf_memory pages = dev->region;
    vdf_memory_init(&dev->region, pages.label, pages.size);
    dev->viommu_data = (uint32_t)value;
    int ret = vdf_selftest_reset(dev, err);
    if (ret == 0 && kernel)
        ret = vdf_kernel_open(dev, err);
    if (ret == 0) {
        vdf_memory_free(&pages);
        return 0;
    }
    vdf_memory_free(&dev->region);
    dev->region = pages;
    dev->viommu_data = before;
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
    if (value != dev->cmdqs && has_queue(dev))
        return vdf_fail(err, EBUSY, "%" PRIu64 ": CMDQS is chosen before the first queue", value);
    return 0;
}

static void soft_show_hw_info(struct vdf_hwqueue *dev, struct vdf_buf *out)
{
    struct vdf_at at = { .priv = dev };
    uint64_t param;

    if (vdf_hwqueue_is_amd(dev)) {
        vdf_buf_printf(out, "type = 4\nefr = 0x%016x\nefr2 = 0x%016x", VDF_AMDVI_EFR, 0);
        return;
    }
    if (dev->hw_info_type != VDF_IOMMU_HW_INFO_TEGRA241) {
        struct vdf_iommu_hw_info_smmuv3 info;
        vdf_smmu_hw_info(dev, &info);
        vdf_smmu_show_hw_info(&info, out);
        return;
    }
    vdf_cmdqv_get_param(&at, &param);
    vdf_buf_printf(out,
                   "type = 3\nflags = 0x00000000\nversion = %u\nlog2vcmdqs = %u\nlog2vsids = %u",
                   (unsigned)vdf_bits(param, 0, 4), (unsigned)vdf_bits(param, 4, 4),
                   (unsigned)vdf_bits(param, 12, 4));
}

static int soft_map(struct vdf_hwqueue *dev, const struct vdf_ioas_map *map, struct vdf_err *err)
{
    static const struct vdf_ioas_limits all = { .last = UINT64_MAX, .align = VDF_PAGE_SIZE };
    return vdf_ioas_check_map(dev, map, &all, err);
}

const struct vdf_hwqueue_ops vdf_hwqueue_soft_ops = {
    .map = soft_map,
    .unmap = vdf_ioas_check_unmap,
    .alloc = vdf_vcmdq_soft_alloc,
    .release = vdf_vcmdq_soft_release,
    .show_hw_info = soft_show_hw_info,
    .read_events = vdf_veventq_read,
    .has_events = vdf_veventq_waits,
    .set_depth = vdf_veventq_store_depth,
    .make_page = vdf_vcmdq_soft_page,
};

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
        return vdf_fail(err, EINVAL, "%llu: a multiple of %u, up to %llu",
                        (unsigned long long)value, VDF_PAGE_SIZE,
                        (unsigned long long)VDF_MEMORY_MAX);
    if (value == dev->memory_size)
        return 0;
    if (dev->ioas.n > 0)
        return vdf_fail(err, EBUSY, "%llu: the size is chosen before the first mapping",
                        (unsigned long long)value);
    /* Whoever has it open or mapped would go on with the old one. */
    if (dev->memory_open)
        return vdf_fail(err, EBUSY, "%llu: memory is open: close it first",
                        (unsigned long long)value);
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
    return vdf_hwqueue_is_amd(at->priv) ? AMD_WINDOW_SIZE : TEGRA_WINDOW_SIZE;
}

const struct vdf_window_ops vdf_hwqueue_regs_ops = {
    .size = window_size,
    .align = 4,
    .halves = true,
};
