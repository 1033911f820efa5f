/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PCI functions: configuration space, base address registers, interrupts, without a client. */
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "backends/pci/pci.h"
#include "harness.h"

#define CONFIG "pci/nic/config"

static atomic_bool never;

static struct vdf_pci *pci(void)
{
    return vdf_obj_priv(vdf_test_obj("pci/nic"));
}

static uint32_t config(unsigned offset, unsigned width)
{
    uint32_t value = 0;

    cr_assert_eq(vdf_test_pread(CONFIG, &value, width, offset), width);
    return value;
}

static void set_config(unsigned offset, unsigned width, uint32_t value)
{
    cr_assert_eq(vdf_test_pwrite(CONFIG, &value, width, offset), width);
}

static void set_up(void)
{
    vdf_test_tree(false);
    cr_assert_eq(vdf_test_mkdir("pci/nic"), 0);
}

TestSuite(pci, .init = set_up, .fini = vdf_test_tree_free);

/* --- configuration space ---------------------------------------------------------------------- */

Test(pci, identity_by_hand)
{
    cr_assert_eq(vdf_test_write("pci/nic/vendor", "0x1234"), 0);
    cr_assert_eq(vdf_test_write("pci/nic/device", "0x5678"), 0);
    cr_assert_eq(vdf_test_write("pci/nic/class", "0x020001"), 0);
    cr_assert_eq(vdf_test_write("pci/nic/revision", "7"), 0);
    cr_assert_eq(vdf_test_write("pci/nic/class", "0x1000000"), -EINVAL);
    cr_assert_eq(config(0, 4), 0x56781234);
    cr_assert_eq(config(8, 4), 0x02000107);
    cr_assert_eq(config(0x3d, 1), 1);
    cr_assert_eq(config(0x34, 1), 0);
    /* Read-only registers stay. */
    set_config(0, 4, 0);
    set_config(8, 4, 0);
    cr_assert_eq(config(0, 4), 0x56781234);
    cr_assert_eq(config(8, 4), 0x02000107);
    /* The unimplemented bits of the command register are 0. */
    set_config(4, 2, 0xffff);
    cr_assert_eq(config(4, 2), 0x0547);
    set_config(0x3c, 1, 11);
    cr_assert_eq(config(0x3c, 2), 0x010b);
    uint8_t past;
    cr_assert_eq(vdf_test_pread(CONFIG, &past, 1, 256), 0);
    cr_assert_eq(vdf_test_write("pci/nic/express", "1"), 0);
    cr_assert_eq(vdf_test_pread(CONFIG, &past, 1, 4095), 1);
    cr_assert_eq(config(0x34, 1), 0x40);
    cr_assert_eq(config(0x40, 2), 0x0010);
}

/* The sequence of pci_read_bases() in Linux. */
Test(pci, sizing)
{
    cr_assert_eq(vdf_test_mkdir("pci/nic/bars/1"), 0);
    cr_assert_eq(vdf_test_write("pci/nic/bars/1/kind", "mem64"), 0);
    cr_assert_eq(vdf_test_write("pci/nic/bars/1/device", "aplic/aplic0"), 0);
    cr_assert_eq(vdf_test_mkdir("pci/nic/bars/4"), 0);
    cr_assert_eq(vdf_test_write("pci/nic/bars/4/kind", "io"), 0);
    cr_assert_eq(vdf_test_write("pci/nic/bars/4/size", "64"), 0);
    static const uint32_t sizes[] = { 0, 0xffffc004, 0xffffffff, 0, 0xffffffc1, 0 };
    for (unsigned n = 0; n < VDF_PCI_BARS; n++) {
        set_config(0x10 + 4 * n, 4, 0xffffffff);
        cr_assert_eq(config(0x10 + 4 * n, 4), sizes[n], "register %u", n);
        set_config(0x10 + 4 * n, 4, 0);
    }
    set_config(0x14, 4, 0xfebd4000);
    set_config(0x18, 4, 0x80);
    cr_assert_eq(config(0x14, 4), 0xfebd4004);
    cr_assert_eq(config(0x18, 4), 0x80);
    set_config(0x16, 1, 0x11);
    cr_assert_eq(config(0x14, 4), 0xfe114004);
}

