/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packed rings (section 2.8): one ring of descriptors. The driver makes them available, and the
 * device overwrites them with used ones. See virtqueue.h.
 *
 * A chain has successive places. Because the device gives a chain back before it takes the next,
 * the used descriptor is written at the first place of the chain.
 */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "virtqueue_ring.h"

/* Layout of a descriptor, section 2.8.13, and its flags besides those of split rings, 2.8.1. */
#define LEN_AT 8u
#define ID_AT 12u
#define FLAGS_AT 14u
#define AVAIL (1u << 7)
#define USED (1u << 15)

/* The event suppression structures, section 2.8.14: an offset and wrap counter, then flags. */
#define EVENT_SIZE 4u
#define EVENT_FLAGS(word) ((word) >> 16 & 3u)
#define EVENT(flags, off_wrap) ((uint32_t)(flags) << 16 | (off_wrap))
#define EVENT_ENABLE 0u
#define EVENT_DISABLE 1u
#define EVENT_DESC 2u

static unsigned place(uint16_t index)
{
    return index & (VDF_VQ_ROUND - 1u);
}

static bool wrap_counter(uint16_t index)
{
    return !(index & VDF_VQ_ROUND);
}

/* The index @n places further, at most one round. */
static uint16_t forward(const struct vdf_vq *vq, uint16_t index, unsigned n)
{
    unsigned at = place(index) + n;
    unsigned round = index & VDF_VQ_ROUND;

    if (at >= vq->num) {
        at -= vq->num;
        round ^= VDF_VQ_ROUND;
    }
    return (uint16_t)(at | round);
}

/* Places from one index to another, less than two rounds. */
static unsigned distance(const struct vdf_vq *vq, uint16_t from, uint16_t to)
{
    unsigned rounds = 2u * vq->num;
    unsigned start = place(from) + (from & VDF_VQ_ROUND ? vq->num : 0u);
    unsigned end = place(to) + (to & VDF_VQ_ROUND ? vq->num : 0u);

    return (end + rounds - start) % rounds;
}

/* The guest address of a field of the descriptor at a place. */
static uint64_t field(const struct vdf_vq *vq, unsigned at, unsigned offset)
{
    return vq->desc + at * VDF_VQ_DESC_SIZE + offset;
}

int vdf_vq_packed_check(const struct vdf_space *space, const struct vdf_vq *vq, struct vdf_err *err)
{
    if (!vq->num || !vdf_vq_size_possible(vq->num, VDF_VQ_SIZE_MAX, vq->modes))
        return vdf_fail(err, EINVAL, "queue size %u: 1 to %u is needed", vq->num, VDF_VQ_SIZE_MAX);
    if (place(vq->last_avail) >= vq->num || place(vq->used_idx) >= vq->num)
        return vdf_fail(err, EINVAL,
                        "next available descriptor %u, next used one %u: the ring has %u",
                        place(vq->last_avail), place(vq->used_idx), vq->num);
    int ret = vdf_vq_part_check(space, "descriptor ring", vq->desc, vq->num * VDF_VQ_DESC_SIZE, 16,
                                true, err);
    if (ret)
        return ret;
    ret =
        vdf_vq_part_check(space, "driver event suppression", vq->driver, EVENT_SIZE, 4, false, err);
    if (ret)
        return ret;
    return vdf_vq_part_check(space, "device event suppression", vq->device, EVENT_SIZE, 4, true,
                             err);
}

/* --- available descriptors -------------------------------------------------------------------- */

/* 1: the descriptor at this index is available; 0; -EFAULT: it is not in memory. */
static int available(const struct vdf_space *space, const struct vdf_vq *vq, uint16_t index)
{
    bool avail, used;
    uint16_t flags;

    if (!vdf_space_load_le16(space, field(vq, place(index), FLAGS_AT), &flags))
        return -EFAULT;
    avail = flags & AVAIL;
    used = flags & USED;
    return avail == wrap_counter(index) && used != wrap_counter(index);
}

int vdf_vq_packed_pending(const struct vdf_space *space, const struct vdf_vq *vq,
                          struct vdf_err *err)
{
    int ret = available(space, vq, vq->last_avail);

    if (ret < 0)
        return vdf_fail(err, EFAULT, "descriptor ring at 0x%" PRIx64 ": not in memory", vq->desc);
    return ret;
}

uint16_t vdf_vq_packed_avail_idx(const struct vdf_space *space, const struct vdf_vq *vq)
{
    uint16_t index = vq->last_avail;

    for (unsigned i = 0; i < vq->num && available(space, vq, index) == 1; i++)
        index = forward(vq, index, 1);
    return index;
}

uint16_t vdf_vq_packed_next(const struct vdf_vq *vq)
{
    return (uint16_t)place(vq->last_avail);
}

void vdf_vq_packed_skip(struct vdf_vq *vq, const struct vdf_vq_chain *chain)
{
    vq->last_avail = forward(vq, vq->last_avail, chain->slots);
}

/* --- the descriptor walker -------------------------------------------------------------------- */

/* The last two fields are in the other order. */
static bool load_desc(const struct vdf_space *space, uint64_t table, uint32_t index,
                      struct vdf_vq_desc *desc)
{
    if (!vdf_vq_load_desc(space, table, index, desc))
        return false;
    desc->flags = desc->next;
    return true;
}

static int unreadable(uint64_t table, uint16_t head, struct vdf_err *err)
{
    return vdf_fail(err, EFAULT,
                    "chain of descriptor %u: descriptors at 0x%" PRIx64
                    " are not in memory the device can read",
                    head, table);
}

