/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rows of a VCMDQ. Nothing announces a store to an open page, so that the engine polls the page
 * until the last close. A mapping can outlive the open file: the next access to the queue finds stores
 * through such a mapping, and the kernel never again caches values that lie in the page.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <virtdevfs/text.h>

#include "vcmdq.h"

/* The tripwire is set after this time without a store. A store that meets it costs the guest about
 * 20 us, and setting it costs 2 us. */
#define QUIET_NS 2000000u

#define WINDOW_PAGE0 1u
#define WINDOW_PAGE1 2u

/* --- the page as a file ----------------------------------------------------------------------- */

static bool poll_page(struct vdf_obj *obj, void *ctx, uint64_t value)
{
    struct vdf_vcmdq *queue = ctx;

    /* While a store is awaited, the tripwire would hold it up again. */
    if (queue->page_stored_to && value >= QUIET_NS && !queue->store_awaited)
        vdf_tripwire_set(&queue->wire);
    const struct vdf_vcmdq_words words = vdf_vcmdq_load_words(queue);
    if (words.prod == queue->prod && words.config == queue->config &&
        words.gerrorn == queue->gerrorn) {
        bool tripped = queue->tripped;
        queue->tripped = false;
        if (vdf_vcmdq_is_published(queue))
            return tripped;
        /* A word of the device has been overwritten, or the driver has set up CONS. */
        queue->store_awaited = false;
        vdf_vcmdq_round(queue);
        return true;
    }
    queue->store_awaited = false;
    /* The commands that this PROD announces may have been stored through a mapping of the ring. */
    if (queue->ring_open && !(queue->ring_synced && words.prod == queue->synced_prod)) {
        queue->ring_synced = true;
        queue->synced_prod = words.prod;
        vdf_sync_mapped(obj, queue->ring_row);
        return false;
    }
    queue->ring_synced = false;
    /* These words, not newer ones: the commands of a newer PROD may not be in the ring yet. */
    vdf_vcmdq_advance(queue, words.prod, words.config, words.gerrorn);
    return true;
}

bool vdf_vcmdq_catch_up(struct vdf_vcmdq *queue)
{
    return queue->poller && !queue->ring_open && poll_page(queue->priv.obj, queue, 0);
}

void vdf_vcmdq_watch(struct vdf_vcmdq *queue)
{
    if (!queue->hardware && queue->ops->watch)
        queue->ops->watch(queue);
}

void vdf_vcmdq_poll(struct vdf_vcmdq *queue)
{
    bool own = queue->page_open || queue->page_stored_to;
    if (own || queue->dev->tegra.vintf_open) {
        vdf_obj_set_live(queue->priv.obj, true);
        /* Without memory, reads and writes of the page fail. */
        int ret = own ? vdf_vcmdq_make_page(queue) : 0;
        if (ret == 0 && !queue->poller)
            queue->poller = vdf_async_poller(queue->priv.obj, poll_page, queue);
    } else if (queue->poller) {
        vdf_async_free(queue->poller);
        queue->poller = NULL;
        vdf_vcmdq_round(queue);
    }
    if (!queue->page_stored_to)
        vdf_tripwire_clear(&queue->wire);
}

static void page_opened(const struct vdf_at *at, bool open)
{
    struct vdf_vcmdq *queue = at->priv;

    queue->page_open = open;
    vdf_vcmdq_watch(queue);
}

static uint64_t page_size(const struct vdf_at *at)
{
    const struct vdf_vcmdq *queue = at->priv;
    return queue->page.size;
}

/* Load whole words: hardware allows no others. */
static void load_words(const uint8_t *page, uint8_t *to, size_t n, uint64_t offset)
{
    uint64_t end = offset + n;

    for (uint64_t at = offset & ~UINT64_C(3); at < end; at += 4) {
        uint8_t word[4];
        vdf_store_le32(word, vdf_load_le32(page + at));
        for (unsigned k = 0; k < 4; k++)
            if (at + k >= offset && at + k < end)
                to[at + k - offset] = word[k];
    }
}

static int page_read(const struct vdf_at *at, void *bytes, size_t n, uint64_t offset,
                     struct vdf_err *err)
{
    struct vdf_vcmdq *queue = at->priv;
    int ret = vdf_vcmdq_make_page(queue);

    if (ret < 0)
        return vdf_fail(err, -ret, "no memory for the queue's page: %s", strerror(-ret));
    load_words(queue->page.base, bytes, n, offset);
    return 0;
}

