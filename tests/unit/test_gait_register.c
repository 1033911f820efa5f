/* SPDX-License-Identifier: GPL-2.0-or-later */
/* REG_AEN and DEREG_AEN: the words that they write, their counts, and their refusals. */
#include "test_gait.h"

Test(gait_register, writes_the_entry, .fini = vdf_test_tree_free)
{
    set_up();
    make_function("f", 3, 0x2000, 0x3008, 17);
    OK(put("f", "registered", 1));
    IS(G "functions/f/index", "0");
    IS(G "functions/f/vectors", "64");
    uint64_t gisa = vdf_test_read_u64(VM "gisa_address");
    uint64_t word = vdf_test_read_u64(VM "memory_address") + 0x3008;
    cr_assert_eq(entry(0, "gisa"), gisa);
    cr_assert_eq(entry(0, "gisc"), 3);
    cr_assert_eq(entry(0, "count"), 1);
    cr_assert_eq(entry(0, "aisbo"), 17);
    cr_assert_eq(entry(0, "aisb"), word);

    /* The same in bytes, big-endian. */
    uint8_t raw[16], want[16] = { [4] = 3, 1, 0, 17 };
    for (int k = 0; k < 4; k++)
        want[k] = (uint8_t)(gisa >> (24 - 8 * k));
    for (int k = 0; k < 8; k++)
        want[8 + k] = (uint8_t)(word >> (56 - 8 * k));
    cr_assert_eq(vdf_test_pread(G "table", raw, 16, 0), 16);
    cr_assert_arr_eq(raw, want, 16);

    IS(VM "iam", "0x10");
    IS(VM "gisc/3", "1");
    OK(put("f", "registered", 0));
    cr_assert(all_zero(G "table", 8192));
    IS(VM "iam", "0x00");
    IS(VM "gisc/3", "0");
    IS(VM "locked", "0");
    IS(G "functions/f/index", "");
    /* Deregistering a function that is not registered succeeds. */
    OK(put("f", "registered", 0));
}

Test(gait_register, without_summary_bit_nothing_stale_is_used, .fini = vdf_test_tree_free)
{
    set_up();
    make_function("f", 3, 0x2000, 0, 17);
    OK(vdf_test_write(G "entries/0/aisb", "0xdeadbeef"));
    OK(vdf_test_write(G "entries/0/aisbo", "9"));
    OK(put("f", "registered", 1));
    cr_assert_eq(entry(0, "aisb"), 0);
    cr_assert_eq(entry(0, "aisbo"), 0);
    IS(G "functions/f/pages", "1");
}

Test(gait_register, host_keeps_gisa_out, .fini = vdf_test_tree_free)
{
    set_up();
    make_function("f", 3, 0x2000, 0x3000, 0);
    OK(put("f", "host", 1));
    OK(put("f", "registered", 1));
    cr_assert_eq(entry(0, "gisa"), 0);
    cr_assert_eq(entry(0, "gisc"), 3);
    cr_assert_neq(entry(0, "aisb"), 0);
    /* The ISC is registered with the guest all the same. */
    IS(VM "iam", "0x10");
}

Test(gait_register, entry_of_a_high_index_lies_in_its_place, .fini = vdf_test_tree_free)
{
    char name[16];

    set_up();
    for (int k = 0; k <= 40; k++) {
        snprintf(name, sizeof(name), "%d", k);
        make_function(name, 1, 0x2000, 0, 0);
        OK(put(name, "registered", 1));
    }
    IS(G "functions/40/index", "40");
    for (int k = 0; k < 512; k++)
        cr_assert_eq(byte_at(G "table", 16 * k + 5), k <= 40, "entry %d", k);
}

Test(gait_register, second_registration_leaks_nothing, .fini = vdf_test_tree_free)
{
    set_up();
    make_function("f", 3, 0x2000, 0x3000, 1);
    OK(put("f", "registered", 1));
    REFUSED(EINVAL, "registered already", put("f", "registered", 1));
    cr_assert_eq(entry(0, "count"), 1);
    cr_assert_eq(entry(1, "count"), 0);
    IS(VM "locked", "2");
    IS(VM "gisc/3", "1");
    OK(put("f", "registered", 0));
    IS(VM "locked", "0");
    IS(VM "gisc/3", "0");
    cr_assert(all_zero(G "table", 8192));
}

