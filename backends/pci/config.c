/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration space: a type 0 header (section 6.1), capabilities (6.7), and with `express` the
 * extended space of PCI Express.
 *
 * The space is rendered from the registers for each access, and a write stores the writable bits of
 * the rendered bytes. Where a device has the header (struct vdf_guest_function), accesses to the header
 * go to the device, and the bytes that belong to the function are laid over it.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "pci.h"

#define SPACE_BYTES 256u
#define EXPRESS_BYTES 4096u

enum {
    VENDOR_ID = 0x00,
    DEVICE_ID = 0x02,
    COMMAND = 0x04,
    STATUS = 0x06,
    REVISION_ID = 0x08,
    CLASS_CODE = 0x09, /* 3 bytes */
    CACHE_LINE_SIZE = 0x0c,
    LATENCY_TIMER = 0x0d,
    BASE_ADDRESS = 0x10,
    SUBSYSTEM_VENDOR_ID = 0x2c,
    SUBSYSTEM_ID = 0x2e,
    EXPANSION_ROM = 0x30,
    CAPABILITIES = 0x34,
    INTERRUPT_LINE = 0x3c,
    INTERRUPT_PIN = 0x3d,
    HEADER_END = 0x40,
};

#define COMMAND_WRITABLE 0x0547u
#define COMMAND_INTX_DISABLE 0x0400u
#define STATUS_INTERRUPT 0x0008u
#define STATUS_CAP_LIST 0x0010u
#define PIN_INTA 1u

#define BAR_IO 0x1u
#define BAR_64 0x4u

/* MSI-X, section 6.8.2. */
#define MSIX_ID 0x11u
#define MSIX_BYTES 12u
#define MSIX_CONTROL 2u
#define MSIX_CONTROL_MASK 0x4000u
#define MSIX_CONTROL_ENABLE 0x8000u
#define MSIX_TABLE 4u
#define MSIX_PENDING 8u

/* PCI Express Base 4.0, section 7.5.3: version 2, a root complex integrated endpoint. */
#define EXPRESS_ID 0x10u
#define EXPRESS_CAP_BYTES 0x3cu
#define EXPRESS_TYPE 0x0092u
#define EXPRESS_CAPABILITIES 0x8000u /* role-based error reporting */
#define EXPRESS_CONTROL 8u
#define EXPRESS_CONTROL_WRITABLE 0x7fffu

/* The capability that accesses a register, virtio 1.3, section 4.1.4.9; offsets from its start. */
#define ACCESS_BYTES 20u
#define ACCESS_BAR 4u
#define ACCESS_OFFSET 8u
#define ACCESS_LENGTH 12u
#define ACCESS_DATA 16u

/* The places of the capabilities; 0: there is none. */
struct layout {
    unsigned express, msix, access, device, end;
};

static unsigned aligned(unsigned bytes)
{
    return (bytes + 3) & ~3u;
}

static struct layout lay_out(const struct vdf_pci *pci)
{
    struct layout at = { .end = HEADER_END };

    if (pci->express) {
        at.express = at.end;
        at.end += EXPRESS_CAP_BYTES;
    }
    if (pci->irqs.n) {
        at.msix = at.end;
        at.end += MSIX_BYTES;
    }
    at.device = at.end;
    for (unsigned k = 0; k < pci->described.n_capabilities; k++) {
        if (pci->described.capabilities[k].access)
            at.access = at.end;
        at.end += aligned(2u + pci->described.capabilities[k].len);
    }
    return at;
}

bool vdf_pci_capabilities_fit(const struct vdf_pci *pci)
{
    return lay_out(pci).end <= SPACE_BYTES;
}

uint64_t vdf_pci_config_size(const struct vdf_pci *pci)
{
    return pci->express ? EXPRESS_BYTES : SPACE_BYTES;
}

static void put16(uint8_t *to, unsigned value)
{
    to[0] = (uint8_t)value;
    to[1] = (uint8_t)(value >> 8);
}

static void put32(uint8_t *to, uint32_t value)
{
    put16(to, value & 0xffff);
    put16(to + 2, value >> 16);
}

static uint16_t get16(const uint8_t *from)
{
    return (uint16_t)(from[0] | from[1] << 8);
}

static uint32_t get32(const uint8_t *from)
{
    return get16(from) | (uint32_t)get16(from + 2) << 16;
}

/* --- base address registers ------------------------------------------------------------------- */

