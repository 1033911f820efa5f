/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The requests of a vhost-user front end. See vhost_user.h. */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vhost_user.h"

#define PROTOCOL_FEATURES                                                        \
    (VDF_VU_P_MQ | VDF_VU_P_REPLY_ACK | VDF_VU_P_BACKEND_REQ | VDF_VU_P_CONFIG | \
     VDF_VU_P_RESET_DEVICE | VDF_VU_P_MEM_SLOTS)

/* The low byte of SET_VRING_KICK and its like is the ring; this bit says that no descriptor comes.
 */
#define RING_MASK UINT64_C(0xff)
#define RING_NO_FD UINT64_C(0x100)

#define AS_ASKED UINT32_MAX /* a reply as long as the request */

struct request {
    const char *name;
    int (*handle)(struct vdf_vhost_user *vu, struct vdf_err *err);
    uint32_t size;    /* bytes of payload */
    bool longer;      /* or more of them */
    uint32_t reply;   /* bytes of the reply that the request has always */
    unsigned max_fds; /* that may come along */
    uint64_t needs;   /* protocol feature that has to be negotiated */
};

/* --- features --------------------------------------------------------------------------------- */

/* The features that the front end can choose from. A queue of its own cannot be reset over this
 * protocol, and the DMA pool is memory that the front end does not see. */
static uint64_t offered(const struct vdf_console *con)
{
    uint64_t features = con->features & ~VDF_CONSOLE_F_RING_RESET;

    if (con->dma_mem)
        features &= ~VDF_CONSOLE_F_DMA_MEM;
    return features | VDF_VU_F_PROTOCOL_FEATURES;
}

static int get_features(struct vdf_vhost_user *vu, struct vdf_err *err)
{
    (void)err;
    vu->msg.payload.u64 = offered(vu->con);
    return 0;
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
    vu->protocol = value & VDF_VU_F_PROTOCOL_FEATURES;
    /* The same again: the driver that was here goes on, after a pause or a new connection. */
    if (driver != con->driver_features || !(con->status & VDF_CONSOLE_S_FEATURES_OK) ||
        con->status & VDF_CONSOLE_S_NEEDS_RESET) {
        for (unsigned i = 0; i < vu->n_rings; i++)
            if (vu->rings[i].active)
                return vdf_fail(err, EBUSY, "features 0x%016" PRIx64 " while ring %u is running",
                                value, i);
        vdf_console_reset(con);
        if (!(driver & VDF_CONSOLE_F_VERSION_1))
            return 0; /* nothing negotiated yet, or a driver that will be refused at its rings */
        con->driver_features = driver;
        vdf_console_set_status(con, VDF_CONSOLE_S_ACKNOWLEDGE | VDF_CONSOLE_S_DRIVER);
        vdf_console_set_status(con, VDF_CONSOLE_S_FEATURES_OK);
    }
    return 0;
}

static int get_protocol_features(struct vdf_vhost_user *vu, struct vdf_err *err)
{
    (void)err;
    vu->msg.payload.u64 = PROTOCOL_FEATURES;
    return 0;
}

static int set_protocol_features(struct vdf_vhost_user *vu, struct vdf_err *err)
{
    if (vu->msg.payload.u64 & ~PROTOCOL_FEATURES)
        return vdf_fail(err, EINVAL, "0x%016" PRIx64 ": bits of 0x%016" PRIx64 " are offered",
                        vu->msg.payload.u64, PROTOCOL_FEATURES);
    vu->protocol_features = vu->msg.payload.u64;
    return 0;
}

static int get_queue_num(struct vdf_vhost_user *vu, struct vdf_err *err)
{
    (void)err;
    vu->msg.payload.u64 = vdf_console_queues(vu->con);
    return 0;
}

static int set_owner(struct vdf_vhost_user *vu, struct vdf_err *err)
{
    (void)vu;
    (void)err;
    return 0;
}

static int reset_device(struct vdf_vhost_user *vu, struct vdf_err *err)
{
    (void)err;
    vdf_console_reset(vu->con);
    return 0;
}

/* --- memory ----------------------------------------------------------------------------------- */

static int get_max_mem_slots(struct vdf_vhost_user *vu, struct vdf_err *err)
{
    (void)err;
    vu->msg.payload.u64 = VDF_SPACE_REGIONS;
    return 0;
}

