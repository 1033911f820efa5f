/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rights of another user, for one thread. See virtdevfs/user.h. */
#include <errno.h>
#include <grp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <virtdevfs/user.h>

struct groups {
    gid_t *ids;
    size_t n;
};

static struct groups own; /* of the daemon, which never change */
static pthread_once_t own_once = PTHREAD_ONCE_INIT;

static _Thread_local const struct vdf_user *served;
static _Thread_local bool entered;

void vdf_user_serve(const struct vdf_user *user)
{
    served = user;
}

static void read_own(void)
{
    int n = getgroups(0, NULL);

    own.ids = n > 0 ? calloc((size_t)n, sizeof(gid_t)) : NULL;
    n = own.ids ? getgroups(n, own.ids) : 0;
    own.n = n > 0 ? (size_t)n : 0;
}

/* Changes only this thread's groups, unlike setgroups(3). */
static int set_groups(const struct groups *groups)
{
    return (int)syscall(SYS_setgroups, groups->n, groups->ids);
}

/* "Uid:" and "Gid:" are followed by the real, effective, saved and file system's number. */
static bool last_of_four_is(const char *numbers, unsigned wanted)
{
    unsigned id;

    return sscanf(numbers, "%*u %*u %*u %u", &id) == 1 && id == wanted;
}

static int parse_groups(const char *text, struct groups *groups)
{
    /* Each has a digit and a blank at least. */
    groups->ids = calloc(strlen(text) / 2 + 1, sizeof(gid_t));
    if (!groups->ids)
        return -ENOMEM;
    for (char *end;; text = end) {
        unsigned long id = strtoul(text, &end, 10);
        if (end == text)
            return 0;
        groups->ids[groups->n++] = (gid_t)id;
    }
}

/* The supplementary groups of the thread that asks. None when that thread is gone: its number may be
 * another thread's by now, which has another user or group. */
static int groups_of(const struct vdf_user *user, struct groups *groups)
{
    char path[40], *line = NULL;
    size_t cap = 0;
    unsigned same = 0;
    int ret = 0;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)user->tid);
    FILE *status = fopen(path, "re");
    while (status && ret == 0 && getline(&line, &cap, status) >= 0) {
        if (strncmp(line, "Uid:", 4) == 0)
            same += last_of_four_is(line + 4, user->uid);
        else if (strncmp(line, "Gid:", 4) == 0)
            same += last_of_four_is(line + 4, user->gid);
        else if (strncmp(line, "Groups:", 7) == 0 && same == 2)
            ret = parse_groups(line + 7, groups);
    }
    free(line);
    if (status)
        fclose(status);
    return ret;
}

static void become(uid_t uid, gid_t gid)
{
    setfsgid(gid);
    setfsuid(uid);
}

int vdf_user_enter(struct vdf_err *err)
{
    struct groups groups = { 0 };

    if (!served || served->uid == geteuid())
        return 0;
    pthread_once(&own_once, read_own);
    int ret = groups_of(served, &groups);
    if (ret < 0)
        return vdf_fail(err, ENOMEM, "no memory for the groups of user %u", served->uid);
    /* Only with user 0 does the change take the capabilities that open every file. */
    entered = geteuid() == 0 && set_groups(&groups) == 0;
    free(groups.ids);
    if (entered)
        become(served->uid, served->gid);
    /* These calls report no error; they return the number before, so a second call checks the first. */
    if (entered &&
        ((uid_t)setfsuid((uid_t)-1) != served->uid || (gid_t)setfsgid((gid_t)-1) != served->gid))
        vdf_user_leave();
    if (entered)
        return 0;
    return vdf_fail(err, EACCES,
                    "the daemon runs as user %u and cannot open files as user %u: a daemon of the "
                    "superuser can",
                    geteuid(), served->uid);
}

void vdf_user_leave(void)
{
    if (!entered)
        return;
    entered = false;
    become(geteuid(), getegid());
    /* The thread may go on with fewer rights, and never with those of another user. */
    if (set_groups(&own) < 0)
        abort();
}
