/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The registers of an AMD IOMMU as drivers use them: the accesses of Linux's amd_iommu and of
 * FreeBSD's amdvi, with their order, offsets and widths, from the start to a suspend and resume.
 */
#include "test_hwqueue.h"

TestSuite(hwqueue_amd_driver, .fini = vdf_test_tree_free);

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define REGS DEV "regs"

#define DEV_TABLE 0x0u
#define CMD_BUF 0x8u
#define EVT_BUF 0x10u
#define CONTROL 0x18u
#define EXCL_BASE 0x20u
#define EXCL_LIMIT 0x28u
#define EXT_FEATURES 0x30u
#define PPR_LOG 0x38u
#define EXT_FEATURES2 0x1a0u
#define CMD_HEAD 0x2000u
#define CMD_TAIL 0x2008u
#define EVT_HEAD 0x2010u
#define EVT_TAIL 0x2018u
#define STATUS 0x2020u
#define PPR_HEAD 0x2030u
#define PPR_TAIL 0x2038u

/* Bits of Control, by number */
#define IOMMU_EN 0u
#define EVT_LOG_EN 2u
#define EVT_INT_EN 3u
#define COM_WAIT_INT_EN 4u
#define INV_TIMEOUT 5u
#define COHERENT_EN 10u
#define CMDBUF_EN 12u
#define PPRLOG_EN 13u
#define PPRINT_EN 14u
#define PPR_EN 15u
#define GT_EN 16u

/* Bits of Status */
#define EVT_OVERFLOW 0x1u
#define EVT_INT 0x2u
#define COM_WAIT_INT 0x4u
#define EVT_RUN 0x8u
#define CMD_RUN 0x10u
#define PPR_OVERFLOW 0x20u
#define PPR_INT 0x40u
#define PPR_RUN 0x80u

#define LEN_512 (UINT64_C(9) << 56)
#define RING_BYTES 0x2000u
#define BASE 0x100000u /* of the device's memory */
#define CMD_RING 0x0u  /* offsets in there */
#define EVT_RING 0x2000u
#define PPR_RING 0x4000u
#define SEMAPHORE 0x6000u
#define TABLE 0x8000u

static void store(uint64_t offset, unsigned width, uint64_t value)
{
    cr_assert_eq(vdf_test_reg_write(REGS, offset, width, value), 0, "0x%x <- 0x%llx: %s",
                 (unsigned)offset, (unsigned long long)value, vdf_test_last_error());
}

static uint64_t load(uint64_t offset, unsigned width)
{
    uint64_t value;
    cr_assert_eq(vdf_test_reg_read(REGS, offset, width, &value), 0, "0x%x: %s", (unsigned)offset,
                 vdf_test_last_error());
    return value;
}

#define writel(value, offset) store(offset, 4, value)
#define writeq(value, offset) store(offset, 8, value)
#define readl(offset) ((uint32_t)load(offset, 4))
#define readq(offset) load(offset, 8)

/* A copy to device memory goes in words of 32 bits on x86. */
static void memcpy_toio(uint64_t offset, uint64_t value)
{
    writel(value & 0xffffffff, offset);
    writel(value >> 32, offset + 4);
}

static uint64_t word(uint64_t offset)
{
    uint64_t value;
    cr_assert_eq(vdf_test_pread(DEV "memory", &value, 8, offset), 8);
    return le64toh(value);
}

static void set_word(uint64_t offset, uint64_t value)
{
    value = htole64(value);
    cr_assert_eq(vdf_test_pwrite(DEV "memory", &value, 8, offset), 8);
}

static void machine(void)
{
    vdf_test_tree(false);
    put(DEV "type", "amd");
    put(DEV "ioas/map", "0x100000 0x10000");
}

/* --- Linux ------------------------------------------------------------------------------------ */

/* Control is accessed with 64 bits, and with 32 by Linux of before 5.11. */
static unsigned control_width;
static uint32_t cmd_tail;
static uint64_t semaphore;

static void feature(unsigned bit, bool on)
{
    uint64_t control = load(CONTROL, control_width);
    store(CONTROL, control_width, on ? control | 1u << bit : control & ~(UINT64_C(1) << bit));
}

#define feature_enable(bit) feature(bit, true)
#define feature_disable(bit) feature(bit, false)

