/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Life of an APLIC: a new device is as KVM_CREATE_DEVICE makes it. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "config.h"
#include "guest.h"
#include "idc.h"
#include "kvm.h"
#include "kvm_rows.h"
#include "probe.h"
#include "rows.h"
#include "source.h"

/* The device of a plain mount. QEMU's "virt" machine has these addresses. */
#define DEFAULT_HARTS 2u
#define DEFAULT_SOURCES 96u
#define DEFAULT_HART_BITS 1u
#define DEFAULT_APLIC_ADDRESS UINT64_C(0x0d000000)
#define DEFAULT_IMSIC_ADDRESS UINT64_C(0x28000000)

static int create(struct vdf_obj *obj, struct vdf_err *err)
{
    return vdf_aplic_set_harts(vdf_obj_priv(obj), 1, err);
}

static void destroy(struct vdf_obj *obj)
{
    struct vdf_aplic *aplic = vdf_obj_priv(obj);

    vdf_kvm_free(aplic->kvm);
    free(aplic->harts);
    free(aplic->by_index);
}

/* States of earlier versions have reserved modes, and level-sensitive sources that stay pending
 * without their input. */
static void settle_older(struct vdf_aplic *aplic)
{
    for (uint32_t n = 1; n <= aplic->n_sources; n++) {
        if (!vdf_aplic_is_mode(aplic->sources[n].sourcecfg))
            vdf_aplic_write_sourcecfg(aplic, n, VDF_SM_INACTIVE);
        else if (vdf_aplic_copies_input(aplic, n))
            vdf_aplic_settle(aplic, n);
    }
}

static int restored(struct vdf_obj *obj, struct vdf_err *err)
{
    struct vdf_aplic *aplic = vdf_obj_priv(obj);

    if (aplic->priv.backend)
        return vdf_aplic_kvm_restored(aplic, err);
    if (!vdf_aplic_direct(aplic))
        return 0;
    settle_older(aplic);
    /* AIA 4.5.2; with MSI delivery an inactive source may well have them, as in KVM. */
    for (uint32_t n = 1; n <= aplic->n_sources; n++)
        if (aplic->sources[n].sourcecfg == VDF_SM_INACTIVE &&
            (vdf_aplic_bit(aplic->pending, n) || vdf_aplic_bit(aplic->enabled, n)))
            return vdf_fail(err, EINVAL,
                            "source %" PRIu32 " is inactive; it can be neither pending nor enabled",
                            n);
    return 0;
}

/* The sink stays connected, and its line follows the restored state. */
static void adopt(struct vdf_obj *obj, void *old, void *now)
{
    const struct vdf_aplic *before = old;
    struct vdf_aplic *aplic = now;

    aplic->irq = before->irq;
    aplic->line = before->line;
    vdf_aplic_update_line(aplic);
}

static int prepare(struct vdf_obj *obj, struct vdf_err *err)
{
    struct vdf_aplic *aplic = vdf_obj_priv(obj);
    int ret = vdf_aplic_set_harts(aplic, DEFAULT_HARTS, err);

    if (ret < 0)
        return ret;
    aplic->n_sources = DEFAULT_SOURCES;
    aplic->hart_bits = DEFAULT_HART_BITS;
    aplic->address = DEFAULT_APLIC_ADDRESS;
    for (uint32_t h = 0; h < DEFAULT_HARTS; h++)
        aplic->harts[h].address = DEFAULT_IMSIC_ADDRESS + h * VDF_IMSIC_PAGE_SIZE;
    return vdf_aplic_init(aplic, err);
}

static const struct vdf_class aplic_class = {
    VDF_CLASS("aplic", "RISC-V APLIC and IMSIC", struct vdf_aplic, vdf_aplic_rows),
    .create = create,
    .destroy = destroy,
    .restored = restored,
    .adopt = adopt,
    .guest = &vdf_aplic_guest_ops,
};

const struct vdf_component vdf_aplic_component = {
    .cls = &aplic_class,
    .default_name = "aplic0",
    .probe = &vdf_aplic_probe,
    .prepare = prepare,
};
