/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device's side of split and packed virtqueues (virtio 1.3, sections 2.7 and 2.8) in any struct
 * vdf_space.
 *
 * The device gives chains back in the order in which it takes them, each before it takes the next.
 *
 * Only the two indices of the device are stored here. A descriptor is read once, when it is needed,
 * checked, and turned into a guest range of the chain. Because a driver may change its memory at
 * any time, every access to a range is checked again.
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

/* The negotiated modes of all queues: struct vdf_vq.modes. */
#define VDF_VQ_INDIRECT 1u  /* VIRTIO_F_INDIRECT_DESC */
#define VDF_VQ_EVENT_IDX 2u /* VIRTIO_F_EVENT_IDX */
#define VDF_VQ_PACKED 4u    /* VIRTIO_F_RING_PACKED */

/* An index of a packed ring is the place of a descriptor, with this bit set in every second round
 * of the ring. The bit is the inverse of the wrap counter, so that a queue begins with zeros. */
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
    bool broken;   /* the driver has broken the rules: not used until a reset */
    bool quiet;    /* the driver is asked not to notify: vdf_vq_want_kicks() */
    /* Of the transport. */
    bool lost;       /* its parts are not in the guest's memory now */
    bool call;       /* a message about used buffers is to be sent */
    uint16_t vector; /* of MSI-X for that message, plus 1; 0: none */
};

struct vdf_vq_seg {
    uint64_t addr;
    uint32_t len;
};

/* A descriptor chain: ranges that the device reads, then ranges that it writes. */
struct vdf_vq_chain {
    uint16_t head;    /* its first descriptor; in a packed ring the place of it */
    uint16_t slots;   /* entries of the available or packed ring that it takes */
    unsigned n;       /* segments */
    unsigned n_out;   /* the first so many are read by the device */
    uint64_t out_len; /* bytes to read */
    uint64_t in_len;  /* bytes to write */
    struct vdf_vq_seg seg[VDF_VQ_SIZE_MAX];
};

/** vdf_vq_size_possible() - whether a queue may have @num descriptors, or none yet: up to @max, and
 *  a power of two in split rings. */
bool vdf_vq_size_possible(uint32_t num, unsigned max, uint8_t modes);

/**
 * vdf_vq_check() - check size, alignment and place of the three parts of a queue.
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
 * Return: 0 to num, in a packed ring 0 or 1; -EPROTO: the index is too far ahead; -EFAULT: the ring
 * is not in memory.
 */
int vdf_vq_pending(const struct vdf_space *space, const struct vdf_vq *vq, struct vdf_err *err);

/** vdf_vq_avail_idx() - the driver's index, in a packed ring the next descriptor that is not
 *  available. 0: the ring is not in memory. */
uint16_t vdf_vq_avail_idx(const struct vdf_space *space, const struct vdf_vq *vq);

/** vdf_vq_used_idx() - the device's index as the used ring of a split queue has it. 0: the ring is
 *  not in memory. */
uint16_t vdf_vq_used_idx(const struct vdf_space *space, const struct vdf_vq *vq);

/** vdf_vq_next_is() - whether the next available chain begins with descriptor @head. */
bool vdf_vq_next_is(const struct vdf_space *space, const struct vdf_vq *vq, uint16_t head);

/**
 * vdf_vq_pop() - take the next available chain. Without one, the driver notifies of the next.
 * @chain: result; `head` is valid also with -EFAULT of a buffer
 * Return: 0; -EAGAIN: there is none; -EFAULT: a buffer or table is not in @space; -EPROTO: the
 * driver has broken the rules of section 2.7 or 2.8. After the last two errors the entry has been
 * taken, except when `head` is VDF_VQ_SIZE_MAX: the ring could not be read, its entry named no
 * descriptor, or a chain of a packed ring had no end.
 */
int vdf_vq_pop(const struct vdf_space *space, struct vdf_vq *vq, struct vdf_vq_chain *chain,
               struct vdf_err *err);

/** vdf_vq_walk() - read the chain that begins at @head; errors as vdf_vq_pop(). */
int vdf_vq_walk(const struct vdf_space *space, const struct vdf_vq *vq, uint16_t head,
                struct vdf_vq_chain *chain, struct vdf_err *err);

/** vdf_vq_skip() - take the next chain, which vdf_vq_walk() has read. */
void vdf_vq_skip(struct vdf_vq *vq, const struct vdf_vq_chain *chain);

/**
 * vdf_vq_push() - give back the chain that was taken last, with @len bytes written.
 * @interrupt: whether the driver wants an interrupt
 *
 * Return: 0; -EFAULT: the ring is not in memory.
 */
int vdf_vq_push(const struct vdf_space *space, struct vdf_vq *vq, uint16_t head, uint32_t len,
                bool *interrupt);

/** vdf_vq_want_kicks() - ask the driver to notify of available buffers, or not to (2.7.10, 2.8.14).
 *  After asking for it again, look at the queue once more. */
void vdf_vq_want_kicks(const struct vdf_space *space, struct vdf_vq *vq, bool wanted);

/** vdf_vq_copy_in() - copy bytes that the device reads, from @offset on. Return: bytes copied. */
size_t vdf_vq_copy_in(const struct vdf_space *space, const struct vdf_vq_chain *chain,
                      uint64_t offset, void *to, size_t n);

/** vdf_vq_copy_out() - copy to the ranges that the device writes. Return: bytes copied. */
size_t vdf_vq_copy_out(const struct vdf_space *space, const struct vdf_vq_chain *chain,
                       const void *from, size_t n);

#endif
