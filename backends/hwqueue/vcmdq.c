/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A Tegra241 VCMDQ: the registers of its page 0 and page 1, the page that a guest maps, and the
 * ring.
 *
 * Who owns which word of the page: PROD, CONFIG and GERRORN are the driver's; once the page exists
 * it is where they are, and a round loads each of them once. STATUS, GERROR and, while the queue
 * runs, CONS are the device's; it keeps its own and stores them into the page again whatever was
 * written there. While the queue does not run CONS is the driver's as well, who sets it up.
 *
 *     CONFIG.EN, `enable` ---> allocated, CMDQ_ALLOC, VINTF and CMDQV enabled ---> STATUS.EN_OK
 *     EN_OK, no error pending: commands from CONS to PROD run ---> CONS
 *     a bad command: CONS.ERR, CONS stays there, GERROR.CMDQ_ERR ---> GERRORN = GERROR goes on
 *
 * A page that is open may be stored to at any time, so that the engine looks at it in every round.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "hwqueue.h"

/* Page 0 */
#define REG_CONS 0x00u
#define REG_PROD 0x04u
#define REG_CONFIG 0x08u
#define REG_STATUS 0x0cu
#define REG_GERROR 0x10u
#define REG_GERRORN 0x14u
#define REGS_SIZE 0x18u
#define PAGE0_SIZE 0x80u /* from one queue to the next */
/* Page 1 */
#define REG_BASE 0x00u
#define REG_CONS_INDX_BASE 0x08u

#define CONS_RD_MASK 0xfffffu
#define CONS_ERR_SHIFT 24u
#define CONS_MASK 0x7f0fffffu
#define PROD_MASK 0xfffffu
#define CONFIG_EN 1u
#define STATUS_EN_OK 1u
#define GERROR_CMDQ_ERR 1u
#define GERROR_CONS_DRAM_WR_ABT 2u
#define GERROR_CMDQ_INIT_ERR 4u
#define GERROR_MASK 7u
#define BASE_ADDR_MASK UINT64_C(0xffffffffffe0)
#define COMMAND_BYTES 16u

#define WINDOW_PAGE0 1u
#define WINDOW_PAGE1 2u

static const char *const cerror_words[] = {
    "none", "ILL", "ABT", "ATC_INV_SYNC", "ILL_ACCESS", NULL,
};
#define CERRORS (sizeof(cerror_words) / sizeof(cerror_words[0]) - 1)

/* --- the page -----------------------------------------------------------------------------------
 */

/* A store where nothing changes would take the line from whoever polls it. */
static void publish_word(uint8_t *page, unsigned offset, uint32_t value)
{
    if (vdf_load_le32(page + offset) != value)
        vdf_store_le32(page + offset, value);
}

static void publish(struct vdf_vcmdq *queue)
{
    if (!queue->published)
        return;
    uint8_t *page = queue->page.base;
    publish_word(page, REG_STATUS, queue->status);
    publish_word(page, REG_GERROR, queue->gerror);
    publish_word(page, REG_CONS, queue->cons);
}

/* The page comes into being, with all words in it. */
static int make_page(struct vdf_vcmdq *queue)
{
    int ret = queue->published ? 0 : vdf_memory_touch(&queue->page);

    if (ret < 0 || queue->published)
        return ret;
    queue->published = true;
    publish_word(queue->page.base, REG_PROD, queue->prod);
    publish_word(queue->page.base, REG_CONFIG, queue->config);
    publish_word(queue->page.base, REG_GERRORN, queue->gerrorn);
    publish(queue);
    return 0;
}

static void publish_driver_word(struct vdf_vcmdq *queue, unsigned offset, uint32_t value)
{
    if (queue->published)
        publish_word(queue->page.base, offset, value);
}

static uint32_t driver_word(const struct vdf_vcmdq *queue, unsigned offset, uint32_t mask,
                            uint32_t seen)
{
    return queue->published ? vdf_load_le32(queue->page.base + offset) & mask : seen;
}

static uint32_t load_prod(const struct vdf_vcmdq *queue)
{
    return driver_word(queue, REG_PROD, PROD_MASK, queue->prod);
}

static uint32_t load_config(const struct vdf_vcmdq *queue)
{
    return driver_word(queue, REG_CONFIG, CONFIG_EN, queue->config);
}

static uint32_t load_gerrorn(const struct vdf_vcmdq *queue)
{
    return driver_word(queue, REG_GERRORN, GERROR_MASK, queue->gerrorn);
}

static uint32_t load_cons(const struct vdf_vcmdq *queue)
{
    if (queue->status & STATUS_EN_OK)
        return queue->cons;
    return driver_word(queue, REG_CONS, CONS_MASK, queue->cons);
}

/* --- errors -------------------------------------------------------------------------------------
 */

static uint32_t active_errors(const struct vdf_vcmdq *queue)
{
    return queue->gerror ^ queue->gerrorn;
}

bool vdf_vcmdq_error(const struct vdf_vcmdq *queue)
{
    return active_errors(queue) != 0;
}

