/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Configuration space: a type 0 header without base addresses and capabilities (PCI 2.3, 6.1). */
#include <string.h>

#include "intx.h"

enum {
    VENDOR_ID = 0x00,
    DEVICE_ID = 0x02,
    COMMAND = 0x04,
    STATUS = 0x06,
    BASE_CLASS = 0x0b,
    CACHE_LINE_SIZE = 0x0c,
    LATENCY_TIMER = 0x0d,
    SUBSYSTEM_VENDOR_ID = 0x2c,
    SUBSYSTEM_ID = 0x2e,
    INTERRUPT_LINE = 0x3c,
    INTERRUPT_PIN = 0x3d,
};

#define VENDOR 0x1b36u
#define DEVICE 0x0005u
#define CLASS_UNASSIGNED 0xffu
#define PIN_INTA 1u

/* The guest's bit 10: the register's, without what the host's handler has set. */
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
    put16(&space[VENDOR_ID], VENDOR);
    put16(&space[DEVICE_ID], DEVICE);
    put16(&space[COMMAND], guest_command(dev));
    put16(&space[STATUS], vdf_intx_status(dev));
    space[BASE_CLASS] = CLASS_UNASSIGNED;
    space[CACHE_LINE_SIZE] = dev->cache_line_size;
    space[LATENCY_TIMER] = dev->latency_timer;
    put16(&space[SUBSYSTEM_VENDOR_ID], VENDOR);
    put16(&space[SUBSYSTEM_ID], DEVICE);
    space[INTERRUPT_LINE] = dev->interrupt_line;
    space[INTERRUPT_PIN] = PIN_INTA;
}

void vdf_intx_config_read(const struct vdf_intx_dev *dev, void *bytes, size_t n, uint64_t offset)
{
    uint8_t space[VDF_PCI_CONFIG_SIZE];

    render(dev, space);
    memcpy(bytes, space + offset, n);
}

/* The guest's bit 10 is a mask of its own; the other bits are the device's. */
static void write_command(struct vdf_intx_dev *dev, uint16_t value)
{
    uint16_t changed = value ^ guest_command(dev);
    uint16_t kept = dev->command & VDF_PCI_COMMAND_INTX_DISABLE;

    dev->command = (value & VDF_PCI_COMMAND_WRITABLE & ~VDF_PCI_COMMAND_INTX_DISABLE) | kept;
    if (changed & VDF_PCI_COMMAND_INTX_DISABLE)
        vdf_intx_set_guest_mask(dev, value & VDF_PCI_COMMAND_INTX_DISABLE);
}

void vdf_intx_config_write(struct vdf_intx_dev *dev, const void *bytes, size_t n, uint64_t offset)
{
    uint8_t space[VDF_PCI_CONFIG_SIZE];

    /* Bytes that are not written keep what they are, whatever the access's width. */
    render(dev, space);
    memcpy(space + offset, bytes, n);
    dev->cache_line_size = space[CACHE_LINE_SIZE];
    dev->latency_timer = space[LATENCY_TIMER];
    dev->interrupt_line = space[INTERRUPT_LINE];
    write_command(dev, (uint16_t)(space[COMMAND] | space[COMMAND + 1] << 8));
}
