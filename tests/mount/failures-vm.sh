#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Each system call of an operation on a virtual machine fails once: nothing of a refused one is left.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/failures-lib.sh"
. "$(dirname "$0")/vm-common"

mount_fs
need_kvm
cp "$M/state" "$T/plain"

# --- machines and slots

each 15 mkdir vm/w -- rmdir vm/w
each 0 mkdir vm/w/slots/0 -- rmdir vm/w/slots/0
each 0 rmdir vm/w/slots/0 -- mkdir vm/w/slots/0
each 0 write vm/w/memory_size 4194304
each 0 rmdir vm/w -- restore state "$T/plain" -- mkdir vm/w -- write vm/w/memory_size 4194304

# --- attachment

# attaching LEAST DEVICE IRQ: the machine and the device keep the memory that the first time gives them.
attaching() {
    put vm/v/slots/0/device "$2"
    put vm/v/slots/0/irq "$3"
    put vm/v/slots/0/attached 1
    put vm/v/slots/0/attached 0
    each "$1" write vm/v/slots/0/attached 1 -- write vm/v/slots/0/attached 0
    each 0 write vm/v/slots/0/attached 0 -- write vm/v/slots/0/attached 1
}

mkdir "$M/vm/v" "$M/vm/v/slots/0" "$M/hwqueue/smmu0/queues/0" "$M/gait/gait0/functions/f" "$M/gait/gait0/guests/g" \
    "$M/intx/bus0/devices/d" || fail "mkdir"
put gait/gait0/functions/f/guest g
put vm/v/slots/0/addr 0x10000000
mkdir "$M/console/c" || fail "mkdir console/c"
put console/c/max_ports 2
attaching 10 console/c 9
attaching 3 aplic/aplic0 msi
attaching 0 aplic/aplic0/imsic/0 ''
attaching 3 hwqueue/smmu0 10
attaching 4 hwqueue/smmu0/queues/0 ''
attaching 0 gait/gait0/functions/f msi
attaching 3 intx/bus0/devices/d 9
