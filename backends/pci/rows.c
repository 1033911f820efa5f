/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pci/NAME: its rows, and its life.
 *
 *     mkdir pci/nic; echo console/con0 > pci/nic/function; echo /run/nic.sock > pci/nic/vfio_user
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "vfu.h"

#define CLASS_MOST 0xffffffu
#define CLASS_UNASSIGNED 0xff0000u
#define VENDOR 0x1b36u /* of Red Hat, whose ids QEMU's devices use */
#define DEVICE 0x0005u /* QEMU's PCI test device */
#define MSIX_BAR 5u

/* --- shape ------------------------------------------------------------------------------------ */

static int check_detached(const struct vdf_pci *pci, struct vdf_err *err)
{
    if (pci->attached)
        return vdf_fail(err, EBUSY,
                        "the function is served: write an empty line to vfio_user first");
    return 0;
}

static int check_same(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    return value == vdf_row_load_field(at) ? 0 : check_detached(at->priv, err);
}

/* A value out of range is EINVAL at any time. */
static int check_limited(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    return value <= at->attr->max ? check_same(at, value, err) : 0;
}

static void show_function(const struct vdf_at *at, struct vdf_buf *out)
{
    const struct vdf_pci *pci = at->priv;

    if (pci->function)
        vdf_buf_printf(out, "%s", pci->function);
}

/* The device brings its identity along, which may be changed afterwards. */
static void take_identity(struct vdf_pci *pci)
{
    const struct vdf_guest_function *is = &pci->described;

    if (!pci->function)
        return;
    pci->vendor = is->vendor;
    pci->device = is->device;
    pci->subsystem_vendor = is->subsystem_vendor;
    pci->subsystem = is->subsystem;
    pci->class_code = is->class_code;
    pci->revision = is->revision;
}

static int describe(struct vdf_pci *pci, struct vdf_err *err)
{
    int ret = vdf_pci_describe(pci, err);

    if (ret == 0)
        ret = vdf_pci_irqs_resize(&pci->irqs, pci->described.vectors);
    if (ret == 0 && !vdf_pci_capabilities_fit(pci))
        ret = vdf_fail(err, ENOSPC, "\"%.80s\" has more capabilities than there is room for",
                       pci->function);
    return ret;
}

static int store_function(const struct vdf_at *at, const char *text, size_t len,
                          struct vdf_err *err)
{
    struct vdf_pci *pci = at->priv;
    struct vdf_guest_function before = pci->described;
    char *path = pci->function;

    if (strcmp(path ? path : "", text) == 0)
        return 0;
    int ret = check_detached(pci, err);
    if (ret < 0)
        return ret;
    pci->function = NULL;
    ret = vdf_guest_keep_path(&pci->function, text, len, err);
    if (ret == 0)
        ret = describe(pci, err);
    if (ret < 0) {
        free(pci->function);
        pci->function = path;
        pci->described = before;
        return ret;
    }
    free(path);
    take_identity(pci);
    vdf_pci_header_reset(pci);
    return 0;
}

/* The path is followed when all devices of the state exist. */
static int restore_function(const struct vdf_at *at, const char *text, size_t len,
                            struct vdf_err *err)
{
    struct vdf_pci *pci = at->priv;

    return vdf_guest_keep_path(&pci->function, text, len, err);
}

static uint64_t config_size(const struct vdf_at *at)
{
    return vdf_pci_config_size(at->priv);
}

static int config_read(const struct vdf_at *at, void *bytes, size_t n, uint64_t offset,
                       struct vdf_err *err)
{
    return vdf_pci_config_read(at->priv, offset, bytes, n, NULL, err);
}

static int config_write(const struct vdf_at *at, const void *bytes, size_t n, uint64_t offset,
                        struct vdf_err *err)
{
    return vdf_pci_config_write(at->priv, offset, bytes, n, NULL, err);
}

static const struct vdf_raw_ops config_ops = {
    .size = config_size,
    .read = config_read,
    .write = config_write,
};

/* --- interrupts ------------------------------------------------------------------------------- */

static struct vdf_pci_irqs *irqs_of(const struct vdf_at *at)
{
    return &((struct vdf_pci *)at->priv)->irqs;
}

