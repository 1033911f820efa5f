/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The registers of a modern virtio device on PCI (section 4.1.4), its capabilities, its interrupts.
 * The rows of the registers are in rows.c.
 *
 * The device does not know whether the guest has enabled MSI-X. It keeps the ISR status and drives the
 * line by it, and it sends the messages of the vectors that the driver has set. The PCI function drops
 * the line while MSI-X is enabled, and the messages while it is not (4.1.5.1.2, 4.1.5.3).
 */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "device.h"
#include "pci.h"
#include "queue.h"

#define EMERG_WR (VDF_CONSOLE_REG_EMERG_WR - VDF_CONSOLE_REG_COLS)

/* --- registers -------------------------------------------------------------------------------- */

uint32_t vdf_console_pci_vectors(const struct vdf_console *con)
{
    uint32_t n = vdf_console_queues(con) + 1;

    return n < VDF_CONSOLE_VECTORS_MAX ? n : VDF_CONSOLE_VECTORS_MAX;
}

static uint64_t read_queue(const struct vdf_console *con, unsigned reg)
{
    const struct vdf_vq *vq = vdf_console_queue(con, con->queue_sel);

    if (!vq)
        return reg == VDF_CONSOLE_PCI_QUEUE_VECTOR ? VDF_CONSOLE_NO_VECTOR : 0;
    switch (reg) {
    case VDF_CONSOLE_PCI_QUEUE_SIZE:
        return vq->num ? vq->num : con->queue_size;
    case VDF_CONSOLE_PCI_QUEUE_VECTOR:
        return (uint16_t)(vq->vector - 1u);
    case VDF_CONSOLE_PCI_QUEUE_ENABLE:
        return vq->ready;
    case VDF_CONSOLE_PCI_QUEUE_NOTIFY_OFF:
        return con->queue_sel;
    case VDF_CONSOLE_PCI_QUEUE_DESC:
        return vq->desc;
    case VDF_CONSOLE_PCI_QUEUE_DRIVER:
        return vq->driver;
    case VDF_CONSOLE_PCI_QUEUE_DEVICE:
        return vq->device;
    default:
        /* The reset of a queue is done when the write returns. */
        return 0;
    }
}

uint64_t vdf_console_pci_read(struct vdf_console *con, unsigned reg)
{
    switch (reg) {
    case VDF_CONSOLE_PCI_DEVICE_FEATURE_SELECT:
        return con->device_features_sel;
    case VDF_CONSOLE_PCI_DEVICE_FEATURE:
        return vdf_console_half(con->features, con->device_features_sel);
    case VDF_CONSOLE_PCI_DRIVER_FEATURE_SELECT:
        return con->driver_features_sel;
    case VDF_CONSOLE_PCI_DRIVER_FEATURE:
        return vdf_console_half(con->driver_features, con->driver_features_sel);
    case VDF_CONSOLE_PCI_CONFIG_VECTOR:
        return con->config_vector;
    case VDF_CONSOLE_PCI_NUM_QUEUES:
        return (uint16_t)vdf_console_queues(con);
    case VDF_CONSOLE_PCI_STATUS:
        return con->status;
    case VDF_CONSOLE_PCI_GENERATION:
        return (uint8_t)con->generation;
    case VDF_CONSOLE_PCI_QUEUE_SELECT:
        return (uint16_t)con->queue_sel;
    case VDF_CONSOLE_PCI_ISR:
        return con->int_status;
    default:
        return read_queue(con, reg);
    }
}

/* Section 4.1.5.1.2.1: a vector that does not exist reads back as none. */
static uint16_t vector_of(const struct vdf_console *con, uint64_t value)
{
    return value < vdf_console_pci_vectors(con) ? (uint16_t)value : VDF_CONSOLE_NO_VECTOR;
}

static void enable_queue(struct vdf_console *con, uint64_t value)
{
    struct vdf_vq *vq = vdf_console_queue_make(con, con->queue_sel);

    if (!vq)
        return;
    if (value != 1) {
        vdf_report(con->priv.obj, EINVAL,
                   "queue %u: queue_enable %u ignored: 1 enables a queue, and queue_reset stops it",
                   con->queue_sel, (unsigned)value);
        return;
    }
    /* A driver that does not write queue_size takes the size that it has read. */
    if (!vq->num)
        vq->num = con->queue_size;
    vdf_console_queue_set_ready(con, con->queue_sel, true);
}

