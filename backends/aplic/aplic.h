/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RISC-V APLIC and IMSIC: the state, and what its files do for each other.
 *
 *   aplic.c    life of a device, the component
 *   table.c    every file and register, one row each
 *   config.c   what is set before `init`, and `init`
 *   source.c   interrupt sources: modes, pending and enable bits, wires, forwarding
 *   regs.c     hooks of the register rows, accesses by a guest
 *   imsic.c    interrupt files of the harts, MSIs to them
 *   idc.c      direct delivery: priorities, claims, the signals to the harts
 *   guest.c    what a guest reaches of it, and the ways of its interrupts to the guest
 *   kvm.h      the host's device behind the same files, instead of all this
 *   probe.c    whether this host has such a device
 *
 * There are two machines in here. With MSI delivery the device is what Linux's KVM emulates, also
 * where that departs from the RISC-V Advanced Interrupt Architecture (AIA). With direct delivery,
 * which KVM does not have, it follows the AIA specification, chapter 4.
 */
#ifndef VDF_APLIC_H
#define VDF_APLIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <virtdevfs/component.h>
#include <virtdevfs/guest.h>
#include <virtdevfs/irq.h>

#define VDF_APLIC_HOST_IDS 256u /* identities of a host; with MSIs sources stay below it too */
#define VDF_APLIC_WIRES 1023u   /* most sources that the architecture has (AIA 4.1) */
#define VDF_APLIC_HARTS 16384u  /* hart indexes are 14 bits (AIA 4.3) */
#define VDF_APLIC_WORDS ((VDF_APLIC_WIRES + 1) / 32)
#define VDF_APLIC_EIX (VDF_APLIC_HOST_IDS / 64)

#define VDF_APLIC_SIZE 0x4000u /* bytes of the control region without IDC structures */
#define VDF_APLIC_IDC_SIZE 32u /* bytes of one IDC structure (AIA 4.8.1) */
#define VDF_APLIC_CLAIMI 0x1cu /* in it */

/* Offsets of registers (AIA 4.5); those of a source are 4 times its number, of a word 4 times
 * its. */
#define VDF_APLIC_DOMAINCFG 0x0000u
#define VDF_APLIC_SOURCECFG 0x0000u
#define VDF_APLIC_SETIP 0x1c00u
#define VDF_APLIC_SETIPNUM 0x1cdcu
#define VDF_APLIC_IN_CLRIP 0x1d00u
#define VDF_APLIC_SETIE 0x1e00u
#define VDF_APLIC_GENMSI 0x3000u
#define VDF_APLIC_TARGET 0x3000u

#define VDF_IMSIC_PAGE_SHIFT 12
#define VDF_IMSIC_PAGE_SIZE (UINT64_C(1) << VDF_IMSIC_PAGE_SHIFT)
#define VDF_IMSIC_SETEIPNUM_LE 0x0u
#define VDF_IMSIC_SETEIPNUM_BE 0x4u

#define VDF_APLIC_NO_ADDRESS UINT64_MAX /* not set yet */

/* domaincfg (AIA 4.5.1) */
#define VDF_DOMAINCFG_BASE 0x80000000u
#define VDF_DOMAINCFG_IE 0x100u
#define VDF_DOMAINCFG_DM 0x4u

/* sourcecfg (AIA 4.5.2) */
#define VDF_SOURCECFG_D 0x400u
#define VDF_SOURCECFG_SM 0x7u
enum vdf_source_mode {
    VDF_SM_INACTIVE = 0,
    VDF_SM_DETACHED = 1,
    VDF_SM_EDGE_RISE = 4,
    VDF_SM_EDGE_FALL = 5,
    VDF_SM_LEVEL_HIGH = 6,
    VDF_SM_LEVEL_LOW = 7,
};

/* target (AIA 4.5.16) and genmsi (AIA 4.5.15) */
#define VDF_TARGET_HART_SHIFT 18
#define VDF_TARGET_GUEST_SHIFT 12
#define VDF_TARGET_GUEST_MASK 0x3fu
#define VDF_TARGET_EIID 0x7ffu
#define VDF_TARGET_IPRIO 0xffu
#define VDF_TARGET_MSI_BITS 0xfffff7ffu
#define VDF_TARGET_DIRECT_BITS 0xfffc00ffu
#define VDF_GENMSI_BITS 0xfffc0fffu

