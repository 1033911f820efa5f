/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A vIOMMU with hardware queues: what its parts share.
 *
 *   hwqueue.c   the table of the device, its life
 *   device.c    kind, interrupt, memory size: what is the same for both types
 *   text.c      lines of several numbers
 *   ioas.c      mappings of the device's memory at I/O virtual addresses
 *   iotlb.c     translations that the IOMMU and the devices have cached, and their invalidation
 *   smmu.c      SMMUv3 commands, as a VCMDQ executes them
 *   vcmdq.c     a Tegra241 VCMDQ: registers, register page, ring; vcmdq_table.c: its files
 *   cmdqv.c     the Tegra241 CMDQV around the queues: registers of the device, errors, interrupt
 *   amdvi.c     the AMD IOMMU: command buffer, event log, PPR log
 *   vdevice.c   virtual devices: stream ids of the guest and of the machine
 *   veventq.c   records in iommufd's format
 *   guest.c     what a guest reaches of it: registers, and pages of queues mapped or trapped
 *   selftest.c  the model of the mock IOMMU in the kernel's selftests
 *   iommufd.c   the kernel's objects behind the same files; host.c: the device of the host that
 *               they need
 *
 * What is the same for all, the files and what they keep, is in the files above; what a model does
 * and what the kernel does is behind struct vdf_hwqueue_ops.
 *
 * Everything runs under the device's lock. Memory may be mapped by others: words of it are loaded
 * once.
 */
#ifndef VDF_HWQUEUE_H
#define VDF_HWQUEUE_H

#include <virtdevfs/component.h>
#include <virtdevfs/guest.h>
#include <virtdevfs/iommufd.h>
#include <virtdevfs/irq.h>
#include <virtdevfs/tripwire.h>

struct vdf_hwqueue;

#define VDF_BIT(n) (UINT64_C(1) << (n))

/* `len` bits of `word` from bit `shift` up. */
static inline uint64_t vdf_bits(uint64_t word, unsigned shift, unsigned len)
{
    return (word >> shift) & (VDF_BIT(len) - 1);
}

/* --- text of several numbers ------------------------------------------------------------------ */

/**
 * vdf_hwqueue_number() - take the next number of a line.
 * @text:  moved behind it
 * @what:  name of the number, for the refusal
 * @max:   largest value
 *
 * Return: 0, -EINVAL, or -ERANGE where it does not fit 64 bits.
 */
int vdf_hwqueue_number(const char **text, const char *what, uint64_t max, uint64_t *value,
                       struct vdf_err *err);
/** vdf_hwqueue_more() - is there anything but white space left? */
bool vdf_hwqueue_more(const char **text);
/** vdf_hwqueue_end() - refuse anything that is left; @form is the line's grammar. */
int vdf_hwqueue_end(const char **text, const char *form, struct vdf_err *err);
/** vdf_hwqueue_split() - call @take for each item of a list with commas, as `state` keeps it. */
int vdf_hwqueue_split(const char *text,
                      int (*take)(struct vdf_hwqueue *dev, const char *item, struct vdf_err *err),
                      struct vdf_hwqueue *dev, struct vdf_err *err);

/* --- mappings --------------------------------------------------------------------------------- */

#define VDF_IOAS_MAPS 4096u

struct vdf_ioas_map {
    uint64_t iova;
    uint64_t len;    /* bytes */
    uint64_t offset; /* in the device's memory */
    bool read_only;  /* for the device */
};

struct vdf_ioas {
    struct vdf_ioas_map *maps; /* sorted by iova, without overlaps */
    unsigned n, cap;
};

/* What the IOMMUs of an address space can map. */
struct vdf_ioas_limits {
    uint64_t first, last; /* I/O virtual addresses */
    uint64_t align;       /* of addresses, lengths and offsets */
};

void vdf_ioas_free(struct vdf_ioas *ioas);
/** vdf_ioas_check_map() - refuse as IOMMU_IOAS_MAP does: EOVERFLOW, EINVAL, EEXIST, EFAULT. */
int vdf_ioas_check_map(const struct vdf_hwqueue *dev, const struct vdf_ioas_map *map,
                       const struct vdf_ioas_limits *limits, struct vdf_err *err);
/** vdf_ioas_check_unmap() - refuse as IOMMU_IOAS_UNMAP does: EOVERFLOW, EINVAL, ENOENT, EBUSY. */
int vdf_ioas_check_unmap(struct vdf_hwqueue *dev, uint64_t iova, uint64_t len, struct vdf_err *err);
/**
 * vdf_ioas_covered() - the mappings that a range touches.
 * @first: result: index of the first
 *
 * Return: how many there are.
 */
