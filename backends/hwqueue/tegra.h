/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Tegra241 CMDQV: its registers, and the VINTF that a guest owns. */
#ifndef VDF_HWQUEUE_TEGRA_H
#define VDF_HWQUEUE_TEGRA_H

#include <virtdevfs/component.h>

#include "bits.h"

struct vdf_hwqueue;

#define VDF_QUEUES 4u /* of a device; the mock refuses the third */
#define VDF_VCMDQS 2u /* 1 << PARAM.NUM_VCMDQ_LOG2 */
#define VDF_VINTF_PAGE_SIZE 0x10000u
#define VDF_VCMDQ_LOG2_MIN 1u  /* 32 bytes: BASE.ADDR has no bits below */
#define VDF_VCMDQ_LOG2_MAX 19u /* PROD.WR has 19 bits and the wrap bit; the largest IDR1.CMDQS */

/* The registers of a VCMDQ that is no queue yet. A driver may set them up before the allocation. */
enum vdf_idle_reg {
    VDF_IDLE_BASE,
    VDF_IDLE_CONS_BASE,
    VDF_IDLE_CONS,
    VDF_IDLE_PROD,
    VDF_IDLE_CONFIG,
    VDF_IDLE_GERRORN,
    VDF_IDLE_REGS,
};

/* The registers of the CMDQV around the queues. */
struct vdf_tegra {
    uint32_t global_config, vintf_config, vintf_int_mask;
    uint32_t hw_info_type;            /* the input type of GET_HW_INFO */
    uint8_t cmdqs;                    /* IDR1.CMDQS */
    uint32_t cmdq_preset[VDF_VCMDQS]; /* CMDQ_ALLOC without ALLOC, as written last */
    uint64_t idle[VDF_VCMDQS][VDF_IDLE_REGS];
    struct vdf_memory vintf_page; /* `vintf/page0` */
    bool vintf_published;         /* the registers are there */
    bool vintf_open;
};

#define VDF_PARAM_VER 1u
#define VDF_PARAM_NUM_VCMDQ_LOG2 1u
#define VDF_PARAM_NUM_VINTF_LOG2 0u
#define VDF_PARAM_NUM_SID_PER_VM_LOG2 4u
#define VDF_VINTF_CONFIG_EN VDF_BIT(0)
#define VDF_VINTF_CONFIG_HYP_OWN VDF_BIT(17)
#define VDF_VINTF_CONFIG_MASK 0x3ffffu
#define VDF_GLOBAL_CONFIG_EN VDF_BIT(0)
#define VDF_GLOBAL_CONFIG_CONS_DRAM_EN VDF_BIT(20)
#define VDF_GLOBAL_CONFIG_MASK 0x1fffffu
#define VDF_CMDQ_PRESET_MASK 0x1f80feu /* CMDQ_ALLOC: LVCMDQ 7:1, VINTF 20:15 */

/** vdf_cmdqv_error_map() - LVCMDQ_ERR_MAP: the queues whose error is not acknowledged. */
uint64_t vdf_cmdqv_error_map(const struct vdf_hwqueue *dev);
/** vdf_cmdqv_error_raised() - add the new error of a queue to the vEVENTQ. */
void vdf_cmdqv_error_raised(struct vdf_hwqueue *dev);
/** vdf_cmdqv_reset() - all registers as in a new device, which has no queues. */
void vdf_cmdqv_reset(struct vdf_hwqueue *dev);

#endif
