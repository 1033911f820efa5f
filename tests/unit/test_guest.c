/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guest's side of each device, with a machine that is only memory and interrupt sinks.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <virtdevfs/guest.h>

#include "harness.h"

static struct vdf_memory memory;
static struct vdf_space space; /* of `memory` */
static unsigned rises, falls, messages;
static uint64_t last_address;
static uint32_t last_data;
static char machine, other_machine;

static void set_level(void *ctx, bool level)
{
    *(level ? &rises : &falls) += 1;
}

static void message(void *ctx, uint64_t address, uint32_t data)
{
    messages++;
    last_address = address;
    last_data = data;
}

static struct vdf_guest guest(void)
{
    return (struct vdf_guest){
        .machine = &machine,
        .space = &space,
        .irq = { .set_level = set_level, .message = message, .ctx = &machine },
        .vector = 32,
    };
}

static void set_up(void)
{
    vdf_test_tree(false);
    vdf_memory_init(&memory, "guest", 2u << 20);
    space = vdf_space_of(&memory);
    rises = falls = messages = 0;
}

static void tear_down(void)
{
    vdf_memory_free(&memory);
    vdf_test_tree_free();
}

TestSuite(guest, .init = set_up, .fini = tear_down);

static const struct vdf_guest_ops *ops_of(struct vdf_obj *obj)
{
    const struct vdf_guest_ops *ops = vdf_obj_class(obj)->guest;
    cr_assert(ops);
    return ops;
}

static void store(struct vdf_obj *obj, uint32_t part, uint64_t offset, unsigned width,
                  uint64_t value)
{
    struct vdf_err err = { 0 };
    cr_assert_eq(vdf_guest_write(obj, part, offset, width, value, &err), 0, "0x%x: %s",
                 (unsigned)offset, err.text);
}

static uint64_t load(struct vdf_obj *obj, uint32_t part, uint64_t offset, unsigned width)
{
    struct vdf_err err = { 0 };
    uint64_t value = 0;
    cr_assert_eq(vdf_guest_read(obj, part, offset, width, &value, &err), 0, "0x%x: %s",
                 (unsigned)offset, err.text);
    return value;
}

static int attach(struct vdf_obj *obj, uint32_t part)
{
    struct vdf_guest g = guest();
    return vdf_guest_attach(obj, part, &g, true, NULL);
}

/* --- console ------------------------------------------------------------------------------------
 */

/* A transmit queue of one buffer, set up as a driver does. */
static void set_up_transmit(struct vdf_obj *con, uint64_t ring)
{
    store(con, 0, 0x70, 4, 0);
    store(con, 0, 0x70, 4, 3);
    store(con, 0, 0x24, 4, 1);
    store(con, 0, 0x20, 4, 1);
    store(con, 0, 0x70, 4, 0xb);
    store(con, 0, 0x30, 4, 1);
    store(con, 0, 0x38, 4, 8);
    store(con, 0, 0x80, 4, ring);
    store(con, 0, 0x90, 4, ring + 0x400);
    store(con, 0, 0xa0, 4, ring + 0x800);
    store(con, 0, 0x44, 4, 1);
    store(con, 0, 0x70, 4, 0xf);
}

Test(guest, console_uses_the_guests_memory)
{
    struct vdf_obj *con = vdf_test_obj("console/con0");
    struct vdf_guest_doorbell doorbells[64];
    char bytes[16] = { 0 };
    int error = 0;

    cr_assert_eq(attach(con, 0), 0);
    cr_assert_eq(attach(con, 0), -EBUSY);
    cr_assert_str_eq(vdf_test_read("console/con0/driver"), "vm");
    cr_assert_eq(vdf_test_write("console/con0/driver", "soft"), -EBUSY);
    cr_assert_eq(vdf_guest_size(con, 0), 0x200);
    cr_assert_eq(load(con, 0, 0, 4), 0x74726976);
    cr_assert_eq(ops_of(con)->doorbells(con, 0, doorbells, 64), 64);
    cr_assert_eq(doorbells[3].offset, 0x50);
    cr_assert_eq(doorbells[3].data, 3);
    cr_assert_eq(ops_of(con)->doorbells(con, 0, doorbells, 5), 5);

    set_up_transmit(con, 0x10000);
    cr_assert_str_eq(vdf_test_read("console/con0/status"), "0x0f");
    uint8_t *at = vdf_memory_at(&memory, 0x10000, 0x2000);
    vdf_store_le64(at, 0x11000);
    vdf_store_le32(at + 8, 5);
    memcpy(at + 0x1000, "hello", 5);
    vdf_store_le16(at + 0x402, 1);
    ops_of(con)->ring(con, 0, 1);
    struct vdf_test_file *data = vdf_test_open("console/con0/ports/0/data", O_RDONLY, &error);
    cr_assert_eq(vdf_test_file_read(data, bytes, sizeof(bytes)), 5);
    cr_assert_str_eq(bytes, "hello");
    vdf_test_close(data);
    cr_assert_eq(vdf_load_le16(at + 0x802), 1);
    cr_assert_eq(rises, 1);
    store(con, 0, 0x64, 4, 1);
    cr_assert_eq(falls, 1);

    vdf_guest_detach(con, 0);
    cr_assert_str_eq(vdf_test_read("console/con0/driver"), "none");
    cr_assert_str_eq(vdf_test_read("console/con0/status"), "0x00");
    cr_assert_eq(vdf_test_write("console/con0/driver", "soft"), 0);
}