/* @n bytes at @offset of @page, in which the queue's registers begin at @first. */
void vdf_vcmdq_store_words(struct vdf_vcmdq *queue, uint8_t *page, unsigned first,
                           const void *bytes, size_t n, uint64_t offset)
{
    for (unsigned reg = 0; reg < REGS_SIZE; reg += 4) {
        bool driver = reg == REG_PROD || reg == REG_CONFIG || reg == REG_GERRORN ||
                      (reg == REG_CONS && !(queue->status & STATUS_EN_OK));
        unsigned at = first + reg;
        if (!driver || offset >= at + 4 || offset + n <= at)
            continue;
        uint8_t word[4];
        vdf_store_le32(word, vdf_load_le32(page + at));
        for (unsigned k = 0; k < 4; k++)
            if (at + k >= offset && at + k < offset + n)
                word[k] = ((const uint8_t *)bytes)[at + k - offset];
        vdf_store_le32(page + at, vdf_load_le32(word));
    }
    vdf_vcmdq_round(queue);
}

/* As in hardware, stores to other offsets and to the device's registers are dropped. */
static int page_write(const struct vdf_at *at, const void *bytes, size_t n, uint64_t offset,
                      struct vdf_err *err)
{
    struct vdf_vcmdq *queue = at->priv;
    int ret = vdf_vcmdq_make_page(queue);

    if (ret < 0)
        return vdf_fail(err, -ret, "no memory for the queue's page: %s", strerror(-ret));
    queue->ops->store(queue, bytes, n, offset);
    return 0;
}

const struct vdf_raw_ops vdf_vcmdq_page_ops = {
    .size = page_size,
    .read = page_read,
    .write = page_write,
    .opened = page_opened,
};

/* --- the VINTF's page as a file --------------------------------------------------------------- */

static uint64_t vintf_page_size(const struct vdf_at *at)
{
    return VDF_VINTF_PAGE_SIZE;
}

static int vintf_page_read(const struct vdf_at *at, void *bytes, size_t n, uint64_t offset,
                           struct vdf_err *err)
{
    struct vdf_hwqueue *dev = at->priv;
    int ret = vdf_vcmdq_make_vintf_page(dev);

    if (ret < 0)
        return vdf_fail(err, -ret, "no memory for the VINTF's page: %s", strerror(-ret));
    load_words(dev->tegra.vintf_page.base, bytes, n, offset);
    return 0;
}

static int vintf_page_write(const struct vdf_at *at, const void *bytes, size_t n, uint64_t offset,
                            struct vdf_err *err)
{
    struct vdf_hwqueue *dev = at->priv;
    int ret = vdf_vcmdq_make_vintf_page(dev);

    if (ret < 0)
        return vdf_fail(err, -ret, "no memory for the VINTF's page: %s", strerror(-ret));
    for (unsigned k = 0; k < VDF_VCMDQS; k++)
        if (dev->vcmdqs[k] && dev->vcmdqs[k]->mapped)
            vdf_vcmdq_store_words(dev->vcmdqs[k], dev->tegra.vintf_page.base, k * PAGE0_SIZE, bytes,
                                  n, offset);
    return 0;
}

static void vintf_page_opened(const struct vdf_at *at, bool open)
{
    struct vdf_hwqueue *dev = at->priv;

    dev->tegra.vintf_open = open;
    /* Without memory, reads and writes of the page fail. */
    if (open)
        vdf_vcmdq_make_vintf_page(dev);
    for (unsigned k = 0; k < VDF_VCMDQS; k++)
        if (dev->vcmdqs[k])
            vdf_vcmdq_watch(dev->vcmdqs[k]);
}

const struct vdf_raw_ops vdf_vcmdq_vintf_page_ops = {
    .size = vintf_page_size,
    .read = vintf_page_read,
    .write = vintf_page_write,
    .opened = vintf_page_opened,
};

/* --- the ring as a file ----------------------------------------------------------------------- */

/* The ring is there as soon as BASE is mapped, so that it can be filled before `enable`. */
static uint64_t ring_size(const struct vdf_at *at)
{
    const struct vdf_vcmdq *queue = at->priv;
    uint64_t length = (uint64_t)COMMAND_BYTES << queue->log2size, ring;

    return vdf_ioas_pin(queue->dev, queue->base, length, false, &ring, NULL) == 0 ? length : 0;
}

/* Copy from or to the ring; @to or @from is NULL. */
static int ring_copy(const struct vdf_vcmdq *queue, void *to, const void *from, size_t n,
                     uint64_t offset, struct vdf_err *err)
{
    uint64_t length = (uint64_t)COMMAND_BYTES << queue->log2size, ring;
    struct vdf_space own;
    const struct vdf_space *space = vdf_hwqueue_space(queue->dev, &own);
    bool done = n == 0;

    if (!done && offset <= length && n <= length - offset &&
        vdf_ioas_pin(queue->dev, queue->base, length, false, &ring, NULL) == 0)
        done = to ? vdf_space_copy_in(space, ring + offset, to, n)
                  : vdf_space_copy_out(space, ring + offset, from, n);
    return done ? 0 : vdf_fail(err, ENOMEM, "no memory for the ring");
}

