/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The place of a socket. See virtdevfs/socket.h. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <virtdevfs/lock.h>
#include <virtdevfs/socket.h>
#include <virtdevfs/user.h>

/* A killed process needs about this time to disappear. */
#define BUSY_NS 100000000
#define BUSY_LOOKS 20

#define LINKS_MAX 40u /* symbolic links in a path, as the kernel */

int vdf_listener_path_check(const char *path, struct vdf_err *err)
{
    size_t len = strlen(path);

    if (path[0] != '/' || path[len - 1] == '/')
        return vdf_fail(err, EINVAL, "\"%.60s\": an absolute path of a socket is needed", path);
    if (len >= sizeof(((struct sockaddr_un *)0)->sun_path))
        return vdf_fail(err, ENAMETOOLONG, "%zu bytes: the path of a socket has at most %zu", len,
                        sizeof(((struct sockaddr_un *)0)->sun_path) - 1);
    for (const char *p = path; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            return vdf_fail(err, EINVAL, "byte 0x%02x: a path is one line of text",
                            (unsigned char)*p);
    return 0;
}

/* --- not on FUSE ------------------------------------------------------------------------------ */

/* Whether the mounted file system is served by a process. The file system itself is not asked.
 * Return: 1, 0 or -errno; 0 where /proc is not mounted. */
static int is_fuse(unsigned major, unsigned minor)
{
    FILE *mounts = fopen("/proc/self/mountinfo", "re");
    char *line = NULL;
    size_t size = 0;
    bool fuse = false;

    if (!mounts)
        return errno == ENOENT ? 0 : -errno;
    while (!fuse && getline(&line, &size, mounts) >= 0) {
        unsigned ma, mi;
        const char *type = strstr(line, " - ");

        if (type && sscanf(line, "%*u %*u %u:%u", &ma, &mi) == 2 && ma == major && mi == minor)
            fuse = !strncmp(type + 3, "fuse", 4);
    }
    free(line);
    fclose(mounts);
    return fuse;
}

/* Refuse FUSE file systems: one may be the mount of this process, and its answer would wait for the
 * lock that is held here. */
static int check_place(int fd, const char *path, bool *is_link, struct vdf_err *err)
{
    struct statx st;

    if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st))
        return vdf_fail(err, errno, "the directory of \"%.60s\": %s", path, strerror(errno));
    *is_link = S_ISLNK(st.stx_mode);
    int fuse = is_fuse(st.stx_dev_major, st.stx_dev_minor);
    if (fuse < 0)
        return vdf_fail(err, -fuse, "/proc/self/mountinfo: %s", strerror(-fuse));
    return fuse ? vdf_fail(err, EOPNOTSUPP,
                           "\"%.60s\" is in a FUSE file system: sockets are made elsewhere", path)
                : 0;
}

/* Return: a descriptor of @name in @dir, which may be a symbolic link, or -errno. */
static int open_step(int dir, const char *name, const char *path, bool *is_link,
                     struct vdf_err *err)
{
    int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0)
        return vdf_fail(err, errno, "the directory of \"%.60s\", at \"%.60s\": %s", path, name,
                        strerror(errno));
    int ret = check_place(fd, path, is_link, err);
    if (ret == 0)
        return fd;
    close(fd);
    return ret;
}

/* Put the target of the symbolic link @fd before @at, the end of the path in @rest. */
static int follow(int fd, char rest[PATH_MAX], const char *at, const char *path,
                  struct vdf_err *err)
{
    char target[PATH_MAX];
    ssize_t n = readlinkat(fd, "", target, sizeof(target) - 1);

    if (n < 0)
        return vdf_fail(err, errno, "the directory of \"%.60s\": %s", path, strerror(errno));
    if (n == 0 || (size_t)n + strlen(at) >= PATH_MAX)
        return vdf_fail(err, ELOOP, "\"%.60s\": a symbolic link in it is too long", path);
    memcpy(target + n, at, strlen(at) + 1);
    memcpy(rest, target, strlen(target) + 1);
    return 0;
}

static int open_root(struct vdf_err *err)
{
    int dir = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

    return dir < 0 ? vdf_fail(err, errno, "/: %s", strerror(errno)) : dir;
}

/* Copy the first name of @rest to @name. Return: the text after it; NULL: the name is too long. */
static const char *take_name(const char *rest, char name[NAME_MAX + 1])
{
    size_t len = strcspn(rest, "/");

    if (len > NAME_MAX)
        return NULL;
    memcpy(name, rest, len);
    name[len] = '\0';
    return rest + len;
}

/* Open the directory of the socket's file, one name after the other, and stop before a FUSE file
 * system. Return: a descriptor or -errno.
 */
