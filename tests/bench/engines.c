/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From an eventfd to an eventfd: through the console, as its vhost-user front end and the driver of
 * its PCI function see it, and through the engines alone, within this process. The yardstick is the
 * bare loop of loop.c.
 *
 *     doorbell   an eventfd that the engine watches, whose function writes to another
 *     polling    the same while a poller keeps the engine awake
 *     timer      a timer without delay instead of the first eventfd
 *     many       doorbell, with 1000 other eventfds watched
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <virtdevfs/engine.h>

#include "bench.h"

#define MANY 1000u

/* --- the console ------------------------------------------------------------------------------ */

struct front {
    pid_t pid;
    FILE *commands, *answers;
    bool spin;
};

/* Gives the front end a command; its answer without the newline. */
static const char *tell(struct front *front, const char *command)
{
    static char answer[256];

    fprintf(front->commands, "%s\n", command);
    fflush(front->commands);
    if (!fgets(answer, sizeof(answer), front->answers))
        snprintf(answer, sizeof(answer), "the front end has ended");
    answer[strcspn(answer, "\n")] = '\0';
    return answer;
}

static double by_console(void *ctx, uint64_t ns)
{
    struct front *front = ctx;
    char command[64];

    snprintf(command, sizeof(command), "trips 0 %llu%s", (unsigned long long)ns,
             front->spin ? " spin" : "");
    const char *answer = tell(front, command);
    double result = strtod(answer, NULL);
    if (result <= 0) {
        errno = EPROTO;
        bench_die(answer);
    }
    return result;
}

static void start_front(struct front *front, const char *socket)
{
    int to[2], from[2];

    if (pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC))
        bench_die("pipe");
    front->pid = bench_child();
    if (front->pid == 0) {
        const char *program = bench_helper("vhostio");
        dup2(to[0], STDIN_FILENO);
        dup2(from[1], STDOUT_FILENO);
        execl(program, program, socket, (char *)NULL);
        _exit(127);
    }
    close(to[0]);
    close(from[1]);
    front->commands = fdopen(to[1], "w");
    front->answers = fdopen(from[0], "r");
    if (!front->commands || !front->answers)
        bench_die("fdopen");
}

static void stop_front(struct front *front)
{
    fclose(front->commands);
    fclose(front->answers);
    bench_end(front->pid);
}

static const char *attach(struct front *front)
{
    static const char *const commands[] = { "connect", "negotiate", "memory 16", "rings 0 3" };
    const char *answer = NULL;

    for (size_t k = 0; k < sizeof(commands) / sizeof(commands[0]); k++) {
        answer = tell(front, commands[k]);
        if (strcmp(answer, "ok") != 0 && strncmp(answer, "0x", 2) != 0)
            return answer;
    }
    return NULL;
}

static void compare_console(struct bench_mount *mount, const char *engine, enum bench_cores cores)
{
    struct front front = { .spin = cores == BENCH_OTHER };
    char socket[sizeof(bench.scratch) + 16], variant[48];

    snprintf(variant, sizeof(variant), "%s, vhost-user", engine);
    snprintf(socket, sizeof(socket), "%s/console", bench.scratch);
    bench_put(mount, "console/con0/vhost_user", "%s", socket);
    start_front(&front, socket);
    const char *why = attach(&front);
    if (why) {
        bench_skip("doorbell", variant, bench_cores_name(cores), "the front end: %s", why);
    } else {
        bench_compare_doorbell(engine, variant, cores,
                               (struct bench_timed){ "", by_console, &front });
    }
    stop_front(&front);
    bench_put(mount, "console/con0/vhost_user", "\n");
}

void bench_doorbell(void)
{
    static const char *const engines[] = { "io_uring", "libaio" };
    struct bench_mount mount;
    char options[64];

    if (!bench_wanted("doorbell"))
        return;
    if (!bench_has_io_uring()) {
        bench_skip("doorbell", "", "", "this kernel allows no io_uring");
        return;
    }
    for (unsigned e = 0; e < 2; e++) {
        bench_say("doorbells, engine %s", engines[e]);
        snprintf(options, sizeof(options), "engine=%s", engines[e]);
        if (!bench_mount_ours(&mount, options, "vdf-engine")) {
            bench_skip("doorbell", engines[e], "", "virtdevfs: %s", mount.why);
            continue;
        }
        for (enum bench_cores c = BENCH_SAME; c <= BENCH_OTHER; c++) {
            if (bench_place(c)) {
                compare_console(&mount, engines[e], c);
                bench_doorbell_pci(&mount, engines[e], c);
            } else {
                bench_skip("doorbell", engines[e], "other", "this machine has one processor");
            }
        }
        bench_unmount(&mount);
    }
}

/* --- an engine alone -------------------------------------------------------------------------- */

