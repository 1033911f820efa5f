/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Registers by offset, for `regs` and other windows. */
#ifndef VDF_WINDOW_H
#define VDF_WINDOW_H

#include <virtdevfs/component.h>

/** vdf_window_ops() - of a VDF_WINDOW row, which need not name any. */
const struct vdf_window_ops *vdf_window_ops(const struct vdf_attr *row);

/** vdf_window_ready() - 0, or -errno while the window refuses all accesses. */
int vdf_window_ready(const struct vdf_at *at, struct vdf_err *err);
/** vdf_window_width() - bytes of the register that begins at @offset of window @row; 0: none. */
unsigned vdf_window_width(const struct vdf_obj *obj, const struct vdf_attr *row, uint64_t offset);
/** vdf_window_into() - the bytes from the begin of the register that contains @offset; 0: no register
 *  contains it, or one begins there. */
unsigned vdf_window_into(const struct vdf_obj *obj, const struct vdf_attr *row, uint64_t offset);

#endif
