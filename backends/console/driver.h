/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The driver of the device: the party on its other side. */
#ifndef VDF_CONSOLE_DRIVER_H
#define VDF_CONSOLE_DRIVER_H

#include "console.h"

/* The words of the row `driver`. */
enum vdf_console_side {
    VDF_CONSOLE_SOFT,
    VDF_CONSOLE_NONE,
    VDF_CONSOLE_VHOST_USER,
    VDF_CONSOLE_VM,
    VDF_CONSOLE_PCI,
};

/* The operations of the device in which its drivers differ. A console has one in priv.backend. */
struct vdf_console_driver {
    struct vdf_backend backend;
    enum vdf_console_side side;
    /* Another process has the memory, chooses the sizes of the queues, and starts and stops them:
     * there is no DMA pool, and queues and drivers come and go without a reset of the device. */
    bool remote;
    /* "VM": a guest has the driver, and this is what the console is attached to. NULL: it is not. */
    const char *guest;

    /* A NULL member means that nothing is done, or the default. */

    /* Fill in con->space. Default: the device's own memory. */
    void (*space)(struct vdf_console *con);
    /* Whether the device may use a ready queue. Default: yes. */
    bool (*live)(const struct vdf_console *con, uint32_t queue);
    /* Notify the driver of used buffers in the queue. Default: an interrupt. */
    void (*used)(struct vdf_console *con, uint32_t queue);
    /* The configuration has changed. Default: an interrupt. */
    void (*config)(struct vdf_console *con);
    /* The queue made the device need a reset. */
    void (*broken)(struct vdf_console *con, uint32_t queue);
    /* The device was reset. */
    void (*reset)(struct vdf_console *con);
    /* Let the driver work after the device. True: it has answered, and the device works again. */
    bool (*work)(struct vdf_console *con);
    /* The driver loses the device, which stays as it is. */
    void (*leave)(struct vdf_console *con);
};

extern const struct vdf_console_driver vdf_console_no_driver;
extern const struct vdf_console_driver vdf_console_soft_driver;
extern const struct vdf_console_driver vdf_console_vhost_user_driver;
extern const struct vdf_console_driver vdf_console_vm_driver;
extern const struct vdf_console_driver vdf_console_pci_driver;
extern const struct vdf_guest_ops vdf_console_guest_ops; /* attach and detach these two */

/** vdf_console_driver() - the present driver. */
static inline const struct vdf_console_driver *vdf_console_driver(const struct vdf_console *con)
{
    return (const struct vdf_console_driver *)con->priv.backend;
}

/** vdf_console_leave() - take the device from its driver, which may come back to it. */
void vdf_console_leave(struct vdf_console *con);
/** vdf_console_set_driver() - take the device from its driver and give it to @driver. */
void vdf_console_set_driver(struct vdf_console *con, const struct vdf_console_driver *driver);

#endif
