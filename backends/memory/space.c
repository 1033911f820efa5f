/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Address spaces: what a device's DMA sees. Addresses and lengths are the guest's, hence hostile.
 */
#include <string.h>

#include <virtdevfs/memory.h>

void *vdf_space_at(const struct vdf_space *space, uint64_t addr, uint64_t len, bool write)
{
    if (!len)
        return NULL;
    for (unsigned i = 0; i < space->n; i++) {
        const struct vdf_region *region = &space->regions[i];
        if (addr < region->addr)
            continue;
        uint64_t into = addr - region->addr, offset;
        if (into >= region->len)
            continue;
        if (len > region->len - into || (write && region->read_only) ||
            __builtin_add_overflow(region->offset, into, &offset))
            return NULL;
        return vdf_memory_at(region->mem, offset, len);
    }
    return NULL;
}

bool vdf_space_copy_in(const struct vdf_space *space, uint64_t addr, void *to, uint64_t len)
{
    const void *from = vdf_space_at(space, addr, len, false);
    if (from)
        memcpy(to, from, len);
    return from;
}

bool vdf_space_copy_out(const struct vdf_space *space, uint64_t addr, const void *from,
                        uint64_t len)
{
    void *to = vdf_space_at(space, addr, len, true);
    if (to)
        memcpy(to, from, len);
    return to;
}
