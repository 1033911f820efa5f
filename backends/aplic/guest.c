/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An APLIC in a guest: the control region (part 0) and the IMSIC page of hart H (part 1 + H), each
 * of which may have its own route for interrupts. The MSIs of a hart take the route of its IMSIC
 * page, or that of the control region where the page has none.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <virtdevfs/text.h>

#include "guest.h"
#include "idc.h"
#include "imsic.h"

#define IMSIC "imsic/"

struct vdf_aplic_route {
    uint32_t part;
    struct vdf_guest guest;
    struct vdf_aplic_route *next;
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
        return vdf_fail(err, ENODEV, "\"%.40s\": the APLIC has %" PRIu32 " harts, from 0", rest,
                        aplic->n_harts);
    *part = 1 + hart;
    return 0;
}

static uint64_t window_size(struct vdf_obj *obj, uint32_t part)
{
    return part ? VDF_IMSIC_PAGE_SIZE : vdf_aplic_region_size(vdf_obj_priv(obj));
}

static const struct vdf_aplic_route *find_route(const struct vdf_aplic *aplic, uint32_t part)
{
    const struct vdf_aplic_route *route = aplic->routes;

    while (route && route->part != part)
        route = route->next;
    return route;
}

static const struct vdf_aplic_route *route_of_hart(const struct vdf_aplic *aplic, uint32_t hart)
{
    const struct vdf_aplic_route *route = find_route(aplic, 1 + hart);

    return route && route->guest.irq.message ? route : find_route(aplic, 0);
}

/* An identity that an interrupt file signals. Bits 12 and up of the message's address are the number
 * of the hart. */
static void send_message(void *ctx, uint64_t address, uint32_t eiid)
{
    const struct vdf_aplic *aplic = ctx;
    uint32_t hart = 0;

    while (hart < aplic->n_harts && aplic->harts[hart].address != address)
        hart++;
    const struct vdf_aplic_route *route = route_of_hart(aplic, hart);
    if (route)
        vdf_irq_message(&route->guest.irq, (uint64_t)hart << VDF_IMSIC_PAGE_SHIFT,
                        route->guest.vector + eiid);
}

static void drive_line(void *ctx, bool level)
{
    const struct vdf_aplic *aplic = ctx;
    const struct vdf_aplic_route *route = find_route(aplic, 0);

    if (route)
        vdf_irq_set(&route->guest.irq, level);
}

void vdf_aplic_connect(struct vdf_obj *obj, const struct vdf_irq *irq)
{
    struct vdf_aplic *aplic = vdf_obj_priv(obj);

    aplic->irq = irq ? *irq : (struct vdf_irq){ 0 };
    aplic->line = false;
    vdf_aplic_update_line(aplic);
}

static void connect(struct vdf_obj *obj)
{
    struct vdf_aplic *aplic = vdf_obj_priv(obj);
    const struct vdf_irq irq = {
        .set_level = drive_line,
        .message = send_message,
        .ctx = aplic,
    };

    vdf_aplic_connect(obj, aplic->routes ? &irq : NULL);
}

/* A new guest gets what its harts have pending: a line by its level, interrupt files by messages. */
static void signal_pending(const struct vdf_aplic *aplic, const struct vdf_aplic_route *route)
{
    const struct vdf_aplic_identities none = { 0 };

    for (uint32_t h = 0; vdf_aplic_has_imsics(aplic) && h < aplic->n_harts; h++)
        if (route_of_hart(aplic, h) == route)
            vdf_aplic_signal(aplic, &aplic->harts[h], &none);
}

static int attach(struct vdf_obj *obj, uint32_t part, const struct vdf_guest *guest, bool fresh,
                  struct vdf_err *err)
{
    struct vdf_aplic *aplic = vdf_obj_priv(obj);
    struct vdf_aplic_route *route;

    if (aplic->priv.backend)
        return vdf_fail(
            err, EOPNOTSUPP,
            "the backend kvm has a VM of its own; a device with the backend soft can be "
            "attached");
    if (find_route(aplic, part))
        return vdf_fail(err, EBUSY, "the part is attached to another slot or function");
    if (aplic->routes && aplic->routes->guest.machine != guest->machine)
        return vdf_fail(err, EBUSY, "a part of the device is attached to another VM or function");
    route = calloc(1, sizeof(*route));
    if (!route)
        return vdf_fail(err, ENOMEM, "no memory");
    route->part = part;
    route->guest = *guest;
    route->next = aplic->routes;
    aplic->routes = route;
    connect(obj);
    if (fresh)
        signal_pending(aplic, route);
    return 0;
}

static void detach(struct vdf_obj *obj, uint32_t part)
{
    struct vdf_aplic *aplic = vdf_obj_priv(obj);

    for (struct vdf_aplic_route **link = &aplic->routes, *route; (route = *link);
         link = &route->next) {
        if (route->part != part)
            continue;
        *link = route->next;
        free(route);
        break;
    }
    connect(obj);
}

/* The signal to a hart is a level. Where its rise is a message, a claim that leaves the level high
 * sends another message, so that a guest that claims once for each message gets all. */
static void claimed(const struct vdf_aplic *aplic)
{
    const struct vdf_aplic_route *route = find_route(aplic, 0);

    if (route && route->guest.line_is_message && aplic->line)
        vdf_irq_set(&route->guest.irq, true);
}

static bool is_claimi(uint64_t offset)
{
    return offset >= VDF_APLIC_SIZE && offset % VDF_APLIC_IDC_SIZE == VDF_APLIC_CLAIMI;
}

static int guest_read(struct vdf_obj *obj, uint32_t part, uint64_t offset, unsigned width,
                      uint64_t *value, struct vdf_err *err)
{
    if (part)
        return vdf_aplic_imsic_read(vdf_obj_priv(obj), part - 1, offset, width, value);
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
        return vdf_aplic_imsic_write(vdf_obj_priv(obj), part - 1, offset, width, value);
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
