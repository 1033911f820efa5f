/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Direct delivery: the interrupt delivery control (IDC) structures of the harts (AIA 4.8). */
#include <string.h>

#include "aplic.h"

static bool is_due(const struct vdf_aplic *aplic, uint32_t hart, uint32_t target)
{
    const struct vdf_aplic_hart *idc = &aplic->harts[hart];
    uint32_t priority = target & VDF_TARGET_IPRIO;

    /* AIA 4.8.1.3: threshold P leaves out the priorities P and up, 0 none. */
    return target >> VDF_TARGET_HART_SHIFT == hart &&
           (idc->ithreshold == 0 || priority < idc->ithreshold);
}

/* Registers of sources that were never written hold priority 1 at hart 0. */
static uint32_t target_of(const struct vdf_aplic *aplic, uint32_t n)
{
    return aplic->target[n] ? aplic->target[n] : 1;
}

uint32_t vdf_aplic_topi(const struct vdf_aplic *aplic, uint32_t hart)
{
    uint32_t best = 0, best_priority = VDF_TARGET_IPRIO + 1;

    for (uint32_t w = 0; w < vdf_aplic_words(aplic); w++)
        for (uint32_t due = aplic->pending[w] & aplic->enabled[w]; due != 0; due &= due - 1) {
            uint32_t n = 32 * w + (uint32_t)__builtin_ctz(due);
            uint32_t target = target_of(aplic, n);

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

        /* A claim does not clear a level: the device behind it has to let go (AIA 4.7). */
        if (!vdf_aplic_copies_input(aplic, n))
            vdf_aplic_put_bit(aplic->pending, n, false);
    }
    vdf_aplic_update_line(aplic);
    return topi;
}

/* Is the signal to any hart asserted (AIA 4.8.2)? */
static bool any_signal(const struct vdf_aplic *aplic)
{
    if (!aplic->interrupt_enable)
        return false;
    for (uint32_t h = 0; h < aplic->n_harts; h++)
        if (aplic->harts[h].idelivery && aplic->harts[h].iforce)
            return true;
    for (uint32_t w = 0; w < vdf_aplic_words(aplic); w++)
        for (uint32_t due = aplic->pending[w] & aplic->enabled[w]; due != 0; due &= due - 1) {
            uint32_t target = target_of(aplic, 32 * w + (uint32_t)__builtin_ctz(due));
            uint32_t hart = target >> VDF_TARGET_HART_SHIFT;

            if (hart < aplic->n_harts && aplic->harts[hart].idelivery &&
                is_due(aplic, hart, target))
                return true;
        }
    return false;
}

void vdf_aplic_update_line(struct vdf_aplic *aplic)
{
    /* Nobody else sees the signals: without a listener they are not derived. */
    if (!aplic->irq.set_level)
        return;
    bool line = vdf_aplic_has_idcs(aplic) && any_signal(aplic);
    if (line != aplic->line) {
        aplic->line = line;
        vdf_irq_set(&aplic->irq, line);
    }
}

void vdf_aplic_connect(struct vdf_obj *obj, const struct vdf_irq *irq)
{
    struct vdf_aplic *aplic = vdf_obj_priv(obj);

    aplic->irq = irq ? *irq : (struct vdf_irq){ 0 };
    aplic->line = false;
    vdf_aplic_update_line(aplic);
}

/* --- rows ------------------------------------------------------------------------------------- */

static struct vdf_aplic_hart *idc_at(const struct vdf_at *at)
{
    struct vdf_aplic *aplic = at->priv;

    return &aplic->harts[at->i];
}

int vdf_aplic_get_idelivery(const struct vdf_at *at, uint64_t *value)
{
    *value = idc_at(at)->idelivery;
    return 0;
}

int vdf_aplic_set_idelivery(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    idc_at(at)->idelivery = value & 1;
    vdf_aplic_update_line(at->priv);
    return 0;
}

int vdf_aplic_get_iforce(const struct vdf_at *at, uint64_t *value)
{
    *value = idc_at(at)->iforce;
    return 0;
}

int vdf_aplic_set_iforce(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    idc_at(at)->iforce = value & 1;
    vdf_aplic_update_line(at->priv);
    return 0;
}

int vdf_aplic_get_ithreshold(const struct vdf_at *at, uint64_t *value)
{
    *value = idc_at(at)->ithreshold;
    return 0;
}

int vdf_aplic_set_ithreshold(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    idc_at(at)->ithreshold = value & VDF_TARGET_IPRIO;
    vdf_aplic_update_line(at->priv);
    return 0;
}

int vdf_aplic_get_topi(const struct vdf_at *at, uint64_t *value)
{
    *value = vdf_aplic_topi(at->priv, at->i);
    return 0;
}

int vdf_aplic_read_claimi(const struct vdf_at *at, uint64_t *value)
{
    *value = vdf_aplic_claim(at->priv, at->i);
    return 0;
}
