/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host's side of tests/bench/port-throughput: moves bytes through the host's end of a guest's
 * port and prints how many nanoseconds it took.
 *
 *     bench_stream read FILE BYTES BLOCK     sends a byte, then takes the bytes
 *     bench_stream write FILE BYTES BLOCK    sends the bytes, then waits for one that says they are
 * there
 *
 * FILE is a port's `data`, or a UNIX domain socket. Before all that the guest sends a byte when it
 * is ready. These single bytes make the two sides agree when the time begins and ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "bench.h"

static int open_end(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    struct stat st;
    int fd;

    if (stat(path, &st))
        bench_die(path);
    if (!S_ISSOCK(st.st_mode)) {
        fd = open(path, O_RDWR | O_CLOEXEC);
        if (fd < 0)
            bench_die(path);
        return fd;
    }
    if (strlen(path) >= sizeof(address.sun_path)) {
        errno = ENAMETOOLONG;
        bench_die(path);
    }
    strcpy(address.sun_path, path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)))
        bench_die(path);
    return fd;
}

static void take(int fd, uint8_t *block, size_t size, uint64_t bytes)
{
    while (bytes) {
        ssize_t n = read(fd, block, bytes < size ? bytes : size);

        if (n <= 0)
            bench_die("reading");
        bytes -= (uint64_t)n;
    }
}

static void give(int fd, const uint8_t *block, size_t size, uint64_t bytes)
{
    while (bytes) {
        ssize_t n = write(fd, block, bytes < size ? bytes : size);

        if (n <= 0)
            bench_die("writing");
        bytes -= (uint64_t)n;
    }
}

int main(int argc, char **argv)
{
    if (argc != 5 || (strcmp(argv[1], "read") && strcmp(argv[1], "write"))) {
        fprintf(stderr, "usage: bench_stream read|write FILE BYTES BLOCK\n");
        return 2;
    }
    uint64_t bytes = strtoull(argv[3], NULL, 0);
    size_t size = strtoul(argv[4], NULL, 0);
    uint8_t *block = size ? calloc(1, size) : NULL;
    if (!block)
        bench_die("BLOCK");

    int fd = open_end(argv[2]);
    take(fd, block, size, 1);
    uint64_t begin = bench_now();
    if (!strcmp(argv[1], "read")) {
        give(fd, (const uint8_t *)"\n", 1, 1);
        take(fd, block, size, bytes);
    } else {
        give(fd, block, size, bytes);
        take(fd, block, size, 1);
    }
    printf("%llu\n", (unsigned long long)(bench_now() - begin));
    free(block);
    return close(fd) ? 1 : 0;
}
