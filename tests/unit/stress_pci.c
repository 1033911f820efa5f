/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A PCI function under a vfio-user client, files and states at the same time, for ThreadSanitizer: the
 * function's thread enters its devices while FUSE threads read and write them, replace them by states,
 * and end and begin the service.
 *
 *     build/tsan/tests/stress_pci [ROUNDS]
 *
 * A client's command is answered, refused, or cut off by the end of the service. A write to a file is
 * done or refused for a conflict. Afterwards nothing is left open.
 */
#include <errno.h>
#include <linux/vfio.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <virtdevfs/socket.h>

#include "backends/pci/vfu_protocol.h"
#include "harness.h"

#define CONFIG VFIO_PCI_CONFIG_REGION_INDEX
#define MAPPED UINT64_C(0x10000) /* bytes of memory with a descriptor; as many without follow */

static unsigned rounds = 100;
static char dir[] = "/tmp/vdf-stress.XXXXXX", path[48];
static unsigned connections; /* that the client has ended */
static atomic_uint replies;
static atomic_bool ended; /* the files are done */

static void check(bool right, const char *what)
{
    if (right)
        return;
    fprintf(stderr, "stress_pci: %s: %s\n", what, vdf_test_last_error());
    exit(1);
}

/* --- the client ------------------------------------------------------------------------------- */

static struct {
    int sock;
    uint8_t payload[1u << 20];
} client;

static bool receive(void *to, size_t len)
{
    return !len || recv(client.sock, to, len, MSG_WAITALL) == (ssize_t)len;
}

static bool send_all(struct vdf_vfu_header header, const void *payload, size_t len, int fd)
{
    struct iovec iov[] = { { &header, sizeof(header) }, { (void *)payload, len } };

    header.size = (uint32_t)(sizeof(header) + len);
    return vdf_socket_send(client.sock, iov, len ? 2 : 1, &fd, fd >= 0, 0) == (ssize_t)header.size;
}

/* A command and its reply; accesses of memory that come in between are refused. Return: false: the
 * connection has ended. */
static bool ask(uint16_t command, const void *payload, size_t len, int fd)
{
    struct vdf_vfu_header header = { .id = 7, .command = command };

    if (!send_all(header, payload, len, fd))
        return false;
    for (;;) {
        if (!receive(&header, sizeof(header)))
            return false;
        check(header.size >= sizeof(header) && header.size <= sizeof(client.payload), "a size");
        if (!receive(client.payload, header.size - sizeof(header)))
            return false;
        if ((header.flags & VDF_VFU_TYPE) == VDF_VFU_TYPE_REPLY)
            break;
        header.flags = VDF_VFU_TYPE_REPLY | VDF_VFU_ERROR;
        header.error = EFAULT;
        if (!send_all(header, NULL, 0, -1))
            return false;
    }
    check(header.command == command, "the reply is to another command");
    atomic_fetch_add(&replies, 1);
    return true;
}

static bool access_region(uint32_t region, uint64_t offset, uint32_t n, const void *bytes)
{
    struct {
        struct vdf_vfu_region_access access;
        uint8_t bytes[8];
    } in = { { offset, region, n }, { 0 } };

    if (!bytes)
        return ask(VDF_VFU_REGION_READ, &in, sizeof(in.access), -1);
    memcpy(in.bytes, bytes, n);
    return ask(VDF_VFU_REGION_WRITE, &in, sizeof(in.access) + n, -1);
}

static bool map(uint64_t address, int fd)
{
    struct vdf_vfu_dma_map in = { sizeof(in), 3, 0, address, MAPPED };

    return ask(VDF_VFU_DMA_MAP, &in, sizeof(in), fd);
}

static bool unmap(uint64_t address)
{
    struct vdf_vfu_dma_unmap in = { sizeof(in), 0, address, MAPPED };

    return ask(VDF_VFU_DMA_UNMAP, &in, sizeof(in), -1);
}

