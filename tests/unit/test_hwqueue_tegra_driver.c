/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The registers of a Tegra241 CMDQV as Linux's driver uses them, access by access: how 6.12 and how
 * 6.17 and 7.x find, reset, start and remove it, what they do in the interrupt, and every register
 * at every width and offset.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "backends/hwqueue/vcmdq.h"
#include "test_hwqueue.h"

TestSuite(hwqueue_tegra_driver, .fini = vdf_test_tree_free);

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define REGS DEV "regs"

#define CONFIG 0x0u
#define PARAM 0x4u
#define STATUS 0x8u
#define VINTF_ERR_MAP 0x14u
#define VINTF_INT_MASK 0x1cu
#define CMDQ_ERR_MAP(n) (0x24u + 4 * (n))
#define CMDQ_ALLOC(q) (0x200u + 4 * (q))
#define VINTF_CONFIG 0x1000u
#define VINTF_STATUS 0x1004u
#define SID_MATCH(n) (0x1040u + 4 * (n))
#define SID_REPLACE(n) (0x1080u + 4 * (n))
#define LVCMDQ_ERR_MAP_64(n) (0x10c0u + 8 * (n))
#define DIRECT 0x10000u
#define VINTF 0x30000u
#define PAGE1 0x10000u
#define CONS 0x0u
#define PROD 0x4u
#define Q_CONFIG 0x8u
#define Q_STATUS 0xcu
#define GERROR 0x10u
#define GERRORN 0x14u
#define BASE 0x0u
#define CONS_INDX_BASE 0x8u

#define ALLOCATED 1u
#define HYP_OWN (1u << 17)
#define QUEUES 2u
#define SIDS 16u
#define LOG2SIZE 8u
#define RING(q) (0x100000u + 0x1000u * (q))

enum linux_version {
    LINUX_6_12,
    LINUX_6_17, /* and 7.x: the same accesses */
};

static void writel(uint32_t value, uint64_t offset)
{
    cr_assert_eq(vdf_test_reg_write(REGS, offset, 4, value), 0, "0x%x <- 0x%x: %s",
                 (unsigned)offset, value, vdf_test_last_error());
}

static void writeq(uint64_t value, uint64_t offset)
{
    cr_assert_eq(vdf_test_reg_write(REGS, offset, 8, value), 0, "0x%x <- 0x%llx: %s",
                 (unsigned)offset, (unsigned long long)value, vdf_test_last_error());
}

static uint64_t load(uint64_t offset, unsigned width)
{
    uint64_t value;
    cr_assert_eq(vdf_test_reg_read(REGS, offset, width, &value), 0, "0x%x: %s", (unsigned)offset,
                 vdf_test_last_error());
    return value;
}

#define readl(offset) ((uint32_t)load(offset, 4))
#define readq(offset) load(offset, 8)

static uint64_t page0(unsigned q, unsigned reg)
{
    return VINTF + 0x80u * q + reg;
}

static uint64_t page1(unsigned q, unsigned reg)
{
    return VINTF + PAGE1 + 0x80u * q + reg;
}

/* --- the driver ------------------------------------------------------------------------------- */

/* The driver polls STATUS, which follows at once. */
static void write_config(uint64_t config, uint64_t status, uint32_t value)
{
    writel(value, config);
    cr_assert_eq(readl(status) & 1, value & 1, "0x%x", (unsigned)config);
}

static void vcmdq_deinit(unsigned q)
{
    write_config(page0(q, Q_CONFIG), page0(q, Q_STATUS), 0);
    writel(0, page0(q, PROD));
    writel(0, page0(q, CONS));
    writeq(0, page1(q, BASE));
    writeq(0, page1(q, CONS_INDX_BASE));
    uint32_t gerrorn = readl(page0(q, GERRORN)), gerror = readl(page0(q, GERROR));
    if (gerror != gerrorn)
        writel(gerror, page0(q, GERRORN));
    cr_assert_eq(readl(page0(q, GERROR)), readl(page0(q, GERRORN)));
}

