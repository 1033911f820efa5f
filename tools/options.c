/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <getopt.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "options.h"

#define MAX_READ_MIN 4096u /* as the kernel */

static void usage(FILE *to)
{
    fprintf(
        to,
        "usage: virtdevfs [-df] [-o OPTION[,OPTION...]] [SOURCE] MOUNTPOINT\n"
        "       virtdevfs [-d] [-o OPTION[,OPTION...]] --run 'COMMAND' [MOUNTPOINT]\n"
        "       virtdevfs --probe[=json]\n"
        "       virtdevfs --help | --version\n"
        "\n"
        "Mounts a tree in which every part of an emulated virtual device is a file.\n"
        "\n"
        "  -f                   stay in the foreground\n"
        "  -d                   stay in the foreground and print every request\n"
        "  --run 'COMMAND'      mount, run COMMAND with the mount point in $VIRTDEVFS, unmount,\n"
        "                       exit with its status; MOUNTPOINT defaults to a temporary one\n"
        "  --probe[=json]       print the features of this host and remedies for missing ones,\n"
        "                       as a table or as JSON; mounts nothing\n"
        "  -h, --help           print this\n"
        "  -V, --version        print the versions\n"
        "  -o allow_other       let other users use the tree, within the modes of its files\n"
        "  -o allow_root        let the superuser use the tree\n"
        "  -o default_permissions, no_default_permissions\n"
        "                       the kernel checks the files' modes, or not (default: only with\n"
        "                       allow_other and allow_root)\n"
        "  -o uid=USER, gid=GROUP, umask=MASK\n"
        "                       owner, group and missing permissions (022) of all files\n"
        "  -o auto_unmount      unmount also when the daemon is killed\n"
        "  -o ro                mount read-only\n"
        "  -o empty             mount without devices\n"
        "  -o state=FILE        mount with the devices saved in FILE\n"
        "  -o engine=auto|io_uring|libaio\n"
        "                       the kernel interface of the event loop (auto)\n"
        "  -o transport=auto|io_uring|dev\n"
        "                       the way in which the kernel delivers requests (auto)\n"
        "  -o cache=auto|always|off\n"
        "                       the values that the kernel caches for read-only opens (auto)\n"
        "\n"
        "virtdevfs(8) describes the command, and virtdevfs-tree(5) the files.\n");
}

int complain(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    fputs("virtdevfs: ", stderr);
    /* clang-analyzer does not see va_start() here. */
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized) */
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

/* The index of @value in @names, or -1. */
static int parse_choice(const char *word, const char *value, const char *const names[3])
{
    for (int k = 0; k < 3; k++)
        if (strcmp(value, names[k]) == 0)
            return k;
    return complain("-o %s: one of %s, %s and %s is needed", word, names[0], names[1], names[2]);
}

static int parse_id(const char *word, const char *value, bool group, unsigned *id)
{
    char *end;
    unsigned long number = strtoul(value, &end, 10);

    if (value[0] >= '0' && value[0] <= '9' && !*end && number < UINT32_MAX) {
        *id = (unsigned)number;
        return 0;
    }
    const struct passwd *user = group ? NULL : getpwnam(value);
    const struct group *named = group ? getgrnam(value) : NULL;
    if (user)
        *id = user->pw_uid;
    else if (named)
        *id = named->gr_gid;
    else
        return complain("-o %s: a number or a name of this system is needed", word);
    return 0;
}

static int parse_umask(const char *word, const char *value, mode_t *mask)
{
    char *end;
    unsigned long number = strtoul(value, &end, 8);

    if (value[0] < '0' || value[0] > '7' || *end || number > 0777)
        return complain("-o %s: an octal number from 0 to 0777 is needed", word);
    *mask = (mode_t)number;
    return 0;
}

static int pass_on(struct options *o, const char *word);

/* libfuse and the kernel need the same value, so libfuse gets this option too. */
static int parse_max_read(struct options *o, const char *word, const char *value)
{
    char *end;
    unsigned long number = strtoul(value, &end, 10);

    if (value[0] < '0' || value[0] > '9' || *end || number < MAX_READ_MIN || number > UINT32_MAX)
        return complain("-o %s: a number of bytes, %u or more, is needed", word, MAX_READ_MIN);
    o->fuse.max_read = (unsigned)number;
    return pass_on(o, word);
}

