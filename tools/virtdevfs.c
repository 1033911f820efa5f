/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtdevfs: emulated devices as a mounted tree of files. See virtdevfs(8).
 *
 *     virtdevfs /mnt && ls /mnt && umount /mnt
 *     virtdevfs --run 'cat $VIRTDEVFS/aplic/aplic0/pending'
 *
 * Threads: the main thread reads /dev/fuse; with FUSE over io_uring one for each processor serves
 * what comes there (fuse_ring.c), and one has the kernel drop what it keeps (fuse_cache.c). The
 * engine's thread waits for everything else, each processor of a guest has one, and one waits for
 * signals and for the command of --run. All call into the core, which has the locks.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuse_session.h"

#define EXIT_USAGE 2

extern char **environ;

static const struct vdf_component *const components[] = {
    &vdf_console_component,
    &vdf_aplic_component,
    &vdf_gait_component,
    &vdf_hwqueue_component,
    &vdf_intx_component,
    &vdf_vm_component,
    NULL,
};

enum probe_format { NO_PROBE, PROBE_TEXT, PROBE_JSON };

struct options {
    bool foreground, debug, empty;
    enum probe_format probe;
    const char *run;
    char *state;      /* absolute */
    char *mountpoint; /* absolute */
    bool made_mountpoint;
    enum vdf_engine_kind engine;
    enum vdf_transport transport;
    enum vdf_cache cache;
    char *fuse; /* what is left of -o, for libfuse */
};

/* --- the command line ------------------------------------------------------------------------- */

static void usage(FILE *to)
{
    fprintf(
        to,
        "usage: virtdevfs [-df] [-o OPTION[,OPTION...]] MOUNTPOINT\n"
        "       virtdevfs [-d] [-o OPTION[,OPTION...]] --run 'COMMAND' [MOUNTPOINT]\n"
        "       virtdevfs --probe[=json]\n"
        "       virtdevfs --help | --version\n"
        "\n"
        "Mounts a tree in which every part of an emulated virtual device is a file.\n"
        "\n"
        "  -f                   stay in the foreground\n"
        "  -d                   stay in the foreground and print every request\n"
        "  --run 'COMMAND'      mount, run COMMAND with the mount point in $VIRTDEVFS, unmount,\n"
        "                       exit with its status; without MOUNTPOINT on a temporary one\n"
        "  --probe[=json]       print what this host offers and what would bring the rest, as a\n"
        "                       table or as JSON; mounts nothing\n"
        "  -h, --help           print this\n"
        "  -V, --version        print the versions\n"
        "  -o allow_other       other users may use the tree\n"
        "  -o default_permissions\n"
        "                       the kernel checks the files' modes\n"
        "  -o ro                nothing can be written, made or removed\n"
        "  -o empty             begin without devices\n"
        "  -o state=FILE        begin with the devices saved in FILE\n"
        "  -o engine=auto|io_uring|libaio\n"
        "                       what the daemon waits with (auto)\n"
        "  -o transport=auto|io_uring|dev\n"
        "                       how requests come from the kernel (auto)\n"
        "  -o cache=auto|always|off\n"
        "                       which values the kernel keeps for those who only read (auto)\n"
        "\n"
        "virtdevfs(8) says more, virtdevfs-tree(5) describes the files.\n");
}