static void vcmdq_init(unsigned q)
{
    vcmdq_deinit(q);
    writeq(RING(q) | LOG2SIZE, page1(q, BASE));
    write_config(page0(q, Q_CONFIG), page0(q, Q_STATUS), 1);
    cr_assert_eq(readl(page0(q, CONS)), 0);
    cr_assert_eq(readl(page0(q, PROD)), 0);
}

static void vintf_deinit(enum linux_version version)
{
    if (version == LINUX_6_12) {
        for (unsigned q = 0; q < QUEUES; q++)
            vcmdq_deinit(q);
        write_config(VINTF_CONFIG, VINTF_STATUS, 0);
        return;
    }
    for (unsigned q = QUEUES; q-- > 0;) {
        vcmdq_deinit(q);
        writel(readl(CMDQ_ALLOC(q)) & ~ALLOCATED, CMDQ_ALLOC(q));
    }
    write_config(VINTF_CONFIG, VINTF_STATUS, 0);
    for (unsigned sid = 0; sid < SIDS; sid++) {
        writel(0, SID_MATCH(sid));
        writel(0, SID_REPLACE(sid));
    }
}

static void vintf_init(enum linux_version version)
{
    vintf_deinit(version);
    writel(HYP_OWN, VINTF_CONFIG);
    write_config(VINTF_CONFIG, VINTF_STATUS, HYP_OWN | 1);
    cr_assert_eq(readl(VINTF_CONFIG), 1, "HYP_OWN is 0 in a guest");
    for (unsigned q = 0; q < QUEUES; q++) {
        if (version == LINUX_6_17) {
            uint32_t value = readl(CMDQ_ALLOC(q));
            cr_assert_eq(value, q << 1);
            writel(value | ALLOCATED, CMDQ_ALLOC(q));
        }
        vcmdq_init(q);
    }
}

static void hw_reset(enum linux_version version)
{
    uint32_t config = readl(CONFIG);

    write_config(CONFIG, STATUS, config & ~1u);
    write_config(CONFIG, STATUS, config | 1);
    for (unsigned q = 0; q < QUEUES; q++)
        writel(q << 1 | (version == LINUX_6_12 ? ALLOCATED : 0), CMDQ_ALLOC(q));
    vintf_init(version);
}

static void probe(void)
{
    vdf_test_tree(false);
    put(DEV "ioas/map", "0x100000 0x10000");
    cr_assert_eq(readl(CONFIG) & 1, 1);
    uint32_t param = readl(PARAM);
    cr_assert_eq(param & 0xf, 1);
    cr_assert_eq(1u << ((param >> 4) & 0xf), QUEUES);
    cr_assert_eq(1u << ((param >> 8) & 0xf), 1);
    cr_assert_eq(1u << ((param >> 12) & 0xf), SIDS);
}

static void remove_driver(enum linux_version version)
{
    if (version == LINUX_6_12) {
        for (unsigned q = 0; q < QUEUES; q++)
            vcmdq_deinit(q);
        write_config(VINTF_CONFIG, VINTF_STATUS, 0);
    } else {
        vintf_deinit(version);
    }
}

static void entry(unsigned q, uint32_t slot, uint64_t w0, uint64_t w1)
{
    const uint64_t words[2] = { htole64(w0), htole64(w1) };
    cr_assert_eq(vdf_test_pwrite(DEV "memory", words, 16, RING(q) - RING(0) + 16 * slot), 16);
}

static void queue_command(unsigned q, uint64_t w0, uint64_t w1)
{
    uint32_t prod = readl(page0(q, PROD));

    entry(q, prod % (1u << LOG2SIZE), w0, w1);
    writel((prod + 1) % (2u << LOG2SIZE), page0(q, PROD));
}

/* An illegal command is replaced by a CMD_SYNC; all other errors are acknowledged only. */
static void skip_error(unsigned q)
{
    uint32_t cons = readl(page0(q, CONS));

    if (cons >> 24 == 1)
        entry(q, cons % (1u << LOG2SIZE), SYNC, 0);
}

