/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: sequences of operations on the interrupt controllers and on what signals to them.
 *
 * The input is a sequence of 4 bytes each: what is done (low 4 bits) and how far the value is
 * shifted (high 4 bits), to what, and a value of 16 bits. An APLIC with IDCs, one with IMSICs, a
 * GAIT with two functions of a guest, and two INTx devices on one line are written to, accessed as
 * by a guest, attached and detached, made and removed. A saved state can always be
 * restored, and is the same again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <virtdevfs/guest.h>

#include "harness.h"
#include "input.h"
#include "plant.h"

static const char *const files[] = {
    "aplic/d/domaincfg",
    "aplic/d/sourcecfg/1",
    "aplic/d/sourcecfg/40",
    "aplic/d/target/1",
    "aplic/d/target/40",
    "aplic/d/wire/1",
    "aplic/d/wire/40",
    "aplic/d/setip/0",
    "aplic/d/setie/1",
    "aplic/d/setienum",
    "aplic/d/idc/0/idelivery",
    "aplic/d/idc/0/iforce",
    "aplic/d/idc/1/ithreshold",
    "aplic/d/idc/1/claimi",
    "aplic/m/domaincfg",
    "aplic/m/sourcecfg/1",
    "aplic/m/target/1",
    "aplic/m/setienum",
    "aplic/m/wire/1",
    "aplic/m/genmsi",
    "aplic/m/imsic/0/eidelivery",
    "aplic/m/imsic/0/eithreshold",
    "aplic/m/imsic/0/topei",
    "aplic/m/imsic/0/enabled",
    "aplic/m/imsic/0/pending",
    "aplic/m/imsic/1/eip/2",
    "aplic/m/imsic/1/eie/0",
    "gait/t/enabled",
    "gait/t/nisc",
    "gait/t/sic_fail",
    "gait/t/entries/0/gisa",
    "gait/t/entries/0/gisc",
    "gait/t/entries/0/count",
    "gait/t/entries/1/aisb",
    "gait/t/entries/1/aisbo",
    "gait/t/guests/g/ipm",
    "gait/t/guests/g/iam",
    "gait/t/guests/g/simm",
    "gait/t/guests/g/nimm",
    "gait/t/guests/g/running",
    "gait/t/guests/g/locked_limit",
    "gait/t/guests/g/memory_size",
    "gait/t/functions/f/isc",
    "gait/t/functions/f/noi",
    "gait/t/functions/f/ibv",
    "gait/t/functions/f/sb",
    "gait/t/functions/f/sbo",
    "gait/t/functions/f/host",
    "gait/t/functions/f/interpret",
    "gait/t/functions/f/registered",
    "gait/t/functions/f/signal",
    "gait/t/functions/h/registered",
    "gait/t/functions/h/signal",
    "gait/t/functions/h/interpret",
    "intx/b/devices/a/line",
    "intx/b/devices/a/pci_2_3",
    "intx/b/devices/a/intx_sticks",
    "intx/b/devices/a/intx_masks",
    "intx/b/devices/a/intx_status",
    "intx/b/devices/a/enabled",
    "intx/b/devices/a/assert",
    "intx/b/devices/a/command",
    "intx/b/devices/a/intx_disable",
    "intx/b/devices/a/guest_mask",
    "intx/b/devices/a/ack",
    "intx/b/devices/a/reset",
    "intx/b/devices/b/line",
    "intx/b/devices/b/pci_2_3",
    "intx/b/devices/b/enabled",
    "intx/b/devices/b/assert",
    "intx/b/devices/b/guest_mask",
    "intx/b/devices/b/ack",
    "intx/b/lines/0/host",
};

static const char *const words[][2] = {
    { "gait/t/functions/f/guest", "g" },       { "gait/t/functions/f/guest", "" },
    { "gait/t/functions/h/guest", "g" },       { "intx/b/devices/a/host_type", "msi" },
    { "intx/b/devices/a/host_type", "intx" },  { "intx/b/devices/a/guest_type", "msi" },
    { "intx/b/devices/a/guest_type", "intx" }, { "intx/b/devices/b/host_type", "msi" },
    { "intx/b/devices/b/guest_type", "msi" },  { "aplic/m/imsic/0/enabled", "1 2 3 64 127" },
    { "aplic/m/signal_msi", "0x28000000 2" },  { "aplic/m/signal_msi", "0x28001004 0x01000000" },
};

static const char *const bytes[] = {
    "gait/t/table",
    "gait/t/sbv",
    "gait/t/guests/g/memory",
    "intx/b/devices/a/config",
    "intx/b/devices/b/config",
};

static const char *const objects[] = {
    "gait/t/functions/f", "gait/t/functions/h", "gait/t/guests/g",
    "intx/b/devices/a",   "intx/b/devices/b",
};

static const char *const devices[] = { "aplic/d/state", "aplic/m/state", "gait/t/state",
                                       "intx/b/state" };

static struct target {
    const char *path;
    uint32_t part;
    bool attached;
} targets[] = {
    { "aplic/d", 0, false },
    { "aplic/m", 0, false },
    { "aplic/m", 1, false },
    { "aplic/m", 2, false },
    { "gait/t/functions/f", 0, false },
    { "gait/t/functions/h", 0, false },
    { "intx/b/devices/a", 0, false },
    { "intx/b/devices/b", 0, false },
};

static struct vdf_memory memory; /* of the guest */
static struct vdf_space space;   /* of `memory` */

