/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rows of console/NAME. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <virtdevfs/text.h>

#include "control.h"
#include "device.h"
#include "driver.h"
#include "pci.h"
#include "port.h"
#include "queue.h"
#include "soft.h"
#include "vhost_user.h"

#define POOL_DEFAULT (UINT64_C(2) << 20)
#define PORTS_DEFAULT 31u
#define QUEUE_SIZE_DEFAULT 64u
#define MEMORY_DEFAULT (UINT64_C(16) << 20)

/* --- values that are fixed while a driver uses the device ------------------------------------- */

static int need_idle(const struct vdf_console *con, struct vdf_err *err)
{
    if (con->status)
        return vdf_fail(err, EBUSY, "status is 0x%02x: write 1 to reset first", con->status);
    if (vdf_vhost_user_connected(con))
        return vdf_fail(err, EBUSY, "a vhost-user front end is connected: write 1 to reset first");
    return 0;
}

/* A function of a guest keeps its identity and its number of queues. */
static int need_no_function(const struct vdf_console *con, struct vdf_err *err)
{
    if (vdf_console_driver(con)->side != VDF_CONSOLE_PCI)
        return 0;
    return vdf_fail(err, EBUSY, "driver is pci: detach the console from the PCI function first");
}

/* Queues that a driver has described depend on such a value, so that a change resets the device.
 * Writing the present value has no effect, and is possible at any time. */
static int change(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    if (value == vdf_row_load_field(at))
        return 0;
    int ret = need_idle(at->priv, err);
    if (ret < 0)
        return ret;
    vdf_row_store_field(at, value);
    vdf_console_reset(at->priv);
    return 0;
}

static int device_set(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_console *con = at->priv;

    if (value == con->device)
        return 0;
    int ret = need_idle(con, err);
    if (ret == 0)
        ret = need_no_function(con, err);
    if (ret == 0 && value == VDF_CONSOLE_RPROC)
        ret = vdf_console_need_one_port(con, err);
    if (ret < 0)
        return ret;
    con->device = (uint8_t)value;
    con->features = vdf_console_default_features(con->device);
    con->dma_mem = false;
    if (vdf_console_port(con, 0))
        vdf_console_port_set_console(vdf_console_port(con, 0), value == VDF_CONSOLE_CONSOLE);
    vdf_console_reset(con);
    return 0;
}

static int features_check(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_console *con = at->priv;
    uint64_t can = vdf_console_possible_features(con->device);
    int ret = value != con->features ? need_idle(con, err) : 0;

    if (ret < 0)
        return ret;
    if (value & ~can)
        return vdf_fail(err, EINVAL, "0x%016" PRIx64 ": bits of 0x%016" PRIx64 " can be offered",
                        value, can);
    if (!(value & VDF_CONSOLE_F_VERSION_1))
        return vdf_fail(err, EINVAL, "0x%016" PRIx64 ": VIRTIO_F_VERSION_1 (bit 32) is needed",
                        value);
    return 0;
}

static int features_set(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_console *con = at->priv;
    int ret =
        con->features & ~value & VDF_CONSOLE_F_MULTIPORT ? vdf_console_need_one_port(con, err) : 0;

    if (ret == 0 && (con->features ^ value) & VDF_CONSOLE_F_MULTIPORT)
        ret = need_no_function(con, err);
    return ret < 0 ? ret : change(at, value, err);
}

static int dma_mem_check(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_console *con = at->priv;

    if (value && con->device == VDF_CONSOLE_RPROC)
        return vdf_fail(err, EINVAL,
                        "rproc-serial always uses the DMA pool, without a feature bit");
    return 0;
}

static int dma_mem_set(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_console *con = at->priv;
    bool before = con->dma_mem;
    int ret = change(at, value, err);

    /* change() stores the field. */
    /* cppcheck-suppress incorrectLogicOperator */
    if (con->dma_mem && !before)
        con->features |= VDF_CONSOLE_F_DMA_MEM;
    return ret;
}

static int dma_size_check(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_console *con = at->priv;

    if (!value || value % VDF_PAGE_SIZE || value >= con->memory.size)
        return vdf_fail(err, EINVAL,
                        "%" PRIu64 ": a multiple of %u below memory_size (%" PRIu64 ") is needed",
                        value, VDF_PAGE_SIZE, con->memory.size);
    return 0;
}

static int max_ports_set(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_console *con = at->priv;

    if (vdf_console_ports_from(con, (uint32_t)value))
        return vdf_fail(err, EBUSY, "%" PRIu64 ": there are ports with this number or a higher one",
                        value);
    if (con->vhost_path && vdf_vhost_user_ports_check((uint32_t)value, err))
        return -EINVAL;
    if (value != con->max_ports && need_no_function(con, err))
        return -EBUSY;
    return change(at, value, err);
}

static int queue_size_check(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    if (value < 2 || value > VDF_VQ_SIZE_MAX || value & (value - 1))
        return vdf_fail(err, EINVAL, "%" PRIu64 ": a power of two from 2 to %u is needed", value,
                        VDF_VQ_SIZE_MAX);
    return 0;
}

