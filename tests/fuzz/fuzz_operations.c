/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: sequences of operations on the whole tree.
 *
 * The first byte says whether there is an engine. Each operation begins with a byte that says what
 * is done: objects are made and removed, values and bytes written and read, streams opened and
 * used, states saved and restored, devices attached to a guest that is played here and driven by
 * it, or plugged into a KVM machine that runs a program of the input.
 *
 * Without an engine nothing happens by itself. Then a refused write has changed nothing, and a
 * state that was accepted is the state of the device. At the end the state of the whole tree is
 * saved, restored and saved again, and both are the same.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <virtdevfs/guest.h>

#include "fs/tree/errors.h"
#include "fs/tree/file.h"
#include "fs/tree/state.h"
#include "fs/tree/value.h"
#include "harness.h"
#include "input.h"
#include "plant.h"

#define MAX_OPERATIONS 100

static bool with_engine;

static void broken(const char *what, const char *path, const char *more)
{
    fprintf(stderr, "%s: %s\n%s\n", path, what, more);
    abort();
}

/* --- the tree --------------------------------------------------------------------------------- */

static const char *const objects[] = {
    "console/c",
    "console/c/ports/1",
    "aplic/d",
    "aplic/m",
    "gait/t",
    "gait/t/guests/g",
    "gait/t/functions/f",
    "hwqueue/q",
    "hwqueue/q/vdevices/7",
    "hwqueue/q/queues/0",
    "hwqueue/q/queues/1",
    "hwqueue/a",
    "hwqueue/a/vdevices/7",
    "intx/b",
    "intx/b/devices/a",
    "intx/b/devices/b",
    "console/c/ports/2",
    "console/c/ports/0",
    "aplic/new",
    "vm/m",
    "vm/m/slots/0",
    "vm/m/slots/1",
};

#define N_PLANTED 16u /* of the objects, the first ones */

static void plant(void)
{
    static const struct step steps[] = {
        { "console/c/dma/size", "65536" },
        { "console/c/memory_size", "1048576" },
        { "hwqueue/q/memory_size", "131072" },
        { "hwqueue/a/memory_size", "131072" },
        { "hwqueue/q/ioas/map", "0x100000 0x10000" },
        { "hwqueue/q/queues/0/base", "0x100000" },
        { "hwqueue/q/queues/0/log2size", "4" },
        { "hwqueue/q/queues/0/enable", "1" },
        { "hwqueue/a/ioas/map", "0x100000 0x10000" },
        { "hwqueue/a/queues/cmd/base", "0x100000" },
        { "hwqueue/a/queues/cmd/enable", "1" },
    };

    for (unsigned k = 0; k < N_PLANTED; k++) {
        must(vdf_test_mkdir(objects[k]));
        if (!strcmp(objects[k], "hwqueue/a"))
            must(vdf_test_write("hwqueue/a/type", "amd"));
    }
    set_up_controllers();
    take_steps(steps, COUNT(steps));
}

/* --- the files -------------------------------------------------------------------------------- */

/* Of rows with many numbers a few are enough. A file is chosen by the hash of its path, so that an
 * input means the same when a later version has more files. */
static struct file {
    uint16_t hash;
    char *path;
} * files;
static size_t n_files;

static uint16_t hash_of(const char *path)
{
    uint32_t hash = 2166136261;

    for (; *path; path++)
        hash = (hash ^ (uint8_t)*path) * 16777619;
    return (uint16_t)(hash ^ hash >> 16);
}

/* Is there a number above 2 in it? */
static bool has_large_number(const char *path)
{
    for (const char *part = path; part; part = strchr(part, '/')) {
        part += *part == '/';
        if (strtoul(part, NULL, 10) > 2)
            return true;
    }
    return false;
}

static int compare_files(const void *a, const void *b)
{
    const struct file *x = a, *y = b;

    return x->hash != y->hash ? x->hash - y->hash : strcmp(x->path, y->path);
}

