/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A saved GAIT is restored to the same bytes and continues. Invalid edited states are refused. */
#include <stdlib.h>

#include "test_gait.h"

static char *saved(const char *path)
{
    char *text = strdup(vdf_test_read(path));
    size_t len = strlen(text);

    /* The helper cuts off the last newline, which belongs to the file. */
    text = realloc(text, len + 2);
    strcpy(text + len, "\n");
    return text;
}

static void set_up_some(void)
{
    set_up();
    OK(vdf_test_mkdir(G "guests/aa"));
    OK(vdf_test_write(G "guests/aa/memory_size", "8192"));
    make_function("f", 3, 0x2000, 0x3008, 17);
    make_function("g", 4, 0x4000, 0, 0);
    make_function("h", 5, 0x5000, 0x3008, 2);
    OK(vdf_test_write(G "functions/h/guest", "aa"));
    OK(put("h", "ibv", 0x1ff8));
    OK(put("h", "sb", 0x1000));
    OK(put("f", "registered", 1));
    OK(put("g", "registered", 1));
    OK(put("h", "registered", 1));
    OK(put("g", "registered", 0));
    OK(vdf_test_write(VM "running", "1"));
    OK(vdf_test_write(VM "simm", "0x40"));
    OK(put("h", "interpret", 0));
    OK(vdf_test_write(G "sic_fail", "1"));
    OK(put("h", "signal", 1));
    OK(put("h", "signal", 2));
    OK(put("f", "signal", 3));
    OK(vdf_test_write(G "entries/100/aisb", "0x123456789"));
}

Test(gait_state, same_bytes_in_a_fresh_tree, .fini = vdf_test_tree_free)
{
    set_up_some();
    char *before = saved(G "state");
    uint64_t aisb = entry(2, "aisb");

    vdf_test_tree(false);
    OK(vdf_test_write(G "state", before));
    char *after = saved(G "state");
    cr_assert_str_eq(after, before);
    cr_assert_eq(entry(2, "aisb"), aisb);
    /* Restored to the same device. */
    OK(vdf_test_write(G "state", before));
    IS(VM "locked", "2");
    IS(G "guests/aa/gisc/5", "1");
    free(before);
    free(after);
}

Test(gait_state, restored_device_goes_on, .fini = vdf_test_tree_free)
{
    set_up_some();
    char *before = saved(G "state");

    vdf_test_tree(false);
    OK(vdf_test_write(G "state", before));
    /* The bits of the summary vector wait for an interrupt, and the ISC is not armed. */
    cr_assert_eq(byte_at(G "sbv", 0), 0x20);
    IS(G "functions/h/index", "2");
    IS(G "functions/h/aibv", "1\n2");
    OK(put("h", "signal", 3));
    IS(G "aen_forward", "1");
    OK(put("f", "signal", 4));
    IS(G "functions/f/aibv", "3\n4");
    FAILS(EPERM, vdf_test_write(G "enabled", "1"));
    FAILS(EBUSY, vdf_test_rmdir(G "guests/vm"));
    FAILS(EINVAL, put("f", "registered", 1));
    /* The lowest free entry is the one that "g" left. */
    OK(put("g", "registered", 1));
    IS(G "functions/g/index", "1");
    /* Deregistered in the old order, every count becomes 0. */
    OK(put("f", "registered", 0));
    OK(put("g", "registered", 0));
    OK(put("h", "registered", 0));
    IS(VM "locked", "0");
    IS(G "guests/aa/locked", "0");
    IS(G "guests/aa/iam", "0x00");
    OK(vdf_test_write(G "nisc", "1"));
    OK(vdf_test_write(G "enabled", "0"));
    FAILS(EINVAL, vdf_test_write(G "enabled", "1"));
    /* New guests get a slot of their own. */
    OK(vdf_test_mkdir(G "guests/new"));
    IS(G "guests/new/gisa_address", "0x01002000");
    free(before);
}

Test(gait_state, slots_survive_the_order_of_names, .fini = vdf_test_tree_free)
{
    set_up();
    OK(vdf_test_mkdir(G "guests/aa"));
    OK(vdf_test_mkdir(G "guests/mm"));
    OK(vdf_test_rmdir(G "guests/aa"));
    OK(vdf_test_mkdir(G "guests/bb"));
    char *before = saved(G "state");
    vdf_test_tree(false);
    OK(vdf_test_write(G "state", before));
    IS(VM "memory_address", "0x0000000100000000");
    IS(G "guests/bb/memory_address", "0x0000000200000000");
    IS(G "guests/mm/memory_address", "0x0000000300000000");
    free(before);
}

Test(gait_state, full_memory_of_several_guests, .fini = vdf_test_tree_free)
{
    set_up();
    /* "aa" is loaded first, and takes nearly everything. */
    OK(vdf_test_mkdir(G "guests/aa"));
    OK(vdf_test_write(VM "memory_size", "4096"));
    OK(vdf_test_write(G "guests/aa/memory_size", "0x3ffff000"));
    char *before = saved(G "state");
    vdf_test_tree(false);
    OK(vdf_test_write(G "state", before));
    IS(G "guests/aa/memory_size", "1073737728");
    free(before);
}

/* The saved state with the first @from replaced by @to, not signed. */
static char *edited(const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from), *sum = strstr(text, "checksum = ");
    size_t size = strlen(text) + strlen(to) + 32;
    char *out = malloc(size);

    cr_assert(at && sum, "\"%s\" is not in the state", from);
    snprintf(out, size, "%.*s%s%.*schecksum = none\n", (int)(at - text), text, to,
             (int)(sum - at - (ssize_t)strlen(from)), at + strlen(from));
    return out;
}