/* Return: the queues that had an error. */
static uint32_t interrupt_handler(void)
{
    uint64_t vintfs = (uint64_t)readl(VINTF_ERR_MAP + 4) << 32 | readl(VINTF_ERR_MAP);
    uint32_t queues = 0;

    for (unsigned n = 4; n-- > 0;)
        queues |= readl(CMDQ_ERR_MAP(n)) << n;
    cr_assert_eq(vintfs, queues ? 1 : 0);
    for (unsigned n = 0; vintfs && n < 2; n++) {
        uint64_t map = readq(LVCMDQ_ERR_MAP_64(n));
        cr_assert_eq(map, n ? 0 : queues);
        for (; map; map &= map - 1) {
            unsigned q = (unsigned)__builtin_ctzll(map);
            uint32_t gerror = readl(page0(q, GERROR));
            skip_error(q);
            writel(gerror, page0(q, GERRORN));
        }
    }
    return queues;
}

static void linux_driver(enum linux_version version)
{
    probe();
    hw_reset(version);
    for (unsigned q = 0; q < QUEUES; q++) {
        queue_command(q, TLBI_NH_ASID(3), 0);
        queue_command(q, SYNC, 0);
        cr_assert_eq(readl(page0(q, CONS)), 2);
        cr_assert_eq(readl(DIRECT + 0x80 * q + CONS), 2, "the same register");
    }
    /* Once more without a removal, as after suspend or for a crash kernel. */
    hw_reset(version);
    queue_command(1, SYNC, 0);
    cr_assert_eq(readl(page0(1, CONS)), 1);
    remove_driver(version);
    for (unsigned q = 0; q < QUEUES; q++) {
        cr_assert_eq(readl(page0(q, Q_STATUS)), 0);
        cr_assert_eq(readq(DIRECT + PAGE1 + 0x80 * q + BASE), 0);
    }
    is(DEV "queues/0/enable", "0");
    is(DEV "queues/1/enable", "0");
    put(DEV "ioas/unmap", "0x100000 0x10000");
    is("errors", "");
}

Test(hwqueue_tegra_driver, linux_6_12)
{
    linux_driver(LINUX_6_12);
}

Test(hwqueue_tegra_driver, linux_6_17)
{
    linux_driver(LINUX_6_17);
}

Test(hwqueue_tegra_driver, interrupt_and_recovery)
{
    for (unsigned q = 0; q < QUEUES; q++) {
        probe();
        hw_reset(LINUX_6_17);
        cr_assert_eq(vdf_test_mkdir(DEV "vdevices/7"), 0);
        is(DEV "interrupt", "0");
        queue_command(q, 0x30, 0);
        is(DEV "interrupt", "1");
        cr_assert_eq(readl(page0(q, CONS)), 1u << 24);
        cr_assert_eq(readl(VINTF_STATUS), 2u << 16 | 1 << 1 | 1);
        cr_assert_eq(interrupt_handler(), 1u << q);
        is(DEV "interrupt", "0");
        cr_assert_eq(readl(page0(q, CONS)), 1);
        cr_assert_eq(readl(VINTF_STATUS), 2u << 16 | 1);

        put(DEV "vdevices/7/atc_timeout", "1");
        queue_command(q, ATC_INV(7), 52);
        queue_command(q, SYNC, 0);
        cr_assert_eq(readl(page0(q, CONS)), 2 | 3u << 24);
        cr_assert_eq(interrupt_handler(), 1u << q);
        cr_assert_eq(readl(page0(q, CONS)), 3);

        put(q ? Q1 "fetch_abort" : Q0 "fetch_abort", "1");
        queue_command(q, SYNC, 0);
        cr_assert_eq(readl(page0(q, CONS)), 3 | 2u << 24);
        put(q ? Q1 "fetch_abort" : Q0 "fetch_abort", "0");
        cr_assert_eq(interrupt_handler(), 1u << q);
        cr_assert_eq(readl(page0(q, CONS)), 4);
        cr_assert_eq(interrupt_handler(), 0);
        vdf_test_tree_free();
    }
}

