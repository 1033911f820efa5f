/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The queues of an AMD IOMMU (AMD 48882): command buffer, event log and PPR log. Head and tail are
 * byte offsets of 16-byte entries; the ring is empty when they are equal. In the command buffer,
 * software owns the tail and the device the head; in the logs, the device owns the tail and software
 * the head. An enabled queue runs until a command cannot be executed, or until an entry finds a full
 * log. The queue then stays stopped until software disables it, clears the overflow, and enables it.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "hwqueue.h"

#define ENTRY_BYTES 16u
#define ENTRY_MASK ((uint64_t)ENTRY_BYTES - 1)
#define BASE_MASK UINT64_C(0xffffffffff000) /* 51:12 */
#define BASE_LENGTH_SHIFT 56u
#define BASE_LENGTH_MASK 0xfu

#define CONTROL_EVENT_LOG_EN VDF_BIT(2)
#define CONTROL_EVENT_INT_EN VDF_BIT(3)
#define CONTROL_COM_WAIT_INT_EN VDF_BIT(4)
#define CONTROL_CMD_BUF_EN VDF_BIT(12)
#define CONTROL_PPR_LOG_EN VDF_BIT(13)
#define CONTROL_PPR_INT_EN VDF_BIT(14)
static_assert((CONTROL_CMD_BUF_EN | CONTROL_EVENT_LOG_EN | CONTROL_PPR_LOG_EN) ==
                  VDF_AMDVI_CONTROL_QUEUES,
              "the bits of the queues");

#define STATUS_EVENT_OVERFLOW VDF_BIT(0)
#define STATUS_EVENT_INT VDF_BIT(1)
#define STATUS_COM_WAIT_INT VDF_BIT(2)
#define STATUS_EVENT_RUN VDF_BIT(3)
#define STATUS_CMD_RUN VDF_BIT(4)
#define STATUS_PPR_OVERFLOW VDF_BIT(5)
#define STATUS_PPR_INT VDF_BIT(6)
#define STATUS_PPR_RUN VDF_BIT(7)
static_assert((STATUS_EVENT_INT | STATUS_COM_WAIT_INT | STATUS_PPR_INT) == VDF_AMDVI_STATUS_INTS,
              "the bits of the interrupts");

#define PASID_MAX 0xfffffu
#define EVENT_GN 1u               /* FLAGS: a PASID is there instead of the domain */
#define EVENT_PASID_HIGH 0xf0000u /* its bits 19:16, in the same bits of the first word */

static const uint64_t control_bit[VDF_AMDVI_QUEUES] = {
    [VDF_AMDVI_CMD] = CONTROL_CMD_BUF_EN,
    [VDF_AMDVI_EVENT] = CONTROL_EVENT_LOG_EN,
    [VDF_AMDVI_PPR] = CONTROL_PPR_LOG_EN,
};
static const uint64_t run_bit[VDF_AMDVI_QUEUES] = {
    [VDF_AMDVI_CMD] = STATUS_CMD_RUN,
    [VDF_AMDVI_EVENT] = STATUS_EVENT_RUN,
    [VDF_AMDVI_PPR] = STATUS_PPR_RUN,
};
static const uint64_t overflow_bit[VDF_AMDVI_QUEUES] = {
    [VDF_AMDVI_EVENT] = STATUS_EVENT_OVERFLOW,
    [VDF_AMDVI_PPR] = STATUS_PPR_OVERFLOW,
};

enum command {
    COMPL_WAIT = 1,
    INV_DEV_ENTRY,
    INV_IOMMU_PAGES,
    INV_IOTLB_PAGES,
    INV_IRT,
    COMPLETE_PPR = 7,
    INV_ALL,
};

enum event {
    ILL_DEV_TAB = 1,
    IO_PAGE_FAULT,
    DEV_TAB_HW_ERR,
    PAGE_TAB_HW_ERR,
    ILL_CMD,
    CMD_HW_ERR,
    IOTLB_INV_TIMEOUT,
    INV_DEV_REQ,
    INV_PPR_REQ,
    EVENTS = 16,
};

