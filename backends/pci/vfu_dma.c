/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory of a vfio-user client: DMA_MAP, DMA_UNMAP, and accesses by messages.
 *
 * Devices use a list of regions that does not change. A command makes a new list, gives it to the
 * devices one after the other, and then frees the old list and the memory that is only in that. A
 * server that is stopped meanwhile keeps both until no device uses them.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "vfu_server.h"

#define LOGGED_PAGES (UINT64_C(1) << 28) /* at most; their bits have 32 MiB */
#define PAGES_AT_ONCE 4096u              /* of the log */

struct vdf_vfu_space {
    struct vdf_vfu_space *next;
    struct vdf_space space;
    struct vdf_region regions[];
};

/* --- by messages ------------------------------------------------------------------------------ */

static int refuse(struct vdf_vfu *vfu, const char *name, uint64_t address, size_t n,
                  const struct vdf_vfu_message *reply)
{
    if (reply->header.flags & VDF_VFU_ERROR)
        vdf_vfu_report(vfu, EIO, "%s of %zu bytes at 0x%" PRIx64 ": the client answers %s", name, n,
                       address, vdf_errno_name((int)reply->header.error));
    else
        vdf_vfu_report(vfu, EPROTO, "%s of %zu bytes at 0x%" PRIx64 ": the reply is of another",
                       name, n, address);
    return -EIO;
}

static int read_remote(void *ctx, uint64_t address, void *to, size_t n)
{
    struct vdf_vfu *vfu = ctx;
    const struct vdf_vfu_dma_access access = { address, n };
    struct vdf_vfu_dma_access is = { 0 };
    struct vdf_vfu_message *reply;
    int ret = vdf_vfu_ask(&vfu->link, VDF_VFU_DMA_READ, &access, sizeof(access), NULL, 0, &reply);

    if (ret < 0)
        return ret;
    if (reply->len == sizeof(is) + n)
        memcpy(&is, reply->payload, sizeof(is));
    if (reply->header.flags & VDF_VFU_ERROR || is.address != address || is.count != n)
        ret = refuse(vfu, "DMA_READ", address, n, reply);
    else
        memcpy(to, reply->payload + sizeof(is), n);
    vdf_vfu_message_free(&vfu->link, reply);
    return ret;
}

/* QEMU 10 replies without a payload. In the specification the reply's count has 4 bytes, in QEMU 11 it
 * has 8. */
static bool is_written(const struct vdf_vfu_message *reply, uint64_t address, size_t n)
{
    struct vdf_vfu_dma_access is = { 0 };

    if (reply->header.flags & VDF_VFU_ERROR)
        return false;
    memcpy(&is, reply->payload, reply->len < sizeof(is) ? reply->len : sizeof(is));
    return !reply->len || (is.address == address && (uint32_t)is.count == n);
}

static int write_remote(void *ctx, uint64_t address, const void *from, size_t n)
{
    struct vdf_vfu *vfu = ctx;
    const struct vdf_vfu_dma_access access = { address, n };
    struct vdf_vfu_message *reply;
    int ret = vdf_vfu_ask(&vfu->link, VDF_VFU_DMA_WRITE, &access, sizeof(access), from, n, &reply);

    if (ret < 0)
        return ret;
    if (!is_written(reply, address, n))
        ret = refuse(vfu, "DMA_WRITE", address, n, reply);
    vdf_vfu_message_free(&vfu->link, reply);
    return ret;
}

/* --- the devices' view ------------------------------------------------------------------------ */

static void free_mapping(struct vdf_vfu_mapping *mapping)
{
    vdf_import_close(&mapping->import);
    free((void *)mapping->dirty);
    free(mapping);
}

static void free_spaces(struct vdf_vfu_space *space)
{
    while (space) {
        struct vdf_vfu_space *next = space->next;

        free(space);
        space = next;
    }
}

static void free_retired(struct vdf_vfu_dma *dma)
{
    while (dma->retired) {
        struct vdf_vfu_mapping *mapping = dma->retired;

        dma->retired = mapping->next;
        free_mapping(mapping);
    }
}

