/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The contract between the tree and the emulated devices.
 *
 * A component (`console`, `aplic`, ...) is a class of objects. A class has one table of attributes;
 * the table is the only place where a register is described. From it come file names and modes, the
 * text and the raw access, guest MMIO, the state files, the lines in `/errors` and the manual.
 *
 *     struct vdf_class    "console": a table, and hooks for the life of an object
 *       struct vdf_attr   one row: "queues/#/size", its type, width, access, hooks, one line of doc
 *     struct vdf_obj      an instance in the tree: console/con0, console/con0/ports/3
 *       private structure the state of the instance, owned by the component
 *     struct vdf_at       what a hook is called for: object, row, and the values of the row's '#'
 *
 * Locks and threads. The objects directly below the root are devices; a device has one lock for
 * itself and all below it. Every hook of a class, a row, a stream, a raw file and every vdf_async
 * function is called with that lock held, and may not block, may not wait, and may touch no other
 * device. Components take no locks. After a hook that may have changed something the tree looks
 * again at all that watches the device (blocked readers and writers, poll(2), POLLPRI, mtimes), so
 * a component never wakes anybody itself.
 *
 * Restoring. A state is first built into a new, unlinked device (create, the rows, restored). Only
 * when all of that has succeeded the private structures of the objects change places with those of
 * the device in the tree, so `priv->obj` always leads to the object that the structure belongs to
 * now. Between create and start, and after stop, an object is unlinked: it has no vdf_async.
 */
#ifndef VIRTDEVFS_COMPONENT_H
#define VIRTDEVFS_COMPONENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <virtdevfs/buf.h>
#include <virtdevfs/error.h>
#include <virtdevfs/log.h>
#include <virtdevfs/memory.h>

struct vdf_obj;
struct vdf_attr;
struct vdf_class;
struct vdf_guest_ops;
struct vdf_probe_part;

struct vdf_backend;

/* Every private structure begins with this. */
struct vdf_priv {
    struct vdf_obj *obj; /* the tree keeps it right */
    /* The party that answers for the object, chosen by the component; NULL: the rows themselves. */
    const struct vdf_backend *backend;
};

struct vdf_at {
    struct vdf_obj *obj;
    void *priv; /* the object's private structure */
    const struct vdf_attr *attr;
    uint32_t i; /* value of the path's first '#' */
    uint32_t j; /* value of the second */
};

enum vdf_type {
    VDF_REG,     /* hex, zero-padded to `width` */
    VDF_UINT,    /* decimal */
    VDF_BOOL,    /* 0 or 1 */
    VDF_CHOICE,  /* one of `choices`; the number is its index */
    VDF_TEXT,    /* show and store hooks: names, lists, pairs */
    VDF_LOG,     /* stream of lines or records that keeps its last 64 KiB: a struct vdf_log field */
    VDF_STREAM,  /* stream with hooks that hold the writer back */
    VDF_RAW,     /* bytes at offsets: hooks, or a struct vdf_memory field */
    VDF_WINDOW,  /* `regs`: hardware accesses to the rows of a window */
    VDF_OBJECTS, /* directory of objects of another class */
};

/* struct vdf_attr.flags */
#define VDF_R 0x01u /* readable */
#define VDF_W 0x02u /* writable */
#define VDF_RW 0x03u
#define VDF_SAVE 0x04u    /* in `state` */
#define VDF_NO_FILE 0x08u /* not in the tree: a register of a window, or hidden state */
/* VDF_RAW: may be mapped (M): live with memory; with hooks see vdf_sync_mapped(). */
#define VDF_MAP 0x10u
#define VDF_HOLDS 0x20u  /* VDF_RAW: an open file of it makes rmdir answer EBUSY */
#define VDF_FIXED 0x40u  /* VDF_OBJECTS: mkdir and rmdir answer EPERM */
#define VDF_BINARY 0x80u /* VDF_STREAM: records, not text (manual only) */
/* A write is done while nobody is inside any device: it may touch others. */
#define VDF_EXCLUSIVE 0x100u
/* VDF_RAW with memory: not in a state, and a restore leaves it as it is. */
#define VDF_UNSAVED 0x200u
/* A choice of this mount and not of the device's state, such as what stands behind the files: it is
 * not in a state, and who is restored keeps it. It is set before the rows of the state are. */
#define VDF_LOCAL 0x400u
/* A value that may change without a hook of its device having been called: it lies in memory that
 * others write to, or with the kernel. */
