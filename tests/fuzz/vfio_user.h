/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client of vfio-user that may send any bytes. It reads along with the server what it has sent, so
 * that it knows which replies it is owed; it answers the server's accesses of its memory; and it aborts
 * when the server owes a reply for too long, sends another one, or leaves without a reason.
 */
#ifndef VDF_FUZZ_VFIO_USER_H
#define VDF_FUZZ_VFIO_USER_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/un.h>
#include <unistd.h>
#include <virtdevfs/socket.h>

#include "backends/pci/vfu_protocol.h"
#include "input.h"

#define LIMIT_MS 60000 /* without a sign of the server */
#define OWED_MAX 1024u
#define KEPT 8u
#define MEMORY_SIZE 0x40000u
#define CLOSED (-100000)

struct owed {
    uint16_t id, command;
};

struct client {
    const char *function; /* its path in the tree */
    char socket[64];
    int sock, twin; /* -1: none */
    uint16_t id;
    bool excused; /* the server may close the connection */

    /* As the server reads what is sent. */
    struct vdf_vfu_header header;
    size_t have, left; /* bytes of the header, and bytes that are missing behind it */
    bool broken;       /* no message can follow */
    struct owed owed[OWED_MAX];
    unsigned first, n_owed;

    /* The last reply, and the last message. */
    struct vdf_vfu_header reply;
    uint8_t reply_payload[VDF_VFU_MESSAGE_MAX], payload[VDF_VFU_MESSAGE_MAX];
    int kept[KEPT]; /* descriptors of replies */
    unsigned n_kept;
};

/* How the next accesses of memory are answered; all others rightly. */
enum answer {
    RIGHT,
    FAILED,
    SHORT,
    OTHER_ADDRESS,
    OTHER_ID,
    OTHER_COMMAND,
    TWICE,
    LATE, /* behind commands */
    HALF, /* in two pieces */
    LEAVE,
    NONE, /* takes a second */
    ANSWERS,
};

static struct {
    enum answer how;
    unsigned n;
} answers;

static struct client clients[2];
static int memory = -1; /* of both clients: their address 0 is its first byte */
static size_t chunk;    /* bytes that are sent at once; 0: all */

static inline void fail(const char *what, const struct client *client)
{
    fprintf(stderr, "%s: %s\n", client ? client->function : "the server", what);
    abort();
}

/* --- what the server reads -------------------------------------------------------------------- */

static inline void note_message(struct client *client)
{
    const struct vdf_vfu_header *header = &client->header;

    client->have = 0;
    if ((header->flags & VDF_VFU_TYPE) == VDF_VFU_TYPE_REPLY || header->flags & VDF_VFU_NO_REPLY)
        return;
    if (client->n_owed == OWED_MAX)
        fail("too many replies for this target", client);
    client->owed[(client->first + client->n_owed++) % OWED_MAX] =
        (struct owed){ header->id, header->command };
}

static inline void note_header(struct client *client)
{
    const struct vdf_vfu_header *header = &client->header;
    uint32_t type = header->flags & VDF_VFU_TYPE;

    client->broken = type > VDF_VFU_TYPE_REPLY || header->size < sizeof(*header) ||
                     header->size > VDF_VFU_MESSAGE_MAX;
    client->left = client->broken ? 0 : header->size - sizeof(*header);
    if (!client->broken && !client->left)
        note_message(client);
}

static inline void note_sent(struct client *client, const uint8_t *bytes, size_t n)
{
    while (n && !client->broken) {
        bool in_header = client->have < sizeof(client->header);
        size_t wanted = in_header ? sizeof(client->header) - client->have : client->left;
        size_t part = n < wanted ? n : wanted;

        if (in_header) {
            memcpy((uint8_t *)&client->header + client->have, bytes, part);
            client->have += part;
            if (client->have == sizeof(client->header))
                note_header(client);
        } else {
            client->left -= part;
            if (!client->left)
                note_message(client);
        }
        bytes += part;
        n -= part;
    }
}

