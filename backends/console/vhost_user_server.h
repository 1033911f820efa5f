/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The console as a vhost-user device. Another process, the front end, has the driver, the memory
 * and the rings. It connects to the device's socket and sends messages about them.
 *
 *     vhost_user.c         the socket: listen, accept, messages in, replies out
 *     vhost_user_msg.c     the requests, one row each
 *     vhost_user_memory.c  the memory of the front end
 *     vhost_user_ring.c    the rings of the front end: kicks in, calls out
 *
 * The space of the device is the front end's memory, and the ring messages fill in its queues.
 *
 * When a front end disconnects, the device stays as it is, with no queue ready, because the
 * protocol lets the front end come back and go on. A driver ends with RESET_DEVICE (without that
 * message: with a status of 0), with other features, or with a DEVICE_READY of the guest. One front
 * end is served at a time. The next one waits in the backlog of the socket.
 *
 * No function waits, whatever the front end does to a descriptor that it shares with this process
 * (virtdevfs/foreign.h, virtdevfs/socket.h). While a reply does not fit into the socket, or a descriptor is slow to
 * close, further requests stay unread.
 *
 * The protocol is that of QEMU's docs/interop/vhost-user.rst, whose sections and messages the
 * comments name.
 */
#ifndef VDF_CONSOLE_VHOST_USER_SERVER_H
#define VDF_CONSOLE_VHOST_USER_SERVER_H

#include <virtdevfs/foreign.h>
#include <virtdevfs/socket.h>

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
    bool started; /* from SET_VRING_KICK until GET_VRING_BASE */
    bool polled;  /* SET_VRING_KICK came without a descriptor */
    bool lost;    /* it stands still until its memory is back */
    bool enabled;
    bool active; /* the device may use the queue */
    bool call_pending;
    uint16_t base;              /* vdf_vq.last_avail of a ring that is not active */
    uint16_t stopped;           /* the base when the ring stopped */
    uint64_t left;              /* unread bytes for the host at that time */
    uint64_t desc, used, avail; /* addresses in the front end's process */
    struct vdf_async *kick;
    /* A receive ring with much data is looked at by time instead of by kicks. */
    struct vdf_async *rest; /* NULL: not made yet */
    bool resting;
    uint16_t taken;                /* vdf_vq.last_avail at the last look */
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
    struct vdf_listener listener;
    struct vdf_async *listen_async; /* while no front end is connected */

    /* The connection; -1: none. */
    int fd;
    struct vdf_async *async;
    bool writing; /* `async` waits for room, not for messages */
    struct vdf_vu_message msg;
    size_t done;              /* bytes of `msg` that have been read or written, header first */
    struct vdf_passed passed; /* came with it */
    struct vdf_async *closed_async;
    int reply_fd;             /* goes out with the reply; -1: none */
    struct vdf_vu_ring *ring; /* of the message; NULL: it has none */

    bool protocol; /* VHOST_USER_F_PROTOCOL_FEATURES has been accepted */
    uint64_t protocol_features;
    uint8_t status; /* as the front end has set it */
    bool inflight;  /* rings start at the used index instead of at their base */

    int backend_fd; /* for requests to the front end; -1: none */
    struct vdf_async *backend_async;
    bool config_pending;

    struct vdf_vu_mapping mappings[VDF_VU_REGIONS_MAX];
    unsigned n_mappings;
    struct vdf_region regions[VDF_VU_REGIONS_MAX]; /* of con->space: the mappings, sorted */

    struct vdf_vu_ring *rings; /* n_rings of them, while connected */
    unsigned n_rings;
    bool calls_pending;
    struct vdf_async *poller; /* while a ring is polled */
};

/* --- vhost_user.c ----------------------------------------------------------------------------- */

/** vdf_vhost_user_receive() - handle the messages that have arrived, and send replies. The engine
 *  calls it. False: there was none. */
