/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Operations on files that a shell does not have, for the mount scripts. Each command prints its
 * answer, or the errno's name of a refused system call, and exits 0; 2 for a wrong command line.
 *
 *     vdfio pread FILE OFFSET LENGTH      the bytes as hex
 *     vdfio pwrite FILE OFFSET HEX        ok, or the number of bytes when not all were taken
 *     vdfio read FILE [N]                 one read(2) with O_NONBLOCK, the bytes as they are
 *     vdfio write FILE TEXT               one write(2) with O_NONBLOCK: ok, or the number of bytes
 *     vdfio poll FILE in|out|pri MS [COMMAND [ARGUMENT...]]
 *                                         the events of poll(2), or timeout; the command is run
 *                                         when the file is open and, for pri, has been read
 *     vdfio poll-shared FILE MS COMMAND [ARGUMENT...]
 *                                         the events that a waiter for POLLPRI gets when
 *                                         another has polled the same open file for POLLIN and the
 *                                         command has been run; or timeout
 *     vdfio edges FILE N MS COMMAND [ARGUMENT...]
 *                                         how many of N runs of the command an edge-triggered
 *                                         epoll_wait(2) for EPOLLIN reports
 *     vdfio mmap-load FILE OFFSET LENGTH  the bytes of a shared mapping as hex
 *     vdfio mmap-store FILE OFFSET HEX    ok
 *     vdfio mmap-hold FILE                ok, and the first page is mapped until the input ends
 *     vdfio mmap-drive ENTRIES PAGE MS    CMD_SYNC again and again, stored through mappings of a
 *                                         queue of at least 4096 commands: ok
 *     vdfio random SEED LENGTH            random bytes, the same for the same seed
 *     vdfio limit PID N                   limits the descriptors of the process to N: ok
 *     vdfio has io_uring|aio              ok, or why the kernel refuses that engine
 *     vdfio json FILE                     the file's values, a line `PATH TEXT` each; exits 1 when
 *                                         the file is no JSON
 *
 * A FILE that does not begin with '/' lies below the directory that the variable M names. Numbers
 * are decimal or 0x hex. Stores of 1, 2, 4 and 8 aligned bytes are one store each.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../random.h"
#include "json.h"

#define MAX_BYTES (1u << 20)

static uint8_t bytes[MAX_BYTES];

static _Noreturn void usage(const char *why)
{
    fprintf(stderr, "vdfio: %s; the commands are described in tests/mount/vdfio.c\n", why);
    exit(2);
}

/* The answer of a system call that was refused. */
static _Noreturn void refused(void)
{
    const char *name = strerrorname_np(errno);

    puts(name ? name : "E?");
    exit(0);
}

static uint64_t number(const char *text)
{
    char *end;

    errno = 0;
    uint64_t value = strtoull(text, &end, 0);
    if (errno || end == text || *end || *text == '-')
        usage("not a number");
    return value;
}

static size_t length(const char *text)
{
    uint64_t n = number(text);

    if (n > MAX_BYTES)
        usage("more than 1 MiB");
    return n;
}

