/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every system call of an operation fails once.
 *
 *     failnth start FILE PROGRAM [ARGUMENT...]
 *     failnth sweep FILE PID MOUNT ERRNO[,ERRNO...] OPERATION [-- OPERATION...]
 *
 * `start` runs a program whose system calls a second process makes fail, controlled by FILE. A
 * seccomp filter hands the calls to that process; those that move bytes to and from FUSE, and
 * private mappings, which are the C library's own, pass. Exit status 77 where the kernel refuses
 * such a filter.
 *
 * `sweep` lets the daemon PID, which serves MOUNT, do an operation again and again, and makes the
 * first call fail with each ERRNO, then the second, until none is left. An operation is one of
 *
 *     mkdir PATH      rmdir PATH                 save PATH: read to the end
 *     map PATH        write PATH TEXT            restore PATH FILE: write what is in FILE
 *
 * After a failure `state` is what it was, and so are the daemon's descriptors, mappings and
 * threads, and the names in the directory of FILE. The file `errors` names the errno. Where a
 * failure did no harm the operations that follow, if there are any, take the first one back before
 * the comparison. The first one stays done in the end.
 *
 * Prints a line a call that failed; exit status 1 with the first thing that is not as it should be.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Mapped by both processes. */
struct order {
    atomic_uint left; /* calls until the one that fails, it included; 0: none does */
    atomic_int error;
    atomic_bool failed;
    atomic_int nr; /* the call that has failed, and its second argument */
    atomic_ullong arg;
};

static const struct {
    int nr;
    const char *name;
} calls[] = {
#define CALL(name)        \
    {                     \
        SYS_##name, #name \
    }
#ifdef SYS_open
    CALL(open),
#endif
    CALL(openat),        CALL(mmap),      CALL(memfd_create),   CALL(ftruncate),
    CALL(fcntl),         CALL(ioctl),     CALL(newfstatat),     CALL(eventfd2),
    CALL(epoll_create1), CALL(epoll_ctl), CALL(userfaultfd),    CALL(socket),
    CALL(bind),          CALL(listen),    CALL(connect),        CALL(unlinkat),
#ifdef SYS_renameat
    CALL(renameat),
#endif
    CALL(renameat2),     CALL(fchmodat),  CALL(readlinkat),     CALL(pread64),
    CALL(pwrite64),      CALL(dup),       CALL(dup3),           CALL(pipe2),
    CALL(clone),         CALL(clone3),    CALL(io_uring_setup), CALL(io_setup),
    CALL(io_submit),     CALL(statx),     CALL(timerfd_create), CALL(io_uring_register),
#undef CALL
};
#define CALLS (sizeof(calls) / sizeof(calls[0]))

static const struct {
    int code;
    const char *name;
} codes[] = {
    { ENOMEM, "ENOMEM" },
    { EMFILE, "EMFILE" },
    { EINTR, "EINTR" },
    { EIO, "EIO" },
};

static void die(const char *format, ...)
{
    va_list ap;

    fputs("failnth: ", stderr);
    va_start(ap, format);
    vfprintf(stderr, format, ap);
    va_end(ap);
    fputc('\n', stderr);
    exit(1);
}

static struct order *map_order(const char *path, int flags)
{
    int fd = open(path, O_RDWR | O_CLOEXEC | flags, 0600);

    if (fd < 0 || ((flags & O_CREAT) && ftruncate(fd, sizeof(struct order)) < 0))
        die("%s: %s", path, strerror(errno));
    void *map = mmap(NULL, sizeof(struct order), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        die("%s: %s", path, strerror(errno));
    close(fd);
    return map;
}

/* --- the process that answers --------------------------------------------------------------------
 */

/* Answers the descriptor of the calls that are handed over, or -1. */
static int set_filter(void)
{
    enum { NOTIFY = CALLS + 5 };
    struct sock_filter code[CALLS + 6];
    unsigned n = 0;

    code[n++] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (unsigned k = 0; k < CALLS; k++, n++)
        code[n] = (struct sock_filter)BPF_JUMP(
            BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)calls[k].nr,
            (uint8_t)(calls[k].nr == SYS_mmap ? CALLS - k : NOTIFY - n - 1), 0);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    /* mmap(2): the low half of the flags. */
    code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                             offsetof(struct seccomp_data, args[3]) +
                                                 (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 4 : 0));
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, MAP_SHARED, 1, 0);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
    const struct sock_fprog program = { .len = (unsigned short)n, .filter = code };

    long fd =
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
    /* Without CAP_SYS_ADMIN a filter needs no_new_privs. */
    if (fd < 0 && errno == EACCES && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
        fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
                     &program);
    return (int)fd;
}

