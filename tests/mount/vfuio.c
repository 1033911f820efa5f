/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A vfio-user client for the scripts: the messages of a VMM, its memory and its eventfds, without a
 * guest. It takes one command a line, or one an argument, and answers each with one line: the result
 * of the command, an errno's name that the server has replied with, `closed` when the server has
 * closed the connection, or `timeout`.
 *
 *     vfuio [COMMAND]...
 *
 *     connect PATH                  ok
 *     close                         ok
 *     version [JSON [MAJOR MINOR]]  `MAJOR MINOR JSON` of the reply; a twin socket is used
 *     info                          FLAGS REGIONS INTERRUPTS
 *     region N                      SIZE FLAGS of r, w, m (mmap), c (capabilities), and one
 *                                   OFFSET+SIZE for each sparse area
 *     iofds N                       COUNT, and one OFFSET:SIZE:DATA for each ioeventfd
 *     ring REGION N                 the ioeventfd of place N in the answer to `iofds`
 *     irq N                         COUNT FLAGS of e (eventfd), m (maskable), a (automasked), n
 *                                   (noresize)
 *     read REGION OFFSET COUNT      a number if COUNT is 1, 2, 4 or 8, or else bytes as hex
 *     write REGION OFFSET COUNT VALUE    ok
 *     put REGION OFFSET HEX         the same for any bytes
 *     post REGION OFFSET COUNT VALUE     the same without a reply
 *     multi REGION OFFSET COUNT VALUE... REGION_WRITE_MULTI, of VALUEs one behind the other; how
 *                                   many have been done
 *     mmap REGION                   the whole region; ok
 *     load REGION OFFSET COUNT      from that mapping
 *     store REGION OFFSET COUNT VALUE    to that mapping
 *     dma-map IOVA SIZE fd|nofd [OFFSET [ACCESS]]    memory of this process from OFFSET, which is 0;
 *                                   ACCESS is rw, r or w
 *     dma-unmap IOVA SIZE [FLAGS]   ok
 *     peek IOVA COUNT               bytes of this process's memory, as hex
 *     poke IOVA HEX                 ok
 *     dma MODE                      how DMA_READ and DMA_WRITE are answered: `answer`, `late` (not
 *                                   while this waits for a reply), `refuse`, `silent`
 *     dma-count                     how many of each have come: READS WRITES
 *     dma-held [MS]                 the last unanswered one: read|write IOVA COUNT, or `none`
 *     dma-reply [HEX [FLAGS [ERRNO]]]    answer that one, with this payload or the right one
 *     set-irqs INDEX START COUNT DATA ACTION [BOOL]...    DATA is none, bool, eventfd or nofd
 *                                   (eventfd without descriptors); ACTION is mask, unmask or
 *                                   trigger
 *     wait-irq INDEX N [MS]         how often the eventfd has been written since the last look
 *     count-irq INDEX N             how often it has been written altogether
 *     reset                         DEVICE_RESET
 *     feature FLAGS [HEX]           the data of the reply as hex, or ok
 *     state [NAME]                  the migration's state, or to go to that state
 *     save FILE [CHUNK]             the stream of MIG_DATA_READ into a file; how many bytes
 *     restore FILE [CHUNK]          a file as MIG_DATA_WRITE; how many bytes
 *     log-start PAGE [IOVA LENGTH]...
 *     log-stop
 *     log-report IOVA LENGTH PAGE   the numbers of the dirty pages in the range, or `none`
 *     raw COMMAND FLAGS HEX [FDS [KIND]]    any message with FDS descriptors of KIND eventfd, memfd,
 *                                   file, pipe or socket; the reply's payload as hex, or ok
 *     message ID COMMAND SIZE FLAGS ERROR HEX [FDS [KIND]]    any header before any bytes; ok
 *     bytes HEX                     any bytes; ok
 *     reply [MS]                    the next message: ID COMMAND FLAGS ERROR [HEX]; a command is one
 *                                   with `dma silent` only
 *     quiet [MS]                    ok when no message comes
 *     flood COMMAND                 this message until the socket is full; nothing is read
 *     cut [SIZE]                    the memory's file becomes empty, or of this size
 *     limit N                       descriptors that this process may open
 *
 * Numbers are decimal or 0x hex, `-` stands for no bytes.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/vfio.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "client.h"
#include "vfu.h"

#define WAIT_MS 10000
#define QUIET_MS 100 /* that no reply came is known only by waiting */

#define POOL (UINT64_C(1) << 32) /* bytes of the memory; its file is sparse */
#define DATA_MAX (1u << 20)
#define PAYLOAD_MAX (DATA_MAX + 4096u)
#define MAPS_MAX 4096u
#define INDICES 5u
#define VECTORS 2048u
#define REGIONS 9u
#define FDS_MAX 64u
#define WORDS_MAX 1024u

enum { FEATURE_STATE = 2, LOG_START = 6, LOG_STOP = 7, LOG_REPORT = 8 };

struct message {
    struct header header;
    uint8_t payload[PAYLOAD_MAX];
    uint32_t len; /* of the payload */
    int fds[FDS_MAX];
    unsigned n_fds;
    int from; /* the socket that it came from */
};

struct map {
    uint64_t iova, size, offset;
};

struct irq {
    bool set;
    int fd;
    uint64_t count;
};

struct bar {
    uint8_t *bytes;
    uint64_t size;
    int fd;
    uint64_t offset;
    unsigned n_bells;
    int bells[FDS_MAX];
};

struct dma {
    uint64_t iova, count;
    uint8_t data[];
};

static enum { DMA_ANSWER, DMA_LATE, DMA_REFUSE, DMA_SILENT } dma_mode;
static int sock = -1, twin = -1, memfd = -1;
static uint8_t *pool;
static uint64_t pool_size = POOL;
static struct map maps[MAPS_MAX];
static unsigned n_maps;
static struct irq irqs[INDICES][VECTORS];
static struct bar bars[REGIONS];
static uint16_t next_id;
static struct message in, held, request;
static bool holds; /* `held` has not been answered */
static uint64_t dma_reads, dma_writes;

