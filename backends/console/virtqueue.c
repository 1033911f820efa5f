/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The device's side of virtqueues: split rings, the descriptor walker, copies. See virtqueue.h. */
#include "virtqueue.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "virtqueue_ring.h"

/* Layout of the rings, section 2.7.6 and 2.7.8. */
#define AVAIL_FLAGS 0u
#define AVAIL_IDX 2u
#define AVAIL_RING 4u
#define USED_FLAGS 0u
#define USED_IDX 2u
#define USED_RING 4u
#define USED_ELEM 8u

bool vdf_vq_load_desc(const struct vdf_space *space, uint64_t table, uint32_t index,
                      struct vdf_vq_desc *desc)
{
    uint64_t at;

    if (__builtin_add_overflow(table, (uint64_t)index * VDF_VQ_DESC_SIZE, &at))
        return false;
    if (!vdf_space_copy_in(space, at, desc, sizeof(*desc)))
        return false;
    desc->addr = le64toh(desc->addr);
    desc->len = le32toh(desc->len);
    desc->flags = le16toh(desc->flags);
    desc->next = le16toh(desc->next);
    return true;
}

int vdf_vq_part_check(const struct vdf_space *space, const char *what, uint64_t addr, uint64_t len,
                      unsigned align, bool write, struct vdf_err *err)
{
    if (addr % align)
        return vdf_fail(err, EINVAL, "%s at 0x%" PRIx64 ": has to be aligned to %u bytes", what,
                        addr, align);
    if (!vdf_space_has(space, addr, len, write))
        return vdf_fail(err, EFAULT,
                        "%s at 0x%" PRIx64 ", %" PRIu64
                        " bytes: not in memory the device can reach",
                        what, addr, len);
    return 0;
}

bool vdf_vq_size_possible(uint32_t num, unsigned max, uint8_t modes)
{
    return num <= max && (modes & VDF_VQ_PACKED || !(num & (num - 1)));
}

int vdf_vq_check(const struct vdf_space *space, const struct vdf_vq *vq, struct vdf_err *err)
{
    unsigned event = vq->modes & VDF_VQ_EVENT_IDX ? 2 : 0;

    if (vq->modes & VDF_VQ_PACKED)
        return vdf_vq_packed_check(space, vq, err);
    if (!vq->num || !vdf_vq_size_possible(vq->num, VDF_VQ_SIZE_MAX, vq->modes))
        return vdf_fail(err, EINVAL, "queue size %u: a power of two up to %u is needed", vq->num,
                        VDF_VQ_SIZE_MAX);
    int ret = vdf_vq_part_check(space, "descriptor table", vq->desc, vq->num * VDF_VQ_DESC_SIZE, 16,
                                false, err);
    if (ret)
        return ret;
    ret = vdf_vq_part_check(space, "available ring", vq->driver, AVAIL_RING + vq->num * 2u + event,
                            2, false, err);
    if (ret)
        return ret;
    return vdf_vq_part_check(space, "used ring", vq->device,
                             USED_RING + vq->num * USED_ELEM + event, 4, true, err);
}

uint16_t vdf_vq_avail_idx(const struct vdf_space *space, const struct vdf_vq *vq)
{
    uint16_t idx;

    if (vq->modes & VDF_VQ_PACKED)
        return vdf_vq_packed_avail_idx(space, vq);
    return vdf_space_load_le16(space, vq->driver + AVAIL_IDX, &idx) ? idx : 0;
}

uint16_t vdf_vq_used_idx(const struct vdf_space *space, const struct vdf_vq *vq)
{
    uint16_t idx;

    return vdf_space_load_le16(space, vq->device + USED_IDX, &idx) ? idx : 0;
}

void vdf_vq_skip(struct vdf_vq *vq, const struct vdf_vq_chain *chain)
{
    if (vq->modes & VDF_VQ_PACKED)
        vdf_vq_packed_skip(vq, chain);
    else
        vq->last_avail++;
}

