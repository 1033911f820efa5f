/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Watches its time in long mode: the local APIC's timer, whose four thousand million counts are four
 * seconds of KVM's APIC bus, and the time stamp counter. Exits with 1 or 2 where one of them makes a
 * step of about two seconds, and with 0 after three seconds in all.
 */
#include "guest.h"

#define LAPIC_LVTT 0xfee00320
#define LAPIC_TMICT 0xfee00380
#define LAPIC_TMCCT 0xfee00390
#define LAPIC_TDCR 0xfee003e0

#define COUNTS 4000000000
#define STEP 2000000000
#define LAST 1000000000
#define CYCLES 10000000000

.macro read_tsc register
    rdtsc
    shl $32, %rdx
    or %rdx, %rax
    mov %rax, \register
.endm

    .globl _start
_start:
    cld
    call set_up_interrupts
    store(LAPIC_TDCR, 0xb)
    store(LAPIC_LVTT, 0x10000 + 39)
    store(LAPIC_TMICT, COUNTS)
    mov $COUNTS, %r10
    mov $CYCLES, %r12
    read_tsc %r8
    /* A software KVM may show the host's counter, which no machine stops: it has run for long. */
    mov %r8, %rax
    shr $40, %rax
    jz 2f
    mov $-1, %r12
2:  say armed
1:  read_tsc %r9
    mov %r9, %r11
    sub %r8, %r11
    cmp %r12, %r11
    expect b, 2
    mov %r9, %r8
    load(LAPIC_TMCCT)
    mov %eax, %eax
    mov %r10, %r11
    sub %rax, %r11
    cmp $STEP, %r11
    expect b, 1
    mov %rax, %r10
    cmp $LAST, %rax
    ja 1b
    finish 0

#include "long.S"

armed: .asciz "the timer runs\n"