enum vdf_aplic_backend { VDF_APLIC_SOFT, VDF_APLIC_KVM };
enum vdf_aplic_delivery { VDF_APLIC_MSI, VDF_APLIC_DIRECT };

/* A hart: its interrupt file (MSI delivery) or its IDC structure (direct delivery). */
struct vdf_aplic_hart {
    uint64_t address;    /* of its IMSIC page; VDF_APLIC_NO_ADDRESS until set */
    uint32_t hart_index; /* that MSIs find it by; from `address`, made by init */
    uint16_t eithreshold;
    uint8_t eidelivery;
    uint64_t eip[VDF_APLIC_EIX]; /* bit n of word w: identity 64w + n is pending */
    uint64_t eie[VDF_APLIC_EIX];

    uint8_t idelivery, iforce, ithreshold;
};

struct vdf_aplic_index {
    uint32_t hart_index;
    uint32_t hart;
};

struct vdf_aplic {
    struct vdf_priv priv;

    /* Before init. The types are those of KVM's attributes. */
    uint8_t delivery;
    uint32_t n_harts;
    uint32_t mode;
    uint32_t n_ids;
    uint32_t n_sources;
    uint32_t group_bits, group_shift, hart_bits, guest_bits;
    uint64_t address;

    uint8_t initialised;
    struct vdf_kvm *kvm; /* the host's device that answers instead of the fields below; or NULL */

    /* n_harts of them; NULL for none. `by_index` is sorted by hart_index, then hart. */
    struct vdf_aplic_hart *harts;
    struct vdf_aplic_index *by_index;

    uint32_t interrupt_enable; /* domaincfg.IE in its place, or 0 */
    uint32_t genmsi;
    /* Bit n of word w: source 32w + n. */
    uint32_t pending[VDF_APLIC_WORDS];
    uint32_t enabled[VDF_APLIC_WORDS];
    uint32_t input[VDF_APLIC_WORDS];
    uint8_t sourcecfg[VDF_APLIC_WIRES + 1];
    uint32_t target[VDF_APLIC_WIRES + 1];

    struct vdf_log msi_log;

    /* Where interrupts go besides the model's own files: what the interrupt files signal, or with
     * direct delivery one line, the OR of the signals to the harts. */
    struct vdf_irq irq;
    bool line;
    struct vdf_aplic_way *ways; /* slots of a guest that it is attached to (guest.c) */
};

static inline bool vdf_aplic_bit(const uint32_t *words, uint32_t n)
{
    return words[n / 32] >> (n % 32) & 1;
}

static inline void vdf_aplic_put_bit(uint32_t *words, uint32_t n, bool value)
{
    uint32_t bit = UINT32_C(1) << (n % 32);

    words[n / 32] = value ? words[n / 32] | bit : words[n / 32] & ~bit;
}

/* Modes 2 and 3 are reserved (AIA 4.5.2). */
static inline bool vdf_aplic_is_mode(uint32_t mode)
{
    return mode <= VDF_SM_DETACHED || mode >= VDF_SM_EDGE_RISE;
}

/* A source number of the domain? Sources are 1 and up; 0 is none. */
static inline bool vdf_aplic_is_source(const struct vdf_aplic *aplic, uint32_t n)
{
    return n != 0 && n <= aplic->n_sources;
}

static inline bool vdf_aplic_direct(const struct vdf_aplic *aplic)
{
    return aplic->delivery == VDF_APLIC_DIRECT;
}

/* Words that sources 0 to n_sources take. */
static inline uint32_t vdf_aplic_words(const struct vdf_aplic *aplic)
{
    return aplic->n_sources / 32 + 1;
}

/* Bits of word @w that belong to sources. */
uint32_t vdf_aplic_word_mask(const struct vdf_aplic *aplic, uint32_t w);

/* Pairs of 64-bit eip and eie registers of an interrupt file. */
static inline uint32_t vdf_aplic_eix(const struct vdf_aplic *aplic)
{
    return aplic->n_ids / 64 + 1;
}

/* --- aplic.c ---------------------------------------------------------------------------------- */

/* Hooks of the class. */
int vdf_aplic_create(struct vdf_obj *obj, struct vdf_err *err);
void vdf_aplic_destroy(struct vdf_obj *obj);
int vdf_aplic_restored(struct vdf_obj *obj, struct vdf_err *err);
void vdf_aplic_adopt(struct vdf_obj *obj, void *old, void *now);

/* --- config.c --------------------------------------------------------------------------------- */

