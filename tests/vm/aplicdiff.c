/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The same random operations on two devices, one with the model and one with the kernel's device,
 * through their files.
 *
 *     aplicdiff MOUNT OPERATIONS
 *
 * makes aplic/soft and aplic/kvm below MOUNT, several times with other configurations, and applies
 * each operation to both: right and wrong values before and after init, accesses through `regs` of
 * all widths and offsets, wires, interrupt files, MSIs, the state of one restored to the other. Each
 * answer, the bytes or the errno, has to be the same; from time to time all files are compared. Exits
 * 0 without a difference, 1 after the first few differences, 2 after another failure.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../random.h"

/* Bytes of a read: of a value, of a whole `regs` and of a state or a log. */
#define VALUE_SIZE 4096u
#define REGS_SIZE (5u * 4096)
#define MAX_ANSWER (32u * 4096)
#define MAX_DIFFERENCES 20u
#define ROUND 600u /* operations on an initialised device */

#define APLIC_ADDRESS UINT64_C(0x0d000000)
#define IMSIC_ADDRESS UINT64_C(0x28000000)
#define PAGE UINT64_C(0x1000)

struct answer {
    ssize_t n; /* bytes, or -errno */
    bool has_bytes;
    char bytes[MAX_ANSWER];
};

/* Files of a round stay open, because opening them would take most of the time. */
#define MAX_OPEN 8192u
struct open_file {
    char path[32];
    bool writes;
    int fd;
};

struct side {
    const char *name;
    struct open_file open[MAX_OPEN]; /* by hash */
    int dir;
    int log;
    unsigned long operations;
    struct answer answer;
};

static struct side sides[] = { { .name = "soft" }, { .name = "kvm" } };
static int root;
static unsigned differences;

/* Of the round. */
static unsigned harts, sources, ids, guest_bits;
static bool plain; /* each hart has a page of its own, the first of the pages of its guests */
static uint64_t pages[16];
static uint32_t indexes[16]; /* that MSIs of the APLIC find the harts by */
static uint32_t busy[6];     /* sources of most operations */

static _Noreturn void trouble(const char *fmt, ...)
{
    int code = errno;
    va_list args;

    fprintf(stderr, "aplicdiff: ");
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fprintf(stderr, ": %s\n", strerror(code));
    exit(2);
}

/* --- numbers ---------------------------------------------------------------------------------- */

static struct vdf_random numbers;

static uint64_t random64(void)
{
    return vdf_random_next(&numbers);
}

static unsigned below(unsigned n)
{
    return vdf_random_below(&numbers, n);
}

static bool one_in(unsigned n)
{
    return below(n) == 0;
}

#define ONE_OF(...)                                                 \
    ({                                                              \
        static const uint64_t list_[] = { __VA_ARGS__ };            \
        list_[below((unsigned)(sizeof(list_) / sizeof(list_[0])))]; \
    })

static uint32_t random_word(void)
{
    switch (below(4)) {
    case 0:
        return (uint32_t)random64();
    case 1:
        return UINT32_C(1) << below(32);
    case 2:
        return (uint32_t)(random64() & random64());
    default:
        return (uint32_t)ONE_OF(0, 1, 0xffffffff, 0x80000000, 0x100, 0x400);
    }
}

static uint32_t some_source(void)
{
    if (!one_in(4))
        return busy[below(6)];
    return one_in(10) ? below(1100) : below(sources + 2);
}

/* A target's register, mostly one that a hart takes. */
static uint32_t some_target(void)
{
    uint32_t hart = one_in(10) || harts == 0 ? below(16384) : indexes[below(harts)];
    uint32_t guest = one_in(12) ? below(64) : 0;
    uint32_t eiid = one_in(8) ? below(2048) : 1 + below(ids);

    return hart << 18 | guest << 12 | eiid | (one_in(10) ? 0x800 : 0);
}

/* --- operations on both ----------------------------------------------------------------------- */

static void print_answer(const struct side *side)
{
    const struct answer *a = &side->answer;

    fprintf(stderr, "    %s: ", side->name);
    if (a->n < 0) {
        fprintf(stderr, "%s\n", strerrorname_np((int)-a->n));
        return;
    }
    fprintf(stderr, "%zd bytes ", a->n);
    for (ssize_t k = 0; a->has_bytes && k < a->n && k < 60; k++)
        fprintf(stderr, a->bytes[k] >= ' ' && a->bytes[k] < 0x7f ? "%c" : "\\x%02x",
                (unsigned char)a->bytes[k]);
    fprintf(stderr, "\n");
}

