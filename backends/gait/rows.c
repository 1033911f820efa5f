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

#define ENTRY(name, type_, width_, offset_, text)                                   \
    VDF_ROW("entries/#/" name, type_, VDF_RW | VDF_LIVE, text),                     \
        .width = width_, .offset = offset_, .range = { { .count = GAIT_ENTRIES } }, \
        .get = vdf_gait_entry_get, .set = vdf_gait_entry_set

static const struct vdf_attr attrs[] = {
    { VDF_ROW("nisc", VDF_UINT, VDF_RW | VDF_SAVE,
              "the host's interruption subclass for the next set-up, 0 to 7"),
      VDF_FIELD(struct gait, nisc), .reset = 5, .max = GAIT_ISCS - 1 },
    { VDF_ROW(
          "enabled", VDF_BOOL, VDF_RW | VDF_SAVE,
          "1 sets adapter event notification up: the first time with an empty table and vector "
          "and a new AIPB, later with those of the first (EINVAL for another nisc); EPERM while "
          "enabled, EIO when SIC fails; 0 ends the notification: EBUSY while a function is "
          "registered"),
      VDF_FIELD(struct gait, enabled), .set = set_enabled },
    { VDF_ROW("aipb/faisb", VDF_REG, VDF_R | VDF_SAVE,
              "address of the summary vector; the AIPB is 0 until the first set-up, and stays"),
      VDF_FIELD(struct gait, aipb_faisb) },
    { VDF_ROW("aipb/gait", VDF_REG, VDF_R | VDF_SAVE, "address of the table"),
      VDF_FIELD(struct gait, aipb_gait) },
    { VDF_ROW("aipb/afi", VDF_UINT, VDF_R | VDF_SAVE,
              "interruption subclass of forwarded events: the nisc of the first set-up"),
      VDF_FIELD(struct gait, aipb_afi), .max = GAIT_ISCS - 1 },
    { VDF_ROW("aipb/faal", VDF_UINT, VDF_R | VDF_SAVE, "entries of the table, 512 once registered"),
      VDF_FIELD(struct gait, aipb_faal) },
    { VDF_ROW("sic_mode", VDF_CHOICE, VDF_R | VDF_SAVE,
              "interruption mode that SIC last set: single from the first set-up on"),
      VDF_FIELD(struct gait, sic_mode), .choices = sic_modes },
    { VDF_ROW("sic_armed", VDF_BOOL, VDF_R | VDF_SAVE,
              "1: the next forwarded event brings an interrupt; the host arms it again with SIC"),
      VDF_FIELD(struct gait, sic_armed) },
    { VDF_ROW("sic_fail", VDF_UINT, VDF_RW | VDF_SAVE,
              "1: the next SIC fails, 2: the second from now, and so on; counts down to 0: none"),
      VDF_FIELD(struct gait, sic_fail) },
    { VDF_ROW(
          "sbv_end", VDF_UINT, VDF_R | VDF_SAVE,
          "bits of the summary vector that the host scans: two more than the highest number that "
          "a function ever had, at most 512"),
      VDF_FIELD(struct gait, sbv_end), .max = GAIT_ENTRIES },
    { VDF_ROW("aen_forward", VDF_UINT, VDF_R | VDF_SAVE,
              "events that the host forwarded to guests"),
      VDF_FIELD(struct gait, aen_forward) },
    { VDF_ROW("alerts", VDF_UINT, VDF_R | VDF_SAVE, "alerts for guests that were not running"),
      VDF_FIELD(struct gait, alerts) },
    { VDF_ROW("dropped", VDF_UINT, VDF_R | VDF_SAVE,
              "summary bits that led to no guest: count 0, no owner, or a broken entry"),
      VDF_FIELD(struct gait, dropped) },
    { VDF_ROW("interrupts", VDF_UINT, VDF_R | VDF_SAVE,
              "adapter interrupts that the host took, for forwarded events and for alerts"),
      VDF_FIELD(struct gait, interrupts) },
    { VDF_ROW("table", VDF_RAW, VDF_RW | VDF_SAVE | VDF_MAP | VDF_HOLDS,
              "the table: 512 entries of 16 bytes, big-endian"),
      VDF_FIELD(struct gait, table) },
    { ENTRY("gisa", VDF_REG, 4, 0,
            "address of the GISA of the guest that is interpreted; 0: forwarded to the host") },
    { ENTRY("gisc", VDF_UINT, 1, 4, "interruption subclass in the guest, 0 to 7"),
      .max = GAIT_ISCS - 1 },
    { ENTRY("count", VDF_UINT, 1, 5, "registrations; the host drops events of an entry with 0") },
    { ENTRY("aisbo", VDF_UINT, 1, 7, "number of the guest's summary bit in its word, 0 to 63"),
      .max = GAIT_SBO_MAX },
    { ENTRY("aisb", VDF_REG, 8, 8,
            "host address of the word with the guest's summary bit; 0: none") },
    { VDF_ROW("sbv", VDF_RAW, VDF_RW | VDF_SAVE | VDF_MAP | VDF_HOLDS,
              "the host's summary vector: 512 bits, bit 0 the most significant; mapped, its page "
              "is 4096 bytes long"),
      VDF_FIELD(struct gait, sbv) },
    { VDF_ROW(
          "guests", VDF_OBJECTS, 0,
          "guests; a new one has 1 MiB of memory; rmdir is EBUSY while a function of the guest is "
          "registered"),
      .objects = &guests },
    { VDF_ROW("functions", VDF_OBJECTS, 0,
              "zPCI functions, by function handle; rmdir deregisters the function"),
      .objects = &functions },
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
