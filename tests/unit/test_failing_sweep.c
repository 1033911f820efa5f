/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every allocation of an operation fails once, until all succeed. A refused operation leaves the
 * tree, the descriptors and the mappings unchanged.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <virtdevfs/guest.h>

#include "failing.h"
#include "fs/tree/tree.h"
#include "harness.h"
#include "skip.h"

#define DEVICE_WITH_GUEST "gait/gait0/functions/1" /* a guest of the GAIT */

/* Devices of all kinds and types with something in them. */
static const struct {
    const char *path, *text; /* NULL: mkdir */
} made[] = {
    { "console/con0/ports/1", NULL },
    { "aplic/x", NULL },
    { "aplic/x/addr/imsic/0", "0x28000000" },
    { "aplic/direct", NULL },
    { "aplic/direct/delivery", "direct" },
    { "aplic/direct/aia/srcs", "8" },
    { "aplic/direct/init", "1" },
    { "gait/gait0/guests/g", NULL },
    { "gait/gait0/functions/1", NULL },
    { "hwqueue/smmu0/queues/0", NULL },
    { "hwqueue/smmu0/vdevices/1", NULL },
    { "hwqueue/amd", NULL },
    { "hwqueue/amd/type", "amd" },
    { "hwqueue/amd/ioas/map", "0x100000 0x10000" },
    { "hwqueue/amd/queues/cmd/base", "0x100000" },
    { "hwqueue/z", NULL },
    { "hwqueue/mock", NULL },
    { "hwqueue/mock/type", "selftest" },
    { "hwqueue/mock/queues/0", NULL },
    { "hwqueue/mock/vdevices/1", NULL },
    { "intx/bus0/devices/d", NULL },
    { "pci/f", NULL },
    { "pci/f/function", "console/con0" },
    { "pci/f/bars/2", NULL },
    { "pci/f/bars/2/device", "memory" },
    { "pci/f/bars/3", NULL },
    { "pci/f/bars/3/device", "aplic/x" },
    /* The devices begin anew. */
    { "pci/f/vfio_user", "/tmp/vdf-failing-sweep" },
    { "pci/f/vfio_user", "\n" },
    { "vm/v", NULL },
    { "vm/v/slots/0", NULL },
};

/* Values that are written, and what they are again afterwards. */
static const struct {
    const char *path, *text, *before;
} values[] = {
    { "console/con0/ports/1/name", "some name", "" },
    { "console/con0/ports/1/console", "1", NULL },
    { "console/con0/size", "80 25", "0 0" },
    { "aplic/aplic0/sourcecfg/7", "4", "0" },
    { "aplic/aplic0/imsic/0/pending", "3\n5\n7\n", "" },
    { "aplic/x/harts", "4", "1" },
    { "gait/gait0/enabled", "1", NULL },
    { "gait/gait0/functions/1/guest", "g", NULL },
    { "gait/gait0/functions/1/noi", "8", NULL },
    { "gait/gait0/functions/1/registered", "1", "0" },
    { "gait/gait0/guests/g/memory_size", "2097152", "1048576" },
    { "hwqueue/smmu0/ioas/map", "0x100000 0x10000", NULL },
    { "hwqueue/smmu0/ioas/unmap", "0x100000 0x10000", NULL },
    { "hwqueue/smmu0/iotlb/insert", "1 0 0x1000 0x1000", NULL },
    { "hwqueue/smmu0/vdevices/1/psid", "9", "0" },
    { "intx/bus0/devices/d/line", "9", "0" },
    { "intx/bus0/devices/d/enabled", "1", NULL },
    { "pci/f/vfio_user", "/tmp/vdf-failing-sweep", "\n" },
    { "pci/f/function", "intx/bus0/devices/d", "console/con0" },
    { "pci/f/msix/vectors", "7", NULL },
    { "pci/f/bars/3/device", "hwqueue/smmu0", "aplic/x" },
    { "pci/f/bars/2/size", "8192", "4096" },
    { "vm/v/memory_size", "4194304", "2097152" },
    { "vm/v/slots/0/device", "intx/bus0/devices/d", NULL },
    { "vm/v/slots/0/addr", "0x10000000", NULL },
    { "errors", "x", NULL },
};