static int open_dir(const char *path, struct vdf_err *err)
{
    char rest[PATH_MAX], name[NAME_MAX + 1];
    unsigned links = 0;
    int dir = open_root(err);

    snprintf(rest, sizeof(rest), "%s", path);
    *strrchr(rest, '/') = '\0';
    for (const char *at = rest; dir >= 0 && *(at += strspn(at, "/"));) {
        bool is_link = false;

        at = take_name(at, name);
        int next = at ? open_step(dir, name, path, &is_link, err)
                      : vdf_fail(err, ENAMETOOLONG, "\"%.60s\": a name in it is too long", path);
        if (next >= 0 && is_link) {
            int link = next;

            next = ++links > LINKS_MAX
                       ? vdf_fail(err, ELOOP, "\"%.60s\": too many symbolic links", path)
                       : follow(link, rest, at, path, err);
            close(link);
            at = rest;
            if (next == 0 && rest[0] != '/')
                continue;
            if (next == 0)
                next = open_root(err);
        }
        close(dir);
        dir = next;
    }
    return dir;
}

/* --- the socket ------------------------------------------------------------------------------- */

/* The sockets that this process has made and not removed. */
struct served {
    dev_t dev;
    ino_t ino;
    struct served *next;
};
static struct served *served;
static struct vdf_lock served_lock = VDF_LOCK_INIT(VDF_RANK_HOST);

static bool is_ours(const struct stat *st)
{
    bool found = false;

    vdf_lock(&served_lock);
    for (const struct served *s = served; s && !found; s = s->next)
        found = s->dev == st->st_dev && s->ino == st->st_ino;
    vdf_unlock(&served_lock);
    return found;
}

static int note(const struct stat *st)
{
    struct served *s = calloc(1, sizeof(*s));

    if (!s)
        return -ENOMEM;
    s->dev = st->st_dev;
    s->ino = st->st_ino;
    vdf_lock(&served_lock);
    s->next = served;
    served = s;
    vdf_unlock(&served_lock);
    return 0;
}

static void forget(dev_t dev, ino_t ino)
{
    struct served **link = &served, *s;

    vdf_lock(&served_lock);
    while (*link && ((*link)->dev != dev || (*link)->ino != ino))
        link = &(*link)->next;
    s = *link;
    if (s)
        *link = s->next;
    vdf_unlock(&served_lock);
    free(s);
}

/* The address of the socket in the checked directory, wherever the path leads now. */
static int address(int dir, const char *path, struct sockaddr_un *addr, struct vdf_err *err)
{
    int n = snprintf(addr->sun_path, sizeof(addr->sun_path), "/proc/self/fd/%d%s", dir,
                     strrchr(path, '/'));

    addr->sun_family = AF_UNIX;
    return (size_t)n < sizeof(addr->sun_path)
               ? 0
               : vdf_fail(err, ENAMETOOLONG, "\"%.60s\": the last part of the path is too long",
                          path);
}

/* Return: whether a process listens there, or -errno. */
static int has_listener(const struct sockaddr_un *addr, struct vdf_err *err)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool refused;

    if (fd < 0)
        return vdf_fail(err, errno, "no socket: %s", strerror(errno));
    refused = connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) && errno == ECONNREFUSED;
    close(fd);
    return !refused;
}

/*
 * Whether a socket may replace this file. A socket without a listener is stale: its process has
 * died. A process that was killed just now listens until it has disappeared.
 */
static int check_stale(int dir, const char *path, struct stat *st, struct vdf_err *err)
{
    const struct timespec pause = { .tv_nsec = BUSY_NS / BUSY_LOOKS };
    struct sockaddr_un addr;
    int ret = 1;

    if (fstatat(dir, strrchr(path, '/') + 1, st, AT_SYMLINK_NOFOLLOW))
        return vdf_fail(err, errno, "\"%.60s\": %s", path, strerror(errno));
    if (!S_ISSOCK(st->st_mode))
        return vdf_fail(err, EEXIST, "\"%.60s\" exists and is no socket", path);
    if (address(dir, path, &addr, err))
        return -ENAMETOOLONG;
    for (unsigned i = 0; ret > 0 && i < BUSY_LOOKS && !is_ours(st); i++) {
        if (i)
            nanosleep(&pause, NULL);
        ret = has_listener(&addr, err);
    }
    return ret > 0 ? vdf_fail(err, EADDRINUSE, "\"%.60s\": a process serves this socket", path)
                   : ret;
}

/* Remove a stale socket. */
static int remove_stale(int dir, const char *path, struct vdf_err *err)
{
    struct stat st;
    int ret = check_stale(dir, path, &st, err);

    if (ret)
        return ret == -ENOENT ? 0 : ret;
    if (unlinkat(dir, strrchr(path, '/') + 1, 0))
        return vdf_fail(err, errno, "\"%.60s\" cannot be replaced: %s", path, strerror(errno));
    return 0;
}

/* --- as the user of the request --------------------------------------------------------------- */