#define VDF_LIVE 0x800u
/* VDF_TEXT: a list. Opened with O_TRUNC and closed without a write it becomes empty. With
 * `check_line`, writes that follow each other are one value, which is stored at the close. */
#define VDF_LIST 0x1000u
/* VDF_TEXT: each line stands for itself, and so do writes that follow each other. */
#define VDF_LINES 0x2000u
/* VDF_RAW: reading it is an access of hardware, which may change the device. */
#define VDF_ACCESS 0x4000u

/* The numbers that a '#' stands for. All zero: the row has no such '#'. */
struct vdf_range {
    uint32_t first;
    uint32_t step;                                  /* 0 means 1 */
    uint32_t count;                                 /* numbers, when fixed */
    uint32_t (*counted)(const void *priv);          /* numbers, when they depend on the object */
    bool (*has)(const void *priv, uint32_t number); /* leaves out some of them; NULL: none */
    /* The first so many, all others have the row's reset value: a state does not look for more.
     * NULL: any may differ. */
    uint32_t (*used)(const void *priv);
    const char *text; /* for the manual: "1..srcs" */
};

/* Streams with back-pressure. Positions and buffers belong to the component. */
struct vdf_stream_ops {
    /* A file was opened for both directions, or one that is open for one of them is read, written
     * or polled for the first time (@flags: O_ACCMODE of open(2)); NULL: allowed. -EAGAIN makes the
     * caller wait until it answers otherwise. */
    int (*open)(const struct vdf_at *at, int flags, struct vdf_err *err);
    /* One was closed; not called for a removed object. */
    void (*close)(const struct vdf_at *at, int flags);
    /* Up to @n bytes; 0: end of file; -EAGAIN: nothing yet; other -errno. @n is at least 1. */
    ssize_t (*read)(const struct vdf_at *at, void *bytes, size_t n, struct vdf_err *err);
    /* Bytes taken, may be fewer than @n; -EAGAIN: no room; other -errno. @n is at least 1. */
    ssize_t (*write)(const struct vdf_at *at, const void *bytes, size_t n, struct vdf_err *err);
    /* poll(2) events that hold now, from POLLIN, POLLOUT, POLLHUP, POLLERR. */
    unsigned (*poll)(const struct vdf_at *at);
};

/* Raw files. With a struct vdf_memory field (`field`) and no hook, the memory is the file. */
struct vdf_raw_ops {
    uint64_t (*size)(const struct vdf_at *at); /* bytes */
    /* @n bytes at @offset, already cut to the size. Return 0 or -errno. */
    int (*read)(const struct vdf_at *at, void *bytes, size_t n, uint64_t offset,
                struct vdf_err *err);
    int (*write)(const struct vdf_at *at, const void *bytes, size_t n, uint64_t offset,
                 struct vdf_err *err);
    /* After the first open file of this row (@open true) or the last close (@open false). */
    void (*opened)(const struct vdf_at *at, bool open);
};

/*
 * Windows: the rows with this `window` number at their `offset` (and `stride` for each '#').
 * vdf_window_read() and vdf_window_write() find the row. A row without these has 4096 bytes, takes
 * accesses of 4 bytes, reads 0 where no register is, and drops writes there.
 */
struct vdf_window_ops {
    uint64_t bytes;                            /* st_size of the file */
    uint64_t (*size)(const struct vdf_at *at); /* the same, where it depends on the object */
    unsigned align; /* accesses of this many bytes; wider rows: their width */
    int miss;       /* positive errno where no row is; 0: reads 0, drops writes */
    bool halves;    /* an aligned access of 4 bytes reaches one half of a row of 8 bytes */
    /* Reads 0 and drops writes at @offset, where no row is, whatever `miss` says; NULL: never. */
    bool (*reserved)(const struct vdf_at *at, uint64_t offset);
    /* Refuses every access while it returns -errno (ENODEV before `init`); NULL: never. */
    int (*ready)(const struct vdf_at *at, struct vdf_err *err);
};

struct vdf_objects {
    const struct vdf_class *cls;
    /* May an object of this (valid, free) name be made now? NULL: yes. */
    int (*allow)(struct vdf_obj *parent, const char *name, struct vdf_err *err);
    const char *text; /* for the manual: "NAME", "0..31" */
};

