/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The FUSE session: mounting, the loop, its end. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache.h"
#include "node.h"
#include "ring.h"
#include "session.h"

#define NUDGE_US 10000u /* between two signals to the loop */
#define DROPS_LOOK_MS 1 /* between two checks for pending drops */

struct vdf_session {
    struct vdf_fuse fuse; /* first: the public handle */
    pthread_t loop;       /* the thread in vdf_fuse_loop() */
    atomic_bool looping;
    atomic_bool stop; /* the loop is to end */
};

static struct vdf_session *session_of(struct vdf_fuse *fuse)
{
    return (struct vdf_session *)fuse;
}

static void nothing(int signal)
{
}

static int add_arguments(struct fuse_args *args, const struct vdf_fuse_options *options)
{
    int ret = fuse_opt_add_arg(args, "virtdevfs");

    ret |= fuse_opt_add_arg(args, "-ofsname=virtdevfs,subtype=virtdevfs");
    if (options->options && *options->options) {
        ret |= fuse_opt_add_arg(args, "-o");
        ret |= fuse_opt_add_arg(args, options->options);
    }
    if (options->debug)
        ret |= fuse_opt_add_arg(args, "-d");
    return ret;
}

static const char *transport(void *edge)
{
    struct vdf_fuse *fuse = edge;

    return atomic_load(&fuse->rings_serve) ? "io_uring" : "dev";
}

static const struct vdf_edge_ops edge_ops = {
    .write_back = vdf_fuse_write_back,
    .changed = vdf_cache_changed,
    .settle = vdf_cache_settle,
    .transport = transport,
};

int vdf_fuse_mount(struct vdf_tree *tree, const char *mountpoint,
                   const struct vdf_fuse_options *options, struct vdf_fuse **result,
                   struct vdf_err *err)
{
    struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
    struct vdf_session *session = calloc(1, sizeof(*session));
    int ret = 0;

    if (!session)
        return vdf_fail(err, ENOMEM, "no memory for the session");
    struct vdf_fuse *fuse = &session->fuse;
    fuse->tree = tree;
    fuse->cache = options->cache;
    fuse->uid = options->uid;
    fuse->gid = options->gid;
    fuse->umask = options->umask;
    fuse->max_read = options->max_read;
    fuse->ready = options->ready;
    fuse->ready_arg = options->ready_arg;
    if (vdf_nodes_init(fuse) < 0) {
        free(session);
        return vdf_fail(err, ENOMEM, "no memory for the session");
    }
    if (add_arguments(&args, options) != 0)
        ret = vdf_fail(err, ENOMEM, "no memory for the options");
    if (ret == 0) {
        fuse->session = fuse_session_new(&args, &vdf_fuse_ops, sizeof(vdf_fuse_ops), fuse);
        if (!fuse->session)
            ret = vdf_fail(err, EINVAL, "libfuse refuses the mount options \"%s\"",
                           options->options ? options->options : "");
    }
    if (ret == 0 && fuse_session_mount(fuse->session, mountpoint) < 0)
        ret = vdf_fail(err, EIO, "%s cannot be mounted on", mountpoint);
    fuse_opt_free_args(&args);
    /* Without rings /dev/fuse serves, unless the user asked for rings: then FUSE_INIT fails. */
    fuse->need_rings = options->transport == VDF_TRANSPORT_IO_URING;
    if (ret == 0 && options->transport != VDF_TRANSPORT_DEV)
        (void)vdf_rings_attach(fuse->session, &fuse->rings, &fuse->ring_err);
    if (ret < 0) {
        if (fuse->session)
            fuse_session_destroy(fuse->session);
        vdf_nodes_free(fuse);
        free(session);
        return ret;
    }
    vdf_tree_set_edge(tree, &edge_ops, fuse);
    *result = fuse;
    return 0;
}

/* In place of fuse_session_loop(), which does not answer a request that it reads while it ends, so that
 * the page of that request stays locked. */
