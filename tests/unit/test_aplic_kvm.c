/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * APLIC: the files with a kernel's device behind them, on any machine.
 *
 * The kernel here is the model, in a tree of its own: this program defines the functions of
 * backends/aplic/kvm.c, so that the linker does not take them from the library. tests/vm/riscv64
 * compares the model with the kernel.
 */
#include "test_aplic.h"

#include "backends/aplic/guest.h"
#include "backends/aplic/kvm.h"
#include "fs/tree/errors.h"
#include "fs/tree/file.h"
#include "fs/tree/state.h"
#include "fs/tree/value.h"
#include "tests/random.h"

/* --- the kernel ------------------------------------------------------------------------------- */

struct vdf_kvm {
    char path[32];
};

static struct vdf_tree *kernel;
static unsigned machines; /* that exist */
static bool can_reset;
static unsigned calls_left; /* until one fails; 0: none does */
static unsigned gets_left;  /* the same for reads */

static bool counts_down(unsigned *left)
{
    return *left != 0 && --*left == 0;
}

static bool fails(void)
{
    return counts_down(&calls_left);
}

/* The kernel has locks of its own, to which the ranks of the caller's locks do not apply. */
static unsigned enter_kernel(void)
{
    unsigned held = vdf_ranks_held;

    vdf_ranks_held = 0;
    return held;
}

static void leave_kernel(unsigned held)
{
    vdf_ranks_held = held;
}

/* 0 or -errno; -ENOENT where there is no such file. */
static int use_file(const struct vdf_kvm *kvm, const char *file, const char *text,
                    struct vdf_buf *out)
{
    struct vdf_err err = { 0 };
    struct vdf_place place;
    char path[96];

    snprintf(path, sizeof(path), "%s/%s", kvm->path, file);
    unsigned held = enter_kernel();
    int ret = vdf_test_resolve(kernel, path, &place);
    if (ret == 0) {
        vdf_device_enter(place.obj->device);
        ret = text ? vdf_value_write(&place, text, strlen(text), &err)
                   : vdf_value_render(&place, out);
        vdf_device_leave(place.obj->device, false);
        vdf_obj_unref(place.obj);
    }
    leave_kernel(held);
    return ret;
}

static int write_file(const struct vdf_kvm *kvm, const char *file, uint64_t value)
{
    char text[32];

    snprintf(text, sizeof(text), "%" PRIu64, value);
    return use_file(kvm, file, text, NULL);
}

static int read_file(const struct vdf_kvm *kvm, const char *file, uint64_t *value)
{
    struct vdf_buf out = VDF_BUF_INIT;
    int ret = use_file(kvm, file, NULL, &out);

    vdf_buf_add(&out, "", 1);
    *value = strtoull(out.data, NULL, 0);
    vdf_buf_free(&out);
    return ret;
}

static struct vdf_obj *device(const struct vdf_kvm *kvm)
{
    struct vdf_place place;
    unsigned held = enter_kernel();

    cr_assert_eq(vdf_test_resolve(kernel, kvm->path, &place), 0);
    vdf_obj_unref(place.obj);
    leave_kernel(held);
    return place.obj;
}

static const char *attr_file(enum vdf_kvm_group group, uint64_t attr)
{
    static const char *const config[] = {
        "aia/mode",        "aia/ids",       "aia/srcs",       "aia/group_bits",
        "aia/group_shift", "aia/hart_bits", "aia/guest_bits",
    };
    static char path[64];
    unsigned hart = (unsigned)(attr >> 12), select = attr & 0xfff;

    if (group == VDF_KVM_CONFIG)
        return config[attr];
    if (group == VDF_KVM_CTRL)
        return "init";
    if (group == VDF_KVM_ADDR) {
        snprintf(path, sizeof(path), attr ? "addr/imsic/%u" : "addr/aplic", (unsigned)attr - 1);
        return path;
    }
    if (select == VDF_IMSIC_EIDELIVERY || select == VDF_IMSIC_EITHRESHOLD)
        snprintf(path, sizeof(path), "imsic/%u/%s", hart,
                 select == VDF_IMSIC_EIDELIVERY ? "eidelivery" : "eithreshold");
    else
        snprintf(path, sizeof(path), "imsic/%u/%s/%u", hart,
                 select < VDF_IMSIC_EIE0 ? "eip" : "eie", select % 0x40);
    return path;
}

