/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `/errors`: the last refusals, one a line. */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "errors.h"

/* Lock held. */
static void remove_line(struct vdf_tree *tree, unsigned k)
{
    if (k >= tree->errors_count - tree->errors_new) {
        tree->errors_new--;
        tree->errors_missed++;
    }
    tree->errors_routine -= tree->errors[k].routine;
    free(tree->errors[k].text);
    tree->errors_count--;
    memmove(tree->errors + k, tree->errors + k + 1,
            (tree->errors_count - k) * sizeof(tree->errors[0]));
}

static unsigned oldest_routine(const struct vdf_tree *tree)
{
    unsigned k = 0;

    while (!tree->errors[k].routine)
        k++;
    return k;
}

/* Any lock may be held. */
static void add_line(struct vdf_tree *tree, const char *path, size_t path_len,
                     const struct vdf_err *err)
{
    char *line;
    int n = asprintf(&line, "%.*s: %s: %s\n", (int)path_len, path, vdf_errno_name(err->code),
                     err->text[0] ? err->text : strerrordesc_np(err->code));
    if (n < 0)
        return;
    /* A refusal is one line of ASCII, even if it quotes other bytes. */
    for (char *p = line; p < line + n - 1; p++)
        if (!isprint((unsigned char)*p))
            *p = '?';

    vdf_lock(&tree->errors_lock);
    if (err->routine && tree->errors_routine == VDF_ERRORS_ROUTINE)
        remove_line(tree, oldest_routine(tree));
    else if (tree->errors_count == VDF_ERRORS_KEPT)
        remove_line(tree, 0);
    tree->errors_new++;
    tree->errors_routine += err->routine;
    tree->errors[tree->errors_count++] =
        (struct vdf_error_line){ .text = line, .routine = err->routine };
    vdf_unlock(&tree->errors_lock);
    atomic_store(&tree->root_news, true);
}

void vdf_errors_render(struct vdf_tree *tree, struct vdf_buf *out)
{
    vdf_lock(&tree->errors_lock);
    for (unsigned k = 0; k < tree->errors_count; k++)
        vdf_buf_add(out, tree->errors[k].text, strlen(tree->errors[k].text));
    vdf_unlock(&tree->errors_lock);
}

/* The root's lock is held. add_line() may run under another device's lock, without the root's. */
static void log_news(struct vdf_tree *tree)
{
    struct vdf_log *log = &((struct vdf_root *)tree->root->priv)->errors_log;

    vdf_lock(&tree->errors_lock);
    for (unsigned k = tree->errors_count - tree->errors_new; k < tree->errors_count; k++)
        vdf_log_add(log, tree->errors[k].text, strlen(tree->errors[k].text));
    log->lost += tree->errors_missed;
    tree->errors_new = 0;
    tree->errors_missed = 0;
    vdf_unlock(&tree->errors_lock);
}

void vdf_errors_clear(struct vdf_tree *tree)
{
    log_news(tree);
    vdf_lock(&tree->errors_lock);
    while (tree->errors_count)
        remove_line(tree, tree->errors_count - 1);
    vdf_unlock(&tree->errors_lock);
}

void vdf_errors_publish(struct vdf_tree *tree)
{
    /* A thread is inside one device at a time, so the root comes after the device. A thread that waits
     * for exclusive access may wait for this thread; it publishes the lines when it leaves. */
    while (atomic_load(&tree->root_news)) {
        if (pthread_rwlock_tryrdlock(&tree->lock) != 0)
            return;
        vdf_rank_take(VDF_RANK_TREE);
        vdf_lock(&tree->root->device->lock);
        bool changed = atomic_exchange(&tree->root_news, false);
        log_news(tree);
        vdf_device_leave(tree->root->device, changed);
    }
}

void vdf_report(struct vdf_obj *obj, int code, const char *fmt, ...)
{
    struct vdf_err err = { .code = code };
    struct vdf_buf path = VDF_BUF_INIT;
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(err.text, sizeof(err.text), fmt, ap);
    va_end(ap);
    vdf_obj_path(obj, &path);
    add_line(obj->device->tree, path.data, path.len, &err);
    vdf_buf_free(&path);
}

int vdf_place_refused(const struct vdf_place *place, const char *name, int result,
                      struct vdf_err *err)
{
    struct vdf_tree *tree = place->obj->device->tree;
    struct vdf_buf path = VDF_BUF_INIT;

    if (result >= 0)
        return result;
    /* A hook may return an errno without a sentence. */
    if (err->code != -result)
        *err = (struct vdf_err){ .code = -result };
    vdf_place_path(place, &path);
    if (name)
        vdf_buf_printf(&path, "%s%s", path.len ? "/" : "", name);
    add_line(tree, path.data, path.len, err);
    vdf_buf_free(&path);
    vdf_errors_publish(tree);
    return result;
}