static void collect(void)
{
    size_t n;

    /* Where there is no KVM there are no files of machines. */
    if (vdf_test_mkdir("vm/m") == 0)
        must(vdf_test_mkdir("vm/m/slots/0"));
    char **paths = vdf_test_paths(&n);

    files = calloc(n, sizeof(*files));
    for (size_t k = 0; files && k < n; k++) {
        char *path = paths[k];
        /* Not the one that would make sockets in the file system around. */
        if (path[strlen(path) - 1] == '/' || has_large_number(path) || strstr(path, "/vhost_user"))
            free(path);
        else
            files[n_files++] = (struct file){ hash_of(path), path };
    }
    free(paths);
    qsort(files, n_files, sizeof(*files), compare_files);
}

static const char *take_file(struct input *in)
{
    uint16_t hash = (uint16_t)take(in, 2);

    for (size_t k = 0; k < n_files; k++)
        if (files[k].hash >= hash)
            return files[k].path;
    return files[0].path;
}

static bool is_stream_end(const char *path)
{
    const char *name = strrchr(path, '/');

    return name && (!strcmp(name, "/data") || !strcmp(name, "/guest"));
}

/* --- states ----------------------------------------------------------------------------------- */

static char *copy_of(const char *path)
{
    char *copy = strdup(vdf_test_read(path));

    if (!copy)
        abort();
    return copy;
}

/* The state that has @path in it, of a device or, for machines and the root's files, of the root.
 */
static const char *state_of(const char *path)
{
    static char state[64];
    const char *first = strchr(path, '/');
    const char *second = first ? strchrnul(first + 1, '/') : NULL;

    if (!second || !strncmp(path, "vm/", 3) || !strncmp(path, "engine/", 7))
        return "state";
    snprintf(state, sizeof(state), "%.*s/state", (int)(second - path), path);
    return vdf_test_exists(state) ? state : "state";
}

static bool machine_runs(void)
{
    return vdf_test_exists("vm/m") && vdf_test_read_u64("vm/m/run");
}

/* Nothing happens but what is done here. */
static bool is_quiet(void)
{
    return !with_engine && !machine_runs();
}

static void expect_state(const char *what, const char *path, const char *wanted)
{
    char *got = copy_of(path);

    if (strcmp(got, wanted)) {
        fprintf(stderr, "--- wanted:\n%s\n--- got:\n%s\n", wanted, got);
        broken(what, path, vdf_test_last_error());
    }
    free(got);
}

static struct {
    char *path, *text;
} saved[4];

static void save(struct input *in)
{
    unsigned n = (unsigned)take(in, 1);
    const char *path = state_of(PICK(in, objects));

    free(saved[n % COUNT(saved)].path);
    free(saved[n % COUNT(saved)].text);
    saved[n % COUNT(saved)].path = strdup(n & 0x80 ? "state" : path);
    saved[n % COUNT(saved)].text = copy_of(n & 0x80 ? "state" : path);
}

/* --- a guest that is played here -------------------------------------------------------------- */

#define MEMORY_SIZE (1u << 20)

static struct vdf_memory memory;

/* The guest's memory is one of these: all of `memory`, nothing, a part of it with the rest by messages, or
 * its begin. */
static struct vdf_space spaces[4];
static const struct vdf_space *space;

static int answer_read(void *ctx, uint64_t addr, void *to, size_t n)
{
    memcpy(to, vdf_memory_at(&memory, addr, n), n);
    return 0;
}

/* This process gives up before the end of the memory. */
static int answer_write(void *ctx, uint64_t addr, const void *from, size_t n)
{
    if (addr >= MEMORY_SIZE - VDF_PAGE_SIZE)
        return -ETIMEDOUT;
    memcpy(vdf_memory_at(&memory, addr, n), from, n);
    return 0;
}

static void make_spaces(void)
{
    static const struct vdf_remote_memory other = { .read = answer_read,
                                                    .write = answer_write,
                                                    .most = 512 };
    static const struct vdf_region parts[] = {
        { .addr = 0, .len = 0x10400, .mem = &memory },
        { .addr = 0x10400, .len = 0x1000, .mem = &memory, .offset = 0x10400, .read_only = true },
        { .addr = 0x11400, .len = MEMORY_SIZE - 0x11400, .remote = &other },
    };

    vdf_memory_init(&memory, "guest", MEMORY_SIZE);
    spaces[0] = vdf_space_of(&memory);
    spaces[1] = (struct vdf_space){ 0 };
    spaces[2] = (struct vdf_space){ .n = 3, .regions = parts };
    spaces[3] = (struct vdf_space){ .n = 1, .regions = parts };
    space = &spaces[0];
}

