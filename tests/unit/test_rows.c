/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every row of every class, by the rules of the table: bits and masks, the index of the windows, the
 * values that a file takes and refuses, and the state. A row that breaks a rule is named; no rule
 * knows a name of a device.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/tree/object.h"
#include "fs/tree/value.h"
#include "harness.h"
#include "skip.h"

#define PATH_BYTES 512

/* --- what the rows say ------------------------------------------------------------------------ */

typedef void (*row_fn)(const struct vdf_class *cls, const struct vdf_attr *attr);

static void each_row_of(const struct vdf_class *cls, row_fn fn)
{
    for (size_t k = 0; k < cls->n_attrs; k++) {
        fn(cls, &cls->attrs[k]);
        if (cls->attrs[k].type == VDF_OBJECTS)
            each_row_of(cls->attrs[k].objects->cls, fn);
    }
}

static void each_row(row_fn fn)
{
    for (size_t k = 0; vdf_components[k]; k++)
        each_row_of(vdf_components[k]->cls, fn);
}

static void check_bits(const struct vdf_class *cls, const struct vdf_attr *attr)
{
    uint64_t seen = 0;

    for (const struct vdf_bits *bits = attr->bits; bits && bits->name; bits++) {
        uint64_t mask = vdf_bits_mask(bits);
        cr_assert(*bits->name, "%s: %s: a field without a name", cls->name, attr->path);
        cr_assert_eq(mask & ~vdf_row_mask(attr), 0, "%s: %s: %s is wider than the register",
                     cls->name, attr->path, bits->name);
        cr_assert_eq(mask & seen, 0, "%s: %s: %s overlaps another field", cls->name, attr->path,
                     bits->name);
        cr_assert_eq(mask & attr->reserved, 0, "%s: %s: %s is reserved", cls->name, attr->path,
                     bits->name);
        seen |= mask;
    }
}

Test(rows, bits_lie_in_their_register_and_beside_each_other)
{
    each_row(check_bits);
}

static void check_masks(const struct vdf_class *cls, const struct vdf_attr *attr)
{
    uint64_t mask = vdf_row_mask(attr);

    if (!vdf_row_is_number(attr)) {
        cr_assert_eq(attr->ro | attr->w1c | attr->reserved | attr->min | attr->max, 0,
                     "%s: %s: masks of what is no number", cls->name, attr->path);
        return;
    }
    cr_assert(attr->width || !attr->has_field, "%s: %s has no width", cls->name, attr->path);
    cr_assert_eq((attr->ro | attr->w1c) & ~mask, 0, "%s: %s: a mask is wider than the register",
                 cls->name, attr->path);
    cr_assert_eq(attr->ro & attr->w1c, 0, "%s: %s: ro and w1c overlap", cls->name, attr->path);
    cr_assert_eq((attr->ro | attr->w1c) & attr->reserved, 0, "%s: %s: reserved bits with a meaning",
                 cls->name, attr->path);
    cr_assert_leq(attr->min, mask, "%s: %s: min", cls->name, attr->path);
    cr_assert_leq(attr->max, mask, "%s: %s: max", cls->name, attr->path);
    cr_assert(attr->has_field || !(attr->ro | attr->w1c) || attr->set,
              "%s: %s: masks without a field", cls->name, attr->path);
    if (attr->has_field)
        cr_assert_eq(attr->reset & ~mask, 0, "%s: %s: reset", cls->name, attr->path);
}

Test(rows, masks_are_disjoint_and_fit)
{
    each_row(check_masks);
}

static void check_words(const struct vdf_class *cls, const struct vdf_attr *attr)
{
    cr_assert(attr->doc && *attr->doc, "%s: %s has no line of documentation", cls->name,
              attr->path);
    cr_assert_neq(attr->doc[strlen(attr->doc) - 1], '.', "%s: %s: doc ends with a full stop",
                  cls->name, attr->path);
    if (attr->type == VDF_CHOICE)
        cr_assert(attr->choices && attr->choices[0], "%s: %s has no words", cls->name, attr->path);
    cr_assert(!(attr->when || attr->shown) || attr->needs || attr->flags & VDF_NO_FILE,
              "%s: %s does not say what it needs", cls->name, attr->path);
}

Test(rows, have_documentation)
{
    each_row(check_words);
}

/* --- what the objects do ---------------------------------------------------------------------- */

