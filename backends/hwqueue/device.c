/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The device as a whole: kind, interrupt output, memory. */
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

/* --- memory ----------------------------------------------------------------------------------- */

int vdf_hwqueue_soft_map(struct vdf_hwqueue *dev, const struct vdf_ioas_map *map,
                         struct vdf_err *err)
{
    static const struct vdf_ioas_limits all = { .last = UINT64_MAX, .align = VDF_PAGE_SIZE };
    return vdf_ioas_check_map(dev, map, &all, err);
}

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
