/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VDF_TEST_SKIP_H
#define VDF_TEST_SKIP_H

#include <criterion/criterion.h>
#include <stdio.h>

/* End this Criterion test as skipped. Criterion does not print the reason, and tests/run counts the
 * line. */
#define skip_test(format, ...)                                                                 \
    do {                                                                                       \
        printf("skipped part: %s: " format "\n", criterion_current_test->name, ##__VA_ARGS__); \
        fflush(stdout);                                                                        \
        cr_skip_test("skipped");                                                               \
    } while (0)

#endif
