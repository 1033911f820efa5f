/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: any bytes to any writable file, through the value parser to the components' hooks.
 *
 * The input is a sequence of writes: two bytes that choose the file, one with the length, the
 * bytes. A write that is refused leaves the whole tree as it was.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/tree/errors.h"
#include "fs/tree/file.h"
#include "fs/tree/state.h"
#include "fs/tree/value.h"
#include "harness.h"

#define MAX_WRITES 8

static char **paths; /* of the writable files */
static size_t n_paths;

static bool writable(const char *path)
{
    int error;
    struct vdf_test_file *file = vdf_test_open(path, O_WRONLY | O_NONBLOCK, &error);

    if (file)
        vdf_test_close(file);
    return file;
}

static void collect(void)
{
    size_t kept = 0;

    paths = vdf_test_paths(&n_paths);
    for (size_t i = 0; i < n_paths; i++) {
        char *path = paths[i];

        /* Not the one that would make sockets in the file system around. */
        if (path[strlen(path) - 1] != '/' && !strstr(path, "/vhost_user") && writable(path))
            paths[kept++] = path;
        else
            free(path);
    }
    n_paths = kept;
}

/* A tree with an object of every class. */
static void plant(void)
{
    static const char *const dirs[] = {
        "console/con0/ports/1",     "gait/gait0/guests/g",    "gait/gait0/functions/f",
        "hwqueue/smmu0/vdevices/1", "hwqueue/smmu0/queues/0", "intx/bus0/devices/d",
    };

    vdf_test_tree(false);
    for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
        if (vdf_test_mkdir(dirs[i])) {
            fprintf(stderr, "%s: %s\n", dirs[i], vdf_test_last_error());
            abort();
        }
    }
}

static void once(void)
{
    if (n_paths)
        return;
    plant();
    collect();
    if (!n_paths)
        abort();
}

/* Opening a stream may change the state, as the soft driver then begins, and so may a write that
 * has to wait, as it opens the port; a refused write may not. */
static void write_file(const char *path, const void *bytes, size_t n)
{
    int error;
    struct vdf_test_file *file = vdf_test_open(path, O_WRONLY | O_NONBLOCK, &error);

    if (!file)
        return;
    char *state = strdup(vdf_test_read("state"));
    ssize_t ret = vdf_test_file_write(file, bytes, n);
    if (ret < 0 && ret != -EAGAIN && strcmp(state, vdf_test_read("state"))) {
        fprintf(stderr, "%s: a refused write has changed the state\n", path);
        abort();
    }
    free(state);
    vdf_test_close(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    once();
    plant();

    for (unsigned writes = 0; size >= 4 && writes < MAX_WRITES; writes++) {
        const char *path = paths[(data[0] | (size_t)data[1] << 8) % n_paths];
        size_t n = data[2];

        data += 3;
        size -= 3;
        n = n > size ? size : n;
        if (!n)
            break;
        write_file(path, data, n);
        data += n;
        size -= n;
    }
    vdf_test_tree_free();
    return 0;
}
