#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The size of a console: as its driver reads it, in both orders, and in the messages of the handshake.
. "$(dirname "$0")/lib.sh"

mount_fs
c=console/con0

# The size, and the order in which a message carries it.
put $c/size "80 25"
eq $c/ports/0/size "80 25"
eq $c/ports/0/guest_size "80 25"
put $c/resize_order rows-cols
put $c/size "132 43"
eq $c/ports/0/guest_size "43 132"
"$IO" read $c/control >"$T/control"
tail -n 2 "$T/control" >"$T/resize"
printf '%s\n' "> RESIZE id=0 value=0 cols=80 rows=25" "> RESIZE id=0 value=0 rows=43 cols=132" |
    cmp - "$T/resize" || fail "the messages were $(cat "$T/resize")"
head -n 5 "$T/control" >"$T/handshake"
cat >"$T/wanted" <<END
< DEVICE_READY id=4294967295 value=1
> PORT_ADD id=0 value=1
< PORT_READY id=0 value=1
> CONSOLE_PORT id=0 value=1
< PORT_OPEN id=0 value=1
END
cmp "$T/wanted" "$T/handshake" || fail "the handshake was $(cat "$T/handshake")"
