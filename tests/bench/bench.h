/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The common parts of the benchmark.
 *
 *     bench.c    the rows, the table, JSON
 *     compare.c  a thing and its yardsticks, in turns; figures
 *     tools.c    time, processors, daemons and their files
 *     loop.c     from an eventfd to an eventfd
 *     vfu.c      a client of PCI functions
 *     qtest.c    QEMU's registers
 *     notify.c   a driver of a console's function
 *     plot.c     SVG
 *     empty.c    a program: the file system that ours is compared with
 *     stream.c   a program: the host's side of port-throughput
 *
 * Each of the others measures some rows.
 */
#ifndef BENCH_H
#define BENCH_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* --- the run ---------------------------------------------------------------------------------- */

struct bench_settings {
    bool quick;
    unsigned rounds;
    uint64_t slice_ns; /* of one sample */
    char program[512]; /* virtdevfs */
    char here[512];    /* directory of this program and its helpers */
    const char *qemu;  /* NULL: there is none */
    const char *qemu_reason;
    char scratch[128]; /* a directory for sockets and mount points */
    char tmpfs[128];   /* one on a tmpfs */
};

extern struct bench_settings bench;

/* Where client and daemon run. */
enum bench_cores { BENCH_SAME, BENCH_OTHER };

/** bench_wanted() - whether a row was selected. */
bool bench_wanted(const char *row);

/* --- results ---------------------------------------------------------------------------------- */

enum bench_goal_kind { BENCH_NO_GOAL, BENCH_AT_MOST, BENCH_AT_LEAST };

struct bench_goal {
    enum bench_goal_kind kind;
    double value;
};

#define BENCH_SAMPLES_MAX 64u

struct bench_figures {
    double median, min, spread; /* spread: between the quartiles, as a part of the median */
    double samples[BENCH_SAMPLES_MAX];
    unsigned n;
};

/* One line of the table: a row, under certain circumstances, beside one yardstick. */
struct bench_line {
    const char *row;
    unsigned number; /* in the order of measuring */
    char variant[48];
    const char *cores; /* "same", "other", "" */
    const char *unit;  /* "ns", "MiB/s", ... */
    struct bench_figures ours, theirs;
    char yardstick[48];          /* "" without one: the goal is for the figure itself */
    double ratio;                /* of the medians */
    double ratio_best;           /* of the best samples */
    double ratio_min, ratio_max; /* of a round */
    struct bench_goal goal;
    bool reached;
    char skipped[256]; /* why it was not measured */
};

struct bench_point {
    unsigned devices;
    double bytes, lookup_ns, readdir_ns, mkdir_ns, save_ns, restore_ns; /* each a device */
};

#define BENCH_POINTS_MAX 8u

struct bench_results {
    struct bench_line *lines;
    unsigned n_lines;
    struct bench_point points[BENCH_POINTS_MAX];
    unsigned n_points;
};

extern struct bench_results bench_results;

/** bench_title() - what a row measures, in words. */
const char *bench_title(const char *row);

/** bench_cores_name() - "same" or "other". */
const char *bench_cores_name(enum bench_cores cores);

/** bench_plot() - draw the results into @dir, as ratios.svg and scale.svg. Return: 0 or -errno. */
int bench_plot(const char *dir);

/* --- comparing -------------------------------------------------------------------------------- */

/* One thing that is timed: @run does it for about @ns nanoseconds and returns what one operation
 * took, or the rate, in the line's unit. */
struct bench_timed {
    const char *name;
    double (*run)(void *ctx, uint64_t ns);
    void *ctx;
};

struct bench_yardstick {
    struct bench_timed timed;
    struct bench_goal goal;
    bool times_faster; /* the ratio is the yardstick's time divided by ours */
};

struct bench_case {
    const char *row;
    const char *variant;
    const char *cores;
    const char *unit;
    struct bench_timed ours;
    struct bench_yardstick yardsticks[3];
    unsigned n_yardsticks;
    bool slow; /* once takes longer than a sample may: a third of the rounds will do */
};

/** bench_compare() - take samples in turns and add a line a yardstick. */
void bench_compare(const struct bench_case *what);

/** bench_samples() - add a line for samples that were taken in turns elsewhere: @theirs NULL for a
 * goal of the figure itself. */
void bench_samples(const struct bench_case *what, const struct bench_yardstick *yardstick,
                   const double *ours, const double *theirs, unsigned n);

