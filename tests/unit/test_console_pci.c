/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The console as a modern virtio device on PCI, for a guest with two regions of memory. The register
 * sequences are those of Linux: drivers/virtio/virtio_pci_modern*.c with virtio_console on top.
 */
#include <virtdevfs/guest.h>

#include "test_console.h"
#include "tests/random.h"

/* Rings are in the low region, buffers in the high one. */
#define LOW_SIZE 0x200000u
#define HIGH UINT64_C(0x100000000)
#define HIGH_SIZE 0x100000u
#define NUM 16u
#define RING_STEP 0x1000u
#define BUFFER(q, n) (HIGH + ((q)*NUM + (n)) * 0x400u)
#define QUEUES 6u
#define NONE 0xffffu

static struct vdf_memory low, high, small;
static struct vdf_region regions[2];
static struct vdf_space space, no_space;
static struct vdf_obj *con;
static char machine;
static unsigned rises, falls, messages[128];
static bool line;

/* Offsets from the capabilities. */
static uint64_t common, isr, config, notify;
static uint32_t multiplier;

static struct {
    uint64_t ring; /* 0: not set up */
    unsigned num;
    uint16_t avail, used;
} queues[QUEUES];

static void set_level(void *ctx, bool level)
{
    if (level != line)
        *(level ? &rises : &falls) += 1;
    line = level;
}

static void message(void *ctx, uint64_t address, uint32_t data)
{
    cr_assert_eq(address, 0);
    cr_assert_lt(data, 128);
    messages[data]++;
}

static unsigned all_messages(void)
{
    unsigned n = 0;

    for (unsigned k = 0; k < 128; k++)
        n += messages[k];
    return n;
}

static const struct vdf_guest_ops *ops(void)
{
    return vdf_obj_class(con)->guest;
}

static struct vdf_err refusal;

static int attach(uint32_t part, bool fresh)
{
    const struct vdf_guest guest = {
        .machine = &machine,
        .space = &space,
        .irq = { .set_level = set_level, .message = message },
        .remote = true,
    };

    return vdf_guest_attach(con, part, &guest, fresh, &refusal);
}

static void two_regions(void)
{
    regions[0] = (struct vdf_region){ .len = LOW_SIZE, .mem = &low };
    regions[1] = (struct vdf_region){ .addr = HIGH, .len = HIGH_SIZE, .mem = &high };
    space = (struct vdf_space){ .n = 2, .regions = regions };
}

static void set_up(void)
{
    vdf_test_tree(false);
    vdf_memory_init(&low, "low", LOW_SIZE);
    vdf_memory_init(&high, "high", HIGH_SIZE);
    vdf_memory_init(&small, "small", 0x8000);
    two_regions();
    con = vdf_test_obj("console/con0");
    rises = falls = 0;
    line = false;
    memset(messages, 0, sizeof(messages));
    memset(queues, 0, sizeof(queues));
}

static void tear_down(void)
{
    vdf_test_tree_free();
    vdf_memory_free(&low);
    vdf_memory_free(&high);
    vdf_memory_free(&small);
}

TestSuite(console_pci, .init = set_up, .fini = tear_down);

/* --- registers -------------------------------------------------------------------------------- */

static uint64_t load(uint64_t offset, unsigned width)
{
    struct vdf_err err = { 0 };
    uint64_t value = 0;

    cr_assert_eq(vdf_guest_read(con, VDF_CONSOLE_PART_PCI, offset, width, &value, &err), 0,
                 "0x%x: %s", (unsigned)offset, err.text);
    return value;
}

static void store(uint64_t offset, unsigned width, uint64_t value)
{
    struct vdf_err err = { 0 };

    cr_assert_eq(vdf_guest_write(con, VDF_CONSOLE_PART_PCI, offset, width, value, &err), 0,
                 "0x%x: %s", (unsigned)offset, err.text);
}

/* Members of struct virtio_pci_modern_common_cfg. */
enum {
    DEVICE_FEATURE_SELECT = 0,
    DEVICE_FEATURE = 4,
    GUEST_FEATURE_SELECT = 8,
    GUEST_FEATURE = 12,
    MSIX_CONFIG = 16,
    NUM_QUEUES = 18,
    DEVICE_STATUS = 20,
    CONFIG_GENERATION = 21,
    QUEUE_SELECT = 22,
    QUEUE_SIZE = 24,
    QUEUE_MSIX_VECTOR = 26,
    QUEUE_ENABLE = 28,
    QUEUE_NOTIFY_OFF = 30,
    QUEUE_DESC = 32,
    QUEUE_AVAIL = 40,
    QUEUE_USED = 48,
    QUEUE_NOTIFY_DATA = 56,
    QUEUE_RESET = 58,
};

static uint32_t le32(const uint8_t *at)
{
    return at[0] | at[1] << 8 | at[2] << 16 | (uint32_t)at[3] << 24;
}

/* vp_modern_probe(): the capabilities, and what the driver wants of them. */
static void probe_capabilities(void)
{
    struct vdf_guest_function fn;
    unsigned seen = 0;

    cr_assert_eq(ops()->function(con, 0, &fn, NULL), 0);
    cr_assert_eq(fn.vendor, 0x1af4);
    cr_assert_geq(fn.device, 0x1040);
    uint64_t size = vdf_guest_size(con, fn.part);
    cr_assert_eq(size & (size - 1), 0);
    for (unsigned k = 0; k < fn.n_capabilities; k++) {
        const struct vdf_guest_capability *cap = &fn.capabilities[k];
        uint32_t offset = le32(cap->body + 6), length = le32(cap->body + 10);

        cr_assert_eq(cap->id, 9);
        cr_assert_eq(cap->body[0], cap->len + 2);
        cr_assert_eq(cap->body[2], 0);
        cr_assert_leq(offset + (uint64_t)length, size);
        cr_assert_eq(cap->access, cap->body[1] == 5);
        seen |= 1u << cap->body[1];
        switch (cap->body[1]) {
        case 1:
            cr_assert_geq(length, QUEUE_RESET + 2);
            common = offset;
            break;
        case 2:
            cr_assert_eq(cap->len, 18);
            multiplier = le32(cap->body + 14);
            notify = offset;
            break;
        case 3:
            cr_assert_geq(length, 1);
            isr = offset;
            break;
        case 4:
            cr_assert_geq(length, 12);
            config = offset;
            break;
        default:
            cr_assert_eq(cap->len, 18);
            break;
        }
    }
    cr_assert_eq(seen, 0x3e);
}