static void reset_after(const struct vdf_at *at, uint64_t value)
{
    struct vdf_console *con = at->priv;

    /* A front end cannot be told. When it connects again it finds a fresh device. */
    vdf_console_leave(con);
    vdf_console_reset(con);
}

/* --- memory and its DMA pool ------------------------------------------------------------------ */

static int memory_size_check(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    if (value < 2 * VDF_PAGE_SIZE || value > VDF_MEMORY_MAX || value % VDF_PAGE_SIZE)
        return vdf_fail(err, EINVAL,
                        "%" PRIu64 ": a multiple of %u from %u to %" PRIu64 " is needed", value,
                        VDF_PAGE_SIZE, 2 * VDF_PAGE_SIZE, VDF_MEMORY_MAX);
    return 0;
}

static void memory_resize(struct vdf_console *con, uint64_t size)
{
    vdf_memory_free(&con->memory);
    vdf_memory_init(&con->memory, "console", size);
    vdf_console_update_space(con);
}

static int memory_size_set(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_console *con = at->priv;

    if (value == con->memory.size)
        return 0;
    int ret = need_idle(con, err);
    if (ret < 0)
        return ret;
    if (con->memory_open)
        return vdf_fail(err, EBUSY, "memory is open: close it first");
    if (value <= con->dma_size)
        return vdf_fail(err, EINVAL, "%" PRIu64 ": more than dma/size (%" PRIu64 ") is needed",
                        value, con->dma_size);
    memory_resize(con, value);
    return 0;
}

/* The row of the pool's size follows. */
static int memory_size_restore(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    int ret = memory_size_check(at, value, err);

    if (ret == 0)
        memory_resize(at->priv, value);
    return ret;
}

static void memory_opened(const struct vdf_at *at, bool open)
{
    struct vdf_console *con = at->priv;

    con->memory_open = open;
}

static const struct vdf_raw_ops memory_ops = {
    .opened = memory_opened,
};

static int dma_addr_get(const struct vdf_at *at, uint64_t *value)
{
    *value = vdf_console_pool_addr(at->priv);
    return 0;
}

static int dma_used_get(const struct vdf_at *at, uint64_t *value)
{
    const struct vdf_console *con = at->priv;

    *value = vdf_soft_pool_used(con->soft);
    return 0;
}

static void dma_buffers_show(const struct vdf_at *at, struct vdf_buf *out)
{
    const struct vdf_console *con = at->priv;

    vdf_soft_show_buffers(con->soft, out);
}

/* --- size ------------------------------------------------------------------------------------- */

static void size_show(const struct vdf_at *at, struct vdf_buf *out)
{
    const struct vdf_console *con = at->priv;

    vdf_buf_printf(out, "%u %u", con->cols, con->rows);
}

static int size_store(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err)
{
    uint16_t cols, rows;
    int ret = vdf_console_parse_size(text, &cols, &rows, err);

    if (ret == 0)
        vdf_console_set_size(at->priv, cols, rows);
    return ret;
}

static int size_restore(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err)
{
    struct vdf_console *con = at->priv;

    return vdf_console_parse_size(text, &con->cols, &con->rows, err);
}

/* --- the driver ------------------------------------------------------------------------------- */

static const char *const device_names[] = { "console", "rproc-serial", NULL };
static const char *const order_names[] = { "cols-rows", "rows-cols", NULL };
static const char *const driver_names[] = { "soft", "none", "vhost-user", "vm", "pci", NULL };

static const struct vdf_console_driver *const drivers[] = {
    [VDF_CONSOLE_SOFT] = &vdf_console_soft_driver,
    [VDF_CONSOLE_NONE] = &vdf_console_no_driver,
    [VDF_CONSOLE_VHOST_USER] = &vdf_console_vhost_user_driver,
    [VDF_CONSOLE_VM] = &vdf_console_vm_driver,
    [VDF_CONSOLE_PCI] = &vdf_console_pci_driver,
};

static int driver_get(const struct vdf_at *at, uint64_t *value)
{
    *value = vdf_console_driver(at->priv)->side;
    return 0;
}

static int driver_set(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_console *con = at->priv;
    const struct vdf_console_driver *now = vdf_console_driver(con);
    const char *name = drivers[value]->backend.name;

    if (value == now->side && value != VDF_CONSOLE_SOFT)
        return 0;
    if (value != now->side && con->guest_space)
        return vdf_fail(err, EBUSY, "%s: the console is attached to a %s; detach it first", name,
                        now->guest);
    if (value > VDF_CONSOLE_NONE)
        return vdf_fail(err, EINVAL,
                        "%s: set when a machine or a front end attaches; write soft or none", name);
    if (value != now->side && con->vhost_path)
        return vdf_fail(err, EBUSY, "vhost_user is set: empty it first");
    bool fresh = value == VDF_CONSOLE_SOFT ? !con->soft : con->soft || now->guest;
    if (value != now->side)
        vdf_console_set_driver(con, drivers[value]);
    if (fresh)
        vdf_console_reset(con);
    vdf_soft_probe(con);
    return 0;
}

static int driver_restore(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    vdf_console_set_driver(at->priv, drivers[value]);
    return 0;
}

