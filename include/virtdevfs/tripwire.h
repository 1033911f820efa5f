/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The first store of a guest to memory that has been quiet, as an event.
 *
 * A guest that stores to memory which it shares with a device tells nobody, so that the device has
 * to look. A wire is a second mapping of the memory, which is given to the guest in its place.
 * While it is set, whoever stores through that mapping stands still until it is cleared, and the
 * descriptor is ready. Stores through other mappings and write(2) do not meet it, and so neither
 * does the device itself.
 *
 * A processor that stands still cannot be stopped by a signal everywhere. Who waits for it while
 * nobody can enter the device has to clear the wire first: vdf_guest_ops.release.
 */
#ifndef VIRTDEVFS_TRIPWIRE_H
#define VIRTDEVFS_TRIPWIRE_H

#include <stdbool.h>
#include <virtdevfs/memory.h>

/* All zero: not open. */
struct vdf_tripwire {
    struct vdf_memory mem; /* a view, for the guest; `base` is NULL while it is not open */
    int fd;                /* readable while somebody stands still */
    bool set;
};

/**
 * vdf_tripwire_open() - map @mem, which has been touched, once more.
 * Return: 0, or -errno with nothing changed: ENOSYS, EPERM, EINVAL where userfaultfd(2) is missing,
 * forbidden, or cannot do this with shared memory (Linux 5.19).
 */
int vdf_tripwire_open(struct vdf_tripwire *wire, const struct vdf_memory *mem);

/** vdf_tripwire_close() - unmap; who stands still goes on. Nothing when it is not open. */
void vdf_tripwire_close(struct vdf_tripwire *wire);

/** vdf_tripwire_set() - from now on the first store is told; whether one came before has to be
 * looked for afterwards. Nothing when it is not open or the kernel refuses. */
void vdf_tripwire_set(struct vdf_tripwire *wire);

/** vdf_tripwire_clear() - who stands still goes on; the store follows in its own time. */
void vdf_tripwire_clear(struct vdf_tripwire *wire);

#endif
