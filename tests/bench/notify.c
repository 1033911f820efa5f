/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A driver of a console's PCI function (virtio 1.3, section 4.1): from the doorbell of a transmit queue
 * to its interrupt, by the eventfds that a VMM gets for both. Each trip sends a buffer of a byte.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"

#define NAME "notify"
#define BAR 0u

/* Offsets in the register, as the capabilities of the function have them, and of sections 4.1.4.3. */
#define DRIVER_FEATURE_SELECT 0x08u
#define DRIVER_FEATURE 0x0cu
#define STATUS 0x14u
#define QUEUE_SELECT 0x16u
#define QUEUE_SIZE 0x18u
#define QUEUE_VECTOR 0x1au
#define QUEUE_ENABLE 0x1cu
#define QUEUE_DESC 0x20u
#define QUEUE_DRIVER 0x28u
#define QUEUE_DEVICE 0x30u
#define NOTIFY 0x3000u
#define NOTIFY_STEP 4u

#define ACKNOWLEDGE 1u
#define DRIVER 2u
#define DRIVER_OK 4u
#define FEATURES_OK 8u
#define VERSION_1 1u /* bit 32 */

#define QUEUE 1u /* transmits of port 0 */
#define VECTOR 1u
#define ENTRIES 16u
#define MEMORY 0x100000u
#define MEMORY_BYTES 0x10000u

/* The parts of the queue in the memory, and a buffer. */
enum { DESC = 0, AVAIL = 0x1000, USED = 0x2000, BUFFER = 0x3000 };

struct driver {
    struct bench_vfu vfu;
    uint8_t *memory;
    int doorbell, interrupt;
    uint16_t sent;
    bool spin;
};

static void put(struct driver *driver, uint64_t offset, uint32_t n, uint64_t value)
{
    bench_vfu_write(&driver->vfu, BAR, offset, n, value);
}

static void set_up_queue(struct driver *driver)
{
    struct {
        uint64_t address;
        uint32_t len;
        uint16_t flags, next;
    } descriptor = { .address = MEMORY + BUFFER, .len = 1 };

    memcpy(driver->memory + DESC, &descriptor, sizeof(descriptor));
    put(driver, QUEUE_SELECT, 2, QUEUE);
    put(driver, QUEUE_SIZE, 2, ENTRIES);
    put(driver, QUEUE_VECTOR, 2, VECTOR);
    put(driver, QUEUE_DESC, 8, MEMORY + DESC);
    put(driver, QUEUE_DRIVER, 8, MEMORY + AVAIL);
    put(driver, QUEUE_DEVICE, 8, MEMORY + USED);
    put(driver, QUEUE_ENABLE, 2, 1);
}

/* Without VIRTIO_CONSOLE_F_MULTIPORT there is only port 0, and nothing to agree on. */
static bool start(struct driver *driver)
{
    int fd = memfd_create("bench", MFD_CLOEXEC);

    if (fd < 0 || ftruncate(fd, MEMORY_BYTES))
        bench_die("memfd");
    driver->memory = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (driver->memory == MAP_FAILED)
        bench_die("memfd");
    bench_vfu_memory(&driver->vfu, fd, MEMORY, MEMORY_BYTES);
    close(fd);
    driver->interrupt = bench_eventfd();
    bench_vfu_vector(&driver->vfu, VECTOR, driver->interrupt);
    driver->doorbell = bench_vfu_doorbell(&driver->vfu, BAR, NOTIFY + QUEUE * NOTIFY_STEP);
    if (driver->doorbell < 0)
        return false;
    put(driver, STATUS, 1, 0);
    put(driver, STATUS, 1, ACKNOWLEDGE | DRIVER);
    put(driver, DRIVER_FEATURE_SELECT, 4, 1);
    put(driver, DRIVER_FEATURE, 4, VERSION_1);
    put(driver, STATUS, 1, ACKNOWLEDGE | DRIVER | FEATURES_OK);
    set_up_queue(driver);
    put(driver, STATUS, 1, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);
    return true;
}

static void stop(struct driver *driver)
{
    munmap(driver->memory, MEMORY_BYTES);
    close(driver->interrupt);
    if (driver->doorbell >= 0)
        close(driver->doorbell);
}

/* The index behind the flags of a ring. */
static _Atomic uint16_t *ring_index(struct driver *driver, unsigned ring)
{
    return (_Atomic uint16_t *)(driver->memory + ring + 2);
}

/* The entries of the ring of buffers stay 0, which is the descriptor. */
static void trip(struct driver *driver)
{
    atomic_store_explicit(ring_index(driver, AVAIL), ++driver->sent, memory_order_release);
    bench_ring(driver->doorbell);
    do
        bench_hear(driver->interrupt, driver->spin);
    while (atomic_load_explicit(ring_index(driver, USED), memory_order_acquire) != driver->sent);
}

static double by_function(void *ctx, uint64_t ns)
{
    return BENCH_LOOP(ns, 16, trip(ctx));
}

void bench_doorbell_pci(const struct bench_mount *mount, const char *engine, enum bench_cores cores)
{
    struct driver driver = { .spin = cores == BENCH_OTHER };
    char variant[48];

    snprintf(variant, sizeof(variant), "%s, vfio-user", engine);
    if (mkdir(bench_path(mount, "pci/" NAME), 0755))
        bench_die("pci/" NAME);
    bench_put(mount, "pci/" NAME "/function", "console/con0");
    bench_vfu_serve(&driver.vfu, mount, NAME);
    if (start(&driver)) {
        bench_compare_doorbell(engine, variant, cores,
                               (struct bench_timed){ "", by_function, &driver });
    } else {
        bench_skip("doorbell", variant, bench_cores_name(cores), "the queue has no doorbell");
    }
    stop(&driver);
    bench_vfu_end(&driver.vfu, mount, NAME);
    if (rmdir(bench_path(mount, "pci/" NAME)))
        bench_die("pci/" NAME);
}
