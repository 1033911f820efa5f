/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel keeps of the tree, and how it is made to drop it.
 *
 * A number of fixed width that is opened for reading only is read through the kernel's page cache,
 * its attributes stay with the kernel, and so do names. Here is a note of what that may be. When a
 * device has changed, under its lock, the notes are compared with what is there now; where they
 * differ the kernel is told, and who caused the change gets no answer before the kernel has dropped
 * the old value:
 *
 *     a change ──> drops ──> replies
 *
 * A note is made before the value is looked at for the kernel, so that no change can slip in
 * between. A value that the kernel is being given in the meantime is dropped as well: dropping
 * waits for the page that a reader has locked, and newer attributes win over older ones. For that
 * reason it is done by a thread that answers no request.
 *
 * A value is kept when it has been read many times without a change in between. One that changes
 * with every look is left to the daemon, which then answers a read with one request and a change
 * with none; and who reads a value in pieces while it changes, which the kernel's page cannot give
 * in one version, meets a kept value only where it has stood still for some time.
 *
 * The first change of a kept value that somebody has looked at since the last one is stored into
 * the kernel's page, which saves the reader one of two requests; a second one that nobody has asked
 * for drops it, and from then on changes cost nothing.
 *
 * Names are all dropped at once, by a new epoch (Linux 6.17), when files of an object have come or
 * gone of which the kernel has names; an older kernel keeps none.
 *
 * Not kept: what may change without the tree being told (VDF_LIVE, vdf_obj_set_live()), values
 * whose length varies, files that are polled.
 */
#ifndef VDF_FUSE_CACHE_H
#define VDF_FUSE_CACHE_H

#include "node.h"

/** vdf_cache_start() - make the thread; 0 or -errno. Without it nothing is kept. */
int vdf_cache_start(struct vdf_fuse *fuse);
/** vdf_cache_end() - nothing more is asked for: the devices are gone. What is left is done when
 *  fuse->drops_pending is false; requests have to be answered until then. */
void vdf_cache_end(struct vdf_fuse *fuse);
/** vdf_cache_stop() - after that, and before the unmounting: wait for the thread's end. */
void vdf_cache_stop(struct vdf_fuse *fuse);

/** vdf_cache_holds() - can files of this place that are open for reading only be kept? */
bool vdf_cache_holds(const struct vdf_fuse *fuse, const struct vdf_place *place);

/** vdf_cache_seen() - a file was read whole, not through the page cache; the lock of the device is
 * held.
 */
void vdf_cache_seen(const struct vdf_fuse *fuse, struct vdf_node *node);
/** vdf_cache_wants() - should a file that is opened for reading only be kept? */
bool vdf_cache_wants(struct vdf_fuse *fuse, struct vdf_node *node);

enum vdf_cache_part {
    VDF_CACHE_PAGE = 1,
    VDF_CACHE_ATTR = 2,
    VDF_CACHE_STORE = 4, /* to be dropped: put another text into the page */
};
/** vdf_cache_note() - the kernel is about to get a part of a node. No lock held.
 *  Return: whether it may be kept; if not, the part has to be let go at once. */
bool vdf_cache_note(struct vdf_fuse *fuse, struct vdf_node *node, enum vdf_cache_part part);
/** vdf_cache_note_name() - the same for the name that leads to a place. */
bool vdf_cache_note_name(struct vdf_fuse *fuse, const struct vdf_place *place);
/** vdf_cache_never() - from now on a node is not kept; the lock of its device is held. */
void vdf_cache_never(struct vdf_fuse *fuse, struct vdf_node *node);
/** vdf_cache_text() - a page is read while another text is being put into it: the same text, so
 * that both are the same page. Its length, or 0 when none is. */
ssize_t vdf_cache_text(struct vdf_fuse *fuse, const struct vdf_node *node, char *bytes,
                       size_t size);
/** vdf_cache_let_go() - the kernel is about to be given a page that it must not keep. */
void vdf_cache_let_go(struct vdf_fuse *fuse, struct vdf_node *node);
/** vdf_cache_forget() - the kernel has forgotten a node: no notes of it. */
void vdf_cache_forget(struct vdf_fuse *fuse, struct vdf_node *node);

/** vdf_cache_changed() - for tree->changed, the lock of the device is held. */
void vdf_cache_changed(void *arg, struct vdf_device *device);
/** vdf_cache_settle() - for tree->settle: return when the kernel has dropped what changed before,
 * or when @stop is set. No lock held. */
void vdf_cache_settle(void *arg, const atomic_bool *stop);

/* Replies to requests that may have changed something, or that tell of what others have changed: at
 * once, or behind the drops. */
/** vdf_reply_waits() - whether a reply would have to wait just now. */
static inline bool vdf_reply_waits(const struct vdf_fuse *fuse)
{
    return atomic_load(&fuse->drops_pending);
}
void vdf_reply_write(struct vdf_fuse *fuse, fuse_req_t req, size_t n);
void vdf_reply_err(struct vdf_fuse *fuse, fuse_req_t req, int error);
/** vdf_reply_read() - of what does not go into the kernel's page. */
void vdf_reply_read(struct vdf_fuse *fuse, fuse_req_t req, const char *bytes, size_t n);
void vdf_reply_poll(struct vdf_fuse *fuse, fuse_req_t req, unsigned events);
/** vdf_reply_later() - the same for any reply: late->send() makes it, here or in the thread that
 * drops. No lock held. */
void vdf_reply_later(struct vdf_fuse *fuse, struct vdf_late *late);

#endif