static void raise_error(struct vdf_vcmdq *queue, uint32_t bit)
{
    if (active_errors(queue) & bit)
        return;
    queue->gerror ^= bit;
    vdf_cmdqv_error_raised(queue->dev);
}

static void command_error(struct vdf_vcmdq *queue, enum vdf_cerror error, uint32_t index,
                          uint64_t w0)
{
    struct vdf_hwqueue *dev = queue->dev;

    queue->cons = (queue->cons & CONS_RD_MASK) | (uint32_t)error << CONS_ERR_SHIFT;
    if (error == VDF_CERROR_ABT) {
        vdf_log_printf(&dev->events, "vcmdq=%u error=ABT index=%u", queue->index, index);
        vdf_report(queue->priv.obj, EFAULT, "the fetch of command %u aborted", index);
    } else {
        vdf_log_printf(&dev->events, "vcmdq=%u error=%s index=%u opcode=0x%02x command=%s",
                       queue->index, cerror_words[error], index, (unsigned)(w0 & 0xff),
                       vdf_smmu_command_name(w0));
    }
    if (error == VDF_CERROR_ILL || error == VDF_CERROR_ILL_ACCESS) {
        dev->illegal++;
        if (error == VDF_CERROR_ILL)
            vdf_report(
                queue->priv.obj, EINVAL,
                "command %u is 0x%02x, %s: this queue takes TLBI_NH_ASID, TLBI_NH_VA, ATC_INV "
                "and CMD_SYNC without a signal",
                index, (unsigned)(w0 & 0xff), vdf_smmu_command_name(w0));
        else
            vdf_report(queue->priv.obj, ENOENT,
                       "command %u names stream %u: there is no such directory in vdevices", index,
                       (unsigned)(w0 >> 32));
    }
    raise_error(queue, GERROR_CMDQ_ERR);
}

/* --- execution ----------------------------------------------------------------------------------
 */

static uint32_t entries(const struct vdf_vcmdq *queue)
{
    return UINT32_C(1) << queue->log2size;
}

/* Commands from RD to PROD. The wrap bit lies above the index, so that 2 * entries positions tell
 * an empty ring from a full one. */
static uint32_t outstanding(const struct vdf_vcmdq *queue, uint32_t prod, uint32_t cons)
{
    return (prod - cons) & (2 * entries(queue) - 1);
}

static void run_commands(struct vdf_vcmdq *queue)
{
    uint32_t mask = entries(queue) - 1, wrap_mask = 2 * entries(queue) - 1;
    uint32_t n = outstanding(queue, queue->prod, queue->cons);

    if (n == 0)
        return;
    if (n > entries(queue)) {
        if (!queue->bad_prod)
            vdf_report(queue->priv.obj, EINVAL,
                       "PROD 0x%05x is %u commands ahead of CONS; the ring has %u", queue->prod, n,
                       entries(queue));
        queue->bad_prod = true;
        return;
    }
    queue->bad_prod = false;

    struct vdf_hwqueue *dev = queue->dev;
    uint32_t rd = queue->cons & wrap_mask;
    const uint8_t *ring =
        queue->fetch_abort
            ? NULL
            : vdf_memory_at(&dev->memory, queue->ring, (uint64_t)entries(queue) * COMMAND_BYTES);
    enum vdf_cerror error = ring ? VDF_CERROR_NONE : VDF_CERROR_ABT;
    uint64_t w0 = 0;
    for (; n > 0 && error == VDF_CERROR_NONE; n--) {
        const uint8_t *command = ring + (size_t)(rd & mask) * COMMAND_BYTES;
        w0 = vdf_load_le64(command);
        error = vdf_smmu_command(queue, w0, vdf_load_le64(command + 8));
        if (error == VDF_CERROR_NONE) {
            dev->commands++;
            rd = (rd + 1) & wrap_mask;
        }
    }
    queue->cons = rd;
    if (error != VDF_CERROR_NONE)
        command_error(queue, error, rd & mask, w0);
    if ((dev->global_config & VDF_GLOBAL_CONFIG_CONS_DRAM_EN) && queue->cons_base) {
        void *to = vdf_ioas_at(dev, queue->cons_base & ~UINT64_C(3), sizeof(uint32_t), true);
        if (to)
            vdf_store_le32(to, queue->cons);
        else
            raise_error(queue, GERROR_CONS_DRAM_WR_ABT);
    }
}

/* --- allocation ---------------------------------------------------------------------------------
 */

/* IOMMU_HW_QUEUE_ALLOC: the core pins the pages, then the driver looks at order, length and base.
 */
