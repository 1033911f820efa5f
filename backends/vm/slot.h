/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A slot: a device, or a part of one, at an address of the guest. */
#ifndef VDF_VM_SLOT_H
#define VDF_VM_SLOT_H

#include <virtdevfs/component.h>
#include <virtdevfs/guest.h>

#include "vcpu.h"

#define VDF_VM_VECTORS 256u
/* See vdf_vm_report(). */
#define VDF_SLOT_LAST "; more are only counted, in refused"

enum vdf_slot_irq { VDF_SLOT_NO_IRQ, VDF_SLOT_GSI, VDF_SLOT_MSI };

struct vdf_slot {
    struct vdf_priv priv;
    struct vdf_vm *vm;
    uint32_t number;
    char *device; /* path, as written; NULL: none */
    uint64_t addr;
    uint8_t irq; /* enum vdf_slot_irq */
    uint32_t gsi;
    uint32_t vector;
    bool attached;
    uint64_t size; /* of the window */
    atomic_ullong refused;
    atomic_uint reports;

    /* While it is attached. */
    struct vdf_obj *target;
    uint32_t part;
    const struct vdf_guest_ops *ops;
    bool asleep; /* restored; the device gets the guest at its next start */
    bool mapped; /* a page of the device is there instead of a window */
    struct vdf_guest_bells bells;
    int line_fd, pulse_fd, resample_fd; /* -1: none */
    int eoi_fd; /* never written: the irqfd with the device's own resamplefd; -1: none */
    bool level; /* of the device's line; under the device's lock */
    uint64_t early[VDF_VM_CPUS][VDF_VM_VECTORS / 64]; /* vectors that wait for the first run */
    struct vdf_async *resample;
    int end_fd; /* written when the guest ends by itself; -1: the device does not ask for it */
    struct vdf_async *end;
};

extern const struct vdf_class vdf_slot_class;

/** vdf_slot_at() - the attached window that contains an access of @width bytes; NULL: none. */
struct vdf_slot *vdf_slot_at(struct vdf_vm *vm, uint64_t addr, unsigned width);

/* These are exclusive, and the machine is parked. */

/** vdf_slot_connect() - attach the device. */
int vdf_slot_connect(struct vdf_slot *slot, struct vdf_err *err);
void vdf_slot_disconnect(struct vdf_slot *slot);
/** vdf_slot_reserve() - have the address and the device of a restored slot. */
int vdf_slot_reserve(struct vdf_slot *slot, struct vdf_err *err);
/** vdf_slot_wake() - give a reserved device its guest. @fresh: see struct vdf_guest_ops */
int vdf_slot_wake(struct vdf_slot *slot, bool fresh, struct vdf_err *err);
/** vdf_slot_release() - let processors go on that the device holds up. */
void vdf_slot_release(struct vdf_slot *slot);
/** vdf_slot_runs() - the guest has been started, or stands still. */
void vdf_slot_runs(struct vdf_slot *slot, bool running);

#endif
