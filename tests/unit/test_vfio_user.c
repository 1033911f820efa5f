/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The vfio-user server: connections, VERSION, the device and its regions. */
#include "test_vfio_user.h"

TestSuite(vfio_user, .init = vc_start, .fini = vc_end);
TestSuite(vfio_user_path, .init = vc_make, .fini = vc_end);

/* --- VERSION ---------------------------------------------------------------------------------- */

static const char *capabilities(void)
{
    return (const char *)vc.payload + sizeof(struct vdf_vfu_version);
}

/* A fresh connection. */
static int version_of(uint16_t major, uint16_t minor, const char *text)
{
    vc_leave();
    vc_connect();
    return vc_version(major, minor, text);
}

Test(vfio_user, version)
{
    struct vdf_vfu_version version;

    cr_assert_gt(version_of(0, 7, VC_CAPABILITIES), 4);
    memcpy(&version, vc.payload, sizeof(version));
    cr_assert_eq(version.major, 0);
    cr_assert_leq(version.minor, 7);
    cr_assert_eq(vc.payload[vc.header.size - sizeof(vc.header) - 1], 0);
    cr_assert_str_eq(capabilities(),
                     "{\"capabilities\":{\"max_msg_fds\":8,\"max_data_xfer_size\":1048576,"
                     "\"max_dma_maps\":1024,\"pgsizes\":4096,\"write_multiple\":true}}");
    cr_assert_eq(vc_version(0, 0, VC_CAPABILITIES), -EINVAL);
    vc_expect_line("vfio-user: VERSION: ");
    /* The connection is as it was. */
    cr_assert_eq(vc_region_read(VFIO_PCI_CONFIG_REGION_INDEX, 0, 4), 20);
}

Test(vfio_user, version_has_a_subset_of_the_capabilities)
{
    cr_assert_eq(version_of(0, 0, NULL), 4);
    cr_assert_gt(version_of(0, 0, "{}"), 4);
    cr_assert_str_eq(capabilities(), "{\"capabilities\":{}}");
    cr_assert_gt(
        version_of(0, 0, " { \"capabilities\" : { \"pgsizes\" : 12288 , \"x\" : [ {} ] } } "), 4);
    cr_assert_str_eq(capabilities(), "{\"capabilities\":{\"pgsizes\":4096}}");
    cr_assert_gt(version_of(0, 0,
                            "{\"capabilities\":{\"migration\":{\"pgsize\":4096,"
                            "\"max_bitmap_size\":268435456},\"write_multiple\":false}}"),
                 4);
    cr_assert_str_eq(capabilities(), "{\"capabilities\":{}}");
}

Test(vfio_user, versions_that_are_refused)
{
    static const char *const bad[] = {
        "",
        "1",
        "{",
        "{\"capabilities\":1}",
        "{\"capabilities\":{}}x",
        "{\"capabilities\":{\"max_msg_fds\":-1}}",
        "{\"capabilities\":{\"max_msg_fds\":1.5}}",
        "{\"capabilities\":{\"max_msg_fds\":01}}",
        "{\"capabilities\":{\"max_msg_fds\":99999999999999999999}}",
        "{\"capabilities\":{\"max_msg_fds\":\"8\"}}",
        "{\"capabilities\":{\"max_data_xfer_size\":7}}",
        "{\"capabilities\":{\"pgsizes\":65536}}",
        "{\"capabilities\":{\"write_multiple\":1}}",
        "{\"capabilities\":{\"twin_socket\":true}}",
        "{\"capabilities\":{\"twin_socket\":{\"supported\":1}}}",
        "{\"capabilities\":{},}",
        "{\"capabilities\" {}}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\n\"}",
        "{\"a\":nul}",
        "{\"a\":[[[[[[[[[]]]]]]]]]}",
        "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{}}}}}}}}}",
    };

    vc_leave();
    vc_connect();
    for (unsigned k = 0; k < sizeof(bad) / sizeof(bad[0]); k++)
        cr_assert_eq(vc_version(0, 0, bad[k]), -EINVAL, "%s", bad[k]);
    vc_expect_line("vfio-user: VERSION: ");
    char longer[5000];
    memset(longer, ' ', sizeof(longer));
    memcpy(longer, "{}", 2);
    longer[sizeof(longer) - 1] = '\0';
    cr_assert_eq(vc_version(0, 0, longer), -EINVAL);
    /* A NUL before the end, and none at the end. */
    cr_assert_eq(vc_ask(VDF_VFU_VERSION, "\0\0\0\0{}\0\0", 8), -EINVAL);
    cr_assert_eq(vc_ask(VDF_VFU_VERSION, "\0\0\0\0{}", 6), -EINVAL);
    cr_assert_eq(vc_ask(VDF_VFU_VERSION, "\0\0", 2), -EINVAL);
    /* The client can try again. */
    cr_assert_gt(vc_version(0, 0, "{\"a\":\"\\u00e9\\\"\",\"b\":[1,-2.5e+3,null,true]}"), 4);

    cr_assert_eq(version_of(1, 0, VC_CAPABILITIES), -EINVAL);
    cr_assert_not(vc_receive(vc.sock), "another major version ends the connection");
}

