/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The test is the driver of a console: registers through the window, rings in the memory file. */
#include "test_console.h"
#include "tests/random.h"

#define REGS CON "regs"
#define MEMORY CON "memory"

/* Rings of queue q at 0x1000 * (q + 1): descriptors, 0x400 on the available, 0x800 on the used
 * ring. */
#define NUM 8u
#define DESC(q) (0x1000u * ((q) + 1))
#define AVAIL(q) (DESC(q) + 0x400u)
#define USED(q) (DESC(q) + 0x800u)
#define BUF(n) (0x20000u + 0x1000u * (n))

#define DRIVER_OK 0x0fu
#define FEATURES (VDF_CONSOLE_F_VERSION_1 | VDF_CONSOLE_F_MULTIPORT | VDF_CONSOLE_F_SIZE)

static void wr(unsigned reg, uint32_t value)
{
    cr_assert_eq(vdf_test_reg_write(REGS, reg, 4, value), 0, "0x%x", reg);
}

static uint32_t rd(unsigned reg)
{
    uint64_t value = 0;

    cr_assert_eq(vdf_test_reg_read(REGS, reg, 4, &value), 0, "0x%x", reg);
    return (uint32_t)value;
}

static void poke(uint64_t addr, uint64_t value, unsigned width)
{
    uint64_t le = htole64(value);

    cr_assert_eq(vdf_test_pwrite(MEMORY, &le, width, addr), (ssize_t)width);
}

static uint64_t peek(uint64_t addr, unsigned width)
{
    uint64_t le = 0;

    cr_assert_eq(vdf_test_pread(MEMORY, &le, width, addr), (ssize_t)width);
    return le64toh(le);
}

static void set_queue(unsigned q, uint64_t desc, uint64_t avail, uint64_t used)
{
    wr(VDF_CONSOLE_REG_QUEUE_SEL, q);
    wr(VDF_CONSOLE_REG_QUEUE_NUM, NUM);
    wr(VDF_CONSOLE_REG_QUEUE_DESC_LOW, (uint32_t)desc);
    wr(VDF_CONSOLE_REG_QUEUE_DESC_HIGH, (uint32_t)(desc >> 32));
    wr(VDF_CONSOLE_REG_QUEUE_DRIVER_LOW, (uint32_t)avail);
    wr(VDF_CONSOLE_REG_QUEUE_DRIVER_HIGH, (uint32_t)(avail >> 32));
    wr(VDF_CONSOLE_REG_QUEUE_DEVICE_LOW, (uint32_t)used);
    wr(VDF_CONSOLE_REG_QUEUE_DEVICE_HIGH, (uint32_t)(used >> 32));
    wr(VDF_CONSOLE_REG_QUEUE_READY, 1);
}

static void negotiate(uint64_t features)
{
    wr(VDF_CONSOLE_REG_STATUS, 0);
    wr(VDF_CONSOLE_REG_STATUS, 1);
    wr(VDF_CONSOLE_REG_STATUS, 3);
    for (unsigned sel = 0; sel < 2; sel++) {
        wr(VDF_CONSOLE_REG_DRIVER_FEATURES_SEL, sel);
        wr(VDF_CONSOLE_REG_DRIVER_FEATURES, (uint32_t)(features >> 32 * sel));
    }
    wr(VDF_CONSOLE_REG_STATUS, 0x0b);
}

static void start(uint64_t features)
{
    unsigned n = features & VDF_CONSOLE_F_MULTIPORT ? 6 : 2;

    negotiate(features);
    for (unsigned q = 0; q < n; q++) {
        poke(AVAIL(q), 0, 4);
        poke(USED(q), 0, 4);
        set_queue(q, DESC(q), AVAIL(q), USED(q));
    }
    wr(VDF_CONSOLE_REG_STATUS, DRIVER_OK);
}

static void desc(unsigned q, unsigned n, uint64_t addr, uint32_t len, unsigned flags, unsigned next)
{
    poke(DESC(q) + n * 16, addr, 8);
    poke(DESC(q) + n * 16 + 8, len, 4);
    poke(DESC(q) + n * 16 + 12, flags, 2);
    poke(DESC(q) + n * 16 + 14, next, 2);
}

/* Makes a chain available and notifies. */
static void post(unsigned q, unsigned head)
{
    uint16_t idx = (uint16_t)peek(AVAIL(q) + 2, 2);

    poke(AVAIL(q) + 4 + idx % NUM * 2, head, 2);
    poke(AVAIL(q) + 2, idx + 1u, 2);
    wr(VDF_CONSOLE_REG_QUEUE_NOTIFY, q);
}

static void post_text(unsigned q, unsigned n, const char *text)
{
    size_t len = strlen(text);

    cr_assert_eq(vdf_test_pwrite(MEMORY, text, len, BUF(n)), (ssize_t)len);
    desc(q, n, BUF(n), (uint32_t)len, 0, 0);
    post(q, n);
}

static void send_control(uint32_t id, unsigned event, unsigned value)
{
    poke(BUF(7), id, 4);
    poke(BUF(7) + 4, event, 2);
    poke(BUF(7) + 6, value, 2);
    desc(3, 7, BUF(7), 8, 0, 0);
    post(3, 7);
}