/* A member of struct vdf_pci_irqs, whose lock is taken because sinks change it. */
#define GET(name, member)                                           \
    static int get_##name(const struct vdf_at *at, uint64_t *value) \
    {                                                               \
        struct vdf_pci_irqs *irqs = irqs_of(at);                    \
                                                                    \
        vdf_lock(&irqs->lock);                                      \
        *value = irqs->member;                                      \
        vdf_unlock(&irqs->lock);                                    \
        return 0;                                                   \
    }
GET(vectors, n)
GET(dropped, dropped)
GET(enabled, msix_enabled)
GET(mask_all, msix_masked)
GET(level, levels != 0)
GET(intx_mask, intx_masked)
GET(intx_disabled, intx_disabled)
GET(intx_sent, intx_sent)
GET(address, vectors[at->i].address)
GET(data, vectors[at->i].data)
GET(mask, vectors[at->i].masked)
GET(pending, vectors[at->i].pending)
GET(sent, vectors[at->i].sent)
#undef GET

/* For restores, before any sink is connected. */
#define RESTORE(name, member, type)                                                         \
    static int restore_##name(const struct vdf_at *at, uint64_t value, struct vdf_err *err) \
    {                                                                                       \
        irqs_of(at)->member = (type)value;                                                  \
        return 0;                                                                           \
    }
RESTORE(dropped, dropped, uint64_t)
RESTORE(intx_mask, intx_masked, bool)
RESTORE(intx_disabled, intx_disabled, bool)
RESTORE(intx_sent, intx_sent, uint64_t)
RESTORE(enabled, msix_enabled, bool)
RESTORE(mask_all, msix_masked, bool)
RESTORE(address, vectors[at->i].address, uint64_t)
RESTORE(data, vectors[at->i].data, uint32_t)
RESTORE(mask, vectors[at->i].masked, bool)
RESTORE(pending, vectors[at->i].pending, bool)
RESTORE(sent, vectors[at->i].sent, uint64_t)
#undef RESTORE

static uint32_t count_vectors(const void *priv)
{
    return ((const struct vdf_pci *)priv)->irqs.n;
}

static int check_vectors(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_pci *pci = at->priv;

    if (value > VDF_PCI_VECTORS || value == pci->irqs.n)
        return 0;
    return check_detached(pci, err);
}

static int set_vectors(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_pci *pci = at->priv;
    int ret = value == pci->irqs.n ? 0 : vdf_pci_irqs_resize(&pci->irqs, (unsigned)value);

    return ret < 0 ? vdf_fail(err, -ret, "no memory for %" PRIu64 " vectors", value) : 0;
}

static int set_enabled(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    vdf_pci_msix_enable(irqs_of(at), value);
    return 0;
}

static int set_mask_all(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    vdf_pci_msix_mask_all(irqs_of(at), value);
    return 0;
}

static int set_word(const struct vdf_at *at, unsigned offset, unsigned width, uint64_t value)
{
    vdf_pci_msix_write(irqs_of(at), at->i * VDF_PCI_VECTOR_BYTES + offset, width, value);
    return 0;
}

static int check_address(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    return value & 3 ? vdf_fail(err, EINVAL, "0x%" PRIx64 ": a multiple of 4", value) : 0;
}

static int set_address(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    return set_word(at, 0, 8, value);
}

static int set_data(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    return set_word(at, 8, 4, value);
}

static int set_mask(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    return set_word(at, 12, 4, value);
}

/* --- the client ------------------------------------------------------------------------------- */

static void show_vfio_user(const struct vdf_at *at, struct vdf_buf *out)
{
    const struct vdf_pci *pci = at->priv;

    if (pci->vfio_user)
        vdf_buf_printf(out, "%s", pci->vfio_user);
}

static void end_service(struct vdf_pci *pci)
{
    if (pci->vfu)
        vdf_vfu_stop(pci->vfu);
    pci->vfu = NULL;
    vdf_pci_detach(pci);
}

/* Devices that are attached begin anew, so a path that is refused is refused before. */
static int begin_service(struct vdf_pci *pci, bool fresh, struct vdf_err *err)
{
    int ret = vdf_vfu_open(pci, pci->vfio_user, &pci->vfu, err);

    if (ret == 0)
        ret = vdf_pci_attach(pci, fresh, err);
    if (ret == 0)
        ret = vdf_vfu_start(pci->vfu, err);
    if (ret < 0)
        end_service(pci);
    return ret;
}

static int store_vfio_user(const struct vdf_at *at, const char *text, size_t len,
                           struct vdf_err *err)
{
    struct vdf_pci *pci = at->priv;
    int ret = len ? vdf_vfu_path_check(text, err) : 0;

