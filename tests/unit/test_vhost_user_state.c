/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A served console: its other kinds, its state, and memory of other processes. */
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "backends/console/queue.h"
#include "skip.h"
#include "test_vhost_user.h"

static void setup(void)
{
    vdf_test_tree(false);
}

static void teardown(void)
{
    if (fe.con)
        fe_end();
    vdf_test_tree_free();
}

TestSuite(vhost_user_state, .init = setup, .fini = teardown);

Test(vhost_user_state, rproc_serial_has_two_queues_and_no_pool)
{
    uint64_t value;

    cr_assert_eq(vdf_test_write(CON "reset", "1"), 0);
    cr_assert_eq(vdf_test_write(CON "device", "rproc-serial"), 0);
    fe_start();
    cr_assert_eq(fe_ask(VDF_VU_GET_FEATURES, NULL, 0, NULL, 0, &value, 8), 8);
    cr_assert_eq(value, VDF_CONSOLE_F_INDIRECT | VDF_CONSOLE_F_EVENT_IDX | VDF_CONSOLE_F_VERSION_1 |
                            VDF_CONSOLE_F_IN_ORDER | VDF_CONSOLE_F_RING_RESET |
                            VDF_VU_F_PROTOCOL_FEATURES);
    fe_negotiate(VDF_CONSOLE_F_VERSION_1 | VDF_VU_F_PROTOCOL_FEATURES);
    cr_assert_eq(fe_ask(VDF_VU_GET_QUEUE_NUM, NULL, 0, NULL, 0, &value, 8), 8);
    cr_assert_eq(value, 2);
    cr_assert_eq(fe_memory(FE_GUEST), 0);
    fe_start_ring(0, 16, 0);
    fe_desc(0, 0, FE_GUEST + FE_BUFFERS, 16, 2);
    fe_available(0, 0, 16);
    cr_assert_eq(vdf_test_read_u64(CON "dma/violations"), 0);
    cr_assert_eq(vdf_test_read_u64(CON "ports/0/guest_connected"), 1);
    {
        int error;
        struct vdf_test_file *data = vdf_test_open(CON "ports/0/data", 2, &error);

        cr_assert_eq(vdf_test_file_write(data, "serial", 6), 6);
        vdf_test_close(data);
    }
    cr_assert_arr_eq(fe.mem + FE_BUFFERS, "serial", 6);
    cr_assert_eq(fe_called(0), 1);
}

/* A descriptor of a packed ring of 5, made available; @round counts from 0. */
static void packed_desc(unsigned ring, unsigned place, unsigned round, uint64_t addr, uint32_t len,
                        unsigned flags)
{
    uint8_t *desc = fe.mem + ring * FE_PAGE + place * 16u;

    vdf_store_le64(desc, addr);
    vdf_store_le32(desc + 8, len);
    vdf_store_le16(desc + 12, (uint16_t)(40 + place));
    vdf_store_le16(desc + 14, (uint16_t)(flags | (round % 2 ? 0x8000u : 0x80u)));
}

static bool packed_used(unsigned ring, unsigned place, unsigned round)
{
    const uint8_t *desc = fe.mem + ring * FE_PAGE + place * 16u;

    return (vdf_load_le16(desc + 14) & 0x8080u) == (round % 2 ? 0u : 0x8080u);
}

#define PACKED (VDF_CONSOLE_F_VERSION_1 | VDF_CONSOLE_F_RING_PACKED | VDF_VU_F_PROTOCOL_FEATURES)
#define PACKED_BASE(place, round) (((place) | ((round) % 2 ? 0u : 0x8000u)) * 0x10001u)

static void packed_up(void)
{
    cr_assert_eq(vdf_test_write(CON "reset", "1"), 0);
    cr_assert_eq(vdf_test_write(CON "features", "0x0000000d00000001"), 0);
    fe_start();
    cr_assert_eq(vdf_test_write(CON "ports/0/overflow", "hold"), 0);
    fe_negotiate(PACKED);
    cr_assert_eq(fe_memory(FE_GUEST), 0);
}

/* With packed rings there is no record for a later back-end. */
Test(vhost_user_state, packed_rings_have_no_record_of_what_is_in_flight)
{
    uint64_t value;

    packed_up();
    cr_assert_eq(fe_ask(VDF_VU_GET_PROTOCOL_FEATURES, NULL, 0, NULL, 0, &value, 8), 8);
    cr_assert_not(value & VDF_VU_P_INFLIGHT);
    cr_assert_eq(fe_u64(VDF_VU_SET_PROTOCOL_FEATURES, FE_PROTOCOL | VDF_VU_P_INFLIGHT), 0);
    fe_last_error("are offered");
}

