/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A vIOMMU with hardware queues that guests own: the device and its table. It is a Tegra241 CMDQV
 * behind an SMMUv3, or an AMD IOMMU; the rows of the other kind are not there.
 *
 *     cd hwqueue/smmu0; echo 0x100000 0x1000 > ioas/map; mkdir queues/0
 *     echo 0x100000 > queues/0/base; echo 8 > queues/0/log2size; echo 1 > queues/0/enable
 *     printf '\106\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0' | dd of=queues/0/entries conv=notrunc
 *     echo 1 > queues/0/prod; cat queues/0/cons sync
 */
#include "vcmdq.h"

#define WINDOW_REGS 1u

/* --- the table -------------------------------------------------------------------------------- */

static const char *const types[] = { "tegra241-cmdqv", "amd", "selftest", NULL };
static const char *const backends[] = { "soft", "iommufd", NULL };
static const char *const doorbells[] = { "mapped", "trapped", NULL };

static const struct vdf_objects vdevices = {
    .cls = &vdf_vdevice_class,
    .text = "VSID",
};
static const struct vdf_objects vcmdqs = {
    .cls = &vdf_vcmdq_class,
    .allow = vdf_vcmdq_allow,
    .text = "0..1; selftest: 0..3",
};

static bool is_tegra(const void *priv)
{
    return ((const struct vdf_hwqueue *)priv)->kind == &vdf_tegra_kind;
}

static bool is_amd(const void *priv)
{
    return ((const struct vdf_hwqueue *)priv)->kind == &vdf_amdvi_kind;
}

static bool is_selftest(const void *priv)
{
    return ((const struct vdf_hwqueue *)priv)->kind == &vdf_selftest_kind;
}

/* The model makes the page; the kernel's has no such file. */
static bool has_vintf_page(const void *priv)
{
    return is_tegra(priv) && !((const struct vdf_hwqueue *)priv)->kernel;
}

static bool has_queues(const void *priv)
{
    return ((const struct vdf_hwqueue *)priv)->kind->queue;
}

static bool has_registers(const void *priv)
{
    return ((const struct vdf_hwqueue *)priv)->kind->registers;
}

#define DEV struct vdf_hwqueue
#define TEGRA .when = is_tegra, .needs = "type tegra241-cmdqv"
#define AMD .when = is_amd, .needs = "type amd"
#define SELFTEST .when = is_selftest, .needs = "type selftest"
#define AT(where) .window = WINDOW_REGS, .offset = (where)
#define REPEAT(n, bytes) .range[0] = { .count = (n) }, .stride = (bytes)

#define COUNTER(name, what)                                                      \
    {                                                                            \
        .path = #name, .type = VDF_UINT, .flags = VDF_R | VDF_SAVE, .doc = what, \
        VDF_FIELD(DEV, name), .restore = vdf_restore_unchecked                   \
    }