Test(vfio_user, version_comes_first)
{
    static const struct vdf_vfu_device_info info = { .argsz = sizeof(info) };

    vc_leave();
    vc_connect();
    cr_assert_eq(vc_ask(VDF_VFU_DEVICE_GET_INFO, &info, sizeof(info)), -EINVAL);
    vc_expect_line("vfio-user: DEVICE_GET_INFO: VERSION comes first");
    cr_assert_eq(vc_ask(VDF_VFU_DEVICE_RESET, NULL, 0), -EINVAL);
    cr_assert_gt(vc_version(0, 0, VC_CAPABILITIES), 0);
    cr_assert_eq(vc_ask(VDF_VFU_DEVICE_GET_INFO, &info, sizeof(info)), 16);
}

/* --- headers ---------------------------------------------------------------------------------- */

static void expect_end(const struct vdf_vfu_header *header, const char *line)
{
    vc_leave();
    vc_begin();
    vc_send(vc.sock, header, NULL, 0, NULL, 0);
    cr_assert_not(vc_receive(vc.sock));
    vc_leave();
    vc_expect_line(line);
}

Test(vfio_user, only_a_broken_header_ends_the_connection)
{
    expect_end(&(struct vdf_vfu_header){ .command = 4, .size = 15 }, "message of 15 bytes");
    expect_end(&(struct vdf_vfu_header){ .command = 4, .size = 0 }, "message of 0 bytes");
    expect_end(&(struct vdf_vfu_header){ .command = 4, .size = VDF_VFU_MESSAGE_MAX + 1 },
               "message of 1048641 bytes");
    expect_end(&(struct vdf_vfu_header){ .command = 4, .size = UINT32_MAX }, "the connection is");
    expect_end(&(struct vdf_vfu_header){ .command = 4, .size = 16, .flags = 2 },
               "message of type 2");

    /* Everything else is an error reply. */
    vc_begin();
    static const uint16_t commands[] = { 0, 11, 12, 19, 100, 65535 };
    for (unsigned k = 0; k < sizeof(commands) / sizeof(commands[0]); k++) {
        cr_assert_eq(vc_ask(commands[k], NULL, 0), -EINVAL);
        vc_expect_line("vfio-user: ");
    }
    cr_assert_eq(vc_ask(VDF_VFU_DIRTY_PAGES, NULL, 0), -EOPNOTSUPP);
    vc_expect_line("vfio-user: DIRTY_PAGES");
}

Test(vfio_user, replies_that_nobody_waits_for_are_dropped)
{
    struct vdf_vfu_header header = {
        .id = 7, .command = VDF_VFU_DMA_READ, .size = 20, .flags = VDF_VFU_TYPE_REPLY
    };
    int fd = eventfd(0, 0);

    vc_send(vc.sock, &header, "1234", 4, &fd, 1);
    close(fd);
    cr_assert_eq(vc_region_read(VFIO_PCI_CONFIG_REGION_INDEX, 0, 4), 20);
    vc_expect_line("nobody waits for");
}