static void remap(void *ctx)
{
    if (ctx != &machine)
        abort();
}

static struct target {
    const char *path;
    uint32_t addr;       /* in a KVM machine, where its real mode reaches it */
    struct vdf_obj *obj; /* NULL: not attached to the guest here */
    uint32_t part;
} targets[] = {
    { .path = "console/c", .addr = 0x20000 },
    { .path = "aplic/d", .addr = 0x30000 },
    { .path = "aplic/m", .addr = 0x40000 },
    { .path = "aplic/m/imsic/0", .addr = 0x50000 },
    { .path = "hwqueue/q/queues/0", .addr = 0x60000 },
    { .path = "hwqueue/q", .addr = 0x80000 },
    { .path = "hwqueue/a", .addr = 0x80000 },
    { .path = "gait/t/functions/f", .addr = 0x70000 },
    { .path = "intx/b/devices/a", .addr = 0x71000 },
    { .path = "aplic/m/imsic/1", .addr = 0x72000 },
};

static struct target *take_target(struct input *in)
{
    return &targets[take(in, 1) % COUNT(targets)];
}

static const struct vdf_guest_ops *ops_of(const struct vdf_obj *obj)
{
    return vdf_obj_class(obj)->guest;
}

/* NULL when it is not there. */
static struct vdf_obj *find_target(const struct target *target, uint32_t *part)
{
    const char *rest;
    struct vdf_obj *obj = vdf_obj_walk(vdf_test_obj(""), target->path, &rest);
    const struct vdf_guest_ops *ops = obj ? ops_of(obj) : NULL;

    *part = 0;
    if (!ops || (ops->part ? ops->part(obj, rest, part, NULL) < 0 : *rest != 0))
        return NULL;
    return obj;
}

static void attach_alone(struct target *target, unsigned how)
{
    const struct vdf_guest guest = {
        .machine = &machine,
        .space = space,
        .irq = { .set_level = set_level, .message = send_message, .ctx = &machine },
        .line_is_message = how & 2,
        .vector = 32,
        .remap = remap,
        .remote = how & 16,
        .ctx = &machine,
    };
    uint32_t part;
    struct vdf_obj *obj = find_target(target, &part);

    if (!obj || vdf_guest_attach(obj, part, &guest, !(how & 4), NULL) < 0)
        return;
    if (target->obj)
        broken("attached twice", target->path, "");
    vdf_obj_use(obj);
    target->obj = obj;
    target->part = part;
}

static void detach_alone(struct target *target)
{
    if (!target->obj)
        return;
    vdf_guest_detach(target->obj, target->part);
    vdf_obj_unuse(target->obj);
    target->obj = NULL;
}

static void detach_all(void)
{
    struct vdf_tree *tree = vdf_test_obj("")->device->tree;

    vdf_tree_enter_exclusive(tree);
    for (size_t k = 0; k < COUNT(targets); k++)
        detach_alone(&targets[k]);
    vdf_tree_leave_exclusive(tree, NULL);
}

static void change_memory(const struct vdf_space *now)
{
    space = now;
    for (size_t k = 0; k < COUNT(targets); k++)
        if (targets[k].obj && ops_of(targets[k].obj)->memory)
            ops_of(targets[k].obj)->memory(targets[k].obj, targets[k].part, now);
}

static void attach(struct input *in)
{
    struct target *target = take_target(in);
    unsigned how = (unsigned)take(in, 1);
    struct vdf_tree *tree = vdf_test_obj("")->device->tree;

    vdf_tree_enter_exclusive(tree);
    if (how & 1)
        attach_alone(target, how);
    else if (how & 8)
        detach_alone(target);
    else if (how & 16)
        change_memory(&spaces[how / 32 % COUNT(spaces)]);
    else if (target->obj && ops_of(target->obj)->runs)
        ops_of(target->obj)->runs(target->obj, target->part, how & 2);
    vdf_tree_leave_exclusive(tree, NULL);
}

