/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Objects: identity in the tree, life cycle, children by name. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <virtdevfs/guest.h>
#include <virtdevfs/text.h>

#include "hash.h"
#include "value.h"

#define FIRST_BUCKETS 16u

/* --- private structures ----------------------------------------------------------------------- */

static void store_field(void *priv, const struct vdf_attr *attr, uint64_t value)
{
    struct vdf_at at = { .priv = priv, .attr = attr };
    vdf_row_store_field(&at, value);
}

static bool is_plain_field(const struct vdf_attr *attr)
{
    return attr->has_field && vdf_row_is_number(attr) && !strchr(attr->path, '#');
}

static void *new_priv(struct vdf_obj *obj)
{
    const struct vdf_class *cls = obj->cls;
    size_t size =
        cls->priv_size > sizeof(struct vdf_priv) ? cls->priv_size : sizeof(struct vdf_priv);
    struct vdf_priv *priv = calloc(1, size);
    if (!priv)
        return NULL;
    priv->obj = obj;
    for (size_t k = 0; k < cls->n_attrs; k++)
        if (cls->attrs[k].reset && is_plain_field(&cls->attrs[k]))
            store_field(priv, &cls->attrs[k], cls->attrs[k].reset);
    return priv;
}

static void free_priv(struct vdf_obj *obj)
{
    for (size_t k = 0; k < obj->cls->n_attrs; k++) {
        struct vdf_at at = { .obj = obj, .priv = obj->priv, .attr = &obj->cls->attrs[k] };
        if (obj->cls->attrs[k].type == VDF_LOG)
            vdf_log_free(vdf_row_log(&at));
    }
    free(obj->priv);
    obj->priv = NULL;
}

/* --- references ------------------------------------------------------------------------------- */

struct vdf_obj *vdf_obj_ref(struct vdf_obj *obj)
{
    atomic_fetch_add_explicit(&obj->refs, 1, memory_order_relaxed);
    return obj;
}

void vdf_obj_unref(struct vdf_obj *obj)
{
    while (obj && atomic_fetch_sub_explicit(&obj->refs, 1, memory_order_acq_rel) == 1) {
        struct vdf_obj *parent = obj->parent;
        assert(!obj->children && !obj->priv);
        if (!parent || !parent->parent) {
            vdf_lock_destroy(&obj->device->lock);
            free(obj->device);
        }
        if (obj->buckets != &obj->only_bucket)
            free(obj->buckets);
        free(obj);
        obj = parent;
    }
}

/* --- children --------------------------------------------------------------------------------- */

static size_t bucket_of(const struct vdf_obj *parent, const struct vdf_attr *row, const char *name)
{
    return (vdf_hash(name, strlen(name)) ^ (uintptr_t)row) & (parent->n_buckets - 1);
}

/* Doubles the table when it is full, so that the time of a look-up does not depend on the number of
 * children. Without memory the lists become longer. */
static void grow_buckets(struct vdf_obj *parent)
{
    struct vdf_obj **buckets = NULL;
    unsigned n = parent->n_buckets > 1 ? parent->n_buckets * 2 : FIRST_BUCKETS;

    if (parent->n_children < parent->n_buckets)
        return;
    buckets = calloc(n, sizeof(struct vdf_obj *));
    if (!buckets)
        return;
    if (parent->buckets != &parent->only_bucket)
        free(parent->buckets);
    parent->buckets = buckets;
    parent->n_buckets = n;
    for (struct vdf_obj *o = parent->children; o; o = o->next) {
        size_t k = bucket_of(parent, o->row, o->name);
        o->hash_next = buckets[k];
        buckets[k] = o;
    }
}

struct vdf_obj *vdf_obj_find(const struct vdf_obj *parent, const struct vdf_attr *row,
                             const char *name)
{
    for (struct vdf_obj *o = parent->buckets[bucket_of(parent, row, name)]; o; o = o->hash_next)
        if (o->row == row && strcmp(o->name, name) == 0)
            return o;
    return NULL;
}

