/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A Tegra241 VCMDQ: the registers of its page 0 and page 1, the page that a guest maps, and the
 * ring.
 *
 * The owners of the words of the page: PROD, CONFIG and GERRORN belong to the driver. Once the page
 * exists it holds them, and a round loads each of them once. STATUS, GERROR and, while the queue runs,
 * CONS belong to the device, which overwrites any store of the driver to them. While the queue does not
 * run, CONS belongs to the driver.
 *
 *     CONFIG.EN, `enable` ---> allocated, CMDQ_ALLOC, VINTF and CMDQV enabled ---> STATUS.EN_OK
 *     EN_OK, no error pending: commands from CONS to PROD run ---> CONS
 *     a bad command: CONS.ERR, CONS stays there, GERROR.CMDQ_ERR ---> GERRORN = GERROR goes on
 *
 * A process may store to an open page at any time, so that the engine polls the page.
 */
#include <errno.h>
#include <inttypes.h>

#include "vcmdq.h"

const char *const vdf_cerror_words[] = {
    "none", "ILL", "ABT", "ATC_INV_SYNC", "ILL_ACCESS", NULL,
};

/* --- the page --------------------------------------------------------------------------------- */

/* Storing an unchanged value would take the cache line from the processor that polls it. */
static void publish_word(uint8_t *page, unsigned offset, uint32_t value)
{
    if (vdf_load_le32(page + offset) != value)
        vdf_store_le32(page + offset, value);
}

/* The registers of a queue lie in up to two places in memory, which have the same content: the page of
 * the queue, and the page of the VINTF while the queue is allocated to it. NULL: not there. */
#define PLACES 2u

static uint8_t *in_vintf(const struct vdf_vcmdq *queue)
{
    const struct vdf_hwqueue *dev = queue->dev;

    if (!dev->tegra.vintf_published || queue->hardware)
        return NULL;
    return dev->tegra.vintf_page.base + (size_t)queue->index * PAGE0_SIZE;
}

static uint8_t *place(const struct vdf_vcmdq *queue, unsigned n)
{
    if (n == 0)
        return queue->published ? queue->page.base : NULL;
    return queue->mapped ? in_vintf(queue) : NULL;
}

static void publish_everywhere(const struct vdf_vcmdq *queue, unsigned offset, uint32_t value)
{
    for (unsigned n = 0; n < PLACES; n++)
        if (place(queue, n))
            publish_word(place(queue, n), offset, value);
}

/* The order matters: CONS.ERR is stored before GERROR reports the error (SMMUv3 7.1), and both before
 * STATUS reports that the queue has stopped. */
static void publish(struct vdf_vcmdq *queue)
{
    if (queue->hardware)
        return;
    publish_everywhere(queue, REG_CONS, queue->cons);
    publish_everywhere(queue, REG_GERROR, queue->gerror);
    publish_everywhere(queue, REG_STATUS, queue->status);
}

bool vdf_vcmdq_is_published(const struct vdf_vcmdq *queue)
{
    for (unsigned n = 0; n < PLACES; n++) {
        const uint8_t *words = place(queue, n);
        if (words && (vdf_load_le32(words + REG_STATUS) != queue->status ||
                      vdf_load_le32(words + REG_GERROR) != queue->gerror ||
                      vdf_load_le32(words + REG_CONS) != queue->cons))
            return false;
    }
    return true;
}

int vdf_vcmdq_make_page(struct vdf_vcmdq *queue)
{
    return vdf_hwqueue_ops(queue->dev)->make_page(queue);
}

static void publish_in(uint8_t *words, const struct vdf_vcmdq *queue)
{
    publish_word(words, REG_PROD, queue->prod);
    publish_word(words, REG_CONFIG, queue->config);
    publish_word(words, REG_GERRORN, queue->gerrorn);
    publish_word(words, REG_CONS, queue->cons);
    publish_word(words, REG_GERROR, queue->gerror);
    publish_word(words, REG_STATUS, queue->status);
}

