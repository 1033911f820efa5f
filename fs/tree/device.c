/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A device's lock, the waiters for its changes, and the engine's callbacks for it. */
#include <errno.h>
#include <stdlib.h>

#include <virtdevfs/foreign.h>

#include "errors.h"

void vdf_device_enter(struct vdf_device *device)
{
    atomic_fetch_add_explicit(&device->entering, 1, memory_order_relaxed);
    vdf_rank_take(VDF_RANK_TREE);
    pthread_rwlock_rdlock(&device->tree->lock);
    vdf_lock(&device->lock);
    atomic_fetch_sub_explicit(&device->entering, 1, memory_order_relaxed);
}

void vdf_device_check_waiters(struct vdf_device *device, struct vdf_waiter **done)
{
    bool progress;

    /* A waiter that succeeds may make room for another waiter. */
    do {
        progress = false;
        for (struct vdf_waiter *w = device->waiters, *next; w; w = next) {
            next = w->next;
            bool ready = w->ready(w);
            progress |= ready || w->progress;
            w->progress = false;
            if (!ready)
                continue;
            vdf_waiter_remove(device, w);
            w->next = *done;
            *done = w;
        }
    } while (progress);
    if (device->edge || device->watched_gone)
        device->tree->edge_ops->changed(device->tree->edge, device);
}

void vdf_waiters_finish(struct vdf_waiter *done)
{
    vdf_rank_below(VDF_RANK_TREE);
    while (done) {
        struct vdf_waiter *next = done->next;
        done->finish(done);
        done = next;
    }
}

void vdf_device_changed(struct vdf_device *device)
{
    struct vdf_tree *tree = device->tree;

    vdf_obj_drive(device);
    device->generation++;
    atomic_fetch_add(&tree->generation, 1);
    clock_gettime(CLOCK_REALTIME, &device->changed);
    /* A change of the root itself already checks the root's waiters. */
    if (atomic_load(&tree->state_polled) && device != tree->root->device &&
        atomic_exchange(&tree->state_polled, false))
        atomic_store(&tree->root_news, true);
}

void vdf_device_leave(struct vdf_device *device, bool changed)
{
    struct vdf_tree *tree = device->tree;
    struct vdf_waiter *done = NULL;

    changed |= device->touched;
    device->touched = false;
    if (changed) {
        vdf_device_changed(device);
        vdf_device_check_waiters(device, &done);
    }
    vdf_unlock(&device->lock);
    pthread_rwlock_unlock(&tree->lock);
    vdf_rank_leave(VDF_RANK_TREE);
    vdf_waiters_finish(done);
    vdf_errors_publish(tree);
}

/* --- exclusive access, and threads of components ---------------------------------------------- */

void vdf_tree_enter_exclusive(struct vdf_tree *tree)
{
    vdf_rank_take(VDF_RANK_TREE);
    pthread_rwlock_wrlock(&tree->lock);
}

static void check_touched(struct vdf_device *device, struct vdf_waiter **done)
{
    if (!device->touched)
        return;
    device->touched = false;
    vdf_device_changed(device);
    vdf_device_check_waiters(device, done);
}

void vdf_tree_leave_exclusive(struct vdf_tree *tree, struct vdf_waiter *done)
{
    check_touched(tree->root->device, &done);
    for (struct vdf_obj *obj = tree->root->children; obj; obj = obj->next)
        check_touched(obj->device, &done);
    pthread_rwlock_unlock(&tree->lock);
    vdf_rank_leave(VDF_RANK_TREE);
    vdf_waiters_finish(done);
    vdf_errors_publish(tree);
}

void vdf_obj_touched(struct vdf_obj *obj)
{
    obj->device->touched = true;
}

#define STOP_CHECK_NS 2000000 /* between two checks of @stop */
#define LET_IN_NS 200000      /* for other threads, after a wait for exclusive access */

/* Most often no other thread is inside, and there is no need to look at the time. */
static bool try_enter(struct vdf_device *device)
{
    struct vdf_tree *tree = device->tree;

    vdf_rank_take(VDF_RANK_TREE);
    if (pthread_rwlock_tryrdlock(&tree->lock) == 0) {
        if (vdf_lock_try(&device->lock))
            return true;
        pthread_rwlock_unlock(&tree->lock);
    }
    vdf_rank_leave(VDF_RANK_TREE);
    return false;
}

