/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text that a file prints can be written back to it, for the files of every class. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fs/tree/errors.h"
#include "fs/tree/file.h"
#include "fs/tree/state.h"
#include "fs/tree/value.h"
#include "harness.h"

#define NUMBERS 3u /* of a directory of numbers, as they are all alike */

static const char *const made[] = {
    "console/con0/ports/1",   "aplic/x",
    "gait/gait0/guests/g",    "gait/gait0/functions/1",
    "hwqueue/smmu0/queues/0", "hwqueue/smmu0/vdevices/1",
    "intx/bus0/devices/d",    "vm/v",
    "vm/v/slots/0",
};

static unsigned looked_at;

static bool is_value(const struct vdf_place *place)
{
    const struct vdf_attr *attr = place->entry->attr;

    if (place->entry->special != VDF_PLAIN || (vdf_place_mode(place) & 0777) != 0644)
        return false;
    return attr->type == VDF_TEXT || vdf_row_is_number(attr);
}

static void write_back(const char *path)
{
    struct vdf_obj *root = vdf_test_obj("");
    struct vdf_place place;

    cr_assert_eq(vdf_test_resolve(root->device->tree, path, &place), 0, "%s", path);
    bool value = is_value(&place);
    vdf_obj_unref(place.obj);
    if (!value || strcmp(path, "errors") == 0)
        return;
    char *text = strdup(vdf_test_read(path));
    /* An address that is not set yet is none that KVM's attribute takes. */
    if (strstr(path, "/addr/") && strcmp(text, "0xffffffffffffffff") == 0) {
        cr_assert_eq(vdf_test_write(path, text), -EINVAL, "%s", path);
        free(text);
        return;
    }
    int ret = vdf_test_write(path, text);
    /* Some can be written at another time only. */
    cr_assert(ret == 0 || ret == -EBUSY, "%s: \"%s\" cannot be written back: %s", path, text,
              vdf_test_last_error());
    cr_assert_str_eq(vdf_test_read(path), text, "%s is another value", path);
    free(text);
    looked_at++;
}

struct names {
    char **names;
    bool *dirs;
    size_t n;
};

static int add_name(void *arg, const char *name, bool dir)
{
    struct names *list = arg;

    list->names = realloc(list->names, (list->n + 1) * sizeof(char *));
    list->dirs = realloc(list->dirs, (list->n + 1) * sizeof(bool));
    list->names[list->n] = strdup(name);
    list->dirs[list->n++] = dir;
    return 0;
}

static void walk(const char *path)
{
    struct vdf_obj *root = vdf_test_obj("");
    struct vdf_place place;
    struct names list = { 0 };
    unsigned numbers = 0;

    cr_assert_eq(vdf_test_resolve(root->device->tree, path, &place), 0, "%s", path);
    cr_assert_eq(vdf_place_list(&place, add_name, &list), 0);
    vdf_obj_unref(place.obj);
    for (size_t k = 0; k < list.n; k++) {
        char child[512];
        bool number = list.names[k][0] >= '0' && list.names[k][0] <= '9';
        snprintf(child, sizeof(child), "%s%s%s", path, *path ? "/" : "", list.names[k]);
        if ((!number || numbers++ < NUMBERS) && vdf_test_exists(child)) {
            if (list.dirs[k])
                walk(child);
            else
                write_back(child);
        }
        free(list.names[k]);
    }
    free(list.names);
    free(list.dirs);
}

Test(write_back, every_class)
{
    vdf_test_tree(false);
    for (size_t k = 0; k < sizeof(made) / sizeof(made[0]); k++)
        cr_assert_eq(vdf_test_mkdir(made[k]), 0, "%s: %s", made[k], vdf_test_last_error());
    cr_assert_eq(vdf_test_mkdir("hwqueue/amd"), 0);
    cr_assert_eq(vdf_test_write("hwqueue/amd/type", "amd"), 0);
    cr_assert_eq(vdf_test_mkdir("hwqueue/mock"), 0);
    cr_assert_eq(vdf_test_write("hwqueue/mock/type", "selftest"), 0);
    cr_assert_eq(vdf_test_mkdir("hwqueue/mock/queues/0"), 0);
    walk("");
    cr_assert_gt(looked_at, 200, "only %u files", looked_at);
    vdf_test_tree_free();
}