static const char *const event_names[EVENTS] = {
    [ILL_DEV_TAB] = "ILL_DEV_TAB",
    [IO_PAGE_FAULT] = "IO_PAGE_FAULT",
    [DEV_TAB_HW_ERR] = "DEV_TAB_HW_ERR",
    [PAGE_TAB_HW_ERR] = "PAGE_TAB_HW_ERR",
    [ILL_CMD] = "ILL_CMD",
    [CMD_HW_ERR] = "CMD_HW_ERR",
    [IOTLB_INV_TIMEOUT] = "IOTLB_INV_TIMEOUT",
    [INV_DEV_REQ] = "INV_DEV_REQ",
    [INV_PPR_REQ] = "INV_PPR_REQ",
};

/* In data[2] of the invalidations by address */
#define DATA2_S 1u
#define DATA2_GN 4u

static uint64_t ring_bytes(const struct vdf_amdvi_queue *queue)
{
    return (uint64_t)ENTRY_BYTES << queue->length;
}

/* --- logs ------------------------------------------------------------------------------------- */

/* Add an entry of two words. Software may poll for an entry that is not 0 before the tail has moved, so
 * that the first word is stored last. False: the log has no room. */
static bool log_entry(struct vdf_hwqueue *dev, enum vdf_amdvi_kind kind, uint64_t w0, uint64_t w1)
{
    struct vdf_amdvi_queue *queue = &dev->amdvi.queues[kind];

    if (!queue->run)
        return false;
    uint64_t next = (queue->tail + ENTRY_BYTES) & (ring_bytes(queue) - 1);
    uint64_t entry = queue->ring + queue->tail;
    struct vdf_space own;
    const struct vdf_space *space = vdf_hwqueue_space(dev, &own);
    if (next == queue->head || !vdf_space_store_le64(space, entry + 8, w1) ||
        !vdf_space_store_le64(space, entry, w0)) {
        queue->overflow = 1;
        queue->run = 0;
        vdf_log_printf(&dev->events, "%s_log overflow", kind == VDF_AMDVI_PPR ? "ppr" : "event");
        vdf_hwqueue_update_irq(dev);
        return false;
    }
    queue->tail = next;
    dev->amdvi.status |= kind == VDF_AMDVI_PPR ? STATUS_PPR_INT : STATUS_EVENT_INT;
    vdf_hwqueue_update_irq(dev);
    return true;
}

static void log_event(struct vdf_hwqueue *dev, unsigned code, uint32_t devid, uint32_t tag,
                      uint32_t flags, uint64_t address)
{
    uint64_t w0 = devid | (tag & EVENT_PASID_HIGH) |
                  (uint64_t)((tag & 0xffff) | flags << 16 | code << 28) << 32;
    bool kept = log_entry(dev, VDF_AMDVI_EVENT, w0, address);

    vdf_log_printf(&dev->events, "event=%s devid=0x%x domain=%u flags=0x%x address=0x%" PRIx64 "%s",
                   event_names[code] ? event_names[code] : "reserved", devid, tag, flags, address,
                   kept ? "" : " lost");
}

/* --- commands --------------------------------------------------------------------------------- */

#define SPAN_ALL 51u /* a run of ones that ends here means all addresses */

/* The addresses of an invalidation. Without S: one page. With S: the run of ones from bit 12 up is the
 * size of a naturally aligned span. */
static void span(uint64_t address, bool s, uint64_t *first, uint64_t *last)
{
    uint64_t page = address & ~(uint64_t)(VDF_PAGE_SIZE - 1);

    if (!s) {
        *first = page;
        *last = page + (VDF_PAGE_SIZE - 1);
        return;
    }
    uint64_t zeros = ~(address | (VDF_PAGE_SIZE - 1));
    unsigned zero = zeros ? (unsigned)__builtin_ctzll(zeros) : 63; /* the end of the run of ones */
    if (zero >= SPAN_ALL) {
        *first = 0;
        *last = UINT64_MAX;
        return;
    }
    *last = page | (VDF_BIT(zero + 1) - 1);
    *first = *last & ~(VDF_BIT(zero + 1) - 1);
}

/* The id of a virtual device becomes its psid; other ids stay as they are. */
static uint32_t device_id(struct vdf_hwqueue *dev, uint32_t devid)
{
    const struct vdf_vdevice *vdevice = vdf_vdevice_find(dev, devid);
    return vdevice ? vdevice->psid : devid;
}

/* Invalidate translations of the IOMMU. Without GN the address belongs to the host's tables: it does not
 * match guest translations (with a PASID), unless the span is the whole domain. */
