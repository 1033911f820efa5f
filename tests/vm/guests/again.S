/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ends with 3 and, when the machine goes on, with 0, or with 1 where the time stamp counter has made a
 * step of more than about three seconds meanwhile.
 */
#include "guest.h"

#define CYCLES 10000000000

    .globl _start
_start:
    mov $CYCLES, %r12
    rdtsc
    shl $32, %rdx
    or %rdx, %rax
    mov %rax, %r8
    /* A software KVM may show the host's counter, which no machine stops: it has run for long. */
    shr $40, %rax
    jz 1f
    mov $-1, %r12
1:  mov $3, %al
    out %al, $PORT_EXIT
    rdtsc
    shl $32, %rdx
    or %rdx, %rax
    sub %r8, %rax
    cmp %r12, %rax
    expect b, 1
    finish 0
