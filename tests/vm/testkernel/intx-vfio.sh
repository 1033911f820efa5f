#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A device of the host behind the files: QEMU's edu, which raises INTx when its register 0x60 is written
# and stops when 0x64 is. What INTx does is in intx-rules, which tests/mount/intx-model.sh runs on the model.

# Emulated, and with time for what takes the kernel long.
VDF_LIMIT=300
. "$(dirname "$0")/common"
. "$vdf_root/tests/mount/intx-rules"

host=0000:00:04.0
sys=/sys/bus/pci/devices/$host
d=intx/bus0/devices/d0

# word OFFSET: of the real configuration space.
word() {
    od -An -tx2 -j "$1" -N 2 "$sys/config" | tr -d ' \n'
}

descriptors() {
    ls "/proc/$(daemon_pids)/fd" | wc -l
}

bar_write() {
    same "writing $2 to the BAR" "$("$IO" pwrite $d/bar/0 "$1" "$2")" ok
}

raise() {
    bar_write 0x60 01000000
}

lower() {
    bar_write 0x64 ffffffff
}

# No event shows that a real device does not interrupt.
settle() {
    sleep 0.1
}

mount_fs
mkdir "$M/$d" || fail "mkdir"

# --- what is not there
refuse ENODEV $d/backend vfio
for text in 00:03.0 0000:00:03 0000:00:03.8 0000:00:3.0 nonsense 0000:00:03.0.0; do
    refuse EINVAL $d/host "$text"
done
put $d/host 0000:ff:1f.7
refuse ENODEV $d/backend vfio
tail -n 1 "$M/errors" | grep -q 'no such PCI device' || fail "the message does not help"
put $d/host "$host"
refuse ENODEV $d/backend vfio
# The message says how to bind it.
tail -n 1 "$M/errors" | grep -q 'driver_override.*drivers_probe' || fail "the message does not help"
echo vfio-pci >"$sys/driver_override"
echo "$host" >/sys/bus/pci/drivers_probe
absent $d/bar/0
before=$(word 4)
open=$(descriptors)
put $d/enabled 1
refuse EBUSY $d/backend vfio
put $d/enabled 0
put $d/line 5
put $d/backend vfio
eq $d/backend vfio
eq $d/host "$host"
absent intx/bus0/lines/5
refuse EBUSY $d/host 0000:00:00.0
refuse EOPNOTSUPP $d/line 6
refuse EOPNOTSUPP $d/pci_2_3 0

# --- registers
same "the identification" "$("$IO" pread $d/config 0 4)" 3412e811
same "the size of config" "$(stat -c %s "$M/$d/config")" 256
same "the size of BAR 0" "$(stat -c %s "$M/$d/bar/0")" 1048576
absent $d/bar/1
same "edu's identification" "$("$IO" pread $d/bar/0 0 4)" ed000001
same "edu's inverter" "$("$IO" pwrite $d/bar/0 4 0f0f0f0f)" ok
same "edu's inverter" "$("$IO" pread $d/bar/0 4 4)" f0f0f0f0
same "a long read of a BAR" "$("$IO" pread $d/bar/0 0 16)" EOPNOTSUPP
same "a misaligned read of a BAR" "$("$IO" pread $d/bar/0 2 4)" EOPNOTSUPP
same "a bus master" "$("$IO" pwrite $d/config 4 06)" ok
eq $d/command "0x$(word 4)"
put $d/command 0x0102
same "the real command register" "$(word 4)" 0102

# --- the device has another owner
mkdir "$M/intx/bus0/devices/d1" || fail "mkdir d1"
put intx/bus0/devices/d1/host "$host"
was=$(descriptors)
refuse EBUSY intx/bus0/devices/d1/backend vfio
same "descriptors after a refusal" "$(descriptors)" "$was"
rmdir "$M/intx/bus0/devices/d1"

# --- the rules of INTx, as intx-model.sh has them for the model
refuse EOPNOTSUPP $d/assert 1
eq $d/assert 0
intx_rules

