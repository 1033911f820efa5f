#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# -o ro: every file can be read, and none can be changed.
. "$(dirname "$0")/lib.sh"

mount_fs -o ro
eq aplic/aplic0/harts 2
before=$(cat "$M/state")
for file in aplic/aplic0/wire/5 console/con0/ports/0/name state errors; do
    same "opening $file for writing" "$("$IO" write $file 1)" EROFS
done
same "pwrite to regs" "$("$IO" pwrite aplic/aplic0/regs 0 00010000)" EROFS
mkdir "$M/aplic/new" 2>"$T/err" && fail "mkdir succeeded"
grep -qi 'read-only' "$T/err" || fail "mkdir: $(cat "$T/err")"
rmdir "$M/aplic/aplic0" 2>"$T/err" && fail "rmdir succeeded"
grep -qi 'read-only' "$T/err" || fail "rmdir: $(cat "$T/err")"
same "the state afterwards" "$(cat "$M/state")" "$before"
