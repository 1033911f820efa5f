/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Devices of a guest in another process: its memory has several regions, some without memory here, and
 * changes while the devices are attached. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <virtdevfs/guest.h>

#include "backends/hwqueue/vcmdq.h"
#include "fs/tree/tree.h"
#include "skip.h"
#include "test_hwqueue.h"

#define LOW_SIZE (UINT64_C(1) << 20)
#define HIGH (UINT64_C(4) << 30)
#define REMOTE 0x40000000u
#define REMOTE_SIZE 0x10000u

static struct vdf_memory low, high;
static uint8_t elsewhere[REMOTE_SIZE];
static unsigned asked;
static int answer; /* of the other process: 0 or -errno */
static unsigned messages;
static char machine;

static int remote_read(void *ctx, uint64_t addr, void *to, size_t n)
{
    asked++;
    if (!answer)
        memcpy(to, elsewhere + (addr - REMOTE), n);
    return answer;
}

static int remote_write(void *ctx, uint64_t addr, const void *from, size_t n)
{
    asked++;
    if (!answer)
        memcpy(elsewhere + (addr - REMOTE), from, n);
    return answer;
}

static const struct vdf_remote_memory remote = { .read = remote_read,
                                                 .write = remote_write,
                                                 .most = 4096 };
static const struct vdf_region regions[] = {
    { .addr = 0, .len = LOW_SIZE / 2, .mem = &low },
    /* Adjacent to the first, and elsewhere in the memory. */
    { .addr = LOW_SIZE / 2, .len = LOW_SIZE / 4, .mem = &low, .offset = LOW_SIZE / 4 * 3 },
    { .addr = REMOTE, .len = REMOTE_SIZE, .remote = &remote },
    { .addr = HIGH, .len = LOW_SIZE, .mem = &high },
};
static struct vdf_space nothing, some, all;

static void message(void *ctx, uint64_t address, uint32_t data)
{
    messages++;
}

static struct vdf_guest guest_of(const struct vdf_space *space)
{
    return (struct vdf_guest){
        .machine = &machine,
        .space = space,
        .irq = { .message = message, .ctx = &machine },
        .remote = true,
    };
}

/* In front of and behind operations for which no thread may be inside any device. */
static void alone(bool begin)
{
    struct vdf_tree *tree = vdf_test_obj("")->device->tree;

    if (begin)
        vdf_tree_enter_exclusive(tree);
    else
        vdf_tree_leave_exclusive(tree, NULL);
}

static void attach(const char *path, const struct vdf_space *space)
{
    struct vdf_guest guest = guest_of(space);
    struct vdf_obj *obj = vdf_test_obj(path);
    struct vdf_err err = { 0 };

    alone(true);
    cr_assert_eq(vdf_guest_attach(obj, 0, &guest, true, &err), 0, "%s", err.text);
    alone(false);
}

static void detach(const char *path)
{
    struct vdf_obj *obj = vdf_test_obj(path);

    alone(true);
    vdf_guest_detach(obj, 0);
    alone(false);
}

static void use(const char *path, const struct vdf_space *space)
{
    struct vdf_obj *obj = vdf_test_obj(path);

    alone(true);
    vdf_obj_class(obj)->guest->memory(obj, 0, space);
    alone(false);
}

static void set_up(void)
{
    vdf_test_tree(false);
    vdf_memory_init(&low, "low", LOW_SIZE);
    vdf_memory_init(&high, "high", LOW_SIZE);
    memset(elsewhere, 0, sizeof(elsewhere));
    nothing = (struct vdf_space){ 0 };
    some = (struct vdf_space){ .n = 1, .regions = regions };
    all = (struct vdf_space){ .n = 4, .regions = regions };
    asked = messages = 0;
    answer = 0;
}

static void tear_down(void)
{
    vdf_memory_free(&low);
    vdf_memory_free(&high);
    vdf_test_tree_free();
}

TestSuite(guest_memory, .init = set_up, .fini = tear_down);

/* --- VCMDQs ----------------------------------------------------------------------------------- */

/* Queue 0 with 16 commands at @base. */
static void start_ring(const char *base)
{
    if (!vdf_test_exists(DEV "queues/0"))
        cr_assert_eq(vdf_test_mkdir(DEV "queues/0"), 0);
    put(DEV "doorbell", "trapped");
    put(Q0 "base", base);
    put(Q0 "log2size", "4");
    put(Q0 "enable", "1");
    is(Q0 "status", "0x00000001");
}

