#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A guest for each component drives its device from inside, while the files show and move it from
# outside.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/vm-common"

mount_fs
need_kvm

attached() { [ "$(cat "$M/$1")" = "$2" ]; }
wait_eq() { wait_for 20 attached "$1" "$2" || fail "$1 is $(cat "$M/$1"), not $2"; }

# --- console: registers, doorbells, level-triggered interrupts
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

# --- aplic: MSIs of the APLIC and of the IMSIC page
machine irq long aplic
put aplic/aplic0/imsic/0/eidelivery 1
put aplic/aplic0/imsic/0/enabled "7 9"
slot irq 0 aplic/aplic0 0x10000000 msi
slot irq 1 aplic/aplic0/imsic/0 0x20000000 ""
eq vm/irq/slots/0/size 16384
eq vm/irq/slots/1/size 4096
put vm/irq/run 1
says irq "imsic arrived"
put aplic/aplic0/wire/4 1
says irq "wire arrived"
ends irq 0
same "lines of msi" "$("$IO" read aplic/aplic0/msi 4096)" "hart=0 guest=0 eiid=7 delivered
hart=0 guest=0 eiid=7 delivered
hart=0 guest=0 eiid=9 delivered"
rmdir "$M/vm/irq" || fail "rmdir vm/irq, with its slots"
[ -d "$M/aplic/aplic0" ] || fail "the device went with the machine"

# --- gait: a vector and a summary bit in the machine's memory, alerts as MSIs
put gait/gait0/enabled 1
mkdir "$M/gait/gait0/guests/g" "$M/gait/gait0/guests/other" "$M/gait/gait0/functions/f"
machine zpci long gait
mkdir "$M/vm/zpci/slots/0"
refuse ENODEV vm/zpci/slots/0/device gait/gait0/functions/none
put vm/zpci/slots/0/device gait/gait0/functions/f
put vm/zpci/slots/0/irq msi
refuse ENODEV vm/zpci/slots/0/attached 1 # it has no guest yet
put gait/gait0/functions/f/guest g
put vm/zpci/slots/0/attached 1
eq vm/zpci/slots/0/size 0
refuse EBUSY gait/gait0/functions/f/guest other
put gait/gait0/functions/f/isc 3
put gait/gait0/functions/f/ibv 0x4000
put gait/gait0/functions/f/sb 0x5000
put gait/gait0/functions/f/registered 1
put vm/zpci/run 1
says zpci ready
printed() { said zpci | grep -q "$1"; }
put gait/gait0/functions/f/signal 2 # alerted: the guest of the GAIT is not said to run
wait_for 20 printed 2 || fail "vector 2 does not arrive: $(said zpci)"
eq gait/gait0/alerts 1
put gait/gait0/guests/g/running 1
put gait/gait0/functions/f/signal 5
wait_for 20 printed 25 || fail "vector 5 does not arrive: $(said zpci)"
put gait/gait0/functions/f/interpret 0 # forwarded by the host
put gait/gait0/functions/f/signal 7
says zpci 257
ends zpci 0
eq gait/gait0/aen_forward 1
put vm/zpci/slots/0/attached 0
eq gait/gait0/functions/f/registered 0
rmdir "$M/vm/zpci" || fail "rmdir vm/zpci"

# --- hwqueue: a queue whose page is mapped, then one that traps
for doorbell in mapped trapped; do
    mkdir "$M/hwqueue/q$doorbell"
    machine smmu long hwqueue
    put "hwqueue/q$doorbell/doorbell" $doorbell
    put "hwqueue/q$doorbell/ioas/map" "0 0x200000"
    mkdir "$M/hwqueue/q$doorbell/queues/0"
    slot smmu 0 "hwqueue/q$doorbell" 0x10000000 11
    slot smmu 1 "hwqueue/q$doorbell/queues/0" 0x20000000 ""
    eq vm/smmu/slots/0/size 327680
    put "hwqueue/q$doorbell/iotlb/insert" "0 0 0x1000 0x1000"
    put "hwqueue/q$doorbell/iotlb/insert" "0 0 0x9000 0x1000"
    put vm/smmu/run 1
    ends smmu 0
    same "what the guest said" "$(said smmu | tr '\n' ' ')" "queue runs synced mended "
    eq "hwqueue/q$doorbell/sync" 3
    eq "hwqueue/q$doorbell/tlbi" 2
    eq "hwqueue/q$doorbell/illegal" 1
    eq "hwqueue/q$doorbell/iotlb/entries" "0 0 0x9000 0x1000 0"
    eq "hwqueue/q$doorbell/queues/0/gerror" "$(cat "$M/hwqueue/q$doorbell/queues/0/gerrorn")"
    same "rmdir of an attached queue" \
        "$(rmdir "$M/hwqueue/q$doorbell/queues/0" 2>&1 | grep -c busy)" 1
    # An access by trap costs an exit, one of a mapped page none.
    mmio=$(cat "$M/vm/smmu/exits/mmio")
    case $doorbell in
    mapped) [ "$mmio" -gt 3 ] || fail "$mmio accesses trapped" ;;
    trapped) [ "$mmio" -ge 12 ] || fail "$mmio accesses trapped" ;;
    esac
    rmdir "$M/vm/smmu" || fail "rmdir vm/smmu"
    rmdir "$M/hwqueue/q$doorbell/queues/0" || fail "rmdir of the queue"
done

# --- intx: raised again at each end of interrupt while the device asserts
mkdir "$M/intx/bus0/devices/d"
put intx/bus0/devices/d/line 5
put intx/bus0/devices/d/enabled 1
machine pci long intx
slot pci 0 intx/bus0/devices/d 0x10000000 9
eq vm/pci/slots/0/size 256
put vm/pci/run 1
says pci ready
put intx/bus0/devices/d/assert 1
ends pci 0
# One more may come before the guest has masked it.
same "what the guest said" "$(said pci | tr '\n' ' ' | sed 's/++++++*/+++++/')" "ready +++++ masked "
eq intx/bus0/devices/d/interrupts 1
wait_eq intx/bus0/devices/d/guest_mask 1
# Each end of interrupt but perhaps the last was followed by another interrupt.
[ "$(cat "$M/intx/bus0/devices/d/reasserts")" -ge 4 ] || fail "it was not raised again"
rmdir "$M/vm/pci" || fail "rmdir vm/pci"

# --- places and paths that are refused
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
