/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tree: the root, the devices below it, and their locks.
 *
 * The threads of FUSE, of the engine and of guests' processors call in here. lock.h has the order of
 * the locks, and HACKING.md describes what each protects.
 */
#ifndef VDF_TREE_H
#define VDF_TREE_H

#include <virtdevfs/engine.h>
#include <virtdevfs/log.h>

#include "object.h"

#define VDF_ERRORS_KEPT 256
/* Of these, routine ones, so that copying the tree does not push out other refusals. */
#define VDF_ERRORS_ROUTINE 32

struct vdf_error_line {
    char *text; /* with its newline */
    bool routine;
};

/* The private structure of the root. */
struct vdf_root {
    struct vdf_priv priv;
    struct vdf_log errors_log;
};

/* Notices from the tree to the layer above, which serves its files to processes. */
struct vdf_edge_ops {
    /* Have the stores that processes made through mappings of a row arrive as writes. Blocks; no
     * lock is held. */
    void (*write_back)(void *edge, const struct vdf_obj *obj, const struct vdf_attr *attr);
    /* A device with a record of the edge, or with `watched_gone`, has changed. Its lock is held. */
    void (*changed)(void *edge, struct vdf_device *device);
    /* Return when no process can read a value from before the last change any longer, or when
     * @stop is set. No lock is held. */
    void (*settle)(void *edge, const atomic_bool *stop);
    /* How requests arrive, for `engine/transport`. */
    const char *(*transport)(void *edge);
};

struct vdf_tree {
    pthread_rwlock_t lock;
    struct vdf_table *tables;
    struct vdf_obj *root;
    const struct vdf_edge_ops *edge_ops; /* NULL: nothing stands above the tree (tests) */
    void *edge;                          /* their first argument */
    struct vdf_engine *engine; /* NULL: nothing asynchronous happens (tests without one) */
    const struct vdf_component *const *components; /* NULL-terminated */
    struct vdf_class root_class;
    struct vdf_attr *root_attrs;
    struct vdf_objects *root_objects;
    atomic_ullong generation; /* counts changes of any device */

    struct vdf_lock errors_lock;
    struct vdf_error_line errors[VDF_ERRORS_KEPT]; /* oldest first */
    unsigned errors_count, errors_routine;
    unsigned errors_new;      /* the newest of these, which are not yet in the log */
    uint64_t errors_missed;   /* lines that were removed before they reached the log */
    atomic_bool root_news;    /* the root's waiters have to be checked */
    atomic_bool state_polled; /* a poll of `state` waits for the next change of any device */
    atomic_uint n_holds;      /* open files of all devices that may be mapped */
};

/**
 * vdf_tree_create() - a tree with the root and no devices.
 * @components: NULL-terminated, outlives the tree
 * @engine:     for vdf_async; NULL for none
 */
int vdf_tree_create(const struct vdf_component *const *components, struct vdf_engine *engine,
                    struct vdf_tree **tree, struct vdf_err *err);
/** vdf_tree_set_edge() - the layer above begins or, with NULL, ends to serve the tree. No other
 * thread is in the tree. */
void vdf_tree_set_edge(struct vdf_tree *tree, const struct vdf_edge_ops *ops, void *edge);
/** vdf_tree_add_defaults() - the devices of a plain mount, one of each component. */
int vdf_tree_add_defaults(struct vdf_tree *tree, struct vdf_err *err);
/** vdf_tree_remove_all() - remove every device and answer all waiters, as before unmounting. */
void vdf_tree_remove_all(struct vdf_tree *tree);
/** vdf_tree_destroy() - free everything; files must be closed and the engine stopped. */
void vdf_tree_destroy(struct vdf_tree *tree);

/** vdf_tree_enter_exclusive() - keep other threads out of all devices; waits for those inside. */
void vdf_tree_enter_exclusive(struct vdf_tree *tree);
/** vdf_tree_leave_exclusive() - check the waiters of touched devices, and let other threads in.
 *  @done: waiters whose wait is over already. */
void vdf_tree_leave_exclusive(struct vdf_tree *tree, struct vdf_waiter *done);

#endif
