#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# An unused tree takes no processor time and little memory. The daemon polls open queue pages, whose stores it is
# not notified of, at a low rate.
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

uptime_ms() {
    awk '{ printf "%d\n", $1 * 1000 }' /proc/uptime
}
# Sleeps of at least 20 ms lie between the looks of two idle seconds, however long those have been; what the looks
# take of a processor is a row of the benchmark.
looks_seldom() {
    sleep 0.3
    looks=$(cat "$M/engine/polls")
    begin=$(uptime_ms)
    sleep 2
    looks=$(($(cat "$M/engine/polls") - looks))
    most=$((($(uptime_ms) - begin) / 20 + 2))
    [ "$looks" -gt 0 ] || fail "$1: nobody has looked at it"
    [ "$looks" -le "$most" ] || fail "$1: looked at $looks times, at most $most were right"
}
d=hwqueue/smmu0
put $d/ioas/map "0x100000 0x1000"
mkdir "$M/$d/queues/0" || fail "mkdir failed"
put $d/queues/0/base 0x100000
put $d/queues/0/enable 1
same "a store to PROD" "$("$IO" pwrite $d/queues/0/page 4 00000000)" ok
exec 3<>"$M/$d/queues/0/page"
looks_seldom "an open page"
exec 3<&-
mkfifo "$T/input"
"$IO" mmap-hold $d/queues/0/page <"$T/input" >"$T/held" &
holder=$!
exec 4>"$T/input"
wait_for 10 test -s "$T/held" || fail "the page was not mapped"
[ "$(cat "$T/held")" != ok ] || looks_seldom "a mapped page"
exec 4>&-
wait $holder || fail "mmap-hold failed"

remount_fs
pid=$(daemon_pids)
kib=$(awk '/^VmRSS/ { print $2 }' "/proc/$pid/status")
[ "$kib" -lt 16384 ] || fail "a plain mount takes $kib KiB of memory"
