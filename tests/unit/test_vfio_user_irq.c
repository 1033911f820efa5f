/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The interrupts of a vfio-user client. */
#include "test_vfio_user.h"

#define INTX VFIO_PCI_INTX_IRQ_INDEX
#define MSI VFIO_PCI_MSI_IRQ_INDEX
#define MSIX VFIO_PCI_MSIX_IRQ_INDEX
#define ERR VFIO_PCI_ERR_IRQ_INDEX
#define REQ VFIO_PCI_REQ_IRQ_INDEX

#define NONE VFIO_IRQ_SET_DATA_NONE
#define BOOL VFIO_IRQ_SET_DATA_BOOL
#define EVENTFD VFIO_IRQ_SET_DATA_EVENTFD
#define MASK VFIO_IRQ_SET_ACTION_MASK
#define UNMASK VFIO_IRQ_SET_ACTION_UNMASK
#define TRIGGER VFIO_IRQ_SET_ACTION_TRIGGER

static int events[8];

static void set_up(void)
{
    vc_start();
    for (unsigned k = 0; k < 8; k++)
        events[k] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
}

static void tear_down(void)
{
    for (unsigned k = 0; k < 8; k++)
        close(events[k]);
    vc_end();
}

TestSuite(vfio_user_irq, .init = set_up, .fini = tear_down);

/* How often the eventfd was signalled since the last time. */
static unsigned count(unsigned k)
{
    uint64_t n;

    return eventfd_read(events[k], &n) == 0 ? (unsigned)n : 0;
}

static int set_irqs(uint32_t index, uint32_t flags, uint32_t start, uint32_t n, const void *data,
                    size_t len, const int *fds, unsigned n_fds)
{
    struct vdf_vfu_irq_set set = { (uint32_t)(sizeof(set) + len), flags, index, start, n };
    uint8_t payload[sizeof(set) + 64];

    memcpy(payload, &set, sizeof(set));
    if (len)
        memcpy(payload + sizeof(set), data, len);
    return vc_ask_fds(VDF_VFU_DEVICE_SET_IRQS, payload, sizeof(set) + len, fds, n_fds);
}

static int plain(uint32_t index, uint32_t flags, uint32_t start, uint32_t n)
{
    return set_irqs(index, flags, start, n, NULL, 0, NULL, 0);
}

static struct vdf_vfu_irq_info irq_info(uint32_t index)
{
    struct vdf_vfu_irq_info info = { .argsz = 64, .index = index };

    cr_assert_eq(vc_ask(VDF_VFU_DEVICE_GET_IRQ_INFO, &info, sizeof(info)), sizeof(info));
    memcpy(&info, vc.payload, sizeof(info));
    cr_assert_eq(info.argsz, sizeof(info));
    cr_assert_eq(info.index, index);
    return info;
}

static void wait_for(const char *path, uint64_t value)
{
    for (unsigned k = 0; k < VC_WAIT_MS && vdf_test_read_u64(path) != value; k++)
        usleep(1000);
    cr_assert_eq(vdf_test_read_u64(path), value, "%s", path);
}

Test(vfio_user_irq, info)
{
    struct vdf_vfu_irq_info info = irq_info(INTX);

    cr_assert_eq(info.count, 1);
    cr_assert_eq(info.flags,
                 VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_MASKABLE | VFIO_IRQ_INFO_AUTOMASKED);
    info = irq_info(MSIX);
    cr_assert_eq(info.count, VC_VECTORS);
    cr_assert_eq(info.flags, VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_MASKABLE);
    cr_assert_eq(irq_info(MSI).count, 0);
    cr_assert_eq(irq_info(MSI).flags, 0);
    cr_assert_eq(irq_info(REQ).count, 0);
    cr_assert_eq(irq_info(ERR).count, 1);
    cr_assert_eq(irq_info(ERR).flags, VFIO_IRQ_INFO_EVENTFD);
    info = (struct vdf_vfu_irq_info){ .argsz = 16, .index = 5 };
    cr_assert_eq(vc_ask(VDF_VFU_DEVICE_GET_IRQ_INFO, &info, sizeof(info)), -EINVAL);
    vc_expect_line("vfio-user: DEVICE_GET_IRQ_INFO: interrupts of index 5");
    info = (struct vdf_vfu_irq_info){ .argsz = 16, .count = 1 };
    cr_assert_eq(vc_ask(VDF_VFU_DEVICE_GET_IRQ_INFO, &info, sizeof(info)), -EINVAL);
    info = (struct vdf_vfu_irq_info){ .argsz = 15 };
    cr_assert_eq(vc_ask(VDF_VFU_DEVICE_GET_IRQ_INFO, &info, sizeof(info)), -EINVAL);
}

