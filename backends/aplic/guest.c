/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An APLIC in a guest: the control region (part 0) and the IMSIC page of hart H (part 1 + H), each
 * of which may have its own way for interrupts. The MSIs of a hart go the way of its IMSIC page, or
 * of the control region where that has none.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <virtdevfs/text.h>

#include "aplic.h"

#define IMSIC "imsic/"

struct vdf_aplic_way {
    uint32_t part;
    struct vdf_guest guest;
    struct vdf_aplic_way *next;
};

static int find_part(struct vdf_obj *obj, const char *rest, uint32_t *part, struct vdf_err *err)
{
    const struct vdf_aplic *aplic = vdf_obj_priv(obj);
    uint32_t hart;

    *part = 0;
    if (!*rest)
        return 0;
    if (strncmp(rest, IMSIC, strlen(IMSIC)) != 0)
        return vdf_fail(err, ENODEV, "\"%.40s\": an APLIC has imsic/H besides its registers", rest);
    if (vdf_number_name(rest + strlen(IMSIC), UINT32_MAX, &hart) < 0 || hart >= aplic->n_harts)
        return vdf_fail(err, ENODEV, "\"%.40s\": it has %" PRIu32 " harts, from 0", rest,
                        aplic->n_harts);
    *part = 1 + hart;
    return 0;
}

static uint64_t window_size(struct vdf_obj *obj, uint32_t part)
{
    const struct vdf_aplic *aplic = vdf_obj_priv(obj);

    if (part)
        return VDF_IMSIC_PAGE_SIZE;
    return VDF_APLIC_SIZE +
           (vdf_aplic_direct(aplic) ? (uint64_t)aplic->n_harts * VDF_APLIC_IDC_SIZE : 0);
}

static const struct vdf_aplic_way *find_way(const struct vdf_aplic *aplic, uint32_t part)
{
    const struct vdf_aplic_way *way = aplic->ways;

    while (way && way->part != part)
        way = way->next;
    return way;
}

static const struct vdf_aplic_way *way_of_hart(const struct vdf_aplic *aplic, uint32_t hart)
{
    const struct vdf_aplic_way *way = find_way(aplic, 1 + hart);

    return way && way->guest.irq.message ? way : find_way(aplic, 0);
}

/* An identity that an interrupt file signals. The number of the page in its row names the hart. */
static void send_message(void *ctx, uint64_t address, uint32_t eiid)
{
    const struct vdf_aplic *aplic = ctx;
    uint32_t hart = 0;

    while (hart < aplic->n_harts && aplic->harts[hart].address != address)
        hart++;
    const struct vdf_aplic_way *way = way_of_hart(aplic, hart);
    if (way)
        vdf_irq_message(&way->guest.irq, (uint64_t)hart << VDF_IMSIC_PAGE_SHIFT,
                        way->guest.vector + eiid);
}

static void drive_line(void *ctx, bool level)
{
    const struct vdf_aplic *aplic = ctx;
    const struct vdf_aplic_way *way = find_way(aplic, 0);

    if (way)
        vdf_irq_set(&way->guest.irq, level);
}

static void connect(struct vdf_obj *obj)
{
    struct vdf_aplic *aplic = vdf_obj_priv(obj);
    const struct vdf_irq irq = {
        .set_level = drive_line,
        .message = send_message,
        .ctx = aplic,
    };

    vdf_aplic_connect(obj, aplic->ways ? &irq : NULL);
}

/* A new guest learns what stands at its harts: a line by its level, an interrupt file by messages.
 */
static void signal_pending(struct vdf_aplic *aplic, const struct vdf_aplic_way *way)
{
    for (uint32_t h = 0; vdf_aplic_has_imsics(aplic) && h < aplic->n_harts; h++)
        if (way_of_hart(aplic, h) == way)
            vdf_aplic_signal_again(aplic, h);
}

static int attach(struct vdf_obj *obj, uint32_t part, const struct vdf_guest *guest, bool fresh,
                  struct vdf_err *err)
{
    struct vdf_aplic *aplic = vdf_obj_priv(obj);
    struct vdf_aplic_way *way;

    if (aplic->kvm)
        return vdf_fail(
            err, EOPNOTSUPP,
            "its backend is kvm: that device is in a VM of its own; `soft` can be attached");
    if (find_way(aplic, part))
        return vdf_fail(err, EBUSY, "it is attached to another slot");
    if (aplic->ways && aplic->ways->guest.machine != guest->machine)
        return vdf_fail(err, EBUSY, "a part of it is attached to another VM");
    way = calloc(1, sizeof(*way));
    if (!way)
        return vdf_fail(err, ENOMEM, "no memory");
    way->part = part;
    way->guest = *guest;
    way->next = aplic->ways;
    aplic->ways = way;
    connect(obj);
    if (fresh)
        signal_pending(aplic, way);
    return 0;
}

static void detach(struct vdf_obj *obj, uint32_t part)
{
    struct vdf_aplic *aplic = vdf_obj_priv(obj);

    for (struct vdf_aplic_way **link = &aplic->ways, *way; (way = *link); link = &way->next) {
        if (way->part != part)
            continue;
        *link = way->next;
        free(way);
        break;
    }
    connect(obj);
}

/* The signal to a hart is a level. Where a rise of it is a message, a claim that leaves it high
 * sends another: the guest that claims once for each message gets all. */
static void claimed(const struct vdf_aplic *aplic)
{
    const struct vdf_aplic_way *way = find_way(aplic, 0);

    if (way && way->guest.line_is_message && aplic->line)
        vdf_irq_set(&way->guest.irq, true);
}

static bool is_claimi(uint64_t offset)
{
    return offset >= VDF_APLIC_SIZE && offset % VDF_APLIC_IDC_SIZE == VDF_APLIC_CLAIMI;
}

static int guest_read(struct vdf_obj *obj, uint32_t part, uint64_t offset, unsigned width,
                      uint64_t *value, struct vdf_err *err)
{
    if (part)
        return vdf_aplic_imsic_read(obj, part - 1, offset, width, value);
    if (width != 4)
        return vdf_fail(err, EOPNOTSUPP, "%u bytes: registers have 4", width);
    int ret = vdf_window_read(obj, VDF_REGS, offset, width, false, value, err);
    if (ret == 0 && is_claimi(offset) && *value != 0)
        claimed(vdf_obj_priv(obj));
    return ret;
}

static int guest_write(struct vdf_obj *obj, uint32_t part, uint64_t offset, unsigned width,
                       uint64_t value, struct vdf_err *err)
{
    if (part)
        return vdf_aplic_imsic_write(obj, part - 1, offset, width, value);
    if (width != 4)
        return vdf_fail(err, EOPNOTSUPP, "%u bytes: registers have 4", width);
    return vdf_window_write(obj, VDF_REGS, offset, width, value, err);
}

const struct vdf_guest_ops vdf_aplic_guest_ops = {
    .interrupts = VDF_GUEST_LINE | VDF_GUEST_MESSAGE,
    .part = find_part,
    .size = window_size,
    .attach = attach,
    .detach = detach,
    .read = guest_read,
    .write = guest_write,
};
