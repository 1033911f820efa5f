/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: the reader of state files, and with it what each component makes of saved values.
 *
 * A state that is refused leaves the tree as it was; one that is accepted is shown, and what is
 * shown restores to the same bytes. The corpus ends in `checksum = none`, so that changed ones get
 * far.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    vdf_test_tree(false);
    char *before = read_state();
    ssize_t ret = write_state(data, size);
    char *after = read_state();

    if (ret < 0) {
        expect_same("a refused state has changed the tree", after, before);
    } else if (strcmp(after, before)) {
        ret = write_state(after, strlen(after));
        if (ret < 0) {
            fprintf(stderr, "a saved state is refused: %s\n%s", vdf_test_last_error(), after);
            abort();
        }
        char *again = read_state();
        expect_same("a restored state differs from the saved one", again, after);
        free(again);
    }
    free(before);
    free(after);
    vdf_test_tree_free();
    return 0;
}
