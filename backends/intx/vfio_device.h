/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The life of a device of the host behind the files. */
#ifndef VDF_INTX_VFIO_DEVICE_H
#define VDF_INTX_VFIO_DEVICE_H

#include <virtdevfs/component.h>

struct vdf_intx_dev;

/** vdf_intx_vfio_begin() - take the device `host` into use, with `guest_mask` as it is. */
int vdf_intx_vfio_begin(struct vdf_intx_dev *dev, struct vdf_err *err);
/** vdf_intx_vfio_end() - release it. */
void vdf_intx_vfio_end(struct vdf_intx_dev *dev);
/** vdf_intx_vfio_apply() - after a restore: set the kernel's device as the fields say, and report
 *  failures. */
void vdf_intx_vfio_apply(struct vdf_intx_dev *dev);
/** vdf_intx_vfio_has_bar() - are there files for this BAR? */
bool vdf_intx_vfio_has_bar(const struct vdf_intx_dev *dev, uint32_t bar);
extern const struct vdf_raw_ops vdf_intx_vfio_bar_ops;

#endif
