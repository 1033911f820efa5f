/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The commands of a vfio-user client. See vfu_server.h. */
#include <errno.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vfu_server.h"

#define ROOM_KEPT 65536u /* bytes of room for replies between two commands */
#define DOORBELLS VDF_SOCKET_SEND_FDS

struct request {
    const char *name;
    vdf_vfu_request *handle;
    uint32_t size;    /* bytes of payload, or more */
    unsigned max_fds; /* that may come along */
    /* The payload begins with argsz, which is at least this. The reply then has a payload of its own,
     * or argsz is the size of the command's. */
    uint32_t argsz;
};

/* --- device and regions ----------------------------------------------------------------------- */

static int device_info(struct vdf_vfu *vfu, struct vdf_vfu_call *call, struct vdf_err *err)
{
    struct vdf_vfu_device_info in, *out;

    memcpy(&in, call->in->payload, sizeof(in));
    if (in.flags || in.regions || in.irqs)
        return vdf_fail(err, EINVAL, "flags 0x%x, %u, %u: all but argsz are 0", in.flags,
                        in.regions, in.irqs);
    out = vdf_vfu_room(vfu, call, sizeof(*out));
    if (!out)
        return vdf_fail(err, ENOMEM, "no memory for the reply");
    out->argsz = sizeof(*out);
    out->flags = VFIO_DEVICE_FLAGS_RESET | VFIO_DEVICE_FLAGS_PCI;
    out->regions = VDF_PCI_REGIONS;
    out->irqs = VDF_PCI_IRQS;
    return 0;
}

static int check_region(uint32_t index, struct vdf_err *err)
{
    return index < VDF_PCI_REGIONS
               ? 0
               : vdf_fail(err, EINVAL, "region %u: they are 0 to %u", index, VDF_PCI_REGIONS - 1);
}

static void fill_sparse(struct vdf_vfu_sparse *sparse, uint64_t size)
{
    *sparse = (struct vdf_vfu_sparse){
        .id = VFIO_REGION_INFO_CAP_SPARSE_MMAP,
        .version = 1,
        .areas = 1,
        .size = size,
    };
}

/* A region can be mapped from its start on, for as long as its memory is. The capability is left out
 * where argsz has no room for it, and so is its flag, which QEMU takes for the capability. */
static int region_info(struct vdf_vfu *vfu, struct vdf_vfu_call *call, struct vdf_err *err)
{
    struct vdf_vfu_region_info in, *out;
    struct vdf_pci_region region;

    memcpy(&in, call->in->payload, sizeof(in));
    int ret = check_region(in.index, err);
    if (ret < 0)
        return ret;
    if (in.flags || in.cap_offset || in.size || in.offset)
        return vdf_fail(err, EINVAL, "region %u: all but argsz and the index are 0", in.index);
    ret = vdf_pci_region(vfu->pci, in.index, &region, &vfu->stop);
    if (ret < 0)
        return vdf_fail(err, -ret, "region %u: %s", in.index, strerror(-ret));
    call->sent_fd = region.fd;
    bool map = region.fd >= 0 && vfu->peer.fds;
    bool sparse = map && region.maps < region.size;
    uint32_t needed = sizeof(*out) + (sparse ? (uint32_t)sizeof(struct vdf_vfu_sparse) : 0);
    sparse = sparse && in.argsz >= needed;
    out = vdf_vfu_room(vfu, call, sparse ? needed : sizeof(*out));
    if (!out)
        return vdf_fail(err, ENOMEM, "no memory for the reply");
    *out = (struct vdf_vfu_region_info){
        .argsz = needed,
        .flags = (region.size ? VFIO_REGION_INFO_FLAG_READ : 0) |
                 (region.writable ? VFIO_REGION_INFO_FLAG_WRITE : 0) |
                 (map ? VFIO_REGION_INFO_FLAG_MMAP : 0) | (sparse ? VFIO_REGION_INFO_FLAG_CAPS : 0),
        .index = in.index,
        .cap_offset = sparse ? sizeof(*out) : 0,
        .size = region.size,
    };
    if (sparse)
        fill_sparse((struct vdf_vfu_sparse *)(out + 1), region.maps);
    if (map)
        call->fds[call->n_fds++] = region.fd;
    return 0;
}

