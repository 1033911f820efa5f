#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# MSI-X: the messages of devices in windows, masks, pending bits, the table as a guest writes it.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/vfu-lib.sh"

mount_fs
f=pci/nic
mkdir "$M/$f" || fail "mkdir"
put $f/msix/vectors 3
refuse EINVAL $f/msix/vectors 2049
put $f/msix/bar 1
put $f/vfio_user "$S"

client
attach
vfe "0x2000 rw" region 1
vfe "1 *" irq $INTX
vfe "3 e*" irq $MSIX
# The capability: 3 vectors, the table at the start of register 1, the pending bits behind it.
vfe 0x40 read 7 0x34 1
vfe 0x00020011 read 7 0x40 4
vfe 0x00000001 read 7 0x44 4
vfe 0x00001001 read 7 0x48 4

# A vector as the guest writes it. All are masked before.
eq $f/msix/1/mask 1
vfe ok write 1 0x10 4 0xfee00000
vfe ok write 1 0x14 4 0x1
vfe ok write 1 0x18 4 0x4041
vfe ok write 1 0x1c 4 0
eq $f/msix/1/addr 0x00000001fee00000
eq $f/msix/1/data 0x00004041
eq $f/msix/1/mask 0
vfe 0x00000001fee00000 read 1 0x10 8
vfe ok write 7 0x42 2 0x8000
eq $f/msix/enabled 1

# Without a listener the interrupt is kept; the listener gets it at once.
vfe ok set-irqs $MSIX 1 1 none trigger
eq $f/msix/1/pending 1
eq $f/msix/1/sent 0
vfe 0x00000002 read 1 0x1000 4
vfe ok set-irqs $MSIX 0 3 eventfd trigger
vfe 1 wait-irq $MSIX 1
eq $f/msix/1/pending 0
eq $f/msix/1/sent 1
vfe 0x00000000 read 1 0x1000 4

# vector N: it fires, and the client hears it.
vector() {
    vfe ok set-irqs $MSIX "$1" 1 none trigger
    vfe 1 wait-irq $MSIX "$1"
}
# kept N: it fires, and waits.
kept() {
    vfe ok set-irqs $MSIX "$1" 1 none trigger
    vfe timeout wait-irq $MSIX "$1" 50
    eq $f/msix/"$1"/pending 1
}

# Masked by the guest, by the client and by a file: kept, sent at the unmask, several as one.
vector 0
vfe ok write 1 0x1c 4 1
kept 1
kept 1
vector 2
vfe ok write 1 0x1c 4 0
vfe 1 wait-irq $MSIX 1
vfe ok set-irqs $MSIX 1 1 none mask
eq $f/msix/1/mask 1
kept 1
vfe 0x00000001 read 1 0x1c 4
vfe ok set-irqs $MSIX 0 3 bool unmask 1 1 0
vfe 1 wait-irq $MSIX 1
put $f/msix/1/mask 1
kept 1
put $f/msix/1/mask 0
vfe 1 wait-irq $MSIX 1

# The function's mask, and no MSI-X at all.
vfe ok write 7 0x42 2 0xc000
eq $f/msix/mask 1
kept 0
kept 2
vfe 0x00000005 read 1 0x1000 4
vfe ok write 7 0x42 2 0x8000
vfe 1 wait-irq $MSIX 0
vfe 1 wait-irq $MSIX 2
vfe ok write 7 0x42 2 0x0000
kept 1
vfe ok write 7 0x42 2 0x8000
vfe 1 wait-irq $MSIX 1

# Vectors of one message, several in one, beyond the last.
vfe ok set-irqs $MSIX 0 3 bool trigger 1 0 1
vfe 1 wait-irq $MSIX 0
vfe 1 wait-irq $MSIX 2
vfe timeout wait-irq $MSIX 1 50
for words in "2 2 2 none trigger" "2 3 1 none trigger" "2 0 4 none mask" "2 4294967295 2 none trigger"; do
    # shellcheck disable=SC2086
    vfe EINVAL set-irqs $words
done
# A vector without a listener, then all of them.
vfe ok set-irqs $MSIX 1 1 nofd trigger
vfe ok set-irqs $MSIX 1 1 none trigger
eq $f/msix/1/pending 1
vfe ok set-irqs $MSIX 0 0 none trigger
eq $f/msix/enabled 0
sent=$(cat "$M/$f/msix/0/sent")
vfe ok set-irqs $MSIX 0 1 none trigger
eq $f/msix/0/sent "$sent"
vfe ok reset
eq $f/msix/1/pending 0
eq $f/msix/1/mask 1
eq $f/msix/1/addr 0x0000000000000000

# A device in a register sends its messages from a vector on: an APLIC whose sources are delivered as messages.
vfe ok close
put $f/vfio_user ""
mkdir "$M/$f/bars/4" || fail "mkdir"
put $f/bars/4/device aplic/aplic0/imsic/0
put $f/bars/4/vector 1
put $f/vfio_user "$S"
attach
vfe "0x1000 rw" region 4
vfe ok set-irqs $MSIX 0 3 eventfd trigger
put aplic/aplic0/imsic/0/eidelivery 1
put aplic/aplic0/imsic/0/enabled "1"
vfe ok write 4 0 4 1
vfe 1 wait-irq $MSIX 2
put aplic/aplic0/imsic/0/enabled "1 5"
sent=$(cat "$M/$f/msix/2/sent")
vfe ok write 4 0 4 5
eq $f/msix/dropped 1
eq $f/msix/2/sent "$sent"