static void differ(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void differ(const char *fmt, ...)
{
    va_list args;

    fprintf(stderr, "aplicdiff: operation %lu: ", sides[0].operations);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fprintf(stderr, "\n");
    print_answer(&sides[0]);
    print_answer(&sides[1]);
    if (++differences == MAX_DIFFERENCES) {
        fprintf(stderr, "aplicdiff: that is enough\n");
        exit(1);
    }
}

static bool same_answers(void)
{
    const struct answer *a = &sides[0].answer, *b = &sides[1].answer;

    return a->n == b->n &&
           (!a->has_bytes || a->n <= 0 || memcmp(a->bytes, b->bytes, (size_t)a->n) == 0);
}

/* A descriptor of the file, or -errno. That of a `state` is new, because an open file shows the state
 * of the time of its open. */
static int open_file(struct side *side, const char *path, bool writes)
{
    int flags = (writes ? O_WRONLY : O_RDONLY) | O_NONBLOCK | O_CLOEXEC;
    uint32_t hash = writes;
    struct open_file *file;

    if (strcmp(path, "state") == 0) {
        int fd = openat(side->dir, path, flags);
        return fd < 0 ? -errno : fd;
    }
    for (const char *p = path; *p; p++)
        hash = (hash ^ (uint8_t)*p) * UINT32_C(16777619);
    for (;; hash++) {
        file = &side->open[hash % MAX_OPEN];
        if (!*file->path)
            break;
        if (file->writes == writes && strcmp(file->path, path) == 0)
            return file->fd;
    }
    int fd = openat(side->dir, path, flags);
    if (fd < 0)
        return -errno;
    snprintf(file->path, sizeof(file->path), "%s", path);
    file->writes = writes;
    file->fd = fd;
    return fd;
}

static void close_files(struct side *side)
{
    for (unsigned k = 0; k < MAX_OPEN; k++) {
        if (*side->open[k].path)
            close(side->open[k].fd);
        *side->open[k].path = '\0';
    }
}

/* A write of @in, or a read where it is NULL. */
static void access_file(struct side *side, const char *file, const void *in, size_t n,
                        uint64_t offset)
{
    struct answer *a = &side->answer;
    int fd = open_file(side, file, in);

    side->operations++;
    a->has_bytes = !in;
    a->n = fd;
    if (fd < 0)
        return;
    a->n = in ? pwrite(fd, in, n, (off_t)offset) : pread(fd, a->bytes, n, (off_t)offset);
    if (a->n < 0)
        a->n = -errno;
    if (strcmp(file, "state") == 0)
        close(fd);
}

static void write_both(const char *file, const char *text)
{
    for (unsigned s = 0; s < 2; s++)
        access_file(&sides[s], file, text, strlen(text), 0);
    if (!same_answers())
        differ("write of \"%.80s\" to %s", text, file);
}

static void write_number(uint64_t value, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static void write_number(uint64_t value, const char *fmt, ...)
{
    char file[64], text[32];
    va_list args;

    va_start(args, fmt);
    vsnprintf(file, sizeof(file), fmt, args);
    va_end(args);
    snprintf(text, sizeof(text), one_in(2) ? "0x%" PRIx64 "\n" : "%" PRIu64, value);
    write_both(file, text);
}

static void read_both(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void read_both(const char *fmt, ...)
{
    char file[4096];
    va_list args;

    va_start(args, fmt);
    vsnprintf(file, sizeof(file), fmt, args);
    va_end(args);
    for (unsigned s = 0; s < 2; s++)
        access_file(&sides[s], file, NULL, strcmp(file, "regs") == 0 ? REGS_SIZE : VALUE_SIZE, 0);
    if (!same_answers())
        differ("read of %s", file);
}

static void access_regs(uint64_t offset, unsigned width, bool write, uint64_t value)
{
    char bytes[16];

    memcpy(bytes, &value, 8);
    memcpy(bytes + 8, &value, 8);
    for (unsigned s = 0; s < 2; s++)
        access_file(&sides[s], "regs", write ? bytes : NULL, width, offset);
    if (!same_answers())
        differ("%s of %u bytes at 0x%" PRIx64 " of regs, 0x%" PRIx64, write ? "write" : "read",
               width, offset, value);
}

/* --- all files -------------------------------------------------------------------------------- */

/* Lines of a state that differ by the name of the device. */
static void strip_names(struct answer *a)
{
    ssize_t to = 0;

    for (ssize_t from = 0; from < a->n;) {
        const char *end = memchr(a->bytes + from, '\n', (size_t)(a->n - from));
        ssize_t len = end ? end - (a->bytes + from) + 1 : a->n - from;

        if (a->bytes[from] != '[' && strncmp(a->bytes + from, "checksum", 8) != 0) {
            memmove(a->bytes + to, a->bytes + from, (size_t)len);
            to += len;
        }
        from += len;
    }
    a->n = a->n < 0 ? a->n : to;
}

/* Shortens the answers to the part from their first difference on. */
static void find_difference(void)
{
    ssize_t k = 0;

    while (k < sides[0].answer.n && k < sides[1].answer.n &&
           sides[0].answer.bytes[k] == sides[1].answer.bytes[k])
        k++;
    while (k > 0 && sides[0].answer.bytes[k - 1] != '\n')
        k--;
    for (unsigned s = 0; s < 2; s++) {
        struct answer *a = &sides[s].answer;

        if (a->n < k)
            continue;
        memmove(a->bytes, a->bytes + k, (size_t)(a->n - k));
        a->n -= k;
    }
}

static void compare_states(void)
{
    for (unsigned s = 0; s < 2; s++) {
        access_file(&sides[s], "state", NULL, MAX_ANSWER, 0);
        strip_names(&sides[s].answer);
    }
    if (same_answers())
        return;
    find_difference();
    differ("the states");
}

static void compare_logs(void)
{
    for (unsigned s = 0; s < 2; s++) {
        struct answer *a = &sides[s].answer;

        a->has_bytes = true;
        a->n = read(sides[s].log, a->bytes, MAX_ANSWER);
        if (a->n < 0)
            a->n = -errno;
        sides[s].operations++;
    }
    if (same_answers())
        return;
    find_difference();
    differ("the messages in msi");
}

#define MAX_NAMES 2048
struct name {
    char text[32];
    bool is_folder;
};
struct names {
    size_t n;
    struct name list[MAX_NAMES];
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct name *)a)->text, ((const struct name *)b)->text);
}

