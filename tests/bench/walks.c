/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands that go through the tree, beside the same over a copy of it on tmpfs. */
#include <stdio.h>
#include <string.h>

#include "bench.h"

#define DEVICE "aplic/aplic0"

struct walk {
    const char *row;
    const char *what;    /* for the table */
    const char *command; /* of sh(1); $1: the tree, $2: a file on tmpfs for what comes out */
};

static const struct walk walks[] = {
    { "find", "the whole mount", "find $1 >$2" },
    { "grep", "1,023 values", "grep -r 0 $1/" DEVICE "/wire >$2" },
    /* Some files can only be written to. */
    { "tar", "a device", "tar -C $1 --ignore-failed-read --warning=no-failed-read -cf $2 " DEVICE },
};
#define N_WALKS (sizeof(walks) / sizeof(walks[0]))

/* Names and directories of the tree, with the values of the device. */
#define COPY                                                                \
    "mkdir $2 && (cd $1 && find . -type d) | (cd $2 && xargs mkdir -p) && " \
    "(cd $1 && find . -type f) | (cd $2 && xargs touch) && "                \
    "tar -C $1 --ignore-failed-read --warning=no-failed-read -cf - " DEVICE " | tar -C $2 -xf -"

static uint64_t run(const char *command, const char *tree, const char *out)
{
    char *argv[] = { "sh", "-c", (char *)command, "sh", (char *)tree, (char *)out, NULL };

    return bench_spawn(argv);
}

struct where {
    const struct walk *walk;
    const char *tree, *out;
};

static double walk_again(void *ctx, uint64_t ns)
{
    const struct where *where = ctx;

    return (double)run(where->walk->command, where->tree, where->out) / 1000;
}

static void compare_walk(const struct walk *walk, const struct bench_mount *mount, const char *copy,
                         enum bench_cores cores)
{
    char out[256];
    struct where ours = { walk, mount->dir, out }, theirs = { walk, copy, out };
    struct bench_case what = {
        .row = walk->row,
        .variant = walk->what,
        .cores = bench_cores_name(cores),
        .unit = "us",
        .ours = { "", walk_again, &ours },
        .yardsticks = { { .timed = { "a copy on tmpfs", walk_again, &theirs } } },
        .n_yardsticks = 1,
        .slow = true
    };

    snprintf(out, sizeof(out), "%s/out", bench.tmpfs);
    if (bench_place(cores))
        bench_compare(&what);
    else
        bench_skip(walk->row, walk->what, "other", "this machine has one processor");
}

void bench_walks(void)
{
    struct bench_mount mount;
    char copy[256];

    bench_say("find, grep and tar");
    if (!bench_mount_ours(&mount, "rw", NULL)) {
        for (size_t k = 0; k < N_WALKS; k++)
            bench_skip(walks[k].row, "", "", "virtdevfs: %s", mount.why);
        return;
    }
    snprintf(copy, sizeof(copy), "%s/tree", bench.tmpfs);
    run(COPY, mount.dir, copy);
    for (size_t k = 0; k < N_WALKS; k++)
        for (enum bench_cores c = BENCH_SAME; c <= BENCH_OTHER; c++)
            compare_walk(&walks[k], &mount, copy, c);
    run("rm -r $2 ${2%/*}/out", mount.dir, copy);
    bench_unmount(&mount);
}