static int ring_read(const struct vdf_at *at, void *bytes, size_t n, uint64_t offset,
                     struct vdf_err *err)
{
    return ring_copy(at->priv, bytes, NULL, n, offset, err);
}

static int ring_write(const struct vdf_at *at, const void *bytes, size_t n, uint64_t offset,
                      struct vdf_err *err)
{
    return ring_copy(at->priv, NULL, bytes, n, offset, err);
}

static void ring_opened(const struct vdf_at *at, bool open)
{
    struct vdf_vcmdq *queue = at->priv;

    queue->ring_open = open;
    queue->ring_synced = false;
    queue->ring_row = at->attr;
}

static const struct vdf_raw_ops ring_ops = {
    .size = ring_size,
    .read = ring_read,
    .write = ring_write,
    .opened = ring_opened,
};

/* --- registers -------------------------------------------------------------------------------- */

static int get_prod(const struct vdf_at *at, uint64_t *value)
{
    *value = vdf_vcmdq_load_prod(at->priv);
    return 0;
}

static int set_prod(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_vcmdq *queue = at->priv;

    vdf_vcmdq_round(queue);
    if (queue->status & STATUS_EN_OK) {
        uint32_t n = vdf_vcmdq_outstanding(queue, (uint32_t)value, queue->cons);
        if (n > vdf_vcmdq_entries(queue) && value != queue->prod)
            return vdf_fail(err, EINVAL,
                            "0x%" PRIx64 ": %u commands ahead of CONS 0x%x, the ring has %u", value,
                            n, queue->cons & CONS_RD_MASK, vdf_vcmdq_entries(queue));
    }
    vdf_vcmdq_publish_driver_word(queue, REG_PROD, (uint32_t)value);
    vdf_vcmdq_advance(queue, (uint32_t)value, queue->config, queue->gerrorn);
    return 0;
}

static int get_cons(const struct vdf_at *at, uint64_t *value)
{
    *value = vdf_vcmdq_load_cons(at->priv);
    return 0;
}

static int set_cons(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_vcmdq *queue = at->priv;

    if (value >> CONS_ERR_SHIFT >= CERRORS)
        return vdf_fail(err, EINVAL, "0x%" PRIx64 ": ERR, bits 30:24, is 0 to %u", value,
                        (unsigned)CERRORS - 1);
    vdf_vcmdq_round(queue);
    if (queue->status & STATUS_EN_OK) {
        if (value != queue->cons)
            return vdf_fail(err, EBUSY,
                            "0x%" PRIx64 ": CONS, 0x%08x, is the device's while the queue runs",
                            value, queue->cons);
        return 0;
    }
    queue->cons = (uint32_t)value & vdf_vcmdq_cons_bits(queue);
    vdf_vcmdq_publish_driver_word(queue, REG_CONS, queue->cons);
    return 0;
}

static int get_config(const struct vdf_at *at, uint64_t *value)
{
    *value = vdf_vcmdq_load_config(at->priv);
    return 0;
}

static int set_config(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_vcmdq *queue = at->priv;

    vdf_vcmdq_round(queue);
    vdf_vcmdq_publish_driver_word(queue, REG_CONFIG, (uint32_t)value);
    vdf_vcmdq_advance(queue, queue->prod, (uint32_t)value, queue->gerrorn);
    return 0;
}

static int set_gerror(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_vcmdq *queue = at->priv;

    vdf_vcmdq_round(queue);
    if (queue->hardware && value != queue->gerror)
        return vdf_fail(err, EOPNOTSUPP, "0x%" PRIx64 ": GERROR, 0x%08x, is the hardware's", value,
                        queue->gerror);
    uint32_t before = vdf_vcmdq_active_errors(queue);
    queue->gerror = (uint32_t)value;
    if (vdf_vcmdq_active_errors(queue) & ~before)
        vdf_cmdqv_error_raised(queue->dev);
    if (before & ~vdf_vcmdq_active_errors(queue) & GERROR_CMDQ_ERR) {
        queue->cons &= CONS_RD_MASK;
        vdf_vcmdq_publish_driver_word(queue, REG_CONS, queue->cons);
    }
    vdf_vcmdq_round(queue);
    return 0;
}

