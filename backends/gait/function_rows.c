/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rows of a zPCI function, and its life. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "deliver.h"
#include "entry.h"
#include "function.h"
#include "guest.h"

#define NOI_MAX 4095u /* the FIB's field has 12 bits */
#define MSI_MAX 2048u /* vectors that a function can have */

static int registered_already(struct vdf_err *err)
{
    return vdf_fail(err, EBUSY, "the function is registered; write 0 to registered first");
}

/* Registered values stay as they are; writing the present value again has no effect. A number outside
 * of the row's limits is left to them. */
static int check_unregistered(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct gait_function *function = at->priv;
    bool fits = !at->attr->max || (value >= at->attr->min && value <= at->attr->max);

    return function->registered && fits && value != vdf_row_load_field(at) ? registered_already(err)
                                                                           : 0;
}

static void show_guest(const struct vdf_at *at, struct vdf_buf *out)
{
    const struct gait_function *function = at->priv;

    vdf_buf_add(out, function->guest_name, strlen(function->guest_name));
}

/* In a state the name is checked when all guests have been loaded. */
static int restore_guest(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err)
{
    struct gait_function *function = at->priv;

    if (len > GAIT_NAME_MAX)
        return vdf_fail(err, ENODEV, "\"%.20s...\": names of guests have at most 64 characters",
                        text);
    memcpy(function->guest_name, text, len + 1);
    return 0;
}

static int store_guest(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err)
{
    const struct gait_function *function = at->priv;

    if (strcmp(text, function->guest_name) == 0)
        return 0;
    if (function->registered)
        return registered_already(err);
    if (function->vm_guest)
        return vdf_fail(err, EBUSY, "the function is attached to a VM: detach it first");
    if (len && !vdf_gait_find_guest(vdf_gait_of(at->obj), text))
        return vdf_fail(err, ENODEV, "\"%.64s\": there is no such guest", text);
    return restore_guest(at, text, len, err);
}

void vdf_gait_forget_guest(const struct gait *gait, const struct gait_guest *guest)
{
    for (struct gait_function *f = vdf_gait_function_next(gait, NULL); f;
         f = vdf_gait_function_next(gait, f))
        if (strcmp(f->guest_name, vdf_obj_name(guest->base.obj)) == 0)
            f->guest_name[0] = '\0';
}

static int set_registered(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    return value ? vdf_gait_register(at->priv, err) : vdf_gait_deregister(at->priv, err);
}

static int remove_function(struct vdf_obj *obj, struct vdf_err *err)
{
    return vdf_gait_deregister(vdf_obj_priv(obj), err);
}

static void adopt(struct vdf_obj *obj, void *old, void *now)
{
    ((struct gait_function *)now)->irq = ((const struct gait_function *)old)->irq;
}

/* --- a registration --------------------------------------------------------------------------- */

static bool is_registered(const void *priv)
{
    return ((const struct gait_function *)priv)->registered;
}

static void show_index(const struct vdf_at *at, struct vdf_buf *out)
{
    const struct gait_function *function = at->priv;

    if (function->registered)
        vdf_buf_printf(out, "%u", function->index);
}

static void show_aibv(const struct vdf_at *at, struct vdf_buf *out)
{
    const struct gait_function *function = at->priv;

    if (!function->registered || (!function->guest->vm_memory && !function->guest->memory.base))
        return;
    const uint8_t *aibv =
        vdf_gait_at(function->guest, function->ibv, (function->vectors + 7) / 8, false);
    if (!aibv)
        return;
    for (uint32_t v = 0; v < function->vectors; v++)
        if (__atomic_load_n(&aibv[v / 8], __ATOMIC_RELAXED) & 0x80u >> v % 8)
            vdf_buf_printf(out, "%s%u", out->len ? "\n" : "", v);
}

/* The host's form of the guest's FIB: its own ISC and summary vector, addresses of the host. */
static void show_fib(const struct vdf_at *at, struct vdf_buf *out)
{
    const struct gait_function *function = at->priv;
    const struct gait *gait = vdf_gait_of(at->obj);

    vdf_buf_printf(out, "isc = %u\nnoi = %u\nsum = 1\naibv = 0x%016" PRIx64 "\naibvo = 0\n",
                   gait->aipb_afi, function->vectors,
                   vdf_gait_host_address(function->guest, function->ibv));
    vdf_buf_printf(out, "aisb = 0x%016" PRIx64 "\naisbo = %u\ngd = 0x%08x",
                   gait->aipb_faisb + function->index / 64 * 8, function->index % 64,
                   vdf_gait_gisa_address(function->guest));
}

static int set_signal(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct gait_function *function = at->priv;

    if (!function->registered)
        return vdf_fail(err, EBUSY, "%" PRIu64 ": the function is not registered", value);
    int ret = vdf_gait_check_vm(function->guest, err);
    if (ret < 0)
        return ret;
    if (value >= function->vectors)
        return vdf_fail(err, EINVAL, "%" PRIu64 ": the vectors are 0 to %u", value,
                        function->vectors - 1);
    return vdf_gait_deliver(function, (uint32_t)value, err);
}

