/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loading a state, and replacing the devices in the tree.
 *
 * The text is parsed as it comes: only the new devices and the current line are in memory. The write
 * that brings a wrong line is refused.
 */
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <virtdevfs/text.h>

#include "state_text.h"
#include "value.h"

/* --- reading lines ---------------------------------------------------------------------------- */

struct slice {
    const char *text;
    size_t len;
};

/* The reader's position in the text, and the place for its errors. */
struct reader {
    unsigned line;
    struct vdf_err *err;
};

/* The reader's position in a section: rows come in the table's order, each once. */
struct cursor {
    struct vdf_obj *obj;
    size_t row;
    uint64_t key; /* of the numbers, or of the offset in memory */
    bool any;
};

enum phase { HEAD, BODY, SUMMED };

/* A state while it is loaded: the devices are below a root of their own, outside of the tree. */
struct vdf_state_load {
    struct vdf_tree *tree;
    struct vdf_obj *root;
    struct vdf_obj *const *devices; /* to restore; none: all of the tree */
    unsigned n_devices;
    struct vdf_obj *only; /* of a device's own state: the device, referenced; else NULL */
    char only_name[VDF_NAME_MAX + 1]; /* its name in the file, which may be any */
    const struct vdf_obj *self;       /* the device whose thread loads the state, or NULL */
    bool exclusive;                   /* that thread is inside all devices */
    struct reader r;
    struct cursor cursor;
    struct vdf_crc crc;   /* of the lines so far, without that of the checksum */
    struct vdf_buf begun; /* the beginning of an unfinished line */
    bool comment;         /* the unfinished line is a comment, whose bytes are dropped */
    enum phase phase;
};

static bool starts(struct slice line, const char *with)
{
    size_t n = strlen(with);
    return line.len >= n && memcmp(line.text, with, n) == 0;
}

/* A refusal with its position: "line 17: ...", before the sentence of a hook. */
static int at_line(struct reader *r, int ret, const struct vdf_err *said)
{
    struct vdf_err copy = *said;
    return vdf_fail(r->err, -ret, "line %u: %.220s", r->line,
                    copy.code == -ret && copy.text[0] ? copy.text : strerrordesc_np(-ret));
}

#define BAD_LINE(r, code, ...)                                   \
    ({                                                           \
        struct vdf_err said_ = { 0 };                            \
        at_line(r, vdf_fail(&said_, code, __VA_ARGS__), &said_); \
    })

static int shown(struct slice s)
{
    return s.len > 60 ? 60 : (int)s.len;
}

/* --- loading into unlinked objects ------------------------------------------------------------ */

/* Matches "sourcecfg/3" with "sourcecfg/#". */
static bool match_path(struct vdf_at *at, struct slice name)
{
    const char *part = at->attr->path;
    unsigned level = 0;

    at->i = at->j = 0;
    if (name.len == 0 || *name.text != *part)
        return false;
    while (true) {
        const char *mark = strchrnul(part, '#');
        size_t n = (size_t)(mark - part), digits = 0;
        uint64_t number;
        if (n > name.len || memcmp(name.text, part, n) != 0)
            return false;
        name = (struct slice){ name.text + n, name.len - n };
        if (!*mark)
            return name.len == 0;
        while (digits < name.len && isdigit((unsigned char)name.text[digits]))
            digits++;
        if (vdf_number_parse(name.text, digits, &number) < 0 || number > UINT32_MAX)
            return false;
        *(level++ ? &at->j : &at->i) = (uint32_t)number;
        name = (struct slice){ name.text + digits, name.len - digits };
        part = mark + 1;
    }
}

/* The search begins at the row of the line before, since the next row is close behind it. */
static bool find_row(const struct cursor *cursor, struct slice name, struct vdf_at *at)
{
    struct vdf_obj *obj = cursor->obj;
    size_t n = obj->cls->n_attrs;

    *at = (struct vdf_at){ .obj = obj, .priv = obj->priv };
    for (size_t k = 0, row = cursor->row; k < n; k++, row = row + 1 < n ? row + 1 : 0) {
        at->attr = &obj->cls->attrs[row];
        if (at->attr->flags & (VDF_SAVE | VDF_LOCAL) && match_path(at, name))
            return true;
    }
    return false;
}

static bool row_exists(const struct vdf_at *at)
{
    unsigned levels = vdf_row_levels(at->attr);

    if (at->attr->when && !at->attr->when(at->priv))
        return false;
    if (levels > 0 && !vdf_range_has(&at->attr->range[0], at->priv, at->i))
        return false;
    return levels < 2 || vdf_range_has(&at->attr->range[1], at->priv, at->j);
}

static int load_memory(const struct vdf_at *at, uint64_t offset, struct slice value,
                       struct vdf_err *err)
{
    struct vdf_memory *mem = vdf_row_memory(at);
    size_t n = value.len / 2;

