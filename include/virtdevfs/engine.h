/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine: the one thread in which virtdevfs waits.
 *
 * One contract has two engines behind it: io_uring (liburing) and libaio, chosen by probing. The engine
 * watches sources, and calls their functions, always in its own thread:
 *
 *   eventfd   called with the counter's value after it was read (a doorbell)
 *   fd        called with the poll(2) events that are ready; armed again after each call, so a
 *             function that leaves them ready (POLLHUP and POLLERR too) is called again at once
 *   timer     called once when the time set by vdf_engine_set_timer() has passed
 *   poller    called again and again to find work: without sleeping while one of the pollers finds
 *             some. After some time without work, the calls come every 20 ms, or as seldom (up to
 *             500 ms) as it takes for them to need no more than 0.05 % of a processor
 *
 * Sources belong to the caller and are embedded in its structures. Adding, setting and
 * removing may be done from any thread, also from within a source's function, and never block on a
 * running function: vdf_engine_remove() returns at once, and release() is called in the engine's
 * thread when the engine will not touch the source again. Only then may its memory be freed, or the
 * source be added again. The engine holds a duplicate of a descriptor until release(), so that the
 * caller may close its own at any time.
 *
 * Components do not use this header but the vdf_async of component.h, which adds the device's lock.
 */
#ifndef VIRTDEVFS_ENGINE_H
#define VIRTDEVFS_ENGINE_H

#include <stdbool.h>
#include <stdint.h>
#include <virtdevfs/error.h>

struct vdf_engine;
struct vdf_source;

enum vdf_engine_kind {
    VDF_ENGINE_AUTO, /* io_uring where the kernel allows it, else libaio */
    VDF_ENGINE_IO_URING,
    VDF_ENGINE_LIBAIO,
};

typedef void (*vdf_source_fn)(struct vdf_source *source, uint64_t value);
/* Does the work that there is, and returns whether there was any. @idle_ns: for how long none of the
 * pollers has found work; 0: it was called just before, and may skip this turn. */
typedef bool (*vdf_poll_fn)(struct vdf_source *source, uint64_t idle_ns);

struct vdf_source {
    vdf_source_fn fn;                           /* set by the caller; pollers have `poll` */
    vdf_poll_fn poll;                           /* set by the caller of vdf_engine_add_poller() */
    void (*release)(struct vdf_source *source); /* set by the caller; NULL: nothing to free */

    /* For the engine only; zero before the source is added. */
    struct vdf_source *next, **prev; /* in the list of its kind */
    struct vdf_source *queue_next;   /* in the list of work for the engine's thread */
    struct vdf_source *poll_next;    /* in its list of pollers */
    struct vdf_engine *engine;
    uint64_t deadline_ns; /* timers: CLOCK_MONOTONIC */
    void *op;             /* data of the kind of engine for its request */
    int fd;               /* a duplicate of the caller's */
    uint32_t events;      /* fd sources: poll(2) events asked for */
    uint8_t kind;
    uint8_t flags;
};

/* Counters since the start. They are read without a lock, so they need not agree with each other. */
struct vdf_engine_stats {
    uint64_t wakeups;     /* times that the thread woke from its wait */
    uint64_t submissions; /* requests handed to the kernel */
    uint64_t completions; /* requests that came back */
    uint64_t doorbells;   /* eventfd functions called */
    uint64_t timers;      /* timer functions called */
    uint64_t polls;       /* rounds of calls of all pollers */
};

/**
 * vdf_engine_create() - probe and open an engine; no thread yet.
 * @kind:   which one; VDF_ENGINE_AUTO falls back to libaio where io_uring is refused
 * @engine: result
 * @err:    refusal; names the system call that failed
 *
 * Return: 0, or -errno (ENOSYS, EPERM: the kernel or a seccomp filter forbids it).
 */
int vdf_engine_create(enum vdf_engine_kind kind, struct vdf_engine **engine, struct vdf_err *err);

/**
 * vdf_engine_start() - start the thread. Call it after daemonising: threads do not survive fork(2).
 * Sources may have been added before, in the process that forked, too.
 * Return: 0, or -errno of pthread_create(3), io_uring_setup(2) or io_setup(2).
 */
int vdf_engine_start(struct vdf_engine *engine);

/** vdf_engine_stop() - end and join the thread; remaining sources are removed and released, in the
 *  caller's thread if the engine's was never started. From then on nothing can be added
 * (ESHUTDOWN). */
void vdf_engine_stop(struct vdf_engine *engine);

/** vdf_engine_destroy() - stop if needed, then free everything. NULL is allowed. */
void vdf_engine_destroy(struct vdf_engine *engine);

/** vdf_engine_name() - "io_uring" or "libaio", as `engine/kind` shows it. */
const char *vdf_engine_name(const struct vdf_engine *engine);

/** vdf_engine_stats() - copy the counters. */
void vdf_engine_stats(const struct vdf_engine *engine, struct vdf_engine_stats *stats);

/*
 * Adding. Return: 0, or -errno: EALREADY (the source is added), ESHUTDOWN (the engine was stopped),
 * ENOMEM; for descriptors also EBADF, EMFILE, EPERM (it cannot be watched: a regular file),
 * EINVAL (@events are none, or not those of poll(2)), EAGAIN (fs.aio-max-nr is used up).
 */

/** vdf_engine_add_eventfd() - watch an eventfd(2), which should be O_NONBLOCK. */
int vdf_engine_add_eventfd(struct vdf_engine *engine, struct vdf_source *source, int fd);

/** vdf_engine_add_fd() - watch a descriptor for poll(2) @events. The last call has POLLERR when the
 *  kernel refuses to go on watching. */
int vdf_engine_add_fd(struct vdf_engine *engine, struct vdf_source *source, int fd,
                      uint32_t events);

/** vdf_engine_add_timer() - add a timer that is not running. */
int vdf_engine_add_timer(struct vdf_engine *engine, struct vdf_source *source);

/** vdf_engine_set_timer() - run @source in @delay_ns nanoseconds, instead of any earlier setting;
 *  UINT64_MAX: do not run it. Any thread; takes no memory. */
void vdf_engine_set_timer(struct vdf_source *source, uint64_t delay_ns);

/** vdf_engine_add_poller() - call @source again and again, at first without sleeping. */
int vdf_engine_add_poller(struct vdf_engine *engine, struct vdf_source *source);

/** vdf_engine_remove() - end the watch and have release() called. Any thread, at once: a call of
 * the function that has begun in the engine's thread goes on, and none begins after release(). No
 * effect on a source that is not added, or already removed. */
void vdf_engine_remove(struct vdf_source *source);

#endif
