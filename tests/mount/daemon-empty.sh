#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# -o empty: the tree has the directories of all classes and no device; mkdir makes devices.
. "$(dirname "$0")/lib.sh"

mount_fs -o empty
for kind in console aplic gait hwqueue intx; do
    same "$kind/" "$(ls -A "$M/$kind")" ""
    mkdir "$M/$kind/first" || fail "mkdir $kind/first failed"
    [ -s "$M/$kind/first/state" ] || fail "$kind/first has no state"
    rmdir "$M/$kind/first" || fail "rmdir $kind/first failed"
    same "$kind/ after rmdir" "$(ls -A "$M/$kind")" ""
done
eq errors ""