    if (value.len % 2 || n == 0 || n > VDF_STATE_MEMORY_LINE)
        return vdf_fail(err, EINVAL, "%zu hex digits: a line has 1 to %u bytes", value.len,
                        VDF_STATE_MEMORY_LINE);
    if (offset > mem->size || n > mem->size - offset)
        return vdf_fail(err, EINVAL, "0x%" PRIx64 " is outside of the %" PRIu64 " bytes of %s",
                        offset, mem->size, at->attr->path);
    uint8_t *to = vdf_memory_at(mem, offset, n);
    if (!to)
        return vdf_fail(err, errno, "no memory for %s: %s", at->attr->path, strerror(errno));
    return vdf_hex_bytes(value.text, value.len, to, err);
}

static int unescape(struct slice value, char *out, size_t *len, struct vdf_err *err)
{
    *len = 0;
    for (size_t k = 0; k < value.len; k++) {
        char c = value.text[k];
        if (c == '\\') {
            size_t left = value.len - k - 1;
            if (left >= 1 && value.text[k + 1] == '\\') {
                k++;
            } else if (left >= 1 && value.text[k + 1] == 'n') {
                c = '\n';
                k++;
            } else if (left >= 3 && value.text[k + 1] == 'x' &&
                       vdf_hex_bytes(value.text + k + 2, 2, &c, NULL) == 0) {
                k += 3;
            } else {
                return vdf_fail(err, EINVAL, "a backslash begins \\\\, \\n or \\xHH");
            }
        }
        out[(*len)++] = c;
    }
    out[*len] = '\0';
    return 0;
}

static int load_text(const struct vdf_at *at, struct slice value, struct vdf_err *err)
{
    size_t len;
    char *text = malloc(value.len + 1);
    if (!text)
        return vdf_fail(err, ENOMEM, "no memory for %zu bytes", value.len);

    int ret = unescape(value, text, &len, err);
    if (ret == 0 && memchr(text, '\0', len))
        ret = vdf_fail(err, EINVAL, "the value contains a NUL byte");
    if (ret == 0) {
        if (at->attr->restore_text)
            ret = at->attr->restore_text(at, text, len, err);
        else
            ret = vdf_row_store(at, text, len, err);
    }
    free(text);
    return ret;
}

static int load_number(const struct vdf_at *at, struct slice value, struct vdf_err *err)
{
    uint64_t number;
    int ret = vdf_row_parse_number(at->attr, value.text, value.len, &number, err);

    if (ret < 0)
        return ret;
    return vdf_row_restore(at, number, err);
}

static int load_value(const struct vdf_at *at, struct slice value, struct vdf_err *err)
{
    uint64_t number;

    if (!vdf_row_is_number(at->attr))
        return at->attr->flags & VDF_LOCAL ? 0 : load_text(at, value, err);
    /* Older states contain these choices, which still have to be valid. */
    if (at->attr->flags & VDF_LOCAL)
        return vdf_row_parse_number(at->attr, value.text, value.len, &number, err);
    return load_number(at, value, err);
}

/* The first " = ", or a " =" at the end; NULL: none. */
static const char *find_equals(struct slice line)
{
    const char *end = line.text + line.len;

    for (const char *p = line.text; (p = memchr(p, ' ', (size_t)(end - p))) != NULL; p++)
        if (end - p >= 2 && p[1] == '=' && (end - p == 2 ? p > line.text : p[2] == ' '))
            return p;
    return NULL;
}

static int load_line(struct reader *r, struct cursor *cursor, struct slice line)
{
    struct vdf_err said = { 0 };
    const char *equals = find_equals(line);
    struct slice name, value;
    struct vdf_at at;
    uint64_t offset = 0;

    if (!equals)
        return BAD_LINE(r, EINVAL, "\"%.*s\" is neither \"name = value\" nor \"[object]\"",
                        shown(line), line.text);
    name = (struct slice){ line.text, (size_t)(equals - line.text) };
    size_t used = name.len + 3 < line.len ? name.len + 3 : line.len;
    value = (struct slice){ line.text + used, line.len - used };

    struct slice row = name;
    const char *mark = memchr(name.text, '@', name.len);
    if (mark) {
        row.len = (size_t)(mark - name.text);
        if (vdf_number_parse(mark + 1, name.len - row.len - 1, &offset) < 0)
            return BAD_LINE(r, EINVAL, "\"%.*s\" has no offset behind the @", shown(name),
                            name.text);
    }
    if (!find_row(cursor, row, &at) || (at.attr->type == VDF_RAW) != (mark != NULL))
        return BAD_LINE(r, EINVAL, "the state of class %s has no \"%.*s\"", cursor->obj->cls->name,
                        shown(name), name.text);
    if (!row_exists(&at))
        return BAD_LINE(r, EINVAL, "\"%.*s\" does not exist with the values above it", shown(name),
                        name.text);

    size_t index = (size_t)(at.attr - cursor->obj->cls->attrs);
    uint64_t key = mark ? offset : (uint64_t)at.i << 32 | at.j;
    if (cursor->any && (index < cursor->row || (index == cursor->row && key <= cursor->key)))
        return BAD_LINE(r, EINVAL, "\"%.*s\" appears twice or out of order", shown(name),
                        name.text);
    cursor->row = index;
    cursor->key = key;
    cursor->any = true;

    int ret;
    if (mark)
        ret = load_memory(&at, offset, value, &said);
    else
        ret = load_value(&at, value, &said);
    return ret < 0 ? at_line(r, ret, &said) : 0;
}

