/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Places: a file or directory, found by its name. */
#ifndef VDF_PLACE_H
#define VDF_PLACE_H

#include "tree.h"

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
bool vdf_place_is_dir(const struct vdf_place *place);
/** vdf_place_mode() - type and permission bits as stat(2) shows them. */
unsigned vdf_place_mode(const struct vdf_place *place);
/** vdf_place_enter(), vdf_place_leave() - take and release the locks for reading the file: those of a
 *  device, or of the tree where also reads of the row are exclusive. */
void vdf_place_enter(const struct vdf_place *place);
void vdf_place_leave(const struct vdf_place *place, bool changed);
void vdf_place_path(const struct vdf_place *place, struct vdf_buf *out);
struct vdf_at vdf_place_at(const struct vdf_place *place);
/** vdf_place_list() - call @emit for each name; a consistent list. */
typedef int (*vdf_emit_fn)(void *arg, const char *name, bool dir);
int vdf_place_list(const struct vdf_place *dir, vdf_emit_fn emit, void *arg);
/** vdf_name_valid() - is it a valid name of an object? */
bool vdf_name_valid(const char *name);
/** vdf_place_missing() - lock held: say why @name cannot be created as a file, with the condition of a
 *  row that is absent now. -EPERM. */
int vdf_place_missing(const struct vdf_place *dir, const char *name, struct vdf_err *err);
int vdf_place_mkdir(const struct vdf_place *dir, const char *name, struct vdf_place *made);
int vdf_place_rmdir(const struct vdf_place *dir, const char *name);
/** vdf_place_is_fixed() - is it there for as long as its object is? */
bool vdf_place_is_fixed(const struct vdf_place *place);
/* The values that decide which names an entry has; all zero: no names. */
struct vdf_shape {
    uint32_t visible;
    uint32_t counts[2]; /* of the '#' on its path */
};
/** vdf_place_shape() - lock held; false: the names depend on more than these values. */
bool vdf_place_shape(const struct vdf_place *place, struct vdf_shape *shape);
/** vdf_place_exists() - lock held: does its `when` hold and its number exist? */
bool vdf_place_exists(const struct vdf_place *place);

/* The result of a stat(2), which the next stat(2) compares with. */
struct vdf_seen {
    uint64_t hash;
    uint64_t size;
    uint64_t generation; /* of the tree, for `state` */
    struct timespec mtime;
    bool valid;
};
int vdf_place_stat(const struct vdf_place *place, struct vdf_seen *seen);

#endif
