/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Classes of objects, and components: the classes of the devices. */
#ifndef VIRTDEVFS_CLASS_H
#define VIRTDEVFS_CLASS_H

#include <virtdevfs/table.h>

struct vdf_guest_ops;
struct vdf_probe_part;

/* Every private structure begins with this. */
struct vdf_priv {
    struct vdf_obj *obj; /* the tree keeps it right */
    /* The party that answers for the object, chosen by the component; NULL: the rows themselves. */
    const struct vdf_backend *backend;
};

/* One of several parties that can answer for an object: a kernel's device, a driver of the model, a
 * kind of hardware. A component's own operations follow this in a structure of the component. */
struct vdf_backend {
    const char *name; /* a word of the row that chooses the backend */
    /* One for each row of the class, in the order of the rows; NULL: all rows answer themselves. */
    const struct vdf_hooks *hooks;
};

/* The members that every class has: its names, the type of its private structure, its rows. */
#define VDF_CLASS(name_, title_, type, rows)             \
    .name = (name_), .title = (title_), .attrs = (rows), \
    .n_attrs = sizeof(rows) / sizeof((rows)[0]), .priv_size = sizeof(type)

struct vdf_class {
    const char *name;  /* "console", "port" */
    const char *title; /* for the manual: "virtio-console" */
    const struct vdf_attr *attrs;
    size_t n_attrs;
    size_t priv_size; /* bytes; zeroed and with the rows' resets before create */

    /* Fill in a new object, which is not in the tree yet and gets no vdf_async here. A create that
     * fails leaves nothing behind: destroy is not called. */
    int (*create)(struct vdf_obj *obj, struct vdf_err *err);
    /* Release everything that create and the rows acquired. */
    void (*destroy)(struct vdf_obj *obj);
    /* A state has set all rows, and the objects below are complete: rebuild derived values, and refuse
     * values that contradict each other. Children come first. */
    int (*restored)(struct vdf_obj *obj, struct vdf_err *err);
    /* The object has entered the tree, by mkdir (@fresh) or by a restore, or is about to leave. start
     * makes the vdf_async and stop frees them, also after a start that has failed. Those that adopt
     * hands on, so that a restore needs no descriptors, are freed in destroy. */
    int (*start)(struct vdf_obj *obj, bool fresh, struct vdf_err *err);
    void (*stop)(struct vdf_obj *obj);
    /* A timer whose time follows from the private structure: nanoseconds until on_timer() is to be called,
     * UINT64_MAX: never. The tree asks after each change of the device. NULL: there is none. */
    uint64_t (*timer_due)(const void *priv);
    void (*on_timer)(struct vdf_obj *obj);
    /* rmdir: refuse (EBUSY), or do what the removal means to the rest of the device. */
    int (*remove)(struct vdf_obj *obj, struct vdf_err *err);
    /* A restore has replaced the private structure @old by @now: move values that are no state, such
     * as counts of open files, to @now. The tree moves logs and mapped memory. */
    void (*adopt)(struct vdf_obj *obj, void *old, void *now);

    /* For devices that use other devices; exclusive. disconnect comes before a restore of the device or
     * of the root replaces anything and before all devices are removed, connect when all restored
     * devices are in their places. */
    void (*disconnect)(struct vdf_obj *obj);
    void (*connect)(struct vdf_obj *obj);
    /* A state of the device, of several devices or of the root is about to be read (@begin), or has been
     * read; of the latter two the calls are exclusive. Changes are reported with vdf_obj_touched(). */
    void (*saving)(struct vdf_obj *obj, bool begin);
    bool exclusive; /* rmdir runs while no other thread is inside any device */
    bool no_state;  /* a device without a `state` file; the root's has it */

    /* The guest's side of an object that can be attached (guest.h); NULL: no object can. */
    const struct vdf_guest_ops *guest;
};

/* One directory of the root: backends/NAME, which defines vdf_NAME_component. */
struct vdf_component {
    const struct vdf_class *cls; /* name: the directory's */
    const char *default_name;    /* the object of a plain mount: "con0"; NULL: it has none */
    /* Make the default object ready to use, after create and before start; NULL: as mkdir. */
    int (*prepare)(struct vdf_obj *obj, struct vdf_err *err);
    /* The report of `--probe` on the host's part (probe.h); NULL: the component uses nothing of the
     * host. */
    const struct vdf_probe_part *probe;
};

/** The components of a program, in the order of the directories; ends with NULL. The build makes
 * the list from the folders of backends/. */
extern const struct vdf_component *const vdf_components[];

#endif
