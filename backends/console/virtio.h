/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The numbers and layouts of a virtio console (virtio 1.3, sections 2, 4.2 and 5.3). */
#ifndef VDF_CONSOLE_VIRTIO_H
#define VDF_CONSOLE_VIRTIO_H

#include <stdint.h>

/* Device ids, section 5. */
#define VDF_CONSOLE_ID 3u
#define VDF_CONSOLE_ID_RPROC 11u

/* Feature bits, sections 5.3.3 and 6. */
#define VDF_CONSOLE_F_SIZE (UINT64_C(1) << 0)
#define VDF_CONSOLE_F_MULTIPORT (UINT64_C(1) << 1)
#define VDF_CONSOLE_F_EMERG_WRITE (UINT64_C(1) << 2)
#define VDF_CONSOLE_F_DMA_MEM (UINT64_C(1) << 2) /* instead of EMERG_WRITE with `dma_mem` 1 */
#define VDF_CONSOLE_F_INDIRECT (UINT64_C(1) << 28)
#define VDF_CONSOLE_F_EVENT_IDX (UINT64_C(1) << 29)
#define VDF_CONSOLE_F_VERSION_1 (UINT64_C(1) << 32)
#define VDF_CONSOLE_F_ACCESS_PLATFORM (UINT64_C(1) << 33)
#define VDF_CONSOLE_F_RING_PACKED (UINT64_C(1) << 34)
#define VDF_CONSOLE_F_IN_ORDER (UINT64_C(1) << 35)
#define VDF_CONSOLE_F_RING_RESET (UINT64_C(1) << 40)

/* Device status, section 2.1. */
#define VDF_CONSOLE_S_ACKNOWLEDGE 0x01u
#define VDF_CONSOLE_S_DRIVER 0x02u
#define VDF_CONSOLE_S_DRIVER_OK 0x04u
#define VDF_CONSOLE_S_FEATURES_OK 0x08u
#define VDF_CONSOLE_S_NEEDS_RESET 0x40u
#define VDF_CONSOLE_S_FAILED 0x80u

#define VDF_CONSOLE_INT_USED 1u
#define VDF_CONSOLE_INT_CONFIG 2u

/* Offsets in the virtio-mmio window, section 4.2.2. */
enum vdf_console_reg {
    VDF_CONSOLE_REG_MAGIC = 0x000,
    VDF_CONSOLE_REG_VERSION = 0x004,
    VDF_CONSOLE_REG_DEVICE_ID = 0x008,
    VDF_CONSOLE_REG_VENDOR_ID = 0x00c,
    VDF_CONSOLE_REG_DEVICE_FEATURES = 0x010,
    VDF_CONSOLE_REG_DEVICE_FEATURES_SEL = 0x014,
    VDF_CONSOLE_REG_DRIVER_FEATURES = 0x020,
    VDF_CONSOLE_REG_DRIVER_FEATURES_SEL = 0x024,
    VDF_CONSOLE_REG_QUEUE_SEL = 0x030,
    VDF_CONSOLE_REG_QUEUE_NUM_MAX = 0x034,
    VDF_CONSOLE_REG_QUEUE_NUM = 0x038,
    VDF_CONSOLE_REG_QUEUE_READY = 0x044,
    VDF_CONSOLE_REG_QUEUE_NOTIFY = 0x050,
    VDF_CONSOLE_REG_INTERRUPT_STATUS = 0x060,
    VDF_CONSOLE_REG_INTERRUPT_ACK = 0x064,
    VDF_CONSOLE_REG_STATUS = 0x070,
    VDF_CONSOLE_REG_QUEUE_DESC_LOW = 0x080,
    VDF_CONSOLE_REG_QUEUE_DESC_HIGH = 0x084,
    VDF_CONSOLE_REG_QUEUE_DRIVER_LOW = 0x090,
    VDF_CONSOLE_REG_QUEUE_DRIVER_HIGH = 0x094,
    VDF_CONSOLE_REG_QUEUE_DEVICE_LOW = 0x0a0,
    VDF_CONSOLE_REG_QUEUE_DEVICE_HIGH = 0x0a4,
    VDF_CONSOLE_REG_SHM_SEL = 0x0ac,
    VDF_CONSOLE_REG_SHM_LEN_LOW = 0x0b0,
    VDF_CONSOLE_REG_SHM_LEN_HIGH = 0x0b4,
    VDF_CONSOLE_REG_SHM_BASE_LOW = 0x0b8,
    VDF_CONSOLE_REG_SHM_BASE_HIGH = 0x0bc,
    VDF_CONSOLE_REG_QUEUE_RESET = 0x0c0,
    VDF_CONSOLE_REG_CONFIG_GENERATION = 0x0fc,
    VDF_CONSOLE_REG_COLS = 0x100, /* 2 bytes */
    VDF_CONSOLE_REG_ROWS = 0x102, /* 2 bytes */
    VDF_CONSOLE_REG_MAX_PORTS = 0x104,
    VDF_CONSOLE_REG_EMERG_WR = 0x108,
};
#define VDF_CONSOLE_REGS_SIZE 0x200u
#define VDF_CONSOLE_MAGIC 0x74726976u
#define VDF_CONSOLE_VENDOR 0x53464456u

