#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The socket of a console and the life of its front ends: paths, pauses, new connections, resets, state.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/vhost-lib.sh"

# The socket's file is there, and somebody listens.
served() {
    [ -S "$1" ] && [ "$(stat -c %a "$1")" = 600 ]
}

disconnected() {
    [ "$(cat "$M/console/con0/queues/0/ready")" = 0 ]
}

mount_fs
c=console/con0
p=$c/ports

# Where a socket can be.
refuse EINVAL $c/vhost_user socket
refuse EINVAL $c/vhost_user "$T/"
refuse ENOENT $c/vhost_user "$T/missing/socket"
refuse ENAMETOOLONG $c/vhost_user "$T/$(printf '%0108d' 0)"
echo text >"$T/file"
refuse EEXIST $c/vhost_user "$T/file"
same "a file that was in the way" "$(cat "$T/file")" text
refuse ENOTDIR $c/vhost_user "$T/file/socket"
# The tree itself is no place, by no way; asking it would be waiting for ourselves.
refuse EOPNOTSUPP $c/vhost_user "$M/socket"
refuse EOPNOTSUPP $c/vhost_user "$M/$p/socket"
ln -s "$M/$p" "$T/link"
refuse EOPNOTSUPP $c/vhost_user "$T/link/socket"
ln -s loop "$T/loop"
refuse ELOOP $c/vhost_user "$T/loop/socket"
eq $c/vhost_user ""
eq $c/driver soft

# More ports than a front end can number.
mkdir "$M/console/con1"
put console/con1/max_ports 128
refuse EINVAL console/con1/vhost_user "$T/other"
put console/con1/max_ports 127
put console/con1/vhost_user "$T/other"
refuse EINVAL console/con1/max_ports 128
refuse EADDRINUSE $c/vhost_user "$T/other"
rmdir "$M/console/con1"
[ ! -e "$T/other" ] || fail "rmdir has left the socket"

# A link on the way is followed, another path moves the socket, the same one is no change.
mkdir "$T/dir"
ln -s dir "$T/way"
put $c/vhost_user "$T/way/socket"
served "$T/dir/socket" || fail "no socket behind a symbolic link"
put $c/vhost_user "$S"
[ ! -e "$T/dir/socket" ] || fail "the socket before is still there"
served "$S" || fail "no socket"
inode=$(stat -c %i "$S")
put $c/vhost_user "$S"
same "the socket's inode after the same path again" "$(stat -c %i "$S")" "$inode"
eq $c/vhost_user "$S"
eq $c/driver vhost-user
# Without its file it is made anew.
rm "$S"
put $c/vhost_user "$S"
served "$S" || fail "no socket after the same path again"
# A state whose socket cannot be made is refused as a whole.
sed "s|^vhost_user = .*|vhost_user = $T/missing/socket|" "$M/$c/state" >"$T/bad"
if cat "$T/bad" >"$M/$c/state" 2>"$T/err"; then
    fail "a state whose socket cannot be made is restored"
fi
eq $c/vhost_user "$S"
served "$S" || fail "a refused state has taken the socket away"

# Emptied, the driver is the one of before, and works.
put $c/vhost_user ""
eq $c/driver soft
[ ! -e "$S" ] || fail "the socket is still there"
exec 3<>"$M/$p/0/guest"
printf inside >"$M/$p/0/data"
same "what the soft driver reads" "$(head -c 6 <&3)" inside
exec 3<&-
put $c/driver none
put $c/vhost_user "$S"
put $c/vhost_user ""
eq $c/driver none

# A front end that stops a ring in mid-work finds it where it was.
handshake() {
    vhe "PORT_ADD 0 1" hear
    vhe ok tell PORT_READY 0 1
    vhe "CONSOLE_PORT 0 1" hear
    vhe ok tell PORT_OPEN 0 1
    vhe "PORT_OPEN 0 1" hear
}

put $p/0/overflow hold
exec 3<>"$M/$p/0/data"
up
handshake
vhe 11 send 0 second-half LATER
same "half of a buffer" "$(head -c 7 <&3)" second-
vhe 0 stop 1
eq $c/queues/1/ready 0
vhe ok start 1 0
same "the other half" "$(head -c 4 <&3)" half
vhe 0 sent 0
vhe 3 send 0 abc LATER
same "a part" "$(head -c 1 <&3)" a
vhe 1 stop 1
# From elsewhere it is another buffer.
vhe ok start 1 2
same "what is at the place before" "$("$IO" read $p/0/data)" EAGAIN
vhe 2 stop 1
vhe ok start 1 1
same "the buffer, again from its start" "$(head -c 3 <&3)" abc

# Connected again, as after a broken connection: nothing of the hand-shake comes again.
vhe 8 send 0 question LATER
same "a part" "$(head -c 5 <&3)" quest
vhe ok close
wait_for 10 disconnected || fail "the device did not notice that the front end went"
eq $p/0/guest_connected 1
eq $c/status 0x0f
printf 'w' >&3 & # held back as long as nobody takes it
writer=$!
reattach() {
    vhe ok connect
    vhe "0x* 0x* 64" negotiate
    vhe ok memory 16 same
    vhe ok resume 0 7
}
reattach
wait "$writer"
vhe w receive 0
same "the rest of what was half read" "$(head -c 3 <&3)" ion

# State: the same bytes again, and the front end goes on where it was, in another daemon too.
vhe 9 send 0 in-flight LATER
same "a part" "$(head -c 3 <&3)" in-
exec 3<&-
vhe "PORT_OPEN 0 0" hear
cat "$M/$c/state" >"$T/saved"
grep -qx "vhost_user = $S" "$T/saved" || fail "the state has no path"
cp "$T/saved" "$M/$c/state"
vhe closed config 0 4
cmp "$M/$c/state" "$T/saved" || fail "save, restore, save gives other bytes"
served "$S" || fail "not served after a restore"
reattach
exec 3<>"$M/$p/0/data"
vhe "PORT_OPEN 0 1" hear
same "what was in flight" "$(head -c 6 <&3)" flight
vhe 9 send 0 in-flight LATER
same "a part" "$(head -c 3 <&3)" in-
exec 3<&-
vhe "PORT_OPEN 0 0" hear
cat "$M/$c/state" >"$T/saved"
remount_fs
cp "$T/saved" "$M/$c/state"
reattach
exec 3<>"$M/$p/0/data"
vhe "PORT_OPEN 0 1" hear
same "what was in flight across daemons" "$(head -c 6 <&3)" flight
exec 3<&-
vhe "PORT_OPEN 0 0" hear

# A daemon that has forgotten everything introduces itself to a driver that is already there.
remount_fs
put $c/vhost_user "$S"
reattach
vhe "PORT_ADD 0 1" hear
vhe ok tell PORT_READY 0 1
vhe "CONSOLE_PORT 0 1" hear
eq $p/0/guest_connected 1
printf again >"$M/$p/0/data"
vhe again receive 0
vhe "PORT_OPEN 0 1" hear
vhe "PORT_OPEN 0 0" hear

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

# A driver that dies, and another that begins: it is told everything.
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