Test(vfio_user, commands_without_a_reply)
{
    static const uint8_t bad[8];
    struct vdf_vfu_region_access access = { 0, VFIO_PCI_CONFIG_REGION_INDEX, 4 };

    vc_post(VDF_VFU_REGION_READ, VDF_VFU_NO_REPLY, &access, sizeof(access), NULL, 0);
    vc_post(VDF_VFU_REGION_READ, VDF_VFU_NO_REPLY, bad, sizeof(bad), NULL, 0);
    cr_assert_eq(vc_region_read(VFIO_PCI_CONFIG_REGION_INDEX, 4, 4), 20, "the only reply");
    vc_expect_line("REGION_READ: 8 bytes behind the header");
}

Test(vfio_user, messages_in_pieces)
{
    uint8_t bytes[32];
    struct vdf_vfu_header header = { 99, VDF_VFU_REGION_READ, sizeof(bytes), 0, 0 };
    struct vdf_vfu_region_access access = { 0, VFIO_PCI_CONFIG_REGION_INDEX, 4 };

    memcpy(bytes, &header, sizeof(header));
    memcpy(bytes + 16, &access, sizeof(access));
    for (unsigned k = 0; k < sizeof(bytes); k++) {
        vc_send_bytes(vc.sock, bytes + k, 1, NULL, 0);
        usleep(200);
    }
    cr_assert_eq(vc_reply(99, VDF_VFU_REGION_READ), 20);
    /* Two in one piece. */
    uint8_t two[64];
    memcpy(two, bytes, 32);
    memcpy(two + 32, bytes, 32);
    vc_send_bytes(vc.sock, two, sizeof(two), NULL, 0);
    cr_assert_eq(vc_reply(99, VDF_VFU_REGION_READ), 20);
    cr_assert_eq(vc_reply(99, VDF_VFU_REGION_READ), 20);
}

#define POSTED 200u

/* Pairs of commands with a descriptor each, of which the first one is in two reads of the server. */
static bool is_map(unsigned k)
{
    return k % 33 >= 31;
}

static void post_commands(int fd)
{
    const struct vdf_vfu_region_access read = { 0, VFIO_PCI_CONFIG_REGION_INDEX, 4 };
    struct vdf_vfu_dma_map map = { sizeof(map), VDF_VFU_DMA_READABLE, 0, 0, VDF_VFU_PAGE };

    for (unsigned k = 0; k < POSTED; k++) {
        map.address += VDF_VFU_PAGE;
        if (is_map(k))
            vc_post(VDF_VFU_DMA_MAP, 0, &map, sizeof(map), &fd, 1);
        else
            vc_post(VDF_VFU_REGION_READ, 0, &read, sizeof(read), NULL, 0);
    }
}

Test(vfio_user, descriptors_stay_with_their_message)
{
    struct vdf_obj *nic = vdf_test_obj("pci/nic");
    int fd = vc_memfd(VDF_VFU_PAGE);
    uint16_t first = vc.id + 1;
    atomic_bool stop = false;
    unsigned mapped = 0;

    /* The server waits with the first one until all are there. */
    cr_assert(vdf_obj_enter(nic, &stop));
    post_commands(fd);
    vdf_obj_leave(nic, false, &stop);
    for (unsigned k = 0; k < POSTED; k++) {
        uint16_t command = is_map(k) ? VDF_VFU_DMA_MAP : VDF_VFU_REGION_READ;

        cr_assert_eq(vc_reply((uint16_t)(first + k), command), is_map(k) ? 0 : 20, "message %u", k);
        mapped += is_map(k);
    }
    for (const char *line = strstr(vdf_test_read(VC_NIC "dma"), "mapped"); line;
         line = strstr(line + 1, "mapped"))
        mapped--;
    cr_assert_eq(mapped, 0, "%u regions have no descriptor", mapped);
    close(fd);
}

Test(vfio_user, lines_are_limited)
{
    for (unsigned k = 0; k < 100; k++)
        cr_assert_eq(vc_ask(19, NULL, 0), -EINVAL);
    vc_expect_line("more of this client is not reported");
    vc_leave();
    vc_begin();
    cr_assert_eq(vc_ask(99, NULL, 0), -EINVAL);
    vc_expect_line("command 99");
}

/* --- clients ---------------------------------------------------------------------------------- */

