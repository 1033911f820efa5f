/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Several devices at once, as a component uses them that is made of other devices: exclusive access for
 * a thread of its own, and a state of all of them.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/tree/tree.h"
#include "harness.h"

static struct vdf_obj *con, *bus;

static void setup(void)
{
    vdf_test_tree(false);
    con = vdf_test_obj("console/con0");
    bus = vdf_test_obj("intx/bus0");
    cr_assert(con && bus);
}

TestSuite(sets, .init = setup, .fini = vdf_test_tree_free);

/* --- exclusive access ------------------------------------------------------------------------- */

struct visitor {
    struct vdf_obj *obj;
    bool exclusive;
    atomic_bool stop, waits, inside, go, gave_up;
    pthread_t thread;
};

static void *visit(void *arg)
{
    struct visitor *v = arg;

    atomic_store(&v->waits, true);
    bool entered =
        v->exclusive ? vdf_obj_enter_exclusive(v->obj, &v->stop) : vdf_obj_enter(v->obj, &v->stop);
    atomic_store(entered ? &v->inside : &v->gave_up, true);
    while (entered && !atomic_load(&v->go))
        usleep(100);
    atomic_store(&v->inside, false);
    if (entered && v->exclusive)
        vdf_obj_leave_exclusive(v->obj, &v->stop);
    else if (entered)
        vdf_obj_leave(v->obj, false, &v->stop);
    return NULL;
}

static void wait_for(const atomic_bool *flag)
{
    while (!atomic_load(flag))
        usleep(100);
}

static void begin(struct visitor *v, struct vdf_obj *obj, bool exclusive)
{
    v->obj = obj;
    v->exclusive = exclusive;
    cr_assert_eq(pthread_create(&v->thread, NULL, visit, v), 0);
    wait_for(&v->waits);
}

static void end(struct visitor *v)
{
    atomic_store(&v->go, true);
    pthread_join(v->thread, NULL);
}

Test(sets, nobody_else_is_inside_a_device)
{
    struct visitor owner = { 0 }, other = { 0 };

    begin(&owner, con, true);
    wait_for(&owner.inside);
    begin(&other, bus, false);
    usleep(20000);
    cr_assert(!other.inside, "another device was entered");
    end(&owner);
    wait_for(&other.inside);
    end(&other);
}

Test(sets, exclusive_access_waits_for_those_inside_and_lets_others_in)
{
    struct visitor inside = { 0 }, owner = { 0 }, other = { 0 };

    begin(&inside, bus, false);
    wait_for(&inside.inside);
    begin(&owner, con, true);
    /* The wait is not over, and other devices can be entered meanwhile. */
    begin(&other, con, false);
    wait_for(&other.inside);
    cr_assert(!owner.inside, "a thread is inside %s", "intx/bus0");
    end(&other);
    end(&inside);
    wait_for(&owner.inside);
    end(&owner);
}

/* The thread that sets the flag may be inside a device, or be alone itself. */
Test(sets, exclusive_access_is_given_up)
{
    static const bool exclusive[] = { false, true };

    for (unsigned k = 0; k < 2; k++) {
        struct visitor inside = { 0 }, owner = { 0 };
        begin(&inside, bus, exclusive[k]);
        wait_for(&inside.inside);
        begin(&owner, con, true);
        usleep(5000);
        atomic_store(&owner.stop, true);
        end(&owner);
        cr_assert(owner.gave_up && inside.inside);
        end(&inside);
    }
    const atomic_bool stop = true;
    cr_assert(!vdf_obj_enter_exclusive(con, &stop));
}

struct counter {
    struct vdf_waiter waiter;
    unsigned looks;
};

static bool count_look(struct vdf_waiter *waiter)
{
    ((struct counter *)waiter)->looks++;
    return false;
}

static void settle(void *edge, const atomic_bool *stop)
{
    ++*(unsigned *)edge;
}

/* The waiters of both devices look again, and processes read no earlier values. */
Test(sets, changes_of_several_devices_are_reported)
{
    static const struct vdf_edge_ops edge = { .settle = settle };
    struct counter looks[2] = { { .waiter.ready = count_look }, { .waiter.ready = count_look } };
    struct vdf_obj *devices[] = { con, bus };
    const atomic_bool stop = false;
    unsigned settled = 0;

    vdf_tree_set_edge(con->device->tree, &edge, &settled);
    cr_assert(vdf_obj_enter_exclusive(con, &stop));
    for (unsigned k = 0; k < 2; k++)
        vdf_waiter_add(devices[k]->device, &looks[k].waiter);
    vdf_obj_touched(bus);
    vdf_obj_leave_exclusive(con, &stop);
    cr_assert(looks[0].looks == 0 && looks[1].looks == 1);
    cr_assert_eq(settled, 1);

    cr_assert(vdf_obj_enter_exclusive(bus, &stop));
    vdf_obj_touched(con);
    vdf_obj_touched(bus);
    vdf_obj_leave_exclusive(bus, &stop);
    cr_assert(looks[0].looks == 1 && looks[1].looks == 2);
    cr_assert_eq(settled, 2);
    for (unsigned k = 0; k < 2; k++)
        vdf_waiter_remove(devices[k]->device, &looks[k].waiter);
    vdf_tree_set_edge(con->device->tree, NULL, NULL);
}