static void store(const struct target *target, uint64_t offset, unsigned width, uint64_t value)
{
    struct vdf_err err = { 0 };

    vdf_guest_write(target->obj, target->part, offset, width, value, &err);
}

static void access_as_guest(struct input *in)
{
    const struct target *target = take_target(in);
    unsigned how = (unsigned)take(in, 1), width = 1u << (how & 3);
    uint64_t offset = take(in, 1) * (how & 8 ? 0x100 : 4) + (how >> 5) * 0x1000, value;
    struct vdf_err err = { 0 };

    value = how & 4 ? take(in, 4) : 0;
    if (!target->obj || offset + width > vdf_guest_size(target->obj, target->part))
        return;
    vdf_device_enter(target->obj->device);
    if (how & 4)
        store(target, offset, width, value);
    else if (how & 16 && ops_of(target->obj)->eoi)
        ops_of(target->obj)->eoi(target->obj, target->part);
    else
        vdf_guest_read(target->obj, target->part, offset, width, &value, &err);
    vdf_device_leave(target->obj->device, true);
}

static void store_to_memory(struct input *in)
{
    uint64_t offset = take(in, 2) * 4;
    size_t n = take(in, 1) % 64;
    uint8_t *to = vdf_memory_at(&memory, offset, n + 1);

    if (to)
        take_bytes(in, to, n);
}

/* --- a driver of the console, in the memory of that guest ------------------------------------- */

#define RING_OF(queue) (0x10000u + (queue)*0x1000u) /* descriptors, avail, used: 1 KiB each */
#define RING_SIZE 8u

/* Registers of virtio-mmio. */
enum {
    DRIVER_FEATURES = 0x20,
    DRIVER_SELECT = 0x24,
    QUEUE_SELECT = 0x30,
    QUEUE_SIZE = 0x38,
    QUEUE_READY = 0x44,
    STATUS = 0x70,
    QUEUE_DESC = 0x80,
    QUEUE_DRIVER = 0x90,
    QUEUE_DEVICE = 0xa0,
};

static void set_up_queue(const struct target *con, unsigned queue)
{
    store(con, QUEUE_SELECT, 4, queue);
    store(con, QUEUE_SIZE, 4, RING_SIZE);
    store(con, QUEUE_DESC, 4, RING_OF(queue));
    store(con, QUEUE_DRIVER, 4, RING_OF(queue) + 0x400);
    store(con, QUEUE_DEVICE, 4, RING_OF(queue) + 0x800);
    store(con, QUEUE_READY, 4, 1);
}

static void drive_console(struct input *in)
{
    const struct target *con = &targets[0];
    uint32_t features = (uint32_t)take(in, 1);

    if (!con->obj)
        return;
    vdf_device_enter(con->obj->device);
    store(con, STATUS, 4, 0);
    store(con, STATUS, 4, 3);
    store(con, DRIVER_SELECT, 4, 0);
    store(con, DRIVER_FEATURES, 4, features & 7);
    store(con, DRIVER_SELECT, 4, 1);
    store(con, DRIVER_FEATURES, 4, 1);
    store(con, STATUS, 4, 0xb);
    for (unsigned queue = 0; queue < (features & 2 ? 6 : 2); queue++)
        set_up_queue(con, queue);
    store(con, STATUS, 4, 0xf);
    vdf_device_leave(con->obj->device, true);
}

