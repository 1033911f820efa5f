/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The vfio-user server of a function: its socket, its thread, its clients. See vfu_server.h. */
#include "vfu.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vfu_server.h"

#define REPORTS 16u /* lines in `errors` for one client */
#define RETRY_MS (int)(VDF_LISTENER_RETRY_NS / 1000000)

void vdf_vfu_report(struct vdf_vfu *vfu, int code, const char *fmt, ...)
{
    char text[VDF_ERR_TEXT];
    unsigned n = atomic_fetch_add(&vfu->reports, 1);
    va_list ap;

    if (n >= REPORTS)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    vdf_report(vfu->pci->priv.obj, code, "vfio-user: %.180s%s", text,
               n + 1 == REPORTS ? "; more of this client is not reported" : "");
}

/* --- a client --------------------------------------------------------------------------------- */

static void describe_client(const struct vdf_user *user, char *text, size_t size)
{
    char path[32], comm[32] = "";
    ssize_t n = 0;

    snprintf(path, sizeof(path), "/proc/%d/comm", user->tid);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file >= 0) {
        n = read(file, comm, sizeof(comm) - 1);
        close(file);
    }
    /* A process chooses its name. */
    for (ssize_t k = 0; k < n; k++)
        if (comm[k] < ' ' || comm[k] == 0x7f)
            comm[k] = k == n - 1 ? '\0' : '?';
    snprintf(text, size, "pid=%d uid=%u %s", user->tid, user->uid, comm);
}

static void begin(struct vdf_vfu *vfu, int fd)
{
    struct ucred peer = { .uid = (uid_t)-1, .gid = (gid_t)-1 };
    socklen_t len = sizeof(peer);

    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len);
    vfu->user = (struct vdf_user){ .uid = peer.uid, .gid = peer.gid, .tid = peer.pid };
    vfu->peer = (struct vdf_vfu_peer){ 0 };
    vfu->migration.state = VDF_VFU_STATE_RUNNING;
    atomic_store(&vfu->reports, 0);
    vdf_lock(&vfu->lock);
    vfu->connected = true;
    describe_client(&vfu->user, vfu->client, sizeof(vfu->client));
    vdf_unlock(&vfu->lock);
}

/* The devices stay as they are, and have no guest that runs. @stop: as in vdf_pci_enter(). */
static int finish(struct vdf_vfu *vfu, const atomic_bool *stop)
{
    int ret = vdf_pci_set_running(vfu->pci, false, stop);

    if (ret == 0)
        ret = vdf_vfu_dma_drop(vfu, stop);
    if (ret == 0)
        ret = vdf_vfu_irq_drop(vfu, stop);
    if (ret < 0)
        return ret;
    vfu->dma.logging = false;
    vdf_vfu_migration_drop(vfu);
    /* vdf_vfu_stop() uses a link that it finds connected when it has set `stop`. */
    vdf_lock(&vfu->lock);
    vfu->connected = stop && atomic_load(stop);
    vdf_unlock(&vfu->lock);
    if (vfu->connected)
        return -ESHUTDOWN;
    vdf_vfu_link_close(&vfu->link);
    return 0;
}

static void report_unasked(struct vdf_vfu *vfu)
{
    vdf_lock(&vfu->link.lock);
    unsigned n = vfu->link.unasked;
    vfu->link.unasked = 0;
    vdf_unlock(&vfu->link.lock);
    if (n)
        vdf_vfu_report(vfu, EPROTO, "%u messages that nobody waits for were dropped", n);
}

/* An access of lost memory has shut the socket down, as if the client had left. */
static void report_end(struct vdf_vfu *vfu)
{
    const struct vdf_err *why = &vfu->link.why;

    if (vdf_vfu_dma_lost(vfu))
        vdf_vfu_report(vfu, EFAULT,
                       "the client has cut a file whose memory it had passed; the "
                       "connection is closed");
    else if (why->code)
        vdf_vfu_report(vfu, why->code, "%s; the connection is closed", why->text);
}

static void serve(struct vdf_vfu *vfu)
{
    struct vdf_vfu_link *link = &vfu->link;
    struct vdf_vfu_message *message;
    int ret = 0;

    while (ret >= 0 && !atomic_load(&vfu->stop)) {
        ret = vdf_vfu_next(link, &message);
        if (message)
            vdf_vfu_handle(vfu, message);
        vdf_vfu_message_free(link, message);
        if (ret == 0) {
            report_unasked(vfu);
            vdf_vfu_irq_woken(vfu);
        }
        vdf_vfu_irq_masks(vfu);
    }
    vdf_vfu_hang_up(link, NULL);
    report_end(vfu);
}

/* From the connection to its end. A server that is stopped leaves the end to vdf_vfu_stop(). */
static void serve_client(struct vdf_vfu *vfu, int fd)
{
    int ret = vdf_vfu_link_open(&vfu->link, fd);

    if (ret < 0) {
        vdf_vfu_report(vfu, -ret, "a client cannot be served: %s", strerror(-ret));
        return;
    }
    begin(vfu, fd);
    vdf_user_serve(&vfu->user);
    serve(vfu);
    vdf_user_serve(NULL);
    if (finish(vfu, &vfu->stop) < 0)
        return;
    vdf_vfu_link_wait(&vfu->link, vfu->wake);
    vdf_vfu_link_free(&vfu->link);
}

