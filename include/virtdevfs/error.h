/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Refusals: an errno and the sentence that goes to `/errors`.
 *
 * A function that can refuse takes a struct vdf_err and returns 0 or -errno. The sentence names the
 * value that was wrong and says what would be right; the path and the errno's name are added where
 * the line is written.
 */
#ifndef VIRTDEVFS_ERROR_H
#define VIRTDEVFS_ERROR_H

#include <stdbool.h>
#include <stddef.h>

#define VDF_ERR_TEXT 256

struct vdf_err {
    int code;                /* positive errno, 0: none */
    char text[VDF_ERR_TEXT]; /* "17: harts are 1 to 16", cut to fit */
    bool routine;            /* copies and editors run into it by the dozen */
};

/**
 * vdf_fail() - fill in a refusal.
 * @err:  where to put it; NULL when nobody asks for the sentence
 * @code: positive errno
 * @...:  printf format of the sentence, without path, errno and newline, and its arguments
 *
 * A macro, so that compilers and analysers see that the value is negative.
 *
 * Return: -@code, so that callers say `return vdf_fail(...)`.
 */
#define vdf_fail(err, code, ...)                                          \
    ({                                                                    \
        const int vdf_fail_ret = vdf_err_set((err), (code), __VA_ARGS__); \
        if (vdf_fail_ret >= 0)                                            \
            __builtin_unreachable();                                      \
        vdf_fail_ret;                                                     \
    })

/** vdf_err_set() - the function behind vdf_fail(). */
int vdf_err_set(struct vdf_err *err, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/**
 * vdf_errno_name() - the symbol of an errno, "EINVAL".
 * @code: positive errno
 *
 * Return: a static string; "E?" for a number without a name.
 */
const char *vdf_errno_name(int code);

#endif
