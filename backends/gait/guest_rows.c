/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rows of a guest, its life and its memory. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "entry.h"
#include "function.h"
#include "guest.h"

#define GISA_BYTES 32u
#define GUESTS_MAX 1024u                 /* slots */
#define GUEST_MEMORY (UINT64_C(1) << 20) /* bytes of a new guest's memory */

static uint64_t memory_total(const struct gait *gait)
{
    uint64_t total = 0;

    for (struct gait_guest *g = vdf_gait_guest_next(gait, NULL); g;
         g = vdf_gait_guest_next(gait, g))
        total += g->memory.size;
    return total;
}

/* The lowest slot that no other guest has; GUESTS_MAX: none. */
static uint32_t free_slot(const struct gait *gait, const struct gait_guest *self)
{
    uint64_t taken[GUESTS_MAX / 64] = { 0 };
    uint32_t slot = 0;

    for (struct gait_guest *g = vdf_gait_guest_next(gait, NULL); g;
         g = vdf_gait_guest_next(gait, g))
        if (g != self)
            taken[g->slot / 64] |= UINT64_C(1) << g->slot % 64;
    while (slot < GUESTS_MAX && taken[slot / 64] >> slot % 64 & 1)
        slot++;
    return slot;
}

static int create(struct vdf_obj *obj, struct vdf_err *err)
{
    struct gait_guest *guest = vdf_obj_priv(obj);

    guest->slot = free_slot(vdf_gait_of(obj), guest);
    if (guest->slot == GUESTS_MAX)
        return vdf_fail(err, ENOSPC, "%s: a device has at most %u guests", vdf_obj_name(obj),
                        GUESTS_MAX);
    guest->next_alert = vdf_gait_gisa_address(guest);
    vdf_memory_init(&guest->memory, "gait-guest", GUEST_MEMORY);
    return 0;
}

static void destroy(struct vdf_obj *obj)
{
    struct gait_guest *guest = vdf_obj_priv(obj);

    vdf_memory_free(&guest->memory);
}

static int remove_guest(struct vdf_obj *obj, struct vdf_err *err)
{
    struct gait_guest *guest = vdf_obj_priv(obj);

    if (guest->attached)
        return vdf_fail(err, EBUSY,
                        "%u functions of the guest are attached to a VM; detach them first",
                        guest->attached);
    if (guest->registered)
        return vdf_fail(err, EBUSY,
                        "%u functions of the guest are registered; deregister them first",
                        guest->registered);
    vdf_gait_forget_guest(vdf_gait_of(obj), guest);
    return 0;
}

static void adopt(struct vdf_obj *obj, void *old, void *now)
{
    ((struct gait_guest *)now)->memory_open = ((const struct gait_guest *)old)->memory_open;
}

/* A state's guests are counted together when all of them have been loaded. */
static int start(struct vdf_obj *obj, bool fresh, struct vdf_err *err)
{
    if (fresh && memory_total(vdf_gait_of(obj)) > VDF_MEMORY_MAX)
        return vdf_fail(err, ENOSPC,
                        "%s: the guests of a device have at most 1 GiB of memory together",
                        vdf_obj_name(obj));
    return 0;
}

/* --- memory ----------------------------------------------------------------------------------- */

static int check_memory_size(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    if (value % VDF_PAGE_SIZE)
        return vdf_fail(err, EINVAL, "%" PRIu64 ": a size is a multiple of 4096", value);
    return 0;
}

static void resize(struct gait_guest *guest, uint64_t size)
{
    vdf_memory_free(&guest->memory);
    vdf_memory_init(&guest->memory, "gait-guest", size);
}

/* New memory is empty; no process and no registration may keep the old one. */
static int set_memory_size(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct gait_guest *guest = at->priv;

    if (value == guest->memory.size)
        return 0;
    if (guest->registered)
        return vdf_fail(err, EBUSY, "%u registered functions have pinned pages of the memory",
                        guest->registered);
    if (guest->memory_open)
        return vdf_fail(err, EBUSY, "the memory is open");
    if (memory_total(vdf_gait_of(at->obj)) - guest->memory.size + value > VDF_MEMORY_MAX)
        return vdf_fail(err, ENOSPC,
                        "%" PRIu64 ": the guests of a device have at most 1 GiB of memory together",
                        value);
    resize(guest, value);
    return 0;
}