/* Make the page, with all words in it. */
int vdf_vcmdq_soft_page(struct vdf_vcmdq *queue)
{
    int ret = queue->published ? 0 : vdf_memory_touch(&queue->page);

    if (ret < 0 || queue->published)
        return ret;
    queue->published = true;
    publish_in(queue->page.base, queue);
    return 0;
}

void vdf_vcmdq_show_in_vintf(struct vdf_vcmdq *queue)
{
    uint8_t *words = in_vintf(queue);

    if (words && queue->mapped)
        publish_in(words, queue);
    else if (words)
        for (unsigned reg = 0; reg < REGS_SIZE; reg += 4)
            publish_word(words, reg, 0);
}

int vdf_vcmdq_make_vintf_page(struct vdf_hwqueue *dev)
{
    int ret = dev->tegra.vintf_published ? 0 : vdf_memory_touch(&dev->tegra.vintf_page);

    if (ret < 0 || dev->tegra.vintf_published)
        return ret;
    dev->tegra.vintf_published = true;
    for (unsigned k = 0; k < VDF_VCMDQS; k++)
        if (dev->vcmdqs[k])
            vdf_vcmdq_show_in_vintf(dev->vcmdqs[k]);
    return 0;
}

void vdf_vcmdq_publish_driver_word(struct vdf_vcmdq *queue, unsigned offset, uint32_t value)
{
    publish_everywhere(queue, offset, value);
}

/* The word that the driver has stored to one of the places, or @seen. */
static uint32_t driver_word(const struct vdf_vcmdq *queue, unsigned offset, uint32_t mask,
                            uint32_t seen)
{
    for (unsigned n = 0; n < PLACES; n++) {
        const uint8_t *words = place(queue, n);
        uint32_t word = words ? vdf_load_le32(words + offset) & mask : seen;
        if (word != seen)
            return word;
    }
    return seen;
}

/* Copy a word of the driver from one place to the other, unless the driver has stored there
 * meanwhile. */
static void settle_driver_word(struct vdf_vcmdq *queue, unsigned offset, uint32_t mask,
                               uint32_t before, uint32_t now)
{
    for (unsigned n = 0; before != now && n < PLACES; n++) {
        uint8_t *words = place(queue, n);
        uint32_t word = words ? vdf_load_le32(words + offset) : now;
        if ((word & mask) == before)
            vdf_exchange_le32(words + offset, word, now);
    }
}

uint32_t vdf_vcmdq_load_prod(const struct vdf_vcmdq *queue)
{
    return driver_word(queue, REG_PROD, PROD_MASK, queue->prod);
}

uint32_t vdf_vcmdq_load_config(const struct vdf_vcmdq *queue)
{
    return driver_word(queue, REG_CONFIG, CONFIG_EN, queue->config);
}

uint32_t vdf_vcmdq_load_gerrorn(const struct vdf_vcmdq *queue)
{
    return driver_word(queue, REG_GERRORN, GERROR_MASK, queue->gerrorn);
}

struct vdf_vcmdq_words vdf_vcmdq_load_words(const struct vdf_vcmdq *queue)
{
    struct vdf_vcmdq_words words;

    words.gerrorn = vdf_vcmdq_load_gerrorn(queue);
    words.config = vdf_vcmdq_load_config(queue);
    words.prod = vdf_vcmdq_load_prod(queue);
    return words;
}

uint32_t vdf_vcmdq_load_cons(const struct vdf_vcmdq *queue)
{
    if (queue->status & STATUS_EN_OK && !queue->hardware)
        return queue->cons;
    return driver_word(queue, REG_CONS, CONS_MASK, queue->cons);
}

/* --- errors ----------------------------------------------------------------------------------- */

uint32_t vdf_vcmdq_active_errors(const struct vdf_vcmdq *queue)
{
    return queue->gerror ^ queue->gerrorn;
}

bool vdf_vcmdq_error(const struct vdf_vcmdq *queue)
{
    return vdf_vcmdq_active_errors(queue) != 0;
}

static void raise_error(struct vdf_vcmdq *queue, uint32_t bit)
{
    if (vdf_vcmdq_active_errors(queue) & bit)
        return;
    queue->gerror ^= bit;
    vdf_cmdqv_error_raised(queue->dev);
}

