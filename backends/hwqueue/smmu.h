/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SMMUv3: its commands, as a VCMDQ executes them, and its identification registers. */
#ifndef VDF_HWQUEUE_SMMU_H
#define VDF_HWQUEUE_SMMU_H

#include <virtdevfs/component.h>
#include <virtdevfs/iommufd.h>

struct vdf_hwqueue;
struct vdf_vcmdq;

/* CONS.ERR */
enum vdf_cerror {
    VDF_CERROR_NONE,
    VDF_CERROR_ILL,
    VDF_CERROR_ABT,
    VDF_CERROR_ATC_INV_SYNC,
    VDF_CERROR_ILL_ACCESS,
};

/**
 * vdf_smmu_command() - execute one command of a VCMDQ.
 * @why: set with VDF_CERROR_ILL: what is wrong with it
 */
enum vdf_cerror vdf_smmu_command(struct vdf_vcmdq *queue, uint64_t w0, uint64_t w1,
                                 const char **why);
/** vdf_smmu_show_hw_info() - the SMMUv3's identification registers, a "name = value" a line. */
void vdf_smmu_show_hw_info(const struct vdf_iommu_hw_info_smmuv3 *info, struct vdf_buf *out);
/** vdf_smmu_hw_info() - those of the model. */
void vdf_smmu_hw_info(const struct vdf_hwqueue *dev, struct vdf_iommu_hw_info_smmuv3 *info);
/** vdf_smmu_signal() - send the MSI of the CMD_SYNC that has just been executed. */
void vdf_smmu_signal(struct vdf_vcmdq *queue);
const char *vdf_smmu_command_name(uint64_t w0);

#endif
