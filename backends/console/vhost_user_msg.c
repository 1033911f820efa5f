/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The requests of a vhost-user front end. See vhost_user.h. */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "device.h"
#include "queue.h"
#include "vhost_user_server.h"

#define PROTOCOL_FEATURES                                                        \
    (VDF_VU_P_MQ | VDF_VU_P_REPLY_ACK | VDF_VU_P_BACKEND_REQ | VDF_VU_P_CONFIG | \
     VDF_VU_P_INFLIGHT | VDF_VU_P_RESET_DEVICE | VDF_VU_P_MEM_SLOTS | VDF_VU_P_STATUS)

/* SET_VRING_KICK, CALL and ERR: the low byte is the ring; this bit: there is no descriptor. */
#define RING_MASK UINT64_C(0xff)
#define RING_NO_FD UINT64_C(0x100)

#define AS_ASKED UINT32_MAX /* a reply as long as the request */

/* The place of the ring's number in a request. */
enum ring_in {
    NO_RING,
    RING,    /* the first 32 bits */
    STOPPED, /* the first 32 bits, and the ring must not be running */
    WITH_FD, /* RING_MASK and RING_NO_FD */
};

struct request {
    const char *name;
    int (*handle)(struct vdf_vhost_user *vu, struct vdf_err *err);
    uint32_t size;    /* bytes of payload */
    bool longer;      /* or more of them */
    uint32_t reply;   /* bytes of a reply that is always sent */
    unsigned max_fds; /* that may come along */
    uint64_t needs;   /* a protocol feature */
    enum ring_in ring;
    bool moves; /* it changes the memory: the rings are located again */
};

/* --- features --------------------------------------------------------------------------------- */

/* The features that the front end can choose from. The DMA pool is in memory that the front end
 * does not see. A front end resets a queue by GET_VRING_BASE and a new start. */
static uint64_t offered(const struct vdf_console *con)
{
    uint64_t features = con->features;

    if (con->dma_mem)
        features &= ~VDF_CONSOLE_F_DMA_MEM;
    return features | VDF_VU_F_PROTOCOL_FEATURES;
}

static int set_features(struct vdf_vhost_user *vu, struct vdf_err *err)
{
    struct vdf_console *con = vu->con;
    uint64_t value = vu->msg.payload.u64;
    uint64_t driver = value & ~VDF_VU_F_PROTOCOL_FEATURES;

    if (value & ~offered(con))
        return vdf_fail(err, EINVAL,
                        "features 0x%016" PRIx64 ": bits of 0x%016" PRIx64 " are offered", value,
                        offered(con));
    /* With the same features the driver goes on, after a pause or a new connection. */
    if (driver != con->driver_features || !(con->status & VDF_CONSOLE_S_FEATURES_OK) ||
        con->status & VDF_CONSOLE_S_NEEDS_RESET) {
        for (unsigned i = 0; i < vu->n_rings; i++)
            if (vu->rings[i].active)
                return vdf_fail(err, EBUSY, "features 0x%016" PRIx64 " while ring %u is running",
                                value, i);
        vdf_console_reset(con);
        if (driver & VDF_CONSOLE_F_VERSION_1) {
            con->driver_features = driver;
            vdf_console_set_status(con, VDF_CONSOLE_S_ACKNOWLEDGE | VDF_CONSOLE_S_DRIVER);
            vdf_console_set_status(con, VDF_CONSOLE_S_FEATURES_OK);
        }
    }
    vu->protocol = value & VDF_VU_F_PROTOCOL_FEATURES;
    return vu->protocol ? 0 : vdf_vhost_user_enable_all(vu, err);
}

/* With a record of buffers in flight rings start at the used index, which a packed ring does not
 * have. */
static uint64_t protocol_offered(const struct vdf_console *con)
{
    return con->features & VDF_CONSOLE_F_RING_PACKED ? PROTOCOL_FEATURES & ~VDF_VU_P_INFLIGHT
                                                     : PROTOCOL_FEATURES;
}

