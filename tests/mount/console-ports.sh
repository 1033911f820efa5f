#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The files of a port: its attributes, data both ways, and both ends that are opened and closed.
. "$(dirname "$0")/lib.sh"

mount_fs
c=console/con0
p=$c/ports/1
mkdir "$M/$p" || fail "mkdir"

eq $p/name ""
eq $p/console 0
eq $p/size "0 0"
eq $p/guest_size "0 0"
eq $p/host_connected 0
eq $p/guest_connected 0
eq $p/ready 1
eq $p/throttled 0
eq $p/bytes_sent 0
eq $p/bytes_received 0
eq $p/bytes_discarded 0
for file in ready guest_connected throttled guest_size bytes_sent bytes_received bytes_discarded; do
    same "the mode of $file" "$(stat -c %a "$M/$p/$file")" 444
    same "writing $file" "$("$IO" write $p/$file 1)" EACCES
done
same "the size of data" "$(stat -c %s "$M/$p/data")" 0

# A name, which is sent to the guest.
put $p/name org.example.0
eq $p/name org.example.0
refuse EINVAL $p/name "$(head -c 128 /dev/zero | tr '\0' n)"
"$IO" read $c/control | grep -qxF '> PORT_NAME id=1 value=1 name=org.example.0' ||
    fail "the guest was not told the name"

# Data of the host waits for the guest.
put $p/data hello
eq $p/host_connected 0
eq $p/bytes_received 0
same "the guest reads" "$("$IO" read $p/guest)" hello
eq $p/bytes_received 6
eq $p/guest_connected 0

# The guest waits for the host: a writer in the shell blocks until there is a reader.
same "writing to a closed host" "$("$IO" write $p/guest x)" EAGAIN
printf 'to the host\n' >"$M/$p/guest" &
writer=$!
exec 3<"$M/$p/data"
IFS= read -r line <&3 || fail "the host cannot read"
same "the line" "$line" "to the host"
wait $writer || fail "the guest's writer failed"
eq $p/host_connected 1
eq $p/bytes_sent 12
eq $p/throttled 0

# A reader of the host's end waits, also while the guest has closed the port.
same "an empty port" "$("$IO" read $p/data)" EAGAIN
same "poll for nothing" "$("$IO" poll $p/data in 100)" timeout
same "poll for data" "$("$IO" poll $p/data in 20000 sh -c "'$IO' write $p/guest more")" "ok
in"
eq $p/throttled 1
same "the data" "$("$IO" read $p/data 2)" mo
eq $c/queues/5/used_idx 1
eq $p/throttled 1
exec 3<&-
wait_for 10 grep -qx 0 "$M/$p/host_connected" || fail "the host's end stays open"
# The half-read element outlives the close.
same "the rest" "$("$IO" read $p/data)" re
eq $p/throttled 0
eq $p/bytes_discarded 0

# host_connected as written.
put $p/host_connected 1
same "the guest writes" "$("$IO" write $p/guest kept)" ok
put $p/host_connected 0
same "the guest is held back" "$("$IO" write $p/guest x)" EAGAIN
same "kept" "$("$IO" read $p/data)" kept
refuse EINVAL $p/host_connected 2

# Unread data is dropped, and counted, when the guest closes; two opens are one port.
exec 4<>"$M/$p/guest"
exec 5<>"$M/$p/guest"
eq $p/guest_connected 1
put $p/data unread
exec 4<&-
eq $p/guest_connected 1
exec 5<&-
wait_for 10 grep -qx 0 "$M/$p/guest_connected" || fail "the guest's end stays open"
eq $p/bytes_discarded 7
