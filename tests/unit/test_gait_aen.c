/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Set-up of adapter event notification: the AIPB, SIC and its failures. */
#include "test_gait.h"

Test(gait_aen, nothing_is_registered_at_first, .fini = vdf_test_tree_free)
{
    vdf_test_tree(false);
    IS(G "nisc", "5");
    IS(G "enabled", "0");
    IS(G "aipb/faisb", "0x0000000000000000");
    IS(G "aipb/gait", "0x0000000000000000");
    IS(G "aipb/afi", "0");
    IS(G "aipb/faal", "0");
    IS(G "sic_mode", "all");
    IS(G "sic_armed", "0");
}

Test(gait_aen, first_set_up_registers_the_block, .fini = vdf_test_tree_free)
{
    vdf_test_tree(false);
    OK(vdf_test_write(G "nisc", "3"));
    OK(vdf_test_write(G "enabled", "1"));
    IS(G "enabled", "1");
    cr_assert_neq(vdf_test_read_u64(G "aipb/faisb"), 0);
    cr_assert_neq(vdf_test_read_u64(G "aipb/gait"), 0);
    IS(G "aipb/afi", "3");
    IS(G "aipb/faal", "512");
    IS(G "sic_mode", "single");
    IS(G "sic_armed", "1");
}

Test(gait_aen, set_up_while_enabled_is_eperm, .fini = vdf_test_tree_free)
{
    vdf_test_tree(false);
    OK(vdf_test_write(G "enabled", "1"));
    REFUSED(EPERM, "enabled already", vdf_test_write(G "enabled", "1"));
    /* Also for a wrong ISC: EPERM comes before EINVAL. */
    OK(vdf_test_write(G "nisc", "1"));
    FAILS(EPERM, vdf_test_write(G "enabled", "1"));
    IS(G "enabled", "1");
    IS(G "aipb/afi", "5");
}

Test(gait_aen, block_outlives_the_end, .fini = vdf_test_tree_free)
{
    vdf_test_tree(false);
    OK(vdf_test_write(G "nisc", "3"));
    OK(vdf_test_write(G "enabled", "1"));
    uint64_t faisb = vdf_test_read_u64(G "aipb/faisb"), gait = vdf_test_read_u64(G "aipb/gait");
    OK(vdf_test_write(G "entries/9/aisb", "0x1234"));
    OK(vdf_test_write(G "enabled", "0"));
    OK(vdf_test_write(G "enabled", "0"));
    cr_assert_eq(vdf_test_read_u64(G "aipb/faisb"), faisb);
    cr_assert_eq(vdf_test_read_u64(G "aipb/gait"), gait);
    IS(G "aipb/afi", "3");
    IS(G "aipb/faal", "512");
    IS(G "sic_mode", "single");

    OK(vdf_test_write(G "nisc", "4"));
    REFUSED(EINVAL, "ISC 3", vdf_test_write(G "enabled", "1"));
    IS(G "enabled", "0");
    OK(vdf_test_write(G "nisc", "3"));
    OK(vdf_test_write(G "enabled", "1"));
    /* The table is the first one. */
    cr_assert_eq(entry(9, "aisb"), 0x1234);
}

Test(gait_aen, first_set_up_gives_an_empty_table, .fini = vdf_test_tree_free)
{
    uint8_t bit = 0x80;

    vdf_test_tree(false);
    OK(vdf_test_write(G "entries/9/count", "7"));
    cr_assert_eq(vdf_test_pwrite(G "sbv", &bit, 1, 0), 1);
    OK(vdf_test_write(G "enabled", "1"));
    cr_assert(all_zero(G "table", 8192));
    cr_assert(all_zero(G "sbv", 64));
}

Test(gait_aen, failed_first_sic_leaves_nothing, .fini = vdf_test_tree_free)
{
    vdf_test_tree(false);
    OK(vdf_test_write(G "nisc", "3"));
    OK(vdf_test_write(G "entries/9/count", "7"));
    OK(vdf_test_write(G "sic_fail", "1"));
    REFUSED(EIO, "SET_AENI_CONTROLS", vdf_test_write(G "enabled", "1"));
    IS(G "enabled", "0");
    IS(G "aipb/faisb", "0x0000000000000000");
    IS(G "aipb/gait", "0x0000000000000000");
    IS(G "aipb/afi", "0");
    IS(G "aipb/faal", "0");
    IS(G "sic_mode", "all");
    IS(G "sic_armed", "0");
    /* The refusal has changed nothing, and SIC fails only once. */
    cr_assert_eq(entry(9, "count"), 7);
    IS(G "sic_fail", "0");
    /* Another ISC is allowed, because no block was registered. */
    OK(vdf_test_write(G "nisc", "6"));
    OK(vdf_test_write(G "enabled", "1"));
    IS(G "aipb/afi", "6");
}

Test(gait_aen, failed_second_sic_keeps_the_block, .fini = vdf_test_tree_free)
{
    vdf_test_tree(false);
    OK(vdf_test_write(G "sic_fail", "2"));
    REFUSED(EIO, "SINGLE", vdf_test_write(G "enabled", "1"));
    IS(G "enabled", "0");
    IS(G "sic_fail", "0");
    /* Firmware keeps the block. */
    IS(G "aipb/faal", "512");
    OK(vdf_test_write(G "nisc", "1"));
    FAILS(EINVAL, vdf_test_write(G "enabled", "1"));
    OK(vdf_test_write(G "nisc", "5"));
    OK(vdf_test_write(G "enabled", "1"));
}

Test(gait_aen, failed_sic_of_a_later_set_up, .fini = vdf_test_tree_free)
{
    vdf_test_tree(false);
    OK(vdf_test_write(G "enabled", "1"));
    OK(vdf_test_write(G "enabled", "0"));
    OK(vdf_test_write(G "sic_fail", "1"));
    REFUSED(EIO, "SINGLE", vdf_test_write(G "enabled", "1"));
    IS(G "enabled", "0");
    IS(G "aipb/faal", "512");
    OK(vdf_test_write(G "enabled", "1"));
}

Test(gait_aen, end_is_busy_while_registered, .fini = vdf_test_tree_free)
{
    set_up();
    make_function("f", 1, 0x1000, 0, 0);
    OK(put("f", "registered", 1));
    REFUSED(EBUSY, "registered", vdf_test_write(G "enabled", "0"));
    IS(G "enabled", "1");
    OK(put("f", "signal", 0));
    OK(put("f", "registered", 0));
    OK(vdf_test_write(G "enabled", "0"));
    FAILS(EBUSY, put("f", "registered", 1));
}

Test(gait_aen, ranges, .fini = vdf_test_tree_free)
{
    vdf_test_tree(false);
    FAILS(EINVAL, vdf_test_write(G "nisc", "8"));
    FAILS(ERANGE, vdf_test_write(G "nisc", "256"));
    FAILS(EINVAL, vdf_test_write(G "entries/0/gisc", "8"));
    FAILS(EINVAL, vdf_test_write(G "entries/0/aisbo", "64"));
    FAILS(ERANGE, vdf_test_write(G "entries/0/count", "256"));
    FAILS(ERANGE, vdf_test_write(G "entries/0/gisa", "0x100000000"));
    cr_assert(!vdf_test_exists(G "entries/512"));
    cr_assert(vdf_test_exists(G "entries/511/aisb"));
}