static bool inv_pages(struct vdf_hwqueue *dev, const uint32_t data[4], uint64_t at)
{
    uint64_t address = (uint64_t)data[3] << 32 | data[2];
    struct vdf_iotlb_scope scope = VDF_IOTLB_ALL;

    span(address, data[2] & DATA2_S, &scope.first, &scope.last);
    scope.tag = data[1] & 0xffff;
    if (data[2] & DATA2_GN) {
        scope.ssid = data[0] & 0xfffff;
        scope.global = VDF_GLOBAL_OF_ANY_SSID;
    } else if (scope.first != 0 || scope.last != UINT64_MAX) {
        scope.ssid = 0;
    }
    vdf_iotlb_drop(&dev->iotlb, &scope);
    dev->tlbi++;
    return true;
}

/* Invalidate translations of a device. A device that does not answer keeps them: the IOMMU logs an
 * event and continues. */
static bool inv_iotlb(struct vdf_hwqueue *dev, const uint32_t data[4], uint64_t at)
{
    uint64_t address = (uint64_t)data[3] << 32 | data[2];
    struct vdf_iotlb_scope scope = VDF_IOTLB_ALL;
    uint32_t devid = data[0] & 0xffff;

    span(address, data[2] & DATA2_S, &scope.first, &scope.last);
    scope.sid = device_id(dev, devid);
    if (data[2] & DATA2_GN)
        scope.ssid = vdf_bits(data[1], 24, 4) << 16 | vdf_bits(data[0], 16, 8) << 8 |
                     vdf_bits(data[1], 16, 8);
    if (vdf_vdevice_answers(dev, (uint32_t)scope.sid))
        vdf_iotlb_drop(&dev->atc, &scope);
    else
        log_event(dev, IOTLB_INV_TIMEOUT, devid, 0, 0, at);
    dev->atc_inv++;
    return true;
}

static bool inv_all(struct vdf_hwqueue *dev, const uint32_t data[4], uint64_t at)
{
    const struct vdf_iotlb_scope scope = VDF_IOTLB_ALL;

    vdf_iotlb_drop(&dev->iotlb, &scope);
    dev->tlbi++;
    return true;
}

/* The model does not cache the device table and the interrupt remapping tables. */
static bool inv_table(struct vdf_hwqueue *dev, const uint32_t data[4], uint64_t at)
{
    return true;
}

static bool complete_ppr(struct vdf_hwqueue *dev, const uint32_t data[4], uint64_t at)
{
    vdf_log_printf(&dev->events, "complete_ppr devid=0x%x pasid=%u tag=%u status=%u",
                   data[0] & 0xffff, data[1] & 0xfffff, data[3] & 0x1ff,
                   (unsigned)vdf_bits(data[3], 12, 4));
    return true;
}

#define COMPL_WAIT_STORE 1u
#define COMPL_WAIT_INT 2u

/* The address of the store of a COMPLETION_WAIT. */
static uint64_t semaphore(const uint32_t data[4])
{
    return (uint64_t)(data[1] & 0xfffff) << 32 | (data[0] & ~7u);
}

/* False: the store cannot reach memory. */
static bool compl_wait(struct vdf_hwqueue *dev, const uint32_t data[4], uint64_t at)
{
    uint64_t address = semaphore(data);

    if ((data[0] & COMPL_WAIT_STORE) && !vdf_ioas_has(dev, address, sizeof(uint64_t), true)) {
        log_event(dev, CMD_HW_ERR, 0, 0, 0, address);
        vdf_report(dev->priv.obj, EFAULT,
                   "COMPL_WAIT stores to 0x%" PRIx64 ", which is not mapped writable", address);
        return false;
    }
    dev->sync++;
    return true;
}

/* Signal a complete COMPLETION_WAIT, when the head is behind it: first the store, then the
 * interrupt. */
static void tell_completion(struct vdf_hwqueue *dev, const uint32_t data[4])
{
    /* Another process may not have answered for its memory. */
    if ((data[0] & COMPL_WAIT_STORE) &&
        !vdf_ioas_store_le64(dev, semaphore(data), (uint64_t)data[3] << 32 | data[2])) {
        dev->amdvi.queues[VDF_AMDVI_CMD].run = 0;
        log_event(dev, CMD_HW_ERR, 0, 0, 0, semaphore(data));
        return;
    }
    if (data[0] & COMPL_WAIT_INT) {
        dev->amdvi.status |= STATUS_COM_WAIT_INT;
        vdf_hwqueue_update_irq(dev);
    }
}

