/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest's GISA: the interruption alert mask, which the host clears and sets again. */
#include "entry.h"
#include "guest.h"

/* The host's own mask: an ISC is in it while functions with it are registered. */
static uint8_t alert_mask(const struct gait_guest *guest)
{
    uint8_t mask = 0;

    for (unsigned isc = 0; isc < GAIT_ISCS; isc++)
        if (guest->gisc_refs[isc])
            mask |= vdf_gait_isc_bit(isc);
    return mask;
}

/* The host's timer repeats this after an alert, until the guest has taken the pending interrupts. */
void vdf_gait_restore_iam(struct gait_guest *guest)
{
    uint8_t mask = alert_mask(guest);

    if (!guest->alerted || guest->ipm & mask)
        return;
    guest->iam = mask;
    guest->alerted = false;
}

void vdf_gait_alerted(struct gait_guest *guest)
{
    guest->iam = 0;
    guest->alerted = true;
    vdf_gait_restore_iam(guest);
}

bool vdf_gait_wants_alert(const struct gait_guest *guest, unsigned isc)
{
    return guest->iam & vdf_gait_isc_bit(isc) || (guest->alerted && guest->gisc_refs[isc]);
}

void vdf_gait_gisc_register(struct gait_guest *guest, unsigned isc)
{
    if (guest->gisc_refs[isc]++ == 0 && !guest->alerted)
        guest->iam |= vdf_gait_isc_bit(isc);
}

void vdf_gait_gisc_unregister(struct gait_guest *guest, unsigned isc)
{
    if (--guest->gisc_refs[isc] == 0)
        guest->iam &= (uint8_t)~vdf_gait_isc_bit(isc);
    vdf_gait_restore_iam(guest);
}