void vdf_obj_link(struct vdf_obj *obj)
{
    struct vdf_obj *parent = obj->parent;

    grow_buckets(parent);
    size_t k = bucket_of(parent, obj->row, obj->name);
    obj->hash_next = parent->buckets[k];
    parent->buckets[k] = obj;
    obj->next = NULL;
    obj->prev = parent->last_child;
    *parent->last_child = obj;
    parent->last_child = &obj->next;
    parent->n_children++;
}

void vdf_obj_unlink(struct vdf_obj *obj)
{
    struct vdf_obj *parent = obj->parent;
    struct vdf_obj **at = &parent->buckets[bucket_of(parent, obj->row, obj->name)];

    while (*at != obj)
        at = &(*at)->hash_next;
    *at = obj->hash_next;
    *obj->prev = obj->next;
    if (obj->next)
        obj->next->prev = obj->prev;
    else
        parent->last_child = obj->prev;
    obj->next = NULL;
    obj->prev = NULL;
    parent->n_children--;
}

static bool number_of(const struct vdf_obj *obj, uint64_t *number)
{
    return obj->name[0] <= '9' && vdf_number_parse(obj->name, strlen(obj->name), number) == 0;
}

/* By row; numbers by value and before words, words by bytes. */
static int natural_order(const void *a, const void *b)
{
    const struct vdf_obj *x = *(struct vdf_obj *const *)a, *y = *(struct vdf_obj *const *)b;
    uint64_t m, n;

    if (x->row != y->row)
        return x->row < y->row ? -1 : 1;
    bool x_number = number_of(x, &m), y_number = number_of(y, &n);
    if (x_number != y_number)
        return x_number ? -1 : 1;
    if (x_number && m != n)
        return m < n ? -1 : 1;
    return strcmp(x->name, y->name);
}

void vdf_obj_sort(struct vdf_obj **list, size_t n)
{
    qsort(list, n, sizeof(struct vdf_obj *), natural_order);
}

int vdf_obj_sorted(const struct vdf_obj *parent, struct vdf_obj ***list)
{
    size_t n = 0;

    *list = malloc((parent->n_children + 1) * sizeof(struct vdf_obj *));
    if (!*list)
        return -ENOMEM;
    for (struct vdf_obj *o = parent->children; o; o = o->next)
        (*list)[n++] = o;
    vdf_obj_sort(*list, n);
    return 0;
}

/* --- life cycle ------------------------------------------------------------------------------- */

static struct vdf_device *new_device(struct vdf_tree *tree, enum vdf_rank rank)
{
    struct vdf_device *device = calloc(1, sizeof(*device));
    if (!device)
        return NULL;
    vdf_lock_init(&device->lock, rank);
    device->tree = tree;
    device->last_waiter = &device->waiters;
    clock_gettime(CLOCK_REALTIME, &device->changed);
    return device;
}

/* Destroys the private structures of an object and of all below it, and drops the references that
 * the lists of children hold. */
static void destroy_contents(struct vdf_obj *obj);

static void destroy_children(struct vdf_obj *obj)
{
    while (obj->children) {
        struct vdf_obj *child = obj->children;
        /* The list has a reference to each child, which clang-analyzer does not see. */
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
        destroy_contents(child);
        vdf_obj_unlink(child);
        vdf_obj_unref(child);
    }
}

static void destroy_contents(struct vdf_obj *obj)
{
    destroy_children(obj);
    if (obj->cls->destroy)
        obj->cls->destroy(obj);
    /* A vdf_async that the component did not free would be called for a dead object. */
    assert(!obj->asyncs);
    free_priv(obj);
}

