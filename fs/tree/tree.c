/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tree: its root's files, the components' directories, the devices of a plain mount. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "errors.h"

static struct vdf_tree *tree_of(const struct vdf_at *at)
{
    return at->obj->device->tree;
}

/* --- the root's rows -------------------------------------------------------------------------- */

static void show_version(const struct vdf_at *at, struct vdf_buf *out)
{
    vdf_buf_printf(out, "%s", VDF_VERSION);
}

static void show_errors(const struct vdf_at *at, struct vdf_buf *out)
{
    vdf_errors_render(tree_of(at), out);
}

static int store_errors(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err)
{
    vdf_errors_clear(tree_of(at));
    return 0;
}

static void show_engine(const struct vdf_at *at, struct vdf_buf *out)
{
    const struct vdf_engine *engine = tree_of(at)->engine;
    vdf_buf_printf(out, "%s", engine ? vdf_engine_name(engine) : "none");
}

static void show_transport(const struct vdf_at *at, struct vdf_buf *out)
{
    const struct vdf_tree *tree = tree_of(at);

    vdf_buf_printf(out, "%s", tree->edge_ops ? tree->edge_ops->transport(tree->edge) : "dev");
}

/* `offset` of these rows, which lie in no window, is that of the counter in the engine's
 * statistics. */
static int get_counter(const struct vdf_at *at, uint64_t *value)
{
    struct vdf_engine_stats stats = { 0 };

    if (tree_of(at)->engine)
        vdf_engine_stats(tree_of(at)->engine, &stats);
    memcpy(value, (const char *)&stats + at->attr->offset, sizeof(*value));
    return 0;
}

#define COUNTER(member, text)                                                                 \
    {                                                                                         \
        .path = "engine/" #member, .type = VDF_UINT, .flags = VDF_R, .width = 8, .doc = text, \
        .get = get_counter, .offset = offsetof(struct vdf_engine_stats, member),              \
    }

static const struct vdf_attr root_rows[] = {
    { .path = "version",
      .type = VDF_TEXT,
      .flags = VDF_R,
      .show = show_version,
      .doc = "version of virtdevfs" },
    { .path = "errors",
      .type = VDF_TEXT,
      .flags = VDF_RW | VDF_LIST | VDF_LINES,
      .show = show_errors,
      .store = store_errors,
      .doc = "the last 256 refusals, one a line: path, errno, the mistake, and a correct value; "
             "writing anything, or opening it with O_TRUNC, empties it" },
    { .path = "errors_log",
      .type = VDF_LOG,
      .flags = VDF_R,
      .doc = "the same lines as they come, for a reader that waits for the next one",
      VDF_FIELD(struct vdf_root, errors_log) },
    { .path = "engine/kind",
      .type = VDF_TEXT,
      .flags = VDF_R,
      .show = show_engine,
      .doc = "io_uring or libaio" },
    { .path = "engine/transport",
      .type = VDF_TEXT,
      .flags = VDF_R,
      .show = show_transport,
      .doc = "how requests come from the kernel: io_uring, a queue for each processor, or dev, one "
             "after the other through /dev/fuse" },
    COUNTER(wakeups, "times that the engine's thread woke from its wait"),
    COUNTER(submissions, "requests that the engine handed to the kernel"),
    COUNTER(completions, "requests that came back"),
    COUNTER(doorbells, "eventfds that rang"),
    COUNTER(timers, "timers that ran out"),
    COUNTER(polls, "rounds over the pages that are polled while they are open"),
};

/* --- making and unmaking ---------------------------------------------------------------------- */

static int make_root_class(struct vdf_tree *tree)
{
    const size_t fixed = sizeof(root_rows) / sizeof(root_rows[0]);
    size_t n = 0;

    while (tree->components[n])
        n++;
    tree->root_objects = calloc(n + 1, sizeof(*tree->root_objects));
    tree->root_attrs = calloc(fixed + n, sizeof(*tree->root_attrs));
    if (!tree->root_objects || !tree->root_attrs)
        return -ENOMEM;
    memcpy(tree->root_attrs, root_rows, sizeof(root_rows));
    for (size_t k = 0; k < n; k++) {
        tree->root_objects[k] = (struct vdf_objects){
            .cls = tree->components[k]->cls,
            .text = "NAME",
        };
        tree->root_attrs[fixed + k] = (struct vdf_attr){
            .path = tree->components[k]->cls->name,
            .type = VDF_OBJECTS,
            .flags = VDF_R | VDF_W,
            .doc = tree->components[k]->cls->title,
            .objects = &tree->root_objects[k],
        };
    }
    tree->root_class = (struct vdf_class){
        .name = "root",
        .title = "the root",
        .attrs = tree->root_attrs,
        .n_attrs = fixed + n,
        .priv_size = sizeof(struct vdf_root),
    };
    return vdf_table_compile(&tree->tables, &tree->root_class, 0);
}

