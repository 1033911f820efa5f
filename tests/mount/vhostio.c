/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A vhost-user front end for the mount scripts: the protocol, memory, rings and the control
 * messages of a virtio console driver, without a guest. It reads one command a line and answers
 * each with one line: what the command gives, an errno's name, `closed` when the device has closed
 * the connection, or `timeout`.
 *
 *     vhostio SOCKET
 *
 *     connect                       ok
 *     close                         ok
 *     negotiate [FEATURES]          SET_OWNER to SET_FEATURES; `FEATURES PROTOCOL QUEUES` as offered
 *     memory [MIB [KIND]]           SET_MEM_TABLE; KIND is plain, readonly, short (the file is) or
 *                                   slots (with ADD_MEM_REG)
 *     rings [FROM TO]               set up and enable rings, with receive buffers in them
 *     stop RING                     GET_VRING_BASE; the base
 *     start RING BASE               the ring as it is, from BASE
 *     tell EVENT ID VALUE           a control message of the driver, used when this answers
 *     hear                          a control message of the device: EVENT ID VALUE [HEX]
 *     send PORT TEXT [LATER]        a transmit buffer; how many bytes, when the device has used it,
 *                                   or at once with LATER
 *     sent PORT                     buffers of the port that the device has not used
 *     receive PORT                  what the device has put into one receive buffer
 *     config OFFSET LENGTH          bytes of configuration space as hex
 *     emergency BYTE                the byte by SET_CONFIG
 *     changed                       waits for CONFIG_CHANGE_MSG
 *     reset                         RESET_DEVICE
 *     desc RING INDEX ADDR LEN FLAGS NEXT   a descriptor of any content, made available
 *     trips PORT NS [SPIN]          transmit buffers of a byte for NS nanoseconds, each when the
 *                                   device has called for the one before, with SPIN without
 *                                   sleeping; nanoseconds of one
 *     cut                           the memory's file becomes empty
 *     jam RING                      the counter of the ring's call eventfd is full from now on, and
 *                                   a process clears O_NONBLOCK of it again and again
 *     raw REQUEST FLAGS HEX [FDS [KIND]]    any message with FDS descriptors of KIND eventfd,
 *                                   memfd, file, pipe or socket; the reply's payload as hex, or ok
 *                                   when none comes
 *     bytes HEX                     any bytes at all; ok
 *
 * Numbers are decimal or 0x hex. The memory is one region at guest address 1 MiB.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "client.h"

#define WAIT_MS 10000
#define QUIET_MS 100 /* that no reply came is known only by waiting */

#define GUEST 0x100000u     /* guest address of the memory */
#define USER 0x7000000000ul /* its address in this process, in messages to the device */
#define RINGS_MAX 256u
#define ENTRIES 64u
#define BUFFER 4096u
/* A ring has a page for itself and a buffer for each descriptor. */
#define RING_PAGES (1 + ENTRIES * (BUFFER / 4096))
#define IN_PAGE UINT64_MAX
#define AVAIL 1024u
#define USED 2048u

#define NEED_REPLY 8u

enum {
    GET_FEATURES = 1,
    SET_FEATURES = 2,
    SET_OWNER = 3,
    SET_MEM_TABLE = 5,
    SET_VRING_NUM = 8,
    SET_VRING_ADDR = 9,
    SET_VRING_BASE = 10,
    GET_VRING_BASE = 11,
    SET_VRING_KICK = 12,
    SET_VRING_CALL = 13,
    GET_PROTOCOL_FEATURES = 15,
    SET_PROTOCOL_FEATURES = 16,
    GET_QUEUE_NUM = 17,
    SET_VRING_ENABLE = 18,
    SET_BACKEND_REQ_FD = 21,
    GET_CONFIG = 24,
    SET_CONFIG = 25,
    RESET_DEVICE = 34,
    ADD_MEM_REG = 37,
};

struct header {
    uint32_t request, flags, size;
};