__attribute__((format(printf, 1, 2))) static int complain(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    fputs("virtdevfs: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    return -1;
}

static char *absolute(const char *path)
{
    char *result, *cwd;

    if (*path == '/')
        return strdup(path);
    cwd = getcwd(NULL, 0);
    if (!cwd || asprintf(&result, "%s/%s", cwd, path) < 0)
        result = NULL;
    free(cwd);
    return result;
}

static int parse_engine(struct options *o, const char *word)
{
    if (strcmp(word, "auto") == 0)
        o->engine = VDF_ENGINE_AUTO;
    else if (strcmp(word, "io_uring") == 0)
        o->engine = VDF_ENGINE_IO_URING;
    else if (strcmp(word, "libaio") == 0)
        o->engine = VDF_ENGINE_LIBAIO;
    else
        return complain("-o engine=%s: engines are auto, io_uring and libaio", word);
    return 0;
}

static int parse_transport(struct options *o, const char *word)
{
    if (strcmp(word, "auto") == 0)
        o->transport = VDF_TRANSPORT_AUTO;
    else if (strcmp(word, "io_uring") == 0)
        o->transport = VDF_TRANSPORT_IO_URING;
    else if (strcmp(word, "dev") == 0)
        o->transport = VDF_TRANSPORT_DEV;
    else
        return complain("-o transport=%s: transports are auto, io_uring and dev", word);
    return 0;
}

static int parse_cache(struct options *o, const char *word)
{
    if (strcmp(word, "auto") == 0)
        o->cache = VDF_CACHE_AUTO;
    else if (strcmp(word, "always") == 0)
        o->cache = VDF_CACHE_ALWAYS;
    else if (strcmp(word, "off") == 0)
        o->cache = VDF_CACHE_OFF;
    else
        return complain("-o cache=%s: it is auto, always or off", word);
    return 0;
}

/* Takes our own mount options and leaves the others to libfuse. */
static int parse_mount_options(struct options *o, const char *list)
{
    char *copy = strdup(list), *rest = copy, *word;
    int ret = copy ? 0 : complain("no memory");

    while (ret == 0 && (word = strsep(&rest, ","))) {
        if (strcmp(word, "empty") == 0) {
            o->empty = true;
        } else if (strncmp(word, "state=", 6) == 0) {
            free(o->state);
            o->state = absolute(word + 6);
        } else if (strncmp(word, "engine=", 7) == 0) {
            ret = parse_engine(o, word + 7);
        } else if (strncmp(word, "transport=", 10) == 0) {
            ret = parse_transport(o, word + 10);
        } else if (strcmp(word, "io_uring") == 0) {
            /* libfuse's word for it, whose own rings would get in the way of ours. */
            o->transport = VDF_TRANSPORT_IO_URING;
        } else if (strncmp(word, "cache=", 6) == 0) {
            ret = parse_cache(o, word + 6);
        } else if (*word) {
            char *more;
            if (asprintf(&more, "%s%s%s", o->fuse ? o->fuse : "", o->fuse ? "," : "", word) < 0)
                ret = complain("no memory");
            else {
                free(o->fuse);
                o->fuse = more;
            }
        }
    }
    free(copy);
    return ret;
}

/* -1: go on; else the exit status. */
static int parse_arguments(struct options *o, int argc, char **argv)
{
    static const struct option words[] = {
        { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, 'V' },
        { "run", required_argument, NULL, 'r' },
        { "probe", optional_argument, NULL, 'p' },
        { 0 },
    };
    int c;

    while ((c = getopt_long(argc, argv, "dfho:V", words, NULL)) >= 0) {
        switch (c) {
        case 'd':
            o->debug = true;
            o->foreground = true;
            break;
        case 'f':
            o->foreground = true;
            break;
        case 'h':
            usage(stdout);
            return EXIT_SUCCESS;
        case 'V':
            printf("virtdevfs %s\nlibfuse %s\n", VDF_VERSION, vdf_fuse_version());
            return EXIT_SUCCESS;
        case 'o':
            if (parse_mount_options(o, optarg) < 0)
                return EXIT_USAGE;
            break;
        case 'r':
            o->run = optarg;
            break;
        case 'p':
            if (optarg && strcmp(optarg, "json") != 0) {
                complain("--probe=%s: formats are json and, without a word, a table", optarg);
                return EXIT_USAGE;
            }
            o->probe = optarg ? PROBE_JSON : PROBE_TEXT;
            break;
        default:
            complain("try virtdevfs --help");
            return EXIT_USAGE;
        }
    }
    if (optind < argc)
        o->mountpoint = absolute(argv[optind++]);
    if (optind < argc) {
        complain("%s: there is one MOUNTPOINT; try virtdevfs --help", argv[optind]);
        return EXIT_USAGE;
    }
    if (o->probe && (o->mountpoint || o->run)) {
        complain("--probe mounts nothing: it goes without a MOUNTPOINT and --run");
        return EXIT_USAGE;
    }
    if (o->probe)
        return -1;
    if (!o->mountpoint && !o->run) {
        complain("a MOUNTPOINT is missing; try virtdevfs --help");
        return EXIT_USAGE;
    }
    return -1;
}

/* --- the mount point -------------------------------------------------------------------------- */

/* The mount table writes a space as \040 and so on. */
static bool same_mount(const char *escaped, const char *path)
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

static bool is_mounted(const char *mountpoint)
{
    FILE *mounts = fopen("/proc/self/mounts", "re");
    char *line = NULL;
    size_t cap = 0;
    bool found = false;

    while (mounts && !found && getline(&line, &cap, mounts) >= 0) {
        char *rest = line;
        strsep(&rest, " ");
        char *where = strsep(&rest, " ");
        char *type = rest ? strsep(&rest, " ") : NULL;
        found = type && strcmp(type, "fuse.virtdevfs") == 0 && same_mount(where, mountpoint);
    }
    free(line);
    if (mounts)
        fclose(mounts);
    return found;
}

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
        /* The others when it dies just now, with this very request under way. */
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
    if (is_mounted(o->mountpoint))
        return complain("%s: a virtdevfs is mounted here already", o->mountpoint);
    return 0;
}

