/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Probing the host: each part looks in a process of its own and sends its facts.
 *
 *     parent                               child, one a part
 *     fork ------------------------------> run: vdf_probe_have() ...
 *     poll, read <---------- pipe -------- a write(2) for each fact and its properties
 *     end of file, or the time is over: SIGKILL
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <virtdevfs/error.h>

#include "probe.h"

#define MOST_BYTES (1u << 20) /* of facts that a part may send */
#define REAP_MS 500           /* that a killed process has to end */

/* --- reporting -------------------------------------------------------------------------------- */

static void add_string(struct vdf_probe *probe, const char *text)
{
    vdf_buf_add(&probe->facts, text, strlen(text) + 1);
}

__attribute__((format(printf, 2, 0))) static void add_format(struct vdf_probe *probe,
                                                             const char *fmt, va_list ap)
{
    char *text;

    if (vasprintf(&text, fmt, ap) < 0) {
        probe->facts.oom = true;
        return;
    }
    add_string(probe, text);
    free(text);
}

/* Sends what is there to the parent. It goes in pieces that end where a fact or property does. */
static void flush(struct vdf_probe *probe)
{
    size_t done = 0;

    if (probe->fd <= 0)
        return;
    while (done < probe->facts.len) {
        ssize_t n = write(probe->fd, probe->facts.data + done, probe->facts.len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            break;
        done += (size_t)n;
    }
    vdf_buf_reset(&probe->facts);
}

void vdf_probe_have(struct vdf_probe *probe, const char *name, const char *fmt, ...)
{
    va_list ap;

    vdf_buf_printf(&probe->facts, "%c", VDF_PROBE_HAVE);
    add_string(probe, name);
    va_start(ap, fmt);
    add_format(probe, fmt, ap);
    va_end(ap);
    flush(probe);
}

void vdf_probe_lack(struct vdf_probe *probe, const char *name, const char *fmt, ...)
{
    va_list ap;

    vdf_buf_printf(&probe->facts, "%c", VDF_PROBE_LACK);
    add_string(probe, name);
    va_start(ap, fmt);
    add_format(probe, fmt, ap);
    va_end(ap);
    flush(probe);
}

void vdf_probe_remedy(struct vdf_probe *probe, const char *fmt, ...)
{
    va_list ap;

    vdf_buf_printf(&probe->facts, "%c", VDF_PROBE_REMEDY);
    va_start(ap, fmt);
    add_format(probe, fmt, ap);
    va_end(ap);
    flush(probe);
}

void vdf_probe_value(struct vdf_probe *probe, const char *key, const char *fmt, ...)
{
    va_list ap;

    vdf_buf_printf(&probe->facts, "%c", VDF_PROBE_VALUE);
    add_string(probe, key);
    va_start(ap, fmt);
    add_format(probe, fmt, ap);
    va_end(ap);
    flush(probe);
}

const char *vdf_probe_cure(int code, const char *remedy)
{
    switch (code) {
    case EMFILE:
        return "a higher limit of open files (ulimit -n)";
    case ENFILE:
        return "a higher fs.file-max";
    case ENOMEM:
        return "more memory, or a higher limit of it (ulimit -v, the cgroup's memory.max)";
    default:
        return remedy;
    }
}

void vdf_probe_refused(struct vdf_probe *probe, const char *name, const char *call, int code,
                       const char *remedy)
{
    remedy = vdf_probe_cure(code, remedy);
    vdf_probe_lack(probe, name, "%s answers %s", call, vdf_errno_name(code));
    if (remedy)
        vdf_probe_remedy(probe, "%s", remedy);
}

/* --- device files ----------------------------------------------------------------------------- */

/* The minor number of a driver in /proc/misc; -1: it is not there; -2: this cannot be known. */
static int misc_minor(const char *driver)
{
    FILE *list = fopen("/proc/misc", "re");
    int minor, found = -1;
    char name[64];

    if (!list)
        return -2;
    while (found < 0 && fscanf(list, "%d %63s", &minor, name) == 2)
        if (strcmp(name, driver) == 0)
            found = minor;
    fclose(list);
    return found;
}

static void report_denied(struct vdf_probe *probe, const char *name, const char *path, int code,
                          const struct stat *st, const char *brings)
{
    char *call, *remedy = NULL;

    if (asprintf(&call, "open(2) of %s", path) < 0)
        return;
    if (code == EACCES && asprintf(&remedy,
                                   "root, or a right to %s, whose mode is %04o and owner "
                                   "%u:%u",
                                   path, st->st_mode & 07777, st->st_uid, st->st_gid) < 0)
        remedy = NULL;
    else if (code == EPERM)
        remedy = strdup("a container that may use the device");
    vdf_probe_refused(probe, name, call, code, remedy ? remedy : brings);
    free(remedy);
    free(call);
}

int vdf_probe_open(struct vdf_probe *probe, const char *name, const char *path, const char *driver,
                   const char *brings)
{
    struct stat st;

    if (stat(path, &st) < 0) {
        int code = errno;
        vdf_probe_lack(probe, name, "stat(2) of %s answers %s", path, vdf_errno_name(code));
        vdf_probe_remedy(probe, "%s", brings);
        return -code;
    }
    /* The first open(2) of a file whose driver is missing would load it. */
    int minor = driver ? misc_minor(driver) : -2;
    if (minor == -1) {
        vdf_probe_lack(probe, name, "%s has no driver: \"%s\" is not in /proc/misc", path, driver);
        vdf_probe_remedy(probe, "%s", brings);
        return -ENODEV;
    }
    if (!S_ISCHR(st.st_mode) || (minor >= 0 && st.st_rdev != makedev(10, (unsigned)minor))) {
        vdf_probe_lack(probe, name, "%s is something else than the driver's device", path);
        vdf_probe_remedy(probe, "a %s made anew", path);
        return -ENODEV;
    }
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        int code = errno;
        report_denied(probe, name, path, code, &st, brings);
        return -code;
    }
    return fd;
}

