/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a guest needs of a device that is attached to it, and what the device gets of the guest.
 *
 * A class that can be attached has a struct vdf_guest_ops. A machine attaches an object of it, or a
 * part of one ("imsic/0" of an APLIC), at an address. From then on the guest's accesses, doorbells
 * and ends of interrupts come to the operations below, and the device uses the guest's memory
 * instead of its own.
 *
 * read, write, ring and eoi are called with the lock of the object's device held, by the threads of
 * the guest's processors and by the engine's; the others while nobody else is inside any device
 * (VDF_EXCLUSIVE). The sinks in struct vdf_guest are called with the device's lock held and never wait.
 */
#ifndef VIRTDEVFS_GUEST_H
#define VIRTDEVFS_GUEST_H

#include <stdbool.h>
#include <stdint.h>
#include <virtdevfs/component.h>
#include <virtdevfs/irq.h>

struct vdf_guest {
    const void *machine;       /* tells one guest from another */
    struct vdf_memory *memory; /* from guest address 0; stays while anything is attached */
    struct vdf_irq irq;        /* where the device's line and its MSIs go */
    bool line_is_message;      /* a rise of the line is a message: its end is not told of */
    uint32_t vector;           /* for interrupts that have numbers, not messages: number + vector
                                * is the data of the MSI that a number becomes */
    bool level;                /* of the line, where the tree drives it */

    /* What page() or doorbells() answer has changed, while nobody is inside any device. */
    void (*remap)(void *ctx);
    void *ctx;
};

/* A store that is announced by an eventfd instead of being carried out by write(). */
struct vdf_guest_doorbell {
    uint64_t offset; /* in the window */
    unsigned width;  /* bytes */
    uint64_t data;   /* the value that rings it */
};

#define VDF_GUEST_LINE 0x01u    /* it drives a line */
#define VDF_GUEST_MESSAGE 0x02u /* it sends messages */

/*
 * Operations that are left out have a default: the window is that of the row `regs`, and attach
 * keeps a copy of the guest in a struct vdf_guest of the private structure, for one guest at a time.
 */
struct vdf_guest_ops {
    unsigned interrupts; /* VDF_GUEST_LINE, VDF_GUEST_MESSAGE */
    size_t guest;        /* bytes from the private structure's start to its struct vdf_guest */
    /* The level of the line, which follows from the private structure: the tree asks after each
     * change of the device and drives the line of the kept guest. NULL: the device drives it. */
    bool (*line)(const void *priv);

    /* The part that @rest, the path behind the object, names; NULL: there is only the whole, "". */
    int (*part)(struct vdf_obj *obj, const char *rest, uint32_t *part, struct vdf_err *err);
    /* Bytes of the window; 0: there is nothing to map. */
    uint64_t (*size)(struct vdf_obj *obj, uint32_t part);
    /* Use @guest from now on; it is copied. @fresh: by a user, so that the device begins anew where
     * that is what plugging it in means; else a restored guest and device go on where they were.
     * Between the restore and this call the guest's memory is not there, and the device leaves it
     * alone. */
    int (*attach)(struct vdf_obj *obj, uint32_t part, const struct vdf_guest *guest, bool fresh,
                  struct vdf_err *err);
    void (*detach)(struct vdf_obj *obj, uint32_t part);

    /* An access of the guest, 1, 2, 4 or 8 bytes. 0, or -errno for one that is not the device's:
     * then the guest reads zero. */
    int (*read)(struct vdf_obj *obj, uint32_t part, uint64_t offset, unsigned width,
                uint64_t *value, struct vdf_err *err);
    int (*write)(struct vdf_obj *obj, uint32_t part, uint64_t offset, unsigned width,
                 uint64_t value, struct vdf_err *err);

    /* The guest's processors have been started, or they stand still: then do all that it has asked
     * for, so that its memory is as it has to be for going on elsewhere. Nobody else is inside any
     * device, or the device's lock is held. NULL: nothing is to be done. */
    void (*runs)(struct vdf_obj *obj, uint32_t part, bool running);

    /* The guest's processors are about to be waited for, and nobody is inside any device: let go
     * those that the device holds up (tripwire.h). NULL: it holds up none. */
    void (*release)(struct vdf_obj *obj, uint32_t part);
    /* After attach: memory that the guest has instead of a window that traps; NULL: it traps. */
    struct vdf_memory *(*page)(struct vdf_obj *obj, uint32_t part);
    /* After attach: fills in up to @max doorbells and returns how many; NULL: none. */
    unsigned (*doorbells)(struct vdf_obj *obj, uint32_t part, struct vdf_guest_doorbell *doorbells,
                          unsigned max);
    void (*ring)(struct vdf_obj *obj, uint32_t part, unsigned doorbell);
    /* The guest has ended the interrupt of its line; NULL: a line that is still high is raised
     * again, and there is no more to it. */
    void (*eoi)(struct vdf_obj *obj, uint32_t part);
    /* After attach, for a line that goes to an interrupt controller's pin: an eventfd of the
     * device's that the machine is to write at each of these ends too, at once and before eoi() is
     * called, so that a device of the host is unmasked by the kernel itself. It stays the device's,
     * which closes it in detach. NULL, or @fd left at -1: there is none. */
    int (*eoi_fd)(struct vdf_obj *obj, uint32_t part, int *fd, struct vdf_err *err);
};

/* The operations of an object's class, or their defaults; for the machine. */
uint64_t vdf_guest_size(struct vdf_obj *obj, uint32_t part);
int vdf_guest_attach(struct vdf_obj *obj, uint32_t part, const struct vdf_guest *guest, bool fresh,
                     struct vdf_err *err);
void vdf_guest_detach(struct vdf_obj *obj, uint32_t part);
int vdf_guest_read(struct vdf_obj *obj, uint32_t part, uint64_t offset, unsigned width,
                   uint64_t *value, struct vdf_err *err);
int vdf_guest_write(struct vdf_obj *obj, uint32_t part, uint64_t offset, unsigned width,
                    uint64_t value, struct vdf_err *err);

#endif
