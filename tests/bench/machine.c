/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The gain of mapping a command queue into a guest: an invalidation with its CMD_SYNC waited for,
 * with the queue's page mapped and with its registers trapped, for ranges in invalidations of 4
 * KiB, by one and by two processors with a queue each.
 *
 * The guest (tests/vm/guests/invalidation.S) runs in user mode, issues a batch as Linux does, by
 * one store of PROD, and takes its own time with the time stamp counter: the median of its samples.
 * The host's time is that from the machine's start to its end, divided by the number of
 * invalidations. Two processors and the engine are three threads: with fewer cores a processor
 * waits for an engine that waits for a core, and there is no goal.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"

#define ROW "invalidation"
#define PARAMETERS 0x1000u
#define RINGS 0x20000u
#define SAMPLES_AT 0x80000u
#define SAMPLES_BYTES 0x40000u
#define MEMORY (2u << 20)
#define PAGES 0x20000000u
#define TIMES_TRAPPED 400u
#define TIMES_MAPPED 10000u
#define RUN_NS (UINT64_C(60) * 1000000000)

struct machine {
    struct bench_mount mount;
    int fd;
    uint8_t *memory;
    unsigned processors;
    double tsc_per_us;
};

struct times {
    double guest_us, host_us;
};

static uint64_t now_tsc(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#else
    return bench_now();
#endif
}

/* The counter's rate; it is the same in the guest. */
static double tsc_rate(void)
{
    uint64_t ns = bench_now(), tsc = now_tsc();

    while (bench_now() - ns < 50000000)
        ;
    return (double)(now_tsc() - tsc) / ((double)(bench_now() - ns) / 1000);
}

/* --- the machine ------------------------------------------------------------------------------ */

static void put_slot(const struct machine *m, unsigned n, const char *name, const char *value)
{
    char path[96];

    snprintf(path, sizeof(path), "vm/vm0/slots/%u/%s", n, name);
    bench_put(&m->mount, path, "%s", value);
}

/* Queue @n for processor @n, its ring in the guest's memory, and its page in the guest. */
static void set_up_queue(const struct machine *m, unsigned n)
{
    char value[64];

    bench_make_queue(&m->mount, n, RINGS + n * 4096);
    if (mkdir(bench_path(&m->mount, "vm/vm0/slots/%u", n), 0755))
        bench_die("a slot");
    snprintf(value, sizeof(value), "hwqueue/smmu0/queues/%u", n);
    put_slot(m, n, "device", value);
    snprintf(value, sizeof(value), "0x%x", PAGES + n * 4096);
    put_slot(m, n, "addr", value);
    put_slot(m, n, "attached", "1");
}

static void load_guest(const struct machine *m)
{
    const char *path = bench_helper("guests/invalidation.bin");
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || read(fd, m->memory, PARAMETERS) <= 0)
        bench_die(path);
    close(fd);
}

/* NULL, or why there is no such machine. */
static const char *make_machine(struct machine *m, unsigned processors)
{
    m->processors = processors;
    if (!bench_mount(&m->mount, bench.program, "rw", "version"))
        return m->mount.why;
    if (mkdir(bench_path(&m->mount, "vm/vm0"), 0755)) {
        if (errno != ENODEV)
            bench_die("vm/vm0");
        bench_unmount(&m->mount);
        return "this machine has no KVM that can be used";
    }
    bench_put(&m->mount, "vm/vm0/mode", "user");
    bench_put(&m->mount, "vm/vm0/cpus", "%u", processors);
    bench_put(&m->mount, "hwqueue/smmu0/ioas/map", "0 0x%x", MEMORY);
    for (unsigned k = 0; k < processors; k++)
        set_up_queue(m, k);
    m->fd = bench_open(&m->mount, "vm/vm0/memory", O_RDWR);
    m->memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, m->fd, 0);
    if (m->memory == MAP_FAILED) {
        close(m->fd);
        bench_unmount(&m->mount);
        return "vm/vm0/memory cannot be mapped: that takes libfuse 3.17 or newer and CAP_SYS_ADMIN";
    }
    load_guest(m);
    return NULL;
}

static void remove_machine(struct machine *m)
{
    munmap(m->memory, MEMORY);
    close(m->fd);
    bench_unmount(&m->mount);
}

/* --- a run ------------------------------------------------------------------------------------ */

