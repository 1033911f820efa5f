/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Drives a Tegra241 CMDQV in long mode: its register window at WINDOW, interrupts on GSI 11 (level),
 * queue 0's page at PAGE0. The host maps memory one to one for the device. The guest sets queue 0
 * up through the window, sends commands through the page, then one that is illegal, takes the error
 * interrupt, mends the queue and goes on.
 */
#include "guest.h"

#define GSI 11
#define VECTOR 0x41

#define CMDQ_ALLOC 0x200
#define VCMDQ_PAGE1 0x20000
#define BASE 0x0
#define CMDQ_ERR_MAP 0x24

#define CONS 0x0
#define PROD 0x4
#define CONFIG 0x8
#define STATUS 0xc
#define GERROR 0x10
#define GERRORN 0x14

#define RING 0x10000
#define LOG2 4
#define TLBI_NH_VA 0x12
#define CMD_SYNC 0x46
#define ILLEGAL 0x01

/* A command into entry @n. */
.macro command n, opcode, address=0
    movq $\opcode, RING + 16 * \n
    movq $\address, RING + 16 * \n + 8
.endm

.macro wait_cons value
1:  load(PAGE0 + CONS)
    cmp $\value, %eax
    jne 1b
.endm

    .globl _start
_start:
    cld
    call set_up_interrupts
    gate VECTOR, error
    route(GSI, VECTOR, 0x8000)
    load(WINDOW + 8)
    test $1, %eax
    expect nz, 1
    store(WINDOW + CMDQ_ALLOC, 1)
    mov $WINDOW + VCMDQ_PAGE1 + BASE, %ebx
    movq $RING + LOG2, (%rbx)
    store(PAGE0 + CONFIG, 1)
1:  load(PAGE0 + STATUS)
    test $1, %eax
    jz 1b
    say running

    command 0, TLBI_NH_VA, 0x1000
    command 1, TLBI_NH_VA, 0x2000
    command 2, CMD_SYNC
    store(PAGE0 + PROD, 3)
    wait_cons 3
    say synced

    command 3, ILLEGAL
    command 4, CMD_SYNC
    store(PAGE0 + PROD, 5)
    wait_count errors, 1
    /* The handler has acknowledged it; a mapped page is seen a little later. */
2:  load(WINDOW + CMDQ_ERR_MAP)
    test %eax, %eax
    jnz 2b
    wait_cons 5
    say mended
    finish 0

/* The bad command becomes a CMD_SYNC, and the error is acknowledged, as Linux does. */
error:
    push %rax
    push %rbx
    incl errors(%rip)
    load(PAGE0 + CONS)
    /* The line falls a little after the acknowledgement in a mapped page: it may interrupt again, and
     * the queue have gone on by then. */
    cmpl $1, errors(%rip)
    jne 3f
    cmp $0x01000003, %eax /* ERR is ILL, RD is at the command */
    expect e, 2
3:  command 3, CMD_SYNC
    load(PAGE0 + GERROR)
    mov $PAGE0 + GERRORN, %ebx
    mov %eax, (%rbx)
    end_of_interrupt
    pop %rbx
    pop %rax
    iretq

#include "long.S"

running: .asciz "queue runs\n"
synced: .asciz "synced\n"
mended: .asciz "mended\n"
    .align 8
errors: .long 0
