#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Descriptors run out while a machine is made, and while a device is attached: the answer is EMFILE at each step,
# and nothing of the operation is left.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/vm-common"

descriptors() {
    ls "/proc/$pid/fd" | wc -l
}

# first_free: the descriptor that the daemon gets next.
first_free() {
    vdf_fd=0
    while [ -e "/proc/$pid/fd/$vdf_fd" ]; do
        vdf_fd=$((vdf_fd + 1))
    done
    echo $vdf_fd
}

# step_by_step STEPS COMMAND...: it fails until it may have as many as it wants, STEPS at least.
step_by_step() {
    steps=$1
    shift
    before=$(descriptors)
    first=$(first_free)
    more=0
    until prlimit --pid "$pid" --nofile=$((first + more)):"$limit" && "$@"; do
        tail -n 1 "$M/errors" | grep -q ": EMFILE: " || fail "$* with $more: $(tail -n 1 "$M/errors")"
        wait_for 5 has_descriptors "$before" ||
            same "descriptors after $* with $more" "$(descriptors)" "$before"
        more=$((more + 1))
        [ $more -le 20 ] || fail "$* needs more than 20 descriptors"
    done
    prlimit --pid "$pid" --nofile="$limit:$limit"
    [ $more -ge "$steps" ] || fail "$* takes $more descriptors, not $steps"
}

has_descriptors() {
    [ "$(descriptors)" = "$1" ]
}

make() {
    mkdir "$M/vm/g" 2>/dev/null
}

attach() {
    [ "$("$IO" write vm/g/slots/0/attached 1)" = ok ]
}

mount_fs
need_kvm
pid=$(daemon_pids)
limit=$(ulimit -n)
step_by_step 2 make
put vm/g/mode real
same "the memory" "$("$IO" pwrite vm/g/memory 0 f4)" ok
mkdir "$M/vm/g/slots/0" || fail "mkdir slots/0"
mkdir "$M/intx/bus0/devices/d0" || fail "mkdir d0"
put vm/g/slots/0/device intx/bus0/devices/d0
put vm/g/slots/0/addr 0x10000000
put vm/g/slots/0/irq 9
step_by_step 3 attach
eq vm/g/irqfds 1
rmdir "$M/vm/g" || fail "rmdir vm/g"
