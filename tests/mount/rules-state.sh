#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The state of a device and of the root is whole, checked, and the same bytes again.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/state-lib.sh"

# The size is right, the text has a header and a checksum, and two copies are the same.
for state in state $a/state $b/state console/con0/state gait/gait0/state hwqueue/smmu0/state; do
    same "the size of $state" "$(stat -c %s "$M/$state")" "$(cat "$M/$state" | wc -c)"
    name=$(echo "$state" | tr / _)
    cp "$M/$state" "$T/$name" || fail "cp $state"
    cmp "$T/$name" "$M/$state" || fail "two copies of $state differ"
    head -n 1 "$T/$name" | grep -q '[0-9]' || fail "$state has no version: $(head -n 1 "$T/$name")"
    tail -n 1 "$T/$name" | grep -q '^checksum = ' || fail "$state has no checksum"
    grep -q '^\[' "$T/$name" || fail "$state has no section"
    grep -q '^errors' "$T/$name" && fail "$state has errors"
    # Over itself.
    cp "$T/$name" "$M/$state" || fail "$state over itself: $(tail -n 1 "$M/errors")"
    cmp "$T/$name" "$M/$state" || fail "$state over itself differs"
done

# The root's makes a fresh tree exactly as saved.
remount_fs
mkdir "$M/intx/other" "$M/gait/other" || fail "mkdir"
rmdir "$M/hwqueue/smmu0" || fail "rmdir"
cp "$T/state" "$M/state" || fail "the root's state: $(tail -n 1 "$M/errors")"
cmp "$T/state" "$M/state" || fail "the restored tree saves another state"
absent intx/other
absent gait/other
same "devices" "$(cd "$M" && echo */*/state)" "aplic/aplic0/state aplic/second/state \
console/con0/state gait/gait0/state hwqueue/smmu0/state intx/bus0/state"
eq $a/pending 7
eq $b/devices/d/guest_level 1
same "guest memory" "$("$IO" pread gait/gait0/guests/g/memory 0x1234 3)" c0ffee
same "queue memory" "$("$IO" pread hwqueue/smmu0/memory 0x1ffff0 4)" 0badf00d
same "queue data" "$("$IO" read console/con0/ports/0/guest)" 'data that waits'

# One by one into an empty mount, devices of any name.
umount_fs
mount_fs -o empty
for class in aplic:$a intx:$b gait:gait/gait0 hwqueue:hwqueue/smmu0; do
    mkdir "$M/${class%%:*}/x" || fail "mkdir ${class%%:*}/x"
    saved=$T/$(echo "${class#*:}/state" | tr / _)
    cp "$saved" "$M/${class%%:*}/x/state" || fail "${class#*:}: $(tail -n 1 "$M/errors")"
    cp "$M/${class%%:*}/x/state" "$T/again" || fail "cp"
    cp "$T/again" "$M/${class%%:*}/x/state" || fail "${class#*:} again: $(tail -n 1 "$M/errors")"
    cmp "$T/again" "$M/${class%%:*}/x/state" || fail "${class#*:} differs"
done
eq intx/x/devices/d/guest_level 1
eq aplic/x/pending 7