static void needs_reset(const char *says)
{
    is(CON "status", "0x4f");
    cr_assert_eq(rd(VDF_CONSOLE_REG_INTERRUPT_STATUS) & VDF_CONSOLE_INT_CONFIG,
                 VDF_CONSOLE_INT_CONFIG);
    cr_assert(strstr(vdf_test_last_error(), says), "%s", vdf_test_last_error());
}

static void setup(void)
{
    vdf_test_tree(false);
    put(CON "driver", "none");
}

TestSuite(console_mmio, .init = setup, .fini = vdf_test_tree_free);

/* --- the window ------------------------------------------------------------------------------- */

Test(console_mmio, identity)
{
    cr_assert_eq(rd(VDF_CONSOLE_REG_MAGIC), 0x74726976);
    cr_assert_eq(rd(VDF_CONSOLE_REG_VERSION), 2);
    cr_assert_eq(rd(VDF_CONSOLE_REG_DEVICE_ID), 3);
    cr_assert_eq(rd(VDF_CONSOLE_REG_DEVICE_FEATURES), 0x30000007);
    wr(VDF_CONSOLE_REG_DEVICE_FEATURES_SEL, 1);
    cr_assert_eq(rd(VDF_CONSOLE_REG_DEVICE_FEATURES), 0x109);
    wr(VDF_CONSOLE_REG_DEVICE_FEATURES_SEL, 2);
    cr_assert_eq(rd(VDF_CONSOLE_REG_DEVICE_FEATURES), 0);
    cr_assert_eq(rd(VDF_CONSOLE_REG_QUEUE_NUM_MAX), 64);
    wr(VDF_CONSOLE_REG_QUEUE_SEL, 64);
    cr_assert_eq(rd(VDF_CONSOLE_REG_QUEUE_NUM_MAX), 0);
    cr_assert_eq(rd(VDF_CONSOLE_REG_SHM_LEN_LOW), UINT32_MAX);
    cr_assert_eq(rd(VDF_CONSOLE_REG_MAX_PORTS), 31);
    put(CON "size", "80 25");
    uint64_t half;
    cr_assert_eq(vdf_test_reg_read(REGS, VDF_CONSOLE_REG_COLS, 2, &half), 0);
    cr_assert_eq(half, 80);
    cr_assert_eq(vdf_test_reg_read(REGS, VDF_CONSOLE_REG_ROWS, 2, &half), 0);
    cr_assert_eq(half, 25);
    cr_assert_eq(rd(VDF_CONSOLE_REG_COLS), 80 | 25 << 16);
    put(CON "device", "rproc-serial");
    cr_assert_eq(rd(VDF_CONSOLE_REG_DEVICE_ID), 11);
}

Test(console_mmio, accesses)
{
    uint64_t value;
    uint8_t all[VDF_CONSOLE_REGS_SIZE];

    cr_assert_eq(vdf_test_reg_read(REGS, 2, 4, &value), -EOPNOTSUPP);
    cr_assert_eq(vdf_test_reg_read(REGS, 0, 1, &value), -EOPNOTSUPP);
    cr_assert_eq(vdf_test_reg_write(REGS, VDF_CONSOLE_REG_STATUS + 2, 4, 1), -EOPNOTSUPP);
    cr_assert_eq(vdf_test_reg_write(REGS, VDF_CONSOLE_REG_MAGIC, 4, 1), 0);
    cr_assert_eq(rd(VDF_CONSOLE_REG_MAGIC), 0x74726976);
    cr_assert_eq(rd(0x1fc), 0);
    cr_assert_eq(vdf_test_pread(REGS, all, sizeof(all), 0), sizeof(all));
    cr_assert_arr_eq(all, "virt", 4);
    cr_assert_eq(all[VDF_CONSOLE_REG_MAX_PORTS], 31);
    /* A hole and a register behind it: two accesses. */
    cr_assert_eq(vdf_test_pwrite(REGS, "\0\0\0\0\1\0\0\0", 8, VDF_CONSOLE_REG_STATUS - 4), 8);
    is(CON "status", "0x01");
    cr_assert_eq(vdf_test_pread(REGS, all, 4, sizeof(all)), 0);
}

Test(console_mmio, features_have_to_be_offered)
{
    negotiate(VDF_CONSOLE_F_VERSION_1 | UINT64_C(1) << 5);
    is(CON "status", "0x03");
    negotiate(VDF_CONSOLE_F_MULTIPORT);
    is(CON "status", "0x03");
    cr_assert(strstr(vdf_test_last_error(), "VERSION_1"), "%s", vdf_test_last_error());
    negotiate(VDF_CONSOLE_F_VERSION_1);
    is(CON "status", "0x0b");
    wr(VDF_CONSOLE_REG_DRIVER_FEATURES_SEL, 0);
    wr(VDF_CONSOLE_REG_DRIVER_FEATURES, 2);
    is(CON "driver_features", "0x0000000100000000");
}