static void store_sync(uint8_t *at)
{
    vdf_store_le64(at, SYNC);
    vdf_store_le64(at + 8, 0);
}

Test(guest_memory, vcmdq_in_a_high_region)
{
    attach("hwqueue/smmu0", &all);
    put(DEV "ioas/map", "0x100000 0x10000 0x100000000");
    start_ring("0x100000");
    store_sync(vdf_memory_at(&high, 0, 16));
    put(Q0 "prod", "1");
    is(Q0 "cons", "0x00000001");
    cr_assert_eq(asked, 0);
    detach("hwqueue/smmu0");
    is(DEV "ioas/mappings", "");
}

/* The ring begins in one region and ends in the next: 64 KiB of commands. */
Test(guest_memory, vcmdq_across_regions)
{
    attach("hwqueue/smmu0", &all);
    put(DEV "ioas/map", "0 0x90000");
    cr_assert_eq(vdf_test_mkdir(DEV "queues/0"), 0);
    put(DEV "doorbell", "trapped");
    put(Q0 "base", "0");
    put(Q0 "log2size", "15"); /* 0x80000 bytes: all of the first region */
    put(Q0 "enable", "1");
    store_sync(vdf_memory_at(&low, 0, 16));
    put(Q0 "prod", "1");
    is(Q0 "cons", "0x00000001");
    put(Q0 "enable", "0");

    cr_assert_eq(vdf_test_write(DEV "ioas/unmap", "0 0x90000"), 0);
    put(DEV "ioas/map", "0 0x2000 0x7f000");
    put(Q0 "log2size", "4");
    put(Q0 "base", "0x1000");
    put(Q0 "enable", "1");
    store_sync(vdf_memory_at(&low, LOW_SIZE / 4 * 3, 16));
    put(Q0 "prod", "1");
    is(Q0 "cons", "0x00000001");
}

Test(guest_memory, vcmdq_by_messages)
{
    char text[64];

    attach("hwqueue/smmu0", &all);
    put(DEV "ioas/map", "0x100000 0x10000 0x40000000");
    start_ring("0x100000");
    put(DEV "global/config", "0x100001");
    put(Q0 "cons_base", "0x108000");
    for (unsigned k = 0; k < 16; k++)
        store_sync(elsewhere + 16 * k);
    put(Q0 "prod", "16");
    is(Q0 "cons", "0x00000010");
    cr_assert_eq(vdf_load_le32(elsewhere + 0x8000), 16);
    cr_assert_leq(asked, 4, "not one message for each command");

    /* `entries` is the same memory. */
    cr_assert_eq(vdf_test_pwrite(Q0 "entries", "0123456789abcdef", 16, 16), 16);
    cr_assert_arr_eq(elsewhere + 16, "0123456789abcdef", 16);
    cr_assert_eq(vdf_test_pread(Q0 "entries", text, 16, 0), 16);
    cr_assert_eq(vdf_load_le64(text), SYNC);

    /* The other process does not answer: the fetch aborts. */
    answer = -ETIMEDOUT;
    put(Q0 "prod", "17");
    is(Q0 "cons", "0x02000010");
    cr_assert_eq(vdf_test_pread(Q0 "entries", text, 16, 0), -ENOMEM);
}

/* A mapping of memory that is not there waits for it. */
Test(guest_memory, vcmdq_memory_comes_and_goes)
{
    attach("hwqueue/smmu0", &nothing);
    put(DEV "ioas/map", "0x100000 0x10000 0x100000000");
    cr_assert_eq(vdf_test_mkdir(DEV "queues/0"), 0);
    put(DEV "doorbell", "trapped");
    put(Q0 "base", "0x100000");
    put(Q0 "log2size", "4");
    refused(Q0 "enable", "1", EFAULT, "not in its memory");
    use("hwqueue/smmu0", &some);
    refused(Q0 "enable", "1", EFAULT, "not in its memory");
    use("hwqueue/smmu0", &all);
    put(Q0 "enable", "1");
    for (unsigned k = 0; k < 4; k++)
        store_sync(vdf_memory_at(&high, k * 16, 16));
    put(Q0 "prod", "1");
    is(Q0 "cons", "0x00000001");

    /* Other memory is there, not the ring: the fetch aborts. */
    use("hwqueue/smmu0", &some);
    put(Q0 "prod", "2");
    is(Q0 "cons", "0x02000001");
    is(Q0 "gerror", "0x00000001");
    use("hwqueue/smmu0", &all);
    put(Q0 "gerrorn", "1");
    is(Q0 "cons", "0x00000002");

    /* No memory at all: the guest is not there, and its commands wait. */
    use("hwqueue/smmu0", &nothing);
    put(Q0 "prod", "3");
    is(Q0 "cons", "0x00000002");
    use("hwqueue/smmu0", &all);
    is(Q0 "cons", "0x00000003");
}

