/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the code of split rings (virtqueue.c) and of packed ones (virtqueue_packed.c). */
#ifndef VDF_CONSOLE_VIRTQUEUE_RING_H
#define VDF_CONSOLE_VIRTQUEUE_RING_H

#include "virtqueue.h"

/* A descriptor of a split table. A packed one has the buffer's id before the flags, and no next. */
struct vdf_vq_desc {
    uint64_t addr;
    uint32_t len;
    uint16_t flags;
    uint16_t next;
};

/** vdf_vq_load_desc() - read the descriptor of a split table. False: it is not in memory. */
bool vdf_vq_load_desc(const struct vdf_space *space, uint64_t table, uint32_t index,
                      struct vdf_vq_desc *desc);
int vdf_vq_part_check(const struct vdf_space *space, const char *what, uint64_t addr, uint64_t len,
                      unsigned align, bool write, struct vdf_err *err);
/** vdf_vq_table_check() - whether the descriptor's buffer may be an indirect table. */
int vdf_vq_table_check(const struct vdf_space *space, const struct vdf_vq_desc *desc, uint16_t head,
                       struct vdf_err *err);
/** vdf_vq_chain_begin() - an empty chain. */
void vdf_vq_chain_begin(struct vdf_vq_chain *chain, uint16_t head);
/** vdf_vq_add_segment() - add the buffer of a descriptor to the chain. */
int vdf_vq_add_segment(const struct vdf_space *space, const struct vdf_vq *vq,
                       const struct vdf_vq_desc *desc, struct vdf_vq_chain *chain,
                       struct vdf_err *err);

/* For packed rings, the functions of virtqueue.h with the same names but for `packed`. */

int vdf_vq_packed_check(const struct vdf_space *space, const struct vdf_vq *vq,
                        struct vdf_err *err);
int vdf_vq_packed_pending(const struct vdf_space *space, const struct vdf_vq *vq,
                          struct vdf_err *err);
uint16_t vdf_vq_packed_avail_idx(const struct vdf_space *space, const struct vdf_vq *vq);
/** vdf_vq_packed_next() - the place at which the next chain begins. */
uint16_t vdf_vq_packed_next(const struct vdf_vq *vq);
void vdf_vq_packed_skip(struct vdf_vq *vq, const struct vdf_vq_chain *chain);
int vdf_vq_packed_walk(const struct vdf_space *space, const struct vdf_vq *vq, uint16_t head,
                       struct vdf_vq_chain *chain, struct vdf_err *err);
int vdf_vq_packed_push(const struct vdf_space *space, struct vdf_vq *vq, uint32_t len,
                       bool *interrupt);
void vdf_vq_packed_want_kicks(const struct vdf_space *space, const struct vdf_vq *vq, bool wanted);

#endif