Test(guest, console_ring_outside_of_the_guests_memory)
{
    struct vdf_obj *con = vdf_test_obj("console/con0");

    cr_assert_eq(attach(con, 0), 0);
    set_up_transmit(con, 0x1ffc00); /* in the console's own 16 MiB, but not in these 2 */
    cr_assert_str_eq(vdf_test_read("console/con0/status"), "0x4f");
    vdf_guest_detach(con, 0);
}

/* --- aplic --------------------------------------------------------------------------------------
 */

Test(guest, aplic_sends_numbers_by_way_of_its_parts)
{
    struct vdf_obj *aplic = vdf_test_obj("aplic/aplic0");
    const struct vdf_guest_ops *ops = ops_of(aplic);
    uint32_t part;

    cr_assert_eq(ops->part(aplic, "", &part, NULL), 0);
    cr_assert_eq(part, 0);
    cr_assert_eq(ops->part(aplic, "imsic/1", &part, NULL), 0);
    cr_assert_eq(part, 2);
    cr_assert_eq(ops->part(aplic, "imsic/2", &part, NULL), -ENODEV);
    cr_assert_eq(ops->part(aplic, "imsic/", &part, NULL), -ENODEV);
    cr_assert_eq(vdf_guest_size(aplic, 0), 0x4000);
    cr_assert_eq(vdf_guest_size(aplic, 2), 0x1000);

    cr_assert_eq(attach(aplic, 0), 0);
    cr_assert_eq(attach(aplic, 0), -EBUSY);
    struct vdf_guest g = guest();
    g.machine = &other_machine;
    cr_assert_eq(vdf_guest_attach(aplic, 2, &g, true, NULL), -EBUSY);
    g.machine = &machine;
    g.vector = 100;
    cr_assert_eq(vdf_guest_attach(aplic, 2, &g, true, NULL), 0);

    store(aplic, 0, 0x3000, 4, 0u << 18 | 5);
    cr_assert_eq(messages, 0);
    for (unsigned h = 0; h < 2; h++) {
        char file[64];
        snprintf(file, sizeof(file), "aplic/aplic0/imsic/%u/eidelivery", h);
        cr_assert_eq(vdf_test_write(file, "1"), 0);
        snprintf(file, sizeof(file), "aplic/aplic0/imsic/%u/enabled", h);
        cr_assert_eq(vdf_test_write(file, "5 6 7 9"), 0);
    }
    cr_assert_eq(messages, 1);
    cr_assert_eq(last_data, 32 + 5);
    cr_assert_eq(last_address, 0);
    store(aplic, 2, 0, 4, 9);
    cr_assert_eq(messages, 2);
    cr_assert_eq(last_data, 100 + 9);
    cr_assert_eq(last_address >> 12, 1);
    uint64_t value;
    cr_assert_eq(vdf_guest_read(aplic, 0, 0x1bc0, 4, &value, NULL), -ENODEV);
    cr_assert_eq(vdf_guest_read(aplic, 0, 0, 8, &value, NULL), -EOPNOTSUPP);
    vdf_guest_detach(aplic, 2);
    store(aplic, 0, 0x3000, 4, 1u << 18 | 6);
    cr_assert_eq(last_data, 32 + 6);
    vdf_guest_detach(aplic, 0);
    cr_assert_eq(vdf_test_write("aplic/aplic0/genmsi", "7"), 0);
    cr_assert_eq(messages, 3);
    /* A new guest gets the pending interrupts of hart 0; a restored one has them. */
    cr_assert_eq(vdf_guest_attach(aplic, 1, &g, false, NULL), 0);
    cr_assert_eq(messages, 3);
    vdf_guest_detach(aplic, 1);
    cr_assert_eq(vdf_guest_attach(aplic, 1, &g, true, NULL), 0);
    cr_assert_eq(messages, 5);
    cr_assert_eq(last_data, 100 + 7);
    vdf_guest_detach(aplic, 1);
}