static bool set_irq(uint32_t index, uint32_t flags, int fd)
{
    struct vdf_vfu_irq_set in = { sizeof(in), flags, index, 0, 1 };

    return ask(VDF_VFU_DEVICE_SET_IRQS, &in, sizeof(in), fd);
}

static bool go(uint32_t state)
{
    uint32_t in[] = { 16, VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE, state,
                      0 };

    return ask(VDF_VFU_DEVICE_FEATURE, in, sizeof(in), -1);
}

static bool migrate(void)
{
    uint32_t in[] = { sizeof(client.payload) / 2, sizeof(client.payload) / 2 - 8 };

    if (!go(VFIO_DEVICE_STATE_STOP_COPY) || !ask(VDF_VFU_MIG_DATA_READ, in, sizeof(in), -1))
        return false;
    uint32_t len = ((uint32_t *)client.payload)[1];
    uint8_t *data = malloc(len + 8);
    check(data, "no memory");
    memcpy(data, client.payload, len + 8);
    bool there = go(VFIO_DEVICE_STATE_RESUMING) && ask(VDF_VFU_MIG_DATA_WRITE, data, len + 8, -1) &&
                 go(VFIO_DEVICE_STATE_RUNNING);
    free(data);
    return there;
}

/* The messages of a VMM with a driver. */
static bool converse(int memory, int event)
{
    const uint32_t eventfd_flags = VFIO_IRQ_SET_DATA_EVENTFD;
    const uint32_t command = 6, status = 0x0f, none = 0;

    return ask(VDF_VFU_VERSION, &(struct vdf_vfu_version){ 0 }, 4, -1) && map(0, memory) &&
           map(MAPPED, -1) &&
           set_irq(VFIO_PCI_MSIX_IRQ_INDEX, eventfd_flags | VFIO_IRQ_SET_ACTION_TRIGGER, event) &&
           set_irq(VFIO_PCI_MSIX_IRQ_INDEX, eventfd_flags | VFIO_IRQ_SET_ACTION_MASK, event) &&
           set_irq(VFIO_PCI_INTX_IRQ_INDEX, eventfd_flags | VFIO_IRQ_SET_ACTION_TRIGGER, event) &&
           set_irq(VFIO_PCI_INTX_IRQ_INDEX, eventfd_flags | VFIO_IRQ_SET_ACTION_UNMASK, event) &&
           access_region(CONFIG, 0, 64, NULL) && access_region(CONFIG, 4, 2, &command) &&
           access_region(0, 0x14, 1, &status) && access_region(0, 0, 64, NULL) &&
           access_region(2, 8, 4, &command) && access_region(3, 0, 4, NULL) &&
           set_irq(VFIO_PCI_MSIX_IRQ_INDEX, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER,
                   -1) &&
           migrate() && access_region(0, 0x14, 1, &none) && unmap(MAPPED) &&
           ask(VDF_VFU_DEVICE_RESET, NULL, 0, -1) && unmap(0);
}

static void *vmm(void *arg)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    int memory = memfd_create("stress", MFD_CLOEXEC), event = eventfd(0, EFD_CLOEXEC);

    check(memory >= 0 && event >= 0 && ftruncate(memory, MAPPED) == 0, "no memory of the client");
    strcpy(addr.sun_path, path);
    while (!atomic_load(&ended)) {
        client.sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        check(client.sock >= 0, "no socket");
        if (!connect(client.sock, (struct sockaddr *)&addr, sizeof(addr)))
            connections += converse(memory, event);
        close(client.sock);
        usleep(1000);
    }
    close(memory);
    close(event);
    return NULL;
}

/* --- files ------------------------------------------------------------------------------------ */

/* Another thread may have removed, restored or taken what the file belongs to. */
static void put(const char *file, const char *text)
{
    int ret = vdf_test_write(file, text);

    check(ret == 0 || ret == -EBUSY || ret == -ENOENT || ret == -ENODEV || ret == -EINVAL ||
              ret == -EAGAIN || ret == -EPERM || ret == -EADDRINUSE,
          file);
}

