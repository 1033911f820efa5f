#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The model of the mock IOMMU of the kernel's selftests; hwqueue-iommufd.sh runs the same checks on the mock itself.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/hwqueue-mock-rules"

mount_fs -o empty

backend() {
    eq $d/backend soft
}

mock_rules
cp "$T/state" "$M/$d/state" || fail "the state was refused"
mock_holds

# A new tree restores it, over a device of any type.
umount_fs
mount_fs -o empty
mkdir "$M/$d"
cp "$T/state" "$M/$d/state" || fail "the state was refused in a fresh tree"
cmp "$T/state" "$M/$d/state" || fail "the state is another in a fresh tree"
mock_holds

# Another type begins with nothing of this one.
mkdir "$M/hwqueue/r"
put hwqueue/r/type selftest
mkdir "$M/hwqueue/r/vdevices/0"
refuse ENOENT hwqueue/r/trigger 1
refuse EBUSY hwqueue/r/type tegra241-cmdqv
rmdir "$M/hwqueue/r/vdevices/0"
put hwqueue/r/viommu_data 0x01020304
mkdir "$M/hwqueue/r/queues/3" "$M/hwqueue/r/queues/0"
same "the first word" "$("$IO" pread hwqueue/r/queues/0/page 0 4)" 04030201
refuse EBUSY hwqueue/r/type tegra241-cmdqv
rmdir "$M/hwqueue/r/queues/0" "$M/hwqueue/r/queues/3"
put hwqueue/r/type tegra241-cmdqv
absent hwqueue/r/trigger
absent hwqueue/r/viommu_data
mkdir "$M/hwqueue/r/queues/0"
same "PROD" "$("$IO" pread hwqueue/r/queues/0/page 4 4)" 00000000