# The register really has the handler's mask, and the device is left masked.
put $d/enabled 1
raise
wait_eq $d/guest_level 1
same "bit 10 in the real register" "$((0x$(word 4) & 0x400))" 1024
same "bit 3 in the real register" "$((0x$(word 6) & 8))" 8
put $d/enabled 0
same "bit 10 after disabling" "$((0x$(word 4) & 0x400))" 1024
lower

# --- a state of it goes into the model, and back
put $d/enabled 1
raise
wait_eq $d/guest_level 1
cp "$M/intx/bus0/state" "$T/vfio.state" || fail "cp state"
grep -q "$host\|vfio" "$T/vfio.state" && fail "the state names the host's device"
put $d/enabled 0
lower
put $d/backend soft
same "descriptors after all" "$(descriptors)" "$open"
cp "$T/vfio.state" "$M/intx/bus0/state" || fail "the model refuses the state"
eq $d/backend soft
cmp "$T/vfio.state" "$M/intx/bus0/state" || fail "the model has another state"
put $d/ack 1
eq $d/guest_level 1
put $d/assert 0
put $d/ack 1
eq $d/guest_level 0
put $d/enabled 0
put $d/backend vfio
lines=$(wc -l <"$M/errors")
cp "$T/vfio.state" "$M/intx/bus0/state" || fail "the device refuses the state"
eq $d/backend vfio
# It does not assert, which is all that cannot be restored.
[ "$(wc -l <"$M/errors")" = $((lines + 1)) ] || fail "wanted one report: $(tail -n 3 "$M/errors")"
tail -n 1 "$M/errors" | grep -q 'EOPNOTSUPP.*assert' || fail "the report is: $(tail -n 1 "$M/errors")"
eq $d/guest_level 1
eq $d/masked 1
same "bit 10 in the real register" "$((0x$(word 4) & 0x400))" 1024
put $d/ack 1
quiet
same "bit 10 in the real register" "$((0x$(word 4) & 0x400))" 0
put $d/enabled 0

# --- MSI is not what INTx's masks are for
put $d/host_type msi
put $d/enabled 1
n=$(cat "$M/$d/interrupts")
put $d/command 0x0106 # a message is sent as a bus master
raise
wait_eq $d/interrupts $((n + 1))
wait_eq $d/guest_level 1
eq $d/host_irq_disabled 0
put $d/ack 1
eq $d/guest_level 0
put $d/guest_mask 1
bar_write 0x60 02000000
wait_eq $d/interrupts $((n + 2))
eq $d/guest_level 0
put $d/guest_mask 0
eq $d/guest_level 1
put $d/intx_disable 1
bar_write 0x60 04000000
wait_eq $d/interrupts $((n + 3))
lower
put $d/enabled 0
put $d/host_type intx

# --- one that cannot be masked by itself, which vfio-pci takes with a parameter: its line is switched off
put $d/backend soft
put $d/pci_2_3 0
echo Y >/sys/module/vfio_pci/parameters/nointxmask
put $d/backend vfio
echo N >/sys/module/vfio_pci/parameters/nointxmask
put $d/enabled 1
n=$(cat "$M/$d/interrupts")
raise
wait_eq $d/interrupts $((n + 1))
eq $d/host_irq_disabled 1
eq $d/masked 0
eq $d/intx_disable 0
eq $d/guest_level 1
was=$(cat "$M/$d/reasserts")
put $d/ack 1
wait_eq $d/reasserts $((was + 1))
eq $d/interrupts $((n + 1))
wait_eq $d/guest_level 1
put $d/guest_mask 1
eq $d/guest_level 0
put $d/ack 1
eq $d/guest_level 0
put $d/guest_mask 0
wait_eq $d/interrupts $((n + 2))
wait_eq $d/guest_level 1
lower
put $d/ack 1
quiet
put $d/enabled 0
eq $d/intx_disable 0
put $d/backend soft
put $d/pci_2_3 1
put $d/backend vfio

