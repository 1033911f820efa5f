/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The core: objects, places in the tree, open files and state, without FUSE.
 *
 * Threads: the FUSE threads and the engine's thread call in here, and the threads of guests'
 * processors through vdf_obj_enter(). Locks, in the order in which they are taken:
 *
 *   tree->moment   read-held by whoever is inside a device, write-held to see or replace the whole
 *                  tree at one moment (the root's `state`), and by what touches several devices
 *                  (VDF_ALONE). Readers wait when a writer does, or those that poll would keep it
 *                  out; so nobody who is inside waits for one who still wants in.
 *   root device    the list of devices
 *   a device       everything of the device: objects, private structures, waiters
 *   tree->errors   the ring behind `/errors`; a leaf
 *
 * A thread is inside at most one device besides the root. An object's name, class and parent never
 * change while somebody holds a reference; `dead` and the lists of children change under the lock
 * of the object's device (the root's, for a device in its list).
 */
#ifndef VDF_CORE_H
#define VDF_CORE_H

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <virtdevfs/component.h>
#include <virtdevfs/engine.h>
#include <virtdevfs/text.h>

#define VDF_NAME_MAX 64

/* --- tables ----------------------------------------------------------------------------------- */

enum vdf_special {
    VDF_PLAIN, /* a row, or a directory that rows need */
    VDF_LOST,  /* NAME_lost of the log in `attr` */
    VDF_STATE, /* `state` of a device or of the root */
};

/* A class's rows as a tree of names, compiled once. */
struct vdf_entry {
    char *name;                  /* NULL: a number ('#') */
    const struct vdf_attr *attr; /* the row; for a directory without one of its own: NULL */
    enum vdf_special special;
    const struct vdf_range *range; /* of a '#' */
    unsigned level;                /* of a '#': 0 or 1 */
    struct vdf_entry *parent, *children, *next;
};

struct vdf_table {
    const struct vdf_class *cls;
    struct vdf_entry *root;
    struct vdf_table *next;
};

/** vdf_table_compile() - the trees of names of a class and of the classes of its objects. The root
 *  (@depth 0) and devices (1) get a `state` file. 0 or -ENOMEM. */
int vdf_table_compile(struct vdf_table **list, const struct vdf_class *cls, unsigned depth);
struct vdf_table *vdf_table_find(struct vdf_table *list, const struct vdf_class *cls);
void vdf_table_free_all(struct vdf_table **list);

/* --- objects ---------------------------------------------------------------------------------- */

struct vdf_waiter {
    struct vdf_waiter *next, **prev; /* in device->waiters while it waits */
    /* Lock held: try again; true when it need not wait any longer. */
    bool (*ready)(struct vdf_waiter *waiter);
    bool progress; /* set by ready(): it goes on waiting, but has changed the device */
    /* No lock held, after ready() was true: answer. Frees the waiter. */
    void (*finish)(struct vdf_waiter *waiter);
};

struct vdf_node;
struct vdf_cached_name;

/* The CRC of POSIX's cksum, so that an edited file can be signed again with it. Zero it to begin.
 */
struct vdf_crc {
    uint32_t rest;
    uint64_t len; /* bytes */
};

struct vdf_device {
    pthread_mutex_t lock;
    struct vdf_tree *tree;
    uint64_t generation;     /* counts changes */
    struct timespec changed; /* time of the last one */
    struct vdf_waiter *waiters, **last_waiter;
    struct vdf_obj *sync_obj; /* of vdf_sync_mapped(), until the lock is released; referenced */
    const struct vdf_attr *sync_attr;
    /* Of the text of its sections in a state, when it was measured last. */
    bool summed;
    uint64_t summed_generation;
    struct vdf_crc sum;
    /* What the kernel keeps of it, for the FUSE edge. */
    struct vdf_node *cached_values;
    unsigned n_cached_values;
    struct vdf_cached_name *cached_names;
    unsigned n_cached_names;
    bool cached_objects_gone; /* an object has died whose name the kernel keeps */
    atomic_uint entering;     /* threads on their way in: pollers let them go first */
    bool touched;             /* vdf_obj_touched() */
};