/* By opcode, with the reserved bits of the low and the high half, which are 0 (48882, 2.4). */
static const struct {
    const char *name; /* NULL: no command of this IOMMU (EFR has no PreFSup) */
    uint64_t reserved[2];
    bool (*run)(struct vdf_hwqueue *dev, const uint32_t data[4], uint64_t at);
} commands[16] = {
    [COMPL_WAIT] = { "COMPLETION_WAIT", { 0x0ff0000000000000, 0 }, compl_wait },
    [INV_DEV_ENTRY] = { "INVALIDATE_DEVTAB_ENTRY", { 0x0fffffffffff0000, UINT64_MAX }, inv_table },
    [INV_IOMMU_PAGES] = { "INVALIDATE_IOMMU_PAGES", { 0x0fff0000fff00000, 0xff8 }, inv_pages },
    [INV_IOTLB_PAGES] = { "INVALIDATE_IOTLB_PAGES", { 0, 0xfca }, inv_iotlb },
    [INV_IRT] = { "INVALIDATE_INTERRUPT_TABLE", { 0x0fffffffffff0000, UINT64_MAX }, inv_table },
    [COMPLETE_PPR] = { "COMPLETE_PPR_REQUEST",
                       { 0x0ff00000ffff0000, 0xffff0000fffffffb },
                       complete_ppr },
    [INV_ALL] = { "INVALIDATE_IOMMU_ALL", { 0x0fffffffffffffff, UINT64_MAX }, inv_all },
};

static void illegal(struct vdf_hwqueue *dev, uint64_t at)
{
    dev->illegal++;
    log_event(dev, ILL_CMD, 0, 0, 0, at);
}

/* Run the command at @at. False: the command buffer stops there. */
static bool run_command(struct vdf_hwqueue *dev, const uint32_t data[4], uint64_t at)
{
    const unsigned opcode = data[1] >> 28;
    uint64_t low = ((uint64_t)data[1] << 32 | data[0]) & commands[opcode].reserved[0];
    uint64_t high = ((uint64_t)data[3] << 32 | data[2]) & commands[opcode].reserved[1];

    if (!commands[opcode].run) {
        illegal(dev, at);
        vdf_report(dev->priv.obj, EINVAL,
                   "command 0x%x at 0x%" PRIx64 ": commands are 1 to 5, 7 and 8", opcode, at);
        return false;
    }
    if (low | high) {
        illegal(dev, at);
        vdf_report(dev->priv.obj, EINVAL,
                   "%s at 0x%" PRIx64 ": reserved bits 0x%016" PRIx64
                   " of the low half and 0x%016" PRIx64 " of the "
                   "high are not 0",
                   commands[opcode].name, at, low, high);
        return false;
    }
    return commands[opcode].run(dev, data, at);
}

/* Run the commands up to the tail, which is at most one turn of the ring away. */
static void run_commands(struct vdf_hwqueue *dev)
{
    struct vdf_amdvi_queue *queue = &dev->amdvi.queues[VDF_AMDVI_CMD];

    if (!queue->run || queue->head == queue->tail || vdf_hwqueue_memory_absent(dev))
        return;
    struct vdf_space own;
    const struct vdf_space *space = vdf_hwqueue_space(dev, &own);
    while (queue->run && queue->head != queue->tail) {
        uint32_t data[4];
        if (!vdf_space_copy_in(space, queue->ring + queue->head, data, sizeof(data))) {
            queue->run = 0;
            log_event(dev, CMD_HW_ERR, 0, 0, 0, queue->base + queue->head);
            break;
        }
        for (unsigned k = 0; k < 4; k++)
            data[k] = le32toh(data[k]);
        if (!run_command(dev, data, queue->base + queue->head)) {
            queue->run = 0;
            break;
        }
        dev->commands++;
        queue->head = (queue->head + ENTRY_BYTES) & (ring_bytes(queue) - 1);
        if (data[1] >> 28 == COMPL_WAIT)
            tell_completion(dev, data);
    }
}

/* --- the queues' files ------------------------------------------------------------------------ */

/* The field of a row lies in the structure of a queue, and thereby names the queue. */
static enum vdf_amdvi_kind kind_of(const struct vdf_at *at)
{
    size_t from_first = at->attr->field - offsetof(struct vdf_hwqueue, amdvi.queues);
    size_t kind = from_first / sizeof(struct vdf_amdvi_queue);

