/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packed rings (virtio 1.2, section 2.8): a driver that does with its registers and rings what
 * Linux's virtio_ring does, and drivers that break the rules.
 */
#include "test_console.h"

#define REGS CON "regs"
#define NUM_MAX 8u
#define AVAIL (1u << 7)
#define USED (1u << 15)
#define NEXT VDF_VQ_DESC_NEXT
#define WRITE VDF_VQ_DESC_WRITE
#define INDIRECT VDF_VQ_DESC_INDIRECT
#define ENABLE 0u
#define DISABLE 1u
#define DESC 2u

#define RING(q) (0x1000u * ((q) + 1))
#define DRIVER(q) (RING(q) + 0x400u)
#define DEVICE(q) (RING(q) + 0x800u)
#define TABLE 0x8000u
#define BUF(n) (0x20000u + 0x1000u * (n))

#define FEATURES                                                                      \
    (VDF_CONSOLE_F_VERSION_1 | VDF_CONSOLE_F_RING_PACKED | VDF_CONSOLE_F_RING_RESET | \
     VDF_CONSOLE_F_IN_ORDER)

struct seg {
    uint64_t addr;
    uint32_t len;
    uint16_t flags;
};

/* The driver's state of a queue, with the wrap counters of the specification. */
static struct driver {
    bool event;
    unsigned num;
    unsigned next, used; /* places */
    bool next_wrap, used_wrap;
    unsigned slots[NUM_MAX]; /* of the chain with this id */
    unsigned kicks;
} drv[2];

static struct vdf_test_file *data;

static void wr(unsigned reg, uint32_t value)
{
    cr_assert_eq(vdf_test_reg_write(REGS, reg, 4, value), 0, "0x%x", reg);
}

static uint8_t *at(uint64_t addr, uint64_t len)
{
    struct vdf_console *con = vdf_obj_priv(vdf_test_obj("console/con0"));
    uint8_t *p = vdf_memory_at(&con->memory, addr, len);

    cr_assert(p, "0x%lx", (unsigned long)addr);
    return p;
}

/* --- the driver ------------------------------------------------------------------------------- */

static void set_queue(unsigned q)
{
    wr(VDF_CONSOLE_REG_QUEUE_SEL, q);
    wr(VDF_CONSOLE_REG_QUEUE_NUM, drv[q].num);
    wr(VDF_CONSOLE_REG_QUEUE_DESC_LOW, RING(q));
    wr(VDF_CONSOLE_REG_QUEUE_DRIVER_LOW, DRIVER(q));
    wr(VDF_CONSOLE_REG_QUEUE_DEVICE_LOW, DEVICE(q));
    wr(VDF_CONSOLE_REG_QUEUE_READY, 1);
}

static void new_ring(unsigned q, unsigned num, bool event)
{
    memset(at(RING(q), 0x1000), 0, 0x1000);
    drv[q] = (struct driver){ .event = event, .num = num, .next_wrap = true, .used_wrap = true };
    set_queue(q);
}

static void start(uint64_t features, unsigned num)
{
    wr(VDF_CONSOLE_REG_STATUS, 0);
    wr(VDF_CONSOLE_REG_STATUS, 3);
    for (unsigned sel = 0; sel < 2; sel++) {
        wr(VDF_CONSOLE_REG_DRIVER_FEATURES_SEL, sel);
        wr(VDF_CONSOLE_REG_DRIVER_FEATURES, (uint32_t)(features >> 32 * sel));
    }
    wr(VDF_CONSOLE_REG_STATUS, 0x0b);
    for (unsigned q = 0; q < 2; q++)
        new_ring(q, num, features & VDF_CONSOLE_F_EVENT_IDX);
    wr(VDF_CONSOLE_REG_STATUS, 0x0f);
    is(CON "status", "0x0f");
}

static void write_desc(uint64_t table, unsigned n, struct seg seg, uint16_t id, unsigned flags)
{
    uint8_t *desc = at(table + n * 16, 16);

    vdf_store_le64(desc, seg.addr);
    vdf_store_le32(desc + 8, seg.len);
    vdf_store_le16(desc + 12, id);
    vdf_store_le16(desc + 14, (uint16_t)(seg.flags | flags));
}

/* Whether the device wants to be notified of the chain of @n descriptors that has been added. */
static bool wants_kick(unsigned q, unsigned n)
{
    unsigned flags = vdf_load_le16(at(DEVICE(q) + 2, 2)) & 3u;
    unsigned word = vdf_load_le16(at(DEVICE(q), 2));
    uint16_t event = word & 0x7fffu, now = (uint16_t)drv[q].next;

    if (flags != DESC)
        return flags != DISABLE;
    if ((word >> 15) != drv[q].next_wrap)
        event = (uint16_t)(event - drv[q].num);
    return (uint16_t)(now - event - 1) < n;
}

