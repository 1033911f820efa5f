/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Several devices at once, as a component uses them that is made of other devices: exclusive access for
 * a thread of its own.
 */
#include <criterion/criterion.h>
#include <pthread.h>
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
