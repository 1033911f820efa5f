/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The DMA pool: the feature DMA_MEM, rproc-serial, and drivers that leave the pool. */
#include "test_console.h"

static void setup(void)
{
    vdf_test_tree(false);
    put(CON "reset", "1");
}

TestSuite(console_dma, .init = setup, .fini = vdf_test_tree_free);

static unsigned lines_with(const char *path, const char *word)
{
    const char *at = vdf_test_read(path);
    unsigned n = 0;

    while ((at = strstr(at, word))) {
        n++;
        at += strlen(word);
    }
    return n;
}

static void reg(unsigned offset, uint32_t value)
{
    cr_assert_eq(vdf_test_reg_write(CON "regs", offset, 4, value), 0);
}

/* Everything that the driver uses lies in the pool. */
Test(console_dma, dma_mem)
{
    struct vdf_test_file *data, *guest;

    put(CON "dma_mem", "1");
    is(CON "features", "0x0000010930000007");
    is(CON "dma/used", "0");
    is(CON "dma/addr", "0x0000000000e00000");
    data = opened(P0 "data", O_RDWR);
    guest = opened(P0 "guest", O_RDWR);
    is(CON "driver_features", "0x0000000110000007");
    is(CON "queues/0/desc", "0x0000000000e00000");
    /* 64 rings, the control buffer, 64 buffers each for control and port 0. */
    is(CON "dma/used", "790528");
    cr_assert_eq(lines_with(CON "dma/buffers", " ring"), 64);
    cr_assert_eq(lines_with(CON "dma/buffers", " control"), 1);
    cr_assert_eq(lines_with(CON "dma/buffers", " receive"), 128);
    send_text(data, "down");
    got(guest, "down");
    send_text(guest, "up");
    cr_assert_eq(lines_with(CON "dma/buffers", " transmit"), 1);
    got(data, "up");
    is(CON "dma/violations", "0");
    vdf_test_close(data);
    vdf_test_close(guest);
}

Test(console_dma, without_the_feature_the_pool_is_not_used)
{
    put(CON "dma_mem", "1");
    put(CON "features", "0x100000003");
    put(CON "driver", "soft");
    is(CON "status", "0x0f");
    is(CON "dma/used", "0");
    is(CON "queues/0/desc", "0x0000000000001000");
}

Test(console_dma, rproc_serial)
{
    struct vdf_test_file *data, *guest;

    put(CON "device", "rproc-serial");
    is(CON "features", "0x0000010930000000");
    is(P0 "console", "0");
    refused(P0 "console", "1", EINVAL, "never");
    refused(CON "dma_mem", "1", EINVAL, "always");
    refused(CON "features", "0x100000001", EINVAL, "offered");
    guest = opened(P0 "guest", O_RDWR);
    is(CON "status", "0x0f");
    is(CON "driver_features", "0x0000000110000000");
    /* The remote processor is taken to be there: no end has to be open. */
    send_text(guest, "boot");
    vdf_test_close(guest);
    data = opened(P0 "data", O_RDWR);
    got(data, "boot");
    /* Input is accepted while the port is closed. */
    send_text(data, "input");
    is(P0 "bytes_discarded", "0");
    guest = opened(P0 "guest", O_RDWR);
    got(guest, "input");
    vdf_test_close(data);
    vdf_test_close(guest);
    cr_assert_eq(vdf_test_mkdir(CON "ports/1"), -EOPNOTSUPP);
}

Test(console_dma, rproc_serial_has_one_port)
{
    cr_assert_eq(vdf_test_mkdir(CON "ports/1"), 0);
    refused(CON "device", "rproc-serial", EBUSY, "port 0");
    cr_assert_eq(vdf_test_rmdir(CON "ports/1"), 0);
    put(CON "device", "rproc-serial");
    put(CON "device", "console");
    is(P0 "console", "1");
    is(CON "features", "0x0000010930000007");
}

/* reclaim_consumed_buffers cannot free coherent memory; the next allocation or close does. */
Test(console_dma, pending_free_list)
{
    struct vdf_test_file *data, *guest;
    uint64_t before;

    put(CON "device", "rproc-serial");
    data = opened(P0 "data", O_RDWR);
    guest = opened(P0 "guest", O_RDWR);
    before = vdf_test_read_u64(CON "dma/used");
    send_text(guest, "one");
    cr_assert_eq(vdf_test_read_u64(CON "dma/used"), before + 4096);
    got(data, "one");
    /* Used, and not yet looked at by the driver. */
    cr_assert_eq(lines_with(CON "dma/buffers", " transmit"), 1);
    vdf_test_close(opened(P0 "guest", O_RDWR));
    vdf_test_close(guest);
    cr_assert_eq(lines_with(CON "dma/buffers", " transmit"), 0);
    cr_assert_eq(lines_with(CON "dma/buffers", " pending"), 0);
    cr_assert_eq(vdf_test_read_u64(CON "dma/used"), before);

    guest = opened(P0 "guest", O_RDWR);
    for (unsigned n = 0; n < 64; n++)
        send_text(guest, "full");
    cr_assert_eq(vdf_test_file_write(guest, "x", 1), -EAGAIN);
    cr_assert_eq(drain(data), 256);
    /* The next writer reclaims 64 buffers to the list, and its allocation empties that. */
    send_text(guest, "two");
    cr_assert_eq(lines_with(CON "dma/buffers", " pending"), 0);
    cr_assert_eq(vdf_test_read_u64(CON "dma/used"), before + 4096);
    vdf_test_close(data);
    vdf_test_close(guest);
}