typedef void (*obj_row_fn)(const char *path, struct vdf_obj *obj, const struct vdf_attr *attr);

static bool make_child(const char *dir, char path[PATH_BYTES])
{
    static const char *const names[] = { "1", "0", "rows", "a", "2" };

    for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++) {
        snprintf(path, PATH_BYTES, "%s/%s", dir, names[k]);
        if (vdf_test_mkdir(path) == 0)
            return true;
    }
    return false;
}

/* The object and, in each of its directories, one that exists or is made. */
static void walk(const char *path, obj_row_fn fn)
{
    struct vdf_obj *obj = vdf_test_obj(path);

    for (size_t k = 0; k < obj->cls->n_attrs; k++) {
        const struct vdf_attr *attr = &obj->cls->attrs[k];
        char dir[PATH_BYTES - 64], child[PATH_BYTES];
        if (attr->when && !attr->when(obj->priv))
            continue;
        if (attr->type != VDF_OBJECTS) {
            fn(path, obj, attr);
            continue;
        }
        snprintf(dir, sizeof(dir), "%s/%s", path, attr->path);
        struct vdf_obj *first = vdf_obj_next(obj, attr->path, NULL);
        if (first)
            snprintf(child, sizeof(child), "%s/%s", dir, vdf_obj_name(first));
        if (first || make_child(dir, child))
            walk(child, fn);
    }
}

/* A device of each component, new where one can be made. */
static void walk_all(obj_row_fn fn)
{
    for (size_t k = 0; vdf_components[k]; k++) {
        const struct vdf_component *component = vdf_components[k];
        char path[PATH_BYTES];
        snprintf(path, sizeof(path), "%s/rows", component->cls->name);
        int ret = vdf_test_mkdir(path);
        if (ret == 0)
            walk(path, fn);
        else
            printf("skipped part: %s: mkdir answers %s\n", component->cls->name,
                   vdf_errno_name(-ret));
        if (component->default_name) {
            snprintf(path, sizeof(path), "%s/%s", component->cls->name, component->default_name);
            walk(path, fn);
        }
    }
}

static void setup(void)
{
    vdf_test_tree(false);
}

TestSuite(row_objects, .init = setup, .fini = vdf_test_tree_free);

/* The path of the row's file for the first numbers of its '#'. False: there is no such file now. */
static bool file_path(const char *path, const struct vdf_obj *obj, const struct vdf_attr *attr,
                      char out[PATH_BYTES])
{
    size_t len = (size_t)snprintf(out, PATH_BYTES, "%s/", path);
    unsigned level = 0;

    for (const char *p = attr->path; *p && len < PATH_BYTES - 12; p++) {
        if (*p != '#') {
            out[len++] = *p;
            out[len] = '\0';
            continue;
        }
        const struct vdf_range *range = &attr->range[level++];
        if (vdf_range_count(range, obj->priv) == 0)
            return false;
        len += (size_t)sprintf(out + len, "%" PRIu32, vdf_range_nth(range, 0));
    }
    return !(attr->flags & VDF_NO_FILE) && vdf_test_exists(out);
}

/* The slow way to find a register, against which the index is held. */
static const struct vdf_attr *linear(const struct vdf_obj *obj, unsigned window, uint64_t offset,
                                     uint32_t *number)
{
    for (size_t k = 0; k < obj->cls->n_attrs; k++) {
        const struct vdf_attr *attr = &obj->cls->attrs[k];
        const struct vdf_range *range = &attr->range[0];
        if (attr->window != window || attr->type == VDF_WINDOW || offset < attr->offset ||
            (attr->when && !attr->when(obj->priv)))
            continue;
        uint64_t distance = offset - attr->offset;
        *number = 0;
        if (!attr->stride && distance == 0)
            return attr;
        if (!attr->stride || distance % attr->stride ||
            distance / attr->stride >= vdf_range_count(range, obj->priv))
            continue;
        *number = vdf_range_nth(range, (uint32_t)(distance / attr->stride));
        if (vdf_range_has(range, obj->priv, *number))
            return attr;
    }
    *number = 0;
    return NULL;
}

static unsigned windows_seen;