static int allocate(struct vdf_vcmdq *queue, struct vdf_err *err)
{
    struct vdf_hwqueue *dev = queue->dev;
    uint64_t length = (uint64_t)COMMAND_BYTES << queue->log2size, ring;
    int ret = vdf_ioas_pin(&dev->ioas, queue->base, length, false, &ring, err);

    if (ret < 0)
        return ret;
    if (queue->index > 0 &&
        !(dev->vcmdqs[queue->index - 1] && dev->vcmdqs[queue->index - 1]->enabled))
        return vdf_fail(err, EIO, "queue %u is enabled before queue %u", queue->index - 1,
                        queue->index);
    if (queue->log2size < VDF_VCMDQ_LOG2_MIN || queue->log2size > VDF_VCMDQ_LOG2_MAX)
        return vdf_fail(err, EINVAL, "log2size %u: a ring has 2^%u to 2^%u entries of 16 bytes",
                        queue->log2size, VDF_VCMDQ_LOG2_MIN, VDF_VCMDQ_LOG2_MAX);
    if (queue->base & (length - 1))
        return vdf_fail(err, EINVAL, "base 0x%llx: a multiple of the ring's length, 0x%llx",
                        (unsigned long long)queue->base, (unsigned long long)length);
    if (queue->base & ~BASE_ADDR_MASK)
        return vdf_fail(err, EINVAL, "base 0x%llx: an address of 48 bits",
                        (unsigned long long)queue->base);
    queue->ring = ring;
    queue->enabled = 1;
    return 0;
}

static bool next_is_enabled(const struct vdf_vcmdq *queue)
{
    const struct vdf_hwqueue *dev = queue->dev;
    return queue->index + 1 < VDF_VCMDQS && dev->vcmdqs[queue->index + 1] &&
           dev->vcmdqs[queue->index + 1]->enabled;
}

/* The queue of a destroyed HW queue object is as after a reset. */
static void release(struct vdf_vcmdq *queue)
{
    queue->enabled = 0;
    queue->atc_timeout = 0;
    queue->prod = queue->cons = queue->config = queue->status = 0;
    queue->gerrorn = queue->gerror;
    queue->bad_prod = false;
    publish_driver_word(queue, REG_PROD, 0);
    publish_driver_word(queue, REG_CONFIG, 0);
    publish_driver_word(queue, REG_GERRORN, queue->gerrorn);
    publish(queue);
}

bool vdf_vcmdq_pins(const struct vdf_vcmdq *queue, uint64_t first, uint64_t last)
{
    if (!queue->enabled)
        return false;
    uint64_t end = queue->base + (((uint64_t)COMMAND_BYTES << queue->log2size) - 1);
    return (queue->base & ~((uint64_t)VDF_PAGE_SIZE - 1)) <= last &&
           (end | ((uint64_t)VDF_PAGE_SIZE - 1)) >= first;
}

/* --- rounds -------------------------------------------------------------------------------------
 */

static uint32_t ready(const struct vdf_vcmdq *queue)
{
    const struct vdf_hwqueue *dev = queue->dev;
    bool ok = queue->enabled && queue->mapped && (queue->config & CONFIG_EN) &&
              (dev->global_config & VDF_GLOBAL_CONFIG_EN) &&
              (dev->vintf_config & VDF_VINTF_CONFIG_EN);
    return ok ? STATUS_EN_OK : 0;
}

/* A driver that enables a queue for which nobody did HW_QUEUE_ALLOC has it done now. */
static void allocate_for_driver(struct vdf_vcmdq *queue)
{
    struct vdf_err err = { 0 };

    if (queue->enabled || allocate(queue, &err) == 0)
        return;
    vdf_log_printf(&queue->dev->events, "vcmdq=%u error=CMDQ_INIT_ERR", queue->index);
    vdf_report(queue->priv.obj, err.code, "%s", err.text);
    raise_error(queue, GERROR_CMDQ_INIT_ERR);
}

/* The driver's words are now these. */
static void advance(struct vdf_vcmdq *queue, uint32_t prod, uint32_t config, uint32_t gerrorn)
{
    bool starts = config & ~queue->config & CONFIG_EN;
    uint32_t stopped = active_errors(queue) & GERROR_CMDQ_ERR;

    queue->cons = load_cons(queue);
    queue->prod = prod;
    queue->config = config;
    queue->gerrorn = gerrorn;
    if (stopped && !(active_errors(queue) & GERROR_CMDQ_ERR))
        queue->cons &= CONS_RD_MASK;
    if (starts)
        allocate_for_driver(queue);
    queue->status = ready(queue);
    if ((queue->status & STATUS_EN_OK) && !(active_errors(queue) & GERROR_CMDQ_ERR))
        run_commands(queue);
    publish(queue);
    vdf_hwqueue_update_irq(queue->dev);
}

void vdf_vcmdq_round(struct vdf_vcmdq *queue)
{
    advance(queue, load_prod(queue), load_config(queue), load_gerrorn(queue));
}

static bool poll_page(struct vdf_obj *obj, uint64_t value)
{
    struct vdf_vcmdq *queue = vdf_obj_priv(obj);

    (void)value;
    if (load_prod(queue) == queue->prod && load_config(queue) == queue->config &&
        load_gerrorn(queue) == queue->gerrorn)
        return false;
    vdf_vcmdq_round(queue);
    return true;
}

