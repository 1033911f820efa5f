/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Entries of the table and the addresses in them. The files of an entry, `table` and the delivery all
 * read and write the same bytes in the table's memory, big-endian:
 *
 *     0  u32 gisa   4  u8 gisc   5  u8 count   6  reserved   7  u8 aisbo   8  u64 aisb
 *
 * Users may write any bytes there, and processes may have the table mapped: a word is read once, and
 * an address is followed only after it was found to lie in a guest.
 */
#include <errno.h>

#include "entry.h"
#include "guest.h"

uint32_t vdf_gait_gisa_address(const struct gait_guest *guest)
{
    return GAIT_GISA_BASE + guest->slot * GAIT_GISA_STRIDE;
}

uint64_t vdf_gait_host_address(const struct gait_guest *guest, uint64_t address)
{
    return ((uint64_t)guest->slot + 1) << 32 | address;
}

/* Unless the table was edited, the guest is that of the function that signals. */
static struct gait_guest *guest_of_slot(const struct gait *gait, uint32_t slot,
                                        struct gait_guest *likely)
{
    if (likely && likely->slot == slot)
        return likely;
    for (struct gait_guest *g = vdf_gait_guest_next(gait, NULL); g;
         g = vdf_gait_guest_next(gait, g))
        if (g->slot == slot)
            return g;
    return NULL;
}

struct gait_guest *vdf_gait_guest_of_gisa(const struct gait *gait, uint32_t address,
                                          struct gait_guest *likely)
{
    if (address < GAIT_GISA_BASE || (address - GAIT_GISA_BASE) % GAIT_GISA_STRIDE)
        return NULL;
    return guest_of_slot(gait, (address - GAIT_GISA_BASE) / GAIT_GISA_STRIDE, likely);
}

uint8_t *vdf_gait_summary_word(const struct gait *gait, const struct gait_entry *entry,
                               struct gait_guest *likely)
{
    uint64_t number = entry->aisb >> 32;

    if (number == 0 || entry->aisbo > GAIT_SBO_MAX)
        return NULL;
    struct gait_guest *guest = guest_of_slot(gait, (uint32_t)(number - 1), likely);
    return guest ? vdf_gait_at(guest, (uint32_t)entry->aisb, 8, true) : NULL;
}

static const uint8_t *entry_bytes(const struct gait *gait, unsigned n)
{
    static const uint64_t zeros[GAIT_ENTRY_SIZE / 8];
    const uint8_t *base = gait->table.base;

    return base ? base + n * GAIT_ENTRY_SIZE : (const uint8_t *)zeros;
}

struct gait_entry vdf_gait_entry_load(const struct gait *gait, unsigned n)
{
    const uint8_t *bytes = entry_bytes(gait, n);

    return (struct gait_entry){
        .gisa = vdf_load_be32(bytes),
        .gisc = __atomic_load_n(bytes + 4, __ATOMIC_RELAXED),
        .count = __atomic_load_n(bytes + 5, __ATOMIC_RELAXED),
        .aisbo = __atomic_load_n(bytes + 7, __ATOMIC_RELAXED),
        .aisb = vdf_load_be64(bytes + 8),
    };
}

void vdf_gait_entry_store(struct gait *gait, unsigned n, const struct gait_entry *entry)
{
    uint8_t *bytes = gait->table.base + n * GAIT_ENTRY_SIZE;

    vdf_store_be32(bytes, entry->gisa);
    __atomic_store_n(bytes + 4, entry->gisc, __ATOMIC_RELAXED);
    __atomic_store_n(bytes + 5, entry->count, __ATOMIC_RELAXED);
    __atomic_store_n(bytes + 7, entry->aisbo, __ATOMIC_RELAXED);
    vdf_store_be64(bytes + 8, entry->aisb);
}

int vdf_gait_entry_get(const struct vdf_at *at, uint64_t *value)
{
    const uint8_t *bytes = entry_bytes(at->priv, at->i) + at->attr->offset;

    switch (at->attr->width) {
    case 1:
        *value = __atomic_load_n(bytes, __ATOMIC_RELAXED);
        return 0;
    case 4:
        *value = vdf_load_be32(bytes);
        return 0;
    default:
        *value = vdf_load_be64(bytes);
        return 0;
    }
}

int vdf_gait_entry_set(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct gait *gait = at->priv;
    uint8_t *bytes =
        vdf_memory_at(&gait->table, at->i * GAIT_ENTRY_SIZE + at->attr->offset, at->attr->width);

    if (!bytes)
        return vdf_fail(err, errno, "no memory for the table: %s", strerror(errno));
    switch (at->attr->width) {
    case 1:
        __atomic_store_n(bytes, (uint8_t)value, __ATOMIC_RELAXED);
        return 0;
    case 4:
        vdf_store_be32(bytes, (uint32_t)value);
        return 0;
    default:
        vdf_store_be64(bytes, value);
        return 0;
    }
}

void vdf_gait_set_bit(uint8_t *bits, uint32_t n)
{
    __atomic_fetch_or(&bits[n / 8], (uint8_t)(0x80u >> n % 8), __ATOMIC_ACQ_REL);
}

bool vdf_gait_test_and_clear_bit(uint8_t *bits, uint32_t n)
{
    uint8_t bit = (uint8_t)(0x80u >> n % 8);

    return __atomic_fetch_and(&bits[n / 8], (uint8_t)~bit, __ATOMIC_ACQ_REL) & bit;
}