/* --- states ----------------------------------------------------------------------------------- */

static const atomic_bool never;
static struct vdf_err said;

/* The state of devices, freed by the caller. */
static char *save(struct vdf_obj *a, struct vdf_obj *b)
{
    struct vdf_obj *devices[] = { a, b };
    struct vdf_buf out = VDF_BUF_INIT;

    cr_assert(vdf_obj_enter_exclusive(a, &never));
    cr_assert_eq(vdf_objs_save(devices, 2, &out), 0);
    vdf_obj_leave_exclusive(a, &never);
    vdf_buf_add(&out, "", 1);
    return out.data;
}

static int load(struct vdf_obj *a, struct vdf_obj *b, const struct vdf_obj *self, const char *text)
{
    struct vdf_obj *devices[] = { a, b };

    said = (struct vdf_err){ 0 };
    cr_assert(vdf_obj_enter_exclusive(a, &never));
    int ret = vdf_objs_load(devices, 2, self, text, strlen(text), &said);
    vdf_obj_leave_exclusive(a, &never);
    return ret;
}

static char *root_state(void)
{
    return strdup(vdf_test_read("state"));
}

/* Both devices differ from new ones, and have objects of their own. */
static void change_both(void)
{
    cr_assert_eq(vdf_test_write("console/con0/size", "80 25"), 0);
    cr_assert_eq(vdf_test_mkdir("console/con0/ports/7"), 0);
    cr_assert_eq(vdf_test_mkdir("intx/bus0/devices/d"), 0);
    cr_assert_eq(vdf_test_write("intx/bus0/devices/d/line", "9"), 0);
}

/* The section of one device and those below it, from its own state to @to. */
static void add_sections(char *to, const char *path)
{
    const char *state = vdf_test_read(path), *begin = strstr(state, "\n[");

    strncat(to, begin, (size_t)(strstr(begin, "checksum = ") - begin));
}

Test(sets, a_state_has_the_sections_of_its_devices_in_the_order_of_the_root)
{
    change_both();
    char *text = save(bus, con), *again = save(con, bus);
    char *expected = malloc(strlen(text) + 1);

    cr_assert_str_eq(text, again);
    strcpy(expected, "virtdevfs-state 1\n");
    add_sections(expected, "console/con0/state");
    add_sections(expected, "intx/bus0/state");
    char *sum = strstr(text, "checksum = ");
    cr_assert(sum && strlen(expected) == (size_t)(sum - text), "%s", text);
    cr_assert_eq(memcmp(text, expected, strlen(expected)), 0, "%s", text);
    free(expected);
    free(again);
    free(text);
}

Test(sets, a_state_replaces_all_of_its_devices_and_no_others)
{
    struct vdf_obj *d;

    change_both();
    char *text = save(con, bus);
    cr_assert_eq(vdf_test_write("console/con0/size", "1 2"), 0);
    cr_assert_eq(vdf_test_rmdir("console/con0/ports/7"), 0);
    cr_assert_eq(vdf_test_write("intx/bus0/devices/d/line", "3"), 0);
    cr_assert_eq(vdf_test_mkdir("intx/bus0/devices/e"), 0);
    cr_assert_eq(vdf_test_write("aplic/aplic0/genmsi", "0x123"), 0);
    cr_assert((d = vdf_test_obj("intx/bus0/devices/d")));

    cr_assert_eq(load(bus, con, NULL, text), 0, "%s", said.text);
    char *again = save(con, bus);
    cr_assert_str_eq(again, text);
    cr_assert_eq(vdf_test_obj("console/con0"), con);
    cr_assert_eq(vdf_test_obj("intx/bus0/devices/d"), d);
    cr_assert(!vdf_test_exists("intx/bus0/devices/e"));
    cr_assert(vdf_test_exists("console/con0/ports/7"));
    cr_assert_eq(vdf_test_read_u64("aplic/aplic0/genmsi"), 0x123);
    free(again);
    free(text);
}

/* @from with the first @what replaced; the checksum is none. Freed by the caller. */
static char *edit(const char *from, const char *what, const char *with)
{
    const char *at = strstr(from, what), *sum = strstr(from, "checksum = ");
    char *text;

    cr_assert(at && sum && at < sum, "%s", what);
    cr_assert(asprintf(&text, "%.*s%s%.*schecksum = none\n", (int)(at - from), from, with,
                       (int)(sum - at - (ssize_t)strlen(what)), at + strlen(what)) > 0);
    return text;
}

static void refused(const char *text, int ret, const char *sentence)
{
    char *before = root_state();

    cr_assert_eq(load(con, bus, NULL, text), ret, "%s", said.text);
    cr_assert(strstr(said.text, sentence), "%s", said.text);
    char *after = root_state();
    cr_assert_str_eq(after, before);
    free(after);
    free(before);
}

