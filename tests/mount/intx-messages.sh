#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# An assigned device that interrupts by message, for a guest with a line or with messages.
. "$(dirname "$0")/lib.sh"

mount_fs
d=intx/bus0/devices/d0
mkdir "$M/$d" || fail "mkdir"

put $d/line 5
# A message from the device, a line for the guest.
put $d/host_type msi
put $d/enabled 1
put $d/assert 1
eq $d/guest_level 1
eq $d/host_irq_disabled 0
eq intx/bus0/lines/5/level 0
put $d/ack 1
eq $d/guest_level 0
put $d/guest_mask 1
put $d/assert 0
put $d/assert 1
eq $d/guest_level 0
put $d/guest_mask 0
eq $d/guest_level 1
# And a message for both.
put $d/enabled 0
put $d/guest_type msi
put $d/assert 0
put $d/enabled 1
put $d/assert 1
eq $d/guest_level 0
refuse EINVAL $d/ack 1
