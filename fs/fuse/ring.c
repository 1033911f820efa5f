/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * FUSE over io_uring.
 *
 *     server    a thread bound to a processor, with an io_uring that nobody else submits to
 *       queue   the kernel's queue of one processor: the server's own, and those of processors that
 *               are not online, which server 0 looks after
 *         entry one request, its reply, and the memory for both
 *
 * The server's thread handles a request. A reply by the same thread goes to the kernel with the next
 * submission. A reply by another thread (the engine, another server) goes into the server's list, and
 * an eventfd wakes the server.
 *
 * Locks: a stripe of `pending` protects the entries whose requests' numbers fall into it; `replies` of
 * a server protects the server's list.
 */
#include "node.h"

#include "ring.h"

#include <errno.h>

#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 18)

#include <assert.h>
#include <fuse_log.h>
#include <liburing.h>
#include <linux/fuse.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>
#include <virtdevfs/lock.h>

/* --- the kernel's side (linux/fuse.h, protocol 7.42), which older headers do not have --------- */

#define RING_FLAG2 (1u << (41 - 32)) /* FUSE_OVER_IO_URING, in flags2 of FUSE_INIT */
#define HEADER_AREA 128u

enum { CMD_REGISTER = 1, CMD_COMMIT_AND_FETCH = 2 };

struct ring_header {
    uint8_t in_out[HEADER_AREA]; /* struct fuse_in_header; struct fuse_out_header */
    uint8_t op_in[HEADER_AREA];  /* the first argument of the request */
    uint64_t flags;
    uint64_t commit_id; /* names the entry when it is given back */
    uint32_t payload_len;
    uint32_t padding;
    uint64_t reserved;
};

struct ring_command {
    uint64_t flags;
    uint64_t commit_id;
    uint16_t queue;
    uint8_t padding[6];
};

/* --- ours ------------------------------------------------------------------------------------- */

#define PENDING_STRIPES 64u
#define FIRST_KICK (UINT64_C(1) << 62)
#define SERVER_STACK (256u << 10)
#define RING_DEPTH 64u /* submissions at a time */
#define REFUSED_US 1000u
/* libfuse wants a request in one piece: the headers are put right before the payload. */
#define HEADROOM 512u

struct queue;

struct entry {
    struct queue *queue;
    struct ring_header *header;
    uint8_t *payload; /* HEADROOM bytes before it are the entry's too */
    struct iovec iov[2];
    uint64_t unique; /* of the request in it */
    uint64_t commit_id;
    struct entry *pending_next; /* in a stripe, until the request is replied to */
    struct entry *reply_next;   /* in the server's list */
    struct entry *next;         /* of the queue */
};

struct queue {
    uint16_t number; /* of the processor */
    struct server *server;
    struct entry *entries;
    unsigned live;  /* entries that the kernel knows */
    unsigned taken; /* of them, those with a request */
    unsigned free;  /* free entries in the kernel since the last submission */
    /* The queue had no free entry: requests may wait in the kernel, which delivers one of them when a
     * reply returns an entry, but not when a new entry comes. A request of the daemon itself, with a
     * reply at once, makes the kernel look. */
    bool backlog;
    uint64_t kicks;         /* so far */
    uint64_t kick;          /* the node of a request that waits; 0: ours is not needed */
    struct entry *kicked;   /* had our request just now */
    struct entry *answered; /* had it before the last submission, and none since */
};

struct server {
    struct vdf_rings *rings;
    unsigned cpu;
    pthread_t thread;
    struct io_uring ring;
    int wake; /* eventfd */
    uint64_t woken;
    struct queue *queues;
    unsigned n_queues;
    struct vdf_lock replies_lock;
    struct entry *replies;
    atomic_bool stop;
    int result;
};

struct stripe {
    struct vdf_lock lock;
    struct entry *first;
};

enum phase { PHASE_OFF, PHASE_OFFERED, PHASE_ON };

