/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Migration of a function by a vfio-user client. */
#include "test_vfio_user.h"

TestSuite(vfio_user_migration, .init = vc_start, .fini = vc_end);

#define MIGRATION VFIO_DEVICE_FEATURE_MIGRATION
#define STATE VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE
#define GET VFIO_DEVICE_FEATURE_GET
#define SET VFIO_DEVICE_FEATURE_SET
#define PROBE VFIO_DEVICE_FEATURE_PROBE

enum { ERROR, STOP, RUNNING, STOP_COPY, RESUMING, RUNNING_P2P, PRE_COPY, PRE_COPY_P2P };

static int feature(uint32_t flags, uint32_t argsz, const void *data, size_t len)
{
    struct vdf_vfu_feature header = { argsz, flags };
    uint8_t payload[64];

    memcpy(payload, &header, sizeof(header));
    if (len)
        memcpy(payload + sizeof(header), data, len);
    return vc_ask(VDF_VFU_DEVICE_FEATURE, payload, sizeof(header) + len);
}

static int set_state(uint32_t state)
{
    struct vdf_vfu_mig_state data = { state, 0 };
    int ret = feature(SET | STATE, 16, &data, sizeof(data));

    return ret == 16 ? 0 : ret;
}

static uint32_t state(void)
{
    struct vdf_vfu_mig_state data;
    struct vdf_vfu_feature header;

    cr_assert_eq(feature(GET | STATE, 16, NULL, 0), 16);
    memcpy(&header, vc.payload, sizeof(header));
    memcpy(&data, vc.payload + 8, sizeof(data));
    cr_assert_eq(header.argsz, 16);
    cr_assert_eq(header.flags, GET | STATE);
    return data.state;
}

/* The data of a function, in pieces of @size. Return: bytes. */
static size_t read_data(char *to, size_t room, uint32_t size)
{
    struct vdf_vfu_mig_data data;
    size_t done = 0;

    do {
        data = (struct vdf_vfu_mig_data){ (uint32_t)sizeof(data) + size, size };
        cr_assert_geq(vc_ask(VDF_VFU_MIG_DATA_READ, &data, sizeof(data)), 8);
        memcpy(&data, vc.payload, sizeof(data));
        cr_assert_eq(data.argsz, sizeof(data) + data.size);
        cr_assert_eq(vc.header.size, 16 + data.argsz);
        cr_assert_leq(data.size, size);
        cr_assert_leq(done + data.size, room);
        memcpy(to + done, vc.payload + 8, data.size);
        done += data.size;
    } while (data.size == size);
    return done;
}

static int write_data(const char *from, uint32_t size)
{
    uint8_t payload[4096 + 8];
    struct vdf_vfu_mig_data data = { (uint32_t)sizeof(data) + size, size };

    memcpy(payload, &data, sizeof(data));
    memcpy(payload + 8, from, size);
    return vc_ask(VDF_VFU_MIG_DATA_WRITE, payload, 8 + size);
}

static void write_all(const char *from, size_t len)
{
    for (size_t done = 0; done < len; done += 1000)
        cr_assert_eq(write_data(from + done, len - done < 1000 ? (uint32_t)(len - done) : 1000), 0);
}

static char saved[1 << 20];

Test(vfio_user_migration, features)
{
    uint64_t flags;

    cr_assert_eq(feature(GET | MIGRATION, 16, NULL, 0), 16);
    memcpy(&flags, vc.payload + 8, 8);
    cr_assert_eq(flags, 1 | 4, "STOP_COPY and PRE_COPY");
    cr_assert_eq(feature(PROBE | MIGRATION, 8, NULL, 0), 8);
    cr_assert_eq(feature(PROBE | GET | MIGRATION, 8, NULL, 0), 8);
    cr_assert_eq(feature(PROBE | GET | SET | STATE, 8, NULL, 0), 8);
    cr_assert_eq(feature(PROBE | SET | VFIO_DEVICE_FEATURE_DMA_LOGGING_START, 8, NULL, 0), 8);
    cr_assert_eq(feature(PROBE | GET | VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT, 8, NULL, 0), 8);
    cr_assert_eq(feature(PROBE | GET | SET | MIGRATION, 8, NULL, 0), -EINVAL);
    cr_assert_eq(feature(PROBE | GET | VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP, 8, NULL, 0), -EINVAL);
    cr_assert_eq(feature(SET | MIGRATION, 16, "12345678", 8), -EINVAL);
    cr_assert_eq(feature(GET | SET | STATE, 16, "12345678", 8), -EINVAL);
    cr_assert_eq(feature(MIGRATION, 16, NULL, 0), -EINVAL);
    cr_assert_eq(feature(1u << 19 | PROBE | MIGRATION, 16, NULL, 0), -EINVAL);
    vc_expect_line("vfio-user: DEVICE_FEATURE: flags 0xc0001");
    cr_assert_eq(feature(PROBE | 0, 16, NULL, 0), -ENOTTY);
    cr_assert_eq(feature(PROBE | 3, 16, NULL, 0), -ENOTTY);
    cr_assert_eq(feature(PROBE | 0xffff, 16, NULL, 0), -ENOTTY);
    cr_assert_eq(feature(GET | MIGRATION, 15, NULL, 0), -EINVAL);
    cr_assert_eq(feature(GET | MIGRATION, 7, NULL, 0), -EINVAL);
    cr_assert_eq(feature(SET | STATE, 15, "\1\0\0\0\0\0\0\0", 8), -EINVAL);
    cr_assert_eq(feature(SET | STATE, 16, "\1\0\0\0", 4), -EINVAL);
    cr_assert_eq(state(), RUNNING);
}