int vdf_obj_create(struct vdf_tree *tree, struct vdf_obj *parent, const struct vdf_attr *row,
                   const char *name, struct vdf_obj **result, struct vdf_err *err)
{
    const struct vdf_class *cls = row ? row->objects->cls : &tree->root_class;
    bool own_lock = !parent || !parent->parent;
    struct vdf_obj *obj = calloc(1, sizeof(*obj));
    if (!obj)
        return vdf_fail(err, ENOMEM, "no memory for %s %s", cls->name, name);

    atomic_init(&obj->refs, 1);
    obj->cls = cls;
    obj->row = row;
    obj->last_child = &obj->children;
    obj->buckets = &obj->only_bucket;
    obj->n_buckets = 1;
    strcpy(obj->name, name);
    obj->device =
        own_lock ? new_device(tree, parent ? VDF_RANK_DEVICE : VDF_RANK_ROOT) : parent->device;
    obj->table = vdf_table_find(tree->tables, cls);
    obj->priv = new_priv(obj);
    assert(obj->table);
    if (!obj->device || !obj->priv) {
        if (own_lock)
            free(obj->device);
        free(obj->priv);
        free(obj);
        return vdf_fail(err, ENOMEM, "no memory for %s %s", cls->name, name);
    }
    obj->parent = parent ? vdf_obj_ref(parent) : NULL;

    int ret = cls->create ? cls->create(obj, err) : 0;
    if (ret < 0) {
        destroy_children(obj);
        free_priv(obj);
        vdf_obj_unref(obj);
        return ret;
    }
    *result = obj;
    return 0;
}

static void drive(struct vdf_obj *obj)
{
    vdf_guest_drive(obj);
    if (obj->timer)
        vdf_async_set(obj->timer, obj->cls->timer_due(obj->priv));
}

void vdf_obj_drive(const struct vdf_device *device)
{
    for (struct vdf_obj *obj = device->driven; obj; obj = obj->driven_next)
        drive(obj);
}

static bool timer_came(struct vdf_obj *obj, void *ctx, uint64_t value)
{
    obj->cls->on_timer(obj);
    return true;
}

static int start_driving(struct vdf_obj *obj, struct vdf_err *err)
{
    bool line = obj->cls->guest && obj->cls->guest->line;

    if (!line && !obj->cls->timer_due)
        return 0;
    obj->driven_next = obj->device->driven;
    obj->device->driven = obj;
    if (obj->cls->timer_due) {
        obj->timer = vdf_async_timer(obj, timer_came, NULL);
        if (!obj->timer)
            return vdf_fail(err, errno, "no timer: %s", strerror(errno));
    }
    drive(obj);
    return 0;
}

static void stop_driving(struct vdf_obj *obj)
{
    struct vdf_obj **link = &obj->device->driven;

    vdf_async_free(obj->timer);
    obj->timer = NULL;
    while (*link && *link != obj)
        link = &(*link)->driven_next;
    if (*link)
        *link = obj->driven_next;
}

int vdf_obj_start(struct vdf_obj *obj, bool fresh, struct vdf_err *err)
{
    /* Also if start() fails: a restored object stays in the tree all the same, and stop() has to end
     * the part that start() began. */
    obj->started = true;
    int ret = obj->cls->start ? obj->cls->start(obj, fresh, err) : 0;
    if (ret == 0)
        ret = start_driving(obj, err);
    if (ret < 0)
        return ret;
    for (struct vdf_obj *child = obj->children; child; child = child->next) {
        ret = vdf_obj_start(child, fresh, err);
        if (ret < 0) {
            vdf_obj_stop(obj);
            return ret;
        }
    }
    return 0;
}

void vdf_obj_stop(struct vdf_obj *obj)
{
    if (!obj->started)
        return;
    for (struct vdf_obj *child = obj->children; child; child = child->next)
        vdf_obj_stop(child);
    stop_driving(obj);
    if (obj->cls->stop)
        obj->cls->stop(obj);
    obj->started = false;
}

static void mark_dead(struct vdf_obj *obj)
{
    obj->dead = true;
    obj->device->watched_gone |= obj->edge_watches;
    for (struct vdf_obj *child = obj->children; child; child = child->next)
        mark_dead(child);
}

void vdf_obj_kill(struct vdf_obj *obj)
{
    vdf_obj_stop(obj);
    mark_dead(obj);
    destroy_contents(obj);
}

static void set_device(struct vdf_obj *obj, struct vdf_device *device)
{
    obj->device = device;
    for (struct vdf_obj *child = obj->children; child; child = child->next)
        set_device(child, device);
}

void vdf_obj_move(struct vdf_obj *obj, struct vdf_obj *parent)
{
    struct vdf_obj *old = obj->parent;

    obj->parent = vdf_obj_ref(parent);
    if (!vdf_obj_is_device(obj))
        set_device(obj, parent->device);
    vdf_obj_unref(old);
}

