/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Included at the end of guests in long mode, ring 0. */

#define IDT 0x8000

print:
    lodsb
    test %al, %al
    jz 1f
    out %al, $PORT_DEBUG
    jmp print
1:  ret

/* A table of gates that lead to `fault`, which real ones replace. */
set_up_interrupts:
    xor %edi, %edi
1:  lea fault(%rip), %rsi
    call set_gate
    inc %edi
    cmp $256, %edi
    jb 1b
    lea idt_pointer(%rip), %rax
    lidt (%rax)
    ret

/* edi: vector, rsi: handler */
set_gate:
    mov %edi, %ebx
    shl $4, %ebx
    mov %rsi, %rax
    mov %ax, IDT(%rbx)
    movw $0x08, IDT + 2(%rbx)
    movw $0x8e00, IDT + 4(%rbx)
    shr $16, %rax
    mov %ax, IDT + 6(%rbx)
    shr $16, %rax
    mov %eax, IDT + 8(%rbx)
    movl $0, IDT + 12(%rbx)
    ret

fault:
    lea fault_text(%rip), %rsi
    call print
    finish 99

fault_text: .asciz "an exception that nobody expects\n"
    .align 8
idt_pointer:
    .word 256 * 16 - 1
    .quad IDT
