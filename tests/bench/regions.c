/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Regions of a PCI function that is served over vfio-user.
 *
 *     region   an access of 4 bytes by a message, beside a process that answers as many bytes with as
 *              many. The thread of the function and that process are on the daemon's processor.
 *              On another processor the client spins, so that only the other's waking up is in the time
 *     bar      a store to a base address register that is mapped: memory, and PROD of a queue, whose
 *              value does not change, so that the engine has nothing to do
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define NAME "bench"
#define DEVICE "aplic/aplic0"
#define OFFSET 0x3004u /* a register that keeps any small number */
#define IOVA 0x100000u
#define PROD 1u /* word of a queue's page */
#define PAGE_BYTES 4096u
#define WORDS (PAGE_BYTES / 4)
#define ECHO_MAX 4096u

enum { REGISTERS, MEMORY, PAGE }; /* numbers of the base address registers */

/* --- messages --------------------------------------------------------------------------------- */

struct exchange {
    int fd;
    const uint8_t *message;
    size_t to, from; /* bytes */
    bool spin;
};

static bool receive(int fd, void *bytes, size_t n, bool spin)
{
    for (size_t done = 0; done < n;) {
        ssize_t got = recv(fd, (uint8_t *)bytes + done, n - done, spin ? MSG_DONTWAIT : 0);

        if (got > 0)
            done += (size_t)got;
        else if (got == 0 || errno != EAGAIN)
            return false;
    }
    return true;
}

static void exchange(const struct exchange *x)
{
    uint8_t reply[BENCH_MESSAGE_MAX];

    if (send(x->fd, x->message, x->to, MSG_NOSIGNAL) != (ssize_t)x->to)
        bench_die("send");
    if (!receive(x->fd, reply, x->from, x->spin))
        bench_die("no reply");
}

static double exchange_again(void *ctx, uint64_t ns)
{
    return BENCH_LOOP(ns, 16, exchange(ctx));
}

/* @like: the message, and the bytes of its answer. */
static pid_t start_echo(const struct exchange *like, struct exchange *echo)
{
    static uint8_t bytes[ECHO_MAX];
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
        bench_die("socketpair");
    *echo = *like;
    echo->fd = pair[0];
    pid_t pid = bench_child();
    if (pid == 0) {
        close(pair[0]);
        bench_pin(0, bench_core(false));
        while (receive(pair[1], bytes, like->to, false) &&
               send(pair[1], bytes, like->from, MSG_NOSIGNAL) == (ssize_t)like->from)
            ;
        _exit(0);
    }
    close(pair[1]);
    return pid;
}

static void compare_access(struct bench_vfu *vfu, bool write, enum bench_cores cores)
{
    uint8_t message[BENCH_MESSAGE_MAX], reply[BENCH_MESSAGE_MAX];
    struct exchange ours = { .fd = vfu->fd, .message = message, .spin = cores == BENCH_OTHER };
    struct exchange echo;

    ours.to = bench_vfu_access(message, write, REGISTERS, OFFSET, 4, 1);
    ours.from = bench_vfu_answer(vfu, message, ours.to, reply);
    pid_t pid = start_echo(&ours, &echo);
    struct bench_case what = { .row = "region",
                               .variant = write ? "write" : "read",
                               .cores = bench_cores_name(cores),
                               .unit = "ns",
                               .ours = { "", exchange_again, &ours },
                               .yardsticks = { { { "echo", exchange_again, &echo },
                                                 .goal = { BENCH_AT_MOST, 1.2 } } },
                               .n_yardsticks = 1 };
    bench_compare(&what);
    close(echo.fd);
    waitpid(pid, NULL, 0);
}

/* --- stores ----------------------------------------------------------------------------------- */

struct stores {
    volatile uint32_t *words;
    unsigned mask;
};

static double store_again(void *ctx, uint64_t ns)
{
    const struct stores *stores = ctx;
    unsigned n = 0;

    return BENCH_LOOP(ns, 65536, stores->words[n++ & stores->mask] = 0);
}

