/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A tree without a mount: function calls do the work of the FUSE layer for system calls. */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <virtdevfs/text.h>

#include "fs/tree/errors.h"
#include "fs/tree/file.h"
#include "fs/tree/state.h"
#include "fs/tree/value.h"
#include "harness.h"

static struct vdf_tree *tree;
static struct vdf_engine *engine; /* NULL: the tree has none */

static void die(const char *what, const char *path, int ret)
{
    fprintf(stderr, "%s %s: %s\n", what, path, vdf_errno_name(-ret));
    abort();
}

static void make_tree(bool empty)
{
    struct vdf_err err = { 0 };
    int ret = vdf_tree_create(vdf_components, engine, &tree, &err);

    if (ret == 0 && !empty)
        ret = vdf_tree_add_defaults(tree, &err);
    if (ret < 0)
        die("vdf_test_tree:", err.text, ret);
}

void vdf_test_tree(bool empty)
{
    vdf_test_tree_free();
    make_tree(empty);
}

bool vdf_test_tree_with_engine(enum vdf_engine_kind kind, bool empty)
{
    struct vdf_err err = { 0 };

    vdf_test_tree_free();
    int ret = vdf_engine_create(kind, &engine, &err);
    if (ret < 0) {
        printf("skipped part: %s\n", err.text);
        return false;
    }
    ret = vdf_engine_start(engine);
    if (ret < 0)
        die("vdf_test_tree_with_engine:", "vdf_engine_start", ret);
    make_tree(empty);
    return true;
}

/* The devices give their sources back; then the engine's thread ends, which calls into the tree. */
void vdf_test_tree_free(void)
{
    if (tree)
        vdf_tree_remove_all(tree);
    if (engine)
        vdf_engine_stop(engine);
    vdf_tree_destroy(tree);
    tree = NULL;
    vdf_engine_destroy(engine);
    engine = NULL;
}

int vdf_test_resolve(struct vdf_tree *from, const char *path, struct vdf_place *place)
{
    *place = vdf_place_root(from);
    vdf_obj_ref(place->obj);
    while (*path) {
        char name[256];
        size_t len = strcspn(path, "/");
        struct vdf_place child;
        int ret = -ENAMETOOLONG;

        if (len < sizeof(name)) {
            memcpy(name, path, len);
            name[len] = '\0';
            ret = vdf_place_lookup(place, name, &child);
        }
        vdf_obj_unref(place->obj);
        if (ret < 0)
            return ret;
        *place = child;
        path += len + (path[len] == '/');
    }
    return 0;
}

/* Splits the last part off and finds the directory. */
static int find_dir(const char *path, struct vdf_place *dir, const char **name)
{
    const char *slash = strrchr(path, '/');
    char *copy = strndup(path, slash ? (size_t)(slash - path) : 0);
    int ret = copy ? vdf_test_resolve(tree, copy, dir) : -ENOMEM;

    free(copy);
    *name = slash ? slash + 1 : path;
    return ret;
}

int vdf_test_mkdir(const char *path)
{
    struct vdf_place dir, made;
    const char *name;
    int ret = find_dir(path, &dir, &name);

    if (ret < 0)
        return ret;
    ret = vdf_place_mkdir(&dir, name, &made);
    if (ret == 0)
        vdf_obj_unref(made.obj);
    vdf_obj_unref(dir.obj);
    return ret;
}

int vdf_test_rmdir(const char *path)
{
    struct vdf_place dir;
    const char *name;
    int ret = find_dir(path, &dir, &name);

    if (ret < 0)
        return ret;
    ret = vdf_place_rmdir(&dir, name);
    vdf_obj_unref(dir.obj);
    return ret;
}

bool vdf_test_exists(const char *path)
{
    struct vdf_place place;

    if (vdf_test_resolve(tree, path, &place) < 0)
        return false;
    vdf_obj_unref(place.obj);
    return true;
}

struct paths {
    char **list;
    size_t n;
    const char *dir; /* that is listed, with its '/' */
};

/* Called with a lock held: only notes the name. */
static int note_path(void *arg, const char *name, bool dir)
{
    struct paths *paths = arg;

    paths->list = realloc(paths->list, (paths->n + 1) * sizeof(*paths->list));
    if (!paths->list ||
        asprintf(&paths->list[paths->n], "%s%s%s", paths->dir, name, dir ? "/" : "") < 0)
        abort();
    paths->n++;
    return 0;
}

