/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mappings: the errnos of IOMMU_IOAS_MAP and IOMMU_IOAS_UNMAP, and the memory that the device
 * reaches. */
#include <fcntl.h>

#include "test_hwqueue.h"

TestSuite(hwqueue_ioas, .fini = vdf_test_tree_free);

#define MAP DEV "ioas/map"
#define UNMAP DEV "ioas/unmap"
#define MAPPINGS DEV "ioas/mappings"

static void fails(const char *path, const char *text, int code, const char *says)
{
    char *before = strdup(vdf_test_read(MAPPINGS));
    int ret = vdf_test_write(path, text);
    const char *line = vdf_test_last_error();

    cr_assert_eq(ret, -code, "%s <- %s: %d", path, text, ret);
    cr_assert(strstr(line, path) && strstr(line, vdf_errno_name(code)) && strstr(line, says), "%s",
              line);
    is(MAPPINGS, before);
    free(before);
}

Test(hwqueue_ioas, map)
{
    vdf_test_tree(false);
    put(MAP, "0x10000 0x2000");
    put(MAP, " 4096 4096 0x3000  ro ");
    put(MAP, "0x12000 0b1000000000000 4096");
    is(MAPPINGS, "0x1000 0x1000 0x3000 ro\n0x10000 0x2000 0x0\n0x12000 0x1000 0x1000");

    fails(MAP, " ", EINVAL, "IOVA is missing");
    fails(MAP, "0x20000", EINVAL, "LENGTH is missing");
    fails(MAP, "x 0x1000", EINVAL, "IOVA \"x\" is not a number");
    fails(MAP, "0x 0x1000", EINVAL, "IOVA \"0x\" is not a number");
    fails(MAP, "0x20000 0x1000 0 rw", EINVAL, "IOVA LENGTH [OFFSET [ro]]");
    fails(MAP, "0x20000 0x1000 0 ro 1", EINVAL, "IOVA LENGTH [OFFSET [ro]]");
    fails(MAP, "0x20000 0x1000 0 rooo", EINVAL, "IOVA LENGTH [OFFSET [ro]]");
    fails(MAP, "0x20000 0", EINVAL, "at least 4096");
    fails(MAP, "0x20001 0x1000", EINVAL, "multiples");
    fails(MAP, "0x20000 0x1001", EINVAL, "multiples");
    fails(MAP, "0x20000 0x1000 0x10", EINVAL, "multiples");
    fails(MAP, "0x11000 0x1000", EEXIST, "0x10000 to 0x11fff is mapped");
    fails(MAP, "0xf000 0x2000", EEXIST, "is mapped");
    fails(MAP, "0 0x200000", EEXIST, "is mapped");
    fails(MAP, "0x400000 0x201000", EFAULT, "memory_size");
    fails(MAP, "0x400000 0x1000 0x200000", EFAULT, "memory_size");
    fails(MAP, "0xfffffffffffff000 0x2000", EOVERFLOW, "64 bits");
    fails(MAP, "0xffffffffffffffff 0x1000", EOVERFLOW, "2^64");
    fails(MAP, "0x20000 0xffffffffffffffff", EOVERFLOW, "2^64");
    fails(MAP, "0x20000 0x1000 0xfffffffffffff000", EOVERFLOW, "offset");
    fails(MAP, "0x20000 0x10000000000000000", ERANGE, "above 0xffffffffffffffff");
    put(MAP, "0xfffffffffffff000 0x1000");
}

Test(hwqueue_ioas, unmap)
{
    vdf_test_tree(false);
    fails(UNMAP, "0x1000 0x1000", ENOENT, "nothing is mapped");
    put(UNMAP, "0 0xffffffffffffffff");
    put(MAP, "0x1000 0x2000");
    put(MAP, "0x3000 0x1000");
    put(MAP, "0x8000 0x1000");
    fails(UNMAP, "0x1000 0x1000", ENOENT, "as a whole");
    fails(UNMAP, "0x2000 0x2000", ENOENT, "as a whole");
    fails(UNMAP, "0x1000 0", EINVAL, "length");
    fails(UNMAP, "0x1000", EINVAL, "LENGTH is missing");
    fails(UNMAP, "0x1000 0x1000 0", EINVAL, "IOVA LENGTH");
    fails(UNMAP, "0xfffffffffffff000 0x2000", EOVERFLOW, "64 bits");
    fails(UNMAP, "0x5000 0x1000", ENOENT, "nothing is mapped");
    put(UNMAP, "0 0x4000");
    is(MAPPINGS, "0x8000 0x1000 0x0");
    put(UNMAP, "0x8000 0x1000");
    is(MAPPINGS, "");
}