/* Whether the call is the one that fails. */
static bool is_chosen(struct order *order)
{
    unsigned left = atomic_load(&order->left);

    return left > 0 && atomic_fetch_sub(&order->left, 1) == 1;
}

static void answer(int fd, struct order *order)
{
    struct seccomp_notif call = { 0 };
    struct seccomp_notif_resp resp = { 0 };

    /* The call of a thread that has ended meanwhile, or that a signal took out of the call. */
    if (ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0)
        return;
    resp.id = call.id;
    if (is_chosen(order)) {
        atomic_store(&order->nr, call.data.nr);
        atomic_store(&order->arg, call.data.args[1]);
        atomic_store(&order->failed, true);
        resp.error = -atomic_load(&order->error);
    } else {
        resp.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    }
    ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &resp);
}

/* Serves until the last process with the filter has ended. */
static void serve(int fd, struct order *order)
{
    struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

    while (poll(&poll_fd, 1, -1) >= 0 || errno == EINTR) {
        if (poll_fd.revents & POLLIN)
            answer(fd, order);
        else if (poll_fd.revents)
            return;
    }
}

static void send_fd(int to, int fd)
{
    char byte = 0;
    struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = { .head = { .cmsg_len = CMSG_LEN(sizeof(int)),
                            .cmsg_level = SOL_SOCKET,
                            .cmsg_type = SCM_RIGHTS } };
    struct msghdr message = { .msg_iov = &iov,
                              .msg_iovlen = 1,
                              .msg_control = control.bytes,
                              .msg_controllen = sizeof(control.bytes) };

    memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
    if (sendmsg(to, &message, 0) != 1)
        die("sendmsg: %s", strerror(errno));
}

/* -1 when the other end has gone without sending one. */
static int receive_fd(int from)
{
    char byte;
    int fd = -1;
    struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr message = { .msg_iov = &iov,
                              .msg_iovlen = 1,
                              .msg_control = control.bytes,
                              .msg_controllen = sizeof(control.bytes) };

    if (recvmsg(from, &message, MSG_CMSG_CLOEXEC) == 1 && CMSG_FIRSTHDR(&message))
        memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
    return fd;
}

/* The second process outlives the script, as the daemon needs its answers. */
static void serve_apart(int from, struct order *order)
{
    int null = open("/dev/null", O_RDWR);

    setsid();
    for (int fd = 0; fd <= 2; fd++)
        dup2(null, fd);
    int fd = receive_fd(from);
    if (fd >= 0)
        serve(fd, order);
    _exit(0);
}

static int start(int argc, char **argv)
{
    int ends[2];

    if (argc < 2)
        die("start takes FILE PROGRAM [ARGUMENT...]");
    struct order *order = map_order(argv[0], O_CREAT);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        die("socketpair: %s", strerror(errno));
    pid_t pid = fork();
    if (pid < 0)
        die("fork: %s", strerror(errno));
    if (pid == 0) {
        close(ends[0]);
        serve_apart(ends[1], order);
    }
    close(ends[1]);
    int fd = set_filter();
    if (fd < 0) {
        fprintf(stderr, "failnth: seccomp: %s\n", strerror(errno));
        return 77;
    }
    send_fd(ends[0], fd);
    close(fd);
    execvp(argv[1], argv + 1);
    die("%s: %s", argv[1], strerror(errno));
    return 1;
}

/* --- operations ----------------------------------------------------------------------------------
 */

static const char *mount_point;

static const char *whole_path(const char *path)
{
    static char whole[4096];

    snprintf(whole, sizeof(whole), "%s/%s", mount_point, path);
    return whole;
}

