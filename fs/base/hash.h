/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hashes of rendered values and names. */
#ifndef VDF_HASH_H
#define VDF_HASH_H

#include <stddef.h>
#include <stdint.h>

/** vdf_hash() - of @n bytes; a forger can find another text with the same hash. */
uint64_t vdf_hash(const void *bytes, size_t n);

#endif
