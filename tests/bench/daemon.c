/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a mount costs: time until it can be used, memory and processor time when nobody uses it, and
 * the time of mkdir(2) for the first and for the 10,000th device.
 *
 *     build/release/tests/bench_daemon build/release/virtdevfs
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STARTS 20
#define DEVICES 10000
#define GROUP 100

static char dir[] = "/tmp/vdf-bench.XXXXXX";
static pid_t daemon_pid;

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "bench_daemon: %s: %s\n", what, strerror(errno));
    if (daemon_pid > 0)
        kill(daemon_pid, SIGTERM);
    exit(1);
}

static void nap(void)
{
    nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
}

/* Start a daemon in the foreground; nanoseconds from fork(2) until a file could be read. */
static uint64_t start(const char *program, const char *options)
{
    char path[sizeof(dir) + 16];
    uint64_t begin = now_ns();

    snprintf(path, sizeof(path), "%s/version", dir);
    daemon_pid = fork();
    if (!daemon_pid) {
        execl(program, program, "-f", "-o", options, dir, (char *)NULL);
        _exit(127);
    }
    if (daemon_pid < 0)
        die("fork");
    for (;;) {
        char text[64];
        int fd = open(path, O_RDONLY | O_CLOEXEC);

        if (fd >= 0 && read(fd, text, sizeof(text)) > 0) {
            close(fd);
            return now_ns() - begin;
        }
        if (fd >= 0)
            close(fd);
        if (waitpid(daemon_pid, NULL, WNOHANG) == daemon_pid) {
            daemon_pid = 0;
            errno = ECHILD;
            die(program);
        }
        nap();
    }
}

static void stop(void)
{
    if (kill(daemon_pid, SIGTERM) || waitpid(daemon_pid, NULL, 0) != daemon_pid)
        die("the end of the daemon");
    daemon_pid = 0;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* Sum of the numbers after @name in the files that @pattern names. */
static uint64_t sum(const char *pattern, const char *name)
{
    glob_t files;
    char line[256];
    uint64_t total = 0;

    if (glob(pattern, 0, NULL, &files))
        die(pattern);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        FILE *file = fopen(files.gl_pathv[i], "re");

        while (file && fgets(line, sizeof(line), file)) {
            const char *at = strstr(line, name);

            if (at)
                total += strtoull(at + strlen(name), NULL, 10);
        }
        if (file)
            fclose(file);
    }
    globfree(&files);
    return total;
}

static void bench_start(const char *program)
{
    uint64_t ns[STARTS];

    for (int i = 0; i < STARTS; i++) {
        ns[i] = start(program, "engine=auto");
        stop();
    }
    qsort(ns, STARTS, sizeof(ns[0]), compare);
    printf("usable after         median %6.1f ms   slowest %6.1f ms\n",
           (double)ns[STARTS / 2] / 1e6, (double)ns[STARTS - 1] / 1e6);
}

static void bench_idle(const char *program)
{
    char status[64], tasks[64];

    start(program, "engine=auto");
    snprintf(status, sizeof(status), "/proc/%d/status", daemon_pid);
    snprintf(tasks, sizeof(tasks), "/proc/%d/task/*/status", daemon_pid);
    printf("memory               %6.1f MiB\n", (double)sum(status, "VmRSS:") / 1024);
    sleep(1);
    uint64_t before = sum(tasks, "ctxt_switches:");
    sleep(5);
    printf("idle                 %llu switches of its threads in 5 s\n",
           (unsigned long long)(sum(tasks, "ctxt_switches:") - before));
    stop();
}

static void bench_mkdir(const char *program, const char *kind)
{
    static uint64_t ns[DEVICES];
    char path[sizeof(dir) + 64];

    start(program, "empty");
    for (int i = 0; i < DEVICES; i++) {
        snprintf(path, sizeof(path), "%s/%s/d%d", dir, kind, i);
        uint64_t begin = now_ns();
        if (mkdir(path, 0755))
            die(path);
        ns[i] = now_ns() - begin;
    }
    qsort(ns, GROUP, sizeof(ns[0]), compare);
    qsort(ns + DEVICES - GROUP, GROUP, sizeof(ns[0]), compare);
    printf("mkdir %-14s first %7.1f us   %dth %7.1f us (medians of %d)\n", kind,
           (double)ns[GROUP / 2] / 1e3, DEVICES, (double)ns[DEVICES - GROUP / 2] / 1e3, GROUP);
    stop();
}

int main(int argc, char **argv)
{
    static const char *const kinds[] = { "console", "aplic", "gait", "hwqueue", "intx" };

    if (argc != 2) {
        fprintf(stderr, "usage: bench_daemon VIRTDEVFS\n");
        return 2;
    }
    if (!mkdtemp(dir))
        die(dir);
    bench_start(argv[1]);
    bench_idle(argv[1]);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        bench_mkdir(argv[1], kinds[i]);
    return rmdir(dir) ? 1 : 0;
}
