/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A console's state in the middle of traffic: byte for byte, and going on as if nothing had been.
 */
#include "test_console.h"
#include "tests/random.h"

static char *saved;

static void setup(void)
{
    vdf_test_tree(false);
}

static void teardown(void)
{
    free(saved);
    vdf_test_tree_free();
}

TestSuite(console_state, .init = setup, .fini = teardown);

/* vdf_test_read() cuts the final newline off. */
static char *state_of(const char *path)
{
    const char *text = vdf_test_read(path);
    char *copy = malloc(strlen(text) + 2);

    cr_assert(*text == 'v', "%.40s", text);
    strcpy(copy, text);
    strcat(copy, "\n");
    return copy;
}

static void save(void)
{
    free(saved);
    saved = state_of(CON "state");
}

static void same_as_saved(const char *path)
{
    char *now = state_of(path);
    size_t k = 0;

    while (saved[k] && saved[k] == now[k])
        k++;
    cr_assert(!saved[k] && !now[k], "differs at %zu: %.80s | %.80s", k, saved + k, now + k);
    free(now);
}

/* Into a fresh tree, which then has the same state. */
static void restore_fresh(void)
{
    vdf_test_tree_free();
    vdf_test_tree(false);
    put(CON "state", saved);
    same_as_saved(CON "state");
}

static void round_trip(void)
{
    save();
    put(CON "state", saved);
    same_as_saved(CON "state");
    restore_fresh();
}

/* @line replaced by @with, unsigned. */
static int edited(const char *line, const char *with)
{
    const char *at = strstr(saved, line), *end;
    char *text = malloc(strlen(saved) + strlen(with) + 64);
    int ret;

    cr_assert(at, "%s", line);
    end = strstr(saved, "checksum = ");
    sprintf(text, "%.*s%s%.*schecksum = none\n", (int)(at - saved), saved, with,
            (int)(end - at - (ptrdiff_t)strlen(line)), at + strlen(line));
    ret = vdf_test_write(CON "state", text);
    free(text);
    return ret;
}

/* A state from before the files were opened is restored byte for byte. A use of a file then connects
 * its end of the port. */
Test(console_state, open_files_go_on_after_a_restore)
{
    struct vdf_test_file *data, *guest;

    cr_assert_eq(vdf_test_mkdir(CON "ports/1"), 0);
    save();
    data = opened(P1 "data", O_RDWR);
    guest = opened(P1 "guest", O_RDWR);
    put(CON "state", saved);
    same_as_saved(CON "state");

    got(guest, "-EAGAIN");
    is(P1 "guest_connected", "1");
    cr_assert_eq(vdf_test_file_write(guest, "early", 5), -EAGAIN);
    got(data, "-EAGAIN");
    is(P1 "host_connected", "1");
    send_text(guest, "up");
    got(data, "up");
    send_text(data, "down");
    got(guest, "down");

    /* The written value of host_connected holds. */
    put(CON "state", saved);
    put(P1 "host_connected", "0");
    got(data, "-EAGAIN");
    is(P1 "host_connected", "0");
    vdf_test_close(data);
    vdf_test_close(guest);
}

Test(console_state, default_device)
{
    struct vdf_test_file *data, *guest;

    round_trip();
    data = opened(P0 "data", O_RDWR);
    guest = opened(P0 "guest", O_RDWR);
    send_text(data, "down");
    send_text(guest, "up");
    got(data, "up");
    got(guest, "down");
    vdf_test_close(data);
    vdf_test_close(guest);
    round_trip();
}

Test(console_state, unused_and_driverless)
{
    put(CON "reset", "1");
    round_trip();
    is(CON "status", "0x00");
    put(CON "driver", "none");
    put(CON "max_ports", "3");
    put(CON "memory_size", "0x40000000");
    round_trip();
}

Test(console_state, settings)
{
    put(CON "reset", "1");
    put(CON "memory_size", "0x300000");
    put(CON "dma/size", "0x200000");
    put(CON "max_ports", "5");
    put(CON "dma_mem", "1");
    put(CON "features", "0x100000006");
    put(CON "resize_order", "rows-cols");
    put(CON "size", "120 30");
    cr_assert_eq(vdf_test_mkdir(CON "ports/4"), 0);
    put(CON "ports/4/name", "a \\ name");
    put(CON "ports/4/size", "1 2");
    round_trip();
    is(CON "memory_size", "3145728");
    is(CON "dma/addr", "0x0000000000100000");
    is(CON "features", "0x0000000100000006");
    is(CON "resize_order", "rows-cols");
    is(CON "size", "120 30");
    is(CON "ports/4/name", "a \\ name");
    is(CON "ports/4/size", "1 2");
    is(CON "driver", "soft");
}