/* A chain of two descriptors each time, which the reader has half emptied when the ring stops. */
Test(vhost_user_state, packed_rings_stop_and_go_on)
{
    struct vdf_test_file *data;
    unsigned place = 0, round = 0;
    char text[16];
    int error;

    packed_up();
    data = vdf_test_open(CON "ports/0/data", O_RDWR, &error);
    memcpy(fe.mem + FE_BUFFERS, "abcdef", 6);
    fe_start_ring(1, 5, PACKED_BASE(0u, 0u));
    for (unsigned n = 0; n < 12; n++) {
        unsigned second = (place + 1) % 5;
        unsigned second_round = round + (second == 0);

        packed_desc(1, second, second_round, FE_GUEST + FE_BUFFERS + 3, 3, 0);
        packed_desc(1, place, round, FE_GUEST + FE_BUFFERS, 3, VDF_VQ_DESC_NEXT);
        vdf_vhost_user_kicked(fe.vu);
        cr_assert_eq(vdf_test_file_read(data, text, 2), 2);
        cr_assert_eq(fe_stop_ring(1), PACKED_BASE(place, round));
        cr_assert_not(packed_used(1, place, round));
        /* The other half speaks of a chain that was taken and not given back. */
        fe_start_ring(1, 5, (PACKED_BASE(place, round) & 0xffff0000u) | 0x8004u);
        cr_assert_eq(vdf_test_file_read(data, text, sizeof(text)), 4);
        cr_assert_arr_eq(text, "cdef", 4);
        cr_assert(packed_used(1, place, round));
        cr_assert_eq(vdf_load_le16(fe.mem + FE_PAGE + place * 16 + 12), 40 + second);
        cr_assert_eq(fe_called(1), 1);
        round = second_round + (second == 4);
        place = (second + 1) % 5;
    }
    cr_assert_eq(fe_stop_ring(1), PACKED_BASE(place, round));
    vdf_test_close(data);
    cr_assert_str_eq(vdf_test_read("errors"), "");
}

Test(vhost_user_state, packed_rings_have_the_base)
{
    packed_up();
    cr_assert_eq(fe_ring(VDF_VU_SET_VRING_NUM, 1, 5), 0);
    cr_assert_eq(fe_ring(VDF_VU_SET_VRING_BASE, 1, PACKED_BASE(5u, 0u)), 0);
    cr_assert_eq(fe_addr(1, FE_USER), 0);
    cr_assert_eq(fe_ring(VDF_VU_SET_VRING_ENABLE, 1, 1), 0);
    cr_assert_eq(fe_fd(VDF_VU_SET_VRING_KICK, 1, fe.kick[1]), 0);
    fe_last_error("its base says place 5");
    cr_assert_not(fe.vu->rings[1].active);
    fe_start_ring(1, 5, PACKED_BASE(4u, 1u));
    cr_assert(fe.vu->rings[1].active);
    cr_assert_str_eq(vdf_test_read(CON "queues/1/last_avail"), "32772");
}

/* The device goes on in another daemon with its state, and the front end with its bases. */
Test(vhost_user_state, packed_rings_go_on_after_a_restore)
{
    struct vdf_test_file *data;
    char text[16], *state;
    uint32_t base;
    int error;

    packed_up();
    data = vdf_test_open(CON "ports/0/data", O_RDWR, &error);
    memcpy(fe.mem + FE_BUFFERS, "abcdef", 6);
    fe_start_ring(1, 5, PACKED_BASE(4u, 1u));
    packed_desc(1, 4, 1, FE_GUEST + FE_BUFFERS, 6, 0);
    vdf_vhost_user_kicked(fe.vu);
    cr_assert_eq(vdf_test_file_read(data, text, 2), 2);
    state = strdup(vdf_test_read(CON "state"));
    base = fe_stop_ring(1);
    cr_assert_eq(base, PACKED_BASE(4u, 1u));
    cr_assert_eq(vdf_test_write(CON "state", state), 0, "%s", vdf_test_last_error());
    free(state);
    close(fe.sock);
    fe.con = vdf_obj_priv(vdf_test_obj("console/con0"));
    fe.vu = fe.con->vhost;
    fe_connect();
    fe_negotiate(PACKED);
    cr_assert_eq(fe_memory(FE_GUEST), 0);
    fe_start_ring(1, 5, base);
    cr_assert_eq(vdf_test_file_read(data, text, sizeof(text)), 4);
    cr_assert_arr_eq(text, "cdef", 4);
    cr_assert(packed_used(1, 4, 1));
    vdf_test_close(data);
}