static uint64_t get(unsigned member, unsigned width)
{
    return load(common + member, width);
}

static void set(unsigned member, unsigned width, uint64_t value)
{
    store(common + member, width, value);
}

/* vp_iowrite64_twopart() */
static void set_address(unsigned member, uint64_t addr)
{
    set(member, 4, (uint32_t)addr);
    set(member + 4, 4, addr >> 32);
}

static void add_status(uint8_t bits)
{
    set(DEVICE_STATUS, 1, get(DEVICE_STATUS, 1) | bits);
}

/* --- rings ------------------------------------------------------------------------------------ */

static uint8_t *at(uint64_t addr, uint64_t len)
{
    uint8_t *p = vdf_memory_at(addr >= HIGH ? &high : &low, addr >= HIGH ? addr - HIGH : addr, len);

    cr_assert(p, "0x%lx", (unsigned long)addr);
    return p;
}

static uint64_t ring_of(unsigned q)
{
    return 0x10000 + q * (uint64_t)RING_STEP;
}

static void kick(unsigned q)
{
    store(notify + q * (uint64_t)multiplier, 2, q);
}

static void make_available(unsigned q, unsigned n, uint32_t len, uint16_t flags)
{
    uint8_t *desc = at(queues[q].ring + n * 16, 16);
    unsigned num = queues[q].num;

    vdf_store_le64(desc, BUFFER(q, n));
    vdf_store_le32(desc + 8, len);
    vdf_store_le16(desc + 12, flags);
    vdf_store_le16(at(queues[q].ring + 0x404 + queues[q].avail % num * 2, 2), (uint16_t)n);
    vdf_store_le16(at(queues[q].ring + 0x402, 2), ++queues[q].avail);
}

/* The next used buffer; -1: none. */
static int get_used(unsigned q, uint32_t *len)
{
    const uint8_t *elem = at(queues[q].ring + 0x804 + queues[q].used % queues[q].num * 8, 8);

    if (vdf_load_le16(at(queues[q].ring + 0x802, 2)) == queues[q].used)
        return -1;
    queues[q].used++;
    *len = vdf_load_le32(elem + 4);
    return (int)vdf_load_le32(elem);
}

static void send_to_host(unsigned q, const void *bytes, uint32_t n)
{
    unsigned slot = queues[q].avail % queues[q].num;

    memcpy(at(BUFFER(q, slot), n), bytes, n);
    make_available(q, slot, n, 0);
}

static void send_message(uint32_t id, uint16_t event, uint16_t value)
{
    struct vdf_console_control control = { htole32(id), htole16(event), htole16(value) };
    uint32_t len;

    send_to_host(VDF_CONSOLE_CONTROL_TXQ, &control, sizeof(control));
    kick(VDF_CONSOLE_CONTROL_TXQ);
    cr_assert_geq(get_used(VDF_CONSOLE_CONTROL_TXQ, &len), 0, "the driver spins for ever");
}

static void fill_queue(unsigned q)
{
    for (unsigned n = 0; n < queues[q].num; n++)
        make_available(q, n, 0x400, VDF_VQ_DESC_WRITE);
    kick(q);
}

/* --- the driver ------------------------------------------------------------------------------- */

static void negotiate(uint64_t wanted)
{
    uint64_t offered;

    set(DEVICE_STATUS, 1, 0);
    cr_assert_eq(get(DEVICE_STATUS, 1), 0);
    add_status(1);
    add_status(2);
    set(DEVICE_FEATURE_SELECT, 4, 0);
    offered = get(DEVICE_FEATURE, 4);
    set(DEVICE_FEATURE_SELECT, 4, 1);
    offered |= get(DEVICE_FEATURE, 4) << 32;
    cr_assert_eq(wanted & ~offered, 0);
    set(GUEST_FEATURE_SELECT, 4, 0);
    set(GUEST_FEATURE, 4, (uint32_t)wanted);
    set(GUEST_FEATURE_SELECT, 4, 1);
    set(GUEST_FEATURE, 4, wanted >> 32);
    cr_assert_eq(get(GUEST_FEATURE, 4), wanted >> 32);
    add_status(8);
    cr_assert_eq(get(DEVICE_STATUS, 1), 0x0b);
}

/* setup_vq() and vp_active_vq(). */
static void set_up_queue(unsigned q, uint64_t ring, unsigned num, uint16_t vector)
{
    set(QUEUE_SELECT, 2, q);
    cr_assert_geq(get(QUEUE_SIZE, 2), num);
    cr_assert_eq(get(QUEUE_ENABLE, 2), 0);
    memset(at(ring, RING_STEP), 0, RING_STEP);
    queues[q].ring = ring;
    queues[q].num = num;
    queues[q].avail = queues[q].used = 0;
    set(QUEUE_SIZE, 2, num);
    set_address(QUEUE_DESC, ring);
    set_address(QUEUE_AVAIL, ring + 0x400);
    set_address(QUEUE_USED, ring + 0x800);
    cr_assert_eq(get(QUEUE_DESC, 8), ring);
    if (vector != NONE) {
        set(QUEUE_MSIX_VECTOR, 2, vector);
        cr_assert_eq(get(QUEUE_MSIX_VECTOR, 2), vector);
    }
    cr_assert_eq(get(QUEUE_NOTIFY_OFF, 2), q);
}