/* Descriptors, masks, and triggers of vectors. */
Test(vfio_user_irq, vectors)
{
    cr_assert_eq(set_irqs(MSIX, EVENTFD | TRIGGER, 0, 3, NULL, 0, events, 3), 0);
    cr_assert_eq(plain(MSIX, NONE | TRIGGER, 0, 4), 0);
    cr_assert_eq(count(0), 1);
    cr_assert_eq(count(1), 1);
    cr_assert_eq(count(2), 1);
    cr_assert_eq(vdf_test_read_u64(VC_NIC "msix/3/pending"), 1);
    cr_assert_eq(set_irqs(MSIX, BOOL | TRIGGER, 0, 3, "\1\0\1", 3, NULL, 0), 0);
    cr_assert_eq(count(0), 1);
    cr_assert_eq(count(1), 0);
    cr_assert_eq(count(2), 1);

    cr_assert_eq(set_irqs(MSIX, BOOL | MASK, 0, 2, "\1\1", 2, NULL, 0), 0);
    cr_assert_eq(plain(MSIX, NONE | TRIGGER, 0, 3), 0);
    cr_assert_eq(count(0), 0);
    cr_assert_eq(count(2), 1);
    cr_assert_eq(vdf_test_read_u64(VC_NIC "msix/0/pending"), 1);
    cr_assert_eq(plain(MSIX, NONE | UNMASK, 0, 2), 0);
    cr_assert_eq(count(0), 1);
    cr_assert_eq(count(1), 1);

    /* Another descriptor, and none. */
    cr_assert_eq(set_irqs(MSIX, EVENTFD | TRIGGER, 1, 1, NULL, 0, &events[5], 1), 0);
    cr_assert_eq(plain(MSIX, NONE | TRIGGER, 1, 1), 0);
    cr_assert_eq(count(1), 0);
    cr_assert_eq(count(5), 1);
    cr_assert_eq(plain(MSIX, EVENTFD | TRIGGER, 0, 2), 0);
    cr_assert_eq(plain(MSIX, NONE | TRIGGER, 0, 3), 0);
    cr_assert_eq(count(0), 0);
    cr_assert_eq(count(2), 1);
    cr_assert_eq(plain(MSIX, NONE | TRIGGER, 0, 0), 0, "all are disabled");
    cr_assert_eq(vdf_test_read_u64(VC_NIC "msix/enabled"), 0);
    cr_assert_eq(plain(MSIX, NONE | TRIGGER, 2, 1), 0);
    cr_assert_eq(count(2), 0);
}

/* INTx is masked by an interrupt, and unmasked by the client. */
Test(vfio_user_irq, intx)
{
    cr_assert_eq(set_irqs(INTX, EVENTFD | TRIGGER, 0, 1, NULL, 0, events, 1), 0);
    vdf_pci_intx_set(&vc_pci()->irqs, 0, true);
    cr_assert_eq(count(0), 1);
    cr_assert_eq(vdf_test_read_u64(VC_NIC "intx/mask"), 1);
    cr_assert_eq(plain(INTX, NONE | UNMASK, 0, 1), 0);
    cr_assert_eq(count(0), 1, "the level is still high");
    vdf_pci_intx_set(&vc_pci()->irqs, 0, false);
    cr_assert_eq(set_irqs(INTX, BOOL | UNMASK, 0, 1, "\1", 1, NULL, 0), 0);
    cr_assert_eq(count(0), 0);
    cr_assert_eq(plain(INTX, NONE | MASK, 0, 1), 0);
    vdf_pci_intx_set(&vc_pci()->irqs, 0, true);
    cr_assert_eq(count(0), 0);
    cr_assert_eq(set_irqs(INTX, BOOL | UNMASK, 0, 1, "\0", 1, NULL, 0), 0);
    cr_assert_eq(count(0), 0);
    cr_assert_eq(plain(INTX, NONE | UNMASK, 0, 1), 0);
    cr_assert_eq(count(0), 1);
    vdf_pci_intx_set(&vc_pci()->irqs, 0, false);
    cr_assert_eq(plain(INTX, NONE | TRIGGER, 0, 1), 0);
    cr_assert_eq(count(0), 1);
    cr_assert_eq(plain(INTX, NONE | TRIGGER, 0, 0), 0);
    cr_assert_eq(plain(INTX, NONE | TRIGGER, 0, 1), 0);
    cr_assert_eq(count(0), 0);
}