struct vdf_rings {
    struct fuse_session *session;
    atomic_int phase; /* enum phase */
    struct server *servers;
    unsigned n_servers;
    struct vdf_lock start_lock;
    pthread_cond_t start;
    unsigned ready;
    enum { HOLD, GO, QUIT } order;
    struct stripe pending[PENDING_STRIPES];
};

static _Thread_local struct server *this_server;
static _Thread_local struct entry *this_entry; /* whose request is handled just now */

/* --- which request a reply belongs to --------------------------------------------------------- */

static struct stripe *stripe_of(struct vdf_rings *rings, uint64_t unique)
{
    /* The lowest bit is set in the number of an interrupt, and clear in that of its request. */
    return &rings->pending[(unique >> 1) % PENDING_STRIPES];
}

static void add_pending(struct vdf_rings *rings, struct entry *entry)
{
    struct stripe *stripe = stripe_of(rings, entry->unique);

    vdf_lock(&stripe->lock);
    entry->pending_next = stripe->first;
    stripe->first = entry;
    vdf_unlock(&stripe->lock);
}

static struct entry *take_pending(struct vdf_rings *rings, uint64_t unique)
{
    struct stripe *stripe = stripe_of(rings, unique);

    vdf_lock(&stripe->lock);
    struct entry **link = &stripe->first, *entry;
    while (*link && (*link)->unique != unique)
        link = &(*link)->pending_next;
    entry = *link;
    if (entry)
        *link = entry->pending_next;
    vdf_unlock(&stripe->lock);
    return entry;
}

/* --- entries; the server's thread only -------------------------------------------------------- */

static size_t entry_bytes(void)
{
    return sizeof(struct ring_header) + HEADROOM + VDF_RING_MAX_WRITE;
}

static struct io_uring_sqe *next_sqe(struct server *server)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&server->ring);

    if (sqe)
        return sqe;
    io_uring_submit(&server->ring);
    return io_uring_get_sqe(&server->ring);
}

static void submit_command(struct entry *entry, uint32_t op, uint64_t commit_id)
{
    struct io_uring_sqe *sqe = next_sqe(entry->queue->server);
    struct ring_command command = { .commit_id = commit_id, .queue = entry->queue->number };

    assert(sqe);
    /* These entries have twice the size, and the ring does not clear them. */
    memset(sqe, 0, 2 * sizeof(*sqe));
    sqe->opcode = IORING_OP_URING_CMD;
    sqe->flags = IOSQE_FIXED_FILE;
    sqe->fd = 0;
    sqe->cmd_op = op;
    if (op == CMD_REGISTER) {
        sqe->addr = (uintptr_t)entry->iov;
        sqe->len = 2;
    }
    memcpy(sqe->cmd, &command, sizeof(command));
    io_uring_sqe_set_data(sqe, entry);
}

static void commit(struct entry *entry)
{
    entry->queue->taken--;
    submit_command(entry, CMD_COMMIT_AND_FETCH, entry->commit_id);
}

/* Retrieves no bytes of the kernel's cache of a file: the kernel answers with a request in the queue of
 * this processor. */
static void kick(struct queue *queue, uint64_t node)
{
    /* No request of the kernel has such a number. */
    struct fuse_notify_retrieve_out out = { .nodeid = node,
                                            .notify_unique = FIRST_KICK + 2 * queue->kicks++ };
    struct fuse_out_header header = { .len = sizeof(header) + sizeof(out),
                                      .error = FUSE_NOTIFY_RETRIEVE };
    struct iovec iov[2] = { { &header, sizeof(header) }, { &out, sizeof(out) } };

    /* It can fail only when the file system is being unmounted. */
    (void)!writev(fuse_session_fd(queue->server->rings->session), iov, 2);
}

