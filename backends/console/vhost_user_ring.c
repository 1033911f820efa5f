/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rings of a vhost-user front end (section "Ring states").
 *
 * The device uses a ring while it is started (a kick descriptor has come), enabled, and in memory
 * of the front end. Buffers in a disabled ring wait, because no one sends the data of a console
 * again. When a ring stops, a chain that a slow reader has half emptied counts as not taken: the
 * base that the front end gets is that chain's. If the ring starts there again and the chain is
 * still the same, reading goes on in the middle of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control.h"
#include "device.h"
#include "port.h"
#include "queue.h"
#include "vhost_user_server.h"

/* The port that reads from the ring in parts, if it is a transmit ring. */
static struct vdf_console_port *sender(const struct vdf_vu_ring *ring)
{
    const struct vdf_console *con = ring->vu->con;
    struct vdf_console_port *port;

    if (ring->index == VDF_CONSOLE_CONTROL_TXQ)
        return NULL;
    port = vdf_console_port(con, vdf_console_queue_port(ring->index));
    return port && ring->index == vdf_console_txq(port->id) ? port : NULL;
}

static struct vdf_vq *queue_of(const struct vdf_vu_ring *ring)
{
    return vdf_console_queue_make(ring->vu->con, ring->index);
}

/* A ring of a port, from the device to the driver. */
static bool is_receive(unsigned index)
{
    return index % 2 == 0 && index != VDF_CONSOLE_CONTROL_RXQ;
}

/* --- kicks ------------------------------------------------------------------------------------ */

/*
 * A guest that reads gives back one buffer at a time, and kicks for each. A writer that waits for
 * buffers would wake up, fill one and interrupt the guest for every kick. So the guest of a receive
 * ring that has taken buffers between two kicks is asked not to kick. The device looks at the ring
 * every REST_NS, until it has taken no buffer in that time.
 */
#define REST_NS 100000u

static void want_kicks(struct vdf_vu_ring *ring, struct vdf_vq *vq, bool wanted)
{
    vdf_vq_want_kicks(&ring->vu->con->space, vq, wanted);
    ring->resting = !wanted;
}

/* Whether the ring has taken buffers since the last call. */
static bool streams(struct vdf_vu_ring *ring, const struct vdf_vq *vq)
{
    uint16_t before = ring->taken;

    ring->taken = vq->last_avail;
    return ring->taken != before;
}

static bool on_rest(struct vdf_obj *obj, void *ctx, uint64_t value)
{
    struct vdf_vu_ring *ring = ctx;
    struct vdf_console *con = ring->vu->con;

    if (!ring->resting)
        return false;
    struct vdf_vq *vq = queue_of(ring);
    if (streams(ring, vq))
        vdf_async_set(ring->rest, REST_NS);
    else
        want_kicks(ring, vq, true);
    vdf_console_notify(con, ring->index);
    vdf_console_settle(con);
    return true;
}

static void rest(struct vdf_vu_ring *ring, struct vdf_vq *vq)
{
    if (!ring->rest)
        ring->rest = vdf_async_timer(ring->vu->con->priv.obj, on_rest, ring);
    /* Without memory for the timer the guest kicks for every buffer. */
    if (!ring->rest)
        return;
    want_kicks(ring, vq, false);
    vdf_async_set(ring->rest, REST_NS);
}

static bool on_kick(struct vdf_obj *obj, void *ctx, uint64_t value)
{
    struct vdf_vu_ring *ring = ctx;
    struct vdf_console *con = ring->vu->con;

    if (ring->active) {
        struct vdf_vq *vq = queue_of(ring);

        vdf_console_notify(con, ring->index);
        if (is_receive(ring->index) && !ring->resting && streams(ring, vq))
            rest(ring, vq);
    }
    vdf_console_settle(con); /* the ring may be gone after it */
    return true;
}

/* --- start and stop --------------------------------------------------------------------------- */

