/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tree with a component made for this test: one row of each kind, so that the promises of the
 * tables are tested once and apart from the rules of devices.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/base/hash.h"
#include "fs/tree/errors.h"
#include "fs/tree/file.h"
#include "fs/tree/state.h"
#include "fs/tree/value.h"
#include "harness.h"

struct part {
    struct vdf_priv base;
    uint32_t level;
    char from[16];
};

struct box {
    struct vdf_priv base;
    uint32_t reg;
    bool on;
    uint8_t colour, behind;
    uint16_t words[4];
    uint32_t wide_low, wide_high, side;
    uint64_t big;
    char name[64];
    struct vdf_log log;
    struct vdf_memory memory;
    char pipe[8];
    size_t piped;
    int adopted;
};

static const char *const colours[] = { "red", "green", NULL };

static bool is_on(const void *priv)
{
    return ((const struct box *)priv)->on;
}

static bool not_two(const void *priv, uint32_t number)
{
    return number != 4;
}

static int get_word(const struct vdf_at *at, uint64_t *value)
{
    *value = ((struct box *)at->priv)->words[at->i / 2];
    return 0;
}

static int set_word(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    if (value == 13)
        return vdf_fail(err, EBUSY, "13 is no good; take another");
    ((struct box *)at->priv)->words[at->i / 2] = (uint16_t)value;
    return 0;
}

static void show_name(const struct vdf_at *at, struct vdf_buf *out)
{
    vdf_buf_printf(out, "%s", ((struct box *)at->priv)->name);
}

static int store_name(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err)
{
    struct box *box = at->priv;

    if (len >= sizeof(box->name))
        return vdf_fail(err, EINVAL, "%zu bytes: names have up to 63", len);
    memcpy(box->name, text, len + 1);
    return 0;
}

static void show_from(const struct vdf_at *at, struct vdf_buf *out)
{
    vdf_buf_printf(out, "%s", ((struct part *)at->priv)->from);
}

static int store_from(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err)
{
    struct part *part = at->priv;

    if (len >= sizeof(part->from))
        return vdf_fail(err, EINVAL, "%zu bytes: up to 15", len);
    memcpy(part->from, text, len + 1);
    return 0;
}

static int read_side(const struct vdf_at *at, uint64_t *value)
{
    *value = ((struct box *)at->priv)->side++;
    return 0;
}

static ssize_t pipe_read(const struct vdf_at *at, void *bytes, size_t n, struct vdf_err *err)
{
    struct box *box = at->priv;

    if (box->piped == 0)
        return -EAGAIN;
    n = n < box->piped ? n : box->piped;
    memcpy(bytes, box->pipe, n);
    memmove(box->pipe, box->pipe + n, box->piped - n);
    box->piped -= n;
    return (ssize_t)n;
}

static ssize_t pipe_write(const struct vdf_at *at, const void *bytes, size_t n, struct vdf_err *err)
{
    struct box *box = at->priv;
    size_t room = sizeof(box->pipe) - box->piped;

    if (room == 0)
        return -EAGAIN;
    n = n < room ? n : room;
    memcpy(box->pipe + box->piped, bytes, n);
    box->piped += n;
    return (ssize_t)n;
}

static unsigned pipe_poll(const struct vdf_at *at)
{
    const struct box *box = at->priv;
    return (box->piped ? POLLIN : 0) | (box->piped < sizeof(box->pipe) ? POLLOUT : 0);
}

static uint64_t window_size(const struct vdf_at *at)
{
    return 0x40;
}

static struct vdf_tree *tree;

/* Can no other thread be inside a device? */
static bool is_alone(void)
{
    if (pthread_rwlock_tryrdlock(&tree->lock) != 0)
        return true;
    pthread_rwlock_unlock(&tree->lock);
    return false;
}

/* The register of the box before, by a file of this one. */
static struct box *box_before(const struct vdf_at *at, struct vdf_obj **obj)
{
    const char *rest;

    *obj = vdf_obj_walk(at->obj, "box/box0", &rest);
    return vdf_obj_priv(*obj);
}

static uint64_t before_size(const struct vdf_at *at)
{
    return is_alone() ? sizeof(uint32_t) : 0;
}

static int before_read(const struct vdf_at *at, void *bytes, size_t n, uint64_t offset,
                       struct vdf_err *err)
{
    struct vdf_obj *obj;

    memcpy(bytes, (const char *)&box_before(at, &obj)->reg + offset, n);
    return is_alone() ? 0 : -EDEADLK;
}

static int before_write(const struct vdf_at *at, const void *bytes, size_t n, uint64_t offset,
                        struct vdf_err *err)
{
    struct vdf_obj *obj;

    memcpy((char *)&box_before(at, &obj)->reg + offset, bytes, n);
    vdf_obj_touched(obj);
    return is_alone() ? 0 : -EDEADLK;
}

static unsigned before_opened;

static void before_open(const struct vdf_at *at, bool open)
{
    before_opened += is_alone();
}

static const struct vdf_raw_ops before_ops = {
    .size = before_size,
    .read = before_read,
    .write = before_write,
    .opened = before_open,
};

static const struct vdf_stream_ops pipe_ops = {
    .read = pipe_read,
    .write = pipe_write,
    .poll = pipe_poll,
};
static const struct vdf_window_ops window_ops = { .size = window_size, .align = 4, .miss = ENODEV };

static const struct vdf_attr part_rows[] = {
    { .path = "level",
      .type = VDF_UINT,
      .flags = VDF_RW | VDF_SAVE,
      VDF_FIELD(struct part, level) },
    { .path = "from",
      .type = VDF_TEXT,
      .flags = VDF_RW | VDF_LOCAL,
      .show = show_from,
      .store = store_from },
};

