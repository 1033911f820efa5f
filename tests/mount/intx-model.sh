#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The rules of an assigned device's INTx on the model; tests/vm/testkernel/intx-vfio.sh runs them on a real device.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/intx-rules"

mount_fs
d=intx/bus0/devices/d0
mkdir "$M/$d" || fail "mkdir"

raise() {
    put $d/assert 1
}

lower() {
    put $d/assert 0
}

# The model delivers within the write.
settle() {
    :
}

intx_rules