/* --- table ------------------------------------------------------------------------------------ */

static const struct vdf_attr attrs[] = {
    { VDF_ROW("guest", VDF_TEXT, VDF_RW | VDF_SAVE,
              "name of the guest that has the function; empty: none; ENODEV where there is no such "
              "guest; while registered a change of this row and of the next ones is EBUSY"),
      .show = show_guest, .store = store_guest, .restore_text = restore_guest },
    { VDF_ROW("isc", VDF_UINT, VDF_RW | VDF_SAVE, "interruption subclass in the guest, 0 to 7"),
      VDF_FIELD(struct gait_function, isc), .max = GAIT_ISCS - 1, .check = check_unregistered },
    { VDF_ROW("noi", VDF_UINT, VDF_RW | VDF_SAVE,
              "number of interrupts that the guest wants, 1 to 4095"),
      VDF_FIELD(struct gait_function, noi), .reset = 64, .min = 1, .max = NOI_MAX,
      .check = check_unregistered },
    { VDF_ROW("max_msi", VDF_UINT, VDF_RW | VDF_SAVE,
              "vectors of the function, 1 to 2048; the guest gets the smaller of this and noi"),
      VDF_FIELD(struct gait_function, max_msi), .reset = MSI_MAX, .min = 1, .max = MSI_MAX,
      .check = check_unregistered },
    { VDF_ROW("ibv", VDF_REG, VDF_RW | VDF_SAVE,
              "guest address of the adapter interrupt bit vector"),
      VDF_FIELD(struct gait_function, ibv), .check = check_unregistered },
    { VDF_ROW("sb", VDF_REG, VDF_RW | VDF_SAVE,
              "guest address of the summary word; 0: the function has no summary bit"),
      VDF_FIELD(struct gait_function, sb), .check = check_unregistered },
    { VDF_ROW("sbo", VDF_UINT, VDF_RW | VDF_SAVE,
              "number of the summary bit in its word, 0 (the most significant) to 63"),
      VDF_FIELD(struct gait_function, sbo), .max = GAIT_SBO_MAX, .check = check_unregistered },
    { VDF_ROW("host", VDF_BOOL, VDF_RW | VDF_SAVE,
              "1: the host wants every event (REGAEN_HOST); the entry's gisa stays 0"),
      VDF_FIELD(struct gait_function, host), .check = check_unregistered },
    { VDF_ROW("interpret", VDF_BOOL, VDF_RW | VDF_SAVE,
              "1: the guest is eligible, so that events are delivered without the host; of no "
              "effect with host 1; may be written at any time"),
      VDF_FIELD(struct gait_function, interpret), .reset = 1 },
    { VDF_ROW("registered", VDF_BOOL, VDF_RW | VDF_SAVE,
              "1 is REG_AEN: EINVAL when registered already, EBUSY before enabled, ENODEV without "
              "a guest, EIO for addresses outside its memory, ENOMEM beyond locked_limit, ENOSPC "
              "when all entries are taken; 0 is DEREG_AEN"),
      VDF_FIELD(struct gait_function, registered), .set = set_registered },
    { VDF_ROW("entry", VDF_UINT, VDF_NO_FILE | VDF_SAVE,
              "number of the entry and of the summary bit, while registered"),
      VDF_FIELD(struct gait_function, index), .max = GAIT_ENTRIES - 1 },
    { VDF_ROW("index", VDF_TEXT, VDF_R,
              "number of the entry and of the host's summary bit; empty while not registered"),
      .show = show_index },
    { VDF_ROW("vectors", VDF_UINT, VDF_R, "vectors that were registered"),
      VDF_FIELD(struct gait_function, vectors) },
    { VDF_ROW("pages", VDF_UINT, VDF_R, "guest pages pinned for the vector and the summary word"),
      VDF_FIELD(struct gait_function, pages) },
    { VDF_ROW("aibv", VDF_TEXT, VDF_R, "vectors whose bit is set, one a line"), .show = show_aibv },
    { VDF_ROW(
          "fib", VDF_TEXT, VDF_R,
          "the function information block that the host gave to the function, one field a line"),
      .when = is_registered, .needs = "registered 1", .show = show_fib },
    { VDF_ROW("signal", VDF_UINT, VDF_W,
              "raise the MSI of this vector; EBUSY while not registered, EINVAL past the last "
              "vector"),
      .width = 4, .set = set_signal },
};

const struct vdf_class vdf_gait_function_class = {
    VDF_CLASS("function", "zPCI function", struct gait_function, attrs),
    .remove = remove_function,
    .adopt = adopt,
    .guest = &vdf_gait_guest_ops,
};
