/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Random operations on a GAIT: the counts agree after each hundred, and a restored state is the same
 * bytes. */
#include <stdlib.h>

#include "test_gait.h"
#include "tests/random.h"

#define STEPS 20000u
#define GUESTS 3u
#define FUNCTIONS 6u

static struct vdf_random random_state;

static uint32_t below(uint32_t n)
{
    return vdf_random_below(&random_state, n);
}

/* Mostly a valid number, sometimes one at a limit, sometimes any. */
static uint64_t some_address(void)
{
    static const uint64_t borders[] = { 0,          4095,        MEMORY_SIZE - 8, MEMORY_SIZE - 1,
                                        UINT64_MAX, 0x100000000, 0x100003000,     0x1000ffff8,
                                        0x200000000 };

    return below(3) ? below(65536) * 8 : borders[below(sizeof(borders) / sizeof(borders[0]))];
}

static void some_step(void)
{
    static const char *const fields[] = { "isc", "noi", "max_msi", "sbo", "host", "interpret" };
    static const char *const masks[] = { "ipm", "iam", "simm", "nimm" };
    char guest[16], function[16], path[128];
    uint8_t noise[16];

    snprintf(guest, sizeof(guest), "g%u", below(GUESTS));
    snprintf(function, sizeof(function), "f%u", below(FUNCTIONS));
    switch (below(16)) {
    case 0:
        snprintf(path, sizeof(path), G "guests/%s", guest);
        below(3) ? vdf_test_mkdir(path) : vdf_test_rmdir(path);
        break;
    case 1:
        snprintf(path, sizeof(path), G "functions/%s", function);
        below(4) ? vdf_test_mkdir(path) : vdf_test_rmdir(path);
        break;
    case 2:
        vdf_test_write(path_of("functions", function, "guest"), guest);
        break;
    case 3:
        put(function, fields[below(6)], below(4) ? below(8) : below(5000));
        break;
    case 4:
        put(function, "ibv", some_address());
        put(function, "sb", some_address());
        break;
    case 5:
    case 6:
    case 7:
        put(function, "registered", below(3) > 0);
        break;
    case 8:
        vdf_test_write_u64(path_of("guests", guest, masks[below(4)]), below(256));
        vdf_test_write_u64(path_of("guests", guest, "running"), below(2));
        break;
    case 9:
        vdf_test_write_u64(path_of("guests", guest, "memory_size"),
                           (1 + below(4)) * (MEMORY_SIZE / 4));
        break;
    case 10:
        for (size_t k = 0; k < sizeof(noise); k++)
            noise[k] = below(2) ? (uint8_t)below(256) : 0;
        vdf_test_pwrite(G "table", noise, sizeof(noise), below(128));
        vdf_test_pwrite(G "sbv", noise, 1, below(64));
        break;
    case 11:
        vdf_test_write_u64(G "enabled", below(2));
        break;
    case 12:
        /* Seldom, because an ISC that a failure has disarmed stays disarmed until the next set-up. */
        vdf_test_write_u64(G "sic_fail", below(50) ? 0 : 1 + below(2));
        break;
    default:
        put(function, "signal", below(4) ? below(8) : below(4096));
        break;
    }
}

static void counts_agree(void)
{
    char name[16];

    for (unsigned g = 0; g < GUESTS; g++) {
        uint64_t pages = 0, registered = 0, refs = 0;
        char guest[16];
        snprintf(guest, sizeof(guest), "g%u", g);
        if (!vdf_test_exists(path_of("guests", guest, "ipm")))
            continue;
        for (unsigned f = 0; f < FUNCTIONS; f++) {
            snprintf(name, sizeof(name), "f%u", f);
            if (!vdf_test_exists(path_of("functions", name, "isc")) ||
                strcmp(vdf_test_read(path_of("functions", name, "guest")), guest) != 0)
                continue;
            pages += get(name, "pages");
            registered += get(name, "registered");
        }
        for (unsigned isc = 0; isc < 8; isc++) {
            snprintf(name, sizeof(name), "gisc/%u", isc);
            refs += vdf_test_read_u64(path_of("guests", guest, name));
        }
        cr_assert_eq(vdf_test_read_u64(path_of("guests", guest, "locked")), pages);
        cr_assert_eq(refs, registered);
    }
}

static char *state(void)
{
    const char *text = vdf_test_read(G "state");
    size_t size = strlen(text) + 2;
    char *copy = malloc(size);

    snprintf(copy, size, "%s\n", text);
    return copy;
}

Test(gait_random, counts_and_state_agree, .fini = vdf_test_tree_free)
{
    random_state = vdf_random_begin("counts_and_state_agree", 1);
    vdf_test_tree(false);
    for (unsigned step = 0; step < STEPS; step++) {
        some_step();
        if (step % 100)
            continue;
        counts_agree();
        char *before = state();
        OK(vdf_test_write(G "state", before));
        char *after = state();
        cr_assert_str_eq(after, before, "step %u", step);
        counts_agree();
        free(before);
        free(after);
    }
    /* There were events of every kind. */
    cr_assert_gt(vdf_test_read_u64(G "aen_forward"), 0);
    cr_assert_gt(vdf_test_read_u64(G "alerts"), 0);
    cr_assert_gt(vdf_test_read_u64(G "dropped"), 0);
}
