#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A virtual machine without devices: modes, starting and stopping, registers, output, and refused changes.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/vm-common"

mount_fs
need_kvm

# Real mode, one and three processors.
machine a real hello
put vm/a/run 1
ends a 42
same "output" "$(said a)" "0 says hello"
eq vm/a/exits/pio 14
refuse EBUSY vm/a/memory_size 4096
refuse EBUSY vm/a/cpus 2
# Once more from the beginning; the log has the output of both.
"$IO" pwrite vm/a/memory 0x40 0000 >/dev/null
put vm/a/entry 0
eq vm/a/status created
"$IO" pwrite vm/a/memory 0 "$(od -An -v -tx1 "$VDF_GUESTS/hello.bin" | tr -d ' \n')" >/dev/null
put vm/a/run 1
ends a 42
rmdir "$M/vm/a" || fail "rmdir vm/a"
machine a real hello
put vm/a/cpus 3
same "cpu directories" "$(ls "$M/vm/a/cpu" | tr '\n' ' ')" "0 1 2 "
[ "$("$IO" pwrite vm/a/memory 0x80 0300)" = ok ] || fail "memory cannot be written"
put vm/a/run 1
ends a 42
same "processors that said hello" "$(said a | tr -dc 012 | fold -w 1 | sort | tr -d '\n')" 012
rmdir "$M/vm/a" || fail "rmdir vm/a"

# Long mode in both rings, stopped and started again while it works, memory seen live.
for mode in long user; do
    machine b $mode ring
    put vm/b/run 1
    eq vm/b/run 1
    eq vm/b/status running
    absent vm/b/cpu/0/regs
    refuse EBUSY vm/b/mode real
    refuse EBUSY vm/b/entry 0
    count() { "$IO" pread vm/b/memory 0x100 8; }
    moves() { [ "$(count)" != "$1" ]; }
    first=$(count)
    wait_for 10 moves "$first" || fail "the guest's memory does not change in mode $mode"
    put vm/b/run 0
    eq vm/b/run 0
    eq vm/b/status stopped
    first=$(count)
    case $mode in long) ring=0 ;; user) ring=3 ;; esac
    grep -qx "rbp = 0x000000000000000$ring" "$M/vm/b/cpu/0/regs" || fail "rbp is not the ring"
    same "lines of regs" "$(wc -l <"$M/vm/b/cpu/0/regs")" \
        "$("$IO" read vm/b/cpu/0/regs 65536 | grep -c '^[a-z0-9_]* = 0x[0-9a-f]*$')"
    same "the count while it is stopped" "$(count)" "$first"
    # The file's content can be written back, and so can one line of it.
    cp "$M/vm/b/cpu/0/regs" "$T/regs"
    cp "$T/regs" "$M/vm/b/cpu/0/regs" || fail "regs cannot be written back"
    same "regs after writing them back" "$(cat "$M/vm/b/cpu/0/regs")" "$(cat "$T/regs")"
    put vm/b/cpu/0/regs "r15 = 0x1234"
    grep -qx "r15 = 0x0000000000001234" "$M/vm/b/cpu/0/regs" || fail "r15 was not written"
    refuse EINVAL vm/b/cpu/0/regs "r16 = 1"
    refuse EINVAL vm/b/cpu/0/regs "rax"
    refuse EINVAL vm/b/cpu/0/regs "rax = 1 2"
    refuse ERANGE vm/b/cpu/0/regs "cs = 0x12345"
    put vm/b/run 1
    wait_for 10 moves "$first" || fail "the guest does not go on in mode $mode"
    [ "$("$IO" pwrite vm/b/memory 0x108 01)" = ok ] || fail "memory cannot be written"
    ends b "$ring"
    same "output in mode $mode" "$(said b)" "$ring"
    rmdir "$M/vm/b" || fail "rmdir vm/b"
done

# A hundred starts and stops, then an end in the middle of it.
machine c user ring
for _ in $(seq 100); do
    put vm/c/run 1
    put vm/c/run 0
done
eq vm/c/status stopped
put vm/c/run 1
rmdir "$M/vm/c" || fail "rmdir of a running machine"
absent vm/c

# A guest without sensible code fails, and errors has a line about it.
mkdir "$M/vm/e"
put vm/e/mode long
"$IO" pwrite vm/e/memory 0 0f0b >/dev/null # ud2, and no handler
put vm/e/run 1
wait_for 10 has_ended e || fail "vm/e does not end"
eq vm/e/status failed
grep -q "^vm/e: " "$M/errors" || fail "errors has no line about vm/e"
# It can be given another try.
"$IO" pwrite vm/e/memory 0 b02ae6f4ebfe >/dev/null # mov $42, %al; out %al, $0xf4; jmp .
put vm/e/entry 0
put vm/e/run 1
ends e 42
rmdir "$M/vm/e"

# Many of them come and go, and leave no descriptor behind.
pid=$(daemon_pids)
fds() { ls "/proc/$pid/fd" | wc -l; }
before=$(fds)
for _ in $(seq 20); do
    machine m real hello
    put vm/m/run 1
    rmdir "$M/vm/m" || fail "rmdir vm/m"
done
gone() { [ "$(fds)" -le "$before" ]; }
wait_for 10 gone || fail "$(fds) descriptors are open, before there were $before"
