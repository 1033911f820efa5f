/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Signals: eventfds of other processes, written without write(2).
 *
 * A write(2) to an eventfd whose counter is full blocks unless O_NONBLOCK is set, and every process
 * that shares the open file can clear the flag. But the kernel itself writes an eventfd for each
 * completed request, and that never blocks, as it happens in interrupts. So a signal is a request that
 * completes at once: with io_uring a NOP of a ring that has the eventfd registered,
 * with libaio a poll of the eventfd (IOCB_FLAG_RESFD).
 */
#include <errno.h>
#include <fcntl.h>
#include <libaio.h>
#include <liburing.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include <virtdevfs/foreign.h>
#include <virtdevfs/lock.h>

#include "engine.h"

#define RING_ENTRIES 2u
#define AIO_ROOM 4u

struct vdf_signal {
    int fd; /* for libaio; -1: there is a ring */
    struct io_uring ring;
};

/* One context serves all signals; a context belongs to the process that made it. */
static struct {
    struct vdf_lock lock;
    pid_t process;
    io_context_t context;
} aio = { .lock = VDF_LOCK_INIT(VDF_RANK_FOREIGN) };

static int open_ring(struct vdf_signal *signal, int fd)
{
    struct io_uring_params params = { 0 };
    int ret = io_uring_queue_init_params(RING_ENTRIES, &signal->ring, &params);

    if (ret)
        return ret;
    ret = io_uring_register_eventfd(&signal->ring, fd);
    if (ret)
        io_uring_queue_exit(&signal->ring);
    return ret;
}

static int raise_ring(struct vdf_signal *signal)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&signal->ring);

    /* Without a free entry an earlier one is still to be submitted, which is enough. */
    if (sqe)
        io_uring_prep_nop(sqe);
    int ret = io_uring_submit(&signal->ring);
    io_uring_cq_advance(&signal->ring, io_uring_cq_ready(&signal->ring));
    return ret > 0 ? 0 : -EAGAIN;
}

/* The lock is held. */
static int make_context(void)
{
    if (aio.process == getpid())
        return 0;
    aio.context = NULL;
    int ret = io_setup(AIO_ROOM, &aio.context);
    if (!ret)
        aio.process = getpid();
    return ret;
}

static int open_aio(struct vdf_signal *signal, int fd)
{
    vdf_lock(&aio.lock);
    int ret = make_context();
    vdf_unlock(&aio.lock);
    if (ret)
        return ret;
    signal->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    return signal->fd < 0 ? -errno : 0;
}

static int raise_aio(struct vdf_signal *signal)
{
    struct iocb iocb, *list = &iocb;
    struct io_event event;

    /* An eventfd can be read or written to at any counter. */
    io_prep_poll(&iocb, signal->fd, POLLIN | POLLOUT);
    io_set_eventfd(&iocb, signal->fd);
    vdf_lock(&aio.lock);
    int ret = io_submit(aio.context, 1, &list);
    if (ret == 1)
        ret = io_getevents(aio.context, 0, 1, &event, &(struct timespec){ 0 });
    vdf_unlock(&aio.lock);
    return ret >= 0 ? 0 : -EAGAIN;
}

int vdf_signal_open(const struct vdf_engine *engine, int fd, struct vdf_signal **result)
{
    *result = NULL;
    if (vdf_foreign_kind(fd) != VDF_FOREIGN_EVENTFD)
        return -EINVAL;
    struct vdf_signal *signal = calloc(1, sizeof(*signal));
    if (!signal)
        return -ENOMEM;
    signal->fd = -1;

    int ret = engine && engine->ops == &vdf_aio_ops ? -ENOSYS : open_ring(signal, fd);
    if (ret && (!engine || engine->ops == &vdf_aio_ops))
        ret = open_aio(signal, fd);
    if (ret) {
        free(signal);
        return ret;
    }
    *result = signal;
    return 0;
}

int vdf_signal_raise(struct vdf_signal *signal)
{
    return signal->fd < 0 ? raise_ring(signal) : raise_aio(signal);
}

void vdf_signal_close(struct vdf_signal *signal)
{
    if (!signal)
        return;
    if (signal->fd < 0)
        io_uring_queue_exit(&signal->ring);
    else
        close(signal->fd);
    free(signal);
}
