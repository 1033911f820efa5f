/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine's contract, with both engines. Functions run in the engine's thread; tests wait for
 * conditions, never for times.
 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <virtdevfs/engine.h>

#include "skip.h"

static enum vdf_engine_kind kinds[] = { VDF_ENGINE_IO_URING, VDF_ENGINE_LIBAIO };

#define ENGINE_TEST(name)                                                                        \
    ParameterizedTestParameters(engine, name)                                                    \
    {                                                                                            \
        return cr_make_param_array(enum vdf_engine_kind, kinds, sizeof(kinds) / sizeof(*kinds)); \
    }                                                                                            \
    ParameterizedTest(enum vdf_engine_kind *kind, engine, name)

#define MANY 400 /* sources: more than a submission, a reap and libaio's first context hold */

/* The calls that a test's source has had. */
struct seen {
    struct vdf_source source;
    int fd;
    unsigned calls;
    uint64_t last, sum;
    pthread_t thread;
    unsigned released;
    bool finds;                      /* as a poller */
    void (*then)(struct seen *seen); /* in the function, without the lock */
    struct seen *other;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static void on_call(struct vdf_source *source, uint64_t value)
{
    struct seen *seen = (struct seen *)source;
    pthread_mutex_lock(&lock);
    seen->calls++;
    seen->last = value;
    seen->sum += value;
    seen->thread = pthread_self();
    cr_assert_eq(seen->released, 0, "called after release");
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    if (seen->then)
        seen->then(seen);
}

static bool on_look(struct vdf_source *source, uint64_t idle_ns)
{
    on_call(source, 0);
    return ((struct seen *)source)->finds;
}

static void on_release(struct vdf_source *source)
{
    struct seen *seen = (struct seen *)source;
    pthread_mutex_lock(&lock);
    seen->released++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static struct seen seen_new(void)
{
    return (struct seen){
        .source = { .fn = on_call, .poll = on_look, .release = on_release },
        .fd = -1,
    };
}

#define WAIT_UNTIL(condition)                   \
    do {                                        \
        pthread_mutex_lock(&lock);              \
        while (!(condition))                    \
            pthread_cond_wait(&changed, &lock); \
        pthread_mutex_unlock(&lock);            \
    } while (0)

static struct vdf_engine *open_engine(enum vdf_engine_kind kind)
{
    struct vdf_engine *engine;
    struct vdf_err err = { 0 };
    int rc = vdf_engine_create(kind, &engine, &err);
    if (rc)
        skip_test("no engine here: %s", err.text);
    return engine;
}

static struct vdf_engine *run_engine(enum vdf_engine_kind kind)
{
    struct vdf_engine *engine = open_engine(kind);
    cr_assert_eq(vdf_engine_start(engine), 0);
    return engine;
}

/* The engine has worked off all that was asked of it before this call. */
static void settle(struct vdf_engine *engine)
{
    struct seen mark = seen_new();
    for (int round = 0; round < 2; round++) {
        mark = seen_new();
        cr_assert_eq(vdf_engine_add_timer(engine, &mark.source), 0);
        vdf_engine_set_timer(&mark.source, 0);
        WAIT_UNTIL(mark.calls == 1);
        vdf_engine_remove(&mark.source);
        WAIT_UNTIL(mark.released == 1);
    }
}

static void ring(int fd, uint64_t value)
{
    cr_assert_eq(write(fd, &value, sizeof(value)), sizeof(value));
}

ENGINE_TEST(name_is_that_of_the_kind)
{
    struct vdf_engine *engine = open_engine(*kind);
    cr_assert_str_eq(vdf_engine_name(engine), *kind == VDF_ENGINE_IO_URING ? "io_uring" : "libaio");
    vdf_engine_destroy(engine);
}

Test(engine, auto_gives_one_of_them)
{
    struct vdf_engine *engine;
    struct vdf_err err = { 0 };
    cr_assert_eq(vdf_engine_create(VDF_ENGINE_AUTO, &engine, &err), 0, "%s", err.text);
    cr_assert(!strcmp(vdf_engine_name(engine), "io_uring") ||
              !strcmp(vdf_engine_name(engine), "libaio"));
    vdf_engine_destroy(engine);
}

Test(engine, destroy_takes_null)
{
    vdf_engine_destroy(NULL);
}

ENGINE_TEST(without_descriptors_creation_fails_and_says_why)
{
    struct rlimit limit, none;
    getrlimit(RLIMIT_NOFILE, &limit);
    none = limit;
    none.rlim_cur = 0;
    setrlimit(RLIMIT_NOFILE, &none);
    struct vdf_engine *engine = (struct vdf_engine *)1;
    struct vdf_err err = { 0 };
    int rc = vdf_engine_create(*kind, &engine, &err);
    setrlimit(RLIMIT_NOFILE, &limit);
    cr_assert_eq(rc, -EMFILE);
    cr_assert_null(engine);
    cr_assert_eq(err.code, EMFILE);
    cr_assert_not_null(strstr(err.text, "EMFILE"), "%s", err.text);
}

/* --- where the kernel or a container forbids it ----------------------------------------------- */

/* As a container's profile does: system call @number fails with @error in this process. */
static void forbid(long number, int error)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { .len = sizeof(code) / sizeof(*code), .filter = code };
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
        skip_test("no seccomp filter here: %s", strerror(errno));
}

struct forbidden {
    long number;
    int error;
    enum vdf_engine_kind kind;
    char text[32]; /* in the sentence */
};

static struct forbidden forbiddens[] = {
    { SYS_io_uring_setup, EPERM, VDF_ENGINE_IO_URING, "io_uring_setup(2) answers EPERM" },
    { SYS_io_uring_setup, ENOSYS, VDF_ENGINE_IO_URING, "io_uring_setup(2) answers" },
    { SYS_io_uring_setup, ENOMEM, VDF_ENGINE_IO_URING, "ulimit -l" },
    { SYS_io_uring_enter, EPERM, VDF_ENGINE_IO_URING, "io_uring: " },
    { SYS_io_setup, EAGAIN, VDF_ENGINE_LIBAIO, "fs.aio-max-nr" },
    { SYS_io_setup, ENOSYS, VDF_ENGINE_LIBAIO, "io_setup(2) of " },
    { SYS_io_submit, EINVAL, VDF_ENGINE_LIBAIO, "libaio: a poll request" },
    { SYS_io_submit, EPERM, VDF_ENGINE_LIBAIO, "libaio: a poll request" },
    { SYS_io_getevents, EPERM, VDF_ENGINE_LIBAIO, "libaio: waiting" },
};

ParameterizedTestParameters(engine, forced_kind_says_what_is_forbidden)
{
    return cr_make_param_array(struct forbidden, forbiddens,
                               sizeof(forbiddens) / sizeof(*forbiddens));
}

ParameterizedTest(struct forbidden *it, engine, forced_kind_says_what_is_forbidden)
{
    struct vdf_engine *engine = NULL;
    struct vdf_err err = { 0 };
    vdf_engine_destroy(open_engine(it->kind));
    forbid(it->number, it->error);
    int rc = vdf_engine_create(it->kind, &engine, &err);
    if (rc == 0 && it->number == SYS_io_getevents) {
        vdf_engine_destroy(engine);
        skip_test("this libaio does not always call io_getevents(2)");
    }
    cr_assert_eq(rc, -it->error, "system call %ld: %s", it->number, err.text);
    cr_assert_null(engine);
    cr_assert_eq(err.code, it->error);
    cr_assert_not_null(strstr(err.text, it->text), "%s", err.text);

    cr_assert_eq(vdf_engine_create(VDF_ENGINE_AUTO, &engine, &err), 0, "%s", err.text);
    cr_assert_eq(vdf_engine_start(engine), 0);
    settle(engine);
    if (it->kind == VDF_ENGINE_IO_URING)
        cr_assert_str_eq(vdf_engine_name(engine), "libaio");
    vdf_engine_destroy(engine);
}

Test(engine, auto_names_both_refusals)
{
    struct vdf_engine *engine = NULL;
    struct vdf_err err = { 0 };
    forbid(SYS_io_uring_setup, EPERM);
    forbid(SYS_io_setup, ENOSYS);
    cr_assert_eq(vdf_engine_create(VDF_ENGINE_AUTO, &engine, &err), -ENOSYS);
    cr_assert_not_null(strstr(err.text, "io_uring_setup(2)"), "%s", err.text);
    cr_assert_not_null(strstr(err.text, "io_setup(2)"), "%s", err.text);
    cr_assert_null(engine);
}

ENGINE_TEST(start_fails_where_the_probe_did_not)
{
    struct vdf_engine *engine = open_engine(*kind);
    struct seen seen = seen_new();
    cr_assert_eq(vdf_engine_add_timer(engine, &seen.source), 0);
    pid_t child = fork();
    cr_assert_geq(child, 0);
    if (!child) {
        forbid(*kind == VDF_ENGINE_IO_URING ? SYS_io_uring_setup : SYS_io_setup, EPERM);
        int rc = vdf_engine_start(engine);
        vdf_engine_destroy(engine);
        _exit(rc == -EPERM && seen.released == 1 ? 0 : 1);
    }
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x", status);
    vdf_engine_destroy(engine);
}

Test(engine, libaio_refuses_a_source_that_has_no_room)
{
    struct vdf_engine *engine = run_engine(VDF_ENGINE_LIBAIO);
    static struct seen seen[MANY];
    forbid(SYS_io_setup, EAGAIN);
    int refused = -1;
    for (int i = 0; i < MANY && refused < 0; i++) {
        seen[i] = seen_new();
        seen[i].fd = eventfd(0, EFD_NONBLOCK);
        int rc = vdf_engine_add_eventfd(engine, &seen[i].source, seen[i].fd);
        if (rc) {
            cr_assert_eq(rc, -EAGAIN);
            refused = i;
        }
    }
    cr_assert_gt(refused, 0);
    for (int i = 0; i < refused; i++)
        ring(seen[i].fd, 1);
    for (int i = 0; i < refused; i++)
        WAIT_UNTIL(seen[i].calls == 1);

    /* One that leaves makes room for it. */
    vdf_engine_remove(&seen[0].source);
    WAIT_UNTIL(seen[0].released);
    cr_assert_eq(vdf_engine_add_eventfd(engine, &seen[refused].source, seen[refused].fd), 0);
    ring(seen[refused].fd, 1);
    WAIT_UNTIL(seen[refused].calls == 1);
    vdf_engine_destroy(engine);
    for (int i = 0; i <= refused; i++)
        close(seen[i].fd);
}

/* --- descriptors ------------------------------------------------------------------------------ */

ENGINE_TEST(eventfd_gives_its_count)
{
    struct vdf_engine *engine = run_engine(*kind);
    struct seen seen = seen_new();
    int fd = eventfd(0, EFD_NONBLOCK);
    cr_assert_eq(vdf_engine_add_eventfd(engine, &seen.source, fd), 0);
    ring(fd, 7);
    WAIT_UNTIL(seen.calls == 1);
    cr_assert_eq(seen.last, 7);
    cr_assert(!pthread_equal(seen.thread, pthread_self()));
    for (unsigned i = 0; i < 100; i++)
        ring(fd, 3);
    WAIT_UNTIL(seen.sum == 307);

    vdf_engine_remove(&seen.source);
    WAIT_UNTIL(seen.released);
    ring(fd, 1);
    settle(engine);
    cr_assert_eq(seen.sum, 307);
    struct pollfd left = { .fd = fd, .events = POLLIN };
    cr_assert_eq(poll(&left, 1, 0), 1, "bytes written after the removal are still there");
    vdf_engine_destroy(engine);
    cr_assert_eq(seen.released, 1);
    close(fd);
}

ENGINE_TEST(semaphore_eventfd_is_called_for_each)
{
    struct vdf_engine *engine = run_engine(*kind);
    struct seen seen = seen_new();
    int fd = eventfd(5, EFD_NONBLOCK | EFD_SEMAPHORE);
    cr_assert_eq(vdf_engine_add_eventfd(engine, &seen.source, fd), 0);
    WAIT_UNTIL(seen.calls == 5);
    cr_assert_eq(seen.sum, 5);
    vdf_engine_destroy(engine);
    cr_assert_eq(seen.released, 1);
    close(fd);
}

ENGINE_TEST(descriptor_may_be_closed_and_its_number_reused)
{
    struct vdf_engine *engine = run_engine(*kind);
    struct seen seen = seen_new();
    int fd = eventfd(0, EFD_NONBLOCK), writer = dup(fd);
    cr_assert_eq(vdf_engine_add_eventfd(engine, &seen.source, fd), 0);
    int other = eventfd(5, EFD_NONBLOCK);
    cr_assert_eq(dup2(other, fd), fd);
    for (unsigned i = 1; i <= 10; i++) {
        ring(writer, 1);
        WAIT_UNTIL(seen.calls == i);
    }
    cr_assert_eq(seen.sum, 10);
    uint64_t value = 0;
    cr_assert_eq(read(other, &value, sizeof(value)), sizeof(value));
    cr_assert_eq(value, 5, "the file that has the number now is not touched");

    int pipes[2];
    cr_assert_eq(pipe(pipes), 0);
    struct seen reader = seen_new();
    cr_assert_eq(vdf_engine_add_fd(engine, &reader.source, pipes[0], POLLIN), 0);
    close(pipes[0]);
    settle(engine);
    vdf_engine_remove(&reader.source);
    WAIT_UNTIL(reader.released);
    signal(SIGPIPE, SIG_IGN);
    cr_assert_eq(write(pipes[1], "", 1), -1);
    cr_assert_eq(errno, EPIPE, "no descriptor remains after release");
    vdf_engine_destroy(engine);
    close(pipes[1]);
    close(writer);
    close(other);
    close(fd);
}

static void read_one(struct seen *seen)
{
    char byte;
    cr_assert_eq(read(seen->fd, &byte, 1), 1);
}

ENGINE_TEST(fd_is_armed_again_while_ready)
{
    struct vdf_engine *engine = run_engine(*kind);
    int pipes[2];
    cr_assert_eq(pipe(pipes), 0);
    struct seen seen = seen_new();
    seen.fd = pipes[0];
    seen.then = read_one;
    cr_assert_eq(vdf_engine_add_fd(engine, &seen.source, pipes[0], POLLIN), 0);
    cr_assert_eq(write(pipes[1], "12345", 5), 5);
    WAIT_UNTIL(seen.calls == 5);
    cr_assert_eq(seen.last, POLLIN);
    vdf_engine_remove(&seen.source);
    WAIT_UNTIL(seen.released);
    vdf_engine_destroy(engine);
    close(pipes[0]);
    close(pipes[1]);
}

static void remove_self(struct seen *seen)
{
    vdf_engine_remove(&seen->source);
    vdf_engine_remove(&seen->source);
}

ENGINE_TEST(fd_reports_a_hangup_and_removes_itself)
{
    struct vdf_engine *engine = run_engine(*kind);
    int pipes[2];
    cr_assert_eq(pipe(pipes), 0);
    struct seen seen = seen_new();
    seen.then = remove_self;
    cr_assert_eq(vdf_engine_add_fd(engine, &seen.source, pipes[0], POLLIN), 0);
    close(pipes[1]);
    WAIT_UNTIL(seen.released);
    cr_assert_eq(seen.calls, 1);
    cr_assert(seen.last & POLLHUP);
    vdf_engine_destroy(engine);
    close(pipes[0]);
}

ENGINE_TEST(fd_can_wait_for_writing)
{
    struct vdf_engine *engine = run_engine(*kind);
    int pipes[2];
    cr_assert_eq(pipe2(pipes, O_NONBLOCK), 0);
    char full[4096] = { 0 };
    while (write(pipes[1], full, sizeof(full)) > 0)
        ;
    struct seen seen = seen_new();
    seen.then = remove_self;
    cr_assert_eq(vdf_engine_add_fd(engine, &seen.source, pipes[1], POLLOUT), 0);
    settle(engine);
    cr_assert_eq(seen.calls, 0);
    while (read(pipes[0], full, sizeof(full)) > 0)
        ;
    WAIT_UNTIL(seen.released);
    cr_assert_eq(seen.calls, 1);
    cr_assert_eq(seen.last, POLLOUT);
    vdf_engine_destroy(engine);
    close(pipes[0]);
    close(pipes[1]);
}

ENGINE_TEST(bad_descriptors_are_refused)
{
    struct vdf_engine *engine = run_engine(*kind);
    struct seen seen = seen_new();
    int file = memfd_create("file", 0);
    cr_assert_eq(vdf_engine_add_eventfd(engine, &seen.source, -1), -EBADF);
    cr_assert_eq(vdf_engine_add_eventfd(engine, &seen.source, 1000000), -EBADF);
    cr_assert_eq(vdf_engine_add_eventfd(engine, &seen.source, file), -EPERM);
    cr_assert_eq(vdf_engine_add_fd(engine, &seen.source, file, POLLIN), -EPERM);
    cr_assert_eq(vdf_engine_add_fd(engine, &seen.source, file, 0), -EINVAL);
    cr_assert_eq(vdf_engine_add_fd(engine, &seen.source, file, 1u << 31), -EINVAL);
    vdf_engine_remove(&seen.source);
    close(file);
    vdf_engine_destroy(engine);
    cr_assert_eq(seen.released, 0, "a source that was not added is not released");
}

ENGINE_TEST(a_source_is_added_once)
{
    struct vdf_engine *engine = run_engine(*kind);
    struct seen seen = seen_new();
    cr_assert_eq(vdf_engine_add_timer(engine, &seen.source), 0);
    cr_assert_eq(vdf_engine_add_poller(engine, &seen.source), -EALREADY);
    vdf_engine_destroy(engine);
    cr_assert_eq(seen.released, 1);
}

ENGINE_TEST(an_eventfd_that_is_none_is_dropped_without_a_loop)
{
    struct vdf_engine *engine = run_engine(*kind);
    int pipes[2];
    cr_assert_eq(pipe2(pipes, O_NONBLOCK), 0);
    struct seen seen = seen_new();
    cr_assert_eq(vdf_engine_add_eventfd(engine, &seen.source, pipes[0]), 0);
    close(pipes[1]);
    settle(engine);
    struct vdf_engine_stats before, after;
    struct pollfd ready = { .fd = pipes[0], .events = POLLIN };
    cr_assert_eq(poll(&ready, 1, 0), 1);
    settle(engine);
    vdf_engine_stats(engine, &before);
    for (int i = 0; i < 10; i++)
        settle(engine);
    vdf_engine_stats(engine, &after);
    /* The wake-ups of settle() are requests too, at most one for each of its four calls. */
    cr_assert_leq(after.completions - before.completions, 10 * 2 * 4);
    cr_assert_eq(seen.calls, 0);
    cr_assert_eq(after.doorbells, 0);
    vdf_engine_destroy(engine);
    cr_assert_eq(seen.released, 1);
    close(pipes[0]);
}

/* --- timers ----------------------------------------------------------------------------------- */

static uint64_t now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

ENGINE_TEST(timer_runs_once_and_not_before_its_time)
{
    struct vdf_engine *engine = run_engine(*kind);
    struct seen seen = seen_new();
    cr_assert_eq(vdf_engine_add_timer(engine, &seen.source), 0);
    uint64_t start = now_ns();
    vdf_engine_set_timer(&seen.source, 20000000);
    WAIT_UNTIL(seen.calls == 1);
    cr_assert_geq(now_ns() - start, 20000000);
    struct seen later = seen_new();
    cr_assert_eq(vdf_engine_add_timer(engine, &later.source), 0);
    vdf_engine_set_timer(&later.source, 30000000);
    WAIT_UNTIL(later.calls == 1);
    cr_assert_eq(seen.calls, 1);
    struct vdf_engine_stats stats;
    vdf_engine_stats(engine, &stats);
    cr_assert_eq(stats.timers, 2);
    vdf_engine_destroy(engine);
    cr_assert_eq(seen.released, 1);
}

static unsigned order[8], n_order;

static void note_order(struct seen *seen)
{
    pthread_mutex_lock(&lock);
    order[n_order++] = (unsigned)seen->fd;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

ENGINE_TEST(timers_run_in_the_order_of_their_time)
{
    struct vdf_engine *engine = run_engine(*kind);
    static const unsigned place[8] = { 5, 2, 7, 0, 3, 6, 1, 4 };
    struct seen seen[8];
    n_order = 0;
    for (int i = 0; i < 8; i++) {
        seen[i] = seen_new();
        seen[i].fd = (int)place[i];
        seen[i].then = note_order;
        cr_assert_eq(vdf_engine_add_timer(engine, &seen[i].source), 0);
        vdf_engine_set_timer(&seen[i].source, 3600000000000u);
    }
    /* Set anew, from far away: the old setting counts no more. */
    for (int i = 0; i < 8; i++)
        vdf_engine_set_timer(&seen[i].source, 50000000u + place[i] * 30000000u);
    WAIT_UNTIL(n_order == 8);
    for (unsigned i = 0; i < 8; i++)
        cr_assert_eq(order[i], i);
    vdf_engine_destroy(engine);
}

ENGINE_TEST(timer_is_unset_and_removed)
{
    struct vdf_engine *engine = run_engine(*kind);
    struct seen unset = seen_new(), gone = seen_new(), mark = seen_new(), far = seen_new();
    cr_assert_eq(vdf_engine_add_timer(engine, &unset.source), 0);
    cr_assert_eq(vdf_engine_add_timer(engine, &gone.source), 0);
    cr_assert_eq(vdf_engine_add_timer(engine, &mark.source), 0);
    cr_assert_eq(vdf_engine_add_timer(engine, &far.source), 0);
    vdf_engine_set_timer(&far.source, INT64_MAX);
    vdf_engine_set_timer(&unset.source, 40000000);
    vdf_engine_set_timer(&gone.source, 40000000);
    vdf_engine_set_timer(&mark.source, 80000000);
    vdf_engine_set_timer(&unset.source, UINT64_MAX);
    vdf_engine_remove(&gone.source);
    vdf_engine_set_timer(&gone.source, 0);
    WAIT_UNTIL(mark.calls == 1);
    cr_assert_eq(unset.calls, 0);
    cr_assert_eq(gone.calls, 0);
    cr_assert_eq(gone.released, 1);
    cr_assert_eq(far.calls, 0);
    vdf_engine_destroy(engine);
    cr_assert_eq(far.released, 1);
}

static void set_again(struct seen *seen)
{
    vdf_engine_set_timer(&seen->source, 0);
}

ENGINE_TEST(timer_that_sets_itself_leaves_others_their_turn)
{
    struct vdf_engine *engine = run_engine(*kind);
    struct seen busy = seen_new(), door = seen_new(), timer = seen_new();
    int fd = eventfd(0, EFD_NONBLOCK);
    busy.then = set_again;
    cr_assert_eq(vdf_engine_add_timer(engine, &busy.source), 0);
    cr_assert_eq(vdf_engine_add_eventfd(engine, &door.source, fd), 0);
    cr_assert_eq(vdf_engine_add_timer(engine, &timer.source), 0);
    vdf_engine_set_timer(&busy.source, 0);
    WAIT_UNTIL(busy.calls > 10);
    ring(fd, 1);
    vdf_engine_set_timer(&timer.source, 1);
    WAIT_UNTIL(door.calls == 1 && timer.calls == 1);
    vdf_engine_remove(&busy.source);
    WAIT_UNTIL(busy.released);
    vdf_engine_destroy(engine);
    close(fd);
}

ENGINE_TEST(timer_that_is_set_before_the_start)
{
    struct vdf_engine *engine = open_engine(*kind);
    struct seen seen = seen_new();
    cr_assert_eq(vdf_engine_add_timer(engine, &seen.source), 0);
    vdf_engine_set_timer(&seen.source, 0);
    vdf_engine_set_timer(&seen.source, 0);
    cr_assert_eq(vdf_engine_start(engine), 0);
    WAIT_UNTIL(seen.calls == 1);
    cr_assert(!pthread_equal(seen.thread, pthread_self()));
    settle(engine);
    cr_assert_eq(seen.calls, 1, "two settings before the call are one call");
    for (unsigned i = 2; i < 200; i++) {
        vdf_engine_set_timer(&seen.source, 0);
        WAIT_UNTIL(seen.calls == i);
    }
    vdf_engine_destroy(engine);
    cr_assert_eq(seen.released, 1);
}

/* --- pollers ---------------------------------------------------------------------------------- */

ENGINE_TEST(poller_runs_all_the_time_and_shares_the_thread)
{
    struct vdf_engine *engine = run_engine(*kind);
    struct seen poller = seen_new(), second = seen_new(), door = seen_new(), timer = seen_new();
    int fd = eventfd(0, EFD_NONBLOCK);
    cr_assert_eq(vdf_engine_add_eventfd(engine, &door.source, fd), 0);
    cr_assert_eq(vdf_engine_add_timer(engine, &timer.source), 0);
    settle(engine);
    /* The thread sleeps now; the pollers end that, as one of them finds something. */
    second.finds = true;
    cr_assert_eq(vdf_engine_add_poller(engine, &poller.source), 0);
    WAIT_UNTIL(poller.calls >= 1);
    cr_assert_eq(vdf_engine_add_poller(engine, &second.source), 0);
    WAIT_UNTIL(poller.calls >= 1000 && second.calls >= 1000);
    ring(fd, 1);
    vdf_engine_set_timer(&timer.source, 1000000);
    WAIT_UNTIL(door.calls == 1 && timer.calls == 1);
    settle(engine);

    vdf_engine_remove(&poller.source);
    vdf_engine_remove(&second.source);
    WAIT_UNTIL(poller.released && second.released);
    unsigned calls = poller.calls;
    struct vdf_engine_stats before, after;
    vdf_engine_stats(engine, &before);
    settle(engine);
    vdf_engine_stats(engine, &after);
    cr_assert_eq(poller.calls, calls);
    cr_assert_eq(before.polls, after.polls);
    cr_assert_geq(after.polls, 1000);
    vdf_engine_destroy(engine);
    close(fd);
}

static uint64_t polls(const struct vdf_engine *engine)
{
    struct vdf_engine_stats stats;
    vdf_engine_stats(engine, &stats);
    return stats.polls;
}

/* The poller finds work in one round, and in no other. */
static uint32_t to_find;

static bool find_once(struct vdf_source *source, uint64_t idle_ns)
{
    if (!__atomic_exchange_n(&to_find, 0, __ATOMIC_ACQ_REL))
        return false;
    on_call(source, 0);
    return true;
}

/* Until the engine has not looked for @ms. */
static void wait_for_pause(const struct vdf_engine *engine, long ms)
{
    struct timespec pause = { .tv_nsec = ms * 1000000 };
    uint64_t before;

    do {
        before = polls(engine);
        nanosleep(&pause, NULL);
    } while (polls(engine) != before);
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* The time that has really passed counts, even if this thread wakes late. */
static double looks_a_second(const struct vdf_engine *engine)
{
    struct timespec seconds = { .tv_sec = 2 };
    double begin = now_s();
    uint64_t before = polls(engine);
    nanosleep(&seconds, NULL);
    uint64_t looks = polls(engine) - before;
    return (double)looks / (now_s() - begin);
}

ENGINE_TEST(poller_that_finds_nothing_lets_the_thread_sleep)
{
    struct vdf_engine *engine = run_engine(*kind);
    struct seen poller = seen_new();
    poller.source.poll = find_once;
    to_find = 0;
    cr_assert_eq(vdf_engine_add_poller(engine, &poller.source), 0);

    /* At first a look follows the other; after some time without a find they are 20 ms apart. */
    wait_for_pause(engine, 15);
    double looks = looks_a_second(engine);
    cr_assert_leq(looks, 52, "%g looks in a second", looks);
    cr_assert_gt(looks, 0);

    /* A find has it look all the time again, for a while. */
    uint64_t before = polls(engine);
    __atomic_store_n(&to_find, 1, __ATOMIC_RELEASE);
    WAIT_UNTIL(poller.calls == 1);
    struct timespec nap = { .tv_nsec = 10000000 };
    for (unsigned k = 0; k < 500 && polls(engine) - before < 50; k++)
        nanosleep(&nap, NULL);
    cr_assert_geq(polls(engine) - before, 50);
    vdf_engine_destroy(engine);
}

/* A look that takes long, and finds nothing. */
static bool ponder(struct vdf_source *source, uint64_t idle_ns)
{
    struct timespec begin, now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
    do
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    while ((now.tv_sec - begin.tv_sec) * 1000000000 + (now.tv_nsec - begin.tv_nsec) < 1000000);
    return false;
}

ENGINE_TEST(poller_whose_looks_take_long_is_asked_seldom)
{
    struct vdf_engine *engine = run_engine(*kind);
    struct seen poller = seen_new();
    poller.source.poll = ponder;
    cr_assert_eq(vdf_engine_add_poller(engine, &poller.source), 0);
    /* 2000 times 1 ms would be longer than the longest pause, half a second. */
    wait_for_pause(engine, 400);
    double looks = looks_a_second(engine);
    cr_assert_leq(looks, 3, "%g looks in a second", looks);
    cr_assert_gt(looks, 0);
    vdf_engine_destroy(engine);
}

ENGINE_TEST(poller_sees_to_others_while_it_sleeps)
{
    struct vdf_engine *engine = run_engine(*kind);
    struct seen poller = seen_new(), door = seen_new(), timer = seen_new();
    int fd = eventfd(0, EFD_NONBLOCK);
    cr_assert_eq(vdf_engine_add_poller(engine, &poller.source), 0);
    cr_assert_eq(vdf_engine_add_eventfd(engine, &door.source, fd), 0);
    cr_assert_eq(vdf_engine_add_timer(engine, &timer.source), 0);
    wait_for_pause(engine, 15);
    for (unsigned k = 1; k <= 100; k++) {
        ring(fd, 1);
        WAIT_UNTIL(door.calls == k);
        vdf_engine_set_timer(&timer.source, 1000);
        WAIT_UNTIL(timer.calls == k);
    }
    vdf_engine_destroy(engine);
    close(fd);
}

ENGINE_TEST(poller_removes_itself_and_another)
{
    struct vdf_engine *engine = open_engine(*kind);
    struct seen first = seen_new(), second = seen_new();
    first.then = remove_self;
    second.then = remove_self;
    cr_assert_eq(vdf_engine_add_poller(engine, &first.source), 0);
    cr_assert_eq(vdf_engine_add_poller(engine, &second.source), 0);
    cr_assert_eq(vdf_engine_start(engine), 0);
    WAIT_UNTIL(first.released && second.released);
    cr_assert_eq(first.calls, 1);
    cr_assert_eq(second.calls, 1);
    vdf_engine_destroy(engine);
}

ENGINE_TEST(idle_engine_sleeps)
{
    struct vdf_engine *engine = run_engine(*kind);
    struct seen seen = seen_new(), timer = seen_new();
    int fd = eventfd(0, EFD_NONBLOCK);
    cr_assert_eq(vdf_engine_add_eventfd(engine, &seen.source, fd), 0);
    cr_assert_eq(vdf_engine_add_timer(engine, &timer.source), 0);
    settle(engine);
    struct vdf_engine_stats before, after;
    vdf_engine_stats(engine, &before);
    vdf_engine_set_timer(&timer.source, 100000000);
    WAIT_UNTIL(timer.calls == 1);
    vdf_engine_stats(engine, &after);
    /* At the end of settle()'s removal, for the setting, and for the time. */
    cr_assert_leq(after.wakeups - before.wakeups, 4);
    cr_assert_eq(after.polls, 0);
    vdf_engine_destroy(engine);
    close(fd);
}

/* --- removal ---------------------------------------------------------------------------------- */

static void remove_other(struct seen *seen)
{
    vdf_engine_remove(&seen->other->source);
}

/* Both are ready in the same round; whichever comes first, the other may or may not still run, but
 * never after its release (on_call() looks). */
ENGINE_TEST(function_removes_another_source_in_flight)
{
    struct vdf_engine *engine = run_engine(*kind);
    for (int round = 0; round < 200; round++) {
        struct seen one = seen_new(), two = seen_new();
        one.other = &two;
        two.other = &one;
        one.then = two.then = remove_other;
        int a = eventfd(0, EFD_NONBLOCK), b = eventfd(0, EFD_NONBLOCK);
        cr_assert_eq(vdf_engine_add_eventfd(engine, &one.source, a), 0);
        cr_assert_eq(vdf_engine_add_eventfd(engine, &two.source, b), 0);
        ring(a, 1);
        ring(b, 1);
        WAIT_UNTIL(one.released || two.released);
        vdf_engine_remove(&one.source);
        vdf_engine_remove(&two.source);
        WAIT_UNTIL(one.released && two.released);
        close(a);
        close(b);
    }
    vdf_engine_destroy(engine);
}

static struct vdf_engine *again_engine;

static void release_and_add(struct vdf_source *source)
{
    struct seen *seen = (struct seen *)source;
    pthread_mutex_lock(&lock);
    unsigned times = ++seen->sum;
    pthread_mutex_unlock(&lock);
    if (times < 50 && !vdf_engine_add_eventfd(again_engine, source, seen->fd))
        vdf_engine_remove(source);
    else
        on_release(source);
}

ENGINE_TEST(source_is_added_again_in_its_release)
{
    struct vdf_engine *engine = again_engine = run_engine(*kind);
    struct seen seen = seen_new();
    seen.source.release = release_and_add;
    seen.fd = eventfd(0, EFD_NONBLOCK);
    cr_assert_eq(vdf_engine_add_eventfd(engine, &seen.source, seen.fd), 0);
    vdf_engine_remove(&seen.source);
    WAIT_UNTIL(seen.released);
    cr_assert_eq(seen.sum, 50);
    vdf_engine_destroy(engine);
    close(seen.fd);
}

ENGINE_TEST(removed_before_the_start_is_released_by_the_thread)
{
    struct vdf_engine *engine = open_engine(*kind);
    struct seen seen = seen_new();
    int fd = eventfd(1, EFD_NONBLOCK);
    cr_assert_eq(vdf_engine_add_eventfd(engine, &seen.source, fd), 0);
    vdf_engine_remove(&seen.source);
    cr_assert_eq(seen.released, 0);
    cr_assert_eq(vdf_engine_start(engine), 0);
    WAIT_UNTIL(seen.released);
    cr_assert_eq(seen.calls, 0);
    vdf_engine_destroy(engine);
    close(fd);
}

ENGINE_TEST(stop_releases_what_is_left)
{
    for (int start = 0; start < 2; start++) {
        struct vdf_engine *engine = open_engine(*kind);
        struct seen seen[5];
        int fds[2] = { eventfd(0, EFD_NONBLOCK), eventfd(0, EFD_NONBLOCK) };
        for (int i = 0; i < 5; i++)
            seen[i] = seen_new();
        if (start)
            cr_assert_eq(vdf_engine_start(engine), 0);
        cr_assert_eq(vdf_engine_add_eventfd(engine, &seen[0].source, fds[0]), 0);
        cr_assert_eq(vdf_engine_add_fd(engine, &seen[1].source, fds[1], POLLIN), 0);
        cr_assert_eq(vdf_engine_add_timer(engine, &seen[2].source), 0);
        cr_assert_eq(vdf_engine_add_timer(engine, &seen[3].source), 0);
        cr_assert_eq(vdf_engine_add_poller(engine, &seen[4].source), 0);
        vdf_engine_set_timer(&seen[3].source, 3600000000000u);
        if (start)
            settle(engine);
        vdf_engine_stop(engine);
        for (int i = 0; i < 5; i++)
            cr_assert_eq(seen[i].released, 1, "source %d of %d", i, start);
        struct seen second = seen_new();
        cr_assert_eq(vdf_engine_add_timer(engine, &second.source), -ESHUTDOWN);
        vdf_engine_destroy(engine);
        cr_assert_eq(second.released, 0);
        close(fds[0]);
        close(fds[1]);
    }
}

/* --- many, forks, signals --------------------------------------------------------------------- */

ENGINE_TEST(many_descriptors)
{
    struct vdf_engine *engine = open_engine(*kind);
    static struct seen seen[MANY];
    for (int i = 0; i < MANY; i++) {
        seen[i] = seen_new();
        seen[i].fd = eventfd(0, EFD_NONBLOCK);
        cr_assert_geq(seen[i].fd, 0);
        cr_assert_eq(vdf_engine_add_eventfd(engine, &seen[i].source, seen[i].fd), 0);
        if (i == MANY / 2)
            cr_assert_eq(vdf_engine_start(engine), 0);
    }
    for (unsigned round = 1; round <= 5; round++) {
        for (int i = 0; i < MANY; i++)
            ring(seen[i].fd, 1);
        for (int i = 0; i < MANY; i++)
            WAIT_UNTIL(seen[i].sum == round);
    }
    for (int i = 0; i < MANY; i += 2)
        vdf_engine_remove(&seen[i].source);
    for (int i = 0; i < MANY; i += 2)
        WAIT_UNTIL(seen[i].released);
    vdf_engine_destroy(engine);
    for (int i = 0; i < MANY; i++) {
        cr_assert_eq(seen[i].released, 1);
        close(seen[i].fd);
    }
}

ENGINE_TEST(engine_goes_on_in_a_forked_process)
{
    struct vdf_engine *engine = open_engine(*kind);
    static struct seen seen[MANY];
    for (int i = 0; i < MANY; i++) {
        seen[i] = seen_new();
        seen[i].fd = eventfd(1, EFD_NONBLOCK);
        cr_assert_eq(vdf_engine_add_eventfd(engine, &seen[i].source, seen[i].fd), 0);
    }
    pid_t child = fork();
    cr_assert_geq(child, 0);
    if (!child) {
        if (vdf_engine_start(engine))
            _exit(1);
        for (int i = 0; i < MANY; i++)
            WAIT_UNTIL(seen[i].calls == 1);
        vdf_engine_destroy(engine);
        _exit(0);
    }
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x", status);
    vdf_engine_destroy(engine);
    for (int i = 0; i < MANY; i++) {
        cr_assert_eq(seen[i].released, 1);
        close(seen[i].fd);
    }
}

static void check_signals(struct seen *seen)
{
    sigset_t set;
    pthread_sigmask(SIG_SETMASK, NULL, &set);
    pthread_mutex_lock(&lock);
    seen->sum = sigismember(&set, SIGTERM) && sigismember(&set, SIGINT) ? 1 : 2;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

ENGINE_TEST(thread_takes_no_signals)
{
    struct vdf_engine *engine = run_engine(*kind);
    struct seen seen = seen_new();
    seen.then = check_signals;
    cr_assert_eq(vdf_engine_add_timer(engine, &seen.source), 0);
    vdf_engine_set_timer(&seen.source, 0);
    WAIT_UNTIL(seen.sum);
    cr_assert_eq(seen.sum, 1);
    sigset_t mine;
    pthread_sigmask(SIG_SETMASK, NULL, &mine);
    cr_assert(!sigismember(&mine, SIGTERM), "the caller's mask is as before");
    vdf_engine_destroy(engine);
}

ENGINE_TEST(counters_count)
{
    struct vdf_engine *engine = run_engine(*kind);
    struct seen door = seen_new(), timer = seen_new();
    int fd = eventfd(0, EFD_NONBLOCK);
    cr_assert_eq(vdf_engine_add_eventfd(engine, &door.source, fd), 0);
    cr_assert_eq(vdf_engine_add_timer(engine, &timer.source), 0);
    for (unsigned i = 1; i <= 10; i++) {
        ring(fd, 1);
        WAIT_UNTIL(door.calls == i);
    }
    vdf_engine_set_timer(&timer.source, 0);
    WAIT_UNTIL(timer.calls == 1);
    struct vdf_engine_stats stats;
    vdf_engine_stats(engine, &stats);
    cr_assert_eq(stats.doorbells, 10);
    cr_assert_eq(stats.timers, 1);
    cr_assert_eq(stats.polls, 0);
    cr_assert_geq(stats.completions, 10);
    cr_assert_geq(stats.submissions, stats.completions);
    cr_assert_gt(stats.wakeups, 0);
    vdf_engine_destroy(engine);
    close(fd);
}