int vdf_kvm_make(uint32_t harts, struct vdf_kvm **made, struct vdf_err *err)
{
    static unsigned number;
    struct vdf_place dir, place;
    char name[16];

    if (fails())
        return vdf_fail(err, EMFILE, "no descriptor");
    struct vdf_kvm *kvm = calloc(1, sizeof(*kvm));
    cr_assert_not_null(kvm);
    snprintf(name, sizeof(name), "%u", number++);
    snprintf(kvm->path, sizeof(kvm->path), "aplic/%s", name);
    unsigned held = enter_kernel();
    cr_assert_eq(vdf_test_resolve(kernel, "aplic", &dir), 0);
    cr_assert_eq(vdf_place_mkdir(&dir, name, &place), 0);
    vdf_obj_unref(place.obj);
    vdf_obj_unref(dir.obj);
    leave_kernel(held);
    cr_assert_eq(write_file(kvm, "harts", harts), 0);
    machines++;
    *made = kvm;
    return 0;
}

void vdf_kvm_free(struct vdf_kvm *kvm)
{
    struct vdf_place dir;

    if (!kvm)
        return;
    unsigned held = enter_kernel();
    cr_assert_eq(vdf_test_resolve(kernel, "aplic", &dir), 0);
    cr_assert_eq(vdf_place_rmdir(&dir, strrchr(kvm->path, '/') + 1), 0);
    vdf_obj_unref(dir.obj);
    leave_kernel(held);
    free(kvm);
    machines--;
}

int vdf_kvm_get(const struct vdf_kvm *kvm, enum vdf_kvm_group group, uint64_t attr, uint64_t *value)
{
    if (fails() || counts_down(&gets_left))
        return -EINTR;
    if (group != VDF_KVM_APLIC)
        return read_file(kvm, attr_file(group, attr), value);
    return vdf_window_read(device(kvm), VDF_REGS, attr, 4, false, value, NULL);
}

int vdf_kvm_set(const struct vdf_kvm *kvm, enum vdf_kvm_group group, uint64_t attr, uint64_t value)
{
    if (fails())
        return -EINTR;
    if (group != VDF_KVM_APLIC)
        return write_file(kvm, attr_file(group, attr), value);
    return vdf_window_write(device(kvm), VDF_REGS, attr, 4, value, NULL);
}

int vdf_kvm_line(const struct vdf_kvm *kvm, uint32_t source, bool level)
{
    char path[32];

    snprintf(path, sizeof(path), "wire/%" PRIu32, source);
    return fails() ? -EINTR : write_file(kvm, path, level);
}

int vdf_kvm_msi(const struct vdf_kvm *kvm, uint64_t address, uint32_t data)
{
    char text[64];

    snprintf(text, sizeof(text), "%" PRIu64 " %" PRIu32, address, data);
    return fails() ? -EINTR : use_file(kvm, "signal_msi", text, NULL);
}

int vdf_kvm_reset_imsic(const struct vdf_kvm *kvm, uint32_t hart)
{
    static const char *const files[] = { "eidelivery", "eithreshold", "pending", "enabled" };

    if (!can_reset)
        return -EOPNOTSUPP;
    for (unsigned k = 0; k < 4; k++) {
        char path[64];

        snprintf(path, sizeof(path), "imsic/%" PRIu32 "/%s", hart, files[k]);
        cr_assert_eq(use_file(kvm, path, k < 2 ? "0" : "", NULL), 0);
    }
    return 0;
}