Test(vfio_user_migration, ways_between_states)
{
    static const uint32_t states[] = { STOP, RUNNING, STOP_COPY, RESUMING, PRE_COPY };

    for (unsigned from = 0; from < 5; from++)
        for (unsigned to = 0; to < 5; to++) {
            vc_leave();
            vc_begin();
            cr_assert_eq(set_state(states[from]), 0);
            cr_assert_eq(state(), states[from]);
            /* Nothing was written, so that RESUMING has no good end. */
            int ret = from == to                                            ? 0
                      : states[from] == RESUMING                            ? -EINVAL
                      : states[from] == STOP_COPY && states[to] == PRE_COPY ? -EINVAL
                                                                            : 0;
            cr_assert_eq(set_state(states[to]), ret, "%u to %u", states[from], states[to]);
            cr_assert_eq(state(), ret == 0                   ? states[to]
                                  : states[from] == RESUMING ? ERROR
                                                             : STOP_COPY);
        }
    static const uint32_t bad[] = { ERROR, RUNNING_P2P, PRE_COPY_P2P, 8, UINT32_MAX };
    vc_leave();
    vc_begin();
    for (unsigned k = 0; k < 5; k++)
        cr_assert_eq(set_state(bad[k]), -EINVAL);
    vc_expect_line("vfio-user: DEVICE_FEATURE: state 4294967295");
    cr_assert_eq(state(), RUNNING);
}

Test(vfio_user_migration, the_function_stops_and_runs)
{
    cr_assert(vc_pci()->running);
    cr_assert_eq(set_state(PRE_COPY), 0);
    cr_assert(vc_pci()->running);
    cr_assert_eq(set_state(STOP_COPY), 0);
    cr_assert_not(vc_pci()->running);
    cr_assert_eq(vc_region_write(VFIO_PCI_CONFIG_REGION_INDEX, 0x3c, "\1", 1), -EBUSY);
    cr_assert_eq(vc_region_read(VFIO_PCI_CONFIG_REGION_INDEX, 0x3c, 1), 17);
    cr_assert_eq(set_state(RUNNING), 0);
    cr_assert(vc_pci()->running);
    cr_assert_eq(vc_region_write(VFIO_PCI_CONFIG_REGION_INDEX, 0x3c, "\1", 1), 16);
    cr_assert_eq(set_state(STOP), 0);
    cr_assert_not(vc_pci()->running);
    cr_assert_eq(vc_ask(VDF_VFU_DEVICE_RESET, NULL, 0), 0);
    cr_assert_eq(state(), RUNNING);
    cr_assert(vc_pci()->running);
    /* A client that leaves a stopped function. */
    cr_assert_eq(set_state(STOP), 0);
    vc_leave();
    vc_begin();
    cr_assert_eq(state(), RUNNING);
    cr_assert(vc_pci()->running);
}