struct vdf_attr {
    const char *path; /* "aia/mode", "imsic/#/eip/#" */
    enum vdf_type type;
    unsigned flags;  /* VDF_R, VDF_W, ... */
    unsigned width;  /* bytes of the value: 1, 2, 4, 8; also its uAPI type for ERANGE */
    const char *doc; /* one line for the manual */

    struct vdf_range range[2];
    bool (*when)(const void *priv); /* the row exists only while this holds; NULL: always */
    /* The file is there only while this holds too; a state has the row all the same. NULL: always.
     */
    bool (*shown)(const void *priv);
    const char *needs; /* what `when` or `shown` asks for, for those who miss the file */

    /* Where the value lies: an unsigned integer of `width` bytes (bool and enums too), a struct
     * vdf_log or a struct vdf_memory in the private structure. VDF_FIELD() sets has_field, field
     * and width. */
    bool has_field;
    size_t field;
    size_t each; /* bytes between the fields of two numbers of the first '#'; 0: they share one */
    /* The structure that has the field; NULL: the private structure. */
    void *(*locate)(const struct vdf_at *at);
    uint64_t reset; /* value of a field in a new object; not saved for a '#' that has it */
    const char *const *choices; /* NULL-terminated words of a VDF_CHOICE */

    /* The bits of a register. A write of the file or of the window is refused (EINVAL) with a
     * `reserved` bit, and stores to the field all bits but these. */
    const struct vdf_bits *bits; /* the names of all; ends with a NULL name */
    uint64_t ro;                 /* bits that a write leaves as they are */
    uint64_t w1c; /* bits that writing 1 clears; a store to the other half leaves them alone */
    uint64_t reserved;
    /* Other numbers are refused (EINVAL). Both 0: the width is the limit. */
    uint64_t min, max;

