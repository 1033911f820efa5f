/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A KVM virtual machine whose guest reaches the devices: what its parts share.
 *
 *     vm.c       the machine: making, starting, stopping, its end
 *     table.c    its rows
 *     vcpu.c     the thread of a processor, its exits
 *     boot.c     how a processor begins: modes, page tables
 *     regs.c     registers as text
 *     state.c    processors and interrupt controllers in a state
 *     slot.c     a device at an address: the windows, doorbells, mapped pages
 *     irq.c      interrupts of a slot: irqfds, end of interrupt, MSIs, the routing of GSIs
 *     probe.c    what this host's KVM has of what a machine needs
 *
 * Threads and locks. A processor has a thread while the machine runs. It runs the guest without any
 * lock and enters one device at a time for an exit (vdf_obj_enter): the one that a window belongs
 * to, or the machine itself for output and for the end. Whatever starts or stops the machine, or
 * changes its slots, does so while nobody is inside any device (VDF_EXCLUSIVE), after the threads have
 * ended. So the table of slots, the memory and the descriptors need no lock while threads are
 * there, and a thread that is asked to stop gives up waiting for a device; the exit that it leaves
 * behind is carried out by who has stopped it.
 *
 *     run, attached, doorbell,     vdf_vm_park() ---> stop, immediate_exit, a signal ---> threads
 *     rmdir, restore, save               |  <--- join --------------------------------------+
 *                                        v
 *                             pending exits, the change, vdf_vm_unpark()
 *
 * A processor that ends the machine on its own (port 0xf4, a failure) sets the status under the
 * machine's lock and asks the other threads to stop; they are joined by the next who comes.
 */
#ifndef VDF_VM_H
#define VDF_VM_H

#include <linux/kvm.h>
#include <pthread.h>
#include <virtdevfs/component.h>
#include <virtdevfs/guest.h>

#define VDF_VM_CPUS 16u
#define VDF_VM_VECTORS 256u
#define VDF_VM_MSRS 512u
#define VDF_VM_SLOTS 64u
#define VDF_VM_DOORBELLS 64u /* of a slot */
#define VDF_VM_REPORTS 16u   /* lines in /errors for a slot, or the machine, from one start on */
#define VDF_VM_MEMORY_RESET (UINT64_C(2) << 20)

/* The processors' tables, for both long modes, above what is mapped 1:1. */
#define VDF_VM_TABLES (UINT64_C(1) << 32)

#define VDF_VM_PINS 24u /* GSIs of the interrupt controllers; those above are MSIs of slots */

enum vdf_vm_mode { VDF_VM_REAL, VDF_VM_LONG, VDF_VM_USER };
enum vdf_vm_status {
    VDF_VM_CREATED,
    VDF_VM_RUNNING,
    VDF_VM_HALTED, /* shown only: running, and all processors wait for an interrupt */
    VDF_VM_STOPPED,
    VDF_VM_FAILED,
};

#define VDF_VM_CHIPS 3u /* two PICs and the I/O APIC */

/* KVM's memory slots. */
enum { VDF_VM_MEMSLOT_RAM, VDF_VM_MEMSLOT_TABLES, VDF_VM_MEMSLOT_FIRST };

struct vdf_vm;
struct vdf_slot;

/* What a state has of a processor. */
struct vdf_vcpu_state {
    struct kvm_regs regs;
    struct kvm_sregs sregs;
    struct kvm_fpu fpu;
    struct kvm_lapic_state lapic;
    struct kvm_vcpu_events events;
    struct kvm_debugregs debugregs;
    struct kvm_mp_state mp_state;
    /* As struct kvm_msrs, whose entries have no number of their own. */
    struct vdf_vm_msrs {
        uint32_t n;
        uint32_t pad;
        struct kvm_msr_entry entries[VDF_VM_MSRS];
    } msrs;
};

struct vdf_vcpu {
    struct vdf_vm *vm;
    unsigned index;
    int fd;       /* -1: KVM has not made it yet */
    int stats_fd; /* KVM's own counters; -1: not to be had */
    struct kvm_run *run;
    pthread_t thread;
    bool threaded; /* `thread` is to be joined */
    bool pending;  /* an exit was left to who has stopped the thread */
    /* Time stands still for a stopped guest: its counter, and what is left on the APIC's timer. */
    uint64_t tsc;
    uint32_t timer;
    bool frozen;
    /* KVM's own timer is off, with these to go on with: initial count, TSC deadline. */
    bool disarmed;
    uint32_t initial;
    uint64_t deadline;
    struct vdf_vcpu_state *held;  /* while a state is loaded: what was read so far */
    struct vdf_vcpu_state *fresh; /* as KVM has made it */
    struct vdf_vcpu_state *shown; /* while a state is saved: read once for all rows */
};

