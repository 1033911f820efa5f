/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Base address registers (section 6.2.5): bars/N of a function. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <virtdevfs/text.h>

#include "pci.h"

#define MEMORY "memory"
#define IO_MOST 256u                           /* bytes of I/O space (section 6.2.5.1) */
#define MEM32_MOST (UINT64_C(1) << 31)         /* bytes below 4 GiB that a register can ask for */
#define MEMORY_LEAST ((uint64_t)VDF_PAGE_SIZE) /* so that no page has two windows */

static uint64_t power_of_two(uint64_t least, uint64_t bytes)
{
    while (least < bytes)
        least *= 2;
    return least;
}

enum vdf_pci_kind vdf_pci_bar_kind(const struct vdf_pci *pci, unsigned n)
{
    if (pci->bars[n])
        return (enum vdf_pci_kind)pci->bars[n]->kind;
    return pci->described.has_bar && pci->described.bar == n ? VDF_PCI_MEM64 : VDF_PCI_MEM32;
}

uint64_t vdf_pci_bar_size(const struct vdf_pci *pci, unsigned n)
{
    if (pci->bars[n])
        return pci->bars[n]->size;
    if (pci->described.has_bar && pci->described.bar == n)
        return power_of_two(MEMORY_LEAST, pci->described_size);
    return pci->irqs.n && pci->msix_bar == n ? 2 * vdf_pci_msix_half(&pci->irqs) : 0;
}

const struct vdf_memory *vdf_pci_bar_memory(const struct vdf_pci *pci, unsigned n)
{
    const struct vdf_memory *memory = pci->parts[n].page;
    uint64_t offset;

    if (!pci->attached)
        return NULL;
    if (pci->bars[n] && pci->bars[n]->own.size)
        memory = &pci->bars[n]->own;
    return memory && memory->base && vdf_memory_file(memory, &offset) >= 0 ? memory : NULL;
}

/* Two users of one register, or a register whose upper half another one has. */
int vdf_pci_bars_check(const struct vdf_pci *pci, struct vdf_err *err)
{
    unsigned described = pci->described.has_bar ? pci->described.bar : VDF_PCI_BARS;
    unsigned msix = pci->irqs.n ? pci->msix_bar : VDF_PCI_BARS;

    for (unsigned n = 0; n < VDF_PCI_BARS; n++) {
        if (described == n && msix == n)
            return vdf_fail(err, EEXIST,
                            "msix/bar is %u, the register of the device in function: write the "
                            "number of another one",
                            n);
        if (pci->bars[n] && described == n)
            return vdf_fail(err, EEXIST,
                            "bars/%u is in use by the device in function: rmdir bars/%u", n, n);
        if (pci->bars[n] && msix == n)
            return vdf_fail(err, EEXIST,
                            "bars/%u is in use by the table of MSI-X: rmdir bars/%u, or write "
                            "another register to msix/bar",
                            n, n);
        if (!vdf_pci_bar_size(pci, n) || vdf_pci_bar_kind(pci, n) != VDF_PCI_MEM64)
            continue;
        if (n + 1 == VDF_PCI_BARS || vdf_pci_bar_size(pci, n + 1))
            return vdf_fail(err, EEXIST,
                            "base address register %u has 64 bits and needs the next one too", n);
    }
    return 0;
}

/* --- rows ------------------------------------------------------------------------------------- */

static int check_detached(const struct vdf_pci_bar *bar, struct vdf_err *err)
{
    if (bar->pci->attached)
        return vdf_fail(err, EBUSY,
                        "the function is served: write an empty line to vfio_user first");
    return 0;
}

static int check_same(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    return value == vdf_row_load_field(at) ? 0 : check_detached(at->priv, err);
}

static void show_device(const struct vdf_at *at, struct vdf_buf *out)
{
    const struct vdf_pci_bar *bar = at->priv;

    if (bar->device)
        vdf_buf_printf(out, "%s", bar->device);
}