Test(pci, bars_refuse)
{
    cr_assert_eq(vdf_test_mkdir("pci/nic/bars/6"), -EINVAL);
    cr_assert_eq(vdf_test_mkdir("pci/nic/bars/0"), 0);
    cr_assert_eq(vdf_test_write("pci/nic/bars/0/device", "console/none"), -ENODEV);
    cr_assert_eq(vdf_test_write("pci/nic/bars/0/device", "vm"), -ENODEV);
    cr_assert_eq(vdf_test_write("pci/nic/bars/0/size", "4097"), -EINVAL);
    cr_assert_eq(vdf_test_write("pci/nic/bars/0/size", "2048"), -EINVAL);
    cr_assert_eq(vdf_test_write("pci/nic/bars/0/kind", "rom"), -EINVAL);
    cr_assert_eq(vdf_test_write("pci/nic/bars/0/device", "memory"), 0);
    cr_assert_eq(vdf_test_write("pci/nic/bars/0/kind", "io"), -EINVAL);
    cr_assert_eq(vdf_test_read_u64("pci/nic/bars/0/size"), 4096);
    uint32_t word = 0x12345678;
    cr_assert_eq(vdf_test_pwrite("pci/nic/bars/0/memory", &word, 4, 4092), 4);
    cr_assert_eq(vdf_test_write("pci/nic/bars/0/device", "aplic/aplic0"), 0);
    cr_assert_not(vdf_test_exists("pci/nic/bars/0/memory"));
    cr_assert_eq(vdf_test_write("pci/nic/function", "aplic/aplic0"), -EINVAL);
    cr_assert_eq(vdf_test_write("pci/nic/function", "intx/bus0/devices/d"), -ENODEV);
    cr_assert_str_eq(vdf_test_read("pci/nic/function"), "");
}

/* The function has the header of the device, with the rules of its command register. */
Test(pci, header_of_a_device)
{
    cr_assert_eq(vdf_test_mkdir("intx/bus0/devices/d"), 0);
    cr_assert_eq(vdf_test_write("intx/bus0/devices/d/enabled", "1"), 0);
    cr_assert_eq(vdf_test_write("pci/nic/function", "intx/bus0/devices/d"), 0);
    cr_assert_eq(vdf_test_write("intx/bus0/devices/d/assert", "1"), 0);
    cr_assert_eq(config(6, 2) & 8, 8);
    /* The handler's own mask is not the guest's. */
    cr_assert_eq(vdf_test_read_u64("intx/bus0/devices/d/masked"), 1);
    cr_assert_eq(config(4, 2) & 0x400, 0);
    set_config(4, 2, 0x407);
    cr_assert_eq(vdf_test_read_u64("intx/bus0/devices/d/guest_mask"), 1);
    cr_assert_eq(config(4, 2), 0x407);
    cr_assert_eq(vdf_test_write("pci/nic/msix/vectors", "2"), 0);
    cr_assert_eq(config(6, 2) & 0x10, 0x10);
    cr_assert_eq(config(0x34, 1), 0x40);
}

/* --- interrupts ------------------------------------------------------------------------------- */

static int listen_to(unsigned index, unsigned n)
{
    struct vdf_signal *signal;
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    cr_assert_geq(fd, 0);
    cr_assert_eq(vdf_signal_open(NULL, fd, &signal), 0);
    cr_assert_eq(vdf_pci_irq_connect(pci(), index, n, signal, &never), 0);
    return fd;
}

/* Interrupts since the last call. Signals arrive asynchronously. */
static uint64_t heard(int fd, bool expected)
{
    struct pollfd poller = { .fd = fd, .events = POLLIN };
    uint64_t count = 0;

    poll(&poller, 1, expected ? 5000 : 20);
    return read(fd, &count, sizeof(count)) == sizeof(count) ? count : 0;
}

