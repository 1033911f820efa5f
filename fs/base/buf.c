/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Growing byte buffers: small values stay inside the structure and take no allocation. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <virtdevfs/buf.h>

static bool make_room(struct vdf_buf *b, size_t n)
{
    if (b->oom)
        return false;
    if (!b->data) {
        b->data = b->small;
        b->cap = sizeof(b->small);
    }
    if (n <= b->cap - b->len)
        return true;

    size_t want;
    if (__builtin_add_overflow(b->len, n, &want)) {
        b->oom = true;
        return false;
    }
    size_t cap = b->cap;
    while (cap < want && cap <= SIZE_MAX / 2)
        cap *= 2;
    if (cap < want)
        cap = want;
    char *data = realloc(b->data == b->small ? NULL : b->data, cap);
    if (!data) {
        b->oom = true;
        return false;
    }
    if (b->data == b->small)
        memcpy(data, b->small, b->len);
    b->data = data;
    b->cap = cap;
    return true;
}

void vdf_buf_add_growing(struct vdf_buf *b, const void *bytes, size_t n)
{
    if (n == 0 || !make_room(b, n))
        return;
    memcpy(b->data + b->len, bytes, n);
    b->len += n;
}

void vdf_buf_add_decimal(struct vdf_buf *b, uint64_t value)
{
    char text[20], *p = text + sizeof(text);

    do {
        *--p = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    vdf_buf_add(b, p, (size_t)(text + sizeof(text) - p));
}

void vdf_buf_add_hex(struct vdf_buf *b, uint64_t value, unsigned digits)
{
    char text[18], *p = text + sizeof(text), *widest = text + 2;
    const char *end = p - digits;

    do {
        *--p = "0123456789abcdef"[value & 0xf];
        value >>= 4;
    } while (p > widest && (value || p > end));
    *--p = 'x';
    *--p = '0';
    vdf_buf_add(b, p, (size_t)(text + sizeof(text) - p));
}

void vdf_buf_add_bytes(struct vdf_buf *b, const void *bytes, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *from = bytes;
    char text[64];

    while (n > 0 && !b->oom) {
        size_t some = n < sizeof(text) / 2 ? n : sizeof(text) / 2;
        for (size_t k = 0; k < some; k++) {
            text[2 * k] = digits[from[k] >> 4];
            text[2 * k + 1] = digits[from[k] & 0xf];
        }
        vdf_buf_add(b, text, 2 * some);
        from += some;
        n -= some;
    }
}

void vdf_buf_printf(struct vdf_buf *b, const char *fmt, ...)
{
    if (!make_room(b, 1))
        return;

    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(b->data + b->len, b->cap - b->len, fmt, ap);
    va_end(ap);
    if (n < 0) {
        b->oom = true;
        return;
    }
    if ((size_t)n >= b->cap - b->len) {
        if (!make_room(b, (size_t)n + 1))
            return;
        va_start(ap, fmt);
        vsnprintf(b->data + b->len, b->cap - b->len, fmt, ap);
        va_end(ap);
    }
    b->len += (size_t)n;
}

void vdf_buf_reset(struct vdf_buf *b)
{
    b->len = 0;
    b->oom = false;
}

void vdf_buf_free(struct vdf_buf *b)
{
    if (b->data != b->small)
        free(b->data);
    b->data = NULL;
    b->cap = 0;
    vdf_buf_reset(b);
}