    assert(kind < VDF_AMDVI_QUEUES);
    return (enum vdf_amdvi_kind)kind;
}

static struct vdf_amdvi_queue *queue_of(const struct vdf_at *at)
{
    struct vdf_hwqueue *dev = at->priv;
    return &dev->amdvi.queues[kind_of(at)];
}

int vdf_amdvi_check_base(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_amdvi_queue *queue = queue_of(at);

    if (queue->enabled && value != queue->base)
        return vdf_fail(err, EBUSY, "0x%" PRIx64 ": the queue at 0x%" PRIx64 " is enabled", value,
                        queue->base);
    return 0;
}

int vdf_amdvi_check_length(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_amdvi_queue *queue = queue_of(at);

    if (value < VDF_AMDVI_LENGTH_MIN || value > VDF_AMDVI_LENGTH_MAX)
        return vdf_fail(err, EINVAL, "%" PRIu64 ": the length is log2 of the entries, %u to %u",
                        value, VDF_AMDVI_LENGTH_MIN, VDF_AMDVI_LENGTH_MAX);
    if (queue->enabled && value != queue->length)
        return vdf_fail(err, EBUSY, "%" PRIu64 ": the queue of 2^%u entries is enabled", value,
                        queue->length);
    return 0;
}

/* A new ring is empty: setting up a base register resets head and tail. */
int vdf_amdvi_set_base(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_amdvi_queue *queue = queue_of(at);

    if (value != queue->base)
        queue->head = queue->tail = 0;
    queue->base = value;
    return 0;
}

int vdf_amdvi_set_length(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_amdvi_queue *queue = queue_of(at);

    if (value != queue->length)
        queue->head = queue->tail = 0;
    queue->length = (uint8_t)value;
    return 0;
}

int vdf_amdvi_check_index(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_amdvi_queue *queue = queue_of(at);

    if (value & ENTRY_MASK || value >= ring_bytes(queue))
        return vdf_fail(err, EINVAL,
                        "0x%" PRIx64 ": a multiple of 0x10 below the ring's 0x%" PRIx64 " bytes",
                        value, ring_bytes(queue));
    return 0;
}

void vdf_amdvi_after_index(const struct vdf_at *at, uint64_t value)
{
    if (kind_of(at) == VDF_AMDVI_CMD)
        run_commands(at->priv);
}

int vdf_amdvi_check_run(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    const struct vdf_amdvi_queue *queue = queue_of(at);

    if (value != queue->run)
        return vdf_fail(err, EINVAL, "%" PRIu64 ": run is set by the device; see enable", value);
    return 0;
}

int vdf_amdvi_check_overflow(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    if (value && kind_of(at) == VDF_AMDVI_CMD)
        return vdf_fail(err, EINVAL, "1: a command buffer has no overflow, only the logs have");
    return 0;
}

/* A log with an overflow does not run, and clearing the overflow does not start it. */
void vdf_amdvi_after_overflow(const struct vdf_at *at, uint64_t value)
{
    if (value)
        queue_of(at)->run = 0;
    vdf_hwqueue_update_irq(at->priv);
}

/* As HW_QUEUE_ALLOC: check the pages first, then base and length. */
static int allocate(struct vdf_hwqueue *dev, enum vdf_amdvi_kind kind, struct vdf_err *err)
{
    struct vdf_amdvi_queue *queue = &dev->amdvi.queues[kind];
    uint64_t ring;
    int ret = vdf_ioas_pin(dev, queue->base, ring_bytes(queue), kind != VDF_AMDVI_CMD, &ring, err);

    if (ret < 0)
        return ret;
    if (queue->base & ~BASE_MASK)
        return vdf_fail(err, EINVAL, "base 0x%" PRIx64 ": a multiple of 0x1000, in 52 bits",
                        queue->base);
    queue->ring = ring;
    queue->enabled = 1;
    return 0;
}

static void begin(struct vdf_hwqueue *dev, enum vdf_amdvi_kind kind)
{
    struct vdf_amdvi_queue *queue = &dev->amdvi.queues[kind];

    queue->run = (dev->amdvi.control & VDF_AMDVI_CONTROL_IOMMU_EN) && !queue->overflow;
    if (kind == VDF_AMDVI_CMD)
        run_commands(dev);
}

