/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Helpers of the hardware queues' tests: a device, its rings, and commands. */
#ifndef VDF_TEST_HWQUEUE_H
#define VDF_TEST_HWQUEUE_H

#include <criterion/criterion.h>
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

#define DEV "hwqueue/smmu0/"
#define Q0 DEV "queues/0/"
#define Q1 DEV "queues/1/"

#define is(path, text) \
    cr_assert_str_eq(vdf_test_read(path), text, "%s: %s", path, vdf_test_read(path))
#define put(path, text) \
    cr_assert_eq(vdf_test_write(path, text), 0, "%s: %s", path, vdf_test_last_error())
#define number(path) vdf_test_read_u64(path)

/* A refusal: its errno, a line in errors with path, errno and @says, and the value as before. */
static inline void refused(const char *path, const char *text, int code, const char *says)
{
    char *before = strdup(vdf_test_read(path));
    int ret = vdf_test_write(path, text);
    const char *line = vdf_test_last_error();

    cr_assert_eq(ret, -code, "%s <- %s: %d, not %d", path, text, ret, -code);
    cr_assert(strstr(line, path) && strstr(line, vdf_errno_name(code)) && strstr(line, says), "%s",
              line);
    cr_assert_str_eq(vdf_test_read(path), before);
    free(before);
}

/* 64 KiB of memory at IOVA 0x100000, and queue 0 of 2^@log2size commands there, running. */
static inline void start_queue(const char *log2size)
{
    vdf_test_tree(false);
    put(DEV "ioas/map", "0x100000 0x10000");
    cr_assert_eq(vdf_test_mkdir(DEV "queues/0"), 0);
    put(Q0 "base", "0x100000");
    put(Q0 "log2size", log2size);
    put(Q0 "enable", "1");
    is(Q0 "status", "0x00000001");
}

static inline void command(unsigned slot, uint64_t w0, uint64_t w1)
{
    const uint64_t words[2] = { htole64(w0), htole64(w1) };
    cr_assert_eq(vdf_test_pwrite(Q0 "entries", words, 16, slot * 16u), 16);
}

/* One command behind those that have been executed. */
static inline void run(uint64_t w0, uint64_t w1)
{
    uint64_t prod = number(Q0 "prod"), entries = UINT64_C(1) << number(Q0 "log2size");

    command((unsigned)(prod & (entries - 1)), w0, w1);
    cr_assert_eq(vdf_test_write_u64(Q0 "prod", (prod + 1) & (2 * entries - 1)), 0, "%s",
                 vdf_test_last_error());
}

#define SYNC UINT64_C(0x46)
#define TLBI_NH_ASID(asid) (UINT64_C(0x11) | (uint64_t)(asid) << 48)
#define TLBI_NH_VA(asid) (UINT64_C(0x12) | (uint64_t)(asid) << 48)
#define ATC_INV(sid) (UINT64_C(0x40) | (uint64_t)(sid) << 32)

#endif