static int set_protocol_features(struct vdf_vhost_user *vu, struct vdf_err *err)
{
    uint64_t offer = protocol_offered(vu->con);

    if (vu->msg.payload.u64 & ~offer)
        return vdf_fail(err, EINVAL, "0x%016" PRIx64 ": bits of 0x%016" PRIx64 " are offered",
                        vu->msg.payload.u64, offer);
    vu->protocol_features = vu->msg.payload.u64;
    return 0;
}

/* SET_OWNER has no meaning here. RESET_OWNER, which is deprecated, has had several. */
static int nothing(struct vdf_vhost_user *vu, struct vdf_err *err)
{
    return 0;
}

static int reset_device(struct vdf_vhost_user *vu, struct vdf_err *err)
{
    vdf_console_reset(vu->con);
    return 0;
}

/*
 * The status of the driver, which the device knows from other messages. Without RESET_DEVICE, 0
 * resets the device. With RESET_DEVICE it does not: QEMU sets 0 whenever a device stops, also when
 * a machine is paused, and older versions set it before they ask for the bases of the rings.
 */
static int set_status(struct vdf_vhost_user *vu, struct vdf_err *err)
{
    uint64_t value = vu->msg.payload.u64;

    if (value > UINT8_MAX)
        return vdf_fail(err, EINVAL, "status 0x%" PRIx64 ": it has 8 bits", value);
    if (value & VDF_CONSOLE_S_FEATURES_OK && !(vu->con->status & VDF_CONSOLE_S_FEATURES_OK))
        return vdf_fail(err, EINVAL,
                        "status 0x%02" PRIx64 ": features with VIRTIO_F_VERSION_1 are set before "
                        "FEATURES_OK",
                        value);
    if (value & VDF_CONSOLE_S_DRIVER_OK && !(value & VDF_CONSOLE_S_FEATURES_OK))
        return vdf_fail(err, EINVAL, "status 0x%02" PRIx64 ": DRIVER_OK without FEATURES_OK",
                        value);
    if (!value && !(vu->protocol_features & VDF_VU_P_RESET_DEVICE))
        return reset_device(vu, err);
    vu->status = value & ~VDF_CONSOLE_S_NEEDS_RESET;
    return 0;
}

/* The requests whose reply is one number. */
static int get_number(struct vdf_vhost_user *vu, struct vdf_err *err)
{
    uint64_t *value = &vu->msg.payload.u64;

    switch (vu->msg.header.request) {
    case VDF_VU_GET_FEATURES:
        *value = offered(vu->con);
        break;
    case VDF_VU_GET_PROTOCOL_FEATURES:
        *value = protocol_offered(vu->con);
        break;
    case VDF_VU_GET_QUEUE_NUM:
        *value = vdf_console_queues(vu->con);
        break;
    case VDF_VU_GET_MAX_MEM_SLOTS:
        *value = VDF_VU_REGIONS_MAX;
        break;
    default: /* GET_STATUS */
        *value = vu->status | (vu->con->status & VDF_CONSOLE_S_NEEDS_RESET);
        break;
    }
    return 0;
}

/* --- rings ------------------------------------------------------------------------------------ */

static int set_vring_num(struct vdf_vhost_user *vu, struct vdf_err *err)
{
    uint32_t num = vu->msg.payload.state.num;

    if (!num || !vdf_vq_size_possible(num, VDF_VQ_SIZE_MAX, vdf_console_modes(vu->con)))
        return vdf_fail(err, EINVAL,
                        "ring %u of %u entries: a power of two up to %u is needed, or any number "
                        "up to that with VIRTIO_F_RING_PACKED",
                        vu->ring->index, num, VDF_VQ_SIZE_MAX);
    vu->ring->num = num;
    int ret = vdf_vhost_user_ring_update(vu->ring, err);
    if (ret < 0)
        vu->ring->num = 0;
    return ret;
}

