/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two caches of translations: the IOMMU's own, and the one in the devices behind it (ATC). Each has
 * invalidations of its own, which do not affect the other. Entries of the IOMMU have the ASID or domain
 * as a tag; entries of a device have only its stream and substream. An invalidation passes once over
 * the entries, keeps the order of those that stay, and allocates no memory.
 */
#include <errno.h>
#include <inttypes.h>
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

static bool is_or_any(uint64_t wanted, uint32_t value)
{
    return wanted == VDF_IOTLB_ANY || wanted == value;
}

static bool in_scope(const struct vdf_iotlb_entry *e, const struct vdf_iotlb_scope *scope)
{
    enum vdf_iotlb_global global = e->global ? scope->global : VDF_GLOBAL_AS_OTHERS;

    if (global == VDF_GLOBAL_STAYS || e->first > scope->last || e->last < scope->first)
        return false;
    return is_or_any(scope->sid, e->sid) &&
           (global == VDF_GLOBAL_OF_ANY_SSID || is_or_any(scope->ssid, e->ssid)) &&
           (global == VDF_GLOBAL_OF_ANY_TAG || is_or_any(scope->tag, e->tag)) &&
           (scope->size == VDF_IOTLB_ANY || e->last - e->first == scope->size - 1);
}

void vdf_iotlb_drop(struct vdf_iotlb *tlb, const struct vdf_iotlb_scope *scope)
{
    unsigned kept = 0;

    for (unsigned k = 0; k < tlb->n; k++) {
        if (in_scope(&tlb->entries[k], scope))
            continue;
        if (kept != k)
            tlb->entries[kept] = tlb->entries[k];
        kept++;
    }
    tlb->n = kept;
}

static int insert(struct vdf_iotlb *tlb, const struct vdf_iotlb_entry *new, struct vdf_err *err)
{
    for (unsigned k = 0; k < tlb->n; k++) {
        const struct vdf_iotlb_entry *e = &tlb->entries[k];
        if (e->first == new->first && e->last == new->last && e->sid == new->sid &&
            e->ssid == new->ssid && e->tag == new->tag && e->global == new->global)
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

/* The optional word at the end of a line. */
static bool take_global(const char **text)
{
    static const char word[] = "global";
    size_t len = sizeof(word) - 1;

    if (!vdf_hwqueue_more(text) || strncmp(*text, word, len) != 0)
        return false;
    const char *end = *text + len;
    if (vdf_hwqueue_more(&end))
        return false;
    *text = end;
    return true;
}

static int parse_entry(struct vdf_iotlb *tlb, bool tagged, const char *text, struct vdf_err *err)
{
    const char *form = tagged ? "SID SSID IOVA SIZE [TAG [global]]" : "SID SSID IOVA SIZE [global]";
    uint64_t sid, ssid, iova, size, tag = 0, last;
    bool global = false;
    int ret = vdf_hwqueue_number(&text, "SID", UINT32_MAX, &sid, err);

    if (ret == 0)
        ret = vdf_hwqueue_number(&text, "SSID", VDF_SID_MAX, &ssid, err);
    if (ret == 0)
        ret = vdf_hwqueue_number(&text, "IOVA", UINT64_MAX, &iova, err);
    if (ret == 0)
        ret = vdf_hwqueue_number(&text, "SIZE", UINT64_MAX, &size, err);
    if (ret == 0 && tagged && vdf_hwqueue_more(&text))
        ret = vdf_hwqueue_number(&text, "TAG", TAG_MAX, &tag, err);
    if (ret == 0)
        global = take_global(&text);
    if (ret == 0)
        ret = vdf_hwqueue_end(&text, form, err);
    if (ret)
        return ret;
    if (size == 0 || ((iova | size) & PAGE_MASK))
        return vdf_fail(err, EINVAL,
                        "0x%" PRIx64 " 0x%" PRIx64 ": IOVA and SIZE are multiples of 0x%x", iova,
                        size, VDF_PAGE_SIZE);
    if (__builtin_add_overflow(iova, size - 1, &last))
        return vdf_fail(err, EINVAL, "0x%" PRIx64 " 0x%" PRIx64 ": the translation ends below 2^64",
                        iova, size);

    struct vdf_iotlb_entry new = {
        .first = iova,
        .last = last,
        .sid = (uint32_t)sid,
        .ssid = (uint32_t)ssid,
        .tag = (uint32_t)tag,
        .global = global,
    };
    return insert(tlb, &new, err);
}

static int parse_iommu_entry(struct vdf_hwqueue *dev, const char *text, struct vdf_err *err)
{
    return parse_entry(&dev->iotlb, true, text, err);
}

static int parse_atc_entry(struct vdf_hwqueue *dev, const char *text, struct vdf_err *err)
{
    return parse_entry(&dev->atc, false, text, err);
}

int vdf_iotlb_store_insert(const struct vdf_at *at, const char *text, size_t len,
                           struct vdf_err *err)
{
    return parse_iommu_entry(at->priv, text, err);
}

int vdf_iotlb_store_atc_insert(const struct vdf_at *at, const char *text, size_t len,
                               struct vdf_err *err)
{
    return parse_atc_entry(at->priv, text, err);
}

static void list(const struct vdf_iotlb *tlb, bool tagged, const char *separator,
                 struct vdf_buf *out)
{
    for (unsigned k = 0; k < tlb->n; k++) {
        const struct vdf_iotlb_entry *e = &tlb->entries[k];
        vdf_buf_printf(out, "%s%u %u 0x%" PRIx64 " 0x%" PRIx64, k ? separator : "", e->sid, e->ssid,
                       e->first, (e->last - e->first + 1));
        if (tagged)
            vdf_buf_printf(out, " %u", e->tag);
        if (e->global)
            vdf_buf_printf(out, " global");
    }
}

void vdf_iotlb_show(const struct vdf_at *at, struct vdf_buf *out)
{
    const struct vdf_hwqueue *dev = at->priv;
    list(&dev->iotlb, true, "\n", out);
}

void vdf_iotlb_save(const struct vdf_at *at, struct vdf_buf *out)
{
    const struct vdf_hwqueue *dev = at->priv;
    list(&dev->iotlb, true, ", ", out);
}

void vdf_iotlb_show_atc(const struct vdf_at *at, struct vdf_buf *out)
{
    const struct vdf_hwqueue *dev = at->priv;
    list(&dev->atc, false, "\n", out);
}

void vdf_iotlb_save_atc(const struct vdf_at *at, struct vdf_buf *out)
{
    const struct vdf_hwqueue *dev = at->priv;
    list(&dev->atc, false, ", ", out);
}

int vdf_iotlb_restore(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err)
{
    struct vdf_hwqueue *dev = at->priv;

    dev->iotlb.n = 0;
    return vdf_hwqueue_split(text, parse_iommu_entry, dev, err);
}

int vdf_iotlb_restore_atc(const struct vdf_at *at, const char *text, size_t len,
                          struct vdf_err *err)
{
    struct vdf_hwqueue *dev = at->priv;

    dev->atc.n = 0;
    return vdf_hwqueue_split(text, parse_atc_entry, dev, err);
}