static int get_gerror(const struct vdf_at *at, uint64_t *value)
{
    struct vdf_vcmdq *queue = at->priv;

    if (queue->hardware)
        vdf_vcmdq_load_hardware(queue);
    *value = queue->gerror;
    return 0;
}

static int get_gerrorn(const struct vdf_at *at, uint64_t *value)
{
    *value = vdf_vcmdq_load_gerrorn(at->priv);
    return 0;
}

static int set_gerrorn(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_vcmdq *queue = at->priv;

    vdf_vcmdq_round(queue);
    vdf_vcmdq_publish_driver_word(queue, REG_GERRORN, (uint32_t)value);
    vdf_vcmdq_advance(queue, queue->prod, queue->config, (uint32_t)value);
    return 0;
}

static int get_error(const struct vdf_at *at, uint64_t *value)
{
    *value = vdf_vcmdq_load_cons(at->priv) >> CONS_ERR_SHIFT;
    if (*value >= CERRORS)
        *value = VDF_CERROR_NONE;
    return 0;
}

static int check_base(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_vcmdq *queue = at->priv;

    if (queue->enabled && value != queue->base)
        return vdf_fail(err, EBUSY, "0x%" PRIx64 ": the queue at 0x%" PRIx64 " is enabled", value,
                        queue->base);
    return 0;
}

static int check_length(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_vcmdq *queue = at->priv;

    if (queue->enabled && value != queue->length)
        return vdf_fail(err, EBUSY, "%" PRIu64 ": the queue of %" PRIu64 " bytes is enabled", value,
                        queue->length);
    return 0;
}

static int check_queue_type(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_vcmdq *queue = at->priv;

    if (queue->enabled && value != queue->queue_type)
        return vdf_fail(err, EBUSY, "0x%" PRIx64 ": the queue of type 0x%x is enabled", value,
                        queue->queue_type);
    return 0;
}

static int check_log2size(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_vcmdq *queue = at->priv;

    /* A guest may have stored any 5 bits in BASE. */
    if (value == queue->log2size)
        return 0;
    if (value < VDF_VCMDQ_LOG2_MIN || value > queue->dev->tegra.cmdqs)
        return vdf_fail(err, EINVAL,
                        "%" PRIu64 ": a ring has 2^%u to 2^%u entries of 16 bytes, see cmdqs",
                        value, VDF_VCMDQ_LOG2_MIN, queue->dev->tegra.cmdqs);
    if (queue->enabled)
        return vdf_fail(err, EBUSY, "%" PRIu64 ": the queue of 2^%u entries is enabled", value,
                        queue->log2size);
    return 0;
}

/* Writing 1 is HW_QUEUE_ALLOC and then the driver's CONFIG.EN. Writing 1 again has no effect. */
static int set_enable(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_vcmdq *queue = at->priv;

    if (value == queue->enabled)
        return 0;
    if (!value)
        return vdf_vcmdq_disable(queue, err);
    int ret = vdf_vcmdq_allocate(queue, err);
    if (ret == 0 && queue->ops->enabled)
        queue->ops->enabled(queue);
    return ret;
}

/* A smaller ring has fewer bits of CONS, and a fetch that no longer aborts goes on. */
static void after_change(const struct vdf_at *at, uint64_t value)
{
    vdf_vcmdq_round(at->priv);
}

static int get_base_reg(const struct vdf_at *at, uint64_t *value)
{
    const struct vdf_vcmdq *queue = at->priv;
    *value = (queue->base & BASE_ADDR_MASK) | queue->log2size;
    return 0;
}

/* A guest sets up its ring through page 1. While the queue does not run, another address ends the
 * allocation, and CONFIG.EN allocates the queue again. */
static int set_base_reg(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_vcmdq *queue = at->priv;
    uint64_t current;

    vdf_vcmdq_round(queue);
    get_base_reg(at, &current);
    if (value == current)
        return 0;
    if (queue->status & STATUS_EN_OK)
        return vdf_fail(err, EBUSY, "0x%" PRIx64 ": BASE while the queue runs", value);
    if (queue->enabled) {
        int ret = vdf_vcmdq_unpin(queue, err);
        if (ret < 0)
            return ret;
    }
    queue->base = value & BASE_ADDR_MASK;
    queue->log2size = (uint8_t)(value & BASE_LOG2SIZE_MASK);
    vdf_vcmdq_round(queue);
    return 0;
}

static int get_status(const struct vdf_at *at, uint64_t *value)
{
    struct vdf_vcmdq *queue = at->priv;

    if (queue->hardware)
        vdf_vcmdq_load_hardware(queue);
    *value = queue->status;
    return 0;
}

