#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The worked example of HACKING.md on a mount: a device of one folder has its files, its window and its state.
VDF_BIN=${VDF_BIN:-$(dirname "$0")/../../build/debug/virtdevfs}
# lib.sh runs the script once more, with a limit.
VDF_RTC=${VDF_RTC:-$(dirname "$VDF_BIN")/tests/virtdevfs_rtc}
VDF_BIN=$VDF_RTC
export VDF_BIN VDF_RTC
VDF_IO=${VDF_IO:-$(dirname "$VDF_BIN")/vdfio}
. "$(dirname "$0")/lib.sh"

mount_fs
d=rtc/rtc0
alarm_came() {
    [ "$(cat "$M/$d/control")" = 0x00000001 ]
}

put $d/time 1000
put $d/alarm 1001
put $d/control 2
wait_for 10 alarm_came || fail "the alarm did not come"
[ $(($(cat "$M/$d/time"))) -ge 1001 ] || fail "the alarm came at $(cat "$M/$d/time")"

# The window has the registers, and the reserved bits are refused by name.
printf '\1\0\0\0' | dd of="$M/$d/regs" bs=4 seek=2 conv=notrunc status=none || fail "a store to control"
eq $d/control 0x00000000
refuse EINVAL $d/control 4

# A copy of the state brings the registers back, and a clock that goes on.
put $d/alarm 0x7fffffff
cp "$M/$d/state" "$T/state" || fail "save"
put $d/time 0
put $d/alarm 0
cp "$T/state" "$M/$d/state" || fail "restore"
eq $d/alarm 0x7fffffff
[ $(($(cat "$M/$d/time"))) -ge 1001 ] || fail "the restored clock shows $(cat "$M/$d/time")"

mkdir "$M/rtc/second" || fail "mkdir"
rmdir "$M/rtc/second" || fail "rmdir"
umount_fs
