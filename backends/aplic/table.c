/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every file and register of an APLIC with its IMSICs.
 *
 * Rows are in the order in which a state is read back: first what is set before init, then init
 * itself, which makes the registers exist, then the registers.
 */
#include "aplic.h"

#define WINDOW 1u /* `regs` */

static const char *const backends[] = { "soft", "kvm", NULL };
static const char *const deliveries[] = { "msi", "direct", NULL };

#define HARTS                                                  \
    {                                                          \
        .counted = vdf_aplic_count_harts, .text = "0..harts-1" \
    }
#define SOURCES                                                           \
    {                                                                     \
        .first = 1, .counted = vdf_aplic_count_sources, .text = "1..srcs" \
    }
#define WORDS                                                  \
    {                                                          \
        .counted = vdf_aplic_count_words, .text = "0..srcs/32" \
    }
#define EIX                                                               \
    {                                                                     \
        .step = 2, .counted = vdf_aplic_count_eix, .text = "0, 2, 4, ..." \
    }
#define EIX_WORDS                                           \
    {                                                       \
        .counted = vdf_aplic_count_eix, .text = "0..ids/64" \
    }

/* Offsets of the registers (AIA 4.5). */
#define REGISTER(at)                                                                        \
    .width = 4, .when = vdf_aplic_has_registers, .needs = "1 written to init, and sources", \
    .window = WINDOW, .offset = (at)
#define IDC_REGISTER(at)                                                                       \
    .width = 4, .when = vdf_aplic_has_idcs, .needs = "1 written to init, and delivery direct", \
    .window = WINDOW, .offset = VDF_APLIC_SIZE + (at), .stride = VDF_APLIC_IDC_SIZE,           \
    .range = { HARTS }

