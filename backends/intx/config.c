/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Configuration space: a type 0 header without base addresses and capabilities (PCI 2.3, 6.1). */
#include <string.h>

#include "config.h"
#include "device.h"

#define VENDOR 0x1b36u
#define DEVICE 0x0005u
#define CLASS_UNASSIGNED 0xffu
#define PIN_INTA 1u

/* The guest's bit 10 is the register's, unless the host's handler has set it. */
static uint16_t guest_command(const struct vdf_intx_dev *dev)
{
    uint16_t command = dev->command;

    if (dev->masked)
        command &= (uint16_t)~VDF_PCI_COMMAND_INTX_DISABLE;
    if (dev->guest_mask)
        command |= VDF_PCI_COMMAND_INTX_DISABLE;
    return command;
}

static void put16(uint8_t *to, uint16_t value)
{
    to[0] = (uint8_t)value;
    to[1] = (uint8_t)(value >> 8);
}

static void render(const struct vdf_intx_dev *dev, uint8_t space[VDF_PCI_CONFIG_SIZE])
{
    memset(space, 0, VDF_PCI_CONFIG_SIZE);
    put16(&space[VDF_PCI_VENDOR_ID], VENDOR);
    put16(&space[VDF_PCI_DEVICE_ID], DEVICE);
    put16(&space[VDF_PCI_COMMAND], guest_command(dev));
    put16(&space[VDF_PCI_STATUS], vdf_intx_status(dev));
    space[VDF_PCI_BASE_CLASS] = CLASS_UNASSIGNED;
    space[VDF_PCI_CACHE_LINE_SIZE] = dev->cache_line_size;
    space[VDF_PCI_LATENCY_TIMER] = dev->latency_timer;
    put16(&space[VDF_PCI_SUBSYSTEM_VENDOR_ID], VENDOR);
    put16(&space[VDF_PCI_SUBSYSTEM_ID], DEVICE);
    space[VDF_PCI_INTERRUPT_LINE] = dev->interrupt_line;
    space[VDF_PCI_INTERRUPT_PIN] = PIN_INTA;
}

int vdf_intx_config_read(struct vdf_intx_dev *dev, void *bytes, size_t n, uint64_t offset,
                         struct vdf_err *err)
{
    uint8_t space[VDF_PCI_CONFIG_SIZE];

    render(dev, space);
    memcpy(bytes, space + offset, n);
    return 0;
}

int vdf_intx_config_write(struct vdf_intx_dev *dev, const void *bytes, size_t n, uint64_t offset,
                          struct vdf_err *err)
{
    uint8_t space[VDF_PCI_CONFIG_SIZE];

    /* Bytes that are not written keep their values, whatever the access's width. */
    render(dev, space);
    memcpy(space + offset, bytes, n);
    dev->cache_line_size = space[VDF_PCI_CACHE_LINE_SIZE];
    dev->latency_timer = space[VDF_PCI_LATENCY_TIMER];
    dev->interrupt_line = space[VDF_PCI_INTERRUPT_LINE];

    /* The guest's bit 10 is a mask of its own; the other bits are the device's. */
    uint16_t value = (uint16_t)(space[VDF_PCI_COMMAND] | space[VDF_PCI_COMMAND + 1] << 8);
    uint16_t changed = value ^ guest_command(dev);
    bool bit10 = dev->command & VDF_PCI_COMMAND_INTX_DISABLE;
    dev->command = value & VDF_PCI_COMMAND_WRITABLE;
    vdf_intx_set_bit10(dev, bit10);
    if (changed & VDF_PCI_COMMAND_INTX_DISABLE)
        return vdf_intx_ops(dev)->set_guest_mask(dev, value & VDF_PCI_COMMAND_INTX_DISABLE, err);
    return 0;
}
