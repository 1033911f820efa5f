# shellcheck shell=sh disable=SC2034
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A mounted tree with something to save in every device, read in after lib.sh: $a is an APLIC, $b a bus of INTx.

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
