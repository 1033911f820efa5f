/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The report of `--probe` on the AIA device of the host. */
#ifndef VDF_APLIC_PROBE_H
#define VDF_APLIC_PROBE_H

#include <virtdevfs/probe.h>

extern const struct vdf_probe_part vdf_aplic_probe;

#endif