static void list_dir(struct paths *paths, const char *dir)
{
    struct vdf_place place;
    size_t len = strlen(dir);
    char *path = strndup(dir, len ? len - 1 : 0); /* without its last '/' */
    int ret = path ? vdf_test_resolve(tree, path, &place) : -ENOMEM;

    if (ret < 0)
        die("vdf_test_paths", dir, ret);
    paths->dir = dir;
    vdf_place_list(&place, note_path, paths);
    vdf_obj_unref(place.obj);
    free(path);
}

char **vdf_test_paths(size_t *n)
{
    struct paths paths = { 0 };

    list_dir(&paths, "");
    for (size_t i = 0; i < paths.n; i++) {
        const char *path = paths.list[i];
        if (path[strlen(path) - 1] == '/')
            list_dir(&paths, path);
    }
    *n = paths.n;
    return paths.list;
}

struct vdf_obj *vdf_test_obj(const char *path)
{
    struct vdf_place place;

    if (vdf_test_resolve(tree, path, &place) < 0)
        return NULL;
    vdf_obj_unref(place.obj);
    return place.obj;
}

struct vdf_test_file {
    struct vdf_file file;
};

struct vdf_test_file *vdf_test_open(const char *path, int flags, int *error)
{
    struct vdf_place place;
    struct vdf_err err = { 0 };
    int ret = vdf_test_resolve(tree, path, &place);

    *error = ret;
    if (ret < 0)
        return NULL;
    struct vdf_test_file *t = calloc(1, sizeof(*t));
    if (!t) {
        vdf_obj_unref(place.obj);
        *error = -ENOMEM;
        return NULL;
    }
    vdf_file_init(&t->file, &place, flags);
    vdf_obj_unref(place.obj);
    vdf_file_enter(&t->file);
    ret = vdf_file_open(&t->file, &err);
    vdf_file_leave(&t->file, ret == 0 && t->file.counted);
    if (ret < 0) {
        if (ret != -EAGAIN)
            vdf_place_refused(&place, NULL, ret, &err);
        vdf_file_release(&t->file);
        free(t);
        *error = ret;
        return NULL;
    }
    return t;
}

static ssize_t file_read(struct vdf_test_file *t, void *bytes, size_t n, uint64_t offset)
{
    struct vdf_err err = { 0 };
    bool changed = false;

    ssize_t ret;
    if (t->file.place.entry->special == VDF_STATE) {
        ret = vdf_file_read_state(&t->file, bytes, n, offset);
    } else {
        vdf_file_enter(&t->file);
        ret = vdf_file_read(&t->file, bytes, n, offset, &changed, &err);
        vdf_file_leave(&t->file, changed);
    }
    if (ret != -EAGAIN)
        vdf_place_refused(&t->file.place, NULL, ret < 0 ? (int)ret : 0, &err);
    return ret;
}

static ssize_t file_write(struct vdf_test_file *t, const void *bytes, size_t n, uint64_t offset)
{
    struct vdf_err err = { 0 };
    ssize_t ret;

    if (t->file.place.entry->special == VDF_STATE) {
        ret = vdf_file_write_state(&t->file, bytes, n, offset, &err);
    } else {
        vdf_file_enter_write(&t->file);
        ret = vdf_file_write(&t->file, bytes, n, offset, &err);
        vdf_file_leave_write(&t->file, ret >= 0);
    }
    if (ret != -EAGAIN)
        vdf_place_refused(&t->file.place, NULL, ret < 0 ? (int)ret : 0, &err);
    return ret;
}

ssize_t vdf_test_file_read(struct vdf_test_file *t, void *bytes, size_t n)
{
    return file_read(t, bytes, n, 0);
}

ssize_t vdf_test_file_write(struct vdf_test_file *t, const void *bytes, size_t n)
{
    return file_write(t, bytes, n, 0);
}

unsigned vdf_test_file_poll(struct vdf_test_file *t)
{
    vdf_file_enter(&t->file);
    unsigned events = vdf_file_poll(&t->file);
    vdf_file_leave(&t->file, false);
    return events;
}

void vdf_test_close(struct vdf_test_file *t)
{
    if (!t)
        return;
    vdf_file_close(&t->file);
    vdf_file_release(&t->file);
    free(t);
}