/* The bits of register @n that a guest writes; @type: those below. */
static uint32_t bar_mask(const struct vdf_pci *pci, unsigned n, uint32_t *type)
{
    uint64_t size = vdf_pci_bar_size(pci, n);
    enum vdf_pci_kind kind = vdf_pci_bar_kind(pci, n);

    *type = 0;
    /* The upper half of the register before. */
    if (!size && n && vdf_pci_bar_kind(pci, n - 1) == VDF_PCI_MEM64 && vdf_pci_bar_size(pci, n - 1))
        return (uint32_t)(~(vdf_pci_bar_size(pci, n - 1) - 1) >> 32);
    if (!size)
        return 0;
    *type = kind == VDF_PCI_IO ? BAR_IO : kind == VDF_PCI_MEM64 ? BAR_64 : 0;
    return (uint32_t) ~(size - 1);
}

/* --- rendering -------------------------------------------------------------------------------- */

static void render_header(struct vdf_pci *pci, uint8_t *space)
{
    put16(&space[VENDOR_ID], pci->vendor);
    put16(&space[DEVICE_ID], pci->device);
    space[REVISION_ID] = pci->revision;
    put16(&space[CLASS_CODE], pci->class_code & 0xffff);
    space[CLASS_CODE + 2] = (uint8_t)(pci->class_code >> 16);
    put16(&space[SUBSYSTEM_VENDOR_ID], pci->subsystem_vendor);
    put16(&space[SUBSYSTEM_ID], pci->subsystem);
    for (unsigned n = 0; n < VDF_PCI_BARS; n++) {
        uint32_t type, mask = bar_mask(pci, n, &type);
        put32(&space[BASE_ADDRESS + 4 * n], (pci->header.bars[n] & mask) | type);
    }
    if (pci->described.header)
        return;
    put16(&space[COMMAND], pci->header.command);
    vdf_lock(&pci->irqs.lock);
    put16(&space[STATUS], pci->irqs.levels ? STATUS_INTERRUPT : 0);
    vdf_unlock(&pci->irqs.lock);
    space[CACHE_LINE_SIZE] = pci->header.cache_line_size;
    space[LATENCY_TIMER] = pci->header.latency_timer;
    space[INTERRUPT_LINE] = pci->header.interrupt_line;
    space[INTERRUPT_PIN] = PIN_INTA;
}

static void render_msix(struct vdf_pci *pci, uint8_t *cap)
{
    uint32_t half = (uint32_t)vdf_pci_msix_half(&pci->irqs);

    cap[0] = MSIX_ID;
    vdf_lock(&pci->irqs.lock);
    put16(&cap[MSIX_CONTROL], (pci->irqs.n - 1) | (pci->irqs.msix_masked ? MSIX_CONTROL_MASK : 0) |
                                  (pci->irqs.msix_enabled ? MSIX_CONTROL_ENABLE : 0));
    vdf_unlock(&pci->irqs.lock);
    put32(&cap[MSIX_TABLE], pci->msix_bar);
    put32(&cap[MSIX_PENDING], half | pci->msix_bar);
}

static void render_express(const struct vdf_pci *pci, uint8_t *cap)
{
    cap[0] = EXPRESS_ID;
    put16(&cap[2], EXPRESS_TYPE);
    put32(&cap[4], EXPRESS_CAPABILITIES);
    put16(&cap[EXPRESS_CONTROL], pci->header.device_control);
}

/* Each capability points to the next, the header to the first. */
static void link_capability(uint8_t *space, unsigned *pointer, unsigned at)
{
    space[*pointer] = (uint8_t)at;
    *pointer = at + 1;
}

static void render(struct vdf_pci *pci, uint8_t *space)
{
    struct layout at = lay_out(pci);
    unsigned pointer = CAPABILITIES, next = at.device;

    render_header(pci, space);
    memset(&space[EXPANSION_ROM], 0, 4);
    space[CAPABILITIES] = 0;
    if (at.express) {
        link_capability(space, &pointer, at.express);
        render_express(pci, &space[at.express]);
    }
    if (at.msix) {
        link_capability(space, &pointer, at.msix);
        render_msix(pci, &space[at.msix]);
    }
    for (unsigned k = 0; k < pci->described.n_capabilities; k++) {
        const struct vdf_guest_capability *cap = &pci->described.capabilities[k];

        link_capability(space, &pointer, next);
        space[next] = cap->id;
        memcpy(&space[next + 2], cap->body, cap->len);
        if (cap->access)
            memcpy(&space[next + ACCESS_BAR], pci->header.access, sizeof(pci->header.access));
        next += aligned(2u + cap->len);
    }
    if (space[CAPABILITIES])
        space[STATUS] |= STATUS_CAP_LIST;
    else
        space[STATUS] &= (uint8_t)~STATUS_CAP_LIST;
}