static int valid_object(struct vdf_obj *parent, const struct vdf_attr *row, const char *name,
                        struct vdf_err *err)
{
    if (!vdf_name_valid(name))
        return vdf_fail(err, EINVAL, "\"%s\" is no name of an object", name);
    if (row->when && !row->when(parent->priv))
        return vdf_fail(err, EINVAL, "%s does not exist with the values above it", row->path);
    if (row->flags & VDF_FIXED)
        return vdf_fail(err, EINVAL, "no object can be created in %s", row->path);
    return row->objects->allow ? row->objects->allow(parent, name, err) : 0;
}

static int refuse_device(struct reader *r, const struct vdf_state_load *load,
                         const struct vdf_attr *row, const char *name)
{
    struct vdf_buf wanted = VDF_BUF_INIT;

    for (unsigned k = 0; k < load->n_devices; k++) {
        vdf_buf_add(&wanted, ", ", k ? 2 : 0);
        vdf_buf_printf(&wanted, "%s/%s", load->devices[k]->row->path, load->devices[k]->name);
    }
    int ret = BAD_LINE(r, EINVAL, "%s/%.64s: this has to be the state of %.*s", row->path, name,
                       (int)wanted.len, wanted.data);
    vdf_buf_free(&wanted);
    return ret;
}

/* A device may load the state of another device of its class: the name in the file is ignored. */
static int map_device_name(struct reader *r, struct vdf_state_load *load,
                           const struct vdf_attr *row, char name[VDF_NAME_MAX + 1])
{
    if (!load->only) {
        for (unsigned k = 0; k < load->n_devices; k++)
            if (row == load->devices[k]->row && strcmp(name, load->devices[k]->name) == 0)
                return 0;
        return load->n_devices ? refuse_device(r, load, row, name) : 0;
    }
    if (!vdf_name_valid(name))
        return BAD_LINE(r, EINVAL, "\"%s\" is no name of an object", name);
    if (!load->only_name[0])
        strcpy(load->only_name, name);
    if (row != load->only->row || strcmp(name, load->only_name) != 0)
        return BAD_LINE(r, EINVAL, "%s/%s: this has to be the state of one %s", row->path, name,
                        load->only->cls->name);
    strcpy(name, load->only->name);
    return 0;
}

/* --- what a restore keeps --------------------------------------------------------------------- */

static bool has_kept_rows(const struct vdf_class *cls)
{
    for (size_t k = 0; k < cls->n_attrs; k++)
        if (cls->attrs[k].flags & VDF_LOCAL)
            return true;
    return false;
}

static void enter(const struct vdf_state_load *load, const struct vdf_obj *obj)
{
    if (!load->exclusive)
        vdf_device_enter(obj->device);
}

static void leave(const struct vdf_state_load *load, const struct vdf_obj *obj)
{
    if (!load->exclusive)
        vdf_device_leave(obj->device, false);
}

/* The device in the tree that the unlinked device @now replaces, referenced; NULL: none. */
static struct vdf_obj *find_old_device(const struct vdf_state_load *load, const struct vdf_obj *now)
{
    struct vdf_obj *root = load->tree->root, *old;

    if (load->only)
        return vdf_obj_ref(load->only);
    enter(load, root);
    old = vdf_obj_find(root, now->row, now->name);
    if (old)
        vdf_obj_ref(old);
    leave(load, root);
    return old;
}

/* The object below @old at the same path as @now below @device. */
static struct vdf_obj *find_old(struct vdf_obj *old, const struct vdf_obj *device,
                                const struct vdf_obj *now)
{
    if (now == device)
        return old;
    struct vdf_obj *parent = find_old(old, device, now->parent);
    return parent ? vdf_obj_find(parent, now->row, now->name) : NULL;
}

static int keep_row(struct vdf_obj *old, struct vdf_obj *now, const struct vdf_attr *attr,
                    struct vdf_err *err)
{
    struct vdf_at was = { .obj = old, .priv = old->priv, .attr = attr };
    struct vdf_at is = { .obj = now, .priv = now->priv, .attr = attr };
    struct vdf_buf text = VDF_BUF_INIT;
    uint64_t value;
    int ret;

