/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Adapter event notification: set-up and end, and the SIC instruction that they execute.
 *
 * The first set-up of a host registers the adapter interruption parameters block (AIPB) with
 * firmware for the life of the host. The end of AEN leaves the AIPB registered, with the table and the
 * summary vector that it names. The next set-up has to ask for the same ISC and uses them again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "aen.h"

/* One execution of SIC. `sic_fail` counts down to the one that firmware refuses. */
static int set_interruption_controls(struct gait *gait)
{
    if (gait->sic_fail == 0 || --gait->sic_fail > 0)
        return 0;
    return -EIO;
}

int vdf_gait_rearm(struct gait *gait)
{
    int ret = set_interruption_controls(gait);
    if (ret < 0)
        return ret;
    gait->sic_mode = GAIT_SIC_SINGLE;
    gait->sic_armed = true;
    return 0;
}

static bool has_aipb(const struct gait *gait)
{
    return gait->aipb_faal != 0;
}

/* SIC(SET_AENI_CONTROLS) with a zeroed table and vector. */
static int register_aipb(struct gait *gait, struct vdf_err *err)
{
    if (set_interruption_controls(gait) < 0)
        return vdf_fail(err, EIO, "SIC(SET_AENI_CONTROLS) failed: nothing was registered");
    memset(gait->table.base, 0, GAIT_ENTRIES * GAIT_ENTRY_SIZE);
    memset(gait->sbv.base, 0, GAIT_SBV_BYTES);
    gait->aipb_faisb = GAIT_SBV_ADDRESS;
    gait->aipb_gait = GAIT_TABLE_ADDRESS;
    gait->aipb_afi = gait->nisc;
    gait->aipb_faal = GAIT_ENTRIES;
    return 0;
}

int vdf_gait_enable(struct gait *gait, struct vdf_err *err)
{
    if (gait->enabled)
        return vdf_fail(err, EPERM, "1: AEN is enabled already; write 0 first");
    if (has_aipb(gait) && gait->aipb_afi != gait->nisc)
        return vdf_fail(err, EINVAL,
                        "nisc %u: the AIPB was registered with ISC %u and outlives enabled 0",
                        gait->nisc, gait->aipb_afi);
    struct gait_function **owner = calloc(GAIT_ENTRIES, sizeof(struct gait_function *));
    if (!owner)
        return vdf_fail(err, ENOMEM, "no memory for the functions of the table");
    int ret = vdf_memory_touch_both(&gait->table, &gait->sbv);
    if (ret < 0) {
        free(owner);
        return vdf_fail(err, -ret, "no memory for the table and the summary vector: %s",
                        strerror(-ret));
    }

    if (!has_aipb(gait)) {
        ret = register_aipb(gait, err);
        if (ret < 0) {
            free(owner);
            return ret;
        }
    }
    if (vdf_gait_rearm(gait) < 0) {
        free(owner);
        return vdf_fail(err, EIO, "SIC(SINGLE) failed: not enabled, the AIPB stays registered");
    }
    gait->owner = owner;
    gait->enabled = true;
    return 0;
}

int vdf_gait_disable(struct gait *gait, struct vdf_err *err)
{
    if (!gait->enabled)
        return 0;
    /* In the host a guest with registered functions holds the module that would end AEN. */
    if (gait->registered)
        return vdf_fail(err, EBUSY, "0: %u functions are registered; deregister them first",
                        gait->registered);
    gait->enabled = false;
    free(gait->owner);
    gait->owner = NULL;
    return 0;
}

int vdf_gait_restored_aen(struct gait *gait, struct vdf_err *err)
{
    if (has_aipb(gait)) {
        if (gait->aipb_faal != GAIT_ENTRIES || gait->aipb_faisb != GAIT_SBV_ADDRESS ||
            gait->aipb_gait != GAIT_TABLE_ADDRESS)
            return vdf_fail(err, EINVAL, "aipb: faisb is 0x%08x, gait 0x%08x and faal %u, or all 0",
                            GAIT_SBV_ADDRESS, GAIT_TABLE_ADDRESS, GAIT_ENTRIES);
    } else if (gait->aipb_faisb || gait->aipb_gait || gait->aipb_afi || gait->sbv_end) {
        return vdf_fail(err, EINVAL, "aipb/faal 0: then faisb, gait, afi and sbv_end are 0 too");
    }
    if (!gait->enabled)
        return 0;
    if (!has_aipb(gait) || gait->sic_mode != GAIT_SIC_SINGLE)
        return vdf_fail(err, EINVAL, "enabled 1: needs an AIPB and sic_mode single");
    gait->owner = calloc(GAIT_ENTRIES, sizeof(struct gait_function *));
    if (!gait->owner)
        return vdf_fail(err, ENOMEM, "no memory for the functions of the table");
    return 0;
}
