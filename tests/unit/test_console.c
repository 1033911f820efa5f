/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The console with the driver inside: handshake, data, throttling, hot-plug, sizes, emergency
 * output. */
#include "test_console.h"

static struct vdf_test_file *control;

static void setup(void)
{
    vdf_test_tree(false);
    control = opened(CON "control", O_RDONLY);
}

static void teardown(void)
{
    vdf_test_close(control);
    vdf_test_tree_free();
}

TestSuite(console, .init = setup, .fini = teardown);

static void plug(const char *path, const char *name)
{
    char file[128];

    cr_assert_eq(vdf_test_mkdir(path), 0, "%s", vdf_test_last_error());
    if (name) {
        snprintf(file, sizeof(file), "%s/name", path);
        put(file, name);
    }
}

/* --- handshake -------------------------------------------------------------------------------- */

Test(console, default_device_is_ready)
{
    is(CON "status", "0x0f");
    is(CON "device", "console");
    is(CON "driver", "soft");
    is(CON "features", "0x0000010930000007");
    is(CON "driver_features", "0x0000000110000003");
    is(P0 "console", "1");
    is(P0 "guest_connected", "1");
    is(P0 "ready", "1");
    is(P0 "host_connected", "0");
    is(CON "queues/0/size", "64");
    is(CON "queues/2/avail_idx", "66");
    got(control, "< DEVICE_READY id=4294967295 value=1\n"
                 "> PORT_ADD id=0 value=1\n"
                 "< PORT_READY id=0 value=1\n"
                 "> CONSOLE_PORT id=0 value=1\n"
                 "< PORT_OPEN id=0 value=1\n");
}

/* The order that the driver of Linux was seen to follow, with a named second port. */
Test(console, handshake_with_two_ports)
{
    struct vdf_test_file *data, *guest, *log;

    cr_assert_eq(vdf_test_mkdir("console/c"), 0);
    is("console/c/status", "0x00");
    plug("console/c/ports/1", "test1");
    put("console/c/ports/1/host_connected", "1");
    log = opened("console/c/control", O_RDONLY);
    got(log, "-EAGAIN");
    data = opened("console/c/ports/0/data", O_RDWR);
    is("console/c/status", "0x0f");
    got(log, "< DEVICE_READY id=4294967295 value=1\n"
             "> PORT_ADD id=0 value=1\n"
             "> PORT_ADD id=1 value=1\n"
             "< PORT_READY id=0 value=1\n"
             "< PORT_READY id=1 value=1\n"
             "> CONSOLE_PORT id=0 value=1\n"
             "> PORT_NAME id=1 value=1 name=test1\n"
             "> PORT_OPEN id=1 value=1\n"
             "< PORT_OPEN id=0 value=1\n"
             "> PORT_OPEN id=0 value=1\n");
    guest = opened("console/c/ports/1/guest", O_RDWR);
    got(log, "< PORT_OPEN id=1 value=1\n");
    vdf_test_close(guest);
    got(log, "< PORT_OPEN id=1 value=0\n");
    vdf_test_close(data);
    got(log, "> PORT_OPEN id=0 value=0\n");
    vdf_test_close(log);
}

Test(console, a_new_device_is_probed_when_a_port_is_opened)
{
    struct vdf_test_file *guest;

    cr_assert_eq(vdf_test_mkdir("console/c"), 0);
    is("console/c/ports/0/guest_connected", "0");
    guest = opened("console/c/ports/0/guest", O_RDWR);
    is("console/c/ports/0/guest_connected", "1");
    vdf_test_close(guest);
    is("console/c/ports/0/guest_connected", "1");
}

