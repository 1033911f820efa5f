/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Events of signals: interpreted, alerted, forwarded, suppressed and dropped. */
#include "backends/gait/function.h"
#include "backends/gait/guest.h"
#include "test_gait.h"

/* Function "f" with ISC 3, its vector at 0x2000 and summary bit 17 of the word at 0x3008. */
static void set_up_one(void)
{
    set_up();
    make_function("f", 3, 0x2000, 0x3008, 17);
    OK(put("f", "registered", 1));
}

static void is_counted(uint64_t forwarded, uint64_t alerts, uint64_t dropped, uint64_t interrupts)
{
    cr_assert_eq(vdf_test_read_u64(G "aen_forward"), forwarded);
    cr_assert_eq(vdf_test_read_u64(G "alerts"), alerts);
    cr_assert_eq(vdf_test_read_u64(G "dropped"), dropped);
    cr_assert_eq(vdf_test_read_u64(G "interrupts"), interrupts);
}

Test(gait_deliver, running_guest_takes_it, .fini = vdf_test_tree_free)
{
    set_up_one();
    OK(vdf_test_write(VM "running", "1"));
    OK(put("f", "signal", 0));
    OK(put("f", "signal", 10));
    OK(put("f", "signal", 63));
    IS(G "functions/f/aibv", "0\n10\n63");
    cr_assert_eq(byte_at(VM "memory", 0x2000), 0x80);
    cr_assert_eq(byte_at(VM "memory", 0x2001), 0x20);
    cr_assert_eq(byte_at(VM "memory", 0x2007), 0x01);
    /* Bit 17: the second of the third byte. */
    cr_assert_eq(byte_at(VM "memory", 0x300a), 0x40);
    IS(VM "ipm", "0x10");
    IS(VM "alerts", "0");
    is_counted(0, 0, 0, 0);
    cr_assert(all_zero(G "sbv", 64));
    FAILS(EINVAL, put("f", "signal", 64));
}

Test(gait_deliver, guest_that_is_not_running_is_alerted, .fini = vdf_test_tree_free)
{
    set_up_one();
    OK(put("f", "signal", 5));
    IS(VM "ipm", "0x10");
    IS(VM "alerts", "1");
    is_counted(0, 1, 0, 1);
    /* next_alert is the GISA's own address again: the GISA is not on the list. */
    uint8_t gisa[32], want[32] = { 0x01, 0, 0, 0, 0x10, 0, 0, 0 };
    cr_assert_eq(vdf_test_pread(VM "gisa", gisa, 32, 0), 32);
    cr_assert_arr_eq(gisa, want, 32);
}

/* An alert clears the IAM. The host sets it again when nothing is pending. */
Test(gait_deliver, one_alert_until_the_guest_has_taken_it, .fini = vdf_test_tree_free)
{
    set_up_one();
    make_function("g", 6, 0x2100, 0, 0);
    OK(put("g", "registered", 1));
    IS(VM "iam", "0x12");
    for (unsigned vector = 0; vector < 3; vector++)
        OK(put("f", "signal", vector));
    OK(put("g", "signal", 0));
    IS(G "functions/f/aibv", "0\n1\n2");
    IS(VM "ipm", "0x12");
    IS(VM "iam", "0x00");
    IS(VM "alerts", "1");
    is_counted(0, 1, 0, 1);
    char *state = strdup(vdf_test_read(G "state"));
    OK(vdf_test_write(VM "ipm", "0x02"));
    IS(VM "iam", "0x00");
    OK(vdf_test_write(VM "ipm", "0"));
    IS(VM "iam", "0x12");
    OK(put("f", "signal", 5));
    IS(VM "alerts", "2");
    /* The state has the alert that is not over. */
    OK(vdf_test_write(G "state", state));
    cr_assert_str_eq(vdf_test_read(G "state"), state);
    free(state);
    OK(put("f", "signal", 9));
    IS(VM "alerts", "1");
    /* The last function of a pending ISC clears the bit of the mask when it goes. */
    OK(put("g", "registered", 0));
    IS(VM "iam", "0x00");
    OK(put("f", "registered", 0));
    IS(VM "iam", "0x00");
    OK(put("g", "registered", 1));
    IS(VM "iam", "0x02");
}