/* An AMD queue: its files, which are the registers of head and tail too. */
#define AMD_QUEUE(name, kind, title, base_at, head_at)                                         \
    { .path = "queues/" name "/base",                                                          \
      .type = VDF_REG,                                                                         \
      .flags = VDF_RW | VDF_SAVE,                                                              \
      AMD,                                                                                     \
      .doc = "amd: " title ": address of the ring, an IOVA; another one resets head and tail", \
      VDF_FIELD(DEV, amdvi.queues[kind].base),                                                 \
      .check = vdf_amdvi_check_base,                                                           \
      .set = vdf_amdvi_set_base,                                                               \
      .restore = vdf_restore_unchecked },                                                      \
        { .path = "queues/" name "/length",                                                    \
          .type = VDF_UINT,                                                                    \
          .flags = VDF_RW | VDF_SAVE,                                                          \
          AMD,                                                                                 \
          .doc = "amd: " title ": log2 of the entries of 16 bytes, 8 to 15",                   \
          VDF_FIELD(DEV, amdvi.queues[kind].length),                                           \
          .reset = VDF_AMDVI_LENGTH_RESET,                                                     \
          .check = vdf_amdvi_check_length,                                                     \
          .set = vdf_amdvi_set_length,                                                         \
          .restore = vdf_restore_unchecked },                                                  \
        { .path = "queues/" name "/base_register",                                             \
          .type = VDF_REG,                                                                     \
          .flags = VDF_RW | VDF_NO_FILE,                                                       \
          AMD,                                                                                 \
          .doc = "amd: " title ": address 51:12 and length 59:56 in one register",             \
          VDF_FIELD(DEV, amdvi.queues[kind].base),                                             \
          .get = vdf_amdvi_get_base_reg,                                                       \
          .set = vdf_amdvi_set_base_reg,                                                       \
          AT(base_at) },                                                                       \
        { .path = "queues/" name "/head",                                                      \
          .type = VDF_REG,                                                                     \
          .flags = VDF_RW | VDF_SAVE,                                                          \
          AMD,                                                                                 \
          .doc = "amd: " title ": offset of the oldest entry, in bytes",                       \
          VDF_FIELD(DEV, amdvi.queues[kind].head),                                             \
          .check = vdf_amdvi_check_index,                                                      \
          .after = vdf_amdvi_after_index,                                                      \
          .restore = vdf_restore_unchecked,                                                    \
          AT(head_at) },                                                                       \
        { .path = "queues/" name "/tail",                                                      \
          .type = VDF_REG,                                                                     \
          .flags = VDF_RW | VDF_SAVE,                                                          \
          AMD,                                                                                 \
          .doc = "amd: " title ": offset behind the newest entry, in bytes",                   \
          VDF_FIELD(DEV, amdvi.queues[kind].tail),                                             \
          .check = vdf_amdvi_check_index,                                                      \
          .after = vdf_amdvi_after_index,                                                      \
          .restore = vdf_restore_unchecked,                                                    \
          AT(head_at + 8) },                                                                   \
        { .path = "queues/" name "/run",                                                       \
          .type = VDF_BOOL,                                                                    \
          .flags = VDF_RW | VDF_SAVE,                                                          \
          AMD,                                                                                 \
          .doc = "amd: " title ": the device works on it; 0 after an error or an overflow",    \
          VDF_FIELD(DEV, amdvi.queues[kind].run),                                              \
          .check = vdf_amdvi_check_run,                                                        \
          .restore = vdf_restore_unchecked },                                                  \
        { .path = "queues/" name "/overflow",                                                  \
          .type = VDF_BOOL,                                                                    \
          .flags = VDF_RW | VDF_SAVE,                                                          \
          AMD,                                                                                 \
          .doc = "amd: " title ": an entry found no room; after 0, enable again to go on",     \
          VDF_FIELD(DEV, amdvi.queues[kind].overflow),                                         \
          .check = vdf_amdvi_check_overflow,                                                   \
          .after = vdf_amdvi_after_overflow,                                                   \
          .restore = vdf_restore_unchecked },                                                  \
    {                                                                                          \
        .path = "queues/" name "/enable", .type = VDF_BOOL, .flags = VDF_RW | VDF_SAVE, AMD,   \
        .doc = "amd: " title ": 1 pins base and length, with the errnos of HW_QUEUE_ALLOC",    \
        VDF_FIELD(DEV, amdvi.queues[kind].enabled), .set = vdf_amdvi_set_enable,               \
        .restore = vdf_restore_unchecked                                                       \
    }