/* Of commands that are fetched together, those that are there are executed. */
Test(guest_memory, vcmdq_loses_a_part_of_its_ring)
{
    struct vdf_region half = { .addr = HIGH, .len = 4096, .mem = &high };
    struct vdf_space shrunk = { .n = 1, .regions = &half };

    attach("hwqueue/smmu0", &all);
    put(DEV "ioas/map", "0x100000 0x10000 0x100000000");
    cr_assert_eq(vdf_test_mkdir(DEV "queues/0"), 0);
    put(DEV "doorbell", "trapped");
    put(Q0 "base", "0x100000");
    put(Q0 "log2size", "9");
    put(Q0 "enable", "1");
    for (unsigned k = 0; k < 300; k++)
        store_sync(vdf_memory_at(&high, k * 16, 16));
    put(Q0 "prod", "250");
    is(Q0 "cons", "0x000000fa");
    use("hwqueue/smmu0", &shrunk);
    put(Q0 "prod", "300");
    is(Q0 "cons", "0x02000100");
}

/* A machine of vm/ has all of its memory from the start: mappings of other addresses are refused. */
Test(guest_memory, hwqueue_mappings_of_holes)
{
    struct vdf_guest guest = guest_of(&all);
    struct vdf_obj *dev = vdf_test_obj("hwqueue/smmu0");

    guest.remote = false;
    cr_assert_eq(vdf_guest_attach(dev, 0, &guest, true, NULL), 0);
    put(DEV "ioas/map", "0x100000 0x2000 0x7f000");
    cr_assert_eq(vdf_test_write(DEV "ioas/map", "0x200000 0x2000 0xbf000"), -EFAULT);
    cr_assert(strstr(vdf_test_last_error(), "attached guest"), "%s", vdf_test_last_error());
    cr_assert_eq(vdf_test_write(DEV "ioas/map", "0x200000 0x1000 0x100100000"), -EFAULT);
    put(DEV "ioas/map", "0x200000 0x1000 0x1000ff000");
    vdf_guest_detach(dev, 0);

    put(DEV "ioas/map", "0x300000 0x1000 0x1f0000");
    struct vdf_err err = { 0 };
    cr_assert_eq(vdf_guest_attach(dev, 0, &guest, true, &err), -EINVAL);
    cr_assert(strstr(err.text, "0x300000 is mapped beyond"), "%s", err.text);
}

/* The state of a device whose guest's memory changes says no size, and goes on with the next guest. */
Test(guest_memory, hwqueue_state)
{
    attach("hwqueue/smmu0", &all);
    put(DEV "ioas/map", "0x100000 0x10000 0x100000000");
    start_ring("0x100000");
    char *state = strdup(vdf_test_read(DEV "state"));
    cr_assert(strstr(state, "\nvm_memory = 18446744073709551615\n"), "%s", state);
    detach("hwqueue/smmu0");
    put(DEV "state", state);
    free(state);
    is(Q0 "enable", "1");
    put(Q0 "prod", "1");
    is(Q0 "cons", "0x00000000");

    struct vdf_guest guest = guest_of(&nothing);
    cr_assert_eq(vdf_guest_attach(vdf_test_obj("hwqueue/smmu0"), 0, &guest, false, NULL), 0);
    store_sync(vdf_memory_at(&high, 0, 16));
    use("hwqueue/smmu0", &all);
    is(Q0 "cons", "0x00000001");
}

/* --- pages of queues -------------------------------------------------------------------------- */

static uint8_t *map_page(const struct vdf_memory *page)
{
    uint64_t offset;
    int fd = vdf_memory_file(page, &offset);

    cr_assert_geq(fd, 0);
    uint8_t *at = mmap(NULL, page->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);
    cr_assert_neq(at, MAP_FAILED);
    return at;
}

