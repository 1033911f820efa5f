#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Mounting over the mount of a killed daemon fails with a message that names the command to remove that mount.
. "$(dirname "$0")/lib.sh"

mount_fs
kill -KILL "$(daemon_pids)"
wait_for 10 daemon_gone || fail "the daemon survives SIGKILL"
mounted || skip "the kernel removed the mount with its daemon"

daemon "$M" 2>"$T/err" && fail "mounting over a dead mount succeeded"
command=$(grep -oE '(fusermount3 -u|umount)( -[a-z]+)* [^ ]+' "$T/err" | head -n 1)
case $command in
*"$M"*) ;;
*) fail "no command that clears the place is named: $(cat "$T/err")" ;;
esac

sh -c "$(echo "$command" | tr -d "'\`\"")" || fail "'$command' does not clear it"
! mounted || fail "'$command' leaves the mount"
mount_fs
umount_fs