static int allow_part(struct vdf_obj *parent, const char *name, struct vdf_err *err)
{
    return strcmp(name, "never") == 0 ? vdf_fail(err, EIO, "never comes never") : 0;
}

static const struct vdf_class part_class = {
    .name = "part",
    .title = "a part",
    .attrs = part_rows,
    .n_attrs = sizeof(part_rows) / sizeof(part_rows[0]),
    .priv_size = sizeof(struct part),
};
static const struct vdf_objects part_objects = { .cls = &part_class, .allow = allow_part };

static const struct vdf_attr box_rows[] = {
    { .path = "reg",
      .type = VDF_REG,
      .flags = VDF_RW | VDF_SAVE,
      VDF_FIELD(struct box, reg),
      .reset = 0x100,
      .window = 1,
      .offset = 0 },
    { .path = "behind",
      .type = VDF_CHOICE,
      .flags = VDF_RW | VDF_LOCAL,
      VDF_FIELD(struct box, behind),
      .choices = colours },
    { .path = "on", .type = VDF_BOOL, .flags = VDF_RW | VDF_SAVE, VDF_FIELD(struct box, on) },
    { .path = "colour",
      .type = VDF_CHOICE,
      .flags = VDF_RW | VDF_SAVE,
      VDF_FIELD(struct box, colour),
      .choices = colours },
    { .path = "words/#",
      .type = VDF_UINT,
      .flags = VDF_RW | VDF_SAVE,
      .width = 2,
      .get = get_word,
      .set = set_word,
      .range = { { .step = 2, .count = 4, .has = not_two } },
      .when = is_on },
    { .path = "name",
      .type = VDF_TEXT,
      .flags = VDF_RW | VDF_SAVE,
      .show = show_name,
      .store = store_name },
    { .path = "side",
      .type = VDF_REG,
      .flags = VDF_R,
      VDF_FIELD(struct box, side),
      .read_side = read_side,
      .window = 1,
      .offset = 0x10 },
    { .path = "big",
      .type = VDF_REG,
      .flags = VDF_RW | VDF_SAVE,
      VDF_FIELD(struct box, big),
      .window = 1,
      .offset = 0x20 },
    { .path = "log", .type = VDF_LOG, .flags = VDF_R, VDF_FIELD(struct box, log) },
    { .path = "pipe", .type = VDF_STREAM, .flags = VDF_RW, .stream = &pipe_ops },
    { .path = "memory",
      .type = VDF_RAW,
      .flags = VDF_RW | VDF_SAVE | VDF_MAP,
      VDF_FIELD(struct box, memory) },
    { .path = "before", .type = VDF_RAW, .flags = VDF_RW | VDF_EXCLUSIVE, .raw = &before_ops },
    { .path = "regs", .type = VDF_WINDOW, .flags = VDF_RW, .window = 1, .window_ops = &window_ops },
    { .path = "parts", .type = VDF_OBJECTS, .flags = VDF_RW, .objects = &part_objects },
};

/* Another backend answers for some rows of a box: its number, and new boxes with it. */
static uint64_t elsewhere;
static const struct vdf_backend *new_boxes_backend;

static int box_create(struct vdf_obj *obj, struct vdf_err *err)
{
    struct box *box = vdf_obj_priv(obj);

    box->base.backend = new_boxes_backend;
    vdf_memory_init(&box->memory, "box", 8192);
    return vdf_obj_add(obj, "parts", "first", NULL, err);
}

static void box_destroy(struct vdf_obj *obj)
{
    vdf_memory_free(&((struct box *)vdf_obj_priv(obj))->memory);
}

static int box_restored(struct vdf_obj *obj, struct vdf_err *err)
{
    const struct box *box = vdf_obj_priv(obj);
    return box->reg == 0xbad ? vdf_fail(err, EINVAL, "reg 0xbad cannot be") : 0;
}

static void box_adopt(struct vdf_obj *obj, void *old, void *now)
{
    ((struct box *)now)->adopted = ((struct box *)old)->adopted + 1;
}

/* The life of the boxes, a letter a call. */
static char calls[16];

static void note_call(const struct vdf_obj *obj, char call)
{
    size_t n = strlen(calls);

    if (n + 2 < sizeof(calls)) {
        calls[n] = call;
        calls[n + 1] = vdf_obj_name(obj)[0];
    }
}

static int box_start(struct vdf_obj *obj, bool fresh, struct vdf_err *err)
{
    note_call(obj, fresh ? '*' : '+');
    return 0;
}

static void box_stop(struct vdf_obj *obj)
{
    note_call(obj, '-');
}

static void box_disconnect(struct vdf_obj *obj)
{
    note_call(obj, '<');
}

static void box_connect(struct vdf_obj *obj)
{
    note_call(obj, '>');
}

static int get_elsewhere(const struct vdf_at *at, uint64_t *value)
{
    *value = elsewhere;
    return 0;
}

static int set_elsewhere(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    if (value == 13)
        return vdf_fail(err, EPERM, "13 is no good elsewhere either");
    elsewhere = value;
    return 0;
}

static int restore_elsewhere(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    return set_elsewhere(at, value + 0x1000, err);
}

static void show_elsewhere(const struct vdf_at *at, struct vdf_buf *out)
{
    vdf_buf_printf(out, "%s elsewhere", ((struct box *)at->priv)->name);
}

static int read_elsewhere(const struct vdf_at *at, uint64_t offset, uint64_t *value,
                          struct vdf_err *err)
{
    *value = elsewhere + offset;
    return offset == 0x30 ? vdf_fail(err, EXDEV, "not there") : 0;
}

static int write_elsewhere(const struct vdf_at *at, uint64_t offset, uint64_t value,
                           struct vdf_err *err)
{
    return set_elsewhere(at, offset + value, err);
}

