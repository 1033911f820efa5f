/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Output, the end, and in long mode interrupts, for all guests of the tests. A guest is a
 * flat binary that is copied to the memory's begin and entered at 0. It exits with 0 when all was
 * as it should be, else with a number that its source has at the check that failed.
 */
#define PORT_DEBUG 0xe9
#define PORT_EXIT 0xf4

/* The slots of the tests. */
#define WINDOW 0x10000000
#define PAGE0 0x20000000
#define PAGE1 0x20001000

#define LAPIC_EOI 0xfee000b0
#define IOAPIC 0xfec00000

/* End with a code. */
.macro finish code
    mov $\code, %al
    out %al, $PORT_EXIT
9:  jmp 9b
.endm

/* End with a code unless the flags say so. */
.macro expect condition, code
    j\condition 8f
    finish \code
8:
.endm

/* Load and store a register of 32 bits at an address. */
#define load(addr)       \
    mov $(addr), %ebx;   \
    mov (%rbx), %eax
#define store(addr, value) \
    mov $(addr), %ebx;     \
    movl $(value), (%rbx)

/* Print a string that ends with a zero. */
.macro say text
    lea \text(%rip), %rsi
    call print
.endm

/* Have vector @vector call @handler (long mode, ring 0). */
.macro gate vector, handler
    mov $\vector, %edi
    lea \handler(%rip), %rsi
    call set_gate
.endm

/* Route GSI @gsi to vector @vector of processor 0; @flags: 0x8000 for level. */
#define route(gsi, vector, flags)     \
    store(IOAPIC, 0x11 + 2 * (gsi));  \
    store(IOAPIC + 0x10, 0);          \
    store(IOAPIC, 0x10 + 2 * (gsi));  \
    store(IOAPIC + 0x10, (vector) + (flags))

.macro end_of_interrupt
    push %rbx
    mov $LAPIC_EOI, %ebx
    movl $0, (%rbx)
    pop %rbx
.endm

/* Sleep until the word at @count is at least @n; interrupts are off before and after. */
.macro wait_count count, n
7:  cmpl $\n, \count(%rip)
    jae 6f
    sti
    hlt
    cli
    jmp 7b
6:
.endm