Test(vfio_user_migration, data)
{
    size_t len;

    cr_assert_eq(vc_region_write(VFIO_PCI_CONFIG_REGION_INDEX, 0x3c, "\x0b", 1), 16);
    cr_assert_eq(vc_region_write(VFIO_PCI_BAR0_REGION_INDEX, 100, "abcd", 4), 16);
    cr_assert_eq(set_state(PRE_COPY), 0);
    cr_assert_eq(read_data(saved, sizeof(saved), 1000), 0, "nothing before the function stops");
    cr_assert_eq(set_state(STOP_COPY), 0);
    len = read_data(saved, sizeof(saved), 1000);
    cr_assert_gt(len, 100);
    cr_assert_eq(read_data(saved, sizeof(saved), 1000), 0, "it is read once");
    cr_assert_eq(set_state(RUNNING), 0);
    cr_assert_eq(set_state(STOP_COPY), 0);
    cr_assert_eq(read_data(saved, sizeof(saved), 1 << 20), len);

    /* Another function of the same shape. */
    cr_assert_eq(set_state(RUNNING), 0);
    cr_assert_eq(vc_region_write(VFIO_PCI_CONFIG_REGION_INDEX, 0x3c, "\0", 1), 16);
    cr_assert_eq(vc_region_write(VFIO_PCI_BAR0_REGION_INDEX, 100, "ABCD", 4), 16);
    cr_assert_eq(vc_map(0x10000, 0x1000, 3, -1, 0), 0);
    cr_assert_eq(set_state(RESUMING), 0);
    write_all(saved, len);
    cr_assert_eq(set_state(RUNNING), 0, "%s", vdf_test_last_error());
    cr_assert_eq(vc_region_read(VFIO_PCI_CONFIG_REGION_INDEX, 0x3c, 1), 17);
    cr_assert_eq(vc.payload[16], 11);
    cr_assert_eq(vc_region_read(VFIO_PCI_BAR0_REGION_INDEX, 100, 4), 20);
    cr_assert_eq(memcmp(vc.payload + 16, "abcd", 4), 0);
    /* The connection and its memory stay. */
    cr_assert_str_eq(vdf_test_read(VC_NIC "vfio_user"), vc.path);
    cr_assert_str_eq(vdf_test_read(VC_NIC "dma"),
                     "0x0000000000010000 0x0000000000001000 rw messages");
    cr_assert(vc_pci()->running);
    cr_assert_eq(vc_pci()->space->n, 1);
    cr_assert_eq(vc_unmap(0x10000, 0x1000, 0), 24);
}

/* Load the saved text with another line in place of @line. */
static int load_with(const char *text, const char *line, const char *other)
{
    char edited[sizeof(saved) / 4];
    const char *at = strstr(text, line), *sum = strstr(text, "checksum = ");
    const char *rest = at ? strchr(at + 1, '\n') : NULL;

    cr_assert(rest && sum, "%s", line);
    int len = snprintf(edited, sizeof(edited), "%.*s%s%.*schecksum = none\n", (int)(at - text),
                       text, other, (int)(sum - rest), rest);
    cr_assert_eq(set_state(RESUMING), 0);
    write_all(edited, (size_t)len);
    return set_state(RUNNING);
}

/* The client has asked for the function's shape, and drives no other devices. */
Test(vfio_user_migration, data_of_another_function)
{
    static const struct {
        const char *line, *other, *report;
    } edits[] = {
        { "\nmsix/vectors = ", "\nmsix/vectors = 1",
          "\"msix/vectors 1\": this one has \"msix/vectors 4\"" },
        { "\nmsix/vectors = ", "\nmsix/vectors = 5", "\"msix/vectors 5\"" },
        { "\nmsix/bar = ", "\nmsix/bar = 3", "\"msix/bar 3\"" },
        { "\nexpress = ", "\nexpress = 1", "\"express 1\"" },
        { "\nvendor = ", "\nvendor = 0x1af4", "\"identity 0x1af4 " },
        { "\nfunction = ", "\nfunction = console/con0", "\"function console/con0\"" },
        { "\ndevice = aplic/aplic0", "\ndevice = console/con0", "\"bars/1 console/con0 " },
        { "\nsize = 4096", "\nsize = 8192", "\"bars/0 memory 0 0x2000\"" },
        { "\n[pci/nic/bars/1]", "\n[pci/nic/bars/3]", "\"bars/1 " },
    };
    static const uint32_t mask_flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_MASK;
    const struct vdf_vfu_irq_set set = { sizeof(set), mask_flags, VFIO_PCI_MSIX_IRQ_INDEX, 3, 1 };
    int event = eventfd(0, EFD_CLOEXEC);

    cr_assert_eq(vc_ask_fds(VDF_VFU_DEVICE_SET_IRQS, &set, sizeof(set), &event, 1), 0);
    cr_assert_eq(set_state(STOP_COPY), 0);
    saved[read_data(saved, sizeof(saved) - 1, 5000)] = '\0';
    for (unsigned k = 0; k < sizeof(edits) / sizeof(edits[0]); k++) {
        cr_assert_eq(load_with(saved, edits[k].line, edits[k].other), -EINVAL, "%s",
                     edits[k].other);
        vc_expect_line("state of another function");
        vc_expect_line(edits[k].report);
        cr_assert_eq(state(), ERROR);
        cr_assert_eq(vc_ask(VDF_VFU_DEVICE_RESET, NULL, 0), 0);
        cr_assert_str_eq(vdf_test_read(VC_NIC "bars/1/device"), "aplic/aplic0");
        cr_assert_eq(vdf_test_read_u64(VC_NIC "msix/vectors"), VC_VECTORS);
    }
    cr_assert_eq(load_with(saved, "\nmsix/vectors = ", "\nmsix/vectors = 4"), 0);
    close(event);
}

