/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ten to ten thousand idle devices, of all kinds, in mounts that are there at the same time:
 * memory, and the time of mkdir(2), of a look-up that reaches the daemon, of readdir(3), of saving
 * and restoring the whole tree, each a device.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"

#define SIZES 4u
#define STRIDE 37u /* look-ups go from device to device by it: no two that were made together */
#define KIB_LIMIT 64.0
#define LOOKUP_LIMIT 1.2

static const unsigned sizes[SIZES] = { 10, 100, 1000, 10000 };

struct tree {
    struct bench_mount mount;
    unsigned devices;
    struct bench_point *point;
    int kind;      /* directory of one kind of devices */
    unsigned step; /* the next one to look up */
};

/* --- memory ----------------------------------------------------------------------------------- */

/* The memory of the process and of its memory files. */
static double memory_of(pid_t pid)
{
    char pattern[64], name[64];
    double bytes;
    glob_t fds;

    snprintf(pattern, sizeof(pattern), "/proc/%d/status", pid);
    bytes = (double)bench_sum(pattern, "RssAnon:") * 1024;
    snprintf(pattern, sizeof(pattern), "/proc/%d/fd/*", pid);
    if (glob(pattern, 0, NULL, &fds))
        bench_die(pattern);
    for (size_t k = 0; k < fds.gl_pathc; k++) {
        ssize_t n = readlink(fds.gl_pathv[k], name, sizeof(name) - 1);
        struct stat st;

        name[n > 0 ? n : 0] = '\0';
        if (strncmp(name, "/memfd:", 7) == 0 && stat(fds.gl_pathv[k], &st) == 0)
            bytes += (double)st.st_blocks * 512;
    }
    globfree(&fds);
    return bytes;
}

/* --- what is timed ---------------------------------------------------------------------------- */

/* To make a directory that there is already takes the kernel exactly one look-up, which it does not
 * answer by itself. */
static void look_up(struct tree *tree)
{
    char name[16];

    snprintf(name, sizeof(name), "d%u", tree->step);
    if (mkdirat(tree->kind, name, 0755) == 0 || errno != EEXIST)
        bench_die(name);
    tree->step = (tree->step + 5 * STRIDE) % tree->devices;
}

static double look_up_again(void *ctx, uint64_t ns)
{
    return BENCH_LOOP(ns, 16, look_up(ctx));
}

