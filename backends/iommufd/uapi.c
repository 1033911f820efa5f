/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Comparison of uapi.h with the system's headers, as far as they are new enough. */
#include <assert.h>
#include <linux/vfio.h>
#include <stddef.h>
#if __has_include(<linux/iommufd.h>)
#include <linux/iommufd.h>
#endif
#include <virtdevfs/iommufd.h>

#include "uapi.h"

#define SAME_NUMBER(ours, theirs) static_assert((ours) == (theirs), #theirs)
#define SAME_SIZE(ours, theirs) \
    static_assert(sizeof(struct ours) == sizeof(struct theirs), "struct " #theirs)
#define SAME_FIELD(ours, our_field, theirs, field)                                      \
    static_assert(offsetof(struct ours, our_field) == offsetof(struct theirs, field) && \
                      sizeof(((struct ours *)0)->our_field) ==                          \
                          sizeof(((struct theirs *)0)->field),                          \
                  #theirs "." #field)

#ifdef IOMMU_IOAS_MAP
SAME_NUMBER(UAPI_DESTROY, IOMMU_DESTROY);
SAME_SIZE(uapi_destroy, iommu_destroy);
SAME_NUMBER(UAPI_IOAS_ALLOC, IOMMU_IOAS_ALLOC);
SAME_SIZE(uapi_ioas_alloc, iommu_ioas_alloc);
SAME_FIELD(uapi_ioas_alloc, out_ioas_id, iommu_ioas_alloc, out_ioas_id);
SAME_NUMBER(UAPI_IOAS_MAP, IOMMU_IOAS_MAP);
SAME_NUMBER(UAPI_MAP_FIXED_IOVA, IOMMU_IOAS_MAP_FIXED_IOVA);
SAME_NUMBER(UAPI_MAP_WRITEABLE, IOMMU_IOAS_MAP_WRITEABLE);
SAME_NUMBER(UAPI_MAP_READABLE, IOMMU_IOAS_MAP_READABLE);
SAME_SIZE(uapi_ioas_map, iommu_ioas_map);
SAME_FIELD(uapi_ioas_map, ioas_id, iommu_ioas_map, ioas_id);
SAME_FIELD(uapi_ioas_map, user_va, iommu_ioas_map, user_va);
SAME_FIELD(uapi_ioas_map, length, iommu_ioas_map, length);
SAME_FIELD(uapi_ioas_map, iova, iommu_ioas_map, iova);
SAME_NUMBER(UAPI_IOAS_UNMAP, IOMMU_IOAS_UNMAP);
SAME_SIZE(uapi_ioas_unmap, iommu_ioas_unmap);
SAME_FIELD(uapi_ioas_unmap, iova, iommu_ioas_unmap, iova);
SAME_FIELD(uapi_ioas_unmap, length, iommu_ioas_unmap, length);
#endif

#ifdef IOMMU_VIOMMU_ALLOC
SAME_NUMBER(UAPI_HWPT_ALLOC, IOMMU_HWPT_ALLOC);
SAME_NUMBER(UAPI_HWPT_NEST_PARENT, IOMMU_HWPT_ALLOC_NEST_PARENT);
SAME_NUMBER(VDF_IOMMU_HWPT_INTEL_VTD_S1, IOMMU_HWPT_DATA_VTD_S1);
SAME_NUMBER(VDF_IOMMU_HWPT_ARM_SMMUV3, IOMMU_HWPT_DATA_ARM_SMMUV3);
SAME_SIZE(uapi_hwpt_alloc, iommu_hwpt_alloc);
SAME_FIELD(uapi_hwpt_alloc, pt_id, iommu_hwpt_alloc, pt_id);
SAME_FIELD(uapi_hwpt_alloc, out_hwpt_id, iommu_hwpt_alloc, out_hwpt_id);
SAME_FIELD(uapi_hwpt_alloc, data_type, iommu_hwpt_alloc, data_type);
SAME_FIELD(uapi_hwpt_alloc, data_uptr, iommu_hwpt_alloc, data_uptr);
SAME_SIZE(vdf_iommu_hwpt_arm_smmuv3, iommu_hwpt_arm_smmuv3);
SAME_NUMBER(UAPI_VIOMMU_ALLOC, IOMMU_VIOMMU_ALLOC);
SAME_NUMBER(VDF_IOMMU_VIOMMU_ARM_SMMUV3, IOMMU_VIOMMU_TYPE_ARM_SMMUV3);
SAME_SIZE(uapi_viommu_alloc, iommu_viommu_alloc);
SAME_FIELD(uapi_viommu_alloc, hwpt_id, iommu_viommu_alloc, hwpt_id);
SAME_FIELD(uapi_viommu_alloc, out_viommu_id, iommu_viommu_alloc, out_viommu_id);
SAME_NUMBER(UAPI_VDEVICE_ALLOC, IOMMU_VDEVICE_ALLOC);
SAME_SIZE(uapi_vdevice_alloc, iommu_vdevice_alloc);
SAME_FIELD(uapi_vdevice_alloc, out_vdevice_id, iommu_vdevice_alloc, out_vdevice_id);
SAME_FIELD(uapi_vdevice_alloc, virt_id, iommu_vdevice_alloc, virt_id);
SAME_NUMBER(UAPI_GET_HW_INFO, IOMMU_GET_HW_INFO);
SAME_NUMBER(VDF_IOMMU_HW_INFO_ARM_SMMUV3, IOMMU_HW_INFO_TYPE_ARM_SMMUV3);
SAME_SIZE(uapi_hw_info, iommu_hw_info);
SAME_FIELD(uapi_hw_info, data_type, iommu_hw_info, out_data_type);
SAME_FIELD(uapi_hw_info, out_capabilities, iommu_hw_info, out_capabilities);
#endif

#ifdef IOMMU_VEVENTQ_ALLOC
SAME_NUMBER(UAPI_VEVENTQ_ALLOC, IOMMU_VEVENTQ_ALLOC);
SAME_NUMBER(VDF_IOMMU_VEVENTQ_ARM_SMMUV3, IOMMU_VEVENTQ_TYPE_ARM_SMMUV3);
SAME_NUMBER(VDF_IOMMU_VEVENT_LOST_EVENTS, IOMMU_VEVENTQ_FLAG_LOST_EVENTS);
SAME_SIZE(uapi_veventq_alloc, iommu_veventq_alloc);
SAME_FIELD(uapi_veventq_alloc, veventq_depth, iommu_veventq_alloc, veventq_depth);
SAME_FIELD(uapi_veventq_alloc, out_veventq_id, iommu_veventq_alloc, out_veventq_id);
SAME_FIELD(uapi_veventq_alloc, out_veventq_fd, iommu_veventq_alloc, out_veventq_fd);
SAME_SIZE(vdf_iommu_vevent_header, iommufd_vevent_header);
#endif

#ifdef IOMMU_HW_QUEUE_ALLOC
SAME_NUMBER(UAPI_HW_QUEUE_ALLOC, IOMMU_HW_QUEUE_ALLOC);
SAME_NUMBER(VDF_IOMMU_HW_QUEUE_TEGRA241, IOMMU_HW_QUEUE_TYPE_TEGRA241_CMDQV);
SAME_NUMBER(VDF_IOMMU_VIOMMU_TEGRA241, IOMMU_VIOMMU_TYPE_TEGRA241_CMDQV);
SAME_NUMBER(VDF_IOMMU_VEVENTQ_TEGRA241, IOMMU_VEVENTQ_TYPE_TEGRA241_CMDQV);
SAME_NUMBER(VDF_IOMMU_HW_INFO_TEGRA241, IOMMU_HW_INFO_TYPE_TEGRA241_CMDQV);
SAME_NUMBER(UAPI_HW_INFO_INPUT_TYPE, IOMMU_HW_INFO_FLAG_INPUT_TYPE);
SAME_SIZE(uapi_hw_queue_alloc, iommu_hw_queue_alloc);
SAME_FIELD(uapi_hw_queue_alloc, index, iommu_hw_queue_alloc, index);
SAME_FIELD(uapi_hw_queue_alloc, out_hw_queue_id, iommu_hw_queue_alloc, out_hw_queue_id);
SAME_FIELD(uapi_hw_queue_alloc, nesting_parent_iova, iommu_hw_queue_alloc, nesting_parent_iova);
SAME_FIELD(uapi_hw_queue_alloc, length, iommu_hw_queue_alloc, length);
SAME_SIZE(vdf_iommu_viommu_tegra241, iommu_viommu_tegra241_cmdqv);
SAME_FIELD(vdf_iommu_viommu_tegra241, mmap_length, iommu_viommu_tegra241_cmdqv,
           out_vintf_mmap_length);
SAME_SIZE(vdf_iommu_hw_info_tegra241, iommu_hw_info_tegra241_cmdqv);
SAME_FIELD(vdf_iommu_hw_info_tegra241, log2vsids, iommu_hw_info_tegra241_cmdqv, log2vsids);
#endif

#ifdef VFIO_DEVICE_BIND_IOMMUFD
SAME_NUMBER(UAPI_BIND_IOMMUFD, VFIO_DEVICE_BIND_IOMMUFD);
SAME_FIELD(uapi_bind_iommufd, iommufd, vfio_device_bind_iommufd, iommufd);
SAME_FIELD(uapi_bind_iommufd, out_devid, vfio_device_bind_iommufd, out_devid);
SAME_NUMBER(UAPI_ATTACH_IOMMUFD_PT, VFIO_DEVICE_ATTACH_IOMMUFD_PT);
SAME_FIELD(uapi_attach_pt, pt_id, vfio_device_attach_iommufd_pt, pt_id);
SAME_NUMBER(UAPI_DETACH_IOMMUFD_PT, VFIO_DEVICE_DETACH_IOMMUFD_PT);
SAME_FIELD(uapi_detach_pt, flags, vfio_device_detach_iommufd_pt, flags);
#endif

SAME_NUMBER(UAPI_VFIO(0), VFIO_GET_API_VERSION);
