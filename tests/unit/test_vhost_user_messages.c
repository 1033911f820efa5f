/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every vhost-user message, one row each: right, too short, too long, with other descriptors,
 * before its protocol feature was negotiated, and with a value that is refused; each with and
 * without NEED_REPLY, and with and without REPLY_ACK and VHOST_USER_F_PROTOCOL_FEATURES. A refusal
 * is answered, and leaves the connection as it is.
 */
#include <fcntl.h>

#include "test_vhost_user.h"

#define ALL (FE_PROTOCOL | VDF_VU_P_REPLY_ACK | VDF_VU_P_INFLIGHT | VDF_VU_P_STATUS)

enum passed {
    NOTHING,
    EVENT,
    MEMORY,
    SOCKET,
};

struct message {
    const char *name;
    uint32_t id;
    uint32_t size;    /* of the payload */
    int reply;        /* bytes of a reply of its own */
    enum passed fd;   /* the descriptor that has to come along */
    bool longer;      /* more payload is no mistake */
    bool spare;       /* nor is one descriptor that is not used */
    uint64_t needs;   /* protocol feature */
    uint64_t good[8]; /* payload that is accepted */
    uint64_t bad[8];  /* and one that is not; all zero: there is none */
};

#define LOW(low, high) ((uint64_t)(low) | (uint64_t)(high) << 32)
#define REGION FE_GUEST + 2 * FE_MEMORY, FE_MEMORY, FE_USER + 2 * FE_MEMORY, 0

static const struct message messages[] = {
    { "GET_FEATURES", 1, 0, .reply = 8 },
    { "SET_FEATURES", 2, 8, .good = { FE_FEATURES }, .bad = { UINT64_C(1) << 63 } },
    { "SET_OWNER", 3, .size = 0 },
    { "RESET_OWNER", 4, .size = 0 },
    { "SET_MEM_TABLE", 5, 40, .fd = MEMORY, .longer = true,
      .good = { 1, FE_GUEST, FE_MEMORY, FE_USER, 0 }, .bad = { 1, FE_GUEST, 0, FE_USER, 0 } },
    { "SET_VRING_NUM", 8, 8, .good = { LOW(7, 32) }, .bad = { LOW(7, 33) } },
    { "SET_VRING_ADDR", 9, 40, .good = { 7, FE_USER, FE_USER, FE_USER },
      .bad = { LOW(7, 1), FE_USER, FE_USER, FE_USER } },
    { "SET_VRING_BASE", 10, 8, .good = { LOW(7, 5) }, .bad = { LOW(7, 65536) } },
    { "GET_VRING_BASE", 11, 8, .reply = 8, .good = { 7 }, .bad = { 255 } },
    { "SET_VRING_KICK", 12, 8, .fd = EVENT, .good = { 7 }, .bad = { 255 } },
    { "SET_VRING_CALL", 13, 8, .fd = EVENT, .good = { 7 }, .bad = { 255 } },
    { "SET_VRING_ERR", 14, 8, .fd = EVENT, .good = { 7 }, .bad = { 255 } },
    { "GET_PROTOCOL_FEATURES", 15, 0, .reply = 8 },
    { "GET_QUEUE_NUM", 17, 0, .reply = 8, .needs = VDF_VU_P_MQ },
    { "SET_VRING_ENABLE", 18, 8, .good = { LOW(7, 1) }, .bad = { LOW(7, 2) } },
    { "SET_BACKEND_REQ_FD", 21, 0, .fd = SOCKET, .needs = VDF_VU_P_BACKEND_REQ },
    { "GET_CONFIG", 24, 20, .reply = 20, .longer = false, .needs = VDF_VU_P_CONFIG,
      .good = { LOW(0, 8), 0 }, .bad = { LOW(256, 8), 0 } },
    /* Of a migration, with the value that is there: cols and rows. */
    { "SET_CONFIG", 25, 16, .needs = VDF_VU_P_CONFIG, .good = { LOW(12, 4), 1 },
      .bad = { LOW(0, 4), 0 } },
    { "GET_INFLIGHT_FD", 31, 20, .reply = 20, .longer = true, .needs = VDF_VU_P_INFLIGHT,
      .good = { 0, 0, 8 | 16 << 16 }, .bad = { 0, 0, 8 | 2048 << 16 } },
    { "SET_INFLIGHT_FD", 32, 20, .fd = MEMORY, .longer = true, .needs = VDF_VU_P_INFLIGHT,
      .good = { 4096, 0, 8 | 16 << 16 }, .bad = { 64, 0, 8 | 16 << 16 } },
    { "RESET_DEVICE", 34, 0, .needs = VDF_VU_P_RESET_DEVICE },
    { "GET_MAX_MEM_SLOTS", 36, 0, .reply = 8, .needs = VDF_VU_P_MEM_SLOTS },
    { "ADD_MEM_REG", 37, 40, .fd = MEMORY, .needs = VDF_VU_P_MEM_SLOTS, .good = { 0, REGION },
      .bad = { 0, FE_GUEST, 0, FE_USER, 0 } },
    { "REM_MEM_REG", 38, 40, .spare = true, .needs = VDF_VU_P_MEM_SLOTS, .good = { 0, REGION },
      .bad = { 0, FE_GUEST / 2, FE_MEMORY, FE_USER, 0 } },
    { "SET_STATUS", 39, 8, .needs = VDF_VU_P_STATUS, .good = { 3 }, .bad = { 256 } },
    { "GET_STATUS", 40, 0, .reply = 8, .needs = VDF_VU_P_STATUS },
};