static int restore_memory_size(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    int ret = vdf_row_check(at, value, err);

    if (ret == 0)
        resize(at->priv, value);
    return ret;
}

/* An attachment sets the value again; until then only registrations need it. */
static int get_vm_memory(const struct vdf_at *at, uint64_t *value)
{
    const struct gait_guest *guest = at->priv;

    *value = guest->registered ? guest->vm_memory : 0;
    return 0;
}

static void memory_opened(const struct vdf_at *at, bool open)
{
    ((struct gait_guest *)at->priv)->memory_open = open;
}

static const struct vdf_raw_ops memory_ops = { .opened = memory_opened };

static int get_memory_address(const struct vdf_at *at, uint64_t *value)
{
    *value = vdf_gait_host_address(at->priv, 0);
    return 0;
}

/* --- GISA ------------------------------------------------------------------------------------- */

static void ipm_written(const struct vdf_at *at, uint64_t value)
{
    vdf_gait_restore_iam(at->priv);
}

/* The write sets the mask instead of the host. */
static void iam_written(const struct vdf_at *at, uint64_t value)
{
    ((struct gait_guest *)at->priv)->alerted = false;
}

static int get_gisa_address(const struct vdf_at *at, uint64_t *value)
{
    *value = vdf_gait_gisa_address(at->priv);
    return 0;
}

static uint64_t gisa_size(const struct vdf_at *at)
{
    return GISA_BYTES;
}

/* Format 1: u32 next_alert, u8 ipm, simm, nimm, iam, the rest 0. */
static int read_gisa(const struct vdf_at *at, void *bytes, size_t n, uint64_t offset,
                     struct vdf_err *err)
{
    const struct gait_guest *guest = at->priv;
    uint8_t gisa[GISA_BYTES] = { [4] = guest->ipm, guest->simm, guest->nimm, guest->iam };
    uint32_t next = htobe32(guest->next_alert);

    memcpy(gisa, &next, sizeof(next));
    memcpy(bytes, gisa + offset, n);
    return 0;
}

static const struct vdf_raw_ops gisa_ops = { .size = gisa_size, .read = read_gisa };

/* --- state ------------------------------------------------------------------------------------ */

int vdf_gait_restored_guests(struct gait *gait, struct vdf_err *err)
{
    uint64_t taken[GUESTS_MAX / 64] = { 0 };

    for (struct gait_guest *g = vdf_gait_guest_next(gait, NULL); g;
         g = vdf_gait_guest_next(gait, g)) {
        uint64_t bit = UINT64_C(1) << g->slot % 64;
        if (taken[g->slot / 64] & bit)
            return vdf_fail(err, EINVAL, "guests/%s: slot %u is another guest's",
                            vdf_obj_name(g->base.obj), g->slot);
        taken[g->slot / 64] |= bit;
        g->next_alert = vdf_gait_gisa_address(g);
    }
    if (memory_total(gait) > VDF_MEMORY_MAX)
        return vdf_fail(err, EINVAL, "guests: at most 1 GiB of memory together");
    return 0;
}

/* --- table ------------------------------------------------------------------------------------ */

/* ISC 0 is the most significant bit. */
#define ISC(n)                     \
    {                              \
        "ISC" #n, 7 - (n), 1, NULL \
    }
static const struct vdf_bits isc_bits[] = {
    ISC(0), ISC(1), ISC(2), ISC(3), ISC(4), ISC(5), ISC(6), ISC(7), { 0 },
};

