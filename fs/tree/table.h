/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables: the rows of a class, compiled once into a tree of names. */
#ifndef VDF_TABLE_H
#define VDF_TABLE_H

#include <virtdevfs/component.h>

#include "index.h"

#define VDF_NAME_MAX 64 /* bytes of an object's name */

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

#define VDF_WINDOWS 4u /* numbers of windows end below it */

struct vdf_table {
    const struct vdf_class *cls;
    const struct vdf_attr *windows[VDF_WINDOWS]; /* their VDF_WINDOW rows, by number */
    struct vdf_index indexes[VDF_WINDOWS];       /* their registers */
    struct vdf_entry *root;
    struct vdf_table *next;
};

/** vdf_table_compile() - the trees of names of a class and of the classes of its objects. The root
 *  (@depth 0) and devices (1) get a `state` file. 0 or -ENOMEM. */
int vdf_table_compile(struct vdf_table **list, const struct vdf_class *cls, unsigned depth);
struct vdf_table *vdf_table_find(struct vdf_table *list, const struct vdf_class *cls);
void vdf_table_free_all(struct vdf_table **list);

const struct vdf_attr *vdf_class_row(const struct vdf_class *cls, const char *path);
/** vdf_class_split() - split "ports/1/x" of @len bytes at an object: its row in the class, its
 * name, and the rest behind the '/'. NULL when the path does not begin with one. */
const struct vdf_attr *vdf_class_split(const struct vdf_class *cls, const char *path, size_t len,
                                       char name[VDF_NAME_MAX + 1], const char **rest);

uint32_t vdf_range_count(const struct vdf_range *range, const void *priv);
bool vdf_range_has(const struct vdf_range *range, const void *priv, uint32_t number);
/** vdf_range_nth() - the @n-th number, whether or not `has` leaves it out. */
uint32_t vdf_range_nth(const struct vdf_range *range, uint32_t n);

#endif