static int set_vring_addr(struct vdf_vhost_user *vu, struct vdf_err *err)
{
    const struct vdf_vu_vring_addr *addr = &vu->msg.payload.addr;
    struct vdf_vu_ring *ring = vu->ring;

    if (addr->flags)
        return vdf_fail(err, EINVAL, "ring %u: flags 0x%x, and no log has been negotiated",
                        addr->index, addr->flags);
    if (ring->active) {
        /* Some front ends repeat the addresses of a running ring. */
        if (addr->desc == ring->desc && addr->used == ring->used && addr->avail == ring->avail)
            return 0;
        return vdf_fail(err, EBUSY, "ring %u is running", addr->index);
    }
    ring->desc = addr->desc;
    ring->used = addr->used;
    ring->avail = addr->avail;
    ring->have_addr = true;
    int ret = vdf_vhost_user_ring_update(ring, err);
    if (ret < 0)
        ring->have_addr = false;
    return ret;
}

/*
 * The base of a packed ring has, in its low half, the place and wrap counter of the next descriptor
 * to take, and in its high half those of the next one to give back. A former device has taken the
 * descriptors between them and has not given them back: this device takes them again.
 */
static int set_vring_base(struct vdf_vhost_user *vu, struct vdf_err *err)
{
    uint32_t base = vu->msg.payload.state.num;
    bool packed = vdf_console_modes(vu->con) & VDF_VQ_PACKED;

    if (!packed && base > UINT16_MAX)
        return vdf_fail(err, EINVAL, "ring %u: base %u, an index has 16 bits", vu->ring->index,
                        base);
    vu->ring->base = (uint16_t)(packed ? base >> 16 ^ VDF_VQ_ROUND : base);
    return 0;
}

static int get_vring_base(struct vdf_vhost_user *vu, struct vdf_err *err)
{
    struct vdf_vu_vring_state *state = &vu->msg.payload.state;

    state->num = vdf_vhost_user_ring_stop(vu->ring);
    if (vdf_console_modes(vu->con) & VDF_VQ_PACKED)
        state->num = (state->num ^ VDF_VQ_ROUND) * 0x10001u;
    return 0;
}

static int set_vring_enable(struct vdf_vhost_user *vu, struct vdf_err *err)
{
    uint32_t enable = vu->msg.payload.state.num;

    if (enable > 1)
        return vdf_fail(err, EINVAL, "ring %u: enable %u, 0 or 1 is needed", vu->ring->index,
                        enable);
    vu->ring->enabled = enable;
    int ret = vdf_vhost_user_ring_update(vu->ring, err);
    if (ret < 0)
        vu->ring->enabled = false;
    return ret;
}

/* The descriptor that comes with SET_VRING_KICK, CALL and ERR; -1: none. */
static int ring_fd(const struct vdf_vhost_user *vu)
{
    return vu->passed.n ? vu->passed.fds[0] : -1;
}

static int set_vring_kick(struct vdf_vhost_user *vu, struct vdf_err *err)
{
    return vdf_vhost_user_set_kick(vu->ring, ring_fd(vu), err);
}

static int set_vring_call(struct vdf_vhost_user *vu, struct vdf_err *err)
{
    return vdf_vhost_user_set_call(vu->ring, ring_fd(vu), false, err);
}

static int set_vring_err(struct vdf_vhost_user *vu, struct vdf_err *err)
{
    return vdf_vhost_user_set_call(vu->ring, ring_fd(vu), true, err);
}

/* --- buffers in flight ------------------------------------------------------------------------ */

/* The layout is that of section "Inflight I/O tracking" for split virtqueues. */
#define INFLIGHT_HEAD 16u
#define INFLIGHT_VERSION_AT 8u
#define INFLIGHT_DESC 16u
#define INFLIGHT_ALIGN 64u