Test(vfio_user, one_client_after_the_other)
{
    char expected[64];
    int first = vc.sock;

    /* The kernel keeps 15 bytes of a name. */
    snprintf(expected, sizeof(expected), "pid=%d uid=%u test_vfio_user", getpid(), getuid());
    cr_assert_str_eq(vdf_test_read(VC_NIC "client"), expected);
    vc_connect();
    uint16_t id = vc_post(VDF_VFU_VERSION, 0, "\0\0\0\0", 4, NULL, 0);
    struct pollfd waiting = { .fd = vc.sock, .events = POLLIN };
    cr_assert_eq(poll(&waiting, 1, 50), 0, "the second one is not served yet");
    close(first);
    cr_assert_eq(vc_reply(id, VDF_VFU_VERSION), 4);
}

Test(vfio_user, clients_that_die)
{
    struct vdf_test_resources before;
    static const struct vdf_vfu_header header = { .command = VDF_VFU_DMA_MAP, .size = 48 };
    int fd = vc_memfd(8192), event = eventfd(0, 0);
    struct vdf_vfu_irq_set set = { sizeof(set),
                                   VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
                                   VFIO_PCI_MSIX_IRQ_INDEX, 0, 1 };

    vc_leave();
    before = vdf_test_resources();
    for (unsigned k = 0; k < 3; k++) {
        vc_begin();
        cr_assert_eq(vc_map(0x10000, 8192, 3, fd, 0), 0);
        cr_assert_eq(vc_map(0x20000, 8192, 3, -1, 0), 0);
        cr_assert_eq(vc_ask_fds(VDF_VFU_DEVICE_SET_IRQS, &set, sizeof(set), &event, 1), 0);
        /* In the middle of a message that has a descriptor. */
        vc_send(vc.sock, &header, NULL, 0, &fd, 1);
        vc_leave();
        vc_expect_line("in the middle of a message");
        cr_assert_str_eq(vdf_test_read(VC_NIC "dma"), "");
    }
    struct vdf_test_resources after = vdf_test_resources();
    cr_assert_eq(after.fds, before.fds);
    cr_assert_eq(after.memfds, before.memfds);
    close(fd);
    close(event);
}

Test(vfio_user, service_ends_and_begins)
{
    cr_assert_eq(vdf_test_write(VC_NIC "vfio_user", "\n"), 0);
    cr_assert_not(vc_receive(vc.sock));
    cr_assert_neq(access(vc.path, F_OK), 0);
    close(vc.sock);
    cr_assert_str_eq(vdf_test_read(VC_NIC "client"), "");
    cr_assert_eq(vdf_test_write(VC_NIC "vfio_user", vc.path), 0);
    vc_begin();
    cr_assert_eq(vc_region_read(VFIO_PCI_CONFIG_REGION_INDEX, 0, 4), 20);
}

/* The server is stopped while a client does not read its replies. */
Test(vfio_user, a_client_that_does_not_read)
{
    struct vdf_vfu_region_access access = { 0, VFIO_PCI_BAR0_REGION_INDEX, 4096 };

    for (unsigned k = 0; k < 2000; k++)
        if (send(vc.sock, &(struct vdf_vfu_header){ .command = VDF_VFU_REGION_READ, .size = 32 },
                 16, MSG_DONTWAIT) != 16 ||
            send(vc.sock, &access, 16, MSG_DONTWAIT) != 16)
            break;
    cr_assert_eq(vdf_test_write(VC_NIC "vfio_user", "\n"), 0);
}

/* --- the device ------------------------------------------------------------------------------- */