static int set_status(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_vcmdq *queue = at->priv;

    if (value != queue->status)
        return vdf_fail(err, EINVAL,
                        "0x%" PRIx64 ": STATUS is the device's, 0x%08x; see config and enable",
                        value, queue->status);
    return 0;
}

static uint64_t window_size(const struct vdf_at *at)
{
    return PAGE0_SIZE;
}

static const struct vdf_window_ops window_ops = {
    .size = window_size,
    .align = 4,
};

/* --- the table -------------------------------------------------------------------------------- */

static bool is_tegra(const void *priv)
{
    return ((const struct vdf_vcmdq *)priv)->ops == &vdf_vcmdq_ops;
}

static bool is_selftest(const void *priv)
{
    return ((const struct vdf_vcmdq *)priv)->dev->kind == &vdf_selftest_kind;
}

#define TEGRA .when = is_tegra, .needs = "type tegra241-cmdqv"
#define SELFTEST .when = is_selftest, .needs = "type selftest"

static const struct vdf_bits config_bits[] = { { "EN", 0, 1, NULL }, { 0 } };
static const struct vdf_bits status_bits[] = { { "EN_OK", 0, 1, NULL }, { 0 } };
static const struct vdf_bits cons_bits[] = {
    { "RD", 0, 20, "index and wrap bit" },
    { "ERR", 24, 7, "the error of the command at RD" },
    { 0 },
};
static const struct vdf_bits prod_bits[] = { { "WR", 0, 20, "index and wrap bit" }, { 0 } };
static const struct vdf_bits gerror_bits[] = {
    { "CMDQ_ERR", 0, 1, "a command failed, see CONS.ERR" },
    { "CONS_DRAM_WR_ABT", 1, 1, "CONS could not be stored in memory" },
    { "CMDQ_INIT_ERR", 2, 1, NULL },
    { 0 },
};
static const struct vdf_bits base_bits[] = {
    { "LOG2SIZE", 0, 5, "log2 of the entries" },
    { "ADDR", 5, 43, "bits 47:5 of the address" },
    { 0 },
};

enum {
    ROW_PAGE0,
    ROW_PAGE1,
};