Test(console_mmio, driver_ok_needs_features_ok)
{
    wr(VDF_CONSOLE_REG_STATUS, 7);
    is(CON "status", "0x03");
}

Test(console_mmio, bits_of_status_are_not_cleared)
{
    start(FEATURES);
    wr(VDF_CONSOLE_REG_STATUS, 1);
    is(CON "status", "0x0f");
    wr(VDF_CONSOLE_REG_STATUS, 0);
    is(CON "status", "0x00");
    is(CON "queues/0/ready", "0");
}

Test(console_mmio, queue_sizes)
{
    negotiate(FEATURES);
    wr(VDF_CONSOLE_REG_QUEUE_SEL, 0);
    for (unsigned k = 0; k < 3; k++) {
        wr(VDF_CONSOLE_REG_QUEUE_NUM, (const unsigned[]){ 0, 6, 128 }[k]);
        is(CON "queues/0/size", "0");
    }
    wr(VDF_CONSOLE_REG_QUEUE_NUM, 16);
    is(CON "queues/0/size", "16");
}

/* The largest size is a person's choice, and the driver inside takes what is there. */
Test(console_mmio, queue_size)
{
    struct vdf_test_file *data, *guest;

    put(CON "driver", "soft");
    refused(CON "queue_size", "128", EBUSY, "reset");
    put(CON "queue_size", "64");
    put(CON "reset", "1");
    refused(CON "queue_size", "1", EINVAL, "2 to 1024");
    refused(CON "queue_size", "96", EINVAL, "power of two");
    refused(CON "queue_size", "2048", EINVAL, "2048");
    for (unsigned size = 2; size <= 1024; size *= 2) {
        char text[16];

        snprintf(text, sizeof(text), "%u", size);
        put(CON "reset", "1");
        put(CON "queue_size", text);
        cr_assert_eq(rd(VDF_CONSOLE_REG_QUEUE_NUM_MAX), size);
        data = opened(P0 "data", O_RDWR);
        guest = opened(P0 "guest", O_RDWR);
        snprintf(text, sizeof(text), "%u", size < 64 ? size : 64);
        is(CON "queues/0/size", text);
        for (unsigned n = 0; n < 200; n++) {
            send_text(data, "down");
            got(guest, "down");
            send_text(guest, "up");
            got(data, "up");
        }
        vdf_test_close(data);
        vdf_test_close(guest);
    }
    put(CON "driver", "none");
    negotiate(FEATURES);
    wr(VDF_CONSOLE_REG_QUEUE_SEL, 0);
    wr(VDF_CONSOLE_REG_QUEUE_NUM, 1024);
    is(CON "queues/0/size", "1024");
    put(CON "reset", "1");
    put(CON "queue_size", "8");
    negotiate(FEATURES);
    wr(VDF_CONSOLE_REG_QUEUE_NUM, 16);
    is(CON "queues/0/size", "0");
    cr_assert(strstr(vdf_test_last_error(), "up to 8"), "%s", vdf_test_last_error());
}

Test(console_mmio, queue_reset)
{
    start(FEATURES | VDF_CONSOLE_F_RING_RESET);
    is(CON "queues/1/ready", "1");
    wr(VDF_CONSOLE_REG_QUEUE_SEL, 1);
    wr(VDF_CONSOLE_REG_QUEUE_RESET, 1);
    cr_assert_eq(rd(VDF_CONSOLE_REG_QUEUE_RESET), 0);
    cr_assert_eq(rd(VDF_CONSOLE_REG_QUEUE_READY), 0);
    is(CON "queues/1/desc", "0x0000000000000000");
    is(CON "queues/0/ready", "1");
}

Test(console_mmio, a_ready_queue_stands_still)
{
    start(FEATURES);
    wr(VDF_CONSOLE_REG_QUEUE_SEL, 0);
    wr(VDF_CONSOLE_REG_QUEUE_DESC_LOW, 0x9000);
    is(CON "queues/0/desc", "0x0000000000001000");
    cr_assert(strstr(vdf_test_last_error(), "while ready"), "%s", vdf_test_last_error());
}

Test(console_mmio, rings_outside_of_memory)
{
    negotiate(FEATURES);
    set_queue(0, UINT64_C(0xfffffffffffff000), AVAIL(0), USED(0));
    is(CON "status", "0x4b");
    is(CON "queues/0/ready", "0");
}

Test(console_mmio, misaligned_rings)
{
    negotiate(FEATURES);
    set_queue(0, DESC(0) + 4, AVAIL(0), USED(0));
    is(CON "status", "0x4b");
}

Test(console_mmio, a_queue_that_is_not_there)
{
    start(FEATURES);
    wr(VDF_CONSOLE_REG_QUEUE_NOTIFY, 64);
    cr_assert(strstr(vdf_test_last_error(), "there are 64"), "%s", vdf_test_last_error());
    wr(VDF_CONSOLE_REG_QUEUE_NOTIFY, UINT32_MAX);
    is(CON "status", "0x0f");
}

/* --- a driver that does it right -------------------------------------------------------------- */