Test(vhost_user_state, the_pool_is_not_offered)
{
    uint64_t value;

    cr_assert_eq(vdf_test_write(CON "reset", "1"), 0);
    cr_assert_eq(vdf_test_write(CON "dma_mem", "1"), 0);
    fe_start();
    cr_assert_eq(fe_ask(VDF_VU_GET_FEATURES, NULL, 0, NULL, 0, &value, 8), 8);
    cr_assert_not(value & VDF_CONSOLE_F_DMA_MEM);
}

static void refused_state(const char *from, const char *to, const char *why)
{
    char *state = strdup(vdf_test_read(CON "state"));
    char *edited = calloc(1, strlen(state) + 4096);
    char *at = strstr(state, from), *sum;

    cr_assert(at, "no \"%s\" in the state", from);
    sprintf(edited, "%.*s%s%s", (int)(at - state), state, to, at + strlen(from));
    sum = strstr(edited, "checksum = ");
    strcpy(sum, "checksum = none\n");
    cr_assert_lt(vdf_test_write(CON "state", edited), 0, "%s was taken", to);
    fe_last_error(why);
    free(edited);
    free(state);
}

Test(vhost_user_state, nonsense_is_refused)
{
    char line[64];

    fe_start();
    fe_up();
    snprintf(line, sizeof(line), "vhost_user = %s", fe.path);
    refused_state(line, "vhost_user = ", "when and only when");
    refused_state(line, "vhost_user = relative", "absolute");
    refused_state("driver = vhost-user", "driver = soft", "when and only when");
    refused_state("max_ports = 31", "max_ports = 200", "at most 127");
    refused_state("driver_before = soft", "driver_before = vm", "0 to 1");
    refused_state("queues/0/size = 16", "queues/0/size = 2048", "a power of two up to 1024");
    refused_state("queues/0/size = 16", "queues/0/size = 15", "a power of two");
}

/* The connection is not state, all that it led to is. */
Test(vhost_user_state, saved_restored_saved)
{
    char *state;

    fe_start();
    fe_up();
    fe_control(VDF_CONSOLE_BAD_ID, VDF_CONSOLE_DEVICE_READY, 1);
    fe_control(0, VDF_CONSOLE_PORT_READY, 1);
    fe_control(0, VDF_CONSOLE_PORT_OPEN, 1);
    state = strdup(vdf_test_read(CON "state"));
    cr_assert_eq(vdf_test_write(CON "state", state), 0, "%s", vdf_test_last_error());
    cr_assert_str_eq(vdf_test_read(CON "state"), state);
    free(state);
    fe.con = vdf_obj_priv(vdf_test_obj("console/con0"));
    fe.vu = fe.con->vhost;
    cr_assert_eq(fe_reply(NULL, 0), FE_CLOSED);
    close(fe.sock);

    /* A queue of the state is not used before the front end has come back. */
    cr_assert_str_eq(vdf_test_read(CON "queues/0/ready"), "1");
    cr_assert_null(vdf_console_live(fe.con, 0));
    fe_connect();
    cr_assert_str_eq(vdf_test_read(CON "queues/0/ready"), "0");
    fe_negotiate(FE_FEATURES);
    cr_assert_eq(fe_memory(FE_GUEST), 0);
    for (uint32_t i = 0; i < FE_RINGS; i++)
        fe_start_ring(i, 16, fe_used(i));
    cr_assert_eq(vdf_test_read_u64(CON "ports/0/guest_connected"), 1);
    fe_control(0, VDF_CONSOLE_PORT_OPEN, 0);
    cr_assert_eq(vdf_test_read_u64(CON "ports/0/guest_connected"), 0);
}

/* --- memory of others --------------------------------------------------------------------------
 */