Test(gait_deliver, no_alert_without_the_mask, .fini = vdf_test_tree_free)
{
    set_up_one();
    OK(vdf_test_write(VM "iam", "0xef"));
    OK(put("f", "signal", 5));
    IS(VM "ipm", "0x10");
    IS(VM "alerts", "0");
    is_counted(0, 0, 0, 0);
}

Test(gait_deliver, without_summary_bit, .fini = vdf_test_tree_free)
{
    set_up();
    make_function("f", 0, 0x2000, 0, 17);
    OK(put("f", "registered", 1));
    OK(put("f", "signal", 8));
    OK(put("f", "interpret", 0));
    OK(put("f", "signal", 9));
    IS(VM "ipm", "0x80");
    is_counted(1, 1, 0, 2);
    cr_assert_eq(byte_at(VM "memory", 0x2001), 0xc0);
    /* Nothing was written at address 0. */
    cr_assert_eq(byte_at(VM "memory", 2), 0);
}

Test(gait_deliver, forwarded_when_not_eligible, .fini = vdf_test_tree_free)
{
    set_up_one();
    OK(vdf_test_write(VM "running", "1"));
    OK(put("f", "interpret", 0));
    OK(put("f", "signal", 5));
    IS(VM "ipm", "0x10");
    cr_assert_eq(byte_at(VM "memory", 0x2000), 0x04);
    cr_assert_eq(byte_at(VM "memory", 0x300a), 0x40);
    is_counted(1, 0, 0, 1);
    IS(VM "aen_forward", "1");
    /* The bit was found and cleared, and the ISC is armed again. */
    cr_assert(all_zero(G "sbv", 64));
    IS(G "sic_armed", "1");
    OK(put("f", "interpret", 1));
    OK(put("f", "signal", 5));
    is_counted(1, 0, 0, 1);
}

Test(gait_deliver, host_rules_interpretation_out, .fini = vdf_test_tree_free)
{
    set_up();
    make_function("f", 3, 0x2000, 0x3008, 17);
    OK(put("f", "host", 1));
    OK(put("f", "registered", 1));
    OK(put("f", "interpret", 1));
    OK(put("f", "signal", 5));
    is_counted(1, 0, 0, 1);
    IS(VM "ipm", "0x10");
    /* Not even through an entry that was edited to name a GISA. */
    OK(vdf_test_write_u64(G "entries/0/gisa", vdf_test_read_u64(VM "gisa_address")));
    OK(put("f", "signal", 5));
    is_counted(2, 0, 0, 2);
}

Test(gait_deliver, single_interruption_mode_of_the_guest, .fini = vdf_test_tree_free)
{
    set_up_one();
    OK(put("f", "interpret", 0));
    /* One of the two masks does not suppress the event, nor does another ISC's bit. */
    OK(vdf_test_write(VM "simm", "0x10"));
    OK(put("f", "signal", 1));
    OK(vdf_test_write(VM "simm", "0xef"));
    OK(vdf_test_write(VM "nimm", "0xff"));
    OK(put("f", "signal", 2));
    is_counted(2, 0, 0, 2);
    OK(vdf_test_write(VM "ipm", "0"));
    OK(vdf_test_write(VM "simm", "0x10"));
    OK(vdf_test_write(VM "nimm", "0x10"));
    uint8_t zero = 0;
    cr_assert_eq(vdf_test_pwrite(VM "memory", &zero, 1, 0x300a), 1);
    OK(put("f", "signal", 3));
    IS(VM "ipm", "0x00");
    is_counted(2, 0, 0, 3);
    /* The bits are set all the same. */
    cr_assert_eq(byte_at(VM "memory", 0x2000), 0x70);
    cr_assert_eq(byte_at(VM "memory", 0x300a), 0x40);
    OK(vdf_test_write(VM "nimm", "0"));
    OK(put("f", "signal", 3));
    IS(VM "ipm", "0x10");
    is_counted(3, 0, 0, 4);
}

