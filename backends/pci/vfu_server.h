/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The vfio-user server of a function. Another process, the client, is a virtual machine monitor that
 * has the driver and the memory. It connects to the function's socket and sends commands.
 *
 *     vfu.c            the socket, the thread, the life of a connection
 *     vfu_message.c    messages in and out, and waiting for replies
 *     vfu_request.c    the commands, one row each, and those that have no file of their own
 *     vfu_version.c    VERSION
 *     vfu_json.c       the JSON of VERSION
 *     vfu_dma.c        the client's memory
 *     vfu_irq.c        interrupts
 *     vfu_feature.c    migration, and the log of written pages
 *
 * A thread serves one client after the other. It holds no lock while it waits, and enters one device
 * at a time. When a client has gone, its memory and its eventfds go, and the devices stay as they are.
 *
 * Memory that comes without a descriptor is accessed by commands of this server, in the thread of the
 * device, which holds the device's lock. A thread that waits for a reply receives messages itself while
 * no other thread does. Commands that arrive meanwhile are queued for the client's thread. A client
 * that does not reply in time is given up.
 *
 * A refusal is an error reply and a line in `errors`. Only a header that does not say where the next
 * message begins ends a connection.
 */
#ifndef VDF_PCI_VFU_SERVER_H
#define VDF_PCI_VFU_SERVER_H

#include <pthread.h>
#include <virtdevfs/foreign.h>
#include <virtdevfs/lock.h>
#include <virtdevfs/socket.h>
#include <virtdevfs/user.h>

#include "vfu.h"
#include "vfu_protocol.h"

/* --- vfu_message.c ---------------------------------------------------------------------------- */

/* A message that has been received. */
struct vdf_vfu_message {
    struct vdf_vfu_message *next;
    struct vdf_vfu_header header;
    bool lost_fds; /* there were more descriptors, which are closed */
    unsigned n_fds;
    int fds[VDF_VFU_FDS_MAX];
    uint32_t len; /* bytes of payload */
    uint8_t payload[] __attribute__((aligned(8)));
};

#define VDF_VFU_AHEAD 1024u

/* A socket of a connection. */
struct vdf_vfu_channel {
    int fd;                /* -1: none */
    bool reading, sending; /* a thread does; under the link's lock */
    /* Of the thread that reads. */
    struct vdf_passed passed;
    struct vdf_vfu_header header;
    struct vdf_vfu_message *partial; /* NULL: the header is not complete */
    size_t done;                     /* bytes of the header, or of the payload */
    /* Bytes that have been read, so that most messages take one system call. */
    struct {
        uint8_t bytes[VDF_VFU_AHEAD];
        size_t at, end;
    } ahead;
    unsigned fdless; /* messages in `ahead` before the one that has the descriptors */
};

/* A thread that waits for a reply. */
struct vdf_vfu_ask {
    struct vdf_vfu_ask *next;
    const struct vdf_vfu_channel *channel;
    uint16_t id, command;
    struct vdf_vfu_message *reply; /* NULL: not there yet */
};

/* A connection. */
struct vdf_vfu_link {
    struct vdf_lock lock; /* rank HOST; for all but what a reader or a sender has for itself */
    pthread_cond_t changed;
    unsigned waiting; /* threads, for `changed` */
    struct vdf_vfu_channel main,
        twin;     /* twin: for commands of this server, if the client wants it */
    int wake;     /* an eventfd that interrupts vdf_vfu_next() */
    bool watched; /* it is in use; changed by the client's thread */

    bool closed;        /* nothing is received or sent any more */
    struct vdf_err why; /* code 0: the client has left */

    struct vdf_vfu_message *queue, **queue_end; /* commands */
    unsigned queued, queued_fds;
    size_t queued_bytes;
    struct vdf_vfu_ask *asks;
    uint16_t last_id;
    unsigned unasked;          /* replies that nobody waits for, and that are not reported yet */
    int64_t patience;          /* nanoseconds that late replies may still take */
    int64_t counted;           /* CLOCK_MONOTONIC, nanoseconds: when that was computed */
    struct vdf_passed dropped; /* closes the descriptors of messages */
};

/** vdf_vfu_link_open() - a connection by @fd, which is the link's then. 0 or -errno. */
int vdf_vfu_link_open(struct vdf_vfu_link *link, int fd);
/** vdf_vfu_link_close() - close the sockets, and the descriptors that have come by them, when no other
 *  thread uses the link any longer. */
void vdf_vfu_link_close(struct vdf_vfu_link *link);
/** vdf_vfu_link_wait() - wait until all descriptors are closed, so that their number is limited.
 *  @wake: an eventfd that ends the wait */