    if (ret < 0)
        return ret;
    if (len && pci->vfu && strcmp(pci->vfio_user, text) == 0)
        return 0;
    if (len && pci->vfu)
        return vdf_fail(err, EBUSY, "%.80s is served: write an empty line first", pci->vfio_user);
    end_service(pci);
    ret = vdf_guest_keep_path(&pci->vfio_user, text, len, err);
    if (ret == 0 && len)
        ret = begin_service(pci, true, err);
    if (ret < 0) {
        free(pci->vfio_user);
        pci->vfio_user = NULL;
    }
    return ret;
}

/* The socket is made when all devices of the state exist. */
static int restore_vfio_user(const struct vdf_at *at, const char *text, size_t len,
                             struct vdf_err *err)
{
    int ret = len ? vdf_vfu_path_check(text, err) : 0;

    return ret < 0 ? ret
                   : vdf_guest_keep_path(&((struct vdf_pci *)at->priv)->vfio_user, text, len, err);
}

static void show_client(const struct vdf_at *at, struct vdf_buf *out)
{
    const struct vdf_pci *pci = at->priv;

    if (pci->vfu)
        vdf_vfu_show_client(pci->vfu, out);
}

static void show_dma(const struct vdf_at *at, struct vdf_buf *out)
{
    const struct vdf_pci *pci = at->priv;

    if (pci->vfu)
        vdf_vfu_show_dma(pci->vfu, out);
}

/* --- the table -------------------------------------------------------------------------------- */

#define PCI(member) VDF_FIELD(struct vdf_pci, member)
#define EACH_VECTOR .range = { { .counted = count_vectors, .text = "0..vectors-1" } }
#define HIDDEN(name, member, text)                                         \
    {                                                                      \
        VDF_ROW(name, VDF_REG, VDF_NO_FILE | VDF_SAVE, text), PCI(member), \
    }

static const struct vdf_objects bar_objects = { .cls = &vdf_pci_bar_class, .text = "0..5" };

