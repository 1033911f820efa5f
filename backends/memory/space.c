/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Address spaces of a device's DMA. Addresses and lengths are the guest's, hence hostile. */
#include <string.h>

#include <virtdevfs/memory.h>

/* The address of @addr; @len is cut to the bytes that lie in the same region. */
static void *part_at(const struct vdf_space *space, uint64_t addr, uint64_t *len, bool write)
{
    for (unsigned i = 0; i < space->n; i++) {
        const struct vdf_region *region = &space->regions[i];
        if (addr < region->addr)
            continue;
        uint64_t into = addr - region->addr, offset;
        if (into >= region->len)
            continue;
        if ((write && region->read_only) || __builtin_add_overflow(region->offset, into, &offset))
            return NULL;
        if (*len > region->len - into)
            *len = region->len - into;
        return vdf_memory_at(region->mem, offset, *len);
    }
    return NULL;
}

void *vdf_space_at(const struct vdf_space *space, uint64_t addr, uint64_t len, bool write)
{
    uint64_t part = len;
    void *at = len ? part_at(space, addr, &part, write) : NULL;

    return part == len ? at : NULL;
}

bool vdf_space_has(const struct vdf_space *space, uint64_t addr, uint64_t len, bool write)
{
    uint64_t end;

    /* The last byte may be the last of all addresses. */
    if (!len || __builtin_add_overflow(addr, len - 1, &end))
        return false;
    while (len) {
        uint64_t part = len;
        if (!part_at(space, addr, &part, write))
            return false;
        addr += part;
        len -= part;
    }
    return true;
}

bool vdf_space_copy_in(const struct vdf_space *space, uint64_t addr, void *to, uint64_t len)
{
    if (!vdf_space_has(space, addr, len, false))
        return false;
    while (len) {
        uint64_t part = len;
        const void *from = part_at(space, addr, &part, false);
        if (!from)
            return false;
        memcpy(to, from, part);
        to = (uint8_t *)to + part;
        addr += part;
        len -= part;
    }
    return true;
}

bool vdf_space_copy_out(const struct vdf_space *space, uint64_t addr, const void *from,
                        uint64_t len)
{
    if (!vdf_space_has(space, addr, len, true))
        return false;
    while (len) {
        uint64_t part = len;
        void *to = part_at(space, addr, &part, true);
        if (!to)
            return false;
        memcpy(to, from, part);
        from = (const uint8_t *)from + part;
        addr += part;
        len -= part;
    }
    return true;
}