Test(console_mmio, without_multiport)
{
    struct vdf_test_file *data = opened(P0 "data", O_RDWR);

    put(P0 "overflow", "hold");
    start(VDF_CONSOLE_F_VERSION_1);
    is(P0 "guest_connected", "1");
    post_text(1, 0, "hello");
    cr_assert_eq(rd(VDF_CONSOLE_REG_INTERRUPT_STATUS), 0);
    is(P0 "throttled", "1");
    got(data, "hello");
    cr_assert_eq(rd(VDF_CONSOLE_REG_INTERRUPT_STATUS), VDF_CONSOLE_INT_USED);
    cr_assert_eq(peek(USED(1) + 2, 2), 1);
    cr_assert_eq(peek(USED(1) + 4, 8), 0);
    wr(VDF_CONSOLE_REG_INTERRUPT_ACK, 1);
    cr_assert_eq(rd(VDF_CONSOLE_REG_INTERRUPT_STATUS), 0);

    cr_assert_eq(vdf_test_file_write(data, "x", 1), -EAGAIN);
    desc(0, 2, BUF(2), 4, VDF_VQ_DESC_WRITE, 0);
    post(0, 2);
    cr_assert_eq(vdf_test_file_write(data, "abcdef", 6), 4);
    cr_assert_eq(peek(USED(0) + 4, 8), UINT64_C(4) << 32 | 2);
    cr_assert_eq(peek(BUF(2), 4), 0x64636261);
    is(P0 "bytes_received", "4");
    is(P0 "bytes_sent", "5");
    vdf_test_close(data);
}

/* The driver cannot know that there is no reader. The first 64 KiB wait, the driver does not. */
Test(console_mmio, without_multiport_a_console_never_holds_the_guest)
{
    static char line[1024];
    struct vdf_test_file *data;

    memset(line, 'x', sizeof(line) - 1);
    start(VDF_CONSOLE_F_VERSION_1);
    for (unsigned n = 0; n < 100; n++)
        post_text(1, n % NUM, line);
    is(CON "queues/1/used_idx", "100");
    is(P0 "bytes_discarded", "36764");
    data = opened(P0 "data", O_RDONLY);
    cr_assert_eq(drain(data), 65536);
    is(P0 "bytes_sent", "65536");
    vdf_test_close(data);
}

Test(console_mmio, no_interrupt_when_not_wanted)
{
    struct vdf_test_file *data = opened(P0 "data", O_RDWR);

    start(VDF_CONSOLE_F_VERSION_1);
    poke(AVAIL(1), VDF_VQ_AVAIL_NO_INTERRUPT, 2);
    post_text(1, 0, "quiet");
    got(data, "quiet");
    cr_assert_eq(rd(VDF_CONSOLE_REG_INTERRUPT_STATUS), 0);
    vdf_test_close(data);
}

/* The driver hears of the entries that it has named, and says which ones the device hears of. */
Test(console_mmio, event_indices)
{
    struct vdf_test_file *data = opened(P0 "data", O_RDWR);

    start(VDF_CONSOLE_F_VERSION_1 | VDF_CONSOLE_F_EVENT_IDX);
    poke(AVAIL(1) + 4 + NUM * 2, 2, 2);
    for (unsigned n = 0; n < 2; n++) {
        post_text(1, n, "quiet");
        got(data, "quiet");
        cr_assert_eq(rd(VDF_CONSOLE_REG_INTERRUPT_STATUS), 0);
        cr_assert_eq(peek(USED(1) + 4 + NUM * 8, 2), n + 1);
    }
    post_text(1, 2, "loud");
    got(data, "loud");
    cr_assert_eq(rd(VDF_CONSOLE_REG_INTERRUPT_STATUS), VDF_CONSOLE_INT_USED);
    poke(AVAIL(0) + 4 + NUM * 2, 0, 2);
    wr(VDF_CONSOLE_REG_INTERRUPT_ACK, 1);
    desc(0, 0, BUF(0), 4, VDF_VQ_DESC_WRITE, 0);
    post(0, 0);
    send_text(data, "abcd");
    cr_assert_eq(rd(VDF_CONSOLE_REG_INTERRUPT_STATUS), VDF_CONSOLE_INT_USED);
    cr_assert_eq(peek(USED(0) + 4 + NUM * 8, 2), 1);
    vdf_test_close(data);
}

/* IN_ORDER and ACCESS_PLATFORM hold without further work. */
Test(console_mmio, features_that_can_be_offered)
{
    struct vdf_test_file *data;

    put(CON "reset", "1");
    put(CON "features", "0x0000010b30000007");
    refused(CON "features", "0x0000030b30000007", EINVAL, "can be offered");
    data = opened(P0 "data", O_RDWR);
    start(VDF_CONSOLE_F_VERSION_1 | VDF_CONSOLE_F_ACCESS_PLATFORM | VDF_CONSOLE_F_IN_ORDER);
    is(CON "status", "0x0f");
    for (unsigned n = 0; n < 20; n++) {
        post_text(1, n % NUM, "in order");
        cr_assert_eq(peek(USED(1) + 4 + n % NUM * 8, 4), n % NUM);
    }
    cr_assert_eq(drain(data), 160);
    vdf_test_close(data);
}