/* A command is given up with this answer. */
static char answer[2 * PAYLOAD_MAX + 256];
static bool failed;

static bool give_up(const char *text)
{
    if (!failed)
        snprintf(answer, sizeof(answer), "%s", text);
    failed = true;
    return false;
}

static bool give_up_errno(void)
{
    return give_up(errno == EPIPE || errno == ECONNRESET ? "closed" : strerrorname_np(errno));
}

static bool say(uint64_t number)
{
    snprintf(answer, sizeof(answer), "%" PRIu64, number);
    return true;
}

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* --- messages --------------------------------------------------------------------------------- */

static bool send_bytes(int fd, const void *bytes, size_t n, const int *fds, unsigned n_fds)
{
    char control[CMSG_SPACE(FDS_MAX * sizeof(int))] = { 0 };
    struct iovec iov = { .iov_base = (void *)bytes, .iov_len = n };
    struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };

    if (n_fds) {
        struct cmsghdr *c;

        mh.msg_control = control;
        mh.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
        c = CMSG_FIRSTHDR(&mh);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
        memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
    }
    if (sendmsg(fd, &mh, MSG_NOSIGNAL) != (ssize_t)n)
        return give_up_errno();
    return true;
}

static bool send_message(int fd, struct header header, const void *payload, uint32_t len,
                         const int *fds, unsigned n_fds)
{
    static uint8_t bytes[sizeof(struct header) + PAYLOAD_MAX];

    memcpy(bytes, &header, sizeof(header));
    if (len)
        memcpy(bytes + sizeof(header), payload, len);
    return send_bytes(fd, bytes, sizeof(header) + len, fds, n_fds);
}

static void close_fds(struct message *m)
{
    for (unsigned i = 0; i < m->n_fds; i++)
        close(m->fds[i]);
    m->n_fds = 0;
}

static void take_fds(struct message *m, struct msghdr *mh)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
        unsigned n;

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        n = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        if (m->n_fds + n > FDS_MAX)
            n = FDS_MAX - m->n_fds;
        memcpy(m->fds + m->n_fds, CMSG_DATA(c), n * sizeof(int));
        m->n_fds += n;
    }
}

/* Bytes from a socket, with descriptors; false also when it ends. */
static bool read_all(int fd, struct message *m, void *to, size_t n)
{
    for (size_t done = 0; done < n;) {
        char control[CMSG_SPACE(FDS_MAX * sizeof(int))];
        struct iovec iov = { .iov_base = (uint8_t *)to + done, .iov_len = n - done };
        struct msghdr mh = { .msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof(control) };
        struct pollfd p = { .fd = fd, .events = POLLIN };
        ssize_t r;

        if (poll(&p, 1, WAIT_MS) <= 0)
            return give_up("timeout");
        r = recvmsg(fd, &mh, MSG_CMSG_CLOEXEC);
        if (r < 0)
            return give_up_errno();
        if (r == 0)
            return give_up("closed");
        take_fds(m, &mh);
        done += (size_t)r;
    }
    return true;
}

static bool receive(int fd, struct message *m)
{
    close_fds(m);
    m->from = fd;
    if (!read_all(fd, m, &m->header, sizeof(m->header)))
        return false;
    if (m->header.size < sizeof(m->header) ||
        m->header.size - sizeof(m->header) > sizeof(m->payload))
        return give_up("wrong size");
    m->len = m->header.size - (uint32_t)sizeof(m->header);
    return read_all(fd, m, m->payload, m->len);
}

/* --- memory ----------------------------------------------------------------------------------- */

/* Where the byte at @iova is, and how many follow it; NULL: nowhere. */
static uint8_t *find(uint64_t iova, uint64_t *left)
{
    for (unsigned i = 0; i < n_maps; i++) {
        if (iova < maps[i].iova || iova - maps[i].iova >= maps[i].size)
            continue;
        *left = maps[i].size - (iova - maps[i].iova);
        return pool + maps[i].offset + (iova - maps[i].iova);
    }
    return NULL;
}

static bool copy_memory(uint64_t iova, uint8_t *bytes, uint64_t n, bool to_memory)
{
    while (n) {
        uint64_t left;
        uint8_t *at = find(iova, &left);

        if (!at)
            return false;
        if (left > n)
            left = n;
        memcpy(to_memory ? at : bytes, to_memory ? bytes : at, left);
        iova += left;
        bytes += left;
        n -= left;
    }
    return true;
}

static bool make_pool(void)
{
    memfd = memfd_create("vfuio", MFD_CLOEXEC);
    if (memfd < 0 || ftruncate(memfd, (off_t)POOL))
        return false;
    pool = mmap(NULL, POOL, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, memfd, 0);
    return pool != MAP_FAILED;
}

/* The server's accesses to memory that it has no descriptor of. */
static bool answer_dma(struct message *m, bool refuse)
{
    const struct dma *asked = (const void *)m->payload;
    static uint8_t reply[PAYLOAD_MAX];
    struct header header = m->header;
    bool write = header.command == DMA_WRITE;
    uint32_t len = 16;

    header.flags = REPLY;
    memcpy(reply, m->payload, 16);
    if (refuse || asked->count > DATA_MAX || m->len != 16 + (write ? asked->count : 0) ||
        !copy_memory(asked->iova, write ? m->payload + 16 : reply + 16, asked->count, write)) {
        header.flags |= ERROR;
        header.error = EINVAL;
        len = 0;
    } else if (!write) {
        len += (uint32_t)asked->count;
    }
    header.size = (uint32_t)sizeof(header) + len;
    return send_message(m->from, header, reply, len, NULL, 0);
}

static bool take_command(const struct message *m)
{
    if ((m->header.command != DMA_READ && m->header.command != DMA_WRITE) || m->len < 16)
        return give_up("wrong command");
    if (m->header.command == DMA_READ)
        dma_reads++;
    else
        dma_writes++;
    held = *m;
    holds = true;
    if (dma_mode == DMA_SILENT || dma_mode == DMA_LATE)
        return true;
    holds = false;
    return answer_dma(&held, dma_mode == DMA_REFUSE);
}