Test(hwqueue_ioas, memory_size)
{
    uint8_t byte = 7;

    vdf_test_tree(false);
    cr_assert_eq(vdf_test_pwrite(DEV "memory", &byte, 1, 0x1fffff), 1);
    put(DEV "memory_size", "0x1000");
    cr_assert_eq(vdf_test_pwrite(DEV "memory", &byte, 1, 0x1000), -EFBIG);
    cr_assert_eq(vdf_test_pread(DEV "memory", &byte, 1, 0xfff), 1);
    cr_assert_eq(byte, 0);
    refused(DEV "memory_size", "0", EINVAL, "multiple of 4096");
    refused(DEV "memory_size", "4097", EINVAL, "multiple of 4096");
    refused(DEV "memory_size", "0x40001000", EINVAL, "1073741824");
    put(DEV "memory_size", "0x40000000");
    put(DEV "memory_size", "0x2000");
    fails(MAP, "0 0x3000", EFAULT, "memory_size");
    put(MAP, "0 0x2000");
    refused(DEV "memory_size", "0x1000", EBUSY, "before the first mapping");
    put(DEV "memory_size", "0x2000");
    put(UNMAP, "0 0x2000");

    /* A process that has the memory open may have mapped it. */
    int error = 0;
    struct vdf_test_file *file = vdf_test_open(DEV "memory", O_RDWR, &error);
    cr_assert_not_null(file);
    refused(DEV "memory_size", "0x1000", EBUSY, "close it");
    put(DEV "memory_size", "0x2000");
    cr_assert_eq(vdf_test_rmdir("hwqueue/smmu0"), -EBUSY);
    vdf_test_close(file);
    put(DEV "memory_size", "0x1000");
    cr_assert_eq(vdf_test_rmdir("hwqueue/smmu0"), 0);
}

Test(hwqueue_ioas, many_mappings)
{
    char line[64];

    vdf_test_tree(false);
    for (unsigned k = 0; k < 4096; k++) {
        snprintf(line, sizeof(line), "0x%x 0x1000", ((k * 2617) % 4096) * 0x2000);
        put(MAP, line);
    }
    fails(MAP, "0x10000000 0x1000", ENOSPC, "4096");
    for (unsigned k = 0; k < 4096; k++) {
        snprintf(line, sizeof(line), "0x%x 0x1000", ((k * 1049) % 4096) * 0x2000);
        put(UNMAP, line);
    }
    is(MAPPINGS, "");
}

Test(hwqueue_ioas, rings_in_the_middle_of_mappings)
{
    vdf_test_tree(false);
    put(MAP, "0x100000 0x1000 0x4000");
    put(MAP, "0x101000 0x2000 0x5000");
    put(MAP, "0x103000 0x1000 0x7000");
    cr_assert_eq(vdf_test_mkdir(DEV "queues/0"), 0);
    put(Q0 "base", "0x100000");
    put(Q0 "log2size", "10");
    put(Q0 "enable", "1");
    command(0x3ff, SYNC, 0);
    uint8_t byte;
    cr_assert_eq(vdf_test_pread(DEV "memory", &byte, 1, 0x4000 + 0x3ff0), 1);
    cr_assert_eq(byte, 0x46);
    fails(UNMAP, "0x103000 0x1000", EBUSY, "a queue uses");
    fails(UNMAP, "0x100000 0x4000", EBUSY, "a queue uses");
    cr_assert_eq(vdf_test_rmdir(DEV "queues/0"), 0);
    put(UNMAP, "0x100000 0x4000");
}

/* A ring is aligned to its length in memory, wherever it appears for the device. */
Test(hwqueue_ioas, rings_are_aligned_in_memory)
{
    vdf_test_tree(false);
    put(MAP, "0x101000 0x4000 0x8000");
    put(MAP, "0x200000 0x4000 0x5000");
    cr_assert_eq(vdf_test_mkdir(DEV "queues/0"), 0);
    put(Q0 "log2size", "10");
    put(Q0 "base", "0x200000");
    refused(Q0 "enable", "1", EINVAL, "at 0x5000 of the memory");
    put(Q0 "base", "0x101000");
    put(Q0 "enable", "1");
    is(Q0 "status", "0x00000001");
}

/* The ring is read-only memory for the device, which is enough for commands. */
Test(hwqueue_ioas, read_only_ring)
{
    vdf_test_tree(false);
    put(MAP, "0x100000 0x1000 0 ro");
    cr_assert_eq(vdf_test_mkdir(DEV "queues/0"), 0);
    put(Q0 "base", "0x100000");
    put(Q0 "enable", "1");
    put(DEV "global/config", "0x100001");
    put(Q0 "cons_base", "0x100800");
    run(SYNC, 0);
    is(Q0 "cons", "0x00000001");
    is(Q0 "gerror", "0x00000002");
}
