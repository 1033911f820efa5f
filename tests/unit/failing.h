/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Allocations that fail when a test says so. The linker puts the functions of failing.c in front of
 * those of the C library, in the programs that ask for it: test_failing_*.c.
 */
#ifndef VDF_TEST_FAILING_H
#define VDF_TEST_FAILING_H

#include <stdbool.h>

/* The @n-th allocation from now on fails, once: memory, a memfd or a mapping. 0: none. */
void vdf_test_fail(unsigned n);
/* Has it failed? Nothing fails after this. */
bool vdf_test_failed(void);

#endif