/* A guest that claims once for each message gets every interrupt of a line that stays high. */
Test(guest, aplic_with_idcs_sends_a_message_for_each_claim)
{
    static const char *const steps[][2] = {
        { "delivery", "direct" },   { "aia/srcs", "8" },    { "init", "1" },
        { "domaincfg", "0x100" },   { "sourcecfg/1", "6" }, { "sourcecfg/2", "6" },
        { "setie/0", "6" },         { "wire/1", "1" },      { "wire/2", "1" },
        { "idc/0/idelivery", "1" },
    };
    struct vdf_guest g = guest();

    vdf_test_mkdir("aplic/d");
    struct vdf_obj *aplic = vdf_test_obj("aplic/d");
    g.line_is_message = true;
    cr_assert_eq(vdf_guest_attach(aplic, 0, &g, true, NULL), 0);
    for (size_t k = 0; k < sizeof(steps) / sizeof(steps[0]); k++) {
        char path[64];
        snprintf(path, sizeof(path), "aplic/d/%s", steps[k][0]);
        cr_assert_eq(vdf_test_write(path, steps[k][1]), 0, "%s", vdf_test_last_error());
    }
    cr_assert_eq(rises, 1);
    vdf_test_write("aplic/d/wire/1", "0");
    cr_assert_eq(load(aplic, 0, 0x401c, 4), 2 << 16 | 1);
    cr_assert_eq(rises, 2);
    vdf_test_write("aplic/d/wire/2", "0");
    cr_assert_eq(load(aplic, 0, 0x401c, 4), 0);
    cr_assert_eq(rises, 2);
    vdf_guest_detach(aplic, 0);
}

/* A dump of the registers' pages: every aligned word of the control region is read. */
Test(guest, a_dump_of_an_aplic_with_idcs_is_silent)
{
    vdf_test_mkdir("aplic/d");
    vdf_test_write("aplic/d/delivery", "direct");
    vdf_test_write("aplic/d/aia/srcs", "40");
    cr_assert_eq(vdf_test_write("aplic/d/init", "1"), 0);
    struct vdf_obj *aplic = vdf_test_obj("aplic/d");

    cr_assert_eq(attach(aplic, 0), 0);
    for (uint64_t offset = 0; offset < vdf_guest_size(aplic, 0); offset += 4) {
        uint64_t value;
        cr_assert_eq(vdf_guest_read(aplic, 0, offset, 4, &value, NULL), 0, "0x%x",
                     (unsigned)offset);
    }
    cr_assert_str_eq(vdf_test_read("errors"), "");
    vdf_guest_detach(aplic, 0);
}

/* --- gait ---------------------------------------------------------------------------------------
 */

Test(guest, gait_function_lives_in_the_guests_memory)
{
    vdf_test_write("gait/gait0/enabled", "1");
    vdf_test_mkdir("gait/gait0/guests/g");
    vdf_test_mkdir("gait/gait0/functions/f");
    struct vdf_obj *f = vdf_test_obj("gait/gait0/functions/f");

    cr_assert_eq(attach(f, 0), -ENODEV);
    vdf_test_write("gait/gait0/functions/f/guest", "g");
    cr_assert_eq(attach(f, 0), 0);
    cr_assert_eq(vdf_test_rmdir("gait/gait0/guests/g"), -EBUSY);
    vdf_test_write("gait/gait0/functions/f/isc", "3");
    /* Beyond the 1 MiB that the guest has of its own. */
    vdf_test_write("gait/gait0/functions/f/ibv", "0x1ff000");
    cr_assert_eq(vdf_test_write("gait/gait0/functions/f/registered", "1"), 0);
    cr_assert_eq(vdf_test_write("gait/gait0/functions/f/signal", "9"), 0);
    cr_assert_eq(messages, 1);
    cr_assert_eq(last_data, 32 + 3);
    cr_assert_eq(*(uint8_t *)vdf_memory_at(&memory, 0x1ff001, 1), 0x40);
    uint64_t value;
    cr_assert_eq(vdf_guest_read(f, 0, 0, 4, &value, NULL), -ENODEV);
    vdf_guest_detach(f, 0);
    cr_assert_str_eq(vdf_test_read("gait/gait0/functions/f/registered"), "0");
    cr_assert_eq(vdf_test_rmdir("gait/gait0/guests/g"), 0);
}