/* A copy of the tree opens every file for reading, and reads nothing of files of size 0. */
Test(console, an_open_alone_changes_nothing)
{
    static const char *const ends[] = { "data", "guest" };
    struct vdf_test_file *data;

    plug(CON "ports/1", NULL);
    data = opened(P1 "data", O_WRONLY);
    send_text(data, "waits");
    vdf_test_close(data);
    drain(control);
    for (unsigned k = 0; k < 2; k++) {
        for (int flags = O_RDONLY; flags <= O_WRONLY; flags++) {
            char path[64];
            struct vdf_test_file *file;

            snprintf(path, sizeof(path), P1 "%s", ends[k]);
            file = opened(path, flags);
            is(P1 "host_connected", "0");
            is(P1 "guest_connected", "0");
            vdf_test_close(file);
        }
    }
    got(control, "-EAGAIN");
    is(P1 "bytes_discarded", "0");
    is(P1 "bytes_received", "0");
}

Test(console, a_read_a_write_or_a_poll_connects)
{
    plug(CON "ports/1", NULL);
    for (unsigned k = 0; k < 6; k++) {
        struct vdf_test_file *file =
            opened(k < 3 ? P0 "data" : CON "ports/1/guest", k % 3 == 1 ? O_WRONLY : O_RDONLY);
        const char *connected = k < 3 ? P0 "host_connected" : CON "ports/1/guest_connected";

        is(connected, "0");
        if (k % 3 == 0)
            got(file, "-EAGAIN");
        else if (k % 3 == 1)
            vdf_test_file_write(file, "x", 1);
        else
            vdf_test_file_poll(file);
        is(connected, "1");
        vdf_test_close(file);
        is(connected, "0");
    }
}

/* --- data ------------------------------------------------------------------------------------- */

Test(console, both_ways)
{
    struct vdf_test_file *data = opened(P0 "data", O_RDWR), *guest = opened(P0 "guest", O_RDWR);

    got(data, "-EAGAIN");
    got(guest, "-EAGAIN");
    send_text(data, "to the guest");
    cr_assert_eq(vdf_test_file_poll(guest) & POLLIN, POLLIN);
    got(guest, "to the guest");
    got(guest, "-EAGAIN");
    send_text(guest, "to the ");
    send_text(guest, "host");
    cr_assert_eq(vdf_test_file_poll(data) & POLLIN, POLLIN);
    got(data, "to the host");
    got(data, "-EAGAIN");
    cr_assert_eq(vdf_test_file_poll(data), POLLOUT);
    is(P0 "bytes_received", "12");
    is(P0 "bytes_sent", "11");
    is(P0 "bytes_discarded", "0");
    vdf_test_close(data);
    vdf_test_close(guest);
}

/* Linux's port_fops_write waits while host_connected is 0. */
Test(console, guest_waits_for_the_host)
{
    struct vdf_test_file *data, *guest = opened(P0 "guest", O_RDWR);

    put(P0 "overflow", "hold");
    cr_assert_eq(vdf_test_file_write(guest, "x", 1), -EAGAIN);
    cr_assert_eq(vdf_test_file_poll(guest), 0);
    data = opened(P0 "data", O_RDWR);
    cr_assert_eq(vdf_test_file_poll(guest), POLLOUT);
    send_text(guest, "x");
    vdf_test_close(data);
    cr_assert_eq(vdf_test_file_write(guest, "x", 1), -EAGAIN);
    put(P0 "host_connected", "1");
    send_text(guest, "y");
    put(P0 "host_connected", "0");
    cr_assert_eq(vdf_test_file_write(guest, "x", 1), -EAGAIN);
    /* Nothing of it was lost. */
    data = opened(P0 "data", O_RDWR);
    got(data, "xy");
    vdf_test_close(data);
    vdf_test_close(guest);
}

Test(console, host_connected_follows_opens)
{
    struct vdf_test_file *a = opened(P0 "data", O_RDWR), *b = opened(P0 "data", O_WRONLY);

    is(P0 "host_connected", "1");
    send_text(b, "x");
    put(P0 "host_connected", "0");
    is(P0 "host_connected", "0");
    vdf_test_close(a);
    is(P0 "host_connected", "0");
    a = opened(P0 "data", O_RDWR);
    is(P0 "host_connected", "1");
    vdf_test_close(b);
    is(P0 "host_connected", "1");
    vdf_test_close(a);
    is(P0 "host_connected", "0");
    refused(P0 "host_connected", "2", EINVAL, "boolean");
}

