/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Descriptors that come with messages. See virtdevfs/socket.h. */
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <virtdevfs/foreign.h>
#include <virtdevfs/socket.h>

static void close_aside(struct vdf_passed *passed, const int *fds, unsigned n)
{
    if (vdf_foreign_close(fds, n, passed->closed))
        passed->closing++;
}

int vdf_passed_init(struct vdf_passed *passed)
{
    *passed = (struct vdf_passed){ .closed = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
    return passed->closed < 0 ? -errno : 0;
}

void vdf_passed_destroy(struct vdf_passed *passed)
{
    vdf_passed_close_all(passed);
    if (passed->closed >= 0)
        close(passed->closed);
    passed->closed = -1;
}

int vdf_passed_take(struct vdf_passed *passed)
{
    int fd = passed->fds[0];

    passed->n = 0;
    return fd;
}

void vdf_passed_close(struct vdf_passed *passed, int fd)
{
    close_aside(passed, &fd, 1);
}

void vdf_passed_close_all(struct vdf_passed *passed)
{
    close_aside(passed, passed->fds, passed->n);
    passed->n = 0;
    passed->lost = false;
}

void vdf_passed_note(struct vdf_passed *passed, uint64_t lots)
{
    passed->closing -= lots < passed->closing ? (unsigned)lots : passed->closing;
}

bool vdf_passed_closing(struct vdf_passed *passed)
{
    uint64_t lots;

    if (passed->closing && read(passed->closed, &lots, sizeof(lots)) == (ssize_t)sizeof(lots))
        vdf_passed_note(passed, lots);
    return passed->closing;
}

/* --- messages --------------------------------------------------------------------------------- */

/* All descriptors are taken out, so that none is left open. */
static void take_fds(struct vdf_passed *passed, struct msghdr *mh)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
        size_t n;

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
            if (passed->n < VDF_PASSED_MAX) {
                passed->fds[passed->n++] = fd;
            } else {
                passed->lost = true;
                vdf_passed_close(passed, fd);
            }
        }
    }
    passed->lost |= (mh->msg_flags & MSG_CTRUNC) != 0;
}

static int errno_of(void)
{
    if (errno == EAGAIN || errno == EINTR)
        return -EAGAIN;
    return errno == ECONNRESET ? -EPIPE : -errno;
}

ssize_t vdf_socket_receive(int fd, void *bytes, size_t n, struct vdf_passed *passed, int flags)
{
    union {
        char bytes[CMSG_SPACE(VDF_PASSED_MAX * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec iov = { bytes, n };
    struct msghdr mh = {
        .msg_iov = &iov,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof(control.bytes),
    };
    ssize_t got = recvmsg(fd, &mh, flags | MSG_CMSG_CLOEXEC);

    if (got < 0)
        return errno == EAGAIN || errno == EINTR ? -EAGAIN : -errno;
    take_fds(passed, &mh);
    return got;
}

ssize_t vdf_socket_send(int fd, const struct iovec *iov, unsigned n_iov, const int *fds,
                        unsigned n_fds, int flags)
{
    union {
        char bytes[CMSG_SPACE(VDF_SOCKET_SEND_FDS * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct msghdr mh = { .msg_iov = (struct iovec *)iov, .msg_iovlen = n_iov };
    ssize_t n;

    if (n_fds) {
        control.align = (struct cmsghdr){ CMSG_LEN(n_fds * sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
        memcpy(CMSG_DATA(&control.align), fds, n_fds * sizeof(int));
        mh.msg_control = control.bytes;
        mh.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
    }
    /* The kernel takes longer to read a struct msghdr. */
    if (!n_fds && n_iov == 1)
        n = send(fd, iov->iov_base, iov->iov_len, flags | MSG_NOSIGNAL);
    else
        n = sendmsg(fd, &mh, flags | MSG_NOSIGNAL);
    return n < 0 ? errno_of() : n;
}
