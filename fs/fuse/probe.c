/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host's FUSE features. The kernel lists its features in the first request, INIT. The probe makes a
 * file system that is mounted nowhere and ends when its descriptors are closed.
 *
 *     fsopen(2), fsconfig(2) -----> kernel -----> INIT on /dev/fuse, answered if all features are
 *                                                 to be tried, and that is all
 *
 * This needs CAP_SYS_ADMIN, which an ordinary user has in a user namespace.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#include <virtdevfs/error.h>

#include "node.h"
#include "ring.h"
#include "session.h"

#define DEVICE "/dev/fuse"
#define ENABLE_URING "/sys/module/fuse/parameters/enable_uring"
#define INIT_MS 2000           /* that the kernel has for its first request */
#define REQUEST_BYTES 0x21000u /* the kernel wants room for any request */

/* As linux/fuse.h of newer systems has them. */
#define INIT_EXT (UINT64_C(1) << 30)
#define INIT_DIRECT_IO_ALLOW_MMAP (UINT64_C(1) << 36)
#define INIT_PASSTHROUGH (UINT64_C(1) << 37)
#define INIT_OVER_IO_URING (UINT64_C(1) << 41)

struct backing_map {
    int32_t fd;
    uint32_t flags;
    uint64_t padding;
};
#define BACKING_OPEN _IOW(229, 1, struct backing_map)

/* The answer to INIT, with what came with passthrough. */
struct init_answer {
    struct fuse_out_header header;
    uint32_t major, minor, max_readahead, flags;
    uint16_t max_background, congestion_threshold;
    uint32_t max_write, time_gran;
    uint16_t max_pages, map_alignment;
    uint32_t flags2, max_stack_depth;
    uint32_t unused[6];
};

/* The kernel's answer; `why` is not empty if the probe could not get one. */
struct kernel {
    uint32_t major, minor;
    uint64_t flags;
    int backing; /* of a memfd: 0, or -errno; 1: not tried */
    char why[160], remedy[160];
};

/* --- asking the kernel ------------------------------------------------------------------------ */

__attribute__((format(printf, 3, 4))) static int fail(struct kernel *kernel, int code,
                                                      const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(kernel->why, sizeof(kernel->why), fmt, ap);
    va_end(ap);
    snprintf(kernel->remedy, sizeof(kernel->remedy), "%s",
             vdf_probe_cure(code, code == EPERM || code == EACCES
                                      ? "root, or user namespaces for ordinary users"
                                      : "Linux 5.2 or newer"));
    return -code;
}

static bool write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

    if (fd >= 0)
        close(fd);
    return done;
}

/* Become root of a user namespace; this process ends soon and has no other use. */
static int become_root(void)
{
    char map[32];
    uid_t uid = getuid();
    gid_t gid = getgid();

    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
        return -errno;
    snprintf(map, sizeof(map), "0 %u 1", uid);
    if (!write_file("/proc/self/uid_map", map) || !write_file("/proc/self/setgroups", "deny"))
        return -EPERM;
    snprintf(map, sizeof(map), "0 %u 1", gid);
    return write_file("/proc/self/gid_map", map) ? 0 : -EPERM;
}

static int set(int fs, const char *key, const char *value)
{
    return (int)syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, key, value, 0);
}

/* A file system whose requests come to @device. Return: a descriptor of it, or -errno. */
static int make_filesystem(int device, const char **call)
{
    char number[16], uid[16], gid[16];
    int fs = (int)syscall(SYS_fsopen, "fuse", FSOPEN_CLOEXEC);

    *call = "fsopen(2)";
    if (fs < 0)
        return -errno;
    *call = "fsconfig(2)";
    snprintf(number, sizeof(number), "%d", device);
    snprintf(uid, sizeof(uid), "%u", geteuid());
    snprintf(gid, sizeof(gid), "%u", getegid());
    if (set(fs, "source", "virtdevfs-probe") < 0 || set(fs, "fd", number) < 0 ||
        set(fs, "rootmode", "40000") < 0 || set(fs, "user_id", uid) < 0 ||
        set(fs, "group_id", gid) < 0 ||
        syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) {
        int code = errno;
        close(fs);
        return -code;
    }
    return fs;
}