/* Answer the command that `late` has put off. */
static void answer_late(void)
{
    if (!holds || dma_mode != DMA_LATE)
        return;
    holds = false;
    answer_dma(&held, false);
}

/* Waits until a socket can be read: which, or -1. */
static int wait_socket(int ms)
{
    struct pollfd p[2] = { { .fd = sock, .events = POLLIN }, { .fd = twin, .events = POLLIN } };

    if (poll(p, 2, ms) <= 0)
        return -1;
    return p[1].revents & POLLIN ? twin : sock;
}

/* The next reply, to the message @id; commands of the server are taken meanwhile. */
static bool receive_reply(uint16_t id, uint16_t command)
{
    int64_t end = now_ms() + WAIT_MS;

    for (;;) {
        int64_t left = end - now_ms();
        int fd = wait_socket(left > 0 ? (int)left : 0);

        if (fd < 0)
            return give_up("timeout");
        if (!receive(fd, &in))
            return false;
        if (fd == sock && (in.header.flags & TYPE) == REPLY)
            break;
        if (!take_command(&in))
            return false;
    }
    if (in.header.id != id || in.header.command != command)
        return give_up("wrong reply");
    if (in.header.flags & ERROR) {
        const char *name = strerrorname_np((int)in.header.error);

        return give_up(in.len ? "error with payload" : in.header.error && name ? name : "error");
    }
    return true;
}

static bool ask_with(uint16_t command, const void *payload, size_t len, const int *fds,
                     unsigned n_fds)
{
    struct header header = { .id = next_id++,
                             .command = command,
                             .size = (uint32_t)(sizeof(header) + len) };

    return send_message(sock, header, payload, (uint32_t)len, fds, n_fds) &&
           receive_reply(header.id, command);
}

/* A command with its reply in `in`, which has at least @min bytes. */
static bool ask(uint16_t command, const void *payload, size_t len, size_t min)
{
    if (!ask_with(command, payload, len, NULL, 0))
        return false;
    return in.len >= min ? true : give_up("short reply");
}

/* --- the connection --------------------------------------------------------------------------- */

static void forget_regions(void)
{
    for (unsigned i = 0; i < REGIONS; i++) {
        if (bars[i].bytes)
            munmap(bars[i].bytes, bars[i].size);
        if (bars[i].fd > 0)
            close(bars[i].fd);
        for (unsigned n = 0; n < bars[i].n_bells; n++)
            close(bars[i].bells[n]);
        bars[i] = (struct bar){ 0 };
    }
}

static void forget_connection(void)
{
    if (sock >= 0)
        close(sock);
    if (twin >= 0)
        close(twin);
    sock = twin = -1;
    n_maps = 0;
    holds = false;
    forget_regions();
    for (unsigned i = 0; i < INDICES; i++) {
        for (unsigned n = 0; n < VECTORS; n++) {
            if (irqs[i][n].set)
                close(irqs[i][n].fd);
            irqs[i][n] = (struct irq){ 0 };
        }
    }
}

static bool do_connect(const char *path)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };

    forget_connection();
    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
    sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (sock < 0 || connect(sock, (struct sockaddr *)&addr, sizeof(addr)))
        return give_up_errno();
    return true;
}

static bool do_version(const char *json, uint16_t major, uint16_t minor)
{
    struct {
        uint16_t major, minor;
        char json[4096];
    } version = { .major = major, .minor = minor };
    const char *index;
    size_t len = json ? strlen(json) + 1 : 0;

    if (len > sizeof(version.json))
        return give_up("too long");
    if (json)
        memcpy(version.json, json, len);
    if (!ask(VERSION, &version, 4 + len, 4))
        return false;
    memcpy(&version, in.payload, 4);
    if (in.len > 4 && in.payload[in.len - 1])
        return give_up("no NUL");
    snprintf(answer, sizeof(answer), "%u %u %s", version.major, version.minor,
             in.len > 4 ? (const char *)in.payload + 4 : "-");
    index = strstr(answer, "\"fd_index\":");
    if (index) {
        unsigned long n = strtoul(index + 11, NULL, 10);

        if (n >= in.n_fds)
            return give_up("wrong fd_index");
        twin = in.fds[n];
        in.fds[n] = in.fds[--in.n_fds];
    }
    return true;
}

/* --- information ------------------------------------------------------------------------------ */

/* The letters of the bits in @flags. */
static const char *letters(uint32_t flags, const char *names)
{
    static char text[16];
    unsigned n = 0;

    for (unsigned i = 0; names[i]; i++)
        if (flags & (1u << i))
            text[n++] = names[i];
    text[n] = '\0';
    return n ? text : "-";
}

static bool do_info(void)
{
    uint32_t info[4] = { sizeof(info) };

    if (!ask(GET_INFO, info, sizeof(info), sizeof(info)))
        return false;
    memcpy(info, in.payload, sizeof(info));
    snprintf(answer, sizeof(answer), "0x%x %u %u", info[1], info[2], info[3]);
    return true;
}

/* The sparse areas of a region, behind what the answer says already. */
static bool say_areas(uint32_t offset, int at)
{
    struct vfio_info_cap_header cap;
    uint32_t n;

    if (offset < sizeof(struct vfio_region_info) || offset > in.len - sizeof(cap) - 8)
        return give_up("wrong cap_offset");
    memcpy(&cap, in.payload + offset, sizeof(cap));
    if (cap.id != VFIO_REGION_INFO_CAP_SPARSE_MMAP || cap.version != 1)
        return give_up("wrong capability");
    memcpy(&n, in.payload + offset + sizeof(cap), sizeof(n));
    if (n > (in.len - offset - sizeof(cap) - 8) / 16)
        return give_up("wrong areas");
    for (uint32_t i = 0; i < n; i++) {
        uint64_t area[2];

        memcpy(area, in.payload + offset + sizeof(cap) + 8 + 16 * i, sizeof(area));
        at += snprintf(answer + at, sizeof(answer) - (size_t)at, " 0x%" PRIx64 "+0x%" PRIx64,
                       area[0], area[1]);
    }
    return true;
}

