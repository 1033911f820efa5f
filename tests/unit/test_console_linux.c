/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Linux's virtio_mmio with virtio_console on top, as sequences of register accesses and rings:
 * probe, suspension and resumption, unbind and bind. What those drivers do in which order is known
 * from their sources; here is what a device has to answer.
 */
#include "test_console.h"

#define REGS CON "regs"
#define PORTS 2u
#define QUEUES (2 * (PORTS + 1))
#define NUM 64u
#define DESC(q) (0x100000u + (q)*0x4000u)
#define AVAIL(q) (DESC(q) + NUM * 16)
#define USED(q) (DESC(q) + 0x1000u)
#define BUFFER(q, n) (0x400000u + ((q)*NUM + (n)) * 0x1000u)
#define WANTED                                                               \
    (VDF_CONSOLE_F_SIZE | VDF_CONSOLE_F_MULTIPORT | VDF_CONSOLE_F_INDIRECT | \
     VDF_CONSOLE_F_EVENT_IDX | VDF_CONSOLE_F_VERSION_1 | VDF_CONSOLE_F_ACCESS_PLATFORM)

static struct {
    uint64_t features;
    uint16_t avail[QUEUES], used[QUEUES];
    bool known[PORTS], console[PORTS], guest[PORTS], host[PORTS];
    char in[PORTS][64]; /* received */
} linux_;

static void writel(uint32_t value, unsigned reg)
{
    cr_assert_eq(vdf_test_reg_write(REGS, reg, 4, value), 0, "0x%x", reg);
}

static uint32_t readl(unsigned reg)
{
    uint64_t value = 0;

    cr_assert_eq(vdf_test_reg_read(REGS, reg, 4, &value), 0, "0x%x", reg);
    return (uint32_t)value;
}

static uint8_t *memory_at(uint64_t addr, uint64_t len)
{
    struct vdf_console *con = vdf_obj_priv(vdf_test_obj("console/con0"));
    uint8_t *at = vdf_memory_at(&con->memory, addr, len);

    cr_assert(at, "0x%lx", (unsigned long)addr);
    return at;
}

/* --- rings ------------------------------------------------------------------------------------ */

static bool need_event(uint16_t event, uint16_t now, uint16_t before)
{
    return (uint16_t)(now - event - 1) < (uint16_t)(now - before);
}

static void add(unsigned q, unsigned n, uint32_t len, uint16_t flags)
{
    uint8_t *desc = memory_at(DESC(q) + n * 16, 16);

    vdf_store_le64(desc, BUFFER(q, n));
    vdf_store_le32(desc + 8, len);
    vdf_store_le16(desc + 12, flags);
    vdf_store_le16(memory_at(AVAIL(q) + 4 + linux_.avail[q] % NUM * 2, 2), (uint16_t)n);
    linux_.avail[q]++;
    vdf_store_le16(memory_at(AVAIL(q) + 2, 2), linux_.avail[q]);
    if (!(linux_.features & VDF_CONSOLE_F_EVENT_IDX) ||
        need_event(vdf_load_le16(memory_at(USED(q) + 4 + NUM * 8, 2)), linux_.avail[q],
                   (uint16_t)(linux_.avail[q] - 1)))
        writel(q, VDF_CONSOLE_REG_QUEUE_NOTIFY);
}

/* The next used buffer; -1: none, and the driver wants to hear of the next. */
static int get(unsigned q, uint32_t *len)
{
    const uint8_t *elem = memory_at(USED(q) + 4 + linux_.used[q] % NUM * 8, 8);

    vdf_store_le16(memory_at(AVAIL(q) + 4 + NUM * 2, 2), linux_.used[q]);
    if (vdf_load_le16(memory_at(USED(q) + 2, 2)) == linux_.used[q])
        return -1;
    linux_.used[q]++;
    *len = vdf_load_le32(elem + 4);
    return (int)vdf_load_le32(elem);
}

static void fill_queue(unsigned q)
{
    for (unsigned n = 0; n < NUM; n++)
        add(q, n, 0x1000, VDF_VQ_DESC_WRITE);
}

/* The driver waits with a lock held until the device has taken what it sends. */
static void send_out(unsigned q, const void *bytes, uint32_t n)
{
    uint32_t len;

    memcpy(memory_at(BUFFER(q, 0), n), bytes, n);
    add(q, 0, n, 0);
    cr_assert_eq(get(q, &len), 0, "queue %u: the driver spins for ever", q);
}

static void send_control(uint32_t id, uint16_t event, uint16_t value)
{
    struct vdf_console_control message = { htole32(id), htole16(event), htole16(value) };

    send_out(VDF_CONSOLE_CONTROL_TXQ, &message, sizeof(message));
}