static void *registers(void *arg)
{
    static const char *const files[] = { "pci/nic/msix/enabled", "pci/nic/msix/mask",
                                         "pci/nic/msix/0/mask", "console/con0/reset",
                                         "aplic/aplic0/wire/3" };

    while (!atomic_load(&ended))
        for (unsigned k = 0; k < 2 * sizeof(files) / sizeof(files[0]); k++)
            put(files[k / 2], k % 2 ? "1" : "0");
    return NULL;
}

static void restore(const char *file)
{
    char *text = strdup(vdf_test_read(file));

    check(text, "no memory");
    put(file, text);
    free(text);
}

/* vdf_test_read() has one buffer: this thread alone reads. */
static void *files(void *arg)
{
    static const char *const read[] = { "pci/nic/client", "pci/nic/dma", "pci/nic/msix/0/sent",
                                        "pci/nic/intx/level", "pci/nic/bars/2/mapped" };

    for (unsigned k = 0; k < rounds; k++) {
        for (unsigned i = 0; i < sizeof(read) / sizeof(read[0]); i++)
            vdf_test_read(read[i]);
        if (k % 8 == 3)
            restore("state");
        if (k % 8 == 5)
            restore("pci/nic/state");
        if (k % 8 == 7) {
            put("pci/nic/vfio_user", "\n");
            put("pci/nic/vfio_user", path);
        }
        usleep(2000);
    }
    /* One conversation at least has an end. */
    for (unsigned k = 0; k < 10000 && atomic_load(&replies) < 100; k++)
        usleep(1000);
    atomic_store(&ended, true);
    put("pci/nic/vfio_user", "\n");
    return NULL;
}

/* --- before and afterwards -------------------------------------------------------------------- */

static void set_up(void)
{
    static const char *const steps[][2] = {
        { "pci/nic", NULL },           { "pci/nic/function", "console/con0" },
        { "pci/nic/bars/2", NULL },    { "pci/nic/bars/2/device", "memory" },
        { "pci/nic/bars/3", NULL },    { "pci/nic/bars/3/device", "aplic/aplic0" },
        { "pci/nic/vfio_user", path },
    };

    for (unsigned k = 0; k < sizeof(steps) / sizeof(steps[0]); k++)
        check((steps[k][1] ? vdf_test_write(steps[k][0], steps[k][1])
                           : vdf_test_mkdir(steps[k][0])) == 0,
              steps[k][0]);
}

static bool run(enum vdf_engine_kind kind)
{
    void *(*const bodies[])(void *) = { vmm, registers, files };
    pthread_t threads[3];

    if (!vdf_test_tree_with_engine(kind, false))
        return false;
    set_up();
    atomic_store(&ended, false);
    connections = 0;
    atomic_store(&replies, 0);
    for (unsigned k = 0; k < 3; k++)
        check(pthread_create(&threads[k], NULL, bodies[k], NULL) == 0, "no thread");
    for (unsigned k = 0; k < 3; k++)
        pthread_join(threads[k], NULL);
    check(atomic_load(&replies) >= 100, "the client had few replies");
    check(access(path, F_OK) != 0, "the socket is left");
    check(vdf_test_rmdir("pci/nic") == 0 && vdf_test_rmdir("console/con0") == 0, "rmdir");
    vdf_test_tree_free();
    printf("engine %d: %u conversations with an end, %u replies\n", (int)kind, connections,
           atomic_load(&replies));
    return true;
}

int main(int argc, char **argv)
{
    if (argc > 1)
        rounds = (unsigned)strtoul(argv[1], NULL, 0);
    check(mkdtemp(dir), "no folder");
    snprintf(path, sizeof(path), "%s/socket", dir);
    bool ran = run(VDF_ENGINE_IO_URING);
    ran = run(VDF_ENGINE_LIBAIO) || ran;
    check(rmdir(dir) == 0, "the folder is not empty");
    return ran ? 0 : 77;
}