/* As KVM's resamplefd: an eventfd of the client ends the interrupt. */
Test(vfio_user_irq, intx_is_unmasked_by_an_eventfd)
{
    cr_assert_eq(set_irqs(INTX, EVENTFD | TRIGGER, 0, 1, NULL, 0, events, 1), 0);
    cr_assert_eq(set_irqs(INTX, EVENTFD | UNMASK, 0, 1, NULL, 0, &events[1], 1), 0);
    vdf_pci_intx_set(&vc_pci()->irqs, 0, true);
    for (unsigned k = 1; k <= 20; k++) {
        wait_for(VC_NIC "intx/sent", k);
        cr_assert_eq(count(0), 1);
        cr_assert_eq(vc_region_read(VFIO_PCI_CONFIG_REGION_INDEX, 0, 4), 20);
        cr_assert_eq(eventfd_write(events[1], 1), 0);
    }
    wait_for(VC_NIC "intx/sent", 21);
    cr_assert_eq(count(0), 1);
    /* Without the eventfd only commands unmask. */
    cr_assert_eq(plain(INTX, EVENTFD | UNMASK, 0, 1), 0);
    cr_assert_eq(eventfd_write(events[1], 1), 0);
    cr_assert_eq(vc_region_read(VFIO_PCI_CONFIG_REGION_INDEX, 0, 4), 20);
    cr_assert_eq(vdf_test_read_u64(VC_NIC "intx/sent"), 21);
    cr_assert_eq(plain(INTX, NONE | UNMASK, 0, 1), 0);
    cr_assert_eq(vdf_test_read_u64(VC_NIC "intx/sent"), 22);
    /* A client that leaves with it. */
    cr_assert_eq(set_irqs(INTX, EVENTFD | UNMASK, 0, 1, NULL, 0, &events[1], 1), 0);
    vc_leave();
    vc_begin();
    cr_assert_eq(eventfd_write(events[1], 1), 0);
    cr_assert_eq(vc_region_read(VFIO_PCI_CONFIG_REGION_INDEX, 0, 4), 20);
}

/* The guest masks a vector in the table. */
Test(vfio_user_irq, events_of_masks)
{
    cr_assert_eq(set_irqs(MSIX, EVENTFD | TRIGGER, 0, 4, NULL, 0, events, 4), 0);
    cr_assert_eq(set_irqs(MSIX, EVENTFD | MASK, 1, 2, NULL, 0, &events[4], 2), 0);
    cr_assert_eq(set_irqs(MSIX, EVENTFD | UNMASK, 1, 1, NULL, 0, &events[6], 1), 0);
    cr_assert_eq(set_irqs(INTX, EVENTFD | MASK, 0, 1, NULL, 0, &events[7], 1), 0);
    for (unsigned k = 4; k < 8; k++)
        cr_assert_eq(count(k), 0);
    cr_assert_eq(vc_region_write(VFIO_PCI_BAR4_REGION_INDEX, 16 + 12, "\1\0\0\0", 4), 16);
    cr_assert_eq(vc_region_write(VFIO_PCI_BAR4_REGION_INDEX, 0 + 12, "\1\0\0\0", 4), 16);
    cr_assert_eq(vc_region_read(VFIO_PCI_CONFIG_REGION_INDEX, 0, 4), 20);
    cr_assert_eq(count(4), 1);
    cr_assert_eq(count(5), 0);
    cr_assert_eq(count(6), 0);
    cr_assert_eq(vc_region_write(VFIO_PCI_BAR4_REGION_INDEX, 16 + 12, "\0\0\0\0", 4), 16);
    cr_assert_eq(plain(MSIX, NONE | MASK, 2, 1), 0);
    cr_assert_eq(plain(INTX, NONE | MASK, 0, 1), 0);
    cr_assert_eq(vc_region_read(VFIO_PCI_CONFIG_REGION_INDEX, 0, 4), 20);
    cr_assert_eq(count(4), 0);
    cr_assert_eq(count(5), 1);
    cr_assert_eq(count(6), 1);
    cr_assert_eq(count(7), 1);
    cr_assert_eq(plain(MSIX, EVENTFD | MASK, 1, 2), 0);
    cr_assert_eq(plain(MSIX, NONE | MASK, 1, 1), 0);
    cr_assert_eq(vc_region_read(VFIO_PCI_CONFIG_REGION_INDEX, 0, 4), 20);
    cr_assert_eq(count(4), 0);
}

Test(vfio_user_irq, errors)
{
    cr_assert_eq(set_irqs(ERR, EVENTFD | TRIGGER, 0, 1, NULL, 0, events, 1), 0);
    cr_assert_eq(plain(ERR, NONE | TRIGGER, 0, 1), 0);
    cr_assert_eq(count(0), 1);
    cr_assert_eq(plain(ERR, NONE | MASK, 0, 1), -EINVAL);
    cr_assert_eq(plain(ERR, EVENTFD | TRIGGER, 0, 1), 0);
    cr_assert_eq(plain(ERR, NONE | TRIGGER, 0, 1), 0);
    cr_assert_eq(count(0), 0);
    cr_assert_eq(plain(ERR, NONE | TRIGGER, 0, 0), 0);
}