static uint64_t inflight_size(const struct vdf_vu_inflight *inflight)
{
    uint64_t queue = INFLIGHT_HEAD + (uint64_t)inflight->queue_size * INFLIGHT_DESC;

    return (queue + INFLIGHT_ALIGN - 1) / INFLIGHT_ALIGN * INFLIGHT_ALIGN;
}

static int inflight_check(const struct vdf_vhost_user *vu, struct vdf_err *err)
{
    const struct vdf_vu_inflight *inflight = &vu->msg.payload.inflight;

    if (!inflight->n_queues || inflight->n_queues > vu->n_rings)
        return vdf_fail(err, EINVAL, "%u queues: there are %u", inflight->n_queues, vu->n_rings);
    if (!inflight->queue_size || inflight->queue_size > VDF_VQ_SIZE_MAX)
        return vdf_fail(err, EINVAL, "queues of %u entries: they have up to %u",
                        inflight->queue_size, VDF_VQ_SIZE_MAX);
    return 0;
}

/*
 * The record is for a later back-end: it shows the buffers that were taken and not given back. This
 * device gives buffers back in the order in which they were made available. So these are the
 * buffers from the used index on, where a ring starts when the record marks no entry. The device
 * never changes the record.
 */
static int get_inflight_fd(struct vdf_vhost_user *vu, struct vdf_err *err)
{
    struct vdf_vu_inflight *inflight = &vu->msg.payload.inflight;
    uint64_t size = inflight_size(inflight);
    int fd, ret = inflight_check(vu, err);

    if (ret)
        return ret;
    fd = memfd_create("inflight", MFD_CLOEXEC);
    if (fd < 0)
        return vdf_fail(err, errno, "no memory for the record: %s", strerror(errno));
    ret = ftruncate(fd, (off_t)(size * inflight->n_queues)) ? -errno : 0;
    for (unsigned i = 0; !ret && i < inflight->n_queues; i++) {
        const uint16_t head[2] = { 1, inflight->queue_size };

        if (pwrite(fd, head, sizeof(head), (off_t)(i * size + INFLIGHT_VERSION_AT)) !=
            (ssize_t)sizeof(head))
            ret = -errno;
    }
    if (ret) {
        close(fd);
        return vdf_fail(err, -ret, "no memory for the record: %s", strerror(-ret));
    }
    inflight->size = size * inflight->n_queues;
    inflight->offset = 0;
    vu->reply_fd = fd;
    return 0;
}

static int set_inflight_fd(struct vdf_vhost_user *vu, struct vdf_err *err)
{
    const struct vdf_vu_inflight *inflight = &vu->msg.payload.inflight;
    int ret = inflight_check(vu, err);

    if (ret)
        return ret;
    if (vu->passed.n != 1 || vdf_foreign_kind(vu->passed.fds[0]) != VDF_FOREIGN_MEMORY)
        return vdf_fail(err, EINVAL, "%u descriptors: one file in memory is needed", vu->passed.n);
    if (inflight->size / inflight->n_queues < inflight_size(inflight))
        return vdf_fail(err, EINVAL, "0x%" PRIx64 " bytes: %u queues of %u entries need more",
                        inflight->size, inflight->n_queues, inflight->queue_size);
    vu->inflight = true;
    return 0;
}

/* --- configuration space ---------------------------------------------------------------------- */

static int config_range(const struct vdf_vhost_user *vu, struct vdf_err *err)
{
    const struct vdf_vu_config *config = &vu->msg.payload.config;

    if (config->size > VDF_VU_CONFIG_MAX || config->offset > VDF_VU_CONFIG_MAX - config->size)
        return vdf_fail(err, EINVAL, "%u bytes of configuration at %u: there are %u", config->size,
                        config->offset, VDF_VU_CONFIG_MAX);
    if (vu->msg.header.size != VDF_VU_CONFIG_HEADER + config->size)
        return vdf_fail(err, EPROTO, "%u bytes of configuration in a message of %u bytes",
                        config->size, vu->msg.header.size);
    return 0;
}

