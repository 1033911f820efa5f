/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rows of a guest adapter interruption table, and its life. */
#include <stdlib.h>

#include "aen.h"
#include "entry.h"
#include "function.h"
#include "guest.h"

struct gait *vdf_gait_of(const struct vdf_obj *child)
{
    return vdf_obj_priv(vdf_obj_parent(child));
}

struct gait_guest *vdf_gait_guest_next(const struct gait *gait, const struct gait_guest *prev)
{
    struct vdf_obj *obj = vdf_obj_next(gait->base.obj, "guests", prev ? prev->base.obj : NULL);
    return obj ? vdf_obj_priv(obj) : NULL;
}

struct gait_function *vdf_gait_function_next(const struct gait *gait,
                                             const struct gait_function *prev)
{
    struct vdf_obj *obj = vdf_obj_next(gait->base.obj, "functions", prev ? prev->base.obj : NULL);
    return obj ? vdf_obj_priv(obj) : NULL;
}

static int create(struct vdf_obj *obj, struct vdf_err *err)
{
    struct gait *gait = vdf_obj_priv(obj);

    vdf_memory_init(&gait->table, "gait-table", GAIT_ENTRIES * GAIT_ENTRY_SIZE);
    vdf_memory_init(&gait->sbv, "gait-sbv", GAIT_SBV_BYTES);
    return 0;
}

static void destroy(struct vdf_obj *obj)
{
    struct gait *gait = vdf_obj_priv(obj);

    free(gait->owner);
    vdf_memory_free(&gait->table);
    vdf_memory_free(&gait->sbv);
}

static int restored(struct vdf_obj *obj, struct vdf_err *err)
{
    struct gait *gait = vdf_obj_priv(obj);
    int ret = vdf_gait_restored_aen(gait, err);

    if (ret == 0)
        ret = vdf_gait_restored_guests(gait, err);
    if (ret == 0)
        ret = vdf_gait_restored_functions(gait, err);
    return ret;
}

static int set_enabled(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    return value ? vdf_gait_enable(at->priv, err) : vdf_gait_disable(at->priv, err);
}

static const char *const sic_modes[] = { "all", "single", NULL };

static const struct vdf_objects guests = { .cls = &vdf_gait_guest_class, .text = "G" };
static const struct vdf_objects functions = { .cls = &vdf_gait_function_class, .text = "FH" };

#define ENTRY(name, type_, width_, offset_, doc_)                                          \
    .path = "entries/#/" name, .type = type_, .flags = VDF_RW | VDF_LIVE, .width = width_, \
    .offset = offset_, .range = { { .count = GAIT_ENTRIES } }, .get = vdf_gait_entry_get,  \
    .set = vdf_gait_entry_set, .doc = doc_