Test(pci, msix_keeps_what_is_masked)
{
    cr_assert_eq(vdf_test_write("pci/nic/msix/vectors", "3"), 0);
    struct vdf_pci_irqs *irqs = &pci()->irqs;
    vdf_pci_msix_send(irqs, 1);
    cr_assert_eq(vdf_test_read_u64("pci/nic/msix/1/pending"), 1);
    vdf_pci_irqs_run(irqs, true);
    int fd = listen_to(VDF_PCI_MSIX, 1);
    cr_assert_eq(heard(fd, true), 1);
    cr_assert_eq(vdf_test_read_u64("pci/nic/msix/1/pending"), 0);
    cr_assert_eq(vdf_test_read_u64("pci/nic/msix/enabled"), 1);

    cr_assert_eq(vdf_test_write("pci/nic/msix/1/mask", "1"), 0);
    for (unsigned k = 0; k < 3; k++)
        vdf_pci_msix_send(irqs, 1);
    cr_assert_eq(heard(fd, false), 0);
    cr_assert_eq(vdf_test_read_u64("pci/nic/msix/1/pending"), 1);
    cr_assert_eq(vdf_test_write("pci/nic/msix/1/mask", "0"), 0);
    cr_assert_eq(heard(fd, true), 1);
    cr_assert_eq(vdf_test_read_u64("pci/nic/msix/1/sent"), 2);

    set_config(0x42, 2, 0xc000);
    vdf_pci_msix_send(irqs, 1);
    cr_assert_eq(heard(fd, false), 0);
    cr_assert_eq(vdf_test_read_u64("pci/nic/msix/mask"), 1);
    set_config(0x42, 2, 0x8000);
    cr_assert_eq(heard(fd, true), 1);

    set_config(0x42, 2, 0);
    vdf_pci_msix_send(irqs, 1);
    cr_assert_eq(heard(fd, false), 0);
    cr_assert_eq(vdf_test_write("pci/nic/msix/enabled", "1"), 0);
    cr_assert_eq(heard(fd, true), 1);

    vdf_pci_msix_send(irqs, 3);
    cr_assert_eq(vdf_test_read_u64("pci/nic/msix/dropped"), 1);
    close(fd);
}

Test(pci, msix_table)
{
    cr_assert_eq(vdf_test_write("pci/nic/msix/vectors", "300"), 0);
    struct vdf_pci_irqs *irqs = &pci()->irqs;
    cr_assert_eq(vdf_pci_msix_half(irqs), 8192);
    cr_assert_eq(config(0x40, 4), 299u << 16 | 0x11);
    cr_assert_eq(config(0x44, 4), 5);
    cr_assert_eq(config(0x48, 4), 8192 | 5);
    cr_assert_eq(vdf_pci_msix_read(irqs, 299 * 16 + 12, 4), 1);
    vdf_pci_msix_write(irqs, 299 * 16, 8, 0xfee01003);
    vdf_pci_msix_write(irqs, 299 * 16 + 8, 8, 0x41);
    cr_assert_eq(vdf_test_read_u64("pci/nic/msix/299/addr"), 0xfee01000);
    cr_assert_eq(vdf_test_read_u64("pci/nic/msix/299/data"), 0x41);
    cr_assert_eq(vdf_test_read_u64("pci/nic/msix/299/mask"), 0);
    vdf_pci_msix_send(irqs, 299);
    cr_assert_eq(vdf_pci_msix_read(irqs, 8192 + 32, 8), UINT64_C(1) << 43);
    cr_assert_eq(vdf_pci_msix_read(irqs, 8192 + 37, 1), 1 << 3);
    /* Behind the vectors, the pending bits, and in narrow accesses nothing is written. */
    vdf_pci_msix_write(irqs, 8192 + 32, 8, 0);
    vdf_pci_msix_write(irqs, 300 * 16, 4, 0xffffffff);
    vdf_pci_msix_write(irqs, 0, 1, 0xff);
    cr_assert_eq(vdf_pci_msix_read(irqs, 300 * 16, 4), 0);
    cr_assert_eq(vdf_test_read_u64("pci/nic/msix/299/pending"), 1);
    cr_assert_eq(vdf_test_read_u64("pci/nic/msix/0/addr"), 0);
    for (uint64_t offset = 0; offset < 16384; offset++)
        for (unsigned width = 1; width <= 8; width *= 2)
            if (offset % width == 0)
                vdf_pci_msix_read(irqs, offset, width);
}

