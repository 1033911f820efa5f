/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Descriptors that another process has passed never make the caller wait. The time limit of all
 * tests ends a test that waits for ever. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <virtdevfs/foreign.h>

#include "skip.h"

#define FULL (UINT64_MAX - 1)

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

Test(foreign, kinds)
{
    int pair[2], pipes[2], inet = socket(AF_INET, SOCK_STREAM, 0);

    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    cr_assert_eq(pipe(pipes), 0);
    cr_assert_eq(vdf_foreign_kind(eventfd(0, 0)), VDF_FOREIGN_EVENTFD);
    cr_assert_eq(vdf_foreign_kind(pair[0]), VDF_FOREIGN_SOCKET);
    cr_assert_eq(vdf_foreign_kind(memfd_create("anon_inode:[eventfd]", 0)), VDF_FOREIGN_MEMORY);
    cr_assert_eq(vdf_foreign_kind(pipes[0]), VDF_FOREIGN_OTHER);
    cr_assert_eq(vdf_foreign_kind(open("/proc/self/status", O_RDONLY)), VDF_FOREIGN_OTHER);
    cr_assert_eq(vdf_foreign_kind(-1), VDF_FOREIGN_OTHER);
    if (inet >= 0)
        cr_assert_eq(vdf_foreign_kind(inet), VDF_FOREIGN_OTHER);
}

static enum vdf_engine_kind engines[] = { VDF_ENGINE_IO_URING, VDF_ENGINE_LIBAIO };

ParameterizedTestParameters(foreign, a_full_counter_does_not_make_a_signal_wait)
{
    return cr_make_param_array(enum vdf_engine_kind, engines, 2);
}

ParameterizedTest(enum vdf_engine_kind *kind, foreign, a_full_counter_does_not_make_a_signal_wait)
{
    struct vdf_engine *engine;
    struct vdf_signal *signal;
    struct vdf_err err = { 0 };
    int fd = eventfd(0, 0), other = eventfd(0, EFD_NONBLOCK);
    uint64_t value;

    if (vdf_engine_create(*kind, &engine, &err))
        skip_test("no engine here: %s", err.text);
    cr_assert_eq(vdf_signal_open(engine, 0, &signal), -EINVAL);
    cr_assert_eq(vdf_signal_open(engine, fd, &signal), 0);
    for (unsigned i = 1; i <= 1000; i++)
        cr_assert_eq(vdf_signal_raise(signal), 0);
    cr_assert_eq(read(fd, &value, sizeof(value)), sizeof(value));
    cr_assert_eq(value, 1000);
    cr_assert_eq(eventfd_write(fd, FULL), 0);
    for (unsigned i = 0; i < 4; i++)
        cr_assert_eq(vdf_signal_raise(signal), 0);
    cr_assert_eq(read(fd, &value, sizeof(value)), sizeof(value));
    cr_assert_eq(value, UINT64_MAX);

    /* Its descriptor may be closed; another signal does not write to it. */
    close(fd);
    cr_assert_eq(vdf_signal_raise(signal), 0);
    vdf_signal_close(signal);
    cr_assert_eq(vdf_signal_open(engine, other, &signal), 0);
    cr_assert_eq(vdf_signal_raise(signal), 0);
    cr_assert_eq(read(other, &value, sizeof(value)), sizeof(value));
    cr_assert_eq(value, 1);
    vdf_signal_close(signal);
    vdf_engine_destroy(engine);
}

Test(foreign, what_cannot_wait_is_closed_at_once)
{
    int pair[2];

    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    close(pair[1]);
    int fds[] = { eventfd(0, 0), memfd_create("foreign", 0), pair[0] };

    cr_assert_not(vdf_foreign_close(fds, 3, -1));
    for (unsigned i = 0; i < 3; i++)
        cr_assert_not(is_open(fds[i]));
}

/* A connection that lingers for bytes that its peer does not read. */
static void lingering(int *fd, int *peer)
{
    struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct linger linger = { .l_onoff = 1, .l_linger = 3600 };
    socklen_t size = sizeof(addr);
    char bytes[65536] = { 0 };
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    *fd = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&addr, size) || listen(listener, 1) ||
        getsockname(listener, (struct sockaddr *)&addr, &size) ||
        connect(*fd, (struct sockaddr *)&addr, size))
        skip_test("no TCP here: %s", strerror(errno));
    *peer = accept(listener, NULL, NULL);
    cr_assert_geq(*peer, 0);
    close(listener);
    while (send(*fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
        ;
    cr_assert_eq(setsockopt(*fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
}

Test(foreign, a_close_that_lingers_does_not_wait)
{
    int done = eventfd(0, 0), fd, peer;
    struct pollfd poll_fd = { .fd = done, .events = POLLIN };
    struct linger reset = { .l_onoff = 1, .l_linger = 0 };
    uint64_t value;

    lingering(&fd, &peer);
    cr_assert(vdf_foreign_close(&fd, 1, done));
    cr_assert_eq(poll(&poll_fd, 1, 0), 0, "the close has not lingered");
    /* Others are closed meanwhile. */
    int pipes[2];
    cr_assert_eq(pipe(pipes), 0);
    cr_assert(vdf_foreign_close(pipes, 2, done));
    cr_assert_eq(read(done, &value, sizeof(value)), sizeof(value));
    cr_assert_eq(value, 1);
    cr_assert_not(is_open(pipes[0]));

    cr_assert_eq(setsockopt(peer, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
    close(peer);
    cr_assert_eq(read(done, &value, sizeof(value)), sizeof(value));
    cr_assert_eq(value, 1);
}

/* The same connection, unread in a socket that is closed. */
Test(foreign, what_lies_in_a_socket_does_not_make_its_close_wait)
{
    int done = eventfd(0, 0), pair[2], fd, peer;
    struct linger reset = { .l_onoff = 1, .l_linger = 0 };
    char control[CMSG_SPACE(sizeof(int))] = { 0 }, byte = 0;
    struct iovec iov = { &byte, 1 };
    struct msghdr mh = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
    };
    struct cmsghdr *c = CMSG_FIRSTHDR(&mh);
    uint64_t value;

    lingering(&fd, &peer);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    *c = (struct cmsghdr){ CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
    memcpy(CMSG_DATA(c), &fd, sizeof(fd));
    cr_assert_eq(sendmsg(pair[0], &mh, 0), 1);
    close(fd);
    close(pair[0]);
    shutdown(pair[1], SHUT_RDWR);
    cr_assert(vdf_foreign_close(&pair[1], 1, done));
    cr_assert_eq(setsockopt(peer, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
    close(peer);
    cr_assert_eq(read(done, &value, sizeof(value)), sizeof(value));
}