/* Values that are written and taken back by a state of the tree. */
static const struct {
    const char *path, *text;
} changes[] = {
    { "console/con0/driver", "none" },
    { "console/con0/reset", "1" },
    { "console/con0/ports/0/data", "to the guest" },
    { "console/con0/ports/0/host_connected", "1" },
    { "aplic/x/init", "1" },
    { "aplic/x/delivery", "direct" },
    { "aplic/aplic0/genmsi", "7" },
    { "aplic/aplic0/signal_msi", "0x28000000 5" },
    { "gait/gait0/functions/1/guest", "g" },
    { "hwqueue/amd/queues/cmd/enable", "1" },
    { "hwqueue/z/type", "amd" },
    { "hwqueue/z/type", "selftest" },
    { "hwqueue/z/memory_size", "1048576" },
    { "hwqueue/mock/trigger", "1" },
    { "intx/bus0/devices/d/host_type", "msi" },
    { "intx/bus0/lines/0/host", "1" },
    { "pci/f/function", "" },
    { "pci/f/msix/vectors", "2048" },
    { "pci/f/vfio_user", "/tmp/vdf-failing-sweep" },
    { "vm/v/cpus", "2" },
    { "vm/v/mode", "long" },
};

static char *state_of(const char *path)
{
    char *text = strdup(vdf_test_read(path));

    cr_assert_neq(text[0], '-', "%s: %s", path, text);
    return text;
}

static bool has_machines;

/* Machines are there where the host has KVM. */
static bool is_absent(const char *path)
{
    return !has_machines && strncmp(path, "vm/", 3) == 0;
}

static void build(void)
{
    vdf_test_tree(false);
    has_machines = vdf_test_mkdir("vm/probe") == 0;
    if (has_machines)
        cr_assert_eq(vdf_test_rmdir("vm/probe"), 0);
    vdf_test_write("errors", "");
    for (size_t k = 0; k < sizeof(made) / sizeof(made[0]); k++) {
        if (is_absent(made[k].path))
            continue;
        int ret = made[k].text ? vdf_test_write(made[k].path, made[k].text)
                               : vdf_test_mkdir(made[k].path);
        cr_assert_eq(ret, 0, "%s: %s", made[k].path, vdf_test_last_error());
    }
    for (size_t k = 0; k < 5; k++) {
        uint32_t word = 0x12345678;
        static const char *const raw[] = { "gait/gait0/guests/g/memory", "hwqueue/smmu0/memory",
                                           "hwqueue/smmu0/queues/0/page", "gait/gait0/table",
                                           "pci/f/bars/2/memory" };
        cr_assert_eq(vdf_test_pwrite(raw[k], &word, 4, 16), 4, "%s", raw[k]);
    }
}

TestSuite(failing, .init = build, .fini = vdf_test_tree_free, .timeout = 300);

struct before {
    char *state;
    struct vdf_test_resources resources;
};

/* Another thread closes sockets, sooner or later: the resources when there are as many as @wanted, or NULL:
 * when their number has stayed for a while. */
static struct vdf_test_resources settled(const struct vdf_test_resources *wanted)
{
    struct vdf_test_resources now = vdf_test_resources(), last = now;

    for (unsigned same = 0, n = 0; same < 10 && n < 10000; same++, n++) {
        if (wanted && now.fds == wanted->fds)
            break;
        usleep(1000);
        now = vdf_test_resources();
        if (now.fds != last.fds || wanted)
            same = 0;
        last = now;
    }
    return now;
}

static struct before look(void)
{
    struct before b = { .state = state_of("state") };

    b.resources = settled(NULL);
    return b;
}

static void is_as_before(const struct before *b, const char *how, const char *what, unsigned n)
{
    struct vdf_test_resources now = settled(&b->resources);
    char *state = state_of("state");

    cr_assert_str_eq(state, b->state, "%s, %s: state after allocation %u has failed", what, how, n);
    cr_assert_eq(now.fds, b->resources.fds,
                 "%s: %u descriptors, %u before allocation %u has failed", what, now.fds,
                 b->resources.fds, n);
    cr_assert_eq(now.memfds, b->resources.memfds,
                 "%s, %s: %u mappings, %u before allocation %u has failed", what, how, now.memfds,
                 b->resources.memfds, n);
    free(state);
}

