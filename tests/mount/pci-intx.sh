#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# INTx of a function that is an assigned device: signals, masks, the end of an interrupt, and the bits of the guest.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/vfu-lib.sh"

mount_fs
f=pci/nic
d=intx/bus0/devices/d
mkdir "$M/$f" "$M/$d" "$M/$f/bars/0" || fail "mkdir"
put $d/line 5
put $d/enabled 1
put $f/bars/0/device memory
put $f/function $d
eq $f/vendor "$(printf '0x%04x' 0x"$("$IO" pread $d/config 0 2 | sed 's/\(..\)\(..\)/\2\1/')")"
put $f/vfio_user "$S"
refuse EBUSY $f/vfio_user "$S2"

client
attach
vfe "0x1000 rwm" region 0
vfe "1 *" irq 0
vfe ok set-irqs $INTX 0 1 eventfd trigger
vfe timeout wait-irq $INTX 0 50

# An interrupt is signalled once, and again at its end while the device asserts.
put $d/assert 1
vfe 1 wait-irq $INTX 0
vfe timeout wait-irq $INTX 0 50
eq $f/intx/level 1
eq $f/intx/mask 1
eq $f/intx/sent 1
vfe ok set-irqs $INTX 0 1 none unmask
vfe 1 wait-irq $INTX 0
eq $d/reasserts 1
eq $f/intx/sent 2
put $d/assert 0
vfe ok set-irqs $INTX 0 1 none unmask
vfe timeout wait-irq $INTX 0 50
eq $f/intx/level 0
eq $f/intx/mask 0
eq $d/masked 0
vfe 2 count-irq $INTX 0

# Masked by the client: the interrupt waits for the unmask. BOOL masks where it is true.
vfe ok set-irqs $INTX 0 1 bool mask 0
put $d/assert 1
vfe 1 wait-irq $INTX 0
put $d/assert 0
vfe ok set-irqs $INTX 0 1 none unmask
vfe ok set-irqs $INTX 0 1 bool mask 1
put $d/assert 1
vfe timeout wait-irq $INTX 0 50
vfe ok set-irqs $INTX 0 1 bool unmask 0
vfe timeout wait-irq $INTX 0 50
vfe ok set-irqs $INTX 0 1 bool unmask 1
vfe 1 wait-irq $INTX 0
put $d/assert 0
vfe ok set-irqs $INTX 0 1 none unmask

# The guest's own mask is bit 10 of the command register. The handler finds its device by bit 3 of the status.
before=$(vf count-irq $INTX 0)
put $d/assert 1
vfe 1 wait-irq $INTX 0
vfe 0x0008 read 7 6 2
vfe ok write 7 4 2 0x0402
eq $d/guest_mask 1
eq $f/intx/level 0
vfe 0x0402 read 7 4 2
vfe ok set-irqs $INTX 0 1 none unmask
vfe timeout wait-irq $INTX 0 50
put $d/assert 0
vfe 0x0000 read 7 6 2
vfe ok write 7 4 2 0x0002
eq $d/guest_mask 0
vfe timeout wait-irq $INTX 0 50
vfe $((before + 1)) count-irq $INTX 0
# An interrupt that came while it was masked is delivered at the unmask.
vfe ok write 7 5 1 4
put $d/assert 1
vfe timeout wait-irq $INTX 0 50
vfe ok write 7 5 1 0
vfe 1 wait-irq $INTX 0
put $d/assert 0
vfe ok set-irqs $INTX 0 1 none unmask
vfe timeout wait-irq $INTX 0 50

# A storm: the guest ends each interrupt, and never quiesces the device.
sent=$(cat "$M/$f/intx/sent")
put $d/assert 1
i=0
while [ $i -lt 50 ]; do
    vfe 1 wait-irq $INTX 0
    vfe ok set-irqs $INTX 0 1 none unmask
    i=$((i + 1))
done
vfe 1 wait-irq $INTX 0
eq $f/intx/sent $((sent + 51))
put $d/assert 0
vfe ok set-irqs $INTX 0 1 none unmask
vfe timeout wait-irq $INTX 0 50

# Eventfds of masks and unmasks, a trigger by the client, and an interrupt that nobody hears.
vfe ok set-irqs $INTX 0 1 none trigger
vfe 1 wait-irq $INTX 0
vfe ok set-irqs $INTX 0 1 none unmask
vfe ok set-irqs $INTX 0 1 nofd trigger
put $d/assert 1
eq $f/intx/mask 0
vfe ok set-irqs $INTX 0 1 eventfd trigger
vfe 1 wait-irq $INTX 0
vfe ok set-irqs $INTX 0 0 none trigger
put $d/assert 0
put $d/assert 1
vfe ok set-irqs $INTX 0 1 eventfd trigger
vfe 1 wait-irq $INTX 0

# Another device of the line, on the host only: no interrupt for this client.
put $d/assert 0
vfe ok set-irqs $INTX 0 1 none unmask
put intx/bus0/lines/5/host 1
vfe timeout wait-irq $INTX 0 50
put intx/bus0/lines/5/host 0

# A refused SET_IRQS changes nothing.
for words in "0 0 2 none unmask" "0 1 1 none unmask" "0 1 0 none mask" "1 0 1 none trigger" "5 0 1 none trigger" \
    "0 0 1 other unmask" "0 0 1 none other" "0 0 1 bool unmask" "0 0 4294967295 none unmask" \
    "0 0 1 bool unmask 1 1"; do
    # shellcheck disable=SC2086
    vfe EINVAL set-irqs $words
done
put $d/assert 1
vfe 1 wait-irq $INTX 0
vfe ok reset
