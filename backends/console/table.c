/* SPDX-License-Identifier: GPL-2.0-or-later */
/* console/NAME: its rows, and what reading and writing them does. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <virtdevfs/text.h>

#include "console.h"
#include "soft.h"

#define POOL_DEFAULT (UINT64_C(2) << 20)
#define PORTS_DEFAULT 31u
#define QUEUE_SIZE_DEFAULT 64u

#define WINDOW_REGS 1u

static int next_size(const char **text, uint16_t *value)
{
    const char *word = *text + strspn(*text, " \t");
    size_t len = strcspn(word, " \t");
    uint64_t number = 0;
    int r = vdf_number_parse(word, len, &number);

    *text = word + len;
    *value = (uint16_t)number;
    return !r && number > UINT16_MAX ? -ERANGE : r;
}

int vdf_console_parse_size(const char *text, uint16_t *cols, uint16_t *rows, struct vdf_err *err)
{
    const char *at = text;
    uint16_t c, r;
    int c_fits = next_size(&at, &c);
    int r_fits = next_size(&at, &r);

    if (c_fits == -EINVAL || r_fits == -EINVAL || at[strspn(at, " \t")])
        return vdf_fail(err, EINVAL, "\"%.40s\" is no size: COLS ROWS, two numbers", text);
    if (c_fits || r_fits)
        return vdf_fail(err, ERANGE, "\"%.40s\": columns and rows are at most %u", text,
                        UINT16_MAX);
    *cols = c;
    *rows = r;
    return 0;
}

/* What only a device that no driver has touched lets change; the value that it has already may be
 * written at any time, and does nothing. */
static int need_idle(const struct vdf_console *con, bool same, struct vdf_err *err)
{
    if (con->status && !same)
        return vdf_fail(err, EBUSY, "status is 0x%02x: write 1 to reset first", con->status);
    if (vdf_vhost_user_connected(con) && !same)
        return vdf_fail(err, EBUSY, "a vhost-user front end is connected: write 1 to reset first");
    return 0;
}

/* --- kind, features, pool --------------------------------------------------------------------- */

static int device_check(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_console *con = at->priv;
    int r = need_idle(con, value == con->device, err);

    if (!r && value == VDF_CONSOLE_RPROC)
        r = vdf_console_need_one_port(con, err);
    return r;
}

static int device_set(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_console *con = at->priv;

    (void)err;
    if (value == con->device)
        return 0;
    con->device = (uint8_t)value;
    con->features = vdf_console_default_features((unsigned)value);
    con->dma_mem = false;
    if (vdf_console_port(con, 0))
        vdf_console_port_set_console(vdf_console_port(con, 0), value == VDF_CONSOLE_CONSOLE);
    vdf_console_reset(con);
    return 0;
}

static int device_restore(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_console *con = at->priv;

    (void)err;
    con->device = (uint8_t)value;
    return 0;
}

static int features_possible(const struct vdf_console *con, uint64_t value, struct vdf_err *err)
{
    uint64_t can = vdf_console_possible_features(con->device);

    if (value & ~can)
        return vdf_fail(err, EINVAL, "0x%016" PRIx64 ": bits of 0x%016" PRIx64 " can be offered",
                        value, can);
    if (!(value & VDF_CONSOLE_F_VERSION_1))
        return vdf_fail(err, EINVAL,
                        "0x%016" PRIx64 ": VIRTIO_F_VERSION_1 (bit 32) cannot be left out", value);
    return 0;
}

static int features_check(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_console *con = at->priv;
    int r = need_idle(con, value == con->features, err);

    if (!r)
        r = features_possible(con, value, err);
    if (!r && con->features & ~value & VDF_CONSOLE_F_MULTIPORT)
        r = vdf_console_need_one_port(con, err);
    return r;
}

static int features_restore(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_console *con = at->priv;
    int r = features_possible(con, value, err);

    if (!r)
        con->features = value;
    return r;
}

/* With other features, ports or another pool the queues that the driver may have described are
 * others too. */
static int features_set(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_console *con = at->priv;

    (void)err;
    if (value == con->features)
        return 0;
    con->features = value;
    vdf_console_reset(con);
    return 0;
}

static int dma_mem_check(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_console *con = at->priv;

    if (value && con->device == VDF_CONSOLE_RPROC)
        return vdf_fail(err, EINVAL,
                        "rproc-serial uses the DMA pool always, without a feature bit");
    return need_idle(con, value == con->dma_mem, err);
}