Test(vfio_user, device_info)
{
    struct vdf_vfu_device_info info = { .argsz = 100 };

    cr_assert_eq(vc_ask(VDF_VFU_DEVICE_GET_INFO, &info, sizeof(info)), sizeof(info));
    memcpy(&info, vc.payload, sizeof(info));
    cr_assert_eq(info.argsz, sizeof(info));
    cr_assert_eq(info.flags, VFIO_DEVICE_FLAGS_RESET | VFIO_DEVICE_FLAGS_PCI);
    cr_assert_eq(info.regions, 9);
    cr_assert_eq(info.irqs, 5);
    info = (struct vdf_vfu_device_info){ .argsz = 15 };
    cr_assert_eq(vc_ask(VDF_VFU_DEVICE_GET_INFO, &info, sizeof(info)), -EINVAL);
    vc_expect_line("DEVICE_GET_INFO: argsz 15");
    info = (struct vdf_vfu_device_info){ .argsz = 16, .flags = 1 };
    cr_assert_eq(vc_ask(VDF_VFU_DEVICE_GET_INFO, &info, sizeof(info)), -EINVAL);
    cr_assert_eq(vc_ask(VDF_VFU_DEVICE_GET_INFO, &info, 15), -EINVAL);
    int fd = eventfd(0, 0);
    info.flags = 0;
    cr_assert_eq(vc_ask_fds(VDF_VFU_DEVICE_GET_INFO, &info, sizeof(info), &fd, 1), -EINVAL);
    vc_expect_line("unexpected descriptors");
    close(fd);
}

Test(vfio_user, too_many_descriptors)
{
    struct vdf_vfu_irq_set set = { .argsz = sizeof(set) };
    int fds[9];

    for (unsigned k = 0; k < 9; k++)
        fds[k] = eventfd(0, 0);
    struct vdf_test_resources before = vdf_test_resources();
    cr_assert_eq(vc_ask_fds(VDF_VFU_DEVICE_SET_IRQS, &set, sizeof(set), fds, 9), -EINVAL);
    vc_expect_line("too many descriptors");
    cr_assert_eq(vc_ask_fds(VDF_VFU_DEVICE_SET_IRQS, &set, sizeof(set), fds, 8), -EINVAL);
    cr_assert_eq(vc_ask(VDF_VFU_DEVICE_RESET, NULL, 0), 0);
    cr_assert_eq(vdf_test_resources().fds, before.fds);
    for (unsigned k = 0; k < 9; k++)
        close(fds[k]);
}

static struct vdf_vfu_region_info region_info(uint32_t index, uint32_t argsz)
{
    struct vdf_vfu_region_info info = { .argsz = argsz, .index = index };

    cr_assert_geq(vc_ask(VDF_VFU_DEVICE_GET_REGION_INFO, &info, sizeof(info)), (int)sizeof(info));
    memcpy(&info, vc.payload, sizeof(info));
    cr_assert_eq(info.index, index);
    return info;
}

#define READ_WRITE (VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE)

Test(vfio_user, region_info)
{
    struct vdf_vfu_region_info info = region_info(VFIO_PCI_CONFIG_REGION_INDEX, sizeof(info));

    cr_assert_eq(info.size, 256);
    cr_assert_eq(info.flags, READ_WRITE);
    cr_assert_eq(info.argsz, sizeof(info));
    cr_assert_eq(vc.n_fds, 0);
    cr_assert_eq(region_info(VFIO_PCI_BAR1_REGION_INDEX, 1000).size, 0x4000);
    cr_assert_eq(region_info(VFIO_PCI_BAR3_REGION_INDEX, 32).flags, 0);
    cr_assert_eq(region_info(VFIO_PCI_ROM_REGION_INDEX, 32).size, 0);
    cr_assert_eq(region_info(VFIO_PCI_VGA_REGION_INDEX, 32).size, 0);
    info = (struct vdf_vfu_region_info){ .argsz = 32, .index = 9 };
    cr_assert_eq(vc_ask(VDF_VFU_DEVICE_GET_REGION_INFO, &info, sizeof(info)), -EINVAL);
    vc_expect_line("DEVICE_GET_REGION_INFO: region 9");
    info = (struct vdf_vfu_region_info){ .argsz = 31 };
    cr_assert_eq(vc_ask(VDF_VFU_DEVICE_GET_REGION_INFO, &info, sizeof(info)), -EINVAL);
    info = (struct vdf_vfu_region_info){ .argsz = 32, .offset = 1 };
    cr_assert_eq(vc_ask(VDF_VFU_DEVICE_GET_REGION_INFO, &info, sizeof(info)), -EINVAL);
}

