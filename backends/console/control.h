/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Control messages (section 5.3.6.2). */
#ifndef VDF_CONSOLE_CONTROL_H
#define VDF_CONSOLE_CONTROL_H

#include "console.h"

/** vdf_console_control_flush() - send the driver what it does not know yet, as buffers allow. */
void vdf_console_control_flush(struct vdf_console *con);
/** vdf_console_control_kick() - messages from the driver. */
void vdf_console_control_kick(struct vdf_console *con);
/** vdf_console_control_resume() - a driver that is there already goes on with a device that has
 *  forgotten it: tell it everything. */
void vdf_console_control_resume(struct vdf_console *con);
/** vdf_console_control_removed() - the driver has to hear that @id has gone. 0 or -ENOMEM. */
int vdf_console_control_removed(struct vdf_console *con, uint32_t id);

#endif
