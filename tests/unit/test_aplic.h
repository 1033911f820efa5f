/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Helpers of the APLIC's tests: a device, files by format, the log of MSIs. */
#ifndef VDF_TEST_APLIC_H
#define VDF_TEST_APLIC_H

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

#define DEV "aplic/t"

#define RISING 4
#define FALLING 5
#define HIGH 6
#define LOW 7

/* The path of a file of the device; four may be in use at a time. */
__attribute__((format(printf, 1, 2))) static inline const char *at(const char *fmt, ...)
{
    static char paths[4][96];
    static unsigned next;
    char *path = paths[next++ % 4];
    int n = snprintf(path, sizeof(paths[0]), DEV "/");
    va_list args;

    va_start(args, fmt);
    vsnprintf(path + n, sizeof(paths[0]) - (size_t)n, fmt, args);
    va_end(args);
    return path;
}

static inline void put(const char *path, uint64_t value)
{
    cr_assert_eq(vdf_test_write_u64(path, value), 0, "%s = %" PRIu64 ": %s", path, value,
                 vdf_test_last_error());
}

static inline void put_text(const char *path, const char *text)
{
    cr_assert_eq(vdf_test_write(path, text), 0, "%s = %s: %s", path, text, vdf_test_last_error());
}

static inline void expect(const char *path, const char *text)
{
    const char *got = vdf_test_read(path);

    cr_assert_str_eq(got, text, "%s is %s, not %s", path, got, text);
}

static inline void expect_number(const char *path, uint64_t value)
{
    uint64_t got = vdf_test_read_u64(path);

    cr_assert_eq(got, value, "%s is 0x%" PRIx64 ", not 0x%" PRIx64, path, got, value);
}

/* The write is refused with @code and a sentence, and changes nothing. */
static inline void refuse(int code, const char *path, const char *text)
{
    char *before = strdup(vdf_test_exists(DEV) ? vdf_test_read(DEV "/state") : "");
    int ret = vdf_test_write(path, text);

    cr_assert_eq(ret, -code, "%s = %s answers %d, not %d", path, text, ret, -code);
    cr_assert_not_null(strstr(vdf_test_last_error(), path), "%s", vdf_test_last_error());
    if (vdf_test_exists(DEV))
        cr_assert_str_eq(vdf_test_read(DEV "/state"), before);
    free(before);
}

/* A device with MSI delivery and hart numbers in the IMSIC addresses, initialised. */
static inline void make_msi(unsigned harts, unsigned sources, unsigned ids)
{
    vdf_test_tree(true);
    cr_assert_eq(vdf_test_mkdir(DEV), 0);
    put(at("harts"), harts);
    put(at("aia/srcs"), sources);
    put(at("aia/ids"), ids);
    put(at("aia/hart_bits"), 4);
    put(at("addr/aplic"), 0xd000000);
    for (unsigned h = 0; h < harts; h++)
        put(at("addr/imsic/%u", h), 0x28000000 + UINT64_C(0x1000) * h);
    put(at("init"), 0);
}

static inline void make_direct(unsigned harts, unsigned sources)
{
    vdf_test_tree(true);
    cr_assert_eq(vdf_test_mkdir(DEV), 0);
    put_text(at("delivery"), "direct");
    put(at("harts"), harts);
    put(at("aia/srcs"), sources);
    put(at("init"), 1);
}

/* The whole log of MSIs, in a static buffer; "" when there is none. */
static inline const char *msis(void)
{
    static char text[65537];
    int error;
    struct vdf_test_file *file = vdf_test_open(at("msi"), O_RDONLY | O_NONBLOCK, &error);

    cr_assert_not_null(file);
    ssize_t n = vdf_test_file_read(file, text, sizeof(text) - 1);
    vdf_test_close(file);
    cr_assert(n >= 0 || n == -EAGAIN);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

static inline uint64_t reg(uint64_t offset)
{
    uint64_t value;
    int ret = vdf_test_reg_read(at("regs"), offset, 4, &value);

    cr_assert_eq(ret, 0, "reading 0x%" PRIx64 " answers %d", offset, ret);
    return value;
}

static inline void put_reg(uint64_t offset, uint64_t value)
{
    int ret = vdf_test_reg_write(at("regs"), offset, 4, value);

    cr_assert_eq(ret, 0, "writing 0x%" PRIx64 " answers %d", offset, ret);
}

#endif
