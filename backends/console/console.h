/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The virtio console: what its parts know of each other.
 *
 *     console.c               the life of a console
 *     table.c, port_table.c   the rows of console/NAME and ports/N and their hooks
 *     mmio.c                  the virtio-mmio window
 *     device.c                status, features, queues, interrupts, faults of the driver
 *     guest.c                 a guest's accesses, doorbells and memory
 *     control.c               control messages
 *     port.c                  data between the host's end and the queues of a port
 *     virtqueue.c             virtqueues, and their split rings
 *     virtqueue_packed.c      packed rings
 *     vhost_user*.c           a driver in another process on the other side, see vhost_user.h
 *     soft.c, soft_port.c     a driver of our own on the other side; the device does not know it
 *     soft_memory.c           that driver's pages and rings
 *     soft_state.c            that driver as a line of text
 *
 * The driver calls the device (register accesses, notifications); the device never calls the driver
 * but raises its interrupt line, which the driver only notes. vdf_console_settle() at the end of
 * every hook lets the two work until nothing is left to do, so no call ever nests.
 *
 * References in comments are to virtio 1.2; "5.3" is the console.
 */
#ifndef VDF_CONSOLE_H
#define VDF_CONSOLE_H

#include <virtdevfs/component.h>
#include <virtdevfs/guest.h>
#include <virtdevfs/irq.h>

#include "virtqueue.h"

enum vdf_console_device {
    VDF_CONSOLE_CONSOLE,
    VDF_CONSOLE_RPROC,
};

enum vdf_console_driver {
    VDF_CONSOLE_SOFT,
    VDF_CONSOLE_NONE,
    VDF_CONSOLE_VHOST_USER,
    VDF_CONSOLE_VM,
};

/* The fate of a guest's data that nobody reads. */
enum vdf_console_overflow {
    VDF_CONSOLE_HOLD, /* it stays in the transmit queue, and the guest waits */
    VDF_CONSOLE_DROP, /* it is taken at once, kept up to VDF_CONSOLE_WAITING, and dropped then */
};

enum vdf_console_order {
    VDF_CONSOLE_COLS_ROWS,
    VDF_CONSOLE_ROWS_COLS,
};

/* Device ids, section 5. */
#define VDF_CONSOLE_ID 3u
#define VDF_CONSOLE_ID_RPROC 11u

/* Feature bits, sections 5.3.3 and 6. */
#define VDF_CONSOLE_F_SIZE (UINT64_C(1) << 0)
#define VDF_CONSOLE_F_MULTIPORT (UINT64_C(1) << 1)
#define VDF_CONSOLE_F_EMERG_WRITE (UINT64_C(1) << 2)
#define VDF_CONSOLE_F_DMA_MEM (UINT64_C(1) << 2) /* instead of EMERG_WRITE with `dma_mem` 1 */
#define VDF_CONSOLE_F_INDIRECT (UINT64_C(1) << 28)
#define VDF_CONSOLE_F_EVENT_IDX (UINT64_C(1) << 29)
#define VDF_CONSOLE_F_VERSION_1 (UINT64_C(1) << 32)
#define VDF_CONSOLE_F_ACCESS_PLATFORM (UINT64_C(1) << 33)
#define VDF_CONSOLE_F_RING_PACKED (UINT64_C(1) << 34)
#define VDF_CONSOLE_F_IN_ORDER (UINT64_C(1) << 35)
#define VDF_CONSOLE_F_RING_RESET (UINT64_C(1) << 40)

/* Device status, section 2.1. */
#define VDF_CONSOLE_S_ACKNOWLEDGE 0x01u
#define VDF_CONSOLE_S_DRIVER 0x02u
#define VDF_CONSOLE_S_DRIVER_OK 0x04u
#define VDF_CONSOLE_S_FEATURES_OK 0x08u
#define VDF_CONSOLE_S_NEEDS_RESET 0x40u
#define VDF_CONSOLE_S_FAILED 0x80u