/* Half-read on both sides, throttled, waiting: saved, and then the two ends go on. */
static void traffic(void)
{
    struct vdf_test_file *data, *guest;
    char bytes[3];

    cr_assert_eq(vdf_test_mkdir(CON "ports/1"), 0);
    cr_assert_eq(vdf_test_mkdir(CON "ports/2"), 0);
    put(P1 "name", "one");
    data = opened(P1 "data", O_RDWR);
    guest = opened(P1 "guest", O_RDWR);
    send_text(guest, "abcdef");
    send_text(guest, "ghijkl");
    send_text(data, "123456");
    send_text(data, "789");
    cr_assert_eq(vdf_test_file_read(data, bytes, 2), 2);
    cr_assert_eq(vdf_test_file_read(guest, bytes, 3), 3);
    save();
    vdf_test_close(data);
    vdf_test_close(guest);
    /* Bytes that wait for a guest that has not opened its end. */
    data = opened(CON "ports/2/data", O_RDWR);
    send_text(data, "waiting\n");
    vdf_test_close(data);
    cr_assert_eq(vdf_test_reg_write(CON "regs", VDF_CONSOLE_REG_EMERG_WR, 4, '!'), 0);
}

static void goes_on(void)
{
    struct vdf_test_file *data, *guest;

    is(P1 "name", "one");
    is(P1 "host_connected", "1");
    is(P1 "guest_connected", "1");
    is(P1 "throttled", "1");
    is(P1 "bytes_received", "6");
    is(P1 "bytes_sent", "12");
    is(CON "queues/5/used_idx", "0");
    data = opened(P1 "data", O_RDWR);
    guest = opened(P1 "guest", O_RDWR);
    got(data, "cdefghijkl");
    got(guest, "456");
    got(guest, "789");
    got(guest, "-EAGAIN");
    is(CON "queues/5/used_idx", "2");
    is(P1 "bytes_received", "9");
    for (unsigned n = 0; n < 200; n++) {
        send_text(guest, "more");
        got(data, "more");
        send_text(data, "back");
        got(guest, "back");
    }
    vdf_test_close(data);
    vdf_test_close(guest);
}

Test(console_state, half_read_elements)
{
    traffic();
    restore_fresh();
    goes_on();
}

/* The restored device and the one that went on end up the same. */
Test(console_state, the_restored_device_is_the_saved_one)
{
    char *expected;

    traffic();
    put(CON "state", saved);
    goes_on();
    expected = state_of(CON "state");
    restore_fresh();
    goes_on();
    free(saved);
    saved = expected;
    same_as_saved(CON "state");
}

Test(console_state, waiting_bytes)
{
    struct vdf_test_file *data, *guest;

    traffic();
    round_trip();
    guest = opened(CON "ports/2/guest", O_RDWR);
    got(guest, "waiting\n");
    vdf_test_close(guest);
    data = opened(P0 "data", O_RDONLY);
    got(data, "!");
    vdf_test_close(data);
}

/* Files that are open over a restore stay, with their counts. */
Test(console_state, open_files_stay)
{
    struct vdf_test_file *data, *guest;

    cr_assert_eq(vdf_test_mkdir(CON "ports/1"), 0);
    data = opened(P1 "data", O_RDWR);
    guest = opened(P1 "guest", O_RDWR);
    send_text(guest, "before");
    save();
    got(data, "before");
    put(CON "state", saved);
    got(data, "before");
    vdf_test_close(data);
    is(P1 "host_connected", "0");
    vdf_test_close(guest);
    is(P1 "guest_connected", "0");
}

Test(console_state, ports_come_and_go)
{
    cr_assert_eq(vdf_test_mkdir(CON "ports/7"), 0);
    cr_assert_eq(vdf_test_rmdir(CON "ports/0"), 0);
    save();
    cr_assert_eq(vdf_test_rmdir(CON "ports/7"), 0);
    cr_assert_eq(vdf_test_mkdir(CON "ports/9"), 0);
    put(CON "state", saved);
    same_as_saved(CON "state");
    cr_assert(vdf_test_exists(CON "ports/7"));
    cr_assert_not(vdf_test_exists(CON "ports/9"));
    cr_assert_not(vdf_test_exists(CON "ports/0"));
    cr_assert_eq(vdf_test_mkdir(CON "ports/0"), 0);
    is(P0 "guest_connected", "1");
}

