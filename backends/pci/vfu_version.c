/* SPDX-License-Identifier: GPL-2.0-or-later */
/* VERSION: what the client and the server can do. See section "Version". */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "vfu_json.h"
#include "vfu_server.h"

#define DATA_LEAST 8u      /* bytes: a word of a ring is read with one message */
#define VERSION_MOST 4096u /* bytes of the client's capabilities */
#define DEFAULT_FDS 1u
#define DEFAULT_DATA (1024u * 1024)

/* The capabilities that the client proposes; the reply has no others. */
struct proposal {
    bool fds, data, maps, pages, multiple, twin;
    uint64_t n_fds, n_data, n_maps, page_sizes;
};

static int read_twin(void *ctx, const char *key, struct vdf_vfu_json *json)
{
    struct proposal *proposal = ctx;

    return strcmp(key, "supported") == 0 ? vdf_vfu_json_bool(json, &proposal->twin)
                                         : vdf_vfu_json_skip(json);
}

static int read_number(struct vdf_vfu_json *json, bool *there, uint64_t *value)
{
    *there = true;
    return vdf_vfu_json_number(json, value);
}

static int read_capability(void *ctx, const char *key, struct vdf_vfu_json *json)
{
    struct proposal *proposal = ctx;

    if (strcmp(key, "max_msg_fds") == 0)
        return read_number(json, &proposal->fds, &proposal->n_fds);
    if (strcmp(key, "max_data_xfer_size") == 0)
        return read_number(json, &proposal->data, &proposal->n_data);
    if (strcmp(key, "max_dma_maps") == 0)
        return read_number(json, &proposal->maps, &proposal->n_maps);
    if (strcmp(key, "pgsizes") == 0)
        return read_number(json, &proposal->pages, &proposal->page_sizes);
    if (strcmp(key, "write_multiple") == 0)
        return vdf_vfu_json_bool(json, &proposal->multiple);
    if (strcmp(key, "twin_socket") == 0)
        return vdf_vfu_json_object(json, read_twin, proposal);
    return vdf_vfu_json_skip(json);
}

static int read_top(void *ctx, const char *key, struct vdf_vfu_json *json)
{
    return strcmp(key, "capabilities") == 0 ? vdf_vfu_json_object(json, read_capability, ctx)
                                            : vdf_vfu_json_skip(json);
}

static int read_proposal(const uint8_t *text, size_t len, struct proposal *proposal,
                         struct vdf_err *err)
{
    struct vdf_vfu_json json = { .at = (const char *)text };

    if (!len)
        return 0;
    if (len > VERSION_MOST || text[len - 1])
        return vdf_fail(err, EINVAL, "%zu bytes of capabilities: at most %u, the last of them NUL",
                        len, VERSION_MOST);
    int ret = strlen(json.at) + 1 == len ? vdf_vfu_json_object(&json, read_top, proposal) : -EINVAL;
    if (ret == 0)
        ret = vdf_vfu_json_end(&json);
    if (ret < 0)
        return vdf_fail(err, EINVAL, "capabilities, at byte %zu: not the JSON of the specification",
                        (size_t)(json.at - (const char *)text));
    return 0;
}

static int check_proposal(const struct proposal *proposal, struct vdf_err *err)
{
    if (proposal->data && proposal->n_data < DATA_LEAST)
        return vdf_fail(err, EINVAL, "max_data_xfer_size %" PRIu64 ": at least %u is needed",
                        proposal->n_data, DATA_LEAST);
    if (proposal->pages && !(proposal->page_sizes & VDF_VFU_PAGE))
        return vdf_fail(err, EINVAL, "pgsizes 0x%" PRIx64 ": pages of %u bytes are needed",
                        proposal->page_sizes, VDF_VFU_PAGE);
    return 0;
}

/* A socket of its own for the commands of this server. The client's end goes out with the reply. */
static int open_twin(struct vdf_vfu *vfu, struct vdf_vfu_call *call, struct vdf_err *err)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return vdf_fail(err, errno, "no socket for twin_socket: %s", strerror(errno));
    call->fds[call->n_fds++] = ends[1];
    call->sent_fd = ends[1];
    vdf_lock(&vfu->link.lock);
    vfu->link.twin.fd = ends[0];
    /* A link that is being closed has shut its sockets down already. */
    if (vfu->link.closed)
        shutdown(ends[0], SHUT_RDWR);
    vdf_unlock(&vfu->link.lock);
    return 0;
}