#define VDF_CONSOLE_INT_USED 1u
#define VDF_CONSOLE_INT_CONFIG 2u

/* Offsets in the virtio-mmio window, section 4.2.2. */
enum vdf_console_reg {
    VDF_CONSOLE_REG_MAGIC = 0x000,
    VDF_CONSOLE_REG_VERSION = 0x004,
    VDF_CONSOLE_REG_DEVICE_ID = 0x008,
    VDF_CONSOLE_REG_VENDOR_ID = 0x00c,
    VDF_CONSOLE_REG_DEVICE_FEATURES = 0x010,
    VDF_CONSOLE_REG_DEVICE_FEATURES_SEL = 0x014,
    VDF_CONSOLE_REG_DRIVER_FEATURES = 0x020,
    VDF_CONSOLE_REG_DRIVER_FEATURES_SEL = 0x024,
    VDF_CONSOLE_REG_QUEUE_SEL = 0x030,
    VDF_CONSOLE_REG_QUEUE_NUM_MAX = 0x034,
    VDF_CONSOLE_REG_QUEUE_NUM = 0x038,
    VDF_CONSOLE_REG_QUEUE_READY = 0x044,
    VDF_CONSOLE_REG_QUEUE_NOTIFY = 0x050,
    VDF_CONSOLE_REG_INTERRUPT_STATUS = 0x060,
    VDF_CONSOLE_REG_INTERRUPT_ACK = 0x064,
    VDF_CONSOLE_REG_STATUS = 0x070,
    VDF_CONSOLE_REG_QUEUE_DESC_LOW = 0x080,
    VDF_CONSOLE_REG_QUEUE_DESC_HIGH = 0x084,
    VDF_CONSOLE_REG_QUEUE_DRIVER_LOW = 0x090,
    VDF_CONSOLE_REG_QUEUE_DRIVER_HIGH = 0x094,
    VDF_CONSOLE_REG_QUEUE_DEVICE_LOW = 0x0a0,
    VDF_CONSOLE_REG_QUEUE_DEVICE_HIGH = 0x0a4,
    VDF_CONSOLE_REG_SHM_SEL = 0x0ac,
    VDF_CONSOLE_REG_SHM_LEN_LOW = 0x0b0,
    VDF_CONSOLE_REG_SHM_LEN_HIGH = 0x0b4,
    VDF_CONSOLE_REG_SHM_BASE_LOW = 0x0b8,
    VDF_CONSOLE_REG_SHM_BASE_HIGH = 0x0bc,
    VDF_CONSOLE_REG_QUEUE_RESET = 0x0c0,
    VDF_CONSOLE_REG_CONFIG_GENERATION = 0x0fc,
    VDF_CONSOLE_REG_COLS = 0x100, /* 2 bytes */
    VDF_CONSOLE_REG_ROWS = 0x102, /* 2 bytes */
    VDF_CONSOLE_REG_MAX_PORTS = 0x104,
    VDF_CONSOLE_REG_EMERG_WR = 0x108,
};
#define VDF_CONSOLE_REGS_SIZE 0x200u
#define VDF_CONSOLE_MAGIC 0x74726976u
#define VDF_CONSOLE_VENDOR 0x53464456u

/* Control messages, section 5.3.6.2. */
enum vdf_console_event {
    VDF_CONSOLE_DEVICE_READY,
    VDF_CONSOLE_PORT_ADD,
    VDF_CONSOLE_PORT_REMOVE,
    VDF_CONSOLE_PORT_READY,
    VDF_CONSOLE_CONSOLE_PORT,
    VDF_CONSOLE_RESIZE,
    VDF_CONSOLE_PORT_OPEN,
    VDF_CONSOLE_PORT_NAME,
};
#define VDF_CONSOLE_BAD_ID UINT32_C(0xffffffff)

struct vdf_console_control {
    uint32_t id;
    uint16_t event;
    uint16_t value;
};

#define VDF_CONSOLE_PORTS_MAX 0x8000u /* more than that Linux refuses */
#define VDF_CONSOLE_WAITING 65536u    /* bytes that wait for the guest, or with us for a reader */
#define VDF_CONSOLE_NAME_MAX 127u     /* bytes of a port's name */