    if (vdf_row_is_number(attr)) {
        ret = vdf_row_get(&was, &value);
        return ret < 0 ? ret : vdf_row_set(&is, value, err);
    }
    vdf_row_show(&was, &text);
    vdf_buf_add(&text, "", 1);
    ret = text.oom ? vdf_fail(err, ENOMEM, "no memory for %s", attr->path)
                   : vdf_row_store(&is, text.data, text.len - 1, err);
    vdf_buf_free(&text);
    return ret;
}

/* Before loading: gives @now the choices of the object that it replaces. */
static int keep_choices(const struct vdf_state_load *load, struct vdf_obj *now, struct vdf_err *err)
{
    const struct vdf_obj *device = now;
    int ret = 0;

    if (!has_kept_rows(now->cls))
        return 0;
    while (device->parent != load->root)
        device = device->parent;
    struct vdf_obj *old_device = find_old_device(load, device);
    if (!old_device)
        return 0;
    enter(load, old_device);
    struct vdf_obj *old = old_device->dead ? NULL : find_old(old_device, device, now);
    for (size_t k = 0; ret == 0 && old && k < now->cls->n_attrs; k++)
        if (now->cls->attrs[k].flags & VDF_LOCAL)
            ret = keep_row(old, now, &now->cls->attrs[k], err);
    leave(load, old_device);
    vdf_obj_unref(old_device);
    return ret;
}

static int load_section(struct reader *r, struct vdf_state_load *load, struct slice line)
{
    struct slice path = { line.text + 1, line.len - 2 };
    struct vdf_obj *obj = load->root;
    struct vdf_err said = { 0 };
    char name[VDF_NAME_MAX + 1];

    if (line.len < 3 || line.text[line.len - 1] != ']')
        return BAD_LINE(r, EINVAL, "\"%.*s\" is no \"[object]\"", shown(line), line.text);
    while (path.len) {
        const char *rest;
        const struct vdf_attr *row = vdf_class_split(obj->cls, path.text, path.len, name, &rest);
        if (!row)
            return BAD_LINE(r, EINVAL, "\"%.*s\" names no object", shown(line), line.text);
        path = (struct slice){ rest, path.len - (size_t)(rest - path.text) };
        int ret = obj == load->root ? map_device_name(r, load, row, name) : 0;
        if (ret < 0)
            return ret;
        struct vdf_obj *child = vdf_obj_find(obj, row, name);
        if (!child && !path.len) {
            ret = valid_object(obj, row, name, &said);
            if (ret == 0)
                ret = vdf_obj_add(obj, row->path, name, &child, &said);
            if (ret)
                return at_line(r, ret, &said);
        } else if (!child || (path.len && !child->named)) {
            return BAD_LINE(r, EINVAL, "\"%.*s\" comes before the object that it lies in",
                            shown(line), line.text);
        }
        obj = child;
    }
    if (obj->named)
        return BAD_LINE(r, EINVAL, "\"%.*s\" appears twice", shown(line), line.text);
    obj->named = true;
    load->cursor = (struct cursor){ .obj = obj };
    int ret = keep_choices(load, obj, &said);
    return ret < 0 ? at_line(r, ret, &said) : 0;
}

/* Removes the objects that a new object made itself and that the state does not name. */
static void drop_unnamed(struct vdf_obj *obj)
{
    for (struct vdf_obj *child = obj->children, *next; child; child = next) {
        next = child->next;
        if (child->named) {
            drop_unnamed(child);
            continue;
        }
        vdf_obj_unlink(child);
        vdf_obj_kill(child);
        vdf_obj_unref(child);
    }
}

static int finish_object(struct vdf_obj *obj, struct vdf_err *err)
{
    struct vdf_err said = { 0 };
    int ret;

    for (struct vdf_obj *child = obj->children; child; child = child->next) {
        ret = finish_object(child, err);
        if (ret < 0)
            return ret;
    }
    ret = obj->cls->restored ? obj->cls->restored(obj, &said) : 0;
    if (ret < 0) {
        struct vdf_buf path = VDF_BUF_INIT;
        vdf_obj_path(obj, &path);
        vdf_fail(err, -ret, "[%.*s]: %.180s", (int)path.len, path.data,
                 said.text[0] ? said.text : strerrordesc_np(-ret));
        vdf_buf_free(&path);
    }
    return ret;
}

/* --- lines as they come ----------------------------------------------------------------------- */

#define TEXT_LINE_MAX (UINT64_C(256) << 20) /* bytes of the longest list */
#define LINE_MAX 4096u                      /* of every other line */

static int bad_head(struct vdf_state_load *load)
{
    return vdf_fail(load->r.err, EINVAL, "the state does not begin with \"%s %d\"",
                    VDF_STATE_HEADER, VDF_STATE_VERSION);
}

static int load_head(struct vdf_state_load *load, struct slice line)
{
    size_t skip = strlen(VDF_STATE_HEADER " ");
    uint64_t number;

    if (!starts(line, VDF_STATE_HEADER " "))
        return bad_head(load);
    struct slice version = { line.text + skip, line.len - skip };
    if (vdf_number_parse(version.text, version.len, &number) < 0 || number != VDF_STATE_VERSION)
        return vdf_fail(load->r.err, EINVAL, "format version %.*s: versions up to %d can be read",
                        shown(version), version.text, VDF_STATE_VERSION);
    load->phase = BODY;
    return 0;
}