Test(gait_deliver, one_interrupt_forwards_all_summary_bits, .fini = vdf_test_tree_free)
{
    char name[16];

    set_up();
    for (int k = 0; k < 10; k++) {
        snprintf(name, sizeof(name), "%d", k);
        make_function(name, k % 8, 0x2000 + 8 * k, 0x3000, k);
        OK(put(name, "interpret", 0));
        OK(put(name, "registered", 1));
    }
    /* As if functions 1, 7 and 9 had signalled before the ISC was armed. */
    uint8_t bits[2] = { 0x41, 0x40 };
    cr_assert_eq(vdf_test_pwrite(G "sbv", bits, 2, 0), 2);
    OK(put("3", "signal", 0));
    is_counted(4, 0, 0, 1);
    IS(VM "ipm", "0x51");
    cr_assert_eq(byte_at(VM "memory", 0x3000), 0x51);
    cr_assert_eq(byte_at(VM "memory", 0x3001), 0x40);
    cr_assert(all_zero(G "sbv", 64));
}

Test(gait_deliver, scan_ends_at_the_vectors_end, .fini = vdf_test_tree_free)
{
    uint8_t bit = 0x01;

    set_up_one();
    OK(put("f", "interpret", 0));
    IS(G "sbv_end", "2");
    /* Bit 1 is the last one of the scan, so that bit 15 is not found. */
    uint8_t two = 0x40;
    cr_assert_eq(vdf_test_pwrite(G "sbv", &two, 1, 0), 1);
    cr_assert_eq(vdf_test_pwrite(G "sbv", &bit, 1, 1), 1);
    OK(put("f", "signal", 0));
    is_counted(1, 0, 1, 1);
    cr_assert_eq(byte_at(G "sbv", 0), 0);
    cr_assert_eq(byte_at(G "sbv", 1), 0x01);
}

Test(gait_deliver, full_vector_is_scanned_to_512_and_no_further, .fini = vdf_test_tree_free)
{
    char name[16];
    uint8_t beyond = 0xff;

    set_up();
    for (int k = 0; k < 512; k++) {
        snprintf(name, sizeof(name), "%d", k);
        make_function(name, 1, 0x2000, 0x3000 + k / 64 * 8, k % 64);
        OK(put(name, "interpret", 0));
        OK(put(name, "registered", 1));
    }
    IS(G "sbv_end", "512");
    /* The byte behind the vector, which a mapping can reach. */
    struct gait *gait = vdf_obj_priv(vdf_test_obj("gait/gait0"));
    gait->sbv.base[64] = beyond;
    OK(put("511", "signal", 0));
    is_counted(1, 0, 0, 1);
    cr_assert_eq(byte_at(VM "memory", 0x303f), 0x01);
    cr_assert_eq(gait->sbv.base[64], beyond);
    cr_assert(all_zero(G "sbv", 64));
}

Test(gait_deliver, dropped_without_count_or_owner, .fini = vdf_test_tree_free)
{
    set_up();
    make_function("a", 3, 0x2000, 0x3000, 0);
    make_function("b", 3, 0x2008, 0x3000, 1);
    OK(put("a", "registered", 1));
    OK(put("b", "registered", 1));
    OK(put("a", "interpret", 0));
    uint64_t word = vdf_test_read_u64(VM "memory_address") + 0x3000;

    OK(vdf_test_write(G "entries/0/count", "0"));
    OK(put("a", "signal", 0));
    is_counted(0, 0, 1, 1);
    cr_assert_eq(byte_at(VM "memory", 0x3000), 0);
    IS(VM "ipm", "0x00");

    /* An entry without an owner: its summary bit is set, then the event is dropped. */
    OK(vdf_test_write(G "entries/0/count", "1"));
    OK(put("b", "registered", 0));
    OK(vdf_test_write(G "entries/1/count", "1"));
    OK(vdf_test_write_u64(G "entries/1/aisb", word));
    OK(vdf_test_write(G "entries/1/aisbo", "9"));
    uint8_t bit = 0x40;
    cr_assert_eq(vdf_test_pwrite(G "sbv", &bit, 1, 0), 1);
    OK(put("a", "signal", 0));
    is_counted(1, 0, 2, 2);
    cr_assert_eq(byte_at(VM "memory", 0x3001), 0x40);
}