/* vp_modern_find_vqs() enables the queues when all of them are set up. */
static void find_queues(unsigned n, bool msix)
{
    if (msix) {
        set(MSIX_CONFIG, 2, 0);
        cr_assert_eq(get(MSIX_CONFIG, 2), 0);
    }
    for (unsigned q = 0; q < n; q++)
        set_up_queue(q, ring_of(q), NUM, msix ? (uint16_t)(1 + q) : NONE);
    for (unsigned q = 0; q < n; q++) {
        set(QUEUE_SELECT, 2, q);
        set(QUEUE_ENABLE, 2, 1);
        cr_assert_eq(get(QUEUE_ENABLE, 2), 1);
    }
}

static void probe(uint64_t features, bool msix)
{
    probe_capabilities();
    negotiate(features);
    find_queues(features & VDF_CONSOLE_F_MULTIPORT ? QUEUES : 2, msix);
    add_status(4);
    is(CON "status", "0x0f");
}

/* Attach, and probe a device with one port. */
static void probe_one_port(bool msix)
{
    cr_assert_eq(attach(VDF_CONSOLE_PART_PCI, true), 0);
    put(P0 "overflow", "hold");
    probe(VDF_CONSOLE_F_VERSION_1 | VDF_CONSOLE_F_SIZE | VDF_CONSOLE_F_RING_RESET, msix);
    fill_queue(0);
}

/* --- the function ----------------------------------------------------------------------------- */

Test(console_pci, function)
{
    struct vdf_guest_function fn;

    cr_assert_eq(ops()->function(con, 0, &fn, NULL), 0);
    cr_assert_eq(fn.device, 0x1043);
    cr_assert_eq(fn.subsystem_vendor, 0x1af4);
    cr_assert_eq(fn.subsystem, 0x1100);
    cr_assert_eq(fn.class_code, 0x078000);
    cr_assert_eq(fn.revision, 1);
    cr_assert_eq(fn.vectors, 65);
    cr_assert(fn.has_bar && !fn.header);
    cr_assert_eq(fn.part, VDF_CONSOLE_PART_PCI);
    cr_assert_eq(vdf_guest_size(con, fn.part), 0x4000);
    probe_capabilities();

    put(CON "reset", "1");
    put(CON "driver", "none");
    put(CON "device", "rproc-serial");
    cr_assert_eq(ops()->function(con, 0, &fn, NULL), 0);
    cr_assert_eq(fn.device, 0x104b);
    cr_assert_eq(fn.vectors, 3);
}

Test(console_pci, parts)
{
    uint32_t part;

    cr_assert_eq(ops()->part(con, "", &part, NULL), 0);
    cr_assert_eq(part, VDF_CONSOLE_PART_MMIO);
    cr_assert_eq(ops()->part(con, "pci", &part, NULL), 0);
    cr_assert_eq(part, VDF_CONSOLE_PART_PCI);
    cr_assert_eq(ops()->part(con, "pci/", &part, NULL), -ENODEV);
    cr_assert_eq(ops()->part(con, "ports/1", &part, NULL), -ENODEV);
    struct vdf_guest_function fn;
    cr_assert_eq(ops()->function(con, VDF_CONSOLE_PART_PCI, &fn, NULL), -EINVAL);
}

/* As many ports as Linux takes have more queues than 16 bits count. */
Test(console_pci, more_queues_than_the_registers_number)
{
    struct vdf_guest_function fn;

    put(CON "reset", "1");
    put(CON "driver", "none");
    put(CON "max_ports", "32767");
    cr_assert_eq(ops()->function(con, 0, &fn, &refusal), -EINVAL);
    cr_assert(strstr(refusal.text, "at most 32766"), "%s", refusal.text);
    cr_assert_eq(attach(VDF_CONSOLE_PART_PCI, true), -EINVAL);
    cr_assert_eq(attach(VDF_CONSOLE_PART_MMIO, true), 0);
    vdf_guest_detach(con, VDF_CONSOLE_PART_MMIO);
    put(CON "max_ports", "32766");
    cr_assert_eq(ops()->function(con, 0, &fn, NULL), 0);
    cr_assert_eq(fn.vectors, 2048);
    cr_assert_eq(vdf_guest_size(con, fn.part), 0x80000);
    cr_assert_eq(attach(VDF_CONSOLE_PART_PCI, true), 0);
    probe_capabilities();
    cr_assert_eq(get(NUM_QUEUES, 2), 65534);
    set(QUEUE_SELECT, 2, 65533);
    cr_assert_eq(get(QUEUE_SIZE, 2), 64);
    set(QUEUE_MSIX_VECTOR, 2, 2048);
    cr_assert_eq(get(QUEUE_MSIX_VECTOR, 2), NONE);
    set(QUEUE_MSIX_VECTOR, 2, 2047);
    cr_assert_eq(get(QUEUE_MSIX_VECTOR, 2), 2047);
}

Test(console_pci, one_guest_at_a_time)
{
    cr_assert_eq(attach(VDF_CONSOLE_PART_PCI, true), 0);
    is(CON "driver", "pci");
    cr_assert_eq(attach(VDF_CONSOLE_PART_PCI, true), -EBUSY);
    cr_assert_eq(attach(VDF_CONSOLE_PART_MMIO, true), -EBUSY);
    refused(CON "driver", "soft", EBUSY, "attached to a PCI function");
    refused(CON "vhost_user", "/tmp/console", EBUSY, "driver is pci");
    refused(CON "device", "rproc-serial", EBUSY, "driver is pci");
    refused(CON "max_ports", "3", EBUSY, "driver is pci");
    put(CON "max_ports", "31");
    refused(CON "features", "0x0000010930000005", EBUSY, "driver is pci");
    put(CON "features", "0x0000000930000007");
    vdf_guest_detach(con, VDF_CONSOLE_PART_PCI);
    is(CON "driver", "none");
    refused(CON "driver", "pci", EINVAL, "write soft or none");
    cr_assert_eq(attach(VDF_CONSOLE_PART_MMIO, true), 0);
    cr_assert_eq(attach(VDF_CONSOLE_PART_PCI, true), -EBUSY);
    is(CON "driver", "vm");
    vdf_guest_detach(con, VDF_CONSOLE_PART_MMIO);
    put(CON "driver", "soft");
    is(CON "status", "0x0f");
}

