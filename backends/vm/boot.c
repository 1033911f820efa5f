/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How processors begin. Real mode: as after a reset, at `entry`. Long mode: the first 4 GiB mapped
 * to themselves by pages of 2 MiB, ring 0, or ring 3 with IOPL 3. The tables lie above 4 GiB and
 * are mapped there for ring 0 only, read-only:
 *
 *     page 0     PML4
 *     page 1     page directory pointers: 4 directories, and one for the tables themselves
 *     page 2..5  page directories
 *     page 6, 7  page directory and page table of the tables
 *     page 8     GDT, TSS
 *
 * Accessed and dirty bits are set from the start, as are those of the descriptors, so that no
 * processor has anything to write. Their memory slot is writable all the same: with AMD's nested
 * paging every walk of a guest's page table is a write (APM volume 2, nested paging), and when the
 * write exits, KVM takes the table's address for that of the access.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "boot.h"
#include "clock.h"
#include "probe.h"
#include "state.h"
#include "vm.h"

#define PAGE VDF_PAGE_SIZE
#define TABLE_PAGES 9u
#define ENTRIES 512u

#define PTE_PRESENT 0x01u
#define PTE_WRITE 0x02u
#define PTE_USER 0x04u
#define PTE_ACCESSED 0x20u
#define PTE_DIRTY 0x40u
#define PTE_LARGE 0x80u
#define LARGE_PAGE (UINT64_C(2) << 20)

#define GDT (8 * PAGE)
#define GDT_BYTES 56u
#define TSS (GDT + 0x100)
#define TSS_BYTES 104u

#define SEL_CODE 0x08u
#define SEL_DATA 0x10u
#define SEL_USER_CODE 0x1bu
#define SEL_USER_DATA 0x23u
#define SEL_TSS 0x28u

#define CR0_PE 0x01u
#define CR0_MP 0x02u
#define CR0_ET 0x10u
#define CR0_NE 0x20u
#define CR0_WP 0x10000u
#define CR0_PG 0x80000000u
#define CR4_PAE 0x20u
#define CR4_OSFXSR 0x200u
#define CR4_OSXMMEXCPT 0x400u
#define EFER_LME 0x100u
#define EFER_LMA 0x400u
#define RFLAGS_FIXED 0x2u
#define RFLAGS_IOPL3 0x3000u

#define STACK_LONG 0x4000u /* bytes a processor, down from the end of memory */
#define STACK_REAL 0x1000u /* the same, down from there or from REAL_STACK_TOP */
#define REAL_STACK_TOP 0xfff0u

uint64_t vdf_vm_tables_size(void)
{
    return (uint64_t)TABLE_PAGES * PAGE;
}

static void put_entry(uint8_t *page, unsigned n, uint64_t entry)
{
    entry = htole64(entry);
    memcpy(page + n * sizeof(entry), &entry, sizeof(entry));
}

static void put_pages(uint8_t *tables)
{
    uint64_t branch = PTE_PRESENT | PTE_WRITE | PTE_USER | PTE_ACCESSED;
    uint64_t leaf = branch | PTE_DIRTY;

    put_entry(tables, 0, (VDF_VM_TABLES + PAGE) | branch);
    for (unsigned g = 0; g < 4; g++) {
        put_entry(tables + PAGE, g, (VDF_VM_TABLES + (2 + g) * PAGE) | branch);
        for (unsigned k = 0; k < ENTRIES; k++)
            put_entry(tables + (2 + g) * PAGE, k,
                      (g * ENTRIES + k) * LARGE_PAGE | leaf | PTE_LARGE);
    }
    put_entry(tables + PAGE, 4, (VDF_VM_TABLES + 6 * PAGE) | PTE_PRESENT | PTE_ACCESSED);
    put_entry(tables + 6 * PAGE, 0, (VDF_VM_TABLES + 7 * PAGE) | PTE_PRESENT | PTE_ACCESSED);
    for (unsigned k = 0; k < TABLE_PAGES; k++)
        put_entry(tables + 7 * PAGE, k,
                  (VDF_VM_TABLES + k * PAGE) | PTE_PRESENT | PTE_ACCESSED | PTE_DIRTY);
}

