#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Rule 8: state of a device and of the root: whole, checked, all or nothing, the same bytes again.
. "$(dirname "$0")/lib.sh"

mount_fs
a=aplic/aplic0
b=intx/bus0

# Something to save in every device.
put $a/sourcecfg/7 4
put $a/target/7 0x40005
put $a/setienum 7
put $a/setipnum 7
mkdir "$M/$b/devices/d" || fail "mkdir"
put $b/devices/d/line 9
put $b/devices/d/enabled 1
put $b/devices/d/assert 1
same "queue data" "$("$IO" write console/con0/ports/0/data 'data that waits')" ok
mkdir "$M/console/con0/ports/3" "$M/gait/gait0/guests/g" "$M/hwqueue/smmu0/vdevices/4" || fail "mkdir"
same "guest memory" "$("$IO" pwrite gait/gait0/guests/g/memory 0x1234 c0ffee)" ok
same "queue memory" "$("$IO" pwrite hwqueue/smmu0/memory 0x1ffff0 0badf00d)" ok
put hwqueue/smmu0/ioas/map '0x10000 0x1000'
mkdir "$M/aplic/second" || fail "mkdir"

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

# Through small writes, and larger ones.
remount_fs
dd if="$T/state" of="$M/state" bs=37 conv=notrunc 2>"$T/out" || fail "37 bytes at a time: $(cat "$T/out")"
cmp "$T/state" "$M/state" || fail "in small writes it differs"
remount_fs
dd if="$T/state" of="$M/state" bs=1M 2>"$T/out" || fail "1 MiB at a time: $(cat "$T/out")"
cmp "$T/state" "$M/state" || fail "in large writes it differs"

# refused FILE WHAT: cp of it to the state of the bus fails, with a line in errors, and changes nothing.
refused() {
    lines=$(wc -l <"$M/errors")
    cp "$M/$b/state" "$T/before" || fail "cp"
    cp "$1" "$M/$b/state" 2>/dev/null && fail "$2 was taken"
    cmp "$T/before" "$M/$b/state" || fail "$2 changed something"
    [ "$(wc -l <"$M/errors")" = $((lines + 1)) ] || fail "$2 left $(($(wc -l <"$M/errors") - lines)) lines"
    tail -n 1 "$M/errors" | grep -q "^$b/state: E" || fail "$2: $(tail -n 1 "$M/errors")"
}
good=$T/intx_bus0_state
sed 's/^line = 9/line = 8/' "$good" >"$T/bad"
cmp -s "$good" "$T/bad" && fail "there is no line = 9 in $(cat "$good")"
refused "$T/bad" "an edited state with the old checksum"
for n in 1 10 100 "$(($(wc -c <"$good") / 2))" "$(($(wc -c <"$good") - 20))" "$(($(wc -c <"$good") - 2))"; do
    head -c "$n" "$good" >"$T/bad"
    refused "$T/bad" "a state cut at $n bytes"
done
sed '$d' "$good" >"$T/bad"
refused "$T/bad" "a state without its last line"
sed 's/^checksum = .*/checksum = 1/' "$good" >"$T/bad"
refused "$T/bad" "a wrong checksum"
sed 's/^checksum = .*/checksum = some/' "$good" >"$T/bad"
refused "$T/bad" "a checksum of a word"
sed '1s/[0-9][0-9]*/99/; s/^checksum = .*/checksum = none/' "$good" >"$T/bad"
refused "$T/bad" "version 99"
sed '1s/.*/something else/; s/^checksum = .*/checksum = none/' "$good" >"$T/bad"
refused "$T/bad" "another format"
sed 's/^line = 9/line = 9000/; s/^checksum = .*/checksum = none/' "$good" >"$T/bad"
refused "$T/bad" "a value out of range"
sed 's/^line = 9/lime = 9/; s/^checksum = .*/checksum = none/' "$good" >"$T/bad"
refused "$T/bad" "an unknown name"
sed 's/^\[intx.*devices.*/[intx\/bus0\/devices\/-]/; s/^checksum = .*/checksum = none/' "$good" >"$T/bad"
refused "$T/bad" "a name that mkdir refuses"
refused "$T/$(echo $a/state | tr / _)" "the state of another class"
random_seed
"$IO" random "$seed" 300 >"$T/bad"
refused "$T/bad" "random bytes"
printf 'x\0y\n' >"$T/bad"
refused "$T/bad" "NUL bytes"
for line in 1 '$'; do
    sed "$line"'s/$/\r/' "$good" >"$T/bad"
    refused "$T/bad" "a line end of other systems"
    tail -n 1 "$M/errors" | grep -q ': EINVAL: line [0-9]*: a carriage return' || fail "errors: $(tail -n 1 "$M/errors")"
