/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bits of registers and commands. */
#ifndef VDF_HWQUEUE_BITS_H
#define VDF_HWQUEUE_BITS_H

#include <stdint.h>

#define VDF_BIT(n) (UINT64_C(1) << (n))

/* `len` bits of `word` from bit `shift` up. */
static inline uint64_t vdf_bits(uint64_t word, unsigned shift, unsigned len)
{
    return (word >> shift) & (VDF_BIT(len) - 1);
}

#endif