static bool do_region(uint32_t index)
{
    struct vfio_region_info info = { .argsz = 4096, .index = index };
    int at;

    if (!ask(GET_REGION_INFO, &info, sizeof(info), sizeof(info)))
        return false;
    memcpy(&info, in.payload, sizeof(info));
    if (info.index != index || info.argsz != in.len)
        return give_up("wrong reply");
    if (!!(info.flags & VFIO_REGION_INFO_FLAG_MMAP) != (in.n_fds == 1))
        return give_up("wrong descriptors");
    if (in.n_fds && index < REGIONS) {
        if (bars[index].fd > 0)
            close(bars[index].fd);
        bars[index].fd = in.fds[0];
        bars[index].offset = info.offset;
        in.n_fds = 0;
    }
    if (index < REGIONS && !bars[index].bytes)
        bars[index].size = info.size;
    at = snprintf(answer, sizeof(answer), "0x%" PRIx64 " %s", (uint64_t)info.size,
                  letters(info.flags, "rwmc"));
    return info.flags & VFIO_REGION_INFO_FLAG_CAPS ? say_areas(info.cap_offset, at) : true;
}

static bool do_iofds(uint32_t index)
{
    struct io_fds info = { .argsz = 4096, .index = index };
    int at;

    if (index >= REGIONS)
        return give_up("no region");
    if (!ask(GET_REGION_IO_FDS, &info, sizeof(info), sizeof(info)))
        return false;
    memcpy(&info, in.payload, sizeof(info));
    if (info.argsz != in.len || info.index != index || info.count > FDS_MAX ||
        in.len != sizeof(info) + sizeof(struct io_fd) * info.count)
        return give_up("wrong reply");
    for (unsigned n = 0; n < bars[index].n_bells; n++)
        close(bars[index].bells[n]);
    bars[index].n_bells = 0;
    at = snprintf(answer, sizeof(answer), "%u", info.count);
    for (uint32_t i = 0; i < info.count; i++) {
        struct io_fd sub;

        memcpy(&sub, in.payload + sizeof(info) + sizeof(sub) * i, sizeof(sub));
        if (sub.fd_index >= in.n_fds || sub.type)
            return give_up("wrong sub-region");
        bars[index].bells[bars[index].n_bells++] = dup(in.fds[sub.fd_index]);
        at += snprintf(answer + at, sizeof(answer) - (size_t)at,
                       " 0x%" PRIx64 ":%" PRIu64 ":0x%" PRIx64, sub.offset, sub.size, sub.data);
    }
    return true;
}

static bool do_ring(uint64_t region, uint64_t n)
{
    if (region >= REGIONS || n >= bars[region].n_bells)
        return give_up("no ioeventfd");
    return eventfd_write(bars[region].bells[n], 1) ? give_up_errno() : true;
}

static bool do_irq(uint32_t index)
{
    struct vfio_irq_info info = { .argsz = sizeof(info), .index = index };

    if (!ask(GET_IRQ_INFO, &info, sizeof(info), sizeof(info)))
        return false;
    memcpy(&info, in.payload, sizeof(info));
    if (info.index != index)
        return give_up("wrong reply");
    snprintf(answer, sizeof(answer), "%u %s", info.count, letters(info.flags, "eman"));
    return true;
}

/* --- accesses --------------------------------------------------------------------------------- */

/* Bytes as the answer: a number if they are those of a register. */
static bool say_bytes(const uint8_t *bytes, uint64_t n)
{
    uint64_t value = 0;

    if (n > DATA_MAX)
        return give_up("too long");
    if (n == 1 || n == 2 || n == 4 || n == 8) {
        memcpy(&value, bytes, n);
        snprintf(answer, sizeof(answer), "0x%0*" PRIx64, (int)(2 * n), value);
    } else {
        answer[0] = '\0';
        hex(answer, bytes, n);
    }
    return true;
}

static bool do_read(uint32_t region, uint64_t offset, uint32_t count)
{
    struct rw head = { .offset = offset, .region = region, .count = count };

    if (!ask(REGION_READ, &head, sizeof(head), sizeof(head)))
        return false;
    memcpy(&head, in.payload, sizeof(head));
    if (head.offset != offset || head.region != region || head.count != count ||
        in.len != sizeof(head) + count)
        return give_up("wrong reply");
    return say_bytes(in.payload + sizeof(head), count);
}

static bool do_write(uint32_t region, uint64_t offset, uint32_t count, const void *bytes,
                     bool posted)
{
    struct rw *rw = (void *)request.payload;
    struct header header = { .command = REGION_WRITE,
                             .size = (uint32_t)(sizeof(header) + sizeof(*rw)) + count,
                             .flags = NO_REPLY };

    if (count > DATA_MAX)
        return give_up("too long");
    *rw = (struct rw){ .offset = offset, .region = region, .count = count };
    memcpy(rw->data, bytes, count);
    if (posted) {
        header.id = next_id++;
        return send_message(sock, header, rw, (uint32_t)sizeof(*rw) + count, NULL, 0);
    }
    if (!ask(REGION_WRITE, rw, sizeof(*rw) + count, sizeof(*rw)))
        return false;
    if (in.len != sizeof(*rw) || memcmp(in.payload, rw, sizeof(*rw)))
        return give_up("wrong reply");
    return true;
}

static bool do_multi(uint32_t region, uint64_t offset, uint32_t count, char *const *values,
                     unsigned n)
{
    struct one {
        uint64_t offset;
        uint32_t region, count;
        uint64_t data;
    };
    uint64_t number = n;

    memcpy(request.payload, &number, sizeof(number));
    for (unsigned i = 0; i < n; i++) {
        struct one one = { offset + (uint64_t)i * count, region, count,
                           strtoull(values[i], NULL, 0) };

        memcpy(request.payload + 8 + i * sizeof(one), &one, sizeof(one));
    }
    if (!ask(REGION_WRITE_MULTI, request.payload, 8 + n * sizeof(struct one), 8))
        return false;
    memcpy(&number, in.payload, sizeof(number));
    return say(number);
}

