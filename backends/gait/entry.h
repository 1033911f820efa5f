/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Entries of the table, bits of vectors, and the host's addresses. */
#ifndef VDF_GAIT_ENTRY_H
#define VDF_GAIT_ENTRY_H

#include "gait.h"

/* A GAITE, in the host's byte order. */
struct gait_entry {
    uint32_t gisa;
    uint8_t gisc, count, aisbo;
    uint64_t aisb;
};

/** vdf_gait_entry_load() - the present entry @n; zeros before the table was touched. */
struct gait_entry vdf_gait_entry_load(const struct gait *gait, unsigned n);
/** vdf_gait_entry_store() - the table has been touched. */
void vdf_gait_entry_store(struct gait *gait, unsigned n, const struct gait_entry *entry);
/* Hooks of the rows of an entry, whose `offset` is the place in the entry. */
int vdf_gait_entry_get(const struct vdf_at *at, uint64_t *value);
int vdf_gait_entry_set(const struct vdf_at *at, uint64_t value, struct vdf_err *err);

uint32_t vdf_gait_gisa_address(const struct gait_guest *guest);
uint64_t vdf_gait_host_address(const struct gait_guest *guest, uint64_t address);
/** vdf_gait_guest_of_gisa() - the guest whose GISA lies at this address; NULL: none.
 *  @likely: is tried first */
struct gait_guest *vdf_gait_guest_of_gisa(const struct gait *gait, uint32_t address,
                                          struct gait_guest *likely);
/** vdf_gait_summary_word() - the 8 bytes that an entry's aisb designates, if they lie in the memory
 *  of a guest and the entry's aisbo in them; NULL otherwise. */
uint8_t *vdf_gait_summary_word(const struct gait *gait, const struct gait_entry *entry,
                               struct gait_guest *likely);

static inline uint8_t vdf_gait_isc_bit(unsigned isc)
{
    return (uint8_t)(0x80u >> isc);
}

void vdf_gait_set_bit(uint8_t *bits, uint32_t n);
bool vdf_gait_test_and_clear_bit(uint8_t *bits, uint32_t n);

#endif