/* Both queues at once, and a removal with an error that was not acknowledged. */
Test(hwqueue_tegra_driver, removal_with_errors)
{
    probe();
    hw_reset(LINUX_6_17);
    queue_command(0, 0x30, 0);
    queue_command(1, 0x30, 0);
    cr_assert_eq(readl(CMDQ_ERR_MAP(0)), 3);
    cr_assert_eq(interrupt_handler(), 3);
    queue_command(0, 0x30, 0);
    remove_driver(LINUX_6_17);
    is(DEV "interrupt", "0");
    hw_reset(LINUX_6_12);
    queue_command(0, SYNC, 0);
    cr_assert_eq(readl(page0(0, CONS)), 1);
}

/* --- registers of what is no queue yet ----------------------------------------------------------
 */

/* A VCMDQ has its registers before it is allocated, in the direct pages only. */
Test(hwqueue_tegra_driver, registers_before_the_allocation)
{
    probe();
    writel(2, CMDQ_ALLOC(1));
    cr_assert_eq(readl(CMDQ_ALLOC(1)), 2);
    writel(0x1ffffe, CMDQ_ALLOC(1));
    cr_assert_eq(readl(CMDQ_ALLOC(1)), 0x1f80fe);
    writeq(RING(0) | 4, DIRECT + PAGE1 + BASE);
    writel(0x200000, DIRECT + PAGE1 + CONS_INDX_BASE + 4);
    writel(3, DIRECT + PROD);
    writel(2, DIRECT + CONS);
    writel(1, DIRECT + Q_CONFIG);
    cr_assert_eq(readq(DIRECT + PAGE1 + BASE), RING(0) | 4);
    cr_assert_eq(readl(DIRECT + Q_STATUS), 0);
    cr_assert_eq(readq(VINTF + PAGE1 + BASE), 0);
    writel(7, VINTF + PROD);
    cr_assert_eq(readl(DIRECT + PROD), 3);
    cr_assert(!vdf_test_exists(DEV "queues/0"));

    char *state = strdup(vdf_test_read(DEV "state"));
    writel(0, DIRECT + PROD);
    writel(0, CMDQ_ALLOC(1));
    cr_assert_eq(vdf_test_write(DEV "state", state), 0, "%s", vdf_test_last_error());
    free(state);
    cr_assert_eq(readl(CMDQ_ALLOC(1)), 0x1f80fe);
    cr_assert_eq(readl(DIRECT + PROD), 3);

    entry(0, 2, SYNC, 0);
    writel(1, CMDQ_ALLOC(0));
    cr_assert_eq(readl(VINTF + Q_STATUS), 1, "CONFIG.EN was there");
    cr_assert_eq(readl(VINTF + CONS), 3);
    cr_assert_eq(readq(VINTF + PAGE1 + CONS_INDX_BASE), UINT64_C(0x200000) << 32);
    is(Q0 "log2size", "4");
    /* Given away, the queue is not to be seen in the VINTF, and it stops. */
    writel(0, CMDQ_ALLOC(0));
    cr_assert_eq(readl(VINTF + PROD), 0);
    cr_assert_eq(readl(DIRECT + PROD), 3);
    cr_assert_eq(readl(DIRECT + Q_STATUS), 0);
    writel(1, CMDQ_ALLOC(0));
    cr_assert_eq(readl(VINTF + Q_STATUS), 1);
}

/* --- every register, every width -------------------------------------------------------------- */