static const struct vdf_attr rows[] = {
    { VDF_ROW("function", VDF_TEXT, VDF_RW | VDF_SAVE | VDF_EXCLUSIVE,
              "path of the device whose identity and interrupt the function has: "
              "intx/B/devices/D, console/C (a virtio device with its registers in bar 0), or "
              "empty; sets the identity and msix/vectors. While the function is served, all that "
              "describes it is EBUSY"),
      .show = show_function, .store = store_function, .restore_text = restore_function },
    { VDF_ROW("vendor", VDF_REG, VDF_RW | VDF_SAVE, "Vendor ID"), PCI(vendor), .reset = VENDOR,
      .check = check_same },
    { VDF_ROW("device", VDF_REG, VDF_RW | VDF_SAVE, "Device ID"), PCI(device), .reset = DEVICE,
      .check = check_same },
    { VDF_ROW("subsystem_vendor", VDF_REG, VDF_RW | VDF_SAVE, "Subsystem Vendor ID"),
      PCI(subsystem_vendor), .reset = VENDOR, .check = check_same },
    { VDF_ROW("subsystem", VDF_REG, VDF_RW | VDF_SAVE, "Subsystem ID"), PCI(subsystem),
      .reset = DEVICE, .check = check_same },
    { VDF_ROW("class", VDF_REG, VDF_RW | VDF_SAVE,
              "Class Code: base class, sub-class, programming interface, 24 bits"),
      PCI(class_code), .reset = CLASS_UNASSIGNED, .max = CLASS_MOST, .check = check_limited },
    { VDF_ROW("revision", VDF_REG, VDF_RW | VDF_SAVE, "Revision ID"), PCI(revision),
      .check = check_same },
    { VDF_ROW("express", VDF_BOOL, VDF_RW | VDF_SAVE,
              "1: the function has a PCI Express capability and 4096 bytes of configuration "
              "space; 0: 256 bytes"),
      PCI(express), .check = check_same },
    { VDF_ROW("config", VDF_RAW, VDF_RW | VDF_EXCLUSIVE,
              "the configuration space, by accesses as a guest's"),
      .raw = &config_ops },
    { VDF_ROW("bars", VDF_OBJECTS, 0, "base address registers"), .objects = &bar_objects },

    { VDF_ROW("msix/vectors", VDF_UINT, VDF_RW | VDF_SAVE,
              "vectors of MSI-X, 0 to 2048; 0: there is no MSI-X. A write resets all of them"),
      .width = 4, .max = VDF_PCI_VECTORS, .get = get_vectors, .check = check_vectors,
      .set = set_vectors },
    { VDF_ROW("msix/bar", VDF_UINT, VDF_RW | VDF_SAVE,
              "the base address register with the table, at offset 0, and the pending bits, in the "
              "second half; bars/ must not have it"),
      PCI(msix_bar), .reset = MSIX_BAR, .max = VDF_PCI_BARS - 1, .check = check_limited },
    { VDF_ROW("msix/enabled", VDF_BOOL, VDF_RW | VDF_SAVE,
              "MSI-X Enable: 1 stops INTx; also set by a client that connects a vector"),
      .width = 1, .get = get_enabled, .set = set_enabled, .restore = restore_enabled },
    { VDF_ROW("msix/mask", VDF_BOOL, VDF_RW | VDF_SAVE,
              "Function Mask: 1 keeps all vectors pending"),
      .width = 1, .get = get_mask_all, .set = set_mask_all, .restore = restore_mask_all },
    { VDF_ROW("msix/dropped", VDF_UINT, VDF_R | VDF_SAVE | VDF_LIVE,
              "messages of devices for vectors that do not exist"),
      .width = 8, .get = get_dropped, .restore = restore_dropped },
    { VDF_ROW("msix/#/addr", VDF_REG, VDF_RW | VDF_SAVE,
              "Message Address of the vector, as the guest has written it; QEMU keeps the table to "
              "itself"),
      EACH_VECTOR, .width = 8, .get = get_address, .check = check_address, .set = set_address,
      .restore = restore_address },
    { VDF_ROW("msix/#/data", VDF_REG, VDF_RW | VDF_SAVE, "Message Data"), EACH_VECTOR, .width = 4,
      .get = get_data, .set = set_data, .restore = restore_data },
    { VDF_ROW("msix/#/mask", VDF_BOOL, VDF_RW | VDF_SAVE,
              "1: an interrupt of the vector is kept pending, and sent at 0"),
      EACH_VECTOR, .width = 1, .reset = 1, .get = get_mask, .set = set_mask,
      .restore = restore_mask },
    { VDF_ROW("msix/#/pending", VDF_BOOL, VDF_R | VDF_SAVE | VDF_LIVE,
              "1: an interrupt waits, because the guest masks it or nobody listens"),
      EACH_VECTOR, .width = 1, .get = get_pending, .restore = restore_pending },
    { VDF_ROW("msix/#/sent", VDF_UINT, VDF_R | VDF_SAVE | VDF_LIVE,
              "interrupts that the client was signalled"),
      EACH_VECTOR, .width = 8, .get = get_sent, .restore = restore_sent },

    { VDF_ROW("intx/level", VDF_BOOL, VDF_R | VDF_LIVE,
              "level of INTx: 1 while a device of the function asserts its line"),
      .width = 1, .get = get_level },
    { VDF_ROW("intx/mask", VDF_BOOL, VDF_R | VDF_SAVE | VDF_LIVE,
              "1: the client was signalled and has not ended the interrupt, or masks it"),
      .width = 1, .get = get_intx_mask, .restore = restore_intx_mask },
    { VDF_ROW("intx/sent", VDF_UINT, VDF_R | VDF_SAVE | VDF_LIVE,
              "interrupts that the client was signalled; it grows without end while a device is "
              "never served"),
      .width = 8, .get = get_intx_sent, .restore = restore_intx_sent },
    { VDF_ROW("intx/disabled", VDF_BOOL, VDF_NO_FILE | VDF_SAVE, "bit 10 of the command register"),
      .width = 1, .get = get_intx_disabled, .restore = restore_intx_disabled },

    { VDF_ROW("dma", VDF_TEXT, VDF_R | VDF_LIVE,
              "memory of the client, a mapping a line: address, bytes, access; mapped, or messages "
              "where it came without a descriptor"),
      .show = show_dma },
    { VDF_ROW("client", VDF_TEXT, VDF_R | VDF_LIVE,
              "the connected client: process, user, name; empty: nobody"),
      .show = show_client },
    HIDDEN("header/command", header.command, "configuration space: command"),
    HIDDEN("header/cache_line_size", header.cache_line_size, "configuration space byte 0x0c"),
    HIDDEN("header/latency_timer", header.latency_timer, "configuration space byte 0x0d"),
    HIDDEN("header/interrupt_line", header.interrupt_line, "configuration space byte 0x3c"),
    HIDDEN("header/device_control", header.device_control, "PCI Express: Device Control"),
    { VDF_ROW("header/bar/#", VDF_REG, VDF_NO_FILE | VDF_SAVE, "base address"),
      VDF_ARRAY(struct vdf_pci, header.bars), .range = { { .count = VDF_PCI_BARS } } },
    { VDF_ROW("header/access/#", VDF_REG, VDF_NO_FILE | VDF_SAVE,
              "the virtio capability for accesses through the configuration space"),
      VDF_ARRAY(struct vdf_pci, header.access), .range = { { .count = 16 } } },
    { VDF_ROW("vfio_user", VDF_TEXT, VDF_RW | VDF_SAVE | VDF_EXCLUSIVE,
              "path of a socket on which a vfio-user client is served; this attaches the devices: "
              "EBUSY for a device that has another guest. Empty: none"),
      .show = show_vfio_user, .store = store_vfio_user, .restore_text = restore_vfio_user },
};