static void handle_control(unsigned n)
{
    struct vdf_console_control message;
    uint32_t id;

    memcpy(&message, memory_at(BUFFER(VDF_CONSOLE_CONTROL_RXQ, n), sizeof(message)),
           sizeof(message));
    id = le32toh(message.id);
    cr_assert_lt(id, PORTS);
    switch (le16toh(message.event)) {
    case VDF_CONSOLE_PORT_ADD:
        if (!linux_.known[id])
            fill_queue(vdf_console_rxq(id));
        linux_.known[id] = true;
        send_control(id, VDF_CONSOLE_PORT_READY, 1);
        break;
    case VDF_CONSOLE_PORT_REMOVE:
        linux_.known[id] = false;
        break;
    case VDF_CONSOLE_CONSOLE_PORT:
        if (linux_.console[id])
            break;
        linux_.console[id] = linux_.guest[id] = true;
        send_control(id, VDF_CONSOLE_PORT_OPEN, 1);
        break;
    case VDF_CONSOLE_PORT_OPEN:
        linux_.host[id] = le16toh(message.value);
        break;
    default:
        break;
    }
}

/* The interrupt handler, as long as the line is high. */
static void interrupts(void)
{
    uint32_t status, len;
    int n;

    while ((status = readl(VDF_CONSOLE_REG_INTERRUPT_STATUS))) {
        writel(status, VDF_CONSOLE_REG_INTERRUPT_ACK);
        while ((n = get(VDF_CONSOLE_CONTROL_RXQ, &len)) >= 0) {
            handle_control((unsigned)n);
            add(VDF_CONSOLE_CONTROL_RXQ, (unsigned)n, 0x1000, VDF_VQ_DESC_WRITE);
        }
        for (unsigned id = 0; id < PORTS; id++) {
            unsigned q = vdf_console_rxq(id);

            while ((n = get(q, &len)) >= 0) {
                strncat(linux_.in[id], (char *)memory_at(BUFFER(q, (unsigned)n), len), len);
                add(q, (unsigned)n, 0x1000, VDF_VQ_DESC_WRITE);
            }
        }
    }
}

/* --- the life of the device ------------------------------------------------------------------- */

static void add_status(uint32_t bits)
{
    writel(readl(VDF_CONSOLE_REG_STATUS) | bits, VDF_CONSOLE_REG_STATUS);
}

static void negotiate(void)
{
    uint64_t offered;

    writel(1, VDF_CONSOLE_REG_DEVICE_FEATURES_SEL);
    offered = (uint64_t)readl(VDF_CONSOLE_REG_DEVICE_FEATURES) << 32;
    writel(0, VDF_CONSOLE_REG_DEVICE_FEATURES_SEL);
    offered |= readl(VDF_CONSOLE_REG_DEVICE_FEATURES);
    linux_.features = offered & WANTED;
    writel(1, VDF_CONSOLE_REG_DRIVER_FEATURES_SEL);
    writel((uint32_t)(linux_.features >> 32), VDF_CONSOLE_REG_DRIVER_FEATURES);
    writel(0, VDF_CONSOLE_REG_DRIVER_FEATURES_SEL);
    writel((uint32_t)linux_.features, VDF_CONSOLE_REG_DRIVER_FEATURES);
    add_status(VDF_CONSOLE_S_FEATURES_OK);
    cr_assert(readl(VDF_CONSOLE_REG_STATUS) & VDF_CONSOLE_S_FEATURES_OK);
}

static void set_up_queues(void)
{
    for (unsigned q = 0; q < QUEUES; q++) {
        writel(q, VDF_CONSOLE_REG_QUEUE_SEL);
        cr_assert_eq(readl(VDF_CONSOLE_REG_QUEUE_READY), 0);
        cr_assert_eq(readl(VDF_CONSOLE_REG_QUEUE_NUM_MAX), NUM);
        memset(memory_at(DESC(q), 0x4000), 0, 0x4000);
        linux_.avail[q] = linux_.used[q] = 0;
        writel(NUM, VDF_CONSOLE_REG_QUEUE_NUM);
        writel(DESC(q), VDF_CONSOLE_REG_QUEUE_DESC_LOW);
        writel(0, VDF_CONSOLE_REG_QUEUE_DESC_HIGH);
        writel(AVAIL(q), VDF_CONSOLE_REG_QUEUE_DRIVER_LOW);
        writel(0, VDF_CONSOLE_REG_QUEUE_DRIVER_HIGH);
        writel(USED(q), VDF_CONSOLE_REG_QUEUE_DEVICE_LOW);
        writel(0, VDF_CONSOLE_REG_QUEUE_DEVICE_HIGH);
        writel(1, VDF_CONSOLE_REG_QUEUE_READY);
    }
}

