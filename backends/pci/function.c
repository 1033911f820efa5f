/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The function as a client uses it. See function.h. */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "pci.h"

/* --- regions ---------------------------------------------------------------------------------- */

uint64_t vdf_pci_region_size(const struct vdf_pci *pci, unsigned index)
{
    if (index < VDF_PCI_BARS)
        return vdf_pci_bar_size(pci, index);
    return index == VDF_PCI_CONFIG ? vdf_pci_config_size(pci) : 0;
}

/* The descriptor is a duplicate, because the device may give its page up at any time. */
static int map_region(const struct vdf_pci *pci, unsigned index, struct vdf_pci_region *region)
{
    const struct vdf_memory *memory = index < VDF_PCI_BARS ? vdf_pci_bar_memory(pci, index) : NULL;

    if (!memory)
        return 0;
    region->fd = fcntl(vdf_memory_file(memory, &region->offset), F_DUPFD_CLOEXEC, 0);
    region->maps = memory->size < region->size ? memory->size : region->size;
    return region->fd < 0 ? -errno : 0;
}

int vdf_pci_region(const struct vdf_pci *pci, unsigned index, struct vdf_pci_region *region,
                   const atomic_bool *stop)
{
    *region = (struct vdf_pci_region){ .size = vdf_pci_region_size(pci, index), .fd = -1 };
    region->writable = region->size != 0;
    if (!vdf_pci_enter(pci->priv.obj, stop))
        return -ESHUTDOWN;
    int ret = map_region(pci, index, region);
    vdf_pci_leave(pci->priv.obj, false, stop);
    return ret;
}

/* --- accesses --------------------------------------------------------------------------------- */

/* The registers behind a region: a device's window, or the table of MSI-X. */
struct registers {
    struct vdf_pci *pci;
    struct vdf_pci_part *part; /* NULL: the table */
};

/* Where a window ends before its base address register does, nothing is. */
static bool within(const struct vdf_pci_part *part, uint64_t offset, unsigned width)
{
    uint64_t size = vdf_guest_size(part->target, part->part);

    return offset < size && width <= size - offset;
}

static int read_one(const struct registers *from, uint64_t offset, unsigned width, uint64_t *value,
                    struct vdf_err *err)
{
    *value = 0;
    if (!from->part)
        *value = vdf_pci_msix_read(&from->pci->irqs, offset, width);
    else if (within(from->part, offset, width))
        return vdf_guest_read(from->part->target, from->part->part, offset, width, value, err);
    return 0;
}

static int write_one(const struct registers *to, uint64_t offset, unsigned width, uint64_t value,
                     struct vdf_err *err)
{
    if (!to->part)
        vdf_pci_msix_write(&to->pci->irqs, offset, width, value);
    else if (within(to->part, offset, width))
        return vdf_guest_write(to->part->target, to->part->part, offset, width, value, err);
    return 0;
}

/* The widest aligned access of up to 8 bytes. */
static unsigned width_at(uint64_t offset, size_t n)
{
    unsigned width = 8;

    while (width > 1 && (offset % width || n < width))
        width /= 2;
    return width;
}

/* One access after the other; @to NULL: writes of @from. */
static int access_all(const struct registers *registers, uint64_t offset, uint8_t *to,
                      const uint8_t *from, size_t n, struct vdf_err *err)
{
    int ret = 0;

    for (size_t done = 0; ret == 0 && done < n;) {
        unsigned width = width_at(offset + done, n - done);
        uint64_t value = 0;

        if (to) {
            ret = read_one(registers, offset + done, width, &value, err);
            value = htole64(value);
            memcpy(to + done, &value, width);
        } else {
            memcpy(&value, from + done, width);
            ret = write_one(registers, offset + done, width, le64toh(value), err);
        }
        done += width;
    }
    return ret;
}

static int access_registers(struct vdf_pci *pci, unsigned region, uint64_t offset, void *to,
                            const void *from, size_t n, const atomic_bool *stop,
                            struct vdf_err *err)
{
    const struct registers registers = { .pci = pci, .part = vdf_pci_window(pci, region) };
    struct vdf_obj *obj = registers.part ? registers.part->target : pci->priv.obj;

