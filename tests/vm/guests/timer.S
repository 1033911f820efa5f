/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sets the local APIC's timer, once, and waits for the interrupt in long mode. The 500 million counts
 * are half a second of KVM's APIC bus.
 */
#include "guest.h"

#define LAPIC_LVTT 0xfee00320
#define LAPIC_TMICT 0xfee00380
#define LAPIC_TDCR 0xfee003e0

    .globl _start
_start:
    cld
    call set_up_interrupts
    gate 39, fired
    store(LAPIC_TDCR, 0xb)
    store(LAPIC_LVTT, 39)
    store(LAPIC_TMICT, 500000000)
    say armed
    wait_count fires, 1
    finish 0

fired:
    incl fires(%rip)
    end_of_interrupt
    iretq

#include "long.S"

armed: .asciz "the timer runs\n"
    .align 8
fires: .long 0
