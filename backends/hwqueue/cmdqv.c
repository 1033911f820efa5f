/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Tegra241 CMDQV around its queues: the global registers, the one VINTF, and the register
 * window as the hardware lays it out (queue registers are forwarded to the queues, which describe
 * them):
 *
 *     0x00000  global registers, the VINTF's from 0x1000
 *     0x10000  page 0 of the VCMDQs       0x20000  page 1
 *     0x30000  page 0 of the VINTF        0x40000  page 1
 *
 * A logical queue of the VINTF is the VCMDQ of the same number.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "vcmdq.h"

#define PARAM_VER 1u
#define PARAM_NUM_VCMDQ_LOG2 1u
#define PARAM_NUM_VINTF_LOG2 0u
#define PARAM_NUM_SID_PER_VM_LOG2 4u

static_assert(1u << PARAM_NUM_VCMDQ_LOG2 == VDF_VCMDQS, "PARAM says how many queues there are");
static_assert(1u << PARAM_NUM_SID_PER_VM_LOG2 == VDF_VDEVICES, "PARAM says how many streams");

#define STATUS_ENABLED 1u
#define VINTF_STATUS_SHIFT 1u
#define VINTF_STATUS_ERROR 1u
#define VINTF_STATUS_NUM_LVCMDQ_SHIFT 16u
#define SID_MATCH_EN 1u
#define SID_MATCH_VSID_SHIFT 1u
#define CMDQ_ALLOC_ALLOC 1u
#define CMDQ_ALLOC_LVCMDQ_SHIFT 1u
#define QUEUE_STRIDE 0x80u

static uint64_t error_map(const struct vdf_hwqueue *dev)
{
    uint64_t map = 0;

    for (unsigned k = 0; k < VDF_VCMDQS; k++)
        if (dev->vcmdqs[k] && vdf_vcmdq_error(dev->vcmdqs[k]))
            map |= VDF_BIT(k);
    return map;
}

void vdf_cmdqv_error_raised(struct vdf_hwqueue *dev)
{
    const uint64_t map[2] = { error_map(dev), 0 };
    vdf_veventq_add(&dev->veventq, map);
}

static void round_all(struct vdf_hwqueue *dev)
{
    for (unsigned k = 0; k < VDF_VCMDQS; k++)
        if (dev->vcmdqs[k])
            vdf_vcmdq_round(dev->vcmdqs[k]);
}

/* --- the device's registers ------------------------------------------------------------------- */

int vdf_cmdqv_get_param(const struct vdf_at *at, uint64_t *value)
{
    *value = PARAM_VER | PARAM_NUM_VCMDQ_LOG2 << 4 | PARAM_NUM_VINTF_LOG2 << 8 |
             PARAM_NUM_SID_PER_VM_LOG2 << 12;
    return 0;
}

int vdf_cmdqv_get_global_status(const struct vdf_at *at, uint64_t *value)
{
    const struct vdf_hwqueue *dev = at->priv;
    *value = dev->tegra.global_config & VDF_GLOBAL_CONFIG_EN ? STATUS_ENABLED : 0;
    return 0;
}

int vdf_cmdqv_get_vintf_status(const struct vdf_at *at, uint64_t *value)
{
    const struct vdf_hwqueue *dev = at->priv;

    *value = VDF_VCMDQS << VINTF_STATUS_NUM_LVCMDQ_SHIFT;
    if (dev->tegra.vintf_config & VDF_VINTF_CONFIG_EN)
        *value |= STATUS_ENABLED;
    if (error_map(dev))
        *value |= VINTF_STATUS_ERROR << VINTF_STATUS_SHIFT;
    return 0;
}

int vdf_cmdqv_get_err_map(const struct vdf_at *at, uint64_t *value)
{
    *value = error_map(at->priv);
    return 0;
}

int vdf_cmdqv_get_cmdq_err_map(const struct vdf_at *at, uint64_t *value)
{
    *value = at->i == 0 ? error_map(at->priv) : 0;
    return 0;
}

