/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SMMUv3 commands (Arm IHI 0070, chapter 4) as a VCMDQ executes them. A command is two
 * little-endian words, with the opcode in bits 7:0 of the first. A queue whose VINTF has HYP_OWN 0
 * belongs to a guest: the queue accepts four opcodes, its VMID is the VINTF's, and SID_MATCH translates
 * its stream ids. With HYP_OWN 1 the queue accepts every command of the SMMU's own Non-secure queue,
 * with VMIDs and stream ids of the machine.
 *
 * The SMMU has both stages, EL2, stalls, ATS, PRI, and invalidation by range (IDR3.RIL); it has
 * neither 52-bit addresses (IDR5.DS), MPAM nor a device permission table. A command that the
 * specification calls ILLEGAL or Reserved ends in CERROR_ILL. RES0 fields, except the bit of SSec, are
 * ignored, which is one of the two choices of section 4.1.5.
 */
#include "smmu.h"
#include "hwqueue.h"
#include "vcmdq.h"

#define SSEC VDF_BIT(10) /* of the first word */

/* CMD_ATC_INV.Size: all addresses */
#define ATC_SIZE_ALL 52u

/* CMD_PRI_RESP.Resp */
#define PRI_RESP_RESERVED 3u

/* CMD_SYNC.CS */
#define SYNC_NONE 0u
#define SYNC_IRQ 1u
#define SYNC_SEV 2u

struct command {
    uint8_t opcode;
    bool guest;       /* a guest's queue takes it */
    bool stream;      /* it has a stream, and bit 10 is SSec, or was in earlier revisions */
    const char *name; /* as the events and errors have it */
    /* NULL: a command of another Security state, or of a feature that this SMMU does not have. */
    enum vdf_cerror (*run)(struct vdf_vcmdq *queue, uint64_t w0, uint64_t w1, const char **why);
};

static bool hyp_own(const struct vdf_hwqueue *dev)
{
    return dev->tegra.vintf_config & VDF_VINTF_CONFIG_HYP_OWN;
}

/* The cache is that of the VINTF's VM; only a queue with HYP_OWN can name another. */
static bool names_vm(const struct vdf_hwqueue *dev, uint64_t w0)
{
    return !hyp_own(dev) || vdf_bits(w0, 32, 16) == vdf_bits(dev->tegra.vintf_config, 1, 16);
}

static enum vdf_cerror illegal(const char **why, const char *text)
{
    *why = text;
    return VDF_CERROR_ILL;
}

/* The model has no configuration caches and no stalled transactions. */
static enum vdf_cerror nothing(struct vdf_vcmdq *queue, uint64_t w0, uint64_t w1, const char **why)
{
    return VDF_CERROR_NONE;
}

/* --- the SMMU's own cache --------------------------------------------------------------------- */

/*
 * The addresses of a TLBI. TG 0 invalidates the translations of one address. Otherwise the range is
 * (NUM + 1) << SCALE granules, and a TTL other than 0 is the level of the leaf entries, and thereby
 * their size: a level resolves as many bits as a granule of 8-byte entries has. Without
 * DS a granule of 16 KiB has no blocks at level 1, and that TTL counts as 0.
 */
static enum vdf_cerror tlbi_range(uint64_t w0, uint64_t w1, struct vdf_iotlb_scope *scope,
                                  const char **why)
{
    static const uint8_t granule[4] = { 12, 12, 14, 16 };
    unsigned tg = (unsigned)vdf_bits(w1, 10, 2), ttl = (unsigned)vdf_bits(w1, 8, 2);
    unsigned num = (unsigned)vdf_bits(w0, 12, 5), scale = (unsigned)vdf_bits(w0, 20, 5);
    unsigned shift = granule[tg];
    uint64_t bytes = VDF_BIT(shift);

    scope->first = w1 & ~(bytes - 1);
    if (granule[tg] == 14 && ttl == 1)
        ttl = 0;
    if (tg) {
        if (num == 0 && scale == 0 && ttl == 0)
            return illegal(why, "TG is not 0, and NUM, SCALE and TTL are: neither range nor level");
        bytes = (uint64_t)(num + 1) << (scale + shift);
        if (ttl)
            scope->size = VDF_BIT(shift + (3 - ttl) * (shift - 3));
    }
    if (__builtin_add_overflow(scope->first, bytes - 1, &scope->last))
        scope->last = UINT64_MAX;
    return VDF_CERROR_NONE;
}

static enum vdf_cerror tlbi(struct vdf_hwqueue *dev, uint64_t w0,
                            const struct vdf_iotlb_scope *scope)
{
    if (names_vm(dev, w0))
        vdf_iotlb_drop(&dev->iotlb, scope);
    dev->tlbi++;
    return VDF_CERROR_NONE;
}

