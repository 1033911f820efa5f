/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Drives an APLIC with MSI delivery in long mode: sources 3 and 4 go to identities 7 and 9 of hart
 * 0, which are vectors 32 + 7 and 32 + 9. It raises source 3 itself and by the IMSIC page, and waits
 * for the host to raise source 4.
 */
#include "guest.h"

#define DOMAINCFG 0x0000
#define SOURCECFG 0x0000
#define SETIENUM 0x1edc
#define SETIPNUM 0x1cdc
#define TARGET 0x3000

    .globl _start
_start:
    cld
    call set_up_interrupts
    gate 39, third
    gate 41, fourth
    store(WINDOW + SOURCECFG + 4 * 3, 1)
    store(WINDOW + SOURCECFG + 4 * 4, 4)
    store(WINDOW + TARGET + 4 * 3, 7)
    store(WINDOW + TARGET + 4 * 4, 9)
    store(WINDOW + SETIENUM, 3)
    store(WINDOW + SETIENUM, 4)
    store(WINDOW + DOMAINCFG, 0x100)
    load(WINDOW + DOMAINCFG)
    cmp $0x80000104, %eax
    expect e, 1
    load(WINDOW + TARGET + 4 * 4)
    cmp $9, %eax
    expect e, 2

    store(WINDOW + SETIPNUM, 3)
    wait_count thirds, 1
    say one
    /* Identity 7 by itself, as a device sends it. */
    store(PAGE0, 7)
    wait_count thirds, 2
    load(PAGE0)
    test %eax, %eax
    expect z, 3
    say two
    wait_count fourths, 1
    say three
    finish 0

third:
    incl thirds(%rip)
    end_of_interrupt
    iretq

fourth:
    incl fourths(%rip)
    end_of_interrupt
    iretq

#include "long.S"

one: .asciz "setipnum arrived\n"
two: .asciz "imsic arrived\n"
three: .asciz "wire arrived\n"
    .align 8
thirds: .long 0
fourths: .long 0