/** vdf_aplic_set_harts() - make the harts @n; those that stay keep their addresses. 0 or -ENOMEM.
 */
int vdf_aplic_set_harts(struct vdf_aplic *aplic, uint32_t n, struct vdf_err *err);

/** vdf_aplic_hart_index() - the number by which the APLIC's MSIs find an IMSIC address (AIA 3.6).
 */
uint32_t vdf_aplic_hart_index(const struct vdf_aplic *aplic, uint64_t address);

/** vdf_aplic_check_init() - what init would answer: 0, -EBUSY or -EINVAL. */
int vdf_aplic_check_init(const struct vdf_aplic *aplic, struct vdf_err *err);
/** vdf_aplic_initialise() - init has succeeded: the registers are there. */
void vdf_aplic_initialise(struct vdf_aplic *aplic);
/** vdf_aplic_init() - KVM_DEV_RISCV_AIA_CTRL_INIT: 0, -EBUSY or -EINVAL with nothing changed. */
int vdf_aplic_init(struct vdf_aplic *aplic, struct vdf_err *err);

/* --- source.c --------------------------------------------------------------------------------- */

/** vdf_aplic_rectified() - the rectified input value of a source. */
bool vdf_aplic_rectified(const struct vdf_aplic *aplic, uint32_t n);

/* Writes by number: the register's rules, a number that is no source is ignored. */
void vdf_aplic_write_pending(struct vdf_aplic *aplic, uint32_t n, bool pending);
void vdf_aplic_write_enabled(struct vdf_aplic *aplic, uint32_t n, bool enabled);
void vdf_aplic_write_sourcecfg(struct vdf_aplic *aplic, uint32_t n, uint32_t value);
/** vdf_aplic_settle() - direct delivery: what AIA 4.5.2 and 4.7 say that the bits of a source are
 * in its mode and with its input, whatever they were. */
void vdf_aplic_settle(struct vdf_aplic *aplic, uint32_t n);
/** vdf_aplic_copies_input() - is the pending bit of the source a copy of its rectified input? */
bool vdf_aplic_copies_input(const struct vdf_aplic *aplic, uint32_t n);
void vdf_aplic_write_target(struct vdf_aplic *aplic, uint32_t n, uint32_t value);

/** vdf_aplic_wire() - KVM_IRQ_LINE: -EBUSY before init, -ENODEV for what is no source. */
int vdf_aplic_wire(struct vdf_aplic *aplic, uint32_t n, bool level, struct vdf_err *err);

/** vdf_aplic_update() - after a register write: forward or signal what has become due. */
void vdf_aplic_update(struct vdf_aplic *aplic);

/* --- imsic.c ---------------------------------------------------------------------------------- */

/** vdf_aplic_send_msi() - an MSI of the APLIC, by numbers; dropped in silence when nobody takes it.
 */
void vdf_aplic_send_msi(struct vdf_aplic *aplic, uint32_t hart_index, uint32_t guest,
                        uint32_t eiid);

/**
 * vdf_aplic_signal_msi() - KVM_SIGNAL_MSI, an MSI by address.
 * Return: 0 also when no interrupt file has the address; -EBUSY before init; -ENODEV for another
 * offset than 0 and 4, a guest page and data 0; -EINVAL for data above the identities.
 */
int vdf_aplic_signal_msi(struct vdf_aplic *aplic, uint64_t address, uint32_t data,
                         struct vdf_err *err);

/** vdf_aplic_signal_again() - tell `irq` of all that the interrupt file of @hart signals. */
void vdf_aplic_signal_again(struct vdf_aplic *aplic, uint32_t hart);

/** vdf_aplic_find_by_index() - the hart that MSIs with this index go to, or NULL. */
struct vdf_aplic_hart *vdf_aplic_find_by_index(const struct vdf_aplic *aplic, uint32_t hart_index);
/** vdf_aplic_find_by_page() - the hart whose IMSIC page (address / page size) this is, or NULL. */
struct vdf_aplic_hart *vdf_aplic_find_by_page(const struct vdf_aplic *aplic, uint64_t page);

/** vdf_aplic_parse_msi() - "ADDRESS DATA". 0, -EINVAL or -ERANGE. */
int vdf_aplic_parse_msi(const char *text, uint64_t *address, uint32_t *data, struct vdf_err *err);
/** vdf_aplic_check_identity() - for rows that are lists of them. */
int vdf_aplic_check_identity(const struct vdf_at *at, const char *line, size_t len,
                             struct vdf_err *err);