static void iommu_disable(void)
{
    feature_disable(CMDBUF_EN);
    feature_disable(EVT_INT_EN);
    feature_disable(EVT_LOG_EN);
    feature_disable(28); /* GALogEn, GAIntEn */
    feature_disable(29);
    feature_disable(PPRLOG_EN);
    feature_disable(PPRINT_EN);
    feature_disable(IOMMU_EN);
}

static void reset_cmd_buffer(void)
{
    feature_disable(CMDBUF_EN);
    writel(0, CMD_HEAD);
    writel(0, CMD_TAIL);
    cmd_tail = 0;
    feature_enable(CMDBUF_EN);
}

static void queue_command(uint64_t low, uint64_t high)
{
    set_word(CMD_RING + cmd_tail, low);
    set_word(CMD_RING + cmd_tail + 8, high);
    cmd_tail = (cmd_tail + 16) % RING_BYTES;
    writel(cmd_tail, CMD_TAIL);
}

static void completion_wait(void)
{
    semaphore++;
    queue_command(UINT64_C(1) << 60 | (BASE + SEMAPHORE) | 1, semaphore);
    cr_assert_eq(word(SEMAPHORE), semaphore);
    cr_assert_eq(readl(CMD_HEAD), cmd_tail);
}

static void early_enable_iommu(void)
{
    iommu_disable();
    feature_enable(COHERENT_EN);
    uint64_t control = load(CONTROL, control_width) & ~(UINT64_C(7) << INV_TIMEOUT);
    store(CONTROL, control_width, control | 2u << INV_TIMEOUT);
    memcpy_toio(DEV_TABLE, (BASE + TABLE) | 7);
    memcpy_toio(CMD_BUF, (BASE + CMD_RING) | LEN_512);
    reset_cmd_buffer();
    memcpy_toio(EVT_BUF, (BASE + EVT_RING) | LEN_512);
    writel(0, EVT_HEAD);
    writel(0, EVT_TAIL);
    feature_enable(EVT_LOG_EN);
    cr_assert_eq(readl(STATUS) & (CMD_RUN | EVT_RUN), 0);
    feature_enable(GT_EN);
    feature_enable(IOMMU_EN);
    cr_assert_eq(readl(STATUS) & (CMD_RUN | EVT_RUN), CMD_RUN | EVT_RUN);
    queue_command(UINT64_C(8) << 60, 0);
    completion_wait();
}

static void enable_ppr_log(void)
{
    feature_enable(PPR_EN);
    memcpy_toio(PPR_LOG, (BASE + PPR_RING) | LEN_512);
    writel(0, PPR_HEAD);
    writel(0, PPR_TAIL);
    feature_enable(PPRINT_EN);
    feature_enable(PPRLOG_EN);
}

static void start_linux(void)
{
    machine();
    cr_assert_eq(readq(EXT_FEATURES), 0x52);
    cr_assert_eq(readq(EXT_FEATURES2), 0);
    early_enable_iommu();
    enable_ppr_log();
    feature_enable(EVT_INT_EN);
    cr_assert_eq(readl(STATUS), CMD_RUN | EVT_RUN | PPR_RUN);
    cr_assert_eq(readq(CMD_BUF), (BASE + CMD_RING) | LEN_512);
    cr_assert_eq(readq(EVT_BUF), (BASE + EVT_RING) | LEN_512);
    cr_assert_eq(readq(PPR_LOG), (BASE + PPR_RING) | LEN_512);
    /* A kernel that is started by a crashed one finds the device table in halves. */
    cr_assert_eq(readl(DEV_TABLE), (BASE + TABLE) | 7);
    cr_assert_eq(readl(DEV_TABLE + 4), 0);
}

/* Entries are read and emptied one by one. Returns how many there were. */
static unsigned poll_log(uint64_t ring, uint64_t head_at, uint64_t tail_at, uint64_t type)
{
    uint32_t head = readl(head_at), tail = readl(tail_at);
    unsigned n = 0;

    while (head != tail) {
        cr_assert_eq(word(ring + head) >> 60, type);
        set_word(ring + head, 0);
        set_word(ring + head + 8, 0);
        head = (head + 16) % RING_BYTES;
        writel(head, head_at);
        tail = readl(tail_at);
        n++;
    }
    return n;
}

