/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The virtio console. Each file uses only files above it:
 *
 *     virtqueue*.c            virtqueues: split rings and packed rings
 *     queue.c                 the device's features, memory, queues and interrupts
 *     fifo.c, port.c          data between the host's end of a port and its queues
 *     control.c               control messages
 *     device.c                status, reset and notifications; the choice of the driver
 *     mmio.c, pci.c           the registers of virtio-mmio and of virtio-pci
 *     size.c                  the size of the terminal
 *     soft*.c                 the soft driver, see soft_driver.h
 *     vhost_user*.c           a driver in another process, see vhost_user_server.h
 *     guest.c                 a driver in a guest, which accesses registers of mmio.c or pci.c
 *     console.c               the life of a console
 *     rows.c, port_rows.c     the rows of console/NAME and of its ports
 *
 * The device does not know its driver. Where drivers differ it calls a struct vdf_console_driver
 * (driver.h). The soft driver calls the device as a guest does: it accesses registers and notifies.
 * The device raises its interrupt line, which the soft driver only records. At the end of every
 * hook vdf_console_settle() lets both work in turns until nothing is left to do, so that no call
 * nests.
 *
 * References in comments are to virtio 1.3; section 5.3 is the console.
 */
#ifndef VDF_CONSOLE_H
#define VDF_CONSOLE_H

#include <virtdevfs/component.h>
#include <virtdevfs/guest.h>
#include <virtdevfs/irq.h>

#include "virtio.h"
#include "virtqueue.h"

enum vdf_console_device {
    VDF_CONSOLE_CONSOLE,
    VDF_CONSOLE_RPROC,
};

/* Parts that can be attached to a guest: a window of registers each. */
enum vdf_console_part {
    VDF_CONSOLE_PART_MMIO, /* "" */
    VDF_CONSOLE_PART_PCI,  /* "pci" */
};

enum vdf_console_order {
    VDF_CONSOLE_COLS_ROWS,
    VDF_CONSOLE_ROWS_COLS,
};

/* Bytes of a port, in the guest's sense. */
struct vdf_console_counts {
    uint64_t sent, received;
};

struct vdf_soft;
struct vdf_vhost_user;
struct vdf_console_port;

struct vdf_console {
    struct vdf_priv priv;

    /* Set by the host. */
    uint8_t device;      /* enum vdf_console_device */
    uint8_t side_before; /* the value of `driver` before `vhost_path` was set */
    char *vhost_path;    /* of the socket that serves the device; NULL: none */
    uint8_t resize_order;
    bool dma_mem;
    uint64_t features;
    uint64_t dma_size;
    uint32_t max_ports;
    uint16_t queue_size; /* largest size of a queue in the virtio-mmio window */
    uint16_t cols, rows;
    struct vdf_memory memory;
    bool memory_open; /* `memory` has open files */

    /* Set by the driver. */
    uint8_t status;
    uint32_t int_status;
    bool device_ready; /* DEVICE_READY 1 has come, or a message that only a ready driver sends */
    bool resumed;      /* the latter: the driver knows ports from before its reset */
    uint64_t driver_features;
    uint32_t device_features_sel, driver_features_sel;
    uint32_t queue_sel, shm_sel;
    uint32_t generation;
    uint16_t config_vector; /* of MSI-X, for changes of the configuration; VDF_CONSOLE_NO_VECTOR */
    struct vdf_vq *queues;  /* vdf_console_queues() of them, made with the first that is set up */
    unsigned n_queues;

    /* Towards the outside. */
    struct vdf_space space; /* the memory that the device reaches */
    struct vdf_irq irq;
    bool irq_level;
    const struct vdf_space *guest_space; /* of the guest that it is attached to; NULL: none */
    uint32_t guest_vector;               /* added to the numbers of the guest's vectors */
    struct vdf_log control;
    uint64_t violations;
    uint64_t discarded; /* bytes for which there is no port to count them */

    struct vdf_console_port **ports; /* by id; NULL where there is none */
    uint32_t n_ports;                /* length of the array */
    uint32_t *removed;               /* ids whose PORT_REMOVE is still to be sent */
    uint32_t n_removed;

    struct vdf_soft *soft;        /* the soft driver while it has the device */
    bool calls_pending;           /* a queue has vdf_vq.call set */
    bool look_again;              /* a queue was not emptied: look at all queues again */
    struct vdf_async *timer;      /* of look_again; NULL: not made yet */
    struct vdf_vhost_user *vhost; /* the server while the object is started and has `vhost_path` */
};

int vdf_console_create(struct vdf_obj *obj, struct vdf_err *err);
void vdf_console_destroy(struct vdf_obj *obj);
int vdf_console_start(struct vdf_obj *obj, bool fresh, struct vdf_err *err);
void vdf_console_stop(struct vdf_obj *obj);
int vdf_console_restored(struct vdf_obj *obj, struct vdf_err *err);
void vdf_console_adopt(struct vdf_obj *obj, void *old, void *now);

#endif
