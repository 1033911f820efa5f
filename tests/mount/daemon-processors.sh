#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A daemon that was started for one processor answers all of them, also those that have to wait for an entry of a
# ring: the daemon is stopped until all are there.
. "$(dirname "$0")/lib.sh"

[ "$(nproc)" -gt 1 ] || skip "this machine has one processor"

VDF_WRAP="taskset -c 0"
mount_fs
VDF_WRAP=
exec 8<"$M/version"
# The readers open the file before the daemon is stopped, and read when the gate gives them a line.
mkfifo "$T/gate"
exec 6<>"$T/gate"
pids=
for _ in $(seq 100); do
    taskset -c 1 sh -c 'read -r line <&6; read -r line' <"$M/aplic/aplic0/msi" &
    pids="$pids $!"
done
for pid in $pids; do
    wait_for 20 asleep "$pid" aplic0/msi || fail "reader $pid does not wait for the gate"
done
kill -STOP "$(daemon_pids)"
yes '' | head -n 100 >&6
for pid in $pids; do
    wait_for 20 in_request "$pid" || fail "reader $pid does not wait"
done
taskset -c 1 sh -c 'read -r line <&8 && echo "$line"' >"$T/version" &
plain=$!
wait_for 20 in_request $plain || fail "the last reader does not wait"
kill -CONT "$(daemon_pids)"
answered() {
    [ -s "$T/version" ]
}
wait_for 20 answered || fail "a read behind many that wait, on a processor that the daemon was not started on"
wait $plain
# shellcheck disable=SC2086
end_all $pids
exec 6<&- 8<&-
umount_fs