    if (!vdf_pci_enter(obj, stop))
        return -ESHUTDOWN;
    int ret = access_all(&registers, offset, to, from, n, err);
    /* A read with a side effect reports its change itself. */
    vdf_pci_leave(obj, from != NULL, stop);
    return ret;
}

/* The memory that a base address register has of its own; NULL: it has none. */
static uint8_t *own_memory(const struct vdf_pci *pci, unsigned region)
{
    return pci->bars[region] ? pci->bars[region]->own.base : NULL;
}

static bool has_registers(struct vdf_pci *pci, unsigned region)
{
    return vdf_pci_window(pci, region) ||
           (!pci->bars[region] && pci->irqs.n && pci->msix_bar == region);
}

static int check_range(const struct vdf_pci *pci, unsigned region, uint64_t offset, size_t n,
                       struct vdf_err *err)
{
    uint64_t size = vdf_pci_region_size(pci, region);

    if (offset > size || n > size - offset)
        return vdf_fail(err, EINVAL,
                        "%zu bytes at 0x%" PRIx64 " of region %u: the region has 0x%" PRIx64, n,
                        offset, region, size);
    return 0;
}

int vdf_pci_read(struct vdf_pci *pci, unsigned region, uint64_t offset, void *bytes, size_t n,
                 const atomic_bool *stop, struct vdf_err *err)
{
    int ret = check_range(pci, region, offset, n, err);

    if (ret < 0)
        return ret;
    if (region == VDF_PCI_CONFIG)
        return vdf_pci_config_read(pci, offset, bytes, n, stop, err);
    if (has_registers(pci, region))
        return access_registers(pci, region, offset, bytes, NULL, n, stop, err);
    if (own_memory(pci, region))
        memcpy(bytes, own_memory(pci, region) + offset, n);
    else
        memset(bytes, 0, n);
    return 0;
}

int vdf_pci_write(struct vdf_pci *pci, unsigned region, uint64_t offset, const void *bytes,
                  size_t n, const atomic_bool *stop, struct vdf_err *err)
{
    int ret = check_range(pci, region, offset, n, err);

    if (ret < 0)
        return ret;
    if (region == VDF_PCI_CONFIG)
        return vdf_pci_config_write(pci, offset, bytes, n, stop, err);
    if (has_registers(pci, region))
        return access_registers(pci, region, offset, NULL, bytes, n, stop, err);
    if (own_memory(pci, region))
        memcpy(own_memory(pci, region) + offset, bytes, n);
    return 0;
}

unsigned vdf_pci_doorbells(const struct vdf_pci *pci, unsigned region,
                           struct vdf_guest_doorbell *list, int *fds, unsigned max)
{
    const struct vdf_pci_part *part =
        region < VDF_PCI_BARS ? vdf_pci_window((struct vdf_pci *)pci, region) : NULL;
    unsigned n = part ? part->bells.n : 0;

    if (n > max)
        n = max;
    for (unsigned k = 0; k < n; k++) {
        list[k] = part->bells.list[k].doorbell;
        fds[k] = part->bells.list[k].fd;
    }
    return n;
}

/* Call @fn for each device that is attached, with its lock. */
static int with_parts(struct vdf_pci *pci, void (*fn)(struct vdf_pci_part *part, const void *arg),
                      const void *arg, const atomic_bool *stop)
{
    for (unsigned k = 0; k < VDF_PCI_PARTS; k++) {
        struct vdf_pci_part *part = &pci->parts[k];

        if (!part->target)
            continue;
        if (!vdf_pci_enter(part->target, stop))
            return -ESHUTDOWN;
        fn(part, arg);
        vdf_pci_leave(part->target, true, stop);
    }
    return 0;
}

/* --- interrupts ------------------------------------------------------------------------------- */

unsigned vdf_pci_irqs(const struct vdf_pci *pci, unsigned index)
{
    return index == VDF_PCI_INTX ? 1 : index == VDF_PCI_MSIX ? pci->irqs.n : 0;
}