/* Make a chain available, its first descriptor last, and notify. The id is that of no place. */
static void add(unsigned q, const struct seg *seg, unsigned n)
{
    unsigned head = drv[q].next;
    uint16_t id = (uint16_t)(drv[q].num - 1 - head);
    unsigned head_flags = 0;

    drv[q].slots[id] = n;
    for (unsigned i = 0; i < n; i++) {
        unsigned flags = (drv[q].next_wrap ? AVAIL : USED) | (i + 1 < n ? NEXT : 0);

        if (!i)
            head_flags = flags;
        /* Not available yet: the bits of the round before. */
        write_desc(RING(q), drv[q].next, seg[i], id, i ? flags : flags ^ (AVAIL | USED));
        if (++drv[q].next == drv[q].num) {
            drv[q].next = 0;
            drv[q].next_wrap = !drv[q].next_wrap;
        }
    }
    vdf_store_le16(at(RING(q) + head * 16 + 14, 2), (uint16_t)(seg[0].flags | head_flags));
    if (wants_kick(q, n)) {
        drv[q].kicks++;
        wr(VDF_CONSOLE_REG_QUEUE_NOTIFY, q);
    }
}

/* With DESC of what comes back @ahead places behind the next. */
static void want_interrupts(unsigned q, unsigned flags, unsigned ahead)
{
    unsigned place = drv[q].used + ahead;
    bool wrap = drv[q].used_wrap != (place >= drv[q].num);

    vdf_store_le16(at(DRIVER(q), 2), (uint16_t)(place % drv[q].num | (unsigned)wrap << 15));
    vdf_store_le16(at(DRIVER(q) + 2, 2), (uint16_t)flags);
}

/* The id of the next used buffer; -1: none. */
static int get(unsigned q, uint32_t *len)
{
    const uint8_t *desc = at(RING(q) + drv[q].used * 16, 16);
    unsigned flags = vdf_load_le16(desc + 14);
    uint16_t id = vdf_load_le16(desc + 12);

    if (!(flags & AVAIL) != !(flags & USED) || !(flags & USED) == drv[q].used_wrap)
        return -1;
    *len = vdf_load_le32(desc + 8);
    cr_assert_eq(!(flags & WRITE), !*len);
    cr_assert_lt(id, drv[q].num);
    drv[q].used += drv[q].slots[id];
    if (drv[q].used >= drv[q].num) {
        drv[q].used -= drv[q].num;
        drv[q].used_wrap = !drv[q].used_wrap;
    }
    return id;
}

static bool interrupted(void)
{
    uint64_t status = 0;

    cr_assert_eq(vdf_test_reg_read(REGS, VDF_CONSOLE_REG_INTERRUPT_STATUS, 4, &status), 0);
    wr(VDF_CONSOLE_REG_INTERRUPT_ACK, (uint32_t)status);
    return status & VDF_CONSOLE_INT_USED;
}

static struct seg text_at(unsigned n, const char *text)
{
    struct seg seg = { BUF(n), (uint32_t)strlen(text), 0 };

    memcpy(at(seg.addr, seg.len), text, seg.len);
    return seg;
}

/* In three buffers of one chain. */
static void send_three(const char *a, const char *b, const char *c)
{
    const struct seg seg[3] = { text_at(0, a), text_at(1, b), text_at(2, c) };

    add(1, seg, 3);
}

static void is_sent(void)
{
    uint32_t len;

    cr_assert_geq(get(1, &len), 0);
    cr_assert_eq(len, 0);
    cr_assert_eq(get(1, &len), -1);
}

static void broken(unsigned q, const char *says)
{
    is(q ? CON "queues/1/broken" : CON "queues/0/broken", "1");
    is(CON "status", "0x4f");
    cr_assert(strstr(vdf_test_last_error(), says), "%s", vdf_test_last_error());
}

static void setup(void)
{
    vdf_test_tree(false);
    put(CON "driver", "none");
    put(CON "features", "0x0000010d30000001");
    put(CON "queue_size", "8");
    put(P0 "overflow", "hold");
    data = opened(P0 "data", O_RDWR);
}

static void teardown(void)
{
    vdf_test_close(data);
    vdf_test_tree_free();
}

TestSuite(console_packed, .init = setup, .fini = teardown);

/* --- drivers that keep the rules -------------------------------------------------------------- */