static void restart_event_log(void)
{
    if (readl(STATUS) & EVT_RUN)
        return;
    feature_disable(EVT_LOG_EN);
    feature_disable(EVT_INT_EN);
    writel(EVT_OVERFLOW, STATUS);
    feature_enable(EVT_INT_EN);
    feature_enable(EVT_LOG_EN);
}

/* The threaded handler of the event log's interrupt. */
static unsigned event_interrupt(void)
{
    uint32_t status = readl(STATUS);
    unsigned n = 0;

    while (status & (EVT_INT | EVT_OVERFLOW)) {
        writel(EVT_INT | EVT_OVERFLOW, STATUS);
        n += poll_log(EVT_RING, EVT_HEAD, EVT_TAIL, 2);
        if (status & EVT_OVERFLOW)
            restart_event_log();
        status = readl(STATUS);
    }
    return n;
}

static void faults(unsigned n)
{
    for (unsigned k = 0; k < n; k++)
        put(DEV "queues/event/inject", "IO_PAGE_FAULT 0x10 5 0x7000 0x21");
}

static void play_linux(unsigned width)
{
    control_width = width;
    semaphore = 0;
    start_linux();
    /* The ring is full when less than two places are free; it goes round. */
    for (unsigned k = 0; k < 600; k++)
        completion_wait();
    is(DEV "interrupt", "0");

    faults(3);
    is(DEV "interrupt", "1");
    cr_assert_eq(event_interrupt(), 3);
    is(DEV "interrupt", "0");
    faults(511);
    cr_assert_eq(readl(STATUS) & (EVT_OVERFLOW | EVT_RUN), EVT_RUN);
    faults(2);
    cr_assert_eq(readl(STATUS) & (EVT_OVERFLOW | EVT_RUN), EVT_OVERFLOW);
    cr_assert_eq(event_interrupt(), 511);
    cr_assert_eq(readl(STATUS) & (EVT_OVERFLOW | EVT_INT | EVT_RUN), EVT_RUN);
    is(DEV "interrupt", "0");
    faults(1);
    cr_assert_eq(event_interrupt(), 1);

    put(DEV "queues/ppr/inject", "0x10 1 0x7000 5");
    put(DEV "queues/ppr/inject", "0x10 1 0x8000 6");
    is(DEV "interrupt", "1");
    writel(PPR_INT | PPR_OVERFLOW, STATUS);
    is(DEV "interrupt", "0");
    cr_assert_eq(poll_log(PPR_RING, PPR_HEAD, PPR_TAIL, 1), 2);
    queue_command(UINT64_C(7) << 60 | UINT64_C(1) << 32 | 0x10, UINT64_C(5) << 32 | 4);
    completion_wait();
}

Test(hwqueue_amd_driver, linux_64_bits)
{
    play_linux(8);
}

Test(hwqueue_amd_driver, linux_32_bits)
{
    play_linux(4);
}

/* The device writes nothing to the rings meanwhile, and the driver starts them again. */
Test(hwqueue_amd_driver, linux_suspend_and_resume)
{
    control_width = 8;
    semaphore = 0;
    start_linux();
    completion_wait();
    faults(1);
    cr_assert_eq(event_interrupt(), 1);
    iommu_disable();
    cr_assert_eq(readl(STATUS) & (CMD_RUN | EVT_RUN | PPR_RUN), 0);
    cr_assert_eq(readq(CONTROL) & (1u << CMDBUF_EN | 1u << EVT_LOG_EN | 1u << PPRLOG_EN | 1), 0);
    cr_assert_eq(vdf_test_write(DEV "queues/event/inject", "IO_PAGE_FAULT 1 2 3"), -EBUSY);
    early_enable_iommu();
    enable_ppr_log();
    feature_enable(EVT_INT_EN);
    cr_assert_eq(readl(STATUS), CMD_RUN | EVT_RUN | PPR_RUN);
    completion_wait();
    faults(1);
    cr_assert_eq(readl(EVT_TAIL), 16);
    cr_assert_eq(event_interrupt(), 1);
}

