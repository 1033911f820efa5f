#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The page of a hardware queue as a base address register of a Linux guest: a store to PROD reaches the engine
# without a message. The commands and the ring are in the guest's memory.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/scenario.sh"

get_guest qemu
mount_fs
vm_prepare

q=hwqueue/q0
mkdir "$M/$q" || fail "mkdir $q"
put $q/doorbell mapped
mkdir "$M/$q/queues/0" "$M/pci/gpu" "$M/pci/gpu/bars/0" || fail "mkdir"
put pci/gpu/bars/0/device $q/queues/0
put pci/gpu/vfio_user "$T/gpu.sock"

# Above this address is memory that Linux does not use, so that /dev/mem gives it to a program.
linux_mib=$((guest_mib - 16))
ring=$((linux_mib << 20))
pc_cmdline="memmap=16M\$${linux_mib}M iomem=relaxed"
qemu_start "$guest_mib" -device "$(vfu_device "$T/gpu.sock" 2)" -trace vfio_user_region_rw -D "$T/accesses"
guest_dial
guest_login
eq pci/gpu/bars/0/mapped 1

# 16 entries of 16 bytes.
put $q/ioas/map "0 $((guest_mib << 20))"
put $q/queues/0/base "$ring"
put $q/queues/0/log2size 4
put $q/queues/0/enable 1

device=/sys/bus/pci/devices/0000:00:02.0
guest "echo 1 >$device/enable && sed -n '1s/ .*//p' $device/resource"
page=$out

# command N OPCODE: the guest puts a command into the ring.
command_at() {
    guest "devmem $((ring + 16 * $1)) 64 $2; devmem $((ring + 16 * $1 + 8)) 64 0"
}

# consumed N: the queue's consumer index, as the guest sees it.
consumed() {
    guest "devmem $page 32"
    [ "$((out))" = "$1" ]
}

sync=0x46
n=0
while [ $n -lt 10 ]; do
    command_at $n $sync
    n=$((n + 1))
    guest "devmem $((page + 4)) 32 $n"
    wait_for 20 consumed $n || fail "PROD is $n, CONS is $out"
done
eq $q/sync 10
eq $q/illegal 0
eq $q/queues/0/prod 0x0000000a
guest_stop
# QEMU has told each access by message: those to the configuration space, and none to the page.
grep -q 'region 7 ' "$T/accesses" || fail "QEMU tells no accesses"
same "messages for the page" "$(grep -c 'region 0 ' "$T/accesses")" 0
[ -z "$(value errors)" ] || fail "errors has lines: $(value errors)"