/* Calls @op, which answers 0 or -errno, until no allocation of it has failed; @undo takes back what
 * it did nevertheless, where a failure did no harm. It stays done. */
static void sweep(const char *what, int (*op)(const char *arg), void (*undo)(const char *arg),
                  const char *arg)
{
    struct before before = look();

    for (unsigned n = 1;; n++) {
        cr_assert_lt(n, 1000000, "%s %s: no end", what, arg);
        vdf_test_fail(n);
        int ret = op(arg);
        bool failed = vdf_test_failed();
        if (!failed) {
            cr_assert_eq(ret, 0, "%s %s: %d: %s", what, arg, ret, vdf_test_last_error());
            break;
        }
        if (ret == 0 && undo)
            undo(arg);
        if (ret < 0 || undo)
            is_as_before(&before, ret < 0 ? "refused" : "done and undone", arg, n);
    }
    free(before.state);
}

static void put_back(const char *path)
{
}

static int save(const char *path)
{
    char bytes[4096];
    int error;
    struct vdf_test_file *file = vdf_test_open(path, O_RDONLY, &error);

    if (!file)
        return error;
    ssize_t n = vdf_test_file_read(file, bytes, sizeof(bytes));
    vdf_test_close(file);
    return n < 0 ? (int)n : 0;
}

/* --- objects ---------------------------------------------------------------------------------- */

static char *whole;

static void restore_whole(const char *path)
{
    cr_assert_eq(vdf_test_write("state", whole), 0, "%s: %s", path, vdf_test_last_error());
}

Test(failing, mkdir)
{
    static const char *const paths[] = {
        "console/y",    "console/con0/ports/2",   "aplic/y",
        "gait/y",       "gait/gait0/guests/h",    "gait/gait0/functions/2",
        "hwqueue/y",    "hwqueue/smmu0/queues/1", "hwqueue/smmu0/vdevices/2",
        "intx/y",       "intx/bus0/devices/e",    "vm/w",
        "vm/v/slots/1", "hwqueue/mock/queues/1",  "hwqueue/amd/vdevices/1",
        "pci/g",        "pci/f/bars/5",
    };
    whole = state_of("state");
    for (size_t k = 0; k < sizeof(paths) / sizeof(paths[0]); k++) {
        if (is_absent(paths[k]))
            continue;
        /* A restored device has new memory. */
        restore_whole(paths[k]);
        sweep("mkdir", vdf_test_mkdir, restore_whole, paths[k]);
    }
    free(whole);
}

Test(failing, rmdir)
{
    whole = state_of("state");
    for (size_t k = sizeof(made) / sizeof(made[0]); k-- > 0;) {
        if (made[k].text || is_absent(made[k].path))
            continue;
        restore_whole(made[k].path);
        sweep("rmdir", vdf_test_rmdir, restore_whole, made[k].path);
        restore_whole(made[k].path);
    }
    free(whole);
}

/* --- values ----------------------------------------------------------------------------------- */

static size_t chosen, chosen_change;

static int write_change(const char *path)
{
    return vdf_test_write(path, changes[chosen_change].text);
}

static int write_chosen(const char *path)
{
    return vdf_test_write(path, values[chosen].text);
}

Test(failing, values)
{
    for (chosen = 0; chosen < sizeof(values) / sizeof(values[0]); chosen++) {
        const char *path = values[chosen].path;
        if (is_absent(path))
            continue;
        sweep("write", write_chosen, NULL, path);
        if (values[chosen].before)
            cr_assert_eq(vdf_test_write(path, values[chosen].before), 0, "%s: %s", path,
                         vdf_test_last_error());
    }
}

Test(failing, changes)
{
    whole = state_of("state");
    for (chosen_change = 0; chosen_change < sizeof(changes) / sizeof(changes[0]); chosen_change++) {
        if (is_absent(changes[chosen_change].path))
            continue;
        restore_whole("state");
        sweep("write", write_change, restore_whole, changes[chosen_change].path);
    }
    free(whole);
}

/* --- every file ------------------------------------------------------------------------------- */

/* Of rows with many numbers the first ones are enough. */
static bool has_large_number(const char *path)
{
    for (const char *part = path; part; part = strchr(part, '/')) {
        part += *part == '/';
        if (strtoul(part, NULL, 10) > 1)
            return true;
    }
    return false;
}