static void vhost_user_show(const struct vdf_at *at, struct vdf_buf *out)
{
    const struct vdf_console *con = at->priv;

    if (con->vhost_path)
        vdf_buf_printf(out, "%s", con->vhost_path);
}

/* The former driver loses the device. @path is taken over. */
static void set_path(struct vdf_console *con, char *path, const struct vdf_console_driver *driver)
{
    free(con->vhost_path);
    con->vhost_path = path;
    vdf_console_set_driver(con, driver);
    vdf_console_reset(con);
    vdf_soft_probe(con);
}

static int vhost_user_store(const struct vdf_at *at, const char *text, size_t len,
                            struct vdf_err *err)
{
    struct vdf_console *con = at->priv;
    char *path;

    if (!strcmp(text, con->vhost_path ? con->vhost_path : ""))
        return *text ? vdf_vhost_user_again(con, err) : 0;
    if (!*text) {
        vdf_vhost_user_stop(con);
        set_path(con, NULL, drivers[con->side_before]);
        return 0;
    }
    if (vdf_console_driver(con)->guest)
        return vdf_fail(err, EBUSY, "driver is %s: detach the console from the %s first",
                        vdf_console_driver(con)->backend.name, vdf_console_driver(con)->guest);
    int ret = vdf_vhost_user_possible(con, text, err);
    if (ret)
        return ret;
    path = strdup(text);
    if (!path)
        return vdf_fail(err, ENOMEM, "no memory for the path");
    ret = vdf_vhost_user_start(con, path, err);
    if (ret) {
        free(path);
        return ret;
    }
    if (!vdf_console_driver(con)->remote)
        con->side_before = (uint8_t)vdf_console_driver(con)->side;
    set_path(con, path, &vdf_console_vhost_user_driver);
    return 0;
}

/* vdf_console_restored() checks the limits that depend on later rows. */
static int vhost_user_restore(const struct vdf_at *at, const char *text, size_t len,
                              struct vdf_err *err)
{
    struct vdf_console *con = at->priv;

    free(con->vhost_path);
    con->vhost_path = *text ? strdup(text) : NULL;
    return *text && !con->vhost_path ? vdf_fail(err, ENOMEM, "no memory for the path") : 0;
}

/* --- queues ----------------------------------------------------------------------------------- */

static uint32_t queues_count(const void *priv)
{
    return vdf_console_queues(priv);
}

static uint32_t queues_used(const void *priv)
{
    return ((const struct vdf_console *)priv)->n_queues;
}

static void *queue_of(const struct vdf_at *at)
{
    return (void *)vdf_console_queue(at->priv, at->i);
}

static int queue_restore(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    if (!vdf_console_queue_make(at->priv, at->i))
        return vdf_fail(err, ENOMEM, "no memory for the queues");
    vdf_row_store_field(at, value);
    return 0;
}

static int avail_idx_get(const struct vdf_at *at, uint64_t *value)
{
    const struct vdf_console *con = at->priv;
    const struct vdf_vq *vq = vdf_console_queue(con, at->i);

    *value = vq->ready ? vdf_vq_avail_idx(&con->space, vq) : 0;
    return 0;
}

/* --- the window ------------------------------------------------------------------------------- */

static const struct vdf_window_ops regs_ops = {
    .bytes = VDF_CONSOLE_REGS_SIZE,
    .align = 4,
};

static int reg_get(const struct vdf_at *at, uint64_t *value)
{
    *value = vdf_console_reg_read(at->priv, (unsigned)at->attr->offset);
    return 0;
}

/* A guest that resets the device takes it over. Status has eight bits (2.1). */
static int take_over(struct vdf_console *con, bool status, uint64_t value, struct vdf_err *err)
{
    if (vdf_console_driver(con)->remote)
        return vdf_fail(err, EBUSY, "the driver is behind the socket of vhost_user");
    if (status && !(value & UINT8_MAX))
        vdf_console_leave(con);
    return 0;
}

static int reg_set(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_console *con = at->priv;
    int ret = take_over(con, at->attr->offset == VDF_CONSOLE_REG_STATUS, value, err);

    if (ret < 0)
        return ret;
    vdf_console_reg_write(con, (unsigned)at->attr->offset, (uint32_t)value);
    vdf_console_settle(con);
    return 0;
}

/* --- the window of virtio-pci ------------------------------------------------------------------- */

static uint64_t pci_size(const struct vdf_at *at)
{
    return vdf_console_pci_size(at->priv);
}

static const struct vdf_window_ops pci_ops = {
    .size = pci_size,
    .align = 1,
    .halves = true,
};

static int pci_get(const struct vdf_at *at, uint64_t *value)
{
    *value = vdf_console_pci_read(at->priv, (unsigned)at->attr->offset);
    return 0;
}

static int pci_set(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_console *con = at->priv;
    int ret = take_over(con, at->attr->offset == VDF_CONSOLE_PCI_STATUS, value, err);

    if (ret < 0)
        return ret;
    vdf_console_pci_write(con, (unsigned)at->attr->offset, at->i, value);
    vdf_console_settle(con);
    return 0;
}

