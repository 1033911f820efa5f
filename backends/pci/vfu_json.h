/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * JSON (RFC 8259), read from the front: the caller asks for the value that it expects. The text ends
 * with NUL. Functions return 0, or -EINVAL where the text is another value, or none.
 */
#ifndef VDF_PCI_VFU_JSON_H
#define VDF_PCI_VFU_JSON_H

#include <stdbool.h>
#include <stdint.h>

#define VDF_VFU_JSON_DEPTH 8u /* objects and arrays inside each other */
#define VDF_VFU_JSON_KEY 32u  /* bytes of a name, with its NUL; longer ones are passed as "" */

struct vdf_vfu_json {
    const char *at;
    unsigned depth;
};

/* Reads the value of a member, or skips it. */
typedef int vdf_vfu_json_member(void *ctx, const char *key, struct vdf_vfu_json *json);

/** vdf_vfu_json_object() - an object: @member reads each value. */
int vdf_vfu_json_object(struct vdf_vfu_json *json, vdf_vfu_json_member *member, void *ctx);
/** vdf_vfu_json_number() - an integer from 0 to 2^64 - 1. */
int vdf_vfu_json_number(struct vdf_vfu_json *json, uint64_t *value);
int vdf_vfu_json_bool(struct vdf_vfu_json *json, bool *value);
/** vdf_vfu_json_skip() - any value. */
int vdf_vfu_json_skip(struct vdf_vfu_json *json);
/** vdf_vfu_json_end() - the end of the text. */
int vdf_vfu_json_end(struct vdf_vfu_json *json);

#endif