static const struct vdf_class box_class = {
    .name = "box",
    .title = "boxes",
    .attrs = box_rows,
    .n_attrs = sizeof(box_rows) / sizeof(box_rows[0]),
    .priv_size = sizeof(struct box),
    .create = box_create,
    .destroy = box_destroy,
    .restored = box_restored,
    .adopt = box_adopt,
    .start = box_start,
    .stop = box_stop,
    .disconnect = box_disconnect,
    .connect = box_connect,
};
static const struct vdf_component box_component = { .cls = &box_class, .default_name = "box0" };
static const struct vdf_component *const components[] = { &box_component, NULL };

static void setup(void)
{
    struct vdf_err err = { 0 };
    cr_assert_eq(vdf_tree_create(components, NULL, &tree, &err), 0);
    cr_assert_eq(vdf_tree_add_defaults(tree, &err), 0);
}

static void teardown(void)
{
    vdf_tree_destroy(tree);
}

TestSuite(core, .init = setup, .fini = teardown);

static struct vdf_obj *object(const char *path)
{
    struct vdf_place place;
    cr_assert_eq(vdf_test_resolve(tree, path, &place), 0, "%s", path);
    vdf_obj_unref(place.obj);
    return place.obj;
}

static struct box *box0(void)
{
    return vdf_obj_priv(object("box/box0"));
}

static int lookup(const char *path)
{
    struct vdf_place place;
    int ret = vdf_test_resolve(tree, path, &place);
    if (ret == 0)
        vdf_obj_unref(place.obj);
    return ret;
}

static int write_value(const char *path, const char *text, struct vdf_err *err)
{
    struct vdf_place place;
    *err = (struct vdf_err){ 0 };
    cr_assert_eq(vdf_test_resolve(tree, path, &place), 0, "%s", path);
    vdf_device_enter(place.obj->device);
    int ret = vdf_value_write(&place, text, strlen(text), err);
    vdf_device_leave(place.obj->device, ret == 0);
    vdf_obj_unref(place.obj);
    return ret;
}

static void expect_value(const char *path, const char *text)
{
    struct vdf_buf out = VDF_BUF_INIT;
    struct vdf_place place;
    cr_assert_eq(vdf_test_resolve(tree, path, &place), 0, "%s", path);
    cr_assert_eq(vdf_value_render(&place, &out), 0);
    vdf_buf_add(&out, "", 1);
    cr_assert_str_eq(out.data, text);
    vdf_buf_free(&out);
    vdf_obj_unref(place.obj);
}

static void open_file(struct vdf_file *file, const char *path, int flags, int expect)
{
    struct vdf_place place;
    struct vdf_err err = { 0 };
    cr_assert_eq(vdf_test_resolve(tree, path, &place), 0, "%s", path);
    vdf_file_init(file, &place, flags);
    vdf_obj_unref(place.obj);
    vdf_file_enter(file);
    int ret = vdf_file_open(file, &err);
    vdf_file_leave(file, false);
    cr_assert_eq(ret, expect, "%s: %d", path, ret);
}

static void close_file(struct vdf_file *file)
{
    vdf_file_close(file);
    vdf_file_release(file);
}

static ssize_t read_at(struct vdf_file *file, void *bytes, size_t n, uint64_t offset, bool *changed)
{
    struct vdf_err err = { 0 };
    *changed = false;
    if (file->place.entry->special == VDF_STATE)
        return vdf_file_read_state(file, bytes, n, offset);
    vdf_file_enter(file);
    ssize_t ret = vdf_file_read(file, bytes, n, offset, changed, &err);
    vdf_file_leave(file, *changed);
    return ret;
}

static ssize_t write_at(struct vdf_file *file, const void *bytes, size_t n, uint64_t offset)
{
    struct vdf_err err = { 0 };
    vdf_file_enter(file);
    ssize_t ret = vdf_file_write(file, bytes, n, offset, &err);
    vdf_file_leave(file, ret >= 0);
    return ret;
}

static char *save(const char *path)
{
    struct vdf_buf out = VDF_BUF_INIT;
    uint64_t version;
    cr_assert_eq(vdf_state_snapshot(object(path), &out, &version), 0);
    char *text = strndup(out.data, out.len);
    vdf_buf_free(&out);
    return text;
}

static int restore(const char *path, const char *text, struct vdf_err *err)
{
    *err = (struct vdf_err){ 0 };
    return vdf_state_restore(object(path), text, strlen(text), err);
}

/* --- names ------------------------------------------------------------------------------------ */

Test(core, numbers_are_names_in_one_spelling)
{
    struct vdf_err err;
    cr_assert_eq(lookup("box/box0/words"), -ENOENT);
    cr_assert_eq(write_value("box/box0/on", "1", &err), 0);
    cr_assert_eq(lookup("box/box0/words/0"), 0);
    cr_assert_eq(lookup("box/box0/words/6"), 0);
    cr_assert_eq(lookup("box/box0/words/4"), -ENOENT, "left out by `has`");
    cr_assert_eq(lookup("box/box0/words/1"), -ENOENT, "not a step");
    cr_assert_eq(lookup("box/box0/words/8"), -ENOENT, "past the last");
    cr_assert_eq(lookup("box/box0/words/00"), -ENOENT);
    cr_assert_eq(lookup("box/box0/words/0x0"), -ENOENT);
    cr_assert_eq(lookup("box/box0/words/4294967296"), -ENOENT);
    cr_assert_eq(lookup("box/box0/log_lost"), 0);
    cr_assert_eq(lookup("box/box0/state"), 0);
    cr_assert_eq(lookup("box/box0/parts/first/state"), -ENOENT);
    cr_assert_eq(lookup("box/box0/reg/x"), -ENOTDIR);
}