static const struct vdf_attr attrs[] = {
    { .path = "nisc",
      .type = VDF_UINT,
      .flags = VDF_RW | VDF_SAVE,
      VDF_FIELD(struct gait, nisc),
      .reset = 5,
      .max = GAIT_ISCS - 1,
      .doc = "the host's interruption subclass for the next set-up, 0 to 7" },
    { .path = "enabled",
      .type = VDF_BOOL,
      .flags = VDF_RW | VDF_SAVE,
      VDF_FIELD(struct gait, enabled),
      .set = set_enabled,
      .doc = "1 sets adapter event notification up: the first time with an empty table and vector "
             "and a new AIPB, later with those of the first (EINVAL for another nisc); EPERM while "
             "enabled, EIO when SIC fails; 0 ends the notification: EBUSY while a function is "
             "registered" },
    { .path = "aipb/faisb",
      .type = VDF_REG,
      .flags = VDF_R | VDF_SAVE,
      VDF_FIELD(struct gait, aipb_faisb),
      .doc = "address of the summary vector; the AIPB is 0 until the first set-up, and stays" },
    { .path = "aipb/gait",
      .type = VDF_REG,
      .flags = VDF_R | VDF_SAVE,
      VDF_FIELD(struct gait, aipb_gait),
      .doc = "address of the table" },
    { .path = "aipb/afi",
      .type = VDF_UINT,
      .flags = VDF_R | VDF_SAVE,
      VDF_FIELD(struct gait, aipb_afi),
      .max = GAIT_ISCS - 1,
      .doc = "interruption subclass of forwarded events: the nisc of the first set-up" },
    { .path = "aipb/faal",
      .type = VDF_UINT,
      .flags = VDF_R | VDF_SAVE,
      VDF_FIELD(struct gait, aipb_faal),
      .doc = "entries of the table, 512 once registered" },
    { .path = "sic_mode",
      .type = VDF_CHOICE,
      .flags = VDF_R | VDF_SAVE,
      VDF_FIELD(struct gait, sic_mode),
      .choices = sic_modes,
      .doc = "interruption mode that SIC last set: single from the first set-up on" },
    { .path = "sic_armed",
      .type = VDF_BOOL,
      .flags = VDF_R | VDF_SAVE,
      VDF_FIELD(struct gait, sic_armed),
      .doc = "1: the next forwarded event brings an interrupt; the host arms it again with SIC" },
    { .path = "sic_fail",
      .type = VDF_UINT,
      .flags = VDF_RW | VDF_SAVE,
      VDF_FIELD(struct gait, sic_fail),
      .doc = "1: the next SIC fails, 2: the second from now, and so on; counts down to 0: none" },
    { .path = "sbv_end",
      .type = VDF_UINT,
      .flags = VDF_R | VDF_SAVE,
      VDF_FIELD(struct gait, sbv_end),
      .max = GAIT_ENTRIES,
      .doc =
          "bits of the summary vector that the host scans: two more than the highest number that "
          "a function ever had, at most 512" },
    { .path = "aen_forward",
      .type = VDF_UINT,
      .flags = VDF_R | VDF_SAVE,
      VDF_FIELD(struct gait, aen_forward),
      .doc = "events that the host forwarded to guests" },
    { .path = "alerts",
      .type = VDF_UINT,
      .flags = VDF_R | VDF_SAVE,
      VDF_FIELD(struct gait, alerts),
      .doc = "alerts for guests that were not running" },
    { .path = "dropped",
      .type = VDF_UINT,
      .flags = VDF_R | VDF_SAVE,
      VDF_FIELD(struct gait, dropped),
      .doc = "summary bits that led to no guest: count 0, no owner, or a broken entry" },
    { .path = "interrupts",
      .type = VDF_UINT,
      .flags = VDF_R | VDF_SAVE,
      VDF_FIELD(struct gait, interrupts),
      .doc = "adapter interrupts that the host took, for forwarded events and for alerts" },
    { .path = "table",
      .type = VDF_RAW,
      .flags = VDF_RW | VDF_SAVE | VDF_MAP | VDF_HOLDS,
      VDF_FIELD(struct gait, table),
      .doc = "the table: 512 entries of 16 bytes, big-endian" },
    { ENTRY("gisa", VDF_REG, 4, 0,
            "address of the GISA of the guest that is interpreted; 0: forwarded to the host") },
    { ENTRY("gisc", VDF_UINT, 1, 4, "interruption subclass in the guest, 0 to 7"),
      .max = GAIT_ISCS - 1 },
    { ENTRY("count", VDF_UINT, 1, 5, "registrations; the host drops events of an entry with 0") },
    { ENTRY("aisbo", VDF_UINT, 1, 7, "number of the guest's summary bit in its word, 0 to 63"),
      .max = GAIT_SBO_MAX },
    { ENTRY("aisb", VDF_REG, 8, 8,
            "host address of the word with the guest's summary bit; 0: none") },
    { .path = "sbv",
      .type = VDF_RAW,
      .flags = VDF_RW | VDF_SAVE | VDF_MAP | VDF_HOLDS,
      VDF_FIELD(struct gait, sbv),
      .doc = "the host's summary vector: 512 bits, bit 0 the most significant; mapped, its page "
             "is 4096 bytes long" },
    { .path = "guests",
      .type = VDF_OBJECTS,
      .objects = &guests,
      .doc =
          "guests; a new one has 1 MiB of memory; rmdir is EBUSY while a function of the guest is "
          "registered" },
    { .path = "functions",
      .type = VDF_OBJECTS,
      .objects = &functions,
      .doc = "zPCI functions, by function handle; rmdir deregisters the function" },
};

static const struct vdf_class gait_class = {
    VDF_CLASS("gait", "s390 guest adapter interruption table", struct gait, attrs),
    .create = create,
    .destroy = destroy,
    .restored = restored,
};

const struct vdf_component vdf_gait_component = {
    .cls = &gait_class,
    .default_name = "gait0",
};
