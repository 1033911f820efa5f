/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looks for values that are older than they may be. Writers count in registers of an APLIC, a guest
 * perhaps as well (tests/vm/guests/counter.S); a count that has been acknowledged, by write(2) or
 * by the guest's next instruction, is the least that a read that begins afterwards may give.
 * Readers read in all the ways that there are. One register swings between two values of which a
 * mixture would be seen.
 *
 *     stale MOUNT/aplic/NAME SECONDS [MOUNT/vm/NAME/memory]
 *     stale claims MOUNT/aplic/NAME SECONDS
 *
 * The second is for reads that change something: hart 0 of a device with direct delivery claims
 * source 1, an enabled edge, and looks whether it still pends.
 *
 * Prints what was done; exit status 1 with the first stale value.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "../random.h"

#define WRITERS 2
#define READERS 4
#define COUNTERS (1 + WRITERS) /* the first is the guest's */
#define TARGETS 0x3000         /* in the device's window */
#define TEXT 11                /* bytes of a register of 32 bits and its newline */
#define SWING COUNTERS         /* after the counters */
#define CLAIMI 0x401c          /* of hart 0, in the device's window */
#define GUEST_COUNT 0x100000   /* where the guest leaves its count, and reads whether to end */

enum way { OPEN_EACH, KEPT_LARGE, KEPT_EXACT, DIRECT, WAYS };

static const char *device;
static atomic_uint acknowledged[COUNTERS];
static _Atomic uint32_t *guest;
static atomic_bool over;
static atomic_ullong reads, writes;
static uint64_t seed;

static void die(const char *what, const char *name)
{
    fprintf(stderr, "stale: %s %s: %s\n", what, name, strerror(errno));
    exit(1);
}

static void stay_on(unsigned k)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(k % (unsigned)sysconf(_SC_NPROCESSORS_ONLN), &set);
    pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

static void nap(struct vdf_random *random, unsigned most_us)
{
    usleep(vdf_random_below(random, most_us));
}

/* Bit 11 of a target does not hold. */
static uint32_t encode(uint32_t count)
{
    return (count & 0x7ff) | (count >> 11) << 12;
}

static uint32_t decode(uint32_t value)
{
    return (value & 0x7ff) | (value >> 12) << 11;
}

static int open_file(const char *name, int flags)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/%s", device, name);
    int fd = open(path, flags);
    if (fd < 0)
        die("open", path);
    return fd;
}

static int open_target(unsigned k, int flags)
{
    char name[32];

    snprintf(name, sizeof(name), "target/%u", k + 1);
    return open_file(name, flags);
}

static uint32_t least(unsigned k)
{
    return k == 0 ? atomic_load(guest) : atomic_load(&acknowledged[k]);
}

/* The kernel drops by itself what a write to the same file changes: the second writer goes through
 * the device's window. */
static void *count(void *arg)
{
    unsigned k = (unsigned)(uintptr_t)arg;
    struct vdf_random random = { seed + k };
    int fd = k == 1 ? open_target(k, O_WRONLY) : open_file("regs", O_WRONLY);
    char text[32];

    stay_on(k);
    for (uint32_t n = 1; !atomic_load(&over); n++) {
        uint32_t value = htole32(encode(n));
        int len = snprintf(text, sizeof(text), "0x%08" PRIx32 "\n", encode(n));
        ssize_t done = k == 1 ? pwrite(fd, text, (size_t)len, 0)
                              : pwrite(fd, &value, sizeof(value), TARGETS + 4 * (k + 1));
        if (done < 0)
            die("write", text);
        atomic_store(&acknowledged[k], n);
        atomic_fetch_add(&writes, 1);
        nap(&random, 400);
    }
    close(fd);
    return NULL;
}

static const uint32_t swing_ends[] = { 0x00000107, 0x7ffff601 };

/* Reads after each write: then the next value is put into the page that the others read. */
static void *swing(void *arg)
{
    int window = open_file("regs", O_WRONLY), kept = open_target(SWING, O_RDONLY);
    char text[4096];

    stay_on(1);
    for (unsigned n = 0; !atomic_load(&over); n++) {
        uint32_t value = htole32(swing_ends[n % 2]);
        if (pwrite(window, &value, sizeof(value), TARGETS + 4 * (SWING + 1)) < 0 ||
            pread(kept, text, sizeof(text), 0) != TEXT)
            die("swing", "target");
        atomic_fetch_add(&writes, 1);
    }
    close(kept);
    close(window);
    return arg;
}

static void *look_at_swing(void *arg)
{
    int kept = open_target(SWING, O_RDONLY);
    char text[TEXT + 1] = "";

    stay_on(0);
    while (!atomic_load(&over)) {
        if (pread(kept, text, TEXT, 0) != TEXT)
            die("read", "target");
        uint32_t value = (uint32_t)strtoul(text, NULL, 0);
        if (value != swing_ends[0] && value != swing_ends[1] && value != 0) {
            printf("stale: a mixture of two values: %s", text);
            exit(1);
        }
        atomic_fetch_add(&reads, 1);
    }
    close(kept);
    return arg;
}

