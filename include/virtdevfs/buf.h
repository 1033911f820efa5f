/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A growing byte buffer for rendered values and state files. Zero it (or VDF_BUF_INIT) to begin. */
#ifndef VIRTDEVFS_BUF_H
#define VIRTDEVFS_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define VDF_BUF_INLINE 80

struct vdf_buf {
    char *data; /* `small` until it is outgrown; not NUL-terminated */
    size_t len; /* bytes */
    size_t cap; /* bytes */
    bool oom;   /* an append failed for want of memory; what follows is ignored */
    void (*drain)(struct vdf_buf *b); /* takes what is there now and then; NULL: it is kept */
    char small[VDF_BUF_INLINE];
};

#define VDF_BUF_INIT \
    {                \
        0            \
    }

/* vdf_buf_add() of nothing, or where there is no room yet. */
void vdf_buf_add_growing(struct vdf_buf *b, const void *bytes, size_t n);

/** vdf_buf_add() - append @n bytes. Sets `oom` when there is no memory. */
static inline void vdf_buf_add(struct vdf_buf *b, const void *bytes, size_t n)
{
    if (n == 0 || n >= b->cap - b->len || b->oom) {
        vdf_buf_add_growing(b, bytes, n);
        return;
    }
    memcpy(b->data + b->len, bytes, n);
    b->len += n;
}

/** vdf_buf_add_decimal() - append a number. */
void vdf_buf_add_decimal(struct vdf_buf *b, uint64_t value);

/** vdf_buf_add_hex() - append "0x" and at least @digits digits in lower case. */
void vdf_buf_add_hex(struct vdf_buf *b, uint64_t value, unsigned digits);

/** vdf_buf_add_bytes() - append two digits in lower-case hex for each byte. */
void vdf_buf_add_bytes(struct vdf_buf *b, const void *bytes, size_t n);

/** vdf_buf_printf() - append formatted text. Sets `oom` when there is no memory. */
void vdf_buf_printf(struct vdf_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** vdf_buf_reset() - empty the buffer and keep its memory. */
void vdf_buf_reset(struct vdf_buf *b);

/** vdf_buf_free() - empty the buffer and give its memory back. */
void vdf_buf_free(struct vdf_buf *b);

#endif
