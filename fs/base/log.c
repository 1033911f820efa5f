/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Logs: rings of whole lines. */
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <virtdevfs/log.h>

#define LINE_MAX_BYTES 4096

/* Drops whole lines from the old end until @n bytes fit. */
static void drop_lines(struct vdf_log *log, size_t n)
{
    while (log->end - log->start + n > VDF_LOG_KEEP) {
        while (log->start < log->end && log->ring[log->start++ % VDF_LOG_KEEP] != '\n')
            ;
        log->lost++;
    }
}

static void append(struct vdf_log *log, const char *line, size_t n)
{
    size_t at = log->end % VDF_LOG_KEEP;
    size_t first = n < VDF_LOG_KEEP - at ? n : VDF_LOG_KEEP - at;

    memcpy(log->ring + at, line, first);
    memcpy(log->ring, line + first, n - first);
    log->end += n;
}

static bool has_ring(struct vdf_log *log)
{
    if (!log->ring)
        log->ring = malloc(VDF_LOG_KEEP);
    log->lost += !log->ring;
    return log->ring;
}

void vdf_log_add(struct vdf_log *log, const void *bytes, size_t n)
{
    const char *from = bytes;

    while (n > 0 && has_ring(log)) {
        size_t part = n < LINE_MAX_BYTES ? n : LINE_MAX_BYTES;
        drop_lines(log, part);
        append(log, from, part);
        from += part;
        n -= part;
    }
}

void vdf_log_printf(struct vdf_log *log, const char *fmt, ...)
{
    char line[LINE_MAX_BYTES];
    va_list ap;

    if (!has_ring(log))
        return;
    va_start(ap, fmt);
    int n = vsnprintf(line, sizeof(line) - 1, fmt, ap);
    va_end(ap);
    if (n < 0)
        n = 0;
    if ((size_t)n > sizeof(line) - 2)
        n = sizeof(line) - 2;
    line[n++] = '\n';
    drop_lines(log, (size_t)n);
    append(log, line, (size_t)n);
}

size_t vdf_log_read(const struct vdf_log *log, uint64_t *position, void *bytes, size_t n)
{
    if (*position < log->start)
        *position = log->start;
    if (n > log->end - *position)
        n = log->end - *position;
    if (n == 0)
        return 0;

    size_t at = *position % VDF_LOG_KEEP;
    size_t first = n < VDF_LOG_KEEP - at ? n : VDF_LOG_KEEP - at;
    memcpy(bytes, log->ring + at, first);
    memcpy((char *)bytes + first, log->ring, n - first);
    *position += n;
    return n;
}

void vdf_log_free(struct vdf_log *log)
{
    free(log->ring);
    *log = (struct vdf_log){ 0 };
}
