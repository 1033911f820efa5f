/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PROD stored through the mapping of a queue's page, until CONS there has followed: how long a
 * driver waits for a command when nothing leaves its processor. The yardstick are two threads that
 * hand a cache line over. The engine is on the daemon's processor. Where the client is too, both
 * give way while they wait.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"

#define QUEUE "hwqueue/smmu0/queues/0"
#define IOVA 0x100000u
#define WRAP (2 * BENCH_ENTRIES - 1) /* index and wrap bit of PROD and CONS */
#define SYNC 0x46u
#define PAGE_BYTES 4096u
#define CONS 0u /* words of the page */
#define PROD 1u
#define WARM_UP 100u
#define PATIENCE_NS (UINT64_C(10) * 1000000000)

static bool yielding;

/* Until *@word is @value. */
static void await(_Atomic uint32_t *word, uint32_t value)
{
    uint64_t begin = 0;

    for (unsigned n = 1; (atomic_load_explicit(word, memory_order_acquire) & WRAP) != value; n++) {
        if (yielding)
            sched_yield();
        if (n % 65536)
            continue;
        if (!begin)
            begin = bench_now();
        if (bench_now() - begin > PATIENCE_NS)
            bench_die("CONS does not follow PROD");
    }
}

static double hand_over(_Atomic uint32_t *to, _Atomic uint32_t *back, uint64_t ns)
{
    uint32_t n = atomic_load(back) & WRAP;

#define TRIP                                                \
    {                                                       \
        n = (n + 1) & WRAP;                                 \
        atomic_store_explicit(to, n, memory_order_release); \
        await(back, n);                                     \
    }
    for (unsigned k = 0; k < (yielding ? 1 : WARM_UP); k++)
        TRIP;
    return BENCH_LOOP(ns, yielding ? 1 : 64, TRIP);
#undef TRIP
}

/* --- the engine ------------------------------------------------------------------------------- */

static void make_queue(const struct bench_mount *mount)
{
    uint64_t command[2] = { SYNC, 0 };

    bench_put(mount, "hwqueue/smmu0/ioas/map", "0x%x 0x%x", IOVA, BENCH_ENTRIES * 16);
    bench_make_queue(mount, 0, IOVA);
    int fd = bench_open(mount, QUEUE "/entries", O_WRONLY);
    for (unsigned k = 0; k < BENCH_ENTRIES; k++)
        if (pwrite(fd, command, sizeof(command), k * (off_t)sizeof(command)) <= 0)
            bench_die(QUEUE "/entries");
    close(fd);
}

static _Atomic uint32_t *map_page(const struct bench_mount *mount, int *fd)
{
    *fd = bench_open(mount, QUEUE "/page", O_RDWR);
    void *page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
    return page == MAP_FAILED ? NULL : page;
}

/* The page is open for the sample only, so that nothing looks at it during the yardstick's. */
static double by_engine(void *ctx, uint64_t ns)
{
    int fd;
    _Atomic uint32_t *page = map_page(ctx, &fd);

    if (!page)
        bench_die(QUEUE "/page");
    double result = hand_over(&page[PROD], &page[CONS], ns);
    munmap(page, PAGE_BYTES);
    close(fd);
    for (unsigned k = 0; k < 20; k++)
        bench_nap();
    return result;
}

/* --- two threads ------------------------------------------------------------------------------ */

struct line {
    _Alignas(64) _Atomic uint32_t to;
    _Alignas(64) _Atomic uint32_t back;
    _Alignas(64) atomic_bool stop;
};

static void *echo(void *arg)
{
    struct line *line = arg;

    bench_pin(0, bench_core(false));
    while (!atomic_load_explicit(&line->stop, memory_order_relaxed)) {
        uint32_t n = atomic_load_explicit(&line->to, memory_order_acquire);
        if (n != atomic_load_explicit(&line->back, memory_order_relaxed))
            atomic_store_explicit(&line->back, n, memory_order_release);
        else if (yielding)
            sched_yield();
    }
    return NULL;
}

static double by_thread(void *ctx, uint64_t ns)
{
    struct line *line = ctx;
    pthread_t thread;

    atomic_store(&line->stop, false);
    if (pthread_create(&thread, NULL, echo, line))
        bench_die("pthread_create");
    double result = hand_over(&line->to, &line->back, ns);
    atomic_store(&line->stop, true);
    pthread_join(thread, NULL);
    return result;
}

/* ---------------------------------------------------------------------------------------------- */

void bench_prod(void)
{
    static struct line line;
    struct bench_mount mount;
    int fd;

    if (!bench_wanted("prod-cons"))
        return;
    bench_say("stores to PROD");
    if (!bench_mount_ours(&mount, "rw", "vdf-engine")) {
        bench_skip("prod-cons", "", "", "virtdevfs: %s", mount.why);
        return;
    }
    make_queue(&mount);
    void *page = map_page(&mount, &fd);
    if (page)
        munmap(page, PAGE_BYTES);
    close(fd);
    for (enum bench_cores c = BENCH_SAME; page && c <= BENCH_OTHER; c++) {
        /* That a driver spins on the engine's processor is no use of it: no goal. */
        struct bench_goal goal = { c == BENCH_OTHER ? BENCH_AT_MOST : BENCH_NO_GOAL, 1.5 };
        struct bench_case what = { .row = "prod-cons",
                                   .variant = "busy queue",
                                   .cores = bench_cores_name(c),
                                   .unit = "ns",
                                   .ours = { "", by_engine, &mount },
                                   .yardsticks = { { .timed = { "a cache line", by_thread, &line },
                                                     .goal = goal } },
                                   .n_yardsticks = 1 };
        yielding = c == BENCH_SAME;
        if (bench_place(c))
            bench_compare(&what);
        else
            bench_skip("prod-cons", "", "other", "this machine has one processor");
    }
    if (!page)
        bench_skip("prod-cons", "", "",
                   "a page cannot be mapped: that takes libfuse 3.17 or newer and CAP_SYS_ADMIN");
    bench_unmount(&mount);
}