static int read_init(int device, struct kernel *kernel, uint64_t *unique)
{
    static char request[REQUEST_BYTES];
    struct pollfd fd = { .fd = device, .events = POLLIN };
    struct fuse_in_header header;
    struct fuse_init_in init = { 0 };

    if (poll(&fd, 1, INIT_MS) != 1)
        return fail(kernel, ETIME, "no INIT on " DEVICE " within %d ms", INIT_MS);
    ssize_t n = read(device, request, sizeof(request));
    if (n < 0)
        return fail(kernel, errno, "read(2) of " DEVICE " answers %s", vdf_errno_name(errno));
    memcpy(&header, request, sizeof(header));
    if ((size_t)n < sizeof(header) + 16 || header.opcode != FUSE_INIT)
        return fail(kernel, EPROTO, "the first request on " DEVICE " is not INIT");
    size_t len = (size_t)n - sizeof(header);
    memcpy(&init, request + sizeof(header), len < sizeof(init) ? len : sizeof(init));
    kernel->major = init.major;
    kernel->minor = init.minor;
    kernel->flags = init.flags;
    if (init.flags & INIT_EXT)
        kernel->flags |= (uint64_t)init.flags2 << 32;
    *unique = header.unique;
    return 0;
}

/* Only a trial shows whether the kernel accepts a file for passthrough. */
static int try_backing(int device, const struct kernel *kernel, uint64_t unique)
{
    struct init_answer answer = {
        .header = { .len = sizeof(answer), .unique = unique },
        .major = kernel->major,
        .minor = kernel->minor,
        .flags = (uint32_t)INIT_EXT,
        .max_write = 4096,
        .flags2 = (uint32_t)(INIT_PASSTHROUGH >> 32),
        .max_stack_depth = 1,
    };
    struct backing_map map = { .fd = memfd_create("virtdevfs-probe", MFD_CLOEXEC) };

    if (map.fd < 0)
        return -errno;
    int ret = 0;
    if (write(device, &answer, sizeof(answer)) != (ssize_t)sizeof(answer) ||
        ioctl(device, BACKING_OPEN, &map) < 0)
        ret = -errno;
    close(map.fd);
    return ret;
}

static int ask_kernel(struct kernel *kernel, int device)
{
    const char *call;
    uint64_t unique = 0;
    int fs = make_filesystem(device, &call);

    if (fs < 0)
        return fail(kernel, -fs, "%s answers %s", call, vdf_errno_name(-fs));
    int ret = read_init(device, kernel, &unique);
    if (ret == 0 && kernel->flags & INIT_PASSTHROUGH)
        kernel->backing = try_backing(device, kernel, unique);
    close(fs);
    return ret;
}

/* The same in a user namespace, in which /dev/fuse has to be opened again. Return: a descriptor, or
 * negative. */
static int ask_as_root(struct kernel *kernel)
{
    *kernel = (struct kernel){ .backing = 1 };
    int ret = become_root();
    if (ret < 0) {
        fail(kernel, EPERM, "fsopen(2) answers EPERM, and in a user namespace %s",
             vdf_errno_name(-ret));
        return ret;
    }
    int device = open(DEVICE, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (device < 0)
        return fail(kernel, errno, "open(2) of " DEVICE " in a user namespace answers %s",
                    vdf_errno_name(errno));
    ask_kernel(kernel, device);
    return device;
}

/* --- what else there is ----------------------------------------------------------------------- */

static bool has_filesystem(void)
{
    FILE *list = fopen("/proc/filesystems", "re");
    char line[64];
    bool found = !list; /* unknown: the device has been looked for */

    while (list && !found && fgets(line, sizeof(line), list))
        found = strcmp(line, "nodev\tfuse\n") == 0;
    if (list)
        fclose(list);
    return found;
}

static bool has_cap_sys_admin(void)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[2] = { 0 };

    return syscall(SYS_capget, &header, data) == 0 && data[0].effective & (1u << CAP_SYS_ADMIN);
}