Test(vfio_user, a_region_that_is_mapped)
{
    struct vdf_vfu_region_info info = region_info(VFIO_PCI_BAR0_REGION_INDEX, sizeof(info));

    cr_assert_eq(info.size, 4096);
    cr_assert_eq(info.flags, READ_WRITE | VFIO_REGION_INFO_FLAG_MMAP);
    cr_assert_eq(vc.n_fds, 1);
    uint32_t *page =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, vc.fds[0], (off_t)info.offset);
    cr_assert_neq(page, MAP_FAILED);
    close(vc.fds[0]);
    page[3] = 0x12345678;
    cr_assert_eq(vc_region_read(VFIO_PCI_BAR0_REGION_INDEX, 12, 4), 20);
    cr_assert_eq(memcmp(vc.payload + 16, &page[3], 4), 0);
    cr_assert_eq(vc_region_write(VFIO_PCI_BAR0_REGION_INDEX, 16, "abcd", 4), 16);
    cr_assert_eq(memcmp(&page[4], "abcd", 4), 0);
    munmap(page, 4096);
}

/* No descriptor for a client that takes none. */
Test(vfio_user, a_client_without_descriptors)
{
    struct vdf_vfu_region_info info;

    cr_assert_gt(version_of(0, 0, "{\"capabilities\":{\"max_msg_fds\":0}}"), 0);
    info = region_info(VFIO_PCI_BAR0_REGION_INDEX, sizeof(info));
    cr_assert_eq(info.flags, READ_WRITE);
    cr_assert_eq(vc.n_fds, 0);
}

/* --- accesses --------------------------------------------------------------------------------- */

Test(vfio_user, region_accesses)
{
    uint32_t value = 0x80000000;
    struct vdf_vfu_region_access access;

    cr_assert_eq(vc_region_read(VFIO_PCI_CONFIG_REGION_INDEX, 0, 2), 18);
    memcpy(&access, vc.payload, sizeof(access));
    cr_assert_eq(access.offset, 0);
    cr_assert_eq(access.region, VFIO_PCI_CONFIG_REGION_INDEX);
    cr_assert_eq(access.count, 2);
    cr_assert_eq(vc_region_write(VFIO_PCI_CONFIG_REGION_INDEX, 0x3c, "\x0b", 1), 16);
    cr_assert_eq(vc_region_read(VFIO_PCI_CONFIG_REGION_INDEX, 0x3c, 1), 17);
    cr_assert_eq(vc.payload[16], 11);
    cr_assert_eq(vc_region_read(VFIO_PCI_CONFIG_REGION_INDEX, 0, 256), 16 + 256);
    /* domaincfg of the APLIC. */
    cr_assert_eq(vc_region_write(VFIO_PCI_BAR1_REGION_INDEX, 0, "\0\1\0\0", 4), 16);
    cr_assert_eq(vc_region_read(VFIO_PCI_BAR1_REGION_INDEX, 0, 4), 20);
    memcpy(&value, vc.payload + 16, 4);
    cr_assert_eq(value & 0x100, 0x100);
    cr_assert_eq(vc_region_read(VFIO_PCI_BAR0_REGION_INDEX, 4096, 0), 16);
    cr_assert_eq(vc_region_read(VFIO_PCI_ROM_REGION_INDEX, 0, 0), 16);
    cr_assert_eq(vc_region_write(VFIO_PCI_VGA_REGION_INDEX, 0, "", 0), 16);
}

