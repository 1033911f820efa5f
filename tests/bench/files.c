/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files that are read and written: text, registers at offsets, mapped memory. Each over both
 * transports, and with the client on the daemon's processor and on another. The empty file system
 * and QEMU stay on the daemon's processor; what serves FUSE over io_uring is wherever the client
 * is.
 */
#include <endian.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"

#define TIMES 32u /* between two looks at the clock */
/* cachestat(2) of Linux 6.5, on all processors alike; older headers have no name for it. */
#define CACHESTAT 451
#define STILL_READS 200u
#define RING_NAPS 5000u
#define MAP_BYTES 4096u
#define TARGET "aplic/aplic0/target/1" /* a register that keeps any small number */
#define TARGET_OFFSET 0x3004
#define REGS "aplic/aplic0/regs"
#define TEXT "0x00000001\n"
#define TEXT_BYTES 11u

/* --- what is timed ---------------------------------------------------------------------------- */

struct bytes {
    int fd, write_fd;
    int window_fd; /* where the register is written to from elsewhere; 0: there is no other way */
    size_t n;
    off_t offset;
};

static void check(ssize_t n, const char *what)
{
    if (n <= 0)
        bench_die(what);
}

static double read_again(void *ctx, uint64_t ns)
{
    const struct bytes *b = ctx;
    char text[4096];

    return BENCH_LOOP(ns, TIMES, check(pread(b->fd, text, b->n, b->offset), "pread"));
}

static double write_again(void *ctx, uint64_t ns)
{
    const struct bytes *b = ctx;
    static const char text[] = TEXT;

    return BENCH_LOOP(ns, TIMES, check(pwrite(b->write_fd, text, b->n, b->offset), "pwrite"));
}

/* Through the window, if there is one: the kernel drops by itself what is written to the same file. */
static void change(const struct bytes *b, const char *value)
{
    uint32_t word = htole32((uint32_t)strtoul(value, NULL, 0));

    if (b->window_fd)
        check(pwrite(b->window_fd, &word, sizeof(word), TARGET_OFFSET), "pwrite of regs");
    else
        check(pwrite(b->write_fd, value, TEXT_BYTES, 0), "pwrite");
}

/* The time of the reads only; each finds another value than the one before. */
static double read_changing(void *ctx, uint64_t ns)
{
    const struct bytes *b = ctx;
    char value[] = TEXT, got[64];
    uint64_t begin = bench_now(), reading = 0;
    unsigned n = 0;

    do {
        value[TEXT_BYTES - 2] = '1' + (char)(n++ & 1);
        change(b, value);
        uint64_t start = bench_now();
        check(pread(b->fd, got, sizeof(got), 0), "pread");
        reading += bench_now() - start;
        if (memcmp(got, value, TEXT_BYTES) != 0)
            bench_die("a value that is older than its change was read");
    } while (bench_now() - begin < ns);
    return (double)reading / n;
}

/* As cat(1) does. */
static void cat(const char *path)
{
    char text[4096];
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &st))
        bench_die(path);
    while (read(fd, text, sizeof(text)) > 0)
        ;
    close(fd);
}

static double cat_again(void *ctx, uint64_t ns)
{
    return BENCH_LOOP(ns, TIMES, cat(ctx));
}

static double store_again(void *ctx, uint64_t ns)
{
    volatile uint32_t *words = ctx;
    uint32_t value = 0;

    return BENCH_LOOP(ns, 65536, {
        words[value % (MAP_BYTES / 4)] = value;
        value++;
    });
}

/* --- the files -------------------------------------------------------------------------------- */

struct files {
    struct bench_mount ours, empty;
    const char *transport;
    enum bench_cores cores;
    const char *sysfs;
    char tmpfs[256];
    struct bench_qtest *qtest; /* NULL: there is none */
};

/* An attribute whose value is printed without a lock or a device. */
static const char *sysfs_attribute(void)
{
    static const char *const paths[] = { "/sys/kernel/uevent_seqnum", "/sys/kernel/rcu_expedited",
                                         "/sys/kernel/fscaps" };

    for (size_t k = 0; k < sizeof(paths) / sizeof(paths[0]); k++)
        if (access(paths[k], R_OK) == 0)
            return paths[k];
    return NULL;
}

