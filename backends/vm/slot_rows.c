/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rows of a slot, and its life. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <virtdevfs/text.h>

#include "irq.h"
#include "slot.h"
#include "vm.h"

#define VECTOR_RESET 32u /* the lower vectors of x86 are exceptions */

static int check_detached(const struct vdf_slot *slot, struct vdf_err *err)
{
    if (slot->attached)
        return vdf_fail(err, EBUSY, "the slot is attached: write 0 to attached first");
    return 0;
}

static int check_same(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    return value == vdf_row_load_field(at) ? 0 : check_detached(at->priv, err);
}

/* A value out of range is EINVAL at any time. */
static int check_vector(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    return value <= at->attr->max ? check_same(at, value, err) : 0;
}

static void show_device(const struct vdf_at *at, struct vdf_buf *out)
{
    const struct vdf_slot *slot = at->priv;

    if (slot->device)
        vdf_buf_printf(out, "%s", slot->device);
}

static int keep_device(struct vdf_slot *slot, const char *text, size_t len, struct vdf_err *err)
{
    int ret = vdf_guest_keep_path(&slot->device, text, len, err);

    if (ret == 0)
        slot->size = 0;
    return ret;
}

static int store_device(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err)
{
    struct vdf_slot *slot = at->priv;
    struct vdf_obj *target;
    uint32_t part;

    if (slot->device && strcmp(slot->device, text) == 0)
        return 0;
    int ret = check_detached(slot, err);
    if (ret == 0 && len)
        ret = vdf_guest_find(slot->priv.obj, text, &target, &part, err);
    if (ret == 0)
        ret = keep_device(slot, text, len, err);
    if (ret == 0 && len)
        slot->size = vdf_guest_size(target, part);
    return ret;
}

/* The path is checked in restored(), when all devices of the state exist. */
static int restore_device(const struct vdf_at *at, const char *text, size_t len,
                          struct vdf_err *err)
{
    return keep_device(at->priv, text, len, err);
}

static void show_irq(const struct vdf_at *at, struct vdf_buf *out)
{
    const struct vdf_slot *slot = at->priv;

    if (slot->irq == VDF_SLOT_MSI)
        vdf_buf_printf(out, "msi");
    else if (slot->irq == VDF_SLOT_GSI)
        vdf_buf_printf(out, "%u", slot->gsi);
}

static int store_irq(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err)
{
    struct vdf_slot *slot = at->priv;
    uint8_t irq = len ? VDF_SLOT_MSI : VDF_SLOT_NO_IRQ;
    uint64_t gsi = 0;

    if (len && strcmp(text, "msi") != 0) {
        if (vdf_number_parse(text, len, &gsi) < 0 || gsi >= VDF_VM_PINS)
            return vdf_fail(err, EINVAL, "\"%.40s\": a GSI, 0 to %u, or msi, or nothing", text,
                            VDF_VM_PINS - 1);
        irq = VDF_SLOT_GSI;
    }
    int ret = irq == slot->irq && gsi == slot->gsi ? 0 : check_detached(slot, err);
    if (ret == 0) {
        slot->irq = irq;
        slot->gsi = (uint32_t)gsi;
    }
    return ret;
}

static int set_attached(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_slot *slot = at->priv;
    int ret = 0;

    if (value == slot->attached)
        return 0;
    vdf_vm_park(slot->vm);
    if (value)
        ret = vdf_slot_connect(slot, err);
    else
        vdf_slot_disconnect(slot);
    vdf_vm_unpark(slot->vm);
    return ret;
}

static int get_refused(const struct vdf_at *at, uint64_t *value)
{
    *value = atomic_load(&((struct vdf_slot *)at->priv)->refused);
    return 0;
}

static void show_early(const struct vdf_at *at, struct vdf_buf *out)
{
    const struct vdf_slot *slot = at->priv;
    const char *separator = "";

    for (uint32_t n = 0; n < VDF_VM_CPUS * VDF_VM_VECTORS; n++) {
        if (!(slot->early[n / VDF_VM_VECTORS][n % VDF_VM_VECTORS / 64] >> n % 64 & 1))
            continue;
        vdf_buf_printf(out, "%s%u:%u", separator, n / VDF_VM_VECTORS, n % VDF_VM_VECTORS);
        separator = " ";
    }
}

static int restore_early(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err)
{
    struct vdf_slot *slot = at->priv;

    while (*text) {
        const char *colon = strchrnul(text, ':'), *end = strchrnul(colon, ' ');
        uint64_t cpu, vector;

        if (!*colon || vdf_number_parse(text, (size_t)(colon - text), &cpu) < 0 ||
            vdf_number_parse(colon + 1, (size_t)(end - colon - 1), &vector) < 0 ||
            cpu >= VDF_VM_CPUS || vector >= VDF_VM_VECTORS)
            return vdf_fail(err, EINVAL, "\"%.40s\": a list of VCPU:VECTOR, 0 to %u and 0 to %u",
                            text, VDF_VM_CPUS - 1, VDF_VM_VECTORS - 1);
        slot->early[cpu][vector / 64] |= UINT64_C(1) << vector % 64;
        text = end + (*end == ' ');
    }
    return 0;
}