int vdf_vq_pending(const struct vdf_space *space, const struct vdf_vq *vq, struct vdf_err *err)
{
    uint16_t idx, n;

    if (vq->modes & VDF_VQ_PACKED)
        return vdf_vq_packed_pending(space, vq, err);
    if (!vdf_space_load_le16(space, vq->driver + AVAIL_IDX, &idx))
        return vdf_fail(err, EFAULT, "available ring at 0x%" PRIx64 ": not in memory", vq->driver);
    n = (uint16_t)(idx - vq->last_avail);
    if (n > vq->num)
        return vdf_fail(err, EPROTO,
                        "available index %u: at most %u entries may follow %u in a queue of that "
                        "size",
                        idx, vq->num, vq->last_avail);
    return n;
}

int vdf_vq_add_segment(const struct vdf_space *space, const struct vdf_vq *vq,
                       const struct vdf_vq_desc *desc, struct vdf_vq_chain *chain,
                       struct vdf_err *err)
{
    bool write = desc->flags & VDF_VQ_DESC_WRITE;

    if (chain->n == vq->num)
        return vdf_fail(err, EPROTO,
                        "chain of descriptor %u: longer than the queue's %u descriptors, or a loop",
                        chain->head, vq->num);
    if (!desc->len)
        return vdf_fail(err, EPROTO, "chain of descriptor %u: a buffer of no bytes", chain->head);
    if (!write && chain->n > chain->n_out)
        return vdf_fail(err, EPROTO,
                        "chain of descriptor %u: device-readable buffers have to come before "
                        "device-writable ones (2.7.4.2)",
                        chain->head);
    if (!vdf_space_has(space, desc->addr, desc->len, write))
        return vdf_fail(err, EFAULT,
                        "chain of descriptor %u: buffer at 0x%" PRIx64 ", %u bytes, is not in "
                        "memory the device can %s",
                        chain->head, desc->addr, desc->len, write ? "write" : "read");
    chain->seg[chain->n++] = (struct vdf_vq_seg){ .addr = desc->addr, .len = desc->len };
    if (write) {
        chain->in_len += desc->len;
    } else {
        chain->n_out = chain->n;
        chain->out_len += desc->len;
    }
    return 0;
}

int vdf_vq_table_check(const struct vdf_space *space, const struct vdf_vq_desc *desc, uint16_t head,
                       struct vdf_err *err)
{
    if (!desc->len || desc->len % VDF_VQ_DESC_SIZE)
        return vdf_fail(err, EPROTO,
                        "chain of descriptor %u: indirect table of %u bytes, a multiple of 16 is "
                        "needed",
                        head, desc->len);
    if (!vdf_space_has(space, desc->addr, desc->len, false))
        return vdf_fail(err, EFAULT,
                        "chain of descriptor %u: indirect table at 0x%" PRIx64
                        ", %u bytes, is not in memory the device can read",
                        head, desc->addr, desc->len);
    return 0;
}

void vdf_vq_chain_begin(struct vdf_vq_chain *chain, uint16_t head)
{
    chain->head = head;
    chain->slots = 1;
    chain->n = 0;
    chain->n_out = 0;
    chain->out_len = 0;
    chain->in_len = 0;
}

int vdf_vq_walk(const struct vdf_space *space, const struct vdf_vq *vq, uint16_t head,
                struct vdf_vq_chain *chain, struct vdf_err *err)
{
    uint64_t table = vq->desc;
    uint32_t entries = vq->num;
    uint32_t index = head;
    bool in_table = false;
    struct vdf_vq_desc desc;
    int ret;

