/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Saved and restored queues have the same bytes and behaviour, and hostile states are refused. */
#include <fcntl.h>

#include "test_hwqueue.h"
#include "tests/random.h"

TestSuite(hwqueue_state, .fini = vdf_test_tree_free);

static char *save(const char *path)
{
    char *text = strdup(vdf_test_read(path));

    cr_assert_not_null(text);
    cr_assert_neq(text[0], '-', "%s: %s", path, text);
    return text;
}

/* Into the device itself, and by the root's state into a tree that never saw it. */
static void there_and_back(void)
{
    char *device = save(DEV "state"), *root = save("state");

    put(DEV "state", device);
    is(DEV "state", device);
    vdf_test_tree(true);
    put("state", root);
    is("state", root);
    is(DEV "state", device);
    free(device);
    free(root);
}

/* Writes the state with @from replaced by @to, as edited by hand; answers what the write answers.
 */
static int edited(const char *from, const char *to)
{
    char *text = save(DEV "state"), *at = strstr(text, from), *sum = strstr(text, "checksum = ");
    char *out = malloc(strlen(text) + strlen(to) + 32);

    cr_assert(at && sum && at < sum, "%s is not in the state:\n%s", from, text);
    sprintf(out, "%.*s%s%.*schecksum = none\n", (int)(at - text), text, to,
            (int)(sum - at - (long)strlen(from)), at + strlen(from));
    int ret = vdf_test_write(DEV "state", out);
    if (ret < 0)
        is(DEV "state", text);
    free(out);
    free(text);
    return ret;
}

Test(hwqueue_state, untouched)
{
    vdf_test_tree(false);
    there_and_back();
}

Test(hwqueue_state, everything_in_use)
{
    start_queue("8");
    put(DEV "ioas/map", "0x200000 0x1000 0x8000 ro");
    cr_assert_eq(vdf_test_mkdir(DEV "queues/1"), 0);
    for (unsigned k = 10; k < 14; k++) {
        char path[64];
        snprintf(path, sizeof(path), DEV "vdevices/%u", k);
        cr_assert_eq(vdf_test_mkdir(path), 0);
    }
    cr_assert_eq(vdf_test_rmdir(DEV "vdevices/11"), 0);
    cr_assert_eq(vdf_test_mkdir(DEV "vdevices/5"), 0);
    put(DEV "vdevices/5/psid", "77");
    put(DEV "vdevices/13/atc_timeout", "1");
    put(Q1 "base", "0x102000");
    put(Q1 "log2size", "4");
    put(Q1 "enable", "1");
    put(DEV "iotlb/insert", "77 0 0x1000 0x1000 3");
    put(DEV "iotlb/insert", "78 1 0x2000 0x200000 4 global");
    put(DEV "iotlb/atc_insert", "77 0 0x1000 0x1000");
    put(DEV "iotlb/atc_insert", "78 0 0x1000 0x1000 global");
    put(DEV "doorbell", "trapped");
    put(DEV "veventq_depth", "3");
    for (unsigned k = 0; k < 5; k++) {
        run(k == 0 ? 0x30 : SYNC, 0);
        if (k)
            vdf_test_write_u64(Q0 "gerrorn", number(Q0 "gerror"));
    }
    is(Q0 "error", "ILL");
    there_and_back();
    is(DEV "vdevices/5/slot", "1");
    cr_assert_eq(edited("slot = 1\n", "slot = 2\n"), -EINVAL);
    cr_assert_eq(edited("slot = 1\n", "slot = 15\n"), 0);
    is(DEV "vdevices/5/slot", "15");
    cr_assert_eq(edited("slot = 15\n", "slot = 1\n"), 0);
    is(DEV "ioas/mappings", "0x100000 0x10000 0x0\n0x200000 0x1000 0x8000 ro");

    /* It goes on where it was. */
    cr_assert_eq(vdf_test_write(DEV "ioas/unmap", "0x100000 0x10000"), -EBUSY);
    command(0, SYNC, 0);
    vdf_test_write_u64(Q0 "gerrorn", number(Q0 "gerror"));
    is(Q0 "cons", "0x00000005");
    run(ATC_INV(5), 52);
    is(DEV "iotlb/atc_entries", "78 0 0x1000 0x1000 global");
    is(DEV "iotlb/entries", "77 0 0x1000 0x1000 3\n78 1 0x2000 0x200000 4 global");
    /* A state of before the devices had translations of their own has none. */
    cr_assert_eq(edited("iotlb/atc_list = 78 0 0x1000 0x1000 global\n", ""), 0);
    is(DEV "iotlb/atc_entries", "");
    is(DEV "iotlb/entries", "77 0 0x1000 0x1000 3\n78 1 0x2000 0x200000 4 global");
    int error;
    uint8_t bytes[128];
    struct vdf_test_file *file = vdf_test_open(DEV "veventq", O_RDONLY | O_NONBLOCK, &error);
    cr_assert_eq(vdf_test_file_read(file, bytes, sizeof(bytes)), 3 * 24 + 8);
    cr_assert_eq(bytes[3 * 24], 1);
    cr_assert_eq(bytes[3 * 24 + 4], 4);
    vdf_test_close(file);
}