/* Give the space to the devices, and free what no device uses then. */
static int settle(struct vdf_vfu *vfu, struct vdf_vfu_space *space)
{
    struct vdf_vfu_dma *dma = &vfu->dma;

    space->next = dma->spaces;
    dma->spaces = space;
    int ret = vdf_pci_set_space(vfu->pci, &space->space, &vfu->stop);
    if (ret < 0)
        return ret;
    free_spaces(space->next);
    space->next = NULL;
    free_retired(dma);
    return 0;
}

static struct vdf_region region_of(const struct vdf_vfu_dma *dma, struct vdf_vfu_mapping *mapping,
                                   bool logged)
{
    return (struct vdf_region){
        .addr = mapping->address,
        .len = mapping->size,
        .mem = mapping->import.map ? &mapping->import.mem : NULL,
        .remote = mapping->import.map ? NULL : &dma->remote,
        .dirty = logged ? mapping->dirty : NULL,
        .read_only = !mapping->writable,
    };
}

/* The space of all mappings but those from index @from to before @to, and @with at index @at. NULL: no
 * memory. */
static struct vdf_vfu_space *make_space(const struct vdf_vfu_dma *dma, unsigned at,
                                        struct vdf_vfu_mapping *with, unsigned from, unsigned to,
                                        bool logged)
{
    struct vdf_vfu_space *space =
        calloc(1, sizeof(*space) + (dma->n + 1) * sizeof(space->regions[0]));

    if (!space)
        return NULL;
    for (unsigned k = 0; k <= dma->n; k++) {
        if (with && k == at)
            space->regions[space->space.n++] = region_of(dma, with, logged);
        if (k < dma->n && (k < from || k >= to))
            space->regions[space->space.n++] = region_of(dma, dma->mappings[k], logged);
    }
    space->space.regions = space->regions;
    return space;
}

/* --- DMA_MAP ---------------------------------------------------------------------------------- */

static int check_map(const struct vdf_vfu_dma_map *in, bool has_fd, struct vdf_err *err)
{
    uint64_t end;

    if (in->flags & ~(VDF_VFU_DMA_READABLE | VDF_VFU_DMA_WRITABLE) || !in->flags)
        return vdf_fail(err, EINVAL, "flags 0x%x: 1, readable, or 2, writeable, or both",
                        in->flags);
    if ((in->address | in->size | in->offset) % VDF_VFU_PAGE || !in->size)
        return vdf_fail(err, EINVAL,
                        "0x%" PRIx64 " bytes at 0x%" PRIx64 ", offset 0x%" PRIx64
                        ": all are multiples of %u bytes, and there is at least one page",
                        in->size, in->address, in->offset, VDF_VFU_PAGE);
    if (__builtin_add_overflow(in->address, in->size - 1, &end))
        return vdf_fail(err, EINVAL, "0x%" PRIx64 " bytes at 0x%" PRIx64 ": beyond 64 bits",
                        in->size, in->address);
    if (!has_fd && in->offset)
        return vdf_fail(err, EINVAL, "offset 0x%" PRIx64 " without a descriptor", in->offset);
    return 0;
}