static int open_path(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC);

    if (fd < 0)
        bench_die(path);
    return fd;
}

/* Whether the value that was read from @fd has stayed in the kernel. */
static bool is_cached(int fd)
{
    struct {
        uint64_t offset, length;
    } range = { 0, 4096 };
    struct {
        uint64_t cached, dirty, writeback, evicted, recently_evicted;
    } found = { 0 };

    return syscall(CACHESTAT, fd, &range, &found, 0) == 0 && found.cached > 0;
}

#define AT_MOST(limit) .goal = { BENCH_AT_MOST, limit }
#define CASE(name, f) \
    .row = name, .variant = (f)->transport, .cores = bench_cores_name((f)->cores), .unit = "ns"

/* How a file is opened decides what the kernel keeps of it: after many reads of the same value, or
 * right after a change. */
static int open_target(const struct files *f, bool still)
{
    char path[256];

    snprintf(path, sizeof(path), "%s", bench_path(&f->ours, TARGET));
    for (unsigned k = 0; still && k < STILL_READS; k++)
        cat(path);
    if (!still)
        for (unsigned k = 2; k > 0; k--)
            bench_put(&f->ours, TARGET, "%u", k);
    return open_path(path, O_RDONLY);
}

static void compare_reads(const struct files *f, bool still)
{
    struct bytes ours = { .fd = open_target(f, still),
                          .write_fd = bench_open(&f->ours, TARGET, O_WRONLY),
                          .window_fd = bench_open(&f->ours, REGS, O_WRONLY),
                          .n = 64 };
    struct bytes empty = { .fd = bench_open(&f->empty, "value", O_RDONLY),
                           .write_fd = bench_open(&f->empty, "value", O_WRONLY),
                           .n = 64 };
    struct bytes tmpfs = { .fd = open_path(f->tmpfs, O_RDONLY), .n = 64 };
    struct bytes sysfs = { .fd = f->sysfs ? open_path(f->sysfs, O_RDONLY) : -1, .n = 64 };
    char variant[48];

    snprintf(variant, sizeof(variant), "%s, opened %s", f->transport, still ? "still" : "changed");
    struct bench_case unchanged = {
        CASE("pread-unchanged", f), .ours = { "", read_again, &ours },
        .yardsticks = { { .timed = { "tmpfs file", read_again, &tmpfs } },
                        { .timed = { "empty FUSE", read_again, &empty } },
                        { { "sysfs attribute", read_again, &sysfs }, AT_MOST(1.0) } },
        .n_yardsticks = f->sysfs ? 3 : 2
    };
    unchanged.variant = variant;
    bench_compare(&unchanged);
    if (!f->sysfs)
        bench_skip(unchanged.row, variant, unchanged.cores, "no readable sysfs attribute");
    struct bench_case changing = { CASE("pread-changing", f), .ours = { "", read_changing, &ours },
                                   .yardsticks = { { { "empty FUSE", read_changing, &empty },
                                                     AT_MOST(1.15) } },
                                   .n_yardsticks = 1 };
    changing.variant = variant;
    bench_compare(&changing);
    close(ours.fd);
    close(ours.write_fd);
    close(ours.window_fd);
    close(empty.fd);
    close(empty.write_fd);
    close(tmpfs.fd);
    if (f->sysfs)
        close(sysfs.fd);
}

static void compare_writes(const struct files *f)
{
    struct bytes ours = { .write_fd = bench_open(&f->ours, TARGET, O_WRONLY), .n = TEXT_BYTES };
    struct bytes empty = { .write_fd = bench_open(&f->empty, "value", O_WRONLY), .n = TEXT_BYTES };
    struct bench_case what = {
        CASE("pwrite", f), .ours = { "", write_again, &ours },
        .yardsticks = { { { "empty FUSE", write_again, &empty }, AT_MOST(1.3) } }, .n_yardsticks = 1
    };

    bench_compare(&what);
    close(ours.write_fd);
    close(empty.write_fd);
}

