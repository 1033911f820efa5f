/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Cached translations. One cache stands for the IOMMU's own and for those in the devices (ATC), so
 * an entry names what both kinds of invalidation match: stream, substream, addresses, and ASID or
 * domain. An invalidation goes once over the entries and keeps the others in order; it takes no
 * memory.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hwqueue.h"

#define PAGE_MASK ((uint64_t)VDF_PAGE_SIZE - 1)
#define TAG_MAX 0xffffu

void vdf_iotlb_free(struct vdf_iotlb *tlb)
{
    free(tlb->entries);
    *tlb = (struct vdf_iotlb){ 0 };
}

void vdf_iotlb_drop_all(struct vdf_iotlb *tlb)
{
    tlb->n = 0;
}

/* Keeps the entries for which @match is false. */
#define DROP_IF(tlb, entry, match)                                    \
    do {                                                              \
        unsigned kept = 0;                                            \
        for (unsigned k = 0; k < (tlb)->n; k++) {                     \
            const struct vdf_iotlb_entry *entry = &(tlb)->entries[k]; \
            if (!(match)) {                                           \
                if (kept != k)                                        \
                    (tlb)->entries[kept] = *entry;                    \
                kept++;                                               \
            }                                                         \
        }                                                             \
        (tlb)->n = kept;                                              \
    } while (0)

void vdf_iotlb_drop_tag(struct vdf_iotlb *tlb, uint32_t tag)
{
    DROP_IF(tlb, e, e->tag == tag);
}

void vdf_iotlb_drop_va(struct vdf_iotlb *tlb, uint64_t tag, uint64_t ssid, uint64_t first,
                       uint64_t last, uint64_t size)
{
    DROP_IF(tlb, e,
            (tag == VDF_IOTLB_ANY || e->tag == tag) && (ssid == VDF_IOTLB_ANY || e->ssid == ssid) &&
                e->first <= last && e->last >= first &&
                (size == VDF_IOTLB_ANY || e->last - e->first == size - 1));
}

void vdf_iotlb_drop_device(struct vdf_iotlb *tlb, uint32_t sid, uint64_t ssid, uint64_t first,
                           uint64_t last)
{
    DROP_IF(tlb, e,
            e->sid == sid && (ssid == VDF_IOTLB_ANY || e->ssid == ssid) && e->first <= last &&
                e->last >= first);
}

static int insert(struct vdf_iotlb *tlb, const struct vdf_iotlb_entry *new, struct vdf_err *err)
{
    for (unsigned k = 0; k < tlb->n; k++) {
        const struct vdf_iotlb_entry *e = &tlb->entries[k];
        if (e->first == new->first && e->last == new->last && e->sid == new->sid &&
            e->ssid == new->ssid && e->tag == new->tag)
            return 0;
    }
    if (tlb->n == VDF_IOTLB_ENTRIES)
        return vdf_fail(err, ENOSPC, "the cache holds %u translations", VDF_IOTLB_ENTRIES);
    if (tlb->n == tlb->cap) {
        unsigned cap = tlb->cap ? tlb->cap * 2 : 16;
        struct vdf_iotlb_entry *entries = realloc(tlb->entries, cap * sizeof(*entries));
        if (!entries)
            return vdf_fail(err, ENOMEM, "no memory for another translation");
        tlb->entries = entries;
        tlb->cap = cap;
    }
    tlb->entries[tlb->n++] = *new;
    return 0;
}

static int parse_entry(struct vdf_hwqueue *dev, const char *text, struct vdf_err *err)
{
    uint64_t sid, ssid, iova, size, tag = 0, last;
    int ret = vdf_hwqueue_number(&text, "SID", UINT32_MAX, &sid, err);

    if (ret == 0)
        ret = vdf_hwqueue_number(&text, "SSID", VDF_SID_MAX, &ssid, err);
    if (ret == 0)
        ret = vdf_hwqueue_number(&text, "IOVA", UINT64_MAX, &iova, err);
    if (ret == 0)
        ret = vdf_hwqueue_number(&text, "SIZE", UINT64_MAX, &size, err);
    if (ret == 0 && vdf_hwqueue_more(&text))
        ret = vdf_hwqueue_number(&text, "TAG", TAG_MAX, &tag, err);
    if (ret == 0)
        ret = vdf_hwqueue_end(&text, "SID SSID IOVA SIZE [TAG]", err);
    if (ret < 0)
        return ret;
    if (size == 0 || ((iova | size) & PAGE_MASK))
        return vdf_fail(err, EINVAL, "0x%llx 0x%llx: IOVA and SIZE are multiples of 0x%x",
                        (unsigned long long)iova, (unsigned long long)size, VDF_PAGE_SIZE);
    if (__builtin_add_overflow(iova, size - 1, &last))
        return vdf_fail(err, EINVAL, "0x%llx 0x%llx: the translation ends below 2^64",
                        (unsigned long long)iova, (unsigned long long)size);

    struct vdf_iotlb_entry new = {
        .first = iova,
        .last = last,
        .sid = (uint32_t)sid,
        .ssid = (uint32_t)ssid,
        .tag = (uint32_t)tag,
    };
    return insert(&dev->iotlb, &new, err);
}

int vdf_iotlb_store_insert(const struct vdf_at *at, const char *text, size_t len,
                           struct vdf_err *err)
{
    (void)len;
    return parse_entry(at->priv, text, err);
}

static void list(const struct vdf_iotlb *tlb, const char *separator, struct vdf_buf *out)
{
    for (unsigned k = 0; k < tlb->n; k++) {
        const struct vdf_iotlb_entry *e = &tlb->entries[k];
        vdf_buf_printf(out, "%s%u %u 0x%llx 0x%llx %u", k ? separator : "", e->sid, e->ssid,
                       (unsigned long long)e->first, (unsigned long long)(e->last - e->first + 1),
                       e->tag);
    }
}

void vdf_iotlb_show(const struct vdf_at *at, struct vdf_buf *out)
{
    const struct vdf_hwqueue *dev = at->priv;
    list(&dev->iotlb, "\n", out);
}

void vdf_iotlb_save(const struct vdf_at *at, struct vdf_buf *out)
{
    const struct vdf_hwqueue *dev = at->priv;
    list(&dev->iotlb, ", ", out);
}

int vdf_iotlb_restore(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err)
{
    struct vdf_hwqueue *dev = at->priv;

    (void)len;
    vdf_iotlb_drop_all(&dev->iotlb);
    return vdf_hwqueue_split(text, parse_entry, dev, err);
}