/* --- Linux ------------------------------------------------------------------------------------ */

/* Handle the messages of the device, as control_work_handler() does. Return: their number. */
static unsigned control_work(void)
{
    struct vdf_console_control control;
    uint32_t len;
    unsigned count = 0;
    int n;

    while ((n = get_used(VDF_CONSOLE_CONTROL_RXQ, &len)) >= 0) {
        memcpy(&control, at(BUFFER(VDF_CONSOLE_CONTROL_RXQ, (unsigned)n), len), sizeof(control));
        count++;
        if (le16toh(control.event) == VDF_CONSOLE_PORT_ADD) {
            fill_queue(vdf_console_rxq(le32toh(control.id)));
            send_message(le32toh(control.id), VDF_CONSOLE_PORT_READY, 1);
        } else if (le16toh(control.event) == VDF_CONSOLE_CONSOLE_PORT) {
            send_message(le32toh(control.id), VDF_CONSOLE_PORT_OPEN, 1);
        }
        make_available(VDF_CONSOLE_CONTROL_RXQ, (unsigned)n, 0x400, VDF_VQ_DESC_WRITE);
        kick(VDF_CONSOLE_CONTROL_RXQ);
    }
    return count;
}

Test(console_pci, linux_with_msix)
{
    struct vdf_test_file *data;

    cr_assert_eq(attach(VDF_CONSOLE_PART_PCI, true), 0);
    probe(VDF_CONSOLE_F_VERSION_1 | VDF_CONSOLE_F_MULTIPORT | VDF_CONSOLE_F_SIZE, true);
    is(CON "queues/3/msix_vector", "0x0004");
    is(CON "queues/6/msix_vector", "0xffff");
    cr_assert_eq(load(config + 4, 4), 31);
    fill_queue(VDF_CONSOLE_CONTROL_RXQ);
    send_message(VDF_CONSOLE_BAD_ID, VDF_CONSOLE_DEVICE_READY, 1);
    cr_assert_eq(messages[3], 1, "%u", messages[3]);
    while (control_work())
        ;
    is(P0 "guest_connected", "1");

    /* One message for the two buffers that the data takes. */
    data = opened(P0 "data", O_RDWR);
    memset(messages, 0, sizeof(messages));
    char text[0x500];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    send_text(data, text);
    cr_assert_eq(messages[1], 1, "%u", messages[1]);
    uint32_t len;
    cr_assert_eq(get_used(0, &len), 0);
    cr_assert_eq(len, 0x400);
    cr_assert_eq(*at(BUFFER(0, 0), 1), 'x');
    cr_assert_eq(get_used(0, &len), 1);
    cr_assert_eq(len, 0xff);

    memset(messages, 0, sizeof(messages));
    send_to_host(1, "hello", 5);
    kick(1);
    got(data, "hello");
    cr_assert_eq(messages[2], 1);
    cr_assert_eq(all_messages(), 1);
    vdf_test_close(data);
    cr_assert_eq(falls, 0);

    /* vp_del_vqs(), vp_reset() */
    set(MSIX_CONFIG, 2, NONE);
    set(DEVICE_STATUS, 1, 0);
    cr_assert_eq(get(DEVICE_STATUS, 1), 0);
    set(QUEUE_SELECT, 2, 1);
    cr_assert_eq(get(QUEUE_MSIX_VECTOR, 2), NONE);
    cr_assert_eq(get(QUEUE_ENABLE, 2), 0);
    cr_assert_eq(get(QUEUE_DESC, 8), 0);
    cr_assert_eq(get(QUEUE_SIZE, 2), 64);
    cr_assert(!line);
}

Test(console_pci, linux_with_intx)
{
    struct vdf_test_file *data = opened(P0 "data", O_RDWR);

    probe_one_port(false);
    cr_assert(!line);
    send_text(data, "down");
    cr_assert_eq(rises, 1);
    send_text(data, "down");
    cr_assert_eq(rises, 1);
    /* vp_interrupt() */
    cr_assert_eq(load(isr, 1), VDF_CONSOLE_INT_USED);
    cr_assert_eq(falls, 1);
    cr_assert_eq(load(isr, 1), 0);
    uint32_t len;
    cr_assert_eq(get_used(0, &len), 0);
    cr_assert_eq(get_used(0, &len), 1);
    cr_assert_eq(get_used(0, &len), -1);

    send_to_host(1, "up", 2);
    kick(1);
    got(data, "up");
    put(CON "size", "80 25");
    cr_assert_eq(rises, 2);
    cr_assert_eq(load(isr, 1), VDF_CONSOLE_INT_USED | VDF_CONSOLE_INT_CONFIG);
    cr_assert_eq(all_messages(), 0);
    /* Looking at the file of the window changes nothing. */
    put(CON "size", "80 26");
    static uint8_t copy[0x4000];
    cr_assert_eq(vdf_test_pread(CON "pci/regs", copy, sizeof(copy), 0), sizeof(copy));
    cr_assert_eq(copy[0x1000], VDF_CONSOLE_INT_CONFIG);
    cr_assert_eq(load(isr, 1), VDF_CONSOLE_INT_CONFIG);
    vdf_test_close(data);
}