int vdf_tree_create(const struct vdf_component *const *components, struct vdf_engine *engine,
                    struct vdf_tree **result, struct vdf_err *err)
{
    struct vdf_tree *tree = calloc(1, sizeof(*tree));
    if (!tree)
        return vdf_fail(err, ENOMEM, "no memory for the tree");

    pthread_rwlockattr_t attr;
    pthread_rwlockattr_init(&attr);
    pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&tree->lock, &attr);
    pthread_rwlockattr_destroy(&attr);
    vdf_lock_init(&tree->errors_lock, VDF_RANK_ERRORS);
    tree->components = components;
    tree->engine = engine;
    int ret = make_root_class(tree);
    if (ret == 0)
        ret = vdf_obj_create(tree, NULL, NULL, "", &tree->root, err);
    else
        vdf_fail(err, -ret, "no memory for the tables");
    if (ret < 0) {
        vdf_tree_destroy(tree);
        return ret;
    }
    tree->root->started = true;
    *result = tree;
    return 0;
}

void vdf_tree_set_edge(struct vdf_tree *tree, const struct vdf_edge_ops *ops, void *edge)
{
    tree->edge = edge;
    tree->edge_ops = ops;
}

static int add_default(struct vdf_tree *tree, const struct vdf_component *component,
                       struct vdf_err *err)
{
    const struct vdf_attr *row = vdf_class_row(&tree->root_class, component->cls->name);
    struct vdf_obj *obj;
    int ret = vdf_obj_create(tree, tree->root, row, component->default_name, &obj, err);

    if (ret < 0)
        return ret;
    vdf_lock(&obj->device->lock);
    ret = component->prepare ? component->prepare(obj, err) : 0;
    if (ret == 0) {
        vdf_obj_link(obj);
        ret = vdf_obj_start(obj, true, err);
        if (ret < 0)
            vdf_obj_unlink(obj);
    }
    if (ret < 0)
        vdf_obj_kill(obj);
    vdf_unlock(&obj->device->lock);
    if (ret < 0)
        vdf_obj_unref(obj);
    return ret;
}

int vdf_tree_add_defaults(struct vdf_tree *tree, struct vdf_err *err)
{
    int ret = 0;

    vdf_device_enter(tree->root->device);
    for (size_t k = 0; ret == 0 && tree->components[k]; k++)
        if (tree->components[k]->default_name)
            ret = add_default(tree, tree->components[k], err);
    vdf_device_leave(tree->root->device, true);
    return ret;
}

void vdf_tree_remove_all(struct vdf_tree *tree)
{
    struct vdf_waiter *done = NULL;

    vdf_tree_enter_exclusive(tree);
    for (struct vdf_obj *obj = tree->root->children; obj; obj = obj->next)
        if (obj->cls->disconnect)
            obj->cls->disconnect(obj);
    while (tree->root->children) {
        struct vdf_obj *obj = tree->root->children;
        vdf_obj_unlink(obj);
        vdf_obj_kill(obj);
        vdf_device_check_waiters(obj->device, &done);
        vdf_obj_unref(obj);
    }
    tree->root->dead = true;
    tree->root->device->touched = true;
    vdf_tree_leave_exclusive(tree, done);
}

void vdf_tree_destroy(struct vdf_tree *tree)
{
    if (!tree)
        return;
    if (tree->root) {
        if (!tree->root->dead)
            vdf_tree_remove_all(tree);
        vdf_errors_clear(tree);
        vdf_log_free(&((struct vdf_root *)tree->root->priv)->errors_log);
        free(tree->root->priv);
        tree->root->priv = NULL;
        vdf_obj_unref(tree->root);
    }
    vdf_table_free_all(&tree->tables);
    free(tree->root_attrs);
    free(tree->root_objects);
    vdf_lock_destroy(&tree->errors_lock);
    pthread_rwlock_destroy(&tree->lock);
    free(tree);
}
