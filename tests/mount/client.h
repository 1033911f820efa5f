/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The common parts of vhostio and vfuio: bytes as text, and descriptors to pass. */
#ifndef VDF_MOUNT_CLIENT_H
#define VDF_MOUNT_CLIENT_H

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static inline void hex(char *to, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sprintf(to + 2 * i, "%02x", bytes[i]);
}

/* The bytes of @text, "-" being none. Return: their number, up to @max. */
static inline size_t from_hex(const char *text, uint8_t *to, size_t max)
{
    size_t n = 0;
    unsigned byte;

    if (!strcmp(text, "-"))
        return 0;
    for (; n < max && sscanf(text, "%2x", &byte) == 1; text += 2) {
        to[n++] = (uint8_t)byte;
        if (!text[1])
            break;
    }
    return n;
}

/* A descriptor of a kind: memfd, file, socket, pipe, or else an eventfd. */
static inline int descriptor(const char *kind)
{
    int ends[2];

    if (!strcmp(kind, "memfd")) {
        int fd = memfd_create("client", MFD_CLOEXEC);

        return ftruncate(fd, 1 << 20) ? -1 : fd;
    }
    if (!strcmp(kind, "file"))
        return open("/dev/zero", O_RDWR | O_CLOEXEC);
    if (!strcmp(kind, "socket"))
        return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (!strcmp(kind, "pipe")) {
        if (pipe2(ends, O_CLOEXEC))
            return -1;
        close(ends[0]);
        return ends[1];
    }
    return eventfd(0, EFD_CLOEXEC);
}

#endif