static void put_descriptors(uint8_t *gdt)
{
    uint64_t base = VDF_VM_TABLES + TSS;

    put_entry(gdt, SEL_CODE / 8, UINT64_C(0x00af9b000000ffff));
    put_entry(gdt, SEL_DATA / 8, UINT64_C(0x00cf93000000ffff));
    put_entry(gdt, SEL_USER_CODE / 8, UINT64_C(0x00affb000000ffff));
    put_entry(gdt, SEL_USER_DATA / 8, UINT64_C(0x00cff3000000ffff));
    put_entry(gdt, SEL_TSS / 8,
              UINT64_C(0x00008b0000000000) | (TSS_BYTES - 1) | (base & 0xffffff) << 16 |
                  (base >> 24 & 0xff) << 56);
    put_entry(gdt, SEL_TSS / 8 + 1, base >> 32);
}

int vdf_vm_make_tables(struct vdf_vm *vm)
{
    if (vm->tables)
        return 0;
    void *tables = mmap(NULL, vdf_vm_tables_size(), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (tables == MAP_FAILED)
        return -ENOMEM;
    vm->tables = tables;
    put_pages(vm->tables);
    put_descriptors(vm->tables + GDT);
    return 0;
}

void vdf_vm_free_tables(struct vdf_vm *vm)
{
    if (vm->tables)
        munmap(vm->tables, vdf_vm_tables_size());
    vm->tables = NULL;
}

/* --- registers -------------------------------------------------------------------------------- */

static struct kvm_segment flat_segment(uint16_t selector, uint8_t type, uint8_t dpl, bool code)
{
    return (struct kvm_segment){
        .limit = 0xffffffff,
        .selector = selector,
        .type = type,
        .present = 1,
        .dpl = dpl,
        .db = !code,
        .s = 1,
        .l = code,
        .g = 1,
    };
}

static struct kvm_segment real_segment(uint16_t selector, uint8_t type)
{
    return (struct kvm_segment){
        .base = (uint64_t)selector << 4,
        .limit = 0xffff,
        .selector = selector,
        .type = type,
        .present = 1,
        .s = 1,
    };
}

/* Each processor's stack lies in the memory. Processors share stacks where the memory is too small. */
static uint64_t stack_top(uint64_t end, uint64_t below)
{
    return end - below % end;
}

static void real_registers(const struct vdf_vm *vm, unsigned index, struct kvm_regs *regs,
                           struct kvm_sregs *sregs)
{
    struct kvm_segment data = real_segment(0, 3);

    sregs->cs = real_segment((uint16_t)(vm->entry >> 4 & 0xf000), 0xb);
    sregs->ds = sregs->es = sregs->fs = sregs->gs = sregs->ss = data;
    sregs->cr0 = CR0_ET;
    sregs->cr3 = sregs->cr4 = sregs->efer = 0;
    sregs->gdt = sregs->idt = (struct kvm_dtable){ .limit = 0xffff };
    sregs->ldt = (struct kvm_segment){ .limit = 0xffff, .type = 2, .present = 1 };
    sregs->tr = (struct kvm_segment){ .limit = 0xffff, .type = 0xb, .present = 1 };
    regs->rip = vm->entry & 0xffff;
    regs->rsp = stack_top(vm->memory_size < REAL_STACK_TOP ? vm->memory_size : REAL_STACK_TOP,
                          (uint64_t)index * STACK_REAL);
    regs->rflags = RFLAGS_FIXED;
}

static void long_registers(const struct vdf_vm *vm, unsigned index, struct kvm_regs *regs,
                           struct kvm_sregs *sregs)
{
    bool user = vm->mode == VDF_VM_USER;
    uint8_t dpl = user ? 3 : 0;
    struct kvm_segment data = flat_segment(user ? SEL_USER_DATA : SEL_DATA, 3, dpl, false);

    sregs->cs = flat_segment(user ? SEL_USER_CODE : SEL_CODE, 0xb, dpl, true);
    sregs->ds = sregs->es = sregs->fs = sregs->gs = sregs->ss = data;
    sregs->tr = (struct kvm_segment){
        .base = VDF_VM_TABLES + TSS,
        .limit = TSS_BYTES - 1,
        .selector = SEL_TSS,
        .type = 0xb,
        .present = 1,
    };
    sregs->ldt = (struct kvm_segment){ .type = 2, .unusable = 1 };
    sregs->gdt = (struct kvm_dtable){ .base = VDF_VM_TABLES + GDT, .limit = GDT_BYTES - 1 };
    sregs->idt = (struct kvm_dtable){ 0 };
    sregs->cr0 = CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE;
    sregs->cr3 = VDF_VM_TABLES;
    sregs->cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT;
    sregs->efer = EFER_LME | EFER_LMA;
    regs->rip = vm->entry;
    regs->rsp = stack_top(vm->memory_size, (uint64_t)index * STACK_LONG);
    regs->rflags = RFLAGS_FIXED | (user ? RFLAGS_IOPL3 : 0);
}

void vdf_vm_boot_registers(const struct vdf_vm *vm, unsigned index, struct kvm_regs *regs,
                           struct kvm_sregs *sregs)
{
    *regs = (struct kvm_regs){ .rdi = index };
    if (vm->mode == VDF_VM_REAL)
        real_registers(vm, index, regs, sregs);
    else
        long_registers(vm, index, regs, sregs);
}

/* The local APIC takes interrupts from the start, as after firmware. */
#define APIC_SVR 0xf0u
#define APIC_SVR_ENABLED 0x1ffu

int vdf_vcpu_boot(struct vdf_vcpu *cpu, struct vdf_err *err)
{
    struct kvm_mp_state runnable = { .mp_state = KVM_MP_STATE_RUNNABLE };
    struct kvm_vcpu_events events = { .flags = KVM_VCPUEVENT_VALID_NMI_PENDING };
    struct kvm_lapic_state lapic;
    struct kvm_sregs sregs;
    struct kvm_regs regs;

    int ret = vdf_vcpu_put(cpu, cpu->fresh, err);
    if (ret < 0)
        return ret;
    if (vdf_kvm_ioctl(cpu->fd, KVM_GET_SREGS, &sregs) < 0 ||
        vdf_kvm_ioctl(cpu->fd, KVM_GET_LAPIC, &lapic) < 0)
        return vdf_fail(err, errno, "vCPU %u cannot be read: %s", cpu->index,
                        vdf_errno_name(errno));
    /* A reset leaves the time stamp counters of all processors at 0. */
    cpu->tsc = 0;
    vdf_vm_boot_registers(cpu->vm, cpu->index, &regs, &sregs);
    memset(sregs.interrupt_bitmap, 0, sizeof(sregs.interrupt_bitmap));
    vdf_apic_store(&lapic, APIC_SVR, APIC_SVR_ENABLED);
    if (vdf_kvm_ioctl(cpu->fd, KVM_SET_SREGS, &sregs) < 0 ||
        vdf_kvm_ioctl(cpu->fd, KVM_SET_REGS, &regs) < 0 ||
        vdf_kvm_ioctl(cpu->fd, KVM_SET_LAPIC, &lapic) < 0 ||
        vdf_kvm_ioctl(cpu->fd, KVM_SET_VCPU_EVENTS, &events) < 0 ||
        vdf_kvm_ioctl(cpu->fd, KVM_SET_MP_STATE, &runnable) < 0)
        return vdf_fail(err, errno, "vCPU %u cannot be set up for this mode: %s", cpu->index,
                        vdf_errno_name(errno));
    return 0;
}