static void check_index(const char *path, struct vdf_obj *obj, const struct vdf_attr *attr)
{
    if (attr->type != VDF_WINDOW)
        return;
    windows_seen++;
    uint64_t size = vdf_window_size(obj, attr->window);
    for (uint64_t offset = 0; offset < size && offset < 0x60000; offset++) {
        uint32_t slow_number, number = 0;
        const struct vdf_attr *slow = linear(obj, attr->window, offset, &slow_number);
        const struct vdf_attr *fast =
            vdf_index_find(&obj->table->indexes[attr->window], obj->priv, offset, &number);
        cr_assert_eq(fast, slow, "%s/%s: offset 0x%" PRIx64 " is %s, not %s", path, attr->path,
                     offset, fast ? fast->path : "nothing", slow ? slow->path : "nothing");
        if (slow)
            cr_assert_eq(number, slow_number, "%s: %s: number", path, slow->path);
    }
}

Test(row_objects, index_finds_the_rows_of_a_walk)
{
    walk_all(check_index);
    cr_assert_geq(windows_seen, 4);
}

/* --- values ----------------------------------------------------------------------------------- */

static unsigned refused_seen, resets_seen, taken_seen;

/* A refused write changes nothing. */
static void refuse(const char *file, const struct vdf_attr *attr, uint64_t value, const char *why)
{
    char *before = strdup(vdf_test_read(file));
    int ret = vdf_test_write_u64(file, value);

    cr_assert_lt(ret, 0, "%s takes 0x%" PRIx64 ": %s", file, value, why);
    if (!(attr->flags & VDF_LIVE))
        cr_assert_str_eq(vdf_test_read(file), before, "%s: a refused write has changed it", file);
    free(before);
    refused_seen++;
}

/* A refused store to the row's register changes nothing either. */
static void refuse_store(const char *file, struct vdf_obj *obj, const struct vdf_attr *attr,
                         uint64_t value)
{
    if (!attr->window || !obj->table->windows[attr->window])
        return;
    char *before = strdup(vdf_test_read(file));
    int ret = vdf_window_write(obj, attr->window, attr->offset, attr->width, value, NULL);
    cr_assert_lt(ret, 0, "the register of %s takes 0x%" PRIx64, file, value);
    if (!(attr->flags & VDF_LIVE))
        cr_assert_str_eq(vdf_test_read(file), before, "%s: a refused store has changed it", file);
    free(before);
}

static void check_refusals(const char *path, struct vdf_obj *obj, const struct vdf_attr *attr)
{
    char file[PATH_BYTES];

    if (!vdf_row_is_number(attr) || !(attr->flags & VDF_W) || !(attr->flags & VDF_R) ||
        !file_path(path, obj, attr, file))
        return;
    for (unsigned bit = 0; bit < 8 * attr->width; bit++) {
        if (!(attr->reserved >> bit & 1))
            continue;
        refuse(file, attr, UINT64_C(1) << bit, "a reserved bit");
        refuse_store(file, obj, attr, UINT64_C(1) << bit);
    }
    if (attr->max && attr->max < vdf_row_mask(attr))
        refuse(file, attr, attr->max + 1, "above max");
    if (attr->min)
        refuse(file, attr, attr->min - 1, "below min");
    if (attr->width && attr->width < 8 && attr->type != VDF_CHOICE)
        refuse(file, attr, vdf_row_mask(attr) + 1, "wider than the register");
}

Test(row_objects, refuse_reserved_bits_and_numbers_outside_of_their_limits)
{
    walk_all(check_refusals);
    cr_assert_geq(refused_seen, 50);
}

/* Another party than the rows answers for the object. */
static bool has_hooks(const struct vdf_obj *obj)
{
    const struct vdf_backend *backend = ((const struct vdf_priv *)obj->priv)->backend;

    return backend && backend->hooks;
}

/* In a new object, a field that no hook replaces has its reset value. Only the defaults of a plain
 * mount are changed when they are made. */
static void check_reset(const char *path, struct vdf_obj *obj, const struct vdf_attr *attr)
{
    char file[PATH_BYTES];

    if (!strstr(path, "/rows") || !vdf_row_is_number(attr) || !attr->has_field || !attr->reset ||
        attr->get || has_hooks(obj))
        return;
    if (attr->type == VDF_CHOICE || attr->type == VDF_BOOL || !file_path(path, obj, attr, file))
        return;
    cr_assert_eq(vdf_test_read_u64(file), attr->reset, "%s is %s, and its reset value 0x%" PRIx64,
                 file, vdf_test_read(file), attr->reset);
    resets_seen++;
}

Test(row_objects, new_objects_have_their_reset_values)
{
    walk_all(check_reset);
    cr_assert_geq(resets_seen, 5);
}

