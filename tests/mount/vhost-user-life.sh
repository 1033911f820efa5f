#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Front ends that come and go: resets from both sides, one front end at a time, one that dies, and a daemon that is
# killed.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/vhost-lib.sh"

mount_fs
c=console/con0
p=$c/ports

up
vhe "PORT_ADD 0 1" hear
vhe ok tell PORT_READY 0 1
vhe "CONSOLE_PORT 0 1" hear
vhe ok tell PORT_OPEN 0 1
eq $p/0/guest_connected 1

# RESET_DEVICE, and a reset from this side.
vhe ok reset
eq $c/status 0x00
eq $c/queues/0/ready 0
eq $p/0/guest_connected 0
vhe ok close
attach
eq $c/status 0x0f
put $c/reset 1
vhe closed config 0 4
eq $c/status 0x00
attach
vhe ok tell DEVICE_READY 0xffffffff 1
vhe "PORT_ADD 0 1" hear

# One front end at a time; the next is served when it has gone.
(printf 'connect\nnegotiate\n' | "$VHOSTIO" "$S" >"$T/second") &
second=$!
wait_for 10 grep -qs ok "$T/second" || fail "a second front end cannot connect"
vhe 0000 config 0 2
same "what the second one has" "$(cat "$T/second")" ok
vhe ok close
wait "$second"
same "the second one's answers" "$(wc -l <"$T/second")" 2

# A driver dies, and another begins: it gets all messages.
attach
vhe ok tell DEVICE_READY 0xffffffff 1
vhe "PORT_ADD 0 1" hear
vhe ok tell PORT_READY 0 1
vhe "CONSOLE_PORT 0 1" hear
eq $p/0/ready 1
kill -KILL "$front_pid"
front
attach
vhe ok tell DEVICE_READY 0xffffffff 1
eq $p/0/ready 0
vhe "PORT_ADD 0 1" hear

# A socket that a killed daemon left behind is replaced, one that is in use is not.
vhe ok close
put $c/vhost_user ""
printf 'connect\n' | "$VHOSTIO" "$S" >"$T/second"
same "a connection to a socket that is gone" "$(cat "$T/second")" ENOENT
put $c/vhost_user "$S"
# It may still be listening when the next one asks for the place.
kill -KILL "$(daemon_pids)"
[ -S "$S" ] || fail "there is no socket to be replaced"
vdf_unmount -l
mount_fs
put $c/vhost_user "$S"
attach
eq errors ""
umount_fs
[ ! -e "$S" ] || fail "the daemon has left its socket"