bool vdf_vhost_user_receive(struct vdf_vhost_user *vu);
/** vdf_vhost_user_connect() - serve the front end at the other end of @fd, which is taken over. */
int vdf_vhost_user_connect(struct vdf_vhost_user *vu, int fd, struct vdf_err *err);
/** vdf_vhost_user_disconnect() - close the connection, and release everything that came with it. */
void vdf_vhost_user_disconnect(struct vdf_vhost_user *vu);
/** vdf_vhost_user_send_config() - send the front end CONFIG_CHANGE, now or when its socket has
 *  room. */
void vdf_vhost_user_send_config(struct vdf_vhost_user *vu);
/** vdf_vhost_user_new() - a server without a socket. NULL: errno says why there is none. */
struct vdf_vhost_user *vdf_vhost_user_new(struct vdf_console *con);
void vdf_vhost_user_free(struct vdf_vhost_user *vu);

/* --- vhost_user_msg.c ------------------------------------------------------------------------- */

/** vdf_vhost_user_expects() - whether a message may begin with this header. -errno: the connection
 *  has to be closed, because the beginning of the next message is not known. */
int vdf_vhost_user_expects(const struct vdf_vu_header *header, struct vdf_err *err);
/** vdf_vhost_user_handle() - carry out the request in vu->msg, or report its error. Return: whether
 *  vu->msg is now a reply to send. */
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
/** vdf_vhost_user_lost() - whether the front end has truncated a file of its memory. */
bool vdf_vhost_user_lost(const struct vdf_vhost_user *vu);
/** vdf_vhost_user_translate() - the guest address of an address in the front end's process. False:
 *  it is in no region. */
bool vdf_vhost_user_translate(const struct vdf_vhost_user *vu, uint64_t user, uint64_t *guest);

/* --- vhost_user_ring.c ------------------------------------------------------------------------ */

/** vdf_vhost_user_ring_update() - start or stop to use the ring, as its state says. */
int vdf_vhost_user_ring_update(struct vdf_vu_ring *ring, struct vdf_err *err);
/** vdf_vhost_user_enable_all() - for a front end that does not enable rings itself. */
int vdf_vhost_user_enable_all(struct vdf_vhost_user *vu, struct vdf_err *err);
/** vdf_vhost_user_rings_moved() - locate the rings in changed memory. Rings that are not in it
 *  stand still until they are. */
void vdf_vhost_user_rings_moved(struct vdf_vhost_user *vu);
/** vdf_vhost_user_ring_stop() - stop the ring. Return: its base. */
uint16_t vdf_vhost_user_ring_stop(struct vdf_vu_ring *ring);
/** vdf_vhost_user_set_kick() - start the ring, and listen to this descriptor; -1: poll it. */
int vdf_vhost_user_set_kick(struct vdf_vu_ring *ring, int fd, struct vdf_err *err);
/** vdf_vhost_user_set_call() - notify the driver with this descriptor; -1: with none. @errors: of
 *  broken rings instead of used buffers. */
int vdf_vhost_user_set_call(struct vdf_vu_ring *ring, int fd, bool errors, struct vdf_err *err);
/** vdf_vhost_user_kicked() - look at all rings for available buffers. */
void vdf_vhost_user_kicked(struct vdf_vhost_user *vu);
/** vdf_vhost_user_rings_forget() - the device was reset: no ring is started or enabled. */
void vdf_vhost_user_rings_forget(struct vdf_vhost_user *vu);
void vdf_vhost_user_rings_free(struct vdf_vhost_user *vu);
/** vdf_vhost_user_call() - notify the driver of the rings with used buffers. */
void vdf_vhost_user_call(struct vdf_vhost_user *vu);
/** vdf_vhost_user_running() - whether a ring is started. A device with none is suspended. */
bool vdf_vhost_user_running(const struct vdf_vhost_user *vu);

/* Of struct vdf_console_driver; con->vhost may be NULL. */
bool vdf_vhost_user_live(const struct vdf_console *con, uint32_t index);
void vdf_vhost_user_used(struct vdf_console *con, uint32_t index);
void vdf_vhost_user_broken(struct vdf_console *con, uint32_t index);

#endif
