#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A guest drives a console by registers, doorbells and level-triggered interrupts, while slots of its machine come
# and go.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/vm-common"

mount_fs
need_kvm

machine con long console
slot con 0 console/con0 0x10000000 10
eq console/con0/driver vm
eq vm/con/slots/0/size 512
eq vm/con/ioeventfds 64
eq vm/con/irqfds 1
refuse EBUSY console/con0/driver none
same "rmdir of an attached console" "$(rmdir "$M/console/con0" 2>&1 | grep -c busy)" 1
cp "$M/console/con0/state" "$T/con"
same "a state for an attached console" "$(cp "$T/con" "$M/console/con0/state" 2>&1 | grep -c busy)" 1
refuse EBUSY vm/con/slots/0/addr 0
put vm/con/slots/0/addr 0x10000000
put vm/con/slots/0/device console/con0
put vm/con/slots/0/irq 10
refuse EBUSY vm/con/slots/0/irq 11
refuse EBUSY vm/con/slots/0/device aplic/aplic0
refuse EBUSY vm/con/slots/0/vector 33
put vm/con/run 1
same "the guest's first line" "$(timeout 20 head -n 1 "$M/console/con0/ports/0/data")" \
    "hello from the guest"
mkdir "$M/vm/con/slots/1"
put vm/con/slots/1/device aplic/aplic0
put vm/con/slots/1/addr 0x11000000
put vm/con/slots/1/irq msi
for line in "one line" "another, and 1 2 3" "the last."; do
    # Slots that come and go lose no interrupt of another.
    put vm/con/slots/1/attached 1
    eq vm/con/irqfds 2
    put vm/con/slots/1/attached 0
    printf '%s\n' "$line" >"$M/console/con0/ports/0/data"
    same "the echo" "$(timeout 20 head -n 1 "$M/console/con0/ports/0/data")" \
        "$(echo "$line" | tr '[:lower:]' '[:upper:]')"
done
says con "console done"
ends con 0
eq console/con0/ports/0/bytes_received 38
put vm/con/slots/0/attached 0
eq console/con0/driver none
eq console/con0/status 0x00
eq vm/con/ioeventfds 0
eq vm/con/irqfds 0
put console/con0/driver soft
rmdir "$M/vm/con" || fail "rmdir vm/con"