static void page_opened(const struct vdf_at *at, bool open)
{
    struct vdf_vcmdq *queue = at->priv;

    queue->page_open = open;
    if (open) {
        /* Without memory the reads and writes of the page will say so. */
        if (make_page(queue) == 0 && !queue->poller)
            queue->poller = vdf_async_poller(queue->priv.obj, poll_page);
    } else {
        vdf_async_free(queue->poller);
        queue->poller = NULL;
        vdf_vcmdq_round(queue);
    }
}

static uint64_t page_size(const struct vdf_at *at)
{
    (void)at;
    return VDF_PAGE_SIZE;
}

static int page_read(const struct vdf_at *at, void *bytes, size_t n, uint64_t offset,
                     struct vdf_err *err)
{
    struct vdf_vcmdq *queue = at->priv;
    int ret = make_page(queue);

    if (ret < 0)
        return vdf_fail(err, -ret, "no memory for the queue's page");
    memcpy(bytes, queue->page.base + offset, n);
    return 0;
}

/* As the hardware: stores to what is no register and to the device's registers are dropped. */
static int page_write(const struct vdf_at *at, const void *bytes, size_t n, uint64_t offset,
                      struct vdf_err *err)
{
    struct vdf_vcmdq *queue = at->priv;
    int ret = make_page(queue);

    if (ret < 0)
        return vdf_fail(err, -ret, "no memory for the queue's page");
    for (unsigned reg = 0; reg < REGS_SIZE; reg += 4) {
        bool driver = reg == REG_PROD || reg == REG_CONFIG || reg == REG_GERRORN ||
                      (reg == REG_CONS && !(queue->status & STATUS_EN_OK));
        if (!driver || offset >= reg + 4 || offset + n <= reg)
            continue;
        uint8_t word[4];
        vdf_store_le32(word, vdf_load_le32(queue->page.base + reg));
        for (unsigned k = 0; k < 4; k++)
            if (reg + k >= offset && reg + k < offset + n)
                word[k] = ((const uint8_t *)bytes)[reg + k - offset];
        vdf_store_le32(queue->page.base + reg, vdf_load_le32(word));
    }
    vdf_vcmdq_round(queue);
    return 0;
}

static const struct vdf_raw_ops page_ops = {
    .size = page_size,
    .read = page_read,
    .write = page_write,
    .opened = page_opened,
};

/* --- the ring as a file -------------------------------------------------------------------------
 */

/* The ring is where BASE says as soon as that is mapped, so that it can be filled before `enable`.
 */
static uint64_t ring_size(const struct vdf_at *at)
{
    const struct vdf_vcmdq *queue = at->priv;
    uint64_t length = (uint64_t)COMMAND_BYTES << queue->log2size, ring;

    return vdf_ioas_pin(&queue->dev->ioas, queue->base, length, false, &ring, NULL) == 0 ? length
                                                                                         : 0;
}

static void *ring_at(const struct vdf_vcmdq *queue, size_t n, uint64_t offset, struct vdf_err *err)
{
    void *bytes = vdf_ioas_ring(queue->dev, queue->base, (uint64_t)COMMAND_BYTES << queue->log2size,
                                offset, n);
    if (!bytes)
        vdf_fail(err, ENOMEM, "no memory for the ring");
    return bytes;
}

static int ring_read(const struct vdf_at *at, void *bytes, size_t n, uint64_t offset,
                     struct vdf_err *err)
{
    const void *from = ring_at(at->priv, n, offset, err);

    if (!from)
        return -ENOMEM;
    memcpy(bytes, from, n);
    return 0;
}

static int ring_write(const struct vdf_at *at, const void *bytes, size_t n, uint64_t offset,
                      struct vdf_err *err)
{
    void *to = ring_at(at->priv, n, offset, err);

    if (!to)
        return -ENOMEM;
    memcpy(to, bytes, n);
    return 0;
}

static const struct vdf_raw_ops ring_ops = {
    .size = ring_size,
    .read = ring_read,
    .write = ring_write,
};

/* --- registers ----------------------------------------------------------------------------------
 */

static int get_prod(const struct vdf_at *at, uint64_t *value)
{
    *value = load_prod(at->priv);
    return 0;
}

static int set_prod(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_vcmdq *queue = at->priv;

    if (value & ~(uint64_t)PROD_MASK)
        return vdf_fail(err, EINVAL, "0x%llx: PROD is 20 bits, index and wrap bit",
                        (unsigned long long)value);
    vdf_vcmdq_round(queue);
    if (queue->status & STATUS_EN_OK) {
        uint32_t n = outstanding(queue, (uint32_t)value, queue->cons);
        if (n > entries(queue))
            return vdf_fail(err, EINVAL, "0x%llx: %u commands ahead of CONS 0x%x, the ring has %u",
                            (unsigned long long)value, n, queue->cons & CONS_RD_MASK,
                            entries(queue));
    }
    publish_driver_word(queue, REG_PROD, (uint32_t)value);
    advance(queue, (uint32_t)value, queue->config, queue->gerrorn);
    return 0;
}