static void compare_cat(const struct files *f)
{
    char ours[256], empty[256], variant[48], text[64];
    int fd = open_target(f, true);

    check(pread(fd, text, sizeof(text), 0), TARGET);
    bool cached = is_cached(fd);
    close(fd);
    snprintf(ours, sizeof(ours), "%s", bench_path(&f->ours, TARGET));
    snprintf(empty, sizeof(empty), "%s", bench_path(&f->empty, cached ? "cached" : "value"));
    snprintf(variant, sizeof(variant), "%s, %s", f->transport, cached ? "cached" : "direct");
    struct bench_case what = {
        CASE("cat", f), .ours = { "", cat_again, ours },
        .yardsticks = { { { "empty FUSE", cat_again, empty }, AT_MOST(1.1) },
                        { .timed = { "sysfs attribute", cat_again, (char *)f->sysfs } } },
        .n_yardsticks = f->sysfs ? 2 : 1
    };
    what.variant = variant;
    bench_compare(&what);
}

static void compare_regs(const struct files *f)
{
    struct bytes ours = { .fd = bench_open(&f->ours, REGS, O_RDONLY),
                          .write_fd = bench_open(&f->ours, REGS, O_WRONLY),
                          .n = 4,
                          .offset = TARGET_OFFSET };
    struct bytes empty = { .fd = bench_open(&f->empty, "value", O_RDONLY),
                           .write_fd = bench_open(&f->empty, "value", O_WRONLY),
                           .n = 4 };
    struct bench_goal faster = { BENCH_AT_LEAST, 4 };

    struct bench_case reading = {
        CASE("regs-read", f), .ours = { "", read_again, &ours },
        .yardsticks = { { { "empty FUSE", read_again, &empty }, AT_MOST(1.15) },
                        { { "QEMU's qtest", bench_qtest_read, f->qtest }, faster, true } },
        .n_yardsticks = f->qtest ? 2 : 1
    };
    struct bench_case writing = {
        CASE("regs-write", f), .ours = { "", write_again, &ours },
        .yardsticks = { { { "empty FUSE", write_again, &empty }, AT_MOST(1.15) },
                        { { "QEMU's qtest", bench_qtest_write, f->qtest }, faster, true } },
        .n_yardsticks = reading.n_yardsticks
    };
    bench_compare(&reading);
    bench_compare(&writing);
    close(ours.fd);
    close(ours.write_fd);
    close(empty.fd);
    close(empty.write_fd);
}