# --- given back clean by rmdir, and by a daemon that is killed
for how in rmdir kill; do
    put $d/enabled 1
    put $d/command 0x0106
    raise
    wait_eq $d/guest_level 1
    if [ $how = rmdir ]; then
        rmdir "$M/$d" || fail "rmdir"
        same "descriptors after rmdir" "$(descriptors)" "$open"
    else
        kill -KILL "$(daemon_pids)"
        wait_for 10 daemon_gone || fail "the daemon lives"
        umount -l "$M"
        mount_fs
    fi
    same "the command register after $how" "$(word 4)" "$before"
    grep -q "vfio-intx.$host" /proc/interrupts && fail "the interrupt is still there after $how"
    mkdir "$M/$d"
    put $d/host "$host"
    put $d/backend vfio
    lower
done

# --- descriptors run out, at each step of the way
put $d/backend soft
pid=$(daemon_pids)
open=$(descriptors)
top=$(ls "/proc/$pid/fd" | sort -n | tail -n 1)
limit=$(ulimit -n)
taken=
for more in 1 2 3 4 5 6 7 8 9 10 11 12; do
    prlimit --pid "$pid" --nofile=$((top + more)):"$limit" || fail "prlimit"
    if [ "$("$IO" write $d/backend vfio)" = ok ]; then
        taken=$more
        break
    fi
    tail -n 1 "$M/errors" | grep -q EMFILE || fail "not EMFILE: $(tail -n 1 "$M/errors")"
    same "descriptors after a refusal" "$(descriptors)" "$open"
done
prlimit --pid "$pid" --nofile="$limit:$limit"
[ -n "$taken" ] && [ "$taken" -gt 2 ] || fail "the limit was not reached step by step"
put $d/enabled 1

# --- a restore when none is left: it takes none, and the device is heard as before, to its unplugging
raise
wait_eq $d/guest_level 1
cp "$M/intx/bus0/state" "$T/full.state" || fail "cp state"
put $d/guest_mask 1
lines=$(wc -l <"$M/errors")
# Fewer than are open already, so that one that is given back is not there to be taken again.
prlimit --pid "$pid" --nofile=8:"$limit" || fail "prlimit"
cp "$T/full.state" "$M/intx/bus0/state" || fail "the state is refused"
prlimit --pid "$pid" --nofile="$limit:$limit"
[ "$(wc -l <"$M/errors")" = "$lines" ] || fail "with no descriptors: $(tail -n 1 "$M/errors")"
diff "$T/full.state" "$M/intx/bus0/state" || fail "saved, restored and saved again differs"
n=$(cat "$M/$d/reasserts")
put $d/ack 1
wait_eq $d/reasserts $((n + 1))
wait_eq $d/guest_level 1
lower
put $d/ack 1
quiet

# --- unplugged
raise
wait_eq $d/guest_level 1
timeout 20 sh -c "echo 1 >$sys/remove" || fail "the device cannot be removed"
[ ! -e "$sys" ] || fail "the device is still there"
wait_eq $d/enabled 0
eq $d/guest_level 0
eq $d/backend vfio
for file in status config; do
    same "reading $file" "$(cat "$M/$d/$file" 2>&1 | sed 's/.*: //')" "No such device"
done
refuse ENODEV $d/enabled 1
refuse ENODEV $d/guest_mask 1
refuse ENODEV $d/backend vfio
grep -q "ENODEV.*$host is taken away" "$M/errors" || fail "no report of the removal"
[ -s "$M/intx/bus0/state" ] || fail "no state without the device"
echo 1 >/sys/bus/pci/rescan
wait_for 5 test -e "$sys" || fail "the device does not come back"
echo vfio-pci >"$sys/driver_override"
echo "$host" >/sys/bus/pci/drivers_probe
put $d/backend vfio
put $d/enabled 1
raise
wait_eq $d/guest_level 1
# And taken away by its driver's unbinding.
timeout 20 sh -c "echo $host >$sys/driver/unbind" || fail "the device cannot be unbound"
eq $d/enabled 0
refuse ENODEV $d/enabled 1
echo >"$sys/driver_override"
put $d/backend soft
put $d/enabled 1
put $d/assert 1
eq $d/guest_level 1
