/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The console as a vhost-user device: another process, the front end, has the driver, the memory
 * and the rings; it connects to our socket and tells where they are.
 *
 *     vhost_user.c         the socket: listen, accept, messages in, replies out
 *     vhost_user_fds.c     the descriptors that come with messages
 *     vhost_user_path.c    where the socket may lie, and who may already be there
 *     vhost_user_msg.c     the requests, one row each
 *     vhost_user_memory.c  the front end's memory
 *     vhost_user_ring.c    its rings: kicks in, calls out
 *
 * The device does not know whom it works for: its space is the front end's memory, its queues are
 * filled in from the ring messages, and where it would interrupt the driver it calls
 * its struct vdf_console_driver.
 *
 * A front end that goes away leaves the device as it is, with no queue ready, because the protocol
 * lets it come back in mid-work; what ends a driver's life is RESET_DEVICE (or without it a status
 * of 0), other features, or a DEVICE_READY from the guest. One front end is served at a time, the
 * next waits in the backlog.
 *
 * Nothing here waits, and nothing that the front end can do to a descriptor that it shares with us
 * makes it wait (virtdevfs/foreign.h). A reply that does not fit into the socket keeps further
 * requests unread, and so does a descriptor whose closing takes long.
 *
 * The protocol: QEMU's docs/interop/vhost-user.rst, by the names of its sections and messages.
 */
#ifndef VDF_CONSOLE_VHOST_USER_SERVER_H
#define VDF_CONSOLE_VHOST_USER_SERVER_H

#include <sys/stat.h>
#include <sys/un.h>
#include <virtdevfs/foreign.h>

#include "console.h"
#include "vhost_user_protocol.h"

/* A message on its way in, and then the reply to it on its way out. */
struct vdf_vu_message {
    struct vdf_vu_header header;
    union {
        uint64_t u64;
        struct vdf_vu_vring_state state;
        struct vdf_vu_vring_addr addr;
        struct vdf_vu_table table;
        struct vdf_vu_one_region one;
        struct vdf_vu_config config;
        struct vdf_vu_inflight inflight;
        uint8_t bytes[VDF_VU_PAYLOAD_MAX];
    } payload;
};
_Static_assert(offsetof(struct vdf_vu_message, payload) == 16, "the payload is read on its own");

struct vdf_vu_ring {
    struct vdf_vhost_user *vu;
    unsigned index;
    uint32_t num;
    bool have_addr;
    bool started; /* a kick has been given; GET_VRING_BASE stops */
    bool polled;  /* it was given without a descriptor */
    bool lost;    /* it ran until its memory was taken away, and goes on when that is back */
    bool enabled;
    bool active; /* the device may use the queue */
    bool call_pending;
    uint16_t base;              /* as vdf_vq.last_avail, while not active */
    uint16_t stopped;           /* what that was when the ring stopped */
    uint64_t left;              /* bytes for the host that were in the ring then */
    uint64_t desc, used, avail; /* in the front end's addresses */
    struct vdf_async *kick;
    /* While data streams to the guest the buffers of a receive ring are looked for by time. */
    struct vdf_async *rest; /* NULL: not made yet */
    bool resting;
    uint16_t taken;                /* vdf_vq.last_avail when the ring was looked at last */
    struct vdf_signal *call, *err; /* NULL: none */
    int call_sock;                 /* instead of `call`; -1: none */
};

struct vdf_vu_mapping {
    struct vdf_vu_region region;
    struct vdf_import import;
};

struct vdf_vhost_user {
    struct vdf_console *con;

    /* The socket. */
    int listen_fd;
    struct vdf_async *listen_async; /* while nobody is connected */
    dev_t dev;                      /* of the socket's file, so that no other is removed */
    ino_t ino;

    /* The connection; -1: none. */
    int fd;
    struct vdf_async *async;
    bool writing; /* `async` waits for room, not for messages */
    struct vdf_vu_message msg;
    size_t done; /* bytes of `msg` that have been read or written, header first */
    int fds[VDF_VU_FDS_SENT];
    unsigned n_fds;
    bool lost_fds;            /* there were more, which are closed */
    int reply_fd;             /* goes out with the reply; -1: none */
    struct vdf_vu_ring *ring; /* that the message is about; NULL: none */

