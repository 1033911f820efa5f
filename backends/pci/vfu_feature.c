/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DEVICE_FEATURE: migration, and the log of pages that devices write to. */
#include <errno.h>
#include <inttypes.h>
#include <linux/vfio.h>
#include <string.h>

#include "vfu_server.h"

#define DATA_MOST (UINT64_C(256) << 20) /* bytes of a function's migration data */

#define OPERATIONS (VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_PROBE)

/* --- migration states --------------------------------------------------------------------------- */

/* Sections "Direct State Transitions" and "Complex State Transitions": the next state on the way from
 * one to another, by their numbers. 0: there is no way. */
#define TO(state) [VDF_VFU_STATE_##state]
#define IS(state) VDF_VFU_STATE_##state
static const uint8_t next_states[VDF_VFU_STATES][VDF_VFU_STATES] = {
    TO(STOP) = { TO(RUNNING) = IS(RUNNING), TO(STOP_COPY) = IS(STOP_COPY),
                 TO(RESUMING) = IS(RESUMING), TO(PRE_COPY) = IS(RUNNING) },
    TO(RUNNING) = { TO(STOP) = IS(STOP), TO(STOP_COPY) = IS(STOP), TO(RESUMING) = IS(STOP),
                    TO(PRE_COPY) = IS(PRE_COPY) },
    TO(STOP_COPY) = { TO(STOP) = IS(STOP), TO(RUNNING) = IS(STOP), TO(RESUMING) = IS(STOP) },
    TO(RESUMING) = { TO(STOP) = IS(STOP), TO(RUNNING) = IS(STOP), TO(STOP_COPY) = IS(STOP),
                     TO(PRE_COPY) = IS(STOP) },
    TO(PRE_COPY) = { TO(STOP) = IS(RUNNING), TO(RUNNING) = IS(RUNNING),
                     TO(STOP_COPY) = IS(STOP_COPY), TO(RESUMING) = IS(RUNNING) },
};
#undef TO
#undef IS

void vdf_vfu_migration_drop(struct vdf_vfu *vfu)
{
    vdf_buf_free(&vfu->migration.data);
    vfu->migration.at = 0;
}

static int save(struct vdf_vfu *vfu, struct vdf_err *err)
{
    struct vdf_buf *data = &vfu->migration.data;

    vdf_vfu_migration_drop(vfu);
    int ret = vdf_pci_save(vfu->pci, data, &vfu->stop);
    if (ret == 0 && data->oom)
        ret = vdf_fail(err, ENOMEM, "no memory for the state");
    if (ret < 0)
        vdf_vfu_migration_drop(vfu);
    return ret;
}

/* The function that was there is kept where the data is refused. But it is not the one that the client
 * wants, which has to reset it. */
static int load(struct vdf_vfu *vfu, struct vdf_err *err)
{
    struct vdf_buf *data = &vfu->migration.data;
    int ret = vdf_pci_load(vfu->pci, data->len ? data->data : "", data->len, &vfu->stop, err);

    vdf_vfu_migration_drop(vfu);
    if (ret < 0)
        vfu->migration.state = VDF_VFU_STATE_ERROR;
    return ret;
}

/* Stop, and begin to save. A function that was running runs on where that fails. */
static int begin_saving(struct vdf_vfu *vfu, struct vdf_err *err)
{
    bool ran = vfu->migration.state == VDF_VFU_STATE_PRE_COPY;
    int ret = ran ? vdf_pci_set_running(vfu->pci, false, &vfu->stop) : 0;

    if (ret == 0)
        ret = save(vfu, err);
    if (ret < 0 && ran)
        vdf_pci_set_running(vfu->pci, true, &vfu->stop);
    return ret;
}

/* A direct transition. */
static int go(struct vdf_vfu *vfu, uint32_t to, struct vdf_err *err)
{
    uint32_t from = vfu->migration.state;
    int ret = 0;

    if (to == VDF_VFU_STATE_STOP_COPY)
        ret = begin_saving(vfu, err);
    else if (from == VDF_VFU_STATE_RESUMING)
        ret = load(vfu, err);
    else if (from == VDF_VFU_STATE_RUNNING && to == VDF_VFU_STATE_STOP)
        ret = vdf_pci_set_running(vfu->pci, false, &vfu->stop);
    else if (from == VDF_VFU_STATE_STOP && to == VDF_VFU_STATE_RUNNING)
        ret = vdf_pci_set_running(vfu->pci, true, &vfu->stop);
    else
        vdf_vfu_migration_drop(vfu);
    if (ret == 0)
        vfu->migration.state = to;
    return ret;
}