static int get_cons(const struct vdf_at *at, uint64_t *value)
{
    *value = load_cons(at->priv);
    return 0;
}

static int set_cons(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_vcmdq *queue = at->priv;

    if (value & ~(uint64_t)CONS_MASK || value >> CONS_ERR_SHIFT >= CERRORS)
        return vdf_fail(err, EINVAL, "0x%llx: CONS is RD in bits 19:0 and ERR, 0 to %u, in 30:24",
                        (unsigned long long)value, (unsigned)CERRORS - 1);
    vdf_vcmdq_round(queue);
    if (queue->status & STATUS_EN_OK) {
        if (value != queue->cons)
            return vdf_fail(err, EBUSY,
                            "0x%llx: CONS, 0x%08x, is the device's while the queue runs",
                            (unsigned long long)value, queue->cons);
        return 0;
    }
    queue->cons = (uint32_t)value;
    publish(queue);
    return 0;
}

static int get_config(const struct vdf_at *at, uint64_t *value)
{
    *value = load_config(at->priv);
    return 0;
}

static int set_config(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_vcmdq *queue = at->priv;

    if (value & ~(uint64_t)CONFIG_EN)
        return vdf_fail(err, EINVAL, "0x%llx: CONFIG has EN in bit 0 and no more",
                        (unsigned long long)value);
    vdf_vcmdq_round(queue);
    publish_driver_word(queue, REG_CONFIG, (uint32_t)value);
    advance(queue, queue->prod, (uint32_t)value, queue->gerrorn);
    return 0;
}

static int check_gerror(uint64_t value, struct vdf_err *err)
{
    if (value & ~(uint64_t)GERROR_MASK)
        return vdf_fail(err, EINVAL,
                        "0x%llx: the errors are CMDQ_ERR 1, CONS_DRAM_WR_ABT 2 and CMDQ_INIT_ERR 4",
                        (unsigned long long)value);
    return 0;
}

static int set_gerror(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_vcmdq *queue = at->priv;
    int ret = check_gerror(value, err);

    if (ret < 0)
        return ret;
    vdf_vcmdq_round(queue);
    uint32_t before = active_errors(queue);
    queue->gerror = (uint32_t)value;
    if (active_errors(queue) & ~before)
        vdf_cmdqv_error_raised(queue->dev);
    vdf_vcmdq_round(queue);
    return 0;
}

static int get_gerrorn(const struct vdf_at *at, uint64_t *value)
{
    *value = load_gerrorn(at->priv);
    return 0;
}

static int set_gerrorn(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_vcmdq *queue = at->priv;
    int ret = check_gerror(value, err);

    if (ret < 0)
        return ret;
    vdf_vcmdq_round(queue);
    publish_driver_word(queue, REG_GERRORN, (uint32_t)value);
    advance(queue, queue->prod, queue->config, (uint32_t)value);
    return 0;
}

static int get_error(const struct vdf_at *at, uint64_t *value)
{
    *value = load_cons(at->priv) >> CONS_ERR_SHIFT;
    if (*value >= CERRORS)
        *value = VDF_CERROR_NONE;
    return 0;
}

static int check_base(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_vcmdq *queue = at->priv;

    if (queue->enabled && value != queue->base)
        return vdf_fail(err, EBUSY, "0x%llx: the queue at 0x%llx is enabled",
                        (unsigned long long)value, (unsigned long long)queue->base);
    return 0;
}

static int check_log2size(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_vcmdq *queue = at->priv;

    if (value < VDF_VCMDQ_LOG2_MIN || value > VDF_VCMDQ_LOG2_MAX)
        return vdf_fail(err, EINVAL, "%llu: a ring has 2^%u to 2^%u entries of 16 bytes",
                        (unsigned long long)value, VDF_VCMDQ_LOG2_MIN, VDF_VCMDQ_LOG2_MAX);
    if (queue->enabled && value != queue->log2size)
        return vdf_fail(err, EBUSY, "%llu: the queue of 2^%u entries is enabled",
                        (unsigned long long)value, queue->log2size);
    return 0;
}

static int disable(struct vdf_vcmdq *queue, struct vdf_err *err)
{
    if (next_is_enabled(queue))
        return vdf_fail(err, EBUSY, "queue %u is enabled; disable it first", queue->index + 1);
    release(queue);
    vdf_vcmdq_round(queue);
    return 0;
}

/* Writing 1 is HW_QUEUE_ALLOC and then the driver's CONFIG.EN. Another 1 is the value that it has.
 */
static int set_enable(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_vcmdq *queue = at->priv;

    if (value == queue->enabled)
        return 0;
    if (!value)
        return disable(queue, err);
    int ret = allocate(queue, err);
    if (ret < 0)
        return ret;
    publish_driver_word(queue, REG_CONFIG, CONFIG_EN);
    advance(queue, load_prod(queue), CONFIG_EN, load_gerrorn(queue));
    return 0;
}

