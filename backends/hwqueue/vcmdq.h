/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the two files of a VCMDQ share: how it works (vcmdq.c) and what its files do
 * (vcmdq_table.c). */
#ifndef VDF_HWQUEUE_VCMDQ_H
#define VDF_HWQUEUE_VCMDQ_H

#include "hwqueue.h"

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
/** vdf_vcmdq_make_page() - the page comes into being, with all words in it. 0 or -errno. */
int vdf_vcmdq_make_page(struct vdf_vcmdq *queue);
/** vdf_vcmdq_make_vintf_page() - the same for the page of the VINTF. */
int vdf_vcmdq_make_vintf_page(struct vdf_hwqueue *dev);
/** vdf_vcmdq_watch() - let the engine look at the page while somebody may store to it. */
void vdf_vcmdq_watch(struct vdf_vcmdq *queue);
/** vdf_vcmdq_publish() - store the device's words into the page, if there is one. */
void vdf_vcmdq_publish(struct vdf_vcmdq *queue);
/** vdf_vcmdq_is_published() - does the page, which there is, still have the device's words? */
bool vdf_vcmdq_is_published(const struct vdf_vcmdq *queue);
/** vdf_vcmdq_publish_driver_word() - the same for a driver's word that was written as a file. */
void vdf_vcmdq_publish_driver_word(struct vdf_vcmdq *queue, unsigned offset, uint32_t value);
/* What the driver's words are now. */
uint32_t vdf_vcmdq_load_prod(const struct vdf_vcmdq *queue);
uint32_t vdf_vcmdq_load_config(const struct vdf_vcmdq *queue);
uint32_t vdf_vcmdq_load_gerrorn(const struct vdf_vcmdq *queue);
uint32_t vdf_vcmdq_load_cons(const struct vdf_vcmdq *queue);
/* All of them, each before what it announces: a driver sets PROD up before CONFIG.EN, and mends a
 * command before it acknowledges the error. */
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
/** vdf_vcmdq_pin() - what HW_QUEUE_ALLOC of the model asks; @restored: not of the queue before it,
 *  and a ring may be aligned by its IOVA only, as older versions save it. */
int vdf_vcmdq_pin(struct vdf_vcmdq *queue, bool restored, struct vdf_err *err);
/** vdf_vcmdq_unpin() - a driver that stores another BASE leaves the memory of the old one, in any
 *  order of the queues; registers stay. */
int vdf_vcmdq_unpin(struct vdf_vcmdq *queue, struct vdf_err *err);
/** vdf_vcmdq_disable() - give the queue back; EBUSY while the next one is enabled. */
int vdf_vcmdq_disable(struct vdf_vcmdq *queue, struct vdf_err *err);
/** vdf_vcmdq_ready() - STATUS as the other registers make it. */
uint32_t vdf_vcmdq_ready(const struct vdf_vcmdq *queue);
/** vdf_vcmdq_advance() - the driver's words are now these: run what is to run, publish. */
void vdf_vcmdq_advance(struct vdf_vcmdq *queue, uint32_t prod, uint32_t config, uint32_t gerrorn);

#endif