/* A thread that sets @stop waits for the caller, perhaps with these locks held. */
bool vdf_obj_enter(struct vdf_obj *obj, const atomic_bool *stop)
{
    struct vdf_device *device = obj->device;
    struct vdf_tree *tree = device->tree;
    bool entered = false;

    if (!atomic_load(stop) && try_enter(device))
        return true;
    atomic_fetch_add_explicit(&device->entering, 1, memory_order_relaxed);
    while (!entered && !atomic_load(stop)) {
        struct timespec until = vdf_lock_deadline(STOP_CHECK_NS);
        vdf_rank_take(VDF_RANK_TREE);
        if (pthread_rwlock_timedrdlock(&tree->lock, &until) != 0) {
            vdf_rank_leave(VDF_RANK_TREE);
            continue;
        }
        until = vdf_lock_deadline(STOP_CHECK_NS);
        entered = vdf_lock_until(&device->lock, &until);
        if (!entered) {
            pthread_rwlock_unlock(&tree->lock);
            vdf_rank_leave(VDF_RANK_TREE);
        }
    }
    atomic_fetch_sub_explicit(&device->entering, 1, memory_order_relaxed);
    return entered;
}

void vdf_obj_leave(struct vdf_obj *obj, bool changed, const atomic_bool *stop)
{
    struct vdf_tree *tree = obj->device->tree;

    vdf_device_leave(obj->device, changed);
    if (tree->edge_ops)
        tree->edge_ops->settle(tree->edge, stop);
}

/* A waiting writer keeps readers out. The thread inside may stay for long, so that the wait has pauses,
 * in which other threads reach other devices. */
bool vdf_obj_enter_exclusive(struct vdf_obj *obj, const atomic_bool *stop)
{
    struct vdf_tree *tree = obj->device->tree;

    while (!atomic_load(stop)) {
        struct timespec until = vdf_lock_deadline(STOP_CHECK_NS);
        vdf_rank_take(VDF_RANK_TREE);
        if (pthread_rwlock_timedwrlock(&tree->lock, &until) == 0)
            return true;
        vdf_rank_leave(VDF_RANK_TREE);
        nanosleep(&(struct timespec){ .tv_nsec = LET_IN_NS }, NULL);
    }
    return false;
}

void vdf_obj_leave_exclusive(struct vdf_obj *obj, const atomic_bool *stop)
{
    struct vdf_tree *tree = obj->device->tree;

    vdf_tree_leave_exclusive(tree, NULL);
    if (tree->edge_ops)
        tree->edge_ops->settle(tree->edge, stop);
}

void vdf_waiter_add(struct vdf_device *device, struct vdf_waiter *waiter)
{
    waiter->next = NULL;
    waiter->prev = device->last_waiter;
    *device->last_waiter = waiter;
    device->last_waiter = &waiter->next;
}

bool vdf_waiter_remove(struct vdf_device *device, struct vdf_waiter *waiter)
{
    if (!waiter->prev)
        return false;
    *waiter->prev = waiter->next;
    if (waiter->next)
        waiter->next->prev = waiter->prev;
    else
        device->last_waiter = waiter->prev;
    waiter->next = NULL;
    waiter->prev = NULL;
    return true;
}

/* --- vdf_async -------------------------------------------------------------------------------- */

struct vdf_async {
    struct vdf_source source; /* first: the engine's pointer is this one */
    struct vdf_obj *obj;      /* referenced */
    vdf_async_fn fn;
    void *ctx;                      /* of fn */
    bool ended;                     /* under the device's lock */
    struct vdf_async *next, **prev; /* in obj->asyncs until it has ended */
};

static void async_release(struct vdf_source *source)
{
    struct vdf_async *async = (struct vdf_async *)source;

    vdf_obj_unref(async->obj);
    free(async);
}

/* Return: has the callback done anything? */
static bool call(struct vdf_source *source, uint64_t value)
{
    struct vdf_async *async = (struct vdf_async *)source;
    struct vdf_device *device = async->obj->device;

    vdf_device_enter(device);
    bool changed = !async->ended && async->fn(async->obj, async->ctx, value);
    struct vdf_obj *sync_obj = device->sync_obj;
    const struct vdf_attr *sync_attr = device->sync_attr;
    device->sync_obj = NULL;
    vdf_device_leave(device, changed);

    /* Without the lock: another thread writes the mapped pages to this device. */
    if (sync_obj && device->tree->edge_ops)
        device->tree->edge_ops->write_back(device->tree->edge, sync_obj, sync_attr);
    bool done = changed || sync_obj;
    vdf_obj_unref(sync_obj);
    return done;
}