Test(gait_deliver, entries_that_designate_nothing, .fini = vdf_test_tree_free)
{
    static const uint64_t words[] = { 1,           0x3000,      UINT64_MAX,  0xffffffff00000000,
                                      0x1000ffff9, 0x100100000, 0x1fffffffc, 0x200000000 };

    set_up_one();
    /* A GISA of no guest: the host gets an error and forwards the event itself. */
    static const uint64_t gisas[] = { 1, 0x00ffffff, 0x01001000, 0x01000001, 0xffffffff };
    for (size_t k = 0; k < 5; k++) {
        OK(vdf_test_write_u64(G "entries/0/gisa", gisas[k]));
        OK(put("f", "signal", 0));
        cr_assert(strstr(vdf_test_last_error(), "gait0"), "%s", vdf_test_last_error());
        cr_assert(strstr(vdf_test_last_error(), "gisa"), "%s", vdf_test_last_error());
        is_counted(k + 1, 0, 0, k + 1);
    }
    OK(vdf_test_write(G "entries/0/gisa", "0"));
    OK(vdf_test_write(VM "ipm", "0"));
    for (size_t k = 0; k < sizeof(words) / sizeof(words[0]); k++) {
        OK(vdf_test_write_u64(G "entries/0/aisb", words[k]));
        OK(put("f", "signal", 0));
        cr_assert(strstr(vdf_test_last_error(), "dropped"), "%s", vdf_test_last_error());
        is_counted(5, 0, k + 1, 6 + k);
    }
    /* The same when it is interpreted: nothing reaches the guest. */
    OK(vdf_test_write(G "entries/0/gisa", "0x01000000"));
    OK(put("f", "signal", 0));
    is_counted(5, 0, 9, 14);
    IS(VM "ipm", "0x00");
}

Test(gait_deliver, entries_with_numbers_out_of_range, .fini = vdf_test_tree_free)
{
    uint8_t byte = 8;

    set_up_one();
    /* The files refuse these, the bytes of the table do not. */
    cr_assert_eq(vdf_test_pwrite(G "table", &byte, 1, 4), 1);
    OK(put("f", "signal", 0));
    is_counted(0, 0, 1, 1);
    IS(VM "ipm", "0x00");
    byte = 3;
    cr_assert_eq(vdf_test_pwrite(G "table", &byte, 1, 4), 1);
    byte = 64;
    cr_assert_eq(vdf_test_pwrite(G "table", &byte, 1, 7), 1);
    OK(put("f", "signal", 0));
    is_counted(0, 0, 2, 2);
    IS(VM "ipm", "0x00");
    cr_assert_eq(byte_at(VM "memory", 0x3010), 0);
    byte = 63;
    cr_assert_eq(vdf_test_pwrite(G "table", &byte, 1, 7), 1);
    OK(put("f", "signal", 0));
    IS(VM "ipm", "0x10");
    cr_assert_eq(byte_at(VM "memory", 0x300f), 0x01);
}

Test(gait_deliver, table_leads_to_the_guest_that_it_names, .fini = vdf_test_tree_free)
{
    set_up_one();
    OK(vdf_test_mkdir(G "guests/other"));
    OK(vdf_test_write_u64(G "entries/0/gisa", vdf_test_read_u64(G "guests/other/gisa_address")));
    OK(vdf_test_write_u64(G "entries/0/aisb",
                          vdf_test_read_u64(G "guests/other/memory_address") + 0x10));
    OK(put("f", "signal", 0));
    IS(VM "ipm", "0x00");
    IS(G "guests/other/ipm", "0x10");
    cr_assert_eq(byte_at(G "guests/other/memory", 0x12), 0x40);
    /* An address of a removed guest designates nothing. */
    OK(vdf_test_rmdir(G "guests/other"));
    OK(put("f", "signal", 0));
    IS(VM "ipm", "0x00");
    is_counted(0, 0, 1, 1);
}