Test(console, host_data_waits_for_the_guest)
{
    static char block[4096];
    struct vdf_test_file *data, *guest;
    size_t taken = 0;
    ssize_t n;

    plug(CON "ports/1", NULL);
    data = opened(P1 "data", O_RDWR);
    memset(block, 'a', sizeof(block));
    while ((n = vdf_test_file_write(data, block, sizeof(block))) > 0)
        taken += (size_t)n;
    cr_assert_eq(n, -EAGAIN);
    cr_assert_eq(taken, 65536);
    cr_assert_eq(vdf_test_file_poll(data), 0);
    is(P1 "bytes_received", "0");
    guest = opened(P1 "guest", O_RDWR);
    /* All of it is in the queue when open returns: 16 buffers of a page. */
    is(CON "queues/4/used_idx", "16");
    cr_assert_eq(vdf_test_file_poll(data), POLLOUT);
    cr_assert_eq(drain(guest), 65536);
    is(P1 "bytes_received", "65536");
    vdf_test_close(data);
    vdf_test_close(guest);
}

Test(console, a_full_receive_queue_holds_the_host_back)
{
    struct vdf_test_file *data = opened(P0 "data", O_RDWR), *guest = opened(P0 "guest", O_RDWR);
    unsigned n = 0;

    while (vdf_test_file_write(data, "z", 1) == 1)
        n++;
    /* A buffer each. The first is with the driver already, which has not posted it again. */
    cr_assert_eq(n, 64);
    cr_assert_eq(vdf_test_file_poll(data), 0);
    got(guest, "z");
    cr_assert_eq(vdf_test_file_poll(data), POLLOUT);
    send_text(data, "y");
    cr_assert_eq(drain(guest), 64);
    vdf_test_close(data);
    vdf_test_close(guest);
}

/* port_fops_read gives what is queued; get_inbuf counts a buffer when it is taken. */
Test(console, counters_count_as_linux)
{
    struct vdf_test_file *data = opened(P0 "data", O_RDWR), *guest = opened(P0 "guest", O_RDWR);
    char two[2];

    send_text(data, "12345");
    send_text(data, "678");
    is(P0 "bytes_received", "5");
    cr_assert_eq(vdf_test_file_read(guest, two, 2), 2);
    is(P0 "bytes_received", "5");
    got(guest, "345");
    got(guest, "678");
    is(P0 "bytes_received", "8");
    vdf_test_close(data);
    vdf_test_close(guest);
}

/* discard_port_data when the port is closed. */
Test(console, closing_discards_what_was_not_read)
{
    struct vdf_test_file *data, *guest;
    char two[2];

    plug(CON "ports/1", NULL);
    data = opened(P1 "data", O_RDWR);
    guest = opened(P1 "guest", O_RDWR);
    is(P1 "guest_connected", "1");
    send_text(data, "12345");
    send_text(data, "678");
    cr_assert_eq(vdf_test_file_read(guest, two, 2), 2);
    vdf_test_close(guest);
    is(P1 "guest_connected", "0");
    is(P1 "bytes_discarded", "6");
    is(P1 "bytes_received", "8");
    send_text(data, "next");
    guest = opened(P1 "guest", O_RDWR);
    got(guest, "next");
    is(P1 "bytes_discarded", "6");
    vdf_test_close(guest);
    vdf_test_close(data);
    put(CON "reset", "1");
    is(P1 "bytes_discarded", "6");
}

Test(console, two_guests_share_a_port)
{
    struct vdf_test_file *data, *a, *b;

    plug(CON "ports/1", NULL);
    data = opened(P1 "data", O_RDWR);
    a = opened(P1 "guest", O_RDWR);
    b = opened(P1 "guest", O_RDWR);
    vdf_test_close(a);
    is(P1 "guest_connected", "1");
    send_text(data, "still open");
    got(b, "still open");
    vdf_test_close(b);
    is(P1 "guest_connected", "0");
    vdf_test_close(data);
}

