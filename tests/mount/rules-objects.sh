#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# mkdir and rmdir make and remove objects, and nothing else does: names, open files of removed objects, refusals.
. "$(dirname "$0")/lib.sh"

LC_ALL=C
export LC_ALL
mount_fs
b=$M/intx/bus0/devices

# denied TEXT COMMAND...: the command fails with this text of the errno.
denied() {
    denied_text=$1
    shift
    "$@" >"$T/denied" 2>&1 && fail "$* succeeded"
    grep -q "$denied_text" "$T/denied" || fail "$*: $(cat "$T/denied"), not $denied_text"
}

# Names.
x63=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
for name in a 0 Z9 a.b a-b a_b 10.0 "${x63}1"; do
    mkdir "$b/$name" || fail "mkdir $name"
    [ -d "$b/$name" ] || fail "$name is not there"
    denied 'File exists' mkdir "$b/$name"
    rmdir "$b/$name" || fail "rmdir $name"
    [ ! -e "$b/$name" ] || fail "$name is still there"
done
for name in -a .a _a 'a b' 'a:b' 'a
b' 'a%s' 'ä' "${x63}11" '...' '*'; do
    denied 'Invalid argument' mkdir "$b/$name"
    [ ! -e "$b/$name" ] || fail "'$name' was made"
done
same "what is left" "$(ls "$b")" ""

# A default device goes like any other, and comes back as mkdir makes it.
[ -e "$M/aplic/aplic0/domaincfg" ] || fail "aplic0 is not initialised"
for device in console/con0 aplic/aplic0 gait/gait0 hwqueue/smmu0 intx/bus0; do
    denied 'File exists' mkdir "$M/$device"
    rmdir "$M/$device" || fail "rmdir $device"
    [ ! -e "$M/$device" ] || fail "$device is still there"
    mkdir "$M/$device" || fail "mkdir $device"
    [ -e "$M/$device/state" ] || fail "$device has no state"
done
absent aplic/aplic0/domaincfg

# rmdir takes all below with it, and only takes objects.
mkdir "$b/d" && echo 5 >"$b/d/line" || fail "mkdir"
denied 'No such file' rmdir "$b/none"
denied 'Not a directory' rmdir "$b/d/line"
for dir in intx intx/bus0/devices intx/bus0/lines intx/bus0/lines/5 aplic; do
    rmdir "$M/$dir" 2>"$T/denied" && fail "rmdir $dir succeeded"
done
rmdir "$M/intx/bus0" || fail "rmdir of a bus with a device"
mkdir "$M/intx/bus0" || fail "mkdir"
same "devices of a new bus" "$(ls "$b")" ""

# Nothing else creates, and nothing else removes.
mkdir "$b/d" || fail "mkdir"
creat() {
    : >"$1"
}
for place in "$M" "$M/intx" "$M/intx/bus0" "$b" "$b/d" "$M/aplic/aplic0"; do
    (creat "$place/new") 2>"$T/denied" && fail "creat in $place succeeded"
    grep -q 'Operation not permitted' "$T/denied" || fail "creat in $place: $(cat "$T/denied")"
    denied 'Operation not permitted' ln -s target "$place/new"
    denied 'Operation not permitted' mknod "$place/new" p
    denied 'Operation not permitted' ln "$b/d/line" "$place/new"
    [ ! -e "$place/new" ] || fail "$place/new was made"
done
denied 'Operation not permitted' rm -f "$b/d/line"
denied 'Operation not permitted' rm -f "$M/version"
denied 'Operation not permitted' mv "$b/d" "$b/e"
denied 'Operation not permitted' mv "$b/d/line" "$b/d/line2"
denied 'Operation not permitted' mv -f "$b/d/line" "$b/d/assert"
eq intx/bus0/devices/d/line 0
mkdir "$M/new" 2>/dev/null && fail "mkdir at the root succeeded"
mkdir "$b/d/new" 2>/dev/null && fail "mkdir in a device of the bus succeeded"

# Open files of what is removed answer ENODEV, also when the name is taken again.
exec 3<>"$b/d/line"
same "before" "$(cat <&3)" 0
rmdir "$b/d" || fail "rmdir with an open file"
denied 'No such device' cat <&3
(printf '1\n' >&3) 2>/dev/null && fail "a write to a removed device succeeded"
mkdir "$b/d" || fail "mkdir"
(printf '1\n' >&3) 2>/dev/null && fail "a write to the old device reached the new one"
eq intx/bus0/devices/d/line 0
exec 3>&-

exec 3<>"$M/hwqueue/smmu0/state"
rmdir "$M/hwqueue/smmu0" || fail "rmdir with an open state"
(printf 'virtdevfs' >&3) 2>/dev/null && fail "a write to the state of a removed device succeeded"
exec 3>&-
mkdir "$M/hwqueue/smmu0" || fail "mkdir"

# Blocked readers and writers, and those in poll(2), wake.
mkdir "$M/aplic/a" "$M/console/con0/ports/1" || fail "mkdir"
cat "$M/aplic/a/msi" >"$T/out" 2>"$T/reader" &
reader=$!
"$IO" poll aplic/a/msi in 60000 >"$T/poll" &
poller=$!
exec 3<"$M/console/con0/ports/1/data"
cat <&3 >"$T/out2" 2>"$T/reader2" &
reader2=$!
head -c 65536 /dev/zero >"$M/console/con0/ports/1/data" || fail "64 KiB were not taken"
cat "$T/out" "$M/version" >"$M/console/con0/ports/1/data" 2>"$T/writer" &
writer=$!
wait_for 10 asleep $reader aplic/a/msi || fail "the reader is not blocked"
wait_for 10 asleep $poller aplic/a/msi || fail "the poller is not blocked"
wait_for 10 asleep $reader2 ports/1/data || fail "the second reader is not blocked"
wait_for 10 asleep $writer ports/1/data || fail "the writer is not blocked"
rmdir "$M/aplic/a" "$M/console/con0" || fail "rmdir with blocked readers"
wait $reader && fail "the blocked reader ended well"
grep -q 'No such device' "$T/reader" || fail "the reader: $(cat "$T/reader")"
wait $reader2 && fail "the second blocked reader ended well"
grep -q 'No such device' "$T/reader2" || fail "the second reader: $(cat "$T/reader2")"
wait $writer && fail "the blocked writer ended well"
grep -q 'No such device' "$T/writer" || fail "the writer: $(cat "$T/writer")"
wait $poller || fail "the poller failed"
grep -q timeout "$T/poll" && fail "the poller was not woken"
exec 3<&-

# A working directory that is removed.
mkdir "$b/e" || fail "mkdir"
(
    cd "$b/e" || exit 1
    rmdir "$b/e" || exit 1
    cat line 2>/dev/null && exit 1
    exit 0
) || fail "a removed working directory"

# An object that others depend on, and a page that is open.
q=$M/hwqueue/smmu0/queues
mkdir "$q/0" "$q/1" || fail "mkdir of the queues"
denied 'Device or resource busy' rmdir "$q/0"
exec 3<"$q/0/page"
denied 'Device or resource busy' rmdir "$M/hwqueue/smmu0"
[ -e "$q/1" ] || fail "a refused rmdir removed a queue"
exec 3<&-
# close(2) returns before the file system has heard of it.
wait_for 10 rmdir "$M/hwqueue/smmu0" || fail "rmdir after the close"
exit 0