static void command_error(struct vdf_vcmdq *queue, enum vdf_cerror error, uint32_t index,
                          uint64_t w0, const char *why)
{
    struct vdf_hwqueue *dev = queue->dev;

    queue->cons = (queue->cons & CONS_RD_MASK) | (uint32_t)error << CONS_ERR_SHIFT;
    if (error == VDF_CERROR_ABT) {
        vdf_log_printf(&dev->events, "vcmdq=%u error=ABT index=%u", queue->index, index);
        vdf_report(queue->priv.obj, EFAULT, "the fetch of command %u aborted", index);
    } else {
        vdf_log_printf(&dev->events, "vcmdq=%u error=%s index=%u opcode=0x%02x command=%s",
                       queue->index, vdf_cerror_words[error], index, (unsigned)(w0 & 0xff),
                       vdf_smmu_command_name(w0));
    }
    if (error == VDF_CERROR_ILL || error == VDF_CERROR_ILL_ACCESS) {
        dev->illegal++;
        if (error == VDF_CERROR_ILL)
            vdf_report(queue->priv.obj, EINVAL, "command %u is 0x%02x, %s: %s", index,
                       (unsigned)(w0 & 0xff), vdf_smmu_command_name(w0), why);
        else
            vdf_report(queue->priv.obj, ENOENT,
                       "command %u names stream %u: there is no such directory in vdevices", index,
                       (unsigned)(w0 >> 32));
    }
    raise_error(queue, GERROR_CMDQ_ERR);
}

/* --- execution -------------------------------------------------------------------------------- */

uint32_t vdf_vcmdq_entries(const struct vdf_vcmdq *queue)
{
    return UINT32_C(1) << queue->log2size;
}

uint32_t vdf_vcmdq_cons_bits(const struct vdf_vcmdq *queue)
{
    return CONS_MASK & ~(CONS_RD_MASK & ~(2 * vdf_vcmdq_entries(queue) - 1));
}

/* Commands from RD to PROD. The wrap bit lies above the index: 2 * entries positions
 * distinguish an empty ring from a full one. */
uint32_t vdf_vcmdq_outstanding(const struct vdf_vcmdq *queue, uint32_t prod, uint32_t cons)
{
    return (prod - cons) & (2 * vdf_vcmdq_entries(queue) - 1);
}

/* CONS_INDX_BASE: a driver may read CONS in memory instead of in the page. */
static void store_cons(struct vdf_vcmdq *queue)
{
    struct vdf_hwqueue *dev = queue->dev;

    if (!(dev->tegra.global_config & VDF_GLOBAL_CONFIG_CONS_DRAM_EN) || !queue->cons_base)
        return;
    if (!vdf_ioas_store_le32(dev, queue->cons_base & ~UINT64_C(3), queue->cons))
        raise_error(queue, GERROR_CONS_DRAM_WR_ABT);
}

/* The signal of a CMD_SYNC follows the store of CONS, which is behind the command (SMMUv3
 * 4.7.3). */
static void signal_sync(struct vdf_vcmdq *queue, uint32_t rd)
{
    if (!queue->msi_address)
        return;
    queue->cons = rd;
    store_cons(queue);
    publish_everywhere(queue, REG_CONS, queue->cons);
    vdf_smmu_signal(queue);
}

#define COMMANDS_AT_ONCE 16u

/* Fetch up to @n commands from @index on, at most to the end of the ring. Return: how many; 0: the fetch
 * of the first one aborts. */
static uint32_t fetch(struct vdf_vcmdq *queue, uint32_t index, uint32_t n, uint64_t (*words)[2])
{
    struct vdf_space own;
    const struct vdf_space *space = vdf_hwqueue_space(queue->dev, &own);
    uint64_t at = queue->ring + (uint64_t)index * COMMAND_BYTES;

    if (n > COMMANDS_AT_ONCE)
        n = COMMANDS_AT_ONCE;
    if (n > vdf_vcmdq_entries(queue) - index)
        n = vdf_vcmdq_entries(queue) - index;
    if (queue->fetch_abort)
        return 0;
    if (vdf_space_copy_in(space, at, words, (uint64_t)n * COMMAND_BYTES))
        return n;
    /* The commands before the one that is not there are executed. */
    return n > 1 && vdf_space_copy_in(space, at, words, COMMAND_BYTES);
}

