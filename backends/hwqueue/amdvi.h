/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The AMD IOMMU: command buffer, event log and PPR log. */
#ifndef VDF_HWQUEUE_AMDVI_H
#define VDF_HWQUEUE_AMDVI_H

#include <virtdevfs/component.h>

#include "bits.h"

struct vdf_hwqueue;

enum vdf_amdvi_kind {
    VDF_AMDVI_CMD,
    VDF_AMDVI_EVENT,
    VDF_AMDVI_PPR,
    VDF_AMDVI_QUEUES,
};

struct vdf_amdvi_queue {
    uint64_t base;       /* IOVA of the ring */
    uint64_t head, tail; /* byte offsets in it */
    uint64_t ring;       /* the position in the device's memory, while `enabled` */
    uint8_t length;      /* log2 of the entries */
    uint8_t enabled;
    uint8_t run;
    uint8_t overflow;
};

/* The registers of the IOMMU. */
struct vdf_amdvi {
    struct vdf_amdvi_queue queues[VDF_AMDVI_QUEUES];
    uint64_t control; /* without the bits that are `enabled` */
    uint64_t status;  /* the interrupt bits */
    uint64_t dev_tab;
};

int vdf_amdvi_check_base(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_amdvi_check_length(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_amdvi_set_base(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_amdvi_set_length(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_amdvi_check_index(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
void vdf_amdvi_after_index(const struct vdf_at *at, uint64_t value);
int vdf_amdvi_check_run(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_amdvi_check_overflow(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
void vdf_amdvi_after_overflow(const struct vdf_at *at, uint64_t value);
int vdf_amdvi_set_enable(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_amdvi_get_base_reg(const struct vdf_at *at, uint64_t *value);
int vdf_amdvi_set_base_reg(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_amdvi_get_control(const struct vdf_at *at, uint64_t *value);
int vdf_amdvi_set_control(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_amdvi_get_status(const struct vdf_at *at, uint64_t *value);
int vdf_amdvi_set_status(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_amdvi_get_features(const struct vdf_at *at, uint64_t *value);
int vdf_amdvi_inject_event(const struct vdf_at *at, const char *text, size_t len,
                           struct vdf_err *err);
int vdf_amdvi_inject_ppr(const struct vdf_at *at, const char *text, size_t len,
                         struct vdf_err *err);
bool vdf_amdvi_pins(const struct vdf_hwqueue *dev, uint64_t first, uint64_t last);
/** vdf_amdvi_release() - disable the queues that use memory at these addresses. */
void vdf_amdvi_release(struct vdf_hwqueue *dev, uint64_t first, uint64_t last);
/** vdf_amdvi_reset() - all registers as in a new device. */
void vdf_amdvi_reset(struct vdf_hwqueue *dev);
void vdf_amdvi_start(struct vdf_hwqueue *dev);

#define VDF_AMDVI_EFR 0x52u     /* PPRSup, GTSup, IASup */
#define VDF_AMDVI_LENGTH_MIN 8u /* the length field of a base register, log2 of the entries */
#define VDF_AMDVI_LENGTH_MAX 15u
#define VDF_AMDVI_LENGTH_RESET 9u
#define VDF_AMDVI_CONTROL_IOMMU_EN VDF_BIT(0)
/* The bits of Control and Status that `enabled`, `run` and `overflow` do not hold. */
#define VDF_AMDVI_CONTROL_QUEUES (VDF_BIT(2) | VDF_BIT(12) | VDF_BIT(13))
#define VDF_AMDVI_STATUS_INTS (VDF_BIT(1) | VDF_BIT(2) | VDF_BIT(6))
#define VDF_AMDVI_STATUS_W1C 0x67u /* EventOverflow, EventLogInt, ComWaitInt, PprOverflow, PprInt */

#endif
