/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The soft driver: probe, control messages, interrupts. See soft.h. */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "driver.h"
#include "port.h"
#include "soft_driver.h"

void vdf_soft_free(struct vdf_soft *soft)
{
    if (!soft)
        return;
    for (uint32_t i = 0; i < soft->n_ports; i++)
        free(soft->ports[i]);
    for (uint32_t i = 0; i < soft->n_queues; i++)
        free(soft->queues[i].buf);
    free(soft->ports);
    free(soft->queues);
    free(soft->pages);
    free(soft->pending);
    free(soft);
}

int vdf_soft_set_counts(struct vdf_soft *soft, uint32_t n_queues, uint32_t n_ports)
{
    soft->queues = calloc(n_queues, sizeof(*soft->queues));
    soft->ports = calloc(n_ports, sizeof(struct vdf_soft_port *));
    if (!soft->queues || !soft->ports)
        return -ENOMEM;
    soft->n_queues = n_queues;
    soft->n_ports = n_ports;
    return 0;
}

/* Free the driver. The device stays as it is. */
static void unbind(struct vdf_console *con)
{
    if (!con->soft)
        return;
    for (uint32_t id = 0; id < con->soft->n_ports; id++) {
        struct vdf_soft_port *inside = con->soft->ports[id];
        struct vdf_console_port *port = vdf_console_port(con, id);

        /* The driver's count is a part of the file's value, which never decreases. */
        if (inside && port)
            port->discarded += inside->bytes_discarded + vdf_soft_port_unread(con, inside);
    }
    vdf_soft_free(con->soft);
    con->soft = NULL;
    con->irq = (struct vdf_irq){ 0 };
}

/* --- probe ------------------------------------------------------------------------------------ */

static void add_status(struct vdf_console *con, uint32_t bit)
{
    vdf_console_reg_write(con, VDF_CONSOLE_REG_STATUS,
                          vdf_console_reg_read(con, VDF_CONSOLE_REG_STATUS) | bit);
}

/* Section 3.1.1, steps 4 to 6. */
static int negotiate(struct vdf_console *con, struct vdf_err *err)
{
    struct vdf_soft *soft = con->soft;
    uint64_t offered, accepted = VDF_CONSOLE_F_VERSION_1 | VDF_CONSOLE_F_INDIRECT;

    vdf_console_reg_write(con, VDF_CONSOLE_REG_DEVICE_FEATURES_SEL, 1);
    offered = (uint64_t)vdf_console_reg_read(con, VDF_CONSOLE_REG_DEVICE_FEATURES) << 32;
    vdf_console_reg_write(con, VDF_CONSOLE_REG_DEVICE_FEATURES_SEL, 0);
    offered |= vdf_console_reg_read(con, VDF_CONSOLE_REG_DEVICE_FEATURES);

    /* rproc-serial has an empty feature table. No driver of Linux accepts EMERG_WRITE, so that bit
     * 2 is accepted only as DMA_MEM. */
    if (!soft->rproc) {
        accepted |= VDF_CONSOLE_F_SIZE | VDF_CONSOLE_F_MULTIPORT;
        if (con->dma_mem)
            accepted |= VDF_CONSOLE_F_DMA_MEM;
    }
    accepted &= offered;
    soft->multiport = !soft->rproc && accepted & VDF_CONSOLE_F_MULTIPORT;
    soft->pool = soft->rproc || (con->dma_mem && accepted & VDF_CONSOLE_F_DMA_MEM);

    vdf_console_reg_write(con, VDF_CONSOLE_REG_DRIVER_FEATURES_SEL, 1);
    vdf_console_reg_write(con, VDF_CONSOLE_REG_DRIVER_FEATURES, (uint32_t)(accepted >> 32));
    vdf_console_reg_write(con, VDF_CONSOLE_REG_DRIVER_FEATURES_SEL, 0);
    vdf_console_reg_write(con, VDF_CONSOLE_REG_DRIVER_FEATURES, (uint32_t)accepted);
    add_status(con, VDF_CONSOLE_S_FEATURES_OK);
    if (!(vdf_console_reg_read(con, VDF_CONSOLE_REG_STATUS) & VDF_CONSOLE_S_FEATURES_OK))
        return vdf_fail(err, ENODEV, "the device refused the features 0x%016" PRIx64, accepted);
    return 0;
}