/* A chain of one buffer, with bytes of the input, and the bell. */
static void put_buffer(struct input *in)
{
    struct target *con = &targets[0];
    unsigned queue = (unsigned)take(in, 1) % 6, n = (unsigned)take(in, 1) % 64;
    unsigned length = queue & 1 ? n : n * 8;
    uint8_t *ring = vdf_memory_at(&memory, RING_OF(queue), 0x1000);

    if (!con->obj || !ring)
        return;
    uint16_t index = vdf_load_le16(ring + 0x402), slot = index % RING_SIZE;
    uint64_t buffer = RING_OF(queue) + 0xc00 + slot * 64u;
    vdf_device_enter(con->obj->device);
    if (queue & 1)
        take_bytes(in, ring + 0xc00 + slot * 64u, n);
    vdf_store_le64(ring + slot * 16u, buffer);
    vdf_store_le32(ring + slot * 16u + 8, length);
    vdf_store_le16(ring + slot * 16u + 12, queue & 1 ? 0 : 2);
    vdf_store_le16(ring + 0x404 + slot * 2u, slot);
    vdf_store_le16(ring + 0x402, (uint16_t)(index + 1));
    ops_of(con->obj)->ring(con->obj, con->part, queue);
    vdf_device_leave(con->obj->device, true);
}

/* --- a machine of KVM's ----------------------------------------------------------------------- */

static void plug(struct input *in)
{
    const struct target *target = take_target(in);
    unsigned how = (unsigned)take(in, 1);
    char slot[32], path[64], addr[32];

    snprintf(slot, sizeof(slot), "vm/m/slots/%u", (unsigned)(target - targets));
    if (!vdf_test_exists("vm/m") && (vdf_test_mkdir("vm/m") < 0))
        return;
    vdf_test_write("vm/m/memory_size", "65536");
    vdf_test_mkdir(slot);
    snprintf(path, sizeof(path), "%s/device", slot);
    vdf_test_write(path, target->path);
    snprintf(path, sizeof(path), "%s/addr", slot);
    snprintf(addr, sizeof(addr), "0x%x", target->addr);
    vdf_test_write(path, addr);
    snprintf(path, sizeof(path), "%s/irq", slot);
    vdf_test_write(path, how & 2 ? "msi" : how & 4 ? "5" : "");
    snprintf(path, sizeof(path), "%s/attached", slot);
    vdf_test_write(path, how & 1 ? "0" : "1");
}

struct program {
    uint8_t code[256];
    size_t n;
};

static void add_code(struct program *program, const void *bytes, size_t n)
{
    memcpy(program->code + program->n, bytes, n);
    program->n += n;
}

/* One access to a window: the segment is loaded with it. */
static void add_access(struct program *program, struct input *in)
{
    unsigned what = (unsigned)take(in, 1);
    uint16_t offset = (uint16_t)take(in, 2);
    uint32_t value = what & 4 ? (uint32_t)take(in, 4) : 0;
    uint8_t load[] = { 0x66, 0xa1, (uint8_t)offset, (uint8_t)(offset >> 8) };
    uint8_t to[] = { 0x66, 0xc7, 0x06, (uint8_t)offset, (uint8_t)(offset >> 8) };
    uint8_t print[] = { 0xe6, 0xe9 };

    switch (what & 7) {
    case 0: /* mov [offset], eax, of 4 bytes or of 2 */
    case 1:
        add_code(program, load + (what & 1), sizeof(load) - (what & 1));
        break;
    case 2: /* out 0xe9, al */
        add_code(program, print, sizeof(print));
        break;
    case 3: /* hlt */
        add_code(program, "\xf4", 1);
        break;
    default: /* mov dword [offset], value */
        add_code(program, to, sizeof(to));
        add_code(program, &value, sizeof(value));
    }
}

static void write_program(struct input *in)
{
    static const uint8_t finish[] = { 0xe6, 0xf4, 0xf4, 0xeb, 0xfd };
    const struct target *target = take_target(in);
    uint16_t segment = (uint16_t)(target->addr / 16);
    const uint8_t begin[] = { 0xb8, (uint8_t)segment, (uint8_t)(segment >> 8), 0x8e, 0xd8 };
    struct program program = { .n = 0 };

    add_code(&program, begin, sizeof(begin));
    for (unsigned k = (unsigned)take(in, 1) % 16; k; k--)
        add_access(&program, in);
    add_code(&program, finish, sizeof(finish));
    vdf_test_pwrite("vm/m/memory", program.code, program.n, 0);
}

/* The program ends by itself, unless a HLT of its keeps it, or what it has stored leads it astray.
 */
static void wait_for_end(void)
{
    for (unsigned k = 0; k < 500 && !strcmp(vdf_test_read("vm/m/status"), "running"); k++)
        sched_yield();
}

