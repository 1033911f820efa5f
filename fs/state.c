/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * State files: the whole state of a device, or of all of them, as text.
 *
 *     virtdevfs-state 1
 *
 *     [console/con0]                        one section an object, parents first, numbers in order
 *     device = console                      one line a row, in the table's order
 *     sourcecfg/3 = 0x00000004              rows with a '#': only numbers that differ from the
 * reset memory@0x00001000 = 48656c6c6f...     memory: 32 bytes a line, lines of zeros left out
 *     checksum = 2418082923                 of all bytes before this line, as cksum(1) prints it
 *
 * In text, backslash, newline and control bytes are written \\, \n and \xHH. Lines that are empty
 * or begin with '#' are skipped, a line that is left out leaves its row at the default.
 *
 * A state is applied in two steps. It is first loaded into new, unlinked devices, where everything
 * that can be refused is refused. Then nothing can fail any more, and the new private structures
 * change places with the old.
 */
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core.h"

#define HEADER "virtdevfs-state"
#define VERSION 1
#define CHECKSUM "checksum = "
#define MEMORY_LINE 32u /* bytes of memory in a line */

/* --- the checksum ----------------------------------------------------------------------------- */

#define CRC_STEP 8u

/* Row k: what a byte with k more bytes behind it in the same step makes of the remainder. */
static uint32_t crc_table[CRC_STEP][256];

static void make_crc_table(void)
{
    for (uint32_t k = 0; k < 256; k++) {
        uint32_t crc = k << 24;
        for (int bit = 0; bit < 8; bit++)
            crc = crc << 1 ^ (crc & UINT32_C(0x80000000) ? UINT32_C(0x04c11db7) : 0);
        crc_table[0][k] = crc;
    }
    for (unsigned n = 1; n < CRC_STEP; n++)
        for (uint32_t k = 0; k < 256; k++) {
            uint32_t crc = crc_table[n - 1][k];
            crc_table[n][k] = crc << 8 ^ crc_table[0][crc >> 24];
        }
}

static uint32_t crc_byte(uint32_t crc, uint8_t byte)
{
    return crc << 8 ^ crc_table[0][crc >> 24 ^ byte];
}

/* The CRC of POSIX's cksum, so that an edited file can be signed again with it. */
static uint32_t checksum(const char *text, size_t len)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    const uint8_t *bytes = (const uint8_t *)text;
    uint32_t crc = 0;
    size_t k = 0;

    pthread_once(&once, make_crc_table);
    for (; len - k >= CRC_STEP; k += CRC_STEP) {
        const uint8_t *p = bytes + k;
        crc = crc_table[7][crc >> 24 ^ p[0]] ^ crc_table[6][(crc >> 16 & 0xff) ^ p[1]] ^
              crc_table[5][(crc >> 8 & 0xff) ^ p[2]] ^ crc_table[4][(crc & 0xff) ^ p[3]] ^
              crc_table[3][p[4]] ^ crc_table[2][p[5]] ^ crc_table[1][p[6]] ^ crc_table[0][p[7]];
    }
    for (; k < len; k++)
        crc = crc_byte(crc, bytes[k]);
    for (size_t rest = len; rest; rest >>= 8)
        crc = crc_byte(crc, (uint8_t)rest);
    return ~crc;
}

/* --- saving ----------------------------------------------------------------------------------- */

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
    static const uint8_t zeros[MEMORY_LINE];
    uint8_t bytes[4096];

    for (uint64_t offset = from - from % MEMORY_LINE; offset < to; offset += sizeof(bytes)) {
        size_t want = mem->size - offset < sizeof(bytes) ? mem->size - offset : sizeof(bytes);
        int ret = vdf_memory_read(mem, offset, bytes, want);
        if (ret < 0)
            return ret;
        for (size_t k = 0; k < want; k += MEMORY_LINE) {
            size_t n = want - k < MEMORY_LINE ? want - k : MEMORY_LINE;
            if (memcmp(bytes + k, zeros, n) == 0)
                continue;
            vdf_buf_add(out, at->attr->path, strlen(at->attr->path));
            vdf_buf_add(out, "@", 1);
            vdf_buf_add_hex(out, offset + k, 8);
            vdf_buf_add(out, " = ", 3);
            vdf_buf_add_bytes(out, bytes + k, n);
            vdf_buf_add(out, "\n", 1);
        }
    }
    return 0;
}