Test(vfio_user_irq, refusals)
{
    static const struct {
        uint32_t index, flags, start, n, len;
        unsigned fds;
    } bad[] = {
        { 5, NONE | TRIGGER, 0, 1, 0, 0 },
        { UINT32_MAX, NONE | TRIGGER, 0, 1, 0, 0 },
        { MSIX, 0, 0, 1, 0, 0 },
        { MSIX, TRIGGER, 0, 1, 0, 0 },
        { MSIX, NONE, 0, 1, 0, 0 },
        { MSIX, NONE | BOOL | TRIGGER, 0, 1, 1, 0 },
        { MSIX, NONE | MASK | UNMASK, 0, 1, 0, 0 },
        { MSIX, NONE | TRIGGER | 64, 0, 1, 0, 0 },
        { MSIX, NONE | TRIGGER, 0, 5, 0, 0 },
        { MSIX, NONE | TRIGGER, 4, 1, 0, 0 },
        { MSIX, NONE | TRIGGER, 5, 0, 0, 0 },
        { MSIX, NONE | TRIGGER, 1, 0, 0, 0 },
        { MSIX, NONE | TRIGGER, 1, UINT32_MAX, 0, 0 },
        { MSIX, NONE | TRIGGER, UINT32_MAX, 2, 0, 0 },
        { MSIX, NONE | MASK, 0, 0, 0, 0 },
        { MSIX, BOOL | TRIGGER, 0, 0, 0, 0 },
        { MSIX, EVENTFD | TRIGGER, 0, 0, 0, 0 },
        { MSIX, BOOL | TRIGGER, 0, 2, 1, 0 },
        { MSIX, BOOL | TRIGGER, 0, 2, 3, 0 },
        { MSIX, NONE | TRIGGER, 0, 1, 1, 0 },
        { MSIX, NONE | TRIGGER, 0, 1, 0, 1 },
        { MSIX, BOOL | TRIGGER, 0, 1, 1, 1 },
        { MSIX, EVENTFD | TRIGGER, 0, 2, 0, 1 },
        { MSIX, EVENTFD | TRIGGER, 0, 1, 0, 2 },
        { MSI, NONE | TRIGGER, 0, 1, 0, 0 },
        { REQ, EVENTFD | TRIGGER, 0, 1, 0, 1 },
        { INTX, NONE | TRIGGER, 0, 2, 0, 0 },
    };

    for (unsigned k = 0; k < sizeof(bad) / sizeof(bad[0]); k++) {
        vc_leave();
        vc_begin();
        cr_assert_eq(set_irqs(bad[k].index, bad[k].flags, bad[k].start, bad[k].n, "\1\1\1\1",
                              bad[k].len, events, bad[k].fds),
                     -EINVAL, "%u", k);
        vc_expect_line("vfio-user: DEVICE_SET_IRQS: ");
    }
    struct vdf_vfu_irq_set set = { 19, NONE | TRIGGER, MSIX, 0, 1 };
    cr_assert_eq(vc_ask(VDF_VFU_DEVICE_SET_IRQS, &set, sizeof(set)), -EINVAL);
    set.argsz = 20;
    cr_assert_eq(vc_ask(VDF_VFU_DEVICE_SET_IRQS, &set, 19), -EINVAL);

    /* One of several descriptors is no eventfd: none is taken. */
    int ends[2];
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    cr_assert_eq(set_irqs(MSIX, EVENTFD | TRIGGER, 0, 2, NULL, 0, (int[]){ events[0], ends[1] }, 2),
                 -EINVAL);
    vc_expect_line("descriptor 1 cannot be signalled: it is no eventfd");
    cr_assert_eq(plain(MSIX, NONE | TRIGGER, 0, 1), 0);
    cr_assert_eq(count(0), 0);
    cr_assert_eq(set_irqs(INTX, EVENTFD | UNMASK, 0, 1, NULL, 0, ends, 1), -EINVAL);
    close(ends[0]);
    close(ends[1]);
}

/* An interrupt that is pending when a client leaves is the next one's. */
Test(vfio_user_irq, the_next_client)
{
    cr_assert_eq(set_irqs(MSIX, EVENTFD | TRIGGER, 0, 2, NULL, 0, events, 2), 0);
    vc_leave();
    vdf_pci_msix_send(&vc_pci()->irqs, 0);
    cr_assert_eq(count(0), 0);
    cr_assert_eq(vdf_test_read_u64(VC_NIC "msix/0/pending"), 1);
    vc_begin();
    cr_assert_eq(set_irqs(MSIX, EVENTFD | TRIGGER, 0, 1, NULL, 0, &events[3], 1), 0);
    cr_assert_eq(count(3), 1);
    cr_assert_eq(count(0), 0);
}
