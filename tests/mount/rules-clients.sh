#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Processes that are killed while they write a state, that write one at the same time, that never read, and that
# keep open what is removed.
. "$(dirname "$0")/lib.sh"

mount_fs
mkdir "$M/intx/bus0/devices/d" || fail "mkdir"

alive() {
    timeout 20 cat "$M/version" >"$T/version" || fail "$1: the mount does not answer"
    [ -n "$(daemon_pids)" ] || fail "$1: the daemon is gone"
}

# A writer that is killed in the middle of a state, and one that never ends.
cp "$M/intx/bus0/state" "$T/before" || fail "cp"
sed 's/^line = 0/line = 77/; s/^checksum = .*/checksum = none/' "$T/before" >"$T/edited"
cmp -s "$T/before" "$T/edited" && fail "there is no line = 0 in the state"
mkfifo "$T/fifo"
cat <"$T/fifo" >"$M/intx/bus0/state" 2>/dev/null &
writer=$!
exec 3>"$T/fifo"
head -c $(($(wc -c <"$T/edited") - 9)) "$T/edited" >&3
drained() {
    # The writer sleeps in its read of the pipe again when it has passed on what there was.
    grep -q pipe "/proc/$writer/wchan" 2>/dev/null || grep -q '^0 ' "/proc/$writer/syscall" 2>/dev/null
}
wait_for 5 drained
cmp "$T/before" "$M/intx/bus0/state" || fail "half a state changed something"
kill -KILL $writer
wait $writer 2>/dev/null
exec 3>&-
cmp "$T/before" "$M/intx/bus0/state" || fail "a killed writer changed something"
cp "$T/before" "$M/intx/bus0/state" || fail "a killed writer is in the way: $(tail -n 1 "$M/errors")"

# Two writers of one state do not mix.
cat <"$T/fifo" >"$M/intx/bus0/state" &
writer=$!
exec 3>"$T/fifo"
head -c 50 "$T/edited" >&3
wait_for 5 drained
cp "$T/before" "$M/intx/bus0/state" || fail "a second writer was refused: $(tail -n 1 "$M/errors")"
tail -c +51 "$T/edited" >&3
exec 3>&-
wait $writer || fail "the first writer was refused: $(tail -n 1 "$M/errors")"
eq intx/bus0/devices/d/line 77

# A reader that never reads delays no other process.
exec 4<"$M/aplic/aplic0/msi"
k=0
while [ $k -lt 3000 ]; do
    printf '5\n' >"$M/aplic/aplic0/genmsi" || fail "an MSI was refused"
    k=$((k + 1))
done
exec 4<&-

# Many open files of something that is removed.
mkdir "$M/intx/gone" "$M/intx/gone/devices/d" || fail "mkdir"
for fd in 3 4 5 6 7 8 9; do
    eval "exec $fd<'$M/intx/gone/devices/d/line'"
done
rmdir "$M/intx/gone" || fail "rmdir"
for fd in 3 4 5 6 7 8 9; do
    eval "cat <&$fd" >/dev/null 2>&1 && fail "a removed device answers"
    eval "exec $fd<&-"
done
alive "open files of what is gone"