Test(console_packed, offered_when_asked_for)
{
    uint64_t value = 0;

    wr(VDF_CONSOLE_REG_DEVICE_FEATURES_SEL, 1);
    cr_assert_eq(vdf_test_reg_read(REGS, VDF_CONSOLE_REG_DEVICE_FEATURES, 4, &value), 0);
    cr_assert_eq(value, 0x10d);
    cr_assert_eq(vdf_test_mkdir("console/con1"), 0);
    is("console/con1/features", "0x0000010930000007");
}

Test(console_packed, transmit_wraps_anywhere)
{
    for (unsigned num = 3; num <= NUM_MAX; num++) {
        start(FEATURES, num);
        for (unsigned n = 0; n < 5 * num; n++) {
            send_three("one ", "two ", "three");
            got(data, "one two three");
            is_sent();
        }
        cr_assert_eq(drv[1].kicks, 5 * num);
    }
    is("errors", "");
}

Test(console_packed, receive_wraps_anywhere)
{
    const struct seg in = { BUF(0), 16, WRITE };
    const struct seg two[2] = { { BUF(0), 3, WRITE }, { BUF(1), 16, WRITE } };
    uint32_t len;

    start(FEATURES | VDF_CONSOLE_F_EVENT_IDX, 5);
    for (unsigned n = 0; n < 40; n++) {
        add(0, &in, 1);
        add(0, two, 2);
        send_text(data, "abc");
        cr_assert_geq(get(0, &len), 0);
        cr_assert_eq(len, 3);
        cr_assert_arr_eq(at(BUF(0), 3), "abc", 3);
        send_text(data, "defgh");
        cr_assert_geq(get(0, &len), 0);
        cr_assert_eq(len, 5);
        cr_assert_arr_eq(at(BUF(0), 3), "def", 3);
        cr_assert_arr_eq(at(BUF(1), 2), "gh", 2);
        cr_assert_eq(get(0, &len), -1);
    }
    is("errors", "");
}

Test(console_packed, indices_are_shown)
{
    const struct seg in = { BUF(0), 16, WRITE };

    start(FEATURES, 5);
    for (unsigned n = 0; n < 3; n++)
        add(0, &in, 1);
    is(CON "queues/0/avail_idx", "3");
    is(CON "queues/0/last_avail", "0");
    send_text(data, "abc");
    is(CON "queues/0/last_avail", "1");
    is(CON "queues/0/used_idx", "1");
    for (unsigned n = 0; n < 3; n++)
        add(0, &in, 1);
    is(CON "queues/0/avail_idx", "32769");
    for (unsigned n = 0; n < 5; n++)
        send_text(data, "abc");
    is(CON "queues/0/last_avail", "32769");
    is(CON "queues/0/used_idx", "32769");
}

Test(console_packed, indirect_tables)
{
    const struct seg table = { TABLE, 3 * 16, INDIRECT };

    start(FEATURES | VDF_CONSOLE_F_INDIRECT, 4);
    for (unsigned n = 0; n < 10; n++) {
        /* There every flag but WRITE is nothing to the device (2.8.7). */
        write_desc(TABLE, 0, text_at(0, "one "), 0xffff, 0);
        write_desc(TABLE, 1, text_at(1, "two "), 0xffff, INDIRECT);
        write_desc(TABLE, 2, text_at(2, "three"), 0xffff, NEXT);
        add(1, &table, 1);
        got(data, "one two three");
        is_sent();
    }
    is("errors", "");
}

Test(console_packed, interrupts_as_the_driver_wants)
{
    start(FEATURES, 4);
    for (unsigned n = 0; n < 20; n++) {
        want_interrupts(1, n % 2 ? DISABLE : ENABLE, 0);
        send_three("a", "b", "c");
        got(data, "abc");
        is_sent();
        cr_assert_eq(interrupted(), n % 2 == 0, "%u", n);
    }
}

/* With event indices for one place: the driver is notified when a chain that covers the place comes
 * back, not of the chains before and after it. */
Test(console_packed, interrupts_for_a_place)
{
    start(FEATURES | VDF_CONSOLE_F_EVENT_IDX, 8);
    for (unsigned n = 0; n < 48; n++) {
        unsigned ahead = n % 6;

        want_interrupts(1, DESC, ahead);
        for (unsigned chain = 0; chain < 2; chain++) {
            send_three("a", "b", "c");
            got(data, "abc");
            cr_assert_eq(interrupted(), ahead / 3 == chain, "%u, chain %u", n, chain);
            is_sent();
        }
        cr_assert_eq(drv[1].kicks, 2 * n + 2);
    }
}