static int load_sum(struct vdf_state_load *load, struct slice line)
{
    size_t skip = strlen(VDF_STATE_CHECKSUM);
    struct slice sum = { line.text + skip, line.len - skip };
    uint32_t right = vdf_crc_sum(&load->crc);
    uint64_t number;

    load->phase = SUMMED;
    if (sum.len == 4 && memcmp(sum.text, "none", 4) == 0)
        return 0;
    if (vdf_number_parse(sum.text, sum.len, &number) < 0)
        return vdf_fail(load->r.err, EINVAL, "checksum \"%.*s\" is neither a number nor \"none\"",
                        shown(sum), sum.text);
    if (number != right)
        return vdf_fail(load->r.err, EINVAL,
                        "checksum %" PRIu64 ", but the content has %" PRIu32
                        ": write \"%snone\" if it was edited on purpose",
                        number, right, VDF_STATE_CHECKSUM);
    return 0;
}

static int load_content(struct vdf_state_load *load, struct slice line)
{
    struct reader *r = &load->r;

    if (line.len && line.text[line.len - 1] == '\r')
        return BAD_LINE(r, EINVAL, "a carriage return before the newline, which alone ends a line");
    if (load->phase == SUMMED)
        return line.len ? BAD_LINE(r, EINVAL, "the checksum is the last line of a state") : 0;
    if (line.len == 0 || *line.text == '#')
        return 0;
    if (load->phase == HEAD)
        return load_head(load, line);
    if (starts(line, VDF_STATE_CHECKSUM))
        return load_sum(load, line);
    if (*line.text == '[')
        return load_section(r, load, line);
    if (!load->cursor.obj)
        return BAD_LINE(r, EINVAL, "a value before the first \"[object]\"");
    return load_line(r, &load->cursor, line);
}

static int load_whole(struct vdf_state_load *load, struct slice line)
{
    load->r.line++;
    int ret = load_content(load, line);
    if (load->phase != SUMMED) {
        vdf_crc_add(&load->crc, line.text, line.len);
        vdf_crc_add(&load->crc, "\n", 1);
    }
    return ret;
}

/* Can a state have a line that begins so? Only lists are long. */
static int check_begun(struct vdf_state_load *load)
{
    struct slice line = { load->begun.data, load->begun.len };
    size_t head = strlen(VDF_STATE_HEADER " ");
    struct vdf_at at;

    if (load->phase == HEAD &&
        memcmp(line.text, VDF_STATE_HEADER " ", line.len < head ? line.len : head) != 0)
        return bad_head(load);
    if (line.len <= LINE_MAX)
        return 0;
    const char *equals = load->phase == BODY && load->cursor.obj ? find_equals(line) : NULL;
    struct slice name = { line.text, equals ? (size_t)(equals - line.text) : 0 };
    if (equals && find_row(&load->cursor, name, &at) && at.attr->type == VDF_TEXT &&
        line.len <= TEXT_LINE_MAX)
        return 0;
    load->r.line++;
    return BAD_LINE(&load->r, EINVAL, "\"%.*s\" and so on: no line of a state is so long",
                    shown(line), line.text);
}

static int begin_line(struct vdf_state_load *load, struct slice part)
{
    if (load->begun.len == 0 && *part.text == '#' && load->phase != SUMMED)
        load->comment = true;
    if (load->comment) {
        vdf_crc_add(&load->crc, part.text, part.len);
        return 0;
    }
    vdf_buf_add(&load->begun, part.text, part.len);
    if (load->begun.oom)
        return vdf_fail(load->r.err, ENOMEM, "no memory for a line of the state");
    return check_begun(load);
}

static int end_line(struct vdf_state_load *load, struct slice part)
{
    if (load->comment) {
        vdf_crc_add(&load->crc, part.text, part.len);
        vdf_crc_add(&load->crc, "\n", 1);
        load->comment = false;
        load->r.line++;
        return 0;
    }
    if (load->begun.len == 0)
        return load_whole(load, part);
    vdf_buf_add(&load->begun, part.text, part.len);
    if (load->begun.oom)
        return vdf_fail(load->r.err, ENOMEM, "no memory for a line of the state");
    int ret = load_whole(load, (struct slice){ load->begun.data, load->begun.len });
    vdf_buf_free(&load->begun);
    return ret;
}

int vdf_state_feed(struct vdf_state_load *load, const char *text, size_t len, struct vdf_err *err)
{
    int ret = 0;

    load->r.err = err;
    if (memchr(text, '\0', len))
        return vdf_fail(err, EINVAL, "a NUL byte: this is no state file");
    while (ret == 0 && len > 0) {
        const char *end = memchr(text, '\n', len);
        struct slice part = { text, end ? (size_t)(end - text) : len };
        ret = end ? end_line(load, part) : begin_line(load, part);
        text += part.len + (end != NULL);
        len -= part.len + (end != NULL);
    }
    return ret;
}