static void after_fetch_abort(const struct vdf_at *at, uint64_t value)
{
    (void)value;
    vdf_vcmdq_round(at->priv);
}

static int get_base_reg(const struct vdf_at *at, uint64_t *value)
{
    const struct vdf_vcmdq *queue = at->priv;
    *value = (queue->base & BASE_ADDR_MASK) | queue->log2size;
    return 0;
}

/* A guest sets its ring up through page 1. While the queue does not run, an allocation goes with
 * the old address, and is made again by CONFIG.EN. */
static int set_base_reg(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_vcmdq *queue = at->priv;
    uint64_t current;

    vdf_vcmdq_round(queue);
    get_base_reg(at, &current);
    if (value == current)
        return 0;
    if (queue->status & STATUS_EN_OK)
        return vdf_fail(err, EBUSY, "0x%llx: BASE while the queue runs", (unsigned long long)value);
    if (queue->enabled) {
        int ret = disable(queue, err);
        if (ret < 0)
            return ret;
    }
    queue->base = value & BASE_ADDR_MASK;
    queue->log2size = (uint8_t)(value & 0x1f);
    return 0;
}

static int set_status(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_vcmdq *queue = at->priv;

    if (value != queue->status)
        return vdf_fail(err, EINVAL,
                        "0x%llx: STATUS is the device's, 0x%08x; see config and enable",
                        (unsigned long long)value, queue->status);
    return 0;
}

static uint64_t window_size(const struct vdf_at *at)
{
    (void)at;
    return PAGE0_SIZE;
}

static const struct vdf_window_ops window_ops = {
    .size = window_size,
    .align = 4,
};

/* --- the table ----------------------------------------------------------------------------------
 */

enum {
    ROW_PAGE0,
    ROW_PAGE1,
};

