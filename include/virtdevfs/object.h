/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Objects: instances of a class in the tree. */
#ifndef VIRTDEVFS_OBJECT_H
#define VIRTDEVFS_OBJECT_H

#include <stdatomic.h>
#include <virtdevfs/class.h>

/** vdf_obj_priv() - the private structure. */
void *vdf_obj_priv(const struct vdf_obj *obj);
/** vdf_obj_name() - last part of the path. */
const char *vdf_obj_name(const struct vdf_obj *obj);
/** vdf_obj_parent() - the object whose directory it lies in; NULL for the root. */
struct vdf_obj *vdf_obj_parent(const struct vdf_obj *obj);
/** vdf_obj_class() - its class. */
const struct vdf_class *vdf_obj_class(const struct vdf_obj *obj);
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
 * vdf_report() - add a line to `/errors` without a refused write, when a guest or a driver misbehaves.
 * @obj:  the object whose path begins the line
 * @code: the positive errno that fits best
 */
void vdf_report(struct vdf_obj *obj, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* --- devices that use other devices, and threads of components --------------------------------- */

/**
 * vdf_obj_walk() - find the object of a path; exclusive, or among the devices of a state that is
 * being loaded.
 * @from: an object in the same tree, at whose root the path begins
 * @rest: the part of the path behind the object, "" when there is none
 *
 * Return: the deepest object on the path; NULL when the path does not reach a device.
 */
struct vdf_obj *vdf_obj_walk(struct vdf_obj *from, const char *path, const char **rest);
/** vdf_obj_use() - keep an object from being removed or replaced, until vdf_obj_unuse() has been called
 *  as often. Both are exclusive. */
void vdf_obj_use(struct vdf_obj *obj);
void vdf_obj_unuse(struct vdf_obj *obj);
/** vdf_obj_uses() - how often the object and those below it are in use. */
unsigned vdf_obj_uses(const struct vdf_obj *obj);
/** vdf_obj_touched() - report that the object's device has changed: from a hook of another device that
 *  is exclusive, from saving(), or from a read that has side effects. */
void vdf_obj_touched(struct vdf_obj *obj);

/**
 * vdf_obj_enter() - take the lock of the object's device, as it is held in hooks. For a thread of a
 * component's own that holds no other device's lock.
 * @stop: the call gives up when another thread sets this
 *
 * Return: whether the lock is held.
 */
bool vdf_obj_enter(struct vdf_obj *obj, const atomic_bool *stop);
/**
 * vdf_obj_leave() - release the lock, and return when no process can read earlier values any longer.
 * @changed: the device may have changed
 * @stop:    the call returns at once when another thread sets this
 */
void vdf_obj_leave(struct vdf_obj *obj, bool changed, const atomic_bool *stop);

/**
 * vdf_obj_enter_exclusive() - keep all other threads out of all devices, as in a VDF_EXCLUSIVE row. For
 * a thread of a component's own that is inside no device.
 * @obj:  an object in the tree
 * @stop: the call gives up when another thread sets this
 *
 * Return: whether the caller is alone.
 */
bool vdf_obj_enter_exclusive(struct vdf_obj *obj, const atomic_bool *stop);
/**
 * vdf_obj_leave_exclusive() - let other threads in, and return when no process can read earlier values
 * of devices that were reported with vdf_obj_touched() any longer.
 * @stop: the call returns at once when another thread sets this
 */
void vdf_obj_leave_exclusive(struct vdf_obj *obj, const atomic_bool *stop);

/**
 * vdf_objs_save() - append the state of several devices, as the root's `state` shows them; exclusive.
 * @devices: devices in the tree, at least one, each once and in any order
 *
 * Return: 0 or -errno; @out then has a part of the text.
 */
int vdf_objs_save(struct vdf_obj *const *devices, unsigned n, struct vdf_buf *out);
/**
 * vdf_objs_load() - load such a state, which has these devices under their paths and no others;
 * exclusive. All devices are restored, or none. A restore replaces private structures, as one of a
 * device does; disconnect() and connect() are not called.
 * @devices: as for vdf_objs_save()
 * @self:    the one of them whose own thread calls, or NULL; all others are attached to no guest
 *
 * Return: 0 or -errno.
 */
int vdf_objs_load(struct vdf_obj *const *devices, unsigned n, const struct vdf_obj *self,
                  const char *text, size_t len, struct vdf_err *err);

/** vdf_obj_set_live() - treat all rows of the object as VDF_LIVE, or as the rows say. Call it before a
 *  value can change without a hook. */
void vdf_obj_set_live(struct vdf_obj *obj, bool live);

/* --- registers by offset ---------------------------------------------------------------------- */

/**
 * vdf_window_read() - a hardware read.
 * @obj:    object whose class has the window
 * @window: its number in the rows
 * @offset: bytes from the window's start
 * @width:  bytes, 1, 2, 4 or 8
 * @peek:   read without the side effect of a hardware read
 *
 * Return: 0, EOPNOTSUPP for a misaligned or narrower access (but see `halves`), the window's
 * `miss`, or the hook's.
 */
int vdf_window_read(struct vdf_obj *obj, unsigned window, uint64_t offset, unsigned width,
                    bool peek, uint64_t *value, struct vdf_err *err);

/** vdf_window_write() - a hardware write; as vdf_window_read(). */
int vdf_window_write(struct vdf_obj *obj, unsigned window, uint64_t offset, unsigned width,
                     uint64_t value, struct vdf_err *err);

/** vdf_window_size() - bytes of the window; 0 when the class has no window of that number. */
uint64_t vdf_window_size(struct vdf_obj *obj, unsigned window);

#endif
