#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# An overlay over a mount: values can be read and raw files can be mapped through it.
. "$(dirname "$0")/lib.sh"

root_only
mount_fs
o=$T/overlay
mkdir "$o"
# The scratch directory's file system may be one that cannot be an upper layer.
mount -t tmpfs tmpfs "$o" || skip "no tmpfs can be mounted"
mkdir "$o/upper" "$o/work" "$o/merged"
leave() {
    umount "$o/merged" 2>/dev/null
    umount "$o"
}
trap 'leave; vdf_cleanup 1' EXIT
mount -t overlay -o "lowerdir=$M,upperdir=$o/upper,workdir=$o/work" overlay "$o/merged" 2>"$T/said" ||
    {
        grep -q '^nodev.overlay$' /proc/filesystems || { leave; trap 'vdf_cleanup $?' EXIT; skip "no overlayfs"; }
        fail "no overlay: $(cat "$T/said")"
    }

same "a value" "$(cat "$o/merged/aplic/aplic0/sourcecfg/1")" "$(cat "$M/aplic/aplic0/sourcecfg/1")"
put aplic/aplic0/sourcecfg/1 4
same "a value that has changed" "$(cat "$o/merged/aplic/aplic0/sourcecfg/1")" 0x00000004
printf 'abcd' | dd of="$M/gait/gait0/table" bs=4 conv=notrunc status=none
same "a raw file" "$(head -c 4 "$o/merged/gait/gait0/table")" abcd
# A write copies up and leaves the device alone.
echo 6 >"$o/merged/aplic/aplic0/sourcecfg/1" || fail "no copy was made"
eq aplic/aplic0/sourcecfg/1 0x00000004

leave
trap 'vdf_cleanup $?' EXIT