Test(console_mmio, nothing_before_driver_ok)
{
    struct vdf_test_file *data = opened(P0 "data", O_RDWR);

    negotiate(VDF_CONSOLE_F_VERSION_1);
    set_queue(1, DESC(1), AVAIL(1), USED(1));
    post_text(1, 0, "early");
    got(data, "-EAGAIN");
    is(CON "queues/1/last_avail", "0");
    vdf_test_close(data);
}

Test(console_mmio, messages_wait_for_buffers)
{
    struct vdf_test_file *control;

    start(FEATURES);
    control = opened(CON "control", O_RDONLY);
    drain(control);
    cr_assert_eq(vdf_test_mkdir(CON "ports/1"), 0);
    send_control(UINT32_MAX, VDF_CONSOLE_DEVICE_READY, 1);
    got(control, "< DEVICE_READY id=4294967295 value=1\n");
    desc(2, 0, BUF(0), 64, VDF_VQ_DESC_WRITE, 0);
    post(2, 0);
    got(control, "> PORT_ADD id=0 value=1\n");
    cr_assert_eq(peek(BUF(0), 8), UINT64_C(1) << 48 | UINT64_C(1) << 32);
    cr_assert_eq(peek(USED(2) + 8, 4), 8);
    /* A port that comes and goes before the driver could hear of it is never spoken of. */
    cr_assert_eq(vdf_test_rmdir(CON "ports/1"), 0);
    post(2, 0);
    got(control, "-EAGAIN");
    send_control(0, VDF_CONSOLE_PORT_READY, 1);
    got(control, "< PORT_READY id=0 value=1\n> CONSOLE_PORT id=0 value=1\n");
    /* Opened and closed without a buffer between: nothing to tell. */
    put(P0 "host_connected", "1");
    put(P0 "host_connected", "0");
    put(CON "size", "7 9");
    post(2, 0);
    got(control, "> RESIZE id=0 value=0 cols=7 rows=9\n");
    cr_assert_eq(peek(BUF(0) + 8, 4), 7 | 9 << 16);
    /* Nothing but PORT_REMOVE for one that the driver knows. */
    cr_assert_eq(vdf_test_rmdir(CON "ports/0"), 0);
    cr_assert_eq(vdf_test_mkdir(CON "ports/0"), 0);
    got(control, "-EAGAIN");
    post(2, 0);
    got(control, "> PORT_REMOVE id=0 value=1\n");
    post(2, 0);
    got(control, "> PORT_ADD id=0 value=1\n");
    vdf_test_close(control);
}

Test(console_mmio, a_port_that_the_driver_cannot_add)
{
    struct vdf_test_file *control;

    start(FEATURES);
    control = opened(CON "control", O_RDONLY);
    drain(control);
    for (unsigned n = 0; n < 4; n++) {
        desc(2, n, BUF(n), 64, VDF_VQ_DESC_WRITE, 0);
        post(2, n);
    }
    send_control(UINT32_MAX, VDF_CONSOLE_DEVICE_READY, 1);
    send_control(0, VDF_CONSOLE_PORT_READY, 0);
    drain(control);
    put(P0 "name", "unheard");
    got(control, "-EAGAIN");
    is(P0 "ready", "0");
    vdf_test_close(control);
}

/* A driver that begins again has forgotten host_connected. */
Test(console_mmio, port_open_again_after_device_ready)
{
    struct vdf_test_file *control;

    start(FEATURES);
    control = opened(CON "control", O_RDONLY);
    for (unsigned n = 0; n < 7; n++) {
        desc(2, n, BUF(n), 64, VDF_VQ_DESC_WRITE, 0);
        post(2, n);
    }
    put(P0 "host_connected", "1");
    send_control(UINT32_MAX, VDF_CONSOLE_DEVICE_READY, 1);
    send_control(0, VDF_CONSOLE_PORT_READY, 1);
    drain(control);
    send_control(UINT32_MAX, VDF_CONSOLE_DEVICE_READY, 1);
    got(control, "< DEVICE_READY id=4294967295 value=1\n> PORT_OPEN id=0 value=1\n");
    vdf_test_close(control);
}

/* Linux's driver after a suspension: no DEVICE_READY, only what it has. */
Test(console_mmio, a_driver_that_goes_on_after_a_reset)
{
    struct vdf_test_file *control;

    start(FEATURES);
    send_control(UINT32_MAX, VDF_CONSOLE_DEVICE_READY, 1);
    start(FEATURES);
    control = opened(CON "control", O_RDONLY);
    drain(control);
    put(P0 "name", "zero");
    put(P0 "host_connected", "1");
    for (unsigned n = 0; n < 7; n++) {
        desc(2, n, BUF(n), 64, VDF_VQ_DESC_WRITE, 0);
        post(2, n);
    }
    got(control, "-EAGAIN");
    put("errors", "\n");
    send_control(0, VDF_CONSOLE_PORT_READY, 1);
    got(control, "< PORT_READY id=0 value=1\n> CONSOLE_PORT id=0 value=1\n"
                 "> PORT_NAME id=0 value=1 name=zero\n> PORT_OPEN id=0 value=1\n");
    /* A port that was unplugged meanwhile, which a message says, and one that is not possible. */
    send_control(5, VDF_CONSOLE_PORT_READY, 1);
    got(control, "< PORT_READY id=5 value=1\n> PORT_REMOVE id=5 value=1\n");
    is("errors", "");
    send_control(31, VDF_CONSOLE_PORT_READY, 1);
    cr_assert(strstr(vdf_test_last_error(), "port 31, which is not there"));
    vdf_test_close(control);
}