static unsigned remaps;

static void remap(void *ctx)
{
    remaps++;
}

/* Another process maps the page itself. The engine polls it while the guest runs. */
Test(guest_memory, vcmdq_page_by_its_descriptor)
{
    cr_assert_eq(vdf_test_mkdir(DEV "queues/0"), 0);
    struct vdf_obj *obj = vdf_test_obj(DEV "queues/0");
    const struct vdf_guest_ops *ops = vdf_obj_class(obj)->guest;
    struct vdf_vcmdq *queue = vdf_obj_priv(obj);
    struct vdf_guest guest = guest_of(&all);

    guest.remap = remap;
    cr_assert_eq(vdf_guest_attach(obj, 0, &guest, true, NULL), 0);
    cr_assert_eq(ops->page(obj, 0), &queue->page);
    cr_assert_null(queue->wire.mem.base, "no tripwire");
    uint8_t *page = map_page(&queue->page);
    cr_assert_null(queue->poller);
    ops->runs(obj, 0, true);
    cr_assert_not_null(queue->poller);
    vdf_store_le32(page + 8, 1);
    ops->runs(obj, 0, false);
    cr_assert_null(queue->poller);
    is(Q0 "config", "0x00000001");

    put(DEV "doorbell", "trapped");
    cr_assert_eq(remaps, 1);
    cr_assert_null(ops->page(obj, 0));
    ops->runs(obj, 0, true);
    cr_assert_null(queue->poller);
    put(DEV "doorbell", "mapped");
    cr_assert_not_null(queue->poller);
    vdf_guest_detach(obj, 0);
    cr_assert_null(queue->poller);
    munmap(page, VDF_PAGE_SIZE);
}

static bool cons_becomes(const char *text)
{
    const struct timespec moment = { .tv_nsec = 1000000 };
    bool is = false;

    for (unsigned n = 0; !is && n < 10000; n++) {
        is = strcmp(vdf_test_read(Q0 "cons"), text) == 0;
        nanosleep(&moment, NULL);
    }
    return is;
}

/* No call tells of the stores: the engine finds them. */
Test(guest_memory, vcmdq_page_is_polled)
{
    if (!vdf_test_tree_with_engine(VDF_ENGINE_AUTO, false))
        return;
    cr_assert_eq(vdf_test_mkdir(DEV "queues/0"), 0);
    struct vdf_obj *obj = vdf_test_obj(DEV "queues/0");
    const struct vdf_guest_ops *ops = vdf_obj_class(obj)->guest;
    struct vdf_guest guest = guest_of(&all);

    alone(true);
    cr_assert_eq(vdf_guest_attach(obj, 0, &guest, true, NULL), 0);
    uint8_t *page = map_page(ops->page(obj, 0));
    ops->runs(obj, 0, true);
    alone(false);
    put(DEV "ioas/map", "0x100000 0x10000 0x40000000");
    put(Q0 "base", "0x100000");
    put(Q0 "log2size", "4");
    for (unsigned k = 0; k < 16; k++)
        store_sync(elsewhere + k * 16);
    vdf_store_le32(page + 8, 1);
    vdf_store_le32(page + 4, 3);
    cr_assert(cons_becomes("0x00000003"), "%s", vdf_test_read(Q0 "cons"));
    cr_assert_eq(vdf_load_le32(page), 3);

    /* A guest that stands still has all done, and then nothing more. */
    vdf_store_le32(page + 4, 4);
    alone(true);
    ops->runs(obj, 0, false);
    cr_assert_eq(vdf_load_le32(page), 4);
    vdf_store_le32(page + 4, 5);
    alone(false);
    is(Q0 "cons", "0x00000004");
    alone(true);
    ops->runs(obj, 0, true);
    alone(false);
    cr_assert(cons_becomes("0x00000005"), "%s", vdf_test_read(Q0 "cons"));
    alone(true);
    vdf_guest_detach(obj, 0);
    alone(false);
    munmap(page, VDF_PAGE_SIZE);
}

