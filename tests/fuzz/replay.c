/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A main for the fuzz targets where there is no libFuzzer: runs the target once on each file named,
 * and on each file of each folder named.
 *
 *     fuzz_state tests/fuzz/corpus/state
 *
 * Exit status 0 when all were run, 77 when there was no file.
 */
#include <errno.h>
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned replayed;

static int replay(const char *path, const struct stat *st, int kind, struct FTW *place)
{
    if (kind != FTW_F)
        return 0;
    FILE *file = fopen(path, "re");
    /* As large as the file and no larger, so that a sanitizer sees a read past its end. */
    uint8_t *data = malloc(st->st_size ? (size_t)st->st_size : 1);
    if (!file || !data || fread(data, 1, (size_t)st->st_size, file) != (size_t)st->st_size) {
        fprintf(stderr, "replay: %s: %s\n", path, strerror(errno));
        exit(1);
    }
    fclose(file);
    LLVMFuzzerTestOneInput(data, (size_t)st->st_size);
    free(data);
    replayed++;
    return 0;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (nftw(argv[i], replay, 16, FTW_PHYS)) {
            fprintf(stderr, "replay: %s: %s\n", argv[i], strerror(errno));
            return 1;
        }
    }
    printf("replayed %u inputs\n", replayed);
    return replayed ? 0 : 77;
}