/* --- the thread ------------------------------------------------------------------------------- */

/* Wait for a client. Return: a descriptor; -1: none, or the server is stopped. */
static int next_client(struct vdf_vfu *vfu)
{
    struct pollfd fds[] = {
        { .fd = vfu->wake, .events = POLLIN },
        { .fd = vfu->listener.fd, .events = POLLIN },
    };
    struct vdf_err err = { 0 };

    poll(fds, 2, -1);
    if (atomic_load(&vfu->stop))
        return -1;
    int fd = vdf_listener_accept(&vfu->listener, 0, &err);
    if (fd >= 0 || fd == -EAGAIN)
        return fd;
    vdf_vfu_report(vfu, -fd, "no client can connect for now: %s", err.text);
    poll(fds, 1, RETRY_MS);
    return -1;
}

static void *run(void *arg)
{
    struct vdf_vfu *vfu = arg;

    while (!atomic_load(&vfu->stop)) {
        int fd = next_client(vfu);

        if (fd >= 0)
            serve_client(vfu, fd);
    }
    return NULL;
}

/* SIGBUS stays open: memory of a client may vanish under an access. */
static int start_thread(struct vdf_vfu *vfu)
{
    sigset_t most, old;

    sigfillset(&most);
    sigdelset(&most, SIGBUS);
    pthread_sigmask(SIG_SETMASK, &most, &old);
    int ret = -pthread_create(&vfu->thread, NULL, run, vfu);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (ret == 0)
        pthread_setname_np(vfu->thread, "vdf-vfio");
    return ret;
}

/* --- life ------------------------------------------------------------------------------------- */

static void release(struct vdf_vfu *vfu)
{
    vdf_listener_close(&vfu->listener, vfu->path, &vfu->closing);
    vdf_passed_destroy(&vfu->closing);
    if (vfu->wake >= 0)
        close(vfu->wake);
    vdf_lock_destroy(&vfu->lock);
    free(vfu->reply);
    free(vfu->path);
    free(vfu);
}

static int open_server(struct vdf_vfu *vfu, const char *path, struct vdf_err *err)
{
    vfu->listener.fd = -1;
    vfu->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int ret = vdf_passed_init(&vfu->closing);
    if (vfu->wake < 0 || ret < 0)
        return vdf_fail(err, ret < 0 ? -ret : errno, "the function cannot be served: %s",
                        strerror(ret < 0 ? -ret : errno));
    vfu->path = strdup(path);
    if (!vfu->path)
        return vdf_fail(err, ENOMEM, "no memory to serve the function");
    return vdf_listener_open(&vfu->listener, path, err);
}

int vdf_vfu_open(struct vdf_pci *pci, const char *path, struct vdf_vfu **result,
                 struct vdf_err *err)
{
    struct vdf_vfu *vfu = calloc(1, sizeof(*vfu));

    *result = NULL;
    if (!vfu)
        return vdf_fail(err, ENOMEM, "no memory to serve the function");
    vfu->pci = pci;
    vdf_lock_init(&vfu->lock, VDF_RANK_HOST);
    int ret = open_server(vfu, path, err);
    if (ret < 0) {
        release(vfu);
        return ret;
    }
    *result = vfu;
    return 0;
}

/* EAGAIN would say that the same write can be done later, and has no line in `errors`. */
int vdf_vfu_start(struct vdf_vfu *vfu, struct vdf_err *err)
{
    int ret = start_thread(vfu);

    vfu->started = ret == 0;
    return ret < 0 ? vdf_fail(err, ret == -EAGAIN ? ENOMEM : -ret, "no thread for a client: %s",
                              strerror(-ret))
                   : 0;
}

void vdf_vfu_stop(struct vdf_vfu *vfu)
{
    atomic_store(&vfu->stop, true);
    eventfd_write(vfu->wake, 1);
    vdf_lock(&vfu->lock);
    bool connected = vfu->connected;
    vdf_unlock(&vfu->lock);
    if (connected)
        vdf_vfu_hang_up(&vfu->link, NULL);
    if (vfu->started)
        pthread_join(vfu->thread, NULL);
    if (vfu->connected) {
        finish(vfu, NULL);
        vdf_vfu_link_free(&vfu->link);
    }
    release(vfu);
}

void vdf_vfu_moved(struct vdf_vfu *vfu, struct vdf_pci *pci)
{
    if (vfu)
        vfu->pci = pci;
}

int vdf_vfu_path_check(const char *path, struct vdf_err *err)
{
    return vdf_listener_path_check(path, err);
}

void vdf_vfu_show_client(const struct vdf_vfu *vfu, struct vdf_buf *out)
{
    vdf_lock((struct vdf_lock *)&vfu->lock);
    if (vfu->connected)
        vdf_buf_printf(out, "%s", vfu->client);
    vdf_unlock((struct vdf_lock *)&vfu->lock);
}
