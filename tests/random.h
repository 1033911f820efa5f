/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random numbers of tests. A test takes its seed from the environment variable VDF_SEED, or uses 1,
 * and prints it: a run that failed is repeated with the same seed.
 */
#ifndef VDF_TEST_RANDOM_H
#define VDF_TEST_RANDOM_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct vdf_random {
    uint64_t state;
};

/* The seed in VDF_SEED; @usual without one. Prints it. */
static inline struct vdf_random vdf_random_begin(const char *test, uint64_t usual)
{
    const char *text = getenv("VDF_SEED");
    struct vdf_random random = { text && *text ? strtoull(text, NULL, 0) : usual };

    printf("%s: VDF_SEED=%" PRIu64 "\n", test, random.state);
    fflush(stdout);
    return random;
}

/* 64 random bits (splitmix64). */
static inline uint64_t vdf_random_next(struct vdf_random *random)
{
    uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* 0 to @n - 1. */
static inline unsigned vdf_random_below(struct vdf_random *random, unsigned n)
{
    return (unsigned)(vdf_random_next(random) % n);
}

#endif