Test(console, one_write_is_at_most_32k)
{
    static char block[40000];
    struct vdf_test_file *data = opened(P0 "data", O_RDWR), *guest = opened(P0 "guest", O_RDWR);

    cr_assert_eq(vdf_test_file_write(guest, block, sizeof(block)), 32768);
    is(P0 "bytes_sent", "32768");
    is(CON "queues/1/avail_idx", "1");
    cr_assert_eq(drain(data), 32768);
    vdf_test_close(data);
    vdf_test_close(guest);
}

Test(console, a_slow_host_throttles)
{
    struct vdf_test_file *data = opened(P0 "data", O_RDWR), *guest = opened(P0 "guest", O_RDWR);
    char bytes[4];
    unsigned n = 0;

    put(P0 "overflow", "hold");
    is(P0 "throttled", "0");
    while (vdf_test_file_write(guest, "abcdef", 6) == 6)
        n++;
    cr_assert_eq(n, 64);
    is(P0 "throttled", "1");
    is(CON "queues/1/used_idx", "0");
    cr_assert_eq(vdf_test_file_read(data, bytes, 4), 4);
    cr_assert_arr_eq(bytes, "abcd", 4);
    /* Half of the element is read: it is not given back yet. */
    is(CON "queues/1/used_idx", "0");
    is(CON "queues/1/last_avail", "1");
    cr_assert_eq(vdf_test_file_poll(guest) & POLLOUT, 0);
    cr_assert_eq(vdf_test_file_read(data, bytes, 3), 3);
    cr_assert_arr_eq(bytes, "efa", 3);
    is(CON "queues/1/used_idx", "1");
    cr_assert_eq(vdf_test_file_poll(guest) & POLLOUT, POLLOUT);
    send_text(guest, "ghi");
    cr_assert_eq(drain(data), 64 * 6 + 3 - 7);
    is(P0 "throttled", "0");
    is(CON "queues/1/used_idx", "65");
    vdf_test_close(data);
    vdf_test_close(guest);
}

/* Data of the guest outlives a close of the host's end, to the byte. */
Test(console, half_consumed_element_survives_the_close)
{
    struct vdf_test_file *data = opened(P0 "data", O_RDWR), *guest = opened(P0 "guest", O_RDWR);
    char bytes[4];

    put(P0 "overflow", "hold");
    send_text(guest, "abcdef");
    send_text(guest, "ghi");
    cr_assert_eq(vdf_test_file_read(data, bytes, 4), 4);
    vdf_test_close(data);
    is(P0 "throttled", "1");
    data = opened(P0 "data", O_RDWR);
    got(data, "efghi");
    is(P0 "bytes_discarded", "0");
    vdf_test_close(data);
    vdf_test_close(guest);
}

/* --- unread data ------------------------------------------------------------------------------ */

Test(console, what_becomes_of_unread_data_follows_the_kind_of_port)
{
    plug(CON "ports/1", NULL);
    is(P0 "overflow", "drop");
    is(P1 "overflow", "hold");
    put(P1 "console", "1");
    is(P1 "overflow", "drop");
    put(P1 "overflow", "hold");
    put(P1 "console", "1");
    is(P1 "overflow", "hold");
    refused(P1 "overflow", "wait", EINVAL, "hold");
    cr_assert_eq(vdf_test_rmdir(CON "ports/1"), 0);
    put(CON "reset", "1");
    put(CON "device", "rproc-serial");
    is(P0 "overflow", "hold");
}

/* Linux's put_chars() waits for its buffer with a spinlock held. */
Test(console, a_console_never_holds_the_guest)
{
    struct vdf_test_file *data = opened(P0 "data", O_RDWR), *guest = opened(P0 "guest", O_RDWR);
    static char block[1024];

    for (unsigned n = 0; n < 200; n++) {
        memset(block, 'a' + n % 26, sizeof(block));
        cr_assert_eq(vdf_test_file_write(guest, block, sizeof(block)), sizeof(block));
    }
    is(CON "queues/1/used_idx", "200");
    is(P0 "throttled", "0");
    is(P0 "bytes_discarded", "139264");
    cr_assert_eq(vdf_test_file_poll(data) & POLLIN, POLLIN);
    /* The first 64 KiB, in order, then what has room again. */
    for (unsigned n = 0; n < 64; n++) {
        cr_assert_eq(vdf_test_file_read(data, block, sizeof(block)), sizeof(block));
        cr_assert_eq(block[0], (char)('a' + n % 26));
        cr_assert_eq(block[1023], block[0]);
    }
    got(data, "-EAGAIN");
    send_text(guest, "on it goes");
    got(data, "on it goes");
    is(P0 "bytes_discarded", "139264");
    vdf_test_close(data);
    vdf_test_close(guest);
}