static void write_queue(struct vdf_console *con, unsigned reg, uint64_t value)
{
    struct vdf_vq *vq = vdf_console_queue_make(con, con->queue_sel);

    switch (reg) {
    case VDF_CONSOLE_PCI_QUEUE_SIZE:
        vdf_console_queue_set_num(con, reg, (uint32_t)value);
        break;
    case VDF_CONSOLE_PCI_QUEUE_VECTOR:
        if (vq)
            vq->vector = (uint16_t)(vector_of(con, value) + 1u);
        break;
    case VDF_CONSOLE_PCI_QUEUE_ENABLE:
        enable_queue(con, value);
        break;
    case VDF_CONSOLE_PCI_QUEUE_DESC:
        vdf_console_queue_set_addr(con, reg, VDF_CONSOLE_DESC, value, UINT64_MAX);
        break;
    case VDF_CONSOLE_PCI_QUEUE_DRIVER:
        vdf_console_queue_set_addr(con, reg, VDF_CONSOLE_DRIVER, value, UINT64_MAX);
        break;
    case VDF_CONSOLE_PCI_QUEUE_DEVICE:
        vdf_console_queue_set_addr(con, reg, VDF_CONSOLE_DEVICE, value, UINT64_MAX);
        break;
    default: /* QUEUE_RESET */
        if (value == 1)
            vdf_console_queue_reset(con, con->queue_sel);
        break;
    }
}

void vdf_console_pci_write(struct vdf_console *con, unsigned reg, uint32_t queue, uint64_t value)
{
    switch (reg) {
    case VDF_CONSOLE_PCI_DEVICE_FEATURE_SELECT:
        con->device_features_sel = (uint32_t)value;
        break;
    case VDF_CONSOLE_PCI_DRIVER_FEATURE_SELECT:
        con->driver_features_sel = (uint32_t)value;
        break;
    case VDF_CONSOLE_PCI_DRIVER_FEATURE:
        vdf_console_accept(con, (uint32_t)value);
        break;
    case VDF_CONSOLE_PCI_CONFIG_VECTOR:
        con->config_vector = vector_of(con, value);
        break;
    case VDF_CONSOLE_PCI_STATUS:
        vdf_console_set_status(con, (uint8_t)value);
        break;
    case VDF_CONSOLE_PCI_QUEUE_SELECT:
        con->queue_sel = (uint16_t)value;
        break;
    case VDF_CONSOLE_PCI_CONFIG + EMERG_WR:
        vdf_console_emergency(con, (uint32_t)value);
        break;
    case VDF_CONSOLE_PCI_NOTIFY:
        vdf_console_notify(con, queue);
        break;
    default:
        write_queue(con, reg, value);
        break;
    }
}

uint8_t vdf_console_pci_isr(struct vdf_console *con)
{
    uint8_t isr = (uint8_t)con->int_status;

    vdf_console_set_interrupt(con, 0);
    return isr;
}

uint64_t vdf_console_pci_size(const struct vdf_console *con)
{
    uint64_t needed =
        VDF_CONSOLE_PCI_NOTIFY + (uint64_t)vdf_console_queues(con) * VDF_CONSOLE_PCI_NOTIFY_STEP;
    uint64_t size = VDF_PAGE_SIZE;

    while (size < needed)
        size *= 2;
    return size;
}

/* --- accesses of a guest ---------------------------------------------------------------------- */

static bool in_config(uint64_t offset, unsigned width)
{
    return offset >= VDF_CONSOLE_PCI_CONFIG &&
           offset - VDF_CONSOLE_PCI_CONFIG <= VDF_CONSOLE_CONFIG_SIZE - width;
}

int vdf_console_pci_guest_read(struct vdf_console *con, uint64_t offset, unsigned width,
                               uint64_t *value, struct vdf_err *err)
{
    uint8_t config[VDF_CONSOLE_CONFIG_SIZE];
    uint64_t bytes = 0;

    if (!in_config(offset, width))
        return vdf_window_read(con->priv.obj, VDF_CONSOLE_PCI_REGS, offset, width, false, value,
                               err);
    vdf_console_config(con, config);
    memcpy(&bytes, config + (offset - VDF_CONSOLE_PCI_CONFIG), width);
    *value = le64toh(bytes);
    return 0;
}

int vdf_console_pci_guest_write(struct vdf_console *con, uint64_t offset, unsigned width,
                                uint64_t value, struct vdf_err *err)
{
    if (!in_config(offset, width))
        return vdf_window_write(con->priv.obj, VDF_CONSOLE_PCI_REGS, offset, width, value, err);
    if (offset == VDF_CONSOLE_PCI_CONFIG + EMERG_WR)
        vdf_console_emergency(con, (uint32_t)value);
    return 0;
}

/* --- interrupts ------------------------------------------------------------------------------- */

void vdf_console_pci_used(struct vdf_console *con, uint32_t queue)
{
    vdf_console_set_interrupt(con, con->int_status | VDF_CONSOLE_INT_USED);
    con->queues[queue].call = con->queues[queue].vector != 0;
    con->calls_pending |= con->queues[queue].call;
}

void vdf_console_pci_configured(struct vdf_console *con)
{
    if (!(con->status & VDF_CONSOLE_S_DRIVER_OK))
        return;
    vdf_console_set_interrupt(con, con->int_status | VDF_CONSOLE_INT_CONFIG);
    if (con->config_vector != VDF_CONSOLE_NO_VECTOR)
        vdf_irq_message(&con->irq, 0, con->guest_vector + con->config_vector);
}

