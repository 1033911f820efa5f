#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# States in small and large writes, edited by hand, read in pieces, written by several commands.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/state-lib.sh"

cp "$M/state" "$T/state" || fail "cp"

# Through small writes, and larger ones.
remount_fs
dd if="$T/state" of="$M/state" bs=37 conv=notrunc 2>"$T/out" || fail "37 bytes at a time: $(cat "$T/out")"
cmp "$T/state" "$M/state" || fail "in small writes it differs"
remount_fs
dd if="$T/state" of="$M/state" bs=1M 2>"$T/out" || fail "1 MiB at a time: $(cat "$T/out")"
cmp "$T/state" "$M/state" || fail "in large writes it differs"

good=$T/good
cp "$M/$b/state" "$good" || fail "cp"
# Edited by hand, and marked so.
sed 's/^line = 9/line = 8/; s/^checksum = .*/checksum = none/' "$good" >"$T/edited"
cp "$T/edited" "$M/$b/state" || fail "an edited state: $(tail -n 1 "$M/errors")"
eq $b/devices/d/line 8

# Open and close, or O_TRUNC, is no restore.
: >"$M/$b/state" || fail "O_TRUNC of a state"
eq $b/devices/d/line 8

# An open takes a snapshot, which later changes do not alter.
exec 3<"$M/$b/state"
dd bs=64 count=1 <&3 >"$T/one" 2>/dev/null
put $b/devices/d/assert 0
put $b/devices/d/ack 1
cat <&3 >>"$T/one"
exec 3<&-
cp "$T/one" "$M/$b/state" || fail "the state of one moment: $(tail -n 1 "$M/errors")"
eq $b/devices/d/assert 1

# Several commands of a shell may write one state, though each of them closes its copy of the file.
cp "$M/state" "$T/grouped"
put aplic/aplic0/domaincfg 0x100
{
    sed '$d' "$T/grouped"
    echo "checksum = none"
} >"$M/state" || fail "a state that two commands write"
cmp "$M/state" "$T/grouped" || fail "a state that two commands have written"
