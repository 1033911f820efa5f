/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Descriptors that another process has passed, and still has.
 *
 * Their open file is shared: the other process can clear O_NONBLOCK between two of our system
 * calls, so no flag of the file keeps a read, a write or even a close from waiting. A thread that
 * holds a lock therefore does nothing with such a descriptor but what is here, send(2) and
 * recvmsg(2) with MSG_DONTWAIT on a socket of AF_UNIX, and vdf_import_open().
 */
#ifndef VIRTDEVFS_FOREIGN_H
#define VIRTDEVFS_FOREIGN_H

#include <stdbool.h>
#include <virtdevfs/engine.h>

enum vdf_foreign {
    VDF_FOREIGN_OTHER,
    VDF_FOREIGN_EVENTFD,
    VDF_FOREIGN_SOCKET, /* of AF_UNIX */
    VDF_FOREIGN_MEMORY, /* a file in memory: a memfd, tmpfs, hugetlbfs */
};

/** vdf_foreign_kind() - what @fd is. Asks nothing of a file system: who serves it may not answer.
 */
enum vdf_foreign vdf_foreign_kind(int fd);

/**
 * vdf_foreign_close() - close @n descriptors. Those whose last close may wait (it flushes a file of
 * a FUSE file system, lingers for a TCP connection, or does so for a descriptor that lies unread in
 * a socket) are closed by a thread of their own.
 * @done: an eventfd of ours that gets 1 when these are closed; -1: none
 *
 * Return: whether some are closed in a thread, and @done is going to be written to.
 */
bool vdf_foreign_close(const int *fds, unsigned n, int done);

/* An eventfd of another process that is told something. */
struct vdf_signal;

/**
 * vdf_signal_open() - of a duplicate of @fd, an eventfd.
 * @engine: whose kind of system calls is used; NULL: what the kernel allows
 *
 * Return: 0 or -errno of io_uring_setup(2) or io_setup(2); EINVAL: it is no eventfd.
 */
int vdf_signal_open(const struct vdf_engine *engine, int fd, struct vdf_signal **signal);
/** vdf_signal_raise() - have the kernel itself add 1 to the eventfd, which never waits: a counter
 *  that is full stays full. One thread at a time. Return: 0, or -EAGAIN without memory. */
int vdf_signal_raise(struct vdf_signal *signal);
/** vdf_signal_close() - NULL is allowed. */
void vdf_signal_close(struct vdf_signal *signal);

#endif
