/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Refusals: filling in struct vdf_err. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <virtdevfs/error.h>

int vdf_err_set(struct vdf_err *err, int code, const char *fmt, ...)
{
    va_list ap;

    assert(code > 0);
    if (!err)
        return -code;
    va_start(ap, fmt);
    err->code = code;
    err->routine = false;
    vsnprintf(err->text, sizeof(err->text), fmt, ap);
    va_end(ap);
    return -code;
}

const char *vdf_errno_name(int code)
{
    const char *name = strerrorname_np(code);
    return name && code ? name : "E?";
}
