/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: accesses of a PCI function's regions, and its interrupts, without a client's messages.
 *
 * The first byte says whether the function is a console or an INTx device, and whether it has PCI
 * Express. An operation is a byte and what follows. No access changes the identity or the chain of
 * capabilities; a base address register keeps its type; what a stopped function saves, it can load, and
 * saves again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "backends/pci/pci.h"
#include "harness.h"
#include "input.h"
#include "plant.h"

#define MAX_OPERATIONS 200
#define VECTORS 40u
#define PCI "pci/f"

static char dir[32], path[48];
static int event = -1;
static atomic_bool never;
static bool is_console;
static uint8_t start[256]; /* the configuration space */

static void broken(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, vdf_test_last_error());
    abort();
}

/* A loaded state has another private structure. */
static struct vdf_pci *pci(void)
{
    return vdf_obj_priv(vdf_test_obj(PCI));
}

static void remove_dir(void)
{
    rmdir(dir);
}

static void prepare(void)
{
    strcpy(dir, "/tmp/vdf-fuzz.XXXXXX");
    event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!mkdtemp(dir) || atexit(remove_dir) || event < 0)
        abort();
    snprintf(path, sizeof(path), "%s/f", dir);
}

static void plant(unsigned how)
{
    static const char *const objects[] = {
        "console/c", "aplic/d", "intx/b", "intx/b/devices/a", PCI, PCI "/bars/2", PCI "/bars/4",
    };
    static const struct step steps[] = {
        { "aplic/d/delivery", "direct" },
        { "aplic/d/aia/srcs", "40" },
        { "aplic/d/init", "1" },
        { "intx/b/devices/a/enabled", "1" },
        { PCI "/bars/2/device", "memory" },
        { PCI "/bars/2/kind", "mem64" },
        { PCI "/bars/4/device", "aplic/d" },
    };

    is_console = how & 1;
    for (unsigned k = 0; k < COUNT(objects); k++)
        must(vdf_test_mkdir(objects[k]));
    take_steps(steps, COUNT(steps));
    must(vdf_test_write(PCI "/function", is_console ? "console/c" : "intx/b/devices/a"));
    must(vdf_test_write(PCI "/express", how & 2 ? "1" : "0"));
    if (!is_console)
        must(vdf_test_write_u64(PCI "/msix/vectors", VECTORS));
    must(vdf_test_write(PCI "/vfio_user", path));
    must(vdf_pci_set_running(pci(), true, &never));
    must(vdf_pci_read(pci(), VDF_PCI_CONFIG, 0, start, sizeof(start), &never, NULL));
}

/* --- accesses --------------------------------------------------------------------------------- */

/* Mostly within the region, and at its ends. */
static uint64_t take_offset(struct input *in, unsigned region)
{
    uint64_t size = vdf_pci_region_size(pci(), region);
    unsigned how = (unsigned)take(in, 1);

    if (how == 0xff)
        return take(in, 8);
    return how & 0x80 ? size - (how & 0x7f) : how & 0x40 ? take(in, 2) % (size + 1) : how;
}

static void read_region(struct input *in)
{
    uint8_t bytes[128];
    unsigned how = (unsigned)take(in, 1), region = how % VDF_PCI_REGIONS;
    uint64_t offset = take_offset(in, region);
    struct vdf_err err = { 0 };

    vdf_pci_read(pci(), region, offset, bytes,
                 how & 0x80 ? take(in, 1) % 128 : 1u << (how >> 5 & 3), &never, &err);
}

static void write_region(struct input *in)
{
    uint8_t bytes[128] = { 0 };
    unsigned how = (unsigned)take(in, 1), region = how % VDF_PCI_REGIONS;
    uint64_t offset = take_offset(in, region);
    size_t n = how & 0x80 ? take(in, 1) % sizeof(bytes) : 1u << (how >> 5 & 3);
    struct vdf_err err = { 0 };

    take_bytes(in, bytes, n);
    vdf_pci_write(pci(), region, offset, bytes, n, &never, &err);
}

/* A word that is read at once, and in bytes. The registers of a device may change with a read. */
static void read_in_parts(struct input *in)
{
    uint8_t whole[16], byte;
    uint64_t offset =
        take(in, 2) % (vdf_pci_region_size(pci(), VDF_PCI_CONFIG) - sizeof(whole) + 1);

    if (is_console)
        return;
    must(vdf_pci_read(pci(), VDF_PCI_CONFIG, offset, whole, sizeof(whole), &never, NULL));
    for (unsigned k = 0; k < sizeof(whole); k++) {
        must(vdf_pci_read(pci(), VDF_PCI_CONFIG, offset + k, &byte, 1, &never, NULL));
        if (byte != whole[k])
            broken("bytes of the configuration space are not those of the word");
    }
}

/* Every bit of a base address register is written; its size and type are read. */
static void size_bar(struct input *in)
{
    unsigned n = (unsigned)take(in, 1) % VDF_PCI_BARS;
    uint64_t size = vdf_pci_bar_size(pci(), n);
    uint32_t ones = UINT32_MAX, value;

    must(vdf_pci_write(pci(), VDF_PCI_CONFIG, 0x10 + 4 * n, &ones, 4, &never, NULL));
    must(vdf_pci_read(pci(), VDF_PCI_CONFIG, 0x10 + 4 * n, &value, 4, &never, NULL));
    if (size && (uint32_t)(~(value & ~UINT32_C(15)) + 1) != size)
        broken("a base address register has another size");
}

/* --- interrupts ------------------------------------------------------------------------------- */