static const struct vdf_attr attrs[] = {
    [ROW_PAGE0] = {
        .path = "page0",
        .type = VDF_WINDOW,
        .flags = VDF_NO_FILE | VDF_RW,
        .doc = "registers of page 0",
        .window_ops = &window_ops,
        .window = WINDOW_PAGE0,
    },
    [ROW_PAGE1] = {
        .path = "page1",
        .type = VDF_WINDOW,
        .flags = VDF_NO_FILE | VDF_RW,
        .doc = "registers of page 1",
        .window_ops = &window_ops,
        .window = WINDOW_PAGE1,
    },
    {
        .path = "base",
        .type = VDF_REG,
        .flags = VDF_RW | VDF_SAVE,
        .doc = "address of the ring, an IOVA; fixed while the queue is enabled",
        VDF_FIELD(struct vdf_vcmdq, base),
        .check = check_base,
        .restore = vdf_hwqueue_restore_field,
    },
    {
        .path = "log2size",
        .type = VDF_UINT,
        .flags = VDF_RW | VDF_SAVE,
        .doc = "log2 of the ring's entries of 16 bytes, 1 to 19",
        VDF_FIELD(struct vdf_vcmdq, log2size),
        .reset = 8,
        .check = check_log2size,
        .restore = vdf_hwqueue_restore_field,
    },
    {
        .path = "enable",
        .type = VDF_BOOL,
        .flags = VDF_RW | VDF_SAVE,
        .doc = "1: HW_QUEUE_ALLOC with base and log2size, then CONFIG.EN; 0: the queue is given back",
        VDF_FIELD(struct vdf_vcmdq, enabled),
        .set = set_enable,
        .restore = vdf_hwqueue_restore_field,
    },
    {
        .path = "config",
        .type = VDF_REG,
        .flags = VDF_RW | VDF_SAVE,
        .doc = "CONFIG: EN in bit 0, the driver's switch",
        VDF_FIELD(struct vdf_vcmdq, config),
        .get = get_config,
        .set = set_config,
        .restore = vdf_hwqueue_restore_field,
        .window = WINDOW_PAGE0,
        .offset = REG_CONFIG,
    },
    {
        .path = "status",
        .type = VDF_REG,
        .flags = VDF_RW,
        .doc = "STATUS: EN_OK in bit 0, the queue runs",
        VDF_FIELD(struct vdf_vcmdq, status),
        .set = set_status,
    },
    {
        .path = "page0/status",
        .type = VDF_REG,
        .flags = VDF_R | VDF_NO_FILE,
        .doc = "STATUS as the driver sees it",
        VDF_FIELD(struct vdf_vcmdq, status),
        .window = WINDOW_PAGE0,
        .offset = REG_STATUS,
    },
    {
        .path = "cons",
        .type = VDF_REG,
        .flags = VDF_RW | VDF_SAVE,
        .doc = "CONS: RD in bits 19:0, ERR in 30:24; written only while STATUS.EN_OK is 0",
        VDF_FIELD(struct vdf_vcmdq, cons),
        .get = get_cons,
        .set = set_cons,
        .restore = vdf_hwqueue_restore_field,
        .window = WINDOW_PAGE0,
        .offset = REG_CONS,
    },
    {
        .path = "prod",
        .type = VDF_REG,
        .flags = VDF_RW | VDF_SAVE,
        .doc = "PROD: WR in bits 19:0, index and wrap bit; commands up to it run before the write returns",
        VDF_FIELD(struct vdf_vcmdq, prod),
        .get = get_prod,
        .set = set_prod,
        .restore = vdf_hwqueue_restore_field,
        .window = WINDOW_PAGE0,
        .offset = REG_PROD,
    },
    {
        .path = "gerror",
        .type = VDF_REG,
        .flags = VDF_RW | VDF_SAVE,
        .doc = "GERROR: CMDQ_ERR 0, CONS_DRAM_WR_ABT 1, CMDQ_INIT_ERR 2; a bit that differs from "
               "gerrorn is an error; a write makes errors",
        VDF_FIELD(struct vdf_vcmdq, gerror),
        .set = set_gerror,
        .restore = vdf_hwqueue_restore_field,
    },
    {
        .path = "page0/gerror",
        .type = VDF_REG,
        .flags = VDF_R | VDF_NO_FILE,
        .doc = "GERROR as the driver sees it",
        VDF_FIELD(struct vdf_vcmdq, gerror),
        .window = WINDOW_PAGE0,
        .offset = REG_GERROR,
    },
    {
        .path = "gerrorn",
        .type = VDF_REG,
        .flags = VDF_RW | VDF_SAVE,
        .doc = "GERRORN: the driver writes gerror's value here to acknowledge, and the queue goes on",
        VDF_FIELD(struct vdf_vcmdq, gerrorn),
        .get = get_gerrorn,
        .set = set_gerrorn,
        .restore = vdf_hwqueue_restore_field,
        .window = WINDOW_PAGE0,
        .offset = REG_GERRORN,
    },
    {
        .path = "error",
        .type = VDF_CHOICE,
        .flags = VDF_R,
        .width = 1,
        .doc = "CONS.ERR as a word",
        .choices = cerror_words,
        .get = get_error,
    },
    {
        .path = "cons_base",
        .type = VDF_REG,
        .flags = VDF_RW | VDF_SAVE,
        .doc = "CONS_INDX_BASE: where CONS is stored in memory while global/config has CONS_DRAM_EN; "
               "0: nowhere",
        VDF_FIELD(struct vdf_vcmdq, cons_base),
        .window = WINDOW_PAGE1,
        .offset = REG_CONS_INDX_BASE,
    },
    {
        .path = "page1/base",
        .type = VDF_REG,
        .flags = VDF_RW | VDF_NO_FILE,
        .width = 8,
        .doc = "BASE: ADDR in bits 47:5, LOG2SIZE in 4:0",
        .get = get_base_reg,
        .set = set_base_reg,
        .window = WINDOW_PAGE1,
        .offset = REG_BASE,
    },
    {
        .path = "page",
        .type = VDF_RAW,
        .flags = VDF_RW | VDF_MAP | VDF_HOLDS,
        .doc = "page 0 of this queue alone: CONS at 0, PROD 0x4, CONFIG 0x8, STATUS 0xc, GERROR 0x10, "
               "GERRORN 0x14",
        .has_field = true,
        .field = offsetof(struct vdf_vcmdq, page),
        .raw = &page_ops,
    },
    {
        .path = "entries",
        .type = VDF_RAW,
        .flags = VDF_RW | VDF_MAP,
        .doc = "the ring; empty while base is not mapped",
        .raw = &ring_ops,
    },
    {
        .path = "fetch_abort",
        .type = VDF_BOOL,
        .flags = VDF_RW | VDF_SAVE,
        .doc = "1: fetches of commands abort, and the next command ends in CERROR_ABT",
        VDF_FIELD(struct vdf_vcmdq, fetch_abort),
        .after = after_fetch_abort,
        .restore = vdf_hwqueue_restore_field,
    },
    {
        .path = "mapped",
        .type = VDF_BOOL,
        .flags = VDF_NO_FILE | VDF_SAVE,
        .doc = "CMDQ_ALLOC.ALLOC",
        VDF_FIELD(struct vdf_vcmdq, mapped),
        .reset = 1,
    },
    {
        .path = "atc_timeout",
        .type = VDF_BOOL,
        .flags = VDF_NO_FILE | VDF_SAVE,
        .doc = "an ATC invalidation before the next CMD_SYNC was not answered",
        VDF_FIELD(struct vdf_vcmdq, atc_timeout),
    },
};

int vdf_vcmdq_window_read(struct vdf_vcmdq *queue, unsigned page, uint64_t offset, unsigned width,
                          uint64_t *value)
{
    return vdf_window_read(queue->priv.obj, &attrs[page ? ROW_PAGE1 : ROW_PAGE0], offset, width,
                           false, value, NULL);
}

