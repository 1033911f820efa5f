/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SMMUv3 commands (Arm IHI 0070, chapter 4) as a VCMDQ executes them. A command is two
 * little-endian words, its opcode in bits 7:0 of the first. A queue whose VINTF has HYP_OWN 0
 * belongs to a guest: it takes four opcodes, its VMID is the VINTF's, and its stream ids go through
 * SID_MATCH. With HYP_OWN 1 every command of the SMMU's own queue is taken and names VMID and
 * stream of the machine.
 */
#include "hwqueue.h"

enum opcode {
    PREFETCH_CFG = 0x01,
    CFGI_STE = 0x03,
    CFGI_ALL = 0x04,
    CFGI_CD = 0x05,
    CFGI_CD_ALL = 0x06,
    TLBI_NH_ALL = 0x10,
    TLBI_NH_ASID = 0x11,
    TLBI_NH_VA = 0x12,
    TLBI_NH_VAA = 0x13,
    TLBI_EL2_ALL = 0x20,
    TLBI_EL2_ASID = 0x21,
    TLBI_EL2_VA = 0x22,
    TLBI_S12_VMALL = 0x28,
    TLBI_S2_IPA = 0x2a,
    TLBI_NSNH_ALL = 0x30,
    ATC_INV = 0x40,
    PRI_RESP = 0x41,
    RESUME = 0x44,
    CMD_SYNC = 0x46,
};

/* CMD_SYNC.CS */
#define SYNC_NONE 0u
#define SYNC_IRQ 1u
#define SYNC_SEV 2u

const char *vdf_smmu_command_name(uint64_t w0)
{
    static const struct {
        uint8_t opcode;
        const char *name;
    } names[] = {
        { PREFETCH_CFG, "PREFETCH_CFG" },
        { CFGI_STE, "CFGI_STE" },
        { CFGI_ALL, "CFGI_ALL" },
        { CFGI_CD, "CFGI_CD" },
        { CFGI_CD_ALL, "CFGI_CD_ALL" },
        { TLBI_NH_ALL, "TLBI_NH_ALL" },
        { TLBI_NH_ASID, "TLBI_NH_ASID" },
        { TLBI_NH_VA, "TLBI_NH_VA" },
        { TLBI_NH_VAA, "TLBI_NH_VAA" },
        { TLBI_EL2_ALL, "TLBI_EL2_ALL" },
        { TLBI_EL2_ASID, "TLBI_EL2_ASID" },
        { TLBI_EL2_VA, "TLBI_EL2_VA" },
        { TLBI_S12_VMALL, "TLBI_S12_VMALL" },
        { TLBI_S2_IPA, "TLBI_S2_IPA" },
        { TLBI_NSNH_ALL, "TLBI_NSNH_ALL" },
        { ATC_INV, "ATC_INV" },
        { PRI_RESP, "PRI_RESP" },
        { RESUME, "RESUME" },
        { CMD_SYNC, "CMD_SYNC" },
    };
    uint8_t opcode = (uint8_t)w0;

    for (unsigned k = 0; k < sizeof(names) / sizeof(names[0]); k++)
        if (names[k].opcode == opcode)
            return names[k].name;
    return "unknown";
}

static bool hyp_own(const struct vdf_hwqueue *dev)
{
    return dev->vintf_config & VDF_VINTF_CONFIG_HYP_OWN;
}

/* The cache is that of the VINTF's VM; only a queue with HYP_OWN can name another. */
static bool names_vm(const struct vdf_hwqueue *dev, uint64_t w0)
{
    return !hyp_own(dev) || vdf_bits(w0, 32, 16) == vdf_bits(dev->vintf_config, 1, 16);
}

/*
 * TLBI by address. TG 0 invalidates what translates one address. Otherwise the range is
 * (NUM + 1) << SCALE granules, and TTL, if not 0, says at which level the leaf entries are, that
 * is how large they are: a level resolves as many bits as a granule of 8-byte entries has.
 */
static void tlbi_va(struct vdf_hwqueue *dev, uint64_t tag, uint64_t w0, uint64_t w1)
{
    static const uint8_t granule[4] = { 12, 12, 14, 16 };
    unsigned tg = (unsigned)vdf_bits(w1, 10, 2);
    unsigned shift = granule[tg];
    uint64_t first = w1 & ~(VDF_BIT(shift) - 1);
    uint64_t bytes = VDF_BIT(shift), size = VDF_IOTLB_ANY, last;

    if (tg) {
        unsigned ttl = (unsigned)vdf_bits(w1, 8, 2);
        bytes = (vdf_bits(w0, 12, 5) + 1) << (vdf_bits(w0, 20, 5) + shift);
        if (ttl)
            size = VDF_BIT(shift + (3 - ttl) * (shift - 3));
    }
    if (__builtin_add_overflow(first, bytes - 1, &last))
        last = UINT64_MAX;
    if (names_vm(dev, w0))
        vdf_iotlb_drop_va(&dev->iotlb, tag, VDF_IOTLB_ANY, first, last, size);
}

