#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Each system call of an operation fails once: the operation is refused and nothing of it is left, or it is done.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/failures-lib.sh"

mount_fs
cp "$M/state" "$T/plain"

# Objects of each class, with memory in use.
objects="console/con0/ports/1 aplic/x gait/gait0/guests/g gait/gait0/functions/f hwqueue/smmu0/queues/0
hwqueue/smmu0/vdevices/1 intx/bus0/devices/d"
for path in $objects; do
    mkdir "$M/$path" || fail "mkdir $path"
done
put gait/gait0/enabled 1
put gait/gait0/functions/f/guest g
put gait/gait0/functions/f/noi 8
put hwqueue/smmu0/ioas/map '0x100000 0x10000'
put hwqueue/smmu0/queues/0/base 0x100000
# A function whose devices have begun anew: they do so with each attachment.
mkdir "$M/pci/f" "$M/pci/f/bars/2" "$M/pci/f/bars/3" || fail "mkdir pci/f"
put pci/f/function console/con0
put pci/f/bars/2/device memory
put pci/f/bars/3/device aplic/x
put pci/f/vfio_user "$T/pci-socket"
put pci/f/vfio_user ''
for path in gait/gait0/guests/g/memory hwqueue/smmu0/memory hwqueue/smmu0/queues/0/page pci/f/bars/2/memory; do
    same "pwrite to $path" "$("$IO" pwrite $path 16 12345678)" ok
done
cp "$M/state" "$T/full"

# restore FILE: the tree as it was saved, with all memory anew.
restore() {
    cp "$T/plain" "$M/state" || fail "the plain state is not restored"
    cp "$1" "$M/state" || fail "$1 is not restored"
}

# --- objects and devices come and go

for path in console/y console/con0/ports/2 aplic/y gait/y gait/gait0/guests/h gait/gait0/functions/h hwqueue/y \
    hwqueue/smmu0/queues/1 hwqueue/smmu0/vdevices/2 intx/y intx/bus0/devices/e pci/g pci/f/bars/5; do
    restore "$T/full"
    each 0 mkdir "$path" -- rmdir "$path"
    each 0 rmdir "$path" -- mkdir "$path"
done
for path in $objects console/con0 aplic/aplic0 gait/gait0 hwqueue/smmu0 intx/bus0; do
    restore "$T/full"
    [ "$path" != gait/gait0/guests/g ] || rmdir "$M/gait/gait0/functions/f"
    each 0 rmdir "$path" -- restore state "$T/full"
done

# --- values

# value LEAST PATH TEXT OTHER
value() {
    restore "$T/full"
    put "$2" "$4"
    cp "$M/state" "$T/before"
    each "$1" write "$2" "$3" -- restore state "$T/before"
    each 0 write "$2" "$4"
}
value 0 console/con0/size '80 25' '0 0'
value 0 console/con0/ports/1/name some ''
value 6 console/con0/vhost_user "$T/socket" ''
value 0 aplic/x/aia/srcs 63 96
value 0 gait/gait0/guests/g/memory_size 2097152 1048576
value 8 gait/gait0/enabled 1 0
value 0 gait/gait0/functions/f/registered 1 0
value 0 hwqueue/smmu0/queues/0/enable 1 0
value 0 intx/bus0/devices/d/enabled 1 0
value 6 pci/f/vfio_user "$T/pci-socket" ''
value 0 pci/f/msix/vectors 2048 1

# --- memory is made when it is first used, and mapped

restore "$T/full"
mkdir "$M/gait/gait0/guests/h" "$M/hwqueue/q" "$M/hwqueue/q/queues/0" "$M/gait/t" || fail "mkdir"
cp "$M/state" "$T/before"
for path in gait/gait0/guests/h/memory hwqueue/q/memory hwqueue/q/queues/0/page; do
    restore "$T/before"
    each 4 write "$path" x -- restore state "$T/plain" -- restore state "$T/before"
done
mapping=4
if [ "$("$IO" mmap-load gait/gait0/table 0 4)" = ENODEV ]; then
    skip_part "failures of mmap(2): files cannot be mapped here"
    mapping=0
fi
for path in gait/t/table gait/t/sbv gait/gait0/guests/h/memory hwqueue/q/memory hwqueue/q/queues/0/page; do
    restore "$T/before"
    each "$mapping" map "$path" -- restore state "$T/plain" -- restore state "$T/before"
done

# --- states

for name in '' console/con0/ aplic/aplic0/ gait/gait0/ hwqueue/smmu0/ intx/bus0/; do
    restore "$T/full"
    each 0 save "${name}state"
    cp "$M/${name}state" "$T/one"
    cp "$T/plain" "$M/state" || fail "the plain state is not restored"
    cp "$M/${name}state" "$T/other"
    each 0 restore "${name}state" "$T/one" -- restore "${name}state" "$T/other"
    each 0 restore "${name}state" "$T/other" -- restore "${name}state" "$T/one"
done
