/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Values: rows to text and back. */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <virtdevfs/text.h>

#include "value.h"

bool vdf_row_is_number(const struct vdf_attr *attr)
{
    return attr->type == VDF_REG || attr->type == VDF_UINT || attr->type == VDF_BOOL ||
           attr->type == VDF_CHOICE;
}

static void *row_field(const struct vdf_at *at)
{
    const struct vdf_attr *attr = at->attr;
    const struct vdf_range *range = &attr->range[0];
    char *structure = attr->locate ? attr->locate(at) : at->priv;
    uint32_t step = range->step ? range->step : 1;

    return structure + attr->field + (at->i - range->first) / step * attr->each;
}

struct vdf_memory *vdf_row_memory(const struct vdf_at *at)
{
    return at->attr->type == VDF_RAW && at->attr->has_field ? row_field(at) : NULL;
}

struct vdf_log *vdf_row_log(const struct vdf_at *at)
{
    assert(at->attr->type == VDF_LOG && at->attr->has_field);
    return row_field(at);
}

uint64_t vdf_row_load_field(const struct vdf_at *at)
{
    const void *p = row_field(at);

    switch (at->attr->width) {
    case 1:
        return *(const uint8_t *)p;
    case 2:
        return *(const uint16_t *)p;
    case 4:
        return *(const uint32_t *)p;
    default:
        assert(at->attr->width == 8);
        return *(const uint64_t *)p;
    }
}

void vdf_row_store_field(const struct vdf_at *at, uint64_t value)
{
    void *p = row_field(at);

    switch (at->attr->width) {
    case 1:
        *(uint8_t *)p = (uint8_t)value;
        break;
    case 2:
        *(uint16_t *)p = (uint16_t)value;
        break;
    case 4:
        *(uint32_t *)p = (uint32_t)value;
        break;
    default:
        assert(at->attr->width == 8);
        *(uint64_t *)p = value;
        break;
    }
}

const struct vdf_hooks *vdf_row_hooks(const struct vdf_at *at)
{
    static const struct vdf_hooks none;
    const struct vdf_backend *backend = ((const struct vdf_priv *)at->priv)->backend;

    return backend && backend->hooks ? &backend->hooks[at->attr - at->obj->cls->attrs] : &none;
}

int vdf_row_get(const struct vdf_at *at, uint64_t *value)
{
    const struct vdf_hooks *hooks = vdf_row_hooks(at);

    if (hooks->get)
        return hooks->get(at, value);
    if (at->attr->get)
        return at->attr->get(at, value);
    *value = at->attr->has_field ? vdf_row_load_field(at) : 0;
    return 0;
}

/* The sentence has the fields that the register does have: "RD 19:0, ERR 30:24". */
static int refuse_reserved(const struct vdf_attr *attr, uint64_t value, struct vdf_err *err)
{
    struct vdf_buf fields = VDF_BUF_INIT;

    for (const struct vdf_bits *bits = attr->bits; bits && bits->name; bits++) {
        vdf_buf_printf(&fields, "%s%s %u", fields.len ? ", " : "; there are ", bits->name,
                       bits->low + vdf_bits_width(bits) - 1);
        if (vdf_bits_width(bits) > 1)
            vdf_buf_printf(&fields, ":%u", bits->low);
    }
    vdf_fail(err, EINVAL, "0x%" PRIx64 ": the reserved bits 0x%" PRIx64 " have to be 0%.*s", value,
             value & attr->reserved, (int)fields.len, fields.data ? fields.data : "");
    vdf_buf_free(&fields);
    return -EINVAL;
}

/* The row's `check` comes first: it refuses writes that are not allowed now. */
int vdf_row_check(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_attr *attr = at->attr;
    int ret = attr->check ? attr->check(at, value, err) : 0;

    if (ret < 0)
        return ret;
    if (value & attr->reserved)
        return refuse_reserved(attr, value, err);
    if ((attr->min || attr->max) && (value < attr->min || value > attr->max))
        return vdf_fail(err, EINVAL, "%" PRIu64 ": the value has to be %" PRIu64 " to %" PRIu64,
                        value, attr->min, attr->max);
    return 0;
}

/* The content of a register after a store of @value. */
static uint64_t merge_bits(const struct vdf_at *at, uint64_t value)
{
    const struct vdf_attr *attr = at->attr;
    uint64_t kept = attr->ro | (attr->w1c & ~value);

    if (!(attr->ro | attr->w1c))
        return value;
    return (vdf_row_load_field(at) & kept) | (value & ~(attr->ro | attr->w1c));
}

int vdf_row_set(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_attr *attr = at->attr;
    const struct vdf_hooks *hooks = vdf_row_hooks(at);

    if (hooks->set)
        return hooks->set(at, value, err);
    int ret = vdf_row_check(at, value, err);
    if (ret == 0 && attr->set)
        ret = attr->set(at, value, err);
    else if (ret == 0 && attr->has_field)
        vdf_row_store_field(at, merge_bits(at, value));
    if (ret < 0)
        return ret;
    if (attr->after)
        attr->after(at, value);
    return 0;
}

