/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The FUSE edge: nodes that the kernel knows, files that it has open, requests that wait.
 *
 * Locks: `nodes` below protects the table of nodes, the list of handles, and the drops. A handle's
 * place never changes; the lock of the device protects the rest of a handle.
 */
#ifndef VDF_FUSE_NODE_H
#define VDF_FUSE_NODE_H

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>
#include <pthread.h>
#include <virtdevfs/lock.h>
#include <virtdevfs/user.h>

#include "file.h"
#include "session.h"

struct vdf_node {
    struct vdf_place place; /* holds a reference to the object */
    uint64_t lookups;       /* that the kernel has not forgotten */
    uint64_t ino;           /* st_ino */
    struct vdf_seen seen;   /* of the last stat(2) */
    struct vdf_node *hash_next;
    int backing_id; /* of FUSE passthrough, while `backing_opens` is not 0 */
    unsigned backing_opens;
    uint64_t backing_ino; /* of the memfd behind it */
    unsigned refs;        /* 1 of the table, 1 of the drops, 1 of a forget in progress */
    bool in_table;
    bool retired; /* forgotten by the kernel, and in the table for the next lookup */

    /* The kernel's cached parts (cache.h), under the lock of the device. */
    struct vdf_node *note_next, **note_prev;
    uint64_t value;          /* of the note, or of the last read */
    atomic_uint quiet_reads; /* reads since the value changed */
    unsigned cached;         /* enum vdf_cache_part */
    bool never_cached;       /* the file is polled: each read has to reach the daemon */
    /* The parts that the kernel is to drop, under the lock of the nodes. */
    struct vdf_node *drop_next;
    unsigned drop;
    bool drop_queued;
    /* The next text of the page, and the text that is being stored. */
    struct vdf_page_text {
        uint8_t n;
        char bytes[23];
    } stored, storing;
};

/* A reply that waits for the drops that were asked for before it. */
struct vdf_reply {
    struct vdf_reply *next;
    void (*send)(struct vdf_reply *reply); /* no lock held; frees the reply */
};

struct vdf_pending;
struct vdf_rings;

struct vdf_handle {
    struct vdf_reply reply; /* first: the reply to open(2), whose pointer is this one */
    fuse_req_t open_req;
    struct vdf_file file;
    struct vdf_node *node;
    bool passthrough;           /* counted in node->backing_opens */
    bool cached;                /* read through the kernel's page cache */
    pid_t opener;               /* `state` and lists: the process that opened the file */
    struct vdf_pending *poller; /* of poll(2), while a thread sleeps on this file */
    struct vdf_handle *next, **prev;
};

struct vdf_fuse {
    struct vdf_tree *tree;
    struct fuse_session *session;
    struct vdf_lock nodes;
    struct vdf_node **buckets;
    size_t n_buckets, n_nodes;
    unsigned n_retired;
    uint64_t next_ino;
    struct vdf_node root;
    /* Open files and directories; freed if the kernel does not close them. */
    struct vdf_handle *handles;
    struct vdf_listing *listings;
    bool can_passthrough;
    uid_t uid; /* what stat(2) shows of all files */
    gid_t gid;
    mode_t umask;
    unsigned max_read;       /* the mount option; 0: the kernel's default */
    struct vdf_rings *rings; /* NULL: requests come through /dev/fuse */
    bool need_rings;         /* without them the mount fails */
    struct vdf_err ring_err; /* why there are no rings; code 0: there are */

    /* The thread of the drops (cache.h); under the lock of the nodes. */
    pthread_t cache_thread;
    pthread_cond_t cache_work, cache_done;
    struct vdf_node *drops;
    struct vdf_reply *replies, **last_reply;
    uint64_t rounds_begun, rounds_done;
    bool epoch_asked;          /* drop all names */
    bool cache_stops;          /* no more drops and write-backs */
    atomic_bool drops_pending; /* a drop is asked for and not done yet */
    atomic_bool rings_serve;   /* requests come through rings */
    atomic_uint writing_back;  /* threads in vdf_fuse_write_back() */
    enum vdf_cache cache;
    atomic_bool cache_runs;
    bool names_kept; /* the kernel has epochs */

    void (*ready)(void *arg); /* called once, at the kernel's first request */
    void *ready_arg;
};

extern const struct fuse_lowlevel_ops vdf_fuse_ops;
/* The operations on open files. */
void vdf_fuse_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void vdf_fuse_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                   struct fuse_file_info *fi);
void vdf_fuse_write(fuse_req_t req, fuse_ino_t ino, const char *bytes, size_t size, off_t offset,
                    struct fuse_file_info *fi);
void vdf_fuse_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void vdf_fuse_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void vdf_fuse_poll(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
                   struct fuse_pollhandle *ph);
/** vdf_fuse_write_back() - struct vdf_edge_ops.write_back */
void vdf_fuse_write_back(void *arg, const struct vdf_obj *obj, const struct vdf_attr *attr);
void vdf_handles_free(struct vdf_fuse *fuse);
void vdf_listings_free(struct vdf_fuse *fuse);

int vdf_nodes_init(struct vdf_fuse *fuse);
void vdf_nodes_free(struct vdf_fuse *fuse);
/** vdf_node_unref() - drop a reference to a node, which may still be in the table. */
void vdf_node_unref(struct vdf_fuse *fuse, struct vdf_node *node);
struct vdf_node *vdf_node_of(struct vdf_fuse *fuse, fuse_ino_t ino);
static inline struct vdf_fuse *vdf_fuse_of(fuse_req_t req)
{
    return fuse_req_userdata(req);
}
/* The user of a request, for vdf_user_serve(). */
static inline struct vdf_user vdf_user_of(fuse_req_t req)
{
    const struct fuse_ctx *ctx = fuse_req_ctx(req);

    return (struct vdf_user){ .uid = ctx->uid, .gid = ctx->gid, .tid = ctx->pid };
}

#endif
