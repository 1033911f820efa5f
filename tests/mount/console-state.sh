#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A console that was saved during traffic continues in a new mount.
. "$(dirname "$0")/lib.sh"

mount_fs
c=console/con0
p=$c/ports/1

mkdir "$M/$p" || fail "mkdir"
put $p/name one
put $p/host_connected 1
exec 3<>"$M/$p/guest"
printf abcdef >&3
printf ghi >&3
exec 4<"$M/$p/data"
same "some of it" "$(head -c 2 <&4)" ab
exec 5>"$M/$p/data"
printf 'down' >&5
printf 'stream' >&5
same "the guest's part" "$(head -c 3 <&3)" dow
mkdir "$M/$c/ports/2" || fail "mkdir"
put $c/ports/2/data waiting

cp "$M/$c/state" "$T/state" || fail "saving"
cp "$T/state" "$M/$c/state" || fail "restoring"
cmp "$T/state" "$M/$c/state" || fail "not the same after a restore"
exec 3<&- 4<&- 5<&-

remount_fs
cp "$T/state" "$M/$c/state" || fail "restoring into a new mount: $(tail -n 1 "$M/errors")"
cmp "$T/state" "$M/$c/state" || fail "not the same in a new mount"
eq $p/name one
eq $p/host_connected 1
eq $p/guest_connected 1
eq $p/throttled 1
eq $p/bytes_sent 9
eq $c/queues/5/used_idx 0
exec 3<>"$M/$p/guest"
exec 4<>"$M/$p/data"
same "the rest of it" "$("$IO" read $p/data)" cdefghi
eq $c/queues/5/used_idx 2
same "the rest of the guest's" "$(head -c 7 <&3)" nstream
same "nothing more" "$("$IO" read $p/guest)" EAGAIN
printf more >&3
same "it goes on" "$(head -c 4 <&4)" more
printf back >&4
same "both ways" "$(head -c 4 <&3)" back
same "what waited" "$("$IO" read $c/ports/2/guest)" waiting
exec 3<&- 4<&-

# A reader that was there before a state without it came goes on after it.
rmdir "$M/$c/ports/2" && mkdir "$M/$c/ports/2" || fail "another port 2"
cp "$M/$c/state" "$T/unread" || fail "saving"
for end in data guest; do
    head -n 1 "$M/$c/ports/2/$end" >"$T/$end" &
    case $end in
    data) wait_for 10 grep -qx 1 "$M/$c/ports/2/host_connected" || fail "no reader" ;;
    guest) wait_for 10 grep -qx 1 "$M/$c/ports/2/guest_connected" || fail "no reader" ;;
    esac
    cp "$T/unread" "$M/$c/state" || fail "restoring"
    [ $end = data ] && echo up >"$M/$c/ports/2/guest"
    [ $end = guest ] && echo down >"$M/$c/ports/2/data"
    wait $! || fail "the reader of $end"
done
same "the host's reader" "$(cat "$T/data")" up
same "the guest's reader" "$(cat "$T/guest")" down

# An edited state that cannot be is refused whole.
sed 's/^queues\/0\/size = 64/queues\/0\/size = 63/; s/^checksum = .*/checksum = none/' "$T/state" >"$T/bad"
cp "$M/$c/state" "$T/before"
cp "$T/bad" "$M/$c/state" 2>/dev/null && fail "a queue of 63 descriptors was taken"
cmp "$T/before" "$M/$c/state" || fail "a refused state changed something"

# The pool and rproc-serial.
put $c/reset 1
rmdir "$M/$p" "$M/$c/ports/2" || fail "rmdir"
put $c/device rproc-serial
put $c/ports/0/guest kept
cp "$M/$c/state" "$T/rproc" || fail "saving"
cp "$M/$c/dma/buffers" "$T/buffers" || fail "buffers"
remount_fs
cp "$T/rproc" "$M/$c/state" || fail "restoring rproc-serial"
cmp "$T/buffers" "$M/$c/dma/buffers" || fail "the pool has changed"
same "the data" "$("$IO" read $c/ports/0/data)" kept
exit 0