Test(console_mmio, a_port_that_is_opened_after_a_reset)
{
    struct vdf_test_file *control;

    start(FEATURES);
    for (unsigned n = 0; n < 7; n++) {
        desc(2, n, BUF(n), 64, VDF_VQ_DESC_WRITE, 0);
        post(2, n);
    }
    control = opened(CON "control", O_RDONLY);
    drain(control);
    send_control(0, VDF_CONSOLE_PORT_OPEN, 1);
    is(P0 "ready", "1");
    is(P0 "guest_connected", "1");
    got(control, "< PORT_OPEN id=0 value=1\n> CONSOLE_PORT id=0 value=1\n");
    vdf_test_close(control);
}

/* MULTIPORT tells the driver that the host's end is closed; what it sends all the same is dropped.
 */
Test(console_mmio, data_for_a_closed_host_is_discarded)
{
    struct vdf_test_file *data;

    start(FEATURES);
    post_text(1, 0, "nobody");
    is(P0 "bytes_discarded", "6");
    is(CON "queues/1/used_idx", "1");
    cr_assert_eq(peek(USED(1) + 4, 8), 0);
    data = opened(P0 "data", O_RDWR);
    got(data, "-EAGAIN");
    post_text(1, 1, "somebody");
    got(data, "somebody");
    is(P0 "bytes_discarded", "6");
    vdf_test_close(data);
}

Test(console_mmio, data_for_a_port_that_is_not_there)
{
    start(FEATURES);
    post_text(5, 0, "lost");
    is(CON "queues/5/used_idx", "1");
    is(CON "status", "0x0f");
}

Test(console_mmio, what_a_reset_takes_away_is_counted)
{
    struct vdf_test_file *data = opened(P0 "data", O_RDWR);
    char two[2];

    put(P0 "overflow", "hold");
    for (unsigned round = 1; round < 4; round++) {
        char text[16];

        start(VDF_CONSOLE_F_VERSION_1 | VDF_CONSOLE_F_RING_RESET);
        post_text(1, 0, "abcdef");
        post_text(1, 1, "ghi");
        cr_assert_eq(vdf_test_file_read(data, two, 2), 2);
        wr(VDF_CONSOLE_REG_QUEUE_SEL, 1);
        if (round == 1)
            wr(VDF_CONSOLE_REG_STATUS, 0);
        else
            wr(round == 2 ? VDF_CONSOLE_REG_QUEUE_RESET : VDF_CONSOLE_REG_QUEUE_READY, round == 2);
        snprintf(text, sizeof(text), "%u", 7 * round);
        is(P0 "bytes_discarded", text);
        got(data, "-EAGAIN");
    }
    vdf_test_close(data);
}

Test(console_mmio, what_an_unplugged_port_takes_away_is_counted)
{
    struct vdf_test_file *data;
    char two[2];

    start(FEATURES);
    send_control(UINT32_MAX, VDF_CONSOLE_DEVICE_READY, 1);
    cr_assert_eq(vdf_test_mkdir(CON "ports/1"), 0);
    data = opened(P1 "data", O_RDWR);
    post_text(5, 0, "abcdef");
    post_text(5, 1, "ghi");
    cr_assert_eq(vdf_test_file_read(data, two, 2), 2);
    send_text(data, "wait");
    cr_assert_eq(vdf_test_rmdir(CON "ports/1"), 0);
    vdf_test_close(data);
    is(CON "bytes_discarded", "11");
    post_text(5, 2, "late");
    is(CON "bytes_discarded", "15");
    cr_assert_eq(vdf_test_rmdir(CON "ports/0"), 0);
    wr(VDF_CONSOLE_REG_EMERG_WR, 'x');
    is(CON "bytes_discarded", "16");
}

/* --- emergency output ------------------------------------------------------------------------- */

Test(console_mmio, emergency_output_at_any_time)
{
    struct vdf_test_file *data;

    for (const char *p = "help"; *p; p++)
        wr(VDF_CONSOLE_REG_EMERG_WR, 0xaabbcc00u | (unsigned char)*p);
    data = opened(P0 "data", O_RDONLY);
    cr_assert_eq(vdf_test_file_poll(data) & POLLIN, POLLIN);
    got(data, "help");
    got(data, "-EAGAIN");
    put(CON "features", "0x100000003");
    wr(VDF_CONSOLE_REG_EMERG_WR, 'x');
    got(data, "-EAGAIN");
    put(CON "features", "0x100000007");
    put(CON "dma_mem", "1");
    wr(VDF_CONSOLE_REG_EMERG_WR, 'x');
    got(data, "-EAGAIN");
    vdf_test_close(data);
}

