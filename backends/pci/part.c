/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A device that is attached to a PCI function, as a slot of a machine has one. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "pci.h"

#define DOORBELLS 128u /* of a part */

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

/* --- doorbells -------------------------------------------------------------------------------- */

static bool ring(struct vdf_obj *obj, void *ctx, uint64_t value)
{
    const struct vdf_pci_doorbell *doorbell = ctx;
    const struct vdf_pci_part *part = doorbell->part;

    part->ops->ring(obj, part->part, (unsigned)(doorbell - part->doorbells));
    return true;
}

static void close_doorbells(struct vdf_pci_part *part)
{
    for (unsigned k = 0; k < part->n_doorbells; k++) {
        vdf_async_free(part->doorbells[k].bell);
        close(part->doorbells[k].fd);
    }
    free(part->doorbells);
    part->doorbells = NULL;
    part->n_doorbells = 0;
}

static int open_doorbells(struct vdf_pci_part *part, struct vdf_err *err)
{
    struct vdf_guest_doorbell list[DOORBELLS];
    unsigned n =
        part->ops->doorbells ? part->ops->doorbells(part->target, part->part, list, DOORBELLS) : 0;

    part->doorbells = n ? calloc(n, sizeof(*part->doorbells)) : NULL;
    if (n && !part->doorbells)
        return vdf_fail(err, ENOMEM, "no memory for %u doorbells", n);
    for (unsigned k = 0; k < n; k++) {
        struct vdf_pci_doorbell *doorbell = &part->doorbells[k];

        *doorbell = (struct vdf_pci_doorbell){ .part = part, .doorbell = list[k] };
        doorbell->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (doorbell->fd < 0)
            return vdf_fail(err, errno, "a doorbell cannot be made: %s", strerror(errno));
        part->n_doorbells++;
        doorbell->bell = vdf_async_eventfd(part->target, ring, doorbell, doorbell->fd);
        if (!doorbell->bell)
            return vdf_fail(err, errno, "a doorbell cannot be watched: %s", strerror(errno));
    }
    return 0;
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
    close_doorbells(part);
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
    ret = open_doorbells(part, err);
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