/* An unanswered invalidation is reported at the CMD_SYNC, which may come after the restore. */
Test(hwqueue_state, between_invalidation_and_sync)
{
    start_queue("8");
    cr_assert_eq(vdf_test_mkdir(DEV "vdevices/1"), 0);
    put(DEV "vdevices/1/atc_timeout", "1");
    run(ATC_INV(1), 52);
    there_and_back();
    run(SYNC, 0);
    is(Q0 "error", "ATC_INV_SYNC");
}

/* Older versions look at the alignment of the IOVA; a ring with neither was never enabled. */
Test(hwqueue_state, ring_aligned_by_iova_only)
{
    start_queue("8");
    cr_assert_eq(edited("ioas/list = 0x100000 0x10000 0x0", "ioas/list = 0x100000 0x10000 0x1800"),
                 -EINVAL);
    cr_assert_eq(edited("ioas/list = 0x100000 0x10000 0x0", "ioas/list = 0xff000 0x20000 0x8000"),
                 0);
    is(Q0 "enable", "1");
    there_and_back();
    run(SYNC, 0);
    is(Q0 "error", "none");
    put(Q0 "enable", "0");
    put(Q0 "log2size", "10");
    cr_assert_eq(vdf_test_write(Q0 "enable", "1"), -EINVAL);
}

Test(hwqueue_state, disabled_by_config)
{
    start_queue("8");
    put(Q0 "config", "0");
    put(Q0 "cons", "0x01000003");
    put(Q0 "gerror", "6");
    there_and_back();
    is(Q0 "status", "0x00000000");
    is(Q0 "error", "ILL");
}

Test(hwqueue_state, amd)
{
    vdf_test_tree(false);
    put(DEV "type", "amd");
    put(DEV "memory_size", "0x10000");
    put(DEV "ioas/map", "0 0x10000");
    put(DEV "queues/event/length", "8");
    put(DEV "queues/event/enable", "1");
    put(DEV "queues/cmd/base", "0x4000");
    put(DEV "queues/cmd/enable", "1");
    put(DEV "control", "0x100d");
    const uint8_t bad[16] = { [7] = 0xf0 };
    cr_assert_eq(vdf_test_pwrite(DEV "memory", bad, 16, 0x4000), 16);
    put(DEV "queues/cmd/tail", "0x10");
    for (unsigned k = 0; k < 255; k++)
        put(DEV "queues/event/inject", "ILL_DEV_TAB 1 2 3");
    is(DEV "queues/event/overflow", "1");
    is(DEV "interrupt", "1");
    there_and_back();
    is(DEV "queues/event/run", "0");
    is(DEV "queues/cmd/run", "0");
    is(DEV "interrupt", "1");
    put(DEV "queues/cmd/enable", "0");
    put(DEV "queues/cmd/head", "0x10");
    put(DEV "queues/cmd/enable", "1");
    is(DEV "queues/cmd/run", "1");
}

