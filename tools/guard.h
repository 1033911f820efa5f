/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guard: a second process that cleans up when the daemon is killed. It unmounts the tree, ends
 * the command of --run, and removes the temporary mount point. Its process name differs from the
 * daemon's, so that `killall virtdevfs` does not end it.
 */
#ifndef VDF_GUARD_H
#define VDF_GUARD_H

#include "options.h"

/** mount_find() - find the topmost file system that is mounted on @path.
 *  @type: its type, NULL: any; @dev: result: its device number, may be NULL. */
bool mount_find(const char *path, const char *type, dev_t *dev);

/* The daemon's end of the guard: the guard reads these structures from the pipe, and cleans up when
 * the pipe closes. */
struct guard {
    int pipe; /* -1: there is no guard */
    dev_t mount;
    pid_t command;
};

/** guard_start() - start the guard, before threads exist. @argv: the program's arguments, which the
 *  guard overwrites with its name. Return: 0, or -1 after a message. */
int guard_start(struct guard *guard, const struct options *o, int argc, char **argv);
/** guard_update() - send @guard to the guard. */
void guard_update(const struct guard *guard);

#endif