#define VDF_CONSOLE_RXQ0 0u
#define VDF_CONSOLE_TXQ0 1u
#define VDF_CONSOLE_CONTROL_RXQ 2u
#define VDF_CONSOLE_CONTROL_TXQ 3u

struct vdf_soft;
struct vdf_vhost_user;
struct vdf_console_port;

/* Bytes in order, up to VDF_CONSOLE_WAITING; without memory while empty. */
struct vdf_console_fifo {
    uint8_t *bytes;
    uint32_t start, len;
};

struct vdf_console {
    struct vdf_priv priv;

    /* What the host has set. */
    uint8_t device;        /* enum vdf_console_device */
    uint8_t driver;        /* enum vdf_console_driver */
    uint8_t driver_before; /* what `driver` was before `vhost_path` was set */
    char *vhost_path;      /* of the socket to serve; NULL: none */
    uint8_t resize_order;
    bool dma_mem;
    uint64_t features;
    uint64_t dma_size;
    uint32_t max_ports;
    uint16_t queue_size; /* largest size of a queue in the virtio-mmio window */
    uint16_t cols, rows;
    struct vdf_memory memory;
    bool memory_open; /* `memory` has open files */

    /* What the driver has set. */
    uint8_t status;
    uint32_t int_status;
    bool device_ready; /* DEVICE_READY 1 has come, or what only a driver says that is ready */
    bool resumed;      /* the latter: it knows ports from before its reset */
    uint64_t driver_features;
    uint32_t device_features_sel, driver_features_sel;
    uint32_t queue_sel, shm_sel;
    uint32_t generation;
    struct vdf_vq *queues; /* vdf_console_queues() of them, made with the first that is set */
    unsigned n_queues;

    /* The outside. */
    struct vdf_space space; /* what the device reaches */
    struct vdf_irq irq;
    bool irq_level;
    struct vdf_memory *guest_memory; /* of the guest that it is attached to; NULL: of none */
    struct vdf_log control;
    uint64_t violations;
    uint64_t discarded; /* bytes that no port is there to count */

    struct vdf_console_port **ports; /* by id; NULL where there is none */
    uint32_t n_ports;                /* length of the array */
    uint32_t *removed;               /* ids whose PORT_REMOVE is still to be sent */
    uint32_t n_removed;

    struct vdf_soft *soft;        /* the soft driver while it is bound */
    struct vdf_async *later;      /* looks at the queues again; NULL: not made yet */
    struct vdf_vhost_user *vhost; /* the server while the object is started and has `vhost_path` */
};

struct vdf_console_port {
    struct vdf_priv priv;
    struct vdf_console *con;
    uint32_t id;

    bool console;
    uint8_t overflow; /* enum vdf_console_overflow */
    bool host_connected;
    bool guest_connected;
    bool ready;        /* the driver has answered PORT_READY 1 */
    bool added;        /* PORT_ADD has been sent */
    bool throttled;    /* the guest's data waits for the host's reader */
    bool told_console; /* what the driver has been told since PORT_READY */
    bool told_name;
    bool told_open;
    uint16_t cols, rows; /* port 0 uses the device's */
    uint16_t told_cols, told_rows;
    char name[VDF_CONSOLE_NAME_MAX + 1];

    bool held;       /* a transmit chain is being read: */
    uint16_t head;   /* its first descriptor */
    uint64_t offset; /* bytes of it that have been read */
    uint64_t mark;   /* its length and those bytes, hashed: to know it again; 0: not known */

    struct vdf_console_fifo waiting;   /* from the host, until the guest opens the port */
    struct vdf_console_fifo emergency; /* from emerg_wr, until the host reads */
    struct vdf_console_fifo unread;    /* from the guest, where nothing may hold it */

    /* The device's own counts, in the guest's sense. */
    uint64_t sent, received, discarded;

