/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counts in a register of an APLIC, target 1, and after each store in memory, so that a reader
 * of the count in memory knows the least value that the register has. Bit 11 of the register
 * is always 0: the count leaves it out. Ends when the word behind the count is not zero.
 */
#include "guest.h"

#define TARGET1 (WINDOW + 0x3004)
#define COUNT 0x100000

    .code64
    .globl _start
_start:
    mov $TARGET1, %ebx
    mov $COUNT, %esi
    xor %ecx, %ecx
1:  inc %ecx
    mov %ecx, %eax
    mov %ecx, %edx
    and $0x7ff, %eax
    shr $11, %edx
    shl $12, %edx
    or %edx, %eax
    mov %eax, (%rbx)
    mov %ecx, (%rsi)
    cmpl $0, 4(%rsi)
    je 1b
    finish 0