/* A command that stops the buffer is logged, and a reset starts the buffer again. */
Test(hwqueue_amd_driver, linux_illegal_command)
{
    control_width = 8;
    semaphore = 0;
    start_linux();
    completion_wait();
    queue_command(UINT64_C(15) << 60, 0);
    cr_assert_eq(readl(STATUS), EVT_RUN | PPR_RUN | EVT_INT);
    cr_assert_eq(readl(CMD_HEAD), cmd_tail - 16);
    cr_assert_eq(word(EVT_RING) >> 60, 5);
    cr_assert_eq(word(EVT_RING + 8), BASE + CMD_RING + cmd_tail - 16);
    reset_cmd_buffer();
    cr_assert_eq(readl(STATUS) & CMD_RUN, CMD_RUN);
    completion_wait();
}

/* --- FreeBSD ---------------------------------------------------------------------------------- */

/* Fields of registers are stored in place: the length before the base, the tail before the head,
 * and all of Control at once, which starts everything. */
Test(hwqueue_amd_driver, freebsd)
{
    const uint32_t control = 1u << IOMMU_EN | 1u << CMDBUF_EN | 1u << EVT_LOG_EN |
                             1u << EVT_INT_EN | 2u << INV_TIMEOUT | 1u << COHERENT_EN;

    machine();
    writel(0, CONTROL);
    writel((readl(CMD_BUF + 4) & ~0x0f000000u) | 8u << 24, CMD_BUF + 4);
    writel((readl(CMD_BUF) & 0xfff) | (BASE + CMD_RING), CMD_BUF);
    writel(0, CMD_TAIL);
    writel(0, CMD_HEAD);
    writel((readl(EVT_BUF + 4) & ~0x0f000000u) | 8u << 24, EVT_BUF + 4);
    writel((readl(EVT_BUF) & 0xfff) | (BASE + EVT_RING), EVT_BUF);
    writel(0, EVT_TAIL);
    writel(0, EVT_HEAD);
    writel((BASE + TABLE) | 0x1ff, DEV_TABLE);
    cr_assert_eq(readq(CMD_BUF), UINT64_C(8) << 56 | (BASE + CMD_RING));
    cr_assert_eq(readq(EVT_BUF), UINT64_C(8) << 56 | (BASE + EVT_RING));
    writel(control, CONTROL);
    cr_assert_eq(readl(CONTROL), control);
    cr_assert_eq(readl(STATUS), CMD_RUN | EVT_RUN);

    /* An invalidation of a whole domain and a wait, commands that are written in place */
    put(DEV "iotlb/insert", "1 0 0x1000 0x1000 5");
    set_word(CMD_RING, UINT64_C(3) << 60 | UINT64_C(5) << 32);
    set_word(CMD_RING + 8, UINT64_C(0x7ffffffffffff000) | 3);
    writel(16, CMD_TAIL);
    is(DEV "iotlb/entries", "");
    set_word(CMD_RING + 16, UINT64_C(1) << 60 | (BASE + SEMAPHORE) | 5);
    set_word(CMD_RING + 24, 0xcafe);
    writel(32, CMD_TAIL);
    cr_assert_eq(word(SEMAPHORE), 0xcafe);
    cr_assert_eq(readl(CMD_HEAD), 32);

    faults(1);
    cr_assert_eq(readl(STATUS), CMD_RUN | EVT_RUN | EVT_INT);
    writel(EVT_INT, STATUS);
    cr_assert_eq(readl(EVT_TAIL), 16);
    writel(16, EVT_HEAD);
    is(DEV "interrupt", "0");
    writel(0, CONTROL);
    cr_assert_eq(readl(STATUS), 0);
}

/* --- every register, every width -------------------------------------------------------------- */

static const struct {
    unsigned offset;
    uint64_t value, reads; /* stored, and what is read then */
} registers[] = {
    { DEV_TABLE, UINT64_C(0x0123456789abc1ff), UINT64_C(0x0123456789abc1ff) },
    { CMD_BUF, UINT64_C(0xfaffffffffffffff), UINT64_C(0x0a0ffffffffff000) },
    { EVT_BUF, UINT64_C(0x0c00000123456000), UINT64_C(0x0c00000123456000) },
    { CONTROL, UINT64_C(0x0123456789ab8f80), UINT64_C(0x0123456789ab8f80) },
    { EXT_FEATURES, UINT64_MAX, 0x52 },
    { PPR_LOG, UINT64_C(0x0f00000000001000), UINT64_C(0x0f00000000001000) },
    { CMD_HEAD, 0x30, 0x30 },
    { CMD_TAIL, 0x40, 0x40 },
    { EVT_HEAD, 0x50, 0x50 },
    { EVT_TAIL, 0x60, 0x60 },
    { STATUS, UINT64_MAX, 0 },
    { PPR_HEAD, 0x70, 0x70 },
    { PPR_TAIL, 0x80, 0x80 },
};

