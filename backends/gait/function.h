/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A zPCI function. */
#ifndef VDF_GAIT_FUNCTION_H
#define VDF_GAIT_FUNCTION_H

#include <virtdevfs/guest.h>

#include "gait.h"

#define GAIT_NAME_MAX 64u

struct gait_function {
    struct vdf_priv base;
    char guest_name[GAIT_NAME_MAX + 1];
    uint8_t isc, sbo;
    uint16_t max_msi;
    uint32_t noi;
    uint64_t ibv, sb;
    bool host, interpret;
    bool registered;
    uint16_t index; /* of the entry, while registered */

    /* Derived, while registered. */
    struct gait_guest *guest;
    uint32_t vectors;
    uint32_t pages;

    struct vdf_irq irq;  /* a message for each event that reaches the guest; data: the ISC */
    struct vdf_guest vm; /* that it is attached to */
    struct gait_guest *vm_guest;
};

extern const struct vdf_class vdf_gait_function_class;
extern const struct vdf_guest_ops vdf_gait_guest_ops; /* attach.c */

/** vdf_gait_forget_guest() - clear the name of a guest that is removed in all functions. */
void vdf_gait_forget_guest(const struct gait *gait, const struct gait_guest *guest);

/* --- register.c ------------------------------------------------------------------------------- */

/** vdf_gait_find_guest() - by name; NULL: there is none. */
struct gait_guest *vdf_gait_find_guest(const struct gait *gait, const char *name);
/** vdf_gait_register() - REG_AEN. */
int vdf_gait_register(struct gait_function *function, struct vdf_err *err);
/** vdf_gait_deregister() - DEREG_AEN; nothing happens if it is not registered. */
int vdf_gait_deregister(struct gait_function *function, struct vdf_err *err);
/** vdf_gait_deregister_guest() - DEREG_AEN of all functions of a guest. */
void vdf_gait_deregister_guest(struct gait *gait, struct gait_guest *guest);
/** vdf_gait_check_vm() - refuse (EBUSY) while the memory of the guest's VM is missing. */
int vdf_gait_check_vm(const struct gait_guest *guest, struct vdf_err *err);
/** vdf_gait_restored_functions() - derive the fields that follow from the registrations, after
 *  vdf_gait_restored_guests(). */
int vdf_gait_restored_functions(struct gait *gait, struct vdf_err *err);

#endif
