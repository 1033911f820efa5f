/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rows of the bus, and the component. */
#include <errno.h>

#include "device.h"
#include "line.h"
#include "probe.h"

static bool has_line(const void *priv, uint32_t number)
{
    return vdf_intx_line_used(&((const struct vdf_intx_bus *)priv)->lines[number]);
}

static struct vdf_intx_line *line_at(const struct vdf_at *at)
{
    return &((struct vdf_intx_bus *)at->priv)->lines[at->i];
}

static int get_level(const struct vdf_at *at, uint64_t *value)
{
    *value = vdf_intx_line_level(line_at(at));
    return 0;
}

static int get_sharers(const struct vdf_at *at, uint64_t *value)
{
    *value = vdf_intx_line_sharers(line_at(at));
    return 0;
}

static int set_host(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_intx_dev *owner = vdf_intx_line_owner(line_at(at));

    if (value && owner)
        return vdf_fail(err, EBUSY, "line %u belongs to device %s, which cannot share it", at->i,
                        vdf_obj_name(owner->priv.obj));
    vdf_intx_line_host(line_at(at), value);
    return 0;
}

/* Lines behind the last that is used have counts of 0. */
static uint32_t used_lines(const void *priv)
{
    uint32_t n = VDF_INTX_LINES;

    while (n && !has_line(priv, n - 1))
        n--;
    return n;
}

static const struct vdf_objects devices = { .cls = &vdf_intx_device_class, .text = "NAME" };

#define LINE(member) VDF_MEMBERS(struct vdf_intx_bus, lines, member)
#define LINES .range = { { .count = VDF_INTX_LINES, .has = has_line, .text = "0..254" } }
/* The state has rows of its own for the lines. They are there before anything is on a line, so that
 * lines and devices may be restored in any order. */
#define SAVED_LINES .range = { { .count = VDF_INTX_LINES, .used = used_lines } }
static const struct vdf_attr rows[] = {
    { VDF_ROW("devices", VDF_OBJECTS, 0,
              "devices assigned to guests; mkdir gives a PCI 2.3 device on line 0, not enabled"),
      .objects = &devices },
    { VDF_ROW("lines/#/host", VDF_BOOL, VDF_RW,
              "a host device of the same line, not assigned: 1 while it asserts; it is on the line "
              "for that time"),
      LINE(host), LINES, .set = set_host },
    { VDF_ROW("lines/#/level", VDF_BOOL, VDF_R,
              "OR of the inputs of the line; its files are there while it has any"),
      .width = 1, LINES, .get = get_level },
    { VDF_ROW("lines/#/raised", VDF_UINT, VDF_R,
              "interrupts: one each time an input rises, or the line is enabled again while high"),
      LINE(raised), LINES },
    { VDF_ROW("lines/#/handled", VDF_UINT, VDF_R,
              "interrupts that at least one handler claimed, the host device's own included"),
      LINE(handled), LINES },
    { VDF_ROW("lines/#/spurious", VDF_UINT, VDF_R, "interrupts that no handler claimed"),
      LINE(spurious), LINES },
    { VDF_ROW(
          "lines/#/sharers", VDF_UINT, VDF_R,
          "handlers on the line: enabled devices with host_type intx, and the host device while "
          "it asserts"),
      .width = 4, LINES, .get = get_sharers },
    { VDF_ROW("line/#/host", VDF_BOOL, VDF_NO_FILE | VDF_SAVE,
              "the host's own device asserts the line"),
      LINE(host), SAVED_LINES },
    { VDF_ROW("line/#/raised", VDF_UINT, VDF_NO_FILE | VDF_SAVE, "interrupts of the line"),
      LINE(raised), SAVED_LINES },
    { VDF_ROW("line/#/handled", VDF_UINT, VDF_NO_FILE | VDF_SAVE, "interrupts that were claimed"),
      LINE(handled), SAVED_LINES },
    { VDF_ROW("line/#/spurious", VDF_UINT, VDF_NO_FILE | VDF_SAVE,
              "interrupts that were not claimed"),
      LINE(spurious), SAVED_LINES },
};

/* A device that lives longer than its bus is unwired. */
static void destroy(struct vdf_obj *obj)
{
    struct vdf_intx_bus *bus = vdf_obj_priv(obj);

    for (uint32_t n = 0; n < VDF_INTX_LINES; n++)
        while (bus->lines[n].first)
            vdf_intx_leave(bus->lines[n].first);
}

static int check_restored_line(const struct vdf_intx_bus *bus, uint32_t number, struct vdf_err *err)
{
    const struct vdf_intx_line *line = &bus->lines[number];
    const struct vdf_intx_dev *owner = vdf_intx_line_owner(line);

    if (owner && vdf_intx_line_sharers(line) > 1)
        return vdf_fail(err, EINVAL, "line %u has device %s, which cannot share it, and others",
                        number, vdf_obj_name(owner->priv.obj));
    if (line->raised != line->handled + line->spurious)
        return vdf_fail(err, EINVAL, "line %u: raised is not handled and spurious together",
                        number);
    return 0;
}

/* An edited state may have an interrupt that no handler has seen: the handlers run now. */
static void take_unseen(struct vdf_intx_line *line)
{
    for (const struct vdf_intx_dev *dev = line->first; dev; dev = dev->next) {
        if (!vdf_intx_listens(dev))
            continue;
        if (vdf_intx_shares(dev) ? vdf_intx_claims(dev) : vdf_intx_line_level(line)) {
            vdf_intx_line_interrupt(line);
            return;
        }
    }
}

static int restored(struct vdf_obj *obj, struct vdf_err *err)
{
    struct vdf_intx_bus *bus = vdf_obj_priv(obj);

    for (uint32_t n = 0; n < VDF_INTX_LINES; n++) {
        int ret = check_restored_line(bus, n, err);
        if (ret < 0)
            return ret;
    }
    for (uint32_t n = 0; n < VDF_INTX_LINES; n++) {
        vdf_intx_line_forget_if_unused(&bus->lines[n]);
        take_unseen(&bus->lines[n]);
    }
    return 0;
}

static const struct vdf_class bus_class = {
    VDF_CLASS("intx", "INTx of assigned PCI 2.3 devices on shared lines", struct vdf_intx_bus,
              rows),
    .destroy = destroy,
    .restored = restored,
};

const struct vdf_component vdf_intx_component = {
    .cls = &bus_class,
    .default_name = "bus0",
    .probe = &vdf_vfio_probe,
};