/* One message a queue, however many buffers were used. */
bool vdf_console_pci_call(struct vdf_console *con)
{
    for (uint32_t k = 0; con->calls_pending && k < con->n_queues; k++) {
        struct vdf_vq *vq = &con->queues[k];

        if (vq->call && vq->vector)
            vdf_irq_message(&con->irq, 0, con->guest_vector + vq->vector - 1);
        vq->call = false;
    }
    con->calls_pending = false;
    return false;
}

/* --- the function ----------------------------------------------------------------------------- */

int vdf_console_pci_possible(const struct vdf_console *con, struct vdf_err *err)
{
    if (vdf_console_queues(con) > VDF_CONSOLE_PCI_QUEUES_MAX)
        return vdf_fail(err, EINVAL, "max_ports %u: virtio-pci has %u queues, for at most %u ports",
                        con->max_ports, VDF_CONSOLE_PCI_QUEUES_MAX,
                        VDF_CONSOLE_PCI_QUEUES_MAX / 2 - 1);
    return 0;
}

static int check_vector(const struct vdf_console *con, uint32_t vector, struct vdf_err *err)
{
    if (vector == VDF_CONSOLE_NO_VECTOR || vector < vdf_console_pci_vectors(con))
        return 0;
    return vdf_fail(err, EINVAL, "vector %u: there are %u; 0x%x is none", vector,
                    vdf_console_pci_vectors(con), VDF_CONSOLE_NO_VECTOR);
}

int vdf_console_pci_restored(const struct vdf_console *con, struct vdf_err *err)
{
    int ret = check_vector(con, con->config_vector, err);

    for (uint32_t k = 0; ret == 0 && k < con->n_queues; k++)
        ret = check_vector(con, (uint16_t)(con->queues[k].vector - 1u), err);
    return ret;
}

/* Section 4.1.4. @last: the member behind the length; each type has another one, or none. */
static void add_capability(struct vdf_guest_function *function, uint8_t type, uint32_t offset,
                           uint32_t length, uint32_t last)
{
    struct {
        uint8_t cap_len, cfg_type, bar, id, padding[2];
        uint32_t offset, length, last;
    } __attribute__((packed)) body = {
        .cfg_type = type,
        .offset = htole32(offset),
        .length = htole32(length),
        .last = htole32(last),
    };
    bool has_last = type == VDF_CONSOLE_CAP_NOTIFY || type == VDF_CONSOLE_CAP_ACCESS;
    struct vdf_guest_capability *capability = &function->capabilities[function->n_capabilities++];

    capability->id = VDF_CONSOLE_CAP_VENDOR;
    capability->len = (uint8_t)(sizeof(body) - (has_last ? 0 : sizeof(body.last)));
    capability->access = type == VDF_CONSOLE_CAP_ACCESS;
    body.cap_len = (uint8_t)(capability->len + 2); /* with the id and the pointer to the next */
    memcpy(capability->body, &body, capability->len);
}

int vdf_console_pci_function(const struct vdf_console *con, struct vdf_guest_function *function,
                             struct vdf_err *err)
{
    uint32_t queues = vdf_console_queues(con);
    int ret = vdf_console_pci_possible(con, err);

    if (ret < 0)
        return ret;
    *function = (struct vdf_guest_function){
        .vendor = VDF_CONSOLE_PCI_VENDOR,
        .device = VDF_CONSOLE_PCI_DEVICE + vdf_console_id(con),
        .subsystem_vendor = VDF_CONSOLE_PCI_VENDOR,
        .subsystem = VDF_CONSOLE_PCI_SUBSYSTEM,
        .class_code = VDF_CONSOLE_PCI_CLASS,
        .revision = 1,
        .vectors = (uint16_t)vdf_console_pci_vectors(con),
        .has_bar = true,
        .bar = 0,
        .part = VDF_CONSOLE_PART_PCI,
    };
    add_capability(function, VDF_CONSOLE_CAP_COMMON, VDF_CONSOLE_PCI_COMMON,
                   VDF_CONSOLE_PCI_COMMON_SIZE, 0);
    add_capability(function, VDF_CONSOLE_CAP_ISR, VDF_CONSOLE_PCI_ISR, 1, 0);
    add_capability(function, VDF_CONSOLE_CAP_CONFIG, VDF_CONSOLE_PCI_CONFIG,
                   VDF_CONSOLE_CONFIG_SIZE, 0);
    add_capability(function, VDF_CONSOLE_CAP_NOTIFY, VDF_CONSOLE_PCI_NOTIFY,
                   queues * VDF_CONSOLE_PCI_NOTIFY_STEP, VDF_CONSOLE_PCI_NOTIFY_STEP);
    add_capability(function, VDF_CONSOLE_CAP_ACCESS, 0, 0, 0);
    return 0;
}