/** bench_skip() - add a line that says why there is no figure. */
__attribute__((format(printf, 4, 5))) void bench_skip(const char *row, const char *variant,
                                                      const char *cores, const char *fmt, ...);

/** bench_median() - of @n numbers, which are sorted by it. */
double bench_median(double *numbers, unsigned n);

#define BENCH_LOG2 8u
#define BENCH_ENTRIES (1u << BENCH_LOG2) /* of 16 bytes */

/* --- tools ------------------------------------------------------------------------------------ */

/** bench_now() - nanoseconds of CLOCK_MONOTONIC. */
uint64_t bench_now(void);

/** bench_nap() - sleep for a tenth of a millisecond. */
void bench_nap(void);

/** bench_die() - print what and strerror(errno), and exit with 1. */
_Noreturn void bench_die(const char *what);

/** bench_say() - a line about the progress, on standard error. */
__attribute__((format(printf, 1, 2))) void bench_say(const char *fmt, ...);

/** bench_core() - the processor of the daemon (false) or of a client elsewhere (true); -1: there is
 *  no second one. */
int bench_core(bool other);

/** bench_pin() - let the thread @tid (0: this one, and those it makes) run on @core only, -1: on
 * all. */
void bench_pin(pid_t tid, int core);

/** bench_place() - put this thread where @cores says; false when the machine has one processor. */
bool bench_place(enum bench_cores cores);

/** bench_child() - fork; the child ends with its parent. */
pid_t bench_child(void);

/** bench_end() - SIGTERM and wait. */
void bench_end(pid_t pid);

/** bench_spawn() - run a command and wait for it; nanoseconds. */
uint64_t bench_spawn(char *const argv[]);

/* A mounted file system and the process that serves it. */
struct bench_mount {
    pid_t pid;
    char dir[192];
    char why[200]; /* it could not be mounted: what it has said */
};

/**
 * bench_mount() - start a file system in the foreground and wait until @probe can be read in it.
 * @program: ours or the empty one
 * @options: for -o
 *
 * Return: nanoseconds until then; 0 when it has ended, with mount->why.
 */
uint64_t bench_mount(struct bench_mount *mount, const char *program, const char *options,
                     const char *probe);
void bench_unmount(struct bench_mount *mount);

/** bench_mount_ours() - virtdevfs with @options, and its threads named @thread (NULL: only the main
 * one) on the daemon's processor; false when it is not to be had, with mount->why. */
bool bench_mount_ours(struct bench_mount *mount, const char *options, const char *thread);

/** bench_pin_threads() - let the threads of that name run on @core only, -1: on all. */
void bench_pin_threads(const struct bench_mount *mount, const char *name, int core);

/** bench_helper() - the path of a program beside this one; in a static buffer. */
const char *bench_helper(const char *name);

/** bench_path() - a file in a mount; in a static buffer. */
__attribute__((format(printf, 2, 3))) const char *bench_path(const struct bench_mount *mount,
                                                             const char *fmt, ...);

/** bench_open() - open @name in the mount, or die. */
int bench_open(const struct bench_mount *mount, const char *name, int flags);

/** bench_put() - write a value, or die. */
__attribute__((format(printf, 3, 4))) void bench_put(const struct bench_mount *mount,
                                                     const char *name, const char *fmt, ...);

/** bench_get() - read a value without its newline, or die. */
void bench_get(const struct bench_mount *mount, const char *name, char *text, size_t size);

/** bench_make_devices() - devices d@from to d(@to - 1), of all kinds in turn. */
void bench_make_devices(const struct bench_mount *mount, unsigned from, unsigned to);

/** bench_make_queue() - queue @n of hwqueue/smmu0, whose memory has to be mapped, with a ring of
 *  BENCH_ENTRIES at @base. */
void bench_make_queue(const struct bench_mount *mount, unsigned n, uint64_t base);

/** bench_sum() - sum of the numbers behind @name in the files that match @pattern; @name "": the
 * first number of each. */
uint64_t bench_sum(const char *pattern, const char *name);

/* --- eventfds --------------------------------------------------------------------------------- */

/** bench_eventfd() - one that does not block: io_uring hands the writes of others to a thread. */
int bench_eventfd(void);
void bench_ring(int fd);
/** bench_hear() - wait until @fd has been written; @spin: without sleeping. */
void bench_hear(int fd, bool spin);