struct vdf_obj {
    const struct vdf_class *cls;
    const struct vdf_table *table;
    const struct vdf_attr *row; /* VDF_OBJECTS row of the parent; NULL for the root */
    struct vdf_obj *parent;     /* referenced */
    struct vdf_device
        *device; /* own for a device, else the device's; freed with the device object */
    void *priv;  /* freed when the object dies */
    atomic_uint refs;
    bool name_cached;             /* the kernel keeps its name */
    atomic_bool dead;             /* removed: every operation answers ENODEV */
    atomic_bool live;             /* vdf_obj_set_live() */
    bool started;                 /* linked into the tree, start() was called */
    bool named;                   /* while a state is loaded: it has a section there */
    unsigned holds;               /* open files that keep it from being removed */
    unsigned uses;                /* by guests that it is attached to; the same */
    struct vdf_open_count *opens; /* of raw files whose rows want to know */
    struct vdf_obj *next, **prev; /* among the parent's children, oldest first */
    struct vdf_obj *children, **last_child;
    struct vdf_obj *hash_next;
    struct vdf_obj **buckets; /* of the children, by row and name; at first &only_bucket */
    struct vdf_obj *only_bucket;
    unsigned n_buckets, n_children;
    struct vdf_async *asyncs;
    char name[VDF_NAME_MAX + 1];
};

#define VDF_ERRORS_KEPT 256
/* Of them, so that a copy does not push out what else was refused. */
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

struct vdf_tree {
    pthread_rwlock_t moment;
    struct vdf_table *tables;
    struct vdf_obj *root;
    /* Makes the kernel write back what is dirty in mappings of a row; blocks. NULL: no mappings. */
    void (*write_back)(void *arg, const struct vdf_obj *obj, const struct vdf_attr *attr);
    void *write_back_arg;
    /* A device has changed whose values or names the kernel keeps; its lock is held. */
    void (*cache_changed)(void *arg, struct vdf_device *device);
    /* Returns when the kernel has dropped what had changed before, or when @stop is set. No lock
     * held. */
    void (*cache_settle)(void *arg, const atomic_bool *stop);
    void *cache_arg;
    struct vdf_engine *engine;       /* NULL: nothing asynchronous happens (tests without one) */
    _Atomic(const char *) transport; /* of requests, for `engine/transport` */
    const struct vdf_component *const *components; /* NULL-terminated */
    struct vdf_class root_class;
    struct vdf_attr *root_attrs;
    struct vdf_objects *root_objects;
    atomic_ullong generation; /* counts changes of any device */

    pthread_mutex_t errors_lock;
    struct vdf_error_line errors[VDF_ERRORS_KEPT]; /* oldest first */
    unsigned errors_count, errors_routine;
    unsigned errors_new;      /* of them, the newest, that are not in the log yet */
    uint64_t errors_missed;   /* lines that made room before they were */
    atomic_bool root_news;    /* the root's waiters have to be told */
    atomic_bool state_polled; /* somebody waits for the next change of any device */
    atomic_uint n_holds;      /* open files of all devices that may be mapped */
};

/**
 * vdf_tree_create() - a tree with the root and no devices.
 * @components: NULL-terminated, outlives the tree
 * @engine:     for vdf_async; NULL for none
 */
int vdf_tree_create(const struct vdf_component *const *components, struct vdf_engine *engine,
                    struct vdf_tree **tree, struct vdf_err *err);
/** vdf_tree_add_defaults() - the devices of a plain mount, one of each component. */
int vdf_tree_add_defaults(struct vdf_tree *tree, struct vdf_err *err);
/** vdf_tree_remove_all() - remove every device, as before unmounting; waiters are answered. */
void vdf_tree_remove_all(struct vdf_tree *tree);
/** vdf_tree_destroy() - free everything; files must be closed and the engine stopped. */
void vdf_tree_destroy(struct vdf_tree *tree);