static void delete_queues(void)
{
    for (unsigned q = 0; q < QUEUES; q++) {
        writel(q, VDF_CONSOLE_REG_QUEUE_SEL);
        writel(0, VDF_CONSOLE_REG_QUEUE_READY);
        cr_assert_eq(readl(VDF_CONSOLE_REG_QUEUE_READY), 0);
    }
}

/* The work of the core before the driver's own part, and the queues. */
static void begin(void)
{
    writel(0, VDF_CONSOLE_REG_STATUS);
    add_status(VDF_CONSOLE_S_ACKNOWLEDGE);
    add_status(VDF_CONSOLE_S_DRIVER);
    negotiate();
    cr_assert_eq(readl(VDF_CONSOLE_REG_MAX_PORTS), PORTS);
    set_up_queues();
    add_status(VDF_CONSOLE_S_DRIVER_OK);
    fill_queue(VDF_CONSOLE_CONTROL_RXQ);
}

static void probe(void)
{
    memset(&linux_, 0, sizeof(linux_));
    cr_assert_eq(readl(VDF_CONSOLE_REG_MAGIC), 0x74726976);
    cr_assert_eq(readl(VDF_CONSOLE_REG_VERSION), 2);
    cr_assert_eq(readl(VDF_CONSOLE_REG_DEVICE_ID), 3);
    readl(VDF_CONSOLE_REG_VENDOR_ID);
    begin();
    send_control(UINT32_MAX, VDF_CONSOLE_DEVICE_READY, 1);
    interrupts();
}

static void freeze(void)
{
    writel(0, VDF_CONSOLE_REG_STATUS);
    for (unsigned id = 0; id < PORTS; id++)
        linux_.host[id] = false;
    delete_queues();
}

static void restore(void)
{
    begin();
    for (unsigned id = 0; id < PORTS; id++) {
        if (!linux_.known[id])
            continue;
        fill_queue(vdf_console_rxq(id));
        send_control(id, VDF_CONSOLE_PORT_READY, 1);
        if (linux_.guest[id])
            send_control(id, VDF_CONSOLE_PORT_OPEN, 1);
    }
    interrupts();
}

static void unbind(void)
{
    writel(0, VDF_CONSOLE_REG_STATUS);
    delete_queues();
    add_status(VDF_CONSOLE_S_ACKNOWLEDGE);
}

static void setup(void)
{
    vdf_test_tree(false);
    put(CON "driver", "none");
    put(CON "max_ports", "2");
    cr_assert_eq(vdf_test_mkdir(CON "ports/1"), 0);
}

TestSuite(console_linux, .init = setup, .fini = vdf_test_tree_free);

/* Port 0 is the console, which prints; port 1 is open in the guest when this returns. */
static void both_ways(struct vdf_test_file *console, struct vdf_test_file *port)
{
    send_out(vdf_console_txq(0), "printed", 7);
    got(console, "printed");
    send_text(console, "typed");
    interrupts();
    cr_assert_str_eq(linux_.in[0], "typed");
    if (!linux_.guest[1])
        send_control(1, VDF_CONSOLE_PORT_OPEN, 1);
    linux_.guest[1] = true;
    send_text(port, "down");
    interrupts();
    cr_assert_str_eq(linux_.in[1], "down");
    memset(linux_.in, 0, sizeof(linux_.in));
}

Test(console_linux, probe)
{
    struct vdf_test_file *console = opened(P0 "data", O_RDWR), *port = opened(P1 "data", O_RDWR);

    probe();
    is(CON "status", "0x0f");
    is(CON "driver_features", "0x0000000130000003");
    cr_assert(linux_.known[0] && linux_.known[1] && linux_.console[0] && !linux_.console[1]);
    cr_assert(linux_.host[0] && linux_.host[1]);
    is(P0 "guest_connected", "1");
    is(P1 "guest_connected", "0");
    both_ways(console, port);
    /* A kernel prints more than anybody reads, and does not stop. */
    for (unsigned n = 0; n < 20000; n++)
        send_out(vdf_console_txq(0), "a line of the kernel's log", 26);
    is("errors", "");
    vdf_test_close(console);
    vdf_test_close(port);
}

Test(console_linux, access_platform)
{
    struct vdf_test_file *console = opened(P0 "data", O_RDWR), *port = opened(P1 "data", O_RDWR);

    put(CON "features", "0x0000010b30000007");
    probe();
    is(CON "driver_features", "0x0000000330000003");
    both_ways(console, port);
    vdf_test_close(console);
    vdf_test_close(port);
}

