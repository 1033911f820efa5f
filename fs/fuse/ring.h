/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * FUSE over io_uring: requests and replies without /dev/fuse.
 *
 * The kernel has a queue for each processor. The daemon adds entries to a queue, each with room for
 * one request. The kernel puts a request of a process on that processor into an entry, and the reply
 * returns the entry. libfuse parses the requests and builds the replies, as it does for /dev/fuse;
 * the code here replaces libfuse's own rings. A request that waits (for an empty stream) occupies its
 * entry, and libfuse's fixed number of entries could all be occupied, so that no request of that
 * processor is answered. Here a queue gets another entry whenever waiting requests leave only a few,
 * and a waiting request can be interrupted.
 *
 * Memory: an entry takes VDF_RING_ENTRY_BYTES of address space. A waiting read uses one page of it; the
 * largest request or reply of the entry decides how much more is used.
 */
#ifndef VDF_FUSE_RING_H
#define VDF_FUSE_RING_H

#include <stdbool.h>
#include <stdint.h>
#include <virtdevfs/error.h>

struct fuse_session;
struct vdf_rings;

#define VDF_RING_MAX_WRITE (128u << 10) /* bytes of data in a request, of the session too */
#define VDF_RING_FREE 8u                /* entries of a queue that no request waits in */

/**
 * vdf_rings_attach() - pass libfuse's I/O through here, after the mount and before the loop. Requests
 * come through /dev/fuse until the kernel has accepted the rings.
 *
 * Return: 0, or -errno; -EOPNOTSUPP: libfuse is too old.
 */
int vdf_rings_attach(struct fuse_session *session, struct vdf_rings **rings, struct vdf_err *err);

/** vdf_rings_possible() - has libfuse the functions that the rings need? */
bool vdf_rings_possible(void);

/**
 * vdf_rings_offer() - during FUSE_INIT: create the threads and rings, and request them in the reply.
 * @rings then serves until vdf_rings_free().
 *
 * Return: 0, or -errno with nothing changed: /dev/fuse serves.
 */
int vdf_rings_offer(struct vdf_rings *rings, struct vdf_err *err);

/**
 * vdf_ring_buffer() - the buffer for @size bytes of data in the reply to the request that this thread
 * handles, which saves a copy. The reply may be sent later.
 *
 * Return: NULL: the request did not come through a ring.
 */
char *vdf_ring_buffer(size_t size);

/** vdf_ring_request() - did the request that this thread handles come through a ring? */
bool vdf_ring_request(void);

/** vdf_rings_free() - after unmounting: end the threads. NULL is allowed. */
void vdf_rings_free(struct vdf_rings *rings);

#endif