/* The pages of the mock are parts of one memory. */
Test(guest_memory, selftest_pages_by_their_descriptor)
{
    put(DEV "type", "selftest");
    put(DEV "viommu_data", "0x12345678");
    cr_assert_eq(vdf_test_mkdir(DEV "queues/0"), 0);
    cr_assert_eq(vdf_test_mkdir(DEV "queues/1"), 0);
    for (unsigned k = 0; k < 2; k++) {
        struct vdf_obj *obj = vdf_test_obj(k ? DEV "queues/1" : DEV "queues/0");
        struct vdf_guest guest = guest_of(&all);
        char bytes[4];

        cr_assert_eq(vdf_guest_attach(obj, 0, &guest, true, NULL), 0);
        struct vdf_memory *memory = vdf_obj_class(obj)->guest->page(obj, 0);
        cr_assert_not_null(memory);
        uint8_t *page = map_page(memory);
        cr_assert_eq(vdf_load_le32(page), k ? 0 : 0x12345678);
        memcpy(page + 64, "abc", 4);
        cr_assert_eq(vdf_test_pread(k ? Q1 "page" : Q0 "page", bytes, 4, 64), 4);
        cr_assert_str_eq(bytes, "abc");
        munmap(page, VDF_PAGE_SIZE);
        vdf_guest_detach(obj, 0);
    }
}

/* --- the kernel's objects ---------------------------------------------------------------------- */

/* The kernel maps pages of this process: each mapping is in one region that has memory here. */
Test(guest_memory, iommufd)
{
    struct vdf_region moved = { .addr = HIGH, .len = LOW_SIZE, .mem = &low };
    struct vdf_space other = { .n = 1, .regions = &moved };

    if (!vdf_test_tree_with_engine(VDF_ENGINE_AUTO, false))
        return;
    put(DEV "type", "selftest");
    put(DEV "host", "mock");
    if (vdf_test_write(DEV "backend", "iommufd"))
        skip_test("%s", vdf_test_last_error());
    attach("hwqueue/smmu0", &all);
    is(DEV "backend", "iommufd");
    put(DEV "ioas/map", "0x1000000 0x10000 0x100000000");
    put(DEV "ioas/map", "0x2000000 0x10000 0x1000f0000");
    refused(DEV "ioas/map", "0x3000000 0x1000 0x40000000", EFAULT, "not in one region");
    refused(DEV "ioas/map", "0x3000000 0x2000 0x7f000", EFAULT, "not in one region");
    cr_assert_eq(vdf_test_write(DEV "ioas/map", "0x3000000 0x1000 0x30000000"), -EFAULT);
    cr_assert_eq(vdf_test_mkdir(DEV "queues/0"), 0);
    put(Q0 "queue_type", "0xdeadbeef");
    put(Q0 "base", "0x1000000");
    put(Q0 "length", "0x1000");
    put(Q0 "enable", "1");

    /* The same addresses, other pages: all objects are made again. */
    use("hwqueue/smmu0", &other);
    is(DEV "backend", "iommufd");
    is(Q0 "enable", "1");
    /* The memory is gone: the model takes over, which has no queue where there is no memory. */
    use("hwqueue/smmu0", &some);
    is(DEV "backend", "soft");
    is(Q0 "enable", "0");
    is(DEV "ioas/mappings", "0x1000000 0x10000 0x100000000\n0x2000000 0x10000 0x1000f0000");
    detach("hwqueue/smmu0");
}

/* --- an AMD IOMMU ----------------------------------------------------------------------------- */

#define CMD DEV "queues/cmd/"
#define EVENT DEV "queues/event/"

/* COMPLETION_WAIT with a store of @data to 0x104000. */
static void completion_wait(unsigned slot, uint64_t data)
{
    vdf_store_le64(elsewhere + slot * 16, UINT64_C(0x10000000) << 32 | 0x104000 | 1);
    vdf_store_le64(elsewhere + slot * 16 + 8, data);
    cr_assert_eq(vdf_test_write_u64(CMD "tail", (slot + 1) * 16), 0);
}

static void start_amd(void)
{
    put(DEV "type", "amd");
    attach("hwqueue/smmu0", &all);
    put(DEV "ioas/map", "0x100000 0x10000 0x40000000");
    put(CMD "base", "0x100000");
    put(EVENT "base", "0x101000");
    put(CMD "length", "8");
    put(EVENT "length", "8");
    put(CMD "enable", "1");
    put(EVENT "enable", "1");
}