/* --- life ------------------------------------------------------------------------------------- */

static int create(struct vdf_obj *obj, struct vdf_err *err)
{
    struct vdf_pci *pci = vdf_obj_priv(obj);

    vdf_pci_irqs_init(&pci->irqs);
    pci->space = &pci->none;
    return 0;
}

static void destroy(struct vdf_obj *obj)
{
    struct vdf_pci *pci = vdf_obj_priv(obj);

    vdf_pci_irqs_free(&pci->irqs);
    free(pci->function);
    free(pci->vfio_user);
}

static int removed(struct vdf_obj *obj, struct vdf_err *err)
{
    end_service(vdf_obj_priv(obj));
    return 0;
}

/* A state replaces the function, or the tree ends. */
static void disconnect_devices(struct vdf_obj *obj)
{
    struct vdf_pci *pci = vdf_obj_priv(obj);
    struct vdf_buf client = VDF_BUF_INIT;

    if (pci->vfu)
        vdf_vfu_show_client(pci->vfu, &client);
    if (client.len)
        vdf_report(obj, ECONNRESET, "a restore disconnects the client, %.*s", (int)client.len,
                   client.data);
    vdf_buf_free(&client);
    end_service(pci);
}

/* The vectors keep what was restored: a device that has another number of them by now is refused. */
static int resume(struct vdf_pci *pci, struct vdf_err *err)
{
    int ret = vdf_pci_describe(pci, err);

    if (ret == 0 && pci->vfio_user)
        ret = begin_service(pci, false, err);
    return ret;
}

static void connect_devices(struct vdf_obj *obj)
{
    struct vdf_pci *pci = vdf_obj_priv(obj);
    struct vdf_err err = { 0 };
    int ret = resume(pci, &err);

    if (ret < 0)
        vdf_report(obj, -ret, "%s; the function is not served", err.text);
}

static int restored(struct vdf_obj *obj, struct vdf_err *err)
{
    const struct vdf_pci *pci = vdf_obj_priv(obj);

    if (pci->vendor == 0xffff)
        return vdf_fail(err, EINVAL, "vendor is 0xffff, which means that no function is there");
    return 0;
}

/* A client that loads a state stays connected. */
static void adopt(struct vdf_obj *obj, void *old, void *now)
{
    struct vdf_pci *from = old, *to = now;

    if (!from->moves)
        return;
    vdf_pci_irqs_move(&from->irqs, &to->irqs);
    to->vfu = from->vfu;
    from->vfu = NULL;
    to->running = from->running;
    to->space = from->space == &from->none ? &to->none : from->space;
    free(to->vfio_user);
    to->vfio_user = from->vfio_user;
    from->vfio_user = NULL;
    vdf_vfu_moved(to->vfu, to);
}

static const struct vdf_class pci_class = {
    VDF_CLASS("pci", "PCI function", struct vdf_pci, rows),
    .create = create,
    .destroy = destroy,
    .remove = removed,
    .restored = restored,
    .adopt = adopt,
    .disconnect = disconnect_devices,
    .connect = connect_devices,
    .exclusive = true,
};

const struct vdf_component vdf_pci_component = { .cls = &pci_class };