Test(pci, intx_masks_itself_until_the_end)
{
    struct vdf_pci_irqs *irqs = &pci()->irqs;
    vdf_pci_irqs_run(irqs, true);
    int fd = listen_to(VDF_PCI_INTX, 0);

    vdf_pci_intx_set(irqs, 0, true);
    vdf_pci_intx_set(irqs, 1, true);
    cr_assert_eq(heard(fd, true), 1);
    cr_assert_eq(vdf_test_read_u64("pci/nic/intx/mask"), 1);
    cr_assert_eq(config(6, 2) & 8, 8);
    vdf_pci_intx_set(irqs, 0, false);
    cr_assert_eq(vdf_test_read_u64("pci/nic/intx/level"), 1);
    /* Still high: interrupted again. */
    cr_assert_eq(vdf_pci_irq_mask(pci(), VDF_PCI_INTX, 0, false, &never), 0);
    cr_assert_eq(heard(fd, true), 1);
    vdf_pci_intx_set(irqs, 1, false);
    cr_assert_eq(vdf_pci_irq_mask(pci(), VDF_PCI_INTX, 0, false, &never), 0);
    cr_assert_eq(heard(fd, false), 0);
    cr_assert_eq(vdf_test_read_u64("pci/nic/intx/sent"), 2);

    /* The guest's bit 10, and MSI-X, keep the line from interrupting. */
    set_config(4, 2, 0x400);
    vdf_pci_intx_set(irqs, 0, true);
    cr_assert_eq(heard(fd, false), 0);
    set_config(4, 2, 0);
    cr_assert_eq(heard(fd, true), 1);
    cr_assert_eq(vdf_test_write("pci/nic/msix/enabled", "1"), 0);
    cr_assert_eq(vdf_pci_irq_mask(pci(), VDF_PCI_INTX, 0, false, &never), 0);
    cr_assert_eq(heard(fd, false), 0);
    cr_assert_eq(vdf_test_write("pci/nic/msix/enabled", "0"), 0);
    cr_assert_eq(heard(fd, true), 1);
    close(fd);
}

/* --- states ----------------------------------------------------------------------------------- */

Test(pci, state)
{
    static char first[65536], second[65536];

    cr_assert_eq(vdf_test_mkdir("pci/nic/bars/2"), 0);
    cr_assert_eq(vdf_test_write("pci/nic/bars/2/device", "memory"), 0);
    cr_assert_eq(vdf_test_pwrite("pci/nic/bars/2/memory", "abcd", 4, 100), 4);
    cr_assert_eq(vdf_test_write("pci/nic/msix/vectors", "5"), 0);
    cr_assert_eq(vdf_test_write("pci/nic/msix/4/data", "0x99"), 0);
    cr_assert_eq(vdf_test_write("pci/nic/msix/3/mask", "0"), 0);
    vdf_pci_msix_send(&pci()->irqs, 2);
    set_config(0x18, 4, 0xfe000000);
    set_config(4, 2, 0x406);
    snprintf(first, sizeof(first), "%s\n", vdf_test_read("pci/nic/state"));
    cr_assert_eq(vdf_test_rmdir("pci/nic"), 0);
    cr_assert_eq(vdf_test_mkdir("pci/nic"), 0);
    cr_assert_eq(vdf_test_write("pci/nic/state", first), 0, "%s", vdf_test_last_error());
    snprintf(second, sizeof(second), "%s\n", vdf_test_read("pci/nic/state"));
    cr_assert_str_eq(first, second);
    cr_assert_eq(vdf_test_read_u64("pci/nic/msix/2/pending"), 1);
    cr_assert_eq(config(0x18, 4), 0xfe000000);
    cr_assert(pci()->irqs.intx_disabled);
}

/* --- attached --------------------------------------------------------------------------------- */