static int setup_queues(struct vdf_console *con, struct vdf_err *err)
{
    struct vdf_soft *soft = con->soft;
    uint32_t ports = 1;

    if (soft->multiport) {
        ports = vdf_console_reg_read(con, VDF_CONSOLE_REG_MAX_PORTS);
        if (!ports || ports > VDF_CONSOLE_PORTS_MAX)
            return vdf_fail(err, EINVAL, "max_nr_ports %u: 1 to %u are accepted", ports,
                            VDF_CONSOLE_PORTS_MAX);
    }
    if (vdf_soft_pages_init(con, soft))
        return vdf_fail(err, ENOMEM, "no memory for the driver");
    if (vdf_soft_set_counts(soft, soft->multiport ? 2 * (ports + 1) : 2, ports) < 0)
        return vdf_fail(err, ENOMEM, "no memory for the driver");
    for (uint32_t i = 0; i < soft->n_queues; i++) {
        int ret = vdf_soft_queue_setup(con, i, err);
        if (ret)
            return ret;
    }
    if (soft->multiport && vdf_soft_alloc(soft, sizeof(struct vdf_console_control), &soft->message))
        return vdf_fail(err, ENOMEM, "no memory for control messages");
    return 0;
}

static void line_changed(void *ctx, bool level)
{
    struct vdf_console *con = ctx;

    if (con->soft)
        con->soft->line = level;
}

void vdf_soft_attach(struct vdf_console *con)
{
    con->irq = (struct vdf_irq){ .set_level = line_changed, .ctx = con };
    con->soft->line = con->irq_level;
}

/* Reset the device and probe it. On failure the device's status says FAILED. */
static int bind_driver(struct vdf_console *con, struct vdf_err *err)
{
    con->soft = calloc(1, sizeof(*con->soft));
    if (!con->soft)
        return vdf_fail(err, ENOMEM, "no memory for the driver");
    vdf_soft_attach(con);

    vdf_console_reg_write(con, VDF_CONSOLE_REG_STATUS, 0);
    add_status(con, VDF_CONSOLE_S_ACKNOWLEDGE);
    add_status(con, VDF_CONSOLE_S_DRIVER);
    con->soft->rproc = vdf_console_reg_read(con, VDF_CONSOLE_REG_DEVICE_ID) == VDF_CONSOLE_ID_RPROC;
    int ret = negotiate(con, err);
    if (!ret)
        ret = setup_queues(con, err);
    if (ret) {
        add_status(con, VDF_CONSOLE_S_FAILED);
        unbind(con);
        return ret;
    }
    add_status(con, VDF_CONSOLE_S_DRIVER_OK);

    if (con->soft->multiport) {
        bool filled = vdf_soft_fill(con, VDF_CONSOLE_CONTROL_RXQ);

        /* Without buffers for control messages the driver gets no port. */
        vdf_soft_send_control(con, VDF_CONSOLE_BAD_ID, VDF_CONSOLE_DEVICE_READY, filled);
        if (!filled) {
            add_status(con, VDF_CONSOLE_S_FAILED);
            unbind(con);
            return vdf_fail(err, ENOMEM, "no memory for control buffers");
        }
    } else {
        vdf_soft_port_add(con, 0);
    }
    return 0;
}

/* --- control messages ------------------------------------------------------------------------- */

static void resize(const struct vdf_console *con, struct vdf_soft_port *port, uint64_t addr,
                   uint32_t len)
{
    uint16_t tail[2];
    const void *p;

    if (!port->console || len < sizeof(struct vdf_console_control) + sizeof(tail))
        return;
    p = vdf_memory_at((struct vdf_memory *)&con->memory, addr + sizeof(struct vdf_console_control),
                      sizeof(tail));
    if (!p)
        return;
    /* The order of 5.3.6.2, so that `guest_size` shows the other order of a device. */
    memcpy(tail, p, sizeof(tail));
    port->cols = le16toh(tail[0]);
    port->rows = le16toh(tail[1]);
}