static void run_commands(struct vdf_vcmdq *queue)
{
    uint32_t mask = vdf_vcmdq_entries(queue) - 1, wrap_mask = 2 * vdf_vcmdq_entries(queue) - 1;
    uint32_t n = vdf_vcmdq_outstanding(queue, queue->prod, queue->cons);

    if (n == 0 || vdf_hwqueue_memory_absent(queue->dev))
        return;
    if (n > vdf_vcmdq_entries(queue)) {
        if (!queue->bad_prod)
            vdf_report(queue->priv.obj, EINVAL,
                       "PROD 0x%05x is %u commands ahead of CONS; the ring has %u", queue->prod, n,
                       vdf_vcmdq_entries(queue));
        queue->bad_prod = true;
        return;
    }
    queue->bad_prod = false;

    struct vdf_hwqueue *dev = queue->dev;
    uint32_t rd = queue->cons & wrap_mask;
    enum vdf_cerror error = VDF_CERROR_NONE;
    uint64_t words[COMMANDS_AT_ONCE][2], w0 = 0;
    const char *why = "";
    for (uint32_t got = 0, next = 0; n > 0 && error == VDF_CERROR_NONE; n--, next++) {
        if (next == got) {
            next = 0;
            got = fetch(queue, rd & mask, n, words);
            if (got == 0) {
                error = VDF_CERROR_ABT;
                break;
            }
        }
        w0 = le64toh(words[next][0]);
        error = vdf_smmu_command(queue, w0, le64toh(words[next][1]), &why);
        if (error == VDF_CERROR_NONE) {
            dev->commands++;
            rd = (rd + 1) & wrap_mask;
            signal_sync(queue, rd);
        }
    }
    queue->cons = rd;
    if (error != VDF_CERROR_NONE)
        command_error(queue, error, rd & mask, w0, why);
    store_cons(queue);
}

/* --- allocation ------------------------------------------------------------------------------- */

uint64_t vdf_vcmdq_length(const struct vdf_vcmdq *queue)
{
    return queue->ops->length(queue);
}

int vdf_vcmdq_allocate(struct vdf_vcmdq *queue, struct vdf_err *err)
{
    int ret = vdf_hwqueue_ops(queue->dev)->alloc(queue, err);

    if (ret == 0)
        queue->enabled = 1;
    return ret;
}

/* Checks the queue as HW_QUEUE_ALLOC does, and finds its ring. iommufd's core pins the pages; then the driver checks the order of the queues, the length and the
 * address of the pages. In states of older versions the IOVA of a ring is aligned, not its memory. */
static int pin(struct vdf_vcmdq *queue, bool restored, struct vdf_err *err)
{
    struct vdf_hwqueue *dev = queue->dev;
    uint64_t length = (uint64_t)COMMAND_BYTES << queue->log2size, ring;
    int ret = vdf_ioas_pin(dev, queue->base, length, false, &ring, err);

    if (ret < 0)
        return ret;
    if (!restored && queue->index > 0 &&
        !(dev->vcmdqs[queue->index - 1] && dev->vcmdqs[queue->index - 1]->enabled))
        return vdf_fail(err, EIO, "queue %u is enabled before queue %u", queue->index - 1,
                        queue->index);
    if (queue->log2size < VDF_VCMDQ_LOG2_MIN || queue->log2size > dev->tegra.cmdqs)
        return vdf_fail(err, EINVAL, "log2size %u: a ring has 2^%u to 2^%u entries of 16 bytes",
                        queue->log2size, VDF_VCMDQ_LOG2_MIN, dev->tegra.cmdqs);
    if (ring & (length - 1) && !(restored && !(queue->base & (length - 1))))
        return vdf_fail(err, EINVAL,
                        "base 0x%" PRIx64 ": it lies at 0x%" PRIx64
                        " of the memory, which is no multiple of the "
                        "ring's length, 0x%" PRIx64,
                        queue->base, ring, length);
    if (queue->base & ~BASE_ADDR_MASK)
        return vdf_fail(err, EINVAL, "base 0x%" PRIx64 ": an address of 48 bits", queue->base);
    queue->ring = ring;
    return 0;
}

