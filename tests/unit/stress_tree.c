/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The whole tree under several threads and an engine, for ThreadSanitizer: each thread does what a
 * FUSE thread would do for a shell script, and the scripts meet in the same devices.
 *
 *     build/tsan/tests/stress_tree [ROUNDS]
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/tree/errors.h"
#include "fs/tree/file.h"
#include "fs/tree/state.h"
#include "fs/tree/value.h"

static struct vdf_tree *tree;
static unsigned rounds = 100;

/* --- what a script does ----------------------------------------------------------------------- */

/* All of these may be refused: another thread may just have removed what they name. */

static int open_path(struct vdf_file *file, const char *path, int flags)
{
    struct vdf_place place;
    struct vdf_err err = { 0 };
    int ret = vdf_place_resolve(tree, path, &place);

    if (ret < 0)
        return ret;
    vdf_file_init(file, &place, flags);
    vdf_obj_unref(place.obj);
    vdf_file_enter(file);
    ret = vdf_file_open(file, &err);
    vdf_file_leave(file, ret == 0 && file->counted);
    if (ret < 0)
        vdf_file_release(file);
    return ret;
}

static void close_file(struct vdf_file *file)
{
    vdf_file_close(file);
    vdf_file_release(file);
}

static void put_bytes(const char *path, const void *bytes, size_t n)
{
    struct vdf_file file;
    struct vdf_err err = { 0 };

    if (open_path(&file, path, O_WRONLY) < 0)
        return;
    if (file.place.entry->special == VDF_STATE) {
        vdf_file_write_state(&file, bytes, n, 0, &err);
    } else {
        vdf_file_enter(&file);
        ssize_t ret = vdf_file_write(&file, bytes, n, 0, &err);
        vdf_file_leave(&file, ret >= 0);
        vdf_place_refused(&file.place, NULL, ret < 0 && ret != -EAGAIN ? (int)ret : 0, &err);
    }
    close_file(&file);
}

static void put(const char *path, const char *text)
{
    put_bytes(path, text, strlen(text));
}

/* The bytes read, in @bytes with room for @n. */
static size_t get(const char *path, char *bytes, size_t n)
{
    struct vdf_file file;
    struct vdf_err err = { 0 };
    bool changed = false;

    if (open_path(&file, path, O_RDONLY) < 0)
        return 0;
    ssize_t ret;
    if (file.place.entry->special == VDF_STATE) {
        ret = vdf_file_read_state(&file, bytes, n, 0);
    } else {
        vdf_file_enter(&file);
        ret = vdf_file_read(&file, bytes, n, 0, &changed, &err);
        vdf_file_leave(&file, changed);
    }
    close_file(&file);
    return ret > 0 ? (size_t)ret : 0;
}

static void make(const char *dir, const char *name)
{
    struct vdf_place place, made;

    if (vdf_place_resolve(tree, dir, &place) < 0)
        return;
    if (vdf_place_mkdir(&place, name, &made) == 0)
        vdf_obj_unref(made.obj);
    vdf_obj_unref(place.obj);
}

static void drop(const char *dir, const char *name)
{
    struct vdf_place place;

    if (vdf_place_resolve(tree, dir, &place) < 0)
        return;
    vdf_place_rmdir(&place, name);
    vdf_obj_unref(place.obj);
}

/* --- the threads ------------------------------------------------------------------------------ */

static void *interrupts(void *arg)
{
    char text[256];

    (void)arg;
    put("aplic/aplic0/domaincfg", "0x100");
    put("aplic/aplic0/sourcecfg/3", "4");
    put("aplic/aplic0/target/3", "9");
    put("aplic/aplic0/setienum", "3");
    for (unsigned k = 0; k < rounds; k++) {
        put("aplic/aplic0/wire/3", k % 2 ? "1" : "0");
        get("aplic/aplic0/msi", text, sizeof(text));
        get("aplic/aplic0/imsic/0/pending", text, sizeof(text));
        put("intx/bus0/devices/d/assert", k % 2 ? "1" : "0");
        put("intx/bus0/devices/d/ack", "1");
    }
    return NULL;
}

