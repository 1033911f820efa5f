/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rows of a vIOMMU with hardware queues that guests own. The device is a Tegra241 CMDQV behind an
 * SMMUv3, an AMD IOMMU, or the mock of the kernel's selftests, and has only the rows of its kind.
 *
 *     cd hwqueue/smmu0; echo 0x100000 0x1000 > ioas/map; mkdir queues/0
 *     echo 0x100000 > queues/0/base; echo 8 > queues/0/log2size; echo 1 > queues/0/enable
 *     printf '\106\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0' | dd of=queues/0/entries conv=notrunc
 *     echo 1 > queues/0/prod; cat queues/0/cons sync
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "vcmdq.h"

/* --- hooks ------------------------------------------------------------------------------------ */

static int get_interrupt(const struct vdf_at *at, uint64_t *value)
{
    *value = vdf_hwqueue_irq_level(at->priv);
    return 0;
}

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

static int check_type(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
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
static int set_type(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_hwqueue *dev = at->priv;
    const struct vdf_hwqueue_kind *now = vdf_hwqueue_kind((unsigned)value), *was = dev->kind;
    uint8_t before = dev->type;

    if (value == dev->type)
        return 0;
    if (now->vsid_max != was->vsid_max && (has_vdevice(dev) || dev->ioas.n > 0))
        return vdf_fail(err, EBUSY, "%s: the type is chosen before vdevices and ioas/map",
                        at->attr->choices[value]);
    bool kernel = dev->kernel;
    vdf_kernel_close(dev);
    struct vdf_veventq events = dev->veventq;
    dev->veventq = (struct vdf_veventq){ .depth = events.depth };
    vdf_hwqueue_choose(dev, (uint8_t)value);
    int ret = now->begin ? now->begin(dev, err) : 0;
    if (ret == 0 && kernel)
        ret = vdf_kernel_open(dev, err);
    if (ret < 0) {
        if (now->end)
            now->end(dev);
        dev->veventq = events;
        vdf_hwqueue_choose(dev, before);
        if (kernel)
            vdf_kernel_reopen(dev, NULL);
        return ret;
    }
    vdf_cmdqv_reset(dev);
    vdf_amdvi_reset(dev);
    vdf_veventq_free(&events);
    if (was->end)
        was->end(dev);
    vdf_hwqueue_update_irq(dev);
    return 0;
}

static int restore_type(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    vdf_hwqueue_choose(at->priv, (uint8_t)value);
    return 0;
}

static int set_viommu_data(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_hwqueue *dev = at->priv;
    uint32_t before = dev->selftest.viommu_data;

    if (value == before)
        return 0;
    if (has_queue(dev))
        return vdf_fail(err, EBUSY, "0x%" PRIx64 ": the word is chosen before the first queue",
                        value);
    /* Pages of the kernel go with its objects. */
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

static int check_backend(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_hwqueue *dev = at->priv;

    if (value != dev->backend && has_queue(dev))
        return vdf_fail(err, EBUSY, "%s: the backend is chosen before the first queue",
                        at->attr->choices[value]);
    return 0;
}

/* The kernel's objects of a state are made when all of the state is known. */
static int set_backend(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
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

static void show_host(const struct vdf_at *at, struct vdf_buf *out)
{
    const struct vdf_hwqueue *dev = at->priv;
    vdf_buf_printf(out, "%s", dev->host);
}

static int store_host(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err)
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

static void show_hw_info(const struct vdf_at *at, struct vdf_buf *out)
{
    struct vdf_hwqueue *dev = at->priv;
    vdf_hwqueue_ops(dev)->show_hw_info(dev, out);
}

static int check_hw_info_type(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    if (value != VDF_IOMMU_HW_INFO_DEFAULT && value != VDF_IOMMU_HW_INFO_ARM_SMMUV3 &&
        value != VDF_IOMMU_HW_INFO_TEGRA241)
        return vdf_fail(err, EOPNOTSUPP, "%" PRIu64 ": 0 and 2 are the SMMUv3, 3 is its CMDQV",
                        value);
    return 0;
}

static int check_cmdqs(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_hwqueue *dev = at->priv;

    if (value < VDF_VCMDQ_LOG2_MIN || value > VDF_VCMDQ_LOG2_MAX)
        return vdf_fail(err, EINVAL, "%" PRIu64 ": IDR1.CMDQS is %u to %u here", value,
                        VDF_VCMDQ_LOG2_MIN, VDF_VCMDQ_LOG2_MAX);
    if (value != dev->tegra.cmdqs && has_queue(dev))
        return vdf_fail(err, EBUSY, "%" PRIu64 ": CMDQS is chosen before the first queue", value);
    return 0;
}

static bool memory_size_is_right(uint64_t size)
{
    return size > 0 && size % VDF_PAGE_SIZE == 0 && size <= VDF_MEMORY_MAX;
}

static int check_memory_size(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
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
    /* A process that has it open or mapped would continue to use the old memory. */
    if (dev->memory_open)
        return vdf_fail(err, EBUSY, "%" PRIu64 ": memory is open: close it first", value);
    return 0;
}

/* A new size makes new, empty memory. */
static int set_memory_size(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
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

static const struct vdf_raw_ops memory_ops = {
    .opened = memory_opened,
};

static uint64_t window_size(const struct vdf_at *at)
{
    return ((const struct vdf_hwqueue *)at->priv)->kind->window;
}

static const struct vdf_window_ops regs_ops = {
    .size = window_size,
    .align = 4,
    .halves = true,
};

/* --- hooks of the Tegra241 CMDQV -------------------------------------------------------------- */

#define STATUS_ENABLED 1u
#define VINTF_STATUS_SHIFT 1u
#define VINTF_STATUS_ERROR 1u
#define VINTF_STATUS_NUM_LVCMDQ_SHIFT 16u
#define SID_MATCH_EN 1u
#define SID_MATCH_VSID_SHIFT 1u
#define CMDQ_ALLOC_ALLOC 1u
#define CMDQ_ALLOC_LVCMDQ_SHIFT 1u
#define QUEUE_STRIDE 0x80u

static void round_all(struct vdf_hwqueue *dev)
{
    for (unsigned k = 0; k < VDF_VCMDQS; k++)
        if (dev->vcmdqs[k])
            vdf_vcmdq_round(dev->vcmdqs[k]);
}

static int get_param(const struct vdf_at *at, uint64_t *value)
{
    *value = VDF_PARAM_VER | VDF_PARAM_NUM_VCMDQ_LOG2 << 4 | VDF_PARAM_NUM_VINTF_LOG2 << 8 |
             VDF_PARAM_NUM_SID_PER_VM_LOG2 << 12;
    return 0;
}

static int get_global_status(const struct vdf_at *at, uint64_t *value)
{
    const struct vdf_hwqueue *dev = at->priv;
    *value = dev->tegra.global_config & VDF_GLOBAL_CONFIG_EN ? STATUS_ENABLED : 0;
    return 0;
}

static int get_vintf_status(const struct vdf_at *at, uint64_t *value)
{
    const struct vdf_hwqueue *dev = at->priv;

    *value = VDF_VCMDQS << VINTF_STATUS_NUM_LVCMDQ_SHIFT;
    if (dev->tegra.vintf_config & VDF_VINTF_CONFIG_EN)
        *value |= STATUS_ENABLED;
    if (vdf_cmdqv_error_map(dev))
        *value |= VINTF_STATUS_ERROR << VINTF_STATUS_SHIFT;
    return 0;
}

static int get_err_map(const struct vdf_at *at, uint64_t *value)
{
    *value = vdf_cmdqv_error_map(at->priv);
    return 0;
}

static int get_cmdq_err_map(const struct vdf_at *at, uint64_t *value)
{
    *value = at->i == 0 ? vdf_cmdqv_error_map(at->priv) : 0;
    return 0;
}

static int get_vintf_err_map(const struct vdf_at *at, uint64_t *value)
{
    *value = at->i == 0 && vdf_cmdqv_error_map(at->priv) ? 1 : 0;
    return 0;
}

static int set_read_only(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    uint64_t current;

    at->attr->get(at, &current);
    if (value != current)
        return vdf_fail(err, EINVAL, "0x%" PRIx64 ": this register is the device's, 0x%" PRIx64,
                        value, current);
    return 0;
}

static void after_config(const struct vdf_at *at, uint64_t value)
{
    round_all(at->priv);
}

static void after_int_mask(const struct vdf_at *at, uint64_t value)
{
    vdf_hwqueue_update_irq(at->priv);
}

/* --- registers as a guest sees them ----------------------------------------------------------- */

/* HYP_OWN reads 0 to guests, and their writes of it are ignored. */
static int get_guest_vintf_config(const struct vdf_at *at, uint64_t *value)
{
    const struct vdf_hwqueue *dev = at->priv;
    *value = dev->tegra.vintf_config & ~VDF_VINTF_CONFIG_HYP_OWN;
    return 0;
}

static int set_guest_vintf_config(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_hwqueue *dev = at->priv;
    uint64_t guests = VDF_VINTF_CONFIG_MASK & ~VDF_VINTF_CONFIG_HYP_OWN;

    dev->tegra.vintf_config =
        (uint32_t)((dev->tegra.vintf_config & VDF_VINTF_CONFIG_HYP_OWN) | (value & guests));
    round_all(dev);
    return 0;
}

static int get_sid_match(const struct vdf_at *at, uint64_t *value)
{
    const struct vdf_hwqueue *dev = at->priv;
    const struct vdf_vdevice *vdevice = dev->vdevices[at->i];

    *value = vdevice ? SID_MATCH_EN | vdevice->vsid << SID_MATCH_VSID_SHIFT : 0;
    return 0;
}

static int get_sid_replace(const struct vdf_at *at, uint64_t *value)
{
    const struct vdf_hwqueue *dev = at->priv;
    *value = dev->vdevices[at->i] ? dev->vdevices[at->i]->psid : 0;
    return 0;
}

static int get_cmdq_alloc(const struct vdf_at *at, uint64_t *value)
{
    const struct vdf_hwqueue *dev = at->priv;
    const struct vdf_vcmdq *queue = dev->vcmdqs[at->i];

    *value = dev->tegra.cmdq_preset[at->i];
    if (queue && queue->mapped)
        *value = CMDQ_ALLOC_ALLOC | at->i << CMDQ_ALLOC_LVCMDQ_SHIFT;
    return 0;
}

/* A guest's driver allocates VCMDQs to its VINTF in one store, or stores first VINTF and LVCMDQ and then
 * ALLOC. Queues are made in order, as by mkdir. A VCMDQ can only be the logical queue of the same
 * number. */
static int set_cmdq_alloc(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
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

/* A VCMDQ has registers even before it is made a queue. */
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

/* Without a VCMDQ that is allocated to it, the registers of a logical queue read 0 and ignore
 * stores. */
static bool has_logical(const struct vdf_at *at, unsigned page)
{
    const struct vdf_hwqueue *dev = at->priv;
    const struct vdf_vcmdq *queue = dev->vcmdqs[place_of(at, page).index];

    return queue && queue->mapped;
}

static int get_page0(const struct vdf_at *at, uint64_t *value)
{
    return read_vcmdq(at, 0, value);
}

static int set_page0(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    return write_vcmdq(at, 0, value, err);
}

static int get_page1(const struct vdf_at *at, uint64_t *value)
{
    return read_vcmdq(at, 1, value);
}

static int set_page1(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    return write_vcmdq(at, 1, value, err);
}

static int get_vintf_page0(const struct vdf_at *at, uint64_t *value)
{
    *value = 0;
    return has_logical(at, 0) ? read_vcmdq(at, 0, value) : 0;
}

static int set_vintf_page0(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    return has_logical(at, 0) ? write_vcmdq(at, 0, value, err) : 0;
}

static int get_vintf_page1(const struct vdf_at *at, uint64_t *value)
{
    *value = 0;
    return has_logical(at, 1) ? read_vcmdq(at, 1, value) : 0;
}

static int set_vintf_page1(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    return has_logical(at, 1) ? write_vcmdq(at, 1, value, err) : 0;
}

/* --- the table -------------------------------------------------------------------------------- */

static const char *const types[] = { "tegra241-cmdqv", "amd", "selftest", NULL };
static const char *const backends[] = { "soft", "iommufd", NULL };
static const char *const doorbells[] = { "mapped", "trapped", NULL };

static const struct vdf_objects vdevices = {
    .cls = &vdf_vdevice_class,
    .text = "VSID",
};
static const struct vdf_objects vcmdqs = {
    .cls = &vdf_vcmdq_class,
    .allow = vdf_vcmdq_allow,
    .text = "0..1; selftest: 0..3",
};

static bool is_tegra(const void *priv)
{
    return ((const struct vdf_hwqueue *)priv)->kind == &vdf_tegra_kind;
}

static bool is_amd(const void *priv)
{
    return ((const struct vdf_hwqueue *)priv)->kind == &vdf_amdvi_kind;
}

static bool is_selftest(const void *priv)
{
    return ((const struct vdf_hwqueue *)priv)->kind == &vdf_selftest_kind;
}

/* Only the model has this page as a file. */
static bool has_vintf_page(const void *priv)
{
    return is_tegra(priv) && !((const struct vdf_hwqueue *)priv)->kernel;
}

static bool has_queues(const void *priv)
{
    return ((const struct vdf_hwqueue *)priv)->kind->queue;
}

static bool has_registers(const void *priv)
{
    return ((const struct vdf_hwqueue *)priv)->kind->registers;
}

#define DEV struct vdf_hwqueue
#define TEGRA .when = is_tegra, .needs = "type tegra241-cmdqv"
#define AMD .when = is_amd, .needs = "type amd"
#define SELFTEST .when = is_selftest, .needs = "type selftest"
#define AT(where) .window = VDF_REGS, .offset = (where)
#define REPEAT(n, bytes) .range[0] = { .count = (n) }, .stride = (bytes)

#define COUNTER(name, what)                                                    \
    {                                                                          \
        VDF_ROW(#name, VDF_UINT, VDF_R | VDF_SAVE, what), VDF_FIELD(DEV, name) \
    }

/* --- named bits ------------------------------------------------------------------------------- */

static const struct vdf_bits global_config_bits[] = {
    { "EN", 0, 1, NULL },
    { "CMDQ_PER_CMD_OFFSET", 1, 3, NULL },
    { "MAX_CLK_BATCH", 4, 8, NULL },
    { "MAX_CMD_BATCH", 12, 8, NULL },
    { "CONS_DRAM_EN", 20, 1, "store CONS in memory too" },
    { 0 },
};
static const struct vdf_bits param_bits[] = {
    { "VER", 0, 4, NULL },
    { "NUM_VCMDQ_LOG2", 4, 4, NULL },
    { "NUM_VINTF_LOG2", 8, 4, NULL },
    { "NUM_SID_PER_VM_LOG2", 12, 4, NULL },
    { 0 },
};
static const struct vdf_bits global_status_bits[] = { { "ENABLED", 0, 1, NULL }, { 0 } };
static const struct vdf_bits cmdq_alloc_bits[] = {
    { "ALLOC", 0, 1, "the VCMDQ belongs to a VINTF" },
    { "LVCMDQ", 1, 7, "its logical queue there" },
    { "VINTF", 15, 6, NULL },
    { 0 },
};
static const struct vdf_bits vintf_config_bits[] = {
    { "EN", 0, 1, NULL },
    { "VMID", 1, 16, NULL },
    { "HYP_OWN", 17, 1, "queues take all commands of an SMMU" },
    { 0 },
};
static const struct vdf_bits vintf_status_bits[] = {
    { "ENABLED", 0, 1, NULL },
    { "STATUS", 1, 3, "1: a queue has an error" },
    { "NUM_LVCMDQ", 16, 8, NULL },
    { 0 },
};
static const struct vdf_bits sid_match_bits[] = {
    { "EN", 0, 1, NULL },
    { "VIRT_SID", 1, 20, "stream id of the guest" },
    { 0 },
};
static const struct vdf_bits sid_replace_bits[] = {
    { "PHY_SID", 0, 20, "stream id of the machine" },
    { 0 },
};

static const struct vdf_bits amd_control_bits[] = {
    { "IommuEn", 0, 1, NULL },
    { "HtTunEn", 1, 1, NULL },
    { "EventLogEn", 2, 1, NULL },
    { "EventIntEn", 3, 1, NULL },
    { "ComWaitIntEn", 4, 1, NULL },
    { "InvTimeOut", 5, 3, NULL },
    { "PassPW", 8, 1, NULL },
    { "ResPassPW", 9, 1, NULL },
    { "Coherent", 10, 1, NULL },
    { "Isoc", 11, 1, NULL },
    { "CmdBufEn", 12, 1, NULL },
    { "PprLogEn", 13, 1, NULL },
    { "PprIntEn", 14, 1, NULL },
    { "PprEn", 15, 1, NULL },
    { "GTEn", 16, 1, NULL },
    { "GAEn", 17, 1, NULL },
    { "CRW", 18, 4, NULL },
    { "SmiFEn", 22, 1, NULL },
    { "SlfWBDis", 23, 1, NULL },
    { "SmiFLogEn", 24, 1, NULL },
    { "GAMEn", 25, 3, NULL },
    { "GALogEn", 28, 1, NULL },
    { "GAIntEn", 29, 1, NULL },
    { "DualPprLogEn", 30, 2, NULL },
    { "DualEventLogEn", 32, 2, NULL },
    { "DevTblSegEn", 34, 3, NULL },
    { "PrivAbrtEn", 37, 2, NULL },
    { "PprAutoRspEn", 39, 1, NULL },
    { "MarcEn", 40, 1, NULL },
    { "BlkStopMrkEn", 41, 1, NULL },
    { "PprAutoRspAon", 42, 1, NULL },
    { "EPHEn", 45, 1, NULL },
    { "HADUpdate", 46, 2, NULL },
    { "GDUpdateDis", 48, 1, NULL },
    { "XTEn", 50, 1, NULL },
    { "IntCapXTEn", 51, 1, NULL },
    { "GAUpdateDis", 54, 1, NULL },
    { 0 },
};
static const struct vdf_bits amd_status_bits[] = {
    { "EventOverflow", 0, 1, NULL }, { "EventLogInt", 1, 1, NULL }, { "ComWaitInt", 2, 1, NULL },
    { "EventLogRun", 3, 1, NULL },   { "CmdBufRun", 4, 1, NULL },   { "PprOverflow", 5, 1, NULL },
    { "PprInt", 6, 1, NULL },        { "PprRun", 7, 1, NULL },      { 0 },
};
static const struct vdf_bits dev_tab_base_bits[] = {
    { "Size", 0, 9, NULL },
    { "DevTabBase", 12, 40, "bits 51:12 of the address" },
    { 0 },
};
static const struct vdf_bits efr_bits[] = {
    { "PreFSup", 0, 1, NULL },
    { "PPRSup", 1, 1, NULL },
    { "XTSup", 2, 1, NULL },
    { "NXSup", 3, 1, NULL },
    { "GTSup", 4, 1, NULL },
    { "IASup", 6, 1, NULL },
    { "GASup", 7, 1, NULL },
    { "HESup", 8, 1, NULL },
    { "PCSup", 9, 1, NULL },
    { "HATS", 10, 2, NULL },
    { "GATS", 12, 2, NULL },
    { "GLXSup", 14, 2, NULL },
    { "SmiFSup", 16, 2, NULL },
    { "SmiFRC", 18, 3, NULL },
    { "GAMSup", 21, 3, NULL },
    { "DualPprLogSup", 24, 2, NULL },
    { "DualEventLogSup", 28, 2, NULL },
    { "PASmax", 32, 5, NULL },
    { "USSup", 37, 1, NULL },
    { "DevTblSegSup", 38, 2, NULL },
    { "PprOvrflwEarlySup", 40, 1, NULL },
    { "PprAutoRspSup", 41, 1, NULL },
    { "MarcSup", 42, 2, NULL },
    { "BlkStopMrkSup", 44, 1, NULL },
    { "PerfOptSup", 45, 1, NULL },
    { "MsiCapMmioSup", 46, 1, NULL },
    { "GIoSup", 48, 1, NULL },
    { "HASup", 49, 1, NULL },
    { "EPHSup", 50, 1, NULL },
    { "AttrFWSup", 51, 1, NULL },
    { "HDSup", 52, 1, NULL },
    { "InvIotlbTypeSup", 54, 1, NULL },
    { "GAUpdateDisSup", 61, 1, NULL },
    { "ForcePhyDestSup", 62, 1, NULL },
    { 0 },
};

#define AMD_RING_BITS(name, base, len, head, tail)                                        \
    static const struct vdf_bits name##_base_bits[] = {                                   \
        { (base), 12, 40, "bits 51:12 of the address" },                                  \
        { (len), 56, 4, "log2 of the entries" },                                          \
        { 0 },                                                                            \
    };                                                                                    \
    static const struct vdf_bits name##_head_bits[] = { { (head), 4, 15, NULL }, { 0 } }; \
    static const struct vdf_bits name##_tail_bits[] = { { (tail), 4, 15, NULL }, { 0 } }

AMD_RING_BITS(cmd, "ComBase", "ComLen", "CmdHeadPtr", "CmdTailPtr");
AMD_RING_BITS(event, "EventBase", "EventLen", "EventHeadPtr", "EventTailPtr");
AMD_RING_BITS(ppr, "PPRLogBase", "PPRLogLen", "PPRHeadPtr", "PPRTailPtr");

/* --- rows ------------------------------------------------------------------------------------- */

/* An AMD queue: its files, which are the registers of head and tail too. */
#define AMD_ROW(name, file, member, kind, type, flags, text)           \
    VDF_ROW("queues/" #name "/" file, type, flags, "amd: " text), AMD, \
        VDF_FIELD(DEV, amdvi.queues[kind].member)
#define AMD_QUEUE(name, kind, title, base_at, head_at)                                            \
    { AMD_ROW(name, "base", base, kind, VDF_REG, VDF_RW | VDF_SAVE,                               \
              title ": address of the ring, an IOVA; another one resets head and tail"),          \
      .check = vdf_amdvi_check_base, .set = vdf_amdvi_set_base },                                 \
        { AMD_ROW(name, "length", length, kind, VDF_UINT, VDF_RW | VDF_SAVE,                      \
                  title ": log2 of the entries of 16 bytes, 8 to 15"),                            \
          .reset = VDF_AMDVI_LENGTH_RESET, .check = vdf_amdvi_check_length,                       \
          .set = vdf_amdvi_set_length },                                                          \
        { AMD_ROW(name, "base_register", base, kind, VDF_REG, VDF_RW | VDF_NO_FILE,               \
                  title ": address and length in one register"),                                  \
          .bits = name##_base_bits, .get = vdf_amdvi_get_base_reg, .set = vdf_amdvi_set_base_reg, \
          AT(base_at) },                                                                          \
        { AMD_ROW(name, "head", head, kind, VDF_REG, VDF_RW | VDF_SAVE,                           \
                  title ": offset of the oldest entry, in bytes"),                                \
          .bits = name##_head_bits, .check = vdf_amdvi_check_index,                               \
          .after = vdf_amdvi_after_index, AT(head_at) },                                          \
        { AMD_ROW(name, "tail", tail, kind, VDF_REG, VDF_RW | VDF_SAVE,                           \
                  title ": offset behind the newest entry, in bytes"),                            \
          .bits = name##_tail_bits, .check = vdf_amdvi_check_index,                               \
          .after = vdf_amdvi_after_index, AT(head_at + 8) },                                      \
        { AMD_ROW(name, "run", run, kind, VDF_BOOL, VDF_RW | VDF_SAVE,                            \
                  title ": the device works on the queue; 0 after an error or an overflow"),      \
          .check = vdf_amdvi_check_run, .restore = vdf_restore_unchecked },                       \
        { AMD_ROW(name, "overflow", overflow, kind, VDF_BOOL, VDF_RW | VDF_SAVE,                  \
                  title ": an entry found no room; after 0, enable again to go on"),              \
          .check = vdf_amdvi_check_overflow, .after = vdf_amdvi_after_overflow },                 \
    {                                                                                             \
        AMD_ROW(name, "enable", enabled, kind, VDF_BOOL, VDF_RW | VDF_SAVE,                       \
                title ": 1 pins base and length, with the errnos of HW_QUEUE_ALLOC"),             \
            .set = vdf_amdvi_set_enable                                                           \
    }

static const struct vdf_attr attrs[] = {
    { VDF_ROW("type", VDF_CHOICE, VDF_RW | VDF_SAVE,
              "kind of IOMMU; chosen before the first queue; selftest: the mock of the kernel's "
              "selftests, or its model"),
      VDF_FIELD(DEV, type), .choices = types, .check = check_type, .set = set_type,
      .restore = restore_type },
    { VDF_ROW("host", VDF_TEXT, VDF_RW | VDF_LOCAL,
              "iommufd: PCI address of a device bound to vfio-pci, whose IOMMU is used, or mock; "
              "chosen while backend is soft"),
      .show = show_host, .store = store_host },
    { VDF_ROW("backend", VDF_CHOICE, VDF_RW | VDF_LOCAL,
              "soft: emulated here; iommufd: objects of the host's kernel; before the first queue"),
      VDF_FIELD(DEV, backend), .choices = backends, .check = check_backend, .set = set_backend },
    { VDF_ROW("viommu_data", VDF_REG, VDF_RW | VDF_SAVE,
              "selftest: word that VIOMMU_ALLOC puts into the first page; before the first queue; "
              "another one empties the pages"),
      SELFTEST, VDF_FIELD(DEV, selftest.viommu_data), .reset = 0xbeef1234, .set = set_viommu_data },
    { VDF_ROW("region", VDF_RAW, VDF_NO_FILE | VDF_SAVE, "selftest: the pages of the mock"),
      SELFTEST, .has_field = true, .field = offsetof(DEV, selftest.region) },
    { VDF_ROW("hw_info", VDF_TEXT, VDF_R,
              "the answer of IOMMU_GET_HW_INFO: the type and the fields of its structure"),
      .show = show_hw_info },
    { VDF_ROW("hw_info_type", VDF_UINT, VDF_RW | VDF_SAVE,
              "tegra: input type of IOMMU_GET_HW_INFO: 3 the CMDQV, 2 and the kernel's default 0 "
              "the SMMUv3 with its IDR registers"),
      TEGRA, VDF_FIELD(DEV, tegra.hw_info_type), .reset = VDF_IOMMU_HW_INFO_TEGRA241,
      .check = check_hw_info_type },
    { VDF_ROW("cmdqs", VDF_UINT, VDF_RW | VDF_SAVE,
              "tegra: IDR1.CMDQS, log2 of the entries that a command queue can have, 1 to 19; "
              "before the first queue"),
      TEGRA, VDF_FIELD(DEV, tegra.cmdqs), .reset = VDF_VCMDQ_LOG2_MAX, .check = check_cmdqs },
    { VDF_ROW("memory_size", VDF_UINT, VDF_RW | VDF_SAVE,
              "bytes of memory, a multiple of 4096; before the first mapping and while memory is "
              "not open; a new size empties it"),
      VDF_FIELD(DEV, memory_size), .reset = 2u << 20, .check = check_memory_size,
      .set = set_memory_size, .restore = vdf_restore_by_write },
    { VDF_ROW("vm_memory", VDF_UINT, VDF_NO_FILE | VDF_SAVE,
              "end of the VM's memory that the mappings are of; the largest number: that memory "
              "changes; 0: they are of memory"),
      VDF_FIELD(DEV, vm_memory) },
    { VDF_ROW("memory", VDF_RAW, VDF_RW | VDF_MAP | VDF_HOLDS | VDF_SAVE,
              "guest memory that queues live in"),
      .has_field = true, .field = offsetof(DEV, memory), .raw = &memory_ops },
    { VDF_ROW("ioas/map", VDF_TEXT, VDF_W,
              "IOVA LENGTH [OFFSET [ro]]: memory from OFFSET (0) appears at IOVA; ro: not written "
              "by the device; with a guest attached, the guest's memory from address OFFSET"),
      .store = vdf_ioas_store_map },
    { VDF_ROW("ioas/unmap", VDF_TEXT, VDF_W,
              "IOVA LENGTH: removes the mappings in that range; EBUSY while a queue uses one"),
      .store = vdf_ioas_store_unmap },
    { VDF_ROW("ioas/mappings", VDF_TEXT, VDF_R, "the mappings, one a line, as ioas/map takes them"),
      .show = vdf_ioas_show },
    { VDF_ROW("ioas/list", VDF_TEXT, VDF_NO_FILE | VDF_SAVE, "the mappings, separated by commas"),
      .show = vdf_ioas_save, .restore_text = vdf_ioas_restore },
    { VDF_ROW("vdevices", VDF_OBJECTS, 0, "virtual devices by the guest's stream id; at most 16"),
      .objects = &vdevices },

    /* Tegra241 CMDQV: the registers as files, and as a guest sees them. */
    { VDF_ROW("global/config", VDF_REG, VDF_RW | VDF_SAVE, "tegra: CONFIG of the CMDQV"), TEGRA,
      VDF_FIELD(DEV, tegra.global_config), .reset = VDF_GLOBAL_CONFIG_EN, .after = after_config,
      AT(0x0), .bits = global_config_bits, .reserved = (uint32_t)~VDF_GLOBAL_CONFIG_MASK },
    { VDF_ROW("global/param", VDF_REG, VDF_RW, "tegra: PARAM; fixed"), .width = 4, TEGRA,
      .get = get_param, .set = set_read_only, .bits = param_bits },
    { VDF_ROW("global/status", VDF_REG, VDF_RW, "tegra: STATUS, which follows config"), .width = 4,
      TEGRA, .get = get_global_status, .set = set_read_only, .bits = global_status_bits },
    { VDF_ROW("vintf/config", VDF_REG, VDF_RW | VDF_SAVE, "tegra: CONFIG of the VINTF"), TEGRA,
      VDF_FIELD(DEV, tegra.vintf_config), .reset = VDF_VINTF_CONFIG_EN, .after = after_config,
      .bits = vintf_config_bits, .reserved = (uint32_t)~VDF_VINTF_CONFIG_MASK },
    { VDF_ROW("vintf/status", VDF_REG, VDF_RW, "tegra: STATUS of the VINTF, which the device sets"),
      .width = 4, TEGRA, .get = get_vintf_status, .set = set_read_only, .bits = vintf_status_bits },
    { VDF_ROW("vintf/err_map", VDF_REG, VDF_RW,
              "tegra: LVCMDQ_ERR_MAP: a bit for each queue whose error is not acknowledged; the "
              "device's"),
      .width = 8, TEGRA, .get = get_err_map, .set = set_read_only },
    { VDF_ROW("vintf/page0", VDF_RAW, VDF_RW | VDF_MAP | VDF_HOLDS,
              "tegra: page 0 of the VINTF as VIOMMU_ALLOC offers it to mmap(2), 64 KiB: the "
              "registers of logical queue N at 0x80 * N, as in page"),
      .when = has_vintf_page, .needs = "type tegra241-cmdqv and backend soft", .has_field = true,
      .field = offsetof(DEV, tegra.vintf_page), .raw = &vdf_vcmdq_vintf_page_ops },
    { VDF_ROW("guest/param", VDF_REG, VDF_R | VDF_NO_FILE, "tegra: PARAM"), .width = 4, TEGRA,
      .get = get_param, AT(0x4), .bits = param_bits },
    { VDF_ROW("guest/status", VDF_REG, VDF_R | VDF_NO_FILE, "tegra: STATUS"), .width = 4, TEGRA,
      .get = get_global_status, AT(0x8), .bits = global_status_bits },
    { VDF_ROW("guest/vintf_err_map/#", VDF_REG, VDF_R | VDF_NO_FILE,
              "tegra: VINTF_ERR_MAP: VINTFs with errors"),
      .width = 4, TEGRA, REPEAT(2, 4), .get = get_vintf_err_map, AT(0x14) },
    { VDF_ROW("vintf_int_mask", VDF_REG, VDF_RW | VDF_NO_FILE | VDF_SAVE,
              "tegra: VINTF_INT_MASK: 1 in bit 0 masks the error interrupt"),
      TEGRA, VDF_FIELD(DEV, tegra.vintf_int_mask), .after = after_int_mask, AT(0x1c) },
    { VDF_ROW("guest/cmdq_err_map/#", VDF_REG, VDF_R | VDF_NO_FILE,
              "tegra: CMDQ_ERR_MAP: VCMDQs with errors"),
      .width = 4, TEGRA, REPEAT(4, 4), .get = get_cmdq_err_map, AT(0x24) },
    { VDF_ROW("guest/cmdq_alloc/#", VDF_REG, VDF_RW | VDF_NO_FILE, "tegra: CMDQ_ALLOC"), .width = 4,
      TEGRA, REPEAT(VDF_VCMDQS, 4), .get = get_cmdq_alloc, .set = set_cmdq_alloc, AT(0x200),
      .bits = cmdq_alloc_bits },
    { VDF_ROW("cmdq_preset/#", VDF_REG, VDF_NO_FILE | VDF_SAVE, "tegra: CMDQ_ALLOC without ALLOC"),
      TEGRA, .range[0] = { .count = VDF_VCMDQS }, VDF_ARRAY(DEV, tegra.cmdq_preset),
      .bits = cmdq_alloc_bits + 1, .reserved = (uint32_t)~VDF_CMDQ_PRESET_MASK },
    { VDF_ROW("idle/#", VDF_REG, VDF_NO_FILE | VDF_SAVE,
              "tegra: registers of VCMDQs that are no queues yet"),
      TEGRA, .range[0] = { .count = VDF_VCMDQS * VDF_IDLE_REGS }, VDF_ARRAY(DEV, tegra.idle[0]) },
    { VDF_ROW("guest/vintf_config", VDF_REG, VDF_RW | VDF_NO_FILE,
              "tegra: the VINTF's CONFIG without HYP_OWN"),
      .width = 4, TEGRA, .get = get_guest_vintf_config, .set = set_guest_vintf_config, AT(0x1000),
      .bits = vintf_config_bits },
    { VDF_ROW("guest/vintf_status", VDF_REG, VDF_R | VDF_NO_FILE, "tegra: the VINTF's STATUS"),
      .width = 4, TEGRA, .get = get_vintf_status, AT(0x1004), .bits = vintf_status_bits },
    { VDF_ROW("guest/sid_match/#", VDF_REG, VDF_R | VDF_NO_FILE,
              "tegra: SID_MATCH, which the host sets"),
      .width = 4, TEGRA, REPEAT(VDF_VDEVICES, 4), .get = get_sid_match, AT(0x1040),
      .bits = sid_match_bits },
    { VDF_ROW("guest/sid_replace/#", VDF_REG, VDF_R | VDF_NO_FILE,
              "tegra: SID_REPLACE, which the host sets"),
      .width = 4, TEGRA, REPEAT(VDF_VDEVICES, 4), .get = get_sid_replace, AT(0x1080),
      .bits = sid_replace_bits },
    { VDF_ROW("guest/err_map", VDF_REG, VDF_R | VDF_NO_FILE,
              "tegra: LVCMDQ_ERR_MAP, its first 64 queues"),
      .width = 8, TEGRA, .get = get_err_map, AT(0x10c0) },
    { VDF_ROW("guest/vcmdq_page0/#", VDF_REG, VDF_RW | VDF_NO_FILE, "tegra: page 0 of the VCMDQs"),
      .width = 4, TEGRA, REPEAT(VDF_VCMDQS * 0x20, 4), .get = get_page0, .set = set_page0,
      AT(0x10000) },
    { VDF_ROW("guest/vcmdq_page1/#", VDF_REG, VDF_RW | VDF_NO_FILE, "tegra: page 1 of the VCMDQs"),
      .width = 8, TEGRA, REPEAT(VDF_VCMDQS * 0x10, 8), .get = get_page1, .set = set_page1,
      AT(0x20000) },
    { VDF_ROW("guest/vintf_page0/#", VDF_REG, VDF_RW | VDF_NO_FILE,
              "tegra: page 0 of the VINTF: the registers of the VCMDQs that are allocated to it"),
      .width = 4, TEGRA, REPEAT(VDF_VCMDQS * 0x20, 4), .get = get_vintf_page0,
      .set = set_vintf_page0, AT(0x30000) },
    { VDF_ROW("guest/vintf_page1/#", VDF_REG, VDF_RW | VDF_NO_FILE,
              "tegra: page 1 of the VINTF: the registers of the VCMDQs that are allocated to it"),
      .width = 8, TEGRA, REPEAT(VDF_VCMDQS * 0x10, 8), .get = get_vintf_page1,
      .set = set_vintf_page1, AT(0x40000) },
    { VDF_ROW("queues", VDF_OBJECTS, 0,
              "tegra: VCMDQs; made in order, removed in reverse; selftest: queues of the mock"),
      .when = has_queues, .needs = "type tegra241-cmdqv or selftest", .objects = &vcmdqs },

    /* AMD IOMMU */
    { VDF_ROW("control", VDF_REG, VDF_RW,
              "amd: Control; IommuEn and the enable and interrupt bits of the three queues have an "
              "effect"),
      .width = 8, AMD, .get = vdf_amdvi_get_control, .set = vdf_amdvi_set_control, AT(0x18),
      .bits = amd_control_bits },
    { VDF_ROW("control_bits", VDF_REG, VDF_NO_FILE | VDF_SAVE,
              "amd: Control without the bits that are enable of a queue"),
      AMD, VDF_FIELD(DEV, amdvi.control), .reset = VDF_AMDVI_CONTROL_IOMMU_EN,
      .reserved = VDF_AMDVI_CONTROL_QUEUES },
    { VDF_ROW("status", VDF_REG, VDF_R, "amd: Status"), .width = 8, AMD,
      .get = vdf_amdvi_get_status, .bits = amd_status_bits },
    { VDF_ROW("guest/amd_status", VDF_REG, VDF_RW | VDF_NO_FILE,
              "amd: Status; overflow and interrupt bits are cleared by writing 1"),
      .width = 8, AMD, .get = vdf_amdvi_get_status, .set = vdf_amdvi_set_status, AT(0x2020),
      .w1c = VDF_AMDVI_STATUS_W1C, .bits = amd_status_bits },
    { VDF_ROW("status_bits", VDF_REG, VDF_NO_FILE | VDF_SAVE, "amd: the interrupt bits of Status"),
      AMD, VDF_FIELD(DEV, amdvi.status), .reserved = ~VDF_AMDVI_STATUS_INTS },
    { VDF_ROW("dev_tab_base", VDF_REG, VDF_RW | VDF_NO_FILE | VDF_SAVE,
              "amd: DevTabBase, kept for the guest"),
      AMD, VDF_FIELD(DEV, amdvi.dev_tab), AT(0x0), .bits = dev_tab_base_bits },
    { VDF_ROW("guest/efr", VDF_REG, VDF_R | VDF_NO_FILE, "amd: EFR, with PPRSup, GTSup and IASup"),
      .width = 8, AMD, .get = vdf_amdvi_get_features, AT(0x30), .bits = efr_bits },
    AMD_QUEUE(cmd, VDF_AMDVI_CMD, "command buffer", 0x8, 0x2000),
    AMD_QUEUE(event, VDF_AMDVI_EVENT, "event log", 0x10, 0x2010),
    { VDF_ROW("queues/event/inject", VDF_TEXT, VDF_W,
              "amd: TYPE DEVID DOMAIN ADDRESS [FLAGS]: the device logs an event; TYPE as "
              "IO_PAGE_FAULT or a number; with bit 0 of FLAGS, GN, DOMAIN is a PASID of 20 bits"),
      AMD, .store = vdf_amdvi_inject_event },
    AMD_QUEUE(ppr, VDF_AMDVI_PPR, "PPR log", 0x38, 0x2030),
    { VDF_ROW("queues/ppr/inject", VDF_TEXT, VDF_W,
              "amd: DEVID PASID ADDRESS TAG [FLAGS]: a device asks for a page"),
      AMD, .store = vdf_amdvi_inject_ppr },

    { VDF_ROW("iotlb/entries", VDF_TEXT, VDF_R,
              "translations that the IOMMU has cached: SID SSID IOVA SIZE TAG [global] a line; SID "
              "is the machine's, TAG the ASID or domain"),
      .show = vdf_iotlb_show },
    { VDF_ROW("iotlb/insert", VDF_TEXT, VDF_W,
              "SID SSID IOVA SIZE [TAG [global]]: the IOMMU caches a translation; global: of all "
              "ASIDs, or PASIDs"),
      .store = vdf_iotlb_store_insert },
    { VDF_ROW("iotlb/list", VDF_TEXT, VDF_NO_FILE | VDF_SAVE,
              "the IOMMU's cached translations, separated by commas"),
      .show = vdf_iotlb_save, .restore_text = vdf_iotlb_restore },
    { VDF_ROW("iotlb/atc_entries", VDF_TEXT, VDF_R,
              "translations that devices have cached (ATC): SID SSID IOVA SIZE [global] a line"),
      .show = vdf_iotlb_show_atc },
    { VDF_ROW("iotlb/atc_insert", VDF_TEXT, VDF_W,
              "SID SSID IOVA SIZE [global]: device SID caches a translation"),
      .store = vdf_iotlb_store_atc_insert },
    { VDF_ROW("iotlb/atc_list", VDF_TEXT, VDF_NO_FILE | VDF_SAVE,
              "the devices' cached translations, separated by commas"),
      .show = vdf_iotlb_save_atc, .restore_text = vdf_iotlb_restore_atc },
    { VDF_ROW(
          "doorbell", VDF_CHOICE, VDF_RW | VDF_SAVE | VDF_EXCLUSIVE,
          "mapped: the pages of queues are mapped into guests; trapped: each store of PROD exits"),
      VDF_FIELD(DEV, doorbell), .choices = doorbells, .after = vdf_hwqueue_after_doorbell },
    { VDF_ROW("interrupt", VDF_BOOL, VDF_R, "level of the interrupt output"), .width = 1,
      .get = get_interrupt },
    { VDF_ROW("events", VDF_LOG, VDF_R,
              "errors of queues, AMD events and completed page requests, a line each"),
      .has_field = true, .field = offsetof(DEV, events) },
    { VDF_ROW("veventq_depth", VDF_UINT, VDF_RW | VDF_SAVE,
              "events that may wait in veventq, 1 to 524288"),
      VDF_FIELD(DEV, veventq.depth), .reset = 64, .set = vdf_veventq_set_depth, .min = 1,
      .max = VDF_VEVENTQ_DEPTH_MAX },
    { VDF_ROW("veventq", VDF_STREAM, VDF_R | VDF_BINARY,
              "vEVENTQ records: u32 flags (1: events were lost), u32 sequence, and LVCMDQ_ERR_MAP "
              "as two u64; selftest: the device's number as u32; nothing of an amd"),
      .stream = &vdf_veventq_stream },
    { VDF_ROW("trigger", VDF_UINT, VDF_W,
              "selftest: the device raises so many events; ENOENT without a virtual device"),
      .width = 2, SELFTEST, .set = vdf_veventq_trigger },
    { VDF_ROW("veventq_sequence", VDF_UINT, VDF_NO_FILE | VDF_SAVE, "sequence of the next event"),
      VDF_FIELD(DEV, veventq.sequence), .get = vdf_veventq_get_sequence,
      .reserved = ~VDF_VEVENT_SEQUENCE_MASK },
    { VDF_ROW("veventq_lost", VDF_BOOL, VDF_NO_FILE | VDF_SAVE,
              "a LOST_EVENTS header ends the queue"),
      VDF_FIELD(DEV, veventq.lost), .get = vdf_veventq_get_lost },
    { VDF_ROW("veventq_lost_sequence", VDF_UINT, VDF_NO_FILE | VDF_SAVE, "its sequence"),
      VDF_FIELD(DEV, veventq.lost_sequence), .get = vdf_veventq_get_lost_sequence,
      .reserved = ~VDF_VEVENT_SEQUENCE_MASK },
    { VDF_ROW("veventq_list", VDF_TEXT, VDF_NO_FILE | VDF_SAVE,
              "the events that wait, separated by commas"),
      .show = vdf_veventq_save, .restore_text = vdf_veventq_restore },
    COUNTER(commands, "commands executed"),
    COUNTER(tlbi, "of them, invalidations of the IOMMU's translations"),
    COUNTER(atc_inv, "of them, invalidations of translations in devices"),
    COUNTER(sync, "of them, completed CMD_SYNC or COMPL_WAIT"),
    COUNTER(illegal, "commands that were refused as illegal"),
    { VDF_ROW("regs", VDF_WINDOW, VDF_RW, "register window as the hardware lays it out"),
      .when = has_registers, .needs = "type tegra241-cmdqv or amd", .window_ops = &regs_ops,
      .window = VDF_REGS },
};

/* --- life ------------------------------------------------------------------------------------- */

static int create(struct vdf_obj *obj, struct vdf_err *err)
{
    struct vdf_hwqueue *dev = vdf_obj_priv(obj);

    vdf_hwqueue_choose(dev, dev->type);
    vdf_memory_init(&dev->memory, "hwqueue-memory", dev->memory_size);
    vdf_memory_init(&dev->selftest.region, "hwqueue-region", VDF_REGION_SIZE);
    vdf_memory_init(&dev->tegra.vintf_page, "hwqueue-vintf", VDF_VINTF_PAGE_SIZE);
    return 0;
}

static void destroy(struct vdf_obj *obj)
{
    struct vdf_hwqueue *dev = vdf_obj_priv(obj);

    vdf_kernel_close(dev);
    vdf_memory_free(&dev->memory);
    vdf_memory_free(&dev->selftest.region);
    vdf_memory_free(&dev->tegra.vintf_page);
    vdf_ioas_free(&dev->ioas);
    vdf_iotlb_free(&dev->iotlb);
    vdf_iotlb_free(&dev->atc);
    vdf_veventq_free(&dev->veventq);
}

/* The kernel may refuse a state that the model accepts; then the state is refused. The objects that this
 * makes are only a test: in the tree they are made again, for the memory that the device keeps. */
static int try_kernel(struct vdf_hwqueue *dev, struct vdf_err *err)
{
    if (dev->backend != VDF_HWQUEUE_IOMMUFD || vdf_hwqueue_memory_absent(dev))
        return 0;
    int ret = vdf_kernel_open(dev, err);
    vdf_kernel_close(dev);
    return ret;
}

/* The class of the queues has checked the queues before. */
static int restored(struct vdf_obj *obj, struct vdf_err *err)
{
    struct vdf_hwqueue *dev = vdf_obj_priv(obj);
    int ret = 0;

    for (unsigned type = VDF_HWQUEUE_TEGRA241; ret == 0 && type <= VDF_HWQUEUE_SELFTEST; type++) {
        const struct vdf_hwqueue_kind *kind = vdf_hwqueue_kind(type);
        ret = kind->restored ? kind->restored(dev, kind == dev->kind, err) : 0;
    }
    if (ret == 0)
        ret = try_kernel(dev, err);
    return ret;
}

static void adopt(struct vdf_obj *obj, void *old, void *now)
{
    const struct vdf_hwqueue *was = old;
    struct vdf_hwqueue *is = now;

    is->irq = was->irq;
    is->irq_level = was->irq_level;
    is->memory_open = was->memory_open;
    is->tegra.vintf_open = was->tegra.vintf_open;
    is->tegra.vintf_published = is->tegra.vintf_page.base != NULL;
}

static int start(struct vdf_obj *obj, bool fresh, struct vdf_err *err)
{
    struct vdf_hwqueue *dev = vdf_obj_priv(obj);

    dev->linked = true;
    if (!fresh) {
        if (dev->backend == VDF_HWQUEUE_IOMMUFD && !vdf_hwqueue_memory_absent(dev))
            vdf_kernel_reopen(dev, NULL);
        vdf_amdvi_start(dev);
    }
    vdf_hwqueue_update_irq(dev);
    return 0;
}

static void stop(struct vdf_obj *obj)
{
    struct vdf_hwqueue *dev = vdf_obj_priv(obj);

    vdf_kernel_close(dev);
    dev->linked = false;
}

/* Execute all stores to pages before a state is read. */
static void saving(struct vdf_obj *obj, bool begin)
{
    struct vdf_hwqueue *dev = vdf_obj_priv(obj);

    for (unsigned k = 0; begin && k < VDF_QUEUES; k++)
        if (dev->vcmdqs[k] && vdf_vcmdq_catch_up(dev->vcmdqs[k]))
            vdf_obj_touched(obj);
}

static const struct vdf_class hwqueue_class = {
    VDF_CLASS("hwqueue", "vIOMMU with hardware queues", struct vdf_hwqueue, attrs),
    .create = create,
    .destroy = destroy,
    .restored = restored,
    .adopt = adopt,
    .start = start,
    .stop = stop,
    .saving = saving,
    .guest = &vdf_hwqueue_guest_ops,
};

const struct vdf_component vdf_hwqueue_component = {
    .cls = &hwqueue_class,
    .default_name = "smmu0",
    .probe = &vdf_iommufd_probe,
};
