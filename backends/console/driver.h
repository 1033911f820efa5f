/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The party on the other side of the device: what drives it. */
#ifndef VDF_CONSOLE_DRIVER_H
#define VDF_CONSOLE_DRIVER_H

#include "console.h"

/* The words of the row `driver`. */
enum vdf_console_side {
    VDF_CONSOLE_SOFT,
    VDF_CONSOLE_NONE,
    VDF_CONSOLE_VHOST_USER,
    VDF_CONSOLE_VM,
};

/* What the device does where its drivers differ. priv.backend of a console is one of these. */
struct vdf_console_driver {
    struct vdf_backend backend;
    enum vdf_console_side side;
    /* Another process has the memory, chooses the sizes of the queues, and starts and stops them:
     * there is no DMA pool, and queues and drivers come and go without a reset of the device. */
    bool remote;

    /* NULL: nothing is to be done, or the default that is named. */

    /* Fill in con->space. Default: the device's own memory. */
    void (*space)(struct vdf_console *con);
    /* Whether the device may use a ready queue. Default: yes. */
    bool (*live)(const struct vdf_console *con, uint32_t queue);
    /* Buffers of the queue were used, and the driver wants to know. Default: an interrupt. */
    void (*used)(struct vdf_console *con, uint32_t queue);
    /* The configuration has changed. Default: an interrupt. */
    void (*config)(struct vdf_console *con);
    /* The queue made the device need a reset. */
    void (*broken)(struct vdf_console *con, uint32_t queue);
    /* The device was reset. */
    void (*reset)(struct vdf_console *con);
    /* The device has done what it can. True: the driver has answered, and the device goes on. */
    bool (*work)(struct vdf_console *con);
    /* The driver loses the device, which stays as it is. */
    void (*leave)(struct vdf_console *con);
};

extern const struct vdf_console_driver vdf_console_no_driver;
extern const struct vdf_console_driver vdf_console_soft_driver;
extern const struct vdf_console_driver vdf_console_vhost_user_driver;
extern const struct vdf_console_driver vdf_console_vm_driver;

/** vdf_console_driver() - the one that the device has now. */
static inline const struct vdf_console_driver *vdf_console_driver(const struct vdf_console *con)
{
    return (const struct vdf_console_driver *)con->priv.backend;
}

/** vdf_console_leave() - the driver loses the device, and may come back to it. */
void vdf_console_leave(struct vdf_console *con);
/** vdf_console_set_driver() - take the device from its driver and give it to another. */
void vdf_console_set_driver(struct vdf_console *con, const struct vdf_console_driver *driver);

#endif
