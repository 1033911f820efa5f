/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's cache of the tree: values, attributes and names, and their invalidation.
 *
 * The kernel caches the page of a number of fixed width that is opened for reading only, the
 * attributes of such a file, and names. The daemon notes each of these. After a change of a device,
 * under its lock, the daemon compares the notes with the present values and asks the kernel to drop
 * those that differ. A reply that reveals the change waits until the kernel has dropped the old value:
 *
 *     a change ──> drops ──> replies
 *
 * The daemon makes a note before it reads the value for the kernel, so that no change is missed. A
 * drop also reaches a value that is on its way to the kernel: a drop waits for a page that a reader
 * has locked, and newer attributes win over older ones. Since drops wait, a thread that answers no
 * requests makes them.
 *
 * A value is cached after many reads without a change in between. A value that changes between reads
 * is not worth a note: the daemon answers each read with one request, and a change costs nothing. A
 * reader that takes several read(2) calls for one value could see two versions in the kernel's page;
 * the many quiet reads make that unlikely.
 *
 * The first change of a cached value that was read since the change before is stored into the
 * kernel's page, which saves the reader one of two requests. The next change without a read in
 * between drops the page, and further changes cost nothing.
 *
 * When files of an object appear or disappear, and the kernel has names of them, a new epoch (Linux
 * 6.17) drops all names at once. Older kernels cache no names.
 *
 * The kernel caches no value that may change without the tree's knowledge (VDF_LIVE,
 * vdf_obj_set_live()), no value of varying length, and no file that is polled.
 */
#ifndef VDF_FUSE_CACHE_H
#define VDF_FUSE_CACHE_H

#include "node.h"

/** vdf_cache_start() - start the thread; 0 or -errno. Without it the kernel caches nothing. */
int vdf_cache_start(struct vdf_fuse *fuse);
/** vdf_cache_end() - the devices are gone: ask for no more drops. Pending drops are complete when
 *  fuse->drops_pending is false; the caller answers requests until then. */
void vdf_cache_end(struct vdf_fuse *fuse);
/** vdf_cache_stop() - after vdf_cache_end() and before unmounting: wait for the thread's end. */
void vdf_cache_stop(struct vdf_fuse *fuse);

/** vdf_cache_seen() - device lock held: a file was read whole, and not through the page cache. */
void vdf_cache_seen(const struct vdf_fuse *fuse, struct vdf_node *node);
/** vdf_cache_wants() - should the kernel cache a file that is opened for reading only? */
bool vdf_cache_wants(struct vdf_fuse *fuse, struct vdf_node *node);

enum vdf_cache_part {
    VDF_CACHE_PAGE = 1,
    VDF_CACHE_ATTR = 2,
    VDF_CACHE_STORE = 4, /* a drop: replace the page's text */
};
/** vdf_cache_note() - the kernel is about to get a part of a node. No lock held.
 *  Return: may the kernel cache the part? Otherwise the caller drops the part at once. */
bool vdf_cache_note(struct vdf_fuse *fuse, struct vdf_node *node, enum vdf_cache_part part);
/** vdf_cache_note_name() - the same for the name of a place. */
bool vdf_cache_note_name(struct vdf_fuse *fuse, const struct vdf_place *place);
/** vdf_cache_never() - device lock held: the kernel no longer caches this node. */
void vdf_cache_never(struct vdf_fuse *fuse, struct vdf_node *node);
/** vdf_cache_text() - copy the text that is being stored into the kernel's page of @node, so that a
 *  reader sees the same. Return: its length; 0: no text is being stored. */
ssize_t vdf_cache_text(struct vdf_fuse *fuse, const struct vdf_node *node, char *bytes,
                       size_t size);
/** vdf_cache_drop_page() - drop the page that the next reply brings to the kernel. */
void vdf_cache_drop_page(struct vdf_fuse *fuse, struct vdf_node *node);
/** vdf_cache_forget() - the kernel has forgotten a node: remove its note. */
void vdf_cache_forget(struct vdf_fuse *fuse, struct vdf_node *node);

/** vdf_cache_changed() - struct vdf_edge_ops.changed */
void vdf_cache_changed(void *arg, struct vdf_device *device);
/** vdf_cache_settle() - struct vdf_edge_ops.settle */
void vdf_cache_settle(void *arg, const atomic_bool *stop);

/* Replies to requests that may have changed a device or may reveal a change: sent at once, or after
 * the pending drops. No lock is held. */
/** vdf_reply_waits() - would a reply have to wait now? */
static inline bool vdf_reply_waits(const struct vdf_fuse *fuse)
{
    return atomic_load(&fuse->drops_pending);
}
void vdf_reply_write(struct vdf_fuse *fuse, fuse_req_t req, size_t n);
void vdf_reply_err(struct vdf_fuse *fuse, fuse_req_t req, int error);
/** vdf_reply_read() - for reads that bypass the kernel's page cache. */
void vdf_reply_read(struct vdf_fuse *fuse, fuse_req_t req, const char *bytes, size_t n);
void vdf_reply_poll(struct vdf_fuse *fuse, fuse_req_t req, unsigned events);
/** vdf_reply_later() - the same for any reply: call reply->send() here, or in the thread of the drops.
 */
void vdf_reply_later(struct vdf_fuse *fuse, struct vdf_reply *reply);

#endif