/* Find the guest addresses of the three parts. */
static int locate(const struct vdf_vu_ring *ring, struct vdf_vq *vq, struct vdf_err *err)
{
    const struct vdf_vhost_user *vu = ring->vu;

    if (!vdf_vhost_user_translate(vu, ring->desc, &vq->desc) ||
        !vdf_vhost_user_translate(vu, ring->avail, &vq->driver) ||
        !vdf_vhost_user_translate(vu, ring->used, &vq->device))
        return vdf_fail(err, EFAULT,
                        "ring %u: 0x%" PRIx64 ", 0x%" PRIx64 ", 0x%" PRIx64
                        ": not all are in the front end's memory",
                        ring->index, ring->desc, ring->avail, ring->used);
    vq->num = (uint16_t)ring->num;
    vq->modes = vdf_console_modes(vu->con);
    if (vq->modes & VDF_VQ_PACKED && (vq->last_avail & ~VDF_VQ_ROUND) >= vq->num)
        return vdf_fail(err, EINVAL,
                        "ring %u: its base says place %u in bits 16 to 30, there are %u",
                        ring->index, vq->last_avail & ~VDF_VQ_ROUND, vq->num);
    int ret = vdf_vq_check(&vu->con->space, vq, NULL);
    if (ret)
        return vdf_fail(err, -ret,
                        "ring %u: its parts at 0x%" PRIx64 ", 0x%" PRIx64 ", 0x%" PRIx64
                        " are misaligned or not wholly in one region",
                        ring->index, vq->desc, vq->driver, vq->device);
    return 0;
}

/* Where the ring begins at another place, or with another chain, the driver has reset it, and the
 * bytes that were in it are lost. */
static void resume(struct vdf_vu_ring *ring, struct vdf_console_port *port, struct vdf_vq *vq)
{
    bool held = port->held;

    vdf_console_port_resume(port, vq);
    if (ring->base != ring->stopped || held != port->held)
        port->discarded += ring->left;
    ring->left = 0;
}

static int activate(struct vdf_vu_ring *ring, struct vdf_err *err)
{
    struct vdf_console *con = ring->vu->con;
    struct vdf_vq *vq = queue_of(ring);
    struct vdf_console_port *port = sender(ring);

    if (!vq)
        return vdf_fail(err, ENOMEM, "no memory for the queues");
    if (!(con->status & VDF_CONSOLE_S_FEATURES_OK))
        return vdf_fail(err, EPROTO,
                        "ring %u starts before features with VIRTIO_F_VERSION_1 were set",
                        ring->index);
    vdf_console_update_space(con);
    vq->used_idx = ring->base;
    vq->last_avail = ring->base;
    int ret = locate(ring, vq, err);
    if (ret < 0)
        return ret;
    if (!(vq->modes & VDF_VQ_PACKED)) {
        vq->used_idx = vdf_vq_used_idx(&con->space, vq);
        if (ring->vu->inflight)
            vq->last_avail = vq->used_idx;
    }
    vdf_vq_start(&con->space, vq, vq->modes);
    vq->ready = true;
    ring->active = true;

    if (port)
        resume(ring, port, vq);
    if (!(con->status & VDF_CONSOLE_S_DRIVER_OK))
        vdf_console_set_status(con, VDF_CONSOLE_S_DRIVER_OK);
    /* A running driver sends no DEVICE_READY to a device that has come back without its state. */
    if (ring->index == VDF_CONSOLE_CONTROL_RXQ && ring->base && !con->device_ready &&
        vdf_console_multiport(con))
        vdf_console_control_resume(con);
    vdf_console_notify(con, ring->index);
    return 0;
}

static void deactivate(struct vdf_vu_ring *ring)
{
    struct vdf_console_port *port = sender(ring);
    struct vdf_vq *vq = queue_of(ring);

    ring->left = port ? vdf_console_port_left(port) : 0;
    ring->active = false;
    if (!vq)
        return;
    if (ring->resting)
        want_kicks(ring, vq, true);
    vq->ready = false;
    ring->base = vq->last_avail;
    if (port && port->held)
        ring->base = vq->modes & VDF_VQ_PACKED ? vq->used_idx : (uint16_t)(ring->base - 1u);
    ring->stopped = ring->base;
}

int vdf_vhost_user_ring_update(struct vdf_vu_ring *ring, struct vdf_err *err)
{
    bool wanted = ring->started && ring->enabled && ring->num && ring->have_addr;

    ring->lost = ring->lost && wanted;
    if (ring->lost)
        return 0;
    if (wanted && !ring->active)
        return activate(ring, err);
    if (!wanted && ring->active)
        deactivate(ring);
    return 0;
}

