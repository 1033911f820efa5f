/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bytes of an input, taken one after the other by a target that is a sequence of operations. */
#ifndef VDF_FUZZ_INPUT_H
#define VDF_FUZZ_INPUT_H

#include <stddef.h>
#include <stdint.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct input {
    const uint8_t *data;
    size_t left;
};

/* Little-endian; zeros behind the end. */
static inline uint64_t take(struct input *in, unsigned bytes)
{
    uint64_t value = 0;

    for (unsigned k = 0; k < bytes && in->left; k++, in->data++, in->left--)
        value |= (uint64_t)*in->data << (8 * k);
    return value;
}

/* @n bytes, zeros behind the end. */
static inline void take_bytes(struct input *in, void *to, size_t n)
{
    uint8_t *bytes = to;

    for (size_t k = 0; k < n; k++)
        bytes[k] = (uint8_t)take(in, 1);
}

static inline const char *pick(struct input *in, const char *const *from, size_t n)
{
    return from[take(in, 1) % n];
}

#define PICK(in, from) pick(in, from, COUNT(from))

#endif
