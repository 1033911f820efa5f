/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * INTx of a device of the host: ends of interrupts and a restore, in each order in which their events
 * can reach the engine.
 *
 * The kernel here is a few flags: the functions of backends/intx/vfio.c are defined in this
 * program, which then does not take them from the library. tests/vm/testkernel tests the real kernel.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <virtdevfs/guest.h>

#include "backends/intx/config.h"
#include "backends/intx/device.h"
#include "backends/intx/vfio.h"
#include "harness.h"

#define BUS "intx/bus0/"
#define DEVICE BUS "devices/d0"
#define D DEVICE "/"

#define is(path, text) \
    cr_assert_str_eq(vdf_test_read(path), text, "%s: %s", path, vdf_test_read(path))
#define put(path, text) cr_assert_eq(vdf_test_write(path, text), 0, "%s", vdf_test_last_error())

/* --- the kernel ------------------------------------------------------------------------------- */

static struct {
    bool asserts, masked, bit10;
    bool on; /* INTx is */
    uint64_t triggers;
} host;

static void interrupt(void)
{
    if (!host.on || !host.asserts || host.masked || host.bit10)
        return;
    host.masked = true;
    host.triggers++;
}

static void unmask(void)
{
    if (host.bit10)
        return;
    host.masked = false;
    interrupt();
}

int vdf_intx_vfio_open(const char *name, struct vdf_intx_vfio **result, struct vdf_err *err)
{
    struct vdf_intx_vfio *vfio = calloc(1, sizeof(*vfio));

    cr_assert_not_null(vfio);
    vfio->trigger = vfio->request = vfio->unmask = -1;
    vfio->bars[0].size = 16;
    *result = vfio;
    return 0;
}

void vdf_intx_vfio_close(struct vdf_intx_vfio *vfio)
{
    host.on = false;
    free(vfio);
}

int vdf_intx_vfio_irq_on(struct vdf_intx_vfio *vfio, enum vdf_vfio_irq irq, bool unmasks,
                         struct vdf_err *err)
{
    host.on = true;
    host.masked = host.bit10;
    host.triggers = 0;
    vfio->irq = irq;
    vfio->masked = vfio->bit10;
    vfio->unmasks = unmasks;
    interrupt();
    return 0;
}

void vdf_intx_vfio_irq_off(struct vdf_intx_vfio *vfio)
{
    host.on = false;
    host.triggers = 0;
    vfio->irq = VDF_VFIO_NO_IRQ;
    vfio->unmasks = false;
}

int vdf_intx_vfio_mask(struct vdf_intx_vfio *vfio, struct vdf_err *err)
{
    host.masked = vfio->masked = true;
    return 0;
}

int vdf_intx_vfio_unmask(struct vdf_intx_vfio *vfio, struct vdf_err *err)
{
    unmask();
    vfio->masked = vfio->bit10;
    return 0;
}

int vdf_intx_vfio_unmask_fd(struct vdf_intx_vfio *vfio, bool on, struct vdf_err *err)
{
    vfio->unmask = on ? 0 : -1;
    return 0;
}

uint64_t vdf_intx_vfio_take(struct vdf_intx_vfio *vfio)
{
    uint64_t n = host.triggers;

    host.triggers = 0;
    return n;
}

int vdf_intx_vfio_config_read(const struct vdf_intx_vfio *vfio, void *bytes, size_t n,
                              uint64_t offset, struct vdf_err *err)
{
    uint8_t space[VDF_PCI_CONFIG_SIZE] = {
        [5] = host.bit10 ? VDF_PCI_COMMAND_INTX_DISABLE >> 8 : 0,
        [6] = host.asserts ? VDF_PCI_STATUS_INTERRUPT : 0,
    };

    memcpy(bytes, space + offset, n);
    return 0;
}

int vdf_intx_vfio_config_write(struct vdf_intx_vfio *vfio, const void *bytes, size_t n,
                               uint64_t offset, struct vdf_err *err)
{
    if (offset > 5 || offset + n <= 5)
        return 0;
    bool bit10 = ((const uint8_t *)bytes)[5 - offset] & VDF_PCI_COMMAND_INTX_DISABLE >> 8;
    if (bit10 == host.bit10)
        return 0;
    host.bit10 = vfio->bit10 = vfio->masked = bit10;
    if (bit10)
        host.masked = true;
    else
        unmask();
    return 0;
}

int vdf_intx_vfio_bar(const struct vdf_intx_vfio *vfio, uint32_t bar, bool write, void *bytes,
                      size_t n, uint64_t offset, struct vdf_err *err)
{
    return 0;
}

/* --- events ----------------------------------------------------------------------------------- */