static void run_program(struct input *in)
{
    if (!vdf_test_exists("vm/m"))
        return;
    vdf_test_write("vm/m/run", "0");
    write_program(in);
    vdf_test_write("vm/m/mode", "real");
    vdf_test_write("vm/m/entry", "0");
    unsigned after = (unsigned)take(in, 1);
    if (vdf_test_write("vm/m/run", "1") < 0 || after & 2)
        return;
    wait_for_end();
    if (after & 1)
        vdf_test_write("vm/m/run", "0");
}

/* --- other operations ------------------------------------------------------------------------- */

static void make(struct input *in)
{
    vdf_test_mkdir(PICK(in, objects));
}

static void drop(struct input *in)
{
    vdf_test_rmdir(PICK(in, objects));
}

static void write_text(const char *path, const char *text, bool careful)
{
    if (!vdf_test_exists(path))
        return;
    const char *state = state_of(path);
    char *before = careful && is_quiet() && !is_stream_end(path) ? copy_of(state) : NULL;
    int ret = vdf_test_write(path, text);
    if (ret < 0 && before)
        expect_state("a refused write has changed the state", state, before);
    free(before);
}

static void write_number(struct input *in)
{
    const char *path = take_file(in);
    unsigned how = (unsigned)take(in, 1);
    char text[24];

    snprintf(text, sizeof(text), "0x%llx",
             (unsigned long long)(take(in, 1 + (how & 7)) << (how >> 3 & 7) * 8));
    write_text(path, text, how & 0x80);
}

static void write_word(struct input *in)
{
    static const char *const words[] = {
        "",
        "none",
        "soft",
        "console",
        "rproc-serial",
        "hold",
        "drop",
        "cols-rows",
        "rows-cols",
        "80 25",
        "direct",
        "msi",
        "intx",
        "amd",
        "selftest",
        "tegra241-cmdqv",
        "mapped",
        "trapped",
        "g",
        "0x100000 0x1000",
        "0x200000 0x4000 0x10000 ro",
        "7 0 0x1000 0x1000 1",
        "1 2 3 40",
        "0x28000000 2",
        "long",
        "user",
        "real",
        "console/c",
        "hwqueue/q",
        "rax = 0x1",
        "rflags = 0x100002\nrip = 0",
    };
    const char *path = take_file(in);
    const char *word = PICK(in, words);

    write_text(path, word, take(in, 1) & 1);
}

static void write_raw_text(struct input *in)
{
    const char *path = take_file(in);
    char text[64];
    size_t n = take(in, 1) % sizeof(text);

    take_bytes(in, text, n);
    text[n] = '\0';
    write_text(path, text, true);
}

/* The text that a file prints can be written to the file, perhaps at another time only. */
static void write_what_is_read(struct input *in)
{
    const char *path = take_file(in);
    int error;
    struct vdf_test_file *file = vdf_test_open(path, O_RDONLY | O_NONBLOCK, &error);
    char text[4096];

    if (!file)
        return;
    ssize_t n = vdf_test_file_read(file, text, sizeof(text) - 1);
    vdf_test_close(file);
    if (n < 0)
        return;
    text[n] = '\0';
    write_text(path, text, true);
}

static void write_bytes(struct input *in)
{
    const char *path = take_file(in);
    uint64_t offset = take(in, 2);
    uint8_t bytes[64];
    size_t n = take(in, 1) % sizeof(bytes);

    take_bytes(in, bytes, n);
    vdf_test_pwrite(path, bytes, n, offset);
}

static void read_bytes(struct input *in)
{
    const char *path = take_file(in);
    uint64_t offset = take(in, 2);
    uint8_t bytes[256];

    vdf_test_pread(path, bytes, take(in, 1), offset);
}

static struct {
    struct vdf_test_file *file;
    bool reads, writes;
} handles[4];

static void close_handle(unsigned n)
{
    vdf_test_close(handles[n].file);
    handles[n].file = NULL;
}

