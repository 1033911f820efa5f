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

/* One tree for all inputs: each begins with the state that the first one began with. */
static char *start_state;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    if (!start_state) {
        vdf_test_tree(false);
        start_state = read_state();
    }
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