static void asserts(bool asserted)
{
    host.asserts = asserted;
    interrupt();
}

/* The engine, or any access, takes the interrupts of the trigger. */
static void trigger_arrives(void)
{
    cr_assert_eq(vdf_test_pwrite(D "bar/0", "\0\0\0", 4, 0), 4);
}

/* In the kernel: KVM's resamplefd is the eventfd that unmasks. */
static void guest_ends(void)
{
    unmask();
}

/* The engine's part, once for all ends since the last call. */
static void ends_arrive(void)
{
    vdf_intx_guest_ops.eoi(vdf_test_obj(DEVICE), 0);
}

static void expect_quiet(void)
{
    is(D "guest_level", "0");
    is(D "masked", "0");
    is(D "host_irq_disabled", "0");
    is(D "intx_disable", "0");
}

static void expect_raised(const char *interrupts, const char *reasserts)
{
    is(D "guest_level", "1");
    is(D "masked", "1");
    is(D "host_irq_disabled", "1");
    is(D "interrupts", interrupts);
    is(D "reasserts", reasserts);
}

/* An enabled device of a guest; the trigger of its first interrupt has been taken. */
static void setup(void)
{
    const struct vdf_guest guest = { .machine = &guest };
    struct vdf_err err = { 0 };
    int fd = -1;

    memset(&host, 0, sizeof(host));
    vdf_test_tree(false);
    cr_assert_eq(vdf_test_mkdir(DEVICE), 0);
    put(D "host", "0000:00:04.0");
    put(D "backend", "vfio");
    put(D "enabled", "1");
    struct vdf_obj *obj = vdf_test_obj(DEVICE);
    cr_assert_eq(vdf_intx_guest_ops.attach(obj, 0, &guest, true, &err), 0);
    cr_assert_eq(vdf_intx_guest_ops.eoi_fd(obj, 0, &fd, &err), 0);
    cr_assert_geq(fd, 0);
    asserts(true);
    trigger_arrives();
    expect_raised("1", "0");
}

TestSuite(intx_vfio, .init = setup, .fini = vdf_test_tree_free);

/* --- tests ------------------------------------------------------------------------------------ */

Test(intx_vfio, an_end_while_it_is_quiet)
{
    asserts(false);
    guest_ends();
    ends_arrive();
    expect_quiet();
    /* The end of another device of the guest's pin. */
    ends_arrive();
    expect_quiet();
    asserts(true);
    trigger_arrives();
    expect_raised("2", "0");
}

Test(intx_vfio, an_end_that_arrives_before_the_interrupt_that_it_causes)
{
    guest_ends();
    ends_arrive();
    trigger_arrives();
    expect_raised("1", "1");
    asserts(false);
    guest_ends();
    ends_arrive();
    expect_quiet();
}

Test(intx_vfio, an_end_that_arrives_after_the_interrupt_that_it_causes)
{
    guest_ends();
    trigger_arrives();
    ends_arrive();
    expect_raised("1", "1");
    asserts(false);
    guest_ends();
    ends_arrive();
    expect_quiet();
}

Test(intx_vfio, two_ends_that_arrive_as_one)
{
    guest_ends();
    trigger_arrives();
    asserts(false);
    guest_ends();
    ends_arrive();
    expect_quiet();
    asserts(true);
    trigger_arrives();
    expect_raised("2", "1");
}

Test(intx_vfio, two_ends_that_arrive_as_one_while_it_asserts)
{
    guest_ends();
    trigger_arrives();
    guest_ends();
    ends_arrive();
    expect_raised("1", "2");
    asserts(false);
    guest_ends();
    ends_arrive();
    expect_quiet();
}

/* Bit 10 keeps the kernel from unmasking: the end of the interrupt clears it, which unmasks. */
Test(intx_vfio, an_end_behind_bit_10)
{
    put(D "intx_disable", "1");
    guest_ends();
    ends_arrive();
    expect_raised("1", "1");
    cr_assert_not(host.bit10);
    asserts(false);
    guest_ends();
    ends_arrive();
    expect_quiet();
}

/* The restore lets an interrupt through on its way, which is the one in the state. */
Test(intx_vfio, a_restore_unmasks_nothing)
{
    put(D "guest_mask", "1");
    asserts(false);
    put(D "guest_mask", "0");
    asserts(true);
    trigger_arrives();
    char *state = strdup(vdf_test_read(BUS "state"));
    put(D "guest_mask", "1");
    put(BUS "state", state);
    cr_assert_str_eq(vdf_test_read(BUS "state"), state);
    cr_assert(host.masked && !host.bit10);
    guest_ends();
    trigger_arrives();
    expect_raised("2", "1");
    free(state);
}
