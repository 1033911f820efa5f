/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A driver of a PCI function in user space, for the Linux guests of the tests. The function has a line
 * and a base address register 0 of memory.
 *
 *     pciguest uio DEVICE COUNT         handles COUNT interrupts through uio_pci_generic
 *     pciguest vfio DEVICE COUNT        the same through vfio-pci
 *     pciguest uio|vfio DEVICE storm    does not wait for the device to be quiesced until 100 interrupts
 *                                       have come; ends when none comes for a second
 *
 * DEVICE is an address such as 0000:00:02.0, whose driver is bound. At each interrupt the kernel's
 * handler has masked the device. This program waits until the device has been quiesced: the bit
 * Interrupt Status is clear. It loads a word of the register, as a driver does that acknowledges an
 * interrupt: QEMU takes the first such access for the end of the interrupt. Then it unmasks. It prints
 * `ready` before the first interrupt, `storm` after those 100, and the number of interrupts at the end.
 *
 * A device that is quiesced behind the acknowledgement of the program, without another one, would leave
 * the line of QEMU high: the kernel disables it then.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <linux/vfio.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MS 30000
#define STORM_MS 1000
#define STORM 100 /* interrupts */

#define COMMAND 4
#define COMMAND_MEMORY 0x2u
#define COMMAND_INTX_DISABLE 0x400u
#define STATUS 6
#define STATUS_INTERRUPT 0x8u

#define DEVICES "/sys/bus/pci/devices/"

static int config = -1; /* the configuration space begins at config_at of this file */
static off_t config_at;
static int events = -1; /* becomes readable with an interrupt */
static volatile uint32_t *bar;