/* --- letting the parts look ------------------------------------------------------------------- */

struct child {
    pid_t pid; /* 0: none */
    int fd;    /* -1: at its end */
    bool cut;  /* it has sent too much */
};

static long now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000L + ts.tv_nsec / 1000000L;
}

static void begin(struct vdf_probe *probe, struct child *child)
{
    int ends[2];

    *child = (struct child){ .fd = -1 };
    if (pipe2(ends, O_CLOEXEC) < 0) {
        vdf_probe_refused(probe, "probe", "pipe2(2)", errno, NULL);
        return;
    }
    pid_t parent = getpid();
    child->pid = fork();
    if (child->pid == 0) {
        /* The parent may be killed, too. */
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(EXIT_FAILURE);
        signal(SIGPIPE, SIG_DFL);
        close(ends[0]);
        probe->fd = ends[1];
        probe->part->run(probe);
        _exit(EXIT_SUCCESS);
    }
    int code = errno;
    close(ends[1]);
    if (child->pid < 0) {
        close(ends[0]);
        child->pid = 0;
        vdf_probe_refused(probe, "probe", "fork(2)", code,
                          "a higher limit of processes (ulimit -u, the cgroup's pids.max)");
        return;
    }
    child->fd = ends[0];
}

static void hear(struct vdf_probe *probe, struct child *child)
{
    char bytes[4096];
    ssize_t n = read(child->fd, bytes, sizeof(bytes));

    if (n < 0 && errno == EINTR)
        return;
    child->cut = n > 0 && probe->facts.len + (size_t)n > MOST_BYTES;
    if (n > 0 && !child->cut) {
        vdf_buf_add(&probe->facts, bytes, (size_t)n);
        return;
    }
    close(child->fd);
    child->fd = -1;
}

/* Removes an incomplete last fact, so that the next fact is parsed as one. */
static void drop_rest(struct vdf_probe *probe)
{
    const char *data = probe->facts.data;
    size_t whole = 0;

    for (size_t pos = 0; pos < probe->facts.len;) {
        unsigned strings = data[pos] == VDF_PROBE_REMEDY ? 1 : 2;
        for (; strings && pos < probe->facts.len; strings--) {
            pos += strnlen(data + pos, probe->facts.len - pos) + 1;
            if (pos <= probe->facts.len && strings == 1)
                whole = pos;
        }
    }
    probe->facts.len = whole;
}

static void end(struct vdf_probe *probe, struct child *child)
{
    bool timed_out = child->fd >= 0;
    int status = 0;
    pid_t pid = 0;

    if (!child->pid)
        return;
    if (timed_out)
        close(child->fd);
    if (timed_out || child->cut)
        kill(child->pid, SIGKILL);
    /* A process that hangs in the kernel does not end even then; init inherits it. */
    for (int k = 0; k < REAP_MS / 10 && pid == 0; k++) {
        pid = waitpid(child->pid, &status, WNOHANG);
        if (pid == 0)
            poll(NULL, 0, 10);
    }
    drop_rest(probe);
    if (timed_out)
        vdf_probe_lack(probe, "probe", "no end within %d ms", VDF_PROBE_MS);
    else if (child->cut)
        vdf_probe_lack(probe, "probe", "more than %u bytes of facts", MOST_BYTES);
    else if (pid > 0 && WIFSIGNALED(status))
        vdf_probe_lack(probe, "probe", "ended by signal %d (%s)", WTERMSIG(status),
                       strsignal(WTERMSIG(status)));
}

void vdf_probe_run(struct vdf_probe *probes, unsigned n)
{
    struct child *children = calloc(n, sizeof(*children));
    struct pollfd *fds = calloc(n, sizeof(*fds));
    long left, until = now_ms() + VDF_PROBE_MS;
    unsigned open_fds = 1;

    if (!children || !fds) {
        free(children);
        free(fds);
        for (unsigned k = 0; k < n; k++)
            vdf_probe_refused(&probes[k], "probe", "calloc(3)", ENOMEM, NULL);
        return;
    }
    for (unsigned k = 0; k < n; k++)
        begin(&probes[k], &children[k]);
    while (open_fds && (left = until - now_ms()) > 0) {
        open_fds = 0;
        for (unsigned k = 0; k < n; k++) {
            fds[k] = (struct pollfd){ .fd = children[k].fd, .events = POLLIN };
            open_fds += children[k].fd >= 0;
        }
        if (!open_fds || poll(fds, n, (int)left) <= 0)
            continue;
        for (unsigned k = 0; k < n; k++)
            if (fds[k].revents)
                hear(&probes[k], &children[k]);
    }
    for (unsigned k = 0; k < n; k++)
        end(&probes[k], &children[k]);
    free(children);
    free(fds);
}

void vdf_probe_free(struct vdf_probe *probes, unsigned n)
{
    for (unsigned k = 0; k < n; k++)
        vdf_buf_free(&probes[k].facts);
}
