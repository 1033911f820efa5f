#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# States with megabytes of memory, and stat(2) of them.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/state-lib.sh"

random_seed
# Megabytes of memory, all of it of some value.
put hwqueue/smmu0/ioas/unmap '0x10000 0x1000'
"$IO" random "$seed" 1048576 >"$T/memory"
"$IO" random $((seed + 1)) 1048576 >>"$T/memory"
cp "$T/memory" "$M/hwqueue/smmu0/memory" || fail "cp to memory: $(tail -n 1 "$M/errors")"
cp "$M/hwqueue/smmu0/state" "$T/large" || fail "a large state cannot be read"
same "the size of a large state" "$(stat -c %s "$M/hwqueue/smmu0/state")" "$(wc -c <"$T/large")"
mkdir "$M/hwqueue/large" || fail "mkdir"
cp "$T/large" "$M/hwqueue/large/state" || fail "a large state: $(tail -n 1 "$M/errors")"
cmp "$T/memory" "$M/hwqueue/large/memory" || fail "the restored memory differs"

# A stat takes no memory for the text, and keeps what it has measured.
for name in hwqueue/smmu0 hwqueue/large; do
    cp "$T/memory" "$M/$name/memory" || fail "cp to memory"
done
for state in state hwqueue/large/state; do
    same "the size of $state" "$(stat -c %s "$M/$state")" "$(cat "$M/$state" | wc -c)"
    same "the size of $state, again" "$(stat -c %s "$M/$state")" "$(cat "$M/$state" | wc -c)"
done
"$IO" pwrite hwqueue/large/memory 0 00 >/dev/null
same "the size after a change" "$(stat -c %s "$M/state")" "$(cat "$M/state" | wc -c)"
rmdir "$M/hwqueue/large" || fail "rmdir"
same "the size after a removal" "$(stat -c %s "$M/state")" "$(cat "$M/state" | wc -c)"