/* The rest is zero. */
static void config_bytes(const struct vdf_console *con, uint8_t bytes[VDF_VU_CONFIG_MAX])
{
    memset(bytes, 0, VDF_VU_CONFIG_MAX);
    vdf_console_config(con, bytes);
}

static int get_config(struct vdf_vhost_user *vu, struct vdf_err *err)
{
    struct vdf_vu_config *config = &vu->msg.payload.config;
    uint8_t bytes[VDF_VU_CONFIG_MAX];
    int ret = config_range(vu, err);

    config_bytes(vu->con, bytes);
    if (!ret)
        memcpy(config->bytes, bytes + config->offset, config->size);
    return ret;
}

static int set_config(struct vdf_vhost_user *vu, struct vdf_err *err)
{
    const struct vdf_vu_config *config = &vu->msg.payload.config;
    const uint32_t emergency = VDF_CONSOLE_REG_EMERG_WR - VDF_CONSOLE_REG_COLS;
    uint8_t bytes[VDF_VU_CONFIG_MAX];
    int ret = config_range(vu, err);

    if (ret)
        return ret;
    if (config->flags > 1)
        return vdf_fail(err, EINVAL, "flags 0x%x: 0 for the driver, 1 for a migration",
                        config->flags);
    if (config->flags) {
        config_bytes(vu->con, bytes);
        if (memcmp(bytes + config->offset, config->bytes, config->size))
            return vdf_fail(err, EINVAL,
                            "%u bytes at %u: the device that is migrated from has others",
                            config->size, config->offset);
        return 0;
    }
    if (!(vu->con->driver_features & VDF_CONSOLE_F_EMERG_WRITE) || vu->con->dma_mem ||
        config->offset != emergency || !config->size || config->size > sizeof(uint32_t))
        return vdf_fail(err, EACCES,
                        "%u bytes at %u: only emerg_wr can be written, 1 to 4 bytes at %u, once "
                        "EMERG_WRITE is negotiated",
                        config->size, config->offset, emergency);
    vdf_console_emergency(vu->con, config->bytes[0]);
    return 0;
}

static int set_backend_req_fd(struct vdf_vhost_user *vu, struct vdf_err *err)
{
    if (vu->passed.n != 1)
        return vdf_fail(err, EPROTO, "%u descriptors: one socket is needed", vu->passed.n);
    if (vdf_foreign_kind(vu->passed.fds[0]) != VDF_FOREIGN_SOCKET)
        return vdf_fail(err, EINVAL, "the descriptor is no socket of AF_UNIX");
    if (vu->backend_fd >= 0)
        vdf_passed_close(&vu->passed, vu->backend_fd);
    vdf_async_free(vu->backend_async);
    vu->backend_async = NULL;
    vu->config_pending = false;
    vu->backend_fd = vdf_passed_take(&vu->passed);
    return 0;
}

/* --- the table -------------------------------------------------------------------------------- */