/* Holes of the memfd are never read, so that large memory costs what is in it. */
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

/* What has a number and its row's reset value, or no text, is left out. */
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

static unsigned count_levels(const struct vdf_attr *attr)
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
    unsigned levels = count_levels(attr);
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
    return ret == 0 && obj->children ? save_children(obj, out) : ret;
}

static void tell_saving(struct vdf_obj *obj, bool begin)
{
    if (obj->cls->saving)
        obj->cls->saving(obj, begin);
    if (obj->parent)
        return;
    for (struct vdf_obj *child = obj->children; child; child = child->next)
        tell_saving(child, begin);
}

int vdf_state_save(struct vdf_obj *obj, struct vdf_buf *out)
{
    tell_saving(obj, true);
    vdf_buf_printf(out, "%s %d\n", HEADER, VERSION);
    int ret = save_object(obj, out);
    tell_saving(obj, false);
    if (ret == 0)
        vdf_buf_printf(out, "%s%" PRIu32 "\n", CHECKSUM, checksum(out->data, out->len));
    return ret < 0 ? ret : out->oom ? -ENOMEM : 0;
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
        vdf_tree_enter_alone(tree);
    *version = vdf_state_version(obj);
    if (!obj->dead)
        ret = vdf_state_save(obj, out);
    if (obj->parent)
        vdf_device_leave(obj->device, false);
    else
        vdf_tree_leave_alone(tree, NULL);
    return ret;
}

/* --- reading lines ---------------------------------------------------------------------------- */

struct reader {
    const char *text;
    size_t len, at;
    unsigned line;
    struct vdf_err *err;
};

struct slice {
    const char *text;
    size_t len;
};

static bool next_line(struct reader *r, struct slice *line)
{
    while (r->at < r->len) {
        const char *begin = r->text + r->at;
        const char *end = memchr(begin, '\n', r->len - r->at);
        size_t len = end ? (size_t)(end - begin) : r->len - r->at;

        r->at += len + (end != NULL);
        r->line++;
        *line = (struct slice){ begin, len };
        if (len && *begin != '#')
            return true;
    }
    return false;
}

static bool starts(struct slice line, const char *with)
{
    size_t n = strlen(with);
    return line.len >= n && memcmp(line.text, with, n) == 0;
}

/* A refusal that says where: "line 17: ...". What a hook said is kept behind it. */
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

/* Where the last line begins. */
static size_t last_line(const char *text, size_t len)
{
    while (len && text[len - 1] == '\n')
        len--;
    const char *before = len ? memrchr(text, '\n', len) : NULL;
    return before ? (size_t)(before - text) + 1 : 0;
}

bool vdf_state_complete(const char *text, size_t len)
{
    if (len == 0 || text[len - 1] != '\n')
        return false;
    size_t at = last_line(text, len);
    return starts((struct slice){ text + at, len - at }, CHECKSUM);
}