static void leave_user(const int *entered)
{
    if (*entered >= 0)
        vdf_user_leave();
}

static void close_fd(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

/* Become the user, and open the directory of the socket: @dir is a descriptor or -errno. */
#define ENTER(dir, path, err)                                               \
    __attribute__((cleanup(leave_user))) int entered = vdf_user_enter(err); \
    __attribute__((cleanup(close_fd))) int dir = entered < 0 ? entered : open_dir(path, err)

int vdf_listener_possible(const char *path, struct vdf_err *err)
{
    ENTER(dir, path, err);
    struct sockaddr_un addr;
    struct stat st;

    if (dir < 0)
        return dir;
    int ret = address(dir, path, &addr, err);
    if (ret < 0)
        return ret;
    if (faccessat(dir, ".", W_OK | X_OK, AT_EACCESS))
        return vdf_fail(err, errno, "the directory of \"%.60s\": %s", path, strerror(errno));
    ret = check_stale(dir, path, &st, err);
    return ret == -ENOENT || (ret == -EADDRINUSE && is_ours(&st)) ? 0 : ret;
}

/* Whether the socket's file is still the one that was made. */
static bool is_same(int dir, const char *path, const struct vdf_listener *listener)
{
    struct stat st;

    return dir >= 0 && !fstatat(dir, strrchr(path, '/') + 1, &st, AT_SYMLINK_NOFOLLOW) &&
           st.st_dev == listener->dev && st.st_ino == listener->ino;
}

bool vdf_listener_is_at(const struct vdf_listener *listener, const char *path)
{
    if (listener->fd < 0)
        return false;
    ENTER(dir, path, NULL);
    return is_same(dir, path, listener);
}

static void remove_file(const struct vdf_listener *listener, const char *path)
{
    forget(listener->dev, listener->ino);
    ENTER(dir, path, NULL);
    if (is_same(dir, path, listener))
        unlinkat(dir, strrchr(path, '/') + 1, 0);
}

void vdf_listener_close(struct vdf_listener *listener, const char *path, struct vdf_passed *passed)
{
    if (listener->fd < 0)
        return;
    if (path)
        remove_file(listener, path);
    /* Waiting programs may have sent descriptors, which may be slow to close. */
    shutdown(listener->fd, SHUT_RDWR);
    vdf_passed_close(passed, listener->fd);
    listener->fd = -1;
}

int vdf_listener_accept(const struct vdf_listener *listener, int flags, struct vdf_err *err)
{
    int fd = accept4(listener->fd, NULL, NULL, flags | SOCK_CLOEXEC);

    if (fd >= 0)
        return fd;
    if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
        return -EAGAIN;
    return vdf_fail(err, errno, "accept: %s", strerror(errno));
}

/* Bind, and replace a stale socket. */
static int bind_socket(int fd, int dir, const char *path, struct vdf_err *err)
{
    struct sockaddr_un addr;
    int ret = address(dir, path, &addr, err);

    if (ret < 0 || !bind(fd, (const struct sockaddr *)&addr, sizeof(addr)))
        return ret;
    if (errno == EADDRINUSE) {
        ret = remove_stale(dir, path, err);
        if (ret < 0 || !bind(fd, (const struct sockaddr *)&addr, sizeof(addr)))
            return ret;
    }
    return vdf_fail(err, errno, "\"%.60s\": %s", path, strerror(errno));
}

/* Listen on the bound socket, and note its file. */
static int listen_at(int fd, int dir, const char *path, struct vdf_listener *listener,
                     struct vdf_err *err)
{
    struct stat st;

    if (listen(fd, 1) || fstatat(dir, strrchr(path, '/') + 1, &st, AT_SYMLINK_NOFOLLOW))
        return vdf_fail(err, errno, "\"%.60s\": %s", path, strerror(errno));
    if (note(&st) < 0)
        return vdf_fail(err, ENOMEM, "no memory to serve the device");
    *listener = (struct vdf_listener){ .fd = fd, .dev = st.st_dev, .ino = st.st_ino };
    return 0;
}

int vdf_listener_open(struct vdf_listener *listener, const char *path, struct vdf_err *err)
{
    ENTER(dir, path, err);

    listener->fd = -1;
    if (dir < 0)
        return dir;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return vdf_fail(err, errno, "no socket: %s", strerror(errno));
    /* Only the owner may connect, until the mode of the file is changed. The kernel gives the file
     * the mode of the socket without the bits of the umask. */
    fchmod(fd, 0600);
    int ret = bind_socket(fd, dir, path, err);
    bool bound = ret == 0;
    if (bound)
        ret = listen_at(fd, dir, path, listener, err);
    if (ret == 0)
        return 0;
    if (bound)
        unlinkat(dir, strrchr(path, '/') + 1, 0);
    close(fd);
    return ret;
}