Test(console_mmio, emergency_output_that_nobody_reads)
{
    struct vdf_test_file *data;

    for (unsigned n = 0; n < 65536 + 3; n++)
        wr(VDF_CONSOLE_REG_EMERG_WR, 'e');
    is(P0 "bytes_discarded", "3");
    data = opened(P0 "data", O_RDONLY);
    cr_assert_eq(drain(data), 65536);
    vdf_test_close(data);
}

/* --- drivers that break the rules ------------------------------------------------------------- */

static void send_bad(uint64_t addr, uint32_t len, unsigned flags, unsigned next)
{
    struct vdf_test_file *data = opened(P0 "data", O_RDWR);

    start(VDF_CONSOLE_F_VERSION_1 | VDF_CONSOLE_F_INDIRECT);
    desc(1, 0, addr, len, flags, next);
    post(1, 0);
    got(data, "-EAGAIN");
    vdf_test_close(data);
}

Test(console_mmio, bad_address)
{
    send_bad(UINT64_MAX - 3, 16, 0, 0);
    needs_reset("not in memory");
}

Test(console_mmio, bad_length)
{
    send_bad(BUF(0), UINT32_MAX, 0, 0);
    needs_reset("not in memory");
}

Test(console_mmio, empty_buffer)
{
    send_bad(BUF(0), 0, 0, 0);
    needs_reset("no bytes");
}

Test(console_mmio, chain_in_a_loop)
{
    send_bad(BUF(0), 1, VDF_VQ_DESC_NEXT, 0);
    needs_reset("loop");
}

Test(console_mmio, writable_buffer_in_a_transmit_queue)
{
    send_bad(BUF(0), 1, VDF_VQ_DESC_WRITE, 0);
    needs_reset("transmit queue");
}

Test(console_mmio, table_in_a_table)
{
    poke(BUF(0), BUF(1), 8);
    poke(BUF(0) + 8, 16, 4);
    poke(BUF(0) + 12, VDF_VQ_DESC_INDIRECT, 2);
    send_bad(BUF(0), 16, VDF_VQ_DESC_INDIRECT, 0);
    needs_reset("nested");
}

Test(console_mmio, readable_buffer_in_a_receive_queue)
{
    struct vdf_test_file *data = opened(P0 "data", O_RDWR);

    start(VDF_CONSOLE_F_VERSION_1);
    desc(0, 0, BUF(0), 16, 0, 0);
    post(0, 0);
    cr_assert_eq(vdf_test_file_write(data, "x", 1), -EAGAIN);
    needs_reset("receive queue");
    vdf_test_close(data);
}

Test(console_mmio, index_that_ran_away)
{
    start(VDF_CONSOLE_F_VERSION_1);
    poke(AVAIL(1) + 2, NUM + 1, 2);
    wr(VDF_CONSOLE_REG_QUEUE_NOTIFY, 1);
    needs_reset("available index");
    /* A queue that needs a reset is not used until it gets it. */
    poke(AVAIL(1) + 2, 0, 2);
    post_text(1, 0, "ignored");
    is(CON "queues/1/used_idx", "0");
    start(VDF_CONSOLE_F_VERSION_1);
    is(CON "status", "0x0f");
}

/* The other queues go on, and the one that was stopped does after its own reset. */
Test(console_mmio, a_bad_chain_stops_one_queue)
{
    struct vdf_test_file *data = opened(P0 "data", O_RDWR);

    start(VDF_CONSOLE_F_VERSION_1 | VDF_CONSOLE_F_RING_RESET);
    desc(0, 0, BUF(0), 16, 0, 0);
    post(0, 0);
    cr_assert_eq(vdf_test_file_write(data, "x", 1), -EAGAIN);
    needs_reset("receive queue");
    is(CON "queues/0/broken", "1");
    is(CON "queues/1/broken", "0");
    post_text(1, 0, "still alive");
    got(data, "still alive");
    cr_assert_eq(vdf_test_file_write(data, "x", 1), -EAGAIN);
    wr(VDF_CONSOLE_REG_QUEUE_SEL, 0);
    wr(VDF_CONSOLE_REG_QUEUE_RESET, 1);
    is(CON "queues/0/broken", "0");
    poke(AVAIL(0), 0, 4);
    poke(USED(0), 0, 4);
    set_queue(0, DESC(0), AVAIL(0), USED(0));
    desc(0, 0, BUF(0), 16, VDF_VQ_DESC_WRITE, 0);
    post(0, 0);
    send_text(data, "x");
    cr_assert_eq(peek(BUF(0), 1), 'x');
    vdf_test_close(data);
}

Test(console_mmio, chain_that_changes_while_it_is_read)
{
    struct vdf_test_file *data = opened(P0 "data", O_RDWR);
    char bytes[4];

    put(P0 "overflow", "hold");
    start(VDF_CONSOLE_F_VERSION_1);
    post_text(1, 0, "abcdefgh");
    cr_assert_eq(vdf_test_file_read(data, bytes, 4), 4);
    desc(1, 0, BUF(0), 3, 0, 0);
    got(data, "-EAGAIN");
    needs_reset("changed");
    vdf_test_close(data);
}

