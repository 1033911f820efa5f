/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guard: a process beside the daemon that clears up when the daemon is killed. It unmounts,
 * ends the command of --run, and removes the directory that was made for it. It has a name of its
 * own, so that what kills all processes called virtdevfs leaves it alone.
 */
#ifndef VDF_GUARD_H
#define VDF_GUARD_H

#include "options.h"

/** mount_find() - the file system that is mounted on @path and on top there.
 *  @type: of it, NULL: any; @dev: its number, may be NULL. */
bool mount_find(const char *path, const char *type, dev_t *dev);

/* Ends with the daemon, and lives in it as the writing end of a pipe. */
struct guard {
    int pipe; /* -1: there is no guard */
    dev_t mount;
    pid_t command;
};

/** guard_start() - before there are threads. @argv: the program's, which the guard writes its name
 *  over. Return: 0 or -1, complained of. */
int guard_start(struct guard *guard, const struct options *o, int argc, char **argv);
/** guard_tell() - hand over what has changed in @guard. */
void guard_tell(const struct guard *guard);

#endif
