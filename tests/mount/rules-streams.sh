#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The two ends of a port: 64 KiB are kept for a guest that has not opened it, and then the writer is held back.
. "$(dirname "$0")/lib.sh"

mount_fs
p=console/con0/ports/1
mkdir "$M/$p" || fail "mkdir"

head -c 49152 /dev/zero | tr '\0' a >"$T/data"
# The write end of a port takes 64 KiB before the guest has opened it, and then holds the writer back.
same "48 KiB" "$("$IO" write $p/data "$(cat "$T/data")")" ok
same "what is left of 64 KiB" "$("$IO" write $p/data "$(cat "$T/data")")" 16384
same "a byte more" "$("$IO" write $p/data b)" EAGAIN
same "poll for room" "$("$IO" poll $p/data out 100)" timeout
printf END >"$M/$p/data" &
writer=$!
exec 5<"$M/$p/guest"
dd bs=65539 count=1 iflag=fullblock <&5 >"$T/received" 2>/dev/null || fail "reading it"
wait $writer || fail "the blocked writer failed"
same "the bytes" "$(tr -d a <"$T/received")" END
same "the number of them" "$(wc -c <"$T/received")" 65539
same "nothing more" "$("$IO" read $p/guest)" EAGAIN

# In the other direction the guest writes while the host's end is open.
exec 6<>"$M/$p/data"
same "the guest writes" "$("$IO" write $p/guest hello)" ok
same "the host reads" "$("$IO" read $p/data)" hello
same "the host reads on" "$("$IO" read $p/data)" EAGAIN
dd if="$M/$p/data" bs=5 count=1 >"$T/blocked" 2>/dev/null &
reader=$!
same "the guest writes again" "$("$IO" write $p/guest again)" ok
wait $reader || fail "the blocked reader failed"
same "what it got" "$(cat "$T/blocked")" again
exec 5<&- 6<&-

# A write of many pieces ends when the last piece has been stored.
exec 6<>"$M/$p/data" 5<>"$M/$p/guest"
for n in 65536 131072 262144; do
    timeout 20 dd if=/dev/zero of="$M/$p/guest" bs=$n count=1 2>/dev/null || fail "a write of $n bytes does not end"
    head -c $n <&6 | cmp -n $n - /dev/zero || fail "what was read of $n bytes"
done
exec 5<&- 6<&-