static int count_names(void *arg, const char *name, bool dir)
{
    ++*(int *)arg;
    return 0;
}

Test(core, listings_show_what_lookup_finds)
{
    struct vdf_place place;
    struct vdf_err err;
    int n = 0;
    write_value("box/box0/on", "1", &err);
    cr_assert_eq(vdf_test_resolve(tree, "box/box0/words", &place), 0);
    cr_assert_eq(vdf_place_list(&place, count_names, &n), 0);
    cr_assert_eq(n, 3);
    vdf_obj_unref(place.obj);
}

Test(core, objects_come_and_go)
{
    struct vdf_place dir, made;
    cr_assert_eq(vdf_test_resolve(tree, "box/box0/parts", &dir), 0);
    cr_assert_eq(vdf_place_mkdir(&dir, "a", &made), 0);
    cr_assert_eq(vdf_place_mkdir(&dir, "a", &made), -EEXIST);
    cr_assert_eq(vdf_place_mkdir(&dir, "never", &made), -EIO);
    cr_assert_eq(vdf_place_mkdir(&dir, "-a", &made), -EINVAL);
    cr_assert_eq(vdf_place_mkdir(&dir, "a b", &made), -EINVAL);
    cr_assert_eq(vdf_place_rmdir(&dir, "a"), 0);
    cr_assert_eq(vdf_place_rmdir(&dir, "a"), -ENOENT);
    cr_assert(made.obj->dead);
    vdf_obj_unref(made.obj);
    vdf_obj_unref(dir.obj);
}

/* Many children: the table of names grows, and every one is still found. */
Test(core, ten_thousand_objects)
{
    struct vdf_place dir, made;
    char name[16];
    cr_assert_eq(vdf_test_resolve(tree, "box", &dir), 0);
    for (int k = 0; k < 10000; k++) {
        snprintf(name, sizeof(name), "b%d", k);
        cr_assert_eq(vdf_place_mkdir(&dir, name, &made), 0);
        vdf_obj_unref(made.obj);
    }
    for (int k = 0; k < 10000; k += 97) {
        snprintf(name, sizeof(name), "b%d", k);
        cr_assert_eq(vdf_place_rmdir(&dir, name), 0);
        cr_assert_eq(vdf_place_rmdir(&dir, name), -ENOENT);
    }
    vdf_obj_unref(dir.obj);
}

/* --- values ----------------------------------------------------------------------------------- */

Test(core, what_a_number_is)
{
    static const struct {
        const char *text;
        int ret;
        uint32_t value;
    } cases[] = {
        { "17", 0, 17 },
        { " 0x1F\n", 0, 0x1f },
        { "0b101", 0, 5 },
        { "010", 0, 10 },
        { "4294967295", 0, ~0u },
        { "4294967296", -ERANGE, 0 },
        { "0x", -EINVAL, 0 },
        { "", -EINVAL, 0 },
        { "-1", -EINVAL, 0 },
        { "1 2", -EINVAL, 0 },
        { "0b2", -EINVAL, 0 },
        { "1e3", -EINVAL, 0 },
        { "99999999999999999999", -ERANGE, 0 },
    };
    struct vdf_err err;
    for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
        box0()->reg = 0x55;
        cr_assert_eq(write_value("box/box0/reg", cases[k].text, &err), cases[k].ret, "\"%s\"",
                     cases[k].text);
        cr_assert_eq(box0()->reg, cases[k].ret ? 0x55 : cases[k].value, "\"%s\"", cases[k].text);
    }
    cr_assert_eq(write_value("box/box0/on", "2", &err), -EINVAL);
    cr_assert_eq(write_value("box/box0/colour", "green", &err), 0);
    cr_assert_eq(box0()->colour, 1);
    cr_assert_eq(write_value("box/box0/colour", "blue", &err), -EINVAL);
    cr_assert(strstr(err.text, "red, green"), "%s", err.text);
}

Test(core, reads_are_of_one_moment)
{
    struct vdf_file file;
    struct vdf_err err;
    char bytes[32];
    bool changed;
    open_file(&file, "box/box0/reg", O_RDONLY, 0);
    write_value("box/box0/reg", "0x222", &err);
    cr_assert_eq(read_at(&file, bytes, 4, 2, &changed), 4);
    cr_assert_eq(memcmp(bytes, "0000", 4), 0, "the value of the open");
    cr_assert_eq(read_at(&file, bytes, sizeof(bytes), 0, &changed), 11);
    cr_assert_eq(memcmp(bytes, "0x00000222\n", 11), 0, "read again from the begin");
    cr_assert_eq(read_at(&file, bytes, sizeof(bytes), 11, &changed), 0);
    close_file(&file);
    open_file(&file, "box/box0/side", O_WRONLY, -EACCES);
    vdf_file_release(&file);
}

/* --- windows ---------------------------------------------------------------------------------- */

