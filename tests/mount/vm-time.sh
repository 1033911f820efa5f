#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Time stops for a stopped machine: its state does not change, and the guest, which watches its timer and its
# time stamp counter, sees no step when it continues, also after a restore.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/vm-common"

# stands_still NAME: for longer than the step that the guest takes for an error.
stands_still() {
    cp "$M/state" "$T/before"
    sleep 3
    cp "$M/state" "$T/after"
    cmp "$T/before" "$T/after" || fail "the state of $1 changes: $(diff "$T/before" "$T/after" | head -n 4)"
}

mount_fs
need_kvm
machine timer long timer
put vm/timer/run 1
says timer "the timer runs"
put vm/timer/run 0
eq vm/timer/status stopped
stands_still "a stopped machine"
cp "$M/vm/timer/memory" "$T/memory"

remount_fs
cp "$T/after" "$M/state" || fail "the state is refused: $(tail -n 1 "$M/errors")"
cat "$T/memory" >"$M/vm/timer/memory" || fail "the memory cannot be copied"
stands_still "a restored machine"
cmp "$T/memory" "$M/vm/timer/memory" || fail "the memory changes"
put vm/timer/run 1
ends timer 0
rmdir "$M/vm/timer"

# It does for a machine that has ended by itself and goes on, too.
machine again long again
put vm/again/run 1
ends again 3
sleep 5
put vm/again/run 1
ends again 0
rmdir "$M/vm/again"
