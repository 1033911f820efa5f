/* SPDX-License-Identifier: GPL-2.0-or-later */
/* States: a device or the whole tree as text, saved and loaded. */
#ifndef VDF_STATE_H
#define VDF_STATE_H

#include "object.h"

/** vdf_state_save() - the whole state of a device (lock held) or of the root (moment write-held).
 */
int vdf_state_save(struct vdf_obj *obj, struct vdf_buf *out);
/** vdf_state_restore() - takes its own locks; all or nothing. */
int vdf_state_restore(struct vdf_obj *obj, const char *text, size_t len, struct vdf_err *err);
/** vdf_state_version() - changes with what vdf_state_save() gives, perhaps more often (same locks).
 */
uint64_t vdf_state_version(const struct vdf_obj *obj);
/** vdf_state_snapshot() - as vdf_state_save(), takes its own locks. @version: of what is in @out */
int vdf_state_snapshot(struct vdf_obj *obj, struct vdf_buf *out, uint64_t *version);

/** vdf_state_measure() - what stat(2) tells of a state, which is not kept in memory; takes its own
 *  locks, one device after the other. @hash: another number when the text is another */
int vdf_state_measure(struct vdf_obj *obj, uint64_t *size, uint64_t *hash);

/* A state that is being written. No lock is held, one thread at a time. After a refusal there is
 * nothing but to free it. */
struct vdf_state_load;
int vdf_state_begin(struct vdf_obj *obj, struct vdf_state_load **load, struct vdf_err *err);
/** vdf_state_feed() - the next bytes; refuses what cannot be in the state. */
int vdf_state_feed(struct vdf_state_load *load, const char *text, size_t len, struct vdf_err *err);
/** vdf_state_whole() - does it end with a whole checksum line by now? */
bool vdf_state_whole(const struct vdf_state_load *load);
/** vdf_state_ends() - the same, the newline may be missing. */
bool vdf_state_ends(const struct vdf_state_load *load);
/** vdf_state_finish() - the text has ended: all of it takes effect, or none. */
int vdf_state_finish(struct vdf_state_load *load, struct vdf_err *err);
void vdf_state_free(struct vdf_state_load *load);

#endif