/* --- devices ---------------------------------------------------------------------------------- */

static void setup(void)
{
    extern const struct vdf_component vdf_aplic_component;
    static const struct vdf_component *const components[] = { &vdf_aplic_component, NULL };
    struct vdf_err err = { 0 };

    machines = 0;
    calls_left = 0;
    gets_left = 0;
    can_reset = true;
    cr_assert_eq(vdf_tree_create(components, NULL, &kernel, &err), 0);
    vdf_test_tree(true);
}

static void teardown(void)
{
    vdf_test_tree_free();
    cr_assert_eq(machines, 0, "%u VMs are left", machines);
    vdf_tree_destroy(kernel);
}

TestSuite(aplic_kvm, .init = setup, .fini = teardown);

/* The state of a device without its name, to be freed. */
static char *state_of(const char *path)
{
    char file[64];

    snprintf(file, sizeof(file), "%s/state", path);
    char *text = strdup(vdf_test_read(file)), *body = strchr(text, ']');
    cr_assert_not_null(body, "%s: %s", file, text);
    memmove(text, body, strlen(body) + 1);
    *strstr(text, "checksum") = '\0';
    return text;
}

static void expect_same_state(const char *path, const char *other)
{
    char *a = state_of(path), *b = state_of(other);

    cr_assert_str_eq(a, b);
    free(a);
    free(b);
}

static void configure(const char *path, bool kvm)
{
    static const struct {
        const char *file;
        uint64_t value;
    } values[] = {
        { "harts", 3 },
        { "aia/srcs", 70 },
        { "aia/ids", 127 },
        { "aia/hart_bits", 4 },
        { "addr/aplic", 0xd000000 },
        { "addr/imsic/0", 0x28002000 },
        { "addr/imsic/1", 0x28000000 },
        { "addr/imsic/2", 0x28001000 },
        { "init", 0 },
    };
    char file[64];

    cr_assert_eq(vdf_test_mkdir(path), 0);
    snprintf(file, sizeof(file), "%s/backend", path);
    put_text(file, kvm ? "kvm" : "soft");
    for (size_t k = 0; k < sizeof(values) / sizeof(values[0]); k++) {
        snprintf(file, sizeof(file), "%s/%s", path, values[k].file);
        put(file, values[k].value);
    }
}

/* One random operation. */
static int use(const char *path, struct vdf_random *random)
{
    static const char *const files[] = { "setipnum", "clripnum", "setienum", "clrienum" };
    uint32_t what = vdf_random_below(random, 12), n = 1 + vdf_random_below(random, 71);
    uint32_t value = (uint32_t)vdf_random_next(random);
    char file[64], text[64];

    snprintf(text, sizeof(text), "%" PRIu32, value);
    if (what < 2) {
        snprintf(file, sizeof(file), "%s/sourcecfg/%u", path, n > 70 ? 70 : n);
        snprintf(text, sizeof(text), "%u", value % 8);
    } else if (what < 4) {
        snprintf(file, sizeof(file), "%s/target/%u", path, n > 70 ? 70 : n);
        snprintf(text, sizeof(text), "%u", value % 4 << 18 | value / 4 % 150);
    } else if (what < 7) {
        snprintf(file, sizeof(file), "%s/wire/%u", path, n);
        snprintf(text, sizeof(text), "%u", value % 2);
    } else if (what < 9) {
        snprintf(file, sizeof(file), "%s/%s", path, files[value % 4]);
        snprintf(text, sizeof(text), "%u", n);
    } else if (what == 9) {
        snprintf(file, sizeof(file), "%s/domaincfg", path);
        snprintf(text, sizeof(text), "%u", value % 3 ? 0x100 : 0);
    } else if (what == 10) {
        snprintf(file, sizeof(file), "%s/imsic/%u/pending", path, n % 3);
        snprintf(text, sizeof(text), "%u %u", 1 + value % 128, 1 + value / 128 % 127);
    } else {
        snprintf(file, sizeof(file), "%s/signal_msi", path);
        snprintf(text, sizeof(text), "%u %u", 0x28000000 + value % 5 * 0x1000, value / 5 % 130);
    }
    return vdf_test_write(file, text);
}

