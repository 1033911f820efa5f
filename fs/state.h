/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by saving and loading a state. */
#ifndef VDF_STATE_H
#define VDF_STATE_H

#include "core.h"

#define VDF_STATE_HEADER "virtdevfs-state"
#define VDF_STATE_VERSION 1
#define VDF_STATE_CHECKSUM "checksum = "
#define VDF_STATE_MEMORY_LINE 32u /* bytes of memory in a line */

void vdf_crc_add(struct vdf_crc *crc, const void *bytes, size_t len);
/** vdf_crc_sum() - as cksum(1) prints it. */
uint32_t vdf_crc_sum(const struct vdf_crc *crc);

/** vdf_row_levels() - how many '#' a row's path has. */
unsigned vdf_row_levels(const struct vdf_attr *attr);

#endif