    if (vq->modes & VDF_VQ_PACKED)
        return vdf_vq_packed_walk(space, vq, head, chain, err);
    vdf_vq_chain_begin(chain, head);
    for (;;) {
        if (index >= entries)
            return vdf_fail(err, EPROTO,
                            "chain of descriptor %u: next is %u, the table has %u entries", head,
                            index, entries);
        if (!vdf_vq_load_desc(space, table, index, &desc))
            return vdf_fail(err, EFAULT,
                            "chain of descriptor %u: descriptor table at 0x%" PRIx64
                            " is not in memory the device can read",
                            head, table);

        if (desc.flags & VDF_VQ_DESC_INDIRECT) {
            if (!(vq->modes & VDF_VQ_INDIRECT))
                return vdf_fail(err, EPROTO,
                                "chain of descriptor %u: indirect, but VIRTIO_F_INDIRECT_DESC was "
                                "not negotiated",
                                head);
            /* 2.7.5.3.1: there is no table in a table, and no descriptor after a table. */
            if (in_table)
                return vdf_fail(err, EPROTO, "chain of descriptor %u: nested indirect tables",
                                head);
            if (desc.flags & VDF_VQ_DESC_NEXT)
                return vdf_fail(err, EPROTO,
                                "chain of descriptor %u: an indirect descriptor has no next", head);
            ret = vdf_vq_table_check(space, &desc, head, err);
            if (ret)
                return ret;
            in_table = true;
            table = desc.addr;
            entries = desc.len / VDF_VQ_DESC_SIZE;
            index = 0;
            continue;
        }

        ret = vdf_vq_add_segment(space, vq, &desc, chain, err);
        if (ret)
            return ret;
        if (!(desc.flags & VDF_VQ_DESC_NEXT))
            return 0;
        index = desc.next;
    }
}

/* --- notifications (2.7.7, 2.7.10) ------------------------------------------------------------ */

/* The words after the rings with EVENT_IDX: the index of the entry of which each side wants to be
 * notified. */
static uint64_t used_event(const struct vdf_vq *vq)
{
    return vq->driver + AVAIL_RING + vq->num * 2u;
}

static uint64_t avail_event(const struct vdf_vq *vq)
{
    return vq->device + USED_RING + vq->num * USED_ELEM;
}

