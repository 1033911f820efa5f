#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A signal ends the daemon also while readers wait, values are read and dropped, and a driver stores to a mapped
# ring.
. "$(dirname "$0")/lib.sh"

# The daemon has ended and the directory is an ordinary one again.
ended() {
    wait_for 10 daemon_gone || fail "the daemon runs on after $1"
    wait_for 10 eval '! mounted' || fail "the mount is still there after $1"
    same "the directory after $1" "$(ls -A "$M")" ""
}

# A reader that waits in a stream does not keep the daemon from ending.
mount_fs
cat "$M/aplic/aplic0/msi" >/dev/null 2>&1 &
reader=$!
wait_for 10 sh -c "readlink /proc/$reader/fd/* | grep -q aplic0/msi" || fail "no reader"
kill -TERM "$(daemon_pids)"
wait_for 10 daemon_gone || fail "a waiting reader keeps the daemon"
wait $reader
vdf_unmount 2>/dev/null
ended "SIGTERM with a waiting reader"

# Nor do cached values that are read and dropped at the same time.
for transport in dev auto dev auto; do
    mount_fs -o "cache=always,transport=$transport"
    "$(dirname "$IO")/stale" "$M/aplic/aplic0" 5 >/dev/null 2>&1 &
    stale=$!
    at_work() {
        [ "$(cat "$M/aplic/aplic0/target/2")" != 0x00000000 ]
    }
    wait_for 10 at_work || fail "no writer is at work"
    kill -TERM "$(daemon_pids)"
    wait_for 10 daemon_gone || fail "drops keep the daemon, with transport=$transport"
    wait $stale
    vdf_unmount 2>/dev/null
    ended "SIGTERM with readers and writers at work"
done

# Nor does a driver that stores to a queue's mapped ring, which is written back each time.
q=hwqueue/smmu0/queues/0
for transport in dev auto; do
    mount_fs -o "transport=$transport"
    put hwqueue/smmu0/ioas/map "0x100000 0x100000"
    mkdir "$M/$q" || fail "mkdir"
    put $q/base 0x100000
    put $q/log2size 12
    put $q/enable 1
    "$IO" mmap-drive $q/entries $q/page 20000 >"$T/driver" 2>/dev/null &
    driver=$!
    commands_run() {
        [ -s "$T/driver" ] || [ "$(cat "$M/hwqueue/smmu0/sync")" -gt 1000 ]
    }
    wait_for 20 commands_run || fail "no command was run"
    [ ! -s "$T/driver" ] || skip_part "a driver that stores to mapped pages: mapping answers $(cat "$T/driver")"
    kill -TERM "$(daemon_pids)"
    wait_for 10 daemon_gone || fail "a mapped ring keeps the daemon, with transport=$transport"
    # It has lost the pages that it stores to.
    kill $driver 2>/dev/null
    wait $driver 2>/dev/null
    vdf_unmount 2>/dev/null
    ended "SIGTERM with a driver at work"
done
