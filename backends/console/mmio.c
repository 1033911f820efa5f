/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The registers of virtio-mmio, version 2 (section 4.2.2). Their rows are in rows.c. */
#include <errno.h>
#include <inttypes.h>

#include "device.h"
#include "port.h"
#include "queue.h"

static uint32_t half(uint64_t value, uint32_t sel)
{
    return sel == 0 ? (uint32_t)value : sel == 1 ? (uint32_t)(value >> 32) : 0;
}

uint32_t vdf_console_reg_read(struct vdf_console *con, unsigned reg)
{
    const struct vdf_vq *vq = vdf_console_queue(con, con->queue_sel);

    switch (reg) {
    case VDF_CONSOLE_REG_MAGIC:
        return VDF_CONSOLE_MAGIC;
    case VDF_CONSOLE_REG_VERSION:
        return 2;
    case VDF_CONSOLE_REG_DEVICE_ID:
        return con->device == VDF_CONSOLE_RPROC ? VDF_CONSOLE_ID_RPROC : VDF_CONSOLE_ID;
    case VDF_CONSOLE_REG_VENDOR_ID:
        return VDF_CONSOLE_VENDOR;
    case VDF_CONSOLE_REG_DEVICE_FEATURES:
        return half(con->features, con->device_features_sel);
    case VDF_CONSOLE_REG_QUEUE_NUM_MAX:
        return vq ? con->queue_size : 0;
    case VDF_CONSOLE_REG_QUEUE_READY:
        return vq && vq->ready;
    case VDF_CONSOLE_REG_INTERRUPT_STATUS:
        return con->int_status;
    case VDF_CONSOLE_REG_STATUS:
        return con->status;
    /* Section 4.2.2: all ones for a shared memory region that does not exist. There are none. */
    case VDF_CONSOLE_REG_SHM_LEN_LOW:
    case VDF_CONSOLE_REG_SHM_LEN_HIGH:
    case VDF_CONSOLE_REG_SHM_BASE_LOW:
    case VDF_CONSOLE_REG_SHM_BASE_HIGH:
        return UINT32_MAX;
    case VDF_CONSOLE_REG_CONFIG_GENERATION:
        return con->generation;
    case VDF_CONSOLE_REG_COLS:
        return con->cols;
    case VDF_CONSOLE_REG_ROWS:
        return con->rows;
    case VDF_CONSOLE_REG_MAX_PORTS:
        return con->max_ports;
    default:
        /* Write-only registers. QueueReset is done when the write returns. */
        return 0;
    }
}

static void write_driver_features(struct vdf_console *con, uint32_t value)
{
    unsigned shift = 32 * con->driver_features_sel;

    if (con->driver_features_sel > 1)
        return;
    if (con->status & VDF_CONSOLE_S_FEATURES_OK) {
        vdf_report(con->priv.obj, EBUSY, "DriverFeatures is written after FEATURES_OK: ignored");
        return;
    }
    con->driver_features &= ~((uint64_t)UINT32_MAX << shift);
    con->driver_features |= (uint64_t)value << shift;
}

/* Registers of the selected queue. Section 4.2.2.2: a ready queue does not change its layout. */
static void write_queue(struct vdf_console *con, unsigned reg, uint32_t value)
{
    struct vdf_vq *vq = vdf_console_queue_make(con, con->queue_sel);
    uint64_t low = UINT32_MAX;
    uint64_t *addr;

    if (!vq)
        return;
    if (vq->ready) {
        vdf_report(con->priv.obj, EBUSY, "queue %u: register 0x%03x written while ready: ignored",
                   con->queue_sel, reg);
        return;
    }
    switch (reg) {
    case VDF_CONSOLE_REG_QUEUE_NUM:
        if (!value || !vdf_vq_size_possible(value, con->queue_size, vdf_console_modes(con)))
            vdf_report(con->priv.obj, EINVAL,
                       "queue %u: size %u ignored: a power of two up to %u is needed, or any size "
                       "up to that with RING_PACKED",
                       con->queue_sel, value, con->queue_size);
        else
            vq->num = (uint16_t)value;
        return;
    case VDF_CONSOLE_REG_QUEUE_DESC_LOW:
    case VDF_CONSOLE_REG_QUEUE_DESC_HIGH:
        addr = &vq->desc;
        break;
    case VDF_CONSOLE_REG_QUEUE_DRIVER_LOW:
    case VDF_CONSOLE_REG_QUEUE_DRIVER_HIGH:
        addr = &vq->driver;
        break;
    default:
        addr = &vq->device;
        break;
    }
    if (reg & 4)
        *addr = (*addr & low) | (uint64_t)value << 32;
    else
        *addr = (*addr & ~low) | value;
}

/* Section 5.3.4: the register works at any time, also before features are negotiated. */
static void write_emergency(struct vdf_console *con, uint32_t value)
{
    struct vdf_console_port *port = vdf_console_port(con, 0);

    if (con->device != VDF_CONSOLE_CONSOLE || con->dma_mem ||
        !(con->features & VDF_CONSOLE_F_EMERG_WRITE))
        return;
    if (port)
        vdf_console_port_emergency(port, (uint8_t)value);
    else
        con->discarded++;
}

void vdf_console_reg_write(struct vdf_console *con, unsigned reg, uint32_t value)
{
    switch (reg) {
    case VDF_CONSOLE_REG_DEVICE_FEATURES_SEL:
        con->device_features_sel = value;
        break;
    case VDF_CONSOLE_REG_DRIVER_FEATURES:
        write_driver_features(con, value);
        break;
    case VDF_CONSOLE_REG_DRIVER_FEATURES_SEL:
        con->driver_features_sel = value;
        break;
    case VDF_CONSOLE_REG_QUEUE_SEL:
        con->queue_sel = value;
        break;
    case VDF_CONSOLE_REG_QUEUE_READY:
        vdf_console_queue_set_ready(con, con->queue_sel, value & 1);
        break;
    case VDF_CONSOLE_REG_QUEUE_NOTIFY:
        vdf_console_notify(con, value);
        break;
    case VDF_CONSOLE_REG_INTERRUPT_ACK:
        vdf_console_set_interrupt(con, con->int_status & (uint8_t)~value);
        break;
    case VDF_CONSOLE_REG_STATUS:
        vdf_console_set_status(con, (uint8_t)value);
        break;
    case VDF_CONSOLE_REG_SHM_SEL:
        con->shm_sel = value;
        break;
    case VDF_CONSOLE_REG_QUEUE_RESET:
        if (value & 1 && con->driver_features & VDF_CONSOLE_F_RING_RESET)
            vdf_console_queue_reset(con, con->queue_sel);
        break;
    case VDF_CONSOLE_REG_EMERG_WR:
        write_emergency(con, value);
        break;
    default:
        write_queue(con, reg, value);
        break;
    }
}
