#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The files of an assigned device: interrupts, ends of interrupts, masks.
. "$(dirname "$0")/lib.sh"

mount_fs
d=intx/bus0/devices/d0
mkdir "$M/$d" || fail "mkdir"

# The values after mkdir.
eq $d/backend soft
eq $d/line 0
eq $d/pci_2_3 1
eq $d/intx_sticks 1
eq $d/host_type intx
eq $d/guest_type intx
eq $d/assert 0
eq $d/command 0x0000
eq $d/status 0x0000
eq $d/intx_disable 0
eq $d/guest_mask 0
eq $d/masked 0
eq $d/guest_level 0
eq $d/host_irq_disabled 0
eq $d/interrupts 0
eq $d/reasserts 0
eq $d/enabled 0

# Modes.
for file in status masked guest_level host_irq_disabled interrupts reasserts; do
    same "the mode of $file" "$(stat -c %a "$M/$d/$file")" 444
    same "writing $file" "$("$IO" write $d/$file 1)" EACCES
done
same "the mode of ack" "$(stat -c %a "$M/$d/ack")" 200
same "reading ack" "$("$IO" read $d/ack)" EACCES

put $d/line 5
put $d/enabled 1
refuse EBUSY $d/line 6
refuse EBUSY $d/pci_2_3 0
refuse EBUSY $d/intx_sticks 0
refuse EBUSY $d/host_type msi
refuse EBUSY $d/guest_type msi
refuse ENODEV $d/backend vfio
refuse EINVAL $d/backend qemu
refuse EINVAL $d/enabled 2
refuse EINVAL $d/ack 0

# An interrupt: masked at the device until the EOI, raised in the guest.
put $d/assert 1
eq $d/status 0x0008
eq $d/command 0x0400
eq $d/intx_disable 1
eq $d/masked 1
eq $d/host_irq_disabled 1
eq $d/guest_level 1
eq $d/interrupts 1

# The EOI of a device that still asserts raises it again.
put $d/ack 1
eq $d/reasserts 1
eq $d/guest_level 1
eq $d/masked 1
put $d/assert 0
put $d/ack 1
eq $d/reasserts 1
eq $d/guest_level 0
eq $d/masked 0
eq $d/host_irq_disabled 0
eq $d/command 0x0000

# The guest's mask: an interrupt waits for the unmask.
put $d/guest_mask 1
eq $d/intx_disable 1
put $d/assert 1
eq $d/guest_level 0
eq $d/interrupts 1
put $d/guest_mask 0
eq $d/guest_level 1
eq $d/interrupts 2
# Masked after it was raised: the line falls, and an EOI does not unmask the device.
put $d/guest_mask 1
eq $d/guest_level 0
put $d/ack 1
eq $d/intx_disable 1
put $d/assert 0
put $d/guest_mask 0
eq $d/guest_level 0
eq $d/intx_disable 0

put $d/assert 1
# A disabled device is masked and forgets its interrupts.
put $d/enabled 0
eq $d/intx_disable 1
eq $d/guest_level 0
eq $d/masked 0
eq $d/host_irq_disabled 0
refuse EBUSY $d/ack 1
put $d/enabled 1
eq $d/guest_level 1
put $d/assert 0
put $d/enabled 0

rmdir "$M/$d" || fail "rmdir"
absent $d
absent intx/bus0/lines/5