static void die(const char *what)
{
    fprintf(stderr, "pciguest: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint16_t load_config(unsigned offset)
{
    uint16_t word;

    if (pread(config, &word, sizeof(word), config_at + offset) != sizeof(word))
        die("reading the configuration space");
    return word;
}

static void store_config(unsigned offset, uint16_t word)
{
    if (pwrite(config, &word, sizeof(word), config_at + offset) != sizeof(word))
        die("writing the configuration space");
}

static int open_path(const char *format, const char *name, int flags)
{
    char path[256];

    snprintf(path, sizeof(path), format, name);
    int fd = open(path, flags | O_CLOEXEC);
    if (fd < 0)
        die(path);
    return fd;
}

/* --- uio_pci_generic -------------------------------------------------------------------------- */

static uint32_t counted; /* interrupts that the kernel had counted at the last look */

static void open_uio(const char *device)
{
    char pattern[256], text[16] = { 0 };
    glob_t found;
    int fd;

    snprintf(pattern, sizeof(pattern), DEVICES "%s/uio/uio*", device);
    if (glob(pattern, 0, NULL, &found) || found.gl_pathc != 1)
        die("the device has no uio");
    events = open_path("/dev/%s", strrchr(found.gl_pathv[0], '/') + 1, O_RDONLY);
    fd = open_path("%s/event", found.gl_pathv[0], O_RDONLY);
    if (read(fd, text, sizeof(text) - 1) <= 0)
        die("reading event");
    counted = (uint32_t)strtoul(text, NULL, 10);
    config = open_path(DEVICES "%s/config", device, O_RDWR);
    store_config(COMMAND, load_config(COMMAND) | COMMAND_MEMORY);
    fd = open_path(DEVICES "%s/resource0", device, O_RDWR);
    bar = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (bar == MAP_FAILED)
        die("mapping resource0");
}

/* The kernel counts the interrupts; none may be missing between two reads. */
static uint64_t take_uio(void)
{
    uint32_t count, n;

    if (read(events, &count, sizeof(count)) != sizeof(count))
        die("reading the number of interrupts");
    n = count - counted;
    counted = count;
    return n;
}

static void unmask_uio(void)
{
    store_config(COMMAND, load_config(COMMAND) & (uint16_t)~COMMAND_INTX_DISABLE);
}

/* --- vfio-pci --------------------------------------------------------------------------------- */

static int device_fd;

static void set_irqs(uint32_t flags, int fd)
{
    uint8_t bytes[sizeof(struct vfio_irq_set) + sizeof(fd)] __attribute__((aligned(8)));
    struct vfio_irq_set irqs = { .argsz = fd < 0 ? sizeof(irqs) : sizeof(bytes),
                                 .flags = flags,
                                 .index = VFIO_PCI_INTX_IRQ_INDEX,
                                 .count = 1 };

    memcpy(bytes, &irqs, sizeof(irqs));
    memcpy(bytes + sizeof(irqs), &fd, sizeof(fd));
    if (ioctl(device_fd, VFIO_DEVICE_SET_IRQS, bytes))
        die("VFIO_DEVICE_SET_IRQS");
}

static struct vfio_region_info region(uint32_t index)
{
    struct vfio_region_info info = { .argsz = sizeof(info), .index = index };

    if (ioctl(device_fd, VFIO_DEVICE_GET_REGION_INFO, &info))
        die("VFIO_DEVICE_GET_REGION_INFO");
    return info;
}

static void open_vfio(const char *device)
{
    char path[256], link[256] = { 0 };

    snprintf(path, sizeof(path), DEVICES "%s/iommu_group", device);
    if (readlink(path, link, sizeof(link) - 1) < 0)
        die(path);
    int container = open_path("/dev/vfio/%s", "vfio", O_RDWR);
    int group = open_path("/dev/vfio/%s", strrchr(link, '/') + 1, O_RDWR);
    if (ioctl(group, VFIO_GROUP_SET_CONTAINER, &container) ||
        ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
        die("the IOMMU");
    device_fd = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, device);
    if (device_fd < 0)
        die("VFIO_GROUP_GET_DEVICE_FD");
    config = device_fd;
    config_at = (off_t)region(VFIO_PCI_CONFIG_REGION_INDEX).offset;
    store_config(COMMAND, load_config(COMMAND) | COMMAND_MEMORY);
    bar = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, device_fd,
               (off_t)region(VFIO_PCI_BAR0_REGION_INDEX).offset);
    if (bar == MAP_FAILED)
        die("mapping region 0");
    events = eventfd(0, EFD_CLOEXEC);
    set_irqs(VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER, events);
}

static uint64_t take_vfio(void)
{
    uint64_t n;

    if (read(events, &n, sizeof(n)) != sizeof(n))
        die("reading the eventfd");
    return n;
}

static void unmask_vfio(void)
{
    set_irqs(VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_UNMASK, -1);
}

/* --- interrupts ------------------------------------------------------------------------------- */

static bool interrupted(int ms)
{
    struct pollfd p = { .fd = events, .events = POLLIN };

    return poll(&p, 1, ms) > 0;
}

static void wait_until_quiet(void)
{
    const struct timespec moment = { .tv_nsec = 200000 };

    for (unsigned i = 0; load_config(STATUS) & STATUS_INTERRUPT; i++) {
        if (i == WAIT_MS * 5) {
            errno = ETIMEDOUT;
            die("the device still asserts its interrupt");
        }
        nanosleep(&moment, NULL);
    }
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: pciguest uio|vfio DEVICE COUNT|storm\n");
        return 2;
    }
    bool uio = !strcmp(argv[1], "uio"), storm = !strcmp(argv[3], "storm");
    uint64_t wanted = storm ? UINT64_MAX : strtoull(argv[3], NULL, 0), n = 0;
    setvbuf(stdout, NULL, _IONBF, 0);
    (uio ? open_uio : open_vfio)(argv[2]);
    puts("ready");
    while (n < wanted && interrupted(storm && n ? STORM_MS : WAIT_MS)) {
        uint64_t before = n;

        n += (uio ? take_uio : take_vfio)();
        if (storm && before < STORM && n >= STORM)
            puts("storm");
        if (!storm || n >= STORM)
            wait_until_quiet();
        (void)*bar;
        (uio ? unmask_uio : unmask_vfio)();
    }
    printf("%" PRIu64 "\n", n);
    return 0;
}