static const struct vdf_attr attrs[] = {
    { VDF_ROW("slot", VDF_UINT, VDF_NO_FILE | VDF_SAVE,
              "number of the guest, which decides its addresses in the host"),
      VDF_FIELD(struct gait_guest, slot), .max = GUESTS_MAX - 1 },
    { VDF_ROW(
          "memory_size", VDF_UINT, VDF_RW | VDF_SAVE,
          "bytes of guest memory, a multiple of 4096; a change clears the memory; EBUSY while a "
          "function is registered or the memory is open, ENOSPC beyond 1 GiB for all guests"),
      VDF_FIELD(struct gait_guest, memory.size), .min = VDF_PAGE_SIZE, .max = VDF_MEMORY_MAX,
      .check = check_memory_size, .set = set_memory_size, .restore = restore_memory_size,
      .reset = GUEST_MEMORY },
    { VDF_ROW("vm_memory", VDF_UINT, VDF_NO_FILE | VDF_SAVE,
              "end of the VM's memory that functions are registered in; 0: its own"),
      VDF_FIELD(struct gait_guest, vm_memory), .max = GAIT_GUEST_END, .get = get_vm_memory },
    { VDF_ROW("memory", VDF_RAW, VDF_RW | VDF_SAVE | VDF_MAP | VDF_HOLDS,
              "guest memory from address 0; AIBV and AISB lie in it"),
      VDF_FIELD(struct gait_guest, memory), .raw = &memory_ops },
    { VDF_ROW("memory_address", VDF_REG, VDF_R,
              "host address of guest address 0, for an entry's aisb"),
      .width = 8, .get = get_memory_address },
    { VDF_ROW("gisa_address", VDF_REG, VDF_R,
              "host address of the guest's GISA, for an entry's gisa"),
      .width = 4, .get = get_gisa_address },
    { VDF_ROW("gisa", VDF_RAW, VDF_R, "the GISA's 32 bytes, format 1, big-endian"),
      .raw = &gisa_ops },
    { VDF_ROW("ipm", VDF_REG, VDF_RW | VDF_SAVE,
              "interruption pending mask; the guest takes an interrupt by clearing its bit"),
      VDF_FIELD(struct gait_guest, ipm), .bits = isc_bits, .after = ipm_written },
    { VDF_ROW("iam", VDF_REG, VDF_RW | VDF_SAVE,
              "interruption alert mask: ISCs whose interrupts alert the host while the guest is "
              "not running; set by the first registration with an ISC, cleared by its last end; "
              "an alert clears the whole mask until ipm has none of the registered ISCs"),
      VDF_FIELD(struct gait_guest, iam), .bits = isc_bits, .after = iam_written },
    { VDF_ROW("alerted", VDF_BOOL, VDF_NO_FILE | VDF_SAVE,
              "an alert has cleared iam, and the host has not set it again"),
      VDF_FIELD(struct gait_guest, alerted) },
    { VDF_ROW("simm", VDF_REG, VDF_RW | VDF_SAVE,
              "single interruption mode mask: ISCs that want one interrupt only"),
      VDF_FIELD(struct gait_guest, simm), .bits = isc_bits },
    { VDF_ROW("nimm", VDF_REG, VDF_RW | VDF_SAVE,
              "no interruption mode mask: ISCs whose one interrupt was delivered; with the same "
              "bit of simm, a forwarded event sets the summary bit but not ipm"),
      VDF_FIELD(struct gait_guest, nimm), .bits = isc_bits },
    { VDF_ROW("gisc/#", VDF_UINT, VDF_R, "registered functions with this ISC"),
      VDF_ARRAY(struct gait_guest, gisc_refs), .range = { { .count = GAIT_ISCS } } },
    { VDF_ROW("running", VDF_BOOL, VDF_RW | VDF_SAVE,
              "1: a dispatched guest, which takes interpreted events without an alert"),
      VDF_FIELD(struct gait_guest, running) },
    { VDF_ROW("alerts", VDF_UINT, VDF_R | VDF_SAVE, "alerts about this guest"),
      VDF_FIELD(struct gait_guest, alerts) },
    { VDF_ROW("aen_forward", VDF_UINT, VDF_R | VDF_SAVE,
              "events that the host forwarded to this guest"),
      VDF_FIELD(struct gait_guest, aen_forward) },
    { VDF_ROW(
          "locked_limit", VDF_UINT, VDF_RW | VDF_SAVE,
          "limit of the pages that registrations pin, as RLIMIT_MEMLOCK; ENOMEM beyond; 0: none"),
      VDF_FIELD(struct gait_guest, locked_limit) },
    { VDF_ROW("locked", VDF_UINT, VDF_R, "pages that registered functions have pinned"),
      VDF_FIELD(struct gait_guest, pinned) },
};

const struct vdf_class vdf_gait_guest_class = {
    VDF_CLASS("guest", "guest of a GAIT", struct gait_guest, attrs),
    .create = create,
    .destroy = destroy,
    .start = start,
    .remove = remove_guest,
    .adopt = adopt,
};