static void refused_edit(const char *state, const char *what, const char *with,
                         const char *sentence)
{
    char *text = edit(state, what, with);

    refused(text, -EINVAL, sentence);
    free(text);
}

Test(sets, nonsense_is_refused_and_changes_nothing)
{
    struct vdf_obj *aplic = vdf_test_obj("aplic/aplic0");
    char *text, *other;

    change_both();
    text = save(con, bus);
    cr_assert_eq(vdf_test_write("console/con0/size", "1 2"), 0);
    cr_assert_eq(vdf_test_rmdir("intx/bus0/devices/d"), 0);

    refused_edit(text, "[intx/bus0]", "[intx/bus1]",
                 ": intx/bus1: this has to be the state of console/con0, intx/bus0");
    refused_edit(text, "[console/con0]", "[console/con1]", "line 3: console/con1: this has to be");
    refused_edit(text, "[intx/bus0]", "[aplic/aplic0]", "aplic/aplic0: this has to be");
    refused_edit(text, "[intx/bus0]", "[nothing/bus0]", "names no object");
    refused_edit(text, "[intx/bus0]", "[console/con0]", "appears twice");
    refused_edit(text, "[intx/bus0]", "[intx/bus0/devices/d]", "comes before the object");
    refused_edit(text, "\nline = 9", "\nline = -9", "line ");
    refused_edit(text, "virtdevfs-state 1", "virtdevfs-state 2", "format version 2");
    /* Each of them lacks the other device. */
    other = strdup(vdf_test_read("console/con0/state"));
    refused(other, -EINVAL, "the state has no section \"[intx/bus0]\"");
    free(other);
    other = strdup(vdf_test_read("intx/bus0/state"));
    refused(other, -EINVAL, "the state has no section \"[console/con0]\"");
    free(other);
    other = save(con, aplic);
    refused(other, -EINVAL, "aplic/aplic0: this has to be");
    free(other);
    other = root_state();
    refused(other, -EINVAL, "this has to be");
    free(other);
    refused("", -EINVAL, "does not begin with");
    refused("virtdevfs-state 1\nchecksum = none\n", -EINVAL, "no section \"[console/con0]\"");

    char *digit = strstr(text, "checksum = ") + strlen("checksum = ");
    *digit = *digit == '1' ? '2' : '1';
    refused(text, -EINVAL, "but the content has");
    *strstr(text, "checksum = ") = '\0';
    refused(text, -EINVAL, "is cut short");
    free(text);
}

static void use(struct vdf_obj *obj, bool used)
{
    cr_assert(vdf_obj_enter_exclusive(obj, &never));
    if (used)
        vdf_obj_use(obj);
    else
        vdf_obj_unuse(obj);
    vdf_obj_leave_exclusive(obj, &never);
}

/* The device whose thread loads the state may be in use, but none of the others and what they have. */
Test(sets, attached_devices_are_refused)
{
    change_both();
    char *text = save(con, bus);
    struct vdf_obj *d = vdf_test_obj("intx/bus0/devices/d");

    cr_assert_eq(vdf_test_write("console/con0/size", "1 2"), 0);
    use(d, true);
    refused(text, -EBUSY, "intx/bus0 is attached to a guest: detach it");
    cr_assert_eq(load(con, bus, con, text), -EBUSY);
    cr_assert_eq(load(con, bus, bus, text), 0, "%s", said.text);
    use(con, true);
    cr_assert_eq(load(con, bus, bus, text), -EBUSY);
    cr_assert_str_eq(said.text, "console/con0 is attached to a guest: detach it");
    use(con, false);
    use(d, false);
    cr_assert_eq(load(con, bus, NULL, text), 0, "%s", said.text);
    free(text);
}

/* A wrong value that only the class finds when the text has ended, in the last of the devices. */
Test(sets, contradictions_are_refused)
{
    cr_assert_eq(vdf_test_mkdir("intx/bus0/devices/d"), 0);
    cr_assert_eq(vdf_test_mkdir("intx/bus0/devices/e"), 0);
    char *text = save(con, bus);
    char *wrong = edit(text, "size = 0 0", "size = 9 9");
    char *both = edit(wrong, "masked = 0", "masked = 1");

    refused(both, -EINVAL, "[intx/bus0");
    free(both);
    free(wrong);
    free(text);
}

/* Waiters of each device look again after a load, and none after a refusal. */
Test(sets, a_load_is_a_change_of_each_device)
{
    struct counter looks[2] = { { .waiter.ready = count_look }, { .waiter.ready = count_look } };
    struct vdf_obj *devices[] = { con, bus };
    char *text = save(con, bus);

    for (unsigned k = 0; k < 2; k++)
        vdf_waiter_add(devices[k]->device, &looks[k].waiter);
    cr_assert_eq(load(con, bus, NULL, ""), -EINVAL);
    cr_assert(looks[0].looks == 0 && looks[1].looks == 0);
    cr_assert_eq(load(con, bus, NULL, text), 0);
    cr_assert(looks[0].looks == 1 && looks[1].looks == 1);
    for (unsigned k = 0; k < 2; k++)
        vdf_waiter_remove(devices[k]->device, &looks[k].waiter);
    free(text);
}