/* --- the header of a device ------------------------------------------------------------------- */

/* The widest aligned access at @offset that ends by @end. */
static unsigned width_at(uint64_t offset, uint64_t end)
{
    unsigned width = 4;

    while (width > 1 && (offset % width || end - offset < width))
        width /= 2;
    return width;
}

/* The device that has the header; NULL: the function has it. A client's function is attached. */
static struct vdf_obj *header_device(const struct vdf_pci *pci, uint32_t *part)
{
    struct vdf_obj *target = pci->parts[VDF_PCI_SELF].target;

    *part = pci->parts[VDF_PCI_SELF].part;
    if (!pci->described.header)
        return NULL;
    if (!target && vdf_guest_find(pci->priv.obj, pci->function, &target, part, NULL) < 0)
        return NULL;
    return target;
}

/* Bytes 0 to 0x3f as the device has them. */
static int read_device(struct vdf_pci *pci, uint8_t *space, const atomic_bool *stop,
                       struct vdf_err *err)
{
    uint32_t part;
    struct vdf_obj *device = header_device(pci, &part);
    int ret = 0;

    if (!device)
        return 0;
    if (!vdf_pci_enter(device, stop))
        return -ESHUTDOWN;
    for (unsigned at = 0; ret == 0 && at < HEADER_END; at += 4) {
        uint64_t value;
        ret = vdf_guest_read(device, part, at, 4, &value, err);
        if (ret == 0)
            put32(&space[at], (uint32_t)value);
    }
    vdf_pci_leave(device, false, stop);
    return ret;
}

/* The bytes of a write that are the device's: the header without the base addresses and what follows
 * up to the interrupt line. */
static bool is_devices(unsigned at)
{
    return at < BASE_ADDRESS || (at >= INTERRUPT_LINE && at < HEADER_END);
}

static int write_device(struct vdf_pci *pci, uint64_t offset, const uint8_t *bytes, size_t n,
                        const atomic_bool *stop, struct vdf_err *err)
{
    uint32_t part;
    struct vdf_obj *device = header_device(pci, &part);
    uint64_t end = offset + n < HEADER_END ? offset + n : HEADER_END;
    int ret = 0;

    if (!device || offset >= end)
        return 0;
    if (!vdf_pci_enter(device, stop))
        return -ESHUTDOWN;
    for (uint64_t at = offset; ret == 0 && at < end;) {
        unsigned width = width_at(at, end);
        uint64_t value = 0;

        memcpy(&value, bytes + (at - offset), width);
        if (is_devices((unsigned)at))
            ret = vdf_guest_write(device, part, at, width, le64toh(value), err);
        at += width;
    }
    vdf_pci_leave(device, true, stop);
    return ret;
}

/* --- accesses through a capability ------------------------------------------------------------ */

/* The register, offset and length that the guest has chosen in the capability @cap. @length 0: nothing
 * that is possible. */
static void chosen(const uint8_t *cap, unsigned *bar, uint64_t *offset, uint32_t *length)
{
    *bar = cap[ACCESS_BAR];
    *offset = get32(&cap[ACCESS_OFFSET]);
    *length = get32(&cap[ACCESS_LENGTH]);
    if (*bar >= VDF_PCI_BARS || (*length != 1 && *length != 2 && *length != 4) || *offset % *length)
        *length = 0;
}

static bool covers(uint64_t offset, size_t n, unsigned at, unsigned bytes)
{
    return offset < at + bytes && at < offset + n;
}

/* A read of the data reads the register. */
static int read_chosen(struct vdf_pci *pci, uint8_t *cap, const atomic_bool *stop,
                       struct vdf_err *err)
{
    uint32_t length;
    uint64_t offset;
    unsigned bar;

    chosen(cap, &bar, &offset, &length);
    if (!length)
        return 0;
    memset(&cap[ACCESS_DATA], 0, 4);
    return vdf_pci_read(pci, bar, offset, &cap[ACCESS_DATA], length, stop, err);
}