    /* Descriptors that are being closed where that may wait: meanwhile nothing more is read and
     * nobody else served, so that no front end has us open more and more of them. */
    int closed; /* an eventfd that tells when they are */
    struct vdf_async *closed_async;
    unsigned closing; /* lots of them */

    bool protocol; /* VHOST_USER_F_PROTOCOL_FEATURES has been accepted */
    uint64_t protocol_features;
    uint8_t status; /* as the front end has set it */
    bool inflight;  /* rings start at the used index, whatever their base is */

    int backend_fd; /* for requests to the front end; -1: none */
    struct vdf_async *backend_async;
    bool config_pending;

    struct vdf_vu_mapping mappings[VDF_SPACE_REGIONS];
    unsigned n_mappings;

    struct vdf_vu_ring *rings; /* n_rings of them, while connected */
    unsigned n_rings;
    bool calls_pending;
    struct vdf_async *poller; /* while a ring is polled */
};

/* --- vhost_user.c ----------------------------------------------------------------------------- */

/** vdf_vhost_user_receive() - handle what has come over the connection, and go on with what has to
 *  go out. False: nothing was there. Also what the engine calls. */
bool vdf_vhost_user_receive(struct vdf_vhost_user *vu);
/** vdf_vhost_user_connect() - serve the front end at the other end of @fd, which is taken over. */
int vdf_vhost_user_connect(struct vdf_vhost_user *vu, int fd, struct vdf_err *err);
/** vdf_vhost_user_disconnect() - give up the connection and all that came with it. */
void vdf_vhost_user_disconnect(struct vdf_vhost_user *vu);
/** vdf_vhost_user_send_config() - tell the front end of a configuration change, as soon as its
 *  socket has room. */
void vdf_vhost_user_send_config(struct vdf_vhost_user *vu);
/** vdf_vhost_user_new() - a server without a socket. NULL, with errno set, when it
 *  cannot be made. */
struct vdf_vhost_user *vdf_vhost_user_new(struct vdf_console *con);
void vdf_vhost_user_free(struct vdf_vhost_user *vu);

/* --- vhost_user_fds.c ------------------------------------------------------------------------- */

/** vdf_vhost_user_take_fd() - the only descriptor of the message, which is not closed with it. */
int vdf_vhost_user_take_fd(struct vdf_vhost_user *vu);
/** vdf_vhost_user_close() - close a descriptor of the front end, in another thread where that may
 *  wait. */
void vdf_vhost_user_close(struct vdf_vhost_user *vu, int fd);
/** vdf_vhost_user_close_all() - close the descriptors of the message. */
void vdf_vhost_user_close_all(struct vdf_vhost_user *vu);
/** vdf_vhost_user_closing() - whether descriptors are still being closed. */
bool vdf_vhost_user_closing(struct vdf_vhost_user *vu);

/* --- vhost_user_path.c ------------------------------------------------------------------------ */

/** vdf_vhost_user_path_check() - may a socket be made at @path; looks at no file. */
int vdf_vhost_user_path_check(const char *path, struct vdf_err *err);
/**
 * vdf_vhost_user_listen() - make the socket; a socket file to which nobody listens is replaced.
 * Return: the listening descriptor or -errno (EADDRINUSE, EEXIST).
 */
int vdf_vhost_user_listen(const char *path, struct stat *made, struct vdf_err *err);
/** vdf_vhost_user_listens() - whether the socket's file is still there. */
bool vdf_vhost_user_listens(const char *path, dev_t dev, ino_t ino);
/** vdf_vhost_user_unlink() - remove the socket's file, if it is still the same and the user whose
 * request this is may. */
void vdf_vhost_user_unlink(const char *path, dev_t dev, ino_t ino);

/* --- vhost_user_msg.c ------------------------------------------------------------------------- */

