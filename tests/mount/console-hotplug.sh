#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Ports that become consoles, are unplugged while they are open, and are plugged in again.
. "$(dirname "$0")/lib.sh"

mount_fs
c=console/con0
p=$c/ports/1
mkdir "$M/$p" || fail "mkdir"

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
