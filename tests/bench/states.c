/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The costs of a whole mount: its state, its start, and an idle mount. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"

#define DEVICES 1000u
#define IDLE_PAGES 2u
#define IOVA 0x100000u
#define CORE_PART 0.1 /* percent of a core that an idle mount may take */

static const char *const kinds[] = { "console", "aplic", "gait", "hwqueue", "intx" };
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

void bench_make_devices(const struct bench_mount *mount, unsigned from, unsigned to)
{
    for (unsigned k = from; k < to; k++) {
        const char *path = bench_path(mount, "%s/d%u", kinds[k % KINDS], k);
        if (mkdir(path, 0755))
            bench_die(path);
    }
}

/* --- state ------------------------------------------------------------------------------------ */

struct copy {
    char from[256], to[256];
};

/* The command that the goal names, so that what starting it takes is in both. */
static double copy_by_cp(void *ctx, uint64_t ns)
{
    struct copy *copy = ctx;
    char *argv[] = { "cp", copy->from, copy->to, NULL };

    return (double)bench_spawn(argv) / 1000;
}

/* The same without a process. */
static double copy_here(void *ctx, uint64_t ns)
{
    static char block[128u << 10];
    const struct copy *copy = ctx;
    uint64_t begin = bench_now();

    int in = open(copy->from, O_RDONLY | O_CLOEXEC);
    int out = open(copy->to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ssize_t n;
    if (in < 0 || out < 0)
        bench_die(copy->to);
    while ((n = read(in, block, sizeof(block))) > 0)
        if (write(out, block, (size_t)n) != n)
            bench_die(copy->to);
    if (n < 0 || close(out) || close(in))
        bench_die(copy->from);
    return (double)(bench_now() - begin) / 1000;
}

static void compare_copies(const char *row, enum bench_cores cores, struct copy *ours,
                           struct copy *theirs, double limit)
{
    struct bench_case by_cp = { .row = row,
                                .variant = "cp",
                                .cores = bench_cores_name(cores),
                                .unit = "us",
                                .ours = { "", copy_by_cp, ours },
                                .yardsticks = { { .timed = { "cp on tmpfs", copy_by_cp, theirs },
                                                  .goal = { BENCH_AT_MOST, limit } } },
                                .n_yardsticks = 1 };
    struct bench_case here = {
        .row = row,
        .variant = "read and write only",
        .cores = bench_cores_name(cores),
        .unit = "us",
        .ours = { "", copy_here, ours },
        .yardsticks = { { .timed = { "the same on tmpfs", copy_here, theirs } } },
        .n_yardsticks = 1
    };

    bench_compare(&by_cp);
    bench_compare(&here);
}

void bench_state(void)
{
    struct bench_mount mount;
    struct copy save, restore, plain;

    if (!bench_wanted("state-save") && !bench_wanted("state-restore"))
        return;
    bench_say("state of %u devices", DEVICES);
    if (!bench_mount_ours(&mount, "empty", NULL)) {
        bench_skip("state-save", "", "", "virtdevfs: %s", mount.why);
        bench_skip("state-restore", "", "", "virtdevfs: %s", mount.why);
        return;
    }
    bench_make_devices(&mount, 0, DEVICES);
    snprintf(save.from, sizeof(save.from), "%s", bench_path(&mount, "state"));
    snprintf(save.to, sizeof(save.to), "%s/saved", bench.tmpfs);
    memcpy(restore.from, save.to, sizeof(save.to));
    memcpy(restore.to, save.from, sizeof(save.from));
    memcpy(plain.from, save.to, sizeof(save.to));
    snprintf(plain.to, sizeof(plain.to), "%s/copy", bench.tmpfs);
    copy_here(&save, 0);
    for (enum bench_cores c = BENCH_SAME; c <= BENCH_OTHER; c++) {
        if (!bench_place(c)) {
            bench_skip("state-save", "", "other", "this machine has one processor");
            bench_skip("state-restore", "", "other", "this machine has one processor");
            continue;
        }
        compare_copies("state-save", c, &save, &plain, 2);
        compare_copies("state-restore", c, &restore, &plain, 4);
    }
    unlink(plain.to);
    unlink(save.to);
    bench_unmount(&mount);
}

/* --- idle ------------------------------------------------------------------------------------- */

/* Percent of a core that all threads of the process take for @ns; switches of its threads a second.
 */
static double processor_use(pid_t pid, uint64_t ns, double *switches)
{
    char times[64], status[64];

    snprintf(times, sizeof(times), "/proc/%d/task/*/schedstat", pid);
    snprintf(status, sizeof(status), "/proc/%d/task/*/status", pid);
    uint64_t begin = bench_now(), used = bench_sum(times, ""), n = bench_sum(status, "switches:");
    while (bench_now() - begin < ns)
        usleep(50000);
    double seconds = (double)(bench_now() - begin) / 1e9;
    *switches = (double)(bench_sum(status, "switches:") - n) / seconds;
    return (double)(bench_sum(times, "") - used) / seconds / 1e7;
}

static int open_page(const struct bench_mount *mount, unsigned n)
{
    char name[64];

    bench_make_queue(mount, n, IOVA + n * 4096);
    snprintf(name, sizeof(name), "hwqueue/smmu0/queues/%u/page", n);
    return bench_open(mount, name, O_RDWR);
}

static void measure_idle(const struct bench_mount *mount, const char *variant)
{
    double parts[BENCH_SAMPLES_MAX], rates[BENCH_SAMPLES_MAX];
    unsigned n = bench.quick ? 2 : 5;
    struct bench_case used = {
        .row = "idle", .variant = variant, .cores = "", .unit = "% of a core"
    };
    struct bench_case woken = {
        .row = "idle", .variant = variant, .cores = "", .unit = "switches/s"
    };
    struct bench_yardstick limit = { .goal = { BENCH_AT_MOST, CORE_PART } }, none = { 0 };

    sleep(1);
    for (unsigned k = 0; k < n; k++)
        parts[k] = processor_use(mount->pid, bench.slice_ns * 40, &rates[k]);
    bench_samples(&used, &limit, parts, NULL, n);
    bench_samples(&woken, &none, rates, NULL, n);
}

void bench_idle(void)
{
    struct bench_mount mount;
    void *pages[IDLE_PAGES];
    int fds[IDLE_PAGES];
    bool mapped = true;

    if (!bench_wanted("idle"))
        return;
    bench_say("an idle mount");
    if (!bench_mount_ours(&mount, "rw", NULL)) {
        bench_skip("idle", "", "", "virtdevfs: %s", mount.why);
        return;
    }
    measure_idle(&mount, "plain");
    bench_put(&mount, "hwqueue/smmu0/ioas/map", "0x%x 0x%x", IOVA, IDLE_PAGES * 4096);
    for (unsigned n = 0; n < IDLE_PAGES; n++) {
        fds[n] = open_page(&mount, n);
        pages[n] = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fds[n], 0);
        mapped = mapped && pages[n] != MAP_FAILED;
    }
    if (mapped)
        measure_idle(&mount, "2 mapped pages");
    else
        bench_skip("idle", "2 mapped pages", "",
                   "a page cannot be mapped: that takes libfuse 3.17 or newer and CAP_SYS_ADMIN");
    for (unsigned n = 0; n < IDLE_PAGES; n++) {
        if (pages[n] != MAP_FAILED)
            munmap(pages[n], 4096);
        close(fds[n]);
    }
    bench_unmount(&mount);
}

/* --- start ------------------------------------------------------------------------------------ */

void bench_start(void)
{
    double ours[BENCH_SAMPLES_MAX], empty[BENCH_SAMPLES_MAX];
    struct bench_case what = { .row = "start", .variant = "", .cores = "", .unit = "us" };
    struct bench_yardstick yardstick = { .timed = { .name = "empty FUSE" } };
    struct bench_mount mount;

    if (!bench_wanted("start"))
        return;
    bench_say("starts");
    for (unsigned k = 0; k < bench.rounds; k++) {
        ours[k] = (double)bench_mount(&mount, bench.program, "rw", "version") / 1000;
        if (ours[k] > 0)
            bench_unmount(&mount);
        empty[k] = (double)bench_mount(&mount, bench_helper("bench_empty"), "rw", "value") / 1000;
        if (empty[k] > 0)
            bench_unmount(&mount);
        if (!ours[k] || !empty[k]) {
            bench_skip("start", "", "", "%s", mount.why);
            return;
        }
    }
    bench_samples(&what, &yardstick, ours, empty, bench.rounds);
}