void vdf_vq_want_kicks(const struct vdf_space *space, struct vdf_vq *vq, bool wanted)
{
    vq->quiet = !wanted;
    if (vq->modes & VDF_VQ_PACKED)
        vdf_vq_packed_want_kicks(space, vq, wanted);
    else if (!(vq->modes & VDF_VQ_EVENT_IDX))
        vdf_space_store_le16(space, vq->device + USED_FLAGS, wanted ? 0 : VDF_VQ_USED_NO_NOTIFY);
    else if (wanted)
        vdf_space_store_le16(space, avail_event(vq), vq->last_avail);
    /* The driver makes a chain available and then reads the word. A look at the queue after this
     * fence finds a chain of which the driver did not notify. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void vdf_vq_start(const struct vdf_space *space, struct vdf_vq *vq, uint8_t modes)
{
    vq->modes = modes;
    vq->broken = false;
    vdf_vq_want_kicks(space, vq, true);
}

/* Whether the driver wants an interrupt for the entry that was filled last. */
static bool wants_interrupt(const struct vdf_space *space, const struct vdf_vq *vq)
{
    bool event = vq->modes & VDF_VQ_EVENT_IDX;
    uint16_t word;

    if (!vdf_space_load_le16(space, event ? used_event(vq) : vq->driver + AVAIL_FLAGS, &word))
        return true;
    return event ? word == (uint16_t)(vq->used_idx - 1u) : !(word & VDF_VQ_AVAIL_NO_INTERRUPT);
}

/* --- chains in and out ------------------------------------------------------------------------ */

/* The first descriptor of the next chain. */
static int next_head(const struct vdf_space *space, const struct vdf_vq *vq, uint16_t *head,
                     struct vdf_err *err)
{
    unsigned entry = vq->last_avail & (vq->num - 1u);

    if (vq->modes & VDF_VQ_PACKED) {
        *head = vdf_vq_packed_next(vq);
        return 0;
    }
    if (!vdf_space_load_le16(space, vq->driver + AVAIL_RING + entry * 2u, head))
        return vdf_fail(err, EFAULT, "available ring at 0x%" PRIx64 ": not in memory", vq->driver);
    if (*head >= vq->num)
        return vdf_fail(err, EPROTO, "available entry %u names descriptor %u of %u", entry, *head,
                        vq->num);
    return 0;
}

bool vdf_vq_next_is(const struct vdf_space *space, const struct vdf_vq *vq, uint16_t head)
{
    uint16_t next;

    return vdf_vq_pending(space, vq, NULL) > 0 && !next_head(space, vq, &next, NULL) &&
           next == head;
}

int vdf_vq_pop(const struct vdf_space *space, struct vdf_vq *vq, struct vdf_vq_chain *chain,
               struct vdf_err *err)
{
    uint16_t head = 0;

    vdf_vq_chain_begin(chain, VDF_VQ_SIZE_MAX);
    int ret = vdf_vq_pending(space, vq, err);
    if (ret <= 0)
        return ret ? ret : -EAGAIN;
    ret = next_head(space, vq, &head, err);
    if (ret < 0)
        return ret;
    ret = vdf_vq_walk(space, vq, head, chain, err);
    if (chain->head >= VDF_VQ_SIZE_MAX)
        return ret;
    vdf_vq_skip(vq, chain);
    /* The event index moves with each chain that is taken. The flag does not change. */
    if (vq->modes & VDF_VQ_EVENT_IDX && !vq->quiet)
        vdf_vq_want_kicks(space, vq, true);
    return ret;
}

int vdf_vq_push(const struct vdf_space *space, struct vdf_vq *vq, uint16_t head, uint32_t len,
                bool *interrupt)
{
    uint64_t entry = USED_RING + (vq->used_idx & (vq->num - 1u)) * USED_ELEM;
    const uint32_t used[] = { htole32(head), htole32(len) };

    if (vq->modes & VDF_VQ_PACKED)
        return vdf_vq_packed_push(space, vq, len, interrupt);
    /* The index publishes the entry. */
    if (!vdf_space_copy_out(space, vq->device + entry, used, sizeof(used)) ||
        !vdf_space_store_le16(space, vq->device + USED_IDX, (uint16_t)(vq->used_idx + 1u)))
        return -EFAULT;
    vq->used_idx++;
    /* The driver writes its wish and then reads the index. So the index has to be visible before
     * the wish is read (2.7.7.2). */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    *interrupt = wants_interrupt(space, vq);
    return 0;
}

size_t vdf_vq_copy_in(const struct vdf_space *space, const struct vdf_vq_chain *chain,
                      uint64_t offset, void *to, size_t n)
{
    size_t done = 0;

    for (unsigned i = 0; i < chain->n_out && done < n; i++) {
        const struct vdf_vq_seg *seg = &chain->seg[i];
        size_t part;

        if (offset >= seg->len) {
            offset -= seg->len;
            continue;
        }
        part = seg->len - (size_t)offset;
        if (part > n - done)
            part = n - done;
        if (!vdf_space_copy_in(space, seg->addr + offset, (uint8_t *)to + done, part))
            break;
        done += part;
        offset = 0;
    }
    return done;
}

size_t vdf_vq_copy_out(const struct vdf_space *space, const struct vdf_vq_chain *chain,
                       const void *from, size_t n)
{
    size_t done = 0;

    for (unsigned i = chain->n_out; i < chain->n && done < n; i++) {
        const struct vdf_vq_seg *seg = &chain->seg[i];
        size_t part = seg->len < n - done ? seg->len : n - done;

        if (!vdf_space_copy_out(space, seg->addr, (const uint8_t *)from + done, part))
            break;
        done += part;
    }
    return done;
}
