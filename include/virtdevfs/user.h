/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rights of the user whose request a thread carries out. A daemon of the superuser serves other
 * users too (allow_other), and a file that such a user names is opened with the user's rights:
 *
 *     ret = vdf_user_enter(err);
 *     if (ret < 0)
 *         return ret;
 *     fd = open(path, O_RDWR | O_CLOEXEC);
 *     vdf_user_leave();
 */
#ifndef VIRTDEVFS_USER_H
#define VIRTDEVFS_USER_H

#include <sys/types.h>
#include <virtdevfs/error.h>

struct vdf_user {
    uid_t uid;
    gid_t gid;
    pid_t tid; /* the requesting thread, whose supplementary groups count; 0: none */
};

/** vdf_user_serve() - from now on this thread works for @user; NULL: for the daemon itself. */
void vdf_user_serve(const struct vdf_user *user);

/**
 * vdf_user_enter() - give this thread, and no other, the user's rights over files.
 *
 * Does not nest. Return: 0, and then vdf_user_leave() has to follow; EACCES: this daemon cannot
 * have them.
 */
int vdf_user_enter(struct vdf_err *err);
void vdf_user_leave(void);

#endif
