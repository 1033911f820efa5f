#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# -o state=FILE: the new mount has the devices of the saved state; a refused state leaves no mount.
. "$(dirname "$0")/lib.sh"

mount_fs
mkdir "$M/aplic/second" "$M/intx/other" || fail "mkdir failed"
rmdir "$M/gait/gait0" || fail "rmdir failed"
put aplic/aplic0/domaincfg 0x100
put aplic/aplic0/sourcecfg/5 6
put aplic/aplic0/setienum 5
put aplic/aplic0/target/5 0x40005
put aplic/aplic0/wire/5 1
put console/con0/ports/0/name left-behind
put console/con0/ports/0/data "bytes on their way"
cp "$M/state" "$T/saved" || fail "state cannot be copied"
umount_fs

mount_fs -o "state=$T/saved"
cmp "$M/state" "$T/saved" || fail "the state is not the one that was restored"
absent gait/gait0
eq aplic/aplic0/imsic/1/pending 5
eq console/con0/ports/0/name left-behind
same "what waited in the console" "$("$IO" read console/con0/ports/0/guest)" "bytes on their way"
umount_fs

# refused FILE: nothing is mounted from it, and it is named.
refused() {
    daemon -o "state=$1" "$M" 2>"$T/err" && fail "$1 was accepted"
    ! mounted || fail "$1 left a mount"
    grep -qF "$1" "$T/err" || fail "the refusal does not name $1: $(cat "$T/err")"
}
size=$(stat -c %s "$T/saved")
head -c $((size / 2)) "$T/saved" >"$T/short"
refused "$T/short"
sed 's/left-behind/left_behind/' "$T/saved" >"$T/edited"
cmp -s "$T/saved" "$T/edited" && fail "the saved state does not hold the port's name"
refused "$T/edited"
: >"$T/nothing"
refused "$T/nothing"
refused "$T/missing"
refused "$T"

# An edit that says so is taken.
sed 's/left_behind/mended/; $s/.*/checksum = none/' "$T/edited" >"$T/mended"
mount_fs -o "state=$T/mended"
eq console/con0/ports/0/name mended