static const struct vdf_attr attrs[] = {
    {
        .path = "type",
        .type = VDF_CHOICE,
        .flags = VDF_RW | VDF_SAVE,
        .doc = "kind of IOMMU; chosen before the first queue; selftest: the mock of the kernel's "
               "selftests, or its model",
        VDF_FIELD(DEV, type),
        .choices = types,
        .check = vdf_hwqueue_check_type,
        .set = vdf_hwqueue_set_type,
        .restore = vdf_hwqueue_restore_type,
    },
    {
        .path = "host",
        .type = VDF_TEXT,
        .flags = VDF_RW | VDF_LOCAL,
        .doc = "iommufd: PCI address of a device bound to vfio-pci, whose IOMMU is used, or mock; "
               "chosen while backend is soft",
        .show = vdf_hwqueue_show_host,
        .store = vdf_hwqueue_store_host,
    },
    {
        .path = "backend",
        .type = VDF_CHOICE,
        .flags = VDF_RW | VDF_LOCAL,
        .doc = "soft: emulated here; iommufd: objects of the host's kernel; before the first queue",
        VDF_FIELD(DEV, backend),
        .choices = backends,
        .check = vdf_hwqueue_check_backend,
        .set = vdf_hwqueue_set_backend,
    },
    {
        .path = "viommu_data",
        .type = VDF_REG,
        .flags = VDF_RW | VDF_SAVE,
        .doc = "selftest: word that VIOMMU_ALLOC puts into the first page; before the first queue; "
               "another one empties the pages",
        SELFTEST,
        VDF_FIELD(DEV, selftest.viommu_data),
        .reset = 0xbeef1234,
        .set = vdf_hwqueue_set_viommu_data,
        .restore = vdf_restore_unchecked,
    },
    {
        .path = "region",
        .type = VDF_RAW,
        .flags = VDF_NO_FILE | VDF_SAVE,
        .doc = "selftest: the pages of the mock",
        SELFTEST,
        .has_field = true,
        .field = offsetof(DEV, selftest.region),
    },
    {
        .path = "hw_info",
        .type = VDF_TEXT,
        .flags = VDF_R,
        .doc = "what IOMMU_GET_HW_INFO tells: type and the fields of its structure",
        .show = vdf_hwqueue_show_hw_info,
    },
    {
        .path = "hw_info_type",
        .type = VDF_UINT,
        .flags = VDF_RW | VDF_SAVE,
        .doc = "tegra: input type of IOMMU_GET_HW_INFO: 3 the CMDQV, 2 and the kernel's default 0 "
               "the SMMUv3 with its IDR registers",
        TEGRA,
        VDF_FIELD(DEV, tegra.hw_info_type),
        .reset = VDF_IOMMU_HW_INFO_TEGRA241,
        .check = vdf_hwqueue_check_hw_info_type,
    },
    {
        .path = "cmdqs",
        .type = VDF_UINT,
        .flags = VDF_RW | VDF_SAVE,
        .doc = "tegra: IDR1.CMDQS, log2 of the entries that a command queue can have, 1 to 19; "
               "before the first queue",
        TEGRA,
        VDF_FIELD(DEV, tegra.cmdqs),
        .reset = VDF_VCMDQ_LOG2_MAX,
        .check = vdf_hwqueue_check_cmdqs,
    },
    {
        .path = "memory_size",
        .type = VDF_UINT,
        .flags = VDF_RW | VDF_SAVE,
        .doc =
            "bytes of memory, a multiple of 4096; before the first mapping and while memory is not "
            "open; a new size empties it",
        VDF_FIELD(DEV, memory_size),
        .reset = 2u << 20,
        .check = vdf_hwqueue_check_memory_size,
        .set = vdf_hwqueue_set_memory_size,
        .restore = vdf_restore_by_write,
    },
    {
        .path = "vm_memory",
        .type = VDF_UINT,
        .flags = VDF_NO_FILE | VDF_SAVE,
        .doc = "bytes of the VM's memory that the mappings are of; 0: they are of memory",
        VDF_FIELD(DEV, vm_memory),
    },
    {
        .path = "memory",
        .type = VDF_RAW,
        .flags = VDF_RW | VDF_MAP | VDF_HOLDS | VDF_SAVE,
        .doc = "guest memory that queues live in",
        .has_field = true,
        .field = offsetof(DEV, memory),
        .raw = &vdf_hwqueue_memory_ops,
    },
    {
        .path = "ioas/map",
        .type = VDF_TEXT,
        .flags = VDF_W,
        .doc =
            "IOVA LENGTH [OFFSET [ro]]: memory from OFFSET (0) appears at IOVA; ro: not written by "
            "the device",
        .store = vdf_ioas_store_map,
    },
    {
        .path = "ioas/unmap",
        .type = VDF_TEXT,
        .flags = VDF_W,
        .doc = "IOVA LENGTH: removes the mappings in that range; EBUSY while a queue uses one",
        .store = vdf_ioas_store_unmap,
    },
    {
        .path = "ioas/mappings",
        .type = VDF_TEXT,
        .flags = VDF_R,
        .doc = "what is mapped, a line as ioas/map takes it each",
        .show = vdf_ioas_show,
    },
    {
        .path = "ioas/list",
        .type = VDF_TEXT,
        .flags = VDF_NO_FILE | VDF_SAVE,
        .doc = "the mappings, separated by commas",
        .show = vdf_ioas_save,
        .restore_text = vdf_ioas_restore,
    },
    {
        .path = "vdevices",
        .type = VDF_OBJECTS,
        .doc = "virtual devices by the guest's stream id; at most 16",
        .objects = &vdevices,
    },

    /* Tegra241 CMDQV: the registers as files, and as a guest sees them. */
    {
        .path = "global/config",
        .type = VDF_REG,
        .flags = VDF_RW | VDF_SAVE,
        .doc = "tegra: CONFIG: EN 0, CMDQ_PER_CMD_OFFSET 3:1, MAX_CLK_BATCH 11:4, MAX_CMD_BATCH "
               "19:12, CONS_DRAM_EN 20",
        TEGRA,
        VDF_FIELD(DEV, tegra.global_config),
        .reset = VDF_GLOBAL_CONFIG_EN,
        .check = vdf_cmdqv_check_global_config,
        .after = vdf_cmdqv_after_config,
        .restore = vdf_restore_unchecked,
        AT(0x0),
    },
    {
        .path = "global/param",
        .type = VDF_REG,
        .flags = VDF_RW,
        .width = 4,
        .doc = "tegra: PARAM: VER 3:0, NUM_VCMDQ_LOG2 7:4, NUM_VINTF_LOG2 11:8, "
               "NUM_SID_PER_VM_LOG2 15:12; fixed",
        TEGRA,
        .get = vdf_cmdqv_get_param,
        .set = vdf_cmdqv_set_read_only,
    },
    {
        .path = "global/status",
        .type = VDF_REG,
        .flags = VDF_RW,
        .width = 4,
        .doc = "tegra: STATUS: ENABLED 0, follows config",
        TEGRA,
        .get = vdf_cmdqv_get_global_status,
        .set = vdf_cmdqv_set_read_only,
    },
    {
        .path = "vintf/config",
        .type = VDF_REG,
        .flags = VDF_RW | VDF_SAVE,
        .doc = "tegra: CONFIG: EN 0, VMID 16:1, HYP_OWN 17: with it queues take all commands of an "
               "SMMU",
        TEGRA,
        VDF_FIELD(DEV, tegra.vintf_config),
        .reset = VDF_VINTF_CONFIG_EN,
        .check = vdf_cmdqv_check_vintf_config,
        .after = vdf_cmdqv_after_config,
        .restore = vdf_restore_unchecked,
    },
    {
        .path = "vintf/status",
        .type = VDF_REG,
        .flags = VDF_RW,
        .width = 4,
        .doc =
            "tegra: STATUS: ENABLED 0, STATUS 3:1 (1: a queue has an error), NUM_LVCMDQ 23:16; the "
            "device's",
        TEGRA,
        .get = vdf_cmdqv_get_vintf_status,
        .set = vdf_cmdqv_set_read_only,
    },
    {
        .path = "vintf/err_map",
        .type = VDF_REG,
        .flags = VDF_RW,
        .width = 8,
        .doc = "tegra: LVCMDQ_ERR_MAP: a bit for each queue whose error is not acknowledged; the "
               "device's",
        TEGRA,
        .get = vdf_cmdqv_get_err_map,
        .set = vdf_cmdqv_set_read_only,
    },
    {
        .path = "vintf/page0",
        .type = VDF_RAW,
        .flags = VDF_RW | VDF_MAP | VDF_HOLDS,
        .doc = "tegra: page 0 of the VINTF as VIOMMU_ALLOC offers it to mmap(2), 64 KiB: the "
               "registers of logical queue N at 0x80 * N, as in page",
        .when = has_vintf_page,
        .needs = "type tegra241-cmdqv and backend soft",
        .has_field = true,
        .field = offsetof(DEV, tegra.vintf_page),
        .raw = &vdf_vcmdq_vintf_page_ops,
    },
    {
        .path = "guest/param",
        .type = VDF_REG,
        .flags = VDF_R | VDF_NO_FILE,
        .width = 4,
        .doc = "tegra: PARAM",
        TEGRA,
        .get = vdf_cmdqv_get_param,
        AT(0x4),
    },
    {
        .path = "guest/status",
        .type = VDF_REG,
        .flags = VDF_R | VDF_NO_FILE,
        .width = 4,
        .doc = "tegra: STATUS",
        TEGRA,
        .get = vdf_cmdqv_get_global_status,
        AT(0x8),
    },
    {
        .path = "guest/vintf_err_map/#",
        .type = VDF_REG,
        .flags = VDF_R | VDF_NO_FILE,
        .width = 4,
        .doc = "tegra: VINTF_ERR_MAP: VINTFs with errors",
        TEGRA,
        REPEAT(2, 4),
        .get = vdf_cmdqv_get_vintf_err_map,
        AT(0x14),
    },
    {
        .path = "vintf_int_mask",
        .type = VDF_REG,
        .flags = VDF_RW | VDF_NO_FILE | VDF_SAVE,
        .doc = "tegra: VINTF_INT_MASK: 1 in bit 0 masks the error interrupt",
        TEGRA,
        VDF_FIELD(DEV, tegra.vintf_int_mask),
        .after = vdf_cmdqv_after_int_mask,
        .restore = vdf_restore_unchecked,
        AT(0x1c),
    },
    {
        .path = "guest/cmdq_err_map/#",
        .type = VDF_REG,
        .flags = VDF_R | VDF_NO_FILE,
        .width = 4,
        .doc = "tegra: CMDQ_ERR_MAP: VCMDQs with errors",
        TEGRA,
        REPEAT(4, 4),
        .get = vdf_cmdqv_get_cmdq_err_map,
        AT(0x24),
    },
    {
        .path = "guest/cmdq_alloc/#",
        .type = VDF_REG,
        .flags = VDF_RW | VDF_NO_FILE,
        .width = 4,
        .doc = "tegra: CMDQ_ALLOC: ALLOC 0, LVCMDQ 7:1, VINTF 20:15",
        TEGRA,
        REPEAT(VDF_VCMDQS, 4),
        .get = vdf_cmdqv_get_cmdq_alloc,
        .set = vdf_cmdqv_set_cmdq_alloc,
        AT(0x200),
    },
    {
        .path = "cmdq_preset/#",
        .type = VDF_REG,
        .flags = VDF_NO_FILE | VDF_SAVE,
        .width = 4,
        .doc = "tegra: CMDQ_ALLOC without ALLOC",
        TEGRA,
        .range[0] = { .count = VDF_VCMDQS },
        .get = vdf_cmdqv_get_cmdq_preset,
        .restore = vdf_cmdqv_restore_cmdq_preset,
    },
    {
        .path = "idle/#",
        .type = VDF_REG,
        .flags = VDF_NO_FILE | VDF_SAVE,
        .width = 8,
        .doc = "tegra: registers of VCMDQs that are no queues yet",
        TEGRA,
        .range[0] = { .count = VDF_VCMDQS * VDF_IDLE_REGS },
        .get = vdf_cmdqv_get_idle,
        .restore = vdf_cmdqv_restore_idle,
    },
    {
        .path = "guest/vintf_config",
        .type = VDF_REG,
        .flags = VDF_RW | VDF_NO_FILE,
        .width = 4,
        .doc = "tegra: the VINTF's CONFIG without HYP_OWN",
        TEGRA,
        .get = vdf_cmdqv_get_guest_vintf_config,
        .set = vdf_cmdqv_set_guest_vintf_config,
        AT(0x1000),
    },
    {
        .path = "guest/vintf_status",
        .type = VDF_REG,
        .flags = VDF_R | VDF_NO_FILE,
        .width = 4,
        .doc = "tegra: the VINTF's STATUS",
        TEGRA,
        .get = vdf_cmdqv_get_vintf_status,
        AT(0x1004),
    },
    {
        .path = "guest/sid_match/#",
        .type = VDF_REG,
        .flags = VDF_R | VDF_NO_FILE,
        .width = 4,
        .doc = "tegra: SID_MATCH: EN 0, virtual stream id 20:1; the host's",
        TEGRA,
        REPEAT(VDF_VDEVICES, 4),
        .get = vdf_cmdqv_get_sid_match,
        AT(0x1040),
    },
    {
        .path = "guest/sid_replace/#",
        .type = VDF_REG,
        .flags = VDF_R | VDF_NO_FILE,
        .width = 4,
        .doc = "tegra: SID_REPLACE: stream id of the machine 19:0; the host's",
        TEGRA,
        REPEAT(VDF_VDEVICES, 4),
        .get = vdf_cmdqv_get_sid_replace,
        AT(0x1080),
    },
    {
        .path = "guest/err_map",
        .type = VDF_REG,
        .flags = VDF_R | VDF_NO_FILE,
        .width = 8,
        .doc = "tegra: LVCMDQ_ERR_MAP, its first 64 queues",
        TEGRA,
        .get = vdf_cmdqv_get_err_map,
        AT(0x10c0),
    },
    {
        .path = "guest/vcmdq_page0/#",
        .type = VDF_REG,
        .flags = VDF_RW | VDF_NO_FILE,
        .width = 4,
        .doc = "tegra: page 0 of the VCMDQs",
        TEGRA,
        REPEAT(VDF_VCMDQS * 0x20, 4),
        .get = vdf_cmdqv_get_page0,
        .set = vdf_cmdqv_set_page0,
        AT(0x10000),
    },
    {
        .path = "guest/vcmdq_page1/#",
        .type = VDF_REG,
        .flags = VDF_RW | VDF_NO_FILE,
        .width = 8,
        .doc = "tegra: page 1 of the VCMDQs",
        TEGRA,
        REPEAT(VDF_VCMDQS * 0x10, 8),
        .get = vdf_cmdqv_get_page1,
        .set = vdf_cmdqv_set_page1,
        AT(0x20000),
    },
    {
        .path = "guest/vintf_page0/#",
        .type = VDF_REG,
        .flags = VDF_RW | VDF_NO_FILE,
        .width = 4,
        .doc = "tegra: page 0 of the VINTF: the registers of the VCMDQs that are allocated to it",
        TEGRA,
        REPEAT(VDF_VCMDQS * 0x20, 4),
        .get = vdf_cmdqv_get_vintf_page0,
        .set = vdf_cmdqv_set_vintf_page0,
        AT(0x30000),
    },
    {
        .path = "guest/vintf_page1/#",
        .type = VDF_REG,
        .flags = VDF_RW | VDF_NO_FILE,
        .width = 8,
        .doc = "tegra: page 1 of the VINTF: the registers of the VCMDQs that are allocated to it",
        TEGRA,
        REPEAT(VDF_VCMDQS * 0x10, 8),
        .get = vdf_cmdqv_get_vintf_page1,
        .set = vdf_cmdqv_set_vintf_page1,
        AT(0x40000),
    },
    {
        .path = "queues",
        .type = VDF_OBJECTS,
        .doc = "tegra: VCMDQs; made in order, removed in reverse; selftest: queues of the mock",
        .when = has_queues,
        .needs = "type tegra241-cmdqv or selftest",
        .objects = &vcmdqs,
    },

    /* AMD IOMMU */
    {
        .path = "control",
        .type = VDF_REG,
        .flags = VDF_RW,
        .width = 8,
        .doc = "amd: Control: IommuEn 0, EventLogEn 2, EventIntEn 3, ComWaitIntEn 4, CmdBufEn 12, "
               "PprLogEn 13, PprIntEn 14",
        AMD,
        .get = vdf_amdvi_get_control,
        .set = vdf_amdvi_set_control,
        AT(0x18),
    },
    {
        .path = "control_bits",
        .type = VDF_REG,
        .flags = VDF_NO_FILE | VDF_SAVE,
        .doc = "amd: Control without the bits that are enable of a queue",
        AMD,
        VDF_FIELD(DEV, amdvi.control),
        .reset = VDF_AMDVI_CONTROL_IOMMU_EN,
        .restore = vdf_restore_unchecked,
    },
    {
        .path = "status",
        .type = VDF_REG,
        .flags = VDF_R,
        .width = 8,
        .doc = "amd: Status: EvtOverflow 0, EvtInt 1, ComWaitInt 2, EvtRun 3, CmdRun 4, "
               "PprOverflow 5, PprInt 6, PprRun 7",
        AMD,
        .get = vdf_amdvi_get_status,
    },
    {
        .path = "guest/amd_status",
        .type = VDF_REG,
        .flags = VDF_RW | VDF_NO_FILE,
        .width = 8,
        .doc = "amd: Status; overflow and interrupt bits are cleared by writing 1",
        AMD,
        .get = vdf_amdvi_get_status,
        .set = vdf_amdvi_set_status,
        AT(0x2020),
        .w1c = VDF_AMDVI_STATUS_W1C,
    },
    {
        .path = "status_bits",
        .type = VDF_REG,
        .flags = VDF_NO_FILE | VDF_SAVE,
        .doc = "amd: the interrupt bits of Status",
        AMD,
        VDF_FIELD(DEV, amdvi.status),
        .restore = vdf_restore_unchecked,
    },
    {
        .path = "dev_tab_base",
        .type = VDF_REG,
        .flags = VDF_RW | VDF_NO_FILE | VDF_SAVE,
        .doc = "amd: DevTabBase, kept for the guest",
        AMD,
        VDF_FIELD(DEV, amdvi.dev_tab),
        AT(0x0),
    },
    {
        .path = "guest/efr",
        .type = VDF_REG,
        .flags = VDF_R | VDF_NO_FILE,
        .width = 8,
        .doc = "amd: EFR: PPRSup 1, GTSup 4, IASup 6",
        AMD,
        .get = vdf_amdvi_get_features,
        AT(0x30),
    },
    AMD_QUEUE("cmd", VDF_AMDVI_CMD, "command buffer", 0x8, 0x2000),
    AMD_QUEUE("event", VDF_AMDVI_EVENT, "event log", 0x10, 0x2010),
    {
        .path = "queues/event/inject",
        .type = VDF_TEXT,
        .flags = VDF_W,
        .doc = "amd: TYPE DEVID DOMAIN ADDRESS [FLAGS]: the device logs an event; TYPE as "
               "IO_PAGE_FAULT or a number; with bit 0 of FLAGS, GN, DOMAIN is a PASID of 20 bits",
        AMD,
        .store = vdf_amdvi_inject_event,
    },
    AMD_QUEUE("ppr", VDF_AMDVI_PPR, "PPR log", 0x38, 0x2030),
    {
        .path = "queues/ppr/inject",
        .type = VDF_TEXT,
        .flags = VDF_W,
        .doc = "amd: DEVID PASID ADDRESS TAG [FLAGS]: a device asks for a page",
        AMD,
        .store = vdf_amdvi_inject_ppr,
    },

    {
        .path = "iotlb/entries",
        .type = VDF_TEXT,
        .flags = VDF_R,
        .doc = "translations that the IOMMU has cached: SID SSID IOVA SIZE TAG [global] a line; "
               "SID is the machine's, TAG the ASID or domain",
        .show = vdf_iotlb_show,
    },
    {
        .path = "iotlb/insert",
        .type = VDF_TEXT,
        .flags = VDF_W,
        .doc = "SID SSID IOVA SIZE [TAG [global]]: the IOMMU caches a translation; global: of all "
               "ASIDs, or PASIDs",
        .store = vdf_iotlb_store_insert,
    },
    {
        .path = "iotlb/list",
        .type = VDF_TEXT,
        .flags = VDF_NO_FILE | VDF_SAVE,
        .doc = "the IOMMU's cached translations, separated by commas",
        .show = vdf_iotlb_save,
        .restore_text = vdf_iotlb_restore,
    },
    {
        .path = "iotlb/atc_entries",
        .type = VDF_TEXT,
        .flags = VDF_R,
        .doc = "translations that devices have cached (ATC): SID SSID IOVA SIZE [global] a line",
        .show = vdf_iotlb_show_atc,
    },
    {
        .path = "iotlb/atc_insert",
        .type = VDF_TEXT,
        .flags = VDF_W,
        .doc = "SID SSID IOVA SIZE [global]: device SID caches a translation",
        .store = vdf_iotlb_store_atc_insert,
    },
    {
        .path = "iotlb/atc_list",
        .type = VDF_TEXT,
        .flags = VDF_NO_FILE | VDF_SAVE,
        .doc = "the devices' cached translations, separated by commas",
        .show = vdf_iotlb_save_atc,
        .restore_text = vdf_iotlb_restore_atc,
    },
    {
        .path = "doorbell",
        .type = VDF_CHOICE,
        .flags = VDF_RW | VDF_SAVE | VDF_EXCLUSIVE,
        .doc =
            "mapped: the pages of queues are mapped into guests; trapped: each store of PROD exits",
        VDF_FIELD(DEV, doorbell),
        .choices = doorbells,
        .after = vdf_hwqueue_after_doorbell,
        .restore = vdf_restore_unchecked,
    },
    {
        .path = "interrupt",
        .type = VDF_BOOL,
        .flags = VDF_R,
        .width = 1,
        .doc = "level of the interrupt output",
        .get = vdf_hwqueue_get_interrupt,
    },
    {
        .path = "events",
        .type = VDF_LOG,
        .flags = VDF_R,
        .doc = "errors of queues, AMD events and completed page requests, a line each",
        .has_field = true,
        .field = offsetof(DEV, events),
    },
    {
        .path = "veventq_depth",
        .type = VDF_UINT,
        .flags = VDF_RW | VDF_SAVE,
        .doc = "events that may wait in veventq, 1 to 524288",
        VDF_FIELD(DEV, veventq.depth),
        .reset = 64,
        .set = vdf_veventq_set_depth,
        .restore = vdf_restore_unchecked,
    },
    {
        .path = "veventq",
        .type = VDF_STREAM,
        .flags = VDF_R | VDF_BINARY,
        .doc =
            "vEVENTQ records: u32 flags (1: events were lost), u32 sequence, and LVCMDQ_ERR_MAP as "
            "two u64; selftest: the device's number as u32; nothing of an amd",
        .stream = &vdf_veventq_stream,
    },
    {
        .path = "trigger",
        .type = VDF_UINT,
        .flags = VDF_W,
        .width = 2,
        .doc = "selftest: the device raises so many events; ENOENT without a virtual device",
        SELFTEST,
        .set = vdf_veventq_trigger,
    },
    {
        .path = "veventq_sequence",
        .type = VDF_UINT,
        .flags = VDF_NO_FILE | VDF_SAVE,
        .doc = "sequence of the next event",
        VDF_FIELD(DEV, veventq.sequence),
        .get = vdf_veventq_get_sequence,
        .restore = vdf_restore_unchecked,
    },
    {
        .path = "veventq_lost",
        .type = VDF_BOOL,
        .flags = VDF_NO_FILE | VDF_SAVE,
        .doc = "a LOST_EVENTS header ends the queue",
        VDF_FIELD(DEV, veventq.lost),
        .get = vdf_veventq_get_lost,
        .restore = vdf_restore_unchecked,
    },
    {
        .path = "veventq_lost_sequence",
        .type = VDF_UINT,
        .flags = VDF_NO_FILE | VDF_SAVE,
        .doc = "its sequence",
        VDF_FIELD(DEV, veventq.lost_sequence),
        .get = vdf_veventq_get_lost_sequence,
        .restore = vdf_restore_unchecked,
    },
    {
        .path = "veventq_list",
        .type = VDF_TEXT,
        .flags = VDF_NO_FILE | VDF_SAVE,
        .doc = "the events that wait, separated by commas",
        .show = vdf_veventq_save,
        .restore_text = vdf_veventq_restore,
    },
    COUNTER(commands, "commands executed"),
    COUNTER(tlbi, "of them, invalidations of the IOMMU's translations"),
    COUNTER(atc_inv, "of them, invalidations of translations in devices"),
    COUNTER(sync, "of them, completed CMD_SYNC or COMPL_WAIT"),
    COUNTER(illegal, "commands that were refused as illegal"),
    {
        .path = "regs",
        .type = VDF_WINDOW,
        .flags = VDF_RW,
        .when = has_registers,
        .needs = "type tegra241-cmdqv or amd",
        .doc = "register window as the hardware lays it out",
        .window_ops = &vdf_hwqueue_regs_ops,
        .window = WINDOW_REGS,
    },
};

