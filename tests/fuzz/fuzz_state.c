/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: the reader of state files, and with it what each component makes of saved values.
 *
 * A state that is refused leaves the tree as it was; one that is accepted is shown, and what is
 * shown restores to the same bytes. Each input is loaded as a state of the tree, and as one of two of
 * its devices. The corpus ends in `checksum = none`, so that changed ones get far.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <virtdevfs/object.h>

#include "harness.h"

static char *read_state(void)
{
    const char *text = vdf_test_read("state");
    char *copy = malloc(strlen(text) + 2);

    if (!copy)
        abort();
    return strcat(strcpy(copy, text), "\n");
}

static ssize_t write_state(const void *bytes, size_t n)
{
    int error;
    struct vdf_test_file *file = vdf_test_open("state", O_WRONLY, &error);

    if (!file)
        abort();
    ssize_t ret = vdf_test_file_write(file, bytes, n);
    vdf_test_close(file);
    return ret;
}

static void expect_same(const char *what, const char *got, const char *wanted)
{
    if (!strcmp(got, wanted))
        return;
    fprintf(stderr, "%s\n--- wanted:\n%s--- got:\n%s", what, wanted, got);
    abort();
}

/* One tree for all inputs: each begins with the state that the first one began with. */
static char *start_state;

/* A state of the tree may have made them anew. */
static struct vdf_obj *set[2];

static int load_set(const char *text, size_t n)
{
    const atomic_bool stop = false;
    struct vdf_err err = { 0 };

    if (!vdf_obj_enter_exclusive(set[0], &stop))
        abort();
    int ret = vdf_objs_load(set, 2, NULL, text, n, &err);
    vdf_obj_leave_exclusive(set[0], &stop);
    return ret;
}

static char *save_set(void)
{
    const atomic_bool stop = false;
    struct vdf_buf text = VDF_BUF_INIT;

    if (!vdf_obj_enter_exclusive(set[0], &stop) || vdf_objs_save(set, 2, &text) < 0)
        abort();
    vdf_obj_leave_exclusive(set[0], &stop);
    vdf_buf_add(&text, "", 1);
    return text.data;
}

static void try_set(const char *data, size_t size)
{
    int ret = load_set(data, size);

    if (ret < 0) {
        char *all = read_state();
        expect_same("a refused state of two devices has changed the tree", all, start_state);
        free(all);
        return;
    }
    char *after = save_set();
    if (load_set(after, strlen(after)) < 0) {
        fprintf(stderr, "a saved state of two devices is refused:\n%s", after);
        abort();
    }
    char *again = save_set();
    expect_same("restored devices differ from the saved ones", again, after);
    free(again);
    free(after);
    if (write_state(start_state, strlen(start_state)) < 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    if (!start_state) {
        vdf_test_tree(false);
        start_state = read_state();
    }
    set[0] = vdf_test_obj("intx/bus0");
    set[1] = vdf_test_obj("console/con0");
    try_set((const char *)data, size);
    ssize_t ret = write_state(data, size);
    char *after = read_state();

    if (ret < 0) {
        expect_same("a refused state has changed the tree", after, start_state);
    } else if (strcmp(after, start_state)) {
        char *again;

        if (write_state(after, strlen(after)) < 0) {
            fprintf(stderr, "a saved state is refused: %s\n%s", vdf_test_last_error(), after);
            abort();
        }
        again = read_state();
        expect_same("a restored state differs from the saved one", again, after);
        free(again);
        if (write_state(start_state, strlen(start_state)) < 0)
            abort();
    }
    free(after);
    return 0;
}