/* Adds an option to the list for libfuse, with its commas escaped. */
static int pass_on(struct options *o, const char *word)
{
    size_t old = o->for_libfuse ? strlen(o->for_libfuse) : 0;
    char *more = realloc(o->for_libfuse, old + 2 * strlen(word) + 2);

    if (!more)
        return complain("no memory");
    o->for_libfuse = more;
    more += old;
    if (old)
        *more++ = ',';
    for (; *word; word++) {
        if (*word == ',' || *word == '\\')
            *more++ = '\\';
        *more++ = *word;
    }
    *more = '\0';
    return 0;
}

/* Is @word in @list? Words that end in '=' or '-' match every option that begins with them. */
static bool is_among(const char *word, const char *const *list)
{
    for (; *list; list++) {
        size_t len = strlen(*list);
        bool begins = (*list)[len - 1] == '=' || (*list)[len - 1] == '-';
        if (begins ? strncmp(word, *list, len) == 0 : strcmp(word, *list) == 0)
            return true;
    }
    return false;
}

/* Options of libfuse, of the kernel and of mount(8). */
static int parse_common_option(struct options *o, const char *word)
{
    static const char *const passed_on[] = {
        "ro",          "rw",           "suid",       "nosuid",        "dev",
        "nodev",       "exec",         "noexec",     "async",         "sync",
        "dirsync",     "noatime",      "nodiratime", "nostrictatime", "symfollow",
        "nosymfollow", "fsname=",      "subtype=",   "context=",      "fscontext=",
        "defcontext=", "rootcontext=", NULL,
    };
    /* Options of fstab(5) for other programs. */
    static const char *const skipped[] = {
        "relatime", "auto",  "noauto", "defaults", "nofail",   "_netdev", "user", "nouser",
        "users",    "owner", "group",  "user=",    "comment=", "x-",      NULL,
    };

    if (strcmp(word, "allow_other") == 0 || strcmp(word, "allow_root") == 0) {
        o->shared = true;
        return pass_on(o, word);
    }
    if (strcmp(word, "default_permissions") == 0)
        o->permissions = true;
    else if (strcmp(word, "no_default_permissions") == 0)
        o->no_permissions = true;
    else if (strcmp(word, "auto_unmount") == 0)
        o->auto_unmount = true;
    else if (strcmp(word, "debug") == 0)
        o->fuse.debug = o->foreground = true;
    else if (is_among(word, passed_on))
        return pass_on(o, word);
    else if (!is_among(word, skipped))
        return complain("-o %s: there is no such option; try virtdevfs --help", word);
    return 0;
}

/* The value of option @name, or NULL if @word is another option. */
static const char *value_of(const char *word, const char *name)
{
    size_t len = strlen(name);

    return strncmp(word, name, len) == 0 && word[len] == '=' ? word + len + 1 : NULL;
}

static int parse_mount_option(struct options *o, const char *word)
{
    static const char *const engines[] = { "auto", "io_uring", "libaio" };
    static const char *const transports[] = { "auto", "io_uring", "dev" };
    static const char *const caches[] = { "auto", "always", "off" };
    const char *value;
    int ret = 0;

    if (strcmp(word, "empty") == 0) {
        o->empty = true;
    } else if (strcmp(word, "io_uring") == 0) {
        /* libfuse's name of this transport. libfuse's own rings would replace ours. */
        o->fuse.transport = VDF_TRANSPORT_IO_URING;
    } else if ((value = value_of(word, "state"))) {
        free(o->state);
        o->state = absolute(value);
        ret = *value ? 0 : complain("-o state=: the name of a file is missing");
    } else if ((value = value_of(word, "engine"))) {
        o->engine = ret = parse_choice(word, value, engines);
    } else if ((value = value_of(word, "transport"))) {
        o->fuse.transport = ret = parse_choice(word, value, transports);
    } else if ((value = value_of(word, "cache"))) {
        o->fuse.cache = ret = parse_choice(word, value, caches);
    } else if ((value = value_of(word, "uid"))) {
        ret = parse_id(word, value, false, &o->fuse.uid);
    } else if ((value = value_of(word, "gid"))) {
        ret = parse_id(word, value, true, &o->fuse.gid);
    } else if ((value = value_of(word, "umask"))) {
        ret = parse_umask(word, value, &o->fuse.umask);
    } else if ((value = value_of(word, "max_read"))) {
        ret = parse_max_read(o, word, value);
    } else if (*word) {
        ret = parse_common_option(o, word);
    }
    return ret < 0 ? -1 : 0;
}