/* A thread that answers one eventfd by the other. */
struct bench_loop {
    int question, answer;
    bool spin; /* the client, for the answer */
    pthread_t thread;
    atomic_bool stop;
};

/** bench_has_io_uring() - whether such a thread is to be had. */
bool bench_has_io_uring(void);
/** bench_start_loop() - on the daemon's processor. */
void bench_start_loop(struct bench_loop *loop, bool spin);
void bench_stop_loop(struct bench_loop *loop);
/* For struct bench_timed. */
double bench_by_loop(void *ctx, uint64_t ns);
/** bench_compare_doorbell() - a line of the row `doorbell`, beside the bare loop. The loop is no goal for
 *  an engine other than io_uring. */
void bench_compare_doorbell(const char *engine, const char *variant, enum bench_cores cores,
                            struct bench_timed ours);

/* --- vfio-user -------------------------------------------------------------------------------- */

/* A client of a function, for the few messages that are needed here. A refusal is the end. */
struct bench_vfu {
    int fd;
    uint16_t id; /* of the last message */
};

/** bench_vfu_serve() - serve pci/@name, which has its devices, and connect to it. */
void bench_vfu_serve(struct bench_vfu *vfu, const struct bench_mount *mount, const char *name);
/** bench_vfu_end() - disconnect, and serve the function no longer. */
void bench_vfu_end(struct bench_vfu *vfu, const struct bench_mount *mount, const char *name);

#define BENCH_MESSAGE_MAX 64u

/** bench_vfu_access() - make the message that reads or writes @n bytes of a region, at most 8. Return:
 *  its bytes. */
size_t bench_vfu_access(void *message, bool write, uint32_t region, uint64_t offset, uint32_t n,
                        uint64_t value);
/** bench_vfu_answer() - send such a message. Return: the bytes of the reply, in @reply. */
size_t bench_vfu_answer(struct bench_vfu *vfu, const void *message, size_t n, void *reply);
void bench_vfu_write(struct bench_vfu *vfu, uint32_t region, uint64_t offset, uint32_t n,
                     uint64_t value);

/** bench_vfu_map() - the memory of a region, @size bytes; NULL: accesses are messages. */
void *bench_vfu_map(struct bench_vfu *vfu, uint32_t region, size_t size);
/** bench_vfu_doorbell() - the eventfd of stores to @offset of a region; -1: there is none. */
int bench_vfu_doorbell(struct bench_vfu *vfu, uint32_t region, uint64_t offset);
/** bench_vfu_memory() - give the device @size bytes of @fd at address @at. */
void bench_vfu_memory(struct bench_vfu *vfu, int fd, uint64_t at, uint64_t size);
/** bench_vfu_vector() - have vector @n of MSI-X written to @fd. */
void bench_vfu_vector(struct bench_vfu *vfu, uint32_t n, int fd);

/* --- QEMU ------------------------------------------------------------------------------------- */

struct bench_qtest {
    pid_t pid;
    int fd;
    char why[200];
};

/** bench_qtest_start() - QEMU with its qtest socket, on the daemon's processor; false: with
 * qtest->why. */
bool bench_qtest_start(struct bench_qtest *qtest);
void bench_qtest_stop(struct bench_qtest *qtest);
/* For struct bench_timed, with a struct bench_qtest. */
double bench_qtest_read(void *ctx, uint64_t ns);
double bench_qtest_write(void *ctx, uint64_t ns);

/* --- the measurements; each does those of its rows that are wanted ---------------------------- */

void bench_files(void);
void bench_prod(void);
void bench_doorbell(void);
/** bench_doorbell_pci() - the line of `doorbell` for the function of console/con0 in @mount. */
void bench_doorbell_pci(const struct bench_mount *mount, const char *engine,
                        enum bench_cores cores);
void bench_engines(void);
void bench_ports(void);
void bench_walks(void);
void bench_state(void);
void bench_scale(void);
void bench_idle(void);
void bench_start(void);
void bench_machine(void);
void bench_regions(void);

/* Runs @once again and again; nanoseconds of one. */
#define BENCH_LOOP(ns, times, once)                     \
    ({                                                  \
        uint64_t begin_ = bench_now(), end_, done_ = 0; \
        do {                                            \
            for (unsigned k_ = 0; k_ < (times); k_++)   \
                once;                                   \
            done_ += (times);                           \
            end_ = bench_now();                         \
        } while (end_ - begin_ < (ns));                 \
        (double)(end_ - begin_) / (double)done_;        \
    })

#endif
