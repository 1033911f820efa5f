#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A daemon that was started for one processor answers all of them, also those that have to wait for an entry of a
# ring: the daemon is stopped until all are there.
. "$(dirname "$0")/lib.sh"

[ "$(nproc)" -gt 1 ] || skip "this machine has one processor"

kill_readers() {
    for pid in $pids; do
        kill "$pid" 2>/dev/null || :
    done
    for pid in $pids; do
        wait "$pid" 2>/dev/null || :
    done
}

VDF_WRAP="taskset -c 0"
mount_fs
VDF_WRAP=
exec 7<"$M/aplic/aplic0/msi" 8<"$M/version"
kill -STOP "$(daemon_pids)"
pids=
for _ in $(seq 100); do
    taskset -c 1 sh -c 'read -r line <&7' &
    pids="$pids $!"
done
sleep 1
taskset -c 1 sh -c 'read -r line <&8 && echo "$line"' >"$T/version" &
plain=$!
sleep 0.3
kill -CONT "$(daemon_pids)"
answered() {
    [ -s "$T/version" ]
}
wait_for 20 answered || fail "a read behind many that wait, on a processor that the daemon was not started on"
wait $plain
kill_readers
exec 7<&- 8<&-
umount_fs
