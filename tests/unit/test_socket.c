/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sockets that programs use a device by: their place, and the descriptors in messages. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>
#include <virtdevfs/socket.h>

static char dir[64], path[96];
static struct vdf_passed passed;

static void setup(void)
{
    const char *tmp = getenv("TMPDIR");

    snprintf(dir, sizeof(dir), "%.40s/socket-XXXXXX", tmp ? tmp : "/tmp");
    cr_assert_not_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/s", dir);
    cr_assert_eq(vdf_passed_init(&passed), 0);
}

static void teardown(void)
{
    vdf_passed_destroy(&passed);
    unlink(path);
    rmdir(dir);
}

TestSuite(socket, .init = setup, .fini = teardown);

static int dial(void)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
    if (!connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
        return fd;
    close(fd);
    return -1;
}

Test(socket, programs_are_accepted_one_after_the_other)
{
    struct vdf_listener listener;
    struct vdf_err err = { 0 };

    cr_assert_eq(vdf_listener_open(&listener, path, &err), 0, "%s", err.text);
    cr_assert_eq(vdf_listener_accept(&listener, 0, &err), -EAGAIN);
    int program = dial();
    cr_assert_geq(program, 0);
    int served = vdf_listener_accept(&listener, 0, &err);
    cr_assert_geq(served, 0);
    cr_assert(fcntl(served, F_GETFD) & FD_CLOEXEC);
    cr_assert_eq(vdf_listener_accept(&listener, 0, &err), -EAGAIN);
    close(served);
    close(program);
    vdf_listener_close(&listener, path, &passed);
    cr_assert_eq(listener.fd, -1);
    cr_assert_neq(access(path, F_OK), 0);
    vdf_listener_close(&listener, path, &passed);
}

Test(socket, a_path_is_served_once_and_a_stale_one_replaced)
{
    struct vdf_listener one, two;
    struct vdf_err err = { 0 };

    cr_assert_eq(vdf_listener_open(&one, path, &err), 0, "%s", err.text);
    cr_assert_eq(vdf_listener_open(&two, path, &err), -EADDRINUSE);
    cr_assert_eq(two.fd, -1);
    cr_assert_eq(vdf_listener_possible(path, &err), 0, "the socket of this process may be there");
    vdf_listener_close(&one, path, &passed);

    /* As a process leaves it that was killed. */
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
    cr_assert_eq(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    close(fd);
    cr_assert_eq(vdf_listener_open(&one, path, &err), 0, "%s", err.text);

    /* A file that has taken its place stays. */
    cr_assert(vdf_listener_is_at(&one, path));
    cr_assert_eq(unlink(path), 0);
    close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    cr_assert_not(vdf_listener_is_at(&one, path));
    vdf_listener_close(&one, path, &passed);
    cr_assert_eq(access(path, F_OK), 0);
    cr_assert_eq(vdf_listener_open(&two, path, &err), -EEXIST);
    cr_assert_eq(vdf_listener_possible(path, &err), -EEXIST);
}

Test(socket, bad_paths_are_refused)
{
    char longer[200];
    struct vdf_err err = { 0 };

    memset(longer, 'x', sizeof(longer) - 1);
    longer[0] = '/';
    longer[sizeof(longer) - 1] = '\0';
    cr_assert_eq(vdf_listener_path_check("/run/s", &err), 0);
    cr_assert_eq(vdf_listener_path_check("run/s", &err), -EINVAL);
    cr_assert_eq(vdf_listener_path_check("/run/", &err), -EINVAL);
    cr_assert_eq(vdf_listener_path_check("/run/\ns", &err), -EINVAL);
    cr_assert_eq(vdf_listener_path_check(longer, &err), -ENAMETOOLONG);
}

/* How many descriptors this process has. */
static unsigned count_open(void)
{
    unsigned n = 0;

    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

Test(socket, descriptors_come_with_messages_and_are_closed)
{
    int ends[2], pipes[2], fds[VDF_SOCKET_SEND_FDS];
    char bytes[8];
    struct iovec iov = { (char *)"message", 8 };

    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    cr_assert_eq(pipe2(pipes, O_CLOEXEC), 0);
    for (unsigned i = 0; i < VDF_SOCKET_SEND_FDS; i++)
        fds[i] = pipes[0];
    unsigned before = count_open();

    cr_assert_eq(vdf_socket_receive(ends[1], bytes, 8, &passed, MSG_DONTWAIT), -EAGAIN);
    for (unsigned round = 0; round < 17; round++) {
        cr_assert_eq(vdf_socket_send(ends[0], &iov, 1, fds, VDF_SOCKET_SEND_FDS, 0), 8);
        cr_assert_eq(vdf_socket_receive(ends[1], bytes, 8, &passed, 0), 8);
        cr_assert_str_eq(bytes, "message");
    }
    cr_assert_eq(passed.n, VDF_PASSED_MAX);
    cr_assert(passed.lost, "more than fit into one message's worth");
    cr_assert(fcntl(passed.fds[0], F_GETFD) & FD_CLOEXEC);
    vdf_passed_close_all(&passed);
    cr_assert_not(passed.lost);
    while (vdf_passed_closing(&passed))
        ;
    cr_assert_eq(count_open(), before);

    close(ends[0]);
    cr_assert_eq(vdf_socket_receive(ends[1], bytes, 8, &passed, 0), 0);
    cr_assert_eq(vdf_socket_send(ends[1], &iov, 1, NULL, 0, 0), -EPIPE);
}

Test(socket, a_taken_descriptor_stays_open)
{
    int ends[2];
    char byte;
    struct iovec iov = { (char *)"x", 1 };

    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    cr_assert_eq(vdf_socket_send(ends[0], &iov, 1, &ends[0], 1, 0), 1);
    cr_assert_eq(vdf_socket_receive(ends[1], &byte, 1, &passed, 0), 1);
    int fd = vdf_passed_take(&passed);
    vdf_passed_close_all(&passed);
    cr_assert_geq(fcntl(fd, F_GETFD), 0);
    close(fd);
}