/** vdf_root_rows() - the rows of the root that are there without any component. */
const struct vdf_attr *vdf_root_rows(size_t *n);

/** vdf_tree_enter_alone() - wait until nobody is inside any device, and keep it so. */
void vdf_tree_enter_alone(struct vdf_tree *tree);
/** vdf_tree_leave_alone() - let the others in, after a look at all that waits for what was touched;
 * @done: waiters that have been collected already. */
void vdf_tree_leave_alone(struct vdf_tree *tree, struct vdf_waiter *done);

void vdf_device_enter(struct vdf_device *device);
/** vdf_device_leave() - unlock; if @changed, look again at everything that waits. */
void vdf_device_leave(struct vdf_device *device, bool changed);
/** vdf_device_changed() - lock held: count a change and its time. */
void vdf_device_changed(struct vdf_device *device);
/** vdf_device_check_waiters() - lock held: move the waiters that need not wait any longer to @done.
 */
void vdf_device_check_waiters(struct vdf_device *device, struct vdf_waiter **done);
void vdf_waiters_finish(struct vdf_waiter *done);
void vdf_waiter_add(struct vdf_device *device, struct vdf_waiter *waiter);
/** vdf_waiter_remove() - lock held; true if it was still waiting and now is not. */
bool vdf_waiter_remove(struct vdf_device *device, struct vdf_waiter *waiter);

struct vdf_obj *vdf_obj_ref(struct vdf_obj *obj);
void vdf_obj_unref(struct vdf_obj *obj);

/** vdf_obj_create() - a new, unlinked object: private structure, resets, create. One reference. A
 *  device (its parent is the root) gets a lock of its own. */
int vdf_obj_create(struct vdf_tree *tree, struct vdf_obj *parent, const struct vdf_attr *row,
                   const char *name, struct vdf_obj **obj, struct vdf_err *err);
/** vdf_obj_link() - put it into its parent's list, which takes over the reference. */
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
const struct vdf_attr *vdf_class_row(const struct vdf_class *cls, const char *path);
/** vdf_class_split() - split "ports/1/x" of @len bytes at an object: its row in the class, its
 * name, and the rest behind the '/'. NULL when the path does not begin with one. */
const struct vdf_attr *vdf_class_split(const struct vdf_class *cls, const char *path, size_t len,
                                       char name[VDF_NAME_MAX + 1], const char **rest);
bool vdf_obj_held(const struct vdf_obj *obj);
/** vdf_obj_used() - is it, or anything below it, attached to a guest? */
bool vdf_obj_used(const struct vdf_obj *obj);
static inline bool vdf_obj_is_device(const struct vdf_obj *obj)
{
    return obj->parent && !obj->parent->parent;
}

/* The n_children children in the order of state files: by row, and in natural order (numbers by
 * value); the array is malloc'ed. -ENOMEM. */
int vdf_obj_sorted(const struct vdf_obj *parent, struct vdf_obj ***list);

/* --- places ----------------------------------------------------------------------------------- */

/* A file or directory: an entry of an object's table, and the values of its '#'. */
struct vdf_place {
    struct vdf_obj *obj;
    const struct vdf_entry *entry;
    uint32_t i, j;
};

struct vdf_place vdf_place_root(struct vdf_tree *tree);
/** vdf_place_lookup() - the child @name; takes a reference to its object. -ENOENT, -ENODEV,
 * -ENOTDIR. */
int vdf_place_lookup(const struct vdf_place *dir, const char *name, struct vdf_place *child);
/** vdf_place_resolve() - by path from the root, as "console/con0/size". Takes a reference. */
int vdf_place_resolve(struct vdf_tree *tree, const char *path, struct vdf_place *place);
bool vdf_place_is_dir(const struct vdf_place *place);
/** vdf_place_mode() - type and permission bits as stat(2) shows them. */
unsigned vdf_place_mode(const struct vdf_place *place);
void vdf_place_path(const struct vdf_place *place, struct vdf_buf *out);
struct vdf_at vdf_place_at(const struct vdf_place *place);
/** vdf_place_list() - call @emit for each name; a consistent list of one moment. */
typedef int (*vdf_emit_fn)(void *arg, const char *name, bool dir);
int vdf_place_list(const struct vdf_place *dir, vdf_emit_fn emit, void *arg);
/** vdf_name_valid() - may an object be called so? */
bool vdf_name_valid(const char *name);
/** vdf_place_missing() - lock held: why @name cannot be made as a file: a row that is not there now
 * says what it needs. -EPERM. */
