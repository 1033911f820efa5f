/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's side of a device.
 *
 * A class whose objects can be attached to a guest has a struct vdf_guest_ops. A machine attaches an
 * object, or a part of one ("imsic/0" of an APLIC), at an address of the guest. From then on the
 * guest's accesses, doorbells and ends of interrupts arrive at the operations below, and the device
 * uses the guest's memory in place of its own.
 *
 * read, write, ring and eoi run under the lock of the object's device, in the threads of the guest's
 * processors and of the engine. The others are exclusive: no other thread is inside any device. The
 * functions in struct vdf_guest run under the device's lock and do not wait.
 */
#ifndef VIRTDEVFS_GUEST_H
#define VIRTDEVFS_GUEST_H

#include <stdbool.h>
#include <stdint.h>
#include <virtdevfs/component.h>
#include <virtdevfs/irq.h>

struct vdf_guest {
    const void *machine;           /* tells one guest from another */
    const struct vdf_space *space; /* the guest's memory; valid until memory() or the last detach */
    struct vdf_irq irq;            /* receives the device's line and its MSIs */
    bool line_is_message;          /* a rise of the line is a message: its end is not reported */
    uint32_t vector;               /* added to the number of an interrupt for the data of its MSI */
    bool level;                    /* of the line, where the tree drives it */
    /* The guest is in another process, which maps a page() by its descriptor: the device polls the page,
     * because no tripwire catches the stores. */
    bool remote;

    /* The answer of page() or doorbells() has changed. Exclusive. */
    void (*remap)(void *ctx);
    void *ctx;
};

/* A store that an eventfd announces; write() does not see it. */
struct vdf_guest_doorbell {
    uint64_t offset; /* in the window */
    unsigned width;  /* bytes */
    uint64_t data;   /* the value that rings */
};

#define VDF_GUEST_LINE 0x01u    /* the device drives a line */
#define VDF_GUEST_MESSAGE 0x02u /* the device sends messages */

/* A capability of a PCI function's configuration space (PCI 3.0, section 6.7). */
struct vdf_guest_capability {
    uint8_t id;
    uint8_t len;      /* bytes of `body` */
    uint8_t body[24]; /* behind the id and the pointer to the next */
    /* The guest may write `body`, whose last 4 bytes access a base address register (virtio 1.3, section
     * 4.1.4.9). */
    bool access;
};

#define VDF_GUEST_CAPABILITIES 8u

/* A PCI function as its configuration space describes it (PCI 3.0, chapter 6). */
struct vdf_guest_function {
    uint16_t vendor, device, subsystem_vendor, subsystem;
    uint32_t class_code; /* base class, sub-class, programming interface: 24 bits */
    uint8_t revision;
    uint16_t vectors; /* of MSI-X; 0: the device has only its line */
    /* The part of the object whose window is a base address register; the window's size is that of
     * size(). */
    bool has_bar;
    uint8_t bar; /* its number */
    uint32_t part;
    /* The object's own window is the header of the configuration space: accesses to the header arrive
     * there, except those to base address registers and to the pointer to the capabilities. */
    bool header;
    unsigned n_capabilities;
    struct vdf_guest_capability capabilities[VDF_GUEST_CAPABILITIES];
};

/*
 * Every operation may be NULL. The default window is that of the row `regs`; the default attach keeps
 * a copy of the guest in a struct vdf_guest of the private structure, for one guest at a time.
 */
struct vdf_guest_ops {
    unsigned interrupts; /* VDF_GUEST_LINE, VDF_GUEST_MESSAGE */
    size_t guest;        /* bytes from the private structure's start to its struct vdf_guest */
    /* The level of the line, which follows from the private structure. The tree asks after each
     * change of the device and drives the line. NULL: the device drives its line. */
    bool (*line)(const void *priv);

    /* The number of the part that @rest, the path behind the object, names. NULL: there is only the
     * whole, "". */
    int (*part)(struct vdf_obj *obj, const char *rest, uint32_t *part, struct vdf_err *err);
    /* Bytes of the window; 0: there is nothing to map. */
    uint64_t (*size)(struct vdf_obj *obj, uint32_t part);
    /* Use a copy of @guest. @fresh: a user attaches the device, which begins anew where plugging a
     * device in does that; otherwise a restored guest and device go on. Between a restore and this
     * call the device does not touch the guest's memory, which is not there yet. */
    int (*attach)(struct vdf_obj *obj, uint32_t part, const struct vdf_guest *guest, bool fresh,
                  struct vdf_err *err);
    void (*detach)(struct vdf_obj *obj, uint32_t part);
    /* The guest's memory is @space from now on, another structure than before; all parts of a device
     * that are attached to the guest are told. The device does not touch the memory before once this
     * has returned. Without regions there is no memory now, and the device waits for some. Runs under
     * the device's lock. NULL: the device uses no memory of the guest. */
    void (*memory)(struct vdf_obj *obj, uint32_t part, const struct vdf_space *space);
    /* The guest resets the device, as a PCI function is reset. Under the device's lock. */
    void (*reset)(struct vdf_obj *obj, uint32_t part);
    /* Describe the object as a PCI function. NULL: it is only a window in a function. */
    int (*function)(struct vdf_obj *obj, uint32_t part, struct vdf_guest_function *function,
                    struct vdf_err *err);