int vdf_row_restore(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_hooks *hooks = vdf_row_hooks(at);

    if (hooks->restore)
        return hooks->restore(at, value, err);
    if (at->attr->restore && !hooks->set)
        return at->attr->restore(at, value, err);
    if (!at->attr->has_field || hooks->set)
        return vdf_row_set(at, value, err);
    int ret = vdf_row_check(at, value, err);
    if (ret == 0)
        vdf_row_store_field(at, value);
    return ret;
}

int vdf_restore_unchecked(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    vdf_row_store_field(at, value);
    return 0;
}

int vdf_restore_by_write(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    return vdf_row_set(at, value, err);
}

void vdf_row_show(const struct vdf_at *at, struct vdf_buf *out)
{
    const struct vdf_hooks *hooks = vdf_row_hooks(at);

    (hooks->show ? hooks->show : at->attr->show)(at, out);
}

int vdf_row_store(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err)
{
    const struct vdf_hooks *hooks = vdf_row_hooks(at);

    return (hooks->store ? hooks->store : at->attr->store)(at, text, len, err);
}

/* --- text ------------------------------------------------------------------------------------- */

void vdf_row_render_number(const struct vdf_attr *attr, uint64_t value, struct vdf_buf *out)
{
    switch (attr->type) {
    case VDF_REG:
        vdf_buf_add_hex(out, value, attr->width * 2);
        break;
    case VDF_CHOICE:
        vdf_buf_add(out, attr->choices[value], strlen(attr->choices[value]));
        break;
    default:
        vdf_buf_add_decimal(out, value);
        break;
    }
}

static int parse_choice(const struct vdf_attr *attr, const char *text, size_t len, uint64_t *value,
                        struct vdf_err *err)
{
    struct vdf_buf words = VDF_BUF_INIT;

    for (uint64_t k = 0; attr->choices[k]; k++) {
        if (strlen(attr->choices[k]) == len && memcmp(attr->choices[k], text, len) == 0) {
            *value = k;
            return 0;
        }
        vdf_buf_printf(&words, "%s%s", k ? ", " : "", attr->choices[k]);
    }
    vdf_fail(err, EINVAL, "\"%.*s\" is none of: %.*s", len > 40 ? 40 : (int)len, text,
             (int)words.len, words.data ? words.data : "");
    vdf_buf_free(&words);
    return -EINVAL;
}

int vdf_row_parse_number(const struct vdf_attr *attr, const char *text, size_t len, uint64_t *value,
                         struct vdf_err *err)
{
    int shown = len > 40 ? 40 : (int)len;

    if (attr->type == VDF_CHOICE)
        return parse_choice(attr, text, len, value, err);

    int ret = vdf_number_parse(text, len, value);
    if (ret == -EINVAL)
        return vdf_fail(err, EINVAL, "\"%.*s\" is not a number: decimal, 0x hex or 0b binary",
                        shown, text);
    if (ret == -ERANGE || *value & ~vdf_row_mask(attr))
        return vdf_fail(err, ERANGE, "%.*s does not fit into %u bits", shown, text,
                        attr->width ? attr->width * 8 : 64);
    if (attr->type == VDF_BOOL && *value > 1)
        return vdf_fail(err, EINVAL, "%.*s is not a boolean: 0 or 1", shown, text);
    return 0;
}

int vdf_value_render(const struct vdf_place *place, struct vdf_buf *out)
{
    struct vdf_at at = vdf_place_at(place);
    uint64_t value;

    if (place->entry->special == VDF_LOST) {
        vdf_buf_printf(out, "%" PRIu64 "\n", vdf_row_log(&at)->lost);
        return out->oom ? -ENOMEM : 0;
    }
    if (vdf_row_is_number(at.attr)) {
        int ret = vdf_row_get(&at, &value);
        if (ret < 0)
            return ret;
        vdf_row_render_number(at.attr, value, out);
        vdf_buf_add(out, "\n", 1);
    } else {
        vdf_row_show(&at, out);
        /* An empty list is an empty file. */
        if (out->len && out->data[out->len - 1] != '\n')
            vdf_buf_add(out, "\n", 1);
    }
    return out->oom ? -ENOMEM : 0;
}

int vdf_value_write(const struct vdf_place *place, const char *text, size_t len,
                    struct vdf_err *err)
{
    struct vdf_at at = vdf_place_at(place);
    uint64_t value;

    if (len > VDF_VALUE_MAX)
        return vdf_fail(err, EINVAL, "%zu bytes are no value of this file", len);
    vdf_text_trim(&text, &len);
    if (memchr(text, '\0', len))
        return vdf_fail(err, EINVAL, "the value contains a NUL byte");
    if (vdf_row_is_number(at.attr)) {
        int ret = vdf_row_parse_number(at.attr, text, len, &value, err);
        return ret < 0 ? ret : vdf_row_set(&at, value, err);
    }
    if (!at.attr->store)
        return vdf_fail(err, EINVAL, "this file takes no value");

    /* Hooks get a NUL-terminated string and its length. */
    char small[256], *copy = small;
    if (len >= sizeof(small)) {
        copy = malloc(len + 1);
        if (!copy)
            return vdf_fail(err, ENOMEM, "no memory for %zu bytes", len);
    }
    memcpy(copy, text, len);
    copy[len] = '\0';
    int ret = vdf_row_store(&at, copy, len, err);
    if (copy != small)
        free(copy);
    return ret;
}