static int set_state(struct vdf_vfu *vfu, uint32_t state, struct vdf_err *err)
{
    uint32_t from = vfu->migration.state;
    int ret = 0;

    if (state >= VDF_VFU_STATES)
        return vdf_fail(err, EINVAL, "state %u: there are 1 to 4 and 6", state);
    while (ret == 0 && vfu->migration.state != state) {
        uint32_t next = next_states[vfu->migration.state][state];

        ret = next ? go(vfu, next, err)
                   : vdf_fail(err, EINVAL, "state %u cannot follow state %u", state, from);
    }
    return ret;
}

int vdf_vfu_reset(struct vdf_vfu *vfu, struct vdf_err *err)
{
    int ret = vdf_pci_reset(vfu->pci, &vfu->stop);

    if (ret == 0)
        ret = vdf_pci_set_running(vfu->pci, true, &vfu->stop);
    if (ret < 0)
        return ret;
    vdf_vfu_migration_drop(vfu);
    vfu->migration.state = VDF_VFU_STATE_RUNNING;
    return 0;
}

/* --- migration data ----------------------------------------------------------------------------- */

/* A function that runs has no data yet: its state is saved when it has stopped. */
int vdf_vfu_mig_read(struct vdf_vfu *vfu, struct vdf_vfu_call *call, struct vdf_err *err)
{
    struct vdf_vfu_migration *migration = &vfu->migration;
    struct vdf_vfu_mig_data in, *out;

    memcpy(&in, call->in->payload, sizeof(in));
    if (migration->state != VDF_VFU_STATE_STOP_COPY && migration->state != VDF_VFU_STATE_PRE_COPY)
        return vdf_fail(err, EINVAL, "state %u: data is read in PRE_COPY and STOP_COPY",
                        migration->state);
    if (in.size > VDF_VFU_DATA_MAX || in.argsz - sizeof(in) < in.size)
        return vdf_fail(err, EINVAL, "%u bytes with argsz %u: at most %u, and 8 less than argsz",
                        in.size, in.argsz, VDF_VFU_DATA_MAX);
    size_t left = migration->data.len - migration->at, n = in.size < left ? in.size : left;
    out = vdf_vfu_room(vfu, call, sizeof(*out) + n);
    if (!out)
        return vdf_fail(err, ENOMEM, "no memory for %zu bytes", n);
    out->argsz = (uint32_t)(sizeof(*out) + n);
    out->size = (uint32_t)n;
    if (n)
        memcpy(out + 1, migration->data.data + migration->at, n);
    migration->at += n;
    return 0;
}

int vdf_vfu_mig_write(struct vdf_vfu *vfu, struct vdf_vfu_call *call, struct vdf_err *err)
{
    struct vdf_buf *data = &vfu->migration.data;
    struct vdf_vfu_mig_data in;

    memcpy(&in, call->in->payload, sizeof(in));
    if (vfu->migration.state != VDF_VFU_STATE_RESUMING)
        return vdf_fail(err, EINVAL, "state %u: data is written in RESUMING", vfu->migration.state);
    if (in.size != call->in->len - sizeof(in))
        return vdf_fail(err, EINVAL, "%u bytes, with %zu bytes of data", in.size,
                        call->in->len - sizeof(in));
    if (in.size > DATA_MOST - data->len)
        return vdf_fail(err, ENOSPC, "more than %" PRIu64 " bytes", DATA_MOST);
    if (in.size)
        vdf_buf_add(data, call->in->payload + sizeof(in), in.size);
    return data->oom ? vdf_fail(err, ENOMEM, "no memory for %u bytes", in.size) : 0;
}

/* --- features ------------------------------------------------------------------------------------ */

/* The data of a feature begins behind the header of the payload. */
static void get_data(const struct vdf_vfu_call *call, void *data, size_t len)
{
    memcpy(data, call->in->payload + sizeof(struct vdf_vfu_feature), len);
}

/* The reply of a GET: the command's header, and room for @len bytes. NULL: no memory. */
static void *get_room(struct vdf_vfu *vfu, struct vdf_vfu_call *call, size_t len)
{
    struct vdf_vfu_feature *out = vdf_vfu_room(vfu, call, sizeof(*out) + len);

    if (!out)
        return NULL;
    memcpy(out, call->in->payload, sizeof(*out));
    out->argsz = (uint32_t)(sizeof(*out) + len);
    return out + 1;
}

/* The reply of a SET or a PROBE is the command's payload. */
static int echo(struct vdf_vfu *vfu, struct vdf_vfu_call *call, struct vdf_err *err)
{
    void *out = vdf_vfu_room(vfu, call, call->in->len);

    if (!out)
        return vdf_fail(err, ENOMEM, "no memory for the reply");
    memcpy(out, call->in->payload, call->in->len);
    return 0;
}

