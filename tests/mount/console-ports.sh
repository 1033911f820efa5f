#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Every file of a port: data both ways, flow control, counters, hot-plug.
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

# A name, told to the guest.
put $p/name org.example.0
eq $p/name org.example.0
refuse EINVAL $p/name "$(head -c 128 /dev/zero | tr '\0' n)"
"$IO" read $c/control | grep -qxF '> PORT_NAME id=1 value=1 name=org.example.0' ||
    fail "the guest was not told the name"

# What the host writes waits for the guest.
put $p/data hello
eq $p/host_connected 0
eq $p/bytes_received 0
same "the guest reads" "$("$IO" read $p/guest)" hello
eq $p/bytes_received 6
eq $p/guest_connected 0

# The guest waits for the host: a writer in the shell blocks until somebody reads.
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
# The half-read element was kept over the close.
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

# A write of the guest is cut at 32 KiB and the queue takes 64 of them.
exec 3<>"$M/$p/data"
head -c 40000 /dev/zero | tr '\0' z >"$T/long"
same "a long write" "$("$IO" write $p/guest "$(cat "$T/long")")" 32768
head -c 32768 <&3 | tr -d z | cmp - /dev/null || fail "other bytes came"
k=0
while [ "$("$IO" write $p/guest block)" = ok ]; do
    k=$((k + 1))
    [ $k -le 64 ] || fail "the queue takes more than it has"
done
same "writes until the queue is full" $k 64
same "poll for room" "$("$IO" poll $p/guest out 100)" timeout
same "reading some" "$(head -c 5 <&3)" block
same "poll with room" "$("$IO" poll $p/guest out 20000)" out
same "all the rest" "$(dd bs=315 count=1 iflag=fullblock <&3 2>/dev/null | wc -c)" 315
exec 3<&-

# Many bytes through both ends at once.
random_seed
"$IO" random "$seed" 300000 >"$T/random"
cat "$T/random" >"$M/$p/data" &
writer=$!
dd bs=300000 count=1 iflag=fullblock <"$M/$p/guest" >"$T/down" 2>/dev/null
wait $writer || fail "the host's writer failed"
cmp "$T/random" "$T/down" || fail "the bytes changed on their way to the guest"
dd bs=300000 count=1 iflag=fullblock <"$M/$p/data" >"$T/up" 2>/dev/null &
reader=$!
cat "$T/random" >"$M/$p/guest" || fail "the guest's writer failed"
wait $reader
cmp "$T/random" "$T/up" || fail "the bytes changed on their way to the host"

# The fate of data that nobody reads.
eq $p/overflow hold
eq $c/ports/0/overflow drop
refuse EINVAL $p/overflow wait
exec 3<>"$M/$c/ports/0/data"
k=0
while [ $k -lt 100 ]; do
    same "a console's line $k" "$("$IO" write $c/ports/0/guest "$(head -c 1000 "$T/long")")" ok
    k=$((k + 1))
done
eq $c/ports/0/throttled 0
eq $c/ports/0/bytes_discarded $((100000 - 65536))
same "what a console keeps" "$(dd bs=65536 count=1 iflag=fullblock <&3 2>/dev/null | wc -c)" 65536
same "nothing more" "$("$IO" read $c/ports/0/data)" EAGAIN
same "a line more" "$("$IO" write $c/ports/0/guest more)" ok
exec 3<&-
wait_for 10 grep -qx $((100004 - 65536)) "$M/$c/ports/0/bytes_discarded" || fail "the last close counts nothing"
exec 3>"$M/$c/ports/0/data"
printf down >&3
same "a line to a writer" "$("$IO" write $c/ports/0/guest unread)" ok
eq $c/ports/0/bytes_discarded $((100010 - 65536))
exec 3>&-

# A console: the guest opens it itself, and cannot be taken back.
put $c/ports/1/size "20 10"
eq $p/guest_size "0 0"
put $p/console 1
eq $p/console 1
eq $p/overflow drop
eq $p/guest_connected 1
eq $p/guest_size "20 10"
eq $c/size "0 0"
refuse EBUSY $p/console 0
refuse EINVAL $p/size "1"
eq $c/ports/0/console 1
put $c/ports/0/size "80 25"
eq $c/size "80 25"

# Unplugging: open files answer ENODEV, a blocked reader wakes.
exec 3<"$M/$p/data"
cat <&3 >"$T/cat" 2>"$T/message" &
reader=$!
rmdir "$M/$p" || fail "rmdir"
wait $reader && fail "the reader of an unplugged port succeeded"
grep -q 'No such device' "$T/message" || fail "it said $(cat "$T/message")"
exec 3<&-
absent $p
"$IO" read $c/control | tail -n 1 | grep -qxF '> PORT_REMOVE id=1 value=1' || fail "no PORT_REMOVE"

# Plugging in again, and names that are no ports.
mkdir "$M/$p" || fail "mkdir again"
eq $p/ready 1
eq $p/console 0
eq $p/bytes_received 0
for name in 31 01 x 4294967296 1.; do
    mkdir "$M/$c/ports/$name" 2>"$T/message" && fail "mkdir $name"
    grep -q 'Invalid argument' "$T/message" || fail "mkdir $name: $(cat "$T/message")"
done
mkdir "$M/$c/ports/0" 2>"$T/message" && fail "mkdir 0"
grep -q 'File exists' "$T/message" || fail "mkdir 0: $(cat "$T/message")"
rmdir "$M/$c/ports/0" || fail "unplugging port 0"
absent $c/ports/0
mkdir "$M/$c/ports/0" || fail "plugging port 0"
eq $c/ports/0/guest_connected 1
exit 0