static int isr_read(const struct vdf_at *at, uint64_t *value)
{
    struct vdf_console *con = at->priv;

    *value = vdf_console_pci_isr(con);
    vdf_console_settle(con);
    return 0;
}

static int vector_get(const struct vdf_at *at, uint64_t *value)
{
    const struct vdf_console *con = at->priv;

    *value = (uint16_t)(vdf_console_queue(con, at->i)->vector - 1u);
    return 0;
}

static int vector_restore(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_vq *vq = vdf_console_queue_make(at->priv, at->i);

    if (!vq)
        return vdf_fail(err, ENOMEM, "no memory for the queues");
    vq->vector = (uint16_t)(value + 1);
    return 0;
}

/* --- hidden state ----------------------------------------------------------------------------- */

static void removed_show(const struct vdf_at *at, struct vdf_buf *out)
{
    const struct vdf_console *con = at->priv;

    for (uint32_t i = 0; i < con->n_removed; i++)
        vdf_buf_printf(out, "%s%u", i ? " " : "", con->removed[i]);
}

static int removed_restore(const struct vdf_at *at, const char *text, size_t len,
                           struct vdf_err *err)
{
    struct vdf_console *con = at->priv;

    while (*text) {
        size_t word = strcspn(text, " ");
        uint64_t id;

        if (vdf_number_parse(text, word, &id) < 0 || id >= con->max_ports)
            return vdf_fail(err, EINVAL, "\"%.40s\" is no list of ports from 0 to %u", text,
                            con->max_ports - 1);
        text += word + strspn(text + word, " ");
        if (vdf_console_control_removed(con, (uint32_t)id) < 0)
            return vdf_fail(err, ENOMEM, "no memory for removed ports");
    }
    return 0;
}

static void soft_show(const struct vdf_at *at, struct vdf_buf *out)
{
    const struct vdf_console *con = at->priv;

    vdf_soft_show(con->soft, out);
}

static int soft_restore(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err)
{
    struct vdf_console *con = at->priv;
    struct vdf_soft *soft;
    int ret = vdf_soft_parse(text, &soft, err);

    if (ret)
        return ret;
    vdf_soft_free(con->soft);
    con->soft = soft;
    return 0;
}

/* --- the table -------------------------------------------------------------------------------- */

static int ports_allow(struct vdf_obj *parent, const char *name, struct vdf_err *err)
{
    const struct vdf_console *con = vdf_obj_priv(parent);
    uint32_t id;

    if (vdf_console_port_number(name, &id))
        return vdf_fail(err, EINVAL, "\"%.40s\" is no number of a port: 0 to %u", name,
                        con->max_ports - 1);
    if (!(con->features & VDF_CONSOLE_F_MULTIPORT) && id)
        return vdf_fail(err, EOPNOTSUPP,
                        "without VIRTIO_CONSOLE_F_MULTIPORT there is port 0 and no other");
    if (id >= con->max_ports)
        return vdf_fail(err, EINVAL, "%u: ports are 0 to %u (max_ports)", id, con->max_ports - 1);
    return 0;
}

static const struct vdf_objects ports_objects = {
    .cls = &vdf_console_port_class,
    .allow = ports_allow,
    .text = "0..max_ports-1",
};

/* The names of virtio 1.3: sections 2.1, 4.2.2, 5.3.3 and 6. */
static const struct vdf_bits status_bits[] = {
    { "ACKNOWLEDGE", .low = 0 },
    { "DRIVER", .low = 1 },
    { "DRIVER_OK", .low = 2 },
    { "FEATURES_OK", .low = 3 },
    { "DEVICE_NEEDS_RESET", .low = 6 },
    { "FAILED", .low = 7 },
    { 0 },
};
static const struct vdf_bits interrupt_bits[] = {
    { "UsedBufferNotification", .low = 0 },
    { "ConfigurationChangeNotification", .low = 1 },
    { 0 },
};
static const struct vdf_bits emergency_bits[] = { { "emerg_wr", .low = 0, .width = 8 }, { 0 } };
static const struct vdf_bits feature_bits[] = {
    { "VIRTIO_CONSOLE_F_SIZE", .low = 0 },
    { "VIRTIO_CONSOLE_F_MULTIPORT", .low = 1 },
    { "VIRTIO_CONSOLE_F_EMERG_WRITE", .low = 2, .doc = "DMA_MEM where dma_mem is 1" },
    { "VIRTIO_F_INDIRECT_DESC", .low = 28 },
    { "VIRTIO_F_EVENT_IDX", .low = 29 },
    { "VIRTIO_F_VERSION_1", .low = 32 },
    { "VIRTIO_F_ACCESS_PLATFORM", .low = 33 },
    { "VIRTIO_F_RING_PACKED", .low = 34 },
    { "VIRTIO_F_IN_ORDER", .low = 35 },
    { "VIRTIO_F_RING_RESET", .low = 40 },
    { 0 },
};

#define VALUE(name, kind, access, member, text, ...)                    \
    {                                                                   \
        .path = name, .type = kind, .flags = (access) | VDF_SAVE,       \
        VDF_FIELD(struct vdf_console, member), .doc = text, __VA_ARGS__ \
    }
