#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Rings that a front end stops, and a connection that breaks: the buffer that is half read is found where it was.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/vhost-lib.sh"

disconnected() {
    [ "$(cat "$M/console/con0/queues/0/ready")" = 0 ]
}

mount_fs
c=console/con0
p=$c/ports

# A front end that stops a ring in mid-work finds it where it was.
up_with_open_port
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

reattach
wait "$writer"
vhe w receive 0
same "the rest of what was half read" "$(head -c 3 <&3)" ion
exec 3<&-
