/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A queue: a VCMDQ of a Tegra241, or a queue of the mock. vcmdq.c has its work, vcmdq_rows.c its
 * files. */
#ifndef VDF_HWQUEUE_VCMDQ_H
#define VDF_HWQUEUE_VCMDQ_H

#include <virtdevfs/guest.h>
#include <virtdevfs/tripwire.h>

#include "hwqueue.h"
#include "smmu.h"

/* A queue's part of its kind. Operations that are NULL do nothing. */
struct vdf_queue_ops {
    uint64_t (*length)(const struct vdf_vcmdq *queue); /* bytes of the queue's memory */
    /* The page is a view of memory that is always there, not registers that are published. */
    bool page_is_view;
    /* @n bytes are stored to the page at @offset. */
    void (*store)(struct vdf_vcmdq *queue, const void *bytes, size_t n, uint64_t offset);
    /* Look at the driver's words and run the commands that they announce. */
    void (*round)(struct vdf_vcmdq *queue);
    /* The page may be stored to without notice, or no longer: begin or end to poll it. */
    void (*watch)(struct vdf_vcmdq *queue);
    void (*enabled)(struct vdf_vcmdq *queue); /* by a write of `enable` */
    void (*reset)(struct vdf_vcmdq *queue);   /* the queue's object is gone */
    void (*made)(struct vdf_vcmdq *queue);    /* by mkdir */
    /* A state has the queue enabled. */
    int (*restored)(struct vdf_vcmdq *queue, struct vdf_err *err);
};

extern const struct vdf_queue_ops vdf_vcmdq_ops; /* of a VCMDQ */

struct vdf_vcmdq {
    struct vdf_priv priv;
    const struct vdf_queue_ops *ops;
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
    bool bad_prod; /* a PROD out of range has been reported */
    /* The registers of page 0. `prod`, `config` and `gerrorn` belong to the driver: here are the
     * values that were loaded last. */
    uint32_t cons, prod, config, status, gerror, gerrorn;
    struct vdf_memory page;
    bool published; /* the registers are in `page`, which now holds the driver's words */
    bool hardware;  /* `page` is the hardware's, which executes the commands */
    bool page_open;
    bool page_mapped;    /* into a guest */
    bool page_stored_to; /* the page is mapped and the guest runs */
    bool guest_runs;
    struct vdf_async *poller; /* while `page_open` or `page_stored_to` */
    struct vdf_tripwire wire; /* what the guest has instead of `page`, where that is possible */
    struct vdf_async *trip;
    bool tripped;           /* the poller does not sleep for some time */
    bool store_awaited;     /* a store has met the tripwire, and has not been found in the page */
    struct vdf_guest guest; /* with the queue attached */
    bool ring_open;         /* a process may have `entries` mapped */
    bool ring_synced;       /* stores through mappings are in the ring, up to `synced_prod` */
    uint32_t synced_prod;
    const struct vdf_attr *ring_row;
};

extern const struct vdf_class vdf_vcmdq_class;
int vdf_vcmdq_soft_alloc(struct vdf_vcmdq *queue, struct vdf_err *err);
int vdf_vcmdq_soft_release(struct vdf_vcmdq *queue, struct vdf_err *err);
int vdf_vcmdq_soft_page(struct vdf_vcmdq *queue);
extern const struct vdf_guest_ops vdf_vcmdq_guest_ops;
extern const struct vdf_raw_ops vdf_vcmdq_vintf_page_ops;
int vdf_vcmdq_allow(struct vdf_obj *parent, const char *name, struct vdf_err *err);
/** vdf_vcmdq_length() - bytes of the queue's memory. */
uint64_t vdf_vcmdq_length(const struct vdf_vcmdq *queue);
/** vdf_vcmdq_map() - set CMDQ_ALLOC.ALLOC: the queue appears in the VINTF, or leaves it. */
void vdf_vcmdq_map(struct vdf_vcmdq *queue, bool mapped);
/** vdf_vcmdq_show_in_vintf() - store the words of the queue to the VINTF's page, or remove them. */
void vdf_vcmdq_show_in_vintf(struct vdf_vcmdq *queue);
/** vdf_vcmdq_round() - load the driver's words, run the commands, publish the device's words. */
void vdf_vcmdq_round(struct vdf_vcmdq *queue);
/** vdf_vcmdq_catch_up() - execute what was stored to an open page, unless commands may still be in
 *  pages of a mapped ring. Return: whether anything had been stored. */
bool vdf_vcmdq_catch_up(struct vdf_vcmdq *queue);
/** vdf_vcmdq_release() - reset the queue, which is no longer enabled. */
void vdf_vcmdq_release(struct vdf_vcmdq *queue);
/** vdf_vcmdq_error() - does the queue have an error that is not acknowledged? */
bool vdf_vcmdq_error(const struct vdf_vcmdq *queue);
/** vdf_vcmdq_pins() - does the queue use memory at these addresses? */
bool vdf_vcmdq_pins(const struct vdf_vcmdq *queue, uint64_t first, uint64_t last);
/** vdf_vcmdq_take_idle() - a new queue takes over the registers that were set up before it. */
void vdf_vcmdq_take_idle(struct vdf_vcmdq *queue);
/** vdf_vcmdq_idle_reg() - the register at this offset of a page, and its bits; -1: no register that can
 *  be written. */
int vdf_vcmdq_idle_reg(unsigned page, uint64_t offset, uint64_t *mask);
int vdf_vcmdq_window_read(struct vdf_vcmdq *queue, unsigned page, uint64_t offset, unsigned width,
                          uint64_t *value);
