#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The attributes of a virtual machine: their values after mkdir, and refused values.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/vm-common"

mount_fs
need_kvm

mkdir "$M/vm/vm0" || fail "mkdir vm/vm0"
eq vm/vm0/memory_size 2097152
eq vm/vm0/cpus 1
eq vm/vm0/mode real
eq vm/vm0/entry 0x0000000000000000
eq vm/vm0/run 0
eq vm/vm0/status created
eq vm/vm0/exit_code 0
eq vm/vm0/ioeventfds 0
eq vm/vm0/irqfds 0
eq vm/vm0/debug_lost 0
absent vm/vm0/state
same "size of memory" "$(stat -c %s "$M/vm/vm0/memory")" 2097152
for file in mmio pio hlt irq_window other; do
    eq "vm/vm0/exits/$file" 0
done
refuse EINVAL vm/vm0/memory_size 0
refuse EINVAL vm/vm0/memory_size 5000
refuse EINVAL vm/vm0/memory_size 2147483648
refuse EINVAL vm/vm0/cpus 0
refuse EINVAL vm/vm0/cpus 17
refuse EINVAL vm/vm0/mode protected
same "mkdir of a slot with a name" "$(mkdir "$M/vm/vm0/slots/disk" 2>&1 | grep -c Invalid)" 1
same "mkdir of slot 64" "$(mkdir "$M/vm/vm0/slots/64" 2>&1 | grep -c Invalid)" 1
put vm/vm0/memory_size 0x40000
same "size of memory" "$(stat -c %s "$M/vm/vm0/memory")" 262144
put vm/vm0/entry 0x50000
refuse EINVAL vm/vm0/run 1
put vm/vm0/mode real
put vm/vm0/entry 0x123456
refuse EINVAL vm/vm0/run 1
eq vm/vm0/status created
rmdir "$M/vm/vm0" || fail "rmdir vm/vm0"