static int set_memory(struct vdf_pci_bar *bar, uint64_t size, struct vdf_err *err)
{
    if (size == bar->own.size)
        return 0;
    if (bar->memory_open)
        return vdf_fail(err, EBUSY, "the memory is open");
    vdf_memory_free(&bar->own);
    vdf_memory_init(&bar->own, "pci-bar", size);
    return 0;
}

static int keep_device(struct vdf_pci_bar *bar, const char *text, size_t len, struct vdf_err *err)
{
    bool memory = strcmp(text, MEMORY) == 0;
    uint64_t size = memory && bar->size < MEMORY_LEAST ? MEMORY_LEAST : bar->size;
    char *path = NULL;
    int ret = vdf_guest_keep_path(&path, text, len, err);

    if (ret == 0)
        ret = set_memory(bar, memory ? size : 0, err);
    if (ret < 0) {
        free(path);
        return ret;
    }
    free(bar->device);
    bar->device = path;
    bar->size = size;
    return 0;
}

static int store_device(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err)
{
    struct vdf_pci_bar *bar = at->priv;
    struct vdf_obj *target;
    uint64_t window = 0;
    uint32_t part;

    if (bar->device && strcmp(bar->device, text) == 0)
        return 0;
    int ret = check_detached(bar, err);
    if (ret == 0 && len && strcmp(text, MEMORY) != 0) {
        ret = vdf_guest_find(at->obj, text, &target, &part, err);
        window = ret == 0 ? vdf_guest_size(target, part) : 0;
        if (ret == 0 && !window)
            ret = vdf_fail(err, EINVAL, "\"%.80s\" has no window", text);
    }
    if (ret == 0 && bar->kind == VDF_PCI_IO && (window > IO_MOST || strcmp(text, MEMORY) == 0))
        ret = vdf_fail(err, EINVAL, "\"%.80s\" does not fit into the %u bytes of an I/O register",
                       text, IO_MOST);
    if (ret == 0)
        ret = keep_device(bar, text, len, err);
    if (ret == 0 && bar->size < window)
        bar->size = power_of_two(bar->kind == VDF_PCI_IO ? 4 : MEMORY_LEAST, window);
    return ret;
}

/* The path is checked when the function is attached. */
static int restore_device(const struct vdf_at *at, const char *text, size_t len,
                          struct vdf_err *err)
{
    return keep_device(at->priv, text, len, err);
}

static uint64_t size_most(unsigned kind)
{
    return kind == VDF_PCI_IO ? IO_MOST : kind == VDF_PCI_MEM32 ? MEM32_MOST : VDF_MEMORY_MAX;
}

static int check_size(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_pci_bar *bar = at->priv;
    uint64_t least = bar->kind == VDF_PCI_IO ? 4 : MEMORY_LEAST, most = size_most(bar->kind);

    if (value < least || value > most || value & (value - 1))
        return vdf_fail(err, EINVAL, "%" PRIu64 ": a power of two from %" PRIu64 " to %" PRIu64,
                        value, least, most);
    return check_same(at, value, err);
}

static int set_size(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_pci_bar *bar = at->priv;
    int ret = bar->own.size ? set_memory(bar, value, err) : 0;

    if (ret == 0)
        bar->size = value;
    return ret;
}

static int check_kind(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_pci_bar *bar = at->priv;

    if (value == VDF_PCI_IO && bar->size > IO_MOST)
        return vdf_fail(err, EINVAL, "io: %" PRIu64 " bytes, I/O registers have at most %u",
                        bar->size, IO_MOST);
    return check_same(at, value, err);
}

static int get_mapped(const struct vdf_at *at, uint64_t *value)
{
    const struct vdf_pci_bar *bar = at->priv;

    *value = vdf_pci_bar_memory(bar->pci, bar->number) != NULL;
    return 0;
}

static bool has_memory(const void *priv)
{
    return ((const struct vdf_pci_bar *)priv)->own.size != 0;
}

static void memory_opened(const struct vdf_at *at, bool open)
{
    ((struct vdf_pci_bar *)at->priv)->memory_open = open;
}

