#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Rule 5: streams block, answer EAGAIN, are polled; logs keep 64 KiB; data and guest hold the writer back.
. "$(dirname "$0")/lib.sh"

mount_fs
a=aplic/aplic0
p=console/con0/ports/1
mkdir "$M/$p" || fail "mkdir"
msi() {
    printf '%s\n' "$1" >"$M/$a/genmsi" || fail "genmsi: $(tail -n 1 "$M/errors")"
}

# Empty: EAGAIN, no event.
same "the size" "$(stat -c %s "$M/$a/msi")" 0
same "an empty log" "$("$IO" read $a/msi)" EAGAIN
same "poll on an empty log" "$("$IO" poll $a/msi in 100)" timeout
eq $a/msi_lost 0

# A blocked reader wakes, and so does poll(2).
first_line() {
    IFS= read -r line && echo "$line"
}
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

# The write end of a port takes 64 KiB before the guest has opened it, and then holds the writer back.
head -c 49152 /dev/zero | tr '\0' a >"$T/data"
same "48 KiB" "$("$IO" write $p/data "$(cat "$T/data")")" ok
same "what is left of 64 KiB" "$("$IO" write $p/data "$(cat "$T/data")")" 16384
same "a byte more" "$("$IO" write $p/data b)" EAGAIN
same "poll for room" "$("$IO" poll $p/data out 100)" timeout
printf END >"$M/$p/data" &
writer=$!
exec 5<"$M/$p/guest"
dd bs=65539 count=1 iflag=fullblock <&5 >"$T/received" 2>/dev/null || fail "reading it"
wait $writer || fail "the blocked writer failed"
same "the bytes" "$(tr -d a <"$T/received")" END
same "the number of them" "$(wc -c <"$T/received")" 65539
same "nothing more" "$("$IO" read $p/guest)" EAGAIN

# And the other way: the guest writes while somebody has the host's end open.
exec 6<"$M/$p/data"
same "the guest writes" "$("$IO" write $p/guest hello)" ok
same "the host reads" "$("$IO" read $p/data)" hello
same "the host reads on" "$("$IO" read $p/data)" EAGAIN
dd if="$M/$p/data" bs=5 count=1 >"$T/blocked" 2>/dev/null &
reader=$!
same "the guest writes again" "$("$IO" write $p/guest again)" ok
wait $reader || fail "the blocked reader failed"
same "what it got" "$(cat "$T/blocked")" again
exec 5<&- 6<&-
