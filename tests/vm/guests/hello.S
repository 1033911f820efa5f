/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Real mode: prints its number and a line, and exits with 42. With more processors each prints; the
 * last one ends the machine. */
#include "guest.h"

    .code16
    .globl _start
_start:
    mov %di, %ax
    add $'0', %al
    out %al, $PORT_DEBUG
    mov $text, %si
    cld
1:  lodsb
    test %al, %al
    jz 2f
    out %al, $PORT_DEBUG
    jmp 1b
2:  mov $1, %ax
    lock xadd %ax, done
    inc %ax
    cmp %ax, cpus
    jne 3f
    finish 42
3:  hlt
    jmp 3b

text: .asciz " says hello\n"
    .align 16
done: .word 0
    /* The test writes how many there are here, at 0x80. */
    .org 0x80
cpus: .word 1
