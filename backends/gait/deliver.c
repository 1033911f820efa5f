/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A function signals: the route of an adapter event to its guest.
 *
 * Firmware sets the bit of the vector in the AIBV and reads the function's entry.
 *
 * Interpreted: the entry names a GISA and the guest is eligible. Firmware sets the guest's summary
 * bit and the ISC's bit of the GISA's IPM. A guest that is not running, and whose IAM has the bit,
 * is linked into the GIB's alert list, and the host gets an alert. The alert clears the IAM, which
 * the host sets again when the guest has taken what is pending.
 *
 * Forwarded: otherwise, or when the entry designates nothing. Firmware sets the host's summary bit,
 * and the host gets an adapter interrupt if the ISC is armed, which disarms it. The host forwards
 * every summary bit that it finds to the guest that owns the entry, and arms the ISC again.
 *
 * All of this happens within the one write of `signal`.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>

#include "aen.h"
#include "deliver.h"
#include "entry.h"
#include "guest.h"

/* Scans with a re-enablement for one interrupt, at most: a process that has the vector mapped could set
 * bits for ever. The next interrupt finds the bits that are left. */
#define SCANS_MAX 64u

/* The event of entry @si to the guest that owns it. */
static void forward(struct gait *gait, unsigned si)
{
    struct gait_entry entry = vdf_gait_entry_load(gait, si);
    struct gait_function *owner = gait->owner[si];

    if (entry.count == 0) {
        gait->dropped++;
        return;
    }
    if (entry.aisb) {
        uint8_t *word = vdf_gait_summary_word(gait, &entry, owner ? owner->guest : NULL);
        if (!word) {
            vdf_report(gait->base.obj, EFAULT,
                       "entries/%u: aisb 0x%016" PRIx64
                       ", aisbo %u is no bit of a guest's memory: the event is dropped",
                       si, entry.aisb, entry.aisbo);
            gait->dropped++;
            return;
        }
        vdf_gait_set_bit(word, entry.aisbo);
    }
    if (!owner) {
        gait->dropped++;
        return;
    }
    if (entry.gisc >= GAIT_ISCS) {
        vdf_report(gait->base.obj, EINVAL,
                   "entries/%u: gisc %u is not 0 to 7: the event is dropped", si, entry.gisc);
        gait->dropped++;
        return;
    }

    struct gait_guest *guest = owner->guest;
    uint8_t bit = vdf_gait_isc_bit(entry.gisc);
    /* Single-interruption mode, and the one interruption was delivered already. */
    if (guest->simm & guest->nimm & bit)
        return;
    guest->ipm |= bit;
    guest->aen_forward++;
    gait->aen_forward++;
    vdf_irq_message(&owner->irq, 0, entry.gisc);
}

/*
 * Forwards the events of the summary vector. An event between a scan and the re-enablement brings no
 * interrupt, therefore only a scan that follows a re-enablement and finds nothing is the last one.
 */
static void process_gait(struct gait *gait)
{
    uint8_t *sbv = vdf_memory_at(&gait->sbv, 0, GAIT_SBV_BYTES);
    bool again = true;

    for (unsigned scans = 0; again && scans < SCANS_MAX; scans++) {
        /* A bit that is set again behind the scan is found by the next one. */
        bool found = false;
        for (unsigned si = 0; si < gait->sbv_end; si++) {
            if (!vdf_gait_test_and_clear_bit(sbv, si))
                continue;
            found = true;
            forward(gait, si);
        }
        again = scans == 0 || found;
        if (again && vdf_gait_rearm(gait) < 0)
            vdf_report(gait->base.obj, EIO,
                       "SIC(SINGLE) failed: ISC %u brings no interrupt until AEN is set up again",
                       gait->aipb_afi);
    }
    if (again)
        vdf_report(
            gait->base.obj, EAGAIN,
            "sbv: bits were set during all scans; those that are left wait for the next interrupt");
}

/* Takes the whole alert list at once; every guest on it polls its interrupts again. */
static void process_alert_list(struct gait *gait)
{
    uint32_t next = gait->alert_origin;

    gait->alert_origin = 0;
    while (next) {
        struct gait_guest *guest = vdf_gait_guest_of_gisa(gait, next, NULL);
        assert(guest);
        next = guest->next_alert;
        guest->next_alert = vdf_gait_gisa_address(guest);
    }
}

/* The host's handler of the ISC. Forwarded events come before the list. */
static void host_interrupt(struct gait *gait, bool forwarded)
{
    gait->interrupts++;
    if (forwarded)
        process_gait(gait);
    process_alert_list(gait);
}

/* An alert is no summary bit: single-interruption mode does not delay it. */
static void alert(struct gait *gait, struct gait_guest *guest)
{
    guest->next_alert = gait->alert_origin;
    gait->alert_origin = vdf_gait_gisa_address(guest);
    guest->alerts++;
    gait->alerts++;
    vdf_gait_alerted(guest);
    host_interrupt(gait, false);
}

/* Firmware delivers the event without the host; false: it cannot, and the event goes to the host as an
 * error. */
static bool interpret(struct gait *gait, struct gait_function *function,
                      const struct gait_entry *entry)
{
    struct gait_guest *guest = vdf_gait_guest_of_gisa(gait, entry->gisa, function->guest);
    uint8_t *word = NULL;

    if (!guest) {
        vdf_report(gait->base.obj, EFAULT,
                   "entries/%u: gisa 0x%08x is no guest's: the event goes to the host",
                   function->index, entry->gisa);
        return false;
    }
    if (entry->aisb)
        word = vdf_gait_summary_word(gait, entry, guest);
    if (entry->gisc >= GAIT_ISCS || (entry->aisb && !word)) {
        vdf_report(gait->base.obj, EFAULT,
                   "entries/%u: gisc %u, aisb 0x%016" PRIx64
                   ", aisbo %u cannot be interpreted: the event goes to the host",
                   function->index, entry->gisc, entry->aisb, entry->aisbo);
        return false;
    }

    uint8_t bit = vdf_gait_isc_bit(entry->gisc);
    if (word)
        vdf_gait_set_bit(word, entry->aisbo);
    guest->ipm |= bit;
    if (!guest->running) {
        if (!vdf_gait_wants_alert(guest, entry->gisc))
            return true;
        /* After an alert the host keeps waking the guest, without another alert. */
        if (guest->iam & bit)
            alert(gait, guest);
    }
    vdf_irq_message(&function->irq, 0, entry->gisc);
    return true;
}

int vdf_gait_deliver(struct gait_function *function, uint32_t vector, struct vdf_err *err)
{
    struct gait *gait = vdf_gait_of(function->base.obj);
    uint8_t *aibv = vdf_gait_at(function->guest, function->ibv + vector / 8, 1, true);
    uint8_t *sbv = vdf_memory_at(&gait->sbv, 0, GAIT_SBV_BYTES);

    if (!aibv || !sbv)
        return vdf_fail(err, errno, "%u: no memory to set the bit in: %s", vector, strerror(errno));
    struct gait_entry entry = vdf_gait_entry_load(gait, function->index);

    vdf_gait_set_bit(aibv, vector % 8);
    if (entry.gisa && function->interpret && !function->host && interpret(gait, function, &entry))
        return 0;
    vdf_gait_set_bit(sbv, function->index);
    if (gait->sic_armed) {
        gait->sic_armed = false;
        host_interrupt(gait, true);
    }
    return 0;
}
