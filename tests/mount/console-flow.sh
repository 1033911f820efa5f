#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Unread data of a port: the limits of its queues, large amounts both ways, bytes that are dropped and counted.
. "$(dirname "$0")/lib.sh"

mount_fs
c=console/con0
p=$c/ports/1
mkdir "$M/$p" || fail "mkdir"

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

# Unread data.
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
