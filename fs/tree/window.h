/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Registers by offset, for the files `regs` and their likes. */
#ifndef VDF_WINDOW_H
#define VDF_WINDOW_H

#include <virtdevfs/component.h>

/** vdf_window_ops() - of a VDF_WINDOW row, which need not name any. */
const struct vdf_window_ops *vdf_window_ops(const struct vdf_attr *row);

/** vdf_window_width() - bytes of the register that begins at @offset of window @row; 0: none does.
 */
unsigned vdf_window_width(const struct vdf_obj *obj, const struct vdf_attr *row, uint64_t offset);
/** vdf_window_into() - how many bytes behind the begin of a register @offset lies in it; 0: in
 * none, or at its begin. */
unsigned vdf_window_into(const struct vdf_obj *obj, const struct vdf_attr *row, uint64_t offset);

#endif