static bool do_mmap(uint64_t region)
{
    struct bar *bar = &bars[region % REGIONS];

    if (region >= REGIONS || bar->fd <= 0)
        return give_up("no descriptor");
    if (bar->bytes)
        return true;
    bar->bytes =
        mmap(NULL, bar->size, PROT_READ | PROT_WRITE, MAP_SHARED, bar->fd, (off_t)bar->offset);
    if (bar->bytes == MAP_FAILED) {
        bar->bytes = NULL;
        return give_up_errno();
    }
    return true;
}

/* An access of @count bytes through the mapping: one instruction for a register. */
static bool do_mapped(uint64_t region, uint64_t offset, uint64_t count, uint64_t value, bool store)
{
    uint8_t *at, bytes[8] = { 0 };

    if (region >= REGIONS || !bars[region].bytes || offset >= bars[region].size ||
        count > bars[region].size - offset)
        return give_up("not mapped");
    at = bars[region].bytes + offset;
    if (!store && count > sizeof(bytes))
        return say_bytes(at, count);
    if (store && count == 4)
        __atomic_store_n((uint32_t *)(void *)at, (uint32_t)value, __ATOMIC_RELEASE);
    else if (store && count == 8)
        __atomic_store_n((uint64_t *)(void *)at, value, __ATOMIC_RELEASE);
    else if (store)
        memcpy(at, &value, count > 8 ? 8 : count);
    else
        memcpy(bytes, at, count);
    return store ? true : say_bytes(bytes, count);
}

/* --- DMA -------------------------------------------------------------------------------------- */

static bool do_dma_map(uint64_t iova, uint64_t size, bool with_fd, uint64_t offset,
                       const char *access)
{
    struct dma_map map = {
        .argsz = sizeof(map), .offset = with_fd ? offset : 0, .iova = iova, .size = size
    };

    map.flags = (strchr(access, 'r') ? DMA_READABLE : 0) | (strchr(access, 'w') ? DMA_WRITABLE : 0);
    if (n_maps == MAPS_MAX)
        return give_up("too many");
    if (!ask_with(DMA_MAP, &map, sizeof(map), &memfd, with_fd ? 1 : 0))
        return false;
    if (in.len)
        return give_up("wrong reply");
    if (offset >= POOL || size > POOL - offset)
        return give_up("beyond the memory");
    maps[n_maps++] = (struct map){ .iova = iova, .size = size, .offset = offset };
    return true;
}

static bool do_dma_unmap(uint64_t iova, uint64_t size, uint32_t flags)
{
    struct {
        uint32_t argsz, flags;
        uint64_t iova, size;
    } unmap = { .argsz = sizeof(unmap), .flags = flags, .iova = iova, .size = size };

    if (!ask(DMA_UNMAP, &unmap, sizeof(unmap), 0))
        return false;
    for (unsigned i = 0; i < n_maps;) {
        if (flags || (maps[i].iova == iova && maps[i].size == size))
            maps[i] = maps[--n_maps];
        else
            i++;
    }
    return true;
}

static bool do_peek(uint64_t iova, uint64_t count)
{
    if (count > DATA_MAX || !copy_memory(iova, request.payload, count, false))
        return give_up("not mapped");
    answer[0] = '\0';
    hex(answer, request.payload, count);
    return true;
}

static bool do_poke(uint64_t iova, const char *text)
{
    size_t n = from_hex(text, request.payload, DATA_MAX);

    return copy_memory(iova, request.payload, n, true) ? true : give_up("not mapped");
}

static bool do_dma_mode(const char *mode)
{
    static const char *const modes[] = { "answer", "late", "refuse", "silent" };

    for (unsigned i = 0; i < 4; i++) {
        if (!strcmp(mode, modes[i])) {
            dma_mode = i;
            return true;
        }
    }
    return give_up("no such mode");
}

static bool do_dma_held(int ms)
{
    int64_t end = now_ms() + ms;
    struct dma asked;

    while (!holds) {
        int64_t left = end - now_ms();
        int fd = wait_socket(left > 0 ? (int)left : 0);

        if (fd < 0)
            break;
        if (!receive(fd, &in) || !take_command(&in))
            return false;
    }
    if (!holds)
        return give_up("none");
    memcpy(&asked, held.payload, sizeof(asked));
    snprintf(answer, sizeof(answer), "%s 0x%" PRIx64 " %" PRIu64,
             held.header.command == DMA_READ ? "read" : "write", asked.iova, asked.count);
    return true;
}

static bool do_dma_reply(const char *text, uint32_t flags, uint32_t error)
{
    struct header header = held.header;
    size_t n;

    if (!holds)
        return give_up("none");
    holds = false;
    if (!text)
        return answer_dma(&held, false);
    n = from_hex(text, request.payload, sizeof(request.payload));
    header.flags = flags;
    header.error = error;
    header.size = (uint32_t)(sizeof(header) + n);
    return send_message(held.from, header, request.payload, (uint32_t)n, NULL, 0);
}

/* --- interrupts ------------------------------------------------------------------------------- */