static void answer_kick(struct entry *entry, uint64_t unique)
{
    struct fuse_out_header out = { .len = sizeof(out), .unique = unique };

    memcpy(entry->header->in_out, &out, sizeof(out));
    entry->header->payload_len = 0;
    entry->queue->kicked = entry;
    commit(entry);
}

/* All completions of the last submission have been handled. */
static void look_for_backlog(struct queue *queue)
{
    /* The reply to the daemon's request, submitted then, has brought no waiting request. */
    if (queue->answered) {
        queue->backlog = false;
        queue->answered = NULL;
    }
    queue->answered = queue->kicked;
    queue->kicked = NULL;
    if (queue->kick) {
        /* New entries first. */
        io_uring_submit(&queue->server->ring);
        kick(queue, queue->kick);
        queue->kick = 0;
    }
    queue->free = queue->live - queue->taken;
}

static int add_entry(struct queue *queue)
{
    struct entry *entry = calloc(1, sizeof(*entry));
    if (!entry)
        return -ENOMEM;
    /* A mapping of its own: pages come into being as they are used. */
    uint8_t *memory = mmap(NULL, entry_bytes(), PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        free(entry);
        return -ENOMEM;
    }
    entry->queue = queue;
    entry->header = (struct ring_header *)memory;
    entry->payload = memory + sizeof(struct ring_header) + HEADROOM;
    entry->iov[0] = (struct iovec){ entry->header, sizeof(struct ring_header) };
    entry->iov[1] = (struct iovec){ entry->payload, VDF_RING_MAX_WRITE };
    entry->next = queue->entries;
    queue->entries = entry;
    queue->live++;
    submit_command(entry, CMD_REGISTER, 0);
    return 0;
}

static void free_entries(struct queue *queue)
{
    while (queue->entries) {
        struct entry *entry = queue->entries;
        queue->entries = entry->next;
        munmap(entry->header, entry_bytes());
        free(entry);
    }
}

/* --- requests --------------------------------------------------------------------------------- */

/* Passes the request of an entry to libfuse. A request without a reply afterwards waits. */
static void handle(struct server *server, struct entry *entry)
{
    const struct ring_header *header = entry->header;
    struct fuse_in_header in;
    struct queue *queue = entry->queue;
    size_t op_len;

    memcpy(&in, header->in_out, sizeof(in));
    entry->commit_id = header->commit_id;
    entry->unique = in.unique;
    op_len = in.len - sizeof(in) - header->payload_len;
    assert(op_len <= HEADER_AREA);
    uint8_t *begin = entry->payload - op_len - sizeof(in);
    memcpy(begin, &in, sizeof(in));
    memcpy(begin + sizeof(in), header->op_in, op_len);
    queue->taken++;
    queue->backlog |= --queue->free == 0;
    if (entry == queue->answered)
        queue->answered = NULL;
    if (entry == queue->kicked)
        queue->kicked = NULL;
    if (in.opcode == FUSE_NOTIFY_REPLY) {
        answer_kick(entry, in.unique);
        return;
    }
    add_pending(server->rings, entry);
    struct fuse_buf buf = { .mem = begin, .size = in.len };
    unsigned taken = queue->taken;
    this_entry = entry;
    fuse_session_process_buf(server->rings->session, &buf);
    this_entry = NULL;
    /* Without memory the queue goes on with its present entries. */
    if (queue->live - queue->taken < VDF_RING_FREE)
        (void)add_entry(queue);
    /* The request waits and occupies its entry. */
    if (queue->backlog && queue->taken == taken)
        queue->kick = in.nodeid;
}

static void send_replies(struct server *server)
{
    vdf_lock(&server->replies_lock);
    struct entry *entry = server->replies;
    server->replies = NULL;
    vdf_unlock(&server->replies_lock);
    for (struct entry *next; entry; entry = next) {
        next = entry->reply_next;
        commit(entry);
    }
}

