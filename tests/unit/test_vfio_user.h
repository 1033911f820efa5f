/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A vfio-user client for unit tests: pci/nic is served on a socket, with a page of memory in BAR 0, the
 * registers of aplic0 in BAR 1, those of con0 in BAR 2, and four vectors of MSI-X in BAR 4.
 */
#ifndef VDF_TEST_VFIO_USER_H
#define VDF_TEST_VFIO_USER_H

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "backends/pci/vfu_server.h"
#include "harness.h"

#define VC_NIC "pci/nic/"
#define VC_FDS 16u
#define VC_VECTORS 4u
#define VC_WAIT_MS 10000 /* until the test fails */
#define VC_CLOSED (-1000)

#define VC_CAPABILITIES                                                                        \
    "{\"capabilities\":{\"max_msg_fds\":8,\"max_data_xfer_size\":1048576,\"max_dma_maps\":64," \
    "\"pgsizes\":4096,\"write_multiple\":true}}"

struct vc {
    char dir[32], path[48];
    int sock;
    uint16_t id;
    /* Of the last message. */
    struct vdf_vfu_header header;
    uint8_t payload[VDF_VFU_MESSAGE_MAX] __attribute__((aligned(8)));
    int fds[VC_FDS];
    unsigned n_fds;
};

static struct vc vc = { .sock = -1 };

static inline struct vdf_pci *vc_pci(void)
{
    return vdf_obj_priv(vdf_test_obj("pci/nic"));
}

/* Ready within the time of the test. */
static inline bool vc_readable(int fd)
{
    struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

    return poll(&poll_fd, 1, VC_WAIT_MS) == 1;
}

static inline void vc_connect(void)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };

    vc.sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    strcpy(addr.sun_path, vc.path);
    cr_assert_eq(connect(vc.sock, (struct sockaddr *)&addr, sizeof(addr)), 0, "%s",
                 strerror(errno));
}

/* Send bytes as they are, with descriptors. */
static inline void vc_send_bytes(int sock, const void *bytes, size_t len, const int *fds,
                                 unsigned n)
{
    struct iovec iov = { (void *)bytes, len };

    cr_assert_eq(vdf_socket_send(sock, &iov, 1, fds, n, 0), (ssize_t)len, "%s", strerror(errno));
}

static inline void vc_send(int sock, const struct vdf_vfu_header *header, const void *payload,
                           size_t len, const int *fds, unsigned n)
{
    uint8_t *bytes = malloc(sizeof(*header) + len);

    memcpy(bytes, header, sizeof(*header));
    if (len)
        memcpy(bytes + sizeof(*header), payload, len);
    vc_send_bytes(sock, bytes, sizeof(*header) + len, fds, n);
    free(bytes);
}

/* Send a command. Return: its id. */
static inline uint16_t vc_post(uint16_t command, uint32_t flags, const void *payload, size_t len,
                               const int *fds, unsigned n)
{
    struct vdf_vfu_header header = {
        .id = ++vc.id,
        .command = command,
        .size = (uint32_t)(sizeof(header) + len),
        .flags = flags,
    };

    vc_send(vc.sock, &header, payload, len, fds, n);
    return header.id;
}

static inline bool vc_read_all(int sock, void *to, size_t len, struct vdf_passed *passed)
{
    for (size_t done = 0; done < len;) {
        cr_assert(vc_readable(sock), "no message from the server");
        ssize_t n = vdf_socket_receive(sock, (uint8_t *)to + done, len - done, passed, 0);

        if (n <= 0)
            return false;
        done += (size_t)n;
    }
    return true;
}

/* Receive a message. Return: false: the connection is closed. */
static inline bool vc_receive(int sock)
{
    struct vdf_passed passed;

    cr_assert_eq(vdf_passed_init(&passed), 0);
    bool there = vc_read_all(sock, &vc.header, sizeof(vc.header), &passed);
    if (there) {
        cr_assert_geq(vc.header.size, sizeof(vc.header));
        cr_assert_leq(vc.header.size, sizeof(vc.payload));
        there = vc_read_all(sock, vc.payload, vc.header.size - sizeof(vc.header), &passed);
    }
    cr_assert_leq(passed.n, VC_FDS);
    vc.n_fds = passed.n;
    memcpy(vc.fds, passed.fds, passed.n * sizeof(int));
    passed.n = 0;
    vdf_passed_destroy(&passed);
    return there;
}

/* Receive the reply to a command. Return: bytes of its payload, or -errno of an error reply. */
static inline int vc_reply(uint16_t id, uint16_t command)
{
    if (!vc_receive(vc.sock))
        return VC_CLOSED;
    cr_assert_eq(vc.header.id, id);
    cr_assert_eq(vc.header.command, command);
    if (vc.header.flags == (VDF_VFU_TYPE_REPLY | VDF_VFU_ERROR)) {
        cr_assert_eq(vc.header.size, sizeof(vc.header), "an error reply is a header");
        cr_assert_gt(vc.header.error, 0);
        return -(int)vc.header.error;
    }
    cr_assert_eq(vc.header.flags, VDF_VFU_TYPE_REPLY);
    cr_assert_eq(vc.header.error, 0);
    return (int)(vc.header.size - sizeof(vc.header));
}