static void async_call(struct vdf_source *source, uint64_t value)
{
    call(source, value);
}

void vdf_sync_mapped(struct vdf_obj *obj, const struct vdf_attr *attr)
{
    struct vdf_device *device = obj->device;

    if (device->sync_obj)
        return;
    device->sync_obj = vdf_obj_ref(obj);
    device->sync_attr = attr;
}

/* Mutexes are not fair: a poller, which takes the lock again at once, would starve other threads. */
static bool poller_call(struct vdf_source *source, uint64_t idle_ns)
{
    struct vdf_async *async = (struct vdf_async *)source;

    if (!idle_ns && atomic_load_explicit(&async->obj->device->entering, memory_order_relaxed) > 0)
        return false;
    return call(source, idle_ns);
}

static struct vdf_async *new_async(struct vdf_obj *obj, vdf_async_fn fn, void *ctx)
{
    struct vdf_async *async = calloc(1, sizeof(*async));
    if (!async)
        return NULL;
    async->source.fn = async_call;
    async->source.release = async_release;
    async->obj = vdf_obj_ref(obj);
    async->fn = fn;
    async->ctx = ctx;
    async->next = obj->asyncs;
    async->prev = &obj->asyncs;
    if (async->next)
        async->next->prev = &async->next;
    obj->asyncs = async;
    return async;
}

/* In a tree without an engine nothing calls the source. */
static struct vdf_async *added(struct vdf_async *async, int ret)
{
    if (ret == 0)
        return async;
    async->source.engine = NULL;
    vdf_async_free(async);
    errno = -ret;
    return NULL;
}

struct vdf_async *vdf_async_eventfd(struct vdf_obj *obj, vdf_async_fn fn, void *ctx, int fd)
{
    struct vdf_engine *engine = obj->device->tree->engine;
    struct vdf_async *async = new_async(obj, fn, ctx);

    if (!async || !engine)
        return async;
    return added(async, vdf_engine_add_eventfd(engine, &async->source, fd));
}

struct vdf_async *vdf_async_fd(struct vdf_obj *obj, vdf_async_fn fn, void *ctx, int fd,
                               uint32_t events)
{
    struct vdf_engine *engine = obj->device->tree->engine;
    struct vdf_async *async = new_async(obj, fn, ctx);

    if (!async || !engine)
        return async;
    return added(async, vdf_engine_add_fd(engine, &async->source, fd, events));
}

struct vdf_async *vdf_async_timer(struct vdf_obj *obj, vdf_async_fn fn, void *ctx)
{
    struct vdf_engine *engine = obj->device->tree->engine;
    struct vdf_async *async = new_async(obj, fn, ctx);

    if (!async || !engine)
        return async;
    return added(async, vdf_engine_add_timer(engine, &async->source));
}

void vdf_async_set(struct vdf_async *async, uint64_t delay_ns)
{
    if (async->obj->device->tree->engine)
        vdf_engine_set_timer(&async->source, delay_ns);
}

struct vdf_async *vdf_async_poller(struct vdf_obj *obj, vdf_async_fn fn, void *ctx)
{
    struct vdf_engine *engine = obj->device->tree->engine;
    struct vdf_async *async = new_async(obj, fn, ctx);

    if (!async || !engine)
        return async;
    async->source.poll = poller_call;
    return added(async, vdf_engine_add_poller(engine, &async->source));
}

struct vdf_signal *vdf_async_signal(struct vdf_obj *obj, int fd)
{
    struct vdf_signal *signal;
    int ret = vdf_signal_open(obj->device->tree->engine, fd, &signal);

    if (ret)
        errno = -ret;
    return signal;
}

void vdf_async_free(struct vdf_async *async)
{
    if (!async)
        return;
    async->ended = true;
    *async->prev = async->next;
    if (async->next)
        async->next->prev = async->prev;
    if (async->source.engine)
        vdf_engine_remove(&async->source);
    else
        async_release(&async->source);
}
