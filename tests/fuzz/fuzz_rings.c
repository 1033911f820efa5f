/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: the command rings and logs of hwqueue, of all its types and with the engine.
 *
 * The input is a sequence of operations on a device whose queues are set up: commands, accesses to
 * registers, stores to mapped pages which the engine's thread sees, writes to files, faults and
 * page requests of devices, objects that come and go, states. At the end the device is saved,
 * restored and saved again, and both states are the same.
 */
#include <endian.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <virtdevfs/guest.h>

#include "backends/hwqueue/vcmdq.h"
#include "fs/tree/errors.h"
#include "fs/tree/file.h"
#include "fs/tree/state.h"
#include "fs/tree/value.h"
#include "harness.h"
#include "input.h"

#define DEVICE "hwqueue/f"
#define MAX_OPERATIONS 400

/* --- the device ------------------------------------------------------------------------------- */

enum kind { TEGRA, TEGRA_HYP_OWN, AMD, SELFTEST, KINDS };

static enum kind kind;
static struct vdf_test_file *page[2], *entries[2]; /* of the queues; NULL: not open */

/* The path below the device. */
static const char *at(const char *rest)
{
    static char path[128];

    snprintf(path, sizeof(path), DEVICE "/%s", rest);
    return path;
}

static void set(const char *rest, const char *text)
{
    if (vdf_test_write(at(rest), text) < 0) {
        fprintf(stderr, "%s <- %s: %s\n", rest, text, vdf_test_last_error());
        abort();
    }
}

static void make(const char *rest)
{
    if (vdf_test_mkdir(at(rest)) < 0) {
        fprintf(stderr, "mkdir %s: %s\n", rest, vdf_test_last_error());
        abort();
    }
}

static void make_tegra(void)
{
    make("queues/0");
    make("queues/1");
    set("queues/0/base", "0x100000");
    set("queues/0/log2size", "4");
    set("queues/0/enable", "1");
    set("queues/1/base", "0x101000");
    set("queues/1/log2size", "3");
    set("queues/1/enable", "1");
    if (kind == TEGRA_HYP_OWN)
        set("vintf/config", "0x20003");
}

static void make_amd(void)
{
    static const char *const names[] = { "cmd", "event", "ppr" };
    char path[64], base[32];

    for (unsigned k = 0; k < COUNT(names); k++) {
        snprintf(path, sizeof(path), "queues/%s/base", names[k]);
        snprintf(base, sizeof(base), "0x%x", 0x100000 + k * 0x1000);
        set(path, base);
        snprintf(path, sizeof(path), "queues/%s/length", names[k]);
        set(path, "8");
    }
    set("queues/event/enable", "1");
    set("queues/ppr/enable", "1");
    set("queues/cmd/enable", "1");
    set("control", "0x701d");
}

static void make_selftest(void)
{
    set("type", "selftest");
    set("ioas/map", "0x1000000 0x10000");
    make("vdevices/7");
    make("queues/0");
    set("queues/0/base", "0x1000000");
    set("queues/0/length", "4096");
    set("queues/0/enable", "1");
}

static void make_device(void)
{
    if (vdf_test_mkdir(DEVICE) < 0)
        abort();
    set("memory_size", "131072");
    if (kind == SELFTEST) {
        make_selftest();
        return;
    }
    if (kind == AMD)
        set("type", "amd");
    set("ioas/map", "0x100000 0x10000");
    set("ioas/map", "0x200000 0x4000 0x10000 ro");
    make("vdevices/7");
    make("vdevices/9");
    set("vdevices/7/psid", "33");
    set("iotlb/insert", "33 0 0x1000 0x1000 1");
    set("iotlb/insert", "33 5 0x200000 0x200000 1 global");
    set("iotlb/atc_insert", "33 5 0x1000 0x1000");
    if (kind == AMD)
        make_amd();
    else
        make_tegra();
}

/* --- operations ------------------------------------------------------------------------------- */

static struct vdf_vcmdq *queue_of(unsigned n)
{
    char path[32];

    snprintf(path, sizeof(path), DEVICE "/queues/%u", n);
    struct vdf_obj *obj = kind == AMD ? NULL : vdf_test_obj(path);
    return obj ? vdf_obj_priv(obj) : NULL;
}

static void put_command(unsigned n, uint64_t index, const uint64_t command[2])
{
    const uint64_t words[2] = { htole64(command[0]), htole64(command[1]) };

    vdf_test_pwrite(at(n ? "queues/1/entries" : "queues/0/entries"), words, 16, index * 16);
}

