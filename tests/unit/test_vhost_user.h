/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A vhost-user front end in the same process as the device, for unit tests: what the engine would
 * do when a message has come or a ring was kicked is done by call. con0 is served; its memory is
 * one file of FE_MEMORY bytes at guest address FE_GUEST.
 */
#ifndef VDF_TEST_VHOST_USER_H
#define VDF_TEST_VHOST_USER_H

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "backends/console/vhost_user_server.h"
#include "harness.h"

#define CON "console/con0/"
#define FE_MEMORY 0x100000u
#define FE_GUEST 0x200000u
#define FE_USER 0x7f0000000000u
#define FE_RINGS 8u
#define FE_PAGE \
    0x2000u /* a ring's part of the memory: descriptors, 0x1000 available, 0x1800 used */
#define FE_BUFFERS 0x40000u

#define FE_CLOSED (-1000)
#define FE_EMPTY (-1001) /* a reply without a payload */

struct fe {
    struct vdf_console *con;
    struct vdf_vhost_user *vu;
    char dir[32], path[48];
    int sock, memfd;
    uint8_t *mem;
    int kick[FE_RINGS], call[FE_RINGS];
    uint16_t avail[FE_RINGS];
};

static struct fe fe;

static inline void fe_connect(void)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    int fd;

    fe.sock = socket(AF_UNIX, SOCK_STREAM, 0);
    strcpy(addr.sun_path, fe.path);
    cr_assert_eq(connect(fe.sock, (struct sockaddr *)&addr, sizeof(addr)), 0, "%s",
                 strerror(errno));
    fd = accept4(fe.vu->listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    cr_assert_geq(fd, 0);
    cr_assert_eq(vdf_vhost_user_connect(fe.vu, fd, NULL), 0);
}

/* Serve con0, which may have been set up before. */
static inline void fe_start(void)
{
    strcpy(fe.dir, "/tmp/vdf-fe.XXXXXX");
    cr_assert(mkdtemp(fe.dir));
    snprintf(fe.path, sizeof(fe.path), "%s/socket", fe.dir);
    cr_assert_eq(vdf_test_write(CON "vhost_user", fe.path), 0, "%s", vdf_test_last_error());
    fe.con = vdf_obj_priv(vdf_test_obj("console/con0"));
    fe.vu = fe.con->vhost;
    fe.memfd = memfd_create("fe", 0);
    cr_assert_eq(ftruncate(fe.memfd, FE_MEMORY), 0);
    fe.mem = mmap(NULL, FE_MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, fe.memfd, 0);
    for (unsigned i = 0; i < FE_RINGS; i++) {
        fe.kick[i] = eventfd(0, 0);
        fe.call[i] = eventfd(0, EFD_NONBLOCK);
    }
    fe_connect();
}

static inline void fe_end(void)
{
    close(fe.sock);
    close(fe.memfd);
    munmap(fe.mem, FE_MEMORY);
    for (unsigned i = 0; i < FE_RINGS; i++) {
        close(fe.kick[i]);
        close(fe.call[i]);
    }
    vdf_test_tree_free();
    cr_assert_neq(access(fe.path, F_OK), 0, "the socket is still there");
    cr_assert_eq(rmdir(fe.dir), 0);
    memset(&fe, 0, sizeof(fe));
}

/* Send a message without having it handled. */
static inline void fe_post(uint32_t request, uint32_t flags, const void *payload, uint32_t size,
                           const int *fds, unsigned n)
{
    char control[CMSG_SPACE(VDF_VU_FDS_MAX * sizeof(int))] = { 0 };
    struct vdf_vu_header header = { request, flags, size };
    struct iovec iov[2] = { { &header, sizeof(header) }, { (void *)payload, size } };
    struct msghdr mh = { .msg_iov = iov, .msg_iovlen = 2 };

    if (n) {
        mh.msg_control = control;
        mh.msg_controllen = CMSG_SPACE(n * sizeof(int));
        struct cmsghdr *c = CMSG_FIRSTHDR(&mh);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(n * sizeof(int));
        memcpy(CMSG_DATA(c), fds, n * sizeof(int));
    }
    cr_assert_eq(sendmsg(fe.sock, &mh, MSG_NOSIGNAL), (ssize_t)(sizeof(header) + size));
}

/* The bytes of the reply's payload; 0: there is no reply; FE_EMPTY, FE_CLOSED. */
static inline int fe_reply(void *payload, size_t size)
{
    struct vdf_vu_header header;
    ssize_t n = recv(fe.sock, &header, sizeof(header), MSG_DONTWAIT);

    if (n < 0 && errno == EAGAIN)
        return 0;
    if (n <= 0)
        return FE_CLOSED;
    cr_assert_eq(n, sizeof(header));
    cr_assert_eq(header.flags, VDF_VU_VERSION | VDF_VU_REPLY);
    cr_assert_leq(header.size, size);
    if (!header.size)
        return FE_EMPTY;
    cr_assert_eq(recv(fe.sock, payload, header.size, MSG_DONTWAIT), (ssize_t)header.size);
    return (int)header.size;
}

/* A request and its reply, as fe_reply(). */
static inline int fe_ask(uint32_t request, const void *payload, uint32_t size, const int *fds,
                         unsigned n, void *reply, size_t reply_size)
{
    fe_post(request, VDF_VU_VERSION, payload, size, fds, n);
    vdf_vhost_user_receive(fe.vu);
    return fe_reply(reply, reply_size);
}