Test(vfio_user, region_accesses_that_are_refused)
{
    static const struct {
        uint64_t offset;
        uint32_t region, count;
    } bad[] = {
        { 0, 9, 4 },
        { 0, UINT32_MAX, 4 },
        { 253, VFIO_PCI_CONFIG_REGION_INDEX, 4 },
        { 4096, VFIO_PCI_BAR0_REGION_INDEX, 1 },
        { UINT64_MAX, VFIO_PCI_BAR0_REGION_INDEX, 2 },
        { UINT64_MAX - 3, VFIO_PCI_BAR0_REGION_INDEX, 4 },
        { 0, VFIO_PCI_BAR0_REGION_INDEX, 4097 },
        { 0, VFIO_PCI_BAR0_REGION_INDEX, UINT32_MAX },
        { 0, VFIO_PCI_BAR3_REGION_INDEX, 1 },
        { 0, VFIO_PCI_ROM_REGION_INDEX, 1 },
        { 1, VFIO_PCI_VGA_REGION_INDEX, 0 },
    };
    static const uint8_t data[4096];

    for (unsigned k = 0; k < sizeof(bad) / sizeof(bad[0]); k++) {
        vc_leave();
        vc_begin();
        cr_assert_eq(vc_region_read(bad[k].region, bad[k].offset, bad[k].count), -EINVAL, "%u", k);
        vc_expect_line("vfio-user: REGION_READ: ");
        if (bad[k].count > sizeof(data))
            continue;
        cr_assert_eq(vc_region_write(bad[k].region, bad[k].offset, data, bad[k].count), -EINVAL,
                     "%u", k);
    }
    vc_leave();
    vc_begin();
    struct vdf_vfu_region_access access = { 0, 0, 8 };
    uint8_t payload[32] = { 0 };
    memcpy(payload, &access, sizeof(access));
    cr_assert_eq(vc_ask(VDF_VFU_REGION_WRITE, payload, 20), -EINVAL, "too little data");
    vc_expect_line("REGION_WRITE: a write of 8 bytes with 4 bytes of data");
    cr_assert_eq(vc_ask(VDF_VFU_REGION_WRITE, payload, 25), -EINVAL, "too much");
    cr_assert_eq(vc_ask(VDF_VFU_REGION_WRITE, payload, 15), -EINVAL);
    cr_assert_eq(vc_ask(VDF_VFU_REGION_READ, payload, 15), -EINVAL);
}

static int write_multi(uint64_t n, const struct vdf_vfu_write_one *writes, size_t len)
{
    uint8_t payload[8 + 16 * sizeof(*writes)];

    memcpy(payload, &n, 8);
    memcpy(payload + 8, writes, len);
    return vc_ask(VDF_VFU_REGION_WRITE_MULTI, payload, 8 + len);
}

Test(vfio_user, several_writes)
{
    struct vdf_vfu_write_one writes[] = {
        { 0, VFIO_PCI_BAR0_REGION_INDEX, 4, "abcd" },
        { 8, VFIO_PCI_BAR0_REGION_INDEX, 8, "efghijkl" },
        { 0x3c, VFIO_PCI_CONFIG_REGION_INDEX, 1, "\x07" },
        { 0, VFIO_PCI_BAR0_REGION_INDEX, 0, "" },
    };
    uint64_t n;

    cr_assert_eq(write_multi(4, writes, sizeof(writes)), 8);
    memcpy(&n, vc.payload, 8);
    cr_assert_eq(n, 4);
    cr_assert_eq(vc_region_read(VFIO_PCI_BAR0_REGION_INDEX, 0, 16), 32);
    cr_assert_eq(memcmp(vc.payload + 16, "abcd\0\0\0\0efghijkl", 16), 0);
    cr_assert_eq(write_multi(0, writes, 0), 8);

    /* Nothing is written where one of them is wrong. */
    cr_assert_eq(write_multi(3, writes, sizeof(writes)), -EINVAL);
    cr_assert_eq(write_multi(UINT64_MAX, writes, sizeof(writes)), -EINVAL);
    cr_assert_eq(write_multi(UINT64_MAX / 24 + 1, writes, sizeof(writes)), -EINVAL);
    memcpy(writes[0].data, "ABCD", 4);
    writes[1].count = 9;
    cr_assert_eq(write_multi(4, writes, sizeof(writes)), -EINVAL);
    vc_expect_line("REGION_WRITE_MULTI: write 1 has 9 bytes");
    writes[1].count = 8;
    writes[1].offset = 4089;
    cr_assert_eq(write_multi(4, writes, sizeof(writes)), -EINVAL);
    cr_assert_eq(vc_region_read(VFIO_PCI_BAR0_REGION_INDEX, 0, 4), 20);
    cr_assert_eq(memcmp(vc.payload + 16, "abcd", 4), 0);

    /* A device refuses the third one: an access of 2 bytes to the APLIC. */
    writes[1].offset = 8;
    writes[2] = (struct vdf_vfu_write_one){ 2, VFIO_PCI_BAR1_REGION_INDEX, 2, "" };
    cr_assert_eq(write_multi(4, writes, sizeof(writes)), 8);
    memcpy(&n, vc.payload, 8);
    cr_assert_eq(n, 2);
    vc_expect_line("REGION_WRITE_MULTI, write 2");
}

