/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The functions that the linker's --wrap puts in the place of the C library's. */
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>

#include "failing.h"

static atomic_uint left; /* allocations until the one that fails, it included; 0: none does */
static atomic_bool failed;

void vdf_test_fail(unsigned n)
{
    atomic_store(&failed, false);
    atomic_store(&left, n);
}

bool vdf_test_failed(void)
{
    atomic_store(&left, 0);
    return atomic_load(&failed);
}

static bool fails(void)
{
    unsigned n = atomic_load(&left);

    while (n && !atomic_compare_exchange_weak(&left, &n, n - 1)) {
    }
    if (n != 1)
        return false;
    atomic_store(&failed, true);
    errno = ENOMEM;
    return true;
}

#define WRAP(type, name, failure, params, args)        \
    type __real_##name params;                         \
    type __wrap_##name params;                         \
    type __wrap_##name params                          \
    {                                                  \
        return fails() ? failure : __real_##name args; \
    }

WRAP(void *, malloc, NULL, (size_t n), (n))
WRAP(void *, calloc, NULL, (size_t n, size_t size), (n, size))
WRAP(void *, realloc, NULL, (void *p, size_t n), (p, n))
WRAP(char *, strdup, NULL, (const char *text), (text))
WRAP(char *, strndup, NULL, (const char *text, size_t n), (text, n))
WRAP(int, memfd_create, -1, (const char *name, unsigned flags), (name, flags))
WRAP(void *, mmap, MAP_FAILED, (void *at, size_t n, int prot, int flags, int fd, off_t offset),
     (at, n, prot, flags, fd, offset))

int __wrap_asprintf(char **text, const char *format, ...);
int __wrap_asprintf(char **text, const char *format, ...)
{
    va_list ap;

    if (fails())
        return -1;
    va_start(ap, format);
    int n = vasprintf(text, format, ap);
    va_end(ap);
    return n;
}