static int dma_mem_set(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_console *con = at->priv;

    (void)err;
    if (value == con->dma_mem)
        return 0;
    con->dma_mem = value;
    if (value)
        con->features |= VDF_CONSOLE_F_DMA_MEM;
    vdf_console_reset(con);
    return 0;
}

static int dma_mem_restore(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_console *con = at->priv;

    if (value && con->device == VDF_CONSOLE_RPROC)
        return vdf_fail(err, EINVAL, "rproc-serial has no dma_mem");
    con->dma_mem = value;
    return 0;
}

static int dma_size_check(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_console *con = at->priv;

    if (!value || value % VDF_PAGE_SIZE || value >= con->memory.size)
        return vdf_fail(err, EINVAL,
                        "%" PRIu64 ": a multiple of %u below memory_size (%" PRIu64 ") is needed",
                        value, VDF_PAGE_SIZE, con->memory.size);
    return need_idle(con, value == con->dma_size, err);
}

static int dma_size_set(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_console *con = at->priv;

    (void)err;
    if (value == con->dma_size)
        return 0;
    con->dma_size = value;
    vdf_console_reset(con);
    return 0;
}

static int dma_size_restore(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_console *con = at->priv;

    if (!value || value % VDF_PAGE_SIZE || value >= con->memory.size)
        return vdf_fail(err, EINVAL, "%" PRIu64 " is no size of a pool in %" PRIu64 " bytes", value,
                        con->memory.size);
    con->dma_size = value;
    vdf_console_update_space(con);
    return 0;
}

static int dma_addr_get(const struct vdf_at *at, uint64_t *value)
{
    *value = vdf_console_pool_addr(at->priv);
    return 0;
}

static int dma_used_get(const struct vdf_at *at, uint64_t *value)
{
    const struct vdf_console *con = at->priv;

    *value = con->soft && con->soft->pool ? con->soft->used_pages * VDF_PAGE_SIZE : 0;
    return 0;
}

static void dma_buffers_show(const struct vdf_at *at, struct vdf_buf *out)
{
    const struct vdf_console *con = at->priv;

    vdf_soft_show_buffers(con->soft, out);
}

/* --- memory ----------------------------------------------------------------------------------- */

static int memory_size_get(const struct vdf_at *at, uint64_t *value)
{
    const struct vdf_console *con = at->priv;

    *value = con->memory.size;
    return 0;
}

