/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine on Linux's native asynchronous I/O: poll requests (IOCB_CMD_POLL, Linux 4.18), which
 * are one-shot, and io_getevents(2), whose timeout serves the timers.
 *
 * A context has room for a fixed number of requests, and all contexts of the system share
 * fs.aio-max-nr. So the first one is small, and a larger one replaces it when sources are added;
 * thus the caller that adds a source gets the kernel's refusal. The engine's thread makes the change
 * itself: destroying the old context cancels all requests, and they are made again in the new one,
 * where each checks its descriptor again.
 *
 * Destroying a context takes the kernel some 30 ms, so the thread uses that of the probe. But contexts
 * belong to an address space, and after a fork(2) the thread needs a new one.
 */
#include <assert.h>
#include <errno.h>
#include <libaio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine.h"

#define FIRST_ROOM 128u /* requests */
#define SUBMIT_MOST 64u /* requests a system call */
#define REAP_MOST 64u   /* events before other work has its turn */

struct vdf_aio {
    pid_t process; /* that made the contexts */
    io_context_t context;
    struct iocb *pending[SUBMIT_MOST]; /* made, and not submitted yet */
    unsigned n_pending;
    struct io_event events[REAP_MOST]; /* found by wait() */
    unsigned n_events;

    /* With the engine's lock held. */
    unsigned room;     /* requests of `context`, or of `next` if there is one */
    io_context_t next; /* to be used instead; NULL: none */
};

static int make_context(unsigned room, io_context_t *context)
{
    *context = NULL;
    return io_setup((int)room, context);
}

static void vdf_aio_close(struct vdf_engine *engine)
{
    vdf_lock(&engine->lock);
    struct vdf_aio *aio = engine->kind;
    engine->kind = NULL;
    vdf_unlock(&engine->lock);
    if (aio->process == getpid()) {
        if (aio->next)
            io_destroy(aio->next);
        io_destroy(aio->context);
    }
    free(aio);
}

static int vdf_aio_open(struct vdf_engine *engine, struct vdf_err *err)
{
    struct vdf_aio *parked = engine->kind;
    if (parked && parked->process == getpid())
        return 0;
    if (parked)
        vdf_aio_close(engine);

    struct vdf_aio *aio = calloc(1, sizeof(*aio));
    if (!aio)
        return vdf_fail(err, ENOMEM, "no memory for the engine");

    vdf_lock(&engine->lock);
    aio->process = getpid();
    aio->room = FIRST_ROOM;
    while (aio->room < engine->n_watched)
        aio->room *= 2;
    unsigned room = aio->room;
    int ret = make_context(room, &aio->context);
    if (!ret)
        engine->kind = aio;
    vdf_unlock(&engine->lock);
    if (!ret)
        return 0;

    free(aio);
    const char *why = "";
    if (ret == -EAGAIN)
        why = ": fs.aio-max-nr is used up";
    else if (ret == -ENOSYS || ret == -EPERM)
        why = ": the kernel has no asynchronous I/O, or a seccomp filter forbids it";
    return vdf_fail(err, -ret, "io_setup(2) of %u requests answers %s%s", room,
                    vdf_errno_name(-ret), why);
}

static void vdf_aio_park(struct vdf_engine *engine)
{
    struct vdf_aio *aio = engine->kind;
    aio->n_pending = 0; /* the wake source's second request */
}

static int vdf_aio_reserve(struct vdf_engine *engine, unsigned n)
{
    struct vdf_aio *aio = engine->kind;
    if (!aio || n <= aio->room) /* without a context yet, open() makes one that is large enough */
        return 0;
    if (aio->room > (unsigned)INT32_MAX / 2)
        return -ENOMEM;
    io_context_t larger;
    int ret = make_context(aio->room * 2, &larger);
    if (ret)
        return ret;
    if (aio->next)
        io_destroy(aio->next);
    aio->next = larger;
    aio->room *= 2;
    return 0;
}

/* Submit the pending requests. Return: false if one was refused, which is work for the engine now. */
static bool submit(struct vdf_engine *engine)
{
    struct vdf_aio *aio = engine->kind;
    unsigned done = 0;
    bool all = true;
    while (done < aio->n_pending) {
        int ret = io_submit(aio->context, (long)(aio->n_pending - done), &aio->pending[done]);
        if (ret > 0) {
            done += (unsigned)ret;
        } else if (ret != -EINTR) {
            /* The first of them was refused. */
            vdf_engine_refused(engine, aio->pending[done]->data, ret ? ret : -EAGAIN);
            done++;
            all = false;
        }
    }
    aio->n_pending = 0;
    return all;
}

static int vdf_aio_arm(struct vdf_engine *engine, struct vdf_source *source)
{
    struct vdf_aio *aio = engine->kind;
    if (aio->n_pending == SUBMIT_MOST)
        submit(engine);
    struct iocb *iocb = source->op;
    io_prep_poll(iocb, source->fd, (int)source->events);
    iocb->data = source;
    aio->pending[aio->n_pending++] = iocb;
    return 0;
}

/*
 * io_cancel(2) of a poll request answers EINPROGRESS, and EINVAL when the request has already
 * completed; the event comes in both cases.
 */
static int vdf_aio_cancel(struct vdf_engine *engine, struct vdf_source *source)
{
    struct vdf_aio *aio = engine->kind;
    struct io_event event;
    submit(engine);
    int ret = io_cancel(aio->context, source->op, &event);
    return ret == -EAGAIN || ret == -EINTR ? -EAGAIN : 0;
}

/* Change to a larger context if there is one. Return: whether there was. */
static bool change_context(struct vdf_engine *engine)
{
    struct vdf_aio *aio = engine->kind;
    vdf_lock(&engine->lock);
    io_context_t next = aio->next;
    aio->next = NULL;
    vdf_unlock(&engine->lock);
    if (!next)
        return false;

    io_destroy(aio->context);
    aio->context = next;
    aio->n_pending = 0;
    vdf_engine_rearm_all(engine);
    return true;
}

static int vdf_aio_wait(struct vdf_engine *engine, uint64_t timeout_ns)
{
    struct vdf_aio *aio = engine->kind;
    assert(!aio->n_events);
    if (change_context(engine))
        return 0;
    if (!submit(engine))
        timeout_ns = 0;

    struct timespec ts = {
        .tv_sec = (time_t)(timeout_ns / 1000000000u),
        .tv_nsec = (long)(timeout_ns % 1000000000u),
    };
    int ret = io_getevents(aio->context, timeout_ns ? 1 : 0, REAP_MOST, aio->events,
                           timeout_ns == VDF_ENGINE_FOREVER ? NULL : &ts);
    if (ret < 0)
        return ret == -EINTR ? 0 : ret;
    aio->n_events = (unsigned)ret;
    return 0;
}

static void vdf_aio_reap(struct vdf_engine *engine)
{
    struct vdf_aio *aio = engine->kind;
    for (unsigned i = 0; i < aio->n_events; i++)
        vdf_engine_completed(engine, aio->events[i].data, (int)(long)aio->events[i].res);
    aio->n_events = 0;
}

const struct vdf_engine_ops vdf_aio_ops = {
    .name = "libaio",
    .request_size = sizeof(struct iocb),
    .open = vdf_aio_open,
    .close = vdf_aio_close,
    .park = vdf_aio_park,
    .reserve = vdf_aio_reserve,
    .arm = vdf_aio_arm,
    .cancel = vdf_aio_cancel,
    .wait = vdf_aio_wait,
    .reap = vdf_aio_reap,
};
