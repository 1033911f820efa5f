#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A guest finds the vector and summary bits of a GAIT in its memory, and gets alerts as MSIs.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/vm-common"

mount_fs
need_kvm

put gait/gait0/enabled 1
mkdir "$M/gait/gait0/guests/g" "$M/gait/gait0/guests/other" "$M/gait/gait0/functions/f"
machine zpci long gait
mkdir "$M/vm/zpci/slots/0"
refuse ENODEV vm/zpci/slots/0/device gait/gait0/functions/none
put vm/zpci/slots/0/device gait/gait0/functions/f
put vm/zpci/slots/0/irq msi
refuse ENODEV vm/zpci/slots/0/attached 1 # it has no guest yet
put gait/gait0/functions/f/guest g
put vm/zpci/slots/0/attached 1
eq vm/zpci/slots/0/size 0
refuse EBUSY gait/gait0/functions/f/guest other
put gait/gait0/functions/f/isc 3
put gait/gait0/functions/f/ibv 0x4000
put gait/gait0/functions/f/sb 0x5000
put gait/gait0/functions/f/registered 1
put vm/zpci/run 1
says zpci ready
printed() { said zpci | grep -q "$1"; }
put gait/gait0/functions/f/signal 2 # alerted: the guest of the GAIT is not said to run
wait_for 20 printed 2 || fail "vector 2 does not arrive: $(said zpci)"
eq gait/gait0/alerts 1
put gait/gait0/guests/g/running 1
put gait/gait0/functions/f/signal 5
wait_for 20 printed 25 || fail "vector 5 does not arrive: $(said zpci)"
put gait/gait0/functions/f/interpret 0 # forwarded by the host
put gait/gait0/functions/f/signal 7
says zpci 257
ends zpci 0
eq gait/gait0/aen_forward 1
put vm/zpci/slots/0/attached 0
eq gait/gait0/functions/f/registered 0
rmdir "$M/vm/zpci" || fail "rmdir vm/zpci"
