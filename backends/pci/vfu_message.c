/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages of vfio-user: framing, sending, and who reads. See vfu_server.h. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "vfu_server.h"

#define REPLY_S 1 /* seconds that a client has for a reply */

/* A device is locked while it waits for replies, and asks often. So replies that take longer than PROMPT
 * are late, and their delays may come to PATIENCE, which grows again by a tenth of the time. */
#define PROMPT_NS INT64_C(10000000)
#define PATIENCE_NS INT64_C(1000000000)
#define SHORT 128u /* bytes of a reply that is copied, so that it is in one piece */

/* Commands that may arrive while a thread waits for a reply. */
#define QUEUE_MOST 1024u
#define QUEUE_BYTES (4u * VDF_VFU_DATA_MAX)
#define QUEUE_FDS 64u

/* --- time ------------------------------------------------------------------------------------- */

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static struct timespec deadline(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += REPLY_S;
    return t;
}

/* Milliseconds until then for poll(2); NULL: without end. */
static int left(const struct timespec *until)
{
    if (!until)
        return -1;
    int64_t ns = until->tv_sec * INT64_C(1000000000) + until->tv_nsec - now_ns();
    return ns <= 0 ? 0 : (int)((ns + 999999) / 1000000);
}

/* --- the link --------------------------------------------------------------------------------- */

static int open_channel(struct vdf_vfu_channel *channel)
{
    channel->fd = -1;
    return vdf_passed_init(&channel->passed);
}

static void close_channel(struct vdf_vfu_channel *channel)
{
    free(channel->partial);
    channel->partial = NULL;
    vdf_passed_close_all(&channel->passed);
    /* Unread descriptors in the socket may be slow to close. */
    if (channel->fd >= 0)
        vdf_passed_close(&channel->passed, channel->fd);
    channel->fd = -1;
}

static void init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attr);
    pthread_condattr_destroy(&attr);
}

int vdf_vfu_link_open(struct vdf_vfu_link *link, int fd)
{
    *link = (struct vdf_vfu_link){ 0 };
    link->queue_end = &link->queue;
    link->patience = PATIENCE_NS;
    link->counted = now_ns();
    vdf_lock_init(&link->lock, VDF_RANK_HOST);
    init_condition(&link->changed);
    link->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int ret = link->wake < 0 ? -errno : 0;
    int main_ret = open_channel(&link->main), twin_ret = open_channel(&link->twin);
    int dropped_ret = vdf_passed_init(&link->dropped);

    link->main.fd = fd;
    ret = ret ? ret : main_ret ? main_ret : twin_ret ? twin_ret : dropped_ret;
    if (ret < 0)
        vdf_vfu_link_free(link);
    return ret;
}

void vdf_vfu_link_close(struct vdf_vfu_link *link)
{
    while (link->queue) {
        struct vdf_vfu_message *message = link->queue;

        link->queue = message->next;
        vdf_vfu_message_free(link, message);
    }
    close_channel(&link->main);
    close_channel(&link->twin);
}

void vdf_vfu_link_wait(struct vdf_vfu_link *link, int wake)
{
    struct pollfd fds[] = {
        { .fd = wake, .events = POLLIN },
        { .fd = link->main.passed.closed, .events = POLLIN },
        { .fd = link->twin.passed.closed, .events = POLLIN },
        { .fd = link->dropped.closed, .events = POLLIN },
    };

    while (!fds[0].revents &&
           (vdf_passed_closing(&link->main.passed) || vdf_passed_closing(&link->twin.passed) ||
            vdf_passed_closing(&link->dropped)))
        poll(fds, sizeof(fds) / sizeof(fds[0]), -1);
}

void vdf_vfu_link_free(struct vdf_vfu_link *link)
{
    vdf_vfu_link_close(link);
    vdf_passed_destroy(&link->main.passed);
    vdf_passed_destroy(&link->twin.passed);
    vdf_passed_destroy(&link->dropped);
    if (link->wake >= 0)
        close(link->wake);
    pthread_cond_destroy(&link->changed);
    vdf_lock_destroy(&link->lock);
}