#define ROW(id, func, ...) [VDF_VU_##id] = { .name = #id, .handle = (func), __VA_ARGS__ }
#define STATE .size = sizeof(struct vdf_vu_vring_state)
/* Some front ends send the padding of the C structure too. */
#define INFLIGHT .size = VDF_VU_INFLIGHT_SIZE, .longer = true
#define REGION .size = sizeof(struct vdf_vu_one_region), .moves = true
static const struct request requests[] = {
    ROW(GET_FEATURES, get_number, .reply = 8),
    ROW(SET_FEATURES, set_features, .size = 8),
    ROW(SET_OWNER, nothing, .size = 0),
    ROW(RESET_OWNER, nothing, .size = 0),
    ROW(SET_MEM_TABLE, vdf_vhost_user_set_table, .size = 8, .longer = true,
        .max_fds = VDF_VU_TABLE_MAX, .moves = true),
    ROW(SET_VRING_NUM, set_vring_num, STATE, .ring = STOPPED),
    ROW(SET_VRING_ADDR, set_vring_addr, .size = sizeof(struct vdf_vu_vring_addr), .ring = RING),
    ROW(SET_VRING_BASE, set_vring_base, STATE, .ring = STOPPED),
    ROW(GET_VRING_BASE, get_vring_base, STATE, .ring = RING,
        .reply = sizeof(struct vdf_vu_vring_state)),
    ROW(SET_VRING_KICK, set_vring_kick, .size = 8, .max_fds = 1, .ring = WITH_FD),
    ROW(SET_VRING_CALL, set_vring_call, .size = 8, .max_fds = 1, .ring = WITH_FD),
    ROW(SET_VRING_ERR, set_vring_err, .size = 8, .max_fds = 1, .ring = WITH_FD),
    ROW(GET_PROTOCOL_FEATURES, get_number, .reply = 8),
    ROW(SET_PROTOCOL_FEATURES, set_protocol_features, .size = 8),
    ROW(GET_QUEUE_NUM, get_number, .reply = 8, .needs = VDF_VU_P_MQ),
    ROW(SET_VRING_ENABLE, set_vring_enable, STATE, .ring = RING),
    ROW(SET_BACKEND_REQ_FD, set_backend_req_fd, .max_fds = 1, .needs = VDF_VU_P_BACKEND_REQ),
    ROW(GET_CONFIG, get_config, .size = VDF_VU_CONFIG_HEADER, .longer = true, .reply = AS_ASKED,
        .needs = VDF_VU_P_CONFIG),
    ROW(SET_CONFIG, set_config, .size = VDF_VU_CONFIG_HEADER, .longer = true,
        .needs = VDF_VU_P_CONFIG),
    ROW(GET_INFLIGHT_FD, get_inflight_fd, INFLIGHT, .reply = AS_ASKED, .needs = VDF_VU_P_INFLIGHT),
    ROW(SET_INFLIGHT_FD, set_inflight_fd, INFLIGHT, .max_fds = 1, .needs = VDF_VU_P_INFLIGHT),
    ROW(RESET_DEVICE, reset_device, .needs = VDF_VU_P_RESET_DEVICE),
    ROW(GET_MAX_MEM_SLOTS, get_number, .reply = 8, .needs = VDF_VU_P_MEM_SLOTS),
    ROW(ADD_MEM_REG, vdf_vhost_user_add_region, REGION, .max_fds = 1, .needs = VDF_VU_P_MEM_SLOTS),
    ROW(REM_MEM_REG, vdf_vhost_user_remove_region, REGION, .max_fds = 1,
        .needs = VDF_VU_P_MEM_SLOTS),
    ROW(SET_STATUS, set_status, .size = 8, .needs = VDF_VU_P_STATUS),
    ROW(GET_STATUS, get_number, .reply = 8, .needs = VDF_VU_P_STATUS),
};
#undef ROW
#undef STATE
#undef REGION
#undef INFLIGHT

static const struct request *find(uint32_t id)
{
    if (id >= sizeof(requests) / sizeof(requests[0]) || !requests[id].handle)
        return NULL;
    return &requests[id];
}

const char *vdf_vhost_user_request_name(uint32_t request)
{
    return find(request) ? find(request)->name : "unknown request";
}

int vdf_vhost_user_expects(const struct vdf_vu_header *header, struct vdf_err *err)
{
    if ((header->flags & VDF_VU_VERSION_MASK) != VDF_VU_VERSION || header->flags & VDF_VU_REPLY)
        return vdf_fail(err, EPROTO, "flags 0x%x: version %u of a request is needed", header->flags,
                        VDF_VU_VERSION);
    if (header->size > VDF_VU_PAYLOAD_MAX)
        return vdf_fail(err, EPROTO, "a payload of %u bytes: %u at most are possible", header->size,
                        VDF_VU_PAYLOAD_MAX);
    return 0;
}