static void watch_wake(struct server *server)
{
    struct io_uring_sqe *sqe = next_sqe(server);

    assert(sqe);
    memset(sqe, 0, 2 * sizeof(*sqe));
    io_uring_prep_read(sqe, server->wake, &server->woken, sizeof(server->woken), 0);
    io_uring_sqe_set_data(sqe, NULL);
}

/* One completion: a request, the eventfd, or an entry that the kernel has given up. */
static void complete(struct server *server, struct entry *entry, int result)
{
    if (!entry) {
        watch_wake(server);
        send_replies(server);
    } else if (result == 0) {
        handle(server, entry);
    } else {
        /* The file system is unmounted (-ENOTCONN), or the kernel does not want this entry. */
        entry->queue->live--;
    }
}

static void serve(struct server *server)
{
    struct io_uring_cqe *cqe;

    watch_wake(server);
    for (unsigned q = 0; q < server->n_queues; q++)
        for (unsigned k = 0; k < VDF_RING_FREE; k++)
            (void)add_entry(&server->queues[q]);
    for (unsigned q = 0; q < server->n_queues; q++)
        look_for_backlog(&server->queues[q]);
    while (!atomic_load(&server->stop)) {
        int ret = io_uring_submit_and_wait(&server->ring, 1);
        /* The loop goes on after every error: without it no request of the processor is answered. */
        if (ret < 0 && ret != -EINTR && ret != -EAGAIN && ret != -EBUSY)
            usleep(REFUSED_US);
        while (io_uring_peek_cqe(&server->ring, &cqe) == 0) {
            struct entry *entry = io_uring_cqe_get_data(cqe);
            int result = cqe->res;
            /* Handling a request may take a while: the place is given back before. */
            io_uring_cqe_seen(&server->ring, cqe);
            complete(server, entry, result);
        }
        for (unsigned q = 0; q < server->n_queues; q++)
            look_for_backlog(&server->queues[q]);
    }
}

/* --- threads ---------------------------------------------------------------------------------- */

static int make_ring(struct server *server)
{
    struct io_uring_params params = { .flags = IORING_SETUP_SQE128 | IORING_SETUP_SUBMIT_ALL |
                                               IORING_SETUP_CQSIZE,
                                      .cq_entries = 2 * RING_DEPTH };
    int fd = fuse_session_fd(server->rings->session);
    int ret = io_uring_queue_init_params(RING_DEPTH, &server->ring, &params);

    if (ret < 0)
        return ret;
    ret = io_uring_register_files(&server->ring, &fd, 1);
    if (ret < 0)
        io_uring_queue_exit(&server->ring);
    return ret;
}