/* With the lock held; @until NULL: without end. Return: 0 or ETIMEDOUT. */
static int wait_changed(struct vdf_vfu_link *link, const struct timespec *until)
{
    link->waiting++;
    int ret = until ? pthread_cond_timedwait(&link->changed, &link->lock.mutex, until)
                    : pthread_cond_wait(&link->changed, &link->lock.mutex);
    link->waiting--;
    return ret;
}

/* The lock is held. */
static void wake_waiting(struct vdf_vfu_link *link)
{
    if (link->waiting)
        pthread_cond_broadcast(&link->changed);
}

/* The lock is held. */
static void hang_up(struct vdf_vfu_link *link, const struct vdf_err *why)
{
    if (link->closed)
        return;
    link->closed = true;
    if (why)
        link->why = *why;
    shutdown(link->main.fd, SHUT_RDWR);
    if (link->twin.fd >= 0)
        shutdown(link->twin.fd, SHUT_RDWR);
    wake_waiting(link);
}

void vdf_vfu_hang_up(struct vdf_vfu_link *link, const struct vdf_err *why)
{
    vdf_lock(&link->lock);
    hang_up(link, why);
    vdf_unlock(&link->lock);
}

void vdf_vfu_message_free(struct vdf_vfu_link *link, struct vdf_vfu_message *message)
{
    if (!message)
        return;
    if (message->n_fds) {
        vdf_lock(&link->lock);
        for (unsigned k = 0; k < message->n_fds; k++)
            vdf_passed_close(&link->dropped, message->fds[k]);
        vdf_unlock(&link->lock);
    }
    free(message);
}

/* --- receiving -------------------------------------------------------------------------------- */

/* A wrong header does not say where the next message begins, so the connection ends. */
static int check_header(const struct vdf_vfu_header *header, struct vdf_err *err)
{
    uint32_t type = header->flags & VDF_VFU_TYPE;

    if (type != VDF_VFU_TYPE_COMMAND && type != VDF_VFU_TYPE_REPLY)
        return vdf_fail(err, EPROTO, "message of type %u: 0 and 1 are commands and replies", type);
    if (header->size < sizeof(*header) || header->size > VDF_VFU_MESSAGE_MAX)
        return vdf_fail(err, EPROTO, "message of %u bytes: it has %zu to %u", header->size,
                        sizeof(*header), VDF_VFU_MESSAGE_MAX);
    return 0;
}

static int begin_payload(struct vdf_vfu_channel *channel, struct vdf_err *err)
{
    int ret = check_header(&channel->header, err);

    if (ret < 0)
        return ret;
    uint32_t len = channel->header.size - (uint32_t)sizeof(channel->header);
    channel->partial = malloc(sizeof(*channel->partial) + len);
    if (!channel->partial)
        return vdf_fail(err, ENOMEM, "no memory for a message of %u bytes", channel->header.size);
    *channel->partial = (struct vdf_vfu_message){ .header = channel->header, .len = len };
    channel->done = 0;
    return len == 0;
}

/* The messages in `ahead` that end before the last one begins. The kernel ends a read behind the bytes that
 * descriptors came with, so the descriptors are the last message's. */
static unsigned count_fdless(const struct vdf_vfu_channel *channel)
{
    struct vdf_vfu_header header = channel->header;
    const uint8_t *at = channel->ahead.bytes;
    size_t left = channel->ahead.end;
    size_t taken = channel->done + (channel->partial ? sizeof(header) : 0);

    for (unsigned n = 0;; n++) {
        size_t missing = taken < sizeof(header) ? sizeof(header) - taken : 0;

        if (left < missing)
            return n;
        memcpy((uint8_t *)(&header + 1) - missing, at, missing);
        if (header.size < sizeof(header) || header.size - taken >= left)
            return n;
        at += header.size - taken;
        left -= header.size - taken;
        taken = 0;
    }
}

