/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The messages of vhost-user, by the names of QEMU's docs/interop/vhost-user.rst. */
#ifndef VDF_CONSOLE_VHOST_USER_PROTOCOL_H
#define VDF_CONSOLE_VHOST_USER_PROTOCOL_H

#include <stdint.h>

#define VDF_VU_QUEUES_MAX 256u /* the ring messages have eight bits for the number */
#define VDF_VU_PORTS_MAX (VDF_VU_QUEUES_MAX / 2 - 1)
#define VDF_VU_FDS_MAX 8u       /* descriptors in a message */
#define VDF_VU_PAYLOAD_MAX 512u /* the longest is SET_MEM_TABLE, 264 bytes */
#define VDF_VU_TABLE_MAX 8u     /* regions in SET_MEM_TABLE */
#define VDF_VU_REGIONS_MAX 32u  /* regions at one time */
#define VDF_VU_CONFIG_MAX 256u  /* bytes of configuration space that can be asked for */

#define VDF_VU_F_PROTOCOL_FEATURES (UINT64_C(1) << 30)

#define VDF_VU_P_MQ (UINT64_C(1) << 0)
#define VDF_VU_P_REPLY_ACK (UINT64_C(1) << 3)
#define VDF_VU_P_BACKEND_REQ (UINT64_C(1) << 5)
#define VDF_VU_P_CONFIG (UINT64_C(1) << 9)
#define VDF_VU_P_INFLIGHT (UINT64_C(1) << 12)
#define VDF_VU_P_RESET_DEVICE (UINT64_C(1) << 13)
#define VDF_VU_P_MEM_SLOTS (UINT64_C(1) << 15)
#define VDF_VU_P_STATUS (UINT64_C(1) << 16)

#define VDF_VU_VERSION 1u
#define VDF_VU_VERSION_MASK 3u
#define VDF_VU_REPLY 4u
#define VDF_VU_NEED_REPLY 8u

enum vdf_vu_request {
    VDF_VU_GET_FEATURES = 1,
    VDF_VU_SET_FEATURES = 2,
    VDF_VU_SET_OWNER = 3,
    VDF_VU_RESET_OWNER = 4,
    VDF_VU_SET_MEM_TABLE = 5,
    VDF_VU_SET_VRING_NUM = 8,
    VDF_VU_SET_VRING_ADDR = 9,
    VDF_VU_SET_VRING_BASE = 10,
    VDF_VU_GET_VRING_BASE = 11,
    VDF_VU_SET_VRING_KICK = 12,
    VDF_VU_SET_VRING_CALL = 13,
    VDF_VU_SET_VRING_ERR = 14,
    VDF_VU_GET_PROTOCOL_FEATURES = 15,
    VDF_VU_SET_PROTOCOL_FEATURES = 16,
    VDF_VU_GET_QUEUE_NUM = 17,
    VDF_VU_SET_VRING_ENABLE = 18,
    VDF_VU_SET_BACKEND_REQ_FD = 21,
    VDF_VU_GET_CONFIG = 24,
    VDF_VU_SET_CONFIG = 25,
    VDF_VU_GET_INFLIGHT_FD = 31,
    VDF_VU_SET_INFLIGHT_FD = 32,
    VDF_VU_RESET_DEVICE = 34,
    VDF_VU_GET_MAX_MEM_SLOTS = 36,
    VDF_VU_ADD_MEM_REG = 37,
    VDF_VU_REM_MEM_REG = 38,
    VDF_VU_SET_STATUS = 39,
    VDF_VU_GET_STATUS = 40,
};

/* From the device to the front end, over the socket of SET_BACKEND_REQ_FD. */
#define VDF_VU_BACKEND_CONFIG_CHANGE 2u

struct vdf_vu_header {
    uint32_t request;
    uint32_t flags;
    uint32_t size; /* bytes of payload */
};

struct vdf_vu_vring_state {
    uint32_t index;
    uint32_t num;
};

struct vdf_vu_vring_addr {
    uint32_t index;
    uint32_t flags;
    uint64_t desc; /* this and the next two: addresses in the front end's process */
    uint64_t used;
    uint64_t avail;
    uint64_t log;
};

struct vdf_vu_region {
    uint64_t guest;
    uint64_t size;
    uint64_t user;
    uint64_t offset; /* in the file */
};

struct vdf_vu_table {
    uint32_t n;
    uint32_t padding;
    struct vdf_vu_region regions[VDF_VU_TABLE_MAX];
};

struct vdf_vu_one_region {
    uint64_t padding;
    struct vdf_vu_region region;
};

struct vdf_vu_inflight {
    uint64_t size;
    uint64_t offset; /* in the file */
    uint16_t n_queues;
    uint16_t queue_size;
};
#define VDF_VU_INFLIGHT_SIZE 20u

struct vdf_vu_config {
    uint32_t offset;
    uint32_t size;
    uint32_t flags;
    uint8_t bytes[VDF_VU_CONFIG_MAX];
};
#define VDF_VU_CONFIG_HEADER 12u

#endif