Test(console, the_last_reader_leaves_nothing_behind)
{
    struct vdf_test_file *a = opened(P0 "data", O_RDONLY), *b = opened(P0 "data", O_RDWR);
    struct vdf_test_file *guest = opened(P0 "guest", O_RDWR);

    send_text(guest, "12345");
    vdf_test_close(a);
    is(P0 "bytes_discarded", "0");
    vdf_test_close(b);
    is(P0 "bytes_discarded", "5");
    a = opened(P0 "data", O_RDONLY);
    got(a, "-EAGAIN");
    vdf_test_close(a);
    vdf_test_close(guest);
}

Test(console, a_writer_is_no_reader)
{
    struct vdf_test_file *in = opened(P0 "data", O_WRONLY), *guest = opened(P0 "guest", O_RDWR);
    struct vdf_test_file *out;

    send_text(in, "down");
    is(P0 "host_connected", "1");
    send_text(guest, "unheard");
    is(CON "queues/1/used_idx", "1");
    is(P0 "bytes_discarded", "7");
    out = opened(P0 "data", O_RDONLY);
    got(out, "-EAGAIN");
    send_text(guest, "heard");
    got(out, "heard");
    send_text(guest, "late");
    vdf_test_close(out);
    is(P0 "bytes_discarded", "11");
    vdf_test_close(in);
    vdf_test_close(guest);
}

/* After a change of the choice held data is taken in order, like the rest. */
Test(console, the_choice_can_change_at_any_time)
{
    struct vdf_test_file *data, *guest;
    char two[2];

    plug(CON "ports/1", NULL);
    data = opened(P1 "data", O_RDWR);
    guest = opened(P1 "guest", O_RDWR);
    send_text(guest, "abcd");
    send_text(guest, "efg");
    cr_assert_eq(vdf_test_file_read(data, two, 2), 2);
    is(CON "queues/5/used_idx", "0");
    put(P1 "overflow", "drop");
    is(CON "queues/5/used_idx", "2");
    is(P1 "throttled", "0");
    put(P1 "overflow", "hold");
    send_text(guest, "hi");
    is(P1 "throttled", "1");
    got(data, "cdefghi");
    is(P1 "throttled", "0");
    is(P1 "bytes_discarded", "0");
    vdf_test_close(data);
    vdf_test_close(guest);
}

/* --- hot-plug --------------------------------------------------------------------------------- */

Test(console, plug_and_unplug)
{
    struct vdf_test_file *data, *guest;

    drain(control);
    plug(CON "ports/5", "five");
    got(control, "> PORT_ADD id=5 value=1\n< PORT_READY id=5 value=1\n"
                 "> PORT_NAME id=5 value=1 name=five\n");
    is(CON "ports/5/console", "0");
    data = opened(CON "ports/5/data", O_RDWR);
    guest = opened(CON "ports/5/guest", O_RDWR);
    send_text(guest, "abc");
    send_text(guest, "def");
    drain(control);
    cr_assert_eq(vdf_test_rmdir(CON "ports/5"), 0);
    got(control, "> PORT_REMOVE id=5 value=1\n");
    is(CON "queues/13/used_idx", "2");
    cr_assert_not(vdf_test_exists(CON "ports/5"));
    got(data, "-ENODEV");
    got(guest, "-ENODEV");
    vdf_test_close(data);
    vdf_test_close(guest);
    /* Again: the buffers of the first time are still in the queue. */
    plug(CON "ports/5", NULL);
    got(control, "> PORT_ADD id=5 value=1\n< PORT_READY id=5 value=1\n");
    data = opened(CON "ports/5/data", O_RDWR);
    guest = opened(CON "ports/5/guest", O_RDWR);
    got(data, "-EAGAIN");
    send_text(data, "hello");
    got(guest, "hello");
    send_text(guest, "back");
    got(data, "back");
    is(CON "ports/5/bytes_received", "5");
    vdf_test_close(data);
    vdf_test_close(guest);
}