/* Streams are opened and read elsewhere: a port is connected by that. */
static bool is_value(const char *path)
{
    const char *name = strrchr(path, '/');

    return path[strlen(path) - 1] != '/' && !has_large_number(path) && name &&
           strcmp(name, "/data") != 0 && strcmp(name, "/guest") != 0;
}

static char *own_text;

static int write_own_text(const char *path)
{
    return vdf_test_write(path, own_text);
}

/* The text that a file prints is written back, if the file can be read and written. */
static void sweep_file(const char *path)
{
    int error;
    struct vdf_test_file *file = vdf_test_open(path, O_RDONLY | O_NONBLOCK, &error);

    if (!file)
        return;
    char text[4096];
    ssize_t n = vdf_test_file_read(file, text, sizeof(text) - 1);
    vdf_test_close(file);
    if (n < 0)
        return;
    sweep("read", save, put_back, path);
    text[n] = '\0';
    own_text = text;
    if (vdf_test_write(path, text) == 0)
        sweep("write back", write_own_text, NULL, path);
}

Test(failing, every_file)
{
    size_t n, swept = 0;
    char **paths = vdf_test_paths(&n);

    for (size_t k = 0; k < n; k++) {
        if (is_value(paths[k])) {
            sweep_file(paths[k]);
            swept++;
        }
        free(paths[k]);
    }
    free(paths);
    cr_assert_gt(swept, 300);
}

/* --- attachment ------------------------------------------------------------------------------- */

static int attach(const char *device)
{
    return vdf_test_write("vm/v/slots/0/attached", "1");
}

static void detach(const char *device)
{
    cr_assert_eq(vdf_test_write("vm/v/slots/0/attached", "0"), 0, "%s: %s", device,
                 vdf_test_last_error());
}

static const char *const devices[] = {
    "console/con0",         "console/con0/pci",    "aplic/aplic0",  "aplic/direct",
    "aplic/aplic0/imsic/0", "hwqueue/amd",         "hwqueue/smmu0", "hwqueue/smmu0/queues/0",
    DEVICE_WITH_GUEST,      "intx/bus0/devices/d",
};

Test(failing, attachment)
{
    if (!has_machines)
        skip_test("there is no KVM here");
    cr_assert_eq(vdf_test_write(DEVICE_WITH_GUEST "/guest", "g"), 0);
    cr_assert_eq(vdf_test_write("vm/v/slots/0/addr", "0x10000000"), 0);
    for (size_t k = 0; k < sizeof(devices) / sizeof(devices[0]); k++) {
        cr_assert_eq(vdf_test_write("vm/v/slots/0/device", devices[k]), 0, "%s", devices[k]);
        cr_assert_eq(attach(devices[k]), 0, "%s: %s", devices[k], vdf_test_last_error());
        detach(devices[k]);
        /* The memory of a machine is made with its first attachment and stays. */
        sweep("attach", attach, detach, devices[k]);
        detach(devices[k]);
    }
}

/* A guest that is played here, which needs no KVM. */

static struct vdf_memory guest_memory;
static struct vdf_space guest_space;
static struct vdf_obj *guest_obj;
static uint32_t guest_part;

static void set_level(void *ctx, bool level)
{
    cr_assert_eq(ctx, &guest_memory);
}

static void send_message(void *ctx, uint64_t address, uint32_t data)
{
    cr_assert_eq(ctx, &guest_memory);
}

static int attach_object(const char *device)
{
    const struct vdf_guest guest = {
        .machine = &guest_memory,
        .space = &guest_space,
        .irq = { .set_level = set_level, .message = send_message, .ctx = &guest_memory },
        .vector = 32,
    };
    const char *rest;
    struct vdf_obj *obj = vdf_obj_walk(vdf_test_obj(""), device, &rest);
    const struct vdf_guest_ops *ops = vdf_obj_class(obj)->guest;
    struct vdf_err err = { 0 };

    guest_part = 0;
    int ret = ops->part ? ops->part(obj, rest, &guest_part, &err) : 0;
    if (ret == 0)
        ret = vdf_guest_attach(obj, guest_part, &guest, true, &err);
    if (ret == 0)
        guest_obj = obj;
    return ret;
}