bool vdf_state_whole(const struct vdf_state_load *load)
{
    return load->phase == SUMMED && load->begun.len == 0;
}

bool vdf_state_ends(const struct vdf_state_load *load)
{
    struct slice begun = { load->begun.data, load->begun.len };
    return load->phase == SUMMED || (load->phase == BODY && starts(begun, VDF_STATE_CHECKSUM));
}

/* The unlinked device that replaces @old; NULL: none. */
static struct vdf_obj *find_new(const struct vdf_state_load *load, const struct vdf_obj *old)
{
    return vdf_obj_find(load->root, old->row, old->name);
}

static int end_text(struct vdf_state_load *load)
{
    struct vdf_obj *root = load->root;
    int ret = 0;

    if (load->phase == HEAD)
        ret = bad_head(load);
    else if (!vdf_state_ends(load))
        ret = vdf_fail(load->r.err, EINVAL,
                       "the last line is no \"%sNUMBER\": the file is cut short, or write "
                       "\"%snone\" there after editing it",
                       VDF_STATE_CHECKSUM, VDF_STATE_CHECKSUM);
    else if (load->begun.len)
        ret = end_line(load, (struct slice){ "", 0 });
    for (unsigned k = 0; ret == 0 && k < load->n_devices; k++)
        if (!find_new(load, load->devices[k]))
            ret =
                vdf_fail(load->r.err, EINVAL, "the state has no section \"[%s/%s]\"",
                         load->devices[k]->row->path, load->only ? "NAME" : load->devices[k]->name);
    if (ret < 0)
        return ret;
    drop_unnamed(root);
    for (struct vdf_obj *obj = root->children; ret == 0 && obj; obj = obj->next)
        ret = finish_object(obj, load->r.err);
    return ret;
}

/* --- taking the place of what is there -------------------------------------------------------- */

static bool same_row(struct vdf_obj *old, struct vdf_obj *now, const struct vdf_attr *attr)
{
    struct vdf_at was = { .obj = old, .priv = old->priv, .attr = attr };
    struct vdf_at is = { .obj = now, .priv = now->priv, .attr = attr };
    struct vdf_buf a = VDF_BUF_INIT, b = VDF_BUF_INIT;
    uint64_t x = 0, y = 0;

    if (vdf_row_is_number(attr))
        return vdf_row_get(&was, &x) == vdf_row_get(&is, &y) && x == y;
    vdf_row_show(&was, &a);
    vdf_row_show(&is, &b);
    bool same =
        !a.oom && !b.oom && a.len == b.len && (!a.len || memcmp(a.data, b.data, a.len) == 0);
    vdf_buf_free(&a);
    vdf_buf_free(&b);
    return same;
}

/* The choices must still be those that the loading began with. */
static int check_kept(struct vdf_obj *old, struct vdf_obj *now, struct vdf_err *err)
{
    for (size_t k = 0; k < old->cls->n_attrs; k++) {
        const struct vdf_attr *attr = &old->cls->attrs[k];
        if (attr->flags & VDF_LOCAL && !same_row(old, now, attr))
            return vdf_fail(err, EBUSY,
                            "%s has changed while the state was written: write it again",
                            attr->path);
    }
    for (struct vdf_obj *child = old->children; child; child = child->next) {
        struct vdf_obj *other = vdf_obj_find(now, child->row, child->name);
        int ret = other ? check_kept(child, other, err) : 0;
        if (ret < 0)
            return ret;
    }
    return 0;
}

static int refuse_held(const struct vdf_obj *obj, const struct vdf_attr *attr, struct vdf_err *err)
{
    struct vdf_buf path = VDF_BUF_INIT;

    vdf_obj_path(obj, &path);
    int ret = vdf_fail(err, EBUSY, "%.*s/%s is open and mapped: close it first", (int)path.len,
                       path.data, attr->path);
    vdf_buf_free(&path);
    return ret;
}

/* Would the exchange remove memory or an object that a process has mapped? */
static int check_held(const struct vdf_obj *old, const struct vdf_obj *now, struct vdf_err *err)
{
    if (old->holds) {
        for (size_t k = 0; k < old->cls->n_attrs; k++) {
            struct vdf_at was = { .priv = old->priv, .attr = &old->cls->attrs[k] };
            struct vdf_at is = { .priv = now ? now->priv : NULL, .attr = was.attr };
            struct vdf_memory *mem = vdf_row_memory(&was);
            if (mem && (!now || !vdf_memory_same_kind(mem, vdf_row_memory(&is))))
                return refuse_held(old, was.attr, err);
        }
    }
    for (const struct vdf_obj *child = old->children; child; child = child->next) {
        int ret = check_held(child, now ? vdf_obj_find(now, child->row, child->name) : NULL, err);
        if (ret < 0)
            return ret;
    }
    return 0;
}

