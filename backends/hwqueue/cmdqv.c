/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Tegra241 CMDQV around its queues: the global registers and the one VINTF. The window `regs` has
 * the layout of the hardware; accesses to registers of queues go to the rows of the queues:
 *
 *     0x00000  global registers, the VINTF's from 0x1000
 *     0x10000  page 0 of the VCMDQs       0x20000  page 1
 *     0x30000  page 0 of the VINTF        0x40000  page 1
 *
 * A logical queue of the VINTF is the VCMDQ of the same number.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "vcmdq.h"

static_assert(1u << VDF_PARAM_NUM_VCMDQ_LOG2 == VDF_VCMDQS, "PARAM has the number of queues");
static_assert(1u << VDF_PARAM_NUM_SID_PER_VM_LOG2 == VDF_VDEVICES,
              "PARAM has the number of streams");

uint64_t vdf_cmdqv_error_map(const struct vdf_hwqueue *dev)
{
    uint64_t map = 0;

    for (unsigned k = 0; k < VDF_VCMDQS; k++)
        if (dev->vcmdqs[k] && vdf_vcmdq_error(dev->vcmdqs[k]))
            map |= VDF_BIT(k);
    return map;
}

void vdf_cmdqv_error_raised(struct vdf_hwqueue *dev)
{
    const uint64_t map[2] = { vdf_cmdqv_error_map(dev), 0 };
    vdf_veventq_add(&dev->veventq, map);
}

void vdf_cmdqv_reset(struct vdf_hwqueue *dev)
{
    dev->tegra.global_config = VDF_GLOBAL_CONFIG_EN;
    dev->tegra.vintf_config = VDF_VINTF_CONFIG_EN;
    dev->tegra.vintf_int_mask = 0;
    dev->tegra.hw_info_type = VDF_IOMMU_HW_INFO_TEGRA241;
    dev->tegra.cmdqs = VDF_VCMDQ_LOG2_MAX;
    memset(dev->tegra.cmdq_preset, 0, sizeof(dev->tegra.cmdq_preset));
    memset(dev->tegra.idle, 0, sizeof(dev->tegra.idle));
}

static int restored(struct vdf_hwqueue *dev, bool chosen, struct vdf_err *err)
{
    for (unsigned k = 0; k < VDF_QUEUES; k++)
        if (dev->vcmdqs[k] && !dev->kind->queue)
            return vdf_fail(err, EINVAL, "queue %u: a device of type amd has no VCMDQs", k);
    return 0;
}

/* --- the kind --------------------------------------------------------------------------------- */

static bool irq_level(const struct vdf_hwqueue *dev)
{
    return !(dev->tegra.vintf_int_mask & 1) && vdf_cmdqv_error_map(dev);
}

static void show_hw_info(struct vdf_hwqueue *dev, struct vdf_buf *out)
{
    if (dev->tegra.hw_info_type != VDF_IOMMU_HW_INFO_TEGRA241) {
        struct vdf_iommu_hw_info_smmuv3 info;
        vdf_smmu_hw_info(dev, &info);
        vdf_smmu_show_hw_info(&info, out);
        return;
    }
    vdf_buf_printf(out,
                   "type = 3\nflags = 0x00000000\nversion = %u\nlog2vcmdqs = %u\nlog2vsids = %u",
                   VDF_PARAM_VER, VDF_PARAM_NUM_VCMDQ_LOG2, VDF_PARAM_NUM_SID_PER_VM_LOG2);
}

const struct vdf_hwqueue_kind vdf_tegra_kind = {
    .model = {
        .backend = { .name = "soft" },
        .map = vdf_hwqueue_soft_map,
        .unmap = vdf_ioas_check_unmap,
        .alloc = vdf_vcmdq_soft_alloc,
        .release = vdf_vcmdq_soft_release,
        .show_hw_info = show_hw_info,
        .read_events = vdf_veventq_read,
        .has_events = vdf_veventq_waits,
        .set_depth = vdf_veventq_store_depth,
        .make_page = vdf_vcmdq_soft_page,
    },
    .kernel = &vdf_kernel_tegra,
    .queue = &vdf_vcmdq_ops,
    .queues = VDF_VCMDQS,
    .queues_in_order = true,
    .registers = true,
    .window = 0x50000,
    .event_payload = 16,
    .vsid = "the stream id",
    .vsid_max = VDF_SID_MAX,
    .irq_level = irq_level,
    .restored = restored,
};