/* Cuts the first word off a list. A backslash escapes a comma or a backslash in a word; the result
 * has no escapes. */
static char *next_word(char **list)
{
    char *word = *list, *to = word, *from = word;

    if (!word)
        return NULL;
    for (; *from && *from != ','; from++) {
        if (*from == '\\' && (from[1] == ',' || from[1] == '\\'))
            from++;
        *to++ = *from;
    }
    *list = *from ? from + 1 : NULL;
    *to = '\0';
    return word;
}

static int parse_mount_options(struct options *o, const char *list)
{
    /* getopt_long() gives -o an argument. NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker) */
    char *copy = strdup(list), *rest = copy, *word;
    int ret = copy ? 0 : complain("no memory");

    while (ret == 0 && (word = next_word(&rest)))
        ret = parse_mount_option(o, word);
    free(copy);
    return ret;
}

/* MOUNTPOINT, or with mount(8) SOURCE MOUNTPOINT. */
static int parse_names(struct options *o, int n, char **names)
{
    if (n == 2 && !strchr(names[0], '/'))
        o->source = *names++;
    else if (n > 1)
        return complain("%s: only one MOUNTPOINT is possible; try virtdevfs --help", names[1]);
    if (n && !**names)
        return complain("the MOUNTPOINT is empty");
    if (n)
        o->mountpoint = absolute(*names);
    return 0;
}

/* Options that depend on others, after all of them were read. */
static int complete(struct options *o)
{
    const char *source = o->source && *o->source ? o->source : NULL;
    char *fsname = NULL;
    int ret = 0;

    /* Without the check the modes would have no effect on other users. */
    if ((o->shared || o->permissions) && !o->no_permissions)
        ret = pass_on(o, "default_permissions");
    if (ret == 0 && source && asprintf(&fsname, "fsname=%s", source) < 0)
        ret = complain("no memory");
    if (ret == 0 && source)
        ret = pass_on(o, fsname);
    free(fsname);
    o->fuse.options = o->for_libfuse;
    return ret;
}

static int parse_words(struct options *o, int argc, char **argv)
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
            o->fuse.debug = o->foreground = true;
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
                complain("--probe=%s: the only format is json; --probe prints a table", optarg);
                return EXIT_USAGE;
            }
            o->probe = optarg ? PROBE_JSON : PROBE_TEXT;
            break;
        default:
            complain("try virtdevfs --help");
            return EXIT_USAGE;
        }
    }
    return -1;
}

int options_parse(struct options *o, int argc, char **argv)
{
    o->fuse.uid = getuid();
    o->fuse.gid = getgid();
    o->fuse.umask = 022;
    int status = parse_words(o, argc, argv);

    if (status >= 0)
        return status;
    if (parse_names(o, argc - optind, argv + optind) < 0 || complete(o) < 0)
        return EXIT_USAGE;
    if (o->probe && (o->mountpoint || o->run)) {
        complain("--probe mounts nothing: it takes no MOUNTPOINT and no --run");
        return EXIT_USAGE;
    }
    if (!o->probe && !o->mountpoint && !o->run) {
        complain("a MOUNTPOINT is missing; try virtdevfs --help");
        return EXIT_USAGE;
    }
    return -1;
}

void options_free(struct options *o)
{
    free(o->mountpoint);
    free(o->state);
    free(o->for_libfuse);
}