static void list(struct tree *tree)
{
    int fd = openat(tree->kind, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    unsigned n = 0;

    if (!dir)
        bench_die("a directory");
    while (readdir(dir))
        n++;
    closedir(dir);
    if (n != tree->devices / 5 + 2) {
        errno = EPROTO;
        bench_die("readdir");
    }
}

static double list_again(void *ctx, uint64_t ns)
{
    struct tree *tree = ctx;

    return BENCH_LOOP(ns, 1, list(tree)) / (tree->devices / 5);
}

/* Nanoseconds of reading @from to its end and writing it all to @to, a device. */
static double copy(const struct tree *tree, const char *from, const char *to, bool whole)
{
    uint64_t begin = bench_now();
    size_t size = 16u << 20, n = 0;
    char *text = malloc(size);
    ssize_t r;

    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = open(to, O_WRONLY | O_TRUNC | O_CLOEXEC | (whole ? 0 : O_CREAT), 0600);
    if (!text || in < 0 || out < 0)
        bench_die(to);
    while ((r = read(in, text + n, size - n)) > 0)
        n += (size_t)r;
    if (r < 0)
        bench_die(from);
    for (size_t done = 0; done < n; done += (size_t)r)
        if ((r = write(out, text + done, n - done)) <= 0)
            bench_die(to);
    if (close(out) || close(in))
        bench_die(to);
    free(text);
    return (double)(bench_now() - begin) / tree->devices;
}

/* --- one mount -------------------------------------------------------------------------------- */

static bool make_tree(struct tree *tree, struct bench_point *point, unsigned devices)
{
    char state[256], saved[256];

    *tree = (struct tree){ .devices = devices, .point = point };
    *point = (struct bench_point){ .devices = devices };
    if (!bench_mount_ours(&tree->mount, "empty", NULL))
        return false;
    bench_place(BENCH_SAME);
    double before = memory_of(tree->mount.pid);
    uint64_t begin = bench_now();
    bench_make_devices(&tree->mount, 0, devices);
    point->mkdir_ns = (double)(bench_now() - begin) / devices;
    point->bytes = (memory_of(tree->mount.pid) - before) / devices;
    tree->kind = bench_open(&tree->mount, "console", O_RDONLY | O_DIRECTORY);

    double save[3], restore[3];
    snprintf(state, sizeof(state), "%s", bench_path(&tree->mount, "state"));
    snprintf(saved, sizeof(saved), "%s/scale", bench.tmpfs);
    for (unsigned k = 0; k < 3; k++) {
        save[k] = copy(tree, state, saved, false);
        restore[k] = copy(tree, saved, state, true);
    }
    unlink(saved);
    point->save_ns = bench_median(save, 3);
    point->restore_ns = bench_median(restore, 3);
    return true;
}

static void add_memory(const struct tree *tree)
{
    struct bench_case what = { .row = "scale-memory", .cores = "", .unit = "KiB/device" };
    struct bench_yardstick goal = { .goal = { BENCH_AT_MOST, KIB_LIMIT } };
    double kib = tree->point->bytes / 1024;
    char variant[48];

    snprintf(variant, sizeof(variant), "%u devices", tree->devices);
    what.variant = variant;
    bench_samples(&what, &goal, &kib, NULL, 1);
}

/* All sizes in turns, for the plot; the least and the most of them make the row. */
static void compare_trees(struct tree *trees)
{
    static double lookups[SIZES][BENCH_SAMPLES_MAX], lists[SIZES][BENCH_SAMPLES_MAX];
    struct bench_case what = { .row = "scale-lookup", .cores = "same", .unit = "ns" };
    struct bench_yardstick yardstick = { .timed = { .name = "with 10 devices" },
                                         .goal = { BENCH_AT_MOST, LOOKUP_LIMIT } };
    char variant[48];

    for (unsigned round = 0; round <= bench.rounds; round++)
        for (unsigned k = 0; k < SIZES; k++) {
            unsigned at = round ? round - 1 : 0;
            lookups[k][at] = look_up_again(&trees[k], bench.slice_ns);
            lists[k][at] = list_again(&trees[k], bench.slice_ns / 4);
        }
    snprintf(variant, sizeof(variant), "%u devices", sizes[SIZES - 1]);
    what.variant = variant;
    bench_samples(&what, &yardstick, lookups[SIZES - 1], lookups[0], bench.rounds);
    for (unsigned k = 0; k < SIZES; k++) {
        trees[k].point->lookup_ns = bench_median(lookups[k], bench.rounds);
        trees[k].point->readdir_ns = bench_median(lists[k], bench.rounds);
    }
}

/* A look-up that became a mkdir has left a line. */
static void check_errors(const struct tree *tree)
{
    char text[256];

    bench_get(&tree->mount, "errors", text, sizeof(text));
    if (*text) {
        errno = EPROTO;
        bench_die(text);
    }
}

void bench_scale(void)
{
    static struct tree trees[SIZES];
    unsigned n = 0;

    if (!bench_wanted("scale-memory") && !bench_wanted("scale-lookup"))
        return;
    for (; n < SIZES; n++) {
        bench_say("%u devices", sizes[n]);
        if (!make_tree(&trees[n], &bench_results.points[n], sizes[n])) {
            bench_skip("scale-memory", "", "", "virtdevfs: %s", trees[n].mount.why);
            bench_skip("scale-lookup", "", "", "virtdevfs: %s", trees[n].mount.why);
            break;
        }
    }
    if (n == SIZES) {
        bench_say("look-ups among them");
        if (bench_wanted("scale-memory"))
            add_memory(&trees[SIZES - 1]);
        bench_place(BENCH_SAME);
        if (bench_wanted("scale-lookup"))
            compare_trees(trees);
        bench_results.n_points = SIZES;
    }
    while (n-- > 0) {
        check_errors(&trees[n]);
        close(trees[n].kind);
        bench_unmount(&trees[n].mount);
    }
}
