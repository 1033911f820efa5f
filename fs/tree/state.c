/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * State files: the whole state of a device, or of all of them, as text.
 *
 *     virtdevfs-state 1
 *
 *     [console/con0]                        one section an object, parents first, numbers in order
 *     device = console                      one line a row, in the table's order
 *     sourcecfg/3 = 0x00000004              rows with a '#': only numbers that differ from the
 *                                           reset value
 *     memory@0x00001000 = 48656c6c6f...     memory: 32 bytes a line, lines of zeros omitted
 *     checksum = 2418082923                 of all bytes before this line, as cksum(1) prints it
 *
 * In text, backslash, newline and control bytes are written \\, \n and \xHH. Lines that are empty
 * or begin with '#' are skipped, and a row without a line gets its default.
 *
 * A state is applied in two steps. The first step loads the text into new, unlinked devices, and may
 * refuse it. The second step exchanges the new private structures with the old ones, and cannot fail.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "state_text.h"
#include "value.h"

/* --- saving ----------------------------------------------------------------------------------- */

#define DRAINED 65536u /* most bytes of text in memory */

/* Between two lines. */
static void drain(struct vdf_buf *out)
{
    if (out->drain && out->len >= DRAINED)
        out->drain(out);
}

static bool is_plain(char c)
{
    return (unsigned char)c >= ' ' && c != 0x7f && c != '\\';
}

static void add_escaped(struct vdf_buf *out, const char *text, size_t len)
{
    for (size_t k = 0, plain; k < len; k = plain + 1) {
        for (plain = k; plain < len && is_plain(text[plain]);)
            plain++;
        vdf_buf_add(out, text + k, plain - k);
        if (plain == len)
            break;
        if (text[plain] == '\\')
            vdf_buf_add(out, "\\\\", 2);
        else if (text[plain] == '\n')
            vdf_buf_add(out, "\\n", 2);
        else
            vdf_buf_printf(out, "\\x%02x", (unsigned char)text[plain]);
    }
}

/* The row's path with its numbers in place of '#'. */
static void add_row_path(struct vdf_buf *out, const struct vdf_at *at)
{
    const char *part = at->attr->path, *mark;
    uint32_t number = at->i;

    for (; *(mark = strchrnul(part, '#')); part = mark + 1) {
        vdf_buf_add(out, part, (size_t)(mark - part));
        vdf_buf_add_decimal(out, number);
        number = at->j;
    }
    vdf_buf_add(out, part, (size_t)(mark - part));
}

static int save_memory_range(const struct vdf_at *at, struct vdf_memory *mem, uint64_t from,
                             uint64_t to, struct vdf_buf *out)
{
    static const uint8_t zeros[VDF_STATE_MEMORY_LINE];
    uint8_t bytes[4096];

    for (uint64_t offset = from - from % VDF_STATE_MEMORY_LINE; offset < to;
         offset += sizeof(bytes)) {
        size_t want = mem->size - offset < sizeof(bytes) ? mem->size - offset : sizeof(bytes);
        int ret = vdf_memory_read(mem, offset, bytes, want);
        if (ret < 0)
            return ret;
        for (size_t k = 0; k < want; k += VDF_STATE_MEMORY_LINE) {
            size_t n = want - k < VDF_STATE_MEMORY_LINE ? want - k : VDF_STATE_MEMORY_LINE;
            if (memcmp(bytes + k, zeros, n) == 0)
                continue;
            vdf_buf_add(out, at->attr->path, strlen(at->attr->path));
            vdf_buf_add(out, "@", 1);
            vdf_buf_add_hex(out, offset + k, 8);
            vdf_buf_add(out, " = ", 3);
            vdf_buf_add_bytes(out, bytes + k, n);
            vdf_buf_add(out, "\n", 1);
        }
        drain(out);
    }
    return 0;
}

/* Skips holes of the memfd, so that the time depends on the memory in use. */
static int save_memory(const struct vdf_at *at, struct vdf_buf *out)
{
    struct vdf_memory *mem = vdf_row_memory(at);
    uint64_t end, data = mem->base ? vdf_memory_data(mem, 0, &end) : mem->size;
    int ret = 0;

    while (ret == 0 && data < mem->size) {
        ret = save_memory_range(at, mem, data, end, out);
        data = vdf_memory_data(mem, end, &end);
    }
    return ret;
}

static int save_number(const struct vdf_at *at, bool skip_reset, struct vdf_buf *out)
{
    uint64_t value;
    int ret = vdf_row_get(at, &value);

    if (ret < 0 || (skip_reset && value == at->attr->reset))
        return ret;
    add_row_path(out, at);
    vdf_buf_add(out, " = ", 3);
    vdf_row_render_number(at->attr, value, out);
    vdf_buf_add(out, "\n", 1);
    return 0;
}

