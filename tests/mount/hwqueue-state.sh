#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Queues with work in progress are saved and restored, in the same mount and in a new one.
. "$(dirname "$0")/lib.sh"

mount_fs
d=hwqueue/smmu0
q=$d/queues/0
put $d/ioas/map "0x100000 0x1000"
put $d/ioas/map "0x200000 0x1000 0x1000 ro"
mkdir "$M/$q" "$M/$d/vdevices/3" || fail "mkdir"
put $d/vdevices/3/psid 33
put $d/vdevices/3/atc_timeout 1
put $q/base 0x100000
put $q/enable 1
put $d/iotlb/insert "5 0 0x1000 0x1000 1"
# An ATC_INV that is not answered, then a command that is illegal
same "a command" "$("$IO" pwrite $q/entries 0 40000000030000003400000000000000)" ok
same "a command" "$("$IO" pwrite $q/entries 16 30)" ok
same "a command" "$("$IO" pwrite $q/entries 32 46)" ok
put $q/prod 3
eq $q/cons 0x01000001

cp "$M/$d/state" "$T/device" || fail "the state cannot be read"
cp "$M/state" "$T/root" || fail "the root's state cannot be read"

goes_on() {
    eq $q/cons 0x01000001
    eq $q/error ILL
    eq $d/iotlb/entries "5 0 0x1000 0x1000 1"
    eq $d/ioas/mappings "0x100000 0x1000 0x0
0x200000 0x1000 0x1000 ro"
    same "the veventq" "$("$IO" read $d/veventq 64 | wc -c)" 24
    same "a command" "$("$IO" pwrite $q/entries 16 46)" ok
    put $q/gerrorn 1
    eq $q/error ATC_INV_SYNC
    put $q/gerrorn 0
    eq $q/cons 0x00000003
}

goes_on
put $q/enable 0
put $d/ioas/unmap "0x100000 0x1000"
cp "$T/device" "$M/$d/state" || fail "the state was refused"
cmp "$T/device" "$M/$d/state" || fail "the state is another after it was restored"
goes_on

umount_fs
mount_fs -o empty
cp "$T/root" "$M/state" || fail "the root's state was refused"
cmp "$T/root" "$M/state" || fail "the root's state is another in a fresh mount"
goes_on

# Something that cannot be, and nothing has changed.
cp "$M/$d/state" "$T/before"
sed -e 's/^log2size = 8/log2size = 9/' -e 's/^checksum = .*/checksum = none/' "$T/before" >"$T/bad"
cp "$T/bad" "$M/$d/state" 2>/dev/null && fail "a ring larger than its mapping was taken"
cmp "$T/before" "$M/$d/state" || fail "a refused state has changed something"
tail -n 1 "$M/errors" | grep -q ENOENT || fail "errors does not tell"
