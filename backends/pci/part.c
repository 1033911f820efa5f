/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A device that is attached to a PCI function, as a slot of a machine has one. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pci.h"

bool vdf_pci_enter(struct vdf_obj *obj, const atomic_bool *stop)
{
    return !stop || vdf_obj_enter(obj, stop);
}

void vdf_pci_leave(struct vdf_obj *obj, bool changed, const atomic_bool *stop)
{
    if (stop)
        vdf_obj_leave(obj, changed, stop);
    else if (changed)
        vdf_obj_touched(obj);
}

int vdf_pci_describe(struct vdf_pci *pci, struct vdf_err *err)
{
    struct vdf_obj *target;
    uint32_t part;

    pci->described = (struct vdf_guest_function){ 0 };
    if (!pci->function)
        return 0;
    int ret = vdf_guest_find(pci->priv.obj, pci->function, &target, &part, err);
    if (ret < 0)
        return ret;
    if (!vdf_obj_class(target)->guest->function)
        return vdf_fail(err, EINVAL,
                        "\"%.80s\" has no identity of a PCI function; intx/B/devices/D and "
                        "console/C have one, other devices are windows in bars/",
                        pci->function);
    ret = vdf_obj_class(target)->guest->function(target, part, &pci->described, err);
    if (ret < 0)
        return ret;
    if (pci->described.has_bar)
        pci->described_size = vdf_guest_size(target, pci->described.part);
    return 0;
}

/* --- interrupts ------------------------------------------------------------------------------- */

static void set_level(void *ctx, bool level)
{
    const struct vdf_pci_part *part = ctx;

    vdf_pci_intx_set(&part->pci->irqs, part->number, level);
}

static void send_message(void *ctx, uint64_t address, uint32_t data)
{
    const struct vdf_pci_part *part = ctx;

    vdf_pci_msix_send(&part->pci->irqs, data);
}

/* --- attaching -------------------------------------------------------------------------------- */

/* A page that appears or goes while a client is connected is the next client's. */
static void remap(void *ctx)
{
    struct vdf_pci_part *part = ctx;

    part->page = part->ops->page ? part->ops->page(part->target, part->part) : NULL;
}

static void detach_part(struct vdf_pci_part *part)
{
    struct vdf_obj *target = part->target;

    if (!target)
        return;
    if (part->ops->runs && part->pci->running)
        part->ops->runs(target, part->part, false);
    vdf_guest_bells_close(&part->bells);
    vdf_guest_detach(target, part->part);
    vdf_pci_intx_set(&part->pci->irqs, part->number, false);
    vdf_obj_unuse(target);
    vdf_obj_touched(target);
    *part = (struct vdf_pci_part){ 0 };
}

static int attach_part(struct vdf_pci *pci, unsigned number, struct vdf_obj *target, uint32_t which,
                       uint32_t vector, bool fresh, struct vdf_err *err)
{
    struct vdf_pci_part *part = &pci->parts[number];
    const struct vdf_guest guest = {
        .machine = pci,
        .space = pci->running ? pci->space : &pci->none,
        .irq = { .set_level = set_level, .message = send_message, .ctx = part },
        .vector = vector,
        .remote = true,
        .remap = remap,
        .ctx = part,
    };

    *part = (struct vdf_pci_part){
        .pci = pci,
        .number = number,
        .vector = vector,
        .target = target,
        .part = which,
        .ops = vdf_obj_class(target)->guest,
    };
    int ret = vdf_guest_attach(target, which, &guest, fresh, err);
    if (ret < 0) {
        part->target = NULL;
        return ret;
    }
    vdf_obj_use(target);
    ret = vdf_guest_bells_open(&part->bells, target, which, err);
    if (ret < 0) {
        detach_part(part);
        return ret;
    }
    remap(part);
    if (part->ops->runs && pci->running)
        part->ops->runs(target, which, true);
    vdf_obj_touched(target);
    return 0;
}

static int attach_bar(struct vdf_pci *pci, struct vdf_pci_bar *bar, bool fresh, struct vdf_err *err)
{
    struct vdf_obj *target;
    uint32_t part;

    if (!bar->device)
        return vdf_fail(err, EINVAL, "bars/%u has no device: write a path, or memory, to device",
                        bar->number);
    if (bar->own.size) {
        int ret = vdf_memory_touch(&bar->own);
        return ret < 0 ? vdf_fail(err, -ret, "no memory for bars/%u", bar->number) : 0;
    }
    int ret = vdf_guest_find(pci->priv.obj, bar->device, &target, &part, err);
    if (ret < 0)
        return ret;
    if (vdf_guest_size(target, part) > bar->size)
        return vdf_fail(err, EINVAL, "bars/%u: the window is larger than the register: write size",
                        bar->number);
    return attach_part(pci, bar->number, target, part, bar->vector, fresh, err);
}

static int attach_self(struct vdf_pci *pci, bool fresh, struct vdf_err *err)
{
    struct vdf_obj *target;
    uint32_t part;

    if (!pci->function)
        return 0;
    int ret = vdf_guest_find(pci->priv.obj, pci->function, &target, &part, err);
    if (ret < 0)
        return ret;
    if (pci->described.has_bar)
        part = pci->described.part;
    return attach_part(pci, VDF_PCI_SELF, target, part, 0, fresh, err);
}

static void detach_parts(struct vdf_pci *pci)
{
    for (unsigned k = VDF_PCI_PARTS; k-- > 0;)
        detach_part(&pci->parts[k]);
}

int vdf_pci_attach(struct vdf_pci *pci, bool fresh, struct vdf_err *err)
{
    int ret = vdf_pci_describe(pci, err);

    if (ret == 0)
        ret = vdf_pci_bars_check(pci, err);
    for (unsigned k = 0; ret == 0 && k < VDF_PCI_BARS; k++)
        if (pci->bars[k])
            ret = attach_bar(pci, pci->bars[k], fresh, err);
    if (ret == 0)
        ret = attach_self(pci, fresh, err);
    if (ret < 0) {
        detach_parts(pci);
        return ret;
    }
    pci->attached = true;
    return 0;
}

void vdf_pci_detach(struct vdf_pci *pci)
{
    if (!pci->attached)
        return;
    detach_parts(pci);
    pci->attached = false;
}

struct vdf_pci_part *vdf_pci_window(struct vdf_pci *pci, unsigned n)
{
    unsigned number = pci->described.has_bar && pci->described.bar == n ? VDF_PCI_SELF : n;

    return pci->parts[number].target ? &pci->parts[number] : NULL;
}