/* --- life ------------------------------------------------------------------------------------- */

static int create(struct vdf_obj *obj, struct vdf_err *err)
{
    struct vdf_hwqueue *dev = vdf_obj_priv(obj);

    vdf_hwqueue_choose(dev, dev->type);
    vdf_memory_init(&dev->memory, "hwqueue-memory", dev->memory_size);
    vdf_memory_init(&dev->selftest.region, "hwqueue-region", VDF_REGION_SIZE);
    vdf_memory_init(&dev->tegra.vintf_page, "hwqueue-vintf", VDF_VINTF_PAGE_SIZE);
    return 0;
}

static void destroy(struct vdf_obj *obj)
{
    struct vdf_hwqueue *dev = vdf_obj_priv(obj);

    vdf_kernel_close(dev);
    vdf_memory_free(&dev->memory);
    vdf_memory_free(&dev->selftest.region);
    vdf_memory_free(&dev->tegra.vintf_page);
    vdf_ioas_free(&dev->ioas);
    vdf_iotlb_free(&dev->iotlb);
    vdf_iotlb_free(&dev->atc);
    vdf_veventq_free(&dev->veventq);
}

/* What the models take, the kernel may refuse, and then the state is refused. In the tree the
 * objects are made anew, for the memory that the device keeps. */
