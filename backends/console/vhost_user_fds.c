/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The descriptors that a vhost-user front end sends. See vhost_user_server.h. */
#include <unistd.h>

#include "vhost_user_server.h"

static void close_aside(struct vdf_vhost_user *vu, const int *fds, unsigned n)
{
    if (vdf_foreign_close(fds, n, vu->closed))
        vu->closing++;
}

void vdf_vhost_user_close_all(struct vdf_vhost_user *vu)
{
    close_aside(vu, vu->fds, vu->n_fds);
    vu->n_fds = 0;
    vu->lost_fds = false;
}

void vdf_vhost_user_close(struct vdf_vhost_user *vu, int fd)
{
    close_aside(vu, &fd, 1);
}

int vdf_vhost_user_take_fd(struct vdf_vhost_user *vu)
{
    int fd = vu->fds[0];

    vu->n_fds = 0;
    return fd;
}

/* Whether descriptors are still being closed. */
bool vdf_vhost_user_closing(struct vdf_vhost_user *vu)
{
    uint64_t closed;

    if (vu->closing && read(vu->closed, &closed, sizeof(closed)) == (ssize_t)sizeof(closed))
        vu->closing -= (unsigned)closed;
    return vu->closing;
}