/* Logs stay with the object, and so does memory that may be mapped. */
static void keep_with_object(struct vdf_obj *old, struct vdf_obj *now)
{
    for (size_t k = 0; k < old->cls->n_attrs; k++) {
        struct vdf_at was = { .priv = old->priv, .attr = &old->cls->attrs[k] };
        struct vdf_at is = { .priv = now->priv, .attr = was.attr };
        if (was.attr->type == VDF_LOG) {
            struct vdf_log log = *vdf_row_log(&was);
            *vdf_row_log(&was) = *vdf_row_log(&is);
            *vdf_row_log(&is) = log;
        }
        if (was.attr->type != VDF_RAW)
            continue;
        struct vdf_memory *mem = vdf_row_memory(&was), *other = vdf_row_memory(&is);
        if (mem && mem->base && vdf_memory_same_kind(mem, other) &&
            (was.attr->flags & VDF_UNSAVED || vdf_memory_swap_in(mem, other) == 0)) {
            struct vdf_memory keep = *mem;
            *mem = *other;
            *other = keep;
        }
    }
}

static void adopt_child(struct vdf_obj *parent, struct vdf_obj *child)
{
    vdf_obj_unlink(child);
    vdf_obj_move(child, parent);
    vdf_obj_link(child);
}

/* Exchanges the contents of @old, whose lock is held, and of @now, which is unlinked. */
static void exchange(struct vdf_obj *old, struct vdf_obj *now)
{
    for (struct vdf_obj *child = old->children, *next; child; child = next) {
        next = child->next;
        struct vdf_obj *other = vdf_obj_find(now, child->row, child->name);
        if (other) {
            exchange(child, other);
            continue;
        }
        vdf_obj_unlink(child);
        vdf_obj_kill(child);
        vdf_obj_unref(child);
    }
    for (struct vdf_obj *child = now->children, *next; child; child = next) {
        next = child->next;
        if (vdf_obj_find(old, child->row, child->name))
            continue;
        adopt_child(old, child);
    }
    keep_with_object(old, now);

    struct vdf_priv *priv = old->priv;
    old->priv = now->priv;
    now->priv = priv;
    ((struct vdf_priv *)old->priv)->obj = old;
    ((struct vdf_priv *)now->priv)->obj = now;
    vdf_guest_adopt(old, now->priv);
    if (old->cls->adopt)
        old->cls->adopt(old, now->priv, old->priv);
}

/* Starting fails only when a vdf_async cannot be allocated. The device then has the restored values but
 * waits for no event, and the failure is reported. */
static void replace(struct vdf_obj *old, struct vdf_obj *now)
{
    struct vdf_err err = { 0 };

    vdf_obj_stop(old);
    exchange(old, now);
    int ret = vdf_obj_start(old, false, &err);
    if (ret < 0)
        vdf_report(old, -ret, "not started after the restore: %s", err.text);
}

/* May @now, or nothing, take the place of @old? */
static int check_device(struct vdf_obj *old, struct vdf_obj *now, struct vdf_err *err)
{
    int ret = check_held(old, now, err);

    return ret == 0 && now ? check_kept(old, now, err) : ret;
}

static int check_unused(const struct vdf_state_load *load, const struct vdf_obj *obj,
                        struct vdf_err *err)
{
    if (obj == load->self || !vdf_obj_used(obj))
        return 0;
    if (!load->only)
        return vdf_fail(err, EBUSY, "%s/%s is attached to a guest: detach it", obj->row->path,
                        obj->name);
    return vdf_fail(err, EBUSY,
                    "the device is attached to a VM: detach it, or restore the state of the root");
}

/* The lock of the only device is held, or the caller is exclusive. */
static int restore_devices(const struct vdf_state_load *load, struct vdf_err *err)
{
    for (unsigned k = 0; k < load->n_devices; k++) {
        struct vdf_obj *old = load->devices[k];
        int ret = old->dead ? vdf_fail(err, ENODEV, "it was removed")
                            : check_device(old, find_new(load, old), err);
        if (ret == 0)
            ret = check_unused(load, old, err);
        if (ret < 0)
            return ret;
    }
    if (load->only && load->only->cls->disconnect)
        load->only->cls->disconnect(load->only);
    for (unsigned k = 0; k < load->n_devices; k++) {
        replace(load->devices[k], find_new(load, load->devices[k]));
        vdf_obj_touched(load->devices[k]);
    }
    if (load->only && load->only->cls->connect)
        load->only->cls->connect(load->only);
    return 0;
}

