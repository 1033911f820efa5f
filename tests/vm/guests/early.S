/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Waits for vector 39 in long mode, which a device has sent before the guest was started. */
#include "guest.h"

    .globl _start
_start:
    cld
    call set_up_interrupts
    gate 39, arrived
    wait_count arrivals, 1
    finish 0

arrived:
    incl arrivals(%rip)
    end_of_interrupt
    iretq

#include "long.S"

    .align 8
arrivals: .long 0