/* virtio_cread() of a size, and config_work_handler(). */
Test(console_pci, configuration_changes)
{
    probe_one_port(true);
    uint8_t generation = (uint8_t)get(CONFIG_GENERATION, 1);
    put(CON "size", "80 25");
    cr_assert_eq(messages[0], 1);
    cr_assert_eq(all_messages(), 1);
    cr_assert_neq(get(CONFIG_GENERATION, 1), generation);
    cr_assert_eq(load(config, 2), 80);
    cr_assert_eq(load(config + 2, 2), 25);
    cr_assert_eq(load(config, 1), 80);
    cr_assert_eq(load(config + 2, 1), 25);
    cr_assert_eq(load(config, 4), 25 << 16 | 80);
    cr_assert_eq(load(config, 8), UINT64_C(31) << 32 | 25 << 16 | 80);
    cr_assert_eq(load(config + 1, 2), 25 << 8);
    cr_assert_eq(load(isr, 1) & VDF_CONSOLE_INT_CONFIG, VDF_CONSOLE_INT_CONFIG);
    set(MSIX_CONFIG, 2, NONE);
    put(CON "size", "80 26");
    cr_assert_eq(all_messages(), 1);
}

Test(console_pci, no_interrupt_before_driver_ok)
{
    cr_assert_eq(attach(VDF_CONSOLE_PART_PCI, true), 0);
    probe_capabilities();
    negotiate(VDF_CONSOLE_F_VERSION_1);
    find_queues(2, true);
    put(CON "size", "80 25");
    cr_assert_eq(all_messages() + rises, 0);
}

Test(console_pci, vectors_that_do_not_exist)
{
    cr_assert_eq(attach(VDF_CONSOLE_PART_PCI, true), 0);
    probe_capabilities();
    static const uint16_t vectors[] = { 65, 66, 0x7fff, 0xfffe, 0xffff };
    for (size_t k = 0; k < sizeof(vectors) / sizeof(vectors[0]); k++) {
        set(MSIX_CONFIG, 2, 64);
        cr_assert_eq(get(MSIX_CONFIG, 2), 64);
        set(MSIX_CONFIG, 2, vectors[k]);
        cr_assert_eq(get(MSIX_CONFIG, 2), NONE);
        set(QUEUE_MSIX_VECTOR, 2, 64);
        cr_assert_eq(get(QUEUE_MSIX_VECTOR, 2), 64);
        set(QUEUE_MSIX_VECTOR, 2, vectors[k]);
        cr_assert_eq(get(QUEUE_MSIX_VECTOR, 2), NONE);
    }
    /* A queue that does not exist has none. */
    set(QUEUE_SELECT, 2, 64);
    set(QUEUE_MSIX_VECTOR, 2, 1);
    cr_assert_eq(get(QUEUE_MSIX_VECTOR, 2), NONE);
    cr_assert_eq(get(QUEUE_SIZE, 2), 0);
    set(QUEUE_ENABLE, 2, 1);
    cr_assert_eq(get(QUEUE_ENABLE, 2), 0);
}

/* A driver may leave the size as it is, and share a vector. */
Test(console_pci, sizes_that_are_not_written)
{
    struct vdf_test_file *data = opened(P0 "data", O_RDWR);

    cr_assert_eq(attach(VDF_CONSOLE_PART_PCI, true), 0);
    probe_capabilities();
    negotiate(VDF_CONSOLE_F_VERSION_1);
    for (unsigned q = 0; q < 2; q++) {
        set(QUEUE_SELECT, 2, q);
        queues[q].ring = ring_of(q);
        queues[q].num = 64;
        set(QUEUE_DESC, 8, ring_of(q));
        set(QUEUE_AVAIL, 8, ring_of(q) + 0x400);
        set(QUEUE_USED, 8, ring_of(q) + 0x800);
        set(QUEUE_MSIX_VECTOR, 2, 1);
        set(QUEUE_ENABLE, 2, 0);
        cr_assert_eq(get(QUEUE_ENABLE, 2), 0);
        cr_assert(strstr(vdf_test_last_error(), "queue_enable 0"), "%s", vdf_test_last_error());
        set(QUEUE_ENABLE, 2, 1);
        cr_assert_eq(get(QUEUE_ENABLE, 2), 1);
        set(QUEUE_SIZE, 2, 8);
        cr_assert_eq(get(QUEUE_SIZE, 2), 64);
    }
    add_status(4);
    make_available(0, 0, 16, VDF_VQ_DESC_WRITE);
    kick(0);
    send_text(data, "down");
    cr_assert_eq(messages[1], 1);
    vdf_test_close(data);
}

/* vp_modern_disable_vq_and_reset() and vp_modern_enable_vq_after_reset(). */
Test(console_pci, reset_of_a_queue)
{
    struct vdf_test_file *data = opened(P0 "data", O_RDWR);

    probe_one_port(true);
    send_text(data, "before");
    set(QUEUE_SELECT, 2, 0);
    set(QUEUE_RESET, 2, 1);
    cr_assert_eq(get(QUEUE_RESET, 2), 0);
    cr_assert_eq(get(QUEUE_ENABLE, 2), 0);
    cr_assert_eq(get(QUEUE_SIZE, 2), 64);
    cr_assert_eq(get(QUEUE_MSIX_VECTOR, 2), NONE);
    is(CON "queues/1/ready", "1");
    cr_assert_eq(vdf_test_file_write(data, "x", 1), -EAGAIN);
    memset(messages, 0, sizeof(messages));

    set_up_queue(0, ring_of(8), 8, 5);
    set(QUEUE_ENABLE, 2, 1);
    fill_queue(0);
    send_text(data, "after");
    cr_assert_eq(messages[5], 1);
    uint32_t len;
    cr_assert_eq(get_used(0, &len), 0);
    cr_assert_arr_eq(at(BUFFER(0, 0), 5), "after", 5);
    vdf_test_close(data);
}

Test(console_pci, reset_of_a_queue_that_is_not_negotiated)
{
    cr_assert_eq(attach(VDF_CONSOLE_PART_PCI, true), 0);
    probe(VDF_CONSOLE_F_VERSION_1, true);
    set(QUEUE_SELECT, 2, 0);
    set(QUEUE_RESET, 2, 1);
    cr_assert_eq(get(QUEUE_ENABLE, 2), 1);
}

