/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The memory of a vfio-user client: mappings, accesses by messages, the log of written pages. */
#include <pthread.h>

#include "test_vfio_user.h"

TestSuite(vfio_user_dma, .init = vc_start, .fini = vc_end);

/* As the devices of the function see it. */
static const struct vdf_space *space(void)
{
    return vc_pci()->space;
}

/* --- DMA_MAP and DMA_UNMAP -------------------------------------------------------------------- */

Test(vfio_user_dma, memory_that_is_mapped)
{
    int fd = vc_memfd(0x10000);
    char *mem = mmap(NULL, 0x10000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    char bytes[8] = "";

    cr_assert_eq(vc_map(0x100000, 0x4000, 3, fd, 0x2000), 0);
    cr_assert_eq(vc_map(0, 0x1000, 1, fd, 0), 0);
    cr_assert_eq(vc_map(0x104000, 0x1000, 2, fd, 0x8000), 0);
    cr_assert_str_eq(vdf_test_read(VC_NIC "dma"),
                     "0x0000000000000000 0x0000000000001000 r- mapped\n"
                     "0x0000000000100000 0x0000000000004000 rw mapped\n"
                     "0x0000000000104000 0x0000000000001000 -w mapped");
    /* It crosses from one region into the next. */
    cr_assert(vdf_space_copy_out(space(), 0x103ffc, "abcdefgh", 8));
    cr_assert_eq(memcmp(mem + 0x5ffc, "abcd", 4), 0);
    cr_assert_eq(memcmp(mem + 0x8000, "efgh", 4), 0);
    memcpy(mem, "12345678", 8);
    cr_assert(vdf_space_copy_in(space(), 0, bytes, 8));
    cr_assert_eq(memcmp(bytes, "12345678", 8), 0);
    cr_assert_not(vdf_space_copy_out(space(), 0, bytes, 8), "read-only");
    cr_assert_not(vdf_space_has(space(), 0x1000, 1, false));

    cr_assert_eq(vc_unmap(0x100000, 0x4000, 0), sizeof(struct vdf_vfu_dma_unmap));
    struct vdf_vfu_dma_unmap unmap;
    memcpy(&unmap, vc.payload, sizeof(unmap));
    cr_assert_eq(unmap.argsz, sizeof(unmap));
    cr_assert_eq(unmap.address, 0x100000);
    cr_assert_eq(unmap.size, 0x4000);
    cr_assert_not(vdf_space_has(space(), 0x100000, 1, false));
    cr_assert(vdf_space_has(space(), 0x104000, 1, true));
    cr_assert_eq(vc_unmap(0, 0, VDF_VFU_UNMAP_ALL), sizeof(struct vdf_vfu_dma_unmap));
    cr_assert_str_eq(vdf_test_read(VC_NIC "dma"), "");
    cr_assert_eq(space()->n, 0);
    /* A descriptor that can only be read. */
    char path[32];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int readonly = open(path, O_RDONLY | O_CLOEXEC);
    cr_assert_eq(vc_map(0, 0x1000, 3, readonly, 0), -EACCES);
    cr_assert_eq(vc_map(0, 0x1000, 1, readonly, 0), 0);
    cr_assert(vdf_space_copy_in(space(), 0, bytes, 8));
    cr_assert_not(vdf_space_at(space(), 0, 1, true));
    close(readonly);
    munmap(mem, 0x10000);
    close(fd);
}

Test(vfio_user_dma, the_ends_of_all_addresses)
{
    int fd = vc_memfd(0x2000);

    cr_assert_eq(vc_map(UINT64_MAX - 0xfff, 0x1000, 3, fd, 0), 0);
    cr_assert_eq(vc_map(0, 0x1000, 3, fd, 0), 0);
    cr_assert(vdf_space_has(space(), UINT64_MAX, 1, true));
    cr_assert_eq(vc_map(UINT64_MAX - 0x1fff, 0x2000, 3, fd, 0), -EEXIST);
    cr_assert_eq(vc_map(UINT64_MAX - 0x1fff, 0x3000, 3, fd, 0), -EINVAL);
    cr_assert_eq(vc_map(0x2000, UINT64_MAX - 0xfff, 3, -1, 0), -EINVAL);
    cr_assert_eq(vc_map(0x1000, UINT64_MAX - 0x1fff, 3, -1, 0), 0);
    cr_assert_eq(vc_unmap(UINT64_MAX - 0xfff, 0x1000, 0), 24);
    close(fd);
}

Test(vfio_user_dma, maps_that_are_refused)
{
    int fd = vc_memfd(0x4000), dir = open("/tmp", O_RDONLY | O_CLOEXEC);
    struct vdf_vfu_dma_map map = { 31, 3, 0, 0, 0x1000 };

    cr_assert_eq(vc_map(0x10000, 0x2000, 3, fd, 0), 0);
    static const uint64_t overlaps[][2] = { { 0x10000, 0x2000 }, { 0x10000, 0x1000 },
                                            { 0x11000, 0x1000 }, { 0xf000, 0x2000 },
                                            { 0xf000, 0x4000 },  { 0x11000, 0x2000 } };
    for (unsigned k = 0; k < sizeof(overlaps) / sizeof(overlaps[0]); k++)
        cr_assert_eq(vc_map(overlaps[k][0], overlaps[k][1], 3, fd, 0), -EEXIST, "%u", k);
    vc_expect_line("vfio-user: DMA_MAP: 0x2000 bytes at 0x11000 overlap");
    cr_assert_eq(vc_map(0xf000, 0x1000, 3, fd, 0), 0);
    cr_assert_eq(vc_map(0x12000, 0x1000, 3, fd, 0), 0);
    vc_leave();
    vc_begin();
    cr_assert_eq(vc_map(0x20800, 0x1000, 3, fd, 0), -EINVAL);
    cr_assert_eq(vc_map(0x20000, 0x1800, 3, fd, 0), -EINVAL);
    cr_assert_eq(vc_map(0x20000, 0x1000, 3, fd, 0x10), -EINVAL);
    cr_assert_eq(vc_map(0x20000, 0, 3, fd, 0), -EINVAL);
    cr_assert_eq(vc_map(0x20000, 0x1000, 0, fd, 0), -EINVAL);
    cr_assert_eq(vc_map(0x20000, 0x1000, 7, fd, 0), -EINVAL);
    cr_assert_eq(vc_map(0x20000, 0x5000, 3, fd, 0), -EINVAL, "the file is shorter");
    cr_assert_eq(vc_map(0x20000, 0x1000, 3, fd, 0x4000), -EINVAL);
    cr_assert_eq(vc_map(0x20000, 0x1000, 3, fd, UINT64_MAX - 0xfff), -EINVAL);
    cr_assert_eq(vc_map(0x20000, 0x1000, 3, dir, 0), -EINVAL);
    cr_assert_eq(vc_map(0x20000, 0x1000, 3, -1, 0x1000), -EINVAL);
    cr_assert_eq(vc_ask(VDF_VFU_DMA_MAP, &map, sizeof(map)), -EINVAL, "argsz");
    cr_assert_eq(vc_ask(VDF_VFU_DMA_MAP, &map, 31), -EINVAL);
    map.argsz = 32;
    int two[] = { fd, fd };
    cr_assert_eq(vc_ask_fds(VDF_VFU_DMA_MAP, &map, sizeof(map), two, 2), -EINVAL);
    cr_assert_str_eq(vdf_test_read(VC_NIC "dma"), "");
    close(fd);
    close(dir);
}

Test(vfio_user_dma, unmaps_that_are_refused)
{
    struct vdf_vfu_dma_unmap unmap = { 23, 0, 0x10000, 0x2000 };

    cr_assert_eq(vc_map(0x10000, 0x2000, 3, -1, 0), 0);
    cr_assert_eq(vc_unmap(0x10000, 0x1000, 0), -ENOENT);
    cr_assert_eq(vc_unmap(0x11000, 0x1000, 0), -ENOENT);
    cr_assert_eq(vc_unmap(0x11000, UINT64_MAX - 0x11000 + 1, 0), -ENOENT);
    cr_assert_eq(vc_unmap(0x10000, 0, 0), -EINVAL);
    cr_assert_eq(vc_unmap(0x10000, UINT64_MAX - 0x10000 + 2, 0), -EINVAL);
    cr_assert_eq(vc_unmap(0x10000, 0x2000, 1), -EINVAL);
    cr_assert_eq(vc_unmap(0x10000, 0x2000, 4), -EINVAL);
    cr_assert_eq(vc_unmap(0x10000, 0x2000, VDF_VFU_UNMAP_ALL), -EINVAL);
    cr_assert_eq(vc_ask(VDF_VFU_DMA_UNMAP, &unmap, sizeof(unmap)), -EINVAL);
    vc_expect_line("vfio-user: DMA_UNMAP: argsz 23");
    cr_assert_eq(vc_unmap(0x10000, 0x2000, 0), 24);
    cr_assert_eq(vc_unmap(0x10000, 0x2000, 0), 24, "nothing is there");
}

/* As QEMU does with a vIOMMU. */
Test(vfio_user_dma, a_range_of_regions_is_unmapped)
{
    for (unsigned k = 0; k < 8; k++)
        cr_assert_eq(vc_map(k * 0x10000, 0x1000, 3, -1, 0), 0);
    cr_assert_eq(vc_map(UINT64_MAX - 0xfff, 0x1000, 3, -1, 0), 0);
    cr_assert_eq(vc_unmap(0x10000, 0x20000, 0), 24);
    cr_assert_eq(vc_unmap(0x31000, 0xf000, 0), 24, "there is none");
    cr_assert_eq(vc_unmap(0x50800, 0x10000, 0), -ENOENT, "the ends cut two regions");
    cr_assert_eq(vc_map(0x10000, 0x20000, 1, -1, 0), 0);
    cr_assert_str_eq(vdf_test_read(VC_NIC "dma"),
                     "0x0000000000000000 0x0000000000001000 rw messages\n"
                     "0x0000000000010000 0x0000000000020000 r- messages\n"
                     "0x0000000000030000 0x0000000000001000 rw messages\n"
                     "0x0000000000040000 0x0000000000001000 rw messages\n"
                     "0x0000000000050000 0x0000000000001000 rw messages\n"
                     "0x0000000000060000 0x0000000000001000 rw messages\n"
                     "0x0000000000070000 0x0000000000001000 rw messages\n"
                     "0xfffffffffffff000 0x0000000000001000 rw messages");
    cr_assert_eq(vc_unmap(0x30000, UINT64_MAX - 0x30000 + 1, 0), 24);
    cr_assert_eq(vc_unmap(0, 0x30000, 0), 24);
    cr_assert_str_eq(vdf_test_read(VC_NIC "dma"), "");
}

Test(vfio_user_dma, as_many_regions_as_agreed)
{
    for (unsigned k = 0; k < VDF_VFU_MAPS_MAX; k++)
        cr_assert_eq(vc_map((uint64_t)(k * 769 % VDF_VFU_MAPS_MAX) << 12, 0x1000, 3, -1, 0), 0);
    cr_assert_eq(space()->n, VDF_VFU_MAPS_MAX);
    for (unsigned k = 1; k < VDF_VFU_MAPS_MAX; k++)
        cr_assert_gt(vdf_space_regions(space())[k].addr, vdf_space_regions(space())[k - 1].addr);
    cr_assert_eq(vc_map(VDF_VFU_MAPS_MAX << 12, 0x1000, 3, -1, 0), -ENOSPC);
    cr_assert_eq(vc_unmap(0x1000, 0x1000, 0), 24);
    cr_assert_eq(vc_map(VDF_VFU_MAPS_MAX << 12, 0x1000, 3, -1, 0), 0);
    cr_assert_eq(vc_unmap(0, 0, VDF_VFU_UNMAP_ALL), 24);
}

/* --- messages --------------------------------------------------------------------------------- */

/* con0, as far as the server can tell, accesses memory in a thread of its own. */
static atomic_bool never;

static struct access {
    pthread_t thread;
    uint64_t address;
    size_t n;
    bool write, done, result;
    uint8_t bytes[0x10000];
} device;

static void *access_memory(void *arg)
{
    struct vdf_obj *con = vdf_test_obj("console/con0");
    const struct vdf_pci *pci = vc_pci();

    cr_assert(vdf_obj_enter(con, &never));
    device.result = device.write
                        ? vdf_space_copy_out(pci->space, device.address, device.bytes, device.n)
                        : vdf_space_copy_in(pci->space, device.address, device.bytes, device.n);
    vdf_obj_leave(con, false, &never);
    return NULL;
}

static void begin_access(bool write, uint64_t address, size_t n)
{
    device.write = write;
    device.address = address;
    device.n = n;
    cr_assert_eq(pthread_create(&device.thread, NULL, access_memory, NULL), 0);
}

static bool end_access(void)
{
    pthread_join(device.thread, NULL);
    return device.result;
}

static struct vdf_vfu_dma_access receive_dma(int sock, uint16_t command)
{
    struct vdf_vfu_dma_access access;

    cr_assert(vc_receive(sock));
    cr_assert_eq(vc.header.command, command);
    cr_assert_eq(vc.header.flags, VDF_VFU_TYPE_COMMAND);
    memcpy(&access, vc.payload, sizeof(access));
    cr_assert_eq(vc.header.size,
                 16 + sizeof(access) + (command == VDF_VFU_DMA_WRITE ? access.count : 0));
    return access;
}

/* Reply to the command that was received. */
static void send_dma(int sock, const struct vdf_vfu_dma_access *access, const void *data, size_t n)
{
    struct vdf_vfu_header header = vc.header;
    uint8_t payload[0x10000 + sizeof(*access)];

    header.flags = VDF_VFU_TYPE_REPLY;
    header.size = (uint32_t)(sizeof(header) + sizeof(*access) + n);
    memcpy(payload, access, sizeof(*access));
    memcpy(payload + sizeof(*access), data, n);
    vc_send(sock, &header, payload, sizeof(*access) + n, NULL, 0);
}

static void send_dma_error(int sock, uint32_t error)
{
    struct vdf_vfu_header header = vc.header;

    header.flags = VDF_VFU_TYPE_REPLY | VDF_VFU_ERROR;
    header.size = sizeof(header);
    header.error = error;
    vc_send(sock, &header, NULL, 0, NULL, 0);
}

Test(vfio_user_dma, memory_by_messages)
{
    struct vdf_vfu_dma_access access;

    cr_assert_eq(vc_map(0x10000, 0x2000, 3, -1, 0), 0);
    cr_assert_str_eq(vdf_test_read(VC_NIC "dma"),
                     "0x0000000000010000 0x0000000000002000 rw messages");
    begin_access(false, 0x10ffc, 8);
    access = receive_dma(vc.sock, VDF_VFU_DMA_READ);
    cr_assert_eq(access.address, 0x10ffc);
    cr_assert_eq(access.count, 8);
    send_dma(vc.sock, &access, "abcdefgh", 8);
    cr_assert(end_access());
    cr_assert_eq(memcmp(device.bytes, "abcdefgh", 8), 0);

    begin_access(true, 0x11ffc, 4);
    access = receive_dma(vc.sock, VDF_VFU_DMA_WRITE);
    cr_assert_eq(access.address, 0x11ffc);
    cr_assert_eq(memcmp(vc.payload + sizeof(access), "abcd", 4), 0);
    send_dma(vc.sock, &access, "", 0);
    cr_assert(end_access());

    /* QEMU 10 replies without a payload. */
    begin_access(true, 0x11ffc, 4);
    receive_dma(vc.sock, VDF_VFU_DMA_WRITE);
    struct vdf_vfu_header header = vc.header;
    header.flags = VDF_VFU_TYPE_REPLY;
    header.size = sizeof(header);
    vc_send(vc.sock, &header, NULL, 0, NULL, 0);
    cr_assert(end_access());
    cr_assert_not(vdf_space_copy_in(space(), 0x12000, device.bytes, 1));
}

Test(vfio_user_dma, replies_that_are_wrong)
{
    struct vdf_vfu_dma_access access, other;

    cr_assert_eq(vc_map(0x10000, 0x2000, 3, -1, 0), 0);
    begin_access(false, 0x10000, 8);
    receive_dma(vc.sock, VDF_VFU_DMA_READ);
    send_dma_error(vc.sock, EFAULT);
    cr_assert_not(end_access());
    vc_expect_line("DMA_READ of 8 bytes at 0x10000: the client answers EFAULT");
    begin_access(true, 0x10000, 8);
    receive_dma(vc.sock, VDF_VFU_DMA_WRITE);
    send_dma_error(vc.sock, UINT32_MAX);
    cr_assert_not(end_access());
    for (unsigned k = 0; k < 4; k++) {
        begin_access(false, 0x10000, 8);
        access = other = receive_dma(vc.sock, VDF_VFU_DMA_READ);
        other.address += k == 0;
        other.count += k == 1;
        send_dma(vc.sock, &other, "abcdefghi", k == 2 ? 7 : k == 3 ? 9 : 8);
        cr_assert_not(end_access(), "%u", k);
    }
    for (unsigned k = 0; k < 2; k++) {
        begin_access(true, 0x10000, 8);
        access = receive_dma(vc.sock, VDF_VFU_DMA_WRITE);
        access.address += k;
        access.count -= !k;
        send_dma(vc.sock, &access, "", 0);
        cr_assert_not(end_access(), "%u", k);
    }
    /* The reply to another command is no reply. */
    begin_access(false, 0x10000, 8);
    access = receive_dma(vc.sock, VDF_VFU_DMA_READ);
    vc.header.id++;
    send_dma(vc.sock, &access, "abcdefgh", 8);
    vc.header.id--;
    vc.header.command = VDF_VFU_DMA_WRITE;
    send_dma(vc.sock, &access, "abcdefgh", 8);
    vc.header.command = VDF_VFU_DMA_READ;
    send_dma(vc.sock, &access, "ABCDEFGH", 8);
    cr_assert(end_access());
    cr_assert_eq(memcmp(device.bytes, "ABCDEFGH", 8), 0);
    cr_assert_eq(vc_unmap(0x10000, 0x2000, 0), 24);
    vc_expect_line("messages that nobody waits for");
}

/* Commands that arrive while a reply is awaited are carried out too, in their order. */
Test(vfio_user_dma, commands_instead_of_a_reply)
{
    struct vdf_vfu_region_access read = { 0, VFIO_PCI_CONFIG_REGION_INDEX, 4 };
    uint16_t ids[20];

    cr_assert_eq(vc_map(0x10000, 0x2000, 3, -1, 0), 0);
    begin_access(false, 0x10000, 4);
    struct vdf_vfu_dma_access access = receive_dma(vc.sock, VDF_VFU_DMA_READ);
    struct vdf_vfu_header header = vc.header;
    for (unsigned k = 0; k < 20; k++)
        ids[k] = vc_post(VDF_VFU_REGION_READ, 0, &read, sizeof(read), NULL, 0);
    for (unsigned k = 0; k < 20; k++)
        cr_assert_eq(vc_reply(ids[k], VDF_VFU_REGION_READ), 20);
    vc.header = header;
    send_dma(vc.sock, &access, "abcd", 4);
    cr_assert(end_access());
}

Test(vfio_user_dma, a_client_that_does_not_reply)
{
    cr_assert_eq(vc_map(0x10000, 0x2000, 3, -1, 0), 0);
    begin_access(false, 0x10000, 4);
    receive_dma(vc.sock, VDF_VFU_DMA_READ);
    cr_assert_not(end_access());
    cr_assert_not(vc_receive(vc.sock));
    vc_leave();
    vc_expect_line("no reply for 1 s; the connection is closed");
    vc_begin();
    cr_assert_eq(vc_region_read(VFIO_PCI_CONFIG_REGION_INDEX, 0, 4), 20);
}

/* Each reply comes in time, and a device that asks often would be locked for ever. */
Test(vfio_user_dma, a_client_that_is_always_late)
{
    unsigned replies = 0;

    cr_assert_eq(vc_map(0x10000, 0x2000, 3, -1, 0), 0);
    for (bool served = true; served; replies += served) {
        begin_access(false, 0x10000, 4);
        served = vc_receive(vc.sock);
        if (served) {
            struct vdf_vfu_dma_access access;

            memcpy(&access, vc.payload, sizeof(access));
            usleep(200000);
            send_dma(vc.sock, &access, "abcd", 4);
        }
        end_access();
        cr_assert_lt(replies, 20);
    }
    cr_assert_geq(replies, 2);
    vc_leave();
    vc_expect_line("too many replies take longer than 10 ms; the connection is closed");
}

Test(vfio_user_dma, a_client_that_leaves_instead_of_a_reply)
{
    cr_assert_eq(vc_map(0x10000, 0x2000, 3, -1, 0), 0);
    begin_access(true, 0x10000, 4);
    receive_dma(vc.sock, VDF_VFU_DMA_WRITE);
    vc_leave();
    cr_assert_not(end_access());
    cr_assert_eq(space()->n, 0);
}

/* A client limits the data of a message. */
Test(vfio_user_dma, accesses_in_parts)
{
    struct vdf_vfu_dma_access access;

    vc_leave();
    vc_connect();
    cr_assert_gt(vc_version(0, 0, "{\"capabilities\":{\"max_data_xfer_size\":4096}}"), 0);
    cr_assert_eq(vc_map(0x10000, 0x10000, 3, -1, 0), 0);
    for (unsigned k = 0; k < 10000; k++)
        device.bytes[k] = (uint8_t)(k * 7);
    begin_access(true, 0x10010, 10000);
    for (unsigned done = 0; done < 10000; done += 4096) {
        access = receive_dma(vc.sock, VDF_VFU_DMA_WRITE);
        cr_assert_eq(access.address, 0x10010 + done);
        cr_assert_eq(access.count, done == 8192 ? 10000 - 8192 : 4096);
        cr_assert_eq(memcmp(vc.payload + sizeof(access), device.bytes + done, access.count), 0);
        send_dma(vc.sock, &access, "", 0);
    }
    cr_assert(end_access());
}

/* --- twin socket ------------------------------------------------------------------------------ */

Test(vfio_user_dma, twin_socket)
{
    struct vdf_vfu_dma_access access;

    vc_leave();
    vc_connect();
    cr_assert_gt(vc_version(0, 0, "{\"capabilities\":{\"twin_socket\":{\"supported\":true}}}"), 0);
    cr_assert_str_eq((char *)vc.payload + 4,
                     "{\"capabilities\":{\"twin_socket\":{\"supported\":true,\"fd_index\":0}}}");
    cr_assert_eq(vc.n_fds, 1);
    int twin = vc.fds[0];
    cr_assert_eq(vc_map(0x10000, 0x10000, 3, -1, 0), 0);
    begin_access(false, 0x10000, 4);
    access = receive_dma(twin, VDF_VFU_DMA_READ);
    /* A reply on the other socket is none. */
    send_dma(vc.sock, &access, "xxxx", 4);
    struct vdf_vfu_header header = vc.header;
    cr_assert_eq(vc_region_read(VFIO_PCI_CONFIG_REGION_INDEX, 0, 4), 20);
    vc.header = header;
    send_dma(twin, &access, "abcd", 4);
    cr_assert(end_access());
    cr_assert_eq(memcmp(device.bytes, "abcd", 4), 0);
    /* So is a command on this one. */
    begin_access(false, 0x10000, 4);
    access = receive_dma(twin, VDF_VFU_DMA_READ);
    header = (struct vdf_vfu_header){ 1, VDF_VFU_DEVICE_RESET, 16, 0, 0 };
    vc_send(twin, &header, NULL, 0, NULL, 0);
    send_dma(twin, &access, "efgh", 4);
    cr_assert(end_access());
    cr_assert_eq(memcmp(device.bytes, "efgh", 4), 0);
    /* The end of the second socket is the end of the connection. */
    begin_access(false, 0x10000, 4);
    receive_dma(twin, VDF_VFU_DMA_READ);
    close(twin);
    cr_assert_not(end_access());
    cr_assert_not(vc_receive(vc.sock));
}

Test(vfio_user_dma, a_twin_needs_a_descriptor)
{
    vc_leave();
    vc_connect();
    cr_assert_gt(vc_version(0, 0,
                            "{\"capabilities\":{\"max_msg_fds\":0,"
                            "\"twin_socket\":{\"supported\":true}}}"),
                 0);
    cr_assert_eq(vc.n_fds, 0);
    cr_assert_not(strstr((char *)vc.payload + 4, "twin_socket"));
}

/* --- memory that vanishes --------------------------------------------------------------------- */

Test(vfio_user_dma, memory_that_vanishes)
{
    int fd = vc_memfd(0x2000);

    cr_assert_eq(vc_map(0x10000, 0x2000, 3, fd, 0), 0);
    cr_assert_eq(ftruncate(fd, 0), 0);
    begin_access(false, 0x11000, 4);
    cr_assert(end_access(), "there are zero pages");
    cr_assert_not(vc_receive(vc.sock));
    vc_leave();
    vc_expect_line("cut a file");
    vc_begin();
    cr_assert_eq(vc_region_read(VFIO_PCI_CONFIG_REGION_INDEX, 0, 4), 20);
    close(fd);
}

/* --- the log of written pages ----------------------------------------------------------------- */

static int feature(uint32_t flags, uint32_t argsz, const void *data, size_t len)
{
    struct vdf_vfu_feature header = { argsz, flags };
    uint8_t payload[4096];

    memcpy(payload, &header, sizeof(header));
    if (len)
        memcpy(payload + sizeof(header), data, len);
    return vc_ask(VDF_VFU_DEVICE_FEATURE, payload, sizeof(header) + len);
}

#define START (VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_DMA_LOGGING_START)
#define STOP (VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP)
#define REPORT (VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT)

static int start_log(uint64_t page_size)
{
    struct vdf_vfu_logging logging = { .page_size = page_size };

    return feature(START, 8 + sizeof(logging), &logging, sizeof(logging));
}

/* The first words of the bitmap. */
static int report(uint64_t address, uint64_t size, uint64_t page_size, uint32_t argsz,
                  uint64_t bits[2])
{
    struct vdf_vfu_logging_report in = { address, size, page_size };
    int ret = feature(REPORT, argsz, &in, sizeof(in));

    bits[0] = bits[1] = 0;
    if (ret > 32)
        memcpy(bits, vc.payload + 32, ret >= 48 ? 16 : 8);
    return ret;
}

Test(vfio_user_dma, written_pages)
{
    int fd = vc_memfd(0x80000);
    uint64_t bits[2];

    cr_assert_eq(vc_map(0x100000, 0x40000, 3, fd, 0), 0);
    cr_assert(vdf_space_copy_out(space(), 0x100000, "a", 1), "before the start");
    cr_assert_eq(start_log(0x1000), 24);
    cr_assert_eq(vc_map(0x140000, 0x40000, 3, fd, 0x40000), 0, "is logged too");
    cr_assert(vdf_space_copy_out(space(), 0x101fff, "ab", 2));
    cr_assert(vdf_space_at(space(), 0x105000, 0x1001, true));
    cr_assert(vdf_space_at(space(), 0x107000, 1, false));
    cr_assert(vdf_space_copy_out(space(), 0x13ffff, "ab", 2));

    cr_assert_eq(report(0x100000, 0x80000, 0x1000, 48, bits), 48);
    struct vdf_vfu_feature header;
    memcpy(&header, vc.payload, sizeof(header));
    cr_assert_eq(header.argsz, 48);
    cr_assert_eq(bits[0], 0x66 | UINT64_C(1) << 63);
    cr_assert_eq(bits[1], 1);
    cr_assert_eq(report(0x100000, 0x80000, 0x1000, 48, bits), 48);
    cr_assert_eq(bits[0] | bits[1], 0, "a report clears");

    /* Larger and smaller pages, and gaps. */
    cr_assert(vdf_space_copy_out(space(), 0x103000, "a", 1));
    cr_assert(vdf_space_copy_out(space(), 0x13f000, "a", 1));
    cr_assert_eq(report(0xfe000, 0x84000, 0x2000, 64, bits), 48);
    cr_assert_eq(bits[0], UINT64_C(1) << 2 | UINT64_C(1) << 32);
    cr_assert_eq(bits[1], 0);
    cr_assert(vdf_space_copy_out(space(), 0x103000, "a", 1));
    cr_assert_eq(report(0x102000, 0x2000, 0x400, 64, bits), 40);
    cr_assert_eq(bits[0], 0xf0);
    cr_assert_eq(report(0x400000, 0x1000, 0x1000, 64, bits), 40);
    cr_assert_eq(bits[0], 0);

    /* A log that does not fit is kept. */
    cr_assert(vdf_space_copy_out(space(), 0x100000, "a", 1));
    cr_assert_eq(report(0x100000, 0x1000, 0x1000, 39, bits), 32);
    memcpy(&header, vc.payload, sizeof(header));
    cr_assert_eq(header.argsz, 40);
    cr_assert_eq(report(0x100000, 0x1000, 0x1000, 40, bits), 40);
    cr_assert_eq(bits[0], 1);

    cr_assert_eq(feature(STOP, 8, NULL, 0), 8);
    cr_assert_eq(report(0x100000, 0x1000, 0x1000, 40, bits), -EINVAL);
    cr_assert_eq(vdf_space_regions(space())[0].dirty, NULL);
    cr_assert_eq(feature(STOP, 8, NULL, 0), 8);
    cr_assert_eq(start_log(0x200000), 24);
    uint64_t page_size;
    memcpy(&page_size, vc.payload + 8, 8);
    cr_assert_eq(page_size, 0x1000);
    vc_leave();
    vc_begin();
    cr_assert_eq(start_log(0x1000), 24, "it ends with the connection");
    close(fd);
}

Test(vfio_user_dma, logging_that_is_refused)
{
    struct {
        struct vdf_vfu_logging logging;
        struct vdf_vfu_logging_range ranges[2];
    } start = { { 0x1000, 2, 0 }, { { 0, 0x1000 }, { 0x10000, 0x1000 } } };
    uint64_t bits[2];

    cr_assert_eq(report(0, 0x1000, 0x1000, 40, bits), -EINVAL, "it has not begun");
    vc_expect_line("vfio-user: DEVICE_FEATURE: writes are not logged");
    cr_assert_eq(start_log(0), -EINVAL);
    cr_assert_eq(start_log(0x3000), -EINVAL);
    cr_assert_eq(feature(START, 100, &start, sizeof(start) - 16), -EINVAL);
    cr_assert_eq(feature(START, 100, &start, 15), -EINVAL);
    cr_assert_eq(feature(START, 55, &start, sizeof(start)), -EINVAL);
    start.ranges[1].size = 0;
    cr_assert_eq(feature(START, 56, &start, sizeof(start)), -EINVAL);
    start.ranges[1] = (struct vdf_vfu_logging_range){ UINT64_MAX, 2 };
    cr_assert_eq(feature(START, 56, &start, sizeof(start)), -EINVAL);
    start.ranges[1].size = 1;
    start.logging.ranges = UINT32_MAX;
    cr_assert_eq(feature(START, 56, &start, sizeof(start)), -EINVAL);
    start.logging.ranges = 2;
    cr_assert_eq(feature(START, 56, &start, sizeof(start)), 56);
    cr_assert_eq(feature(START, 56, &start, sizeof(start)), -EINVAL, "again");

    vc_leave();
    vc_begin();
    cr_assert_eq(start_log(0x1000), 24);
    cr_assert_eq(report(0x800, 0x1000, 0x1000, 40, bits), -EINVAL);
    cr_assert_eq(report(0, 0x800, 0x1000, 40, bits), -EINVAL);
    cr_assert_eq(report(0, 0, 0x1000, 40, bits), -EINVAL);
    cr_assert_eq(report(0, 0x1000, 0, 40, bits), -EINVAL);
    cr_assert_eq(report(0, 0x1000, 3, 40, bits), -EINVAL);
    cr_assert_eq(report(UINT64_MAX - 0xfff, 0x2000, 0x1000, 40, bits), -EINVAL);
    cr_assert_eq(report(0, UINT64_MAX - 0xfff, 1, UINT32_MAX, bits), -EINVAL);
    cr_assert_eq(report(0, 0x1000, 0x1000, 31, bits), -EINVAL);
    cr_assert_eq(feature(REPORT, 40, &start, 23), -EINVAL);
    cr_assert_eq(report(0, UINT64_C(1) << 35, 0x1000, 32, bits), 32, "1 MiB of bits");
    cr_assert_eq(report(0, UINT64_C(1) << 35, 0x800, 32, bits), -EINVAL);
    /* A region that is too large for a log. */
    cr_assert_eq(vc_map(0, UINT64_C(1) << 62, 3, -1, 0), -ENOSPC);
    cr_assert_eq(feature(STOP, 8, NULL, 0), 8);
    cr_assert_eq(vc_map(0, UINT64_C(1) << 62, 3, -1, 0), 0);
    cr_assert_eq(start_log(0x1000), -ENOSPC);
}