static size_t unhex(const char *text)
{
    size_t n = strlen(text) / 2;

    if (strlen(text) % 2 || n > MAX_BYTES)
        usage("bytes are pairs of hex digits, at most 1 MiB");
    for (size_t i = 0; i < n; i++) {
        const char pair[3] = { text[2 * i], text[2 * i + 1], '\0' };

        if (strspn(pair, "0123456789abcdefABCDEF") != 2)
            usage("bytes are pairs of hex digits");
        bytes[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return n;
}

static void print_hex(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        printf("%02x", p[i]);
    putchar('\n');
}

static int open_file(const char *file, int flags)
{
    char path[4096];
    const char *mount = getenv("M");

    if (*file == '/' || !mount)
        snprintf(path, sizeof(path), "%s", file);
    else
        snprintf(path, sizeof(path), "%s/%s", mount, file);
    int fd = open(path, flags | O_CLOEXEC);
    if (fd < 0)
        refused();
    return fd;
}

static void wrote(int fd, ssize_t n, size_t wanted)
{
    if (n < 0 || close(fd))
        refused();
    if ((size_t)n == wanted)
        puts("ok");
    else
        printf("%zd\n", n);
}

static void do_pread(char **arg)
{
    int fd = open_file(arg[0], O_RDONLY);
    ssize_t n = pread(fd, bytes, length(arg[2]), (off_t)number(arg[1]));

    if (n < 0)
        refused();
    print_hex(bytes, (size_t)n);
}

static void do_pwrite(char **arg)
{
    size_t len = unhex(arg[2]);
    int fd = open_file(arg[0], O_WRONLY);

    wrote(fd, pwrite(fd, bytes, len, (off_t)number(arg[1])), len);
}

static void do_read(char **arg)
{
    size_t len = arg[1] ? length(arg[1]) : MAX_BYTES;
    int fd = open_file(arg[0], O_RDONLY | O_NONBLOCK);
    ssize_t n = read(fd, bytes, len);

    if (n < 0)
        refused();
    fwrite(bytes, 1, (size_t)n, stdout);
}

static void do_write(char **arg)
{
    int fd = open_file(arg[0], O_WRONLY | O_NONBLOCK);
    size_t len = strlen(arg[1]);

    wrote(fd, write(fd, arg[1], len), len);
}

static void run(char **command)
{
    pid_t pid = fork();
    int status;

    if (!pid) {
        execvp(*command, command);
        perror(*command);
        _exit(127);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
        usage("the command failed");
}

static void do_poll(char **arg)
{
    static const struct {
        const char *name;
        short event;
        int flags;
    } kinds[] = {
        { "in", POLLIN, O_RDONLY }, { "out", POLLOUT, O_WRONLY }, { "pri", POLLPRI, O_RDONLY },
        { "err", POLLERR, 0 },      { "hup", POLLHUP, 0 },
    };
    struct pollfd p = { 0 };
    int flags = 0;

    for (size_t i = 0; i < 3; i++) {
        if (!strcmp(arg[1], kinds[i].name)) {
            p.events = kinds[i].event;
            flags = kinds[i].flags;
        }
    }
    if (!p.events)
        usage("events are in, out and pri");
    p.fd = open_file(arg[0], flags | O_NONBLOCK);
    if (p.events == POLLPRI && pread(p.fd, bytes, MAX_BYTES, 0) < 0)
        refused();
    if (arg[3]) {
        /* Ask once, so that the daemon knows of the waiter when the command makes its change. */
        if (poll(&p, 1, 0) < 0)
            refused();
        run(arg + 3);
    }
    int n = poll(&p, 1, (int)number(arg[2]));
    if (n < 0)
        refused();
    if (!n)
        printf("timeout");
    for (size_t i = 0, printed = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (p.revents & kinds[i].event)
            printf("%s%s", printed++ ? " " : "", kinds[i].name);
    }
    putchar('\n');
}

/* The child sleeps in poll(2), or has ended. */
static bool is_asleep(pid_t child)
{
    char path[32], state = 'Z';

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)child);
    FILE *file = fopen(path, "re");
    if (file) {
        if (fscanf(file, "%*d %*s %c", &state) != 1)
            state = 'Z';
        fclose(file);
    }
    return state != 'R' && state != 'D';
}

static void do_poll_shared(char **arg)
{
    struct timespec moment = { .tv_nsec = 1000000 };
    int fd = open_file(arg[0], O_RDONLY | O_NONBLOCK), ms = (int)number(arg[1]);

    if (pread(fd, bytes, MAX_BYTES, 0) < 0)
        refused();
    pid_t child = fork();
    if (child < 0)
        refused();
    struct pollfd p = { .fd = fd, .events = child ? POLLIN : POLLPRI };
    if (child == 0) {
        int n = poll(&p, 1, ms);
        puts(n < 0 ? "refused" : n == 0 ? "timeout" : p.revents & POLLPRI ? "pri" : "another");
        exit(0);
    }
    while (!is_asleep(child))
        nanosleep(&moment, NULL);
    if (poll(&p, 1, 0) < 0)
        refused();
    run(arg + 2);
    waitpid(child, NULL, 0);
}

static void do_edges(char **arg)
{
    unsigned n = (unsigned)number(arg[1]), told = 0;
    int fd = open_file(arg[0], O_RDONLY | O_NONBLOCK), set = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = { .events = EPOLLIN | EPOLLET };

    if (set < 0 || epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) < 0)
        refused();
    for (unsigned k = 0; k < n; k++) {
        run(arg + 3);
        if (epoll_wait(set, &event, 1, (int)number(arg[2])) == 1)
            told++;
        while (read(fd, bytes, MAX_BYTES) > 0)
            ;
    }
    printf("%u\n", told);
}

/* Where @offset of a shared mapping of the file lies; the mapping lasts as long as the program. */
static uint8_t *map(const char *file, uint64_t offset, size_t len, int flags, int prot)
{
    int fd = open_file(file, flags);
    uint64_t page = offset & ~UINT64_C(4095);
    uint8_t *base = mmap(NULL, offset - page + len, prot, MAP_SHARED, fd, (off_t)page);

    if (base == MAP_FAILED)
        refused();
    return base + (offset - page);
}

#define DRIVEN_BYTES 0x10000u

/* The daemon has ended. */
static void pages_are_gone(int signal)
{
    _exit(0);
}

