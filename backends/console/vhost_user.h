/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A console whose driver is in another process. See vhost_user_server.h. */
#ifndef VDF_CONSOLE_VHOST_USER_H
#define VDF_CONSOLE_VHOST_USER_H

#include "console.h"

/* These may be called whether or not the device is served. */

/** vdf_vhost_user_start() - serve on a socket, instead of the one before. */
int vdf_vhost_user_start(struct vdf_console *con, const char *path, struct vdf_err *err);
/** vdf_vhost_user_again() - serve on con->vhost_path, where this is not done any more. */
int vdf_vhost_user_again(struct vdf_console *con, struct vdf_err *err);
/** vdf_vhost_user_stop() - close the connection and remove the socket at con->vhost_path. */
void vdf_vhost_user_stop(struct vdf_console *con);
/** vdf_vhost_user_possible() - can this device be served at @path; looks at no file. */
int vdf_vhost_user_possible(const struct vdf_console *con, const char *path, struct vdf_err *err);
/** vdf_vhost_user_servable() - could a socket be made at @path now; one that this process serves
 *  itself is not in the way. */
int vdf_vhost_user_servable(const char *path, struct vdf_err *err);
/** vdf_vhost_user_ports_check() - how many ports a front end can reach. 0 or -EINVAL. */
int vdf_vhost_user_ports_check(uint32_t max_ports, struct vdf_err *err);
bool vdf_vhost_user_connected(const struct vdf_console *con);

#endif