static void open_stream(struct input *in)
{
    static const char *const streams[] = {
        "console/c/ports/0/data",
        "console/c/ports/0/guest",
        "console/c/ports/1/data",
        "console/c/ports/1/guest",
        "console/c/control",
        "aplic/m/msi",
        "hwqueue/q/events",
        "hwqueue/q/veventq",
        "hwqueue/a/veventq",
        "vm/m/debug",
        "hwqueue/q/queues/0/page",
        "hwqueue/q/memory",
        "errors",
        "aplic/m/pending",
    };
    const char *path = PICK(in, streams);
    unsigned how = (unsigned)take(in, 1), n = how % COUNT(handles);
    int flags = (int)(how >> 2) % 3, error;

    close_handle(n);
    handles[n].file = vdf_test_open(path, flags | O_NONBLOCK, &error);
    handles[n].reads = flags != O_WRONLY;
    handles[n].writes = flags != O_RDONLY;
}

static void use_stream(struct input *in)
{
    unsigned how = (unsigned)take(in, 1), n = how % COUNT(handles);
    static uint8_t bytes[32768];
    size_t size = take(in, 1) << (how >> 4 & 7);

    if (!handles[n].file)
        return;
    if (how & 8)
        vdf_test_file_poll(handles[n].file);
    else if (how & 4 && handles[n].reads)
        vdf_test_file_read(handles[n].file, bytes, size);
    else if (handles[n].writes)
        vdf_test_file_write(handles[n].file, bytes, size);
}

static void close_stream(struct input *in)
{
    close_handle((unsigned)take(in, 1) % COUNT(handles));
}

static void restore(struct input *in)
{
    unsigned n = (unsigned)take(in, 1) % COUNT(saved);
    const char *path = saved[n].path;

    if (!path || !vdf_test_exists(path))
        return;
    /* A machine lets go of its devices before the tree is replaced, and so does the one here. */
    if (!strcmp(path, "state"))
        detach_all();
    char *before = is_quiet() ? copy_of(path) : NULL;
    int ret = vdf_test_write(path, saved[n].text);
    if (before && ret < 0)
        expect_state("a refused state has changed something", path, before);
    else if (before)
        expect_state("a restored state is not as it was saved", path, saved[n].text);
    free(before);
}

/* --- the end ---------------------------------------------------------------------------------- */

/* Until what the engine still has to do is done. */
static char *settled_state(void)
{
    char *text = copy_of("state");

    for (;;) {
        char *again = copy_of("state");
        bool same = !strcmp(text, again);
        free(text);
        text = again;
        if (same)
            return text;
    }
}

static void there_and_back(void)
{
    char *text = settled_state();

    if (vdf_test_write("state", text) < 0)
        broken("a saved state is refused", vdf_test_last_error(), text);
    expect_state("a restored state is not as it was saved", "state", text);
    free(text);
}

static void finish(void)
{
    for (unsigned k = 0; k < COUNT(handles); k++)
        close_handle(k);
    detach_all();
    if (vdf_test_exists("vm/m"))
        vdf_test_write("vm/m/run", "0");
    there_and_back();
    for (unsigned k = 0; k < COUNT(saved); k++) {
        free(saved[k].path);
        free(saved[k].text);
        saved[k].path = saved[k].text = NULL;
    }
    vdf_test_tree_free();
    vdf_memory_free(&memory);
}

/* ---------------------------------------------------------------------------------------------- */

static void (*const operations[])(struct input *in) = {
    make,          drop,       write_number, write_word,      write_raw_text, write_what_is_read,
    write_bytes,   read_bytes, open_stream,  use_stream,      close_stream,   save,
    restore,       attach,     plug,         access_as_guest, run_program,    store_to_memory,
    drive_console, put_buffer,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = { data, size };

    with_engine = take(&in, 1) & 1;
    if (!with_engine)
        vdf_test_tree(true);
    else if (!vdf_test_tree_with_engine(VDF_ENGINE_AUTO, true))
        abort();
    plant();
    if (!files) {
        collect();
        vdf_test_rmdir("vm/m");
    }
    make_spaces();
    for (unsigned n = 0; n < MAX_OPERATIONS && in.left; n++)
        operations[take(&in, 1) % COUNT(operations)](&in);
    finish();
    return 0;
}