static int enable(struct vdf_hwqueue *dev, enum vdf_amdvi_kind kind, bool on, struct vdf_err *err)
{
    struct vdf_amdvi_queue *queue = &dev->amdvi.queues[kind];

    if (on == queue->enabled)
        return 0;
    if (!on) {
        queue->enabled = 0;
        queue->run = 0;
        return 0;
    }
    int ret = allocate(dev, kind, err);
    if (ret == 0)
        begin(dev, kind);
    return ret;
}

int vdf_amdvi_set_enable(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    return enable(at->priv, kind_of(at), value, err);
}

/* --- registers -------------------------------------------------------------------------------- */

int vdf_amdvi_get_base_reg(const struct vdf_at *at, uint64_t *value)
{
    const struct vdf_amdvi_queue *queue = queue_of(at);
    *value = (queue->base & BASE_MASK) | (uint64_t)queue->length << BASE_LENGTH_SHIFT;
    return 0;
}

int vdf_amdvi_set_base_reg(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_amdvi_queue *queue = queue_of(at);
    uint8_t length = (value >> BASE_LENGTH_SHIFT) & BASE_LENGTH_MASK;
    int ret = vdf_amdvi_check_base(at, value & BASE_MASK, err);

    if (ret == 0)
        ret = vdf_amdvi_check_length(at, length, err);
    if (ret < 0)
        return ret;
    queue->base = value & BASE_MASK;
    queue->length = length;
    if (!queue->enabled)
        queue->head = queue->tail = 0;
    return 0;
}

int vdf_amdvi_get_control(const struct vdf_at *at, uint64_t *value)
{
    const struct vdf_hwqueue *dev = at->priv;

    *value = dev->amdvi.control;
    for (unsigned k = 0; k < VDF_AMDVI_QUEUES; k++)
        if (dev->amdvi.queues[k].enabled)
            *value |= control_bit[k];
    return 0;
}

/* Bits of features that this IOMMU does not have are stored without effect. All queues that become
 * enabled are allocated before anything changes, so that a refusal changes nothing. */
int vdf_amdvi_set_control(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_hwqueue *dev = at->priv;
    bool fresh[VDF_AMDVI_QUEUES] = { false };
    bool was_on = dev->amdvi.control & VDF_AMDVI_CONTROL_IOMMU_EN;

    for (unsigned k = 0; k < VDF_AMDVI_QUEUES; k++) {
        if (!(value & control_bit[k]) || dev->amdvi.queues[k].enabled)
            continue;
        int ret = allocate(dev, k, err);
        if (ret < 0) {
            for (unsigned undo = 0; undo < k; undo++)
                if (fresh[undo])
                    dev->amdvi.queues[undo].enabled = 0;
            return ret;
        }
        fresh[k] = true;
    }
    dev->amdvi.control = value & ~VDF_AMDVI_CONTROL_QUEUES;
    bool on = dev->amdvi.control & VDF_AMDVI_CONTROL_IOMMU_EN;
    /* The logs come first, because errors of commands go there. */
    for (unsigned k = VDF_AMDVI_QUEUES; k-- > 0;) {
        struct vdf_amdvi_queue *queue = &dev->amdvi.queues[k];
        if (!(value & control_bit[k]))
            enable(dev, k, false, NULL);
        else if (fresh[k] || (on && !was_on))
            begin(dev, k);
        else if (!on)
            queue->run = 0;
    }
    vdf_hwqueue_update_irq(dev);
    return 0;
}

int vdf_amdvi_get_status(const struct vdf_at *at, uint64_t *value)
{
    const struct vdf_hwqueue *dev = at->priv;

    *value = dev->amdvi.status;
    for (unsigned k = 0; k < VDF_AMDVI_QUEUES; k++) {
        if (dev->amdvi.queues[k].run)
            *value |= run_bit[k];
        if (dev->amdvi.queues[k].overflow)
            *value |= overflow_bit[k];
    }
    return 0;
}

/* Overflow and interrupt bits are cleared by writing 1; the others are the device's. */
int vdf_amdvi_set_status(const struct vdf_at *at, uint64_t value, struct vdf_err *err)
{
    struct vdf_hwqueue *dev = at->priv;

    dev->amdvi.status &= ~(value & VDF_AMDVI_STATUS_INTS);
    for (unsigned k = 0; k < VDF_AMDVI_QUEUES; k++)
        if (value & overflow_bit[k])
            dev->amdvi.queues[k].overflow = 0;
    vdf_hwqueue_update_irq(dev);
    return 0;
}