static void use_irq(struct input *in)
{
    static const unsigned indexes[] = { VDF_PCI_INTX, VDF_PCI_MSIX };
    unsigned how = (unsigned)take(in, 1), index = indexes[how & 1];
    unsigned n = (unsigned)take(in, 1) % vdf_pci_irqs(pci(), index);
    struct vdf_signal *signal = NULL;

    switch (how >> 1 & 7) {
    case 0:
        vdf_pci_irq_disable(pci(), index, &never);
        break;
    case 1:
        vdf_pci_irq_mask(pci(), index, n, how & 16, &never);
        break;
    case 2:
        vdf_pci_irq_trigger(pci(), index, n, &never);
        break;
    case 3:
        vdf_pci_irq_disconnect_all(pci());
        break;
    default:
        if (how & 16 && vdf_signal_open(NULL, event, &signal) < 0)
            return;
        must(vdf_pci_irq_connect(pci(), index, n, signal, &never));
    }
}

/* As a device that is attached, and one that has another number of vectors. */
static void signal_as_device(struct input *in)
{
    unsigned how = (unsigned)take(in, 1);

    if (how & 1)
        vdf_pci_msix_send(&pci()->irqs, (uint32_t)take(in, how & 2 ? 4 : 1));
    else
        vdf_pci_intx_set(&pci()->irqs, how >> 2 & 1, how & 2);
}

static void write_value(struct input *in)
{
    static const char *const files[] = {
        PCI "/msix/enabled",        PCI "/msix/mask",           PCI "/msix/0/mask",
        PCI "/msix/1/addr",         PCI "/msix/1/data",         "intx/b/devices/a/assert",
        "intx/b/devices/a/reset",   "intx/b/devices/a/enabled", "intx/b/devices/a/guest_mask",
        "aplic/d/wire/1",           "console/c/cols",           PCI "/msix/vectors",
        "intx/b/devices/a/command",
    };
    const char *file = PICK(in, files);

    vdf_test_write_u64(file, take(in, 1));
}

static void run(struct input *in)
{
    unsigned how = (unsigned)take(in, 1);

    if (how & 2)
        must(vdf_pci_reset(pci(), &never));
    must(vdf_pci_set_running(pci(), how & 1, &never));
}

/* --- states ----------------------------------------------------------------------------------- */

static char *save(size_t *len)
{
    struct vdf_buf text = VDF_BUF_INIT;

    must(vdf_pci_save(pci(), &text, &never));
    *len = text.len;
    vdf_buf_add(&text, "", 1);
    if (text.oom)
        abort();
    return text.data;
}

static void expect_same(const char *what, const char *before, const char *after)
{
    if (!strcmp(before, after))
        return;
    fprintf(stderr, "--- before:\n%s\n--- after:\n%s\n", before, after);
    broken(what);
}

/* A client saves a function that it has stopped. */
static void there_and_back(struct input *in)
{
    struct vdf_err err = { 0 };
    bool ran = pci()->running;
    size_t len;

    must(vdf_pci_set_running(pci(), false, &never));
    char *before = save(&len);
    if (vdf_pci_load(pci(), before, len, &never, &err) < 0) {
        fprintf(stderr, "%s\n%s\n", err.text, before);
        broken("a saved function is refused");
    }
    char *after = save(&len);
    expect_same("a loaded function is not as it was saved", before, after);
    free(before);
    free(after);
    must(vdf_pci_set_running(pci(), ran, &never));
}

/* The function is served anew. */
static void restore(struct input *in)
{
    static const char *const files[] = { PCI "/state", "state" };
    const char *file = PICK(in, files);

    must(vdf_pci_set_running(pci(), false, &never));
    char *before = strdup(vdf_test_read(file));
    if (!before || vdf_test_write(file, before) < 0)
        broken("a saved state is refused");
    expect_same("a restored state is not as it was saved", before, vdf_test_read(file));
    free(before);
    must(vdf_pci_set_running(pci(), true, &never));
}

/* ---------------------------------------------------------------------------------------------- */

/* The bytes that no access changes: the identity, the bits below base addresses, the capabilities. */
static void expect_same_shape(void)
{
    uint8_t now[sizeof(start)];
    unsigned cap = start[0x34];

    must(vdf_pci_read(pci(), VDF_PCI_CONFIG, 0, now, sizeof(now), &never, NULL));
    if (memcmp(now, start, 4) || memcmp(now + 8, start + 8, 4) ||
        memcmp(now + 0x2c, start + 0x2c, 4) || now[0x34] != cap || now[0x3d] != start[0x3d])
        broken("the identity has changed");
    for (unsigned n = 0; n < VDF_PCI_BARS; n++)
        if (vdf_pci_bar_size(pci(), n) && (now[0x10 + 4 * n] ^ start[0x10 + 4 * n]) & 7)
            broken("a base address register has another type");
    for (; cap; cap = start[cap + 1])
        if (memcmp(now + cap, start + cap, 2))
            broken("the capabilities have changed");
}

static void (*const operations[])(struct input *in) = {
    read_region,      write_region, read_in_parts, size_bar,       use_irq,
    signal_as_device, write_value,  run,           there_and_back, restore,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = { data, size };

    if (event < 0)
        prepare();
    vdf_test_tree(true);
    plant((unsigned)take(&in, 1));
    for (unsigned n = 0; n < MAX_OPERATIONS && in.left; n++)
        operations[take(&in, 1) % COUNT(operations)](&in);
    expect_same_shape();
    there_and_back(&in);
    vdf_pci_irq_disconnect_all(pci());
    vdf_test_tree_free();
    return 0;
}
