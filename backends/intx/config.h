/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Configuration space: offsets and bits (PCI 2.3, chapter 6), and the model's. */
#ifndef VDF_INTX_CONFIG_H
#define VDF_INTX_CONFIG_H

#include <stdint.h>
#include <virtdevfs/error.h>

#define VDF_PCI_COMMAND_INTX_DISABLE 0x0400u
#define VDF_PCI_COMMAND_WRITABLE 0x0557u
#define VDF_PCI_STATUS_INTERRUPT 0x0008u

enum {
    VDF_PCI_VENDOR_ID = 0x00,
    VDF_PCI_DEVICE_ID = 0x02,
    VDF_PCI_COMMAND = 0x04,
    VDF_PCI_STATUS = 0x06,
    VDF_PCI_REVISION_ID = 0x08,
    VDF_PCI_SUB_CLASS = 0x0a,
    VDF_PCI_BASE_CLASS = 0x0b,
    VDF_PCI_CACHE_LINE_SIZE = 0x0c,
    VDF_PCI_LATENCY_TIMER = 0x0d,
    VDF_PCI_SUBSYSTEM_VENDOR_ID = 0x2c,
    VDF_PCI_SUBSYSTEM_ID = 0x2e,
    VDF_PCI_INTERRUPT_LINE = 0x3c,
    VDF_PCI_INTERRUPT_PIN = 0x3d,
    VDF_PCI_HEADER_SIZE = 0x40,
    VDF_PCI_CONFIG_SIZE = 0x100,
};

struct vdf_intx_dev;

/** vdf_intx_config_read() - the model's configuration space as the guest sees it; the range lies
 *  within it. Always 0. */
int vdf_intx_config_read(struct vdf_intx_dev *dev, void *bytes, size_t n, uint64_t offset,
                         struct vdf_err *err);
/** vdf_intx_config_write() - as the guest writes it; read-only bits are dropped. Always 0. */
int vdf_intx_config_write(struct vdf_intx_dev *dev, const void *bytes, size_t n, uint64_t offset,
                          struct vdf_err *err);

#endif