int vdf_amdvi_get_features(const struct vdf_at *at, uint64_t *value)
{
    *value = VDF_AMDVI_EFR;
    return 0;
}

static bool irq_level(const struct vdf_hwqueue *dev)
{
    uint64_t status = dev->amdvi.status, control = dev->amdvi.control;
    bool event = (status & STATUS_EVENT_INT) || dev->amdvi.queues[VDF_AMDVI_EVENT].overflow;
    bool ppr = (status & STATUS_PPR_INT) || dev->amdvi.queues[VDF_AMDVI_PPR].overflow;

    return (event && (control & CONTROL_EVENT_INT_EN)) || (ppr && (control & CONTROL_PPR_INT_EN)) ||
           ((status & STATUS_COM_WAIT_INT) && (control & CONTROL_COM_WAIT_INT_EN));
}

/* --- faults and page requests from devices ---------------------------------------------------- */

static int check_log(const struct vdf_hwqueue *dev, enum vdf_amdvi_kind kind, struct vdf_err *err)
{
    if (!dev->amdvi.queues[kind].enabled)
        return vdf_fail(err, EBUSY, "the log is not enabled");
    return 0;
}

static int event_code(const char **text, uint64_t *code, struct vdf_err *err)
{
    if (!vdf_hwqueue_more(text))
        return vdf_fail(err, EINVAL, "TYPE is missing");
    size_t len = strcspn(*text, " \t");
    for (unsigned k = 0; k < EVENTS; k++)
        if (event_names[k] && strlen(event_names[k]) == len &&
            memcmp(event_names[k], *text, len) == 0) {
            *code = k;
            *text += len;
            return 0;
        }
    return vdf_hwqueue_number(text, "TYPE (a name as IO_PAGE_FAULT, or a number)", EVENTS - 1, code,
                              err);
}

int vdf_amdvi_inject_event(const struct vdf_at *at, const char *text, size_t len,
                           struct vdf_err *err)
{
    struct vdf_hwqueue *dev = at->priv;
    uint64_t code, devid, tag = 0, address, flags = 0;
    int ret = event_code(&text, &code, err);

    if (ret == 0)
        ret = vdf_hwqueue_number(&text, "DEVID", 0xffff, &devid, err);
    if (ret == 0)
        ret = vdf_hwqueue_number(&text, "DOMAIN", PASID_MAX, &tag, err);
    if (ret == 0)
        ret = vdf_hwqueue_number(&text, "ADDRESS", UINT64_MAX, &address, err);
    if (ret == 0 && vdf_hwqueue_more(&text))
        ret = vdf_hwqueue_number(&text, "FLAGS", 0xfff, &flags, err);
    if (ret == 0)
        ret = vdf_hwqueue_end(&text, "TYPE DEVID DOMAIN ADDRESS [FLAGS]", err);
    if (ret == 0 && tag > 0xffff && !(flags & EVENT_GN))
        ret = vdf_fail(
            err, EINVAL,
            "0x%" PRIx64 ": a domain has 16 bits; with bit 0 of FLAGS, GN, a PASID has 20", tag);
    if (ret == 0 && code == 0)
        ret = vdf_fail(err, EINVAL, "0: an event of type 0 is an empty entry");
    if (ret == 0)
        ret = check_log(dev, VDF_AMDVI_EVENT, err);
    if (ret == 0)
        log_event(dev, (unsigned)code, (uint32_t)devid, (uint32_t)tag, (uint32_t)flags, address);
    return ret;
}

