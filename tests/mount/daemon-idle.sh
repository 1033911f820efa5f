#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A tree that nobody uses takes no time of a processor, and little memory.
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

remount_fs
pid=$(daemon_pids)
kib=$(awk '/^VmRSS/ { print $2 }' "/proc/$pid/status")
[ "$kib" -lt 16384 ] || fail "a plain mount takes $kib KiB of memory"
