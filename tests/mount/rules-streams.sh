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
exec 6<>"$M/$p/data"
same "the guest writes" "$("$IO" write $p/guest hello)" ok
same "the host reads" "$("$IO" read $p/data)" hello
same "the host reads on" "$("$IO" read $p/data)" EAGAIN
dd if="$M/$p/data" bs=5 count=1 >"$T/blocked" 2>/dev/null &
reader=$!
same "the guest writes again" "$("$IO" write $p/guest again)" ok
wait $reader || fail "the blocked reader failed"
same "what it got" "$(cat "$T/blocked")" again
exec 5<&- 6<&-

# Sleeping in the stream is to be seen from outside, and a signal ends it.
asleep() {
    [ "$(cut -d ' ' -f 3 "/proc/$1/stat" 2>/dev/null)" = S ] || return 1
    for open in "/proc/$1/fd"/*; do
        case $(readlink "$open") in *"$2") return 0 ;; esac
    done
    return 1
}
ended() {
    ! kill -0 "$1" 2>/dev/null || [ "$(cut -d ' ' -f 3 "/proc/$1/stat" 2>/dev/null)" = Z ]
}
cat "$M/$p/data" >"$T/out" &
reader=$!
"$IO" write $p/data "$(cat "$T/data")" >"$T/out"
"$IO" write $p/data "$(cat "$T/data")" >"$T/out"
cat "$M/version" >"$M/$p/data" &
writer=$!
cat "$M/console/con0/control" >"$T/out" &
follower=$!
for blocked in "$reader ports/1/data" "$writer ports/1/data" "$follower con0/control"; do
    # shellcheck disable=SC2086
    wait_for 10 asleep $blocked || fail "$blocked is not blocked"
done
for blocked in $reader $writer $follower; do
    kill -TERM "$blocked"
    wait_for 10 ended "$blocked" || fail "a blocked process does not end by a signal"
done
wait

# One that has not reached the daemon yet is interrupted all the same.
pid=$(daemon_pids)
kill -STOP "$pid"
cat "$M/$p/data" >"$T/out" &
reader=$!
sleep 0.3
kill -TERM $reader
sleep 0.1
kill -CONT "$pid"
wait_for 10 ended $reader || fail "a signal before the request was lost"
wait

# A write of many pieces ends when the last of them has its place, whoever reads.
exec 6<>"$M/$p/data" 5<>"$M/$p/guest"
for n in 65536 131072 262144; do
    timeout 20 dd if=/dev/zero of="$M/$p/guest" bs=$n count=1 2>/dev/null || fail "a write of $n bytes does not end"
    head -c $n <&6 | cmp -n $n - /dev/zero || fail "what was read of $n bytes"
done
exec 5<&- 6<&-

# Who waits for edges is told of each; and of a change who shares an open file with somebody who waits for
# something else, and who waits for a state.
same "edges of a log" "$("$IO" edges $a/msi 5 20000 sh -c "echo 5 >'$M/$a/genmsi'")" 5
same "a shared file" "$("$IO" poll-shared $a/target/1 20000 sh -c "echo 3 >'$M/$a/target/1'" | tail -n 1)" pri
same "a state" "$("$IO" poll $a/state pri 20000 sh -c "echo 4 >'$M/$a/target/1'" | tail -n 1)" pri
same "the root's state" "$("$IO" poll state pri 20000 sh -c "echo 5 >'$M/$a/target/1'" | tail -n 1)" pri
same "the root's state and a new device" "$("$IO" poll state pri 20000 mkdir "$M/gait/new" | tail -n 1)" pri
same "a state that stands still" "$("$IO" poll $a/state pri 100)" timeout

# More readers than there are threads or queues: all sleep, the rest goes on, and all wake.
mkdir "$M/aplic/b" || fail "mkdir"
cp "$M/$a/state" "$M/aplic/b/state" || fail "cp of a state: $(tail -n 1 "$M/errors")"
same "the log of a device restored" "$("$IO" read aplic/b/msi)" EAGAIN
k=0
readers=
while [ $k -lt 100 ]; do
    first_line <"$M/aplic/b/msi" >"$T/reader.$k" &
    readers="$readers $!"
    k=$((k + 1))
done
for reader in $readers; do
    wait_for 10 asleep "$reader" aplic/b/msi || fail "reader $reader is not blocked"
done
put aplic/b/sourcecfg/1 4
eq aplic/b/sourcecfg/1 0x00000004
put aplic/b/genmsi 1
for reader in $readers; do
    wait "$reader" || fail "a reader failed"
done
same "what all readers got" "$(cat "$T"/reader.* | sort -u | wc -l)" 1
same "their number" "$(cat "$T"/reader.* | wc -l)" 100
