#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A console that a vhost-user front end drives: control messages, data both ways, counters, hot-plug,
# resize, the configuration space.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/vhost-lib.sh"

mount_fs
c=console/con0
p=$c/ports
put $c/size "80 24"
mkdir "$M/$p/1"
put $p/1/name org.example

up
eq $c/driver vhost-user
eq $c/status 0x0f
absent $p/0/guest

# The hand-shake of a driver.
vhe "PORT_ADD 0 1" hear
vhe "PORT_ADD 1 1" hear
vhe ok tell PORT_READY 0 1
vhe "CONSOLE_PORT 0 1" hear
vhe "RESIZE 0 0 50001800" hear
vhe ok tell PORT_OPEN 0 1
vhe ok tell PORT_READY 1 1
vhe "PORT_NAME 1 1 6f72672e6578616d706c65" hear
eq $p/0/ready 1
eq $p/0/guest_connected 1
eq $p/1/ready 1
eq $p/1/guest_connected 0
eq $c/queues/3/used_idx 4
eq $c/queues/0/size 64
eq $c/queues/0/ready 1
eq $c/queues/8/ready 0
grep -qx '< PORT_OPEN id=0 value=1' <<END || fail "control has no line of the driver's PORT_OPEN"
$("$IO" read $c/control)
END

# To the guest.
printf 'to the guest' >"$M/$p/0/data"
vhe "to the guest" receive 0
eq $p/0/bytes_received 12
vhe "PORT_OPEN 0 1" hear
vhe "PORT_OPEN 0 0" hear

# From the guest, with a port that holds: held until there is a reader, dropped while the port is closed.
put $p/0/overflow hold
exec 3<>"$M/$p/0/data"
vhe "PORT_OPEN 0 1" hear
vhe 14 send 0 from-the-guest LATER
wait_for 10 grep -qx 1 "$M/$p/0/throttled" || fail "the port is not throttled"
vhe 1 sent 0
same "what the host reads" "$(head -c 14 <&3)" from-the-guest
vhe 0 sent 0
eq $p/0/throttled 0
eq $p/0/bytes_sent 14
vhe 9 send 1 to-nobody
eq $p/1/bytes_discarded 9

# A reader that waits is woken by the guest.
head -c 5 <&3 >"$T/got" &
reader=$!
vhe 5 send 0 hello LATER
wait "$reader"
same "what the waiting reader got" "$(cat "$T/got")" hello

# Waiting data arrives when the guest opens the port.
printf 'early' >"$M/$p/1/data"
vhe "PORT_OPEN 1 1" hear
vhe "PORT_OPEN 1 0" hear
eq $p/1/bytes_received 0
vhe ok tell PORT_OPEN 1 1
vhe early receive 1
eq $p/1/bytes_received 5

# Hot-plug and hot-unplug.
mkdir "$M/$p/2"
vhe "PORT_ADD 2 1" hear
vhe ok tell PORT_READY 2 1
eq $p/2/ready 1
rmdir "$M/$p/2"
vhe "PORT_REMOVE 2 1" hear

# Sizes: a message with MULTIPORT; the configuration space has it too.
put $c/size "132 43"
vhe "RESIZE 0 0 84002b00" hear
vhe 84002b001f000000 config 0 8
vhe 0000000000000000 config 248 8
vhe ok emergency !
same "emergency output" "$(head -c 1 <&3)" !

# Refusals while the front end has the device.
refuse EBUSY $c/driver soft
refuse EBUSY $c/features 0x100000000
refuse EBUSY $c/max_ports 4
same "a register write beside the front end" "$("$IO" pwrite $c/regs 0x70 00000000)" EBUSY
vhe ok close
refuse EBUSY $c/max_ports 4

# Without MULTIPORT a change of size is sent over the front end's socket, and port 0 is open.
vhe ok connect
vhe "0x* 0x* 64" negotiate 0x100000001
vhe ok memory 1
vhe ok rings 0 1
eq $p/0/guest_connected 1
put $c/size "10 20"
vhe ok changed
vhe 0a001400 config 0 4
printf 'plain' >"$M/$p/0/data"
vhe plain receive 0
vhe 2 send 0 ok LATER
same "what the host reads without MULTIPORT" "$(head -c 2 <&3)" ok
exec 3<&-
