/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "hash.h"

/* 2^64 divided by the golden ratio: an odd factor with bits everywhere. Multiplication carries only
 * upwards; a shift to the right brings the upper half down again. */
static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 32;
}

uint64_t vdf_hash(const void *bytes, size_t n)
{
    /* Notices changes of a rendered value and indexes tables by its low bits; nothing depends on it
     * being hard to forge. */
    uint64_t hash = mix(n, UINT64_C(0xcbf29ce484222325)), word;
    const char *p = bytes;

    for (; n >= sizeof(word); p += sizeof(word), n -= sizeof(word)) {
        memcpy(&word, p, sizeof(word));
        hash = mix(hash, word);
    }
    word = 0;
    if (n > 0)
        memcpy(&word, p, n);
    /* Once more, so that the last bytes reach the lowest bits. */
    return mix(mix(hash, word), 0);
}