static const struct vdf_attr attrs[] = {
    [ROW_PAGE0] = { VDF_ROW("page0", VDF_WINDOW, VDF_NO_FILE | VDF_RW, "registers of page 0"),
                    .window_ops = &window_ops, .window = WINDOW_PAGE0 },
    [ROW_PAGE1] = { VDF_ROW("page1", VDF_WINDOW, VDF_NO_FILE | VDF_RW, "registers of page 1"),
                    .window_ops = &window_ops, .window = WINDOW_PAGE1 },
    { VDF_ROW("base", VDF_REG, VDF_RW | VDF_SAVE,
              "address of the ring, an IOVA; fixed while the queue is enabled"),
      VDF_FIELD(struct vdf_vcmdq, base), .check = check_base },
    { VDF_ROW("length", VDF_UINT, VDF_RW | VDF_SAVE,
              "selftest: bytes of the queue, any; fixed while it is enabled"),
      SELFTEST, VDF_FIELD(struct vdf_vcmdq, length), .reset = VDF_PAGE_SIZE,
      .check = check_length },
    { VDF_ROW("queue_type", VDF_REG, VDF_RW | VDF_SAVE,
              "selftest: type that HW_QUEUE_ALLOC is asked for; the mock has 0xdeadbeef"),
      SELFTEST, VDF_FIELD(struct vdf_vcmdq, queue_type), .reset = VDF_IOMMU_HW_QUEUE_SELFTEST,
      .check = check_queue_type },
    { VDF_ROW("log2size", VDF_UINT, VDF_RW | VDF_SAVE,
              "tegra: log2 of the ring's entries of 16 bytes, 1 to 19, or as cmdqs says"),
      TEGRA, VDF_FIELD(struct vdf_vcmdq, log2size), .reset = 8, .check = check_log2size,
      .after = after_change, .restore = vdf_restore_unchecked },
    { VDF_ROW("enable", VDF_BOOL, VDF_RW | VDF_SAVE,
              "1: HW_QUEUE_ALLOC with base and log2size (selftest: length, queue_type), then "
              "CONFIG.EN; 0: the queue is given back"),
      VDF_FIELD(struct vdf_vcmdq, enabled), .set = set_enable },
    { VDF_ROW("config", VDF_REG, VDF_RW | VDF_SAVE, "CONFIG: the driver's switch"), TEGRA,
      VDF_FIELD(struct vdf_vcmdq, config), .get = get_config, .set = set_config,
      .window = WINDOW_PAGE0, .offset = REG_CONFIG, .bits = config_bits,
      .reserved = (uint32_t)~CONFIG_EN },
    { VDF_ROW("status", VDF_REG, VDF_RW, "STATUS: whether the queue runs"), TEGRA,
      VDF_FIELD(struct vdf_vcmdq, status), .get = get_status, .set = set_status,
      .bits = status_bits },
    { VDF_ROW("page0/status", VDF_REG, VDF_R | VDF_NO_FILE, "STATUS as the driver sees it"), TEGRA,
      VDF_FIELD(struct vdf_vcmdq, status), .get = get_status, .window = WINDOW_PAGE0,
      .offset = REG_STATUS, .bits = status_bits },
    { VDF_ROW("cons", VDF_REG, VDF_RW | VDF_SAVE,
              "CONS: the position of the device; bits of RD above the wrap bit read 0; can be "
              "written only while STATUS.EN_OK is 0"),
      TEGRA, VDF_FIELD(struct vdf_vcmdq, cons), .get = get_cons, .set = set_cons,
      .window = WINDOW_PAGE0, .offset = REG_CONS, .bits = cons_bits,
      .reserved = (uint32_t)~CONS_MASK },
    { VDF_ROW("prod", VDF_REG, VDF_RW | VDF_SAVE,
              "PROD: the position of the driver; commands up to it run before the write returns"),
      TEGRA, VDF_FIELD(struct vdf_vcmdq, prod), .get = get_prod, .set = set_prod,
      .window = WINDOW_PAGE0, .offset = REG_PROD, .bits = prod_bits,
      .reserved = (uint32_t)~PROD_MASK },
    { VDF_ROW("gerror", VDF_REG, VDF_RW | VDF_SAVE,
              "GERROR: a bit that differs from gerrorn is an error; a write makes errors"),
      TEGRA, VDF_FIELD(struct vdf_vcmdq, gerror), .get = get_gerror, .set = set_gerror,
      .bits = gerror_bits, .reserved = (uint32_t)~GERROR_MASK },
    { VDF_ROW("page0/gerror", VDF_REG, VDF_R | VDF_NO_FILE, "GERROR as the driver sees it"), TEGRA,
      VDF_FIELD(struct vdf_vcmdq, gerror), .get = get_gerror, .window = WINDOW_PAGE0,
      .offset = REG_GERROR, .bits = gerror_bits },
    { VDF_ROW(
          "gerrorn", VDF_REG, VDF_RW | VDF_SAVE,
          "GERRORN: the driver writes gerror's value here to acknowledge, and the queue goes on"),
      TEGRA, VDF_FIELD(struct vdf_vcmdq, gerrorn), .get = get_gerrorn, .set = set_gerrorn,
      .window = WINDOW_PAGE0, .offset = REG_GERRORN, .bits = gerror_bits,
      .reserved = (uint32_t)~GERROR_MASK },
    { VDF_ROW("error", VDF_CHOICE, VDF_R, "CONS.ERR as a word"), TEGRA, .width = 1,
      .choices = vdf_cerror_words, .get = get_error },
    { VDF_ROW("cons_base", VDF_REG, VDF_RW | VDF_SAVE,
              "CONS_INDX_BASE: where CONS is stored in memory while global/config has "
              "CONS_DRAM_EN; 0: nowhere, as after enable 0"),
      TEGRA, VDF_FIELD(struct vdf_vcmdq, cons_base), .window = WINDOW_PAGE1,
      .offset = REG_CONS_INDX_BASE },
    { VDF_ROW("page1/base", VDF_REG, VDF_RW | VDF_NO_FILE, "BASE: address and size of the ring"),
      TEGRA, .width = 8, .get = get_base_reg, .set = set_base_reg, .window = WINDOW_PAGE1,
      .offset = REG_BASE, .bits = base_bits },
    { VDF_ROW(
          "page", VDF_RAW, VDF_RW | VDF_MAP | VDF_HOLDS,
          "page 0 of this queue alone: CONS at 0, PROD 0x4, CONFIG 0x8, STATUS 0xc, GERROR 0x10, "
          "GERRORN 0x14; selftest: the mock's page of this number, its first word viommu_data"),
      .has_field = true, .field = offsetof(struct vdf_vcmdq, page), .raw = &vdf_vcmdq_page_ops },
    { VDF_ROW(
          "entries", VDF_RAW, VDF_RW | VDF_MAP | VDF_HOLDS,
          "the ring; empty while base is not mapped. What is stored through a mapping of it is "
          "there when PROD is stored through a mapping of page, and after msync(2) and munmap(2)"),
      TEGRA, .raw = &ring_ops },
    { VDF_ROW("fetch_abort", VDF_BOOL, VDF_RW | VDF_SAVE,
              "1: fetches of commands abort, and the next command ends in CERROR_ABT"),
      TEGRA, VDF_FIELD(struct vdf_vcmdq, fetch_abort), .after = after_change },
    { VDF_ROW("mapped", VDF_BOOL, VDF_NO_FILE | VDF_SAVE, "CMDQ_ALLOC.ALLOC"), TEGRA,
      VDF_FIELD(struct vdf_vcmdq, mapped), .reset = 1 },
    { VDF_ROW("atc_timeout", VDF_BOOL, VDF_NO_FILE | VDF_SAVE,
              "an ATC invalidation before the next CMD_SYNC was not answered"),
      TEGRA, VDF_FIELD(struct vdf_vcmdq, atc_timeout) },
};