/* Checks the frame and cuts the text down to what is between header and checksum. */
static int check_frame(struct reader *r)
{
    size_t end = last_line(r->text, r->len);
    struct slice last = { r->text + end, r->len - end }, line;
    uint64_t number;

    if (memchr(r->text, '\0', r->len))
        return vdf_fail(r->err, EINVAL, "there is a NUL byte in it: this is no state file");
    if (!next_line(r, &line) || !starts(line, HEADER " "))
        return vdf_fail(r->err, EINVAL, "it does not begin with \"%s %d\"", HEADER, VERSION);
    size_t skip = strlen(HEADER " ");
    if (vdf_number_parse(line.text + skip, line.len - skip, &number) < 0 || number != VERSION)
        return vdf_fail(r->err, EINVAL, "format version %.*s: versions up to %d can be read",
                        shown((struct slice){ line.text + skip, line.len - skip }),
                        line.text + skip, VERSION);
    if (!starts(last, CHECKSUM))
        return vdf_fail(r->err, EINVAL,
                        "the last line is no \"%sNUMBER\": the file is cut short, or write "
                        "\"%snone\" there after editing it",
                        CHECKSUM, CHECKSUM);
    while (last.len && last.text[last.len - 1] == '\n')
        last.len--;
    last.text += strlen(CHECKSUM);
    last.len -= strlen(CHECKSUM);
    r->len = end;
    if (last.len == 4 && memcmp(last.text, "none", 4) == 0)
        return 0;
    if (vdf_number_parse(last.text, last.len, &number) < 0)
        return vdf_fail(r->err, EINVAL, "checksum \"%.*s\" is neither a number nor \"none\"",
                        shown(last), last.text);
    uint32_t right = checksum(r->text, end);
    if (number != right)
        return vdf_fail(r->err, EINVAL,
                        "checksum %" PRIu64 ", but the content has %" PRIu32
                        ": write \"%snone\" if it was edited on purpose",
                        number, right, CHECKSUM);
    return 0;
}

/* --- loading into unlinked objects ------------------------------------------------------------ */

/* Where in a section the reader is: rows come in the table's order, each once. */
struct cursor {
    struct vdf_obj *obj;
    size_t row;
    uint64_t key; /* of the numbers, or of the offset in memory */
    bool any;
};

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

/* The search begins where the last line's row was: the next one's is not far behind it. */
static bool find_row(const struct cursor *cursor, struct slice name, struct vdf_at *at)
{
    struct vdf_obj *obj = cursor->obj;
    size_t n = obj->cls->n_attrs;

    *at = (struct vdf_at){ .obj = obj, .priv = obj->priv };
    for (size_t k = 0, row = cursor->row; k < n; k++, row = row + 1 < n ? row + 1 : 0) {
        at->attr = &obj->cls->attrs[row];
        if (at->attr->flags & (VDF_SAVE | VDF_KEPT) && match_path(at, name))
            return true;
    }
    return false;
}

static bool row_exists(const struct vdf_at *at)
{
    unsigned levels = count_levels(at->attr);

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

    if (value.len % 2 || n == 0 || n > MEMORY_LINE)
        return vdf_fail(err, EINVAL, "%zu hex digits: a line has 1 to %u bytes", value.len,
                        MEMORY_LINE);
    if (offset > mem->size || n > mem->size - offset)
        return vdf_fail(err, EINVAL, "0x%" PRIx64 " is outside of the %" PRIu64 " bytes of %s",
                        offset, mem->size, at->attr->path);
    uint8_t *to = vdf_memory_at(mem, offset, n);
    if (!to)
        return vdf_fail(err, ENOMEM, "no memory for %s", at->attr->path);
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
        ret = vdf_fail(err, EINVAL, "the value has a NUL byte in it");
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
        return at->attr->flags & VDF_KEPT ? 0 : load_text(at, value, err);
    /* States had such choices in them once: they still have to be right. */
    if (at->attr->flags & VDF_KEPT)
        return vdf_row_parse_number(at->attr, value.text, value.len, &number, err);
    return load_number(at, value, err);
}