/* A global translation belongs to every ASID: an invalidation by address removes it, whatever ASID is
 * named. */
static enum vdf_cerror tlbi_va(struct vdf_vcmdq *queue, uint64_t w0, uint64_t w1, const char **why)
{
    struct vdf_iotlb_scope scope = VDF_IOTLB_ALL;
    enum vdf_cerror error = tlbi_range(w0, w1, &scope, why);

    scope.tag = w0 >> 48;
    scope.global = VDF_GLOBAL_OF_ANY_TAG;
    return error ? error : tlbi(queue->dev, w0, &scope);
}

static enum vdf_cerror tlbi_vaa(struct vdf_vcmdq *queue, uint64_t w0, uint64_t w1, const char **why)
{
    struct vdf_iotlb_scope scope = VDF_IOTLB_ALL;
    enum vdf_cerror error = tlbi_range(w0, w1, &scope, why);

    return error ? error : tlbi(queue->dev, w0, &scope);
}

static enum vdf_cerror tlbi_asid(struct vdf_vcmdq *queue, uint64_t w0, uint64_t w1,
                                 const char **why)
{
    struct vdf_iotlb_scope scope = VDF_IOTLB_ALL;

    scope.tag = w0 >> 48;
    scope.global = VDF_GLOBAL_STAYS;
    return tlbi(queue->dev, w0, &scope);
}

static enum vdf_cerror tlbi_vm(struct vdf_vcmdq *queue, uint64_t w0, uint64_t w1, const char **why)
{
    const struct vdf_iotlb_scope scope = VDF_IOTLB_ALL;

    return tlbi(queue->dev, w0, &scope);
}

static enum vdf_cerror tlbi_all(struct vdf_vcmdq *queue, uint64_t w0, uint64_t w1, const char **why)
{
    const struct vdf_iotlb_scope scope = VDF_IOTLB_ALL;

    vdf_iotlb_drop(&queue->dev->iotlb, &scope);
    queue->dev->tlbi++;
    return VDF_CERROR_NONE;
}

/* Translations of the hypervisor and of stage 2; the cache has only the guest's stage 1. */
static enum vdf_cerror tlbi_others(struct vdf_vcmdq *queue, uint64_t w0, uint64_t w1,
                                   const char **why)
{
    queue->dev->tlbi++;
    return VDF_CERROR_NONE;
}

static enum vdf_cerror tlbi_others_va(struct vdf_vcmdq *queue, uint64_t w0, uint64_t w1,
                                      const char **why)
{
    struct vdf_iotlb_scope scope = VDF_IOTLB_ALL;
    enum vdf_cerror error = tlbi_range(w0, w1, &scope, why);

    return error ? error : tlbi_others(queue, w0, w1, why);
}

/* --- devices ---------------------------------------------------------------------------------- */

/* Size is log2 of 4 KiB pages. Without an SSID (SSV 0) and with Global the entries of all
 * substreams in the range go. A device that does not answer keeps what it has. */
static enum vdf_cerror atc_inv(struct vdf_vcmdq *queue, uint64_t w0, uint64_t w1, const char **why)
{
    struct vdf_hwqueue *dev = queue->dev;
    struct vdf_iotlb_scope scope = VDF_IOTLB_ALL;
    unsigned pages = (unsigned)vdf_bits(w1, 0, 6);

    if (pages > ATC_SIZE_ALL)
        return illegal(why, "Size is at most 52, all addresses");
    scope.sid = w0 >> 32;
    if (!hyp_own(dev)) {
        const struct vdf_vdevice *vdevice = vdf_vdevice_find(dev, (uint32_t)scope.sid);
        if (!vdevice)
            return VDF_CERROR_ILL_ACCESS;
        scope.sid = vdevice->psid;
    }
    if (pages < ATC_SIZE_ALL) {
        uint64_t span = VDF_BIT(12 + pages);
        scope.first = w1 & ~(span - 1);
        scope.last = scope.first + (span - 1);
    }
    if (vdf_bits(w0, 11, 1) && !vdf_bits(w0, 9, 1))
        scope.ssid = vdf_bits(w0, 12, 20);
    if (vdf_vdevice_answers(dev, (uint32_t)scope.sid))
        vdf_iotlb_drop(&dev->atc, &scope);
    else
        queue->atc_timeout = 1;
    dev->atc_inv++;
    return VDF_CERROR_NONE;
}

