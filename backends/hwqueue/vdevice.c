/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Virtual devices: `vdevices/VSID` ties the guest's stream id to that of the machine, `psid`, as
 * IOMMU_VDEVICE_ALLOC does. On a Tegra241 each occupies a pair of the VINTF's SID_MATCH and
 * SID_REPLACE registers.
 */
#include <errno.h>
#include <inttypes.h>

#include "hwqueue.h"

struct vdf_vdevice *vdf_vdevice_find(struct vdf_hwqueue *dev, uint32_t vsid)
{
    for (unsigned k = 0; k < VDF_VDEVICES; k++)
        if (dev->vdevices[k] && dev->vdevices[k]->vsid == vsid)
            return dev->vdevices[k];
    return NULL;
}

bool vdf_vdevice_answers(struct vdf_hwqueue *dev, uint32_t psid)
{
    for (unsigned k = 0; k < VDF_VDEVICES; k++)
        if (dev->vdevices[k] && dev->vdevices[k]->psid == psid && dev->vdevices[k]->atc_timeout)
            return false;
    return true;
}

static int create(struct vdf_obj *obj, struct vdf_err *err)
{
    struct vdf_vdevice *vdevice = vdf_obj_priv(obj);
    struct vdf_hwqueue *dev = vdf_obj_priv(vdf_obj_parent(obj));
    const char *name = vdf_obj_name(obj);
    const char *rest = name;
    uint64_t vsid;

    int ret = vdf_hwqueue_number(&rest, dev->kind->vsid, dev->kind->vsid_max, &vsid, err);
    if (ret < 0)
        return ret;
    if (vdf_vdevice_find(dev, (uint32_t)vsid))
        return vdf_fail(err, EEXIST, "%s: there is a virtual device of %u already", name,
                        (unsigned)vsid);

    unsigned slot = 0;
    while (slot < VDF_VDEVICES && dev->vdevices[slot])
        slot++;
    if (slot == VDF_VDEVICES)
        return vdf_fail(err, ENOSPC, "%s: all %u stream id registers are in use", name,
                        VDF_VDEVICES);
    vdevice->dev = dev;
    vdevice->vsid = (uint32_t)vsid;
    vdevice->psid = (uint32_t)vsid;
    vdevice->slot = (uint8_t)slot;
    const struct vdf_hwqueue_ops *ops = vdf_hwqueue_ops(dev);
    ret = ops->add_vdevice ? ops->add_vdevice(vdevice, err) : 0;
    if (ret < 0)
        return ret;
    dev->vdevices[slot] = vdevice;
    return 0;
}

static int removed(struct vdf_obj *obj, struct vdf_err *err)
{
    struct vdf_vdevice *vdevice = vdf_obj_priv(obj);
    const struct vdf_hwqueue_ops *ops = vdf_hwqueue_ops(vdevice->dev);

    return ops->drop_vdevice ? ops->drop_vdevice(vdevice, err) : 0;
}

static void destroy(struct vdf_obj *obj)
{
    struct vdf_vdevice *vdevice = vdf_obj_priv(obj);

    if (vdevice->dev->vdevices[vdevice->slot] == vdevice)
        vdevice->dev->vdevices[vdevice->slot] = NULL;
}

/* The saved slots are a permutation of the slots that the objects received when they were made. */
static int restore_slot(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_vdevice *vdevice = at->priv;
    struct vdf_hwqueue *dev = vdevice->dev;

    if (value >= VDF_VDEVICES)
        return vdf_fail(err, EINVAL, "%" PRIu64 ": slots are 0 to %u", value, VDF_VDEVICES - 1);
    struct vdf_vdevice *other = dev->vdevices[value];
    if (other && other != vdevice && other->slot_restored)
        return vdf_fail(err, EINVAL, "%" PRIu64 ": stream %u has this slot already", value,
                        other->vsid);
    vdevice->slot_restored = true;
    dev->vdevices[vdevice->slot] = other;
    if (other)
        other->slot = vdevice->slot;
    dev->vdevices[value] = vdevice;
    vdevice->slot = (uint8_t)value;
    return 0;
}

/* A selftest's device has its number there, which can be any of 32 bits. */
static int restore_psid(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_vdevice *vdevice = at->priv;

    if (value > vdevice->dev->kind->vsid_max)
        return vdf_fail(err, EINVAL, "%" PRIu64 ": stream ids are 0 to %" PRIu32, value,
                        vdevice->dev->kind->vsid_max);
    return vdf_restore_unchecked(at, value, err);
}

static const struct vdf_attr attrs[] = {
    { VDF_ROW("psid", VDF_UINT, VDF_RW | VDF_SAVE,
              "stream id of the machine that replaces the guest's; the same number unless written"),
      VDF_FIELD(struct vdf_vdevice, psid), .max = VDF_SID_MAX, .restore = restore_psid },
    { VDF_ROW("slot", VDF_UINT, VDF_R | VDF_SAVE,
              "number of its SID_MATCH and SID_REPLACE registers"),
      VDF_FIELD(struct vdf_vdevice, slot), .restore = restore_slot },
    { VDF_ROW("atc_timeout", VDF_BOOL, VDF_RW | VDF_SAVE,
              "1: the device does not answer ATC invalidations: the next CMD_SYNC ends in "
              "ATC_INV_SYNC; amd: IOTLB_INV_TIMEOUT is logged"),
      VDF_FIELD(struct vdf_vdevice, atc_timeout) },
};

const struct vdf_class vdf_vdevice_class = {
    VDF_CLASS("vdevice", "virtual device of a vIOMMU", struct vdf_vdevice, attrs),
    .create = create,
    .destroy = destroy,
    .remove = removed,
};