Test(gait_deliver, failed_sic_leaves_the_isc_disarmed, .fini = vdf_test_tree_free)
{
    set_up_one();
    OK(put("f", "interpret", 0));
    OK(vdf_test_write(G "sic_fail", "1"));
    OK(put("f", "signal", 0));
    cr_assert(strstr(vdf_test_last_error(), "EIO"), "%s", vdf_test_last_error());
    is_counted(1, 0, 0, 1);
    IS(G "sic_armed", "0");
    /* No interrupt: the bit waits in the vector. */
    OK(put("f", "signal", 1));
    is_counted(1, 0, 0, 1);
    cr_assert_eq(byte_at(G "sbv", 0), 0x80);
    IS(G "functions/f/aibv", "0\n1");
    /* Deregistering clears the bit. */
    OK(put("f", "registered", 0));
    cr_assert(all_zero(G "sbv", 64));
    OK(vdf_test_write(G "enabled", "0"));
    OK(vdf_test_write(G "enabled", "1"));
    OK(put("f", "registered", 1));
    OK(put("f", "signal", 1));
    is_counted(2, 0, 0, 2);
}

/* Sets the function's bit again after each forwarded event, as a process that has the vector mapped
 * could. */
static void set_again(void *ctx, uint64_t address, uint32_t data)
{
    struct gait *gait = ctx;

    gait->sbv.base[0] |= 0x80;
}

static uint32_t messages, last_data;

static void count_message(void *ctx, uint64_t address, uint32_t data)
{
    messages++;
    last_data = data;
}

static struct gait_function *function(const char *name)
{
    return vdf_obj_priv(vdf_test_obj(path_of("functions", name, "")));
}

Test(gait_deliver, bits_that_are_set_during_the_scan_are_found, .fini = vdf_test_tree_free)
{
    set_up_one();
    OK(put("f", "interpret", 0));
    function("f")->irq =
        (struct vdf_irq){ .message = set_again, .ctx = vdf_obj_priv(vdf_test_obj("gait/gait0")) };
    /* The scans end with a line in errors. */
    OK(put("f", "signal", 0));
    cr_assert_gt(vdf_test_read_u64(G "aen_forward"), 10);
    cr_assert(strstr(vdf_test_last_error(), "EAGAIN"), "%s", vdf_test_last_error());
    IS(G "interrupts", "1");
    IS(G "sic_armed", "1");
    function("f")->irq = (struct vdf_irq){ 0 };
    uint64_t before = vdf_test_read_u64(G "aen_forward");
    OK(put("f", "signal", 0));
    cr_assert_eq(vdf_test_read_u64(G "aen_forward"), before + 1);
}

Test(gait_deliver, interrupts_reach_the_sink, .fini = vdf_test_tree_free)
{
    set_up_one();
    function("f")->irq = (struct vdf_irq){ .message = count_message };
    OK(put("f", "signal", 0));
    cr_assert_eq(messages, 1);
    cr_assert_eq(last_data, 3);
    OK(vdf_test_write(VM "running", "1"));
    OK(put("f", "signal", 0));
    cr_assert_eq(messages, 2);
    OK(put("f", "interpret", 0));
    OK(put("f", "signal", 0));
    cr_assert_eq(messages, 3);
    /* There is no message when no event reaches the guest. */
    OK(vdf_test_write(VM "simm", "0x10"));
    OK(vdf_test_write(VM "nimm", "0x10"));
    OK(put("f", "signal", 0));
    OK(put("f", "interpret", 1));
    OK(vdf_test_write(VM "running", "0"));
    OK(vdf_test_write(VM "iam", "0"));
    OK(put("f", "signal", 0));
    cr_assert_eq(messages, 3);
}