int vdf_test_write(const char *path, const char *text)
{
    int ret;
    struct vdf_test_file *t = vdf_test_open(path, O_WRONLY, &ret);

    if (!t)
        return ret;
    ssize_t n = file_write(t, text, strlen(text), 0);
    ret = n < 0 ? (int)n : 0;
    if (ret == 0) {
        struct vdf_err err = { 0 };
        ret = vdf_file_flush(&t->file, &err);
        vdf_place_refused(&t->file.place, NULL, ret, &err);
    }
    vdf_test_close(t);
    return ret;
}

int vdf_test_write_u64(const char *path, uint64_t value)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRIu64, value);
    return vdf_test_write(path, text);
}

const char *vdf_test_read(const char *path)
{
    static char *text;
    int ret;
    struct vdf_test_file *t = vdf_test_open(path, O_RDONLY, &ret);

    free(text);
    text = NULL;
    if (!t) {
        if (asprintf(&text, "-%s", vdf_errno_name(-ret)) < 0)
            abort();
        return text;
    }
    size_t len = 0, cap = 4096;
    text = malloc(cap);
    for (;;) {
        ssize_t n = file_read(t, text + len, cap - len - 1, len);
        if (n < 0)
            die("vdf_test_read", path, (int)n);
        if (n == 0)
            break;
        len += (size_t)n;
        if (cap - len < 2048)
            text = realloc(text, cap *= 2);
    }
    text[len] = '\0';
    /* A state is kept to its last byte, for it is written back. */
    if (len && text[len - 1] == '\n' && t->file.place.entry->special != VDF_STATE)
        text[len - 1] = '\0';
    vdf_test_close(t);
    return text;
}

uint64_t vdf_test_read_u64(const char *path)
{
    const char *text = vdf_test_read(path);
    uint64_t value;
    int ret = vdf_number_parse(text, strlen(text), &value);

    if (ret < 0)
        die(text, path, ret);
    return value;
}

ssize_t vdf_test_pread(const char *path, void *bytes, size_t n, uint64_t offset)
{
    int error;
    struct vdf_test_file *t = vdf_test_open(path, O_RDONLY, &error);

    if (!t)
        return error;
    ssize_t ret = file_read(t, bytes, n, offset);
    vdf_test_close(t);
    return ret;
}

ssize_t vdf_test_pwrite(const char *path, const void *bytes, size_t n, uint64_t offset)
{
    int error;
    struct vdf_test_file *t = vdf_test_open(path, O_WRONLY, &error);

    if (!t)
        return error;
    ssize_t ret = file_write(t, bytes, n, offset);
    vdf_test_close(t);
    return ret;
}

int vdf_test_reg_read(const char *path, uint64_t offset, unsigned width, uint64_t *value)
{
    uint64_t le = 0;
    ssize_t ret = vdf_test_pread(path, &le, width, offset);

    if (ret < 0)
        return (int)ret;
    *value = le64toh(le);
    return ret == (ssize_t)width ? 0 : -ENODATA;
}

int vdf_test_reg_write(const char *path, uint64_t offset, unsigned width, uint64_t value)
{
    uint64_t le = htole64(value);
    ssize_t ret = vdf_test_pwrite(path, &le, width, offset);

    return ret < 0 ? (int)ret : 0;
}

static unsigned count_fds(void)
{
    unsigned n = 0;

    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

/* Read without stdio and malloc, which a test may be letting fail. */
static unsigned count_memfds(void)
{
    static const char word[] = "/memfd:";
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    unsigned n = 0, matched = 0;
    char text[4096];
    ssize_t got;

    while ((got = read(fd, text, sizeof(text))) > 0) {
        for (ssize_t k = 0; k < got; k++) {
            matched = text[k] == word[matched] ? matched + 1 : text[k] == word[0];
            if (!word[matched]) {
                matched = 0;
                n++;
            }
        }
    }
    close(fd);
    return n;
}

struct vdf_test_resources vdf_test_resources(void)
{
    return (struct vdf_test_resources){ .fds = count_fds(), .memfds = count_memfds() };
}

const char *vdf_test_last_error(void)
{
    static char line[1024];
    struct vdf_buf all = VDF_BUF_INIT;

    vdf_errors_render(tree, &all);
    line[0] = '\0';
    if (all.len) {
        const char *end = all.data + all.len - 1;
        const char *before = memrchr(all.data, '\n', (size_t)(end - all.data));
        const char *begin = before ? before + 1 : all.data;
        snprintf(line, sizeof(line), "%.*s", (int)(end - begin), begin);
    }
    vdf_buf_free(&all);
    return line;
}