Test(vfio_user, reset)
{
    cr_assert_eq(vc_region_write(VFIO_PCI_CONFIG_REGION_INDEX, 4, "\x06", 1), 16);
    cr_assert_eq(vc_ask(VDF_VFU_DEVICE_RESET, NULL, 0), 0);
    cr_assert_eq(vc_region_read(VFIO_PCI_CONFIG_REGION_INDEX, 4, 2), 18);
    cr_assert_eq(vc.payload[16], 0);
}

/* --- doorbells -------------------------------------------------------------------------------- */

static int io_fds(uint32_t index, uint32_t argsz, struct vdf_vfu_io_fds *info)
{
    struct vdf_vfu_io_fds in = { .argsz = argsz, .index = index };
    int ret = vc_ask(VDF_VFU_DEVICE_GET_REGION_IO_FDS, &in, sizeof(in));

    memcpy(info, vc.payload, sizeof(*info));
    return ret;
}

Test(vfio_user, doorbells)
{
    struct vdf_vfu_io_fds info;
    struct vdf_vfu_ioeventfd bell;

    cr_assert_eq(io_fds(VFIO_PCI_BAR1_REGION_INDEX, 16, &info), 16);
    cr_assert_eq(info.count, 0);
    cr_assert_eq(info.argsz, 16);
    cr_assert_eq(io_fds(9, 16, &info), -EINVAL);
    cr_assert_eq(io_fds(0, 15, &info), -EINVAL);
    struct vdf_vfu_io_fds in = { .argsz = 16, .count = 1 };
    cr_assert_eq(vc_ask(VDF_VFU_DEVICE_GET_REGION_IO_FDS, &in, sizeof(in)), -EINVAL);

    /* A console rings. */
    cr_assert_eq(io_fds(VFIO_PCI_BAR2_REGION_INDEX, 16, &info), 16);
    cr_assert_gt(info.count, 0);
    cr_assert_leq(info.count, 8);
    cr_assert_eq(info.argsz, 16 + info.count * 40);
    cr_assert_eq(vc.n_fds, 0);
    cr_assert_eq(io_fds(VFIO_PCI_BAR2_REGION_INDEX, info.argsz, &info), (int)info.argsz);
    cr_assert_eq(vc.n_fds, info.count);
    for (unsigned k = 0; k < info.count; k++) {
        memcpy(&bell, vc.payload + 16 + k * 40, sizeof(bell));
        cr_assert_eq(bell.fd_index, k);
        cr_assert_eq(bell.type, 0);
        cr_assert_eq(bell.flags, 1);
        cr_assert_eq(eventfd_write(vc.fds[k], 1), 0);
        close(vc.fds[k]);
    }
}

/* A refused path leaves the devices as they are. */
Test(vfio_user_path, refused)
{
    cr_assert_eq(vdf_test_write("console/con0/driver", "soft"), 0);
    char *before = strdup(vdf_test_read("console/con0/state"));

    cr_assert_eq(vdf_test_write(VC_NIC "vfio_user", "/dev/null"), -EEXIST);
    cr_assert_eq(vdf_test_write(VC_NIC "vfio_user", "/tmp/missing/socket"), -ENOENT);
    cr_assert_str_eq(vdf_test_read(VC_NIC "vfio_user"), "");
    cr_assert_str_eq(vdf_test_read("console/con0/state"), before);
    /* Nor is there a socket where a device is refused. */
    cr_assert_eq(vdf_test_mkdir("pci/other"), 0);
    cr_assert_eq(vdf_test_write("pci/other/function", "console/con0"), 0);
    cr_assert_eq(vdf_test_write(VC_NIC "vfio_user", vc.path), 0);
    cr_assert_eq(vdf_test_write("pci/other/vfio_user", "/tmp/vdf-vc-other"), -EBUSY);
    cr_assert_neq(access("/tmp/vdf-vc-other", F_OK), 0);
    free(before);
}