Test(console, port_0_can_be_unplugged)
{
    drain(control);
    cr_assert_eq(vdf_test_rmdir(CON "ports/0"), 0);
    got(control, "> PORT_REMOVE id=0 value=1\n");
    plug(CON "ports/0", NULL);
    is(P0 "guest_connected", "1");
    is(P0 "console", "1");
}

Test(console, port_names)
{
    cr_assert_eq(vdf_test_mkdir(CON "ports/31"), -EINVAL);
    cr_assert(strstr(vdf_test_last_error(), "max_ports"), "%s", vdf_test_last_error());
    cr_assert_eq(vdf_test_mkdir(CON "ports/01"), -EINVAL);
    cr_assert_eq(vdf_test_mkdir(CON "ports/x"), -EINVAL);
    cr_assert_eq(vdf_test_mkdir(CON "ports/4294967297"), -EINVAL);
    cr_assert_eq(vdf_test_mkdir(CON "ports/0"), -EEXIST);
    plug(CON "ports/30", NULL);
    is(CON "ports/30/ready", "1");
}

Test(console, all_ports)
{
    for (unsigned id = 1; id < 31; id++) {
        char path[64];

        snprintf(path, sizeof(path), CON "ports/%u", id);
        plug(path, NULL);
        snprintf(path, sizeof(path), CON "ports/%u/ready", id);
        is(path, "1");
    }
    is(CON "queues/63/ready", "1");
    cr_assert_not(vdf_test_exists(CON "queues/64"));
}

Test(console, a_port_becomes_a_console)
{
    plug(CON "ports/2", NULL);
    is(CON "ports/2/guest_connected", "0");
    drain(control);
    put(CON "ports/2/console", "1");
    got(control, "> CONSOLE_PORT id=2 value=1\n< PORT_OPEN id=2 value=1\n");
    is(CON "ports/2/guest_connected", "1");
    refused(CON "ports/2/console", "0", EBUSY, "unplug");
}