static void *lines(void *arg)
{
    char text[4096];

    (void)arg;
    for (unsigned k = 0; k < rounds; k++) {
        put("console/con0/ports/0/guest", "from the guest\n");
        get("console/con0/ports/0/data", text, sizeof(text));
        put("console/con0/ports/0/data", "from the host\n");
        get("console/con0/ports/0/guest", text, sizeof(text));
    }
    return NULL;
}

/* The page of a queue is polled by the engine's thread while it is open here. */
static void *queues(void *arg)
{
    static const char sync[16] = { 0x46 };
    struct vdf_file page;
    char text[64];

    (void)arg;
    put("hwqueue/smmu0/ioas/map", "0x0 0x10000");
    for (unsigned k = 0; k < rounds / 4; k++) {
        make("hwqueue/smmu0/queues", "0");
        put("hwqueue/smmu0/queues/0/log2size", "4");
        put("hwqueue/smmu0/queues/0/enable", "1");
        put_bytes("hwqueue/smmu0/queues/0/entries", sync, sizeof(sync));
        if (open_path(&page, "hwqueue/smmu0/queues/0/page", O_RDWR) == 0) {
            put("hwqueue/smmu0/queues/0/prod", "1");
            get("hwqueue/smmu0/queues/0/cons", text, sizeof(text));
            close_file(&page);
        }
        drop("hwqueue/smmu0/queues", "0");
    }
    return NULL;
}

static void *objects(void *arg)
{
    struct vdf_place place;

    (void)arg;
    for (unsigned k = 0; k < rounds / 4; k++) {
        make("gait", "mine");
        make("gait/mine/guests", "g");
        make("gait/mine/functions", "f");
        put("gait/mine/enabled", "1");
        put("gait/mine/functions/f/guest", "g");
        put("gait/mine/functions/f/registered", "1");
        put("gait/mine/functions/f/signal", "1");
        if (vdf_place_resolve(tree, "gait/mine/state", &place) == 0) {
            struct vdf_seen seen = { 0 };
            vdf_place_stat(&place, &seen);
            vdf_obj_unref(place.obj);
        }
        drop("gait", "mine");
    }
    return NULL;
}

static void *states(void *arg)
{
    size_t room = 1 << 22;
    char *text = malloc(room);

    (void)arg;
    for (unsigned k = 0; text && k < rounds / 4; k++) {
        size_t n = get("state", text, room);
        put_bytes("state", text, n);
        get("errors", text, room);
    }
    free(text);
    return NULL;
}

static bool run(enum vdf_engine_kind kind)
{
    void *(*const bodies[])(void *) = { interrupts, lines, queues, objects, states };
    pthread_t threads[sizeof(bodies) / sizeof(bodies[0])];
    struct vdf_engine *engine;
    struct vdf_err err = { 0 };
    int ret = vdf_engine_create(kind, &engine, &err);

    if (ret < 0) {
        printf("skipped part: %s\n", err.text);
        return false;
    }
    if (vdf_engine_start(engine) < 0 || vdf_tree_create(vdf_components, engine, &tree, &err) < 0 ||
        vdf_tree_add_defaults(tree, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    make("intx/bus0/devices", "d");
    put("intx/bus0/devices/d/enabled", "1");
    for (size_t k = 0; k < sizeof(bodies) / sizeof(bodies[0]); k++)
        if (pthread_create(&threads[k], NULL, bodies[k], NULL) != 0)
            exit(1);
    for (size_t k = 0; k < sizeof(bodies) / sizeof(bodies[0]); k++)
        pthread_join(threads[k], NULL);
    vdf_tree_remove_all(tree);
    vdf_engine_stop(engine);
    vdf_tree_destroy(tree);
    printf("%s: %u rounds\n", vdf_engine_name(engine), rounds);
    vdf_engine_destroy(engine);
    return true;
}

int main(int argc, char **argv)
{
    if (argc > 1)
        rounds = (unsigned)strtoul(argv[1], NULL, 0);
    bool ran = run(VDF_ENGINE_IO_URING);
    ran = run(VDF_ENGINE_LIBAIO) || ran;
    return ran ? 0 : 77;
}