done

# The root's is all or nothing: the last device's mistake leaves the first as it was.
cp "$M/state" "$T/before" || fail "cp"
sed 's/^sourcecfg\/7 = .*/sourcecfg\/7 = 0x00000001/; s/^line = 9/line = 9000/
    s/^checksum = .*/checksum = none/' "$T/state" >"$T/bad"
cp "$T/bad" "$M/state" 2>/dev/null && fail "a root state with a mistake was taken"
cmp "$T/before" "$M/state" || fail "a refused root state changed something"
eq $a/sourcecfg/7 0x00000004

# Edited by hand, and marked so.
sed 's/^line = 9/line = 8/; s/^checksum = .*/checksum = none/' "$good" >"$T/edited"
cp "$T/edited" "$M/$b/state" || fail "an edited state: $(tail -n 1 "$M/errors")"
eq $b/devices/d/line 8

# Open and close, or O_TRUNC, is no restore.
: >"$M/$b/state" || fail "O_TRUNC of a state"
eq $b/devices/d/line 8

# One open is one moment, whatever is changed while it is read.
exec 3<"$M/$b/state"
dd bs=64 count=1 <&3 >"$T/one" 2>/dev/null
put $b/devices/d/assert 0
put $b/devices/d/ack 1
cat <&3 >>"$T/one"
exec 3<&-
cp "$T/one" "$M/$b/state" || fail "the state of one moment: $(tail -n 1 "$M/errors")"
eq $b/devices/d/assert 1

# Megabytes of memory, all of it of some value.
put hwqueue/smmu0/ioas/unmap '0x10000 0x1000'
"$IO" random "$seed" 1048576 >"$T/memory"
"$IO" random $((seed + 1)) 1048576 >>"$T/memory"
cp "$T/memory" "$M/hwqueue/smmu0/memory" || fail "cp to memory: $(tail -n 1 "$M/errors")"
cp "$M/hwqueue/smmu0/state" "$T/large" || fail "a large state cannot be read"
same "the size of a large state" "$(stat -c %s "$M/hwqueue/smmu0/state")" "$(wc -c <"$T/large")"
mkdir "$M/hwqueue/large" || fail "mkdir"
cp "$T/large" "$M/hwqueue/large/state" || fail "a large state: $(tail -n 1 "$M/errors")"
cmp "$T/memory" "$M/hwqueue/large/memory" || fail "the restored memory differs"

# A stat takes no memory for the text, and keeps what it has measured.
for name in hwqueue/smmu0 hwqueue/large; do
    cp "$T/memory" "$M/$name/memory" || fail "cp to memory"
done
for state in state hwqueue/large/state; do
    same "the size of $state" "$(stat -c %s "$M/$state")" "$(cat "$M/$state" | wc -c)"
    same "the size of $state, again" "$(stat -c %s "$M/$state")" "$(cat "$M/$state" | wc -c)"
done
"$IO" pwrite hwqueue/large/memory 0 00 >/dev/null
same "the size after a change" "$(stat -c %s "$M/state")" "$(cat "$M/state" | wc -c)"
rmdir "$M/hwqueue/large" || fail "rmdir"
same "the size after a removal" "$(stat -c %s "$M/state")" "$(cat "$M/state" | wc -c)"

# Several commands of a shell may write one state, though each of them closes its copy of the file.
cp "$M/state" "$T/grouped"
put aplic/aplic0/domaincfg 0x100
{
    sed '$d' "$T/grouped"
    echo "checksum = none"
} >"$M/state" || fail "a state that two commands write"
cmp "$M/state" "$T/grouped" || fail "a state that two commands have written"
