/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A PCI function that is made of parts of the tree: a device that gives the identity, and a window
 * of a device for each base address register.
 *
 *     part.c      a device that is attached: its guest, doorbells, page
 *     bar.c       the rows of bars/N
 *     config.c    the configuration space
 *     irq.c       INTx and MSI-X
 *     function.c  the function as a client uses it (function.h)
 *     rows.c      the rows of pci/NAME, and its life
 *     vfu*.c      the vfio-user server, see vfu.h
 *
 * While `vfio_user` names a socket the function is attached: its devices have it as their guest, and
 * its shape does not change. The client's thread holds no lock and enters one device at a time; files
 * that reach into other devices are exclusive.
 *
 * References in comments are to the PCI Local Bus Specification 3.0.
 */
#ifndef VDF_PCI_PCI_H
#define VDF_PCI_PCI_H

#include <virtdevfs/component.h>

#include "function.h"
#include "irq.h"

#define VDF_PCI_SELF VDF_PCI_BARS /* the part of `function`; those of bars have their numbers */
#define VDF_PCI_PARTS (VDF_PCI_BARS + 1)

/* A device that is attached to the function. */
struct vdf_pci_part {
    struct vdf_pci *pci;
    unsigned number;
    uint32_t vector;        /* of the device's first message */
    struct vdf_obj *target; /* NULL: nothing is attached */
    uint32_t part;
    const struct vdf_guest_ops *ops;
    struct vdf_memory *page; /* in place of a window that traps; NULL: none */
    struct vdf_guest_bells bells;
};

enum vdf_pci_kind { VDF_PCI_MEM32, VDF_PCI_MEM64, VDF_PCI_IO };

struct vdf_pci_bar {
    struct vdf_priv priv;
    struct vdf_pci *pci;
    uint32_t number;
    char *device;          /* path, or "memory"; NULL: none */
    uint8_t kind;          /* enum vdf_pci_kind */
    uint64_t size;         /* bytes, a power of two */
    uint32_t vector;       /* of the first message of the device */
    struct vdf_memory own; /* with device "memory" */
    bool memory_open;      /* `own` has open files */
};

/* The registers of the configuration space that a guest has written. */
struct vdf_pci_header {
    uint16_t command;
    uint8_t cache_line_size, latency_timer, interrupt_line;
    uint32_t bars[VDF_PCI_BARS];
    uint16_t device_control; /* of PCI Express */
    uint8_t access[16];      /* bytes 4 to 19 of the capability that accesses a register */
};

struct vdf_vfu;

struct vdf_pci {
    struct vdf_priv priv;

    char *function; /* path; NULL: there is none */
    uint16_t vendor, device, subsystem_vendor, subsystem;
    uint32_t class_code;
    uint8_t revision;
    bool express;
    uint32_t msix_bar;
    char *vfio_user; /* path; NULL: not served */

    /* As `function` describes itself; all zero without it. */
    struct vdf_guest_function described;
    uint64_t described_size; /* bytes of the window that it brings along */
    struct vdf_pci_header header;
    struct vdf_pci_irqs irqs;
    struct vdf_pci_bar *bars[VDF_PCI_BARS]; /* NULL: not made */

    bool attached;
    struct vdf_space none;         /* no memory */
    const struct vdf_space *space; /* of the client; &none without one */
    bool running;
    struct vdf_pci_part parts[VDF_PCI_PARTS];
    struct vdf_vfu *vfu;
    bool moves; /* a client loads a state, and stays */
};

extern const struct vdf_class vdf_pci_bar_class;

/* --- part.c ----------------------------------------------------------------------------------- */

/** vdf_pci_describe() - fill in pci->described. Exclusive. */
int vdf_pci_describe(struct vdf_pci *pci, struct vdf_err *err);
/** vdf_pci_attach() - attach all parts. @fresh: see struct vdf_guest_ops. Exclusive. */
int vdf_pci_attach(struct vdf_pci *pci, bool fresh, struct vdf_err *err);
/** vdf_pci_detach() - the opposite; nothing when it is not attached. Exclusive. */
void vdf_pci_detach(struct vdf_pci *pci);
/** vdf_pci_enter(), vdf_pci_leave() - the lock of @obj's device. @stop NULL: the caller is
 *  exclusive, and needs no lock. */
bool vdf_pci_enter(struct vdf_obj *obj, const atomic_bool *stop);
void vdf_pci_leave(struct vdf_obj *obj, bool changed, const atomic_bool *stop);
/** vdf_pci_window() - the part whose window base address register @n is; NULL: it has none. */
struct vdf_pci_part *vdf_pci_window(struct vdf_pci *pci, unsigned n);

/* --- config.c --------------------------------------------------------------------------------- */

uint64_t vdf_pci_config_size(const struct vdf_pci *pci);
/** vdf_pci_config_read(), vdf_pci_config_write() - a range within the space, as a guest accesses it.
 *  @stop as in vdf_pci_enter(). */
int vdf_pci_config_read(struct vdf_pci *pci, uint64_t offset, void *bytes, size_t n,
                        const atomic_bool *stop, struct vdf_err *err);
int vdf_pci_config_write(struct vdf_pci *pci, uint64_t offset, const void *bytes, size_t n,
                         const atomic_bool *stop, struct vdf_err *err);
/** vdf_pci_capabilities_fit() - whether all capabilities have room. */
bool vdf_pci_capabilities_fit(const struct vdf_pci *pci);
/** vdf_pci_header_reset() - the registers that a reset clears. */
void vdf_pci_header_reset(struct vdf_pci *pci);

/* --- bar.c ------------------------------------------------------------------------------------ */

/** vdf_pci_bar_kind(), vdf_pci_bar_size() - of register @n, whatever has it; size 0: nothing. */
enum vdf_pci_kind vdf_pci_bar_kind(const struct vdf_pci *pci, unsigned n);
uint64_t vdf_pci_bar_size(const struct vdf_pci *pci, unsigned n);
/** vdf_pci_bar_memory() - the memory that register @n maps; NULL: accesses trap. With the function's
 *  lock, or exclusive. */
const struct vdf_memory *vdf_pci_bar_memory(const struct vdf_pci *pci, unsigned n);
/** vdf_pci_bars_check() - whether the registers do not contradict each other. */
int vdf_pci_bars_check(const struct vdf_pci *pci, struct vdf_err *err);

#endif
