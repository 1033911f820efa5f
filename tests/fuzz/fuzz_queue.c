/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fuzz target: the walk of descriptor chains, over guest memory of any content. */
#include "backends/console/virtqueue.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    vdf_vq_fuzz(data, size);
    return 0;
}
