/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Direct delivery: the interrupt delivery control (IDC) structures of the harts (AIA 4.8). */
#include "idc.h"
#include "source.h"

static bool is_due(const struct vdf_aplic *aplic, uint32_t hart, uint32_t target)
{
    const struct vdf_aplic_hart *idc = &aplic->harts[hart];
    uint32_t priority = target & VDF_TARGET_IPRIO;

    /* AIA 4.8.1.3: threshold P masks the priorities P and up, threshold 0 masks none. */
    return target >> VDF_TARGET_HART_SHIFT == hart &&
           (idc->ithreshold == 0 || priority < idc->ithreshold);
}

/* Registers of sources that were never written hold priority 1 at hart 0. */
uint32_t vdf_aplic_active_target(const struct vdf_aplic *aplic, uint32_t n)
{
    return aplic->sources[n].target ? aplic->sources[n].target : 1;
}

uint32_t vdf_aplic_topi(const struct vdf_aplic *aplic, uint32_t hart)
{
    uint32_t best = 0, best_priority = VDF_TARGET_IPRIO + 1;

    for (uint32_t w = 0; w < vdf_aplic_words(aplic); w++)
        for (uint32_t due = aplic->pending[w] & aplic->enabled[w]; due != 0; due &= due - 1) {
            uint32_t n = 32 * w + (uint32_t)__builtin_ctz(due);
            uint32_t target = vdf_aplic_active_target(aplic, n);

            /* Of equal priorities the lowest source number wins (AIA 4.5.16.1). */
            if (is_due(aplic, hart, target) && (target & VDF_TARGET_IPRIO) < best_priority) {
                best = n;
                best_priority = target & VDF_TARGET_IPRIO;
            }
        }
    return best ? best << 16 | best_priority : 0;
}

uint32_t vdf_aplic_claim(struct vdf_aplic *aplic, uint32_t hart)
{
    uint32_t topi = vdf_aplic_topi(aplic, hart);

    if (topi == 0) {
        /* A spurious interrupt (AIA 4.8.1.5). */
        aplic->harts[hart].iforce = 0;
    } else {
        uint32_t n = topi >> 16;

        /* A claim does not clear a level; the device behind it deasserts the wire (AIA 4.7). */
        if (!vdf_aplic_copies_input(aplic, n))
            vdf_aplic_put_bit(aplic->pending, n, false);
    }
    vdf_aplic_update_line(aplic);
    return topi;
}

/* Is the signal to any hart asserted (AIA 4.8.2)? */
static bool any_signal(const struct vdf_aplic *aplic)
{
    if (!(aplic->domaincfg & VDF_DOMAINCFG_IE))
        return false;
    for (uint32_t h = 0; h < aplic->n_harts; h++)
        if (aplic->harts[h].idelivery && aplic->harts[h].iforce)
            return true;
    for (uint32_t w = 0; w < vdf_aplic_words(aplic); w++)
        for (uint32_t due = aplic->pending[w] & aplic->enabled[w]; due != 0; due &= due - 1) {
            uint32_t target = vdf_aplic_active_target(aplic, 32 * w + (uint32_t)__builtin_ctz(due));
            uint32_t hart = target >> VDF_TARGET_HART_SHIFT;

            if (hart < aplic->n_harts && aplic->harts[hart].idelivery &&
                is_due(aplic, hart, target))
                return true;
        }
    return false;
}

void vdf_aplic_update_line(struct vdf_aplic *aplic)
{
    /* Only `irq` shows the signals: without a line they are not derived. */
    if (!aplic->irq.set_level)
        return;
    bool line = vdf_aplic_has_registers(aplic) && vdf_aplic_direct(aplic) && any_signal(aplic);
    if (line != aplic->line) {
        aplic->line = line;
        vdf_irq_set(&aplic->irq, line);
    }
}
