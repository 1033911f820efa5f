#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# umount, fusermount3 -u and signals end the daemon; an open file keeps the mount.
. "$(dirname "$0")/lib.sh"

# The daemon has ended and the directory is an ordinary one again.
ended() {
    wait_for 10 daemon_gone || fail "the daemon runs on after $1"
    wait_for 10 eval '! mounted' || fail "the mount is still there after $1"
    same "the directory after $1" "$(ls -A "$M")" ""
}

if [ "$(id -u)" = 0 ]; then
    mount_fs
    umount "$M" || fail "umount failed"
    ended umount
else
    skip_part "umount(8): it needs root"
fi

mount_fs
fusermount3 -u "$M" || fail "fusermount3 -u failed"
ended "fusermount3 -u"

for signal in TERM INT HUP; do
    mount_fs
    kill -$signal "$(daemon_pids)" || fail "no daemon to signal"
    ended SIG$signal
done

# In the foreground a SIGTERM is a clean end as well.
daemon -f -o "engine=$VDF_ENGINE" "$M" 2>"$T/stderr" &
child=$!
wait_for 10 test -s "$M/version" || fail "virtdevfs -f is not usable"
kill -TERM "$(daemon_pids)"
wait $child || fail "virtdevfs -f ended with $? after SIGTERM"
ended "SIGTERM in the foreground"

# An open file keeps the mount until it is closed.
mount_fs
exec 9<"$M/version"
vdf_unmount 2>/dev/null && fail "a mount with an open file was unmounted"
eq aplic/aplic0/harts 2
exec 9<&-
umount_fs
ended "the file was closed"
