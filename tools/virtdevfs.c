/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtdevfs: emulated devices as a mounted tree of files. See virtdevfs(8).
 *
 *     virtdevfs /mnt && ls /mnt && umount /mnt
 *     virtdevfs --run 'cat $VIRTDEVFS/aplic/aplic0/pending'
 *
 * Threads: the main thread reads /dev/fuse. With FUSE over io_uring one thread for each processor
 * serves the requests of its queue (ring.c). One thread makes the kernel drop cached values
 * (cache.c). The engine's thread waits for everything else. Each processor of a guest has a thread.
 * One thread waits for signals and for the command of --run. All of them call the tree, which has
 * the locks. With --run and auto_unmount a second process cleans up after a killed daemon
 * (guard.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guard.h"
#include "options.h"
#include "state.h"

#define FIRST_FD 3 /* after standard input, output and error */

extern char **environ;

/* --- the mount point -------------------------------------------------------------------------- */

static int check_mountpoint(struct options *o)
{
    struct stat st;

    if (!o->mountpoint) {
        const char *tmp = getenv("TMPDIR");
        if (asprintf(&o->mountpoint, "%s/virtdevfs.XXXXXX", tmp && *tmp ? tmp : "/tmp") < 0)
            return complain("no memory");
        if (!mkdtemp(o->mountpoint))
            return complain("%s: %s", o->mountpoint, strerror(errno));
        o->made_mountpoint = true;
    }
    if (stat(o->mountpoint, &st) < 0) {
        /* ENOTCONN: the daemon is dead. The others: it dies during this request. */
        if (errno == ENOTCONN || errno == ECONNABORTED || errno == ECANCELED)
            return complain(
                "%s: a file system whose daemon has died is mounted here; clear it with "
                "'fusermount3 -u %s'",
                o->mountpoint, o->mountpoint);
        return complain("%s: %s", o->mountpoint, strerror(errno));
    }
    if (!S_ISDIR(st.st_mode))
        return complain("%s: a mount point is a directory", o->mountpoint);
    char *real = realpath(o->mountpoint, NULL);
    if (!real)
        return complain("%s: %s", o->mountpoint, strerror(errno));
    free(o->mountpoint);
    o->mountpoint = real;
    if (mount_find(o->mountpoint, "fuse.virtdevfs", NULL))
        return complain("%s: a virtdevfs is mounted here already", o->mountpoint);
    return 0;
}

/* Each device with memory needs a descriptor, and ten thousand devices are possible. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* --- the parts -------------------------------------------------------------------------------- */

struct daemon {
    struct options options;
    struct vdf_engine *engine;
    struct vdf_tree *tree;
    struct vdf_fuse *fuse;
    struct guard guard;
    int parent; /* pipe to the process that the user started; -1: it is this one */
    int status; /* exit status of the command of --run; -1: it has not ended */
    pid_t command;
    sigset_t signals;
    pthread_t signal_thread;
};

static int load_state(struct daemon *d)
{
    const char *path = d->options.state;
    struct vdf_err err = { 0 };
    struct stat st;
    int ret = -1, fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return complain("%s: %s", path, strerror(errno));
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0) {
        complain("%s: not a state file: it has to be a copy of the root's state", path);
    } else {
        char *text = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (text == MAP_FAILED) {
            complain("%s: %s", path, strerror(errno));
        } else {
            ret = vdf_state_restore(d->tree->root, text, (size_t)st.st_size, &err);
            if (ret < 0)
                complain("%s: %s: %s", path, vdf_errno_name(-ret), err.text);
            munmap(text, (size_t)st.st_size);
        }
    }
    close(fd);
    return ret;
}

static int build(struct daemon *d)
{
    struct vdf_err err = { 0 };
    int ret = vdf_engine_create(d->options.engine, &d->engine, &err);

    if (ret < 0)
        return complain("engine: %s: %s", vdf_errno_name(-ret), err.text);
    ret = vdf_engine_start(d->engine);
    if (ret < 0)
        return complain("engine: %s", strerror(-ret));
    ret = vdf_tree_create(vdf_components, d->engine, &d->tree, &err);
    if (ret == 0 && !d->options.empty && !d->options.state)
        ret = vdf_tree_add_defaults(d->tree, &err);
    if (ret < 0)
        return complain("%s: %s", vdf_errno_name(-ret), err.text);
    return d->options.state ? load_state(d) : 0;
}

