# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A mounted tree with a running queue of a Tegra241, read in after lib.sh: $d is the device, $q the queue, whose
# first four commands are CMD_SYNC.

mount_fs
d=hwqueue/smmu0
q=$d/queues/0
put $d/ioas/map "0x100000 0x1000"
mkdir "$M/$q" || fail "mkdir $q"
put $q/base 0x100000
put $q/log2size 8
put $q/enable 1
for slot in 0 1 2 3; do
    same "a command" "$("$IO" pwrite $q/entries $((slot * 16)) 46)" ok
done

cons_is() {
    [ "$(cat "$M/$q/cons")" = "$1" ]
}