/* A request of the daemon makes the kernel look at the queue of the processor that it comes from. */
static int bind_to(unsigned cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    return -pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

static void *server_thread(void *arg)
{
    struct server *server = arg;
    struct vdf_rings *rings = server->rings;

    this_server = server;
    server->result = bind_to(server->cpu);
    if (server->result == 0)
        server->result = make_ring(server);
    vdf_lock(&rings->start_lock);
    rings->ready++;
    pthread_cond_broadcast(&rings->start);
    while (rings->order == HOLD)
        pthread_cond_wait(&rings->start, &rings->start_lock.mutex);
    bool go = rings->order == GO;
    vdf_unlock(&rings->start_lock);
    if (server->result < 0)
        return NULL;
    if (go)
        serve(server);
    /* Gives up the entries that the kernel holds. */
    io_uring_queue_exit(&server->ring);
    return NULL;
}

/* Sets the phase of all servers; waits for their end in the last phase. */
static void give_order(struct vdf_rings *rings, int order)
{
    vdf_lock(&rings->start_lock);
    rings->order = order;
    pthread_cond_broadcast(&rings->start);
    vdf_unlock(&rings->start_lock);
}

static void free_server(struct server *server)
{
    for (unsigned q = 0; q < server->n_queues; q++)
        free_entries(&server->queues[q]);
    free(server->queues);
    close(server->wake);
    vdf_lock_destroy(&server->replies_lock);
}

static void free_servers(struct vdf_rings *rings)
{
    for (unsigned s = rings->n_servers; s-- > 0;) {
        pthread_join(rings->servers[s].thread, NULL);
        free_server(&rings->servers[s]);
    }
    free(rings->servers);
    rings->servers = NULL;
    rings->n_servers = 0;
}

/* read_cpus() - the processors of a list like "0-3,5" among those that @set has room for.
 * Return: one more than the last of the list, or -errno. */
static int read_cpus(const char *name, cpu_set_t *set)
{
    char path[64], separator = ',';
    unsigned first, last = 0;
    int ret = -EINVAL;

    CPU_ZERO(set);
    snprintf(path, sizeof(path), "/sys/devices/system/cpu/%s", name);
    FILE *list = fopen(path, "re");
    if (!list)
        return -errno;
    while (separator == ',' && fscanf(list, "%u", &first) == 1) {
        last = first;
        separator = (char)fgetc(list);
        if (separator == '-' && fscanf(list, "%u", &last) == 1)
            separator = (char)fgetc(list);
        if (last < first || last >= UINT16_MAX)
            break;
        for (unsigned cpu = first; cpu <= last && cpu < CPU_SETSIZE; cpu++)
            CPU_SET(cpu, set);
        ret = (int)last + 1;
    }
    fclose(list);
    return ret;
}

static int init_server(struct vdf_rings *rings, struct server *server, unsigned cpu,
                       unsigned n_queues)
{
    *server = (struct server){ .rings = rings, .cpu = cpu, .n_queues = n_queues };
    server->queues = calloc(n_queues, sizeof(struct queue));
    if (!server->queues)
        return -ENOMEM;
    server->wake = eventfd(0, EFD_CLOEXEC);
    if (server->wake < 0) {
        int ret = -errno;
        assert(ret < 0);
        free(server->queues);
        return ret;
    }
    vdf_lock_init(&server->replies_lock, VDF_RANK_REPLIES);
    return 0;
}

static int start_server(struct vdf_rings *rings, unsigned cpu, const uint16_t *queues, unsigned n)
{
    struct server *server = &rings->servers[rings->n_servers];
    pthread_attr_t attr;
    int ret = init_server(rings, server, cpu, n);

    if (ret < 0)
        return ret;
    for (unsigned q = 0; q < n; q++)
        server->queues[q] = (struct queue){ .number = queues[q], .server = server };
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, SERVER_STACK);
    ret = -pthread_create(&server->thread, &attr, server_thread, server);
    pthread_attr_destroy(&attr);
    if (ret < 0)
        free_server(server);
    else
        rings->n_servers++;
    return ret;
}

/* A server for each processor that is online, whichever the daemon was started on; the first one
 * has the queues of the others too: the kernel counts processors that might be plugged in later. */
static int start_servers(struct vdf_rings *rings)
{
    cpu_set_t set;
    int possible = read_cpus("possible", &set), ret = read_cpus("online", &set);
    unsigned online = 0, offline = 0;

    if (possible < 0 || ret < 0)
        return possible < 0 ? possible : ret;
    uint16_t *off = calloc((size_t)possible + 1, sizeof(*off));
    uint16_t *on = calloc((size_t)possible, sizeof(*on));
    ret = off && on ? 0 : -ENOMEM;
    for (int cpu = 0; ret == 0 && cpu < possible; cpu++) {
        if (cpu < CPU_SETSIZE && CPU_ISSET(cpu, &set))
            on[online++] = (uint16_t)cpu;
        else
            off[offline++] = (uint16_t)cpu;
    }
    if (ret == 0 && !online)
        ret = -EINVAL;
    if (ret == 0) {
        rings->servers = calloc(online, sizeof(struct server));
        off[offline++] = on[0];
        ret = rings->servers ? start_server(rings, on[0], off, offline) : -ENOMEM;
    }
    for (unsigned k = 1; ret == 0 && k < online; k++)
        ret = start_server(rings, on[k], &on[k], 1);
    free(on);
    free(off);
    return ret;
}

