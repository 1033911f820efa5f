/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A KVM virtual machine whose guest reaches the devices.
 *
 *     vm.c         the machine: making, starting, stopping, its end
 *     rows.c       its rows
 *     vcpu.c       the thread of a processor, its exits
 *     boot.c       how a processor begins: modes, page tables
 *     regs.c       registers as text
 *     clock.c      time, which stands still for a stopped machine
 *     state.c      processors and interrupt controllers in a state
 *     slot.c       a device at an address: the windows, doorbells, mapped pages
 *     slot_rows.c  its rows
 *     irq.c        interrupts of a slot: irqfds, end of interrupt, MSIs, the routing of GSIs
 *     probe.c      the capabilities of this host's KVM
 *
 * Threads and locks. A processor has a thread while the machine runs. The thread runs the guest
 * without any lock and enters one device at a time for an exit (vdf_obj_enter): the device that a
 * window belongs to, or the machine itself for output and for the end. Code that starts or stops the
 * machine, or changes its slots, is exclusive (VDF_EXCLUSIVE) and runs after the threads have ended.
 * So the table of slots, the memory and the descriptors need no lock while threads exist. A thread
 * that is asked to stop gives up waiting for a device; the thread that stops it carries out the exit.
 *
 *     run, attached, doorbell,     vdf_vm_park() ---> stop, immediate_exit, a signal ---> threads
 *     rmdir, restore, save               |  <--- join --------------------------------------+
 *                                        v
 *                             pending exits, the change, vdf_vm_unpark()
 *
 * A processor that ends the machine on its own (port 0xf4, a failure) sets the status under the
 * machine's lock and asks the other threads to stop. The next vdf_vm_park() joins them.
 */
#ifndef VDF_VM_H
#define VDF_VM_H

#include <virtdevfs/component.h>

#include "vcpu.h"

#define VDF_VM_SLOTS 64u
#define VDF_VM_MEMORY_RESET (UINT64_C(2) << 20)

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

struct vdf_slot;

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
    struct vdf_space space; /* of the memory, as devices have it */
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
    struct vdf_slot *slots[VDF_VM_SLOTS]; /* the attached slots, by number */
};

extern const struct vdf_class vdf_vm_class;

int vdf_vm_create(struct vdf_obj *obj, struct vdf_err *err);
void vdf_vm_destroy(struct vdf_obj *obj);
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
/** vdf_vm_boot() - have the processors where they begin, unless they have begun. */
int vdf_vm_boot(struct vdf_vm *vm, struct vdf_err *err);
/** vdf_vm_report() - a line in /errors about the guest, unless @count of them have reached the limit
 *  since the start. @last: added to the last of the lines */
void vdf_vm_report(struct vdf_obj *obj, atomic_uint *count, const char *last, int code,
                   const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* These are exclusive. */

/** vdf_vm_run(), vdf_vm_halt() - `run`. */
int vdf_vm_run(struct vdf_vm *vm, struct vdf_err *err);
void vdf_vm_halt(struct vdf_vm *vm);
/** vdf_vm_park() - end the threads and carry out the exits that they have left; the status stays. */
void vdf_vm_park(struct vdf_vm *vm);
/** vdf_vm_unpark() - go on, if the status says so. */
void vdf_vm_unpark(struct vdf_vm *vm);

#endif
