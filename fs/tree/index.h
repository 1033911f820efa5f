/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The registers of a window by offset, compiled once with the table of their class. */
#ifndef VDF_INDEX_H
#define VDF_INDEX_H

#include <virtdevfs/component.h>

/* A register at an offset in its bank. Rows of different `when` can share an offset. */
struct vdf_index_entry {
    uint64_t offset;
    const struct vdf_attr *attr;
};

/* Registers that repeat together: the IDC structures of an APLIC. The first bank of a window has all
 * registers that do not repeat: its stride is 0. */
struct vdf_bank {
    uint64_t base, stride;           /* bytes */
    struct vdf_index_entry *entries; /* by offset, in the order of the rows where that is equal */
    size_t n;
};

struct vdf_index {
    struct vdf_bank *banks; /* the first, and then by base */
    size_t n;
};

/** vdf_index_compile() - the registers of @cls in @window. 0 or -ENOMEM. */
int vdf_index_compile(struct vdf_index *index, const struct vdf_class *cls, unsigned window);
void vdf_index_free(struct vdf_index *index);

/**
 * vdf_index_find() - the row whose register begins at @offset of the window.
 * @priv:   the private structure that says which rows and numbers exist
 * @number: result: the number of the row's first '#', or 0
 *
 * Return: the row; NULL when no register begins there.
 */
const struct vdf_attr *vdf_index_find(const struct vdf_index *index, const void *priv,
                                      uint64_t offset, uint32_t *number);

#endif