static int get_migration(struct vdf_vfu *vfu, struct vdf_vfu_call *call, struct vdf_err *err)
{
    uint64_t flags = VFIO_MIGRATION_STOP_COPY | VDF_VFU_PRE_COPY;
    void *out = get_room(vfu, call, sizeof(flags));

    if (!out)
        return vdf_fail(err, ENOMEM, "no memory for the reply");
    memcpy(out, &flags, sizeof(flags));
    return 0;
}

static int get_state(struct vdf_vfu *vfu, struct vdf_vfu_call *call, struct vdf_err *err)
{
    struct vdf_vfu_mig_state *out = get_room(vfu, call, sizeof(*out));

    if (!out)
        return vdf_fail(err, ENOMEM, "no memory for the reply");
    out->state = vfu->migration.state;
    return 0;
}

static int change_state(struct vdf_vfu *vfu, struct vdf_vfu_call *call, struct vdf_err *err)
{
    struct vdf_vfu_mig_state in;

    get_data(call, &in, sizeof(in));
    int ret = set_state(vfu, in.state, err);
    return ret < 0 ? ret : echo(vfu, call, err);
}

static bool is_power_of_two(uint64_t n)
{
    return n && !(n & (n - 1));
}

static int check_ranges(const struct vdf_vfu_call *call, const struct vdf_vfu_logging *in,
                        struct vdf_err *err)
{
    struct vdf_vfu_logging_range range;
    size_t begin = sizeof(struct vdf_vfu_feature) + sizeof(*in), len = call->in->len - begin;
    uint64_t end;

    if (len != in->ranges * sizeof(range) || in->reserved)
        return vdf_fail(err, EINVAL, "%u ranges in %zu bytes, reserved 0x%x: one has %zu",
                        in->ranges, len, in->reserved, sizeof(range));
    for (uint32_t k = 0; k < in->ranges; k++) {
        memcpy(&range, call->in->payload + begin + k * sizeof(range), sizeof(range));
        if (!range.size || __builtin_add_overflow(range.address, range.size - 1, &end))
            return vdf_fail(err, EINVAL,
                            "range %u: 0x%" PRIx64 " bytes at 0x%" PRIx64
                            ": none, or beyond 64 bits",
                            k, range.size, range.address);
    }
    return 0;
}

/* Everything is logged, in pages of VDF_VFU_PAGE, whatever the ranges and the hint are. */
static int start_logging(struct vdf_vfu *vfu, struct vdf_vfu_call *call, struct vdf_err *err)
{
    struct vdf_vfu_logging in;

    get_data(call, &in, sizeof(in));
    if (vfu->dma.logging)
        return vdf_fail(err, EINVAL, "writes are logged already");
    if (!is_power_of_two(in.page_size))
        return vdf_fail(err, EINVAL, "page_size 0x%" PRIx64 ": a power of two", in.page_size);
    int ret = check_ranges(call, &in, err);
    if (ret == 0)
        ret = echo(vfu, call, err);
    if (ret == 0)
        ret = vdf_vfu_log_start(vfu, err);
    if (ret < 0)
        return ret;
    in.page_size = VDF_VFU_PAGE;
    memcpy((uint8_t *)call->out + sizeof(struct vdf_vfu_feature), &in, sizeof(in));
    return 0;
}

static int stop_logging(struct vdf_vfu *vfu, struct vdf_vfu_call *call, struct vdf_err *err)
{
    int ret = vdf_vfu_log_stop(vfu, err);

    return ret < 0 ? ret : echo(vfu, call, err);
}

static int check_report(const struct vdf_vfu *vfu, const struct vdf_vfu_logging_report *in,
                        struct vdf_err *err)
{
    uint64_t end;

    if (!vfu->dma.logging)
        return vdf_fail(err, EINVAL, "writes are not logged");
    if (!is_power_of_two(in->page_size) || (in->address | in->size) % VDF_VFU_PAGE || !in->size ||
        __builtin_add_overflow(in->address, in->size - 1, &end))
        return vdf_fail(err, EINVAL,
                        "0x%" PRIx64 " bytes at 0x%" PRIx64 ", page_size 0x%" PRIx64
                        ": multiples of %u bytes, and a power of two",
                        in->size, in->address, in->page_size, VDF_VFU_PAGE);
    if ((in->size - 1) / in->page_size >= VDF_VFU_DATA_MAX * UINT64_C(8))
        return vdf_fail(err, EINVAL, "0x%" PRIx64 " bits: a message transfers %u bytes",
                        (in->size - 1) / in->page_size + 1, VDF_VFU_DATA_MAX);
    return 0;
}