/* A device that uses others is restored while no other thread is inside any device. */
static int finish_device(struct vdf_state_load *load, struct vdf_err *err)
{
    bool exclusive = load->only->cls->connect != NULL;

    load->exclusive = exclusive;
    if (exclusive)
        vdf_tree_enter_exclusive(load->tree);
    else
        vdf_device_enter(load->only->device);
    int ret = restore_devices(load, err);
    /* Devices that have changed are reported as touched. */
    if (exclusive)
        vdf_tree_leave_exclusive(load->tree, NULL);
    else
        vdf_device_leave(load->only->device, false);
    return ret;
}

/* Exclusive: no other thread is inside a device. */
static int restore_root(struct vdf_tree *tree, struct vdf_state_load *load,
                        struct vdf_waiter **done, struct vdf_err *err)
{
    struct vdf_obj *root = tree->root;

    if (root->dead)
        return vdf_fail(err, ENODEV, "the tree is being unmounted");
    for (struct vdf_obj *old = root->children; old; old = old->next) {
        int ret = check_device(old, find_new(load, old), err);
        if (ret < 0)
            return ret;
    }
    for (struct vdf_obj *old = root->children; old; old = old->next)
        if (old->cls->disconnect)
            old->cls->disconnect(old);
    for (struct vdf_obj *old = root->children, *next; old; old = next) {
        next = old->next;
        struct vdf_obj *now = find_new(load, old);
        /* Removes the object that is left over: @now, which has the old contents, or the old device. */
        struct vdf_obj *gone = now ? now : old;
        if (now)
            replace(old, now);
        vdf_obj_unlink(gone);
        vdf_obj_kill(gone);
        vdf_device_changed(old->device);
        vdf_device_check_waiters(old->device, done);
        vdf_obj_unref(gone);
    }
    for (struct vdf_obj *now = load->root->children, *next; now; now = next) {
        struct vdf_err said = { 0 };
        next = now->next;
        adopt_child(root, now);
        if (vdf_obj_start(now, false, &said) < 0)
            vdf_report(now, said.code, "not started after the restore: %s", said.text);
    }
    for (struct vdf_obj *obj = root->children; obj; obj = obj->next)
        if (obj->cls->connect)
            obj->cls->connect(obj);
    vdf_device_changed(root->device);
    vdf_device_check_waiters(root->device, done);
    return 0;
}

static int begin(struct vdf_tree *tree, struct vdf_state_load **result, struct vdf_err *err)
{
    struct vdf_state_load *load = calloc(1, sizeof(*load));
    if (!load)
        return vdf_fail(err, ENOMEM, "no memory for the state");

    int ret = vdf_obj_create(tree, NULL, NULL, "", &load->root, err);
    if (ret < 0) {
        free(load);
        return ret;
    }
    load->tree = tree;
    *result = load;
    return 0;
}

int vdf_state_begin(struct vdf_obj *obj, struct vdf_state_load **result, struct vdf_err *err)
{
    int ret = begin(obj->device->tree, result, err);

    if (ret == 0 && obj->parent) {
        (*result)->only = vdf_obj_ref(obj);
        (*result)->devices = &(*result)->only;
        (*result)->n_devices = 1;
    }
    return ret;
}

int vdf_state_finish(struct vdf_state_load *load, struct vdf_err *err)
{
    struct vdf_waiter *done = NULL;

    load->r.err = err;
    int ret = end_text(load);
    if (ret < 0)
        return ret;
    if (load->only)
        return finish_device(load, err);
    if (load->n_devices)
        return restore_devices(load, err);
    vdf_tree_enter_exclusive(load->tree);
    ret = restore_root(load->tree, load, &done, err);
    vdf_tree_leave_exclusive(load->tree, done);
    return ret;
}

void vdf_state_free(struct vdf_state_load *load)
{
    if (!load)
        return;
    vdf_obj_kill(load->root);
    vdf_obj_unref(load->root);
    vdf_obj_unref(load->only);
    vdf_buf_free(&load->begun);
    free(load);
}

/* The whole text at once; frees @load. */
static int load_text_at_once(struct vdf_state_load *load, const char *text, size_t len,
                             struct vdf_err *err)
{
    int ret = vdf_state_feed(load, text, len, err);

    if (ret == 0)
        ret = vdf_state_finish(load, err);
    vdf_state_free(load);
    return ret;
}

int vdf_state_restore(struct vdf_obj *obj, const char *text, size_t len, struct vdf_err *err)
{
    struct vdf_state_load *load;
    int ret = vdf_state_begin(obj, &load, err);

    return ret < 0 ? ret : load_text_at_once(load, text, len, err);
}

int vdf_objs_load(struct vdf_obj *const *devices, unsigned n, const struct vdf_obj *self,
                  const char *text, size_t len, struct vdf_err *err)
{
    struct vdf_state_load *load;

    assert(n > 0);
    int ret = begin(devices[0]->device->tree, &load, err);
    if (ret < 0)
        return ret;

    load->devices = devices;
    load->n_devices = n;
    load->self = self;
    load->exclusive = true;
    return load_text_at_once(load, text, len, err);
}
