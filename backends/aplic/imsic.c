/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupt files and the MSIs to them, as Linux's KVM emulates them while no vCPU has run: in all
 * modes an interrupt file is then a file in memory, its MRIF.
 */
#include <byteswap.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <virtdevfs/text.h>

#include "config.h"
#include "imsic.h"

/* --- the signal to a hart --------------------------------------------------------------------- */

/* The identities that are pending, enabled and below the threshold (AIA 3.8). */
static struct vdf_aplic_identities find_due(const struct vdf_aplic_hart *hart)
{
    struct vdf_aplic_identities due;

    for (uint32_t w = 0; w < VDF_APLIC_EIX; w++) {
        due.words[w] = hart->eip[w] & hart->eie[w];
        if (hart->eithreshold != 0 && hart->eithreshold < 64 * w + 64)
            due.words[w] &=
                hart->eithreshold <= 64 * w ? 0 : (UINT64_C(1) << (hart->eithreshold - 64 * w)) - 1;
    }
    return due;
}

struct vdf_aplic_identities vdf_aplic_signalled(const struct vdf_aplic_hart *hart)
{
    return hart->eidelivery ? find_due(hart) : (struct vdf_aplic_identities){ 0 };
}

void vdf_aplic_signal(const struct vdf_aplic *aplic, const struct vdf_aplic_hart *hart,
                      const struct vdf_aplic_identities *before)
{
    const struct vdf_aplic_identities now = vdf_aplic_signalled(hart);

    for (uint32_t w = 0; w < VDF_APLIC_EIX; w++)
        for (uint64_t bits = now.words[w] & ~before->words[w]; bits != 0; bits &= bits - 1)
            vdf_irq_message(&aplic->irq, hart->address, 64 * w + (uint32_t)__builtin_ctzll(bits));
}

uint32_t vdf_aplic_top_identity(const struct vdf_aplic_hart *hart)
{
    const struct vdf_aplic_identities due = find_due(hart);

    for (uint32_t w = 0; w < VDF_APLIC_EIX; w++)
        if (due.words[w])
            return 64 * w + (uint32_t)__builtin_ctzll(due.words[w]);
    return 0;
}

/* --- MSIs ------------------------------------------------------------------------------------- */

static void log_msi(struct vdf_aplic *aplic, uint32_t hart_index, uint32_t guest, uint32_t eiid,
                    bool delivered)
{
    vdf_log_printf(&aplic->msi_log, "hart=%" PRIu32 " guest=%" PRIu32 " eiid=%" PRIu32 " %s",
                   hart_index, guest, eiid, delivered ? "delivered" : "dropped");
}

static void take_msi(struct vdf_aplic *aplic, struct vdf_aplic_hart *hart, uint32_t eiid)
{
    struct vdf_aplic_identities signalled = vdf_aplic_signalled(hart);
    uint64_t bit = UINT64_C(1) << (eiid % 64);

    hart->eip[eiid / 64] |= bit;
    log_msi(aplic, hart->hart_index, 0, eiid, true);
    /* Each MSI is signalled, also one for an identity that the hart has not claimed yet. */
    signalled.words[eiid / 64] &= ~bit;
    vdf_aplic_signal(aplic, hart, &signalled);
}

/* Of harts with the same index KVM finds the first. */
struct vdf_aplic_hart *vdf_aplic_find_by_index(const struct vdf_aplic *aplic, uint32_t hart_index)
{
    uint32_t low = 0, high = aplic->n_harts;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (aplic->by_index[middle].hart_index < hart_index)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == aplic->n_harts || aplic->by_index[low].hart_index != hart_index)
        return NULL;
    return &aplic->harts[aplic->by_index[low].hart];
}

struct vdf_aplic_hart *vdf_aplic_find_by_page(const struct vdf_aplic *aplic, uint64_t page)
{
    for (uint32_t h = 0; h < aplic->n_harts; h++)
        if (aplic->harts[h].address >> VDF_IMSIC_PAGE_SHIFT == page)
            return &aplic->harts[h];
    return NULL;
}

/* An MSI of the APLIC, by numbers. One that no interrupt file takes is dropped. */
static void send_msi(struct vdf_aplic *aplic, uint32_t hart_index, uint32_t guest, uint32_t eiid)
{
    struct vdf_aplic_hart *hart = vdf_aplic_find_by_index(aplic, hart_index);

    if (hart && guest == 0 && eiid != 0 && eiid <= aplic->n_ids)
        take_msi(aplic, hart, eiid);
    else
        log_msi(aplic, hart_index, guest, eiid, false);
}

void vdf_aplic_send_to_target(struct vdf_aplic *aplic, uint32_t target)
{
    send_msi(aplic, target >> VDF_TARGET_HART_SHIFT,
             target >> VDF_TARGET_GUEST_SHIFT & VDF_TARGET_GUEST_MASK, target & VDF_TARGET_EIID);
}

void vdf_aplic_send_genmsi(struct vdf_aplic *aplic, uint32_t genmsi)
{
    send_msi(aplic, genmsi >> VDF_TARGET_HART_SHIFT, 0, genmsi & VDF_TARGET_EIID);
}

int vdf_aplic_signal_msi(struct vdf_aplic *aplic, uint64_t address, uint32_t data,
                         struct vdf_err *err)
{
    if (!aplic->initialised)
        return vdf_fail(err, EBUSY, "the device is not initialised; write `init` first");

