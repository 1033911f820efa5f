/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The engines of this host. Each is made and tried, as for a mount. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <virtdevfs/probe.h>

#include "engine.h"

#define DISABLED "/proc/sys/kernel/io_uring_disabled"

/* The engine that `auto` takes; empty: there is none. */
static void find_chosen(char *name, size_t size)
{
    struct vdf_engine *engine;
    struct vdf_err err = { 0 };

    name[0] = '\0';
    if (vdf_engine_create(VDF_ENGINE_AUTO, &engine, &err) == 0) {
        snprintf(name, size, "%s", vdf_engine_name(engine));
        vdf_engine_destroy(engine);
    }
}

static int io_uring_disabled(void)
{
    FILE *file = fopen(DISABLED, "re");
    int value = 0;

    if (file && fscanf(file, "%d", &value) != 1)
        value = 0;
    if (file)
        fclose(file);
    return value;
}

static const char *io_uring_remedy(int code)
{
    switch (code) {
    case EPERM:
    case EACCES:
        return io_uring_disabled() ? "sysctl kernel.io_uring_disabled=0"
                                   : "a seccomp profile that allows io_uring_setup, io_uring_enter "
                                     "and io_uring_register";
    case ENOSYS:
        return "a kernel with CONFIG_IO_URING=y, or a seccomp profile that allows io_uring";
    case ENOMEM:
        return "a higher limit of locked memory (ulimit -l)";
    default:
        return "Linux 5.11 or newer";
    }
}

static const char *libaio_remedy(int code)
{
    switch (code) {
    case EAGAIN:
        return "a larger fs.aio-max-nr";
    case EPERM:
        return "a seccomp profile that allows io_setup, io_submit, io_getevents and io_cancel";
    case ENOSYS:
        return "a kernel with CONFIG_AIO=y, or a seccomp profile that allows io_setup";
    default:
        return "Linux 4.18 or newer";
    }
}

static void try_engine(struct vdf_probe *probe, enum vdf_engine_kind kind, const char *name,
                       const char *chosen, const char *(*remedy)(int code))
{
    struct vdf_engine *engine;
    struct vdf_err err = { 0 };
    int ret = vdf_engine_create(kind, &engine, &err);

    if (ret == 0) {
        vdf_probe_have(probe, name, "%s", "");
        vdf_engine_destroy(engine);
    } else {
        vdf_probe_lack(probe, name, "%s", err.text);
        /* The engine's remedy for ENOMEM is better: the limit of locked memory. */
        vdf_probe_remedy(probe, "%s",
                         ret == -ENOMEM ? remedy(ENOMEM) : vdf_probe_cure(-ret, remedy(-ret)));
    }
    vdf_probe_value(probe, "chosen", "%s", strcmp(name, chosen) == 0 ? "yes" : "no");
}

static void run(struct vdf_probe *probe)
{
    char chosen[16];

    find_chosen(chosen, sizeof(chosen));
    try_engine(probe, VDF_ENGINE_IO_URING, vdf_uring_ops.name, chosen, io_uring_remedy);
    try_engine(probe, VDF_ENGINE_LIBAIO, vdf_aio_ops.name, chosen, libaio_remedy);
}

const struct vdf_probe_part vdf_engine_probe = {
    .name = "engine",
    .title = "event engines of the daemon",
    .run = run,
};