int vdf_vhost_user_enable_all(struct vdf_vhost_user *vu, struct vdf_err *err)
{
    int ret = 0;

    for (unsigned i = 0; i < vu->n_rings; i++) {
        vu->rings[i].enabled = true;
        int failed = vdf_vhost_user_ring_update(&vu->rings[i], ret ? NULL : err);
        ret = ret ? ret : failed;
    }
    return ret;
}

void vdf_vhost_user_rings_moved(struct vdf_vhost_user *vu)
{
    vdf_console_update_space(vu->con);
    for (unsigned i = 0; i < vu->n_rings; i++) {
        struct vdf_vu_ring *ring = &vu->rings[i];
        struct vdf_err err = { 0 };

        if (ring->active && locate(ring, queue_of(ring), &err)) {
            vdf_report(vu->con->priv.obj, EFAULT,
                       "vhost-user: %s; the ring stands still until they are", err.text);
            deactivate(ring);
            ring->lost = true;
        } else if (ring->lost) {
            ring->lost = activate(ring, NULL) != 0;
        }
    }
}

static bool on_look(struct vdf_obj *obj, void *ctx, uint64_t idle_ns)
{
    struct vdf_vhost_user *vu = ctx;
    const struct vdf_console *con = vu->con;
    uint32_t before = 0, after = 0;

    for (unsigned i = 0; i < con->n_queues; i++)
        before += con->queues[i].last_avail;
    vdf_vhost_user_kicked(vu);
    for (unsigned i = 0; i < con->n_queues; i++)
        after += con->queues[i].last_avail;
    return before != after;
}

/* The poller is there while a ring is polled. */
static int update_poller(struct vdf_vhost_user *vu, struct vdf_err *err)
{
    bool polled = false;

    for (unsigned i = 0; i < vu->n_rings && !polled; i++)
        polled = vu->rings[i].polled;
    if (!polled) {
        vdf_async_free(vu->poller);
        vu->poller = NULL;
    } else if (!vu->poller) {
        vu->poller = vdf_async_poller(vu->con->priv.obj, on_look, vu);
        if (!vu->poller)
            return vdf_fail(err, ENOMEM, "no memory for polling rings");
    }
    return 0;
}

static void forget_kick(struct vdf_vu_ring *ring)
{
    vdf_async_free(ring->kick);
    ring->kick = NULL;
    ring->started = false;
    ring->polled = false;
    ring->lost = false;
}

uint16_t vdf_vhost_user_ring_stop(struct vdf_vu_ring *ring)
{
    forget_kick(ring);
    update_poller(ring->vu, NULL);
    if (ring->active)
        deactivate(ring);
    return ring->base;
}

void vdf_vhost_user_rings_forget(struct vdf_vhost_user *vu)
{
    for (unsigned i = 0; i < vu->n_rings; i++) {
        struct vdf_vu_ring *ring = &vu->rings[i];
        struct vdf_console_port *port = sender(ring);

        forget_kick(ring);
        if (port)
            port->discarded += ring->left;
        ring->left = 0;
        ring->enabled = ring->enabled && !vu->protocol;
        ring->active = false;
        ring->resting = false;
        ring->call_pending = false;
        ring->base = 0;
    }
    update_poller(vu, NULL);
    vu->status = 0;
}

void vdf_vhost_user_rings_free(struct vdf_vhost_user *vu)
{
    for (unsigned i = 0; i < vu->n_rings; i++) {
        struct vdf_vu_ring *ring = &vu->rings[i];

        vdf_vhost_user_ring_stop(ring);
        vdf_async_free(ring->rest);
        vdf_signal_close(ring->call);
        vdf_signal_close(ring->err);
        if (ring->call_sock >= 0)
            vdf_passed_close(&vu->passed, ring->call_sock);
    }
    free(vu->rings);
    vu->rings = NULL;
    vu->n_rings = 0;
    vu->calls_pending = false;
}

/* --- descriptors ------------------------------------------------------------------------------ */

