/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The yardstick of all that leads from an eventfd to an eventfd: a thread with an io_uring that does
 * nothing but read the one and write the other. On one processor the client sleeps until it is
 * answered; elsewhere it spins, so that only the other's waking up is in the time.
 */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "bench.h"

#define PATIENCE_MS 10000

/* None blocks: io_uring hands the writes of one that does to a thread. */
int bench_eventfd(void)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    if (fd < 0)
        bench_die("eventfd");
    return fd;
}

void bench_ring(int fd)
{
    uint64_t one = 1;

    if (write(fd, &one, sizeof(one)) != (ssize_t)sizeof(one))
        bench_die("write");
}

void bench_hear(int fd, bool spin)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    uint64_t value;

    do {
        if (!spin && poll(&p, 1, PATIENCE_MS) != 1)
            bench_die("no answer");
    } while (read(fd, &value, sizeof(value)) != (ssize_t)sizeof(value) && errno == EAGAIN);
}

static void *run_loop(void *arg)
{
    struct bench_loop *loop = arg;
    struct io_uring uring;
    struct io_uring_sqe *sqe;
    struct io_uring_cqe *cqe;
    uint64_t got, one = 1;
    unsigned flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;

    bench_pin(0, bench_core(false));
    if (io_uring_queue_init(8, &uring, flags) < 0 && io_uring_queue_init(8, &uring, 0) < 0)
        return (void *)"this kernel allows no io_uring";
    for (bool answer = false;; answer = true) {
        if (answer) {
            sqe = io_uring_get_sqe(&uring);
            io_uring_prep_write(sqe, loop->answer, &one, sizeof(one), 0);
            sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
        }
        sqe = io_uring_get_sqe(&uring);
        io_uring_prep_read(sqe, loop->question, &got, sizeof(got), 0);
        io_uring_submit_and_wait(&uring, 1);
        if (io_uring_wait_cqe(&uring, &cqe) < 0 || atomic_load(&loop->stop))
            break;
        io_uring_cqe_seen(&uring, cqe);
    }
    io_uring_queue_exit(&uring);
    return NULL;
}

void bench_start_loop(struct bench_loop *loop, bool spin)
{
    *loop = (struct bench_loop){ .question = eventfd(0, EFD_CLOEXEC),
                                 .answer = bench_eventfd(),
                                 .spin = spin };
    int rc = pthread_create(&loop->thread, NULL, run_loop, loop);
    if (rc) {
        errno = rc;
        bench_die("pthread_create");
    }
}

void bench_stop_loop(struct bench_loop *loop)
{
    atomic_store(&loop->stop, true);
    bench_ring(loop->question);
    pthread_join(loop->thread, NULL);
    close(loop->question);
    close(loop->answer);
}

double bench_by_loop(void *ctx, uint64_t ns)
{
    const struct bench_loop *loop = ctx;

    return BENCH_LOOP(ns, 16, {
        bench_ring(loop->question);
        bench_hear(loop->answer, loop->spin);
    });
}

void bench_compare_doorbell(const char *engine, const char *variant, enum bench_cores cores,
                            struct bench_timed ours)
{
    struct bench_goal goal = { strcmp(engine, "io_uring") ? BENCH_NO_GOAL : BENCH_AT_MOST, 1.2 };
    struct bench_loop loop;
    struct bench_case what = {
        .row = "doorbell",
        .variant = variant,
        .cores = bench_cores_name(cores),
        .unit = "ns",
        .ours = ours,
        .yardsticks = { { .timed = { "bare io_uring loop", bench_by_loop, &loop }, .goal = goal } },
        .n_yardsticks = 1
    };

    bench_start_loop(&loop, cores == BENCH_OTHER);
    bench_compare(&what);
    bench_stop_loop(&loop);
}

bool bench_has_io_uring(void)
{
    struct io_uring uring;
    bool ok = io_uring_queue_init(2, &uring, 0) == 0;

    if (ok)
        io_uring_queue_exit(&uring);
    return ok;
}
