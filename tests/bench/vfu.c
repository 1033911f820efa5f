/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A vfio-user client for what is measured: it sends a message and waits for the reply. It maps memory
 * with descriptors only, so the server has nothing to ask.
 */
#include <errno.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../mount/vfu.h"
#include "bench.h"

#define REPLY_MAX 8192u
#define FDS_MAX 8u
#define CAPABILITIES "{\"capabilities\":{\"max_msg_fds\":8}}"

struct reply {
    struct header header;
    uint8_t payload[REPLY_MAX];
    uint32_t len; /* of the payload */
    unsigned n_fds;
    int fds[FDS_MAX];
};

/* --- messages --------------------------------------------------------------------------------- */

static void send_all(int sock, const void *bytes, size_t n, const int *fd)
{
    char control[CMSG_SPACE(sizeof(*fd))] __attribute__((aligned(8))) = { 0 };
    struct iovec iov = { .iov_base = (void *)bytes, .iov_len = n };
    struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };

    if (fd) {
        mh.msg_control = control;
        mh.msg_controllen = sizeof(control);
        struct cmsghdr *cmsg = CMSG_FIRSTHDR(&mh);
        cmsg->cmsg_level = SOL_SOCKET;
        cmsg->cmsg_type = SCM_RIGHTS;
        cmsg->cmsg_len = CMSG_LEN(sizeof(*fd));
        memcpy(CMSG_DATA(cmsg), fd, sizeof(*fd));
    }
    if (sendmsg(sock, &mh, MSG_NOSIGNAL) != (ssize_t)n)
        bench_die("a message to a PCI function");
}

static void take_fds(struct reply *reply, struct msghdr *mh)
{
    for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(mh); cmsg; cmsg = CMSG_NXTHDR(mh, cmsg)) {
        size_t n = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        if (cmsg->cmsg_type != SCM_RIGHTS || n > FDS_MAX - reply->n_fds)
            continue;
        memcpy(reply->fds + reply->n_fds, CMSG_DATA(cmsg), n * sizeof(int));
        reply->n_fds += (unsigned)n;
    }
}

static void receive_all(int sock, struct reply *reply, void *to, size_t n)
{
    for (size_t done = 0; done < n;) {
        char control[CMSG_SPACE(FDS_MAX * sizeof(int))] __attribute__((aligned(8)));
        struct iovec iov = { .iov_base = (uint8_t *)to + done, .iov_len = n - done };
        struct msghdr mh = { .msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof(control) };
        ssize_t got = recvmsg(sock, &mh, MSG_CMSG_CLOEXEC);

        if (got <= 0)
            bench_die("the reply of a PCI function");
        take_fds(reply, &mh);
        done += (size_t)got;
    }
}

static void receive(struct bench_vfu *vfu, struct reply *reply)
{
    reply->n_fds = 0;
    receive_all(vfu->fd, reply, &reply->header, sizeof(reply->header));
    reply->len = reply->header.size - (uint32_t)sizeof(reply->header);
    if (reply->header.size < sizeof(reply->header) || reply->len > sizeof(reply->payload)) {
        errno = EPROTO;
        bench_die("a reply of another size");
    }
    receive_all(vfu->fd, reply, reply->payload, reply->len);
    if ((reply->header.flags & TYPE) != REPLY || reply->header.id != vfu->id ||
        reply->header.flags & ERROR) {
        char text[64];

        snprintf(text, sizeof(text), "the reply of a PCI function to command %u",
                 reply->header.command);
        errno = reply->header.error ? (int)reply->header.error : EPROTO;
        bench_die(text);
    }
}

static void ask(struct bench_vfu *vfu, uint16_t command, const void *payload, size_t len,
                const int *fd, struct reply *reply)
{
    struct {
        struct header header;
        uint8_t payload[512];
    } message = { .header = { .id = ++vfu->id,
                              .command = command,
                              .size = (uint32_t)(sizeof(message.header) + len) } };

    memcpy(message.payload, payload, len);
    send_all(vfu->fd, &message, message.header.size, fd);
    receive(vfu, reply);
}

static void close_fds(const struct reply *reply)
{
    for (unsigned k = 0; k < reply->n_fds; k++)
        close(reply->fds[k]);
}

/* --- the connection --------------------------------------------------------------------------- */

static void negotiate(struct bench_vfu *vfu)
{
    struct {
        uint16_t major, minor;
        char capabilities[sizeof(CAPABILITIES)];
    } version = { 0, 1, CAPABILITIES };
    struct reply reply;

    ask(vfu, VERSION, &version, 2 * sizeof(uint16_t) + sizeof(CAPABILITIES), NULL, &reply);
}