int vdf_vcmdq_idle_reg(unsigned page, uint64_t offset, uint64_t *mask)
{
    static const struct {
        unsigned page, offset;
        uint64_t mask;
    } regs[VDF_IDLE_REGS] = {
        [VDF_IDLE_BASE] = { 1, REG_BASE, BASE_ADDR_MASK | BASE_LOG2SIZE_MASK },
        [VDF_IDLE_CONS_BASE] = { 1, REG_CONS_INDX_BASE, UINT64_MAX },
        [VDF_IDLE_CONS] = { 0, REG_CONS, CONS_MASK },
        [VDF_IDLE_PROD] = { 0, REG_PROD, PROD_MASK },
        [VDF_IDLE_CONFIG] = { 0, REG_CONFIG, CONFIG_EN },
        [VDF_IDLE_GERRORN] = { 0, REG_GERRORN, GERROR_MASK },
    };

    for (int k = 0; k < VDF_IDLE_REGS; k++)
        if (regs[k].page == page && regs[k].offset == offset) {
            *mask = regs[k].mask;
            return k;
        }
    return -1;
}

/* A BASE of 0 was never stored: the queue keeps its reset values. */
void vdf_vcmdq_take_idle(struct vdf_vcmdq *queue)
{
    uint64_t *idle = queue->dev->tegra.idle[queue->index];
    const uint64_t base = idle[VDF_IDLE_BASE];
    const uint32_t prod = (uint32_t)idle[VDF_IDLE_PROD], config = (uint32_t)idle[VDF_IDLE_CONFIG],
                   gerrorn = (uint32_t)idle[VDF_IDLE_GERRORN];

    if (base) {
        queue->base = base & BASE_ADDR_MASK;
        queue->log2size = (uint8_t)(base & BASE_LOG2SIZE_MASK);
    }
    queue->cons_base = idle[VDF_IDLE_CONS_BASE];
    const uint32_t cons = (uint32_t)idle[VDF_IDLE_CONS];
    memset(idle, 0, sizeof(queue->dev->tegra.idle[queue->index]));
    /* The registers of hardware are elsewhere. */
    if (queue->hardware)
        return;
    queue->cons = cons;
    vdf_vcmdq_publish_driver_word(queue, REG_CONS, cons);
    vdf_vcmdq_publish_driver_word(queue, REG_PROD, prod);
    vdf_vcmdq_publish_driver_word(queue, REG_CONFIG, config);
    vdf_vcmdq_publish_driver_word(queue, REG_GERRORN, gerrorn);
    vdf_vcmdq_advance(queue, prod, config, gerrorn);
}

int vdf_vcmdq_window_read(struct vdf_vcmdq *queue, unsigned page, uint64_t offset, unsigned width,
                          uint64_t *value)
{
    return vdf_window_read(queue->priv.obj, page ? WINDOW_PAGE1 : WINDOW_PAGE0, offset, width,
                           false, value, NULL);
}

int vdf_vcmdq_window_write(struct vdf_vcmdq *queue, unsigned page, uint64_t offset, unsigned width,
                           uint64_t value, struct vdf_err *err)
{
    return vdf_window_write(queue->priv.obj, page ? WINDOW_PAGE1 : WINDOW_PAGE0, offset, width,
                            value, err);
}

/* --- life ------------------------------------------------------------------------------------- */

/* mkdir checks in the order of HW_QUEUE_ALLOC: first the index, then the order of the queues. */
int vdf_vcmdq_allow(struct vdf_obj *parent, const char *name, struct vdf_err *err)
{
    const struct vdf_hwqueue *dev = vdf_obj_priv(parent);
    uint32_t index, last = dev->kind->queues - 1;

    if (vdf_number_name(name, last, &index) < 0)
        return vdf_fail(err, EINVAL, "%s: queues are 0 to %u", name, last);
    if (dev->kind->queues_in_order && index > 0 && !dev->vcmdqs[index - 1])
        return vdf_fail(err, EIO, "%s: queue %u is made before it", name, index - 1);
    return 0;
}

