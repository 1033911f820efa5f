/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupt files and the MSIs to them, as Linux's KVM emulates them while no vCPU has run: in all
 * modes an interrupt file is then one in memory, its MRIF.
 */
#include <byteswap.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <virtdevfs/text.h>

#include "aplic.h"

#define EITHRESHOLD_BITS 0x7ffu /* identities are 11 bits (AIA 3.1) */

/* --- the signal to a hart --------------------------------------------------------------------- */

struct identities {
    uint64_t words[VDF_APLIC_EIX];
};

/* The identities that are pending, enabled and below the threshold (AIA 3.8). */
static struct identities find_due(const struct vdf_aplic_hart *hart)
{
    struct identities due;

    for (uint32_t w = 0; w < VDF_APLIC_EIX; w++) {
        due.words[w] = hart->eip[w] & hart->eie[w];
        if (hart->eithreshold != 0 && hart->eithreshold < 64 * w + 64)
            due.words[w] &=
                hart->eithreshold <= 64 * w ? 0 : (UINT64_C(1) << (hart->eithreshold - 64 * w)) - 1;
    }
    return due;
}

/* Those that the hart is told of: none while its file does not deliver. */
static struct identities find_signalled(const struct vdf_aplic_hart *hart)
{
    return hart->eidelivery ? find_due(hart) : (struct identities){ 0 };
}

/* A message for each identity that the hart is told of now and was not told of @before. */
static void signal_hart(struct vdf_aplic *aplic, const struct vdf_aplic_hart *hart,
                        const struct identities *before)
{
    const struct identities now = find_signalled(hart);

    for (uint32_t w = 0; w < VDF_APLIC_EIX; w++)
        for (uint64_t bits = now.words[w] & ~before->words[w]; bits != 0; bits &= bits - 1)
            vdf_irq_message(&aplic->irq, hart->address, 64 * w + (uint32_t)__builtin_ctzll(bits));
}

void vdf_aplic_signal_again(struct vdf_aplic *aplic, uint32_t hart)
{
    const struct identities none = { 0 };

    signal_hart(aplic, &aplic->harts[hart], &none);
}

static uint32_t top_identity(const struct vdf_aplic_hart *hart)
{
    const struct identities due = find_due(hart);

    for (uint32_t w = 0; w < VDF_APLIC_EIX; w++)
        if (due.words[w])
            return 64 * w + (uint32_t)__builtin_ctzll(due.words[w]);
    return 0;
}

int vdf_aplic_get_topei(const struct vdf_at *at, uint64_t *value)
{
    const struct vdf_aplic *aplic = at->priv;
    uint32_t top = top_identity(&aplic->harts[at->i]);

    *value = top << 16 | top;
    return 0;
}

