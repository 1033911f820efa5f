/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Translations that the IOMMU and the devices behind it have cached. */
#ifndef VDF_HWQUEUE_IOTLB_H
#define VDF_HWQUEUE_IOTLB_H

#include <virtdevfs/component.h>

#define VDF_IOTLB_ENTRIES 4096u /* of each of the two caches */
#define VDF_IOTLB_ANY UINT64_MAX

struct vdf_iotlb_entry {
    uint64_t first, last; /* I/O virtual addresses, inclusive */
    uint32_t sid;         /* of the machine, not the guest's */
    uint32_t ssid;        /* SSID or PASID; 0: without one */
    uint32_t tag;         /* ASID or domain; a device's translations have none: 0 */
    bool global;          /* of all ASIDs, or PASIDs */
};

struct vdf_iotlb {
    struct vdf_iotlb_entry *entries; /* in the order of their insertion */
    unsigned n, cap;
};

/* How an invalidation treats global translations. */
enum vdf_iotlb_global {
    VDF_GLOBAL_AS_OTHERS,
    VDF_GLOBAL_STAYS,
    VDF_GLOBAL_OF_ANY_TAG,
    VDF_GLOBAL_OF_ANY_SSID,
};

/* An invalidation removes the entries that match all of these. */
struct vdf_iotlb_scope {
    uint64_t sid, ssid, tag; /* or VDF_IOTLB_ANY */
    uint64_t first, last;    /* what touches these addresses, inclusive */
    uint64_t size;           /* of exactly so many bytes; or VDF_IOTLB_ANY */
    enum vdf_iotlb_global global;
};

/* A scope that matches everything, which the caller then narrows. */
#define VDF_IOTLB_ALL                                                                  \
    {                                                                                  \
        .sid = VDF_IOTLB_ANY, .ssid = VDF_IOTLB_ANY, .tag = VDF_IOTLB_ANY, .first = 0, \
        .last = UINT64_MAX, .size = VDF_IOTLB_ANY, .global = VDF_GLOBAL_AS_OTHERS      \
    }

void vdf_iotlb_free(struct vdf_iotlb *tlb);
void vdf_iotlb_drop(struct vdf_iotlb *tlb, const struct vdf_iotlb_scope *scope);

int vdf_iotlb_store_insert(const struct vdf_at *at, const char *text, size_t len,
                           struct vdf_err *err);
void vdf_iotlb_show(const struct vdf_at *at, struct vdf_buf *out);
void vdf_iotlb_save(const struct vdf_at *at, struct vdf_buf *out);
int vdf_iotlb_restore(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err);
int vdf_iotlb_store_atc_insert(const struct vdf_at *at, const char *text, size_t len,
                               struct vdf_err *err);
void vdf_iotlb_show_atc(const struct vdf_at *at, struct vdf_buf *out);
void vdf_iotlb_save_atc(const struct vdf_at *at, struct vdf_buf *out);
int vdf_iotlb_restore_atc(const struct vdf_at *at, const char *text, size_t len,
                          struct vdf_err *err);

#endif
