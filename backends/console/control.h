/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Control messages (section 5.3.6.2). */
#ifndef VDF_CONSOLE_CONTROL_H
#define VDF_CONSOLE_CONTROL_H

#include "console.h"

/** vdf_console_control_flush() - send the messages that are due, as far as there are buffers. */
void vdf_console_control_flush(struct vdf_console *con);
/** vdf_console_control_kick() - receive the messages of the driver. */
void vdf_console_control_kick(struct vdf_console *con);
/** vdf_console_control_resume() - a running driver goes on with a device that knows nothing of it:
 *  send it everything. */
void vdf_console_control_resume(struct vdf_console *con);
/** vdf_console_control_removed() - note a PORT_REMOVE that is to be sent. 0 or -ENOMEM. */
int vdf_console_control_removed(struct vdf_console *con, uint32_t id);

#endif