/* A row that loads and stores its field without code of its own. */
static bool is_plain(const struct vdf_obj *obj, const struct vdf_attr *attr)
{
    return vdf_row_is_number(attr) && attr->type != VDF_CHOICE && attr->has_field && !attr->get &&
           !attr->set && !attr->check && !attr->after && attr->flags & VDF_W && !has_hooks(obj);
}

static uint64_t candidate(const struct vdf_attr *attr, uint64_t pattern)
{
    uint64_t value = pattern & vdf_row_mask(attr) & ~attr->reserved;

    if (attr->type == VDF_BOOL)
        return pattern & 1;
    if (attr->max && value > attr->max)
        value = attr->min + value % (attr->max - attr->min + 1);
    return value < attr->min ? attr->min : value;
}

static void check_plain(const char *path, struct vdf_obj *obj, const struct vdf_attr *attr)
{
    static const uint64_t patterns[] = { UINT64_C(0x5555555555555555), UINT64_C(0xaaaaaaaaaaaaaaab),
                                         UINT64_MAX, 0 };
    char file[PATH_BYTES];

    if (!is_plain(obj, attr) || !file_path(path, obj, attr, file))
        return;
    for (size_t k = 0; k < sizeof(patterns) / sizeof(patterns[0]); k++) {
        uint64_t value = candidate(attr, patterns[k]);
        uint64_t before = attr->type == VDF_BOOL ? strcmp(vdf_test_read(file), "1") == 0
                                                 : vdf_test_read_u64(file);
        uint64_t wanted =
            (before & (attr->ro | (attr->w1c & ~value))) | (value & ~(attr->ro | attr->w1c));
        cr_assert_eq(vdf_test_write_u64(file, value), 0, "%s refuses 0x%" PRIx64 ": %s", file,
                     value, vdf_test_last_error());
        cr_assert_eq(vdf_test_read_u64(file), wanted, "%s: 0x%" PRIx64 " after 0x%" PRIx64, file,
                     value, before);
        taken_seen++;
        struct vdf_attr const *window = attr->window ? obj->table->windows[attr->window] : NULL;
        if (!window || strchr(attr->path, '#'))
            continue;
        uint64_t seen;
        cr_assert_eq(
            vdf_window_read(obj, attr->window, attr->offset, attr->width, true, &seen, NULL), 0);
        cr_assert_eq(seen, wanted, "%s through its window", file);
        /* The same store by the register: w1c bits are clear already, and all others are equal. */
        cr_assert_eq(vdf_window_write(obj, attr->window, attr->offset, attr->width, value, NULL),
                     0);
        cr_assert_eq(vdf_test_read_u64(file), wanted, "%s: 0x%" PRIx64 " through its window", file,
                     value);
    }
}

Test(row_objects, plain_rows_store_all_bits_but_their_masks)
{
    walk_all(check_plain);
    cr_assert_geq(taken_seen, 10);
}

/* A value that a file takes is in the state, and comes back from there: the second state is the first. */
static void check_state(const char *path, struct vdf_obj *obj, const struct vdf_attr *attr)
{
    char file[PATH_BYTES], state[PATH_BYTES];
    const char *slash = strchr(path, '/');
    const char *rest = strchr(slash + 1, '/');
    int device = (int)(rest ? (size_t)(rest - path) : strlen(path));

    if (!vdf_row_is_number(attr) || attr->type == VDF_CHOICE || !(attr->flags & VDF_SAVE) ||
        !(attr->flags & VDF_W) || attr->flags & VDF_LIVE || !file_path(path, obj, attr, file))
        return;
    snprintf(state, sizeof(state), "%.*s/state", device, path);
    if (!vdf_test_exists(state))
        return;
    if (vdf_test_write_u64(file, candidate(attr, UINT64_C(0x5a5a5a5a5a5a5a5b))) < 0 &&
        vdf_test_write_u64(file, 1) < 0)
        return;
    char *first = strdup(vdf_test_read(state));
    if (vdf_test_write(state, first) < 0)
        cr_assert(false, "%s: its own state is refused: %s", file, vdf_test_last_error());
    cr_assert_str_eq(vdf_test_read(state), first, "%s: a restore changes the state", file);
    free(first);
    taken_seen++;
}

Test(row_objects, values_come_back_from_a_state)
{
    walk_all(check_state);
    cr_assert_geq(taken_seen, 50);
}