/* Run @code with the lock of the function, whose registers show the change. */
#define WITH_LOCK(pci, stop, code)                    \
    do {                                              \
        if (!vdf_pci_enter((pci)->priv.obj, (stop)))  \
            return -ESHUTDOWN;                        \
        code;                                         \
        vdf_pci_leave((pci)->priv.obj, true, (stop)); \
    } while (0)

static void connect(struct vdf_pci *pci, unsigned index, unsigned n, struct vdf_signal *signal)
{
    if (index == VDF_PCI_INTX)
        vdf_pci_intx_connect(&pci->irqs, signal);
    else
        vdf_pci_msix_connect(&pci->irqs, n, signal);
}

int vdf_pci_irq_connect(struct vdf_pci *pci, unsigned index, unsigned n, struct vdf_signal *signal,
                        const atomic_bool *stop)
{
    WITH_LOCK(pci, stop, connect(pci, index, n, signal));
    return 0;
}

static void disconnect(struct vdf_pci *pci, unsigned index)
{
    for (unsigned n = 0; n < vdf_pci_irqs(pci, index); n++)
        connect(pci, index, n, NULL);
}

static void disable(struct vdf_pci *pci, unsigned index)
{
    disconnect(pci, index);
    if (index == VDF_PCI_MSIX)
        vdf_pci_msix_enable(&pci->irqs, false);
}

int vdf_pci_irq_disable(struct vdf_pci *pci, unsigned index, const atomic_bool *stop)
{
    WITH_LOCK(pci, stop, disable(pci, index));
    return 0;
}

void vdf_pci_irq_disconnect_all(struct vdf_pci *pci)
{
    disconnect(pci, VDF_PCI_INTX);
    disconnect(pci, VDF_PCI_MSIX);
}

static void end_interrupt(struct vdf_pci_part *part, const void *arg)
{
    if (part->ops->eoi)
        part->ops->eoi(part->target, part->part);
}

/* When the guest ends the interrupt, every device of the line hears of that, and then a line that is
 * still high interrupts again. */
int vdf_pci_irq_mask(struct vdf_pci *pci, unsigned index, unsigned n, bool mask,
                     const atomic_bool *stop)
{
    int ret = index == VDF_PCI_INTX && !mask ? with_parts(pci, end_interrupt, NULL, stop) : 0;

    if (ret < 0)
        return ret;
    if (index == VDF_PCI_INTX)
        WITH_LOCK(pci, stop, vdf_pci_intx_mask(&pci->irqs, mask));
    else
        WITH_LOCK(pci, stop, vdf_pci_msix_mask(&pci->irqs, n, mask));
    return 0;
}

int vdf_pci_irq_trigger(struct vdf_pci *pci, unsigned index, unsigned n, const atomic_bool *stop)
{
    if (index == VDF_PCI_INTX)
        WITH_LOCK(pci, stop, vdf_pci_intx_trigger(&pci->irqs));
    else
        WITH_LOCK(pci, stop, vdf_pci_msix_send(&pci->irqs, n));
    return 0;
}

/* --- memory, start and stop, reset ------------------------------------------------------------ */

static void give_space(struct vdf_pci_part *part, const void *space)
{
    if (part->ops->memory)
        part->ops->memory(part->target, part->part, space);
}

int vdf_pci_set_space(struct vdf_pci *pci, const struct vdf_space *space, const atomic_bool *stop)
{
    pci->space = space ? space : &pci->none;
    return pci->running ? with_parts(pci, give_space, pci->space, stop) : 0;
}

static void start(struct vdf_pci_part *part, const void *space)
{
    give_space(part, space);
    if (part->ops->runs)
        part->ops->runs(part->target, part->part, true);
}

/* The device completes what the guest has asked for, and then has no memory. */
static void halt(struct vdf_pci_part *part, const void *none)
{
    vdf_guest_bells_ring(&part->bells);
    if (part->ops->runs)
        part->ops->runs(part->target, part->part, false);
    give_space(part, none);
}

