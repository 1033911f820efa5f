/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The socket of a vhost-user device: listening, the connection, its messages. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "device.h"
#include "driver.h"
#include "queue.h"
#include "vhost_user.h"
#include "vhost_user_server.h"

/* Reads and writes in one call of the engine. After them other sources have their turn. */
#define STEPS_AT_ONCE 256u

static void listen_again(struct vdf_vhost_user *vu);
static void retry_later(struct vdf_vhost_user *vu);

static struct vdf_obj *object(const struct vdf_vhost_user *vu)
{
    return vu->con->priv.obj;
}

/* --- messages --------------------------------------------------------------------------------- */

/* The part of the message that is still to be read or written. */
static struct iovec rest(struct vdf_vhost_user *vu)
{
    size_t header = sizeof(vu->msg.header);

    if (vu->done < header)
        return (struct iovec){ (uint8_t *)&vu->msg.header + vu->done, header - vu->done };
    return (struct iovec){ vu->msg.payload.bytes + (vu->done - header),
                           vu->msg.header.size - (vu->done - header) };
}

/* Return: 1 when the message is complete, 0 when it is not, -EAGAIN, -EPIPE at the end. */
static int read_step(struct vdf_vhost_user *vu, struct vdf_err *err)
{
    struct iovec part = rest(vu);
    ssize_t n = vdf_socket_receive(vu->fd, part.iov_base, part.iov_len, &vu->passed, MSG_DONTWAIT);

    if (n == -EAGAIN)
        return -EAGAIN;
    if (n < 0)
        return vdf_fail(err, (int)-n, "receiving: %s", strerror((int)-n));
    if (!n) {
        if (vu->done)
            return vdf_fail(err, EPROTO, "the front end closed the connection in mid-message");
        return -EPIPE;
    }
    vu->done += (size_t)n;
    if (vu->done < sizeof(vu->msg.header))
        return 0;
    if (vu->done == sizeof(vu->msg.header)) {
        int ret = vdf_vhost_user_expects(&vu->msg.header, err);

        if (ret)
            return ret;
    }
    return vu->done == sizeof(vu->msg.header) + vu->msg.header.size;
}

static void drop_reply_fd(struct vdf_vhost_user *vu)
{
    if (vu->reply_fd >= 0)
        close(vu->reply_fd);
    vu->reply_fd = -1;
}

/* Return: 1 when the reply has gone out, 0, -EAGAIN. */
static int write_step(struct vdf_vhost_user *vu, struct vdf_err *err)
{
    struct iovec part = rest(vu);
    ssize_t n = vdf_socket_send(vu->fd, &part, 1, &vu->reply_fd, vu->reply_fd >= 0, MSG_DONTWAIT);

    if (n == -EAGAIN || n == -EPIPE)
        return (int)n;
    if (n < 0)
        return vdf_fail(err, (int)-n, "sending a reply: %s", strerror((int)-n));
    drop_reply_fd(vu);
    vu->done += (size_t)n;
    return vu->done == sizeof(vu->msg.header) + vu->msg.header.size;
}

/* One read, with the work for a complete message, or one write. 0, -EAGAIN, -EPIPE. */
static int step(struct vdf_vhost_user *vu, struct vdf_err *err)
{
    int ret;

    if (vu->writing) {
        ret = write_step(vu, err);
        if (ret > 0) {
            vu->writing = false;
            vu->done = 0;
        }
        return ret < 0 ? ret : 0;
    }
    ret = read_step(vu, err);
    if (ret <= 0)
        return ret;
    vu->writing = vdf_vhost_user_handle(vu);
    vdf_passed_close_all(&vu->passed);
    vu->done = 0;
    return 0;
}

/* --- the connection --------------------------------------------------------------------------- */

static bool on_connection(struct vdf_obj *obj, void *ctx, uint64_t events)
{
    return vdf_vhost_user_receive(ctx);
}

/* Wait for messages or for room. @writing: `async`, if there is one, waits for room. */
static int watch(struct vdf_vhost_user *vu, bool writing)
{
    if (vu->async && writing == vu->writing && !vu->passed.closing)
        return 0;
    vdf_async_free(vu->async);
    vu->async = NULL;
    if (vu->passed.closing)
        return 0;
    vu->async = vdf_async_fd(object(vu), on_connection, vu, vu->fd, vu->writing ? POLLOUT : POLLIN);
    return vu->async ? 0 : -ENOMEM;
}

