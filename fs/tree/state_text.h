/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by saving and loading a state. */
#ifndef VDF_STATE_TEXT_H
#define VDF_STATE_TEXT_H

#include "state.h"

#define VDF_STATE_HEADER "virtdevfs-state"
#define VDF_STATE_VERSION 1
#define VDF_STATE_CHECKSUM "checksum = "
#define VDF_STATE_MEMORY_LINE 32u /* bytes of memory in a line */

/** vdf_row_levels() - how many '#' a row's path has. */
unsigned vdf_row_levels(const struct vdf_attr *attr);

#endif