/* AIA 3.9: a write claims what a read would report; the value means nothing. */
int vdf_aplic_set_topei(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_aplic *aplic = at->priv;
    struct vdf_aplic_hart *hart = &aplic->harts[at->i];
    uint32_t top = top_identity(hart);

    if (top)
        hart->eip[top / 64] &= ~(UINT64_C(1) << (top % 64));
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
    struct identities signalled = find_signalled(hart);
    uint64_t bit = UINT64_C(1) << (eiid % 64);

    hart->eip[eiid / 64] |= bit;
    log_msi(aplic, hart->hart_index, 0, eiid, true);
    /* An attached guest is told of each, also of one that it has not claimed yet. */
    signalled.words[eiid / 64] &= ~bit;
    signal_hart(aplic, hart, &signalled);
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

void vdf_aplic_send_msi(struct vdf_aplic *aplic, uint32_t hart_index, uint32_t guest, uint32_t eiid)
{
    struct vdf_aplic_hart *hart = vdf_aplic_find_by_index(aplic, hart_index);

    if (hart && guest == 0 && eiid != 0 && eiid <= aplic->n_ids)
        take_msi(aplic, hart, eiid);
    else
        log_msi(aplic, hart_index, guest, eiid, false);
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

int vdf_aplic_parse_msi(const char *text, uint64_t *address, uint32_t *data, struct vdf_err *err)
{
    uint64_t number;

    if (!*text)
        return vdf_fail(err, EINVAL, "the address is missing; it takes ADDRESS DATA");
    int ret = vdf_number_word(&text, UINT64_MAX, "address", address, err);
    if (ret < 0)
        return ret;
    if (!*text)
        return vdf_fail(err, EINVAL, "the data is missing; it takes ADDRESS DATA");
    ret = vdf_number_word(&text, UINT32_MAX, "data", &number, err);
    if (ret < 0)
        return ret;
    if (*text)
        return vdf_fail(err, EINVAL, "\"%.40s\" is too much; it takes ADDRESS DATA", text);
    *data = (uint32_t)number;
    return 0;
}

int vdf_aplic_store_signal_msi(const struct vdf_at *at, const char *text, size_t len,
                               struct vdf_err *err)
{
    uint64_t address;
    uint32_t data;
    int ret = vdf_aplic_parse_msi(text, &address, &data, err);

    return ret < 0 ? ret : vdf_aplic_signal_msi(at->priv, address, data, err);
}

/* --- IMSIC pages ------------------------------------------------------------------------------ */

static int find_page(struct vdf_obj *obj, uint32_t hart, uint64_t offset, unsigned width,
                     struct vdf_aplic **aplic)
{
    *aplic = vdf_obj_priv(obj);
    if (!vdf_aplic_has_imsics(*aplic) || hart >= (*aplic)->n_harts || offset >= VDF_IMSIC_PAGE_SIZE)
        return -ENODEV;
    return width == 4 && offset % 4 == 0 ? 0 : -EOPNOTSUPP;
}

int vdf_aplic_imsic_read(struct vdf_obj *obj, uint32_t hart, uint64_t offset, unsigned width,
                         uint64_t *value)
{
    struct vdf_aplic *aplic;
    int ret = find_page(obj, hart, offset, width, &aplic);

    if (ret == 0)
        *value = 0;
    return ret;
}

int vdf_aplic_imsic_write(struct vdf_obj *obj, uint32_t hart, uint64_t offset, unsigned width,
                          uint64_t value)
{
    struct vdf_aplic *aplic;
    int ret = find_page(obj, hart, offset, width, &aplic);

    if (ret < 0)
        return ret;
    /* KVM swallows what is no MSI or for nobody. */
    if (vdf_aplic_signal_msi(aplic, aplic->harts[hart].address + offset, (uint32_t)value, NULL) <
            0 &&
        offset <= VDF_IMSIC_SETEIPNUM_BE)
        log_msi(aplic, aplic->harts[hart].hart_index, 0,
                offset == VDF_IMSIC_SETEIPNUM_BE ? bswap_32((uint32_t)value) : (uint32_t)value,
                false);
    return 0;
}

/* --- files of an interrupt file --------------------------------------------------------------- */

static struct vdf_aplic_hart *hart_at(const struct vdf_at *at)
{
    struct vdf_aplic *aplic = at->priv;

    return &aplic->harts[at->i];
}

int vdf_aplic_get_eidelivery(const struct vdf_at *at, uint64_t *value)
{
    *value = hart_at(at)->eidelivery;
    return 0;
}

int vdf_aplic_set_eidelivery(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct identities before = find_signalled(hart_at(at));

    hart_at(at)->eidelivery = value & 1;
    signal_hart(at->priv, hart_at(at), &before);
    return 0;
}

int vdf_aplic_get_eithreshold(const struct vdf_at *at, uint64_t *value)
{
    *value = hart_at(at)->eithreshold;
    return 0;
}

int vdf_aplic_set_eithreshold(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct identities before = find_signalled(hart_at(at));

    hart_at(at)->eithreshold = value & EITHRESHOLD_BITS;
    signal_hart(at->priv, hart_at(at), &before);
    return 0;
}

/*
 * KVM reaches eip and eie of a file in memory with 32-bit atomics: a read is the sign-extended low
 * half, a write replaces the low half. An MSI for an identity of the high half is pending all the
 * same, which `pending` shows. The register's number is two for each 64 identities; bit 0 of number
 * 0 is no identity.
 */
static uint64_t read_half(const uint64_t *words, uint32_t n)
{
    return (uint64_t)(int64_t)(int32_t)(uint32_t)words[n / 2];
}

static int write_half(const struct vdf_at *at, uint64_t *words, uint64_t value)
{
    struct identities before = find_signalled(hart_at(at));
    uint64_t mask = at->j == 0 ? UINT64_C(0xfffffffe) : UINT64_C(0xffffffff);

    words[at->j / 2] = (words[at->j / 2] & ~mask) | (value & mask);
    signal_hart(at->priv, hart_at(at), &before);
    return 0;
}

int vdf_aplic_get_eip(const struct vdf_at *at, uint64_t *value)
{
    *value = read_half(hart_at(at)->eip, at->j);
    return 0;
}

int vdf_aplic_set_eip(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    return write_half(at, hart_at(at)->eip, value);
}

int vdf_aplic_get_eie(const struct vdf_at *at, uint64_t *value)
{
    *value = read_half(hart_at(at)->eie, at->j);
    return 0;
}

int vdf_aplic_set_eie(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    return write_half(at, hart_at(at)->eie, value);
}

void vdf_aplic_show_identities(const uint64_t *words, uint32_t n_words, struct vdf_buf *out)
{
    const char *separator = "";

    for (uint32_t w = 0; w < n_words; w++)
        for (uint64_t bits = words[w]; bits != 0; bits &= bits - 1) {
            vdf_buf_printf(out, "%s%d", separator, 64 * (int)w + __builtin_ctzll(bits));
            separator = "\n";
        }
}

void vdf_aplic_show_eip(const struct vdf_at *at, struct vdf_buf *out)
{
    vdf_aplic_show_identities(hart_at(at)->eip, vdf_aplic_eix(at->priv), out);
}

void vdf_aplic_show_eie(const struct vdf_at *at, struct vdf_buf *out)
{
    vdf_aplic_show_identities(hart_at(at)->eie, vdf_aplic_eix(at->priv), out);
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

int vdf_aplic_check_identity(const struct vdf_at *at, const char *line, size_t len,
                             struct vdf_err *err)
{
    uint64_t words[VDF_APLIC_EIX];

    return vdf_aplic_parse_identities(at->priv, line, words, err);
}

/* The identities of the list and no others. */
static int store_identities(const struct vdf_at *at, uint64_t *words, const char *text,
                            struct vdf_err *err)
{
    uint64_t listed[VDF_APLIC_EIX];
    int ret = vdf_aplic_parse_identities(at->priv, text, listed, err);
    struct identities before = find_signalled(hart_at(at));

    if (ret < 0)
        return ret;
    memcpy(words, listed, sizeof(listed));
    signal_hart(at->priv, hart_at(at), &before);
    return 0;
}

int vdf_aplic_store_eip(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err)
{
    return store_identities(at, hart_at(at)->eip, text, err);
}

int vdf_aplic_store_eie(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err)
{
    return store_identities(at, hart_at(at)->eie, text, err);
}

/* --- state ------------------------------------------------------------------------------------ */

static int restore_word(const struct vdf_at *at, uint64_t *words, uint64_t value,
                        struct vdf_err *err)
{
    if (at->j == 0 && value & 1)
        return vdf_fail(err, EINVAL, "0x%016" PRIx64 ": there is no interrupt identity 0", value);
    words[at->j] = value;
    return 0;
}

int vdf_aplic_get_held_eip(const struct vdf_at *at, uint64_t *value)
{
    *value = hart_at(at)->eip[at->j];
    return 0;
}

int vdf_aplic_restore_held_eip(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    return restore_word(at, hart_at(at)->eip, value, err);
}

int vdf_aplic_get_held_eie(const struct vdf_at *at, uint64_t *value)
{
    *value = hart_at(at)->eie[at->j];
    return 0;
}

int vdf_aplic_restore_held_eie(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    return restore_word(at, hart_at(at)->eie, value, err);
}