/** vdf_vhost_user_expects() - may a message begin with this header; -errno: the connection has to
 *  go, since nobody knows where the next one begins. */
int vdf_vhost_user_expects(const struct vdf_vu_header *header, struct vdf_err *err);
/** vdf_vhost_user_handle() - carry out the message in vu->msg, with its descriptors, or report why
 *  not. Return: whether vu->msg is now a reply to send. */
bool vdf_vhost_user_handle(struct vdf_vhost_user *vu);
/** vdf_vhost_user_request_name() - for error lines. */
const char *vdf_vhost_user_request_name(uint32_t request);

/* --- vhost_user_memory.c ---------------------------------------------------------------------- */

int vdf_vhost_user_set_table(struct vdf_vhost_user *vu, struct vdf_err *err);
int vdf_vhost_user_add_region(struct vdf_vhost_user *vu, struct vdf_err *err);
int vdf_vhost_user_remove_region(struct vdf_vhost_user *vu, struct vdf_err *err);
void vdf_vhost_user_drop_memory(struct vdf_vhost_user *vu);
/** vdf_vhost_user_space() - the front end's memory becomes con->space. */
void vdf_vhost_user_space(struct vdf_console *con);
/** vdf_vhost_user_lost() - the front end has cut a file whose memory it had passed. */
bool vdf_vhost_user_lost(const struct vdf_vhost_user *vu);
/** vdf_vhost_user_translate() - an address in the front end's process to one of the guest. False:
 * it is in no region. */
bool vdf_vhost_user_translate(const struct vdf_vhost_user *vu, uint64_t user, uint64_t *guest);

/* --- vhost_user_ring.c ------------------------------------------------------------------------ */

/** vdf_vhost_user_ring_update() - let the device use the ring, or not, as its state now is. */
int vdf_vhost_user_ring_update(struct vdf_vu_ring *ring, struct vdf_err *err);
/** vdf_vhost_user_enable_all() - all rings, for a front end that does not enable them itself. */
int vdf_vhost_user_enable_all(struct vdf_vhost_user *vu, struct vdf_err *err);
/** vdf_vhost_user_rings_moved() - the memory is another: find the rings again. Those that are not
 * in it stand still until they are. */
void vdf_vhost_user_rings_moved(struct vdf_vhost_user *vu);
/** vdf_vhost_user_ring_stop() - GET_VRING_BASE; returns the base. */
uint16_t vdf_vhost_user_ring_stop(struct vdf_vu_ring *ring);
/** vdf_vhost_user_set_kick() - start the ring, and listen to this descriptor; -1: poll it. */
int vdf_vhost_user_set_kick(struct vdf_vu_ring *ring, int fd, struct vdf_err *err);
/** vdf_vhost_user_set_call() - tell the driver with this descriptor; -1: with none. */
int vdf_vhost_user_set_call(struct vdf_vu_ring *ring, int fd, bool errors, struct vdf_err *err);
/** vdf_vhost_user_kicked() - look at all rings for what the driver has made available. */
void vdf_vhost_user_kicked(struct vdf_vhost_user *vu);
/** vdf_vhost_user_rings_forget() - the device was reset: no ring is started or enabled. */
void vdf_vhost_user_rings_forget(struct vdf_vhost_user *vu);
void vdf_vhost_user_rings_free(struct vdf_vhost_user *vu);
/** vdf_vhost_user_call() - tell the driver of the rings with used buffers. */
void vdf_vhost_user_call(struct vdf_vhost_user *vu);
/** vdf_vhost_user_running() - whether a ring is started. A device with none is suspended. */
bool vdf_vhost_user_running(const struct vdf_vhost_user *vu);

/* Of struct vdf_console_driver; con->vhost may be NULL. */
bool vdf_vhost_user_live(const struct vdf_console *con, uint32_t index);
void vdf_vhost_user_used(struct vdf_console *con, uint32_t index);
void vdf_vhost_user_broken(struct vdf_console *con, uint32_t index);

#endif
