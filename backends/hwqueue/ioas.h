/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mappings of the device's memory at I/O virtual addresses. */
#ifndef VDF_HWQUEUE_IOAS_H
#define VDF_HWQUEUE_IOAS_H

#include <virtdevfs/component.h>

struct vdf_hwqueue;

#define VDF_IOAS_MAPS 4096u

struct vdf_ioas_map {
    uint64_t iova;
    uint64_t len;    /* bytes */
    uint64_t offset; /* in the device's memory, or address of an attached guest */
    bool read_only;  /* for the device */
};

struct vdf_ioas {
    struct vdf_ioas_map *maps; /* sorted by iova, without overlaps */
    unsigned n, cap;
};

/* The addresses that the IOMMUs of an address space can map. */
struct vdf_ioas_limits {
    uint64_t first, last; /* I/O virtual addresses */
    uint64_t align;       /* of addresses, lengths and offsets */
};

void vdf_ioas_free(struct vdf_ioas *ioas);
/** vdf_ioas_check_map() - refuse as IOMMU_IOAS_MAP does: EOVERFLOW, EINVAL, EEXIST, EFAULT. */
int vdf_ioas_check_map(const struct vdf_hwqueue *dev, const struct vdf_ioas_map *map,
                       const struct vdf_ioas_limits *limits, struct vdf_err *err);
/** vdf_ioas_check_unmap() - refuse as IOMMU_IOAS_UNMAP does: EOVERFLOW, EINVAL, ENOENT, EBUSY. */
int vdf_ioas_check_unmap(struct vdf_hwqueue *dev, uint64_t iova, uint64_t len, struct vdf_err *err);
/**
 * vdf_ioas_covered() - the mappings that a range touches.
 * @first: result: index of the first
 *
 * Return: how many there are.
 */
unsigned vdf_ioas_covered(const struct vdf_ioas *ioas, uint64_t iova, uint64_t len,
                          unsigned *first);
/** vdf_ioas_cut() - remove the mappings beyond the end of the memory and release their queues. */
void vdf_ioas_cut(struct vdf_hwqueue *dev);
/**
 * vdf_ioas_pin() - check the memory of a queue as HW_QUEUE_ALLOC does.
 * @write:  the device writes there
 * @offset: result: the position in the device's memory
 *
 * Return: 0, EOVERFLOW, ENOENT, EFAULT (not contiguous) or EPERM (read-only), negative.
 */
int vdf_ioas_pin(const struct vdf_hwqueue *dev, uint64_t iova, uint64_t len, bool write,
                 uint64_t *offset, struct vdf_err *err);
/** vdf_ioas_find() - the position in the memory of @len bytes at @iova in one mapping; false when the
 *  device must not access them. */
bool vdf_ioas_find(const struct vdf_hwqueue *dev, uint64_t iova, uint64_t len, bool write,
                   uint64_t *offset);
/** vdf_ioas_has() - the same, and whether the memory is there. */
bool vdf_ioas_has(struct vdf_hwqueue *dev, uint64_t iova, uint64_t len, bool write);
/* Store a word at @iova. False where vdf_ioas_has() is false, or when another process has not answered
 * for the memory. */
bool vdf_ioas_store_le32(struct vdf_hwqueue *dev, uint64_t iova, uint32_t value);
bool vdf_ioas_store_le64(struct vdf_hwqueue *dev, uint64_t iova, uint64_t value);

int vdf_ioas_store_map(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err);
int vdf_ioas_store_unmap(const struct vdf_at *at, const char *text, size_t len,
                         struct vdf_err *err);
void vdf_ioas_show(const struct vdf_at *at, struct vdf_buf *out);
void vdf_ioas_save(const struct vdf_at *at, struct vdf_buf *out);
int vdf_ioas_restore(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err);

#endif