Test(console_dma, pending_until_the_next_allocation)
{
    struct vdf_test_file *data, *guest;

    put(CON "dma_mem", "1");
    cr_assert_eq(vdf_test_mkdir(CON "ports/1"), 0);
    data = opened(P1 "data", O_RDWR);
    guest = opened(P1 "guest", O_RDWR);
    send_text(guest, "abc");
    got(data, "abc");
    /* PORT_OPEN reclaims, in a handler that may not sleep. */
    put(P1 "host_connected", "0");
    cr_assert_eq(lines_with(CON "dma/buffers", " transmit"), 0);
    cr_assert_eq(lines_with(CON "dma/buffers", " 3 pending"), 1);
    put(P1 "host_connected", "1");
    send_text(guest, "de");
    cr_assert_eq(lines_with(CON "dma/buffers", " pending"), 0);
    vdf_test_close(data);
    vdf_test_close(guest);
}

Test(console_dma, a_pool_that_is_too_small)
{
    int error = 0;
    struct vdf_test_file *guest;

    put(CON "device", "rproc-serial");
    put(CON "dma/size", "8192");
    cr_assert_null(vdf_test_open(P0 "guest", O_RDWR, &error));
    cr_assert_eq(error, -ENODEV);
    put(CON "reset", "1");
    /* Rings and 2 buffers: what is sent finds no room. */
    put(CON "dma/size", "16384");
    guest = opened(P0 "guest", O_RDWR);
    is(CON "dma/used", "16384");
    is(CON "queues/0/avail_idx", "2");
    cr_assert_eq(vdf_test_file_write(guest, "x", 1), -ENOMEM);
    vdf_test_close(guest);
}

/* A driver by hand whose rings are in the pool and whose buffer is not. */
Test(console_dma, a_buffer_outside_of_the_pool)
{
    static const uint64_t pool = 0xe00000;
    struct vdf_test_file *data;
    uint64_t word;
    uint16_t idx = htole16(2);

    put(CON "driver", "none");
    put(CON "device", "rproc-serial");
    data = opened(P0 "data", O_RDWR);
    reg(VDF_CONSOLE_REG_STATUS, 3);
    reg(VDF_CONSOLE_REG_DRIVER_FEATURES_SEL, 1);
    reg(VDF_CONSOLE_REG_DRIVER_FEATURES, 1);
    reg(VDF_CONSOLE_REG_STATUS, 0x0b);
    reg(VDF_CONSOLE_REG_QUEUE_SEL, 1);
    reg(VDF_CONSOLE_REG_QUEUE_NUM, 8);
    reg(VDF_CONSOLE_REG_QUEUE_DESC_LOW, pool);
    reg(VDF_CONSOLE_REG_QUEUE_DRIVER_LOW, pool + 0x400);
    reg(VDF_CONSOLE_REG_QUEUE_DEVICE_LOW, pool + 0x800);
    reg(VDF_CONSOLE_REG_QUEUE_READY, 1);
    reg(VDF_CONSOLE_REG_STATUS, 0x0f);
    is(CON "queues/1/ready", "1");

    /* Descriptor 0 below the pool, descriptor 1 in it. */
    word = htole64(0x1000);
    vdf_test_pwrite(CON "memory", &word, 8, pool);
    word = htole64(4);
    vdf_test_pwrite(CON "memory", &word, 8, pool + 8);
    word = htole64(pool + 0x1000);
    vdf_test_pwrite(CON "memory", &word, 8, pool + 16);
    word = htole64(2);
    vdf_test_pwrite(CON "memory", &word, 8, pool + 24);
    vdf_test_pwrite(CON "memory", "\0\0\1\0", 4, pool + 0x404);
    vdf_test_pwrite(CON "memory", &idx, 2, pool + 0x402);
    vdf_test_pwrite(CON "memory", "ok", 2, pool + 0x1000);
    reg(VDF_CONSOLE_REG_QUEUE_NOTIFY, 1);

    is(CON "dma/violations", "1");
    cr_assert(strstr(vdf_test_last_error(), "EIO"), "%s", vdf_test_last_error());
    is(CON "status", "0x0f");
    is(CON "queues/1/used_idx", "1");
    got(data, "ok");
    vdf_test_close(data);
}

Test(console_dma, a_ring_outside_of_the_pool)
{
    put(CON "driver", "none");
    put(CON "device", "rproc-serial");
    reg(VDF_CONSOLE_REG_STATUS, 3);
    reg(VDF_CONSOLE_REG_DRIVER_FEATURES_SEL, 1);
    reg(VDF_CONSOLE_REG_DRIVER_FEATURES, 1);
    reg(VDF_CONSOLE_REG_STATUS, 0x0b);
    reg(VDF_CONSOLE_REG_QUEUE_SEL, 0);
    reg(VDF_CONSOLE_REG_QUEUE_NUM, 8);
    reg(VDF_CONSOLE_REG_QUEUE_DESC_LOW, 0x1000);
    reg(VDF_CONSOLE_REG_QUEUE_DRIVER_LOW, 0xe00400);
    reg(VDF_CONSOLE_REG_QUEUE_DEVICE_LOW, 0xe00800);
    reg(VDF_CONSOLE_REG_QUEUE_READY, 1);
    is(CON "dma/violations", "1");
    is(CON "status", "0x4b");
    is(CON "queues/0/ready", "0");
}