static void attach(void)
{
    struct vdf_err err = { 0 };

    cr_assert_eq(vdf_pci_attach(pci(), true, &err), 0, "%s", err.text);
    cr_assert_eq(vdf_pci_set_running(pci(), true, &never), 0);
}

static uint32_t load(unsigned region, uint64_t offset, unsigned width)
{
    struct vdf_err err = { 0 };
    uint32_t value = 0;

    cr_assert_eq(vdf_pci_read(pci(), region, offset, &value, width, &never, &err), 0, "%s",
                 err.text);
    return value;
}

static void store(unsigned region, uint64_t offset, unsigned width, uint32_t value)
{
    struct vdf_err err = { 0 };

    cr_assert_eq(vdf_pci_write(pci(), region, offset, &value, width, &never, &err), 0, "%s",
                 err.text);
}

/* The sequence of uio_pci_generic in Linux: the handler reads status and masks, the user unmasks. */
Test(pci, an_intx_device_interrupts)
{
    cr_assert_eq(vdf_test_mkdir("intx/bus0/devices/d"), 0);
    cr_assert_eq(vdf_test_write("intx/bus0/devices/d/enabled", "1"), 0);
    cr_assert_eq(vdf_test_write("pci/nic/function", "intx/bus0/devices/d"), 0);
    attach();
    int fd = listen_to(VDF_PCI_INTX, 0);

    for (unsigned k = 1; k <= 3; k++) {
        cr_assert_eq(vdf_test_write("intx/bus0/devices/d/assert", "1"), 0);
        cr_assert_eq(heard(fd, true), 1);
        cr_assert_eq(load(VDF_PCI_CONFIG, 4, 4) & 0x00080400, 0x00080000);
        store(VDF_PCI_CONFIG, 4, 2, 0x0406);
        cr_assert_eq(vdf_test_read_u64("intx/bus0/devices/d/guest_mask"), 1);
        cr_assert_eq(vdf_pci_irq_mask(pci(), VDF_PCI_INTX, 0, false, &never), 0);
        cr_assert_eq(heard(fd, false), 0);
        cr_assert_eq(vdf_test_write("intx/bus0/devices/d/assert", "0"), 0);
        store(VDF_PCI_CONFIG, 4, 2, 0x0006);
        cr_assert_eq(vdf_pci_irq_mask(pci(), VDF_PCI_INTX, 0, false, &never), 0);
        cr_assert_eq(heard(fd, false), 0);
        cr_assert_eq(vdf_test_read_u64("pci/nic/intx/sent"), k);
    }
    /* A device that is never served is a storm. */
    cr_assert_eq(vdf_test_write("intx/bus0/devices/d/assert", "1"), 0);
    for (unsigned k = 0; k < 5; k++) {
        cr_assert_eq(heard(fd, true), 1);
        cr_assert_eq(vdf_pci_irq_mask(pci(), VDF_PCI_INTX, 0, false, &never), 0);
    }
    cr_assert_eq(vdf_test_write("intx/bus0/devices/d/assert", "0"), 0);
    heard(fd, false);
    cr_assert_eq(vdf_pci_irq_mask(pci(), VDF_PCI_INTX, 0, false, &never), 0);
    cr_assert_eq(heard(fd, false), 0);
    cr_assert_eq(vdf_test_rmdir("intx/bus0/devices/d"), -EBUSY);
    cr_assert_eq(vdf_test_write("pci/nic/vendor", "1"), -EBUSY);
    cr_assert_eq(vdf_test_mkdir("pci/nic/bars/0"), -EBUSY);
    vdf_pci_detach(pci());
    cr_assert_eq(vdf_test_rmdir("intx/bus0/devices/d"), 0);
    close(fd);
}