/* The first " = ", or a " =" at the end; NULL: there is none. */
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
        return BAD_LINE(r, EINVAL, "\"%.*s\" is here twice or not in its order", shown(name),
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

/* A state while it is loaded: the devices lie below a root of their own, which nobody sees. */
struct load {
    struct vdf_tree *tree;
    struct vdf_obj *root;
    struct vdf_obj *only; /* a state for this device, whatever its name in the file; or NULL */
    char only_name[VDF_NAME_MAX + 1]; /* its name in the file */
};

static int valid_object(struct vdf_obj *parent, const struct vdf_attr *row, const char *name,
                        struct vdf_err *err)
{
    if (!vdf_name_valid(name))
        return vdf_fail(err, EINVAL, "\"%s\" is no name of an object", name);
    if (row->when && !row->when(parent->priv))
        return vdf_fail(err, EINVAL, "%s does not exist with the values above it", row->path);
    if (row->flags & VDF_FIXED)
        return vdf_fail(err, EINVAL, "nothing can be made in %s", row->path);
    return row->objects->allow ? row->objects->allow(parent, name, err) : 0;
}

/* The state of one device may go into another of its kind: the name in the file stands for it. */
static int map_device_name(struct reader *r, struct load *load, const struct vdf_attr *row,
                           char name[VDF_NAME_MAX + 1])
{
    if (!load->only)
        return 0;
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
        if (cls->attrs[k].flags & VDF_KEPT)
            return true;
    return false;
}

/* The device in the tree that @now, an unlinked one, is to replace: referenced; NULL: there is
 * none. */
static struct vdf_obj *find_old_device(const struct load *load, const struct vdf_obj *now)
{
    struct vdf_obj *root = load->tree->root, *old;

    if (load->only)
        return vdf_obj_ref(load->only);
    vdf_device_enter(root->device);
    old = vdf_obj_find(root, now->row, now->name);
    if (old)
        vdf_obj_ref(old);
    vdf_device_leave(root->device, false);
    return old;
}

/* The object in @old's tree that stands where @now does below @device. */
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

/* Gives @now, before its state is loaded, the choices of the object that it is to replace. */
static int keep_choices(const struct load *load, struct vdf_obj *now, struct vdf_err *err)
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
    vdf_device_enter(old_device->device);
    struct vdf_obj *old = old_device->dead ? NULL : find_old(old_device, device, now);
    for (size_t k = 0; ret == 0 && old && k < now->cls->n_attrs; k++)
        if (now->cls->attrs[k].flags & VDF_KEPT)
            ret = keep_row(old, now, &now->cls->attrs[k], err);
    vdf_device_leave(old_device->device, false);
    vdf_obj_unref(old_device);
    return ret;
}

static int load_section(struct reader *r, struct load *load, struct slice line,
                        struct cursor *cursor)
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
            if (ret < 0)
                return at_line(r, ret, &said);
        } else if (!child || (path.len && !child->named)) {
            return BAD_LINE(r, EINVAL, "\"%.*s\" comes before the object that it lies in",
                            shown(line), line.text);
        }
        obj = child;
    }
    if (obj->named)
        return BAD_LINE(r, EINVAL, "\"%.*s\" is here twice", shown(line), line.text);
    obj->named = true;
    *cursor = (struct cursor){ .obj = obj };
    int ret = keep_choices(load, obj, &said);
    return ret < 0 ? at_line(r, ret, &said) : 0;
}

/* What a new object has of itself but the state does not name goes away. */
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

static int load_all(struct load *load, const char *text, size_t len, struct vdf_err *err)
{
    struct reader r = { .text = text, .len = len, .err = err };
    struct cursor cursor = { 0 };
    struct slice line;
    int ret = check_frame(&r);

    while (ret == 0 && next_line(&r, &line)) {
        if (*line.text == '[')
            ret = load_section(&r, load, line, &cursor);
        else if (!cursor.obj)
            ret = BAD_LINE(&r, EINVAL, "a value before the first \"[object]\"");
        else
            ret = load_line(&r, &cursor, line);
    }
    if (ret == 0 && load->only && !load->root->children)
        ret = vdf_fail(err, EINVAL, "there is no \"[%s/NAME]\" in it", load->only->row->path);
    drop_unnamed(load->root);
    for (struct vdf_obj *obj = load->root->children; ret == 0 && obj; obj = obj->next)
        ret = finish_object(obj, err);
    return ret;
}

