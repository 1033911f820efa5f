/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Helpers of the GAIT's tests: one device, a guest "vm" and functions of it. */
#ifndef VDF_TEST_GAIT_H
#define VDF_TEST_GAIT_H

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "harness.h"

#define G "gait/gait0/"
#define VM G "guests/vm/"
#define MEMORY_SIZE 1048576u /* of a new guest */

#define OK(call) cr_assert_eq(call, 0, "%s: %s", #call, vdf_test_last_error())
#define FAILS(code, call) cr_assert_eq(call, -(code), "%s", #call)
/* A refusal that adds a line with its errno and @words to /errors. */
#define REFUSED(code, words, call)                                                    \
    do {                                                                              \
        FAILS(code, call);                                                            \
        cr_assert(strstr(vdf_test_last_error(), #code), "%s", vdf_test_last_error()); \
        cr_assert(strstr(vdf_test_last_error(), words), "%s", vdf_test_last_error()); \
    } while (0)
#define IS(path, text) cr_assert_str_eq(vdf_test_read(path), text, "%s", path)

static inline const char *path_of(const char *dir, const char *name, const char *file)
{
    static char path[256];

    snprintf(path, sizeof(path), G "%s/%s/%s", dir, name, file);
    return path;
}

static inline int put(const char *function, const char *file, uint64_t value)
{
    return vdf_test_write_u64(path_of("functions", function, file), value);
}

static inline uint64_t get(const char *function, const char *file)
{
    return vdf_test_read_u64(path_of("functions", function, file));
}

static inline uint64_t entry(unsigned n, const char *file)
{
    char number[16];

    snprintf(number, sizeof(number), "%u", n);
    return vdf_test_read_u64(path_of("entries", number, file));
}

/* A function of the guest, not registered. */
static inline void make_function(const char *name, unsigned isc, uint64_t ibv, uint64_t sb,
                                 unsigned sbo)
{
    char path[128];

    snprintf(path, sizeof(path), G "functions/%s", name);
    OK(vdf_test_mkdir(path));
    OK(vdf_test_write(path_of("functions", name, "guest"), "vm"));
    OK(put(name, "isc", isc));
    OK(put(name, "ibv", ibv));
    OK(put(name, "sb", sb));
    OK(put(name, "sbo", sbo));
}

/* Device enabled, with a guest. */
static inline void set_up(void)
{
    vdf_test_tree(false);
    OK(vdf_test_write(G "enabled", "1"));
    OK(vdf_test_mkdir(G "guests/vm"));
}

static inline uint8_t byte_at(const char *path, uint64_t offset)
{
    uint8_t byte;

    cr_assert_eq(vdf_test_pread(path, &byte, 1, offset), 1);
    return byte;
}

static inline bool all_zero(const char *path, size_t n)
{
    static uint8_t bytes[8192];

    cr_assert(n <= sizeof(bytes));
    cr_assert_eq(vdf_test_pread(path, bytes, n, 0), (ssize_t)n);
    for (size_t k = 0; k < n; k++)
        if (bytes[k])
            return false;
    return true;
}

#endif
