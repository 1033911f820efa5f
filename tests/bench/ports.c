/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Throughput of a console's port through the soft driver, beside a pipe: one process writes blocks,
 * this one reads them. The bytes of a port cross the daemon twice, and between its two ends a
 * virtqueue; those of a pipe cross the kernel only. `same`: both ends and the engine share the
 * daemon's processor; `other`: the writer has the other one, and the engine runs where it likes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define BLOCK_MAX (64u << 10) /* bytes */
#define SLICES 2u             /* a sample takes as many as that: its processes have to get going */

struct ends {
    int to, from;
    size_t block;
    enum bench_cores cores;
};

static void write_blocks(const struct ends *ends, uint64_t ns)
{
    static char bytes[BLOCK_MAX];
    uint64_t begin = bench_now();

    bench_place(ends->cores);
    do {
        for (size_t done = 0; done < ends->block;) {
            ssize_t n = write(ends->to, bytes + done, ends->block - done);

            if (n <= 0)
                _exit(1);
            done += (size_t)n;
        }
    } while (bench_now() - begin < ns);
    /* The reader knows the end by it. */
    _exit(write(ends->to, "e", 1) == 1 ? 0 : 1);
}

/* MiB a second from one end to the other. */
static double transfer(void *ctx, uint64_t ns)
{
    static char bytes[BLOCK_MAX];
    const struct ends *ends = ctx;
    uint64_t total = 0, begin = bench_now();
    pid_t writer = bench_child();
    int status;

    if (writer == 0)
        write_blocks(ends, SLICES * ns);
    for (;;) {
        ssize_t n = read(ends->from, bytes, ends->block);

        if (n <= 0)
            bench_die("read");
        total += (uint64_t)n;
        if (bytes[n - 1] == 'e')
            break;
    }
    ns = bench_now() - begin;
    if (waitpid(writer, &status, 0) != writer || status)
        bench_die("the writer");
    return (double)total / (double)ns * 1e9 / (1 << 20);
}

static void compare_block(struct ends port, const int pipe_ends[2], const char *row)
{
    struct ends plain = { pipe_ends[1], pipe_ends[0], port.block, port.cores };
    struct bench_goal goal = { port.block == BLOCK_MAX ? BENCH_AT_LEAST : BENCH_NO_GOAL, 0.7 };
    char variant[48];

    if (port.block < 1024)
        snprintf(variant, sizeof(variant), "blocks of %zu bytes", port.block);
    else
        snprintf(variant, sizeof(variant), "blocks of %zu KiB", port.block / 1024);
    struct bench_case what = { .row = row,
                               .variant = variant,
                               .cores = bench_cores_name(port.cores),
                               .unit = "MiB/s",
                               .ours = { "", transfer, &port },
                               .yardsticks = { { .timed = { "pipe", transfer, &plain },
                                                 .goal = goal } },
                               .n_yardsticks = 1 };
    bench_compare(&what);
}

void bench_ports(void)
{
    static const size_t blocks[] = { BLOCK_MAX, 32768, 4096, 512 };
    struct bench_mount mount;
    int plain[2];

    if (!bench_wanted("port-out") && !bench_wanted("port-in"))
        return;
    if (!bench_mount_ours(&mount, "rw", NULL)) {
        bench_skip("port-out", "", "", "virtdevfs: %s", mount.why);
        bench_skip("port-in", "", "", "virtdevfs: %s", mount.why);
        return;
    }
    /* A console drops output that is not read in time, and the mark at the end with it. */
    bench_put(&mount, "console/con0/ports/0/overflow", "hold");
    int data = bench_open(&mount, "console/con0/ports/0/data", O_RDWR);
    int guest = bench_open(&mount, "console/con0/ports/0/guest", O_RDWR);
    if (pipe2(plain, O_CLOEXEC))
        bench_die("pipe");
    for (enum bench_cores c = BENCH_SAME; c <= BENCH_OTHER; c++) {
        bench_say("a port, its writer on the %s processor", c == BENCH_SAME ? "reader's" : "other");
        if (bench_core(c == BENCH_OTHER) < 0) {
            bench_skip("port-out", "", "other", "this machine has one processor");
            bench_skip("port-in", "", "other", "this machine has one processor");
            continue;
        }
        bench_place(BENCH_SAME);
        bench_pin_threads(&mount, "vdf-engine", c == BENCH_SAME ? bench_core(false) : -1);
        for (size_t k = 0; k < (bench.quick ? 1 : sizeof(blocks) / sizeof(blocks[0])); k++) {
            compare_block((struct ends){ guest, data, blocks[k], c }, plain, "port-out");
            compare_block((struct ends){ data, guest, blocks[k], c }, plain, "port-in");
        }
    }
    close(data);
    close(guest);
    close(plain[0]);
    close(plain[1]);
    bench_unmount(&mount);
}