static char *log_of(const char *path)
{
    char file[64], *text = calloc(1, 65537);
    int error;

    snprintf(file, sizeof(file), "%s/msi", path);
    struct vdf_test_file *log = vdf_test_open(file, O_RDONLY | O_NONBLOCK, &error);
    cr_assert_not_null(log);
    vdf_test_file_read(log, text, 65536);
    vdf_test_close(log);
    return text;
}

/* --- tests ------------------------------------------------------------------------------------ */

Test(aplic_kvm, does_what_the_model_does)
{
    configure(DEV, true);
    configure("aplic/soft", false);
    expect_same_state(DEV, "aplic/soft");
    struct vdf_random random = vdf_random_begin("does_what_the_model_does", 1);
    for (unsigned k = 0; k < 2000; k++) {
        struct vdf_random same = random;
        int ret = use(DEV, &random), wanted = use("aplic/soft", &same);

        cr_assert_eq(ret, wanted, "operation %u answers %d, not %d: %s", k, ret, wanted,
                     vdf_test_last_error());
        if (k % 50 == 0)
            expect_same_state(DEV, "aplic/soft");
    }
    expect_same_state(DEV, "aplic/soft");
    char *log = log_of(DEV), *wanted = log_of("aplic/soft");
    cr_assert_str_eq(log, wanted);
    cr_assert_not_null(strstr(log, "delivered"));
    cr_assert_not_null(strstr(log, "dropped"));
    free(log);
    free(wanted);
}

Test(aplic_kvm, states_go_into_both)
{
    struct vdf_random random = vdf_random_begin("states_go_into_both", 1);

    configure(DEV, true);
    for (unsigned k = 0; k < 400; k++) {
        use(DEV, &random);
        if (k % 20)
            continue;
        char *state = strdup(vdf_test_read(DEV "/state"));
        char *log = log_of(DEV);
        cr_assert_eq(vdf_test_mkdir("aplic/b"), 0);
        put_text("aplic/b/state", state);
        expect_same_state("aplic/b", DEV);
        cr_assert_eq(vdf_test_rmdir("aplic/b"), 0);
        /* A restore makes another machine, which sends nothing. */
        put_text(DEV "/state", state);
        expect(DEV "/backend", "kvm");
        cr_assert_str_eq(vdf_test_read(DEV "/state"), state);
        char *again = log_of(DEV);
        cr_assert_str_eq(again, log);
        cr_assert_eq(machines, 1);
        free(again);
        free(log);
        free(state);
    }
}

/* The device is as it was before, and no machine is left. */
static void expect_unwound(const char *state, const char *what, unsigned call)
{
    calls_left = 0;
    cr_assert_str_eq(vdf_test_read(DEV "/state"), state, "%s, call %u", what, call);
    cr_assert_eq(machines, 1, "%s, call %u: %u machines", what, call, machines);
}

