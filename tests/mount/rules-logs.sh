#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Streams that are logs: each open begins at the oldest line, the last 64 KiB are kept, and the others are counted.
. "$(dirname "$0")/lib.sh"

mount_fs
a=aplic/aplic0
msi() {
    printf '%s\n' "$1" >"$M/$a/genmsi" || fail "genmsi: $(tail -n 1 "$M/errors")"
}

first_line() {
    IFS= read -r line && echo "$line"
}

# Empty: EAGAIN, no event.
same "the size" "$(stat -c %s "$M/$a/msi")" 0
same "an empty log" "$("$IO" read $a/msi)" EAGAIN
same "poll on an empty log" "$("$IO" poll $a/msi in 100)" timeout
eq $a/msi_lost 0

# A blocked reader wakes, and so does poll(2).
first_line <"$M/$a/msi" >"$T/first" &
reader=$!
same "poll on a line" "$("$IO" poll $a/msi in 20000 sh -c "echo 5 >'$M/$a/genmsi'" | tail -n 1)" in
wait $reader || fail "the blocked reader failed"
grep -q 'hart=0 guest=0 eiid=5' "$T/first" || fail "it got $(cat "$T/first")"

# Each open starts at the oldest; reading takes nothing away from others.
msi 6
"$IO" read $a/msi >"$T/one"
"$IO" read $a/msi >"$T/two"
cmp "$T/one" "$T/two" || fail "two readers got different things"
same "lines" "$(wc -l <"$T/one")" 2
exec 3<"$M/$a/msi"
msi 7
for eiid in 5 6 7; do
    case $(first_line <&3) in
    *" eiid=$eiid "*) ;;
    *) fail "the line of $eiid is missing" ;;
    esac
done
exec 3<&-

# The last 64 KiB are kept, the others counted, with a reader that never reads and without.
exec 4<"$M/$a/msi"
k=3
while [ $k -lt 3000 ]; do
    printf '5\n' >"$M/$a/genmsi" || fail "an MSI was refused"
    k=$((k + 1))
done
"$IO" read $a/msi >"$T/kept"
size=$(wc -c <"$T/kept")
[ "$size" -le 65536 ] && [ "$size" -gt 65400 ] || fail "$size bytes are kept"
same "lines kept and lost" "$(($(wc -l <"$T/kept") + $(cat "$M/$a/msi_lost")))" 3000
grep -vq '^hart=0 guest=0 eiid=5 [a-z]*$' "$T/kept" && fail "a line was cut"
same "the mode of msi_lost" "$(stat -c %a "$M/$a/msi_lost")" 444
exec 4<&-