int vdf_vhost_user_set_kick(struct vdf_vu_ring *ring, int fd, struct vdf_err *err)
{
    struct vdf_async *kick = NULL;

    if (fd >= 0) {
        if (vdf_foreign_kind(fd) != VDF_FOREIGN_EVENTFD || fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK))
            return vdf_fail(err, EINVAL, "ring %u: the kick descriptor is no eventfd", ring->index);
        kick = vdf_async_eventfd(ring->vu->con->priv.obj, on_kick, ring, fd);
        if (!kick)
            return vdf_fail(err, errno, "ring %u: its kick cannot be waited for: %s", ring->index,
                            strerror(errno));
    }
    vdf_async_free(ring->kick);
    ring->kick = kick;
    ring->started = true;
    ring->polled = fd < 0;
    int ret = update_poller(ring->vu, err);
    if (ret == 0)
        ret = vdf_vhost_user_ring_update(ring, err);
    if (ret < 0) {
        forget_kick(ring);
        update_poller(ring->vu, NULL);
    }
    return ret;
}

int vdf_vhost_user_set_call(struct vdf_vu_ring *ring, int fd, bool errors, struct vdf_err *err)
{
    struct vdf_signal **slot = errors ? &ring->err : &ring->call;
    enum vdf_foreign kind = fd < 0 ? VDF_FOREIGN_OTHER : vdf_foreign_kind(fd);
    struct vdf_signal *signal = NULL;
    int sock = -1;

    if (kind == VDF_FOREIGN_EVENTFD) {
        signal = vdf_async_signal(ring->vu->con->priv.obj, fd);
        if (!signal)
            return vdf_fail(err, errno, "ring %u: the %s descriptor cannot be used: %s",
                            ring->index, errors ? "error" : "call", strerror(errno));
    } else if (kind == VDF_FOREIGN_SOCKET && !errors) {
        sock = vdf_passed_take(&ring->vu->passed);
    } else if (fd >= 0) {
        return vdf_fail(err, EINVAL, "ring %u: the %s descriptor is no eventfd%s", ring->index,
                        errors ? "error" : "call", errors ? "" : " and no socket of AF_UNIX");
    }
    vdf_signal_close(*slot);
    *slot = signal;
    if (!errors) {
        if (ring->call_sock >= 0)
            vdf_passed_close(&ring->vu->passed, ring->call_sock);
        ring->call_sock = sock;
    }
    return 0;
}

/* --- kicks and calls -------------------------------------------------------------------------- */

void vdf_vhost_user_kicked(struct vdf_vhost_user *vu)
{
    struct vdf_console *con = vu->con;

    /* Of a polled ring it is not known when it was kicked. */
    for (unsigned i = 0; i < vu->n_rings; i++)
        if (vu->rings[i].active)
            vdf_console_notify(con, i);
    vdf_console_settle(con);
}

/* A full eventfd, or a socket without room, already notifies the driver. Return: whether the driver
 * is still to be notified. */
static bool call(const struct vdf_vu_ring *ring)
{
    const uint64_t one = 1;
    ssize_t n;

    if (ring->call)
        return vdf_signal_raise(ring->call);
    if (ring->call_sock >= 0) {
        n = send(ring->call_sock, &one, sizeof(one), MSG_DONTWAIT | MSG_NOSIGNAL);
        (void)n;
    }
    return false;
}

bool vdf_vhost_user_live(const struct vdf_console *con, uint32_t index)
{
    const struct vdf_vhost_user *vu = con->vhost;

    return vu && index < vu->n_rings && vu->rings[index].active;
}

void vdf_vhost_user_used(struct vdf_console *con, uint32_t index)
{
    struct vdf_vhost_user *vu = con->vhost;

    if (vu && index < vu->n_rings) {
        vu->rings[index].call_pending = true;
        vu->calls_pending = true;
    }
}

void vdf_vhost_user_broken(struct vdf_console *con, uint32_t index)
{
    struct vdf_vhost_user *vu = con->vhost;

    if (vu && index < vu->n_rings && vu->rings[index].err)
        vdf_signal_raise(vu->rings[index].err);
}

bool vdf_vhost_user_running(const struct vdf_vhost_user *vu)
{
    for (unsigned i = 0; i < vu->n_rings; i++)
        if (vu->rings[i].started)
            return true;
    return false;
}

void vdf_vhost_user_call(struct vdf_vhost_user *vu)
{
    if (!vu->calls_pending)
        return;
    vu->calls_pending = false;
    for (unsigned i = 0; i < vu->n_rings; i++) {
        struct vdf_vu_ring *ring = &vu->rings[i];

        ring->call_pending = ring->call_pending && call(ring);
        vu->calls_pending |= ring->call_pending;
    }
}
