/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Objects: their life, and their places below each other. */
#ifndef VDF_OBJECT_H
#define VDF_OBJECT_H

#include "device.h"
#include "table.h"

struct vdf_tree;

struct vdf_obj {
    const struct vdf_class *cls;
    const struct vdf_table *table;
    const struct vdf_attr *row; /* VDF_OBJECTS row of the parent; NULL for the root */
    struct vdf_obj *parent;     /* referenced */
    struct vdf_device
        *device; /* own for a device, else the device's; freed with the device object */
    void *priv;  /* freed when the object dies */
    atomic_uint refs;
    bool edge_watches;            /* the edge asks to hear of the object's death */
    atomic_bool dead;             /* removed: every operation answers ENODEV */
    atomic_bool live;             /* vdf_obj_set_live() */
    bool started;                 /* linked into the tree, start() was called */
    bool named;                   /* while a state is loaded: it has a section there */
    unsigned holds;               /* open files that keep it from being removed */
    unsigned uses;                /* guests that it is attached to; the same */
    struct vdf_open_count *opens; /* of raw files whose rows want to know */
    struct vdf_obj *next, **prev; /* among the parent's children, oldest first */
    struct vdf_obj *children, **last_child;
    struct vdf_obj *hash_next;
    struct vdf_obj **buckets; /* of the children, by row and name; at first &only_bucket */
    struct vdf_obj *only_bucket;
    unsigned n_buckets, n_children;
    struct vdf_async *asyncs;
    struct vdf_async *timer;     /* of a class with `timer_due`, while the object is started */
    struct vdf_obj *driven_next; /* in device->driven */
    char name[VDF_NAME_MAX + 1];
};

struct vdf_obj *vdf_obj_ref(struct vdf_obj *obj);
void vdf_obj_unref(struct vdf_obj *obj);

/** vdf_obj_create() - a new, unlinked object: private structure, resets, create. One reference. A
 *  device (its parent is the root) gets a lock of its own. */
int vdf_obj_create(struct vdf_tree *tree, struct vdf_obj *parent, const struct vdf_attr *row,
                   const char *name, struct vdf_obj **obj, struct vdf_err *err);
/** vdf_obj_link() - add the object to its parent's list, which takes over the reference. */
void vdf_obj_link(struct vdf_obj *obj);
void vdf_obj_unlink(struct vdf_obj *obj);
int vdf_obj_start(struct vdf_obj *obj, bool fresh, struct vdf_err *err);
void vdf_obj_stop(struct vdf_obj *obj);
/** vdf_obj_kill() - stop, mark dead, destroy; children first. The lock of its device is held. */
void vdf_obj_kill(struct vdf_obj *obj);
/** vdf_obj_move() - hand an unlinked object and all below it to another parent and device. */
void vdf_obj_move(struct vdf_obj *obj, struct vdf_obj *parent);
struct vdf_obj *vdf_obj_find(const struct vdf_obj *parent, const struct vdf_attr *row,
                             const char *name);
/** vdf_guest_adopt() - a restore has replaced the private structure @old: its guest stays attached. */
void vdf_guest_adopt(struct vdf_obj *obj, void *old);
/** vdf_guest_drive() - bring the line of the object's guest to its level. */
void vdf_guest_drive(struct vdf_obj *obj);
/** vdf_obj_drive() - the same for all objects of the device with a `line`, and set their timers. */
void vdf_obj_drive(const struct vdf_device *device);
/** vdf_obj_held() - is a file open that keeps the object, or one below it, from being removed? */
bool vdf_obj_held(const struct vdf_obj *obj);
/** vdf_obj_used() - is the object, or one below it, attached to a guest? */
bool vdf_obj_used(const struct vdf_obj *obj);
static inline bool vdf_obj_is_device(const struct vdf_obj *obj)
{
    return obj->parent && !obj->parent->parent;
}

/** vdf_obj_sort() - the order of state files: by row, and in natural order (numbers by value). */
void vdf_obj_sort(struct vdf_obj **list, size_t n);
/* The n_children children in that order; the array is malloc'ed. -ENOMEM. */
int vdf_obj_sorted(const struct vdf_obj *parent, struct vdf_obj ***list);

#endif