int vdf_cmdqv_get_vintf_err_map(const struct vdf_at *at, uint64_t *value)
{
    *value = at->i == 0 && error_map(at->priv) ? 1 : 0;
    return 0;
}

int vdf_cmdqv_set_read_only(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    uint64_t current;

    at->attr->get(at, &current);
    if (value != current)
        return vdf_fail(err, EINVAL, "0x%" PRIx64 ": this register is the device's, 0x%" PRIx64,
                        value, current);
    return 0;
}

void vdf_cmdqv_after_config(const struct vdf_at *at, uint64_t value)
{
    round_all(at->priv);
}

void vdf_cmdqv_after_int_mask(const struct vdf_at *at, uint64_t value)
{
    vdf_hwqueue_update_irq(at->priv);
}

/* --- what a guest sees of them ---------------------------------------------------------------- */

/* HYP_OWN reads 0 to guests, and their writes of it are ignored. */
int vdf_cmdqv_get_guest_vintf_config(const struct vdf_at *at, uint64_t *value)
{
    const struct vdf_hwqueue *dev = at->priv;
    *value = dev->tegra.vintf_config & ~VDF_VINTF_CONFIG_HYP_OWN;
    return 0;
}

int vdf_cmdqv_set_guest_vintf_config(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_hwqueue *dev = at->priv;
    uint64_t guests = VDF_VINTF_CONFIG_MASK & ~VDF_VINTF_CONFIG_HYP_OWN;

    dev->tegra.vintf_config =
        (uint32_t)((dev->tegra.vintf_config & VDF_VINTF_CONFIG_HYP_OWN) | (value & guests));
    round_all(dev);
    return 0;
}

int vdf_cmdqv_get_sid_match(const struct vdf_at *at, uint64_t *value)
{
    const struct vdf_hwqueue *dev = at->priv;
    const struct vdf_vdevice *vdevice = dev->vdevices[at->i];

    *value = vdevice ? SID_MATCH_EN | vdevice->vsid << SID_MATCH_VSID_SHIFT : 0;
    return 0;
}

int vdf_cmdqv_get_sid_replace(const struct vdf_at *at, uint64_t *value)
{
    const struct vdf_hwqueue *dev = at->priv;
    *value = dev->vdevices[at->i] ? dev->vdevices[at->i]->psid : 0;
    return 0;
}

int vdf_cmdqv_get_cmdq_alloc(const struct vdf_at *at, uint64_t *value)
{
    const struct vdf_hwqueue *dev = at->priv;
    const struct vdf_vcmdq *queue = dev->vcmdqs[at->i];

    *value = dev->tegra.cmdq_preset[at->i];
    if (queue && queue->mapped)
        *value = CMDQ_ALLOC_ALLOC | at->i << CMDQ_ALLOC_LVCMDQ_SHIFT;
    return 0;
}

/* A guest's driver gives VCMDQs to its VINTF: in one store, or first VINTF and logical queue and
 * then ALLOC. Queues come into being in order, as by mkdir; only the logical queue of the same
 * number can be had. */
int vdf_cmdqv_set_cmdq_alloc(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_hwqueue *dev = at->priv;
    bool alloc = value & CMDQ_ALLOC_ALLOC;

    value &= CMDQ_ALLOC_ALLOC | VDF_CMDQ_PRESET_MASK;
    if (alloc && value != (CMDQ_ALLOC_ALLOC | at->i << CMDQ_ALLOC_LVCMDQ_SHIFT))
        return vdf_fail(err, EINVAL, "0x%" PRIx64 ": VCMDQ %u is logical queue %u of VINTF 0",
                        value, at->i, at->i);
    if (alloc && !dev->vcmdqs[at->i]) {
        char name[12];
        struct vdf_obj *made;
        snprintf(name, sizeof(name), "%u", at->i);
        int ret = vdf_obj_add(at->obj, "queues", name, &made, err);
        if (ret < 0)
            return ret;
    }
    dev->tegra.cmdq_preset[at->i] = (uint32_t)value & ~CMDQ_ALLOC_ALLOC;
    if (dev->vcmdqs[at->i])
        vdf_vcmdq_map(dev->vcmdqs[at->i], alloc);
    return 0;
}

