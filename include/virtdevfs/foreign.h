/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Descriptors that another process has passed and still holds.
 *
 * Their open file is shared: the other process can clear O_NONBLOCK between two of our system
 * calls, so no flag of the file keeps a read, a write or even a close from blocking. A thread that
 * holds a lock therefore uses such a descriptor only through the functions below, with send(2) and
 * recvmsg(2) with MSG_DONTWAIT on a socket of AF_UNIX, and with vdf_import_open().
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

/** vdf_foreign_kind() - the kind of @fd. Asks no file system, whose server may not answer. */
enum vdf_foreign vdf_foreign_kind(int fd);

/**
 * vdf_foreign_close() - close @n descriptors. A thread of their own closes descriptors whose last
 * close may block: it flushes a file of a FUSE file system, lingers for a TCP connection, or does so
 * for an unread descriptor in a socket.
 * @done: an eventfd of ours to which the thread adds 1 at its end; -1: none
 *
 * Return: whether there is a thread, which writes to @done.
 */
bool vdf_foreign_close(const int *fds, unsigned n, int done);

/* An eventfd of another process that is written without blocking. */
struct vdf_signal;

/**
 * vdf_signal_open() - open a signal on a duplicate of @fd, an eventfd.
 * @engine: the signal uses system calls of the engine's kind; NULL: of a kind that the kernel allows
 *
 * Return: 0 or -errno of io_uring_setup(2) or io_setup(2); EINVAL: it is no eventfd.
 */
int vdf_signal_open(const struct vdf_engine *engine, int fd, struct vdf_signal **signal);
/** vdf_signal_raise() - have the kernel itself add 1 to the eventfd, which never blocks: a full
 *  counter stays full. One thread at a time. Return: 0, or -EAGAIN without memory. */
int vdf_signal_raise(struct vdf_signal *signal);
/** vdf_signal_close() - NULL is allowed. */
void vdf_signal_close(struct vdf_signal *signal);

#endif
