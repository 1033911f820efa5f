/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Facts from /proc about the thread that a request comes from. The daemon has none about a thread in
 * another PID namespace.
 */
#ifndef VDF_FUSE_TASK_H
#define VDF_FUSE_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/** vdf_task_process() - the process of the thread @tid; @tid itself if unknown. */
pid_t vdf_task_process(pid_t tid);

/** vdf_task_interrupted() - has the thread @tid a pending signal that it does not block? False if
 *  unknown. */
bool vdf_task_interrupted(pid_t tid);

/**
 * vdf_task_holds() - does the process have a descriptor of a file with this path below the root of a
 * mount?
 * Return: 1, 0, or -1 if unknown.
 */
int vdf_task_holds(pid_t process, const char *path, size_t len);

#endif