/* A request without a reply: 0 or FE_CLOSED. */
static inline int fe_tell(uint32_t request, const void *payload, uint32_t size, const int *fds,
                          unsigned n)
{
    uint8_t none[8];

    return fe_ask(request, payload, size, fds, n, none, 0);
}

static inline int fe_u64(uint32_t request, uint64_t value)
{
    return fe_tell(request, &value, sizeof(value), NULL, 0);
}

static inline int fe_fd(uint32_t request, uint64_t value, int fd)
{
    return fe_tell(request, &value, sizeof(value), &fd, 1);
}

static inline int fe_ring(uint32_t request, uint32_t index, uint32_t num)
{
    struct vdf_vu_vring_state state = { index, num };

    return fe_tell(request, &state, sizeof(state), NULL, 0);
}

static inline int fe_addr(uint32_t index, uint64_t base)
{
    struct vdf_vu_vring_addr addr = {
        .index = index,
        .desc = base + index * FE_PAGE,
        .avail = base + index * FE_PAGE + 0x1000,
        .used = base + index * FE_PAGE + 0x1800,
    };

    return fe_tell(VDF_VU_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0);
}

static inline int fe_memory(uint64_t guest)
{
    struct vdf_vu_table table = { .n = 1, .regions = { { guest, FE_MEMORY, FE_USER, 0 } } };

    return fe_tell(VDF_VU_SET_MEM_TABLE, &table, 8 + sizeof(table.regions[0]), &fe.memfd, 1);
}

#define FE_PROTOCOL                                                                 \
    (VDF_VU_P_MQ | VDF_VU_P_CONFIG | VDF_VU_P_BACKEND_REQ | VDF_VU_P_RESET_DEVICE | \
     VDF_VU_P_MEM_SLOTS)
#define FE_FEATURES (VDF_CONSOLE_F_VERSION_1 | VDF_CONSOLE_F_MULTIPORT | VDF_VU_F_PROTOCOL_FEATURES)

static inline void fe_negotiate(uint64_t features)
{
    cr_assert_eq(fe_u64(VDF_VU_SET_PROTOCOL_FEATURES, FE_PROTOCOL), 0);
    cr_assert_eq(fe_u64(VDF_VU_SET_FEATURES, features), 0);
}

static inline void fe_start_ring(uint32_t index, uint32_t num, uint32_t base)
{
    cr_assert_eq(fe_ring(VDF_VU_SET_VRING_NUM, index, num), 0);
    cr_assert_eq(fe_ring(VDF_VU_SET_VRING_BASE, index, base), 0);
    cr_assert_eq(fe_addr(index, FE_USER), 0);
    cr_assert_eq(fe_fd(VDF_VU_SET_VRING_CALL, index, fe.call[index]), 0);
    cr_assert_eq(fe_fd(VDF_VU_SET_VRING_KICK, index, fe.kick[index]), 0);
    cr_assert_eq(fe_ring(VDF_VU_SET_VRING_ENABLE, index, 1), 0);
}

static inline uint32_t fe_stop_ring(uint32_t index)
{
    struct vdf_vu_vring_state state = { index, 0 };

    cr_assert_eq(
        fe_ask(VDF_VU_GET_VRING_BASE, &state, sizeof(state), NULL, 0, &state, sizeof(state)), 8);
    return state.num;
}

/* Everything up to running rings of 16 entries; the console is one with MULTIPORT. */
static inline void fe_up(void)
{
    fe_negotiate(FE_FEATURES);
    cr_assert_eq(fe_memory(FE_GUEST), 0);
    for (uint32_t i = 0; i < FE_RINGS; i++)
        fe_start_ring(i, 16, 0);
}

static inline void fe_desc(unsigned ring, unsigned n, uint64_t addr, uint32_t len, uint16_t flags)
{
    struct {
        uint64_t addr;
        uint32_t len;
        uint16_t flags, next;
    } desc = { addr, len, flags, 0 };

    memcpy(fe.mem + ring * FE_PAGE + n * sizeof(desc), &desc, sizeof(desc));
}

static inline void fe_available(unsigned ring, uint16_t head, uint16_t num)
{
    uint8_t *avail = fe.mem + ring * FE_PAGE + 0x1000;

    memcpy(avail + 4 + 2 * (fe.avail[ring]++ % num), &head, 2);
    memcpy(avail + 2, &fe.avail[ring], 2);
}

static inline uint16_t fe_used(unsigned ring)
{
    uint16_t idx;

    memcpy(&idx, fe.mem + ring * FE_PAGE + 0x1802, 2);
    return idx;
}

static inline uint64_t fe_called(unsigned ring)
{
    uint64_t value;

    return read(fe.call[ring], &value, sizeof(value)) == sizeof(value) ? value : 0;
}

/* A message of the driver, by the control queue. */
static inline void fe_control(uint32_t id, uint16_t event, uint16_t value)
{
    struct vdf_console_control message = { id, event, value };
    uint16_t head = fe.avail[3] % 16;

    memcpy(fe.mem + FE_BUFFERS + head * 8, &message, sizeof(message));
    fe_desc(3, head, FE_GUEST + FE_BUFFERS + head * 8u, sizeof(message), 0);
    fe_available(3, head, 16);
    vdf_vhost_user_kicked(fe.vu);
}

static inline void fe_last_error(const char *text)
{
    cr_assert(strstr(vdf_test_last_error(), text), "\"%s\" has no \"%s\"", vdf_test_last_error(),
              text);
}

#endif