#define N_MESSAGES (sizeof(messages) / sizeof(messages[0]))

static int sockets[2];

static void setup(void)
{
    vdf_test_tree(false);
    fe_start();
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
}

static void end(void)
{
    close(sockets[0]);
    close(sockets[1]);
    fe_end();
}

TestSuite(vhost_user_messages, .init = setup, .fini = end);

static void again(uint64_t features, uint64_t protocol)
{
    close(fe.sock);
    vdf_vhost_user_receive(fe.vu);
    cr_assert_eq(fe.vu->fd, -1);
    while (fe.vu->passed.closing)
        vdf_vhost_user_receive(fe.vu);
    fe_connect();
    if (features)
        cr_assert_eq(fe_u64(VDF_VU_SET_FEATURES, features), 0);
    cr_assert_eq(fe_u64(VDF_VU_SET_PROTOCOL_FEATURES, protocol), 0);
}

static int descriptor(const struct message *m)
{
    return m->fd == MEMORY ? fe.memfd : m->fd == SOCKET ? sockets[0] : fe.kick[7];
}

/* The reply of a message of any size with @n times the right descriptor. */
static int sent(const struct message *m, const uint64_t *payload, uint32_t size, unsigned n,
                uint32_t flags, uint8_t *reply, size_t reply_size)
{
    uint8_t bytes[VDF_VU_PAYLOAD_MAX] = { 0 };
    int fds[VDF_VU_FDS_MAX];

    memcpy(bytes, payload, sizeof(messages[0].good));
    for (unsigned i = 0; i < VDF_VU_FDS_MAX; i++)
        fds[i] = descriptor(m);
    fe_post(m->id, VDF_VU_VERSION | flags, bytes, size, fds, n);
    vdf_vhost_user_receive(fe.vu);
    while (fe.vu->passed.closing)
        vdf_vhost_user_receive(fe.vu);
    return fe_reply(reply, reply_size);
}

/* The expected answer. */
static void try(const struct message *m, const char *what, const uint64_t *payload, uint32_t size,
                unsigned n, bool good)
{
    bool ack = fe.vu->protocol_features & VDF_VU_P_REPLY_ACK;

    for (uint32_t flags = 0; flags <= VDF_VU_NEED_REPLY; flags += VDF_VU_NEED_REPLY) {
        uint8_t reply[VDF_VU_PAYLOAD_MAX] = { 0 };
        uint64_t value;
        int got;

        if (good && m->id == VDF_VU_REM_MEM_REG)
            cr_assert_eq(fe_tell(VDF_VU_ADD_MEM_REG, payload, size, &fe.memfd, 1), 0);
        got = sent(m, payload, size, n, flags, reply, sizeof(reply));
        if (m->reply)
            cr_assert_eq(got, good ? m->reply : FE_EMPTY, "%s, %s: %d; %s", m->name, what, got,
                         vdf_test_last_error());
        else
            cr_assert_eq(got, flags && ack ? 8 : 0, "%s, %s: %d; %s", m->name, what, got,
                         vdf_test_last_error());
        memcpy(&value, reply, sizeof(value));
        if (!m->reply && got)
            cr_assert_eq(value != 0, !good, "%s, %s: %s", m->name, what, vdf_test_last_error());
        if (!good)
            fe_last_error(m->name);
        if (good && m->id == VDF_VU_ADD_MEM_REG)
            cr_assert_eq(fe_tell(VDF_VU_REM_MEM_REG, payload, size, NULL, 0), 0);
        cr_assert_geq(fe.vu->fd, 0, "%s, %s: closed", m->name, what);
    }
}