/* A client that takes few descriptors in a message hears of few doorbells; the others trap. */
static int region_io_fds(struct vdf_vfu *vfu, struct vdf_vfu_call *call, struct vdf_err *err)
{
    struct vdf_vfu_io_fds in, *out;
    struct vdf_guest_doorbell doorbells[DOORBELLS];
    int fds[DOORBELLS];

    memcpy(&in, call->in->payload, sizeof(in));
    int ret = check_region(in.index, err);
    if (ret < 0)
        return ret;
    if (in.flags || in.count)
        return vdf_fail(err, EINVAL, "flags 0x%x, count %u: both are 0", in.flags, in.count);
    unsigned n = vdf_pci_doorbells(vfu->pci, in.index, doorbells, fds, vfu->peer.fds);
    uint32_t needed = (uint32_t)(sizeof(*out) + n * sizeof(struct vdf_vfu_ioeventfd));
    bool fits = in.argsz >= needed;
    out = vdf_vfu_room(vfu, call, fits ? needed : sizeof(*out));
    if (!out)
        return vdf_fail(err, ENOMEM, "no memory for the reply");
    *out = (struct vdf_vfu_io_fds){ .argsz = needed, .index = in.index, .count = n };
    bool port = in.index < VDF_PCI_BARS && vdf_pci_bar_kind(vfu->pci, in.index) == VDF_PCI_IO;
    for (unsigned k = 0; fits && k < n; k++) {
        ((struct vdf_vfu_ioeventfd *)(out + 1))[k] = (struct vdf_vfu_ioeventfd){
            .offset = doorbells[k].offset,
            .size = doorbells[k].width,
            .fd_index = k,
            .type = VDF_VFU_IOEVENTFD,
            .flags = KVM_IOEVENTFD_FLAG_DATAMATCH | (port ? KVM_IOEVENTFD_FLAG_PIO : 0),
            .datamatch = doorbells[k].data,
        };
        call->fds[call->n_fds++] = fds[k];
    }
    return 0;
}

/* --- accesses --------------------------------------------------------------------------------- */

/* Where migration data is read or written, the function does not change. */
static int check_writable(const struct vdf_vfu *vfu, struct vdf_err *err)
{
    switch (vfu->migration.state) {
    case VDF_VFU_STATE_RUNNING:
    case VDF_VFU_STATE_PRE_COPY:
    case VDF_VFU_STATE_STOP:
        return 0;
    default:
        return vdf_fail(err, EBUSY, "the function is in migration state %u", vfu->migration.state);
    }
}

static int check_access(const struct vdf_vfu *vfu, uint32_t region, uint64_t offset, uint32_t count,
                        struct vdf_err *err)
{
    int ret = check_region(region, err);

    if (ret < 0)
        return ret;
    uint64_t size = vdf_pci_region_size(vfu->pci, region);
    if (count > VDF_VFU_DATA_MAX || offset > size || count > size - offset)
        return vdf_fail(err, EINVAL,
                        "%u bytes at 0x%" PRIx64 " of region %u: it has 0x%" PRIx64
                        " bytes, and a message transfers at most %u",
                        count, offset, region, size, VDF_VFU_DATA_MAX);
    return 0;
}

static int region_read(struct vdf_vfu *vfu, struct vdf_vfu_call *call, struct vdf_err *err)
{
    struct vdf_vfu_region_access in, *out;

    memcpy(&in, call->in->payload, sizeof(in));
    int ret = check_access(vfu, in.region, in.offset, in.count, err);
    if (ret < 0)
        return ret;
    out = vdf_vfu_room(vfu, call, sizeof(*out) + in.count);
    if (!out)
        return vdf_fail(err, ENOMEM, "no memory for %u bytes", in.count);
    *out = in;
    return in.count
               ? vdf_pci_read(vfu->pci, in.region, in.offset, out + 1, in.count, &vfu->stop, err)
               : 0;
}

/* Stock QEMU serves no command while it waits for a reply. So where memory is accessed by commands on
 * the same socket, a device's reaction to a write comes after the reply. */
bool vdf_vfu_answers_first(const struct vdf_vfu *vfu)
{
    return vfu->dma.remotes && vfu->link.twin.fd < 0;
}

static int region_write(struct vdf_vfu *vfu, struct vdf_vfu_call *call, struct vdf_err *err)
{
    struct vdf_vfu_region_access in, *out;

    memcpy(&in, call->in->payload, sizeof(in));
    if (call->in->len - sizeof(in) != in.count)
        return vdf_fail(err, EINVAL, "a write of %u bytes with %zu bytes of data", in.count,
                        call->in->len - sizeof(in));
    int ret = check_access(vfu, in.region, in.offset, in.count, err);
    if (ret == 0)
        ret = check_writable(vfu, err);
    if (ret < 0)
        return ret;
    out = vdf_vfu_room(vfu, call, sizeof(*out));
    if (!out)
        return vdf_fail(err, ENOMEM, "no memory for the reply");
    *out = in;
    if (vdf_vfu_answers_first(vfu))
        vdf_vfu_answer(vfu, call);
    return in.count ? vdf_pci_write(vfu->pci, in.region, in.offset, call->in->payload + sizeof(in),
                                    in.count, &vfu->stop, err)
                    : 0;
}