Test(hwqueue_state, open_page_stays)
{
    int error;
    uint32_t word;

    start_queue("8");
    run(SYNC, 0);
    char *text = save(DEV "state");
    struct vdf_test_file *file = vdf_test_open(Q0 "page", O_RDWR, &error);
    cr_assert_not_null(file);
    run(SYNC, 0);
    put(DEV "state", text);
    is(DEV "state", text);
    cr_assert_eq(vdf_test_pread(Q0 "page", &word, 4, 0), 4);
    cr_assert_eq(le32toh(word), 1);
    /* The ring is as saved too, without the second command. */
    command(1, SYNC, 0);
    word = htole32(2);
    cr_assert_eq(vdf_test_pwrite(Q0 "page", &word, 4, 4), 4);
    is(Q0 "cons", "0x00000002");
    vdf_test_close(file);
    free(text);
}

/* Memory of one kind does not take the place of the other's. */
Test(hwqueue_state, pages_of_another_type_of_device)
{
    uint32_t word = htole32(0x12345678);
    int error;

    vdf_test_tree(true);
    cr_assert_eq(vdf_test_mkdir("hwqueue/mock"), 0);
    put("hwqueue/mock/type", "selftest");
    cr_assert_eq(vdf_test_mkdir("hwqueue/mock/queues/0"), 0);
    cr_assert_eq(vdf_test_pwrite("hwqueue/mock/queues/0/page", &word, 4, 8), 4);
    char *selftest = save("hwqueue/mock/state");
    cr_assert_eq(vdf_test_mkdir("hwqueue/smmu0"), 0);
    cr_assert_eq(vdf_test_mkdir(DEV "queues/0"), 0);
    char *tegra = save(DEV "state");
    struct vdf_test_file *file = vdf_test_open(Q0 "page", O_RDWR, &error);
    cr_assert_not_null(file);
    cr_assert_eq(vdf_test_file_read(file, &word, 4), 4);
    /* An open page may be mapped. */
    cr_assert_eq(vdf_test_write(DEV "state", selftest), -EBUSY);
    vdf_test_close(file);

    struct vdf_test_resources before = { 0 };
    for (int round = 0; round < 5; round++) {
        put(DEV "state", selftest);
        cr_assert_eq(vdf_test_pread(Q0 "page", &word, 4, 8), 4);
        cr_assert_eq(le32toh(word), 0x12345678);
        put(DEV "state", tegra);
        is(DEV "state", tegra);
        cr_assert_eq(vdf_test_pread(Q0 "page", &word, 4, 8), 4);
        cr_assert_eq(word, 0);
        file = vdf_test_open(Q0 "page", O_RDWR, &error);
        cr_assert_not_null(file);
        vdf_test_close(file);
        struct vdf_test_resources now = vdf_test_resources();
        if (round == 0)
            before = now;
        cr_assert_eq(now.fds, before.fds);
        cr_assert_eq(now.memfds, before.memfds);
    }
    free(selftest);
    free(tegra);
}

