/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Serves an assigned PCI device in long mode, the model's or QEMU's edu: its configuration space at WINDOW,
 * its INTx on GSI 9, level-triggered. The handler looks at the interrupt status (bit 3) of the device,
 * prints "+" for an interrupt of the device and "-" for one that is not, counts and ends the interrupt.
 * After five it masks the device (command bit 10), prints what it reads there, and exits.
 */
#include "guest.h"

#define GSI 9
#define VECTOR 0x42
#define COMMAND 0x04
#define STATUS 0x06

    .globl _start
_start:
    cld
    call set_up_interrupts
    gate VECTOR, interrupt
    route(GSI, VECTOR, 0x8000)
    load(WINDOW)
    cmp $0x00051b36, %eax
    je 1f
    cmp $0x11e81234, %eax
    expect e, 1
1:  say ready
    wait_count interrupts, 5
    mov $WINDOW + COMMAND, %ebx
    movw $0x0400, (%rbx)
    movzwl (%rbx), %eax
    cmp $0x0400, %eax
    expect e, 2
    say masked
    finish 0

interrupt:
    push %rax
    push %rbx
    mov $WINDOW + STATUS, %ebx
    movzwl (%rbx), %eax
    test $8, %eax
    mov $'+', %al
    jnz 1f
    mov $'-', %al
1:  out %al, $PORT_DEBUG
    incl interrupts(%rip)
    end_of_interrupt
    pop %rbx
    pop %rax
    iretq

#include "long.S"

ready: .asciz "ready\n"
masked: .asciz "\nmasked\n"
    .align 8
interrupts: .long 0
