#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A guest gets an INTx interrupt again at each end of interrupt while the device asserts.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/vm-common"

mount_fs
need_kvm

attached() { [ "$(cat "$M/$1")" = "$2" ]; }
wait_eq() { wait_for 20 attached "$1" "$2" || fail "$1 is $(cat "$M/$1"), not $2"; }

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