Test(core, windows)
{
    struct vdf_file file;
    uint8_t bytes[0x80];
    bool changed;
    open_file(&file, "box/box0/regs", O_RDWR, 0);
    cr_assert_eq(write_at(&file, "\x78\x56\x34\x12", 4, 0), 4);
    cr_assert_eq(box0()->reg, 0x12345678);
    cr_assert_eq(write_at(&file, "\x01", 1, 0), -EOPNOTSUPP);
    cr_assert_eq(write_at(&file, "\x01\x02\x03\x04", 4, 2), -EOPNOTSUPP);
    cr_assert_eq(write_at(&file, "\x01\x02\x03\x04", 4, 4), -ENODEV);
    cr_assert_eq(write_at(&file, "\1\2\3\4\5\6\7\10", 8, 0), 4, "ends at the first refusal");
    cr_assert_eq(box0()->reg, 0x04030201);
    cr_assert_eq(write_at(&file, "\1\2\3\4\5\6\7\10", 8, 0x20), 8);
    cr_assert_eq(box0()->big, 0x0807060504030201);
    cr_assert_eq(write_at(&file, "\1\2\3\4", 4, 0x20), -EOPNOTSUPP);

    cr_assert_eq(read_at(&file, bytes, 4, 0x10, &changed), 4);
    cr_assert(changed);
    cr_assert_eq(box0()->side, 1, "a hardware read has its side effect");
    cr_assert_eq(read_at(&file, bytes, sizeof(bytes), 0, &changed), 0x40);
    cr_assert(!changed);
    cr_assert_eq(box0()->side, 1, "a copy has none");
    cr_assert_eq(bytes[0x10], 1);
    cr_assert_eq(bytes[0x27], 8);
    cr_assert_eq(bytes[4], 0);
    cr_assert_eq(read_at(&file, bytes, 4, 4, &changed), -ENODEV);
    cr_assert_eq(read_at(&file, bytes, 2, 0, &changed), -EOPNOTSUPP);
    cr_assert_eq(read_at(&file, bytes, 16, 1, &changed), -EOPNOTSUPP);
    cr_assert_eq(read_at(&file, bytes, 16, 0x40, &changed), 0);
    close_file(&file);
}

/* --- raw memory ------------------------------------------------------------------------------- */

Test(core, hooks_that_stand_instead_of_a_rows)
{
    struct vdf_hooks hooks[sizeof(box_rows) / sizeof(box_rows[0])] = { 0 };
    const struct vdf_backend backend = { .name = "elsewhere", .hooks = hooks };
    struct vdf_obj *box = object("box/box0");
    struct vdf_err err = { 0 };
    uint64_t value;

    for (size_t k = 0; k < sizeof(box_rows) / sizeof(box_rows[0]); k++) {
        if (strcmp(box_rows[k].path, "reg") == 0)
            hooks[k] = (struct vdf_hooks){ .get = get_elsewhere, .set = set_elsewhere };
        if (strcmp(box_rows[k].path, "big") == 0)
            hooks[k] = (struct vdf_hooks){ .get = get_elsewhere, .restore = restore_elsewhere };
        if (strcmp(box_rows[k].path, "name") == 0)
            hooks[k] = (struct vdf_hooks){ .show = show_elsewhere };
        if (strcmp(box_rows[k].path, "regs") == 0)
            hooks[k] = (struct vdf_hooks){ .read = read_elsewhere, .write = write_elsewhere };
    }
    new_boxes_backend = &backend;
    ((struct vdf_priv *)vdf_obj_priv(box))->backend = &backend;
    elsewhere = 0x77;
    expect_value("box/box0/reg", "0x00000077\n");
    cr_assert_eq(write_value("box/box0/reg", "13", &err), -EPERM);
    cr_assert_eq(write_value("box/box0/reg", "0x99", &err), 0);
    cr_assert_eq(elsewhere, 0x99);
    cr_assert_eq(box0()->reg, 0x100, "the field is not touched");
    /* A row keeps the hooks that are not replaced, and others keep all. */
    cr_assert_eq(write_value("box/box0/name", "it", &err), 0);
    expect_value("box/box0/name", "it elsewhere\n");
    expect_value("box/box0/colour", "red\n");
    /* Windows: at any offset, but of the window's width only. */
    cr_assert_eq(vdf_window_read(box, VDF_REGS, 0x32, 4, false, &value, &err), 0);
    cr_assert_eq(value, 0x99 + 0x32);
    cr_assert_eq(vdf_window_read(box, VDF_REGS, 0x30, 4, false, &value, &err), -EXDEV);
    cr_assert_eq(vdf_window_read(box, VDF_REGS, 0x32, 2, false, &value, &err), -EOPNOTSUPP);
    cr_assert_eq(vdf_window_write(box, VDF_REGS, 0x32, 4, 1, &err), 0);
    cr_assert_eq(elsewhere, 0x33);
    /* A state has what they answer, and restores through them: `set` where there is no `restore`.
     */
    elsewhere = 0x5;
    char *state = save("box/box0");
    cr_assert_not_null(strstr(state, "reg = 0x00000005\n"));
    cr_assert_not_null(strstr(state, "name = it elsewhere\n"));
    cr_assert_eq(restore("box/box0", state, &err), 0, "%s", err.text);
    cr_assert_eq(elsewhere, 0x1005, "%" PRIx64, elsewhere);
    free(state);
    ((struct vdf_priv *)vdf_obj_priv(box))->backend = NULL;
    expect_value("box/box0/name", "it elsewhere\n");
}

Test(core, memory)
{
    struct vdf_file file;
    char bytes[16];
    bool changed;
    open_file(&file, "box/box0/memory", O_RDWR, 0);
    cr_assert_eq(read_at(&file, bytes, 16, 8184, &changed), 8);
    cr_assert(!box0()->memory.base, "reading makes no memory");
    cr_assert_eq(write_at(&file, "abcdefghijklmnop", 16, 8184), 8, "cut at the end");
    cr_assert_eq(write_at(&file, "a", 1, 8192), -EFBIG);
    cr_assert_eq(read_at(&file, bytes, 16, 8184, &changed), 8);
    cr_assert_eq(memcmp(bytes, "abcdefgh", 8), 0);
    close_file(&file);
}

