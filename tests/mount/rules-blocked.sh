#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Readers and writers that wait in streams: a signal ends them, and any number of them stops no other request.
. "$(dirname "$0")/lib.sh"

mount_fs
a=aplic/aplic0
p=console/con0/ports/1
mkdir "$M/$p" || fail "mkdir"

first_line() {
    IFS= read -r line && echo "$line"
}

# Sleeping in the stream is to be seen from outside, and a signal ends it.
head -c 49152 /dev/zero | tr '\0' a >"$T/data"
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
    wait_for 10 process_ended "$blocked" || fail "a blocked process does not end by a signal"
done
wait

# One that has not reached the daemon yet is interrupted all the same.
pid=$(daemon_pids)
kill -STOP "$pid"
cat "$M/$p/data" >"$T/out" &
reader=$!
wait_for 10 in_request $reader || fail "the reader does not wait"
kill -TERM $reader
# It has ended, or it waits without being interruptible until its request has been answered.
signalled() {
    process_ended "$reader" || [ "$(cut -d ' ' -f 3 "/proc/$reader/stat")" = D ]
}
wait_for 10 signalled || fail "the reader does not notice the signal"
kill -CONT "$pid"
wait_for 10 process_ended "$reader" || fail "a signal before the request was lost"
wait

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