int vdf_place_missing(const struct vdf_place *dir, const char *name, struct vdf_err *err);
int vdf_place_mkdir(const struct vdf_place *dir, const char *name, struct vdf_place *made);
int vdf_place_rmdir(const struct vdf_place *dir, const char *name);
/** vdf_place_is_fixed() - is it there for as long as its object is? */
bool vdf_place_is_fixed(const struct vdf_place *place);
/* What the existence of an entry's names depends on; all zero: there are none. */
struct vdf_shape {
    uint32_t visible;
    uint32_t counts[2]; /* of the '#' on the way */
};
/** vdf_place_shape() - lock held; false when it depends on more than that. */
bool vdf_place_shape(const struct vdf_place *place, struct vdf_shape *shape);
/** vdf_place_exists() - lock held: does its `when` hold and its number exist? */
bool vdf_place_exists(const struct vdf_place *place);

/* What stat(2) needs and what is remembered between two calls of it. */
struct vdf_seen {
    uint64_t hash;
    uint64_t size;
    uint64_t generation; /* of the tree, for `state` */
    struct timespec mtime;
    bool valid;
};
int vdf_place_stat(const struct vdf_place *place, struct vdf_seen *seen);

/* --- values, state, errors (lock held, unless said otherwise) --------------------------------- */

/** vdf_value_render() - what a read of the file gives, with the final newline. 0 or -errno. */
int vdf_value_render(const struct vdf_place *place, struct vdf_buf *out);
#define VDF_VALUE_MAX 65536u /* bytes of a written value */
/** vdf_value_write() - a whole value. 0 or -errno. */
int vdf_value_write(const struct vdf_place *place, const char *text, size_t len,
                    struct vdf_err *err);