static const struct vdf_raw_ops memory_ops = { .opened = memory_opened };
static const char *const kinds[] = { "mem32", "mem64", "io", NULL };

#define BAR(member) VDF_FIELD(struct vdf_pci_bar, member)

static const struct vdf_attr rows[] = {
    { VDF_ROW("kind", VDF_CHOICE, VDF_RW | VDF_SAVE,
              "mem32, mem64 (which has the next register too) or io; device, kind, size and vector "
              "are EBUSY while the function is served"),
      BAR(kind), .choices = kinds, .check = check_kind },
    { VDF_ROW("size", VDF_UINT, VDF_RW | VDF_SAVE,
              "bytes, a power of two; at least those of the window, which device brings along. "
              "Behind the window loads give 0"),
      BAR(size), .check = check_size, .set = set_size, .restore = vdf_restore_unchecked },
    { VDF_ROW("device", VDF_TEXT, VDF_RW | VDF_SAVE | VDF_EXCLUSIVE,
              "path of the device whose window this is, as a slot of vm/ names it: aplic/A, "
              "aplic/A/imsic/H, hwqueue/Q, hwqueue/Q/queues/N, console/C, ...; memory: a memory of "
              "the register's own"),
      .show = show_device, .store = store_device, .restore_text = restore_device },
    { VDF_ROW("vector", VDF_UINT, VDF_RW | VDF_SAVE,
              "with MSI-X: vector of the identity 0 of an APLIC or IMSIC; the messages of other "
              "devices have their own numbers"),
      BAR(vector), .max = VDF_PCI_VECTORS - 1, .check = check_same },
    { VDF_ROW("mapped", VDF_BOOL, VDF_R | VDF_LIVE,
              "1: the client gets a descriptor and maps the window"),
      .width = 1, .get = get_mapped },
    { VDF_ROW("memory", VDF_RAW, VDF_RW | VDF_SAVE | VDF_MAP, "the memory, with device memory"),
      .has_field = true, .field = offsetof(struct vdf_pci_bar, own), .raw = &memory_ops,
      .when = has_memory, .needs = "device is memory" },
};

/* --- life ------------------------------------------------------------------------------------- */

static int create(struct vdf_obj *obj, struct vdf_err *err)
{
    struct vdf_pci_bar *bar = vdf_obj_priv(obj);

    if (vdf_number_name(vdf_obj_name(obj), VDF_PCI_BARS - 1, &bar->number) < 0)
        return vdf_fail(err, EINVAL, "\"%.40s\": base address registers are 0 to %u",
                        vdf_obj_name(obj), VDF_PCI_BARS - 1);
    bar->pci = vdf_obj_priv(vdf_obj_parent(obj));
    int ret = check_detached(bar, err);
    if (ret == 0)
        bar->pci->bars[bar->number] = bar;
    return ret;
}

static void destroy(struct vdf_obj *obj)
{
    struct vdf_pci_bar *bar = vdf_obj_priv(obj);

    if (bar->pci->bars[bar->number] == bar)
        bar->pci->bars[bar->number] = NULL;
    vdf_memory_free(&bar->own);
    free(bar->device);
}

static int removed(struct vdf_obj *obj, struct vdf_err *err)
{
    return check_detached(vdf_obj_priv(obj), err);
}

static int restored(struct vdf_obj *obj, struct vdf_err *err)
{
    const struct vdf_pci_bar *bar = vdf_obj_priv(obj);
    uint64_t least = bar->kind == VDF_PCI_IO ? 4 : MEMORY_LEAST;

    if (bar->size & (bar->size - 1) || bar->size > size_most(bar->kind) ||
        (bar->device && bar->size < least))
        return vdf_fail(err, EINVAL,
                        "size is %" PRIu64 ": a power of two from %" PRIu64 " to %" PRIu64,
                        bar->size, least, size_most(bar->kind));
    return 0;
}

const struct vdf_class vdf_pci_bar_class = {
    VDF_CLASS("bar", "base address register", struct vdf_pci_bar, rows),
    .create = create,
    .destroy = destroy,
    .remove = removed,
    .restored = restored,
};
