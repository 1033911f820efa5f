/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * FUSE over io_uring: requests and replies without /dev/fuse.
 *
 * The kernel has a queue for each processor. A queue is given entries, each with room for one
 * request; a request of a process on that processor is put into one of them, and the reply gives
 * the entry back. libfuse reads the requests and writes the replies as ever; what lies between it
 * and the kernel is here, because a request that waits (an empty stream) keeps its entry, so that a
 * fixed number of entries, which is what libfuse's own rings have, ends with a processor on which
 * nothing is answered any more. Here a queue gets another entry whenever requests that wait have
 * taken all but a few, and a request that waits can be interrupted.
 *
 * Memory: an entry is VDF_RING_ENTRY_BYTES of address space, of which a page is used by a request
 * that waits to read, and as much more as the largest request or reply that it has carried.
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
 * vdf_rings_attach() - put itself between libfuse and /dev/fuse. After the mount and before the
 * loop. Requests come through /dev/fuse until the kernel has agreed to the rings.
 *
 * Return: 0, or -errno; -EOPNOTSUPP where libfuse is too old.
 */
int vdf_rings_attach(struct fuse_session *session, struct vdf_rings **rings, struct vdf_err *err);

/** vdf_rings_possible() - was libfuse built with what the rings need? */
bool vdf_rings_possible(void);

/**
 * vdf_rings_offer() - while FUSE_INIT is answered: make threads and rings, and have the answer ask
 * for them. From then on @rings serves until vdf_rings_free().
 *
 * Return: 0, or -errno with nothing changed: /dev/fuse will do.
 */
int vdf_rings_offer(struct vdf_rings *rings, struct vdf_err *err);

/**
 * vdf_ring_buffer() - where the answer to a request for data that this thread handles may be put,
 * so that it need not be copied there; the request may be answered later. @size: bytes
 *
 * Return: NULL when the request has not come through a ring.
 */
char *vdf_ring_buffer(size_t size);

/** vdf_ring_request() - has the request that this thread handles come through a ring? */
bool vdf_ring_request(void);

/** vdf_rings_free() - after the unmounting: end the threads. NULL is allowed. */
void vdf_rings_free(struct vdf_rings *rings);

#endif