Test(hwqueue_amd_driver, every_register_and_width)
{
    for (unsigned width = 4; width <= 8; width += 4) {
        machine();
        for (unsigned k = 0; k < COUNT(registers); k++) {
            if (width == 8) {
                writeq(registers[k].value, registers[k].offset);
            } else {
                writel(registers[k].value >> 32, registers[k].offset + 4);
                writel(registers[k].value & 0xffffffff, registers[k].offset);
            }
        }
        for (unsigned k = 0; k < COUNT(registers); k++) {
            unsigned offset = registers[k].offset;
            cr_assert_eq(readq(offset), registers[k].reads, "0x%x", offset);
            cr_assert_eq(readl(offset), registers[k].reads & 0xffffffff, "0x%x", offset);
            cr_assert_eq(readl(offset + 4), registers[k].reads >> 32, "0x%x", offset);
        }
    }
}

Test(hwqueue_amd_driver, misaligned_and_narrow)
{
    static const unsigned widths[] = { 1, 2, 4, 8 };

    machine();
    for (unsigned k = 0; k < COUNT(registers); k++)
        for (unsigned into = 0; into < 8; into++)
            for (unsigned w = 0; w < COUNT(widths); w++) {
                uint64_t before = readq(registers[k].offset), value;
                unsigned offset = registers[k].offset + into, width = widths[w];
                /* 8 bytes from the second half on are accesses to two registers. */
                if (width >= 4 && into % 4 == 0)
                    continue;
                cr_assert_eq(vdf_test_reg_write(REGS, offset, width, 0x55), -EOPNOTSUPP);
                cr_assert_eq(vdf_test_reg_read(REGS, offset, width, &value), -EOPNOTSUPP);
                cr_assert_eq(readq(registers[k].offset), before);
            }
}

/* Registers of what this IOMMU does not have read 0 and take nothing. */
Test(hwqueue_amd_driver, absent_registers)
{
    static const unsigned offsets[] = { EXCL_BASE, EXCL_LIMIT, 0x40,   0xe0,   0xe8,
                                        0x1a0,     0x2028,     0x2040, 0x2048, 0x3ff8 };

    machine();
    for (unsigned k = 0; k < COUNT(offsets); k++) {
        writeq(UINT64_MAX, offsets[k]);
        cr_assert_eq(readq(offsets[k]), 0);
        writel(UINT32_MAX, offsets[k] + 4);
        cr_assert_eq(readl(offsets[k] + 4), 0);
    }
}

/* The bits of Status that writing 1 clears: those in the written half, and no others. */
Test(hwqueue_amd_driver, status_halves)
{
    const uint32_t bits[] = { EVT_OVERFLOW, EVT_INT, COM_WAIT_INT, PPR_OVERFLOW, PPR_INT };

    control_width = 8;
    semaphore = 0;
    start_linux();
    feature_enable(COM_WAIT_INT_EN);
    faults(512);
    for (unsigned k = 0; k < 512; k++)
        put(DEV "queues/ppr/inject", "0x10 1 0x7000 5");
    queue_command(UINT64_C(1) << 60 | 2, 0);
    uint32_t status = CMD_RUN;
    for (unsigned k = 0; k < COUNT(bits); k++)
        status |= bits[k];
    cr_assert_eq(readl(STATUS), status);
    writel(UINT32_MAX, STATUS + 4);
    writel(0, STATUS);
    writel(EVT_RUN | CMD_RUN | PPR_RUN, STATUS);
    cr_assert_eq(readq(STATUS), status);
    for (unsigned k = 0; k < COUNT(bits); k++) {
        writel(bits[k], STATUS);
        status &= ~bits[k];
        cr_assert_eq(readq(STATUS), status);
        is(DEV "interrupt", status & ~CMD_RUN ? "1" : "0");
    }
}