/* Bytes that belong to another device, as they do in the configuration space of a PCI function. */
Test(core, an_exclusive_raw_file_reaches_other_devices)
{
    struct vdf_file file;
    struct vdf_place dir, made;
    struct vdf_seen seen = { 0 };
    struct vdf_err err = { 0 };
    uint32_t value = 0;
    bool changed;

    cr_assert_eq(vdf_test_resolve(tree, "box", &dir), 0);
    cr_assert_eq(vdf_place_mkdir(&dir, "b", &made), 0);
    uint64_t generation = object("box/box0")->device->generation;
    box0()->reg = 0x12345678;
    open_file(&file, "box/b/before", O_RDWR, 0);
    cr_assert_eq(read_at(&file, &value, 2, 1, &changed), 2);
    cr_assert_eq(value, 0x3456);
    vdf_file_enter_write(&file);
    cr_assert_eq(vdf_file_write(&file, "\xff", 1, 3, &err), 1);
    vdf_file_leave_write(&file, true);
    cr_assert_eq(box0()->reg, 0xff345678);
    cr_assert_eq(object("box/box0")->device->generation, generation + 1, "a change of another box");
    cr_assert_eq(vdf_place_stat(&file.place, &seen), 0);
    cr_assert_eq(seen.size, 4);
    close_file(&file);
    cr_assert_eq(before_opened, 2, "at the open and at the close");
    cr_assert(!is_alone());
    vdf_obj_unref(made.obj);
    vdf_obj_unref(dir.obj);
}

/* --- logs and streams ------------------------------------------------------------------------- */

Test(core, logs_keep_whole_lines)
{
    struct vdf_file file;
    char bytes[VDF_LOG_KEEP + 1];
    bool changed;
    for (int k = 0; k < 8192; k++)
        vdf_log_printf(&box0()->log, "line %010d", k);
    open_file(&file, "box/box0/log", O_RDONLY, 0);
    ssize_t n = read_at(&file, bytes, sizeof(bytes), 0, &changed);
    cr_assert_eq(n, VDF_LOG_KEEP);
    cr_assert_eq(memcmp(bytes, "line 0000004096\n", 16), 0);
    cr_assert_eq(memcmp(bytes + n - 16, "line 0000008191\n", 16), 0);
    cr_assert_eq(box0()->log.lost, 4096);
    cr_assert_eq(read_at(&file, bytes, 1, 0, &changed), -EAGAIN);
    cr_assert_eq(vdf_file_poll(&file), 0);
    close_file(&file);
}

struct waiting {
    struct vdf_waiter waiter;
    struct vdf_file *file;
    ssize_t result;
    bool finished;
};

static bool waiting_ready(struct vdf_waiter *waiter)
{
    struct waiting *w = (struct waiting *)waiter;
    struct vdf_err err = { 0 };
    char byte;
    bool changed;
    w->result = vdf_file_read(w->file, &byte, 1, 0, &changed, &err);
    return w->result != -EAGAIN;
}

static void waiting_finish(struct vdf_waiter *waiter)
{
    ((struct waiting *)waiter)->finished = true;
}

Test(core, waiters_are_served_in_order_and_answered_at_the_end)
{
    struct vdf_file file;
    struct waiting waiting[3];
    struct vdf_place dir;
    struct vdf_device *device = object("box/box0")->device;
    open_file(&file, "box/box0/pipe", O_RDWR, 0);
    vdf_device_enter(device);
    for (int k = 0; k < 3; k++) {
        waiting[k] = (struct waiting){ .file = &file };
        waiting[k].waiter.ready = waiting_ready;
        waiting[k].waiter.finish = waiting_finish;
        vdf_waiter_add(device, &waiting[k].waiter);
    }
    vdf_device_leave(device, true);
    cr_assert(!waiting[0].finished);
    cr_assert_eq(write_at(&file, "ab", 2, 0), 2);
    cr_assert(waiting[0].finished && waiting[1].finished && !waiting[2].finished);
    cr_assert_eq(vdf_test_resolve(tree, "box", &dir), 0);
    cr_assert_eq(vdf_place_rmdir(&dir, "box0"), 0);
    cr_assert(waiting[2].finished);
    cr_assert_eq(waiting[2].result, -ENODEV);
    vdf_obj_unref(dir.obj);
    close_file(&file);
}

/* --- state ------------------------------------------------------------------------------------ */

Test(core, the_text_of_a_state)
{
    struct vdf_err err;
    write_value("box/box0/on", "1", &err);
    write_value("box/box0/words/2", "7", &err);
    strcpy(box0()->name, "a\\b\nc\x01");
    memcpy(vdf_memory_at(&box0()->memory, 4096, 32), "x", 1);
    char *text = save("box/box0");
    char *head = strndup(text, strcspn(text, "@"));
    cr_assert_str_eq(head, "virtdevfs-state 1\n"
                           "\n[box/box0]\n"
                           "reg = 0x00000100\n"
                           "on = 1\n"
                           "colour = red\n"
                           "words/2 = 7\n"
                           "name = a\\\\b\\nc\\x01\n"
                           "big = 0x0000000000000000\n"
                           "memory");
    free(head);
    cr_assert(strstr(text, "\nmemory@0x00001000 = 7800000000"), "%s", text);
    cr_assert(strstr(text, "\n[box/box0/parts/first]\nlevel = 0\n"), "%s", text);
    box0()->words[1] = 0;
    strcpy(box0()->name, "");
    cr_assert_eq(restore("box/box0", text, &err), 0, "%s", err.text);
    cr_assert_eq(box0()->words[1], 7);
    cr_assert_str_eq(box0()->name, "a\\b\nc\x01");
    cr_assert_eq(box0()->adopted, 1);
    cr_assert_eq(box0()->base.obj, object("box/box0"));
    char *again = save("box/box0");
    cr_assert_str_eq(again, text);
    free(again);
    free(text);
}