void bench_vfu_serve(struct bench_vfu *vfu, const struct bench_mount *mount, const char *name)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    char file[64];

    *vfu = (struct bench_vfu){ .fd = -1 };
    snprintf(file, sizeof(file), "pci/%s/vfio_user", name);
    snprintf(address.sun_path, sizeof(address.sun_path), "%.64s/%.32s", bench.scratch, name);
    bench_put(mount, file, "%s", address.sun_path);
    bench_pin_threads(mount, "vdf-vfio", bench_core(false));
    vfu->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (vfu->fd < 0 || connect(vfu->fd, (struct sockaddr *)&address, sizeof(address)))
        bench_die(address.sun_path);
    negotiate(vfu);
}

void bench_vfu_end(struct bench_vfu *vfu, const struct bench_mount *mount, const char *name)
{
    char file[64];

    close(vfu->fd);
    snprintf(file, sizeof(file), "pci/%s/vfio_user", name);
    bench_put(mount, file, "\n");
}

/* --- accesses --------------------------------------------------------------------------------- */

size_t bench_vfu_access(void *message, bool write, uint32_t region, uint64_t offset, uint32_t n,
                        uint64_t value)
{
    const struct rw rw = { .offset = offset, .region = region, .count = n };
    struct header header = { .command = write ? REGION_WRITE : REGION_READ,
                             .size = (uint32_t)(sizeof(header) + sizeof(rw) + (write ? n : 0)) };

    memcpy(message, &header, sizeof(header));
    memcpy((uint8_t *)message + sizeof(header), &rw, sizeof(rw));
    memcpy((uint8_t *)message + sizeof(header) + sizeof(rw), &value, write ? n : 0);
    return header.size;
}

size_t bench_vfu_answer(struct bench_vfu *vfu, const void *message, size_t n, void *bytes)
{
    struct reply reply;
    struct header header;

    memcpy(&header, message, sizeof(header));
    vfu->id = header.id;
    send_all(vfu->fd, message, n, NULL);
    receive(vfu, &reply);
    if (reply.header.size > BENCH_MESSAGE_MAX) {
        errno = EPROTO;
        bench_die("a reply of another size");
    }
    memcpy(bytes, &reply.header, sizeof(reply.header));
    memcpy((uint8_t *)bytes + sizeof(reply.header), reply.payload, reply.len);
    return reply.header.size;
}

void bench_vfu_write(struct bench_vfu *vfu, uint32_t region, uint64_t offset, uint32_t n,
                     uint64_t value)
{
    uint8_t message[BENCH_MESSAGE_MAX], reply[BENCH_MESSAGE_MAX];
    size_t len = bench_vfu_access(message, true, region, offset, n, value);

    bench_vfu_answer(vfu, message, len, reply);
}

/* --- descriptors ------------------------------------------------------------------------------ */

void *bench_vfu_map(struct bench_vfu *vfu, uint32_t region, size_t size)
{
    struct vfio_region_info info = { .argsz = REPLY_MAX, .index = region };
    void *at = MAP_FAILED;
    struct reply reply;

    ask(vfu, GET_REGION_INFO, &info, sizeof(info), NULL, &reply);
    memcpy(&info, reply.payload, sizeof(info));
    if (reply.n_fds && info.size >= size)
        at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, reply.fds[0], (off_t)info.offset);
    close_fds(&reply);
    return at == MAP_FAILED ? NULL : at;
}

int bench_vfu_doorbell(struct bench_vfu *vfu, uint32_t region, uint64_t offset)
{
    struct io_fds info = { .argsz = REPLY_MAX, .index = region };
    struct reply reply;
    struct io_fd at;
    int fd = -1;

    ask(vfu, GET_REGION_IO_FDS, &info, sizeof(info), NULL, &reply);
    memcpy(&info, reply.payload, sizeof(info));
    for (uint32_t k = 0; k < info.count && reply.len >= sizeof(info) + (k + 1) * sizeof(at); k++) {
        memcpy(&at, reply.payload + sizeof(info) + k * sizeof(at), sizeof(at));
        if (at.offset == offset && at.fd_index < reply.n_fds)
            fd = dup(reply.fds[at.fd_index]);
    }
    close_fds(&reply);
    return fd;
}

void bench_vfu_memory(struct bench_vfu *vfu, int fd, uint64_t at, uint64_t size)
{
    const struct dma_map map = {
        .argsz = sizeof(map), .flags = DMA_READABLE | DMA_WRITABLE, .iova = at, .size = size
    };
    struct reply reply;

    ask(vfu, DMA_MAP, &map, sizeof(map), &fd, &reply);
}

void bench_vfu_vector(struct bench_vfu *vfu, uint32_t n, int fd)
{
    const struct vfio_irq_set set = { .argsz = sizeof(set),
                                      .flags =
                                          VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
                                      .index = VFIO_PCI_MSIX_IRQ_INDEX,
                                      .start = n,
                                      .count = 1 };
    struct reply reply;

    ask(vfu, SET_IRQS, &set, sizeof(set), &fd, &reply);
}
