#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The kernel's objects behind a vIOMMU's files: the mock IOMMU answers like its model, failures leave nothing
# behind, and states are exchanged with the model.

# Emulated, and the kernel adds and removes mock devices slowly.
VDF_LIMIT=400
. "$(dirname "$0")/common"
. "$vdf_root/tests/vm/testkernel/mock"

fault=/sys/kernel/debug/fail_iommufd

mount_fs -o empty

# --- what is not there
mkdir "$M/$d"
remember
refuse ENODEV $d/backend iommufd
tail -n 1 "$M/errors" | grep -q 'vfio-pci.*mock' || fail "the message does not help"
refuse EINVAL $d/host 00:04.0
put $d/host 0000:ff:1f.7
refuse ENODEV $d/backend iommufd
put $d/host mock
same "a store" "$("$IO" pwrite $d/memory 0 01020304)" ok
refuse EOPNOTSUPP $d/backend iommufd
tail -n 1 "$M/errors" | grep -q IOMMU_VIOMMU_ALLOC || fail "the message does not say what was refused"
nothing_left
same "mapping memory after it was refused" "$("$IO" mmap-load $d/memory 0 4)" 01020304
put $d/type amd
refuse EOPNOTSUPP $d/backend iommufd
nothing_left
put $d/type selftest
put $d/backend iommufd
refuse EBUSY $d/host 0000:00:04.0
refuse EOPNOTSUPP $d/type tegra241-cmdqv
eq $d/type selftest
same "mock devices" "$(mock_devices)" 1
grep -q '/dev/iommu' "/proc/$(daemon_pids)/maps" || fail "the mock's region is not mapped"
put $d/backend soft
nothing_left
rmdir "$M/$d"

# --- a PCI device of this machine, whose IOMMU has no queues
sys=/sys/bus/pci/devices/0000:00:05.0
mkdir "$M/$d"
put $d/host 0000:00:05.0
refuse ENODEV $d/backend iommufd
echo vfio-pci >$sys/driver_override
echo 0000:00:05.0 >/sys/bus/pci/drivers_probe
for type in tegra241-cmdqv selftest; do
    put $d/type $type
    refuse EOPNOTSUPP $d/backend iommufd
    nothing_left
done
echo 0000:00:05.0 >$sys/driver/unbind
echo >$sys/driver_override
rmdir "$M/$d"

# --- the rules, as hwqueue-mock.sh has them for the model
mock_rules
same "mock devices" "$(mock_devices)" 1

# --- a state of the kernel's goes into the model, and back
grep -q 'mock$\|iommufd' "$T/state" && fail "the state names the backend"
rmdir "$M/$d" || fail "rmdir $d"
nothing_left
mkdir "$M/$d"
cp "$T/state" "$M/$d/state" || fail "the model refuses the state"
cmp "$T/state" "$M/$d/state" || fail "the model has another state"
eq $d/backend soft
mock_holds
cp "$M/$d/state" "$T/model"
rmdir "$M/$d"
mkdir "$M/$d"
put $d/type selftest
backend
cp "$T/model" "$M/$d/state" || fail "the kernel refuses the state"
cmp "$T/model" "$M/$d/state" || fail "the kernel has another state"
cp "$T/state" "$M/$d/state" || fail "the kernel refuses its own state"
eq $d/backend iommufd
mock_holds
cp "$M/state" "$T/root"
cp "$T/root" "$M/state" || fail "the root's state was refused"
cmp "$T/root" "$M/state" || fail "the root's state is another"
eq $d/backend iommufd
rmdir "$M/$d"
nothing_left

# --- queues of many pages, in huge ones
device
printf 'before' | dd of="$M/$d/memory" seek=65536 bs=1 conv=notrunc status=none || fail "no write"
same "huge pages that are free" "$(huge_pages)" $((huge - 1))
same "mapping huge pages" "$("$IO" mmap-load $d/memory 0 4)" ENODEV
put $d/ioas/map "0x2000000 0x100000"
queue 0 0x2000000 0x80000
queue 1 0x2080000 0x80000
put $d/queues/0/enable 1
put $d/queues/1/enable 1
cp "$M/$d/state" "$T/huge"
printf 'behind' | dd of="$M/$d/memory" seek=65536 bs=1 conv=notrunc status=none || fail "no write"
cp "$T/huge" "$M/$d/state" || fail "the state was refused"
cmp "$T/huge" "$M/$d/state" || fail "the state is another"
same "the memory" "$(dd if="$M/$d/memory" bs=1 skip=65536 count=6 status=none)" before
refuse EBUSY $d/queues/0/enable 0
rmdir "$M/$d"
nothing_left

