#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A mount is usable when the command returns, and a second mount on the same directory is refused.
. "$(dirname "$0")/lib.sh"

mount_fs
same "the root" "$(ls "$M" | tr '\n' ' ')" "aplic console engine errors errors_log errors_log_lost gait hwqueue intx pci state version vm "
same "the default devices" "$(cd "$M" && echo console/* aplic/* gait/* hwqueue/* intx/*)" \
    "console/con0 aplic/aplic0 gait/gait0 hwqueue/smmu0 intx/bus0"
eq aplic/aplic0/harts 2
eq aplic/aplic0/aia/srcs 96
eq aplic/aplic0/aia/ids 255
eq aplic/aplic0/delivery msi

# A second one on the same place is refused, and the first goes on.
mkdir "$M/aplic/mine"
daemon "$M" 2>"$T/err" && fail "a second mount on the same place succeeded"
grep -qF "$M" "$T/err" || fail "the refusal does not name the place: $(cat "$T/err")"
[ -d "$M/aplic/mine" ] || fail "the second mount has replaced the first"
same "mounts on the place" "$(grep -cF " $M " /proc/self/mounts)" 1

# A tree elsewhere is another tree.
mkdir "$T/other"
daemon -o "engine=$VDF_ENGINE" "$T/other" || fail "a second tree was refused"
[ ! -e "$T/other/aplic/mine" ] || fail "two trees share a device"
vdf_first=$M
M=$T/other
umount_fs
M=$vdf_first
[ -d "$M/aplic/mine" ] || fail "the first tree went with the second"
umount_fs

# A daemon in the background closes the descriptors of its caller.
daemon -o "engine=$VDF_ENGINE" "$M" 7>"$T/lock" 2>"$T/stderr" || fail "the mount failed"
ls -l "/proc/$(daemon_pids)/fd" >"$T/fds"
! grep -qF "$T/lock" "$T/fds" || fail "the daemon keeps an inherited descriptor: $(cat "$T/fds")"
umount_fs

# In the foreground the command ends with the unmount, successfully.
daemon -f -o "engine=$VDF_ENGINE" "$M" 2>"$T/stderr" &
child=$!
wait_for 10 test -s "$M/version" || fail "virtdevfs -f is not usable"
kill -0 $child || fail "virtdevfs -f did not stay in the foreground"
vdf_unmount || fail "virtdevfs -f cannot be unmounted"
wait $child || fail "virtdevfs -f ended with $?"

# -d prints requests.
daemon -d -o "engine=$VDF_ENGINE" "$M" 2>"$T/debug" >&2 &
child=$!
wait_for 10 test -s "$M/version" || fail "virtdevfs -d is not usable"
vdf_unmount || fail "virtdevfs -d cannot be unmounted"
wait $child || fail "virtdevfs -d ended with $?"
grep -q LOOKUP "$T/debug" || fail "virtdevfs -d does not print requests"
