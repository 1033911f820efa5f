/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Locks, and the one order in which a thread takes them.
 *
 * A thread takes a lock only while all locks that it holds have a lower rank. Builds with
 * VDF_LOCK_CHECKS assert that at each lock, whether or not another thread is there to deadlock with.
 */
#ifndef VIRTDEVFS_LOCK_H
#define VIRTDEVFS_LOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <time.h>

enum vdf_rank {
    VDF_RANK_STATE_FILE = 1, /* an open `state`: its text, and the state being written */
    VDF_RANK_TREE,           /* shared by threads inside a device, exclusive for the whole tree */
    VDF_RANK_ROOT,           /* the root: the lists of devices */
    VDF_RANK_DEVICE,         /* a device: its objects, private structures and waiters */
    VDF_RANK_NODES,          /* fs/fuse: nodes, open handles, drops of the kernel's cache */
    VDF_RANK_RINGS,          /* fs/fuse: the servers' start, and which entry has which request */
    VDF_RANK_REPLIES,        /* fs/fuse: replies that wait for a server */
    VDF_RANK_HOST,           /* backends: iommufd contexts, listening sockets, imported memory */
    VDF_RANK_ENGINE,         /* the engine: its lists of sources */
    VDF_RANK_FOREIGN,        /* backends/engine: signals to and closes for other processes */
    VDF_RANK_ERRORS,         /* the lines of `errors` */
    VDF_RANKS,
};

struct vdf_lock {
    pthread_mutex_t mutex;
    enum vdf_rank rank;
};

#define VDF_LOCK_INIT(rank_)                                 \
    {                                                        \
        .mutex = PTHREAD_MUTEX_INITIALIZER, .rank = (rank_), \
    }

/* The ranks of the locks that the thread holds, one bit each: no rank is held twice. Always 0 in builds
 * without VDF_LOCK_CHECKS. */
extern _Thread_local unsigned vdf_ranks_held;

#ifdef VDF_LOCK_CHECKS
/** vdf_rank_take(), vdf_rank_leave() - note that the thread takes or releases a lock of @rank; for locks
 *  that are no struct vdf_lock. */
void vdf_rank_take(enum vdf_rank rank);
void vdf_rank_leave(enum vdf_rank rank);
/** vdf_rank_below() - assert that the thread holds no lock of @rank or above. */
void vdf_rank_below(enum vdf_rank rank);
#else
static inline void vdf_rank_take(enum vdf_rank rank)
{
}

static inline void vdf_rank_leave(enum vdf_rank rank)
{
}

static inline void vdf_rank_below(enum vdf_rank rank)
{
}
#endif

static inline void vdf_lock_init(struct vdf_lock *lock, enum vdf_rank rank)
{
    pthread_mutex_init(&lock->mutex, NULL);
    lock->rank = rank;
}

static inline void vdf_lock_destroy(struct vdf_lock *lock)
{
    pthread_mutex_destroy(&lock->mutex);
}

static inline void vdf_lock(struct vdf_lock *lock)
{
    vdf_rank_take(lock->rank);
    pthread_mutex_lock(&lock->mutex);
}

static inline void vdf_unlock(struct vdf_lock *lock)
{
    pthread_mutex_unlock(&lock->mutex);
    vdf_rank_leave(lock->rank);
}

/** vdf_lock_try() - as vdf_lock(), without waiting. Return: is it held? */
static inline bool vdf_lock_try(struct vdf_lock *lock)
{
    vdf_rank_take(lock->rank);
    if (pthread_mutex_trylock(&lock->mutex) == 0)
        return true;
    vdf_rank_leave(lock->rank);
    return false;
}

/** vdf_lock_deadline() - the time @ns from now, @ns being less than a second, for vdf_lock_until(). */
static inline struct timespec vdf_lock_deadline(long ns)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    t.tv_nsec += ns;
    t.tv_sec += t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    return t;
}

/** vdf_lock_until() - as vdf_lock(), and give up at @until (CLOCK_REALTIME). Return: is it held? */
static inline bool vdf_lock_until(struct vdf_lock *lock, const struct timespec *until)
{
    vdf_rank_take(lock->rank);
    if (pthread_mutex_timedlock(&lock->mutex, until) == 0)
        return true;
    vdf_rank_leave(lock->rank);
    return false;
}

#endif
