/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the engines cost: a doorbell's way there and back, with both engines and with a bare thread
 * that blocks in read(2), in one run. First both threads are on one core; then each has its own and
 * the asking one spins for the answer, so that only the other's waking up is in it. Compare the
 * ratios: absolute times depend on the machine.
 *
 *     build/release/tests/bench_engine
 *
 *   doorbell   write(2) to an eventfd, the engine's function writes to another, read(2) of that
 *   polling    the same while a poller keeps the engine awake, as an open queue page does
 *   post       vdf_engine_post() instead of the first write(2)
 *   many       doorbell, with 1000 other eventfds watched
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <virtdevfs/engine.h>

#define TRIPS 2000 /* round trips a sample */
#define SAMPLES 9  /* of which the median is taken */
#define MANY 1000

static struct vdf_source answer_source, poller;
static int question, answer;
static int our_core, their_core;

static _Noreturn void die(const char *what, int code)
{
    fprintf(stderr, "bench_engine: %s: %s\n", what, strerror(code));
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Threads made from now on run on @core. */
static void go_to(int core)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    if (sched_setaffinity(0, sizeof(set), &set))
        die("sched_setaffinity", errno);
}

static int new_eventfd(int flags)
{
    int fd = eventfd(0, EFD_CLOEXEC | flags);
    if (fd < 0)
        die("eventfd", errno);
    return fd;
}

static void ring(int fd)
{
    uint64_t one = 1;
    if (write(fd, &one, sizeof(one)) != (ssize_t)sizeof(one))
        die("write", errno);
}

static void hear(int fd)
{
    uint64_t value;
    if (read(fd, &value, sizeof(value)) != (ssize_t)sizeof(value))
        die("read", errno);
}

static void hear_answer(void)
{
    if (our_core == their_core) {
        hear(answer);
        return;
    }
    uint64_t value;
    while (read(answer, &value, sizeof(value)) != (ssize_t)sizeof(value))
        if (errno != EAGAIN)
            die("read", errno);
}

static void on_question(struct vdf_source *source, uint64_t value)
{
    (void)source;
    (void)value;
    ring(answer);
}

static void on_poll(struct vdf_source *source, uint64_t value)
{
    (void)source;
    (void)value;
}

static void *bare_thread(void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < TRIPS * (SAMPLES + 1); i++) {
        hear(question);
        ring(answer);
    }
    return NULL;
}

static void ask_by_doorbell(void)
{
    ring(question);
}

static void ask_by_post(void)
{
    vdf_engine_post(&answer_source);
}

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Median nanoseconds of a round trip; the first sample only warms up. */
static uint64_t measure(void (*ask)(void))
{
    uint64_t samples[SAMPLES + 1];
    for (unsigned s = 0; s <= SAMPLES; s++) {
        uint64_t start = now_ns();
        for (unsigned i = 0; i < TRIPS; i++) {
            ask();
            hear_answer();
        }
        samples[s] = (now_ns() - start) / TRIPS;
    }
    qsort(samples + 1, SAMPLES, sizeof(*samples), by_size);
    return samples[1 + SAMPLES / 2];
}

static uint64_t bare(void)
{
    pthread_t thread;
    question = new_eventfd(0);
    answer = new_eventfd(our_core == their_core ? 0 : EFD_NONBLOCK);
    go_to(their_core);
    int rc = pthread_create(&thread, NULL, bare_thread, NULL);
    go_to(our_core);
    if (rc)
        die("pthread_create", rc);
    uint64_t ns = measure(ask_by_doorbell);
    pthread_join(thread, NULL);
    close(question);
    close(answer);
    return ns;
}

enum how { DOORBELL, POLLING, POST, MANY_WATCHED };

/* 0: this engine is not to be had here. */
static uint64_t with_engine(enum vdf_engine_kind kind, enum how how)
{
    static struct vdf_source others[MANY];
    static int fds[MANY];
    struct vdf_engine *engine;
    struct vdf_err err = { 0 };
    if (vdf_engine_create(kind, &engine, &err)) {
        fprintf(stderr, "bench_engine: %s\n", err.text);
        return 0;
    }
    go_to(their_core);
    int rc = vdf_engine_start(engine);
    go_to(our_core);
    if (rc)
        die("vdf_engine_start", -rc);

    question = new_eventfd(EFD_NONBLOCK);
    answer = new_eventfd(our_core == their_core ? 0 : EFD_NONBLOCK);
    answer_source = (struct vdf_source){ .fn = on_question };
    rc = how == POST ? vdf_engine_add_post(engine, &answer_source)
                     : vdf_engine_add_eventfd(engine, &answer_source, question);
    poller = (struct vdf_source){ .fn = on_poll };
    if (!rc && how == POLLING)
        rc = vdf_engine_add_poller(engine, &poller);
    unsigned many = how == MANY_WATCHED ? MANY : 0;
    for (unsigned i = 0; !rc && i < many; i++) {
        fds[i] = new_eventfd(EFD_NONBLOCK);
        others[i] = (struct vdf_source){ .fn = on_poll };
        rc = vdf_engine_add_eventfd(engine, &others[i], fds[i]);
    }
    if (rc)
        die("a source cannot be added", -rc);

    uint64_t ns = measure(how == POST ? ask_by_post : ask_by_doorbell);
    vdf_engine_destroy(engine);
    for (unsigned i = 0; i < many; i++)
        close(fds[i]);
    close(question);
    close(answer);
    return ns;
}

static void report(const char *where)
{
    static const char *const names[] = { "doorbell", "polling", "post", "many" };
    uint64_t base = bare();
    printf("%s: a bare thread %lu ns\n", where, (unsigned long)base);
    printf("%-10s %12s %8s %12s %8s %18s\n", "", "io_uring", "to bare", "libaio", "to bare",
           "libaio to io_uring");
    for (unsigned how = DOORBELL; how <= MANY_WATCHED; how++) {
        uint64_t uring = with_engine(VDF_ENGINE_IO_URING, how);
        uint64_t aio = with_engine(VDF_ENGINE_LIBAIO, how);
        printf("%-10s %9lu ns %8.2f %9lu ns %8.2f %18.2f\n", names[how], (unsigned long)uring,
               (double)uring / (double)base, (unsigned long)aio, (double)aio / (double)base,
               uring ? (double)aio / (double)uring : 0.0);
    }
}

int main(void)
{
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_cur < MANY + 64 && files.rlim_max >= MANY + 64) {
        files.rlim_cur = MANY + 64;
        setrlimit(RLIMIT_NOFILE, &files);
    }

    cpu_set_t cores;
    if (sched_getaffinity(0, sizeof(cores), &cores))
        die("sched_getaffinity", errno);
    int first = 0;
    while (!CPU_ISSET(first, &cores))
        first++;
    int second = first + 1;
    while (second < CPU_SETSIZE && !CPU_ISSET(second, &cores))
        second++;
    our_core = their_core = first;
    report("one core");
    if (second < CPU_SETSIZE) {
        their_core = second;
        report("two cores");
    }
    return 0;
}