    /* An access of the guest of 1, 2, 4 or 8 bytes. Return 0, or -errno for an access that is not the
     * device's; the guest then reads 0. */
    int (*read)(struct vdf_obj *obj, uint32_t part, uint64_t offset, unsigned width,
                uint64_t *value, struct vdf_err *err);
    int (*write)(struct vdf_obj *obj, uint32_t part, uint64_t offset, unsigned width,
                 uint64_t value, struct vdf_err *err);

    /* The guest's processors start, or have stopped. After a stop the device completes all requests
     * of the guest, so that the memory is complete for a state. Exclusive, or under the device's
     * lock. */
    void (*runs)(struct vdf_obj *obj, uint32_t part, bool running);

    /* The machine is about to wait for the guest's processors: let go those that the device holds
     * (tripwire.h). */
    void (*release)(struct vdf_obj *obj, uint32_t part);
    /* After attach: the memory that the guest sees in place of a window that traps; NULL: the window
     * traps. */
    struct vdf_memory *(*page)(struct vdf_obj *obj, uint32_t part);
    /* After attach: fill in up to @max doorbells and return how many. */
    unsigned (*doorbells)(struct vdf_obj *obj, uint32_t part, struct vdf_guest_doorbell *doorbells,
                          unsigned max);
    void (*ring)(struct vdf_obj *obj, uint32_t part, unsigned doorbell);
    /* The guest has ended the interrupt of the line. NULL: a line that is still high is raised again,
     * and nothing else happens. */
    void (*eoi)(struct vdf_obj *obj, uint32_t part);
    /* After attach, for a line at an interrupt controller's pin: an eventfd of the device that the
     * machine writes at each end of an interrupt, before eoi(), so that the kernel itself unmasks a
     * device of the host. The device closes the eventfd in detach. @fd stays -1 without one. */
    int (*eoi_fd)(struct vdf_obj *obj, uint32_t part, int *fd, struct vdf_err *err);
};

/* The doorbells of an attached object: each has an eventfd, and a write to the eventfd calls ring(). */
struct vdf_guest_bells {
    struct vdf_obj *obj;
    uint32_t part;
    unsigned n;
    struct vdf_guest_bell {
        struct vdf_guest_bells *bells;
        struct vdf_guest_doorbell doorbell;
        int fd;
        struct vdf_async *async;
    } * list; /* n of them */
};

/** vdf_guest_bells_open() - make the eventfds and watch them; @bells does not move until it is closed.
 *  0, -ENOMEM, or -errno of eventfd(2) or of the engine. */
int vdf_guest_bells_open(struct vdf_guest_bells *bells, struct vdf_obj *obj, uint32_t part,
                         struct vdf_err *err);
/** vdf_guest_bells_close() - no call of ring() begins any more. Nothing when they are not open. */
void vdf_guest_bells_close(struct vdf_guest_bells *bells);
/** vdf_guest_bells_ring() - call ring() for all, with the device's lock: when a guest has stopped, the
 *  engine may have read an eventfd and not called ring() yet. */
void vdf_guest_bells_ring(const struct vdf_guest_bells *bells);

/**
 * vdf_guest_find() - the device, or the part of one, that a path from the root names. Exclusive, or among
 * the devices of a state that is being loaded.
 * @from: an object in the same tree
 *
 * Return: 0; -ENODEV: nothing that can be attached has this path; or the errno of part().
 */
int vdf_guest_find(struct vdf_obj *from, const char *path, struct vdf_obj **target, uint32_t *part,
                   struct vdf_err *err);

/** vdf_guest_keep_path() - keep a copy of such a path in *@path, NULL for an empty one, and free the one
 *  before. 0, -ENODEV: no device has so long a path, -ENOMEM. */
int vdf_guest_keep_path(char **path, const char *text, size_t len, struct vdf_err *err);

/* For the machine: the operations of an object's class, or their defaults. */
uint64_t vdf_guest_size(struct vdf_obj *obj, uint32_t part);
int vdf_guest_attach(struct vdf_obj *obj, uint32_t part, const struct vdf_guest *guest, bool fresh,
                     struct vdf_err *err);
void vdf_guest_detach(struct vdf_obj *obj, uint32_t part);
int vdf_guest_read(struct vdf_obj *obj, uint32_t part, uint64_t offset, unsigned width,
                   uint64_t *value, struct vdf_err *err);
int vdf_guest_write(struct vdf_obj *obj, uint32_t part, uint64_t offset, unsigned width,
                    uint64_t value, struct vdf_err *err);

#endif