bool vdf_vhost_user_receive(struct vdf_vhost_user *vu)
{
    bool writing = vu->writing;
    struct vdf_err err = { 0 };
    unsigned steps = 0;
    int ret = 0;

    while (!vdf_passed_closing(&vu->passed) && vu->fd >= 0 && !ret && steps++ < STEPS_AT_ONCE)
        ret = step(vu, &err);
    if (vu->fd < 0)
        return true;
    if (ret == -EAGAIN || !ret) {
        ret = watch(vu, writing);
        if (ret)
            vdf_fail(&err, ENOMEM, "no memory to wait for it");
    }
    if (ret) {
        if (ret != -EPIPE)
            vdf_report(object(vu), -ret, "vhost-user: %s%s%s; the connection is closed",
                       vu->done >= sizeof(vu->msg.header)
                           ? vdf_vhost_user_request_name(vu->msg.header.request)
                           : "",
                       vu->done >= sizeof(vu->msg.header) ? ": " : "", err.text);
        vdf_vhost_user_disconnect(vu);
    }
    vdf_console_settle(vu->con);
    return steps > 1 || ret;
}

int vdf_vhost_user_connect(struct vdf_vhost_user *vu, int fd, struct vdf_err *err)
{
    struct vdf_console *con = vu->con;
    unsigned n = vdf_console_queues(con);

    vu->rings = calloc(n, sizeof(*vu->rings));
    if (!vu->rings) {
        close(fd);
        return vdf_fail(err, ENOMEM, "no memory for the rings of a front end");
    }
    vu->n_rings = n;
    for (unsigned i = 0; i < n; i++) {
        vu->rings[i].vu = vu;
        vu->rings[i].index = i;
        vu->rings[i].call_sock = -1;
    }
    /* The queues of a restored state are not ready before the front end has passed their rings. */
    for (unsigned i = 0; i < con->n_queues; i++)
        con->queues[i].ready = false;
    vu->fd = fd;
    vu->done = 0;
    vu->writing = false;
    vdf_async_free(vu->listen_async);
    vu->listen_async = NULL;
    if (watch(vu, false)) {
        vdf_vhost_user_disconnect(vu);
        return vdf_fail(err, ENOMEM, "no memory to wait for the messages of a front end");
    }
    return 0;
}

static void drop_backend(struct vdf_vhost_user *vu)
{
    vdf_async_free(vu->backend_async);
    vu->backend_async = NULL;
    if (vu->backend_fd >= 0)
        vdf_passed_close(&vu->passed, vu->backend_fd);
    vu->backend_fd = -1;
    vu->config_pending = false;
}

void vdf_vhost_user_disconnect(struct vdf_vhost_user *vu)
{
    if (vu->fd < 0)
        return;
    vdf_async_free(vu->async);
    vu->async = NULL;
    vdf_vhost_user_rings_free(vu);
    vdf_vhost_user_drop_memory(vu);
    vdf_passed_close_all(&vu->passed);
    shutdown(vu->fd, SHUT_RDWR);
    vdf_passed_close(&vu->passed, vu->fd);
    vu->fd = -1;
    drop_backend(vu);
    vu->protocol = false;
    vu->protocol_features = 0;
    vu->status = 0;
    vu->inflight = false;
    drop_reply_fd(vu);
    vu->done = 0;
    vu->writing = false;
    listen_again(vu);
}

/* --- requests to the front end ---------------------------------------------------------------- */

static bool on_backend_room(struct vdf_obj *obj, void *ctx, uint64_t events)
{
    struct vdf_vhost_user *vu = ctx;

    vdf_async_free(vu->backend_async);
    vu->backend_async = NULL;
    vdf_console_settle(vu->con);
    return false;
}

