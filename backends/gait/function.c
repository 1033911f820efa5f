/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zPCI functions: REG_AEN and DEREG_AEN of KVM_S390_ZPCI_OP, and what registering makes: a
 * guest ISC, pinned pages, a bit of the summary vector with its entry, and the host's FIB.
 *
 * register_function() asks everything that can be refused before it changes anything, so that there
 * is nothing to unwind.
 */
#include <errno.h>
#include <string.h>

#include "gait.h"

/* What a registration takes; filled in by plan(). */
struct plan {
    struct gait_guest *guest;
    uint32_t vectors;
    uint32_t pages;
};

/* --- the fields ------------------------------------------------------------------------------- */

static int registered_already(struct vdf_err *err)
{
    return vdf_fail(err, EBUSY, "the function is registered; write 0 to registered first");
}

static uint64_t field_of(const struct vdf_at *at)
{
    const void *p = (const char *)at->priv + at->attr->field;

    switch (at->attr->width) {
    case 1:
        return *(const uint8_t *)p;
    case 2:
        return *(const uint16_t *)p;
    case 4:
        return *(const uint32_t *)p;
    default:
        return *(const uint64_t *)p;
    }
}

/* What was registered stays so; to write back what a file shows changes nothing. */
static int check_unregistered(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct gait_function *function = at->priv;

    return function->registered && value != field_of(at) ? registered_already(err) : 0;
}

int vdf_gait_check_isc(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    if (value >= GAIT_ISCS)
        return vdf_fail(err, EINVAL, "%llu: ISCs are 0 to 7", (unsigned long long)value);
    return 0;
}

int vdf_gait_check_sbo(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    if (value > GAIT_SBO_MAX)
        return vdf_fail(err, EINVAL, "%llu: a summary bit's offset is 0 to 63",
                        (unsigned long long)value);
    return 0;
}

static int check_isc(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    int ret = vdf_gait_check_isc(at, value, err);
    return ret < 0 ? ret : check_unregistered(at, value, err);
}

static int check_sbo(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    int ret = vdf_gait_check_sbo(at, value, err);
    return ret < 0 ? ret : check_unregistered(at, value, err);
}

static int check_noi(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    if (value < 1 || value > GAIT_NOI_MAX)
        return vdf_fail(err, EINVAL, "%llu: a function has 1 to %u interrupts",
                        (unsigned long long)value, GAIT_NOI_MAX);
    return check_unregistered(at, value, err);
}

static int check_max_msi(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    if (value < 1 || value > GAIT_MSI_MAX)
        return vdf_fail(err, EINVAL, "%llu: a function has 1 to %u vectors",
                        (unsigned long long)value, GAIT_MSI_MAX);
    return check_unregistered(at, value, err);
}

struct gait_guest *vdf_gait_find_guest(const struct gait *gait, const char *name)
{
    struct vdf_obj *obj = *name ? vdf_obj_child(gait->base.obj, "guests", name) : NULL;
    return obj ? vdf_obj_priv(obj) : NULL;
}

static void show_guest(const struct vdf_at *at, struct vdf_buf *out)
{
    const struct gait_function *function = at->priv;

    vdf_buf_add(out, function->guest_name, strlen(function->guest_name));
}