int vdf_pci_set_running(struct vdf_pci *pci, bool running, const atomic_bool *stop)
{
    if (running == pci->running)
        return 0;
    if (!running) {
        int ret = with_parts(pci, halt, &pci->none, stop);
        if (ret < 0)
            return ret;
    }
    pci->running = running;
    vdf_pci_irqs_run(&pci->irqs, running);
    return running ? with_parts(pci, start, pci->space, stop) : 0;
}

static void reset_part(struct vdf_pci_part *part, const void *arg)
{
    if (part->ops->reset)
        part->ops->reset(part->target, part->part);
}

static void reset_own(struct vdf_pci *pci)
{
    vdf_pci_header_reset(pci);
    vdf_pci_irqs_reset(&pci->irqs);
}

int vdf_pci_reset(struct vdf_pci *pci, const atomic_bool *stop)
{
    int ret = with_parts(pci, reset_part, NULL, stop);

    if (ret < 0)
        return ret;
    WITH_LOCK(pci, stop, reset_own(pci));
    return 0;
}

/* --- states ----------------------------------------------------------------------------------- */

/* The device in the tree's sense that an object belongs to. */
static struct vdf_obj *device_of(struct vdf_obj *obj)
{
    while (vdf_obj_parent(vdf_obj_parent(obj)))
        obj = vdf_obj_parent(obj);
    return obj;
}

/* The function and the devices that it is made of, each once. Return: their number. */
static unsigned list_devices(const struct vdf_pci *pci, struct vdf_obj *list[VDF_PCI_PARTS + 1])
{
    unsigned n = 0;

    list[n++] = pci->priv.obj;
    for (unsigned k = 0; k < VDF_PCI_PARTS; k++) {
        struct vdf_obj *device = pci->parts[k].target ? device_of(pci->parts[k].target) : NULL;
        unsigned seen = 0;

        while (seen < n && list[seen] != device)
            seen++;
        if (device && seen == n)
            list[n++] = device;
    }
    return n;
}

int vdf_pci_save(struct vdf_pci *pci, struct vdf_buf *out, const atomic_bool *stop)
{
    struct vdf_obj *list[VDF_PCI_PARTS + 1], *obj = pci->priv.obj;

    if (!vdf_obj_enter_exclusive(obj, stop))
        return -ESHUTDOWN;
    int ret = vdf_objs_save(list, list_devices(pci, list), out);
    vdf_obj_leave_exclusive(obj, stop);
    return ret;
}

/* All that a client has been told, or that says which devices it drives; a line each. */
static void add_shape(const struct vdf_pci *pci, struct vdf_buf *out)
{
    vdf_buf_printf(out, "function %s\n", pci->function ? pci->function : "");
    vdf_buf_printf(out, "identity 0x%04x 0x%04x 0x%04x 0x%04x 0x%06x 0x%02x\n", pci->vendor,
                   pci->device, pci->subsystem_vendor, pci->subsystem, pci->class_code,
                   pci->revision);
    vdf_buf_printf(out, "express %u\nmsix/vectors %u\nmsix/bar %u\n", pci->express, pci->irqs.n,
                   pci->msix_bar);
    for (unsigned n = 0; n < VDF_PCI_BARS; n++) {
        const struct vdf_pci_bar *bar = pci->bars[n];

        vdf_buf_printf(out, "bars/%u %s %u 0x%" PRIx64 "\n", n,
                       bar && bar->device ? bar->device : "", vdf_pci_bar_kind(pci, n),
                       vdf_pci_bar_size(pci, n));
    }
}

/* The line that has byte @at. */
static int line_at(const struct vdf_buf *text, size_t at, const char **line)
{
    const char *end = memchr(text->data + at, '\n', text->len - at);

    while (at && text->data[at - 1] != '\n')
        at--;
    *line = text->data + at;
    return (int)(end - *line);
}

