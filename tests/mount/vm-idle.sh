#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A guest leaves its queue idle for some milliseconds before each store: each store is seen, and the guest can be
# stopped, saved and given another doorbell at any time, also while its store is trapped.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/vm-common"

mount_fs
need_kvm
machine idle user invalidation
d=hwqueue/smmu0
q=$d/queues/0
put $d/ioas/map "0 0x200000"
mkdir "$M/$q" || fail "mkdir of the queue"
put $q/base 0x20000
put $q/log2size 8
put $q/enable 1
slot idle 0 $q 0x20000000 ""
# A page and a CMD_SYNC, 60000 times, by one processor, each after 8 million ticks.
parameters=0100000060ea0000010000000000000000127a0000000000
same "the parameters" "$("$IO" pwrite vm/idle/memory 0x1000 $parameters)" ok
put vm/idle/run 1

more() {
    [ "$(cat "$M/$d/sync")" -gt "$1" ]
}
wait_for 20 more 2 || fail "no store was seen"
round=0
while [ $round -lt 15 ]; do
    round=$((round + 1))
    before=$(cat "$M/$d/sync")
    put vm/idle/run 0
    put vm/idle/run 1
    cp "$M/state" "$T/state" || fail "the state cannot be read"
    put $d/doorbell trapped
    sleep "0.00$((round % 9))"
    put $d/doorbell mapped
    wait_for 20 more "$before" || fail "round $round: no store was seen"
done
eq $d/illegal 0
put vm/idle/run 0
eq vm/idle/status stopped