static int write_chosen(struct vdf_pci *pci, const uint8_t *cap, const atomic_bool *stop,
                        struct vdf_err *err)
{
    uint32_t length;
    uint64_t offset;
    unsigned bar;

    chosen(cap, &bar, &offset, &length);
    return length ? vdf_pci_write(pci, bar, offset, &cap[ACCESS_DATA], length, stop, err) : 0;
}

/* --- accesses --------------------------------------------------------------------------------- */

int vdf_pci_config_read(struct vdf_pci *pci, uint64_t offset, void *bytes, size_t n,
                        const atomic_bool *stop, struct vdf_err *err)
{
    uint8_t space[EXPRESS_BYTES] = { 0 };
    unsigned access = lay_out(pci).access;
    int ret = read_device(pci, space, stop, err);

    if (ret == 0 && !vdf_pci_enter(pci->priv.obj, stop))
        ret = -ESHUTDOWN;
    if (ret < 0)
        return ret;
    render(pci, space);
    vdf_pci_leave(pci->priv.obj, false, stop);
    if (access && covers(offset, n, access + ACCESS_DATA, 4))
        ret = read_chosen(pci, &space[access], stop, err);
    if (ret == 0)
        memcpy(bytes, space + offset, n);
    return ret;
}

static void store_bars(struct vdf_pci *pci, const uint8_t *space)
{
    for (unsigned n = 0; n < VDF_PCI_BARS; n++) {
        uint32_t type, mask = bar_mask(pci, n, &type);
        pci->header.bars[n] = get32(&space[BASE_ADDRESS + 4 * n]) & mask;
    }
}

static void store_header(struct vdf_pci *pci, const uint8_t *space)
{
    store_bars(pci, space);
    if (pci->described.header)
        return;
    pci->header.command = get16(&space[COMMAND]) & COMMAND_WRITABLE;
    pci->header.cache_line_size = space[CACHE_LINE_SIZE];
    pci->header.latency_timer = space[LATENCY_TIMER];
    pci->header.interrupt_line = space[INTERRUPT_LINE];
    vdf_pci_intx_disable(&pci->irqs, pci->header.command & COMMAND_INTX_DISABLE);
}

static void store_msix(struct vdf_pci *pci, uint16_t control)
{
    vdf_pci_msix_mask_all(&pci->irqs, control & MSIX_CONTROL_MASK);
    vdf_pci_msix_enable(&pci->irqs, control & MSIX_CONTROL_ENABLE);
}

/* The registers of the function itself. @space: 0, and then with the bytes written. */
static int write_own(struct vdf_pci *pci, uint64_t offset, const void *bytes, size_t n,
                     const struct layout *at, uint8_t *space, const atomic_bool *stop)
{
    if (!vdf_pci_enter(pci->priv.obj, stop))
        return -ESHUTDOWN;
    /* Bytes that are not written keep their values, whatever the access's width. */
    render(pci, space);
    memcpy(space + offset, bytes, n);
    store_header(pci, space);
    if (at->msix && covers(offset, n, at->msix + MSIX_CONTROL, 2))
        store_msix(pci, get16(&space[at->msix + MSIX_CONTROL]));
    if (at->express)
        pci->header.device_control =
            get16(&space[at->express + EXPRESS_CONTROL]) & EXPRESS_CONTROL_WRITABLE;
    if (at->access)
        memcpy(pci->header.access, &space[at->access + ACCESS_BAR], sizeof(pci->header.access));
    vdf_pci_leave(pci->priv.obj, true, stop);
    return 0;
}

int vdf_pci_config_write(struct vdf_pci *pci, uint64_t offset, const void *bytes, size_t n,
                         const atomic_bool *stop, struct vdf_err *err)
{
    struct layout at = lay_out(pci);
    uint8_t space[EXPRESS_BYTES] = { 0 };
    int ret = write_own(pci, offset, bytes, n, &at, space, stop);

    if (ret == 0)
        ret = write_device(pci, offset, bytes, n, stop, err);
    if (ret == 0 && at.access && covers(offset, n, at.access + ACCESS_DATA, 4))
        ret = write_chosen(pci, &space[at.access], stop, err);
    return ret;
}

void vdf_pci_header_reset(struct vdf_pci *pci)
{
    pci->header = (struct vdf_pci_header){ 0 };
}
