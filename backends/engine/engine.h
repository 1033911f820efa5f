/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The interface between the common part of the engine (engine.c) and its two kinds (uring.c, aio.c).
 *
 * A kind does one thing: it asks the kernel for one poll(2) event on a descriptor, once, and reports
 * the completion of the request. Eventfds and descriptors are such requests made again and again.
 * Timers, pollers and the life of a source are common.
 *
 * Pollers cost a core while they are called without sleeping. That goes on for POLL_BUSY_NS after a
 * poller has found work. Then the thread sleeps between two rounds for half of the time since, so that
 * a long wait becomes at most half as long again. The longest sleep is POLL_SLEEP_ROUNDS times the
 * processor time of a round, which the thread measures, so that idle pollers take half a thousandth of
 * a processor on slow and fast machines.
 *
 * Threads. Only the engine's thread calls the kind's functions, except reserve(), and the sources'
 * functions and release(). Everything in struct vdf_engine below `lock`, and the engine's
 * part of every source, is read and written with `lock` held, by any thread. The lock is a leaf:
 * nothing is called under it that could block or take another lock.
 *
 *     other threads                      the engine's thread
 *     add, set, remove                   run_queue -> run_timers -> run_pollers
 *       source -> queue; wake ---------->  ^                             |
 *                                          |                             v
 *                                        reap <- wait (blocks when there is nothing to do)
 */
#ifndef VDF_ENGINE_PRIVATE_H
#define VDF_ENGINE_PRIVATE_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <virtdevfs/engine.h>
#include <virtdevfs/lock.h>

/* struct vdf_source.kind */
enum vdf_source_kind {
    VDF_SOURCE_WAKE, /* the engine's own eventfd */
    VDF_SOURCE_EVENTFD,
    VDF_SOURCE_FD,
    VDF_SOURCE_TIMER,
    VDF_SOURCE_POLLER,
    VDF_SOURCE_KINDS,
};

/* struct vdf_source.flags */
#define VDF_SOURCE_QUEUED 0x01u   /* in the list of work */
#define VDF_SOURCE_REMOVED 0x02u  /* no new call begins; to be released */
#define VDF_SOURCE_ARM 0x04u      /* work: make the request; of a poller: begin to call it */
#define VDF_SOURCE_FAILED 0x08u   /* work: report that the request cannot be made any more */
#define VDF_SOURCE_FLYING 0x10u   /* a request is with the kind or the kernel */
#define VDF_SOURCE_CANCELED 0x20u /* the kernel has been asked to cancel the request */
#define VDF_SOURCE_RUNNING 0x40u  /* timer: in the list of running timers */

#define VDF_ENGINE_FOREVER UINT64_MAX /* ns */

struct vdf_engine_ops {
    const char *name;
    size_t request_size; /* bytes of a watched source's `op`, zeroed; 0: none */

    /* Make ready to work, in the engine's thread; return 0 or -errno. */
    int (*open)(struct vdf_engine *engine, struct vdf_err *err);
    /* Undo open; only the wake source's request may be in flight. */
    void (*close)(struct vdf_engine *engine);
    /* After the probe, with no request in flight: keep the parts that the next open can use, in this
     * process or in a child of it. Without an open, close follows. */
    void (*park)(struct vdf_engine *engine);
    /* Room for @n requests at once, from any thread with the lock held; NULL: there always is.
     * Return 0 or -errno. */
    int (*reserve)(struct vdf_engine *engine, unsigned n);
    /* Ask for one event of the source's descriptor. The request may reach the kernel only with
     * the next wait(). Return 0, or -EAGAIN to be called again soon. */
    int (*arm)(struct vdf_engine *engine, struct vdf_source *source);
    /* Cancel the request; it still completes through vdf_engine_completed(). Return 0, or
     * -EAGAIN to be called again soon. */
    int (*cancel)(struct vdf_engine *engine, struct vdf_source *source);
    /* Submit the requests, and sleep until one has completed or @timeout_ns have passed; 0: do not
     * sleep. Calls no source. May return early. Return 0, or -errno if the kernel refuses the wait. */
    int (*wait)(struct vdf_engine *engine, uint64_t timeout_ns);
    /* Call vdf_engine_completed() for the completed requests. */
    void (*reap)(struct vdf_engine *engine);
};

extern const struct vdf_engine_ops vdf_uring_ops;
extern const struct vdf_engine_ops vdf_aio_ops;

struct vdf_engine {
    const struct vdf_engine_ops *ops;
    void *kind; /* the kind's private structure; NULL while it has none */
    pthread_t thread;
    bool started;
    sem_t opened;                  /* the thread has tried open() ... */
    int open_status;               /* ... with this result */
    struct vdf_engine_stats stats; /* written by the engine's thread, read by anybody: atomic */

    struct vdf_lock lock;
    struct vdf_source *lists[VDF_SOURCE_KINDS]; /* timers: only stopped ones */
    struct vdf_source *timers;                  /* the running timers, the earliest first */
    struct vdf_source **timers_end;             /* the last one's `next` */
    struct vdf_source *queue;                   /* work, in order */
    struct vdf_source **queue_end;              /* the last one's `queue_next` */
    unsigned n_sources;                         /* added and not released */
    unsigned n_watched;                         /* eventfds and descriptors of them, and `wake` */
    /* The thread is in wait(), or about to be; set with the lock held. */
    atomic_bool sleeping;
    bool woken;    /* the thread will soon leave wait() */
    bool stopping; /* the thread is to end */
    bool draining; /* no source can be added any more */

    int refusal; /* -errno of the last request that was finally refused */

    /* For the thread only. */
    struct vdf_source *pollers;    /* the active ones */
    uint64_t found_ns;             /* when one of them last found work, or was added */
    uint64_t idle_ns;              /* since then, before the last wait; 0: not long */
    uint64_t round_ns;             /* processor time of a round, smoothed */
    uint64_t measured_ns;          /* the thread's processor time at the last sleep; 0: none */
    uint64_t measured_completions; /* the number of completions then */
    /* There is new work; set with the lock held. */
    atomic_bool asked;

    struct vdf_source wake;
};

/** vdf_engine_completed() - a request has completed, with poll(2) events or -errno. The lock is not
 *  held. */
void vdf_engine_completed(struct vdf_engine *engine, struct vdf_source *source, int result);

/** vdf_engine_refused() - the kernel did not take a request: -EAGAIN and -ENOMEM have it made again
 *  soon, any other -errno ends the source's watch. Not under the lock; calls no source. */
void vdf_engine_refused(struct vdf_engine *engine, struct vdf_source *source, int result);

/** vdf_engine_rearm_all() - all requests were lost: make them again. Not under the lock. */
void vdf_engine_rearm_all(struct vdf_engine *engine);

#endif