Test(core, restoring_keeps_what_is_mapped)
{
    struct vdf_err err;
    memcpy(vdf_memory_at(&box0()->memory, 0, 4), "then", 4);
    int fd = box0()->memory.fd;
    const char *mapped = (const char *)box0()->memory.base;
    char *text = save("box/box0");
    memcpy(vdf_memory_at(&box0()->memory, 0, 4), "now!", 4);
    memcpy(vdf_memory_at(&box0()->memory, 6000, 4), "more", 4);
    cr_assert_eq(restore("box/box0", text, &err), 0, "%s", err.text);
    cr_assert_eq(box0()->memory.fd, fd);
    cr_assert_eq(memcmp(mapped, "then", 4), 0);
    cr_assert_eq(memcmp(mapped + 6000, "\0\0\0\0", 4), 0);
    free(text);
}

Test(core, restoring_makes_and_removes_objects)
{
    struct vdf_err err;
    cr_assert_eq(restore("box/box0",
                         "virtdevfs-state 1\n[box/other]\nreg = 1\n[box/other/parts/two]\nlevel = "
                         "2\n[box/other/parts/10]\nchecksum = none\n",
                         &err),
                 0, "%s", err.text);
    cr_assert_eq(lookup("box/box0/parts/first"), -ENOENT);
    cr_assert_eq(lookup("box/box0/parts/two"), 0);
    cr_assert_eq(box0()->reg, 1);
    cr_assert_eq(restore("", "virtdevfs-state 1\n[box/new]\nchecksum = none\n", &err), 0, "%s",
                 err.text);
    cr_assert_eq(lookup("box/box0"), -ENOENT);
    cr_assert_eq(lookup("box/new"), 0);
    cr_assert_eq(lookup("box/new/parts/first"), -ENOENT, "its section is not in the file");
    cr_assert_eq(restore("", "virtdevfs-state 1\nchecksum = none\n", &err), 0, "%s", err.text);
    cr_assert_eq(lookup("box/new"), -ENOENT);
}

Test(core, what_a_restore_keeps)
{
    struct vdf_buf saved = VDF_BUF_INIT;
    struct vdf_err err;
    uint64_t version;

    cr_assert_eq(write_value("box/box0/behind", colours[1], &err), 0);
    cr_assert_eq(write_value("box/box0/parts/first/from", "here", &err), 0);
    cr_assert_eq(vdf_state_snapshot(object(""), &saved, &version), 0);
    vdf_buf_add(&saved, "", 1);
    cr_assert_null(strstr(saved.data, "behind"));
    cr_assert_null(strstr(saved.data, "from"));

    /* The object keeps its value; an object that the restore makes has the default. */
    cr_assert_eq(restore("",
                         "virtdevfs-state 1\n[box/box0]\nbehind = red\n[box/box0/parts/first]\n"
                         "from = there\n[box/new]\nchecksum = none\n",
                         &err),
                 0, "%s", err.text);
    cr_assert_eq(box0()->behind, 1);
    cr_assert_str_eq(((struct part *)vdf_obj_priv(object("box/box0/parts/first")))->from, "here");
    cr_assert_eq(((struct box *)vdf_obj_priv(object("box/new")))->behind, 0);
    cr_assert_eq(
        restore("box/new", "virtdevfs-state 1\n[box/box0]\nreg = 7\nchecksum = none\n", &err), 0,
        "%s", err.text);
    cr_assert_eq(((struct box *)vdf_obj_priv(object("box/new")))->behind, 0);
    cr_assert_eq(
        restore("box/box0", "virtdevfs-state 1\n[box/new]\nreg = 7\nchecksum = none\n", &err), 0,
        "%s", err.text);
    cr_assert_eq(box0()->behind, 1);
    vdf_buf_free(&saved);
}

Test(core, states_that_are_refused)
{
    static const char *const bad[] = {
        "",
        "checksum = none\n",
        "virtdevfs-state 2\n[box/box0]\nchecksum = none\n",
        "virtdevfs-state 1\n[box/box0]\n",
        "virtdevfs-state 1\n[box/box0]\nchecksum = 1\n",
        "virtdevfs-state 1\n[box/box0]\nchecksum = nothing\n",
        "virtdevfs-state 1\nreg = 1\n[box/box0]\nchecksum = none\n",
        "virtdevfs-state 1\n[box/box0\nchecksum = none\n",
        "virtdevfs-state 1\n[box]\nchecksum = none\n",
        "virtdevfs-state 1\n[box/]\nchecksum = none\n",
        "virtdevfs-state 1\n[box/-x]\nchecksum = none\n",
        "virtdevfs-state 1\n[chest/box0]\nchecksum = none\n",
        "virtdevfs-state 1\n[box/box0/parts/a]\nchecksum = none\n",
        "virtdevfs-state 1\n[box/box0]\n[box/box0]\nchecksum = none\n",
        "virtdevfs-state 1\n[box/box0]\n[box/box0/parts/never]\nchecksum = none\n",
        "virtdevfs-state 1\n[box/box0]\n[box/box0/parts/a/b]\nchecksum = none\n",
        "virtdevfs-state 1\n[box/box0]\nreg\nchecksum = none\n",
        "virtdevfs-state 1\n[box/box0]\nreg = x\nchecksum = none\n",
        "virtdevfs-state 1\n[box/box0]\nreg = 0x1ffffffff\nchecksum = none\n",
        "virtdevfs-state 1\n[box/box0]\nreg = 0xbad\nchecksum = none\n",
        "virtdevfs-state 1\n[box/box0]\nreg = 1\nreg = 2\nchecksum = none\n",
        "virtdevfs-state 1\n[box/box0]\non = 1\nreg = 2\nchecksum = none\n",
        "virtdevfs-state 1\n[box/box0]\nunknown = 1\nchecksum = none\n",
        "virtdevfs-state 1\n[box/box0]\nside = 1\nchecksum = none\n",
        "virtdevfs-state 1\n[box/box0]\nwords/2 = 1\nchecksum = none\n",
        "virtdevfs-state 1\n[box/box0]\non = 1\nwords/1 = 1\nchecksum = none\n",
        "virtdevfs-state 1\n[box/box0]\non = 1\nwords/4 = 1\nchecksum = none\n",
        "virtdevfs-state 1\n[box/box0]\non = 1\nwords/2 = 13\nchecksum = none\n",
        "virtdevfs-state 1\n[box/box0]\nname = \\q\nchecksum = none\n",
        "virtdevfs-state 1\n[box/box0]\nname = a\\\nchecksum = none\n",
        "virtdevfs-state 1\n[box/box0]\nname = \\x00\nchecksum = none\n",
        "virtdevfs-state 1\n[box/box0]\nmemory = 00\nchecksum = none\n",
        "virtdevfs-state 1\n[box/box0]\nmemory@ = 00\nchecksum = none\n",
        "virtdevfs-state 1\n[box/box0]\nmemory@0x2000 = 00\nchecksum = none\n",
        "virtdevfs-state 1\n[box/box0]\nmemory@0x1fff = 0000\nchecksum = none\n",
        "virtdevfs-state 1\n[box/box0]\nmemory@0 = 0\nchecksum = none\n",
        "virtdevfs-state 1\n[box/box0]\nmemory@0 = 0G\nchecksum = none\n",
        "virtdevfs-state 1\n[box/box0]\nreg@0 = 00\nchecksum = none\n",
        "virtdevfs-state 1\n[box/box0]\nbehind = nothing\nchecksum = none\n",
    };
    struct vdf_err err;
    box0()->reg = 0x77;
    char *before = save("");
    for (size_t k = 0; k < sizeof(bad) / sizeof(bad[0]); k++) {
        cr_assert_lt(restore("box/box0", bad[k], &err), 0, "device: %s", bad[k]);
        cr_assert_neq(err.text[0], '\0', "%s", bad[k]);
        cr_assert_lt(restore("", bad[k], &err), 0, "root: %s", bad[k]);
        char *after = save("");
        cr_assert_str_eq(after, before);
        free(after);
    }
    free(before);
}

