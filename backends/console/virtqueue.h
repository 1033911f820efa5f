/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device's side of split and packed virtqueues (virtio 1.2, sections 2.7 and 2.8) in any struct
 * vdf_space.
 *
 * Chains are given back in the order in which they are taken, and the one that was taken last
 * before the next is.
 *
 * Nothing of a ring is kept here but the device's two indices: descriptors are read when they are
 * needed, each once, checked, and turned into a list of guest ranges that have been found valid at
 * that moment. A driver may change its memory at any time; every access to a range is checked
 * again.
 */
#ifndef VDF_CONSOLE_VIRTQUEUE_H
#define VDF_CONSOLE_VIRTQUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <virtdevfs/error.h>
#include <virtdevfs/memory.h>

#define VDF_VQ_SIZE_MAX 1024u /* descriptors in a queue; also the longest chain */

#define VDF_VQ_DESC_SIZE 16u
#define VDF_VQ_DESC_NEXT 1u
#define VDF_VQ_DESC_WRITE 2u
#define VDF_VQ_DESC_INDIRECT 4u

#define VDF_VQ_AVAIL_NO_INTERRUPT 1u
#define VDF_VQ_USED_NO_NOTIFY 1u

/* The modes that driver and device have agreed on for all queues; struct vdf_vq.modes. */
#define VDF_VQ_INDIRECT 1u  /* VIRTIO_F_INDIRECT_DESC */
#define VDF_VQ_EVENT_IDX 2u /* VIRTIO_F_EVENT_IDX */
#define VDF_VQ_PACKED 4u    /* VIRTIO_F_RING_PACKED */

/* An index of a packed ring is the place of a descriptor, and this bit in every second round of the
 * ring. The wrap counter is the inverse of that, so that a queue begins with zeros. */
#define VDF_VQ_ROUND 0x8000u

struct vdf_vq {
    uint64_t desc;       /* guest address of the descriptor table, or of the packed ring */
    uint64_t driver;     /* of the available ring, or of the driver's event suppression */
    uint64_t device;     /* of the used ring, or of the device's event suppression */
    uint16_t num;        /* descriptors, vdf_vq_size_possible(); 0 before it is set */
    uint16_t last_avail; /* next entry of the available or packed ring to take */
    uint16_t used_idx;   /* next entry of the used or packed ring to fill */
    bool ready;
    uint8_t modes; /* VDF_VQ_INDIRECT, ...: vdf_vq_start() */
    bool broken;   /* the driver broke the rules: not used until it is reset */
    bool quiet;    /* the driver is asked not to notify: vdf_vq_want_kicks() */
};

struct vdf_vq_seg {
    uint64_t addr;
    uint32_t len;
};

/* A descriptor chain: what the device reads, then what it writes. */
struct vdf_vq_chain {
    uint16_t head;    /* its first descriptor, in a packed ring the place of that */
    uint16_t slots;   /* entries of the available or packed ring that it takes */
    unsigned n;       /* segments */
    unsigned n_out;   /* of them, those that the device reads */
    uint64_t out_len; /* bytes to read */
    uint64_t in_len;  /* bytes to write */
    struct vdf_vq_seg seg[VDF_VQ_SIZE_MAX];
};

/** vdf_vq_size_possible() - may a queue have @num descriptors, up to @max, or none yet: a power of
 *  two in split rings, any number in packed ones. */
bool vdf_vq_size_possible(uint32_t num, unsigned max, uint8_t modes);

/**
 * vdf_vq_check() - may the queue be used: size, alignment and place of its three parts.
 * Return: 0, -EINVAL, or -EFAULT where a part is not in @space.
 */
int vdf_vq_check(const struct vdf_space *space, const struct vdf_vq *vq, struct vdf_err *err);

/**
 * vdf_vq_start() - begin with a checked queue, and ask the driver for its notifications.
 * @modes: VDF_VQ_INDIRECT and the like
 */
void vdf_vq_start(const struct vdf_space *space, struct vdf_vq *vq, uint8_t modes);

/**
 * vdf_vq_pending() - chains that the driver has made available.
 * Return: 0 to num, in a packed ring 0 or 1 for any; -EPROTO for an index that has run away,
 * -EFAULT when the ring is not there.
 */
int vdf_vq_pending(const struct vdf_space *space, const struct vdf_vq *vq, struct vdf_err *err);

/** vdf_vq_avail_idx() - the driver's index; 0 when the ring is not there. In a packed ring it is
 *  found by looking for the next descriptor that is not available. */
uint16_t vdf_vq_avail_idx(const struct vdf_space *space, const struct vdf_vq *vq);

/** vdf_vq_used_idx() - the index in the used ring of a split queue, which is the device's own; 0
 *  when it is not there. */
uint16_t vdf_vq_used_idx(const struct vdf_space *space, const struct vdf_vq *vq);

/** vdf_vq_next_is() - whether the next available chain begins with descriptor @head. */
bool vdf_vq_next_is(const struct vdf_space *space, const struct vdf_vq *vq, uint16_t head);

/**
 * vdf_vq_pop() - take the next available chain. When there is none, the driver notifies of the
 * next.
 * @chain: result; `head` is valid also with -EFAULT of a buffer
 *
 * Return: 0; -EAGAIN: there is none; -EFAULT: a buffer or table outside @space; -EPROTO: the driver
 * broke the rules of section 2.7 or 2.8. With the latter two the entry has been taken all the same,
 * unless the ring itself could not be read, its entry named no descriptor, or a chain had no end in
 * a packed ring (`head` is VDF_VQ_SIZE_MAX then).
 */
int vdf_vq_pop(const struct vdf_space *space, struct vdf_vq *vq, struct vdf_vq_chain *chain,
               struct vdf_err *err);

/** vdf_vq_walk() - read the chain that begins at @head; errors as vdf_vq_pop(). */
int vdf_vq_walk(const struct vdf_space *space, const struct vdf_vq *vq, uint16_t head,
                struct vdf_vq_chain *chain, struct vdf_err *err);

/** vdf_vq_skip() - count the chain, which vdf_vq_walk() has read and which is next, as taken. */
void vdf_vq_skip(struct vdf_vq *vq, const struct vdf_vq_chain *chain);

/**
 * vdf_vq_push() - give the chain back that was taken last, @len bytes of it written.
 * @interrupt: whether the driver wants to be told
 *
 * Return: 0, or -EFAULT when the ring is not there.
 */
int vdf_vq_push(const struct vdf_space *space, struct vdf_vq *vq, uint16_t head, uint32_t len,
                bool *interrupt);

/** vdf_vq_want_kicks() - whether the driver is to notify of what it makes available
 * (2.7.10, 2.8.14). After asking for it again, look at the queue once more. */
void vdf_vq_want_kicks(const struct vdf_space *space, struct vdf_vq *vq, bool wanted);

/** vdf_vq_copy_in() - bytes from @offset of what the device reads; returns how many there were. */
size_t vdf_vq_copy_in(const struct vdf_space *space, const struct vdf_vq_chain *chain,
                      uint64_t offset, void *to, size_t n);

/** vdf_vq_copy_out() - bytes to the beginning of what the device writes; returns how many fitted.
 */
size_t vdf_vq_copy_out(const struct vdf_space *space, const struct vdf_vq_chain *chain,
                       const void *from, size_t n);

#endif