static const struct {
    unsigned offset, bytes, n, stride;
} registers[] = {
    { CONFIG, 4, 3, 4 },
    { VINTF_ERR_MAP, 4, 3, 4 },
    { CMDQ_ERR_MAP(0), 4, 4, 4 },
    { CMDQ_ALLOC(0), 4, QUEUES, 4 },
    { VINTF_CONFIG, 4, 2, 4 },
    { SID_MATCH(0), 4, SIDS, 4 },
    { SID_REPLACE(0), 4, SIDS, 4 },
    { LVCMDQ_ERR_MAP_64(0), 8, 1, 8 },
    { DIRECT, 4, 6, 4 },
    { DIRECT + 0x80, 4, 6, 4 },
    { DIRECT + PAGE1, 8, 2, 8 },
    { DIRECT + PAGE1 + 0x80, 8, 2, 8 },
    { VINTF, 4, 6, 4 },
    { VINTF + 0x80, 4, 6, 4 },
    { VINTF + PAGE1, 8, 2, 8 },
    { VINTF + PAGE1 + 0x80, 8, 2, 8 },
};

/* Aligned accesses of 4 bytes and of a register's width reach it; wider reads are copies. All
 * others are refused and change nothing. */
static void all_widths(unsigned offset, unsigned bytes)
{
    static const unsigned widths[] = { 1, 2, 4, 8 };
    uint64_t whole = load(offset, bytes), value;

    for (unsigned into = 0; into < bytes; into++)
        for (unsigned w = 0; w < COUNT(widths); w++) {
            unsigned width = widths[w], at = offset + into;
            uint64_t raw = 0;
            bool right = width >= 4 && into % 4 == 0;
            ssize_t n = vdf_test_pread(REGS, &raw, width, at);
            cr_assert_eq(n, right ? (ssize_t)width : -EOPNOTSUPP, "%u at 0x%x: %zd", width, at, n);
            if (right && into + width <= bytes)
                cr_assert_eq(le64toh(raw) << 8 * (8 - width), whole >> 8 * into << 8 * (8 - width),
                             "%u at 0x%x", width, at);
            /* A guest's access is one access, and not two. */
            bool one = width == bytes ? into == 0 : width == 4 && right;
            struct vdf_obj *dev = vdf_test_obj("hwqueue/smmu0");
            int ret = vdf_window_read(dev, VDF_REGS, at, width, true, &value, NULL);
            cr_assert_eq(ret, one ? 0 : -EOPNOTSUPP, "%u at 0x%x: %d", width, at, ret);
            if (right)
                continue;
            cr_assert_eq(vdf_test_pwrite(REGS, &raw, width, at), -EOPNOTSUPP);
            cr_assert_eq(vdf_test_reg_write(REGS, at, width, 0x55), -EOPNOTSUPP);
            cr_assert_eq(load(offset, bytes), whole);
        }
}

Test(hwqueue_tegra_driver, every_register_and_width)
{
    probe();
    hw_reset(LINUX_6_17);
    cr_assert_eq(vdf_test_mkdir(DEV "vdevices/7"), 0);
    queue_command(1, 0x30, 0);
    for (unsigned k = 0; k < COUNT(registers); k++)
        for (unsigned n = 0; n < registers[k].n; n++)
            all_widths(registers[k].offset + n * registers[k].stride, registers[k].bytes);
    /* Where no register is, a load is 0 and a store is ignored. */
    static const unsigned absent[] = {
        0xc, 0x34, 0x208, 0x1008, 0x10c8, 0x10018, 0x20010, 0x10100
    };
    for (unsigned k = 0; k < COUNT(absent); k++) {
        writel(UINT32_MAX, absent[k]);
        cr_assert_eq(readl(absent[k]), 0);
        cr_assert_eq(vdf_test_reg_read(REGS, absent[k], 2, &(uint64_t){ 0 }), -EOPNOTSUPP);
    }
}

/* --- what announces what ------------------------------------------------------------------------
 */

#define ROUNDS 2000u
#define BATCHES 40u
#define BATCH 4096u
#define CACHED 200u      /* translations that each invalidation of a batch looks at */
#define MESSAGE 0x1f000u /* in memory */

struct watcher {
    const uint8_t *page;
    const uint8_t *memory;
    atomic_uint seen;  /* rounds that it has looked at */
    atomic_uint wrong; /* of them, those with an old CONS */
};

