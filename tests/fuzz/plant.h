/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tree that a target begins with: two APLICs, one without IMSICs, and a GAIT. And the machine that
 * their guests are in. */
#ifndef VDF_FUZZ_PLANT_H
#define VDF_FUZZ_PLANT_H

#include <stdio.h>
#include <stdlib.h>

#include "harness.h"
#include "input.h"

struct step {
    const char *path, *text;
};

/* Nothing of the tree to begin with is refused. */
static inline void must(int ret)
{
    if (ret == 0)
        return;
    fprintf(stderr, "the tree to begin with: %s\n", vdf_test_last_error());
    abort();
}

static inline void take_steps(const struct step *steps, size_t n)
{
    for (size_t k = 0; k < n; k++)
        must(vdf_test_write(steps[k].path, steps[k].text));
}

static char machine;

/* The sinks of a guest of the machine. */
static inline void set_level(void *ctx, bool level)
{
    if (ctx != &machine)
        abort();
}

static inline void send_message(void *ctx, uint64_t address, uint32_t data)
{
    if (ctx != &machine)
        abort();
}

/* aplic/d, aplic/m, and gait/t with its guest g and its function f are there. */
static inline void set_up_controllers(void)
{
    static const struct step steps[] = {
        { "aplic/d/delivery", "direct" },
        { "aplic/d/harts", "2" },
        { "aplic/d/aia/srcs", "40" },
        { "aplic/d/init", "1" },
        { "aplic/m/harts", "2" },
        { "aplic/m/aia/srcs", "40" },
        { "aplic/m/aia/ids", "127" },
        { "aplic/m/aia/hart_bits", "1" },
        { "aplic/m/addr/aplic", "0xd000000" },
        { "aplic/m/addr/imsic/0", "0x28000000" },
        { "aplic/m/addr/imsic/1", "0x28001000" },
        { "aplic/m/init", "1" },
        { "gait/t/enabled", "1" },
        { "gait/t/functions/f/guest", "g" },
        { "gait/t/functions/f/sb", "0x3000" },
    };

    take_steps(steps, COUNT(steps));
}

#endif