int vdf_vcmdq_window_write(struct vdf_vcmdq *queue, unsigned page, uint64_t offset, unsigned width,
                           uint64_t value, struct vdf_err *err);

/* Page 0 */
#define REG_CONS 0x00u
#define REG_PROD 0x04u
#define REG_CONFIG 0x08u
#define REG_STATUS 0x0cu
#define REG_GERROR 0x10u
#define REG_GERRORN 0x14u
#define REGS_SIZE 0x18u
#define PAGE0_SIZE 0x80u /* from one queue to the next */
/* Page 1 */
#define REG_BASE 0x00u
#define REG_CONS_INDX_BASE 0x08u

#define CONS_RD_MASK 0xfffffu
#define CONS_ERR_SHIFT 24u
#define CONS_MASK 0x7f0fffffu
#define PROD_MASK 0xfffffu
#define CONFIG_EN 1u
#define STATUS_EN_OK 1u
#define GERROR_CMDQ_ERR 1u
#define GERROR_CONS_DRAM_WR_ABT 2u
#define GERROR_CMDQ_INIT_ERR 4u
#define GERROR_MASK 7u
#define BASE_ADDR_MASK UINT64_C(0xffffffffffe0)
#define BASE_LOG2SIZE_MASK 0x1fu
#define COMMAND_BYTES 16u

extern const char *const vdf_cerror_words[];
extern const struct vdf_raw_ops vdf_vcmdq_page_ops;
#define CERRORS (VDF_CERROR_ILL_ACCESS + 1u)

/** vdf_vcmdq_load_hardware() - take the registers over from the hardware's page. */
void vdf_vcmdq_load_hardware(struct vdf_vcmdq *queue);
/** vdf_vcmdq_make_page() - make the page, with all words in it. Return: 0 or -errno. */
int vdf_vcmdq_make_page(struct vdf_vcmdq *queue);
/** vdf_vcmdq_make_vintf_page() - the same for the page of the VINTF. */
int vdf_vcmdq_make_vintf_page(struct vdf_hwqueue *dev);
/** vdf_vcmdq_store_words() - store @n bytes at @offset of @page to the driver's words of the queue, whose
 *  registers begin at @first there. */
void vdf_vcmdq_store_words(struct vdf_vcmdq *queue, uint8_t *page, unsigned first,
                           const void *bytes, size_t n, uint64_t offset);
/** vdf_vcmdq_poll() - begin or end to poll a VCMDQ's page. */
void vdf_vcmdq_poll(struct vdf_vcmdq *queue);
/** vdf_vcmdq_watch() - poll the page while it may be stored to. */
void vdf_vcmdq_watch(struct vdf_vcmdq *queue);
/** vdf_vcmdq_is_published() - does the page, which exists, still have the device's words? */
bool vdf_vcmdq_is_published(const struct vdf_vcmdq *queue);
/** vdf_vcmdq_publish_driver_word() - the same for a driver's word that was written as a file. */
void vdf_vcmdq_publish_driver_word(struct vdf_vcmdq *queue, unsigned offset, uint32_t value);
/* The driver's words as they are now. */
uint32_t vdf_vcmdq_load_prod(const struct vdf_vcmdq *queue);
uint32_t vdf_vcmdq_load_config(const struct vdf_vcmdq *queue);
uint32_t vdf_vcmdq_load_gerrorn(const struct vdf_vcmdq *queue);
uint32_t vdf_vcmdq_load_cons(const struct vdf_vcmdq *queue);
/* All words, each loaded before the words that precede it in the driver's program: a driver sets up
 * PROD before CONFIG.EN, and repairs a command before it acknowledges the error. */
struct vdf_vcmdq_words {
    uint32_t prod, config, gerrorn;
};
struct vdf_vcmdq_words vdf_vcmdq_load_words(const struct vdf_vcmdq *queue);
/** vdf_vcmdq_active_errors() - bits of GERROR that are not acknowledged. */
uint32_t vdf_vcmdq_active_errors(const struct vdf_vcmdq *queue);
/** vdf_vcmdq_entries() - commands that the ring has room for. */
uint32_t vdf_vcmdq_entries(const struct vdf_vcmdq *queue);
/** vdf_vcmdq_cons_bits() - the bits of CONS: index and wrap bit of a ring of this size, and ERR. */
uint32_t vdf_vcmdq_cons_bits(const struct vdf_vcmdq *queue);
/** vdf_vcmdq_outstanding() - commands from CONS to PROD; more than the entries: PROD is wrong. */
uint32_t vdf_vcmdq_outstanding(const struct vdf_vcmdq *queue, uint32_t prod, uint32_t cons);
/** vdf_vcmdq_allocate() - HW_QUEUE_ALLOC. 0 or its -errno. */
int vdf_vcmdq_allocate(struct vdf_vcmdq *queue, struct vdf_err *err);
/** vdf_vcmdq_unpin() - release the memory of the ring but keep the registers: a driver stores another
 *  BASE. The order of the queues does not matter. */
int vdf_vcmdq_unpin(struct vdf_vcmdq *queue, struct vdf_err *err);
/** vdf_vcmdq_disable() - release the queue; EBUSY while the next one is enabled. */
int vdf_vcmdq_disable(struct vdf_vcmdq *queue, struct vdf_err *err);
/** vdf_vcmdq_ready() - STATUS, which follows from the other registers. */
uint32_t vdf_vcmdq_ready(const struct vdf_vcmdq *queue);
/** vdf_vcmdq_advance() - take these words of the driver, run the commands, publish. */
void vdf_vcmdq_advance(struct vdf_vcmdq *queue, uint32_t prod, uint32_t config, uint32_t gerrorn);

#endif
