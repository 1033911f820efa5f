#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The state has the model-specific registers of a guest, MTRRs included, and a program that is started again
# finds the registers of a new processor.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/vm-common"

# code NAME OFFSET HEX: into the machine's memory.
code() {
    same "the memory" "$("$IO" pwrite "vm/$1/memory" "$2" "$3")" ok
}

mount_fs
need_kvm

# MTRR default type := 0xc06, exit 6; then it is read, exit with its low byte.
mtrr=b9ff020000b8060c000031d20f30e6f40f32e6f4ebfe
mkdir "$M/vm/x"
put vm/x/mode long
code x 0 $mtrr
put vm/x/run 1
ends x 6
cp "$M/state" "$T/state"
grep -q '^cpu/0/msrs = .* 0x2ff=0xc06' "$T/state" || fail "the MTRR is not in the state"
cp "$M/state" "$T/again"
cmp "$T/state" "$T/again" || fail "two states of a machine that has ended differ"
remount_fs
cp "$T/state" "$M/state" || fail "the state is refused: $(tail -n 1 "$M/errors")"
cp "$M/state" "$T/again"
cmp "$T/state" "$T/again" || fail "the restored state is another one"
code x 0 $mtrr
put vm/x/run 1
ends x 6

# Begun anew the processor has the reset value, 0.
code x 0 b9ff0200000f32e6f4ebfe
put vm/x/entry 0
put vm/x/run 1
ends x 0

# So has its APIC: the timer's vector is masked again, and no timer of the program before fires.
code x 0 bb2003e0fec70320000000b005e6f4ebfe
code x 0x100 bb2003e0fe8b03c1e810e6f4ebfe
put vm/x/entry 0
put vm/x/run 1
ends x 5
put vm/x/entry 0x100
put vm/x/run 1
ends x 1

# An MSR that KVM does not have is refused with its number.
sed 's/^cpu\/0\/msrs = /&0xdeadbeef=0x1 /; s/^checksum = .*/checksum = none/' "$T/state" >"$T/bad"
! cp "$T/bad" "$M/state" 2>/dev/null || fail "an unknown MSR is taken"
tail -n 1 "$M/errors" | grep -q 0xdeadbeef || fail "errors says: $(tail -n 1 "$M/errors")"
