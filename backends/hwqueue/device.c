/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The device as a whole: kind, interrupt output, and the files that every kind has. */
#include <errno.h>

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
    return !vdf_hwqueue_is_amd(priv);
}

int vdf_hwqueue_restore_field(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    void *field = (char *)at->priv + at->attr->field;

    (void)err;
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
    if (dev->vintf_int_mask & 1)
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
    for (unsigned k = 0; k < VDF_VCMDQS; k++)
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

/* Another kind of IOMMU begins with fresh registers; those of the other are not in `state`. */
int vdf_hwqueue_set_type(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_hwqueue *dev = at->priv;

    (void)err;
    if (value == dev->type)
        return 0;
    dev->type = (uint8_t)value;
    vdf_cmdqv_reset(dev);
    vdf_amdvi_reset(dev);
    vdf_hwqueue_update_irq(dev);
    return 0;
}

/* IOMMU_VIOMMU_ALLOC needs a device behind the machine's IOMMU that this program has been given. */
int vdf_hwqueue_check_backend(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_hwqueue *dev = at->priv;

    if (value != dev->backend && has_queue(dev))
        return vdf_fail(err, EBUSY, "%s: the backend is chosen before the first queue",
                        at->attr->choices[value]);
    if (value != 0)
        return vdf_fail(err, ENODEV,
                        "iommufd: no hardware queue of the host can be used; only soft can");
    return 0;
}

void vdf_hwqueue_show_hw_info(const struct vdf_at *at, struct vdf_buf *out)
{
    uint64_t param;

    if (vdf_hwqueue_is_amd(at->priv)) {
        vdf_buf_printf(out, "type = 4\nefr = 0x%016x\nefr2 = 0x%016x", VDF_AMDVI_EFR, 0);
        return;
    }
    vdf_cmdqv_get_param(at, &param);
    vdf_buf_printf(out,
                   "type = 3\nflags = 0x00000000\nversion = %u\nlog2vcmdqs = %u\nlog2vsids = %u",
                   (unsigned)vdf_bits(param, 0, 4), (unsigned)vdf_bits(param, 4, 4),
                   (unsigned)vdf_bits(param, 12, 4));
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

    (void)err;
    if (value == dev->memory_size)
        return 0;
    dev->memory_size = value;
    vdf_memory_free(&dev->memory);
    vdf_memory_init(&dev->memory, "hwqueue-memory", value);
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
};