/* --- taking the place of what is there -------------------------------------------------------- */

static int refuse_held(const struct vdf_obj *obj, const struct vdf_attr *attr, struct vdf_err *err)
{
    struct vdf_buf path = VDF_BUF_INIT;

    vdf_obj_path(obj, &path);
    int ret = vdf_fail(err, EBUSY, "%.*s/%s is open and mapped: close it first", (int)path.len,
                       path.data, attr->path);
    vdf_buf_free(&path);
    return ret;
}

/* Would the exchange take memory away that somebody has mapped, or an object with a mapped page? */
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
            (was.attr->flags & VDF_BESIDE || vdf_memory_swap_in(mem, other) == 0)) {
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

/* Gives @old, whose lock is held, the contents of @now, which is unlinked, and the other way round.
 */
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
    if (old->cls->adopt)
        old->cls->adopt(old, now->priv, old->priv);
}

/* Starting can only fail for want of memory for a vdf_async; the device is then
 * as the state says but does not wait for anything, which is reported. */
static void replace(struct vdf_obj *old, struct vdf_obj *now)
{
    struct vdf_err err = { 0 };

    vdf_obj_stop(old);
    exchange(old, now);
    int ret = vdf_obj_start(old, false, &err);
    if (ret < 0)
        vdf_report(old, -ret, "not started after the restore: %s", err.text);
}

static int restore_device(struct vdf_obj *obj, struct load *load, struct vdf_err *err)
{
    struct vdf_obj *now = load->root->children;

    vdf_device_enter(obj->device);
    int ret = obj->dead ? vdf_fail(err, ENODEV, "it was removed") : check_held(obj, now, err);
    if (ret == 0 && vdf_obj_used(obj))
        ret = vdf_fail(err, EBUSY,
                       "it is attached to a VM: detach it, or restore the state of the root");
    if (ret == 0)
        replace(obj, now);
    vdf_device_leave(obj->device, ret == 0);
    return ret;
}

/* The moment is write-held: nobody is in any device. */
static int restore_root(struct vdf_tree *tree, struct load *load, struct vdf_waiter **done,
                        struct vdf_err *err)
{
    struct vdf_obj *root = tree->root;

    if (root->dead)
        return vdf_fail(err, ENODEV, "the tree is being unmounted");
    for (struct vdf_obj *old = root->children; old; old = old->next) {
        if (!vdf_obj_held(old))
            continue;
        int ret = check_held(old, vdf_obj_find(load->root, old->row, old->name), err);
        if (ret < 0)
            return ret;
    }
    for (struct vdf_obj *old = root->children; old; old = old->next)
        if (old->cls->disconnect)
            old->cls->disconnect(old);
    for (struct vdf_obj *old = root->children, *next; old; old = next) {
        next = old->next;
        struct vdf_obj *now = vdf_obj_find(load->root, old->row, old->name);
        /* One of the two goes: the new one with what was in the old one, or the old one. */
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

int vdf_state_restore(struct vdf_obj *obj, const char *text, size_t len, struct vdf_err *err)
{
    struct vdf_tree *tree = obj->device->tree;
    struct load load = { .tree = tree, .only = obj->parent ? obj : NULL };
    struct vdf_waiter *done = NULL;
    int ret = vdf_obj_create(tree, NULL, NULL, "", &load.root, err);

    if (ret < 0)
        return ret;
    ret = load_all(&load, text, len, err);
    if (ret == 0 && obj->parent) {
        ret = restore_device(obj, &load, err);
    } else if (ret == 0) {
        vdf_tree_enter_alone(tree);
        ret = restore_root(tree, &load, &done, err);
        vdf_tree_leave_alone(tree, done);
    }
    vdf_obj_kill(load.root);
    vdf_obj_unref(load.root);
    return ret;
}
