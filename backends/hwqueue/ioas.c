/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The I/O address space: the addresses at which queues see the device's memory. The errnos and their
 * order are those of IOMMU_IOAS_MAP and IOMMU_IOAS_UNMAP, and of the pinning of pages in
 * IOMMU_HW_QUEUE_ALLOC.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "vcmdq.h"

#define PAGE_MASK ((uint64_t)VDF_PAGE_SIZE - 1)

void vdf_ioas_free(struct vdf_ioas *ioas)
{
    free(ioas->maps);
    *ioas = (struct vdf_ioas){ 0 };
}

static uint64_t map_last(const struct vdf_ioas_map *map)
{
    return map->iova + (map->len - 1);
}

/* Index of the first mapping that ends at @iova or later. */
static unsigned first_from(const struct vdf_ioas *ioas, uint64_t iova)
{
    unsigned low = 0, high = ioas->n;

    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        if (map_last(&ioas->maps[middle]) < iova)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int grow(struct vdf_ioas *ioas, struct vdf_err *err)
{
    if (ioas->n < ioas->cap)
        return 0;
    if (ioas->n == VDF_IOAS_MAPS)
        return vdf_fail(err, ENOSPC, "there are %u mappings already, which is the limit",
                        VDF_IOAS_MAPS);

    unsigned cap = ioas->cap ? ioas->cap * 2 : 4;
    struct vdf_ioas_map *maps = realloc(ioas->maps, cap * sizeof(*maps));
    if (!maps)
        return vdf_fail(err, ENOMEM, "no memory for another mapping");
    ioas->maps = maps;
    ioas->cap = cap;
    return 0;
}

int vdf_ioas_check_map(const struct vdf_hwqueue *dev, const struct vdf_ioas_map *new,
                       const struct vdf_ioas_limits *limits, struct vdf_err *err)
{
    const struct vdf_ioas *ioas = &dev->ioas;
    uint64_t last, end;

    if (new->iova == UINT64_MAX || new->len == UINT64_MAX)
        return vdf_fail(err, EOVERFLOW, "an IOVA and a length end below 2^64 - 1");
    if (new->len == 0)
        return vdf_fail(err, EINVAL, "0: a mapping has at least %" PRIu64 " bytes", limits->align);
    if (__builtin_add_overflow(new->offset, new->len, &end))
        return vdf_fail(err, EOVERFLOW, "0x%" PRIx64 ": offset and length exceed 64 bits",
                        new->offset);
    if ((new->iova | new->len) & (limits->align - 1))
        return vdf_fail(err, EINVAL,
                        "0x%" PRIx64 " 0x%" PRIx64 ": IOVA and length are multiples of 0x%" PRIx64,
                        new->iova, new->len, limits->align);
    if (__builtin_add_overflow(new->iova, new->len - 1, &last))
        return vdf_fail(err, EOVERFLOW, "0x%" PRIx64 ": IOVA and length exceed 64 bits", new->iova);
    if (new->iova < limits->first || last > limits->last)
        return vdf_fail(err, EINVAL,
                        "0x%" PRIx64 ": the device's addresses are 0x%" PRIx64 " to 0x%" PRIx64,
                        new->iova, limits->first, limits->last);

    unsigned k = first_from(ioas, new->iova);
    if (k < ioas->n && ioas->maps[k].iova <= last)
        return vdf_fail(err, EEXIST,
                        "0x%" PRIx64 ": 0x%" PRIx64 " to 0x%" PRIx64 " is mapped; unmap it first",
                        new->iova, ioas->maps[k].iova, map_last(&ioas->maps[k]));
    if (new->offset &(limits->align - 1))
        return vdf_fail(err, EINVAL, "0x%" PRIx64 ": offsets are multiples of 0x%" PRIx64,
                        new->offset, limits->align);
    if (end > vdf_hwqueue_memory_end(dev))
        return vdf_fail(err, EFAULT,
                        "0x%" PRIx64 ": offset and length end within memory_size, or an "
                        "attached guest's memory, 0x%" PRIx64,
                        new->offset, vdf_hwqueue_memory_end(dev));
    if (dev->space && dev->vm_memory != VDF_MEMORY_CHANGES &&
        !vdf_space_has(dev->space, new->offset, new->len, !new->read_only))
        return vdf_fail(err, EFAULT,
                        "0x%" PRIx64 ": 0x%" PRIx64
                        " bytes from there on are not in the memory of the attached guest",
                        new->offset, new->len);
    return 0;
}

static int map(struct vdf_hwqueue *dev, const struct vdf_ioas_map *new, struct vdf_err *err)
{
    struct vdf_ioas *ioas = &dev->ioas;
    int ret = grow(ioas, err);

    if (ret == 0)
        ret = vdf_hwqueue_ops(dev)->map(dev, new, err);
    if (ret < 0)
        return ret;
    unsigned k = first_from(ioas, new->iova);
    memmove(&ioas->maps[k + 1], &ioas->maps[k], (ioas->n - k) * sizeof(*ioas->maps));
    ioas->maps[k] = *new;
    ioas->n++;
    return 0;
}

static int parse_map(struct vdf_hwqueue *dev, const char *text, struct vdf_err *err)
{
    struct vdf_ioas_map new = { 0 };
    int ret = vdf_hwqueue_number(&text, "IOVA", UINT64_MAX, &new.iova, err);

    if (ret == 0)
        ret = vdf_hwqueue_number(&text, "LENGTH", UINT64_MAX, &new.len, err);
    if (ret == 0 && vdf_hwqueue_more(&text)) {
        ret = vdf_hwqueue_number(&text, "OFFSET", UINT64_MAX, &new.offset, err);
        if (ret == 0 && vdf_hwqueue_more(&text) && text[0] == 'r' && text[1] == 'o') {
            new.read_only = true;
            text += 2;
        }
    }
    if (ret == 0)
        ret = vdf_hwqueue_end(&text, "IOVA LENGTH [OFFSET [ro]]", err);
    return ret < 0 ? ret : map(dev, &new, err);
}

int vdf_ioas_store_map(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err)
{
    return parse_map(at->priv, text, err);
}

static bool pinned(const struct vdf_hwqueue *dev, const struct vdf_ioas_map *map)
{
    for (unsigned k = 0; k < VDF_QUEUES; k++)
        if (dev->vcmdqs[k] && vdf_vcmdq_pins(dev->vcmdqs[k], map->iova, map_last(map)))
            return true;
    return vdf_amdvi_pins(dev, map->iova, map_last(map));
}

/* Releasing a queue also releases the queues that were made after it. */
static void release(struct vdf_hwqueue *dev, const struct vdf_ioas_map *map)
{
    for (unsigned k = 0; k < VDF_QUEUES; k++) {
        if (!dev->vcmdqs[k] || !vdf_vcmdq_pins(dev->vcmdqs[k], map->iova, map_last(map)))
            continue;
        for (unsigned n = VDF_QUEUES; n-- > k;)
            if (dev->vcmdqs[n] && dev->vcmdqs[n]->enabled)
                vdf_vcmdq_release(dev->vcmdqs[n]);
    }
    vdf_amdvi_release(dev, map->iova, map_last(map));
}

void vdf_ioas_cut(struct vdf_hwqueue *dev)
{
    struct vdf_ioas *ioas = &dev->ioas;
    uint64_t end = vdf_hwqueue_memory_end(dev);
    unsigned kept = 0;

    for (unsigned k = 0; k < ioas->n; k++) {
        const struct vdf_ioas_map *map = &ioas->maps[k];
        if (map->offset + map->len <= end)
            ioas->maps[kept++] = *map;
        else
            release(dev, map);
    }
    ioas->n = kept;
    vdf_hwqueue_update_irq(dev);
}

/* IOMMU_IOAS_UNMAP removes the mappings that lie in the range, and only whole ones. */
int vdf_ioas_check_unmap(struct vdf_hwqueue *dev, uint64_t iova, uint64_t len, struct vdf_err *err)
{
    const struct vdf_ioas *ioas = &dev->ioas;
    bool all = iova == 0 && len == UINT64_MAX;
    uint64_t last;

    if (len == 0 && iova != UINT64_MAX)
        return vdf_fail(err, EINVAL, "0: the length is that of a mapping");
    if (!all &&
        (iova == UINT64_MAX || len == UINT64_MAX || __builtin_add_overflow(iova, len - 1, &last)))
        return vdf_fail(err, EOVERFLOW, "0x%" PRIx64 ": IOVA and length exceed 64 bits", iova);
    if (all)
        last = UINT64_MAX;

    unsigned first = first_from(ioas, iova), k = first;
    for (; k < ioas->n && ioas->maps[k].iova <= last; k++) {
        const struct vdf_ioas_map *map = &ioas->maps[k];
        if (pinned(dev, map))
            return vdf_fail(err, EBUSY, "0x%" PRIx64 ": a queue uses the mapping at 0x%" PRIx64,
                            iova, map->iova);
        if (map->iova < iova || map_last(map) > last)
            return vdf_fail(err, ENOENT,
                            "0x%" PRIx64 ": the mapping 0x%" PRIx64 " to 0x%" PRIx64
                            " can be unmapped as a whole only",
                            iova, map->iova, map_last(map));
    }
    if (k == first && !all)
        return vdf_fail(err, ENOENT, "0x%" PRIx64 ": nothing is mapped there", iova);
    return 0;
}

unsigned vdf_ioas_covered(const struct vdf_ioas *ioas, uint64_t iova, uint64_t len, unsigned *first)
{
    uint64_t last;

    *first = first_from(ioas, iova);
    if (len == 0)
        return 0;
    if (__builtin_add_overflow(iova, len - 1, &last))
        last = UINT64_MAX;
    unsigned end = *first;
    while (end < ioas->n && ioas->maps[end].iova <= last)
        end++;
    return end - *first;
}

static int unmap(struct vdf_hwqueue *dev, uint64_t iova, uint64_t len, struct vdf_err *err)
{
    struct vdf_ioas *ioas = &dev->ioas;
    unsigned first;
    int ret = vdf_hwqueue_ops(dev)->unmap(dev, iova, len, err);

    if (ret < 0)
        return ret;
    unsigned n = vdf_ioas_covered(ioas, iova, len, &first);
    if (n > 0)
        memmove(&ioas->maps[first], &ioas->maps[first + n],
                (ioas->n - first - n) * sizeof(*ioas->maps));
    ioas->n -= n;
    return 0;
}

int vdf_ioas_store_unmap(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err)
{
    uint64_t iova, length = 0;
    int ret = vdf_hwqueue_number(&text, "IOVA", UINT64_MAX, &iova, err);

    if (ret == 0)
        ret = vdf_hwqueue_number(&text, "LENGTH", UINT64_MAX, &length, err);
    if (ret == 0)
        ret = vdf_hwqueue_end(&text, "IOVA LENGTH", err);
    return ret < 0 ? ret : unmap(at->priv, iova, length, err);
}

static void list(const struct vdf_ioas *ioas, const char *separator, struct vdf_buf *out)
{
    for (unsigned k = 0; k < ioas->n; k++) {
        const struct vdf_ioas_map *map = &ioas->maps[k];
        vdf_buf_printf(out, "%s0x%" PRIx64 " 0x%" PRIx64 " 0x%" PRIx64 "%s", k ? separator : "",
                       map->iova, map->len, map->offset, map->read_only ? " ro" : "");
    }
}

void vdf_ioas_show(const struct vdf_at *at, struct vdf_buf *out)
{
    const struct vdf_hwqueue *dev = at->priv;
    list(&dev->ioas, "\n", out);
}

void vdf_ioas_save(const struct vdf_at *at, struct vdf_buf *out)
{
    const struct vdf_hwqueue *dev = at->priv;
    list(&dev->ioas, ", ", out);
}

int vdf_ioas_restore(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err)
{
    struct vdf_hwqueue *dev = at->priv;

    vdf_ioas_free(&dev->ioas);
    return vdf_hwqueue_split(text, parse_map, dev, err);
}

int vdf_ioas_pin(const struct vdf_hwqueue *dev, uint64_t iova, uint64_t len, bool write,
                 uint64_t *offset, struct vdf_err *err)
{
    const struct vdf_ioas *ioas = &dev->ioas;
    uint64_t last;

    assert(len > 0);
    if (__builtin_add_overflow(iova, len - 1, &last))
        return vdf_fail(err, EOVERFLOW,
                        "0x%" PRIx64 ": the queue's 0x%" PRIx64 " bytes exceed 64 bits", iova, len);

    bool contiguous = true, writable = true;
    uint64_t next = iova & ~PAGE_MASK;
    unsigned k = first_from(ioas, next);
    const struct vdf_ioas_map *map = NULL, *before = NULL;
    for (;; k++, before = map) {
        map = k < ioas->n ? &ioas->maps[k] : NULL;
        if (!map || map->iova > next)
            return vdf_fail(err, ENOENT,
                            "0x%" PRIx64 ": nothing is mapped at 0x%" PRIx64 "; see ioas/map", iova,
                            next);
        if (!before)
            *offset = map->offset + (iova - map->iova);
        else if (map->offset != before->offset + before->len)
            contiguous = false;
        writable = writable && !map->read_only;
        if (map_last(map) >= last)
            break;
        next = map_last(map) + 1;
    }
    if (!contiguous)
        return vdf_fail(err, EFAULT,
                        "0x%" PRIx64 ": the queue's 0x%" PRIx64
                        " bytes are not contiguous in memory",
                        iova, len);
    if (write && !writable)
        return vdf_fail(err, EPERM,
                        "0x%" PRIx64 ": the device writes there, and it is mapped read-only", iova);
    if (dev->space && !vdf_space_has(dev->space, *offset, len, write))
        return vdf_fail(err, EFAULT,
                        "0x%" PRIx64 ": the queue's 0x%" PRIx64 " bytes at 0x%" PRIx64
                        " of the guest are not in its memory",
                        iova, len, *offset);
    return 0;
}

bool vdf_ioas_find(const struct vdf_hwqueue *dev, uint64_t iova, uint64_t len, bool write,
                   uint64_t *offset)
{
    const struct vdf_ioas *ioas = &dev->ioas;
    unsigned k = first_from(ioas, iova);

    if (k == ioas->n || len == 0)
        return false;
    const struct vdf_ioas_map *map = &ioas->maps[k];
    if (map->iova > iova || len - 1 > map_last(map) - iova || (write && map->read_only))
        return false;
    *offset = map->offset + (iova - map->iova);
    return true;
}

bool vdf_ioas_has(struct vdf_hwqueue *dev, uint64_t iova, uint64_t len, bool write)
{
    struct vdf_space own;
    uint64_t at;

    return vdf_ioas_find(dev, iova, len, write, &at) &&
           vdf_space_has(vdf_hwqueue_space(dev, &own), at, len, write);
}

bool vdf_ioas_store_le32(struct vdf_hwqueue *dev, uint64_t iova, uint32_t value)
{
    struct vdf_space own;
    uint64_t at;

    return vdf_ioas_find(dev, iova, sizeof(value), true, &at) &&
           vdf_space_store_le32(vdf_hwqueue_space(dev, &own), at, value);
}

bool vdf_ioas_store_le64(struct vdf_hwqueue *dev, uint64_t iova, uint64_t value)
{
    struct vdf_space own;
    uint64_t at;

    return vdf_ioas_find(dev, iova, sizeof(value), true, &at) &&
           vdf_space_store_le64(vdf_hwqueue_space(dev, &own), at, value);
}