bool vdf_obj_held(const struct vdf_obj *obj)
{
    if (obj->holds)
        return true;
    for (const struct vdf_obj *child = obj->children; child; child = child->next)
        if (vdf_obj_held(child))
            return true;
    return false;
}

bool vdf_obj_used(const struct vdf_obj *obj)
{
    return vdf_obj_uses(obj) > 0;
}

/* --- for components --------------------------------------------------------------------------- */

void vdf_obj_set_live(struct vdf_obj *obj, bool live)
{
    atomic_store(&obj->live, live);
}

void *vdf_obj_priv(const struct vdf_obj *obj)
{
    return obj->priv;
}

const char *vdf_obj_name(const struct vdf_obj *obj)
{
    return obj->name;
}

struct vdf_obj *vdf_obj_parent(const struct vdf_obj *obj)
{
    return obj->parent;
}

const struct vdf_class *vdf_obj_class(const struct vdf_obj *obj)
{
    return obj->cls;
}

void vdf_obj_path(const struct vdf_obj *obj, struct vdf_buf *out)
{
    size_t begin = out->len;

    if (!obj->parent)
        return;
    vdf_obj_path(obj->parent, out);
    if (out->len > begin)
        vdf_buf_add(out, "/", 1);
    vdf_buf_add(out, obj->row->path, strlen(obj->row->path));
    vdf_buf_add(out, "/", 1);
    vdf_buf_add(out, obj->name, strlen(obj->name));
}

struct vdf_obj *vdf_obj_child(const struct vdf_obj *obj, const char *dir, const char *name)
{
    const struct vdf_attr *row = vdf_class_row(obj->cls, dir);
    assert(row && row->type == VDF_OBJECTS);
    return vdf_obj_find(obj, row, name);
}

struct vdf_obj *vdf_obj_next(const struct vdf_obj *obj, const char *dir, const struct vdf_obj *prev)
{
    const struct vdf_attr *row = vdf_class_row(obj->cls, dir);
    struct vdf_obj *next = prev ? prev->next : obj->children;

    assert(row && row->type == VDF_OBJECTS);
    while (next && next->row != row)
        next = next->next;
    return next;
}

struct vdf_obj *vdf_obj_walk(struct vdf_obj *from, const char *path, const char **rest)
{
    struct vdf_obj *found = NULL;
    const struct vdf_attr *row;
    char name[VDF_NAME_MAX + 1];

    while (from->parent)
        from = from->parent;
    for (*rest = path; (row = vdf_class_split(from->cls, path, strlen(path), name, &path));) {
        from = vdf_obj_find(from, row, name);
        if (!from)
            break;
        found = from;
        *rest = path;
    }
    return found;
}

void vdf_obj_use(struct vdf_obj *obj)
{
    obj->uses++;
}

void vdf_obj_unuse(struct vdf_obj *obj)
{
    obj->uses--;
}

unsigned vdf_obj_uses(const struct vdf_obj *obj)
{
    unsigned n = obj->uses;

    for (const struct vdf_obj *child = obj->children; child; child = child->next)
        n += vdf_obj_uses(child);
    return n;
}

int vdf_obj_add(struct vdf_obj *parent, const char *dir, const char *name, struct vdf_obj **result,
                struct vdf_err *err)
{
    const struct vdf_attr *row = vdf_class_row(parent->cls, dir);
    struct vdf_obj *obj;

    assert(row && row->type == VDF_OBJECTS);
    if (vdf_obj_find(parent, row, name))
        return vdf_fail(err, EEXIST, "%s/%s exists already", dir, name);
    int ret = vdf_obj_create(parent->device->tree, parent, row, name, &obj, err);
    if (ret < 0)
        return ret;
    vdf_obj_link(obj);
    if (parent->started) {
        ret = vdf_obj_start(obj, true, err);
        if (ret < 0) {
            vdf_obj_unlink(obj);
            vdf_obj_kill(obj);
            vdf_obj_unref(obj);
            return ret;
        }
    }
    if (result)
        *result = obj;
    return 0;
}