void vdf_vfu_link_wait(struct vdf_vfu_link *link, int wake);
/** vdf_vfu_link_free() - close the link, if that has not been done, and release it. */
void vdf_vfu_link_free(struct vdf_vfu_link *link);
/** vdf_vfu_hang_up() - let no thread wait for the client any longer. @why: for the line in `errors`;
 *  NULL: there is none. The first call counts. Any thread. */
void vdf_vfu_hang_up(struct vdf_vfu_link *link, const struct vdf_err *why);
/** vdf_vfu_next() - wait for the next command. Return: 1; 0: `wake` was written, or a reply came that
 *  nobody waits for; -EPIPE: the link is closed. */
int vdf_vfu_next(struct vdf_vfu_link *link, struct vdf_vfu_message **message);
/** vdf_vfu_message_free() - and close its descriptors. NULL is allowed. */
void vdf_vfu_message_free(struct vdf_vfu_link *link, struct vdf_vfu_message *message);
/** vdf_vfu_reply() - reply to a command; waits for room in the socket. @error: positive errno, 0: none.
 *  Return: 0 or -EPIPE. */
int vdf_vfu_reply(struct vdf_vfu_link *link, const struct vdf_vfu_header *command, int error,
                  const void *payload, size_t len, const int *fds, unsigned n_fds);
/**
 * vdf_vfu_ask() - send a command and wait for the reply, with or without a device's lock. A client that
 * does not reply within a second is given up.
 * @data: @n bytes that follow the payload
 * @reply: for vdf_vfu_message_free()
 *
 * Return: 0, also for an error reply; -EPIPE: the link is closed; -ENOMEM.
 */
int vdf_vfu_ask(struct vdf_vfu_link *link, uint16_t command, const void *payload, size_t len,
                const void *data, size_t n, struct vdf_vfu_message **reply);

/* --- vfu_dma.c -------------------------------------------------------------------------------- */

/* A part of the client's memory. */
struct vdf_vfu_mapping {
    struct vdf_vfu_mapping *next; /* of those that devices may still use */
    uint64_t address, size;
    bool readable, writable;
    struct vdf_import import; /* not open: accessed by messages */
    _Atomic uint64_t *dirty;  /* NULL: not logged */
};

struct vdf_vfu_space; /* the mappings as the devices see them */

struct vdf_vfu_dma {
    struct vdf_vfu_mapping *mappings[VDF_VFU_MAPS_MAX]; /* by address; under vfu->lock */
    unsigned n, remotes;                                /* remotes: accessed by messages */
    struct vdf_vfu_space *spaces;                       /* the newest first; NULL: none */
    struct vdf_vfu_mapping *retired;                    /* devices may still use them */
    struct vdf_remote_memory remote;
    bool logging;
};

/* --- vfu.c ------------------------------------------------------------------------------------ */

/* The client's version and capabilities. */
struct vdf_vfu_peer {
    bool negotiated;
    unsigned fds;  /* descriptors in a message to the client */
    uint64_t data; /* bytes that a message to the client transfers */
};

/* States of enum vfio_device_mig_state that this server has. */
enum vdf_vfu_state {
    VDF_VFU_STATE_ERROR = 0,
    VDF_VFU_STATE_STOP = 1,
    VDF_VFU_STATE_RUNNING = 2,
    VDF_VFU_STATE_STOP_COPY = 3,
    VDF_VFU_STATE_RESUMING = 4,
    VDF_VFU_STATE_PRE_COPY = 6,
    VDF_VFU_STATES = 7,
};

struct vdf_vfu_migration {
    uint32_t state;
    struct vdf_buf data; /* saved, or to be loaded */
    size_t at;           /* bytes that have been read */
};

/* The signals of an interrupt's mask. */
struct vdf_vfu_mask_event {
    struct vdf_signal *mask, *unmask; /* NULL: none */
    bool masked;                      /* as last seen */
};

struct vdf_vfu {
    struct vdf_pci *pci;
    char *path;
    struct vdf_listener listener;
    struct vdf_passed closing; /* of the listener */
    int wake;                  /* an eventfd: `stop` is set */
    pthread_t thread;
    bool started; /* the thread is there */
    atomic_bool stop;
    atomic_uint reports; /* lines of this connection */

    struct vdf_lock lock; /* rank HOST; for the next two, and the list of mappings */
    bool connected;
    char client[64];          /* who is connected */
    struct vdf_vfu_link link; /* open while a client is connected */