    /* Open files: not state. */
    unsigned data_opens, guest_opens;
    unsigned data_readers; /* of data_opens, those that can read */
    bool data_kept;        /* `data` is open, and a restored state says that it is not */
};

extern const struct vdf_class vdf_console_class;
extern const struct vdf_guest_ops vdf_console_guest_ops;
extern const struct vdf_class vdf_console_port_class;

/* --- console.c -------------------------------------------------------------------------------- */

int vdf_console_create(struct vdf_obj *obj, struct vdf_err *err);
void vdf_console_destroy(struct vdf_obj *obj);
int vdf_console_start(struct vdf_obj *obj, bool fresh, struct vdf_err *err);
void vdf_console_stop(struct vdf_obj *obj);
int vdf_console_restored(struct vdf_obj *obj, struct vdf_err *err);
void vdf_console_adopt(struct vdf_obj *obj, void *old, void *now);
/** vdf_console_ports_from() - how many ports have this number or a higher one. */
uint32_t vdf_console_ports_from(const struct vdf_console *con, uint32_t id);
/** vdf_console_need_one_port() - -EBUSY unless port 0 is the only one. */
int vdf_console_need_one_port(const struct vdf_console *con, struct vdf_err *err);

/* --- table.c, port_table.c -------------------------------------------------------------------- */

/** vdf_console_parse_size() - "COLS ROWS". -EINVAL, -ERANGE. */
int vdf_console_parse_size(const char *text, uint16_t *cols, uint16_t *rows, struct vdf_err *err);
void vdf_console_set_size(struct vdf_console *con, uint16_t cols, uint16_t rows);
/** vdf_console_bind() - let the soft driver probe a device that nobody has touched. */
void vdf_console_bind(struct vdf_console *con);
/** vdf_console_port_number() - a port's directory name to its number. 0 or -EINVAL. */
int vdf_console_port_number(const char *name, uint32_t *id);

/* --- device.c --------------------------------------------------------------------------------- */

/** vdf_console_default_features() - what a new device of this kind offers. */
uint64_t vdf_console_default_features(unsigned device);
/** vdf_console_possible_features() - all that a device of this kind can offer. */
uint64_t vdf_console_possible_features(unsigned device);
bool vdf_console_multiport(const struct vdf_console *con);
/** vdf_console_pool() - buffers and rings have to lie in the DMA pool. */
bool vdf_console_pool(const struct vdf_console *con);
/** vdf_console_memory() - guest memory: the device's own, or that of the guest it is attached to.
 */
struct vdf_memory *vdf_console_memory(struct vdf_console *con);
/** vdf_console_pool_addr() - guest address of the pool: the end of the memory. */
uint64_t vdf_console_pool_addr(const struct vdf_console *con);
/** vdf_console_update_space() - after a change of memory, pool or features. */
void vdf_console_update_space(struct vdf_console *con);

/** vdf_console_queues() - how many the device has. */
uint32_t vdf_console_queues(const struct vdf_console *con);
/** vdf_console_queue() - to look at; unset ones are all zero. NULL past the end. */
const struct vdf_vq *vdf_console_queue(const struct vdf_console *con, uint32_t index);
/** vdf_console_queue_make() - to change. NULL past the end and without memory. */
struct vdf_vq *vdf_console_queue_make(struct vdf_console *con, uint32_t index);
/** vdf_console_modes() - how queues work with the features that the driver has accepted, for
 *  vdf_vq.modes. Set before vdf_vq_check(). */
uint8_t vdf_console_modes(const struct vdf_console *con);
/** vdf_console_live() - the queue if the device may use it now, else NULL. */
struct vdf_vq *vdf_console_live(struct vdf_console *con, uint32_t index);
void vdf_console_queue_set_ready(struct vdf_console *con, uint32_t index, bool ready);
void vdf_console_queue_reset(struct vdf_console *con, uint32_t index);