static void list(const struct side *side, const char *path, struct names *names)
{
    int fd = openat(side->dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;

    if (!dir)
        trouble("%s/%s", side->name, path);
    names->n = 0;
    while ((entry = readdir(dir)) && names->n < MAX_NAMES)
        /* The kernel has no attribute for topei. */
        if (*entry->d_name != '.' && strcmp(entry->d_name, "topei") != 0) {
            snprintf(names->list[names->n].text, sizeof(names->list[0].text), "%.31s",
                     entry->d_name);
            names->list[names->n++].is_folder = entry->d_type == DT_DIR;
        }
    closedir(dir);
    qsort(names->list, names->n, sizeof(names->list[0]), by_name);
}

/* Leaves out files that have to differ, those that are compared as a whole, and wires of no source. */
static bool is_compared(const char *path)
{
    static const char *const others[] = { "backend", "state", "msi", NULL };

    for (unsigned k = 0; others[k]; k++)
        if (strcmp(path, others[k]) == 0)
            return false;
    return strncmp(path, "wire/", 5) != 0 || strtoul(path + 5, NULL, 10) <= sources + 2;
}

static void compare_folder(const char *path)
{
    struct names *names[2];

    for (unsigned s = 0; s < 2; s++) {
        names[s] = calloc(1, sizeof(struct names));
        if (!names[s])
            trouble("no memory");
        list(&sides[s], *path ? path : ".", names[s]);
    }
    if (names[0]->n != names[1]->n ||
        memcmp(names[0]->list, names[1]->list, names[0]->n * sizeof(names[0]->list[0])) != 0)
        differ("the names in %s: %zu and %zu", path, names[0]->n, names[1]->n);
    for (size_t k = 0; k < names[0]->n; k++) {
        char file[4096];

        snprintf(file, sizeof(file), "%s%s%s", path, *path ? "/" : "", names[0]->list[k].text);
        if (!is_compared(file) || (names[0]->n > 40 && !one_in(4)))
            continue;
        if (names[0]->list[k].is_folder)
            compare_folder(file);
        else
            read_both("%s", file);
    }
    free(names[0]);
    free(names[1]);
}

/* --- random operations ------------------------------------------------------------------------ */

#define N_CONFIGS 7u
#define N_EDGES 6u
static const struct {
    const char *file;
    uint64_t edges[N_EDGES]; /* of its values */
} configs[N_CONFIGS] = {
    { "aia/ids", { 63, 64, 255, 191, 319, 62 } },
    { "aia/srcs", { 0, 255, 256, 1023, 1024, 0x100000000 } },
    { "aia/group_bits", { 0, 7, 8, 1, 2, 0xffffffff } },
    { "aia/group_shift", { 23, 24, 55, 56, 57, 0 } },
    { "aia/hart_bits", { 0, 15, 16, 17, 8, 0xffffffff } },
    { "aia/guest_bits", { 0, 7, 8, 1, 2, 0x100000000 } },
    { "aia/mode", { 0, 1, 2, 3, 4, 0xffffffff } },
};

static void any_config(void)
{
    unsigned which = below(10);

    if (which < N_CONFIGS && one_in(3))
        write_number(one_in(2) ? random_word() : below(80), "%s", configs[which].file);
    else if (which < N_CONFIGS)
        write_number(configs[which].edges[below(N_EDGES)], "%s", configs[which].file);
    else if (which == 7)
        write_number(one_in(2) ? random64() : random64() << 12, "addr/aplic");
    else
        write_number(one_in(2) ? random64() : random64() << 12, "addr/imsic/%u", below(harts + 1));
}

static void bad_value(void)
{
    static const char *const texts[] = {
        "", "x", "-1", "1 2", "0x", "18446744073709551616", "1.5"
    };
    static const char *const files[] = { "domaincfg", "sourcecfg/1",     "wire/1",
                                         "aia/srcs",  "imsic/0/eip/0",   "signal_msi",
                                         "setip/0",   "imsic/0/pending", "init",
                                         "harts",     "genmsi" };

    write_both(files[below(sizeof(files) / sizeof(files[0]))],
               texts[below(sizeof(texts) / sizeof(texts[0]))]);
}

static void any_register(void)
{
    static const char *const by_number[] = { "setipnum", "clripnum",    "setienum",
                                             "clrienum", "setipnum_le", "setipnum_be" };
    static const char *const words[] = { "setip", "in_clrip", "setie", "clrie" };
    uint32_t n = some_source();

    switch (below(10)) {
    case 0:
        write_number(one_in(3) ? random_word() : ONE_OF(0, 0x100, 0x100), "domaincfg");
        break;
    case 1:
    case 2:
        write_number(one_in(5) ? random_word() : ONE_OF(0, 1, 4, 5, 6, 7, 6, 4), "sourcecfg/%u", n);
        break;
    case 3:
    case 4:
        write_number(one_in(8) ? random_word() : some_target(), "target/%u", n);
        break;
    case 5:
        write_number(some_target(), "genmsi");
        break;
    case 6:
    case 7:
        write_number(one_in(6) ? __builtin_bswap32(n) : n, "%s", by_number[below(6)]);
        break;
    default:
        write_number(random_word(), "%s/%u", words[below(4)], below(sources / 32 + 2));
        break;
    }
}

static void any_access(void)
{
    static const unsigned widths[] = { 4, 4, 4, 4, 4, 4, 1, 2, 8, 16 };
    uint64_t offset;

    switch (below(6)) {
    case 0:
        offset = below(0x1100) * 4;
        break;
    case 1:
        offset = below(0x4020);
        break;
    case 2:
        offset = ONE_OF(0x0, 0x1bc0, 0x1cdc, 0x1ddc, 0x1edc, 0x1fdc, 0x2000, 0x2004, 0x2008, 0x3000,
                        0x4000, 0x3ffc);
        break;
    case 3:
        offset = ONE_OF(0x1c00, 0x1d00, 0x1e00, 0x1f00) + 4 * below(sources / 32 + 2);
        break;
    default:
        offset = ONE_OF(0x0, 0x3000) + 4 * below(sources + 2);
        break;
    }
    access_regs(offset, widths[below(10)], one_in(2), one_in(2) ? some_target() : random_word());
}

static void any_list(const char *name, bool low_only)
{
    char file[64], text[1024] = "";
    size_t n = 0;

    for (unsigned k = below(5); k > 0; k--) {
        unsigned id = one_in(20) ? below(300) : 1 + below(ids);

        if (low_only)
            id &= ~32u;
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%u ", id);
    }
    snprintf(file, sizeof(file), "imsic/%u/%s", below(harts + 1), name);
    write_both(file, text);
}

static void any_imsic(void)
{
    unsigned hart = below(harts + 1), n = below(2 * (ids / 64) + 4);

    switch (below(8)) {
    case 0:
        write_number(random_word(), "imsic/%u/eidelivery", hart);
        break;
    case 1:
        write_number(random_word(), "imsic/%u/eithreshold", hart);
        break;
    case 2:
        write_number(one_in(2) ? random64() : random_word(), "imsic/%u/eip/%u", hart, n);
        break;
    case 3:
        write_number(one_in(2) ? random64() : random_word(), "imsic/%u/eie/%u", hart, n);
        break;
    case 4:
        /* The kernel makes the upper half of 64 pending by MSIs only. */
        any_list("pending", !plain);
        break;
    case 5:
        /* They can never be enabled. */
        any_list("enabled", true);
        break;
    case 6:
        read_both("imsic/%u/%s/%u", hart, one_in(2) ? "eip" : "eie", n);
        break;
    default:
        read_both("imsic/%u/%s", hart, one_in(2) ? "pending" : "enabled");
        break;
    }
}

static void any_msi(void)
{
    uint64_t address = one_in(8) || harts == 0 ? random64() : pages[below(harts)];
    uint32_t data = one_in(8) ? random_word() : below(ids + 3);
    char text[64];

    if (one_in(5))
        address += below(3) * PAGE;
    if (one_in(2)) {
        unsigned offset = (unsigned)ONE_OF(0, 4, 4, 4, 8, 1, 0xffc);

        address += offset;
        if (offset == 4 && !one_in(3))
            data = __builtin_bswap32(data);
    }
    snprintf(text, sizeof(text), "0x%" PRIx64 " %" PRIu32, address, data);
    write_both("signal_msi", text);
}

static void any_read(void)
{
    static const char *const files[] = { "domaincfg", "genmsi",  "pending",  "enabled",
                                         "setipnum",  "harts",   "aia/srcs", "addr/aplic",
                                         "init",      "delivery" };
    static const char *const words[] = { "setip", "in_clrip", "setie", "clrie" };

    switch (below(4)) {
    case 0:
        read_both("%s", files[below(10)]);
        break;
    case 1:
        read_both("%s/%u", words[below(4)], below(sources / 32 + 2));
        break;
    case 2:
        read_both("wire/%u", some_source());
        break;
    default:
        read_both("%s/%u", one_in(2) ? "sourcecfg" : "target", some_source());
        break;
    }
}

static void any_operation(void)
{
    switch (below(20)) {
    case 0 ... 5:
        any_register();
        break;
    case 6 ... 8:
        any_access();
        break;
    case 9 ... 12:
        write_number(below(one_in(30) ? 3 : 2), "wire/%u", some_source());
        break;
    case 13 ... 14:
        any_imsic();
        break;
    case 15 ... 16:
        any_msi();
        break;
    case 17:
        any_read();
        break;
    case 18:
        bad_value();
        break;
    default:
        if (one_in(4))
            any_config();
        else if (one_in(4))
            write_both("init", "1");
        else if (one_in(4))
            write_number(below(4), "harts");
        else
            access_regs(0, 4, true, 0x100);
        break;
    }
}

/* Restores the state of each to the other, which is then the same as the first. */
static void exchange_states(void)
{
    unsigned from = below(2);
    char *text;

    for (unsigned s = 0; s < 2; s++)
        access_file(&sides[s], "state", NULL, MAX_ANSWER, 0);
    if (sides[from].answer.n < 0)
        trouble("the state of %s", sides[from].name);
    text = strndup(sides[from].answer.bytes, (size_t)sides[from].answer.n);
    if (!text)
        trouble("no memory");
    write_both("state", text);
    free(text);
    compare_states();
}

/* --- a round ---------------------------------------------------------------------------------- */

static void make(struct side *side, bool kvm)
{
    char path[64];

    snprintf(path, sizeof(path), "aplic/%s", side->name);
    if (mkdirat(root, path, 0755) < 0)
        trouble("mkdir %s", path);
    side->dir = openat(root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (side->dir < 0)
        trouble("%s", path);
    if (kvm) {
        int fd = openat(side->dir, "backend", O_WRONLY | O_CLOEXEC);

        if (fd < 0 || write(fd, "kvm", 3) < 0)
            trouble("backend of %s", path);
        close(fd);
    }
    side->log = openat(side->dir, "msi", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (side->log < 0)
        trouble("%s/msi", path);
}

static void destroy(struct side *side)
{
    char path[64];

    close_files(side);
    close(side->log);
    close(side->dir);
    snprintf(path, sizeof(path), "aplic/%s", side->name);
    if (unlinkat(root, path, AT_REMOVEDIR) < 0)
        trouble("rmdir %s", path);
}

/* Values that init accepts. */
static void configure(void)
{
    unsigned hart_bits = (unsigned)ONE_OF(4, 4, 4, 5, 9), group_bits = (unsigned)ONE_OF(0, 0, 1, 3);

    harts = (unsigned)ONE_OF(0, 1, 1, 2, 2, 3, 4, 6);
    ids = (unsigned)ONE_OF(63, 127, 191, 255, 255);
    sources = (unsigned)ONE_OF(0, 1, 5, 31, 32, 33, 63, 63, 64, 95, 96, 127, 200, 255);
    if (sources > ids)
        sources = ids;
    guest_bits = (unsigned)ONE_OF(0, 0, 0, 1, 2);
    plain = !one_in(4);
    for (unsigned k = 0; k < 6; k++)
        busy[k] = 1 + below(sources ? sources : 1);
    write_number(harts, "harts");
    write_number(ids, "aia/ids");
    write_number(sources, "aia/srcs");
    write_number(hart_bits, "aia/hart_bits");
    write_number(guest_bits, "aia/guest_bits");
    write_number(group_bits, "aia/group_bits");
    write_number(30, "aia/group_shift");
    write_number(APLIC_ADDRESS, "addr/aplic");
    for (unsigned h = 0; h < harts; h++) {
        /* Not in the order of the harts, and some with the same page or a guest's. */
        uint64_t number = plain ? (h * 5 + 3) % 16 : below(4);
        uint64_t group = group_bits && plain ? h & 1 : 0;

        indexes[h] = (uint32_t)(group << hart_bits | number);
        pages[h] = IMSIC_ADDRESS + (number << guest_bits) * PAGE + (group << 30);
        if (!plain && one_in(3))
            pages[h] += below(1u << guest_bits) * PAGE;
        write_number(pages[h], "addr/imsic/%u", h);
    }
}

static void before_init(void)
{
    harts = 1;
    sources = ids = 255;
    guest_bits = 0;
    pages[0] = IMSIC_ADDRESS;
    plain = false;
    for (unsigned n = 10 + below(40); n > 0; n--) {
        if (one_in(12)) {
            harts = below(5);
            write_number(harts, "harts");
        } else if (!one_in(3)) {
            any_config();
        } else if (!one_in(6)) {
            any_operation();
        } else {
            write_number(sources > 300 ? 70000 : 20000, "harts");
        }
    }
}

static bool is_initialised(void)
{
    struct stat st;

    return fstatat(sides[0].dir, "imsic", &st, 0) == 0 ||
           fstatat(sides[0].dir, "domaincfg", &st, 0) == 0;
}

static void round_of(unsigned long operations)
{
    make(&sides[0], false);
    make(&sides[1], true);
    compare_states();
    /* If the random init succeeds, which is rare, that is the device of this round. */
    before_init();
    compare_states();
    if (!is_initialised()) {
        configure();
        compare_states();
        write_both("init", "0");
    }
    for (unsigned long n = 0; n < operations; n++) {
        any_operation();
        if (one_in(40))
            compare_logs();
        if (one_in(100))
            compare_states();
        if (plain && one_in(150))
            exchange_states();
    }
    compare_logs();
    compare_states();
    compare_folder("");
    destroy(&sides[0]);
    destroy(&sides[1]);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: aplicdiff MOUNT OPERATIONS\n");
        return 2;
    }
    unsigned long wanted = strtoul(argv[2], NULL, 0);
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    numbers = vdf_random_begin("differential", (uint64_t)now.tv_nsec ^ (uint64_t)now.tv_sec << 20);
    const struct rlimit files = { .rlim_cur = 4 * MAX_OPEN, .rlim_max = 4 * MAX_OPEN };
    if (setrlimit(RLIMIT_NOFILE, &files) < 0)
        trouble("descriptors");
    root = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        trouble("%s", argv[1]);
    while (sides[0].operations < wanted)
        round_of(ROUND);
    printf("differential: %lu operations on soft, %lu on kvm, %u differences\n",
           sides[0].operations, sides[1].operations, differences);
    return differences != 0;
}