/* The index of the first mapping at @address or above. */
static unsigned position(const struct vdf_vfu_dma *dma, uint64_t address)
{
    unsigned low = 0, high = dma->n;

    while (low < high) {
        unsigned middle = (low + high) / 2;

        if (dma->mappings[middle]->address < address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Whether there is a place for the mapping; @at is its index. */
static int check_place(const struct vdf_vfu_dma *dma, const struct vdf_vfu_dma_map *in, unsigned at,
                       struct vdf_err *err)
{
    const struct vdf_vfu_mapping *before = at ? dma->mappings[at - 1] : NULL;
    const struct vdf_vfu_mapping *after = at < dma->n ? dma->mappings[at] : NULL;
    const struct vdf_vfu_mapping *other = NULL;

    if (before && in->address - before->address < before->size)
        other = before;
    if (after && after->address - in->address < in->size)
        other = after;
    if (other)
        return vdf_fail(err, EEXIST,
                        "0x%" PRIx64 " bytes at 0x%" PRIx64 " overlap 0x%" PRIx64
                        " bytes at 0x%" PRIx64,
                        in->size, in->address, other->size, other->address);
    if (dma->n == VDF_VFU_MAPS_MAX)
        return vdf_fail(err, ENOSPC, "there are %u regions, no more are possible",
                        VDF_VFU_MAPS_MAX);
    return 0;
}

static uint64_t logged_pages(const struct vdf_vfu_dma *dma)
{
    uint64_t pages = 0;

    for (unsigned k = 0; k < dma->n; k++)
        pages += dma->mappings[k]->size / VDF_VFU_PAGE;
    return pages;
}

static int make_log(struct vdf_vfu_mapping *mapping, uint64_t others, struct vdf_err *err)
{
    uint64_t pages = mapping->size / VDF_VFU_PAGE;

    if (others > LOGGED_PAGES || pages > LOGGED_PAGES - others)
        return vdf_fail(err, ENOSPC, "memory of more than %" PRIu64 " pages is not logged",
                        LOGGED_PAGES);
    mapping->dirty = calloc(VDF_DIRTY_WORDS(mapping->size), sizeof(*mapping->dirty));
    return mapping->dirty ? 0 : vdf_fail(err, ENOMEM, "no memory to log writes");
}

static int fill_mapping(const struct vdf_vfu_dma *dma, struct vdf_vfu_mapping *mapping,
                        const struct vdf_vfu_dma_map *in, const struct vdf_vfu_message *message,
                        struct vdf_err *err)
{
    int ret = 0;

    mapping->address = in->address;
    mapping->size = in->size;
    mapping->readable = in->flags & VDF_VFU_DMA_READABLE;
    mapping->writable = in->flags & VDF_VFU_DMA_WRITABLE;
    if (message->n_fds)
        ret = vdf_import_open(&mapping->import, message->fds[0], in->offset, in->size,
                              mapping->writable, err);
    if (ret == 0 && dma->logging)
        ret = make_log(mapping, logged_pages(dma), err);
    return ret;
}

static void insert(struct vdf_vfu *vfu, unsigned at, struct vdf_vfu_mapping *mapping)
{
    struct vdf_vfu_dma *dma = &vfu->dma;

    vdf_lock(&vfu->lock);
    memmove(&dma->mappings[at + 1], &dma->mappings[at], (dma->n - at) * sizeof(dma->mappings[0]));
    dma->mappings[at] = mapping;
    dma->n++;
    vdf_unlock(&vfu->lock);
    dma->remotes += !mapping->import.map;
    vdf_import_hang_up(&mapping->import, vfu->link.main.fd);
}

/* Before a device can use it. */
static void set_remote(struct vdf_vfu *vfu)
{
    if (vfu->dma.remotes)
        return;
    vfu->dma.remote = (struct vdf_remote_memory){
        .read = read_remote,
        .write = write_remote,
        .ctx = vfu,
        .most = vfu->peer.data,
    };
}

/* As after a write to a register, a device may access memory as soon as it is there: see
 * vdf_vfu_answers_first(). */
int vdf_vfu_dma_map(struct vdf_vfu *vfu, struct vdf_vfu_call *call, struct vdf_err *err)
{
    struct vdf_vfu_dma *dma = &vfu->dma;
    struct vdf_vfu_dma_map in;

    memcpy(&in, call->in->payload, sizeof(in));
    unsigned at = position(dma, in.address);
    int ret = check_map(&in, call->in->n_fds, err);
    if (ret == 0)
        ret = check_place(dma, &in, at, err);
    if (ret < 0)
        return ret;
    set_remote(vfu);
    struct vdf_vfu_mapping *mapping = calloc(1, sizeof(*mapping));
    if (!mapping)
        return vdf_fail(err, ENOMEM, "no memory for a region");
    ret = fill_mapping(dma, mapping, &in, call->in, err);
    struct vdf_vfu_space *space =
        ret == 0 ? make_space(dma, at, mapping, 0, 0, dma->logging) : NULL;
    if (!space) {
        free_mapping(mapping);
        return ret < 0 ? ret : vdf_fail(err, ENOMEM, "no memory for the list of regions");
    }
    insert(vfu, at, mapping);
    if (vdf_vfu_answers_first(vfu))
        vdf_vfu_answer(vfu, call);
    return settle(vfu, space);
}

/* --- DMA_UNMAP -------------------------------------------------------------------------------- */

/* The mapping leaves the list. */
static void retire(struct vdf_vfu *vfu, unsigned at)
{
    struct vdf_vfu_dma *dma = &vfu->dma;
    struct vdf_vfu_mapping *mapping = dma->mappings[at];

    dma->remotes -= !mapping->import.map;
    mapping->next = dma->retired;
    dma->retired = mapping;
    vdf_lock(&vfu->lock);
    dma->n--;
    memmove(&dma->mappings[at], &dma->mappings[at + 1], (dma->n - at) * sizeof(dma->mappings[0]));
    vdf_unlock(&vfu->lock);
}

/* All regions in the range go, as with the kernel's VFIO_IOMMU_UNMAP_DMA: with a vIOMMU, QEMU unmaps many
 * regions at once, and ranges where there is none. */
static int unmap_range(struct vdf_vfu *vfu, uint64_t address, uint64_t size, struct vdf_err *err)
{
    struct vdf_vfu_dma *dma = &vfu->dma;
    const struct vdf_vfu_mapping *cut = NULL;
    unsigned from = position(dma, address), to = from;
    uint64_t last;

    if (!size || __builtin_add_overflow(address, size - 1, &last))
        return vdf_fail(err, EINVAL,
                        "0x%" PRIx64 " bytes at 0x%" PRIx64 ": 1 to the end of 64 bits", size,
                        address);
    while (to < dma->n && dma->mappings[to]->address <= last)
        to++;
    if (from && address - dma->mappings[from - 1]->address < dma->mappings[from - 1]->size)
        cut = dma->mappings[from - 1];
    if (to > from && last - dma->mappings[to - 1]->address < dma->mappings[to - 1]->size - 1)
        cut = dma->mappings[to - 1];
    if (cut)
        return vdf_fail(err, ENOENT,
                        "0x%" PRIx64 " bytes at 0x%" PRIx64 " are only a part of 0x%" PRIx64
                        " bytes at 0x%" PRIx64,
                        size, address, cut->size, cut->address);
    if (from == to)
        return 0;
    struct vdf_vfu_space *space = make_space(dma, 0, NULL, from, to, dma->logging);
    if (!space)
        return vdf_fail(err, ENOMEM, "no memory for the list of regions");
    while (to > from)
        retire(vfu, --to);
    return settle(vfu, space);
}

int vdf_vfu_dma_unmap(struct vdf_vfu *vfu, struct vdf_vfu_call *call, struct vdf_err *err)
{
    struct vdf_vfu_dma_unmap in, *out;

    memcpy(&in, call->in->payload, sizeof(in));
    if (in.flags & ~VDF_VFU_UNMAP_ALL)
        return vdf_fail(err, EINVAL, "flags 0x%x: 0, or %u for all regions", in.flags,
                        VDF_VFU_UNMAP_ALL);
    if (in.flags && (in.address || in.size))
        return vdf_fail(err, EINVAL,
                        "all regions, with address 0x%" PRIx64 ", size 0x%" PRIx64
                        ": both are 0 then",
                        in.address, in.size);
    out = vdf_vfu_room(vfu, call, sizeof(*out));
    if (!out)
        return vdf_fail(err, ENOMEM, "no memory for the reply");
    *out = in;
    out->argsz = sizeof(*out);
    return in.flags ? vdf_vfu_dma_drop(vfu, &vfu->stop)
                    : unmap_range(vfu, in.address, in.size, err);
}

int vdf_vfu_dma_drop(struct vdf_vfu *vfu, const atomic_bool *stop)
{
    struct vdf_vfu_dma *dma = &vfu->dma;

    while (dma->n)
        retire(vfu, dma->n - 1);
    int ret = vdf_pci_set_space(vfu->pci, NULL, stop);
    if (ret < 0)
        return ret;
    free_spaces(dma->spaces);
    dma->spaces = NULL;
    free_retired(dma);
    return 0;
}

bool vdf_vfu_dma_lost(const struct vdf_vfu *vfu)
{
    for (unsigned k = 0; k < vfu->dma.n; k++)
        if (vdf_import_lost(&vfu->dma.mappings[k]->import))
            return true;
    return false;
}

void vdf_vfu_show_dma(const struct vdf_vfu *vfu, struct vdf_buf *out)
{
    vdf_lock((struct vdf_lock *)&vfu->lock);
    for (unsigned k = 0; k < vfu->dma.n; k++) {
        const struct vdf_vfu_mapping *mapping = vfu->dma.mappings[k];

        vdf_buf_printf(out, "%s0x%016" PRIx64 " 0x%016" PRIx64 " %c%c %s", k ? "\n" : "",
                       mapping->address, mapping->size, mapping->readable ? 'r' : '-',
                       mapping->writable ? 'w' : '-', mapping->import.map ? "mapped" : "messages");
    }
    vdf_unlock((struct vdf_lock *)&vfu->lock);
}

/* --- the log of written pages ----------------------------------------------------------------- */

static void free_logs(struct vdf_vfu_dma *dma)
{
    for (unsigned k = 0; k < dma->n; k++) {
        free((void *)dma->mappings[k]->dirty);
        dma->mappings[k]->dirty = NULL;
    }
}

int vdf_vfu_log_start(struct vdf_vfu *vfu, struct vdf_err *err)
{
    struct vdf_vfu_dma *dma = &vfu->dma;
    uint64_t others = 0;
    int ret = 0;

    for (unsigned k = 0; ret == 0 && k < dma->n; k++) {
        ret = make_log(dma->mappings[k], others, err);
        others += dma->mappings[k]->size / VDF_VFU_PAGE;
    }
    struct vdf_vfu_space *space = ret == 0 ? make_space(dma, 0, NULL, 0, 0, true) : NULL;
    if (!space) {
        free_logs(dma);
        return ret < 0 ? ret : vdf_fail(err, ENOMEM, "no memory to log writes");
    }
    ret = settle(vfu, space);
    dma->logging = ret == 0;
    return ret;
}

int vdf_vfu_log_stop(struct vdf_vfu *vfu, struct vdf_err *err)
{
    struct vdf_vfu_dma *dma = &vfu->dma;

    if (!dma->logging)
        return 0;
    struct vdf_vfu_space *space = make_space(dma, 0, NULL, 0, 0, false);
    if (!space)
        return vdf_fail(err, ENOMEM, "no memory for the list of regions");
    int ret = settle(vfu, space);
    if (ret < 0)
        return ret;
    free_logs(dma);
    dma->logging = false;
    return 0;
}

/* Set the bits of a page that begins @offset bytes behind the bitmap's first. */
static void set_bits(uint8_t *bitmap, uint64_t offset, uint64_t page_size)
{
    uint64_t n = page_size < VDF_VFU_PAGE ? VDF_VFU_PAGE / page_size : 1;

    for (uint64_t bit = offset / page_size; n; bit++, n--)
        bitmap[bit / 8] |= (uint8_t)(1u << bit % 8);
}

/* Take the pages from @address on, which lie in the region. */
static void take_pages(const struct vdf_region *region, uint64_t address, uint64_t size,
                       uint64_t base, uint64_t page_size, uint8_t *bitmap)
{
    uint8_t dirty[PAGES_AT_ONCE / 8];
    uint64_t first = (address - region->addr) / VDF_VFU_PAGE, n = size / VDF_VFU_PAGE;

    for (uint64_t done = 0; done < n; done += PAGES_AT_ONCE) {
        uint64_t part = n - done < PAGES_AT_ONCE ? n - done : PAGES_AT_ONCE;

        vdf_dirty_take(region, first + done, part, dirty);
        for (uint64_t k = 0; k < part; k++)
            if (dirty[k / 8] >> k % 8 & 1)
                set_bits(bitmap, address - base + (done + k) * VDF_VFU_PAGE, page_size);
    }
}

int vdf_vfu_log_take(struct vdf_vfu *vfu, uint64_t address, uint64_t size, uint64_t page_size,
                     uint8_t *bitmap, struct vdf_err *err)
{
    struct vdf_obj *obj = vfu->pci->priv.obj;
    const struct vdf_space *space = vfu->dma.spaces ? &vfu->dma.spaces->space : NULL;
    uint64_t last = address + size - 1;

    if (!vdf_obj_enter_exclusive(obj, &vfu->stop))
        return vdf_fail(err, ESHUTDOWN, "the function is no longer served");
    for (unsigned k = 0; space && k < space->n; k++) {
        const struct vdf_region *region = &space->regions[k];
        uint64_t from = region->addr > address ? region->addr : address;
        uint64_t to = region->addr + region->len - 1;

        if (to > last)
            to = last;
        if (region->dirty && from <= to)
            take_pages(region, from, to - from + 1, address, page_size, bitmap);
    }
    vdf_obj_leave_exclusive(obj, &vfu->stop);
    return 0;
}