enum how { DOORBELL, POLLING, TIMER, MANY_WATCHED };

struct asked {
    struct vdf_engine *engine;
    struct vdf_source source, poller, others[MANY];
    int fds[MANY];
    int question, answer;
    enum how how;
    bool spin; /* the client, for the answer */
    atomic_bool released;
};

static struct asked asked;

static void on_question(struct vdf_source *source, uint64_t value)
{
    bench_ring(asked.answer);
}

static void on_poll(struct vdf_source *source, uint64_t value)
{
}

static bool on_look(struct vdf_source *source, uint64_t idle_ns)
{
    return true;
}

static void on_release(struct vdf_source *source)
{
    atomic_store(&asked.released, true);
}

static double by_engine(void *ctx, uint64_t ns)
{
    /* Not while the yardstick is measured on the same processor. */
    if (asked.how == POLLING && vdf_engine_add_poller(asked.engine, &asked.poller))
        bench_die("a poller cannot be added");
    double result = BENCH_LOOP(ns, 16, {
        if (asked.how == TIMER)
            vdf_engine_set_timer(&asked.source, 0);
        else
            bench_ring(asked.question);
        bench_hear(asked.answer, asked.spin);
    });
    if (asked.how == POLLING) {
        atomic_store(&asked.released, false);
        vdf_engine_remove(&asked.poller);
        while (!atomic_load(&asked.released))
            bench_nap();
    }
    return result;
}

/* The engine's thread inherits the daemon's processor. False: this engine is not to be had here. */
static bool start_engine(enum vdf_engine_kind kind, enum how how, bool spin, struct vdf_err *err)
{
    memset(&asked, 0, sizeof(asked));
    asked.how = how;
    asked.spin = spin;
    if (vdf_engine_create(kind, &asked.engine, err))
        return false;
    bench_pin(0, bench_core(false));
    int rc = vdf_engine_start(asked.engine);
    asked.question = bench_eventfd();
    asked.answer = bench_eventfd();
    asked.source = (struct vdf_source){ .fn = on_question };
    asked.poller = (struct vdf_source){ .poll = on_look, .release = on_release };
    if (rc == 0)
        rc = how == TIMER ? vdf_engine_add_timer(asked.engine, &asked.source)
                          : vdf_engine_add_eventfd(asked.engine, &asked.source, asked.question);
    for (unsigned k = 0; rc == 0 && how == MANY_WATCHED && k < MANY; k++) {
        asked.fds[k] = bench_eventfd();
        asked.others[k] = (struct vdf_source){ .fn = on_poll };
        rc = vdf_engine_add_eventfd(asked.engine, &asked.others[k], asked.fds[k]);
    }
    if (rc) {
        errno = -rc;
        bench_die("a source cannot be added");
    }
    return true;
}

static void stop_engine(void)
{
    vdf_engine_destroy(asked.engine);
    for (unsigned k = 0; asked.how == MANY_WATCHED && k < MANY; k++)
        close(asked.fds[k]);
    close(asked.question);
    close(asked.answer);
}

static void compare_engine(enum vdf_engine_kind kind, enum how how, enum bench_cores cores)
{
    static const char *const names[] = { "doorbell", "polling", "timer", "many" };
    bool spin = cores == BENCH_OTHER;
    struct vdf_err err = { 0 };
    struct bench_loop loop;
    char variant[48];

    snprintf(variant, sizeof(variant), "%s, %s", kind == VDF_ENGINE_LIBAIO ? "libaio" : "io_uring",
             names[how]);
    if (!start_engine(kind, how, spin, &err)) {
        bench_skip("engine", variant, bench_cores_name(cores), "%s", err.text);
        return;
    }
    if (bench_place(cores)) {
        struct bench_case what = {
            .row = "engine",
            .variant = variant,
            .cores = bench_cores_name(cores),
            .unit = "ns",
            .ours = { "", by_engine, NULL },
            .yardsticks = { { .timed = { "bare io_uring loop", bench_by_loop, &loop } } },
            .n_yardsticks = 1
        };
        bench_start_loop(&loop, spin);
        bench_compare(&what);
        bench_stop_loop(&loop);
    }
    stop_engine();
}

void bench_engines(void)
{
    struct rlimit files;

    if (!bench_wanted("engine"))
        return;
    if (!bench_has_io_uring()) {
        bench_skip("engine", "", "", "this kernel allows no io_uring");
        return;
    }
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    bench_say("engines alone");
    for (enum bench_cores c = BENCH_SAME; c <= BENCH_OTHER; c++)
        for (enum how how = DOORBELL; how <= MANY_WATCHED; how++) {
            compare_engine(VDF_ENGINE_IO_URING, how, c);
            compare_engine(VDF_ENGINE_LIBAIO, how, c);
        }
}