static void await_end(const struct machine *m, uint64_t begin)
{
    char status[32], code[16];

    do
        bench_get(&m->mount, "vm/vm0/status", status, sizeof(status));
    while (strcmp(status, "running") == 0 && bench_now() - begin < RUN_NS);
    bench_get(&m->mount, "vm/vm0/exit_code", code, sizeof(code));
    if (strcmp(status, "stopped") != 0 || strcmp(code, "0") != 0) {
        errno = EPROTO;
        bench_die("the guest has not ended well");
    }
}

static double median_sample(const struct machine *m, uint32_t times)
{
    double *all = malloc(m->processors * times * sizeof(*all));

    if (!all)
        bench_die("samples");
    for (unsigned k = 0; k < m->processors; k++) {
        const uint32_t *samples = (const uint32_t *)(m->memory + SAMPLES_AT + k * SAMPLES_BYTES);
        for (unsigned s = 0; s < times; s++)
            all[k * times + s] = samples[s];
    }
    double median = bench_median(all, m->processors * times);
    free(all);
    return median / m->tsc_per_us;
}

/* The machine has its processors from the start of the program on. */
static struct times run_guest(struct machine *m, unsigned pages, bool mapped)
{
    uint32_t times = mapped ? TIMES_MAPPED : TIMES_TRAPPED;
    uint32_t parameters[4] = { pages, times, m->processors, 0 };

    memcpy(m->memory + PARAMETERS, parameters, sizeof(parameters));
    bench_put(&m->mount, "hwqueue/smmu0/doorbell", mapped ? "mapped" : "trapped");
    bench_put(&m->mount, "vm/vm0/entry", "0");
    uint64_t begin = bench_now();
    bench_put(&m->mount, "vm/vm0/run", "1");
    /* Looking at the memory costs the machine nothing; reading a file would. */
    const uint32_t *done = (const uint32_t *)(m->memory + PARAMETERS) + 3;
    while (__atomic_load_n(done, __ATOMIC_ACQUIRE) < m->processors && bench_now() - begin < RUN_NS)
        bench_nap();
    uint64_t end = bench_now();
    await_end(m, begin);
    return (struct times){ .guest_us = median_sample(m, times),
                           .host_us = (double)(end - begin) / 1000 / times };
}

static void compare_range(struct machine *m, unsigned kib)
{
    double mapped[2][BENCH_SAMPLES_MAX], trapped[2][BENCH_SAMPLES_MAX];
    unsigned n = bench.quick ? 3 : bench.rounds / 3;
    bool enough = sysconf(_SC_NPROCESSORS_ONLN) > (long)m->processors;
    struct bench_yardstick yardstick = { .timed = { .name = "its registers trapped" },
                                         .goal = { enough ? BENCH_AT_MOST : BENCH_NO_GOAL, 0.05 } };
    char variant[48];

    for (unsigned round = 0; round < n; round++) {
        struct times ours = run_guest(m, kib / 4, true), theirs = run_guest(m, kib / 4, false);
        mapped[0][round] = ours.guest_us;
        mapped[1][round] = ours.host_us;
        trapped[0][round] = theirs.guest_us;
        trapped[1][round] = theirs.host_us;
    }
    for (unsigned clock = 0; clock < 2; clock++) {
        struct bench_case what = { .row = ROW, .cores = "", .unit = "us" };
        snprintf(variant, sizeof(variant), "%u KiB, %u CPU, %s clock", kib, m->processors,
                 clock ? "host's" : "guest's");
        what.variant = variant;
        bench_samples(&what, &yardstick, mapped[clock], trapped[clock], n);
    }
}

void bench_machine(void)
{
    static const unsigned ranges[] = { 64, 4, 256 };
    struct machine m = { 0 };

    if (!bench_wanted(ROW))
        return;
    m.tsc_per_us = tsc_rate();
    for (unsigned processors = 1; processors <= 2; processors++) {
        bench_say("invalidations by %u processors of a guest", processors);
        const char *why = make_machine(&m, processors);
        if (why) {
            bench_skip(ROW, "", "", "%s", why);
            return;
        }
        for (size_t k = 0; k < (bench.quick ? 1 : sizeof(ranges) / sizeof(ranges[0])); k++)
            compare_range(&m, ranges[k]);
        remove_machine(&m);
    }
}
