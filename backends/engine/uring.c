/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine on io_uring: poll requests and waiting in one ring, made and used by one thread.
 *
 * A poll request is one-shot and made again after the event, together with the next wait in the
 * same system call. So it checks the descriptor's state each time, and no data that a function left
 * unread is missed. The wait has its timeout as an argument (IORING_FEAT_EXT_ARG), so timers
 * need no request.
 */
#include <errno.h>
#include <liburing.h>
#include <stdlib.h>

#include "engine.h"

#define RING_ENTRIES 64u /* requests of a submission */
#define REAP_MOST 64u    /* completions before other work has its turn */

struct vdf_uring {
    struct io_uring ring;
};

/*
 * In order of preference; the first that the kernel knows is used. Completions are handled when the
 * thread asks for them (6.1), or at least without interrupting it (5.19).
 */
static const unsigned ring_flags[] = {
    IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
    IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
    0,
};

static int vdf_uring_open(struct vdf_engine *engine, struct vdf_err *err)
{
    struct vdf_uring *uring = calloc(1, sizeof(*uring));
    if (!uring)
        return vdf_fail(err, ENOMEM, "no memory for the engine");

    int ret = -EINVAL;
    for (unsigned i = 0; ret == -EINVAL && i < sizeof(ring_flags) / sizeof(*ring_flags); i++) {
        struct io_uring_params params = { .flags = ring_flags[i] };
        ret = io_uring_queue_init_params(RING_ENTRIES, &uring->ring, &params);
    }
    if (ret) {
        free(uring);
        const char *why = "";
        if (ret == -EPERM)
            why = ": kernel.io_uring_disabled or a seccomp filter forbids it";
        else if (ret == -ENOSYS)
            why = ": the kernel has none, or a seccomp filter hides it";
        else if (ret == -ENOMEM)
            why = ": the limit of locked memory (ulimit -l) may be too low";
        return vdf_fail(err, -ret, "io_uring_setup(2) answers %s%s; engine=libaio does without it",
                        vdf_errno_name(-ret), why);
    }
    if (!(uring->ring.features & IORING_FEAT_EXT_ARG)) {
        io_uring_queue_exit(&uring->ring);
        free(uring);
        return vdf_fail(err, EOPNOTSUPP,
                        "io_uring of this kernel cannot wait with a timeout; Linux 5.11 can, "
                        "or use engine=libaio");
    }
    engine->kind = uring;
    return 0;
}

static void vdf_uring_close(struct vdf_engine *engine)
{
    struct vdf_uring *uring = engine->kind;
    io_uring_queue_exit(&uring->ring);
    free(uring);
    engine->kind = NULL;
}

static struct io_uring_sqe *get_sqe(struct vdf_engine *engine)
{
    struct vdf_uring *uring = engine->kind;
    struct io_uring_sqe *sqe = io_uring_get_sqe(&uring->ring);
    if (!sqe) {
        io_uring_submit(&uring->ring);
        sqe = io_uring_get_sqe(&uring->ring);
    }
    return sqe;
}

static int vdf_uring_arm(struct vdf_engine *engine, struct vdf_source *source)
{
    struct io_uring_sqe *sqe = get_sqe(engine);
    if (!sqe)
        return -EAGAIN;
    io_uring_prep_poll_add(sqe, source->fd, source->events);
    io_uring_sqe_set_data(sqe, source);
    return 0;
}

/*
 * The source may be released, and one at the same address armed, before this request has been
 * submitted. It finds nothing then, because requests are submitted in the order of their making.
 */
static int vdf_uring_cancel(struct vdf_engine *engine, struct vdf_source *source)
{
    struct io_uring_sqe *sqe = get_sqe(engine);
    if (!sqe)
        return -EAGAIN;
    io_uring_prep_poll_remove(sqe, (uint64_t)(uintptr_t)source);
    io_uring_sqe_set_data(sqe, NULL);
    return 0;
}

static int vdf_uring_wait(struct vdf_engine *engine, uint64_t timeout_ns)
{
    struct vdf_uring *uring = engine->kind;
    int ret = 0;
    if (!timeout_ns) {
        if (io_uring_sq_ready(&uring->ring))
            ret = io_uring_submit(&uring->ring);
    } else {
        struct io_uring_cqe *cqe;
        struct __kernel_timespec ts = {
            .tv_sec = (int64_t)(timeout_ns / 1000000000u),
            .tv_nsec = (int64_t)(timeout_ns % 1000000000u),
        };
        ret = io_uring_submit_and_wait_timeout(&uring->ring, &cqe, 1,
                                               timeout_ns == VDF_ENGINE_FOREVER ? NULL : &ts, NULL);
    }
    /* A full completion ring (EBUSY, EAGAIN) is emptied by the reap that follows. */
    if (ret >= 0 || ret == -ETIME || ret == -EINTR || ret == -EBUSY || ret == -EAGAIN)
        return 0;
    return ret;
}

static void vdf_uring_reap(struct vdf_engine *engine)
{
    struct vdf_uring *uring = engine->kind;
    struct io_uring_cqe *cqe;
    for (unsigned i = 0; i < REAP_MOST && !io_uring_peek_cqe(&uring->ring, &cqe); i++) {
        struct vdf_source *source = io_uring_cqe_get_data(cqe);
        int result = cqe->res;
        io_uring_cqe_seen(&uring->ring, cqe);
        if (source)
            vdf_engine_completed(engine, source, result);
    }
}

const struct vdf_engine_ops vdf_uring_ops = {
    .name = "io_uring",
    .open = vdf_uring_open,
    .close = vdf_uring_close,
    .park = vdf_uring_close, /* a ring belongs to the thread that made it */
    .arm = vdf_uring_arm,
    .cancel = vdf_uring_cancel,
    .wait = vdf_uring_wait,
    .reap = vdf_uring_reap,
};