static void begin_member(struct vdf_buf *out, const char *name)
{
    vdf_buf_printf(out, "%s\"%s\":", out->data[out->len - 1] == '{' ? "" : ",", name);
}

static void add_number(struct vdf_buf *out, bool there, const char *name, unsigned value)
{
    if (!there)
        return;
    begin_member(out, name);
    vdf_buf_add_decimal(out, value);
}

/* The reply is no longer than a proposal with the same capabilities, because QEMU has room for no
 * more. */
static void write_reply(const struct proposal *proposal, struct vdf_buf *out)
{
    vdf_buf_printf(out, "{\"capabilities\":{");
    add_number(out, proposal->fds, "max_msg_fds", VDF_VFU_FDS_MAX);
    add_number(out, proposal->data, "max_data_xfer_size", VDF_VFU_DATA_MAX);
    add_number(out, proposal->maps, "max_dma_maps", VDF_VFU_MAPS_MAX);
    add_number(out, proposal->pages, "pgsizes", VDF_VFU_PAGE);
    if (proposal->multiple) {
        begin_member(out, "write_multiple");
        vdf_buf_printf(out, "true");
    }
    if (proposal->twin) {
        begin_member(out, "twin_socket");
        vdf_buf_printf(out, "{\"supported\":true,\"fd_index\":0}");
    }
    vdf_buf_add(out, "}}", sizeof("}}"));
}

static int make_reply(struct vdf_vfu *vfu, struct vdf_vfu_call *call, uint16_t minor,
                      const struct proposal *proposal, bool has_data, struct vdf_err *err)
{
    const struct vdf_vfu_version version = { .major = VDF_VFU_MAJOR, .minor = minor };
    struct vdf_buf text = VDF_BUF_INIT;

    vdf_buf_add(&text, &version, sizeof(version));
    if (has_data)
        write_reply(proposal, &text);
    void *room = text.oom ? NULL : vdf_vfu_room(vfu, call, text.len);
    if (room)
        memcpy(room, text.data, text.len);
    vdf_buf_free(&text);
    return room ? 0 : vdf_fail(err, ENOMEM, "no memory for the reply");
}

int vdf_vfu_negotiate(struct vdf_vfu *vfu, struct vdf_vfu_call *call, struct vdf_err *err)
{
    struct vdf_vfu_version version;
    struct proposal proposal = { .n_fds = DEFAULT_FDS, .n_data = DEFAULT_DATA };
    size_t len = call->in->len - sizeof(version);

    memcpy(&version, call->in->payload, sizeof(version));
    if (vfu->peer.negotiated)
        return vdf_fail(err, EINVAL, "the version was agreed on before");
    if (version.major != VDF_VFU_MAJOR) {
        call->last = true;
        return vdf_fail(err, EINVAL, "version %u.%u: the major version is %u", version.major,
                        version.minor, VDF_VFU_MAJOR);
    }
    int ret = read_proposal(call->in->payload + sizeof(version), len, &proposal, err);
    if (ret == 0)
        ret = check_proposal(&proposal, err);
    proposal.twin &= proposal.n_fds > 0;
    /* There has been one minor version, 0. */
    if (ret == 0)
        ret = make_reply(vfu, call, 0, &proposal, len != 0, err);
    if (ret == 0 && proposal.twin)
        ret = open_twin(vfu, call, err);
    if (ret == 0)
        ret = vdf_pci_set_running(vfu->pci, true, &vfu->stop);
    if (ret < 0)
        return ret;
    vfu->peer = (struct vdf_vfu_peer){
        .negotiated = true,
        .fds =
            proposal.n_fds < VDF_SOCKET_SEND_FDS ? (unsigned)proposal.n_fds : VDF_SOCKET_SEND_FDS,
        .data = proposal.n_data < VDF_VFU_DATA_MAX ? proposal.n_data : VDF_VFU_DATA_MAX,
    };
    return 0;
}