Test(console_pci, reset_of_the_function)
{
    struct vdf_test_file *data = opened(P0 "data", O_RDWR);

    probe_one_port(true);
    send_text(data, "down");
    cr_assert(line);
    ops()->reset(con, VDF_CONSOLE_PART_PCI);
    cr_assert(!line);
    is(CON "status", "0x00");
    is(CON "driver", "pci");
    cr_assert_eq(get(MSIX_CONFIG, 2), NONE);
    probe(VDF_CONSOLE_F_VERSION_1, false);
    vdf_test_close(data);
}

Test(console_pci, doorbells)
{
    struct vdf_guest_doorbell doorbells[128];
    struct vdf_test_file *data = opened(P0 "data", O_RDWR);

    probe_one_port(true);
    cr_assert_eq(ops()->doorbells(con, VDF_CONSOLE_PART_PCI, doorbells, 128), 64);
    for (unsigned q = 0; q < 64; q++) {
        cr_assert_eq(doorbells[q].offset, notify + q * (uint64_t)multiplier);
        cr_assert_eq(doorbells[q].width, 2);
        cr_assert_eq(doorbells[q].data, q);
    }
    cr_assert_eq(ops()->doorbells(con, VDF_CONSOLE_PART_PCI, doorbells, 5), 5);
    send_to_host(1, "up", 2);
    ops()->ring(con, VDF_CONSOLE_PART_PCI, 1);
    got(data, "up");
    cr_assert_eq(messages[2], 1);
    vdf_test_close(data);
}

Test(console_pci, emergency_write)
{
    struct vdf_test_file *data = opened(P0 "data", O_RDWR);

    cr_assert_eq(attach(VDF_CONSOLE_PART_PCI, true), 0);
    probe_capabilities();
    store(config + 8, 4, 'a');
    store(config + 8, 1, 'b');
    store(config + 9, 1, 'c');
    store(config, 2, 80);
    got(data, "ab");
    is(CON "size", "0 0");
    vdf_test_close(data);
}

/* Without a guest the registers are there for the shell. */
Test(console_pci, the_window_as_a_file)
{
    uint64_t value;

    put(CON "driver", "none");
    cr_assert_eq(vdf_test_reg_write(CON "pci/regs", DEVICE_STATUS, 1, 1), 0);
    is(CON "status", "0x01");
    cr_assert_eq(vdf_test_reg_read(CON "pci/regs", NUM_QUEUES, 2, &value), 0);
    cr_assert_eq(value, 64);
    cr_assert_eq(vdf_test_reg_write(CON "regs", VDF_CONSOLE_REG_STATUS, 4, 3), 0);
    cr_assert_eq(vdf_test_reg_read(CON "pci/regs", DEVICE_STATUS, 1, &value), 0);
    cr_assert_eq(value, 3);
    put(CON "driver", "soft");
    put(CON "reset", "1");
    put(CON "driver", "soft");
    is(CON "status", "0x0f");
    cr_assert_eq(vdf_test_reg_write(CON "pci/regs", DEVICE_STATUS, 1, 0), 0);
    is(CON "status", "0x00");
}

/* --- memory that changes ---------------------------------------------------------------------- */

static void use(const struct vdf_space *now)
{
    ops()->memory(con, VDF_CONSOLE_PART_PCI, now);
}

Test(console_pci, a_guest_without_memory_stands_still)
{
    struct vdf_test_file *data = opened(P0 "data", O_RDWR);

    probe_one_port(true);
    use(&no_space);
    send_to_host(1, "up", 2);
    kick(1);
    got(data, "-EAGAIN");
    cr_assert_eq(vdf_test_file_write(data, "down", 4), -EAGAIN);
    is(CON "queues/1/last_avail", "0");
    cr_assert_eq(all_messages(), 0);
    is(CON "status", "0x0f");
    use(&space);
    cr_assert(vdf_test_file_poll(data) & POLLIN);
    got(data, "up");
    send_text(data, "down");
    cr_assert_eq(messages[1], 1);
    cr_assert_eq(messages[2], 1);
    is("errors", "");
    vdf_test_close(data);
}

/* The other queue goes on. */
Test(console_pci, a_queue_without_memory_stands_still)
{
    struct vdf_test_file *data = opened(P0 "data", O_RDWR);

    cr_assert_eq(attach(VDF_CONSOLE_PART_PCI, true), 0);
    put(P0 "overflow", "hold");
    probe_capabilities();
    negotiate(VDF_CONSOLE_F_VERSION_1);
    find_queues(1, true);
    set_up_queue(1, HIGH + 0x80000, NUM, 2);
    set(QUEUE_ENABLE, 2, 1);
    add_status(4);
    fill_queue(0);

    /* Half of the chain has been read. */
    char bytes[4];
    send_to_host(1, "half full", 9);
    kick(1);
    cr_assert_eq(vdf_test_file_read(data, bytes, 4), 4);
    struct vdf_space lower = { .n = 1, .one = regions[0] };
    use(&lower);
    cr_assert(strstr(vdf_test_last_error(), "queue 1"), "%s", vdf_test_last_error());
    cr_assert(strstr(vdf_test_last_error(), "stands still"), "%s", vdf_test_last_error());
    got(data, "-EAGAIN");
    send_to_host(1, "more", 4);
    kick(1);
    put("errors", "\n");
    use(&lower);
    use(&no_space);
    use(&lower);
    is("errors", "");
    is(CON "status", "0x0f");
    is(CON "queues/1/broken", "0");
    use(&space);
    got(data, " fullmore");
    cr_assert_eq(messages[2], 1);
    vdf_test_close(data);
}

