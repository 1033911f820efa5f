#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Each command to the kernel for the mock IOMMU fails once, and so does each memfd: a refused operation changes
# nothing, the others are done, and no stored value is lost.
VDF_LIMIT=300
. "$(dirname "$0")/common"
. "$vdf_root/tests/vm/testkernel/mock"
mount_fs -o empty
pid=$(daemon_pids)
. "$vdf_root/tests/mount/fail-lib.sh"

mkdir "$M/$d"
remember
put $d/type selftest
same "a store" "$("$IO" pwrite $d/memory 0 01020304)" ok
backend
mkdir "$M/$d/queues/0" "$M/$d/vdevices/7"
put $d/ioas/map "0x2000000 0x1000"
put $d/ioas/map "0x3000000 0x1000 0x1000"
queue 0 0x2000000 0x1000
same "a store" "$("$IO" pwrite $d/queues/0/page 8 01020304)" ok

# stored: nothing that was stored is lost.
stored() {
    same "the page after $1" "$("$IO" pread $d/queues/0/page 8 4)" 01020304
    same "the memory after $1" "$("$IO" pread $d/memory 0 4)" 01020304
}

# raises: the events of virtual device 7 come.
raises() {
    put $d/trigger 1
    "$IO" read $d/veventq 64 >"$T/event"
    same "the event after $1" "$(od -An -v -tx4 -j8 --endian=little "$T/event")" " 00000007"
}

# answer COMMAND...: ok, or the errno that it had; `write` is vdfio's.
answer() {
    if [ "$1" = write ]; then
        "$IO" "$@" | head -n 1
    elif vdf_said=$(LC_ALL=C "$@" 2>&1); then
        echo ok
    else
        echo "$vdf_said" | sed 's/.*Cannot allocate memory.*/ENOMEM/'
    fi
}

# But for how many events there were.
state() {
    sed '/^veventq_sequence = /d; /^checksum = /d' "$M/$d/state"
}

# each LEAST CHECK COMMAND...: let each command of the kernel fail until there is no such many; at least LEAST
# have to, and CHECK is done after each.
each() {
    least=$1
    check=$2
    shift 2
    state >"$T/before"
    k=1
    while said=$(failing ioctl $k answer "$@") && [ "$said" != ok ]; do
        same "the answer to $* $k" "$said" ENOMEM
        same "commands that failed under $* $k" "$(injected)" 1
        eq $d/backend iommufd
        stored "$* $k"
        $check "$* $k"
        state | cmp "$T/before" - || fail "$* $k was refused and has changed something"
        k=$((k + 1))
    done
    same "$* at last" "$said" ok
    [ $k -gt "$least" ] || fail "only $((k - 1)) of at least $least commands were given for $*"
    eq $d/backend iommufd
    stored "$*"
}

each 1 raises write $d/queues/0/enable 1
each 1 raises write $d/queues/0/enable 0
each 1 raises write $d/ioas/map "0x4000000 0x1000"
each 2 raises write $d/ioas/unmap "0x3000000 0x1001000"
each 3 raises write $d/veventq_depth 3
each 1 true write $d/trigger 1
"$IO" read $d/veventq 64 >/dev/null
each 2 raises rmdir "$M/$d/vdevices/7"
each 2 true mkdir "$M/$d/vdevices/7"
raises "all of it"

# --- neither the queue of the new depth nor the old one again: all objects are made anew
put $d/queues/0/enable 1
put $d/trigger 1
same "another depth" "$(failing ioctl 3..4 answer write $d/veventq_depth 5)" ENOMEM
same "commands that failed" "$(injected)" 2
eq $d/veventq_depth 3
eq $d/backend iommufd
eq $d/queues/0/enable 1
same "mock devices" "$(mock_devices)" 1
stored "another depth"
"$IO" read $d/veventq 64 >"$T/event"
same "the event that waited" "$(od -An -v -tx4 -j8 --endian=little "$T/event")" " 00000007"
raises "another depth"

# --- memfds: a restore that gets all but one, and a device whose region is left without any
cp "$M/$d/state" "$T/state"
k=0
until [ $k -gt 0 ] && [ "$(injected)" = 0 ]; do
    k=$((k + 1))
    failing memfd_create $k cp "$T/state" "$M/$d/state" 2>/dev/null
    eq $d/backend iommufd
    stored "memfd $k of a restore"
    cmp "$T/state" "$M/$d/state" || fail "memfd $k of a restore has changed something"
done
[ $k -gt 2 ] || fail "only $((k - 1)) memfds were made for a restore"
failing memfd_create 1+ cp "$T/state" "$M/$d/state" 2>/dev/null && fail "a restore without memfds succeeded"
eq $d/backend iommufd
stored "a restore without memfds"
cmp "$T/state" "$M/$d/state" || fail "a restore without memfds has changed something"

put $d/queues/0/enable 0
rmdir "$M/$d/queues/0"
same "soft without memfds" "$(failing memfd_create 1+ answer write $d/backend soft)" ok
mkdir "$M/$d/queues/0"
stored "soft without memfds"
# Memory is in its huge page still; the next time it moves.
rmdir "$M/$d/queues/0"
put $d/backend iommufd
put $d/backend soft
nothing_left

# --- the same where no descriptor is to be had
put $d/backend iommufd
prlimit --pid "$pid" --nofile=3:65536
same "soft without descriptors" "$("$IO" write $d/backend soft)" ok
prlimit --pid "$pid" --nofile=4096:65536
mkdir "$M/$d/queues/0"
stored "soft without descriptors"
rmdir "$M/$d/queues/0"
put $d/backend iommufd
mkdir "$M/$d/queues/0"
cp "$M/$d/state" "$T/state"
limit=$(targets | wc -l)
first=$limit
prlimit --pid "$pid" --nofile="$limit:65536"
until cp "$T/state" "$M/$d/state" 2>/dev/null; do
    eq $d/backend iommufd
    stored "a restore with $limit descriptors"
    cmp "$T/state" "$M/$d/state" || fail "a restore with $limit descriptors has changed something"
    limit=$((limit + 1))
    [ "$limit" -lt $((first + 30)) ] || fail "a restore fails with $limit descriptors"
    prlimit --pid "$pid" --nofile="$limit:65536"
done
[ "$limit" -gt "$first" ] || fail "a restore needed no descriptor"
prlimit --pid "$pid" --nofile=4096:65536
eq $d/backend iommufd
stored "a restore with $limit descriptors"
cmp "$T/state" "$M/$d/state" || fail "a restore with $limit descriptors has changed something"

# --- nor another depth, nor anything else: the model goes on
put $d/trigger 1
same "another depth" "$(failing ioctl 3+ answer write $d/veventq_depth 5)" ENOMEM
eq $d/backend soft
tail -n 2 "$M/errors" | grep -q "backend is soft" || fail "errors does not tell"
nothing_left
stored "the end of the kernel's objects"
"$IO" read $d/veventq 64 >"$T/event"
same "the event that waited" "$(od -An -v -tx4 -j8 --endian=little "$T/event")" " 00000007"
raises "the end of the kernel's objects"
same "mapping memory" "$("$IO" mmap-load $d/memory 0 4)" 01020304
rmdir "$M/$d"
nothing_left