/* --- registers of the queues ------------------------------------------------------------------ */

/* The rows repeat for each word of all queues, number 0 at the first queue's offset 0. */
struct place {
    unsigned index; /* of the VCMDQ */
    unsigned page;
    uint64_t offset; /* in its registers there */
};

static struct place place_of(const struct vdf_at *at, unsigned page)
{
    uint64_t position = (uint64_t)at->i * at->attr->width;

    return (struct place){
        .index = (unsigned)(position / QUEUE_STRIDE),
        .page = page,
        .offset = position % QUEUE_STRIDE,
    };
}

/* A VCMDQ has its registers whether it is a queue or not. */
static int read_vcmdq(const struct vdf_at *at, unsigned page, uint64_t *value)
{
    struct vdf_hwqueue *dev = at->priv;
    struct place to = place_of(at, page);
    struct vdf_vcmdq *queue = dev->vcmdqs[to.index];
    uint64_t mask;

    if (queue)
        return vdf_vcmdq_window_read(queue, page, to.offset, at->attr->width, value);
    int reg = vdf_vcmdq_idle_reg(page, to.offset, &mask);
    *value = reg < 0 ? 0 : dev->tegra.idle[to.index][reg];
    return 0;
}

static int write_vcmdq(const struct vdf_at *at, unsigned page, uint64_t value, struct vdf_err *err)
{
    struct vdf_hwqueue *dev = at->priv;
    struct place to = place_of(at, page);
    struct vdf_vcmdq *queue = dev->vcmdqs[to.index];
    uint64_t mask;

    if (queue)
        return vdf_vcmdq_window_write(queue, page, to.offset, at->attr->width, value, err);
    int reg = vdf_vcmdq_idle_reg(page, to.offset, &mask);
    if (reg >= 0)
        dev->tegra.idle[to.index][reg] = value & mask;
    return 0;
}

/* A logical queue is there while a VCMDQ is allocated to it: otherwise its registers read 0 and
 * ignore stores. */
static bool has_logical(const struct vdf_at *at, unsigned page)
{
    const struct vdf_hwqueue *dev = at->priv;
    const struct vdf_vcmdq *queue = dev->vcmdqs[place_of(at, page).index];

    return queue && queue->mapped;
}

int vdf_cmdqv_get_page0(const struct vdf_at *at, uint64_t *value)
{
    return read_vcmdq(at, 0, value);
}

int vdf_cmdqv_set_page0(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    return write_vcmdq(at, 0, value, err);
}

int vdf_cmdqv_get_page1(const struct vdf_at *at, uint64_t *value)
{
    return read_vcmdq(at, 1, value);
}

int vdf_cmdqv_set_page1(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    return write_vcmdq(at, 1, value, err);
}

int vdf_cmdqv_get_vintf_page0(const struct vdf_at *at, uint64_t *value)
{
    *value = 0;
    return has_logical(at, 0) ? read_vcmdq(at, 0, value) : 0;
}

int vdf_cmdqv_set_vintf_page0(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    return has_logical(at, 0) ? write_vcmdq(at, 0, value, err) : 0;
}

int vdf_cmdqv_get_vintf_page1(const struct vdf_at *at, uint64_t *value)
{
    *value = 0;
    return has_logical(at, 1) ? read_vcmdq(at, 1, value) : 0;
}

int vdf_cmdqv_set_vintf_page1(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    return has_logical(at, 1) ? write_vcmdq(at, 1, value, err) : 0;
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
    if (dev->tegra.vintf_int_mask & 1)
        return false;
    for (unsigned k = 0; k < VDF_VCMDQS; k++)
        if (dev->vcmdqs[k] && vdf_vcmdq_error(dev->vcmdqs[k]))
            return true;
    return false;
}

static void show_hw_info(struct vdf_hwqueue *dev, struct vdf_buf *out)
{
    struct vdf_at at = { .priv = dev };
    uint64_t param;

    if (dev->tegra.hw_info_type != VDF_IOMMU_HW_INFO_TEGRA241) {
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
