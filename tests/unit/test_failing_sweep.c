/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every allocation of an operation fails once, until all succeed. What is refused leaves the tree,
 * the descriptors and the mappings as they were.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "failing.h"
#include "harness.h"
#include "skip.h"

/* Restored as they were, devices of all kinds with something in them. */
static const char *const made[] = {
    "console/con0/ports/1",   "aplic/x",
    "gait/gait0/guests/g",    "gait/gait0/functions/1",
    "hwqueue/smmu0/queues/0", "hwqueue/smmu0/vdevices/1",
    "intx/bus0/devices/d",    "vm/v",
    "vm/v/slots/0",
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
    { "vm/v/memory_size", "4194304", "2097152" },
    { "vm/v/slots/0/device", "intx/bus0/devices/d", NULL },
    { "vm/v/slots/0/addr", "0x10000000", NULL },
    { "errors", "x", NULL },
};

static char *state_of(const char *path)
{
    char *text = strdup(vdf_test_read(path));

    cr_assert_neq(text[0], '-', "%s: %s", path, text);
    return text;
}

static void build(void)
{
    vdf_test_tree(false);
    for (size_t k = 0; k < sizeof(made) / sizeof(made[0]); k++)
        cr_assert_eq(vdf_test_mkdir(made[k]), 0, "%s: %s", made[k], vdf_test_last_error());
    for (size_t k = 0; k < 4; k++) {
        uint32_t word = 0x12345678;
        static const char *const raw[] = { "gait/gait0/guests/g/memory", "hwqueue/smmu0/memory",
                                           "hwqueue/smmu0/queues/0/page", "gait/gait0/table" };
        cr_assert_eq(vdf_test_pwrite(raw[k], &word, 4, 16), 4, "%s", raw[k]);
    }
}

TestSuite(failing, .init = build, .fini = vdf_test_tree_free, .timeout = 300);

struct before {
    char *state;
    struct vdf_test_resources resources;
};

static struct before look(void)
{
    struct before b = { .state = state_of("state") };

    b.resources = vdf_test_resources();
    return b;
}

static void is_as_before(const struct before *b, const char *how, const char *what, unsigned n)
{
    struct vdf_test_resources now = vdf_test_resources();
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
        "vm/v/slots/1",
    };
    whole = state_of("state");
    for (size_t k = 0; k < sizeof(paths) / sizeof(paths[0]); k++) {
        /* What has been restored has its memory anew. */
        restore_whole(paths[k]);
        sweep("mkdir", vdf_test_mkdir, restore_whole, paths[k]);
    }
    free(whole);
}

Test(failing, rmdir)
{
    whole = state_of("state");
    for (size_t k = sizeof(made) / sizeof(made[0]); k-- > 0;) {
        restore_whole(made[k]);
        sweep("rmdir", vdf_test_rmdir, restore_whole, made[k]);
        restore_whole(made[k]);
    }
    free(whole);
}

/* --- values ----------------------------------------------------------------------------------- */

static size_t chosen;

static int write_chosen(const char *path)
{
    return vdf_test_write(path, values[chosen].text);
}

Test(failing, values)
{
    for (chosen = 0; chosen < sizeof(values) / sizeof(values[0]); chosen++) {
        const char *path = values[chosen].path;
        sweep("write", write_chosen, NULL, path);
        if (values[chosen].before)
            cr_assert_eq(vdf_test_write(path, values[chosen].before), 0, "%s: %s", path,
                         vdf_test_last_error());
    }
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

Test(failing, attachment)
{
    static const char *const devices[] = {
        "console/con0",           "aplic/aplic0",           "aplic/aplic0/imsic/0", "hwqueue/smmu0",
        "hwqueue/smmu0/queues/0", "gait/gait0/functions/1", "intx/bus0/devices/d",
    };

    if (access("/dev/kvm", R_OK | W_OK) < 0)
        skip_test("there is no KVM here");
    cr_assert_eq(vdf_test_write("vm/v/slots/0/addr", "0x10000000"), 0);
    for (size_t k = 0; k < sizeof(devices) / sizeof(devices[0]); k++) {
        cr_assert_eq(vdf_test_write("vm/v/slots/0/device", devices[k]), 0, "%s", devices[k]);
        if (attach(devices[k]) < 0)
            continue;
        detach(devices[k]);
        /* The memory of a machine is made with its first attachment and stays. */
        sweep("attach", attach, detach, devices[k]);
        detach(devices[k]);
    }
}

/* --- states ----------------------------------------------------------------------------------- */

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

static int restore(const char *path)
{
    return vdf_test_write(path, whole);
}

Test(failing, states)
{
    static const char *const paths[] = {
        "console/con0/state",  "aplic/aplic0/state", "gait/gait0/state",
        "hwqueue/smmu0/state", "intx/bus0/state",    "state",
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