/* A state's guests are all there when its functions are checked. */
static int restore_guest(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err)
{
    struct gait_function *function = at->priv;

    if (len > GAIT_NAME_MAX)
        return vdf_fail(err, ENODEV, "\"%.20s...\": no guest has so long a name", text);
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

/* --- registering ------------------------------------------------------------------------------ */

static bool in_memory(const struct gait_guest *guest, uint64_t address, uint64_t len)
{
    uint64_t size = vdf_gait_memory_size(guest);

    return len <= size && address <= size - len;
}

static uint32_t pages_of(uint64_t address, uint64_t len)
{
    return (uint32_t)((address + len - 1) / VDF_PAGE_SIZE - address / VDF_PAGE_SIZE + 1);
}

/* Every page of the vector is pinned, and of the summary word; a page that has both is pinned
 * twice. */
static int plan(const struct gait *gait, const struct gait_function *function, struct plan *p,
                struct vdf_err *err)
{
    struct gait_guest *guest = vdf_gait_find_guest(gait, function->guest_name);

    if (!guest)
        return vdf_fail(err, ENODEV, "guest \"%s\": the function needs one", function->guest_name);
    p->guest = guest;
    p->vectors = function->noi < function->max_msi ? function->noi : function->max_msi;

    uint32_t bytes = (p->vectors + 7) / 8;
    if (!in_memory(guest, function->ibv, bytes))
        return vdf_fail(err, EIO, "ibv 0x%016llx: the %u bytes of the vector are not in memory",
                        (unsigned long long)function->ibv, bytes);
    p->pages = pages_of(function->ibv, bytes);
    if (function->sb) {
        if (!in_memory(guest, function->sb, 8))
            return vdf_fail(err, EIO, "sb 0x%016llx: the summary word is not in memory",
                            (unsigned long long)function->sb);
        p->pages += pages_of(function->sb, 8);
    }
    return 0;
}

/* What registering changes besides the table and the guest's IAM; a restored state has those. */
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

static int vm_missing(const struct gait_guest *guest, struct vdf_err *err)
{
    return vdf_fail(err, EBUSY,
                    "the memory of guest %s is that of a VM which has not run since the restore: "
                    "write 1 to the run of the VM, or without one 0 to registered of all functions "
                    "of the guest",
                    vdf_obj_name(guest->base.obj));
}

static int register_function(struct gait *gait, struct gait_function *function, struct vdf_err *err)
{
    unsigned index = 0;
    struct plan p;

    if (function->registered)
        return vdf_fail(err, EINVAL, "1: the function is registered already, as entry %u",
                        function->index);
    if (!gait->enabled)
        return vdf_fail(err, EBUSY, "1: adapter event notification is not enabled");
    int ret = plan(gait, function, &p, err);
    if (ret < 0)
        return ret;
    if (vdf_gait_vm_missing(p.guest))
        return vm_missing(p.guest, err);
    if (p.guest->locked_limit && (p.guest->pinned >= p.guest->locked_limit ||
                                  p.pages > p.guest->locked_limit - p.guest->pinned))
        return vdf_fail(err, ENOMEM, "%u pages to pin: the guest has %llu of %llu pinned", p.pages,
                        (unsigned long long)p.guest->pinned,
                        (unsigned long long)p.guest->locked_limit);
    while (index < GAIT_ENTRIES && gait->owner[index])
        index++;
    if (index == GAIT_ENTRIES)
        return vdf_fail(err, ENOSPC, "all %u bits of the summary vector are taken", GAIT_ENTRIES);
    ret = vdf_memory_touch_both(vdf_gait_memory(p.guest), &gait->table);
    if (ret < 0)
        return vdf_fail(err, -ret, "no memory for the guest or the table: %s", strerror(-ret));

    function->index = (uint16_t)index;
    grow_sbv(gait, index);
    vdf_gait_gisc_register(p.guest, function->isc);
    take(gait, function, &p);
    write_entry(gait, function);
    return 0;
}

static int deregister_function(struct gait *gait, struct gait_function *function,
                               struct vdf_err *err)
{
    struct gait_guest *guest = function->guest;
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
        if (f->registered && f->guest == guest && deregister_function(gait, f, NULL) < 0)
            vdf_report(f->base.obj, ENOMEM, "it stays registered for want of memory");
}

static int set_registered(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct gait *gait = vdf_gait_of(at->obj);
    struct gait_function *function = at->priv;

    if (value)
        return register_function(gait, function, err);
    return function->registered ? deregister_function(gait, function, err) : 0;
}

static int restore_registered(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    ((struct gait_function *)at->priv)->registered = value;
    return 0;
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
    if (index >= GAIT_ENTRIES || gait->owner[index])
        return vdf_fail(err, EINVAL, "functions/%s: entry %u is another's or not 0 to %u", name,
                        index, GAIT_ENTRIES - 1);
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

static int remove_function(struct vdf_obj *obj, struct vdf_err *err)
{
    struct gait_function *function = vdf_obj_priv(obj);

    return function->registered ? deregister_function(vdf_gait_of(obj), function, err) : 0;
}

static void adopt(struct vdf_obj *obj, void *old, void *now)
{
    ((struct gait_function *)now)->irq = ((const struct gait_function *)old)->irq;
}

/* --- what is seen of a registration ----------------------------------------------------------- */

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

    if (!function->registered || !vdf_gait_memory(function->guest)->base)
        return;
    const uint8_t *aibv =
        vdf_memory_at(vdf_gait_memory(function->guest), function->ibv, (function->vectors + 7) / 8);
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

    vdf_buf_printf(out, "isc = %u\nnoi = %u\nsum = 1\naibv = 0x%016llx\naibvo = 0\n",
                   gait->aipb_afi, function->vectors,
                   (unsigned long long)vdf_gait_host_address(function->guest, function->ibv));
    vdf_buf_printf(out, "aisb = 0x%016llx\naisbo = %u\ngd = 0x%08x",
                   (unsigned long long)gait->aipb_faisb + function->index / 64 * 8,
                   function->index % 64, vdf_gait_gisa_address(function->guest));
}

static int set_signal(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct gait_function *function = at->priv;

    if (!function->registered)
        return vdf_fail(err, EBUSY, "%llu: the function is not registered",
                        (unsigned long long)value);
    if (vdf_gait_vm_missing(function->guest))
        return vm_missing(function->guest, err);
    if (value >= function->vectors)
        return vdf_fail(err, EINVAL, "%llu: the vectors are 0 to %u", (unsigned long long)value,
                        function->vectors - 1);
    return vdf_gait_deliver(function, (uint32_t)value, err);
}

/* --- table ------------------------------------------------------------------------------------ */

static const struct vdf_attr attrs[] = {
    {
        .path = "guest",
        .type = VDF_TEXT,
        .flags = VDF_RW | VDF_SAVE,
        .show = show_guest,
        .store = store_guest,
        .restore_text = restore_guest,
        .doc = "name of the guest that has the function, empty: none; ENODEV for one that is not "
               "there; no change of this and of the fields that follow while registered: EBUSY",
    },
    {
        .path = "isc",
        .type = VDF_UINT,
        .flags = VDF_RW | VDF_SAVE,
        VDF_FIELD(struct gait_function, isc),
        .check = check_isc,
        .doc = "interruption subclass in the guest, 0 to 7",
    },
    {
        .path = "noi",
        .type = VDF_UINT,
        .flags = VDF_RW | VDF_SAVE,
        VDF_FIELD(struct gait_function, noi),
        .reset = 64,
        .check = check_noi,
        .doc = "number of interrupts that the guest wants, 1 to 4095",
    },
    {
        .path = "max_msi",
        .type = VDF_UINT,
        .flags = VDF_RW | VDF_SAVE,
        VDF_FIELD(struct gait_function, max_msi),
        .reset = GAIT_MSI_MAX,
        .check = check_max_msi,
        .doc =
            "vectors that the function has, 1 to 2048; the guest gets the smaller of this and noi",
    },
    {
        .path = "ibv",
        .type = VDF_REG,
        .flags = VDF_RW | VDF_SAVE,
        VDF_FIELD(struct gait_function, ibv),
        .check = check_unregistered,
        .doc = "guest address of the adapter interrupt bit vector",
    },
    {
        .path = "sb",
        .type = VDF_REG,
        .flags = VDF_RW | VDF_SAVE,
        VDF_FIELD(struct gait_function, sb),
        .check = check_unregistered,
        .doc = "guest address of the summary word; 0: the function has no summary bit",
    },
    {
        .path = "sbo",
        .type = VDF_UINT,
        .flags = VDF_RW | VDF_SAVE,
        VDF_FIELD(struct gait_function, sbo),
        .check = check_sbo,
        .doc = "number of the summary bit in its word, 0 (the most significant) to 63",
    },
    {
        .path = "host",
        .type = VDF_BOOL,
        .flags = VDF_RW | VDF_SAVE,
        VDF_FIELD(struct gait_function, host),
        .check = check_unregistered,
        .doc = "1: the host wants every event (REGAEN_HOST); the entry's gisa stays 0",
    },
    {
        .path = "interpret",
        .type = VDF_BOOL,
        .flags = VDF_RW | VDF_SAVE,
        VDF_FIELD(struct gait_function, interpret),
        .reset = 1,
        .doc = "1: the guest is eligible, so that events are delivered without the host; of no "
               "effect with host 1; may be written at any time",
    },
    {
        .path = "registered",
        .type = VDF_BOOL,
        .flags = VDF_RW | VDF_SAVE,
        VDF_FIELD(struct gait_function, registered),
        .set = set_registered,
        .restore = restore_registered,
        .doc = "1 is REG_AEN: EINVAL when registered already, EBUSY before enabled, ENODEV without "
               "a guest, EIO for addresses outside its memory, ENOMEM beyond locked_limit, ENOSPC "
               "when all entries are taken; 0 is DEREG_AEN",
    },
    {
        .path = "entry",
        .type = VDF_UINT,
        .flags = VDF_NO_FILE | VDF_SAVE,
        VDF_FIELD(struct gait_function, index),
        .doc = "number of the entry and of the summary bit, while registered",
    },
    {
        .path = "index",
        .type = VDF_TEXT,
        .flags = VDF_R,
        .show = show_index,
        .doc = "number of the entry and of the host's summary bit; empty while not registered",
    },
    {
        .path = "vectors",
        .type = VDF_UINT,
        .flags = VDF_R,
        VDF_FIELD(struct gait_function, vectors),
        .doc = "vectors that were registered",
    },
    {
        .path = "pages",
        .type = VDF_UINT,
        .flags = VDF_R,
        VDF_FIELD(struct gait_function, pages),
        .doc = "guest pages pinned for the vector and the summary word",
    },
    {
        .path = "aibv",
        .type = VDF_TEXT,
        .flags = VDF_R,
        .show = show_aibv,
        .doc = "vectors whose bit is set, one a line",
    },
    {
        .path = "fib",
        .type = VDF_TEXT,
        .flags = VDF_R,
        .when = is_registered,
        .needs = "registered 1",
        .show = show_fib,
        .doc =
            "the function information block that the host gave to the function, one field a line",
    },
    {
        .path = "signal",
        .type = VDF_UINT,
        .flags = VDF_W,
        .width = 4,
        .set = set_signal,
        .doc = "raises the MSI of this vector; EBUSY while not registered, EINVAL past the last "
               "vector",
    },
};

const struct vdf_class vdf_gait_function_class = {
    .name = "function",
    .title = "zPCI function",
    .attrs = attrs,
    .n_attrs = sizeof(attrs) / sizeof(attrs[0]),
    .priv_size = sizeof(struct gait_function),
    .remove = remove_function,
    .adopt = adopt,
    .guest = &vdf_gait_guest_ops,
};