/* The device asks for the notification of what it has not taken. */
Test(console_packed, kicks_for_a_place)
{
    const struct seg seg = text_at(0, "a");

    start(FEATURES | VDF_CONSOLE_F_EVENT_IDX, 8);
    add(1, &seg, 1); /* taken, and held for the reader */
    add(1, &seg, 1); /* the driver notifies of this chain too */
    add(1, &seg, 1); /* and has not got to it */
    cr_assert_eq(drv[1].kicks, 2);
    got(data, "aaa");
    add(1, &seg, 1);
    cr_assert_eq(drv[1].kicks, 3);
    got(data, "a");
}

Test(console_packed, a_queue_that_is_reset_begins_at_its_first_place)
{
    start(FEATURES, 4);
    for (unsigned n = 0; n < 3; n++) {
        send_three("a", "b", "c");
        got(data, "abc");
    }
    wr(VDF_CONSOLE_REG_QUEUE_SEL, 1);
    wr(VDF_CONSOLE_REG_QUEUE_RESET, 1);
    is(CON "queues/1/last_avail", "0");
    new_ring(1, 4, false);
    send_three("d", "e", "f");
    got(data, "def");
    is_sent();
}

/* --- state ------------------------------------------------------------------------------------ */

static void restore_fresh(const char *state)
{
    vdf_test_close(data);
    vdf_test_tree_free();
    vdf_test_tree(false);
    put(CON "state", state);
    data = opened(P0 "data", O_RDWR);
}

/* In every place of the ring, with half a chain read. */
Test(console_packed, save_and_restore_in_the_middle)
{
    start(FEATURES | VDF_CONSOLE_F_EVENT_IDX, 5);
    for (unsigned n = 0; n < 10; n++) {
        char part[3] = { 0 }, *state;

        send_three("ab", "cd", "ef");
        cr_assert_eq(vdf_test_file_read(data, part, 2), 2);
        cr_assert_str_eq(part, "ab");
        state = strdup(vdf_test_read(CON "state"));
        restore_fresh(state);
        is(CON "state", state);
        free(state);
        got(data, "cdef");
        is_sent();
    }
    is("errors", "");
}

static int edited(const char *from, const char *to)
{
    const char *state = vdf_test_read(CON "state");
    const char *where = strstr(state, from), *end = strstr(state, "checksum = ");
    char *text = malloc(strlen(state) + strlen(to) + 32);
    int r;

    cr_assert(where && end, "%s", from);
    sprintf(text, "%.*s%s%.*schecksum = none\n", (int)(where - state), state, to,
            (int)(end - where - (ptrdiff_t)strlen(from)), where + strlen(from));
    r = vdf_test_write(CON "state", text);
    free(text);
    return r;
}

Test(console_packed, states_that_cannot_be)
{
    start(FEATURES, 5);
    send_three("a", "b", "c");
    got(data, "abc");
    cr_assert_eq(edited("queues/1/last_avail = 3", "queues/1/last_avail = 5"), -EINVAL);
    cr_assert(strstr(vdf_test_last_error(), "the ring has 5"), "%s", vdf_test_last_error());
    cr_assert_eq(edited("queues/1/used_idx = 3", "queues/1/used_idx = 32773"), -EINVAL);
    cr_assert_eq(edited("queues/1/size = 5", "queues/1/size = 9"), -EINVAL);
    is(CON "queues/1/last_avail", "3");
    send_three("d", "e", "f");
    got(data, "def");
}

/* --- drivers that break the rules ------------------------------------------------------------- */

Test(console_packed, malformed_chains)
{
    const struct seg good = { BUF(0), 4, 0 };
    const struct {
        struct seg seg[2];
        unsigned n;
        const char *says;
    } bad[] = {
        { { { BUF(0), 0, 0 } }, 1, "no bytes" },
        { { { UINT64_MAX - 2, 16, 0 } }, 1, "not in memory" },
        { { { BUF(0), 4, WRITE } }, 1, "writable buffers in a transmit queue" },
        { { { BUF(0), 4, WRITE }, good }, 2, "before" },
        { { { TABLE, 20, INDIRECT } }, 1, "multiple of 16" },
        { { { TABLE, 0, INDIRECT } }, 1, "multiple of 16" },
        { { { UINT64_C(1) << 40, 16, INDIRECT } }, 1, "not in memory" },
        { { { TABLE, 16, INDIRECT }, good }, 2, "the only one" },
        { { good, { TABLE, 16, INDIRECT } }, 2, "the only one" },
        { { { TABLE, 16 * 9, INDIRECT } }, 1, "longer than the queue" },
    };

    for (size_t k = 0; k < sizeof(bad) / sizeof(bad[0]); k++) {
        start(FEATURES | VDF_CONSOLE_F_INDIRECT, 8);
        for (unsigned n = 0; n < 9; n++)
            write_desc(TABLE, n, good, 0, 0);
        add(1, bad[k].seg, bad[k].n);
        broken(1, bad[k].says);
        is(CON "queues/0/broken", "0");
    }
}

