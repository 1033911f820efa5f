#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A tree that nobody uses takes no time of a processor, and little memory. Queue pages that are open, where the
# daemon has to look for stores that nothing tells it of, take less than a thousandth of one.
. "$(dirname "$0")/lib.sh"

[ "$VDF_SLOW" = 1 ] || skip "a sanitizer has threads and memory of its own"
mount_fs
# Everything has been looked at once, so that nothing is left to be made later.
find "$M" -type f -perm -400 -size +0 -exec cat {} + >/dev/null
pid=$(daemon_pids)

ticks() {
    sed 's/.*) //' "/proc/$pid/stat" | awk '{ print $12 + $13 }'
}
switches() {
    cat "/proc/$pid"/task/*/status | awk '/_ctxt_switches/ { n += $2 } END { print n }'
}

# The end of the last close(2) reaches the daemon later: begin when two looks agree.
settled() {
    seen=$(switches)
    sleep 0.2
    [ "$seen" = "$(switches)" ]
}
wait_for 10 settled || fail "the daemon's threads never rest"
before=$(switches)
start=$(ticks)
sleep 2
same "ticks of processor time in two idle seconds" "$(($(ticks) - start))" 0
# No thread ran at all, not even for less than a tick.
same "switches of its threads in two idle seconds" "$(($(switches) - before))" 0

# per_100000 SECONDS: how much of a processor the daemon's threads take.
per_100000() {
    awk '{ n += $1 } END { printf "%d\n", n / 10000 }' "/proc/$pid"/task/*/schedstat >"$T/before"
    sleep "$1"
    awk -v seconds="$1" -v before="$(cat "$T/before")" \
        '{ n += $1 } END { printf "%d\n", (n / 10000 - before) / seconds }' "/proc/$pid"/task/*/schedstat
}
# Others that use the processors make each look dearer, so that one of a few times is enough.
looks_seldom() {
    sleep 0.3
    for try in 1 2 3 4; do
        share=$(per_100000 2)
        [ "$share" -ge 100 ] || return 0
        say "try $try: $share / 100000 of a processor"
    done
    return 1
}
if [ -r "/proc/$pid/schedstat" ]; then
    d=hwqueue/smmu0
    put $d/ioas/map "0x100000 0x1000"
    mkdir "$M/$d/queues/0" || fail "mkdir failed"
    put $d/queues/0/base 0x100000
    put $d/queues/0/enable 1
    same "a store to PROD" "$("$IO" pwrite $d/queues/0/page 4 00000000)" ok
    exec 3<>"$M/$d/queues/0/page"
    looks_seldom || fail "an open page takes more than a thousandth of a processor"
    exec 3<&-
    mkfifo "$T/input"
    "$IO" mmap-hold $d/queues/0/page <"$T/input" >"$T/held" &
    holder=$!
    exec 4>"$T/input"
    wait_for 10 test -s "$T/held" || fail "the page was not mapped"
    if [ "$(cat "$T/held")" = ok ]; then
        looks_seldom || fail "a mapped page takes more than a thousandth of a processor"
    fi
    exec 4>&-
    wait $holder || fail "mmap-hold failed"
fi

remount_fs
pid=$(daemon_pids)
kib=$(awk '/^VmRSS/ { print $2 }' "/proc/$pid/status")
[ "$kib" -lt 16384 ] || fail "a plain mount takes $kib KiB of memory"
