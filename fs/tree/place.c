/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Places: names to objects and rows and back, directories, mkdir and rmdir, what stat(2) shows. */
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <virtdevfs/text.h>

#include "errors.h"
#include "hash.h"
#include "state.h"
#include "value.h"

struct vdf_at vdf_place_at(const struct vdf_place *place)
{
    return (struct vdf_at){
        .obj = place->obj,
        .priv = place->obj->priv,
        .attr = place->entry->attr,
        .i = place->i,
        .j = place->j,
    };
}

struct vdf_place vdf_place_root(struct vdf_tree *tree)
{
    return (struct vdf_place){ .obj = tree->root, .entry = tree->root->table->root };
}

bool vdf_place_is_dir(const struct vdf_place *place)
{
    const struct vdf_entry *entry = place->entry;

    if (entry->special != VDF_PLAIN)
        return false;
    return !entry->attr || entry->attr->type == VDF_OBJECTS || entry->children;
}

unsigned vdf_place_mode(const struct vdf_place *place)
{
    const struct vdf_entry *entry = place->entry;

    if (vdf_place_is_dir(place))
        return S_IFDIR | 0755;
    if (entry->special == VDF_STATE)
        return S_IFREG | 0644;
    if (entry->special == VDF_LOST)
        return S_IFREG | 0444;
    return S_IFREG | (entry->attr->flags & VDF_R ? 0444 : 0) |
           (entry->attr->flags & VDF_W ? 0200 : 0);
}

static bool is_read_exclusively(const struct vdf_place *place)
{
    const struct vdf_attr *attr = place->entry->special == VDF_PLAIN ? place->entry->attr : NULL;

    return attr && attr->flags & VDF_EXCLUSIVE &&
           (attr->type == VDF_RAW || attr->type == VDF_WINDOW);
}

void vdf_place_enter(const struct vdf_place *place)
{
    if (is_read_exclusively(place))
        vdf_tree_enter_exclusive(place->obj->device->tree);
    else
        vdf_device_enter(place->obj->device);
}

void vdf_place_leave(const struct vdf_place *place, bool changed)
{
    struct vdf_device *device = place->obj->device;

    if (is_read_exclusively(place)) {
        device->touched |= changed;
        vdf_tree_leave_exclusive(device->tree, NULL);
    } else {
        vdf_device_leave(device, changed);
    }
}

/* Path of an entry within its object, with the numbers filled in. */
static void entry_path(const struct vdf_entry *entry, const struct vdf_place *place,
                       struct vdf_buf *out)
{
    if (!entry->parent)
        return;
    entry_path(entry->parent, place, out);
    if (out->len)
        vdf_buf_add(out, "/", 1);
    if (entry->name)
        vdf_buf_printf(out, "%s", entry->name);
    else
        vdf_buf_printf(out, "%u", entry->level ? place->j : place->i);
}

void vdf_place_path(const struct vdf_place *place, struct vdf_buf *out)
{
    vdf_obj_path(place->obj, out);
    entry_path(place->entry, place, out);
}

/* --- existing files --------------------------------------------------------------------------- */

static bool row_visible(const struct vdf_attr *attr, const void *priv)
{
    return (!attr->when || attr->when(priv)) && (!attr->shown || attr->shown(priv));
}

/* Is the entry, or one below it, visible? */
static bool entry_visible(const struct vdf_entry *entry, const void *priv)
{
    if (!entry->name && entry->range && vdf_range_count(entry->range, priv) == 0)
        return false;
    if (entry->special == VDF_STATE)
        return true;
    if (entry->attr && row_visible(entry->attr, priv))
        return true;
    for (const struct vdf_entry *e = entry->children; e; e = e->next)
        if (entry_visible(e, priv))
            return true;
    return !entry->parent; /* an object without rows is visible too */
}

static bool always_there(const struct vdf_entry *entry)
{
    if (entry->special == VDF_STATE || (entry->attr && !entry->attr->when && !entry->attr->shown))
        return true;
    for (const struct vdf_entry *e = entry->children; e; e = e->next)
        if (e->name && always_there(e))
            return true;
    return false;
}

bool vdf_place_is_fixed(const struct vdf_place *place)
{
    if (!place->entry->parent)
        return !place->obj->parent;
    for (const struct vdf_entry *e = place->entry; e->parent; e = e->parent)
        if (!e->name && (e->range->counted || e->range->has))
            return false;
    return always_there(place->entry);
}

