/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The mock IOMMU of the kernel's selftests. */
#ifndef VDF_HWQUEUE_SELFTEST_H
#define VDF_HWQUEUE_SELFTEST_H

#include <virtdevfs/component.h>

struct vdf_hwqueue;
struct vdf_vcmdq;

#define VDF_REGION_PAGES 2u /* a page for each queue of the mock, which can be mapped */
#define VDF_REGION_SIZE (VDF_REGION_PAGES * VDF_PAGE_SIZE)

/* The pages of the mock. */
struct vdf_selftest {
    struct vdf_memory region; /* the pages, which can be mapped */
    uint32_t viommu_data;     /* the first word there */
};

/** vdf_selftest_reset() - new pages, as after VIOMMU_ALLOC. Return: 0 or -errno of a memfd. */
int vdf_selftest_reset(struct vdf_hwqueue *dev, struct vdf_err *err);
/** vdf_selftest_page() - `page` of a queue is its page of the region, or nothing. */
int vdf_selftest_page(struct vdf_vcmdq *queue);

#endif
