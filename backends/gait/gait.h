/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The s390 guest adapter interruption table: what the files of this folder share.
 *
 *     gait.c      the device's table of rows, its life and the check of a restored state
 *     aen.c       set-up and end of adapter event notification: SIC, AIPB
 *     table.c     the bytes of the table and of the summary vector, and the host's addresses
 *     deliver.c   what happens when a function signals an interrupt
 *     guest.c     guests: memory and GISA
 *     function.c  zPCI functions: REG_AEN and DEREG_AEN
 *     attach.c    functions that are attached to a VM, whose memory is the guest's
 *
 * Bits are numbered from the most significant: bit 0 of a vector is 0x80 of its first byte.
 *
 * What is emulated is what Linux does with the firmware's interface: arch/s390/kvm/pci.c for AEN
 * and registrations, arch/s390/kvm/interrupt.c for GISA, GIB and forwarding, arch/s390/include/asm/
 * pci_insn.h for the formats of AIPB, GAITE and FIB.
 *
 * Addresses. The table holds addresses of the host, which users may overwrite with anything. The
 * host of this device has a small and fixed map, so that an address always says what it designates,
 * on every machine and after a restore:
 *
 *     GAIT_TABLE_ADDRESS                   the table, 8 KiB
 *     GAIT_SBV_ADDRESS                     the summary vector
 *     GAIT_GISA_BASE + slot * 4 KiB        the GISA of the guest with this slot, 32 bytes
 *     (slot + 1) << 32                     address 0 of that guest's memory
 *
 * A slot is a small number that a guest has from its making to its removal.
 */
#ifndef VDF_GAIT_H
#define VDF_GAIT_H

#include <virtdevfs/component.h>
#include <virtdevfs/guest.h>
#include <virtdevfs/irq.h>

#define GAIT_ENTRIES 512u   /* functions that the host can have: ZPCI_NR_DEVICES */
#define GAIT_ENTRY_SIZE 16u /* bytes of a GAITE */
#define GAIT_SBV_BYTES 64u  /* 512 bits */
#define GAIT_ISCS 8u        /* interruption subclasses */
#define GAIT_GISA_BYTES 32u
#define GAIT_GUESTS_MAX 1024u                 /* slots */
#define GAIT_GUEST_MEMORY (UINT64_C(1) << 20) /* bytes of a new guest's memory */
#define GAIT_NOI_MAX 4095u                    /* the FIB's field has 12 bits */
#define GAIT_MSI_MAX 2048u                    /* vectors that a function can have */
#define GAIT_SBO_MAX 63u                      /* the FIB's field has 6 bits */
#define GAIT_NAME_MAX 64u

#define GAIT_TABLE_ADDRESS 0x00010000u
#define GAIT_SBV_ADDRESS 0x00012000u
#define GAIT_GISA_BASE 0x01000000u
#define GAIT_GISA_STRIDE 0x1000u

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

    bool memory_open; /* somebody has the file open */

    struct vdf_memory *ram; /* of the VM that it is, instead of `memory`; NULL: none */
    uint64_t vm_memory;     /* its bytes; 0: none, or nothing is registered in it any more */
    unsigned attached;      /* functions */
};

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

/* A GAITE, in the host's byte order. */
struct gait_entry {
    uint32_t gisa;
    uint8_t gisc, count, aisbo;
    uint64_t aisb;
};

extern const struct vdf_class vdf_gait_guest_class;
extern const struct vdf_class vdf_gait_function_class;
extern const struct vdf_guest_ops vdf_gait_guest_ops;

static inline uint8_t vdf_gait_isc_bit(unsigned isc)
{
    return (uint8_t)(0x80u >> isc);
}

/** vdf_gait_of() - the device that a guest or a function lies in. */
struct gait *vdf_gait_of(const struct vdf_obj *child);
struct gait_guest *vdf_gait_guest_next(const struct gait *gait, const struct gait_guest *prev);
struct gait_function *vdf_gait_function_next(const struct gait *gait,
                                             const struct gait_function *prev);

/* --- aen.c ------------------------------------------------------------------------------------ */

int vdf_gait_enable(struct gait *gait, struct vdf_err *err);
int vdf_gait_disable(struct gait *gait, struct vdf_err *err);
/** vdf_gait_rearm() - SIC: single-interruption mode for the ISC of the AIPB. -EIO. */
int vdf_gait_rearm(struct gait *gait);
/** vdf_gait_restored_aen() - refuse what set-up could not have left; allocate what it would have.
 */
