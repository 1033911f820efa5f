#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A PCI device of the host is removed from a vIOMMU that uses it: the removal does not wait, and the device of the
# tree continues as its model. The vIOMMU is that of tests/vm/viommu.c, as no emulated IOMMU has one.
. "$(dirname "$0")/common"
. "$vdf_root/tests/vm/testkernel/mock"
VDF_WRAP="env LD_PRELOAD=${IO%/*}/libviommu.so"

address=0000:00:05.0
sys=/sys/bus/pci/devices/$address

bind() {
    echo vfio-pci >$sys/driver_override
    echo $address >/sys/bus/pci/drivers_probe
}

# taken: a device whose queue the kernel has.
taken() {
    mkdir "$M/$d"
    remember
    put $d/host $address
    put $d/backend iommufd
    put $d/ioas/map "0x100000 0x10000"
    mkdir "$M/$d/queues/0"
    put $d/queues/0/base 0x100000
    put $d/queues/0/log2size 8
    put $d/queues/0/enable 1
}

# takes_away FILE TEXT: writing this to the device's FILE returns. Who is kept waiting there cannot be killed.
takes_away() {
    rm -f "$T/away"
    { echo "$2" >"$sys/$1" && : >"$T/away"; } &
    wait_for 20 test -e "$T/away" || fail "whoever writes to $1 has to wait for the device"
}

is_soft() {
    [ "$(cat "$M/$d/backend")" = soft ]
}

# gone: the model has it, with the queue, and runs a CMD_SYNC.
gone() {
    wait_for 10 is_soft || fail "backend is $(cat "$M/$d/backend")"
    grep -q "^$d: ENODEV: $address is taken away" "$M/errors" || fail "errors does not tell"
    nothing_left
    eq $d/queues/0/enable 1
    same "a command" "$("$IO" pwrite $d/queues/0/entries 0 46000000000000000000000000000000)" ok
    put $d/queues/0/config 1
    put $d/queues/0/prod 1
    eq $d/queues/0/cons 0x00000001
    eq $d/sync 1
    same "mapping memory" "$("$IO" mmap-load $d/memory 0 4)" 46000000
    rmdir "$M/$d/queues/0"
    refuse ENODEV $d/backend iommufd
    rmdir "$M/$d"
    nothing_left
}

bind
mount_fs -o empty

# --- unplugged
taken
takes_away remove 1
gone
echo 1 >/sys/bus/pci/rescan
bind

# --- its driver unbound, from a device whose objects were made anew for a state
taken
cp "$M/$d/state" "$T/state"
cp "$T/state" "$M/$d/state" || fail "the state was refused"
eq $d/backend iommufd
takes_away driver/unbind $address
gone
echo >$sys/driver_override
