/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What /proc tells of the thread that a request comes from. One that the daemon cannot see, as in
 * another namespace of processes, is told nothing of.
 */
#ifndef VDF_FUSE_TASK_H
#define VDF_FUSE_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/** vdf_task_process() - the process of the thread @tid; @tid itself where that is not known. */
pid_t vdf_task_process(pid_t tid);

/** vdf_task_interrupted() - is there a signal for the thread @tid that it has not blocked? False
 *  where that is not known. */
bool vdf_task_interrupted(pid_t tid);

/**
 * vdf_task_holds() - does the process still have a descriptor of a file with this path, which is
 * told from the root of a mount?
 * Return: 1, 0, or -1 where that is not known.
 */
int vdf_task_holds(pid_t process, const char *path, size_t len);

#endif