static bool make_eventfds(uint64_t index, uint64_t start, uint64_t count, int *fds)
{
    if (index >= INDICES || start >= VECTORS || count > VECTORS - start || count > FDS_MAX)
        return give_up("no such interrupts");
    for (uint64_t i = 0; i < count; i++) {
        struct irq *irq = &irqs[index][start + i];

        if (irq->set)
            close(irq->fd);
        *irq = (struct irq){ .set = true, .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
        if (irq->fd < 0)
            return give_up_errno();
        fds[i] = irq->fd;
    }
    return true;
}

static bool do_set_irqs(char *const *w, unsigned n)
{
    struct vfio_irq_set *set = (void *)request.payload;
    uint32_t index = (uint32_t)strtoul(w[1], NULL, 0), start = (uint32_t)strtoul(w[2], NULL, 0),
             count = (uint32_t)strtoul(w[3], NULL, 0), flags = 0;
    int fds[FDS_MAX];
    size_t len = sizeof(*set);
    unsigned n_fds = 0;

    if (!strcmp(w[4], "none"))
        flags = VFIO_IRQ_SET_DATA_NONE;
    else if (!strcmp(w[4], "bool"))
        flags = VFIO_IRQ_SET_DATA_BOOL;
    else if (!strcmp(w[4], "eventfd") || !strcmp(w[4], "nofd"))
        flags = VFIO_IRQ_SET_DATA_EVENTFD;
    if (!strcmp(w[5], "mask"))
        flags |= VFIO_IRQ_SET_ACTION_MASK;
    else if (!strcmp(w[5], "unmask"))
        flags |= VFIO_IRQ_SET_ACTION_UNMASK;
    else if (!strcmp(w[5], "trigger"))
        flags |= VFIO_IRQ_SET_ACTION_TRIGGER;
    for (unsigned i = 6; i < n; i++)
        request.payload[len++] = (uint8_t)strtoul(w[i], NULL, 0);
    *set = (struct vfio_irq_set){ (uint32_t)len, flags, index, start, count };
    if (!strcmp(w[4], "eventfd")) {
        if (!make_eventfds(index, start, count, fds))
            return false;
        n_fds = count;
    }
    if (!ask_with(SET_IRQS, request.payload, len, fds, n_fds))
        return false;
    return in.len ? give_up("wrong reply") : true;
}

static struct irq *irq_of(uint64_t index, uint64_t n)
{
    return index < INDICES && n < VECTORS && irqs[index][n].set ? &irqs[index][n] : NULL;
}

static uint64_t look(struct irq *irq)
{
    uint64_t value = 0;

    if (read(irq->fd, &value, sizeof(value)) < 0)
        value = 0;
    irq->count += value;
    return value;
}

static bool do_wait_irq(uint64_t index, uint64_t n, int ms)
{
    struct irq *irq = irq_of(index, n);
    int64_t end = now_ms() + ms;

    if (!irq)
        return give_up("no eventfd");
    for (;;) {
        struct pollfd p[3] = { { .fd = irq->fd, .events = POLLIN },
                               { .fd = sock, .events = POLLIN },
                               { .fd = twin, .events = POLLIN } };
        int64_t left = end - now_ms();

        if (left < 0 || poll(p, 3, (int)left) <= 0)
            return give_up("timeout");
        if (p[0].revents)
            return say(look(irq));
        if (!receive(p[1].revents ? sock : twin, &in) || !take_command(&in))
            return false;
    }
}

static bool do_count_irq(uint64_t index, uint64_t n)
{
    struct irq *irq = irq_of(index, n);

    if (!irq)
        return give_up("no eventfd");
    look(irq);
    return say(irq->count);
}

/* --- features and migration ------------------------------------------------------------------- */

static bool feature(uint32_t flags, const void *data, size_t len, size_t min)
{
    uint32_t head[2] = { PAYLOAD_MAX, flags };

    memcpy(request.payload, head, sizeof(head));
    if (len)
        memcpy(request.payload + sizeof(head), data, len);
    return ask(FEATURE, request.payload, sizeof(head) + len, sizeof(head) + min);
}

static bool do_feature(uint32_t flags, const char *text)
{
    static uint8_t data[PAYLOAD_MAX - 8];

    if (!feature(flags, data, from_hex(text, data, sizeof(data)), 0))
        return false;
    if (in.len > 8)
        hex(answer, in.payload + 8, in.len - 8);
    return true;
}

static const char *const states[] = { "ERROR",    "STOP",        "RUNNING",  "STOP_COPY",
                                      "RESUMING", "RUNNING_P2P", "PRE_COPY", "PRE_COPY_P2P" };

static bool do_state(const char *name)
{
    uint32_t state[2] = { 0, UINT32_MAX };

    if (!name) {
        if (!feature(FEATURE_STATE | VFIO_DEVICE_FEATURE_GET, NULL, 0, sizeof(state)))
            return false;
        memcpy(state, in.payload + 8, sizeof(state));
        return state[0] < 8 ? give_up(states[state[0]]) : say(state[0]);
    }
    while (state[0] < 8 && strcmp(states[state[0]], name))
        state[0]++;
    if (state[0] == 8)
        state[0] = (uint32_t)strtoul(name, NULL, 0);
    return feature(FEATURE_STATE | VFIO_DEVICE_FEATURE_SET, state, sizeof(state), 0);
}

static bool do_save(const char *path, uint32_t chunk)
{
    FILE *f = fopen(path, "we");
    uint64_t total = 0;
    uint32_t got[2];

    if (!f)
        return give_up_errno();
    do {
        uint32_t head[2] = { 8 + chunk, chunk };

        if (!ask(MIG_DATA_READ, head, sizeof(head), sizeof(head)))
            break;
        memcpy(got, in.payload, sizeof(got));
        if (got[1] > chunk || in.len != 8 + got[1]) {
            give_up("wrong reply");
            break;
        }
        if (fwrite(in.payload + 8, 1, got[1], f) != got[1])
            give_up_errno();
        total += got[1];
    } while (got[1] == chunk && !failed);
    fclose(f);
    return failed ? false : say(total);
}

static bool do_restore(const char *path, uint32_t chunk)
{
    FILE *f = fopen(path, "re");
    uint64_t total = 0;
    size_t n;

    if (!f)
        return give_up_errno();
    while (!failed && (n = fread(request.payload + 8, 1, chunk, f)) > 0) {
        uint32_t head[2] = { (uint32_t)(8 + n), (uint32_t)n };

        memcpy(request.payload, head, sizeof(head));
        ask(MIG_DATA_WRITE, request.payload, 8 + n, 0);
        total += n;
    }
    fclose(f);
    return failed ? false : say(total);
}

static bool do_log_start(char *const *w, unsigned n)
{
    uint64_t data[2 + WORDS_MAX] = { strtoull(w[1], NULL, 0), (n - 2) / 2 };

    for (unsigned i = 2; i < n; i++)
        data[i] = strtoull(w[i], NULL, 0);
    return feature(LOG_START | VFIO_DEVICE_FEATURE_SET, data, n * sizeof(data[0]), 0);
}

static bool do_log_report(uint64_t iova, uint64_t length, uint64_t page)
{
    uint64_t data[3] = { iova, length, page };
    int at = 0;

    if (!feature(LOG_REPORT | VFIO_DEVICE_FEATURE_GET, data, sizeof(data), sizeof(data)))
        return false;
    if (!page || (uint64_t)in.len != 8 + 24 + (length / page + 63) / 64 * 8)
        return give_up("wrong reply");
    snprintf(answer, sizeof(answer), "none");
    for (uint64_t i = 0; i < (in.len - 32) * UINT64_C(8); i++)
        if (in.payload[32 + i / 8] & (1u << i % 8) && (size_t)at < sizeof(answer) - 32)
            at += snprintf(answer + at, sizeof(answer) - (size_t)at, at ? " %" PRIu64 : "%" PRIu64,
                           i);
    return true;
}

/* --- anything --------------------------------------------------------------------------------- */

static bool send_any(struct header header, const char *text, unsigned n_fds, const char *kind)
{
    uint32_t n = (uint32_t)from_hex(text, request.payload, sizeof(request.payload));
    int fds[FDS_MAX];
    bool ok;

    if (!header.size)
        header.size = (uint32_t)sizeof(header) + n;
    for (unsigned i = 0; i < n_fds; i++)
        fds[i] = descriptor(kind);
    ok = send_message(sock, header, request.payload, n, fds, n_fds);
    for (unsigned i = 0; i < n_fds; i++)
        close(fds[i]);
    return ok;
}

static bool do_raw(uint16_t command, uint32_t flags, const char *text, unsigned n_fds,
                   const char *kind)
{
    struct header header = { .id = next_id++, .command = command, .flags = flags };

    if (!send_any(header, text, n_fds, kind))
        return false;
    if (wait_socket(flags & NO_REPLY ? QUIET_MS : WAIT_MS) < 0)
        return flags & NO_REPLY ? true : give_up("timeout");
    if (!receive_reply(header.id, command))
        return false;
    if (in.len)
        hex(answer, in.payload, in.len);
    return true;
}

static bool do_message(char *const *w, unsigned n)
{
    struct header header = { .id = (uint16_t)strtoul(w[1], NULL, 0),
                             .command = (uint16_t)strtoul(w[2], NULL, 0),
                             .size = (uint32_t)strtoul(w[3], NULL, 0),
                             .flags = (uint32_t)strtoul(w[4], NULL, 0),
                             .error = (uint32_t)strtoul(w[5], NULL, 0) };

    return send_any(header, w[6], n > 7 ? (unsigned)strtoul(w[7], NULL, 0) % (FDS_MAX + 1) : 0,
                    n > 8 ? w[8] : "eventfd");
}

static bool do_reply(int ms)
{
    int fd, at;

    do {
        fd = wait_socket(ms);
        if (fd < 0)
            return give_up("timeout");
        if (!receive(fd, &in))
            return false;
        if (in.header.flags & TYPE || dma_mode == DMA_SILENT)
            break;
    } while (take_command(&in));
    if (failed)
        return false;
    at = snprintf(answer, sizeof(answer), "%u %u 0x%x %u", in.header.id, in.header.command,
                  in.header.flags, in.header.error);
    if (in.len) {
        answer[at++] = ' ';
        hex(answer + at, in.payload, in.len);
    }
    return true;
}

static bool do_flood(uint16_t command)
{
    struct header header = { .command = command, .size = sizeof(header) };
    ssize_t n;

    do {
        n = send(sock, &header, sizeof(header), MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (n > 0);
    return errno == EAGAIN ? true : give_up_errno();
}

/* Here zero pages take its place. */
static bool do_cut(uint64_t size)
{
    if (size >= pool_size)
        return true;
    size &= ~UINT64_C(4095);
    if (ftruncate(memfd, (off_t)size) ||
        mmap(pool + size, pool_size - size, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) == MAP_FAILED)
        return give_up_errno();
    pool_size = size;
    return true;
}

static bool do_limit(uint64_t n)
{
    struct rlimit limit = { .rlim_cur = n, .rlim_max = n };

    return setrlimit(RLIMIT_NOFILE, &limit) ? give_up_errno() : true;
}

/* --- commands --------------------------------------------------------------------------------- */

#define IS(name, least) (!strcmp(w[0], name) && n > (least))

static bool run_access(unsigned n, char *const *w, const uint64_t *a)
{
    if (IS("read", 3))
        return do_read((uint32_t)a[1], a[2], (uint32_t)a[3]);
    if (IS("write", 4) || IS("post", 4))
        return a[3] <= 8 ? do_write((uint32_t)a[1], a[2], (uint32_t)a[3], &a[4], w[0][0] == 'p')
                         : give_up("too long");
    if (IS("put", 3)) {
        static uint8_t bytes[DATA_MAX];
        size_t len = from_hex(w[3], bytes, sizeof(bytes));

        return do_write((uint32_t)a[1], a[2], (uint32_t)len, bytes, false);
    }
    if (IS("multi", 4))
        return do_multi((uint32_t)a[1], a[2], (uint32_t)a[3], w + 4, n - 4);
    if (IS("mmap", 1))
        return do_mmap(a[1]);
    if (IS("load", 3))
        return do_mapped(a[1], a[2], a[3], 0, false);
    if (IS("store", 4))
        return do_mapped(a[1], a[2], a[3], a[4], true);
    if (IS("dma-map", 3))
        return do_dma_map(a[1], a[2], !strcmp(w[3], "fd"), a[4], n > 5 ? w[5] : "rw");
    if (IS("dma-unmap", 2))
        return do_dma_unmap(a[1], a[2], (uint32_t)a[3]);
    if (IS("peek", 2))
        return do_peek(a[1], a[2]);
    if (IS("poke", 2))
        return do_poke(a[1], w[2]);
    if (IS("dma", 1))
        return do_dma_mode(w[1]);
    if (IS("dma-count", 0)) {
        snprintf(answer, sizeof(answer), "%" PRIu64 " %" PRIu64, dma_reads, dma_writes);
        return true;
    }
    if (IS("dma-held", 0))
        return do_dma_held(n > 1 ? (int)a[1] : WAIT_MS);
    if (IS("dma-reply", 0))
        return do_dma_reply(n > 1 ? w[1] : NULL, n > 2 ? (uint32_t)a[2] : REPLY, (uint32_t)a[3]);
    return give_up("what?");
}

static bool run_state(unsigned n, char *const *w, const uint64_t *a)
{
    if (IS("set-irqs", 5))
        return do_set_irqs(w, n);
    if (IS("wait-irq", 2))
        return do_wait_irq(a[1], a[2], n > 3 ? (int)a[3] : WAIT_MS);
    if (IS("count-irq", 2))
        return do_count_irq(a[1], a[2]);
    if (IS("reset", 0))
        return ask(RESET, NULL, 0, 0);
    if (IS("feature", 1))
        return do_feature((uint32_t)a[1], n > 2 ? w[2] : "-");
    if (IS("state", 0))
        return do_state(n > 1 ? w[1] : NULL);
    if (IS("save", 1))
        return do_save(w[1], n > 2 ? (uint32_t)(a[2] % (DATA_MAX + 1)) : 65536);
    if (IS("restore", 1))
        return do_restore(w[1], n > 2 ? (uint32_t)(a[2] % (DATA_MAX + 1)) : 65536);
    if (IS("log-start", 1))
        return do_log_start(w, n);
    if (IS("log-stop", 0))
        return feature(LOG_STOP | VFIO_DEVICE_FEATURE_SET, NULL, 0, 0);
    if (IS("log-report", 3))
        return do_log_report(a[1], a[2], a[3]);
    return run_access(n, w, a);
}

static bool run_raw(unsigned n, char *const *w, const uint64_t *a)
{
    if (IS("raw", 3))
        return do_raw((uint16_t)a[1], (uint32_t)a[2], w[3],
                      n > 4 ? (unsigned)a[4] % (FDS_MAX + 1) : 0, n > 5 ? w[5] : "eventfd");
    if (IS("message", 6))
        return do_message(w, n);
    if (IS("bytes", 1))
        return send_bytes(sock, request.payload,
                          from_hex(w[1], request.payload, sizeof(request.payload)), NULL, 0);
    if (IS("reply", 0))
        return do_reply(n > 1 ? (int)a[1] : WAIT_MS);
    if (IS("quiet", 0))
        return wait_socket(n > 1 ? (int)a[1] : QUIET_MS) < 0 ? true : give_up("a message");
    if (IS("flood", 1))
        return do_flood((uint16_t)a[1]);
    if (IS("cut", 0))
        return do_cut(a[1]);
    if (IS("limit", 1))
        return do_limit(a[1]);
    return run_state(n, w, a);
}

static bool run(unsigned n, char *const *w)
{
    uint64_t a[9] = { 0 };

    for (unsigned i = 1; i < n && i < 9; i++)
        a[i] = strtoull(w[i], NULL, 0);
    if (IS("connect", 1))
        return do_connect(w[1]);
    if (IS("close", 0)) {
        forget_connection();
        return true;
    }
    if (IS("version", 0))
        return do_version(n > 1 && strcmp(w[1], "-") ? w[1] : NULL, (uint16_t)a[2],
                          n > 3 ? (uint16_t)a[3] : 1);
    if (IS("info", 0))
        return do_info();
    if (IS("region", 1))
        return do_region((uint32_t)a[1]);
    if (IS("iofds", 1))
        return do_iofds((uint32_t)a[1]);
    if (IS("ring", 2))
        return do_ring(a[1], a[2]);
    if (IS("irq", 1))
        return do_irq((uint32_t)a[1]);
    return run_raw(n, w, a);
}

static void run_line(char *line)
{
    static char *words[WORDS_MAX];
    char *save = NULL;
    unsigned n = 0;

    for (char *w = strtok_r(line, " \n", &save); w && n < WORDS_MAX;
         w = strtok_r(NULL, " \n", &save))
        words[n++] = w;
    if (!n)
        return;
    strcpy(answer, "ok");
    failed = false;
    run(n, words);
    answer_late();
    puts(answer);
}

/* The next message is an access to memory; others are for the command that reads them. */
static bool is_dma(int fd)
{
    struct header header;

    return recv(fd, &header, sizeof(header), MSG_PEEK | MSG_DONTWAIT) == sizeof(header) &&
           !(header.flags & TYPE) && (header.command == DMA_READ || header.command == DMA_WRITE);
}

/* Answers the server until there is a command to read. */
static void idle(void)
{
    struct pollfd p[3] = { { .fd = STDIN_FILENO, .events = POLLIN },
                           { .fd = sock, .events = POLLIN },
                           { .fd = twin, .events = POLLIN } };

    while (poll(p, 3, -1) > 0 && !p[0].revents) {
        for (unsigned i = 1; i < 3; i++) {
            if (!p[i].revents)
                continue;
            failed = false;
            if (!is_dma(p[i].fd) || !receive(p[i].fd, &in) || !take_command(&in))
                p[i].fd = -1;
            answer_late();
        }
    }
}

int main(int argc, char **argv)
{
    char *line = NULL;
    size_t size = 0;

    if (!make_pool()) {
        perror("vfuio: memory");
        return 1;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    /* Not a byte more than a line is read, so that poll(2) tells whether there is another. */
    setvbuf(stdin, NULL, _IONBF, 0);
    for (int i = 1; i < argc; i++)
        run_line(argv[i]);
    if (argc > 1)
        return 0;
    for (idle(); getline(&line, &size, stdin) > 0; idle())
        run_line(line);
    free(line);
    return 0;
}