/* IOMMU_HW_QUEUE_ALLOC */
int vdf_vcmdq_soft_alloc(struct vdf_vcmdq *queue, struct vdf_err *err)
{
    return pin(queue, false, err);
}

int vdf_vcmdq_soft_release(struct vdf_vcmdq *queue, struct vdf_err *err)
{
    const struct vdf_hwqueue *dev = queue->dev;
    unsigned next = queue->index + 1;

    if (next < VDF_VCMDQS && dev->vcmdqs[next] && dev->vcmdqs[next]->enabled)
        return vdf_fail(err, EBUSY, "queue %u is enabled; disable it first", next);
    return 0;
}

/* Destroying the HW queue object resets the queue. */
void vdf_vcmdq_release(struct vdf_vcmdq *queue)
{
    queue->enabled = 0;
    queue->atc_timeout = 0;
    if (queue->hardware)
        vdf_vcmdq_load_hardware(queue);
    if (!queue->hardware && queue->ops->reset)
        queue->ops->reset(queue);
}

static void reset(struct vdf_vcmdq *queue)
{
    queue->prod = queue->cons = queue->config = queue->status = 0;
    queue->cons_base = 0;
    queue->gerrorn = queue->gerror;
    queue->bad_prod = false;
    vdf_vcmdq_publish_driver_word(queue, REG_PROD, 0);
    vdf_vcmdq_publish_driver_word(queue, REG_CONFIG, 0);
    vdf_vcmdq_publish_driver_word(queue, REG_GERRORN, queue->gerrorn);
    publish(queue);
}

bool vdf_vcmdq_pins(const struct vdf_vcmdq *queue, uint64_t first, uint64_t last)
{
    if (!queue->enabled)
        return false;
    uint64_t end = queue->base + (vdf_vcmdq_length(queue) - 1);
    return (queue->base & ~((uint64_t)VDF_PAGE_SIZE - 1)) <= last &&
           (end | ((uint64_t)VDF_PAGE_SIZE - 1)) >= first;
}

/* --- rounds ----------------------------------------------------------------------------------- */

uint32_t vdf_vcmdq_ready(const struct vdf_vcmdq *queue)
{
    const struct vdf_hwqueue *dev = queue->dev;
    bool ok = queue->enabled && queue->mapped && (queue->config & CONFIG_EN) &&
              (dev->tegra.global_config & VDF_GLOBAL_CONFIG_EN) &&
              (dev->tegra.vintf_config & VDF_VINTF_CONFIG_EN);
    return ok ? STATUS_EN_OK : 0;
}

/* CONFIG.EN of a queue that is not allocated allocates it. */
static void allocate_for_driver(struct vdf_vcmdq *queue)
{
    struct vdf_err err = { 0 };

    if (queue->enabled || vdf_vcmdq_allocate(queue, &err) == 0)
        return;
    vdf_log_printf(&queue->dev->events, "vcmdq=%u error=CMDQ_INIT_ERR", queue->index);
    vdf_report(queue->priv.obj, err.code, "%s", err.text);
    raise_error(queue, GERROR_CMDQ_INIT_ERR);
}