Test(console_mmio, control_messages_that_are_none)
{
    static const struct {
        unsigned event;
        const char *says;
    } bad[] = {
        { VDF_CONSOLE_PORT_ADD, "only DEVICE_READY" },
        { VDF_CONSOLE_RESIZE, "only DEVICE_READY" },
        { 4711, "only DEVICE_READY" },
        { VDF_CONSOLE_PORT_OPEN, "not there" },
        { VDF_CONSOLE_PORT_READY, "not there" },
    };

    start(FEATURES);
    send_control(UINT32_MAX, VDF_CONSOLE_DEVICE_READY, 1);
    for (size_t k = 0; k < sizeof(bad) / sizeof(bad[0]); k++) {
        send_control(9, bad[k].event, 1);
        cr_assert(strstr(vdf_test_last_error(), bad[k].says), "%s", vdf_test_last_error());
    }
    desc(3, 0, BUF(0), 7, 0, 0);
    post(3, 0);
    cr_assert(strstr(vdf_test_last_error(), "7 bytes"), "%s", vdf_test_last_error());
    is(CON "status", "0x0f");
    /* A port that is closed while it is pulled out. */
    put("errors", "\n");
    send_control(9, VDF_CONSOLE_PORT_OPEN, 0);
    is("errors", "");
    is(CON "status", "0x0f");
}

Test(console_mmio, control_buffer_that_is_too_small)
{
    start(FEATURES);
    desc(2, 0, BUF(0), 7, VDF_VQ_DESC_WRITE, 0);
    post(2, 0);
    send_control(UINT32_MAX, VDF_CONSOLE_DEVICE_READY, 1);
    needs_reset("buffer of 7 bytes");
}

/* A driver that did not negotiate MULTIPORT: its only port stays, or is there when it is made. */
Test(console_mmio, the_port_of_a_driver_without_multiport)
{
    struct vdf_test_file *data;

    start(VDF_CONSOLE_F_VERSION_1);
    is(P0 "ready", "1");
    cr_assert_eq(vdf_test_rmdir(CON "ports/0"), -EBUSY);
    cr_assert_eq(vdf_test_mkdir(CON "ports/1"), 0);
    is(P1 "ready", "0");
    is(P1 "guest_connected", "0");
    cr_assert_eq(vdf_test_rmdir(CON "ports/1"), 0);

    put(CON "reset", "1");
    cr_assert_eq(vdf_test_rmdir(CON "ports/0"), 0);
    start(VDF_CONSOLE_F_VERSION_1);
    desc(0, 0, BUF(0), 16, VDF_VQ_DESC_WRITE, 0);
    post(0, 0);
    cr_assert_eq(vdf_test_mkdir(CON "ports/0"), 0);
    is(P0 "ready", "1");
    is(P0 "guest_connected", "1");
    data = opened(P0 "data", O_RDWR);
    send_text(data, "down");
    cr_assert_eq(peek(USED(0) + 2, 2), 1);
    cr_assert_eq(peek(BUF(0), 4), 0x6e776f64);
    vdf_test_close(data);
}

/* Status has eight bits: with none of them set the device is reset, and the driver inside is as
 * much out of work as with a plain 0. */
Test(console_mmio, a_reset_through_the_register_ends_the_soft_driver)
{
    for (uint32_t value = 0; value <= 0x100; value += 0x100) {
        put(CON "driver", "soft");
        is(CON "status", "0x0f");
        wr(VDF_CONSOLE_REG_STATUS, value);
        is(CON "status", "0x00");
        vdf_test_close(opened(P0 "guest", O_RDWR));
        is(CON "status", "0x0f");
    }
}

Test(console_mmio, scribbling_under_the_soft_driver)
{
    static uint8_t noise[256 * 1024];
    struct vdf_test_file *data, *guest;
    struct vdf_random random = vdf_random_begin("scribbling_under_the_soft_driver", 1);

    for (unsigned round = 0; round < 40; round++) {
        put(CON "driver", "none");
        put(CON "driver", "soft");
        data = opened(P0 "data", O_RDWR | O_NONBLOCK);
        guest = opened(P0 "guest", O_RDWR | O_NONBLOCK);
        for (size_t k = 0; k < sizeof(noise); k++)
            noise[k] = vdf_random_below(&random, 4) ? 0 : (uint8_t)vdf_random_next(&random);
        cr_assert_gt(vdf_test_pwrite(MEMORY, noise, sizeof(noise), 0x1000 + round * 1024), 0);
        for (unsigned k = 0; k < 20; k++) {
            vdf_test_file_write(data, "abc", 3);
            vdf_test_file_write(guest, "abc", 3);
            got_text(data);
            got_text(guest);
            vdf_test_write(P0 "host_connected", k % 2 ? "1" : "0");
        }
        vdf_test_close(data);
        vdf_test_close(guest);
    }
    put(CON "reset", "1");
    put(CON "driver", "soft");
    is(CON "status", "0x0f");
}