int vdf_amdvi_inject_ppr(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err)
{
    struct vdf_hwqueue *dev = at->priv;
    uint64_t devid, pasid, address, tag, flags = 0;
    int ret = vdf_hwqueue_number(&text, "DEVID", 0xffff, &devid, err);

    if (ret == 0)
        ret = vdf_hwqueue_number(&text, "PASID", PASID_MAX, &pasid, err);
    if (ret == 0)
        ret = vdf_hwqueue_number(&text, "ADDRESS", UINT64_MAX, &address, err);
    if (ret == 0)
        ret = vdf_hwqueue_number(&text, "TAG", 0x1ff, &tag, err);
    if (ret == 0 && vdf_hwqueue_more(&text))
        ret = vdf_hwqueue_number(&text, "FLAGS", 0xfff, &flags, err);
    if (ret == 0)
        ret = vdf_hwqueue_end(&text, "DEVID PASID ADDRESS TAG [FLAGS]", err);
    if (ret == 0)
        ret = check_log(dev, VDF_AMDVI_PPR, err);
    if (ret)
        return ret;

    uint64_t w0 = devid | (pasid & 0xffff) << 16 | tag << 32 | (pasid >> 16) << 42 | flags << 48 |
                  UINT64_C(1) << 60;
    if (!log_entry(dev, VDF_AMDVI_PPR, w0, address & ~(uint64_t)(VDF_PAGE_SIZE - 1)))
        vdf_log_printf(&dev->events, "ppr devid=0x%x pasid=%u tag=%u lost", (unsigned)devid,
                       (unsigned)pasid, (unsigned)tag);
    return 0;
}

/* --- life ------------------------------------------------------------------------------------- */

static bool pins(const struct vdf_amdvi_queue *queue, uint64_t first, uint64_t last)
{
    return queue->enabled && queue->base <= last && queue->base + (ring_bytes(queue) - 1) >= first;
}

bool vdf_amdvi_pins(const struct vdf_hwqueue *dev, uint64_t first, uint64_t last)
{
    for (unsigned k = 0; k < VDF_AMDVI_QUEUES; k++)
        if (pins(&dev->amdvi.queues[k], first, last))
            return true;
    return false;
}

void vdf_amdvi_release(struct vdf_hwqueue *dev, uint64_t first, uint64_t last)
{
    for (unsigned k = 0; k < VDF_AMDVI_QUEUES; k++)
        if (pins(&dev->amdvi.queues[k], first, last))
            dev->amdvi.queues[k].enabled = dev->amdvi.queues[k].run = 0;
}

static int restored(struct vdf_hwqueue *dev, bool chosen, struct vdf_err *err)
{
    static const char *const names[VDF_AMDVI_QUEUES] = { "cmd", "event", "ppr" };

    for (unsigned k = 0; k < VDF_AMDVI_QUEUES; k++) {
        struct vdf_amdvi_queue *queue = &dev->amdvi.queues[k];
        bool may_run =
            queue->enabled && (dev->amdvi.control & VDF_AMDVI_CONTROL_IOMMU_EN) && !queue->overflow;
        if (queue->run && !may_run)
            return vdf_fail(err, EINVAL, "queues/%s/run 1: it is not enabled or has an overflow",
                            names[k]);
        if (queue->enabled) {
            int ret = chosen ? allocate(dev, k, err)
                             : vdf_fail(err, EINVAL, "queues/%s: no queue of this type", names[k]);
            if (ret < 0)
                return ret;
        }
    }
    return 0;
}

void vdf_amdvi_reset(struct vdf_hwqueue *dev)
{
    for (unsigned k = 0; k < VDF_AMDVI_QUEUES; k++)
        dev->amdvi.queues[k] = (struct vdf_amdvi_queue){ .length = VDF_AMDVI_LENGTH_RESET };
    dev->amdvi.control = VDF_AMDVI_CONTROL_IOMMU_EN;
    dev->amdvi.status = 0;
    dev->amdvi.dev_tab = 0;
}

void vdf_amdvi_start(struct vdf_hwqueue *dev)
{
    run_commands(dev);
}

/* --- the kind --------------------------------------------------------------------------------- */

static void show_hw_info(struct vdf_hwqueue *dev, struct vdf_buf *out)
{
    vdf_buf_printf(out, "type = 4\nefr = 0x%016x\nefr2 = 0x%016x", VDF_AMDVI_EFR, 0);
}

const struct vdf_hwqueue_kind vdf_amdvi_kind = {
    .model = {
        .backend = { .name = "soft" },
        .map = vdf_hwqueue_soft_map,
        .unmap = vdf_ioas_check_unmap,
        .show_hw_info = show_hw_info,
        .read_events = vdf_veventq_read,
        .has_events = vdf_veventq_waits,
        .set_depth = vdf_veventq_store_depth,
    },
    .registers = true,
    .window = 0x4000,
    .event_payload = 16,
    .vsid = "the stream id",
    .vsid_max = VDF_SID_MAX,
    .irq_level = irq_level,
    .restored = restored,
};