# --- a chain that breaks at each of its links
mkdir "$M/$d" "$M/$d/vdevices/7"
put $d/memory_size 8192
rmdir "$M/$d/vdevices/7"
put $d/type selftest
put $d/host mock
mkdir "$M/$d/vdevices/7"
put $d/ioas/map "0x2000000 0x1000"
put $d/ioas/map "0x3000000 0x1000 0x1000"
printf 100 >$fault/probability
printf 0 >$fault/verbose
n=0
until [ "$n" = 40 ]; do
    n=$((n + 1))
    printf 1 >$fault/times
    printf %s $n >$fault/space
    said=$("$IO" write $d/backend iommufd)
    printf 0 >$fault/times
    [ "$said" != ok ] || break
    eq $d/backend soft
    nothing_left
done
[ "$n" -gt 6 ] && [ "$n" -lt 40 ] || fail "$n allocations could fail"
eq $d/ioas/mappings "0x2000000 0x1000 0x0
0x3000000 0x1000 0x1000"
put $d/trigger 1
events 64 "00000000 00000000 00000007"

# The same while it runs.
mkdir "$M/$d/queues/0"
queue 0 0x2000000 0x1000
cp "$M/$d/state" "$T/before"
for file in "queues/0/enable 1" "ioas/map 0x4000000 0x1000" "veventq_depth 3"; do
    for n in 1 2 3 4 5 6 7 8 9; do
        printf 1 >$fault/times
        printf %s $n >$fault/space
        said=$("$IO" write "$d/${file%% *}" "${file#* }")
        printf 0 >$fault/times
        [ "$said" != ok ] || break
        cmp "$T/before" "$M/$d/state" || fail "$file was refused with $said and has changed something"
    done
    [ "$n" -gt 1 ] || fail "nothing failed under $file"
    same "$file at last" "$said" ok
    cp "$M/$d/state" "$T/before"
done
for n in 1 2 3 4 5 6 7 8; do
    printf 1 >$fault/times
    printf %s $n >$fault/space
    if cp "$T/before" "$M/$d/state" 2>/dev/null; then
        fail "failure $n of a restore was not noticed"
    fi
    printf 0 >$fault/times
    cmp "$T/before" "$M/$d/state" || fail "a restore was refused and has changed something"
    eq $d/backend iommufd
done
# Later ones meet the device itself, which goes on as the state says, but with the model.
until [ "$n" = 60 ] || [ "$(cat "$M/$d/backend")" = soft ]; do
    n=$((n + 1))
    printf 1 >$fault/times
    printf %s $n >$fault/space
    cp "$T/before" "$M/$d/state" 2>/dev/null
    printf 0 >$fault/times
    cmp "$T/before" "$M/$d/state" || fail "failure $n of a restore has changed something"
done
printf 0 >$fault/probability
eq $d/backend soft
tail -n 1 "$M/errors" | grep -q "backend is soft" || fail "errors does not tell"
nothing_left
eq $d/queues/0/enable 1
refuse EBUSY $d/ioas/unmap "0x2000000 0x1000"
put $d/trigger 1
rmdir "$M/$d/queues/0"
put $d/backend iommufd
cp "$T/before" "$M/$d/state" || fail "the state is refused"
eq $d/backend iommufd
rmdir "$M/$d"
nothing_left

# --- too few descriptors for all of it
mkdir "$M/$d"
put $d/type selftest
put $d/host mock
limit=$(descriptors)
until [ "$limit" -gt $((without + 20)) ]; do
    prlimit --pid "$(daemon_pids)" --nofile="$limit:65536"
    said=$("$IO" write $d/backend iommufd)
    [ "$said" != ok ] || break
    same "with $limit descriptors" "$said" EMFILE
    eq $d/backend soft
    nothing_left
    limit=$((limit + 1))
done
same "with $limit descriptors" "$said" ok
prlimit --pid "$(daemon_pids)" --nofile=4096:65536
put $d/backend soft
nothing_left

# --- the end of it all
put $d/backend iommufd
mkdir "$M/$d/vdevices/1" "$M/$d/queues/0"
put $d/ioas/map "0x2000000 0x1000"
queue 0 0x2000000 0x1000
put $d/queues/0/enable 1
put $d/trigger 1
umount_fs
wait_for 10 no_mock_devices || fail "mock devices after the unmount"
mount_fs -o empty
device
mkdir "$M/$d/vdevices/1"
put $d/ioas/map "0x2000000 0x1000"
queue 0 0x2000000 0x1000
put $d/queues/0/enable 1
kill -KILL "$(daemon_pids)"
wait_for 10 daemon_gone || fail "the daemon was not killed"
wait_for 10 no_mock_devices || fail "mock devices after the daemon was killed"
umount -l "$M"