Test(console_state, pool_and_pending_list)
{
    struct vdf_test_file *data, *guest;
    char *buffers;

    put(CON "reset", "1");
    put(CON "dma_mem", "1");
    cr_assert_eq(vdf_test_mkdir(CON "ports/1"), 0);
    data = opened(P1 "data", O_RDWR);
    guest = opened(P1 "guest", O_RDWR);
    send_text(guest, "abc");
    got(data, "abc");
    put(P1 "host_connected", "0");
    put(P1 "host_connected", "1");
    send_text(data, "xyz");
    cr_assert(strstr(vdf_test_read(CON "dma/buffers"), " pending"));
    buffers = strdup(vdf_test_read(CON "dma/buffers"));
    vdf_test_close(data);
    save();
    vdf_test_close(guest);
    restore_fresh();
    is(CON "dma/buffers", buffers);
    free(buffers);
    data = opened(P1 "data", O_RDWR);
    guest = opened(P1 "guest", O_RDWR);
    got(guest, "xyz");
    send_text(guest, "def");
    cr_assert_not(strstr(vdf_test_read(CON "dma/buffers"), " pending"));
    got(data, "def");
    vdf_test_close(data);
    vdf_test_close(guest);
}

Test(console_state, rproc_serial)
{
    struct vdf_test_file *data, *guest;

    put(CON "reset", "1");
    put(CON "device", "rproc-serial");
    guest = opened(P0 "guest", O_RDWR);
    send_text(guest, "kept");
    vdf_test_close(guest);
    round_trip();
    data = opened(P0 "data", O_RDWR);
    got(data, "kept");
    vdf_test_close(data);
}

/* Control messages that wait for the driver's buffers, and a removal that it has not heard of. */
Test(console_state, pending_control_messages)
{
    struct vdf_test_file *control;
    uint64_t word;

    put(CON "driver", "none");
    for (unsigned k = 0; k < 2; k++)
        cr_assert_eq(vdf_test_reg_write(CON "regs", VDF_CONSOLE_REG_STATUS, 4, k * 2 + 1), 0);
    vdf_test_reg_write(CON "regs", VDF_CONSOLE_REG_DRIVER_FEATURES, 4, 2);
    vdf_test_reg_write(CON "regs", VDF_CONSOLE_REG_DRIVER_FEATURES_SEL, 4, 1);
    vdf_test_reg_write(CON "regs", VDF_CONSOLE_REG_DRIVER_FEATURES, 4, 1);
    vdf_test_reg_write(CON "regs", VDF_CONSOLE_REG_STATUS, 4, 0x0b);
    for (unsigned q = 2; q < 4; q++) {
        vdf_test_reg_write(CON "regs", VDF_CONSOLE_REG_QUEUE_SEL, 4, q);
        vdf_test_reg_write(CON "regs", VDF_CONSOLE_REG_QUEUE_NUM, 4, 8);
        vdf_test_reg_write(CON "regs", VDF_CONSOLE_REG_QUEUE_DESC_LOW, 4, q * 0x1000);
        vdf_test_reg_write(CON "regs", VDF_CONSOLE_REG_QUEUE_DRIVER_LOW, 4, q * 0x1000 + 0x400);
        vdf_test_reg_write(CON "regs", VDF_CONSOLE_REG_QUEUE_DEVICE_LOW, 4, q * 0x1000 + 0x800);
        vdf_test_reg_write(CON "regs", VDF_CONSOLE_REG_QUEUE_READY, 4, 1);
    }
    vdf_test_reg_write(CON "regs", VDF_CONSOLE_REG_STATUS, 4, 0x0f);
    /* DEVICE_READY and PORT_READY 0 from descriptors 0 and 1 of the control transmit queue. */
    for (unsigned k = 0; k < 2; k++) {
        word = htole64(0x8000 + k * 8);
        vdf_test_pwrite(CON "memory", &word, 8, 0x3000 + k * 16);
        word = htole64(8);
        vdf_test_pwrite(CON "memory", &word, 8, 0x3008 + k * 16);
        word = htole64(k ? UINT64_C(0x0001000300000000) : UINT64_C(0x00010000ffffffff));
        vdf_test_pwrite(CON "memory", &word, 8, 0x8000 + k * 8);
    }
    word = htole64(UINT64_C(2) << 16 | UINT64_C(1) << 48);
    vdf_test_pwrite(CON "memory", &word, 8, 0x3400);
    vdf_test_reg_write(CON "regs", VDF_CONSOLE_REG_QUEUE_NOTIFY, 4, 3);
    is(P0 "ready", "1");
    cr_assert_eq(vdf_test_rmdir(CON "ports/0"), 0);
    cr_assert_eq(vdf_test_mkdir(CON "ports/0"), 0);
    round_trip();

    /* Two buffers: the removal, then the new port. */
    control = opened(CON "control", O_RDONLY);
    drain(control);
    for (unsigned k = 0; k < 2; k++) {
        word = htole64(0x9000 + k * 64);
        vdf_test_pwrite(CON "memory", &word, 8, 0x2000 + k * 16);
        word = htole64(64 | UINT64_C(2) << 32);
        vdf_test_pwrite(CON "memory", &word, 8, 0x2008 + k * 16);
    }
    word = htole64(UINT64_C(2) << 16 | UINT64_C(1) << 48);
    vdf_test_pwrite(CON "memory", &word, 8, 0x2400);
    vdf_test_reg_write(CON "regs", VDF_CONSOLE_REG_QUEUE_NOTIFY, 4, 2);
    got(control, "> PORT_REMOVE id=0 value=1\n> PORT_ADD id=0 value=1\n");
    vdf_test_close(control);
    round_trip();
}

