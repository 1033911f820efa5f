/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A console that a guest of a machine drives. */
#ifndef VDF_CONSOLE_GUEST_H
#define VDF_CONSOLE_GUEST_H

#include <virtdevfs/guest.h>

extern const struct vdf_guest_ops vdf_console_guest_ops;

#endif
