/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A class's flat table of paths, compiled into a tree of names. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "table.h"

static void free_entry(struct vdf_entry *entry)
{
    while (entry->children) {
        struct vdf_entry *child = entry->children;
        entry->children = child->next;
        free_entry(child);
    }
    free(entry->name);
    free(entry);
}

/* Entries keep the order of their rows, which readdir shows. */
static struct vdf_entry *add_entry(struct vdf_entry *parent, const char *name, size_t len)
{
    struct vdf_entry *entry = calloc(1, sizeof(*entry));
    if (!entry)
        return NULL;
    if (name) {
        entry->name = strndup(name, len);
        if (!entry->name) {
            free(entry);
            return NULL;
        }
    }
    entry->parent = parent;
    struct vdf_entry **end = &parent->children;
    while (*end)
        end = &(*end)->next;
    *end = entry;
    return entry;
}

static struct vdf_entry *find_entry(const struct vdf_entry *parent, const char *name, size_t len)
{
    for (struct vdf_entry *e = parent->children; e; e = e->next)
        if (name ? e->name && strlen(e->name) == len && memcmp(e->name, name, len) == 0 : !e->name)
            return e;
    return NULL;
}

static int add_row(struct vdf_table *table, const struct vdf_attr *attr)
{
    struct vdf_entry *at = table->root;
    unsigned level = 0;

    for (const char *part = attr->path; *part;) {
        size_t len = strcspn(part, "/");
        bool number = len == 1 && *part == '#';
        const char *name = number ? NULL : part;
        struct vdf_entry *entry = find_entry(at, name, len);
        if (!entry) {
            entry = add_entry(at, name, len);
            if (!entry)
                return -ENOMEM;
            if (number) {
                assert(level < 2);
                entry->range = &attr->range[level];
                entry->level = level;
            }
        }
        level += number;
        at = entry;
        part += len + (part[len] == '/');
    }
    /* A table that names one file twice is wrong. */
    assert(!at->attr || at->attr == attr);
    at->attr = attr;

    if (attr->type == VDF_LOG) {
        assert(at->parent);
        char name[VDF_NAME_MAX];
        int n = snprintf(name, sizeof(name), "%s_lost", at->name);
        struct vdf_entry *lost = add_entry(at->parent, name, (size_t)n);
        if (!lost)
            return -ENOMEM;
        lost->attr = attr;
        lost->special = VDF_LOST;
    }
    return 0;
}

static int add_rows(struct vdf_table *table, bool state)
{
    table->root = calloc(1, sizeof(*table->root));
    if (!table->root)
        return -ENOMEM;
    if (state) {
        struct vdf_entry *entry = add_entry(table->root, "state", strlen("state"));
        if (!entry)
            return -ENOMEM;
        entry->special = VDF_STATE;
    }
    for (size_t k = 0; k < table->cls->n_attrs; k++) {
        const struct vdf_attr *attr = &table->cls->attrs[k];
        if (attr->type == VDF_WINDOW) {
            assert(attr->window && attr->window < VDF_WINDOWS);
            table->windows[attr->window] = attr;
        }
        if (attr->flags & VDF_NO_FILE)
            continue;
        int ret = add_row(table, attr);
        if (ret < 0)
            return ret;
    }
    return 0;
}

struct vdf_table *vdf_table_find(struct vdf_table *list, const struct vdf_class *cls)
{
    while (list && list->cls != cls)
        list = list->next;
    return list;
}

int vdf_table_compile(struct vdf_table **list, const struct vdf_class *cls, unsigned depth)
{
    if (vdf_table_find(*list, cls))
        return 0;

    struct vdf_table *table = calloc(1, sizeof(*table));
    if (!table)
        return -ENOMEM;
    table->cls = cls;
    table->next = *list;
    *list = table;
    int ret = add_rows(table, depth <= 1 && !cls->no_state);
    for (unsigned w = 1; ret == 0 && w < VDF_WINDOWS; w++)
        if (table->windows[w])
            ret = vdf_index_compile(&table->indexes[w], cls, w);
    for (size_t k = 0; ret == 0 && k < cls->n_attrs; k++)
        if (cls->attrs[k].type == VDF_OBJECTS)
            ret = vdf_table_compile(list, cls->attrs[k].objects->cls, depth + 1);
    return ret;
}

void vdf_table_free_all(struct vdf_table **list)
{
    while (*list) {
        struct vdf_table *table = *list;
        *list = table->next;
        for (unsigned w = 0; w < VDF_WINDOWS; w++)
            vdf_index_free(&table->indexes[w]);
        if (table->root)
            free_entry(table->root);
        free(table);
    }
}

const struct vdf_attr *vdf_class_row(const struct vdf_class *cls, const char *path)
{
    for (size_t k = 0; k < cls->n_attrs; k++)
        if (strcmp(cls->attrs[k].path, path) == 0)
            return &cls->attrs[k];
    return NULL;
}

const struct vdf_attr *vdf_class_split(const struct vdf_class *cls, const char *path, size_t len,
                                       char name[VDF_NAME_MAX + 1], const char **rest)
{
    for (size_t k = 0; k < cls->n_attrs; k++) {
        const struct vdf_attr *attr = &cls->attrs[k];
        size_t n = strlen(attr->path);
        if (attr->type != VDF_OBJECTS || len < n + 2 || path[n] != '/' ||
            memcmp(path, attr->path, n) != 0)
            continue;
        const char *begin = path + n + 1, *all = path + len;
        const char *end = memchr(begin, '/', (size_t)(all - begin));
        size_t name_len = (size_t)((end ? end : all) - begin);
        if (name_len == 0 || name_len > VDF_NAME_MAX)
            return NULL;
        memcpy(name, begin, name_len);
        name[name_len] = '\0';
        *rest = end ? end + 1 : all;
        return attr;
    }
    return NULL;
}

uint32_t vdf_range_count(const struct vdf_range *range, const void *priv)
{
    return range->counted ? range->counted(priv) : range->count;
}

uint32_t vdf_range_nth(const struct vdf_range *range, uint32_t n)
{
    return range->first + n * (range->step ? range->step : 1);
}

bool vdf_range_has(const struct vdf_range *range, const void *priv, uint32_t number)
{
    uint32_t step = range->step ? range->step : 1;

    if (number < range->first || (number - range->first) % step != 0)
        return false;
    if ((number - range->first) / step >= vdf_range_count(range, priv))
        return false;
    return !range->has || range->has(priv, number);
}
