/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Address spaces of a device's DMA. Addresses and lengths are the guest's, hence hostile. */
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include <virtdevfs/memory.h>

/* The last region that does not begin after @addr, or the first one. */
static inline const struct vdf_region *candidate(const struct vdf_space *space, uint64_t addr)
{
    const struct vdf_region *region = vdf_space_regions(space);

    for (unsigned n = space->n; n > 1;) {
        unsigned half = n / 2;

        if (addr >= region[half].addr)
            region += half;
        n -= half;
    }
    return region;
}

/* The region of @addr, and the offset in it; NULL: there is none, or it may not be written to. */
static inline const struct vdf_region *find(const struct vdf_space *space, uint64_t addr,
                                            bool write, uint64_t *into)
{
    const struct vdf_region *region = candidate(space, addr);

    if (!space->n || addr < region->addr || addr - region->addr >= region->len ||
        (write && region->read_only))
        return NULL;
    *into = addr - region->addr;
    return region;
}

/* A part of a region that has memory here. */
static inline void *local_at(const struct vdf_region *region, uint64_t into, uint64_t len)
{
    uint64_t offset;

    if (__builtin_add_overflow(region->offset, into, &offset))
        return NULL;
    /* As vdf_memory_at() does it, without the call where the memory has been made. */
    if (region->mem->base && offset <= region->mem->size && len <= region->mem->size - offset)
        return region->mem->base + offset;
    return vdf_memory_at(region->mem, offset, len);
}

static void mark_pages(const struct vdf_region *region, uint64_t into, uint64_t len)
{
    uint64_t last = (into + len - 1) / VDF_DIRTY_PAGE;

    for (uint64_t page = into / VDF_DIRTY_PAGE; page <= last; page++) {
        _Atomic uint64_t *word = &region->dirty[page / 64];
        uint64_t bit = UINT64_C(1) << page % 64;

        /* Most pages are dirty already, and others read the word. */
        if (!(atomic_load_explicit(word, memory_order_relaxed) & bit))
            atomic_fetch_or_explicit(word, bit, memory_order_relaxed);
    }
}

static inline void mark(const struct vdf_region *region, uint64_t into, uint64_t len)
{
    if (region->dirty)
        mark_pages(region, into, len);
}

void *vdf_space_at(const struct vdf_space *space, uint64_t addr, uint64_t len, bool write)
{
    uint64_t into;
    const struct vdf_region *region = len ? find(space, addr, write, &into) : NULL;

    if (!region || len > region->len - into || !region->mem)
        return NULL;
    if (write)
        mark(region, into, len);
    return local_at(region, into, len);
}

/* The bytes from @addr on, at most @len, that lie in one region; 0: the device cannot reach them. */
static uint64_t reach(const struct vdf_space *space, uint64_t addr, uint64_t len, bool write)
{
    uint64_t into;
    const struct vdf_region *region = find(space, addr, write, &into);

    if (!region)
        return 0;
    if (len > region->len - into)
        len = region->len - into;
    return !region->mem || local_at(region, into, len) ? len : 0;
}

bool vdf_space_has(const struct vdf_space *space, uint64_t addr, uint64_t len, bool write)
{
    uint64_t end;

    /* The last byte may be the last of all addresses. */
    if (!len || __builtin_add_overflow(addr, len - 1, &end))
        return false;
    while (len) {
        uint64_t part = reach(space, addr, len, write);
        if (!part)
            return false;
        addr += part;
        len -= part;
    }
    return true;
}

/* Ask the process that has the memory; @to or @from is NULL. */
static bool ask(const struct vdf_remote_memory *remote, uint64_t addr, void *to, const void *from,
                uint64_t len)
{
    for (uint64_t done = 0, part; done < len; done += part) {
        part = len - done < remote->most ? len - done : remote->most;
        if (to ? remote->read(remote->ctx, addr + done, (uint8_t *)to + done, part)
               : remote->write(remote->ctx, addr + done, (const uint8_t *)from + done, part))
            return false;
    }
    return true;
}

/* Copy bytes that lie in one region; @to or @from is NULL. */
static bool copy_part(const struct vdf_region *region, uint64_t into, void *to, const void *from,
                      uint64_t len)
{
    void *at;

    if (from)
        mark(region, into, len);
    if (!region->mem)
        return ask(region->remote, region->addr + into, to, from, len);
    at = local_at(region, into, len);
    if (!at)
        return false;
    if (to)
        memcpy(to, at, len);
    if (from)
        memcpy(at, from, len);
    return true;
}