/* --- --probe ---------------------------------------------------------------------------------- */

static int print(const struct vdf_buf *text)
{
    if (text->oom)
        return complain("no memory");
    if (fwrite(text->data, 1, text->len, stdout) != text->len || fflush(stdout) != 0)
        return complain("standard output: %s", strerror(errno));
    return 0;
}

static int probe(enum probe_format format)
{
    struct vdf_buf out = VDF_BUF_INIT;
    unsigned n = 2;

    while (vdf_components[n - 2])
        n++;
    struct vdf_probe *probes = calloc(n, sizeof(*probes));
    if (!probes)
        return complain("no memory");
    probes[0].part = &vdf_engine_probe;
    probes[1].part = &vdf_fuse_probe;
    n = 2;
    for (unsigned k = 0; vdf_components[k]; k++)
        if (vdf_components[k]->probe)
            probes[n++].part = vdf_components[k]->probe;
    raise_descriptor_limit();
    vdf_probe_run(probes, n);
    if (format == PROBE_JSON)
        vdf_probe_json(probes, n, VDF_VERSION, &out);
    else
        vdf_probe_text(probes, n, &out);
    int ret = print(&out);
    vdf_buf_free(&out);
    vdf_probe_free(probes, n);
    free(probes);
    return ret < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* --- signals and --run ------------------------------------------------------------------------ */

static int exit_status(int status)
{
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Ends the loop on SIGTERM and the other signals, and when the command ends. While a command runs,
 * signals are passed to it, except those of the terminal, which it gets anyway. */
static void *wait_for_signals(void *arg)
{
    struct daemon *d = arg;

    for (;;) {
        siginfo_t info;
        int status, signal = sigwaitinfo(&d->signals, &info);
        if (signal == SIGCHLD) {
            if (!d->command || waitpid(d->command, &status, WNOHANG) != d->command)
                continue;
            d->status = exit_status(status);
            break;
        }
        if (signal == SIGUSR2)
            return NULL; /* the loop has ended */
        if (signal > 0 && !d->command)
            break;
        if (signal > 0 && info.si_code <= 0)
            kill(d->command, signal);
    }
    vdf_fuse_stop(d->fuse);
    return NULL;
}

static int start_command(struct daemon *d)
{
    char *const argv[] = { "sh", "-c", (char *)d->options.run, NULL };
    posix_spawnattr_t attr;
    sigset_t none;

    setenv("VIRTDEVFS", d->options.mountpoint, 1);
    sigemptyset(&none);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
    int ret = posix_spawn(&d->command, "/bin/sh", NULL, &attr, argv, environ);
    posix_spawnattr_destroy(&attr);
    if (ret == 0) {
        d->guard.command = d->command;
        guard_update(&d->guard);
    }
    return ret ? complain("/bin/sh: %s", strerror(ret)) : 0;
}

/* Called in the FUSE thread before the first request, when the mount can be used. */
static void mount_is_ready(void *arg)
{
    struct daemon *d = arg;
    char byte = 0;

    if (d->parent >= 0) {
        /* From here on no message is printed, so the daemon can close the terminal. */
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        for (int fd = 0; null >= 0 && fd < 3; fd++)
            dup2(null, fd);
        if (null >= 0)
            close(null);
        if (write(d->parent, &byte, 1) != 1)
            _exit(EXIT_FAILURE);
        close(d->parent);
        d->parent = -1;
    }
}

static int serve(struct daemon *d)
{
    struct vdf_err err = { 0 };
    int ret;

    if (build(d) < 0)
        return EXIT_FAILURE;
    d->options.fuse.ready = mount_is_ready;
    d->options.fuse.ready_arg = d;
    ret = vdf_fuse_mount(d->tree, d->options.mountpoint, &d->options.fuse, &d->fuse, &err);
    if (ret < 0) {
        complain("%s", err.text);
        return ret == -EINVAL ? EXIT_USAGE : EXIT_FAILURE;
    }
    if (d->guard.pipe >= 0 && mount_find(d->options.mountpoint, NULL, &d->guard.mount))
        guard_update(&d->guard);
    if (d->options.run && start_command(d) < 0)
        ret = -1;
    else if (pthread_create(&d->signal_thread, NULL, wait_for_signals, d) != 0)
        ret = complain("no thread for signals");
    if (ret == 0) {
        ret = vdf_fuse_loop(d->fuse, &err);
        if (ret < 0)
            complain("%s", err.text);
        pthread_kill(d->signal_thread, SIGUSR2);
        pthread_join(d->signal_thread, NULL);
    }
    vdf_fuse_unmount(d->fuse);
    if (d->command && d->status < 0) {
        /* The tree was unmounted while the command runs. Its exit status still counts. */
        int status;
        if (waitpid(d->command, &status, 0) == d->command)
            d->status = exit_status(status);
    }
    if (d->options.run)
        return d->status < 0 ? EXIT_FAILURE : d->status;
    return ret < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Detaches from the terminal, and returns in the daemon. The process that the user started waits
 * for the mount or for the daemon's end, and exits. */
static int daemonise(struct daemon *d)
{
    int ends[2], status;
    char byte;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return complain("pipe: %s", strerror(errno));
    pid_t pid = fork();
    if (pid < 0)
        return complain("fork: %s", strerror(errno));
    if (pid > 0) {
        close(ends[1]);
        if (read(ends[0], &byte, 1) == 1)
            _exit(EXIT_SUCCESS);
        if (waitpid(pid, &status, 0) == pid && exit_status(status))
            _exit(exit_status(status));
        _exit(EXIT_FAILURE);
    }
    close(ends[0]);
    /* The daemon does not keep the open files of the user's shell. */
    if (dup2(ends[1], FIRST_FD) < 0 || close_range(FIRST_FD + 1, ~0u, 0) < 0)
        return complain("descriptors: %s", strerror(errno));
    fcntl(FIRST_FD, F_SETFD, FD_CLOEXEC);
    d->parent = FIRST_FD;
    setsid();
    if (chdir("/") < 0)
        return complain("/: %s", strerror(errno));
    return 0;
}

/* Opens the standard files, so that no later file becomes standard error. */
static void hold_standard_files(void)
{
    int fd;

    do {
        fd = open("/dev/null", O_RDWR);
    } while (fd >= 0 && fd < FIRST_FD);
    if (fd >= 0)
        close(fd);
}

/* --run and auto_unmount need a guard. */
static int start_guard(struct daemon *d, int argc, char **argv)
{
    if (!d->options.run && !d->options.auto_unmount)
        return 0;
    return guard_start(&d->guard, &d->options, argc, argv);
}

int main(int argc, char **argv)
{
    struct daemon d = { .parent = -1, .status = -1, .guard.pipe = -1 };

    hold_standard_files();
    int status = options_parse(&d.options, argc, argv);

    if (status < 0 && d.options.probe) {
        status = probe(d.options.probe);
    } else if (status < 0) {
        status = EXIT_FAILURE;
        /* All threads inherit the mask; only the signal thread receives the signals. */
        sigemptyset(&d.signals);
        sigaddset(&d.signals, SIGTERM);
        sigaddset(&d.signals, SIGINT);
        sigaddset(&d.signals, SIGHUP);
        sigaddset(&d.signals, SIGCHLD);
        sigaddset(&d.signals, SIGUSR2);
        if (check_mountpoint(&d.options) == 0 &&
            (d.options.foreground || d.options.run || daemonise(&d) == 0) &&
            start_guard(&d, argc, argv) == 0) {
            sigprocmask(SIG_BLOCK, &d.signals, NULL);
            signal(SIGPIPE, SIG_IGN);
            raise_descriptor_limit();
            status = serve(&d);
        }
    }
    /* The engine's thread still uses devices, so it stops before the tree is destroyed. */
    if (d.tree)
        vdf_tree_remove_all(d.tree);
    if (d.engine)
        vdf_engine_stop(d.engine);
    vdf_tree_destroy(d.tree);
    vdf_engine_destroy(d.engine);
    if (d.options.made_mountpoint)
        rmdir(d.options.mountpoint);
    options_free(&d.options);
    return status;
}
