/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Devices: their lock, and the waiters for their changes. */
#ifndef VDF_DEVICE_H
#define VDF_DEVICE_H

#include <stdatomic.h>
#include <time.h>
#include <virtdevfs/component.h>
#include <virtdevfs/lock.h>

#include "crc.h"

struct vdf_tree;

struct vdf_waiter {
    struct vdf_waiter *next, **prev; /* in device->waiters while it waits */
    /* Lock held: try again. Return: is the wait over? */
    bool (*ready)(struct vdf_waiter *waiter);
    bool progress; /* set by ready(): the waiter still waits, but has changed the device */
    /* After ready() was true: answer, and free the waiter. Only an open state's lock may be held. */
    void (*finish)(struct vdf_waiter *waiter);
};

struct vdf_device {
    struct vdf_lock lock;
    struct vdf_tree *tree;
    uint64_t generation;     /* counts changes */
    struct timespec changed; /* time of the last one */
    struct vdf_waiter *waiters, **last_waiter;
    struct vdf_obj *sync_obj; /* of vdf_sync_mapped(), until the lock is released; referenced */
    const struct vdf_attr *sync_attr;
    /* The checksum of the device's sections in a state, when they were measured last. */
    bool summed;
    uint64_t summed_generation;
    struct vdf_crc sum;
    void *edge;        /* struct vdf_edge_ops: its record of the device; NULL: it watches nothing */
    bool watched_gone; /* an object with `edge_watches` has died; cleared by the edge */
    atomic_uint entering;   /* threads that wait for the lock: pollers let them go first */
    bool touched;           /* vdf_obj_touched() */
    struct vdf_obj *driven; /* the started objects whose lines and timers the tree drives */
};

void vdf_device_enter(struct vdf_device *device);
/** vdf_device_leave() - unlock; if @changed, first check all waiters. */
void vdf_device_leave(struct vdf_device *device, bool changed);
/** vdf_device_changed() - lock held: count a change and its time. */
void vdf_device_changed(struct vdf_device *device);
/** vdf_device_check_waiters() - lock held: move the waiters whose wait is over to @done. */
void vdf_device_check_waiters(struct vdf_device *device, struct vdf_waiter **done);
void vdf_waiters_finish(struct vdf_waiter *done);
void vdf_waiter_add(struct vdf_device *device, struct vdf_waiter *waiter);
/** vdf_waiter_remove() - lock held. Return: was it still waiting? */
bool vdf_waiter_remove(struct vdf_device *device, struct vdf_waiter *waiter);

#endif