static int attach_here(const char *device)
{
    struct vdf_obj *root = vdf_test_obj("");

    if (!root)
        return -ENOMEM;
    vdf_tree_enter_exclusive(root->device->tree);
    int ret = attach_object(device);
    vdf_tree_leave_exclusive(root->device->tree, NULL);
    return ret;
}

static void detach_here(const char *device)
{
    struct vdf_tree *tree = vdf_test_obj("")->device->tree;

    vdf_tree_enter_exclusive(tree);
    vdf_guest_detach(guest_obj, guest_part);
    vdf_tree_leave_exclusive(tree, NULL);
}

Test(failing, guest)
{
    vdf_memory_init(&guest_memory, "guest", 1u << 20);
    guest_space = vdf_space_of(&guest_memory);
    cr_assert_eq(vdf_test_write(DEVICE_WITH_GUEST "/guest", "g"), 0);
    for (size_t k = 0; k < sizeof(devices) / sizeof(devices[0]); k++) {
        cr_assert_eq(attach_here(devices[k]), 0, "%s", devices[k]);
        detach_here(devices[k]);
        sweep("attach", attach_here, detach_here, devices[k]);
        detach_here(devices[k]);
    }
    vdf_memory_free(&guest_memory);
}

/* --- states ----------------------------------------------------------------------------------- */

static int restore(const char *path)
{
    return vdf_test_write(path, whole);
}

Test(failing, states)
{
    static const char *const paths[] = {
        "console/con0/state", "aplic/aplic0/state",
        "gait/gait0/state",   "hwqueue/smmu0/state",
        "intx/bus0/state",    "aplic/direct/state",
        "hwqueue/amd/state",  "hwqueue/mock/state",
        "pci/f/state",        "state",
    };

    for (size_t k = 0; k < sizeof(paths) / sizeof(paths[0]); k++) {
        sweep("save", save, put_back, paths[k]);
        whole = state_of(paths[k]);
        /* Once before, so that what is made at the first use is there. */
        cr_assert_eq(restore(paths[k]), 0, "%s", vdf_test_last_error());
        sweep("restore", restore, put_back, paths[k]);
        free(whole);
    }
}

/* Devices whose states are saved and loaded together. */
static struct vdf_obj *set[3];

static int save_set(const char *what)
{
    struct vdf_buf out = VDF_BUF_INIT;

    vdf_tree_enter_exclusive(set[0]->device->tree);
    int ret = vdf_objs_save(set, 3, &out);
    vdf_tree_leave_exclusive(set[0]->device->tree, NULL);
    vdf_buf_free(&out);
    return ret;
}

static int load_set(const char *what)
{
    struct vdf_err err = { 0 };

    vdf_tree_enter_exclusive(set[0]->device->tree);
    int ret = vdf_objs_load(set, 3, NULL, whole, strlen(whole), &err);
    vdf_tree_leave_exclusive(set[0]->device->tree, NULL);
    return ret;
}

Test(failing, states_of_several_devices)
{
    static const char *const paths[] = { "intx/bus0", "console/con0", "hwqueue/smmu0" };
    struct vdf_buf out = VDF_BUF_INIT;

    for (size_t k = 0; k < 3; k++)
        set[k] = vdf_test_obj(paths[k]);
    sweep("save", save_set, put_back, "three devices");
    vdf_tree_enter_exclusive(set[0]->device->tree);
    cr_assert_eq(vdf_objs_save(set, 3, &out), 0);
    vdf_tree_leave_exclusive(set[0]->device->tree, NULL);
    vdf_buf_add(&out, "", 1);
    whole = out.data;
    cr_assert_eq(load_set("three devices"), 0);
    sweep("load", load_set, put_back, "three devices");
    vdf_buf_free(&out);
}

/* Each of two states is restored over the other one, so that objects are made and removed. */
static char *other;

static void restore_other(const char *path)
{
    cr_assert_eq(vdf_test_write(path, other), 0, "%s", vdf_test_last_error());
}

Test(failing, other_states)
{
    char *full = state_of("state");
    vdf_test_tree(false);
    char *plain = state_of("state");

    for (unsigned k = 0; k < 2; k++) {
        whole = k ? full : plain;
        other = k ? plain : full;
        restore_other("state");
        sweep("restore", restore, restore_other, "state");
    }
    free(full);
    free(plain);
}