struct text {
    char *bytes;
    size_t n;
};

/* 0 or -errno. The caller frees the text. */
static int read_file(const char *path, struct text *text)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), ret = 0;
    ssize_t n = 1;

    *text = (struct text){ 0 };
    if (fd < 0)
        return -errno;
    for (size_t room = 0; n > 0; text->n += (size_t)n) {
        if (text->n + 65536 >= room) {
            room = 2 * room + 131072;
            text->bytes = realloc(text->bytes, room);
            if (!text->bytes)
                die("no memory");
        }
        n = read(fd, text->bytes + text->n, 65536);
        if (n < 0) {
            ret = -errno;
            break;
        }
    }
    text->bytes[text->n] = '\0';
    close(fd);
    return ret;
}

static int write_file(const char *path, const char *bytes, size_t n)
{
    int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC), ret = 0;

    if (fd < 0)
        return -errno;
    while (n > 0 && ret == 0) {
        ssize_t done = write(fd, bytes, n < 65536 ? n : 65536);
        if (done < 0) {
            ret = -errno;
        } else {
            bytes += done;
            n -= (size_t)done;
        }
    }
    if (close(fd) < 0 && ret == 0)
        ret = -errno;
    return ret;
}

struct op {
    const char *word, *path;
    struct text text; /* of a write */
};

static int save(const char *path)
{
    struct text text;
    int ret = read_file(path, &text);

    free(text.bytes);
    return ret;
}

/* An open file need not have pages that can be mapped: then mmap(2) alone is refused. */
static int map(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (page != MAP_FAILED) {
        *(volatile char *)page;
        munmap(page, 4096);
    }
    close(fd);
    return 0;
}

static int run(const struct op *op)
{
    const char *path = whole_path(op->path);

    if (strcmp(op->word, "mkdir") == 0)
        return mkdir(path, 0777) < 0 ? -errno : 0;
    if (strcmp(op->word, "rmdir") == 0)
        return rmdir(path) < 0 ? -errno : 0;
    if (strcmp(op->word, "save") == 0)
        return save(path);
    if (strcmp(op->word, "map") == 0)
        return map(path);
    return write_file(path, op->text.bytes, op->text.n);
}

/* How many words of the command line it takes. */
static int parse(struct op *op, int argc, char **argv)
{
    if (argc < 2)
        die("an operation is mkdir, rmdir, save, map, write or restore, and a path");
    *op = (struct op){ .word = argv[0], .path = argv[1] };
    if (strcmp(op->word, "write") != 0 && strcmp(op->word, "restore") != 0)
        return 2;
    if (argc < 3)
        die("%s takes a path and a text", op->word);
    if (strcmp(op->word, "write") == 0)
        op->text = (struct text){ .bytes = argv[2], .n = strlen(argv[2]) };
    else if (read_file(argv[2], &op->text) < 0)
        die("%s cannot be read", argv[2]);
    return 3;
}

/* --- what has to stay as it was ------------------------------------------------------------------
 */

struct sight {
    struct text state;
    char *resources; /* a line a descriptor, shared mapping, thread and file */
};

static const char *pid_text, *directory;

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

struct lines {
    char *line[16384];
    size_t n;
};

static void add_line(struct lines *lines, const char *what, const char *text)
{
    if (lines->n == sizeof(lines->line) / sizeof(lines->line[0]))
        die("the daemon has too many descriptors and mappings");
    if (asprintf(&lines->line[lines->n++], "%s %s\n", what, text) < 0)
        die("no memory");
}

static DIR *open_dir(const char *path)
{
    DIR *dir = opendir(path);

    if (!dir)
        die("%s: %s", path, strerror(errno));
    return dir;
}

static DIR *open_proc(const char *name)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%s/%s", pid_text, name);
    return open_dir(path);
}

static void add_files(struct lines *lines)
{
    DIR *dir = open_dir(directory);

    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
        add_line(lines, "file", entry->d_name);
    closedir(dir);
}

static void add_descriptors(struct lines *lines)
{
    DIR *dir = open_proc("fd");

    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        char target[4096];
        ssize_t n = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);
        if (n < 0)
            continue;
        target[n] = '\0';
        /* One socket is as good as another. */
        if (strncmp(target, "socket:", 7) == 0)
            target[6] = '\0';
        add_line(lines, "descriptor", target);
    }
    closedir(dir);
}

