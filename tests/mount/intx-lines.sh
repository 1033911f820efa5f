#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Interrupt lines that devices share: which device is served, which devices a line refuses, and the state.
. "$(dirname "$0")/lib.sh"

mount_fs
bus=intx/bus0
l=$bus/lines/5
absent $l
for name in d0 d1 old; do
    mkdir "$M/$bus/devices/$name" || fail "mkdir $name"
    put $bus/devices/$name/line 5
done
eq $l/level 0
eq $l/sharers 0
put $bus/devices/d0/enabled 1
put $bus/devices/d1/enabled 1
eq $l/sharers 2
refuse EINVAL $bus/devices/old/line 255
refuse ERANGE $bus/devices/old/line 0x100000000

# Only the one that asserts is served, one that is masked already is not.
put $bus/devices/d0/assert 1
put $bus/devices/d1/assert 1
eq $bus/devices/d0/interrupts 1
eq $bus/devices/d1/interrupts 1
eq $l/level 0
eq $l/raised 2
eq $l/handled 2
eq $l/spurious 0

# A device of the host's own.
put $l/host 1
eq $l/host 1
eq $l/level 1
eq $l/handled 3
eq $bus/devices/d0/interrupts 1
put $l/host 0
eq $l/level 0
eq $l/raised 3

# A device without a handler causes one spurious interrupt.
put $bus/devices/old/assert 1
eq $l/level 1
eq $l/spurious 1
eq $l/raised 4
put $bus/devices/d0/assert 0
put $bus/devices/d0/ack 1
put $bus/devices/d0/assert 1
eq $bus/devices/d0/interrupts 2
eq $l/handled 4
put $bus/devices/old/assert 0

# A device whose bit 10 masks nothing, and one whose status bit is dead; a reset ends their interrupts.
put $bus/devices/old/intx_masks 0
put $bus/devices/old/intx_disable 1
put $bus/devices/old/assert 1
eq $bus/devices/old/command 0x0400
eq $l/level 1
put $bus/devices/old/intx_status 0
eq $bus/devices/old/status 0x0000
eq $bus/devices/old/assert 1
put $bus/devices/old/reset 1
eq $bus/devices/old/assert 0
eq $bus/devices/old/command 0x0000
eq $l/level 0
put $bus/devices/old/intx_masks 1
put $bus/devices/old/intx_status 1

# One that cannot be masked needs a line of its own, in both directions.
put $bus/devices/old/intx_sticks 0
refuse EBUSY $bus/devices/old/enabled 1
eq $bus/devices/old/enabled 0
put $bus/devices/old/line 6
put $bus/devices/old/enabled 1
put $bus/devices/d1/enabled 0
put $bus/devices/d1/line 6
refuse EBUSY $bus/devices/d1/enabled 1
refuse EBUSY $bus/lines/6/host 1
put $bus/devices/old/assert 1
eq $bus/devices/old/host_irq_disabled 1
eq $bus/devices/old/masked 0
eq $bus/devices/old/guest_level 1
eq $bus/lines/6/level 1
put $bus/devices/old/ack 1
eq $bus/devices/old/reasserts 1
eq $bus/lines/6/raised 2
put $bus/devices/old/assert 0
put $bus/devices/old/ack 1
eq $bus/devices/old/host_irq_disabled 0
put $bus/devices/old/enabled 0
put $bus/lines/6/host 1
refuse EBUSY $bus/devices/old/enabled 1

# All of it comes back.
cp "$M/$bus/state" "$T/state" || fail "cp state"
remount_fs
cp "$T/state" "$M/$bus/state" || fail "the state is refused: $(tail -n 1 "$M/errors")"
cmp "$T/state" "$M/$bus/state" || fail "saved, restored and saved again differs"
eq $l/handled 4
eq $bus/lines/6/host 1
eq $bus/devices/d0/guest_level 1
put $bus/devices/d0/ack 1
eq $bus/devices/d0/reasserts 1

# A line is there while something is on it.
for name in d0 d1 old; do
    rmdir "$M/$bus/devices/$name" || fail "rmdir $name"
done
absent $l
eq $bus/lines/6/level 1
put $bus/lines/6/host 0
absent $bus/lines/6
same "lines" "$(ls "$M/$bus/lines")" ""