#define QUEUES                                                              \
    {                                                                       \
        .counted = queues_count, .used = queues_used, .text = "0..queues-1" \
    }
#define QUEUE(name, kind, member, about)                                                         \
    {                                                                                            \
        .path = "queues/#/" name, .type = kind, .flags = VDF_R | VDF_SAVE,                       \
        VDF_FIELD(struct vdf_vq, member), .doc = about, .range = { QUEUES }, .locate = queue_of, \
        .restore = queue_restore                                                                 \
    }
#define REG(name, at, access, bytes, text, ...)                                                    \
    {                                                                                              \
        .path = "reg/" name, .type = VDF_REG, .flags = (access) | VDF_NO_FILE, .width = bytes,     \
        .doc = text, .get = reg_get, .set = reg_set, .window = VDF_REGS, .offset = at, __VA_ARGS__ \
    }
#define FIELD(name, at, access, member, text, ...)                                            \
    {                                                                                         \
        .path = "reg/" name, .type = VDF_REG, .flags = (access) | VDF_NO_FILE,                \
        VDF_FIELD(struct vdf_console, member), .doc = text, .window = VDF_REGS, .offset = at, \
        __VA_ARGS__                                                                           \
    }
#define PCI(name, at, access, bytes, text, ...)                                                \
    {                                                                                          \
        .path = "pci/" name, .type = VDF_REG, .flags = (access) | VDF_NO_FILE, .width = bytes, \
        .doc = text, .get = pci_get, .set = pci_set, .window = VDF_CONSOLE_PCI_REGS,           \
        .offset = VDF_CONSOLE_PCI_##at, __VA_ARGS__                                            \
    }
#define CONFIG(name, at, member, text)                                                      \
    {                                                                                       \
        .path = "pci/" name, .type = VDF_REG, .flags = VDF_R | VDF_NO_FILE,                 \
        VDF_FIELD(struct vdf_console, member), .doc = text, .window = VDF_CONSOLE_PCI_REGS, \
        .offset = VDF_CONSOLE_PCI_CONFIG + (at),                                            \
    }