Test(hwqueue_state, hostile)
{
    start_queue("8");
    put(DEV "veventq_depth", "2");
    run(0x30, 0);

    cr_assert_eq(edited("log2size = 8", "log2size = 13"), -ENOENT);
    cr_assert_eq(edited("log2size = 8", "log2size = 31"), -ENOENT);
    cr_assert_eq(edited("log2size = 8", "log2size = 32"), -EINVAL);
    cr_assert_eq(edited("log2size = 8", "log2size = 0"), -EINVAL);
    cr_assert_eq(edited("base = 0x0000000000100000", "base = 0xfffffffffffff000"), -ENOENT);
    cr_assert_eq(edited("base = 0x0000000000100000", "base = 0x0000000000100100"), -EINVAL);
    cr_assert_eq(edited("prod = 0x00000001", "prod = 0x10000001"), -EINVAL);
    cr_assert_eq(edited("cons = 0x01000000", "cons = 0x81000000"), -EINVAL);
    cr_assert_eq(edited("gerror = 0x00000001", "gerror = 0x00000009"), -EINVAL);
    cr_assert_eq(edited("config = 0x00000001\ncons", "config = 0x00000003\ncons"), -EINVAL);
    cr_assert_eq(edited("global/config = 0x00000001", "global/config = 0x80000000"), -EINVAL);
    cr_assert_eq(edited("vintf/config = 0x00000001", "vintf/config = 0x80000000"), -EINVAL);
    cr_assert_eq(edited("memory_size = 2097152", "memory_size = 32768"), -EFAULT);
    cr_assert_eq(edited("memory_size = 2097152", "memory_size = 65536"), 0);
    cr_assert_eq(edited("memory_size = 65536", "memory_size = 0"), -EINVAL);
    cr_assert_eq(edited("memory_size = 65536", "memory_size = 12345"), -EINVAL);
    cr_assert_eq(edited("ioas/list = 0x100000 0x10000 0x0", "ioas/list = "), -ENOENT);
    cr_assert_eq(edited("ioas/list = 0x100000 0x10000 0x0", "ioas/list = 0x100000 0x10001 0x0"),
                 -EINVAL);
    cr_assert_eq(edited("ioas/list = 0x100000 0x10000 0x0",
                        "ioas/list = 0x100000 0x10000 0x0, 0x101000 0x1000 0x0"),
                 -EEXIST);
    cr_assert_eq(edited("ioas/list = 0x100000 0x10000 0x0", "ioas/list = zzz"), -EINVAL);
    cr_assert_eq(edited("iotlb/list = ", "iotlb/list = 1 2 3 4"), -EINVAL);
    cr_assert_eq(edited("iotlb/atc_list = ", "iotlb/atc_list = 1 2 0x3000 0x1000 4"), -EINVAL);
    cr_assert_eq(edited("veventq_depth = 2", "veventq_depth = 0"), -EINVAL);
    cr_assert_eq(edited("veventq_depth = 2", "veventq_depth = 524289"), -EINVAL);
    cr_assert_eq(edited("veventq_sequence = 1", "veventq_sequence = 4294967295"), -EINVAL);
    cr_assert_eq(edited("veventq_list = 0 0x1 0x0", "veventq_list = 0 1 0, 1 1 0, 2 1 0"), -EINVAL);
    cr_assert_eq(edited("veventq_list = 0 0x1 0x0", "veventq_list = 0 1"), -EINVAL);
    cr_assert_eq(edited("veventq_list = 0 0x1 0x0", "veventq_list = 0x80000000 1 0"), -EINVAL);
    cr_assert_eq(edited("queues/0]", "queues/1]"), -EIO);
    cr_assert_eq(edited("queues/0]", "queues/2]"), -EINVAL);
    cr_assert_neq(edited("type = tegra241-cmdqv", "type = amd"), 0);
}

Test(hwqueue_state, hostile_amd)
{
    vdf_test_tree(false);
    put(DEV "type", "amd");
    put(DEV "ioas/map", "0 0x10000");
    put(DEV "queues/event/enable", "1");
    put(DEV "queues/cmd/base", "0x4000");

    cr_assert_eq(edited("event/length = 9", "event/length = 16"), -EINVAL);
    cr_assert_eq(edited("event/length = 9", "event/length = 0"), -EINVAL);
    cr_assert_eq(edited("event/length = 9", "event/length = 13"), -ENOENT);
    cr_assert_eq(edited("event/head = 0x0000000000000000", "event/head = 0x0000000000000008"),
                 -EINVAL);
    cr_assert_eq(edited("event/tail = 0x0000000000000000", "event/tail = 0x0000000000002000"),
                 -EINVAL);
    cr_assert_eq(edited("event/overflow = 0", "event/overflow = 1"), -EINVAL);
    cr_assert_eq(edited("cmd/overflow = 0", "cmd/overflow = 1"), -EINVAL);
    cr_assert_eq(edited("cmd/run = 0", "cmd/run = 1"), -EINVAL);
    cr_assert_eq(edited("cmd/enable = 0", "cmd/enable = 1"), 0);
    is(DEV "queues/cmd/run", "0");
    cr_assert_eq(edited("control_bits = 0x0000000000000001", "control_bits = 0x0000000000001001"),
                 -EINVAL);
    cr_assert_eq(edited("status_bits = 0x0000000000000000", "status_bits = 0x0000000000000001"),
                 -EINVAL);
    cr_assert_neq(edited("type = amd", "type = tegra241-cmdqv"), 0);
}

