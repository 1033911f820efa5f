/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Throughput of a console's port through the soft driver, on a mount, beside a pipe: one process
 * writes blocks, another reads them. The bytes of a port cross the daemon twice, and between its
 * two ends a virtqueue; those of a pipe cross the kernel only.
 *
 *     build/release/tests/bench_port build/release/virtdevfs
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TRIES 50000           /* of looking for the mount, 0.1 ms apart */
#define SECONDS UINT64_C(2)   /* a measurement */
#define BLOCK_MAX (64u << 10) /* the longest block, in bytes */

static char dir[] = "/tmp/vdf-bench.XXXXXX";
static pid_t daemon_pid;

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void stop(void)
{
    if (daemon_pid > 0) {
        kill(daemon_pid, SIGTERM);
        waitpid(daemon_pid, NULL, 0);
    }
    daemon_pid = 0;
    rmdir(dir);
}

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "bench_port: %s: %s\n", what, strerror(errno));
    stop();
    exit(1);
}

static void start(const char *program)
{
    char path[sizeof(dir) + 16];

    snprintf(path, sizeof(path), "%s/version", dir);
    daemon_pid = fork();
    if (!daemon_pid) {
        execl(program, program, "-f", dir, (char *)NULL);
        _exit(127);
    }
    if (daemon_pid < 0)
        die("fork");
    for (int i = 0; access(path, R_OK); i++) {
        if (i == TRIES || waitpid(daemon_pid, NULL, WNOHANG) == daemon_pid)
            die(program);
        nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
    }
}

static int open_end(const char *name, int flags)
{
    char path[sizeof(dir) + 64];
    int fd;

    snprintf(path, sizeof(path), "%s/console/con0/ports/0/%s", dir, name);
    fd = open(path, flags | O_CLOEXEC);
    if (fd < 0)
        die(path);
    return fd;
}

/* MiB a second from @to, where a child writes, out of @from. The child ends with its last block. */
static double measure(int to, int from, size_t block)
{
    static char bytes[BLOCK_MAX];
    uint64_t total = 0, begin = now_ns(), ns;
    pid_t writer = fork();
    int status;

    if (writer < 0)
        die("fork");
    if (!writer) {
        do {
            for (size_t done = 0; done < block;) {
                ssize_t n = write(to, bytes + done, block - done);

                if (n <= 0)
                    _exit(1);
                done += (size_t)n;
            }
        } while (now_ns() - begin < SECONDS * 1000000000u);
        memset(bytes, 'e', sizeof(bytes));
        _exit(write(to, bytes, 1) == 1 ? 0 : 1);
    }
    for (;;) {
        ssize_t n = read(from, bytes, block);

        if (n <= 0)
            die("read");
        total += (uint64_t)n;
        if (bytes[n - 1] == 'e')
            break;
    }
    ns = now_ns() - begin;
    if (waitpid(writer, &status, 0) != writer || status)
        die("the writer");
    return (double)total / (double)ns * 1e9 / (1 << 20);
}

int main(int argc, char **argv)
{
    static const size_t blocks[] = { 512, 4096, 32768, 65536 };
    int data, guest, ends[2];

    if (argc != 2) {
        fprintf(stderr, "usage: bench_port VIRTDEVFS\n");
        return 2;
    }
    if (!mkdtemp(dir))
        die(dir);
    start(argv[1]);
    data = open_end("data", O_RDWR);
    guest = open_end("guest", O_RDWR);
    if (pipe2(ends, O_CLOEXEC))
        die("pipe");
    printf("%8s %14s %20s %20s   (MiB/s)\n", "block", "pipe", "guest to host", "host to guest");
    for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
        double plain = measure(ends[1], ends[0], blocks[i]);
        double out = measure(guest, data, blocks[i]);
        double in = measure(data, guest, blocks[i]);

        printf("%8zu %14.1f %12.1f (%4.1f%%) %12.1f (%4.1f%%)\n", blocks[i], plain, out,
               100 * out / plain, in, 100 * in / plain);
        fflush(stdout);
    }
    close(data);
    close(guest);
    stop();
    return 0;
}