/* Unread data of a console outlives a save. An older state has no such line. */
Test(console_state, unread_output)
{
    struct vdf_test_file *data = opened(P0 "data", O_RDWR), *guest = opened(P0 "guest", O_RDWR);

    send_text(guest, "kept");
    save();
    vdf_test_close(data);
    vdf_test_close(guest);
    restore_fresh();
    is(P0 "host_connected", "1");
    data = opened(P0 "data", O_RDWR);
    got(data, "kept");
    vdf_test_close(data);
    /* As saved by a daemon that had no such line. */
    cr_assert_eq(edited("unread = 6b657074\n", ""), 0, "%s", vdf_test_last_error());
    data = opened(P0 "data", O_RDWR);
    got(data, "-EAGAIN");
    vdf_test_close(data);
}

/* A device that stopped with a chain half read is saved and restored like any other. */
Test(console_state, needs_reset)
{
    struct vdf_test_file *data, *guest;
    char byte;
    uint16_t far = htole16(1000);

    data = opened(P0 "data", O_RDWR);
    guest = opened(P0 "guest", O_RDWR);
    put(P0 "overflow", "hold");
    send_text(guest, "abc");
    cr_assert_eq(vdf_test_file_read(data, &byte, 1), 1);
    /* The available index of queue 0 runs away. */
    vdf_test_pwrite(CON "memory", &far, 2, vdf_test_read_u64(CON "queues/0/driver") + 2);
    cr_assert_eq(vdf_test_file_write(data, "x", 1), -EAGAIN);
    is(CON "status", "0x4f");
    vdf_test_close(data);
    vdf_test_close(guest);
    round_trip();
    is(CON "status", "0x4f");
}

static struct vdf_random random_state;

static unsigned below(unsigned n)
{
    return vdf_random_below(&random_state, n);
}

/* A running byte in each direction: what comes out has to go on where it left off. */
static unsigned send_some(struct vdf_test_file *file, unsigned at)
{
    static uint8_t bytes[40000];
    size_t n = 1 + below(below(4) ? 100 : sizeof(bytes));
    ssize_t sent;

    for (size_t k = 0; k < n; k++)
        bytes[k] = (uint8_t)((at + k) % 251);
    sent = vdf_test_file_write(file, bytes, n);
    cr_assert(sent > 0 || sent == -EAGAIN, "%zd", sent);
    return sent > 0 ? (at + (unsigned)sent) % 251 : at;
}