Test(vhost_user_state, import_of_parts_of_a_file)
{
    struct vdf_import import, other;
    int fd = memfd_create("import", 0);
    char byte = 'x';

    cr_assert_eq(ftruncate(fd, 0x10000), 0);
    cr_assert_eq(pwrite(fd, &byte, 1, 0x1234), 1);
    cr_assert_eq(vdf_import_open(&import, fd, 0x1234, 0x100, true, NULL), 0);
    cr_assert_eq(vdf_import_open(&other, fd, 0, 0x1000, true, NULL), 0);
    cr_assert_eq(*(char *)vdf_memory_at(&import.mem, 0, 1), 'x');
    cr_assert(vdf_memory_at(&import.mem, 0, 0x100));
    cr_assert_null(vdf_memory_at(&import.mem, 0, 0x101));
    *(char *)vdf_memory_at(&import.mem, 1, 1) = 'y';
    cr_assert_eq(pread(fd, &byte, 1, 0x1235), 1);
    cr_assert_eq(byte, 'y');

    cr_assert_eq(ftruncate(fd, 0x1000), 0);
    cr_assert_not(vdf_import_lost(&import));
    cr_assert_eq(*(volatile char *)vdf_memory_at(&import.mem, 0, 1), 0);
    cr_assert(vdf_import_lost(&import));
    *(volatile char *)vdf_memory_at(&import.mem, 0xff, 1) = 1;
    *(volatile char *)vdf_memory_at(&other.mem, 0, 1) = 1;
    cr_assert_not(vdf_import_lost(&other));
    vdf_import_close(&import);
    vdf_import_close(&import);
    vdf_import_close(&other);
    close(fd);
}

Test(vhost_user_state, imports_that_are_refused)
{
    struct vdf_import import;
    int fd = memfd_create("import", 0);
    char path[64];
    int readonly;

    cr_assert_eq(ftruncate(fd, 0x10000), 0);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    readonly = open(path, 0);
    cr_assert_eq(vdf_import_open(&import, readonly, 0, 0x1000, true, NULL), -EACCES);
    cr_assert_eq(vdf_import_open(&import, fd, 0, 0, true, NULL), -EINVAL);
    cr_assert_eq(vdf_import_open(&import, fd, 0, 0x10001, true, NULL), -EINVAL);
    cr_assert_eq(vdf_import_open(&import, fd, 0xffff, 2, true, NULL), -EINVAL);
    cr_assert_eq(vdf_import_open(&import, fd, UINT64_MAX, 2, true, NULL), -EINVAL);
    cr_assert_eq(vdf_import_open(&import, fd, 2, UINT64_MAX, true, NULL), -EINVAL);
    cr_assert_eq(vdf_import_open(&import, -1, 0, 1, true, NULL), -EBADF);
    close(readonly);
    close(fd);
}

/* A container's root is an overlay, which has no disk of its own. */
Test(vhost_user_state, import_of_a_file_on_overlayfs)
{
    struct vdf_import import;
    char dir[] = "/tmp/vdf-overlay.XXXXXX", options[256];

    cr_assert(mkdtemp(dir));
    if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("none", dir, "tmpfs", 0, NULL) || chdir(dir)) {
        rmdir(dir);
        skip_test("no mounts here: %s", strerror(errno));
    }
    cr_assert(!mkdir("lower", 0700) && !mkdir("upper", 0700) && !mkdir("work", 0700) &&
              !mkdir("merged", 0700));
    snprintf(options, sizeof(options), "lowerdir=%s/lower,upperdir=%s/upper,workdir=%s/work", dir,
             dir, dir);
    int ret = mount("none", "merged", "overlay", 0, options) ? -errno : 0;
    if (ret == 0) {
        int fd = open("merged/memory", O_RDWR | O_CREAT, 0600);
        cr_assert_eq(ftruncate(fd, 0x1000), 0);
        cr_assert_eq(vdf_import_open(&import, fd, 0, 0x1000, true, NULL), 0);
        vdf_import_close(&import);
        close(fd);
        umount("merged");
    }
    cr_assert_eq(chdir("/"), 0);
    umount(dir);
    rmdir(dir);
    if (ret)
        skip_test("no overlayfs here: %s", strerror(-ret));
}

Test(vhost_user_state, imports_have_a_limit)
{
    enum { MOST = 4096 };
    struct vdf_import *imports = calloc(MOST + 1, sizeof(*imports));
    int fd = memfd_create("import", 0);

    cr_assert_eq(ftruncate(fd, 0x1000), 0);
    for (unsigned i = 0; i < MOST; i++)
        cr_assert_eq(vdf_import_open(&imports[i], fd, 0, 0x1000, true, NULL), 0);
    cr_assert_eq(vdf_import_open(&imports[MOST], fd, 0, 0x1000, true, NULL), -ENOSPC);
    vdf_import_close(&imports[17]);
    cr_assert_eq(vdf_import_open(&imports[17], fd, 0, 0x1000, true, NULL), 0);
    for (unsigned i = 0; i < MOST; i++)
        vdf_import_close(&imports[i]);
    free(imports);
    close(fd);
}
