/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interrupt files of the harts, and the MSIs to them. */
#ifndef VDF_APLIC_IMSIC_H
#define VDF_APLIC_IMSIC_H

#include "aplic.h"

/* A set of interrupt identities: bit n of word w is identity 64w + n. */
struct vdf_aplic_identities {
    uint64_t words[VDF_APLIC_EIX];
};

/** vdf_aplic_signalled() - the identities that the file signals to its hart: pending, enabled and
 *  below the threshold, and none while eidelivery is 0. */
struct vdf_aplic_identities vdf_aplic_signalled(const struct vdf_aplic_hart *hart);
/** vdf_aplic_signal() - a message to `irq` for each identity that the file of @hart signals now, but
 *  for those that it signalled @before. */
void vdf_aplic_signal(const struct vdf_aplic *aplic, const struct vdf_aplic_hart *hart,
                      const struct vdf_aplic_identities *before);
/** vdf_aplic_top_identity() - the lowest identity that is pending, enabled and below the threshold;
 *  0: none. */
uint32_t vdf_aplic_top_identity(const struct vdf_aplic_hart *hart);

/** vdf_aplic_send_to_target() - the MSI of a source whose target register is @target. */
void vdf_aplic_send_to_target(struct vdf_aplic *aplic, uint32_t target);
/** vdf_aplic_send_genmsi() - the MSI that a write of genmsi sends. */
void vdf_aplic_send_genmsi(struct vdf_aplic *aplic, uint32_t genmsi);

/**
 * vdf_aplic_signal_msi() - KVM_SIGNAL_MSI, an MSI by address.
 * Return: 0 also when no interrupt file has the address; -EBUSY before init; -ENODEV for another
 * offset than 0 and 4, a guest page and data 0; -EINVAL for data above the identities.
 */
int vdf_aplic_signal_msi(struct vdf_aplic *aplic, uint64_t address, uint32_t data,
                         struct vdf_err *err);

/** vdf_aplic_find_by_index() - the hart that MSIs with this index go to, or NULL. */
struct vdf_aplic_hart *vdf_aplic_find_by_index(const struct vdf_aplic *aplic, uint32_t hart_index);
/** vdf_aplic_find_by_page() - the hart whose IMSIC page (address / page size) this is, or NULL. */
struct vdf_aplic_hart *vdf_aplic_find_by_page(const struct vdf_aplic *aplic, uint64_t page);

/** vdf_aplic_imsic_read() - a guest's load from the IMSIC page of @hart: zero. */
int vdf_aplic_imsic_read(const struct vdf_aplic *aplic, uint32_t hart, uint64_t offset,
                         unsigned width, uint64_t *value);
/**
 * vdf_aplic_imsic_write() - a guest's store to the IMSIC page of @hart.
 * Return: 0, also for a store without effect; -EOPNOTSUPP for another width than 4 or a misaligned
 * offset, -ENODEV where there is no such page: the access is not the device's.
 */
int vdf_aplic_imsic_write(struct vdf_aplic *aplic, uint32_t hart, uint64_t offset, unsigned width,
                          uint64_t value);

/** vdf_aplic_parse_msi() - "ADDRESS DATA". 0, -EINVAL or -ERANGE. */
int vdf_aplic_parse_msi(const char *text, uint64_t *address, uint32_t *data, struct vdf_err *err);
/** vdf_aplic_parse_identities() - a list of interrupt identities. 0, -EINVAL or -ERANGE. */
int vdf_aplic_parse_identities(const struct vdf_aplic *aplic, const char *text,
                               uint64_t words[VDF_APLIC_EIX], struct vdf_err *err);
/** vdf_aplic_show_bits() - append the numbers of the bits that are set, of which the lowest is @first.
 *  @separator: printed before a number; "" before the first one, and a newline after that */
void vdf_aplic_show_bits(uint64_t bits, uint32_t first, const char **separator,
                         struct vdf_buf *out);
/** vdf_aplic_show_identities() - the numbers of the bits that are set, one a line. */
void vdf_aplic_show_identities(const uint64_t *words, uint32_t n_words, struct vdf_buf *out);

#endif