struct vdf_vm_exits {
    atomic_ullong mmio, pio, hlt, irq_window, other;
};

struct vdf_vm {
    struct vdf_priv priv;
    uint64_t memory_size;
    uint32_t cpus;
    uint8_t mode;
    uint64_t entry;
    uint8_t status; /* enum vdf_vm_status */
    uint8_t exit_code;
    bool made; /* KVM has made all processors */
    /* Model-specific registers that KVM takes and gives, TSC and the `always` saved ones first. */
    uint32_t msrs[VDF_VM_MSRS];
    unsigned n_msrs, always_msrs;
    struct kvm_irqchip chips[VDF_VM_CHIPS]; /* as they were when the machine was made */
    uint64_t clock;                         /* ns of kvmclock, while the machine stands still */
    bool booted;                            /* the processors have begun where mode and entry say */
    struct vdf_memory memory;
    bool memory_open;
    struct vdf_log debug;
    struct vdf_vm_exits exits;

    int fd;
    size_t run_size; /* bytes of a processor's kvm_run */
    uint8_t *tables; /* NULL before they are needed */
    bool mapped;     /* memory and tables are the guest's */
    /* The processor whose counter says when time was stopped; NULL: time runs. */
    const struct vdf_vcpu *stopped_by;
    atomic_bool stop;  /* the threads are to end */
    atomic_bool ended; /* the machine ended by itself: each thread stops its processor's time */
    atomic_uint reports;
    struct vdf_vcpu vcpus[VDF_VM_CPUS];
    struct vdf_slot *slots[VDF_VM_SLOTS]; /* those that are attached, by number */
};

extern const struct vdf_class vdf_vm_class;
extern const struct vdf_class vdf_slot_class;

/* --- vm.c ------------------------------------------------------------------------------------- */

int vdf_vm_create(struct vdf_obj *obj, struct vdf_err *err);
void vdf_vm_destroy(struct vdf_obj *obj);
void vdf_vm_stop(struct vdf_obj *obj);
void vdf_vm_adopt(struct vdf_obj *obj, void *old, void *now);
void vdf_vm_disconnect(struct vdf_obj *obj);
void vdf_vm_connect(struct vdf_obj *obj);
void vdf_vm_saving(struct vdf_obj *obj, bool begin);
/** vdf_vm_open_kvm() - a descriptor of /dev/kvm, or -errno. */
int vdf_vm_open_kvm(void);
/** vdf_vm_memslot() - have @bytes of @host at guest address @addr; 0 bytes: no longer. */
int vdf_vm_memslot(struct vdf_vm *vm, unsigned id, uint64_t addr, void *host, uint64_t bytes);
/** vdf_vm_map() - give the guest its memory and tables, if it does not have them. */
int vdf_vm_map(struct vdf_vm *vm, struct vdf_err *err);
/** vdf_vm_unmap() - take the memory back. Only before the first run, and with nothing attached. */
int vdf_vm_unmap(struct vdf_vm *vm, struct vdf_err *err);
/** vdf_vm_started() - has anything of the guest been run, so that its shape cannot change? */
bool vdf_vm_started(const struct vdf_vm *vm);
/** vdf_vm_boot() - have the processors where they begin, unless they have begun. */
int vdf_vm_boot(struct vdf_vm *vm, struct vdf_err *err);
/** vdf_vm_run(), vdf_vm_halt() - `run`. Alone. */
int vdf_vm_run(struct vdf_vm *vm, struct vdf_err *err);
void vdf_vm_halt(struct vdf_vm *vm);
/** vdf_vm_park() - end the threads and carry out what they have left behind; the status stays.
 * Alone. */