#define VDF_CONSOLE_CONFIG_SIZE 12u /* section 5.3.4: from COLS to EMERG_WR */

/* The virtio-pci window: four structures (section 4.1.4), each at the start of a page. */
enum vdf_console_pci_reg {
    VDF_CONSOLE_PCI_COMMON = 0x0000,
    VDF_CONSOLE_PCI_DEVICE_FEATURE_SELECT = 0x0000,
    VDF_CONSOLE_PCI_DEVICE_FEATURE = 0x0004,
    VDF_CONSOLE_PCI_DRIVER_FEATURE_SELECT = 0x0008,
    VDF_CONSOLE_PCI_DRIVER_FEATURE = 0x000c,
    VDF_CONSOLE_PCI_CONFIG_VECTOR = 0x0010, /* 2 bytes */
    VDF_CONSOLE_PCI_NUM_QUEUES = 0x0012,    /* 2 bytes */
    VDF_CONSOLE_PCI_STATUS = 0x0014,        /* 1 byte */
    VDF_CONSOLE_PCI_GENERATION = 0x0015,    /* 1 byte */
    VDF_CONSOLE_PCI_QUEUE_SELECT = 0x0016,  /* 2 bytes, as those up to QUEUE_NOTIFY_OFF */
    VDF_CONSOLE_PCI_QUEUE_SIZE = 0x0018,
    VDF_CONSOLE_PCI_QUEUE_VECTOR = 0x001a,
    VDF_CONSOLE_PCI_QUEUE_ENABLE = 0x001c,
    VDF_CONSOLE_PCI_QUEUE_NOTIFY_OFF = 0x001e,
    VDF_CONSOLE_PCI_QUEUE_DESC = 0x0020, /* 8 bytes, as the next two */
    VDF_CONSOLE_PCI_QUEUE_DRIVER = 0x0028,
    VDF_CONSOLE_PCI_QUEUE_DEVICE = 0x0030,
    VDF_CONSOLE_PCI_QUEUE_RESET = 0x003a, /* 2 bytes; 0x0038 is for a feature that is not offered */
    VDF_CONSOLE_PCI_ISR = 0x1000,         /* 1 byte */
    VDF_CONSOLE_PCI_CONFIG = 0x2000,
    VDF_CONSOLE_PCI_NOTIFY = 0x3000, /* 2 bytes every 4 bytes, for each queue */
};
#define VDF_CONSOLE_PCI_COMMON_SIZE 0x3cu
#define VDF_CONSOLE_PCI_NOTIFY_STEP 4u

#define VDF_CONSOLE_PCI_VENDOR 0x1af4u
#define VDF_CONSOLE_PCI_DEVICE 0x1040u /* plus the virtio id */
#define VDF_CONSOLE_PCI_SUBSYSTEM 0x1100u
#define VDF_CONSOLE_PCI_CLASS 0x078000u /* a communication controller of another kind */

/* Capabilities of virtio in the configuration space of PCI, section 4.1.4. */
#define VDF_CONSOLE_CAP_VENDOR 0x09u
enum vdf_console_cap {
    VDF_CONSOLE_CAP_COMMON = 1,
    VDF_CONSOLE_CAP_NOTIFY = 2,
    VDF_CONSOLE_CAP_ISR = 3,
    VDF_CONSOLE_CAP_CONFIG = 4,
    VDF_CONSOLE_CAP_ACCESS = 5, /* accesses a base address register through the capability */
};

#define VDF_CONSOLE_NO_VECTOR 0xffffu
#define VDF_CONSOLE_VECTORS_MAX 2048u /* PCI 3.0, section 6.8.2 */
#define VDF_CONSOLE_PCI_QUEUES_MAX 0xffffu

/* Control messages, section 5.3.6.2. */
enum vdf_console_event {
    VDF_CONSOLE_DEVICE_READY,
    VDF_CONSOLE_PORT_ADD,
    VDF_CONSOLE_PORT_REMOVE,
    VDF_CONSOLE_PORT_READY,
    VDF_CONSOLE_CONSOLE_PORT,
    VDF_CONSOLE_RESIZE,
    VDF_CONSOLE_PORT_OPEN,
    VDF_CONSOLE_PORT_NAME,
};
#define VDF_CONSOLE_BAD_ID UINT32_C(0xffffffff)

struct vdf_console_control {
    uint32_t id;
    uint16_t event;
    uint16_t value;
};

#define VDF_CONSOLE_PORTS_MAX 0x8000u /* more than that Linux refuses */
#define VDF_CONSOLE_NAME_MAX 127u     /* bytes of a port's name */

#define VDF_CONSOLE_RXQ0 0u
#define VDF_CONSOLE_TXQ0 1u
#define VDF_CONSOLE_CONTROL_RXQ 2u
#define VDF_CONSOLE_CONTROL_TXQ 3u

static inline uint32_t vdf_console_rxq(uint32_t port)
{
    return port ? 2 + 2 * port : VDF_CONSOLE_RXQ0;
}

static inline uint32_t vdf_console_txq(uint32_t port)
{
    return port ? 3 + 2 * port : VDF_CONSOLE_TXQ0;
}

/* Port of a data queue. */
static inline uint32_t vdf_console_queue_port(uint32_t queue)
{
    return queue < 2 ? 0 : (queue - 2) / 2;
}

#endif