Test(aplic_kvm, any_call_may_fail)
{
    unsigned call;
    int ret;

    cr_assert_eq(vdf_test_mkdir(DEV), 0);
    put(at("aia/srcs"), 9);
    put(at("addr/aplic"), 0xd000000);
    char *state = strdup(vdf_test_read(DEV "/state"));
    for (call = 1, ret = -1; ret < 0; call++) {
        calls_left = call;
        ret = vdf_test_write(DEV "/backend", "kvm");
        calls_left = 0;
        cr_assert_eq(machines, ret < 0 ? 0 : 1);
        expect(DEV "/backend", ret < 0 ? "soft" : "kvm");
        cr_assert_str_eq(vdf_test_read(DEV "/state"), state);
    }
    cr_assert_gt(call, 10);
    for (call = 1, ret = -1; ret < 0; call++) {
        calls_left = call;
        ret = vdf_test_write(DEV "/harts", "2");
        if (ret < 0)
            expect_unwound(state, "harts", call);
    }
    calls_left = 0;
    expect(DEV "/harts", "2");
    cr_assert_eq(machines, 1);
    free(state);

    cr_assert_eq(vdf_test_rmdir(DEV), 0);
    configure(DEV, true);
    struct vdf_random random = { 1 };
    for (unsigned k = 0; k < 100; k++)
        use(DEV, &random);
    char *saved = strdup(vdf_test_read(DEV "/state"));
    put(DEV "/domaincfg", 0);
    put(DEV "/genmsi", 41);
    put_text(DEV "/imsic/2/pending", "");
    state = strdup(vdf_test_read(DEV "/state"));
    for (call = 1, ret = -1; ret < 0; call++) {
        calls_left = call;
        ret = vdf_test_write(DEV "/state", saved);
        if (ret < 0)
            expect_unwound(state, "state", call);
    }
    calls_left = 0;
    cr_assert_str_eq(vdf_test_read(DEV "/state"), saved);
    cr_assert_gt(call, 100);
    free(state);
    free(saved);
}

/* domaincfg.IE and the modes that an operation changes for its duration have their values again
 * afterwards, also when the operation fails. */
Test(aplic_kvm, failed_reads_change_nothing)
{
    static const struct {
        const char *file;
        uint64_t value;
    } writes[] = { { DEV "/setipnum", 5 }, { DEV "/wire/5", 1 }, { DEV "/domaincfg", 0x100 } };
    unsigned call;
    int ret;

    configure(DEV, true);
    put(DEV "/sourcecfg/5", RISING);
    put(DEV "/target/5", 2 << 18 | 7);
    put(DEV "/setienum", 5);
    put(DEV "/domaincfg", 0x100);
    for (size_t k = 0; k < sizeof(writes) / sizeof(writes[0]); k++) {
        for (call = 1, ret = -1; ret < 0; call++) {
            gets_left = call;
            ret = vdf_test_write_u64(writes[k].file, writes[k].value);
            gets_left = 0;
            cr_assert(ret == 0 || ret == -EINTR, "%s, read %u: %d", writes[k].file, call, ret);
            expect(DEV "/domaincfg", "0x80000104");
            put(DEV "/wire/5", 0);
        }
        cr_assert_gt(call, 4, "%s took %u reads", writes[k].file, call - 1);
    }
    /* The MSI of a source whose target cannot be read was sent all the same. */
    put_text(DEV "/imsic/0/pending", "");
    cr_assert_eq(vdf_test_write(DEV "/setipnum", "5"), 0);
    expect(DEV "/imsic/0/pending", "7");

    /* A read of a wire reads the mode, and then the input in another mode. */
    for (call = 1; call <= 2; call++) {
        char text[8];
        int error;
        struct vdf_test_file *wire = vdf_test_open(DEV "/wire/6", O_RDONLY, &error);

        cr_assert_not_null(wire);
        gets_left = call;
        cr_assert_eq(vdf_test_file_read(wire, text, sizeof(text)), -EINTR);
        vdf_test_close(wire);
        expect_number(DEV "/sourcecfg/6", 0);
    }
}

