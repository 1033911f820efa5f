/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guard.h"

#define NAME "vdf-unmount"

extern char **environ;

/* --- the mount table -------------------------------------------------------------------------- */

/* The mount table escapes white space and backslashes in octal: a space is \040. */
static bool same_path(const char *escaped, const char *path)
{
    for (; *escaped && *path; path++) {
        int c = (unsigned char)*escaped++;
        if (c == '\\') {
            char *end, digits[4] = { 0 };
            strncpy(digits, escaped, 3);
            c = (int)strtol(digits, &end, 8);
            escaped += end - digits;
        }
        if (c != (unsigned char)*path)
            return false;
    }
    return *escaped == *path;
}

/* "36 35 0:52 / /run/vdf rw,nosuid - fuse.virtdevfs virtdevfs rw,user_id=0" */
static bool parse_mount(char *line, const char *path, const char *type, dev_t *dev)
{
    char *rest = strstr(line, " - "), *fields = line;
    unsigned major, minor;

    if (!rest || sscanf(line, "%*u %*u %u:%u", &major, &minor) != 2)
        return false;
    rest += 3;
    for (unsigned k = 0; k < 4; k++)
        strsep(&fields, " ");
    if (!same_path(strsep(&fields, " "), path))
        return false;
    *dev = makedev(major, minor);
    return !type || strcmp(strsep(&rest, " "), type) == 0;
}

bool mount_find(const char *path, const char *type, dev_t *dev)
{
    FILE *mounts = fopen("/proc/self/mountinfo", "re");
    char *line = NULL;
    size_t cap = 0;
    dev_t number = 0;
    bool found = false;

    while (mounts && getline(&line, &cap, mounts) >= 0) {
        if (!parse_mount(line, path, type, &number))
            continue;
        found = true;
        if (dev)
            *dev = number;
    }
    free(line);
    if (mounts)
        fclose(mounts);
    return found;
}

/* --- the guard -------------------------------------------------------------------------------- */

static void unmount(const char *path)
{
    char *const argv[] = { "fusermount3", "-u", "-z", "-q", "--", (char *)path, NULL };
    pid_t pid;

    if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno == EPERM &&
        posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ) == 0)
        waitpid(pid, NULL, 0);
}

static void clear_up(const struct guard *last, const struct options *o)
{
    dev_t dev;

    if (last->mount && mount_find(o->mountpoint, NULL, &dev) && dev == last->mount) {
        unmount(o->mountpoint);
        complain("%s: the daemon was killed, the tree has been unmounted", o->mountpoint);
        if (last->command)
            kill(last->command, SIGTERM);
    }
    if (o->made_mountpoint)
        rmdir(o->mountpoint);
}

/* Closes all descriptors except the pipe and, in the foreground, standard error. */
static void let_go(int pipe, bool background)
{
    int null = open("/dev/null", O_RDWR);

    for (int fd = 0; null >= 0 && fd < (background ? 3 : 2); fd++)
        dup2(null, fd);
    dup2(pipe, 3);
    close_range(4, ~0u, 0);
}

/* Writes the name over the arguments, which lie next to each other in memory. */
static void take_name(int argc, char **argv)
{
    char *end = argv[0];

    for (int k = 0; k < argc; k++)
        if (argv[k] + strlen(argv[k]) > end)
            end = argv[k] + strlen(argv[k]);
    prctl(PR_SET_NAME, NAME);
    memset(argv[0], 0, (size_t)(end - argv[0]));
    snprintf(argv[0], (size_t)(end - argv[0]) + 1, NAME);
}

static void watch(int pipe, const struct options *o)
{
    struct guard last = { 0 }, next;

    setsid();
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    let_go(pipe, !o->foreground && !o->run);
    while (read(3, &next, sizeof(next)) == sizeof(next))
        last = next;
    clear_up(&last, o);
}

int guard_start(struct guard *guard, const struct options *o, int argc, char **argv)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return complain("pipe: %s", strerror(errno));
    pid_t pid = fork();
    if (pid < 0) {
        close(ends[0]);
        close(ends[1]);
        return complain("fork: %s", strerror(errno));
    }
    if (pid == 0) {
        take_name(argc, argv);
        close(ends[1]);
        watch(ends[0], o);
        _exit(EXIT_SUCCESS);
    }
    close(ends[0]);
    guard->pipe = ends[1];
    return 0;
}

void guard_update(const struct guard *guard)
{
    if (guard->pipe >= 0 && write(guard->pipe, guard, sizeof(*guard)) < 0)
        complain("the guard: %s", strerror(errno));
}
