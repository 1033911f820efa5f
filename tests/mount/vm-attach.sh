#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Devices, addresses and interrupts of slots that are refused, and slots whose devices have a guest already.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/vm-common"

mount_fs
need_kvm

mkdir "$M/vm/s" "$M/vm/s/slots/0" "$M/vm/s/slots/1"
refuse EINVAL vm/s/slots/0/attached 1
for path in nothing console console/none console/con0/ports console/con0/ports/0 vm/s \
    aplic/aplic0/imsic/9 aplic/aplic0/imsic/01 aplic/aplic0/imsic hwqueue/smmu0/queues/0 \
    intx/bus0 gait/gait0 /console/con0 ../console/con0 errors; do
    refuse ENODEV vm/s/slots/0/device "$path"
done
put vm/s/slots/0/device console/con0
for addr in 0 0x1ffe01 0xfee00000 0xfebffe08 0x100000000 0xffffffffffffff00 0x10000004; do
    put vm/s/slots/0/addr $addr
    refuse EINVAL vm/s/slots/0/attached 1
done
for irq in 24 gsi -1 1x; do refuse EINVAL vm/s/slots/0/irq "$irq"; done
refuse EINVAL vm/s/slots/0/vector 256
put vm/s/slots/0/addr 0x200000
put vm/s/slots/0/irq 5
put vm/s/slots/0/attached 1
refuse EBUSY vm/s/memory_size 4096
put vm/s/slots/1/device console/con0
put vm/s/slots/1/addr 0x200100
refuse EEXIST vm/s/slots/1/attached 1
put vm/s/slots/1/addr 0x300000
refuse EBUSY vm/s/slots/1/attached 1 # it has a guest
rmdir "$M/vm/s/slots/0" || fail "rmdir of an attached slot"
eq console/con0/driver none
put vm/s/slots/1/attached 1
rmdir "$M/vm/s" || fail "rmdir vm/s"
put console/con0/driver soft