static int save_text(const struct vdf_at *at, bool skip_empty, struct vdf_buf *out)
{
    struct vdf_buf text = VDF_BUF_INIT;

    vdf_row_show(at, &text);
    while (text.len && text.data[text.len - 1] == '\n')
        text.len--;
    if (text.len || !skip_empty) {
        add_row_path(out, at);
        vdf_buf_add(out, " = ", 3);
        add_escaped(out, text.data, text.len);
        vdf_buf_add(out, "\n", 1);
    }
    int ret = text.oom ? -ENOMEM : 0;
    vdf_buf_free(&text);
    return ret;
}

/* Numbered rows that hold their reset value, and empty text rows, are omitted. */
static int save_value(const struct vdf_at *at, bool numbered, struct vdf_buf *out)
{
    return vdf_row_is_number(at->attr) ? save_number(at, numbered, out)
                                       : save_text(at, numbered, out);
}

static int save_numbered(struct vdf_at *at, unsigned level, unsigned levels, struct vdf_buf *out)
{
    const struct vdf_range *range = &at->attr->range[level];
    uint32_t count = vdf_range_count(range, at->priv);
    uint32_t used = range->used ? range->used(at->priv) : count;
    int ret = 0;

    for (uint32_t k = 0; ret == 0 && k < count && k < used; k++) {
        uint32_t number = vdf_range_nth(range, k);
        if (range->has && !range->has(at->priv, number))
            continue;
        *(level ? &at->j : &at->i) = number;
        ret = level + 1 < levels ? save_numbered(at, level + 1, levels, out)
                                 : save_value(at, true, out);
    }
    return ret;
}

unsigned vdf_row_levels(const struct vdf_attr *attr)
{
    unsigned levels = 0;

    while (levels < 2 && (attr->range[levels].count || attr->range[levels].counted))
        levels++;
    return levels;
}

static int save_row(struct vdf_obj *obj, const struct vdf_attr *attr, struct vdf_buf *out)
{
    struct vdf_at at = { .obj = obj, .priv = obj->priv, .attr = attr };

    if (attr->when && !attr->when(obj->priv))
        return 0;
    if (attr->type == VDF_RAW)
        return save_memory(&at, out);
    unsigned levels = vdf_row_levels(attr);
    return levels ? save_numbered(&at, 0, levels, out) : save_value(&at, false, out);
}

static int save_object(struct vdf_obj *obj, struct vdf_buf *out);

static int save_children(const struct vdf_obj *obj, struct vdf_buf *out)
{
    struct vdf_obj **list;
    int ret = vdf_obj_sorted(obj, &list);

    for (unsigned k = 0; ret == 0 && k < obj->n_children; k++)
        ret = save_object(list[k], out);
    free(list);
    return ret;
}

static int save_object(struct vdf_obj *obj, struct vdf_buf *out)
{
    const struct vdf_class *cls = obj->cls;
    int ret = 0;

    if (obj->parent) {
        vdf_buf_add(out, "\n[", 2);
        vdf_obj_path(obj, out);
        vdf_buf_add(out, "]\n", 2);
    }
    for (size_t k = 0; ret == 0 && k < cls->n_attrs; k++)
        if (cls->attrs[k].flags & VDF_SAVE)
            ret = save_row(obj, &cls->attrs[k], out);
    drain(out);
    return ret == 0 && obj->children ? save_children(obj, out) : ret;
}

static void notify_saving(struct vdf_obj *obj, bool begin)
{
    if (obj->cls->saving)
        obj->cls->saving(obj, begin);
    if (obj->parent)
        return;
    for (struct vdf_obj *child = obj->children; child; child = child->next)
        notify_saving(child, begin);
}

/* A state of the objects in this order. */
static int save_objects(struct vdf_obj *const *objs, unsigned n, struct vdf_buf *out)
{
    struct vdf_crc crc = { 0 };
    size_t begin = out->len;
    int ret = 0;

    for (unsigned k = 0; k < n; k++)
        notify_saving(objs[k], true);
    vdf_buf_printf(out, "%s %d\n", VDF_STATE_HEADER, VDF_STATE_VERSION);
    for (unsigned k = 0; ret == 0 && k < n; k++)
        ret = save_object(objs[k], out);
    for (unsigned k = 0; k < n; k++)
        notify_saving(objs[k], false);
    if (ret == 0 && !out->oom) {
        vdf_crc_add(&crc, out->data + begin, out->len - begin);
        vdf_buf_printf(out, "%s%" PRIu32 "\n", VDF_STATE_CHECKSUM, vdf_crc_sum(&crc));
    }
    return ret < 0 ? ret : out->oom ? -ENOMEM : 0;
}

int vdf_state_save(struct vdf_obj *obj, struct vdf_buf *out)
{
    return save_objects(&obj, 1, out);
}

