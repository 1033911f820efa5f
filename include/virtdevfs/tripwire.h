/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The first store of a guest to memory that has been quiet, as an event.
 *
 * A store of a guest to memory that it shares with a device causes no event, so the device has to
 * poll. A tripwire is a second mapping of the memory, which the guest gets in place of the first. While
 * the tripwire is set, a thread that stores through that mapping is suspended until the tripwire is
 * cleared, and the descriptor is readable. Stores through other mappings and write(2), such as those
 * of the device itself, are not affected.
 *
 * On some hosts no signal reaches a suspended processor. Code that waits for the processor while no
 * thread can enter the device clears the tripwire first: vdf_guest_ops.release.
 */
#ifndef VIRTDEVFS_TRIPWIRE_H
#define VIRTDEVFS_TRIPWIRE_H

#include <stdbool.h>
#include <virtdevfs/memory.h>

/* All zero: not open. */
struct vdf_tripwire {
    struct vdf_memory mem; /* a view, for the guest; `base` is NULL while it is not open */
    int fd;                /* readable while a thread is suspended */
    bool set;
};

/**
 * vdf_tripwire_open() - map @mem, which has been touched, once more.
 * Return: 0, or -errno with nothing changed: ENOSYS, EPERM, EINVAL where userfaultfd(2) is missing,
 * forbidden, or cannot do this with shared memory (Linux 5.19).
 */
int vdf_tripwire_open(struct vdf_tripwire *wire, const struct vdf_memory *mem);

/** vdf_tripwire_close() - unmap; suspended threads go on. No effect when it is not open. */
void vdf_tripwire_close(struct vdf_tripwire *wire);

/** vdf_tripwire_set() - from now on the first store makes the descriptor readable. The caller checks
 *  for earlier stores afterwards. No effect when it is not open or the kernel refuses. */
void vdf_tripwire_set(struct vdf_tripwire *wire);

/** vdf_tripwire_clear() - suspended threads go on; their stores follow asynchronously. */
void vdf_tripwire_clear(struct vdf_tripwire *wire);

#endif
