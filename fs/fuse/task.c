/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "task.h"

/* Values of /proc/TID/status by their names. False if one is missing. */
static bool read_status(pid_t tid, const char *const *names, int base, uint64_t *values, unsigned n)
{
    char path[40], line[256];
    unsigned found = 0;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
    FILE *status = fopen(path, "re");
    if (!status)
        return false;
    while (found < n && fgets(line, sizeof(line), status)) {
        for (unsigned k = 0; k < n; k++) {
            size_t len = strlen(names[k]);
            if (strncmp(line, names[k], len) != 0 || line[len] != ':')
                continue;
            values[k] = strtoull(line + len + 1, NULL, base);
            found++;
        }
    }
    fclose(status);
    return found == n;
}

pid_t vdf_task_process(pid_t tid)
{
    static const char *const names[] = { "Tgid" };
    uint64_t process;

    return read_status(tid, names, 10, &process, 1) ? (pid_t)process : tid;
}

bool vdf_task_interrupted(pid_t tid)
{
    /* Masks: of the thread, of its process, of what it has blocked. */
    static const char *const names[] = { "SigPnd", "ShdPnd", "SigBlk" };
    uint64_t masks[3];

    return read_status(tid, names, 16, masks, 3) && (masks[0] | masks[1]) & ~masks[2];
}

int vdf_task_holds(pid_t process, const char *path, size_t len)
{
    char name[40], target[PATH_MAX];
    const struct dirent *entry;
    int held = 0;

    snprintf(name, sizeof(name), "/proc/%d/fd", (int)process);
    DIR *dir = opendir(name);
    if (!dir)
        return errno == ENOENT ? 0 : -1;
    errno = 0;
    while (held == 0 && (entry = readdir(dir))) {
        ssize_t n = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target));
        if (n > (ssize_t)len && memcmp(target + n - len, path, len) == 0 &&
            target[n - (ssize_t)len - 1] == '/')
            held = 1;
        errno = 0;
    }
    closedir(dir);
    return held;
}