/* The model keeps no page requests. */
static enum vdf_cerror pri_resp(struct vdf_vcmdq *queue, uint64_t w0, uint64_t w1, const char **why)
{
    if (vdf_bits(w1, 12, 2) == PRI_RESP_RESERVED)
        return illegal(why, "Resp 3 is reserved");
    return VDF_CERROR_NONE;
}

/* All earlier commands are complete: CMD_SYNC only sends its signal, when CONS is behind the command. A
 * guest's queue has neither MSI nor event; its driver polls CONS. */
static enum vdf_cerror sync(struct vdf_vcmdq *queue, uint64_t w0, uint64_t w1, const char **why)
{
    struct vdf_hwqueue *dev = queue->dev;
    unsigned cs = (unsigned)vdf_bits(w0, 12, 2);

    if (cs > SYNC_SEV)
        return illegal(why, "CS 3 is reserved");
    if (cs != SYNC_NONE && !hyp_own(dev))
        return illegal(why, "a guest's queue has no signal, CS is 0");
    if (queue->atc_timeout) {
        queue->atc_timeout = 0;
        return VDF_CERROR_ATC_INV_SYNC;
    }
    if (cs == SYNC_IRQ) {
        queue->msi_address = w1 & (VDF_BIT(56) - 4); /* 55:2 */
        queue->msi_data = (uint32_t)(w0 >> 32);
    }
    dev->sync++;
    return VDF_CERROR_NONE;
}

void vdf_smmu_signal(struct vdf_vcmdq *queue)
{
    struct vdf_hwqueue *dev = queue->dev;
    uint64_t at;

    /* A store to memory that is mapped but not there is lost. */
    if (vdf_ioas_find(dev, queue->msi_address, sizeof(uint32_t), true, &at))
        vdf_ioas_store_le32(dev, queue->msi_address, queue->msi_data);
    else
        vdf_irq_message(&dev->irq, queue->msi_address, queue->msi_data);
    queue->msi_address = 0;
}

/* --- all of them ------------------------------------------------------------------------------ */

static const struct command commands[] = {
    { .opcode = 0x01, .stream = true, .name = "PREFETCH_CFG", .run = nothing },
    { .opcode = 0x02, .stream = true, .name = "PREFETCH_ADDR", .run = nothing },
    { .opcode = 0x03, .stream = true, .name = "CFGI_STE", .run = nothing },
    { .opcode = 0x04, .stream = true, .name = "CFGI_ALL", .run = nothing }, /* or a STE_RANGE */
    { .opcode = 0x05, .stream = true, .name = "CFGI_CD", .run = nothing },
    { .opcode = 0x06, .stream = true, .name = "CFGI_CD_ALL", .run = nothing },
    { .opcode = 0x07, .name = "CFGI_VMS_PIDM" },
    { .opcode = 0x10, .name = "TLBI_NH_ALL", .run = tlbi_vm },
    { .opcode = 0x11, .guest = true, .name = "TLBI_NH_ASID", .run = tlbi_asid },
    { .opcode = 0x12, .guest = true, .name = "TLBI_NH_VA", .run = tlbi_va },
    { .opcode = 0x13, .name = "TLBI_NH_VAA", .run = tlbi_vaa },
    { .opcode = 0x18, .name = "TLBI_EL3_ALL" },
    { .opcode = 0x1a, .name = "TLBI_EL3_VA" },
    { .opcode = 0x20, .name = "TLBI_EL2_ALL", .run = tlbi_others },
    { .opcode = 0x21, .name = "TLBI_EL2_ASID", .run = tlbi_others },
    { .opcode = 0x22, .name = "TLBI_EL2_VA", .run = tlbi_others_va },
    { .opcode = 0x23, .name = "TLBI_EL2_VAA", .run = tlbi_others_va },
    { .opcode = 0x28, .name = "TLBI_S12_VMALL", .run = tlbi_vm },
    { .opcode = 0x2a, .name = "TLBI_S2_IPA", .run = tlbi_others_va },
    { .opcode = 0x30, .name = "TLBI_NSNH_ALL", .run = tlbi_all },
    { .opcode = 0x40, .guest = true, .stream = true, .name = "ATC_INV", .run = atc_inv },
    { .opcode = 0x41, .stream = true, .name = "PRI_RESP", .run = pri_resp },
    { .opcode = 0x44, .stream = true, .name = "RESUME", .run = nothing },
    { .opcode = 0x45, .stream = true, .name = "STALL_TERM", .run = nothing },
    { .opcode = 0x46, .guest = true, .name = "CMD_SYNC", .run = sync },
    { .opcode = 0x50, .name = "TLBI_S_EL2_ALL" },
    { .opcode = 0x51, .name = "TLBI_S_EL2_ASID" },
    { .opcode = 0x52, .name = "TLBI_S_EL2_VA" },
    { .opcode = 0x53, .name = "TLBI_S_EL2_VAA" },
    { .opcode = 0x58, .name = "TLBI_S_S12_VMALL" },
    { .opcode = 0x5a, .name = "TLBI_S_S2_IPA" },
    { .opcode = 0x60, .name = "TLBI_SNH_ALL" },
    { .opcode = 0x70, .name = "DPTI_ALL" },
    { .opcode = 0x73, .name = "DPTI_PA" },
};

