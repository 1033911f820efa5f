/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RISC-V APLIC and IMSIC: the state of a device.
 *
 *   registers.h   offsets and bits of the registers
 *   rows.c        a row for each file and register, with their hooks
 *   aplic.c       life of a device, the component
 *   config.c      `init` and the harts
 *   source.c      interrupt sources: modes, pending and enable bits, wires, forwarding
 *   imsic.c       interrupt files of the harts, MSIs to them
 *   idc.c         direct delivery: priorities, claims, the signals to the harts
 *   guest.c       a device that is attached to a guest, and the routes of its interrupts
 *   kvm.c         the host's device: the kernel's objects, and the calls to them
 *   kvm_rows.c    backend kvm: the same files, with the host's device behind them
 *   probe.c       whether this host has such a device
 *
 * The model is two machines. With MSI delivery it does what the APLIC of Linux's KVM does, also where
 * that departs from the RISC-V Advanced Interrupt Architecture (AIA). With direct delivery, which KVM
 * does not have, it follows the AIA specification, chapter 4.
 */
#ifndef VDF_APLIC_H
#define VDF_APLIC_H

#include <virtdevfs/component.h>
#include <virtdevfs/irq.h>

#include "registers.h"

#define VDF_APLIC_HOST_IDS 256u /* identities of a host; with MSIs sources stay below it too */
#define VDF_APLIC_WIRES 1023u   /* most sources that the architecture has (AIA 4.1) */
#define VDF_APLIC_HARTS 16384u  /* hart indexes are 14 bits (AIA 4.3) */
#define VDF_APLIC_WORDS ((VDF_APLIC_WIRES + 1) / 32)
#define VDF_APLIC_EIX (VDF_APLIC_HOST_IDS / 64)

#define VDF_APLIC_NO_ADDRESS UINT64_MAX /* of an address that is not set yet */

enum vdf_aplic_delivery { VDF_APLIC_MSI, VDF_APLIC_DIRECT };

/* A hart: its interrupt file (MSI delivery) or its IDC structure (direct delivery). */
struct vdf_aplic_hart {
    uint64_t address;    /* of its IMSIC page; VDF_APLIC_NO_ADDRESS until set */
    uint32_t hart_index; /* that MSIs find it by; from `address`, made by init */
    uint64_t eidelivery, eithreshold;
    uint64_t eip[VDF_APLIC_EIX]; /* bit n of word w: identity 64w + n is pending */
    uint64_t eie[VDF_APLIC_EIX];

    uint32_t idelivery, iforce, ithreshold;
};

struct vdf_aplic_index {
    uint32_t hart_index;
    uint32_t hart;
};

struct vdf_aplic_source {
    uint32_t sourcecfg; /* an enum vdf_source_mode, or a reserved mode: D is never set */
    uint32_t target;
    bool input; /* level of the wire */
};

struct vdf_aplic {
    struct vdf_priv priv; /* with vdf_aplic_kvm_backend, or none: the model */

    /* Before init. The types are those of KVM's attributes. */
    uint8_t delivery; /* enum vdf_aplic_delivery */
    uint32_t n_harts;
    uint32_t mode;
    uint32_t n_ids;
    uint32_t n_sources;
    uint32_t group_bits, group_shift, hart_bits, guest_bits;
    uint64_t address;

    uint8_t initialised;
    struct vdf_kvm *kvm; /* the host's device, with backend kvm (kvm_rows.h) */

    /* n_harts of them; NULL for none. `by_index` is sorted by hart_index, then hart. */
    struct vdf_aplic_hart *harts;
    struct vdf_aplic_index *by_index;

    uint32_t domaincfg; /* from init on */
    uint32_t genmsi;
    /* Bit n of word w: source 32w + n. */
    uint32_t pending[VDF_APLIC_WORDS];
    uint32_t enabled[VDF_APLIC_WORDS];
    struct vdf_aplic_source sources[VDF_APLIC_WIRES + 1]; /* by number, from 1 */

    struct vdf_log msi_log;

    /* The sink of interrupts beside the model's own files: messages for the identities that interrupt
     * files signal, or with direct delivery one line, the OR of the signals to the harts. */
    struct vdf_irq irq;
    bool line;
    struct vdf_aplic_route *routes; /* to the guest that the device is attached to (guest.c) */
};

static inline bool vdf_aplic_bit(const uint32_t *words, uint32_t n)
{
    return words[n / 32] >> (n % 32) & 1;
}

static inline void vdf_aplic_put_bit(uint32_t *words, uint32_t n, bool value)
{
    uint32_t bit = UINT32_C(1) << (n % 32);

    words[n / 32] = value ? words[n / 32] | bit : words[n / 32] & ~bit;
}

/* Is @n the number of a source of the domain? Sources are 1 and up; 0 is none. */
static inline bool vdf_aplic_is_source(const struct vdf_aplic *aplic, uint32_t n)
{
    return n != 0 && n <= aplic->n_sources;
}

static inline bool vdf_aplic_direct(const struct vdf_aplic *aplic)
{
    return aplic->delivery == VDF_APLIC_DIRECT;
}

/* KVM makes no APLIC for a device without sources. */
static inline bool vdf_aplic_has_registers(const struct vdf_aplic *aplic)
{
    return aplic->initialised && aplic->n_sources != 0;
}

static inline bool vdf_aplic_has_imsics(const struct vdf_aplic *aplic)
{
    return aplic->initialised && !vdf_aplic_direct(aplic);
}

/* Bytes of the control region, with the IDC structures of direct delivery. */
static inline uint64_t vdf_aplic_region_size(const struct vdf_aplic *aplic)
{
    return VDF_APLIC_SIZE +
           (vdf_aplic_direct(aplic) ? (uint64_t)aplic->n_harts * VDF_APLIC_IDC_SIZE : 0);
}

/* Words of 32 bits that sources 0 to n_sources take. */
static inline uint32_t vdf_aplic_words(const struct vdf_aplic *aplic)
{
    return aplic->n_sources / 32 + 1;
}

/* Pairs of 64-bit eip and eie registers of an interrupt file. */
static inline uint32_t vdf_aplic_eix(const struct vdf_aplic *aplic)
{
    return aplic->n_ids / 64 + 1;
}

#endif