unsigned vdf_ioas_covered(const struct vdf_ioas *ioas, uint64_t iova, uint64_t len,
                          unsigned *first);
/** vdf_ioas_cut() - give up the mappings that go beyond the memory, and the queues that use them.
 */
void vdf_ioas_cut(struct vdf_hwqueue *dev);
/**
 * vdf_ioas_pin() - what HW_QUEUE_ALLOC asks of a queue's memory.
 * @write:  the device writes there
 * @offset: result: where it lies in the device's memory
 *
 * Return: 0, EOVERFLOW, ENOENT, EFAULT (not contiguous) or EPERM (read-only), negative.
 */
int vdf_ioas_pin(const struct vdf_ioas *ioas, uint64_t iova, uint64_t len, bool write,
                 uint64_t *offset, struct vdf_err *err);
/** vdf_ioas_ring() - @n bytes at @offset of a queue of @len bytes that can be pinned; or NULL. */
void *vdf_ioas_ring(struct vdf_hwqueue *dev, uint64_t iova, uint64_t len, uint64_t offset,
                    uint64_t n);
/** vdf_ioas_at() - where @len bytes at @iova lie, in one mapping; NULL when the device may not. */
void *vdf_ioas_at(struct vdf_hwqueue *dev, uint64_t iova, uint64_t len, bool write);

int vdf_ioas_store_map(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err);
int vdf_ioas_store_unmap(const struct vdf_at *at, const char *text, size_t len,
                         struct vdf_err *err);
void vdf_ioas_show(const struct vdf_at *at, struct vdf_buf *out);
void vdf_ioas_save(const struct vdf_at *at, struct vdf_buf *out);
int vdf_ioas_restore(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err);

/* --- cached translations ---------------------------------------------------------------------- */

#define VDF_IOTLB_ENTRIES 4096u /* of each of the two caches */
#define VDF_IOTLB_ANY UINT64_MAX

struct vdf_iotlb_entry {
    uint64_t first, last; /* I/O virtual addresses, inclusive */
    uint32_t sid;         /* of the machine, not the guest's */
    uint32_t ssid;        /* SSID or PASID; 0: without one */
    uint32_t tag;         /* ASID or domain; a device's translations have none: 0 */
    bool global;          /* of all ASIDs, or PASIDs */
};

struct vdf_iotlb {
    struct vdf_iotlb_entry *entries; /* in the order of their insertion */
    unsigned n, cap;
};

/* How an invalidation takes global translations. */
enum vdf_iotlb_global {
    VDF_GLOBAL_AS_OTHERS,
    VDF_GLOBAL_STAYS,
    VDF_GLOBAL_OF_ANY_TAG,
    VDF_GLOBAL_OF_ANY_SSID,
};

/* An invalidation removes the entries that match all of these. */
struct vdf_iotlb_scope {
    uint64_t sid, ssid, tag; /* or VDF_IOTLB_ANY */
    uint64_t first, last;    /* what touches these addresses, inclusive */
    uint64_t size;           /* of exactly so many bytes; or VDF_IOTLB_ANY */
    enum vdf_iotlb_global global;
};

/* A scope that matches everything, for those who narrow it. */
#define VDF_IOTLB_ALL                                                                  \
    {                                                                                  \
        .sid = VDF_IOTLB_ANY, .ssid = VDF_IOTLB_ANY, .tag = VDF_IOTLB_ANY, .first = 0, \
        .last = UINT64_MAX, .size = VDF_IOTLB_ANY, .global = VDF_GLOBAL_AS_OTHERS      \
    }

void vdf_iotlb_free(struct vdf_iotlb *tlb);
void vdf_iotlb_drop(struct vdf_iotlb *tlb, const struct vdf_iotlb_scope *scope);

int vdf_iotlb_store_insert(const struct vdf_at *at, const char *text, size_t len,
                           struct vdf_err *err);
void vdf_iotlb_show(const struct vdf_at *at, struct vdf_buf *out);
void vdf_iotlb_save(const struct vdf_at *at, struct vdf_buf *out);
int vdf_iotlb_restore(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err);
int vdf_iotlb_store_atc_insert(const struct vdf_at *at, const char *text, size_t len,
                               struct vdf_err *err);
void vdf_iotlb_show_atc(const struct vdf_at *at, struct vdf_buf *out);
void vdf_iotlb_save_atc(const struct vdf_at *at, struct vdf_buf *out);
int vdf_iotlb_restore_atc(const struct vdf_at *at, const char *text, size_t len,
                          struct vdf_err *err);

/* --- records of iommufd's vEVENTQ ------------------------------------------------------------- */