/* For each GERROR that differs from the one before: CONS has the error already. */
static void *watch_gerror(void *arg)
{
    struct watcher *watcher = arg;
    uint32_t before = 0;
    unsigned idle = 0;

    for (unsigned k = 0; k < ROUNDS;) {
        uint32_t gerror = vdf_load_le32(watcher->page + GERROR);
        if (gerror == before) {
            if (++idle % 4096 == 0)
                sched_yield();
            continue;
        }
        if (vdf_load_le32(watcher->page + CONS) != (1u << 24 | k % 16))
            watcher->wrong++;
        before = gerror;
        watcher->seen = ++k;
    }
    return NULL;
}

static struct watcher start_watcher(void)
{
    const struct vdf_vcmdq *queue = vdf_obj_priv(vdf_test_obj(DEV "queues/0"));
    uint32_t word;

    cr_assert_eq(vdf_test_pread(Q0 "page", &word, 4, 0), 4);
    return (struct watcher){ .page = queue->page.base,
                             .memory = vdf_memory_at(&queue->dev->memory, 0, 0x20000) };
}

/* SMMUv3 7.1: a driver that has seen GERROR finds the error in CONS. */
Test(hwqueue_tegra_driver, gerror_is_seen_after_the_error)
{
    pthread_t thread;

    start_queue("3");
    struct watcher watcher = start_watcher();
    cr_assert_eq(pthread_create(&thread, NULL, watch_gerror, &watcher), 0);
    for (unsigned k = 0; k < ROUNDS; k++) {
        command(k % 8, 0x30, 0);
        cr_assert_eq(vdf_test_write_u64(Q0 "prod", (k + 1) % 16), 0);
        while (watcher.seen != k + 1)
            sched_yield();
        command(k % 8, SYNC, 0);
        cr_assert_eq(vdf_test_write_u64(Q0 "gerrorn", number(Q0 "gerror")), 0);
    }
    pthread_join(thread, NULL);
    cr_assert_eq(watcher.wrong, 0, "%u of %u", watcher.wrong, ROUNDS);
}

/* In each batch the first command signals: who has seen the word finds CONS behind that command,
 * however many follow. */
static void *watch_message(void *arg)
{
    struct watcher *watcher = arg;

    for (unsigned k = 0; k < BATCHES;) {
        if (vdf_load_le32(watcher->memory + MESSAGE) != k + 1) {
            sched_yield();
            continue;
        }
        uint32_t first = k * BATCH % (2 * BATCH), cons = vdf_load_le32(watcher->page + CONS);
        if (((cons - first) % (2 * BATCH)) == 0)
            watcher->wrong++;
        watcher->seen = ++k;
    }
    return NULL;
}

Test(hwqueue_tegra_driver, message_is_seen_after_cons)
{
    pthread_t thread;

    vdf_test_tree(false);
    put(DEV "ioas/map", "0x100000 0x20000");
    cr_assert_eq(vdf_test_mkdir(DEV "queues/0"), 0);
    put(Q0 "base", "0x100000");
    put(Q0 "log2size", "12");
    put(DEV "vintf/config", "0x20001");
    put(Q0 "enable", "1");
    for (unsigned k = 0; k < CACHED; k++) {
        char line[64];
        snprintf(line, sizeof(line), "1 0 0x%x 0x1000 65535", k << 12);
        put(DEV "iotlb/insert", line);
    }
    struct watcher watcher = start_watcher();
    for (unsigned k = 1; k < BATCH; k++)
        command(k, TLBI_NH_ASID(k & 0xfff), 0);
    cr_assert_eq(pthread_create(&thread, NULL, watch_message, &watcher), 0);
    for (unsigned k = 0; k < BATCHES; k++) {
        command(0, SYNC | 1 << 12 | (uint64_t)(k + 1) << 32, 0x100000 + MESSAGE);
        cr_assert_eq(vdf_test_write_u64(Q0 "prod", (k + 1) * BATCH % (2 * BATCH)), 0);
        while (watcher.seen != k + 1)
            sched_yield();
    }
    pthread_join(thread, NULL);
    cr_assert_eq(watcher.wrong, 0, "%u of %u", watcher.wrong, BATCHES);
}