static void do_drive(char **arg)
{
    struct timespec between = { .tv_nsec = 300000 };
    int prot = PROT_READ | PROT_WRITE;
    volatile uint64_t *ring = (void *)map(arg[0], 0, DRIVEN_BYTES, O_RDWR, prot);
    volatile uint32_t *page = (void *)map(arg[1], 0, 4096, O_RDWR, prot);
    signal(SIGBUS, pages_are_gone);
    uint64_t rounds = number(arg[2]) * 1000000 / (uint64_t)between.tv_nsec;

    for (uint32_t prod = 1; prod <= rounds; prod++) {
        for (size_t k = 0; k < DRIVEN_BYTES / 8; k += 2)
            ring[k] = 0x46;
        page[1] = prod % (DRIVEN_BYTES / 16);
        nanosleep(&between, NULL);
    }
    puts("ok");
}

static void do_load(char **arg)
{
    size_t len = length(arg[2]);

    print_hex(map(arg[0], number(arg[1]), len, O_RDONLY, PROT_READ), len);
}

static void do_store(char **arg)
{
    size_t len = unhex(arg[2]);
    uint64_t offset = number(arg[1]);
    uint8_t *to = map(arg[0], offset, len, O_RDWR, PROT_READ | PROT_WRITE);

    if (len == 8 && offset % 8 == 0) {
        uint64_t word;
        memcpy(&word, bytes, len);
        __atomic_store_n((uint64_t *)to, word, __ATOMIC_RELEASE);
    } else if (len == 4 && offset % 4 == 0) {
        uint32_t word;
        memcpy(&word, bytes, len);
        __atomic_store_n((uint32_t *)to, word, __ATOMIC_RELEASE);
    } else if (len == 2 && offset % 2 == 0) {
        uint16_t word;
        memcpy(&word, bytes, len);
        __atomic_store_n((uint16_t *)to, word, __ATOMIC_RELEASE);
    } else {
        memcpy(to, bytes, len);
    }
    puts("ok");
}

static void do_limit(char **arg)
{
    struct rlimit limit;

    if (prlimit((pid_t)number(arg[0]), RLIMIT_NOFILE, NULL, &limit) < 0)
        refused();
    limit.rlim_cur = number(arg[1]);
    if (prlimit((pid_t)number(arg[0]), RLIMIT_NOFILE, &limit, NULL) < 0)
        refused();
    puts("ok");
}

static void do_hold(char **arg)
{
    map(arg[0], 0, 1, O_RDWR, PROT_READ | PROT_WRITE);
    puts("ok");
    fflush(stdout);
    while (read(STDIN_FILENO, bytes, MAX_BYTES) > 0)
        ;
}

static void do_has(char **arg)
{
    struct io_uring_params params = { 0 };
    aio_context_t context = 0;
    long answer;

    if (!strcmp(arg[0], "io_uring"))
        answer = syscall(SYS_io_uring_setup, 4, &params);
    else if (!strcmp(arg[0], "aio"))
        answer = syscall(SYS_io_setup, 1, &context);
    else
        usage("engines are io_uring and aio");
    if (answer < 0)
        refused();
    puts("ok");
}

static void do_random(char **arg)
{
    struct vdf_random random = { number(arg[0]) };
    size_t n = length(arg[1]);

    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)vdf_random_next(&random);
    fwrite(bytes, 1, n, stdout);
}

static void do_json(char **arg)
{
    int fd = open(arg[0], O_RDONLY);

    if (fd < 0)
        refused();
    size_t len = 0;
    ssize_t n;
    while ((n = read(fd, bytes + len, MAX_BYTES - 1 - len)) > 0)
        len += (size_t)n;
    long wrong = json_flatten((char *)bytes, len);
    if (wrong >= 0) {
        printf("no JSON at byte %ld\n", wrong);
        exit(1);
    }
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int min, max; /* arguments */
        void (*run)(char **arg);
    } commands[] = {
        { "pread", 3, 3, do_pread },      { "pwrite", 3, 3, do_pwrite },
        { "read", 1, 2, do_read },        { "write", 2, 2, do_write },
        { "poll", 3, 1000, do_poll },     { "poll-shared", 3, 1000, do_poll_shared },
        { "edges", 4, 1000, do_edges },   { "mmap-load", 3, 3, do_load },
        { "mmap-store", 3, 3, do_store }, { "mmap-hold", 1, 1, do_hold },
        { "has", 1, 1, do_has },          { "json", 1, 1, do_json },
        { "limit", 2, 2, do_limit },      { "mmap-drive", 3, 3, do_drive },
        { "random", 2, 2, do_random },
    };

    for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(argv[1], commands[i].name))
            continue;
        if (argc - 2 < commands[i].min || argc - 2 > commands[i].max)
            usage("wrong number of arguments");
        commands[i].run(argv + 2);
        return 0;
    }
    usage("no such command");
}