#define VDF_VEVENTQ_DEPTH_MAX (1u << 19) /* IOMMU_VEVENTQ_ALLOC's own limit */

struct vdf_vevent {
    uint32_t sequence;
    uint64_t map[2]; /* LVCMDQ_ERR_MAP; selftest: the virtual device's number, u32, and nothing */
};

struct vdf_veventq {
    struct vdf_vevent *events; /* a ring of `cap` */
    uint32_t first, n, cap;
    uint32_t depth;         /* events that may wait */
    uint32_t sequence;      /* of the next event, 31 bits */
    uint32_t lost_sequence; /* of the newest lost event */
    bool lost;              /* a LOST_EVENTS header ends the queue */
};

/* What the records take. */
#define VDF_VEVENT_HEADER 8u
#define VDF_VEVENT_SEQUENCE_MASK 0x7fffffffu

extern const struct vdf_stream_ops vdf_veventq_stream;
void vdf_veventq_free(struct vdf_veventq *queue);
/** vdf_veventq_payload() - bytes of a record behind its header. */
unsigned vdf_veventq_payload(const struct vdf_hwqueue *dev);
/** vdf_veventq_append() - an event goes to the end, if no more than @max are there then. */
bool vdf_veventq_append(struct vdf_veventq *queue, const struct vdf_vevent *event, uint32_t max);
/** vdf_veventq_read() - whole records of those that wait here. 0: there are none; EINVAL: not one
 *  fits. */