/* Ten thousand devices with memory of their own need as many descriptors. */
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
    int parent; /* pipe to the process that the user started; -1: we are it */
    int status; /* of the command of --run, once it has ended */
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
    ret = vdf_tree_create(components, d->engine, &d->tree, &err);
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
    struct vdf_probe probes[sizeof(components) / sizeof(components[0]) + 2] = {
        { .part = &vdf_engine_probe },
        { .part = &vdf_fuse_probe },
    };
    struct vdf_buf out = VDF_BUF_INIT;
    unsigned n = 2;

    for (unsigned k = 0; components[k]; k++)
        if (components[k]->probe)
            probes[n++].part = components[k]->probe;
    raise_descriptor_limit();
    vdf_probe_run(probes, n);
    if (format == PROBE_JSON)
        vdf_probe_json(probes, n, VDF_VERSION, &out);
    else
        vdf_probe_text(probes, n, &out);
    int ret = print(&out);
    vdf_buf_free(&out);
    vdf_probe_free(probes, n);
    return ret < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* --- signals and --run ------------------------------------------------------------------------ */

static int exit_status(int status)
{
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Ends the loop on SIGTERM and its like, and when the command has ended. While a command runs,
 * signals are its own affair: the terminal's it gets anyway, others are handed on. */
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
            return NULL; /* the loop has ended by itself */
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
    return ret ? complain("/bin/sh: %s", strerror(ret)) : 0;
}

/* In the FUSE thread, before the first request: the mount can be used. */
static void mount_is_ready(void *arg)
{
    struct daemon *d = arg;
    char byte = 0;

    if (d->parent >= 0) {
        /* The daemon lets go of the terminal only now, when nothing can be complained of any more.
         */
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
    struct vdf_fuse_options options = {
        .options = d->options.fuse,
        .debug = d->options.debug,
        .transport = d->options.transport,
        .cache = d->options.cache,
        .ready = mount_is_ready,
        .ready_arg = d,
    };
    struct vdf_err err = { 0 };
    int ret;

    if (build(d) < 0)
        return EXIT_FAILURE;
    ret = vdf_fuse_mount(d->tree, d->options.mountpoint, &options, &d->fuse, &err);
    if (ret < 0) {
        complain("%s", err.text);
        return ret == -EINVAL ? EXIT_USAGE : EXIT_FAILURE;
    }
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
        /* The tree was unmounted under the command, which may yet have something to say. */
        int status;
        if (waitpid(d->command, &status, 0) == d->command)
            d->status = exit_status(status);
    }
    if (d->options.run)
        return d->status < 0 ? EXIT_FAILURE : d->status;
    return ret < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Detaches from the terminal. Returns in the daemon; the process that the user started waits for
 * the mount or for the daemon's end, and exits. */
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
    d->parent = ends[1];
    setsid();
    if (chdir("/") < 0)
        return complain("/: %s", strerror(errno));
    return 0;
}

int main(int argc, char **argv)
{
    struct daemon d = { .parent = -1, .status = -1 };
    int status = parse_arguments(&d.options, argc, argv);

    if (status < 0 && d.options.probe) {
        status = probe(d.options.probe);
    } else if (status < 0) {
        status = EXIT_FAILURE;
        /* Every thread inherits this; only the signal thread takes them. */
        sigemptyset(&d.signals);
        sigaddset(&d.signals, SIGTERM);
        sigaddset(&d.signals, SIGINT);
        sigaddset(&d.signals, SIGHUP);
        sigaddset(&d.signals, SIGCHLD);
        sigaddset(&d.signals, SIGUSR2);
        if (check_mountpoint(&d.options) == 0 &&
            (d.options.foreground || d.options.run || daemonise(&d) == 0)) {
            sigprocmask(SIG_BLOCK, &d.signals, NULL);
            signal(SIGPIPE, SIG_IGN);
            raise_descriptor_limit();
            status = serve(&d);
        }
    }
    /* What the engine still holds of the devices goes with its thread, before the tree. */
    if (d.tree)
        vdf_tree_remove_all(d.tree);
    if (d.engine)
        vdf_engine_stop(d.engine);
    vdf_tree_destroy(d.tree);
    vdf_engine_destroy(d.engine);
    if (d.options.made_mountpoint)
        rmdir(d.options.mountpoint);
    free(d.options.mountpoint);
    free(d.options.state);
    free(d.options.fuse);
    return status;
}