/* Up to @n bytes, the ones read ahead first. Return: as vdf_socket_receive(). */
static ssize_t take_bytes(struct vdf_vfu_channel *channel, void *to, size_t n, int flags)
{
    size_t left = channel->ahead.end - channel->ahead.at;

    if (!left) {
        bool has_fds = channel->passed.n || channel->passed.lost;

        /* Descriptors of the next message would join those of this one. */
        if (has_fds || n >= sizeof(channel->ahead.bytes))
            return vdf_socket_receive(channel->fd, to, n, &channel->passed, flags);
        ssize_t got = vdf_socket_receive(channel->fd, channel->ahead.bytes,
                                         sizeof(channel->ahead.bytes), &channel->passed, flags);
        if (got <= 0)
            return got;
        channel->ahead.at = 0;
        left = channel->ahead.end = (size_t)got;
        if (channel->passed.n || channel->passed.lost)
            channel->fdless = count_fdless(channel);
    }
    if (n > left)
        n = left;
    memcpy(to, channel->ahead.bytes + channel->ahead.at, n);
    channel->ahead.at += n;
    return (ssize_t)n;
}

/* One read. Return: 1: the message is complete; 0: it is not; -EAGAIN; -EPIPE: the client has left. */
static int step(struct vdf_vfu_channel *channel, int flags, struct vdf_err *err)
{
    struct vdf_vfu_message *message = channel->partial;
    uint8_t *to = message ? message->payload : (uint8_t *)&channel->header;
    size_t len = message ? message->len : sizeof(channel->header);
    ssize_t n = take_bytes(channel, to + channel->done, len - channel->done, flags);

    if (n == -EAGAIN)
        return -EAGAIN;
    if (n == -ECONNRESET || (n == 0 && !message && !channel->done))
        return -EPIPE;
    if (n < 0)
        return vdf_fail(err, (int)-n, "receiving: %s", strerror((int)-n));
    if (n == 0)
        return vdf_fail(err, EPROTO, "the client has left in the middle of a message");
    channel->done += (size_t)n;
    if (channel->done < len)
        return 0;
    return message ? 1 : begin_payload(channel, err);
}

/* The complete message, with its descriptors. */
static struct vdf_vfu_message *take_message(struct vdf_vfu_channel *channel)
{
    struct vdf_vfu_message *message = channel->partial;
    struct vdf_passed *passed = &channel->passed;

    channel->partial = NULL;
    channel->done = 0;
    if (channel->fdless) {
        channel->fdless--;
        return message;
    }
    if (passed->lost || passed->n > VDF_VFU_FDS_MAX) {
        message->lost_fds = true;
        vdf_passed_close_all(passed);
        return message;
    }
    message->n_fds = passed->n;
    memcpy(message->fds, passed->fds, passed->n * sizeof(passed->fds[0]));
    passed->n = 0;
    return message;
}

/* Whether descriptors of earlier messages are still being closed. The lock is held. */
static bool is_closing(struct vdf_vfu_link *link, struct vdf_vfu_channel *channel)
{
    bool closing = vdf_passed_closing(&link->dropped);

    return vdf_passed_closing(&channel->passed) || closing;
}

/* Wait for bytes or, while descriptors are being closed, for the end of that. Return: 1; 0: `wake`;
 * -ETIMEDOUT; -EPIPE. */
static int wait_readable(const struct vdf_vfu_link *link, const struct vdf_vfu_channel *channel,
                         bool closing, const struct timespec *until)
{
    struct pollfd fds[] = {
        { .fd = channel->fd, .events = closing ? 0 : POLLIN },
        { .fd = until ? -1 : link->wake, .events = POLLIN },
        { .fd = closing ? channel->passed.closed : -1, .events = POLLIN },
        { .fd = closing ? link->dropped.closed : -1, .events = POLLIN },
    };

    if (poll(fds, sizeof(fds) / sizeof(fds[0]), left(until)) == 0)
        return -ETIMEDOUT;
    if (closing && fds[0].revents)
        return -EPIPE;
    return !fds[1].revents;
}

/* Receive a message, or go on with one. @closing: of is_closing(). @until: NULL for the client's thread,
 * which waits without end. Return: 1: channel->partial is complete; 0: `wake` was written; -ETIMEDOUT;
 * -EPIPE; -errno. */