Test(console_linux, suspend_and_resume)
{
    struct vdf_test_file *console = opened(P0 "data", O_RDWR), *port = opened(P1 "data", O_RDWR);

    probe();
    both_ways(console, port);
    for (unsigned round = 0; round < 3; round++) {
        freeze();
        is(CON "status", "0x00");
        is(P1 "guest_connected", "0");
        /* Changes by the host wait meanwhile. */
        send_text(port, "in its sleep");
        restore();
        is(CON "status", "0x0f");
        cr_assert(linux_.host[0] && linux_.host[1]);
        is(P0 "guest_connected", "1");
        is(P1 "guest_connected", "1");
        cr_assert_str_eq(linux_.in[1], "in its sleep");
        memset(linux_.in, 0, sizeof(linux_.in));
        both_ways(console, port);
    }
    is("errors", "");

    /* A host's end that was closed, and a port that was pulled out. */
    freeze();
    vdf_test_close(console);
    vdf_test_close(port);
    cr_assert_eq(vdf_test_rmdir(CON "ports/1"), 0);
    restore();
    cr_assert_not(linux_.host[0]);
    cr_assert_not(linux_.known[1]);
    is("errors", "");
    /* Plugged in again it is a new one. */
    linux_.guest[1] = false;
    cr_assert_eq(vdf_test_mkdir(CON "ports/1"), 0);
    interrupts();
    cr_assert(linux_.known[1]);
    is(P1 "ready", "1");
}

Test(console_linux, unbind_and_bind)
{
    struct vdf_test_file *console = opened(P0 "data", O_RDWR), *port = opened(P1 "data", O_RDWR);

    for (unsigned round = 0; round < 3; round++) {
        probe();
        both_ways(console, port);
        unbind();
        is(CON "status", "0x01");
        is(P0 "ready", "0");
        is(P1 "guest_connected", "0");
    }
    is("errors", "");
    vdf_test_close(console);
    vdf_test_close(port);
}

/* Section 4.2.2.2: 32 bits and aligned, but for the two halves of the first word of the
 * configuration. A longer aligned read is a copy. */
Test(console_linux, widths)
{
    for (unsigned offset = 0; offset < VDF_CONSOLE_REGS_SIZE; offset++) {
        for (unsigned width = 1; width <= 8; width *= 2) {
            bool half =
                width == 2 && (offset == VDF_CONSOLE_REG_COLS || offset == VDF_CONSOLE_REG_ROWS);
            bool fits = half || (width >= 4 && offset % 4 == 0);
            uint64_t value = 0;
            int ret = vdf_test_reg_read(REGS, offset, width, &value);

            cr_assert_eq(ret, fits ? 0 : -EOPNOTSUPP, "%u bytes at 0x%x: %d", width, offset, ret);
            if (!fits)
                cr_assert_eq(vdf_test_reg_write(REGS, offset, width, 0), -EOPNOTSUPP,
                             "%u bytes at 0x%x", width, offset);
        }
    }
    is(CON "status", "0x00");
}

/* A write to a register of the other side has no effect, and offsets without a register read 0. */
Test(console_linux, registers_of_the_other_side)
{
    static const unsigned read_only[] = { 0x000, 0x004, 0x008, 0x00c, 0x010, 0x034, 0x060,
                                          0x0b0, 0x0b4, 0x0b8, 0x0bc, 0x0fc, 0x104 };
    static const unsigned write_only[] = { 0x014, 0x020, 0x024, 0x030, 0x038, 0x050, 0x064, 0x080,
                                           0x084, 0x090, 0x094, 0x0a0, 0x0a4, 0x0ac, 0x108 };
    static const unsigned none[] = { 0x018, 0x028, 0x02c, 0x03c, 0x040, 0x048, 0x04c, 0x054, 0x068,
                                     0x074, 0x088, 0x098, 0x0a8, 0x0c4, 0x0f8, 0x10c, 0x1fc };

    for (size_t k = 0; k < sizeof(read_only) / sizeof(read_only[0]); k++) {
        uint32_t before = readl(read_only[k]);

        writel(~before, read_only[k]);
        cr_assert_eq(readl(read_only[k]), before, "0x%x", read_only[k]);
    }
    for (size_t k = 0; k < sizeof(write_only) / sizeof(write_only[0]); k++)
        cr_assert_eq(readl(write_only[k]), 0, "0x%x", write_only[k]);
    for (size_t k = 0; k < sizeof(none) / sizeof(none[0]); k++) {
        writel(UINT32_MAX, none[k]);
        cr_assert_eq(readl(none[k]), 0, "0x%x", none[k]);
    }
    is(CON "status", "0x00");
}
