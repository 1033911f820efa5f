#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# When the daemon is killed, auto_unmount removes the mount, and --run also removes the directory and ends the
# command.
. "$(dirname "$0")/lib.sh"
mkdir "$T/tmp"

not_mounted() {
    ! mounted
}
empty_tmp() {
    [ -z "$(ls -A "$T/tmp")" ] && ! grep -qF " $T/tmp/" /proc/self/mounts
}

mount_fs -o auto_unmount
kill -KILL "$(daemon_pids)"
wait_for 10 not_mounted || fail "auto_unmount leaves the mount of a killed daemon"

# An unmount by hand is the end of the daemon and of its guard, and a tree that comes afterwards stays.
mount_fs -o auto_unmount
umount_fs
mount_fs
cat "$M/version" >/dev/null || fail "the guard unmounts another tree"
umount_fs

# The daemon is the process that was started; the command ends with it.
# shellcheck disable=SC2086
env TMPDIR="$T/tmp" $VDF_WRAP "$VDF_BIN" ${VDF_OPTIONS:+-o "$VDF_OPTIONS"} -o "engine=$VDF_ENGINE" \
    --run 'exec sleep 600' 2>"$T/stderr" &
daemon=$!
runs() {
    command=$(pgrep -P $daemon -x sleep)
}
wait_for 20 runs || fail "--run does not run the command"
kill -KILL $daemon
wait $daemon
same "the status of a killed --run" $? 137
wait_for 10 empty_tmp || fail "a killed --run leaves behind: $(ls "$T/tmp")"
ended() {
    ! kill -0 "$command" 2>/dev/null
}
wait_for 10 ended || fail "the command outlives its tree"
grep -q 'the daemon was killed' "$T/stderr" || fail "nothing is said of the killed daemon"
