/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A driver of the console without MULTIPORT, in long mode. It says hello through the transmit
 * queue, and echoes what it receives in upper case until a '.' has come. Interrupts come through the
 * I/O APIC, GSI 10, level-triggered, and are acknowledged in the device and in the APIC.
 */
#include "guest.h"

#define GSI 10
#define VECTOR 0x40

#define REG_MAGIC 0x000
#define REG_VERSION 0x004
#define REG_DEVICE_ID 0x008
#define REG_DRIVER_FEATURES 0x020
#define REG_DRIVER_FEATURES_SEL 0x024
#define REG_QUEUE_SEL 0x030
#define REG_QUEUE_NUM_MAX 0x034
#define REG_QUEUE_NUM 0x038
#define REG_QUEUE_READY 0x044
#define REG_QUEUE_NOTIFY 0x050
#define REG_INTERRUPT_STATUS 0x060
#define REG_INTERRUPT_ACK 0x064
#define REG_STATUS 0x070
#define REG_QUEUE_DESC 0x080
#define REG_QUEUE_DRIVER 0x090
#define REG_QUEUE_DEVICE 0x0a0

/* Queues of 8: descriptors, available ring, used ring, and a buffer. */
#define NUM 8
#define RX 0x10000
#define TX 0x12000
#define DESC 0x000
#define AVAIL 0x400
#define USED 0x800
#define RX_BUFFER 0x14000
#define TX_BUFFER 0x15000
#define BUFFER_BYTES 0x100

.macro set_up_queue index, base
    store(WINDOW + REG_QUEUE_SEL, \index)
    load(WINDOW + REG_QUEUE_NUM_MAX)
    cmp $NUM, %eax
    expect ae, 3
    store(WINDOW + REG_QUEUE_NUM, NUM)
    store(WINDOW + REG_QUEUE_DESC, (\base) + DESC)
    store(WINDOW + REG_QUEUE_DRIVER, (\base) + AVAIL)
    store(WINDOW + REG_QUEUE_DEVICE, (\base) + USED)
    store(WINDOW + REG_QUEUE_READY, 1)
    load(WINDOW + REG_QUEUE_READY)
    cmp $1, %eax
    expect e, 4
.endm

    .globl _start
_start:
    cld
    call set_up_interrupts
    gate VECTOR, interrupt
    route(GSI, VECTOR, 0x8000)

    load(WINDOW + REG_MAGIC)
    cmp $0x74726976, %eax
    expect e, 1
    load(WINDOW + REG_DEVICE_ID)
    cmp $3, %eax
    expect e, 2
    store(WINDOW + REG_STATUS, 0)
    store(WINDOW + REG_STATUS, 1)
    store(WINDOW + REG_STATUS, 3)
    store(WINDOW + REG_DRIVER_FEATURES_SEL, 1)
    store(WINDOW + REG_DRIVER_FEATURES, 1)
    store(WINDOW + REG_STATUS, 0xb)
    load(WINDOW + REG_STATUS)
    cmp $0xb, %eax
    expect e, 5
    set_up_queue 0, RX
    set_up_queue 1, TX

    /* One buffer each; the receive queue has its own from the start. */
    movq $RX_BUFFER, RX + DESC
    movl $BUFFER_BYTES, RX + DESC + 8
    movl $2, RX + DESC + 12
    movq $TX_BUFFER, TX + DESC
    movw $1, RX + AVAIL + 2
    store(WINDOW + REG_STATUS, 0xf)
    store(WINDOW + REG_QUEUE_NOTIFY, 0)

    lea hello(%rip), %rsi
    mov $TX_BUFFER, %edi
    mov $hello_end - hello, %ecx
    rep movsb
    mov $hello_end - hello, %ecx
    call transmit

    xor %r12d, %r12d /* buffers received */
again:
    inc %r12d
1:  cmp %r12w, RX + USED + 2
    je 2f
    call sleep
    jmp 1b
2:  mov RX + USED + 4 + 4, %ecx
    mov %r12d, %eax
    dec %eax
    and $NUM - 1, %eax
    mov RX + USED + 4 + 4(, %rax, 8), %ecx
    xor %ebp, %ebp /* a '.' was in it */
    xor %edx, %edx
3:  mov RX_BUFFER(%rdx), %al
    cmp $'.', %al
    jne 4f
    inc %ebp
4:  cmp $'a', %al
    jb 5f
    cmp $'z', %al
    ja 5f
    sub $32, %al
5:  mov %al, TX_BUFFER(%rdx)
    inc %edx
    cmp %ecx, %edx
    jb 3b
    call transmit
    /* The receive buffer again. */
    mov RX + AVAIL + 2, %ax
    inc %ax
    mov %ax, RX + AVAIL + 2
    store(WINDOW + REG_QUEUE_NOTIFY, 0)
    test %ebp, %ebp
    jz again
    cmpl $0, interrupts(%rip)
    expect ne, 6
    say bye
    finish 0

/* ecx bytes of the buffer; returns when the device has given it back. */
transmit:
    mov %ecx, TX + DESC + 8
    mov TX + AVAIL + 2, %ax
    inc %ax
    mov %ax, TX + AVAIL + 2
    store(WINDOW + REG_QUEUE_NOTIFY, 1)
1:  mov TX + AVAIL + 2, %ax
    cmp %ax, TX + USED + 2
    je 2f
    call sleep
    jmp 1b
2:  ret

/* Until the next interrupt, unless one has come since the last sleep. */
sleep:
    cli
    cmpl $0, news(%rip)
    jne 1f
    sti
    hlt
1:  movl $0, news(%rip)
    sti
    ret

interrupt:
    push %rax
    push %rbx
    load(WINDOW + REG_INTERRUPT_STATUS)
    mov $WINDOW + REG_INTERRUPT_ACK, %ebx
    mov %eax, (%rbx)
    incl interrupts(%rip)
    movl $1, news(%rip)
    end_of_interrupt
    pop %rbx
    pop %rax
    iretq

#include "long.S"

hello: .ascii "hello from the guest\n"
hello_end:
bye: .asciz "console done\n"
    .align 8
interrupts: .long 0
news: .long 0