struct desc {
    uint64_t addr;
    uint32_t len;
    uint16_t flags, next;
};

struct ring {
    bool set;
    int kick, call;
    uint16_t avail, used; /* next entries to fill and to look at */
    uint16_t next_desc;
};

static const char *socket_path;
static int sock = -1, backend = -1, memfd = -1;
static uint8_t *memory;
static size_t memory_size;
static struct ring rings[RINGS_MAX];
static uint64_t features;

/* A command is given up with this answer. */
static char answer[16384];
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

/* --- messages --------------------------------------------------------------------------------- */

static bool send_bytes(const void *bytes, size_t n, const int *fds, unsigned n_fds)
{
    char control[CMSG_SPACE(32 * sizeof(int))] = { 0 };
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
    if (sendmsg(sock, &mh, MSG_NOSIGNAL) != (ssize_t)n)
        return give_up_errno();
    return true;
}

static bool send_message(uint32_t request, uint32_t flags, const void *payload, uint32_t size,
                         const int *fds, unsigned n_fds)
{
    uint8_t bytes[sizeof(struct header) + 4096];
    struct header header = { .request = request, .flags = flags, .size = size };

    memcpy(bytes, &header, sizeof(header));
    if (size)
        memcpy(bytes + sizeof(header), payload, size);
    return send_bytes(bytes, sizeof(header) + size, fds, n_fds);
}

/* Bytes from a socket; false also when it ends. */
static bool read_all(int fd, void *to, size_t n, int ms)
{
    for (size_t done = 0; done < n;) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        ssize_t r;

        if (poll(&p, 1, ms) <= 0)
            return give_up("timeout");
        r = recv(fd, (uint8_t *)to + done, n - done, 0);
        if (r < 0)
            return give_up_errno();
        if (r == 0)
            return give_up("closed");
        done += (size_t)r;
    }
    return true;
}

/* The reply to @request; its payload has to be of @size bytes. */
static bool receive_reply(uint32_t request, void *payload, uint32_t size)
{
    struct header header;

    if (!read_all(sock, &header, sizeof(header), WAIT_MS))
        return false;
    if (header.request != request || header.flags != (1 | 4) || header.size != size)
        return give_up("wrong reply");
    return read_all(sock, payload, size, WAIT_MS);
}

static bool ask(uint32_t request, uint64_t *value)
{
    return send_message(request, 1, NULL, 0, NULL, 0) && receive_reply(request, value, 8);
}

/* A request that is acknowledged. */
static bool tell(uint32_t request, const void *payload, uint32_t size, const int *fds,
                 unsigned n_fds)
{
    uint64_t ack;

    if (!send_message(request, 1 | NEED_REPLY, payload, size, fds, n_fds) ||
        !receive_reply(request, &ack, 8))
        return false;
    return ack ? give_up("refused") : true;
}

static bool tell_ring(uint32_t request, uint32_t ring, uint32_t value)
{
    uint32_t state[2] = { ring, value };

    return tell(request, state, sizeof(state), NULL, 0);
}

/* --- set-up ----------------------------------------------------------------------------------- */

static void forget_connection(void)
{
    if (sock >= 0)
        close(sock);
    if (backend >= 0)
        close(backend);
    sock = backend = -1;
    for (unsigned i = 0; i < RINGS_MAX; i++) {
        if (rings[i].set) {
            close(rings[i].kick);
            close(rings[i].call);
        }
        rings[i].set = false;
    }
}

static bool do_connect(void)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };

    forget_connection();
    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", socket_path);
    sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (sock < 0 || connect(sock, (struct sockaddr *)&addr, sizeof(addr)))
        return give_up_errno();
    return true;
}

