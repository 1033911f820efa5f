/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * REG_AEN and DEREG_AEN of KVM_S390_ZPCI_OP. A registration makes a guest ISC, pinned pages, a bit of
 * the summary vector with its entry, and the host's FIB.
 *
 * vdf_gait_register() checks everything that can be refused before it changes anything, so that it
 * has nothing to unwind.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "entry.h"
#include "function.h"
#include "guest.h"

/* The needs of a registration, from plan(). */
struct plan {
    struct gait_guest *guest;
    uint32_t vectors;
    uint32_t pages;
};

struct gait_guest *vdf_gait_find_guest(const struct gait *gait, const char *name)
{
    struct vdf_obj *obj = *name ? vdf_obj_child(gait->base.obj, "guests", name) : NULL;
    return obj ? vdf_obj_priv(obj) : NULL;
}

/* Why a vector or summary word cannot be where it is said to be. */
static const char *why_not(const struct gait_guest *guest, uint64_t address, uint64_t len)
{
    if (guest->space && vdf_space_has(guest->space, address, len, true))
        return "not in one region, below 4 GiB, that is mapped here";
    return "not in memory";
}

static uint32_t pages_of(uint64_t address, uint64_t len)
{
    return (uint32_t)((address + len - 1) / VDF_PAGE_SIZE - address / VDF_PAGE_SIZE + 1);
}

/* Every page of the vector and of the summary word is pinned; a page that has both is pinned twice. */
static int plan(const struct gait *gait, const struct gait_function *function, struct plan *p,
                struct vdf_err *err)
{
    struct gait_guest *guest = vdf_gait_find_guest(gait, function->guest_name);

    if (!guest)
        return vdf_fail(err, ENODEV, "guest \"%s\": the function needs one", function->guest_name);
    p->guest = guest;
    p->vectors = function->noi < function->max_msi ? function->noi : function->max_msi;

    uint32_t bytes = (p->vectors + 7) / 8;
    if (!vdf_gait_may_have(guest, function->ibv, bytes))
        return vdf_fail(err, EIO, "ibv 0x%016" PRIx64 ": the %u bytes of the vector are %s",
                        function->ibv, bytes, why_not(guest, function->ibv, bytes));
    p->pages = pages_of(function->ibv, bytes);
    if (function->sb) {
        if (!vdf_gait_may_have(guest, function->sb, 8))
            return vdf_fail(err, EIO, "sb 0x%016" PRIx64 ": the summary word is %s", function->sb,
                            why_not(guest, function->sb, 8));
        p->pages += pages_of(function->sb, 8);
    }
    return 0;
}

/* The changes of a registration besides the table and the guest's IAM, which a restored state has. */
static void take(struct gait *gait, struct gait_function *function, const struct plan *p)
{
    gait->owner[function->index] = function;
    gait->registered++;
    p->guest->registered++;
    p->guest->pinned += p->pages;
    function->guest = p->guest;
    function->vectors = p->vectors;
    function->pages = p->pages;
    function->registered = true;
}

/* The vector's end lies one past the bit after the highest ever taken, but within the vector. */
static void grow_sbv(struct gait *gait, unsigned index)
{
    unsigned end = index + 2 < GAIT_ENTRIES ? index + 2 : GAIT_ENTRIES;

    if (gait->sbv_end < end)
        gait->sbv_end = (uint16_t)end;
}

static void write_entry(struct gait *gait, const struct gait_function *function)
{
    struct gait_entry entry = vdf_gait_entry_load(gait, function->index);
    bool sum = function->sb != 0;

    entry.gisa = function->host ? 0 : vdf_gait_gisa_address(function->guest);
    entry.gisc = function->isc;
    entry.aisbo = sum ? function->sbo : 0;
    entry.aisb = sum ? vdf_gait_host_address(function->guest, function->sb) : 0;
    if (entry.count < UINT8_MAX)
        entry.count++;
    vdf_gait_entry_store(gait, function->index, &entry);
}

static void clear_entry(struct gait *gait, unsigned index)
{
    struct gait_entry entry = vdf_gait_entry_load(gait, index);

    if (entry.count > 0)
        entry.count--;
    if (entry.count == 0)
        entry = (struct gait_entry){ 0 };
    vdf_gait_entry_store(gait, index, &entry);
}

int vdf_gait_check_vm(const struct gait_guest *guest, struct vdf_err *err)
{
    if (!vdf_gait_vm_missing(guest))
        return 0;
    return vdf_fail(err, EBUSY,
                    "the memory of guest %s is that of a VM which has not run since the restore: "
                    "write 1 to the run of the VM, or without one 0 to registered of all functions "
                    "of the guest",
                    vdf_obj_name(guest->base.obj));
}