/* --- connections ------------------------------------------------------------------------------ */

static inline void forget_kept(struct client *client)
{
    for (unsigned k = 0; k < client->n_kept; k++)
        close(client->kept[k]);
    client->n_kept = 0;
}

static inline void leave(struct client *client)
{
    if (client->sock >= 0)
        close(client->sock);
    if (client->twin >= 0)
        close(client->twin);
    forget_kept(client);
    client->sock = client->twin = -1;
}

/* The server has closed the connection. */
static inline void hung_up(struct client *client)
{
    if (!client->excused && !client->broken)
        fail("the connection is closed without a reason", client);
    leave(client);
}

/* @flags: SOCK_NONBLOCK where clients may wait, or 0. Return: -1: not connected. */
static inline int connect_socket(const char *path, int flags)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
    if (sock >= 0 && connect(sock, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
        close(sock);
        return -1;
    }
    return sock;
}

static inline bool arrive(struct client *client)
{
    leave(client);
    client->sock = connect_socket(client->socket, 0);
    client->excused = client->broken = false;
    client->have = client->left = 0;
    client->n_owed = 0;
    return client->sock >= 0;
}

/* --- messages --------------------------------------------------------------------------------- */

static inline void pump(struct client *sender, int until);

/* Send bytes, and serve the server where it does not read meanwhile. */
static inline void send_bytes(struct client *client, int sock, const uint8_t *bytes, size_t n,
                              const int *fds, unsigned n_fds)
{
    bool is_main = sock == client->sock;

    for (size_t done = 0; done < n && sock >= 0;) {
        size_t part = chunk && n - done > chunk ? chunk : n - done;
        struct iovec iov = { (void *)(bytes + done), part };
        ssize_t ret = vdf_socket_send(sock, &iov, 1, fds, n_fds, MSG_DONTWAIT);

        if (ret == -EAGAIN && is_main) {
            pump(client, -1);
            sock = client->sock;
            continue;
        }
        if (ret < 0)
            return;
        if (is_main)
            note_sent(client, bytes + done, (size_t)ret);
        done += (size_t)ret;
        n_fds = 0;
    }
}

static inline void post_framed(struct client *client, int sock, const struct vdf_vfu_header *header,
                               const void *payload, size_t n, const int *fds, unsigned n_fds)
{
    uint8_t *bytes = malloc(sizeof(*header) + n);

    if (!bytes)
        abort();
    memcpy(bytes, header, sizeof(*header));
    if (n)
        memcpy(bytes + sizeof(*header), payload, n);
    send_bytes(client, sock, bytes, sizeof(*header) + n, fds, n_fds);
    free(bytes);
}

static inline void post(struct client *client, uint16_t command, const void *payload, size_t n,
                        const int *fds, unsigned n_fds)
{
    struct vdf_vfu_header header = {
        .id = ++client->id,
        .command = command,
        .size = (uint32_t)(sizeof(header) + n),
    };

    post_framed(client, client->sock, &header, payload, n, fds, n_fds);
}

/* False: the connection is closed. */
static inline bool receive_all(int sock, void *to, size_t n, struct vdf_passed *passed)
{
    struct pollfd poller = { .fd = sock, .events = POLLIN };

    for (size_t done = 0; done < n;) {
        if (poll(&poller, 1, LIMIT_MS) == 0)
            fail("a message has no end", NULL);
        ssize_t ret = vdf_socket_receive(sock, (uint8_t *)to + done, n - done, passed, 0);

        if (ret == -EAGAIN)
            continue;
        if (ret <= 0)
            return false;
        done += (size_t)ret;
    }
    return true;
}

static inline void keep(struct client *client, const struct vdf_passed *passed)
{
    unsigned n = passed->n;

    if (client->reply.command == VDF_VFU_VERSION && n)
        client->twin = passed->fds[--n];
    for (unsigned k = 0; k < n; k++) {
        if (client->n_kept < KEPT)
            client->kept[client->n_kept++] = passed->fds[k];
        else
            close(passed->fds[k]);
    }
}