static void *map_shared(int fd)
{
    void *at = mmap(NULL, MAP_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    return at == MAP_FAILED ? NULL : at;
}

static void compare_raw(const struct files *f)
{
    struct bytes ours = { .fd = bench_open(&f->ours, "gait/gait0/table", O_RDWR), .n = 16 };
    struct bytes tmpfs = { .fd = open_path(f->tmpfs, O_RDONLY), .n = 16 };
    int plain = memfd_create("bench", MFD_CLOEXEC);
    void *own = map_shared(ours.fd), *shared;

    if (plain < 0 || ftruncate(plain, MAP_BYTES) || !(shared = map_shared(plain)))
        bench_die("memfd");
    struct bench_case reading = {
        CASE("raw-read", f), .ours = { "", read_again, &ours },
        .yardsticks = { { { "tmpfs file", read_again, &tmpfs }, AT_MOST(1.5) } }, .n_yardsticks = 1
    };
    bench_compare(&reading);
    struct bench_case storing = { CASE("raw-store", f), .ours = { "", store_again, own },
                                  .yardsticks = { { { "plain memfd", store_again, shared },
                                                    AT_MOST(1.1) } },
                                  .n_yardsticks = 1 };
    if (own)
        bench_compare(&storing);
    else
        bench_skip("raw-store", f->transport, storing.cores,
                   "it cannot be mapped: that takes libfuse 3.17 or newer and CAP_SYS_ADMIN");
    if (own)
        munmap(own, MAP_BYTES);
    munmap(shared, MAP_BYTES);
    close(plain);
    close(ours.fd);
    close(tmpfs.fd);
}

/* --- mounts ----------------------------------------------------------------------------------- */

static const char *const rows[] = { "pread-unchanged", "pread-changing", "pwrite",   "cat",
                                    "regs-read",       "regs-write",     "raw-read", "raw-store" };
#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

static void skip_all(const char *transport, const char *cores, const char *who, const char *why)
{
    for (size_t k = 0; k < N_ROWS; k++)
        bench_skip(rows[k], transport, cores, "%s: %s", who, why);
}

/* libfuse may have been built without its rings, which it does not refuse. They come after the
 * mount. */
static bool is_served_over(const struct bench_mount *empty, const char *transport)
{
    char text[16];

    for (unsigned k = 0; k < RING_NAPS; k++) {
        bench_get(empty, "transport", text, sizeof(text));
        if (strcmp(text, transport) == 0)
            return true;
        bench_nap();
    }
    return false;
}

static bool mount_both(struct files *f)
{
    char options[64];
    bool ring = strcmp(f->transport, "io_uring") == 0;

    if (!bench_mount(&f->empty, bench_helper("bench_empty"), ring ? "io_uring" : "rw", "value")) {
        skip_all(f->transport, "", "the empty file system", f->empty.why);
        return false;
    }
    if (!is_served_over(&f->empty, f->transport)) {
        skip_all(f->transport, "", "the empty file system",
                 "libfuse serves it over another transport");
        bench_unmount(&f->empty);
        return false;
    }
    bench_pin(f->empty.pid, bench_core(false));
    snprintf(options, sizeof(options), "transport=%s", f->transport);
    if (!bench_mount_ours(&f->ours, options, NULL)) {
        skip_all(f->transport, "", "virtdevfs", f->ours.why);
        bench_unmount(&f->empty);
        return false;
    }
    bench_put(&f->ours, "aplic/aplic0/sourcecfg/1", "4");
    return true;
}

static void make_tmpfs_file(struct files *f)
{
    char zero[MAP_BYTES] = TEXT;

    snprintf(f->tmpfs, sizeof(f->tmpfs), "%s/value", bench.tmpfs);
    int fd = open(f->tmpfs, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, zero, sizeof(zero)) != (ssize_t)sizeof(zero))
        bench_die(f->tmpfs);
    close(fd);
}

static bool any_wanted(size_t from, size_t to)
{
    bool any = false;

    for (size_t k = from; k < to; k++)
        any |= bench_wanted(rows[k]);
    return any;
}

static void compare_all(struct files *f)
{
    bench_say("files over %s, client on the %s processor", f->transport,
              f->cores == BENCH_SAME ? "daemon's" : "other");
    if (any_wanted(0, 2)) {
        compare_reads(f, true);
        compare_reads(f, false);
    }
    if (any_wanted(2, 3))
        compare_writes(f);
    if (any_wanted(3, 4))
        compare_cat(f);
    if (any_wanted(4, 6))
        compare_regs(f);
    if (any_wanted(6, 8))
        compare_raw(f);
}

void bench_files(void)
{
    static const char *const transports[] = { "io_uring", "dev" };
    struct files f = { .sysfs = sysfs_attribute() };
    struct bench_qtest qtest = { 0 };

    make_tmpfs_file(&f);
    if (any_wanted(4, 6)) {
        if (bench_qtest_start(&qtest))
            f.qtest = &qtest;
        else
            for (size_t k = 4; k < 6; k++)
                bench_skip(rows[k], "", "", "beside QEMU's qtest: %s", qtest.why);
    }
    for (unsigned t = 0; t < 2; t++) {
        f.transport = transports[t];
        if (!mount_both(&f))
            continue;
        for (f.cores = BENCH_SAME; f.cores <= BENCH_OTHER; f.cores++) {
            if (bench_place(f.cores))
                compare_all(&f);
            else
                skip_all(f.transport, "other", "placement", "this machine has one processor");
        }
        bench_unmount(&f.ours);
        bench_unmount(&f.empty);
    }
    if (f.qtest)
        bench_qtest_stop(&qtest);
    unlink(f.tmpfs);
}