/* "Y", "N", or "absent". */
static const char *enable_uring(void)
{
    int fd = open(ENABLE_URING, O_RDONLY | O_CLOEXEC);
    char c = 0;

    if (fd < 0)
        return "absent";
    ssize_t n = read(fd, &c, 1);
    close(fd);
    return n == 1 && (c == 'Y' || c == '1') ? "Y" : "N";
}

/* The fusermount3 that libfuse would start; NULL: none. To be freed. */
static char *find_fusermount(struct stat *st)
{
    char *path, *list = NULL, *rest, *dir;
    const char *env = getenv("PATH");

    if (asprintf(&list, "/usr/bin:%s", env ? env : "") < 0)
        return NULL;
    for (rest = list; (dir = strsep(&rest, ":"));) {
        if (asprintf(&path, "%s/fusermount3", dir) < 0)
            break;
        if (*dir && access(path, X_OK) == 0 && stat(path, st) == 0 && S_ISREG(st->st_mode)) {
            free(list);
            return path;
        }
        free(path);
    }
    free(list);
    return NULL;
}

/* --- telling ---------------------------------------------------------------------------------- */

static void report_mount(struct vdf_probe *probe, bool admin)
{
    struct stat st;
    char *path = admin ? NULL : find_fusermount(&st);

    if (admin) {
        vdf_probe_have(probe, "mount", "with mount(2)");
    } else if (!path) {
        vdf_probe_lack(probe, "mount", "no CAP_SYS_ADMIN, and no fusermount3 in /usr/bin and PATH");
        vdf_probe_remedy(probe, "root, or the package fuse3");
    } else if (st.st_uid != 0 || !(st.st_mode & S_ISUID)) {
        vdf_probe_lack(probe, "mount", "no CAP_SYS_ADMIN, and %s is not setuid root", path);
        vdf_probe_remedy(probe, "root, or chmod u+s %s", path);
    } else {
        vdf_probe_have(probe, "mount", "with %s", path);
    }
    free(path);
}

/* Reports a feature as unknown if the kernel could not be asked. Return: was it so? */
static bool report_unknown(struct vdf_probe *probe, const char *name, const struct kernel *kernel)
{
    if (!kernel->why[0])
        return false;
    vdf_probe_lack(probe, name, "the kernel could not be asked: %s", kernel->why);
    if (kernel->remedy[0])
        vdf_probe_remedy(probe, "%s", kernel->remedy);
    return true;
}

static void report_passthrough(struct vdf_probe *probe, const struct kernel *kernel)
{
    if (report_unknown(probe, "passthrough", kernel))
        return;
    if (!(kernel->flags & INIT_PASSTHROUGH)) {
        vdf_probe_lack(probe, "passthrough", "the kernel's INIT does not offer it");
        vdf_probe_remedy(probe, "Linux 6.9 or newer with CONFIG_FUSE_PASSTHROUGH");
    } else if (FUSE_VERSION < FUSE_MAKE_VERSION(3, 17)) {
        vdf_probe_lack(probe, "passthrough", "this libfuse does not have it");
        vdf_probe_remedy(probe, "libfuse 3.17 or newer (tools/setup-libfuse), and a new build");
    } else if (kernel->backing < 0) {
        vdf_probe_refused(probe, "passthrough", "FUSE_DEV_IOC_BACKING_OPEN", -kernel->backing,
                          "CAP_SYS_ADMIN of the host, not of a container");
    } else {
        vdf_probe_have(probe, "passthrough", "files can be mapped");
    }
}

static void report_direct_io_mmap(struct vdf_probe *probe, const struct kernel *kernel)
{
    if (report_unknown(probe, "direct_io_mmap", kernel))
        return;
    if (kernel->flags & INIT_DIRECT_IO_ALLOW_MMAP) {
        vdf_probe_have(probe, "direct_io_mmap", "%s", "");
    } else {
        vdf_probe_lack(probe, "direct_io_mmap", "the kernel's INIT does not offer it");
        vdf_probe_remedy(probe, "Linux 6.6 or newer");
    }
}