static int wait_for_servers(struct vdf_rings *rings)
{
    int ret = 0;

    vdf_lock(&rings->start_lock);
    while (rings->ready < rings->n_servers)
        pthread_cond_wait(&rings->start, &rings->start_lock.mutex);
    vdf_unlock(&rings->start_lock);
    for (unsigned s = 0; ret == 0 && s < rings->n_servers; s++)
        ret = rings->servers[s].result;
    return ret;
}

int vdf_rings_offer(struct vdf_rings *rings, struct vdf_err *err)
{
    rings->order = HOLD;
    rings->ready = 0;
    int ret = start_servers(rings);
    if (ret == 0)
        ret = wait_for_servers(rings);
    if (ret < 0) {
        give_order(rings, QUIT);
        free_servers(rings);
        return vdf_fail(err, -ret, "no rings for FUSE: %s", strerror(-ret));
    }
    atomic_store(&rings->phase, PHASE_OFFERED);
    return 0;
}

/* --- between libfuse and the kernel ----------------------------------------------------------- */

static ssize_t read_request(int fd, void *bytes, size_t n, void *userdata)
{
    return read(fd, bytes, n);
}

/* The answer to FUSE_INIT, the first that is written after the offer. */
static ssize_t answer_init(struct vdf_rings *rings, int fd, const struct iovec *iov, int count)
{
    struct fuse_out_header header;
    struct fuse_init_out out = { 0 };
    struct iovec copy[2] = { { &header, sizeof(header) }, { &out, sizeof(out) } };
    ssize_t ret;

    bool whole = count == 2 && iov[0].iov_len == sizeof(header) && iov[1].iov_len <= sizeof(out);
    if (!whole) {
        atomic_store(&rings->phase, PHASE_OFF);
        return writev(fd, iov, count);
    }
    memcpy(&header, iov[0].iov_base, sizeof(header));
    memcpy(&out, iov[1].iov_base, iov[1].iov_len);
    out.flags |= FUSE_INIT_EXT;
    out.flags2 |= RING_FLAG2;
    header.len = sizeof(header) + sizeof(out);
    ret = writev(fd, copy, 2);
    atomic_store(&rings->phase, ret < 0 ? PHASE_OFF : PHASE_ON);
    /* The kernel accepts entries from here on. */
    give_order(rings, ret < 0 ? QUIT : GO);
    return ret;
}

static size_t fill_reply(struct entry *entry, const struct iovec *iov, int count)
{
    struct fuse_out_header out;
    size_t len = 0;

    memcpy(&out, iov[0].iov_base, sizeof(out));
    for (int k = 1; k < count; k++) {
        if (iov[k].iov_len > VDF_RING_MAX_WRITE - len) {
            out.error = -EIO;
            len = 0;
            break;
        }
        if (iov[k].iov_base != entry->payload + len)
            memcpy(entry->payload + len, iov[k].iov_base, iov[k].iov_len);
        len += iov[k].iov_len;
    }
    memcpy(entry->header->in_out, &out, sizeof(out));
    entry->header->payload_len = (uint32_t)len;
    return sizeof(out) + len;
}

char *vdf_ring_buffer(size_t size)
{
    return this_entry && size <= VDF_RING_MAX_WRITE ? (char *)this_entry->payload : NULL;
}

bool vdf_ring_request(void)
{
    return this_entry;
}

static void leave_reply(struct server *server, struct entry *entry)
{
    uint64_t one = 1;

    vdf_lock(&server->replies_lock);
    bool first = !server->replies;
    entry->reply_next = server->replies;
    server->replies = entry;
    vdf_unlock(&server->replies_lock);
    if (first && write(server->wake, &one, sizeof(one)) < 0)
        assert(errno == EAGAIN);
}

