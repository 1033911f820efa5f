/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Records in the format of iommufd's vEVENTQ. */
#ifndef VDF_HWQUEUE_VEVENTQ_H
#define VDF_HWQUEUE_VEVENTQ_H

#include <virtdevfs/component.h>

struct vdf_hwqueue;

#define VDF_VEVENTQ_DEPTH_MAX (1u << 19) /* IOMMU_VEVENTQ_ALLOC's own limit */

struct vdf_vevent {
    uint32_t sequence;
    uint64_t map[2]; /* LVCMDQ_ERR_MAP; selftest: the virtual device's number, u32, and nothing */
};

struct vdf_veventq {
    struct vdf_vevent *events; /* a ring of `cap` */
    uint32_t first, n, cap;
    uint32_t depth;         /* events that may wait */
    uint32_t sequence;      /* of the next event, 31 bits */
    uint32_t lost_sequence; /* of the newest lost event */
    bool lost;              /* a LOST_EVENTS header ends the queue */
};

/* The sizes of a record. */
#define VDF_VEVENT_HEADER 8u
#define VDF_VEVENT_SEQUENCE_MASK 0x7fffffffu

extern const struct vdf_stream_ops vdf_veventq_stream;
void vdf_veventq_free(struct vdf_veventq *queue);
/** vdf_veventq_payload() - bytes of a record behind its header. */
unsigned vdf_veventq_payload(const struct vdf_hwqueue *dev);
/** vdf_veventq_append() - add an event at the end. False: the queue has @max already, or no
 *  memory. */
bool vdf_veventq_append(struct vdf_veventq *queue, const struct vdf_vevent *event, uint32_t max);
/** vdf_veventq_read() - read whole records. Return: their bytes; 0: none waits; -EINVAL: none
 *  fits. */
ssize_t vdf_veventq_read(struct vdf_hwqueue *dev, void *bytes, size_t n, struct vdf_err *err);
/** vdf_veventq_waits() - does a record wait? */
bool vdf_veventq_waits(struct vdf_hwqueue *dev);
/** vdf_veventq_store_depth() - change the depth of the queue here. */
int vdf_veventq_store_depth(struct vdf_hwqueue *dev, uint32_t depth, struct vdf_err *err);
int vdf_veventq_set_depth(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_veventq_get_sequence(const struct vdf_at *at, uint64_t *value);
int vdf_veventq_get_lost(const struct vdf_at *at, uint64_t *value);
int vdf_veventq_get_lost_sequence(const struct vdf_at *at, uint64_t *value);
int vdf_veventq_trigger(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
void vdf_veventq_add(struct vdf_veventq *queue, const uint64_t map[2]);
void vdf_veventq_save(const struct vdf_at *at, struct vdf_buf *out);
int vdf_veventq_restore(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err);

#endif
