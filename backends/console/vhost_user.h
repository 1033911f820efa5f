/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A console whose driver is in another process. See vhost_user_server.h. */
#ifndef VDF_CONSOLE_VHOST_USER_H
#define VDF_CONSOLE_VHOST_USER_H

#include "console.h"

/* These may be called whether or not the device is served. */

/** vdf_vhost_user_start() - serve on a socket instead of the present one. */
int vdf_vhost_user_start(struct vdf_console *con, const char *path, struct vdf_err *err);
/** vdf_vhost_user_again() - serve on con->vhost_path again, if its socket is gone. */
int vdf_vhost_user_again(struct vdf_console *con, struct vdf_err *err);
/** vdf_vhost_user_stop() - close the connection and remove the socket at con->vhost_path. */
void vdf_vhost_user_stop(struct vdf_console *con);
/** vdf_vhost_user_possible() - whether this device can be served at @path. It looks at no file. */
int vdf_vhost_user_possible(const struct vdf_console *con, const char *path, struct vdf_err *err);
/** vdf_vhost_user_ports_check() - whether a front end can reach so many ports. 0 or -EINVAL. */
int vdf_vhost_user_ports_check(uint32_t max_ports, struct vdf_err *err);
bool vdf_vhost_user_connected(const struct vdf_console *con);

#endif
