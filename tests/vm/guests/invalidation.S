/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For the benchmark and for queues that are often idle, in user mode: each processor invalidates again and again through a VCMDQ of its
 * own, as Linux does: TLBI_NH_VA for each page and a CMD_SYNC behind them, one store of PROD, then it
 * waits until CONS is there. Each takes a sample of the time stamp counter.
 *
 *     0x1000   pages an invalidation, times, processors, and how many of those are done
 *     0x1010   ticks of the counter to wait before each, 64 bits
 *     0x20000  rings of 256 commands, 4 KiB a processor
 *     0x80000  samples of 32 bits, 256 KiB a processor
 */
#include "guest.h"

#define PARAMETERS 0x1000
#define RINGS 0x20000
#define SAMPLES 0x80000
#define ENTRIES 256

#define CONS 0x0
#define PROD 0x4
#define TLBI_NH_VA 0x12
#define CMD_SYNC 0x46

/* A command at index ebx of the ring. */
.macro command opcode
    mov %ebx, %eax
    and $ENTRIES - 1, %eax
    shl $4, %eax
    movq $\opcode, (%r10, %rax)
    mov %rsi, 8(%r10, %rax)
    inc %ebx
.endm

    .globl _start
_start:
    mov %edi, %r9d
    shl $12, %r9d
    lea RINGS(%r9), %r10d
    add $PAGE0, %r9d
    mov %edi, %r11d
    shl $18, %r11d
    add $SAMPLES, %r11d
    mov PARAMETERS, %r12d
    mov PARAMETERS + 4, %r13d
    mov PROD(%r9), %ebx

again:
    cmpq $0, PARAMETERS + 16
    je 6f
    rdtsc
    shl $32, %rdx
    lea (%rax, %rdx), %r15
5:  pause
    rdtsc
    shl $32, %rdx
    or %rdx, %rax
    sub %r15, %rax
    cmp PARAMETERS + 16, %rax
    jb 5b
6:  mov %r12d, %ecx
    lfence
    rdtsc
    shl $32, %rdx
    lea (%rax, %rdx), %r15
1:  mov %rcx, %rsi
    shl $12, %rsi
    command TLBI_NH_VA
    dec %ecx
    jnz 1b
    xor %esi, %esi
    command CMD_SYNC
    and $2 * ENTRIES - 1, %ebx
    mov %ebx, PROD(%r9)
2:  mov CONS(%r9), %eax
    cmp %ebx, %eax
    je 3f
    shr $24, %eax
    jnz failed
    pause
    jmp 2b
3:  lfence
    rdtsc
    shl $32, %rdx
    or %rdx, %rax
    sub %r15, %rax
    mov %eax, (%r11)
    add $4, %r11
    dec %r13d
    jnz again

    mov $1, %eax
    lock xadd %eax, PARAMETERS + 12
    inc %eax
    cmp PARAMETERS + 8, %eax
    jne 4f
    finish 0
4:  pause
    jmp 4b

failed:
    finish 1
