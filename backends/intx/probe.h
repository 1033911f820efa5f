/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VDF_INTX_PROBE_H
#define VDF_INTX_PROBE_H

#include <virtdevfs/probe.h>

extern const struct vdf_probe_part vdf_vfio_probe;

#endif
