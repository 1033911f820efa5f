/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>

#include "index.h"
#include "table.h"

/* --- compiling -------------------------------------------------------------------------------- */

static bool lies_in(const struct vdf_attr *attr, unsigned window)
{
    return attr->window == window && attr->type != VDF_WINDOW;
}

/* Registers of one stride whose first numbers lie within one stride repeat together. */
static struct vdf_bank *bank_of(struct vdf_index *index, const struct vdf_attr *attr)
{
    for (size_t k = 0; k < index->n; k++) {
        struct vdf_bank *bank = &index->banks[k];
        if (bank->stride == attr->stride &&
            (!attr->stride || attr->offset - bank->base < attr->stride))
            return bank;
    }
    return NULL;
}

/* In the order of the offsets, so that a bank begins with its lowest register. */
static int compare_rows(const void *a, const void *b)
{
    const struct vdf_attr *x = *(const struct vdf_attr *const *)a;
    const struct vdf_attr *y = *(const struct vdf_attr *const *)b;

    if (x->offset != y->offset)
        return x->offset < y->offset ? -1 : 1;
    return x < y ? -1 : x > y;
}

/* The rows of the window by offset; malloc'ed. */
static const struct vdf_attr **sorted_rows(const struct vdf_class *cls, unsigned window, size_t *n)
{
    const struct vdf_attr **rows = calloc(cls->n_attrs + 1, sizeof(*rows));

    *n = 0;
    for (size_t k = 0; rows && k < cls->n_attrs; k++)
        if (lies_in(&cls->attrs[k], window))
            rows[(*n)++] = &cls->attrs[k];
    if (rows)
        qsort(rows, *n, sizeof(*rows), compare_rows);
    return rows;
}

/* Each bank has room for all rows: a table has few. */
static struct vdf_bank *add_bank(struct vdf_index *index, uint64_t base, uint64_t stride,
                                 size_t room)
{
    struct vdf_bank *bank = &index->banks[index->n];

    *bank = (struct vdf_bank){ .base = base, .stride = stride };
    bank->entries = calloc(room, sizeof(*bank->entries));
    if (!bank->entries)
        return NULL;
    index->n++;
    return bank;
}

static int add_rows(struct vdf_index *index, const struct vdf_attr **rows, size_t n)
{
    struct vdf_bank *bank = add_bank(index, 0, 0, n + 1);

    for (size_t k = 0; bank && k < n; k++) {
        bank = bank_of(index, rows[k]);
        if (!bank)
            bank = add_bank(index, rows[k]->offset, rows[k]->stride, n);
        if (bank)
            bank->entries[bank->n++] = (struct vdf_index_entry){
                .offset = rows[k]->offset - bank->base,
                .attr = rows[k],
            };
    }
    return bank ? 0 : -ENOMEM;
}

int vdf_index_compile(struct vdf_index *index, const struct vdf_class *cls, unsigned window)
{
    size_t n;
    const struct vdf_attr **rows = sorted_rows(cls, window, &n);

    if (!rows)
        return -ENOMEM;
    *index = (struct vdf_index){ .banks = calloc(n + 1, sizeof(*index->banks)) };
    int ret = index->banks ? add_rows(index, rows, n) : -ENOMEM;
    free(rows);
    if (ret < 0)
        vdf_index_free(index);
    return ret;
}

void vdf_index_free(struct vdf_index *index)
{
    for (size_t k = 0; k < index->n; k++)
        free(index->banks[k].entries);
    free(index->banks);
    *index = (struct vdf_index){ 0 };
}

/* --- finding ---------------------------------------------------------------------------------- */

/* Does number @n of the row exist, and which is it? */
static bool number_exists(const struct vdf_attr *attr, const void *priv, uint64_t n,
                          uint32_t *number)
{
    if (attr->when && !attr->when(priv))
        return false;
    *number = 0;
    if (!attr->stride)
        return true;
    if (n >= vdf_range_count(&attr->range[0], priv))
        return false;
    *number = vdf_range_nth(&attr->range[0], (uint32_t)n);
    return vdf_range_has(&attr->range[0], priv, *number);
}

static const struct vdf_attr *find_in_bank(const struct vdf_bank *bank, const void *priv,
                                           uint64_t offset, uint32_t *number)
{
    uint64_t n = bank->stride ? (offset - bank->base) / bank->stride : 0;
    uint64_t rest = offset - bank->base - n * bank->stride;
    size_t first = 0, end = bank->n;

    while (first < end) {
        size_t middle = first + (end - first) / 2;
        if (bank->entries[middle].offset < rest)
            first = middle + 1;
        else
            end = middle;
    }
    for (; first < bank->n && bank->entries[first].offset == rest; first++)
        if (number_exists(bank->entries[first].attr, priv, n, number))
            return bank->entries[first].attr;
    return NULL;
}

/* A window has few banks. The last one that begins at or before @offset comes first, and then those
 * before it, as another kind of device may have a bank in between. */
const struct vdf_attr *vdf_index_find(const struct vdf_index *index, const void *priv,
                                      uint64_t offset, uint32_t *number)
{
    const struct vdf_attr *attr = NULL;

    if (index->n)
        attr = find_in_bank(&index->banks[0], priv, offset, number);
    for (size_t k = index->n; !attr && k-- > 1;)
        if (index->banks[k].base <= offset)
            attr = find_in_bank(&index->banks[k], priv, offset, number);
    return attr;
}