int vdf_vcmdq_window_write(struct vdf_vcmdq *queue, unsigned page, uint64_t offset, unsigned width,
                           uint64_t value, struct vdf_err *err)
{
    return vdf_window_write(queue->priv.obj, &attrs[page ? ROW_PAGE1 : ROW_PAGE0], offset, width,
                            value, err);
}

/* --- life ---------------------------------------------------------------------------------------
 */

/* mkdir, in HW_QUEUE_ALLOC's order: the index's range, then that of the queues. */
int vdf_vcmdq_allow(struct vdf_obj *parent, const char *name, struct vdf_err *err)
{
    const struct vdf_hwqueue *dev = vdf_obj_priv(parent);
    uint64_t index;

    if (vdf_hwqueue_name_number(name, &index) < 0 || index >= VDF_VCMDQS)
        return vdf_fail(err, EINVAL, "%s: queues are 0 to %u", name, VDF_VCMDQS - 1);
    if (index > 0 && !dev->vcmdqs[index - 1])
        return vdf_fail(err, EIO, "%s: queue %u is made before it", name, (unsigned)index - 1);
    return 0;
}

static int create(struct vdf_obj *obj, struct vdf_err *err)
{
    struct vdf_vcmdq *queue = vdf_obj_priv(obj);
    struct vdf_hwqueue *dev = vdf_obj_priv(vdf_obj_parent(obj));
    uint64_t index;

    int ret = vdf_vcmdq_allow(vdf_obj_parent(obj), vdf_obj_name(obj), err);
    if (ret < 0)
        return ret;
    vdf_hwqueue_name_number(vdf_obj_name(obj), &index);
    if (dev->vcmdqs[index])
        return vdf_fail(err, EEXIST, "queue %u is there", (unsigned)index);
    queue->dev = dev;
    queue->index = (unsigned)index;
    vdf_memory_init(&queue->page, "vcmdq-page", VDF_PAGE_SIZE);
    dev->vcmdqs[index] = queue;
    return 0;
}

static void destroy(struct vdf_obj *obj)
{
    struct vdf_vcmdq *queue = vdf_obj_priv(obj);

    if (queue->dev->vcmdqs[queue->index] == queue)
        queue->dev->vcmdqs[queue->index] = NULL;
    vdf_memory_free(&queue->page);
}

static int removed(struct vdf_obj *obj, struct vdf_err *err)
{
    struct vdf_vcmdq *queue = vdf_obj_priv(obj);
    const struct vdf_hwqueue *dev = queue->dev;

    if (queue->index + 1 < VDF_VCMDQS && dev->vcmdqs[queue->index + 1])
        return vdf_fail(err, EBUSY, "queue %u is removed before it", queue->index + 1);
    release(queue);
    vdf_hwqueue_update_irq(queue->dev);
    return 0;
}

static int restored(struct vdf_obj *obj, struct vdf_err *err)
{
    struct vdf_vcmdq *queue = vdf_obj_priv(obj);

    if (queue->log2size > 31)
        return vdf_fail(err, EINVAL, "log2size %u: BASE.LOG2SIZE has 5 bits", queue->log2size);
    if (queue->prod & ~PROD_MASK || queue->config & ~CONFIG_EN || queue->cons & ~CONS_MASK ||
        queue->cons >> CONS_ERR_SHIFT >= CERRORS || (queue->gerror | queue->gerrorn) & ~GERROR_MASK)
        return vdf_fail(err, EINVAL, "a register of queue %u has bits that are none", queue->index);
    if (queue->enabled) {
        int ret = allocate(queue, err);
        if (ret < 0)
            return ret;
    }
    queue->status = ready(queue);
    return 0;
}

static void adopt(struct vdf_obj *obj, void *old, void *now)
{
    const struct vdf_vcmdq *was = old;
    struct vdf_vcmdq *is = now;

    (void)obj;
    is->page_open = was->page_open;
}

static int start(struct vdf_obj *obj, bool fresh, struct vdf_err *err)
{
    struct vdf_vcmdq *queue = vdf_obj_priv(obj);

    if (queue->page_open) {
        int ret = make_page(queue);
        if (ret < 0)
            return vdf_fail(err, -ret, "no memory for the queue's page");
        queue->poller = vdf_async_poller(obj, poll_page);
    }
    /* What a mapped page had asked for when the state was saved. */
    if (!fresh)
        vdf_vcmdq_round(queue);
    return 0;
}

static void stop(struct vdf_obj *obj)
{
    struct vdf_vcmdq *queue = vdf_obj_priv(obj);

    vdf_async_free(queue->poller);
    queue->poller = NULL;
}

const struct vdf_class vdf_vcmdq_class = {
    .name = "queue",
    .title = "Tegra241 VCMDQ",
    .attrs = attrs,
    .n_attrs = sizeof(attrs) / sizeof(attrs[0]),
    .priv_size = sizeof(struct vdf_vcmdq),
    .create = create,
    .destroy = destroy,
    .restored = restored,
    .start = start,
    .stop = stop,
    .remove = removed,
    .adopt = adopt,
};