bool vdf_place_shape(const struct vdf_place *place, struct vdf_shape *shape)
{
    const void *priv = place->obj->priv;

    if (place->obj->dead)
        return true;
    for (const struct vdf_entry *e = place->entry; e->parent; e = e->parent) {
        if (e->name)
            continue;
        if (e->range->has)
            return false;
        shape->counts[e->level] = vdf_range_count(e->range, priv);
    }
    shape->visible = entry_visible(place->entry, priv);
    return true;
}

bool vdf_place_exists(const struct vdf_place *place)
{
    const void *priv = place->obj->priv;

    if (place->obj->dead)
        return false;
    for (const struct vdf_entry *e = place->entry; e->parent; e = e->parent)
        if (!e->name && !vdf_range_has(e->range, priv, e->level ? place->j : place->i))
            return false;
    return entry_visible(place->entry, priv);
}

/* Lock held. Takes no reference. */
static int lookup_entry(const struct vdf_place *dir, const char *name, struct vdf_place *child)
{
    uint32_t number;
    bool is_number = vdf_number_name(name, UINT32_MAX, &number) == 0;

    for (const struct vdf_entry *e = dir->entry->children; e; e = e->next) {
        *child = *dir;
        child->entry = e;
        if (e->name) {
            if (strcmp(e->name, name) == 0)
                return entry_visible(e, dir->obj->priv) ? 0 : -ENOENT;
            continue;
        }
        if (!is_number)
            continue;
        *(e->level ? &child->j : &child->i) = number;
        return vdf_place_exists(child) ? 0 : -ENOENT;
    }
    return -ENOENT;
}

/* Lock held: may the directory hold objects now? */
static bool is_objects(const struct vdf_place *place)
{
    const struct vdf_attr *attr = place->entry->attr;

    if (!attr || place->entry->special != VDF_PLAIN || attr->type != VDF_OBJECTS)
        return false;
    return !attr->when || attr->when(place->obj->priv);
}

int vdf_place_lookup(const struct vdf_place *dir, const char *name, struct vdf_place *child)
{
    struct vdf_obj *obj = dir->obj;
    int ret = 0;

    if (!vdf_place_is_dir(dir))
        return -ENOTDIR;
    vdf_device_enter(obj->device);
    struct vdf_obj *found = NULL;
    if (obj->dead)
        ret = -ENOENT;
    else if (is_objects(dir))
        found = vdf_obj_find(obj, dir->entry->attr, name);
    if (found)
        *child = (struct vdf_place){ .obj = found, .entry = found->table->root };
    else if (ret == 0)
        ret = lookup_entry(dir, name, child);
    if (ret == 0)
        vdf_obj_ref(child->obj);
    vdf_device_leave(obj->device, false);
    return ret;
}

static int list_numbers(const struct vdf_place *dir, const struct vdf_entry *e, vdf_emit_fn emit,
                        void *arg)
{
    const void *priv = dir->obj->priv;
    uint32_t count = vdf_range_count(e->range, priv);
    int ret = 0;

    for (uint32_t k = 0; k < count && ret == 0; k++) {
        char name[16];
        uint32_t number = vdf_range_nth(e->range, k);
        struct vdf_place place = { .obj = dir->obj, .entry = e };

        if (!vdf_range_has(e->range, priv, number))
            continue;
        snprintf(name, sizeof(name), "%u", number);
        ret = emit(arg, name, vdf_place_is_dir(&place));
    }
    return ret;
}

static int list_contents(const struct vdf_place *dir, vdf_emit_fn emit, void *arg)
{
    struct vdf_obj *obj = dir->obj;
    int ret = 0;

    if (is_objects(dir))
        for (struct vdf_obj *o = obj->children; o && ret == 0; o = o->next)
            if (o->row == dir->entry->attr)
                ret = emit(arg, o->name, true);
    for (const struct vdf_entry *e = dir->entry->children; e && ret == 0; e = e->next) {
        struct vdf_place place = { .obj = obj, .entry = e };
        if (!entry_visible(e, obj->priv))
            continue;
        if (e->name)
            ret = emit(arg, e->name, vdf_place_is_dir(&place));
        else
            ret = list_numbers(dir, e, emit, arg);
    }
    return ret;
}

int vdf_place_list(const struct vdf_place *dir, vdf_emit_fn emit, void *arg)
{
    struct vdf_obj *obj = dir->obj;
    int ret = 0;

    vdf_device_enter(obj->device);
    if (!vdf_place_exists(dir))
        ret = -ENOENT;
    else
        ret = list_contents(dir, emit, arg);
    vdf_device_leave(obj->device, false);
    return ret;
}

/* --- missing files ---------------------------------------------------------------------------- */