void vdf_vhost_user_send_config(struct vdf_vhost_user *vu)
{
    const struct vdf_vu_header message = {
        .request = VDF_VU_BACKEND_CONFIG_CHANGE,
        .flags = VDF_VU_VERSION,
    };
    ssize_t n;

    vu->config_pending = false;
    if (vu->backend_fd < 0)
        return;
    n = send(vu->backend_fd, &message, sizeof(message), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n == (ssize_t)sizeof(message))
        return;
    if (n < 0 && errno == EAGAIN) {
        /* One message stands for all changes. */
        vu->config_pending = true;
        if (!vu->backend_async)
            vu->backend_async =
                vdf_async_fd(object(vu), on_backend_room, vu, vu->backend_fd, POLLOUT);
        if (vu->backend_async)
            return;
    }
    vdf_report(
        object(vu), EPIPE,
        "vhost-user: the front end takes no requests; changes of the configuration are not sent");
    drop_backend(vu);
}

/* --- listening -------------------------------------------------------------------------------- */

static bool on_retry(struct vdf_obj *obj, void *ctx, uint64_t value)
{
    struct vdf_vhost_user *vu = ctx;

    if (vu->fd >= 0)
        return false;
    vdf_async_free(vu->listen_async);
    vu->listen_async = NULL;
    listen_again(vu);
    return false;
}

static bool on_listen(struct vdf_obj *obj, void *ctx, uint64_t events)
{
    struct vdf_vhost_user *vu = ctx;
    struct vdf_err err = { 0 };

    if (vu->fd >= 0)
        return false;
    int fd = vdf_listener_accept(&vu->listener, SOCK_NONBLOCK, &err);
    if (fd == -EAGAIN)
        return false;
    int ret = fd < 0 ? fd : vdf_vhost_user_connect(vu, fd, &err);
    if (!ret)
        return true;
    vdf_report(obj, -ret, "vhost-user: a front end could not be served: %s", err.text);
    /* The listener stays ready, and would call this function without end. */
    if (fd < 0)
        retry_later(vu);
    return true;
}

static int arm_listener(struct vdf_vhost_user *vu)
{
    vu->listen_async = vdf_async_fd(object(vu), on_listen, vu, vu->listener.fd, POLLIN);
    return vu->listen_async ? 0 : -errno;
}

static void retry_later(struct vdf_vhost_user *vu)
{
    vdf_async_free(vu->listen_async);
    vu->listen_async = vdf_async_timer(object(vu), on_retry, vu);
    if (vu->listen_async)
        vdf_async_set(vu->listen_async, VDF_LISTENER_RETRY_NS);
}

static void listen_again(struct vdf_vhost_user *vu)
{
    if (vu->listener.fd < 0 || vu->listen_async || vdf_passed_closing(&vu->passed))
        return;
    if (!arm_listener(vu))
        return;
    vdf_report(object(vu), errno, "vhost-user: no front end can connect for now: %s",
               strerror(errno));
    retry_later(vu);
}

static bool on_closed(struct vdf_obj *obj, void *ctx, uint64_t n)
{
    struct vdf_vhost_user *vu = ctx;

    vdf_passed_note(&vu->passed, n);
    if (vu->fd >= 0)
        return vdf_vhost_user_receive(vu);
    listen_again(vu);
    return false;
}

/* --- life ------------------------------------------------------------------------------------- */

struct vdf_vhost_user *vdf_vhost_user_new(struct vdf_console *con)
{
    struct vdf_vhost_user *vu = calloc(1, sizeof(*vu));

    if (!vu)
        return NULL;
    vu->con = con;
    vu->listener.fd = -1;
    vu->fd = -1;
    vu->backend_fd = -1;
    vu->reply_fd = -1;
    if (vdf_passed_init(&vu->passed) == 0)
        vu->closed_async = vdf_async_eventfd(con->priv.obj, on_closed, vu, vu->passed.closed);
    if (vu->closed_async)
        return vu;
    int code = errno;
    vdf_vhost_user_free(vu);
    errno = code;
    return NULL;
}

/* @path: of the file, which is removed; NULL: the file stays. */
static void drop_listener(struct vdf_vhost_user *vu, const char *path)
{
    vdf_async_free(vu->listen_async);
    vu->listen_async = NULL;
    vdf_listener_close(&vu->listener, path, &vu->passed);
}

void vdf_vhost_user_free(struct vdf_vhost_user *vu)
{
    if (!vu)
        return;
    drop_listener(vu, NULL);
    vdf_vhost_user_disconnect(vu);
    vdf_async_free(vu->closed_async);
    vdf_passed_destroy(&vu->passed);
    free(vu);
}