int vdf_objs_save(struct vdf_obj *const *devices, unsigned n, struct vdf_buf *out)
{
    struct vdf_obj **sorted = malloc((n + 1) * sizeof(struct vdf_obj *));
    if (!sorted)
        return -ENOMEM;

    memcpy(sorted, devices, n * sizeof(struct vdf_obj *));
    vdf_obj_sort(sorted, n);
    int ret = save_objects(sorted, n, out);
    free(sorted);
    return ret;
}

uint64_t vdf_state_version(const struct vdf_obj *obj)
{
    return obj->parent ? obj->device->generation : atomic_load(&obj->device->tree->generation);
}

int vdf_state_snapshot(struct vdf_obj *obj, struct vdf_buf *out, uint64_t *version)
{
    struct vdf_tree *tree = obj->device->tree;
    int ret = -ENODEV;

    if (obj->parent)
        vdf_device_enter(obj->device);
    else
        vdf_tree_enter_exclusive(tree);
    *version = vdf_state_version(obj);
    if (!obj->dead)
        ret = vdf_state_save(obj, out);
    if (obj->parent)
        vdf_device_leave(obj->device, false);
    else
        vdf_tree_leave_exclusive(tree, NULL);
    return ret;
}

/* --- sizes ------------------------------------------------------------------------------------ */

struct summed {
    struct vdf_buf text; /* first: the buffer's pointer is this one */
    struct vdf_crc crc;
};

static void sum_up(struct vdf_buf *b)
{
    struct summed *sum = (struct summed *)b;

    vdf_crc_add(&sum->crc, b->data, b->len);
    b->len = 0;
}

/* The checksum of the text of a device's sections. Locks as for saving. */
static int sum_sections(struct vdf_obj *obj, struct vdf_crc *crc)
{
    struct summed sum = { .text.drain = sum_up };

    notify_saving(obj, true);
    int ret = save_object(obj, &sum.text);
    notify_saving(obj, false);
    if (sum.text.oom && ret == 0)
        ret = -ENOMEM;
    sum_up(&sum.text);
    vdf_buf_free(&sum.text);
    *crc = sum.crc;
    return ret;
}

/* Saving a machine is exclusive, and its state has no memory. The sums of other devices stay valid
 * until the device changes. */
static int sum_device(struct vdf_obj *obj, struct vdf_crc *crc)
{
    struct vdf_device *device = obj->device;
    struct vdf_tree *tree = device->tree;
    bool exclusive = obj->cls->no_state;
    int ret = -ENODEV;

    if (exclusive)
        vdf_tree_enter_exclusive(tree);
    else
        vdf_device_enter(device);
    bool kept = !exclusive && device->summed && device->summed_generation == device->generation &&
                !atomic_load(&tree->n_holds);
    if (!obj->dead && !kept)
        ret = sum_sections(obj, &device->sum);
    else if (!obj->dead)
        ret = 0;
    device->summed = ret == 0;
    device->summed_generation = device->generation;
    *crc = device->sum;
    if (exclusive)
        vdf_tree_leave_exclusive(tree, NULL);
    else
        vdf_device_leave(device, false);
    return ret;
}

/* The devices in the order of a state, referenced. */
static int list_devices(struct vdf_obj *root, struct vdf_obj ***list, unsigned *n)
{
    vdf_device_enter(root->device);
    int ret = vdf_obj_sorted(root, list);
    *n = ret == 0 ? root->n_children : 0;
    for (unsigned k = 0; k < *n; k++)
        vdf_obj_ref((*list)[k]);
    vdf_device_leave(root->device, false);
    return ret;
}

static int sum_root(struct vdf_obj *root, struct vdf_crc *crc)
{
    struct vdf_obj **list = NULL;
    unsigned n;
    int ret = list_devices(root, &list, &n);

    for (unsigned k = 0; k < n; k++) {
        struct vdf_crc part;
        int one = ret == 0 ? sum_device(list[k], &part) : ret;
        /* A device that was removed in the meantime is not in the state. */
        if (one == 0)
            vdf_crc_join(crc, &part);
        else if (one != -ENODEV)
            ret = one;
        vdf_obj_unref(list[k]);
    }
    free(list);
    return ret;
}

int vdf_state_measure(struct vdf_obj *obj, uint64_t *size, uint64_t *hash)
{
    static const char header[] = VDF_STATE_HEADER " 1\n";
    struct vdf_crc crc = { 0 }, part;
    char line[sizeof(VDF_STATE_CHECKSUM) + 16];
    int ret;

    vdf_crc_add(&crc, header, sizeof(header) - 1);
    if (obj->parent) {
        ret = sum_device(obj, &part);
        if (ret == 0)
            vdf_crc_join(&crc, &part);
    } else {
        ret = sum_root(obj, &crc);
    }
    *hash = vdf_crc_sum(&crc);
    *size = crc.len + (uint64_t)snprintf(line, sizeof(line), "%s%" PRIu32 "\n", VDF_STATE_CHECKSUM,
                                         vdf_crc_sum(&crc));
    return ret;
}