static const struct command *find(uint64_t w0)
{
    for (unsigned k = 0; k < sizeof(commands) / sizeof(commands[0]); k++)
        if (commands[k].opcode == (uint8_t)w0)
            return &commands[k];
    return NULL;
}

const char *vdf_smmu_command_name(uint64_t w0)
{
    const struct command *command = find(w0);
    return command ? command->name : "unknown";
}

enum vdf_cerror vdf_smmu_command(struct vdf_vcmdq *queue, uint64_t w0, uint64_t w1,
                                 const char **why)
{
    const struct command *command = find(w0);

    if (!hyp_own(queue->dev) && !(command && command->guest))
        return illegal(why, "a guest's queue takes TLBI_NH_ASID, TLBI_NH_VA, ATC_INV and CMD_SYNC "
                            "without a signal");
    if (!command || !command->run)
        return illegal(why, "the Non-secure queue of this SMMU has no such command");
    if (command->stream && (w0 & SSEC))
        return illegal(why, "SSec is 0 in a Non-secure queue");
    return command->run(queue, w0, w1, why);
}

/* --- identification --------------------------------------------------------------------------- */

#define IDR0_S2P VDF_BIT(0)
#define IDR0_S1P VDF_BIT(1)
#define IDR0_TTF_AARCH64 (UINT64_C(2) << 2)
#define IDR0_COHACC VDF_BIT(4)
#define IDR0_HYP VDF_BIT(9)
#define IDR0_ATS VDF_BIT(10)
#define IDR0_ASID16 VDF_BIT(12)
#define IDR0_MSI VDF_BIT(13)
#define IDR0_SEV VDF_BIT(14)
#define IDR0_PRI VDF_BIT(16)
#define IDR0_VMID16 VDF_BIT(18)
#define IDR0_CD2L VDF_BIT(19)
#define IDR0_TTENDIAN_LITTLE (UINT64_C(2) << 21)
#define IDR0_ST_LEVEL_2 VDF_BIT(27)
#define IDR1_SIDSIZE 20u
#define IDR1_SSIDSIZE (20u << 6)
#define IDR1_PRIQS (19u << 11)
#define IDR1_EVENTQS (19u << 16)
#define IDR1_CMDQS_SHIFT 21u
#define IDR3_RIL VDF_BIT(10)
#define IDR5_OAS_48 5u
#define IDR5_GRANULES 0x70u /* 4, 16 and 64 KiB */
#define AIDR_V3_2 2u

void vdf_smmu_hw_info(const struct vdf_hwqueue *dev, struct vdf_iommu_hw_info_smmuv3 *info)
{
    *info = (struct vdf_iommu_hw_info_smmuv3){
        .idr = {
            [0] = IDR0_S2P | IDR0_S1P | IDR0_TTF_AARCH64 | IDR0_COHACC | IDR0_HYP | IDR0_ATS |
                  IDR0_ASID16 | IDR0_MSI | IDR0_SEV | IDR0_PRI | IDR0_VMID16 | IDR0_CD2L |
                  IDR0_TTENDIAN_LITTLE | IDR0_ST_LEVEL_2,
            [1] = IDR1_SIDSIZE | IDR1_SSIDSIZE | IDR1_PRIQS | IDR1_EVENTQS |
                  (uint32_t)dev->tegra.cmdqs << IDR1_CMDQS_SHIFT,
            [3] = IDR3_RIL,
            [5] = IDR5_OAS_48 | IDR5_GRANULES,
        },
        .aidr = AIDR_V3_2,
    };
}

void vdf_smmu_show_hw_info(const struct vdf_iommu_hw_info_smmuv3 *info, struct vdf_buf *out)
{
    vdf_buf_printf(out, "type = %u\nflags = 0x%08x", VDF_IOMMU_HW_INFO_ARM_SMMUV3, info->flags);
    for (unsigned k = 0; k < sizeof(info->idr) / sizeof(info->idr[0]); k++)
        vdf_buf_printf(out, "\nidr%u = 0x%08x", k, info->idr[k]);
    vdf_buf_printf(out, "\niidr = 0x%08x\naidr = 0x%08x", info->iidr, info->aidr);
}
