/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads that add, use and remove sources of every kind at once, for ThreadSanitizer; exit status
 * 0, 1 or 77 (no engine).
 *
 * An object has two references: of the thread that made it, and of the engine until release(). So a
 * thread may set or remove a source that has removed itself, which the contract allows. Nothing may be
 * called after its release, and in the end all must have been released.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <virtdevfs/engine.h>

#include "tests/random.h"

#define THREADS 4
#define SLOTS 40 /* objects a thread; four times that is more than libaio's first context holds */
#define STEPS 40000

enum kind { EVENTFD, FD, TIMER, POLLER, KINDS };

struct object {
    struct vdf_source source;
    enum kind kind;
    int fd;
    unsigned refs;
    bool released;
    unsigned calls_left; /* it removes itself then */
};

static struct vdf_engine *engine;
static struct vdf_source shared; /* a timer that all threads set */
static uint64_t shared_calls;    /* under the lock */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t called = PTHREAD_COND_INITIALIZER;
static unsigned long added, released, wrong;

static void check(bool right, const char *failure)
{
    if (right)
        return;
    fprintf(stderr, "stress_engine: %s\n", failure);
    __atomic_add_fetch(&wrong, 1, __ATOMIC_RELAXED);
}

static void put(struct object *object)
{
    if (__atomic_sub_fetch(&object->refs, 1, __ATOMIC_ACQ_REL))
        return;
    if (object->fd >= 0)
        close(object->fd);
    free(object);
}

static void on_call(struct vdf_source *source, uint64_t value)
{
    struct object *object = (struct object *)source;
    check(!object->released, "a function was called after release");
    if (object->kind == FD) {
        uint64_t count;
        ssize_t n = read(object->fd, &count, sizeof(count));
        check(n == sizeof(count) || (n < 0 && errno == EAGAIN), "the eventfd cannot be read");
    }
    if (object->calls_left && !--object->calls_left)
        vdf_engine_remove(source);
}

/* Finds something at every other look. */
static bool on_look(struct vdf_source *source, uint64_t idle_ns)
{
    on_call(source, 0);
    return ((struct object *)source)->calls_left % 2;
}

static void on_release(struct vdf_source *source)
{
    struct object *object = (struct object *)source;
    check(!object->released, "a source was released twice");
    object->released = true;
    __atomic_add_fetch(&released, 1, __ATOMIC_RELAXED);
    put(object);
}

static void on_shared(struct vdf_source *source, uint64_t value)
{
    pthread_mutex_lock(&lock);
    shared_calls++;
    pthread_cond_broadcast(&called);
    pthread_mutex_unlock(&lock);
}

/* Let the engine catch up: without that nearly everything is removed before it was looked at. */
static void wait_for_engine(void)
{
    pthread_mutex_lock(&lock);
    uint64_t before = shared_calls;
    vdf_engine_set_timer(&shared, 0);
    while (shared_calls == before)
        pthread_cond_wait(&called, &lock);
    pthread_mutex_unlock(&lock);
}

static struct object *make(struct vdf_random *random)
{
    struct object *object = calloc(1, sizeof(*object));
    if (!object)
        abort();
    object->kind = vdf_random_below(random, KINDS);
    /* Pollers are few and short-lived, because their finds keep the thread awake. */
    object->calls_left = object->kind == POLLER ? 20 : vdf_random_below(random, 8);
    object->source.fn = on_call;
    object->source.poll = on_look;
    object->source.release = on_release;
    object->refs = 2;
    object->fd = -1;

    int rc = 0;
    switch (object->kind) {
    case EVENTFD:
    case FD:
        object->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        rc = object->kind == EVENTFD
                 ? vdf_engine_add_eventfd(engine, &object->source, object->fd)
                 : vdf_engine_add_fd(engine, &object->source, object->fd, POLLIN);
        break;
    case TIMER:
        rc = vdf_engine_add_timer(engine, &object->source);
        break;
    default:
        rc = vdf_engine_add_poller(engine, &object->source);
    }
    check(rc == 0, "a source cannot be added");
    if (rc) {
        object->refs = 1;
        put(object);
        return NULL;
    }
    __atomic_add_fetch(&added, 1, __ATOMIC_RELAXED);
    return object;
}

static void use(struct object *object, struct vdf_random *random)
{
    uint64_t one = 1;
    switch (object->kind) {
    case EVENTFD:
    case FD:
        check(write(object->fd, &one, sizeof(one)) == sizeof(one), "the eventfd cannot be written");
        break;
    case TIMER:
        vdf_engine_set_timer(&object->source, vdf_random_below(random, 200000));
        break;
    default:
        vdf_engine_remove(&object->source);
    }
}

static void *work(void *arg)
{
    struct vdf_random random = { *(uint64_t *)arg };
    struct object *slots[SLOTS] = { NULL };
    for (unsigned step = 0; step < STEPS; step++) {
        struct object **slot = &slots[vdf_random_below(&random, SLOTS)];
        if (!*slot) {
            *slot = make(&random);
        } else if (vdf_random_below(&random, 4)) {
            use(*slot, &random);
        } else {
            vdf_engine_remove(&(*slot)->source);
            put(*slot);
            *slot = NULL;
        }
        if (step % 16 == 0)
            wait_for_engine();
    }
    /* The rest stays in the engine, which has to release it when it stops. */
    for (unsigned i = 0; i < SLOTS; i++)
        if (slots[i])
            put(slots[i]);
    return NULL;
}

static bool stress(enum vdf_engine_kind kind, struct vdf_random random)
{
    struct vdf_err err = { 0 };
    if (vdf_engine_create(kind, &engine, &err)) {
        printf("skipped part: %s\n", err.text);
        return false;
    }
    added = released = shared_calls = 0;
    shared = (struct vdf_source){ .fn = on_shared };
    check(!vdf_engine_add_timer(engine, &shared), "a source cannot be added before the start");
    check(!vdf_engine_start(engine), "the engine does not start");

    pthread_t threads[THREADS];
    uint64_t seeds[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        seeds[i] = vdf_random_next(&random);
        if (pthread_create(&threads[i], NULL, work, &seeds[i]))
            abort();
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    struct vdf_engine_stats stats;
    vdf_engine_stats(engine, &stats);
    vdf_engine_stop(engine);

    check(added == released, "not all sources were released");
    check(shared_calls > 0, "the shared source was never called");
    check(stats.doorbells && stats.timers && stats.polls, "a kind was never called");
    printf("%s: %lu sources, %lu doorbells, %lu timers, %lu requests\n", vdf_engine_name(engine),
           added, (unsigned long)stats.doorbells, (unsigned long)stats.timers,
           (unsigned long)stats.submissions);
    vdf_engine_destroy(engine);
    return true;
}

int main(void)
{
    struct vdf_random random = vdf_random_begin("stress_engine", 1);
    unsigned ran = 0;
    ran += stress(VDF_ENGINE_IO_URING, random);
    ran += stress(VDF_ENGINE_LIBAIO, random);
    if (wrong)
        return 1;
    return ran ? 0 : 77;
}