/* Commands behind those that are in the ring, and then the store that announces them. */
static void commands(struct input *in)
{
    unsigned n = (unsigned)take(in, 1), count = n >> 4, which = n & 1;
    const char *prod_path = kind == AMD ? "queues/cmd/tail"
                            : which     ? "queues/1/prod"
                                        : "queues/0/prod";

    if (!vdf_test_exists(at(prod_path)))
        return;
    uint64_t prod = vdf_test_read_u64(at(prod_path));
    uint64_t size = kind == AMD ? 256 : which ? 8 : 16;
    for (unsigned k = 0; k < count; k++) {
        uint64_t command[2] = { take(in, 8), take(in, 8) };
        if (kind == AMD) {
            const uint64_t words[2] = { htole64(command[0]), htole64(command[1]) };
            vdf_test_pwrite(at("memory"), words, 16, prod & 0xff0);
            prod = (prod + 16) & 0xfff;
        } else {
            put_command(which, prod & (size - 1), command);
            prod = (prod + 1) & (2 * size - 1);
        }
    }
    if (kind != AMD && page[which] && queue_of(which)) {
        /* As a guest does it: the engine sees the store. */
        struct vdf_memory *memory = &queue_of(which)->page;
        if (memory->base)
            vdf_store_le32((uint8_t *)memory->base + 4, (uint32_t)prod);
        return;
    }
    vdf_test_write_u64(at(prod_path), prod);
}

static void access_register(struct input *in)
{
    static const uint32_t bases[] = { 0x0,     0x200, 0x1000, 0x10000, 0x20000, 0x30000,
                                      0x40000, 0x0,   0x10,   0x2000,  0x2020 };
    uint8_t how = (uint8_t)take(in, 1);
    unsigned width = how & 1 ? 8 : 4;
    uint64_t offset = bases[(how >> 1) % COUNT(bases)] + take(in, 1) * 4, value;

    if (how & 0x80)
        vdf_test_reg_read(at("regs"), offset, width, &value);
    else
        vdf_test_reg_write(at("regs"), offset, width, take(in, width));
}

static void write_file(struct input *in)
{
    static const char *const files[] = {
        "queues/0/enable",
        "queues/0/base",
        "queues/0/log2size",
        "queues/0/cons",
        "queues/0/gerrorn",
        "queues/0/config",
        "queues/1/enable",
        "queues/1/gerrorn",
        "queues/0/prod",
        "queues/1/prod",
        "queues/0/cons_base",
        "queues/0/fetch_abort",
        "vintf/config",
        "global/config",
        "vdevices/7/psid",
        "vdevices/7/atc_timeout",
        "queues/cmd/enable",
        "queues/cmd/head",
        "queues/cmd/tail",
        "queues/event/head",
        "queues/event/tail",
        "queues/event/enable",
        "queues/ppr/head",
        "queues/ppr/enable",
        "queues/cmd/base",
        "queues/event/length",
        "queues/cmd/length",
        "queues/event/overflow",
        "control",
        "veventq_depth",
        "doorbell",
        "trigger",
        "memory_size",
        "queues/0/length",
        "queues/0/queue_type",
        "viommu_data",
        "type",
        "queues/event/inject",
        "queues/ppr/inject",
        "iotlb/insert",
        "iotlb/atc_insert",
        "ioas/map",
        "ioas/unmap",
        "queues/ppr/length",
    };
    const char *file = PICK(in, files);
    char text[48];
    size_t n = take(in, 1) % sizeof(text);

    take_bytes(in, text, n);
    text[n] = '\0';
    vdf_test_write(at(file), text);
}

static void set_number(struct input *in)
{
    static const char *const files[] = {
        "queues/0/enable",     "queues/0/gerrorn",
        "queues/0/config",     "queues/0/prod",
        "queues/0/cons",       "queues/1/enable",
        "queues/1/gerrorn",    "queues/1/prod",
        "queues/cmd/tail",     "queues/cmd/head",
        "queues/cmd/enable",   "queues/event/head",
        "queues/ppr/head",     "control",
        "vintf/config",        "vdevices/7/atc_timeout",
        "queues/0/cons_base",  "queues/event/overflow",
        "queues/ppr/overflow", "trigger",
    };
    const char *file = PICK(in, files);

    vdf_test_write_u64(at(file), take(in, 4));
}

static void inject(struct input *in)
{
    char text[80];
    unsigned n = (unsigned)take(in, 1);

    if (n & 1) {
        snprintf(text, sizeof(text), "%u %u %u 0x%x 0x%x", 1 + (n >> 4) % 15, (unsigned)take(in, 2),
                 (unsigned)take(in, 2), (unsigned)take(in, 4), (unsigned)take(in, 1));
        vdf_test_write(at("queues/event/inject"), text);
    } else {
        snprintf(text, sizeof(text), "%u %u 0x%x %u", (unsigned)take(in, 2),
                 (unsigned)take(in, 3) & 0xfffff, (unsigned)take(in, 4), n);
        vdf_test_write(at("queues/ppr/inject"), text);
    }
}

