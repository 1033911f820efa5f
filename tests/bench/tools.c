/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Time, processors, daemons and their files. */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define MOUNT_NS (UINT64_C(20) * 1000000000)

struct bench_settings bench;

uint64_t bench_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void bench_nap(void)
{
    nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
}

_Noreturn void bench_die(const char *what)
{
    fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
    exit(1);
}

void bench_say(const char *fmt, ...)
{
    static uint64_t begin;
    va_list args;

    if (!begin)
        begin = bench_now();
    fprintf(stderr, "[%5.1f s] ", (double)(bench_now() - begin) / 1e9);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
}

/* --- processors ------------------------------------------------------------------------------- */

static const cpu_set_t *all_cores(void)
{
    static cpu_set_t all;

    if (CPU_COUNT(&all) == 0 && sched_getaffinity(0, sizeof(all), &all))
        bench_die("sched_getaffinity");
    return &all;
}

int bench_core(bool other)
{
    const cpu_set_t *all = all_cores();

    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, all)) {
            if (!other)
                return cpu;
            other = false;
        }
    return -1;
}

void bench_pin(pid_t tid, int core)
{
    cpu_set_t set = *all_cores();

    if (core >= 0) {
        CPU_ZERO(&set);
        CPU_SET(core, &set);
    }
    if (sched_setaffinity(tid, sizeof(set), &set))
        bench_die("sched_setaffinity");
}

bool bench_place(enum bench_cores cores)
{
    int core = bench_core(cores == BENCH_OTHER);

    if (core >= 0)
        bench_pin(0, core);
    return core >= 0;
}

/* --- processes -------------------------------------------------------------------------------- */

pid_t bench_child(void)
{
    fflush(NULL);
    pid_t pid = fork();

    if (pid < 0)
        bench_die("fork");
    if (pid == 0)
        prctl(PR_SET_PDEATHSIG, SIGTERM);
    return pid;
}

void bench_end(pid_t pid)
{
    if (pid <= 0)
        return;
    kill(pid, SIGTERM);
    if (waitpid(pid, NULL, 0) != pid)
        bench_die("the end of a process");
}

uint64_t bench_spawn(char *const argv[])
{
    extern char **environ;
    uint64_t begin = bench_now();
    int status;
    pid_t pid;

    errno = posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ);
    if (errno || waitpid(pid, &status, 0) != pid)
        bench_die(argv[0]);
    if (status) {
        errno = EPROTO;
        bench_die(argv[0]);
    }
    return bench_now() - begin;
}

/* --- mounts ----------------------------------------------------------------------------------- */

const char *bench_path(const struct bench_mount *mount, const char *fmt, ...)
{
    static char path[512];
    int n = snprintf(path, sizeof(path), "%s/", mount->dir);
    va_list args;

    va_start(args, fmt);
    vsnprintf(path + n, sizeof(path) - (size_t)n, fmt, args);
    va_end(args);
    return path;
}

const char *bench_helper(const char *name)
{
    static char path[600];

    snprintf(path, sizeof(path), "%s/%s", bench.here, name);
    return path;
}

static bool can_read(const char *path)
{
    char byte;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool ok = fd >= 0 && read(fd, &byte, 1) == 1;

    if (fd >= 0)
        close(fd);
    return ok;
}

/* The first line that it has left in @fd. */
static void take_reason(struct bench_mount *mount, int fd)
{
    ssize_t n = pread(fd, mount->why, sizeof(mount->why) - 1, 0);

    mount->why[n > 0 ? n : 0] = '\0';
    mount->why[strcspn(mount->why, "\n")] = '\0';
    if (!*mount->why)
        snprintf(mount->why, sizeof(mount->why), "it has ended without a word");
}