/* A driver that moves such a queue to memory that is there goes on. */
Test(console_pci, a_queue_that_moves)
{
    struct vdf_test_file *data = opened(P0 "data", O_RDWR);

    probe_one_port(true);
    struct vdf_space upper = { .n = 1, .one = regions[1] };
    use(&upper);
    cr_assert_eq(vdf_test_reg_write(CON "regs", VDF_CONSOLE_REG_QUEUE_SEL, 4, 0), 0);
    cr_assert_eq(vdf_test_reg_write(CON "regs", VDF_CONSOLE_REG_QUEUE_READY, 4, 0), 0);
    set_up_queue(0, HIGH + 0x80000, NUM, 1);
    set(QUEUE_ENABLE, 2, 1);
    is(CON "status", "0x0f");
    fill_queue(0);
    send_text(data, "down");
    cr_assert_arr_eq(at(BUFFER(0, 0), 4), "down", 4);
    vdf_test_close(data);
}

/* Memory of the guest that another process reads and writes. */
static unsigned remote_accesses;

static int remote_read(void *ctx, uint64_t addr, void *to, size_t n)
{
    remote_accesses++;
    memcpy(to, at(addr, n), n);
    return 0;
}

static int remote_write(void *ctx, uint64_t addr, const void *from, size_t n)
{
    remote_accesses++;
    memcpy(at(addr, n), from, n);
    return 0;
}

Test(console_pci, memory_by_messages)
{
    static const struct vdf_remote_memory remote = { .read = remote_read,
                                                     .write = remote_write,
                                                     .most = 4096 };
    struct vdf_test_file *data = opened(P0 "data", O_RDWR);
    uint32_t len;

    regions[0] = (struct vdf_region){ .len = LOW_SIZE, .remote = &remote };
    regions[1] = (struct vdf_region){ .addr = HIGH, .len = HIGH_SIZE, .remote = &remote };
    remote_accesses = 0;
    probe_one_port(true);
    send_text(data, "down");
    cr_assert_eq(get_used(0, &len), 0);
    cr_assert_arr_eq(at(BUFFER(0, 0), 4), "down", 4);
    send_to_host(1, "up", 2);
    kick(1);
    got(data, "up");
    cr_assert_eq(messages[1], 1);
    cr_assert_eq(messages[2], 1);
    cr_assert_gt(remote_accesses, 10);
    vdf_test_close(data);
}

Test(console_pci, a_ring_outside_of_the_memory)
{
    cr_assert_eq(attach(VDF_CONSOLE_PART_PCI, true), 0);
    probe_capabilities();
    negotiate(VDF_CONSOLE_F_VERSION_1);
    set_up_queue(0, ring_of(0), NUM, NONE);
    set(QUEUE_USED, 8, LOW_SIZE - 8);
    set(QUEUE_ENABLE, 2, 1);
    cr_assert_eq(get(QUEUE_ENABLE, 2), 0);
    cr_assert_eq(get(DEVICE_STATUS, 1), 0x4b);
}

/* The pool is the end of the last region, also where the guest tracks dirty pages. */
Test(console_pci, dma_pool)
{
    _Atomic uint64_t dirty[VDF_DIRTY_WORDS(HIGH_SIZE)] = { 0 };
    uint8_t pages[VDF_DIRTY_WORDS(HIGH_SIZE) * 8];
    struct vdf_test_file *data;

    put(CON "driver", "none");
    put(CON "reset", "1");
    put(CON "device", "rproc-serial");
    cr_assert_eq(attach(VDF_CONSOLE_PART_PCI, true), -EINVAL);
    cr_assert(strstr(refusal.text, "2097152 bytes does not fit into the last region"), "%s",
              refusal.text);
    is(CON "driver", "none");
    put(CON "dma/size", "86016");
    regions[1].dirty = dirty;
    cr_assert_eq(attach(VDF_CONSOLE_PART_PCI, true), 0);
    is(CON "dma/addr", "0x00000001000eb000");
    data = opened(P0 "data", O_RDWR);
    probe_capabilities();
    negotiate(VDF_CONSOLE_F_VERSION_1);
    set_up_queue(0, HIGH + 0xf8000, NUM, NONE);
    set(QUEUE_ENABLE, 2, 1);
    cr_assert_eq(get(QUEUE_ENABLE, 2), 1);
    add_status(4);
    make_available(0, 0, 16, VDF_VQ_DESC_WRITE);
    vdf_store_le64(at(queues[0].ring, 8), HIGH + 0xf9000);
    kick(0);
    send_text(data, "down");
    cr_assert_arr_eq(at(HIGH + 0xf9000, 4), "down", 4);
    vdf_dirty_take(&regions[1], 0, HIGH_SIZE / VDF_DIRTY_PAGE, pages);
    cr_assert_eq(pages[0xf8 / 8], 3, "0x%x", pages[0xf8 / 8]);
    cr_assert_eq(pages[0], 0);
    /* A ring in the other region is outside of the pool. */
    set_up_queue(1, ring_of(1), NUM, NONE);
    set(QUEUE_ENABLE, 2, 1);
    cr_assert_eq(get(QUEUE_ENABLE, 2), 0);
    is(CON "dma/violations", "1");

    struct vdf_space tiny = vdf_space_of(&small);
    use(&tiny);
    cr_assert(strstr(vdf_test_last_error(), "does not fit"), "%s", vdf_test_last_error());
    cr_assert_eq(vdf_test_file_write(data, "x", 1), -EAGAIN);
    is(CON "dma/addr", "0x0000000000000000");
    use(&space);
    vdf_test_close(data);
}

/* --- state ------------------------------------------------------------------------------------ */

