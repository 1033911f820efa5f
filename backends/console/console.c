/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The life of a console: creation, release, and the checks after a restore. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <virtdevfs/socket.h>

#include "driver.h"
#include "pci.h"
#include "port.h"
#include "queue.h"
#include "soft.h"
#include "vhost_user.h"

static void console_free(struct vdf_console *con)
{
    vdf_soft_free(con->soft);
    free(con->vhost_path);
    vdf_memory_free(&con->memory);
    free(con->queues);
    free(con->ports);
    free(con->removed);
}

int vdf_console_create(struct vdf_obj *obj, struct vdf_err *err)
{
    struct vdf_console *con = vdf_obj_priv(obj);

    con->priv.backend = &vdf_console_soft_driver.backend;
    vdf_memory_init(&con->memory, "console", con->memory.size);
    vdf_console_update_space(con);
    int ret = vdf_obj_add(obj, "ports", "0", NULL, err);
    if (ret)
        console_free(con);
    return ret;
}

void vdf_console_destroy(struct vdf_obj *obj)
{
    console_free(vdf_obj_priv(obj));
}

/* An older state has no row `broken`: all queues of a device that needs a reset are stopped. */
static void queues_broken(struct vdf_console *con)
{
    for (uint32_t i = 0; i < con->n_queues; i++)
        if (con->queues[i].broken)
            return;
    for (uint32_t i = 0; i < con->n_queues; i++)
        con->queues[i].broken = con->queues[i].ready;
}

static int queues_restored(struct vdf_console *con, struct vdf_err *err)
{
    unsigned max = vdf_console_driver(con)->remote ? VDF_VQ_SIZE_MAX : con->queue_size;

    if (con->status & VDF_CONSOLE_S_NEEDS_RESET)
        queues_broken(con);
    for (uint32_t i = 0; i < con->n_queues; i++) {
        struct vdf_vq *vq = &con->queues[i];
        struct vdf_err said = { 0 };
        int ret = 0;

        vq->modes = vdf_console_modes(con);
        if (!vdf_vq_size_possible(vq->num, max, vq->modes))
            return vdf_fail(err, EINVAL,
                            "queues/%u/size %u: a power of two up to %u, or any size up to that "
                            "with RING_PACKED",
                            i, vq->num, max);
        /* The memory of a guest or a front end is not known yet. Its queues are checked when it is
         * attached. */
        if (vq->ready && con->space.n)
            ret = vdf_vq_check(&con->space, vq, &said);
        if (ret)
            return vdf_fail(err, EINVAL, "queues/%u: %.200s", i, said.text);
    }
    return 0;
}

static int vhost_user_restored(const struct vdf_console *con, struct vdf_err *err)
{
    if (vdf_console_driver(con)->remote != (con->vhost_path != NULL))
        return vdf_fail(err, EINVAL, "driver is vhost-user when and only when vhost_user is set");
    if (con->vhost_path && con->soft)
        return vdf_fail(err, EINVAL, "a soft driver beside a vhost-user front end");
    if (!con->vhost_path)
        return 0;
    int ret = vdf_vhost_user_possible(con, con->vhost_path, err);
    return ret ? ret : vdf_listener_possible(con->vhost_path, err);
}

int vdf_console_restored(struct vdf_obj *obj, struct vdf_err *err)
{
    struct vdf_console *con = vdf_obj_priv(obj);
    int ret;

    if (vdf_console_ports_from(con, con->max_ports))
        return vdf_fail(err, EINVAL, "a port with a number of %u or more", con->max_ports);
    if (!(con->features & VDF_CONSOLE_F_MULTIPORT)) {
        ret = vdf_console_need_one_port(con, err);
        if (ret)
            return vdf_fail(err, EINVAL, "without MULTIPORT there is port 0 and no other");
    }
    ret = vhost_user_restored(con, err);
    if (ret)
        return ret;
    if (con->dma_size >= con->memory.size)
        return vdf_fail(err, EINVAL, "dma/size %" PRIu64 " is more than the memory", con->dma_size);
    vdf_console_update_space(con);
    con->irq_level = con->int_status != 0;
    for (uint32_t id = 0; id < con->n_ports; id++) {
        const struct vdf_vq *vq = vdf_console_queue(con, vdf_console_txq(id));

        if (vdf_console_driver(con)->remote)
            continue; /* a stopped queue may go on at the same place */
        if (con->ports[id] && con->ports[id]->held && (!vq || !vq->ready))
            return vdf_fail(err, EINVAL, "port %u holds a chain of a queue that is not ready", id);
    }
    ret = queues_restored(con, err);
    ret = ret ? ret : vdf_console_pci_restored(con, err);
    return ret ? ret : vdf_soft_restored(con, err);
}

void vdf_console_adopt(struct vdf_obj *obj, void *old, void *now)
{
    ((struct vdf_console *)now)->memory_open = ((struct vdf_console *)old)->memory_open;
}

int vdf_console_start(struct vdf_obj *obj, bool fresh, struct vdf_err *err)
{
    struct vdf_console *con = vdf_obj_priv(obj);

    return con->vhost_path ? vdf_vhost_user_start(con, con->vhost_path, err) : 0;
}

void vdf_console_stop(struct vdf_obj *obj)
{
    struct vdf_console *con = vdf_obj_priv(obj);

    vdf_async_free(con->timer);
    con->timer = NULL;
    vdf_vhost_user_stop(con);
}