static void cache(struct input *in)
{
    char text[80];
    unsigned n = (unsigned)take(in, 1);

    snprintf(text, sizeof(text), "%u %u 0x%x000 0x%x000", 33 + (n & 1), (n >> 1) & 7,
             (unsigned)take(in, 3), 1u << (n >> 4));
    vdf_test_write(at(n & 8 ? "iotlb/atc_insert" : "iotlb/insert"), text);
}

static void object(struct input *in)
{
    static const char *const dirs[] = { "queues/0",   "queues/1", "vdevices/7",
                                        "vdevices/9", "queues/2", "vdevices/16" };
    unsigned n = (unsigned)take(in, 1);
    const char *dir = at(dirs[(n >> 1) % COUNT(dirs)]);

    if (n & 1)
        vdf_test_mkdir(dir);
    else
        vdf_test_rmdir(dir);
}

static void close_file(struct vdf_test_file **file)
{
    if (*file)
        vdf_test_close(*file);
    *file = NULL;
}

/* Opens what is closed and closes what is open: the engine looks at the page from then on, or no
 * more. */
static void toggle(struct input *in)
{
    unsigned n = (unsigned)take(in, 1), which = n & 1;
    struct vdf_test_file **file = n & 2 ? &entries[which] : &page[which];
    char path[32];
    int error;

    if (*file) {
        close_file(file);
        return;
    }
    snprintf(path, sizeof(path), "queues/%u/%s", which, n & 2 ? "entries" : "page");
    *file = vdf_test_open(at(path), O_RDWR, &error);
}

static void store_to_page(struct input *in)
{
    unsigned n = (unsigned)take(in, 1), which = n & 1;
    struct vdf_vcmdq *queue = page[which] ? queue_of(which) : NULL;

    if (queue && queue->page.base)
        vdf_store_le32((uint8_t *)queue->page.base + (n >> 1) % 8 * 4, (uint32_t)take(in, 4));
}

static void bytes(struct input *in)
{
    uint8_t block[64];
    uint64_t offset = take(in, 2);
    size_t n = take(in, 1) % sizeof(block);

    take_bytes(in, block, n);
    vdf_test_pwrite(at(offset & 1 ? "memory" : "queues/0/page"), block, n, offset >> 1);
}

static void read_stream(struct input *in)
{
    static const char *const streams[] = { "veventq", "events" };
    uint8_t buffer[256];
    int error;
    struct vdf_test_file *file =
        vdf_test_open(at(PICK(in, streams)), O_RDONLY | O_NONBLOCK, &error);

    if (file) {
        vdf_test_file_read(file, buffer, take(in, 1));
        vdf_test_close(file);
    }
}

/* --- a machine that it is plugged into, and whose processors are played here ------------------ */

#define MACHINE "vm/f"

static const char *const plugged[2] = { DEVICE, DEVICE "/queues/0" };

static const char *slot(unsigned n, const char *file)
{
    static char path[64];

    snprintf(path, sizeof(path), MACHINE "/slots/%u%s", n, file);
    return path;
}

static void make_machine(void)
{
    if (vdf_test_mkdir(MACHINE) < 0 || vdf_test_mkdir(slot(0, "")) < 0 ||
        vdf_test_mkdir(slot(1, "")) < 0)
        abort();
    vdf_test_write(slot(0, "/addr"), "0x10000000");
    vdf_test_write(slot(1, "/addr"), "0x20000000");
}

static void plug(struct input *in)
{
    unsigned n = (unsigned)take(in, 1) & 3, which = n & 1;

    vdf_test_write(slot(which, "/device"), plugged[which]);
    vdf_test_write(slot(which, "/attached"), n & 2 ? "0" : "1");
}

static void guest_access(struct input *in)
{
    unsigned n = (unsigned)take(in, 1), width = 1u << ((n >> 1) & 3), which = n & 1;
    uint64_t offset = take(in, 1) * (n & 0x10 ? 0x100 : 1) + (n & 0x20 ? 0x2000 : 0);
    uint64_t value = take(in, 4);
    struct vdf_obj *obj = vdf_test_obj(plugged[which]);

    if (!obj || vdf_test_read_u64(slot(which, "/attached")) == 0)
        return;
    struct vdf_err err = { 0 };
    if (offset + width > vdf_guest_size(obj, 0))
        return;
    vdf_device_enter(obj->device);
    if (n & 8)
        vdf_guest_read(obj, 0, offset, width, &value, &err);
    else
        vdf_guest_write(obj, 0, offset, width, value, &err);
    vdf_device_leave(obj->device, true);
}