static int receive(struct vdf_vfu_link *link, struct vdf_vfu_channel *channel, bool closing,
                   const struct timespec *until, struct vdf_err *err)
{
    int flags = !until && !link->watched ? 0 : MSG_DONTWAIT, ret = 0;

    while (ret == 0) {
        ret = closing ? -EAGAIN : step(channel, flags, err);
        if (ret != -EAGAIN)
            continue;
        ret = wait_readable(link, channel, closing, until);
        if (ret <= 0)
            return ret;
        ret = 0;
        if (!closing)
            continue;
        vdf_lock(&link->lock);
        closing = is_closing(link, channel);
        vdf_unlock(&link->lock);
    }
    return ret;
}

/* --- who gets a message, with the lock held --------------------------------------------------- */

static void enqueue(struct vdf_vfu_link *link, struct vdf_vfu_message *message)
{
    *link->queue_end = message;
    link->queue_end = &message->next;
    link->queued++;
    link->queued_bytes += message->len;
    link->queued_fds += message->n_fds;
    if (link->queued > QUEUE_MOST || link->queued_bytes > QUEUE_BYTES ||
        link->queued_fds > QUEUE_FDS) {
        struct vdf_err why = { 0 };

        vdf_fail(&why, ENOBUFS, "%u commands while the client owes a reply: too many",
                 link->queued);
        hang_up(link, &why);
    }
}

static struct vdf_vfu_message *dequeue(struct vdf_vfu_link *link)
{
    struct vdf_vfu_message *message = link->queue;

    link->queue = message->next;
    if (!link->queue)
        link->queue_end = &link->queue;
    link->queued--;
    link->queued_bytes -= message->len;
    link->queued_fds -= message->n_fds;
    return message;
}

/* Give a reply to its thread. Return: whether there is one. */
static bool deliver(struct vdf_vfu_link *link, const struct vdf_vfu_channel *channel,
                    struct vdf_vfu_message *message)
{
    for (struct vdf_vfu_ask **at = &link->asks; *at; at = &(*at)->next) {
        struct vdf_vfu_ask *ask = *at;

        if (ask->channel != channel || ask->id != message->header.id ||
            ask->command != message->header.command)
            continue;
        *at = ask->next;
        ask->reply = message;
        return true;
    }
    return false;
}

static void drop(struct vdf_vfu_link *link, struct vdf_vfu_message *message)
{
    for (unsigned k = 0; k < message->n_fds; k++)
        vdf_passed_close(&link->dropped, message->fds[k]);
    free(message);
    link->unasked++;
}

/* Commands come by the main socket. */
static void sort(struct vdf_vfu_link *link, const struct vdf_vfu_channel *channel,
                 struct vdf_vfu_message *message)
{
    bool is_reply = (message->header.flags & VDF_VFU_TYPE) == VDF_VFU_TYPE_REPLY;

    if (!is_reply && channel == &link->main)
        enqueue(link, message);
    else if (!is_reply || !deliver(link, channel, message))
        drop(link, message);
}

/* Read a message as the only reader. Return: 1, 0 or -errno as receive(); the link is closed then. */
static int read_one(struct vdf_vfu_link *link, struct vdf_vfu_channel *channel,
                    const struct timespec *until)
{
    struct vdf_err err = { 0 };
    bool closing = !channel->partial && !channel->done && is_closing(link, channel);

    channel->reading = true;
    vdf_unlock(&link->lock);
    int ret = receive(link, channel, closing, until, &err);
    struct vdf_vfu_message *message = ret > 0 ? take_message(channel) : NULL;
    vdf_lock(&link->lock);
    channel->reading = false;
    if (ret == -ETIMEDOUT)
        vdf_fail(&err, ETIMEDOUT, "no reply for %d s", REPLY_S);
    if (ret < 0)
        hang_up(link, &err);
    if (message)
        sort(link, channel, message);
    wake_waiting(link);
    return ret;
}

int vdf_vfu_next(struct vdf_vfu_link *link, struct vdf_vfu_message **message)
{
    uint64_t count;
    int ret = 1;

    *message = NULL;
    vdf_lock(&link->lock);
    while (ret > 0 && !*message) {
        if (link->closed && (link->why.code || !link->queue))
            ret = -EPIPE;
        else if (link->queue)
            *message = dequeue(link);
        else if (link->unasked)
            ret = 0;
        else if (link->main.reading)
            wait_changed(link, NULL);
        else
            ret = read_one(link, &link->main, NULL) != 0;
    }
    vdf_unlock(&link->lock);
    if (ret == 0)
        eventfd_read(link->wake, &count);
    return ret;
}

