/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * iommufd of this host: the devices that can be bound to it, and what their IOMMUs can do for a
 * guest. An unused device is bound briefly, which resets it as every use does.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <virtdevfs/iommufd.h>

#define VFIO_PCI "/sys/bus/pci/drivers/vfio-pci"
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
    uint32_t type;
    const char *name;
} hw_infos[] = {
    { VDF_IOMMU_HW_INFO_INTEL_VTD, "Intel VT-d" },
    { VDF_IOMMU_HW_INFO_ARM_SMMUV3, "ARM SMMUv3" },
    { VDF_IOMMU_HW_INFO_TEGRA241, "Tegra241 CMDQV" },
    { VDF_IOMMU_HW_INFO_AMD, "AMD" },
    { VDF_IOMMU_HW_INFO_SELFTEST, "the selftests' mock" },
};

/* Types of vIOMMU, and the bytes of driver data that each exchanges. */
static const struct {
    uint32_t type;
    const char *name;
    uint32_t data;
    bool queues; /* it has hardware queues */
} viommus[] = {
    { VDF_IOMMU_VIOMMU_ARM_SMMUV3, "arm-smmuv3", 0, false },
    { VDF_IOMMU_VIOMMU_TEGRA241, "tegra241-cmdqv", sizeof(struct vdf_iommu_viommu_tegra241), true },
    { VDF_IOMMU_VIOMMU_SELFTEST, "selftest", sizeof(struct vdf_iommu_viommu_selftest), true },
};

static const char *hw_info_name(uint32_t type)
{
    for (size_t k = 0; k < COUNT(hw_infos); k++)
        if (hw_infos[k].type == type)
            return hw_infos[k].name;
    return type ? "of an unknown kind" : "no information";
}

static bool try_viommu(int iommu, size_t k, uint32_t dev_id, uint32_t hwpt)
{
    union {
        struct vdf_iommu_viommu_tegra241 tegra241;
        struct vdf_iommu_viommu_selftest selftest;
    } data = { 0 };
    uint32_t viommu;

    if (vdf_iommufd_viommu_alloc(iommu, viommus[k].type, dev_id, hwpt,
                                 viommus[k].data ? &data : NULL, viommus[k].data, &viommu,
                                 NULL) < 0)
        return false;
    vdf_iommufd_destroy(iommu, viommu, NULL);
    return true;
}

/* Makes a vIOMMU of each type on a page table that can be nested, and removes it. */
static void report_viommus(struct vdf_probe *probe, int iommu, uint32_t dev_id, uint32_t ioas)
{
    char found[64] = "", queues[64] = "";
    uint32_t hwpt;

    if (vdf_iommufd_hwpt_parent(iommu, dev_id, ioas, &hwpt, NULL) < 0) {
        vdf_probe_value(probe, "nesting", "no");
        return;
    }
    vdf_probe_value(probe, "nesting", "yes");
    for (size_t k = 0; k < COUNT(viommus); k++) {
        if (!try_viommu(iommu, k, dev_id, hwpt))
            continue;
        size_t len = strlen(found), queues_len = strlen(queues);
        snprintf(found + len, sizeof(found) - len, "%s%s", len ? "," : "", viommus[k].name);
        if (viommus[k].queues)
            snprintf(queues + queues_len, sizeof(queues) - queues_len, "%s%s",
                     queues_len ? "," : "", viommus[k].name);
    }
    vdf_iommufd_destroy(iommu, hwpt, NULL);
    vdf_probe_value(probe, "viommu", "%s", *found ? found : "none");
    vdf_probe_value(probe, "hw_queue", "%s", *queues ? queues : "none");
}

/* @dev_id is bound to @iommu. */
static void report_device(struct vdf_probe *probe, const char *name, int iommu, uint32_t dev_id,
                          uint32_t ioas)
{
    struct vdf_err err = { 0 };
    uint32_t type = VDF_IOMMU_HW_INFO_DEFAULT;
    uint64_t capabilities = 0;
    int ret = vdf_iommufd_hw_info(iommu, dev_id, &type, NULL, 0, &capabilities, &err);

    if (ret < 0) {
        vdf_probe_lack(probe, name, "%s", err.text);
        vdf_probe_remedy(probe, "Linux 6.7 or newer");
        return;
    }
    vdf_probe_have(probe, name, "its IOMMU: %s", hw_info_name(type));
    vdf_probe_value(probe, "hw_info", "0x%x", type);
    vdf_probe_value(probe, "capabilities", "0x%" PRIx64, capabilities);
    report_viommus(probe, iommu, dev_id, ioas);
}

static void try_vfio(struct vdf_probe *probe, const char *address, int iommu, uint32_t ioas)
{
    struct vdf_err err = { 0 };
    uint32_t dev_id;
    int device;

    if (vdf_vfio_open(address, &device, &err) < 0) {
        vdf_probe_lack(probe, address, "%s", err.text);
        return;
    }
    if (vdf_vfio_bind(device, iommu, &dev_id, &err) == 0) {
        report_device(probe, address, iommu, dev_id, ioas);
    } else {
        vdf_probe_lack(probe, address, "%s", err.text);
        vdf_probe_remedy(probe, "that no other program uses it");
    }
    close(device);
}

static void try_all_vfio(struct vdf_probe *probe, int iommu, uint32_t ioas)
{
    struct dirent **names;
    int n = scandir(VFIO_PCI, &names, NULL, alphasort);
    unsigned tried = 0;

    for (int k = 0; k < n; k++) {
        /* Beside the devices' addresses there are files. */
        if (strchr(names[k]->d_name, ':')) {
            try_vfio(probe, names[k]->d_name, iommu, ioas);
            tried++;
        }
        free(names[k]);
    }
    if (n >= 0)
        free(names);
    if (!tried) {
        vdf_probe_lack(probe, "devices", "no PCI device is bound to vfio-pci");
        vdf_probe_remedy(probe, "a device that is bound to vfio-pci, see vfio");
    }
}

static void try_mock(struct vdf_probe *probe, int iommu, uint32_t ioas)
{
    struct vdf_err err = { 0 };
    uint32_t stdev, dev_id;
    int ret = vdf_iommufd_mock_device(iommu, ioas, &stdev, &dev_id, &err);

    if (ret < 0) {
        vdf_probe_lack(probe, "mock", "%s", err.text);
        if (ret == -ENOTTY)
            vdf_probe_remedy(probe, "a kernel with CONFIG_IOMMUFD_TEST=y, for tests only");
        return;
    }
    report_device(probe, "mock", iommu, dev_id, ioas);
    vdf_iommufd_destroy(iommu, stdev, NULL);
}

static void run(struct vdf_probe *probe)
{
    struct vdf_err err = { 0 };
    uint32_t ioas;
    int iommu = vdf_probe_open(probe, "device", "/dev/iommu", "iommu",
                               "a kernel with CONFIG_IOMMUFD, its module (iommufd)");

    if (iommu < 0)
        return;
    if (vdf_iommufd_ioas_alloc(iommu, &ioas, &err) < 0) {
        vdf_probe_lack(probe, "device", "%s", err.text);
        vdf_probe_remedy(probe, "a /dev/iommu that is iommufd's");
    } else {
        vdf_probe_have(probe, "device", "/dev/iommu");
        try_mock(probe, iommu, ioas);
        try_all_vfio(probe, iommu, ioas);
    }
    close(iommu);
}

const struct vdf_probe_part vdf_iommufd_probe = {
    .name = "iommufd",
    .title = "IOMMUs for guests, hwqueue/NAME/backend = iommufd",
    .run = run,
};