static ssize_t write_reply(int fd, struct iovec *iov, int count, void *userdata)
{
    struct vdf_rings *rings = ((struct vdf_fuse *)userdata)->rings;
    const struct fuse_out_header *out = iov[0].iov_base;
    int phase = rings ? atomic_load(&rings->phase) : PHASE_OFF;

    if (phase == PHASE_OFFERED)
        return answer_init(rings, fd, iov, count);
    /* Notifications have no number; some requests have come through /dev/fuse. */
    struct entry *entry =
        phase == PHASE_ON && out->unique ? take_pending(rings, out->unique) : NULL;
    if (!entry)
        return writev(fd, iov, count);
    size_t len = fill_reply(entry, iov, count);
    if (this_server == entry->queue->server)
        commit(entry);
    else
        leave_reply(entry->queue->server, entry);
    return (ssize_t)len;
}

/* --- life ------------------------------------------------------------------------------------- */

static const struct fuse_custom_io io = { .writev = write_reply, .read = read_request };

static void say_nothing(enum fuse_log_level level, const char *format, va_list arguments)
{
}

bool vdf_rings_possible(void)
{
    /* Where there is custom I/O at all, a bad descriptor is refused as such. */
    fuse_set_log_func(say_nothing);
    bool possible = fuse_session_custom_io(NULL, &io, -1) == -EBADF;
    fuse_set_log_func(NULL);
    return possible;
}

int vdf_rings_attach(struct fuse_session *session, struct vdf_rings **result, struct vdf_err *err)
{
    struct vdf_rings *rings = calloc(1, sizeof(*rings));

    if (!rings)
        return vdf_fail(err, ENOMEM, "no memory for rings");
    if (!vdf_rings_possible() ||
        fuse_session_custom_io(session, &io, fuse_session_fd(session)) < 0) {
        free(rings);
        return vdf_fail(
            err, EOPNOTSUPP,
            "this libfuse was built without enable-custom-io: tools/setup-libfuse builds "
            "one with it");
    }
    rings->session = session;
    vdf_lock_init(&rings->start_lock, VDF_RANK_RINGS);
    pthread_cond_init(&rings->start, NULL);
    for (unsigned k = 0; k < PENDING_STRIPES; k++)
        vdf_lock_init(&rings->pending[k].lock, VDF_RANK_RINGS);
    *result = rings;
    return 0;
}

void vdf_rings_free(struct vdf_rings *rings)
{
    uint64_t one = 1;

    if (!rings)
        return;
    for (unsigned s = 0; s < rings->n_servers; s++) {
        struct server *server = &rings->servers[s];
        atomic_store(&server->stop, true);
        if (write(server->wake, &one, sizeof(one)) < 0)
            assert(errno == EAGAIN);
    }
    give_order(rings, QUIT);
    free_servers(rings);
    for (unsigned k = PENDING_STRIPES; k-- > 0;)
        vdf_lock_destroy(&rings->pending[k].lock);
    pthread_cond_destroy(&rings->start);
    vdf_lock_destroy(&rings->start_lock);
    free(rings);
}

#else

bool vdf_rings_possible(void)
{
    return false;
}

int vdf_rings_attach(struct fuse_session *session, struct vdf_rings **rings, struct vdf_err *err)
{
    return vdf_fail(err, EOPNOTSUPP, "libfuse %s has no FUSE over io_uring, 3.18 has",
                    fuse_pkgversion());
}

int vdf_rings_offer(struct vdf_rings *rings, struct vdf_err *err)
{
    return vdf_fail(err, EOPNOTSUPP, "libfuse is too old");
}

char *vdf_ring_buffer(size_t size)
{
    return NULL;
}

bool vdf_ring_request(void)
{
    return false;
}

void vdf_rings_free(struct vdf_rings *rings)
{
}

#endif