static unsigned take_some(struct vdf_test_file *file, unsigned at)
{
    static uint8_t bytes[40000];
    ssize_t got = vdf_test_file_read(file, bytes, 1 + below(sizeof(bytes)));

    cr_assert(got > 0 || got == -EAGAIN, "%zd", got);
    for (ssize_t k = 0; k < got; k++)
        cr_assert_eq(bytes[k], (at + (unsigned)k) % 251);
    return got > 0 ? (at + (unsigned)got) % 251 : at;
}

Test(console_state, restores_among_random_traffic)
{
    struct vdf_test_file *data, *guest;
    unsigned up_in = 0, up_out = 0, down_in = 0, down_out = 0;

    random_state = vdf_random_begin("restores_among_random_traffic", 1);
    put(CON "reset", "1");
    put(CON "memory_size", "0x400000");
    put(CON "max_ports", "2");
    put(CON "dma_mem", "1");
    put(P0 "overflow", "hold");
    data = opened(P0 "data", O_RDWR);
    guest = opened(P0 "guest", O_RDWR);
    for (unsigned n = 0; n < 3000; n++) {
        switch (below(6)) {
        case 0:
            up_in = send_some(guest, up_in);
            break;
        case 1:
            up_out = take_some(data, up_out);
            break;
        case 2:
            down_in = send_some(data, down_in);
            break;
        case 3:
            down_out = take_some(guest, down_out);
            break;
        case 4:
            put(P0 "host_connected", below(2) ? "1" : "0");
            break;
        default:
            if (below(20))
                break;
            save();
            put(CON "state", saved);
            same_as_saved(CON "state");
            break;
        }
    }
    put(P0 "host_connected", "1");
    for (unsigned n = 0; n < 200; n++) {
        up_out = take_some(data, up_out);
        down_out = take_some(guest, down_out);
    }
    cr_assert_eq(up_in, up_out);
    cr_assert_eq(down_in, down_out);
    is(CON "status", "0x0f");
    is(P0 "bytes_discarded", "0");
    is(CON "dma/violations", "0");
    vdf_test_close(data);
    vdf_test_close(guest);
}

/* A guest's end that is open while a state says that it is closed. */
Test(console_state, open_over_a_closed_state)
{
    struct vdf_test_file *data, *guest;

    cr_assert_eq(vdf_test_mkdir(CON "ports/1"), 0);
    put(P1 "host_connected", "1");
    save();
    guest = opened(P1 "guest", O_RDWR);
    is(P1 "guest_connected", "1");
    put(CON "state", saved);
    same_as_saved(CON "state");
    is(P1 "guest_connected", "0");
    send_text(guest, "here");
    is(P1 "guest_connected", "1");
    data = opened(P1 "data", O_RDWR);
    got(data, "here");
    vdf_test_close(data);
    vdf_test_close(guest);
}

/* --- hostile ---------------------------------------------------------------------------------- */

static void refused_edit(const char *line, const char *with)
{
    char *before = state_of(CON "state");

    cr_assert_lt(edited(line, with), 0, "%s -> %s", line, with);
    cr_assert(strstr(vdf_test_last_error(), "line ") || strstr(vdf_test_last_error(), "[console"),
              "%s", vdf_test_last_error());
    free(saved);
    saved = before;
    same_as_saved(CON "state");
}

Test(console_state, nonsense_is_refused)
{
    traffic();
    save();
    refused_edit("device = console\n", "device = rproc-serial\n");
    refused_edit("features = 0x0000010930000007", "features = 0x0000010930000017");
    refused_edit("memory_size = 16777216", "memory_size = 4096");
    refused_edit("memory_size = 16777216", "memory_size = 3145728");
    refused_edit("dma/size = 2097152", "dma/size = 16777216");
    refused_edit("max_ports = 31", "max_ports = 1");
    refused_edit("max_ports = 31", "max_ports = 30");
    refused_edit("driver = soft", "driver = none");
    refused_edit("driver = soft", "driver = vm");
    refused_edit("queues/0/size = 64", "queues/0/size = 63");
    refused_edit("queues/0/size = 64", "queues/0/size = 128");
    refused_edit("queues/0/desc = 0x0000000000001000", "queues/0/desc = 0xffffffffffffff00");
    refused_edit("queues/0/desc = 0x0000000000001000", "queues/0/desc = 0x0000000000001008");
    refused_edit("removed = \n", "removed = 31\n");
    refused_edit("removed = \n", "removed = x\n");
    cr_assert_eq(edited("removed = \n", "removed = 31\n"), -EINVAL);
    cr_assert_eq(edited("removed = \n", "removed = 18446744073709551616\n"), -EINVAL);
    refused_edit("soft = d 0 1", "soft = d 1 1");
    refused_edit("soft = d 0 1 0", "soft = d 0 1 1");
    refused_edit("soft = d 0 1", "soft = q 0 1");
    refused_edit("soft = d 0 1", "soft = d 0 1 0 0 ffffffff ffffffff d 0 1");
    refused_edit(" q 0 1000 ", " q 0 2000 ");
    refused_edit(" q 0 1000 ", " q 0 fffffffffffff000 ");
    refused_edit(" q 0 1000 ", " q 0 0 ");
    refused_edit(" p 1 0 ", " p 1f 0 ");
    refused_edit("\nsoft = d", "\nsoft = d d");
    refused_edit("waiting = 77", "waiting = 7");
    refused_edit("waiting = 77", "waiting = 7x");
    refused_edit("waiting = 77", "waiting = xx");
    refused_edit("waiting = 77", "waiting = x7");
    refused_edit("waiting = 77", "waiting = -1");
    refused_edit("size = 0 0", "size = 0");
    refused_edit("driver_features = 0x0000000110000003", "driver_features = 0x0000000510000003");
}

