/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The files answer as Linux's KVM did, without a mount: tests/mount/traces, which
 * tests/mount/aplic-traces.sh describes.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <virtdevfs/error.h>

#include "harness.h"

#define WORDS 8

struct replay {
    char ids[WORDS][24]; /* of the vCPUs */
    unsigned n_ids;
    bool created;
    bool ran; /* a vCPU with a guest interrupt file of the hardware */
    char mode[24];
    unsigned replayed, fileless;
};

/* The file of a device attribute, or "". */
static const char *attribute_file(const char *group, const char *number)
{
    static const char *const config[] = {
        "aia/mode",        "aia/ids",       "aia/srcs",       "aia/group_bits",
        "aia/group_shift", "aia/hart_bits", "aia/guest_bits",
    };
    static char path[64];
    unsigned long n = strtoul(number, NULL, 0);

    if (!strcmp(group, "0"))
        return n < sizeof(config) / sizeof(config[0]) ? config[n] : "";
    if (!strcmp(group, "2"))
        return n == 0 ? "init" : "";
    if (strcmp(group, "1"))
        return "";
    if (n == 0)
        return "addr/aplic";
    snprintf(path, sizeof(path), "addr/imsic/%lu", n - 1);
    return path;
}

/* The file of a register of an interrupt file, or "". */
static const char *imsic_file(const struct replay *r, const char *id, const char *iselect)
{
    static char path[64];
    unsigned long select = strtoul(iselect, NULL, 0);

    for (unsigned h = 0; h < r->n_ids; h++) {
        if (strcmp(r->ids[h], id))
            continue;
        if (select == 0x70)
            snprintf(path, sizeof(path), "imsic/%u/eidelivery", h);
        else if (select == 0x72)
            snprintf(path, sizeof(path), "imsic/%u/eithreshold", h);
        else if (select >= 0x80 && select < 0xc0)
            snprintf(path, sizeof(path), "imsic/%u/eip/%lu", h, select - 0x80);
        else if (select >= 0xc0 && select < 0x100)
            snprintf(path, sizeof(path), "imsic/%u/eie/%lu", h, select - 0xc0);
        else
            return "";
        return path;
    }
    return "";
}

static const char *answer(int result)
{
    static char text[32];

    if (result == 0)
        return "0";
    snprintf(text, sizeof(text), "-%s", vdf_errno_name(-result));
    return text;
}

static const char *number_answer(uint64_t value)
{
    static char text[32];

    snprintf(text, sizeof(text), "0x%" PRIx64, value);
    return text;
}

static const char *full_path(const char *file)
{
    static char path[128];

    snprintf(path, sizeof(path), "aplic/trace/%s", file);
    return path;
}

/* These return NULL when there is no such file. */
static const char *store(const char *file, const char *text)
{
    if (!*file || !vdf_test_exists(full_path(file)))
        return NULL;
    return answer(vdf_test_write(full_path(file), text));
}

static const char *load(const char *file)
{
    if (!*file || !vdf_test_exists(full_path(file)))
        return NULL;
    /* A write-only file is an attribute that cannot be read. */
    return !strcmp(file, "init") ? NULL : number_answer(vdf_test_read_u64(full_path(file)));
}

static const char *reg_write(const char *offset, const char *value)
{
    return answer(vdf_test_reg_write("aplic/trace/regs", strtoull(offset, NULL, 0), 4,
                                     strtoull(value, NULL, 0)));
}

static const char *reg_read(uint64_t offset)
{
    uint64_t value;
    int ret = vdf_test_reg_read("aplic/trace/regs", offset, 4, &value);

    return ret < 0 ? answer(ret) : number_answer(value);
}

static const char *start_device(struct replay *r)
{
    int ret = vdf_test_mkdir("aplic/trace");

    if (ret == 0) {
        r->created = true;
        cr_assert_eq(vdf_test_write_u64("aplic/trace/harts", r->n_ids), 0);
    }
    return answer(ret);
}

static void new_machine(struct replay *r, char *const *words, unsigned n)
{
    if (r->created)
        cr_assert_eq(vdf_test_rmdir("aplic/trace"), 0);
    r->created = r->ran = false;
    r->n_ids = n - 1;
    for (unsigned h = 0; h < r->n_ids; h++)
        snprintf(r->ids[h], sizeof(r->ids[h]), "%s", words[h + 1]);
}

/* A guest's access; NULL unless the kernel serves it in the control region. */
static const char *guest_access(char *const *words, unsigned n, const char *wanted)
{
    static char text[64];
    uint64_t address = strtoull(words[3], NULL, 0), aplic = UINT64_MAX;

    if (vdf_test_exists("aplic/trace/addr/aplic"))
        aplic = vdf_test_read_u64("aplic/trace/addr/aplic");
    if (strcmp(words[2], "4"))
        return NULL;
    if (address < aplic || address - aplic >= 0x4000) {
        /* A store to an IMSIC page is an MSI. */
        if (n == 5 && !strncmp(wanted, "in-kernel", 9)) {
            snprintf(text, sizeof(text), "%s %s", words[3], words[4]);
            vdf_test_write("aplic/trace/signal_msi", text);
        }
        return NULL;
    }

    const char *got;
    if (n == 5) {
        snprintf(text, sizeof(text), "0x%" PRIx64, address - aplic);
        got = reg_write(text, words[4]);
        if (!strcmp(got, "0"))
            got = number_answer(strtoull(words[4], NULL, 0));
    } else {
        got = reg_read(address - aplic);
    }
    /* An access where no register is leaves the kernel. */
    if (*got == '-')
        return !strncmp(wanted, "EXIT_MMIO", 9) ? wanted : got;
    char copy[32];
    snprintf(copy, sizeof(copy), "%s", got);
    snprintf(text, sizeof(text), "in-kernel ok, a1=%s", copy);
    return text;
}

