#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The script is the driver of a console as a PCI function: it uses the window pci/regs.
. "$(dirname "$0")/lib.sh"

mount_fs
c=console/con0
put $c/driver none

# reg OFFSET BYTES, reg_is OFFSET BYTES: an access with these bytes in hexadecimal.
reg() {
    same "register $1" "$("$IO" pwrite $c/pci/regs "$1" "$2")" ok
}
reg_is() {
    same "register $1" "$("$IO" pread $c/pci/regs "$1" $((${#2} / 2)))" "$2"
}

same "the size" "$(stat -c %s "$M/$c/pci/regs")" 16384
reg_is 0x04 07000030
reg 0x00 01000000
reg_is 0x04 09010000
reg_is 0x12 4000
reg_is 0x18 4000
reg 0x16 4000
reg_is 0x18 0000
reg_is 0x2004 1f000000
reg_is 0x05 01
same "a part of a register" "$("$IO" pwrite $c/pci/regs 0x00 01)" EOPNOTSUPP
same "several registers" "$("$IO" pread $c/pci/regs 0x10 8)" ffff400000004000

# The window of virtio-mmio shows the same device.
reg 0x14 01
reg 0x14 03
eq $c/status 0x03
same "Status" "$("$IO" pread $c/regs 0x70 4)" 03000000

# Features: VERSION_1. Rings at 0x1000 and 0x2000.
reg 0x08 01000000
reg 0x0c 01000000
reg 0x14 0b
eq $c/driver_features 0x0000000100000000
for q in 0 1; do
    reg 0x16 0${q}00
    reg 0x18 0800
    reg 0x1a 0${q}00
    reg 0x20 00$((q + 1))0000000000000
    reg 0x28 00$((q + 1))4000000000000
    reg 0x30 00$((q + 1))8000000000000
    reg 0x1c 0100
    reg_is 0x1c 0100
    eq $c/queues/$q/desc 0x000000000000$((q + 1))000
    eq $c/queues/$q/msix_vector 0x000$q
done
reg 0x1a 4100
reg_is 0x1a ffff
eq $c/queues/1/msix_vector 0xffff
reg 0x14 0f
eq $c/ports/0/guest_connected 1

# The notification of queue 1, whose first buffer says "hello".
put $c/ports/0/overflow hold
same "memory" "$("$IO" pwrite $c/memory 0x12000 68656c6c6f)" ok
same "descriptor" "$("$IO" pwrite $c/memory 0x2000 00200100000000000500000000000000)" ok
same "available" "$("$IO" pwrite $c/memory 0x2400 000001000000)" ok
reg 0x3004 0100
same "the host reads" "$("$IO" read $c/ports/0/data)" hello

# A copy of the window changes nothing; a read of the ISR status clears the register.
"$IO" pread $c/pci/regs 0x0ffe 4 >/dev/null
reg_is 0x1000 01
reg_is 0x1000 00

# A state has the vectors.
cp "$M/$c/state" "$T/state"
reg 0x14 00
eq $c/queues/0/msix_vector 0xffff
cp "$T/state" "$M/$c/state"
eq $c/queues/0/msix_vector 0x0000
eq $c/status 0x0f
refuse EINVAL $c/driver pci
exit 0
