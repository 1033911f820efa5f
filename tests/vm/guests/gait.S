/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Takes adapter interrupts of a zPCI function whose vector is at 0x4000, its summary word at 0x5000
 * (bit 0, the most significant), and whose ISC is 3: vector 32 + 3. For each it clears the summary
 * bit and prints the vectors that are set, one digit each; vector 7 ends it.
 */
#include "guest.h"

#define AIBV 0x4000
#define SUMMARY 0x5000

    .globl _start
_start:
    cld
    call set_up_interrupts
    gate 35, adapter
    say ready
    xor %r12d, %r12d
again:
    inc %r12d
1:  cmp %r12d, adapters(%rip)
    jae 2f
    sti
    hlt
    cli
    jmp 1b
2:  lock btrl $7, SUMMARY /* bit 0 of the first byte */
    expect c, 1
    xor %ecx, %ecx
3:  mov $7, %edx
    sub %ecx, %edx
    lock btrl %edx, AIBV
    jnc 4f
    mov %ecx, %eax
    add $'0', %al
    out %al, $PORT_DEBUG
    cmp $7, %ecx
    je 5f
4:  inc %ecx
    cmp $8, %ecx
    jb 3b
    jmp again
5:  mov $'\n', %al
    out %al, $PORT_DEBUG
    finish 0

adapter:
    incl adapters(%rip)
    end_of_interrupt
    iretq

#include "long.S"

ready: .asciz "ready\n"
    .align 8
adapters: .long 0
