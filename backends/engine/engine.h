/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the common part of the engine (engine.c) and the two kinds of it (uring.c, aio.c) know of
 * each other.
 *
 * A kind can do one thing: ask the kernel for one poll(2) event on a descriptor, once, and tell
 * when the request has come back. Eventfds and descriptors are such requests made again and again;
 * all else (timers, pollers, the life of a source) is common.
 *
 * Pollers cost a core while they are asked without sleeping. That goes on for POLL_BUSY_NS after
 * one has found something; then the thread sleeps between two looks for half as long as nothing has
 * been found, so that who has waited for long may wait half as long again. The longest sleep is
 * POLL_SLEEP_LOOKS times what a look takes of the processor, which the thread measures, so that
 * pollers who find nothing take half a thousandth of it on a slow machine as on a fast one.
 *
 * Threads. The engine's thread alone calls the kind's functions, except reserve(), and alone calls
 * sources' functions and release(). Everything in struct vdf_engine below `lock`, and the engine's
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
#define VDF_SOURCE_ARM 0x04u      /* work: make the request; of a poller: begin to ask it */
#define VDF_SOURCE_FAILED 0x08u   /* work: tell that the request cannot be made any more */
#define VDF_SOURCE_FLYING 0x10u   /* a request is with the kind or the kernel */
#define VDF_SOURCE_CANCELED 0x20u /* the kernel has been asked to give the request back */
#define VDF_SOURCE_RUNNING 0x40u  /* timer: in the list of those that run */

#define VDF_ENGINE_FOREVER UINT64_MAX /* ns */

struct vdf_engine_ops {
    const char *name;
    size_t request_size; /* bytes that a watched source's `op` has, zeroed; 0: none */

    /* Make ready to work, in the engine's thread; return 0 or -errno. */
    int (*open)(struct vdf_engine *engine, struct vdf_err *err);
    /* Give back what open made; nothing but the wake source's request may be in flight. */
    void (*close)(struct vdf_engine *engine);
    /* After the probe, with no request in flight: keep what the next open can go on with, be it in
     * this process or in a child of it; close follows all the same if there is no open. */
    void (*park)(struct vdf_engine *engine);
    /* Room for @n requests at once, from any thread with the lock held; NULL: there always is.
     * Return 0 or -errno. */
    int (*reserve)(struct vdf_engine *engine, unsigned n);
    /* Ask for one event of the source's descriptor. It may be handed to the kernel as late as the
     * next wait(). Return 0, or -EAGAIN to be called again soon. */
    int (*arm)(struct vdf_engine *engine, struct vdf_source *source);
    /* Ask for the request back; it comes through vdf_engine_completed() all the same. Return 0, or
     * -EAGAIN to be called again soon. */
    int (*cancel)(struct vdf_engine *engine, struct vdf_source *source);
    /* Hand over what was asked for, and sleep until something has come back or @timeout_ns have
     * passed; 0: do not sleep. Calls no source. May return early. Return 0, or -errno if the kernel
     * does not let us wait. */
    int (*wait)(struct vdf_engine *engine, uint64_t timeout_ns);
    /* Call vdf_engine_completed() for what has come back. */
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
    struct vdf_source *lists[VDF_SOURCE_KINDS]; /* timers: those that do not run */
    struct vdf_source *timers;                  /* those that run, the earliest first */
    struct vdf_source **timers_end;             /* the last one's `next` */
    struct vdf_source *queue;                   /* work, in order */
    struct vdf_source **queue_end;              /* the last one's `queue_next` */
    unsigned n_sources;                         /* added and not released */
    unsigned n_watched; /* of them, eventfds and descriptors; and the wake */
    /* The thread is in wait(), or on its way; set with the lock held. */
    atomic_bool sleeping;
    bool woken;    /* and will soon leave it */
    bool stopping; /* the thread is to end */
    bool draining; /* nothing can be added any more */

    int refusal; /* -errno of the last request that was refused for good */

    /* The thread's own. */
    struct vdf_source *pollers;   /* that are asked */
    uint64_t found_ns;            /* when one of them last found something, or came */
    uint64_t idle_ns;             /* since then, before the last wait; 0: not long */
    uint64_t look_ns;             /* what a look takes of the processor, smoothed */
    uint64_t weighed_ns;          /* its time that was used at the last sleep; 0: it was none */
    uint64_t weighed_completions; /* and their number then */
    /* Set with the lock held by who gives the thread something to do. */
    atomic_bool asked;

    struct vdf_source wake;
};

/** vdf_engine_completed() - a request came back, with poll(2) events or -errno. Not under the lock.
 */
void vdf_engine_completed(struct vdf_engine *engine, struct vdf_source *source, int result);

/** vdf_engine_refused() - the kernel did not take a request: -EAGAIN and -ENOMEM have it made again
 * soon, any other -errno ends the source's watch. Not under the lock; calls no source. */
void vdf_engine_refused(struct vdf_engine *engine, struct vdf_source *source, int result);

/** vdf_engine_rearm_all() - all requests were lost: have them made again. Not under the lock. */
void vdf_engine_rearm_all(struct vdf_engine *engine);

#endif
