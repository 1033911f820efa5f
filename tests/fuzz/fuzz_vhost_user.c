/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: any messages and any memory of a vhost-user front end.
 *
 * The input is a sequence of messages: request, flags (upper half: the number of descriptors), kind
 * of the descriptors (bit 7: then kick all rings), bytes of payload, the payload. The memory that
 * is passed has the input in it. When the device closes the connection the front end comes back.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backends/console/driver.h"
#include "backends/console/vhost_user_server.h"
#include "harness.h"

#define MEMORY 0x10000u

static struct vdf_console *con;
static int memory = -1, doorbell = -1, ends[2] = { -1, -1 }, other = -1;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void prepare(void)
{
    vdf_test_tree(false);
    con = vdf_obj_priv(vdf_test_obj("console/con0"));
    if (vdf_test_write("console/con0/driver", "none"))
        abort();
    con->vhost_path = strdup("/nowhere");
    con->side_before = VDF_CONSOLE_NONE;
    con->priv.backend = &vdf_console_vhost_user_driver.backend;
    con->vhost = vdf_vhost_user_new(con);
    memory = memfd_create("fuzz", 0);
    doorbell = eventfd(0, EFD_NONBLOCK);
    other = open("/dev/null", O_RDWR);
    if (!con->vhost_path || !con->vhost || memory < 0 || doorbell < 0 || other < 0 ||
        ftruncate(memory, MEMORY) || socketpair(AF_UNIX, SOCK_STREAM, 0, ends))
        abort();
}

static int connect_again(void)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) ||
        vdf_vhost_user_connect(con->vhost, pair[1], NULL))
        abort();
    return pair[0];
}

static void post(int sock, const struct vdf_vu_header *header, const uint8_t *payload, int fd,
                 unsigned n)
{
    char control[CMSG_SPACE(16 * sizeof(int))] = { 0 };
    struct iovec iov[2] = { { (void *)header, sizeof(*header) },
                            { (void *)payload, header->size } };
    struct msghdr mh = { .msg_iov = iov, .msg_iovlen = 2 };

    if (n) {
        struct cmsghdr *c;

        mh.msg_control = control;
        mh.msg_controllen = CMSG_SPACE(n * sizeof(int));
        c = CMSG_FIRSTHDR(&mh);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(n * sizeof(int));
        for (unsigned i = 0; i < n; i++)
            memcpy(CMSG_DATA(c) + i * sizeof(int), &fd, sizeof(fd));
    }
    if (sendmsg(sock, &mh, MSG_NOSIGNAL) < 0)
        return;
}

/* Also what comes after descriptors that a thread closes. */
static void handle(void)
{
    do
        vdf_vhost_user_receive(con->vhost);
    while (con->vhost->passed.closing);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *map, sink[1024];
    int sock;

    if (!con)
        prepare();
    /* Cut by an earlier input, or full of it. */
    if (ftruncate(memory, 0) || ftruncate(memory, MEMORY))
        abort();
    map = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    if (map == MAP_FAILED)
        abort();
    memcpy(map, data, size < MEMORY ? size : MEMORY);
    munmap(map, MEMORY);

    sock = connect_again();
    for (size_t at = 0; size - at >= 4;) {
        int fds[] = { memory, doorbell, ends[0], other };
        unsigned n = data[at + 1] >> 4;
        struct vdf_vu_header header = {
            .request = data[at],
            .flags = data[at + 1] & 15u,
            .size = data[at + 3],
        };
        uint8_t kind = data[at + 2];

        at += 4;
        if (header.size > size - at)
            header.size = (uint32_t)(size - at);
        post(sock, &header, data + at, fds[kind & 3], n);
        at += header.size;
        handle();
        while (recv(sock, sink, sizeof(sink), 0) > 0)
            ;
        if (kind & 0x80 && con->vhost->fd >= 0)
            vdf_vhost_user_kicked(con->vhost);
        if (kind & 0x40 && ftruncate(memory, 0))
            abort();
        if (con->vhost->fd < 0) {
            close(sock);
            sock = connect_again();
        }
    }
    close(sock);
    handle();
    if (con->vhost->fd >= 0 || con->space.n)
        abort();
    if (vdf_test_write("console/con0/reset", "1"))
        abort();
    return 0;
}