static void get_write(const struct vdf_vfu_call *call, uint64_t n, struct vdf_vfu_write_one *one)
{
    memcpy(one, call->in->payload + sizeof(uint64_t) + n * sizeof(*one), sizeof(*one));
}

static int check_writes(const struct vdf_vfu *vfu, const struct vdf_vfu_call *call, uint64_t n,
                        struct vdf_err *err)
{
    struct vdf_vfu_write_one one;
    size_t len = call->in->len - sizeof(n);

    if (n > len / sizeof(one) || n * sizeof(one) != len)
        return vdf_fail(err, EINVAL, "%" PRIu64 " writes in %zu bytes: one has %zu", n, len,
                        sizeof(one));
    int ret = check_writable(vfu, err);
    for (uint64_t k = 0; ret == 0 && k < n; k++) {
        get_write(call, k, &one);
        ret = one.count > sizeof(one.data)
                  ? vdf_fail(err, EINVAL, "write %" PRIu64 " has %u bytes: at most %zu", k,
                             one.count, sizeof(one.data))
                  : check_access(vfu, one.region, one.offset, one.count, err);
    }
    return ret;
}

/* A write that a device refuses is the end; the reply counts those before it. */
static int region_write_multi(struct vdf_vfu *vfu, struct vdf_vfu_call *call, struct vdf_err *err)
{
    struct vdf_vfu_write_one one;
    uint64_t n, done, *out;

    memcpy(&n, call->in->payload, sizeof(n));
    int ret = check_writes(vfu, call, n, err);
    if (ret < 0)
        return ret;
    out = vdf_vfu_room(vfu, call, sizeof(*out));
    if (!out)
        return vdf_fail(err, ENOMEM, "no memory for the reply");
    *out = n;
    if (vdf_vfu_answers_first(vfu))
        vdf_vfu_answer(vfu, call);
    for (done = 0; ret == 0 && done < n; done++) {
        get_write(call, done, &one);
        if (one.count)
            ret = vdf_pci_write(vfu->pci, one.region, one.offset, one.data, one.count, &vfu->stop,
                                err);
    }
    if (ret == 0 || done <= 1 || call->answered)
        return ret;
    *out = done - 1;
    vdf_vfu_report(vfu, -ret, "REGION_WRITE_MULTI, write %" PRIu64 ": %s", done - 1, err->text);
    return 0;
}

/* --- the table -------------------------------------------------------------------------------- */

static int device_reset(struct vdf_vfu *vfu, struct vdf_vfu_call *call, struct vdf_err *err)
{
    return vdf_vfu_reset(vfu, err);
}

static int dirty_pages(struct vdf_vfu *vfu, struct vdf_vfu_call *call, struct vdf_err *err)
{
    return vdf_fail(err, EOPNOTSUPP, "a command of drafts; DEVICE_FEATURE has DMA_LOGGING_REPORT");
}

static int wrong_way(struct vdf_vfu *vfu, struct vdf_vfu_call *call, struct vdf_err *err)
{
    return vdf_fail(err, EINVAL, "a command of servers, which no client sends");
}