static int memory_size_possible(uint64_t value, struct vdf_err *err)
{
    if (value < 2 * VDF_PAGE_SIZE || value > VDF_MEMORY_MAX || value % VDF_PAGE_SIZE)
        return vdf_fail(err, EINVAL, "%" PRIu64 ": a multiple of %u from %u to %" PRIu64, value,
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
    int r = memory_size_possible(value, err);

    if (!r)
        r = need_idle(con, value == con->memory.size, err);
    if (r || value == con->memory.size)
        return r;
    if (con->memory_open)
        return vdf_fail(err, EBUSY, "memory is open: close it first");
    if (value <= con->dma_size)
        return vdf_fail(err, EINVAL, "%" PRIu64 ": it has to be more than dma/size (%" PRIu64 ")",
                        value, con->dma_size);
    memory_resize(con, value);
    return 0;
}

/* The pool's size follows, in the next line. */
static int memory_size_restore(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    int r = memory_size_possible(value, err);

    if (!r)
        memory_resize(at->priv, value);
    return r;
}

static void memory_opened(const struct vdf_at *at, bool open)
{
    struct vdf_console *con = at->priv;

    con->memory_open = open;
}

static const struct vdf_raw_ops memory_ops = {
    .opened = memory_opened,
};

/* --- status, ports, size, driver -------------------------------------------------------------- */

static int reset_set(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_console *con = at->priv;

    if (!value)
        return vdf_fail(err, EINVAL, "0: 1 resets the device");
    vdf_soft_unbind(con);
    /* The driver could not be told; its front end finds a fresh device when it connects again. */
    vdf_vhost_user_drop(con);
    vdf_console_reset(con);
    return 0;
}

static int max_ports_check(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_console *con = at->priv;

    if (!value || value > VDF_CONSOLE_PORTS_MAX)
        return vdf_fail(err, EINVAL, "%" PRIu64 ": 1 to %u ports", value, VDF_CONSOLE_PORTS_MAX);
    if (vdf_console_ports_from(con, (uint32_t)value))
        return vdf_fail(err, EBUSY, "%" PRIu64 ": there are ports with this number or a higher one",
                        value);
    if (con->vhost_path && vdf_vhost_user_ports_check((uint32_t)value, err))
        return -EINVAL;
    return need_idle(con, value == con->max_ports, err);
}

static int max_ports_set(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_console *con = at->priv;

    (void)err;
    if (value == con->max_ports)
        return 0;
    con->max_ports = (uint32_t)value;
    vdf_console_reset(con);
    return 0;
}

static int max_ports_restore(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_console *con = at->priv;

    if (!value || value > VDF_CONSOLE_PORTS_MAX)
        return vdf_fail(err, EINVAL, "%" PRIu64 ": 1 to %u ports", value, VDF_CONSOLE_PORTS_MAX);
    con->max_ports = (uint32_t)value;
    return 0;
}

static int queue_max_possible(uint64_t value, struct vdf_err *err)
{
    if (value < 2 || value > VDF_VQ_SIZE_MAX || value & (value - 1))
        return vdf_fail(err, EINVAL, "%" PRIu64 ": a power of two from 2 to %u", value,
                        VDF_VQ_SIZE_MAX);
    return 0;
}

static int queue_max_check(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_console *con = at->priv;
    int r = queue_max_possible(value, err);

    return r ? r : need_idle(con, value == con->queue_size, err);
}

static int queue_max_set(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_console *con = at->priv;

    (void)err;
    if (value == con->queue_size)
        return 0;
    con->queue_size = (uint16_t)value;
    vdf_console_reset(con);
    return 0;
}

static int queue_max_restore(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    int r = queue_max_possible(value, err);

    if (!r)
        ((struct vdf_console *)at->priv)->queue_size = (uint16_t)value;
    return r;
}

static void console_size_show(const struct vdf_at *at, struct vdf_buf *out)
{
    const struct vdf_console *con = at->priv;

    vdf_buf_printf(out, "%u %u", con->cols, con->rows);
}

void vdf_console_set_size(struct vdf_console *con, uint16_t cols, uint16_t rows)
{
    if (con->cols == cols && con->rows == rows)
        return;
    con->cols = cols;
    con->rows = rows;
    /* With MULTIPORT a control message tells (5.3.5), without it the configuration space. */
    if (vdf_console_multiport(con))
        con->generation++;
    else
        vdf_console_config_changed(con);
    vdf_console_settle(con);
}

static int console_size_store(const struct vdf_at *at, const char *text, size_t len,
                              struct vdf_err *err)
{
    uint16_t cols, rows;
    int r = vdf_console_parse_size(text, &cols, &rows, err);

    (void)len;
    if (!r)
        vdf_console_set_size(at->priv, cols, rows);
    return r;
}

static int console_size_restore(const struct vdf_at *at, const char *text, size_t len,
                                struct vdf_err *err)
{
    struct vdf_console *con = at->priv;

    (void)len;
    return vdf_console_parse_size(text, &con->cols, &con->rows, err);
}

static const char *const device_names[] = { "console", "rproc-serial", NULL };
static const char *const order_names[] = { "cols-rows", "rows-cols", NULL };
static const char *const driver_names[] = { "soft", "none", "vhost-user", "vm", NULL };

void vdf_console_bind(struct vdf_console *con)
{
    struct vdf_err err = { 0 };
    int r;

    if (con->driver != VDF_CONSOLE_SOFT || con->soft || con->status)
        return;
    r = vdf_soft_bind(con, &err);
    if (r)
        vdf_report(con->priv.obj, -r, "driver: %s", err.text);
    vdf_console_settle(con);
}

static int driver_check(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_console *con = at->priv;

    if (value == con->driver)
        return 0;
    if (con->guest_memory)
        return vdf_fail(err, EBUSY, "%s: the console is attached to a VM; detach it first",
                        driver_names[value]);
    if (value > VDF_CONSOLE_NONE)
        return vdf_fail(err, EINVAL, "%s: set by what attaches; write soft or none",
                        driver_names[value]);
    if (con->vhost_path)
        return vdf_fail(err, EBUSY, "vhost_user is set: empty it first");
    return 0;
}

static int driver_set(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_console *con = at->priv;

    (void)err;
    if (value == con->driver && value > VDF_CONSOLE_NONE)
        return 0;
    bool was_vm = con->driver == VDF_CONSOLE_VM;
    con->driver = (uint8_t)value;
    if (value == VDF_CONSOLE_SOFT) {
        if (!con->soft) {
            vdf_console_reset(con);
            vdf_console_bind(con);
        }
    } else if (con->soft || was_vm) {
        vdf_soft_unbind(con);
        vdf_console_reset(con);
    }
    return 0;
}

static int driver_restore(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_console *con = at->priv;

    (void)err;
    con->driver = (uint8_t)value;
    return 0;
}

static int driver_before_check(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    (void)at;
    return value > VDF_CONSOLE_NONE ? vdf_fail(err, EINVAL, "soft or none") : 0;
}

static void vhost_user_show(const struct vdf_at *at, struct vdf_buf *out)
{
    const struct vdf_console *con = at->priv;

    if (con->vhost_path)
        vdf_buf_printf(out, "%s", con->vhost_path);
}

/* The side that the driver is on changes: whoever was there loses the device. */
static void set_side(struct vdf_console *con, uint8_t driver, char *path)
{
    vdf_soft_unbind(con);
    if (!path)
        vdf_vhost_user_stop(con);
    free(con->vhost_path);
    con->vhost_path = path;
    con->driver = driver;
    vdf_console_reset(con);
    vdf_console_bind(con);
}

static int vhost_user_store(const struct vdf_at *at, const char *text, size_t len,
                            struct vdf_err *err)
{
    struct vdf_console *con = at->priv;
    char *path;
    int r;

    (void)len;
    if (!strcmp(text, con->vhost_path ? con->vhost_path : ""))
        return *text ? vdf_vhost_user_again(con, err) : 0;
    if (!*text) {
        set_side(con, con->driver_before, NULL);
        return 0;
    }
    if (con->driver == VDF_CONSOLE_VM)
        return vdf_fail(err, EBUSY, "driver is vm: detach the console from the VM first");
    r = vdf_vhost_user_possible(con, text, err);
    if (r)
        return r;
    path = strdup(text);
    if (!path)
        return vdf_fail(err, ENOMEM, "no memory for the path");
    r = vdf_vhost_user_start(con, path, err);
    if (r) {
        free(path);
        return r;
    }
    if (con->driver != VDF_CONSOLE_VHOST_USER)
        con->driver_before = con->driver;
    set_side(con, VDF_CONSOLE_VHOST_USER, path);
    return 0;
}

/* The other limits depend on rows that come later: vdf_console_restored(). */
static int vhost_user_restore(const struct vdf_at *at, const char *text, size_t len,
                              struct vdf_err *err)
{
    struct vdf_console *con = at->priv;

    (void)len;
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

#define QUEUE_GETTER(name, expression)                                      \
    static int queue_##name##_get(const struct vdf_at *at, uint64_t *value) \
    {                                                                       \
        const struct vdf_console *con = at->priv;                           \
        const struct vdf_vq *vq = vdf_console_queue(con, at->i);            \
                                                                            \
        *value = (expression);                                              \
        return 0;                                                           \
    }
#define QUEUE_FIELD(name, member)                                              \
    QUEUE_GETTER(name, vq->member)                                             \
    static int queue_##name##_restore(const struct vdf_at *at, uint64_t value, \
                                      struct vdf_err *err)                     \
    {                                                                          \
        struct vdf_vq *vq = vdf_console_queue_make(at->priv, at->i);           \
                                                                               \
        if (!vq)                                                               \
            return vdf_fail(err, ENOMEM, "no memory for the queues");          \
        vq->member = (__typeof__(vq->member))value;                            \
        return 0;                                                              \
    }
QUEUE_FIELD(size, num)
QUEUE_FIELD(ready, ready)
QUEUE_FIELD(desc, desc)
QUEUE_FIELD(driver, driver)
QUEUE_FIELD(device, device)
QUEUE_FIELD(broken, broken)
QUEUE_FIELD(used_idx, used_idx)
QUEUE_FIELD(last_avail, last_avail)
QUEUE_GETTER(avail_idx, vq->ready ? vdf_vq_avail_idx(&con->space, vq) : 0)

/* --- the window ------------------------------------------------------------------------------- */

static uint64_t regs_size(const struct vdf_at *at)
{
    (void)at;
    return VDF_CONSOLE_REGS_SIZE;
}

static const struct vdf_window_ops regs_ops = {
    .size = regs_size,
    .align = 4,
};

static int reg_get(const struct vdf_at *at, uint64_t *value)
{
    *value = vdf_console_reg_read(at->priv, (unsigned)at->attr->offset);
    return 0;
}

static int reg_set(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_console *con = at->priv;

    if (con->vhost_path)
        return vdf_fail(err, EBUSY, "the driver is on the other side of vhost_user");
    /* A driver that resets the device has taken it over. Status has eight bits (2.1). */
    if (at->attr->offset == VDF_CONSOLE_REG_STATUS && !(value & UINT8_MAX))
        vdf_soft_unbind(con);
    vdf_console_reg_write(con, (unsigned)at->attr->offset, (uint32_t)value);
    vdf_console_settle(con);
    return 0;
}

static int interrupt_restore(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_console *con = at->priv;

    if (value & ~(uint64_t)(VDF_CONSOLE_INT_USED | VDF_CONSOLE_INT_CONFIG))
        return vdf_fail(err, EINVAL, "0x%" PRIx64 ": interrupt bits are 0 and 1", value);
    con->int_status = (uint8_t)value;
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

    (void)len;
    while (*text) {
        char *end;
        unsigned long id = strtoul(text, &end, 10);

        if (end == text || (*end && *end != ' ') || *text < '0' || *text > '9' ||
            id >= con->max_ports || con->n_removed >= con->max_ports)
            return vdf_fail(err, EINVAL, "\"%.40s\" is no list of ports", text);
        if (vdf_console_control_removed(con, (uint32_t)id))
            return vdf_fail(err, ENOMEM, "no memory for removed ports");
        text = end + (*end == ' ');
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
    int r = vdf_soft_parse(text, &soft, err);

    (void)len;
    if (r)
        return r;
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

#define QUEUES                                                              \
    {                                                                       \
        .counted = queues_count, .used = queues_used, .text = "0..queues-1" \
    }
#define QUEUE(name, kind, bytes, about)                                                     \
    {                                                                                       \
        .path = "queues/#/" #name, .type = kind, .flags = VDF_R | VDF_SAVE, .width = bytes, \
        .doc = about, .range = { QUEUES }, .get = queue_##name##_get,                       \
        .restore = queue_##name##_restore                                                   \
    }
#define REG(name, at, access, bytes, text)                                                     \
    {                                                                                          \
        .path = "reg/" name, .type = VDF_REG, .flags = (access) | VDF_NO_FILE, .width = bytes, \
        .doc = text, .get = reg_get, .set = reg_set, .window = WINDOW_REGS, .offset = at       \
    }
#define REG_FIELD(name, at, access, member, text)                                               \
    {                                                                                           \
        .path = "reg/" name, .type = VDF_REG, .flags = (access) | VDF_NO_FILE | VDF_SAVE,       \
        VDF_FIELD(struct vdf_console, member), .doc = text, .window = WINDOW_REGS, .offset = at \
    }

static const struct vdf_attr console_attrs[] = {
    { .path = "device",
      .type = VDF_CHOICE,
      .flags = VDF_RW | VDF_SAVE,
      VDF_FIELD(struct vdf_console, device),
      .doc = "kind of device: console (virtio id 3) or rproc-serial (id 11); while status is 0",
      .choices = device_names,
      .check = device_check,
      .set = device_set,
      .restore = device_restore },
    { .path = "features",
      .type = VDF_REG,
      .flags = VDF_RW | VDF_SAVE,
      VDF_FIELD(struct vdf_console, features),
      .doc = "feature bits that the device offers; while status is 0",
      .reset = VDF_CONSOLE_F_SIZE | VDF_CONSOLE_F_MULTIPORT | VDF_CONSOLE_F_EMERG_WRITE |
               VDF_CONSOLE_F_INDIRECT | VDF_CONSOLE_F_EVENT_IDX | VDF_CONSOLE_F_VERSION_1 |
               VDF_CONSOLE_F_IN_ORDER | VDF_CONSOLE_F_RING_RESET,
      .check = features_check,
      .set = features_set,
      .restore = features_restore },
    { .path = "driver_features",
      .type = VDF_REG,
      .flags = VDF_R | VDF_SAVE,
      VDF_FIELD(struct vdf_console, driver_features),
      .doc = "feature bits that the driver has accepted" },
    { .path = "dma_mem",
      .type = VDF_BOOL,
      .flags = VDF_RW | VDF_SAVE,
      VDF_FIELD(struct vdf_console, dma_mem),
      .doc = "1: feature bit 2 means DMA_MEM (buffers and rings from the DMA pool only), not "
             "EMERG_WRITE; while status is 0",
      .check = dma_mem_check,
      .set = dma_mem_set,
      .restore = dma_mem_restore },
    { .path = "memory_size",
      .type = VDF_UINT,
      .flags = VDF_RW | VDF_SAVE,
      .width = 8,
      .doc = "bytes of guest memory, from address 0; while status is 0, what was in it is lost",
      .get = memory_size_get,
      .set = memory_size_set,
      .restore = memory_size_restore },
    { .path = "dma/size",
      .type = VDF_UINT,
      .flags = VDF_RW | VDF_SAVE,
      VDF_FIELD(struct vdf_console, dma_size),
      .doc = "bytes of the coherent DMA pool; while status is 0",
      .reset = POOL_DEFAULT,
      .check = dma_size_check,
      .set = dma_size_set,
      .restore = dma_size_restore },
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
          "what is in use, one a line: ADDRESS BYTES ring, control, receive, transmit, or pending "
          "(given up, returned to the pool with the next allocation or close)",
      .show = dma_buffers_show },
    { .path = "dma/violations",
      .type = VDF_UINT,
      .flags = VDF_R | VDF_SAVE,
      VDF_FIELD(struct vdf_console, violations),
      .doc = "rings and buffers that a driver put outside of the pool" },
    { .path = "memory",
      .type = VDF_RAW,
      .flags = VDF_RW | VDF_SAVE | VDF_MAP | VDF_HOLDS,
      .doc = "guest memory, the pool in it",
      .has_field = true,
      .field = offsetof(struct vdf_console, memory),
      .raw = &memory_ops },
    { .path = "bytes_discarded",
      .type = VDF_UINT,
      .flags = VDF_R | VDF_SAVE,
      VDF_FIELD(struct vdf_console, discarded),
      .doc = "bytes dropped without a port to count them: those in a port that was unplugged, and "
             "output for a port that is not there" },
    { .path = "max_ports",
      .type = VDF_UINT,
      .flags = VDF_RW | VDF_SAVE,
      VDF_FIELD(struct vdf_console, max_ports),
      .doc = "ports that the device may have, 1 to 32768; while status is 0",
      .reset = PORTS_DEFAULT,
      .check = max_ports_check,
      .set = max_ports_set,
      .restore = max_ports_restore },
    { .path = "queue_size",
      .type = VDF_UINT,
      .flags = VDF_RW | VDF_SAVE,
      VDF_FIELD(struct vdf_console, queue_size),
      .doc =
          "descriptors that a queue may have in regs, a power of two from 2 to 1024; while status "
          "is 0; the soft driver takes 64 at most, and a vhost-user front end chooses itself",
      .reset = QUEUE_SIZE_DEFAULT,
      .check = queue_max_check,
      .set = queue_max_set,
      .restore = queue_max_restore },
    { .path = "size",
      .type = VDF_TEXT,
      .flags = VDF_RW | VDF_SAVE,
      .doc = "COLS ROWS of the console on port 0; 0 0 when not known",
      .show = console_size_show,
      .store = console_size_store,
      .restore_text = console_size_restore },
    { .path = "resize_order",
      .type = VDF_CHOICE,
      .flags = VDF_RW | VDF_SAVE,
      VDF_FIELD(struct vdf_console, resize_order),
      .doc =
          "order of the two fields of a RESIZE message: cols-rows as specified, rows-cols for the "
          "Linux versions that read them so",
      .choices = order_names },
    { .path = "driver",
      .type = VDF_CHOICE,
      .flags = VDF_RW | VDF_SAVE,
      VDF_FIELD(struct vdf_console, driver),
      .doc =
          "who is on the other side: soft (a driver inside, which probes the device when soft is "
          "written or a port is first opened) or none; vhost-user and vm are set by what attaches",
      .choices = driver_names,
      .check = driver_check,
      .set = driver_set,
      .restore = driver_restore },
    { .path = "driver_before",
      .type = VDF_CHOICE,
      .flags = VDF_NO_FILE | VDF_SAVE,
      VDF_FIELD(struct vdf_console, driver_before),
      .doc = "what driver becomes when vhost_user is emptied",
      .choices = driver_names,
      .check = driver_before_check },
    { .path = "vhost_user",
      .type = VDF_TEXT,
      .flags = VDF_RW | VDF_SAVE,
      .doc = "absolute path of a socket to serve the device on, for a vhost-user front end; empty: "
             "none, and driver is again what it was before",
      .show = vhost_user_show,
      .store = vhost_user_store,
      .restore_text = vhost_user_restore },
    { .path = "status",
      .type = VDF_REG,
      .flags = VDF_R | VDF_SAVE,
      VDF_FIELD(struct vdf_console, status),
      .doc = "virtio device status: 1 ACKNOWLEDGE, 2 DRIVER, 4 DRIVER_OK, 8 FEATURES_OK, 0x40 "
             "DEVICE_NEEDS_RESET, 0x80 FAILED" },
    { .path = "reset",
      .type = VDF_BOOL,
      .flags = VDF_W,
      .doc = "1 resets the device; the soft driver probes it again when a port is opened",
      .set = reset_set },
    { .path = "control",
      .type = VDF_LOG,
      .flags = VDF_R,
      .doc = "control messages, one a line: > from the device, < from the driver",
      .has_field = true,
      .field = offsetof(struct vdf_console, control) },
    QUEUE(size, VDF_UINT, 2, "descriptors of the queue, 0 before the driver sets it"),
    QUEUE(ready, VDF_BOOL, 1, "1 while the device may use the queue"),
    QUEUE(broken, VDF_BOOL, 1,
          "1 from the driver's breach of virtio's rules until the queue or the device is reset"),
    QUEUE(desc, VDF_REG, 8, "guest address of the descriptor table, or of the packed ring"),
    QUEUE(driver, VDF_REG, 8,
          "guest address of the available ring, or of the driver's event suppression"),
    QUEUE(device, VDF_REG, 8,
          "guest address of the used ring, or of the device's event suppression"),
    { .path = "queues/#/avail_idx",
      .type = VDF_UINT,
      .flags = VDF_R,
      .width = 2,
      .doc = "the driver's index in the available ring, or the place behind what it has made "
             "available in a packed one",
      .range = { QUEUES },
      .get = queue_avail_idx_get },
    QUEUE(used_idx, VDF_UINT, 2,
          "the device's index in the used ring, or its place in a packed one"),
    QUEUE(last_avail, VDF_UINT, 2,
          "entries of the available ring that the device has taken, or the next place of a packed "
          "one"),

    { .path = "regs",
      .type = VDF_WINDOW,
      .flags = VDF_RW,
      .doc = "the virtio-mmio window, version 2",
      .window_ops = &regs_ops,
      .window = WINDOW_REGS },
    REG("MagicValue", VDF_CONSOLE_REG_MAGIC, VDF_R, 4, "\"virt\""),
    REG("Version", VDF_CONSOLE_REG_VERSION, VDF_R, 4, "2"),
    REG("DeviceID", VDF_CONSOLE_REG_DEVICE_ID, VDF_R, 4, "3 or 11, as device says"),
    REG("VendorID", VDF_CONSOLE_REG_VENDOR_ID, VDF_R, 4, "\"VDFS\""),
    REG("DeviceFeatures", VDF_CONSOLE_REG_DEVICE_FEATURES, VDF_R, 4,
        "the selected half of features"),
    REG_FIELD("DeviceFeaturesSel", VDF_CONSOLE_REG_DEVICE_FEATURES_SEL, VDF_W, device_features_sel,
              "which half: 0 or 1"),
    REG("DriverFeatures", VDF_CONSOLE_REG_DRIVER_FEATURES, VDF_W, 4,
        "the selected half of driver_features"),
    REG_FIELD("DriverFeaturesSel", VDF_CONSOLE_REG_DRIVER_FEATURES_SEL, VDF_W, driver_features_sel,
              "which half: 0 or 1"),
    REG_FIELD("QueueSel", VDF_CONSOLE_REG_QUEUE_SEL, VDF_W, queue_sel,
              "queue that the queue registers are for"),
    REG("QueueNumMax", VDF_CONSOLE_REG_QUEUE_NUM_MAX, VDF_R, 4,
        "largest size of the queue, 0: no such queue"),
    REG("QueueNum", VDF_CONSOLE_REG_QUEUE_NUM, VDF_W, 4, "size of the queue"),
    REG("QueueReady", VDF_CONSOLE_REG_QUEUE_READY, VDF_RW, 4, "1: the device may use the queue"),
    REG("QueueNotify", VDF_CONSOLE_REG_QUEUE_NOTIFY, VDF_W, 4,
        "number of a queue with new buffers"),
    { .path = "reg/InterruptStatus",
      .type = VDF_REG,
      .flags = VDF_R | VDF_NO_FILE | VDF_SAVE,
      .width = 4,
      .doc = "bit 0: used buffers, bit 1: configuration change",
      .get = reg_get,
      .restore = interrupt_restore,
      .window = WINDOW_REGS,
      .offset = VDF_CONSOLE_REG_INTERRUPT_STATUS },
    REG("InterruptACK", VDF_CONSOLE_REG_INTERRUPT_ACK, VDF_W, 4, "bits to clear"),
    REG("Status", VDF_CONSOLE_REG_STATUS, VDF_RW, 4, "device status; 0 resets"),
    REG("QueueDescLow", VDF_CONSOLE_REG_QUEUE_DESC_LOW, VDF_W, 4, "descriptor table, low half"),
    REG("QueueDescHigh", VDF_CONSOLE_REG_QUEUE_DESC_HIGH, VDF_W, 4, "descriptor table, high half"),
    REG("QueueDriverLow", VDF_CONSOLE_REG_QUEUE_DRIVER_LOW, VDF_W, 4, "available ring, low half"),
    REG("QueueDriverHigh", VDF_CONSOLE_REG_QUEUE_DRIVER_HIGH, VDF_W, 4,
        "available ring, high half"),
    REG("QueueDeviceLow", VDF_CONSOLE_REG_QUEUE_DEVICE_LOW, VDF_W, 4, "used ring, low half"),
    REG("QueueDeviceHigh", VDF_CONSOLE_REG_QUEUE_DEVICE_HIGH, VDF_W, 4, "used ring, high half"),
    REG_FIELD("SHMSel", VDF_CONSOLE_REG_SHM_SEL, VDF_W, shm_sel, "shared memory region"),
    REG("SHMLenLow", VDF_CONSOLE_REG_SHM_LEN_LOW, VDF_R, 4, "all ones: there is none"),
    REG("SHMLenHigh", VDF_CONSOLE_REG_SHM_LEN_HIGH, VDF_R, 4, "all ones: there is none"),
    REG("SHMBaseLow", VDF_CONSOLE_REG_SHM_BASE_LOW, VDF_R, 4, "all ones: there is none"),
    REG("SHMBaseHigh", VDF_CONSOLE_REG_SHM_BASE_HIGH, VDF_R, 4, "all ones: there is none"),
    REG("QueueReset", VDF_CONSOLE_REG_QUEUE_RESET, VDF_RW, 4, "1 resets the queue; 0 when done"),
    REG_FIELD("ConfigGeneration", VDF_CONSOLE_REG_CONFIG_GENERATION, VDF_R, generation,
              "counts changes of the configuration"),
    REG("cols", VDF_CONSOLE_REG_COLS, VDF_R, 2, "columns of port 0"),
    REG("rows", VDF_CONSOLE_REG_ROWS, VDF_R, 2, "rows of port 0"),
    REG("max_nr_ports", VDF_CONSOLE_REG_MAX_PORTS, VDF_R, 4, "max_ports"),
    REG("emerg_wr", VDF_CONSOLE_REG_EMERG_WR, VDF_W, 4,
        "the low byte goes to port 0's data at any time"),

    { .path = "device_ready",
      .type = VDF_BOOL,
      .flags = VDF_NO_FILE | VDF_SAVE,
      VDF_FIELD(struct vdf_console, device_ready),
      .doc = "the driver has sent DEVICE_READY 1, or goes on without" },
    { .path = "resumed",
      .type = VDF_BOOL,
      .flags = VDF_NO_FILE | VDF_SAVE,
      VDF_FIELD(struct vdf_console, resumed),
      .doc = "the driver goes on after its reset without DEVICE_READY" },
    { .path = "removed",
      .type = VDF_TEXT,
      .flags = VDF_NO_FILE | VDF_SAVE,
      .doc = "ports whose PORT_REMOVE waits for a buffer",
      .show = removed_show,
      .restore_text = removed_restore },
    { .path = "soft",
      .type = VDF_TEXT,
      .flags = VDF_NO_FILE | VDF_SAVE,
      .doc = "what the soft driver knows",
      .show = soft_show,
      .restore_text = soft_restore },
    { .path = "ports",
      .type = VDF_OBJECTS,
      .flags = VDF_RW,
      .doc = "ports; mkdir plugs one in, rmdir unplugs it",
      .objects = &ports_objects },
};

const struct vdf_class vdf_console_class = {
    .name = "console",
    .title = "virtio-console",
    .attrs = console_attrs,
    .n_attrs = sizeof(console_attrs) / sizeof(console_attrs[0]),
    .priv_size = sizeof(struct vdf_console),
    .create = vdf_console_create,
    .destroy = vdf_console_destroy,
    .restored = vdf_console_restored,
    .start = vdf_console_start,
    .stop = vdf_console_stop,
    .adopt = vdf_console_adopt,
    .guest = &vdf_console_guest_ops,
};