/* The number of places of the chain, also of one whose buffers cannot be used. */
static int extent(const struct vdf_space *space, const struct vdf_vq *vq, uint16_t head,
                  struct vdf_err *err)
{
    if (head >= vq->num)
        return vdf_fail(err, EPROTO, "chain of descriptor %u: the ring has %u", head, vq->num);
    for (unsigned n = 0; n < vq->num; n++) {
        uint16_t flags;

        if (!vdf_space_load_le16(space, field(vq, (head + n) % vq->num, FLAGS_AT), &flags))
            return unreadable(vq->desc, head, err);
        if (!(flags & VDF_VQ_DESC_NEXT))
            return (int)n + 1;
    }
    return vdf_fail(err, EPROTO, "chain of descriptor %u: longer than the queue's %u descriptors",
                    head, vq->num);
}

/* Section 2.8.7: in an indirect table WRITE is the only flag, and all descriptors are in
 * the chain. */
static int walk_table(const struct vdf_space *space, const struct vdf_vq *vq,
                      const struct vdf_vq_desc *table, struct vdf_vq_chain *chain,
                      struct vdf_err *err)
{
    if (!(vq->modes & VDF_VQ_INDIRECT))
        return vdf_fail(err, EPROTO,
                        "chain of descriptor %u: indirect, but VIRTIO_F_INDIRECT_DESC was not "
                        "negotiated",
                        chain->head);
    if (chain->slots != 1)
        return vdf_fail(
            err, EPROTO,
            "chain of descriptor %u: an indirect descriptor among %u has to be the only one",
            chain->head, chain->slots);
    int ret = vdf_vq_table_check(space, table, chain->head, err);
    for (uint32_t i = 0; !ret && i < table->len / VDF_VQ_DESC_SIZE; i++) {
        struct vdf_vq_desc desc;

        if (!load_desc(space, table->addr, i, &desc))
            return unreadable(table->addr, chain->head, err);
        ret = vdf_vq_add_segment(space, vq, &desc, chain, err);
    }
    return ret;
}

int vdf_vq_packed_walk(const struct vdf_space *space, const struct vdf_vq *vq, uint16_t head,
                       struct vdf_vq_chain *chain, struct vdf_err *err)
{
    int ret = extent(space, vq, head, err);

    vdf_vq_chain_begin(chain, ret < 0 ? VDF_VQ_SIZE_MAX : head);
    if (ret < 0)
        return ret;
    chain->slots = (uint16_t)ret;
    for (unsigned i = 0; i < chain->slots; i++) {
        struct vdf_vq_desc desc;

        if (!load_desc(space, vq->desc, (head + i) % vq->num, &desc))
            return unreadable(vq->desc, head, err);
        if (desc.flags & VDF_VQ_DESC_INDIRECT)
            return walk_table(space, vq, &desc, chain, err);
        ret = vdf_vq_add_segment(space, vq, &desc, chain, err);
        if (ret)
            return ret;
    }
    return 0;
}

/* --- notifications (2.8.14, 2.8.21) ----------------------------------------------------------- */

void vdf_vq_packed_want_kicks(const struct vdf_space *space, const struct vdf_vq *vq, bool wanted)
{
    uint32_t word = EVENT(wanted ? EVENT_ENABLE : EVENT_DISABLE, 0u);

    if (wanted && vq->modes & VDF_VQ_EVENT_IDX)
        word = EVENT(EVENT_DESC, vq->last_avail ^ VDF_VQ_ROUND);
    vdf_space_store_le32(space, vq->device, word);
}

/* Whether the driver wants an interrupt for the chain that was given back between these indices. */
static bool wants_interrupt(const struct vdf_space *space, const struct vdf_vq *vq, uint16_t before,
                            uint16_t now)
{
    uint32_t word;

    if (!vdf_space_load_le32(space, vq->driver, &word))
        return true;
    if (EVENT_FLAGS(word) == EVENT_DESC && vq->modes & VDF_VQ_EVENT_IDX)
        return distance(vq, before, (uint16_t)word ^ VDF_VQ_ROUND) < distance(vq, before, now);
    return EVENT_FLAGS(word) != EVENT_DISABLE;
}

/* --- chains out ------------------------------------------------------------------------------- */

int vdf_vq_packed_push(const struct vdf_space *space, struct vdf_vq *vq, uint32_t len,
                       bool *interrupt)
{
    uint16_t before = vq->used_idx;
    unsigned next = place(vq->last_avail), at = place(before);
    uint16_t flags =
        (uint16_t)((wrap_counter(before) ? AVAIL | USED : 0u) | (len ? VDF_VQ_DESC_WRITE : 0u));
    uint16_t id;

    /* Section 2.8.6: the buffer's id is that of the chain's last descriptor. The flags publish the
     * used descriptor. */
    if (!vdf_space_load_le16(space, field(vq, (next ? next : vq->num) - 1u, ID_AT), &id) ||
        !vdf_space_store_le16(space, field(vq, at, ID_AT), id) ||
        !vdf_space_store_le32(space, field(vq, at, LEN_AT), len) ||
        !vdf_space_store_le16(space, field(vq, at, FLAGS_AT), flags))
        return -EFAULT;
    vq->used_idx = vq->last_avail;
    /* The driver writes its wish and then reads the descriptor. So the descriptor has to be visible
     * before the wish is read (2.8.21.3.1). */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    *interrupt = wants_interrupt(space, vq, before, vq->used_idx);
    return 0;
}
