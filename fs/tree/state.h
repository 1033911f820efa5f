/* SPDX-License-Identifier: GPL-2.0-or-later */
/* States: a device or the whole tree as text, saved and loaded. */
#ifndef VDF_STATE_H
#define VDF_STATE_H

#include "object.h"

/** vdf_state_save() - the whole state of a device (lock held) or of the root (exclusive). */
int vdf_state_save(struct vdf_obj *obj, struct vdf_buf *out);
/** vdf_state_restore() - takes its own locks; all or nothing. */
int vdf_state_restore(struct vdf_obj *obj, const char *text, size_t len, struct vdf_err *err);
/** vdf_state_version() - a number that differs after each change of the state (same locks). */
uint64_t vdf_state_version(const struct vdf_obj *obj);
/** vdf_state_snapshot() - as vdf_state_save(), takes its own locks. @version: of what is in @out */
int vdf_state_snapshot(struct vdf_obj *obj, struct vdf_buf *out, uint64_t *version);

/** vdf_state_measure() - the size and a hash of a state, without its text in memory; takes its own
 *  locks, one device after the other. */
int vdf_state_measure(struct vdf_obj *obj, uint64_t *size, uint64_t *hash);

/* A state that is being written, by one thread at a time. No lock is held. After a refusal the only
 * valid call is vdf_state_free(). */
struct vdf_state_load;
int vdf_state_begin(struct vdf_obj *obj, struct vdf_state_load **load, struct vdf_err *err);
/** vdf_state_feed() - add the next bytes; refuses bytes that no state can have there. */
int vdf_state_feed(struct vdf_state_load *load, const char *text, size_t len, struct vdf_err *err);
/** vdf_state_whole() - does the text so far end with a whole checksum line? */
bool vdf_state_whole(const struct vdf_state_load *load);
/** vdf_state_ends() - the same, the newline may be missing. */
bool vdf_state_ends(const struct vdf_state_load *load);
/** vdf_state_finish() - the text has ended: all of it takes effect, or none. */
int vdf_state_finish(struct vdf_state_load *load, struct vdf_err *err);
void vdf_state_free(struct vdf_state_load *load);

#endif