/* Copy bytes that lie in several regions: all of them or, but for failures of others, none. */
static bool copy_across(const struct vdf_space *space, uint64_t addr, uint8_t *to,
                        const uint8_t *from, uint64_t len)
{
    if (!vdf_space_has(space, addr, len, from != NULL))
        return false;
    for (uint64_t done = 0, part; done < len; done += part) {
        uint64_t into;
        const struct vdf_region *region = find(space, addr + done, from != NULL, &into);

        if (!region)
            return false;
        part = len - done < region->len - into ? len - done : region->len - into;
        if (!copy_part(region, into, to ? to + done : NULL, from ? from + done : NULL, part))
            return false;
    }
    return true;
}

static bool copy(const struct vdf_space *space, uint64_t addr, void *to, const void *from,
                 uint64_t len)
{
    uint64_t into;
    const struct vdf_region *region = len ? find(space, addr, from != NULL, &into) : NULL;

    if (!region)
        return false;
    if (len <= region->len - into)
        return copy_part(region, into, to, from, len);
    return copy_across(space, addr, to, from, len);
}

bool vdf_space_copy_in(const struct vdf_space *space, uint64_t addr, void *to, uint64_t len)
{
    return copy(space, addr, to, NULL, len);
}

bool vdf_space_copy_out(const struct vdf_space *space, uint64_t addr, const void *from,
                        uint64_t len)
{
    return copy(space, addr, NULL, from, len);
}

/* The place of a word. NULL with a @region: the region's memory is in another process. */
static inline void *word_at(const struct vdf_space *space, uint64_t addr, unsigned width,
                            bool write, const struct vdf_region **region)
{
    uint64_t into;
    const struct vdf_region *found = find(space, addr, write, &into);
    void *at = NULL;

    if (found && width > found->len - into)
        found = NULL;
    if (found && found->mem)
        at = local_at(found, into, width);
    if (found && (found->mem ? !at || (uintptr_t)at % width : addr % width))
        found = NULL;
    if (found && write)
        mark(found, into, width);
    *region = found;
    return at;
}

#define WORD(bits)                                                               \
    bool vdf_space_load_le##bits(const struct vdf_space *space, uint64_t addr,   \
                                 uint##bits##_t *value)                          \
    {                                                                            \
        const struct vdf_region *region;                                         \
        const void *at = word_at(space, addr, sizeof(*value), false, &region);   \
                                                                                 \
        if (!region)                                                             \
            return false;                                                        \
        if (at)                                                                  \
            *value = vdf_load_le##bits(at);                                      \
        else if (!ask(region->remote, addr, value, NULL, sizeof(*value)))        \
            return false;                                                        \
        else                                                                     \
            *value = le##bits##toh(*value);                                      \
        return true;                                                             \
    }                                                                            \
    bool vdf_space_store_le##bits(const struct vdf_space *space, uint64_t addr,  \
                                  uint##bits##_t value)                          \
    {                                                                            \
        const struct vdf_region *region;                                         \
        void *at = word_at(space, addr, sizeof(value), true, &region);           \
                                                                                 \
        if (region && at) {                                                      \
            vdf_store_le##bits(at, value);                                       \
            return true;                                                         \
        }                                                                        \
        value = htole##bits(value);                                              \
        return region && ask(region->remote, addr, NULL, &value, sizeof(value)); \
    }
WORD(16)
WORD(32)
WORD(64)

void vdf_dirty_take(const struct vdf_region *region, uint64_t first, uint64_t n, uint8_t *bitmap)
{
    uint64_t end = first + n;

    memset(bitmap, 0, (n + 7) / 8);
    for (uint64_t word = first / 64; word * 64 < end; word++) {
        uint64_t mask = UINT64_MAX, bits;

        if (word * 64 < first)
            mask <<= first % 64;
        if (end - word * 64 < 64)
            mask &= (UINT64_C(1) << end % 64) - 1;
        if (!(atomic_load_explicit(&region->dirty[word], memory_order_relaxed) & mask))
            continue;
        bits = atomic_fetch_and_explicit(&region->dirty[word], ~mask, memory_order_relaxed) & mask;
        for (; bits; bits &= bits - 1) {
            uint64_t page = word * 64 + (unsigned)__builtin_ctzll(bits) - first;
            bitmap[page / 8] |= (uint8_t)(1u << page % 8);
        }
    }
}