static int claims(unsigned seconds)
{
    int wire = open_file("wire/1", O_WRONLY), pending = open_file("setip/0", O_RDONLY);
    int window = open_file("regs", O_RDONLY);
    time_t end = time(NULL) + (time_t)seconds;
    uint32_t claimed;
    char text[2][TEXT + 1] = { "", "" };
    unsigned n = 0;

    for (; time(NULL) < end; n++) {
        if (write(wire, "0", 1) < 0 || write(wire, "1", 1) < 0 ||
            pread(pending, text[0], TEXT, 0) != TEXT ||
            pread(window, &claimed, sizeof(claimed), CLAIMI) < 0 ||
            pread(pending, text[1], TEXT, 0) != TEXT)
            die("claim", device);
        if (strtoul(text[0], NULL, 0) != 2 || le32toh(claimed) >> 16 != 1 ||
            strtoul(text[1], NULL, 0) != 0) {
            printf("stale: setip/0 was %.10s, the claim 0x%" PRIx32 ", then setip/0 %.10s\n",
                   text[0], le32toh(claimed), text[1]);
            return 1;
        }
    }
    printf("%u claims\n", n);
    return n ? 0 : 1;
}

static uint32_t read_once(unsigned k, enum way way, int fd)
{
    char text[4096];
    int opened = way == OPEN_EACH ? open_target(k, O_RDONLY) : -1;
    ssize_t n =
        pread(opened >= 0 ? opened : fd, text, way == KEPT_EXACT ? TEXT : sizeof(text) - 1, 0);

    if (n != TEXT) {
        fprintf(stderr, "stale: a read gave %zd bytes\n", n);
        exit(1);
    }
    text[n] = '\0';
    if (opened >= 0)
        close(opened);
    return decode((uint32_t)strtoul(text, NULL, 0));
}

static void *look(void *arg)
{
    unsigned number = (unsigned)(uintptr_t)arg;
    struct vdf_random random = { seed + 100 + number };
    int kept[COUNTERS], direct[COUNTERS];

    stay_on(number);
    for (unsigned k = guest ? 0 : 1; k < COUNTERS; k++) {
        kept[k] = open_target(k, O_RDONLY);
        direct[k] = open_target(k, O_RDWR);
    }
    while (!atomic_load(&over)) {
        unsigned k = vdf_random_below(&random, COUNTERS);
        enum way way = (enum way)vdf_random_below(&random, WAYS);
        if (k == 0 && !guest)
            continue;
        uint32_t floor = least(k);
        uint32_t got = read_once(k, way, way == DIRECT ? direct[k] : kept[k]);
        if (got < floor) {
            printf("stale: target %u, way %d: %" PRIu32 " after %" PRIu32 " was acknowledged\n",
                   k + 1, (int)way, got, floor);
            exit(1);
        }
        atomic_fetch_add(&reads, 1);
    }
    for (unsigned k = guest ? 0 : 1; k < COUNTERS; k++) {
        close(direct[k]);
        close(kept[k]);
    }
    return NULL;
}

static void map_guest(const char *path)
{
    int fd = open(path, O_RDWR);
    if (fd < 0)
        die("open", path);
    uint8_t *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, GUEST_COUNT);
    if (map == MAP_FAILED)
        die("mmap", path);
    close(fd);
    guest = (_Atomic uint32_t *)(void *)map;
}

int main(int argc, char **argv)
{
    pthread_t threads[WRITERS + READERS + 2];
    unsigned n = 0;

    if (argc < 3) {
        fprintf(stderr, "usage: stale MOUNT/aplic/NAME SECONDS [MOUNT/vm/NAME/memory]\n"
                        "       stale claims MOUNT/aplic/NAME SECONDS\n");
        return 2;
    }
    if (argc == 4 && strcmp(argv[1], "claims") == 0) {
        device = argv[2];
        return claims((unsigned)atoi(argv[3]));
    }
    device = argv[1];
    seed = vdf_random_begin("stale", 1).state;
    if (argc > 3)
        map_guest(argv[3]);
    for (unsigned k = 1; k <= WRITERS; k++)
        pthread_create(&threads[n++], NULL, count, (void *)(uintptr_t)k);
    for (unsigned k = 0; k < READERS; k++)
        pthread_create(&threads[n++], NULL, look, (void *)(uintptr_t)k);
    pthread_create(&threads[n++], NULL, swing, NULL);
    pthread_create(&threads[n++], NULL, look_at_swing, NULL);
    sleep((unsigned)atoi(argv[2]));
    atomic_store(&over, true);
    while (n > 0)
        pthread_join(threads[--n], NULL);
    uint32_t counted = guest ? atomic_load(guest) : 0;
    if (guest)
        atomic_store(guest + 1, 1);
    printf("%llu reads, none stale; %llu writes, %" PRIu32 " stores of a guest\n",
           (unsigned long long)reads, (unsigned long long)writes, counted);
    return reads && writes && (!guest || counted) ? 0 : 1;
}