int vdf_gait_restored_aen(struct gait *gait, struct vdf_err *err);

/* --- table.c ---------------------------------------------------------------------------------- */

uint32_t vdf_gait_gisa_address(const struct gait_guest *guest);
uint64_t vdf_gait_host_address(const struct gait_guest *guest, uint64_t address);
/** vdf_gait_guest_of_gisa() - whose GISA lies at this address; NULL: nobody's.
 *  @likely: is tried first */
struct gait_guest *vdf_gait_guest_of_gisa(const struct gait *gait, uint32_t address,
                                          struct gait_guest *likely);
/** vdf_gait_summary_word() - the 8 bytes that an entry's aisb designates, if they lie in the memory
 *  of a guest and the entry's aisbo in them; NULL otherwise. */
uint8_t *vdf_gait_summary_word(const struct gait *gait, const struct gait_entry *entry,
                               struct gait_guest *likely);
/** vdf_gait_entry_load() - entry @n as it is in the table now; zeros before it was touched. */
struct gait_entry vdf_gait_entry_load(const struct gait *gait, unsigned n);
/** vdf_gait_entry_store() - the table has been touched. */
void vdf_gait_entry_store(struct gait *gait, unsigned n, const struct gait_entry *entry);
int vdf_gait_entry_get(const struct vdf_at *at, uint64_t *value);
int vdf_gait_entry_set(const struct vdf_at *at, uint64_t value, struct vdf_err *err);

void vdf_gait_set_bit(uint8_t *bits, uint32_t n);
bool vdf_gait_test_and_clear_bit(uint8_t *bits, uint32_t n);

/* --- deliver.c -------------------------------------------------------------------------------- */

/** vdf_gait_deliver() - a registered function raises @vector. -ENOMEM, with nothing done. */
int vdf_gait_deliver(struct gait_function *function, uint32_t vector, struct vdf_err *err);

/* --- guest.c ---------------------------------------------------------------------------------- */

/** vdf_gait_gisc_register() - one more function of the guest uses @isc: alerts for it are wanted.
 */
void vdf_gait_gisc_register(struct gait_guest *guest, unsigned isc);
void vdf_gait_gisc_unregister(struct gait_guest *guest, unsigned isc);
/** vdf_gait_wants_alert() - does the host want alerts for @isc, at the moment or later again? */
bool vdf_gait_wants_alert(const struct gait_guest *guest, unsigned isc);
/** vdf_gait_alerted() - firmware has alerted the host: no further alert until nothing that the host
 * wants alerts for is pending, as then the host sets the mask again. */
void vdf_gait_alerted(struct gait_guest *guest);
/** vdf_gait_restored_guests() - refuse what mkdir and writes could not have made. */
int vdf_gait_restored_guests(struct gait *gait, struct vdf_err *err);

/* --- attach.c --------------------------------------------------------------------------------- */

/** vdf_gait_memory() - the guest's memory: its own, or that of the VM that it is. */
struct vdf_memory *vdf_gait_memory(struct gait_guest *guest);
/** vdf_gait_memory_size() - its bytes, also while the VM is not there yet. */
uint64_t vdf_gait_memory_size(const struct gait_guest *guest);

/* --- function.c ------------------------------------------------------------------------------- */

int vdf_gait_check_isc(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_gait_check_sbo(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
/** vdf_gait_restored_functions() - rebuild what follows from the registrations; guests come first.
 */
int vdf_gait_restored_functions(struct gait *gait, struct vdf_err *err);
/** vdf_gait_vm_missing() - has it functions registered in the memory of a VM that is not there? So
 *  it is after the state of a device with a VM was restored without it. */
bool vdf_gait_vm_missing(const struct gait_guest *guest);

/** vdf_gait_find_guest() - by name; NULL: there is none. */
struct gait_guest *vdf_gait_find_guest(const struct gait *gait, const char *name);
/** vdf_gait_deregister_guest() - DEREG_AEN of all functions of a guest. */
void vdf_gait_deregister_guest(struct gait *gait, struct gait_guest *guest);
/** vdf_gait_forget_guest() - functions that name a guest which is removed name none. */
void vdf_gait_forget_guest(const struct gait *gait, const struct gait_guest *guest);

#endif
