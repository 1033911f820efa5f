/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest that breaks all rules, in user mode: loads and stores of random widths and values at
 * random places of all windows, random descriptors and rings in memory, a console that is set up
 * properly every now and then and fed with them, doorbells without end. It never acknowledges.
 *
 *     0x1000   number of windows; from 0x1008 on address and mask of each, 32 bits
 *     0x1800   not 0: end; 0x1808: how many accesses there were
 *     0x1810   where the random numbers begin
 *     0x10000  64 KiB that are written to at random
 */
#include "guest.h"

#define PARAMETERS 0x1000
#define END 0x1800
#define COUNT 0x1808
#define SEED 0x1810
#define RUBBISH 0x10000

/* The next number into rax (xorshift64, in r8). */
.macro random
    mov %r8, %rax
    shl $13, %rax
    xor %rax, %r8
    mov %r8, %rax
    shr $7, %rax
    xor %rax, %r8
    mov %r8, %rax
    shl $17, %rax
    xor %rax, %r8
    mov %r8, %rax
.endm

    .globl _start
_start:
    mov SEED, %r8
    or $1, %r8
again:
    incq COUNT
    cmpl $0, END
    jne end
    mov COUNT, %rax
    test $0x3ff, %eax
    jnz 1f
    call set_up_console
1:  random
    mov %rax, %rdx
    and $0xfff8, %edx
    random
    mov %rax, RUBBISH(%rdx)
    /* Small numbers make rings and descriptors that nearly work. */
    and $0x1f, %eax
    mov %ax, RUBBISH + 2(%rdx)

    random
    xor %edx, %edx
    mov %eax, %eax
    divl PARAMETERS
    lea PARAMETERS + 8(, %rdx, 8), %ecx
    random
    mov %eax, %ebx
    and 4(%rcx), %ebx
    add (%rcx), %ebx
    random
    mov %rax, %rdi
    shr $32, %rdi
    mov %eax, %ecx
    shr $8, %ecx
    and $7, %ecx
    jmp *table(, %rcx, 8)
store1:
    mov %dil, (%rbx)
    jmp again
store2:
    and $~1, %ebx
    mov %di, (%rbx)
    jmp again
store4:
    and $~3, %ebx
    mov %edi, (%rbx)
    jmp again
small4:
    and $~3, %ebx
    and $0xf, %edi
    mov %edi, (%rbx)
    jmp again
store8:
    and $~7, %ebx
    mov %rdi, (%rbx)
    jmp again
load1:
    mov (%rbx), %al
    jmp again
load4:
    and $~3, %ebx
    mov (%rbx), %eax
    jmp again
load8:
    and $~7, %ebx
    mov (%rbx), %rax
    jmp again

end:
    finish 0

/* Queues 0 and 1 in the rubbish, and DRIVER_OK. */
set_up_console:
    store(WINDOW + 0x70, 0)
    store(WINDOW + 0x70, 3)
    store(WINDOW + 0x24, 1)
    store(WINDOW + 0x20, 1)
    store(WINDOW + 0x70, 0xb)
    .irp n, 0, 1
    store(WINDOW + 0x30, \n)
    store(WINDOW + 0x38, 8)
    store(WINDOW + 0x80, RUBBISH + \n * 0x2000)
    store(WINDOW + 0x84, 0)
    store(WINDOW + 0x90, RUBBISH + \n * 0x2000 + 0x400)
    store(WINDOW + 0x94, 0)
    store(WINDOW + 0xa0, RUBBISH + \n * 0x2000 + 0x800)
    store(WINDOW + 0xa4, 0)
    store(WINDOW + 0x44, 1)
    .endr
    store(WINDOW + 0x70, 0xf)
    store(WINDOW + 0x50, 0)
    store(WINDOW + 0x50, 1)
    ret

    .align 8
table:
    .quad store1, store2, store4, small4, store8, load1, load4, load8