/* Check the size and the descriptors of the message, and the feature that it needs. */
static int check(const struct vdf_vhost_user *vu, const struct request *request,
                 struct vdf_err *err)
{
    const struct vdf_vu_header *header = &vu->msg.header;

    if (!request)
        return vdf_fail(err, EOPNOTSUPP, "request %u is not served", header->request);
    if (request->needs & ~vu->protocol_features)
        return vdf_fail(err, EPROTO,
                        "it needs protocol feature 0x%" PRIx64 ", and 0x%" PRIx64
                        " were negotiated",
                        request->needs, vu->protocol_features);
    if (header->size < request->size || (header->size > request->size && !request->longer))
        return vdf_fail(err, EPROTO, "a payload of %u bytes: %u to %u are possible", header->size,
                        request->size, request->longer ? VDF_VU_PAYLOAD_MAX : request->size);
    if (vu->passed.lost || vu->passed.n > VDF_VU_FDS_MAX)
        return vdf_fail(err, EPROTO,
                        "more than %u descriptors with a message, or no room for them in this "
                        "process",
                        VDF_VU_FDS_MAX);
    if (vu->passed.n > request->max_fds)
        return vdf_fail(err, EPROTO, "%u descriptors: %u may come along", vu->passed.n,
                        request->max_fds);
    return 0;
}

/* Find the ring that the request is about. */
static int find_ring(struct vdf_vhost_user *vu, enum ring_in in, struct vdf_err *err)
{
    uint64_t value = vu->msg.payload.u64;
    uint32_t index = in == WITH_FD ? value & RING_MASK : vu->msg.payload.state.index;

    vu->ring = NULL;
    if (in == NO_RING)
        return 0;
    if (in == WITH_FD && value & ~(RING_MASK | RING_NO_FD))
        return vdf_fail(err, EINVAL, "0x%" PRIx64 ": a ring's number, and bit 8 for no descriptor",
                        value);
    if (index >= vu->n_rings)
        return vdf_fail(err, EINVAL, "ring %u: there are %u", index, vu->n_rings);
    if (in == WITH_FD && (value & RING_NO_FD ? 0 : 1) != vu->passed.n)
        return vdf_fail(err, EPROTO, "ring %u: %u descriptors came along, %u announced", index,
                        vu->passed.n, value & RING_NO_FD ? 0 : 1);
    vu->ring = &vu->rings[index];
    if (in == STOPPED && vu->ring->active)
        return vdf_fail(err, EBUSY, "ring %u is running", index);
    return 0;
}

/* Turn the message into its reply, if there is one. A request that always has a reply gets an empty
 * one after an error. The other requests get 0 or, after an error, 1 if they ask for it. */
static bool answer(struct vdf_vhost_user *vu, const struct request *request, bool failed)
{
    if (request && request->reply) {
        if (failed)
            vu->msg.header.size = 0;
        else if (request->reply != AS_ASKED)
            vu->msg.header.size = request->reply;
    } else if (vu->msg.header.flags & VDF_VU_NEED_REPLY &&
               vu->protocol_features & VDF_VU_P_REPLY_ACK) {
        vu->msg.header.size = 8;
        vu->msg.payload.u64 = failed;
    } else {
        return false;
    }
    vu->msg.header.flags = VDF_VU_VERSION | VDF_VU_REPLY;
    return true;
}

bool vdf_vhost_user_handle(struct vdf_vhost_user *vu)
{
    const struct request *request = find(vu->msg.header.request);
    struct vdf_err err = { 0 };
    int ret = check(vu, request, &err);

    if (!ret)
        ret = find_ring(vu, request->ring, &err);
    if (!ret)
        ret = request->handle(vu, &err);
    if (!ret && request->moves)
        vdf_vhost_user_rings_moved(vu);
    if (ret)
        vdf_report(vu->con->priv.obj, -ret, "vhost-user: %s: %s",
                   vdf_vhost_user_request_name(vu->msg.header.request), err.text);
    return answer(vu, request, ret);
}