    uint64_t guest_mask = (UINT64_C(1) << aplic->guest_bits) - 1;
    uint64_t page = address >> VDF_IMSIC_PAGE_SHIFT;
    uint32_t guest = (uint32_t)(page & guest_mask);
    uint32_t offset = (uint32_t)(address % VDF_IMSIC_PAGE_SIZE);
    struct vdf_aplic_hart *hart = vdf_aplic_find_by_page(aplic, page & ~guest_mask);
    uint32_t eiid = offset == VDF_IMSIC_SETEIPNUM_BE ? bswap_32(data) : data;
    if (!hart) {
        log_msi(aplic, vdf_aplic_hart_index(aplic, address), guest, eiid, false);
        return 0;
    }

    if (data == 0)
        return vdf_fail(err, ENODEV, "data 0 is no interrupt identity; they are 1 to %" PRIu32,
                        aplic->n_ids);
    if (guest != 0)
        return vdf_fail(err, ENODEV,
                        "0x%" PRIx64 " is the page of guest %" PRIu32
                        "; only that of guest 0 is emulated",
                        address, guest);
    if (offset != VDF_IMSIC_SETEIPNUM_LE && offset != VDF_IMSIC_SETEIPNUM_BE)
        return vdf_fail(err, ENODEV,
                        "0x%" PRIx64 " is no register of an IMSIC page; "
                        "seteipnum_le is at 0, seteipnum_be at 4",
                        address);
    if (eiid > aplic->n_ids)
        return vdf_fail(err, EINVAL, "%" PRIu32 ": interrupt identities are 1 to %" PRIu32, eiid,
                        aplic->n_ids);
    take_msi(aplic, hart, eiid);
    return 0;
}

/* --- IMSIC pages ------------------------------------------------------------------------------ */

static int check_page(const struct vdf_aplic *aplic, uint32_t hart, uint64_t offset, unsigned width)
{
    if (!vdf_aplic_has_imsics(aplic) || hart >= aplic->n_harts || offset >= VDF_IMSIC_PAGE_SIZE)
        return -ENODEV;
    return width == 4 && offset % 4 == 0 ? 0 : -EOPNOTSUPP;
}

int vdf_aplic_imsic_read(const struct vdf_aplic *aplic, uint32_t hart, uint64_t offset,
                         unsigned width, uint64_t *value)
{
    int ret = check_page(aplic, hart, offset, width);

    if (ret == 0)
        *value = 0;
    return ret;
}

int vdf_aplic_imsic_write(struct vdf_aplic *aplic, uint32_t hart, uint64_t offset, unsigned width,
                          uint64_t value)
{
    int ret = check_page(aplic, hart, offset, width);

    if (ret < 0)
        return ret;
    /* KVM ignores a store that is no MSI, or one that no interrupt file takes. */
    if (vdf_aplic_signal_msi(aplic, aplic->harts[hart].address + offset, (uint32_t)value, NULL) <
            0 &&
        offset <= VDF_IMSIC_SETEIPNUM_BE)
        log_msi(aplic, aplic->harts[hart].hart_index, 0,
                offset == VDF_IMSIC_SETEIPNUM_BE ? bswap_32((uint32_t)value) : (uint32_t)value,
                false);
    return 0;
}

/* --- text -------------------------------------------------------------------------------------- */

int vdf_aplic_parse_msi(const char *text, uint64_t *address, uint32_t *data, struct vdf_err *err)
{
    uint64_t number;

    if (!*text)
        return vdf_fail(err, EINVAL, "the address is missing: write ADDRESS DATA");
    int ret = vdf_number_word(&text, UINT64_MAX, "address", address, err);
    if (ret < 0)
        return ret;
    if (!*text)
        return vdf_fail(err, EINVAL, "the data is missing: write ADDRESS DATA");
    ret = vdf_number_word(&text, UINT32_MAX, "data", &number, err);
    if (ret < 0)
        return ret;
    if (*text)
        return vdf_fail(err, EINVAL, "\"%.40s\" follows the data: write ADDRESS DATA", text);
    *data = (uint32_t)number;
    return 0;
}

void vdf_aplic_show_bits(uint64_t bits, uint32_t first, const char **separator, struct vdf_buf *out)
{
    for (; bits != 0; bits &= bits - 1) {
        vdf_buf_printf(out, "%s%" PRIu32, *separator, first + (uint32_t)__builtin_ctzll(bits));
        *separator = "\n";
    }
}

void vdf_aplic_show_identities(const uint64_t *words, uint32_t n_words, struct vdf_buf *out)
{
    const char *separator = "";

    for (uint32_t w = 0; w < n_words; w++)
        vdf_aplic_show_bits(words[w], 64 * w, &separator, out);
}

int vdf_aplic_parse_identities(const struct vdf_aplic *aplic, const char *text,
                               uint64_t words[VDF_APLIC_EIX], struct vdf_err *err)
{
    memset(words, 0, VDF_APLIC_EIX * sizeof(words[0]));
    while (*text) {
        uint64_t id;
        int ret = vdf_number_word(&text, UINT32_MAX, "identity", &id, err);

        if (ret < 0)
            return ret;
        if (id == 0 || id > aplic->n_ids)
            return vdf_fail(err, EINVAL, "%" PRIu64 ": interrupt identities are 1 to %" PRIu32, id,
                            aplic->n_ids);
        words[id / 64] |= UINT64_C(1) << (id % 64);
    }
    return 0;
}