/* The condition of the entry, or of the first row below it that has one. */
static const char *needs_of(const struct vdf_entry *entry)
{
    const char *needs = entry->attr ? entry->attr->needs : NULL;

    for (const struct vdf_entry *e = entry->children; e && !needs; e = e->next)
        needs = needs_of(e);
    return needs;
}

int vdf_place_missing(const struct vdf_place *dir, const char *name, struct vdf_err *err)
{
    uint32_t number;
    bool is_number = vdf_number_name(name, UINT32_MAX, &number) == 0;
    const struct vdf_attr *attr = dir->entry->attr;

    for (const struct vdf_entry *e = dir->entry->children; e; e = e->next) {
        const char *needs = needs_of(e);
        if (e->name ? strcmp(e->name, name) != 0 : !is_number)
            continue;
        if (!e->name && e->range->text && vdf_place_exists(dir))
            return vdf_fail(err, EPERM, "%s: there are %s", name, e->range->text);
        if (needs)
            return vdf_fail(err, EPERM, "the file does not exist now: it needs %s", needs);
    }
    if (attr && attr->type == VDF_OBJECTS && !(attr->flags & VDF_FIXED))
        vdf_fail(err, EPERM, "\"%.64s\" is no file: mkdir creates an object here", name);
    else
        vdf_fail(err, EPERM, "only mkdir and rmdir of objects change the tree");
    err->routine = true;
    return -EPERM;
}

/* --- mkdir and rmdir -------------------------------------------------------------------------- */

bool vdf_name_valid(const char *name)
{
    size_t len = strlen(name);

    if (len < 1 || len > VDF_NAME_MAX || !isalnum((unsigned char)name[0]))
        return false;
    for (size_t k = 1; k < len; k++)
        if (!isalnum((unsigned char)name[k]) && !strchr("._-", name[k]))
            return false;
    return true;
}

/* The parent's lock is held. */
static int make_object(const struct vdf_place *dir, const char *name, struct vdf_obj **made,
                       struct vdf_err *err)
{
    struct vdf_obj *parent = dir->obj, *obj;
    const struct vdf_attr *row = dir->entry->attr;

    if (parent->dead)
        return vdf_fail(err, ENODEV, "it was removed");
    if (!is_objects(dir) || row->flags & VDF_FIXED)
        return vdf_fail(err, EPERM, "\"%s\": no object can be created here", name);
    if (!vdf_name_valid(name))
        return vdf_fail(
            err, EINVAL,
            "\"%s\": names are 1 to %d letters, digits, '.', '_' and '-', and begin with "
            "a letter or digit",
            name, VDF_NAME_MAX);
    if (vdf_obj_find(parent, row, name))
        return vdf_fail(err, EEXIST, "\"%s\" exists already", name);
    int ret = row->objects->allow ? row->objects->allow(parent, name, err) : 0;
    if (ret == 0)
        ret = vdf_obj_create(parent->device->tree, parent, row, name, &obj, err);
    if (ret)
        return ret;

    bool own_lock = obj->device != parent->device;
    if (own_lock)
        vdf_lock(&obj->device->lock);
    vdf_obj_link(obj);
    ret = vdf_obj_start(obj, true, err);
    if (ret < 0) {
        vdf_obj_unlink(obj);
        vdf_obj_kill(obj);
    }
    if (own_lock)
        vdf_unlock(&obj->device->lock);
    if (ret < 0)
        vdf_obj_unref(obj);
    else
        *made = obj;
    return ret;
}

int vdf_place_mkdir(const struct vdf_place *dir, const char *name, struct vdf_place *made)
{
    struct vdf_err err = { 0 };
    struct vdf_obj *obj = NULL;

    vdf_device_enter(dir->obj->device);
    int ret = make_object(dir, name, &obj, &err);
    if (ret == 0)
        *made = (struct vdf_place){ .obj = vdf_obj_ref(obj), .entry = obj->table->root };
    vdf_device_leave(dir->obj->device, ret == 0);
    return vdf_place_refused(dir, name, ret, &err);
}

/* The parent's lock is held; the child's own is taken where it is a device. */
static int remove_object(const struct vdf_place *dir, const char *name, struct vdf_waiter **done,
                         struct vdf_err *err)
{
    struct vdf_obj *parent = dir->obj;

    if (parent->dead)
        return vdf_fail(err, ENODEV, "it was removed");
    if (!is_objects(dir) || dir->entry->attr->flags & VDF_FIXED)
        return vdf_fail(err, EPERM, "\"%s\" is a part that cannot be removed", name);
    struct vdf_obj *obj = vdf_obj_find(parent, dir->entry->attr, name);
    if (!obj)
        return vdf_fail(err, ENOENT, "there is no \"%s\"", name);

