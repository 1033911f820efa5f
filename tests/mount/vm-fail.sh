#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Each system call of the first run of a machine fails once: the run is refused without a change, and the next
# run works.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/vm-common"

mount_fs
need_kvm
. "$(dirname "$0")/fail-lib.sh"
# shellcheck disable=SC2034 # fail-lib.sh reads it
pid=$(daemon_pids)

calls="ioctl:8 mmap:2 openat:1"
if sanitized; then
    skip_part "mmap(2) that fails: a sanitizer maps memory itself and ends without"
    calls="ioctl:8 openat:1"
fi
for call in $calls; do
    k=1
    while :; do
        mkdir "$M/vm/f" || fail "mkdir"
        same "the memory" "$("$IO" pwrite vm/f/memory 0 b007e6f4ebfe)" ok
        cp "$M/state" "$T/before"
        failing "${call%:*}" $k "$IO" write vm/f/run 1 >"$T/answer"
        fails=$(injected)
        if [ "$(head -n 1 "$T/answer")" != ok ]; then
            [ -s "$M/version" ] || fail "the daemon has ended after $call $k"
            cp "$M/state" "$T/after" || fail "the state cannot be read after $call $k"
            cmp "$T/before" "$T/after" || fail "$call $k has changed something"
            put vm/f/run 1
        fi
        [ "$fails" = 0 ] && break
        ends f 7
        rmdir "$M/vm/f" || fail "rmdir"
        k=$((k + 1))
    done
    rmdir "$M/vm/f" || fail "rmdir"
    [ $k -gt "${call#*:}" ] || fail "only $((k - 1)) calls of ${call%:*}"
done