/* A log that does not fit is kept. */
static int report_logging(struct vdf_vfu *vfu, struct vdf_vfu_call *call, struct vdf_err *err)
{
    struct vdf_vfu_feature header;
    struct vdf_vfu_logging_report in, *out;

    memcpy(&header, call->in->payload, sizeof(header));
    get_data(call, &in, sizeof(in));
    int ret = check_report(vfu, &in, err);
    if (ret < 0)
        return ret;
    size_t words = (size_t)((in.size - 1) / in.page_size / 64 + 1), bytes = words * 8;
    size_t needed = sizeof(header) + sizeof(in) + bytes;
    bool fits = header.argsz >= needed;
    out = get_room(vfu, call, sizeof(in) + (fits ? bytes : 0));
    if (!out)
        return vdf_fail(err, ENOMEM, "no memory for the reply");
    ((struct vdf_vfu_feature *)call->out)->argsz = (uint32_t)needed;
    *out = in;
    return fits
               ? vdf_vfu_log_take(vfu, in.address, in.size, in.page_size, (uint8_t *)(out + 1), err)
               : 0;
}

/* --- the table ----------------------------------------------------------------------------------- */

struct feature {
    vdf_vfu_request *get, *set;
    uint32_t get_size, set_size; /* bytes of data that the command has, or more */
    uint32_t get_reply;          /* bytes of data that the reply has, or more */
};

static const struct feature features[] = {
    [VFIO_DEVICE_FEATURE_MIGRATION] = { .get = get_migration, .get_reply = 8 },
    [VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE] = { .get = get_state,
                                               .get_reply = sizeof(struct vdf_vfu_mig_state),
                                               .set = change_state,
                                               .set_size = sizeof(struct vdf_vfu_mig_state) },
    [VFIO_DEVICE_FEATURE_DMA_LOGGING_START] = { .set = start_logging,
                                                .set_size = sizeof(struct vdf_vfu_logging) },
    [VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP] = { .set = stop_logging },
    [VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT] = { .get = report_logging,
                                                 .get_size = sizeof(struct vdf_vfu_logging_report),
                                                 .get_reply =
                                                     sizeof(struct vdf_vfu_logging_report) },
};

/* The function for the operation. */
static int pick(const struct feature *feature, uint32_t flags, vdf_vfu_request **handle,
                struct vdf_err *err)
{
    uint32_t operations = flags & ~VFIO_DEVICE_FEATURE_MASK;
    bool get = operations & VFIO_DEVICE_FEATURE_GET, set = operations & VFIO_DEVICE_FEATURE_SET;
    bool probe = operations & VFIO_DEVICE_FEATURE_PROBE;

    if (!feature)
        return vdf_fail(err, ENOTTY, "feature %u is not supported",
                        flags & VFIO_DEVICE_FEATURE_MASK);
    if (operations & ~OPERATIONS || (get && set && !probe) || !operations)
        return vdf_fail(err, EINVAL, "flags 0x%x: GET, SET, or PROBE with or without them", flags);
    *handle = get ? feature->get : set ? feature->set : echo;
    if (!*handle || (set && !feature->set))
        return vdf_fail(err, EINVAL, "feature %u is only %s", flags & VFIO_DEVICE_FEATURE_MASK,
                        feature->get ? "got" : "set");
    if (probe)
        *handle = echo;
    return 0;
}

static int check_sizes(const struct vdf_vfu_message *message, uint32_t argsz, uint32_t size,
                       uint32_t reply, struct vdf_err *err)
{
    uint32_t len = message->len - (uint32_t)sizeof(struct vdf_vfu_feature);

    if (len < size || argsz - sizeof(struct vdf_vfu_feature) < reply)
        return vdf_fail(err, EINVAL, "%u bytes of data, argsz %u: %u and %zu are needed", len,
                        argsz, size, sizeof(struct vdf_vfu_feature) + reply);
    return 0;
}

int vdf_vfu_feature(struct vdf_vfu *vfu, struct vdf_vfu_call *call, struct vdf_err *err)
{
    struct vdf_vfu_feature in;

    memcpy(&in, call->in->payload, sizeof(in));
    uint32_t index = in.flags & VFIO_DEVICE_FEATURE_MASK;
    const struct feature *feature =
        index < sizeof(features) / sizeof(features[0]) ? &features[index] : NULL;
    if (feature && !feature->get && !feature->set)
        feature = NULL;
    vdf_vfu_request *handle;
    int ret = pick(feature, in.flags, &handle, err);
    if (ret < 0)
        return ret;
    uint32_t len = call->in->len - (uint32_t)sizeof(in);
    if (handle == echo)
        ret = check_sizes(call->in, in.argsz, 0, len, err);
    else if (in.flags & VFIO_DEVICE_FEATURE_GET)
        ret = check_sizes(call->in, in.argsz, feature->get_size, feature->get_reply, err);
    else
        ret = check_sizes(call->in, in.argsz, feature->set_size, len, err);
    return ret < 0 ? ret : handle(vfu, call, err);
}
