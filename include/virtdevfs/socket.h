/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sockets of AF_UNIX on which a device is served to a program: the place of the socket, and the
 * descriptors that come with messages.
 *
 * The program at the other end is not trusted. A descriptor that it has passed may be slow to close
 * (foreign.h), so that only the functions below close one.
 */
#ifndef VIRTDEVFS_SOCKET_H
#define VIRTDEVFS_SOCKET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <virtdevfs/error.h>

/* --- descriptors that come with messages ------------------------------------------------------- */

#define VDF_PASSED_MAX 253u /* the kernel passes no more at once */

/* The descriptors of a message. */
struct vdf_passed {
    int fds[VDF_PASSED_MAX];
    unsigned n;
    bool lost; /* there were more, which were closed */

    /* Descriptors that another thread is closing. Their user reads no message and serves no other
     * program meanwhile, so that the number of open descriptors is limited. */
    int closed;       /* an eventfd that counts the lots that are closed */
    unsigned closing; /* lots of them */
};

/** vdf_passed_init() - no descriptors. Return: 0 or -errno of eventfd(2). */
int vdf_passed_init(struct vdf_passed *passed);
/** vdf_passed_destroy() - close the descriptors, and do not wait for those that are slow to close. */
void vdf_passed_destroy(struct vdf_passed *passed);
/** vdf_passed_take() - the only descriptor of the message, which is not closed with it. */
int vdf_passed_take(struct vdf_passed *passed);
/** vdf_passed_close() - close a descriptor of the program, in another thread where that may wait. */
void vdf_passed_close(struct vdf_passed *passed, int fd);
/** vdf_passed_close_all() - close the descriptors of the message. */
void vdf_passed_close_all(struct vdf_passed *passed);
/** vdf_passed_closing() - whether descriptors are still being closed. */
bool vdf_passed_closing(struct vdf_passed *passed);
/** vdf_passed_note() - the value of `closed`, which the caller has read itself. */
void vdf_passed_note(struct vdf_passed *passed, uint64_t lots);

/**
 * vdf_socket_receive() - recvmsg(2), which adds the descriptors that come along to @passed.
 * @flags: MSG_DONTWAIT, or 0
 *
 * Return: bytes; 0 at the end; -EAGAIN, also for an interrupted call; -errno.
 */
ssize_t vdf_socket_receive(int fd, void *bytes, size_t n, struct vdf_passed *passed, int flags);
/**
 * vdf_socket_send() - sendmsg(2) without a signal.
 * @fds: @n_fds descriptors to pass, up to VDF_SOCKET_SEND_FDS; once a byte is sent, so are they
 *
 * Return: bytes; -EAGAIN, also for an interrupted call; -EPIPE: the program is gone; -errno.
 */
ssize_t vdf_socket_send(int fd, const struct iovec *iov, unsigned n_iov, const int *fds,
                        unsigned n_fds, int flags);
#define VDF_SOCKET_SEND_FDS 16u

/* --- the place of a socket --------------------------------------------------------------------- */

/* Nanoseconds until it is worth to listen or to accept again, after a failure. */
#define VDF_LISTENER_RETRY_NS UINT64_C(1000000000)

/* A socket that listens. */
struct vdf_listener {
    int fd;    /* -1: none */
    dev_t dev; /* of the socket's file: no other file is removed */
    ino_t ino;
};

/** vdf_listener_path_check() - whether @path may be that of a socket. It looks at no file. */
int vdf_listener_path_check(const char *path, struct vdf_err *err);
/** vdf_listener_possible() - whether a socket can be made at @path now. A socket of this process may be
 *  there. */
int vdf_listener_possible(const char *path, struct vdf_err *err);
/**
 * vdf_listener_open() - make the socket, which only its owner may connect to. A stale file, a socket
 * without a listener, is replaced. Not in a FUSE file system.
 *
 * Return: 0 or -errno (EADDRINUSE, EEXIST); then @listener has no socket.
 */
int vdf_listener_open(struct vdf_listener *listener, const char *path, struct vdf_err *err);
/** vdf_listener_is_at() - whether the socket's file is still there. */
bool vdf_listener_is_at(const struct vdf_listener *listener, const char *path);
/**
 * vdf_listener_accept() - the next program.
 * @flags: SOCK_NONBLOCK, or 0
 *
 * Return: a descriptor; -EAGAIN: there is none; -errno: the listener stays ready, so that the caller
 * tries again after VDF_LISTENER_RETRY_NS.
 */
int vdf_listener_accept(const struct vdf_listener *listener, int flags, struct vdf_err *err);
/**
 * vdf_listener_close() - listen no longer; nothing without a socket.
 * @path:   of the socket's file, which is removed if it is still the same and the user of the request
 *          is allowed to; NULL: the file stays
 * @passed: closes the descriptors that waiting programs have sent
 */
void vdf_listener_close(struct vdf_listener *listener, const char *path, struct vdf_passed *passed);

#endif
