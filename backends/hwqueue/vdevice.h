/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Virtual devices: stream ids of the guest and of the machine. */
#ifndef VDF_HWQUEUE_VDEVICE_H
#define VDF_HWQUEUE_VDEVICE_H

#include <virtdevfs/component.h>

struct vdf_hwqueue;

#define VDF_VDEVICES 16u           /* 1 << PARAM.NUM_SID_PER_VM_LOG2 */
#define VDF_VIRT_ID_MAX UINT32_MAX /* selftest: no stream id, but any number */
#define VDF_SID_MAX 0xfffffu       /* SID_MATCH and SID_REPLACE have 20 bits */

struct vdf_vdevice {
    struct vdf_priv priv;
    struct vdf_hwqueue *dev;
    uint32_t vsid;
    uint32_t psid;
    uint8_t slot;        /* its SID_MATCH and SID_REPLACE registers */
    bool slot_restored;  /* by a state, which gives each slot once */
    uint8_t atc_timeout; /* the device does not answer ATC invalidations */
};

extern const struct vdf_class vdf_vdevice_class;
/** vdf_vdevice_find() - by the guest's stream id; NULL: none. */
struct vdf_vdevice *vdf_vdevice_find(struct vdf_hwqueue *dev, uint32_t vsid);
/** vdf_vdevice_answers() - does the device with this id of the machine answer ATC invalidations? */
bool vdf_vdevice_answers(struct vdf_hwqueue *dev, uint32_t psid);

#endif