static void all_of(const struct message *m)
{
    const uint64_t none[8] = { 0 };
    unsigned n = m->fd ? 1 : 0;

    try(m, "right", m->good, m->size, n, true);
    if (m->size)
        try(m, "too short", m->good, m->size - 1, n, false);
    if (!m->longer)
        try(m, "too long", m->good, m->size + 1, n, false);
    try(m, "too many descriptors", m->good, m->size, n + m->spare + 1, false);
    if (m->spare)
        try(m, "a spare descriptor", m->good, m->size, n + 1, true);
    if (m->fd)
        try(m, "no descriptor", m->good, m->size, 0, false);
    if (memcmp(m->bad, none, sizeof(none)))
        try(m, "refused", m->bad, m->size, n, false);
    if (m->needs) {
        cr_assert_eq(fe_u64(VDF_VU_SET_PROTOCOL_FEATURES, fe.vu->protocol_features & ~m->needs), 0);
        try(m, "not negotiated", m->good, m->size, n, false);
    }
}

Test(vhost_user_messages, with_acknowledgements)
{
    for (size_t i = 0; i < N_MESSAGES; i++) {
        again(FE_FEATURES, ALL);
        all_of(&messages[i]);
    }
}

Test(vhost_user_messages, without_acknowledgements)
{
    for (size_t i = 0; i < N_MESSAGES; i++) {
        again(FE_FEATURES, ALL & ~VDF_VU_P_REPLY_ACK);
        all_of(&messages[i]);
    }
}

Test(vhost_user_messages, without_bit_30)
{
    for (size_t i = 0; i < N_MESSAGES; i++) {
        again(FE_FEATURES & ~VDF_VU_F_PROTOCOL_FEATURES, ALL);
        all_of(&messages[i]);
    }
}

Test(vhost_user_messages, before_features)
{
    for (size_t i = 0; i < N_MESSAGES; i++) {
        again(0, ALL);
        if (messages[i].id != VDF_VU_SET_FEATURES)
            all_of(&messages[i]);
    }
}

/* Requests that are not served, among them those of other devices and of later specifications. */
Test(vhost_user_messages, unknown_ones_are_refused)
{
    const uint64_t none[8] = { 0 };

    again(FE_FEATURES, ALL);
    for (uint32_t id = 0; id < 64; id++) {
        struct message m = { "unknown request", id, .size = 0 };
        bool known = id == VDF_VU_SET_PROTOCOL_FEATURES;

        for (size_t i = 0; i < N_MESSAGES; i++)
            known |= messages[i].id == id;
        if (!known)
            try(&m, "unknown", none, 0, 0, false);
    }
}

/* Only a header that leaves open where the next message begins ends the connection. */
Test(vhost_user_messages, malformed_headers_end_the_connection)
{
    const struct vdf_vu_header headers[] = {
        { 1, 0, 0 },
        { 1, 2, 0 },
        { 1, 3, 0 },
        { 1, 5, 0 },
        { 5, 1, VDF_VU_PAYLOAD_MAX + 1 },
        { 5, 1, UINT32_MAX },
    };

    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        again(FE_FEATURES, ALL);
        cr_assert_eq(send(fe.sock, &headers[i], sizeof(headers[i]), 0), sizeof(headers[i]));
        vdf_vhost_user_receive(fe.vu);
        cr_assert_eq(fe.vu->fd, -1, "header %zu", i);
        while (fe.vu->passed.closing)
            vdf_vhost_user_receive(fe.vu);
        fe_connect();
    }
}