static void report_io_uring(struct vdf_probe *probe, const struct kernel *kernel)
{
    const char *parameter = enable_uring();
    struct vdf_buf why = VDF_BUF_INIT, remedy = VDF_BUF_INIT;
    bool built = vdf_rings_possible();

    /* The parameter decides what INIT offers, so it may be asked instead. */
    bool offered = kernel->why[0] ? *parameter == 'Y' : kernel->flags & INIT_OVER_IO_URING;
    if (!offered && *parameter == 'a') {
        vdf_buf_printf(&why, "the kernel has no parameter fuse.enable_uring");
        vdf_buf_printf(&remedy, "Linux 6.14 or newer with CONFIG_FUSE_IO_URING");
    } else if (!offered) {
        vdf_buf_printf(&why, "fuse.enable_uring is %s", parameter);
        vdf_buf_printf(&remedy,
                       "echo Y > " ENABLE_URING " (or fuse.enable_uring=1 for the kernel)");
    }
    if (!built) {
        vdf_buf_printf(&why, "%sthis libfuse has no custom I/O", why.len ? ", " : "");
        vdf_buf_printf(&remedy,
                       "%slibfuse 3.18 or newer with enable-custom-io (tools/setup-libfuse), and "
                       "a new build",
                       remedy.len ? ", and " : "");
    }
    if (why.len) {
        vdf_probe_lack(probe, "io_uring", "%.*s", (int)why.len, why.data);
        vdf_probe_remedy(probe, "%.*s", (int)remedy.len, remedy.data);
    } else {
        vdf_probe_have(probe, "io_uring", "-o transport=io_uring");
    }
    vdf_probe_value(probe, "enable_uring", "%s", parameter);
    vdf_probe_value(probe, "libfuse", "%s", built ? "yes" : "no");
    vdf_buf_free(&why);
    vdf_buf_free(&remedy);
}

static void report_protocol(struct vdf_probe *probe, const struct kernel *kernel)
{
    if (report_unknown(probe, "protocol", kernel))
        return;
    vdf_probe_have(probe, "protocol", "%s", "");
    vdf_probe_value(probe, "version", "%u.%u", kernel->major, kernel->minor);
}

static void run(struct vdf_probe *probe)
{
    struct kernel kernel = { .backing = 1 };
    bool admin = has_cap_sys_admin();
    int device = -ENODEV;

    if (has_filesystem()) {
        device = vdf_probe_open(probe, "device", DEVICE, "fuse",
                                "a kernel with CONFIG_FUSE_FS, its module (fuse)");
    } else {
        vdf_probe_lack(probe, "device", "\"fuse\" is not in /proc/filesystems");
        vdf_probe_remedy(probe, "a kernel with CONFIG_FUSE_FS, its module (fuse)");
    }
    if (device >= 0)
        vdf_probe_have(probe, "device", DEVICE);
    vdf_probe_have(probe, "libfuse", "%s", "");
    vdf_probe_value(probe, "version", "%s", fuse_pkgversion());
    report_mount(probe, admin);
    if (admin) {
        vdf_probe_have(probe, "cap_sys_admin", "%s", "");
    } else {
        vdf_probe_lack(probe, "cap_sys_admin", "capget(2) shows no CAP_SYS_ADMIN");
        vdf_probe_remedy(probe, "root");
    }
    if (device < 0) {
        fail(&kernel, -device, DEVICE " cannot be used");
        snprintf(kernel.remedy, sizeof(kernel.remedy), "what the device needs");
    } else if (ask_kernel(&kernel, device) == -EPERM) {
        close(device);
        device = ask_as_root(&kernel);
    }
    report_protocol(probe, &kernel);
    report_passthrough(probe, &kernel);
    report_direct_io_mmap(probe, &kernel);
    report_io_uring(probe, &kernel);
    if (device >= 0)
        close(device);
}

const struct vdf_probe_part vdf_fuse_probe = {
    .name = "fuse",
    .title = "the mounted tree",
    .run = run,
};