/* One reply a command, in their order. */
static inline void take_reply(struct client *client, const struct vdf_vfu_header *header)
{
    const struct owed *owed = &client->owed[client->first];
    bool failed = header->flags & VDF_VFU_ERROR;

    if (!client->n_owed)
        fail("a reply to no command", client);
    if (owed->id != header->id || owed->command != header->command)
        fail("the reply to another command", client);
    if (header->flags & ~(VDF_VFU_TYPE_REPLY | VDF_VFU_ERROR) || failed != (header->error != 0) ||
        (failed && header->size != sizeof(*header)))
        fail("a reply with wrong flags", client);
    client->first = (client->first + 1) % OWED_MAX;
    client->n_owed--;
    client->reply = *header;
    memcpy(client->reply_payload, client->payload, header->size - sizeof(*header));
    /* Another major version is the end. */
    if (header->command == VDF_VFU_VERSION && failed)
        client->excused = true;
}

static inline void answer(struct client *client, int sock, const struct vdf_vfu_header *header);

static inline void take_message(struct client *client, int sock)
{
    struct vdf_vfu_header header;
    struct vdf_passed passed;

    if (vdf_passed_init(&passed) < 0)
        abort();
    bool there = receive_all(sock, &header, sizeof(header), &passed);
    if (there && (header.size < sizeof(header) || header.size > VDF_VFU_MESSAGE_MAX))
        fail("a message of a wrong size", client);
    there = there && receive_all(sock, client->payload, header.size - sizeof(header), &passed);
    if (!there) {
        hung_up(client);
    } else if (header.flags & VDF_VFU_TYPE) {
        take_reply(client, &header);
        keep(client, &passed);
        passed.n = 0;
    } else {
        answer(client, sock, &header);
    }
    vdf_passed_destroy(&passed);
}

/* Wait for something, and serve it. @sender: also for room to send; @until: and for this. */
static inline void pump(struct client *sender, int until)
{
    struct pollfd fds[5];

    for (unsigned k = 0; k < 2; k++) {
        short events = &clients[k] == sender ? POLLIN | POLLOUT : POLLIN;
        fds[2 * k] = (struct pollfd){ .fd = clients[k].sock, .events = events };
        fds[2 * k + 1] = (struct pollfd){ .fd = clients[k].twin, .events = POLLIN };
    }
    fds[4] = (struct pollfd){ .fd = until, .events = POLLIN };
    if (poll(fds, COUNT(fds), LIMIT_MS) == 0)
        fail("it does nothing more", NULL);
    for (unsigned k = 0; k < 4; k++) {
        struct client *client = &clients[k / 2];
        int now = k % 2 ? client->twin : client->sock;

        if (fds[k].revents & ~POLLOUT && now == fds[k].fd)
            take_message(client, now);
    }
}

/* Until all replies are there. */
static inline void sync_with(struct client *client)
{
    while (client->sock >= 0 && (client->n_owed || client->broken))
        pump(NULL, -1);
}

/* Send the rest of a message that is not complete. */
static inline void complete(struct client *client)
{
    static const uint8_t zeros[4096];
    size_t before = chunk;

    chunk = 0;
    while (client->sock >= 0 && client->have && !client->broken) {
        size_t n = client->have < sizeof(client->header) ? sizeof(client->header) - client->have
                                                         : client->left;
        send_bytes(client, client->sock, zeros, n < sizeof(zeros) ? n : sizeof(zeros), NULL, 0);
    }
    chunk = before;
}

/* A command and its reply. Return: bytes of its payload, -errno of an error reply, or CLOSED. */
static inline int ask(struct client *client, uint16_t command, const void *payload, size_t n)
{
    complete(client);
    sync_with(client);
    if (client->sock >= 0)
        post(client, command, payload, n, NULL, 0);
    sync_with(client);
    if (client->sock < 0)
        return CLOSED;
    return client->reply.error ? -(int)client->reply.error
                               : (int)(client->reply.size - sizeof(client->reply));
}