#define SLOT(member) VDF_FIELD(struct vdf_slot, member)

static const struct vdf_attr rows[] = {
    { VDF_ROW(
          "device", VDF_TEXT, VDF_RW | VDF_SAVE | VDF_EXCLUSIVE,
          "path of the device, from the root: console/C, aplic/A, aplic/A/imsic/H, "
          "hwqueue/Q, hwqueue/Q/queues/N, gait/G/functions/F or intx/B/devices/D; device, addr, "
          "irq and vector are EBUSY while attached"),
      .show = show_device, .store = store_device, .restore_text = restore_device },
    { VDF_ROW(
          "addr", VDF_REG, VDF_RW | VDF_SAVE,
          "guest address of the window, outside of the memory; pages of queues at a multiple of "
          "4096"),
      SLOT(addr), .check = check_same },
    { VDF_ROW(
          "irq", VDF_TEXT, VDF_RW | VDF_SAVE,
          "destination of interrupts: a GSI, 0 to 23, of the I/O APIC and the PICs; msi; empty: "
          "none. A line that is still high at the end of its interrupt is raised again; a "
          "message for a GSI is an edge. With msi a line that rises is vector of vCPU 0; a "
          "message goes to the vCPU that bits 19:12 of its address name. EINVAL at attached: "
          "msi for a device of intx/, which waits for the ends of its interrupts"),
      .show = show_irq, .store = store_irq },
    { VDF_ROW("vector", VDF_UINT, VDF_RW | VDF_SAVE,
              "with msi: vector of a line; also added to the identity of an APLIC's MSI and to the "
              "ISC of an alert; other messages have their own"),
      SLOT(vector), .reset = VECTOR_RESET, .max = VDF_VM_VECTORS - 1, .check = check_vector },
    { VDF_ROW("attached", VDF_BOOL, VDF_RW | VDF_SAVE | VDF_EXCLUSIVE,
              "1 plugs the device in, which may be done while the guest runs: EINVAL or EEXIST for "
              "an address that is taken, EBUSY for a device that has a guest, ENODEV for one that "
              "is not there; 0 pulls it out"),
      SLOT(attached), .set = set_attached },
    { VDF_ROW("early", VDF_TEXT, VDF_NO_FILE | VDF_SAVE,
              "vectors that arrived before the first run"),
      .show = show_early, .restore_text = restore_early },
    { VDF_ROW("size", VDF_UINT, VDF_R, "bytes of the window; 0: there is none"), SLOT(size) },
    { VDF_ROW("refused", VDF_UINT, VDF_R | VDF_SAVE,
              "accesses of the guest that the device refused: loads gave 0, stores were dropped"),
      SLOT(refused), .get = get_refused },
};

/* --- life ------------------------------------------------------------------------------------- */

static int create(struct vdf_obj *obj, struct vdf_err *err)
{
    struct vdf_slot *slot = vdf_obj_priv(obj);

    if (vdf_number_name(vdf_obj_name(obj), VDF_VM_SLOTS - 1, &slot->number) < 0)
        return vdf_fail(err, EINVAL, "\"%.40s\": slots are 0 to %u", vdf_obj_name(obj),
                        VDF_VM_SLOTS - 1);
    slot->vm = vdf_obj_priv(vdf_obj_parent(obj));
    slot->line_fd = slot->pulse_fd = slot->resample_fd = slot->eoi_fd = slot->end_fd = -1;
    return 0;
}

static void destroy(struct vdf_obj *obj)
{
    struct vdf_slot *slot = vdf_obj_priv(obj);

    assert(!slot->target);
    free(slot->device);
}

/* The machine is stopped before its slots are. */
static int removed(struct vdf_obj *obj, struct vdf_err *err)
{
    struct vdf_slot *slot = vdf_obj_priv(obj);

    if (slot->attached) {
        vdf_vm_park(slot->vm);
        vdf_slot_disconnect(slot);
        vdf_vm_unpark(slot->vm);
    }
    return 0;
}

static int restored(struct vdf_obj *obj, struct vdf_err *err)
{
    struct vdf_slot *slot = vdf_obj_priv(obj);
    struct vdf_obj *target;
    uint32_t part;

    if (slot->attached && !slot->device)
        return vdf_fail(err, EINVAL, "attached is 1 and device is empty");
    return slot->attached ? vdf_guest_find(slot->priv.obj, slot->device, &target, &part, err) : 0;
}

const struct vdf_class vdf_slot_class = {
    VDF_CLASS("slot", "slot of a VM", struct vdf_slot, rows),
    .create = create,
    .destroy = destroy,
    .remove = removed,
    .restored = restored,
    .exclusive = true,
};