/* --- sending ---------------------------------------------------------------------------------- */

/* A message, or the rest of one. */
struct outgoing {
    struct iovec *iov;
    unsigned n_iov;
    const int *fds;
    unsigned n_fds;
};

static void skip(struct outgoing *out, size_t n)
{
    while (out->n_iov && n >= out->iov->iov_len) {
        n -= out->iov->iov_len;
        out->iov++;
        out->n_iov--;
    }
    if (out->n_iov) {
        out->iov->iov_base = (uint8_t *)out->iov->iov_base + n;
        out->iov->iov_len -= n;
    }
    out->n_fds = 0;
}

/* Send what the socket has room for. Return: 0: that was all; -EAGAIN; -EPIPE; -errno. */
static int send_some(const struct vdf_vfu_channel *channel, struct outgoing *out)
{
    while (out->n_iov) {
        ssize_t n =
            vdf_socket_send(channel->fd, out->iov, out->n_iov, out->fds, out->n_fds, MSG_DONTWAIT);
        if (n < 0)
            return (int)n;
        skip(out, (size_t)n);
    }
    return 0;
}

/* Send the rest as the only sender. Return: 0, -EPIPE, -ETIMEDOUT or another -errno. */
static int send_rest(const struct vdf_vfu_channel *channel, struct outgoing *out,
                     const struct timespec *until)
{
    struct pollfd poll_fd = { .fd = channel->fd, .events = POLLOUT };
    int ret;

    do {
        if (poll(&poll_fd, 1, left(until)) == 0)
            return -ETIMEDOUT;
        ret = send_some(channel, out);
    } while (ret == -EAGAIN);
    return ret;
}

/* Wait until no other thread sends, with the lock held. */
static int wait_for_turn(struct vdf_vfu_link *link, const struct vdf_vfu_channel *channel,
                         const struct timespec *until)
{
    while (channel->sending && !link->closed)
        if (wait_changed(link, until) == ETIMEDOUT)
            return -ETIMEDOUT;
    return link->closed ? -EPIPE : 0;
}

/* Most messages are sent with the lock held, as there is room for them. */
static int send_locked(struct vdf_vfu_link *link, struct vdf_vfu_channel *channel,
                       struct outgoing *out, const struct timespec *until)
{
    int ret = wait_for_turn(link, channel, until);

    if (ret == 0)
        ret = send_some(channel, out);
    if (ret != -EAGAIN)
        return ret;
    channel->sending = true;
    vdf_unlock(&link->lock);
    ret = send_rest(channel, out, until);
    vdf_lock(&link->lock);
    channel->sending = false;
    wake_waiting(link);
    return ret;
}

/* The lock is held. */
static void sending_failed(struct vdf_vfu_link *link, int error)
{
    struct vdf_err why = { 0 };

    if (error == ETIMEDOUT)
        vdf_fail(&why, error, "the client has read nothing for %d s", REPLY_S);
    else if (error != EPIPE)
        vdf_fail(&why, error, "sending: %s", strerror(error));
    hang_up(link, &why);
}

/* @until: NULL for the client's thread. A failure closes the link. */
static int send_message(struct vdf_vfu_link *link, struct vdf_vfu_channel *channel,
                        struct outgoing out, const struct timespec *until)
{
    vdf_lock(&link->lock);
    int ret = send_locked(link, channel, &out, until);
    if (ret < 0)
        sending_failed(link, -ret);
    vdf_unlock(&link->lock);
    return ret < 0 ? -EPIPE : 0;
}