void vdf_console_reset(struct vdf_console *con);
void vdf_console_set_status(struct vdf_console *con, uint8_t status);
void vdf_console_set_interrupt(struct vdf_console *con, uint32_t int_status);
/** vdf_console_config_changed() - new generation, configuration change interrupt. */
void vdf_console_config_changed(struct vdf_console *con);
/** vdf_console_needs_reset() - the driver broke the rules beyond repair in this queue, which is
 *  stopped while the others go on; reports @err. */
void vdf_console_needs_reset(struct vdf_console *con, uint32_t queue, int result,
                             const struct vdf_err *err);
/** vdf_console_notify() - the driver's notification of a queue. */
void vdf_console_notify(struct vdf_console *con, uint32_t index);
/** vdf_console_later() - look at all queues again in a moment: the driver refills one while it is
 *  served, and need not notify of what the device has not got to. */
void vdf_console_later(struct vdf_console *con);
/** vdf_console_complete() - give a chain back and interrupt the driver. False: needs reset. */
bool vdf_console_complete(struct vdf_console *con, uint32_t index, uint16_t head, uint32_t len);
/**
 * vdf_console_take() - the next chain of a queue. Chains that reach out of the DMA pool are given
 * back unused and counted.
 * @device_writes: what the queue is for; a chain with buffers of the other kind breaks 5.3.6.1
 *
 * Return: 0; -EAGAIN: none, or the device stopped.
 */
int vdf_console_take(struct vdf_console *con, uint32_t index, bool device_writes,
                     struct vdf_vq_chain *chain);
/** vdf_console_settle() - send what is to be sent and let the soft driver work until all is quiet.
 */
void vdf_console_settle(struct vdf_console *con);

/* --- mmio.c ----------------------------------------------------------------------------------- */

uint32_t vdf_console_reg_read(struct vdf_console *con, unsigned reg);
void vdf_console_reg_write(struct vdf_console *con, unsigned reg, uint32_t value);

/* --- control.c -------------------------------------------------------------------------------- */

/** vdf_console_control_flush() - send the driver what it does not know yet, as buffers allow. */
void vdf_console_control_flush(struct vdf_console *con);
/** vdf_console_control_kick() - messages from the driver. */
void vdf_console_control_kick(struct vdf_console *con);
/** vdf_console_control_resume() - a driver that is there already goes on with a device that has
 *  forgotten it: tell it everything. */
void vdf_console_control_resume(struct vdf_console *con);
/** vdf_console_control_removed() - the driver has to hear that @id has gone. 0 or -ENOMEM. */
int vdf_console_control_removed(struct vdf_console *con, uint32_t id);

/* --- port.c ----------------------------------------------------------------------------------- */

static inline uint32_t vdf_console_rxq(uint32_t port)
{
    return port ? 2 + 2 * port : VDF_CONSOLE_RXQ0;
}

static inline uint32_t vdf_console_txq(uint32_t port)
{
    return port ? 3 + 2 * port : VDF_CONSOLE_TXQ0;
}

/* Port of a data queue. */
static inline uint32_t vdf_console_queue_port(uint32_t queue)
{
    return queue < 2 ? 0 : (queue - 2) / 2;
}

struct vdf_console_port *vdf_console_port(const struct vdf_console *con, uint32_t id);
void vdf_console_port_size(const struct vdf_console_port *port, uint16_t *cols, uint16_t *rows);
/** vdf_console_port_forget() - the device was reset: what the driver did and knew is gone. */
void vdf_console_port_forget(struct vdf_console_port *port);
/** vdf_console_port_alone() - open the only port of a driver that knows of no others. */
void vdf_console_port_alone(struct vdf_console *con);
/** vdf_console_port_drop_held() - the chain that is being read is no longer the device's. */
void vdf_console_port_drop_held(struct vdf_console_port *port);
/** vdf_console_port_left() - bytes in the transmit queue that the host has not read. */
uint64_t vdf_console_port_left(struct vdf_console_port *port);
/** vdf_console_port_lose() - nor is the rest of the transmit queue: count what nobody will read. */
void vdf_console_port_lose(struct vdf_console_port *port);
/** vdf_console_port_resume() - the queue begins again: go on in the chain that was being read if it
 *  is the next one there, forget it otherwise. */