/* SIZE is log2 of 4 KiB pages, 52 and more are all addresses. Without an SSID (SSV 0) and with
 * GLOBAL the entries of all substreams in the range go. */
static enum vdf_cerror atc_inv(struct vdf_vcmdq *queue, uint64_t w0, uint64_t w1)
{
    struct vdf_hwqueue *dev = queue->dev;
    uint32_t sid = (uint32_t)(w0 >> 32);

    if (!hyp_own(dev)) {
        const struct vdf_vdevice *vdevice = vdf_vdevice_find(dev, sid);
        if (!vdevice)
            return VDF_CERROR_ILL_ACCESS;
        sid = vdevice->psid;
        if (vdevice->atc_timeout)
            queue->atc_timeout = 1;
    }

    unsigned pages = (unsigned)vdf_bits(w1, 0, 6);
    uint64_t first = 0, last = UINT64_MAX, ssid = VDF_IOTLB_ANY;
    if (pages < 52) {
        uint64_t span = VDF_BIT(12 + pages);
        first = w1 & ~(span - 1);
        last = first + (span - 1);
    }
    if (vdf_bits(w0, 11, 1) && !vdf_bits(w0, 9, 1))
        ssid = vdf_bits(w0, 12, 20);
    vdf_iotlb_drop_device(&dev->iotlb, sid, ssid, first, last);
    dev->atc_inv++;
    return VDF_CERROR_NONE;
}

/* Everything before it has been done, so that the only work is to tell. A guest's queue has no MSI
 * and no event to tell with: its driver polls CONS. */
static enum vdf_cerror sync(struct vdf_vcmdq *queue, uint64_t w0, uint64_t w1)
{
    struct vdf_hwqueue *dev = queue->dev;
    unsigned cs = (unsigned)vdf_bits(w0, 12, 2);

    if (cs > (hyp_own(dev) ? SYNC_SEV : SYNC_NONE))
        return VDF_CERROR_ILL;
    if (queue->atc_timeout) {
        queue->atc_timeout = 0;
        return VDF_CERROR_ATC_INV_SYNC;
    }
    uint64_t address = w1 & ~UINT64_C(3);
    if (cs == SYNC_IRQ && address) {
        void *to = vdf_ioas_at(dev, address, sizeof(uint32_t), true);
        if (to)
            vdf_store_le32(to, (uint32_t)(w0 >> 32));
        else
            vdf_irq_message(&dev->irq, address, (uint32_t)(w0 >> 32));
    }
    dev->sync++;
    return VDF_CERROR_NONE;
}

/* What a queue takes only with HYP_OWN. Configuration caches and page requests are not kept here,
 * so their commands have nothing to do. */
static enum vdf_cerror hyp_command(struct vdf_hwqueue *dev, uint64_t w0, uint64_t w1)
{
    switch ((enum opcode)(w0 & 0xff)) {
    case PREFETCH_CFG:
    case CFGI_STE:
    case CFGI_ALL:
    case CFGI_CD:
    case CFGI_CD_ALL:
    case PRI_RESP:
    case RESUME:
        return VDF_CERROR_NONE;
    case TLBI_EL2_ALL:
    case TLBI_EL2_ASID:
    case TLBI_EL2_VA:
    case TLBI_S2_IPA:
        /* Translations of the hypervisor and of stage 2: the cache has the guest's stage 1. */
        break;
    case TLBI_NH_VAA:
        tlbi_va(dev, VDF_IOTLB_ANY, w0, w1);
        break;
    case TLBI_NH_ALL:
    case TLBI_S12_VMALL:
        if (names_vm(dev, w0))
            vdf_iotlb_drop_all(&dev->iotlb);
        break;
    case TLBI_NSNH_ALL:
        vdf_iotlb_drop_all(&dev->iotlb);
        break;
    default:
        return VDF_CERROR_ILL;
    }
    dev->tlbi++;
    return VDF_CERROR_NONE;
}

enum vdf_cerror vdf_smmu_command(struct vdf_vcmdq *queue, uint64_t w0, uint64_t w1)
{
    struct vdf_hwqueue *dev = queue->dev;

    switch (w0 & 0xff) {
    case TLBI_NH_VA:
        tlbi_va(dev, w0 >> 48, w0, w1);
        dev->tlbi++;
        return VDF_CERROR_NONE;
    case TLBI_NH_ASID:
        if (names_vm(dev, w0))
            vdf_iotlb_drop_tag(&dev->iotlb, (uint32_t)(w0 >> 48));
        dev->tlbi++;
        return VDF_CERROR_NONE;
    case ATC_INV:
        return atc_inv(queue, w0, w1);
    case CMD_SYNC:
        return sync(queue, w0, w1);
    default:
        return hyp_own(dev) ? hyp_command(dev, w0, w1) : VDF_CERROR_ILL;
    }
}