    /* Of the connection, and of the client's thread. */
    struct vdf_user user; /* the client's rights count for files that a loaded state names */
    struct vdf_vfu_peer peer;
    struct vdf_vfu_dma dma;
    struct vdf_vfu_migration migration;
    struct vdf_async *unmask_async;         /* INTx is unmasked by an eventfd; NULL: it is not */
    atomic_bool unmask_due;                 /* the eventfd was written */
    struct vdf_vfu_mask_event *mask_events; /* of INTx, and of each vector; NULL: there are none */
    unsigned n_mask_events;
    struct vdf_signal *error_signal; /* of VFIO_PCI_ERR_IRQ_INDEX; NULL: none */
    uint8_t *reply;                  /* room for a reply */
    size_t reply_room;
};

/** vdf_vfu_report() - add a line to `errors`, up to a number of them a connection. */
void vdf_vfu_report(struct vdf_vfu *vfu, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* --- vfu_request.c ---------------------------------------------------------------------------- */

/* A command that is being carried out, and its reply. */
struct vdf_vfu_call {
    const struct vdf_vfu_message *in;
    void *out; /* of vdf_vfu_room() */
    size_t len;
    int fds[VDF_SOCKET_SEND_FDS];
    unsigned n_fds;
    bool answered; /* the reply has been sent */
    bool last;     /* the connection ends with it */
    int sent_fd;   /* closed when the reply has been sent; -1: none */
};

/** vdf_vfu_handle() - carry out a command and reply. */
void vdf_vfu_handle(struct vdf_vfu *vfu, const struct vdf_vfu_message *message);
/** vdf_vfu_command_name() - for lines in `errors`: "DMA_MAP". */
const char *vdf_vfu_command_name(uint16_t command);
/** vdf_vfu_room() - the payload of the reply: @len bytes, zeroed. NULL: no memory. */
void *vdf_vfu_room(struct vdf_vfu *vfu, struct vdf_vfu_call *call, size_t len);
/** vdf_vfu_answers_first() - whether replies precede accesses of memory that a command may cause. */
bool vdf_vfu_answers_first(const struct vdf_vfu *vfu);
/** vdf_vfu_answer() - reply before the command has been carried out. */
void vdf_vfu_answer(struct vdf_vfu *vfu, struct vdf_vfu_call *call);

/* A command's function. Return: 0 or -errno, which is the reply's error. */
typedef int vdf_vfu_request(struct vdf_vfu *vfu, struct vdf_vfu_call *call, struct vdf_err *err);

/* --- vfu_version.c, vfu_dma.c, vfu_irq.c, vfu_feature.c ----------------------------------------- */

vdf_vfu_request vdf_vfu_negotiate;
vdf_vfu_request vdf_vfu_dma_map, vdf_vfu_dma_unmap;
vdf_vfu_request vdf_vfu_irq_info, vdf_vfu_irq_set;
vdf_vfu_request vdf_vfu_feature, vdf_vfu_mig_read, vdf_vfu_mig_write;

/** vdf_vfu_dma_drop() - the devices use no memory of the client any longer, and it is released. @stop
 *  as in vdf_pci_set_space(). */
int vdf_vfu_dma_drop(struct vdf_vfu *vfu, const atomic_bool *stop);
/** vdf_vfu_dma_lost() - whether the client has truncated a file of its memory. */
bool vdf_vfu_dma_lost(const struct vdf_vfu *vfu);
/** vdf_vfu_log_start(), vdf_vfu_log_stop() - log the pages that devices write to. */
int vdf_vfu_log_start(struct vdf_vfu *vfu, struct vdf_err *err);
int vdf_vfu_log_stop(struct vdf_vfu *vfu, struct vdf_err *err);
/** vdf_vfu_log_take() - read and clear a part of the log, of whole pages of VDF_VFU_PAGE.
 *  @bitmap: bit (address - @address) / @page_size */
int vdf_vfu_log_take(struct vdf_vfu *vfu, uint64_t address, uint64_t size, uint64_t page_size,
                     uint8_t *bitmap, struct vdf_err *err);

/** vdf_vfu_irq_woken() - `link.wake` was written: unmask INTx if its eventfd was signalled. */
void vdf_vfu_irq_woken(struct vdf_vfu *vfu);
/** vdf_vfu_irq_masks() - signal the masks that have changed. */
void vdf_vfu_irq_masks(struct vdf_vfu *vfu);
/** vdf_vfu_irq_drop() - close all eventfds of the client. @stop as in vdf_pci_enter(). */
int vdf_vfu_irq_drop(struct vdf_vfu *vfu, const atomic_bool *stop);

/** vdf_vfu_reset() - DEVICE_RESET: the function is as after its start, and runs. */
int vdf_vfu_reset(struct vdf_vfu *vfu, struct vdf_err *err);
/** vdf_vfu_migration_drop() - forget the data of a migration. */
void vdf_vfu_migration_drop(struct vdf_vfu *vfu);

#endif
