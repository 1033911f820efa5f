/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupt sources: the rules by which their pending and enable bits are set and cleared.
 *
 * With MSI delivery the rules are those of Linux's KVM. It keeps the pending and enable bits of an
 * inactive source, leaves a source pending whose level has gone, and sets the pending bit at every
 * call with an asserted level.
 *
 * With direct delivery the rules are those of the AIA specification (4.7): the pending bit of a level is
 * a copy of its rectified input. Where the specification leaves a choice, the device does what
 * QEMU's APLIC does.
 */
#include <errno.h>
#include <inttypes.h>

#include "idc.h"
#include "imsic.h"
#include "source.h"

static enum vdf_source_mode mode_of(const struct vdf_aplic *aplic, uint32_t n)
{
    return (enum vdf_source_mode)aplic->sources[n].sourcecfg;
}

static bool is_level(enum vdf_source_mode mode)
{
    return mode == VDF_SM_LEVEL_HIGH || mode == VDF_SM_LEVEL_LOW;
}

bool vdf_aplic_copies_input(const struct vdf_aplic *aplic, uint32_t n)
{
    return vdf_aplic_direct(aplic) && is_level(mode_of(aplic, n));
}

bool vdf_aplic_rectified(const struct vdf_aplic *aplic, uint32_t n)
{
    enum vdf_source_mode mode = mode_of(aplic, n);
    bool input = aplic->sources[n].input;

    if (mode == VDF_SM_INACTIVE)
        return false;
    /* KVM shows the wire of a detached source too; by AIA 4.5.2 it has no rectified input. */
    if (vdf_aplic_direct(aplic) && mode < VDF_SM_EDGE_RISE)
        return false;
    return input ^ (mode == VDF_SM_EDGE_FALL || mode == VDF_SM_LEVEL_LOW);
}

void vdf_aplic_write_pending(struct vdf_aplic *aplic, uint32_t n, bool pending)
{
    if (!vdf_aplic_is_source(aplic, n))
        return;

    enum vdf_source_mode mode = mode_of(aplic, n);
    if (mode == VDF_SM_INACTIVE)
        return;
    /* AIA 4.7: without MSIs only the wire of a level-sensitive source sets and clears the bit; with
     * MSIs a write can set the bit again while the level is asserted. */
    if (is_level(mode) && (vdf_aplic_direct(aplic) || (pending && !vdf_aplic_rectified(aplic, n))))
        return;
    vdf_aplic_put_bit(aplic->pending, n, pending);
}

void vdf_aplic_write_enabled(struct vdf_aplic *aplic, uint32_t n, bool enabled)
{
    if (!vdf_aplic_is_source(aplic, n))
        return;
    if (vdf_aplic_direct(aplic) && mode_of(aplic, n) == VDF_SM_INACTIVE)
        return;
    vdf_aplic_put_bit(aplic->enabled, n, enabled);
}

void vdf_aplic_write_sourcecfg(struct vdf_aplic *aplic, uint32_t n, uint32_t value)
{
    uint32_t mode = value & VDF_SOURCECFG_SM;

    /* There is no child domain to delegate to: bit D makes the whole register zero (AIA 4.5.2). */
    if (value & VDF_SOURCECFG_D)
        mode = VDF_SM_INACTIVE;
    if (!vdf_aplic_direct(aplic)) {
        aplic->sources[n].sourcecfg = mode;
        return;
    }
    aplic->sources[n].sourcecfg = vdf_aplic_is_mode(mode) ? mode : VDF_SM_INACTIVE;
    if (vdf_aplic_rectified(aplic, n))
        vdf_aplic_put_bit(aplic->pending, n, true);
    vdf_aplic_settle(aplic, n);
}

void vdf_aplic_settle(struct vdf_aplic *aplic, uint32_t n)
{
    if (vdf_aplic_copies_input(aplic, n)) {
        vdf_aplic_put_bit(aplic->pending, n, vdf_aplic_rectified(aplic, n));
    } else if (mode_of(aplic, n) == VDF_SM_INACTIVE) {
        vdf_aplic_put_bit(aplic->pending, n, false);
        vdf_aplic_put_bit(aplic->enabled, n, false);
    }
}

void vdf_aplic_write_target(struct vdf_aplic *aplic, uint32_t n, uint32_t value)
{
    if (!vdf_aplic_direct(aplic)) {
        aplic->sources[n].target = value & VDF_TARGET_MSI_BITS;
        return;
    }
    /* Priority 0 does not exist (AIA 4.5.16.1). */
    value &= VDF_TARGET_DIRECT_BITS;
    aplic->sources[n].target = value & VDF_TARGET_IPRIO ? value : value | 1;
}

/* Forward a source that is enabled and pending. An MSI that no interrupt file takes clears the
 * pending bit too. */
static void forward(struct vdf_aplic *aplic, uint32_t n)
{
    vdf_aplic_put_bit(aplic->pending, n, false);
    vdf_aplic_send_to_target(aplic, aplic->sources[n].target);
}

void vdf_aplic_update(struct vdf_aplic *aplic)
{
    if (vdf_aplic_direct(aplic)) {
        vdf_aplic_update_line(aplic);
        return;
    }
    if (!(aplic->domaincfg & VDF_DOMAINCFG_IE))
        return;
    for (uint32_t w = 0; w < vdf_aplic_words(aplic); w++) {
        uint32_t due = aplic->pending[w] & aplic->enabled[w];

        for (; due != 0; due &= due - 1)
            forward(aplic, 32 * w + (uint32_t)__builtin_ctz(due));
    }
}

int vdf_aplic_wire(struct vdf_aplic *aplic, uint32_t n, bool level, struct vdf_err *err)
{
    if (!aplic->initialised)
        return vdf_fail(err, EBUSY, "the device is not initialised; write `init` first");
    if (!vdf_aplic_is_source(aplic, n))
        return vdf_fail(err, ENODEV, "%" PRIu32 " is no source; there are %" PRIu32, n,
                        aplic->n_sources);

    bool before = aplic->sources[n].input;
    bool pend = false;
    switch (mode_of(aplic, n)) {
    case VDF_SM_EDGE_RISE:
        pend = level && !before;
        break;
    case VDF_SM_EDGE_FALL:
        pend = !level && before;
        break;
    case VDF_SM_LEVEL_HIGH:
        pend = level;
        break;
    case VDF_SM_LEVEL_LOW:
        pend = !level;
        break;
    case VDF_SM_INACTIVE:
    case VDF_SM_DETACHED:
        break;
    }
    aplic->sources[n].input = level;
    if (pend)
        vdf_aplic_put_bit(aplic->pending, n, true);

    if (vdf_aplic_direct(aplic)) {
        vdf_aplic_settle(aplic, n);
        vdf_aplic_update_line(aplic);
    } else if (aplic->domaincfg & VDF_DOMAINCFG_IE && vdf_aplic_bit(aplic->pending, n) &&
               vdf_aplic_bit(aplic->enabled, n)) {
        forward(aplic, n);
    }
    return 0;
}