static int loop(struct vdf_session *session)
{
    struct fuse_session *fuse = session->fuse.session;
    struct fuse_buf buf = { 0 };
    bool first = true;
    int ret = 1;

    while (!atomic_load(&session->stop) && !fuse_session_exited(fuse) &&
           (ret > 0 || ret == -EINTR || ret == -EAGAIN)) {
        ret = fuse_session_receive_buf(fuse, &buf);
        if (ret <= 0)
            continue;
        fuse_session_process_buf(fuse, &buf);
        if (!first)
            continue;
        /* FUSE_INIT decides the size of all other requests. */
        free(buf.mem);
        buf = (struct fuse_buf){ 0 };
        first = false;
    }
    free(buf.mem);
    if (ret < 0 && ret != -EINTR && ret != -EAGAIN)
        return ret;
    /* A session that has exited returns the error of FUSE_INIT. */
    fuse_session_exit(fuse);
    return fuse_session_loop(fuse);
}

/* A pending drop waits for the page of a reader, who waits for a reply. A thread that makes the kernel
 * write pages back waits for the writes. */
static bool kernel_waits(struct vdf_fuse *fuse)
{
    return atomic_load(&fuse->drops_pending) || atomic_load(&fuse->writing_back) > 0;
}

/* Answers requests until no thread of the daemon waits for the kernel, or can begin to. */
static void finish_drops(struct vdf_fuse *fuse)
{
    struct pollfd device = { .fd = fuse_session_fd(fuse->session), .events = POLLIN };
    struct fuse_buf buf = { 0 };

    /* The kernel may withdraw a request before it is read. */
    (void)fcntl(device.fd, F_SETFL, fcntl(device.fd, F_GETFL) | O_NONBLOCK);
    fuse_session_reset(fuse->session);
    vdf_cache_end(fuse);
    while (kernel_waits(fuse)) {
        if (poll(&device, 1, DROPS_LOOK_MS) <= 0)
            continue;
        /* Already unmounted: the kernel caches nothing and waits for no reply. */
        if (device.revents & POLLERR)
            break;
        if (fuse_session_receive_buf(fuse->session, &buf) > 0)
            fuse_session_process_buf(fuse->session, &buf);
    }
    free(buf.mem);
    vdf_cache_stop(fuse);
}

int vdf_fuse_loop(struct vdf_fuse *fuse, struct vdf_err *err)
{
    struct vdf_session *session = session_of(fuse);
    struct sigaction action = { .sa_handler = nothing };

    /* vdf_fuse_stop() interrupts the read(2) that the loop sleeps in. */
    sigaction(SIGUSR1, &action, NULL);
    /* Without the thread of the drops the kernel caches nothing. */
    (void)vdf_cache_start(fuse);
    session->loop = pthread_self();
    atomic_store(&session->looping, true);
    int ret = loop(session);
    atomic_store(&session->looping, false);
    if (fuse->need_rings && fuse->ring_err.code) {
        *err = fuse->ring_err;
        return -err->code;
    }
    return ret < 0 ? vdf_fail(err, -ret, "FUSE: %s", strerror(-ret)) : 0;
}

void vdf_fuse_stop(struct vdf_fuse *fuse)
{
    struct vdf_session *session = session_of(fuse);

    atomic_store(&session->stop, true);
    /* One signal may come just before the loop goes to sleep. */
    while (atomic_load(&session->looping)) {
        pthread_kill(session->loop, SIGUSR1);
        usleep(NUDGE_US);
    }
}

void vdf_fuse_unmount(struct vdf_fuse *fuse)
{
    struct vdf_tree *tree = fuse->tree;

    /* No request waits any longer. */
    vdf_tree_remove_all(tree);
    finish_drops(fuse);
    /* The thread sends the delayed replies, through the rings and with the handles. */
    if (tree->engine)
        vdf_engine_stop(tree->engine);
    fuse_session_unmount(fuse->session);
    vdf_rings_free(fuse->rings);
    fuse->rings = NULL;
    vdf_handles_free(fuse);
    vdf_listings_free(fuse);
    vdf_tree_set_edge(tree, NULL, NULL);
    fuse_session_destroy(fuse->session);
    vdf_nodes_free(fuse);
    free(session_of(fuse));
}

const char *vdf_fuse_version(void)
{
    return fuse_pkgversion();
}