Test(core, the_checksum_is_that_of_cksum)
{
    /* printf 'virtdevfs-state 1\n' | cksum */
    struct vdf_err err;
    cr_assert_eq(restore("", "virtdevfs-state 1\nchecksum = 3055492215\n", &err), 0, "%s",
                 err.text);
}

/* The devices of a set are exchanged as one by its own state is: the others notice nothing. */
Test(core, states_of_several_devices_run_the_hooks_of_a_restore)
{
    static const char *const names[] = { "x", "y", "z" };
    struct vdf_place dir, made;
    struct vdf_buf text = VDF_BUF_INIT;
    struct vdf_err err = { 0 };
    struct vdf_obj *devices[2], *y;

    cr_assert_eq(vdf_test_resolve(tree, "box", &dir), 0);
    for (unsigned k = 0; k < 3; k++) {
        cr_assert_eq(vdf_place_mkdir(&dir, names[k], &made), 0);
        vdf_obj_unref(made.obj);
    }
    devices[0] = object("box/z");
    devices[1] = object("box/x");
    y = object("box/y");
    vdf_tree_enter_exclusive(tree);
    cr_assert_eq(vdf_objs_save(devices, 2, &text), 0);
    memset(calls, 0, sizeof(calls));
    cr_assert_eq(vdf_objs_load(devices, 2, NULL, text.data, text.len, &err), 0, "%s", err.text);
    cr_assert_str_eq(calls, "-z+z-x+x");
    cr_assert_eq(((struct box *)vdf_obj_priv(devices[0]))->adopted, 1);
    cr_assert_eq(((struct box *)vdf_obj_priv(y))->adopted, 0);
    /* A choice of this mount stays, and the text has none. */
    ((struct box *)vdf_obj_priv(devices[1]))->behind = 1;
    cr_assert_eq(vdf_objs_load(devices, 2, NULL, text.data, text.len, &err), 0, "%s", err.text);
    cr_assert_eq(((struct box *)vdf_obj_priv(devices[1]))->behind, 1);
    vdf_tree_leave_exclusive(tree, NULL);
    vdf_buf_free(&text);
    vdf_obj_unref(dir.obj);
}

/* --- errors ----------------------------------------------------------------------------------- */

Test(core, the_last_256_errors_are_kept)
{
    struct vdf_buf out = VDF_BUF_INIT;
    for (int k = 0; k < 300; k++)
        vdf_report(object("box/box0"), EIO, "number %d\nof 300", k);
    vdf_errors_render(tree, &out);
    vdf_buf_add(&out, "", 1);
    size_t lines = 0;
    for (const char *p = out.data; *p; p++)
        lines += *p == '\n';
    cr_assert_eq(lines, 256);
    cr_assert_eq(strncmp(out.data, "box/box0: EIO: number 44?of 300\n", 32), 0, "%.40s", out.data);
    vdf_buf_free(&out);
}

/* --- hashes ----------------------------------------------------------------------------------- */

/* Names that differ in few bytes, wherever these are, must not meet in one list of a table. */
Test(hash, spreads_names_over_the_low_bits)
{
    static const char *const formats[] = { "%u", "d%u", "%08u", "dev%05u", "device-%09u", "%u-x" };
    enum { NAMES = 1000, LISTS = 1024, LONGEST = 10 };

    for (size_t f = 0; f < sizeof(formats) / sizeof(formats[0]); f++) {
        unsigned lists[LISTS] = { 0 };
        for (unsigned k = 0; k < NAMES; k++) {
            char name[32];
            int n = snprintf(name, sizeof(name), formats[f], k);
            unsigned *list = &lists[vdf_hash(name, (size_t)n) % LISTS];
            cr_assert_leq(++*list, LONGEST, "%s", formats[f]);
        }
    }
}