ssize_t vdf_veventq_read(struct vdf_hwqueue *dev, void *bytes, size_t n, struct vdf_err *err);
/** vdf_veventq_waits() - is there anything to be read? */
bool vdf_veventq_waits(struct vdf_hwqueue *dev);
/** vdf_veventq_store_depth() - another depth of the queue that is here. */
int vdf_veventq_store_depth(struct vdf_hwqueue *dev, uint32_t depth, struct vdf_err *err);
int vdf_veventq_set_depth(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_veventq_get_sequence(const struct vdf_at *at, uint64_t *value);
int vdf_veventq_get_lost(const struct vdf_at *at, uint64_t *value);
int vdf_veventq_get_lost_sequence(const struct vdf_at *at, uint64_t *value);
int vdf_veventq_trigger(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
void vdf_veventq_add(struct vdf_veventq *queue, const uint64_t map[2]);
void vdf_veventq_save(const struct vdf_at *at, struct vdf_buf *out);
int vdf_veventq_restore(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err);
int vdf_veventq_restored(const struct vdf_veventq *queue, struct vdf_err *err);

/* --- virtual devices -------------------------------------------------------------------------- */

#define VDF_VDEVICES 16u           /* 1 << PARAM.NUM_SID_PER_VM_LOG2 */
#define VDF_VIRT_ID_MAX UINT32_MAX /* a selftest's */
#define VDF_SID_MAX 0xfffffu       /* SID_MATCH and SID_REPLACE have 20 bits */

struct vdf_vdevice {
    struct vdf_priv priv;
    struct vdf_hwqueue *dev;
    uint32_t vsid;
    uint32_t psid;
    uint8_t slot;        /* its SID_MATCH and SID_REPLACE registers */
    bool slot_restored;  /* from a state, in which no two have the same */
    uint8_t atc_timeout; /* it does not answer ATC invalidations */
};

extern const struct vdf_class vdf_vdevice_class;
/** vdf_vdevice_find() - by the guest's stream id; NULL: none. */
struct vdf_vdevice *vdf_vdevice_find(struct vdf_hwqueue *dev, uint32_t vsid);
/** vdf_vdevice_answers() - does the device with this id of the machine answer ATC invalidations? */
bool vdf_vdevice_answers(struct vdf_hwqueue *dev, uint32_t psid);

/* --- queues: of a Tegra241 CMDQV, or of the selftest's mock ----------------------------------- */

#define VDF_QUEUES 4u /* that a device can have; the mock refuses the third */
#define VDF_VCMDQS 2u /* 1 << PARAM.NUM_VCMDQ_LOG2 */
#define VDF_VINTF_PAGE_SIZE 0x10000u
#define VDF_VCMDQ_LOG2_MIN 1u  /* 32 bytes: BASE.ADDR has no bits below */
#define VDF_VCMDQ_LOG2_MAX 19u /* PROD.WR is 19 bits and the wrap bit; and IDR1.CMDQS' largest */

/* CONS.ERR */
enum vdf_cerror {
    VDF_CERROR_NONE,
    VDF_CERROR_ILL,
    VDF_CERROR_ABT,
    VDF_CERROR_ATC_INV_SYNC,
    VDF_CERROR_ILL_ACCESS,
};

/* Registers of a VCMDQ that is no queue yet. The driver may set them up before it allocates. */
enum vdf_idle_reg {
    VDF_IDLE_BASE,
    VDF_IDLE_CONS_BASE,
    VDF_IDLE_CONS,
    VDF_IDLE_PROD,
    VDF_IDLE_CONFIG,
    VDF_IDLE_GERRORN,
    VDF_IDLE_REGS,
};

struct vdf_vcmdq {
    struct vdf_priv priv;
    struct vdf_hwqueue *dev;
    unsigned index;
    uint64_t base; /* IOVA of the ring */
    uint64_t cons_base;
    uint64_t ring;       /* where it lies in the device's memory, while `enabled` */
    uint64_t length;     /* selftest: bytes of it */
    uint32_t queue_type; /* selftest: IOMMU_HW_QUEUE_ALLOC's type */
    uint8_t log2size;
    uint8_t enabled;      /* HW_QUEUE_ALLOC has been done */
    uint8_t mapped;       /* CMDQ_ALLOC.ALLOC */
    uint8_t fetch_abort;  /* fetches of commands end in an abort */
    uint8_t atc_timeout;  /* an ATC_INV before the next CMD_SYNC was not answered */
    uint64_t msi_address; /* of the CMD_SYNC that has just been done; 0: it has no MSI */
    uint32_t msi_data;
    bool bad_prod; /* PROD was reported to be out of range */
    /* The registers of page 0. `prod`, `config` and `gerrorn` belong to the driver: what was seen
     * last. */
    uint32_t cons, prod, config, status, gerror, gerrorn;
    struct vdf_memory page;
    bool published; /* the registers are in `page`, which now holds the driver's words */
    bool hardware;  /* `page` is the hardware's: all of its words are, and nothing is done here */
    bool page_open;
    bool page_mapped;    /* into a guest */
    bool page_stored_to; /* by that guest, which runs */
    bool guest_runs;
    struct vdf_async *poller; /* while `page_open` or `page_stored_to` */
    struct vdf_tripwire wire; /* what the guest has instead of `page`, where that is possible */
    struct vdf_async *trip;
    bool tripped;           /* the poller is to look without a pause for some time */
    bool store_awaited;     /* that has met the wire; until something is found */
    struct vdf_guest guest; /* that the queue is attached to */
    bool ring_open;         /* somebody may have `entries` mapped */
    bool ring_synced;       /* what was stored there is in the ring, as far as `synced_prod` */
    uint32_t synced_prod;
    const struct vdf_attr *ring_row;
};

extern const struct vdf_class vdf_vcmdq_class;
extern const struct vdf_guest_ops vdf_vcmdq_guest_ops;
extern const struct vdf_raw_ops vdf_vcmdq_vintf_page_ops;
extern const struct vdf_guest_ops vdf_hwqueue_guest_ops;
int vdf_vcmdq_allow(struct vdf_obj *parent, const char *name, struct vdf_err *err);
/** vdf_vcmdq_length() - bytes of the queue's memory. */
uint64_t vdf_vcmdq_length(const struct vdf_vcmdq *queue);
/** vdf_vcmdq_map() - CMDQ_ALLOC.ALLOC is now this: the queue appears in the VINTF or leaves it. */
void vdf_vcmdq_map(struct vdf_vcmdq *queue, bool mapped);
/** vdf_vcmdq_show_in_vintf() - the VINTF's page has the queue's words, or none of it. */
void vdf_vcmdq_show_in_vintf(struct vdf_vcmdq *queue);
/** vdf_vcmdq_round() - look at the driver's words, run what is to run, publish. */
void vdf_vcmdq_round(struct vdf_vcmdq *queue);
/** vdf_vcmdq_catch_up() - what was stored to an open page has been done, unless its commands may
 *  still be in pages of a mapped ring. Return: whether anything was to be done. */
bool vdf_vcmdq_catch_up(struct vdf_vcmdq *queue);
/** vdf_vcmdq_release() - leave it as after a reset. */
void vdf_vcmdq_release(struct vdf_vcmdq *queue);
/** vdf_vcmdq_error() - does an error of the queue wait for its acknowledgement? */
bool vdf_vcmdq_error(const struct vdf_vcmdq *queue);
/** vdf_vcmdq_pins() - does the queue use memory at these addresses? */
bool vdf_vcmdq_pins(const struct vdf_vcmdq *queue, uint64_t first, uint64_t last);
/** vdf_vcmdq_take_idle() - a queue that was made goes on from what its registers were before. */
void vdf_vcmdq_take_idle(struct vdf_vcmdq *queue);
/** vdf_vcmdq_idle_reg() - the register at this offset of a page, and its bits; -1: none that can be
 *  written. */
int vdf_vcmdq_idle_reg(unsigned page, uint64_t offset, uint64_t *mask);
int vdf_vcmdq_window_read(struct vdf_vcmdq *queue, unsigned page, uint64_t offset, unsigned width,
                          uint64_t *value);
int vdf_vcmdq_window_write(struct vdf_vcmdq *queue, unsigned page, uint64_t offset, unsigned width,
                           uint64_t value, struct vdf_err *err);

/**
 * vdf_smmu_command() - execute one command of a VCMDQ.
 * @why: set with VDF_CERROR_ILL: what is wrong with it
 */
enum vdf_cerror vdf_smmu_command(struct vdf_vcmdq *queue, uint64_t w0, uint64_t w1,
                                 const char **why);
/** vdf_smmu_show_hw_info() - the SMMUv3's identification registers, a "name = value" a line. */
void vdf_smmu_show_hw_info(const struct vdf_iommu_hw_info_smmuv3 *info, struct vdf_buf *out);
/** vdf_smmu_hw_info() - those of the model. */
void vdf_smmu_hw_info(const struct vdf_hwqueue *dev, struct vdf_iommu_hw_info_smmuv3 *info);
/** vdf_smmu_signal() - send the MSI of the CMD_SYNC that has just been executed. */
void vdf_smmu_signal(struct vdf_vcmdq *queue);
const char *vdf_smmu_command_name(uint64_t w0);

#define VDF_VINTF_CONFIG_EN VDF_BIT(0)
#define VDF_VINTF_CONFIG_HYP_OWN VDF_BIT(17)
#define VDF_VINTF_CONFIG_MASK 0x3ffffu
#define VDF_GLOBAL_CONFIG_EN VDF_BIT(0)
#define VDF_GLOBAL_CONFIG_CONS_DRAM_EN VDF_BIT(20)
#define VDF_GLOBAL_CONFIG_MASK 0x1fffffu

/* Register hooks. */
int vdf_cmdqv_get_param(const struct vdf_at *at, uint64_t *value);
int vdf_cmdqv_get_global_status(const struct vdf_at *at, uint64_t *value);
int vdf_cmdqv_get_vintf_status(const struct vdf_at *at, uint64_t *value);
int vdf_cmdqv_get_err_map(const struct vdf_at *at, uint64_t *value);
int vdf_cmdqv_get_cmdq_err_map(const struct vdf_at *at, uint64_t *value);
int vdf_cmdqv_get_vintf_err_map(const struct vdf_at *at, uint64_t *value);
int vdf_cmdqv_set_read_only(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_cmdqv_check_global_config(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_cmdqv_check_vintf_config(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
void vdf_cmdqv_after_config(const struct vdf_at *at, uint64_t value);
void vdf_cmdqv_after_int_mask(const struct vdf_at *at, uint64_t value);
int vdf_cmdqv_get_guest_vintf_config(const struct vdf_at *at, uint64_t *value);
int vdf_cmdqv_set_guest_vintf_config(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_cmdqv_get_sid_match(const struct vdf_at *at, uint64_t *value);
int vdf_cmdqv_get_sid_replace(const struct vdf_at *at, uint64_t *value);
int vdf_cmdqv_get_cmdq_preset(const struct vdf_at *at, uint64_t *value);
int vdf_cmdqv_restore_cmdq_preset(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_cmdqv_get_idle(const struct vdf_at *at, uint64_t *value);
int vdf_cmdqv_restore_idle(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_cmdqv_get_cmdq_alloc(const struct vdf_at *at, uint64_t *value);
int vdf_cmdqv_set_cmdq_alloc(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_cmdqv_get_page0(const struct vdf_at *at, uint64_t *value);
int vdf_cmdqv_set_page0(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_cmdqv_get_vintf_page0(const struct vdf_at *at, uint64_t *value);
int vdf_cmdqv_set_vintf_page0(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_cmdqv_get_vintf_page1(const struct vdf_at *at, uint64_t *value);
int vdf_cmdqv_set_vintf_page1(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_cmdqv_get_page1(const struct vdf_at *at, uint64_t *value);
int vdf_cmdqv_set_page1(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
/** vdf_cmdqv_error_raised() - a queue has a new error: tell the vEVENTQ. */
void vdf_cmdqv_error_raised(struct vdf_hwqueue *dev);
/** vdf_cmdqv_reset() - all registers as in a new device, which has no queues. */
void vdf_cmdqv_reset(struct vdf_hwqueue *dev);
int vdf_cmdqv_restored(struct vdf_hwqueue *dev, struct vdf_err *err);

/* --- AMD IOMMU -------------------------------------------------------------------------------- */

enum vdf_amdvi_kind {
    VDF_AMDVI_CMD,
    VDF_AMDVI_EVENT,
    VDF_AMDVI_PPR,
    VDF_AMDVI_QUEUES,
};

struct vdf_amdvi_queue {
    uint64_t base;       /* IOVA of the ring */
    uint64_t head, tail; /* byte offsets in it */
    uint64_t ring;       /* where it lies in the device's memory, while `enabled` */
    uint8_t length;      /* log2 of the entries */
    uint8_t enabled;
    uint8_t run;
    uint8_t overflow;
};

int vdf_amdvi_check_base(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_amdvi_check_length(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_amdvi_set_base(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_amdvi_set_length(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_amdvi_check_index(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
void vdf_amdvi_after_index(const struct vdf_at *at, uint64_t value);
int vdf_amdvi_check_run(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_amdvi_check_overflow(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
void vdf_amdvi_after_overflow(const struct vdf_at *at, uint64_t value);
int vdf_amdvi_set_enable(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_amdvi_get_base_reg(const struct vdf_at *at, uint64_t *value);
int vdf_amdvi_set_base_reg(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_amdvi_get_control(const struct vdf_at *at, uint64_t *value);
int vdf_amdvi_set_control(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_amdvi_get_status(const struct vdf_at *at, uint64_t *value);
int vdf_amdvi_set_status(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_amdvi_get_features(const struct vdf_at *at, uint64_t *value);
int vdf_amdvi_inject_event(const struct vdf_at *at, const char *text, size_t len,
                           struct vdf_err *err);
int vdf_amdvi_inject_ppr(const struct vdf_at *at, const char *text, size_t len,
                         struct vdf_err *err);
bool vdf_amdvi_pins(const struct vdf_hwqueue *dev, uint64_t first, uint64_t last);
/** vdf_amdvi_release() - give back the queues that use memory at these addresses. */
void vdf_amdvi_release(struct vdf_hwqueue *dev, uint64_t first, uint64_t last);
bool vdf_amdvi_interrupt(const struct vdf_hwqueue *dev);
int vdf_amdvi_restored(struct vdf_hwqueue *dev, struct vdf_err *err);
/** vdf_amdvi_reset() - all registers as in a new device. */
void vdf_amdvi_reset(struct vdf_hwqueue *dev);
void vdf_amdvi_start(struct vdf_hwqueue *dev);

#define VDF_AMDVI_EFR 0x52u     /* PPRSup, GTSup, IASup */
#define VDF_AMDVI_LENGTH_MIN 8u /* the length field of a base register, log2 of the entries */
#define VDF_AMDVI_LENGTH_MAX 15u
#define VDF_AMDVI_LENGTH_RESET 9u
#define VDF_AMDVI_CONTROL_IOMMU_EN VDF_BIT(0)
#define VDF_AMDVI_STATUS_W1C 0x67u /* EvtOverflow, EvtInt, ComWaitInt, PprOverflow, PprInt */

/* --- what differs from model to model, and the kernel ----------------------------------------- */

/* Each is called with arguments that are within their files' grammar, and no more: what a range, an
 * index or an order may be is answered here. */
struct vdf_hwqueue_ops {
    /* IOAS_MAP and IOAS_UNMAP. The list of the mappings is the caller's. */
    int (*map)(struct vdf_hwqueue *dev, const struct vdf_ioas_map *map, struct vdf_err *err);
    int (*unmap)(struct vdf_hwqueue *dev, uint64_t iova, uint64_t len, struct vdf_err *err);
    /* HW_QUEUE_ALLOC with the queue's values, and its end. */
    int (*alloc)(struct vdf_vcmdq *queue, struct vdf_err *err);
    int (*release)(struct vdf_vcmdq *queue, struct vdf_err *err);
    /* VDEVICE_ALLOC, and its end; NULL: nothing belongs to it. */
    int (*add_vdevice)(struct vdf_vdevice *vdevice, struct vdf_err *err);
    int (*drop_vdevice)(struct vdf_vdevice *vdevice, struct vdf_err *err);
    /* GET_HW_INFO, a "name = value" a line. */
    void (*show_hw_info)(struct vdf_hwqueue *dev, struct vdf_buf *out);
    /* The vEVENTQ. read: 0 is no event. settle: what waits elsewhere is to be here, as far as it
     * can be; NULL: it is. */
    ssize_t (*read_events)(struct vdf_hwqueue *dev, void *bytes, size_t n, struct vdf_err *err);
    bool (*has_events)(struct vdf_hwqueue *dev);
    void (*settle_events)(struct vdf_hwqueue *dev);
    int (*set_depth)(struct vdf_hwqueue *dev, uint32_t depth, struct vdf_err *err);
    /* selftest: a device has an event; NULL: others have none to be raised. */
    int (*trigger)(struct vdf_hwqueue *dev, struct vdf_err *err);
    /* `page` comes into being, or changes its place. */
    int (*make_page)(struct vdf_vcmdq *queue);
};

extern const struct vdf_hwqueue_ops vdf_hwqueue_soft_ops; /* device.c: Tegra241 and AMD */
int vdf_vcmdq_soft_alloc(struct vdf_vcmdq *queue, struct vdf_err *err);
int vdf_vcmdq_soft_release(struct vdf_vcmdq *queue, struct vdf_err *err);
int vdf_vcmdq_soft_page(struct vdf_vcmdq *queue);
extern const struct vdf_hwqueue_ops vdf_hwqueue_selftest_ops; /* selftest.c */
extern const struct vdf_hwqueue_ops vdf_hwqueue_kernel_ops;   /* iommufd.c */

/** vdf_hwqueue_ops() - the ones of this device. */
const struct vdf_hwqueue_ops *vdf_hwqueue_ops(const struct vdf_hwqueue *dev);

/* --- the mock IOMMU --------------------------------------------------------------------------- */

#define VDF_REGION_PAGES 2u /* that the mock lets be mapped: a page for each of its queues */
#define VDF_REGION_SIZE (VDF_REGION_PAGES * VDF_PAGE_SIZE)

/** vdf_selftest_reset() - new pages are as VIOMMU_ALLOC leaves them. 0, or -errno of a memfd. */
int vdf_selftest_reset(struct vdf_hwqueue *dev, struct vdf_err *err);
/** vdf_selftest_page() - `page` of a queue is its page of the region, or nothing. */
int vdf_selftest_page(struct vdf_vcmdq *queue);

/* --- the kernel's objects --------------------------------------------------------------------- */

/* Those behind a device: from /dev/iommu on. */
struct vdf_kernel;

/** vdf_kernel_open() - make them all, for the mappings, virtual devices and queues that there are.
 *  On failure there is none. */
int vdf_kernel_open(struct vdf_hwqueue *dev, struct vdf_err *err);
/** vdf_kernel_close() - destroy them all; nothing when there are none. */
void vdf_kernel_close(struct vdf_hwqueue *dev);
/** vdf_kernel_reopen() - the same in one: something that they were made from has changed. On
 *  failure there are none, and the model goes on. */
int vdf_kernel_reopen(struct vdf_hwqueue *dev, struct vdf_err *err);

/* The device of the host whose IOMMU is used. */
struct vdf_host {
    struct vdf_host *next;
    char address[16]; /* "mock", or of PCI */
    unsigned refs;
    bool taken;      /* it is attached, for a device in the tree */
    int iommu;       /* /dev/iommu */
    int device;      /* VFIO's; -1: the mock's, which is made in an address space */
    int request;     /* eventfd that the kernel writes when it wants the device back; or -1 */
    uint32_t dev_id; /* in the iommufd */
};

/** vdf_host_open() - open and bind it, or share what is open. ENODEV where it is not there. */
int vdf_host_open(const char *address, struct vdf_host **host, struct vdf_err *err);
/** vdf_host_take() - be the one who attaches it: EBUSY while another device of the tree is. */
int vdf_host_take(struct vdf_host *host, struct vdf_err *err);
/** vdf_host_leave() - another may. */
void vdf_host_leave(struct vdf_host *host);
/** vdf_host_close() - the last one unbinds it. */
void vdf_host_close(struct vdf_host *host);

/* --- the device ------------------------------------------------------------------------------- */

enum vdf_hwqueue_type {
    VDF_HWQUEUE_TEGRA241,
    VDF_HWQUEUE_AMD,
    VDF_HWQUEUE_SELFTEST,
};

/* `backend` */
enum {
    VDF_HWQUEUE_SOFT,
    VDF_HWQUEUE_IOMMUFD,
};

/* `doorbell` */
enum vdf_doorbell {
    VDF_DOORBELL_MAPPED,
    VDF_DOORBELL_TRAPPED,
};

struct vdf_hwqueue {
    struct vdf_priv priv;
    uint8_t type;
    uint8_t backend;
    uint8_t doorbell;
    char host[16];             /* `host`: a PCI address, "mock", or empty */
    bool linked;               /* in the tree, not a state that is loaded */
    struct vdf_kernel *kernel; /* while `backend` is iommufd and the device is linked */
    struct vdf_memory region;  /* selftest: what the mock lets be mapped */
    uint32_t viommu_data;      /* selftest: the word that it puts there */
    uint64_t memory_size;
    struct vdf_memory memory;
    bool memory_open; /* `memory` has open files */
    struct vdf_ioas ioas;
    struct vdf_iotlb iotlb; /* the IOMMU's */
    struct vdf_iotlb atc;   /* in the devices behind it */
    struct vdf_veventq veventq;
    struct vdf_log events;
    struct vdf_irq irq;
    bool irq_level;
    struct vdf_memory *guest_memory; /* instead of `memory`, while `attached` */
    uint64_t vm_memory;              /* its bytes; 0: mappings are of `memory` */
    unsigned attached;               /* slots of a guest */
    uint64_t commands, tlbi, atc_inv, sync, illegal;

    struct vdf_vdevice *vdevices[VDF_VDEVICES]; /* by slot; NULL: free */
    struct vdf_vcmdq *vcmdqs[VDF_QUEUES];       /* NULL: not made */
    uint32_t global_config, vintf_config;
    uint32_t vintf_int_mask;
    uint32_t hw_info_type;            /* the input type of GET_HW_INFO */
    uint8_t cmdqs;                    /* IDR1.CMDQS */
    uint32_t cmdq_preset[VDF_VCMDQS]; /* CMDQ_ALLOC without ALLOC, as it was written last */
    uint64_t idle[VDF_VCMDQS][VDF_IDLE_REGS];
    struct vdf_memory vintf_page; /* `vintf/page0` */
    bool vintf_published;         /* the registers are there */
    bool vintf_open;

    struct vdf_amdvi_queue amd[VDF_AMDVI_QUEUES];
    uint64_t amd_control; /* without the bits that are `enabled` */
    uint64_t amd_status;  /* the interrupt bits */
    uint64_t amd_dev_tab;
};

/** vdf_hwqueue_memory() - what is mapped: the device's memory, or the guest's. */
struct vdf_memory *vdf_hwqueue_memory(struct vdf_hwqueue *dev);
/** vdf_hwqueue_memory_absent() - is it a guest's that is not there yet? */
bool vdf_hwqueue_memory_absent(const struct vdf_hwqueue *dev);
/** vdf_hwqueue_memory_end() - its bytes, also while the guest is not there yet. */
uint64_t vdf_hwqueue_memory_end(const struct vdf_hwqueue *dev);
void vdf_hwqueue_after_doorbell(const struct vdf_at *at, uint64_t value);
bool vdf_hwqueue_is_amd(const void *priv);
bool vdf_hwqueue_is_tegra(const void *priv);
bool vdf_hwqueue_is_selftest(const void *priv);
bool vdf_hwqueue_has_vintf_page(const void *priv); /* made by the model */
bool vdf_hwqueue_has_queues(const void *priv);     /* objects in queues/ */
bool vdf_hwqueue_has_registers(const void *priv);  /* in `regs` */
/** vdf_hwqueue_update_irq() - drive the interrupt output as the registers now say. */
void vdf_hwqueue_update_irq(struct vdf_hwqueue *dev);
bool vdf_hwqueue_irq_level(const struct vdf_hwqueue *dev);
/** vdf_hwqueue_restore_field() - a row's `restore` that stores and does nothing else. */
int vdf_hwqueue_restore_field(const struct vdf_at *at, uint64_t value, struct vdf_err *err);

/* Hooks of the rows that both types have. */
extern const struct vdf_window_ops vdf_hwqueue_regs_ops;
extern const struct vdf_raw_ops vdf_hwqueue_memory_ops;
int vdf_hwqueue_get_interrupt(const struct vdf_at *at, uint64_t *value);
int vdf_hwqueue_check_type(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_hwqueue_set_type(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_hwqueue_check_backend(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_hwqueue_set_backend(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
void vdf_hwqueue_show_host(const struct vdf_at *at, struct vdf_buf *out);
int vdf_hwqueue_store_host(const struct vdf_at *at, const char *text, size_t len,
                           struct vdf_err *err);
int vdf_hwqueue_set_viommu_data(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
/** vdf_hwqueue_move_memory() - `memory` is of huge pages if it can be, or of ordinary ones. Memory
 *  that is open or a guest's stays as it is, and any where there is no other: 0 or -errno. */
int vdf_hwqueue_move_memory(struct vdf_hwqueue *dev, bool huge);
int vdf_hwqueue_check_hw_info_type(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_hwqueue_check_cmdqs(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
void vdf_hwqueue_show_hw_info(const struct vdf_at *at, struct vdf_buf *out);
int vdf_hwqueue_check_memory_size(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_hwqueue_set_memory_size(const struct vdf_at *at, uint64_t value, struct vdf_err *err);

#endif