Test(console, names)
{
    char long_name[200];

    plug(CON "ports/1", "org.example.agent");
    is(P1 "name", "org.example.agent");
    memset(long_name, 'n', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = '\0';
    refused(P1 "name", long_name, EINVAL, "127");
    refused(P1 "name", "a\tb", EINVAL, "0x09");
    refused(P1 "name", "a\xff", EINVAL, "0xff: a name is one line of text in UTF-8");
    refused(P1 "name", "\xc3", EINVAL, "0xc3");
    refused(P1 "name", "\xc0\x80", EINVAL, "0xc0");         /* two bytes for one */
    refused(P1 "name", "\xe0\x9f\xbf", EINVAL, "0xe0");     /* three for two */
    refused(P1 "name", "\xed\xa0\x80", EINVAL, "0xed");     /* a surrogate */
    refused(P1 "name", "\xf4\x90\x80\x80", EINVAL, "0xf4"); /* above U+10FFFF */
    put(P1 "name", "\xc3\xa9\xe2\x82\xac\xed\x9f\xbf\xf0\x9f\x98\x80");
    put(P1 "name", "org.example.agent");
    is(P1 "name", "org.example.agent");
}

/* --- sizes ------------------------------------------------------------------------------------ */

Test(console, resize)
{
    drain(control);
    put(CON "size", "100 40");
    got(control, "> RESIZE id=0 value=0 cols=100 rows=40\n");
    is(P0 "size", "100 40");
    is(P0 "guest_size", "100 40");
    put(CON "size", "100 40");
    got(control, "-EAGAIN");
    put(CON "resize_order", "rows-cols");
    put(P0 "size", "80 25");
    got(control, "> RESIZE id=0 value=0 rows=25 cols=80\n");
    is(CON "size", "80 25");
    /* A guest that reads the specified order sees them exchanged. */
    is(P0 "guest_size", "25 80");
    refused(CON "size", "80", EINVAL, "COLS ROWS");
    refused(CON "size", "80 25 1", EINVAL, "COLS ROWS");
    refused(CON "size", "-1 25", EINVAL, "COLS ROWS");
    refused(CON "size", "80 65536", ERANGE, "65535");
    refused(CON "size", "80 18446744073709551617", ERANGE, "65535");
    refused(CON "size", "18446744073709551617", EINVAL, "COLS ROWS");
    refused(CON "size", "8a 25", EINVAL, "COLS ROWS");
    refused(CON "size", "0x 25", EINVAL, "COLS ROWS");
    refused(CON "size", "0b12 25", EINVAL, "COLS ROWS");
    is(CON "size", "80 25");
    /* Numbers in every form that values have. */
    put(CON "size", "0x5A\t0b11001");
    is(CON "size", "90 25");
}

Test(console, a_second_console_has_its_own_size)
{
    plug(CON "ports/3", NULL);
    put(CON "ports/3/size", "10 20");
    is(CON "ports/3/guest_size", "0 0");
    put(CON "ports/3/console", "1");
    is(CON "ports/3/guest_size", "10 20");
    is(CON "size", "0 0");
}

Test(console, without_multiport_the_configuration_tells)
{
    struct vdf_test_file *data, *guest;

    put(CON "reset", "1");
    put(CON "features", "0x100000001");
    cr_assert_not(vdf_test_exists(CON "queues/2"));
    put(CON "size", "132 43");
    drain(control);
    data = opened(P0 "data", O_RDWR);
    got(control, "-EAGAIN");
    is(CON "status", "0x0f");
    /* The driver cannot say so. */
    is(P0 "ready", "1");
    is(P0 "guest_connected", "1");
    is(P0 "guest_size", "132 43");
    put(CON "size", "80 24");
    is(P0 "guest_size", "80 24");
    guest = opened(P0 "guest", O_RDWR);
    send_text(guest, "up");
    got(data, "up");
    send_text(data, "down");
    got(guest, "down");
    cr_assert_eq(vdf_test_mkdir(CON "ports/1"), -EOPNOTSUPP);
    cr_assert_eq(vdf_test_rmdir(CON "ports/0"), -EBUSY);
    vdf_test_close(data);
    /* The driver gets no message that the host has closed, and its data waits. */
    send_text(guest, "later");
    data = opened(P0 "data", O_RDWR);
    got(data, "later");
    vdf_test_close(data);
    vdf_test_close(guest);
}

/* --- what may change when --------------------------------------------------------------------- */

Test(console, a_running_device_keeps_its_shape)
{
    refused(CON "device", "rproc-serial", EBUSY, "reset");
    refused(CON "features", "0x100000000", EBUSY, "reset");
    refused(CON "features", "0x7", EBUSY, "reset");
    refused(CON "features", "0x100000008", EBUSY, "reset");
    refused(CON "dma_mem", "1", EBUSY, "reset");
    refused(CON "dma/size", "8192", EBUSY, "reset");
    refused(CON "memory_size", "0x200000", EBUSY, "reset");
    refused(CON "max_ports", "4", EBUSY, "reset");
    refused(CON "driver", "vm", EINVAL, "attaches");
    refused(CON "vhost_user", "run/socket", EINVAL, "absolute");
    refused(CON "reset", "0", EINVAL, "1");
    is(CON "vhost_user", "");
    is(CON "status", "0x0f");
}

/* The text of a file can be written back to it in every state of the device. */
Test(console, the_value_that_is_there_changes_nothing)
{
    static const char *const files[] = { "device",      "features",  "dma_mem", "dma/size",
                                         "memory_size", "max_ports", "driver" };

    for (unsigned round = 0; round < 2; round++) {
        for (unsigned k = 0; k < sizeof(files) / sizeof(files[0]); k++) {
            char path[64], value[64];

            snprintf(path, sizeof(path), CON "%s", files[k]);
            snprintf(value, sizeof(value), "%s", vdf_test_read(path));
            put(path, value);
            is(path, value);
        }
        is(CON "status", round ? "0x00" : "0x0f");
        put(CON "driver", "none");
        put(CON "dma_mem", "1");
        put(CON "features", "0x0000000100000003");
    }
    put(CON "device", "console");
    put(CON "dma_mem", "1");
    is(CON "features", "0x0000000100000003");
}

Test(console, a_reset_device_is_free)
{
    put(CON "reset", "1");
    is(CON "status", "0x00");
    is(P0 "guest_connected", "0");
    is(CON "queues/0/ready", "0");
    refused(CON "features", "0x7", EINVAL, "VERSION_1");
    refused(CON "features", "0x100000008", EINVAL, "offered");
    refused(CON "max_ports", "0", EINVAL, "32768");
    refused(CON "max_ports", "32769", EINVAL, "32768");
    refused(CON "memory_size", "4097", EINVAL, "4096");
    refused(CON "memory_size", "0x80000000", EINVAL, "4096");
    refused(CON "dma/size", "1", EINVAL, "4096");
    refused(CON "memory_size", "0x100000", EINVAL, "dma/size");
    put(CON "dma/size", "0x10000");
    put(CON "memory_size", "0x200000");
    put(CON "max_ports", "2");
    cr_assert_eq(vdf_test_mkdir(CON "ports/2"), -EINVAL);
    put(CON "driver", "soft");
    is(CON "status", "0x0f");
    is(CON "queues/5/ready", "1");
    cr_assert_not(vdf_test_exists(CON "queues/6"));
}

Test(console, a_guest_without_memory_fails_its_probe)
{
    int error = 0;

    put(CON "reset", "1");
    put(CON "dma/size", "4096");
    put(CON "memory_size", "8192");
    cr_assert_null(vdf_test_open(P0 "guest", O_RDWR, &error));
    cr_assert_eq(error, -ENODEV);
    is(CON "status", "0x8b");
    put(CON "reset", "1");
    put(CON "memory_size", "0x400000");
    put(CON "driver", "soft");
    is(CON "status", "0x0f");
}

/* A reader of the guest's end stays over a reset and gets what comes after it. */
Test(console, the_guest_end_survives_a_reset)
{
    struct vdf_test_file *data, *guest;

    plug(CON "ports/1", NULL);
    guest = opened(P1 "guest", O_RDWR);
    put(CON "reset", "1");
    got(guest, "-EAGAIN");
    is(CON "status", "0x00");
    is(P1 "bytes_discarded", "0");
    data = opened(P1 "data", O_RDWR);
    is(CON "status", "0x0f");
    is(P1 "guest_connected", "1");
    send_text(data, "again");
    got(guest, "again");
    send_text(data, "unread");
    put(CON "reset", "1");
    is(P1 "bytes_discarded", "6");
    vdf_test_close(data);
    vdf_test_close(guest);
    is(P1 "guest_connected", "0");
}

Test(console, without_a_driver)
{
    struct vdf_test_file *data;

    put(CON "driver", "none");
    is(CON "status", "0x00");
    cr_assert_not(vdf_test_exists(P0 "guest"));
    cr_assert_not(vdf_test_exists(P0 "guest_size"));
    data = opened(P0 "data", O_RDWR);
    is(CON "status", "0x00");
    send_text(data, "waits");
    put(CON "driver", "soft");
    is(CON "status", "0x0f");
    vdf_test_close(data);
    data = opened(P0 "guest", O_RDWR);
    got(data, "waits");
    vdf_test_close(data);
}

Test(console, many_devices)
{
    for (unsigned k = 0; k < 200; k++) {
        char path[64];

        snprintf(path, sizeof(path), "console/c%u", k);
        cr_assert_eq(vdf_test_mkdir(path), 0);
    }
    /* No memory is made, and so no descriptor taken, before a device is used. */
    struct vdf_console *con = vdf_obj_priv(vdf_test_obj("console/c199"));
    cr_assert_null(con->memory.base);
    cr_assert_null(con->queues);
}