/* --- hwqueue ------------------------------------------------------------------------------------
 */

Test(guest, hwqueue_takes_commands_from_the_guests_memory)
{
    vdf_test_mkdir("hwqueue/smmu0/queues/0");
    struct vdf_obj *dev = vdf_test_obj("hwqueue/smmu0");
    struct vdf_obj *queue = vdf_test_obj("hwqueue/smmu0/queues/0");

    vdf_test_write("hwqueue/smmu0/doorbell", "trapped");
    cr_assert_eq(vdf_test_write("hwqueue/smmu0/ioas/map", "0 0x200000"), 0);
    cr_assert_eq(attach(dev, 0), 0);
    cr_assert_eq(attach(queue, 0), 0);
    cr_assert_eq(ops_of(queue)->page(queue, 0), NULL);
    struct vdf_guest small = guest();
    struct vdf_memory page;
    vdf_memory_init(&page, "small", 4096);
    struct vdf_space page_space = vdf_space_of(&page);
    small.space = &page_space;
    small.machine = &other_machine;
    cr_assert_eq(vdf_guest_attach(queue, 0, &small, true, NULL), -EBUSY);

    store(dev, 0, 0x20000, 8, 0x10000 | 4);
    store(queue, 0, 0x8, 4, 1);
    cr_assert_eq(load(queue, 0, 0xc, 4), 1);
    uint8_t *ring = vdf_memory_at(&memory, 0x10000, 256);
    vdf_store_le64(ring, 0x46);
    vdf_store_le64(ring + 16, 0x01);
    store(queue, 0, 0x4, 4, 1);
    cr_assert_eq(load(queue, 0, 0, 4), 1);
    cr_assert_eq(rises, 0);
    store(queue, 0, 0x4, 4, 2);
    cr_assert_eq(load(queue, 0, 0, 4), 0x01000001);
    cr_assert_eq(rises, 1);
    vdf_guest_detach(queue, 0);
    vdf_guest_detach(dev, 0);

    /* A mapping beyond the guest's memory makes attaching fail. */
    cr_assert_eq(vdf_guest_attach(dev, 0, &small, true, NULL), -EINVAL);
    vdf_memory_free(&page);
}

/* A mapping of the guest's memory that the device has not enough of goes with the guest, and with
 * it the queue there: what is left can be restored. */
Test(guest, hwqueue_leaves_what_only_the_guest_has)
{
    vdf_test_mkdir("hwqueue/smmu0/queues/0");
    vdf_test_mkdir("hwqueue/smmu0/queues/1");
    struct vdf_obj *dev = vdf_test_obj("hwqueue/smmu0");
    struct vdf_memory large;
    struct vdf_guest g = guest();

    vdf_memory_init(&large, "large", 4u << 20);
    struct vdf_space large_space = vdf_space_of(&large);
    g.space = &large_space;
    cr_assert_eq(vdf_guest_attach(dev, 0, &g, true, NULL), 0);
    cr_assert_eq(vdf_test_write("hwqueue/smmu0/ioas/map", "0x100000 0x1000 0x1000"), 0);
    cr_assert_eq(vdf_test_write("hwqueue/smmu0/ioas/map", "0x200000 0x1000 0x300000"), 0);
    cr_assert_eq(vdf_test_write("hwqueue/smmu0/queues/0/base", "0x200000"), 0);
    cr_assert_eq(vdf_test_write("hwqueue/smmu0/queues/0/enable", "1"), 0);
    cr_assert_eq(vdf_test_write("hwqueue/smmu0/queues/1/base", "0x100000"), 0);
    cr_assert_eq(vdf_test_write("hwqueue/smmu0/queues/1/enable", "1"), 0);
    vdf_guest_detach(dev, 0);
    vdf_memory_free(&large);
    cr_assert_str_eq(vdf_test_read("hwqueue/smmu0/ioas/mappings"), "0x100000 0x1000 0x1000");
    cr_assert_str_eq(vdf_test_read("hwqueue/smmu0/queues/0/enable"), "0");
    cr_assert_str_eq(vdf_test_read("hwqueue/smmu0/queues/1/enable"), "0");
    char *state = strdup(vdf_test_read("hwqueue/smmu0/state"));
    cr_assert_eq(vdf_test_write("hwqueue/smmu0/state", state), 0, "%s", vdf_test_last_error());
    cr_assert_str_eq(vdf_test_read("hwqueue/smmu0/state"), state);
    free(state);
}