Test(gait_register, refused_fields, .fini = vdf_test_tree_free)
{
    set_up();
    make_function("f", 3, 0x2000, 0x3000, 63);
    REFUSED(EINVAL, "0 to 63", put("f", "sbo", 64));
    REFUSED(EINVAL, "0 to 7", put("f", "isc", 8));
    FAILS(ERANGE, put("f", "sbo", 256));
    FAILS(ERANGE, put("f", "isc", 256));
    FAILS(EINVAL, put("f", "noi", 0));
    FAILS(EINVAL, put("f", "noi", 4096));
    FAILS(ERANGE, put("f", "noi", UINT64_C(1) << 32));
    OK(put("f", "noi", 4095));
    FAILS(EINVAL, put("f", "max_msi", 0));
    FAILS(EINVAL, put("f", "max_msi", 2049));
    FAILS(EINVAL, put("f", "host", 2));
    FAILS(EINVAL, put("f", "registered", 2));
    REFUSED(ENODEV, "nobody", vdf_test_write(G "functions/f/guest", "nobody"));
    FAILS(ENODEV,
          vdf_test_write(G "functions/f/guest",
                         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
    IS(G "functions/f/guest", "vm");
    IS(G "functions/f/sbo", "63");
    IS(G "functions/f/isc", "3");
}

Test(gait_register, fields_are_busy_while_registered, .fini = vdf_test_tree_free)
{
    static const char *const fields[] = { "isc", "noi", "max_msi", "ibv", "sb", "sbo", "host" };

    set_up();
    make_function("f", 3, 0x2000, 0x3000, 63);
    OK(put("f", "registered", 1));
    for (size_t k = 0; k < sizeof(fields) / sizeof(fields[0]); k++)
        FAILS(EBUSY, put("f", fields[k], 1));
    FAILS(EBUSY, vdf_test_write(G "functions/f/guest", "\n"));
    /* The value of a file can be written back to it. */
    for (size_t k = 0; k < sizeof(fields) / sizeof(fields[0]); k++) {
        char path[64], value[32];

        snprintf(path, sizeof(path), G "functions/f/%s", fields[k]);
        snprintf(value, sizeof(value), "%s", vdf_test_read(path));
        OK(vdf_test_write(path, value));
    }
    OK(vdf_test_write(G "functions/f/guest", "vm"));
    OK(put("f", "interpret", 0));
    OK(put("f", "interpret", 1));
    OK(put("f", "registered", 0));
    for (size_t k = 0; k < sizeof(fields) / sizeof(fields[0]); k++)
        OK(put("f", fields[k], 1));
}

Test(gait_register, before_enabled_and_without_guests, .fini = vdf_test_tree_free)
{
    vdf_test_tree(false);
    OK(vdf_test_mkdir(G "guests/vm"));
    make_function("f", 3, 0x2000, 0x3000, 1);
    FAILS(EBUSY, put("f", "registered", 1));
    FAILS(EBUSY, put("f", "signal", 0));
    OK(vdf_test_write(G "enabled", "1"));
    OK(vdf_test_mkdir(G "functions/g"));
    FAILS(ENODEV, put("g", "registered", 1));
    OK(vdf_test_write(G "functions/f/guest", "\n"));
    FAILS(ENODEV, put("f", "registered", 1));
    cr_assert(all_zero(G "table", 8192));
}

Test(gait_register, addresses_outside_memory, .fini = vdf_test_tree_free)
{
    static const uint64_t vectors[] = { MEMORY_SIZE, MEMORY_SIZE - 7, UINT64_MAX, UINT64_MAX - 7,
                                        UINT64_C(1) << 63 };
    static const uint64_t words[] = { MEMORY_SIZE, MEMORY_SIZE - 7, UINT64_MAX, UINT64_MAX - 6,
                                      UINT64_C(1) << 32 };

    set_up();
    make_function("f", 3, 0, 0, 1);
    for (size_t k = 0; k < 5; k++) {
        OK(put("f", "ibv", vectors[k]));
        REFUSED(EIO, "not in memory", put("f", "registered", 1));
    }
    OK(put("f", "ibv", MEMORY_SIZE - 8));
    for (size_t k = 0; k < 5; k++) {
        OK(put("f", "sb", words[k]));
        REFUSED(EIO, "not in memory", put("f", "registered", 1));
    }
    /* The refusals have changed nothing. */
    IS(G "functions/f/registered", "0");
    IS(VM "locked", "0");
    IS(VM "gisc/3", "0");
    IS(VM "iam", "0x00");
    cr_assert(all_zero(G "table", 8192));
    OK(put("f", "sb", MEMORY_SIZE - 8));
    OK(put("f", "registered", 1));
    OK(put("f", "signal", 63));
    cr_assert_eq(byte_at(VM "memory", MEMORY_SIZE - 1), 0x01);
    cr_assert_eq(byte_at(VM "memory", MEMORY_SIZE - 8), 0x40);
}

Test(gait_register, every_page_is_pinned, .fini = vdf_test_tree_free)
{
    set_up();
    /* 2048 vectors are 256 bytes, which lie across a page border, as does the summary word. */
    make_function("f", 3, 0x2f80, 0x4ffc, 63);
    OK(put("f", "noi", 4000));
    OK(put("f", "registered", 1));
    IS(G "functions/f/vectors", "2048");
    IS(G "functions/f/pages", "4");
    OK(put("f", "signal", 2047));
    cr_assert_eq(byte_at(VM "memory", 0x307f), 0x01);
    cr_assert_eq(byte_at(VM "memory", 0x5003), 0x01);
    FAILS(EINVAL, put("f", "signal", 2048));

    make_function("g", 3, 0x2f80, 0, 0);
    OK(put("g", "noi", 1024));
    OK(put("g", "registered", 1));
    IS(G "functions/g/pages", "1");
    IS(VM "locked", "5");
    OK(put("f", "registered", 0));
    IS(VM "locked", "1");
    OK(put("g", "registered", 0));
    IS(VM "locked", "0");
}

Test(gait_register, failed_accounting_leaves_nothing, .fini = vdf_test_tree_free)
{
    set_up();
    make_function("f", 3, 0x2000, 0x3000, 1);
    make_function("g", 4, 0x4000, 0x3000, 2);
    OK(vdf_test_write(VM "locked_limit", "3"));
    OK(put("f", "registered", 1));
    REFUSED(ENOMEM, "2 pages", put("g", "registered", 1));
    IS(G "functions/g/registered", "0");
    IS(VM "locked", "2");
    IS(VM "iam", "0x10");
    IS(VM "gisc/4", "0");
    cr_assert_eq(entry(1, "count"), 0);
    OK(put("g", "sb", 0));
    OK(put("g", "registered", 1));
    IS(VM "locked", "3");
}

Test(gait_register, iscs_are_counted, .fini = vdf_test_tree_free)
{
    set_up();
    make_function("a", 0, 0x2000, 0, 0);
    make_function("b", 0, 0x2100, 0, 0);
    make_function("c", 7, 0x2200, 0, 0);
    OK(put("a", "registered", 1));
    OK(put("b", "registered", 1));
    OK(put("c", "registered", 1));
    IS(VM "iam", "0x81");
    IS(VM "gisc/0", "2");
    OK(put("a", "registered", 0));
    IS(VM "iam", "0x81");
    OK(put("b", "registered", 0));
    IS(VM "iam", "0x01");
    OK(put("c", "registered", 0));
    IS(VM "iam", "0x00");
}

Test(gait_register, lowest_free_entry_and_a_full_vector, .fini = vdf_test_tree_free)
{
    char name[16];

    set_up();
    for (int k = 0; k < 513; k++) {
        snprintf(name, sizeof(name), "f%d", k);
        make_function(name, 1, 0x2000, 0, 0);
        if (k < 512)
            OK(put(name, "registered", 1));
    }
    IS(G "functions/f511/index", "511");
    /* Two more than the highest would be 513. */
    IS(G "sbv_end", "512");
    REFUSED(ENOSPC, "512", put("f512", "registered", 1));
    IS(G "functions/f512/registered", "0");
    IS(VM "gisc/1", "512");
    IS(VM "locked", "512");
    OK(put("f300", "registered", 0));
    OK(put("f200", "registered", 0));
    OK(put("f512", "registered", 1));
    IS(G "functions/f512/index", "200");
}

Test(gait_register, end_of_the_vector_does_not_shrink, .fini = vdf_test_tree_free)
{
    set_up();
    IS(G "sbv_end", "0");
    make_function("a", 1, 0x2000, 0, 0);
    make_function("b", 1, 0x2000, 0, 0);
    OK(put("a", "registered", 1));
    IS(G "sbv_end", "2");
    OK(put("b", "registered", 1));
    IS(G "sbv_end", "3");
    OK(put("b", "registered", 0));
    OK(put("a", "registered", 0));
    IS(G "sbv_end", "3");
}

Test(gait_register, rmdir_of_function_and_guest, .fini = vdf_test_tree_free)
{
    set_up();
    make_function("f", 3, 0x2000, 0x3000, 1);
    make_function("g", 3, 0x2000, 0x3000, 1);
    OK(put("f", "registered", 1));
    REFUSED(EBUSY, "registered", vdf_test_rmdir(G "guests/vm"));
    OK(vdf_test_rmdir(G "functions/f"));
    cr_assert(all_zero(G "table", 8192));
    IS(VM "locked", "0");
    IS(VM "iam", "0x00");
    /* A function that is not registered does not prevent the removal of its guest. */
    OK(vdf_test_rmdir(G "guests/vm"));
    IS(G "functions/g/guest", "");
    FAILS(ENODEV, put("g", "registered", 1));
    /* A new guest with the old name is another guest. */
    OK(vdf_test_mkdir(G "guests/vm"));
    FAILS(ENODEV, put("g", "registered", 1));
    OK(vdf_test_write(G "functions/g/guest", "vm"));
    OK(put("g", "registered", 1));
    /* rmdir of a registered function deregisters it. */
    OK(vdf_test_rmdir("gait/gait0"));
}

Test(gait_register, deregistering_an_edited_entry, .fini = vdf_test_tree_free)
{
    set_up();
    make_function("f", 3, 0x2000, 0x3000, 1);
    OK(put("f", "registered", 1));
    /* A larger count that was written is counted down, and the entry stays. */
    OK(vdf_test_write(G "entries/0/count", "3"));
    OK(put("f", "registered", 0));
    cr_assert_eq(entry(0, "count"), 2);
    cr_assert_eq(entry(0, "gisc"), 3);
    /* A count that was written as 0 or as the maximum does not wrap. */
    OK(vdf_test_write(G "entries/0/count", "255"));
    OK(put("f", "registered", 1));
    cr_assert_eq(entry(0, "count"), 255);
    OK(vdf_test_write(G "entries/0/count", "0"));
    OK(put("f", "registered", 0));
    cr_assert(all_zero(G "table", 8192));
}

Test(gait_register, host_fib, .fini = vdf_test_tree_free)
{
    char name[16];

    set_up();
    for (int k = 0; k <= 66; k++) {
        snprintf(name, sizeof(name), "%d", k);
        make_function(name, 1, 0x2000 + 8 * k, 0x3000, 5);
        OK(put(name, "registered", 1));
    }
    IS(G "functions/66/fib", "isc = 5\nnoi = 64\nsum = 1\naibv = 0x0000000100002210\naibvo = 0\n"
                             "aisb = 0x0000000000012008\naisbo = 2\ngd = 0x01000000");
    OK(put("66", "registered", 0));
    cr_assert(!vdf_test_exists(G "functions/66/fib"));
}

Test(gait_register, guests_and_their_memory, .fini = vdf_test_tree_free)
{
    uint8_t byte = 7;

    set_up();
    IS(VM "memory_size", "1048576");
    FAILS(EINVAL, vdf_test_write(VM "memory_size", "0"));
    FAILS(EINVAL, vdf_test_write(VM "memory_size", "4097"));
    FAILS(EINVAL, vdf_test_write(VM "memory_size", "0x40001000"));
    FAILS(EINVAL, vdf_test_write(VM "memory_size", "0xfffffffffffff000"));
    OK(vdf_test_write(VM "memory_size", "8192"));
    cr_assert_eq(vdf_test_pwrite(VM "memory", &byte, 1, 8191), 1);
    cr_assert_eq(vdf_test_pwrite(VM "memory", &byte, 1, 8192), -EFBIG);
    OK(vdf_test_write(VM "memory_size", "8192"));
    cr_assert_eq(byte_at(VM "memory", 8191), 7);

    make_function("f", 3, 0, 0, 0);
    OK(put("f", "registered", 1));
    FAILS(EBUSY, vdf_test_write(VM "memory_size", "4096"));
    OK(put("f", "registered", 0));
    /* 1 GiB for all guests of a device. */
    FAILS(ENOSPC, vdf_test_mkdir(G "guests/vm2") == 0
                      ? vdf_test_write(G "guests/vm2/memory_size", "0x40000000")
                      : -1);
    OK(vdf_test_write(G "guests/vm2/memory_size", "0x3fffe000"));
    FAILS(ENOSPC, vdf_test_mkdir(G "guests/vm3"));
    OK(vdf_test_rmdir(G "guests/vm2"));
    OK(vdf_test_mkdir(G "guests/vm3"));
    /* The slot of the removed guest is free again. */
    IS(G "guests/vm3/gisa_address", "0x01001000");
    IS(G "guests/vm3/memory_address", "0x0000000200000000");
}

Test(gait_register, memory_is_not_replaced_while_open, .fini = vdf_test_tree_free)
{
    int error = 0;

    set_up();
    struct vdf_test_file *file = vdf_test_open(VM "memory", 0, &error);
    cr_assert(file);
    REFUSED(EBUSY, "open", vdf_test_write(VM "memory_size", "4096"));
    FAILS(EBUSY, vdf_test_rmdir(G "guests/vm"));
    vdf_test_close(file);
    OK(vdf_test_write(VM "memory_size", "4096"));
}

Test(gait_register, more_guests_than_slots, .fini = vdf_test_tree_free)
{
    char path[64];

    vdf_test_tree(false);
    for (int k = 0; k < 1024; k++) {
        snprintf(path, sizeof(path), G "guests/g%d", k);
        OK(vdf_test_mkdir(path));
        snprintf(path, sizeof(path), G "guests/g%d/memory_size", k);
        OK(vdf_test_write(path, "4096"));
    }
    IS(G "guests/g1023/gisa_address", "0x013ff000");
    REFUSED(ENOSPC, "1024", vdf_test_mkdir(G "guests/more"));
}