static const char *operate(struct replay *r, char *const *words, unsigned n, const char *wanted)
{
    const char *op = words[0];
    char text[64];

    if (!strcmp(op, "dev"))
        return n == 1 && strcmp(wanted, "-EBUSY") ? start_device(r) : NULL;
    if (!strcmp(op, "set"))
        return store(attribute_file(words[1], words[2]), words[3]);
    if (!strcmp(op, "get"))
        return load(attribute_file(words[1], words[2]));
    /* Initialising takes no value and thus no address. */
    if (!strcmp(op, "fault"))
        return !strcmp(words[1], "0") && !strcmp(words[2], "2") ? store("init", "0") : NULL;
    if (!strcmp(op, "w"))
        return reg_write(words[1], words[2]);
    if (!strcmp(op, "r"))
        return reg_read(strtoull(words[1], NULL, 0));
    if (!strcmp(op, "iw"))
        return r->ran ? NULL : store(imsic_file(r, words[1], words[2]), words[3]);
    if (!strcmp(op, "ir"))
        return r->ran ? NULL : load(imsic_file(r, words[1], words[2]));
    if (!strcmp(op, "irq")) {
        snprintf(text, sizeof(text), "wire/%s", words[1]);
        return store(text, words[2]);
    }
    if (!strcmp(op, "msi")) {
        snprintf(text, sizeof(text), "%s %s", words[1], words[2]);
        return store("signal_msi", text);
    }
    if (!strcmp(op, "gl") || !strcmp(op, "gs")) {
        if (!r->created)
            return NULL;
        const char *got = guest_access(words, n, wanted);
        r->ran = r->ran || vdf_test_read_u64("aplic/trace/aia/mode") != 0;
        return got;
    }
    return NULL;
}

static void replay_line(struct replay *r, char *line)
{
    char *words[WORDS], copy[256];
    unsigned n = 0;

    snprintf(copy, sizeof(copy), "%s", line);
    char *wanted = strstr(line, " => ");
    cr_assert_not_null(wanted, "%s", line);
    *wanted = '\0';
    wanted += strlen(" => ");
    if (!strncmp(wanted, "ret ", 4))
        wanted += 4;
    for (char *word = strtok(line, " "); word && n < WORDS; word = strtok(NULL, " "))
        words[n++] = word;
    if (!strcmp(words[0], "vm")) {
        new_machine(r, words, n);
        return;
    }

    const char *got = operate(r, words, n, wanted);
    if (got) {
        r->replayed++;
        cr_assert_str_eq(got, wanted, "%s: got %s", copy, got);
        return;
    }
    r->fileless++;
    /* Only a refused operation may have no file. */
    bool access = !strcmp(words[0], "set") || !strcmp(words[0], "get") ||
                  !strcmp(words[0], "irq") || !strcmp(words[0], "msi") ||
                  (!r->ran && (!strcmp(words[0], "iw") || !strcmp(words[0], "ir")));
    cr_assert(!access || *wanted == '-', "there is no file for: %s", copy);
}

/* Replays tests/mount/traces/@name on the devices of @r. */
static void replay_lines(struct replay *r, const char *name)
{
    char path[4096], line[256];
    const char *slash = strrchr(__FILE__, '/');

    cr_assert_not_null(slash);
    snprintf(path, sizeof(path), "%.*s/../mount/traces/%s", (int)(slash - __FILE__), __FILE__,
             name);
    FILE *file = fopen(path, "r");
    cr_assert_not_null(file, "%s: %s", path, strerror(errno));
    while (fgets(line, sizeof(line), file)) {
        line[strcspn(line, "\n")] = '\0';
        if (*line && *line != '#')
            replay_line(r, line);
    }
    fclose(file);
}

static void replay_file(const char *name, unsigned at_least)
{
    struct replay r = { 0 };

    vdf_test_tree(true);
    replay_lines(&r, name);
    cr_assert_geq(r.replayed, at_least, "%u replayed, %u without a file", r.replayed, r.fileless);
    vdf_test_tree_free();
}

Test(aplic_traces, refusals)
{
    replay_file("10-errno.expected", 130);
}

Test(aplic_traces, registers)
{
    replay_file("20-regs.expected", 200);
}

Test(aplic_traces, misc)
{
    replay_file("40-misc.expected", 120);
}

/* QEMU's APLIC with direct delivery, driven through its qtest protocol. */
Test(aplic_traces, direct)
{
    struct replay r = { .created = true };

    vdf_test_tree(true);
    cr_assert_eq(vdf_test_mkdir("aplic/trace"), 0);
    cr_assert_eq(vdf_test_write("aplic/trace/delivery", "direct"), 0);
    cr_assert_eq(vdf_test_write_u64("aplic/trace/harts", 2), 0);
    cr_assert_eq(vdf_test_write_u64("aplic/trace/aia/srcs", 96), 0);
    cr_assert_eq(vdf_test_write_u64("aplic/trace/init", 1), 0);
    replay_lines(&r, "direct.qemu");
    cr_assert_geq(r.replayed, 1000, "%u replayed", r.replayed);
    cr_assert_eq(r.fileless, 0);
    vdf_test_tree_free();
}