/* A command and its reply. */
static inline int vc_ask_fds(uint16_t command, const void *payload, size_t len, const int *fds,
                             unsigned n)
{
    return vc_reply(vc_post(command, 0, payload, len, fds, n), command);
}

static inline int vc_ask(uint16_t command, const void *payload, size_t len)
{
    return vc_ask_fds(command, payload, len, NULL, 0);
}

/* VERSION with these capabilities, or with none. */
static inline int vc_version(uint16_t major, uint16_t minor, const char *capabilities)
{
    uint8_t payload[8192];
    struct vdf_vfu_version version = { major, minor };
    size_t len = capabilities ? strlen(capabilities) + 1 : 0;

    memcpy(payload, &version, sizeof(version));
    if (len)
        memcpy(payload + sizeof(version), capabilities, len);
    return vc_ask(VDF_VFU_VERSION, payload, sizeof(version) + len);
}

static inline void vc_begin(void)
{
    vc_connect();
    cr_assert_gt(vc_version(0, 0, VC_CAPABILITIES), 0);
}

/* Close the connection, and wait until the server has noticed. */
static inline void vc_leave(void)
{
    if (vc.sock >= 0)
        close(vc.sock);
    vc.sock = -1;
    while (*vdf_test_read(VC_NIC "client"))
        usleep(1000);
}

static inline void vc_make(void)
{
    cr_assert(vdf_test_tree_with_engine(VDF_ENGINE_AUTO, false));
    cr_assert_eq(vdf_test_mkdir("pci/nic"), 0);
    cr_assert_eq(vdf_test_mkdir(VC_NIC "bars/0"), 0);
    cr_assert_eq(vdf_test_write(VC_NIC "bars/0/device", "memory"), 0);
    cr_assert_eq(vdf_test_mkdir(VC_NIC "bars/1"), 0);
    cr_assert_eq(vdf_test_write(VC_NIC "bars/1/device", "aplic/aplic0"), 0);
    cr_assert_eq(vdf_test_mkdir(VC_NIC "bars/2"), 0);
    cr_assert_eq(vdf_test_write(VC_NIC "bars/2/device", "console/con0"), 0);
    cr_assert_eq(vdf_test_write_u64(VC_NIC "msix/vectors", VC_VECTORS), 0);
    cr_assert_eq(vdf_test_write_u64(VC_NIC "msix/bar", 4), 0);
    strcpy(vc.dir, "/tmp/vdf-vc.XXXXXX");
    cr_assert(mkdtemp(vc.dir));
    snprintf(vc.path, sizeof(vc.path), "%s/socket", vc.dir);
}

static inline void vc_start(void)
{
    vc_make();
    cr_assert_eq(vdf_test_write(VC_NIC "vfio_user", vc.path), 0, "%s", vdf_test_last_error());
    vc_begin();
}

static inline void vc_end(void)
{
    if (vc.sock >= 0)
        close(vc.sock);
    vdf_test_tree_free();
    cr_assert_neq(access(vc.path, F_OK), 0, "the socket is still there");
    cr_assert_eq(rmdir(vc.dir), 0);
}

/* Whether the last line of `errors` has this in it; the line comes before the reply. */
static inline void vc_expect_line(const char *text)
{
    const char *line = vdf_test_last_error();

    cr_assert(strstr(line, text), "\"%s\" is not in \"%s\"", text, line);
    cr_assert(strstr(line, "pci/nic"), "%s", line);
}

/* --- memory ----------------------------------------------------------------------------------- */

/* Where memory is accessed by messages, the reply comes before the devices have the memory, but no reply
 * to a later command does. */
static inline int vc_map(uint64_t address, uint64_t size, uint32_t flags, int fd, uint64_t offset)
{
    struct vdf_vfu_dma_map map = { sizeof(map), flags, offset, address, size };
    int ret = vc_ask_fds(VDF_VFU_DMA_MAP, &map, sizeof(map), &fd, fd >= 0);

    if (ret == 0)
        cr_assert_eq(vc_ask(VDF_VFU_REGION_READ, &(struct vdf_vfu_region_access){ 0 }, 16), 16);
    return ret;
}

static inline int vc_unmap(uint64_t address, uint64_t size, uint32_t flags)
{
    struct vdf_vfu_dma_unmap unmap = { sizeof(unmap), flags, address, size };

    return vc_ask(VDF_VFU_DMA_UNMAP, &unmap, sizeof(unmap));
}

static inline int vc_memfd(uint64_t size)
{
    int fd = memfd_create("vc", MFD_CLOEXEC);

    cr_assert_eq(ftruncate(fd, (off_t)size), 0);
    return fd;
}

/* --- regions ---------------------------------------------------------------------------------- */

static inline int vc_region_read(uint32_t region, uint64_t offset, uint32_t count)
{
    struct vdf_vfu_region_access access = { offset, region, count };

    return vc_ask(VDF_VFU_REGION_READ, &access, sizeof(access));
}

static inline int vc_region_write(uint32_t region, uint64_t offset, const void *bytes,
                                  uint32_t count)
{
    uint8_t payload[sizeof(struct vdf_vfu_region_access) + 4096];
    struct vdf_vfu_region_access access = { offset, region, count };

    memcpy(payload, &access, sizeof(access));
    memcpy(payload + sizeof(access), bytes, count);
    return vc_ask(VDF_VFU_REGION_WRITE, payload, sizeof(access) + count);
}

#endif
