/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Registers of the RISC-V Advanced Interrupt Architecture (AIA): offsets, and bits that code names. */
#ifndef VDF_APLIC_REGISTERS_H
#define VDF_APLIC_REGISTERS_H

#define VDF_APLIC_SIZE 0x4000u /* bytes of the control region without IDC structures */
#define VDF_APLIC_IDC_SIZE 32u /* bytes of one IDC structure (AIA 4.8.1) */
#define VDF_APLIC_CLAIMI 0x1cu /* in an IDC structure */

/* Offsets in the control region (AIA 4.5). The register of source n is at 4 * n from its offset, that
 * of word w at 4 * w. */
#define VDF_APLIC_DOMAINCFG 0x0000u
#define VDF_APLIC_SOURCECFG 0x0000u
#define VDF_APLIC_SETIP 0x1c00u
#define VDF_APLIC_SETIPNUM 0x1cdcu
#define VDF_APLIC_IN_CLRIP 0x1d00u
#define VDF_APLIC_SETIE 0x1e00u
#define VDF_APLIC_GENMSI 0x3000u
#define VDF_APLIC_TARGET 0x3000u

/* domaincfg (AIA 4.5.1) */
#define VDF_DOMAINCFG_BASE 0x80000000u
#define VDF_DOMAINCFG_IE 0x100u
#define VDF_DOMAINCFG_DM 0x4u

/* sourcecfg (AIA 4.5.2) */
#define VDF_SOURCECFG_D 0x400u
#define VDF_SOURCECFG_SM 0x7u
enum vdf_source_mode {
    VDF_SM_INACTIVE = 0,
    VDF_SM_DETACHED = 1,
    VDF_SM_EDGE_RISE = 4,
    VDF_SM_EDGE_FALL = 5,
    VDF_SM_LEVEL_HIGH = 6,
    VDF_SM_LEVEL_LOW = 7,
};

/* target (AIA 4.5.16) and genmsi (AIA 4.5.15) */
#define VDF_TARGET_HART_SHIFT 18
#define VDF_TARGET_GUEST_SHIFT 12
#define VDF_TARGET_GUEST_MASK 0x3fu
#define VDF_TARGET_EIID 0x7ffu
#define VDF_TARGET_IPRIO 0xffu
#define VDF_TARGET_MSI_BITS 0xfffff7ffu
#define VDF_TARGET_DIRECT_BITS 0xfffc00ffu
#define VDF_GENMSI_BITS 0xfffc0fffu

/* The page of an IMSIC (AIA 3.5). */
#define VDF_IMSIC_PAGE_SHIFT 12
#define VDF_IMSIC_PAGE_SIZE (UINT64_C(1) << VDF_IMSIC_PAGE_SHIFT)
#define VDF_IMSIC_SETEIPNUM_LE 0x0u
#define VDF_IMSIC_SETEIPNUM_BE 0x4u

/* Numbers of the registers of an interrupt file (AIA 3.8). */
#define VDF_IMSIC_EIDELIVERY 0x70u
#define VDF_IMSIC_EITHRESHOLD 0x72u
#define VDF_IMSIC_EIP0 0x80u
#define VDF_IMSIC_EIE0 0xc0u

#endif