static void add_threads(struct lines *lines)
{
    DIR *dir = open_proc("task");

    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        if (entry->d_name[0] != '.')
            add_line(lines, "thread", "");
    }
    closedir(dir);
}

static void add_mappings(struct lines *lines)
{
    char path[64], line[4096], shared;

    snprintf(path, sizeof(path), "/proc/%s/maps", pid_text);
    FILE *maps = fopen(path, "re");
    if (!maps)
        die("%s: %s", path, strerror(errno));
    while (fgets(line, sizeof(line), maps)) {
        int name = 0;
        line[strcspn(line, "\n")] = '\0';
        if (sscanf(line, "%*s %*c%*c%*c%c %*s %*s %*s %n", &shared, &name) == 1 && shared == 's')
            add_line(lines, "mapping", line + name);
    }
    fclose(maps);
}

static char *list_resources(void)
{
    static struct lines lines;
    size_t n = 1;

    lines.n = 0;
    add_descriptors(&lines);
    add_threads(&lines);
    add_mappings(&lines);
    add_files(&lines);
    qsort(lines.line, lines.n, sizeof(lines.line[0]), by_text);
    for (size_t k = 0; k < lines.n; k++)
        n += strlen(lines.line[k]);
    char *all = malloc(n), *at = all;
    if (!all)
        die("no memory");
    *at = '\0';
    for (size_t k = 0; k < lines.n; k++) {
        at = stpcpy(at, lines.line[k]);
        free(lines.line[k]);
    }
    return all;
}

static void look(struct sight *sight)
{
    int ret = read_file(whole_path("state"), &sight->state);

    if (ret < 0)
        die("state cannot be read: %s", strerror(-ret));
    sight->resources = list_resources();
}

static void forget(struct sight *sight)
{
    free(sight->state.bytes);
    free(sight->resources);
}

/* Looks again until what the operations before have released is gone: the same three times. */
static void look_settled(struct sight *sight)
{
    const struct timespec pause = { .tv_nsec = 20 * 1000 * 1000 };

    look(sight);
    for (unsigned same = 1; same < 3;) {
        struct sight was = *sight;
        nanosleep(&pause, NULL);
        look(sight);
        same = strcmp(was.resources, sight->resources) == 0 ? same + 1 : 1;
        forget(&was);
    }
}

static void print_difference(const char *was, const char *is)
{
    while (*was && *is) {
        size_t n = strcspn(was, "\n"), m = strcspn(is, "\n");
        if (n != m || memcmp(was, is, n) != 0)
            break;
        was += n + (was[n] == '\n');
        is += m + (is[m] == '\n');
    }
    fprintf(stderr, "  was: %.*s\n   is: %.*s\n", (int)strcspn(was, "\n"), was,
            (int)strcspn(is, "\n"), is);
}

/* Waits for resources that another thread releases after the answer. */
static const char *difference(const struct sight *before, struct sight *now)
{
    for (unsigned tries = 0;; tries++) {
        const struct timespec pause = { .tv_nsec = 20 * 1000 * 1000 };
        look(now);
        const char *what = NULL;
        if (before->state.n != now->state.n ||
            memcmp(before->state.bytes, now->state.bytes, now->state.n) != 0)
            what = "state";
        else if (strcmp(before->resources, now->resources) != 0)
            what = "resources";
        if (!what || tries == 500)
            return what;
        forget(now);
        nanosleep(&pause, NULL);
    }
}

/* --- the sweep -----------------------------------------------------------------------------------
 */

static struct order *order;
static int code;
static const char *code_name;

static void choose(const char *name)
{
    for (size_t k = 0; k < sizeof(codes) / sizeof(codes[0]); k++) {
        if (strcmp(codes[k].name, name) == 0) {
            code = codes[k].code;
            code_name = codes[k].name;
            return;
        }
    }
    die("%s is no errno that is known here", name);
}