Test(console_packed, indirect_has_to_be_negotiated)
{
    const struct seg table = { TABLE, 16, INDIRECT };

    start(FEATURES, 8);
    add(1, &table, 1);
    broken(1, "not negotiated");
}

Test(console_packed, a_chain_without_an_end)
{
    start(FEATURES, 4);
    for (unsigned n = 0; n < 4; n++)
        write_desc(RING(1), n, text_at(n, "x"), 0, NEXT | AVAIL);
    wr(VDF_CONSOLE_REG_QUEUE_NOTIFY, 1);
    broken(1, "longer than the queue's 4");
    /* The other queue goes on. */
    add(0, &(const struct seg){ BUF(0), 16, WRITE }, 1);
    send_text(data, "abc");
    cr_assert_arr_eq(at(BUF(0), 3), "abc", 3);
}

/* A chain outside of the DMA pool comes back unused, with all of its places. */
Test(console_packed, chains_outside_of_the_pool)
{
    const struct seg outside[3] = { text_at(0, "a"), { 0x800, 4, 0 }, text_at(1, "b") };
    const struct vdf_console *con = vdf_obj_priv(vdf_test_obj("console/con0"));
    char size[32];

    put(CON "dma_mem", "1");
    snprintf(size, sizeof(size), "%llu", (unsigned long long)(con->memory.size - 0x1000));
    put(CON "dma/size", size);
    start(FEATURES | VDF_CONSOLE_F_DMA_MEM, 5);
    for (unsigned n = 0; n < 10; n++) {
        add(1, outside, 3);
        is_sent();
        send_three("a", "b", "c");
        got(data, "abc");
        is_sent();
    }
    is(CON "dma/violations", "10");
    is(CON "queues/1/broken", "0");
}

Test(console_packed, parts_that_cannot_be)
{
    static const struct {
        unsigned reg;
        uint32_t value;
        const char *says;
    } bad[] = {
        { VDF_CONSOLE_REG_QUEUE_DESC_LOW, RING(1) + 8, "descriptor ring" },
        { VDF_CONSOLE_REG_QUEUE_DESC_HIGH, 1, "descriptor ring" },
        { VDF_CONSOLE_REG_QUEUE_DRIVER_LOW, DRIVER(1) + 2, "driver event suppression" },
        { VDF_CONSOLE_REG_QUEUE_DRIVER_HIGH, 1, "driver event suppression" },
        { VDF_CONSOLE_REG_QUEUE_DEVICE_LOW, DEVICE(1) + 2, "device event suppression" },
        { VDF_CONSOLE_REG_QUEUE_DEVICE_HIGH, 1, "device event suppression" },
    };

    for (size_t k = 0; k < sizeof(bad) / sizeof(bad[0]); k++) {
        start(FEATURES, 4);
        wr(VDF_CONSOLE_REG_QUEUE_SEL, 1);
        wr(VDF_CONSOLE_REG_QUEUE_RESET, 1);
        wr(VDF_CONSOLE_REG_QUEUE_NUM, 4);
        wr(VDF_CONSOLE_REG_QUEUE_DESC_LOW, RING(1));
        wr(VDF_CONSOLE_REG_QUEUE_DRIVER_LOW, DRIVER(1));
        wr(VDF_CONSOLE_REG_QUEUE_DEVICE_LOW, DEVICE(1));
        wr(bad[k].reg, bad[k].value);
        wr(VDF_CONSOLE_REG_QUEUE_READY, 1);
        broken(1, bad[k].says);
    }
}

/* A driver may ask for a notification at a place that the ring does not have. */
Test(console_packed, an_event_at_no_place)
{
    start(FEATURES | VDF_CONSOLE_F_EVENT_IDX, 4);
    for (unsigned word = 0; word < 0x10000; word += 0x101) {
        vdf_store_le16(at(DRIVER(1), 2), (uint16_t)word);
        vdf_store_le16(at(DRIVER(1) + 2, 2), DESC);
        send_three("a", "b", "c");
        got(data, "abc");
        is_sent();
    }
    is("errors", "");
}
