/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The registers of virtio-mmio, version 2 (section 4.2.2). Their rows are in rows.c. */
#include "device.h"
#include "queue.h"

uint32_t vdf_console_reg_read(struct vdf_console *con, unsigned reg)
{
    const struct vdf_vq *vq = vdf_console_queue(con, con->queue_sel);

    switch (reg) {
    case VDF_CONSOLE_REG_MAGIC:
        return VDF_CONSOLE_MAGIC;
    case VDF_CONSOLE_REG_VERSION:
        return 2;
    case VDF_CONSOLE_REG_DEVICE_ID:
        return vdf_console_id(con);
    case VDF_CONSOLE_REG_VENDOR_ID:
        return VDF_CONSOLE_VENDOR;
    case VDF_CONSOLE_REG_DEVICE_FEATURES:
        return vdf_console_half(con->features, con->device_features_sel);
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

/* The low and the high half of the three addresses follow each other. */
static void write_addr(struct vdf_console *con, unsigned reg, uint32_t value)
{
    unsigned shift = reg & 4 ? 32 : 0;
    enum vdf_console_area area = reg < VDF_CONSOLE_REG_QUEUE_DRIVER_LOW   ? VDF_CONSOLE_DESC
                                 : reg < VDF_CONSOLE_REG_QUEUE_DEVICE_LOW ? VDF_CONSOLE_DRIVER
                                                                          : VDF_CONSOLE_DEVICE;

    vdf_console_queue_set_addr(con, reg, area, (uint64_t)value << shift,
                               (uint64_t)UINT32_MAX << shift);
}

void vdf_console_reg_write(struct vdf_console *con, unsigned reg, uint32_t value)
{
    switch (reg) {
    case VDF_CONSOLE_REG_DEVICE_FEATURES_SEL:
        con->device_features_sel = value;
        break;
    case VDF_CONSOLE_REG_DRIVER_FEATURES:
        vdf_console_accept(con, value);
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
        if (value & 1)
            vdf_console_queue_reset(con, con->queue_sel);
        break;
    case VDF_CONSOLE_REG_EMERG_WR:
        vdf_console_emergency(con, value);
        break;
    case VDF_CONSOLE_REG_QUEUE_NUM:
        vdf_console_queue_set_num(con, reg, value);
        break;
    default:
        write_addr(con, reg, value);
        break;
    }
}