Test(guest_memory, amd_by_messages)
{
    start_amd();
    completion_wait(0, 0x1122334455667788);
    is(CMD "head", "0x0000000000000010");
    cr_assert_eq(vdf_load_le64(elsewhere + 0x4000), 0x1122334455667788);
    put(DEV "queues/event/inject", "IO_PAGE_FAULT 1 2 0x3000");
    cr_assert_eq(vdf_load_le64(elsewhere + 0x1008), 0x3000);

    answer = -ETIMEDOUT;
    completion_wait(1, 1);
    is(CMD "run", "0");
    is(CMD "head", "0x0000000000000010");
    is(EVENT "run", "0");
    is(EVENT "overflow", "1");
}

Test(guest_memory, amd_memory_comes_and_goes)
{
    start_amd();
    use("hwqueue/smmu0", &nothing);
    completion_wait(0, 5);
    is(CMD "run", "1");
    is(CMD "head", "0x0000000000000000");
    use("hwqueue/smmu0", &all);
    is(CMD "head", "0x0000000000000010");
    cr_assert_eq(vdf_load_le64(elsewhere + 0x4000), 5);
    use("hwqueue/smmu0", &some);
    completion_wait(1, 6);
    is(CMD "run", "0");
    is(CMD "head", "0x0000000000000010");
}

/* --- gait ------------------------------------------------------------------------------------- */

#define F "gait/gait0/functions/f/"

static void start_gait(const char *ibv, const char *sb)
{
    put("gait/gait0/enabled", "1");
    cr_assert_eq(vdf_test_mkdir("gait/gait0/guests/g"), 0);
    cr_assert_eq(vdf_test_mkdir("gait/gait0/functions/f"), 0);
    put(F "guest", "g");
    put(F "isc", "3");
    attach("gait/gait0/functions/f", &all);
    put(F "ibv", ibv);
    put(F "sb", sb);
}

Test(guest_memory, gait_bits_in_two_regions)
{
    start_gait("0x7ffc0", "0x80040");
    put(F "registered", "1");
    put(F "signal", "9");
    cr_assert_eq(messages, 1);
    cr_assert_eq(*(uint8_t *)vdf_memory_at(&low, 0x7ffc1, 1), 0x40);
    cr_assert_eq(*(uint8_t *)vdf_memory_at(&low, LOW_SIZE / 4 * 3 + 0x40, 1), 0x80);
    is(F "aibv", "9");

    /* The vector is still there, the summary word is not: the host drops the event. */
    use("gait/gait0/functions/f", &some);
    put(F "signal", "10");
    cr_assert_eq(messages, 1);
    cr_assert(strstr(vdf_test_last_error(), "the event is dropped"), "%s", vdf_test_last_error());
    is(F "aibv", "9\n10");
    use("gait/gait0/functions/f", &nothing);
    cr_assert_eq(vdf_test_write(F "signal", "11"), -EFAULT);
    is(F "aibv", "");
    use("gait/gait0/functions/f", &all);
    put(F "signal", "11");
    cr_assert_eq(messages, 2);
    detach("gait/gait0/functions/f");
    is(F "registered", "0");
}

Test(guest_memory, gait_needs_memory_that_is_mapped_here)
{
    start_gait("0x40000000", "0");
    cr_assert_eq(vdf_test_write(F "registered", "1"), -EIO);
    cr_assert(strstr(vdf_test_last_error(), "that is mapped here"), "%s", vdf_test_last_error());
    put(F "ibv", "0x100000000"); /* the table's addresses cannot say that */
    cr_assert_eq(vdf_test_write(F "registered", "1"), -EIO);
    cr_assert(strstr(vdf_test_last_error(), "below 4 GiB"), "%s", vdf_test_last_error());
    put(F "ibv", "0xc0000");
    cr_assert_eq(vdf_test_write(F "registered", "1"), -EIO);
    cr_assert(strstr(vdf_test_last_error(), "not in memory"), "%s", vdf_test_last_error());
    put(F "ibv", "0");
    put(F "sb", "0x7fffc");
    cr_assert_eq(vdf_test_write(F "registered", "1"), -EIO);
    cr_assert(strstr(vdf_test_last_error(), "in one region"), "%s", vdf_test_last_error());
    put(F "sb", "0x7fff8");
    put(F "registered", "1");
    cr_assert_eq(asked, 0);
}
