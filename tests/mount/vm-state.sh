#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The root's state has machines: one that was saved while it ran continues in another mount.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/vm-common"

mount_fs
need_kvm

# A console guest whose lines wait for a reader: one line is done, the next has been written but not read.
machine con long console
put console/con0/ports/0/overflow hold
slot con 0 console/con0 0x10000000 10
put vm/con/run 1
same "the first line" "$(timeout 20 head -n 1 "$M/console/con0/ports/0/data")" "hello from the guest"
printf 'one\n' >"$M/console/con0/ports/0/data"
same "the echo" "$(timeout 20 head -n 1 "$M/console/con0/ports/0/data")" "ONE"
printf 'two\n' >"$M/console/con0/ports/0/data"
# An aplic guest that waits for its wire; a device in a second machine that never ran.
machine irq long aplic
put aplic/aplic0/imsic/0/eidelivery 1
put aplic/aplic0/imsic/0/enabled "7 9"
slot irq 0 aplic/aplic0 0x10000000 msi
slot irq 1 aplic/aplic0/imsic/0 0x20000000 ""
put vm/irq/run 1
says irq "imsic arrived"
mkdir "$M/vm/idle" "$M/vm/idle/slots/7"
put vm/idle/memory_size 65536

# A running machine can be saved as well, and goes on.
cp "$M/state" "$T/live"
grep -qx 'saved_status = stopped' "$T/live" || fail "a running machine is not saved as stopped"
[ "$(cat "$M/vm/con/run")" = 1 ] || fail "saving has stopped the machine"

put vm/con/run 0
put vm/irq/run 0
cp "$M/state" "$T/state"
cp "$M/state" "$T/again"
cmp "$T/state" "$T/again" || fail "two states of stopped machines differ"
cp "$M/vm/con/memory" "$T/con"
cp "$M/vm/irq/memory" "$T/irq"
regs=$(cat "$M/vm/con/cpu/0/regs")

remount_fs
cp "$T/state" "$M/state" || fail "the state is refused: $(tail -n 1 "$M/errors")"
cp "$M/state" "$T/restored"
cmp "$T/state" "$T/restored" || fail "the restored state differs"
same "machines" "$(ls "$M/vm" | sort | tr '\n' ' ')" "con idle irq "
eq vm/con/status stopped
eq vm/con/slots/0/attached 1
eq vm/idle/status created
eq console/con0/driver vm
same "registers" "$(cat "$M/vm/con/cpu/0/regs")" "$regs"
# Reads before the memory is restored do no harm.
"$IO" read console/con0/ports/0/data 64 >/dev/null
cat "$T/con" >"$M/vm/con/memory" || fail "the memory cannot be copied"
cat "$T/irq" >"$M/vm/irq/memory" || fail "the memory cannot be copied"
put vm/con/run 1
put vm/irq/run 1
same "the line that was under way" "$(timeout 20 head -n 1 "$M/console/con0/ports/0/data")" "TWO"
printf 'three.\n' >"$M/console/con0/ports/0/data"
same "the echo" "$(timeout 20 head -n 1 "$M/console/con0/ports/0/data")" "THREE."
ends con 0
put aplic/aplic0/wire/4 1
ends irq 0

# Restoring over machines that run, with their memory in place: back to where they were saved.
cp "$T/state" "$M/state" || fail "the state is refused: $(tail -n 1 "$M/errors")"
same "memory after a restore" "$("$IO" pread vm/con/memory 0 16)" "$("$IO" pread vm/con/memory 0 16)"
cat "$T/con" >"$M/vm/con/memory"
put vm/con/run 1
same "the line that was under way" "$(timeout 20 head -n 1 "$M/console/con0/ports/0/data")" "TWO"
cp "$T/state" "$M/state" || fail "a restore over a running machine is refused"
eq vm/con/status stopped

# Impossible values are refused, and change nothing.
cp "$M/state" "$T/before"
try() {
    sed -e "$2" -e 's/^checksum = .*/checksum = none/' "$T/state" >"$T/bad"
    cmp -s "$T/bad" "$T/state" && fail "$1: the edit changes nothing"
    cp "$T/bad" "$M/state" 2>/dev/null && fail "$1: a state with it is taken"
    cp "$M/state" "$T/after"
    cmp "$T/before" "$T/after" || fail "$1: the refused state has changed something"
}
try "a device that is not there" 's,^device = console/con0,device = console/none,'
try "an attached slot without device" 's,^device = console/con0,device = ,'
try "a processor too many" 's,^cpus = 1,cpus = 2,'
try "no processors" '/^cpu\//d'
try "hex that is cut short" 's,^\(cpu/0/sregs = ..\).*,\1,'
try "control registers that cannot be" 's,^\(cpu/0/sregs = .*\)$,\1,; s,^cpu/0/sregs = .\{600\},cpu/0/sregs = &,'
try "an MSR that is none of a guest" 's,^cpu/0/msrs = .*,cpu/0/msrs = 0x1234=0x1,'
try "a machine that runs" 's,^saved_status = stopped,saved_status = running,'
try "a slot that is no number" 's,^\[vm/con/slots/0\],[vm/con/slots/x],'

# An exception that waits to be injected is no injected one: struct kvm_vcpu_events begins with injected, nr,
# has_error_code and pending. Byte 20 has the flags, and byte 28 says that a triple fault waits.
edited() {
    sed -e "$2" -e 's/^checksum = .*/checksum = none/' "$T/state" >"$T/edited"
    cmp -s "$T/edited" "$T/state" && fail "$1: the edit changes nothing"
    cp "$T/edited" "$M/state" || fail "$1: the state is refused: $(tail -n 1 "$M/errors")"
    sed 's/^checksum = .*/checksum = none/' "$M/state" >"$T/restored"
    cmp "$T/edited" "$T/restored" || fail "$1: the restored state differs: $(diff "$T/edited" "$T/restored")"
}
edited "an exception" 's,^\(cpu/0/events = \)........,\1000d0101,'
if grep -q '^cpu/0/events = .\{40\}3' "$T/state"; then
    edited "a triple fault" 's,^\(cpu/0/events = .\{56\}\)..,\101,'
fi

# Removing all with a state that has no machine.
remount_fs
cp "$M/state" "$T/empty"
cp "$T/state" "$M/state" || fail "the state is refused"
cp "$T/empty" "$M/state" || fail "the empty state is refused: $(tail -n 1 "$M/errors")"
same "machines" "$(ls "$M/vm")" ""
eq console/con0/driver soft