static int create(struct vdf_obj *obj, struct vdf_err *err)
{
    struct vdf_vcmdq *queue = vdf_obj_priv(obj);
    struct vdf_hwqueue *dev = vdf_obj_priv(vdf_obj_parent(obj));
    uint32_t index;

    int ret = vdf_vcmdq_allow(vdf_obj_parent(obj), vdf_obj_name(obj), err);
    if (ret < 0)
        return ret;
    vdf_number_name(vdf_obj_name(obj), VDF_QUEUES - 1, &index);
    if (dev->vcmdqs[index])
        return vdf_fail(err, EEXIST, "queue %u is there", index);
    queue->dev = dev;
    queue->ops = dev->kind->queue;
    queue->index = index;
    if (queue->log2size > dev->tegra.cmdqs)
        queue->log2size = dev->tegra.cmdqs;
    vdf_obj_set_live(obj, dev->backend != VDF_HWQUEUE_SOFT);
    vdf_memory_init(&queue->page, "vcmdq-page", VDF_PAGE_SIZE);
    /* Such pages are views of existing memory. A page of the queue's own is made when it is
     * needed. */
    if (queue->ops->page_is_view || dev->kernel) {
        ret = vdf_vcmdq_make_page(queue);
        if (ret < 0)
            return vdf_fail(err, -ret, "no memory for the queue's page: %s", strerror(-ret));
    }
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

    if (dev->kind->queues_in_order && queue->index + 1 < dev->kind->queues &&
        dev->vcmdqs[queue->index + 1])
        return vdf_fail(err, EBUSY, "queue %u is removed before it", queue->index + 1);
    int ret = queue->enabled ? vdf_hwqueue_ops(dev)->release(queue, err) : 0;
    if (ret < 0)
        return ret;
    vdf_vcmdq_release(queue);
    queue->mapped = 0;
    vdf_vcmdq_show_in_vintf(queue);
    vdf_hwqueue_update_irq(queue->dev);
    return 0;
}

static int restored(struct vdf_obj *obj, struct vdf_err *err)
{
    struct vdf_vcmdq *queue = vdf_obj_priv(obj);

    if (queue->log2size > 31)
        return vdf_fail(err, EINVAL, "log2size %u: BASE.LOG2SIZE has 5 bits", queue->log2size);
    if (queue->enabled) {
        int ret = queue->ops->restored(queue, err);
        if (ret < 0)
            return ret;
    }
    queue->status = queue->ops->round ? vdf_vcmdq_ready(queue) : 0;
    return 0;
}

static void adopt(struct vdf_obj *obj, void *old, void *now)
{
    const struct vdf_vcmdq *was = old;
    struct vdf_vcmdq *is = now;

    is->page_open = was->page_open;
    is->ring_open = was->ring_open;
    is->ring_row = was->ring_row;
}

static int start(struct vdf_obj *obj, bool fresh, struct vdf_err *err)
{
    struct vdf_vcmdq *queue = vdf_obj_priv(obj);

    if (queue->ops->page_is_view)
        vdf_vcmdq_make_page(queue);
    else if (queue->page_open || queue->dev->tegra.vintf_open) {
        int ret = queue->page_open ? vdf_vcmdq_make_page(queue) : 0;
        if (ret < 0)
            return vdf_fail(err, -ret, "no memory for the queue's page: %s", strerror(-ret));
        vdf_obj_set_live(obj, true);
        queue->poller = vdf_async_poller(obj, poll_page, queue);
    }
    vdf_vcmdq_show_in_vintf(queue);
    /* Execute what a mapped page had requested when the state was saved. */
    if (!fresh)
        vdf_vcmdq_round(queue);
    else if (queue->ops->made)
        queue->ops->made(queue);
    return 0;
}

static void stop(struct vdf_obj *obj)
{
    struct vdf_vcmdq *queue = vdf_obj_priv(obj);

    vdf_async_free(queue->poller);
    queue->poller = NULL;
}

const struct vdf_class vdf_vcmdq_class = {
    VDF_CLASS("queue", "Tegra241 VCMDQ, or queue of the selftest's mock", struct vdf_vcmdq, attrs),
    .create = create,
    .destroy = destroy,
    .restored = restored,
    .start = start,
    .stop = stop,
    .remove = removed,
    .adopt = adopt,
    .guest = &vdf_vcmdq_guest_ops,
};