/* Its processors begin, or stand still. */
static void run_machine(struct input *in)
{
    struct vdf_obj *obj = vdf_test_obj(plugged[1]);
    bool runs = take(in, 1) & 1;

    if (!obj || vdf_test_read_u64(slot(1, "/attached")) == 0)
        return;
    struct vdf_tree *tree = obj->device->tree;
    vdf_tree_enter_exclusive(tree);
    vdf_obj_class(obj)->guest->runs(obj, 0, runs);
    vdf_tree_leave_exclusive(tree, NULL);
}

/* --- states ----------------------------------------------------------------------------------- */

static char *save(void)
{
    const char *text = vdf_test_read(at("state"));
    char *copy = malloc(strlen(text) + 2);

    if (!copy)
        abort();
    return strcat(strcpy(copy, text), "\n");
}

static void restore(const char *state)
{
    if (vdf_test_write(at("state"), state) < 0) {
        fprintf(stderr, "its own state is refused: %s\n%s", vdf_test_last_error(), state);
        abort();
    }
}

static void there_and_back(void)
{
    char *before = save();
    restore(before);
    char *after = save();

    if (strcmp(before, after)) {
        fprintf(stderr, "another state\n--- before:\n%s--- after:\n%s", before, after);
        abort();
    }
    free(before);
    free(after);
}

/* With pages open the engine goes on meanwhile. */
static void state_in_between(struct input *in)
{
    char *state = save();
    vdf_test_write(at("state"), state);
    free(state);
}

/* --- what always holds ------------------------------------------------------------------------ */

static void broken(const char *what)
{
    fprintf(stderr, "%s\n", what);
    abort();
}

/* A queue that runs has nothing left to do, unless the engine is to see its page. */
static void check_vcmdq(const struct vdf_vcmdq *queue)
{
    uint32_t size = UINT32_C(1) << queue->log2size;
    uint32_t left = (queue->prod - queue->cons) & (2 * size - 1);
    bool runs = queue->enabled && queue->status && !((queue->gerror ^ queue->gerrorn) & 1);

    if (runs && left && left <= size)
        broken("a VCMDQ that runs has commands left");
    if (!queue->enabled && queue->status)
        broken("a VCMDQ that is not enabled runs");
}

static void check_device(const struct vdf_hwqueue *dev)
{
    const struct vdf_amdvi_queue *ring = &dev->amdvi.queues[VDF_AMDVI_CMD];

    if (ring->run && ring->head != ring->tail)
        broken("a command buffer that runs has commands left");
    for (unsigned k = 0; k < VDF_AMDVI_QUEUES; k++)
        if (dev->amdvi.queues[k].run &&
            (!dev->amdvi.queues[k].enabled || dev->amdvi.queues[k].overflow))
            broken("an AMD queue runs that is not enabled or has an overflow");
    for (unsigned k = 0; k < VDF_VCMDQS; k++)
        if (dev->kind == &vdf_tegra_kind && dev->vcmdqs[k] && !page[k] && !dev->attached)
            check_vcmdq(dev->vcmdqs[k]);
    if (dev->irq_level != vdf_hwqueue_irq_level(dev))
        broken("the interrupt is not as the registers say");
}

/* With the lock: the engine works on pages that are open. */
static void check(void)
{
    struct vdf_obj *obj = vdf_test_obj(DEVICE);

    vdf_device_enter(obj->device);
    check_device(vdf_obj_priv(obj));
    vdf_device_leave(obj->device, false);
}

/* ---------------------------------------------------------------------------------------------- */

static void (*const operations[])(struct input *in) = {
    commands,    access_register,  write_file, set_number,    inject,
    cache,       object,           toggle,     store_to_page, bytes,
    read_stream, state_in_between, plug,       guest_access,  run_machine,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool begun;
    struct input in = { data, size };

    if (!begun && !vdf_test_tree_with_engine(VDF_ENGINE_AUTO, true))
        abort();
    begun = true;
    kind = take(&in, 1) % KINDS;
    make_device();
    make_machine();
    for (unsigned n = 0; n < MAX_OPERATIONS && in.left; n++) {
        operations[take(&in, 1) % COUNT(operations)](&in);
        check();
    }
    for (unsigned k = 0; k < 2; k++) {
        close_file(&page[k]);
        close_file(&entries[k]);
    }
    if (vdf_test_rmdir(MACHINE) < 0)
        broken(vdf_test_last_error());
    there_and_back();
    if (vdf_test_rmdir(DEVICE) < 0) {
        fprintf(stderr, "rmdir: %s\n", vdf_test_last_error());
        abort();
    }
    return 0;
}
