/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A tree on a mount point. */
#ifndef VDF_FUSE_SESSION_H
#define VDF_FUSE_SESSION_H

#include <stdbool.h>
#include <virtdevfs/probe.h>

#include "tree.h"

struct vdf_fuse;

/* How requests come from the kernel. */
enum vdf_transport {
    VDF_TRANSPORT_AUTO,     /* rings if available */
    VDF_TRANSPORT_IO_URING, /* rings, or no mount */
    VDF_TRANSPORT_DEV,      /* /dev/fuse */
};

/* The values that the kernel may cache. */
enum vdf_cache {
    VDF_CACHE_AUTO,   /* values that are read often and change seldom */
    VDF_CACHE_ALWAYS, /* all values that can be cached */
    VDF_CACHE_OFF,
};

struct vdf_fuse_options {
    enum vdf_cache cache;
    enum vdf_transport transport;
    const char *options; /* of -o, for libfuse: "allow_other,ro"; NULL: none */
    bool debug;          /* print requests on standard error */
    uid_t uid;           /* owner, group and umask that stat(2) shows of all files */
    gid_t gid;
    mode_t umask;
    unsigned max_read;        /* bytes that one request reads at most; 0: the kernel's own */
    void (*ready)(void *arg); /* called in the FUSE thread when the mount can be used */
    void *ready_arg;
};

/**
 * vdf_fuse_mount() - mount @tree on @mountpoint.
 * @err: the refusal as a sentence; libfuse may have printed more on standard error
 *
 * Return: 0 or -errno.
 */
int vdf_fuse_mount(struct vdf_tree *tree, const char *mountpoint,
                   const struct vdf_fuse_options *options, struct vdf_fuse **fuse,
                   struct vdf_err *err);

/** vdf_fuse_loop() - serve until unmounted or stopped.
 *  Return: 0 or -errno; -EOPNOTSUPP, with a sentence: the transport is not available. */
int vdf_fuse_loop(struct vdf_fuse *fuse, struct vdf_err *err);

/** vdf_fuse_stop() - make vdf_fuse_loop() return, from another thread; waits until it does. */
void vdf_fuse_stop(struct vdf_fuse *fuse);

/** vdf_fuse_unmount() - unmount, also with files open, and free everything but the tree. The engine is
 *  stopped. Removes the tree's devices first, so that no request waits any longer. */
void vdf_fuse_unmount(struct vdf_fuse *fuse);

/* The host's FUSE features, for `--probe`. */
extern const struct vdf_probe_part vdf_fuse_probe;

/** vdf_fuse_version() - libfuse's version. */
const char *vdf_fuse_version(void);

#endif
