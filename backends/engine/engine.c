/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine, the part that both kinds have in common: the life of sources, timers, pollers, and
 * the thread's loop.
 *
 * Work for the engine's thread on a source is queued and done in order. Removal is such work too: the
 * source is marked at once, so that no new call of its function begins. When its turn comes, its
 * request in flight is cancelled, and when that has completed, the source is unlinked and released.
 * The memory of a source is therefore never freed while the thread or the kernel has a pointer to it,
 * and the thread may use any source of its lists without holding the lock across calls.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <virtdevfs/foreign.h>

#include "engine.h"

/* Kernels add the timeout to the present time, and some do not check for an overflow. */
#define LONGEST_WAIT_NS UINT64_C(3600000000000)

#define POLL_BUSY_NS 50000 /* after the last find, before the first sleep */
/* The longest sleep between two rounds of polling: a multiple of a round's cost, within limits. */
#define POLL_SLEEP_ROUNDS 2000u
#define POLL_SLEEP_LEAST_NS 20000000
#define POLL_SLEEP_MOST_NS 500000000
#define POLL_ROUNDS 16u /* without a sleep, before other work has its turn */

static void count(uint64_t *counter)
{
    __atomic_store_n(counter, *counter + 1, __ATOMIC_RELAXED);
}

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec ts;
    clock_gettime(clock, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static uint64_t now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

static bool is_watched(const struct vdf_source *source)
{
    return source->kind <= VDF_SOURCE_FD;
}

/* --- lists; the lock is held ------------------------------------------------------------------ */

static void link_source(struct vdf_source **head, struct vdf_source *source)
{
    source->next = *head;
    source->prev = head;
    if (source->next)
        source->next->prev = &source->next;
    *head = source;
}

static void unlink_source(struct vdf_engine *engine, struct vdf_source *source)
{
    *source->prev = source->next;
    if (source->next)
        source->next->prev = source->prev;
    else if (engine->timers_end == &source->next)
        engine->timers_end = source->prev;
}

static struct vdf_source *source_of_next(struct vdf_source **next)
{
    return (struct vdf_source *)((char *)next - offsetof(struct vdf_source, next));
}

/* Timers mostly have equal delays and are set in order, so the search begins at the end. */
static void link_timer(struct vdf_engine *engine, struct vdf_source *source)
{
    struct vdf_source **place = engine->timers_end;
    while (place != &engine->timers && source_of_next(place)->deadline_ns > source->deadline_ns)
        place = source_of_next(place)->prev;
    link_source(place, source);
    if (!source->next)
        engine->timers_end = &source->next;
}

static void stop_timer(struct vdf_engine *engine, struct vdf_source *source)
{
    if (!(source->flags & VDF_SOURCE_RUNNING))
        return;
    unlink_source(engine, source);
    source->flags &= ~VDF_SOURCE_RUNNING;
    link_source(&engine->lists[VDF_SOURCE_TIMER], source);
}

static void enqueue(struct vdf_engine *engine, struct vdf_source *source, unsigned why)
{
    source->flags |= why;
    if (source->flags & VDF_SOURCE_QUEUED)
        return;
    source->flags |= VDF_SOURCE_QUEUED;
    source->queue_next = NULL;
    *engine->queue_end = source;
    engine->queue_end = &source->queue_next;
}

/* Release the lock, and end the thread's sleep: there is work. */
static void unlock_and_wake(struct vdf_engine *engine)
{
    bool wake = atomic_load_explicit(&engine->sleeping, memory_order_relaxed) && !engine->woken;
    atomic_store_explicit(&engine->asked, true, memory_order_relaxed);
    if (wake)
        engine->woken = true;
    vdf_unlock(&engine->lock);
    if (wake) {
        /* Fails only if the counter is full, and then the thread is awake. */
        uint64_t one = 1;
        ssize_t written = write(engine->wake.fd, &one, sizeof(one));
        (void)written;
    }
}

/* Allocate the kind's data for a watched source. Any thread. */
static int make_request(const struct vdf_engine *engine, void **op)
{
    if (!engine->ops->request_size)
        return 0;
    *op = calloc(1, engine->ops->request_size);
    return *op ? 0 : -ENOMEM;
}

/* --- requests; the engine's thread ------------------------------------------------------------ */

static void arm(struct vdf_engine *engine, struct vdf_source *source)
{
    vdf_lock(&engine->lock);
    source->flags &= ~VDF_SOURCE_ARM;
    if (source->flags & VDF_SOURCE_REMOVED) {
        vdf_unlock(&engine->lock);
        return;
    }
    source->flags |= VDF_SOURCE_FLYING;
    vdf_unlock(&engine->lock);

    count(&engine->stats.submissions);
    int ret = engine->ops->arm(engine, source);
    if (ret)
        vdf_engine_refused(engine, source, ret);
}

void vdf_engine_refused(struct vdf_engine *engine, struct vdf_source *source, int result)
{
    bool for_now = result == -EAGAIN || result == -ENOMEM;
    vdf_lock(&engine->lock);
    if (!for_now)
        engine->refusal = result;
    source->flags &= ~(VDF_SOURCE_FLYING | VDF_SOURCE_CANCELED);
    enqueue(engine, source, for_now ? VDF_SOURCE_ARM : VDF_SOURCE_FAILED);
    vdf_unlock(&engine->lock);
}

void vdf_engine_rearm_all(struct vdf_engine *engine)
{
    vdf_lock(&engine->lock);
    for (unsigned kind = VDF_SOURCE_WAKE; kind <= VDF_SOURCE_FD; kind++)
        for (struct vdf_source *s = engine->lists[kind]; s; s = s->next)
            if (s->flags & VDF_SOURCE_FLYING) {
                s->flags &= ~(VDF_SOURCE_FLYING | VDF_SOURCE_CANCELED);
                enqueue(engine, s, VDF_SOURCE_ARM);
            }
    vdf_unlock(&engine->lock);
}

/* Read an eventfd and pass on its counter. Return: whether to watch it further. A process
 * that shares the eventfd may have read it, and may have made it block; kernels before 5.8 know the flag
 * for files only. */
static bool ring_doorbell(struct vdf_engine *engine, struct vdf_source *source)
{
    uint64_t value;
    struct iovec iov = { .iov_base = &value, .iov_len = sizeof(value) };
    ssize_t n = preadv2(source->fd, &iov, 1, -1, RWF_NOWAIT);
    if (n < 0 && errno == EOPNOTSUPP)
        n = read(source->fd, &value, sizeof(value));
    if (n != (ssize_t)sizeof(value))
        return n < 0 && (errno == EAGAIN || errno == EINTR);
    if (source->kind == VDF_SOURCE_EVENTFD)
        count(&engine->stats.doorbells);
    source->fn(source, value);
    return true;
}

/* Return: whether its function may be called. */
static bool came_back(struct vdf_engine *engine, struct vdf_source *source)
{
    vdf_lock(&engine->lock);
    source->flags &= ~(VDF_SOURCE_FLYING | VDF_SOURCE_CANCELED);
    bool removed = source->flags & VDF_SOURCE_REMOVED;
    if (removed)
        enqueue(engine, source, 0);
    vdf_unlock(&engine->lock);
    return !removed;
}

void vdf_engine_completed(struct vdf_engine *engine, struct vdf_source *source, int result)
{
    count(&engine->stats.completions);
    if (!came_back(engine, source))
        return;
    if (result < 0) {
        vdf_engine_refused(engine, source, result);
        return;
    }
    bool again = true;
    if (source->kind != VDF_SOURCE_FD) {
        again = ring_doorbell(engine, source);
    } else {
        /* libaio's answer has more bits than were asked for. */
        uint32_t events = (uint32_t)result & (source->events | POLLERR | POLLHUP | POLLNVAL);
        if (events)
            source->fn(source, events);
    }
    if (again)
        arm(engine, source);
}

static void wake_up(struct vdf_source *source, uint64_t value)
{
    struct vdf_engine *engine = source->engine;
    vdf_lock(&engine->lock);
    engine->woken = false;
    vdf_unlock(&engine->lock);
}

/* --- work; the engine's thread ---------------------------------------------------------------- */

static void join_pollers(struct vdf_engine *engine, struct vdf_source *source)
{
    source->poll_next = engine->pollers;
    engine->pollers = source;
    engine->found_ns = now_ns();
}

static void leave_pollers(struct vdf_engine *engine, struct vdf_source *source)
{
    struct vdf_source **link = &engine->pollers;
    while (*link && *link != source)
        link = &(*link)->poll_next;
    if (*link)
        *link = source->poll_next;
}

/* The caller may have closed its own descriptor, and the last close of a socket may block. */
static void close_watched(int fd)
{
    if (vdf_foreign_kind(fd) == VDF_FOREIGN_SOCKET)
        vdf_foreign_close(&fd, 1, -1);
    else
        close(fd);
}

/* Take a source out of the engine. The lock is held, and is released. */
static void release(struct vdf_engine *engine, struct vdf_source *source)
{
    stop_timer(engine, source);
    unlink_source(engine, source);
    engine->n_sources--;
    if (is_watched(source))
        engine->n_watched--;
    if (source->kind == VDF_SOURCE_POLLER)
        leave_pollers(engine, source);
    void *op = source->op;
    int fd = is_watched(source) ? source->fd : -1;
    source->next = NULL;
    source->prev = NULL;
    source->queue_next = NULL;
    source->poll_next = NULL;
    source->deadline_ns = 0;
    source->op = NULL;
    source->fd = 0;
    source->events = 0;
    source->kind = 0;
    source->flags = 0;
    __atomic_store_n(&source->engine, NULL, __ATOMIC_RELEASE);
    vdf_unlock(&engine->lock);

    free(op);
    if (fd >= 0)
        close_watched(fd);
    if (source->release)
        source->release(source);
}

/* Do the queued work of a source. The lock is held, and is released. */
static void run_work(struct vdf_engine *engine, struct vdf_source *source)
{
    unsigned flags = source->flags;
    source->flags &= ~(VDF_SOURCE_QUEUED | VDF_SOURCE_FAILED);

    if (flags & VDF_SOURCE_REMOVED) {
        if (!(flags & VDF_SOURCE_FLYING)) {
            release(engine, source);
            return;
        }
        source->flags |= VDF_SOURCE_CANCELED;
        vdf_unlock(&engine->lock);
        if (!(flags & VDF_SOURCE_CANCELED) && engine->ops->cancel(engine, source)) {
            vdf_lock(&engine->lock);
            source->flags &= ~VDF_SOURCE_CANCELED;
            enqueue(engine, source, 0);
            vdf_unlock(&engine->lock);
        }
        return;
    }
    if (source->kind == VDF_SOURCE_POLLER) {
        source->flags &= ~VDF_SOURCE_ARM;
        vdf_unlock(&engine->lock);
        join_pollers(engine, source);
        return;
    }
    vdf_unlock(&engine->lock);

    if (flags & VDF_SOURCE_ARM)
        arm(engine, source);
    if (flags & VDF_SOURCE_FAILED && source->kind == VDF_SOURCE_FD)
        source->fn(source, POLLERR);
}

/* Only the work that is there now. The lock is held. */
static void run_queue(struct vdf_engine *engine)
{
    atomic_store_explicit(&engine->asked, false, memory_order_relaxed);
    struct vdf_source *source = engine->queue;
    engine->queue = NULL;
    engine->queue_end = &engine->queue;
    while (source) {
        struct vdf_source *next = source->queue_next;
        run_work(engine, source);
        source = next;
        vdf_lock(&engine->lock);
    }
}

/* The lock is held. */
static void run_timers(struct vdf_engine *engine)
{
    uint64_t now = engine->timers ? now_ns() : 0;
    while (engine->timers && engine->timers->deadline_ns <= now) {
        struct vdf_source *source = engine->timers;
        stop_timer(engine, source);
        vdf_unlock(&engine->lock);
        count(&engine->stats.timers);
        source->fn(source, 0);
        vdf_lock(&engine->lock);
    }
}

/* The list does not change meanwhile, as only run_queue() changes it. A poller that has just been
 * removed is not called again, because the removal sets `asked`. */
static void run_pollers(struct vdf_engine *engine)
{
    bool found = false;

    for (unsigned rounds = POLL_ROUNDS; engine->pollers && rounds > 0; rounds--) {
        count(&engine->stats.polls);
        for (struct vdf_source *s = engine->pollers; s; s = s->poll_next) {
            if (atomic_load_explicit(&engine->asked, memory_order_relaxed)) {
                rounds = 1;
                break;
            }
            if (s->poll(s, engine->idle_ns)) {
                found = true;
                engine->idle_ns = 0;
            }
        }
        if (!found && engine->idle_ns)
            break;
    }
    if (found)
        engine->found_ns = now_ns();
}

/* Measure the cost of a round of polling in processor time. Most of it is waking up and going to sleep,
 * which differs by an order of magnitude between machines. A sleep after other work is not counted. */
static void measure_round(struct vdf_engine *engine)
{
    uint64_t cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    if (engine->measured_ns && engine->measured_completions == engine->stats.completions)
        engine->round_ns = (7 * engine->round_ns + (cpu_ns - engine->measured_ns)) / 8;
    engine->measured_ns = cpu_ns;
    engine->measured_completions = engine->stats.completions;
}

static uint64_t longest_pause(const struct vdf_engine *engine)
{
    uint64_t pause_ns = POLL_SLEEP_ROUNDS * engine->round_ns;
    if (pause_ns < POLL_SLEEP_LEAST_NS)
        return POLL_SLEEP_LEAST_NS;
    return pause_ns < POLL_SLEEP_MOST_NS ? pause_ns : POLL_SLEEP_MOST_NS;
}

/* For how long the pollers need not be called; @now is needed if there are any. */
static uint64_t poll_pause(struct vdf_engine *engine, uint64_t now)
{
    uint64_t idle = now - engine->found_ns;
    engine->idle_ns = idle < POLL_BUSY_NS ? 0 : idle;
    if (!engine->idle_ns) {
        engine->measured_ns = 0;
        return 0;
    }
    measure_round(engine);
    uint64_t longest = longest_pause(engine);
    return idle / 2 < longest ? idle / 2 : longest;
}

/* Sleep if there is no work, and handle completed requests. */
static void wait_and_reap(struct vdf_engine *engine)
{
    uint64_t pause_ns = VDF_ENGINE_FOREVER;
    if (engine->pollers)
        pause_ns = poll_pause(engine, now_ns());

    vdf_lock(&engine->lock);
    uint64_t timeout_ns = 0;
    if (pause_ns && !engine->queue && !(engine->stopping && !engine->draining)) {
        timeout_ns = pause_ns;
        if (engine->timers) {
            uint64_t now = now_ns();
            uint64_t deadline = engine->timers->deadline_ns;
            uint64_t until_ns = deadline > now ? deadline - now : 0;
            if (until_ns > LONGEST_WAIT_NS)
                until_ns = LONGEST_WAIT_NS;
            if (until_ns < timeout_ns)
                timeout_ns = until_ns;
        }
    }
    atomic_store_explicit(&engine->sleeping, timeout_ns > 0, memory_order_relaxed);
    vdf_unlock(&engine->lock);

    engine->ops->wait(engine, timeout_ns);
    if (timeout_ns) {
        count(&engine->stats.wakeups);
        /* A thread that saw it asleep just before may wake it without need. */
        atomic_store_explicit(&engine->sleeping, false, memory_order_relaxed);
    }
    engine->ops->reap(engine);
}

/* --- the thread ------------------------------------------------------------------------------- */

static void mark_removed(struct vdf_engine *engine, struct vdf_source *source)
{
    if (source->flags & VDF_SOURCE_REMOVED)
        return;
    stop_timer(engine, source);
    enqueue(engine, source, VDF_SOURCE_REMOVED);
}

/* Remove all sources and wait until they have been released. */
static void drain(struct vdf_engine *engine)
{
    vdf_lock(&engine->lock);
    engine->draining = true;
    for (struct vdf_source *s = engine->timers, *next; s; s = next) {
        next = s->next;
        mark_removed(engine, s);
    }
    for (unsigned kind = VDF_SOURCE_EVENTFD; kind < VDF_SOURCE_KINDS; kind++)
        for (struct vdf_source *s = engine->lists[kind]; s; s = s->next)
            mark_removed(engine, s);
    while (engine->n_sources) {
        run_queue(engine);
        if (!engine->n_sources)
            break;
        vdf_unlock(&engine->lock);
        wait_and_reap(engine);
        vdf_lock(&engine->lock);
    }
    vdf_unlock(&engine->lock);
}

static void *run(void *arg)
{
    struct vdf_engine *engine = arg;
    engine->open_status = engine->ops->open(engine, NULL);
    int status = engine->open_status;
    sem_post(&engine->opened);
    if (status)
        return NULL;

    arm(engine, &engine->wake);
    vdf_lock(&engine->lock);
    while (!engine->stopping) {
        run_queue(engine);
        run_timers(engine);
        vdf_unlock(&engine->lock);
        run_pollers(engine);
        wait_and_reap(engine);
        vdf_lock(&engine->lock);
    }
    vdf_unlock(&engine->lock);
    drain(engine);
    engine->ops->close(engine);
    return NULL;
}

int vdf_engine_start(struct vdf_engine *engine)
{
    assert(!engine->started);

    /* The engine's thread takes no signals. */
    sigset_t all, old;
    sigfillset(&all);
    /* A blocked fault would end the process in spite of the handler of vdf_import_open(). */
    sigdelset(&all, SIGBUS);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int ret = -pthread_create(&engine->thread, NULL, run, engine);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (ret)
        return ret;
    pthread_setname_np(engine->thread, "vdf-engine");

    while (sem_wait(&engine->opened) && errno == EINTR)
        ;
    if (engine->open_status) {
        pthread_join(engine->thread, NULL);
        return engine->open_status;
    }
    engine->started = true;
    return 0;
}

void vdf_engine_stop(struct vdf_engine *engine)
{
    if (!engine->started) {
        drain(engine);
        return;
    }
    assert(!pthread_equal(pthread_self(), engine->thread));
    vdf_lock(&engine->lock);
    engine->stopping = true;
    unlock_and_wake(engine);
    pthread_join(engine->thread, NULL);
    engine->started = false;
}

/* --- making and ending ------------------------------------------------------------------------ */

/* Complete one poll request. */
static int try_request(struct vdf_engine *engine, struct vdf_err *err)
{
    uint64_t one = 1;
    if (write(engine->wake.fd, &one, sizeof(one)) != (ssize_t)sizeof(one))
        return vdf_fail(err, errno, "write(2) to an eventfd answers %s", vdf_errno_name(errno));

    engine->woken = true;
    engine->refusal = 0;
    arm(engine, &engine->wake);
    for (unsigned tries = 0; tries < 10 && engine->woken && !engine->refusal; tries++) {
        int ret = engine->ops->wait(engine, 100000000);
        if (ret)
            return vdf_fail(err, -ret, "%s: waiting for a request answers %s", engine->ops->name,
                            vdf_errno_name(-ret));
        engine->ops->reap(engine);
        vdf_lock(&engine->lock);
        run_queue(engine);
        vdf_unlock(&engine->lock);
    }
    if (engine->refusal)
        return vdf_fail(err, -engine->refusal,
                        "%s: a poll request answers %s; Linux has them from "
                        "5.11 with io_uring and 4.18 with libaio",
                        engine->ops->name, vdf_errno_name(-engine->refusal));
    if (engine->woken)
        return vdf_fail(err, ETIME, "%s: a poll request does not complete", engine->ops->name);
    return 0;
}

/*
 * Seccomp filters refuse set-up, submission or waiting, each with an errno of their own, and old
 * kernels lack one or the other request, so the probe makes one.
 */
static int probe(struct vdf_engine *engine, const struct vdf_engine_ops *ops, struct vdf_err *err)
{
    engine->ops = ops;
    free(engine->wake.op);
    engine->wake.op = NULL;
    int ret = make_request(engine, &engine->wake.op);
    if (ret)
        return vdf_fail(err, -ret, "no memory for the engine");
    ret = ops->open(engine, err);
    if (ret)
        return ret;
    ret = try_request(engine, err);
    if (ret)
        ops->close(engine);
    else
        ops->park(engine);

    /* Forget the attempt. */
    uint64_t value;
    ssize_t n = read(engine->wake.fd, &value, sizeof(value));
    (void)n;
    engine->wake.flags = 0;
    engine->woken = false;
    engine->queue = NULL;
    engine->queue_end = &engine->queue;
    memset(&engine->stats, 0, sizeof(engine->stats));
    return ret;
}

int vdf_engine_create(enum vdf_engine_kind kind, struct vdf_engine **result, struct vdf_err *err)
{
    *result = NULL;
    struct vdf_engine *engine = calloc(1, sizeof(*engine));
    if (!engine)
        return vdf_fail(err, ENOMEM, "no memory for the engine");
    engine->timers_end = &engine->timers;
    engine->queue_end = &engine->queue;
    vdf_lock_init(&engine->lock, VDF_RANK_ENGINE);
    sem_init(&engine->opened, 0, 0);
    engine->wake.fn = wake_up;
    engine->wake.engine = engine;
    engine->wake.kind = VDF_SOURCE_WAKE;
    engine->wake.events = POLLIN;
    link_source(&engine->lists[VDF_SOURCE_WAKE], &engine->wake);
    engine->n_watched = 1;

    int ret;
    engine->wake.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (engine->wake.fd < 0) {
        ret = vdf_fail(err, errno, "eventfd(2) answers %s", vdf_errno_name(errno));
    } else if (kind == VDF_ENGINE_AUTO) {
        struct vdf_err first = { 0 };
        ret = probe(engine, &vdf_uring_ops, &first);
        if (ret) {
            struct vdf_err second = { 0 };
            ret = probe(engine, &vdf_aio_ops, &second);
            if (ret)
                vdf_fail(err, -ret, "%.120s; %.120s", first.text, second.text);
        }
    } else {
        ret = probe(engine, kind == VDF_ENGINE_IO_URING ? &vdf_uring_ops : &vdf_aio_ops, err);
    }
    if (ret) {
        vdf_engine_destroy(engine);
        return ret;
    }
    *result = engine;
    return 0;
}

void vdf_engine_destroy(struct vdf_engine *engine)
{
    if (!engine)
        return;
    vdf_engine_stop(engine);
    if (engine->kind)
        engine->ops->close(engine);
    if (engine->wake.fd >= 0)
        close(engine->wake.fd);
    free(engine->wake.op);
    sem_destroy(&engine->opened);
    vdf_lock_destroy(&engine->lock);
    free(engine);
}

const char *vdf_engine_name(const struct vdf_engine *engine)
{
    return engine->ops->name;
}

void vdf_engine_stats(const struct vdf_engine *engine, struct vdf_engine_stats *stats)
{
    const struct vdf_engine_stats *from = &engine->stats;
    stats->wakeups = __atomic_load_n(&from->wakeups, __ATOMIC_RELAXED);
    stats->submissions = __atomic_load_n(&from->submissions, __ATOMIC_RELAXED);
    stats->completions = __atomic_load_n(&from->completions, __ATOMIC_RELAXED);
    stats->doorbells = __atomic_load_n(&from->doorbells, __ATOMIC_RELAXED);
    stats->timers = __atomic_load_n(&from->timers, __ATOMIC_RELAXED);
    stats->polls = __atomic_load_n(&from->polls, __ATOMIC_RELAXED);
}

/* --- sources; any thread ---------------------------------------------------------------------- */

static int add(struct vdf_engine *engine, struct vdf_source *source, enum vdf_source_kind kind,
               int fd, uint32_t events)
{
    if (__atomic_load_n(&source->engine, __ATOMIC_ACQUIRE))
        return -EALREADY;

    /*
     * Allocated here, so that the next request never lacks memory. The descriptor is a duplicate:
     * another thread may close the caller's, and its number may then mean another file, just when
     * the engine's thread is about to use it.
     */
    bool watched = kind <= VDF_SOURCE_FD;
    void *op = NULL;
    if (watched) {
        int ret = make_request(engine, &op);
        if (ret)
            return ret;
        fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        if (fd < 0) {
            ret = -errno;
            free(op);
            return ret;
        }
    }

    vdf_lock(&engine->lock);
    int ret = engine->draining ? -ESHUTDOWN : 0;
    if (!ret && watched && engine->ops->reserve)
        ret = engine->ops->reserve(engine, engine->n_watched + 1);
    if (ret) {
        vdf_unlock(&engine->lock);
        free(op);
        if (watched)
            close(fd);
        return ret;
    }
    source->kind = kind;
    source->fd = fd;
    source->events = events;
    source->op = op;
    source->flags = 0;
    link_source(&engine->lists[kind], source);
    engine->n_sources++;
    __atomic_store_n(&source->engine, engine, __ATOMIC_RELEASE);
    engine->n_watched += watched;
    if (watched || kind == VDF_SOURCE_POLLER) {
        enqueue(engine, source, VDF_SOURCE_ARM);
        unlock_and_wake(engine);
    } else {
        vdf_unlock(&engine->lock);
    }
    return 0;
}

/* Refuse descriptors that the kernel would refuse in the engine's thread, with no caller to tell. */
static int check_fd(int fd)
{
    struct stat st;
    if (fstat(fd, &st))
        return -errno;
    return S_ISREG(st.st_mode) || S_ISDIR(st.st_mode) || S_ISBLK(st.st_mode) ? -EPERM : 0;
}

int vdf_engine_add_eventfd(struct vdf_engine *engine, struct vdf_source *source, int fd)
{
    int ret = check_fd(fd);
    return ret ? ret : add(engine, source, VDF_SOURCE_EVENTFD, fd, POLLIN);
}

int vdf_engine_add_fd(struct vdf_engine *engine, struct vdf_source *source, int fd, uint32_t events)
{
    /* The flags of epoll_ctl(2) above these bits mean nothing to a single poll. */
    if (!events || events > UINT16_MAX)
        return -EINVAL;
    int ret = check_fd(fd);
    return ret ? ret : add(engine, source, VDF_SOURCE_FD, fd, events);
}

int vdf_engine_add_timer(struct vdf_engine *engine, struct vdf_source *source)
{
    return add(engine, source, VDF_SOURCE_TIMER, -1, 0);
}

int vdf_engine_add_poller(struct vdf_engine *engine, struct vdf_source *source)
{
    return add(engine, source, VDF_SOURCE_POLLER, -1, 0);
}

/* The source's engine with its lock held; NULL if the source is not or no longer to be used. */
static struct vdf_engine *lock_source(struct vdf_source *source)
{
    struct vdf_engine *engine = __atomic_load_n(&source->engine, __ATOMIC_ACQUIRE);
    if (!engine)
        return NULL;
    vdf_lock(&engine->lock);
    if (source->engine == engine && !(source->flags & VDF_SOURCE_REMOVED))
        return engine;
    vdf_unlock(&engine->lock);
    return NULL;
}

void vdf_engine_set_timer(struct vdf_source *source, uint64_t delay_ns)
{
    struct vdf_engine *engine = lock_source(source);
    if (!engine)
        return;
    assert(source->kind == VDF_SOURCE_TIMER);
    stop_timer(engine, source);
    if (__builtin_add_overflow(now_ns(), delay_ns, &source->deadline_ns)) {
        vdf_unlock(&engine->lock);
        return;
    }
    unlink_source(engine, source);
    source->flags |= VDF_SOURCE_RUNNING;
    link_timer(engine, source);
    if (engine->timers == source)
        unlock_and_wake(engine);
    else
        vdf_unlock(&engine->lock);
}

void vdf_engine_remove(struct vdf_source *source)
{
    struct vdf_engine *engine = lock_source(source);
    if (!engine)
        return;
    mark_removed(engine, source);
    unlock_and_wake(engine);
}
