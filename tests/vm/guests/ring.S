/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Both long modes: prints the ring it runs in, sums numbers for a while, and exits with the ring.
 * The count of rounds is at 0x100, so that it can be watched; bit 0 of the byte at 0x108 ends it. */
#include "guest.h"

    .globl _start
_start:
    mov %cs, %eax
    and $3, %eax
    mov %eax, %ebp
    add $'0', %al
    out %al, $PORT_DEBUG
    mov $'\n', %al
    out %al, $PORT_DEBUG
1:  incq 0x100
    testb $1, 0x108
    jz 1b
    mov %ebp, %eax
    out %al, $PORT_EXIT
2:  jmp 2b