/* A long random walk: the state is the same after each restore. */
Test(hwqueue_state, random_walk)
{
    static const char *const files[] = {
        "ioas/map",
        "ioas/unmap",
        "queues/0/base",
        "queues/0/log2size",
        "queues/0/enable",
        "queues/0/prod",
        "queues/0/cons",
        "queues/0/gerror",
        "queues/0/gerrorn",
        "queues/0/config",
        "queues/1/base",
        "queues/1/enable",
        "queues/1/prod",
        "vintf/config",
        "global/config",
        "iotlb/insert",
        "iotlb/atc_insert",
        "veventq_depth",
        "memory_size",
        "type",
        "queues/cmd/base",
        "queues/cmd/enable",
        "queues/cmd/tail",
        "queues/cmd/head",
        "queues/event/enable",
        "queues/event/head",
        "queues/event/base",
        "queues/ppr/enable",
        "queues/ppr/inject",
        "queues/event/inject",
        "control",
        "queues/0/fetch_abort",
        "queues/0/cons_base",
    };
    static const char *const values[] = {
        "0",
        "1",
        "2",
        "4",
        "5",
        "8",
        "0x10",
        "0x100000",
        "0x101000",
        "0x100000 0x1000",
        "0x101000 0x2000 0x4000",
        "0x100000 0x10000",
        "0 0xffffffffffffffff",
        "1 0 0x1000 0x1000 1",
        "0x10000",
        "tegra241-cmdqv",
        "amd",
        "0x300f",
        "1 2 3 4",
        "IO_PAGE_FAULT 1 2 3",
        "0x20001",
        "",
        "0x100001",
        "0xfffffffffffff000",
    };
    struct vdf_random random = vdf_random_begin("random_walk", 1);

    vdf_test_tree(false);
    for (unsigned k = 0; k < 20000; k++) {
        char path[128];
        unsigned what = vdf_random_below(&random, 40);
        if (what == 0)
            vdf_test_mkdir(vdf_random_below(&random, 2) ? DEV "queues/0" : DEV "queues/1");
        else if (what == 1 && vdf_random_below(&random, 4) == 0)
            vdf_test_rmdir(vdf_random_below(&random, 2) ? DEV "queues/0" : DEV "queues/1");
        else if (what == 2)
            vdf_test_mkdir(vdf_random_below(&random, 2) ? DEV "vdevices/1" : DEV "vdevices/2");
        if (what == 3) {
            uint8_t bytes[64];
            for (unsigned b = 0; b < sizeof(bytes); b++)
                bytes[b] = (uint8_t)(vdf_random_below(&random, 3) ? 0 : vdf_random_next(&random));
            vdf_test_pwrite(DEV "memory", bytes, sizeof(bytes), vdf_random_below(&random, 0x1000));
            vdf_test_pwrite(Q0 "page", bytes, 24, 0);
        } else if (what == 4) {
            vdf_test_reg_write(DEV "regs", vdf_random_below(&random, 0x14000) * 4, 4,
                               vdf_random_below(&random, 16));
            vdf_test_reg_write(DEV "regs", vdf_random_below(&random, 0xa000) * 8, 8,
                               vdf_random_below(&random, 4) * 0x100000 + 4);
        } else {
            snprintf(path, sizeof(path), DEV "%s",
                     files[vdf_random_below(&random, sizeof(files) / sizeof(files[0]))]);
            vdf_test_write(path,
                           values[vdf_random_below(&random, sizeof(values) / sizeof(values[0]))]);
        }
        if (k % 500 == 0) {
            char *text = save(DEV "state");
            put(DEV "state", text);
            is(DEV "state", text);
            free(text);
        }
    }
}

/* The number of a selftest's device has 32 bits, and so has its psid. */
Test(hwqueue_state, selftest_device_with_a_large_number)
{
    vdf_test_tree(false);
    cr_assert_eq(vdf_test_write("hwqueue/smmu0/type", "selftest"), 0);
    cr_assert_eq(vdf_test_mkdir("hwqueue/smmu0/vdevices/2097152"), 0);
    char *state = strdup(vdf_test_read("hwqueue/smmu0/state"));
    cr_assert_eq(vdf_test_write("hwqueue/smmu0/state", state), 0, "%s", vdf_test_last_error());
    cr_assert_str_eq(vdf_test_read("hwqueue/smmu0/state"), state);
    free(state);
}
