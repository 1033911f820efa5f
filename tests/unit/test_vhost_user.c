/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A console served to a vhost-user front end: messages, features, rings. */
#include <fcntl.h>
#include <poll.h>

#include "test_vhost_user.h"

static void setup(void)
{
    vdf_test_tree(false);
    fe_start();
}

TestSuite(vhost_user, .init = setup, .fini = fe_end);

static unsigned open_descriptors(void)
{
    unsigned n = 0;

    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

/* --- messages --------------------------------------------------------------------------------- */

Test(vhost_user, a_message_may_come_byte_by_byte)
{
    struct {
        struct vdf_vu_header header;
        uint32_t state[2];
    } message = { { VDF_VU_SET_VRING_NUM, VDF_VU_VERSION, 8 }, { 5, 32 } };

    for (size_t i = 0; i < sizeof(message); i++) {
        cr_assert_eq(fe.vu->rings[5].num, 0);
        cr_assert_eq(send(fe.sock, (uint8_t *)&message + i, 1, 0), 1);
        vdf_vhost_user_receive(fe.vu);
    }
    cr_assert_eq(fe.vu->rings[5].num, 32);
}

Test(vhost_user, several_messages_may_come_at_once)
{
    uint64_t value;

    fe_post(VDF_VU_GET_FEATURES, VDF_VU_VERSION, NULL, 0, NULL, 0);
    fe_post(VDF_VU_SET_OWNER, VDF_VU_VERSION, NULL, 0, NULL, 0);
    fe_post(VDF_VU_GET_PROTOCOL_FEATURES, VDF_VU_VERSION, NULL, 0, NULL, 0);
    vdf_vhost_user_receive(fe.vu);
    cr_assert_eq(fe_reply(&value, 8), 8);
    cr_assert_eq(value, VDF_CONSOLE_F_SIZE | VDF_CONSOLE_F_MULTIPORT | VDF_CONSOLE_F_EMERG_WRITE |
                            VDF_CONSOLE_F_INDIRECT | VDF_CONSOLE_F_EVENT_IDX |
                            VDF_CONSOLE_F_VERSION_1 | VDF_CONSOLE_F_IN_ORDER |
                            VDF_CONSOLE_F_RING_RESET | VDF_VU_F_PROTOCOL_FEATURES);
    cr_assert_eq(fe_reply(&value, 8), 8);
    cr_assert_eq(value, FE_PROTOCOL | VDF_VU_P_REPLY_ACK | VDF_VU_P_INFLIGHT | VDF_VU_P_STATUS);
    cr_assert_eq(fe_reply(&value, 8), 0);
}

Test(vhost_user, replies_wait_for_room_and_requests_for_replies)
{
    unsigned asked = 0, answered = 0;
    struct vdf_vu_header header = { VDF_VU_GET_FEATURES, VDF_VU_VERSION, 0 };
    uint64_t value;
    int small = 1;

    setsockopt(fe.vu->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    for (; asked < 5000; asked++) {
        if (send(fe.sock, &header, sizeof(header), MSG_DONTWAIT) != sizeof(header))
            break;
        vdf_vhost_user_receive(fe.vu);
    }
    cr_assert(fe.vu->writing);
    cr_assert_gt(asked, 1);
    while (answered < asked) {
        cr_assert_eq(fe_reply(&value, 8), 8, "%u of %u", answered, asked);
        answered++;
        vdf_vhost_user_receive(fe.vu);
    }
    cr_assert_eq(fe_reply(&value, 8), 0);
    cr_assert_not(fe.vu->writing);
}

Test(vhost_user, acknowledged_only_when_negotiated)
{
    uint64_t value = 1;

    fe_post(VDF_VU_SET_OWNER, VDF_VU_VERSION | VDF_VU_NEED_REPLY, NULL, 0, NULL, 0);
    vdf_vhost_user_receive(fe.vu);
    cr_assert_eq(fe_reply(&value, 8), 0);
    /* From this very message on, as Linux expects. */
    value = VDF_VU_P_REPLY_ACK;
    fe_post(VDF_VU_SET_PROTOCOL_FEATURES, VDF_VU_VERSION | VDF_VU_NEED_REPLY, &value, 8, NULL, 0);
    vdf_vhost_user_receive(fe.vu);
    cr_assert_eq(fe_reply(&value, 8), 8);
    cr_assert_eq(value, 0);
    cr_assert_eq(fe_tell(VDF_VU_SET_OWNER, NULL, 0, NULL, 0), 0);
}

Test(vhost_user, descriptors_are_closed_whatever_happens)
{
    int fds[VDF_VU_FDS_MAX];
    unsigned before = open_descriptors();

    for (unsigned i = 0; i < VDF_VU_FDS_MAX; i++)
        fds[i] = fe.memfd;
    cr_assert_eq(fe_tell(VDF_VU_SET_OWNER, NULL, 0, fds, 1), 0);
    cr_assert_eq(open_descriptors(), before);
    cr_assert_eq(fe_tell(VDF_VU_SET_MEM_TABLE, &(uint64_t){ 8 }, 8, fds, 8), 0);
    cr_assert_eq(open_descriptors(), before);
    /* In flight, and half of the message still to come. */
    {
        struct vdf_vu_header header = { VDF_VU_SET_MEM_TABLE, VDF_VU_VERSION, 8 };
        char control[CMSG_SPACE(sizeof(fds))] = { 0 };
        struct iovec iov = { &header, sizeof(header) };
        struct msghdr mh = { .msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof(control) };
        struct cmsghdr *c = CMSG_FIRSTHDR(&mh);

        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(fds));
        memcpy(CMSG_DATA(c), fds, sizeof(fds));
        cr_assert_eq(sendmsg(fe.sock, &mh, 0), sizeof(header));
    }
    vdf_vhost_user_receive(fe.vu);
    cr_assert_eq(open_descriptors(), before + VDF_VU_FDS_MAX);
    close(fe.sock);
    vdf_vhost_user_receive(fe.vu);
    fe_last_error("mid-message");
    fe_connect();
    fe_up();
    close(fe.sock);
    vdf_vhost_user_receive(fe.vu);
    fe_connect();
    cr_assert_eq(open_descriptors(), before);
}

/* --- features --------------------------------------------------------------------------------- */

Test(vhost_user, the_same_features_again_change_nothing)
{
    fe_up();
    fe_control(VDF_CONSOLE_BAD_ID, VDF_CONSOLE_DEVICE_READY, 1);
    cr_assert(fe.con->device_ready);
    cr_assert_eq(fe_u64(VDF_VU_SET_FEATURES, FE_FEATURES), 0);
    cr_assert(fe.con->device_ready);
    cr_assert(fe.vu->rings[3].active);

    close(fe.sock);
    vdf_vhost_user_receive(fe.vu);
    fe_connect();
    fe_negotiate(FE_FEATURES);
    cr_assert(fe.con->device_ready);
    cr_assert_str_eq(vdf_test_read(CON "status"), "0x0f");
}

Test(vhost_user, other_features_are_another_driver)
{
    fe_up();
    fe_control(VDF_CONSOLE_BAD_ID, VDF_CONSOLE_DEVICE_READY, 1);
    close(fe.sock);
    vdf_vhost_user_receive(fe.vu);
    fe_connect();
    fe_negotiate(FE_FEATURES | VDF_CONSOLE_F_SIZE);
    cr_assert_not(fe.con->device_ready);
    cr_assert_str_eq(vdf_test_read(CON "status"), "0x0b");
    cr_assert_eq(vdf_test_read_u64(CON "driver_features"),
                 VDF_CONSOLE_F_VERSION_1 | VDF_CONSOLE_F_MULTIPORT | VDF_CONSOLE_F_SIZE);
}

/* The status that the device has for a front end with STATUS. */
static uint64_t status(void)
{
    uint64_t value = UINT64_MAX;

    cr_assert_eq(fe_ask(VDF_VU_GET_STATUS, NULL, 0, NULL, 0, &value, sizeof(value)), 8);
    return value;
}

/* A front end without RESET_DEVICE has no other way to reset. */
Test(vhost_user, a_status_of_0_resets_the_device)
{
    fe_up();
    fe_control(VDF_CONSOLE_BAD_ID, VDF_CONSOLE_DEVICE_READY, 1);
    cr_assert_eq(fe_u64(VDF_VU_SET_PROTOCOL_FEATURES,
                        (FE_PROTOCOL & ~VDF_VU_P_RESET_DEVICE) | VDF_VU_P_STATUS),
                 0);
    cr_assert_eq(fe_u64(VDF_VU_SET_STATUS, 0x0f), 0);
    cr_assert_eq(status(), 0x0f);
    cr_assert(fe.con->device_ready);
    cr_assert_eq(fe_u64(VDF_VU_SET_STATUS, 0), 0);
    cr_assert_eq(status(), 0);
    cr_assert_not(fe.con->device_ready);
    cr_assert_str_eq(vdf_test_read(CON "status"), "0x00");
    for (unsigned i = 0; i < FE_RINGS; i++)
        cr_assert_not(fe.vu->rings[i].started || fe.vu->rings[i].enabled, "ring %u", i);

    /* The next driver has rings from the start. */
    memset(fe.mem, 0, FE_MEMORY);
    memset(fe.avail, 0, sizeof(fe.avail));
    cr_assert_eq(fe_u64(VDF_VU_SET_FEATURES, FE_FEATURES), 0);
    for (uint32_t i = 0; i < FE_RINGS; i++)
        fe_start_ring(i, 16, 0);
    fe_control(VDF_CONSOLE_BAD_ID, VDF_CONSOLE_DEVICE_READY, 1);
    cr_assert(fe.con->device_ready);
}

/* As QEMU pauses a machine: the bases before the status, or in older versions after. */
Test(vhost_user, a_pause_with_a_status_of_0_resets_nothing)
{
    for (unsigned before = 0; before < 2; before++) {
        uint32_t base;

        if (!before)
            fe_up();
        fe_control(VDF_CONSOLE_BAD_ID, VDF_CONSOLE_DEVICE_READY, 1);
        cr_assert_eq(fe_u64(VDF_VU_SET_PROTOCOL_FEATURES, FE_PROTOCOL | VDF_VU_P_STATUS), 0);
        if (before)
            cr_assert_eq(fe_u64(VDF_VU_SET_STATUS, 0), 0);
        base = fe_stop_ring(3);
        if (!before)
            cr_assert_eq(fe_u64(VDF_VU_SET_STATUS, 0), 0);
        cr_assert_eq(status(), 0);
        cr_assert_eq(base, before + 1);
        cr_assert(fe.con->device_ready);
        fe_start_ring(3, 16, base);
    }
}

Test(vhost_user, a_driver_without_version_1_gets_no_ring)
{
    fe_negotiate(VDF_VU_F_PROTOCOL_FEATURES);
    cr_assert_str_eq(vdf_test_read(CON "status"), "0x00");
    cr_assert_eq(fe_memory(FE_GUEST), 0);
    cr_assert_eq(fe_ring(VDF_VU_SET_VRING_NUM, 0, 16), 0);
    cr_assert_eq(fe_addr(0, FE_USER), 0);
    cr_assert_eq(fe_fd(VDF_VU_SET_VRING_KICK, 0, fe.kick[0]), 0);
    cr_assert_eq(fe_ring(VDF_VU_SET_VRING_ENABLE, 0, 1), 0);
    fe_last_error("VERSION_1");
    cr_assert_not(fe.vu->rings[0].active);
}

/* --- rings ------------------------------------------------------------------------------------ */

/* The messages that make a ring run may come in any order. */
Test(vhost_user, a_ring_runs_when_all_has_been_said)
{
    fe_negotiate(FE_FEATURES);
    cr_assert_eq(fe_memory(FE_GUEST), 0);
    for (unsigned order = 0; order < 256; order++) {
        unsigned seen = 0;

        for (unsigned k = 0; k < 4; k++)
            seen |= 1u << (order >> 2 * k & 3);
        if (seen != 15)
            continue;
        for (unsigned k = 0; k < 4; k++) {
            cr_assert_not(fe.vu->rings[0].active);
            switch (order >> 2 * k & 3) {
            case 0:
                cr_assert_eq(fe_ring(VDF_VU_SET_VRING_NUM, 0, 16), 0);
                break;
            case 1:
                cr_assert_eq(fe_addr(0, FE_USER), 0);
                break;
            case 2:
                cr_assert_eq(fe_fd(VDF_VU_SET_VRING_KICK, 0, fe.kick[0]), 0);
                break;
            default:
                cr_assert_eq(fe_ring(VDF_VU_SET_VRING_ENABLE, 0, 1), 0);
                break;
            }
        }
        cr_assert(fe.vu->rings[0].active, "order 0x%02x", order);
        cr_assert_str_eq(vdf_test_read(CON "queues/0/ready"), "1");
        close(fe.sock);
        vdf_vhost_user_receive(fe.vu);
        cr_assert_str_eq(vdf_test_read(CON "queues/0/ready"), "0");
        fe_connect();
        fe_negotiate(FE_FEATURES);
        cr_assert_eq(fe_memory(FE_GUEST), 0);
    }
}

Test(vhost_user, without_protocol_features_rings_are_enabled)
{
    cr_assert_eq(fe_u64(VDF_VU_SET_FEATURES, FE_FEATURES & ~VDF_VU_F_PROTOCOL_FEATURES), 0);
    cr_assert_eq(fe_memory(FE_GUEST), 0);
    cr_assert_eq(fe_ring(VDF_VU_SET_VRING_NUM, 0, 16), 0);
    cr_assert_eq(fe_addr(0, FE_USER), 0);
    cr_assert_eq(fe_fd(VDF_VU_SET_VRING_KICK, 0, fe.kick[0]), 0);
    cr_assert(fe.vu->rings[0].active);
}

Test(vhost_user, a_disabled_ring_is_left_alone_and_goes_on)
{
    fe_up();
    fe_control(VDF_CONSOLE_BAD_ID, VDF_CONSOLE_DEVICE_READY, 1);
    cr_assert_eq(fe_used(3), 1);
    cr_assert_eq(fe_ring(VDF_VU_SET_VRING_ENABLE, 3, 0), 0);
    fe_control(0, VDF_CONSOLE_PORT_READY, 1);
    cr_assert_eq(fe_used(3), 1);
    cr_assert_eq(fe_ring(VDF_VU_SET_VRING_ENABLE, 3, 1), 0);
    cr_assert_eq(fe_used(3), 2);
    cr_assert_str_eq(vdf_test_read(CON "ports/0/ready"), "1");
}

static void read_is(struct vdf_test_file *data, size_t n, const char *text)
{
    char bytes[16] = { 0 };
    ssize_t ret = vdf_test_file_read(data, bytes, n);

    cr_assert_eq(ret, (ssize_t)strlen(text), "%zd", ret);
    cr_assert_str_eq(bytes, text);
}

/* A half-read buffer goes on where it was if it is the same; another driver's first one has the
 * same index and the same head. */
Test(vhost_user, a_half_read_buffer_is_known_again)
{
    static const struct {
        const char *bytes;
        uint32_t len;
        const char *read;
    } next[] = { { "abcdefgh", 8, "defgh" },
                 { "abXdefgh", 8, "abXdefgh" },
                 { "abcdef", 6, "abcdef" } };
    uint8_t *buffer = fe.mem + FE_BUFFERS + 0x400;
    struct vdf_vu_vring_state base = { 1, 0 };
    struct vdf_test_file *data;
    int error;

    fe_up();
    cr_assert_eq(vdf_test_write(CON "ports/0/overflow", "hold"), 0);
    data = vdf_test_open(CON "ports/0/data", O_RDWR, &error);
    for (unsigned n = 0; n < 3; n++) {
        memcpy(buffer, "abcdefgh", 8);
        fe_desc(1, 0, FE_GUEST + FE_BUFFERS + 0x400, 8, 0);
        fe_available(1, 0, 16);
        vdf_vhost_user_kicked(fe.vu);
        read_is(data, 3, "abc");
        cr_assert_eq(fe_ask(VDF_VU_GET_VRING_BASE, &base, 8, NULL, 0, &base, 8), 8);
        cr_assert_eq(base.num, n);
        memcpy(buffer, next[n].bytes, next[n].len);
        fe_desc(1, 0, FE_GUEST + FE_BUFFERS + 0x400, next[n].len, 0);
        fe_start_ring(1, 16, n);
        read_is(data, sizeof("abXdefgh"), next[n].read);
    }
    vdf_test_close(data);
}

/* RING_RESET: the driver takes its buffers back, and begins again with others. */
Test(vhost_user, a_reset_ring_counts_what_it_loses)
{
    const uint64_t buffer = FE_GUEST + FE_BUFFERS + 0x400;
    struct vdf_test_file *data;
    int error;

    fe_up();
    cr_assert_eq(vdf_test_write(CON "ports/0/overflow", "hold"), 0);
    data = vdf_test_open(CON "ports/0/data", O_RDWR, &error);
    memcpy(fe.mem + FE_BUFFERS + 0x400, "abcdefgh", 8);
    fe_desc(1, 0, buffer, 8, 0);
    fe_desc(1, 1, buffer, 5, 0);
    fe_available(1, 0, 16);
    fe_available(1, 1, 16);
    vdf_vhost_user_kicked(fe.vu);
    read_is(data, 3, "abc");

    /* A pause loses nothing. */
    cr_assert_eq(fe_stop_ring(1), 0);
    fe_start_ring(1, 16, 0);
    cr_assert_eq(vdf_test_read_u64(CON "ports/0/bytes_discarded"), 0);

    /* The same index with another buffer. */
    cr_assert_eq(fe_stop_ring(1), 0);
    memcpy(fe.mem + FE_BUFFERS + 0x400, "ABCDEFGH", 8);
    fe_start_ring(1, 16, 0);
    cr_assert_eq(vdf_test_read_u64(CON "ports/0/bytes_discarded"), 5 + 5);
    read_is(data, 8, "ABCDEFGH");

    /* Another index: the unseen buffer is lost too. */
    cr_assert_eq(fe_stop_ring(1), 1);
    fe_start_ring(1, 16, 2);
    cr_assert_eq(vdf_test_read_u64(CON "ports/0/bytes_discarded"), 5 + 5 + 5);
    vdf_test_close(data);
}

/* A front end stops the rings before it resets the device. */
Test(vhost_user, a_reset_counts_what_stopped_rings_lose)
{
    struct vdf_test_file *data;
    int error;

    fe_up();
    cr_assert_eq(vdf_test_write(CON "ports/0/overflow", "hold"), 0);
    data = vdf_test_open(CON "ports/0/data", O_RDWR, &error);
    fe_desc(1, 0, FE_GUEST + FE_BUFFERS + 0x400, 8, 0);
    fe_available(1, 0, 16);
    vdf_vhost_user_kicked(fe.vu);
    cr_assert_eq(fe_stop_ring(1), 0);
    cr_assert_eq(fe_tell(VDF_VU_RESET_DEVICE, NULL, 0, NULL, 0), 0);
    cr_assert_eq(vdf_test_read_u64(CON "ports/0/bytes_discarded"), 8);
    vdf_test_close(data);
}

Test(vhost_user, memory_may_move_under_running_rings)
{
    fe_up();
    cr_assert_eq(vdf_test_read_u64(CON "queues/3/desc"), FE_GUEST + 3 * FE_PAGE);
    fe_control(VDF_CONSOLE_BAD_ID, VDF_CONSOLE_DEVICE_READY, 1);
    cr_assert_eq(fe_memory(4 * FE_GUEST), 0);
    cr_assert_eq(vdf_test_read_u64(CON "queues/3/desc"), 4 * FE_GUEST + 3 * FE_PAGE);
    fe_desc(3, 1, 4 * FE_GUEST + FE_BUFFERS, 8, 0);
    memcpy(fe.mem + FE_BUFFERS, &(struct vdf_console_control){ 0, VDF_CONSOLE_PORT_READY, 1 }, 8);
    fe_available(3, 1, 16);
    vdf_vhost_user_kicked(fe.vu);
    cr_assert_eq(fe_used(3), 2);
    cr_assert_str_eq(vdf_test_read(CON "ports/0/ready"), "1");
}

Test(vhost_user, slots_of_memory)
{
    struct vdf_vu_one_region one = { 0, { FE_GUEST, FE_MEMORY, FE_USER, 0 } };
    uint64_t slots;

    fe_negotiate(FE_FEATURES);
    cr_assert_eq(fe_ask(VDF_VU_GET_MAX_MEM_SLOTS, NULL, 0, NULL, 0, &slots, 8), 8);
    for (unsigned i = 0; i < slots; i++) {
        one.region.guest = FE_GUEST + (uint64_t)i * FE_MEMORY;
        one.region.user = FE_USER + (uint64_t)i * FE_MEMORY;
        cr_assert_eq(fe_tell(VDF_VU_ADD_MEM_REG, &one, sizeof(one), &fe.memfd, 1), 0);
    }
    fe_start_ring(0, 16, 0);
    cr_assert_eq(fe_tell(VDF_VU_REM_MEM_REG, &one, sizeof(one), NULL, 0), 0);
    cr_assert_eq(fe_tell(VDF_VU_ADD_MEM_REG, &one, sizeof(one), &fe.memfd, 1), 0);
    one.region.guest = FE_GUEST / 2;
    one.region.user = FE_USER / 2;
    cr_assert_eq(fe_tell(VDF_VU_ADD_MEM_REG, &one, sizeof(one), &fe.memfd, 1), 0);
    fe_last_error("no more are possible");
    close(fe.sock);
    vdf_vhost_user_receive(fe.vu);

    fe_connect();
    fe_negotiate(FE_FEATURES);
    one.region = (struct vdf_vu_region){ FE_GUEST, FE_MEMORY, FE_USER, 0 };
    cr_assert_eq(fe_tell(VDF_VU_ADD_MEM_REG, &one, sizeof(one), &fe.memfd, 1), 0);
    fe_start_ring(0, 16, 0);
    cr_assert(fe.vu->rings[0].active);
    cr_assert_eq(fe_tell(VDF_VU_REM_MEM_REG, &one, sizeof(one), NULL, 0), 0);
    fe_last_error("not all are in the front end's memory");
    cr_assert_not(fe.vu->rings[0].active);
    cr_assert_eq(fe_tell(VDF_VU_ADD_MEM_REG, &one, sizeof(one), &fe.memfd, 1), 0);
    cr_assert(fe.vu->rings[0].active);
    /* Stopped while its memory is away, it stays so. */
    cr_assert_eq(fe_tell(VDF_VU_REM_MEM_REG, &one, sizeof(one), NULL, 0), 0);
    fe_stop_ring(0);
    cr_assert_eq(fe_tell(VDF_VU_ADD_MEM_REG, &one, sizeof(one), &fe.memfd, 1), 0);
    cr_assert_not(fe.vu->rings[0].active);
}

/* Buffers that were taken and not given back are found again, also with another base. */
Test(vhost_user, what_was_in_flight_is_taken_again)
{
    struct vdf_vu_inflight inflight = { .n_queues = FE_RINGS, .queue_size = 16 };
    int data = eventfd(0, 0);

    fe_up();
    fe_control(VDF_CONSOLE_BAD_ID, VDF_CONSOLE_DEVICE_READY, 1);
    cr_assert_eq(fe_used(3), 1);
    fe_stop_ring(3);
    fe_control(0, VDF_CONSOLE_PORT_READY, 1);
    cr_assert_eq(fe_used(3), 1);
    /* From its index on, as a front end that has lost its back-end may say. */
    fe_start_ring(3, 16, 2);
    cr_assert_eq(fe_used(3), 1);
    fe_stop_ring(3);
    cr_assert_eq(fe_ask(VDF_VU_GET_INFLIGHT_FD, &inflight, 20, NULL, 0, &inflight, 20), FE_EMPTY,
                 "not negotiated");
    cr_assert_eq(fe_u64(VDF_VU_SET_PROTOCOL_FEATURES, FE_PROTOCOL | VDF_VU_P_INFLIGHT), 0);
    cr_assert_eq(fe_ask(VDF_VU_GET_INFLIGHT_FD, &inflight, 20, NULL, 0, &inflight, 20), 20);
    cr_assert_eq(inflight.size, FE_RINGS * 320);
    cr_assert_eq(fe_tell(VDF_VU_SET_INFLIGHT_FD, &inflight, 20, &data, 1), 0);
    fe_last_error("one file in memory");
    cr_assert_eq(fe_tell(VDF_VU_SET_INFLIGHT_FD, &inflight, 20, &fe.memfd, 1), 0);
    fe_start_ring(3, 16, 2);
    cr_assert_eq(fe_used(3), 2);
    cr_assert_str_eq(vdf_test_read(CON "ports/0/ready"), "1");
    close(data);
}

/* A ring that is kicked by nothing is looked at, which here the test does. */
Test(vhost_user, a_ring_without_a_kick_is_polled)
{
    fe_up();
    fe_stop_ring(3);
    cr_assert_null(fe.vu->poller);
    cr_assert_eq(fe_u64(VDF_VU_SET_VRING_KICK, 0x103), 0);
    cr_assert(fe.vu->rings[3].active);
    cr_assert_not_null(fe.vu->poller);
    fe_control(VDF_CONSOLE_BAD_ID, VDF_CONSOLE_DEVICE_READY, 1);
    cr_assert_eq(fe_used(3), 1);
    fe_stop_ring(3);
    cr_assert_null(fe.vu->poller);
}

Test(vhost_user, bit_30_may_come_while_rings_run)
{
    cr_assert_eq(fe_u64(VDF_VU_SET_FEATURES, FE_FEATURES & ~VDF_VU_F_PROTOCOL_FEATURES), 0);
    cr_assert_eq(fe_memory(FE_GUEST), 0);
    cr_assert_eq(fe_ring(VDF_VU_SET_VRING_NUM, 0, 16), 0);
    cr_assert_eq(fe_addr(0, FE_USER), 0);
    cr_assert_eq(fe_fd(VDF_VU_SET_VRING_KICK, 0, fe.kick[0]), 0);
    cr_assert(fe.vu->rings[0].active);
    cr_assert_eq(fe_u64(VDF_VU_SET_FEATURES, FE_FEATURES), 0);
    cr_assert_eq(fe_fd(VDF_VU_SET_VRING_KICK, 0, fe.kick[0]), 0);
    cr_assert(fe.vu->rings[0].active);
}

/* RESET_OWNER is deprecated, and had several meanings. */
Test(vhost_user, reset_owner_resets_nothing)
{
    fe_up();
    fe_control(VDF_CONSOLE_BAD_ID, VDF_CONSOLE_DEVICE_READY, 1);
    cr_assert_eq(fe_tell(VDF_VU_RESET_OWNER, NULL, 0, NULL, 0), 0);
    cr_assert(fe.con->device_ready);
    cr_assert(fe.vu->rings[3].active);
}

Test(vhost_user, a_suspended_device_sends_nothing)
{
    int pair[2];
    struct vdf_vu_header header;

    fe_negotiate(FE_FEATURES & ~VDF_CONSOLE_F_MULTIPORT);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    cr_assert_eq(fe_tell(VDF_VU_SET_BACKEND_REQ_FD, NULL, 0, &pair[1], 1), 0);
    close(pair[1]);
    cr_assert_eq(vdf_test_write(CON "size", "100 40"), 0);
    cr_assert_lt(recv(pair[0], &header, sizeof(header), MSG_DONTWAIT), 0);
    cr_assert_eq(fe_memory(FE_GUEST), 0);
    fe_start_ring(0, 16, 0);
    cr_assert_eq(recv(pair[0], &header, sizeof(header), MSG_DONTWAIT), sizeof(header));
    fe_stop_ring(0);
    /* Nor does one whose front end has not negotiated CONFIG. */
    cr_assert_eq(fe_u64(VDF_VU_SET_PROTOCOL_FEATURES, FE_PROTOCOL & ~VDF_VU_P_CONFIG), 0);
    fe_start_ring(0, 16, 0);
    cr_assert_eq(vdf_test_write(CON "size", "101 40"), 0);
    cr_assert_lt(recv(pair[0], &header, sizeof(header), MSG_DONTWAIT), 0);
    close(pair[0]);
}

/* One kick is all that a driver gives for as many buffers as a ring holds. */
Test(vhost_user, a_kick_is_for_all_buffers)
{
    const uint16_t num = 256;

    fe_up();
    cr_assert_eq(fe_ring(VDF_VU_SET_VRING_ENABLE, 5, 0), 0);
    fe_start_ring(5, num, 0);
    for (uint16_t i = 0; i < num; i++) {
        fe_desc(5, i, FE_GUEST + FE_BUFFERS, 10, 0);
        fe_available(5, i, num);
    }
    fe_called(5);
    vdf_test_mkdir(CON "ports/1");
    vdf_vhost_user_kicked(fe.vu);
    cr_assert_eq(fe_used(5), num);
    cr_assert_eq(vdf_test_read_u64(CON "ports/1/bytes_discarded"), 10u * num);
    cr_assert_eq(fe_called(5), 1);
}

Test(vhost_user, errors_are_told_by_the_rings_descriptor)
{
    int err = eventfd(0, EFD_NONBLOCK), pair[2];
    uint64_t value = 0;
    struct vdf_vu_header header;

    fe_up();
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    cr_assert_eq(fe_tell(VDF_VU_SET_BACKEND_REQ_FD, NULL, 0, &pair[1], 1), 0);
    close(pair[1]);
    cr_assert_eq(fe_fd(VDF_VU_SET_VRING_ERR, 3, err), 0);
    fe_desc(3, 0, 0, 8, 0);
    fe_available(3, 0, 16);
    vdf_vhost_user_kicked(fe.vu);
    cr_assert_eq(read(err, &value, 8), 8);
    cr_assert_eq(value, 1);
    cr_assert_eq(recv(pair[0], &header, sizeof(header), MSG_DONTWAIT), sizeof(header));
    cr_assert_eq(header.request, VDF_VU_BACKEND_CONFIG_CHANGE);
    cr_assert_str_eq(vdf_test_read(CON "status"), "0x4f");
    close(err);
    close(pair[0]);
}

/* A counter that the front end has filled, of an eventfd that it has made to block. */
Test(vhost_user, a_full_counter_does_not_stop_the_device)
{
    int err = eventfd(0, 0);
    uint64_t value;

    fe_up();
    cr_assert_eq(fe_fd(VDF_VU_SET_VRING_ERR, 3, err), 0);
    fe_called(3);
    cr_assert_eq(fcntl(fe.call[3], F_SETFL, 0), 0);
    cr_assert_eq(eventfd_write(fe.call[3], UINT64_MAX - 1), 0);
    cr_assert_eq(eventfd_write(err, UINT64_MAX - 1), 0);
    fe_control(VDF_CONSOLE_BAD_ID, VDF_CONSOLE_DEVICE_READY, 1);
    fe_control(0, VDF_CONSOLE_PORT_READY, 1);
    cr_assert_eq(fe_used(3), 2);
    cr_assert_str_eq(vdf_test_read(CON "ports/0/ready"), "1");
    fe_desc(3, 2, 0, 8, 0);
    fe_available(3, 2, 16);
    vdf_vhost_user_kicked(fe.vu);
    cr_assert_str_eq(vdf_test_read(CON "status"), "0x4f");
    cr_assert_eq(read(err, &value, sizeof(value)), sizeof(value));
    cr_assert_eq(value, UINT64_MAX);
    close(err);
}

/* A descriptor whose close takes its time keeps the front end's next message unread. */
Test(vhost_user, messages_wait_for_the_close_of_descriptors)
{
    int pipes[2];

    cr_assert_eq(pipe(pipes), 0);
    fe_post(VDF_VU_SET_OWNER, VDF_VU_VERSION, NULL, 0, NULL, 0);
    vdf_vhost_user_receive(fe.vu);
    fe.vu->passed.closing++;
    fe_post(VDF_VU_SET_VRING_NUM, VDF_VU_VERSION, &(struct vdf_vu_vring_state){ 5, 32 }, 8, NULL,
            0);
    vdf_vhost_user_receive(fe.vu);
    cr_assert_eq(fe.vu->rings[5].num, 0);
    cr_assert(vdf_foreign_close(pipes, 2, fe.vu->passed.closed));
    while (fe.vu->passed.closing)
        vdf_vhost_user_receive(fe.vu);
    cr_assert_eq(fe.vu->rings[5].num, 32);
}

/* A front end that does not read its messages loses only repetitions. */
Test(vhost_user, changes_of_the_configuration_are_told_once_there_is_room)
{
    int pair[2], small = 1;
    unsigned told = 0;
    char size[32];
    struct vdf_vu_header header;

    fe_negotiate(FE_FEATURES & ~VDF_CONSOLE_F_MULTIPORT);
    cr_assert_eq(fe_memory(FE_GUEST), 0);
    fe_start_ring(0, 16, 0);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    cr_assert_eq(fe_tell(VDF_VU_SET_BACKEND_REQ_FD, NULL, 0, &pair[1], 1), 0);
    close(pair[1]);
    for (unsigned i = 1; i < 5000 && !fe.vu->config_pending; i++) {
        snprintf(size, sizeof(size), "%u 1", i);
        cr_assert_eq(vdf_test_write(CON "size", size), 0);
    }
    cr_assert(fe.vu->config_pending);
    while (recv(pair[0], &header, sizeof(header), MSG_DONTWAIT) == sizeof(header))
        told++;
    cr_assert_gt(told, 0);
    vdf_vhost_user_send_config(fe.vu);
    cr_assert_not(fe.vu->config_pending);
    cr_assert_eq(recv(pair[0], &header, sizeof(header), MSG_DONTWAIT), sizeof(header));
    close(pair[0]);
    vdf_vhost_user_send_config(fe.vu);
    cr_assert_eq(fe.vu->backend_fd, -1);
    fe_last_error("takes no requests");
}

Test(vhost_user, memory_that_is_cut_is_noticed)
{
    fe_up();
    cr_assert_eq(ftruncate(fe.memfd, 0), 0);
    vdf_vhost_user_kicked(fe.vu);
    cr_assert_eq(fe.vu->fd, -1);
    fe_last_error("has cut a file");
    cr_assert_eq(fe.con->space.n, 0);
}
