/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Values: rows as text and back. The lock of the device is held. */
#ifndef VDF_VALUE_H
#define VDF_VALUE_H

#include <virtdevfs/log.h>

#include "place.h"

/** vdf_value_render() - what a read of the file gives, with the final newline. 0 or -errno. */
int vdf_value_render(const struct vdf_place *place, struct vdf_buf *out);
#define VDF_VALUE_MAX 65536u /* bytes of a written value */
/** vdf_value_write() - a whole value. 0 or -errno. */
int vdf_value_write(const struct vdf_place *place, const char *text, size_t len,
                    struct vdf_err *err);
/* Rows by number, for state files and windows. */
int vdf_row_get(const struct vdf_at *at, uint64_t *value);
int vdf_row_set(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_row_restore(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
void vdf_row_show(const struct vdf_at *at, struct vdf_buf *out);
int vdf_row_store(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err);
/** vdf_row_hooks() - the backend's hooks, which replace the row's; all NULL without a backend. */
const struct vdf_hooks *vdf_row_hooks(const struct vdf_at *at);
void vdf_row_render_number(const struct vdf_attr *attr, uint64_t value, struct vdf_buf *out);
int vdf_row_parse_number(const struct vdf_attr *attr, const char *text, size_t len, uint64_t *value,
                         struct vdf_err *err);
/** vdf_row_raw_size() - st_size of a VDF_RAW or VDF_WINDOW file, bytes. */
uint64_t vdf_row_raw_size(const struct vdf_at *at);
/** vdf_row_raw_version() - a number that differs after each change of such a file.
 *  @changed: the device's time of change; set to that of a later write through a mapping */
uint64_t vdf_row_raw_version(const struct vdf_at *at, struct timespec *changed);
struct vdf_memory *vdf_row_memory(const struct vdf_at *at);
struct vdf_log *vdf_row_log(const struct vdf_at *at);
bool vdf_row_is_number(const struct vdf_attr *attr);

#endif