static const struct vdf_attr console_rows[] = {
    VALUE("device", VDF_CHOICE, VDF_RW, device,
          "kind of device: console (virtio id 3) or rproc-serial (id 11); while status is 0",
          .choices = device_names, .set = device_set),
    VALUE("features", VDF_REG, VDF_RW, features,
          "feature bits that the device offers; while status is 0",
          .reset = VDF_CONSOLE_F_SIZE | VDF_CONSOLE_F_MULTIPORT | VDF_CONSOLE_F_EMERG_WRITE |
                   VDF_CONSOLE_F_INDIRECT | VDF_CONSOLE_F_EVENT_IDX | VDF_CONSOLE_F_VERSION_1 |
                   VDF_CONSOLE_F_IN_ORDER | VDF_CONSOLE_F_RING_RESET,
          .bits = feature_bits, .check = features_check, .set = features_set),
    VALUE("driver_features", VDF_REG, VDF_R, driver_features,
          "feature bits that the driver has accepted", .bits = feature_bits),
    VALUE("dma_mem", VDF_BOOL, VDF_RW, dma_mem,
          "1: feature bit 2 means DMA_MEM (buffers and rings from the DMA pool only), not "
          "EMERG_WRITE; while status is 0",
          .check = dma_mem_check, .set = dma_mem_set),
    VALUE("memory_size", VDF_UINT, VDF_RW, memory.size,
          "bytes of guest memory, from address 0; while status is 0; a change clears the memory",
          .reset = MEMORY_DEFAULT, .check = memory_size_check, .set = memory_size_set,
          .restore = memory_size_restore),
    VALUE("dma/size", VDF_UINT, VDF_RW, dma_size,
          "bytes of the coherent DMA pool; while status is 0", .reset = POOL_DEFAULT,
          .check = dma_size_check, .set = change),
    { .path = "dma/addr",
      .type = VDF_REG,
      .flags = VDF_R,
      .width = 8,
      .doc = "guest address of the pool: the end of the memory",
      .get = dma_addr_get },
    { .path = "dma/used",
      .type = VDF_UINT,
      .flags = VDF_R,
      .width = 8,
      .doc = "bytes of the pool that the soft driver has in use, in whole pages",
      .get = dma_used_get },
    { .path = "dma/buffers",
      .type = VDF_TEXT,
      .flags = VDF_R,
      .doc =
          "buffers in use, one a line: ADDRESS BYTES ring, control, receive, transmit, or pending "
          "(released, and returned to the pool with the next allocation or close)",
      .show = dma_buffers_show },
    VALUE("dma/violations", VDF_UINT, VDF_R, violations,
          "rings and buffers that a driver has put outside of the pool"),
    { .path = "memory",
      .type = VDF_RAW,
      .flags = VDF_RW | VDF_SAVE | VDF_MAP | VDF_HOLDS,
      .doc = "guest memory, the pool in it",
      .has_field = true,
      .field = offsetof(struct vdf_console, memory),
      .raw = &memory_ops },
    VALUE("bytes_discarded", VDF_UINT, VDF_R, discarded,
          "bytes dropped without a port to count them: those in a port that was unplugged, and "
          "output for a port that is not there"),
    VALUE("max_ports", VDF_UINT, VDF_RW, max_ports,
          "ports that the device may have, 1 to 32768; while status is 0", .reset = PORTS_DEFAULT,
          .min = 1, .max = VDF_CONSOLE_PORTS_MAX, .set = max_ports_set),
    VALUE("queue_size", VDF_UINT, VDF_RW, queue_size,
          "descriptors that a queue may have in regs, a power of two from 2 to 1024; while status "
          "is 0; the soft driver takes 64 at most, and a vhost-user front end chooses itself",
          .reset = QUEUE_SIZE_DEFAULT, .check = queue_size_check, .set = change),
    { .path = "size",
      .type = VDF_TEXT,
      .flags = VDF_RW | VDF_SAVE,
      .doc = "COLS ROWS of the console on port 0; 0 0 when not known",
      .show = size_show,
      .store = size_store,
      .restore_text = size_restore },
    VALUE("resize_order", VDF_CHOICE, VDF_RW, resize_order,
          "order of the two fields of a RESIZE message: cols-rows as specified, rows-cols for the "
          "Linux versions that read them so",
          .choices = order_names),
    { .path = "driver",
      .type = VDF_CHOICE,
      .flags = VDF_RW | VDF_SAVE,
      .width = 1,
      .doc =
          "the driver of the device: soft (a built-in driver, which probes the device when soft is "
          "written or a port is first opened) or none; vhost-user, vm and pci (a PCI function) "
          "while one of these is attached",
      .choices = driver_names,
      .get = driver_get,
      .set = driver_set,
      .restore = driver_restore },
    VALUE("driver_before", VDF_CHOICE, VDF_NO_FILE, side_before,
          "value of driver after vhost_user is emptied", .choices = driver_names,
          .max = VDF_CONSOLE_NONE),
    { .path = "vhost_user",
      .type = VDF_TEXT,
      .flags = VDF_RW | VDF_SAVE,
      .doc = "absolute path of a socket to serve the device on, for a vhost-user front end; empty: "
             "none, and driver has its former value again",
      .show = vhost_user_show,
      .store = vhost_user_store,
      .restore_text = vhost_user_restore },
    VALUE("status", VDF_REG, VDF_R, status, "virtio device status", .bits = status_bits),
    { .path = "reset",
      .type = VDF_BOOL,
      .flags = VDF_W,
      .doc = "1 resets the device; the soft driver probes it again when a port is opened",
      .min = 1,
      .max = 1,
      .after = reset_after },
    { .path = "control",
      .type = VDF_LOG,
      .flags = VDF_R,
      .doc = "control messages, one a line: > from the device, < from the driver",
      .has_field = true,
      .field = offsetof(struct vdf_console, control) },
    QUEUE("size", VDF_UINT, num, "descriptors of the queue, 0 before the driver sets it"),
    QUEUE("ready", VDF_BOOL, ready, "1 while the device may use the queue"),
    QUEUE("broken", VDF_BOOL, broken,
          "1 after the driver has broken virtio's rules, until the queue or the device is reset"),
    QUEUE("desc", VDF_REG, desc, "guest address of the descriptor table, or of the packed ring"),
    QUEUE("driver", VDF_REG, driver,
          "guest address of the available ring, or of the driver's event suppression"),
    QUEUE("device", VDF_REG, device,
          "guest address of the used ring, or of the device's event suppression"),
    { .path = "queues/#/avail_idx",
      .type = VDF_UINT,
      .flags = VDF_R,
      .width = 2,
      .doc = "the driver's index in the available ring, or the place behind the last available "
             "descriptor of a packed one",
      .range = { QUEUES },
      .get = avail_idx_get },
    QUEUE("used_idx", VDF_UINT, used_idx,
          "the device's index in the used ring, or its place in a packed one"),
    QUEUE("last_avail", VDF_UINT, last_avail,
          "entries of the available ring that the device has taken, or the next place of a packed "
          "one"),
    { .path = "queues/#/msix_vector",
      .type = VDF_REG,
      .flags = VDF_R | VDF_SAVE,
      .width = 2,
      .doc = "vector of the queue's interrupts in pci/regs; 0xffff: none",
      .range = { QUEUES },
      .reset = VDF_CONSOLE_NO_VECTOR,
      .get = vector_get,
      .restore = vector_restore },

    { .path = "regs",
      .type = VDF_WINDOW,
      .flags = VDF_RW,
      .doc = "the virtio-mmio window, version 2",
      .window_ops = &regs_ops,
      .window = VDF_REGS },
    REG("MagicValue", VDF_CONSOLE_REG_MAGIC, VDF_R, 4, "\"virt\""),
    REG("Version", VDF_CONSOLE_REG_VERSION, VDF_R, 4, "2"),
    REG("DeviceID", VDF_CONSOLE_REG_DEVICE_ID, VDF_R, 4, "3 or 11, as device says"),
    REG("VendorID", VDF_CONSOLE_REG_VENDOR_ID, VDF_R, 4, "\"VDFS\""),
    REG("DeviceFeatures", VDF_CONSOLE_REG_DEVICE_FEATURES, VDF_R, 4,
        "the selected half of features"),
    FIELD("DeviceFeaturesSel", VDF_CONSOLE_REG_DEVICE_FEATURES_SEL, VDF_W | VDF_SAVE,
          device_features_sel, "which half: 0 or 1"),
    REG("DriverFeatures", VDF_CONSOLE_REG_DRIVER_FEATURES, VDF_W, 4,
        "the selected half of driver_features"),
    FIELD("DriverFeaturesSel", VDF_CONSOLE_REG_DRIVER_FEATURES_SEL, VDF_W | VDF_SAVE,
          driver_features_sel, "which half: 0 or 1"),
    FIELD("QueueSel", VDF_CONSOLE_REG_QUEUE_SEL, VDF_W | VDF_SAVE, queue_sel,
          "queue that the queue registers are for"),
    REG("QueueNumMax", VDF_CONSOLE_REG_QUEUE_NUM_MAX, VDF_R, 4,
        "largest size of the queue, 0: no such queue"),
    REG("QueueNum", VDF_CONSOLE_REG_QUEUE_NUM, VDF_W, 4, "size of the queue"),
    REG("QueueReady", VDF_CONSOLE_REG_QUEUE_READY, VDF_RW, 4, "1: the device may use the queue",
        .bits = (const struct vdf_bits[]){ { "QueueReady", .low = 0 }, { 0 } }),
    REG("QueueNotify", VDF_CONSOLE_REG_QUEUE_NOTIFY, VDF_W, 4,
        "number of a queue with new buffers"),
    FIELD("InterruptStatus", VDF_CONSOLE_REG_INTERRUPT_STATUS, VDF_R | VDF_SAVE, int_status,
          "interrupts that the driver has not acknowledged", .bits = interrupt_bits,
          .reserved = ~UINT64_C(3)),
    REG("InterruptACK", VDF_CONSOLE_REG_INTERRUPT_ACK, VDF_W, 4, "bits of InterruptStatus to clear",
        .bits = interrupt_bits),
    REG("Status", VDF_CONSOLE_REG_STATUS, VDF_RW, 4, "device status; 0 resets",
        .bits = status_bits),
    REG("QueueDescLow", VDF_CONSOLE_REG_QUEUE_DESC_LOW, VDF_W, 4, "descriptor table, low half"),
    REG("QueueDescHigh", VDF_CONSOLE_REG_QUEUE_DESC_HIGH, VDF_W, 4, "descriptor table, high half"),
    REG("QueueDriverLow", VDF_CONSOLE_REG_QUEUE_DRIVER_LOW, VDF_W, 4, "available ring, low half"),
    REG("QueueDriverHigh", VDF_CONSOLE_REG_QUEUE_DRIVER_HIGH, VDF_W, 4,
        "available ring, high half"),
    REG("QueueDeviceLow", VDF_CONSOLE_REG_QUEUE_DEVICE_LOW, VDF_W, 4, "used ring, low half"),
    REG("QueueDeviceHigh", VDF_CONSOLE_REG_QUEUE_DEVICE_HIGH, VDF_W, 4, "used ring, high half"),
    FIELD("SHMSel", VDF_CONSOLE_REG_SHM_SEL, VDF_W | VDF_SAVE, shm_sel, "shared memory region"),
    REG("SHMLenLow", VDF_CONSOLE_REG_SHM_LEN_LOW, VDF_R, 4, "all ones: there is none"),
    REG("SHMLenHigh", VDF_CONSOLE_REG_SHM_LEN_HIGH, VDF_R, 4, "all ones: there is none"),
    REG("SHMBaseLow", VDF_CONSOLE_REG_SHM_BASE_LOW, VDF_R, 4, "all ones: there is none"),
    REG("SHMBaseHigh", VDF_CONSOLE_REG_SHM_BASE_HIGH, VDF_R, 4, "all ones: there is none"),
    REG("QueueReset", VDF_CONSOLE_REG_QUEUE_RESET, VDF_RW, 4, "1 resets the queue; 0 when done",
        .bits = (const struct vdf_bits[]){ { "QueueReset", .low = 0 }, { 0 } }),
    FIELD("ConfigGeneration", VDF_CONSOLE_REG_CONFIG_GENERATION, VDF_R | VDF_SAVE, generation,
          "counts changes of the configuration"),
    FIELD("cols", VDF_CONSOLE_REG_COLS, VDF_R, cols, "columns of port 0"),
    FIELD("rows", VDF_CONSOLE_REG_ROWS, VDF_R, rows, "rows of port 0"),
    FIELD("max_nr_ports", VDF_CONSOLE_REG_MAX_PORTS, VDF_R, max_ports, "max_ports"),
    REG("emerg_wr", VDF_CONSOLE_REG_EMERG_WR, VDF_W, 4,
        "the low byte goes to port 0's data at any time", .bits = emergency_bits),

    { .path = "pci/regs",
      .type = VDF_WINDOW,
      .flags = VDF_RW,
      .doc = "the virtio-pci window",
      .window_ops = &pci_ops,
      .window = VDF_CONSOLE_PCI_REGS },
    PCI("device_feature_select", DEVICE_FEATURE_SELECT, VDF_RW, 4, "which half: 0 or 1"),
    PCI("device_feature", DEVICE_FEATURE, VDF_R, 4, "the selected half of features"),
    PCI("driver_feature_select", DRIVER_FEATURE_SELECT, VDF_RW, 4, "which half: 0 or 1"),
    PCI("driver_feature", DRIVER_FEATURE, VDF_RW, 4, "the selected half of driver_features"),
    { .path = "pci/config_msix_vector",
      .type = VDF_REG,
      .flags = VDF_RW | VDF_SAVE | VDF_NO_FILE,
      VDF_FIELD(struct vdf_console, config_vector),
      .doc = "vector of configuration changes; 0xffff: none",
      .reset = VDF_CONSOLE_NO_VECTOR,
      .set = pci_set,
      .window = VDF_CONSOLE_PCI_REGS,
      .offset = VDF_CONSOLE_PCI_CONFIG_VECTOR },
    PCI("num_queues", NUM_QUEUES, VDF_R, 2, "queues of the device"),
    PCI("device_status", STATUS, VDF_RW, 1, "device status; 0 resets", .bits = status_bits),
    PCI("config_generation", GENERATION, VDF_R, 1, "counts changes of the configuration"),
    PCI("queue_select", QUEUE_SELECT, VDF_RW, 2, "queue that the queue registers are for"),
    PCI("queue_size", QUEUE_SIZE, VDF_RW, 2, "size of the queue, at first the largest one"),
    PCI("queue_msix_vector", QUEUE_VECTOR, VDF_RW, 2,
        "vector of the queue's interrupts; 0xffff: none"),
    PCI("queue_enable", QUEUE_ENABLE, VDF_RW, 2, "1: the device may use the queue"),
    PCI("queue_notify_off", QUEUE_NOTIFY_OFF, VDF_R, 2, "number of the queue's notification"),
    PCI("queue_desc", QUEUE_DESC, VDF_RW, 8, "descriptor table"),
    PCI("queue_driver", QUEUE_DRIVER, VDF_RW, 8, "available ring"),
    PCI("queue_device", QUEUE_DEVICE, VDF_RW, 8, "used ring"),
    PCI("queue_reset", QUEUE_RESET, VDF_RW, 2, "1 resets the queue; 0 when done"),
    PCI("isr_status", ISR, VDF_R, 1, "interrupts since the last read, which clears the register",
        .bits = interrupt_bits, .read_side = isr_read),
    CONFIG("cols", 0, cols, "columns of port 0"),
    CONFIG("rows", 2, rows, "rows of port 0"),
    CONFIG("max_nr_ports", 4, max_ports, "max_ports"),
    PCI("emerg_wr", CONFIG + 8, VDF_W, 4, "the low byte goes to port 0's data at any time",
        .bits = emergency_bits),
    PCI("notify/#", NOTIFY, VDF_W, 2, "number of the queue, which has new buffers",
        .range = { QUEUES }, .stride = VDF_CONSOLE_PCI_NOTIFY_STEP),

    VALUE("device_ready", VDF_BOOL, VDF_NO_FILE, device_ready,
          "the driver has sent DEVICE_READY 1, or goes on without that"),
    VALUE("resumed", VDF_BOOL, VDF_NO_FILE, resumed,
          "the driver goes on after its reset without DEVICE_READY"),
    { .path = "removed",
      .type = VDF_TEXT,
      .flags = VDF_NO_FILE | VDF_SAVE,
      .doc = "ports whose PORT_REMOVE waits for a buffer",
      .show = removed_show,
      .restore_text = removed_restore },
    { .path = "soft",
      .type = VDF_TEXT,
      .flags = VDF_NO_FILE | VDF_SAVE,
      .doc = "state of the soft driver",
      .show = soft_show,
      .restore_text = soft_restore },
    { .path = "ports",
      .type = VDF_OBJECTS,
      .flags = VDF_RW,
      .doc = "ports; mkdir plugs one in, rmdir unplugs it",
      .objects = &ports_objects },
};

static const struct vdf_class console_class = {
    .name = "console",
    .title = "virtio-console",
    .attrs = console_rows,
    .n_attrs = sizeof(console_rows) / sizeof(console_rows[0]),
    .priv_size = sizeof(struct vdf_console),
    .create = vdf_console_create,
    .destroy = vdf_console_destroy,
    .restored = vdf_console_restored,
    .start = vdf_console_start,
    .stop = vdf_console_stop,
    .adopt = vdf_console_adopt,
    .guest = &vdf_console_guest_ops,
};

static int console_prepare(struct vdf_obj *obj, struct vdf_err *err)
{
    vdf_soft_probe(vdf_obj_priv(obj));
    return 0;
}

const struct vdf_component vdf_console_component = {
    .cls = &console_class,
    .default_name = "con0",
    .prepare = console_prepare,
};