Test(aplic_kvm, refusals_of_the_kernel)
{
    struct vdf_err err = { 0 };
    const struct vdf_guest guest = { .machine = &guest };

    cr_assert_eq(vdf_test_mkdir(DEV), 0);
    cr_assert_eq(vdf_aplic_guest_ops.attach(vdf_test_obj(DEV), 0, &guest, true, &err), 0);
    refuse(EBUSY, DEV "/backend", "kvm");
    vdf_aplic_guest_ops.detach(vdf_test_obj(DEV), 0);
    cr_assert_eq(vdf_test_rmdir(DEV), 0);

    configure(DEV, true);
    cr_assert_eq(vdf_aplic_guest_ops.attach(vdf_test_obj(DEV), 0, &guest, true, &err), -EOPNOTSUPP);
    cr_assert_not_null(strstr(err.text, "soft"), "%s", err.text);
    refuse(EOPNOTSUPP, DEV "/imsic/0/enabled", "5 32");
    cr_assert_not_null(strstr(vdf_test_last_error(), " 32:"), "%s", vdf_test_last_error());
    refuse(EINVAL, DEV "/imsic/0/pending", "128");
    refuse(EINVAL, DEV "/signal_msi", "0x28000000 128");
    refuse(ENODEV, DEV "/wire/71", "1");
    uint64_t value;
    cr_assert_eq(vdf_test_reg_read(DEV "/regs", 0x4000, 4, &value), -ENODEV);
    cr_assert_eq(vdf_test_reg_write(DEV "/regs", 0x1bc0, 4, 1), -ENODEV);
    cr_assert_eq(vdf_test_reg_write(DEV "/regs", 2, 4, 1), -EOPNOTSUPP);

    /* On a kernel that cannot reset a vCPU from outside, the upper identities cannot be cleared. */
    can_reset = false;
    put_text(DEV "/imsic/1/pending", "3 40");
    put_text(DEV "/imsic/1/pending", "5 40");
    refuse(EOPNOTSUPP, DEV "/imsic/1/pending", "5");
    expect(DEV "/imsic/1/pending", "5\n40");
    put(DEV "/genmsi", 1 << 18 | 50);
    char *state = strdup(vdf_test_read(DEV "/state"));
    refuse(EOPNOTSUPP, DEV "/state", state);
    put(DEV "/genmsi", 1 << 18 | 7);
    free(state);
    state = strdup(vdf_test_read(DEV "/state"));
    put_text(DEV "/state", state);
    cr_assert_str_eq(vdf_test_read(DEV "/state"), state);
    free(state);
}

/* If no MSI reaches a hart, its upper identities cannot become pending. */
Test(aplic_kvm, two_harts_at_one_page)
{
    cr_assert_eq(vdf_test_mkdir(DEV), 0);
    put_text(DEV "/backend", "kvm");
    put(DEV "/harts", 2);
    put(DEV "/addr/imsic/0", 0x28000000);
    put(DEV "/addr/imsic/1", 0x28000000);
    put(DEV "/init", 1);
    put_text(DEV "/imsic/1/pending", "31 64");
    refuse(EOPNOTSUPP, DEV "/imsic/1/pending", "31 63");
    put_text(DEV "/imsic/0/pending", "31 63");
}

/* Those that came by the hart's number can be removed if none of them has to stay. */
Test(aplic_kvm, upper_identities_of_a_hart_at_the_page_of_a_guest)
{
    cr_assert_eq(vdf_test_mkdir(DEV), 0);
    put_text(DEV "/backend", "kvm");
    put(DEV "/harts", 2);
    put(DEV "/aia/srcs", 8);
    put(DEV "/aia/hart_bits", 1);
    put(DEV "/aia/guest_bits", 1);
    put(DEV "/addr/aplic", 0xd000000);
    put(DEV "/addr/imsic/0", 0x28000000);
    put(DEV "/addr/imsic/1", 0x28003000);
    put(DEV "/init", 1);
    put(DEV "/genmsi", 1 << 18 | 40);
    put(DEV "/genmsi", 1 << 18 | 50);
    expect(DEV "/imsic/1/pending", "40\n50");
    refuse(EOPNOTSUPP, DEV "/imsic/1/pending", "5 50");
    expect(DEV "/imsic/1/pending", "40\n50");
    put_text(DEV "/imsic/1/pending", "5");
    expect(DEV "/imsic/1/pending", "5");
}