static int try_kernel(struct vdf_hwqueue *dev, struct vdf_err *err)
{
    if (dev->backend != VDF_HWQUEUE_IOMMUFD || vdf_hwqueue_memory_absent(dev))
        return 0;
    int ret = vdf_kernel_open(dev, err);
    vdf_kernel_close(dev);
    return ret;
}

/* The queues have been looked at by their own class. */
static int restored(struct vdf_obj *obj, struct vdf_err *err)
{
    struct vdf_hwqueue *dev = vdf_obj_priv(obj);
    int ret = 0;

    for (unsigned type = VDF_HWQUEUE_TEGRA241; ret == 0 && type <= VDF_HWQUEUE_SELFTEST; type++) {
        const struct vdf_hwqueue_kind *kind = vdf_hwqueue_kind(type);
        ret = kind->restored ? kind->restored(dev, kind == dev->kind, err) : 0;
    }
    if (ret == 0)
        ret = vdf_veventq_restored(&dev->veventq, err);
    if (ret == 0)
        ret = try_kernel(dev, err);
    return ret;
}

static void adopt(struct vdf_obj *obj, void *old, void *now)
{
    const struct vdf_hwqueue *was = old;
    struct vdf_hwqueue *is = now;

    is->irq = was->irq;
    is->irq_level = was->irq_level;
    is->memory_open = was->memory_open;
    is->tegra.vintf_open = was->tegra.vintf_open;
    is->tegra.vintf_published = is->tegra.vintf_page.base != NULL;
}