/* A driver's records that are possible but not true of the rings: no crash, no hang. */
Test(console_state, untrue_but_possible)
{
    static const char *const edits[][2] = {
        { "queues/4/last_avail = ", "queues/4/last_avail = 6" },
        { "queues/4/used_idx = ", "queues/4/used_idx = 7" },
        { "status = 0x0f", "status = 0x00" },
        { "driver_features = 0x0000000110000003", "driver_features = 0x0000000110000007" },
        { "device_ready = 1", "device_ready = 0" },
    };

    for (size_t k = 0; k < sizeof(edits) / sizeof(edits[0]); k++) {
        struct vdf_test_file *data, *guest;
        int error;

        vdf_test_tree_free();
        vdf_test_tree(false);
        traffic();
        cr_assert_eq(edited(edits[k][0], edits[k][1]), 0, "%s: %s", edits[k][0],
                     vdf_test_last_error());
        data = opened(P1 "data", O_RDWR);
        guest = vdf_test_open(P1 "guest", O_RDWR, &error);
        for (unsigned n = 0; n < 100; n++) {
            vdf_test_file_write(data, "abc", 3);
            got_text(data);
            if (guest) {
                vdf_test_file_write(guest, "abc", 3);
                got_text(guest);
            }
        }
        if (guest)
            vdf_test_close(guest);
        vdf_test_close(data);
        round_trip();
    }
}

/* Other digits here and there: most of it is refused, and what is taken neither crashes nor hangs.
 */
Test(console_state, random_digits)
{
    unsigned taken = 0, refusals = 0;
    size_t len;

    random_state = vdf_random_begin("random_digits", 1);
    put(CON "reset", "1");
    put(CON "max_ports", "3");
    put(CON "driver", "soft");
    traffic();
    len = (size_t)(strstr(saved, "checksum = ") - saved);
    for (unsigned round = 0; round < 1500; round++) {
        struct vdf_test_file *data, *guest;
        char *text = malloc(len + 32);
        int error;

        memcpy(text, saved, len);
        strcpy(text + len, "checksum = none\n");
        for (unsigned n = 1 + below(3); n;) {
            size_t at = below((unsigned)len);

            if (!strchr("0123456789abcdef", text[at]))
                continue;
            text[at] = "0123456789abcdef"[below(16)];
            n--;
        }
        if (vdf_test_write(CON "state", text) == 0)
            taken++;
        else
            refusals++;
        free(text);
        data = vdf_test_open(P1 "data", O_RDWR, &error);
        guest = vdf_test_open(P1 "guest", O_RDWR, &error);
        for (unsigned n = 0; n < 4; n++) {
            if (data) {
                vdf_test_file_write(data, "abc", 3);
                got_text(data);
            }
            if (guest) {
                vdf_test_file_write(guest, "abc", 3);
                got_text(guest);
            }
        }
        if (data)
            vdf_test_close(data);
        if (guest)
            vdf_test_close(guest);
    }
    cr_assert_gt(taken, 0);
    cr_assert_gt(refusals, 0);
    put(CON "state", saved);
    same_as_saved(CON "state");
    goes_on();
}
