#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The state of a console with a socket: restored in the same daemon or in another one, the front end goes on where
# it was.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/vhost-lib.sh"

mount_fs
c=console/con0
p=$c/ports

up_with_open_port

# The same bytes again, and the front end goes on where it was, in another daemon too.
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