static bool do_negotiate(uint64_t wanted)
{
    uint64_t offered, protocol, queues;
    int pair[2];

    if (!send_message(SET_OWNER, 1, NULL, 0, NULL, 0) || !ask(GET_FEATURES, &offered) ||
        !ask(GET_PROTOCOL_FEATURES, &protocol) ||
        !tell(SET_PROTOCOL_FEATURES, &protocol, 8, NULL, 0) || !ask(GET_QUEUE_NUM, &queues))
        return false;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
        return give_up_errno();
    backend = pair[0];
    if (!tell(SET_BACKEND_REQ_FD, NULL, 0, &pair[1], 1))
        return false;
    close(pair[1]);
    /* Not bit 29: this driver looks at the rings' flags, not at their event indices. */
    features = wanted ? wanted : offered & ~(UINT64_C(1) << 29);
    if (!tell(SET_FEATURES, &features, 8, NULL, 0))
        return false;
    snprintf(answer, sizeof(answer), "0x%" PRIx64 " 0x%" PRIx64 " %" PRIu64, offered, protocol,
             queues);
    return true;
}

static bool do_memory(size_t mib, const char *kind)
{
    struct {
        uint32_t n, padding;
        uint64_t guest, size, user, offset;
    } table = { .n = 1, .guest = GUEST, .size = mib << 20, .user = USER };
    struct {
        uint64_t padding, guest, size, user, offset;
    } one = { .guest = GUEST, .size = mib << 20, .user = USER };
    int fd;

    if (!strcmp(kind, "same"))
        return tell(SET_MEM_TABLE, &table, sizeof(table), &memfd, 1);
    if (memory)
        munmap(memory, memory_size);
    if (memfd >= 0)
        close(memfd);
    memory_size = mib << 20;
    memfd = memfd_create("vhostio", MFD_CLOEXEC);
    if (memfd < 0 || ftruncate(memfd, (off_t)memory_size))
        return give_up_errno();
    memory = mmap(NULL, memory_size, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
    if (memory == MAP_FAILED) {
        memory = NULL;
        return give_up_errno();
    }
    fd = memfd;
    if (!strcmp(kind, "short") && ftruncate(memfd, (off_t)memory_size - 4096))
        return give_up_errno();
    if (!strcmp(kind, "readonly")) {
        char path[64];

        snprintf(path, sizeof(path), "/proc/self/fd/%d", memfd);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return give_up_errno();
    }
    if (!strcmp(kind, "slots"))
        return tell(ADD_MEM_REG, &one, sizeof(one), &fd, 1);
    return tell(SET_MEM_TABLE, &table, sizeof(table), &fd, 1);
}

/* Here zero pages take its place. */
static bool do_cut(void)
{
    if (!memory || ftruncate(memfd, 0) ||
        mmap(memory, memory_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
             -1, 0) == MAP_FAILED)
        return give_up_errno();
    return true;
}

static uint8_t *ring_page(unsigned index)
{
    return memory + (size_t)index * RING_PAGES * 4096;
}

static uint32_t buffer_offset(unsigned index, unsigned desc)
{
    return (index * RING_PAGES + 1 + desc) * 4096u;
}

static bool enough_memory(unsigned index)
{
    return memory && (size_t)(index + 1) * RING_PAGES * 4096 <= memory_size
               ? true
               : give_up("too little memory");
}

static uint16_t load16(const void *p)
{
    return __atomic_load_n((const uint16_t *)p, __ATOMIC_ACQUIRE);
}

static void kick(unsigned index)
{
    uint64_t one = 1;

    if (write(rings[index].kick, &one, sizeof(one)) != sizeof(one))
        give_up_errno();
}

static void put_desc(unsigned index, unsigned n, struct desc desc)
{
    memcpy(ring_page(index) + n * sizeof(desc), &desc, sizeof(desc));
}

static void make_available(unsigned index, uint16_t head)
{
    uint8_t *avail = ring_page(index) + AVAIL;

    memcpy(avail + 4 + 2 * (rings[index].avail % ENTRIES), &head, 2);
    rings[index].avail++;
    __atomic_store_n((uint16_t *)(avail + 2), rings[index].avail, __ATOMIC_RELEASE);
}

static bool is_receive(unsigned index)
{
    return !(index & 1);
}

/* @at: where its parts are, as the device is told; IN_PAGE: one after the other in its page */
static bool start_ring_at(uint32_t index, uint32_t base, uint64_t at)
{
    struct {
        uint32_t index, flags;
        uint64_t desc, used, avail, log;
    } addr = { .index = index };
    uint64_t page = USER + (uint64_t)(ring_page(index) - memory), number = index;
    struct ring *ring = &rings[index];

    addr.desc = at != IN_PAGE ? at : page;
    addr.avail = at != IN_PAGE ? at : page + AVAIL;
    addr.used = at != IN_PAGE ? at : page + USED;
    if (!ring->set) {
        ring->kick = eventfd(0, EFD_CLOEXEC);
        ring->call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        ring->set = true;
    }
    return tell_ring(SET_VRING_NUM, index, ENTRIES) && tell_ring(SET_VRING_BASE, index, base) &&
           tell(SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0) &&
           tell(SET_VRING_CALL, &number, 8, &ring->call, 1) &&
           tell(SET_VRING_KICK, &number, 8, &ring->kick, 1) &&
           tell_ring(SET_VRING_ENABLE, index, 1);
}

static bool start_ring(uint32_t index, uint32_t base)
{
    return start_ring_at(index, base, IN_PAGE);
}

static bool do_rings(unsigned from, unsigned to)
{
    for (unsigned i = from; i <= to && i < RINGS_MAX; i++) {
        if (!enough_memory(i))
            return false;
        memset(ring_page(i), 0, 4096);
        rings[i].avail = rings[i].used = rings[i].next_desc = 0;
        if (!start_ring(i, 0))
            return false;
        for (unsigned n = 0; is_receive(i) && n < ENTRIES; n++) {
            put_desc(
                i, n,
                (struct desc){ .addr = GUEST + buffer_offset(i, n), .len = BUFFER, .flags = 2 });
            make_available(i, (uint16_t)n);
        }
        kick(i);
    }
    return !failed;
}

static bool do_resume(unsigned from, unsigned to)
{
    for (unsigned i = from; i <= to && i < RINGS_MAX; i++)
        if (!enough_memory(i) || !start_ring(i, load16(ring_page(i) + USED + 2)))
            return false;
    return true;
}

/* --- buffers ---------------------------------------------------------------------------------- */

/* Waits for the device to use a buffer: its descriptor and bytes. */
static bool get_used(unsigned index, uint32_t used[2])
{
    struct ring *ring = &rings[index];
    uint8_t *page = ring_page(index) + USED;

    while (load16(page + 2) == ring->used) {
        struct pollfd p[2] = { { .fd = ring->call, .events = POLLIN },
                               { .fd = sock, .events = POLLIN } };
        uint64_t value;

        if (poll(p, 2, WAIT_MS) <= 0)
            return give_up("timeout");
        if (p[1].revents && load16(page + 2) == ring->used)
            return give_up("closed");
        if (p[0].revents && read(ring->call, &value, sizeof(value)) < 0 && errno != EAGAIN)
            return give_up_errno();
    }
    memcpy(used, page + 4 + 8 * (ring->used % ENTRIES), 8);
    ring->used++;
    return used[0] < ENTRIES ? true : give_up("wrong descriptor");
}

static bool transmit(unsigned index, const void *bytes, uint32_t n)
{
    struct ring *ring = &rings[index];
    unsigned desc = ring->next_desc++ % ENTRIES;

    if (!ring->set || !enough_memory(index))
        return give_up("no ring");
    memcpy(memory + buffer_offset(index, desc), bytes, n);
    put_desc(index, desc, (struct desc){ .addr = GUEST + buffer_offset(index, desc), .len = n });
    make_available(index, (uint16_t)desc);
    kick(index);
    return !failed;
}

/* Takes one receive buffer's content and posts it again. */
static bool take_received(unsigned index, uint8_t *to, uint32_t *n)
{
    uint32_t used[2];

    if (!rings[index].set)
        return give_up("no ring");
    if (!get_used(index, used))
        return false;
    if (used[1] > BUFFER)
        return give_up("wrong length");
    memcpy(to, memory + buffer_offset(index, used[0]), used[1]);
    *n = used[1];
    make_available(index, (uint16_t)used[0]);
    kick(index);
    return !failed;
}

static unsigned receive_ring(unsigned port)
{
    return port ? 2 + 2 * port : 0;
}

static const char *const events[] = {
    "DEVICE_READY", "PORT_ADD", "PORT_REMOVE", "PORT_READY",
    "CONSOLE_PORT", "RESIZE",   "PORT_OPEN",   "PORT_NAME",
};

static bool do_hear(void)
{
    uint8_t bytes[BUFFER];
    uint32_t n, id;
    uint16_t event, value;
    int len;

    if (!take_received(2, bytes, &n))
        return false;
    memcpy(&id, bytes, 4);
    memcpy(&event, bytes + 4, 2);
    memcpy(&value, bytes + 6, 2);
    if (n < 8 || event >= sizeof(events) / sizeof(events[0]))
        return give_up("wrong message");
    len = snprintf(answer, sizeof(answer), "%s %u %u", events[event], id, value);
    if (n > 8) {
        answer[len++] = ' ';
        hex(answer + len, bytes + 8, n - 8);
    }
    return true;
}

static bool do_tell(const char *name, uint32_t id, uint16_t value)
{
    struct {
        uint32_t id;
        uint16_t event, value;
    } message = { .id = id, .value = value };
    uint32_t used[2];

    while (message.event < 8 && strcmp(events[message.event], name))
        message.event++;
    return transmit(3, &message, sizeof(message)) && get_used(3, used);
}

static bool do_send(unsigned port, const char *text, bool later)
{
    uint32_t used[2];

    if (!transmit(receive_ring(port) + 1, text, (uint32_t)strlen(text)) ||
        (!later && !get_used(receive_ring(port) + 1, used)))
        return false;
    snprintf(answer, sizeof(answer), "%zu", strlen(text));
    return true;
}

static bool do_sent(unsigned port)
{
    const struct ring *ring = &rings[receive_ring(port) + 1];

    if (!ring->set)
        return give_up("no ring");
    snprintf(answer, sizeof(answer), "%u",
             (uint16_t)(ring->avail - load16(ring_page(receive_ring(port) + 1) + USED + 2)));
    return true;
}

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static bool do_trips(unsigned port, uint64_t ns, bool spin)
{
    unsigned index = receive_ring(port) + 1;
    struct ring *ring = &rings[index];
    struct pollfd p = { .fd = ring->call, .events = POLLIN };
    uint64_t begin, end, n = 0, value;

    if (!ring->set)
        return give_up("no ring");
    begin = now_ns();
    do {
        if (!transmit(index, "x", 1))
            return false;
        ring->used++;
        do {
            if (!spin && poll(&p, 1, WAIT_MS) <= 0)
                return give_up("timeout");
            if (read(ring->call, &value, sizeof(value)) < 0 && errno != EAGAIN)
                return give_up_errno();
        } while (load16(ring_page(index) + USED + 2) != ring->used);
        n++;
        end = now_ns();
    } while (end - begin < ns);
    snprintf(answer, sizeof(answer), "%" PRIu64, (end - begin) / n);
    return true;
}

static bool do_receive(unsigned port)
{
    uint8_t bytes[BUFFER];
    uint32_t n;

    if (!take_received(receive_ring(port), bytes, &n))
        return false;
    for (uint32_t i = 0; i < n; i++)
        answer[i] = bytes[i] == '\n' ? '$' : (char)bytes[i];
    answer[n] = '\0';
    return true;
}

/* --- configuration, anything ------------------------------------------------------------------ */

static bool do_config(uint32_t offset, uint32_t len)
{
    uint32_t message[3 + 64] = { offset, len > 256 ? 256 : len, 0 };

    len = message[1];
    if (!send_message(GET_CONFIG, 1, message, 12 + len, NULL, 0) ||
        !receive_reply(GET_CONFIG, message, 12 + len))
        return false;
    hex(answer, (uint8_t *)(message + 3), len);
    return true;
}

static bool do_emergency(uint8_t byte)
{
    uint32_t message[4] = { 8, 4, 0, byte };

    return tell(SET_CONFIG, message, sizeof(message), NULL, 0);
}

static bool do_changed(void)
{
    struct header header;

    if (!read_all(backend, &header, sizeof(header), WAIT_MS))
        return false;
    if (header.request != 2 || header.flags != 1 || header.size)
        return give_up("wrong request");
    return true;
}

static bool do_raw(uint32_t request, uint32_t flags, const char *text, unsigned n_fds,
                   const char *kind)
{
    uint8_t payload[4096];
    size_t n = from_hex(text, payload, sizeof(payload));
    struct header header;
    struct pollfd p = { .fd = sock, .events = POLLIN };
    int fds[32];
    bool ok;

    for (unsigned i = 0; i < n_fds; i++)
        fds[i] = descriptor(kind);
    ok = send_message(request, flags, payload, (uint32_t)n, fds, n_fds);
    for (unsigned i = 0; i < n_fds; i++)
        close(fds[i]);
    if (!ok)
        return false;
    if (poll(&p, 1, QUIET_MS) <= 0)
        return true;
    if (!read_all(sock, &header, sizeof(header), WAIT_MS))
        return false;
    if (header.request != request || header.flags != 5 || header.size > sizeof(payload))
        return give_up("wrong reply");
    if (!read_all(sock, payload, header.size, WAIT_MS))
        return false;
    hex(answer, payload, header.size);
    return true;
}

static bool do_flood(uint32_t request)
{
    struct header header = { .request = request, .flags = 1 };
    ssize_t n;

    do {
        n = send(sock, &header, sizeof(header), MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (n > 0);
    return errno == EAGAIN ? true : give_up_errno();
}

static bool do_jam(unsigned index)
{
    if (index >= RINGS_MAX || !rings[index].set)
        return give_up("no ring");
    int fd = rings[index].call;
    uint64_t value;

    while (read(fd, &value, sizeof(value)) > 0)
        ;
    if (eventfd_write(fd, UINT64_MAX - 1))
        return give_up_errno();
    pid_t child = fork();
    if (child)
        return child > 0 ? true : give_up_errno();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(fd, 0);
    close_range(1, ~0u, 0);
    for (;;)
        fcntl(0, F_SETFL, 0);
}

static bool do_desc(char *const *w)
{
    unsigned index = (unsigned)strtoul(w[1], NULL, 0), n = (unsigned)strtoul(w[2], NULL, 0);

    if (index >= RINGS_MAX || !rings[index].set || n >= ENTRIES)
        return give_up("no ring");
    put_desc(index, n,
             (struct desc){ .addr = strtoull(w[3], NULL, 0),
                            .len = (uint32_t)strtoul(w[4], NULL, 0),
                            .flags = (uint16_t)strtoul(w[5], NULL, 0),
                            .next = (uint16_t)strtoul(w[6], NULL, 0) });
    make_available(index, (uint16_t)n);
    kick(index);
    return !failed;
}

/* --- commands --------------------------------------------------------------------------------- */

static bool run(unsigned n, char *const *w)
{
    uint8_t bytes[4096];
    uint64_t a[7] = { 0 };

    for (unsigned i = 1; i < n && i < 7; i++)
        a[i] = strtoull(w[i], NULL, 0);
    if (!strcmp(w[0], "connect"))
        return do_connect();
    if (!strcmp(w[0], "close")) {
        forget_connection();
        return true;
    }
    if (!strcmp(w[0], "negotiate"))
        return do_negotiate(a[1]);
    if (!strcmp(w[0], "memory"))
        return do_memory(n > 1 ? a[1] : 16, n > 2 ? w[2] : "plain");
    if (!strcmp(w[0], "rings"))
        return do_rings((unsigned)a[1], n > 2 ? (unsigned)a[2] : 7);
    if (!strcmp(w[0], "stop")) {
        uint32_t state[2] = { (uint32_t)a[1], 0 };

        if (!send_message(GET_VRING_BASE, 1, state, 8, NULL, 0) ||
            !receive_reply(GET_VRING_BASE, state, 8))
            return false;
        snprintf(answer, sizeof(answer), "%u", state[1]);
        return true;
    }
    if (!strcmp(w[0], "resume"))
        return do_resume((unsigned)a[1], (unsigned)a[2]);
    if (!strcmp(w[0], "start") && a[1] < RINGS_MAX)
        return start_ring((uint32_t)a[1], (uint32_t)a[2]);
    if (!strcmp(w[0], "start_at") && a[1] < RINGS_MAX)
        return start_ring_at((uint32_t)a[1], 0, a[2]);
    if (!strcmp(w[0], "tell") && n > 3)
        return do_tell(w[1], (uint32_t)a[2], (uint16_t)a[3]);
    if (!strcmp(w[0], "hear"))
        return do_hear();
    if (!strcmp(w[0], "send") && n > 2)
        return do_send((unsigned)a[1], w[2], n > 3);
    if (!strcmp(w[0], "sent"))
        return do_sent((unsigned)a[1]);
    if (!strcmp(w[0], "trips") && n > 2)
        return do_trips((unsigned)a[1], a[2], n > 3);
    if (!strcmp(w[0], "receive"))
        return do_receive((unsigned)a[1]);
    if (!strcmp(w[0], "config"))
        return do_config((uint32_t)a[1], (uint32_t)a[2]);
    if (!strcmp(w[0], "emergency") && n > 1)
        return do_emergency((uint8_t)w[1][0]);
    if (!strcmp(w[0], "changed"))
        return do_changed();
    if (!strcmp(w[0], "reset"))
        return tell(RESET_DEVICE, NULL, 0, NULL, 0);
    if (!strcmp(w[0], "desc") && n > 6)
        return do_desc(w);
    if (!strcmp(w[0], "cut"))
        return do_cut();
    if (!strcmp(w[0], "raw") && n > 3)
        return do_raw((uint32_t)a[1], (uint32_t)a[2], w[3], n > 4 ? (unsigned)a[4] % 33 : 0,
                      n > 5 ? w[5] : "eventfd");
    if (!strcmp(w[0], "flood"))
        return do_flood((uint32_t)a[1]);
    if (!strcmp(w[0], "jam") && n == 2)
        return do_jam((unsigned)a[1]);
    if (!strcmp(w[0], "bytes") && n > 1)
        return send_bytes(bytes, from_hex(w[1], bytes, sizeof(bytes)), NULL, 0);
    return give_up("what?");
}

int main(int argc, char **argv)
{
    char *line = NULL;
    size_t size = 0;

    if (argc != 2) {
        fprintf(stderr, "usage: vhostio SOCKET; the commands are described in "
                        "tests/mount/vhostio.c\n");
        return 2;
    }
    socket_path = argv[1];
    setvbuf(stdout, NULL, _IOLBF, 0);
    while (getline(&line, &size, stdin) > 0) {
        char *words[8], *save = NULL;
        unsigned n = 0;

        for (char *w = strtok_r(line, " \n", &save); w && n < 8; w = strtok_r(NULL, " \n", &save))
            words[n++] = w;
        if (!n)
            continue;
        strcpy(answer, "ok");
        failed = false;
        run(n, words);
        puts(answer);
    }
    free(line);
    return 0;
}