#define ROW(command, function, ...) \
    [VDF_VFU_##command] = { .name = #command, .handle = (function), __VA_ARGS__ }
#define SIZE(type) .size = sizeof(struct type)
#define ARGSZ(type) .size = sizeof(struct type), .argsz = sizeof(struct type)

static const struct request requests[] = {
    ROW(VERSION, vdf_vfu_negotiate, SIZE(vdf_vfu_version)),
    ROW(DMA_MAP, vdf_vfu_dma_map, ARGSZ(vdf_vfu_dma_map), .max_fds = 1),
    ROW(DMA_UNMAP, vdf_vfu_dma_unmap, ARGSZ(vdf_vfu_dma_unmap)),
    ROW(DEVICE_GET_INFO, device_info, ARGSZ(vdf_vfu_device_info)),
    ROW(DEVICE_GET_REGION_INFO, region_info, ARGSZ(vdf_vfu_region_info)),
    ROW(DEVICE_GET_REGION_IO_FDS, region_io_fds, ARGSZ(vdf_vfu_io_fds)),
    ROW(DEVICE_GET_IRQ_INFO, vdf_vfu_irq_info, ARGSZ(vdf_vfu_irq_info)),
    ROW(DEVICE_SET_IRQS, vdf_vfu_irq_set, ARGSZ(vdf_vfu_irq_set), .max_fds = VDF_VFU_FDS_MAX),
    ROW(REGION_READ, region_read, SIZE(vdf_vfu_region_access)),
    ROW(REGION_WRITE, region_write, SIZE(vdf_vfu_region_access)),
    ROW(DMA_READ, wrong_way),
    ROW(DMA_WRITE, wrong_way),
    ROW(DEVICE_RESET, device_reset),
    ROW(DIRTY_PAGES, dirty_pages),
    ROW(REGION_WRITE_MULTI, region_write_multi, .size = sizeof(uint64_t)),
    ROW(DEVICE_FEATURE, vdf_vfu_feature, ARGSZ(vdf_vfu_feature)),
    ROW(MIG_DATA_READ, vdf_vfu_mig_read, ARGSZ(vdf_vfu_mig_data)),
    ROW(MIG_DATA_WRITE, vdf_vfu_mig_write, ARGSZ(vdf_vfu_mig_data)),
};

static const struct request *find(uint16_t command)
{
    const struct request *request =
        command < sizeof(requests) / sizeof(requests[0]) ? &requests[command] : NULL;

    return request && request->name ? request : NULL;
}

const char *vdf_vfu_command_name(uint16_t command)
{
    const struct request *request = find(command);

    return request ? request->name : "unknown command";
}

/* --- carrying out ----------------------------------------------------------------------------- */

void *vdf_vfu_room(struct vdf_vfu *vfu, struct vdf_vfu_call *call, size_t len)
{
    if (len > vfu->reply_room) {
        uint8_t *room = realloc(vfu->reply, len);
        if (!room)
            return NULL;
        vfu->reply = room;
        vfu->reply_room = len;
    }
    memset(vfu->reply, 0, len);
    call->out = vfu->reply;
    call->len = len;
    return call->out;
}

static void reply(struct vdf_vfu *vfu, struct vdf_vfu_call *call, int error)
{
    call->answered = true;
    if (call->in->header.flags & VDF_VFU_NO_REPLY)
        return;
    if (error)
        vdf_vfu_reply(&vfu->link, &call->in->header, error, NULL, 0, NULL, 0);
    else
        vdf_vfu_reply(&vfu->link, &call->in->header, 0, call->out, call->len, call->fds,
                      call->n_fds);
}

void vdf_vfu_answer(struct vdf_vfu *vfu, struct vdf_vfu_call *call)
{
    reply(vfu, call, 0);
}

/* Whether the row allows the message. */
static int check(const struct vdf_vfu *vfu, const struct vdf_vfu_message *message,
                 struct vdf_err *err)
{
    const struct request *request = find(message->header.command);
    uint32_t argsz;

    if (!request)
        return vdf_fail(err, EINVAL, "command %u is unknown", message->header.command);
    if (!vfu->peer.negotiated && request->handle != vdf_vfu_negotiate)
        return vdf_fail(err, EINVAL, "VERSION comes first");
    if (message->lost_fds || message->n_fds > request->max_fds)
        return vdf_fail(err, EINVAL, "%s descriptors: %u may come along",
                        message->lost_fds ? "too many" : "unexpected", request->max_fds);
    if (message->len < request->size)
        return vdf_fail(err, EINVAL, "%u bytes behind the header: %u are needed", message->len,
                        request->size);
    memcpy(&argsz, message->payload, request->argsz ? sizeof(argsz) : 0);
    if (request->argsz && argsz < request->argsz)
        return vdf_fail(err, EINVAL, "argsz %u: at least %u", argsz, request->argsz);
    return 0;
}

void vdf_vfu_handle(struct vdf_vfu *vfu, const struct vdf_vfu_message *message)
{
    uint16_t command = message->header.command;
    struct vdf_vfu_call call = { .in = message, .sent_fd = -1 };
    struct vdf_err err = { 0 };
    int ret = check(vfu, message, &err);

    if (ret == 0)
        ret = requests[command].handle(vfu, &call, &err);
    if (ret < 0 && !atomic_load(&vfu->stop))
        vdf_vfu_report(vfu, -ret, "%s: %s", vdf_vfu_command_name(command),
                       err.text[0] ? err.text : strerrordesc_np(-ret));
    if (!call.answered)
        reply(vfu, &call, -ret);
    if (call.sent_fd >= 0)
        close(call.sent_fd);
    if (call.last)
        vdf_vfu_hang_up(&vfu->link, NULL);
    if (vfu->reply_room > ROOM_KEPT) {
        free(vfu->reply);
        vfu->reply = NULL;
        vfu->reply_room = 0;
    }
}
