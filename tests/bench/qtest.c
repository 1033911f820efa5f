/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QEMU's own way to reach a device's registers without a guest, its qtest protocol: a line asks, a
 * line answers. The register is one of the HPET, which keeps what is written.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

#define START_MS 20000
#define READ "readl 0xfed00100\n"
#define WRITE "writel 0xfed00100 0x0\n"

static bool ask(const struct bench_qtest *q, const char *command, size_t n)
{
    char answer[128];
    size_t done = 0;

    if (send(q->fd, command, n, MSG_NOSIGNAL) != (ssize_t)n)
        return false;
    do {
        ssize_t r = recv(q->fd, answer + done, sizeof(answer) - done, 0);
        if (r <= 0)
            return false;
        done += (size_t)r;
    } while (answer[done - 1] != '\n' && done < sizeof(answer));
    return strncmp(answer, "OK", 2) == 0;
}

static double ask_again(struct bench_qtest *q, const char *command, uint64_t ns)
{
    size_t n = strlen(command);

    return BENCH_LOOP(ns, 8, {
        if (!ask(q, command, n)) {
            errno = EPROTO;
            bench_die("qtest");
        }
    });
}

double bench_qtest_read(void *ctx, uint64_t ns)
{
    return ask_again(ctx, READ, ns);
}

double bench_qtest_write(void *ctx, uint64_t ns)
{
    return ask_again(ctx, WRITE, ns);
}

static void run_qemu(int fd)
{
    dup2(fd, STDIN_FILENO);
    dup2(fd, STDOUT_FILENO);
    execl(bench.qemu, "qemu", "-M", "pc", "-accel", "tcg", "-S", "-nodefaults", "-display", "none",
          "-qtest", "stdio", "-qtest-log", "none", (char *)NULL);
    _exit(127);
}

bool bench_qtest_start(struct bench_qtest *q)
{
    int pair[2];

    *q = (struct bench_qtest){ .fd = -1 };
    if (!bench.qemu) {
        snprintf(q->why, sizeof(q->why), "%s", bench.qemu_reason);
        return false;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
        bench_die("socketpair");
    bench_pin(0, bench_core(false));
    q->pid = bench_child();
    if (q->pid == 0)
        run_qemu(pair[1]);
    bench_pin(0, -1);
    close(pair[1]);
    q->fd = pair[0];
    struct pollfd p = { .fd = q->fd, .events = POLLIN };
    send(q->fd, READ, strlen(READ), MSG_NOSIGNAL);
    char answer[128];
    if (poll(&p, 1, START_MS) == 1 && recv(q->fd, answer, sizeof(answer), 0) > 0 &&
        ask(q, WRITE, strlen(WRITE)))
        return true;
    snprintf(q->why, sizeof(q->why), "%s does not answer", bench.qemu);
    bench_qtest_stop(q);
    return false;
}

void bench_qtest_stop(struct bench_qtest *q)
{
    close(q->fd);
    bench_end(q->pid);
}