/* --- the server's accesses of memory ------------------------------------------------------------ */

struct access_reply {
    struct vdf_vfu_header header;
    struct vdf_vfu_dma_access access;
    uint8_t data[VDF_VFU_DATA_MAX];
};

/* The right answer: where there is no memory, an error. Its header has the bytes that are to be sent. */
static inline void make_answer(const struct client *client, const struct vdf_vfu_header *header,
                               struct access_reply *reply)
{
    const uint8_t *data = client->payload + sizeof(reply->access);
    bool is_read = header->command == VDF_VFU_DMA_READ;

    memcpy(&reply->access, client->payload, sizeof(reply->access));
    uint64_t address = reply->access.address, n = reply->access.count;
    if (n > VDF_VFU_DATA_MAX ||
        header->size != sizeof(*header) + sizeof(reply->access) + (is_read ? 0 : n))
        fail("an access of a wrong size", client);
    reply->header = *header;
    reply->header.flags = VDF_VFU_TYPE_REPLY;
    reply->header.size = sizeof(*header) + sizeof(reply->access) + (is_read ? (uint32_t)n : 0);
    ssize_t done = address > MEMORY_SIZE || n > MEMORY_SIZE - address ? -1
                   : is_read ? pread(memory, reply->data, n, (off_t)address)
                             : pwrite(memory, data, n, (off_t)address);
    if (done >= 0)
        return;
    reply->header.size = sizeof(*header);
    reply->header.flags |= VDF_VFU_ERROR;
    reply->header.error = EFAULT;
}

/* Make something else of it. Return: the number of commands before it. */
static inline unsigned spoil(enum answer how, struct access_reply *reply)
{
    switch (how) {
    case FAILED:
        reply->header.size = sizeof(reply->header);
        reply->header.flags |= VDF_VFU_ERROR;
        reply->header.error = EIO;
        break;
    case SHORT:
        reply->header.size -= reply->header.size > sizeof(reply->header);
        break;
    case OTHER_ADDRESS:
        reply->access.address++;
        break;
    case OTHER_ID:
        reply->header.id++;
        break;
    case OTHER_COMMAND:
        reply->header.command ^= VDF_VFU_DMA_READ ^ VDF_VFU_DMA_WRITE;
        break;
    default:
        break;
    }
    return how == LATE ? 3 : 0;
}

static inline void send_answer(struct client *client, int sock, const struct access_reply *reply)
{
    int fds[] = { memory };
    unsigned n = answers.how == TWICE;

    post_framed(client, sock, &reply->header, &reply->access,
                reply->header.size - sizeof(reply->header), fds, n);
}

/* An answer that the server takes for none is followed by the right one. */
static inline void answer(struct client *client, int sock, const struct vdf_vfu_header *header)
{
    static struct access_reply right, reply;
    static const struct vdf_vfu_device_info info = { .argsz = sizeof(info) };
    enum answer how = answers.n ? answers.how : RIGHT;
    size_t before = chunk;

    if (header->command != VDF_VFU_DMA_READ && header->command != VDF_VFU_DMA_WRITE)
        fail("a command that no server sends", client);
    /* Too slow a machine is reason enough. */
    client->excused = true;
    answers.n -= answers.n > 0;
    make_answer(client, header, &right);
    reply = right;
    for (unsigned k = spoil(how, &reply); k && client->sock >= 0; k--)
        post(client, VDF_VFU_DEVICE_GET_INFO, &info, sizeof(info), NULL, 0);
    if (how == LEAVE)
        leave(client);
    if (how == LEAVE || how == NONE || client->sock < 0)
        return;
    chunk = how == HALF ? 9 : 0;
    send_answer(client, sock, &reply);
    if (how == OTHER_ID || how == OTHER_COMMAND || how == TWICE)
        send_answer(client, sock, &right);
    chunk = before;
}

#endif