/** vdf_aplic_parse_identities() - a list of interrupt identities as bits. 0, -EINVAL or -ERANGE. */
int vdf_aplic_parse_identities(const struct vdf_aplic *aplic, const char *text,
                               uint64_t words[VDF_APLIC_EIX], struct vdf_err *err);
/** vdf_aplic_show_identities() - the numbers of the bits that are set, one a line. */
void vdf_aplic_show_identities(const uint64_t *words, uint32_t n_words, struct vdf_buf *out);

/* --- idc.c ------------------------------------------------------------------------------------ */

/** vdf_aplic_topi() - the highest-priority interrupt for a hart, or 0. */
uint32_t vdf_aplic_topi(const struct vdf_aplic *aplic, uint32_t hart);

/** vdf_aplic_claim() - a hardware read of claimi. */
uint32_t vdf_aplic_claim(struct vdf_aplic *aplic, uint32_t hart);

/** vdf_aplic_update_line() - derive the signals to the harts and drive the line of `irq`. */
void vdf_aplic_update_line(struct vdf_aplic *aplic);

/* --- for whoever attaches the device to a guest ----------------------------------------------- */

/**
 * vdf_aplic_mmio_read() - a guest's load from the control region.
 * Return: 0; -EOPNOTSUPP for another width than 4 or a misaligned offset, -ENODEV where no register
 * is: the access is not the device's.
 */
int vdf_aplic_mmio_read(struct vdf_obj *obj, uint64_t offset, unsigned width, uint64_t *value);
/** vdf_aplic_mmio_write() - a guest's store; as vdf_aplic_mmio_read(). */
int vdf_aplic_mmio_write(struct vdf_obj *obj, uint64_t offset, unsigned width, uint64_t value);

/** vdf_aplic_imsic_read() - a guest's load from the IMSIC page of @hart: zero. */
int vdf_aplic_imsic_read(struct vdf_obj *obj, uint32_t hart, uint64_t offset, unsigned width,
                         uint64_t *value);
/**
 * vdf_aplic_imsic_write() - a guest's store to the IMSIC page of @hart.
 * Return: 0, also for a store that means nothing; -EOPNOTSUPP for another width than 4 or a
 * misaligned offset, -ENODEV where there is no such page: the access is not the device's.
 */
int vdf_aplic_imsic_write(struct vdf_obj *obj, uint32_t hart, uint64_t offset, unsigned width,
                          uint64_t value);

/** vdf_aplic_connect() - send interrupts to @irq as well; NULL: no longer. */
void vdf_aplic_connect(struct vdf_obj *obj, const struct vdf_irq *irq);

/* --- kvm_rows.c ------------------------------------------------------------------------------- */

/* Hook of the class. */
const struct vdf_backend *vdf_aplic_kvm_backend(void);
#define VDF_APLIC_ROWS_MAX 64u

/* --- table.c, with the hooks in config.c, regs.c, imsic.c and idc.c --------------------------- */

extern const struct vdf_class vdf_aplic_class;
extern const struct vdf_probe_part vdf_aplic_probe;
extern const struct vdf_guest_ops vdf_aplic_guest_ops;

/* When rows exist, and how often. */
bool vdf_aplic_has_registers(const void *priv);
bool vdf_aplic_has_imsics(const void *priv);
bool vdf_aplic_has_topei(const void *priv);
bool vdf_aplic_has_idcs(const void *priv);
bool vdf_aplic_has_msis(const void *priv);
uint32_t vdf_aplic_count_harts(const void *priv);
uint32_t vdf_aplic_count_sources(const void *priv);
uint32_t vdf_aplic_count_words(const void *priv);
uint32_t vdf_aplic_count_eix(const void *priv);

