/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Waiting: functions that the engine calls for an object.
 *
 * A function runs in the engine's thread with the lock of the object's device held, and returns
 * whether the device has changed. No call begins after vdf_async_free(). A source that cannot be made
 * is NULL, with errno set: ENOMEM, or the engine's reason (engine.h).
 */
#ifndef VIRTDEVFS_ASYNC_H
#define VIRTDEVFS_ASYNC_H

#include <virtdevfs/object.h>

struct vdf_async;
/* @ctx: the context that was registered with the function; @value: see each kind */
typedef bool (*vdf_async_fn)(struct vdf_obj *obj, void *ctx, uint64_t value);

/** vdf_async_eventfd() - call @fn with the counter of an eventfd(2). The engine watches a duplicate of
 *  @fd; the caller may close @fd at any time. */
struct vdf_async *vdf_async_eventfd(struct vdf_obj *obj, vdf_async_fn fn, void *ctx, int fd);
/** vdf_async_fd() - call @fn with the poll(2) events of @fd that are ready, of those in @events and
 *  POLLERR and POLLHUP; the engine watches a duplicate. */
struct vdf_async *vdf_async_fd(struct vdf_obj *obj, vdf_async_fn fn, void *ctx, int fd,
                               uint32_t events);
/** vdf_async_timer() - a timer, set by vdf_async_set(). */
struct vdf_async *vdf_async_timer(struct vdf_obj *obj, vdf_async_fn fn, void *ctx);
/** vdf_async_set() - run the timer's function in @delay_ns nanoseconds; replaces an earlier one. */
void vdf_async_set(struct vdf_async *async, uint64_t delay_ns);
/** vdf_async_poller() - call @fn again and again: without sleeping while any poller returns true, and
 *  every 20 to 500 ms when none has for some time (engine.h). The value is that time in nanoseconds,
 *  or 0 below 50 microseconds. */
struct vdf_async *vdf_async_poller(struct vdf_obj *obj, vdf_async_fn fn, void *ctx);
struct vdf_signal;
/** vdf_async_signal() - a handle for signalling an eventfd of another process (foreign.h), which the
 *  caller closes. NULL with errno set on failure. */
struct vdf_signal *vdf_async_signal(struct vdf_obj *obj, int fd);
/**
 * vdf_sync_mapped() - collect the stores of processes through mappings of a VDF_MAP row that has
 * hooks instead of memory. Called from a vdf_async function. The stores arrive as writes before the
 * function is called the next time.
 */
void vdf_sync_mapped(struct vdf_obj *obj, const struct vdf_attr *attr);
/** vdf_async_free() - end a source at once, under the device's lock. NULL is allowed. */
void vdf_async_free(struct vdf_async *async);

#endif