void vdf_vm_park(struct vdf_vm *vm);
/** vdf_vm_unpark() - go on, if the status says so. Alone. */
void vdf_vm_unpark(struct vdf_vm *vm);
/** vdf_vm_report() - a line in /errors about the guest, of which there may be VDF_VM_REPORTS. */
void vdf_vm_report(struct vdf_vm *vm, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* --- vcpu.c ----------------------------------------------------------------------------------- */

/** vdf_vcpus_make() - have KVM make all processors, in the state that is held for them or as they
 * begin. After a failure the machine has none, and the next try makes what is missing. */
int vdf_vcpus_make(struct vdf_vm *vm, struct vdf_err *err);
void vdf_vcpu_close(struct vdf_vcpu *cpu);
int vdf_vcpu_start(struct vdf_vcpu *cpu);
void vdf_vcpu_kick(struct vdf_vcpu *cpu);
void vdf_vcpu_join(struct vdf_vcpu *cpu);
/** vdf_vcpu_settle() - after the join, alone: carry out a pending exit, so that the registers are
 *  those between two instructions. */
void vdf_vcpu_settle(struct vdf_vcpu *cpu);
enum vdf_vcpu_stat { VDF_VCPU_BLOCKING, VDF_VCPU_HALTS, VDF_VCPU_IRQ_WINDOWS, VDF_VCPU_STATS };
/** vdf_vcpu_stat() - one of KVM's own counters of a processor; 0 where KVM has none. */
uint64_t vdf_vcpu_stat(const struct vdf_vcpu *cpu, enum vdf_vcpu_stat stat);

/* --- boot.c ----------------------------------------------------------------------------------- */

/** vdf_vm_make_tables() - page tables and descriptors of the long modes. 0 or -ENOMEM. */
int vdf_vm_make_tables(struct vdf_vm *vm);
void vdf_vm_free_tables(struct vdf_vm *vm);
uint64_t vdf_vm_tables_size(void);
/** vdf_vm_boot_registers() - as processor @index begins; @sregs has KVM's, or zeros. */
void vdf_vm_boot_registers(const struct vdf_vm *vm, unsigned index, struct kvm_regs *regs,
                           struct kvm_sregs *sregs);
/** vdf_vcpu_boot() - put a processor there. */
int vdf_vcpu_boot(struct vdf_vcpu *cpu, struct vdf_err *err);

/* --- regs.c ----------------------------------------------------------------------------------- */

void vdf_vm_show_regs(const struct vdf_at *at, struct vdf_buf *out);
int vdf_vm_store_regs(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err);

/* --- state.c ---------------------------------------------------------------------------------- */

/** vdf_vcpu_get(), vdf_vcpu_put() - all of a processor that KVM has made. */
int vdf_vcpu_get(struct vdf_vcpu *cpu, struct vdf_vcpu_state *state);
int vdf_vcpu_put(struct vdf_vcpu *cpu, const struct vdf_vcpu_state *state, struct vdf_err *err);
/** vdf_vcpu_keep_fresh() - note a new processor's state, and for the first one the list of MSRs. */
int vdf_vcpu_keep_fresh(struct vdf_vcpu *cpu, struct vdf_err *err);
/** vdf_vcpu_show_begin(), vdf_vcpu_show_end() - all rows of a state show one reading. */
void vdf_vcpu_show_begin(struct vdf_vcpu *cpu);
void vdf_vcpu_show_end(struct vdf_vcpu *cpu);
/** vdf_vm_keep_chips(), vdf_vm_reset_chips() - the interrupt controllers as in a new machine. */
int vdf_vm_keep_chips(struct vdf_vm *vm);
int vdf_vm_reset_chips(struct vdf_vm *vm, struct vdf_err *err);
/** vdf_vm_stop_clock(), vdf_vm_start_clock() - kvmclock stands still while the machine does. */
void vdf_vm_stop_clock(struct vdf_vm *vm);
void vdf_vm_start_clock(struct vdf_vm *vm);
/** vdf_vcpu_freeze(), vdf_vcpu_thaw() - its time, when the machine stops and when it goes on. The
 *  first that is frozen says for all of them when that was. */
void vdf_vcpu_freeze(struct vdf_vcpu *cpu);
/** vdf_vcpu_disarm() - have no timer of a frozen processor fire. */
void vdf_vcpu_disarm(struct vdf_vcpu *cpu);
void vdf_vcpu_thaw(struct vdf_vcpu *cpu);
int vdf_vm_restored(struct vdf_obj *obj, struct vdf_err *err);
/* Hooks of the hidden rows; a row's `offset` is that of its part in the structure. */
void vdf_vm_show_part(const struct vdf_at *at, struct vdf_buf *out);
int vdf_vm_restore_part(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err);
void vdf_vm_show_msrs(const struct vdf_at *at, struct vdf_buf *out);
int vdf_vm_restore_msrs(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err);
void vdf_vm_show_chip(const struct vdf_at *at, struct vdf_buf *out);
int vdf_vm_restore_chip(const struct vdf_at *at, const char *text, size_t len, struct vdf_err *err);

/* --- slot.c, irq.c ---------------------------------------------------------------------------- */

enum vdf_slot_irq { VDF_SLOT_NO_IRQ, VDF_SLOT_GSI, VDF_SLOT_MSI };

struct vdf_slot {
    struct vdf_priv priv;
    struct vdf_vm *vm;
    uint32_t number;
    char *device; /* path, as it was written; NULL: none */
    uint64_t addr;
    uint8_t irq; /* enum vdf_slot_irq */
    uint32_t gsi;
    uint32_t vector;
    bool attached;
    uint64_t size; /* of the window */
    atomic_ullong refused;
    atomic_uint reports;

    /* While it is attached. */
    struct vdf_obj *target;
    uint32_t part;
    const struct vdf_guest_ops *ops;
    bool asleep; /* restored; the device gets the guest when that is started */
    bool mapped; /* a page of the device is there instead of a window */
    unsigned n_doors;
    struct vdf_slot_doorbell {
        struct vdf_slot *slot;
        struct vdf_guest_doorbell doorbell;
        int fd;
        struct vdf_async *bell;
    } * doorbells;
    int line_fd, pulse_fd, resample_fd; /* -1: none */
    int eoi_fd; /* never written: the irqfd with the device's own resamplefd; -1: none */
    bool level; /* of the device's line; under the device's lock */
    uint64_t early[VDF_VM_CPUS][VDF_VM_VECTORS / 64]; /* vectors that wait for the first run */
    struct vdf_async *resample;
    int end_fd; /* rung when the guest ends by itself; -1: the device need not know */
    struct vdf_async *end;
};

/** vdf_slot_at() - the attached window that an access of @width bytes lies in; NULL: none. */
struct vdf_slot *vdf_slot_at(struct vdf_vm *vm, uint64_t addr, unsigned width);
/** vdf_slot_connect() - attach it. Alone, the machine parked. */
int vdf_slot_connect(struct vdf_slot *slot, struct vdf_err *err);
void vdf_slot_disconnect(struct vdf_slot *slot);
/** vdf_slot_reserve() - have the address and the device of a restored slot, for vdf_slot_wake(). */
int vdf_slot_reserve(struct vdf_slot *slot, struct vdf_err *err);
int vdf_slot_wake(struct vdf_slot *slot, struct vdf_err *err);
/** vdf_slot_release() - processors that the device holds up go on. Alone. */
void vdf_slot_release(struct vdf_slot *slot);
/** vdf_slot_runs() - the guest has been started, or stands still. Alone. */
void vdf_slot_runs(struct vdf_slot *slot, bool running);
void vdf_slot_report(struct vdf_slot *slot, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

int vdf_slot_irq_connect(struct vdf_slot *slot, struct vdf_irq *irq, struct vdf_err *err);
/** vdf_slot_irq_listen() - after the device has been attached: hear the ends of interrupts. */
int vdf_slot_irq_listen(struct vdf_slot *slot, struct vdf_err *err);
void vdf_slot_irq_disconnect(struct vdf_slot *slot);
/** vdf_slot_irq_again() - the interrupt controllers are new: raise a line that is high. Alone. */
void vdf_slot_irq_again(struct vdf_slot *slot);
/** vdf_slot_irq_begin() - the processors are there: send the vectors that came before. Alone. */
void vdf_slot_irq_begin(struct vdf_slot *slot);
/* Hooks of the hidden row `early`. */
void vdf_slot_show_early(const struct vdf_at *at, struct vdf_buf *out);
int vdf_slot_restore_early(const struct vdf_at *at, const char *text, size_t len,
                           struct vdf_err *err);
unsigned vdf_slot_irqfds(const struct vdf_slot *slot);
/** vdf_vm_route() - have KVM route GSIs as the slots now want it; @leaving: without this one. */
int vdf_vm_route(struct vdf_vm *vm, const struct vdf_slot *leaving);

#endif