void vdf_console_port_resume(struct vdf_console_port *port, struct vdf_vq *vq);
/** vdf_console_port_unplug() - take it out of the device; what it has not read is given back. */
void vdf_console_port_unplug(struct vdf_console_port *port);
void vdf_console_port_set_host(struct vdf_console_port *port, bool connected);
/** vdf_console_port_set_console() - console or not; either has its own `overflow`. */
void vdf_console_port_set_console(struct vdf_console_port *port, bool console);
/** vdf_console_port_unread() - the last reader has gone: what it left of a port that drops. */
void vdf_console_port_unread(struct vdf_console_port *port);
/** vdf_console_port_deliver() - what waits into the receive queue, as buffers allow. */
void vdf_console_port_deliver(struct vdf_console_port *port);
void vdf_console_port_transmit_kick(struct vdf_console *con, uint32_t id);
ssize_t vdf_console_port_read(struct vdf_console_port *port, void *bytes, size_t n);
ssize_t vdf_console_port_write(struct vdf_console_port *port, const void *bytes, size_t n);
unsigned vdf_console_port_poll(const struct vdf_console_port *port);
void vdf_console_port_emergency(struct vdf_console_port *port, uint8_t byte);

/** vdf_console_fifo_add() - bytes taken, fewer when full; -ENOMEM. */
ssize_t vdf_console_fifo_add(struct vdf_console_fifo *fifo, const void *bytes, size_t n);
void vdf_console_fifo_drop(struct vdf_console_fifo *fifo, size_t n);

/* --- vhost_user*.c: all may be called whether or not the device is served --------------------- */

/** vdf_vhost_user_start() - serve on a socket, instead of the one before. */
int vdf_vhost_user_start(struct vdf_console *con, const char *path, struct vdf_err *err);
/** vdf_vhost_user_again() - serve on con->vhost_path, where this is not done any more. */
int vdf_vhost_user_again(struct vdf_console *con, struct vdf_err *err);
/** vdf_vhost_user_stop() - close the connection and remove the socket at con->vhost_path. */
void vdf_vhost_user_stop(struct vdf_console *con);
/** vdf_vhost_user_possible() - can this device be served at @path; looks at no file. */
int vdf_vhost_user_possible(const struct vdf_console *con, const char *path, struct vdf_err *err);
/** vdf_vhost_user_servable() - could a socket be made at @path now; one that this process serves
 *  itself is not in the way. */
int vdf_vhost_user_servable(const char *path, struct vdf_err *err);
/** vdf_vhost_user_ports_check() - how many ports a front end can reach. 0 or -EINVAL. */
int vdf_vhost_user_ports_check(uint32_t max_ports, struct vdf_err *err);
bool vdf_vhost_user_connected(const struct vdf_console *con);
/** vdf_vhost_user_drop() - close the connection; the front end may connect again. */
void vdf_vhost_user_drop(struct vdf_console *con);
/** vdf_vhost_user_reset() - the device was reset: no ring is in use. */
void vdf_vhost_user_reset(struct vdf_console *con);
/** vdf_vhost_user_space() - the front end's memory becomes con->space. */
void vdf_vhost_user_space(struct vdf_console *con);
/** vdf_vhost_user_live() - the front end has started and enabled this queue. */
bool vdf_vhost_user_live(const struct vdf_console *con, uint32_t index);
/** vdf_vhost_user_used() - the driver wants to hear of what was used in this queue. */
void vdf_vhost_user_used(struct vdf_console *con, uint32_t index);
/** vdf_vhost_user_config() - the configuration has changed. */
void vdf_vhost_user_config(struct vdf_console *con);
/** vdf_vhost_user_broken() - the queue made the device need a reset. */
void vdf_vhost_user_broken(struct vdf_console *con, uint32_t index);
/** vdf_vhost_user_flush() - send what the calls above have noted. */
void vdf_vhost_user_flush(struct vdf_console *con);

#endif