static const char *call_name(int nr)
{
    for (size_t k = 0; k < CALLS; k++) {
        if (calls[k].nr == nr)
            return calls[k].name;
    }
    return "?";
}

/* The answer to @op while its @n-th call fails. */
static int run_failing(const struct op *op, unsigned n)
{
    if (write_file(whole_path("errors"), "\n", 1) < 0)
        die("errors cannot be emptied");
    atomic_store(&order->failed, false);
    atomic_store(&order->error, code);
    atomic_store(&order->left, n);
    int ret = run(op);
    atomic_store(&order->left, 0);
    return ret;
}

static void expect_line(const struct op *op, const char *call, int ret)
{
    struct text text;

    if (read_file(whole_path("errors"), &text) < 0)
        die("errors cannot be read");
    if (!strstr(text.bytes, code_name))
        die("%s %s: errors does not name the %s of %s, the answer is %s: %s", op->word, op->path,
            code_name, call, strerror(-ret), text.bytes);
    free(text.bytes);
}

static void expect_no_difference(const struct op *op, const char *how, const struct sight *before)
{
    struct sight now;
    const char *what = difference(before, &now);

    if (what) {
        fprintf(stderr, "failnth: %s %s: other %s after %s\n", op->word, op->path, what, how);
        if (strcmp(what, "state") == 0)
            print_difference(before->state.bytes, now.state.bytes);
        else
            print_difference(before->resources, now.resources);
        exit(1);
    }
    forget(&now);
}

static struct op undo[4];
static unsigned n_undo;

static void take_back(const struct op *op, const char *how)
{
    for (unsigned k = 0; k < n_undo; k++) {
        int ret = run(&undo[k]);
        if (ret < 0)
            die("%s %s cannot be taken back after %s: %s", op->word, op->path, how, strerror(-ret));
    }
}

/* False when there was no call left that could fail. */
static bool fail_once(const struct op *op, const struct sight *before, unsigned n)
{
    char call[64], how[256];
    int ret = run_failing(op, n);

    if (!atomic_load(&order->failed)) {
        if (ret < 0)
            die("%s %s is refused without a failure: %s", op->word, op->path, strerror(-ret));
        return false;
    }
    snprintf(call, sizeof(call), "call %u, %s(, %#llx)", n, call_name(atomic_load(&order->nr)),
             atomic_load(&order->arg));
    snprintf(how, sizeof(how), "%s, failed with %s: %s", call, code_name,
             ret < 0 ? strerror(-ret) : "done");
    printf("%s %s: %s\n", op->word, op->path, how);
    fflush(stdout);
    if (ret < 0)
        expect_line(op, call, ret);
    else if (n_undo == 0)
        return true;
    else
        take_back(op, how);
    expect_no_difference(op, how, before);
    return true;
}

static int sweep(int argc, char **argv)
{
    struct op op;
    struct sight before;

    if (argc < 6)
        die("sweep takes FILE PID MOUNT ERRNO[,ERRNO...] OPERATION [-- OPERATION...]");
    order = map_order(argv[0], 0);
    pid_text = argv[1];
    mount_point = argv[2];
    directory = dirname(strdup(argv[0]));
    int n = 4 + parse(&op, argc - 4, argv + 4);
    while (n < argc && strcmp(argv[n], "--") == 0 && n_undo < sizeof(undo) / sizeof(undo[0])) {
        n++;
        n += parse(&undo[n_undo++], argc - n, argv + n);
    }
    if (n < argc)
        die("%s: the operations that take back are up to 4, each after --", argv[n]);
    look_settled(&before);
    for (unsigned k = 1; k < 10000; k++) {
        char *names = strdup(argv[3]), *rest = names;
        for (char *name = strtok_r(rest, ",", &rest); name; name = strtok_r(NULL, ",", &rest)) {
            choose(name);
            if (!fail_once(&op, &before, k))
                return 0;
        }
        free(names);
    }
    die("%s %s: no end", op.word, op.path);
    return 1;
}

int main(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[1], "start") == 0)
        return start(argc - 2, argv + 2);
    if (argc > 2 && strcmp(argv[1], "sweep") == 0)
        return sweep(argc - 2, argv + 2);
    die("start or sweep has to be given");
    return 1;
}