int vdf_vfu_reply(struct vdf_vfu_link *link, const struct vdf_vfu_header *command, int error,
                  const void *payload, size_t len, const int *fds, unsigned n_fds)
{
    struct vdf_vfu_header header = {
        .id = command->id,
        .command = command->command,
        .size = (uint32_t)(sizeof(header) + len),
        .flags = VDF_VFU_TYPE_REPLY | (error ? VDF_VFU_ERROR : 0),
        .error = (uint32_t)error,
    };
    uint8_t whole[SHORT];
    bool is_short = len <= sizeof(whole) - sizeof(header);
    struct iovec iov[] = { { &header, sizeof(header) }, { (void *)payload, len } };

    if (is_short) {
        memcpy(whole, &header, sizeof(header));
        if (len)
            memcpy(whole + sizeof(header), payload, len);
        iov[0] = (struct iovec){ whole, sizeof(header) + len };
    }
    return send_message(link, &link->main, (struct outgoing){ iov, is_short ? 1 : 2, fds, n_fds },
                        NULL);
}

/* --- asking ----------------------------------------------------------------------------------- */

static bool is_used(const struct vdf_vfu_link *link, uint16_t id)
{
    for (const struct vdf_vfu_ask *ask = link->asks; ask; ask = ask->next)
        if (ask->id == id)
            return true;
    return false;
}

/* Return: the socket to ask by; NULL: the link is closed. */
static struct vdf_vfu_channel *begin_ask(struct vdf_vfu_link *link, struct vdf_vfu_ask *ask)
{
    struct vdf_vfu_channel *channel = NULL;

    vdf_lock(&link->lock);
    if (!link->closed) {
        do
            ask->id = ++link->last_id;
        while (is_used(link, ask->id));
        channel = link->twin.fd >= 0 ? &link->twin : &link->main;
        ask->channel = channel;
        ask->next = link->asks;
        link->asks = ask;
    }
    vdf_unlock(&link->lock);
    return channel;
}

/* With the lock held: the client took @waited nanoseconds for a reply. */
static void count_delay(struct vdf_vfu_link *link, int64_t now, int64_t waited)
{
    struct vdf_err why = { 0 };

    link->patience += (now - link->counted) / 10;
    if (link->patience > PATIENCE_NS)
        link->patience = PATIENCE_NS;
    link->counted = now;
    if (waited > PROMPT_NS)
        link->patience -= waited - PROMPT_NS;
    if (link->patience >= 0 || link->closed)
        return;
    vdf_fail(&why, ETIMEDOUT, "too many replies take longer than %d ms",
             (int)(PROMPT_NS / 1000000));
    hang_up(link, &why);
}

static void end_ask(struct vdf_vfu_link *link, struct vdf_vfu_channel *channel,
                    const struct vdf_vfu_ask *ask, const struct timespec *until)
{
    int64_t begun = now_ns(), ended;
    struct vdf_err why = { 0 };

    vdf_lock(&link->lock);
    while (!ask->reply && !link->closed) {
        if (!channel->reading) {
            read_one(link, channel, until);
        } else if (wait_changed(link, until) == ETIMEDOUT && !ask->reply) {
            vdf_fail(&why, ETIMEDOUT, "no reply for %d s", REPLY_S);
            hang_up(link, &why);
        }
    }
    for (struct vdf_vfu_ask **at = &link->asks; *at; at = &(*at)->next) {
        if (*at != ask)
            continue;
        *at = ask->next;
        break;
    }
    ended = now_ns();
    count_delay(link, ended, ended - begun);
    vdf_unlock(&link->lock);
}

int vdf_vfu_ask(struct vdf_vfu_link *link, uint16_t command, const void *payload, size_t len,
                const void *data, size_t n, struct vdf_vfu_message **reply)
{
    struct timespec until = deadline();
    struct vdf_vfu_ask ask = { .command = command };
    struct vdf_vfu_channel *channel = begin_ask(link, &ask);

    *reply = NULL;
    if (!channel)
        return -EPIPE;
    struct vdf_vfu_header header = {
        .id = ask.id,
        .command = command,
        .size = (uint32_t)(sizeof(header) + len + n),
        .flags = VDF_VFU_TYPE_COMMAND,
    };
    struct iovec iov[] = {
        { &header, sizeof(header) },
        { (void *)payload, len },
        { (void *)data, n },
    };
    send_message(link, channel, (struct outgoing){ iov, n ? 3 : 2, NULL, 0 }, &until);
    end_ask(link, channel, &ask, &until);
    *reply = ask.reply;
    return ask.reply ? 0 : -EPIPE;
}