static int start(struct vdf_obj *obj, bool fresh, struct vdf_err *err)
{
    struct vdf_hwqueue *dev = vdf_obj_priv(obj);

    dev->linked = true;
    if (!fresh) {
        if (dev->backend == VDF_HWQUEUE_IOMMUFD && !vdf_hwqueue_memory_absent(dev))
            vdf_kernel_reopen(dev, NULL);
        vdf_amdvi_start(dev);
    }
    vdf_hwqueue_update_irq(dev);
    return 0;
}

static void stop(struct vdf_obj *obj)
{
    struct vdf_hwqueue *dev = vdf_obj_priv(obj);

    vdf_kernel_close(dev);
    dev->linked = false;
}

/* A state has no stores that the device has not seen. */
static void saving(struct vdf_obj *obj, bool begin)
{
    struct vdf_hwqueue *dev = vdf_obj_priv(obj);

    for (unsigned k = 0; begin && k < VDF_QUEUES; k++)
        if (dev->vcmdqs[k] && vdf_vcmdq_catch_up(dev->vcmdqs[k]))
            vdf_obj_touched(obj);
}

static const struct vdf_class hwqueue_class = {
    .name = "hwqueue",
    .title = "vIOMMU with hardware queues",
    .attrs = attrs,
    .n_attrs = sizeof(attrs) / sizeof(attrs[0]),
    .priv_size = sizeof(struct vdf_hwqueue),
    .create = create,
    .destroy = destroy,
    .restored = restored,
    .adopt = adopt,
    .start = start,
    .stop = stop,
    .saving = saving,
    .guest = &vdf_hwqueue_guest_ops,
};

const struct vdf_component vdf_hwqueue_component = {
    .cls = &hwqueue_class,
    .default_name = "smmu0",
    .probe = &vdf_iommufd_probe,
};