/* Rows by number, for state files and windows. */
uint64_t vdf_row_load_field(const struct vdf_at *at);
void vdf_row_store_field(const struct vdf_at *at, uint64_t value);
int vdf_row_get(const struct vdf_at *at, uint64_t *value);
int vdf_row_set(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_row_restore(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
void vdf_row_show(const struct vdf_at *at, struct vdf_buf *out);
int vdf_row_store(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err);
/** vdf_row_hooks() - the hooks that stand instead of the row's; all NULL when none do. */
const struct vdf_hooks *vdf_row_hooks(const struct vdf_at *at);
void vdf_row_render_number(const struct vdf_attr *attr, uint64_t value, struct vdf_buf *out);
int vdf_row_parse_number(const struct vdf_attr *attr, const char *text, size_t len, uint64_t *value,
                         struct vdf_err *err);
/** vdf_window_width() - bytes of the register that begins at @offset of window @row; 0: none does.
 */
unsigned vdf_window_width(const struct vdf_obj *obj, const struct vdf_attr *row, uint64_t offset);
/** vdf_window_into() - how many bytes behind the begin of a register @offset lies in it; 0: in
 * none, or at its begin. */
unsigned vdf_window_into(const struct vdf_obj *obj, const struct vdf_attr *row, uint64_t offset);
/** vdf_row_raw_size() - st_size of a VDF_RAW or VDF_WINDOW file, bytes. */
uint64_t vdf_row_raw_size(const struct vdf_at *at);
/** vdf_row_raw_version() - of the content of such a file: another number when it may have changed.
 *  @changed: of the device; moved on to the last write that went past it */
uint64_t vdf_row_raw_version(const struct vdf_at *at, struct timespec *changed);
struct vdf_memory *vdf_row_memory(const struct vdf_at *at);
struct vdf_log *vdf_row_log(const struct vdf_at *at);
bool vdf_row_is_number(const struct vdf_attr *attr);
uint32_t vdf_range_count(const struct vdf_range *range, const void *priv);
bool vdf_range_has(const struct vdf_range *range, const void *priv, uint32_t number);
/** vdf_range_nth() - the @n-th number, whether or not `has` leaves it out. */
uint32_t vdf_range_nth(const struct vdf_range *range, uint32_t n);

size_t vdf_log_read(const struct vdf_log *log, uint64_t *position, void *bytes, size_t n);
void vdf_log_free(struct vdf_log *log);

uint64_t vdf_hash(const void *bytes, size_t n);

/** vdf_state_save() - the whole state of a device (lock held) or of the root (moment write-held).
 */
int vdf_state_save(struct vdf_obj *obj, struct vdf_buf *out);
/** vdf_state_restore() - takes its own locks; all or nothing. */
int vdf_state_restore(struct vdf_obj *obj, const char *text, size_t len, struct vdf_err *err);
/** vdf_state_version() - changes with what vdf_state_save() gives, perhaps more often (same locks).
 */
uint64_t vdf_state_version(const struct vdf_obj *obj);
/** vdf_state_snapshot() - as vdf_state_save(), takes its own locks. @version: of what is in @out */
int vdf_state_snapshot(struct vdf_obj *obj, struct vdf_buf *out, uint64_t *version);

/** vdf_state_measure() - what stat(2) tells of a state, which is not kept in memory; takes its own
 *  locks, one device after the other. @hash: another number when the text is another */
int vdf_state_measure(struct vdf_obj *obj, uint64_t *size, uint64_t *hash);

/* A state that is being written. No lock is held, one thread at a time. After a refusal there is
 * nothing but to free it. */
struct vdf_state_load;
int vdf_state_begin(struct vdf_obj *obj, struct vdf_state_load **load, struct vdf_err *err);
/** vdf_state_feed() - the next bytes; refuses what cannot be in the state. */
int vdf_state_feed(struct vdf_state_load *load, const char *text, size_t len, struct vdf_err *err);
/** vdf_state_whole() - does it end with a whole checksum line by now? */
bool vdf_state_whole(const struct vdf_state_load *load);
/** vdf_state_ends() - the same, the newline may be missing. */
bool vdf_state_ends(const struct vdf_state_load *load);
/** vdf_state_finish() - the text has ended: all of it takes effect, or none. */
int vdf_state_finish(struct vdf_state_load *load, struct vdf_err *err);
void vdf_state_free(struct vdf_state_load *load);

/** vdf_errors_add() - one line; any lock may be held. */
void vdf_errors_add(struct vdf_tree *tree, const char *path, size_t path_len,
                    const struct vdf_err *err);
void vdf_errors_render(struct vdf_tree *tree, struct vdf_buf *out);
/** vdf_errors_clear() - the root's lock held. */
void vdf_errors_clear(struct vdf_tree *tree);
/** vdf_errors_tell() - no lock held: let the root's waiters, and its log, see new lines. */
void vdf_errors_tell(struct vdf_tree *tree);
/** vdf_place_refused() - no lock held: log a refusal at a place, or at @name below it (NULL: at the
 *  place itself), if @result is one. Returns @result. */
int vdf_place_refused(const struct vdf_place *place, const char *name, int result,
                      struct vdf_err *err);

/* --- open files ------------------------------------------------------------------------------- */

struct vdf_file {
    struct vdf_place place; /* holds a reference to the object */
    int flags;              /* of open(2) */
    bool counted;           /* its opening was told to the row */
    bool used;              /* that has been just now, and may have changed the device */
    bool holds;             /* counted in obj->holds */
    struct vdf_buf value;   /* what the reader was given at offset 0 */
    bool fresh;             /* a state in `value` is of the open and was not read yet */
    atomic_ullong seen;     /* hash or version of what the reader knows, for POLLPRI */
    uint64_t log_position;
    pthread_mutex_t state_lock;     /* of a state that is read (value, fresh) or written */
    struct vdf_state_load *loading; /* a state being written; NULL: none */
    uint64_t written;               /* where the last write ended, 0: there was none */
    struct vdf_buf lines;           /* a list being written */
    enum { VDF_UNTOUCHED, VDF_TAKEN, VDF_COMPLETE, VDF_SPOILT } list; /* the same */
    bool line_ended; /* the last write of a value ended with a newline */
};

/** vdf_file_init() - a file that is not open yet; takes a reference to the place's object. */
void vdf_file_init(struct vdf_file *file, const struct vdf_place *place, int flags);
/** vdf_file_open() - lock held. -EACCES, -ENODEV, the row's; -EAGAIN: a stream that makes open
 * wait. */
int vdf_file_open(struct vdf_file *file, struct vdf_err *err);
/** vdf_file_used() - lock held; whether the row of a stream has just been told that it is open,
 * which vdf_file_leave() takes for a change. Once for each time. */
bool vdf_file_used(struct vdf_file *file);
/** vdf_file_close() - lock not held. */
void vdf_file_close(struct vdf_file *file);
/** vdf_file_release() - free what the file holds; the object's reference too. */
void vdf_file_release(struct vdf_file *file);
/** vdf_file_read() - lock held; not for `state`. Bytes, 0 at the end, or -errno; -EAGAIN: a stream
 * is empty.
 *  @changed is set when the read was one with a side effect. */
ssize_t vdf_file_read(struct vdf_file *file, void *bytes, size_t n, uint64_t offset, bool *changed,
                      struct vdf_err *err);
/** vdf_file_read_state() - lock not held, and not needed but for what is rendered anew: at offset
 * 0, except the first time. Bytes, 0 at the end, or -errno. */
ssize_t vdf_file_read_state(struct vdf_file *file, void *bytes, size_t n, uint64_t offset);
/** vdf_file_write() - lock held; not for `state`. Bytes or -errno; -EAGAIN: a stream is full. */
ssize_t vdf_file_write(struct vdf_file *file, const void *bytes, size_t n, uint64_t offset,
                       struct vdf_err *err);
/** vdf_file_write_state() - lock not held; collects and applies a state. */
ssize_t vdf_file_write_state(struct vdf_file *file, const void *bytes, size_t n, uint64_t offset,
                             struct vdf_err *err);
/** vdf_file_is_list() - a list that is open for writing: its value is complete at the close. */
bool vdf_file_is_list(const struct vdf_file *file);
/** vdf_file_flush() - lock not held; the last close(2) of the process that opened the file. A state
 * that is not whole by then is refused, a list is stored. */
int vdf_file_flush(struct vdf_file *file, struct vdf_err *err);
/** vdf_value_add() - lock held; one write to a value. Bytes or -errno. */
ssize_t vdf_value_add(struct vdf_file *file, const char *bytes, size_t n, uint64_t offset,
                      struct vdf_err *err);
/** vdf_list_end() - lock held; stores a list that has been written. */
int vdf_list_end(struct vdf_file *file, struct vdf_err *err);
/** vdf_file_note() - lock held; the reader of a raw file knows what is in it now. */
void vdf_file_note(struct vdf_file *file);
/** vdf_file_poll() - lock held; poll(2) events that hold now. */
unsigned vdf_file_poll(struct vdf_file *file);
bool vdf_file_is_stream(const struct vdf_file *file);
/** vdf_file_root_state() - is this the root's `state`, whose reads need the tree's one moment? */
bool vdf_file_root_state(const struct vdf_file *file);
/** vdf_file_enter(), vdf_file_leave() - the right lock for operations on this file. */
void vdf_file_enter(struct vdf_file *file);
void vdf_file_leave(struct vdf_file *file, bool changed);
/** vdf_file_enter_write(), vdf_file_leave_write() - the same for a write. */
void vdf_file_enter_write(struct vdf_file *file);
void vdf_file_leave_write(struct vdf_file *file, bool changed);

#endif
