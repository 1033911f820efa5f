#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The state of a GAIT is copied out and back, into a new mount and to a device of another name, which continues.
. "$(dirname "$0")/lib.sh"

mount_fs
g=gait/gait0
put $g/enabled 1
mkdir "$M/$g/guests/zz" "$M/$g/guests/aa" "$M/$g/functions/f" "$M/$g/functions/g" ||
    fail "mkdir failed"
put $g/guests/aa/memory_size 8192
for name in f g; do
    put $g/functions/$name/isc 3
    put $g/functions/$name/ibv 0x1000
    put $g/functions/$name/sb 0x1800
done
put $g/functions/f/guest zz
put $g/functions/g/guest aa
put $g/functions/g/interpret 0
put $g/functions/f/registered 1
put $g/functions/g/registered 1
put $g/functions/f/signal 7
put $g/sic_fail 1
put $g/functions/g/signal 1
put $g/functions/g/signal 2
put $g/entries/500/aisb 0x123
cp "$M/$g/state" "$T/state" || fail "the state cannot be copied"

# goes_on DEVICE: the copy behaves as the saved device.
goes_on() {
    eq "$1/enabled" 1
    eq "$1/sic_armed" 0
    eq "$1/aen_forward" 1
    eq "$1/alerts" 1
    eq "$1/guests/zz/memory_address" 0x0000000100000000
    eq "$1/guests/aa/memory_address" 0x0000000200000000
    eq "$1/guests/aa/locked" 2
    eq "$1/guests/aa/gisc/3" 1
    eq "$1/guests/zz/ipm" 0x10
    eq "$1/functions/g/index" 1
    eq "$1/functions/g/aibv" '1
2'
    eq "$1/functions/f/aibv" 7
    eq "$1/entries/500/aisb" 0x0000000000000123
    same "the vector" "$("$IO" pread "$1/sbv" 0 1)" 40
    refuse EPERM "$1/enabled" 1
    refuse EINVAL "$1/functions/f/registered" 1
    put "$1/functions/f/signal" 8
    eq "$1/alerts" 1
    for guest in aa zz; do
        put "$1/guests/$guest/ipm" 0
    done
    put "$1/functions/f/signal" 8
    eq "$1/alerts" 2
    put "$1/functions/f/registered" 0
    put "$1/functions/g/registered" 0
    eq "$1/guests/aa/locked" 0
    eq "$1/guests/aa/iam" 0x00
    put "$1/nisc" 1
    put "$1/enabled" 0
    refuse EINVAL "$1/enabled" 1
}

remount_fs
cp "$T/state" "$M/$g/state" || fail "the state was refused"
cmp "$T/state" "$M/$g/state" || fail "the state differs"
goes_on $g
mkdir "$M/gait/copy" || fail "mkdir failed"
cp "$T/state" "$M/gait/copy/state" || fail "another device refused the state"
goes_on gait/copy

# Wrong states are refused and change nothing.
cp "$M/$g/state" "$T/now" || fail "the state cannot be copied"
for edit in 's/^enabled = 1/enabled = 0/' 's/^entry = 1/entry = 0/' 's/^slot = 1/slot = 0/' \
    's/^ibv = .*/ibv = 0xfffffffffffffff8/' 's/^guest = aa/guest = bb/' 's/^aipb.faal = .*/aipb\/faal = 7/' \
    's/^sbv_end = .*/sbv_end = 600/' 's/^sic_mode = .*/sic_mode = all/'; do
    sed -e "$edit" -e 's/^checksum = .*/checksum = none/' "$T/state" >"$T/edited"
    cmp -s "$T/state" "$T/edited" && fail "$edit changes nothing"
    cp "$T/edited" "$M/$g/state" 2>/dev/null && fail "$edit was accepted"
    cmp "$T/now" "$M/$g/state" || fail "$edit was refused, but has changed something"
done