/* Make the socket and watch it. */
static int serve(struct vdf_vhost_user *vu, const char *path, struct vdf_err *err)
{
    int ret = vdf_listener_open(&vu->listener, path, err);

    if (ret < 0)
        return ret;
    ret = vu->fd < 0 ? arm_listener(vu) : 0;
    if (!ret)
        return 0;
    vdf_fail(err, -ret, "the socket cannot be watched: %s%s", strerror(-ret),
             ret == -EAGAIN ? " (fs.aio-max-nr is used up)" : "");
    drop_listener(vu, path);
    return ret;
}

int vdf_vhost_user_start(struct vdf_console *con, const char *path, struct vdf_err *err)
{
    struct vdf_vhost_user *vu = vdf_vhost_user_new(con);

    if (!vu)
        return vdf_fail(err, errno, "the device cannot be served: %s", strerror(errno));
    int ret = serve(vu, path, err);
    if (ret) {
        vdf_vhost_user_free(vu);
        return ret;
    }
    vdf_vhost_user_stop(con);
    con->vhost = vu;
    return 0;
}

int vdf_vhost_user_again(struct vdf_console *con, struct vdf_err *err)
{
    struct vdf_vhost_user *vu = con->vhost;

    if (!vu)
        return vdf_vhost_user_start(con, con->vhost_path, err);
    if (vdf_listener_is_at(&vu->listener, con->vhost_path))
        return 0;
    drop_listener(vu, con->vhost_path);
    return serve(vu, con->vhost_path, err);
}

void vdf_vhost_user_stop(struct vdf_console *con)
{
    struct vdf_vhost_user *vu = con->vhost;

    if (!vu)
        return;
    drop_listener(vu, con->vhost_path);
    vdf_vhost_user_free(vu);
    con->vhost = NULL;
}

int vdf_vhost_user_ports_check(uint32_t max_ports, struct vdf_err *err)
{
    if (max_ports > VDF_VU_PORTS_MAX)
        return vdf_fail(err, EINVAL,
                        "%u ports: a vhost-user front end has %u rings, for at most %u of them",
                        max_ports, VDF_VU_QUEUES_MAX, VDF_VU_PORTS_MAX);
    return 0;
}

int vdf_vhost_user_possible(const struct vdf_console *con, const char *path, struct vdf_err *err)
{
    int ret = vdf_listener_path_check(path, err);

    return ret ? ret : vdf_vhost_user_ports_check(con->max_ports, err);
}

bool vdf_vhost_user_connected(const struct vdf_console *con)
{
    return con->vhost && con->vhost->fd >= 0;
}

/* --- the driver of the device ----------------------------------------------------------------- */

static void configured(struct vdf_console *con)
{
    if (con->vhost && con->vhost->protocol_features & VDF_VU_P_CONFIG)
        con->vhost->config_pending = true;
}

static void reset(struct vdf_console *con)
{
    if (con->vhost)
        vdf_vhost_user_rings_forget(con->vhost);
}

/* Send the notifications that the device has recorded. */
static bool flush(struct vdf_console *con)
{
    struct vdf_vhost_user *vu = con->vhost;

    if (!vu || vu->fd < 0)
        return false;
    vdf_vhost_user_call(vu);
    if (vu->config_pending && !vu->backend_async && vdf_vhost_user_running(vu))
        vdf_vhost_user_send_config(vu);
    if (vdf_vhost_user_lost(vu)) {
        vdf_report(object(vu), EFAULT,
                   "vhost-user: the front end has cut a file whose memory it had passed; the "
                   "connection is closed");
        vdf_vhost_user_disconnect(vu);
    }
    return false;
}

static void leave(struct vdf_console *con)
{
    if (con->vhost)
        vdf_vhost_user_disconnect(con->vhost);
}

const struct vdf_console_driver vdf_console_vhost_user_driver = {
    .backend = { .name = "vhost-user" },
    .side = VDF_CONSOLE_VHOST_USER,
    .remote = true,
    .space = vdf_vhost_user_space,
    .live = vdf_vhost_user_live,
    .used = vdf_vhost_user_used,
    .config = configured,
    .broken = vdf_vhost_user_broken,
    .reset = reset,
    .work = flush,
    .leave = leave,
};
