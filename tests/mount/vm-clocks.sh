#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The time stamp counters of all processors agree, in a machine that begins, that goes on, and that is restored.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/vm-common"

mount_fs
need_kvm
finishes() {
    same "the memory" "$("$IO" pwrite vm/clocks/memory 0xf00 01)" ok
    put vm/clocks/run 1
    ends clocks 0
}
begins() {
    mkdir "$M/vm/clocks" || fail "mkdir vm/clocks"
    put vm/clocks/mode user
    put vm/clocks/cpus 4
    dd if="$VDF_GUESTS/clocks.bin" of="$M/vm/clocks/memory" conv=notrunc status=none || fail "the memory cannot be copied"
}
begins
finishes
rmdir "$M/vm/clocks"

begins
put vm/clocks/run 1
says clocks +
put vm/clocks/run 0
cp "$M/state" "$T/state"
cp "$M/vm/clocks/memory" "$T/memory"
finishes
remount_fs
cp "$T/state" "$M/state" || fail "the state is refused: $(tail -n 1 "$M/errors")"
cat "$T/memory" >"$M/vm/clocks/memory" || fail "the memory cannot be copied"
finishes
dd if="$VDF_GUESTS/clocks.bin" of="$M/vm/clocks/memory" conv=notrunc status=none || fail "the memory cannot be copied"
put vm/clocks/entry 0
finishes