int vdf_gait_register(struct gait_function *function, struct vdf_err *err)
{
    struct gait *gait = vdf_gait_of(function->base.obj);
    unsigned index = 0;
    struct plan p;

    if (function->registered)
        return vdf_fail(err, EINVAL, "1: the function is registered already, as entry %u",
                        function->index);
    if (!gait->enabled)
        return vdf_fail(err, EBUSY, "1: adapter event notification is not enabled");
    int ret = plan(gait, function, &p, err);
    if (ret == 0)
        ret = vdf_gait_check_vm(p.guest, err);
    if (ret < 0)
        return ret;
    if (p.guest->locked_limit && (p.guest->pinned >= p.guest->locked_limit ||
                                  p.pages > p.guest->locked_limit - p.guest->pinned))
        return vdf_fail(err, ENOMEM,
                        "%u pages to pin: the guest has %" PRIu64 " of %" PRIu64 " pinned", p.pages,
                        p.guest->pinned, p.guest->locked_limit);
    while (index < GAIT_ENTRIES && gait->owner[index])
        index++;
    if (index == GAIT_ENTRIES)
        return vdf_fail(err, ENOSPC, "all %u bits of the summary vector are in use", GAIT_ENTRIES);
    ret = p.guest->space ? vdf_memory_touch(&gait->table)
                         : vdf_memory_touch_both(&p.guest->memory, &gait->table);
    if (ret < 0)
        return vdf_fail(err, -ret, "no memory for the guest or the table: %s", strerror(-ret));

    function->index = (uint16_t)index;
    grow_sbv(gait, index);
    vdf_gait_gisc_register(p.guest, function->isc);
    take(gait, function, &p);
    write_entry(gait, function);
    return 0;
}

int vdf_gait_deregister(struct gait_function *function, struct vdf_err *err)
{
    struct gait *gait = vdf_gait_of(function->base.obj);
    struct gait_guest *guest = function->guest;

    if (!function->registered)
        return 0;
    int ret = vdf_memory_touch_both(&gait->table, &gait->sbv);

    if (ret < 0)
        return vdf_fail(err, -ret, "no memory for the table and the summary vector: %s",
                        strerror(-ret));
    clear_entry(gait, function->index);
    vdf_gait_test_and_clear_bit(gait->sbv.base, function->index);
    gait->owner[function->index] = NULL;
    gait->registered--;
    guest->registered--;
    guest->pinned -= function->pages;
    vdf_gait_gisc_unregister(guest, function->isc);
    if (!guest->registered && vdf_gait_vm_missing(guest))
        guest->vm_memory = 0;
    function->registered = false;
    function->guest = NULL;
    function->index = 0;
    function->vectors = 0;
    function->pages = 0;
    return 0;
}

void vdf_gait_deregister_guest(struct gait *gait, struct gait_guest *guest)
{
    for (struct gait_function *f = vdf_gait_function_next(gait, NULL); f;
         f = vdf_gait_function_next(gait, f))
        if (f->registered && f->guest == guest && vdf_gait_deregister(f, NULL) < 0)
            vdf_report(f->base.obj, ENOMEM,
                       "the function stays registered: no memory to deregister it");
}

static int restored_function(struct gait *gait, struct gait_function *function, struct vdf_err *err)
{
    const char *name = vdf_obj_name(function->base.obj);
    unsigned index = function->index;
    struct plan p;

    if (*function->guest_name && !vdf_gait_find_guest(gait, function->guest_name))
        return vdf_fail(err, EINVAL, "functions/%s: guest \"%s\" is not in the state", name,
                        function->guest_name);
    if (!function->registered) {
        if (index)
            return vdf_fail(err, EINVAL, "functions/%s: entry %u without registered", name, index);
        return 0;
    }
    if (!gait->enabled)
        return vdf_fail(err, EINVAL, "functions/%s: registered, but enabled is 0", name);
    if (gait->owner[index])
        return vdf_fail(err, EINVAL, "functions/%s: entry %u is another function's", name, index);
    int ret = plan(gait, function, &p, err);
    if (ret < 0)
        return ret;
    grow_sbv(gait, index);
    take(gait, function, &p);
    p.guest->gisc_refs[function->isc]++;
    return 0;
}

int vdf_gait_restored_functions(struct gait *gait, struct vdf_err *err)
{
    for (struct gait_function *f = vdf_gait_function_next(gait, NULL); f;
         f = vdf_gait_function_next(gait, f)) {
        int ret = restored_function(gait, f, err);
        if (ret < 0)
            return ret;
    }
    for (struct gait_guest *g = vdf_gait_guest_next(gait, NULL); g;
         g = vdf_gait_guest_next(gait, g))
        if (!g->registered)
            g->vm_memory = 0;
    return 0;
}