static unsigned remaps;

static void remap(void *ctx)
{
    remaps++;
}

Test(guest, hwqueue_page_follows_doorbell)
{
    vdf_test_mkdir("hwqueue/smmu0/queues/0");
    struct vdf_obj *queue = vdf_test_obj("hwqueue/smmu0/queues/0");
    const struct vdf_guest_ops *ops = ops_of(queue);
    struct vdf_guest g = guest();

    g.remap = remap;
    cr_assert_eq(vdf_guest_attach(queue, 0, &g, true, NULL), 0);
    struct vdf_memory *page = ops->page(queue, 0);
    cr_assert(page && page->size == 4096);
    cr_assert_eq(vdf_test_write("hwqueue/smmu0/doorbell", "trapped"), 0);
    cr_assert_eq(remaps, 1);
    cr_assert_eq(ops->page(queue, 0), NULL);
    cr_assert_eq(vdf_test_write("hwqueue/smmu0/doorbell", "mapped"), 0);
    cr_assert_eq(remaps, 2);
    cr_assert_eq(ops->page(queue, 0), page);
    /* A guest that stands still has all done that it stored. */
    ops->runs(queue, 0, true);
    vdf_store_le32(page->base + 8, 1);
    ops->runs(queue, 0, false);
    cr_assert_str_eq(vdf_test_read("hwqueue/smmu0/queues/0/config"), "0x00000001");
    vdf_guest_detach(queue, 0);
}

/* --- intx ---------------------------------------------------------------------------------------
 */

Test(guest, intx_end_of_interrupt_raises_again)
{
    vdf_test_mkdir("intx/bus0/devices/d");
    struct vdf_obj *dev = vdf_test_obj("intx/bus0/devices/d");

    cr_assert_eq(attach(dev, 0), 0);
    ops_of(dev)->eoi(dev, 0); /* not enabled: of no effect */
    falls = 0;
    vdf_test_write("intx/bus0/devices/d/enabled", "1");
    vdf_test_write("intx/bus0/devices/d/assert", "1");
    cr_assert_eq(rises, 1);
    ops_of(dev)->eoi(dev, 0);
    cr_assert_eq(falls, 1);
    cr_assert_eq(rises, 2);
    vdf_test_write("intx/bus0/devices/d/assert", "0");
    ops_of(dev)->eoi(dev, 0);
    cr_assert_eq(falls, 2);
    cr_assert_eq(rises, 2);
    cr_assert_eq(load(dev, 0, 0, 4), 0x00051b36);
    store(dev, 0, 5, 1, 4); /* command bit 10, one byte */
    cr_assert_str_eq(vdf_test_read("intx/bus0/devices/d/guest_mask"), "1");
    cr_assert_eq(load(dev, 0, 4, 2), 0x0400);
    vdf_guest_detach(dev, 0);
}

Test(guest, intx_device_has_one_guest_that_can_end_its_interrupt)
{
    vdf_test_mkdir("intx/bus0/devices/d");
    struct vdf_obj *dev = vdf_test_obj("intx/bus0/devices/d");
    struct vdf_guest g = guest();

    cr_assert_eq(attach(dev, 0), 0);
    cr_assert_eq(attach(dev, 0), -EBUSY);
    g.machine = &other_machine;
    cr_assert_eq(vdf_guest_attach(dev, 0, &g, true, NULL), -EBUSY);
    /* The first one is still there. */
    vdf_test_write("intx/bus0/devices/d/enabled", "1");
    vdf_test_write("intx/bus0/devices/d/assert", "1");
    cr_assert_eq(rises, 1);
    vdf_test_write("intx/bus0/devices/d/enabled", "0");
    vdf_guest_detach(dev, 0);

    g.line_is_message = true;
    cr_assert_eq(vdf_guest_attach(dev, 0, &g, true, NULL), -EINVAL);
    cr_assert_eq(vdf_test_write("intx/bus0/devices/d/guest_type", "msi"), 0);
    cr_assert_eq(vdf_guest_attach(dev, 0, &g, true, NULL), 0);
    cr_assert_eq(vdf_test_write("intx/bus0/devices/d/guest_type", "intx"), -EBUSY);
    vdf_guest_detach(dev, 0);
    cr_assert_eq(vdf_test_write("intx/bus0/devices/d/guest_type", "intx"), 0);
}
