/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Four processors compare their time stamp counters through memory, in ring 3 too. Once the byte at END
 * is set each makes some more rounds. The guest ends with 1 when a counter was behind what another
 * processor had read before, else with 0.
 */
#include "guest.h"

#define CPUS 4
#define END 0xf00
#define ROUNDS 10000

    .globl _start
_start:
    lock incl begun(%rip)
1:  pause
    cmpl $CPUS, begun(%rip)
    jb 1b
    mov $ROUNDS, %ecx
    test %edi, %edi
    jnz 2f
    mov $'+', %al
    out %al, $PORT_DEBUG
2:  mov latest(%rip), %r8
    lfence
    rdtsc
    shl $32, %rdx
    or %rdx, %rax
    cmp %r8, %rax
    jae 3f
    movl $1, behind(%rip)
3:  mov %rax, %r9
    mov latest(%rip), %rax
4:  cmp %r9, %rax
    jae 5f
    lock cmpxchg %r9, latest(%rip)
    jne 4b
5:  cmpb $0, END
    je 2b
    dec %ecx
    jnz 2b
    lock incl done(%rip)
6:  pause
    cmpl $CPUS, done(%rip)
    jb 6b
    mov behind(%rip), %al
    out %al, $PORT_EXIT
7:  pause
    jmp 7b

    .align 8
latest: .quad 0
begun: .long 0
done: .long 0
behind: .long 0
