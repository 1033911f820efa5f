#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# CPUID of a guest's processor describes the guest, and does not depend on the host's processor that made it.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/vm-common"

mount_fs
need_kvm
mkdir "$M/vm/c" || fail "mkdir"
put vm/c/mode long
put vm/c/cpus 3

# answers CODE N: processor 2 runs the code, which leaves N in bl; the others wait in a loop.
answers() {
    # cmp $2, %edi; jne .; CODE; mov %bl, %al; out %al, $0xf4; jmp .
    same "the memory" "$("$IO" pwrite vm/c/memory 0 "83ff0275fe${1}88d8e6f4ebfe")" ok
    put vm/c/entry 0
    put vm/c/run 1
    ends c "$2"
}

answers b8010000000fa2c1eb18 2 # leaf 1: the APIC id
answers b8010000000fa2c1eb10 1 # leaf 1: how many share the package
answers b80b00000031c90fa289d3 2 # leaf 0xb, first level: the id

# The guest sets its time stamp counter: mov $5, %edx; wrmsr. It reads the same value back.
answers b91000000031c0ba050000000f3089d3 5
cp "$M/state" "$T/state" || fail "the state cannot be read"
grep -q '^cpu/2/msrs = .*0x3b=0x[1-9a-f]' "$T/state" || fail "TSC_ADJUST is not in the state"
remount_fs
cp "$T/state" "$M/state" || fail "the state is refused"
cp "$M/state" "$T/again" || fail "the state cannot be read"
cmp "$T/state" "$T/again" || fail "the restored state differs"
rmdir "$M/vm/c" || fail "rmdir"