    bool own_lock = obj->device != parent->device;
    if (own_lock)
        vdf_lock(&obj->device->lock);
    int ret = 0;
    if (vdf_obj_held(obj))
        ret = vdf_fail(err, EBUSY, "a mapped page of \"%s\" is open: close it first", name);
    else if (vdf_obj_used(obj))
        ret = vdf_fail(err, EBUSY,
                       "\"%s\" is attached to a guest: write 0 to attached of the slot in vm/, or "
                       "an empty line to vfio_user of the function in pci/, first",
                       name);
    else if (obj->cls->remove)
        ret = obj->cls->remove(obj, err);
    if (ret == 0) {
        vdf_obj_unlink(obj);
        vdf_obj_kill(obj);
        if (own_lock) {
            vdf_device_changed(obj->device);
            vdf_device_check_waiters(obj->device, done);
        }
    }
    if (own_lock)
        vdf_unlock(&obj->device->lock);
    if (ret == 0)
        vdf_obj_unref(obj);
    return ret;
}

int vdf_place_rmdir(const struct vdf_place *dir, const char *name)
{
    struct vdf_err err = { 0 };
    struct vdf_waiter *done = NULL;
    const struct vdf_attr *row = dir->entry->attr;
    struct vdf_device *device = dir->obj->device;
    int ret;

    if (row && row->type == VDF_OBJECTS && row->objects->cls->exclusive) {
        vdf_tree_enter_exclusive(device->tree);
        ret = remove_object(dir, name, &done, &err);
        device->touched |= ret == 0;
        vdf_tree_leave_exclusive(device->tree, done);
    } else {
        vdf_device_enter(device);
        ret = remove_object(dir, name, &done, &err);
        vdf_device_leave(device, ret == 0);
        vdf_waiters_finish(done);
    }
    return vdf_place_refused(dir, name, ret, &err);
}

/* --- stat ------------------------------------------------------------------------------------- */

/* Lock held. Content without a hash counts as new after each change of the device. */
static int content_stat(const struct vdf_place *place, struct vdf_seen *now)
{
    struct vdf_at at = vdf_place_at(place);
    struct vdf_buf out = VDF_BUF_INIT;

    if (vdf_place_is_dir(place)) {
        now->hash = place->entry->attr ? place->obj->n_children : 0;
        return 0;
    }
    if (place->entry->special == VDF_PLAIN) {
        switch (at.attr->type) {
        case VDF_LOG:
            now->hash = vdf_row_log(&at)->end;
            return 0;
        case VDF_STREAM:
            now->hash = place->obj->device->generation;
            return 0;
        case VDF_RAW:
        case VDF_WINDOW:
            now->hash = vdf_row_raw_version(&at, &now->mtime);
            now->size = vdf_row_raw_size(&at);
            return 0;
        default:
            break;
        }
        if (!(at.attr->flags & VDF_R))
            return 0;
    }
    int ret = vdf_value_render(place, &out);
    /* The host no longer has the value's source: the file stays, and a read reports the error. */
    if (ret == -ENODEV) {
        vdf_buf_reset(&out);
        ret = 0;
    }
    now->hash = vdf_hash(out.data, out.len);
    now->size = out.len;
    vdf_buf_free(&out);
    return ret;
}

int vdf_place_stat(const struct vdf_place *place, struct vdf_seen *seen)
{
    struct vdf_obj *obj = place->obj;
    struct vdf_tree *tree = obj->device->tree;
    struct vdf_seen now = { .valid = true, .generation = atomic_load(&tree->generation) };
    int ret = 0;

    if (place->entry->special == VDF_STATE) {
        /* Writes through a mapping or by passthrough count as a change at the close of the file. */
        if (seen->valid && seen->generation == now.generation && !atomic_load(&tree->n_holds))
            return 0;
        ret = vdf_state_measure(obj, &now.size, &now.hash);
        if (ret < 0)
            return ret;
    }
    vdf_place_enter(place);
    now.mtime = obj->device->changed;
    if (obj->dead)
        ret = -ENODEV;
    else if (place->entry->special != VDF_STATE)
        ret = vdf_place_exists(place) ? content_stat(place, &now) : -ENOENT;
    vdf_place_leave(place, false);
    if (ret < 0)
        return ret;
    if (!obj->parent)
        clock_gettime(CLOCK_REALTIME, &now.mtime);
    if (seen->valid && seen->hash == now.hash && seen->size == now.size)
        now.mtime = seen->mtime;
    *seen = now;
    return 0;
}