/* The driver's words are now these. */
void vdf_vcmdq_advance(struct vdf_vcmdq *queue, uint32_t prod, uint32_t config, uint32_t gerrorn)
{
    if (queue->hardware) {
        vdf_vcmdq_load_hardware(queue);
        return;
    }
    bool starts = config & ~queue->config & CONFIG_EN;
    uint32_t stopped = vdf_vcmdq_active_errors(queue) & GERROR_CMDQ_ERR;

    queue->cons = vdf_vcmdq_load_cons(queue) & vdf_vcmdq_cons_bits(queue);
    settle_driver_word(queue, REG_PROD, PROD_MASK, queue->prod, prod);
    settle_driver_word(queue, REG_CONFIG, CONFIG_EN, queue->config, config);
    settle_driver_word(queue, REG_GERRORN, GERROR_MASK, queue->gerrorn, gerrorn);
    queue->prod = prod;
    queue->config = config;
    queue->gerrorn = gerrorn;
    if (stopped && !(vdf_vcmdq_active_errors(queue) & GERROR_CMDQ_ERR))
        queue->cons &= CONS_RD_MASK;
    if (starts)
        allocate_for_driver(queue);
    queue->status = vdf_vcmdq_ready(queue);
    if ((queue->status & STATUS_EN_OK) && !(vdf_vcmdq_active_errors(queue) & GERROR_CMDQ_ERR))
        run_commands(queue);
    publish(queue);
    vdf_hwqueue_update_irq(queue->dev);
}

void vdf_vcmdq_load_hardware(struct vdf_vcmdq *queue)
{
    const uint8_t *page = queue->page.base;

    queue->cons = vdf_load_le32(page + REG_CONS);
    queue->prod = vdf_load_le32(page + REG_PROD);
    queue->config = vdf_load_le32(page + REG_CONFIG);
    queue->status = vdf_load_le32(page + REG_STATUS);
    queue->gerror = vdf_load_le32(page + REG_GERROR);
    queue->gerrorn = vdf_load_le32(page + REG_GERRORN);
}

void vdf_vcmdq_round(struct vdf_vcmdq *queue)
{
    if (queue->ops->round)
        queue->ops->round(queue);
}

static void run(struct vdf_vcmdq *queue)
{
    const struct vdf_vcmdq_words words = vdf_vcmdq_load_words(queue);
    vdf_vcmdq_advance(queue, words.prod, words.config, words.gerrorn);
}

void vdf_vcmdq_map(struct vdf_vcmdq *queue, bool mapped)
{
    vdf_vcmdq_round(queue);
    if (mapped == queue->mapped)
        return;
    queue->mapped = mapped;
    vdf_vcmdq_show_in_vintf(queue);
    vdf_vcmdq_round(queue);
}

int vdf_vcmdq_unpin(struct vdf_vcmdq *queue, struct vdf_err *err)
{
    int ret = queue->dev->kernel ? vdf_hwqueue_ops(queue->dev)->release(queue, err) : 0;

    if (ret < 0)
        return ret;
    queue->enabled = 0;
    queue->atc_timeout = 0;
    return 0;
}

int vdf_vcmdq_disable(struct vdf_vcmdq *queue, struct vdf_err *err)
{
    int ret = vdf_hwqueue_ops(queue->dev)->release(queue, err);

    if (ret < 0)
        return ret;
    vdf_vcmdq_release(queue);
    vdf_vcmdq_round(queue);
    return 0;
}

/* --- as a kind of queue ----------------------------------------------------------------------- */

static uint64_t length(const struct vdf_vcmdq *queue)
{
    return (uint64_t)COMMAND_BYTES << queue->log2size;
}

static void store(struct vdf_vcmdq *queue, const void *bytes, size_t n, uint64_t offset)
{
    vdf_vcmdq_store_words(queue, queue->page.base, 0, bytes, n, offset);
}

/* The driver's CONFIG.EN. */
static void enabled(struct vdf_vcmdq *queue)
{
    vdf_vcmdq_publish_driver_word(queue, REG_CONFIG, CONFIG_EN);
    vdf_vcmdq_advance(queue, vdf_vcmdq_load_prod(queue), CONFIG_EN, vdf_vcmdq_load_gerrorn(queue));
}

static int restored(struct vdf_vcmdq *queue, struct vdf_err *err)
{
    return pin(queue, true, err);
}

const struct vdf_queue_ops vdf_vcmdq_ops = {
    .length = length,
    .store = store,
    .round = run,
    .watch = vdf_vcmdq_poll,
    .enabled = enabled,
    .reset = reset,
    .made = vdf_vcmdq_take_idle,
    .restored = restored,
};