Test(vfio_user_migration, data_that_is_refused)
{
    struct vdf_vfu_mig_data in = { 108, 100 };
    size_t len;

    cr_assert_eq(vc_ask(VDF_VFU_MIG_DATA_READ, &in, sizeof(in)), -EINVAL, "it runs");
    vc_expect_line("vfio-user: MIG_DATA_READ: state 2");
    cr_assert_eq(write_data("", 0), -EINVAL);
    cr_assert_eq(set_state(STOP_COPY), 0);
    in.argsz = 107;
    cr_assert_eq(vc_ask(VDF_VFU_MIG_DATA_READ, &in, sizeof(in)), -EINVAL);
    in = (struct vdf_vfu_mig_data){ UINT32_MAX, VDF_VFU_DATA_MAX + 1 };
    cr_assert_eq(vc_ask(VDF_VFU_MIG_DATA_READ, &in, sizeof(in)), -EINVAL);
    in = (struct vdf_vfu_mig_data){ 7, 0 };
    cr_assert_eq(vc_ask(VDF_VFU_MIG_DATA_READ, &in, sizeof(in)), -EINVAL);
    len = read_data(saved, sizeof(saved), 5000);
    cr_assert_eq(write_data(saved, 10), -EINVAL);

    vc_leave();
    vc_begin();
    cr_assert_eq(set_state(RESUMING), 0);
    in = (struct vdf_vfu_mig_data){ 8, 1 };
    cr_assert_eq(vc_ask(VDF_VFU_MIG_DATA_WRITE, &in, sizeof(in)), -EINVAL);
    in.size = UINT32_MAX;
    cr_assert_eq(vc_ask(VDF_VFU_MIG_DATA_WRITE, &in, sizeof(in)), -EINVAL);
    /* A part of the data leaves the function as it was, and useless until it is reset. */
    write_all(saved, len / 2);
    cr_assert_eq(set_state(STOP), -EINVAL);
    cr_assert_eq(state(), ERROR);
    cr_assert_eq(set_state(RUNNING), -EINVAL);
    cr_assert_eq(vc_region_write(VFIO_PCI_CONFIG_REGION_INDEX, 0x3c, "\1", 1), -EBUSY);
    cr_assert_eq(vc_ask(VDF_VFU_DEVICE_RESET, NULL, 0), 0);
    cr_assert_eq(state(), RUNNING);
    cr_assert_eq(set_state(RESUMING), 0);
    write_all(saved, len);
    cr_assert_eq(set_state(RUNNING), 0);
}

/* Two devices of one bus in two functions: the data of one has them both. */
Test(vfio_user_migration, a_device_with_another_guest)
{
    size_t len;

    vc_leave();
    cr_assert_eq(vdf_test_write(VC_NIC "vfio_user", "\n"), 0);
    cr_assert_eq(vdf_test_mkdir("intx/bus0/devices/d"), 0);
    cr_assert_eq(vdf_test_mkdir("intx/bus0/devices/e"), 0);
    cr_assert_eq(vdf_test_mkdir("pci/other"), 0);
    cr_assert_eq(vdf_test_write(VC_NIC "function", "intx/bus0/devices/d"), 0);
    cr_assert_eq(vdf_test_write("pci/other/function", "intx/bus0/devices/e"), 0);
    cr_assert_eq(vdf_test_write(VC_NIC "vfio_user", vc.path), 0);
    vc_begin();
    cr_assert_eq(set_state(STOP_COPY), 0);
    len = read_data(saved, sizeof(saved), 5000);
    cr_assert_eq(set_state(RESUMING), 0);
    write_all(saved, len);
    cr_assert_eq(set_state(STOP), 0);

    cr_assert_eq(vdf_test_write("pci/other/vfio_user", "/tmp/vdf-vc-other"), 0);
    cr_assert_eq(set_state(RESUMING), 0);
    write_all(saved, len);
    cr_assert_eq(set_state(STOP), -EBUSY);
    vc_expect_line("intx bus0 has another guest too");
    cr_assert_eq(vc_ask(VDF_VFU_DEVICE_RESET, NULL, 0), 0);
    cr_assert(vc_pci()->attached, "the function is as it was");
    cr_assert_eq(vdf_test_write(VC_NIC "revision", "3"), -EBUSY);
}