static void compare_stores(struct bench_vfu *vfu, uint32_t *plain, bool page,
                           enum bench_cores cores)
{
    const char *variant = page ? "page of a queue" : "memory", *where = bench_cores_name(cores);
    uint32_t *words = bench_vfu_map(vfu, page ? PAGE : MEMORY, PAGE_BYTES);
    unsigned first = page ? PROD : 0, mask = page ? 0 : WORDS - 1;

    if (!words) {
        bench_skip("bar", variant, where, "the function has no memory for it");
        return;
    }
    struct stores ours = { words + first, mask }, shared = { plain + first, mask };
    struct bench_case what = { .row = "bar",
                               .variant = variant,
                               .cores = where,
                               .unit = "ns",
                               .ours = { "", store_again, &ours },
                               .yardsticks = { { { "plain memfd", store_again, &shared },
                                                 .goal = { BENCH_AT_MOST, 1.1 } } },
                               .n_yardsticks = 1 };
    bench_compare(&what);
    munmap(words, PAGE_BYTES);
}

static uint32_t *map_plain(void)
{
    int fd = memfd_create("bench", MFD_CLOEXEC);
    void *at = MAP_FAILED;

    if (fd >= 0 && ftruncate(fd, PAGE_BYTES) == 0)
        at = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED)
        bench_die("memfd");
    close(fd);
    return at;
}

/* --- the function ----------------------------------------------------------------------------- */

static void make_bar(const struct bench_mount *mount, unsigned n, const char *device)
{
    char name[64];

    snprintf(name, sizeof(name), "pci/" NAME "/bars/%u", n);
    if (mkdir(bench_path(mount, "%s", name), 0755))
        bench_die(name);
    snprintf(name, sizeof(name), "pci/" NAME "/bars/%u/device", n);
    bench_put(mount, name, "%s", device);
}

static void make_function(const struct bench_mount *mount)
{
    bench_put(mount, "hwqueue/smmu0/ioas/map", "0x%x 0x%x", IOVA, BENCH_ENTRIES * 16);
    bench_make_queue(mount, 0, IOVA);
    if (mkdir(bench_path(mount, "pci/" NAME), 0755))
        bench_die("pci/" NAME);
    make_bar(mount, REGISTERS, DEVICE);
    make_bar(mount, MEMORY, "memory");
    make_bar(mount, PAGE, "hwqueue/smmu0/queues/0");
}

static void compare_all(struct bench_vfu *vfu, enum bench_cores cores)
{
    uint32_t *plain = map_plain();

    for (unsigned k = 0; k < 2 && bench_wanted("region"); k++)
        compare_access(vfu, k == 1, cores);
    for (unsigned k = 0; k < 2 && bench_wanted("bar"); k++)
        compare_stores(vfu, plain, k == 1, cores);
    munmap(plain, PAGE_BYTES);
}

void bench_regions(void)
{
    struct bench_mount mount;
    struct bench_vfu vfu;

    if (!bench_mount_ours(&mount, "rw", "vdf-engine")) {
        bench_skip("region", "", "", "virtdevfs: %s", mount.why);
        bench_skip("bar", "", "", "virtdevfs: %s", mount.why);
        return;
    }
    make_function(&mount);
    bench_vfu_serve(&vfu, &mount, NAME);
    for (enum bench_cores c = BENCH_SAME; c <= BENCH_OTHER; c++) {
        bench_say("a PCI function, its client on the %s processor",
                  c == BENCH_SAME ? "daemon's" : "other");
        if (bench_place(c)) {
            compare_all(&vfu, c);
            continue;
        }
        bench_skip("region", "", "other", "this machine has one processor");
        bench_skip("bar", "", "other", "this machine has one processor");
    }
    bench_vfu_end(&vfu, &mount, NAME);
    bench_unmount(&mount);
}