static void handle_control(struct vdf_console *con, uint64_t addr, uint32_t len)
{
    struct vdf_soft *soft = con->soft;
    struct vdf_console_control message;
    struct vdf_soft_port *port;
    const void *p = vdf_memory_at(&con->memory, addr, sizeof(message));
    uint32_t id;

    if (!p || len < sizeof(message))
        return;
    memcpy(&message, p, sizeof(message));
    id = le32toh(message.id);
    port = vdf_soft_port(soft, id);

    switch (le16toh(message.event)) {
    case VDF_CONSOLE_PORT_ADD:
        if (port)
            vdf_soft_send_control(con, id, VDF_CONSOLE_PORT_READY, 1);
        else if (id < soft->n_ports)
            vdf_soft_port_add(con, id);
        break;
    case VDF_CONSOLE_PORT_REMOVE:
        if (port)
            vdf_soft_port_remove(con, port);
        break;
    case VDF_CONSOLE_CONSOLE_PORT:
        if (port && le16toh(message.value))
            vdf_soft_port_console(con, port);
        break;
    case VDF_CONSOLE_RESIZE:
        if (port)
            resize(con, port, addr, len);
        break;
    case VDF_CONSOLE_PORT_OPEN:
        if (!port)
            break;
        port->host_connected = le16toh(message.value);
        vdf_soft_port_reclaim(con, port);
        break;
    default:
        /* PORT_NAME makes a link in sysfs, which does not exist here. */
        break;
    }
}

static void control_work(struct vdf_console *con)
{
    struct vdf_soft_buf buf;
    uint32_t written;

    /* The number of rounds is limited, because the buffers are posted again at once. */
    for (unsigned i = 0; i < VDF_SOFT_QUEUE_MAX; i++) {
        if (!vdf_soft_get(con, VDF_CONSOLE_CONTROL_RXQ, &buf, &written))
            break;
        handle_control(con, buf.addr, written < buf.len ? written : buf.len);
        if (vdf_soft_add(con, VDF_CONSOLE_CONTROL_RXQ, buf, true))
            vdf_soft_release(con->soft, buf);
    }
    vdf_soft_kick(con, VDF_CONSOLE_CONTROL_RXQ);
}

/* --- interrupts ------------------------------------------------------------------------------- */

/* Without MULTIPORT the size of the only port is in the configuration space. */
static void config_work(struct vdf_console *con)
{
    struct vdf_soft_port *port = vdf_soft_port(con->soft, 0);

    if (!con->soft->multiport && port)
        vdf_soft_port_read_size(con, port);
}

/* False: there was no interrupt. */
static bool handle_interrupt(struct vdf_console *con)
{
    struct vdf_soft *soft = con->soft;
    uint32_t status;

    if (!soft || !soft->line)
        return false;
    status = vdf_console_reg_read(con, VDF_CONSOLE_REG_INTERRUPT_STATUS);
    vdf_console_reg_write(con, VDF_CONSOLE_REG_INTERRUPT_ACK, status);
    if (status & VDF_CONSOLE_INT_CONFIG)
        config_work(con);
    if (!(status & VDF_CONSOLE_INT_USED))
        return true;
    for (uint32_t i = 0; i < soft->n_queues; i++) {
        if (!vdf_soft_more_used(con, i))
            continue;
        if (soft->multiport && i == VDF_CONSOLE_CONTROL_RXQ)
            control_work(con);
        else if (!(i & 1))
            vdf_soft_port_input(con, vdf_console_queue_port(i));
        /* Transmit buffers are taken back by the next writer, as in Linux. */
    }
    return true;
}

/* --- towards the device ----------------------------------------------------------------------- */

void vdf_soft_probe(struct vdf_console *con)
{
    struct vdf_err err = { 0 };

    if (vdf_console_driver(con) != &vdf_console_soft_driver || con->soft || con->status)
        return;
    int ret = bind_driver(con, &err);
    if (ret < 0)
        vdf_report(con->priv.obj, -ret, "driver: %s", err.text);
    vdf_console_settle(con);
}

const struct vdf_console_driver vdf_console_soft_driver = {
    .backend = { .name = "soft" },
    .side = VDF_CONSOLE_SOFT,
    .work = handle_interrupt,
    .leave = unbind,
};
