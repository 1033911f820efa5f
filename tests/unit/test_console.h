/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Helpers of the console's tests. */
#ifndef VDF_TEST_CONSOLE_H
#define VDF_TEST_CONSOLE_H

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/console/queue.h"
#include "harness.h"

#define CON "console/con0/"
#define P0 CON "ports/0/"
#define P1 CON "ports/1/"

#define is(path, text) \
    cr_assert_str_eq(vdf_test_read(path), text, "%s: %s", path, vdf_test_read(path))
#define put(path, text) \
    cr_assert_eq(vdf_test_write(path, text), 0, "%s: %s", path, vdf_test_last_error())

/* A refusal: its errno, and a line in errors with the path, the errno and @says. */
static inline void refused(const char *path, const char *text, int code, const char *says)
{
    int ret = vdf_test_write(path, text);
    const char *line = vdf_test_last_error();

    cr_assert_eq(ret, -code, "%s <- %s: %d", path, text, ret);
    cr_assert(strstr(line, path) && strstr(line, vdf_errno_name(code)) && strstr(line, says), "%s",
              line);
}

static inline struct vdf_test_file *opened(const char *path, int flags)
{
    int error = 0;
    struct vdf_test_file *file = vdf_test_open(path, flags, &error);

    cr_assert(file, "%s: %d", path, error);
    return file;
}

static inline void send_text(struct vdf_test_file *file, const char *text)
{
    ssize_t n = (ssize_t)strlen(text);
    ssize_t ret = vdf_test_file_write(file, text, (size_t)n);

    cr_assert_eq(ret, n, "%zd", ret);
}

/* One read, in a static buffer; "-EAGAIN" and the like. */
static inline const char *got_text(struct vdf_test_file *file)
{
    static char text[70000];
    ssize_t n = vdf_test_file_read(file, text, sizeof(text) - 1);

    if (n < 0)
        snprintf(text, sizeof(text), "-%s", vdf_errno_name((int)-n));
    else
        text[n] = '\0';
    return text;
}

#define got(file, wanted)                           \
    do {                                            \
        const char *got_ = got_text(file);          \
        cr_assert_str_eq(got_, wanted, "%s", got_); \
    } while (0)

/* All that can be read. */
static inline size_t drain(struct vdf_test_file *file)
{
    char bytes[4096];
    size_t total = 0;
    ssize_t n;

    while ((n = vdf_test_file_read(file, bytes, sizeof(bytes))) > 0)
        total += (size_t)n;
    cr_assert_eq(n, -EAGAIN, "%zd", n);
    return total;
}

#endif