static int check_shape(const struct vdf_pci *pci, const struct vdf_buf *right, struct vdf_err *err)
{
    struct vdf_buf is = VDF_BUF_INIT;
    const char *line, *right_line;
    size_t at = 0;
    int ret = 0;

    add_shape(pci, &is);
    if (is.oom || right->oom) {
        ret = vdf_fail(err, ENOMEM, "no memory to compare the state");
    } else {
        while (at < is.len && at < right->len && is.data[at] == right->data[at])
            at++;
        if (at < is.len) {
            int len = line_at(&is, at, &line), right_len = line_at(right, at, &right_line);
            ret =
                vdf_fail(err, EINVAL, "state of another function, \"%.*s\": this one has \"%.*s\"",
                         len, line, right_len, right_line);
        }
    }
    vdf_buf_free(&is);
    return ret;
}

/* The new private structure, before its devices are attached. */
static int check_loaded(struct vdf_pci *pci, const struct vdf_buf *shape, struct vdf_err *err)
{
    int ret = vdf_pci_describe(pci, err);

    return ret < 0 ? ret : check_shape(pci, shape, err);
}

/* Devices that lose their guest forget what it has set up, so a refused state needs the one before. */
static int load_or_keep(struct vdf_pci *pci, const struct vdf_buf *shape, const char *text,
                        size_t len, struct vdf_err *err)
{
    struct vdf_obj *list[VDF_PCI_PARTS + 1], *obj = pci->priv.obj;
    unsigned n = list_devices(pci, list);
    struct vdf_buf before = VDF_BUF_INIT;
    struct vdf_err again = { 0 };
    int ret = vdf_objs_save(list, n, &before);

    if (ret < 0) {
        vdf_buf_free(&before);
        return vdf_fail(err, -ret, "no memory for the state before");
    }
    pci->moves = true;
    vdf_pci_detach(pci);
    ret = vdf_objs_load(list, n, obj, text, len, err);
    if (ret == 0)
        ret = check_loaded(vdf_obj_priv(obj), shape, err);
    if (ret == 0)
        ret = vdf_pci_attach(vdf_obj_priv(obj), false, err);
    if (ret < 0) {
        ((struct vdf_pci *)vdf_obj_priv(obj))->moves = true;
        if (vdf_objs_load(list, n, obj, before.data, before.len, &again) < 0 ||
            vdf_pci_attach(vdf_obj_priv(obj), false, &again) < 0)
            vdf_report(obj, again.code, "the state before cannot be restored: %s", again.text);
    }
    ((struct vdf_pci *)vdf_obj_priv(obj))->moves = false;
    vdf_buf_free(&before);
    return ret;
}

/* The state has whole devices, and other guests of a device keep theirs. */
static int check_own(const struct vdf_pci *pci, struct vdf_err *err)
{
    for (unsigned k = 0; k < VDF_PCI_PARTS; k++) {
        struct vdf_obj *device = pci->parts[k].target ? device_of(pci->parts[k].target) : NULL;
        unsigned own = 0;

        for (unsigned i = 0; i < VDF_PCI_PARTS; i++)
            own += device && pci->parts[i].target && device_of(pci->parts[i].target) == device;
        if (device && vdf_obj_uses(device) > own)
            return vdf_fail(err, EBUSY,
                            "%s %.40s has another guest too, whose state would be replaced: give "
                            "each function a device of its own",
                            vdf_obj_class(device)->name, vdf_obj_name(device));
    }
    return 0;
}

static int load(struct vdf_pci *pci, const char *text, size_t len, struct vdf_err *err)
{
    struct vdf_buf shape = VDF_BUF_INIT;
    int ret = check_own(pci, err);

    if (ret < 0)
        return ret;
    add_shape(pci, &shape);
    ret = load_or_keep(pci, &shape, text, len, err);
    vdf_buf_free(&shape);
    return ret;
}

int vdf_pci_load(struct vdf_pci *pci, const char *text, size_t len, const atomic_bool *stop,
                 struct vdf_err *err)
{
    struct vdf_obj *obj = pci->priv.obj;

    if (!vdf_obj_enter_exclusive(obj, stop))
        return -ESHUTDOWN;
    int ret = load(pci, text, len, err);
    vdf_obj_leave_exclusive(obj, stop);
    return ret;
}