/* --- rings ------------------------------------------------------------------------------------ */

static int set_vring_num(struct vdf_vhost_user *vu, struct vdf_err *err)
{
    const struct vdf_vu_vring_state *state = &vu->msg.payload.state;
    struct vdf_vu_ring *ring = vdf_vhost_user_ring(vu, state->index, err);

    if (!ring)
        return -EINVAL;
    if (ring->active)
        return vdf_fail(err, EBUSY, "ring %u is running", state->index);
    if (!state->num || state->num > VDF_VQ_SIZE_MAX || state->num & (state->num - 1))
        return vdf_fail(err, EINVAL, "ring %u of %u entries: a power of two up to %u is needed",
                        state->index, state->num, VDF_VQ_SIZE_MAX);
    ring->num = state->num;
    return vdf_vhost_user_ring_update(vu, state->index, err);
}

static int set_vring_addr(struct vdf_vhost_user *vu, struct vdf_err *err)
{
    const struct vdf_vu_vring_addr *addr = &vu->msg.payload.addr;
    struct vdf_vu_ring *ring = vdf_vhost_user_ring(vu, addr->index, err);

    if (!ring)
        return -EINVAL;
    if (addr->flags)
        return vdf_fail(err, EINVAL, "ring %u: flags 0x%x, and no log has been negotiated",
                        addr->index, addr->flags);
    if (ring->active) {
        /* Said again while it runs, as some do. */
        if (addr->desc == ring->desc && addr->used == ring->used && addr->avail == ring->avail)
            return 0;
        return vdf_fail(err, EBUSY, "ring %u is running", addr->index);
    }
    ring->desc = addr->desc;
    ring->used = addr->used;
    ring->avail = addr->avail;
    ring->have_addr = true;
    return vdf_vhost_user_ring_update(vu, addr->index, err);
}

static int set_vring_base(struct vdf_vhost_user *vu, struct vdf_err *err)
{
    const struct vdf_vu_vring_state *state = &vu->msg.payload.state;
    struct vdf_vu_ring *ring = vdf_vhost_user_ring(vu, state->index, err);

    if (!ring)
        return -EINVAL;
    if (ring->active)
        return vdf_fail(err, EBUSY, "ring %u is running", state->index);
    if (state->num > UINT16_MAX)
        return vdf_fail(err, EINVAL, "ring %u: base %u, an index has 16 bits", state->index,
                        state->num);
    ring->base = (uint16_t)state->num;
    return 0;
}

static int get_vring_base(struct vdf_vhost_user *vu, struct vdf_err *err)
{
    struct vdf_vu_vring_state *state = &vu->msg.payload.state;

    if (!vdf_vhost_user_ring(vu, state->index, err))
        return -EINVAL;
    state->num = vdf_vhost_user_ring_stop(vu, state->index);
    return 0;
}

static int set_vring_enable(struct vdf_vhost_user *vu, struct vdf_err *err)
{
    const struct vdf_vu_vring_state *state = &vu->msg.payload.state;
    struct vdf_vu_ring *ring = vdf_vhost_user_ring(vu, state->index, err);

    if (!ring)
        return -EINVAL;
    if (state->num > 1)
        return vdf_fail(err, EINVAL, "ring %u: enable %u, 0 or 1 is needed", state->index,
                        state->num);
    ring->enabled = state->num;
    return vdf_vhost_user_ring_update(vu, state->index, err);
}

/* The ring and its descriptor of SET_VRING_KICK, CALL and ERR; -1 where none comes along. */
static int ring_fd(struct vdf_vhost_user *vu, unsigned *index, int *fd, struct vdf_err *err)
{
    uint64_t value = vu->msg.payload.u64;

    if (value & ~(RING_MASK | RING_NO_FD))
        return vdf_fail(err, EINVAL, "0x%" PRIx64 ": a ring's number, and bit 8 for no descriptor",
                        value);
    if (!vdf_vhost_user_ring(vu, value & RING_MASK, err))
        return -EINVAL;
    if ((value & RING_NO_FD ? 0 : 1) != vu->n_fds)
        return vdf_fail(err, EPROTO, "ring %u: %u descriptors came along, %u announced",
                        (unsigned)(value & RING_MASK), vu->n_fds, value & RING_NO_FD ? 0 : 1);
    *index = (unsigned)(value & RING_MASK);
    *fd = vu->n_fds ? vu->fds[0] : -1;
    return 0;
}