/* --- a guest ---------------------------------------------------------------------------------- */

static const struct vdf_guest_ops *ops_of(const struct target *target)
{
    return vdf_obj_class(vdf_test_obj(target->path))->guest;
}

static void detach(struct target *target)
{
    if (!target->attached)
        return;
    vdf_guest_detach(vdf_test_obj(target->path), target->part);
    target->attached = false;
}

static void detach_all(void)
{
    for (size_t k = 0; k < COUNT(targets); k++)
        detach(&targets[k]);
}

static void attach(struct target *target, unsigned value)
{
    const struct vdf_guest guest = {
        .machine = &machine,
        .space = &space,
        .irq = { .set_level = set_level, .message = send_message, .ctx = &machine },
        .line_is_message = value & 2,
        .vector = 32,
    };

    if (!vdf_test_exists(target->path))
        return;
    int ret = vdf_guest_attach(vdf_test_obj(target->path), target->part, &guest, true, NULL);
    if (ret == 0 && target->attached)
        abort(); /* one device, two slots */
    target->attached = target->attached || ret == 0;
}

static void access_as_guest(const struct target *target, uint32_t value, bool write)
{
    static const uint64_t places[] = { 0,      4,      0x1c00, 0x1cdc, 0x1d00, 0x1e00, 0x3004,
                                       0x4000, 0x4018, 0x401c, 0x403c, 0x3000, 0x1ddc };
    uint64_t offset = places[value % COUNT(places)] + value / 64 % 16, got;
    unsigned width = 1u << (value / 16 % 4);

    if (!target->attached)
        return;
    struct vdf_obj *obj = vdf_test_obj(target->path);
    if (offset + width > vdf_guest_size(obj, target->part))
        return;
    if (write)
        vdf_guest_write(obj, target->part, offset, width, value * UINT64_C(0x0101000100010101),
                        NULL);
    else
        vdf_guest_read(obj, target->part, offset, width, &got, NULL);
}

static void end_interrupt(const struct target *target)
{
    if (target->attached && ops_of(target)->eoi)
        ops_of(target)->eoi(vdf_test_obj(target->path), target->part);
}

/* --- objects, bytes, states ------------------------------------------------------------------- */

static bool lies_in(const char *path, const char *object)
{
    return !strncmp(path, object, strlen(object));
}

static void make_or_remove(const char *object)
{
    if (!vdf_test_exists(object)) {
        vdf_test_mkdir(object);
        return;
    }
    /* The owner of an attachment keeps the device from being removed. */
    for (size_t k = 0; k < COUNT(targets); k++)
        if (lies_in(targets[k].path, object))
            detach(&targets[k]);
    vdf_test_rmdir(object);
}

static void store_bytes(const char *path, uint32_t value)
{
    uint8_t stored[4] = { (uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16), 0xff };

    if (vdf_test_exists(path))
        vdf_test_pwrite(path, stored, 1 + value % 4, value / 4 % 256);
}

static void go_round(const char *path)
{
    detach_all();
    char *first = strdup(vdf_test_read(path));

    if (vdf_test_write(path, first)) {
        fprintf(stderr, "%s: %s\n%s", path, vdf_test_last_error(), first);
        abort();
    }
    const char *second = vdf_test_read(path);
    if (strcmp(first, second)) {
        fprintf(stderr, "%s: not the same again\n%s--- and then\n%s", path, first, second);
        abort();
    }
    free(first);
}

/* --- the tree --------------------------------------------------------------------------------- */

static void plant(void)
{
    static const char *const dirs[] = { "aplic/d", "aplic/m", "gait/t", "intx/b" };
    vdf_test_tree(true);
    for (size_t k = 0; k < COUNT(dirs); k++)
        must(vdf_test_mkdir(dirs[k]));
    for (size_t k = 0; k < COUNT(objects); k++)
        must(vdf_test_mkdir(objects[k]));
    set_up_controllers();
    must(vdf_test_write("gait/t/functions/h/guest", "g"));
    vdf_memory_init(&memory, "guest", 1u << 20);
    space = vdf_space_of(&memory);
}

static void uproot(void)
{
    detach_all();
    for (size_t k = 0; k < COUNT(devices); k++)
        go_round(devices[k]);
    vdf_test_tree_free();
    vdf_memory_free(&memory);
}

static void operate(unsigned what, unsigned which, uint32_t value)
{
    struct target *target = &targets[which % COUNT(targets)];
    const char *const *word = words[which % COUNT(words)];
    const char *file = files[which % COUNT(files)];

    switch (what) {
    case 0:
        attach(target, value);
        break;
    case 1:
        detach(target);
        break;
    case 2:
    case 3:
        access_as_guest(target, value, what == 2);
        break;
    case 4:
        end_interrupt(target);
        break;
    case 5:
        make_or_remove(objects[which % COUNT(objects)]);
        break;
    case 6:
        store_bytes(bytes[which % COUNT(bytes)], value);
        break;
    case 7:
        if (vdf_test_exists(word[0]))
            vdf_test_write(word[0], word[1]);
        break;
    case 8:
        go_round(devices[which % COUNT(devices)]);
        break;
    default:
        if (vdf_test_exists(file))
            vdf_test_write_u64(file, value);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = { data, size };

    plant();
    while (in.left >= 4) {
        unsigned what = (unsigned)take(&in, 1), which = (unsigned)take(&in, 1);
        operate(what % 16, which, (uint32_t)take(&in, 2) << what / 16);
    }
    uproot();
    return 0;
}