uint64_t bench_mount(struct bench_mount *mount, const char *program, const char *options,
                     const char *probe)
{
    char path[sizeof(mount->dir) + 64];
    int said = memfd_create("bench-said", MFD_CLOEXEC);

    *mount = (struct bench_mount){ 0 };
    snprintf(mount->dir, sizeof(mount->dir), "%s/mount.XXXXXX", bench.scratch);
    if (said < 0 || !mkdtemp(mount->dir))
        bench_die(mount->dir);
    snprintf(path, sizeof(path), "%s/%s", mount->dir, probe);
    bench_pin(0, -1);
    uint64_t begin = bench_now();
    mount->pid = bench_child();
    if (mount->pid == 0) {
        dup2(said, STDERR_FILENO);
        execl(program, program, "-f", "-o", options, mount->dir, (char *)NULL);
        _exit(127);
    }
    while (!can_read(path)) {
        bool ended = waitpid(mount->pid, NULL, WNOHANG) == mount->pid;
        if (ended || bench_now() - begin > MOUNT_NS) {
            take_reason(mount, said);
            close(said);
            if (ended)
                mount->pid = 0;
            bench_unmount(mount);
            return 0;
        }
        bench_nap();
    }
    uint64_t ns = bench_now() - begin;
    close(said);
    return ns;
}

void bench_unmount(struct bench_mount *mount)
{
    bench_end(mount->pid);
    mount->pid = 0;
    if (rmdir(mount->dir))
        bench_die(mount->dir);
}

void bench_pin_threads(const struct bench_mount *mount, const char *name, int core)
{
    char pattern[64], comm[32];
    glob_t tasks;

    snprintf(pattern, sizeof(pattern), "/proc/%d/task/*/comm", mount->pid);
    if (glob(pattern, 0, NULL, &tasks))
        bench_die(pattern);
    for (size_t i = 0; i < tasks.gl_pathc; i++) {
        FILE *file = fopen(tasks.gl_pathv[i], "re");
        if (!file)
            continue;
        if (fgets(comm, sizeof(comm), file)) {
            comm[strcspn(comm, "\n")] = '\0';
            if (strcmp(comm, name) == 0)
                bench_pin((pid_t)strtol(strstr(tasks.gl_pathv[i], "task/") + 5, NULL, 10), core);
        }
        fclose(file);
    }
    globfree(&tasks);
}

bool bench_mount_ours(struct bench_mount *mount, const char *options, const char *thread)
{
    if (!bench_mount(mount, bench.program, options, "version"))
        return false;
    bench_pin(mount->pid, bench_core(false));
    if (thread)
        bench_pin_threads(mount, thread, bench_core(false));
    return true;
}

int bench_open(const struct bench_mount *mount, const char *name, int flags)
{
    const char *path = bench_path(mount, "%s", name);
    int fd = open(path, flags | O_CLOEXEC);

    if (fd < 0)
        bench_die(path);
    return fd;
}

void bench_put(const struct bench_mount *mount, const char *name, const char *fmt, ...)
{
    char text[256];
    va_list args;

    va_start(args, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    int fd = bench_open(mount, name, O_WRONLY);
    if (write(fd, text, (size_t)n) != n)
        bench_die(name);
    close(fd);
}

void bench_get(const struct bench_mount *mount, const char *name, char *text, size_t size)
{
    int fd = bench_open(mount, name, O_RDONLY);
    ssize_t n = read(fd, text, size - 1);

    if (n < 0)
        bench_die(name);
    text[n] = '\0';
    text[strcspn(text, "\n")] = '\0';
    close(fd);
}

void bench_make_queue(const struct bench_mount *mount, unsigned n, uint64_t base)
{
    char name[64];

    snprintf(name, sizeof(name), "hwqueue/smmu0/queues/%u", n);
    if (mkdir(bench_path(mount, "%s", name), 0755))
        bench_die(name);
    snprintf(name, sizeof(name), "hwqueue/smmu0/queues/%u/base", n);
    bench_put(mount, name, "0x%llx", (unsigned long long)base);
    snprintf(name, sizeof(name), "hwqueue/smmu0/queues/%u/log2size", n);
    bench_put(mount, name, "%u", BENCH_LOG2);
    snprintf(name, sizeof(name), "hwqueue/smmu0/queues/%u/enable", n);
    bench_put(mount, name, "1");
}

uint64_t bench_sum(const char *pattern, const char *name)
{
    glob_t files;
    char line[256];
    uint64_t total = 0;

    if (glob(pattern, 0, NULL, &files))
        bench_die(pattern);
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