int vdf_aplic_get_backend(const struct vdf_at *at, uint64_t *value);
int vdf_aplic_set_backend(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_aplic_check_open(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_aplic_check_delivery(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_aplic_check_harts(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_aplic_put_harts(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_aplic_get_harts(const struct vdf_at *at, uint64_t *value);
int vdf_aplic_check_mode(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_aplic_check_ids(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_aplic_check_sources(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_aplic_check_group_bits(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_aplic_check_group_shift(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_aplic_check_hart_bits(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_aplic_check_guest_bits(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_aplic_check_address(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_aplic_restore_address(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_aplic_get_imsic_address(const struct vdf_at *at, uint64_t *value);
int vdf_aplic_set_imsic_address(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_aplic_restore_imsic_address(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_aplic_put_init(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_aplic_restore_initialised(const struct vdf_at *at, uint64_t value, struct vdf_err *err);

/* For restored registers: -EINVAL for other bits than a write can leave in it. */
int vdf_aplic_check_bits(uint64_t value, uint64_t bits, struct vdf_err *err);
/* For a restored wire: -EINVAL for one that is high and no source's. */
int vdf_aplic_check_wire(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
void vdf_aplic_show_sources(const uint32_t *words, uint32_t n_words, struct vdf_buf *out);

/* What a register row does: get_, set_ (all at once what a hardware write does) and restore_. */
int vdf_aplic_get_zero(const struct vdf_at *at, uint64_t *value);
int vdf_aplic_set_nothing(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_aplic_get_domaincfg(const struct vdf_at *at, uint64_t *value);
int vdf_aplic_set_domaincfg(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_aplic_restore_domaincfg(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_aplic_get_sourcecfg(const struct vdf_at *at, uint64_t *value);
int vdf_aplic_set_sourcecfg(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_aplic_restore_sourcecfg(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_aplic_get_target(const struct vdf_at *at, uint64_t *value);
int vdf_aplic_set_target(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_aplic_get_held_target(const struct vdf_at *at, uint64_t *value);
int vdf_aplic_restore_held_target(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_aplic_get_setip(const struct vdf_at *at, uint64_t *value);
int vdf_aplic_set_setip(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_aplic_restore_setip(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_aplic_get_in_clrip(const struct vdf_at *at, uint64_t *value);
int vdf_aplic_set_in_clrip(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_aplic_get_setie(const struct vdf_at *at, uint64_t *value);
int vdf_aplic_set_setie(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_aplic_restore_setie(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_aplic_set_clrie(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_aplic_set_setipnum(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_aplic_set_setipnum_be(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_aplic_set_clripnum(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_aplic_set_setienum(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_aplic_set_clrienum(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_aplic_get_genmsi(const struct vdf_at *at, uint64_t *value);
int vdf_aplic_set_genmsi(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_aplic_restore_genmsi(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_aplic_get_wire(const struct vdf_at *at, uint64_t *value);
int vdf_aplic_set_wire(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_aplic_restore_wire(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
void vdf_aplic_show_pending(const struct vdf_at *at, struct vdf_buf *out);
void vdf_aplic_show_enabled(const struct vdf_at *at, struct vdf_buf *out);
extern const struct vdf_window_ops vdf_aplic_window_ops;

int vdf_aplic_get_eidelivery(const struct vdf_at *at, uint64_t *value);
int vdf_aplic_set_eidelivery(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_aplic_get_eithreshold(const struct vdf_at *at, uint64_t *value);
int vdf_aplic_set_eithreshold(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_aplic_get_topei(const struct vdf_at *at, uint64_t *value);
int vdf_aplic_set_topei(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_aplic_get_eip(const struct vdf_at *at, uint64_t *value);
int vdf_aplic_set_eip(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_aplic_get_eie(const struct vdf_at *at, uint64_t *value);
int vdf_aplic_set_eie(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_aplic_get_held_eip(const struct vdf_at *at, uint64_t *value);
int vdf_aplic_restore_held_eip(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_aplic_get_held_eie(const struct vdf_at *at, uint64_t *value);
int vdf_aplic_restore_held_eie(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
void vdf_aplic_show_eip(const struct vdf_at *at, struct vdf_buf *out);
void vdf_aplic_show_eie(const struct vdf_at *at, struct vdf_buf *out);
int vdf_aplic_store_eip(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err);
int vdf_aplic_store_eie(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err);
int vdf_aplic_store_signal_msi(const struct vdf_at *at, const char *text, size_t len,
                               struct vdf_err *err);

int vdf_aplic_get_idelivery(const struct vdf_at *at, uint64_t *value);
int vdf_aplic_set_idelivery(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_aplic_get_iforce(const struct vdf_at *at, uint64_t *value);
int vdf_aplic_set_iforce(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_aplic_get_ithreshold(const struct vdf_at *at, uint64_t *value);
int vdf_aplic_set_ithreshold(const struct vdf_at *at, uint64_t value, struct vdf_err *err);
int vdf_aplic_get_topi(const struct vdf_at *at, uint64_t *value);
int vdf_aplic_read_claimi(const struct vdf_at *at, uint64_t *value);

#endif