Test(gait_state, edited_states_are_refused_whole, .fini = vdf_test_tree_free)
{
    static const struct {
        const char *from, *to;
    } edits[] = {
        { "enabled = 1", "enabled = 0" },
        { "aipb/faisb = 0x0000000000012000", "aipb/faisb = 0x0000000000012008" },
        { "aipb/gait = 0x0000000000010000", "aipb/gait = 0xffffffffffffffff" },
        { "aipb/afi = 5", "aipb/afi = 8" },
        { "aipb/faal = 512", "aipb/faal = 0" },
        { "aipb/faal = 512", "aipb/faal = 65535" },
        { "sic_mode = single", "sic_mode = all" },
        { "sbv_end = 4", "sbv_end = 513" },
        { "nisc = 5", "nisc = 8" },
        { "slot = 0", "slot = 1" },
        { "slot = 0", "slot = 1024" },
        { "slot = 0", "slot = 4294967295" },
        { "memory_size = 8192", "memory_size = 0" },
        { "memory_size = 8192", "memory_size = 4096" },
        { "memory_size = 1048576", "memory_size = 0x40000000" },
        { "guest = vm", "guest = nobody" },
        { "guest = vm", "guest = " },
        { "ibv = 0x0000000000002000", "ibv = 0xfffffffffffffff8" },
        { "sb = 0x0000000000003008", "sb = 0x0000000000100000" },
        { "sbo = 17", "sbo = 64" },
        { "isc = 3", "isc = 8" },
        { "noi = 64", "noi = 0" },
        { "entry = 2", "entry = 0" },
        { "entry = 2", "entry = 512" },
        { "registered = 1\nentry = 2", "registered = 0\nentry = 2" },
    };

    set_up_some();
    char *before = saved(G "state");
    for (size_t k = 0; k < sizeof(edits) / sizeof(edits[0]); k++) {
        char *bad = edited(before, edits[k].from, edits[k].to);
        int ret = vdf_test_write(G "state", bad);
        cr_assert_lt(ret, 0, "%s", edits[k].to);
        char *after = saved(G "state");
        cr_assert_str_eq(after, before, "%s", edits[k].to);
        free(after);
        free(bad);
    }
    /* A possible value is taken: the count of alerts may be any number. */
    char *good = edited(before, "alerts = 0", "alerts = 77");
    OK(vdf_test_write(G "state", good));
    IS(G "alerts", "77");
    free(good);
    free(before);
}

Test(gait_state, memory_stays_open_over_a_restore, .fini = vdf_test_tree_free)
{
    int error = 0;

    set_up_some();
    char *before = saved(G "state");
    OK(put("f", "registered", 0));
    struct vdf_test_file *file = vdf_test_open(VM "memory", 0, &error);
    cr_assert(file);
    OK(vdf_test_write(G "state", before));
    OK(put("f", "registered", 0));
    FAILS(EBUSY, vdf_test_write(VM "memory_size", "4096"));
    vdf_test_close(file);
    OK(vdf_test_write(VM "memory_size", "4096"));
    free(before);
}

/* @text with @line before the line that begins with @before, marked as edited. */
static char *with_line(const char *text, const char *line, const char *before)
{
    const char *place = strstr(text, before), *end = strstr(text, "checksum = ");
    char *edited = NULL;

    cr_assert(place && end);
    int n = asprintf(&edited, "%.*s%s%.*schecksum = none\n", (int)(place - text), text, line,
                     (int)(end - place), place);
    cr_assert(n > 0);
    return edited;
}

Test(gait_state, saved_in_a_vm_and_restored_without, .fini = vdf_test_tree_free)
{
    set_up();
    make_function("f", 3, 0xfff80, 0, 0);
    make_function("g", 3, 0x1000, 0, 0);
    OK(put("f", "registered", 1));
    char *own = saved(G "state");
    char *state = strstr(own, "vm_memory = 0\n");
    cr_assert(state);
    memmove(state, state + strlen("vm_memory = 0\n"),
            strlen(state) + 1 - strlen("vm_memory = 0\n"));
    char *in_vm = with_line(own, "vm_memory = 2097152\n", "ipm = ");
    char *beyond = strstr(in_vm, "ibv = 0x00000000000fff80");
    memcpy(beyond, "ibv = 0x00000000001fff80", strlen("ibv = 0x00000000001fff80"));
    OK(vdf_test_write(G "state", in_vm));

    /* The registration is restored, but has no memory to deliver to. */
    char *again = saved(G "state");
    cr_assert(strstr(again, "vm_memory = 2097152\n"));
    REFUSED(EBUSY, "VM", put("f", "signal", 1));
    REFUSED(EBUSY, "VM", put("g", "registered", 1));
    IS(G "functions/f/aibv", "");
    /* The last deregistration ends the dependence on the VM. */
    OK(put("f", "registered", 0));
    FAILS(EIO, put("f", "registered", 1));
    OK(put("f", "ibv", 0xfff80));
    OK(put("f", "registered", 1));
    OK(put("f", "signal", 1));
    IS(G "functions/f/aibv", "1");

    char *huge = with_line(own, "vm_memory = 0x8000000000000000\n", "ipm = ");
    REFUSED(EINVAL, "4294967296", vdf_test_write(G "state", huge));
    free(own);
    free(in_vm);
    free(again);
    free(huge);
}
