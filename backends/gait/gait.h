/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The s390 guest adapter interruption table: the state of a device.
 *
 *     rows.c            the device's rows, its life and the check of a restored state
 *     aen.c             set-up and end of adapter event notification: SIC, AIPB
 *     entry.c           entries of the table, bits of vectors, and the host's addresses
 *     deliver.c         delivery of an event that a function signals
 *     guest_rows.c      the rows of a guest, its life and its memory
 *     gisa.c            a guest's GISA: pending, alerted and masked ISCs
 *     function_rows.c   the rows of a zPCI function, and its life
 *     register.c        REG_AEN and DEREG_AEN of a function
 *     attach.c          functions that are attached to a VM, whose memory is the guest's
 *
 * Bits are numbered from the most significant: bit 0 of a vector is 0x80 of its first byte.
 *
 * The device emulates what Linux does with the firmware's interface: arch/s390/kvm/pci.c for AEN and
 * registrations, arch/s390/kvm/interrupt.c for GISA, GIB and forwarding, arch/s390/include/asm/
 * pci_insn.h for the formats of AIPB, GAITE and FIB.
 *
 * Addresses. The table holds addresses of the host, and users may overwrite them with any bytes. The
 * host of this device has a small and fixed map, so that an address designates the same thing on
 * every machine and after a restore:
 *
 *     GAIT_TABLE_ADDRESS                   the table, 8 KiB
 *     GAIT_SBV_ADDRESS                     the summary vector
 *     GAIT_GISA_BASE + slot * 4 KiB        the GISA of the guest with this slot, 32 bytes
 *     (slot + 1) << 32                     address 0 of that guest's memory
 *
 * A slot is a small number that a guest has from its creation to its removal.
 */
#ifndef VDF_GAIT_H
#define VDF_GAIT_H

#include <virtdevfs/component.h>

#define GAIT_ENTRIES 512u   /* functions that the host can have: ZPCI_NR_DEVICES */
#define GAIT_ENTRY_SIZE 16u /* bytes of a GAITE */
#define GAIT_SBV_BYTES 64u  /* 512 bits */
#define GAIT_ISCS 8u        /* interruption subclasses */
#define GAIT_SBO_MAX 63u    /* the FIB's field has 6 bits */

#define GAIT_TABLE_ADDRESS 0x00010000u
#define GAIT_SBV_ADDRESS 0x00012000u
#define GAIT_GISA_BASE 0x01000000u
#define GAIT_GISA_STRIDE 0x1000u
#define GAIT_GUEST_END (UINT64_C(1) << 32) /* of a guest's addresses in the host */

/* Interruption modes of SIC. */
enum gait_sic_mode { GAIT_SIC_ALL, GAIT_SIC_SINGLE };

struct gait_guest;
struct gait_function;

struct gait {
    struct vdf_priv base;
    uint8_t nisc; /* for the next set-up */
    bool enabled;
    /* The adapter interruption parameters block; faal 0: none was registered yet. */
    uint64_t aipb_faisb, aipb_gait;
    uint8_t aipb_afi;
    uint16_t aipb_faal;
    uint8_t sic_mode; /* enum gait_sic_mode */
    bool sic_armed;   /* the next summary bit brings an interrupt */
    uint8_t sic_fail; /* the n-th SIC from now fails; 0: none */
    uint16_t sbv_end; /* a scan ends before this bit */
    uint64_t aen_forward, alerts, dropped, interrupts;
    struct vdf_memory table, sbv;

    /* Derived from the functions. */
    struct gait_function **owner; /* GAIT_ENTRIES of them, while enabled */
    unsigned registered;
    uint32_t alert_origin; /* GIB: address of the first GISA with an unhandled alert; 0: none */
};

/** vdf_gait_of() - the device that a guest or a function lies in. */
struct gait *vdf_gait_of(const struct vdf_obj *child);
/* The guests and the functions of a device, one after the other; @prev NULL begins. */
struct gait_guest *vdf_gait_guest_next(const struct gait *gait, const struct gait_guest *prev);
struct gait_function *vdf_gait_function_next(const struct gait *gait,
                                             const struct gait_function *prev);

#endif
