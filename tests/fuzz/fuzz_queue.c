/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fuzz target: the walk of descriptor chains, over guest memory of any content. */
#include "tests/queue_walk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    queue_walk(data, size, false);
    queue_walk(data, size, true);
    return 0;
}
