/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Logs: the last 64 KiB of a stream of lines or records. */
#ifndef VIRTDEVFS_LOG_H
#define VIRTDEVFS_LOG_H

#include <stddef.h>
#include <stdint.h>

#define VDF_LOG_KEEP 65536u /* bytes of log that are kept */

/* A log. Zero it to begin; the row's `field` names it. */
struct vdf_log {
    uint8_t *ring;  /* VDF_LOG_KEEP bytes, made with the first line */
    uint64_t start; /* stream position of the oldest kept byte */
    uint64_t end;   /* stream position after the newest */
    uint64_t lost;  /* lines that were dropped: `NAME_lost` */
};

/**
 * vdf_log_printf() - append one line; the newline is added. Never fails and never waits: without
 * memory the line counts as lost.
 */
void vdf_log_printf(struct vdf_log *log, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/** vdf_log_add() - append bytes as they are. What has no newline counts as one line when it is
 * dropped. */
void vdf_log_add(struct vdf_log *log, const void *bytes, size_t n);

size_t vdf_log_read(const struct vdf_log *log, uint64_t *position, void *bytes, size_t n);
void vdf_log_free(struct vdf_log *log);

#endif