    /* Numbers. `get` and `set` stand instead of the field; `check` may refuse before anything else
     * looks at the value and `after` acts when it has been stored. Without any of them the row
     * loads and stores its field. */
    int (*get)(const struct vdf_at *at, uint64_t *value);
    int (*set)(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
    int (*check)(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
    void (*after)(const struct vdf_at *at, uint64_t value);
    /* Text: append the value without the final newline (lists: with newlines between); take one,
     * trimmed of white space around and NUL-terminated. */
    void (*show)(const struct vdf_at *at, struct vdf_buf *out);
    int (*store)(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err);
    /* VDF_LIST: may this line, trimmed and not empty, be in the value? */
    int (*check_line)(const struct vdf_at *at, const char *line, size_t len, struct vdf_err *err);
    /* Restoring. A number is checked as for a write and then stored to its field as it is, without
     * `set` and `after`; a row without a field, and text, is written as its file is. These stand
     * instead: numbers, where vdf_restore_by_write() may be named; text. */
    int (*restore)(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
    int (*restore_text)(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err);
    /* A hardware read with a side effect, through a window only; NULL: as get. */
    int (*read_side)(const struct vdf_at *at, uint64_t *value);

    const struct vdf_stream_ops *stream;
    const struct vdf_raw_ops *raw;
    const struct vdf_window_ops *window_ops; /* VDF_WINDOW */
    const struct vdf_objects *objects;

    unsigned window; /* number of the window that the register lies in; 0: none */
    uint64_t offset; /* bytes from the window's start, for the first number of '#' */
    uint64_t stride; /* bytes between two numbers of the first '#' */
};

/* A field of a register, named as in its specification. */
struct vdf_bits {
    const char *name; /* "IE" */
    unsigned low;     /* its lowest bit */
    unsigned width;   /* bits; 0 means 1 */
    const char *doc;  /* a few words for the manual; NULL: none */
};

/** vdf_restore_by_write() - for `restore`: the same as a write of the file. */
int vdf_restore_by_write(const struct vdf_at *at, uint64_t value, struct vdf_err *err);

/*
 * Hooks that stand instead of a row's field and of its own hooks while something else answers for
 * the object, such as a kernel's device. Members as in struct vdf_attr; NULL: the row's own, but
 * `set` also restores where there is no `restore`. `read` and `write` are for a VDF_WINDOW:
 * accesses of as many bytes as it aligns to, at any offset.
 */
struct vdf_hooks {
    int (*get)(const struct vdf_at *at, uint64_t *value);
    int (*set)(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
    int (*restore)(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
    void (*show)(const struct vdf_at *at, struct vdf_buf *out);
    int (*store)(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err);
    int (*read)(const struct vdf_at *at, uint64_t offset, uint64_t *value, struct vdf_err *err);
    int (*write)(const struct vdf_at *at, uint64_t offset, uint64_t value, struct vdf_err *err);
};

/* One of several parties that can answer for an object: a kernel's device, a driver of the model, a
 * kind of hardware. A component with operations of its own puts this first in their structure. */
struct vdf_backend {
    const char *name; /* the word in the row that chooses it */
    /* For each row of the class, in their order; NULL: all rows answer themselves. */
    const struct vdf_hooks *hooks;
};

#define VDF_REGS 1u /* the window of the file `regs`, which is the guest's too */

/* A plain register of the file `regs`: hexadecimal, written, saved. Its width comes with VDF_FIELD(),
 * or is named. @more: further flags; @text: the line of documentation */
#define VDF_REGISTER(name, at, more, text)                                                    \
    .path = (name), .type = VDF_REG, .flags = VDF_RW | VDF_SAVE | (more), .window = VDF_REGS, \
    .offset = (at), .doc = (text)
/* The file `regs`. */
#define VDF_REGS_ROW                                                             \
    {                                                                            \
        .path = "regs", .type = VDF_WINDOW, .flags = VDF_RW, .window = VDF_REGS, \
        .doc = "the registers, by accesses of their widths",                     \
    }
/* What each class has: its names, the type of its private structure and its rows. */
#define VDF_CLASS(name_, title_, type, rows)             \
    .name = (name_), .title = (title_), .attrs = (rows), \
    .n_attrs = sizeof(rows) / sizeof((rows)[0]), .priv_size = sizeof(type)

#define VDF_FIELD(type, member) \
    .has_field = true, .field = offsetof(type, member), .width = sizeof(((type *)0)->member)
/* An array in the structure, or a member of an array of structures, by the first '#' from 0. */
#define VDF_ARRAY(type, member)                                                                  \
    .has_field = true, .field = offsetof(type, member), .width = sizeof(((type *)0)->member[0]), \
    .each = sizeof(((type *)0)->member[0])
#define VDF_MEMBERS(type, array, member)                                                  \
    .has_field = true,                                                                    \
    .field = offsetof(type, array) + offsetof(__typeof__(((type *)0)->array[0]), member), \
    .width = sizeof(((type *)0)->array[0].member), .each = sizeof(((type *)0)->array[0])

struct vdf_class {
    const char *name;  /* "console", "port" */
    const char *title; /* for the manual: "virtio-console" */
    const struct vdf_attr *attrs;
    size_t n_attrs;
    size_t priv_size; /* bytes; zeroed and with the rows' resets before create */

    /* Fill in a new, unlinked object: no vdf_async here. On failure nothing is left; no destroy. */
    int (*create)(struct vdf_obj *obj, struct vdf_err *err);
    /* Give back what create and the rows acquired. */
    void (*destroy)(struct vdf_obj *obj);
    /* All rows and all objects below have been loaded: rebuild what is derived and refuse what
     * cannot be (children first). */
    int (*restored)(struct vdf_obj *obj, struct vdf_err *err);
    /* The object was linked into the tree by mkdir or a restore, or is about to leave it. vdf_async
     * objects are made in start and freed in stop; those that adopt hands on, so that a restore
     * needs no descriptors for them, are freed in destroy. @fresh: made by mkdir, not restored.
     * stop follows a start that has failed, too. */
    int (*start)(struct vdf_obj *obj, bool fresh, struct vdf_err *err);
    void (*stop)(struct vdf_obj *obj);
    /* A timer that follows from the private structure: nanoseconds until on_timer() is to be called,
     * UINT64_MAX: never. The tree asks after each change of the device. NULL: there is none. */
    uint64_t (*timer_due)(const void *priv);
    void (*on_timer)(struct vdf_obj *obj);
    /* rmdir: refuse (EBUSY), or do what the removal means to the rest of the device. */
    int (*remove)(struct vdf_obj *obj, struct vdf_err *err);
    /* A restore is about to replace @old by @now in the same object: take over what is not state
     * (counts of open files). Logs and mapped memory are moved by the tree. */
    void (*adopt)(struct vdf_obj *obj, void *old, void *now);

    /* For devices that use other devices. Both are called while nobody is inside any device:
     * disconnect before a restore of the root replaces anything, and before everything is removed;
     * connect when the restored devices are all in their places. */
    void (*disconnect)(struct vdf_obj *obj);
    void (*connect)(struct vdf_obj *obj);
    /* A state of the device or of the root is about to be read (@begin), or has been; the latter
     * while nobody is inside any device. vdf_obj_touched() tells of what it changes. */
    void (*saving)(struct vdf_obj *obj, bool begin);
    bool exclusive; /* rmdir is done while nobody is inside any device */
    bool no_state;  /* a device without a `state` file; the root's has it */

    /* It can be attached to a guest (guest.h); NULL: it cannot. */
    const struct vdf_guest_ops *guest;
};

/* --- objects ---------------------------------------------------------------------------------- */

/** vdf_obj_priv() - the private structure. */
void *vdf_obj_priv(const struct vdf_obj *obj);
/** vdf_obj_name() - last part of the path. */
const char *vdf_obj_name(const struct vdf_obj *obj);
/** vdf_obj_parent() - the object whose directory it lies in; NULL for the root. */
struct vdf_obj *vdf_obj_parent(const struct vdf_obj *obj);
/** vdf_obj_class() - its class. */
const struct vdf_class *vdf_obj_class(const struct vdf_obj *obj);
/** vdf_obj_row() - the row of its class with this path; NULL: there is none. */
const struct vdf_attr *vdf_obj_row(const struct vdf_obj *obj, const char *path);
/** vdf_obj_path() - append the path from the root, "console/con0/ports/1". */
void vdf_obj_path(const struct vdf_obj *obj, struct vdf_buf *out);

/** vdf_obj_child() - the object @name in the VDF_OBJECTS row whose path is @dir, or NULL. */
struct vdf_obj *vdf_obj_child(const struct vdf_obj *obj, const char *dir, const char *name);
/** vdf_obj_next() - walks the objects of row @dir in order of their making; @prev NULL begins. */
struct vdf_obj *vdf_obj_next(const struct vdf_obj *obj, const char *dir,
                             const struct vdf_obj *prev);

/**
 * vdf_obj_add() - make an object from within a component (port 0 of a new console).
 * @parent: from its own create (the child is started with it) or later
 * @dir:    path of the VDF_OBJECTS row
 *
 * Return: 0 or -errno of the class's create. EEXIST when the name is taken.
 */
int vdf_obj_add(struct vdf_obj *parent, const char *dir, const char *name, struct vdf_obj **obj,
                struct vdf_err *err);

/**
 * vdf_report() - a line in `/errors` that no refused write stands behind: a guest or a driver
 * misbehaved.
 * @obj:  the object whose path begins the line
 * @code: positive errno that fits best
 */
void vdf_report(struct vdf_obj *obj, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* --- devices that use others, and threads of their own ---------------------------------------- */

/**
 * vdf_obj_walk() - the object that a path leads to. While nobody is inside any device, or for the
 * unlinked devices of a state that is loaded.
 * @from: object in the same tree; the path begins at its root
 * @rest: the part of the path behind the object, "" when there is none
 *
 * Return: the deepest object on the path; NULL when not even a device is there.
 */
struct vdf_obj *vdf_obj_walk(struct vdf_obj *from, const char *path, const char **rest);
/** vdf_obj_use() - keep an object from being removed or replaced; counted. While nobody is inside
 *  any device, as vdf_obj_unuse(). */
void vdf_obj_use(struct vdf_obj *obj);
void vdf_obj_unuse(struct vdf_obj *obj);
/** vdf_obj_touched() - from a VDF_EXCLUSIVE row or its like: another device than the row's may have
 *  changed, look at what waits for it. Also from saving(), for its own. */
void vdf_obj_touched(struct vdf_obj *obj);

/**
 * vdf_obj_enter() - for a thread that a component has made: take the lock of the object's device,
 * as it is held in hooks. Not while holding another.
 * @stop: give up when this is set
 *
 * Return: whether the lock is held now.
 */
bool vdf_obj_enter(struct vdf_obj *obj, const atomic_bool *stop);
/**
 * vdf_obj_leave() - let go, and return when nobody reads the values of before any longer.
 * @changed: look at what waits for the device
 * @stop:    return at once when this is set
 */
void vdf_obj_leave(struct vdf_obj *obj, bool changed, const atomic_bool *stop);

/** vdf_obj_set_live() - from now on all values of the object are as rows with VDF_LIVE, or as the
 *  rows say. Set it before a value can change so. */
void vdf_obj_set_live(struct vdf_obj *obj, bool live);

/* --- registers by offset ---------------------------------------------------------------------- */

/**
 * vdf_window_read() - a hardware read.
 * @obj:    object whose class has the window
 * @window: its number in the rows
 * @offset: bytes from the window's start
 * @width:  bytes, 1, 2, 4 or 8
 * @peek:   leave out the side effect
 *
 * Return: 0, EOPNOTSUPP for a misaligned or narrower access (but see `halves`), the window's
 * `miss`, or the hook's.
 */
int vdf_window_read(struct vdf_obj *obj, unsigned window, uint64_t offset, unsigned width,
                    bool peek, uint64_t *value, struct vdf_err *err);

/** vdf_window_write() - a hardware write; as vdf_window_read(). */
int vdf_window_write(struct vdf_obj *obj, unsigned window, uint64_t offset, unsigned width,
                     uint64_t value, struct vdf_err *err);

/** vdf_window_size() - bytes of the window; 0: the class has none of that number. */
uint64_t vdf_window_size(struct vdf_obj *obj, unsigned window);

/* --- waiting ---------------------------------------------------------------------------------- */

/*
 * Something the engine calls for a device: @fn runs in the engine's thread with the device's lock
 * held and returns whether anything changed. After vdf_async_free() it is not called again. What
 * cannot be made is NULL, with errno set: ENOMEM, or why the engine refuses (engine.h).
 */
struct vdf_async;
/* @ctx: as it was given with @fn */
typedef bool (*vdf_async_fn)(struct vdf_obj *obj, void *ctx, uint64_t value);

/** vdf_async_eventfd() - call @fn with the counter of an eventfd(2). The engine watches a duplicate
 * of
 *  @fd, which may be closed at any time. */
struct vdf_async *vdf_async_eventfd(struct vdf_obj *obj, vdf_async_fn fn, void *ctx, int fd);
/** vdf_async_fd() - call @fn with the poll(2) events of @fd that are ready, of those in @events and
 *  POLLERR and POLLHUP; the engine watches a duplicate. */
struct vdf_async *vdf_async_fd(struct vdf_obj *obj, vdf_async_fn fn, void *ctx, int fd,
                               uint32_t events);
/** vdf_async_timer() - a timer, set by vdf_async_set(). */
struct vdf_async *vdf_async_timer(struct vdf_obj *obj, vdf_async_fn fn, void *ctx);
/** vdf_async_set() - run the timer's function in @delay_ns nanoseconds; replaces an earlier one. */
void vdf_async_set(struct vdf_async *async, uint64_t delay_ns);
/** vdf_async_poller() - call @fn again and again: without sleeping while a poller finds something,
 * and as seldom as every 20 to 500 ms when none has for some time (engine.h). Its value: for how
 * long, nanoseconds; 0 for less than 50 microseconds. */
struct vdf_async *vdf_async_poller(struct vdf_obj *obj, vdf_async_fn fn, void *ctx);
struct vdf_signal;
/** vdf_async_signal() - for telling an eventfd of another process, see foreign.h; the caller closes
 *  it. NULL, with errno set, when it cannot be. */
struct vdf_signal *vdf_async_signal(struct vdf_obj *obj, int fd);
/**
 * vdf_sync_mapped() - from within a vdf_async function: take over what processes have stored
 * through mappings of a VDF_MAP row that has hooks instead of memory. It arrives as writes before
 * the function is called the next time.
 */
void vdf_sync_mapped(struct vdf_obj *obj, const struct vdf_attr *attr);
/** vdf_async_free() - end it; at once and from anywhere under the lock. NULL is allowed. */
void vdf_async_free(struct vdf_async *async);

/* --- components ------------------------------------------------------------------------------- */

/* One directory of the root: backends/NAME, which defines vdf_NAME_component. */
struct vdf_component {
    const struct vdf_class *cls; /* name: the directory's */
    const char *default_name;    /* the object of a plain mount: "con0"; NULL: it has none */
    /* Make the default object ready to use, after create and before start; NULL: as mkdir. */
    int (*prepare)(struct vdf_obj *obj, struct vdf_err *err);
    /* What it could use of the host (probe.h); NULL: nothing. */
    const struct vdf_probe_part *probe;
};

/** The components of a program, in the order of the directories; ends with NULL. The build makes
 * the list from the folders of backends/. */
extern const struct vdf_component *const vdf_components[];

#endif