Test(console_pci, state_in_use)
{
    struct vdf_test_file *data = opened(P0 "data", O_RDWR);
    uint32_t len;

    probe_one_port(true);
    send_text(data, "down");
    send_to_host(1, "up", 2);
    kick(1);
    cr_assert(line);
    char *state = strdup(vdf_test_read(CON "state"));
    vdf_guest_detach(con, VDF_CONSOLE_PART_PCI);
    is(CON "status", "0x00");
    line = false;
    memset(messages, 0, sizeof(messages));

    cr_assert_eq(vdf_test_write(CON "state", state), 0, "%s", vdf_test_last_error());
    is(CON "driver", "pci");
    is(CON "status", "0x0f");
    is(CON "queues/0/msix_vector", "0x0001");
    cr_assert_str_eq(vdf_test_read(CON "state"), state);
    free(state);
    /* There is no memory yet. */
    got(data, "-EAGAIN");
    struct vdf_space now = space;
    space = no_space;
    cr_assert_eq(attach(VDF_CONSOLE_PART_PCI, false), 0);
    space = now;
    cr_assert(line);
    cr_assert_eq(load(isr, 1), VDF_CONSOLE_INT_USED);
    cr_assert(!line);
    got(data, "-EAGAIN");
    use(&space);
    got(data, "up");
    cr_assert_eq(messages[2], 1);
    cr_assert_eq(get_used(0, &len), 0);
    cr_assert_eq(get_used(0, &len), -1);
    send_text(data, "again");
    cr_assert_eq(messages[1], 1);
    cr_assert_eq(get_used(0, &len), 1);
    put(CON "size", "1 1");
    cr_assert_eq(messages[0], 1);
    vdf_test_close(data);
}

/* The state of a guest whose rings are not in the memory of the next one. */
Test(console_pci, state_of_another_guest)
{
    probe_one_port(true);
    char *state = strdup(vdf_test_read(CON "state"));
    vdf_guest_detach(con, VDF_CONSOLE_PART_PCI);
    cr_assert_eq(vdf_test_write(CON "state", state), 0);
    free(state);
    space = vdf_space_of(&small);
    cr_assert_eq(attach(VDF_CONSOLE_PART_PCI, false), 0);
    is(CON "status", "0x4f");
    is(CON "queues/0/broken", "1");
}

/* @before has the length of @after. */
static void refuse_state(const char *state, const char *before, const char *after, const char *says)
{
    char *changed = strdup(state), *found = strstr(changed, before);

    cr_assert(found, "%s is not in the state", before);
    memcpy(found, after, strlen(after));
    strcpy(strstr(changed, "checksum = "), "checksum = none\n");
    cr_assert_eq(vdf_test_write(CON "state", changed), -EINVAL, "%s", after);
    cr_assert(strstr(vdf_test_last_error(), says), "%s", vdf_test_last_error());
    free(changed);
}

Test(console_pci, states_with_vectors_that_do_not_exist)
{
    probe_one_port(true);
    char *state = strdup(vdf_test_read(CON "state"));
    vdf_guest_detach(con, VDF_CONSOLE_PART_PCI);
    refuse_state(state, "queues/1/msix_vector = 0x0002", "queues/1/msix_vector = 0x0041",
                 "vector 65: there are 65");
    refuse_state(state, "pci/config_msix_vector = 0x0000", "pci/config_msix_vector = 0xfffe",
                 "vector 65534");
    free(state);
}

/* --- a hostile guest -------------------------------------------------------------------------- */

static void access_everything(uint64_t size)
{
    static const unsigned widths[] = { 1, 2, 4, 8 };

    for (uint64_t offset = 0; offset < size + 16; offset++) {
        for (unsigned k = 0; k < 4; k++) {
            uint64_t value = 1;
            int ret = vdf_guest_read(con, VDF_CONSOLE_PART_PCI, offset, widths[k], &value, NULL);
            cr_assert(ret == 0 || ret == -EOPNOTSUPP, "0x%x: %d", (unsigned)offset, ret);
            if (ret == 0 && widths[k] < 8)
                cr_assert_eq(value >> 8 * widths[k], 0, "0x%x", (unsigned)offset);
        }
    }
    for (unsigned k = 0; k < 4; k++) {
        uint64_t value;
        vdf_guest_read(con, VDF_CONSOLE_PART_PCI, UINT64_MAX - k, widths[k], &value, NULL);
        vdf_guest_write(con, VDF_CONSOLE_PART_PCI, UINT64_MAX - k, widths[k], 1, NULL);
    }
}

Test(console_pci, every_access)
{
    probe_one_port(true);
    access_everything(vdf_guest_size(con, VDF_CONSOLE_PART_PCI));
    is(CON "status", "0x0f");
    for (uint64_t offset = 0; offset < 0x3200; offset++)
        for (unsigned width = 1; width <= 8; width *= 2)
            vdf_guest_write(con, VDF_CONSOLE_PART_PCI, offset, width, UINT64_MAX, NULL);
    access_everything(0x40);
    ops()->reset(con, VDF_CONSOLE_PART_PCI);
    probe(VDF_CONSOLE_F_VERSION_1, true);
}

Test(console_pci, random_stores)
{
    struct vdf_test_file *data = opened(P0 "data", O_RDWR | O_NONBLOCK);
    struct vdf_random random = vdf_random_begin("random_stores", 1);

    cr_assert_eq(attach(VDF_CONSOLE_PART_PCI, true), 0);
    probe_capabilities();
    for (unsigned round = 0; round < 40; round++) {
        set_up_queue(0, ring_of(0), NUM, NONE);
        for (unsigned k = 0; k < 300; k++) {
            static const unsigned offsets[] = { 0,      0x14,   0x16,   0x18,   0x1a,
                                                0x1c,   0x3a,   0x20,   0x28,   0x30,
                                                0x1000, 0x2008, 0x3000, 0x3004, 0x10 };
            uint64_t value = vdf_random_below(&random, 3) ? vdf_random_below(&random, 16)
                                                          : vdf_random_next(&random);
            uint64_t offset = offsets[vdf_random_below(&random, 15)];

            vdf_guest_write(con, VDF_CONSOLE_PART_PCI, offset, 1u << vdf_random_below(&random, 4),
                            value, NULL);
            if (vdf_random_below(&random, 50) == 0)
                use(vdf_random_below(&random, 2) ? &space : &no_space);
        }
        vdf_test_file_write(data, "abc", 3);
        got_text(data);
        use(&space);
        ops()->reset(con, VDF_CONSOLE_PART_PCI);
    }
    vdf_test_close(data);
    probe(VDF_CONSOLE_F_VERSION_1, true);
}