static int set_vring_kick(struct vdf_vhost_user *vu, struct vdf_err *err)
{
    unsigned index;
    int fd, r = ring_fd(vu, &index, &fd, err);

    return r ? r : vdf_vhost_user_set_kick(vu, index, fd, err);
}

static int set_vring_call(struct vdf_vhost_user *vu, struct vdf_err *err)
{
    unsigned index;
    int fd, r = ring_fd(vu, &index, &fd, err);

    return r ? r : vdf_vhost_user_set_call(vu, index, fd, false, err);
}

static int set_vring_err(struct vdf_vhost_user *vu, struct vdf_err *err)
{
    unsigned index;
    int fd, r = ring_fd(vu, &index, &fd, err);

    return r ? r : vdf_vhost_user_set_call(vu, index, fd, true, err);
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

static int get_config(struct vdf_vhost_user *vu, struct vdf_err *err)
{
    const struct vdf_console *con = vu->con;
    struct vdf_vu_config *config = &vu->msg.payload.config;
    /* Section 5.3.4; what lies behind reads as zero. */
    struct {
        uint16_t cols, rows;
        uint32_t max_ports;
        uint32_t emergency;
        uint8_t behind[VDF_VU_CONFIG_MAX - 12];
    } space = { htole16(con->cols), htole16(con->rows), htole32(con->max_ports), 0, { 0 } };
    int r = config_range(vu, err);

    if (!r)
        memcpy(config->bytes, (const uint8_t *)&space + config->offset, config->size);
    return r;
}

static int set_config(struct vdf_vhost_user *vu, struct vdf_err *err)
{
    const struct vdf_vu_config *config = &vu->msg.payload.config;
    const uint32_t emergency = VDF_CONSOLE_REG_EMERG_WR - VDF_CONSOLE_REG_COLS;
    int r = config_range(vu, err);

    if (r)
        return r;
    /* Only this register is the driver's to write. With flags, the message is a migration's. */
    if (!config->flags && emergency >= config->offset && emergency - config->offset < config->size)
        vdf_console_reg_write(vu->con, VDF_CONSOLE_REG_EMERG_WR,
                              config->bytes[emergency - config->offset]);
    return 0;
}

static int set_backend_req_fd(struct vdf_vhost_user *vu, struct vdf_err *err)
{
    if (vu->n_fds != 1)
        return vdf_fail(err, EPROTO, "%u descriptors: one socket is needed", vu->n_fds);
    if (vdf_foreign_kind(vu->fds[0]) != VDF_FOREIGN_SOCKET)
        return vdf_fail(err, EINVAL, "the descriptor is no socket of AF_UNIX");
    if (vu->backend_fd >= 0)
        vdf_vhost_user_close(vu, vu->backend_fd);
    vdf_async_free(vu->backend_async);
    vu->backend_async = NULL;
    vu->config_pending = false;
    vu->backend_fd = vdf_vhost_user_take_fd(vu);
    return 0;
}

/* --- the table -------------------------------------------------------------------------------- */

#define ROW(id, func, ...) [VDF_VU_##id] = { .name = #id, .handle = (func), __VA_ARGS__ }
#define STATE .size = sizeof(struct vdf_vu_vring_state)
#define REGION .size = sizeof(struct vdf_vu_one_region)
static const struct request requests[] = {
    ROW(GET_FEATURES, get_features, .reply = 8),
    ROW(SET_FEATURES, set_features, .size = 8),
    ROW(SET_OWNER, set_owner, .size = 0),
    ROW(RESET_OWNER, reset_device, .size = 0),
    ROW(SET_MEM_TABLE, vdf_vhost_user_set_table, .size = 8, .longer = true,
        .max_fds = VDF_VU_TABLE_MAX),
    ROW(SET_VRING_NUM, set_vring_num, STATE),
    ROW(SET_VRING_ADDR, set_vring_addr, .size = sizeof(struct vdf_vu_vring_addr)),
    ROW(SET_VRING_BASE, set_vring_base, STATE),
    ROW(GET_VRING_BASE, get_vring_base, STATE, .reply = sizeof(struct vdf_vu_vring_state)),
    ROW(SET_VRING_KICK, set_vring_kick, .size = 8, .max_fds = 1),
    ROW(SET_VRING_CALL, set_vring_call, .size = 8, .max_fds = 1),
    ROW(SET_VRING_ERR, set_vring_err, .size = 8, .max_fds = 1),
    ROW(GET_PROTOCOL_FEATURES, get_protocol_features, .reply = 8),
    ROW(SET_PROTOCOL_FEATURES, set_protocol_features, .size = 8),
    ROW(GET_QUEUE_NUM, get_queue_num, .reply = 8, .needs = VDF_VU_P_MQ),
    ROW(SET_VRING_ENABLE, set_vring_enable, STATE),
    ROW(SET_BACKEND_REQ_FD, set_backend_req_fd, .max_fds = 1, .needs = VDF_VU_P_BACKEND_REQ),
    ROW(GET_CONFIG, get_config, .size = VDF_VU_CONFIG_HEADER, .longer = true, .reply = AS_ASKED,
        .needs = VDF_VU_P_CONFIG),
    ROW(SET_CONFIG, set_config, .size = VDF_VU_CONFIG_HEADER, .longer = true,
        .needs = VDF_VU_P_CONFIG),
    ROW(RESET_DEVICE, reset_device, .needs = VDF_VU_P_RESET_DEVICE),
    ROW(GET_MAX_MEM_SLOTS, get_max_mem_slots, .reply = 8, .needs = VDF_VU_P_MEM_SLOTS),
    ROW(ADD_MEM_REG, vdf_vhost_user_add_region, REGION, .max_fds = 1, .needs = VDF_VU_P_MEM_SLOTS),
    ROW(REM_MEM_REG, vdf_vhost_user_remove_region, REGION, .max_fds = 1,
        .needs = VDF_VU_P_MEM_SLOTS),
};
#undef ROW
#undef STATE
#undef REGION

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

int vdf_vhost_user_expects(const struct vdf_vhost_user *vu, const struct vdf_vu_header *header,
                           struct vdf_err *err)
{
    const struct request *request = find(header->request);

    if ((header->flags & VDF_VU_VERSION_MASK) != VDF_VU_VERSION || header->flags & VDF_VU_REPLY)
        return vdf_fail(err, EPROTO, "flags 0x%x: version %u of a request is needed", header->flags,
                        VDF_VU_VERSION);
    if (!request)
        return vdf_fail(err, EOPNOTSUPP, "request %u is not served", header->request);
    if (request->needs & ~vu->protocol_features)
        return vdf_fail(err, EPROTO,
                        "it needs protocol feature 0x%" PRIx64 ", 0x%" PRIx64 " were negotiated",
                        request->needs, vu->protocol_features);
    if (header->size < request->size || header->size > VDF_VU_PAYLOAD_MAX ||
        (header->size > request->size && !request->longer))
        return vdf_fail(err, EPROTO, "a payload of %u bytes: %u to %u are possible", header->size,
                        request->size, request->longer ? VDF_VU_PAYLOAD_MAX : request->size);
    return 0;
}

int vdf_vhost_user_handle(struct vdf_vhost_user *vu, bool *reply, struct vdf_err *err)
{
    const struct request *request = find(vu->msg.header.request);
    int r;

    *reply = false;
    if (vu->n_fds > request->max_fds)
        return vdf_fail(err, EPROTO, "%u descriptors: %u may come along", vu->n_fds,
                        request->max_fds);
    r = request->handle(vu, err);
    if (r)
        return r;
    if (request->reply) {
        if (request->reply != AS_ASKED)
            vu->msg.header.size = request->reply;
    } else if (vu->msg.header.flags & VDF_VU_NEED_REPLY &&
               vu->protocol_features & VDF_VU_P_REPLY_ACK) {
        vu->msg.header.size = 8;
        vu->msg.payload.u64 = 0;
    } else {
        return 0;
    }
    vu->msg.header.flags = VDF_VU_VERSION | VDF_VU_REPLY;
    *reply = true;
    return 0;
}
