/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The regions of memory of a vhost-user front end. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "queue.h"
#include "vhost_user_server.h"

static bool overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
    return a < b + b_size && b < a + a_size;
}

/* Whether @region is valid beside the @n others. */
static int region_check(const struct vdf_vu_region *region, const struct vdf_vu_mapping *others,
                        unsigned n, struct vdf_err *err)
{
    uint64_t end;

    if (!region->size || __builtin_add_overflow(region->guest, region->size, &end) ||
        __builtin_add_overflow(region->user, region->size, &end))
        return vdf_fail(err, EINVAL,
                        "region of 0x%" PRIx64 " bytes at 0x%" PRIx64 ", 0x%" PRIx64
                        " in the front end: empty, or beyond the last address",
                        region->size, region->guest, region->user);
    for (unsigned i = 0; i < n; i++)
        if (overlap(region->guest, region->size, others[i].region.guest, others[i].region.size) ||
            overlap(region->user, region->size, others[i].region.user, others[i].region.size))
            return vdf_fail(err, EINVAL,
                            "region of 0x%" PRIx64 " bytes at 0x%" PRIx64
                            " overlaps the one at 0x%" PRIx64,
                            region->size, region->guest, others[i].region.guest);
    return 0;
}

static int map(struct vdf_vu_mapping *mapping, const struct vdf_vu_region *region, int fd,
               struct vdf_err *err)
{
    mapping->region = *region;
    return vdf_import_open(&mapping->import, fd, region->offset, region->size, true, err);
}

static void unmap(struct vdf_vu_mapping *mappings, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        vdf_import_close(&mappings[i].import);
}

int vdf_vhost_user_set_table(struct vdf_vhost_user *vu, struct vdf_err *err)
{
    const struct vdf_vu_table *table = &vu->msg.payload.table;
    struct vdf_vu_mapping mappings[VDF_VU_TABLE_MAX] = { 0 };
    unsigned n = 0;
    int ret = 0;

    if (table->n > VDF_VU_TABLE_MAX || table->n != vu->passed.n)
        return vdf_fail(err, EPROTO, "%u regions with %u descriptors: up to %u, one for each",
                        table->n, vu->passed.n, VDF_VU_TABLE_MAX);
    if (vu->msg.header.size <
        offsetof(struct vdf_vu_table, regions) + table->n * sizeof(table->regions[0]))
        return vdf_fail(err, EPROTO, "%u regions in a message of %u bytes", table->n,
                        vu->msg.header.size);
    while (!ret && n < table->n) {
        ret = region_check(&table->regions[n], mappings, n, err);
        if (!ret)
            ret = map(&mappings[n], &table->regions[n], vu->passed.fds[n], err);
        if (!ret)
            n++;
    }
    if (ret) {
        unmap(mappings, n);
        return ret;
    }
    unmap(vu->mappings, vu->n_mappings);
    memcpy(vu->mappings, mappings, sizeof(mappings));
    vu->n_mappings = n;
    return 0;
}

int vdf_vhost_user_add_region(struct vdf_vhost_user *vu, struct vdf_err *err)
{
    const struct vdf_vu_region *region = &vu->msg.payload.one.region;

    if (vu->passed.n != 1)
        return vdf_fail(err, EPROTO, "a region with %u descriptors, one is needed", vu->passed.n);
    if (vu->n_mappings == VDF_VU_REGIONS_MAX)
        return vdf_fail(err, ENOSPC, "there are %u regions, no more are possible",
                        VDF_VU_REGIONS_MAX);
    int ret = region_check(region, vu->mappings, vu->n_mappings, err);
    if (!ret)
        ret = map(&vu->mappings[vu->n_mappings], region, vu->passed.fds[0], err);
    if (ret)
        return ret;
    vu->n_mappings++;
    return 0;
}

int vdf_vhost_user_remove_region(struct vdf_vhost_user *vu, struct vdf_err *err)
{
    const struct vdf_vu_region *region = &vu->msg.payload.one.region;

    for (unsigned i = 0; i < vu->n_mappings; i++) {
        const struct vdf_vu_region *is = &vu->mappings[i].region;

        if (is->guest != region->guest || is->user != region->user || is->size != region->size)
            continue;
        vdf_import_close(&vu->mappings[i].import);
        vu->n_mappings--;
        memmove(&vu->mappings[i], &vu->mappings[i + 1],
                (vu->n_mappings - i) * sizeof(vu->mappings[0]));
        return 0;
    }
    return vdf_fail(err, ENOENT, "no region of 0x%" PRIx64 " bytes at 0x%" PRIx64, region->size,
                    region->guest);
}

void vdf_vhost_user_drop_memory(struct vdf_vhost_user *vu)
{
    unmap(vu->mappings, vu->n_mappings);
    vu->n_mappings = 0;
    vdf_console_update_space(vu->con);
}

bool vdf_vhost_user_lost(const struct vdf_vhost_user *vu)
{
    for (unsigned i = 0; i < vu->n_mappings; i++)
        if (vdf_import_lost(&vu->mappings[i].import))
            return true;
    return false;
}

void vdf_vhost_user_space(struct vdf_console *con)
{
    struct vdf_vhost_user *vu = con->vhost;

    con->space = (struct vdf_space){ 0 };
    for (unsigned i = 0; vu && i < vu->n_mappings; i++) {
        const struct vdf_vu_region *region = &vu->mappings[i].region;
        unsigned at = i;

        for (; at && vu->regions[at - 1].addr > region->guest; at--)
            vu->regions[at] = vu->regions[at - 1];
        vu->regions[at] = (struct vdf_region){
            .addr = region->guest,
            .len = region->size,
            .mem = &vu->mappings[i].import.mem,
        };
        con->space.n = i + 1;
        con->space.regions = vu->regions;
    }
}

bool vdf_vhost_user_translate(const struct vdf_vhost_user *vu, uint64_t user, uint64_t *guest)
{
    for (unsigned i = 0; i < vu->n_mappings; i++) {
        const struct vdf_vu_region *region = &vu->mappings[i].region;

        if (user < region->user || user - region->user >= region->size)
            continue;
        *guest = region->guest + (user - region->user);
        return true;
    }
    return false;
}