static const struct vdf_attr rows[] = {
    /* --- before init ------------------------------------------------------------------------ */
    {
        .path = "backend",
        .type = VDF_CHOICE,
        .flags = VDF_RW | VDF_KEPT,
        .doc = "soft: the model in virtdevfs; kvm: the device of the host's KVM; before init",
        .width = 1,
        .choices = backends,
        .get = vdf_aplic_get_backend,
        .set = vdf_aplic_set_backend,
    },
    {
        .path = "delivery",
        .type = VDF_CHOICE,
        .flags = VDF_RW | VDF_SAVE,
        .doc = "msi: MSIs to the IMSICs, as KVM's irqchip; direct: IDC structures; before init",
        VDF_FIELD(struct vdf_aplic, delivery),
        .choices = deliveries,
        .check = vdf_aplic_check_delivery,
    },
    {
        .path = "harts",
        .type = VDF_UINT,
        .flags = VDF_RW | VDF_SAVE,
        .width = 4,
        .doc = "number of harts, 0 to 16384, whose ids are 0 and up; before init",
        .get = vdf_aplic_get_harts,
        .check = vdf_aplic_check_harts,
        .set = vdf_aplic_put_harts,
    },
    {
        .path = "aia/mode",
        .type = VDF_UINT,
        .flags = VDF_RW | VDF_SAVE,
        .shown = vdf_aplic_has_msis,
        .needs = "delivery msi",
        .doc = "CONFIG attribute: 0 EMUL, 1 HWACCEL, 2 AUTO",
        VDF_FIELD(struct vdf_aplic, mode),
        .reset = 2,
        .check = vdf_aplic_check_mode,
    },
    {
        .path = "aia/ids",
        .type = VDF_UINT,
        .flags = VDF_RW | VDF_SAVE,
        .shown = vdf_aplic_has_msis,
        .needs = "delivery msi",
        .doc = "CONFIG attribute: interrupt identities, 63, 127, 191 or 255",
        VDF_FIELD(struct vdf_aplic, n_ids),
        .reset = 255,
        .check = vdf_aplic_check_ids,
    },
    {
        .path = "aia/srcs",
        .type = VDF_UINT,
        .flags = VDF_RW | VDF_SAVE,
        .doc = "CONFIG attribute: interrupt sources, 0 to 255; with direct delivery 0 to 1023",
        VDF_FIELD(struct vdf_aplic, n_sources),
        .check = vdf_aplic_check_sources,
    },
    {
        .path = "aia/group_bits",
        .type = VDF_UINT,
        .flags = VDF_RW | VDF_SAVE,
        .shown = vdf_aplic_has_msis,
        .needs = "delivery msi",
        .doc = "CONFIG attribute: bits of the group number in IMSIC addresses, 0 to 7",
        VDF_FIELD(struct vdf_aplic, group_bits),
        .check = vdf_aplic_check_group_bits,
    },
    {
        .path = "aia/group_shift",
        .type = VDF_UINT,
        .flags = VDF_RW | VDF_SAVE,
        .shown = vdf_aplic_has_msis,
        .needs = "delivery msi",
        .doc = "CONFIG attribute: lowest bit of the group number in IMSIC addresses, 24 to 55",
        VDF_FIELD(struct vdf_aplic, group_shift),
        .reset = 24,
        .check = vdf_aplic_check_group_shift,
    },
    {
        .path = "aia/hart_bits",
        .type = VDF_UINT,
        .flags = VDF_RW | VDF_SAVE,
        .shown = vdf_aplic_has_msis,
        .needs = "delivery msi",
        .doc = "CONFIG attribute: bits of the hart number in IMSIC addresses, 0 to 15",
        VDF_FIELD(struct vdf_aplic, hart_bits),
        .check = vdf_aplic_check_hart_bits,
    },
    {
        .path = "aia/guest_bits",
        .type = VDF_UINT,
        .flags = VDF_RW | VDF_SAVE,
        .shown = vdf_aplic_has_msis,
        .needs = "delivery msi",
        .doc = "CONFIG attribute: bits of the guest number in IMSIC addresses, 0 to 7",
        VDF_FIELD(struct vdf_aplic, guest_bits),
        .check = vdf_aplic_check_guest_bits,
    },
    {
        .path = "addr/aplic",
        .type = VDF_REG,
        .flags = VDF_RW | VDF_SAVE,
        .doc = "ADDR attribute: guest address of the control region; all ones: not set",
        VDF_FIELD(struct vdf_aplic, address),
        .reset = VDF_APLIC_NO_ADDRESS,
        .check = vdf_aplic_check_address,
        .restore = vdf_aplic_restore_address,
    },
    {
        .path = "addr/imsic/#",
        .type = VDF_REG,
        .flags = VDF_RW | VDF_SAVE,
        .width = 8,
        .shown = vdf_aplic_has_msis,
        .needs = "delivery msi",
        .doc = "ADDR attribute: guest address of the hart's IMSIC page; all ones: not set",
        .range = { HARTS },
        .reset = VDF_APLIC_NO_ADDRESS,
        .get = vdf_aplic_get_imsic_address,
        .check = vdf_aplic_check_address,
        .set = vdf_aplic_set_imsic_address,
        .restore = vdf_aplic_restore_imsic_address,
    },
    {
        .path = "init",
        .type = VDF_UINT,
        .flags = VDF_W,
        .width = 8,
        .doc = "CTRL attribute: any number initialises the device, once",
        .set = vdf_aplic_put_init,
    },
    {
        .path = "initialised",
        .type = VDF_BOOL,
        .flags = VDF_NO_FILE | VDF_SAVE,
        .doc = "1 from init on",
        VDF_FIELD(struct vdf_aplic, initialised),
        .restore = vdf_aplic_restore_initialised,
    },

    /* --- the control region ----------------------------------------------------------------- */
    {
        .path = "domaincfg",
        .type = VDF_REG,
        .flags = VDF_RW | VDF_SAVE,
        REGISTER(VDF_APLIC_DOMAINCFG),
        .doc =
            "domain configuration: bit 8 (IE) lets interrupts through, bit 2 (DM) is set with MSIs",
        .get = vdf_aplic_get_domaincfg,
        .set = vdf_aplic_set_domaincfg,
        .restore = vdf_aplic_restore_domaincfg,
    },
    {
        .path = "sourcecfg/#",
        .type = VDF_REG,
        .flags = VDF_RW | VDF_SAVE,
        REGISTER(VDF_APLIC_SOURCECFG + 4),
        .stride = 4,
        .range = { SOURCES },
        .doc = "source mode: 0 inactive, 1 detached, 4 and 5 rising and falling edge, 6 and 7 high "
               "and low level",
        .get = vdf_aplic_get_sourcecfg,
        .set = vdf_aplic_set_sourcecfg,
        .restore = vdf_aplic_restore_sourcecfg,
    },
    {
        .path = "target/#",
        .type = VDF_REG,
        .flags = VDF_RW,
        REGISTER(VDF_APLIC_TARGET + 4),
        .stride = 4,
        .range = { SOURCES },
        .doc = "target: hart index from bit 18; with MSIs guest from bit 12 and identity, else "
               "priority",
        .get = vdf_aplic_get_target,
        .set = vdf_aplic_set_target,
    },
    {
        .path = "held_target/#",
        .type = VDF_REG,
        .flags = VDF_NO_FILE | VDF_SAVE,
        .width = 4,
        .when = vdf_aplic_has_registers,
        .needs = "1 written to init, and sources",
        .range = { SOURCES },
        .doc = "target register, also of a source that is inactive in direct delivery",
        .get = vdf_aplic_get_held_target,
        .restore = vdf_aplic_restore_held_target,
    },
    {
        .path = "wire/#",
        .type = VDF_BOOL,
        .flags = VDF_RW | VDF_SAVE,
        .width = 1,
        .range = { { .first = 1,
                     .count = VDF_APLIC_WIRES,
                     .used = vdf_aplic_count_sources,
                     .text = "1..1023" } },
        .doc = "input line of a source: a write is KVM_IRQ_LINE, a read gives the last level",
        .get = vdf_aplic_get_wire,
        .set = vdf_aplic_set_wire,
        .restore = vdf_aplic_restore_wire,
    },
    {
        .path = "setip/#",
        .type = VDF_REG,
        .flags = VDF_RW | VDF_SAVE,
        REGISTER(VDF_APLIC_SETIP),
        .stride = 4,
        .range = { WORDS },
        .doc = "pending bits of 32 sources; 1 bits set them",
        .get = vdf_aplic_get_setip,
        .set = vdf_aplic_set_setip,
        .restore = vdf_aplic_restore_setip,
    },
    {
        .path = "setipnum",
        .type = VDF_REG,
        .flags = VDF_RW,
        REGISTER(VDF_APLIC_SETIPNUM),
        .doc = "set the pending bit of a source by its number; reads 0",
        .get = vdf_aplic_get_zero,
        .set = vdf_aplic_set_setipnum,
    },
    {
        .path = "in_clrip/#",
        .type = VDF_REG,
        .flags = VDF_RW,
        REGISTER(VDF_APLIC_IN_CLRIP),
        .stride = 4,
        .range = { WORDS },
        .doc = "rectified inputs of 32 sources; 1 bits clear pending bits",
        .get = vdf_aplic_get_in_clrip,
        .set = vdf_aplic_set_in_clrip,
    },
    {
        .path = "clripnum",
        .type = VDF_REG,
        .flags = VDF_RW,
        REGISTER(0x1ddc),
        .doc = "clear the pending bit of a source by its number; reads 0",
        .get = vdf_aplic_get_zero,
        .set = vdf_aplic_set_clripnum,
    },
    {
        .path = "setie/#",
        .type = VDF_REG,
        .flags = VDF_RW | VDF_SAVE,
        REGISTER(VDF_APLIC_SETIE),
        .stride = 4,
        .range = { WORDS },
        .doc = "enable bits of 32 sources; 1 bits set them",
        .get = vdf_aplic_get_setie,
        .set = vdf_aplic_set_setie,
        .restore = vdf_aplic_restore_setie,
    },
    {
        .path = "setienum",
        .type = VDF_REG,
        .flags = VDF_RW,
        REGISTER(0x1edc),
        .doc = "set the enable bit of a source by its number; reads 0",
        .get = vdf_aplic_get_zero,
        .set = vdf_aplic_set_setienum,
    },
    {
        .path = "clrie/#",
        .type = VDF_REG,
        .flags = VDF_RW,
        REGISTER(0x1f00),
        .stride = 4,
        .range = { WORDS },
        .doc = "1 bits clear enable bits of 32 sources; reads 0",
        .get = vdf_aplic_get_zero,
        .set = vdf_aplic_set_clrie,
    },
    {
        .path = "clrienum",
        .type = VDF_REG,
        .flags = VDF_RW,
        REGISTER(0x1fdc),
        .doc = "clear the enable bit of a source by its number; reads 0",
        .get = vdf_aplic_get_zero,
        .set = vdf_aplic_set_clrienum,
    },
    {
        .path = "setipnum_le",
        .type = VDF_REG,
        .flags = VDF_RW,
        REGISTER(0x2000),
        .doc = "as setipnum, always little-endian",
        .get = vdf_aplic_get_zero,
        .set = vdf_aplic_set_setipnum,
    },
    {
        .path = "setipnum_be",
        .type = VDF_REG,
        .flags = VDF_RW,
        REGISTER(0x2004),
        .doc = "as setipnum, with the bytes of the number reversed",
        .get = vdf_aplic_get_zero,
        .set = vdf_aplic_set_setipnum_be,
    },
    {
        .path = "genmsi",
        .type = VDF_REG,
        .flags = VDF_RW | VDF_SAVE,
        REGISTER(VDF_APLIC_GENMSI),
        .doc = "send an MSI at once: hart index from bit 18, identity; reads what was written last",
        .get = vdf_aplic_get_genmsi,
        .set = vdf_aplic_set_genmsi,
        .restore = vdf_aplic_restore_genmsi,
    },
    {
        .path = "pending",
        .type = VDF_TEXT,
        .flags = VDF_R,
        .when = vdf_aplic_has_registers,
        .needs = "1 written to init, and sources",
        .doc = "numbers of the pending sources",
        .show = vdf_aplic_show_pending,
    },
    {
        .path = "enabled",
        .type = VDF_TEXT,
        .flags = VDF_R,
        .when = vdf_aplic_has_registers,
        .needs = "1 written to init, and sources",
        .doc = "numbers of the enabled sources",
        .show = vdf_aplic_show_enabled,
    },

    /* --- interrupt files -------------------------------------------------------------------- */
    {
        .path = "imsic/#/eidelivery",
        .type = VDF_REG,
        .flags = VDF_RW | VDF_SAVE,
        .width = 8,
        .when = vdf_aplic_has_imsics,
        .needs = "1 written to init, and delivery msi",
        .range = { HARTS },
        .doc = "interrupt delivery of the hart's interrupt file: with bit 0 clear the hart is told "
               "of nothing",
        .get = vdf_aplic_get_eidelivery,
        .set = vdf_aplic_set_eidelivery,
    },
    {
        .path = "imsic/#/eithreshold",
        .type = VDF_REG,
        .flags = VDF_RW | VDF_SAVE,
        .width = 8,
        .when = vdf_aplic_has_imsics,
        .needs = "1 written to init, and delivery msi",
        .range = { HARTS },
        .doc = "the hart is not told of identities from this one up; 0: of all",
        .get = vdf_aplic_get_eithreshold,
        .set = vdf_aplic_set_eithreshold,
    },
    {
        .path = "imsic/#/topei",
        .type = VDF_REG,
        .flags = VDF_RW,
        .width = 8,
        .when = vdf_aplic_has_topei,
        .needs = "1 written to init, delivery msi and backend soft",
        .range = { HARTS },
        .doc = "soft: the lowest identity that is pending, enabled and below the threshold, also "
               "from bit 16; 0: none; a write of any number claims it, as one of the CSR",
        .get = vdf_aplic_get_topei,
        .set = vdf_aplic_set_topei,
    },
    {
        .path = "imsic/#/pending",
        .type = VDF_TEXT,
        .flags = VDF_RW | VDF_LIST,
        .when = vdf_aplic_has_imsics,
        .needs = "1 written to init, and delivery msi",
        .range = { HARTS },
        .doc = "pending interrupt identities, one a line; a write replaces them all",
        .show = vdf_aplic_show_eip,
        .store = vdf_aplic_store_eip,
        .check_line = vdf_aplic_check_identity,
    },
    {
        .path = "imsic/#/enabled",
        .type = VDF_TEXT,
        .flags = VDF_RW | VDF_LIST,
        .when = vdf_aplic_has_imsics,
        .needs = "1 written to init, and delivery msi",
        .range = { HARTS },
        .doc = "enabled interrupt identities, one a line; a write replaces them all",
        .show = vdf_aplic_show_eie,
        .store = vdf_aplic_store_eie,
        .check_line = vdf_aplic_check_identity,
    },
    {
        .path = "imsic/#/eip/#",
        .type = VDF_REG,
        .flags = VDF_RW,
        .width = 8,
        .when = vdf_aplic_has_imsics,
        .needs = "1 written to init, and delivery msi",
        .range = { HARTS, EIX },
        .doc =
            "pending bits as KVM's attribute has them: the low 32 of 64 identities, sign-extended",
        .get = vdf_aplic_get_eip,
        .set = vdf_aplic_set_eip,
    },
    {
        .path = "imsic/#/eie/#",
        .type = VDF_REG,
        .flags = VDF_RW,
        .width = 8,
        .when = vdf_aplic_has_imsics,
        .needs = "1 written to init, and delivery msi",
        .range = { HARTS, EIX },
        .doc =
            "enable bits as KVM's attribute has them: the low 32 of 64 identities, sign-extended",
        .get = vdf_aplic_get_eie,
        .set = vdf_aplic_set_eie,
    },
    {
        .path = "imsic/#/held_eip/#",
        .type = VDF_REG,
        .flags = VDF_NO_FILE | VDF_SAVE,
        .width = 8,
        .when = vdf_aplic_has_imsics,
        .needs = "1 written to init, and delivery msi",
        .range = { HARTS, EIX_WORDS },
        .doc = "pending bits of 64 interrupt identities",
        .get = vdf_aplic_get_held_eip,
        .restore = vdf_aplic_restore_held_eip,
    },
    {
        .path = "imsic/#/held_eie/#",
        .type = VDF_REG,
        .flags = VDF_NO_FILE | VDF_SAVE,
        .width = 8,
        .when = vdf_aplic_has_imsics,
        .needs = "1 written to init, and delivery msi",
        .range = { HARTS, EIX_WORDS },
        .doc = "enable bits of 64 interrupt identities",
        .get = vdf_aplic_get_held_eie,
        .restore = vdf_aplic_restore_held_eie,
    },
    {
        .path = "signal_msi",
        .type = VDF_TEXT,
        .flags = VDF_W,
        .when = vdf_aplic_has_msis,
        .needs = "delivery msi",
        .doc = "ADDRESS DATA: KVM_SIGNAL_MSI, an MSI as from a device",
        .store = vdf_aplic_store_signal_msi,
    },
    {
        .path = "msi",
        .type = VDF_LOG,
        .flags = VDF_R,
        .shown = vdf_aplic_has_msis,
        .needs = "delivery msi",
        .doc = "one line an MSI: hart index, guest, identity, delivered or dropped",
        VDF_FIELD(struct vdf_aplic, msi_log),
    },

    /* --- direct delivery -------------------------------------------------------------------- */
    {
        .path = "idc/#/idelivery",
        .type = VDF_REG,
        .flags = VDF_RW | VDF_SAVE,
        IDC_REGISTER(0x00),
        .doc = "1 lets interrupts through to the hart",
        .get = vdf_aplic_get_idelivery,
        .set = vdf_aplic_set_idelivery,
    },
    {
        .path = "idc/#/iforce",
        .type = VDF_REG,
        .flags = VDF_RW | VDF_SAVE,
        IDC_REGISTER(0x04),
        .doc = "1 asserts the hart's interrupt; a claim that finds none clears it",
        .get = vdf_aplic_get_iforce,
        .set = vdf_aplic_set_iforce,
    },
    {
        .path = "idc/#/ithreshold",
        .type = VDF_REG,
        .flags = VDF_RW | VDF_SAVE,
        IDC_REGISTER(0x08),
        .doc = "priority numbers from this one up do not interrupt the hart; 0: all do",
        .get = vdf_aplic_get_ithreshold,
        .set = vdf_aplic_set_ithreshold,
    },
    {
        .path = "idc/#/topi",
        .type = VDF_REG,
        .flags = VDF_RW,
        IDC_REGISTER(0x18),
        .doc = "the hart's top interrupt: source from bit 16, priority; writes are ignored",
        .get = vdf_aplic_get_topi,
        .set = vdf_aplic_set_nothing,
    },
    {
        .path = "idc/#/claimi",
        .type = VDF_REG,
        .flags = VDF_RW,
        IDC_REGISTER(VDF_APLIC_CLAIMI),
        .doc = "as topi; a read through regs claims the interrupt; writes are ignored",
        .get = vdf_aplic_get_topi,
        .set = vdf_aplic_set_nothing,
        .read_side = vdf_aplic_read_claimi,
    },

    {
        .path = "regs",
        .type = VDF_WINDOW,
        .flags = VDF_RW,
        .doc = "the control region, from offset 0x4000 on the IDC structures",
        .window = WINDOW,
        .window_ops = &vdf_aplic_window_ops,
    },
};

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

const struct vdf_attr *const vdf_aplic_regs = &rows[N_ROWS - 1];

const struct vdf_class vdf_aplic_class = {
    .name = "aplic",
    .title = "RISC-V APLIC and IMSIC",
    .attrs = rows,
    .n_attrs = N_ROWS,
    .priv_size = sizeof(struct vdf_aplic),
    .create = vdf_aplic_create,
    .hooks = vdf_aplic_hooks,
    .destroy = vdf_aplic_destroy,
    .restored = vdf_aplic_restored,
    .adopt = vdf_aplic_adopt,
    .guest = &vdf_aplic_guest_ops,
};
