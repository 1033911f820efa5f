/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest: its memory and its GISA. */
#ifndef VDF_GAIT_GUEST_H
#define VDF_GAIT_GUEST_H

#include "gait.h"

struct gait_guest {
    struct vdf_priv base;
    uint32_t slot;
    struct vdf_memory memory;
    uint64_t locked_limit; /* pages that may be pinned; 0: any number */
    uint8_t ipm, iam, simm, nimm;
    bool running;
    bool alerted; /* an alert has cleared `iam`, and the host has not set it again */
    uint64_t alerts, aen_forward;

    /* Derived from the functions. */
    uint32_t next_alert; /* own GISA's address: not on the alert list */
    uint64_t pinned;     /* pages */
    unsigned registered;
    uint32_t gisc_refs[GAIT_ISCS];

    bool memory_open; /* a process has the file open */

    const struct vdf_space *space; /* of the VM that it is, instead of `memory`; NULL: none */
    uint64_t vm_memory;            /* its end, at most GAIT_GUEST_END; 0: none, or nothing is
                                    * registered in it any more */
    unsigned attached;             /* functions */
};

extern const struct vdf_class vdf_gait_guest_class;

/** vdf_gait_restored_guests() - refuse guests that mkdir and writes cannot make. */
int vdf_gait_restored_guests(struct gait *gait, struct vdf_err *err);

/* --- gisa.c ----------------------------------------------------------------------------------- */

/** vdf_gait_gisc_register() - one more function of the guest uses @isc: the host wants alerts for
 *  it. */
void vdf_gait_gisc_register(struct gait_guest *guest, unsigned isc);
void vdf_gait_gisc_unregister(struct gait_guest *guest, unsigned isc);
/** vdf_gait_wants_alert() - does the host want alerts for @isc, now or after the present alert? */
bool vdf_gait_wants_alert(const struct gait_guest *guest, unsigned isc);
/** vdf_gait_alerted() - firmware has alerted the host. The next alert comes when the host has set the
 *  mask again: when no ISC is pending that the host wants alerts for. */
void vdf_gait_alerted(struct gait_guest *guest);
/** vdf_gait_restore_iam() - set the mask again after an alert, if that time has come. */
void vdf_gait_restore_iam(struct gait_guest *guest);

/* --- attach.c --------------------------------------------------------------------------------- */

/** vdf_gait_at() - the address of memory of the guest: its own, or that of the VM that it is. NULL, with
 *  errno set: it is not there, or not in one region that is mapped here. */
void *vdf_gait_at(struct gait_guest *guest, uint64_t address, uint64_t len, bool write);
/** vdf_gait_may_have() - whether vdf_gait_at() finds the range; while the VM does not exist yet, whether
 *  its memory is large enough. */
bool vdf_gait_may_have(struct gait_guest *guest, uint64_t address, uint64_t len);
/** vdf_gait_vm_missing() - are functions registered in the memory of a VM that does not exist? This
 *  is so after the state of a device with a VM was restored without the VM. */
bool vdf_gait_vm_missing(const struct gait_guest *guest);

#endif
