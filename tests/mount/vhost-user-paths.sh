#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The socket of a console: where it can be, how it is moved and removed, and the driver of the console with and
# without it.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/vhost-lib.sh"

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
