/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The CRC of POSIX's cksum(1), which a user of an edited state can compute. */
#ifndef VDF_CRC_H
#define VDF_CRC_H

#include <stddef.h>
#include <stdint.h>

/* Zero it to begin. */
struct vdf_crc {
    uint32_t rest;
    uint64_t len; /* bytes */
};

/** vdf_crc_add() - the next @len bytes. */
void vdf_crc_add(struct vdf_crc *crc, const void *bytes, size_t len);
/** vdf_crc_sum() - as cksum(1) prints it. */
uint32_t vdf_crc_sum(const struct vdf_crc *crc);
/** vdf_crc_join() - of two texts, @part behind @crc. */
void vdf_crc_join(struct vdf_crc *crc, const struct vdf_crc *part);

#endif