Test(pci, windows_and_memory)
{
    static const char *const devices[] = { "aplic/aplic0", "console/con0", "hwqueue/smmu0/queues/0",
                                           "memory" };

    cr_assert_eq(vdf_test_mkdir("hwqueue/smmu0/queues/0"), 0);
    for (unsigned n = 0; n < 4; n++) {
        char path[64];
        snprintf(path, sizeof(path), "pci/nic/bars/%u", n);
        cr_assert_eq(vdf_test_mkdir(path), 0);
        snprintf(path, sizeof(path), "pci/nic/bars/%u/device", n);
        cr_assert_eq(vdf_test_write(path, devices[n]), 0, "%s", vdf_test_last_error());
    }
    cr_assert_eq(vdf_test_write("pci/nic/bars/1/size", "8192"), 0);
    attach();
    store(0, 0, 4, 0x100);
    cr_assert_str_eq(vdf_test_read("aplic/aplic0/domaincfg"), "0x80000104");
    cr_assert_eq(load(1, 0, 4), 0x74726976);
    /* Behind the window there is nothing, and behind the register no access. */
    cr_assert_eq(load(1, 4096, 4), 0);
    store(1, 8188, 4, 1);
    uint32_t word;
    cr_assert_eq(vdf_pci_read(pci(), 1, 8190, &word, 4, &never, NULL), -EINVAL);
    cr_assert_eq(vdf_pci_read(pci(), 1, UINT64_MAX, &word, 4, &never, NULL), -EINVAL);
    cr_assert_eq(vdf_pci_read(pci(), 5, 0, &word, 4, &never, NULL), -EINVAL);
    store(3, 100, 4, 0x11223344);
    cr_assert_eq(vdf_test_pread("pci/nic/bars/3/memory", &word, 4, 100), 4);
    cr_assert_eq(word, 0x11223344);
    struct vdf_pci_region region;
    cr_assert_eq(vdf_pci_region(pci(), 3, &region, &never), 0);
    cr_assert_geq(region.fd, 0);
    cr_assert_eq(region.maps, 4096);
    close(region.fd);
    cr_assert_eq(vdf_pci_region(pci(), 2, &region, &never), 0);
    cr_assert_eq(region.maps, 4096);
    cr_assert_eq(vdf_test_read_u64("pci/nic/bars/2/mapped"), 1);
    cr_assert_eq(vdf_test_read_u64("pci/nic/bars/0/mapped"), 0);
    close(region.fd);
    struct vdf_guest_doorbell list[4];
    int fds[4];
    cr_assert_eq(vdf_pci_doorbells(pci(), 1, list, fds, 4), 4);
    cr_assert_eq(list[2].data, 2);
    vdf_pci_detach(pci());
}

Test(pci, migration)
{
    struct vdf_buf saved = VDF_BUF_INIT, again = VDF_BUF_INIT;
    struct vdf_err err = { 0 };

    cr_assert_eq(vdf_test_mkdir("pci/nic/bars/0"), 0);
    cr_assert_eq(vdf_test_write("pci/nic/bars/0/device", "console/con0"), 0);
    cr_assert_eq(vdf_test_write("pci/nic/msix/vectors", "2"), 0);
    attach();
    store(0, 0x70, 4, 3);
    vdf_pci_msix_send(&pci()->irqs, 1);
    cr_assert_eq(vdf_pci_save(pci(), &saved, &never), 0);
    store(0, 0x70, 4, 0);
    cr_assert_eq(vdf_pci_reset(pci(), &never), 0);
    cr_assert_eq(vdf_test_read_u64("pci/nic/msix/1/pending"), 0);
    /* A refused state changes nothing. */
    store(0, 0x70, 4, 1);
    cr_assert_eq(vdf_pci_load(pci(), saved.data, saved.len / 2, &never, &err), -EINVAL);
    cr_assert_eq(load(0, 0x70, 4), 1);
    cr_assert_eq(vdf_pci_load(pci(), saved.data, saved.len, &never, &err), 0, "%s", err.text);
    cr_assert_eq(load(0, 0x70, 4), 3);
    cr_assert_eq(vdf_test_read_u64("pci/nic/msix/1/pending"), 1);
    cr_assert_eq(vdf_pci_save(pci(), &again, &never), 0);
    cr_assert_eq(again.len, saved.len);
    cr_assert_eq(memcmp(again.data, saved.data, saved.len), 0);
    vdf_buf_free(&saved);
    vdf_buf_free(&again);
    vdf_pci_detach(pci());
}
